"""Writes the retraction of a study that is a wrong patient's: all that was made of it, as entered in error."""

import json
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from hashlib import sha256
from typing import Any

from connector.fhir.identity import CODE_SYSTEM, canonical_json, full_url
from connector.fhir.reconcile import RETRACTION, about
from connector.fhir.resource import Json, items, members
from connector.fhir.write_resource import Resource, checked, narrative, new, reference_to
from connector.ports import Document, Withdrawal

ENTERED_IN_ERROR = "entered-in-error"
KIND = RETRACTION
# Tag of a retraction of what the EHR surely took; without it nothing may be there to take back.
ARRIVED = "arrived"
RETRACT = "Retract what stands on the images of a wrong patient"
_SAYS = "Entered in error: the images that this stands on are not this patient's. Do not use it."
# Of each type the element that says so, by its R4 value set; a BodyStructure has no status.
_MARK: Mapping[str, tuple[str, Any]] = {
    **dict.fromkeys(
        ("CarePlan", "Communication", "DetectedIssue", "DocumentReference", "Observation", "RiskAssessment",
         "ServiceRequest", "Task"),
        ("status", ENTERED_IN_ERROR),
    ),
    "Goal": ("lifecycleStatus", ENTERED_IN_ERROR),
    "BodyStructure": ("active", False),
}  # fmt: skip
MARKED_KINDS = frozenset(_MARK)
_PARTICIPANTS = "http://terminology.hl7.org/CodeSystem/provenance-participant-type"
_PATIENT_SAFETY = {"system": "http://terminology.hl7.org/CodeSystem/v3-ActReason", "code": "PATSFTY"}
_OPERATIONS = "http://terminology.hl7.org/CodeSystem/v3-DataOperation"


def marked(resource: Json) -> Resource:
    """The resource with what is inside it as entered in error; what it said stays, its narrative warns of it."""
    element, value = _MARK[str(resource["resourceType"])]
    changed: Resource = {**resource, element: value}
    if "text" in resource:
        changed["text"] = narrative([_SAYS])
    inside = [marked(one) for one in members(resource, "contained")]
    if inside:
        changed["contained"] = inside
    details = members(resource, "activity")
    if details:
        changed["activity"] = [
            {**one, "detail": {**one["detail"], "status": ENTERED_IN_ERROR}} if "detail" in one else one
            for one in details
        ]
    return changed


def surely_arrived(bundle: Json) -> bool:
    """Whether something that a retraction takes back was surely written into the EHR."""
    return any(tag.get("code") == ARRIVED for tag in members(items(bundle, "meta"), "tag"))


def is_marked(resource: Json) -> bool:
    """Whether the resource stands as entered in error."""
    element, value = _MARK.get(str(resource.get("resourceType")), ("status", ENTERED_IN_ERROR))
    return bool(resource.get(element) == value)


class RetractionWriter:
    """
    A Withdrawer of `retraction` documents, one for each patient of the EHR that the study was written to.

    A lesion that another study of the patient has too stays as it is, and so does our Device.
    """

    def withdraw(self, withdrawal: Withdrawal) -> Sequence[Document]:
        """Make the retractions; none when no FHIR document was sent."""
        sent = [one for one in withdrawal.documents if one.kind == "fhir"]
        shared = {str(entry["fullUrl"]) for one in withdrawal.others for entry in _entries(one)}
        newest = {str(entry["fullUrl"]): entry for one in sent for entry in _entries(one)}
        ours: dict[str, list[Json]] = {}
        for url, entry in newest.items():
            patient = about(entry["resource"])
            if patient and url not in shared and "identifier" in entry["resource"]:
                ours.setdefault(patient, []).append(entry)
        devices = [one for one in newest.values() if one["resource"]["resourceType"] == "Device"]
        return [_document(withdrawal, [*devices[-1:], *entries]) for _, entries in sorted(ours.items())]


def _document(withdrawal: Withdrawal, entries: Sequence[Json]) -> Document:
    study, marked_at = withdrawal.study_instance_uid, withdrawal.marked_at.isoformat(timespec="seconds")
    kept = [
        {"fullUrl": one["fullUrl"], "resource": _made(one["resource"]), "request": one["request"]} for one in entries
    ]
    resources = [one["resource"] for one in kept]
    device = {"reference": str(entries[0]["fullUrl"])}
    task = _task(study, about(resources[-1]) or "", device, marked_at)
    targets = [reference_to(one) for one in (*resources[1:], task)]
    for resource in (task, _provenance(targets, device, marked_at, by=withdrawal.by)):
        url = (
            reference_to(resource)["reference"]
            if "identifier" in resource
            else full_url(resource["resourceType"], sha256(canonical_json(resource)).hexdigest())
        )
        request = {"method": "POST", "url": resource["resourceType"]}
        kept.append({"fullUrl": url, "resource": resource, "request": request})
    bundle: Resource = {"resourceType": "Bundle", "type": "transaction", "entry": kept}
    if any(one.kind == "fhir" and one.identity in withdrawal.arrived for one in withdrawal.documents):
        bundle["meta"] = {"tag": [{"system": CODE_SYSTEM, "code": ARRIVED}]}
    content = canonical_json(checked(bundle))
    return Document(KIND, "ehr", f"{KIND}:{study}:{sha256(content).hexdigest()[:32]}", content, study)


def _made(resource: Json) -> Resource:
    return dict(resource) if resource["resourceType"] == "Device" else marked(resource)


def _task(study: str, patient: str, device: Resource, marked_at: str) -> Resource:
    """What asks a person to retract what only a person may, since a clinician edited or activated it."""
    day = marked_at[: len("2026-01-31")]
    moment = "".join(filter(str.isdecimal, marked_at))[: len("20260131093000")]
    return new(
        "Task",
        # By the mark: a study that is marked again, after the first mark was taken back, is asked for again.
        f"{study}:{moment}:{KIND}",
        says=[RETRACT, _SAYS],
        status="requested",
        intent="order",
        priority="urgent",
        code={"text": RETRACT},
        description=_SAYS,
        **{"for": {"reference": patient}},
        authoredOn=day,
        lastModified=day,
        requester=device,
    )


def _provenance(targets: list[Resource], device: Resource, marked_at: str, *, by: str) -> Resource:
    """Who nullified what, and when; an act of a person who signed in here, done by the software."""
    return {
        "resourceType": "Provenance",
        "target": targets,
        "recorded": marked_at,
        "activity": {"coding": [{"system": _OPERATIONS, "code": "NULLIFY", "display": "nullify"}]},
        "reason": [{"coding": [_PATIENT_SAFETY], "text": "The images are not this patient's"}],
        "agent": [
            {"type": {"coding": [{"system": _PARTICIPANTS, "code": "performer"}]}, "who": device},
            {"type": {"coding": [{"system": _PARTICIPANTS, "code": "author"}]}, "who": {"display": by}},
        ],
    }


def _entries(document: Document) -> Iterator[Json]:
    yield from json.loads(document.content, parse_float=Decimal)["entry"]
