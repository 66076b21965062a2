"""Signing in through a real OpenID provider (oidc-provider): roles from its claim, and what must not let anybody in."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect
from scene import chromium, web
from state_peers import answers, free_port, wait_until

PEERS = Path(__file__).parents[2] / ".peers/console"
SERVER = Path(__file__).parents[1] / "peers/console/oidc_server.mjs"
SECRET = "a-secret-of-the-tests-that-is-long-enough"  # noqa: S105 - as in oidc_server.mjs


@pytest.fixture(scope="module")
def console(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    port = free_port()
    issuer = f"http://127.0.0.1:{port}"
    settings = {
        "oidc_issuer": issuer, "oidc_client_id": "console", "oidc_client_secret": SECRET,
        "oidc_roles": "irt-doctors=clinician,irt-admins=operator",
    }  # fmt: skip
    with web(tmp_path_factory.mktemp("openid"), **settings) as url:
        # A module is looked up beside the file that imports it.
        place = PEERS / "oidc_server.mjs"
        place.write_bytes(SERVER.read_bytes())
        provider = subprocess.Popen(
            ["node", str(place), str(port), f"{url}/sign-in/openid/back"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            wait_until(lambda: answers(port), seconds=60, what="the provider's start")
            yield url
        finally:
            provider.terminate()
            provider.wait(10)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as made:
        yield made


def _through_the_provider(browser: Browser, console: str, name: str, to: str = "/") -> Page:
    page = browser.new_context().new_page()
    page.goto(console + to)
    page.get_by_role("link", name="Sign in with 127.0.0.1").click()
    page.locator("input[name=login]").fill(name)
    page.locator("input[name=password]").fill("any")
    page.locator("button[type=submit]").click()
    page.locator("button[type=submit]").click()
    return page


@pytest.mark.parametrize(("name", "role"), [("clara", "clinician"), ("olga", "operator")])
def test_a_group_of_the_provider_becomes_a_role(console: str, browser: Browser, name, role) -> None:
    page = _through_the_provider(browser, console, name, "/?ignored=1")
    expect(page).to_have_url(f"{console}/")
    expect(page.locator(".who")).to_contain_text(f"{name} {role}")
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


def test_somebody_without_a_role_stays_outside(console: str, browser: Browser) -> None:
    page = _through_the_provider(browser, console, "nobody")
    expect(page.get_by_role("heading")).to_have_text("You have no role here")
    page.goto(console)
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


@pytest.mark.parametrize(
    "query", ["code=x&state=y", "error=access_denied&state=y", ""], ids=["made up", "refused", "empty"]
)
def test_an_answer_that_was_not_asked_for_lets_nobody_in(console: str, query) -> None:
    answer = httpx.get(f"{console}/sign-in/openid/back?{query}", headers={"Accept": "text/html"})
    assert answer.status_code == 403
    assert "connector_session" not in answer.headers.get("set-cookie", "")


def test_the_way_to_the_provider_carries_state_nonce_and_a_challenge(console: str) -> None:
    answer = httpx.get(f"{console}/sign-in/openid?to=/", headers={"Accept": "text/html"})
    asked = httpx.URL(answer.headers["location"]).params
    assert answer.status_code == 302
    assert {"state", "nonce", "code_challenge"} <= set(asked)
    assert (asked["code_challenge_method"], asked["response_type"]) == ("S256", "code")
