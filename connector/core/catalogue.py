"""Every fact a decision may stand on: its name, type, range, allowed words, and what happens without it."""

from collections.abc import Mapping
from decimal import Decimal
from difflib import get_close_matches
from typing import get_args

from connector.core import vocabulary as w
from connector.core.case import FactValue
from connector.core.errors import BadCase
from connector.core.fact_types import Choice, Choices, Derived, DerivedFlag, Fact, Flag, Number, Numbers, Whole, Words


class Facts:
    """The facts by name; a rule names them as attributes, so that a misspelt fact does not pass mypy."""

    # Disease and consent
    histology = Choice[w.Histology](get_args(w.Histology), "BLOCK all; PDTC and ATC go to the board")
    age_years = Number("ASK", least=0, most=120)
    pregnancy_status = Choice[w.PregnancyStatus](
        get_args(w.PregnancyStatus), "BLOCK TARE, RAI; ASK for other X-ray guided options"
    )
    breastfeeding = Flag("ASK for RAI and TARE")
    men2_status = Choice[w.Men2Status](get_args(w.Men2Status), "ASK when histology is MTC")
    pheochromocytoma_status = Choice[w.PheochromocytomaStatus](
        get_args(w.PheochromocytomaStatus), "BLOCK locoregional options if MTC or MEN2"
    )
    ret_mutation = Words("NONE")
    mdt_review_done = Flag("REQUIRED; the draft stays a draft")
    informed_consent = Flag("REQUIRED before the procedure")
    centre_modalities_available = Choices[w.Modality](w.MODALITIES, "NONE: availability unknown, nothing is dropped")
    patient_declined_modalities = Choices[w.Modality](w.MODALITIES, "NONE: none is assumed")
    prior_history_and_images_reviewed = Flag("REQUIRED before the procedure")
    treatment_intent = Choice[w.TreatmentIntent](get_args(w.TreatmentIntent), "NONE")

    # General condition
    ecog_ps = Whole("NONE", least=0, most=5)
    performance_status_class = Choice[w.PerformanceStatusClass](
        get_args(w.PerformanceStatusClass), "BLOCK TACE or TARE; ablative preference"
    )
    life_expectancy_months = Number("BLOCK TARE; ASK otherwise", least=0)
    cardiovascular_disease = Flag("ASK for TACE (complication risk factor)")
    renal_failure = Flag("BLOCK TARE, TACE, TAE (contrast angiography)")
    contrast_media_allergy = Flag("BLOCK TARE, TACE, TAE")
    surgical_candidate = Flag("BLOCK 'limited disease' node")
    increased_surgical_risk = Flag("ASK")

    # Liver function
    liver_insufficiency_severe = Flag("BLOCK every locoregional liver option")
    clinical_liver_failure = Flag("BLOCK TARE")
    child_pugh_score = Whole("BLOCK TARE; ASK TACE", least=5, most=15)
    bilirubin_total_umol_l = Number("ASK for TARE (REILD risk)", least=0)
    albumin_g_l = Number("ASK TARE", least=0)
    ascites_grade = Choice[w.AscitesGrade](get_args(w.AscitesGrade), "ASK after TARE (REILD)")
    jaundice = Flag("ASK after TARE (REILD)")
    biliary_obstruction = Flag("ASK after TARE: before REILD is suspected")
    abdominal_pain = Flag("ASK after TACE, TAE or TARE (post-embolisation syndrome)")
    fever = Flag("ASK after TACE, TAE or TARE (post-embolisation syndrome)")
    nausea_or_vomiting = Flag("ASK after TACE, TAE or TARE (post-embolisation syndrome)")
    cirrhosis = Flag("ASK TARE")
    coagulopathy_status = Choice[w.CoagulopathyStatus](get_args(w.CoagulopathyStatus), "BLOCK every invasive option")
    portal_vein_thrombosis = Choice[w.PortalVeinThrombosis](
        get_args(w.PortalVeinThrombosis), "BLOCK TARE; ASK TACE/TAE"
    )
    main_pvt_targeting_poor = Flag("ASK TARE when portal_vein_thrombosis is main")
    bilioenteric_anastomosis = Flag("ASK for TACE, TAE and ablation")
    hepatic_artery_access_contraindicated = Flag("ASK for TARE, TACE, TAE")

    # Liver lesions
    liver_lesion_count = Whole("BLOCK all liver options", least=0, most=999)
    liver_lesion_diameters_mm = Numbers("NONE")
    liver_lesion_largest_diameter_mm = Number("BLOCK ablation; ASK TACE", above=0)
    liver_lesions_planned_count = Whole("NONE", least=1, most=999)
    liver_lobes_involved = Choice[w.LiverLobesInvolved](get_args(w.LiverLobesInvolved), "BLOCK limited/diffuse node")
    liver_tumour_burden_percent = Number("BLOCK TARE; ASK TACE", least=0, most=100)
    liver_lesion_at_hilum = Flag("BLOCK ablation")
    liver_lesion_near_bile_duct = Flag("BLOCK ablation")
    liver_lesion_near_critical_structure = Flag("BLOCK ablation")
    liver_lesion_near_large_vessel = Flag("ASK RFA-vs-MWA")
    liver_lesion_peripheral = Flag("NONE")
    liver_lesion_hypervascular = Flag("BLOCK TACE/TAE preference")
    liver_disease_status = Choice[w.LiverDiseaseStatus](get_args(w.LiverDiseaseStatus), "ASK")
    liver_lesion_dominant_growing = Flag("NONE")
    liver_symptoms = Choices[w.LiverSymptoms](get_args(w.LiverSymptoms), "NONE: none is assumed")
    high_risk_local_complication = Flag("NONE")
    resection_feasible = Flag("BLOCK limited-disease node")
    liver_imaging_age_days = Whole("BLOCK TARE; ASK others", least=0)
    liver_imaging_after_today = Flag("NONE")
    liver_imaging_modality = Choice[w.LiverImagingModality](
        get_args(w.LiverImagingModality), "ASK for vascular planning"
    )
    planned_ablation_margin_mm = Number("ASK for curative ablation", least=0)
    achieved_ablation_margin_mm = Number("ASK at follow-up", least=0)
    residual_viable_tumour = Flag("ASK at follow-up")
    prior_lrt_modalities = Choices[w.Modality](w.MODALITIES, "NONE: none is assumed")
    prior_lrt_count = Whole("ASK (AE risk rises with repetition)", least=0)
    tace_contraindicated = Flag("NONE")
    ablation_contraindicated = Flag("NONE")

    # Extrahepatic and other sites
    extrahepatic_disease_status = Choice[w.ExtrahepaticDiseaseStatus](
        get_args(w.ExtrahepaticDiseaseStatus), "BLOCK liver LRT eligibility"
    )
    extrahepatic_sites = Choices[w.ExtrahepaticSites](get_args(w.ExtrahepaticSites), "ASK")
    extrahepatic_site_count = Whole("NONE", least=0)
    progression_pattern = Choice[w.ProgressionPattern](get_args(w.ProgressionPattern), "ASK")
    disease_tempo = Choice[w.DiseaseTempo](get_args(w.DiseaseTempo), "BLOCK curative lung ablation")

    # Systemic, RAI, EBRT
    systemic_therapy_current = Choice[w.SystemicTherapyCurrent](
        get_args(w.SystemicTherapyCurrent), "ASK (bleeding risk)"
    )
    systemic_therapy_anti_vegf = Flag("ASK when on systemic therapy (bleeding risk)")
    tki_interruption_planned = Flag("REQUIRED before the procedure on anti-VEGF")
    tki_interruption_total_days = Number("NONE", least=0)
    systemic_therapy_eligible = Flag("ASK")
    prior_chemotherapy = Flag("ASK TARE (REILD risk)")
    rai_refractory = Flag("BLOCK RAI")
    rai_avid = Flag("BLOCK RAI")
    rai_cumulative_activity_mci = Number("BLOCK RAI", least=0)
    rai_planned_activity_mci = Number("BLOCK RAI ceiling check", above=0)
    fdg_avid = Flag("ASK")
    prior_ebrt_target = Flag("ASK TARE and EBRT")
    ssa_receptor_imaging_positive = Flag("NONE")

    # ATA / TNM strata
    pt_stage = Choice[w.PtStage](get_args(w.PtStage), "ASK strata")
    n_stage = Choice[w.NStage](get_args(w.NStage), "ASK strata")
    m_stage = Choice[w.MStage](get_args(w.MStage), "ASK strata")
    extrathyroidal_extension = Choice[w.ExtrathyroidalExtension](get_args(w.ExtrathyroidalExtension), "ASK strata")
    resection_macroscopic_complete = Flag("ASK strata")
    aggressive_histology_variant = Flag("ASK strata")
    vascular_invasion_foci_count = Whole("ASK strata", least=0)
    pathologic_n1_count = Whole("ASK strata", least=0)
    n1_largest_mm = Number("ASK strata", least=0)
    rai_foci_outside_bed = Choice[w.RaiFociOutsideBed](get_args(w.RaiFociOutsideBed), "ASK strata")
    postop_tg_suggests_distant = Flag("ASK strata")
    tumour_multifocal = Flag("ASK strata")
    braf_v600e = Flag("NONE")
    primary_tumour_diameter_mm = Number("ASK strata", above=0)

    # TARE work-up and dosimetry
    microsphere_type = Choice[w.MicrosphereType](get_args(w.MicrosphereType), "BLOCK activity calculation")
    activity_method = Choice[w.ActivityMethod](get_args(w.ActivityMethod), "ASK")
    lung_shunt_fraction = Number("BLOCK TARE prescription", least=0, most=1)
    lung_mass_kg = Number("BLOCK lung dose; there is no default", above=0)
    predicted_lung_dose_gy = Number("BLOCK TARE prescription", least=0)
    prior_lung_dose_gy = Number("BLOCK TARE when prior_lrt_modalities has TARE", least=0)
    extrahepatic_deposition_on_maa = Flag("BLOCK TARE prescription")
    maa_activity_mbq = Number("NONE", above=0)
    maa_workup_age_days = Whole("ASK", least=0)
    catheter_position_matches_maa = Flag("REQUIRED flag")
    tn_ratio = Number("BLOCK partition method", above=0)
    tumour_volume_ml = Number("BLOCK BSA/partition/burden", least=0)
    liver_volume_total_ml = Number("BLOCK BSA/burden", above=0)
    tumour_mass_kg = Number("BLOCK partition", least=0)
    normal_liver_mass_kg = Number("BLOCK partition", above=0)
    target_liver_mass_kg = Number("BLOCK mird_single", above=0)
    target_mean_dose_gy = Number("BLOCK mird_single", above=0)
    height_m = Number("BLOCK BSA", least=Decimal("0.4"), most=Decimal("2.5"))
    weight_kg = Number("BLOCK BSA", least=2, most=400)
    prescribed_activity_gbq = Number("BLOCK lung-dose check", above=0)
    radioprotection_available = Flag("ASK TARE")
    post_treatment_imaging_modality = Choice[w.PostTreatmentImagingModality](
        get_args(w.PostTreatmentImagingModality), "REQUIRED flag"
    )

    # Response and follow-up
    last_lrt_modality = Choice[w.LastLrtModality](get_args(w.LastLrtModality), "BLOCK response timing")
    days_since_lrt = Whole("BLOCK response timing", least=0)
    recist_sum_baseline_mm = Number("BLOCK response", above=0)
    recist_sum_current_mm = Number("BLOCK response", least=0)
    recist_sum_nadir_mm = Number("BLOCK PD call", least=0)
    new_lesions = Flag("BLOCK CR/PR/SD call")
    viable_sum_baseline_mm = Number("BLOCK mRECIST", above=0)
    viable_sum_current_mm = Number("BLOCK mRECIST", least=0)
    radiological_progression = Flag("BLOCK discordance rule")
    symptom_intensity_change_percent = Number("NONE", least=-100)
    tare_ae_weeks = Number("BLOCK AE timing", least=0)
    ctcae_grade_max = Whole("ASK", least=0, most=5)

    # Biomarkers
    calcitonin_pg_ml = Number("ASK when MTC", least=0)
    calcitonin_doubling_time_months = Number("ASK when MTC", above=0, endless="not_rising")
    calcitonin_change_percent = Number("ASK when MTC", least=-100)
    cea_ng_ml = Number("ASK when MTC", least=0)
    cea_trend = Choice[w.Trend](get_args(w.Trend), "ASK when MTC")
    tg_unstimulated_ng_ml = Number("ASK when DTC", least=0)
    tg_trend = Choice[w.Trend](get_args(w.Trend), "ASK when DTC")
    tg_antibodies_positive = Flag("ASK when DTC")
    marker_trend = Choice[w.Trend](get_args(w.Trend), "BLOCK discordance rule")

    # Lung
    lung_lesion_count = Whole("BLOCK lung options", least=0)
    lung_lesion_largest_diameter_mm = Number("BLOCK lung ablation", above=0)
    lung_pattern = Choice[w.LungPattern](get_args(w.LungPattern), "BLOCK lung ablation")
    lung_lesion_near_phrenic_or_mediastinum = Flag("ASK")
    lung_prior_ablation_count = Whole("ASK", least=0)

    # Bone
    bone_lesion_count = Whole("BLOCK bone options", least=0)
    bone_lesion_lytic = Flag("BLOCK cementoplasty")
    bone_lesion_mechanical_stress = Flag("BLOCK bone ablation sign-off")
    bone_lesion_painful = Flag("ASK")
    bone_fracture_status = Choice[w.BoneFractureStatus](get_args(w.BoneFractureStatus), "BLOCK consolidation choice")
    bone_lesion_hypervascular = Flag("ASK embolisation")
    bone_lesion_near_nerve = Flag("ASK")
    bone_only_disease = Flag("NONE")
    bone_ablation_hazardous_anatomy = Flag("NONE")

    # Parts of facts above, from which the core computes them
    sex = Choice[w.Sex](get_args(w.Sex), "NONE")
    inr = Number("NONE", above=0, most=20)
    encephalopathy_grade = Whole("NONE", least=0, most=4)
    liver_function_age_days = Whole("NONE", least=0)
    child_pugh_score_age_days = Whole("NONE", least=0)
    creatinine_umol_l = Number("NONE", above=0)
    child_pugh_class = Choice[w.ChildPughClass](get_args(w.ChildPughClass), "NONE")
    albi_grade = Whole("NONE", least=1, most=3)
    egfr_ml_min_1_73m2 = Number("NONE", least=0)
    liver_segments_involved = Choices[w.LiverSegment](get_args(w.LiverSegment), "NONE")
    progressing_lesion_count = Whole("NONE", least=0)
    progressing_sites = Choices[w.ProgressingSite](get_args(w.ProgressingSite), "NONE")
    rai_administrations_mci = Numbers("NONE")
    rai_refractory_criteria = Choices[w.RefractoryCriterion](get_args(w.RefractoryCriterion), "NONE")


class Sums:
    """What conditions compare and nobody gives: plain arithmetic over facts, and what is left of those too old."""

    cumulative_lung_dose_gy = Derived("predicted_lung_dose_gy", "prior_lung_dose_gy")
    lung_activity_gbq = Derived("lung_shunt_fraction", "prescribed_activity_gbq")
    rai_total_activity_mci = Derived("rai_cumulative_activity_mci", "rai_planned_activity_mci")
    recist_shrunk_by_30_percent = DerivedFlag("recist_sum_current_mm", "recist_sum_baseline_mm")
    recist_grown_by_20_percent_and_5_mm = DerivedFlag("recist_sum_current_mm", "recist_sum_nadir_mm")
    child_pugh_known = DerivedFlag()  # as stated or computed, and not too old: never unknown
    outdated_child_pugh_score = Derived("liver_function_age_days", "child_pugh_score_age_days")


# What `dose plan` calls the same thing.
NAMES_IN_DOSE_PLAN: Mapping[str, str] = {
    "device": "microsphere_type",
    "tumour_to_normal_ratio": "tn_ratio",
    "previous_lung_dose_gy": "prior_lung_dose_gy",
    "perfused_mass_kg": "target_liver_mass_kg",
}
FACTS: Mapping[str, Fact] = {name: fact for name, fact in vars(Facts).items() if isinstance(fact, Fact)}
ASKED = {name: place for place, name in enumerate(FACTS) if FACTS[name].is_asked}
REQUIRED = frozenset(name for name, fact in FACTS.items() if fact.if_missing.startswith("REQUIRED"))


def read_fact(name: str, raw: object) -> FactValue:
    """
    Check one fact by name and value and return it typed.

    Raises BadCase naming the field, its value and what to do: unknown name, wrong type, out of range.
    """
    fact = FACTS.get(name)
    if fact is None:
        alike = NAMES_IN_DOSE_PLAN.get(name) or next(iter(get_close_matches(name, FACTS, n=1, cutoff=0.8)), None)
        meant = f" (did you mean {alike}?)" if alike else ""
        message = f"unknown fact{meant}: remove it or correct its name (`connector rules --facts` prints the names)"
        raise BadCase(f"facts.{name}", raw, message)
    return fact.read(raw)


UNITS = {
    "umol_l": "µmol/L", "g_l": "g/L", "pg_ml": "pg/mL", "ng_ml": "ng/mL", "ml_min_1_73m2": "mL/min/1.73 m²",
    "mm": "mm", "ml": "mL", "kg": "kg", "gy": "Gy", "gbq": "GBq", "mbq": "MBq", "mci": "mCi", "m": "m",
    "percent": "%", "fraction": "0 to 1", "months": "months", "weeks": "weeks", "days": "days", "years": "years",
}  # fmt: skip
SPELT = {
    "child pugh": "Child-Pugh", "ecog ps": "ECOG performance status", "rai": "radioiodine", "lrt": "local treatment",
    "tki": "TKI", "maa": "MAA", "tn ratio": "tumour-to-normal ratio", "albi": "ALBI", "egfr": "eGFR",
    "inr": "INR", "tg": "thyroglobulin", "cea": "CEA", "fdg": "FDG", "mdt": "tumour board", "men2": "MEN2",
    "ret": "RET", "vegf": "VEGF", "ebrt": "external beam radiotherapy", "ssa": "somatostatin", "tare": "TARE",
    "tace": "TACE", "pvt": "portal vein thrombosis", "ae": "adverse event", "ctcae": "CTCAE", "recist": "RECIST",
    "pt stage": "pT stage", "n stage": "N stage", "m stage": "M stage", "n1": "N1", "braf v600e": "BRAF V600E",
    "workup": "work-up",
}  # fmt: skip


# Answers that are read as abbreviations.
_SPELT_ANSWERS = {"men2a": "MEN2A", "men2b": "MEN2B", "familial_mtc": "familial MTC"}


def answer_in_words(word: str) -> str:
    """A word that a fact may have as a person reads it: `not_pregnant` is "not pregnant"."""
    return _SPELT_ANSWERS.get(word, word.replace("_", " "))


def in_words(name: str) -> str:
    """A fact's name as a person reads it: `bilirubin_total_umol_l` is "bilirubin total (µmol/L)"."""
    unit = next((unit for unit in UNITS if name.endswith(f"_{unit}")), None)
    words = f" {name.removesuffix(f'_{unit}').replace('_', ' ')} "
    for short, spelt in SPELT.items():
        words = words.replace(f" {short} ", f" {spelt} ")
    return words.strip() + (f" ({UNITS[unit]})" if unit else "")
