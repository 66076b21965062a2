"""Cases read from the publications and judged by hand: what leads, what is offered, flagged, excluded and asked."""

import json
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from connector.core.catalogue import read_fact
from connector.core.evidence import Observed
from connector.core.selection import select

TODAY = date(2026, 1, 31)
PUBLISHED = Path(__file__).parents[1] / "published" / "vignettes.json"
VIGNETTES = {case["id"]: case["facts"] for case in json.loads(PUBLISHED.read_text(), parse_float=Decimal)["vignettes"]}
GONE = object()
D = Decimal
DIFFUSE, LIMITED, ONE_LEFT = VIGNETTES["VIG-030"], VIGNETTES["VIG-017"], VIGNETTES["VIG-005"]
POOR = {**DIFFUSE, "performance_status_class": "poor", "tace_contraindicated": True}
RESIN = {"microsphere_type": "resin", "activity_method": "bsa"}
OPERABLE = {**LIMITED, "surgical_candidate": True, "resection_feasible": True}
DTC = {**LIMITED, "histology": "PTC", "rai_refractory": True}
RADIOIODINE, SALVAGE = VIGNETTES["VIG-069"], VIGNETTES["VIG-071"]
LUNG, BONE = VIGNETTES["VIG-074"], VIGNETTES["VIG-079"]
ABLATION = {"RFA", "MWA", "laser", "cryoablation", "PEI"}
ARTERIAL = {"TACE", "TAE", "ablation_plus_TACE"}
LIVER = ABLATION | ARTERIAL | {"TARE"}


def answer(base, changes):
    facts = {name: raw for name, raw in {**base, **changes}.items() if raw is not GONE}
    return select({name: Observed(read_fact(name, raw), "case") for name, raw in facts.items()}, TODAY)


def verdicts(selection, *words):
    return {option.modality for option in selection.options if option.verdict in words}


def case(title, base, changes=None, status="recommend", **expected):
    return pytest.param(base, changes or {}, status, expected, id=title)


# Figure 2 of Zhang 2025, every node both ways.
FIGURE_2 = [
    case("3 lesions in one lobe are limited", LIMITED, {"liver_lesion_count": 3}, first={"RFA"}, offers={"MWA", "TACE"},
         fired={"F2-N1-THREE", "F2-N3-ABL"}, silent={"F2-N1-LIMITED", "F2-N1-DIFFUSE"}),
    case("one lesion is limited disease too", LIMITED, {"liver_lesion_count": 1}, first={"RFA"},
         fired={"F2-N0", "F2-N1-LIMITED", "GL-ESMO-SOLITARY"}),
    case("4 in one lobe have no branch", LIMITED, {"liver_lesion_count": 4}, first={"board_only"},
         offers={"RFA", "MWA", "TACE", "TARE"}, fired={"F2-N1-FOUR"}, silent={"F2-N3-ABL", "F2-N5-TACE"}),
    case("5 in one lobe are diffuse", LIMITED, {"liver_lesion_count": 5}, first={"TACE"}, offers={"TARE", "TAE"},
         flagged=ABLATION, fired={"F2-N1-DIFFUSE", "F2-N5-TACE", "GEN-ABL-DIFFUSE-NO"}),
    case("operable limited disease is resected", OPERABLE, first={"surgery"}, offers={"RFA", "MWA", "TACE"},
         fired={"F2-N2-SURG", "SURG-ISOLATED"}, silent={"F2-N2-NOSURG", "F2-N3-ABL"}),
    case("a candidate whose lesions cannot be resected is ablated", OPERABLE, {"resection_feasible": False},
         first={"RFA"}, excluded={"surgery"}, fired={"F2-N2-NOSURG", "F2-N3-ABL"}),
    case("who declines surgery is not asked for the other answer too", LIMITED,
         {"surgical_candidate": GONE, "patient_declined_modalities": ["surgery"]}, first={"RFA"}, excluded={"surgery"}),
    case("surgery declined: ablation instead", OPERABLE, {"patient_declined_modalities": ["surgery"]},
         first={"RFA", "MWA"}, excluded={"surgery"}, fired={"SURG-DECLINED"}),
    case("resectable diffuse disease: surgery is shown and does not lead", DIFFUSE,
         {"surgical_candidate": True, "resection_feasible": True}, first={"TACE"}, offers={"surgery"}),
    case("near a bile duct: arterial first, ablation flagged", LIMITED, {"liver_lesion_near_bile_duct": True},
         first={"TACE"}, offers={"TARE"}, flagged=ABLATION | {"ablation_plus_TACE"}, fired={"F2-N3-VASC"}),
    case("near a bile duct, life expectancy unknown: TARE waits for it, TACE does not", LIMITED,
         {"liver_lesion_near_bile_duct": True, "life_expectancy_months": GONE}, first={"TACE"}, undecided={"TARE"}),
    case("at the hilum: heat and cold excluded", LIMITED, {"liver_lesion_at_hilum": True}, first={"TACE"},
         offers={"TARE", "TAE", "PEI"}, excluded={"RFA", "MWA", "laser", "cryoablation", "ablation_plus_TACE"},
         fired={"ABL-HILUM", "GL-ESMO-TACELAST", "TACE-IND-LOCATION"}),
    case("diffuse, poor status, inside the limits of TARE", POOR, first={"TARE"}, flagged={"TACE"},
         fired={"F2-N5-TARE", "TARE-IND-DIFFUSE"}, silent={"F2-N5-TACE"}),
    case("diffuse, poor status, 2.9 months to live", POOR, {"life_expectancy_months": D("2.9")}, first={"board_only"},
         offers={"systemic_therapy"}, excluded={"TARE"}, fired={"TARE-ABS-LIFE3"}, silent={"F2-N5-TARE"}),
    case("Child-Pugh B7 is inside the limits", POOR, {"child_pugh_score": 7}, first={"TARE"}, silent={"TARE-REL-CPB7"}),
    case("both liver and extrahepatic disease progress: systemic first, palliative local kept", LIMITED,
         {"extrahepatic_disease_status": "progressive", "extrahepatic_sites": ["lung"]}, first={"systemic_therapy"},
         offers={"RFA", "TACE"}, flagged={"TARE"}, fired={"GEN-SYS-BOTHPROG", "TARE-REL-EXTRAHEP"},
         silent={"GEN-ELIG-PROG"}),
    case("stable extrahepatic disease does not stop the liver", LIMITED,
         {"extrahepatic_disease_status": "stable", "extrahepatic_sites": ["bone"]}, first={"RFA"},
         fired={"GEN-ELIG-PROG", "SURG-EXTRA"}),
    case("no liver lesion: nothing of the liver leads", LIMITED,
         {"liver_lesion_count": 0, "liver_lobes_involved": GONE, "liver_lesion_largest_diameter_mm": GONE},
         first={"board_only"}, silent={"F2-N0"}),
]  # fmt: skip

# Size, place and blood supply choose the technique.
TECHNIQUE = [
    case("exactly 20 mm", LIMITED, {"liver_lesion_largest_diameter_mm": 20}, first={"RFA"}, fired={"ABL-RISK-20"},
         silent={"GEN-SIZE20"}),
    case("exactly 30 mm: neither curative nor penalised", LIMITED, {"liver_lesion_largest_diameter_mm": 30},
         first={"MWA"}, offers={"RFA", "ablation_plus_TACE"}, fired={"MWA-IND", "COMB-ABLTACE", "TACE-SIZE-GE30"},
         silent={"ABL-CURATIVE-30", "ABL-RISK-30", "TACE-SIZE-30"}),
    case("49.9 mm: RFA still indicated", LIMITED, {"liver_lesion_largest_diameter_mm": D("49.9")}, offers={"RFA"},
         fired={"RFA-IND"}, silent={"RFA-SIZE-50", "MWA-LARGE"}),
    case("70 mm: the largest RFA reported", LIMITED, {"liver_lesion_largest_diameter_mm": 70}, first={"MWA"},
         flagged={"RFA"}, fired={"RFA-LARGE-70"}, silent={"RFA-PUB-DER70"}),
    case("70.1 mm: beyond it", LIMITED, {"liver_lesion_largest_diameter_mm": D("70.1")}, flagged={"RFA"},
         fired={"RFA-PUB-DER70"}, silent={"RFA-LARGE-70"}),
    case("170 mm with hyperthyroidism: laser is shown, never first", DTC,
         {"histology": "FTC", "liver_lesion_count": 1, "liver_lesion_largest_diameter_mm": 170,
          "liver_symptoms": ["hyperthyroidism"]}, offers={"laser"}, fired={"LASER-170", "BG-LM-HYPER"},
         not_first={"laser"}),
    case("near critical structures every ablation is flagged", LIMITED, {"liver_lesion_near_critical_structure": True},
         first={"TACE"}, flagged=ABLATION | {"ablation_plus_TACE"}, fired={"MWA-VITAL", "GEN-IRT-SELECT-CRIT"}),
    case("ablation contraindicated by the board", LIMITED, {"ablation_contraindicated": True}, first={"TACE"},
         flagged=ABLATION, fired={"ABL-BOARD-CI", "GL-ESMO-TACELAST"}),
    case("margin of 5 mm: no curative label", LIMITED, {"planned_ablation_margin_mm": 5}, flagged=ABLATION,
         fired={"ABL-MARGIN-5", "ABL-MARGIN-10"}),
    case("margin of 5.1 mm: aim for more", LIMITED, {"planned_ablation_margin_mm": D("5.1")}, first={"RFA"},
         fired={"ABL-MARGIN-10"}, silent={"ABL-MARGIN-5"}),
    case("poorly perfused lesions: TARE before TACE", DIFFUSE, {"liver_lesion_hypervascular": False}, first={"TARE"},
         flagged=ARTERIAL, fired={"TACE-VASC-NO"}, silent={"TACE-IND-DIFFUSE"}),
    case("TACE contraindicated by the board: TARE", DIFFUSE, {"tace_contraindicated": True}, first={"TARE"},
         flagged={"TACE", "ablation_plus_TACE"}, offers={"TAE"}),
    case("diarrhoea calls for rapid control: TACE, TARE acts late", DIFFUSE, {"liver_symptoms": ["diarrhoea"]},
         first={"TACE"}, fired={"TACE-SYM", "TARE-DELAYED", "BG-LM-DIARR", "GEN-IRT-SELECT-VASC-SYM"}),
    case("a dominant lesion that outgrows the rest", DIFFUSE, {"liver_lesion_dominant_growing": True},
         offers={"RFA", "MWA"}, fired={"ABL-DOMINANT", "GL-ESMO-DOMINANT"}),
    case("heart disease: TACE flagged, TAE leads", DIFFUSE, {"cardiovascular_disease": True},
         flagged={"TACE", "ablation_plus_TACE"}, offers={"TAE", "TARE"}, fired={"TACE-CV"}, not_first={"TACE"}),
    case("residual tumour after ablation", ONE_LEFT, offers={"ablation_plus_TACE", "TACE", "TAE"},
         fired={"COMB-AFTER-INCOMPLETE", "GEN-REPEAT"}),
    case("30 % is no longer the best zone", DIFFUSE, {"liver_tumour_burden_percent": 30}, first={"TACE"},
         fired={"TACE-BURDEN-GREY", "GL-ATAMTC-TACE"}, silent={"TACE-BURDEN-30", "GEN-BURDEN"}),
    case("33.3 % is a third", DIFFUSE, {"liver_tumour_burden_percent": D("33.3")}, first={"TACE"},
         fired={"TACE-BURDEN-GREY"}, silent={"GL-ATAMTC-TACE"}),
    case("50.1 %: beyond what was reported", DIFFUSE, {"liver_tumour_burden_percent": D("50.1")}, first={"board_only"},
         flagged={"TACE", "TAE", "TARE"}, offers={"systemic_therapy"}, fired={"TACE-BURDEN-MAX", "TARE-REL-BURDEN50"},
         measures={"TAREW-ANGIO"},
         silent={"TARE-REL-BURDEN70", "TACE-BURDEN-GREY"}),
    case("70 %: not yet the override", DIFFUSE, {"liver_tumour_burden_percent": 70}, silent={"TARE-REL-BURDEN70"}),
    case("refractory DTC, single organ", DTC, {"progression_pattern": "oligo_single_organ"}, first={"RFA"},
         offers={"TACE", "systemic_therapy"}, fired={"GL-ETA-OLIGO", "GL-ETA-TACE", "GEN-OLIGO", "SYS-TKI-RAIR"},
         silent={"GL-ATAMTC-TACE", "GL-ATAMTC-TREAT"}),
    case("increased surgical risk in DTC", DTC, {"increased_surgical_risk": True}, fired={"GL-ETACIRSE"}),
    case("stable disease: treatable, and watching is named", LIMITED, {"liver_disease_status": "stable"}, first={"RFA"},
         fired={"HOUSE-STABLE"}, measures={"HOUSE-STABLE"}, silent={"GEN-ELIG-PROG", "GEN-ELIG-FIRST"}),
    case("not offered at this centre: said, not dropped", DIFFUSE, {"centre_modalities_available": ["RFA"]},
         first={"TACE"}, fired={"HOUSE-NOT-HERE-TACE"}, silent={"HOUSE-NOT-HERE-RFA"}),
]  # fmt: skip

# Contraindications: absolute, relative, at and past the limit.
AGAINST = [
    case("coagulopathy that is not corrected", POOR, {"coagulopathy_status": "uncorrected"}, "excluded_all",
         first={"board_only"}, excluded=LIVER | {"surgery"}, fired={"GEN-ABS-COAG", "TARE-REL-COAG"}),
    case("corrected coagulopathy", POOR, {"coagulopathy_status": "corrected"}, first={"TARE"}, silent={"GEN-ABS-COAG"}),
    case("severe liver insufficiency, asserted at Child-Pugh 7", DIFFUSE,
         {"liver_insufficiency_severe": True, "child_pugh_score": 7}, "excluded_all", excluded=LIVER,
         fired={"GEN-ABS-LIVERINSUFF"}, silent={"GEN-DER-CPC"}),
    case("Child-Pugh C alone is severe", DIFFUSE, {"liver_insufficiency_severe": GONE, "child_pugh_score": 10},
         "excluded_all", excluded=LIVER, fired={"GEN-DER-CPC", "GEN-ABS-LIVERINSUFF"}),
    case("Child-Pugh B9", DIFFUSE, {"child_pugh_score": 9}, first={"board_only"}, flagged={"TACE", "TAE", "TARE"},
         fired={"TACE-DER-CP", "TARE-REL-CPB7"}, silent={"GEN-DER-CPC"}),
    case("liver failure at Child-Pugh 9: TARE only", POOR, {"clinical_liver_failure": True, "child_pugh_score": 9},
         first={"board_only"}, excluded={"TARE"}, flagged={"TAE"}, fired={"TARE-ABS-LIVERFAIL"}),
    case("clinical liver failure flags what is not TARE too (CON-LIVERINSUFF)", LIMITED,
         {"clinical_liver_failure": True, "child_pugh_score": 7}, first={"board_only"}, excluded={"TARE"},
         flagged=ABLATION | ARTERIAL, fired={"TARE-ABS-LIVERFAIL", "HOUSE-LIVER-FAILURE"}),
    case("liver failure flags resection too", OPERABLE, {"clinical_liver_failure": True, "child_pugh_score": 7},
         first={"board_only"}, excluded={"TARE"}, flagged={"surgery", "RFA"}, fired={"HOUSE-LIVER-FAILURE"}),
    case("2.9 months to live, resection alone is left: the board is asked whether it still helps", OPERABLE, {
         "liver_insufficiency_severe": True, "child_pugh_score": 7, "life_expectancy_months": D("2.9")},
         "excluded_all", excluded=LIVER, flagged={"surgery"}, measures={"HOUSE-LIFE-3"}),
    case("severe insufficiency: no source speaks of resection, the board decides", OPERABLE,
         {"liver_insufficiency_severe": True, "child_pugh_score": 7}, "excluded_all", first={"board_only"},
         flagged={"surgery"}, excluded=LIVER, fired={"HOUSE-SURGERY-LIVER-INSUFFICIENCY"}),
    case("resectable diffuse disease, arteries flagged: surgery is shown and does not lead (CON-F2-SURGDIFFUSE)",
         DIFFUSE, {"surgical_candidate": True, "resection_feasible": True, "portal_vein_thrombosis": "main"},
         first={"board_only"}, offers={"surgery"}, flagged={"TACE", "TARE"}),
    case("at the hilum, arteries flagged: ethanol was reported once, and does not lead", LIMITED,
         {"liver_lesion_at_hilum": True, "portal_vein_thrombosis": "main"}, first={"board_only"}, offers={"PEI"}),
    case("3 months to live: no word on other procedures", LIMITED, {"life_expectancy_months": 3}, first={"RFA"},
         silent={"HOUSE-LIFE-3"}),
    case("less than 3 months to live: the board is asked whether an ablation still helps", LIMITED,
         {"life_expectancy_months": D("2.9")}, first={"RFA"}, excluded={"TARE"}, measures={"HOUSE-LIFE-3"}),
    case("bilobar, arteries flagged, few lesions: ablation leads without ethanol and cold", DTC,
         {"liver_lesion_count": 4, "liver_lobes_involved": "bilobar", "portal_vein_thrombosis": "main",
          "rai_refractory": False}, first={"RFA", "MWA"}, offers={"PEI", "cryoablation"}, flagged={"TACE", "TARE"}),
    case("renal failure", POOR, {"renal_failure": True}, first={"board_only"}, flagged={"TACE", "TAE", "TARE"},
         fired={"TARE-REL-RENAL", "TACE-DER-ACCESS"}),
    case("no way through the hepatic artery", POOR, {"hepatic_artery_access_contraindicated": True},
         flagged={"TACE", "TAE", "TARE"}, fired={"TARE-REL-VASC", "TACE-DER-ACCESS"}),
    case("thrombosis of a branch", POOR, {"portal_vein_thrombosis": "branch"}, first={"TARE"},
         silent={"TARE-REL-PVT", "TACE-DER-PVT"}),
    case("main thrombosis that cannot be targeted", POOR,
         {"portal_vein_thrombosis": "main", "main_pvt_targeting_poor": True}, flagged={"TARE", "TACE"},
         fired={"TARE-REL-PVT", "TARE-REL-PVTTARGET"}),
    case("pregnant, limited: the board only", LIMITED, {"pregnancy_status": "pregnant"}, first={"board_only"},
         excluded={"TARE", "RAI"}, flagged=ABLATION | ARTERIAL | {"systemic_therapy"},
         fired={"TARE-ABS-PREGNANCY", "GEN-DER-PREG"}),
    case("pheochromocytoma present", LIMITED, {"pheochromocytoma_status": "present"}, "excluded_all", excluded=LIVER,
         fired={"GEN-DER-PHEO"}),
    case("MEN2 with another histology", DTC, {"men2_status": "men2b", "pheochromocytoma_status": "suspected"},
         "excluded_all", excluded=LIVER, fired={"GEN-DER-PHEO"}),
    case("pheochromocytoma is a requirement before surgery", OPERABLE, {"pheochromocytoma_status": "suspected"},
         "excluded_all", first={"surgery"}, excluded=LIVER, measures={"GEN-DER-PHEO"}),
    case("anaplastic: the board", LIMITED, {"histology": "ATC"}, first={"board_only"}, excluded={"RAI"},
         flagged=LIVER, fired={"GEN-ATC-OUT", "RAI-MTC-NO"}),
    case("anaplastic and resectable: the board, not the surgeon alone", OPERABLE, {"histology": "ATC"},
         first={"board_only"}, flagged={"surgery"}),
    case("poorly differentiated: the board", DIFFUSE, {"histology": "PDTC"}, first={"board_only"},
         flagged=LIVER, fired={"HOUSE-NO-RULE-SET"}),
    case("poorly differentiated and refractory: systemic therapy is indicated, the board alone decides", DIFFUSE,
         {"histology": "PDTC", "rai_refractory": True}, first={"board_only"}, offers={"systemic_therapy"},
         fired={"SYS-TKI-RAIR"}),
    case("anti-VEGF is paused before any procedure", LIMITED, {"systemic_therapy_current": "lenvatinib",
         "systemic_therapy_anti_vegf": GONE, "tki_interruption_planned": False}, first={"RFA"},
         measures={"SYS-VEGF-HOLD"}, fired={"SYS-VEGF-HOLD", "SYS-VEGF-DAYS"}),
    case("corrected coagulopathy is allowed, and flagged (CON-COAG)", LIMITED, {"coagulopathy_status": "corrected"},
         first={"RFA"}, measures={"HOUSE-COAG-CORRECTED"}),
    case("both progress, and no systemic therapy: local treatment is kept for symptoms, the board decides", LIMITED,
         {"extrahepatic_disease_status": "progressive", "extrahepatic_sites": ["lung"],
          "systemic_therapy_eligible": False}, first={"board_only"}, offers={"TACE", "RFA"},
         excluded={"systemic_therapy"}),
    case("the pause is planned", LIMITED, {"systemic_therapy_current": "lenvatinib", "systemic_therapy_anti_vegf": GONE,
         "tki_interruption_planned": True}, first={"RFA"}, silent={"SYS-VEGF-HOLD"}),
]  # fmt: skip

# Radioembolisation from work-up to prescription.
TARE = [
    case("lung dose past 30 Gy", DIFFUSE, {"predicted_lung_dose_gy": D("30.1")}, flagged={"TARE"}, first={"TACE"},
         fired={"TARE-REL-LUNG30", "TARE-PNEUMONITIS"}, silent={"TARE-REL-LUNG50"}),
    case("50 Gy with the earlier treatment", DIFFUSE, {"predicted_lung_dose_gy": 25, "prior_lung_dose_gy": 25},
         offers={"TARE"}, silent={"TARE-REL-LUNG50"}, unflagged={"TARE"}),
    case("more than 0.61 GBq to the lungs, less than 30 Gy", DIFFUSE,
         {"lung_shunt_fraction": D("0.2"), "prescribed_activity_gbq": D("3.06"), "lung_mass_kg": D("1.2"),
          "extrahepatic_deposition_on_maa": False}, flagged={"TARE"}, fired={"TARED-LSACT"},
         silent={"TARE-REL-LUNG30"}),
    case("resin by body surface, shunt of 9.9 %", POOR, {**RESIN, "lung_shunt_fraction": D("0.099")}, first={"TARE"},
         silent={"HOUSE-RESIN-SHUNT-10", "HOUSE-RESIN-SHUNT-20"}),
    case("10 %: less activity", POOR, {**RESIN, "lung_shunt_fraction": D("0.1")}, first={"TARE"},
         measures={"HOUSE-RESIN-SHUNT-10"}, silent={"HOUSE-RESIN-SHUNT-20"}),
    case("19.9 %: less, and still some", POOR, {**RESIN, "lung_shunt_fraction": D("0.199")}, first={"TARE"},
         measures={"HOUSE-RESIN-SHUNT-10"}),
    case("20 %: none is left", POOR, {**RESIN, "lung_shunt_fraction": D("0.2")}, first={"board_only"},
         flagged={"TARE"}, fired={"HOUSE-RESIN-SHUNT-20"}, silent={"HOUSE-RESIN-SHUNT-10"}),
    case("20 % with the empiric table", POOR, {**RESIN, "activity_method": "empiric", "lung_shunt_fraction": D("0.2")},
         flagged={"TARE"}, fired={"HOUSE-RESIN-SHUNT-20"}),
    case("20 % by partition: the lung dose decides", POOR, {**RESIN, "activity_method": "partition",
         "lung_shunt_fraction": D("0.2")}, first={"TARE"}, silent={"HOUSE-RESIN-SHUNT-20"}),
    case("20 % with glass: the lung dose decides", POOR, {"microsphere_type": "glass", "activity_method": "mird_single",
         "lung_shunt_fraction": D("0.2")}, first={"TARE"}, silent={"HOUSE-RESIN-SHUNT-20"}),
    case("breastfeeding and TARE", POOR, {"breastfeeding": True}, measures={"HOUSE-TARE-BREASTFEEDING"}),
    case("images of 31 days", DIFFUSE, {"liver_imaging_age_days": 31}, offers={"TARE"}, measures={"TAREW-IMG30"}),
    case("deposition outside the liver", DIFFUSE, {"extrahepatic_deposition_on_maa": True}, first={"TACE"},
         excluded={"TARE"}, fired={"TARE-EXTRADEP", "TARE-GI"}),
    case("work-up of 15 days", DIFFUSE, {"maa_workup_age_days": 15}, measures={"TAREW-1TO2W"}),
    case("work-up of 14 days", DIFFUSE, {"maa_workup_age_days": 14}, silent={"TAREW-1TO2W"}),
    case("treated before, dose to the lungs unknown", POOR, {"prior_lrt_modalities": ["TARE"]}, "cannot_decide",
         first=set(), asks={"prior_lung_dose_gy"}),
    case("prescribed without the mass of the lungs", DIFFUSE, {"prescribed_activity_gbq": 2,
         "lung_shunt_fraction": D("0.05"), "extrahepatic_deposition_on_maa": False}, asks={"lung_mass_kg"},
         undecided={"TARE"}),
    case("half a GBq prescribed without the shunt", DIFFUSE, {"prescribed_activity_gbq": D("0.5"), "lung_mass_kg": 1,
         "extrahepatic_deposition_on_maa": False}, asks={"lung_shunt_fraction"}, undecided={"TARE"}),
    case("treated today: residual tumour is asked for", LIMITED, {"days_since_lrt": 0, "last_lrt_modality": "TACE"},
         asks={"residual_viable_tumour"}),
    case("partition without the shunt", {"activity_method": "partition", "tn_ratio": 3}, status="cannot_decide",
         asks={"lung_shunt_fraction", "tumour_mass_kg", "normal_liver_mass_kg", "target_mean_dose_gy"}),
    case("partition without the uptake ratio", {"activity_method": "partition", "tumour_mass_kg": D("0.3"),
         "normal_liver_mass_kg": D("1.2"), "lung_shunt_fraction": D("0.05"), "target_mean_dose_gy": 40},
         status="cannot_decide", asks={"tn_ratio", "microsphere_type"}, fired={"TARED-PARTITION"}),
    case("body surface without height", {"activity_method": "bsa", "microsphere_type": "resin", "weight_kg": 70},
         status="cannot_decide", asks={"height_m", "tumour_volume_ml", "liver_volume_total_ml"}),
    case("single compartment without mass and shunt", {"activity_method": "mird_single", "microsphere_type": "glass",
         "target_mean_dose_gy": 120}, status="cannot_decide", asks={"target_liver_mass_kg", "lung_shunt_fraction"}),
    case("150 Gy in glass", VIGNETTES["VIG-064"], {"target_mean_dose_gy": 150}, "cannot_decide",
         silent={"TARED-MIRD-DOSE"}),
    case("150.1 Gy in glass", VIGNETTES["VIG-064"], {"target_mean_dose_gy": D("150.1")}, "cannot_decide",
         fired={"TARED-MIRD-DOSE"}),
]  # fmt: skip

# Radioiodine, lung and bone.
ELSEWHERE = [
    case("600.1 mCi", RADIOIODINE, {"rai_planned_activity_mci": D("100.1")}, first={"board_only"}, excluded={"RAI"},
         fired={"RAI-CEILING"}),
    case("not refractory, no uptake seen: flagged", RADIOIODINE, {"rai_avid": False}, first={"board_only"},
         flagged={"RAI"}, fired={"HOUSE-RAI-NOT-AVID"}),
    case("breastfeeding", RADIOIODINE, {"breastfeeding": True}, excluded={"RAI"}, fired={"RAI-DER-PREG"}),
    case('pregnancy unknown is not "not pregnant"', RADIOIODINE, {"pregnancy_status": GONE}, "cannot_decide",
         first=set(), asks={"pregnancy_status"}),
    case("medullary has no uptake", RADIOIODINE, {"histology": "MTC", "rai_avid": False}, excluded={"RAI"},
         fired={"RAI-MTC-NO"}),
    case("oncocytic with proven uptake", RADIOIODINE, {"histology": "HTC"}, first={"RAI"}, fired={"RAI-AVID"}),
    case("poorly differentiated with uptake: the board", RADIOIODINE, {"histology": "PDTC"}, first={"board_only"},
         offers={"RAI"}, silent={"RAI-AVID"}),
    case("refractory and avid without the board", SALVAGE, {"mdt_review_done": False}, "contradictory_data",
         first=set()),
    case("lung, exactly 30 mm", LUNG, {"lung_lesion_largest_diameter_mm": 30}, first={"board_only"},
         flagged={"lung_RFA"}, fired={"LUNG-GE30", "LUNG-SIZE-2-3"}, silent={"LUNG-RFA-CUR"}),
    case("lung, growing fast: everything known, no support", LUNG, {"disease_tempo": "rapid"}, first={"board_only"},
         offers={"lung_RFA"}, silent={"LUNG-RFA-CUR"}),
    case("lung, tempo unknown", LUNG, {"disease_tempo": GONE}, "cannot_decide", first=set(), asks={"disease_tempo"}),
    case("lung, treated four times", LUNG, {"lung_prior_ablation_count": 4}, first={"lung_RFA"},
         fired={"LUNG-REPEAT4"}),
    case("bone about to break, not lytic: it is fixed, cement alone has nothing to fill", BONE,
         {"bone_lesion_lytic": False, "bone_lesion_mechanical_stress": True, "bone_fracture_status": "impending"},
         first={"osteosynthesis"}, flagged={"cementoplasty"}, fired={"BONE-OSTEOSYN"}, silent={"BONE-CEMENT"}),
    case("bone under stress, lytic", BONE, {"bone_lesion_mechanical_stress": True}, first={"cementoplasty"},
         fired={"BONE-CEMENT"}, silent={"BONE-OSTEOSYN", "BONE-CONSOLIDATE"}),
    case("bone under stress after ablation must be consolidated", BONE,
         {"bone_lesion_mechanical_stress": True, "last_lrt_modality": "RFA"}, offers={"osteosynthesis"},
         measures={"BONE-CONSOLIDATE"}),
    case("impending fracture under stress", BONE, {"bone_lesion_mechanical_stress": True,
         "bone_fracture_status": "impending"}, offers={"osteosynthesis"}, fired={"BONE-OSTEOSYN", "BONE-CEMENT"}),
    case("bone without stress or fracture: nothing is indicated, everything is known", BONE,
         {"bone_lesion_mechanical_stress": False}, first={"board_only"}, asks={"bone_lesion_hypervascular"}),
    case("old patient, complex anatomy: embolisation before ablation", BONE,
         {"bone_lesion_hypervascular": True, "bone_ablation_hazardous_anatomy": True,
          "bone_lesion_mechanical_stress": False}, first={"bone_embolisation"}, fired={"BONE-EMBO-OVER-ABL"}),
    case("bone, coagulopathy", BONE, {"bone_lesion_mechanical_stress": True, "coagulopathy_status": "uncorrected"},
         "excluded_all", excluded={"cementoplasty", "osteosynthesis", "bone_embolisation", "bone_ablation"},
         fired={"BONE-ABSENT-LRT"}),
    case("liver and bone: each site has its first", {**LIMITED, **BONE, "histology": "MTC"},
         {"extrahepatic_disease_status": "stable", "extrahepatic_sites": ["bone"],
          "bone_lesion_mechanical_stress": True}, first={"RFA", "cementoplasty"}),
]  # fmt: skip


@pytest.mark.parametrize(
    ("base", "changes", "status", "expected"), [*FIGURE_2, *TECHNIQUE, *AGAINST, *TARE, *ELSEWHERE]
)
def test_a_case_is_answered_as_its_sources_say(base, changes, status, expected):
    found = answer(base, changes)
    fired, offered = set(found.rules_fired), verdicts(found, "preferred", "possible", "relative_contraindication")
    first = {option.modality for option in found.options if option.rank == 1}
    assert found.status == status
    assert first == expected.get("first", first)
    assert not first & expected.get("not_first", set())
    assert expected.get("offers", set()) <= offered
    assert expected.get("excluded", set()) <= verdicts(found, "excluded")
    flagged = verdicts(found, "relative_contraindication")
    assert expected.get("flagged", set()) <= flagged
    assert not expected.get("unflagged", set()) & flagged
    assert expected.get("undecided", set()) <= verdicts(found, "cannot_decide")
    assert expected.get("asks", set()) <= set(found.missing)
    assert expected.get("measures", set()) <= {measure.rule for measure in found.measures}
    assert expected.get("fired", set()) | expected.get("measures", set()) <= fired
    assert not expected.get("silent", set()) & fired
