"""The record of the bundled case: what an EHR would say of the made-up patient, as a FHIR R4 Bundle."""

import json
from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

from connector.demo.images import PERSON
from connector.fhir.identity import FACT_SYSTEM

PATIENT_SYSTEM = "urn:oid:2.25.229374815330271204839120183311022457716"
_LOINC, _UCUM, _SNOMED = "http://loinc.org", "http://unitsofmeasure.org", "http://snomed.info/sct"
_CLINICAL = "http://terminology.hl7.org/CodeSystem/condition-clinical"
_VERIFIED = "http://terminology.hl7.org/CodeSystem/condition-ver-status"
_TYPES = "http://terminology.hl7.org/CodeSystem/v2-0203"
_CATEGORY = "http://terminology.hl7.org/CodeSystem/observation-category"
_PATIENT = "Patient/demo-patient"

# id, LOINC code, its name, value, UCUM unit
_LABORATORY: tuple[tuple[str, str, str, float, str], ...] = (
    ("bilirubin", "14631-6", "Bilirubin.total [Moles/volume] in Serum or Plasma", 11, "umol/L"),
    ("albumin", "1751-7", "Albumin [Mass/volume] in Serum or Plasma", 41, "g/L"),
    ("inr", "6301-6", "INR in Platelet poor plasma by Coagulation assay", 1.0, "1"),
    ("platelets", "777-3", "Platelets [#/volume] in Blood by Automated count", 212, "10*3/uL"),
    ("creatinine", "14682-9", "Creatinine [Moles/volume] in Serum or Plasma", 78, "umol/L"),
    ("cea", "2039-6", "Carcinoembryonic Ag [Mass/volume] in Serum or Plasma", 61, "ng/mL"),
)
_CALCITONIN_PG_ML = (3900, 2100, 5200)  # at the three visits
# What a board knows and no standard code says, by the names of the fact catalogue.
_STATED: Mapping[str, bool | str] = {
    "performance_status_class": "good",
    "pheochromocytoma_status": "excluded",
    "liver_insufficiency_severe": False,
    "clinical_liver_failure": False,
    "cirrhosis": False,
    "renal_failure": False,
    "contrast_media_allergy": False,
    "coagulopathy_status": "none",
    "portal_vein_thrombosis": "none",
    "ascites_grade": "none",
    "surgical_candidate": False,
    "extrahepatic_disease_status": "none",
    "liver_disease_status": "progressive",
    "liver_lobes_involved": "bilobar",
    "liver_lesion_hypervascular": True,
    "liver_lesion_at_hilum": False,
    "liver_lesion_near_bile_duct": False,
    "liver_lesion_near_critical_structure": False,
    "hepatic_artery_access_contraindicated": False,
    "pregnancy_status": "not_applicable",
    "cardiovascular_disease": False,
    "resection_feasible": False,
}


def record_bundle(visits: tuple[date, date, date]) -> bytes:
    """Make the Bundle (type collection) for visits on three days; the same days give the same bytes."""
    first, _, last = visits
    resources = [
        _patient(),
        _condition("thyroid-cancer", "255032005", "Medullary thyroid carcinoma", "C73", first - timedelta(days=700)),
        _condition("liver-metastases", "94381002", "Secondary malignant neoplasm of liver", "C78.7", first),
        *_laboratory(last),
        *_calcitonin(visits),
        _ecog(last),
        _child_pugh(last),
        _life_expectancy(last),
        *(_stated(name, value, last) for name, value in _STATED.items()),
        _thyroidectomy(first - timedelta(days=690)),
        _vandetanib(first + timedelta(days=14)),
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


def _concept(system: str, code: str, display: str) -> dict[str, Any]:
    return {"coding": [{"system": system, "code": code, "display": display}], "text": display}


def _patient() -> dict[str, Any]:
    return {
        "resourceType": "Patient",
        "id": _PATIENT.removeprefix("Patient/"),
        "identifier": [
            {
                "use": "usual",
                "type": {"coding": [{"system": _TYPES, "code": "MR", "display": "Medical record number"}]},
                "system": PATIENT_SYSTEM,
                "value": PERSON.patient_id,
            }
        ],
        "name": [{"use": "official", "family": PERSON.family, "given": [PERSON.given]}],
        "gender": "male",
        "birthDate": PERSON.birth_date.isoformat(),
    }


def _condition(name: str, code: str, display: str, icd_10: str, since: date) -> dict[str, Any]:
    concept = _concept(_SNOMED, code, display)
    concept["coding"].append({"system": "http://hl7.org/fhir/sid/icd-10", "code": icd_10})
    return {
        "resourceType": "Condition",
        "id": f"demo-{name}",
        "clinicalStatus": {"coding": [{"system": _CLINICAL, "code": "active"}]},
        "verificationStatus": {"coding": [{"system": _VERIFIED, "code": "confirmed"}]},
        "code": concept,
        "subject": {"reference": _PATIENT},
        "onsetDateTime": since.isoformat(),
        "recordedDate": since.isoformat(),
    }


def _observation(name: str, category: str, code: dict[str, Any], on: date) -> dict[str, Any]:
    return {
        "resourceType": "Observation",
        "id": f"demo-{name.replace('_', '-')}",
        "status": "final",
        "category": [{"coding": [{"system": _CATEGORY, "code": category}]}],
        "code": code,
        "subject": {"reference": _PATIENT},
        "effectiveDateTime": on.isoformat(),
    }


def _quantity(name: str, code: dict[str, Any], value: float, unit: str, on: date) -> dict[str, Any]:
    observation = _observation(name, "laboratory", code, on)
    observation["valueQuantity"] = {"value": value, "unit": unit, "system": _UCUM, "code": unit}
    return observation


def _laboratory(on: date) -> list[dict[str, Any]]:
    return [
        _quantity(name, _concept(_LOINC, code, display), value, unit, on)
        for name, code, display, value, unit in _LABORATORY
    ]


def _calcitonin(visits: tuple[date, date, date]) -> list[dict[str, Any]]:
    code = _concept(_LOINC, "1992-7", "Calcitonin [Mass/volume] in Serum or Plasma")
    dated = zip(_CALCITONIN_PG_ML, visits, strict=True)
    return [
        _quantity(f"calcitonin-{number}", code, value, "pg/mL", on) for number, (value, on) in enumerate(dated, start=1)
    ]


def _ecog(on: date) -> dict[str, Any]:
    observation = _observation("ecog", "survey", _concept(_LOINC, "89247-1", "ECOG Performance Status score"), on)
    observation["valueCodeableConcept"] = _concept(_LOINC, "LA9622-7", "Fully active")
    return observation


def _child_pugh(on: date) -> dict[str, Any]:
    observation = _observation("child-pugh", "survey", _concept(_LOINC, "98153-0", "Child-Pugh score"), on)
    observation["valueInteger"] = 5
    return observation


def _life_expectancy(on: date) -> dict[str, Any]:
    observation = _observation(
        "fact-life", "exam", _concept(FACT_SYSTEM, "life_expectancy_months", "life expectancy"), on
    )
    observation["valueQuantity"] = {"value": 24, "unit": "months", "system": _UCUM, "code": "mo"}
    return observation


def _stated(name: str, value: bool | str, on: date) -> dict[str, Any]:  # noqa: FBT001 - a value of FHIR, not a switch
    observation = _observation(f"fact-{name}", "exam", _concept(FACT_SYSTEM, name, name.replace("_", " ")), on)
    observation["valueBoolean" if isinstance(value, bool) else "valueString"] = value
    return observation


def _thyroidectomy(on: date) -> dict[str, Any]:
    return {
        "resourceType": "Procedure",
        "id": "demo-thyroidectomy",
        "status": "completed",
        "code": _concept(_SNOMED, "13619001", "Thyroidectomy"),
        "subject": {"reference": _PATIENT},
        "performedDateTime": on.isoformat(),
    }


def _vandetanib(since: date) -> dict[str, Any]:
    return {
        "resourceType": "MedicationRequest",
        "id": "demo-vandetanib",
        "status": "active",
        "intent": "order",
        "medicationCodeableConcept": _concept("http://www.whocc.no/atc", "L01EX04", "vandetanib"),
        "subject": {"reference": _PATIENT},
        "authoredOn": since.isoformat(),
    }
