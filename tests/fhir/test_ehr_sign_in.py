"""Signing in to an EHR: assertions that are new, tokens kept no longer than they live, and no token sent elsewhere."""

from urllib.parse import parse_qs

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from ehr_case import BASE, Server, page

from connector.core.errors import Refused
from connector.fhir.ehr import EhrClient, SmartCredentials
from connector.fhir.signing_keys import signing_key

_KEY = ec.generate_private_key(ec.SECP384R1())


PEM = _KEY.private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
).decode()


SMART = SmartCredentials("connector", (signing_key(PEM, "k1"),), "system/*.cruds", f"{BASE}/token")


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


def test_a_page_link_to_another_server_is_not_followed_since_the_token_would_go_with_it():
    server = Server(token(), page(following="https://elsewhere.test/r4/Observation?page=2"))
    with pytest.raises(Refused, match="another server"):
        server.client(credentials=SMART).search("Observation", [])
