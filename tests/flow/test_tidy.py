"""Retention and erasure: what is done and old goes, what anybody may still need stays, and a crash changes neither."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa
from commands import connector
from ledger_case import Bench, assessment, complete_quiet, document, make_bench, receipt, received_together
from state_peers import wait_until

from connector.core.case import PatientIdentity
from connector.core.errors import BadCase, Refused, TryLater
from connector.ports import ProcedureStep
from connector.store import contradicting
from connector.store import tables as t
from connector.store.commitments import Commitments
from connector.store.erase import Eraser
from connector.store.tidy import DAY_SECONDS, Policy, Tidied, Tidy

EVERYTHING = Policy(instances_days=30, documents_days=30, rows_days=90, events_days=365)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = make_bench(f"sqlite:///{tmp_path / 'ledger.sqlite'}", tmp_path)
    yield made
    made.inbox.close()
    made.engine.dispose()


def tidy(bench: Bench, policy: Policy = EVERYTHING, *, dry_run: bool = False) -> Tidied:
    return Tidy(bench.engine, bench.ledger.trail, policy, now=bench.clock).run(dry_run=dry_run)


def file_of(tmp_path: Path, name: str) -> Path:
    path = tmp_path / "inbox" / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"pixels")
    return path


def receive(bench: Bench, tmp_path: Path, instance: str, *, study: str = "1.2.3", patient: str = "P1") -> Path:
    path = file_of(tmp_path, f"{instance}.dcm")
    bench.inbox.receive(receipt(instance, study=study, patient=patient, path=path))
    return path


def assess(bench: Bench, study: str = "1.2.3", identity: str = "2.25.7", *, deliver: bool = True) -> Path:
    """Complete a study, assess it with one document, and deliver that."""
    bench.clock.seconds += 31
    complete_quiet(bench, 30)
    lease = next(
        lease
        for job, _ in bench.ledger.jobs.take_due()
        if (lease := bench.ledger.jobs.claim(job)) and lease.ref == study
    )
    row = bench.ledger.study(study)
    assert row
    with bench.ledger.transaction() as connection:
        bench.ledger.save(
            connection, assessment(row.case_ref, study, identity), "{}", [document(identity, study=study)]
        )
        bench.ledger.jobs.done(connection, lease)
    if deliver:
        ((job, _),) = bench.ledger.jobs.take_due()
        sending = bench.ledger.jobs.claim(job)
        assert sending
        with bench.ledger.transaction() as connection:
            bench.ledger.delivered(connection, sending, "")
    with bench.engine.connect() as connection:
        return Path(
            connection.execute(sa.select(t.document.c.path).where(t.document.c.identity == identity)).scalar_one()
        )


def count(bench: Bench, table: sa.Table) -> int:
    with bench.engine.connect() as connection:
        return connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()


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


def tidying_of(bench, **places: Path) -> Tidy:
    """Tidying that keeps every case."""
    return Tidy(bench.engine, bench.ledger.trail, Policy(), now=bench.clock, **places)


def at_once(_seconds: float) -> None:
    """Nothing is committed meanwhile."""


def test_a_document_whose_transaction_was_rolled_back_leaves_no_file(bench, tmp_path) -> None:
    receive(bench, tmp_path, "1.2.3.1")
    kept = assess(bench)
    with bench.engine.connect() as connection:  # never committed
        bench.ledger.save(connection, assessment("c", "1.2.3", "lost"), "{}", [document("lost")])
    (orphan,) = set((tmp_path / "outbox").iterdir()) - {kept}
    young, old = bench.clock() - 0.9 * DAY_SECONDS, bench.clock() - 1.1 * DAY_SECONDS
    for at, goes in ((young, False), (old, True)):
        for path in (kept, orphan):
            os.utime(path, (at, at))
        found = tidying_of(bench, outbox=tmp_path / "outbox").run(pause=at_once)
        assert (found.orphans, orphan.exists()) == (goes, not goes)
    assert list((tmp_path / "outbox").iterdir()) == [kept]


def test_a_received_file_that_no_row_names_goes_and_one_kept_aside_stays(bench, tmp_path) -> None:
    """The process died between the file and its row: no sender was told that it is stored."""
    shard = tmp_path / "inbox" / "a0"
    shard.mkdir(parents=True)
    known, aside, orphan = (shard / f"{letter * 32}-{letter * 16}.dcm" for letter in "abc")
    other = shard / "notes.txt"
    for path in (known, aside, orphan, other):
        path.write_bytes(b"pixels")
    bench.inbox.receive(receipt(path=known))
    bench.inbox.receive(receipt(path=aside, digest="b"))  # the same UID with other content
    young, old = bench.clock() - 0.9 * DAY_SECONDS, bench.clock() - 1.1 * DAY_SECONDS
    for at, goes in ((young, False), (old, True)):
        for path in (known, aside, orphan, other):
            os.utime(path, (at, at))
        tidying = tidying_of(bench, inbox=tmp_path / "inbox")
        assert (tidying.run(dry_run=True).orphans, orphan.exists()) == (goes, True)
        assert (tidying.run(pause=at_once).orphans, orphan.exists()) == (goes, not goes)
    assert known.exists()
    assert aside.exists()
    assert other.exists()


def test_a_clock_that_jumps_between_a_file_and_its_commit_loses_nothing(bench, tmp_path) -> None:
    """The clock leaps by two days while an instance and a document are on disk and their rows are not yet committed."""
    received, outbox = tmp_path / "inbox" / "a0" / f"{'a' * 32}-{'a' * 16}.dcm", tmp_path / "outbox"
    received.parent.mkdir(parents=True)
    received.write_bytes(b"pixels")
    receive(bench, tmp_path, "1.2.3.1")
    with bench.engine.connect() as connection:
        bench.ledger.save(connection, assessment("c", "1.2.3", "d"), "{}", [document("2.25.7")])
    (written,) = outbox.iterdir()
    for path in (received, written):
        os.utime(path, (1.0, 1.0))
    pauses = []

    def commit_meanwhile(seconds: float) -> None:
        pauses.append(seconds)
        bench.inbox.receive(receipt("1.2.3.9", path=received))
        with bench.ledger.transaction() as connection:
            bench.ledger.save(connection, assessment("c", "1.2.3", "d"), "{}", [document("2.25.7")])
            os.utime(written, (1.0, 1.0))

    places = {"outbox": outbox, "inbox": received.parent.parent}
    tidying = Tidy(bench.engine, bench.ledger.trail, Policy(), **places, now=bench.clock)
    assert tidying.run(pause=commit_meanwhile).orphans == 0
    assert received.exists()
    assert written.exists()
    assert min(pauses) >= 60


def leftover(folder: Path, number: int = 1) -> list[Path]:
    """Received files of three days ago that no row names."""
    shard = folder / "inbox" / "a0"
    shard.mkdir(parents=True)
    files = [shard / f"{each:032x}-{each:016x}.dcm" for each in range(number)]
    for path in files:
        path.write_bytes(b"pixels")
        os.utime(path, (time.time() - 3 * DAY_SECONDS,) * 2)
    return files


def test_the_command_says_that_it_waits_and_how_long(tmp_path) -> None:
    (file,) = leftover(tmp_path)
    said = tmp_path / "said"
    with said.open("wb") as stderr:
        process = subprocess.Popen(
            [sys.executable, "-m", "connector", "tidy"],
            env={**os.environ, "CONNECTOR_DATA_DIR": str(tmp_path)}, stdout=subprocess.DEVNULL, stderr=stderr,
        )  # fmt: skip
    try:
        wait_until(lambda: b"looked for once more in 60 s" in said.read_bytes(), seconds=50, what="the word")
    finally:
        process.terminate()
        process.wait(10)
    assert file.exists(), "stopped while it waits, it has taken nothing away"


def test_what_the_ledger_does_not_know_is_a_line_on_stderr_beside_the_json(tmp_path) -> None:
    leftover(tmp_path, 65)
    answer = connector("tidy", "--dry-run", data_dir=str(tmp_path))
    assert list(json.loads(answer.stdout)["kept"].values()) == [65], "stdout is JSON and nothing else"
    assert json.loads(answer.stderr)["event"] == "files_not_known"


@pytest.mark.parametrize(("files", "rows", "goes"), [(64, 0, 64), (65, 0, 0), (130, 65, 65), (131, 65, 0)])
def test_a_ledger_that_does_not_know_the_folder_takes_nothing_away(bench, tmp_path, files, rows, goes) -> None:
    """A new or another ledger over a folder of images: they may be the only copies. A crash leaves 64 at the most."""
    shard = tmp_path / "inbox" / "a0"
    shard.mkdir(parents=True)
    paths = [shard / f"{number:032x}-{number:016x}.dcm" for number in range(files)]
    for path in paths:
        path.write_bytes(b"pixels")
        os.utime(path, (1.0, 1.0))
    if rows:
        received_together(
            bench.inbox, [receipt(f"1.2.3.{number}", path=path) for number, path in enumerate(paths[:rows])]
        )
    tidied = tidying_of(bench, inbox=shard.parent).run(pause=at_once)
    assert tidied.orphans == goes == files - sum(path.exists() for path in paths)
    told = sum(number for reason, number in tidied.kept.items() if reason.startswith("the ledger does not know"))
    assert told == files - rows - goes


def test_a_file_that_goes_while_the_tidying_looks_is_no_fault(bench, tmp_path, monkeypatch) -> None:
    """A duplicate's file is dropped by its receiver, a document's by another tidying, at any moment."""
    shard, outbox = tmp_path / "inbox" / "a0", tmp_path / "outbox"
    paths = [shard / f"{'a' * 32}-{letter * 16}.dcm" for letter in "abc"] + [outbox / letter for letter in "abc"]
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"pixels")
        os.utime(path, (1.0, 1.0))
    stat, gone = Path.stat, {paths[0], paths[3]}

    def late(path, **options):
        if path in gone and not options.get("follow_symlinks", True):
            path.unlink(missing_ok=True)
        return stat(path, **options)

    monkeypatch.setattr(Path, "stat", late)
    assert tidying_of(bench, outbox=outbox, inbox=shard.parent).run(pause=at_once).orphans == 4
    assert not any(path.exists() for path in paths)


def eraser(bench: Bench, tmp_path: Path) -> Eraser:
    return Eraser(bench.engine, bench.ledger.trail, folder=tmp_path, now=bench.clock)


def test_an_erased_case_leaves_the_order_and_nothing_else(bench, tmp_path) -> None:
    image = receive(bench, tmp_path, "1.2.3.1")
    report = assess(bench)
    aside = file_of(tmp_path, "other.dcm")
    bench.inbox.receive(receipt("1.2.3.1", digest="other", path=aside))
    kept = receive(bench, tmp_path, "1.2.9.1", study="1.2.9", patient="P2")
    row = bench.ledger.study("1.2.3")
    assert row
    with bench.engine.begin() as connection:
        contradicting.keep(connection, "1.2.3", PatientIdentity((), "Testerin"), now=1e9)
    answer = eraser(bench, tmp_path).erase("1.2.3", because="order 17", by="dpo")
    assert answer["erased"] == row.case_ref
    assert answer["still_delivered"] == [{"kind": "sr", "destination": "pacs", "identity": "2.25.7"}]
    assert [image.exists(), report.exists(), aside.exists(), kept.exists()] == [False, False, False, True]
    assert bench.ledger.study("1.2.3") is None
    assert contradicting.Contradicting(bench.engine).record("1.2.3") is None
    assert bench.ledger.study("1.2.9")
    events = bench.desk.status()["events"]
    assert "1.2.3" not in json.dumps(events).replace("1.2.9", "")
    assert (events[0]["kind"], events[0]["actor"], events[0]["detail"]) == ("erased", "dpo", "order 17")
    assert list(tmp_path.glob("erasing-*")) == []


def test_an_unknown_case_and_one_that_is_worked_on_are_not_erased(bench, tmp_path) -> None:
    with pytest.raises(BadCase, match="no such case"):
        eraser(bench, tmp_path).erase("9.9", because="order", by="dpo")
    receive(bench, tmp_path, "1.2.3.1")
    bench.clock.seconds += 31
    complete_quiet(bench, 30)
    ((job, _),) = bench.ledger.jobs.take_due()
    assert bench.ledger.jobs.claim(job)
    with pytest.raises(TryLater, match="busy"):
        eraser(bench, tmp_path).erase("1.2.3", because="order", by="dpo")


def _dies(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("where", "left", "why"),
    [
        ("connector.store.erase.forget_case", True, "before the commit nothing is erased"),
        ("connector.store.erase._unlink", False, "after it the next run unlinks the rest"),
    ],
)
def test_a_crash_in_an_erasure_erases_all_or_nothing(bench, tmp_path, monkeypatch, where, left, why) -> None:
    image = receive(bench, tmp_path, "1.2.3.1")
    with monkeypatch.context() as patched:
        patched.setattr(where, _dies)
        erasing = eraser(bench, tmp_path)
        with pytest.raises(KeyboardInterrupt):
            erasing.erase("1.2.3", because="order", by="dpo")
    assert list(tmp_path.glob("erasing-*"))
    assert (bench.ledger.study("1.2.3") is not None) is left, why
    eraser(bench, tmp_path).resume()
    assert image.exists() is left, why
    assert list(tmp_path.glob("erasing-*")) == []
