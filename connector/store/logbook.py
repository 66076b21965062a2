"""The logbook as an audit trail: who did what, who saw what, and what happened to a case."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from connector.store import tables as t
from connector.store.engine import for_reading
from connector.store.trail import Trail

PAGE_ROWS = 100
# A page that refreshes itself is one look; a look after this long is another.
SEEN_AGAIN_SECONDS = 15 * 60.0
_MOST_OF_A_CASE = 200


@dataclass(frozen=True, slots=True)
class Asked:
    """Which events: everything that is empty is not asked for; `before` is an event's id."""

    kind: str = ""
    actor: str = ""
    ref: str = ""
    people_only: bool = False
    before: int | None = None


class Logbook:
    """Events, the newest first, and the one way in which a look is written down."""

    def __init__(self, engine: sa.Engine, trail: Trail, *, now: Callable[[], float] = time.time) -> None:
        self._trail = trail
        self._reading = for_reading(engine)
        self._now = now

    def note(self, kind: str, *, actor: str, ref: str, case_ref: str | None = None, detail: str = "") -> None:
        """Write down what a person did; a kind that says "failed" did not succeed."""
        self._trail.note(
            kind=kind, actor=actor, ref=ref, case_ref=case_ref, detail=detail, succeeded=not kind.endswith("_failed")
        )

    def note_look(self, kind: str, *, actor: str, ref: str, case_ref: str, detail: str = "") -> None:
        """Write down that a person looked, unless the same look was written down in the last quarter of an hour."""
        recent = sa.select(t.event.c.id).where(
            t.event.c.actor == actor, t.event.c.ref == ref, t.event.c.kind == kind,
            t.event.c.at > self._now() - SEEN_AGAIN_SECONDS,
        )  # fmt: skip
        with self._reading.connect() as connection:
            if connection.execute(recent.limit(1)).first() is not None:
                return
        self.note(kind, actor=actor, ref=ref, case_ref=case_ref, detail=detail)

    def note_looks(self, kind: str, *, actor: str, case_refs: Sequence[str]) -> None:
        """The same for a list of cases."""
        recent = sa.select(t.event.c.case_ref).where(
            t.event.c.actor == actor, t.event.c.kind == kind, t.event.c.case_ref.in_(case_refs),
            t.event.c.at > self._now() - SEEN_AGAIN_SECONDS,
        )  # fmt: skip
        with self._reading.connect() as connection:
            known = set(connection.execute(recent).scalars())
        for case_ref in dict.fromkeys(case_refs):
            if case_ref not in known:
                self.note(kind, actor=actor, ref=f"case:{case_ref}", case_ref=case_ref, detail="in the worklist")

    def events(self, asked: Asked) -> tuple[list[dict[str, Any]], int | None]:
        """One page of the logbook, and the id before which the next one begins (None: this is the last)."""
        query = sa.select(t.event)
        if asked.kind:
            query = query.where(t.event.c.kind == asked.kind)
        if asked.actor:
            query = query.where(t.event.c.actor == asked.actor)
        elif asked.people_only:
            query = query.where(t.event.c.actor.is_not(None), t.event.c.kind != "received")  # by a sender, no person
        if asked.ref:
            query = query.where(sa.or_(t.event.c.ref == asked.ref, t.event.c.case_ref == asked.ref))
        if asked.before is not None:
            query = query.where(t.event.c.id < asked.before)
        with self._reading.connect() as connection:
            rows = connection.execute(query.order_by(t.event.c.id.desc()).limit(PAGE_ROWS + 1)).all()
        shown = [dict(row._mapping) for row in rows[:PAGE_ROWS]]  # noqa: SLF001 - SQLAlchemy's public name
        return shown, shown[-1]["id"] if len(rows) > PAGE_ROWS else None

    def kinds(self) -> list[str]:
        """Every kind of event there is."""
        with self._reading.connect() as connection:
            return sorted(connection.execute(sa.select(t.event.c.kind).distinct()).scalars())

    def of_case(self, case_ref: str) -> list[dict[str, Any]]:
        """What happened to a case, to its studies and to its documents; the newest first."""
        studies = sa.select(t.study.c.study_instance_uid).where(t.study.c.case_ref == case_ref)
        documents = (
            sa.select(t.document.c.identity)
            .join(t.assessment, t.assessment.c.id == t.document.c.assessment_id)
            .where(t.assessment.c.case_ref == case_ref)
        )
        ids = documents.with_only_columns(t.document.c.id)
        of_it = sa.or_(
            t.event.c.case_ref == case_ref, t.event.c.ref.in_(studies), t.event.c.ref.in_(documents),
            t.event.c.ref.in_(ids),
        )  # fmt: skip
        with self._reading.connect() as connection:
            rows = connection.execute(
                sa.select(t.event).where(of_it).order_by(t.event.c.id.desc()).limit(_MOST_OF_A_CASE)
            ).all()
        return [dict(row._mapping) for row in rows]  # noqa: SLF001 - as above
