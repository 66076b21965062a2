"""The keys that sign in: made safely, named by what they are, published without their private half."""

import json
import stat
import threading
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import parse_qs

import click.testing
import httpx
import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from joserfc import jwk as other_jwk
from joserfc import jwt as other_jwt
from starlette.testclient import TestClient

from connector.__main__ import main
from connector.app import App
from connector.core.errors import BadCase, Refused, TryLater
from connector.fhir.ehr import EhrClient, SmartCredentials
from connector.fhir.signing_keys import _thumbprint, jwks, make_key, read_jwks, read_key, signing_key
from connector.settings import Settings

BASE = "https://ehr.test/r4"
PRIVATE = {"d", "p", "q", "dp", "dq", "qi"}


def pem(key, password: bytes | None = None) -> str:
    locked = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, locked).decode()


SHORT = rsa.generate_private_key(public_exponent=65537, key_size=1024)  # noqa: S505 - to be refused


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    folder = tmp_path_factory.mktemp("keys")
    return make_key(folder / "rsa.pem", "RS384"), make_key(folder / "ec.pem", "ES384")


@pytest.mark.parametrize(("place", "algorithm", "kind"), [(0, "RS384", "RSA"), (1, "ES384", "EC")])
def test_another_library_checks_what_the_key_signed_by_what_is_published(keys, place, algorithm, kind):
    key = keys[place]
    signed = jwt.encode({"sub": "x"}, key.private_pem, algorithm=key.algorithm, headers={"kid": key.key_id})
    published = other_jwk.KeySet.import_key_set(jwks(keys))
    assert other_jwt.decode(signed, published, algorithms=[algorithm]).claims == {"sub": "x"}
    assert (key.algorithm, key.public_jwk["kty"], key.public_jwk["use"]) == (algorithm, kind, "sig")


def test_a_kid_is_the_rfc_7638_thumbprint_unless_it_is_named(keys):
    for key in keys:
        assert key.key_id == other_jwk.import_key(dict(key.public_jwk)).thumbprint()
        assert signing_key(key.private_pem, "site-1").key_id == "site-1"


def test_the_example_of_rfc_7638_has_its_thumbprint():
    modulus = (
        "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3"
        "oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdA"
        "ZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-"
        "kEgU8awapJzKnqDKgw"
    )
    example = {"kty": "RSA", "n": modulus, "e": "AQAB", "alg": "RS256", "kid": "2011-04-29"}
    assert _thumbprint(example) == "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"


def test_a_new_key_is_readable_by_its_owner_only_and_never_written_over(tmp_path):
    made = make_key(tmp_path / "k.pem", "ES384")
    assert stat.S_IMODE((tmp_path / "k.pem").stat().st_mode) == 0o600
    with pytest.raises(BadCase, match="already"):
        make_key(tmp_path / "k.pem", "ES384")
    assert read_key(tmp_path / "k.pem", setting="K") == made


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("-----BEGIN PRIVATE KEY-----\nsecret nonsense that is no key at all", "no PEM"),
        (pem(SHORT), "RSA below 2048 bits (RFC 7518, 3.3)"),
        (pem(ec.generate_private_key(ec.SECP256R1())), "P-256 signs ES256, which SMART servers need not take"),
        (pem(ed25519.Ed25519PrivateKey.generate()), "EdDSA is not SMART's"),
        (pem(ec.generate_private_key(ec.SECP384R1()), b"word"), "locked by a password"),
    ],
)
def test_a_key_that_smart_does_not_sign_with_is_refused_without_showing_it(tmp_path, text, why):
    (tmp_path / "k.pem").write_text(text)
    with pytest.raises(BadCase, match="CONNECTOR_X") as fault:
        read_key(tmp_path / "k.pem", setting="CONNECTOR_X")
    assert text[28:60] not in str(fault.value), why


def test_nothing_private_is_shown(keys, tmp_path):
    for key in keys:
        assert not PRIVATE & set(key.public_jwk)
        assert "PRIVATE" not in repr(key)
    (tmp_path / "set.json").write_text(json.dumps({"keys": [{**keys[1].public_jwk, "d": "AA"}]}))
    with pytest.raises(BadCase, match="private"):
        read_jwks(tmp_path / "set.json", setting="CONNECTOR_EHR_JWKS_FILE")


@pytest.mark.parametrize("text", ["", "[]", '{"keys": []}', '{"keys": [{"kty": "EC"}]}', '{"keys": 1}'])
def test_a_file_that_is_no_set_of_keys_is_refused(tmp_path, text):
    (tmp_path / "set.json").write_text(text)
    with pytest.raises(BadCase, match="CONNECTOR_EHR_JWKS_FILE"):
        read_jwks(tmp_path / "set.json", setting="CONNECTOR_EHR_JWKS_FILE")


def run(*arguments: str, exit_code: int = 0, **environment: str) -> str:
    result = click.testing.CliRunner().invoke(main, ["keys", *arguments], env=environment)
    assert result.exit_code == exit_code, result.output
    return result.stdout if exit_code == 0 else result.stderr.strip().splitlines()[-1]


def test_the_commands_make_a_pair_and_print_its_public_half(tmp_path):
    one, two = tmp_path / "one", tmp_path / "two"
    made = json.loads(run("make", "--algorithm", "ES384", "--out", str(one)))
    run("make", "--out", str(two))
    named = {"CONNECTOR_EHR_PRIVATE_KEY_FILE": str(one), "CONNECTOR_EHR_NEXT_PRIVATE_KEY_FILE": str(two)}
    shown = json.loads(run("public", **named))
    assert shown["keys"][0] == made["keys"][0]
    assert [key["alg"] for key in shown["keys"]] == ["ES384", "RS384"]
    assert json.loads(run("public", str(one))) == made
    assert "already" in run("make", "--out", str(one), exit_code=2)
    assert run("public", exit_code=2).startswith("PEM = null")


@pytest.mark.parametrize("holds_private", [True, False])
def test_the_public_keys_are_served_also_where_no_private_one_is(keys, tmp_path, holds_private):
    held, given = tmp_path / "k.pem", tmp_path / "set.json"
    held.write_text(keys[0].private_pem)
    given.write_text(json.dumps(jwks(keys[:1])))
    signing = {"ehr_client_id": "x", "ehr_url": "http://127.0.0.1:9", "ehr_private_key_file": held}
    app = App(Settings(data_dir=tmp_path, **(signing if holds_private else {"ehr_jwks_file": given})))
    try:
        answer = TestClient(app.web(), client=("10.0.0.7", 1)).get("/.well-known/jwks.json")
        assert answer.json() == jwks(keys[:1])
        assert answer.headers["cache-control"] == "public, max-age=300"
    finally:
        app.close()


def test_without_a_key_there_is_no_set(tmp_path):
    app = App(Settings(data_dir=tmp_path))
    try:
        web = TestClient(app.web(), client=("127.0.0.1", 1), follow_redirects=False)
        assert web.get("/.well-known/jwks.json").status_code != 200
    finally:
        app.close()


def test_two_keys_of_one_name_are_refused(keys, tmp_path):
    for name, key in zip("ab", keys, strict=True):
        (tmp_path / name).write_text(key.private_pem)
    with pytest.raises(BadCase, match="CONNECTOR_EHR_NEXT_KEY_ID"):
        App(
            Settings(
                data_dir=tmp_path, ehr_url="http://127.0.0.1:9", ehr_client_id="x", ehr_key_id="k", ehr_next_key_id="k",
                ehr_private_key_file=tmp_path / "a", ehr_next_private_key_file=tmp_path / "b",
            )
        )  # fmt: skip


class TokenServer:
    """Takes assertions of the keys it knows; slow, so that threads meet."""

    def __init__(self, *known: str, fault: Exception | None = None, falls_over: tuple[str, ...] = ()) -> None:
        self.known, self.fault, self.falls_over = set(known), fault, falls_over
        self.kids: list[str] = []
        self.together = threading.Barrier(8)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if not request.url.path.endswith("/token"):
            return httpx.Response(200, json={"resourceType": "Bundle"})
        if self.fault:
            threading.Event().wait(0.05)
            self.kids.append("?")
            raise self.fault
        assertion = parse_qs(request.content.decode())["client_assertion"][0]
        self.kids.append(jwt.get_unverified_header(assertion)["kid"])
        if self.kids[-1] in self.falls_over:
            return httpx.Response(500)
        if self.kids[-1] not in self.known:
            return httpx.Response(400, json={"error": "invalid_client"})
        return httpx.Response(200, json={"access_token": f"t{len(self.kids)}", "expires_in": 300})

    def client(self, *keys) -> EhrClient:
        credentials = SmartCredentials("connector", keys, "system/*.rs", f"{BASE}/token")
        return EhrClient(BASE, credentials=credentials, transport=httpx.MockTransport(self))


def test_the_key_that_was_taken_last_signs_first_the_next_time(keys):
    server = TokenServer(keys[1].key_id)
    client = server.client(*keys)
    client.search("Patient", [])
    client._tokens.invalidate(client._tokens.token())
    client.search("Patient", [])
    assert server.kids == [keys[0].key_id, keys[1].key_id, keys[1].key_id]


def test_a_server_that_falls_over_the_new_kind_of_key_is_asked_with_the_other(keys):
    """Between RS384 and ES384 a server that still holds our old set may compare the new signature with the old key."""
    server = TokenServer(keys[1].key_id, falls_over=(keys[0].key_id,))
    assert server.client(*keys).search("Patient", []) == []


def test_a_fall_that_may_pass_parks_nothing_though_the_other_key_is_not_known_yet(keys):
    for place in (0, 1):
        with pytest.raises(TryLater, match="500"):
            TokenServer(falls_over=(keys[place].key_id,)).client(*keys).search("Patient", [])


def test_when_no_key_is_taken_the_refusal_is_told(keys):
    with pytest.raises(Refused, match="sign in"):
        TokenServer("another").client(*keys).search("Patient", [])


@pytest.mark.parametrize(("fault", "asked"), [(None, 1), (httpx.ReadTimeout("slow"), 1)])
def test_threads_that_meet_ask_once_and_share_what_came_of_it(keys, fault, asked):
    server = TokenServer(keys[1].key_id, fault=fault)
    client = server.client(keys[1])

    def ask(_):
        server.together.wait()
        try:
            return client._tokens.token()
        except TryLater as failed:
            return str(failed)

    with ThreadPoolExecutor(8) as threads:
        answers = set(threads.map(ask, range(8)))
    assert (len(server.kids), len(answers)) == (asked, 1)


def test_a_failed_sign_in_is_tried_again_by_the_next_one_who_asks(keys):
    server = TokenServer(keys[1].key_id, fault=httpx.ReadTimeout("slow"))
    client = server.client(keys[1])
    with pytest.raises(TryLater):
        client._tokens.token()
    server.fault = None
    assert client._tokens.token() == "t2"
