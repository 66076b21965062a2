"""Takes away what belongs to no case: reports of studies that never came here, and files that no row names."""

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from connector.logs import get_logger
from connector.store import tables as t
from connector.store.procedure_steps import FORGOTTEN_SECONDS

log = get_logger("tidy")

DAY_SECONDS = 86400.0
_ASIDE = ".orphan-"
_COMMIT_SECONDS = 60.0  # no commit takes longer: its sender has long been told to send again
_OF_A_CRASH = 64  # a process that dies leaves at most one file for each association
_RECEIVED = re.compile(r"[0-9a-f]{32}-[0-9a-f]{16}\.dcm")  # every reception has a name of its own


def tidy_reports(connection: sa.Connection, now: float, *, orders_days: float, dry_run: bool) -> int:
    """
    Delete procedure steps of studies that are not here; returns how many.

    Modalities report all their work, with names: what is no longer waited for goes whatever the site keeps. Orders that
    came to their end go as rows of cases do (`orders_days`, 0: never).
    """
    known = sa.exists().where(t.study.c.study_instance_uid == t.procedure_step.c.study_instance_uid)
    report = sa.and_(
        t.procedure_step.c.kind.in_(["mpps", "ian"]), t.procedure_step.c.changed_at < now - FORGOTTEN_SECONDS
    )
    order = sa.and_(t.procedure_step.c.kind == "ups", t.procedure_step.c.settled_at < now - orders_days * DAY_SECONDS)
    old: sa.ColumnElement[Any] = sa.and_(~known, sa.or_(report, order) if orders_days else report)
    number: int = connection.execute(sa.select(sa.func.count()).select_from(t.procedure_step).where(old)).scalar_one()
    if number and not dry_run:
        connection.execute(sa.delete(t.procedure_step).where(old))
    return number


def tidy_orphans(engine: sa.Engine, outbox: Path, now: float, *, dry_run: bool, pause: Callable[[float], None]) -> int:
    """
    Unlink files of documents that no row names: their transaction never ended. Returns how many; young ones stay.

    By a clock that jumped, one whose transaction is under way may look old: the ledger is asked a second time, after a
    pause. The same document may be written once more at this very moment, so a file is taken aside and looked at before
    it goes: one that is new is put back.
    """
    if not outbox.is_dir():
        return 0
    before = now - DAY_SECONDS
    old = [path for path in outbox.iterdir() if path.is_file() and _is_older(path, before)]
    orphans = _not_named(engine, old)
    if dry_run or not orphans:
        return len(orphans)
    pause(_COMMIT_SECONDS)
    orphans = _not_named(engine, orphans)
    for path in orphans:
        aside = path.with_name(f"{_ASIDE}{path.name.removeprefix(_ASIDE)}")
        path.rename(aside)
        if aside.stat().st_mtime < before:
            aside.unlink()
        else:
            aside.rename(path)
    return len(orphans)


def _not_named(engine: sa.Engine, files: list[Path]) -> list[Path]:
    """Those of these files that no document of the ledger has, as it is now."""
    if not files:
        return []
    with engine.connect() as connection:
        named = {Path(path).name for path in connection.execute(sa.select(t.document.c.path)).scalars() if path}
    return [path for path in files if path.name not in named]


def _is_older(path: Path, before: float) -> bool:
    """Whether a file was last written before then; what is gone meanwhile, as a duplicate is, needs no tidying."""
    try:
        return path.stat(follow_symlinks=False).st_mtime < before
    except FileNotFoundError:
        return False


def tidy_unrecorded(
    engine: sa.Engine, inbox: Path, now: float, *, dry_run: bool, pause: Callable[[float], None]
) -> tuple[int, int]:
    """
    Unlink received files that no row names: the process died before its commit, and no sender was told "stored".

    Returns how many go, and how many stay since they are too many for that: a ledger that does not know most of a
    folder is another folder's, or a new one, and its files may be the only copies. Young ones stay, and those that an
    event keeps aside for a person to compare. By a clock that jumped, a file that is about to be recorded may look old:
    the ledger is asked a second time, after a pause that no clock shortens.
    """
    before = now - DAY_SECONDS
    old: dict[str, str] = {}
    for shard in sorted(inbox.glob("[0-9a-f][0-9a-f]")):
        with os.scandir(shard) as entries:
            for entry in entries:
                if _RECEIVED.fullmatch(entry.name) and _is_older(Path(entry.path), before):
                    old[entry.name] = entry.path
    if not old:
        return 0, 0
    found = len(old)
    _leave_known(engine, old)
    if len(old) > max(found - len(old), _OF_A_CRASH):
        log.warning("files_not_known", count=len(old), reason="is the ledger another folder's, or new?")
        return 0, len(old)
    if old and not dry_run:
        pause(_COMMIT_SECONDS)
        _leave_known(engine, old)
        for path in old.values():
            Path(path).unlink(missing_ok=True)
    return len(old), 0


def _leave_known(engine: sa.Engine, files: dict[str, str]) -> None:
    """Take out of `files` those that the ledger names, as it is now."""
    with engine.connect() as connection:
        for path in connection.execute(sa.select(t.instance.c.path)).yield_per(1000).scalars():
            files.pop(Path(path).name, None)
        aside = sa.select(t.event.c.detail).where(t.event.c.kind == "instance_conflict")
        for detail in connection.execute(aside).yield_per(1000).scalars():
            for name in _RECEIVED.findall(detail):
                files.pop(name, None)
