"""Delivery to real FHIR servers: exactly one of each, drafts superseded, a clinician's work left alone."""

import json
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from itertools import count
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import fhir_cases as cases
from fhir_servers import FhirServer, medplum, sekmet
from judge_fhir import findings

from connector.core.case import Identifier
from connector.core.errors import ImpossibleInput, Refused, TryLater
from connector.fhir.deliver import EhrDestination
from connector.fhir.ehr import EhrClient
from connector.fhir.identity import canonical_json, content_digest, written_digest
from connector.fhir.read_ehr import EhrRecordSource
from connector.fhir.receive import poll
from connector.fhir.reconcile import own_identifier
from connector.fhir.write_retraction import RetractionWriter
from connector.fhir.write_transaction import tagged
from connector.ports import Document, Withdrawal

SERVERS = {
    "sekmet": sekmet,
    "medplum": medplum,
    "medplum without transactions": lambda folder: medplum(folder, bare=True),
}
KINDS = ("CarePlan", "RiskAssessment", "Observation", "DetectedIssue", "BodyStructure", "Task")
_numbers = count(1)


@pytest.fixture(scope="module", params=SERVERS)
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FhirServer]:
    with SERVERS[request.param](tmp_path_factory.mktemp("fhir")) as running:
        yield running


@pytest.fixture
def client(server: FhirServer) -> Iterator[EhrClient]:
    made = server.client()
    yield made
    made.close()


def retagged(content: bytes) -> bytes:
    """The content with digests that fit its changed UIDs."""
    bundle = json.loads(content, parse_float=Decimal)
    types = {entry["fullUrl"]: entry["resource"]["resourceType"] for entry in bundle["entry"]}
    for entry in bundle["entry"]:
        if "identifier" in entry["resource"]:
            entry["resource"] = tagged(entry["resource"], types)
    return canonical_json(bundle)


class OnePatient:
    """A patient of the server's own, and documents about this one; UIDs are unlike those of other tests."""

    def __init__(self, client: EhrClient) -> None:
        self.client = client
        self.number = next(_numbers)
        self.value = f"mrn-{self.number}"
        identifier = [{"system": cases.SYSTEM, "value": self.value}]
        made = client.create({"resourceType": "Patient", "identifier": identifier})
        self.reference = f"Patient/{made['id']}"

    def document(self, assessed, **more) -> Document:
        made = cases.write(assessed, reading=cases.record(self.reference), **more)
        own = made.content
        for uid in ("2.25.100", "2.25.700"):  # studies and lesions; equal ones of other patients are other patients'
            own = own.replace(uid.encode(), f"{uid}{self.number}9".encode())
        return replace(made, content=retagged(own))

    def held(self, kind: str) -> list[dict]:
        parameter = "patient" if kind in ("BodyStructure", "Task", "DetectedIssue") else "subject"
        return self.client.search(kind, [(parameter, self.reference)])

    def counts(self) -> dict[str, int]:
        return {kind: len(self.held(kind)) for kind in KINDS}

    def plan(self, status: str) -> dict:
        (found,) = [one for one in self.held("CarePlan") if one["status"] == status]
        return found


@pytest.fixture
def patient(client: EhrClient) -> OnePatient:
    return OnePatient(client)


ONE_OF_EACH = {"CarePlan": 1, "RiskAssessment": 1, "Observation": 5, "DetectedIssue": 1, "BodyStructure": 3, "Task": 1}


def test_delivered_twice_is_there_once(client, patient):
    destination = EhrDestination(client)
    document = patient.document(cases.assessment())
    destination.deliver(document)
    versions = {one["id"]: one["meta"]["versionId"] for kind in KINDS for one in patient.held(kind)}
    provenances = len(client.search("Provenance", []))
    destination.deliver(document)
    assert patient.counts() == ONE_OF_EACH
    assert {one["id"]: one["meta"]["versionId"] for kind in KINDS for one in patient.held(kind)} == versions
    assert len(client.search("Provenance", [])) == provenances, "a Provenance tells of a change, and there was none"


def test_what_the_server_holds_is_clean_and_carries_our_digest(client, patient):
    EhrDestination(client).deliver(patient.document(cases.assessment()))
    for kind in KINDS:
        for held in patient.held(kind):
            assert written_digest(held) == content_digest(held), kind
            assert findings(_plain(held)) == []


def test_a_later_study_supersedes_the_draft_and_the_earlier_results_stand(client, patient):
    destination = EhrDestination(client)
    destination.deliver(patient.document(cases.assessment()))
    destination.deliver(patient.document(cases.later()))
    old, new = patient.plan("revoked"), patient.plan("draft")
    assert new["replaces"] == [{"reference": f"CarePlan/{old['id']}"}]
    assert written_digest(old) == content_digest(old), "what we revoked is still ours"
    assert len(patient.held("RiskAssessment")) == 2
    assert {one["status"] for one in patient.held("Observation")} == {"preliminary"}
    assert sorted(one["status"] for one in patient.held("Task")) == ["cancelled", "requested"]


def test_what_a_wrong_patients_study_left_is_entered_in_error_and_the_earlier_plan_a_draft_again(client, patient):
    destination = EhrDestination(client)
    right, wrong = patient.document(cases.assessment()), patient.document(cases.later())
    destination.deliver(right)
    destination.deliver(wrong)
    study = f"2.25.100{patient.number}92"
    at = datetime(2026, 7, 2, 8, tzinfo=UTC)
    (document,) = RetractionWriter().withdraw(Withdrawal(study, at, "olga", [wrong], [right]))
    for _ in range(2):
        assert not destination.deliver(document).note
        statuses = {one["status"] for kind in KINDS for one in patient.held(kind) if "status" in one
                    and own_identifier(one).startswith(study)}  # fmt: skip
        assert statuses == {"entered-in-error"}
    assert not own_identifier(patient.plan("draft")).startswith(study)
    wrong_plan = {"reference": f"CarePlan/{patient.plan('entered-in-error')['id']}"}
    told = [one for one in client.search("Provenance", []) if "activity" in one and wrong_plan in one["target"]]
    assert len(told) == 1
    assert [fault for kind in KINDS for held in patient.held(kind) for fault in findings(_plain(held))] == []


def test_a_late_delivery_of_the_earlier_study_does_not_bring_its_plan_back(client, patient):
    destination = EhrDestination(client)
    first = patient.document(cases.assessment())
    destination.deliver(first)
    destination.deliver(patient.document(cases.later()))
    assert "later study" in destination.deliver(first).note
    assert patient.plan("draft")["period"]["start"] == "2026-07-01"


def test_a_first_delivery_after_the_later_study_writes_results_and_no_plan(client, patient):
    destination = EhrDestination(client)
    destination.deliver(patient.document(cases.later()))
    destination.deliver(patient.document(cases.assessment()))
    assert patient.counts()["CarePlan"] == 1
    assert patient.counts()["RiskAssessment"] == 2


def test_a_changed_result_of_the_study_replaces_in_place_and_retires_what_it_no_longer_says(client, patient):
    destination = EhrDestination(client)
    destination.deliver(patient.document(cases.assessment()))
    before = patient.plan("draft")
    changed = cases.assessment(input_digest="ef" * 32, selection=cases.selection(preferred="TAE", excluded_by=()))
    destination.deliver(patient.document(changed))
    after = patient.plan("draft")
    assert after["id"] == before["id"]
    proposed = after["activity"][0]["reference"]["reference"].removeprefix("#")
    (request,) = [one for one in after["contained"] if one["id"] == proposed]
    assert request["code"]["text"] == "TAE"
    assert [one["status"] for one in patient.held("DetectedIssue")] == ["cancelled"]
    assert len(patient.held("RiskAssessment")) == 2


@pytest.mark.parametrize(
    "touch",
    [
        {"status": "active", "intent": "plan"},
        {"title": "Changed by the board"},
        {"note": [{"text": "discussed on Tuesday"}]},
    ],
    ids=lambda touch: next(iter(touch)),
)
def test_a_plan_that_a_clinician_touched_is_left_alone_and_a_task_tells(client, patient, touch):
    destination = EhrDestination(client)
    destination.deliver(patient.document(cases.assessment()))
    plan = patient.plan("draft")
    touched = client.update({**plan, **touch}, if_match=plan["meta"]["versionId"])
    changed = patient.document(cases.assessment(input_digest="ef" * 32, selection=cases.selection(preferred="TAE")))
    assert "Task" in destination.deliver(changed).note
    (kept,) = patient.held("CarePlan")
    assert kept["meta"]["versionId"] == touched["meta"]["versionId"]
    (task,) = [one for one in patient.held("Task") if one["status"] == "requested"]
    assert task["focus"] == {"reference": f"CarePlan/{plan['id']}"}
    assert "TAE: preferred" in task["description"]
    counts = patient.counts()
    destination.deliver(changed)
    assert patient.counts() == counts, "told once"


def test_an_active_plan_of_an_earlier_study_is_never_revoked(client, patient):
    destination = EhrDestination(client)
    destination.deliver(patient.document(cases.assessment()))
    plan = patient.plan("draft")
    client.update({**plan, "status": "active", "intent": "plan"}, if_match=plan["meta"]["versionId"])
    assert "kept" in destination.deliver(patient.document(cases.later())).note
    assert patient.plan("active")["id"] == plan["id"]
    assert "replaces" not in patient.plan("draft")


def test_a_completed_task_stays_completed(client, patient):
    destination = EhrDestination(client)
    document = patient.document(cases.assessment())
    destination.deliver(document)
    (task,) = patient.held("Task")
    client.update({**task, "status": "completed"}, if_match=task["meta"]["versionId"])
    destination.deliver(document)
    assert [one["status"] for one in patient.held("Task")] == ["completed"]


def test_sixteen_deliveries_at_once_under_a_lock_leave_one_of_each(server, patient):
    document = patient.document(cases.assessment())
    lock = threading.Lock()  # the ledger's lock per patient in the service

    def deliver(_: int) -> None:
        own = server.client()
        try:
            with lock:
                EhrDestination(own).deliver(document)
        finally:
            own.close()

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(deliver, range(16)))
    assert patient.counts() == ONE_OF_EACH


def test_a_stale_version_is_refused_by_the_server_and_read_again(client, patient):
    EhrDestination(client).deliver(patient.document(cases.assessment()))
    plan = patient.plan("draft")
    client.update({**plan, "title": "first"}, if_match=plan["meta"]["versionId"])
    with pytest.raises(TryLater, match="another version"):
        client.update({**plan, "title": "second"}, if_match=plan["meta"]["versionId"])


class LosesAnswers(EhrClient):
    """A client whose writes are done and whose answers get lost."""

    lost = 0

    def transaction(self, bundle):
        super().transaction(bundle)
        self.lost += 1
        raise TryLater("the EHR did not answer (transaction: ReadTimeout)")


def test_a_lost_answer_is_looked_up_before_anything_is_repeated(server, client, patient):
    if not client.capabilities().transaction:
        return  # entry by entry there is no one answer to lose
    document = patient.document(cases.assessment())
    deaf = LosesAnswers(server.base_url, credentials=server.credentials)
    with pytest.raises(TryLater):
        EhrDestination(deaf).deliver(document)
    provenances = len(client.search("Provenance", []))
    EhrDestination(client).deliver(document)
    assert patient.counts() == ONE_OF_EACH
    assert len(client.search("Provenance", [])) == provenances
    deaf.close()


def test_a_resource_of_ours_under_another_patient_stops_the_delivery(client, patient):
    EhrDestination(client).deliver(patient.document(cases.assessment()))
    other = OnePatient(client)
    other.number = patient.number
    with pytest.raises(Refused, match="another patient"):
        EhrDestination(client).deliver(other.document(cases.assessment()))
    assert other.counts() == dict.fromkeys(KINDS, 0)


def test_the_record_is_read_from_the_server(client, patient):
    result = {
        "resourceType": "Observation",
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "1751-7"}]},
        "subject": {"reference": patient.reference},
        "effectiveDateTime": "2026-03-01",
        "valueQuantity": {"value": 39, "unit": "g/L", "system": "http://unitsofmeasure.org", "code": "g/L"},
    }
    made = client.create(result)
    reading = EhrRecordSource(client).read([Identifier(patient.value, cases.SYSTEM)])
    assert reading.patient_reference == patient.reference
    assert reading.facts["albumin_g_l"].value == 39
    assert reading.facts["albumin_g_l"].origin == f"Observation/{made['id']}/_history/{made['meta']['versionId']}"
    with pytest.raises(ImpossibleInput, match="no patient"):
        EhrRecordSource(client).read([Identifier(patient.value, "urn:oid:1.2.3")])


def test_news_are_told_once(client, patient):
    assert poll(client, patient.reference, None) == ([], None)
    ecog = {
        "resourceType": "Observation",
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "89247-1"}]},
        "subject": {"reference": patient.reference},
        "effectiveDateTime": "2026-03-01",
        "valueInteger": 1,
    }
    first = client.create(ecog)
    _, mark = poll(client, patient.reference, None)
    assert poll(client, patient.reference, mark) == ([], mark)
    second = client.update({**first, "valueInteger": 2}, if_match=first["meta"]["versionId"])
    changed, newer = poll(client, patient.reference, mark)
    assert changed == [f"Observation/{second['id']}/_history/{second['meta']['versionId']}"]
    assert poll(client, patient.reference, newer)[0] == []


def _plain(value):
    """Decimals as the JSON numbers that the judges read."""
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_plain(one) for one in value]
    return float(value) if type(value).__name__ == "Decimal" else value
