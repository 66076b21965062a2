"""The numbers beside an answer: activities, doses, response, pooled proportions, and what would change it."""

from datetime import date
from decimal import Decimal

import pytest
from scipy.stats import binom

from connector.contract import dose_plan
from connector.core.catalogue import read_fact
from connector.core.evidence import Observed
from connector.core.selection import pooling, select
from connector.core.selection.derived import add_sums
from connector.core.selection.evidence_rows import SERIES
from connector.core.selection.sensitivity import what_would_change
from connector.core.selection.values import numbers

D = Decimal
TODAY = date(2026, 1, 31)
SUMS = {"recist_sum_baseline_mm": D(100), "recist_sum_nadir_mm": D(50), "new_lesions": False}


@pytest.mark.parametrize(
    ("given", "expected", "why"),
    [
        ({**SUMS, "recist_sum_current_mm": D(0)}, "CR", "all gone"),
        ({**SUMS, "recist_sum_nadir_mm": D(70), "recist_sum_current_mm": D(70)}, "PR", "exactly 30 % smaller"),
        ({**SUMS, "recist_sum_nadir_mm": D("70.1"), "recist_sum_current_mm": D("70.1")}, "SD", "just short of it"),
        ({**SUMS, "recist_sum_current_mm": D(60)}, "PD", "20 % and 10 mm from the smallest"),
        ({**SUMS, "recist_sum_current_mm": D("59.9")}, "PR", "just short of 20 %, and 40 % below baseline"),
        ({**SUMS, "recist_sum_current_mm": D(60), "new_lesions": True}, "PD", "a new lesion"),
        ({"new_lesions": True}, "PD", "a new lesion without sums"),
        ({**SUMS, "recist_sum_current_mm": D(60), "last_lrt_modality": "TARE", "days_since_lrt": 89},
         "not_assessable_yet", "growth within three months of TARE is no progression"),
        ({**SUMS, "recist_sum_current_mm": D(60), "last_lrt_modality": "TARE", "days_since_lrt": 90}, "PD",
         "after three months it is"),
        ({**SUMS, "recist_sum_current_mm": D(55), "last_lrt_modality": "TARE", "days_since_lrt": 60}, "PR",
         "shrinking counts early too"),
        ({"new_lesions": False, "last_lrt_modality": "TARE", "days_since_lrt": 60}, "not_assessable_yet", "no sums"),
        ({"new_lesions": True, "last_lrt_modality": "TARE", "days_since_lrt": 60}, "PD", "a new lesion is no rim"),
        ({"recist_sum_baseline_mm": D(100), "recist_sum_current_mm": D(60), "new_lesions": False}, None,
         "without the smallest sum, progression cannot be ruled out"),
        ({"recist_sum_baseline_mm": D(100), "recist_sum_nadir_mm": D(50), "recist_sum_current_mm": D(60)}, "PD",
         "growth is progression, whether or not there are new lesions"),
        ({"recist_sum_nadir_mm": D(50), "recist_sum_current_mm": D(60)}, "PD", "nor does it need the baseline"),
        ({"recist_sum_baseline_mm": D(100), "recist_sum_nadir_mm": D(50), "recist_sum_current_mm": D("59.9")}, None,
         "without growth it hangs on new lesions, and nobody spoke of them"),
        ({"recist_sum_baseline_mm": D(40), "recist_sum_current_mm": D(0), "new_lesions": False}, "CR",
         "nothing is left, whatever the smallest sum was"),
        ({}, None, "nothing known"),
    ],
)  # fmt: skip
def test_response_of_given_sums(given, expected, why):
    assert numbers(given).get("response") == expected, why


PLANS = [
    ({"activity_method": "bsa", "microsphere_type": "resin", "height_m": D("1.7"), "weight_kg": D(70),
      "tumour_volume_ml": D(300), "liver_volume_total_ml": D(1500)},
     {"method": "bsa", "device": "resin", "height_m": "1.7", "weight_kg": "70", "tumour_volume_ml": "300",
      "liver_volume_ml": "1500", "lung_shunt_fraction": "0"}),
    ({"activity_method": "mird_single", "target_mean_dose_gy": D(120), "target_liver_mass_kg": D("1.5"),
      "lung_shunt_fraction": D("0.05")},
     {"method": "mird", "device": "glass", "prescribed_dose_gy": "120", "perfused_mass_kg": "1.5",
      "lung_shunt_fraction": "0.05"}),
    ({"activity_method": "partition", "target_mean_dose_gy": D(40), "tn_ratio": D(5), "tumour_mass_kg": D("0.3"),
      "normal_liver_mass_kg": D("1.2"), "lung_shunt_fraction": D("0.05")},
     {"method": "partition", "device": "glass", "prescribed_dose_gy": "40", "prescribed_to": "normal_liver",
      "tumour_to_normal_ratio": "5", "tumour_mass_kg": "0.3", "normal_liver_mass_kg": "1.2",
      "lung_shunt_fraction": "0.05"}),
    ({"activity_method": "empiric", "liver_tumour_burden_percent": D("25.1")},
     {"method": "empiric", "device": "resin", "tumour_volume_ml": "25.1", "liver_volume_ml": "100"}),
    ({"activity_method": "empiric", "liver_tumour_burden_percent": D(50)},
     {"method": "empiric", "device": "resin", "tumour_volume_ml": "50", "liver_volume_ml": "100"}),
]  # fmt: skip


@pytest.mark.parametrize(("facts", "case"), PLANS, ids=[f"{row[0]['activity_method']}" for row in PLANS])
def test_an_activity_is_the_prescription_of_dose_plan(facts, case):
    planned = dose_plan.run(case)["prescription_gbq"]
    assert abs(D(numbers(facts)["prescribed_activity_gbq"]) - D(str(planned))) < D("0.000002")


@pytest.mark.parametrize("facts", [facts for facts, _ in PLANS], ids=[f"{row[0]['activity_method']}" for row in PLANS])
def test_an_activity_needs_everything_in_its_formula(facts):
    for name in facts:
        rest = {other: value for other, value in facts.items() if other != name}
        assert "prescribed_activity_gbq" not in numbers(rest), name


@pytest.mark.parametrize(
    ("given", "name", "expected", "why"),
    [
        ({"prescribed_activity_gbq": D("1.5"), "activity_method": "empiric", "liver_tumour_burden_percent": D(60)},
         "prescribed_activity_gbq", "1.5", "what a physician prescribed stands"),
        ({"activity_method": "bsa", "microsphere_type": "resin", "height_m": D("0.4"), "weight_kg": D(2),
          "tumour_volume_ml": D(30), "liver_volume_total_ml": D(150)}, "prescribed_activity_gbq", None,
         "too small a body for the method"),
        ({"activity_method": "mird_single", "target_mean_dose_gy": D(120), "target_liver_mass_kg": D("1.5"),
          "lung_shunt_fraction": D(1)}, "prescribed_activity_gbq", None, "nothing would reach the liver"),
        ({"prescribed_activity_gbq": D("3.05"), "lung_shunt_fraction": D("0.2")}, "lung_activity_gbq", "0.61", "0.61"),
        ({"child_pugh_score": 7}, "child_pugh_score", "7", "shown"),
        ({"child_pugh_class": "B"}, "child_pugh_class", "B", "shown"),
        ({"albi_grade": 2}, "albi_grade", "2", "shown"),
        ({"egfr_ml_min_1_73m2": D(92)}, "egfr_ml_min_1_73m2", "92", "shown"),
        ({"predicted_lung_dose_gy": D(30)}, "predicted_lung_dose_gy", "30", "shown"),
        ({"height_m": D("1.7"), "weight_kg": D(70)}, "bsa_m2", "1.809684", "0.20247 x 1.7^0.725 x 70^0.425"),
        ({"prescribed_activity_gbq": D("1.23456789")}, "prescribed_activity_gbq", "1.234568", "to a millionth"),
    ],
)  # fmt: skip
def test_numbers_of_a_case(given, name, expected, why):
    values = dict(given)
    add_sums(values)
    assert numbers(values).get(name) == expected, why


@pytest.mark.parametrize("n", [1, 2, 7, 12, 30])
def test_an_exact_interval_leaves_half_of_five_percent_on_each_side(n):
    for events in range(n + 1):
        low, high = (float(bound) / 100 for bound in pooling.exact_interval_percent(events, n))
        assert low <= events / n <= high
        assert events == 0 or binom.sf(events - 1, n, low) == pytest.approx(0.025, abs=0.01)
        assert events == n or binom.cdf(events, n, high) == pytest.approx(0.025, abs=0.01)


@pytest.mark.parametrize(
    ("events", "n", "interval"),
    [(0, 10, ("0.0", "30.8")), (10, 10, ("69.2", "100.0")), (5, 12, ("15.2", "72.3")), (1, 1, ("2.5", "100.0"))],
)
def test_exact_intervals_of_the_tables(events, n, interval):
    assert pooling.exact_interval_percent(events, n) == tuple(map(D, interval))


def risk(values, modality, start):
    return next(one for one in pooling.risks(values, {modality}) if one.outcome.startswith(start))


def test_benefit_is_pooled_from_similar_patients():
    tace = risk({"histology": "MTC"}, "TACE", "objective response")
    # Nervo 1 of 2 procedures, Lorenz 5 of 10 assessed, Fromigue 5 of 12, Grozinsky-Glasberg 7 of 7.
    assert (tace.n, tace.probability_percent, len(tace.sources)) == (31, D("58.1"), 5)
    assert "MTC" in tace.outcome
    sized = risk({"histology": "MTC", "liver_lesion_largest_diameter_mm": D(98)}, "TACE", "objective response")
    assert (sized.n, sized.outcome) == (12, "objective response (CR or PR) (MTC, lesions of this size)")
    just_past = risk({"histology": "MTC", "liver_lesion_largest_diameter_mm": D("98.1")}, "TACE", "objective")
    assert just_past.n == 31, "no series had lesions of that size: all of the histotype"
    assert risk({}, "TACE", "objective response").outcome.endswith("(any thyroid carcinoma)")
    assert risk({"histology": "MTC"}, "MWA", "objective response").outcome.endswith("(any thyroid carcinoma)")
    assert risk({"histology": "PTC"}, "TARE", "objective response").n == 1


@pytest.mark.parametrize(
    ("values", "modality", "outcome", "n", "percent", "why"),
    [
        ({"histology": "MTC"}, "TACE", "disease control", 31, "87.1", "18 responses and 9 stable (Nervo 2021)"),
        ({"histology": "MTC"}, "TACE", "progression", 31, "12.9", "Nervo 1, Lorenz 1, Fromigue 2"),
        ({"histology": "MTC"}, "TARE", "objective response", 6, "83.3", "Puleo: 1 CR, 4 PR; 2 not assessed"),
        ({"histology": "MTC"}, "TARE", "disease control", 6, "100.0", "and 1 SD"),
        ({"histology": "MTC"}, "TARE", "progression", 6, "0.0", "none"),
        ({}, "TACE", "adverse event of grade 3 or more", 33, "12.1", "Lorenz 2, Fromigue 1, Grozinsky 1"),
        ({"histology": "MTC", "liver_lesion_largest_diameter_mm": D(25)}, "TACE", "objective response", 19, "63.2",
         "Fromigue from 25 mm on, Grozinsky from 13"),
        ({"histology": "MTC", "liver_lesion_largest_diameter_mm": D("24.9")}, "TACE", "objective response", 7, "100.0",
         "Grozinsky alone had so small ones"),
    ],
)  # fmt: skip
def test_each_outcome_counts_its_own(values, modality, outcome, n, percent, why):
    found = risk(values, modality, f"{outcome} (")
    assert (found.n, found.probability_percent) == (n, D(percent)), why


def test_size_is_named_only_where_it_tells_patients_apart():
    only = risk({"histology": "PTC", "liver_lesion_largest_diameter_mm": D(45)}, "TARE", "objective")
    assert only.outcome == "objective response (CR or PR) (DTC)", "Kesim had the one patient, of 45 mm"


def test_harm_is_pooled_over_everybody_treated():
    for values in ({"histology": "PTC"}, {"histology": "MTC", "liver_lesion_largest_diameter_mm": D(18)}):
        death = risk(values, "TACE", "death")
        assert (death.n, death.probability_percent) == (33, D("3.0"))
        assert any(source.startswith("Lorenz 2005") for source in death.sources)


@pytest.mark.parametrize(
    ("burden", "n", "percent"), [(D("29.9"), 9, D("55.6")), (D(30), 3, D("0.0"))], ids=["below 30 %", "30 %"]
)
def test_response_is_told_by_burden_where_a_series_tells(burden, n, percent):
    values = {"histology": "MTC", "liver_tumour_burden_percent": burden}
    by_burden = next(one for one in pooling.risks(values, {"TACE"}) if "of the liver" in one.outcome)
    assert (by_burden.n, by_burden.probability_percent) == (n, percent)


def test_indirect_evidence_says_so():
    assert "mixed primaries" in risk({}, "lung_RFA", "local tumour progression").outcome
    assert risk({}, "cementoplasty", "major complication").n == 25
    assert pooling.risks({}, {"board_only"}) == ()


def test_series_are_consistent():
    assert len({series.id for series in SERIES}) == len(SERIES)
    for series in SERIES:
        assert series.responses is None or sum(series.responses) == series.n, series.id
        assert (series.deaths or 0) <= (series.serious or 0)


DIFFUSE = {
    "histology": "MTC", "pheochromocytoma_status": "excluded", "pregnancy_status": "not_pregnant",
    "coagulopathy_status": "none", "performance_status_class": "good", "life_expectancy_months": 24,
    "liver_insufficiency_severe": False, "clinical_liver_failure": False, "child_pugh_score": 5, "renal_failure": False,
    "contrast_media_allergy": False, "portal_vein_thrombosis": "none", "liver_lesion_count": 5,
    "liver_lesion_largest_diameter_mm": 18, "liver_lobes_involved": "bilobar", "liver_tumour_burden_percent": 10,
    "liver_lesion_hypervascular": True, "extrahepatic_disease_status": "none", "liver_imaging_age_days": 14,
    "liver_disease_status": "progressive", "surgical_candidate": False, "resection_feasible": False,
    "liver_symptoms": ["itching"], "ret_mutation": "M918T", "liver_lesion_diameters_mm": [18, 9, 9, 8, 7],
}  # fmt: skip


def changes_of(facts):
    given = {name: read_fact(name, raw) for name, raw in facts.items()}
    selection = select({name: Observed(value, "case") for name, value in given.items()}, TODAY)
    return selection, what_would_change(given, selection)


def test_the_smallest_changes_that_flip_the_first_option():
    _, changes = changes_of(DIFFUSE)
    found = {(change.fact, change.after): change for change in changes}
    assert found["performance_status_class", "poor"].preferred == ("TARE",)
    assert found["liver_tumour_burden_percent", D("50.1")].before == D(10)
    assert ("liver_tumour_burden_percent", D(50)) not in found, "50 % itself changes nothing"
    assert found["child_pugh_score", 8].preferred != ("TACE",)
    assert ("child_pugh_score", 7) not in found
    assert "if it were poor, first would be TARE" in found["performance_status_class", "poor"].text
    text = "liver_tumour_burden_percent: if it were 50.1, the board alone would decide"
    assert found["liver_tumour_burden_percent", D("50.1")].text == text
    assert "ret_mutation" not in {change.fact for change in changes}, "nothing hangs on it"
    assert not any(change.status == "contradictory_data" for change in changes)
    assert found["renal_failure", True].text.startswith("renal_failure: if it were true, ")
    of_burden = [change.after for change in changes if change.fact == "liver_tumour_burden_percent"]
    assert of_burden == [D("50.1")], "the smallest change to a side, and no larger one"
    for change in changes:
        assert read_fact(change.fact, change.after) == change.after, "a value that the fact may have"


def test_the_missing_fact_worth_getting_first_stands_first():
    facts = {name: value for name, value in DIFFUSE.items() if name != "performance_status_class"}
    selection, changes = changes_of(facts)
    assert selection.status == "cannot_decide"
    assert (changes[0].fact, changes[0].before) == ("performance_status_class", None)
    assert {change.preferred for change in changes[:2]} == {("TACE",), ("TARE",)}
    assert "performance_status_class: if it turned out to be good, first would be TACE" in {one.text for one in changes}


def test_missing_facts_stand_in_the_order_of_how_much_they_could_change():
    """A humerus that threatens to break (Cazzato 2018, Figure 3): what is missing does not weigh the same."""
    _, changes = changes_of({
        "histology": "DTC_NOS", "bone_lesion_count": 1, "bone_lesion_painful": True, "bone_lesion_hypervascular": True,
        "bone_lesion_mechanical_stress": True, "bone_fracture_status": "impending", "coagulopathy_status": "none",
        "last_lrt_modality": "cryoablation", "bone_lesion_near_nerve": True, "age_years": 60, "mdt_review_done": True,
    })  # fmt: skip
    answers = {}
    for change in changes:
        if change.before is None:
            decided = {change.preferred} if change.preferred else set()
            answers[change.fact] = answers.get(change.fact, set()) | decided
    weights = [len(found) for found in answers.values()]
    assert weights == sorted(weights, reverse=True)
    assert weights[0] > weights[-1]


def test_a_change_to_nothing_says_why():
    _, changes = changes_of({**DIFFUSE, "tumour_multifocal": True, "patient_declined_modalities": []})
    texts = [change.text for change in changes if change.fact == "patient_declined_modalities"]
    assert any("{TACE}" in text for text in texts)


def test_of_a_missing_number_each_answer_is_told_once_and_from_its_limit_on():
    facts = {**DIFFUSE, "performance_status_class": "poor"}
    del facts["life_expectancy_months"]
    _, changes = changes_of(facts)
    told = [(change.after, change.preferred) for change in changes if change.fact == "life_expectancy_months"]
    assert told == [(D(0), ("board_only",)), (D(3), ("TARE",))], "TARE from 3 months on (Anbari 2023)"


def test_a_change_of_a_set_adds_or_takes_one_word():
    _, changes = changes_of({**DIFFUSE, "patient_declined_modalities": ["laser"]})
    (declined,) = [change for change in changes if change.fact == "patient_declined_modalities"]
    assert "if it were {TACE, laser}, first would be TARE" in declined.text


def test_a_fact_that_only_a_need_names_may_be_worth_getting():
    facts = {**DIFFUSE, "performance_status_class": "poor"}
    del facts["liver_imaging_age_days"]
    selection, changes = changes_of(facts)
    assert selection.status == "cannot_decide"
    aged = [change for change in changes if change.fact == "liver_imaging_age_days"]
    assert {change.preferred for change in aged} == {("TARE",)}, "radioembolisation waits for the age of the images"
    assert {change.status for change in aged} == {"recommend"}


def test_liver_tests_that_grow_too_old_leave_the_answer_open():
    """Pugh 1973: bilirubin past 51 (3), albumin of 28 to 35 (2), and 1 for each other part: 8, past the limit of B7."""
    parts = {
        "bilirubin_total_umol_l": 52, "albumin_g_l": 30, "inr": "1.1", "ascites_grade": "none",
        "encephalopathy_grade": 0, "liver_function_age_days": 30,
    }  # fmt: skip
    facts = {name: raw for name, raw in DIFFUSE.items() if name != "child_pugh_score"}
    selection, changes = changes_of({**facts, **parts})
    assert [option.modality for option in selection.options if option.rank == 1] == ["board_only"]
    (aged,) = [change for change in changes if change.fact == "liver_function_age_days"]
    assert (aged.after, aged.status) == (31, "cannot_decide"), "old parts that spoke against TACE do not open it"
