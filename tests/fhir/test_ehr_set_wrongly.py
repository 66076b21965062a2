"""Given an EHR that is set wrongly, `check` says in one sentence which setting to look at and what is wrong with it."""

import ssl
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from connector.core.errors import ConnectorError
from connector.fhir.ehr import EhrClient, SmartCredentials
from connector.fhir.signing_keys import make_key
from connector.neighbours import ehr_client
from connector.settings import Settings

STATEMENT = {"resourceType": "CapabilityStatement", "fhirVersion": "4.0.1"}
NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
SMART, TOKEN = "/.well-known/smart-configuration", "https://ehr.test/token"


@pytest.fixture(scope="module")
def credentials(tmp_path_factory: pytest.TempPathFactory) -> SmartCredentials:
    key = make_key(tmp_path_factory.mktemp("key") / "key", "ES384")
    return SmartCredentials("connector", (key,), "system/*.cruds")


def told(answers: dict[str, httpx.Response], credentials: SmartCredentials | None = None) -> str:
    """What `check` says of an EHR that answers so by the end of the path; the statement is a right one unless given."""

    def answer(request: httpx.Request) -> httpx.Response:
        default = httpx.Response(200, json=STATEMENT if request.url.path.endswith("/metadata") else {})
        return next((one for end, one in answers.items() if request.url.path.endswith(end)), default)

    client = EhrClient(
        "https://ehr.test/fhir", credentials=credentials, transport=httpx.MockTransport(answer),
        clock=NOW.timestamp, pause=lambda _: None,
    )  # fmt: skip
    with pytest.raises(ConnectorError) as fault:
        client.check()
    return str(fault.value)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (httpx.Response(404), "status 404): CONNECTOR_EHR_URL is not the base address of a FHIR server"),
        (httpx.Response(302, headers={"Location": "https://ehr.test/login"}), "set CONNECTOR_EHR_URL to the one that"),
        (httpx.Response(200, text="<html>sign in</html>"), "FHIR resource in JSON: check CONNECTOR_EHR_URL"),
        (httpx.Response(200, json=STATEMENT | {"fhirVersion": "5.0.0"}), "the EHR speaks FHIR 5.0.0"),
        (
            httpx.Response(200, json={"resourceType": "Conformance", "fhirVersion": "1.0.2"}),
            "the EHR speaks FHIR 1.0.2",
        ),
    ],
)
def test_a_base_address_that_is_none(answer: httpx.Response, said: str) -> None:
    assert said in told({"/metadata": answer})


def oauth(code: str, status: int = 400) -> httpx.Response:
    return httpx.Response(status, json={"error": code, "error_description": "of a client"})


@pytest.mark.parametrize(
    ("token", "said"),
    [
        # RFC 6749, section 5.2: the codes a token endpoint has.
        (oauth("invalid_client", 401), "invalid_client): check CONNECTOR_EHR_CLIENT_ID, and there the public key"),
        (oauth("invalid_grant"), "invalid_grant): check CONNECTOR_EHR_CLIENT_ID"),
        (oauth("invalid_scope"), "CONNECTOR_EHR_SCOPE asks for more than is registered"),
        (oauth("unauthorized_client"), "have the client allowed to sign in by itself"),
        (oauth("unsupported_grant_type"), "it knows no client_credentials: set CONNECTOR_EHR_TOKEN_URL"),
        (oauth("of a vendor's own"), "no reason told): check CONNECTOR_EHR_CLIENT_ID"),
        (httpx.Response(400, json=["?"]), "no reason told)"),
        (httpx.Response(404, text="<html>"), "check CONNECTOR_EHR_TOKEN_URL"),
        (httpx.Response(302, headers={"Location": "/login"}), "set CONNECTOR_EHR_TOKEN_URL to the one"),
        (
            httpx.Response(200, text="<html>"),
            "the token endpoint did not answer with a JSON object: check CONNECTOR_EHR_",
        ),
    ],
)
def test_a_sign_in_that_is_turned_down(token: httpx.Response, said: str, credentials: SmartCredentials) -> None:
    text = told({SMART: httpx.Response(200, json={"token_endpoint": TOKEN}), "/token": token}, credentials)
    assert said in text
    assert "of a" not in text, "texts of the EHR are not told: they may be of anything"


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (httpx.Response(404), "publishes no SMART configuration (status 404): set CONNECTOR_EHR_TOKEN_URL"),
        (httpx.Response(200, text="<html>"), "did not answer with a JSON object: check CONNECTOR_EHR_URL"),
        (httpx.Response(200, json={}), "names no token_endpoint: set CONNECTOR_EHR_TOKEN_URL"),
    ],
)
def test_an_ehr_that_does_not_say_where_to_sign_in(
    answer: httpx.Response, said: str, credentials: SmartCredentials
) -> None:
    assert said in told({SMART: answer}, credentials)


@pytest.mark.parametrize(
    ("theirs", "said"),
    [
        ("Sat, 31 Jan 2026 12:01:00 GMT", ""),  # a minute is within what servers allow
        ("Sat, 31 Jan 2026 12:01:01 GMT", "our clock is 61 s behind the EHR's: set it right"),
        ("Sat, 31 Jan 2026 11:00:00 GMT", "our clock is 3600 s ahead of the EHR's"),
        ("yesterday", ""),
    ],
)
def test_a_clock_that_differs_is_told_with_the_refusal(theirs: str, said: str, credentials: SmartCredentials) -> None:
    refused = httpx.Response(401, json={"error": "invalid_client"}, headers={"Date": theirs})
    text = told({SMART: httpx.Response(200, json={"token_endpoint": TOKEN}), "/token": refused}, credentials)
    assert said in text
    assert ("our clock" in text) == bool(said)


class _Ehr(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'{"resourceType": "CapabilityStatement", "fhirVersion": "4.0.1"}')

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture(scope="module")
def by_tls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, Path]]:
    """The port of an EHR whose certificate a hospital's own CA issued, for the name localhost, and that CA."""
    folder, key = tmp_path_factory.mktemp("tls"), ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Hospital CA")])
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).serial_number(1).public_key(key.public_key())
        .not_valid_before(datetime.now(UTC) - timedelta(days=1)).not_valid_after(datetime.now(UTC) + timedelta(days=9))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    (folder / "ca").write_bytes(made.public_bytes(Encoding.PEM))
    (folder / "key").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "ca", folder / "key")
    with ThreadingHTTPServer(("127.0.0.1", 0), _Ehr) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1], folder / "ca"
        server.shutdown()


def check(**given: Any) -> str:
    """What the EHR of these settings is, or why it cannot be asked."""
    client = ehr_client(Settings(**given))
    assert client is not None
    try:
        return client.check()
    except ConnectorError as fault:
        return str(fault)
    finally:
        client.close()


def test_an_ehr_of_a_hospitals_own_ca_is_trusted_once_it_is_named(by_tls: tuple[int, Path]) -> None:
    port, ca = by_tls
    url = f"https://localhost:{port}/fhir"
    assert check(ehr_url=url, ehr_ca_file=ca).startswith("FHIR 4.0.1")
    refused = (
        "its certificate is refused (self-signed certificate): name the CA that issued it in CONNECTOR_EHR_CA_FILE"
    )
    assert refused in check(ehr_url=url)
    assert "is not valid for '127.0.0.1'" in check(ehr_url=f"https://127.0.0.1:{port}/fhir", ehr_ca_file=ca)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        (
            "http://127.0.0.1:{shut}/fhir",
            "nothing listens there: correct host and port, or have it started; check CONNECTOR_EHR_URL",
        ),
        ("https://127.0.0.1:{plain}/fhir", "TLS fails"),
        ("http://ehr.invalid/fhir", "no address has its name"),  # RFC 2606: never resolves
    ],
)
def test_why_an_ehr_is_not_reached(url: str, said: str) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Ehr) as plain, ThreadingHTTPServer(("127.0.0.1", 0), _Ehr) as other:
        threading.Thread(target=plain.serve_forever, daemon=True).start()
        shut = other.server_address[1]
        other.server_close()
        text = check(ehr_url=url.format(shut=shut, plain=plain.server_address[1]))
        plain.shutdown()
    assert said in text


def test_a_proxy_of_the_environment_is_not_used_and_one_that_is_set_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else patients' data would go through whatever a shell names, even to this machine."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Ehr) as ehr, ThreadingHTTPServer(("127.0.0.1", 0), _Ehr) as shut:
        threading.Thread(target=ehr.serve_forever, daemon=True).start()
        nobody = f"http://127.0.0.1:{shut.server_address[1]}"
        shut.server_close()
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, nobody)
        here = f"http://127.0.0.1:{ehr.server_address[1]}"
        assert check(ehr_url=f"{here}/fhir").startswith("FHIR 4.0.1")
        assert check(ehr_url="http://ehr.invalid/fhir", ehr_proxy=here).startswith("FHIR 4.0.1"), "the proxy answered"
        ehr.shutdown()
