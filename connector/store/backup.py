"""Backs the service up while it runs, and puts a backup back: the ledger first, then the files, each checked."""

import json
import os
import shutil
import sqlite3
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from connector import __version__
from connector.core.errors import BadCase, TryLater
from connector.durable import write_durably
from connector.store import tables as t
from connector.store.engine import open_ledger, revision_of, revisions
from connector.store.erase import KEPT_ASIDE

# Instances, documents, and messages that wait for a person; what is still arriving was answered to nobody.
_FOLDERS = ("inbox", "outbox", "hl7")
_PATHS = ((t.instance, t.instance.c.sop_instance_uid), (t.document, t.document.c.id), (t.message, t.message.c.id))
_KEY = "case.key"
_MANIFEST = "manifest.json"
_SQLITE, _POSTGRESQL = "ledger.sqlite", "ledger.dump"
_CHUNK_BYTES = 2**20


@dataclass(frozen=True, slots=True)
class Place:
    """Where the service keeps its state."""

    data_dir: Path
    ledger_url: str

    @property
    def url(self) -> sa.URL:
        """The ledger's URL, parsed."""
        return sa.make_url(self.ledger_url)

    @property
    def is_sqlite(self) -> bool:
        """Whether the ledger is a file."""
        return self.url.get_backend_name() == "sqlite"


def back_up(place: Place, folder: Path) -> dict[str, Any]:
    """
    Copy ledger and files into an empty folder, while the service runs or not.

    Files are written before their rows, so the ledger is taken first: each of its rows then has its file. Raises
    BadCase when the folder is not empty, TryLater when a file of a row is missing or PostgreSQL's tool fails.
    """
    if folder.exists() and any(folder.iterdir()):
        raise BadCase("DIR", str(folder), "holds other files: name an empty or a new folder")
    if place.is_sqlite and not Path(str(place.url.database)).exists():
        raise BadCase("CONNECTOR_DATA_DIR", str(place.data_dir), "holds no ledger: nothing was ever received here")
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    revision = _revision(place)
    if place.is_sqlite:
        _copy_sqlite(Path(str(place.url.database)), folder / _SQLITE)
        needed = _needed(f"sqlite:///{(folder / _SQLITE).absolute()}")
    else:
        needed = _needed(place.ledger_url)
        _postgres(place, "pg_dump", "--format=custom", f"--file={folder / _POSTGRESQL}")
    copied = {name: _copy_if_there(place.data_dir / name, folder / name) for name in _names(place.data_dir)}
    names = {name: digest for name, digest in copied.items() if digest}
    # What is gone from both was tidied away between the two copies.
    lost = [path for path in needed if not (folder / _inside(path)).exists() and Path(path).exists()]
    if lost:
        raise TryLater(f"{len(lost)} files of the ledger are not below {place.data_dir}: check CONNECTOR_DATA_DIR")
    database = _SQLITE if place.is_sqlite else _POSTGRESQL
    names[database] = _digest(folder / database)
    manifest = {
        "connector": __version__, "revision": revision, "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "data_dir": str(place.data_dir), "database": database, "sha256": names,
    }  # fmt: skip
    write_durably(folder / _MANIFEST, json.dumps(manifest, indent=1, sort_keys=True).encode())
    return {"backup": str(folder), "revision": revision, "files": len(names)}


def restore(place: Place, folder: Path) -> dict[str, Any]:
    """
    Put a backup back into an empty data folder and an empty database; every file is checked first.

    The service must not run. Raises BadCase when the backup is damaged or of another database, or the place is in use.
    """
    manifest = _read(folder)
    wanted = _SQLITE if place.is_sqlite else _POSTGRESQL
    if manifest["database"] != wanted:
        raise BadCase("CONNECTOR_DATABASE_URL", place.url.drivername, f"the backup holds {manifest['database']}")
    _require_empty(place)
    for name in manifest["sha256"]:
        if name != manifest["database"]:
            _copy(folder / name, place.data_dir / name)
    if place.is_sqlite:
        target = Path(str(place.url.database))
        target.parent.mkdir(parents=True, exist_ok=True)
        _copy(folder / _SQLITE, target)
    else:
        _postgres(place, "pg_restore", "--no-owner", "--exit-on-error", "--single-transaction",
                  str(folder / _POSTGRESQL))  # fmt: skip
    moved = _move_paths(place)
    os.sync()
    return {"restored": str(folder), "revision": manifest["revision"], "files": len(manifest["sha256"]), "moved": moved}


def _read(folder: Path) -> Mapping[str, Any]:
    try:
        manifest: dict[str, Any] = json.loads((folder / _MANIFEST).read_bytes())
        names, revision = dict(manifest["sha256"]), str(manifest["revision"])
        is_ours = manifest["database"] in names
    except (OSError, ValueError, KeyError, TypeError) as fault:
        raise BadCase("DIR", str(folder), "is no finished backup: its manifest.json is missing or damaged") from fault
    if not is_ours or any(Path(name).is_absolute() or ".." in Path(name).parts for name in names):
        raise BadCase("DIR", str(folder), "is no backup of ours: its manifest.json names other files")
    if revision not in {"empty", *revisions()}:
        raise BadCase(
            "DIR", str(folder), f"is of a newer version (revision {revision}): install that one to restore it"
        )
    for name, digest in names.items():
        if not (folder / name).is_file() or _digest(folder / name) != digest:
            raise BadCase("DIR", str(folder), f"is damaged: {name} is missing or changed; take an older backup")
    return manifest


def _require_empty(place: Place) -> None:
    used = [name for name in (*_FOLDERS, _KEY) if (place.data_dir / name).exists()]
    if place.is_sqlite and Path(str(place.url.database)).exists():
        used.append("the ledger")
    if used:
        raise BadCase("CONNECTOR_DATA_DIR", str(place.data_dir), f"holds {used[0]}: stop the service, move it away")
    if not place.is_sqlite:
        engine = open_ledger(place.ledger_url)
        tables = sa.inspect(engine).get_table_names()
        engine.dispose()
        if tables:
            raise BadCase("CONNECTOR_DATABASE_URL", place.url.database, "is not empty: name a new database")


def _names(data_dir: Path) -> Iterator[str]:
    if (data_dir / _KEY).exists():
        yield _KEY
    for part in _FOLDERS:
        for path in sorted((data_dir / part).rglob("*")):
            is_whole = not any(name.startswith(".") for name in path.relative_to(data_dir).parts)
            if is_whole and path.is_file():
                yield str(path.relative_to(data_dir))


def _copy(source: Path, target: Path) -> str:
    """Copy one file and tell its digest."""
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    shutil.copyfile(source, target)
    return _digest(target)


def _copy_if_there(source: Path, target: Path) -> str:
    """Copy one file; empty when it went meanwhile: tidied away, or the second copy of an instance sent twice."""
    try:
        return _copy(source, target)
    except FileNotFoundError:
        return ""


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        digest = sha256()
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def _copy_sqlite(source: Path, target: Path) -> None:
    try:
        with closing(sqlite3.connect(source)) as live, closing(sqlite3.connect(target)) as copy:
            live.backup(copy)
            (verdict,) = copy.execute("PRAGMA integrity_check").fetchone()
    except sqlite3.Error as fault:
        name = fault.sqlite_errorname
        raise TryLater(
            f"the ledger cannot be copied to {target} ({name}): make room there, and see both disks"
        ) from None
    if verdict != "ok":
        raise TryLater(f"the ledger is damaged ({verdict}): restore an older backup")


def _postgres(place: Place, tool: str, *arguments: str) -> None:
    """Run a tool of PostgreSQL on the ledger, reached just as the service reaches it: TLS, certificates and all."""
    program = shutil.which(tool)
    if program is None:
        raise TryLater(f"{tool} is not installed here: install PostgreSQL's client, or call it where it is")
    url = place.url
    _, named = url.get_dialect()().create_connect_args(url)
    # By a file that only we may read: a command line can be read by everybody on the machine.
    with tempfile.NamedTemporaryFile("w", prefix="connector-pg-", encoding="utf-8") as service:
        service.write("[ledger]\n" + "".join(f"{name}={value}\n" for name, value in named.items()))
        service.flush()
        environment = {**os.environ, "PGSERVICEFILE": service.name}
        call = [program, "--dbname=service=ledger", *arguments]
        done = subprocess.run(call, env=environment, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        raise TryLater(f"{tool} failed: {done.stderr.strip().splitlines()[-1] if done.stderr.strip() else 'no reason'}")


def _revision(place: Place) -> str:
    engine = open_ledger(place.ledger_url)
    try:
        with engine.connect() as connection:
            return revision_of(connection) or "empty"
    finally:
        engine.dispose()


def _needed(url: str) -> list[str]:
    engine = open_ledger(url)
    try:
        with engine.connect() as connection:
            paths = sa.union(*(sa.select(table.c.path) for table, _ in _paths_here(connection)))
            return [path for path in connection.execute(paths).scalars() if path]
    finally:
        engine.dispose()


def _paths_here(connection: sa.Connection) -> list[tuple[sa.Table, sa.Column[str]]]:
    """Of the tables whose rows name a file those that are there: a ledger is backed up before it is migrated too."""
    there = set(sa.inspect(connection).get_table_names())
    return [(table, key) for table, key in _PATHS if table.name in there]


def _inside(path: str) -> Path:
    """A file's place below any data folder: from `inbox` or `outbox` on."""
    parts = Path(path).parts
    at = max((index for index, part in enumerate(parts) if part in _FOLDERS), default=len(parts) - 1)
    return Path(*parts[at:])


def _move_paths(place: Place) -> int:
    """Let the rows name the files where they are now; returns how many named another place."""
    engine = open_ledger(place.ledger_url)
    moved = 0
    try:
        with engine.begin() as connection:
            for table, key in _paths_here(connection):
                for row in connection.execute(sa.select(key.label("key"), table.c.path)).all():
                    here = str(place.data_dir.absolute() / _inside(row.path)) if row.path else row.path
                    if row.path != here:
                        connection.execute(sa.update(table).where(key == row.key).values(path=here))
                        moved += 1
            # Of an instance in conflict the logbook alone knows where it is.
            conflicts = sa.select(t.event.c.id, t.event.c.detail).where(t.event.c.kind == "instance_conflict")
            for row in connection.execute(conflicts).all():
                aside = KEPT_ASIDE.search(row.detail)
                here = str(place.data_dir.absolute() / _inside(aside[1])) if aside else ""
                if aside and aside[1] != here:
                    told = row.detail.replace(aside[1], here)
                    connection.execute(sa.update(t.event).where(t.event.c.id == row.id).values(detail=told))
                    moved += 1
    finally:
        engine.dispose()
    return moved
