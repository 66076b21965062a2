"""Our own FHIR endpoint: what was made can be read, whatever the EHR took of it."""

import fhir_cases as cases
import pytest
from ehr_in_memory import EhrInMemory
from judge_fhir import findings
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.testclient import TestClient

from connector.fhir.deliver import EhrDestination
from connector.fhir.identity import IDENTIFIER_SYSTEM
from connector.fhir.reconcile import own_identifier
from connector.fhir.serve import Kept, id_of, resource_ids, shelved
from connector.fhir.serve_door import serve_routes

EHR, TOKEN = "https://ehr.test/r4", {"Authorization": "Bearer t0ken"}
FIRST, CHANGED, LATER = (
    cases.write(assessed, report=lambda _: b"%PDF-")
    for assessed in (
        cases.assessment(),
        cases.assessment(input_digest="ef" * 32, selection=cases.selection(preferred="TAE")),
        cases.later(),
    )
)


class OneCase:
    """A shelf with the documents of one case, whose patient is Patient/p1 in the EHR."""

    def __init__(self, *documents):
        self.documents = documents

    def case_of(self, resource_id):
        return "case" if any(resource_id in resource_ids(one.content) for one in self.documents) else None

    def cases_of_record(self, record_reference):
        return ["case"] if record_reference == "Patient/p1" else []

    def documents_of(self, case_ref):
        assert case_ref == "case"
        return [(one.content, 1_000_000.0 + 60 * number, False) for number, one in enumerate(self.documents)]

    def results_of(self, _):
        return []


@pytest.fixture
def door():
    viewed = []
    routes = serve_routes(
        OneCase(FIRST, CHANGED, LATER), ehr_url=f"{EHR}/",
        authorise=lambda request: request.headers.get("Authorization") == TOKEN["Authorization"],
        viewed=lambda place, case_ref: viewed.append((place, case_ref)),
    )  # fmt: skip
    client = TestClient(Starlette(routes=routes), headers=TOKEN)
    client.viewed = viewed
    return client


def found(answer, status=200):
    assert answer.status_code == status, answer.text
    return [entry["resource"] for entry in answer.json().get("entry", [])]


def test_a_plan_and_a_risk_are_read_by_an_id_that_never_changes(door):
    plan = door.get(f"/fhir/CarePlan/{id_of('CarePlan', f'{cases.STUDY}:plan')}")
    assert plan.status_code == 200
    assert plan.headers["content-type"] == "application/fhir+json"
    assert plan.json()["contained"][0]["code"]["text"] == "TAE", "as the newest result says"
    assert plan.headers["ETag"] == 'W/"3"', "made, changed, revoked by the later study"
    first = f"{cases.STUDY}:{'ab' * 8}:risk"
    risk = door.get(f"/fhir/RiskAssessment/{id_of('RiskAssessment', first)}")
    assert risk.json()["status"] == "preliminary"


def test_the_shelf_stands_as_an_ehr_would_that_takes_everything(door):
    plans = {one["status"]: one for one in found(door.get("/fhir/CarePlan?patient=Patient/p1"))}
    assert plans["draft"]["replaces"] == [{"reference": f"CarePlan/{plans['revoked']['id']}"}]
    assert sorted(one["status"] for one in found(door.get("/fhir/Task?patient=p1"))) == [
        "cancelled", "cancelled", "requested"]  # fmt: skip
    assert len(found(door.get("/fhir/RiskAssessment?subject=Patient/p1"))) == 3
    assert len(found(door.get("/fhir/Provenance?patient=p1"))) == 3, "one for each change"


def test_what_a_full_ehr_holds_and_what_we_serve_is_the_same():
    ehr = EhrInMemory((*EhrInMemory().kinds, "DocumentReference"))
    for document in (FIRST, CHANGED, LATER):
        EhrDestination(ehr).deliver(document)
    held = {own_identifier(one): one for one in ehr.held.values() if own_identifier(one)}
    served = shelved([Kept(one.content, 1.0) for one in (FIRST, CHANGED, LATER)])
    ours = {own_identifier(one): one for one in served.values() if own_identifier(one)}
    assert {name: one.get("status") for name, one in ours.items()} == {
        name: one.get("status") for name, one in held.items()
    }


def test_everything_served_is_clean_and_points_here_or_into_the_ehr(door):
    references = set()

    def collect(value):
        if isinstance(value, dict):
            references.update([value["reference"]] if isinstance(value.get("reference"), str) else [])
            for one in value.values():
                collect(one)
        elif isinstance(value, list):
            for one in value:
                collect(one)

    for kind in ("CarePlan", "RiskAssessment", "Observation", "BodyStructure", "DetectedIssue", "Task",
                 "DocumentReference", "Provenance"):  # fmt: skip
        bundle = door.get(f"/fhir/{kind}?patient=Patient/p1").json()
        assert findings(bundle) == [], kind
        collect(bundle)
    for reference in references:
        if reference.startswith("#"):
            continue  # inside the plan; the judge has followed it
        if reference.startswith(EHR):
            assert reference.split("/")[4] in {"Patient", "Condition", "Observation"}
        else:
            assert door.get(f"/fhir/{reference}").status_code == 200, reference


@pytest.mark.parametrize(
    ("query", "count"),
    [
        (f"identifier={IDENTIFIER_SYSTEM}|{cases.STUDY}:plan", 1),
        (f"identifier={cases.STUDY}:plan", 1),
        (f"identifier={cases.STUDY}:plan,2.25.1002:plan", 2),
        (f"identifier=urn:other|{cases.STUDY}:plan", 0),
        (f"identifier={cases.STUDY}:plan&patient=p2", 0),
        (f"_id={id_of('CarePlan', f'{cases.STUDY}:plan')}", 1),
        (f"patient={EHR}/Patient/p1", 2),
        ("patient=https://other.test/r4/Patient/p1", 0),
        ("patient=p2", 0),
        ("patient=p1&status=draft", 2),
    ],
)
def test_what_is_found(door, query, count):
    assert len(found(door.get(f"/fhir/CarePlan?{query}"))) == count


def test_a_lesion_is_found_by_its_tracking_uid(door):
    (lesion,) = found(door.get("/fhir/BodyStructure?identifier=urn:dicom:uid|urn:oid:2.25.7001"))
    assert lesion["description"] == "Lesion T01"


def test_a_search_in_a_form_says_nothing_in_an_address(door):
    answer = door.post("/fhir/CarePlan/_search", data={"patient": "Patient/p1"})
    assert len(found(answer)) == 2
    assert [link["url"] for link in answer.json()["link"]] == ["http://testserver/fhir/CarePlan"]


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/fhir/CarePlan", 400, "required"),
        ("/fhir/CarePlan?status=draft", 400, "required"),
        ("/fhir/Patient?identifier=x", 404, "not-supported"),
        ("/fhir/CarePlan/none", 404, "not-found"),
        ("/fhir", 404, "not-supported"),
        ("/fhir/CarePlan/1/_history", 404, "not-supported"),
        (f"/fhir/Task/{id_of('CarePlan', f'{cases.STUDY}:plan')}", 404, "not-found"),
    ],
)
def test_what_is_not_there_is_told_as_an_outcome(door, path, status, code):
    answer = door.get(path)
    assert (answer.status_code, answer.json()["issue"][0]["code"]) == (status, code)
    assert findings(answer.json()) == []


@pytest.mark.parametrize("path", ["/fhir/CarePlan?patient=p1", "/fhir/CarePlan/none", "/fhir/Patient/1"])
def test_nothing_is_told_without_the_token(door, path):
    answer = door.get(path, headers={"Authorization": "Bearer other"})
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert door.viewed == []


@pytest.mark.parametrize("method", ["put", "post", "delete", "patch"])
@pytest.mark.parametrize("path", ["", "/CarePlan/1", "/CarePlan/1/_history/2"])
def test_a_write_is_answered_in_fhir(door, method, path):
    """The console answers every address that nobody else has, with a page: a client of FHIR cannot read it."""
    elsewhere = Mount("/", Starlette())
    answer = getattr(TestClient(Starlette(routes=[*door.app.routes, elsewhere])), method)(f"/fhir{path}")
    assert (answer.status_code, answer.headers["Allow"]) == (405, "GET, HEAD")
    assert findings(answer.json()) == []


def test_what_was_read_is_told_to_the_audit_trail(door):
    found(door.get("/fhir/CarePlan?patient=p1"))
    assert door.viewed == [("CarePlan", "case")]


def test_the_statement_is_open_and_clean(door):
    statement = door.get("/fhir/metadata", headers={"Authorization": ""}).json()
    assert statement["implementation"]["url"] == "http://testserver/fhir"
    assert findings(statement) == []


def test_a_patient_whose_record_was_merged_keeps_what_was_made_before():
    merged = cases.write(cases.later(), reading=cases.record("Patient/p2"))
    served = shelved([Kept(FIRST.content, 1.0), Kept(merged.content, 2.0)])
    plans = {one["subject"]["reference"]: one["status"] for one in served.values() if one["resourceType"] == "CarePlan"}
    assert plans == {"Patient/p1": "draft", "Patient/p2": "draft"}
