"""Facts computed from others, and what happens when a given value does not follow."""

from decimal import Decimal

import pytest

from connector.core.selection import contradictions, liver_function
from connector.core.selection.derived import complete

D = Decimal
# Pugh 1973: 3 points each but for encephalopathy, so 13.
CLASS_C = {
    "bilirubin_total_umol_l": D(60), "albumin_g_l": D(25), "inr": D("2.4"), "ascites_grade": "moderate",
    "encephalopathy_grade": 0,
}  # fmt: skip


@pytest.mark.parametrize(
    ("given", "name", "expected", "why"),
    [
        ({"liver_segments_involved": frozenset({"II", "V"})}, "liver_lobes_involved", "bilobar", "both sides"),
        *(
            ({"liver_segments_involved": frozenset({left, right})}, "liver_lobes_involved", "bilobar", "Couinaud")
            for left in ("II", "III", "IVa", "IVb")
            for right in ("V", "VI", "VII", "VIII")
        ),
        *(
            ({"liver_segments_involved": frozenset(side)}, "liver_lobes_involved", "unilobar", "a whole side, Couinaud")
            for side in (("I", "II", "III", "IVa", "IVb"), ("I", "V", "VI", "VII", "VIII"))
        ),
        ({"liver_segments_involved": frozenset({"II", "I"})}, "liver_lobes_involved", "unilobar", "left and caudate"),
        ({"liver_segments_involved": frozenset({"VIII"})}, "liver_lobes_involved", "unilobar", "right"),
        ({"liver_segments_involved": frozenset({"I"})}, "liver_lobes_involved", None, "the caudate is on neither side"),
        ({"liver_lesion_diameters_mm": (D(12), D(31))}, "liver_lesion_count", 2, "one diameter each"),
        ({"liver_lesion_diameters_mm": (D(12), D(31))}, "liver_lesion_largest_diameter_mm", D(31), "the largest"),
        ({"liver_lesion_diameters_mm": ()}, "liver_lesion_largest_diameter_mm", None, "none to be the largest"),
        ({"tumour_volume_ml": D(300), "liver_volume_total_ml": D(1500)}, "liver_tumour_burden_percent", D(20), "20 %"),
        ({"tumour_volume_ml": D(300), "liver_volume_total_ml": D(300)}, "liver_tumour_burden_percent", D(100), "all"),
        ({"tumour_volume_ml": D("300.1"), "liver_volume_total_ml": D(300)}, "liver_tumour_burden_percent", None, "no"),
        ({"tumour_volume_ml": D(300), "liver_volume_total_ml": D(200)}, "liver_tumour_burden_percent", None, "no fit"),
        ({"extrahepatic_sites": frozenset({"bone", "lung"})}, "extrahepatic_site_count", 2, "two sites"),
        ({"child_pugh_score": 6}, "child_pugh_class", "A", "class A to 6"),
        ({"child_pugh_score": 7}, "child_pugh_class", "B", "class B from 7"),
        ({"child_pugh_score": 9}, "child_pugh_class", "B", "class B to 9"),
        ({"child_pugh_score": 10}, "child_pugh_class", "C", "class C from 10"),
        ({"child_pugh_score": 10}, "liver_insufficiency_severe", True, "class C is severe"),
        ({"child_pugh_score": 9}, "liver_insufficiency_severe", None, "a lower class does not say enough"),
        ({"child_pugh_class": "C"}, "liver_insufficiency_severe", True, "a class without its points is enough"),
        ({"child_pugh_class": "B"}, "liver_insufficiency_severe", None, "class B does not say enough"),
        ({**CLASS_C, "liver_function_age_days": 31, "child_pugh_score_age_days": 31}, "outdated_child_pugh_score", 13,
         "what the old parts came to"),
        ({**CLASS_C, "liver_function_age_days": 30}, "outdated_child_pugh_score", None, "they are not too old"),
        ({**CLASS_C, "liver_function_age_days": 31, "child_pugh_score": 14, "child_pugh_score_age_days": 31},
         "outdated_child_pugh_score", 14, "the higher of both"),
        ({"bilirubin_total_umol_l": D(10), "albumin_g_l": D(42)}, "albi_grade", 1, "-2.91"),
        ({"bilirubin_total_umol_l": D(30), "albumin_g_l": D(32)}, "albi_grade", 2, "-1.75"),
        ({"bilirubin_total_umol_l": D(100), "albumin_g_l": D(25)}, "albi_grade", 3, "-0.81"),
        ({"bilirubin_total_umol_l": D(1), "albumin_g_l": D(42)}, "albi_grade", 1, "-3.57: 1 has the logarithm 0"),
        ({"bilirubin_total_umol_l": D(0), "albumin_g_l": D(42)}, "albi_grade", None, "zero has no logarithm"),
        ({"progressing_lesion_count": 0, "progressing_sites": frozenset()}, "progression_pattern", "none", "no growth"),
        ({"progressing_lesion_count": 1, "progressing_sites": frozenset({"bone"})}, "progression_pattern",
         "single_lesion", "one lesion"),
        ({"progressing_lesion_count": 3, "progressing_sites": frozenset({"liver"})}, "progression_pattern",
         "oligo_single_organ", "one organ"),
        ({"progressing_lesion_count": 3, "progressing_sites": frozenset({"liver", "bone"})}, "progression_pattern",
         "multi_organ", "two organs"),
        ({"progressing_lesion_count": 1, "progressing_sites": frozenset({"liver", "bone"})}, "progression_pattern",
         None, "fewer lesions than organs"),
        ({"progressing_lesion_count": 2, "progressing_sites": frozenset()}, "progression_pattern", None, "no organ"),
        ({"systemic_therapy_current": "lenvatinib"}, "systemic_therapy_anti_vegf", True, "blocks VEGF receptors"),
        *(
            ({"systemic_therapy_current": drug}, "systemic_therapy_anti_vegf", True, "blocks VEGF receptors too")
            for drug in ("vandetanib", "cabozantinib", "sorafenib")
        ),
        ({"systemic_therapy_current": "selective_ret"}, "systemic_therapy_anti_vegf", None, "no source says"),
        ({"systemic_therapy_current": "none"}, "systemic_therapy_anti_vegf", False, "nothing given"),
        ({"systemic_therapy_current": "other"}, "systemic_therapy_anti_vegf", None, "not known"),
        ({"rai_refractory_criteria": frozenset({"never_avid"})}, "rai_refractory", True, "one criterion is enough"),
        ({"rai_refractory_criteria": frozenset()}, "rai_refractory", False, "none was met"),
        ({"rai_administrations_mci": (D(100), D(150))}, "rai_cumulative_activity_mci", D(250), "all added"),
        ({"prescribed_activity_gbq": D(2), "lung_shunt_fraction": D("0.1"), "lung_mass_kg": D("0.8")},
         "predicted_lung_dose_gy", D("12.4175"), "2 x 0.1 x 49.67 / 0.8"),
        ({"histology": "PTC", "tg_trend": "rising"}, "marker_trend", "rising", "thyroglobulin in DTC"),
        ({"histology": "MTC", "tg_trend": "rising"}, "marker_trend", None, "thyroglobulin says nothing in MTC"),
        ({"histology": "MTC", "calcitonin_doubling_time_months": D(9)}, "marker_trend", "rising", "it doubles"),
        ({"histology": "MTC", "calcitonin_doubling_time_months": D("Infinity")}, "marker_trend", None,
         "stable or falling"),
        ({"creatinine_umol_l": D("88.4"), "age_years": 50, "sex": "female"}, "egfr_ml_min_1_73m2", D(69),
         "1.0 mg/dL in a woman of 50, CKD-EPI 2021"),
        ({"creatinine_umol_l": D("88.4"), "age_years": 50, "sex": "male"}, "egfr_ml_min_1_73m2", D(92),
         "1.0 mg/dL in a man of 50, CKD-EPI 2021"),
        ({"creatinine_umol_l": D("53.04"), "age_years": 50, "sex": "male"}, "egfr_ml_min_1_73m2", D(118),
         "0.6 mg/dL in a man of 50: below the reference the curve is flat"),
        ({"creatinine_umol_l": D("53.04"), "age_years": 50, "sex": "female"}, "egfr_ml_min_1_73m2", D(109),
         "0.6 mg/dL in a woman of 50: 142 x 1.012 x (0.6 / 0.7)^-0.241 x 0.9938^50"),
        ({"creatinine_umol_l": D("88.4"), "age_years": 18, "sex": "male"}, "egfr_ml_min_1_73m2", D(112), "an adult"),
        ({"creatinine_umol_l": D("88.4"), "age_years": D("17.9"), "sex": "male"}, "egfr_ml_min_1_73m2", None,
         "the equation is for adults"),
    ],
)  # fmt: skip
def test_a_fact_follows_from_others(given, name, expected, why):
    assert complete(given).values.get(name) == expected, why
    assert not complete(given).mismatches


@pytest.mark.parametrize(
    ("bilirubin", "albumin", "inr", "ascites", "encephalopathy", "points", "why"),
    [
        (33, 36, "1.69", "none", 0, 5, "everything in the first column"),
        (34, 36, "1.69", "none", 0, 6, "bilirubin at 34"),
        (51, 36, "1.69", "none", 0, 6, "bilirubin at 51"),
        (52, 36, "1.69", "none", 0, 7, "bilirubin past 51"),
        (33, 35, "1.69", "none", 0, 6, "albumin at 35"),
        (33, 28, "1.69", "none", 0, 6, "albumin at 28"),
        (33, 27, "1.69", "none", 0, 7, "albumin below 28"),
        (33, 36, "1.7", "none", 0, 6, "INR at 1.7"),
        (33, 36, "2.3", "none", 0, 6, "INR at 2.3"),
        (33, 36, "2.31", "none", 0, 7, "INR past 2.3"),
        (33, 36, "1.69", "mild", 0, 6, "mild ascites"),
        (33, 36, "1.69", "moderate", 0, 7, "moderate ascites"),
        (33, 36, "1.69", "none", 1, 6, "encephalopathy grade 1"),
        (33, 36, "1.69", "none", 2, 6, "encephalopathy grade 2"),
        (33, 36, "1.69", "none", 3, 7, "encephalopathy grade 3"),
        (52, 27, "2.31", "massive", 4, 15, "everything in the last column"),
    ],
)
def test_child_pugh_adds_its_five_parts(bilirubin, albumin, inr, ascites, encephalopathy, points, why):
    given = {
        "bilirubin_total_umol_l": D(bilirubin), "albumin_g_l": D(albumin), "inr": D(inr), "ascites_grade": ascites,
        "encephalopathy_grade": encephalopathy,
    }  # fmt: skip
    assert complete(given).values["child_pugh_score"] == points, why


@pytest.mark.parametrize(
    ("score_of", "grade"),
    [((D(10), D("38.3530")), 1), ((D(10), D("38.3520")), 2), ((D(10), D("24.1177")), 2), ((D(10), D("24.1170")), 3)],
)
def test_albi_grades_change_just_past_their_limits(score_of, grade):
    bilirubin, albumin = score_of
    assert liver_function.albi_grade(bilirubin_umol_l=bilirubin, albumin_g_l=albumin) == grade


@pytest.mark.parametrize(
    ("given", "contradicting", "why"),
    [
        ({"liver_lesion_count": 2, "liver_lesion_diameters_mm": (D(1), D(2), D(3))},
         {"liver_lesion_count", "liver_lesion_diameters_mm"}, "three diameters, two lesions"),
        ({"liver_lesion_largest_diameter_mm": D(4), "liver_lesion_diameters_mm": (D(1), D(3))},
         {"liver_lesion_largest_diameter_mm", "liver_lesion_diameters_mm"}, "the largest is another"),
        ({"ecog_ps": 3, "performance_status_class": "good"}, {"ecog_ps", "performance_status_class"}, "ECOG 3"),
        ({"ecog_ps": 2, "performance_status_class": "good"}, set(), "no source gives a cut-off at 2"),
        ({"ecog_ps": 0, "performance_status_class": "poor"}, {"ecog_ps", "performance_status_class"}, "ECOG 0"),
        ({"ecog_ps": 1, "performance_status_class": "poor"}, set(), "ECOG 1 may be poor to a clinician"),
        ({"liver_lesion_count": 1, "liver_lobes_involved": "bilobar"}, {"liver_lesion_count", "liver_lobes_involved"},
         "one lesion in two lobes"),
        ({"child_pugh_score": 6, "clinical_liver_failure": True}, {"child_pugh_score", "clinical_liver_failure"}, "A6"),
        ({"child_pugh_score": 7, "clinical_liver_failure": True}, set(), "B7 may fail"),
        ({"child_pugh_score": 6, "liver_insufficiency_severe": True},
         {"child_pugh_score", "liver_insufficiency_severe"}, "A6 and severe"),
        ({"child_pugh_score": 7, "liver_insufficiency_severe": True}, set(), "class B may be severe"),
        ({"child_pugh_score": 6, "liver_insufficiency_severe": True, "child_pugh_score_age_days": 31}, set(),
         "a score that is too old disputes nothing"),
        ({"child_pugh_score": 10, "liver_insufficiency_severe": False},
         {"child_pugh_score", "liver_insufficiency_severe"}, "C10 and not severe"),
        ({"extrahepatic_disease_status": "none", "extrahepatic_sites": frozenset({"bone"})},
         {"extrahepatic_disease_status", "extrahepatic_sites"}, "none, and a site"),
        ({"extrahepatic_sites": frozenset({"bone"}), "extrahepatic_site_count": 2},
         {"extrahepatic_site_count", "extrahepatic_sites"}, "one site, counted as two"),
        ({"histology": "MTC", "rai_avid": True}, {"histology", "rai_avid"}, "MTC takes up no iodine"),
        ({"rai_avid": True, "rai_refractory": True, "mdt_review_done": False}, {"rai_avid", "rai_refractory"},
         "avid and refractory, without a board's note"),
        ({"histology": "ATC", "rai_avid": True}, {"histology", "rai_avid"}, "nor does anaplastic carcinoma"),
        ({"histology": "PTC", "rai_avid": True}, set(), "papillary carcinoma does"),
        ({"rai_avid": True, "rai_refractory": False, "mdt_review_done": False}, set(), "avid alone is no question"),
        ({"rai_avid": False, "rai_refractory": True, "mdt_review_done": False}, set(), "nor is refractory alone"),
        ({"rai_avid": True, "rai_refractory": True}, set(), "that a board has not seen it is not known: it is asked"),
        ({"rai_avid": True, "rai_refractory": True, "mdt_review_done": True}, set(), "the board has seen it"),
        ({"systemic_therapy_current": "sorafenib", "systemic_therapy_anti_vegf": False},
         {"systemic_therapy_anti_vegf", "systemic_therapy_current"}, "sorafenib blocks VEGF receptors"),
        ({"liver_tumour_burden_percent": D(22), "tumour_volume_ml": D(300), "liver_volume_total_ml": D(1500)}, set(),
         "two points apart are tolerated"),
        ({"liver_tumour_burden_percent": D("22.1"), "tumour_volume_ml": D(300), "liver_volume_total_ml": D(1500)},
         {"liver_tumour_burden_percent", "tumour_volume_ml", "liver_volume_total_ml"}, "just past two points"),
        ({"tumour_volume_ml": D(1600), "liver_volume_total_ml": D(1500)},
         {"tumour_volume_ml", "liver_volume_total_ml"}, "more tumour than liver"),
        ({"tumour_volume_ml": D("32.7"), "liver_lesion_largest_diameter_mm": D(50)},
         {"tumour_volume_ml", "liver_lesion_largest_diameter_mm"}, "less than half of 65.45 ml"),
        ({"tumour_volume_ml": D("32.8"), "liver_lesion_largest_diameter_mm": D(50)}, set(), "half of 65.45 ml"),
        ({"prescribed_activity_gbq": D(2), "lung_shunt_fraction": D("0.1"), "lung_mass_kg": D(1),
          "predicted_lung_dose_gy": D("10.03334")}, set(), "exactly one percent above 9.934"),
        ({"prescribed_activity_gbq": D(2), "lung_shunt_fraction": D("0.1"), "lung_mass_kg": D(1),
          "predicted_lung_dose_gy": D("10.03335")},
         {"predicted_lung_dose_gy", "prescribed_activity_gbq", "lung_shunt_fraction", "lung_mass_kg"}, "past it"),
        ({"bone_lesion_count": 0, "bone_only_disease": True}, {"bone_lesion_count", "bone_only_disease"}, "no lesion"),
        ({"bone_lesion_count": 1, "extrahepatic_disease_status": "none"},
         {"bone_lesion_count", "extrahepatic_disease_status"}, "a bone lesion is outside the liver"),
        ({"lung_lesion_count": 1, "extrahepatic_disease_status": "none"},
         {"lung_lesion_count", "extrahepatic_disease_status"}, "so is one of the lung"),
        ({"lung_lesion_count": 0, "bone_lesion_count": 0, "extrahepatic_disease_status": "none"}, set(), "neither"),
        ({"liver_lesion_count": 1, "bone_only_disease": True}, {"liver_lesion_count", "bone_only_disease"}, "liver"),
        ({"lung_lesion_count": 1, "bone_only_disease": True}, {"lung_lesion_count", "bone_only_disease"}, "lung"),
        ({"liver_lesion_count": 0, "lung_lesion_count": 0, "bone_lesion_count": 1, "bone_only_disease": True}, set(),
         "bone alone"),
        ({"liver_lesion_count": 0, "liver_lesion_largest_diameter_mm": D("0.1")},
         {"liver_lesion_count", "liver_lesion_largest_diameter_mm"}, "no lesion has no diameter"),
        ({"recist_sum_nadir_mm": D("40.1"), "recist_sum_baseline_mm": D(40)},
         {"recist_sum_nadir_mm", "recist_sum_baseline_mm"}, "the baseline is one of the sums the smallest is taken of"),
        ({"recist_sum_nadir_mm": D(40), "recist_sum_baseline_mm": D(40)}, set(), "it never shrank"),
        ({"liver_lesions_planned_count": 3, "liver_lesion_count": 2},
         {"liver_lesions_planned_count", "liver_lesion_count"}, "more to treat than there are"),
        ({"liver_lesions_planned_count": 2, "liver_lesion_count": 2}, set(), "all of them to be treated"),
        ({"liver_imaging_after_today": True}, {"liver_imaging_after_today"}, "imaging after the procedure it plans"),
        ({"child_pugh_score": 6, "ascites_grade": "massive"}, {"child_pugh_score", "ascites_grade"},
         "massive ascites alone makes 3 + 4 points"),
        ({"child_pugh_score": 7, "ascites_grade": "massive"}, set(), "and just that"),
        ({"child_pugh_score": 14, "encephalopathy_grade": 0}, {"child_pugh_score", "encephalopathy_grade"},
         "without encephalopathy 13 is the most"),
        ({"child_pugh_score": 13, "encephalopathy_grade": 0}, set(), "and just that"),
        ({"child_pugh_score": 6, "ascites_grade": "massive", "liver_function_age_days": 31}, set(),
         "what is too old disputes nothing"),
        ({"child_pugh_class": "C", "liver_insufficiency_severe": False},
         {"liver_insufficiency_severe", "child_pugh_class"}, "class C is severe"),
        ({"new_lesions": True, "radiological_progression": False}, {"new_lesions", "radiological_progression"},
         "a new lesion is progression"),
        ({"new_lesions": True}, set(), "progression is not stated"),
        ({"new_lesions": False, "radiological_progression": False}, set(), "neither"),
        ({"histology": "PTC", "tg_trend": "rising", "marker_trend": "stable"}, set(),
         "a given marker trend may rest on more than thyroglobulin"),
        ({}, set(), "nothing given"),
    ],
)  # fmt: skip
def test_facts_that_cannot_be_true_together_are_named(given, contradicting, why):
    completed = complete(given)
    assert set(contradictions.contradicting(completed.values, completed.mismatches)) == contradicting, why
