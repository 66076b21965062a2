"""What clinicians do with a card: taken from the EHR once, shown with its reason, refused where it is none."""

import uuid

import fhir_cases as cases
import pytest
from cds_case import feedback_rows, said, tell

from connector.fhir.cds_feedback import reasons_in_words
from connector.store import tables as t
from connector.store.tidy import forget_case


def test_feedback_is_kept_once_and_shown_with_its_reason(bench):
    card = bench.shelve()["plan"]
    took = said(card, acceptedSuggestions=[{"id": card["suggestions"][0]["uuid"]}])
    coding = {"code": "data-outdated", "system": card["overrideReasons"][0]["system"]}
    left = said(card, "overridden", overrideReason={"reason": coding, "userComment": "new CT last week"})
    for _ in range(2):
        assert tell(bench, took, left).status_code == 200
    shown = {one["outcome"]: one for one in bench.shelf.feedback()}
    assert shown["accepted"]["suggestions"] == ["Put the draft care plan into the chart"]
    assert (shown["overridden"]["reason"], shown["overridden"]["comment"]) == ("data-outdated", "new CT last week")
    told = {one["reason"] for one in reasons_in_words(bench.shelf.feedback())}
    assert told == {None, "The data it stands on are outdated"}
    assert len(bench.rows(t.feedback)) == 2, "told twice, kept once"
    events = [row for row in bench.rows(t.event) if row.kind.startswith("card_")]
    assert {row.kind for row in events} == {"card_accepted", "card_overridden"}
    assert "new CT" not in "".join(row.detail for row in events), "free text stays where people read it"


def test_feedback_about_an_older_card_is_still_feedback(bench):
    older = bench.shelve()["plan"]
    bench.shelve(cases.later())
    assert tell(bench, said(older, "overridden")).status_code == 200
    assert feedback_rows(bench) == [("overridden", None, None)]


@pytest.mark.parametrize(
    ("entries", "status", "why"),
    [
        ([], 400, "nothing is told"),
        ([{}], 400, "no card"),
        ([{"card": "x", "outcome": "accepted"}], 400, "no UUID"),
        ([said({"uuid": str(uuid.uuid4())}, "ignored")], 400, "no outcome of the specification"),
        ([said({"uuid": str(uuid.uuid4())})], 400, "accepted, but not what"),
        ([said({"uuid": str(uuid.uuid4())}, "overridden", outcomeTimestamp="yesterday")], 400, "no moment"),
        ([said({"uuid": str(uuid.uuid4())}, "overridden", outcomeTimestamp="2026-04-08T10:05:31")], 400, "no offset"),
        (
            [said({"uuid": str(uuid.uuid4())}, "overridden", overrideReason={"reason": {}})],
            400,
            "a reason without code",
        ),
        ([said({"uuid": str(uuid.uuid4())}, "overridden", overrideReason={"userComment": "x" * 2001})], 400, "a novel"),
        ([said({"uuid": str(uuid.uuid4())}, "overridden", overrideReason={"userComment": "a\0b"})], 400, "a NUL"),
        ([said({"uuid": str(uuid.uuid4())}, "overridden", overrideReason={"reason": {"code": "\0"}})], 400, "a NUL"),
        ([said({"uuid": str(uuid.uuid4())}, "overridden")] * 101, 400, "too much at once"),
        ([said({"uuid": str(uuid.uuid4())}, "overridden")], 404, "no card of ours"),
    ],
)
def test_feedback_that_is_none_is_refused_as_a_whole(bench, entries, status, why):
    card = bench.shelve()["plan"]
    good = [said(card, "overridden")] if status == 400 and 0 < len(entries) < 100 else []
    answer = tell(bench, *good, *entries)
    assert answer.status_code == status, why
    assert bench.rows(t.feedback) == [], why


def test_a_case_that_is_forgotten_leaves_no_card_and_no_feedback(bench):
    card = bench.shelve()["plan"]
    bench.shelve(cases.later(), case_ref="another")
    tell(bench, said(card, "overridden"))
    with bench.engine.begin() as connection:
        forget_case(connection, bench.case_ref)
    assert bench.rows(t.feedback) == []
    assert {row.case_ref for row in bench.rows(t.card)} == {"another"}
