"""Delivery through a proxy that plays each product and every fault: one resource of each identifier, nothing lost."""

import json
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from decimal import Decimal
from itertools import count

import fhir_cases as cases
import httpx
import pytest
from chaos_products import Batching, Epic, Forgetful, Liar, OracleHealth, PlainJsonOnly
from chaos_proxy import ChaosProxy, Fault, Product, chaos
from fhir_servers import FhirServer, medplum
from judge_fhir import findings

from connector.core.errors import Refused, TryLater
from connector.fhir.deliver import EhrDestination
from connector.fhir.ehr import EhrClient
from connector.fhir.identity import IDENTIFIER_SYSTEM, canonical_json
from connector.fhir.memory import ProcessMemory
from connector.fhir.receive import poll
from connector.fhir.reconcile import own_identifier
from connector.fhir.write_transaction import tagged
from connector.ports import Document

KINDS = ("CarePlan", "RiskAssessment", "Observation", "DetectedIssue", "BodyStructure", "Task", "DocumentReference",
         "Communication")  # fmt: skip
FULL = {"CarePlan": 1, "RiskAssessment": 1, "Observation": 5, "DetectedIssue": 1, "BodyStructure": 3, "Task": 1,
        "DocumentReference": 1}  # fmt: skip
EPIC = {"Observation": 5, "BodyStructure": 3, "DocumentReference": 1, "Communication": 1}
ORACLE = {"Observation": 5, "DocumentReference": 1}
_numbers = count(1)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FhirServer]:
    with medplum(tmp_path_factory.mktemp("fhir"), everything=True) as running:
        yield running


@pytest.fixture(scope="module")
def proxy(server: FhirServer) -> Iterator[ChaosProxy]:
    with chaos(server.base_url) as running:
        yield running


class OnePatient:
    """A patient of the server's own, reached past the proxy, and documents about this one."""

    def __init__(self, server: FhirServer) -> None:
        self.server, self.number = server, next(_numbers)
        self.http = httpx.Client(base_url=f"{server.base_url}/", trust_env=False, timeout=60)
        identifier = [{"system": cases.SYSTEM, "value": f"chaos-{self.number}"}]
        made = self.http.post("Patient", json={"resourceType": "Patient", "identifier": identifier}).json()
        self.reference = f"Patient/{made['id']}"

    def document(self, assessed) -> Document:
        made = cases.write(assessed, reading=cases.record(self.reference), report=lambda _: b"%PDF-1.7")
        own = made.content
        for uid in ("2.25.100", "2.25.700"):
            own = own.replace(uid.encode(), f"{uid}7{self.number}9".encode())
        bundle = json.loads(own, parse_float=Decimal)
        types = {entry["fullUrl"]: entry["resource"]["resourceType"] for entry in bundle["entry"]}
        for entry in bundle["entry"]:
            if "identifier" in entry["resource"]:
                entry["resource"] = tagged(entry["resource"], types)
        content = canonical_json(bundle)
        return replace(made, content=content, identity=f"{made.identity}:{self.number}")

    def held(self, kind: str) -> list[dict]:
        found = self.http.get(kind, params={"patient": self.reference, "_count": "200"}).json().get("entry", [])
        return [entry["resource"] for entry in found]

    def ours(self) -> list[dict]:
        return [one for kind in KINDS for one in self.held(kind) if own_identifier(one)]

    def counts(self) -> dict[str, int]:
        return dict(Counter(one["resourceType"] for one in self.ours()))

    def provenances(self) -> list[set[str]]:
        ours = {f"{one['resourceType']}/{one['id']}" for one in self.ours()}
        every = [entry["resource"] for entry in self.http.get("Provenance?_count=1000").json().get("entry", [])]
        named = [{target["reference"] for target in one["target"]} & ours for one in every]
        return [one for one in named if one]


@pytest.fixture
def patient(server: FhirServer) -> OnePatient:
    return OnePatient(server)


def delivered(proxy: ChaosProxy, product: Product, documents: list[Document], memory=None, **more) -> list[str]:
    """Deliver as the service does: what is to be tried later is tried again; notes of the deliveries."""
    proxy.product, notes = product, []
    client = EhrClient(proxy.base_url, timeout_seconds=20)
    destination = EhrDestination(client, memory or ProcessMemory(), **more)
    try:
        for document in documents:
            for _ in range(60):
                try:
                    notes.append(destination.deliver(document).note)
                    break
                except TryLater:
                    continue
            else:
                raise AssertionError("it never came through")
    finally:
        client.close()
        proxy.product, proxy.pages_twice = Product(), False
        proxy.faults.clear()
    return notes


def each_once(patient: OnePatient) -> bool:
    names = [(one["resourceType"], own_identifier(one)) for one in patient.ours()]
    return len(names) == len(set(names))


WAYS = {
    "transaction": (Product(), FULL),
    "entry by entry": (Liar(transaction=False), FULL),
    "Epic": (Epic(), EPIC),
    "Oracle Health": (OracleHealth(), ORACLE),
}
MODES = {
    "everything": (Product(), FULL),
    "a condition that is forgotten": (Forgetful(), FULL),
    "application/json only": (PlainJsonOnly(), FULL),
    "a transaction that is declared and refused": (Liar(transaction=False), FULL),
    "a type that is declared and refused with 405": (Liar("DetectedIssue"), {**FULL, "DetectedIssue": 0}),
    "a type that is declared and refused with 404": (Liar("Task", status=404), {**FULL, "Task": 0, "Communication": 1}),
    "Epic": (Epic(), EPIC),
    "Oracle Health": (OracleHealth(), ORACLE),
}


@pytest.mark.parametrize("mode", MODES)
def test_every_mode_holds_each_once_and_clean(proxy, patient, mode):
    product, expected = MODES[mode]
    pages_twice = mode in WAYS or mode == "everything"
    document, memory = patient.document(cases.assessment()), ProcessMemory()
    proxy.pages_twice = pages_twice
    delivered(proxy, product, [document], memory)
    versions = {one["id"]: one["meta"]["versionId"] for one in patient.ours()}
    assert patient.counts() == {kind: number for kind, number in expected.items() if number}
    proxy.pages_twice = pages_twice
    delivered(proxy, product, [document], memory)
    assert {one["id"]: one["meta"]["versionId"] for one in patient.ours()} == versions, "the same again writes nothing"
    for held in patient.ours() if pages_twice else ():
        assert findings(held) == [], held["resourceType"]


@pytest.mark.parametrize(
    ("status", "batches", "why"),
    [(0, 2, "one look at each delivery"), (405, 1, "refused once, and not asked for again"), (503, 2, "it may pass")],
)
def test_where_a_batch_is_declared_one_request_looks_at_all(proxy, patient, status, batches, why):
    product, document = Batching(status), patient.document(cases.assessment())
    delivered(proxy, product, [document, document])
    assert patient.counts() == FULL
    assert each_once(patient)
    assert product.batches == batches, why
    # Our Device, which all patients share, is looked at once more before it is made.
    assert (product.searches <= 1) is not bool(status), "each search by itself where the batch fails"


def any_write(request) -> bool:
    return request.is_write


def a_create_of(kind: str):
    return lambda request: request.method == "POST" and request.path == kind


def storm() -> list[Fault]:
    return [
        *(Fault(any_write, cut="after") for _ in range(4)), Fault(any_write, 429), Fault(any_write, 503),
        Fault(any_write, 412), Fault(any_write, cut="before"), Fault(lambda request: request.is_search, 503),
    ]  # fmt: skip


FAULTS = {
    "429 with Retry-After": ("transaction", lambda: [Fault(any_write, 429, {"Retry_After": "0"}, times=3)]),
    "429 without": ("Oracle Health", lambda: [Fault(any_write, 429, times=3)]),
    "503 with Retry-After": ("Epic", lambda: [Fault(any_write, 503, {"Retry_After": "0"}, times=2)]),
    "503 without": ("transaction", lambda: [Fault(lambda _: True, 503, times=4)]),
    "409": ("Oracle Health", lambda: [Fault(any_write, 409, times=2)]),
    "412": ("entry by entry", lambda: [Fault(any_write, 412, times=2)]),
    "the answer lost after commit": ("transaction", lambda: [Fault(any_write, cut="after", times=3)]),
    "the request lost": ("transaction", lambda: [Fault(any_write, cut="before", times=3)]),
    "the answer of a search lost": ("Epic", lambda: [Fault(lambda one: one.is_search, cut="after", times=3)]),
    "a storm on one": ("transaction", storm),
    "a storm on many": ("entry by entry", storm),
    "a storm on Epic": ("Epic", storm),
    "a storm on Oracle Health": ("Oracle Health", storm),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_every_fault_is_survived_with_each_once_and_told_once(proxy, patient, fault):
    way, faults = FAULTS[fault]
    product, expected = WAYS[way]
    proxy.faults += faults()
    first, changed = cases.assessment(), cases.assessment(input_digest="ef" * 32)
    delivered(proxy, product, [patient.document(first), patient.document(changed)])
    twice = {"RiskAssessment", "Task", "Communication"}  # of each result its own
    assert patient.counts() == {kind: number * (2 if kind in twice else 1) for kind, number in expected.items()}
    assert each_once(patient)
    if way in ("transaction", "entry by entry"):
        told = patient.provenances()
        assert set.union(*told) == {f"{one['resourceType']}/{one['id']}" for one in patient.ours()}


def test_the_ceiling_of_documents_of_a_day_waits_instead_of_parking(proxy, patient):
    """4135 of Epic comes with a status that means no; the delivery waits an hour."""
    proxy.faults.append(Fault(a_create_of("DocumentReference"), 403, code="4135"))
    proxy.product = Epic()
    client = EhrClient(proxy.base_url)
    with pytest.raises(TryLater) as fault:
        EhrDestination(client).deliver(patient.document(cases.assessment()))
    client.close()
    assert fault.value.retry_after_seconds == 3600.0
    delivered(proxy, Epic(), [patient.document(cases.assessment())])
    assert patient.counts() == EPIC


def test_a_no_is_parked_with_a_sentence_and_passes_when_replayed(proxy, patient):
    proxy.faults.append(Fault(any_write, 422))
    proxy.product = Product()
    client = EhrClient(proxy.base_url)
    with pytest.raises(Refused, match="status 422"):
        EhrDestination(client).deliver(patient.document(cases.assessment()))
    client.close()
    delivered(proxy, Product(), [patient.document(cases.assessment())])
    assert patient.counts() == FULL


@pytest.mark.parametrize("way", ["Epic", "Oracle Health"])
def test_what_was_written_entry_by_entry_is_found_again_after_the_way_changed(proxy, patient, way):
    """A server that opens more later: what it took before is kept, and the rest is added."""
    product, _ = WAYS[way]
    document = patient.document(cases.assessment())
    delivered(proxy, product, [document])
    delivered(proxy, Product(), [document])
    counts = patient.counts()
    counts.pop("Communication", None)
    assert counts == FULL
    assert each_once(patient)


def test_workers_that_race_for_our_device_make_one(proxy, server):
    """Eight patients at once on a server that forgets conditions: the one resource that all share is made once."""
    patients = [OnePatient(server) for _ in range(8)]
    documents = [one.document(cases.assessment(connector_version="9.9.9")) for one in patients]
    proxy.product, memory = Forgetful(), ProcessMemory()
    barrier = threading.Barrier(8)

    def deliver(document: Document) -> None:
        client = EhrClient(proxy.base_url, timeout_seconds=60)
        barrier.wait()
        EhrDestination(client, memory).deliver(document)
        client.close()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(deliver, documents))
    proxy.product = Product()
    asked = {"identifier": f"{IDENTIFIER_SYSTEM}|device:irt-connector:9.9.9"}
    assert len(patients[0].http.get("Device", params=asked).json()["entry"]) == 1


@pytest.mark.parametrize("product", [Product(), Epic(), OracleHealth()], ids=["plain", "Epic", "Oracle Health"])
def test_no_news_is_lost_and_none_is_told_twice(proxy, patient, product):
    proxy.product, proxy.pages_twice = product, True
    client = EhrClient(proxy.base_url)

    def lab(day: int, value: int) -> dict:
        sent = {
            "resourceType": "Observation", "status": "final", "subject": {"reference": patient.reference},
            "code": {"coding": [{"system": "http://loinc.org", "code": "1751-7"}]},
            "effectiveDateTime": f"2026-03-{day:02}", "valueQuantity": {"value": value, "unit": "g/L"},
        }  # fmt: skip
        return patient.http.post("Observation", json=sent).json()

    first = [lab(day, 40) for day in (10, 11, 12)]
    _, mark = poll(client, patient.reference, None)
    later = [lab(13, 38), lab(14, 37)]
    corrected = {**first[1], "valueQuantity": {"value": 29, "unit": "g/L"}, "status": "corrected"}
    corrected = patient.http.put(f"Observation/{first[1]['id']}", json=corrected).json()
    changed, mark = poll(client, patient.reference, mark)
    assert changed == sorted(
        f"Observation/{one['id']}/_history/{one['meta']['versionId']}" for one in [*later, corrected]
    )
    assert poll(client, patient.reference, mark)[0] == []
    client.close()
    proxy.product, proxy.pages_twice = Product(), False
