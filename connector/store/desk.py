"""What a person at the desk asks of the ledger: what waits and why, release this, replay that, who is followed."""

import json
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from connector.core.errors import BadCase
from connector.store import tables as t
from connector.store.acts import BY_HAND, KEPT, OUTSIDE, Act, Acts
from connector.store.cards import CardShelf
from connector.store.completeness import not_assessed, route_again
from connector.store.engine import for_reading
from connector.store.holds import let_go
from connector.store.inbox import insert_or_ignore
from connector.store.ledger import NEVER_ASSESSED, TIDIED, SqlLedger
from connector.store.looks import look_again
from connector.store.messages import MessageBook
from connector.store.unanswered import (
    ALL,
    WHAT_TO_DO,
    count_unanswered,
    list_unanswered,
    steps_of_unanswered,
)


@dataclass(frozen=True, slots=True)
class Followed:
    """A patient whose record is looked at again; `seen_until` is the high-water mark of the last look."""

    case_ref: str
    record_reference: str
    seen_until: str | None
    latest_study_instance_uid: str
    polled_at: float


class Desk:
    """The operator's view and the few things an operator may do."""

    def __init__(self, ledger: SqlLedger, *, now: Callable[[], float] = time.time) -> None:
        self._ledger = ledger
        self._engine = ledger.engine
        self._reading = for_reading(ledger.engine)
        self._now = now

    def status(self, limit: int = 50) -> dict[str, Any]:
        """Counts by state, everything that waits for a person with its reason, and the newest events."""
        with self._reading.connect() as connection:
            studies = connection.execute(sa.select(t.study.c.state, sa.func.count()).group_by(t.study.c.state)).all()
            jobs = connection.execute(
                sa.select(t.job.c.kind, t.job.c.state, sa.func.count()).group_by(t.job.c.kind, t.job.c.state)
            ).all()
            waiting = connection.execute(
                sa.select(t.job, t.document.c.kind.label("document_kind"), t.document.c.destination)
                .outerjoin(t.document, t.document.c.id == t.job.c.ref)
                .where(sa.or_(t.job.c.state.in_(["set_aside", "parked"]), t.job.c.reason.is_not(None)))
                .where(t.job.c.state != "done")
                .order_by(t.job.c.changed_at.desc())
                .limit(limit)
            ).all()
            events = connection.execute(sa.select(t.event).order_by(t.event.c.id.desc()).limit(limit)).all()
            way = _ehr_way(connection)
            subscribed = connection.execute(
                sa.select(t.note.c.value).where(t.note.c.name == "ehr_subscription")
            ).scalar_one_or_none()
            instances = connection.execute(sa.select(sa.func.count()).select_from(t.instance)).scalar_one()
            incomplete, kept_out = (
                not_assessed(connection, state, self._now(), limit) for state in ("incomplete", "kept_out")
            )
            unanswered = _unanswered(connection, self._now(), limit)
            delivered = connection.execute(
                sa.select(t.document.c.kind, sa.func.count())
                .where(t.document.c.delivered_at.is_not(None))
                .group_by(t.document.c.kind)
            ).all()
        return {
            "instances": instances,
            "studies": {row[0]: row[1] for row in studies},
            "jobs": {f"{kind}.{state}": count for kind, state, count in jobs},
            "delivered": {row[0]: row[1] for row in delivered},
            "subscription": None if subscribed is None else json.loads(subscribed),
            "ehr": way,
            "waiting": [
                {
                    "id": row.ref,
                    "kind": row.kind if row.document_kind is None else f"{row.kind} {row.document_kind}",
                    "state": row.state,
                    "reason": row.reason,
                    "attempts": row.attempts,
                    "age_seconds": round(self._now() - row.changed_at, 1),
                }
                for row in waiting
            ]
            + incomplete,
            "kept_out": kept_out,
            "unanswered": unanswered,
            "messages": MessageBook(self._ledger).waiting(limit),
            "feedback": CardShelf(self._engine).feedback(limit),
            "events": [
                {
                    "at": row.at,
                    "kind": row.kind,
                    "ref": row.ref,
                    "case_ref": row.case_ref,
                    "detail": row.detail,
                    "actor": row.actor,
                    "succeeded": bool(row.succeeded),
                }
                for row in events
            ],
        }

    def ehr_way(self) -> dict[str, Any] | None:
        """How the EHR is written, what follows from it in words (`says`) and since when; None before it was asked."""
        with self._reading.connect() as connection:
            return _ehr_way(connection)

    def documents(self, limit: int = 500) -> list[dict[str, Any]]:
        """The newest documents, delivered or not."""
        with self._reading.connect() as connection:
            rows = connection.execute(
                sa.select(t.document, t.assessment.c.case_ref, t.assessment.c.assessed_at)
                .join(t.assessment, t.assessment.c.id == t.document.c.assessment_id)
                .order_by(t.assessment.c.assessed_at.desc())
                .limit(limit)
            ).all()
        return [
            {
                "id": row.id, "kind": row.kind, "destination": row.destination, "identity": row.identity,
                "case_ref": row.case_ref, "study_instance_uid": row.study_instance_uid,
                "delivered_at": row.delivered_at, "note": row.note, "assessed_at": row.assessed_at,
            }
            for row in rows
        ]  # fmt: skip

    def audit(
        self, *, kind: str, ref: str, actor: str, detail: str = "", case_ref: str | None = None, succeeded: bool = True
    ) -> None:
        """Write down what a person did at a door: `viewed`, `signed_in`, `sign_in_failed` and their like."""
        self._ledger.trail.note(kind=kind, ref=ref, actor=actor, detail=detail, case_ref=case_ref, succeeded=succeeded)

    def route_again(self, study_instance_uid: str, *, by: str | None = None) -> int:
        """Have kept-out or incomplete studies judged by the routing rules again: one, or `all`. Raises BadCase."""
        with self._engine.begin() as connection:
            count = route_again(connection, study_instance_uid)
            if not count and study_instance_uid != "all":
                raise BadCase("UID", study_instance_uid, "is not kept out or incomplete: see `connector status`")
            self._ledger.tell(
                connection, kind="routed_again", ref=study_instance_uid, detail=f"{count} studies", actor=by
            )
        return count

    def replay(self, ref: str, *, by: str | None = None) -> int:
        """
        Make parked or set-aside jobs due again: by job id, document id, Study Instance UID, or `all`.

        A document that the PACS never answered for is stored and asked for again: by its id, or all by `unanswered`.
        """
        named, now = sa.or_(t.job.c.id == ref, t.job.c.ref == ref), self._now()
        stopped = sa.and_(t.job.c.state.in_(["parked", "set_aside"]), sa.true() if ref == "all" else named)
        unanswered = (t.job.c.state == "done") & t.job.c.id.in_(steps_of_unanswered(now))
        no_word = sa.and_(unanswered, sa.true() if ref == ALL else named)
        # Locked where the database can: what ends or begins a step at this moment is waited for, and not undone.
        chosen = sa.select(t.job.c.id, t.job.c.ref).where(sa.or_(stopped, no_word)).with_for_update(of=t.job)
        with self._engine.begin() as connection:
            rows = connection.execute(chosen).all()
            refs = [row.ref for row in rows]
            due = {
                "state": "due",
                "due_at": now,
                "queued_until": 0.0,
                "asked_at": now,
                "attempts": 0,
                "changed_at": now,
            }
            if rows:
                again = sa.update(t.job).where(t.job.c.id == sa.bindparam("job_id")).values(**due)
                connection.execute(again, [{"job_id": row.id} for row in rows])
            for each in refs:
                self._ledger.tell(
                    connection, kind="replayed", ref=each, detail="made due again by an operator", actor=by
                )
        if not refs and ref not in ("all", ALL):
            raise BadCase("ID", ref, "nothing parked or set aside has this id: `connector status` lists what waits")
        return len(refs)

    def done_by_hand(self, ref: str, *, by: str, because: str) -> int:
        """
        End parked deliveries, withdrawals and reports done elsewhere, by job or what it is of. Raises BadCase.

        Of a document that the PACS never answered for, by its id, or of all by `unanswered`, it says that it is kept.
        """
        chosen = sa.and_(
            t.job.c.state == "parked", t.job.c.kind.in_(OUTSIDE), sa.or_(t.job.c.id == ref, t.job.c.ref == ref)
        )
        named = sa.true() if ref == ALL else sa.or_(t.job.c.id == ref, t.job.c.ref == ref)
        with self._reading.connect() as connection:
            asked = [(BY_HAND, job_id) for job_id in connection.execute(sa.select(t.job.c.id).where(chosen)).scalars()]
            no_word = connection.execute(steps_of_unanswered(self._now()).where(named)).scalars()
            asked += [(KEPT, job_id) for job_id in no_word]
        acts = Acts(self._ledger, now=self._now)
        done = [acts.act(Act(kind, job_id, by, because, uuid.uuid4().hex)).done for kind, job_id in asked]
        if not any(done) and ref != ALL:
            raise BadCase(
                "ID", ref, "nothing parked that can be done elsewhere has this id: `connector status` lists what waits"
            )
        return sum(done)

    def release(self, study_instance_uid: str, *, by: str) -> None:
        """Confirm that a study set aside for its identity belongs to the patient, and assess it."""
        with self._engine.begin() as connection:
            row = connection.execute(
                sa.select(t.study.c.case_ref, t.study.c.state).where(t.study.c.study_instance_uid == study_instance_uid)
            ).one_or_none()
            if row is None:
                raise BadCase("ID", study_instance_uid, "no such study: `connector status` lists what is set aside")
            if row.state == "rejected":
                raise BadCase("ID", study_instance_uid, "is marked as a wrong patient's: take that back first")
            let_go(self._ledger, connection, row.case_ref)
            connection.execute(
                sa.update(t.study)
                .where(t.study.c.study_instance_uid == study_instance_uid)
                .values(identity_released_at=self._now())
            )
            self._ledger.tell(
                connection, kind="identity_released", ref=study_instance_uid, case_ref=row.case_ref,
                detail="identity confirmed by a person", actor=by,
            )  # fmt: skip
            self._ledger.ask_assessment(connection, study_instance_uid, row.case_ref)

    # Patients whose record is followed

    def follow(self, connection: sa.Connection, *, case_ref: str, record_reference: str) -> None:
        """Look for new Observations of this patient from now on."""
        row = {"case_ref": case_ref, "record_reference": record_reference, "seen_until": None, "polled_at": 0.0}
        if not insert_or_ignore(connection, t.patient, row):
            connection.execute(
                sa.update(t.patient).where(t.patient.c.case_ref == case_ref).values(record_reference=record_reference)
            )

    def followed(self, *, not_since: float, studied_after: float) -> list[Followed]:
        """
        Patients not looked at since then, whose newest study came after `studied_after`.

        Not those whose newest study was tidied away: what was told of it stands, and only an order has it fetched.
        """
        newest = (
            sa.select(t.study.c.study_instance_uid)
            .where(t.study.c.case_ref == t.patient.c.case_ref, t.study.c.state.not_in(NEVER_ASSESSED))
            .order_by(t.study.c.study_date.desc(), t.study.c.first_received_at.desc())
            .limit(1)
            .correlate(t.patient)
            .scalar_subquery()
        )
        recent = sa.exists().where(
            t.study.c.case_ref == t.patient.c.case_ref,
            t.study.c.last_received_at > studied_after,
            t.study.c.state.not_in(NEVER_ASSESSED),
        )
        is_here = sa.exists().where(t.study.c.study_instance_uid == newest, t.study.c.state.not_in(TIDIED))
        with self._reading.connect() as connection:
            rows = connection.execute(
                sa.select(t.patient, newest.label("newest"))
                .where(t.patient.c.polled_at <= not_since, recent, is_here)
                .order_by(t.patient.c.polled_at)
            ).all()
        return [Followed(row.case_ref, row.record_reference, row.seen_until, row.newest, row.polled_at) for row in rows]

    def look_now(self) -> None:
        """Have every followed patient's record looked at in the next round: somebody hinted at news."""
        with self._engine.begin() as connection:
            look_again(connection)

    def begin_look(self, followed: Followed) -> bool:
        """
        Take the look at a record for oneself; False when another worker has begun it, or somebody hinted at news.

        What hints from now on is not lost: the look that follows this one is due at once.
        """
        as_seen = (t.patient.c.case_ref == followed.case_ref) & (t.patient.c.polled_at == followed.polled_at)
        with self._engine.begin() as connection:
            begun = connection.execute(sa.update(t.patient).where(as_seen).values(polled_at=self._now()))
            return begun.rowcount == 1

    def put_off_look(self, followed: Followed, *, polled_at: float) -> None:
        """The record could not be read: its turn comes as if looked at then, or with the next hint at news."""
        here = t.patient.c.case_ref == followed.case_ref
        with self._engine.begin() as connection:
            connection.execute(sa.update(t.patient).where(here).values(polled_at=polled_at))

    def looked(self, followed: Followed, *, seen_until: str | None, changed: bool) -> bool:
        """
        Note a look at a record; when something changed the newest study is assessed again. Tells whether it was.

        A look that was overtaken by another of the same patient counts for nothing: its mark is the older one, and
        what the other has not seen is found from the other's mark.
        """
        with self._engine.begin() as connection:
            noted = connection.execute(
                sa.update(t.patient)
                .where(
                    t.patient.c.case_ref == followed.case_ref,
                    t.patient.c.seen_until.is_not_distinct_from(followed.seen_until),
                )
                .values(seen_until=seen_until)
            )
            if not (changed and noted.rowcount):
                return False
            self._ledger.ask_assessment(connection, followed.latest_study_instance_uid, followed.case_ref)
            return True


def _unanswered(connection: sa.Connection, now: float, limit: int) -> dict[str, Any]:
    count = count_unanswered(connection, now)
    return {
        "count": count,
        "what_to_do": WHAT_TO_DO if count else None,
        "documents": [
            {"id": row["id"], "kind": row["kind"], "identity": row["identity"], "case_ref": row["case_ref"],
             "study_instance_uid": row["study_instance_uid"], "delivered_at": row["delivered_at"]}
            for row in (list_unanswered(connection, now, limit) if count else [])
        ],
    }  # fmt: skip


def _ehr_way(connection: sa.Connection) -> dict[str, Any] | None:
    way = connection.execute(sa.select(t.note).where(t.note.c.name == "ehr_way")).one_or_none()
    return None if way is None else {**json.loads(way.value), "since": way.changed_at}
