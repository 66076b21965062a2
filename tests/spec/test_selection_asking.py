"""Which absent facts a case asks for: what could matter to this patient, and first what keeps the answer open."""

from datetime import date
from itertools import product

import pytest

from connector.core.evidence import Observed
from connector.core.selection import select
from connector.core.selection.needs import asked_anyway

MTC = {"histology": "MTC", "liver_lesion_count": 2, "liver_lobes_involved": "unilobar"}
NO_SURGERY = MTC | {"extrahepatic_disease_status": "none", "surgical_candidate": False, "resection_feasible": False}
PTC = MTC | {"histology": "PTC"}


def answer(facts):
    return select({name: Observed(value, "case") for name, value in facts.items()}, date(2026, 1, 31))


@pytest.mark.parametrize(
    ("facts", "name", "asked", "why"),
    [
        (MTC, "main_pvt_targeting_poor", False, "no thrombosis is known"),
        (MTC | {"portal_vein_thrombosis": "none"}, "main_pvt_targeting_poor", False, "there is none"),
        (MTC | {"portal_vein_thrombosis": "main"}, "main_pvt_targeting_poor", True, "of the main vein"),
        (MTC, "achieved_ablation_margin_mm", False, "nothing was ablated"),
        (MTC | {"last_lrt_modality": "TACE"}, "achieved_ablation_margin_mm", False, "not by ablation"),
        (MTC | {"last_lrt_modality": "RFA"}, "achieved_ablation_margin_mm", True, "ablated last"),
        (MTC | {"last_lrt_modality": "MWA"}, "achieved_ablation_margin_mm", True, "by microwaves"),
        (MTC | {"last_lrt_modality": "cryoablation"}, "achieved_ablation_margin_mm", True, "by cold"),
        ({"histology": "ATC", "liver_lesion_count": 2}, "rai_refractory", False, "nor does anaplastic cancer"),
        (MTC | {"prior_lrt_modalities": ["MWA"]}, "achieved_ablation_margin_mm", True, "ablated once"),
        (MTC, "residual_viable_tumour", False, "nothing was treated"),
        (MTC | {"prior_lrt_count": 1}, "residual_viable_tumour", True, "treated once"),
        (MTC | {"prior_lrt_count": 0}, "residual_viable_tumour", False, "never treated"),
        (MTC, "rai_refractory", False, "medullary cancer takes up no iodine"),
        (PTC, "rai_refractory", True, "papillary cancer may"),
        ({"liver_lesion_count": 2}, "rai_refractory", True, "of an unknown histology it may matter"),
        (MTC, "breastfeeding", True, "before a radionuclide"),
        (MTC | {"pregnancy_status": "not_pregnant"}, "breastfeeding", True, "she may all the same"),
        (MTC | {"pregnancy_status": "not_applicable"}, "breastfeeding", False, "who cannot be pregnant does not"),
        (MTC | {"sex": "male"}, "breastfeeding", False, "a man does not"),
        (MTC, "men2_status", True, "the catalogue asks for it in medullary cancer"),
        (PTC, "men2_status", False, "MEN2 goes with medullary cancer"),
        (MTC, "calcitonin_pg_ml", True, "the marker of medullary cancer"),
        (PTC, "calcitonin_pg_ml", False, "not of papillary cancer"),
        (PTC, "tg_antibodies_positive", True, "thyroglobulin means nothing without them"),
        (MTC, "tg_antibodies_positive", False, "medullary cancer makes no thyroglobulin"),
        (MTC, "albumin_g_l", True, "the liver is involved"),
        (MTC | {"liver_lesion_count": 3, "resection_feasible": False}, "surgical_candidate", True, "limited disease"),
        (MTC | {"liver_lesion_count": 4, "resection_feasible": False}, "surgical_candidate", False, "not limited"),
        (MTC | {"liver_lesion_count": 1}, "albumin_g_l", True, "one lesion is enough"),
        ({"histology": "MTC", "liver_lesion_count": 0}, "albumin_g_l", False, "the liver is not involved"),
        (MTC, "jaundice", False, "nothing was radioembolised"),
        (MTC | {"last_lrt_modality": "TARE"}, "jaundice", True, "it may tell of the liver disease that follows"),
        ({"radiological_progression": True}, "marker_trend", True, "is it followed by the markers"),
        ({"radiological_progression": False}, "marker_trend", True, "or do they rise without it"),
        ({"marker_trend": "rising"}, "radiological_progression", True, "the other half of the comparison"),
        ({"marker_trend": "stable"}, "radiological_progression", True, "the other half of the comparison"),
        ({"marker_trend": "falling"}, "radiological_progression", True, "the other half of the comparison"),
        (MTC, "marker_trend", False, "there is nothing yet to compare it with"),
        ({"recist_sum_baseline_mm": 100}, "recist_sum_current_mm", True, "compared with what"),
        ({"recist_sum_current_mm": 0}, "recist_sum_baseline_mm", True, "compared with what"),
        ({"recist_sum_current_mm": 80}, "recist_sum_nadir_mm", True, "progression is from the smallest sum"),
        ({"recist_sum_nadir_mm": 0}, "recist_sum_current_mm", True, "compared with what"),
        ({"recist_sum_current_mm": 80}, "new_lesions", True, "one would be progression"),
        (MTC, "new_lesions", False, "nothing was measured twice"),
        ({"viable_sum_baseline_mm": 10}, "viable_sum_current_mm", True, "compared with what"),
        ({"viable_sum_current_mm": 0}, "viable_sum_baseline_mm", True, "compared with what"),
        (MTC, "viable_sum_current_mm", False, "nothing was measured"),
        (
            {"jaundice": True, "ascites_grade": "massive"},
            "tare_ae_weeks",
            True,
            "the disease comes 2 to 4 months after",
        ),
        ({"jaundice": True, "ascites_grade": "massive"}, "biliary_obstruction", True, "must be excluded first"),
        ({"jaundice": True, "ascites_grade": "massive"}, "radiological_progression", True, "must be excluded first"),
        ({"jaundice": False, "ascites_grade": "massive"}, "tare_ae_weeks", False, "not both signs"),
        ({"jaundice": True, "ascites_grade": "mild"}, "tare_ae_weeks", False, "not massive"),
        (MTC | {"extrahepatic_disease_status": "none"}, "extrahepatic_sites", False, "there are none"),
        (MTC | {"extrahepatic_disease_status": "stable"}, "extrahepatic_sites", True, "which are they"),
        ({"histology": "FTC", "bone_lesion_count": 1}, "bone_lesion_near_nerve", True, "a bone lesion is there"),
        ({"histology": "FTC", "bone_lesion_count": 0}, "bone_lesion_near_nerve", False, "none is there"),
        ({"histology": "FTC", "lung_lesion_count": 1}, "lung_prior_ablation_count", True, "a lung lesion is there"),
    ],
)
def test_a_fact_is_asked_for_where_it_can_matter(facts, name, asked, why):
    assert (name in answer(facts).missing) is asked, why


@pytest.mark.parametrize(
    ("facts", "blocking", "why"),
    [
        ({}, ("liver_lesion_count",), "the first node of the pathway"),
        (NO_SURGERY | {"liver_lesion_near_bile_duct": False},
         ("liver_lesion_at_hilum",), "the node at which the pathway stops"),
        ({"bone_lesion_count": 1, "histology": "FTC", "coagulopathy_status": "none", "bone_lesion_lytic": True,
          "bone_fracture_status": "none"}, ("bone_lesion_mechanical_stress",), "what the options of the bone need"),
        (MTC | {"extrahepatic_disease_status": "none", "histology": "PTC", "liver_lesion_count": 6,
                "performance_status_class": "good", "liver_insufficiency_severe": False, "coagulopathy_status": "none",
                "renal_failure": False, "contrast_media_allergy": False}, ("liver_lesion_hypervascular",),
         "what the option needs to which the pathway leads"),
    ],
)  # fmt: skip
def test_what_keeps_the_answer_open_comes_first(facts, blocking, why):
    found = answer(facts)
    assert found.status == "cannot_decide"
    assert set(blocking) <= set(found.blocking), why
    assert set(found.blocking) <= set(found.missing)


def test_a_decided_case_is_blocked_by_nothing():
    assert (
        answer(
            {"liver_lesion_count": 4, "liver_lobes_involved": "unilobar", "extrahepatic_disease_status": "none"}
        ).blocking
        == ()
    )


THYROGLOBULIN = {"tg_unstimulated_ng_ml", "tg_trend", "tg_antibodies_positive"}
LIVER = {
    "bilirubin_total_umol_l", "albumin_g_l", "cirrhosis", "bilioenteric_anastomosis", "prior_chemotherapy",
    "prior_ebrt_target",
}  # fmt: skip
AFTER_TARE = {"ascites_grade", "jaundice", "biliary_obstruction"}


@pytest.mark.parametrize(
    ("values", "expected", "why"),
    [
        ({}, set(), "nothing is known to ask about"),
        ({"histology": "MTC"}, {"men2_status", "calcitonin_pg_ml", "calcitonin_doubling_time_months", "cea_ng_ml",
                                "cea_trend"}, "medullary carcinoma"),
        *(({"histology": one}, THYROGLOBULIN, "differentiated carcinoma") for one in ("PTC", "FTC", "HTC", "DTC_NOS")),
        ({"histology": "PDTC"}, set(), "no marker is named for it"),
        ({"liver_lesion_count": 0}, set(), "the liver is free"),
        ({"liver_lesion_count": 1}, LIVER, "liver involved, lobes not known"),
        ({"liver_lesion_count": 3, "liver_lobes_involved": "unilobar"},
         LIVER | {"surgical_candidate", "resection_feasible"}, "limited disease: can it be operated"),
        ({"liver_lesion_count": 3, "liver_lobes_involved": "bilobar"}, LIVER, "diffuse by the lobes"),
        ({"liver_lesion_count": 4, "liver_lobes_involved": "unilobar"}, LIVER, "more than the limited branch"),
        ({"liver_lobes_involved": "unilobar"}, set(), "how many is not known"),
        ({"last_lrt_modality": "TARE"}, AFTER_TARE, "radioembolised last"),
        ({"prior_lrt_modalities": frozenset({"TARE"})}, AFTER_TARE, "radioembolised once"),
        ({"last_lrt_modality": "TACE"}, set(), "not radioembolised"),
        ({"extrahepatic_disease_status": "stable"}, {"extrahepatic_sites"}, "where is it"),
        ({"extrahepatic_disease_status": "progressive"}, {"extrahepatic_sites"}, "where is it"),
        ({"lung_lesion_count": 1}, {"lung_lesion_near_phrenic_or_mediastinum", "lung_prior_ablation_count"}, "lung"),
        ({"bone_lesion_count": 1}, {"bone_lesion_painful", "bone_lesion_near_nerve", "bone_lesion_hypervascular"},
         "bone"),
    ],
)  # fmt: skip
def test_what_the_catalogue_marks_to_be_asked_is_asked_of_such_a_patient(values, expected, why):
    assert asked_anyway(values) == expected, why


NO_LIVER_TREATMENT = {
    "patient_declined_modalities": ["RFA", "MWA", "laser", "cryoablation", "PEI", "TACE", "TAE", "TARE",
                                    "ablation_plus_TACE", "surgery"],
    "liver_lesion_at_hilum": False,  # so that the liver is in question, and how many lesions it holds is not known
    "coagulopathy_status": "none",
}  # fmt: skip
LUNG = {
    "lung_lesion_count": 2, "lung_lesion_largest_diameter_mm": 20, "lung_pattern": "macronodular",
    "disease_tempo": "slow",
}  # fmt: skip
BONE = {"bone_lesion_count": 1, "bone_lesion_hypervascular": True}
STABLE, PROGRESSIVE = ({"extrahepatic_disease_status": one} for one in ("stable", "progressive"))
LUNG_CASE = NO_LIVER_TREATMENT | LUNG | {"histology": "PTC"}


@pytest.mark.parametrize(
    ("facts", "blocked", "why"),
    [
        (LUNG_CASE | STABLE, False, "whatever the number, no treatment of the liver is left and lung RFA stays first"),
        (NO_LIVER_TREATMENT | BONE | STABLE | {"histology": "FTC"}, False, "the same beside bones"),
        (LUNG_CASE | PROGRESSIVE, True, "with lesions the pathway leads to systemic therapy"),
        (LUNG_CASE, True, "disease elsewhere may progress, which leads to systemic therapy"),
        (LUNG_CASE | STABLE | {"rai_refractory": True}, True, "where the figure has no branch, no drug leads"),
        (LUNG_CASE | STABLE | {"patient_declined_modalities": NO_LIVER_TREATMENT["patient_declined_modalities"][1:]},
         True, "one treatment of the liver is left"),
        ({name: value for name, value in (LUNG_CASE | STABLE).items() if name != "lung_pattern"}, True,
         "with a free liver the lungs decide, and there a fact is missing"),
        (NO_LIVER_TREATMENT | LUNG | PROGRESSIVE, True, "without a histology nothing can be decided at any number"),
    ],
)  # fmt: skip
def test_the_number_of_liver_lesions_stops_the_answer_only_where_it_could_change_it(facts, blocked, why):
    found = answer(facts)
    assert (found.blocking == ("liver_lesion_count",)) is blocked, why
    assert (found.status == "cannot_decide") is blocked, why


@pytest.mark.parametrize(
    ("contradicting", "why"),
    [
        ({"liver_insufficiency_severe": True, "child_pugh_score": 5, "coagulopathy_status": "none",
          "patient_declined_modalities": ["surgery"]},
         "what excludes the treatments of the liver is itself in doubt"),
        (LUNG_CASE | {"ecog_ps": 4, "performance_status_class": "good"},
         "that nothing leads now says nothing of what leads once it is solved"),
    ],
)  # fmt: skip
def test_facts_in_contradiction_still_ask_what_stops_the_pathway(contradicting, why):
    found = answer({"liver_lesion_at_hilum": False, "histology": "PTC"} | LUNG | STABLE | contradicting)
    assert found.status == "contradictory_data"
    assert found.missing[0] == "liver_lesion_count", why


def _first(facts):
    """The preferred treatments; that the board decides about what cannot be treated is none."""
    return {option.modality for option in answer(facts).options if option.rank == 1} - {"board_only"}


@pytest.mark.parametrize("site", [LUNG, BONE], ids=["lung", "bone"])
@pytest.mark.parametrize("more", [{"histology": "PTC"}, {"histology": "FTC", "rai_avid": True}, {"histology": "MTC"}])
def test_a_question_that_does_not_stop_the_answer_would_have_changed_nothing(site, more):
    facts = NO_LIVER_TREATMENT | site | STABLE | more | {"pheochromocytoma_status": "excluded"}
    assert answer(facts).status == "recommend"
    tried = 0
    for count, lobes, status, insufficient in product(
        range(7), ("unilobar", "bilobar"), ("good", "poor"), (True, False)
    ):
        liver = {"liver_lesion_count": count} | ({"liver_lobes_involved": lobes} if count else {})
        known = {"performance_status_class": status, "liver_insufficiency_severe": insufficient}
        case = facts | liver | known
        if answer(case).status != "contradictory_data":  # one lesion in both lobes
            assert _first(case) == _first(facts), (count, lobes, status, insufficient)
            tried += 1
    assert tried > 40
