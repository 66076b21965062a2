"""Studies in the ledger by the routing rules: completed, kept out, incomplete, and opened again by what comes late."""

from contextlib import nullcontext
from dataclasses import replace

import pytest
import sqlalchemy as sa
from ledger_case import Bench, receipt

from connector.ports import ProcedureStep
from connector.routing import Required, Routing, Rule, SeriesPattern
from connector.store import tables as t
from connector.store.completeness import Completeness
from connector.store.procedure_steps import Reports
from connector.store.worklist import Wanted, Worklist

CT = Rule(name="CT", pattern=SeriesPattern(modality=("CT",)), quiet_seconds=60, assess=("response",))
WITH_SEG = replace(
    CT, required=(Required(SeriesPattern(modality=("SEG",))),), series_quiet_seconds=10, incomplete_after_seconds=600
)


def routing(*rules: Rule) -> Routing:
    return Routing(rules, 30.0)


def study(bench: Bench, uid: str = "1.2.3"):
    with bench.engine.connect() as connection:
        return connection.execute(sa.select(t.study).where(t.study.c.study_instance_uid == uid)).one()


def seg(**named):
    return replace(receipt("1.2.3.7", **named), series_instance_uid="1.2.3.8", modality="SEG")


@pytest.mark.parametrize(("quiet_for", "completed"), [(59.9, 0), (60.0, 1)])
def test_a_rule_has_a_quiet_time_of_its_own_and_is_on_record(bench: Bench, quiet_for, completed) -> None:
    bench.inbox.receive(receipt())
    bench.clock.seconds += quiet_for
    assert Completeness(bench.ledger, routing(CT)).judge() == completed
    if completed:
        row = study(bench)
        assert (row.state, row.rule, row.assess, row.completed_because) == ("complete", "CT", "response", "quiet")
        assert bench.ledger.study("1.2.3").assess == ("response",)


def test_the_series_that_is_still_coming_holds_the_study(bench: Bench) -> None:
    slow = replace(CT, quiet_seconds=0, series_quiet_seconds=10)
    bench.inbox.receive(receipt())
    bench.clock.seconds += 8
    bench.inbox.receive(seg())
    bench.clock.seconds += 9.9
    assert Completeness(bench.ledger, routing(slow)).judge() == 0
    bench.clock.seconds += 0.1
    assert Completeness(bench.ledger, routing(slow)).judge() == 1


def test_a_study_is_complete_once_its_required_series_are_here(bench: Bench) -> None:
    judge = Completeness(bench.ledger, routing(WITH_SEG)).judge
    bench.inbox.receive(receipt())
    bench.clock.seconds += 100
    assert judge() == 0, "past the quiet time, but the segmentation is missing"
    bench.inbox.receive(seg())
    bench.clock.seconds += 10
    assert judge() == 1
    assert study(bench).told is None


def test_what_lacks_a_series_waits_for_a_person_who_may_let_it_go_on(bench: Bench) -> None:
    judge = Completeness(bench.ledger, routing(WITH_SEG)).judge
    bench.inbox.receive(receipt())
    bench.clock.seconds += 600
    assert judge() == 0
    (waiting,) = bench.desk.status()["waiting"]
    assert (waiting["id"], waiting["state"]) == ("1.2.3", "incomplete")
    assert "lacks a series of modality SEG" in waiting["reason"]
    assert bench.ledger.complete_study("1.2.3", "operator")
    assert not bench.desk.status()["waiting"]
    assert [kind for _, kind in bench.ledger.jobs.take_due()] == ["assess"]


@pytest.mark.parametrize("meanwhile", [{"last_received_at": 1_000_599.0}, {"state": "rejected"}], ids=str)
def test_what_was_changed_while_it_was_judged_is_not_set_aside(bench: Bench, meanwhile) -> None:
    # PostgreSQL lets a receiver or a person write between the look at a study and the word about it.
    class Slow(Routing):
        def decide(self, study, now, *, said_complete=""):
            decision = super().decide(study, now, said_complete=said_complete)
            connection.execute(sa.update(t.study).values(**meanwhile))
            return decision

    bench.inbox.receive(receipt())
    bench.clock.seconds += 600
    with bench.ledger.transaction() as connection:
        before = bench.ledger.transaction
        bench.ledger.transaction = lambda: nullcontext(connection)
        assert Completeness(bench.ledger, Slow((WITH_SEG,), 30.0)).judge() == 0
        bench.ledger.transaction = before
    assert study(bench).state == meanwhile.get("state", "receiving")
    assert not [one for one in bench.desk.status()["events"] if one["kind"] == "incomplete"]


def test_what_is_forced_says_so_in_the_log_and_in_the_result(bench: Bench) -> None:
    bench.inbox.receive(receipt())
    bench.clock.seconds += 600
    assert Completeness(bench.ledger, routing(replace(WITH_SEG, when_incomplete="proceed"))).judge() == 1
    (told,) = bench.ledger.study("1.2.3").told
    assert "lacks a series of modality SEG" in told
    assert [(one["kind"], one["detail"]) for one in bench.desk.status()["events"] if one["kind"] == "forced"] == [
        ("forced", told)
    ]


def test_no_match_is_kept_out_and_told_and_a_late_series_asks_again(bench: Bench) -> None:
    only_seg = routing(replace(CT, pattern=SeriesPattern(modality=("SEG",))))
    bench.inbox.receive(receipt())
    bench.clock.seconds += 60
    assert Completeness(bench.ledger, only_seg).judge() == 0
    status = bench.desk.status()
    assert status["studies"] == {"kept_out": 1}
    assert status["waiting"] == [], "it is as the site wants it"
    assert [row["reason"] for row in status["kept_out"]] == [
        "no routing rule matches it (CT: it has no series of modality SEG)"
    ]
    assert not bench.ledger.jobs.take_due()
    bench.inbox.receive(seg())
    bench.clock.seconds += 60
    assert Completeness(bench.ledger, only_seg).judge() == 1, "now a rule takes it"


def test_a_kept_out_study_is_no_prior_and_not_the_latest_and_the_result_says_so(bench: Bench) -> None:
    for uid, date in (("1", "20250101"), ("2", "20260101"), ("3", "20270101")):
        bench.inbox.receive(receipt(f"{uid}.1", study=uid, date=date, path=f"/in/{uid}"))
    with bench.engine.begin() as connection:
        out = t.study.c.study_instance_uid.in_(["1", "3"])
        connection.execute(sa.update(t.study).where(out).values(state="kept_out"))
    row = bench.ledger.study("2")
    assert row.is_latest
    assert row.prior_paths == ()
    assert row.told == ("earlier study 1 is kept out by the routing rules",)
    assert row.studies_here == ("1", "2", "3"), "it is not fetched from the PACS a second time"


def test_after_the_rules_changed_kept_out_studies_are_judged_again(bench: Bench) -> None:
    bench.inbox.receive(receipt())
    bench.clock.seconds += 60
    assert Completeness(bench.ledger, routing()).judge() == 0
    assert bench.desk.route_again("all", by="anna") == 1
    assert Completeness(bench.ledger, routing(CT)).judge() == 1


def test_a_series_from_before_the_table_of_series_is_known_by_its_modality(bench: Bench) -> None:
    bench.inbox.receive(receipt())
    with bench.engine.begin() as connection:
        connection.execute(sa.delete(t.series))
    bench.clock.seconds = receipt().received_at.timestamp() + 3600
    with bench.engine.begin() as connection:
        connection.execute(sa.update(t.study).values(last_received_at=bench.clock.seconds - 60))
    assert Completeness(bench.ledger, routing(CT)).judge() == 1


def test_the_worklist_tells_kept_out_and_incomplete_studies_with_their_reason(bench: Bench) -> None:
    for uid, patient in (("1", "P1"), ("2", "P2")):
        bench.inbox.receive(receipt(f"{uid}.1", study=uid, patient=patient, path=f"/in/{uid}"))
    with bench.engine.begin() as connection:
        for uid, state in (("1", "kept_out"), ("2", "incomplete")):
            here = t.study.c.study_instance_uid == uid
            connection.execute(sa.update(t.study).where(here).values(state=state, told=f"why {state}"))
    worklist = Worklist(bench.engine, now=bench.clock)
    counts = worklist.counts()
    assert (counts["kept_out"], counts["incomplete"], counts["done"]) == (1, 1, 0)
    for group, uid, state in (("kept_out", "1", "kept_out"), ("needs_person", "2", "incomplete")):
        (row,) = worklist.page(Wanted(view="studies", state=group)).rows
        assert (row["study_instance_uid"], row["state"], row["reason"]) == (uid, state, f"why {state}")


def test_reports_of_studies_that_are_not_coming_in_are_not_read_at_each_sweep(bench: Bench) -> None:
    bench.inbox.receive(receipt())
    for number in (4, 5):
        step = ProcedureStep(f"1.2.9.{number}", "mpps", "COMPLETED", f"1.2.{number}", "{}", ("1.2.3.1",), "CT1")
        assert bench.steps.create(step)
    with bench.ledger.transaction() as connection:
        assert Reports(connection, bench.clock()).studies == []
    step = ProcedureStep("1.2.9.9", "mpps", "COMPLETED", "1.2.3", "{}", ("1.2.3.1",), "CT1")
    assert bench.steps.create(step)
    with bench.ledger.transaction() as connection:
        assert Reports(connection, bench.clock()).studies == ["1.2.3"]
