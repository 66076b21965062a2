"""Retention: what is done and old goes, what anybody may still need stays, and a crash changes neither."""

from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa
from ledger_case import Bench, complete_quiet, make_bench, receipt
from tidy_case import assess, count, file_of, receive, tidy

from connector.app import check_all
from connector.core.errors import Refused
from connector.ports import ProcedureStep
from connector.settings import Settings
from connector.store import tables as t
from connector.store.commitments import Commitments
from connector.store.tidy import DAY_SECONDS, Policy


@pytest.mark.parametrize(
    ("days", "goes", "why"),
    [(29.999, False, "not yet 30 days after the last work"), (30, True, "exactly 30 days"), (31, True, "past it")],
)
def test_files_of_a_case_go_some_days_after_the_last_work_on_it(bench, tmp_path, days, goes, why) -> None:
    image = receive(bench, tmp_path, "1.2.3.1")
    report = assess(bench)
    bench.clock.seconds += days * DAY_SECONDS
    done = tidy(bench)
    assert (done.cases, image.exists(), report.exists()) == (int(goes), not goes, not goes), why


def test_nothing_goes_unless_it_is_asked_for(bench, tmp_path) -> None:
    image = receive(bench, tmp_path, "1.2.3.1")
    assess(bench)
    bench.clock.seconds += 10_000 * DAY_SECONDS
    assert tidy(bench, Policy()).cases == 0
    assert image.exists()


def test_a_wrong_patients_images_stay_where_only_documents_go(bench, tmp_path) -> None:
    image = receive(bench, tmp_path, "1.2.3.1")
    report = assess(bench)
    with bench.engine.begin() as connection:
        connection.execute(sa.update(t.study).values(state="rejected"))
    bench.clock.seconds += 31 * DAY_SECONDS
    done = tidy(bench, Policy(documents_days=30))
    assert (done.instances, image.exists(), report.exists()) == (0, True, False), "the mark may still be taken back"


def test_a_dry_run_tells_the_same_and_takes_nothing(bench, tmp_path) -> None:
    image = receive(bench, tmp_path, "1.2.3.1")
    report = assess(bench)
    bench.clock.seconds += 31 * DAY_SECONDS
    before = tidy(bench, dry_run=True).shown()
    assert image.exists()
    assert report.exists()
    assert before == tidy(bench).shown()
    assert (before["instances"], before["documents"]) == (1, 1)


def _undelivered(bench: Bench, _: Path) -> None:
    assess(bench, deliver=False)


def _set_aside(bench: Bench, _: Path) -> None:
    bench.clock.seconds += 31
    complete_quiet(bench, 30)
    ((job, _),) = bench.ledger.jobs.take_due()
    lease = bench.ledger.jobs.claim(job)
    assert lease
    with bench.ledger.transaction() as connection:
        bench.ledger.jobs.stop(connection, lease, state="set_aside", reason="the patient contradicts in sex")


def _uncommitted(bench: Bench, _: Path) -> None:
    assess(bench)
    with bench.ledger.transaction() as connection:
        connection.execute(sa.update(t.document).values(note="commitment asked"))


def _conflict(bench: Bench, tmp_path: Path) -> None:
    assess(bench)
    bench.inbox.receive(receipt("1.2.3.1", digest="other", path=file_of(tmp_path, "other.dcm")))


def _ordered_for_later(bench: Bench, _: Path) -> None:
    assess(bench)
    assert bench.steps.create(ProcedureStep("1.2.50", "ups", "SCHEDULED", "1.2.3", "{}", (), "RIS"))


def _prior_of_an_open_study(bench: Bench, tmp_path: Path) -> None:
    assess(bench)
    bench.clock.seconds += 40 * DAY_SECONDS
    bench.inbox.receive(receipt("1.2.4.1", study="1.2.4", path=file_of(tmp_path, "newer.dcm"), date="20260301"))


@pytest.mark.parametrize(
    ("scene", "why"),
    [
        (_undelivered, "a step is not done"),
        (_set_aside, "a step waits for a person"),
        (_uncommitted, "the PACS has not committed to keep a document"),
        (_conflict, "an instance is in conflict"),
        (_ordered_for_later, "an ordered assessment is not done"),
        (_prior_of_an_open_study, "a study is being received"),
    ],
)
def test_what_is_still_needed_stays_however_old(bench, tmp_path, scene, why) -> None:
    image = receive(bench, tmp_path, "1.2.3.1")
    scene(bench, tmp_path)
    bench.clock.seconds += 1000 * DAY_SECONDS
    assert tidy(bench).kept == {why: 1}
    assert image.exists()


def test_the_files_may_go_once_the_pacs_has_committed(bench, tmp_path) -> None:
    image = receive(bench, tmp_path, "1.2.3.1")
    _uncommitted(bench, tmp_path)
    Commitments(bench.ledger).told(["2.25.7"], {})
    bench.clock.seconds += 31 * DAY_SECONDS
    assert tidy(bench).cases == 1
    assert not image.exists()


@pytest.mark.parametrize(("days", "kept"), [(364, {"its record is still followed": 1}), (366, {})])
def test_a_followed_case_stays_since_news_of_its_record_need_its_images(bench, tmp_path, days, kept) -> None:
    receive(bench, tmp_path, "1.2.3.1")
    assess(bench)
    bench.clock.seconds += days * DAY_SECONDS
    assert tidy(bench, Policy(instances_days=30, follow_days=365)).kept == kept


def test_rows_go_later_than_files_and_other_cases_stay(bench, tmp_path) -> None:
    receive(bench, tmp_path, "1.2.3.1")
    assess(bench)
    bench.clock.seconds += 60 * DAY_SECONDS
    other = receive(bench, tmp_path, "1.2.9.1", study="1.2.9", patient="P2")
    assess(bench, "1.2.9", "2.25.9")
    assert tidy(bench).cases_forgotten == 0
    assert count(bench, t.instance) == 1
    assert count(bench, t.study) == 2
    bench.clock.seconds += 31 * DAY_SECONDS - DAY_SECONDS
    done = tidy(bench)
    assert (done.cases, done.cases_forgotten) == (1, 1), "one case is 90 days old, the other 30"
    assert not other.exists()
    assert [count(bench, table) for table in (t.study, t.assessment, t.document, t.job)] == [1, 1, 1, 2]


def test_events_go_last_and_what_a_repository_has_not_heard_stays(tmp_path) -> None:
    bench = make_bench(f"sqlite:///{tmp_path / 'ledger.sqlite'}", tmp_path, audit_repositories=["syslog"])
    bench.desk.audit(kind="viewed", ref="1.2.3", actor="alice")
    bench.desk.audit(kind="viewed", ref="1.2.4", actor="alice")
    bench.ledger.trail.taken("syslog", bench.ledger.trail.due("syslog")[0].event_id)
    bench.clock.seconds += 366 * DAY_SECONDS
    assert tidy(bench, dry_run=True).events == 1
    assert tidy(bench).events == 1
    assert [event["ref"] for event in bench.desk.status()["events"]] == ["1.2.4"]
    bench.inbox.close()


def test_that_something_was_done_by_hand_is_known_as_long_as_its_case(bench, tmp_path) -> None:
    """A copy that a person brought to the PACS has to be taken back if the study is a wrong patient's."""
    receive(bench, tmp_path, "1.2.3.1")
    case_ref = bench.ledger.study("1.2.3").case_ref
    with bench.ledger.transaction() as connection:
        for kind in ("done_by_hand", "replayed"):
            bench.ledger.tell(connection, kind=kind, ref="1", case_ref=case_ref, detail="ticket 4711", actor="olga")
    bench.clock.seconds += 31 * DAY_SECONDS
    tidy(bench, Policy(events_days=30))
    assert [event["kind"] for event in bench.desk.status()["events"]] == ["done_by_hand"]


def test_a_crash_between_the_strokes_is_taken_up_by_the_next_run(bench, tmp_path, monkeypatch) -> None:
    images = [receive(bench, tmp_path, f"1.2.3.{n}") for n in range(3)]
    assess(bench)
    bench.clock.seconds += 31 * DAY_SECONDS
    taken = []

    def dies(self: Path, **_: object) -> None:
        taken.append(self)
        if len(taken) == 3:
            raise KeyboardInterrupt
        self.rename(tmp_path / f"gone-{len(taken)}")

    with monkeypatch.context() as patched:
        patched.setattr(Path, "unlink", dies)
        with pytest.raises(KeyboardInterrupt):
            tidy(bench)
    row = bench.ledger.study("1.2.3")
    assert row
    assert row.studies_here == (), "what is half gone is no longer used"
    tidy(bench)
    assert not any(image.exists() for image in images)
    assert count(bench, t.instance) == 0
    assert bench.desk.status()["studies"] == {"tidied": 1}


def test_a_study_that_was_tidied_away_comes_in_anew(bench, tmp_path) -> None:
    receive(bench, tmp_path, "1.2.3.1")
    assess(bench)
    bench.clock.seconds += 31 * DAY_SECONDS
    tidy(bench)
    assert not bench.ledger.complete_study("1.2.3", "operator"), "there is nothing to assess"
    with bench.engine.connect() as connection:
        document_id = connection.execute(sa.select(t.document.c.id)).scalar_one()
    with pytest.raises(Refused, match="send the study again"):
        bench.ledger.document(document_id)
    receive(bench, tmp_path, "1.2.3.1")
    bench.clock.seconds += 31
    assert complete_quiet(bench, 30) == 1
    row = bench.ledger.study("1.2.3")
    assert row
    assert len(row.paths) == 1
    assert any("were tidied away" in text for text in row.told), "a part must not read as the whole"


def test_a_study_that_lost_nothing_says_nothing_of_tidying(bench, tmp_path) -> None:
    receive(bench, tmp_path, "1.2.3.1")
    assess(bench)
    bench.clock.seconds += 31 * DAY_SECONDS
    tidy(bench)
    bench.clock.seconds += 31
    receive(bench, tmp_path, "1.2.4.1", study="1.2.4")  # of the same patient, and new
    row = bench.ledger.study("1.2.4")
    assert row
    assert not any("tidied" in text for text in row.told)


@pytest.mark.parametrize(
    ("kind", "settled", "days", "rows_days", "goes", "why"),
    [
        ("mpps", False, 7.1, 0, True, "a modality's report is no longer waited for, whatever is kept"),
        ("mpps", False, 6.9, 90, False, "its images may still come"),
        ("ups", True, 89.9, 90, False, "a RIS may still ask for its order"),
        ("ups", True, 90.1, 90, True, "an order that came to its end goes as rows do"),
        ("ups", True, 900, 0, False, "nothing is said of rows"),
        ("ups", False, 900, 90, False, "it is still open"),
    ],
)
def test_reports_of_studies_that_never_came_go(bench, kind, settled, days, rows_days, goes, why) -> None:
    step = ProcedureStep("1.2.9", kind, "SCHEDULED", "1.2.3", "{}", (), "RIS")
    bench.steps.create(step)
    if settled:
        bench.steps.change(replace(step, state="CANCELED"), was="SCHEDULED", settled=True)
    bench.clock.seconds += days * DAY_SECONDS
    assert tidy(bench, Policy(rows_days=rows_days), dry_run=True).reports == goes
    assert bench.steps.get("1.2.9")
    tidy(bench, Policy(rows_days=rows_days))
    assert (bench.steps.get("1.2.9") is None) is goes, why


def test_a_report_of_a_study_that_is_here_goes_with_its_case(bench, tmp_path) -> None:
    receive(bench, tmp_path, "1.2.3.1")
    bench.steps.create(ProcedureStep("1.2.9", "mpps", "COMPLETED", "1.2.3", "{}", (), "CT1"))
    bench.clock.seconds += 30 * DAY_SECONDS
    tidy(bench, Policy())
    assert bench.steps.get("1.2.9")


@pytest.mark.parametrize(
    ("offers", "days", "told"),
    [(True, 30.0, True), (True, 0.0, False), (False, 30.0, False)],
    ids=["promised and deleted", "promised and kept", "deleted and not promised"],
)
def test_a_promise_to_keep_what_is_tidied_away_is_told_by_check(
    tmp_path, *, offers: bool, days: float, told: bool
) -> None:
    """Its sender may have deleted the only other copy."""
    settings = Settings(data_dir=tmp_path, offer_storage_commitment=offers, retain_instances_days=days)
    said = check_all(settings).get("commitment") or ""
    assert ("CONNECTOR_RETAIN_INSTANCES_DAYS=30 deletes here: set that to 0" in said) == told
