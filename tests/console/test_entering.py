"""Who comes in, how long, and what every answer carries."""

import json
import re
from concurrent.futures import ThreadPoolExecutor

import pytest
from console_case import PASSWORD, Desk, form_of, make_desk, password_hash, set_aside, sign_in

from connector.console.passwords import hash_password
from connector.console.wording import short_ref
from connector.core.errors import BadCase
from connector.fhir.ladder import WAY_NOTE
from connector.store.accounts import MOST_FAILURES, Accounts
from connector.store.memory import SqlMemory


def test_without_any_sign_in_only_this_machine_comes_in_and_the_page_says_so(tmp_path) -> None:
    open_desk = make_desk(tmp_path)
    page = open_desk.browser().get("/")
    assert page.status_code == 200
    assert "No sign-in is set up" in page.text
    assert open_desk.browser(host="10.0.0.7").get("/").status_code == 401
    rebound = open_desk.browser(base="http://rebound.example.org")
    assert rebound.get("/").status_code == 401, "a page from elsewhere may not ask through this machine's browser"


def test_once_a_user_exists_everybody_signs_in(desk: Desk) -> None:
    answer = desk.browser().get("/cases/abc")
    assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in?to=/cases/abc")
    answer = desk.browser().post("/sign-out")
    assert answer.status_code == 401


@pytest.mark.parametrize(("given", "status"), [("secret", 200), ("wrong", 401), ("", 401)])
def test_a_machine_comes_in_with_the_console_token(tmp_path, given, status) -> None:
    made = make_desk(tmp_path, token="secret")  # noqa: S106 - of this test
    client = made.browser(host="10.0.0.7")
    assert client.get("/", headers={"Authorization": f"Bearer {given}"} if given else {}).status_code == status


@pytest.mark.parametrize(
    ("name", "password", "why"),
    [("clara", "another long sentence", "wrong password"), ("nobody", PASSWORD, "no such user"), ("", "", "empty")],
)
def test_a_wrong_sign_in_says_the_same_whatever_was_wrong(desk: Desk, name, password, why) -> None:
    answer = sign_in(desk.browser(), name, password)
    assert answer.status_code == 401, why
    assert "The name or the password is wrong." in answer.text


def test_five_wrong_passwords_lock_an_account_also_for_the_right_one(desk: Desk) -> None:
    client = desk.browser()
    for _ in range(5):
        answer = sign_in(client, "clara", "a wrong long sentence")
    assert "The name or the password is wrong." in answer.text, "a stranger is not told that there is such an account"
    assert sign_in(client, "clara", PASSWORD).status_code == 401
    assert desk.browser("phil").get("/").status_code == 200, "others are not locked"
    assert [row["detail"] for row in desk.events("sign_in_failed")][:2] == [
        "the account is locked",
        "wrong password, now locked",
    ], "whoever reads the trail sees that somebody goes on trying"
    desk.site.accounts.set_password("clara", password_hash())
    assert sign_in(client, "clara", PASSWORD).status_code == 303


def test_a_locked_account_and_none_are_answered_alike(desk: Desk) -> None:
    for _ in range(6):
        locked = sign_in(desk.browser(), "clara", "a wrong long sentence")
        nobody = sign_in(desk.browser(), "nobody", "a wrong long sentence")
    said = [re.search(r'role="alert">([^<]*)<', answer.text)[1] for answer in (locked, nobody)]
    assert (locked.status_code, said[0]) == (nobody.status_code, said[1])


def test_tries_at_the_same_moment_count_each_other(desk: Desk) -> None:
    """What is compared is counted before: a hundred at once get no more tries than one after the other."""
    accounts = desk.site.accounts
    with ThreadPoolExecutor(8) as threads:
        may = list(threads.map(lambda _: accounts.begin_try("clara"), range(20)))
    assert may.count(True) == 5
    accounts.note_right_password("clara")
    assert accounts.begin_try("clara"), "one of them was right"


def test_an_address_that_fails_too_often_must_wait_in_whatever_process(desk: Desk) -> None:
    one, other = (
        desk.site.accounts,
        Accounts(desk.bench.engine, idle_seconds=60, longest_seconds=60, now=desk.bench.clock),
    )
    for _ in range(MOST_FAILURES):
        assert not other.too_many_failures("10.0.0.7")
        one.note_failure("10.0.0.7")
    assert other.too_many_failures("10.0.0.7")
    assert not other.too_many_failures("10.0.0.8")
    desk.bench.clock.seconds += 301
    assert not other.too_many_failures("10.0.0.7")


def test_somebody_of_the_same_name_at_the_provider_is_another_person(desk: Desk) -> None:
    accounts = desk.site.accounts
    there, here = (accounts.begin("phil", ["physicist"], way=way) for way in ("openid", "password"))
    accounts.disable("phil")
    assert (accounts.session(there) is not None, accounts.session(here)) == (True, None)


@pytest.mark.parametrize(("seconds", "status"), [(1799, 200), (1801, 303)])
def test_a_session_ends_when_it_is_not_used(desk: Desk, seconds, status) -> None:
    client = desk.browser("clara")
    desk.bench.clock.seconds += seconds
    assert client.get("/").status_code == status


def test_a_session_ends_when_it_is_old_however_busy(desk: Desk) -> None:
    client = desk.browser("clara")
    for _ in range(24):
        desk.bench.clock.seconds += 1500
        last = client.get("/").status_code
    assert last == 200, "36,000 seconds to the second"
    desk.bench.clock.seconds += 1
    assert client.get("/").status_code == 303


def test_signing_out_disabling_and_a_new_password_end_sessions_on_our_side(desk: Desk) -> None:
    def out(client) -> None:
        client.post("/sign-out", data=form_of(client.get("/").text))

    for end in (
        out,
        lambda _: desk.site.accounts.disable("phil"),
        lambda _: desk.site.accounts.set_password("phil", password_hash()),
    ):
        desk.site.accounts.set_password("phil", password_hash())
        client = desk.browser("phil")
        cookie = client.cookies["connector_session"]
        end(client)
        client.cookies.set("connector_session", cookie)
        assert client.get("/").status_code == 303, "the cookie alone is worth nothing"


def test_a_session_cookie_is_kept_from_scripts_and_forgers(desk: Desk) -> None:
    client = desk.browser()
    answer = sign_in(client, "clara", PASSWORD)
    cookie = next(each for each in answer.headers.get_list("set-cookie") if each.startswith("connector_session"))
    assert {"HttpOnly", "SameSite=lax", "Path=/"} <= set(cookie.split("; "))
    client.cookies.set("connector_session", client.cookies["connector_session"] + "x")
    assert client.get("/").status_code == 303
    secure = desk.browser(base="https://console.example.org")
    named = sign_in(secure, "clara", PASSWORD).headers.get_list("set-cookie")
    assert any(each.startswith("__Host-connector_session=") and "Secure" in each for each in named)


def test_a_form_from_elsewhere_or_from_another_session_is_refused(desk: Desk) -> None:
    client = desk.browser("olga")
    fields = form_of(client.get("/").text)
    assert client.post("/sign-out", data={}).status_code == 403
    assert client.post("/sign-out", data=fields, headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403
    other = desk.browser("clara")
    assert other.post("/sign-out", data=fields).status_code == 403
    assert client.post("/sign-out", data=fields).status_code == 303


@pytest.mark.parametrize("to", ["//evil.example", "https://evil.example", "/\\evil.example", "\x00"])
def test_signing_in_never_leads_elsewhere(desk: Desk, to) -> None:
    client = desk.browser()
    fields = form_of(client.get("/sign-in").text) | {"name": "clara", "password": PASSWORD, "to": to}
    assert client.post("/sign-in", data=fields).headers["location"] == "/"


def test_every_answer_carries_the_headers_of_a_closed_site(desk: Desk) -> None:
    client = desk.browser("olga")
    for path in ("/", "/nowhere", "/console.css", "/cases/none"):
        headers = client.get(path).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy, path
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert headers["x-content-type-options"] == "nosniff"
    assert client.get("/").headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    ("who", "path", "status"),
    [("olga", "/steps", 200), ("olga", "/settings", 200), ("olga", "/logbook", 200), ("clara", "/steps", 403),
     ("clara", "/settings", 403), ("phil", "/logbook", 403), ("clara", "/", 200)],
)  # fmt: skip
def test_pages_of_the_operator_are_his(desk: Desk, who, path, status) -> None:
    assert desk.browser(who).get(path).status_code == status


@pytest.mark.parametrize(("who", "sees"), [("olga", False), ("clara", True), ("phil", True), ("both", True)])
def test_whom_a_case_is_of_is_seen_by_clinical_people_only_and_written_down(desk: Desk, who, sees) -> None:
    case_ref = set_aside(desk.bench, "1.2.3", "x")
    page = desk.browser(who).get(f"/cases/{case_ref}")
    assert ("Testerin, Tilda" in page.text) is sees
    title = page.text.split("<title>")[1].split("</title>")[0]
    assert "Testerin" not in title
    assert [one["actor"] for one in desk.events("identity_shown")] == ([who] if sees else [])


def test_on_a_machine_without_sign_in_nobody_is_named(tmp_path) -> None:
    open_desk = make_desk(tmp_path)
    case_ref = set_aside(open_desk.bench, "1.2.3", "x")
    assert "Testerin" not in open_desk.browser().get(f"/cases/{case_ref}").text


def test_a_page_that_refreshes_itself_is_one_look(desk: Desk) -> None:
    case_ref = set_aside(desk.bench, "1.2.3", "x")
    client = desk.browser("clara")
    for _ in range(3):
        client.get(f"/cases/{case_ref}")
        desk.bench.clock.seconds += 5
    assert len(desk.events("viewed")) == 1
    desk.bench.clock.seconds += 1000
    client.get(f"/cases/{case_ref}")
    assert len(desk.events("viewed")) == 2


def test_the_settings_tell_how_the_ehr_is_written(desk: Desk) -> None:
    client = desk.browser("olga")
    assert "Not asked yet" in client.get("/settings").text
    SqlMemory(desk.bench.engine).remember(WAY_NOTE, json.dumps({"says": "Plain FHIR: a document only"}))
    page = client.get("/settings").text
    assert "Plain FHIR: a document only. Since " in page
    assert "Not asked yet" not in page


def test_secrets_are_not_shown(desk: Desk) -> None:
    assert "set (hidden)" in desk.browser("olga").get("/settings").text


@pytest.mark.parametrize(("length", "fine"), [(11, False), (12, True), (256, True), (257, False)])
def test_a_password_has_12_to_256_characters(length, fine) -> None:
    if fine:
        assert hash_password("x" * length).startswith("$argon2id$")
    else:
        with pytest.raises(BadCase, match="12 to 256"):
            hash_password("x" * length)


@pytest.mark.parametrize("path", ["/cases/%00", "/cases/a?assessment=%00", "/?find=a%00b", "/sign-in?to=/%00"])
def test_an_address_with_a_nul_is_no_address_of_ours(desk: Desk, path) -> None:
    """PostgreSQL cannot be asked for such a text: it would fail in the face of whoever opens it."""
    assert desk.browser("clara").get(path).status_code == 404


def test_a_nul_in_a_form_reaches_no_database(desk: Desk) -> None:
    assert sign_in(desk.browser(), "cla\0ra", PASSWORD).status_code == 303


def test_a_picture_asked_for_without_its_page_is_a_look_as_well(desk: Desk) -> None:
    case_ref = set_aside(desk.bench, "1.2.3", "x")
    client, images = desk.browser("clara"), f"/cases/{case_ref}/studies/{short_ref('1.2.3')}/images"
    assert client.get(f"{images}/0/1").status_code == 200
    client.get(f"{images}/0/1")
    assert [(one["actor"], one["ref"]) for one in desk.events("viewed")] == [("clara", "1.2.3")]


def test_images_that_may_have_names_burned_in_are_closed_to_whoever_did_not_sign_in(tmp_path) -> None:
    open_desk = make_desk(tmp_path)
    case_ref = set_aside(open_desk.bench, "1.2.3", "x")
    client, images = open_desk.browser(), f"/cases/{case_ref}/studies/{short_ref('1.2.3')}/images"
    assert client.get(f"{images}/0/1").status_code == 200, "a CT of a scanner"
    assert client.get(f"{images}/1/0").status_code == 403, "a captured screen"
    page = client.get(f"{images}/1").text
    assert "burned in" in page
    assert "<img" not in page


@pytest.mark.parametrize(
    ("typed", "rows"),
    [("1.2.3", 1), ("1.2", 1), ("9.9", 0), ("a%&b", 0), ("00412345", 0), ("041234567890", 0), ("", 1)],
    ids=["a study", "its beginning", "none", "anything", "a hospital number", "a long one", "nothing"],
)
def test_no_address_holds_the_uid_of_a_study_that_was_looked_for(desk: Desk, typed, rows) -> None:
    """A UID names a patient to whoever can ask the PACS, and addresses are kept by browsers and proxies."""
    set_aside(desk.bench, "1.2.3", "x")
    client = desk.browser("olga")
    form = form_of(client.get("/").text) | {"find": typed, "view": "cases", "order": "newest"}
    told = client.post("/find", data=form)
    assert told.status_code == 303
    assert "1.2" not in told.headers["location"]
    assert not typed or typed not in told.headers["location"]
    page = client.get(told.headers["location"])
    assert page.text.count('<tr id="row-') - page.text.count('<tr id="row-none"') == rows
    assert client.post("/find", data=form).headers["location"] == told.headers["location"], "so that it can be kept"


def test_what_a_case_is_called_here_stands_in_the_address_as_it_is(desk: Desk) -> None:
    case_ref = set_aside(desk.bench, "1.2.3", "x")
    client = desk.browser("olga")
    told = client.post("/find", data=form_of(client.get("/").text) | {"find": case_ref})
    assert told.headers["location"] == f"/?find={case_ref}"


def test_the_logbook_is_searched_by_a_uid_without_showing_it_in_the_address(desk: Desk) -> None:
    set_aside(desk.bench, "1.2.3", "x")
    set_aside(desk.bench, "1.2.4", "x", patient="P2")
    client = desk.browser("olga")
    form = form_of(client.get("/logbook").text) | {"ref": "1.2.3", "who": "all"}
    address = client.post("/logbook", data=form).headers["location"]
    assert "1.2.3" not in address
    page = client.get(address).text
    assert 'value="1.2.3"' in page, "the page says what was asked for"
    assert page.count('<span class="uid">1.2.3</span>') > 0
    assert '<span class="uid">1.2.4</span>' not in page


@pytest.mark.parametrize("place", ["1.2.3", "~", "~AAAA", "~" + "A" * 4000, "~é"])
def test_what_was_not_sealed_here_is_not_looked_for(desk: Desk, place) -> None:
    client = desk.browser("olga")
    page, book = client.get("/", params={"find": place, "after": place}), client.get("/logbook", params={"ref": place})
    assert (page.status_code, book.status_code) == (200, 200)
    assert 'name="find" value=""' in page.text, "the page does not claim that it looked"
    assert 'name="ref" value=""' in book.text
