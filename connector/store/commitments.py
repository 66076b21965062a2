"""What the PACS said of keeping what was delivered: kept, not kept, or nothing in time; each is followed up."""

from collections.abc import Mapping, Sequence

import sqlalchemy as sa

from connector.core.errors import Refused, TryLater
from connector.ports import COMMITMENT_ASKED, Document
from connector.store import tables as t
from connector.store.engine import for_reading
from connector.store.ledger import SqlLedger
from connector.store.outbox import was_done_by_hand

ANSWER_SECONDS = 86400.0  # an archive may write to its long-term store at night
_LONGEST_PAUSE_SECONDS = 900.0
_TIMES = 3  # asked so often without an answer, a person looks
OLDEST_SECONDS = 7 * 86400.0  # what was delivered before that is not asked for any more
BATCH = 100  # documents a transaction


class Commitments:
    """The answers to our requests for storage commitment (DICOM PS3.4, annex J), and their absence."""

    def __init__(self, ledger: SqlLedger) -> None:
        self._ledger = ledger
        self._reading = for_reading(ledger.engine)

    def told(self, committed: Sequence[str], failed: Mapping[str, int]) -> None:
        """
        Note what the PACS promises to keep; what it does not keep is delivered again.

        A promise that comes late ends the step that waited for a person because of it. What a person did by hand is
        not delivered again.
        """
        with self._ledger.transaction() as connection:
            for uid in committed:
                self._ledger.tell(connection, kind="committed", ref=uid, detail="the PACS committed to keep it")
                kept = sa.func.replace(t.document.c.note, COMMITMENT_ASKED, "committed")
                connection.execute(sa.update(t.document).where(_at_pacs(uid)).values(note=kept))
                waiting = sa.select(t.document.c.id).where(_at_pacs(uid), waits_for_word())
                connection.execute(
                    sa.update(t.job)
                    .where(t.job.c.kind == "deliver", t.job.c.ref.in_(waiting))
                    .values(state="done", reason=None, changed_at=self._ledger.now())
                )
            for uid, reason in failed.items():
                self._ledger.tell(
                    connection, kind="not_committed", ref=uid, detail=f"the PACS does not keep it ({reason:04X}H)"
                )
                here = sa.select(t.document.c.id).where(_at_pacs(uid), ~was_done_by_hand())
                document_id = connection.execute(here).scalar_one_or_none()
                if document_id is not None:
                    self._deliver_again(connection, document_id)

    def judge(self, document_id: str, document: Document, *, maximum_attempts: int) -> None:
        """
        Look, before a delivery, at how often the PACS did not keep the document; an EHR says nothing of that.

        Raises TryLater for a growing pause since it said so last, and Refused when it said so every time. A person's
        replay begins to count anew.
        """
        if document.destination != "pacs":
            return
        times, last = self._failures(document_id, document.identity)
        if times >= maximum_attempts:
            raise Refused(
                f"the PACS took it {times} times and said each time that it does not keep it: have its archive looked"
                " at, then replay"
            )
        pause = last + min(_LONGEST_PAUSE_SECONDS, 2.0**times) - self._ledger.now()
        if times > 1 and pause > 0:
            raise TryLater("the PACS does not keep it: it is stored again after a pause", retry_after_seconds=pause)

    def answered(self, connection: sa.Connection, document: Document, since: float) -> bool:
        """
        Whether the PACS has committed to keep it since then: its answer may come before a delivery is noted.

        The document is locked where the database can, so that an answer being noted at this moment is waited for.
        """
        connection.execute(sa.select(t.document.c.id).where(_at_pacs(document.identity)).with_for_update())
        said = sa.exists().where(
            t.event.c.ref == document.identity, t.event.c.kind == "committed", t.event.c.at >= since
        )
        return bool(connection.execute(sa.select(said)).scalar_one())

    def ask_overdue(self) -> int:
        """
        Ask again for what the PACS said nothing of within a day; returns how many were overdue.

        To ask is to deliver again, which is harmless. After the third time a person is asked instead. What was
        delivered more than seven days ago is left alone: the backlog of a PACS that never reports, found after an
        upgrade or a long rest, is not sent anew. At most a hundred are asked for in one transaction.
        """
        asked = overdue = self._ask_some_overdue()
        while asked == BATCH:
            asked = self._ask_some_overdue()
            overdue += asked
        return overdue

    def _ask_some_overdue(self) -> int:
        ledger = self._ledger
        kept = sa.exists().where(t.event.c.ref == t.document.c.identity, t.event.c.kind == "committed")
        rejected = sa.exists().where(
            t.study.c.study_instance_uid == t.document.c.study_instance_uid, t.study.c.state == "rejected"
        )
        overdue = (
            sa.select(t.document.c.id, t.document.c.identity, t.job.c.id.label("job_id"))
            .join(t.job, (t.job.c.kind == "deliver") & (t.job.c.ref == t.document.c.id))
            .where(
                t.document.c.destination == "pacs",
                t.document.c.note.contains(COMMITMENT_ASKED),
                t.document.c.delivered_at < ledger.now() - ANSWER_SECONDS,
                t.document.c.delivered_at >= ledger.now() - OLDEST_SECONDS,
                t.job.c.state == "done",
                ~kept,
                ~rejected,
            )
            .order_by(t.document.c.delivered_at)
            .limit(BATCH)
            # Another worker that asks, or an answer that is being noted, has the others.
            .with_for_update(of=t.job, skip_locked=True)
        )
        with ledger.transaction() as connection:
            rows = connection.execute(overdue).all()
            for row in rows:
                before = sa.select(sa.func.count()).where(
                    t.event.c.ref == row.identity,
                    t.event.c.kind == "commitment_overdue",
                    t.event.c.id > _last_replay(row.id),
                )
                times = connection.execute(before).scalar_one() + 1
                told = f"the PACS did not say within a day whether it keeps it (asked {times} times)"
                ledger.tell(connection, kind="commitment_overdue", ref=row.identity, detail=told, succeeded=False)
                if times < _TIMES:
                    self._deliver_again(connection, row.id)
                    continue
                reason = f"{told}: see that it sends results to our listener, then replay"
                connection.execute(
                    sa.update(t.job)
                    .where(t.job.c.id == row.job_id)
                    .values(state="parked", reason=reason, changed_at=ledger.now())
                )
        return len(rows)

    def _failures(self, document_id: str, identity: str) -> tuple[int, float]:
        """How often the PACS did not keep it since a person had it replayed, and when it said so last."""
        here = sa.select(sa.func.count(), sa.func.max(t.event.c.at)).where(
            t.event.c.ref == identity, t.event.c.kind == "not_committed", t.event.c.id > _last_replay(document_id)
        )
        with self._reading.connect() as connection:
            times, last = connection.execute(here).one()
        return times, last or 0.0

    def _deliver_again(self, connection: sa.Connection, document_id: str) -> None:
        self._ledger.jobs.ask(connection, kind="deliver", ref=document_id, serial=f"pacs:{document_id}")


def _at_pacs(identity: str) -> sa.ColumnElement[bool]:
    return (t.document.c.identity == identity) & (t.document.c.destination == "pacs")


def waits_for_word() -> sa.ColumnElement[bool]:
    """Whether a document arrived, and its step was parked because the PACS said nothing, and for no failure since."""
    silent = sa.select(sa.func.max(t.event.c.id)).where(
        t.event.c.ref == t.document.c.identity, t.event.c.kind == "commitment_overdue"
    )
    failed = sa.select(sa.func.coalesce(sa.func.max(t.event.c.id), 0)).where(
        t.event.c.ref == t.document.c.id, t.event.c.kind == "parked"
    )
    step = t.job.alias()
    parked = sa.exists().where(step.c.kind == "deliver", step.c.ref == t.document.c.id, step.c.state == "parked")
    return sa.and_(
        t.document.c.destination == "pacs",
        t.document.c.delivered_at.is_not(None),
        parked.correlate(t.document),
        silent.correlate(t.document).scalar_subquery() > failed.correlate(t.document).scalar_subquery(),
    )


def _last_replay(document_id: str) -> sa.ScalarSelect[int]:
    return (
        sa.select(sa.func.coalesce(sa.func.max(t.event.c.id), 0))
        .where(t.event.c.ref == document_id, t.event.c.kind == "replayed")
        .scalar_subquery()
    )
