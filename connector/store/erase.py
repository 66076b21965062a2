"""Erases one case on a person's order: every file and row of it, with who ordered it and why left in the logbook."""

import json
import re
import time
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from connector.core.errors import BadCase, TryLater
from connector.durable import sync_folder, write_durably
from connector.store import tables as t
from connector.store.engine import for_reading
from connector.store.tidy import files_of_messages, forget_case, jobs_of
from connector.store.trail import Trail

KEPT_ASIDE = re.compile(r"kept aside at (.+?): ask ")


class Eraser:
    """
    Erases cases; what is to be unlinked is written down first, so that a crash leaves no file of the patient behind.

    What was delivered stays in the PACS and the EHR, whose own people erase it there: the answer names it.
    """

    def __init__(self, engine: sa.Engine, trail: Trail, *, folder: Path, now: Callable[[], float] = time.time) -> None:
        self._engine = engine
        self._reading = for_reading(engine)
        self._trail = trail
        self._folder = folder
        self._now = now

    def case_of(self, ref: str) -> str:
        """The case of this reference or Study Instance UID. Raises BadCase when there is none."""
        with self._reading.connect() as connection:
            return _case_ref(connection, ref)

    def erase(self, ref: str, *, because: str, by: str) -> dict[str, Any]:
        """
        Erase the case of this reference or Study Instance UID.

        Raises BadCase when there is none, TryLater while a worker is busy with it.
        """
        self.resume()
        order = str(uuid.uuid4())
        with self._engine.begin() as connection:
            case_ref = _case_ref(connection, ref)
            busy = sa.select(sa.literal(1)).where(
                jobs_of(case_ref), t.job.c.state == "leased", t.job.c.lease_until >= self._now()
            )
            if connection.execute(busy.limit(1)).first() is not None:
                raise TryLater("a worker is busy with this case: try again in a minute")
            uids = _uids(connection, case_ref)
            files, delivered = self._files(connection, case_ref, uids), _delivered(connection, case_ref)
            write_durably(self._list(order), json.dumps(files).encode())
            forget_case(connection, case_ref)
            connection.execute(
                sa.update(t.event)
                .where(sa.or_(t.event.c.case_ref == case_ref, t.event.c.ref.in_(uids)))
                .values(ref="erased", detail="")
            )
            self._trail.audit(
                connection, kind="erased", ref=order, case_ref=case_ref, actor=by, detail=because,
            )  # fmt: skip
        self.resume()
        return {"erased": case_ref, "files": len(files), "still_delivered": delivered}

    def resume(self) -> None:
        """Unlink what an order carried out in the ledger still has on disk; drop the lists of those that were not."""
        for path in sorted(self._folder.glob("erasing-*.json")):
            order = path.stem.removeprefix("erasing-")
            with self._reading.connect() as connection:
                known = sa.select(t.event.c.id).where(t.event.c.kind == "erased", t.event.c.ref == order)
                done = connection.execute(known.limit(1)).first() is not None
            if done:
                _unlink(json.loads(path.read_bytes()))
            path.unlink()
            sync_folder(self._folder)

    def _list(self, order: str) -> Path:
        return self._folder / f"erasing-{order}.json"

    @staticmethod
    def _files(connection: sa.Connection, case_ref: str, uids: Sequence[str]) -> list[str]:
        studies = sa.select(t.study.c.study_instance_uid).where(t.study.c.case_ref == case_ref)
        instances = connection.execute(
            sa.select(t.instance.c.path).where(t.instance.c.study_instance_uid.in_(studies))
        ).scalars()
        made = sa.select(t.assessment.c.id).where(t.assessment.c.case_ref == case_ref)
        documents = connection.execute(
            sa.select(t.document.c.path).where(t.document.c.assessment_id.in_(made), t.document.c.path != "")
        ).scalars()
        conflicts = connection.execute(
            sa.select(t.event.c.detail).where(
                t.event.c.kind == "instance_conflict", sa.or_(t.event.c.case_ref == case_ref, t.event.c.ref.in_(uids))
            )
        ).scalars()
        aside = [found[1] for detail in conflicts if (found := KEPT_ASIDE.search(detail))]
        return sorted({*instances, *documents, *aside, *files_of_messages(connection, case_ref)})


def _unlink(names: Sequence[str]) -> None:
    for name in names:
        Path(name).unlink(missing_ok=True)


def _case_ref(connection: sa.Connection, ref: str) -> str:
    case_ref: str | None = connection.execute(
        sa.select(t.study.c.case_ref)
        .where(sa.or_(t.study.c.case_ref == ref, t.study.c.study_instance_uid == ref))
        .limit(1)
    ).scalar_one_or_none()
    if case_ref is None:
        raise BadCase("ID", ref, "no such case or study: `connector status` shows the references of cases")
    return case_ref


def _uids(connection: sa.Connection, case_ref: str) -> list[str]:
    """Everything that names the case in events."""
    studies = connection.execute(
        sa.select(t.study.c.study_instance_uid).where(t.study.c.case_ref == case_ref)
    ).scalars().all()  # fmt: skip
    instances = connection.execute(
        sa.select(t.instance.c.sop_instance_uid).where(t.instance.c.study_instance_uid.in_(studies))
    ).scalars()
    documents = connection.execute(
        sa.select(t.document.c.id, t.document.c.identity)
        .join(t.assessment, t.assessment.c.id == t.document.c.assessment_id)
        .where(t.assessment.c.case_ref == case_ref)
    ).all()
    records = connection.execute(
        sa.select(t.patient.c.record_reference).where(t.patient.c.case_ref == case_ref)
    ).scalars()
    return [*studies, *instances, *(each for row in documents for each in row), *records]


def _delivered(connection: sa.Connection, case_ref: str) -> list[dict[str, str]]:
    rows = connection.execute(
        sa.select(t.document.c.kind, t.document.c.destination, t.document.c.identity)
        .join(t.assessment, t.assessment.c.id == t.document.c.assessment_id)
        .where(t.assessment.c.case_ref == case_ref, t.document.c.delivered_at.is_not(None))
        .order_by(t.document.c.destination, t.document.c.kind, t.document.c.identity)
    ).all()
    return [{"kind": row.kind, "destination": row.destination, "identity": row.identity} for row in rows]
