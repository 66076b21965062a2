"""Feeds made-up patients to a service as a hospital would: the record by HTTP, a study on one association."""

import json
from collections.abc import Sequence
from pathlib import Path

import httpx
from pydicom import dcmread
from pydicom.dataset import Dataset

from connector.core.errors import Refused, TryLater
from connector.demo.record import Resource
from connector.dicom.pacs import judge_store
from connector.dicom.pacs_association import Pacs, Proposal, association
from connector.dicom.write_header import file_meta_of

_SECONDS = 30.0


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
    """Send the instances of a study by C-STORE on one association. Raises TryLater or Refused."""
    classes = dict.fromkeys(str(each.SOPClassUID) for each in instances)
    with association(to, [Proposal(uid) for uid in classes]) as opened:
        for each in instances:
            if not hasattr(each, "file_meta"):
                each.file_meta = file_meta_of(each)
            judge_store(opened.send_c_store(each).get("Status"))


def read_study(folder: Path) -> list[Dataset]:
    """Every DICOM file of a folder, at any depth."""
    return [dcmread(path) for path in sorted(folder.rglob("*.dcm"))]
