"""Lays a patient's documents over each other: what an EHR that takes everything would hold of ours."""

import json
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from connector.fhir.identity import DICOM_UID_SYSTEM, IDENTIFIER_SYSTEM, full_url
from connector.fhir.ladder import OUR_KINDS
from connector.fhir.reconcile import Plan, State, about, own_identifier, reconcile
from connector.fhir.resource import Json, members, replaced, study_day_of
from connector.fhir.write_retraction import marked

Resource = dict[str, Any]
SERVED_KINDS = tuple(kind for kind in OUR_KINDS if kind != "Communication")  # it is made for one EHR only
_URN = "urn:uuid:"


@dataclass(frozen=True, slots=True)
class Kept:
    """One FHIR document of the ledger and when it was made (seconds since the epoch)."""

    content: bytes
    made_at: float
    is_rejected: bool = False  # a person marked its study as a wrong patient's


def resource_ids(content: bytes) -> list[str]:
    """The ids under which the resources of a document are served."""
    return [_id_of(str(entry["fullUrl"])) for entry in json.loads(content)["entry"]]


def id_of(kind: str, identifier: str) -> str:
    """The id under which the resource with our identifier is served: the same on any machine."""
    return _id_of(full_url(kind, identifier))


def shelved(documents: Sequence[Kept]) -> dict[str, Resource]:
    """
    The resources of one patient by `Type/id`, from the oldest document to the newest.

    The rules are those of a delivery: a changed result replaces, a later study's plan revokes an earlier draft, each
    change has its Provenance. References between them are relative, the others stay as they are.
    """
    held: dict[str, Resource] = {}
    for document in documents:
        if document.is_rejected:
            continue
        entries = json.loads(document.content, parse_float=Decimal)["entry"]
        places = {str(one["fullUrl"]): _place(one) for one in entries}
        patients = {about(one["resource"]) for one in entries} | {None}
        # What was written under another reference, before the EHR merged two records, is written anew.
        of_patient = {place: one for place, one in held.items() if about(one) in patients}
        current = {url: of_patient[place] for url, place in places.items() if place in of_patient}
        ours = [one for one in of_patient.values() if own_identifier(one) and about(one) is not None]
        _keep(held, reconcile(entries, State(current, ours), study_day_of(entries)), places, document.made_at)
    return held


def retracted(documents: Sequence[Kept], held: Mapping[str, Resource]) -> dict[str, Resource]:
    """
    The resources of studies that are a wrong patient's, by `Type/id`, as entered in error.

    Who knows an id of one is told so; what another study of the patient has too is `held` and stands.
    """
    wrong: dict[str, Resource] = {}
    for document in documents:
        if not document.is_rejected:
            continue
        entries = json.loads(document.content, parse_float=Decimal)["entry"]
        places = {str(one["fullUrl"]): _place(one) for one in entries}
        for entry in entries:
            place = places[str(entry["fullUrl"])]
            if place in held or entry["resource"]["resourceType"] in ("Device", "Provenance"):
                continue
            resource = marked(replaced(entry["resource"], places))
            meta = {
                **resource.get("meta", {}),
                "versionId": "entered-in-error",
                "lastUpdated": _moment(document.made_at),
            }
            wrong[place] = {**resource, "id": place.rpartition("/")[2], "meta": meta}
    return wrong


def _keep(held: dict[str, Resource], plan: Plan, places: Mapping[str, str], made_at: float) -> None:
    stamp = _moment(made_at)
    for write in plan.writes:
        kind = write.resource["resourceType"]
        place = f"{kind}/{write.current['id']}" if write.current else places[write.full_url]
        version = str(int(held[place]["meta"]["versionId"]) + 1) if place in held else "1"
        resource = replaced(write.resource, places)
        meta = {**resource.get("meta", {}), "versionId": version, "lastUpdated": stamp}
        held[place] = {**resource, "id": place.rpartition("/")[2], "meta": meta}


def _moment(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def answered(resource: Json, *, ours: Iterable[str], ehr_url: str) -> Resource:
    """The resource as it leaves: references to what the EHR holds are absolute, so that nobody looks for them here."""
    known = set(ours)

    def absolute(value: Any) -> Any:
        if isinstance(value, Mapping):
            return {
                name: f"{ehr_url}/{one}"
                if name == "reference"
                and isinstance(one, str)
                and ":" not in one
                and one not in known
                and one[:1] != "#"
                else absolute(one)
                for name, one in value.items()
            }
        return [absolute(one) for one in value] if isinstance(value, list) else value

    answer: Resource = absolute(resource)
    return answer


def wanted_id(kind: str, token: str) -> str | None:
    """The id that an `identifier` search means, None when the system is not one of ours; a lesion's UID counts too."""
    system, bar, value = token.rpartition("|")
    if kind == "BodyStructure" and system == DICOM_UID_SYSTEM:
        return id_of(kind, f"lesion:{value.removeprefix('urn:oid:')}")
    return id_of(kind, value) if not bar or system == IDENTIFIER_SYSTEM else None


def carries(resource: Json, token: str) -> bool:
    """Whether a resource has the identifier of a token search."""
    system, bar, value = token.rpartition("|")
    return any(
        one.get("value") == value and (not bar or one.get("system", "") == system)
        for one in members(resource, "identifier")
    )


def _id_of(url: str) -> str:
    return str(uuid.UUID(url.removeprefix(_URN)))


def _place(entry: Json) -> str:
    return f"{entry['resource']['resourceType']}/{_id_of(str(entry['fullUrl']))}"
