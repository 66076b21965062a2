"""Which options an absent fact blocks, option by option, as the catalogue says (BLOCK), and that nothing leads then."""

import json
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from connector.core.catalogue import read_fact
from connector.core.evidence import Observed
from connector.core.selection import select
from connector.core.selection.needs import CALCULATION, ELIGIBILITY, PRESCRIPTION, lacking

PUBLISHED = Path(__file__).parents[1] / "published" / "vignettes.json"
VIGNETTES = {case["id"]: case["facts"] for case in json.loads(PUBLISHED.read_text(), parse_float=Decimal)["vignettes"]}
DIFFUSE, LIMITED = VIGNETTES["VIG-030"], VIGNETTES["VIG-017"]
POOR = {**DIFFUSE, "performance_status_class": "poor", "tace_contraindicated": True}
OPERABLE = {**LIMITED, "surgical_candidate": True, "resection_feasible": True}
ABLATION = {"RFA", "MWA", "laser", "cryoablation", "PEI"}
LIVER = ABLATION | {"TACE", "TAE", "TARE", "ablation_plus_TACE"}
BONE = {"cementoplasty", "osteosynthesis", "bone_embolisation", "bone_ablation"}
LOCAL = LIVER | BONE | {"lung_RFA"}
ALL = LOCAL | {"surgery", "systemic_therapy", "RAI", "EBRT"}
ABLATIVE = ABLATION | {"ablation_plus_TACE"}
ARTERIAL = {"TACE", "TAE", "TARE", "ablation_plus_TACE"}
# Nothing is known: what is blocked whatever else holds.
BLOCKED = {
    "histology": ALL,
    "coagulopathy_status": LOCAL | {"surgery"},
    "pregnancy_status": {"TARE", "RAI"},
    "liver_lesion_count": LIVER | {"surgery"},
    "extrahepatic_disease_status": LIVER,
    "liver_insufficiency_severe": LIVER,
    "performance_status_class": ABLATIVE | {"TACE", "TARE"},
    "resection_feasible": {"surgery"},
    "liver_lesion_largest_diameter_mm": ABLATIVE,
    "liver_lesion_at_hilum": ABLATIVE,
    "liver_lesion_near_bile_duct": ABLATIVE,
    "liver_lesion_near_critical_structure": ABLATIVE,
    "liver_lesion_hypervascular": {"TACE", "TAE", "ablation_plus_TACE"},
    "renal_failure": ARTERIAL,
    "contrast_media_allergy": ARTERIAL,
    "life_expectancy_months": {"TARE"},
    "clinical_liver_failure": {"TARE"},
    "child_pugh_score": {"TARE"},
    "portal_vein_thrombosis": {"TARE"},
    "liver_tumour_burden_percent": {"TARE"},
    "liver_imaging_age_days": {"TARE"},
    "rai_refractory": {"RAI"},
    "rai_avid": {"RAI"},
    "rai_cumulative_activity_mci": {"RAI"},
    "rai_planned_activity_mci": {"RAI"},
    "lung_lesion_count": {"lung_RFA"},
    "lung_lesion_largest_diameter_mm": {"lung_RFA"},
    "lung_pattern": {"lung_RFA"},
    "disease_tempo": {"lung_RFA"},
    "bone_lesion_count": BONE,
    "bone_lesion_lytic": {"cementoplasty"},
    "bone_lesion_mechanical_stress": {"bone_ablation"},
    "bone_fracture_status": {"cementoplasty", "osteosynthesis"},
}


def blocked_by_fact(needs, values):
    found = {}
    for option, facts in lacking(needs, values).items():
        for fact in facts:
            found.setdefault(fact, set()).add(option)
    return found


def test_each_absent_fact_blocks_the_options_that_the_catalogue_names():
    assert blocked_by_fact(ELIGIBILITY, {}) == BLOCKED


@pytest.mark.parametrize("fact", BLOCKED)
def test_a_fact_that_is_there_blocks_nothing(fact):
    assert fact not in blocked_by_fact(ELIGIBILITY, {fact: "known"})


@pytest.mark.parametrize(
    ("values", "fact", "options", "why"),
    [
        ({"histology": "MTC"}, "pheochromocytoma_status", LOCAL, "medullary carcinoma may go with MEN2"),
        ({"histology": "PTC"}, "pheochromocytoma_status", None, "papillary does not"),
        ({"men2_status": "men2a"}, "pheochromocytoma_status", LOCAL, "MEN2A, whatever the histology"),
        ({"men2_status": "men2b"}, "pheochromocytoma_status", LOCAL, "MEN2B too"),
        ({"men2_status": "sporadic"}, "pheochromocytoma_status", None, "no syndrome"),
        ({"men2_status": "familial_mtc"}, "pheochromocytoma_status", None, "the catalogue names MEN2A and MEN2B"),
        ({"resection_feasible": True}, "surgical_candidate", {"surgery"}, "resectable: is she a candidate"),
        ({"resection_feasible": False}, "surgical_candidate", None, "nothing to operate"),
        ({"resection_feasible": False}, "liver_lobes_involved", {"surgery"}, "which of the two refusals it is"),
        ({"resection_feasible": True}, "liver_lobes_involved", None, "no refusal"),
        ({"prior_lrt_modalities": frozenset({"TARE"})}, "prior_lung_dose_gy", {"TARE"}, "irradiated before"),
        ({"prior_lrt_modalities": frozenset({"TACE"})}, "prior_lung_dose_gy", None, "not irradiated"),
        ({"bone_fracture_status": "none"}, "bone_lesion_mechanical_stress", {"cementoplasty", "bone_ablation"},
         "without a fracture cement is for bones under stress"),
        ({"bone_fracture_status": "impending"}, "bone_lesion_mechanical_stress", {"bone_ablation"}, "enough"),
        ({"liver_function_age_days": 31}, "child_pugh_score", {"TARE", "TACE", "TAE", "ablation_plus_TACE"},
         "what old parts may have closed stays closed"),
        ({"liver_function_age_days": 30}, "child_pugh_score", {"TARE"}, "fresh enough"),
        ({"child_pugh_score_age_days": 31}, "child_pugh_score", {"TARE", "TACE", "TAE", "ablation_plus_TACE"},
         "so does what an old score may have closed"),
        ({"child_pugh_score_age_days": 30}, "child_pugh_score", {"TARE"}, "fresh enough"),
        ({"outdated_child_pugh_score": 10}, "child_pugh_score",
         {"TARE", "RFA", "MWA", "laser", "cryoablation", "PEI", "surgery"}, "class C closes ablation, flags surgery"),
        ({"outdated_child_pugh_score": 9}, "child_pugh_score", {"TARE"}, "class B does not"),
    ],
)  # fmt: skip
def test_some_facts_block_only_some_patients(values, fact, options, why):
    assert blocked_by_fact(ELIGIBILITY, values).get(fact) == options, why


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, set()),
        ({"prescribed_activity_gbq": 2}, {"lung_shunt_fraction", "lung_mass_kg", "extrahepatic_deposition_on_maa"}),
        ({"prescribed_activity_gbq": 2, "predicted_lung_dose_gy": 10},
         {"lung_shunt_fraction", "extrahepatic_deposition_on_maa"}),
    ],
)  # fmt: skip
def test_a_prescription_lacks_the_dose_to_the_lungs_and_where_else_activity_goes(values, expected):
    assert blocked_by_fact(PRESCRIPTION, values) == {fact: {"TARE"} for fact in expected}


@pytest.mark.parametrize(
    ("method", "expected"),
    [
        ("empiric", {"liver_tumour_burden_percent"}),
        ("bsa", {"height_m", "weight_kg", "tumour_volume_ml", "liver_volume_total_ml"}),
        ("mird_single", {"target_mean_dose_gy", "target_liver_mass_kg", "lung_shunt_fraction"}),
        ("partition", {"target_mean_dose_gy", "tn_ratio", "tumour_mass_kg", "normal_liver_mass_kg",
                       "lung_shunt_fraction"}),
    ],
)  # fmt: skip
def test_a_method_lacks_everything_in_its_formula(method, expected):
    found = blocked_by_fact(CALCULATION, {"activity_method": method})
    assert found == {fact: {"TARE"} for fact in expected | {"microsphere_type"}}
    assert blocked_by_fact(CALCULATION, {}) == {}


# facts.md: without one of these the options that need it answer "cannot decide", so nothing of the liver may lead.
BLOCKING = [
    *((DIFFUSE, name) for name in ("histology", "pheochromocytoma_status", "performance_status_class",
                                   "liver_insufficiency_severe", "coagulopathy_status", "renal_failure",
                                   "contrast_media_allergy", "liver_lesion_count", "liver_lesion_hypervascular",
                                   "extrahepatic_disease_status")),
    *((LIMITED, name) for name in ("histology", "pheochromocytoma_status", "performance_status_class",
                                   "liver_insufficiency_severe", "coagulopathy_status", "liver_lesion_count",
                                   "liver_lesion_largest_diameter_mm", "liver_lobes_involved", "liver_lesion_at_hilum",
                                   "liver_lesion_near_bile_duct", "liver_lesion_near_critical_structure",
                                   "extrahepatic_disease_status", "surgical_candidate", "resection_feasible")),
    *((OPERABLE, name) for name in ("surgical_candidate", "resection_feasible", "coagulopathy_status")),
    *((POOR, name) for name in ("pregnancy_status", "life_expectancy_months", "clinical_liver_failure",
                                "child_pugh_score", "portal_vein_thrombosis", "liver_tumour_burden_percent",
                                "liver_imaging_age_days", "renal_failure", "contrast_media_allergy")),
]  # fmt: skip


@pytest.mark.parametrize(("base", "name"), BLOCKING, ids=[row[1] for row in BLOCKING])
def test_an_unknown_blocking_fact_is_named_and_nothing_leads(base, name):
    known = {fact: Observed(read_fact(fact, raw), "case") for fact, raw in base.items() if fact != name}
    found = select(known, date(2026, 1, 31))
    assert found.status == "cannot_decide"
    assert name in found.missing
    assert name in found.blocking
    assert not [option for option in found.options if option.rank == 1]
