"""The worklist by DIMSE and by HTTP: every transition of PS3.4 table CC.1.1-2 that others may ask for."""

import json
from pathlib import Path

import pytest
from ledger_case import Bench, make_bench
from pydantic import ValidationError
from pydicom import Dataset
from starlette.applications import Starlette
from starlette.testclient import TestClient
from step_case import PULL, PUSH, calling, door, order, reference

from connector.app import App
from connector.dicom.receive_association import N_ACTION, N_CREATE, N_SET
from connector.dicom.receive_requests import StepRequests
from connector.dicom.receive_ups_rs import ups_routes
from connector.dicom.receive_wire import (
    ACTION_TYPE,
    AFFECTED_SOP_INSTANCE,
    COMMAND_FIELD,
    REQUESTED_SOP_INSTANCE,
    Command,
)
from connector.dicom.workitems import Workitems, matches
from connector.settings import Settings

UID, LOCK, OTHER = "1.2.50", "1.2.60", "1.2.61"


@pytest.fixture
def bench(tmp_path: Path):
    made = make_bench(f"sqlite:///{tmp_path / 'ledger.sqlite'}", tmp_path)
    yield made
    made.inbox.close()
    made.engine.dispose()


def state(name: str, lock: str = LOCK) -> Dataset:
    wanted = Dataset()
    wanted.ProcedureStepState, wanted.TransactionUID = name, lock
    return wanted


def performed(lock: str = LOCK) -> Dataset:
    changes = Dataset()
    changes.TransactionUID = lock
    changes.UnifiedProcedureStepPerformedProcedureSequence = [Dataset()]
    changes.UnifiedProcedureStepPerformedProcedureSequence[0].PerformedProcedureStepStartDateTime = "20260101"
    return changes


CLAIM, CANCEL, DONE, SET = ("state", "IN PROGRESS"), ("state", "CANCELED"), ("state", "COMPLETED"), ("set",)
STORIES = [
    ([CLAIM], 0, "claimed"),
    ([CLAIM, CLAIM], 0xC302, "claimed twice"),
    ([CANCEL], 0xC310, "a scheduled one is not cancelled by a performer"),
    ([DONE], 0xC310, "a scheduled one is not completed"),
    ([("state", "SCHEDULED")], 0xC303, "only a creation makes it SCHEDULED"),
    ([CLAIM, DONE], 0xC304, "nothing was performed"),
    ([CLAIM, SET, DONE], 0, "performed and completed"),
    ([CLAIM, SET, DONE, DONE], 0xB306, "completed already: a warning"),
    ([CLAIM, CANCEL, CANCEL], 0xB304, "cancelled already: a warning"),
    ([CLAIM, CANCEL, CLAIM], 0xC300, "final"),
    ([CLAIM, ("state", "COMPLETED", OTHER)], 0xC301, "another holds the lock"),
    ([CLAIM, ("set", OTHER)], 0xC301, "another may not set"),
    ([SET], 0xC310, "set by a performer before it is claimed"),
    ([CLAIM, SET, DONE, SET], 0xC300, "final: no longer set"),
    ([("cancel",)], 0, "taken back before it was begun"),
    ([("cancel",), ("cancel",)], 0xB304, "taken back already: a warning"),
    ([CLAIM, ("cancel",)], 0xC312, "begun by somebody else, who is not reached from here"),
    ([CLAIM, SET, DONE, ("cancel",)], 0xC311, "too late"),
]


def ask(bench: Bench, kind: int, information: Dataset, *, uid: str = UID, action: int = 0) -> int:
    """Ask as by DIMSE; returns the status."""
    named = AFFECTED_SOP_INSTANCE if kind == N_CREATE else REQUESTED_SOP_INSTANCE
    command = Command({COMMAND_FIELD: kind, named: uid, ACTION_TYPE: action})
    return StepRequests(bench.steps).answer(kind, command, PULL, information, owner="RIS").answer.status


@pytest.mark.parametrize(("story", "status", "why"), STORIES, ids=[why for _, _, why in STORIES])
def test_the_states_by_dimse(bench: Bench, story, status, why) -> None:
    assert ask(bench, N_CREATE, order()) == 0
    last = None
    for kind, *named in story:
        if kind == "state":
            last = ask(bench, N_ACTION, state(*named), action=1)
        elif kind == "set":
            last = ask(bench, N_SET, performed(*named))
        else:
            last = ask(bench, N_ACTION, Dataset(), action=2)
    assert last == status, why


@pytest.mark.parametrize(
    ("attributes", "status", "why"),
    [
        (order(state="IN PROGRESS"), 0xC309, "created in another state"),
        (order(TransactionUID=LOCK), 0x0106, "created with a lock"),
        (order(InputInformationSequence=[]), 0x0121, "orders an assessment of nothing"),
    ],
)
def test_an_order_that_cannot_be_is_refused(bench: Bench, attributes, status, why) -> None:
    assert ask(bench, N_CREATE, attributes) == status, why


def test_an_order_that_is_changed_waits_for_the_instances_that_it_names_now(bench: Bench) -> None:
    assert ask(bench, N_CREATE, order()) == 0
    changes = Dataset()
    changes.InputInformationSequence = order().InputInformationSequence
    changes.InputInformationSequence[0].ReferencedSOPSequence = [reference("1.2.3.7"), reference("1.2.3.8")]
    assert ask(bench, N_SET, changes) == 0
    assert bench.steps.get(UID).awaited == ("1.2.3.7", "1.2.3.8")


def test_a_subscription_is_not_offered(bench: Bench) -> None:
    assert ask(bench, N_CREATE, order()) == 0
    assert ask(bench, N_ACTION, Dataset(), action=3) == 0xC314


def test_what_was_ordered_is_got_and_found_by_dimse(bench: Bench, tmp_path: Path) -> None:
    with door(bench, tmp_path) as listener, calling(listener, PUSH, PULL) as association:
        assert association.send_n_create(order(), PUSH, UID)[0].Status == 0
        assert association.send_n_create(order(), PUSH, UID)[0].Status == 0x0111, "a duplicate"
        status, held = association.send_n_get([0x00741000, 0x00100020], PUSH, UID)
        assert (status.Status, held.ProcedureStepState, held.PatientID) == (0, "SCHEDULED", "P1")
        assert len(held) == 2, "what was asked for and no more"
        assert association.send_n_action(state("IN PROGRESS"), 1, PUSH, UID, meta_uid=PULL)[0].Status == 0
        assert association.send_n_set(performed(), PUSH, UID, meta_uid=PULL)[0].Status == 0
        _, whole = association.send_n_get([], PUSH, UID)
        assert whole.ProcedureStepState == "IN PROGRESS"
        assert "TransactionUID" not in whole, "the lock is nobody else's business"
        assert association.send_n_get([], PUSH, "1.2.51")[0].Status == 0xC307
        keys = Dataset()
        keys.ProcedureStepState, keys.PatientID, keys.WorklistLabel = "IN PROGRESS", "", "A*"
        answers = list(association.send_c_find(keys, PULL))
    assert [status.Status for status, _ in answers] == [0xFF00, 0]
    assert (answers[0][1].PatientID, answers[0][1].WorklistLabel) == ("P1", "AI")


@pytest.fixture
def web(bench: Bench) -> TestClient:
    routes = ups_routes(
        bench.steps, authorise=lambda request: "ris" if request.headers.get("authorization") == "Bearer t" else None
    )
    return TestClient(Starlette(routes=routes), headers={"Authorization": "Bearer t"})


def body(*datasets: Dataset) -> dict:
    return {
        "content": json.dumps([one.to_json_dict() for one in datasets]),
        "headers": {"Content-Type": "application/dicom+json"},
    }


def test_a_ris_orders_asks_and_takes_back_over_http(web: TestClient) -> None:
    made = web.post(f"/dicom-web/workitems?{UID}", **body(order()))
    assert made.status_code == 201
    assert made.headers["content-location"] == made.headers["location"] == f"/dicom-web/workitems/{UID}"
    assert web.post(f"/dicom-web/workitems?{UID}", **body(order())).status_code == 409
    got = web.get(f"/dicom-web/workitems/{UID}")
    assert got.headers["content-type"] == "application/dicom+json"
    assert got.json()[0]["00741000"]["Value"] == ["SCHEDULED"]
    assert web.post(f"/dicom-web/workitems/{UID}/cancelrequest").status_code == 202
    progress = web.get(f"/dicom-web/workitems/{UID}").json()[0]
    assert progress["00741000"]["Value"] == ["CANCELED"]
    again = web.post(f"/dicom-web/workitems/{UID}/cancelrequest")
    assert (again.status_code, "CANCELED already" in again.headers["warning"]) == (200, True)


@pytest.mark.parametrize(("story", "status", "why"), STORIES, ids=[why for _, _, why in STORIES])
def test_the_states_over_http(web: TestClient, story, status, why) -> None:
    assert web.post(f"/dicom-web/workitems?{UID}", **body(order())).status_code == 201
    last = None
    for kind, *named in story:
        if kind == "state":
            last = web.put(f"/dicom-web/workitems/{UID}/state", **body(state(*named)))
        elif kind == "set":
            last = web.post(f"/dicom-web/workitems/{UID}", **body(performed(*named)))
        else:
            last = web.post(f"/dicom-web/workitems/{UID}/cancelrequest")
    expected = {0: {200, 202}, 0xB304: {200}, 0xB306: {200}, 0xC303: {400}}.get(status, {409})
    assert last.status_code in expected, why
    assert ("warning" in last.headers) == (status != 0)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", 2),
        ("ProcedureStepState=SCHEDULED", 2),
        ("ProcedureStepState=COMPLETED", 0),
        ("PatientID=P1", 1),
        ("00100020=P2", 1),
        ("PatientName=test*", 2),
        ("WorklistLabel=ai", 0),
        ("ScheduledWorkitemCodeSequence.CodeValue=CAD001", 2),
        ("InputInformationSequence.StudyInstanceUID=1.2.4", 1),
        ("ScheduledProcedureStepStartDateTime=20200101-20200101", 1),
        ("ScheduledProcedureStepStartDateTime=20200102-", 1),
        ("limit=1", 1),
        ("offset=1", 1),
        ("offset=2", 0),
        ("includefield=all", 2),
    ],
)
def test_workitems_are_searched(web: TestClient, query: str, found: int) -> None:
    web.post("/dicom-web/workitems?1.2.50", **body(order()))
    other = order("1.2.4", PatientID="P2", ScheduledProcedureStepStartDateTime="20200102120000")
    web.post("/dicom-web/workitems?1.2.51", **body(other))
    answer = web.get(f"/dicom-web/workitems?{query}")
    assert answer.status_code == (200 if found else 204)
    assert len(answer.json() if found else []) == found
    if query == "limit=1":
        assert "2 workitems match" in answer.headers["warning"]


@pytest.mark.parametrize(
    ("method", "path", "changes", "status"),
    [
        ("GET", "/dicom-web/workitems/1.2.99", {}, 404),
        ("GET", "/dicom-web/workitems/..%2Fetc", {}, 404),
        ("GET", "/dicom-web/workitems/abc", {}, 400),
        ("POST", "/dicom-web/workitems?abc", body(order()), 400),
        ("POST", "/dicom-web/workitems", body(order(), order()), 400),
        ("POST", "/dicom-web/workitems", {"content": "x", "headers": {"Content-Type": "application/dicom+json"}}, 400),
        ("POST", "/dicom-web/workitems", {"content": "[1]", "headers": {"Content-Type": "application/json"}}, 400),
        (
            "POST",
            "/dicom-web/workitems",
            {"content": "<a/>", "headers": {"Content-Type": "application/dicom+xml"}},
            415,
        ),
        ("POST", "/dicom-web/workitems", body(order(state="COMPLETED")), 400),
        ("GET", "/dicom-web/workitems", {"headers": {"Accept": "text/html"}}, 406),
        ("GET", "/dicom-web/workitems?NoSuchKey=1", {}, 400),
        ("GET", "/dicom-web/workitems?limit=x", {}, 400),
        ("GET", "/dicom-web/workitems", {"headers": {"Authorization": "Bearer wrong"}}, 401),
    ],
)
def test_a_request_that_cannot_be_is_refused(web: TestClient, method, path, changes, status) -> None:
    assert web.request(method, path, **changes).status_code == status


def test_an_order_without_a_uid_gets_one(web: TestClient) -> None:
    where = web.post("/dicom-web/workitems", **body(order())).headers["location"]
    assert where.startswith("/dicom-web/workitems/2.25.")
    assert web.get(where).status_code == 200


def test_an_order_for_later_is_not_begun_before(bench: Bench) -> None:
    workitems = Workitems(bench.steps)
    workitems.create("1.2.50", order(ScheduledProcedureStepStartDateTime="29990101"), owner="RIS")
    workitems.create("1.2.51", order("1.2.4", ScheduledProcedureStepStartDateTime="20200101"), owner="RIS")
    assert [step.uid for step in workitems.open_orders()] == ["1.2.51"]


def test_keys_of_sequences_are_met_by_one_item() -> None:
    keys, item = Dataset(), Dataset()
    item.CodeValue, item.CodingSchemeDesignator = "CAD001", "OTHER"
    keys.ScheduledWorkitemCodeSequence = [item]
    assert not matches(order(), keys), "code and scheme of one item"


@pytest.mark.parametrize(
    ("written", "clients", "why"),
    [
        ("", {}, "both doors are off"),
        ("abc==", {"abc==": "client"}, "one token for everybody"),
        ("p@ss word", {"p@ss word": "client"}, "one token may be of any letters"),
        ("ris:abc, pacs:d/e=", {"abc": "ris", "d/e=": "pacs"}, "a token for each"),
        ("abc,pacs:def", {"abc": "client", "def": "pacs"}, "some are named"),
    ],
)
def test_each_dicomweb_client_has_its_name(written: str, clients: dict[str, str], why: str) -> None:
    assert Settings(stow_token=written).dicomweb_clients == clients, why


@pytest.mark.parametrize("written", ["ris:s3cret,pacs:s3cret", "ris:", "ris:s3cret two"])
def test_what_is_no_list_of_clients_is_refused_without_being_told(written: str) -> None:
    with pytest.raises(ValidationError) as refused:
        Settings(stow_token=written)
    told = str(refused.value)
    assert "write e.g. ris:s3cret" in told
    assert written not in told.replace("write e.g. ris:s3cret", "")


def test_who_orders_over_http_is_the_owner_by_the_name_of_its_token(tmp_path: Path) -> None:
    app = App(Settings(data_dir=tmp_path, stow_token="ris:abc,pacs:def"))  # noqa: S106 - of this test
    body = json.dumps([order().to_json_dict()])
    for uid, token, status in (("1.2.50", "abc", 201), ("1.2.51", "def", 201), ("1.2.52", "ghi", 401)):
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/dicom+json"}
        answer = TestClient(app.web()).post(f"/dicom-web/workitems?{uid}", content=body, headers=headers)
        assert answer.status_code == status
    assert [app.procedure_steps.get(uid).owner for uid in ("1.2.50", "1.2.51")] == ["ups:ris", "ups:pacs"]
    app.close()
