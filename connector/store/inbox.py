"""Receipts into the ledger, many in one commit: associations share one fsync, and none is answered before it."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from functools import cache
from operator import itemgetter
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import SQLAlchemyError

from connector.core.errors import TryLater
from connector.ports import Receipt, ReceiptOutcome
from connector.store import tables as t
from connector.store.engine import for_reading, run_prepared
from connector.store.expected import Expected
from connector.store.group_commit import GroupCommit
from connector.traceparent import new_traceparent

ALIVE_SECONDS = 60.0
_MOST_NAMED = 1000  # in one question: no database takes any number of them

SameDataset = Callable[[Path, Path], bool]
CaseRef = Callable[[str], str]
# What the ledger did, or the file it holds under the same UID, to be compared with the new one.
Recorded = ReceiptOutcome | Path


# Made once: building a statement anew for each receipt costs more than what it does.
_UID: sa.BindParameter[str] = sa.bindparam("uid")
_AT: sa.BindParameter[float] = sa.bindparam("at")
_OPEN_PRIOR = (
    sa.update(t.study)
    .where(t.study.c.study_instance_uid == _UID, t.study.c.state == "prior")
    .values(last_received_at=_AT, state="receiving")
)
_STAYING = (
    sa.select(t.instance.c.sop_instance_uid, t.instance.c.sop_class_uid, t.instance.c.path)
    .join(t.study, t.study.c.study_instance_uid == t.instance.c.study_instance_uid)
    .where(t.study.c.state != "tidying")
)


def insert_or_ignore(connection: sa.Connection, table: sa.Table, row: dict[str, Any]) -> bool:
    """Insert a row unless its key is there; tell whether it was inserted."""
    return run_prepared(connection, _insert_or_ignore(connection.dialect.name, table), row) == 1


@cache
def _insert_or_ignore(dialect_name: str, table: sa.Table) -> sa.Insert:
    """The statement, made once: building it anew would be the largest part of recording a receipt."""
    dialect = postgresql if dialect_name == "postgresql" else sqlite
    statement: sa.Insert = dialect.insert(table).on_conflict_do_nothing()
    return statement


@cache
def _open_study(dialect_name: str) -> sa.Insert:
    """
    Begin a study, or open it again: what follows a late instance supersedes, and no image is lost.

    A study that a person marked as a wrong patient's stays out, whatever still comes.
    """
    statement = (postgresql if dialect_name == "postgresql" else sqlite).insert(t.study)
    new = statement.excluded
    opened: sa.Insert = statement.on_conflict_do_update(
        index_elements=[t.study.c.study_instance_uid],
        set_={
            "last_received_at": new.last_received_at,
            "state": "receiving",
            "traceparent": sa.case((t.study.c.state == "receiving", t.study.c.traceparent), else_=new.traceparent),
        },
        where=t.study.c.state != "rejected",
    )
    return opened


@cache
def _touch_series(dialect_name: str) -> sa.Insert:
    """Begin a series, or note that something of it came again."""
    statement = (postgresql if dialect_name == "postgresql" else sqlite).insert(t.series)
    touched: sa.Insert = statement.on_conflict_do_update(
        index_elements=[t.series.c.series_instance_uid],
        set_={"last_received_at": statement.excluded.last_received_at},
    )
    return touched


@contextmanager
def _asked(connect: Callable[[], AbstractContextManager[sa.Connection]], then: str) -> Iterator[sa.Connection]:
    """A connection for what has no answer but its own. Raises TryLater when the ledger is away."""
    try:
        with connect() as connection:
            yield connection
    except SQLAlchemyError as fault:
        raise TryLater(f"the ledger does not answer ({type(fault).__name__}): {then}") from fault


def patient_key(receipt: Receipt) -> str:
    """Issuer and patient ID as sent: equal keys are the same patient."""
    return f"{receipt.issuer_of_patient_id}\x1f{receipt.patient_id}"


class SqlInbox:
    """The receivers' side of the ledger; what all associations of this process bring shares its commits."""

    def __init__(
        self, engine: sa.Engine, *, case_ref: CaseRef, same_dataset: SameDataset, now: Callable[[], float] = time.time
    ) -> None:
        self._engine = engine
        self._reading = for_reading(engine)
        self._case_ref = case_ref
        self._same_dataset = same_dataset
        self._now = now
        expected = Expected(engine, now=now)
        self.expecting, self.is_expected = expected.expecting, expected.is_expected
        self._commits: GroupCommit[Receipt, Recorded] = GroupCommit(
            engine, self._record_all, order=lambda one: (one.study_instance_uid, one.sop_instance_uid), name="inbox"
        )

    def receive(self, receipt: Receipt) -> ReceiptOutcome:
        """
        Record one instance and return when it is committed.

        Raises TryLater when the ledger is away or closed, ImpossibleInput when an attribute does not fit it.
        """
        recorded = self._commits.commit(receipt)
        if isinstance(recorded, ReceiptOutcome):
            return recorded
        # Compared here, in the sender's own thread: a large object must not hold up the other senders.
        return ReceiptOutcome.SAME if self._same_dataset(recorded, receipt.path) else self._conflict(receipt)

    def close(self) -> None:
        """Commit what is queued and stop the writer; what comes later is refused."""
        self._commits.close()

    def association_opened(self, association_id: str) -> None:
        """Note that an association began. Raises TryLater, as those below, when the ledger is away."""
        with _asked(self._engine.begin, "send again") as connection:
            insert_or_ignore(connection, t.association, {"association_id": association_id, "alive_at": self._now()})

    def association_alive(self, association_id: str) -> None:
        """Note that an association still lives."""
        with _asked(self._engine.begin, "send again") as connection:
            connection.execute(
                sa.update(t.association)
                .where(t.association.c.association_id == association_id)
                .values(alive_at=self._now())
            )

    def association_closed(self, association_id: str) -> None:
        """Forget an association."""
        with _asked(self._engine.begin, "send again") as connection:
            for table in (t.association_study, t.association):
                connection.execute(sa.delete(table).where(table.c.association_id == association_id))

    def held(self, sop_instance_uids: Sequence[str]) -> dict[str, str]:
        """
        Which of these instances we keep, with their SOP classes: what a storage commitment promises.

        A row alone is no promise: its file may have been taken back after a commit whose answer was lost, or is about
        to go as its study is tidied away. Raises TryLater when the ledger is away.
        """
        found: dict[str, str] = {}
        with _asked(self._reading.connect, "ask again") as connection:
            for at in range(0, len(sop_instance_uids), _MOST_NAMED):
                some = t.instance.c.sop_instance_uid.in_(sop_instance_uids[at : at + _MOST_NAMED])
                rows = connection.execute(_STAYING.where(some)).all()
                found |= {row.sop_instance_uid: row.sop_class_uid for row in rows if Path(row.path).exists()}
        return found

    def _record_all(self, connection: sa.Connection, receipts: Sequence[Receipt]) -> Sequence[Recorded]:
        """Record receipts, all of them in the transaction of a connection."""
        outcomes = [self._record(connection, receipt) for receipt in receipts]
        stored: dict[str, Receipt] = {}
        for receipt, outcome in zip(receipts, outcomes, strict=True):
            # One that was sent opens its study, whatever was fetched of it at the same moment.
            if outcome is ReceiptOutcome.STORED and not (receipt.is_prior and receipt.study_instance_uid in stored):
                stored[receipt.study_instance_uid] = receipt
        sent = {receipt.study_instance_uid for receipt in receipts if not receipt.is_prior}
        # All rows of studies before any of a series, and each kind in one order, as a sweep has it too: else two
        # processes could wait for each other's rows.
        for uid in sorted(stored.keys() | sent):
            if uid in stored:
                self._touch_study(connection, stored[uid])
            if uid in sent and (uid not in stored or stored[uid].is_prior):
                # What we had fetched as a prior is now sent to be assessed, though nothing of it is new.
                connection.execute(_OPEN_PRIOR, {"uid": uid, "at": self._now()})
        self._touch_series(connection, receipts)
        self._note_associations(connection, receipts)
        return outcomes

    def _record(self, connection: sa.Connection, receipt: Receipt) -> Recorded:
        row = {
            "sop_instance_uid": receipt.sop_instance_uid,
            "sop_class_uid": receipt.sop_class_uid,
            "study_instance_uid": receipt.study_instance_uid,
            "series_instance_uid": receipt.series_instance_uid,
            "transfer_syntax_uid": receipt.transfer_syntax_uid,
            "path": str(receipt.path),
            "size_bytes": receipt.size_bytes,
            "digest": receipt.digest,
            "modality": receipt.modality,
            "source": receipt.source,
            "received_at": receipt.received_at.timestamp(),
        }
        if insert_or_ignore(connection, t.instance, row):
            return ReceiptOutcome.STORED
        here = t.instance.c.sop_instance_uid == receipt.sop_instance_uid
        known = connection.execute(sa.select(t.instance.c.digest, t.instance.c.path).where(here)).one()
        if known.path == row["path"]:
            return ReceiptOutcome.STORED  # tried again after a fault though it was committed: its file is in use
        if not Path(known.path).exists():
            # An answer was lost after a commit and the sender's file taken back: the instance comes in anew.
            connection.execute(sa.update(t.instance).where(here).values(row))
            return ReceiptOutcome.STORED
        return ReceiptOutcome.SAME if known.digest == receipt.digest else Path(known.path)

    def _conflict(self, receipt: Receipt) -> ReceiptOutcome:
        try:
            with self._engine.begin() as connection:
                connection.execute(
                    sa.insert(t.event).values(
                        at=self._now(),
                        kind="instance_conflict",
                        ref=receipt.sop_instance_uid,
                        case_ref=self._case_ref(patient_key(receipt)),
                        detail=f"same SOP Instance UID with other content, kept aside at {receipt.path}: ask "
                        f"{receipt.source} which one is right; the first one stays in use",
                    )
                )
        except SQLAlchemyError as fault:
            raise TryLater(f"the ledger did not commit ({type(fault).__name__}): send again") from fault
        return ReceiptOutcome.CONFLICT

    def _touch_study(self, connection: sa.Connection, receipt: Receipt) -> None:
        key = patient_key(receipt)
        at = self._now()
        row = {
            "study_instance_uid": receipt.study_instance_uid,
            "case_ref": self._case_ref(key),
            "patient_key": key,
            "study_date": receipt.study_date,
            "state": "prior" if receipt.is_prior else "receiving",
            "first_received_at": at,
            "last_received_at": at,
            "traceparent": new_traceparent(),
        }
        if receipt.is_prior:
            insert_or_ignore(connection, t.study, row)
        else:
            run_prepared(connection, _open_study(connection.dialect.name), row)

    def _touch_series(self, connection: sa.Connection, receipts: Iterable[Receipt]) -> None:
        for uid, receipt in sorted({one.series_instance_uid: one for one in receipts}.items(), key=itemgetter(0)):
            row = {
                "series_instance_uid": uid,
                "study_instance_uid": receipt.study_instance_uid,
                "modality": receipt.modality,
                "body_part": receipt.body_part[:64],
                "description": receipt.series_description,
                "procedure_codes": "\n".join(receipt.procedure_codes),
                "last_received_at": self._now(),
            }
            run_prepared(connection, _touch_series(connection.dialect.name), row)

    def _note_associations(self, connection: sa.Connection, receipts: Iterable[Receipt]) -> None:
        fed = {(r.association_id, r.study_instance_uid) for r in receipts if r.association_id}
        for association_id, study_instance_uid in fed:
            insert_or_ignore(
                connection,
                t.association_study,
                {"association_id": association_id, "study_instance_uid": study_instance_uid},
            )


class PriorInbox:
    """The inbox for what we fetch ourselves: it is compared with, and asks for no assessment of its own."""

    def __init__(self, inbox: SqlInbox) -> None:
        self._inbox = inbox
        self.association_opened = inbox.association_opened
        self.association_alive = inbox.association_alive
        self.association_closed = inbox.association_closed
        self.expecting = inbox.expecting
        self.is_expected = inbox.is_expected
        self.held = inbox.held

    def receive(self, receipt: Receipt) -> ReceiptOutcome:
        """Record one instance as a prior."""
        return self._inbox.receive(replace(receipt, is_prior=True))
