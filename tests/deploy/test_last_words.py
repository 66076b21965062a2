"""Whatever no command foresaw leaves with one sentence; of the disk and of users without a name it says what to do."""

import getpass
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from connector import __main__
from connector.cli.operate import _show, who
from connector.core.errors import TryLater
from connector.operation import migrate_ledger, place_of
from connector.settings import Settings
from connector.store.backup import back_up


def full() -> Exception:
    fault = sqlite3.OperationalError("database or disk is full")
    fault.sqlite_errorname = "SQLITE_FULL"
    return fault


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (lambda: PermissionError(13, "Permission denied", "/data/case.key"),
         "/data/case.key: Permission denied: see that this user may use it and that its disk has room"),
        (lambda: OSError(28, "No space left on device", "/backup/x"), "/backup/x: No space left on device: see that"),
        (full, "the ledger does not answer: the disk is full: make room"),
        (lambda: OSError("of a patient"), "OSError: repeat with --debug"),  # of no file: not told
        (lambda: KeyError("of a patient"), "KeyError: repeat with --debug"),
    ],
)  # fmt: skip
def test_the_last_words(
    fault: Callable[[], Exception], said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    @click.command()
    def failing() -> None:
        raise fault()

    monkeypatch.setattr(__main__, "main", failing)
    monkeypatch.setattr("sys.argv", ["connector"])
    with pytest.raises(SystemExit) as left:
        __main__.run()
    (line,) = capsys.readouterr().err.splitlines()
    assert (left.value.code, said in line, "of a patient" in line) == (1, True, False)


def test_a_user_without_a_name_is_known_by_number(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a container's, which may be any number: the logbook needs somebody."""
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(os, "getuid", lambda: 64999)  # what getpass asks the system's list of users for
    assert who() == "user 64999"
    monkeypatch.setenv("LOGNAME", "m.curie")
    assert who() == getpass.getuser() == "m.curie"


def test_a_backup_that_finds_no_room_says_where(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings(data_dir=tmp_path / "data")
    migrate_ledger(settings, "head")
    connect = sqlite3.connect

    def no_room(path: Path) -> sqlite3.Connection:
        if "backup" in str(path):
            raise full()
        return connect(path)

    monkeypatch.setattr(sqlite3, "connect", no_room)
    with pytest.raises(
        TryLater, match=r"cannot be copied to .*backup.*ledger\.sqlite \(SQLITE_FULL\): make room there"
    ):
        back_up(place_of(settings), tmp_path / "backup")


def test_an_id_in_the_table_of_what_waits_can_be_copied_from_a_narrow_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    uid = "2.25." + "9" * 39  # the longest of its kind (PS3.5, annex B.2)
    row = {
        "kind": "assess",
        "state": "set_aside",
        "reason": "the patient contradicts: " + "compare both; " * 9,
        "id": uid,
    }
    _show({"waiting": [row], "unanswered": {"count": 0}})
    assert uid in capsys.readouterr().err


@pytest.mark.parametrize("words", [("listen", "--processes"), ("worker", "--concurrency")], ids=" ".join)
@pytest.mark.parametrize("number", ["0", "-1", "65", "x"])
def test_a_number_of_processes_that_cannot_be_meant_is_refused(words: tuple[str, ...], number: str) -> None:
    done = CliRunner().invoke(__main__.main, [*words, number])
    assert (done.exit_code, words[1] in done.stderr) == (2, True)
