"""Who saw a card: written down before the card is shown, once a while, and a reason to look for news of the patient."""

import threading

from cds_case import asks, summaries

from connector.fhir.cds_views import Views
from connector.store import tables as t


def until_noted(bench):
    """What is written in the background is written."""
    bench.door._views._writer.submit(int).result(5)


def test_an_open_chart_makes_us_look_for_news_once_a_minute(bench):
    bench.shelve()
    for polled in (5.0, 6.0):
        with bench.engine.begin() as connection:
            connection.execute(t.patient.update().values(polled_at=polled))
        bench.view(asks())
        until_noted(bench)
    assert [row.polled_at for row in bench.rows(t.patient)] == [6.0], "the second look came too soon"


def views(bench):
    return [(row.actor, row.case_ref, row.detail) for row in bench.rows(t.event) if row.kind == "viewed"]


def test_who_saw_a_card_stands_in_the_audit_trail_once_a_while_and_who_saw_none_does_not(bench):
    bench.shelve()
    seven, another = (
        (who, bench.case_ref, "card at patient-view")
        for who in ("EHR user Practitioner/7", "EHR user (not named by a reference)")
    )
    for body, expected in (
        (asks(), [seven]),
        (asks(), [seven]),
        (asks("nobody"), [seven]),
        (asks(context={"patientId": "p1", "userId": "someone\0else"}), [seven, another]),
    ):
        bench.view(body)
        assert views(bench) == expected, "it stands there when the answer is given, so no crash can lose it"


def test_no_card_is_shown_while_it_cannot_be_written_down_who_sees_it(bench, monkeypatch):
    bench.shelve()
    real = bench.shelf._engine

    class Away:
        def begin(self):
            raise OSError("away")

    monkeypatch.setattr(bench.shelf, "_engine", Away())
    answer = bench.view(asks())
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "30")
    assert "cards" not in answer.json()
    monkeypatch.setattr(bench.shelf, "_engine", real)
    assert len(summaries(bench.view(asks()))) == 1
    assert len(views(bench)) == 1, "what was not shown is not told, and the next look is"


def test_views_that_wait_for_the_disk_share_the_next_commit():
    begun, go_on, commits = threading.Event(), threading.Event(), []

    def write(views, opened):
        commits.append(([user for _, user, _ in views], list(opened)))
        begun.set()
        assert go_on.wait(5)

    seen = Views(write)
    first = seen.note(("patient-view", "a", ("case",)), "Patient/1")
    assert begun.wait(5)
    others = [seen.note(("patient-view", who, ("case",)), "Patient/1") for who in ("b", "c", "b")]
    assert not any(noted.done() for noted in (first, *others)), "nobody is answered before the commit"
    go_on.set()
    assert [noted.result(5) for noted in (first, *others)] == [None] * 4
    assert commits == [(["a"], ["Patient/1"]), (["b", "c"], [])], "one commit for all who waited, each look told once"
