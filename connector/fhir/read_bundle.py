"""Reads a record from one FHIR R4 Bundle, as a file or an export carries it."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from connector.core.case import Identifier, RecordReading
from connector.core.errors import ImpossibleInput
from connector.fhir.read_patient import replaced_by, the_one
from connector.fhir.read_record import READ_TYPES, read_record
from connector.fhir.resource import Json, items, members, patient_of, reference_of

PATIENT_BY_IDENTIFIER = "Patient?identifier="
_BUNDLE_TYPES = frozenset({"collection", "searchset", "document", "transaction", "batch", "history"})
# Elements that exist in one release only, by resource type: what tells that a Bundle is not R4.
_NOT_R4: Mapping[str, tuple[tuple[str, str], ...]] = {
    "Procedure": (("occurrenceDateTime", "R5"), ("occurrencePeriod", "R5"), ("recorded", "R5"), ("notDone", "STU3")),
    "MedicationRequest": (("medication", "R5"),),
    "MedicationStatement": (("medication", "R5"), ("taken", "STU3")),
    "MedicationAdministration": (("medication", "R5"), ("occurenceDateTime", "R5"), ("notGiven", "STU3")),
    "Observation": (("instantiatesCanonical", "R5"), ("triggeredBy", "R5"), ("context", "STU3"), ("comment", "STU3")),
    "Condition": (("participant", "R5"), ("context", "STU3"), ("assertedDate", "STU3")),
    "AllergyIntolerance": (("participant", "R5"), ("assertedDate", "STU3")),
    "Patient": (("animal", "STU3"),),
}
_CONCEPTS_IN_R4 = (("Condition", "clinicalStatus"), ("Condition", "verificationStatus"),
                   ("AllergyIntolerance", "clinicalStatus"), ("AllergyIntolerance", "verificationStatus"))  # fmt: skip


def resources_of(bundle: Any) -> list[Json]:
    """
    The resources of an R4 Bundle, each with an id.

    A resource without id takes that of its `urn:uuid:` fullUrl, and references to the urn are read as references to it.
    Raises ImpossibleInput when this is no Bundle, or not R4.
    """
    if not isinstance(bundle, Mapping) or bundle.get("resourceType") != "Bundle":
        raise ImpossibleInput('the record is not a FHIR Bundle: its "resourceType" must be "Bundle"')
    if bundle.get("type") not in _BUNDLE_TYPES or not isinstance(bundle.get("entry", []), list):
        raise ImpossibleInput(f"the Bundle is not FHIR R4: type is {bundle.get('type')!r}, entry must be a list")
    found: list[Json] = []
    names: dict[str, str] = {}
    for number, entry in enumerate(bundle.get("entry", [])):
        resource = entry.get("resource") if isinstance(entry, Mapping) else None
        if resource is None and isinstance(entry, Mapping):
            continue  # an entry of a deletion or a response has no resource
        if not isinstance(resource, Mapping) or not isinstance(resource.get("resourceType"), str):
            raise ImpossibleInput(f"the Bundle is not FHIR R4: entry {number} has no resource with a resourceType")
        _require_r4(resource, number)
        full_url = entry.get("fullUrl")
        if isinstance(full_url, str) and full_url.startswith("urn:"):
            resource = {"id": full_url.rsplit(":", 1)[-1], **resource}
            names[full_url] = reference_of(resource)
        found.append(resource)
    return [_with_names(resource, names) for resource in found] if names else found


class BundleRecordSource:
    """A RecordSource over one Bundle; a Bundle about two patients is refused as a whole."""

    def __init__(self, bundle: Any) -> None:
        self._resources = resources_of(bundle)
        self._has_ids = all("id" in items(entry, "resource") for entry in members(bundle, "entry"))

    def read(self, identifiers: Sequence[Identifier]) -> RecordReading:
        """Find the one patient of the Bundle. Raises ImpossibleInput: none, another, or several patients."""
        patients = [one for one in self._resources if one.get("resourceType") == "Patient"]
        living = [one for one in patients if replaced_by(one) is None]
        if len({reference_of(one) for one in living}) > 1:
            raise ImpossibleInput("the Bundle holds several patients: give the record of one")
        patient = the_one(patients, identifiers)
        known = {reference_of(one) for one in patients}
        for resource in self._resources:
            about = patient_of(resource) if resource.get("resourceType") in READ_TYPES else None
            if about is not None and about not in known:
                raise ImpossibleInput(f"{reference_of(resource)} is about a patient who is not in the Bundle")
        reading = read_record(self._resources, patient=patient)
        if self._has_ids or not reading.identity.identifiers:
            return reading
        # A patient without id has no address in the EHR, so that a writer refers to it by identifier.
        first = next((one for one in reading.identity.identifiers if one.system), None)
        if first is None:
            return reading
        return replace(reading, patient_reference=f"{PATIENT_BY_IDENTIFIER}{first.system}|{first.value}")


def _require_r4(resource: Json, number: int) -> None:
    kind = resource["resourceType"]
    for element, release in _NOT_R4.get(kind, ()):
        if element in resource:
            raise ImpossibleInput(f"entry {number} ({kind}.{element}) is FHIR {release}: export the record as R4 4.0.1")
    for concept_kind, element in _CONCEPTS_IN_R4:
        if kind == concept_kind and isinstance(resource.get(element), str):
            raise ImpossibleInput(f"entry {number} ({kind}.{element}) is FHIR STU3: export the record as R4 4.0.1")


def _with_names(value: Any, names: Mapping[str, str]) -> Any:
    """Replace references to a urn by the name of the resource that carries it."""
    if isinstance(value, Mapping):
        return {
            key: names.get(member, member) if key == "reference" and isinstance(member, str)
            else _with_names(member, names)
            for key, member in value.items()
        }  # fmt: skip
    if isinstance(value, list):
        return [_with_names(member, names) for member in value]
    return value
