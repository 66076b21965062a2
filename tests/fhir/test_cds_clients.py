"""Which tokens of an EHR are good: signed by a key of a named issuer, for this address, now, and for the first time."""

import json
import threading
import time

import httpx
import jwt
import pytest
from cds_case import ISSUER, Ehr

from connector.core.errors import BadCase, TryLater
from connector.fhir import cds_clients
from connector.fhir.cds_clients import CdsClients, KeysAwaited, NotTrusted, parse_issuers
from connector.fhir.used_tokens import UsedInMemory

HERE = "https://connector.test/cds-services/x"
EHR, RSA, STRANGER = Ehr(), Ehr("RS384", "k2"), Ehr()


class WaitingClients(CdsClients):
    """Waits for keys that are being fetched, as the door does without a thread."""

    def check(self, token, audience):
        try:
            return super().check(token, audience)
        except KeysAwaited as awaited:
            awaited.fetch.result(5)
        return super().check(token, audience)


class KeyServer:
    """Serves a JWK Set over HTTP, and counts."""

    def __init__(self, *ehrs: Ehr) -> None:
        self.ehrs, self.asked, self.fault, self.hangs_until = list(ehrs), 0, None, threading.Event()
        self.hangs_until.set()

    def __call__(self, request: httpx.Request) -> httpx.Response:
        assert request.url == "https://ehr.test/jwks"
        self.asked += 1
        assert self.hangs_until.wait(10)
        if self.fault:
            raise self.fault
        return httpx.Response(200, json={"keys": [one.jwk for one in self.ehrs]})

    def clients(self, clock=lambda: NOW) -> CdsClients:
        transport = httpx.MockTransport(self)
        places = {ISSUER: "https://ehr.test/jwks"}
        return WaitingClients(places, used=UsedInMemory(clock), clock=clock, transport=transport)


NOW = int(time.time())  # the clock of these tests stands still


def signed(ehr: Ehr, audience: object, **claims: object) -> str:
    return ehr.token(audience, **{"iat": NOW, "exp": NOW + 300, **claims})


@pytest.fixture
def clients():
    return KeyServer(EHR, RSA).clients()


@pytest.mark.parametrize("ehr", [EHR, RSA], ids=["ES384", "RS384"])
@pytest.mark.parametrize("audience", [HERE, [HERE], ["https://other.test", HERE]])
def test_a_good_token_is_taken(clients, ehr, audience):
    assert clients.check(signed(ehr, audience), {HERE}) == ISSUER


@pytest.mark.parametrize(
    ("token", "reason"),
    [
        ("", "no JWT"),
        ("a.b.c", "no JWT"),
        ("x" * 9000, "too long"),
        (signed(EHR, "https://connector.test/cds-services/y"), "another address"),
        (signed(EHR, HERE, iss="https://evil.test/"), "CONNECTOR_CDS_ISSUERS"),
        (signed(EHR, HERE, iss=None), "CONNECTOR_CDS_ISSUERS"),
        (signed(EHR, HERE, exp=NOW - 60), "ended"),
        (signed(EHR, HERE, exp=NOW + 3700), "longer"),
        (signed(EHR, HERE, iat=NOW + 120), "future"),
        (signed(EHR, HERE, exp="soon"), "number"),
        *[(signed(EHR, HERE, exp=float(never)), "number") for never in ("nan", "inf", "-inf")],
        (signed(EHR, HERE, exp=10**400), "number"),
        (signed(EHR, HERE, iat=float("nan")), "number"),
        *[(signed(EHR, HERE, **{name: None}), f"no {name}") for name in ("exp", "iat", "jti")],
        (signed(EHR, None), "no aud"),
        (signed(EHR, HERE, jti=17), "not a good one"),
        (signed(EHR, HERE, jti=""), "jti"),
        (signed(EHR, HERE, header={"kid": "other"}), "no key with that kid"),
        (signed(EHR, HERE, header={"kid": ""}), "no kid"),
        (signed(EHR, HERE, header={"kid": "k2"}), "another algorithm"),
        (signed(STRANGER, HERE), "signature"),
        (signed(STRANGER, HERE, header={"jku": "https://evil.test/jwks"}), "signature"),
        (jwt.encode({"iss": ISSUER, "aud": HERE}, "", algorithm="none", headers={"kid": "k1"}), "signed by"),
        (jwt.encode({"iss": ISSUER, "aud": HERE}, "s" * 48, algorithm="HS384", headers={"kid": "k1"}), "signed by"),
    ],
)  # fmt: skip
def test_a_token_that_is_not_good_is_refused_with_its_reason(clients, token, reason):
    with pytest.raises(NotTrusted, match=reason):
        clients.check(token, {HERE})


def test_half_a_minute_of_clock_difference_is_borne(clients):
    assert clients.check(signed(EHR, HERE, exp=NOW - 1, iat=NOW + 20), {HERE}) == ISSUER


def test_a_token_is_taken_once():
    server = KeyServer(EHR)
    clients, token = server.clients(), signed(EHR, HERE)
    clients.check(token, {HERE})
    with pytest.raises(NotTrusted, match="before"):
        clients.check(token, {HERE})
    assert clients.check(signed(EHR, HERE), {HERE}) == ISSUER


def test_used_tokens_are_forgotten_when_they_have_ended():
    now = [1000.0]
    used = UsedInMemory(lambda: now[0])
    assert used.first_use("a", 1010)
    assert not used.first_use("a", 1010)
    now[0] = 1011
    assert used.first_use("b", 1020)
    assert used._held == {"b"}


def test_keys_are_fetched_once_and_again_when_the_issuer_has_a_new_one():
    now = [float(NOW)]
    server = KeyServer(EHR)
    clients = server.clients(lambda: now[0])
    for _ in range(3):
        clients.check(signed(EHR, HERE), {HERE})
    assert server.asked == 1
    server.ehrs.append(RSA)
    with pytest.raises(NotTrusted, match="kid"):
        clients.check(signed(RSA, HERE), {HERE})
    assert server.asked == 1, "a stranger's kid does not make us fetch all the time"
    now[0] += 31
    clients.check(signed(RSA, HERE), {HERE})
    assert server.asked == 2


def test_keys_that_were_read_stay_good_while_the_issuer_is_away():
    now = [float(NOW)]
    server = KeyServer(EHR)
    clients = server.clients(lambda: now[0])
    clients.check(signed(EHR, HERE), {HERE})
    now[0] += 700
    server.fault = httpx.ConnectError("away")
    assert clients.check(signed(EHR, HERE, iat=int(now[0]), exp=int(now[0]) + 60), {HERE}) == ISSUER


def test_a_key_that_the_issuer_took_back_is_not_believed_after_a_quiet_night():
    now = [float(NOW)]
    server = KeyServer(EHR)
    clients = server.clients(lambda: now[0])
    clients.check(signed(EHR, HERE), {HERE})
    server.ehrs[:] = [RSA]
    now[0] += 3601
    with pytest.raises(NotTrusted, match="kid"):
        clients.check(signed(EHR, HERE, iat=int(now[0]), exp=int(now[0]) + 60), {HERE})


def test_without_the_issuers_keys_the_caller_is_asked_to_come_again():
    server = KeyServer(EHR)
    server.fault = httpx.ConnectError("away")
    with pytest.raises(TryLater):
        server.clients().check(signed(EHR, HERE), {HERE})


def test_keys_that_could_not_be_fetched_are_asked_for_again_after_half_a_minute():
    """Anybody may name an issuer: while its host is down, no call costs a fetch, and the token can be sent again."""
    now = [float(NOW)]
    server = KeyServer(EHR)
    clients, token = server.clients(lambda: now[0]), signed(EHR, HERE)
    server.fault = httpx.ConnectTimeout("away")
    for at in (0, 1, 30):
        now[0] = NOW + at
        with pytest.raises(TryLater, match="cannot be read now"):
            clients.check(token, {HERE})
    assert server.asked == 1
    server.fault = None
    now[0] = NOW + 31
    assert clients.check(token, {HERE}) == ISSUER
    assert server.asked == 2


def test_an_issuer_is_asked_once_at_a_time_and_a_known_key_waits_for_nobody():
    now, answer = [float(NOW)], threading.Event()
    server = KeyServer(EHR)
    clients = server.clients(lambda: now[0])
    clients.check(signed(EHR, HERE), {HERE})
    server.hangs_until = answer
    now[0] += 31
    fetches = set()
    for _ in range(3):
        with pytest.raises(KeysAwaited) as told:
            CdsClients.check(clients, signed(EHR, HERE, header={"kid": "a stranger's"}), {HERE})
        fetches.add(told.value.fetch)
    assert len(fetches) == 1
    assert clients.check(signed(EHR, HERE), {HERE}) == ISSUER, "its key is held"
    answer.set()
    (fetch,) = fetches
    fetch.result(5)
    assert server.asked == 2


def test_a_set_that_comes_bit_by_bit_for_ever_is_given_up(monkeypatch):
    monkeypatch.setattr(cds_clients, "_LONGEST_FETCH_SECONDS", -1.0)
    with pytest.raises(TryLater):
        KeyServer(EHR).clients().check(signed(EHR, HERE), {HERE})


@pytest.mark.parametrize(
    "jwk",
    [
        {**EHR.jwk, "use": "enc"},
        {**EHR.jwk, "alg": "ES256"},
        {**EHR.jwk, "crv": "P-256"},
        {"kty": "oct", "k": "c2VjcmV0", "kid": "k1"},
    ],
)
def test_keys_that_may_not_sign_are_passed_over(tmp_path, jwk):
    (tmp_path / "set.json").write_text(json.dumps({"keys": [jwk]}))
    clients = WaitingClients({ISSUER: str(tmp_path / "set.json")}, used=UsedInMemory())
    with pytest.raises(NotTrusted, match="kid"):
        clients.check(signed(EHR, HERE), {HERE})


def test_issuers_are_pairs_and_keys_come_by_https():
    text = "https://a/=https://a/jwks.json?x=1, https://b=/etc/b.json,https://c=http://127.0.0.1:1/j"
    assert parse_issuers(text) == {
        "https://a/": "https://a/jwks.json?x=1", "https://b": "/etc/b.json", "https://c": "http://127.0.0.1:1/j",
    }  # fmt: skip
    for wrong in ("https://a/", "=x", "a=", "https://a=http://a/jwks.json"):
        with pytest.raises(BadCase, match="CONNECTOR_CDS_ISSUERS"):
            parse_issuers(wrong)
