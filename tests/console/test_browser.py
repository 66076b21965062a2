"""The console in a real browser over real processes: every page and button, and what goes wrong with people."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from playwright.sync_api import Browser, Page, expect
from scene import CASES, LARGE_STUDY, PICTURES, PLANES, Scene, case_of, chromium, scene, sign_in

from connector.console.wording import short_ref
from connector.store import tables as t

AXE = Path(__file__).parents[2] / ".peers/console/node_modules/axe-core/axe.min.js"


@pytest.fixture(scope="module")
def console(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    with scene(tmp_path_factory.mktemp("console")) as made:
        yield made


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as made:
        yield made


def _signed_in(browser: Browser, console: Scene, name: str, **options) -> Page:
    """A page of somebody who signed in before; the sign-in page has tests of its own, and is slow by design."""
    context = browser.new_context(**options)
    context.add_cookies([{"name": "connector_session", "value": console.session(name), "url": console.url}])
    page = context.new_page()
    page.goto(console.url)
    return page


def _judged(page: Page, *rules: str) -> list[str]:
    """What axe-core finds wrong, of any severity; by these rules alone where some are named."""
    page.evaluate(AXE.read_text())
    only = {"runOnly": {"type": "rule", "values": list(rules)}} if rules else {}
    found = page.evaluate(
        "async only => (await axe.run(document, only)).violations.map(v => `${v.id}: ${v.nodes[0].html}`)", only
    )
    return [f"{page.url}: {each}" for each in found]


@pytest.mark.parametrize(
    ("scheme", "width", "zoom"), [("light", 1400, 1.0), ("dark", 1120, 1.25), ("light", 400, 1.0)],
    ids=["light", "dark at 125 %", "narrow"],
)  # fmt: skip
def test_every_page_is_accessible_and_fits(console: Scene, browser: Browser, scheme, width, zoom) -> None:
    page = _signed_in(
        browser, console, "both", color_scheme=scheme, viewport={"width": width, "height": 900},
        device_scale_factor=zoom,
    )  # fmt: skip
    said: list[str] = []
    page.on("console", lambda message: said.append(f"{message.type}: {message.text}"))
    case = f"/cases/{console.case_ref}"
    places = {
        "worklist": "/", "case": case, "dose": f"{case}/dose", "steps": "/steps", "logbook": "/logbook?who=all",
        "images": f"{case}/studies/{short_ref(console.dose_study)}/images/0", "settings": "/settings",
        "confirm": f"{case}/studies/{short_ref(console.dose_study)}/reject",
        "release": console.waiting(5)[1].removeprefix(console.url),
        "whose": f"/cases/{console.waiting(5)[0]}",
    }  # fmt: skip
    found = []
    rules = ("color-contrast",) if scheme == "dark" else ()  # nothing else depends on the colours
    for name, place in places.items():
        page.goto(console.url + place)
        found += _judged(page, *rules) if width > 1000 else []
        wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide <= 0, f"{name} scrolls sideways"
        PICTURES.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=PICTURES / f"{name}-{scheme}-{width}.png", full_page=True)
    page.goto(f"{console.url}/nowhere")
    found += _judged(page, *rules)
    page.get_by_role("button", name="Sign out").click()
    found += _judged(page, *rules)
    assert found == []
    assert [each for each in said if "404" not in each] == [], "no script error, nothing blocked by the policy"


def test_a_wrong_sign_in_says_so_and_keeps_the_name(console: Scene, browser: Browser) -> None:
    page = browser.new_context().new_page()
    sign_in(page, console.url, "olga", "not the password at all")
    expect(page.get_by_role("alert")).to_contain_text("wrong")
    expect(page.get_by_label("Name")).to_have_value("olga")


def test_an_expired_session_leads_to_the_sign_in_and_back(console: Scene, browser: Browser) -> None:
    page = _signed_in(browser, console, "clara")
    with console.engine.begin() as connection:
        connection.execute(sa.update(t.session).where(t.session.c.name == "clara").values(ended_at=1.0))
    page.goto(f"{console.url}/cases/{console.case_ref}")
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    page.get_by_label("Name").fill("clara")
    page.get_by_label("Password").fill("a long sentence for tests")
    page.get_by_role("button", name="Sign in").click()
    expect(page).to_have_url(f"{console.url}/cases/{console.case_ref}")
    expect(page.get_by_label("Patient", exact=True)).to_contain_text("Born")


def test_a_double_click_releases_once(console: Scene, browser: Browser) -> None:
    page = _signed_in(browser, console, "clara")
    case_ref, place = console.waiting(0)
    page.goto(f"{console.url}/cases/{case_ref}")
    page.get_by_role("link", name="Release").click()
    expect(page).to_have_url(place)
    page.get_by_label("Reason").fill("compared both")
    page.get_by_role("button", name="Release").dblclick()
    expect(page.locator(".done")).to_contain_text("Done")
    assert console.events("identity_released", "1.2.0") == ["clara"]


def test_of_two_people_who_release_one_case_the_second_is_told(console: Scene, browser: Browser) -> None:
    _, place = console.waiting(1)
    one, other = _signed_in(browser, console, "clara"), _signed_in(browser, console, "olga")
    for page in (one, other):
        page.goto(place)
        page.get_by_label("Reason").fill("compared both")
    one.get_by_role("button", name="Release").click()
    expect(one.locator(".done")).to_contain_text("Done")
    other.get_by_role("button", name="Release").click()
    expect(other.get_by_role("alert")).to_contain_text("clara released it")
    assert console.events("identity_released", "1.2.1") == ["clara"]


def test_a_wrong_patient_is_marked_and_taken_back(console: Scene, browser: Browser) -> None:
    page = _signed_in(browser, console, "olga")
    page.goto(f"{console.url}/cases/{case_of(2)}")
    for button, state in (("Wrong patient", "Wrong patient"), ("Not a wrong patient", "Assessing")):
        page.get_by_role("link", name=button).first.click()
        page.get_by_label("Reason").fill("as agreed")
        page.get_by_role("button", name=button).click()
        expect(page.locator(".state").first).to_have_text(state)


def test_a_stopped_step_is_tried_again(console: Scene, browser: Browser) -> None:
    page = _signed_in(browser, console, "olga")
    page.get_by_role("link", name="Stopped steps").click()
    row = page.locator("#row-job-3")
    row.get_by_role("link", name="Try again").click()
    page.get_by_label("Reason").fill("the EHR is back")
    page.get_by_role("button", name="Try again").click()
    expect(page.locator(".done")).to_contain_text("tried again")
    expect(row).to_have_count(0)


def test_ten_thousand_cases_are_paged_found_and_filtered(console: Scene, browser: Browser) -> None:
    page = _signed_in(browser, console, "olga")
    assert int(page.locator("#chip-all .number").inner_text()) > CASES
    expect(page.locator("#rows tr")).to_have_count(50)
    first = page.locator("#rows th").first.inner_text()
    page.get_by_role("link", name="Next page").click()
    expect(page.locator("#rows th").first).not_to_have_text(first)
    assert "1.2." not in page.url, "where the page before ended names no study"
    expect(page.locator("#rows tr")).to_have_count(50)
    page.get_by_label("Find").fill(case_of(4321)[:20])
    page.get_by_role("button", name="Apply").click()
    expect(page.locator("#rows tr")).to_have_count(1)
    page.get_by_label("Find").fill("1.2.4321")
    page.get_by_role("button", name="Apply").click()
    expect(page.locator("#rows tr")).to_have_count(1)
    expect(page.locator("#rows th")).to_have_text(case_of(4321)[:12])
    assert "1.2." not in page.url, "the UID of a study names a patient"
    page.get_by_role("link", name="Clear").click()
    page.locator("#chip-needs_person").click()
    expect(page.locator("#rows .state").first).to_have_text("Set aside")
    page.get_by_label("Order").select_option("oldest")
    page.get_by_role("button", name="Apply").click()
    expect(page.locator("#rows .state").first).to_have_text("Set aside")


def test_the_list_refreshes_itself_and_leaves_the_focus_where_it_is(console: Scene, browser: Browser) -> None:
    page = _signed_in(browser, console, "olga")
    page.goto(f"{console.url}/?find={case_of(5)}")
    link = page.locator("#rows a").first
    link.focus()
    with console.engine.begin() as connection:
        connection.execute(sa.update(t.job).where(t.job.c.id == "job-5").values(state="due", reason=None))
    expect(page.locator("#rows .state")).to_have_text("Assessing", timeout=15_000)
    expect(page.locator("#rows a").first).to_be_focused()
    expect(page.locator("[role=status].visually-hidden")).to_contain_text("change in the worklist")


def test_two_thousand_planes_are_gone_through_with_the_keys(console: Scene, browser: Browser) -> None:
    page = _signed_in(browser, console, "clara")
    page.goto(console.large)
    place = page.locator("output")
    expect(place).to_have_text(f"1001 of {PLANES}")
    page.locator(".slice").focus()
    for key, shown in (("ArrowDown", 1002), ("PageUp", 992), ("End", PLANES), ("ArrowDown", PLANES), ("Home", 1)):
        page.keyboard.press(key)
        expect(place).to_have_text(f"{shown} of {PLANES}")
    expect(page.locator(".slice img")).to_have_attribute("alt", f"CT image 1 of {PLANES}")
    assert page.locator(".slice img").evaluate("image => image.decode().then(() => image.naturalWidth)") > 0
    assert LARGE_STUDY not in page.url


def test_without_script_everything_still_works(console: Scene, browser: Browser) -> None:
    page = _signed_in(browser, console, "both", java_script_enabled=False)
    page.get_by_role("link", name="Refresh").click()
    page.get_by_label("Find").fill("1.2.4")
    page.get_by_role("button", name="Apply").click()
    expect(page.get_by_label("Find")).to_have_value("1.2.4")
    page.get_by_role("link", name="Clear").click()
    page.locator("#chip-needs_person").click()
    expect(page.locator("#rows .state").first).to_have_text("Set aside")
    page.goto(console.waiting(4)[1])
    page.get_by_label("Reason").fill("compared both")
    page.get_by_role("button", name="Release").click()
    expect(page.locator(".done")).to_contain_text("Done")
    page.goto(f"{console.url}/cases/{console.case_ref}/dose")
    before = page.locator("output").inner_text()
    page.get_by_role("link", name="Next").click()
    expect(page.locator("output")).not_to_have_text(before)
    page.wait_for_load_state("load")
    assert page.locator(".slice img").evaluate("image => image.naturalWidth") > 0


def test_a_document_opens_for_a_clinician_and_is_written_down(console: Scene, browser: Browser) -> None:
    page = _signed_in(browser, console, "clara")
    page.goto(f"{console.url}/cases/{console.case_ref}")
    link = page.get_by_role("link", name="Board report (PDF)").first
    answer = page.request.get(console.url + link.get_attribute("href"))
    assert (answer.status, answer.headers["content-type"]) == (200, "application/pdf")
    assert answer.body().startswith(b"%PDF")
    with console.engine.connect() as connection:
        opened = connection.execute(
            sa.select(t.event.c.actor).where(
                t.event.c.kind == "document_opened", t.event.c.case_ref == console.case_ref
            )
        ).scalars()
        assert list(opened) == ["clara"]
