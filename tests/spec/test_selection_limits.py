"""Selection at the limits where one step changes the answer, each named by what a wrong step would do."""

from datetime import date, timedelta
from decimal import Decimal

import pytest

from connector.core.evidence import Observed
from connector.core.selection import select
from connector.core.selection.registry import RULE

TODAY = date(2026, 1, 31)
GOOD = {
    "histology": "PTC", "performance_status_class": "good", "extrahepatic_disease_status": "none",
    "liver_insufficiency_severe": False, "coagulopathy_status": "none", "renal_failure": False,
    "contrast_media_allergy": False, "liver_lesion_hypervascular": True,
}  # fmt: skip


def answer(days_ago=None, **facts):
    on = None if days_ago is None else TODAY - timedelta(days_ago)
    return select({name: Observed(value, "case", on) for name, value in (GOOD | facts).items()}, TODAY)


def first(selection):
    return {option.modality for option in selection.options if option.rank == 1}


@pytest.mark.parametrize(
    ("count", "lobes", "status", "expected", "why"),
    [
        (4, "unilobar", "recommend", {"board_only"}, "between the branches: the board decides"),
        (5, "unilobar", "recommend", {"TACE"}, "diffuse by number, though in one lobe"),
        (4, "bilobar", "recommend", {"TACE"}, "diffuse by lobes"),
        (2, "bilobar", "recommend", {"TACE"}, "few, and diffuse by lobes"),
        (4, None, "cannot_decide", set(), "in one lobe it is between the branches, in two it is diffuse"),
        (5, None, "recommend", {"TACE"}, "diffuse, whatever the lobes"),
    ],
)
def test_the_branch_of_the_pathway_by_number_and_lobes(count, lobes, status, expected, why):
    lobes_known = {} if lobes is None else {"liver_lobes_involved": lobes}
    found = answer(liver_lesion_count=count, **lobes_known)
    assert (found.status, first(found)) == (status, expected), why
    assert (found.pathway[-1].answer == "unknown") is (status == "cannot_decide"), "it stops where the lobes are asked"


@pytest.mark.parametrize(
    ("days_ago", "asked", "why"),
    [(0, False, "of today: an age of 0 days"), (1, False, "of yesterday"), (-1, True, "a day to come is no age")],
)
def test_the_age_of_the_images(days_ago, asked, why):
    found = answer(days_ago, liver_lesion_count=5)
    (tare,) = [option for option in found.options if option.modality == "TARE"]
    assert ("liver_imaging_age_days" in tare.needs) is asked, why


@pytest.mark.parametrize(("tumour_ml", "contradicts"), [(1499, False), (1500, False), (1501, True)])
def test_a_tumour_may_fill_the_liver_but_not_exceed_it(tumour_ml, contradicts):
    found = answer(liver_lesion_count=5, tumour_volume_ml=tumour_ml, liver_volume_total_ml=1500)
    assert ("liver_volume_total_ml" in found.contradictions) is contradicts


def test_follow_up_is_of_what_was_done_or_is_preferred_and_nothing_else():
    found = answer(liver_lesion_count=5, last_lrt_modality="RFA", days_since_lrt=10)
    rules = [visit.rule for visit in found.follow_up]
    assert "FU-CT1M" in rules
    assert not {"FU-TARE-CLIN", "FU-TARE-IMG"} & set(rules), "nobody got or is to get radioembolisation"
    assert len(rules) == len(set(rules)), "a dated visit is not told again without its date"
    concerned = {"RFA"} | first(found)
    assert all(not RULE[rule].options or concerned & set(RULE[rule].options) for rule in rules)


BONE = {"bone_lesion_count": 1, "extrahepatic_disease_status": "stable"}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("tumour_volume_ml", 300), ("liver_volume_total_ml", 1500), ("lung_shunt_fraction", "0.05"),
        ("prescribed_activity_gbq", 2), ("activity_method", "bsa"), ("predicted_lung_dose_gy", 10),
        ("extrahepatic_deposition_on_maa", False), ("liver_lesion_count", 1), ("liver_lesion_at_hilum", False),
    ],
)  # fmt: skip
def test_a_fact_of_the_liver_or_its_work_up_asks_about_the_liver_beside_the_bone(name, value):
    found = select({one: Observed(raw, "case") for one, raw in {**BONE, name: value}.items()}, TODAY)
    assert {"TARE", "bone_embolisation"} <= {option.modality for option in found.options}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("liver_insufficiency_severe", False), ("liver_imaging_age_days", 5), ("liver_imaging_modality", "MRI"),
        ("liver_imaging_after_today", False),
        ("liver_symptoms", []), ("liver_function_age_days", 5), ("lung_mass_kg", 1), ("liver_lesion_count", 0),
    ],
)  # fmt: skip
def test_what_is_known_of_every_patient_does_not(name, value):
    found = select({one: Observed(raw, "case") for one, raw in {**BONE, name: value}.items()}, TODAY)
    listed = {option.modality for option in found.options}
    assert "bone_embolisation" in listed
    assert not {"TARE", "surgery", "lung_RFA"} & listed


@pytest.mark.parametrize(
    ("facts", "listed", "absent", "why"),
    [
        (BONE | {"lung_lesion_count": 0}, "bone_embolisation", "lung_RFA", "the lungs are free"),
        (BONE | {"lung_lesion_count": 1}, "lung_RFA", "TARE", "one lesion of the lung"),
        ({"lung_lesion_count": 1, "bone_lesion_count": 0}, "lung_RFA", "cementoplasty", "the bones are free"),
        ({"rai_avid": True}, "RAI", "TARE", "radioiodine is asked about, wherever the lesions are"),
        ({"rai_planned_activity_mci": 100}, "RAI", "TARE", "an activity is planned"),
    ],
)
def test_a_case_is_about_the_organs_that_are_not_free(facts, listed, absent, why):
    options = {
        one.modality for one in select({name: Observed(raw, "case") for name, raw in facts.items()}, TODAY).options
    }
    assert listed in options, why
    assert absent not in options, why


@pytest.mark.parametrize(
    ("name", "value", "alerted", "why"),
    [
        (
            "bilirubin_total_umol_l",
            "2.9",
            "HOUSE-UNIT-BILIRUBIN",
            "jaundice at 2.9 mg/dL would pass for a healthy liver",
        ),
        ("bilirubin_total_umol_l", "3", None, "as low as a healthy one gets (0.18 mg/dL)"),
        ("albumin_g_l", "9.9", "HOUSE-UNIT-ALBUMIN", "nobody lives with it, and 3.5 is a healthy one in g/dL"),
        ("albumin_g_l", "10", None, "very low, and seen"),
        ("creatinine_umol_l", "14.9", "HOUSE-UNIT-CREATININE", "10 mg/dL is renal failure, and would pass for none"),
        ("creatinine_umol_l", "15", None, "0.17 mg/dL"),
        ("lung_mass_kg", "0.29", "HOUSE-UNIT-LUNG", "no adult's"),
        ("lung_mass_kg", "0.3", None, "small lungs"),
        ("lung_mass_kg", "2", None, "heavy lungs"),
        ("lung_mass_kg", "2.1", "HOUSE-UNIT-LUNG", "950 g as kilograms would hide any dose to the lungs"),
        ("liver_volume_total_ml", "499", "HOUSE-UNIT-LIVER", "1.5 litres are 1500 mL"),
        ("liver_volume_total_ml", "500", None, "a small liver"),
        ("liver_volume_total_ml", "4500", None, "a large liver"),
        ("liver_volume_total_ml", "4501", "HOUSE-UNIT-LIVER", "larger than a large one"),
        ("tumour_mass_kg", "4.635", None, "as heavy as a large liver (4500 mL)"),
        ("tumour_mass_kg", "4.636", "HOUSE-UNIT-LIVER", "300 g are 0.3 kg"),
        ("normal_liver_mass_kg", "4.635", None, "at the limit"),
        ("target_liver_mass_kg", "4.635", None, "at the limit"),
        ("normal_liver_mass_kg", "4.636", "HOUSE-UNIT-LIVER", "1200 g are 1.2 kg"),
        ("target_liver_mass_kg", "4.636", "HOUSE-UNIT-LIVER", "1500 g are 1.5 kg"),
        ("liver_lesion_largest_diameter_mm", "4.9", "HOUSE-UNIT-SIZE", "4.9 cm would pass for a tiny lesion"),
        (
            "liver_lesion_largest_diameter_mm",
            "5",
            None,
            "too small to measure counts 5 mm (RECIST 1.1)",
        ),
        ("rai_planned_activity_mci", "29.9", "HOUSE-UNIT-RAI", "5.5 GBq are 149 mCi"),
        ("rai_planned_activity_mci", "30", None, "for a remnant (ATA 2015)"),
        ("rai_planned_activity_mci", "1000", None, "past the ceiling, and in mCi"),
        ("rai_planned_activity_mci", "1000.1", "HOUSE-UNIT-RAI", "3700 MBq are 100 mCi"),
        ("rai_cumulative_activity_mci", "20", "HOUSE-UNIT-RAI", "20 GBq are 541 mCi: the ceiling would be missed"),
        ("rai_cumulative_activity_mci", "29.9", "HOUSE-UNIT-RAI", "less than any treatment before"),
        ("rai_cumulative_activity_mci", "30", None, "one remnant"),
        ("rai_cumulative_activity_mci", "0", None, "never treated"),
        ("rai_cumulative_activity_mci", "0.1", "HOUSE-UNIT-RAI", "more than never"),
        ("rai_cumulative_activity_mci", "3000", None, "far past the ceiling, and in mCi"),
        ("rai_cumulative_activity_mci", "3000.1", "HOUSE-UNIT-RAI", "7400 MBq are 200 mCi"),
    ],
)
def test_a_number_as_another_unit_would_give_it_is_told(name, value, alerted, why):
    found = answer(liver_lesion_count=5, **{name: Decimal(value)})
    assert [one.rule for one in found.alerts if one.rule.startswith("HOUSE-UNIT")] == [alerted] * bool(alerted), why
    assert found.status == "recommend", "the answer stands, and the doubt beside it"
