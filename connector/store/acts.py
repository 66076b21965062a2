"""What a person decides about one study or step: once, under a name, with a reason, and safe when two act at once."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import sqlalchemy as sa

from connector.ports import COMMITMENT_ASKED
from connector.store import tables as t
from connector.store.holds import let_go
from connector.store.jobs import REPORT
from connector.store.ledger import SqlLedger
from connector.store.outbox import was_done_by_hand
from connector.store.promises import forget_promise
from connector.store.unanswered import steps_without_word
from connector.store.withdrawals import STEP, WITHDRAWING, ask_withdrawal

RELEASE, REPLAY, COMPLETE, REJECT, RESTORE = "release", "replay", "complete", "reject", "restore"
BY_HAND, KEPT = "by_hand", "kept"
# The event that each act leaves in the logbook.
EVENTS = {
    RELEASE: "identity_released",
    REPLAY: "replayed",
    BY_HAND: "done_by_hand",
    KEPT: "committed",
    COMPLETE: "completed",
    REJECT: "identity_rejected",
    RESTORE: "restored",
}
_DID = {
    "identity_released": "released it",
    "replayed": "replayed it",
    "done_by_hand": "said that it was done by hand",
    "committed": "said that the PACS keeps it",
    "completed": "completed it",
    "identity_rejected": "marked it as a wrong patient's",
    "restored": "took it back",
}
STOPPED = ("parked", "set_aside")
OUTSIDE = ("deliver", STEP, REPORT)  # what a person can do in the PACS, the EHR or at a sender instead of us
_ON_STEPS = (REPLAY, BY_HAND, KEPT)
REJECTED = "rejected"
_OTHER_FORM = "Nothing was done: this form's key was used for another decision; load the page again and send it anew"
_NO_STEP = "there is no such step or study: it may have been made by another ledger"


@dataclass(frozen=True, slots=True)
class Act:
    """
    What a person asked for.

    `ref` is a Study Instance UID, for `replay`, `by_hand` and `kept` the id of a job. `seen` is the mark of what the
    person looked at (see `mark_of`); `key` is the form's own, so that a form sent twice acts once.
    """

    kind: str
    ref: str
    by: str
    reason: str
    key: str
    seen: str = ""


@dataclass(frozen=True, slots=True)
class Done:
    """How it ended: done (now, or by the same form before), or not, with the sentence that says why not."""

    done: bool
    text: str
    case_ref: str | None = None


def mark_of(state: str, changed_at: float) -> str:
    """What changes when somebody or something else acts on a step meanwhile."""
    return f"{state}@{changed_at:.6f}"


class Acts:
    """The acts, each one transaction."""

    def __init__(self, ledger: SqlLedger, *, now: Callable[[], float] = time.time) -> None:
        self._ledger = ledger
        self._now = now

    def act(self, act: Act) -> Done:
        """Do it once. A stale or doubled request changes nothing and is told what happened instead."""
        with self._ledger.transaction() as connection:
            if connection.dialect.name == "postgresql":
                # SQLite's transactions wait for each other by themselves.
                # First by the form, whose key may come with another study or step, then by what it is about.
                for name in (f"form:{act.key}", f"act:{act.ref}"):
                    connection.execute(sa.select(sa.func.pg_advisory_xact_lock(sa.func.hashtext(name))))
            before = connection.execute(
                sa.select(t.event.c.case_ref, t.event.c.kind, t.event.c.ref).where(t.event.c.action_key == act.key)
            ).one_or_none()
            if before is not None:
                same = (before.kind, before.ref) == (EVENTS[act.kind], self._told_of(connection, act))
                return Done(same, "Done." if same else _OTHER_FORM, before.case_ref if same else None)
            return self._on_step(connection, act) if act.kind in _ON_STEPS else self._on_study(connection, act)

    @staticmethod
    def _told_of(connection: sa.Connection, act: Act) -> str | None:
        """What the logbook names for this act: the study, what the job is about, or the instance that is kept."""
        if act.kind not in _ON_STEPS:
            return act.ref
        if act.kind == KEPT:
            of_document = sa.select(t.document.c.identity).join(t.job, t.job.c.ref == t.document.c.id)
            return connection.execute(of_document.where(t.job.c.id == act.ref)).scalar_one_or_none()
        return connection.execute(sa.select(t.job.c.ref).where(t.job.c.id == act.ref)).scalar_one_or_none()

    def _on_study(self, connection: sa.Connection, act: Act) -> Done:
        study = connection.execute(
            sa.select(t.study).where(t.study.c.study_instance_uid == act.ref)
        ).one_or_none()  # fmt: skip
        if study is None:
            return Done(False, _NO_STEP)
        job = connection.execute(sa.select(t.job).where(t.job.c.kind == "assess", t.job.c.ref == act.ref)).one_or_none()
        may = {
            RELEASE: job is not None and job.state == "set_aside" and self._as_seen(act, job.state, job.changed_at),
            COMPLETE: study.state in ("receiving", "incomplete", "kept_out"),
            REJECT: study.state != REJECTED,
            RESTORE: study.state == REJECTED,
        }[act.kind]
        if not may or (study.state == REJECTED and act.kind != RESTORE):
            return Done(False, self._what_happened(connection, act.ref, study.state), study.case_ref)
        {RELEASE: self._release, COMPLETE: self._complete, REJECT: self._reject, RESTORE: self._restore}[act.kind](
            connection, act, study.case_ref
        )
        self._tell(connection, act, act.ref, study.case_ref)
        return Done(True, "Done.", study.case_ref)

    def _release(self, connection: sa.Connection, act: Act, case_ref: str) -> None:
        let_go(self._ledger, connection, case_ref)
        self._change_study(connection, act.ref, identity_released_at=self._now())
        self._ledger.ask_assessment(connection, act.ref, case_ref)

    def _complete(self, connection: sa.Connection, act: Act, _: str) -> None:
        self._ledger.complete(connection, act.ref, "a person")

    def _reject(self, connection: sa.Connection, act: Act, case_ref: str) -> None:
        """Keep the study out: nothing is assessed, nothing more is sent, and the patient is judged without it."""
        self._change_study(connection, act.ref, state=REJECTED, identity_released_at=None)
        documents = sa.select(t.document.c.id).where(t.document.c.study_instance_uid == act.ref)
        connection.execute(
            sa.update(t.job)
            .where(
                sa.or_(
                    (t.job.c.kind == "assess") & (t.job.c.ref == act.ref),
                    (t.job.c.kind == "deliver") & t.job.c.ref.in_(documents) & (t.job.c.state != "leased"),
                ),
                t.job.c.state != "done",
            )
            .values(state="done", reason="wrong patient", lease_token=None, lease_until=None, changed_at=self._now())
        )
        connection.execute(
            sa.update(t.document)
            .where(
                t.document.c.study_instance_uid == act.ref,
                t.document.c.delivered_at.is_(None),
                ~was_done_by_hand(),  # that copy is there: the withdrawal asks a person to take it back
            )
            .values(note="not sent: the study is marked as a wrong patient's")
        )
        ask_withdrawal(self._ledger, connection, act.ref, case_ref)
        self._assess_the_rest(connection, act.ref, case_ref)

    def _restore(self, connection: sa.Connection, act: Act, case_ref: str) -> None:
        """Assess the study anew: what was withdrawn of it is never sent again under its old name."""
        taking_back = sa.select(t.document.c.id).where(
            t.document.c.study_instance_uid == act.ref, t.document.c.kind.in_(WITHDRAWING)
        )
        connection.execute(
            sa.update(t.job)
            .where(
                sa.or_(
                    (t.job.c.kind == STEP) & (t.job.c.ref == act.ref),
                    (t.job.c.kind == "deliver") & t.job.c.ref.in_(taking_back),
                ),
                t.job.c.state.in_(["due", *STOPPED]),
            )
            .values(state="done", reason="no wrong patient", changed_at=self._now())
        )
        self._change_study(
            connection, act.ref, state="complete", completed_because="restored", completed_at=self._now()
        )
        self._say_in_result(connection, act.ref, "it was marked as a wrong patient's and that was taken back")
        self._ledger.ask_assessment(connection, act.ref, case_ref)

    def _assess_the_rest(self, connection: sa.Connection, rejected: str, case_ref: str) -> None:
        """What is left of the case was compared with the study that is out: judge the newest one again."""
        newest = connection.execute(
            sa.select(t.study.c.study_instance_uid)
            .where(t.study.c.case_ref == case_ref, t.study.c.state == "complete")
            .order_by(t.study.c.study_date.desc(), t.study.c.first_received_at.desc())
            .limit(1)
        ).scalar_one_or_none()
        if newest is not None:
            self._say_in_result(connection, newest, f"study {rejected} was marked as a wrong patient's and left out")
            self._ledger.ask_assessment(connection, newest, case_ref)

    def _say_in_result(self, connection: sa.Connection, study_instance_uid: str, what: str) -> None:
        """
        Have the next result of a study say what a person decided, and when.

        It is then no equal of the result before, which was withdrawn, or was none of the newest study.
        """
        here = t.study.c.study_instance_uid == study_instance_uid
        told = connection.execute(sa.select(t.study.c.told).where(here)).scalar_one()
        at = datetime.fromtimestamp(self._now(), UTC).strftime("%Y-%m-%d %H:%M:%S")
        self._change_study(connection, study_instance_uid, told="; ".join(filter(None, [told, f"{at} UTC: {what}"])))

    def _on_step(self, connection: sa.Connection, act: Act) -> Done:
        # Locked where the database can: what ends or begins the step at this moment is waited for, and not undone.
        here = sa.select(t.job).where(t.job.c.id == act.ref).with_for_update()
        job = connection.execute(here).one_or_none()
        if job is None:
            return Done(False, _NO_STEP)
        case_ref = self._case_of(connection, job.kind, job.ref)
        no_word = steps_without_word(self._now()).where(t.job.c.id == act.ref)
        lacks_word = connection.execute(no_word).first() is not None
        may = {
            REPLAY: job.state in STOPPED or lacks_word,
            BY_HAND: job.state == "parked" and job.kind in OUTSIDE,
            KEPT: lacks_word,
        }[act.kind]
        if not may or not self._as_seen(act, job.state, job.changed_at):
            return Done(False, self._what_happened(connection, job.ref, job.state), case_ref)
        again = {"state": "due", "due_at": self._now(), "queued_until": 0.0, "attempts": 0, "reason": None,
                 "asked_at": self._now()}  # fmt: skip
        ended = {"state": "done", "reason": "done by hand" if act.kind == BY_HAND else None}
        connection.execute(
            sa.update(t.job)
            .where(t.job.c.id == act.ref)
            .values({"changed_at": self._now(), **(again if act.kind == REPLAY else ended)})
        )
        if act.kind == KEPT:
            kept = sa.func.replace(t.document.c.note, COMMITMENT_ASKED, f"kept, says {act.by}")
            connection.execute(sa.update(t.document).where(t.document.c.id == job.ref).values(note=kept))
        if act.kind == BY_HAND and job.kind == "deliver":
            # It did not arrive by us, so it is not counted as delivered; the logbook says who did it, and why.
            connection.execute(
                sa.update(t.document).where(t.document.c.id == job.ref).values(note=f"done by hand, says {act.by}")
            )
        if act.kind == BY_HAND and job.kind == REPORT:
            forget_promise(connection, job.ref)
        self._tell(connection, act, self._told_of(connection, act) or job.ref, case_ref)
        return Done(True, "Done.", case_ref)

    @staticmethod
    def _case_of(connection: sa.Connection, kind: str, ref: str) -> str | None:
        of_study = sa.select(t.study.c.case_ref).where(t.study.c.study_instance_uid == ref)
        of_document = (
            sa.select(t.assessment.c.case_ref)
            .join(t.document, t.document.c.assessment_id == t.assessment.c.id)
            .where(t.document.c.id == ref)
        )
        return connection.execute(of_document if kind == "deliver" else of_study).scalar_one_or_none()

    @staticmethod
    def _as_seen(act: Act, state: str, changed_at: float) -> bool:
        return not act.seen or act.seen == mark_of(state, changed_at)

    @staticmethod
    def _what_happened(connection: sa.Connection, ref: str, state: str) -> str:
        """Who was faster, or what the state is now."""
        instance = sa.select(t.document.c.identity).where(t.document.c.id == ref)  # which the logbook names as kept
        last = connection.execute(
            sa.select(t.event.c.actor, t.event.c.kind, t.event.c.at)
            .where(
                sa.or_(t.event.c.ref == ref, t.event.c.ref.in_(instance)),
                t.event.c.actor.is_not(None),
                t.event.c.kind.in_(EVENTS.values()),
            )
            .order_by(t.event.c.id.desc())
            .limit(1)
        ).one_or_none()
        now = f"It is {state.replace('_', ' ')} now; look at it again before you act."
        if last is None:
            return f"Nothing was done: it has changed since you looked. {now}"
        did = _DID[last.kind]
        at = datetime.fromtimestamp(last.at, UTC).strftime("%Y-%m-%d %H:%M:%S")
        return f"Nothing was done: {last.actor} {did} on {at} UTC. {now}"

    @staticmethod
    def _change_study(connection: sa.Connection, study_instance_uid: str, **values: object) -> None:
        connection.execute(
            sa.update(t.study).where(t.study.c.study_instance_uid == study_instance_uid).values(**values)
        )

    def _tell(self, connection: sa.Connection, act: Act, ref: str, case_ref: str | None) -> None:
        self._ledger.tell(
            connection, kind=EVENTS[act.kind], ref=ref, case_ref=case_ref, detail=act.reason, actor=act.by,
            action_key=act.key,
        )  # fmt: skip
