"""The CDS Hooks door: whom it answers, about which patient, and with what."""

import json
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from types import SimpleNamespace

import fhir_cases as cases
import httpx
import pytest
import sqlalchemy as sa
from cds_case import ORDER, PUBLIC, SYSTEM, VIEW, asks, make_bench, patient, said, summaries, tell
from cds_schema import DISCOVERY, faults

from connector.fhir import cds_hooks
from connector.fhir.cds_clients import CdsClients
from connector.fhir.used_tokens import UsedInMemory
from connector.store import tables as t

SNOMED = "http://snomed.info/sct"
AWAY = "https://away.test/"


def test_discovery_names_two_services_and_asks_nobody_who_they_are(bench):
    answer = bench.client.get("/cds-services")
    assert faults(answer.json(), DISCOVERY) == []
    assert [(one["id"], one["hook"]) for one in answer.json()["services"]] == [
        (VIEW, "patient-view"),
        (ORDER, "order-select"),
    ]


def test_the_patient_on_the_screen_gets_the_card_of_the_newest_assessment(bench):
    bench.shelve()
    newest = bench.shelve(cases.later())
    answer = bench.view(asks())
    assert answer.json() == {"cards": [newest["plan"]]}
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["content-type"] == "application/json"


@pytest.mark.parametrize(
    ("body", "status", "cards", "why"),
    [
        (asks(), 200, 1, "the patient, proven by identifier"),
        (asks("Patient/p1"), 200, 1, "some EHRs send the reference for the id"),
        (asks(prefetch=None), 200, 1, "no prefetch, but the id is of the FHIR server we work with"),
        (asks(prefetch=None, fhirServer="HTTPS://EHR.test:443/fhir/r4/"), 200, 1, "the same server, spelled otherwise"),
        (asks(fhirServer=None), 200, 1, "no server, but the identifier proves who it is"),
        (asks(fhirServer="https://other.test/fhir"), 200, 1, "another name of the server; the identifier proves it"),
        (asks(fhirServer=None, prefetch=None), 412, 0, "an id of no known server says nobody"),
        (asks(fhirServer="https://other.test/fhir", prefetch=None), 412, 0, "another server's id is somebody else's"),
        (asks(fhirServer=None, prefetch={"patient": None}), 412, 0, "null: the EHR has no data for the key"),
        (asks(fhirServer=None, prefetch={"patient": {"resourceType": "OperationOutcome"}}), 412, 0, "it failed"),
        (asks(fhirServer=None, prefetch={"patient": patient(identifier=[])}), 412, 0, "no identifier proves nothing"),
        (asks("p2"), 200, 0, "the prefetched patient is not the one of the context"),
        (asks("p2", prefetch={"patient": patient(id="p2")}), 200, 0, "a patient we know nothing of"),
        (asks(prefetch={"patient": patient(identifier=[{"system": SYSTEM, "value": "12346"}])}), 200, 0,
         "our id, but another patient's identifier: the EHR's ids were mixed up, and nothing is shown"),
        (asks(prefetch={"patient": patient(identifier=[{"system": "urn:other", "value": "12345"}])}), 200, 0,
         "the same value in another system is another identifier"),
    ],
)  # fmt: skip
def test_a_card_is_shown_only_of_the_patient_who_is_meant(bench, body, status, cards, why):
    bench.shelve()
    answer = bench.view(body)
    assert answer.status_code == status, why
    assert len(answer.json().get("cards", [])) == cards, why


def test_a_patient_is_never_matched_by_name(bench):
    bench.shelve()
    other = patient(id="p2", identifier=[{"system": SYSTEM, "value": "99999"}])
    assert summaries(bench.view(asks("p2", prefetch={"patient": other}))) == []


def test_two_numbers_of_one_patient_both_answer(bench):
    """The images of one hospital and of another: two cases, one chart."""
    other = bench.cases.of_patient("HOSPITAL\x1f777")
    bench.shelve()
    bench.shelve(cases.later(), case_ref=other)
    both = patient(identifier=[{"system": SYSTEM, "value": value} for value in ("12345", "777")])
    assert len(summaries(bench.view(asks(prefetch={"patient": both})))) == 2
    assert len(summaries(bench.view(asks()))) == 1, "only what the prefetched patient proves"


def order(code, system=SNOMED, kind="ServiceRequest", uid="o1", about="Patient/p1", **more):
    concept = "medicationCodeableConcept" if kind == "MedicationRequest" else "code"
    coded = {concept: {"coding": [{"system": system, "code": code}]}}
    return {"resourceType": kind, "id": uid, "status": "draft", "subject": {"reference": about}, **coded, **more}


Y90 = {"extension": [{"url": "x", "valueCodeableConcept": {"coding": [{"system": SNOMED, "code": "764678003"}]}}]}


@pytest.mark.parametrize(
    ("orders", "selected", "about", "why"),
    [
        ([order("440252007", **Y90)], ["ServiceRequest/o1"], ["plan", "TARE"], "radioembolisation"),
        ([order("107963000")], ["ServiceRequest/o1"], ["plan", "surgery"], "resection of the liver"),
        ([order("57238002")], ["ServiceRequest/o1"], ["plan", "TACE", "TARE"], "an embolisation: any of them"),
        ([order("107963000"), order("440252007", uid="o2", **Y90)], ["ServiceRequest/o2"], ["plan", "TARE"],
         "only what was selected just now"),
        ([order("71020", "http://www.ama-assn.org/go/cpt")], ["ServiceRequest/o1"], [], "a chest film is none of ours"),
        ([order("L01EX08", "http://www.whocc.no/atc", "MedicationRequest")], ["MedicationRequest/o1"], ["plan"],
         "lenvatinib: no verdict of its own in this assessment"),
        ([order("A10BA02", "http://www.whocc.no/atc", "MedicationRequest")], ["MedicationRequest/o1"], [], "metformin"),
        ([order("107963000", about="Patient/p2")], ["ServiceRequest/o1"], [], "an order about somebody else"),
        ([], [], [], "nothing is selected"),
    ],
)  # fmt: skip
def test_an_order_gets_what_the_draft_says_about_its_treatment(bench, orders, selected, about, why):
    cards = bench.shelve()
    bundle = {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": one} for one in orders]}
    body = asks(hook="order-select", context={"selections": selected, "draftOrders": bundle})
    answer = bench.post(f"/cds-services/{ORDER}", body)
    assert summaries(answer) == [cards[one]["summary"] for one in about], why


@pytest.mark.parametrize(
    ("body", "status", "why"),
    [
        (asks(hook="order-sign"), 400, "another hook than the service's"),
        (asks(hookInstance="17"), 400, "no UUID"),
        (asks(hookInstance=None), 400, "no instance"),
        (asks(context={"patientId": None}), 400, "no patient"),
        (asks("a/b?c"), 400, "no id of a resource"),
        (asks(context={"userId": ""}), 400, "no user"),
        ({**asks(), "context": []}, 400, "no context"),
        ([], 400, "no object"),
        (asks(prefetch={"patient": patient(photo=[{"data": "x" * 3_000_000}])}), 413, "more than is taken"),
    ],
)
def test_a_body_that_no_client_may_send_is_told_so(bench, body, status, why):
    answer = bench.view(body)
    assert answer.status_code == status, why
    assert answer.json()["error"], why


@pytest.mark.parametrize("context", [{}, {"selections": "x"}, {"selections": [], "draftOrders": {"resourceType": "x"}}])
def test_an_order_without_its_orders_is_told_so(bench, context):
    assert bench.post(f"/cds-services/{ORDER}", asks(hook="order-select", context=context)).status_code == 400


def test_only_json_is_taken_and_only_by_services_that_are_there(bench):
    path = f"/cds-services/{VIEW}"
    headers = {"Authorization": f"Bearer {bench.ehr.token(f'{PUBLIC}{path}')}", "Content-Type": "text/plain"}
    assert bench.client.post(path, content=b"{}", headers=headers).status_code == 415
    headers = {"Authorization": f"Bearer {bench.ehr.token(f'{PUBLIC}{path}')}", "Content-Type": "application/json"}
    assert bench.client.post(path, content=b"{not json", headers=headers).status_code == 400
    assert bench.post("/cds-services/nothing", asks()).status_code == 404
    assert bench.client.get(path).status_code == 405


@pytest.mark.parametrize(
    ("host", "signed", "token", "status", "why"),
    [
        ("10.0.0.7", True, True, 200, "an EHR that signs"),
        ("127.0.0.1", True, False, 401, "nobody comes in without a token where EHRs are named"),
        ("127.0.0.1", False, False, 200, "no EHR is named: callers on this machine may try it"),
        ("10.0.0.7", False, True, 401, "no EHR is named: nobody else may"),
    ],
)
def test_who_is_answered(tmp_path, host, signed, token, status, why):
    bench = make_bench(tmp_path, host=host, signed=signed)
    path = f"/cds-services/{VIEW}"
    headers = {"Authorization": f"Bearer {bench.ehr.token(f'{PUBLIC}{path}')}"} if token else {}
    answer = bench.client.post(path, json=asks(), headers=headers)
    assert answer.status_code == status, why
    if status == 401:
        assert answer.headers["www-authenticate"].startswith("Bearer")


@pytest.fixture
def away(bench):
    """A second issuer of the door, whose host takes requests and does not answer until this is set."""
    begun, answers, asked = threading.Event(), threading.Event(), []

    def serve(request):
        asked.append(request)
        begun.set()
        answers.wait(10)
        raise httpx.ReadTimeout("away")

    own, transport = bench.door._clients._keys, httpx.MockTransport(serve)
    bench.door._clients = CdsClients({AWAY: f"{AWAY}jwks"}, used=UsedInMemory(), transport=transport)
    bench.door._clients._keys.update(own)
    yield SimpleNamespace(begun=begun, answers=answers, asked=asked)
    answers.set()


def test_an_issuer_whose_keys_do_not_come_keeps_nobody_elses_cards_back(bench, away):
    bench.shelve()
    path = f"/cds-services/{VIEW}"
    with ThreadPoolExecutor(5) as callers:
        tokens = [bench.ehr.token(f"{PUBLIC}{path}", iss=AWAY) for _ in range(5)]
        stalled = [callers.submit(bench.post, path, asks(), token=token) for token in tokens]
        assert away.begun.wait(5)
        assert len(summaries(bench.view(asks()))) == 1
        assert tell(bench, said({"uuid": str(uuid.uuid4())}, "overridden")).status_code == 404, "nor their feedback"
        assert not any(one.done() for one in stalled)
        away.answers.set()
        answers = [one.result(10) for one in stalled]
    assert {(one.status_code, one.headers["retry-after"]) for one in answers} == {(503, "30")}
    assert len(away.asked) == 1, "all five wait for one fetch"
    token = bench.ehr.token(f"{PUBLIC}{path}", iss=AWAY)
    assert bench.post(path, asks(), token=token).status_code == 503
    assert len(away.asked) == 1, "nor is it asked again at once"


@pytest.mark.usefixtures("away")
def test_a_caller_is_told_to_come_again_when_keys_take_too_long(bench, monkeypatch):
    monkeypatch.setattr(cds_hooks, "_LONGEST_FETCH_SECONDS", 0.05)
    path = f"/cds-services/{VIEW}"
    answer = bench.post(path, asks(), token=bench.ehr.token(f"{PUBLIC}{path}", iss=AWAY))
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "30")
    assert "being fetched" in answer.text


def test_browsers_of_named_origins_may_call_and_others_may_not(tmp_path):
    bench = make_bench(tmp_path, origins=("https://ehr.test",))
    bench.shelve()
    path = f"/cds-services/{VIEW}"
    asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization,content-type"}
    allowed = bench.client.options(path, headers={"Origin": "https://ehr.test", **asked})
    assert (allowed.status_code, allowed.headers["access-control-allow-origin"]) == (200, "https://ehr.test")
    assert bench.client.options(path, headers={"Origin": "https://evil.test", **asked}).status_code == 400
    answer = bench.post(path, asks(), headers={"Origin": "https://ehr.test"})
    assert answer.headers["access-control-allow-origin"] == "https://ehr.test"
    assert bench.client.get("/cds-services", headers={"Origin": "https://ehr.test"}).headers["vary"] == "Origin"


def test_nothing_of_the_call_reaches_the_log(bench, capsys):
    bench.shelve()
    secret = {"access_token": "very-secret", "token_type": "Bearer", "expires_in": 1, "scope": "x", "subject": "y"}
    bench.view(asks(fhirAuthorization=secret))
    bench.view(asks("p2", fhirAuthorization=secret))
    bench.view(asks(fhirServer=None, prefetch=None, fhirAuthorization=secret))
    captured = capsys.readouterr()
    for private in ("very-secret", "12345", "Lesion", "Patient/p1", "p2"):
        assert private not in captured.out + captured.err


def test_a_card_of_equal_inputs_that_comes_again_is_of_today(bench):
    first = bench.shelve(cases.assessment())
    bench.shelve(cases.assessment(input_digest="cd" * 32, assessed_on=date(2026, 4, 8)))
    bench.shelve(cases.assessment())
    (shown,) = bench.view(asks()).json()["cards"]
    assert shown == json.loads(json.dumps(first["plan"]))


def study_row(bench, assessed, day):
    row = {
        "study_instance_uid": assessed.study_instance_uid, "case_ref": bench.case_ref, "patient_key": "x",
        "study_date": day, "state": "complete", "first_received_at": 1.0, "last_received_at": 1.0,
    }  # fmt: skip
    with bench.engine.begin() as connection:
        connection.execute(sa.insert(t.study).values(row))


def test_a_card_of_a_wrong_patients_study_is_not_shown_and_the_one_before_it_is(bench):
    """A person said that the images are another's: the chart must not go on showing what they led to."""
    earlier = bench.shelve(cases.assessment())["plan"]
    later = cases.later()
    bench.shelve(later)
    study_row(bench, later, "20260401")
    (shown,) = bench.view(asks()).json()["cards"]
    assert shown["uuid"] != earlier["uuid"]
    with bench.engine.begin() as connection:
        connection.execute(sa.update(t.study).values(state="rejected"))
    (shown,) = bench.view(asks()).json()["cards"]
    assert shown["uuid"] == earlier["uuid"]


def test_an_older_study_that_is_assessed_again_hides_no_newer_one(bench):
    """A pathology report comes late: the older study is judged anew, today, and the chart shows the newer one."""
    older, newer = cases.assessment(), cases.later()
    study_row(bench, older, "20260110")
    study_row(bench, newer, "20260401")
    expected = bench.shelve(newer)["plan"]
    bench.shelve(cases.assessment(input_digest="cd" * 32))
    (shown,) = bench.view(asks()).json()["cards"]
    assert shown["uuid"] == expected["uuid"]
