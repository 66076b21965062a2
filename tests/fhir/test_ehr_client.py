"""How each answer of an EHR is taken: later, refused or changed; signing in; pages; and what never leaves in a text."""

import json
import logging
from datetime import UTC, datetime
from decimal import Decimal
from urllib.parse import parse_qs

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from connector.core.errors import Refused, TryLater
from connector.fhir.capabilities import read_capabilities
from connector.fhir.ehr import STATEMENT_SECONDS, EhrClient, SmartCredentials
from connector.fhir.ehr_answers import Changed, NotOffered, TimedOut, seconds_of
from connector.fhir.signing_keys import signing_key

BASE = "https://ehr.test/r4"
_KEY = ec.generate_private_key(ec.SECP384R1())
PEM = _KEY.private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
).decode()
SMART = SmartCredentials("connector", (signing_key(PEM, "k1"),), "system/*.cruds", f"{BASE}/token")


class Server:
    """Answers from a list, and remembers what was asked."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.asked = []

    def __call__(self, request):
        self.asked.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    def client(self, **more):
        return EhrClient(BASE, transport=httpx.MockTransport(self), **{"pause": lambda _: None, **more})


def uid(name):
    return {"resourceType": "Observation", "id": name}


def page(*resources, following=None):
    links = [{"relation": "next", "url": following}] if following else []
    return httpx.Response(200, json={"resourceType": "Bundle", "link": links,
                                     "entry": [{"resource": one} for one in resources]})  # fmt: skip


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


def token(value="t1", seconds=300):
    return httpx.Response(200, json={"access_token": value, "expires_in": seconds, "token_type": "bearer"})


def test_an_assertion_is_fresh_and_short_lived():
    now = 1_700_000_000.0
    server = Server(token(), page())
    server.client(credentials=SMART, clock=lambda: now).search("Patient", [])
    form = {name: values[0] for name, values in parse_qs(server.asked[0].content.decode()).items()}
    assert form["grant_type"] == "client_credentials"
    assert form["scope"] == "system/*.cruds"
    assertion = form["client_assertion"]
    assert jwt.get_unverified_header(assertion) == {"alg": "ES384", "kid": "k1", "typ": "JWT"}
    claims = jwt.decode(assertion, _KEY.public_key(), algorithms=["ES384"], audience=f"{BASE}/token",
                        options={"verify_exp": False, "verify_iat": False})  # fmt: skip
    assert claims["iss"] == claims["sub"] == "connector"
    assert claims["exp"] - now <= 300
    assert server.asked[1].headers["Authorization"] == "Bearer t1"


@pytest.mark.parametrize(
    ("seconds", "after_seconds", "tokens"),
    [
        ("NaN", 239, 1),
        ("NaN", 241, 2),
        ("Infinity", 69119, 1),
        ("Infinity", 69121, 2),
        ("9" * 400, 69121, 2),
        ("-1", 241, 2),
    ],
)
def test_a_life_that_no_token_has_is_not_believed(seconds, after_seconds, tokens):
    """80 % of 5 minutes where the server says nothing that can be, 80 % of a day at most."""
    now = [1_700_000_000.0]
    content = f'{{"access_token": "t", "expires_in": {seconds}, "token_type": "bearer"}}'
    answer = httpx.Response(200, content=content)
    server = Server(answer, page(), *([answer] if tokens > 1 else []), page())
    client = server.client(credentials=SMART, clock=lambda: now[0])
    client.search("Patient", [])
    now[0] += after_seconds
    client.search("Patient", [])
    assert len([one for one in server.asked if one.method == "POST"]) == tokens


@pytest.mark.parametrize(
    ("after_seconds", "tokens", "why"),
    [(0, 1, "in use"), (239, 1, "just before 80 % of its life"), (240, 2, "at 80 %")],
)
def test_a_token_is_kept_until_most_of_its_life_is_over(after_seconds, tokens, why):
    now = [1000.0]
    asked = []

    def answer(request):
        if request.url.path.endswith("/token"):
            asked.append(parse_qs(request.content.decode())["client_assertion"][0])
            return token(f"t{len(asked)}")
        return page()

    client = EhrClient(BASE, credentials=SMART, transport=httpx.MockTransport(answer), clock=lambda: now[0])
    client.search("Patient", [])
    now[0] += after_seconds
    client.search("Patient", [])
    assert len(asked) == tokens, why
    ids = {jwt.decode(one, options={"verify_signature": False})["jti"] for one in asked}
    assert len(ids) == tokens, "no jti is used twice"


def test_a_401_is_answered_once_with_a_new_token():
    server = Server(token("old"), httpx.Response(401), token("new"), page())
    server.client(credentials=SMART).search("Patient", [])
    assert server.asked[3].headers["Authorization"] == "Bearer new"


def test_a_second_401_is_refused():
    server = Server(token("old"), httpx.Response(401), token("new"), httpx.Response(401))
    with pytest.raises(Refused, match="401"):
        server.client(credentials=SMART).search("Patient", [])
    assert len(server.asked) == 4


def test_a_403_never_asks_for_another_token():
    server = Server(token(), httpx.Response(403))
    with pytest.raises(Refused, match="403"):
        server.client(credentials=SMART).search("Patient", [])
    assert len(server.asked) == 2


def test_the_token_endpoint_is_found_by_the_smart_configuration():
    server = Server(httpx.Response(200, json={"token_endpoint": f"{BASE}/here"}), token(), page())
    found = SmartCredentials("connector", SMART.keys, "system/*.cruds")
    server.client(credentials=found).search("Patient", [])
    assert [str(one.url) for one in server.asked[:2]] == [f"{BASE}/.well-known/smart-configuration", f"{BASE}/here"]


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (httpx.Response(200, json={}), "no access_token"),
        (httpx.Response(200, text="no"), "JSON object"),
        (httpx.Response(400, json={"error": "invalid_client"}), "sign in"),
    ],
)
def test_a_token_endpoint_that_gives_no_token_is_refused(answer, reason):
    with pytest.raises(Refused, match=reason):
        Server(answer).client(credentials=SMART).search("Patient", [])


def test_pages_are_followed_and_what_stands_on_two_counts_once():
    def held(uid, updated):
        return {"resourceType": "Observation", "id": uid, "meta": {"lastUpdated": updated}}

    server = Server(
        page(held("a", "2026-01-01"), held("b", "2026-01-01"), following=f"{BASE}/Observation?page=2"),
        page(held("b", "2026-01-02"), {"resourceType": "OperationOutcome"}),
    )
    found = server.client().search("Observation", [])
    assert [(one["id"], one["meta"]["lastUpdated"]) for one in found] == [("a", "2026-01-01"), ("b", "2026-01-02")]


def test_a_page_link_to_another_server_is_not_followed_since_the_token_would_go_with_it():
    server = Server(token(), page(following="https://elsewhere.test/r4/Observation?page=2"))
    with pytest.raises(Refused, match="another server"):
        server.client(credentials=SMART).search("Observation", [])


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
