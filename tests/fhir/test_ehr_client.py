"""How each answer of an EHR is taken: later, refused or changed; pages; and what never leaves in a text."""

import json
import logging
from datetime import UTC, datetime
from decimal import Decimal

import httpx
import pytest
from ehr_case import BASE, Server, page, uid

from connector.core.errors import Refused, TryLater
from connector.fhir.capabilities import read_capabilities
from connector.fhir.ehr_answers import Changed, NotOffered, TimedOut, seconds_of


@pytest.mark.parametrize(
    ("answer", "failure", "why"),
    [
        (httpx.Response(400), Refused, "a bad request stays bad"),
        (httpx.Response(401), Refused, "not signed in, and there is nothing to sign in with"),
        (httpx.Response(403), Refused, "break the glass is not for software"),
        (httpx.Response(404), NotOffered, "not there"),
        (httpx.Response(405), NotOffered, "not offered"),
        (httpx.Response(406), Refused, "a form the server does not have"),
        (httpx.Response(408), TryLater, "the server waited too long"),
        (httpx.Response(409), Changed, "a version conflict in HAPI and Millennium"),
        (httpx.Response(410), NotOffered, "gone"),
        (httpx.Response(412), Changed, "a version conflict in FHIR"),
        (httpx.Response(413), Refused, "too large"),
        (httpx.Response(415), Refused, "a form the server does not take"),
        (httpx.Response(422), Refused, "against the server's rules"),
        (httpx.Response(423), TryLater, "locked"),
        (httpx.Response(429), TryLater, "too many"),
        (httpx.Response(500), TryLater, "the server's own trouble"),
        (httpx.Response(501), NotOffered, "will never be done"),
        (httpx.Response(502), TryLater, "a gateway"),
        (httpx.Response(503), TryLater, "away"),
        (httpx.Response(504), TimedOut, "a gateway waited in our place"),
        (httpx.ConnectError("refused"), TryLater, "not reachable"),
        (httpx.ReadTimeout("slow"), TimedOut, "no answer"),
        (httpx.RemoteProtocolError("cut"), TryLater, "cut off"),
        (httpx.ProxyError("407"), TryLater, "a proxy that does not let us through"),
        (httpx.UnsupportedProtocol("ftp"), Refused, "an address that cannot be asked"),
        (httpx.Response(200, text="<html>"), Refused, "a page of a proxy"),
        (httpx.Response(200, json=[1]), Refused, "no resource"),
        (httpx.Response(302, headers={"Location": "https://elsewhere.test"}), Refused, "a redirect is not followed"),
    ],
)
def test_an_answer_becomes_one_of_the_reactions(answer, failure, why):
    with pytest.raises(failure) as fault:
        Server(answer).client().search("Patient", [("identifier", "urn:x|secret-mrn")])
    assert type(fault.value) is failure, why
    assert "secret-mrn" not in str(fault.value)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("120", 120.0), ("0", 0.0), ("Tue, 07 Apr 2026 12:01:00 GMT", 60.0), ("Tue, 07 Apr 2026 11:00:00 GMT", 0.0),
     ("soon", None), (None, None), ("86401", 86400.0), ("9" * 400, 86400.0),
     ("Wed, 07 Apr 2060 12:00:00 GMT", 86400.0)],
)  # fmt: skip
def test_retry_after_is_honoured(header, seconds):
    assert seconds_of(header, now=datetime(2026, 4, 7, 12, tzinfo=UTC)) == seconds


def test_a_busy_server_says_how_long_to_wait():
    with pytest.raises(TryLater) as fault:
        Server(httpx.Response(429, headers={"Retry-After": "17"})).client().read("Patient/1")
    assert fault.value.retry_after_seconds == 17


BUSY, CUT = httpx.Response(503), httpx.RemoteProtocolError("cut")


@pytest.mark.parametrize(
    ("faults", "waited", "is_read", "why"),
    [
        ([BUSY], [0.2], True, "one lost answer costs one page, not the whole record"),
        ([CUT, httpx.Response(429)], [0.2, 0.8], True, "the third is the last try"),
        ([BUSY, CUT, BUSY], [0.2, 0.8], False, "then the step is tried again later"),
        ([httpx.Response(429, headers={"Retry-After": "2"})], [2.0], True, "as long as the server says"),
        ([httpx.Response(429, headers={"Retry-After": "3"})], [], False, "no worker is held for so long"),
        ([httpx.Response(422)], [], False, "a no stays a no"),
    ],
)
def test_a_page_is_asked_for_again_before_the_whole_read_is_given_up(faults, waited, is_read, why):
    pauses = []
    server = Server(page(uid("a"), following="r4/Observation?page=2"), *faults, page(uid("b")))
    client = server.client(pause=pauses.append)
    if is_read:
        assert [one["id"] for one in client.search("Observation", [])] == ["a", "b"], why
    else:
        with pytest.raises((TryLater, Refused)):
            client.search("Observation", [])
    assert pauses == waited, why


def test_a_write_is_never_repeated_unseen():
    """It may have been done: whoever writes looks first what stands."""
    server = Server(BUSY)
    with pytest.raises(TryLater):
        server.client().transaction({"resourceType": "Bundle", "type": "transaction", "entry": []})
    assert len(server.asked) == 1


def test_no_url_is_logged(caplog):
    with caplog.at_level(logging.INFO):
        Server(page()).client().search("Patient", [("identifier", "secret-mrn")])
    assert "secret-mrn" not in caplog.text


def test_pages_are_followed_and_what_stands_on_two_counts_once():
    def held(uid, updated):
        return {"resourceType": "Observation", "id": uid, "meta": {"lastUpdated": updated}}

    server = Server(
        page(held("a", "2026-01-01"), held("b", "2026-01-01"), following=f"{BASE}/Observation?page=2"),
        page(held("b", "2026-01-02"), {"resourceType": "OperationOutcome"}),
    )
    found = server.client().search("Observation", [])
    assert [(one["id"], one["meta"]["lastUpdated"]) for one in found] == [("a", "2026-01-01"), ("b", "2026-01-02")]


def test_pages_that_never_end_are_refused():
    with pytest.raises(Refused, match="do not end"):
        Server(page(following=f"{BASE}/Observation?page=2")).client().search("Observation", [])


def test_decimals_are_read_as_written():
    body = b'{"resourceType": "Bundle", "entry": [{"resource": {"resourceType": "Observation", "id": "1", "v": 1.50}}]}'
    (found,) = Server(httpx.Response(200, content=body)).client().search("Observation", [])
    assert str(found["v"]) == "1.50"
    assert isinstance(found["v"], Decimal)


def test_an_update_names_the_version_it_replaces():
    server = Server(httpx.Response(200, json={"resourceType": "Task", "id": "7", "meta": {"versionId": "4"}}))
    stored = server.client().update({"resourceType": "Task", "id": "7", "n": Decimal("1.50")}, if_match="3")
    request = server.asked[0]
    assert (request.method, str(request.url)) == ("PUT", f"{BASE}/Task/7")
    assert request.headers["If-Match"] == 'W/"3"'
    assert request.content == b'{"id":"7","n":1.50,"resourceType":"Task"}'
    assert stored["meta"]["versionId"] == "4"


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (httpx.Response(201, json={"resourceType": "Task", "id": "7"}), "7"),
        (httpx.Response(201, headers={"Location": f"{BASE}/Task/8/_history/1"}), "8"),  # and is read back
        (httpx.Response(201, json={"resourceType": "OperationOutcome"}, headers={"Location": "Task/9"}), "9"),
    ],
)
def test_where_a_created_resource_stands(answer, expected):
    server = Server(answer, httpx.Response(200, json={"resourceType": "Task", "id": expected}))
    assert server.client().create({"resourceType": "Task"}, if_none_exist="identifier=a|b")["id"] == expected
    assert server.asked[0].headers["If-None-Exist"] == "identifier=a|b"


def test_a_server_that_does_not_say_where_is_refused():
    with pytest.raises(Refused, match="neither body nor Location"):
        Server(httpx.Response(201)).client().create({"resourceType": "Task"})


@pytest.mark.parametrize("version", ["4.3.0", "5.0.0", "3.0.2", "1.0.2", ""])
def test_a_server_of_another_release_is_refused(version):
    with pytest.raises(Refused, match=r"R4 \(4.0.1\)"):
        read_capabilities({"resourceType": "CapabilityStatement", "fhirVersion": version})


def test_the_statement_is_asked_once():
    statement = {"resourceType": "CapabilityStatement", "fhirVersion": "4.0.1", "software": {"name": "x"}}
    server = Server(httpx.Response(200, content=json.dumps(statement)))
    client = server.client()
    assert client.check() == "FHIR 4.0.1 x"
    client.capabilities()
    assert len(server.asked) == 1
    client.close()
