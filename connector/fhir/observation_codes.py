"""Which codes an Observation may carry for each fact; laboratories use several LOINC codes for one quantity."""

from connector.core.response.adverse_events import Analyte
from connector.fhir.resource import LOINC, SNOMED, Key
from connector.terminology import Concept, is_loinc

INTERPRETATION = "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation"
_YES_NO_V2 = "http://terminology.hl7.org/CodeSystem/v2-0532"


def _loinc(*codes: str) -> frozenset[Key]:
    for code in codes:
        if not is_loinc(code):
            raise ValueError(f"{code} is not a LOINC number: check its digits")
    return frozenset((LOINC, code) for code in codes)


def _snomed(code: str, meaning: str) -> Key:
    return SNOMED, Concept(code, "SCT", meaning).code


THYROTROPIN = _loinc("3016-3", "11580-8")  # TSH [units/volume] in serum or plasma; the second with limit 0.005
OBSERVATION_CODES: dict[str, frozenset[Key]] = {
    "bilirubin_total_umol_l": _loinc("1975-2", "14631-6"),
    "albumin_g_l": _loinc("1751-7"),
    "inr": _loinc("6301-6", "34714-6", "38875-1", "46418-0", "52129-4"),
    "creatinine_umol_l": _loinc("2160-0", "14682-9"),
    "egfr_ml_min_1_73m2": _loinc("98979-8", "62238-1", "33914-3", "48642-3", "48643-1", "69405-9"),
    "calcitonin_pg_ml": _loinc("1992-7", "15035-9"),
    "cea_ng_ml": _loinc("2039-6", "83085-1"),
    "tg_unstimulated_ng_ml": _loinc("3013-0"),
    "tg_antibodies_positive": _loinc("8098-6"),
    "ecog_ps": _loinc("89247-1"),
    "child_pugh_score": _loinc("98153-0"),
    "child_pugh_class": _loinc("98153-0"),
    "pregnancy_status": _loinc("82810-3"),
    "breastfeeding": _loinc("63895-7") | {_snomed("413712001", "Breastfeeding (mother)")},
    "height_m": _loinc("8302-2", "3137-7"),
    "weight_kg": _loinc("29463-7", "3141-9"),
}
# The code that every temperature of the body carries (FHIR vital signs profile), wherever it was taken.
BODY_TEMPERATURE = _loinc("8310-5")
# What CTCAE grades: enzymes by activity, cells by number (automated count or not said), haemoglobin by mass.
GRADED_CODES: dict[Analyte, frozenset[Key]] = {
    Analyte.AST: _loinc("1920-8"),
    Analyte.ALT: _loinc("1742-6"),
    Analyte.ALP: _loinc("6768-6"),
    Analyte.GGT: _loinc("2324-2"),
    Analyte.BILIRUBIN: OBSERVATION_CODES["bilirubin_total_umol_l"],
    Analyte.INR: OBSERVATION_CODES["inr"],
    Analyte.CREATININE: OBSERVATION_CODES["creatinine_umol_l"],
    Analyte.ALBUMIN_G_L: OBSERVATION_CODES["albumin_g_l"],
    Analyte.PLATELETS_1E9_L: _loinc("777-3", "26515-7"),
    Analyte.NEUTROPHILS_1E9_L: _loinc("751-8", "26499-4"),
    Analyte.HAEMOGLOBIN_G_L: _loinc("718-7"),
}
OBSERVATION_CODES["(any)"] = frozenset().union(*OBSERVATION_CODES.values(), THYROTROPIN)

# Answer list LL529-9, "ECOG performance status": grades 0 to 5 in order.
ECOG_ANSWERS: dict[Key, int] = {
    (LOINC, code): grade
    for grade, code in enumerate(("LA9622-7", "LA9623-5", "LA9624-3", "LA9625-0", "LA9626-8", "LA9627-6"))
}
PREGNANCY_ANSWERS: dict[Key, str] = {
    (LOINC, "LA15173-0"): "pregnant",
    _snomed("77386006", "Pregnant"): "pregnant",
    (LOINC, "LA26683-5"): "not_pregnant",
    _snomed("60001007", "Not pregnant"): "not_pregnant",
}
YES = frozenset({_snomed("373066001", "Yes"), (_YES_NO_V2, "Y"), (LOINC, "LA33-6")})
NO = frozenset({_snomed("373067005", "No"), (_YES_NO_V2, "N"), (LOINC, "LA32-8")})
POSITIVE = frozenset({(INTERPRETATION, "POS"), _snomed("10828004", "Positive"), (LOINC, "LA6576-8")})
NEGATIVE = frozenset({(INTERPRETATION, "NEG"), _snomed("260385009", "Negative"), (LOINC, "LA6577-6")})
