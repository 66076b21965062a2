"""Every coded concept that our DICOM documents use, each typed once beside its context group or source."""

from highdicom.sr import CodedConcept

from connector.core.case import Code
from connector.terminology import FHIR_SYSTEM_OF, Concept

OUR_SCHEME = "99IRTCONNECTOR"
OUR_SCHEME_NAME = "irt-connector concepts without a code in DICOM, SNOMED CT or NCIt"

# Document: CID 7021, CID 100, TID 1500.
ONCOLOGY_REPORT = Concept("126001", "DCM", "Oncology Measurement Report")
PROCEDURE_REPORTED = Concept("121058", "DCM", "Procedure reported")
IMAGING_MEASUREMENTS = Concept("126010", "DCM", "Imaging Measurements")
QUALITATIVE_EVALUATIONS = Concept("C0034375", "UMLS", "Qualitative Evaluations")
IMAGING_PROCEDURE = Concept("363679005", "SCT", "Imaging procedure")
PROCEDURE_OF_MODALITY = {
    "CT": Concept("25045-6", "LN", "CT unspecified body region"),
    "MR": Concept("25056-3", "LN", "MRI unspecified body region"),
    "PT": Concept("44136-0", "LN", "PET unspecified body region"),
    "NM": Concept("49118-3", "LN", "NM unspecified body region"),
}

# Lesions: CID 7151, CID 4, CID 6145, CID 7469, CID 6146.
SECONDARY_NEOPLASM = Concept("14799000", "SCT", "Neoplasm, Secondary")
NEOPLASM = Concept("108369006", "SCT", "Neoplasm")
SITES = {
    "liver": Concept("10200004", "SCT", "Liver"),
    "lung": Concept("39607008", "SCT", "Lung"),
    "bone": Concept("272673000", "SCT", "Bone"),
    "lymph_node": Concept("59441001", "SCT", "Lymph node"),
    "brain": Concept("12738006", "SCT", "Brain"),
    "pleura": Concept("3120008", "SCT", "Pleura"),
    "adrenal": Concept("23451007", "SCT", "Adrenal gland"),
    "thyroid_bed": Concept("69748006", "SCT", "Thyroid"),
}
BASELINE_CATEGORY = Concept("112016", "DCM", "Baseline Category")
TARGET_AT_BASELINE = Concept("112074", "DCM", "Target Lesion at Baseline")
NON_TARGET_AT_BASELINE = Concept("112075", "DCM", "Non-Target Lesion at Baseline")
LONG_AXIS = Concept("103339001", "SCT", "Long axis")
SHORT_AXIS = Concept("103340004", "SCT", "Short axis")
VOLUME = Concept("118565006", "SCT", "Volume")
SLICE_THICKNESS = Concept("112225", "DCM", "Slice Thickness")
BASELINE = Concept("C1442488", "UMLS", "Baseline")
LESION_STATE = Concept("LESION_STATE", OUR_SCHEME, "State of the lesion")
LESION_STATES = {
    "measured": Concept("MEASURED", OUR_SCHEME, "Measured"),
    "absent": Concept("ABSENT", OUR_SCHEME, "Absent"),
    "too_small": Concept("TOO_SMALL", OUR_SCHEME, "Too small to measure"),
    "not_evaluable": Concept("NOT_EVALUABLE", OUR_SCHEME, "Not evaluable"),
    "present": Concept("PRESENT", OUR_SCHEME, "Present"),
    "unequivocal_progression": Concept("UNEQUIVOCAL_PD", OUR_SCHEME, "Unequivocal progression"),
    "treated_locally": Concept("TREATED_LOCALLY", OUR_SCHEME, "Treated locally"),
}
# Viable tumour and PET: CID 7151, CID 7469, CID 3488, CID 7464, CID 7466. What enhances after treatment has no code.
ENHANCING_LESION = Concept("C113842", "NCIt", "Enhancing Lesion")
NON_ENHANCING_LESION = Concept("C81175", "NCIt", "Non-Enhancing Lesion")
NECROSIS = Concept("6574001", "SCT", "Necrosis")
VIABLE_DIAMETER = Concept("VIABLE_DIAMETER", OUR_SCHEME, "Longest diameter of the enhancing, viable part")
VIABLE_ACROSS = Concept("VIABLE_ACROSS", OUR_SCHEME, "Longest diameter of the viable part across")
ENHANCEMENT = Concept("ENHANCEMENT", OUR_SCHEME, "What enhances in the treated lesion")
ENHANCEMENTS = {
    "none": Concept("NO_ENHANCEMENT", OUR_SCHEME, "No enhancement"),
    "expected": Concept("EXPECTED_ENH", OUR_SCHEME, "Enhancement as expected after treatment"),
    "atypical": Concept("ATYPICAL_ENH", OUR_SCHEME, "Enhancement neither expected nor of viable tumour"),
    "masslike": Concept("MASSLIKE_ENH", OUR_SCHEME, "Nodular, mass-like or thick irregular enhancement"),
    "not_evaluable": Concept("ENH_NOT_EVAL", OUR_SCHEME, "Enhancement not evaluable"),
}
VIABILITY = Concept("VIABILITY", OUR_SCHEME, "Viability of the treated lesion")
VIABILITIES = {
    "non_viable": Concept("NON_VIABLE", OUR_SCHEME, "Non-viable"),
    "equivocal": Concept("EQUIVOCAL_VIAB", OUR_SCHEME, "Equivocal viability"),
    "viable": Concept("VIABLE", OUR_SCHEME, "Viable"),
    "non_progressing": Concept("NON_PROGRESSING", OUR_SCHEME, "Non-progressing after radiation"),
    "not_evaluable": Concept("VIAB_NOT_EVAL", OUR_SCHEME, "Viability not evaluable"),
}
LOCAL_PROGRESSION = Concept("LOCAL_PROG_DATE", OUR_SCHEME, "First scan with local tumour progression")
RESIDUAL_TUMOUR = Concept("RESIDUAL_DATE", OUR_SCHEME, "First scan with residual tumour after treatment")
EASL_RESPONSE = Concept("EASL_RESPONSE", OUR_SCHEME, "Response of viable tumour by EASL")
SUV_BW = Concept("126401", "DCM", "SUVbw")
DERIVATION = Concept("121401", "DCM", "Derivation")
MAXIMUM = Concept("56851009", "SCT", "Maximum")
MEAN = Concept("373098007", "SCT", "Mean")
PEAK = Concept("126031", "DCM", "Peak Value Within ROI")
METABOLIC_VOLUME = Concept("126032", "DCM", "Metabolic Volume")
TOTAL_LESION_GLYCOLYSIS = Concept("126033", "DCM", "Total Lesion Glycolysis")
FUNCTIONAL_BY = Concept("FUNCTIONAL_BY", OUR_SCHEME, "What counts as functional tumour")
LIVER_LOBE = Concept("LIVER_LOBE", OUR_SCHEME, "Lobe of the liver")
LOBES = {
    "left": Concept("LEFT_LOBE", OUR_SCHEME, "Left lobe"),
    "right": Concept("RIGHT_LOBE", OUR_SCHEME, "Right lobe"),
}
NEW_LESION = Concept("NEW_LESION", OUR_SCHEME, "New lesion")
NEW_LESION_ANSWERS = {
    "none": Concept("NO_NEW_LESION", OUR_SCHEME, "No new lesion"),
    "equivocal": Concept("EQUIVOCAL_NEW", OUR_SCHEME, "Equivocal new lesion"),
    "unequivocal": Concept("UNEQUIVOCAL_NEW", OUR_SCHEME, "Unequivocal new lesion"),
}

# Response: CID 6147, CID 6143, TID 4106.
CRITERIA = {
    "recist-1.1": Concept("126081", "DCM", "RECIST 1.1"),
    "mrecist": Concept("MRECIST", OUR_SCHEME, "mRECIST"),
}
CURRENT_RESPONSE = Concept("112048", "DCM", "Current Response")
BEST_OVERALL_RESPONSE = Concept("112049", "DCM", "Best Overall Response")
CONFIRMED_BEST_OVERALL_RESPONSE = Concept("CONFIRMED_BOR", OUR_SCHEME, "Confirmed Best Overall Response")
UNCONFIRMED_BEST_OVERALL_RESPONSE = Concept("UNCONFIRMED_BOR", OUR_SCHEME, "Unconfirmed Best Overall Response")
MEASUREMENT_OF_RESPONSE = Concept("112051", "DCM", "Measurement of Response")
SUM_OF_DIAMETERS = Concept("SUM_DIAMETERS", OUR_SCHEME, "Sum of the diameters of the target lesions")
BASELINE_SUM = Concept("BASELINE_SUM", OUR_SCHEME, "Sum of diameters at baseline")
NADIR_SUM = Concept("NADIR_SUM", OUR_SCHEME, "Smallest sum of diameters before this visit")
CHANGE_FROM_BASELINE = Concept("CHANGE_BASELINE", OUR_SCHEME, "Change of the sum from baseline")
CHANGE_FROM_NADIR = Concept("CHANGE_NADIR", OUR_SCHEME, "Change of the sum from the smallest before")
TARGET_RESPONSE = Concept("TARGET_RESPONSE", OUR_SCHEME, "Response of the target lesions")
NON_TARGET_RESPONSE = Concept("NONTGT_RESPONSE", OUR_SCHEME, "Response of the non-target lesions")
RESPONSE_REASON = Concept("RESPONSE_REASON", OUR_SCHEME, "Reason for the response")
RESPONSE_FLAG = Concept("RESPONSE_FLAG", OUR_SCHEME, "Point to check in the response")

# DICOM has no code for an overall response. The NCIt codes are those that the Pediatric Cancer Data Commons data
# dictionary gives (enumeration "Response": C4870, C18058, C18213, C35571, C62222); the others are our own.
NOT_EVALUABLE = Concept("C62222", "NCIt", "Not Evaluable")
NOT_APPLICABLE = Concept("NOT_APPLICABLE", OUR_SCHEME, "Not applicable: no such lesions, or baseline")
NON_CR_NON_PD = Concept("NON_CR_NON_PD", OUR_SCHEME, "Non-CR/Non-PD")
OVERALL_RESPONSES = {
    "CR": Concept("C4870", "NCIt", "Complete Response"),
    "PR": Concept("C18058", "NCIt", "Partial Response"),
    "SD": Concept("C18213", "NCIt", "Stable Disease"),
    "PD": Concept("C35571", "NCIt", "Progressive Disease"),
    "NE": NOT_EVALUABLE,
    "NON-CR/NON-PD": NON_CR_NON_PD,
    "NA": NOT_APPLICABLE,
}
TARGET_RESPONSES = {
    "CR": Concept("112041", "DCM", "Target Lesion Complete Response"),
    "PR": Concept("112042", "DCM", "Target Lesion Partial Response"),
    "PD": Concept("112043", "DCM", "Target Lesion Progressive Disease"),
    "SD": Concept("112044", "DCM", "Target Lesion Stable Disease"),
    "NE": NOT_EVALUABLE,
    "NA": NOT_APPLICABLE,
}
NON_TARGET_RESPONSES = {
    "CR": Concept("112045", "DCM", "Non-Target Lesion Complete Response"),
    "NON-CR/NON-PD": Concept("112046", "DCM", "Non-Target Lesion Incomplete Response or Stable Disease"),
    "PD": Concept("112047", "DCM", "Non-Target Lesion Progressive Disease"),
    "NE": NOT_EVALUABLE,
    "NA": NOT_APPLICABLE,
}

# Absorbed dose: CID 10061. D and V have no code in DICOM.
MEAN_DOSE = Concept("128533", "DCM", "Mean Absorbed Radiation Dose")
MAXIMUM_DOSE = Concept("128531", "DCM", "Maximum Absorbed Radiation Dose")
MINIMUM_DOSE = Concept("128532", "DCM", "Minimum Absorbed Radiation Dose")
BED = Concept("BED", OUR_SCHEME, "Biologically effective dose")
EQD2 = Concept("EQD2", OUR_SCHEME, "Equivalent dose in 2 Gy fractions")
EUBED = Concept("EUBED", OUR_SCHEME, "Equivalent uniform biologically effective dose")
# Ends of an interval stand beside its value: as properties of it (TID 310) validators take them for its sources.
MEAN_DOSE_LOW = Concept("MEAN_DOSE_LOW", OUR_SCHEME, "Mean absorbed dose less two standard uncertainties")
MEAN_DOSE_HIGH = Concept("MEAN_DOSE_HIGH", OUR_SCHEME, "Mean absorbed dose plus two standard uncertainties")
VOLUME_LOW = Concept("VOLUME_LOW", OUR_SCHEME, "Volume less two standard uncertainties")
VOLUME_HIGH = Concept("VOLUME_HIGH", OUR_SCHEME, "Volume plus two standard uncertainties")
GEUD = Concept("GEUD", OUR_SCHEME, "Generalised equivalent uniform dose")

# Treatment selection, in words: TID 1500 row 14.
CONCLUSION = Concept("121077", "DCM", "Conclusion")
FINDING = Concept("121071", "DCM", "Finding")
TREATMENT_OPTION = Concept("OPTION", OUR_SCHEME, "Treatment option")
MISSING_INFORMATION = Concept("NEEDS", OUR_SCHEME, "Missing information")
CONTRADICTION = Concept("CONTRADICTION", OUR_SCHEME, "Contradictory data")
ALERT = Concept("ALERT", OUR_SCHEME, "Alert")
MEASURE = Concept("MEASURE", OUR_SCHEME, "Measure to take")
FOLLOW_UP = Concept("FOLLOW_UP", OUR_SCHEME, "Follow-up")
RISK = Concept("RISK", OUR_SCHEME, "Published risk")
PATHWAY = Concept("PATHWAY", OUR_SCHEME, "Step of the published pathway")
RULES_FIRED = Concept("RULES_FIRED", OUR_SCHEME, "Rules that applied")
WARNING = Concept("WARNING", OUR_SCHEME, "Warning")

# Units.
MILLIMETRE = Concept("mm", "UCUM", "mm")
MILLILITRE = Concept("ml", "UCUM", "ml")
SUV_BODY_WEIGHT = Concept("{SUVbw}g/ml", "UCUM", "Standardized Uptake Value body weight")
GRAM = Concept("g", "UCUM", "g")
GRAY = Concept("Gy", "UCUM", "Gy")
PERCENT = Concept("%", "UCUM", "%")

_LONGEST_CODE, _LONGEST_MEANING = 16, 64  # value representations SH and LO
_SCHEME_OF_SYSTEM = {system: scheme for scheme, system in FHIR_SYSTEM_OF.items()}


def coded(concept: Concept) -> CodedConcept:
    """Make the DICOM code of a concept."""
    return CodedConcept(concept.code, concept.scheme, concept.meaning)


def site_concept(site: str, code: Code | None) -> Concept | None:
    """Name an anatomic site: the code the measurement came with, else that of our site word; None when not known."""
    if code is not None:
        scheme = _SCHEME_OF_SYSTEM.get(code.system, code.system)
        fits = max(len(code.value), len(scheme)) <= _LONGEST_CODE and len(code.meaning) <= _LONGEST_MEANING
        if fits and code.value and scheme and code.meaning:
            try:
                return Concept(code.value, scheme, code.meaning)
            except ValueError:  # a mistyped code from outside is not passed on
                return SITES.get(site)
    return SITES.get(site)


def dose_to_volume(percent: str) -> Concept:
    """Name D_x, the lowest absorbed dose in the hottest x % of a volume."""
    return Concept(f"D{percent}", OUR_SCHEME, f"D{percent}: lowest dose in the hottest {percent} % of the volume")


def volume_at_dose(dose_gy: str) -> Concept:
    """Name V_x, the part of a volume that absorbed at least x Gy."""
    return Concept(
        f"V{dose_gy}GY"[:_LONGEST_CODE], OUR_SCHEME, f"V{dose_gy}: part of the volume with at least {dose_gy} Gy"
    )
