"""A RIS orders an assessment of a study that only the PACS holds, and a modality says that it is done: real peers."""

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from pydicom import dcmread
from step_case import MPPS, PUSH, begun, ended, order

from connector.demo.case import DemoCase, build
from connector.service import Service
from connector.settings import Settings

sys.path.insert(0, str(Path(__file__).parent))

from dicom_peers import Orthanc, orthanc, storescu
from pynetdicom import AE
from state_peers import free_port, wait_until

TOKEN = "for-this-run-only"  # noqa: S105 - of a service that lives for one test
JSON = {"Content-Type": "application/dicom+json"}


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> DemoCase:
    return build(tmp_path_factory.mktemp("case"))


@pytest.fixture(scope="module")
def pacs(tmp_path_factory: pytest.TempPathFactory, port: int) -> Iterator[Orthanc]:
    with orthanc(tmp_path_factory.mktemp("orthanc"), connector_port=port) as running:
        yield running


@pytest.fixture(scope="module")
def port() -> int:
    return free_port()


@pytest.fixture
def service(tmp_path: Path, pacs: Orthanc, port: int) -> Iterator[Service]:
    web = pacs.web
    settings = Settings(
        data_dir=tmp_path / "data", dicom_port=port, http_port=0, quiet_seconds=600, sweep_seconds=0.2,
        disk_reserve_mb=16, pacs_host="127.0.0.1", pacs_port=pacs.dicom_port, pacs_ae_title="ORTHANC",
        pacs_dicomweb_url=web["url"], pacs_dicomweb_user=web["user"], pacs_dicomweb_password=web["password"],
        pacs_storage_commitment=False, stow_token=TOKEN, patient_issuers="",
    )  # fmt: skip
    with Service(settings) as running:
        yield running


def files(case: DemoCase, number: int) -> list[Path]:
    return sorted(case.studies[number - 1].rglob("*.dcm"))


def test_an_order_over_http_fetches_assesses_and_names_its_report(
    service: Service, pacs: Orthanc, case: DemoCase
) -> None:
    for path in files(case, 1):
        pacs.upload(path.read_bytes())
    study = dcmread(files(case, 1)[0]).StudyInstanceUID
    with httpx.Client(
        base_url=f"http://127.0.0.1:{service.http_port}/dicom-web", headers={"Authorization": f"Bearer {TOKEN}"}
    ) as ris:
        body = json.dumps([order(study, PatientID=case.patient_id).to_json_dict()])
        where = ris.post("/workitems?2.25.1", content=body, headers=JSON).raise_for_status().headers["location"]
        asked = where.removeprefix("/dicom-web")
        states = []

        def ended_now() -> bool:
            states.append(ris.get(asked).raise_for_status().json()[0])
            return states[-1]["00741000"]["Value"][0] in {"COMPLETED", "CANCELED"}

        wait_until(ended_now, seconds=60, what="the end of the order", every_seconds=0.2)
    done = states[-1]
    assert done["00741000"]["Value"] == ["COMPLETED"], done["00741002"]
    output = done["00741216"]["Value"][0]["00404033"]["Value"][0]
    named = {one["00081155"]["Value"][0] for one in output["00081199"]["Value"]}
    assert named <= set(pacs.instances()), "Orthanc holds what the workitem names"
    assert output["0020000D"]["Value"] == [study]


def test_a_modality_that_is_done_has_its_study_assessed_at_once(service: Service, case: DemoCase, port: int) -> None:
    paths = files(case, 2)
    study = dcmread(paths[0]).StudyInstanceUID
    instances = [dcmread(path, stop_before_pixels=True).SOPInstanceUID for path in paths]
    entity = AE(ae_title="CT1")
    for uid in (MPPS, PUSH):
        entity.add_requested_context(uid)
    association = entity.associate("127.0.0.1", port, ae_title="CONNECTOR")
    assert association.send_n_create(begun(study), MPPS, "2.25.2")[0].Status == 0
    assert storescu(port, paths, "+sd", "-R").returncode == 0
    began = time.monotonic()
    assert association.send_n_set(ended("COMPLETED", *instances), MPPS, "2.25.2")[0].Status == 0
    association.release()
    wait_until(
        lambda: service.app.desk.status()["delivered"].get("sr"), seconds=60, what="the report", every_seconds=0.2
    )
    assert time.monotonic() - began < 60, "the quiet time is ten minutes"
    assert service.app.ledger.study(study) is not None
