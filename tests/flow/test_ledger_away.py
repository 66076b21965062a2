"""Given a data folder or a database that cannot be used, the sentence names the setting and says what to do."""

import errno
import os
import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa

from connector.__main__ import run
from connector.app import check_all
from connector.core.errors import BadCase, ConnectorError
from connector.settings import Settings
from connector.store.away import DatabaseAway, FolderShut, require_folder, shut, why_away
from connector.store.engine import migrate


@pytest.mark.parametrize(
    ("number", "advice"),
    [
        (errno.EACCES, "run this as that user"),
        (errno.EROFS, "its file system is read-only: mount it to be written"),
        (errno.ENOSPC, "its disk is full: make room"),
        (errno.ENOTDIR, "is no folder: name one"),
        (errno.EMFILE, r"cannot be used \(.+\): name another folder"),  # one that is not foreseen has the system's word
    ],
)
def test_why_a_data_folder_cannot_be_used(number: int, advice: str) -> None:
    assert re.match(f"CONNECTOR_DATA_DIR=/data: .*{advice}", str(shut(Path("/data"), number)))


@pytest.fixture
def as_nobody(tmp_path: Path) -> Iterator[None]:
    """As another user than the one whom the folder belongs to; who is not root has only the rights of one."""
    me = os.geteuid()
    if me == 0:
        os.seteuid(65534)
    else:
        tmp_path.chmod(0o500)
    yield
    os.seteuid(me)
    tmp_path.chmod(0o700)


@pytest.mark.parametrize("name", ["", "new"], ids=["one that is there", "one to be made"])
@pytest.mark.usefixtures("as_nobody")
def test_a_folder_of_another_user_is_told(name: str, tmp_path: Path) -> None:
    with pytest.raises(FolderShut, match=r"^CONNECTOR_DATA_DIR=.*: this user may not write there: give it to the user"):
        require_folder(tmp_path / name)


def from_sqlite(name: str) -> sa.exc.SQLAlchemyError:
    said = sqlite3.OperationalError("of a patient")
    said.sqlite_errorname = name
    return sa.exc.OperationalError("INSERT", None, said)


def from_postgres(said: Exception, statement: str | None = None) -> sa.exc.SQLAlchemyError:
    return sa.exc.OperationalError(statement, None, said)  # type: ignore[arg-type] # none while it connects


AT = 'connection failed: connection to server at "10.0.0.5", port 5432 failed: '


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (from_sqlite("SQLITE_CANTOPEN"), "its folder is not there"),
        (from_sqlite("SQLITE_READONLY_DIRECTORY"), "cannot be written by this user"),  # extended codes begin alike
        (from_sqlite("SQLITE_FULL"), "the disk is full"),
        (from_sqlite("SQLITE_NOTADB"), "is no ledger"),
        (from_sqlite("SQLITE_CORRUPT"), "restore a backup"),
        (from_sqlite("SQLITE_BUSY"), "another process holds it"),
        (from_sqlite("SQLITE_MISUSE"), "it fails (SQLITE_MISUSE)"),
        (from_postgres(psycopg.OperationalError(f'{AT}FATAL:  password authentication failed for user "connector"')),
         '(password authentication failed for user "connector"): check CONNECTOR_DATABASE_URL'),
        (from_postgres(psycopg.OperationalError(f'{AT}FATAL:  database "ledger" does not exist')),
         '(database "ledger" does not exist)'),
        (from_postgres(psycopg.OperationalError(f"{AT}Connection refused\n\tIs the server running?")),
         "(Connection refused): check"),
        (from_postgres(psycopg.OperationalError("failed to resolve host 'db': Name or service not known")),
         "failed to resolve host 'db'"),
        (from_postgres(psycopg.errors.InsufficientPrivilege("of a patient"), "CREATE"), "make it the owner"),
        (from_postgres(psycopg.errors.DiskFull("of a patient"), "INSERT"), "lacks disk, memory or connections"),
        (from_postgres(psycopg.errors.AdminShutdown("of a patient"), "INSERT"), "stopped or starts"),
        (from_postgres(psycopg.errors.DataError("of a patient"), "INSERT"), "(DataError)"),
    ],
)  # fmt: skip
def test_why_a_database_does_not_answer(fault: sa.exc.SQLAlchemyError, said: str) -> None:
    assert said in why_away(fault)
    assert "of a patient" not in why_away(fault), "what a statement held is not told"


def test_a_file_that_is_no_ledger_is_told_and_the_neighbours_are_tried_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "ledger.sqlite").write_text("no database " * 1000)
    results = check_all(Settings(data_dir=tmp_path))
    assert "its file is no ledger" in (results["database"] or "")
    assert results["pacs"] == "not set: CONNECTOR_PACS_HOST"


def test_a_data_folder_that_is_a_file_is_told_and_the_neighbours_are_tried_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "data").touch()
    results = check_all(Settings(data_dir=tmp_path / "data"))
    assert results["disk"] == f"CONNECTOR_DATA_DIR={tmp_path / 'data'}: is no folder: name one"
    assert results["pacs"] == "not set: CONNECTOR_PACS_HOST"


def test_a_ledger_of_a_newer_version_is_told_with_the_way_back(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'ledger.sqlite'}"
    last = migrate(url)
    with sqlite3.connect(tmp_path / "ledger.sqlite") as newer:
        newer.execute("UPDATE alembic_version SET version_num = '9999'")
    newer.close()
    with pytest.raises(DatabaseAway, match=f"revision 9999, .* none after {last}: .* connector migrate --to {last}"):
        migrate(url)


@pytest.mark.parametrize("revision", ["9999", "last"])
def test_a_revision_that_is_none_is_refused_with_those_there_are(revision: str, tmp_path: Path) -> None:
    with pytest.raises(BadCase, match=f"--to = '{revision}': is no revision of the ledger: write one of 0001, "):
        migrate(f"sqlite:///{tmp_path / 'ledger.sqlite'}", revision)


@pytest.mark.parametrize("words", [("status",), ("migrate",), ("user", "list"), ("serve",), ("listen",), ("web",)])
def test_every_command_ends_with_that_sentence_alone(
    words: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "data").touch()
    monkeypatch.setenv("CONNECTOR_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setattr("sys.argv", ["connector", *words])
    with pytest.raises(SystemExit) as left:
        run()
    assert (left.value.code, "is no folder: name one" in capsys.readouterr().err.splitlines()[-1]) == (1, True)
    assert issubclass(FolderShut, ConnectorError)
