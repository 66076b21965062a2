"""What senders asked us to commit to, kept until they took the result: a restart forgets none of them."""

import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from connector.core.errors import TryLater
from connector.store import tables as t
from connector.store.engine import for_reading
from connector.store.inbox import insert_or_ignore
from connector.store.jobs import REPORT, Lease
from connector.store.ledger import SqlLedger


@dataclass(frozen=True, slots=True)
class Promise:
    """A request for storage commitment (DICOM PS3.4, annex J): pairs of SOP class and instance."""

    peer: str
    transaction_uid: str
    references: tuple[tuple[str, str], ...]


class Promises:
    """The requests that wait for their result to be taken; each has a step of its own."""

    def __init__(self, ledger: SqlLedger, *, now: Callable[[], float] = time.time) -> None:
        self._ledger = ledger
        self._reading = for_reading(ledger.engine)
        self._now = now

    def keep(self, promise: Promise) -> None:
        """
        Keep a request, and ask for its report; one that a sender repeats takes the place of the first.

        Raises TryLater when it is not on disk.
        """
        try:
            with self._ledger.transaction() as connection:
                self._keep(connection, promise)
        except SQLAlchemyError as fault:
            raise TryLater(f"the ledger did not commit ({type(fault).__name__}): ask again") from fault

    def _keep(self, connection: sa.Connection, promise: Promise) -> None:
        row = {"id": str(uuid.uuid4()), "peer": promise.peer, "transaction_uid": promise.transaction_uid}
        instance = t.promised_instance
        if not insert_or_ignore(connection, t.promise, row):
            same = (t.promise.c.peer == promise.peer) & (t.promise.c.transaction_uid == promise.transaction_uid)
            # Locked where the database can: two repetitions at once would both write the same instances.
            row["id"] = connection.execute(sa.select(t.promise.c.id).where(same).with_for_update()).scalar_one()
            connection.execute(sa.delete(instance).where(instance.c.promise_id == row["id"]))
        connection.execute(
            sa.insert(instance),
            [
                {"promise_id": row["id"], "sop_class_uid": sop_class, "sop_instance_uid": sop_instance}
                for sop_class, sop_instance in dict.fromkeys(promise.references)
            ],
        )
        case = (
            sa.select(t.study.c.case_ref)
            .join(t.instance, t.instance.c.study_instance_uid == t.study.c.study_instance_uid)
            .where(t.instance.c.sop_instance_uid == instance.c.sop_instance_uid)
            .correlate(instance)
            .scalar_subquery()
        )
        connection.execute(sa.update(instance).where(instance.c.promise_id == row["id"]).values(case_ref=case))
        self._ledger.jobs.ask(connection, kind=REPORT, ref=row["id"], serial=f"{REPORT}:{row['id']}")

    def due(self) -> Sequence[tuple[str, str]]:
        """The steps that could be done now with the peer of each, the oldest first."""
        with self._reading.connect() as connection:
            rows = connection.execute(
                sa.select(t.job.c.id, t.promise.c.peer)
                .join(t.promise, t.promise.c.id == t.job.c.ref)
                .where(t.job.c.kind == REPORT, self._ledger.jobs.due_now())
                .order_by(t.job.c.due_at, t.job.c.asked_at)
            ).all()
        return [(row.id, row.peer) for row in rows]

    def promise(self, promise_id: str) -> Promise | None:
        """One request; None when all that it named was erased."""
        instance = t.promised_instance
        with self._reading.connect() as connection:
            row = connection.execute(sa.select(t.promise).where(t.promise.c.id == promise_id)).one_or_none()
            named = connection.execute(
                sa.select(instance.c.sop_class_uid, instance.c.sop_instance_uid)
                .where(instance.c.promise_id == promise_id)
                .order_by(instance.c.sop_instance_uid, instance.c.sop_class_uid)
            ).all()
        if row is None or not named:
            return None
        return Promise(row.peer, row.transaction_uid, tuple((one.sop_class_uid, one.sop_instance_uid) for one in named))

    def reported(self, lease: Lease, peer: str, told: str) -> None:
        """The sender took its result: the logbook says so, and nothing else of it stays. Raises LeaseLost."""
        with self._ledger.transaction() as connection:
            self._ledger.jobs.done(connection, lease)
            self._ledger.tell(connection, kind="commitment_reported", ref=peer, detail=told)
            # Asked again while it was told, it is not done: the step is due once more.
            ended = sa.delete(t.job).where(t.job.c.id == lease.job_id, t.job.c.state == "done")
            if connection.execute(ended).rowcount:
                forget_promise(connection, lease.ref)

    def put_off(self, peer: str, *, seconds: float) -> None:
        """A peer that is away is called once for all its results: the others are due no sooner than this."""
        at = self._now() + seconds
        of_peer = sa.select(t.promise.c.id).where(t.promise.c.peer == peer)
        with self._ledger.transaction() as connection:
            connection.execute(
                sa.update(t.job)
                .where(t.job.c.kind == REPORT, t.job.c.state == "due", t.job.c.ref.in_(of_peer), t.job.c.due_at < at)
                .values(due_at=at)
            )


def forget_promise(connection: sa.Connection, promise_id: str) -> None:
    """Forget a request whose sender was told, by us or by a person."""
    connection.execute(sa.delete(t.promised_instance).where(t.promised_instance.c.promise_id == promise_id))
    connection.execute(sa.delete(t.promise).where(t.promise.c.id == promise_id))


def forget_promises_of(connection: sa.Connection, case_ref: str) -> None:
    """
    Forget that instances of a case were asked for, and requests that named nothing else.

    A sender is then told of the others alone, which promises nothing of these.
    """
    named = t.promised_instance
    instances = (
        sa.select(t.instance.c.sop_instance_uid)
        .join(t.study, t.study.c.study_instance_uid == t.instance.c.study_instance_uid)
        .where(t.study.c.case_ref == case_ref)
    )
    of_case = sa.or_(named.c.case_ref == case_ref, named.c.sop_instance_uid.in_(instances))
    asked = connection.execute(sa.select(named.c.promise_id).where(of_case).distinct()).scalars().all()
    connection.execute(sa.delete(named).where(of_case))
    left = sa.exists().where(named.c.promise_id == t.promise.c.id)
    emptied = sa.select(t.promise.c.id).where(t.promise.c.id.in_(asked), ~left)
    gone = connection.execute(emptied).scalars().all()
    connection.execute(sa.delete(t.job).where(t.job.c.kind == REPORT, t.job.c.ref.in_(gone)))
    connection.execute(sa.delete(t.promise).where(t.promise.c.id.in_(gone)))
