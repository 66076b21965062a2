"""What a fact may be: names, types, ranges, words, and the sentence for everything else."""

import re
from decimal import Decimal

import pytest

from connector.core.catalogue import FACTS, Facts, Sums, read_fact
from connector.core.errors import BadCase
from connector.core.fact_types import ENDLESS, Number
from connector.core.selection.derived import SUMS


@pytest.mark.parametrize(
    ("name", "raw", "expected"),
    [
        ("informed_consent", True, True),
        ("histology", "MTC", "MTC"),
        ("ret_mutation", "M918T", "M918T"),
        ("ret_mutation", "M", "M"),
        ("ret_mutation", "x" * 200, "x" * 200),
        ("liver_lesion_count", 3, 3),
        ("liver_lesion_count", 0, 0),
        ("liver_lesion_count", 999, 999),
        ("liver_lesion_count", Decimal("3.0"), 3),
        ("liver_lesion_count", "3", 3),
        ("lung_shunt_fraction", Decimal("0.1"), Decimal("0.1")),
        ("lung_shunt_fraction", 1, Decimal(1)),
        ("lung_shunt_fraction", "0.05", Decimal("0.05")),
        ("calcitonin_change_percent", "-40", Decimal(-40)),
        ("calcitonin_change_percent", "+40", Decimal(40)),
        ("calcitonin_doubling_time_months", "not_rising", ENDLESS),
        ("calcitonin_doubling_time_months", ENDLESS, ENDLESS),
        ("liver_lesion_diameters_mm", [12, "9.5"], (Decimal(12), Decimal("9.5"))),
        ("liver_lesion_diameters_mm", [1] * 10_000, (Decimal(1),) * 10_000),
        ("calcitonin_pg_ml", 10**9, Decimal(10**9)),
        ("liver_symptoms", [], frozenset()),
        ("liver_symptoms", ("itching",), frozenset({"itching"})),
        ("liver_symptoms", {"itching"}, frozenset({"itching"})),
        ("liver_symptoms", ["itching", "flushing"], frozenset({"itching", "flushing"})),
        ("liver_symptoms", frozenset({"itching"}), frozenset({"itching"})),
    ],
)
def test_a_fact_is_read(name, raw, expected):
    value = read_fact(name, raw)
    assert value == expected
    assert type(value) is type(expected)
    assert read_fact(name, value) == value, "a typed value is read as itself"


@pytest.mark.parametrize(
    ("name", "raw", "says"),
    [
        ("informed_consent", "yes", "must be true or false"),
        ("informed_consent", 1, "must be true or false"),
        ("informed_consent", None, "leave the fact out if it is not known"),
        ("histology", "papillary", "must be one of PTC, FTC"),
        ("histology", 3, "must be one of"),
        ("ret_mutation", "", "one line"),
        ("ret_mutation", "x" * 201, "one line"),
        ("ret_mutation", "a\nb", "one line"),
        ("liver_lesion_count", 2.5, "whole number"),
        ("liver_lesion_count", "2.5", "whole number"),
        ("liver_lesion_count", "two", "whole number"),
        ("child_pugh_score", "B7", "whole number"),
        ("liver_lesion_count", True, "whole number"),
        ("liver_lesion_count", -1, ">= 0 and <= 999"),
        ("liver_lesion_count", 1000, ">= 0 and <= 999"),
        ("liver_lesion_count", Decimal("1E+999999999999999999"), "larger than any measurement"),
        ("liver_lesion_count", Decimal("1E-999999"), "whole number"),
        ("liver_lesion_largest_diameter_mm", 0, "> 0"),
        ("liver_lesion_largest_diameter_mm", True, "must be a number"),
        ("liver_lesion_largest_diameter_mm", "12 mm", "without a unit"),
        ("liver_lesion_largest_diameter_mm", 0.1, "must be a number"),
        ("liver_lesion_largest_diameter_mm", "1.2.3", "must be a number"),
        ("liver_lesion_largest_diameter_mm", "--5", "must be a number"),
        ("liver_lesion_count", "+-5", "must be a whole number"),
        ("liver_lesion_largest_diameter_mm", Decimal("NaN"), "finite"),
        ("liver_lesion_largest_diameter_mm", Decimal("Infinity"), "finite"),
        ("liver_lesion_largest_diameter_mm", 10**10, "larger than any measurement"),
        ("lung_shunt_fraction", 15, "did you mean percent?"),
        ("lung_shunt_fraction", Decimal("-0.1"), ">= 0 and <= 1"),
        ("liver_tumour_burden_percent", Decimal("100.1"), "check the value and its unit"),
        ("child_pugh_score", 4, ">= 5 and <= 15"),
        ("liver_lesion_diameters_mm", [12, 0], "> 0"),
        ("liver_lesion_diameters_mm", 12, "must be a list"),
        ("liver_lesion_diameters_mm", [1] * 10_001, "at most 10000"),
        ("liver_symptoms", "itching", "must be a list"),
        ("liver_symptoms", ["fatigue"], "is not allowed in the list"),
        ("liver_symptoms", [["itching"]], "is not allowed in the list"),
        ("patient_declined_modalities", ["chemotherapy"], "use surgery, RFA"),
        ("liver_lesions", 3, "unknown fact"),
        ("liver_leson_count", 3, "did you mean liver_lesion_count?"),
        ("device", "resin", "did you mean microsphere_type?"),
        ("tumour_to_normal_ratio", 3, "did you mean tn_ratio?"),
        ("previous_lung_dose_gy", 10, "did you mean prior_lung_dose_gy?"),
        ("perfused_mass_kg", 1, "did you mean target_liver_mass_kg?"),
        ("shoe_size", 42, "unknown fact: remove it"),
        ("cumulative_lung_dose_gy", 3, "unknown fact"),
    ],
)
def test_a_wrong_fact_is_refused_with_what_to_do(name, raw, says):
    with pytest.raises(BadCase, match=name) as refused:
        read_fact(name, raw)
    assert refused.value.field == f"facts.{name}"
    assert says in refused.value.message


def test_the_catalogue_tells_every_fact():
    assert len(FACTS) == 153 + 15, "153 clinical facts, and 15 parts that others are computed from"
    for name, fact in FACTS.items():
        assert fact.name == name
        assert re.split(r"\W", fact.if_missing)[0] in {"BLOCK", "ASK", "REQUIRED", "NONE"}
        assert fact.type_name
        assert isinstance(fact.allowed, str)
    assert not set(vars(Sums)) & set(FACTS)


def test_what_is_computed_asks_for_what_it_is_computed_from():
    assert {name: vars(Sums)[name].inputs for name, _, _ in SUMS} == {name: inputs for name, inputs, _ in SUMS}
    assert Sums.outdated_child_pugh_score.inputs == ("liver_function_age_days", "child_pugh_score_age_days")
    assert Sums.child_pugh_known.inputs == (), "it is never unknown"


@pytest.mark.parametrize(
    ("fact", "allowed", "asked"),
    [
        (Facts.histology, "PTC, FTC, HTC, DTC_NOS, PDTC, MTC, ATC", True),
        (Facts.liver_lesion_diameters_mm, "each > 0", False),
        (Facts.calcitonin_doubling_time_months, "> 0, or not_rising", True),
        (Facts.informed_consent, "true, false", True),
        (Facts.ecog_ps, ">= 0 and <= 5", False),
        (Facts.liver_symptoms, "diarrhoea, abdominal_pain, hyperthyroidism, flushing, itching, other", False),
        (Facts.ret_mutation, "one line of at most 200 characters", False),
    ],
)
def test_a_fact_prints_what_is_allowed(fact, allowed, asked):
    assert (fact.allowed, fact.is_asked) == (allowed, asked)


# The clinical catalogue of facts, column "allowed"; a mass, a volume to divide by and a diameter are never 0.
RANGES = {
    ("number", ">= 0 and <= 120"): "age_years",
    ("number", ">= 0 and <= 100"): "liver_tumour_burden_percent",
    ("number", ">= 0 and <= 1"): "lung_shunt_fraction",
    ("number", ">= 0.4 and <= 2.5"): "height_m",
    ("number", ">= 2 and <= 400"): "weight_kg",
    ("number", "> 0 and <= 20"): "inr",
    ("number", ">= -100"): "symptom_intensity_change_percent calcitonin_change_percent",
    ("number", "> 0, or not_rising"): "calcitonin_doubling_time_months",
    ("number", ">= 0"):
        "life_expectancy_months bilirubin_total_umol_l albumin_g_l planned_ablation_margin_mm "
        "achieved_ablation_margin_mm tki_interruption_total_days rai_cumulative_activity_mci n1_largest_mm "
        "predicted_lung_dose_gy prior_lung_dose_gy tumour_volume_ml tumour_mass_kg recist_sum_current_mm "
        "recist_sum_nadir_mm viable_sum_current_mm tare_ae_weeks calcitonin_pg_ml cea_ng_ml tg_unstimulated_ng_ml "
        "egfr_ml_min_1_73m2",
    ("number", "> 0"):
        "liver_lesion_largest_diameter_mm rai_planned_activity_mci primary_tumour_diameter_mm lung_mass_kg "
        "maa_activity_mbq tn_ratio liver_volume_total_ml normal_liver_mass_kg target_liver_mass_kg target_mean_dose_gy "
        "prescribed_activity_gbq recist_sum_baseline_mm viable_sum_baseline_mm lung_lesion_largest_diameter_mm "
        "creatinine_umol_l",
    ("whole number", ">= 0 and <= 5"): "ecog_ps ctcae_grade_max",
    ("whole number", ">= 5 and <= 15"): "child_pugh_score",
    ("whole number", ">= 0 and <= 999"): "liver_lesion_count",
    ("whole number", ">= 1 and <= 999"): "liver_lesions_planned_count",
    ("whole number", ">= 0 and <= 4"): "encephalopathy_grade",
    ("whole number", ">= 1 and <= 3"): "albi_grade",
    ("whole number", ">= 0"):
        "liver_imaging_age_days prior_lrt_count extrahepatic_site_count vascular_invasion_foci_count "
        "pathologic_n1_count maa_workup_age_days days_since_lrt lung_lesion_count lung_prior_ablation_count "
        "bone_lesion_count liver_function_age_days child_pugh_score_age_days progressing_lesion_count",
}  # fmt: skip
# Its column "if missing": what an answer does not ask for, and the sets that are empty until somebody says otherwise.
NOT_ASKED = (
    "ret_mutation centre_modalities_available treatment_intent ecog_ps liver_lesion_diameters_mm "
    "liver_lesions_planned_count liver_lesion_peripheral liver_lesion_dominant_growing high_risk_local_complication "
    "liver_imaging_after_today tace_contraindicated ablation_contraindicated extrahepatic_site_count "
    "tki_interruption_total_days ssa_receptor_imaging_positive braf_v600e maa_activity_mbq "
    "symptom_intensity_change_percent bone_only_disease bone_ablation_hazardous_anatomy sex inr encephalopathy_grade "
    "liver_function_age_days child_pugh_score_age_days creatinine_umol_l child_pugh_class albi_grade "
    "egfr_ml_min_1_73m2 liver_segments_involved progressing_lesion_count progressing_sites rai_administrations_mci "
    "rai_refractory_criteria"
)
ASSUMED_NONE = {"patient_declined_modalities", "prior_lrt_modalities", "liver_symptoms"}


def test_every_number_has_the_range_of_the_clinical_catalogue():
    expected = {name: range_ for range_, names in RANGES.items() for name in names.split()}
    found = {name: (fact.type_name, fact.allowed) for name, fact in FACTS.items() if isinstance(fact, Number)}
    assert found == expected


def test_what_is_asked_for_is_what_the_clinical_catalogue_asks_for():
    assert {name for name, fact in FACTS.items() if not fact.is_asked} == {*NOT_ASKED.split(), *ASSUMED_NONE}
    assert {name for name, fact in FACTS.items() if fact.is_assumed_none} == ASSUMED_NONE
    required = {name for name, fact in FACTS.items() if fact.if_missing.startswith("REQUIRED")}
    assert required == {
        "mdt_review_done", "informed_consent", "prior_history_and_images_reviewed", "tki_interruption_planned",
        "catheter_position_matches_maa", "post_treatment_imaging_modality",
    }  # fmt: skip
