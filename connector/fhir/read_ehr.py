"""Reads a record from the EHR itself, by searches over the one patient."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from connector.core.case import Identifier, RecordReading
from connector.core.errors import ImpossibleInput
from connector.core.evidence import Skipped
from connector.fhir.ehr import EhrClient, Json, Search
from connector.fhir.read_patient import carries, replaced_by, the_one
from connector.fhir.read_record import READ_TYPES, read_record
from connector.fhir.resource import items, reference_of, short_reference

_MEDICATION_ORDERS = ("MedicationRequest", "MedicationStatement")


class EhrRecordSource:
    """A RecordSource over an EHR."""

    def __init__(
        self, client: EhrClient, *, beside: Callable[[Sequence[Identifier]], list[Json]] | None = None
    ) -> None:
        """`beside` gives Observations without subject that came another way, by the identifiers of the patient."""
        self._client = client
        self._beside = beside

    def read(self, identifiers: Sequence[Identifier]) -> RecordReading:
        """Find the one patient and read the record. Raises ImpossibleInput (none, several), TryLater or Refused."""
        patient = self._patient(identifiers)
        capabilities = self._client.capabilities()
        offered = [kind for kind in READ_TYPES if capabilities.reads(kind)]
        asked: list[Search] = [(kind, (("patient", reference_of(patient)), ("_count", "100"))) for kind in offered]
        first = self._client.first_pages(asked)
        resources = [one for search in asked for one in self._client.search(*search, first=first.get(search))]
        about = {"subject": {"reference": reference_of(patient)}}
        kept = [{**one, **about} for one in self._beside(identifiers)] if self._beside else []
        reading = read_record([*resources, *self._medications(resources), *kept], patient=patient)
        unread = tuple(Skipped(kind, "the EHR does not offer this resource type") for kind in READ_TYPES
                       if kind not in offered)  # fmt: skip
        return replace(reading, skipped=(*reading.skipped, *unread))

    def _patient(self, identifiers: Sequence[Identifier]) -> Json:
        found: dict[str, Json] = {}
        for identifier in identifiers:
            token = _escaped(identifier.value)
            if identifier.system is not None:
                token = f"{_escaped(identifier.system)}|{token}"
            for patient in self._client.search("Patient", [("identifier", token)]):
                # A server may match loosely (case, old identifiers): only an exact match in use is the patient.
                if carries(patient, identifier):
                    found[reference_of(patient)] = patient
        for patient in list(found.values()):
            self._follow_merges(patient, found)
        return dict(the_one(list(found.values()), identifiers))

    def _follow_merges(self, patient: Json, found: dict[str, Json]) -> None:
        target = replaced_by(patient)
        while target is not None and target not in found:
            if not target.startswith("Patient/"):
                raise ImpossibleInput("the patient was merged into something that is no patient: resolve it in the EHR")
            found[target] = self._client.read(target)
            target = replaced_by(found[target])

    def _medications(self, resources: Sequence[Json]) -> list[Json]:
        """Medications that orders refer to, since their code tells what is given."""
        references = {
            short_reference(reference)
            for resource in resources
            if resource["resourceType"] in _MEDICATION_ORDERS
            and isinstance(reference := items(resource, "medicationReference").get("reference"), str)
            and not reference.startswith("#")
        }
        return [self._client.read(reference) for reference in sorted(references) if reference.startswith("Medication/")]


def _escaped(text: str) -> str:
    """A value inside a token search (FHIR R4, search.html 3.1.1.5.3)."""
    for character in ("\\", "$", ",", "|"):
        text = text.replace(character, f"\\{character}")
    return text
