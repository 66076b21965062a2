"""schemathesis sends what nobody would to every address of the console: an answer may refuse, and never breaks."""

from collections.abc import Iterator
from hashlib import sha256

import pytest
import schemathesis
from console_case import make_desk, set_aside
from hypothesis import HealthCheck, settings
from starlette.testclient import TestClient

TEXT = {"type": "string"}
QUERIES = {
    "/": ("view", "state", "find", "order", "after"),
    "/cases/{case_ref}": ("assessment", "done"),
    "/cases/{case_ref}/dose": ("assessment", "cut", "slice"),
    "/cases/{case_ref}/dose/{cut}/{index}": ("assessment",),
    "/cases/{case_ref}/documents/{document_id}": (),
    "/cases/{case_ref}/studies/{study}/{act}": (),
    "/cases/{case_ref}/studies/{study}/images/{series}": ("slice",),
    "/cases/{case_ref}/studies/{study}/images/{series}/{index}": (),
    "/steps": ("done",),
    "/steps/{job_id}/replay": (),
    "/steps/{job_id}/by_hand": (),
    "/logbook": ("kind", "actor", "ref", "who", "before"),
    "/settings": (),
    "/sign-in": ("to",),
}
FORMS = (
    "/find",
    "/logbook",
    "/cases/{case_ref}/studies/{study}/{act}",
    "/steps/{job_id}/replay",
    "/steps/{job_id}/by_hand",
    "/sign-in",
    "/sign-out",
)
FIELDS = dict.fromkeys(("form_token", "action_key", "reason", "seen", "name", "password", "to",
                        "find", "view", "state", "order", "kind", "actor", "ref", "who", "before"), TEXT)  # fmt: skip


def _description(case_ref: str) -> dict:
    """The addresses in OpenAPI's words; one case is real, so that what lies behind it is reached too."""
    paths: dict[str, dict] = {}
    for path in {*QUERIES, *FORMS}:
        places = [part[1:-1] for part in path.split("/") if part.startswith("{")]
        parameters = [
            {"name": name, "in": "path", "required": True, "schema": _place(name, case_ref)} for name in places
        ]
        parameters += [{"name": name, "in": "query", "schema": TEXT} for name in QUERIES.get(path, ())]
        answer = {"responses": {"default": {"description": "a page"}}, "parameters": parameters}
        paths[path] = {"get": answer} if path in QUERIES else {}
        if path in FORMS:
            form = {"type": "object", "properties": FIELDS}
            body = {"content": {"application/x-www-form-urlencoded": {"schema": form}}}
            paths[path]["post"] = {**answer, "requestBody": body}
    return {"openapi": "3.0.3", "info": {"title": "console", "version": "1"}, "paths": paths}


def _required(name: str, case_ref: str) -> dict:
    return {"name": name, "in": "path", "required": True, "schema": _place(name, case_ref)}


def _place(name: str, case_ref: str) -> dict:
    known = {"case_ref": [case_ref], "cut": ["axial", "coronal"], "act": ["release", "reject", "replay", "complete"]}
    any_text = {"type": "string", "minLength": 1}
    return {"anyOf": [{"enum": known[name]}, any_text]} if name in known else any_text


CASE_REF = sha256(b"TEST\x1fP1").hexdigest()[:16]  # of the patient of `ledger_case.receipt`
schema = schemathesis.openapi.from_dict(_description(CASE_REF))


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """A caller on a machine without sign-in, who may do everything."""
    desk = make_desk(tmp_path_factory.mktemp("surface"))
    assert set_aside(desk.bench, "1.2.3", "x") == CASE_REF
    yield desk.browser()
    desk.bench.inbox.close()
    desk.bench.engine.dispose()


@schema.parametrize()
@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True, database=None)
def test_nothing_breaks(case, client: TestClient) -> None:
    sent = case.as_transport_kwargs(base_url="http://127.0.0.1")
    asked = {name: sent[name] for name in ("params", "data") if sent.get(name) is not None}
    answer = client.request(sent["method"], sent["url"], **asked)
    assert answer.status_code < 500, (case.path, answer.status_code)
