"""`connector demo`: the service and an archive on this machine, made-up patients in, a table of what came out."""

import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

from pydantic import SecretStr

from connector.demo.archive import ARCHIVE_AE_TITLE, Archive
from connector.demo.case import build
from connector.demo.feed import put_resource, read_study, send_record, send_study
from connector.demo.patients import PATIENTS, Patient
from connector.demo.phantom_images import objects
from connector.demo.record import record_bundle, stated_fact
from connector.demo.record_store import Json
from connector.dicom.pacs_association import Pacs
from connector.service import Service
from connector.settings import Settings

_LONGEST_SECONDS = 300.0
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
        ehr_poll_seconds=2.0,
        patient_issuers=issuer,
        stow_token=SecretStr(""),
        pacs_storage_commitment=False,  # the archive is a receiver, and promises nothing
        made_up_patients=True,
        pacs_priors=False,  # the archive holds nothing that did not come through us
    )


@contextmanager
def demonstration(folder: Path, tell: Tell, *, patients: int) -> Iterator[tuple[Service, list[Arrived]]]:
    """
    Run the whole job in `folder` for so many patients (1 to 5) and yield the running service with what arrived.

    The records go in by HTTP, then the studies by C-STORE, oldest first; last comes what the EHR learned meanwhile.
    Raises TimeoutError when nothing came out.
    """
    tell("Making up the patients")
    # Imaging may not be older than 30 days for a treatment, so the course of every case ends today.
    case = build(folder / "case", last_study_on=datetime.now(UTC).date())
    others = PATIENTS[: patients - 1]
    with Archive(folder / "archive" / "pacs") as archive:
        settings = settings_for(folder, archive, case.patient_issuers)
        with Service(settings) as service:
            to = Pacs(host="127.0.0.1", port=service.dicom_port, ae_title="CONNECTOR", calling_ae_title="DEMO")
            where = f"console: http://127.0.0.1:{service.http_port}/"
            tell(f"Sending the records by HTTP; {where}")
            send_record(archive.fhir_url, case.bundle.read_bytes())
            for each in others:
                send_record(archive.fhir_url, record_bundle(each.history, each.days(case.last_study_on)))
            for number, study in enumerate(case.studies, 1):
                tell(f"Sending study {number} of {len(case.studies)} of {patients} patients by C-STORE; {where}")
                send_study(to, read_study(study))
                for each in others:
                    series = objects(each.visits(case.last_study_on)[number - 1])
                    send_study(to, [instance for instances in series.values() for instance in instances])
                tell(f"Waiting for the answers to study {number}; {where}")
                _wait_until_idle(service)
            _learn_late(service, archive, others, case.last_study_on, tell)
            _keep_resources(archive, folder / "archive" / "ehr")
            yield service, _arrived(archive, folder / "archive")


def _learn_late(service: Service, archive: Archive, patients: Sequence[Patient], on: date, tell: Tell) -> None:
    """Give the EHR what it did not know, and wait until the service has noticed and answered again."""
    late = [(each, each.later) for each in patients if each.later]
    if not late:
        return
    tell("Waiting for the service to notice new Observations in the EHR")
    before = _assessments(service)
    for each, facts in late:
        for name, value in facts.items():
            put_resource(archive.fhir_url, stated_fact(each.history, name, value, on))
    end = time.monotonic() + _LONGEST_SECONDS
    while _assessments(service) < before + len(late):
        if time.monotonic() > end:
            raise TimeoutError("the new Observations were not noticed: the log tells why")
        time.sleep(0.2)
    _wait_until_idle(service)


def _assessments(service: Service) -> int:
    return len({(row["case_ref"], row["assessed_at"]) for row in service.app.desk.documents(10_000)})


def _wait_until_idle(service: Service) -> None:
    """Wait until no study is still coming in and no step is due; what waits for a person does not count."""
    end = time.monotonic() + _LONGEST_SECONDS
    while time.monotonic() < end:
        status = service.app.desk.status()
        working = any(name.endswith((".due", ".leased")) for name in status["jobs"])
        if not working and not status["studies"].get("receiving"):
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
