"""The whole service before a product played by the proxy, in a drizzle of faults; and sixteen workers on one ledger."""

import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import chain, cycle
from pathlib import Path

import fhir_cases as cases
import httpx
import pytest
from chaos_products import Epic, Forgetful, OracleHealth
from chaos_proxy import ChaosProxy, Fault, Product, chaos
from deployment import put_all
from dicom_peers import storescu
from fhir_servers import FhirServer, medplum
from judge_fhir import findings
from ledger_case import Bench, make_bench
from pydantic import SecretStr
from state_peers import wait_until

from connector.demo.case import DemoCase, build
from connector.fhir.deliver import EhrDestination
from connector.fhir.ehr import EhrClient
from connector.fhir.reconcile import own_identifier
from connector.service import Service
from connector.settings import Settings
from connector.steps import Steps
from connector.store.memory import SqlMemory

OURS = ("CarePlan", "RiskAssessment", "Observation", "DetectedIssue", "BodyStructure", "Task", "DocumentReference",
        "Communication", "Device")  # fmt: skip
SECRET = {"X-Connector-Secret": "hook"}
READER = {"Authorization": "Bearer reader"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FhirServer]:
    with medplum(tmp_path_factory.mktemp("fhir"), everything=True) as running:
        yield running


@pytest.fixture
def proxy(server: FhirServer) -> Iterator[ChaosProxy]:
    with chaos(server.base_url) as running:
        yield running


def held(server: FhirServer) -> list[dict]:
    """Everything of ours in the server, asked for past the proxy."""
    found = []
    for kind in OURS:
        page = httpx.get(f"{server.base_url}/{kind}?_count=1000", timeout=60).json()
        found += [entry["resource"] for entry in page.get("entry", []) if own_identifier(entry["resource"])]
    return found


class Drizzle(Product):
    """
    Any product that says no to the first write (422), and has a fault at every 7th request after: each in its turn.

    The case's record alone is longer than seven pages, so whoever reads it anew at each fault never ends.
    """

    def __init__(self, proxy: ChaosProxy, product: Product) -> None:
        self.proxy, self.product, self.asked, self.has_refused = proxy, product, 0, False
        often = [{"cut": "after"}, {"status": 429, "headers": {"Retry_After": "0"}}, {"status": 503}, {"status": 412},
                 {"cut": "before"}, {"status": 429}, {"status": 409},
                 {"status": 503, "headers": {"Retry_After": "1"}}]  # fmt: skip
        # A 406 once: the client then asks for JSON by its plain name, and a second one would be a no.
        self.next = chain([{"status": 406}], cycle(often))

    def before(self, request):
        self.asked += 1
        if request.is_write and not self.has_refused:
            self.has_refused = True
            self.proxy.faults.append(Fault(lambda one: one.is_write, status=422))
        elif self.asked % 7 == 0:
            self.proxy.faults.append(Fault(lambda _: True, **next(self.next)))
        return self.product.before(request)

    def statement(self, upstream):
        return self.product.statement(upstream)

    def after(self, request, answer):
        return self.product.after(request, answer)


def send(service: Service, case: DemoCase, number: int) -> None:
    sent = storescu(service.dicom_port, sorted(case.studies[number - 1].rglob("*.dcm")), "+sd", "-R")
    assert sent.returncode == 0, sent.stdout + sent.stderr


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Steps are tried again as soon as the server allows: how long they back off is judged elsewhere."""
    monkeypatch.setattr("connector.steps.back_off_seconds", lambda _, asked=None: max(0.2, asked or 0.0))


def replay_the_refused(service: Service, studies: int) -> None:
    """The one delivery that was told no waits for a person, with a sentence; the person has it tried again."""
    (refused,) = [row for row in service.app.desk.status()["waiting"] if row["kind"] == "deliver fhir"]
    assert "status 422" in refused["reason"]
    service.app.desk.replay(refused["id"])
    wait_until_idle(service, studies)


def wait_until_idle(service: Service, studies: int) -> None:
    def idle() -> bool:
        status = service.app.desk.status()
        busy = any(name.endswith((".due", ".leased")) for name in status["jobs"])
        return status["studies"].get("complete", 0) >= studies and not busy

    wait_until(idle, seconds=180, what="the end of all work", every_seconds=0.3)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(
    ("product", "vendor", "kinds"),
    [
        (OracleHealth, "oracle_health", {"Observation", "DocumentReference"}),
        (Product, "plain", set(OURS) - {"Communication"}),
    ],
)
def test_a_study_is_delivered_once_to_each_product_in_a_drizzle_of_faults(product, vendor, kinds, tmp_path: Path):
    case = build(tmp_path / "case")
    with medplum(tmp_path, everything=True) as server, chaos(server.base_url) as proxy:
        put_all(server, json.loads(case.bundle.read_text()))
        proxy.product, proxy.pages_twice = Drizzle(proxy, product()), True
        settings = Settings(
            data_dir=tmp_path / "service", dicom_port=0, http_port=0, quiet_seconds=0.5, sweep_seconds=0.2,
            disk_reserve_mb=16, ehr_url=proxy.base_url, ehr_poll_seconds=60, patient_issuers=case.patient_issuers,
            maximum_attempts=100,
        )  # fmt: skip
        with Service(settings) as service:
            send(service, case, 1)
            wait_until_idle(service, 1)
            replay_the_refused(service, 1)
            status = service.app.desk.status()
        assert status["ehr"]["vendor"] == vendor
        assert [row["reason"] for row in status["waiting"] if row["kind"] == "deliver fhir"] == []
        ours = held(server)
    names = [(one["resourceType"], own_identifier(one)) for one in ours]
    assert len(names) == len(set(names)), "exactly one of each identifier"
    assert {one["resourceType"] for one in ours} == kinds
    assert [text for one in ours for text in findings(one)] == []


@pytest.mark.usefixtures("impatient")
def test_the_journey_before_a_product_in_a_drizzle_of_faults(server, proxy, tmp_path: Path):
    case = build(tmp_path / "case")
    put_all(server, json.loads(case.bundle.read_text()))
    proxy.product, proxy.pages_twice = Drizzle(proxy, Epic()), True
    settings = Settings(
        data_dir=tmp_path / "service", dicom_port=0, http_port=0, quiet_seconds=0.5, sweep_seconds=0.2,
        disk_reserve_mb=16, ehr_url=proxy.base_url, ehr_poll_seconds=1, patient_issuers=case.patient_issuers,
        hook_secret=SecretStr("hook"), fhir_token=SecretStr("reader"), maximum_attempts=100,
    )  # fmt: skip
    with Service(settings) as service:
        for number in (1, 2):
            send(service, case, number)
            wait_until_idle(service, number)
            if number == 1:
                replay_the_refused(service, number)
        base = f"http://127.0.0.1:{service.http_port}/fhir"

        def served(kind: str) -> list[dict]:
            asked = {"patient": "Patient/demo-patient"}
            answer = httpx.post(f"{base}/{kind}/_search", data=asked, headers=READER).raise_for_status().json()
            return [entry["resource"] for entry in answer.get("entry", [])]

        before = len(served("RiskAssessment"))
        late = {
            "resourceType": "Observation", "id": "late-albumin", "status": "final",
            "code": {"coding": [{"system": "http://loinc.org", "code": "1751-7"}]},
            "subject": {"reference": "Patient/demo-patient"}, "effectiveDateTime": "2026-05-12T08:00:00+00:00",
            "valueQuantity": {"value": 29, "unit": "g/L", "system": "http://unitsofmeasure.org", "code": "g/L"},
        }  # fmt: skip
        put_all(server, {"entry": [{"resource": late}]})
        for _ in range(3):  # a hook that repeats itself
            assert httpx.post(f"{base}/notify/observations", headers=SECRET).status_code == 200
        wait_until(lambda: len(served("RiskAssessment")) > before, seconds=90, what="the news", every_seconds=0.5)
        wait_until_idle(service, 2)
        assert len(served("RiskAssessment")) == before + 1, "one event, one new assessment"
        assert sorted(plan["status"] for plan in served("CarePlan")) == ["draft", "revoked"]
        status = service.app.desk.status()
        assert (status["ehr"]["rung"], status["ehr"]["vendor"]) == ("results", "epic")
        parked = [row["reason"] for row in status["waiting"] if row["kind"] == "deliver fhir"]
        assert parked == [], "nothing for the EHR was lost"
    ours = held(server)
    assert Counter(one["resourceType"] for one in ours)["DocumentReference"] == 2, "one for each study"
    names = [(one["resourceType"], own_identifier(one)) for one in ours]
    assert len(names) == len(set(names)), "exactly one of each identifier"
    assert {one["resourceType"] for one in ours} == {
        "Observation", "BodyStructure", "DocumentReference", "Communication"}  # fmt: skip
    assert [text for one in ours for text in findings(one)] == []


def test_sixteen_workers_on_a_server_that_forgets_conditions_leave_one_of_each(server, proxy, tmp_path: Path):
    """Two patients with two results each, whose deliveries all are due at once; the lock is the ledger's."""
    proxy.product = Forgetful()
    bench = make_bench(f"sqlite:///{tmp_path / 'ledger.sqlite'}", tmp_path)
    jobs = [job for number in range(2) for job in due(bench, server, number)]
    done = threading.Event()

    def work(seed: int) -> None:
        client = EhrClient(proxy.base_url, timeout_seconds=25)
        destination = EhrDestination(client, SqlMemory(bench.engine), within_seconds=30)
        steps = Steps(
            ledger=bench.ledger, desk=bench.desk, flow=None, destinations={"ehr": destination},
            quiet_seconds=1, maximum_attempts=100, now=bench.clock,
        )  # fmt: skip
        while not done.is_set():
            for job in jobs[seed % len(jobs) :] + jobs[: seed % len(jobs)]:
                steps.run(job)  # a message that is doubled sixteen times
                time.sleep(0.05)
        client.close()

    with ThreadPoolExecutor(16) as pool:
        running = [pool.submit(work, seed) for seed in range(16)]

        def idle() -> bool:
            bench.clock.seconds += 0.5  # as much as is waited, so that no lease runs out early
            return bench.desk.status()["jobs"] == {"deliver.done": len(jobs)}

        try:
            wait_until(idle, seconds=150, what="every delivery", every_seconds=0.5)
        finally:
            done.set()
        for one in running:
            one.result()
    ours = [one for one in held(server) if "7.7.7" in own_identifier(one) or ".8800" in own_identifier(one)]
    names = Counter((one["resourceType"], own_identifier(one)) for one in ours)
    assert {name for name, number in names.items() if number > 1} == set()
    kinds = Counter(kind for kind, _ in names)
    assert (kinds["Device"], kinds["CarePlan"], kinds["DocumentReference"]) == (1, 2, 2)
    assert kinds["RiskAssessment"] == 2, "of each study the newer result; the older was overtaken before it was sent"
    bench.inbox.close()
    bench.engine.dispose()


def due(bench: Bench, server: FhirServer, number: int) -> list[str]:
    """Two results of one patient's study in the ledger; the jobs of their deliveries."""
    identifier = [{"system": cases.SYSTEM, "value": f"worker-{number}"}]
    made = httpx.post(f"{server.base_url}/Patient", json={"resourceType": "Patient", "identifier": identifier}).json()
    study, jobs = f"2.25.8800{number}", []
    lesions = tuple(replace(cases.lesion(each), tracking_uid=f"2.25.8800{number}.{each}") for each in range(3))
    points = (cases.TimePoint(study, cases.DAY, "CT", lesions),)
    for digest in ("a", "b"):
        assessed = cases.assessment(
            case_ref=f"case{number}", study_instance_uid=study, time_points=points, input_digest=digest * 64,
            connector_version="7.7.7", dose=None,
        )  # fmt: skip
        reading = cases.record(f"Patient/{made['id']}")
        document = cases.write(assessed, reading=reading, report=lambda _: b"%PDF-1.7")
        with bench.ledger.transaction() as connection:
            jobs += bench.ledger.save(connection, assessed, "{}", [document])
        bench.clock.seconds += 1
    return jobs
