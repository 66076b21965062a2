"""The closed lists of words that facts may use; mypy reads them as types, the door as values."""

from typing import Literal, get_args

Modality = Literal[
    "surgery", "RFA", "MWA", "laser", "cryoablation", "PEI", "TACE", "TAE", "TARE", "ablation_plus_TACE",
    "systemic_therapy", "RAI", "EBRT", "cementoplasty", "osteosynthesis", "bone_embolisation", "lung_RFA",
    "bone_ablation", "board_only",
]  # fmt: skip
Histology = Literal["PTC", "FTC", "HTC", "DTC_NOS", "PDTC", "MTC", "ATC"]
PregnancyStatus = Literal["pregnant", "not_pregnant", "not_applicable"]
Men2Status = Literal["men2a", "men2b", "familial_mtc", "sporadic"]
PheochromocytomaStatus = Literal["excluded", "present", "suspected"]
TreatmentIntent = Literal["curative", "debulking", "palliative", "bridge"]
PerformanceStatusClass = Literal["good", "poor"]
AscitesGrade = Literal["none", "mild", "moderate", "massive"]
CoagulopathyStatus = Literal["none", "corrected", "uncorrected"]
PortalVeinThrombosis = Literal["none", "branch", "main"]
LiverLobesInvolved = Literal["unilobar", "bilobar"]
LiverDiseaseStatus = Literal["first_detection", "stable", "progressive"]
LiverSymptoms = Literal["diarrhoea", "abdominal_pain", "hyperthyroidism", "flushing", "itching", "other"]
LiverImagingModality = Literal["CT_three_phase", "CECT", "MRI", "PET_CT", "US"]
ExtrahepaticDiseaseStatus = Literal["none", "stable", "progressive"]
ExtrahepaticSites = Literal["lung", "bone", "brain", "lymph_node", "pleura", "adrenal", "other"]
ProgressionPattern = Literal["none", "single_lesion", "oligo_single_organ", "multi_organ"]
DiseaseTempo = Literal["slow", "rapid"]
SystemicTherapyCurrent = Literal[
    "none", "vandetanib", "cabozantinib", "lenvatinib", "sorafenib", "selective_ret", "other"
]
PtStage = Literal["pT1a", "pT1b", "pT2", "pT3", "pT4"]
NStage = Literal["cN0", "pN0", "N1"]
MStage = Literal["cM0", "M1"]
ExtrathyroidalExtension = Literal["none", "microscopic", "macroscopic"]
RaiFociOutsideBed = Literal["none", "neck", "distant"]
MicrosphereType = Literal["resin", "glass"]
ActivityMethod = Literal["empiric", "bsa", "mird_single", "partition"]
PostTreatmentImagingModality = Literal["none", "PET_CT", "SPECT_CT"]
LastLrtModality = Literal[
    "surgery", "RFA", "MWA", "laser", "cryoablation", "PEI", "TACE", "TAE", "TARE", "ablation_plus_TACE"
]
Trend = Literal["rising", "stable", "falling"]
LungPattern = Literal["macronodular", "miliary"]
BoneFractureStatus = Literal["none", "impending", "pathological"]
Sex = Literal["female", "male"]
LiverSegment = Literal["I", "II", "III", "IVa", "IVb", "V", "VI", "VII", "VIII"]
RefractoryCriterion = Literal["never_avid", "avidity_lost", "avid_in_some_lesions_only", "progressive_despite_avidity"]
ProgressingSite = Literal["liver", "lung", "bone", "brain", "lymph_node", "pleura", "adrenal", "other"]
ChildPughClass = Literal["A", "B", "C"]

MODALITIES: tuple[Modality, ...] = get_args(Modality)
ABLATION: tuple[Modality, ...] = ("RFA", "MWA", "laser", "cryoablation", "PEI")
LIVER_LOCOREGIONAL: tuple[Modality, ...] = (*ABLATION, "TACE", "TAE", "TARE", "ablation_plus_TACE")
BONE_LOCOREGIONAL: tuple[Modality, ...] = ("cementoplasty", "osteosynthesis", "bone_embolisation", "bone_ablation")
LUNG_LOCOREGIONAL: tuple[Modality, ...] = ("lung_RFA",)
LOCOREGIONAL: tuple[Modality, ...] = (*LIVER_LOCOREGIONAL, *BONE_LOCOREGIONAL, *LUNG_LOCOREGIONAL)
INVASIVE: tuple[Modality, ...] = ("surgery", *LOCOREGIONAL)
DIFFERENTIATED: tuple[Histology, ...] = ("PTC", "FTC", "HTC", "DTC_NOS")
