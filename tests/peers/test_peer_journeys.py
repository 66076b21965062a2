"""
The journeys of the main job: four real processes, Redis, PostgreSQL, Orthanc and two FHIR servers.

One server sends notices by a topic, which come in the wrong order and twice. The other declares what it refuses with
404 or 405, and has no more than two resources on a page, one of which stands on the next page too.
"""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import httpx
import pytest
from chaos_products import Liar, Liars
from chaos_proxy import HookShuffler, chaos, shuffled_hooks
from deployment import Deployment, deployment, put_all, token
from dicom_peers import Orthanc, dcmtk, orthanc, storescu
from fhir_servers import FhirServer, medplum, sekmet
from judge_fhir import findings
from pydicom import dcmread
from state_peers import free_port, postgres_server, redis_server, wait_until
from subscription_topic import TOPIC, TOPIC_BASIC

from connector.demo.case import DemoCase, build
from connector.dicom.identity import OUR_MANUFACTURER
from connector.fhir.notices import Heard
from connector.fhir.reconcile import own_identifier
from connector.store import open_ledger
from connector.store.memory import SqlMemory

REPORT, RT_DOSE = "1.2.840.10008.5.1.4.1.1.88.34", "1.2.840.10008.5.1.4.1.1.481.2"
MEAN_DOSE = "128533"  # DCM
SERVERS = {"sekmet": sekmet, "medplum": lambda folder: medplum(folder, everything=True)}
WRITTEN = ("Device", "BodyStructure", "Observation", "RiskAssessment", "DetectedIssue", "CarePlan", "DocumentReference",
           "Task", "Provenance")  # fmt: skip


@dataclass
class Hospital:
    """A deployment with its neighbours, and a patient's studies to send."""

    service: Deployment
    pacs: Orthanc
    ehr: FhirServer
    case: DemoCase
    hooks: HookShuffler | None  # of an EHR that has Subscriptions

    def send(self, number: int) -> None:
        sent = storescu(self.service.dicom_port, sorted(self.case.studies[number - 1].rglob("*.dcm")), "+sd", "-R")
        assert sent.returncode == 0, sent.stdout + sent.stderr

    def reports(self, sop_class: str) -> list[dict]:
        """Our objects of a SOP class in the PACS, found by C-FIND's REST twin with what they say."""
        query = {"Level": "Instance", "Query": {"SOPClassUID": sop_class}, "Expand": True}
        found = self.pacs.http.post("/tools/find", json=query).raise_for_status().json()
        tags = [self.pacs.http.get(f"/instances/{one['ID']}/simplified-tags").json() for one in found]
        return [one for one in tags if one.get("Manufacturer") == OUR_MANUFACTURER]

    def resources(self, kind: str) -> list[dict]:
        headers = {"Authorization": f"Bearer {token(self.ehr)}"} if self.ehr.credentials else {}
        address = f"{self.ehr.base_url}/{kind}?_count=200"
        entries = httpx.get(address, headers=headers, timeout=30).raise_for_status().json().get("entry", [])
        return [entry["resource"] for entry in entries]


@pytest.fixture(scope="module", params=SERVERS)
def hospital(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hospital]:
    def folder(name: str) -> Path:
        return tmp_path_factory.mktemp(name)

    case = build(folder("case"))
    dicom_port, http_port = free_port(), free_port()
    with (
        postgres_server(folder("postgres")) as database_url,
        redis_server(folder("redis")) as (broker_url, _),
        orthanc(folder("orthanc"), connector_port=dicom_port) as pacs,
        SERVERS[request.param](folder("fhir")) as ehr,
        ExitStack() as stack,
    ):
        put_all(ehr, json.loads(case.bundle.read_text()))
        seen, hooks, more = ehr, None, {}
        if request.param == "sekmet":
            put_all(ehr, {"entry": [{"resource": {**TOPIC_BASIC, "id": "topic"}}]})
            hooks = stack.enter_context(shuffled_hooks(f"http://127.0.0.1:{http_port}"))
            more = {"ehr_hook_url": hooks.url, "ehr_subscription_topic": TOPIC}
        else:
            refusing = Liars(Liar(transaction=False, status=405), Liar("DetectedIssue", status=404))
            proxy = stack.enter_context(chaos(ehr.base_url, refusing))
            proxy.pages_twice = True
            seen = FhirServer(proxy.base_url)
        service = stack.enter_context(deployment(
            folder("connector"), database_url=database_url, broker_url=broker_url, pacs_port=pacs.dicom_port,
            fhir=seen, issuers=case.patient_issuers, dicom_port=dicom_port, http_port=http_port,
            pacs_storage_commitment=True, **more,
        ))  # fmt: skip
        yield Hospital(service, pacs, ehr, case, hooks)


def test_a_study_by_storescu_comes_back_as_report_and_plan(hospital: Hospital) -> None:
    hospital.send(1)
    hospital.service.wait_until_idle(studies=1, seconds=120)
    (report,) = hospital.reports(REPORT)
    study = dcmread(next((hospital.case.studies[0] / "ct").iterdir())).StudyInstanceUID
    assert report["StudyInstanceUID"] == study, "in the same study"
    port = str(hospital.pacs.dicom_port)
    keys = [
        "-k",
        "QueryRetrieveLevel=SERIES",
        "-k",
        f"StudyInstanceUID={study}",
        "-k",
        "Modality=SR",
        "-k",
        "SeriesInstanceUID",
    ]
    found = dcmtk("findscu", "-v", "-S", "-aet", "CONNECTOR", "-aec", "ORTHANC", *keys, "127.0.0.1", port)
    assert report["SeriesInstanceUID"] in found.stdout + found.stderr, "a stock SCU finds it by C-FIND"
    (plan,) = hospital.resources("CarePlan")
    assert (plan["status"], plan["intent"]) == ("draft", "proposal")
    assert len(hospital.resources("RiskAssessment")) == 1


def test_the_same_study_again_changes_nothing(hospital: Hospital) -> None:
    before = {kind: hospital.resources(kind) for kind in ("CarePlan", "RiskAssessment", "Provenance")}
    hospital.send(1)
    hospital.service.wait_until_idle(studies=1, seconds=120)
    assert len(hospital.reports(REPORT)) == 1
    assert {kind: hospital.resources(kind) for kind in before} == before, "not even a new version"


def test_a_later_study_with_a_pet_supersedes_and_brings_a_dose_map(hospital: Hospital) -> None:
    hospital.send(2)
    hospital.service.wait_until_idle(studies=2, seconds=120)
    hospital.send(3)
    hospital.service.wait_until_idle(studies=3, seconds=120)
    assert len(hospital.reports(REPORT)) == 3, "each study has its own report"
    assert len(hospital.reports(RT_DOSE)) == 1
    (_, _, latest) = (dcmread(next((study / "ct").iterdir())).StudyInstanceUID for study in hospital.case.studies)
    assert hospital.reports(RT_DOSE)[0]["StudyInstanceUID"] == latest
    doses = [
        each["valueQuantity"] for each in hospital.resources("Observation")
        if any(coding.get("code") == MEAN_DOSE for coding in each["code"].get("coding", ()))
    ]  # fmt: skip
    assert len(doses) == 5, "liver, normal liver and three lesions"
    assert all(dose["code"] == "Gy" and dose["value"] > 0 for dose in doses)
    plans = {plan["status"]: plan for plan in hospital.resources("CarePlan")}
    assert set(plans) == {"draft", "revoked"}
    assert plans["draft"]["replaces"], "the new plan names the one it supersedes"
    assert sum(plan["status"] == "draft" for plan in hospital.resources("CarePlan")) == 1


def test_a_new_observation_makes_a_new_assessment_by_itself(hospital: Hospital) -> None:
    before = len(hospital.resources("RiskAssessment"))
    albumin = {
        "resourceType": "Observation", "id": "demo-albumin-later", "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "1751-7"}]},
        "subject": {"reference": "Patient/demo-patient"}, "effectiveDateTime": "2026-05-12T08:00:00+00:00",
        "valueQuantity": {"value": 29, "unit": "g/L", "system": "http://unitsofmeasure.org", "code": "g/L"},
    }  # fmt: skip
    pulse = {**albumin, "id": "pulse", "code": {"coding": [{"system": "http://loinc.org", "code": "8867-4"}]}}
    put_all(hospital.ehr, {"entry": [{"resource": albumin}, {"resource": pulse}]})
    if hospital.hooks is None:
        secret = {"X-Connector-Secret": "hook-secret"}
        assert httpx.post(f"{hospital.service.http_url}/fhir/notify/one", headers=secret).status_code == 200
    wait_until(
        lambda: len(hospital.resources("RiskAssessment")) == before + 1,
        seconds=90, what="a new RiskAssessment", every_seconds=1.0,
    )  # fmt: skip
    hospital.service.wait_until_idle(studies=3, seconds=60)
    reports = hospital.reports(REPORT)
    assert len(reports) == 4, "a superseding report in the same study"
    assert sum("PredecessorDocumentsSequence" in report for report in reports) == 1
    assert sum(plan["status"] == "draft" for plan in hospital.resources("CarePlan")) == 1
    assert len(hospital.resources("RiskAssessment")) == before + 1, "one piece of news, however often it is told"


def test_what_the_ehr_holds_in_the_end_is_of_each_identifier_one_and_clean(hospital: Hospital) -> None:
    ours = [one for kind in WRITTEN for one in hospital.resources(kind) if own_identifier(one) or kind == "Provenance"]
    names = [(one["resourceType"], own_identifier(one)) for one in ours if one["resourceType"] != "Provenance"]
    assert len(names) == len(set(names))
    shapes = {(one["resourceType"], one.get("status")): one for one in ours}  # of each kind and state one is judged
    assert [text for one in shapes.values() for text in findings(one)] == []
    status = hospital.service.run("status")
    way = status["ehr"]
    if hospital.hooks is None:
        assert {one["resourceType"] for one in ours} == set(WRITTEN) - {"DetectedIssue"}
        assert not way["transaction"]
        assert "entry by entry; without DetectedIssue" in way["says"]
        assert status["subscription"] is None, "none was asked for"
    else:
        assert {one["resourceType"] for one in ours} == set(WRITTEN)
        assert (way["rung"], way["transaction"]) == ("full", True)
        assert set(hospital.hooks.passed_on) == {200}
        require_that_every_notice_was_heard(hospital)


def require_that_every_notice_was_heard(hospital: Hospital) -> None:
    """Though they came in the wrong order and twice."""
    (held,) = hospital.resources("Subscription")
    engine = open_ledger(hospital.service.environment["CONNECTOR_DATABASE_URL"])
    heard = Heard(SqlMemory(engine)).state
    wait_until(lambda: heard()["beyond"] == [] and heard()["without_gap"] > 0, seconds=20, what="the last notice")
    engine.dispose()
    assert held["status"] == "active"


def test_the_doors_answer_and_refuse(hospital: Hospital) -> None:
    url = hospital.service.http_url
    assert httpx.get(f"{url}/healthz").json()["status"] == "ok"
    assert httpx.get(f"{url}/readyz").status_code == 200
    assert "connector_studies" in httpx.get(f"{url}/metrics").text
    assert httpx.post(f"{url}/fhir/notify/one").status_code in (401, 403), "a hint without the secret"
    assert httpx.post(f"{url}/dicom-web/studies", content=b"").status_code == 401
    check = hospital.service.run("check")
    assert {check[name] for name in ("pacs", "ehr", "broker", "database", "disk")} == {"ok"}


def test_no_patient_data_reached_the_logs(hospital: Hospital) -> None:
    first = dcmread(next((hospital.case.studies[0] / "ct").iterdir()), stop_before_pixels=True)
    born = date.fromisoformat(first.PatientBirthDate)  # not the year alone: four digits are in many a UID
    words = ("DEMO-0001", hospital.case.patient_id, "demo-patient", f"{born:%Y%m%d}", born.isoformat())
    words += (str(first.PatientName.family_name), str(first.PatientName.given_name))
    for log in hospital.service.folder.glob("*.log"):
        text = log.read_text()
        assert not [word for word in words if word and word in text], log.name
