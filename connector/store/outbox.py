"""The outbox: documents that are saved with their assessment, sent until they arrive, and kept for whoever looks."""

import time
import uuid
from collections.abc import Callable, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from connector.core.errors import Refused
from connector.durable import write_durably
from connector.ports import Document
from connector.store import tables as t
from connector.store.engine import for_reading
from connector.store.inbox import insert_or_ignore
from connector.store.jobs import Jobs, Lease


class Outbox:
    """Documents and their deliveries; the ledger saves them with what they belong to."""

    def __init__(self, engine: sa.Engine, jobs: Jobs, *, folder: Path, now: Callable[[], float] = time.time) -> None:
        self._reading = for_reading(engine)
        self._jobs = jobs
        self._folder = folder
        self._now = now

    def send(
        self,
        connection: sa.Connection,
        assessment_id: str,
        case_ref: str,
        documents: Sequence[Document],
        *,
        caused_at: float | None = None,
        traceparent: str | None = None,
    ) -> Sequence[str]:
        """Save documents and ask for each delivery; returns the jobs' ids."""
        # Behind every delivery that is still to come; rows of done work may have been tidied away.
        position = connection.execute(sa.select(sa.func.coalesce(sa.func.max(t.job.c.position), 0))).scalar_one() + 1
        identities = [self._enter(connection, assessment_id, document) for document in documents]
        return [
            # An EHR gets one patient's plans one at a time and in order; objects for a PACS need no order.
            self._jobs.ask(
                connection, kind="deliver", ref=document_id, position=position,
                serial=f"ehr:{case_ref}" if document.destination == "ehr" else f"pacs:{document_id}",
                caused_at=caused_at, traceparent=traceparent,
            )
            for document, document_id in zip(documents, identities, strict=True)
            if document_id
        ]  # fmt: skip

    def _enter(self, connection: sa.Connection, assessment_id: str, document: Document) -> str | None:
        """
        Put a document into the outbox; None when one of equal identity, and so of equal content, has arrived or will.

        One that was held back as a wrong patient's, before the mark was taken back, never arrived: it is sent now.
        An EHR may hold what came after it (a correction that was taken back): it gets the document again, as of now,
        unless a person brought it there and nothing of the study came after.
        """
        path = self._folder / sha256(document.content).hexdigest()
        write_durably(path, document.content)
        document_id = str(uuid.uuid4())
        row = {
            "id": document_id,
            "assessment_id": assessment_id,
            "kind": document.kind,
            "destination": document.destination,
            "identity": document.identity,
            "sop_class_uid": document.sop_class_uid,
            "series_instance_uid": document.series_instance_uid,
            "study_instance_uid": document.study_instance_uid,
            "path": str(path),
        }
        if insert_or_ignore(connection, t.document, row):
            return document_id
        here = (t.document.c.destination == document.destination) & (t.document.c.identity == document.identity)
        # It is the newest assessment's from now on, sent again or not: what an order ends with names it too.
        now_of: dict[str, Any] = {"assessment_id": assessment_id, "path": str(path)}
        is_of_now = document.destination == "ehr" or document.kind == "rejection" or _is_held_back(connection, here)
        if not is_of_now or _stands_by_hand(connection, here):
            connection.execute(sa.update(t.document).where(here).values(now_of))
            return None
        connection.execute(sa.update(t.document).where(here).values(note=None, **now_of))
        return str(connection.execute(sa.select(t.document.c.id).where(here)).scalar_one())

    def document(self, document_id: str) -> Document | None:
        """Get a document with its content. Raises Refused when the content was tidied away."""
        with self._reading.connect() as connection:
            row = connection.execute(sa.select(t.document).where(t.document.c.id == document_id)).one_or_none()
        if row is None:
            return None
        if not row.path:
            raise Refused("its content was tidied away after it was delivered: have the PACS send the study again")
        return Document(
            kind=row.kind,
            destination=row.destination,
            identity=row.identity,
            content=Path(row.path).read_bytes(),
            study_instance_uid=row.study_instance_uid,
            sop_class_uid=row.sop_class_uid,
            series_instance_uid=row.series_instance_uid,
        )

    def is_superseded(self, document_id: str) -> bool:
        """Whether a later assessment of the study has a document for the same place: the EHR keeps one, the newest."""
        older, newer = t.document.alias(), t.document.alias()
        made, remade = t.assessment.alias(), t.assessment.alias()
        later = (
            sa.select(newer.c.id)
            .join(remade, remade.c.id == newer.c.assessment_id)
            .join(older, (older.c.id == document_id) & (older.c.study_instance_uid == newer.c.study_instance_uid))
            .join(made, made.c.id == older.c.assessment_id)
            .where(newer.c.destination == older.c.destination, newer.c.kind == older.c.kind)
            .where(remade.c.assessed_at > made.c.assessed_at)
        )
        with self._reading.connect() as connection:
            return connection.execute(later.limit(1)).first() is not None

    def delivered(self, connection: sa.Connection, lease: Lease, note: str) -> None:
        """Note that a document arrived and finish its job."""
        connection.execute(
            sa.update(t.document)
            .where(t.document.c.id == lease.ref)
            .values(
                delivered_at=self._now(),
                note=note or None,
                # A second delivery, because the PACS had lost it, does not tell how long the first one took.
                took_seconds=sa.func.coalesce(
                    t.document.c.took_seconds, self._now() - (lease.caused_at or lease.asked_at)
                ),
            )
        )
        self._jobs.done(connection, lease)

    def withhold(
        self, connection: sa.Connection, lease: Lease, why: str = "the study is marked as a wrong patient's"
    ) -> None:
        """Finish a delivery without sending: the study turned out to be a wrong patient's, or is none any more."""
        # What arrived before, by us or by a person's hand, keeps saying so.
        never_came = (t.document.c.id == lease.ref) & t.document.c.delivered_at.is_(None) & ~was_done_by_hand()
        connection.execute(sa.update(t.document).where(never_came).values(note=f"not sent: {why}"))
        self._jobs.done(connection, lease)


_BY_HAND = (t.event.c.ref == t.document.c.id, t.event.c.kind == "done_by_hand")


def was_done_by_hand() -> sa.ColumnElement[bool]:
    """
    Whether a person brought the document to the PACS or the EHR instead of us.

    By the logbook: a note is of the last that was done, and a job of the last that was asked.
    """
    return sa.exists().where(*_BY_HAND).correlate(t.document)


def _stands_by_hand(connection: sa.Connection, here: sa.ColumnElement[bool]) -> bool:
    """Whether a person brought the document there, and nothing else of the study arrived, or may have, since."""
    other = t.document.alias()
    tried = sa.exists().where(
        t.job.c.kind == "deliver", t.job.c.ref == other.c.id, t.job.c.attempts > 0, t.job.c.changed_at > t.event.c.at
    )
    since = sa.exists().where(
        other.c.id != t.document.c.id,
        other.c.study_instance_uid == t.document.c.study_instance_uid,
        other.c.destination == t.document.c.destination,
        sa.or_(other.c.delivered_at > t.event.c.at, tried.correlate(other, t.event)),
    )
    by_hand = sa.exists().where(*_BY_HAND, ~since.correlate(t.document, t.event)).correlate(t.document)
    return connection.execute(sa.select(t.document.c.id).where(here, by_hand)).first() is not None


def _is_held_back(connection: sa.Connection, here: sa.ColumnElement[bool]) -> bool:
    """Whether the document never arrived, by us or by a person's hand, though its delivery is done with."""
    done = sa.exists().where(t.job.c.kind == "deliver", t.job.c.ref == t.document.c.id, t.job.c.state == "done")
    held_back = sa.select(t.document.c.id).where(here, t.document.c.delivered_at.is_(None), done, ~was_done_by_hand())
    return connection.execute(held_back).first() is not None
