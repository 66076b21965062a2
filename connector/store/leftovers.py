"""Takes away what belongs to no case: reports of studies that never came here, and files that no row names."""

import os
import re
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from connector.logs import get_logger
from connector.store import tables as t
from connector.store.procedure_steps import FORGOTTEN_SECONDS

log = get_logger("tidy")

DAY_SECONDS = 86400.0
_ASIDE = ".orphan-"
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


def tidy_orphans(connection: sa.Connection, outbox: Path, now: float, *, dry_run: bool) -> int:
    """
    Unlink files of documents that no row names: their transaction never ended. Returns how many; young ones stay.

    The same document may be written once more at this very moment, so a file is taken aside and looked at before it
    goes: one that is new is put back.
    """
    if not outbox.is_dir():
        return 0
    before = now - DAY_SECONDS
    old = [path for path in outbox.iterdir() if path.is_file() and _is_older(path, before)]
    if not old:
        return 0
    named = {Path(path).name for path in connection.execute(sa.select(t.document.c.path)).scalars() if path}
    orphans = [path for path in old if path.name not in named]
    for path in orphans if not dry_run else []:
        aside = path.with_name(f"{_ASIDE}{path.name.removeprefix(_ASIDE)}")
        path.rename(aside)
        if aside.stat().st_mtime < before:
            aside.unlink()
        else:
            aside.rename(path)
    return len(orphans)


def _is_older(path: Path, before: float) -> bool:
    """Whether a file was last written before then; what is gone meanwhile, as a duplicate is, needs no tidying."""
    try:
        return path.stat(follow_symlinks=False).st_mtime < before
    except FileNotFoundError:
        return False


def tidy_unrecorded(connection: sa.Connection, inbox: Path, now: float, *, dry_run: bool) -> tuple[int, int]:
    """
    Unlink received files that no row names: the process died before its commit, and no sender was told "stored".

    Returns how many go, and how many stay since they are too many for that: a ledger that does not know most of a
    folder is another folder's, or a new one, and its files may be the only copies. Young ones stay, and those that an
    event keeps aside for a person to compare.
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
    for path in connection.execute(sa.select(t.instance.c.path)).yield_per(1000).scalars():
        old.pop(Path(path).name, None)
    aside = sa.select(t.event.c.detail).where(t.event.c.kind == "instance_conflict")
    for detail in connection.execute(aside).yield_per(1000).scalars():
        for name in _RECEIVED.findall(detail):
            old.pop(name, None)
    if len(old) > max(found - len(old), _OF_A_CRASH):
        log.warning("files_not_known", count=len(old), reason="is the ledger another folder's, or new?")
        return 0, len(old)
    for path in old.values() if not dry_run else ():
        Path(path).unlink(missing_ok=True)
    return len(old), 0
