"""The cards that answer the EHR's question, on a shelf since their assessment, and what clinicians did with them."""

import json
import time
from collections.abc import Callable, Collection, Sequence
from functools import cache
from hashlib import sha256
from typing import Any

import sqlalchemy as sa

from connector.ports import CardAnswer, Document, ShelvedCard
from connector.store import tables as t
from connector.store.engine import for_one_read, for_reading, read_prepared
from connector.store.inbox import insert_or_ignore
from connector.store.looks import look_again
from connector.store.trail import Trail


def shelve(
    connection: sa.Connection, assessment_id: str, case_ref: str, documents: Sequence[Document], now: float
) -> list[Document]:
    """
    Put the cards among the documents of an assessment on the shelf, and return the other documents.

    A card that was there (equal inputs again) is of today.
    """
    for document in documents:
        for about, card in json.loads(document.content).items() if document.destination == "cds" else ():
            connection.execute(sa.delete(t.card).where(t.card.c.id == card["uuid"]))
            body = json.dumps(card, ensure_ascii=False, separators=(",", ":"))
            connection.execute(
                sa.insert(t.card).values(
                    id=card["uuid"], assessment_id=assessment_id, case_ref=case_ref, about=about, made_at=now, body=body
                )
            )
    return [document for document in documents if document.destination != "cds"]


@cache
def _cards(things: int) -> sa.Select[Any]:
    """The statement for so many things asked about, made once: to build it anew would be half of an answer."""
    newer = t.card.alias()
    # An older study that is assessed again, since something of it came late, hides no newer study.
    of_day = sa.func.coalesce(t.study.c.study_date, "")
    newest = (
        sa.select(newer.c.assessment_id)
        .join(t.assessment, t.assessment.c.id == newer.c.assessment_id)
        .outerjoin(t.study, t.study.c.study_instance_uid == t.assessment.c.study_instance_uid)
        # What a person marked as a wrong patient's is shown to nobody.
        .where(newer.c.case_ref == t.card.c.case_ref, sa.func.coalesce(t.study.c.state, "") != "rejected")
        .order_by(of_day.desc(), newer.c.made_at.desc())
        .correlate(t.card)
        .limit(1)
        .scalar_subquery()
    )
    return (
        sa.select(t.card.c.case_ref, t.card.c.body)
        .join(t.patient, t.patient.c.case_ref == t.card.c.case_ref)
        .where(t.patient.c.record_reference == sa.bindparam("reference"), t.card.c.assessment_id == newest)
        .where(t.card.c.about.in_([sa.bindparam(f"about{number}") for number in range(things)]))
        .order_by(t.card.c.made_at.desc(), t.card.c.about != "plan", t.card.c.about)
    )


class CardShelf:
    """Cards by the EHR's reference of the patient, feedback, and the hint that somebody looks at a patient."""

    def __init__(self, engine: sa.Engine, *, trail: Trail | None = None, now: Callable[[], float] = time.time) -> None:
        """`trail` is where views are written down, for audit repositories too."""
        self._engine = engine
        self._trail = trail or Trail(engine, now=now)
        self._reading, self._one_read = for_reading(engine), for_one_read(engine)
        self._now = now

    def cards(self, record_reference: str, about: Collection[str]) -> Sequence[ShelvedCard]:
        """The cards about these things of the newest assessment of the patient's newest study, the plan first."""
        asked = {f"about{number}": thing for number, thing in enumerate(sorted(about))}
        with self._one_read.connect() as connection:
            rows = read_prepared(connection, _cards(len(asked)), {"reference": record_reference, **asked})
        return [ShelvedCard(case_ref, body) for case_ref, body in rows]

    def note_feedback(self, answers: Sequence[CardAnswer]) -> int:
        """Keep what was told of cards of ours, each telling once; returns how many were of ours."""
        known = 0
        with self._engine.begin() as connection:
            for answer in answers:
                card = connection.execute(
                    sa.select(t.card.c.body, t.card.c.case_ref).where(t.card.c.id == answer.card_id)
                ).one_or_none()
                if card is None:
                    continue
                known += 1
                self._note(connection, answer, card.case_ref, json.loads(card.body))
        return known

    def _note(self, connection: sa.Connection, answer: CardAnswer, case_ref: str, card: dict[str, Any]) -> None:
        labels = {one["uuid"]: one["label"] for one in card.get("suggestions", ())}
        told = json.dumps([answer.card_id, answer.outcome, answer.acted_at, *answer.suggestions, answer.reason])
        row = {
            "id": sha256(told.encode()).hexdigest(),
            "card_id": answer.card_id,
            "outcome": answer.outcome,
            "suggestions": json.dumps([labels[uuid] for uuid in answer.suggestions if uuid in labels]),
            "reason": answer.reason,
            "comment": answer.comment,
            "acted_at": answer.acted_at,
            "received_at": self._now(),
        }
        if insert_or_ignore(connection, t.feedback, row):
            connection.execute(
                sa.insert(t.event).values(
                    at=self._now(), kind=f"card_{answer.outcome}", ref=answer.card_id, case_ref=case_ref,
                    detail=answer.reason or "; ".join(json.loads(str(row["suggestions"]))) or answer.outcome,
                )
            )  # fmt: skip

    def feedback(self, limit: int = 50) -> list[dict[str, Any]]:
        """The newest feedback with the card it is about."""
        with self._reading.connect() as connection:
            rows = connection.execute(
                sa.select(t.feedback, t.card.c.about, t.card.c.case_ref)
                .join(t.card, t.card.c.id == t.feedback.c.card_id)
                .order_by(t.feedback.c.received_at.desc())
                .limit(limit)
            ).all()
        return [
            {
                "card": row.card_id, "about": row.about, "case_ref": row.case_ref, "outcome": row.outcome,
                "suggestions": json.loads(row.suggestions), "reason": row.reason, "comment": row.comment,
                "acted_at": row.acted_at,
            }
            for row in rows
        ]  # fmt: skip

    def note_views(self, views: Sequence[tuple[str, str, tuple[str, ...]]], opened: Sequence[str]) -> None:
        """
        Write down who saw cards of which cases (hook, actor, cases), in one commit.

        `opened` are the references of patients whose charts are open: their records are looked at in the next round.
        """
        with self._engine.begin() as connection:
            self._trail.viewed(
                connection, [(one, actor, f"card at {hook}") for hook, actor, case_refs in views for one in case_refs]
            )
            if opened:
                look_again(connection, t.patient.c.record_reference.in_(opened))
