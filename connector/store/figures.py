"""The figures that operation watches, read from the ledger when asked, so that every process tells the same."""

import time
from collections.abc import Callable, Sequence

import sqlalchemy as sa

from connector.figures import TOOK_BOUNDS_SECONDS, Figures
from connector.store import tables as t
from connector.store.engine import for_reading
from connector.store.inbox import ALIVE_SECONDS
from connector.store.trail import Trail
from connector.store.unanswered import count_unanswered

LIVING_SECONDS = 120.0


def reason_class(state: str, reason: str) -> str:
    """
    Put a step's reason into one of a few classes, whose names hold nothing of a patient.

    `identity`: a person must compare; `input`: correct it at the source; `away`: given up after many tries; `refused`:
    correct it at the PACS or EHR; `unexpected`: a fault of ours; `retrying`: it is tried again by itself.
    """
    if state == "due":
        return "retrying"
    if state == "set_aside":
        return "identity" if "patient" in reason else "input"
    if reason.startswith("gave up after"):
        return "away"
    return "unexpected" if reason.startswith("unexpected ") else "refused"


class LedgerFigures:
    """Reads the figures."""

    def __init__(self, engine: sa.Engine, trail: Trail, *, now: Callable[[], float] = time.time) -> None:
        self._reading = for_reading(engine)
        self._trail = trail
        self._now = now

    def read(self) -> Figures:
        """One look."""
        now = self._now()
        with self._reading.connect() as connection:
            waiting = _waiting(connection)
            holding, refused = _sign_in(connection, now)
            return Figures(
                at=now,
                instances=connection.execute(sa.select(sa.func.count()).select_from(t.instance)).scalar_one(),
                last_instance_at=connection.execute(
                    sa.select(sa.func.max(t.study.c.last_received_at)).where(t.study.c.state != "prior")
                ).scalar_one(),
                studies=_counts(connection, t.study.c.state),
                associations=connection.execute(
                    sa.select(sa.func.count()).where(t.association.c.alive_at > now - ALIVE_SECONDS)
                ).scalar_one(),
                jobs={
                    (kind, state): count
                    for kind, state, count in connection.execute(
                        sa.select(t.job.c.kind, t.job.c.state, sa.func.count()).group_by(t.job.c.kind, t.job.c.state)
                    )
                },
                queue_age_seconds=_queue_age(connection, now),
                failing=_failing(waiting),
                oldest_waiting_seconds=max((now - changed_at for *_, changed_at in waiting), default=0.0),
                documents=_documents(connection),
                unanswered=count_unanswered(connection, now),
                took=_took(connection),
                events=_counts(connection, t.event.c.kind),
                parts=_parts(connection, now),
                sign_in_until=holding,
                sign_in_refused=refused,
                audit_waiting=self._trail.waiting(),
            )


def _counts(connection: sa.Connection, column: sa.ColumnElement[str]) -> dict[str, int]:
    rows = connection.execute(sa.select(column, sa.func.count()).group_by(column)).all()
    return {str(value): count for value, count in rows}


def _queue_age(connection: sa.Connection, now: float) -> dict[str, float]:
    """A step behind another of its patient waits for that one and not for a worker: it does not count."""
    other = t.job.alias()
    behind = sa.exists().where(
        other.c.serial == t.job.c.serial, other.c.id != t.job.c.id, other.c.state.in_(["due", "leased"]),
        sa.or_(other.c.position < t.job.c.position, other.c.state == "leased"),
    )  # fmt: skip
    rows = connection.execute(
        sa.select(t.job.c.kind, sa.func.min(t.job.c.due_at))
        .where(t.job.c.state == "due", t.job.c.due_at <= now, ~behind)
        .group_by(t.job.c.kind)
    ).all()
    return {"assess": 0.0, "deliver": 0.0} | {kind: now - due_at for kind, due_at in rows}


def _waiting(connection: sa.Connection) -> list[tuple[str, str, str, float]]:
    rows = connection.execute(
        sa.select(t.job.c.kind, t.job.c.state, t.job.c.reason, t.job.c.changed_at).where(
            t.job.c.state.in_(["due", "parked", "set_aside"]), t.job.c.reason.is_not(None)
        )
    ).all()
    return [(row.kind, row.state, row.reason, row.changed_at) for row in rows]


def _failing(waiting: Sequence[tuple[str, str, str, float]]) -> dict[tuple[str, str], int]:
    found: dict[tuple[str, str], int] = {}
    for kind, state, reason, _ in waiting:
        key = (kind, reason_class(state, reason))
        found[key] = found.get(key, 0) + 1
    return found


def _documents(connection: sa.Connection) -> dict[tuple[str, str, bool], int]:
    delivered = t.document.c.delivered_at.is_not(None).label("delivered")
    columns = (t.document.c.kind, t.document.c.destination, delivered)
    rows = connection.execute(sa.select(*columns, sa.func.count()).group_by(*columns)).all()
    return {(kind, destination, bool(arrived)): count for kind, destination, arrived, count in rows}


def _took(connection: sa.Connection) -> dict[tuple[str, str], tuple[Sequence[int], float]]:
    took = t.document.c.took_seconds
    within = [sa.func.sum(sa.case((took <= bound, 1), else_=0)) for bound in TOOK_BOUNDS_SECONDS]
    place = (t.document.c.kind, t.document.c.destination)
    rows = connection.execute(
        sa.select(*place, *within, sa.func.count(), sa.func.sum(took)).where(took.is_not(None)).group_by(*place)
    ).all()
    return {(row[0], row[1]): ([int(count) for count in row[2:-1]], float(row[-1])) for row in rows}


def _parts(connection: sa.Connection, now: float) -> dict[str, tuple[int, float]]:
    alive = sa.func.sum(sa.case((t.pulse.c.at > now - LIVING_SECONDS, 1), else_=0))
    rows = connection.execute(
        sa.select(t.pulse.c.part, alive, sa.func.max(t.pulse.c.at)).group_by(t.pulse.c.part)
    ).all()
    return {part: (int(count), float(newest)) for part, count, newest in rows}


def _sign_in(connection: sa.Connection, now: float) -> tuple[float | None, int]:
    rows = connection.execute(
        sa.select(t.pulse.c.sign_in, t.pulse.c.sign_in_until).where(
            t.pulse.c.sign_in.is_not(None), t.pulse.c.at > now - LIVING_SECONDS
        )
    ).all()
    held = [until for state, until in rows if state == "held" and until is not None]
    return (min(held) if held else None), sum(state == "refused" for state, _ in rows)
