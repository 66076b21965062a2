"""Feeds made-up patients to a service as a hospital would: the record by HTTP, a study on one association."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import httpx
from pydicom import dcmread
from pydicom.dataset import Dataset

from connector.core.errors import Refused, TryLater
from connector.demo.record import Resource
from connector.dicom.pacs import judge_store
from connector.dicom.pacs_association import Pacs, Proposal, association
from connector.dicom.write_header import file_meta_of

_SECONDS = 20.0
_MOST_ATTEMPTS = 3


def send_record(fhir_url: str, bundle: bytes) -> None:
    """PUT every resource of a Bundle to a FHIR server. Raises TryLater or Refused."""
    for entry in json.loads(bundle)["entry"]:
        put_resource(fhir_url, entry["resource"])


def put_resource(fhir_url: str, resource: Resource) -> None:
    """PUT one resource under its id. Raises TryLater (no answer) or Refused (it does not take it)."""
    try:
        answer = httpx.put(f"{fhir_url}/{resource['resourceType']}/{resource['id']}", json=resource, timeout=_SECONDS)
    except httpx.HTTPError as fault:
        raise TryLater(f"the FHIR server at {fhir_url} does not answer ({type(fault).__name__}): start it") from fault
    if not answer.is_success:
        raise Refused(f"the FHIR server at {fhir_url} answers {answer.status_code} to {resource['resourceType']}")


def send_study(to: Pacs, instances: Sequence[Dataset]) -> None:
    """
    Send the instances of a study by C-STORE on one association. Raises TryLater or Refused.

    What was not answered is sent again on a new association: a busy sender of pynetdicom may lose an answer between its
    two threads, and the same instance twice is one instance to the receiver.
    """
    for each in instances:
        if not hasattr(each, "file_meta"):
            each.file_meta = file_meta_of(each)
    waiting = list(instances)
    for attempt in range(1, _MOST_ATTEMPTS + 1):
        try:
            _send(replace(to, answer_seconds=_SECONDS), waiting)
        except TryLater:
            if attempt == _MOST_ATTEMPTS:
                raise
        else:
            return


def _send(to: Pacs, waiting: list[Dataset]) -> None:
    """Send what waits; what is answered waits no more."""
    classes = dict.fromkeys(str(each.SOPClassUID) for each in waiting)
    with association(to, [Proposal(uid) for uid in classes]) as opened:
        while waiting:
            judge_store(opened.send_c_store(waiting[0]).get("Status"))
            waiting.pop(0)


def read_study(folder: Path) -> list[Dataset]:
    """Every DICOM file of a folder, at any depth."""
    return [dcmread(path) for path in sorted(folder.rglob("*.dcm"))]
