"""Steps that are due: asked for, claimed by a lease with a token, finished once; a doubled message is harmless."""

import random
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from connector.store import tables as t
from connector.store.inbox import insert_or_ignore
from connector.traceparent import new_traceparent

REPORT = "report"  # the one kind that no worker does: senders are told by who listens to them
_REQUEUE_SECONDS = 30.0
_FIRST_BACK_OFF_SECONDS = 2.0
_LONGEST_BACK_OFF_SECONDS = 900.0


class LeaseLost(Exception):
    """The lease ran out and another worker took the job: throw away what was made under it."""


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to do one job until it runs out."""

    job_id: str
    kind: str
    ref: str
    token: str
    asked_at: float
    attempts: int
    caused_at: float | None = None  # when the last instance came, or the news, that asked for it
    traceparent: str | None = None  # W3C Trace Context of what asked for it


def back_off_seconds(attempts: int, retry_after_seconds: float | None = None) -> float:
    """Full jitter on a doubling ceiling, never below what the other side asked for."""
    ceiling = min(_LONGEST_BACK_OFF_SECONDS, _FIRST_BACK_OFF_SECONDS * 2 ** min(attempts, 16))
    return max(random.uniform(0.5, ceiling), retry_after_seconds or 0.0)  # noqa: S311 - spreads retries, guards nothing


class Jobs:
    """All steps of the flow; `serial` makes steps of one patient run one at a time and in order of `position`."""

    def __init__(self, engine: sa.Engine, *, lease_seconds: float, now: Callable[[], float] = time.time) -> None:
        self._engine = engine
        self._lease_seconds = lease_seconds
        self._now = now

    def ask(
        self,
        connection: sa.Connection,
        *,
        kind: str,
        ref: str,
        serial: str,
        position: int = 0,
        caused_at: float | None = None,
        traceparent: str | None = None,
    ) -> str:
        """
        Ask for a step, again if it was done before; returns the job's id.

        `caused_at` is when what asks for it came in (default: now), `traceparent` the trace it belongs to.
        """
        now = self._now()
        cause = {"caused_at": caused_at or now, "traceparent": traceparent or new_traceparent()}
        row = {
            "id": str(uuid.uuid4()), "kind": kind, "ref": ref, "serial": serial, "position": position, "state": "due",
            "due_at": now, "queued_until": 0.0, "asked_at": now, "attempts": 0, "changed_at": now, **cause,
        }  # fmt: skip
        if insert_or_ignore(connection, t.job, row):
            return str(row["id"])
        here = (t.job.c.kind == kind) & (t.job.c.ref == ref)
        # A study that was ordered before it came had a serial of its own until its patient was known.
        known_serial = {} if serial == f"{kind}:{ref}" else {"serial": serial}
        again = {"asked_at": now, "position": position, **cause, **known_serial}
        connection.execute(sa.update(t.job).where(here).values(again))
        connection.execute(
            sa.update(t.job)
            .where(here, t.job.c.state != "leased")
            .values(state="due", due_at=now, queued_until=0.0, attempts=0, reason=None, changed_at=now)
        )
        return str(connection.execute(sa.select(t.job.c.id).where(here)).scalar_one())

    def take_due(self, limit: int = 500) -> Sequence[tuple[str, str]]:
        """Mark due jobs as queued and return (id, kind) of each, oldest first: those that a worker does."""
        now = self._now()
        with self._engine.begin() as connection:
            rows = connection.execute(
                sa.select(t.job.c.id, t.job.c.kind)
                .where(self.due_now(), t.job.c.queued_until < now, t.job.c.kind != REPORT)
                .order_by(t.job.c.due_at)
                .limit(limit)
            ).all()
            if rows:
                connection.execute(
                    sa.update(t.job)
                    .where(t.job.c.id.in_([row.id for row in rows]))
                    .values(queued_until=now + _REQUEUE_SECONDS)
                )
        return [(row.id, row.kind) for row in rows]

    def due_now(self) -> sa.ColumnElement[bool]:
        """Jobs that may be taken: due, or of a worker that died."""
        now = self._now()
        return sa.or_(
            (t.job.c.state == "due") & (t.job.c.due_at <= now),
            (t.job.c.state == "leased") & (t.job.c.lease_until < now),
        )

    def claim(self, job_id: str) -> Lease | None:
        """Take one job if it is due and no other of its serial is running or stands before it; else None."""
        now = self._now()
        with self._engine.begin() as connection:
            row = connection.execute(sa.select(t.job).where(t.job.c.id == job_id)).one_or_none()
            if row is None:
                return None
            if connection.dialect.name == "postgresql":
                connection.execute(sa.select(sa.func.pg_advisory_xact_lock(sa.func.hashtext(row.serial))))
            other = t.job.alias()
            running = (other.c.state == "leased") & (other.c.lease_until >= now)
            before = other.c.state.in_(["due", "leased"]) & (other.c.position < row.position)
            blocked = sa.exists().where(other.c.serial == row.serial, other.c.id != job_id, running | before)
            lease = Lease(
                job_id, row.kind, row.ref, str(uuid.uuid4()), row.asked_at, row.attempts, row.caused_at, row.traceparent
            )
            taken = connection.execute(
                sa.update(t.job)
                .where(t.job.c.id == job_id, self.due_now(), ~blocked)
                .values(
                    state="leased", lease_token=lease.token, lease_until=now + self._lease_seconds,
                    attempts=t.job.c.attempts + 1, changed_at=now,
                )
            )  # fmt: skip
            return lease if taken.rowcount == 1 else None

    def done(self, connection: sa.Connection, lease: Lease) -> None:
        """Finish a job, or make it due again when new input asked for it meanwhile. Raises LeaseLost."""
        asked_again = t.job.c.asked_at > lease.asked_at
        self._leave(connection, lease, state=sa.case((asked_again, "due"), else_="done"), due_at=self._now())

    def retry(self, lease: Lease, reason: str, *, in_seconds: float, progressed: bool = False) -> None:
        """Make a job due again later; one that `progressed` counts its tries from this one."""
        with self._engine.begin() as connection:
            self._leave(connection, lease, state="due", due_at=self._now() + in_seconds, reason=reason)
            if progressed:
                connection.execute(sa.update(t.job).where(t.job.c.id == lease.job_id).values(attempts=1))

    def stop(self, connection: sa.Connection, lease: Lease, *, state: str, reason: str) -> None:
        """Park a job (`parked`) or set it aside (`set_aside`) with the reason a person will read. Raises LeaseLost."""
        asked_again = t.job.c.asked_at > lease.asked_at
        self._leave(
            connection, lease, state=sa.case((asked_again, "due"), else_=state), due_at=self._now(), reason=reason
        )

    def _leave(
        self,
        connection: sa.Connection,
        lease: Lease,
        *,
        state: str | sa.ColumnElement[str],
        due_at: float,
        reason: str | None = None,
    ) -> None:
        left = connection.execute(
            sa.update(t.job)
            .where(t.job.c.id == lease.job_id, t.job.c.lease_token == lease.token)
            .values(
                state=state, due_at=due_at, queued_until=0.0, reason=reason, lease_token=None, lease_until=None,
                changed_at=self._now(),
            )
        )  # fmt: skip
        if left.rowcount != 1:
            raise LeaseLost(lease.job_id)
