"""What others told us: HL7 messages that wait for a person, and what clinicians did with our cards."""

from dataclasses import replace

import pytest
from console_case import Desk, make_desk

MESSAGE = {
    "id": "m", "sender": "LIS/LAB", "kind": "ORU^R01", "reason": "OBX-5 is no number", "path": "/aside/m.hl7",
    "age_seconds": 90.0, "case_ref": None,
}  # fmt: skip
ANSWER = {
    "card": "c", "about": "plan", "case_ref": "c0ffee", "outcome": "overridden", "suggestions": [],
    "reason": "patient-declines", "comment": "wants <b>time</b>", "acted_at": "2026-01-31T10:00:00+00:00",
}  # fmt: skip


@pytest.fixture
def desk(tmp_path) -> Desk:
    made = make_desk(tmp_path, olga=("operator",), clara=("clinician",))
    return replace(made, site=replace(made.site, waiting_messages=lambda: [MESSAGE], card_feedback=lambda: [ANSWER]))


@pytest.mark.parametrize(("name", "sees", "not_shown"), [
    ("olga", ["LIS/LAB", "OBX-5 is no number", "1 min", "patient-declines"], ["time"]),
    ("clara", ["patient-declines", "wants &lt;b&gt;time&lt;/b&gt;"], ["LIS/LAB"]),
])  # fmt: skip
def test_each_role_sees_what_is_its_own(desk: Desk, name: str, sees: list[str], not_shown: list[str]) -> None:
    page = desk.browser(name).get("/messages")
    assert page.status_code == 200
    assert [one for one in sees if one not in page.text] == []
    main = page.text.split("<main")[1]
    assert [one for one in not_shown if one in main] == []
    assert 'href="/messages" aria-current="page"' in page.text


def test_nothing_to_show_says_so(tmp_path) -> None:
    page = make_desk(tmp_path, olga=("operator",)).browser("olga").get("/messages").text
    assert "No message waits." in page
    assert "Nobody answered a card yet." in page


def test_without_a_sign_in_no_comment_is_shown_since_it_may_name_the_patient(tmp_path) -> None:
    made = make_desk(tmp_path)
    made = replace(made, site=replace(made.site, card_feedback=lambda: [ANSWER]))
    page = made.browser().get("/messages").text
    assert "patient-declines" in page
    assert "wants" not in page


def test_nobody_comes_in_without_a_sign_in(desk: Desk) -> None:
    assert desk.browser().get("/messages").status_code == 303
