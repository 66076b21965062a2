"""Several searches in one request: where it is offered, and what is asked one by one where it is not answered."""

import json

import httpx
import pytest
from ehr_case import BASE, Server, page, uid

from connector.core.errors import TryLater
from connector.fhir.ehr import STATEMENT_SECONDS


def a_batch(*, together=("batch",)):
    """The statement of a server, then what it answers a batch."""
    rest = {"mode": "server", "interaction": [{"code": code} for code in together]}
    return httpx.Response(200, json={"resourceType": "CapabilityStatement", "fhirVersion": "4.0.1", "rest": [rest]})


def answered(*entries):
    given = [
        {"response": {"status": status}, **({"resource": json.loads(one.content)} if one else {})}
        for status, one in entries
    ]
    return httpx.Response(200, json={"resourceType": "Bundle", "type": "batch-response", "entry": given})


SEARCHES = [("Observation", (("patient", "Patient/1"), ("code", "a|b,c|d"))), ("Task", (("identifier", "s|1"),))]


def test_several_searches_are_one_request_where_the_server_offers_it():
    busy = ("429 Too Many Requests", None)
    server = Server(a_batch(), answered(("200 OK", page(uid("a"), following=f"{BASE}/next")), busy), page(uid("b")))
    client = server.client()
    first = client.first_pages(SEARCHES)
    sent = json.loads(server.asked[1].content)
    assert (server.asked[1].method, sent["type"]) == ("POST", "batch")
    assert [entry["request"]["method"] for entry in sent["entry"]] == ["GET", "GET"]
    assert sent["entry"][0]["request"]["url"] == "Observation?patient=Patient%2F1&code=a%7Cb%2Cc%7Cd"
    assert list(first) == SEARCHES[:1], "the one that was too much is asked by itself, and says so there"
    found = client.search(*SEARCHES[0], first=first[SEARCHES[0]])
    assert [one["id"] for one in found] == ["a", "b"], "its next page is followed"


@pytest.mark.parametrize(
    ("answer", "asks_again", "why"),
    [
        (httpx.Response(405), False, "a batch is declared and refused"),
        (httpx.Response(503), True, "it may pass"),
        (httpx.ConnectError("away"), True, "it may pass, and costs no time"),
        (httpx.ReadTimeout("slow"), False, "each would cost the whole time we wait for an answer"),
        (httpx.Response(504), False, "a gateway waited in our place"),
        (httpx.Response(429, headers={"Retry-After": "0"}), True, "it asks for no pause"),
        (answered(("200 OK", page())), True, "an answer of one to a question of two says not which"),
        (answered(("200 OK", uid_answer := httpx.Response(200, json={"resourceType": "OperationOutcome"})),
                  ("404", uid_answer)), True, "no page is in it"),
    ],
)  # fmt: skip
def test_a_batch_that_is_not_answered_is_asked_search_by_search(answer, asks_again, why):
    server = Server(a_batch(), answer, answer)
    client = server.client()
    assert client.first_pages(SEARCHES) == {}, why
    assert client.first_pages(SEARCHES) == {}
    assert len(server.asked) == (3 if asks_again else 2), why


@pytest.mark.parametrize("answer", [httpx.Response(405), httpx.ReadTimeout("slow")], ids=["refused", "timed out"])
def test_a_batch_is_tried_again_when_the_statement_is_read_again(answer):
    now = [0.0]
    server = Server(a_batch(), answer, a_batch(), answered(("200 OK", page()), ("200 OK", page())))
    client = server.client(clock=lambda: now[0])
    assert client.first_pages(SEARCHES) == {}
    now[0] = STATEMENT_SECONDS - 1
    assert client.first_pages(SEARCHES) == {}
    assert len(server.asked) == 2, "neither a batch nor a statement"
    now[0] = STATEMENT_SECONDS
    assert list(client.first_pages(SEARCHES)) == SEARCHES


@pytest.mark.parametrize("status", [429, 503])
def test_a_server_that_wants_to_be_left_alone_is_not_asked_search_by_search(status):
    server = Server(a_batch(), httpx.Response(status, headers={"Retry-After": "120"}))
    with pytest.raises(TryLater) as told:
        server.client().first_pages(SEARCHES)
    assert told.value.retry_after_seconds == 120.0


def test_a_server_that_declares_no_batch_is_asked_none():
    server = Server(a_batch(together=("transaction",)))
    assert server.client().first_pages(SEARCHES) == {}
    assert [request.method for request in server.asked] == ["GET"]
