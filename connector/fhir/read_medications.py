"""Reads MedicationRequests and MedicationStatements: which systemic therapy runs, and whether it is held."""

from collections.abc import Mapping, Sequence
from datetime import date

from connector.fhir.read_treatments import note_orders
from connector.fhir.record_notes import RecordNotes
from connector.fhir.resource import ATC, Json, codes_in, day, items, short_reference, timing, words

# WHO Collaborating Centre for Drug Statistics Methodology, ATC index: L01E protein kinase inhibitors.
_BY_ATC: Mapping[str, str] = {
    "L01EX02": "sorafenib", "L01EX04": "vandetanib", "L01EX07": "cabozantinib", "L01EX08": "lenvatinib",
    "L01EX22": "selective_ret", "L01EX23": "selective_ret",
}  # fmt: skip
_BY_INGREDIENT: Mapping[str, str] = {
    "sorafenib": "sorafenib", "vandetanib": "vandetanib", "cabozantinib": "cabozantinib", "lenvatinib": "lenvatinib",
    "selpercatinib": "selective_ret", "pralsetinib": "selective_ret",
}  # fmt: skip
_OTHER_TARGETED = "L01E"
_CYTOTOXIC = ("L01A", "L01B", "L01C", "L01D")
_ANTI_VEGF = frozenset({"sorafenib", "vandetanib", "cabozantinib", "lenvatinib"})
_GIVEN = frozenset({"active", "completed", "on-hold", "stopped"})


def read_medications(resources: Sequence[Json], medications: Mapping[str, Json], notes: RecordNotes) -> None:
    """
    Note the systemic therapy.

    `medications` are Medication resources by reference. Orders in status active run; on-hold ones are interrupted and
    still count as the current therapy. No order never states that there is no therapy.
    """
    running: dict[str, list[Json]] = {}
    given: dict[str, list[Json]] = {}
    for resource in resources:
        concept = _concept(resource, medications)
        therapy = therapy_named(concept)
        cytotoxic = any(code.startswith(_CYTOTOXIC) for code in codes_in(concept, ATC))
        if therapy is None and not cytotoxic:
            continue
        status = resource.get("status")
        if resource.get("intent") in ("proposal", "plan", "option") or status not in _GIVEN:
            notes.skip(resource, f"systemic therapy: status {status!r}, intent {resource.get('intent')!r}: not given")
            continue
        given.setdefault(therapy or "chemotherapy", []).append(resource)
        if cytotoxic:
            notes.state("prior_chemotherapy", True, [resource], _since(resource))
        elif therapy and status in ("active", "on-hold"):
            running.setdefault(therapy, []).append(resource)
    note_orders(given, notes)
    _conclude(running, notes)


def _conclude(running: Mapping[str, Sequence[Json]], notes: RecordNotes) -> None:
    if len(running) > 1:
        for resources in running.values():
            for resource in resources:
                notes.skip(resource, f"systemic_therapy_current: several run at once ({', '.join(sorted(running))})")
        return
    for therapy, resources in running.items():
        since = max((one for one in map(_since, resources) if one), default=None)
        notes.state("systemic_therapy_current", therapy, resources, since)
        held = [resource for resource in resources if resource.get("status") == "on-hold"]
        if therapy in _ANTI_VEGF and len(held) == len(resources):
            notes.state("tki_interruption_planned", True, held, since)


def _concept(resource: Json, medications: Mapping[str, Json]) -> Json:
    concept = items(resource, "medicationCodeableConcept")
    if concept:
        return concept
    reference = items(resource, "medicationReference").get("reference")
    if not isinstance(reference, str):
        return {}
    if reference.startswith("#"):
        contained = [one for one in resource.get("contained", ()) if one.get("id") == reference[1:]]
        return items(contained[0], "code") if contained else {}
    return items(medications.get(short_reference(reference), {}), "code")


def therapy_named(concept: Json) -> str | None:
    """The targeted therapy that a medication's code or words name, None when it is not one."""
    atc = codes_in(concept, ATC)
    found = {_BY_ATC[code] for code in atc if code in _BY_ATC}
    found |= {therapy for name, therapy in _BY_INGREDIENT.items() if name in words(concept)}
    if len(found) == 1:
        return found.pop()
    return "other" if found or any(code.startswith(_OTHER_TARGETED) for code in atc) else None


def _since(resource: Json) -> date | None:
    return day(resource.get("authoredOn") or timing(resource, "effective") or resource.get("dateAsserted"))
