"""Reads Conditions: histology, sites of metastases, and the diseases that decide for or against a treatment."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from connector.core.case import FactValue
from connector.fhir.record_notes import RecordNotes, Unusable
from connector.fhir.resource import (
    ICD_O_3,
    SNOMED,
    Json,
    codes_in,
    codings,
    day,
    icd_10,
    items,
    members,
    reference_of,
    timing,
)
from connector.terminology import Concept

_CURRENT = frozenset({"active", "recurrence", "relapse"})
_UNSURE = frozenset({"unconfirmed", "provisional", "differential"})
_MORPHOLOGY_EXTENSION = "http://hl7.org/fhir/us/mcode/StructureDefinition/mcode-histology-morphology-behavior"


def _snomed(**meanings: str) -> frozenset[str]:
    return frozenset(Concept(key.removeprefix("c"), "SCT", meaning).code for key, meaning in meanings.items())


@dataclass(frozen=True, slots=True)
class _Disease:
    """A fact and the codes that state it; ICD-10 codes are prefixes without point (WHO ICD-10, 2019 edition)."""

    fact: str
    snomed: frozenset[str]
    icd_10: tuple[str, ...] = ()
    present: FactValue = True
    refuted: FactValue | None = False
    suspected: FactValue | None = None

    def matches(self, condition: Json) -> bool:
        """Whether the Condition has one of the codes."""
        concept = condition.get("code")
        return bool(self.snomed & set(codes_in(concept, SNOMED))) or any(
            code.startswith(self.icd_10) for code in icd_10(concept) if self.icd_10
        )


_DISEASES = (
    _Disease(
        "pheochromocytoma_status",
        _snomed(c302835009="Pheochromocytoma", c253032007="Benign pheochromocytoma"),
        present="present",
        refuted="excluded",
        suspected="suspected",
    ),
    _Disease(
        "clinical_liver_failure", _snomed(c59927004="Hepatic failure", c197270009="Acute hepatic failure"), ("K72",)
    ),
    _Disease(
        "cirrhosis",
        _snomed(c19943007="Cirrhosis of liver", c1761006="Biliary cirrhosis", c420054005="Alcoholic cirrhosis",
                c89580002="Cryptogenic cirrhosis", c266468003="Cirrhosis - non-alcoholic",
                c419728003="Portal cirrhosis"),
        ("K703", "K743", "K744", "K745", "K746"),
    ),
    _Disease("jaundice", _snomed(c18165001="Jaundice"), ("R17",)),
    _Disease("biliary_obstruction", _snomed(c235918000="Obstruction of biliary tree"), ("K831",)),
    _Disease("abdominal_pain", _snomed(c21522001="Abdominal pain"), ("R10",)),
    _Disease("fever", _snomed(c386661006="Fever"), ("R50",)),
    _Disease(
        # One of the two is enough to state it; that one of them is absent does not rule out the other.
        "nausea_or_vomiting",
        _snomed(c422587007="Nausea", c422400008="Vomiting", c16932000="Nausea and vomiting"),
        ("R11",),
        refuted=None,
    ),
    _Disease(
        # Kidney failure by name: acute (N17), stage 5 and end stage (N18.5, N18.6), unspecified (N19). No eGFR cut-off.
        "renal_failure",
        _snomed(c42399005="Renal failure syndrome", c14669001="Acute renal failure syndrome",
                c90688005="Chronic renal failure syndrome", c425369003="Chronic progressive renal failure",
                c236433006="Acute-on-chronic renal failure", c236435004="End stage renal failure on dialysis"),
        ("N17", "N185", "N186", "N19"),
    ),
    _Disease(
        # A current disorder of coagulation counts as uncorrected: only a person can say that it was corrected.
        "coagulopathy_status",
        _snomed(c64779008="Blood coagulation disorder"),
        ("D65", "D66", "D67", "D680", "D681", "D682", "D683", "D684"),
        present="uncorrected",
        refuted="none",
    ),
    _Disease(
        # Ischaemic heart disease, cardiomyopathy and heart failure; not hypertension alone. The source (a risk factor
        # for complications of TACE) names no codes, so the clinical lead has to confirm this choice.
        "cardiovascular_disease",
        _snomed(c49601007="Disorder of cardiovascular system", c53741008="Coronary arteriosclerosis",
                c84114007="Heart failure"),
        ("I20", "I21", "I22", "I24", "I25", "I42", "I50"),
    ),
)  # fmt: skip

_THYROID_CANCER = _snomed(
    c363478007="Malignant tumor of thyroid gland", c94098005="Primary malignant neoplasm of thyroid gland",
    c448216007="Malignant epithelial neoplasm of thyroid", c255029007="Papillary thyroid carcinoma",
    c255028004="Follicular thyroid carcinoma", c255032005="Medullary thyroid carcinoma",
)  # fmt: skip
_HISTOLOGY_BY_DISORDER: Mapping[str, str] = {"255029007": "PTC", "255028004": "FTC", "255032005": "MTC"}
# ICD-O-3.2 morphology of the thyroid. The fifth digit (/3 primary, /6 metastatic) says behaviour, not type.
_HISTOLOGY_BY_MORPHOLOGY: Mapping[str, str] = {
    "8050": "PTC", "8260": "PTC", "8340": "PTC", "8341": "PTC", "8342": "PTC", "8343": "PTC", "8344": "PTC",
    "8330": "FTC", "8331": "FTC", "8332": "FTC", "8335": "FTC", "8339": "FTC",
    "8290": "HTC", "8337": "PDTC", "8345": "MTC", "8510": "MTC", "8020": "ATC", "8021": "ATC",
}  # fmt: skip

_SITES: Mapping[str, tuple[frozenset[str], tuple[str, ...]]] = {
    "liver": (_snomed(c94381002="Secondary malignant neoplasm of liver"), ("C787",)),
    "lung": (_snomed(c94391008="Secondary malignant neoplasm of lung"), ("C780",)),
    "bone": (
        _snomed(c94222008="Secondary malignant neoplasm of bone",
                c94602001="Secondary malignant neoplasm of vertebral column"),
        ("C795",),
    ),
    "brain": (_snomed(c94225005="Secondary malignant neoplasm of brain"), ("C793",)),
    "lymph_node": (
        _snomed(c94392001="Secondary malignant neoplasm of lymph node",
                c94397007="Secondary malignant neoplasm of lymph nodes of neck",
                c94351005="Secondary malignant neoplasm of intrathoracic lymph nodes",
                c94347008="Secondary malignant neoplasm of intra-abdominal lymph nodes"),
        ("C77",),
    ),
    "pleura": (_snomed(c94493005="Secondary malignant neoplasm of pleura"), ("C782",)),
    "adrenal": (_snomed(c94161006="Secondary malignant neoplasm of adrenal gland"), ("C797",)),
    "other": (
        _snomed(c94627008="Secondary malignant neoplasm of peritoneum",
                c94409002="Secondary malignant neoplasm of mediastinum",
                c94360002="Secondary malignant neoplasm of kidney", c94579000="Secondary malignant neoplasm of skin",
                c94459006="Secondary malignant neoplasm of pancreas"),
        ("C781", "C783", "C784", "C785", "C786", "C788", "C790", "C791", "C792", "C794", "C796", "C798"),
    ),
}  # fmt: skip


def read_conditions(conditions: Sequence[Json], notes: RecordNotes) -> None:
    """Note the facts and references that Conditions state; an absent Condition never states absence."""
    sites = _Sites()
    histologies: dict[str, list[Json]] = {}
    for condition in conditions:
        try:
            _read_diseases(condition, notes)
            sites.read(condition, notes)
            _read_histology(condition, histologies, notes)
        except Unusable as fault:
            notes.skip(condition, str(fault))
    sites.conclude(notes)
    _conclude_histology(histologies, notes)


def _status(condition: Json) -> str:
    """present, past, refuted or suspected. Raises Unusable for entered-in-error."""
    verification = {code for _, code in codings(condition.get("verificationStatus"))}
    if "entered-in-error" in verification:
        raise Unusable("the Condition is marked entered-in-error")
    if "refuted" in verification:
        return "refuted"
    if verification & _UNSURE:
        return "suspected"
    clinical = {code for _, code in codings(condition.get("clinicalStatus"))}
    if clinical and not clinical & _CURRENT:
        return "past"
    ended = any(name.startswith("abatement") for name in condition)
    return "past" if ended and not clinical else "present"


def _since(condition: Json) -> date | None:
    return day(condition.get("recordedDate")) or day(timing(condition, "onset"))


def _read_diseases(condition: Json, notes: RecordNotes) -> None:
    for disease in _DISEASES:
        if not disease.matches(condition):
            continue
        status = _status(condition)
        value = {"present": disease.present, "refuted": disease.refuted, "suspected": disease.suspected}.get(status)
        if value is None:
            notes.skip(condition, f"{disease.fact}: the Condition is {status}, which does not state it")
        else:
            notes.state(disease.fact, value, [condition], _since(condition))


@dataclass(slots=True)
class _Sites:
    """Collects the organs with metastases over all Conditions."""

    found: dict[str, list[Json]] = field(default_factory=dict)

    def read(self, condition: Json, notes: RecordNotes) -> None:
        """Note the organ of one Condition."""
        snomed, icd = set(codes_in(condition.get("code"), SNOMED)), icd_10(condition.get("code"))
        for site, (disorders, prefixes) in _SITES.items():
            if disorders & snomed or any(code.startswith(prefixes) for code in icd):
                status = _status(condition)
                if status == "present":
                    self.found.setdefault(site, []).append(condition)
                else:
                    notes.skip(condition, f"metastases ({site}): the Condition is {status}")

    def conclude(self, notes: RecordNotes) -> None:
        """State the sites outside the liver, distant metastasis, and which Condition a plan addresses."""
        for condition in self.found.get("liver", []):
            notes.references.setdefault("condition.liver_metastases", reference_of(condition))
        outside = {site: found for site, found in self.found.items() if site != "liver"}
        if outside:
            conditions = [condition for found in outside.values() for condition in found]
            notes.state("extrahepatic_sites", frozenset(outside), conditions, _latest(conditions))
        distant = [one for site, found in self.found.items() if site != "lymph_node" for one in found]
        if distant:
            notes.state("m_stage", "M1", distant, _latest(distant))


def _read_histology(condition: Json, histologies: dict[str, list[Json]], notes: RecordNotes) -> None:
    concept = condition.get("code")
    disorders = set(codes_in(concept, SNOMED)) & _THYROID_CANCER
    if not disorders and not any(code.startswith("C73") for code in icd_10(concept)):
        return
    status = _status(condition)
    if status in ("refuted", "suspected"):
        notes.skip(condition, f"histology: the Condition is {status}")
        return
    notes.references.setdefault("condition.thyroid_cancer", reference_of(condition))
    named = {_HISTOLOGY_BY_DISORDER[code] for code in disorders if code in _HISTOLOGY_BY_DISORDER}
    named |= _morphologies(condition)
    if not named:
        notes.skip(condition, "histology: the thyroid cancer has no morphology; code it in ICD-O-3 or SNOMED CT")
    for histology in named:
        histologies.setdefault(histology, []).append(condition)


def _morphologies(condition: Json) -> set[str]:
    found = set()
    for carrier in (condition, items(condition, "code")):
        for extension in members(carrier, "extension"):
            if extension.get("url") == _MORPHOLOGY_EXTENSION:
                for system, code in codings(extension.get("valueCodeableConcept")):
                    histology = _HISTOLOGY_BY_MORPHOLOGY.get(code.split("/")[0])
                    if system in ICD_O_3 and histology:
                        found.add(histology)
    return found


def _conclude_histology(histologies: dict[str, list[Json]], notes: RecordNotes) -> None:
    if len(histologies) > 1:
        for conditions in histologies.values():
            for condition in conditions:
                notes.skip(condition, f"histology: the record names several ({', '.join(sorted(histologies))})")
        return
    for histology, conditions in histologies.items():
        notes.state("histology", histology, conditions, _latest(conditions))


def _latest(conditions: Sequence[Json]) -> date | None:
    known = [since for since in map(_since, conditions) if since]
    return max(known, default=None)
