"""Fits a transaction to the way its EHR is written: what it does not take goes into a document and a message."""

from collections.abc import Mapping, Sequence
from typing import Any

from connector.fhir.identity import IDENTIFIER_SYSTEM, full_url
from connector.fhir.ladder import Rung, Way
from connector.fhir.reconcile import own_identifier
from connector.fhir.resource import Json
from connector.fhir.write_board import as_message
from connector.fhir.write_document_reference import with_resources

Resource = dict[str, Any]


def fitted(entries: Sequence[Json], way: Way) -> tuple[list[Resource], list[str]]:
    """
    The entries to write, and what a person should know.

    References to what is left out stay as identifiers, under which our own FHIR endpoint serves it.
    """
    wanted = [dict(entry) for entry in entries]
    notes = []
    if way.rung in (Rung.RESULTS, Rung.DOCUMENT) and "DocumentReference" in way.kinds:
        wanted = _with_document(wanted)
        notes.append("the document holds the FHIR resources")
    if "Communication" in way.kinds:
        wanted = _with_message(wanted)
    kinds = sorted({entry["resource"]["resourceType"] for entry in wanted} - way.kinds)
    return taken(wanted, way), [*(f"the EHR does not take {kind}" for kind in kinds), *notes]


def taken(entries: Sequence[Resource], way: Way) -> list[Resource]:
    """The entries that the EHR takes; their references to the others are by identifier."""
    missing = [entry for entry in entries if entry["resource"]["resourceType"] not in way.kinds]
    logical = {
        str(entry["fullUrl"]): {
            "type": entry["resource"]["resourceType"],
            "identifier": {"system": IDENTIFIER_SYSTEM, "value": own_identifier(entry["resource"])},
        }
        for entry in missing
    }
    return [_with_logical(entry, logical) for entry in entries if entry not in missing]


def _with_document(entries: Sequence[Resource]) -> list[Resource]:
    document = with_resources(entries)
    return _placed(entries, document, before="Task")


def _with_message(entries: Sequence[Resource]) -> list[Resource]:
    found = {entry["resource"]["resourceType"]: entry["resource"] for entry in entries}
    if "Task" not in found:
        return list(entries)
    return _placed(entries, as_message(found["Task"], found.get("DocumentReference")), before="Provenance")


def _placed(entries: Sequence[Resource], resource: Resource, *, before: str) -> list[Resource]:
    """The entries with the resource in its place; one of the same kind gives way to it."""
    url = full_url(resource["resourceType"], own_identifier(resource) or "")
    entry = {"fullUrl": url, "resource": resource}
    others = [one for one in entries if one["resource"]["resourceType"] != resource["resourceType"]]
    kinds = [one["resource"]["resourceType"] for one in others]
    at = next((place for place, kind in enumerate(kinds) if kind in (before, "Provenance")), len(others))
    placed = [*others[:at], entry, *others[at:]]
    return [_naming(one, url) for one in placed]


def _naming(entry: Resource, url: str) -> Resource:
    """A Provenance names the added resource too."""
    resource = entry["resource"]
    if resource["resourceType"] != "Provenance" or {"reference": url} in resource["target"]:
        return entry
    return {**entry, "resource": {**resource, "target": [*resource["target"], {"reference": url}]}}


def _with_logical(value: Any, logical: Mapping[str, Resource]) -> Any:
    if isinstance(value, dict):
        reference = value.get("reference")  # of an activity it is a Reference itself
        if isinstance(reference, str) and reference in logical:
            return {**{key: one for key, one in value.items() if key != "reference"}, **logical[reference]}
        return {key: _with_logical(one, logical) for key, one in value.items()}
    return [_with_logical(one, logical) for one in value] if isinstance(value, list) else value
