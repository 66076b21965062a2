"""What an EHR would say of a made-up patient, as a FHIR R4 Bundle."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from connector.demo.headers import Person
from connector.demo.images import PERSON
from connector.fhir.identity import FACT_SYSTEM

PATIENT_SYSTEM = "urn:oid:2.25.229374815330271204839120183311022457716"
_LOINC, _UCUM, _SNOMED = "http://loinc.org", "http://unitsofmeasure.org", "http://snomed.info/sct"
_CLINICAL = "http://terminology.hl7.org/CodeSystem/condition-clinical"
_VERIFIED = "http://terminology.hl7.org/CodeSystem/condition-ver-status"
_TYPES = "http://terminology.hl7.org/CodeSystem/v2-0203"
_CATEGORY = "http://terminology.hl7.org/CodeSystem/observation-category"
Resource = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Laboratory:
    """One analyte with its LOINC code and UCUM unit."""

    name: str
    code: str
    display: str
    unit: str


BILIRUBIN = Laboratory("bilirubin", "14631-6", "Bilirubin.total [Moles/volume] in Serum or Plasma", "umol/L")
ALBUMIN = Laboratory("albumin", "1751-7", "Albumin [Mass/volume] in Serum or Plasma", "g/L")
INR = Laboratory("inr", "6301-6", "INR in Platelet poor plasma by Coagulation assay", "1")
PLATELETS = Laboratory("platelets", "777-3", "Platelets [#/volume] in Blood by Automated count", "10*3/uL")
CREATININE = Laboratory("creatinine", "14682-9", "Creatinine [Moles/volume] in Serum or Plasma", "umol/L")
CEA = Laboratory("cea", "2039-6", "Carcinoembryonic Ag [Mass/volume] in Serum or Plasma", "ng/mL")
CALCITONIN = Laboratory("calcitonin", "1992-7", "Calcitonin [Mass/volume] in Serum or Plasma", "pg/mL")
THYROGLOBULIN = Laboratory("thyroglobulin", "3013-0", "Thyroglobulin [Mass/volume] in Serum or Plasma", "ng/mL")
THYROTROPIN = Laboratory("tsh", "3016-3", "Thyrotropin [Units/volume] in Serum or Plasma", "m[IU]/L")
SUPPRESSED_TSH_MIU_L = 0.05  # under thyroxine: a thyroglobulin of the same day is not a stimulated one
HEALTHY_LIVER = ((BILIRUBIN, 11), (ALBUMIN, 41), (INR, 1.0), (PLATELETS, 212), (CREATININE, 78))


@dataclass(frozen=True, slots=True)
class Disorder:
    """A condition in SNOMED CT and ICD-10."""

    name: str
    code: str
    display: str
    icd_10: str


MEDULLARY = Disorder("thyroid-cancer", "255032005", "Medullary thyroid carcinoma", "C73")
PAPILLARY = Disorder("thyroid-cancer", "255029007", "Papillary thyroid carcinoma", "C73")
FOLLICULAR = Disorder("thyroid-cancer", "255028004", "Follicular thyroid carcinoma", "C73")
LIVER_METASTASES = Disorder("liver-metastases", "94381002", "Secondary malignant neoplasm of liver", "C78.7")
LUNG_METASTASES = Disorder("lung-metastases", "94391008", "Secondary malignant neoplasm of lung", "C78.0")
BONE_METASTASES = Disorder("bone-metastases", "94222008", "Secondary malignant neoplasm of bone", "C79.5")


@dataclass(frozen=True, slots=True)
class Drug:
    """A medicine by its ATC code, and how many days after the first study it began."""

    name: str
    atc: str
    started_day: int


VANDETANIB = Drug("vandetanib", "L01EX04", 14)
LENVATINIB = Drug("lenvatinib", "L01EX08", -120)

# What a board knows and no standard code says, by the names of the fact catalogue.
FIT_FOR_TREATMENT: Mapping[str, bool | str] = {
    "performance_status_class": "good",
    "liver_insufficiency_severe": False,
    "clinical_liver_failure": False,
    "cirrhosis": False,
    "renal_failure": False,
    "contrast_media_allergy": False,
    "coagulopathy_status": "none",
    "portal_vein_thrombosis": "none",
    "ascites_grade": "none",
    "pregnancy_status": "not_applicable",
    "cardiovascular_disease": False,
}
LIVER_LESIONS_APART: Mapping[str, bool | str] = {
    "liver_lesion_hypervascular": True,
    "liver_lesion_at_hilum": False,
    "liver_lesion_near_bile_duct": False,
    "liver_lesion_near_critical_structure": False,
    "hepatic_artery_access_contraindicated": False,
}


@dataclass(frozen=True, slots=True)
class History:
    """One made-up patient as the EHR knows them; `key` begins the ids of their resources."""

    key: str
    person: Person
    cancer: Disorder
    spread: tuple[Disorder, ...]
    marker: Laboratory
    marker_values: Sequence[float]  # one a visit
    stated: Mapping[str, bool | str]
    laboratory: tuple[tuple[Laboratory, float], ...] = HEALTHY_LIVER
    drug: Drug | None = None


BUNDLED = History(
    key="demo",
    person=PERSON,
    cancer=MEDULLARY,
    spread=(LIVER_METASTASES,),
    marker=CALCITONIN,
    marker_values=(3900, 2100, 5200),
    laboratory=(*HEALTHY_LIVER, (CEA, 61)),
    stated={
        **FIT_FOR_TREATMENT,
        **LIVER_LESIONS_APART,
        "pheochromocytoma_status": "excluded",
        "surgical_candidate": False,
        "extrahepatic_disease_status": "none",
        "liver_disease_status": "progressive",
        "liver_lobes_involved": "bilobar",
        "resection_feasible": False,
    },
    drug=VANDETANIB,
)


def record_bundle(history: History, visits: Sequence[date]) -> bytes:
    """Make the Bundle (type collection) for visits on those days; the same days give the same bytes."""
    first, last = visits[0], visits[-1]
    dated_marker = list(enumerate(zip(history.marker_values, visits, strict=True), start=1))
    suppressed = dated_marker if history.marker is THYROGLOBULIN else []
    resources = [
        _patient(history),
        _condition(history, history.cancer, first - timedelta(days=700)),
        *(_condition(history, each, first) for each in history.spread),
        *(laboratory_result(history, each, value, last, each.name) for each, value in history.laboratory),
        *(
            laboratory_result(history, history.marker, value, on, f"{history.marker.name}-{number}")
            for number, (value, on) in dated_marker
        ),
        *(
            laboratory_result(history, THYROTROPIN, SUPPRESSED_TSH_MIU_L, on, f"tsh-{number}")
            for number, (_, on) in suppressed
        ),
        _ecog(history, last),
        _child_pugh(history, last),
        _life_expectancy(history, last),
        *(stated_fact(history, name, value, last) for name, value in history.stated.items()),
        _thyroidectomy(history, first - timedelta(days=690)),
        *([] if history.drug is None else [_drug(history, history.drug, first)]),
    ]
    bundle = {
        "resourceType": "Bundle",
        "type": "collection",
        "entry": [
            {"fullUrl": f"http://demo.invalid/fhir/{each['resourceType']}/{each['id']}", "resource": each}
            for each in resources
        ],
    }
    return (json.dumps(bundle, indent=1, ensure_ascii=False) + "\n").encode("utf-8")


def _concept(system: str, code: str, display: str) -> Resource:
    return {"coding": [{"system": system, "code": code, "display": display}], "text": display}


def _subject(history: History) -> Resource:
    return {"reference": f"Patient/{history.key}-patient"}


def _patient(history: History) -> Resource:
    person = history.person
    return {
        "resourceType": "Patient",
        "id": f"{history.key}-patient",
        "identifier": [
            {
                "use": "usual",
                "type": {"coding": [{"system": _TYPES, "code": "MR", "display": "Medical record number"}]},
                "system": PATIENT_SYSTEM,
                "value": person.patient_id,
            }
        ],
        "name": [{"use": "official", "family": person.family, "given": [person.given]}],
        "gender": "female" if person.sex == "F" else "male",
        "birthDate": person.birth_date.isoformat(),
    }


def _condition(history: History, disorder: Disorder, since: date) -> Resource:
    concept = _concept(_SNOMED, disorder.code, disorder.display)
    concept["coding"].append({"system": "http://hl7.org/fhir/sid/icd-10", "code": disorder.icd_10})
    return {
        "resourceType": "Condition",
        "id": f"{history.key}-{disorder.name}",
        "clinicalStatus": {"coding": [{"system": _CLINICAL, "code": "active"}]},
        "verificationStatus": {"coding": [{"system": _VERIFIED, "code": "confirmed"}]},
        "code": concept,
        "subject": _subject(history),
        "onsetDateTime": since.isoformat(),
        "recordedDate": since.isoformat(),
    }


def _observation(history: History, name: str, category: str, code: Resource, on: date) -> Resource:
    return {
        "resourceType": "Observation",
        "id": f"{history.key}-{name.replace('_', '-')}",
        "status": "final",
        "category": [{"coding": [{"system": _CATEGORY, "code": category}]}],
        "code": code,
        "subject": _subject(history),
        "effectiveDateTime": on.isoformat(),
    }


def laboratory_result(history: History, analyte: Laboratory, value: float, on: date, name: str) -> Resource:
    """One laboratory Observation; `name` ends its id."""
    observation = _observation(history, name, "laboratory", _concept(_LOINC, analyte.code, analyte.display), on)
    observation["valueQuantity"] = {"value": value, "unit": analyte.unit, "system": _UCUM, "code": analyte.unit}
    return observation


def _ecog(history: History, on: date) -> Resource:
    code = _concept(_LOINC, "89247-1", "ECOG Performance Status score")
    observation = _observation(history, "ecog", "survey", code, on)
    observation["valueCodeableConcept"] = _concept(_LOINC, "LA9622-7", "Fully active")
    return observation


def _child_pugh(history: History, on: date) -> Resource:
    observation = _observation(history, "child-pugh", "survey", _concept(_LOINC, "98153-0", "Child-Pugh score"), on)
    observation["valueInteger"] = 5
    return observation


def _life_expectancy(history: History, on: date) -> Resource:
    code = _concept(FACT_SYSTEM, "life_expectancy_months", "life expectancy")
    observation = _observation(history, "fact-life", "exam", code, on)
    observation["valueQuantity"] = {"value": 24, "unit": "months", "system": _UCUM, "code": "mo"}
    return observation


def stated_fact(history: History, name: str, value: bool | str, on: date) -> Resource:  # noqa: FBT001 - a value of FHIR
    """One fact that a clinician stated, by its name in the fact catalogue."""
    code = _concept(FACT_SYSTEM, name, name.replace("_", " "))
    observation = _observation(history, f"fact-{name}", "exam", code, on)
    observation["valueBoolean" if isinstance(value, bool) else "valueString"] = value
    return observation


def _thyroidectomy(history: History, on: date) -> Resource:
    return {
        "resourceType": "Procedure",
        "id": f"{history.key}-thyroidectomy",
        "status": "completed",
        "code": _concept(_SNOMED, "13619001", "Thyroidectomy"),
        "subject": _subject(history),
        "performedDateTime": on.isoformat(),
    }


def _drug(history: History, drug: Drug, first: date) -> Resource:
    return {
        "resourceType": "MedicationRequest",
        "id": f"{history.key}-{drug.name}",
        "status": "active",
        "intent": "order",
        "medicationCodeableConcept": _concept("http://www.whocc.no/atc", drug.atc, drug.name),
        "subject": _subject(history),
        "authoredOn": (first + timedelta(days=drug.started_day)).isoformat(),
    }
