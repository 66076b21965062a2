"""The parts every outgoing resource is made of: identifier, AI label, codes, quantities, references, narrative."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from html import escape
from typing import Any

from fhir.resources.R4B.bundle import Bundle
from pydantic import ValidationError

from connector.core.assessment import Assessment
from connector.core.case import RecordReading, TimePoint
from connector.fhir.identity import CODE_SYSTEM, DICOM_UID_SYSTEM, IDENTIFIER_SYSTEM, OUR_NAME, full_url
from connector.fhir.read_bundle import PATIENT_BY_IDENTIFIER
from connector.fhir.ucum import SYSTEM as UCUM
from connector.terminology import Concept

Resource = dict[str, Any]

# HL7 v3 ObservationValue: "Artificial Intelligence asserted"; labels data that no person has checked.
AI_ASSERTED = {
    "system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue",
    "code": "AIAST",
    "display": "Artificial Intelligence asserted",
}


@dataclass(frozen=True, slots=True)
class Case:
    """What every resource of one transaction is written from."""

    assessment: Assessment
    record: RecordReading

    @property
    def subject(self) -> Resource:
        """The patient: by address in the EHR, or by identifier when the record came as a file without addresses."""
        reference = self.record.patient_reference
        if not reference.startswith(PATIENT_BY_IDENTIFIER):
            return {"reference": reference}
        system, _, value = reference.removeprefix(PATIENT_BY_IDENTIFIER).partition("|")
        return {"type": "Patient", "identifier": {"system": system, "value": value}}

    @property
    def assessed(self) -> TimePoint | None:
        """The time point that was assessed."""
        study = self.assessment.study_instance_uid
        return next((one for one in self.assessment.time_points if one.study_instance_uid == study), None)

    @property
    def day(self) -> str:
        """The day of the assessment; stands for the clock, so that equal input gives equal bytes."""
        return self.assessment.assessed_on.isoformat()

    @property
    def study_day(self) -> str:
        """The day of the assessed study, or of the assessment when no image was read."""
        return self.assessed.studied_on.isoformat() if self.assessed else self.day

    @property
    def device(self) -> Resource:
        """Reference to our Device."""
        return {"reference": full_url("Device", device_identifier(self.assessment))}

    def of_study(self, slot: str) -> str:
        """An identifier that stays while results of the study change: the resource is replaced in place."""
        return f"{self.assessment.study_instance_uid}:{slot}"

    def of_result(self, slot: str) -> str:
        """An identifier that changes with the inputs: a changed result is a new resource."""
        return f"{self.assessment.study_instance_uid}:{self.assessment.input_digest[:16]}:{slot}"


def device_identifier(assessment: Assessment) -> str:
    """The identifier of the Device that stands for this software in this version."""
    return f"device:{OUR_NAME}:{assessment.connector_version}"


def new(resource_type: str, identifier: str, *, says: Sequence[str], **elements: Any) -> Resource:
    """
    One resource with our identifier.

    `says` becomes the narrative; empty elements are left out.
    """
    resource: Resource = {
        "resourceType": resource_type,
        "text": narrative(says),
        "identifier": [{"system": IDENTIFIER_SYSTEM, "value": identifier}, *elements.pop("identifiers", ())],
        **{name: value for name, value in elements.items() if value not in (None, [], {}, "")},
    }
    if resource_type != "Device":  # the software itself is not asserted by software
        resource["meta"] = {"security": [AI_ASSERTED]}
    return resource


def checked(bundle: Resource) -> Resource:
    """
    The Bundle as it is, after the R4B models accepted it and each resource in it.

    R4B is identical to R4 for every type and element used here; the models' own JSON is not used, since it loses the
    digits of decimals. Raises ValueError when a model refuses, which is a fault of ours.
    """
    try:
        Bundle.model_validate(bundle)
    except ValidationError as fault:
        first = fault.errors(include_input=False)[0]  # the input may be a patient's
        place = ".".join(str(part) for part in first["loc"])
        raise ValueError(f"what we wrote is not R4 at {place} ({first['type']}): report it") from None
    return bundle


def narrative(lines: Sequence[str]) -> Resource:
    """What the resource says, for a reader without our software."""
    body = "".join(f"<p>{escape(line)}</p>" for line in lines)
    return {"status": "generated", "div": f'<div xmlns="http://www.w3.org/1999/xhtml">{body}</div>'}


def concept(*codes: Concept, text: str | None = None, local: str | None = None) -> Resource:
    """A CodeableConcept; `local` adds one of our own codes, whose meaning is the text."""
    codings: list[Resource] = [{"system": code.system, "code": code.code, "display": code.meaning} for code in codes]
    words = text or (codes[0].meaning if codes else "")
    if local:
        codings.append({"system": CODE_SYSTEM, "code": local, "display": words})
    return {**({"coding": codings} if codings else {}), "text": words}


def category(code: str, system: str = "http://terminology.hl7.org/CodeSystem/observation-category") -> list[Resource]:
    """An Observation category."""
    return [{"coding": [{"system": system, "code": code}]}]


def quantity(value: Decimal, unit: str) -> Resource:
    """A quantity with its UCUM unit, the digits kept."""
    return {"value": value, "unit": unit, "system": UCUM, "code": unit}


def component(code: Resource, value: Decimal | None, unit: str) -> list[Resource]:
    """A component, or none when the value is not known."""
    return [] if value is None else [{"code": code, "valueQuantity": quantity(value, unit)}]


def dicom_reference(uid: str, display: str, resource_type: str | None = None) -> Resource:
    """A logical reference to a DICOM object by UID; the archive, not the EHR, holds it."""
    return {
        **({"type": resource_type} if resource_type else {}),
        "identifier": {"system": DICOM_UID_SYSTEM, "value": f"urn:oid:{uid}"},
        "display": display,
    }


def study_reference(case: Case) -> Resource:
    """The assessed study."""
    return dicom_reference(case.assessment.study_instance_uid, "Assessed study", "ImagingStudy")


def reference_to(resource: Mapping[str, Any]) -> Resource:
    """A reference to another resource of the same transaction."""
    return {"reference": full_url(resource["resourceType"], resource["identifier"][0]["value"])}
