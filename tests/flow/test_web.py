"""The HTTP door of machines: who may look, what is told, and what never leaves."""

import pytest
from prometheus_client import CollectorRegistry
from starlette.responses import PlainTextResponse
from starlette.testclient import TestClient

from connector.web.pages import make_web


def _client(*, token: str = "", host: str = "127.0.0.1", wrong: str | None = None) -> TestClient:
    web = make_web(
        checks={"disk": lambda: wrong}, doors=[], console_token=token, registry=CollectorRegistry(),
        console=PlainTextResponse("console"),
    )  # fmt: skip
    return TestClient(web, client=(host, 50000))


@pytest.mark.parametrize("path", ["/metrics", "/readyz"])
@pytest.mark.parametrize(
    ("token", "given", "host", "status", "why"),
    [
        ("", None, "127.0.0.1", 200, "no token is set: callers on this machine may look"),
        ("", None, "10.0.0.7", 401, "no token is set: others may not"),
        ("secret", None, "127.0.0.1", 401, "a token is set: everybody needs it"),
        ("secret", "wrong", "127.0.0.1", 401, "another token"),
        ("secret", "secret", "10.0.0.7", 200, "the token"),
    ],
)
def test_who_may_look(path, token, given, host, status, why) -> None:
    headers = {"Authorization": f"Bearer {given}"} if given else {}
    assert _client(token=token, host=host).get(path, headers=headers).status_code == status, why


@pytest.mark.parametrize(
    "name", ["Forwarded", "Via", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-IP"]
)
def test_what_a_proxy_on_this_machine_passes_on_is_no_call_from_this_machine(name) -> None:
    for value in ("127.0.0.1", ""):
        assert _client().get("/readyz", headers={name: value}).status_code == 401


def test_health_is_told_to_everybody_and_says_nothing_else() -> None:
    answer = _client(token="secret", host="10.0.0.7").get("/healthz")  # noqa: S106 - of this test
    assert set(answer.json()) == {"status", "version"}


@pytest.mark.parametrize(("wrong", "status"), [(None, 200), ("12 MB free: make room", 503)])
def test_readiness_says_what_is_wrong(wrong, status) -> None:
    answer = _client(wrong=wrong).get("/readyz")
    assert (answer.status_code, answer.json()["disk"]) == (status, wrong or "ok")
