"""Documents of which the PACS never said whether it keeps them: kept here for good, until a person looks after them."""

import time
from collections.abc import Callable
from typing import Any

import sqlalchemy as sa

from connector.ports import COMMITMENT_ASKED
from connector.store import tables as t
from connector.store.commitments import OLDEST_SECONDS, waits_for_word
from connector.store.engine import for_reading

ALL = "unanswered"  # what `replay` and `settle` take for every one of them
WHAT_TO_DO = (
    "the PACS took these documents more than seven days ago and never said whether it keeps them; they are not asked"
    " for again by themselves, and not tidied away. See that its storage commitment results reach our listener, then"
    f" `connector replay {ALL}` (or one id) stores them again and asks; or look that the PACS has them, then"
    f' `connector settle {ALL} --because "…"`; where it never reports, set CONNECTOR_PACS_STORAGE_COMMITMENT=false too'
)


_OF_ONE = (t.job.c.kind == "deliver") & (t.job.c.ref == t.document.c.id)
_STEPS = sa.select(t.job.c.id).join(t.document, _OF_ONE).correlate(None)


def is_unanswered(now: float) -> sa.ColumnElement[bool]:
    """Whether a document is so: too old to be asked for again, and no step of it is under way or with a person."""
    step = t.job.alias()
    under_way = sa.exists().where(step.c.kind == "deliver", step.c.ref == t.document.c.id, step.c.state != "done")
    kept = sa.exists().where(t.event.c.ref == t.document.c.identity, t.event.c.kind == "committed")
    return sa.and_(
        t.document.c.destination == "pacs",
        t.document.c.note.contains(COMMITMENT_ASKED),
        t.document.c.delivered_at < now - OLDEST_SECONDS,
        ~under_way.correlate(t.document),
        ~kept.correlate(t.document),
    )


def steps_of_unanswered(now: float) -> sa.Select[tuple[str]]:
    """The ids of their deliveries, all done."""
    return _STEPS.where(is_unanswered(now))


def steps_without_word(now: float) -> sa.Select[tuple[str]]:
    """The same, and of documents that a person was asked about because the PACS said nothing three times."""
    return _STEPS.where(sa.or_(is_unanswered(now), waits_for_word()))


def count_unanswered(connection: sa.Connection, now: float) -> int:
    """How many there are."""
    count = sa.select(sa.func.count()).select_from(t.document).where(is_unanswered(now))
    number: int = connection.execute(count).scalar_one()
    return number


def list_unanswered(connection: sa.Connection, now: float, limit: int) -> list[dict[str, Any]]:
    """The oldest of them, with the step and the case of each."""
    rows = connection.execute(
        sa.select(
            t.document.c.id, t.document.c.kind, t.document.c.identity, t.document.c.study_instance_uid,
            t.document.c.delivered_at, t.assessment.c.case_ref, t.job.c.id.label("job_id"), t.job.c.changed_at,
        )
        .join(t.assessment, t.assessment.c.id == t.document.c.assessment_id)
        .join(t.job, _OF_ONE)
        .where(is_unanswered(now))
        .order_by(t.document.c.delivered_at, t.document.c.id)
        .limit(limit)
    ).all()  # fmt: skip
    return [dict(row._mapping) for row in rows]  # noqa: SLF001 - SQLAlchemy's public name


class Unanswered:
    """Reads them for a page."""

    def __init__(self, engine: sa.Engine, *, now: Callable[[], float] = time.time) -> None:
        self._reading = for_reading(engine)
        self._now = now

    def look(self, limit: int = 100) -> tuple[int, list[dict[str, Any]]]:
        """How many there are, and the oldest."""
        with self._reading.connect() as connection:
            now = self._now()
            return count_unanswered(connection, now), list_unanswered(connection, now, limit)
