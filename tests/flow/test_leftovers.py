"""Files that no row names go, one that a row may still name stays, and who runs the command is told of the wait."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from commands import connector
from ledger_case import assessment, document, receipt, received_together
from state_peers import wait_until
from tidy_case import assess, receive

from connector.store.tidy import DAY_SECONDS, Policy, Tidy


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
