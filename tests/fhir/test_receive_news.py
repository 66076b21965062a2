"""How news arrive: a notice of any shape is a hint, a poll is the truth."""

from datetime import UTC, datetime, timedelta

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from connector.fhir.capabilities import read_capabilities
from connector.fhir.identity import FACT_SYSTEM
from connector.fhir.receive import poll
from connector.fhir.receive_hook import hook_route
from connector.fhir.vendors import vendor_for

PATH = "/fhir/notify/abc"
BACKPORT = {"resourceType": "Bundle", "type": "history", "entry": [{"resource": {"resourceType": "Parameters"}}]}


@pytest.fixture
def door():
    hints = []
    app = Starlette(routes=[hook_route(secret="s3cret", hint=hints.append)])  # noqa: S106 - made up
    return TestClient(app), hints


@pytest.mark.parametrize(
    "content",
    [b"", b'{"resourceType": "Observation"}', str(BACKPORT).encode(), b"\xff\x00 no JSON", b"x" * 1024 * 1024],
    ids=["empty", "the resource", "a backport Bundle", "nonsense", "as large as allowed"],
)
def test_any_authentic_notice_is_a_hint(door, content):
    client, hints = door
    assert client.post(PATH, content=content, headers={"X-Connector-Secret": "s3cret"}).status_code == 200
    assert hints == [content]


def test_a_bearer_token_serves_as_well(door):
    client, hints = door
    assert client.post(PATH, headers={"Authorization": "Bearer s3cret"}).status_code == 200
    assert hints == [b""]


@pytest.mark.parametrize("headers", [{}, {"X-Connector-Secret": "other"}, {"Authorization": "Basic s3cret"}])
def test_a_notice_without_the_secret_is_nobody(door, headers):
    client, hints = door
    assert client.post(PATH, headers=headers).status_code == 401
    assert hints == []


def test_an_endless_body_is_cut_off(door):
    client, hints = door
    large = b"x" * (1024 * 1024 + 1)
    assert client.post(PATH, content=large, headers={"X-Connector-Secret": "s3cret"}).status_code == 413
    assert hints == []


class Ehr:
    """Holds Observations, with or without a search by `_lastUpdated`."""

    def __init__(self, *, by_update=True, vendor="plain"):
        self.by_update, self.held, self.asked, self.product = by_update, [], [], vendor

    def vendor(self):
        return vendor_for("", self.product)

    def capabilities(self):
        names = [{"name": "_lastUpdated"}] if self.by_update else []
        held = {"mode": "server", "resource": [{"type": "Observation", "searchParam": names}]}
        return read_capabilities({"resourceType": "CapabilityStatement", "fhirVersion": "4.0.1", "rest": [held]})

    def search(self, kind, parameters):
        self.asked.append(parameters)
        assert kind == "Observation"
        return self.held

    def add(self, uid, version, on, code=("http://loinc.org", "1751-7")):
        self.held = [one for one in self.held if one["id"] != uid]
        coding = {"system": code[0], "code": code[1]}
        self.held.append(
            {
                "resourceType": "Observation",
                "id": uid,
                "meta": {"versionId": version, "lastUpdated": on},
                "effectiveDateTime": on,
                "code": {"coding": [coding]},
            }
        )


@pytest.mark.parametrize("by_update", [True, False])
def test_what_was_seen_is_not_news(by_update):
    ehr = Ehr(by_update=by_update)
    ehr.add("a", "1", "2026-04-07T12:00:00Z")
    first, mark = poll(ehr, "Patient/p1", None)
    assert first == [], "the first look only sets the mark"
    assert poll(ehr, "Patient/p1", mark) == ([], mark)
    ehr.add("b", "1", "2026-04-07T12:05:00Z")
    ehr.add("a", "2", "2026-04-07T12:06:00Z")
    changed, newer = poll(ehr, "Patient/p1", mark)
    assert changed == ["Observation/a/_history/2", "Observation/b/_history/1"]
    assert poll(ehr, "Patient/p1", newer)[0] == []


def test_the_look_reaches_back_over_the_overlap():
    ehr = Ehr()
    ehr.add("a", "1", "2026-04-07T12:00:00Z")
    _, mark = poll(ehr, "Patient/p1", None)
    poll(ehr, "Patient/p1", mark)
    assert ("_lastUpdated", "gt2026-04-07T11:50:00+00:00") in ehr.asked[1]
    assert ("patient", "Patient/p1") in ehr.asked[1]


@pytest.mark.parametrize(
    ("by_update", "ends"),
    [
        (True, [("_lastUpdated", "gt2026-04-07T11:50:00+00:00"), ("_lastUpdated", "lt2026-04-09T12:00:00+00:00")]),
        (False, [("date", "ge2026-03-08"), ("date", "le2026-04-09")]),
    ],
)
def test_a_range_has_both_ends_where_the_product_wants_them(by_update, ends):
    ehr = Ehr(by_update=by_update, vendor="oracle_health")
    ehr.add("a", "1", "2026-04-07T12:00:00Z")
    _, mark = poll(ehr, "Patient/p1", None)
    poll(ehr, "Patient/p1", mark, now=lambda: datetime(2026, 4, 8, 12, tzinfo=UTC))
    assert [one for one in ehr.asked[1] if one[0] in ("_lastUpdated", "date")] == ends


@pytest.mark.parametrize(("days", "is_news"), [(30, True), (31, False)])
def test_without_a_search_for_changes_the_correction_of_a_result_is_seen_for_a_month(days, is_news):
    ehr = Ehr(by_update=False)
    old = datetime(2026, 4, 7, 12, tzinfo=UTC) - timedelta(days=days)
    ehr.add("old", "1", old.isoformat())
    ehr.add("a", "1", "2026-04-07T12:00:00Z")
    _, mark = poll(ehr, "Patient/p1", None)
    ehr.add("old", "2", old.isoformat())
    ehr.held = [one for one in ehr.held if one["effectiveDateTime"] >= "2026-03-08"]  # as the server would
    assert bool(poll(ehr, "Patient/p1", mark)[0]) is is_news


@pytest.mark.parametrize(
    ("by_update", "old", "why"),
    [
        (True, "2026-04-07T11:50:00.300Z", "asked for from the whole second, 11:50:00, and the latest is of .700"),
        (False, "2026-03-08T06:00:00Z", "asked for from the day, and the latest is of noon"),
        (False, "2026-03-07T23:30:00-05:00", "a day is in the server's own zone"),
        (True, "", "a server that leaves out when it was updated"),
    ],
)
def test_what_the_cut_end_of_a_question_brings_again_is_told_once(by_update, old, why):
    ehr = Ehr(by_update=by_update)
    ehr.add("a", "1", "2026-04-07T12:00:00.700Z")
    ehr.add("old", "1", old or "2025-01-01T00:00:00Z")
    if not old:
        del ehr.held[-1]["meta"]["lastUpdated"]
    _, mark = poll(ehr, "Patient/p1", None)
    _, mark = poll(ehr, "Patient/p1", mark)
    assert poll(ehr, "Patient/p1", mark)[0] == [], why


@pytest.mark.parametrize("by_update", [True, False])
def test_a_result_dated_into_the_future_hides_no_news(by_update):
    """Somebody typed 2062 for 2026, or the server's clock was wrong for a moment."""
    today = datetime(2026, 4, 8, 12, tzinfo=UTC)
    ehr = Ehr(by_update=by_update)
    ehr.add("typo", "1", "2062-04-07T12:00:00Z")
    ehr.add("a", "1", "2026-04-07T12:00:00Z")
    _, mark = poll(ehr, "Patient/p1", None, now=lambda: today)
    assert poll(ehr, "Patient/p1", mark, now=lambda: today)[0] == [], "it is told once"
    (begins,) = [value for name, value in ehr.asked[1] if name in ("_lastUpdated", "date")]
    assert begins[2:] <= "2026-04-07T11:50:00+00:00", "asked for from the last believable day on"
    ehr.add("b", "1", "2026-04-08T12:30:00Z")
    later = today + timedelta(hours=1)
    assert poll(ehr, "Patient/p1", mark, now=lambda: later)[0] == ["Observation/b/_history/1"]


def test_one_that_became_visible_late_is_news():
    ehr = Ehr()
    ehr.add("a", "1", "2026-04-07T12:00:00Z")
    _, mark = poll(ehr, "Patient/p1", None)
    ehr.add("late", "1", "2026-04-07T11:55:00Z")
    assert poll(ehr, "Patient/p1", mark)[0] == ["Observation/late/_history/1"]


@pytest.mark.parametrize(
    ("code", "is_news"),
    [(("http://loinc.org", "89247-1"), True), ((FACT_SYSTEM, "surgical_candidate"), True),
     (("http://loinc.org", "8867-4"), False), (("http://loinc.org", "21889-1"), False)],
    ids=["ECOG", "a stated fact", "a heart rate", "what we wrote ourselves"],
)  # fmt: skip
def test_only_what_is_read_is_news(code, is_news):
    ehr = Ehr()
    ehr.add("a", "1", "2026-04-07T12:00:00Z")
    _, mark = poll(ehr, "Patient/p1", None)
    ehr.add("b", "1", "2026-04-07T12:30:00Z", code)
    assert bool(poll(ehr, "Patient/p1", mark)[0]) is is_news
