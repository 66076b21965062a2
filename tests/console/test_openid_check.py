"""Given an OpenID provider that is set wrongly, `check` says so before somebody stands before a sign-in that fails."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from connector.core.errors import Refused, TryLater
from connector.neighbours import check_neighbours, check_openid
from connector.settings import Settings


@contextmanager
def provider(status: int, body: str) -> Iterator[str]:
    """The issuer URL of a provider that answers so; ISSUER in the body stands for it."""

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status if self.path == "/realm/.well-known/openid-configuration" else 404)
            self.end_headers()
            self.wfile.write(body.replace("ISSUER", issuer).encode())

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        issuer = f"http://127.0.0.1:{server.server_address[1]}/realm"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield issuer
        server.shutdown()


@pytest.mark.parametrize("end", ["", "/"], ids=["as told", "with a slash more"])
def test_a_provider_that_describes_itself_is_well(end: str) -> None:
    with provider(200, '{"issuer": "ISSUER"}') as issuer:
        assert check_neighbours(Settings(oidc_issuer=issuer + end))["openid"] is None


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (404, "", "answers 404 and no description: check CONNECTOR_OIDC_ISSUER"),
        (302, "", "answers 302 and no description"),
        (200, "<html>", "answers 200 and no description"),
        (200, "[]", "answers 200 and no description"),
        (200, '{"issuer": "https://other.test"}', "set CONNECTOR_OIDC_ISSUER to the `issuer` it tells"),
    ],
)
def test_an_address_that_is_no_provider_is_told(status: int, body: str, said: str) -> None:
    with provider(status, body) as issuer, pytest.raises(Refused, match=said):
        check_openid(issuer)


def test_a_provider_that_is_away_is_told() -> None:
    with provider(200, "") as issuer:
        pass
    with pytest.raises(TryLater, match=r"nothing listens there: .*: check CONNECTOR_OIDC_ISSUER"):
        check_openid(issuer)
