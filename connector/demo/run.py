"""`connector demo`: the service and an archive on this machine, a bundled case in, a table of what came out."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import httpx
from pydantic import SecretStr

from connector.demo.archive import ARCHIVE_AE_TITLE, Archive
from connector.demo.case import build
from connector.demo.record_store import Json
from connector.dicom.pacs import PacsDestination
from connector.dicom.pacs_association import Pacs
from connector.ports import Document
from connector.service import Service
from connector.settings import Settings

_LONGEST_SECONDS = 120.0
_REPORT = "1.2.840.10008.5.1.4.1.1.88.34"
_DICOM_OUT = {
    _REPORT: "measurement reports (SR)",
    "1.2.840.10008.5.1.4.1.1.481.2": "dose maps (RT Dose)",
    "1.2.840.10008.5.1.4.1.1.88.68": "administrations (Radiopharmaceutical Radiation Dose SR)",
    "1.2.840.10008.5.1.4.1.1.104.1": "board reports (PDF)",
}
_FHIR_OUT = (
    "CarePlan", "RiskAssessment", "DocumentReference", "Observation", "BodyStructure", "Device", "Task", "Provenance",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Arrived:
    """One thing that reached the archive, and where to look at it."""

    where: str
    what: str
    count: int
    look_at: str


Tell = Callable[[str], None]


def settings_for(folder: Path, archive: Archive, issuer: str) -> Settings:
    """Settings of a service beside an archive on this machine, on free ports."""
    return Settings(
        data_dir=folder / "service",
        ae_title="CONNECTOR",
        dicom_port=0,
        http_port=0,
        quiet_seconds=1.0,
        sweep_seconds=0.2,
        disk_reserve_mb=64,
        pacs_host="127.0.0.1",
        pacs_port=archive.dicom_port,
        pacs_ae_title=ARCHIVE_AE_TITLE,
        ehr_url=archive.fhir_url,
        patient_issuers=issuer,
        stow_token=SecretStr(""),
        pacs_priors=False,  # the archive holds nothing that did not come through us
    )


@contextmanager
def demonstration(folder: Path, tell: Tell) -> Iterator[tuple[Service, list[Arrived]]]:
    """
    Run the whole job once in `folder` and yield the running service with what arrived.

    The record goes in by HTTP, then the studies by C-STORE, oldest first. Raises TimeoutError when nothing came out.
    """
    tell("Building the bundled case")
    # Imaging may not be older than 30 days for a treatment, so the course of the case ends today.
    case = build(folder / "case", last_study_on=datetime.now(UTC).date())
    with Archive(folder / "archive" / "pacs") as archive:
        settings = settings_for(folder, archive, case.patient_issuers)
        with Service(settings) as service:
            tell("Sending the record by HTTP")
            for entry in json.loads(case.bundle.read_bytes())["entry"]:
                resource = entry["resource"]
                place = f"{archive.fhir_url}/{resource['resourceType']}/{resource['id']}"
                httpx.put(place, json=resource).raise_for_status()
            for number, study in enumerate(case.studies, 1):
                tell(f"Sending study {number} of {len(case.studies)} by C-STORE")
                send_study(study, service.dicom_port)
                tell(f"Waiting for the answer to study {number}")
                _wait_for(number, archive)
            _wait_until_idle(service)
            _keep_resources(archive, folder / "archive" / "ehr")
            yield service, _arrived(archive, folder / "archive")


def send_study(study: Path, port: int) -> None:
    """Send every file of a folder to a storage SCP of this machine by C-STORE."""
    sender = PacsDestination(Pacs(host="127.0.0.1", port=port, ae_title="CONNECTOR", calling_ae_title="DEMO"))
    for path in sorted(study.rglob("*.dcm")):
        sender.deliver(Document("image", "pacs", path.name, path.read_bytes(), ""))


def _wait_for(reports: int, archive: Archive) -> None:
    end = time.monotonic() + _LONGEST_SECONDS
    while _count(archive, _REPORT) < reports or len(archive.records.search("CarePlan", [])) < reports:
        if time.monotonic() > end:
            raise TimeoutError("no answer came: `connector status` in the demo's folder tells why")
        time.sleep(0.1)


def _wait_until_idle(service: Service) -> None:
    end = time.monotonic() + _LONGEST_SECONDS
    while time.monotonic() < end:
        jobs = service.app.desk.status()["jobs"]
        if not any(name.endswith((".due", ".leased")) for name in jobs):
            return
        time.sleep(0.1)
    raise TimeoutError("some documents were not delivered: `connector status` in the demo's folder tells why")


def _count(archive: Archive, sop_class_uid: str) -> int:
    return sum(receipt.sop_class_uid == sop_class_uid for receipt in list(archive.shelf.receipts.values()))


def _arrived(archive: Archive, folder: Path) -> list[Arrived]:
    rows = []
    for sop_class_uid, text in _DICOM_OUT.items():
        paths = [one.path for one in archive.shelf.receipts.values() if one.sop_class_uid == sop_class_uid]
        rows.append(Arrived("PACS", text, len(paths), str(paths[-1].relative_to(folder)) if paths else ""))
    for kind in _FHIR_OUT:
        ours = _ours(archive, kind)
        if ours:
            rows.append(Arrived("EHR", kind, len(ours), f"ehr/{kind}-{ours[-1]['id'][:8]}.json"))
    return rows


def _keep_resources(archive: Archive, folder: Path) -> None:
    """Write what the EHR holds of us as files, to look at after the demo has ended."""
    folder.mkdir(parents=True, exist_ok=True)
    for kind in _FHIR_OUT:
        for resource in _ours(archive, kind):
            text = json.dumps(resource, indent=2, ensure_ascii=False)
            (folder / f"{kind}-{resource['id'][:8]}.json").write_text(text + "\n", encoding="utf-8")


def _ours(archive: Archive, kind: str) -> list[Json]:
    """Resources the service wrote: those marked as asserted by software, and the software itself."""
    found = archive.records.search(kind, [])
    return [one for one in found if one["meta"].get("security") or kind in ("Device", "Provenance")]
