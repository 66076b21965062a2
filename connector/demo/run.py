"""`connector demo`: the service and an archive on this machine, made-up patients in, a table of what came out."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path

from connector.demo.archive import ARCHIVE_AE_TITLE, Archive
from connector.demo.case import build
from connector.demo.feed import put_resource, read_study, send_record, send_study
from connector.demo.outcome import Outcome, outcome
from connector.demo.patients import PATIENTS, Patient
from connector.demo.phantom_images import objects
from connector.demo.record import record_bundle, stated_fact
from connector.dicom.pacs_association import Pacs
from connector.service import Service
from connector.settings import GivenSettings, Settings

_LONGEST_SECONDS = 300.0

Tell = Callable[[str], None]


def settings_for(folder: Path, archive: Archive, issuer: str) -> Settings:
    """
    Settings of a service beside an archive on this machine, on free ports.

    None comes from the environment: in a shell that is set up for the hospital's service, made-up patients would go
    into its database, and every caller on this machine would see the names of those there.
    """
    return GivenSettings(
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
        pacs_storage_commitment=False,  # the archive is a receiver, and promises nothing
        made_up_patients=True,
        pacs_priors=False,  # the archive holds nothing that did not come through us
    )


@contextmanager
def demonstration(folder: Path, tell: Tell, *, opened: Tell, patients: int) -> Iterator[tuple[Service, Outcome]]:
    """
    Run the whole job in `folder` for so many patients (1 to 5) and yield the running service with what became of it.

    `opened` is told where the console is, as soon as it is there. The records go in by HTTP, then the studies by
    C-STORE, oldest first; last comes what the EHR learned meanwhile.
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
            opened(f"http://127.0.0.1:{service.http_port}/")
            tell("Sending the records by HTTP")
            send_record(archive.fhir_url, case.bundle.read_bytes())
            for each in others:
                send_record(archive.fhir_url, record_bundle(each.history, each.days(case.last_study_on)))
            for number, study in enumerate(case.studies, 1):
                tell(f"Sending study {number} of {len(case.studies)} of {patients} patients by C-STORE")
                send_study(to, read_study(study))
                for each in others:
                    series = objects(each.visits(case.last_study_on)[number - 1])
                    send_study(to, [instance for instances in series.values() for instance in instances])
                tell(f"Waiting for the answers to study {number}")
                _wait_until_idle(service)
            _learn_late(service, archive, others, case.last_study_on, tell)
            yield service, outcome(service.app, archive, folder)


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
