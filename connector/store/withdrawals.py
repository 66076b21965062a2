"""What was sent of a study that a person marked as a wrong patient's, and the documents that take it back."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import sqlalchemy as sa

from connector.core.errors import Refused, TryLater
from connector.ports import Document, Withdrawal
from connector.store import tables as t
from connector.store.engine import for_reading
from connector.store.jobs import Lease
from connector.store.ledger import SqlLedger
from connector.store.outbox import was_done_by_hand

WITHDRAWING = ("rejection", "retraction")  # kinds of documents that take others back
STEP = "withdraw"


def ask_withdrawal(ledger: SqlLedger, connection: sa.Connection, study_instance_uid: str, case_ref: str) -> bool:
    """Ask for the study's documents to be taken back; False when none was sent. Before any other step of the case."""
    if not connection.execute(sa.select(sa.exists().where(*_sent(study_instance_uid)))).scalar_one():
        return False
    ledger.jobs.ask(connection, kind=STEP, ref=study_instance_uid, serial=f"assess:{case_ref}", position=-1)
    return True


class Withdrawals:
    """Reads what is to be taken back, and saves what takes it back for delivery."""

    def __init__(self, ledger: SqlLedger) -> None:
        self._ledger = ledger
        self._reading = for_reading(ledger.engine)

    def of(self, study_instance_uid: str) -> Withdrawal | None:
        """
        What is to be taken back of a study; None when its mark was taken back meanwhile.

        Raises TryLater while a document of it is under way, Refused when the content of all was tidied away.
        """
        with self._reading.connect() as connection:
            marked = connection.execute(
                sa.select(t.event.c.at, t.event.c.actor, t.study.c.case_ref)
                .join(t.study, t.study.c.study_instance_uid == t.event.c.ref)
                .where(t.event.c.ref == study_instance_uid, t.event.c.kind == "identity_rejected")
                .where(t.study.c.state == "rejected")
                .order_by(t.event.c.id.desc())
                .limit(1)
            ).one_or_none()
            if marked is None:
                return None
            rows = connection.execute(
                sa.select(t.document, t.job.c.state.label("job_state"), t.job.c.lease_until, _BY_HAND)
                .join(t.assessment, t.assessment.c.id == t.document.c.assessment_id)
                .outerjoin(t.job, _IS_DELIVERY)
                .where(*_sent(study_instance_uid))
                .order_by(t.assessment.c.assessed_at, t.document.c.identity)
            ).all()
            others = connection.execute(
                sa.select(t.document)
                .join(t.assessment, t.assessment.c.id == t.document.c.assessment_id)
                .join(t.study, t.study.c.study_instance_uid == t.document.c.study_instance_uid)
                .where(t.assessment.c.case_ref == marked.case_ref, t.document.c.kind == "fhir")
                .where(t.study.c.state != "rejected", t.document.c.path != "")
                .order_by(t.assessment.c.assessed_at, t.document.c.identity)
            ).all()
        if any(row.job_state == "leased" and row.lease_until >= self._ledger.now() for row in rows):
            raise TryLater("a document of the study is under way: it is taken back once it has arrived")
        if not any(row.path for row in rows):
            raise Refused(
                "what was sent of the study was tidied away here: have it withdrawn in the PACS and the EHR by hand"
            )
        return Withdrawal(
            study_instance_uid=study_instance_uid,
            marked_at=datetime.fromtimestamp(marked.at, UTC).replace(microsecond=0),
            by=marked.actor or "a person",
            documents=[_document(row) for row in rows if row.path],
            tidied=[_document(row) for row in rows if not row.path],
            others=[_document(row) for row in others if Path(row.path).exists()],
            arrived=frozenset(row.identity for row in rows if row.delivered_at is not None),
            by_hand=[_document(row) for row in rows if row.by_hand],
        )

    def save(
        self, connection: sa.Connection, lease: Lease, documents: Sequence[Document], withdrawal: Withdrawal
    ) -> Sequence[str]:
        """
        Save what takes the study's documents back, and ask for each delivery; returns the jobs' ids.

        What was tidied away can be named to a PACS and no more, and what a person brought there may be a copy that we
        do not know: the step stays with a person for the rest.
        """
        newest = connection.execute(
            sa.select(t.assessment.c.id, t.assessment.c.case_ref)
            .where(t.assessment.c.study_instance_uid == lease.ref)
            .order_by(t.assessment.c.assessed_at.desc())
            .limit(1)
        ).one()
        following = self._ledger.outbox.send(
            connection, newest.id, newest.case_ref, documents, caused_at=lease.caused_at, traceparent=lease.traceparent
        )
        self._ledger.tell(
            connection, kind="withdrawn", ref=lease.ref, case_ref=newest.case_ref,
            detail=f"{len(documents)} documents take back what was sent",
        )  # fmt: skip
        named = {one.destination for one in documents if one.kind == "rejection"}
        left = [one for one in withdrawal.tidied if one.destination not in named]
        gone = set(connection.execute(sa.select(_taken_back_by_hand(lease.ref).c.identity)).scalars())
        by_hand = [one for one in withdrawal.by_hand if one.identity not in gone]
        again = [one for one in withdrawal.by_hand if one.identity in gone]
        reasons = [
            f"{what} in {_places(some)} {how}"
            for some, what, how in (
                (left, f"of {len(left)} earlier documents the content was tidied away: have them withdrawn", "by hand"),
                (by_hand, f"{len(by_hand)} documents were {_BROUGHT}: have them withdrawn", "by hand"),
                # Whether somebody brought them there once more after that mark was taken back, only a person can tell.
                (again, f"{len(again)} documents were {_BROUGHT}, and {_WITHDRAWN}: see that none stands", "again"),
            )
            if some
        ]
        if reasons:
            self._ledger.jobs.stop(connection, lease, state="parked", reason="; ".join(reasons))
        else:
            self._ledger.jobs.done(connection, lease)
        return following

    def arrived(self, connection: sa.Connection, document: Document) -> None:
        """
        Note what became of a wrong patient's documents when one arrived.

        One that takes back says so beside the others; another that arrived after all is taken back too.
        """
        study = connection.execute(
            sa.select(t.study.c.case_ref, t.study.c.state)
            .where(t.study.c.study_instance_uid == document.study_instance_uid)
        ).one_or_none()  # fmt: skip
        if study is None:
            return
        if document.kind in WITHDRAWING:
            connection.execute(
                sa.update(t.document)
                .where(
                    t.document.c.study_instance_uid == document.study_instance_uid,
                    t.document.c.destination == document.destination,
                    t.document.c.kind.not_in(WITHDRAWING), t.document.c.delivered_at.is_not(None),
                )
                .values(note="withdrawn: the study was marked as a wrong patient's")
            )  # fmt: skip
        elif study.state == "rejected":
            ask_withdrawal(self._ledger, connection, document.study_instance_uid, study.case_ref)


_BROUGHT = "brought there by a person's hand"
_WITHDRAWN = "withdrawn by hand after an earlier mark"
_BY_HAND = was_done_by_hand().label("by_hand")
_IS_DELIVERY = (t.job.c.kind == "deliver") & (t.job.c.ref == t.document.c.id)


def _sent(study_instance_uid: str) -> tuple[sa.ColumnElement[bool], ...]:
    """
    Documents of the study that arrived, or may have.

    A delivery that was tried can have arrived unanswered, and what was done by hand is there as a person's copy.
    """
    tried = sa.exists().where(_IS_DELIVERY, t.job.c.attempts > 0).correlate(t.document)
    return (
        t.document.c.study_instance_uid == study_instance_uid,
        t.document.c.kind.not_in(WITHDRAWING),
        sa.or_(t.document.c.delivered_at.is_not(None), tried, was_done_by_hand()),
    )


def _taken_back_by_hand(study_instance_uid: str) -> sa.Subquery:
    """Identities of documents brought there by hand, of which a person ended a withdrawal by hand since."""
    settled = sa.select(sa.func.max(t.event.c.id)).where(
        t.event.c.ref == study_instance_uid, t.event.c.kind == "done_by_hand"
    )
    brought = sa.select(sa.func.max(t.event.c.id)).where(
        t.event.c.ref == t.document.c.id, t.event.c.kind == "done_by_hand"
    )
    return (
        sa.select(t.document.c.identity)
        .where(t.document.c.study_instance_uid == study_instance_uid)
        .where(brought.correlate(t.document).scalar_subquery() < settled.scalar_subquery())
        .subquery()
    )


def _places(documents: Sequence[Document]) -> str:
    return " and ".join(sorted({one.destination.upper() for one in documents}))


def _document(row: sa.Row[tuple[object, ...]]) -> Document:
    return Document(
        kind=row.kind, destination=row.destination, identity=row.identity,
        content=Path(row.path).read_bytes() if row.path else b"",
        study_instance_uid=row.study_instance_uid, sop_class_uid=row.sop_class_uid,
        series_instance_uid=row.series_instance_uid,
    )  # fmt: skip
