"""When treatments of the tumour began, as far as Procedures and orders say: what response is counted from."""

from collections.abc import Mapping, Sequence
from datetime import date

from connector.core.evidence import Observed
from connector.fhir.record_notes import RecordNotes, origin_of_all
from connector.fhir.resource import Json, day, items


def note_procedure(modality: str, procedure: Json, notes: RecordNotes) -> None:
    """Note a procedure or an administration with the day on which it began, None when it tells no day."""
    notes.treatments.append(Observed(modality, origin_of_all([procedure]), began(procedure)))


def note_orders(therapies: Mapping[str, Sequence[Json]], notes: RecordNotes) -> None:
    """
    Note when each systemic therapy began.

    A MedicationStatement tells it; one order alone was the beginning. Of several orders any may be a renewal, and then
    the beginning has no date.
    """
    for therapy, resources in sorted(therapies.items()):
        stated = [on for one in resources if one.get("resourceType") == "MedicationStatement" and (on := began(one))]
        on = max(stated) if stated else _ordered(resources)
        notes.treatments.append(Observed(therapy, origin_of_all(resources), on))


def began(resource: Json) -> date | None:
    """The first day of what was performed or was effective; an end alone says no beginning."""
    for name in ("performed", "effective"):
        period = items(resource, f"{name}Period")
        found = day(resource.get(f"{name}DateTime") or period.get("start"))
        if found is not None:
            return found
    return None


def _ordered(resources: Sequence[Json]) -> date | None:
    return day(resources[0].get("authoredOn")) if len(resources) == 1 else None
