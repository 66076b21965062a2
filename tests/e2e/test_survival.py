"""200 studies while processes are killed: every study is answered exactly once, and nothing is lost or doubled."""

import copy
import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date
from io import BytesIO
from pathlib import Path

import httpx
import pytest
from deployment import PARTS, Deployment, deployment, put_all, token
from dicom_peers import Orthanc, orthanc
from fhir_servers import FhirServer, sekmet
from pydicom import Dataset, dcmread
from pynetdicom import AE
from state_peers import free_port, postgres_server, redis_server
from written_cases import assessment, make_study, request

from connector.dicom.identity import OUR_MANUFACTURER, uid_from
from connector.dicom.write_sr import ReportWriter

STUDIES = 200
SENDERS = 4
FEED_SECONDS = 30.0
KILLS_OF_EACH = 4
SYSTEM = "urn:oid:2.25.1"


@dataclass
class Scene:
    """A deployment, its neighbours, a report to vary and a record to vary."""

    service: Deployment
    pacs: Orthanc
    ehr: FhirServer
    report: Dataset


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    def folder(name: str) -> Path:
        return tmp_path_factory.mktemp(name)

    dicom_port = free_port()
    with (
        postgres_server(folder("postgres")) as database_url,
        orthanc(folder("orthanc"), connector_port=dicom_port) as pacs,
        sekmet(folder("fhir"), token_lifetime=3600) as ehr,
        redis_server(folder("redis")) as (broker_url, _),
        deployment(
            folder("connector"), database_url=database_url, broker_url=broker_url, pacs_port=pacs.dicom_port,
            fhir=ehr, issuers=f"TEST={SYSTEM}", dicom_port=dicom_port, ehr_poll_seconds=3600, sweep_seconds=1,
        ) as service,
    ):  # fmt: skip
        put_all(ehr, {"entry": [{"resource": _patient(number)} for number in range(STUDIES)]})
        yield Scene(service, pacs, ehr, _foreign_report(folder("study")))


def _patient(number: int) -> dict:
    return {
        "resourceType": "Patient", "id": f"p{number}", "gender": "female",
        "identifier": [{"system": SYSTEM, "value": f"P{number}"}],
    }  # fmt: skip


def _foreign_report(folder: Path) -> Dataset:
    """A measurement report of another product, as small as a study can be."""
    (document,) = ReportWriter().write(request(assessment(1), make_study(folder)))
    report = dcmread(BytesIO(document.content))
    report.Manufacturer = "Another product"
    return report


def _study(report: Dataset, number: int) -> Dataset:
    made = copy.deepcopy(report)
    made.PatientID, made.IssuerOfPatientID, made.PatientName = f"P{number}", "TEST", ""
    made.PatientBirthDate, made.PatientSex = "", "F"
    made.StudyInstanceUID = uid_from("survival", "study", str(number))
    made.SeriesInstanceUID = uid_from("survival", "series", str(number))
    made.SOPInstanceUID = made.file_meta.MediaStorageSOPInstanceUID = uid_from("survival", "instance", str(number))
    for item in made.iterall():
        # A lesion's tracking UID is its own for life: two patients never share one.
        if item.keyword == "UID":
            item.value = uid_from("survival", "lesion", str(number), item.value)
    made.StudyDate = made.ContentDate = date(2026, 1, 1).strftime("%Y%m%d")
    return made


def _send(scene: Scene, number: int, giving_up_at: float) -> None:
    """Send one study as a patient modality would: again and again until it is answered with success."""
    study = _study(scene.report, number)
    while time.monotonic() < giving_up_at:
        entity = AE(ae_title="MODALITY")
        entity.add_requested_context(study.SOPClassUID, study.file_meta.TransferSyntaxUID)
        entity.connection_timeout = entity.acse_timeout = entity.dimse_timeout = 5
        association = entity.associate("127.0.0.1", scene.service.dicom_port, ae_title="CONNECTOR")
        if association.is_established:
            status = association.send_c_store(study).get("Status")
            association.release()
            if status == 0:
                return
        time.sleep(0.3)
    raise TimeoutError(f"study {number} was never accepted")


def _kill_in_turn(service: Deployment, rounds: int) -> None:
    for part in PARTS * rounds:
        time.sleep(2.0)
        service.kill(part)
        time.sleep(0.5)
        service.start(part)


def _resources(scene: Scene, kind: str) -> list[dict]:
    headers = {"Authorization": f"Bearer {token(scene.ehr)}"}
    found, address = [], f"{scene.ehr.base_url}/{kind}?_count=100"
    while address:
        page = httpx.get(address, headers=headers, timeout=60).raise_for_status().json()
        found += [entry["resource"] for entry in page.get("entry", [])]
        address = next((link["url"] for link in page.get("link", []) if link["relation"] == "next"), None)
    return found


def test_every_study_is_answered_exactly_once(scene: Scene) -> None:
    killer = threading.Thread(target=_kill_in_turn, args=(scene.service, KILLS_OF_EACH))
    killer.start()
    giving_up_at = time.monotonic() + 300

    def send(number: int) -> None:
        _send(scene, number, giving_up_at)
        time.sleep(SENDERS * FEED_SECONDS / STUDIES)

    with ThreadPoolExecutor(SENDERS) as pool:
        list(pool.map(send, range(STUDIES)))
    killer.join()

    scene.service.wait_until_idle(studies=STUDIES, seconds=600)
    status = scene.service.run("status")
    assert status["instances"] == STUDIES, "one instance each, however often it was sent"
    assert [row for row in status["waiting"] if row["state"] in ("parked", "set_aside")] == []

    query = {"Level": "Instance", "Query": {"Modality": "SR"}, "Expand": True}
    instances = scene.pacs.http.post("/tools/find", json=query, timeout=120).json()
    tags = [scene.pacs.http.get(f"/instances/{one['ID']}/simplified-tags").json() for one in instances]
    reports = Counter(one["StudyInstanceUID"] for one in tags if one.get("Manufacturer") == OUR_MANUFACTURER)
    assert len(reports) == STUDIES
    assert set(reports.values()) == {1}

    for kind in ("CarePlan", "RiskAssessment"):
        subjects = Counter(resource["subject"]["reference"] for resource in _resources(scene, kind))
        assert len(subjects) == STUDIES, kind
        assert set(subjects.values()) == {1}, kind


def test_redis_may_lose_everything_it_holds(scene: Scene) -> None:
    broker = httpx.URL(scene.service.environment["CONNECTOR_BROKER_URL"])
    import redis  # noqa: PLC0415 - only this test speaks to the broker

    redis.Redis(host=broker.host, port=broker.port).flushall()
    scene.service.run("study", "complete", uid_from("survival", "study", "0"))
    status = scene.service.wait_until_idle(studies=STUDIES, seconds=120)
    assert status["jobs"]["assess.done"] == STUDIES
    assert all(name.endswith(".done") for name in status["jobs"]), json.dumps(status["jobs"])
