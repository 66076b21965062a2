"""Takes away what is done and old, a whole case at a time: never what waits, is in conflict or still used."""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from connector.ports import COMMITMENT_ASKED
from connector.store import contradicting
from connector.store import tables as t
from connector.store.engine import for_reading
from connector.store.leftovers import DAY_SECONDS, tidy_orphans, tidy_reports, tidy_unrecorded
from connector.store.promises import forget_promises_of
from connector.store.trail import Trail

_TIDIED = ("tidying", "tidied")


@dataclass(frozen=True, slots=True)
class Policy:
    """Days after the last work on a case; 0 keeps for good. `follow_days`: so long news of the record may need it."""

    instances_days: float = 0
    documents_days: float = 0
    rows_days: float = 0
    events_days: float = 0
    follow_days: float = 0

    @property
    def asks_for_something(self) -> bool:
        """Whether anything is ever taken away."""
        return any((self.instances_days, self.documents_days, self.rows_days, self.events_days))


@dataclass(slots=True)
class Tidied:
    """What was, or in a dry run would be, taken away; and why other cases stay."""

    cases: int = 0
    instances: int = 0
    documents: int = 0
    cases_forgotten: int = 0
    events: int = 0
    reports: int = 0  # procedure steps of studies that are not here
    orphans: int = 0  # files of documents and instances whose transaction never ended
    kept: Counter[str] = field(default_factory=Counter)

    def shown(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "cases": self.cases, "instances": self.instances, "documents": self.documents,
            "cases_forgotten": self.cases_forgotten, "events": self.events, "reports": self.reports,
            "orphans": self.orphans, "kept": dict(sorted(self.kept.items())),
        }  # fmt: skip


class Tidy:
    """
    Removes in three strokes, so that a crash between two of them loses nothing and leaves nothing.

    First the studies of a case are marked: from then on their files are not used. Then the files go. Then their rows
    go, and the studies are `tidied`. The next run takes up whatever is marked.
    """

    def __init__(
        self,
        engine: sa.Engine,
        trail: Trail,
        policy: Policy,
        *,
        outbox: Path | None = None,
        inbox: Path | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._engine = engine
        self._reading = for_reading(engine)
        self._trail = trail
        self._policy = policy
        self._outbox = outbox
        self._inbox = inbox
        self._now = now

    def run(self, *, dry_run: bool = False, pause: Callable[[float], None] = time.sleep) -> Tidied:
        """Tidy once; `pause` waits so many seconds before files that no row names are looked for a second time."""
        found = Tidied()
        if not dry_run:
            for case_ref in self._marked():
                self._remove_marked(case_ref, found)
        for case_ref in self._cases():
            try:
                self._tidy(case_ref, found, dry_run=dry_run)
            except _Reopened:
                found.kept["a study is being received"] += 1
        if self._policy.events_days:
            self._tidy_events(found, dry_run=dry_run)
        with self._engine.begin() as connection:
            found.reports = tidy_reports(connection, self._now(), orders_days=self._policy.rows_days, dry_run=dry_run)
        if self._outbox is not None:
            found.orphans = tidy_orphans(self._reading, self._outbox, self._now(), dry_run=dry_run, pause=pause)
        if self._inbox is not None:
            gone, unknown = tidy_unrecorded(self._reading, self._inbox, self._now(), dry_run=dry_run, pause=pause)
            found.orphans += gone
            if unknown:
                found.kept["the ledger does not know this received file: is it this data folder's?"] = unknown
        return found

    def _cases(self) -> Sequence[str]:
        with self._reading.connect() as connection:
            return connection.execute(
                sa.select(t.study.c.case_ref).group_by(t.study.c.case_ref).order_by(t.study.c.case_ref)
            ).scalars().all()  # fmt: skip

    def _marked(self) -> Sequence[str]:
        with self._reading.connect() as connection:
            return connection.execute(
                sa.select(t.study.c.case_ref).where(t.study.c.state == "tidying").distinct()
            ).scalars().all()  # fmt: skip

    def _tidy(self, case_ref: str, found: Tidied, *, dry_run: bool) -> None:
        with self._engine.begin() as connection:
            idle_days = (self._now() - last_work(connection, case_ref)) / DAY_SECONDS
            due = {
                name: bool(days) and idle_days >= days
                for name, days in (
                    ("instances", self._policy.instances_days), ("documents", self._policy.documents_days),
                    ("rows", self._policy.rows_days),
                )
            }  # fmt: skip
            if not any(due.values()):
                return
            reason = why_open(connection, case_ref) or self._followed(connection, case_ref)
            if reason:
                found.kept[reason] += 1
                return
            instances = _instances(connection, case_ref) if due["instances"] else []
            documents = _document_files(connection, case_ref) if due["documents"] else []
            if instances or documents:
                found.cases += 1
            found.documents += len(documents)
            if dry_run:
                found.instances += len(instances)
                found.cases_forgotten += bool(due["rows"] and not _holds_files(connection, case_ref))
                return
            if instances:
                _mark(connection, case_ref)
        self._remove_documents(documents)
        if instances:  # else the site keeps what was received, a wrong patient's study too
            self._remove_marked(case_ref, found)
        if instances or documents:
            self._trail.note(
                kind="tidied", ref=case_ref, case_ref=case_ref,
                detail=f"{len(instances)} received files, {len(documents)} delivered documents",
            )  # fmt: skip
        if due["rows"]:
            self._forget(case_ref, found)

    def _followed(self, connection: sa.Connection, case_ref: str) -> str:
        newest = sa.select(sa.func.max(t.study.c.last_received_at)).where(t.study.c.case_ref == case_ref)
        came_at = connection.execute(newest).scalar_one() or 0.0
        if self._policy.follow_days and self._now() - came_at < self._policy.follow_days * DAY_SECONDS:
            return "its record is still followed"
        return ""

    def _remove_documents(self, documents: Sequence[tuple[str, str]]) -> None:
        for document_id, path in documents:
            Path(path).unlink(missing_ok=True)
            with self._engine.begin() as connection:
                connection.execute(sa.update(t.document).where(t.document.c.id == document_id).values(path=""))

    def _remove_marked(self, case_ref: str, found: Tidied) -> None:
        """The second and third stroke."""
        with self._reading.connect() as connection:
            instances = _instances(connection, case_ref, states=("tidying", "rejected"))
        for _, path in instances:
            Path(path).unlink(missing_ok=True)
        with self._engine.begin() as connection:
            for sop_instance_uid, path in instances:
                # One that came in anew meanwhile has another path and stays.
                connection.execute(
                    sa.delete(t.instance).where(
                        t.instance.c.sop_instance_uid == sop_instance_uid, t.instance.c.path == path
                    )
                )
            # Of a wrong patient's study nothing that names anybody stays once its images went.
            contradicting.forget(connection, connection.execute(_studies(case_ref)).scalars().all())
            connection.execute(
                sa.update(t.study)
                .where(t.study.c.case_ref == case_ref, t.study.c.state == "tidying")
                .values(state="tidied")
            )
        found.instances += len(instances)

    def _forget(self, case_ref: str, found: Tidied) -> None:
        with self._engine.begin() as connection:
            if why_open(connection, case_ref) or _holds_files(connection, case_ref):
                return
            messages = files_of_messages(connection, case_ref)
            forget_case(connection, case_ref)
            found.cases_forgotten += 1
        for path in messages:
            Path(path).unlink(missing_ok=True)

    def _tidy_events(self, found: Tidied, *, dry_run: bool) -> None:
        known = sa.exists().where(t.study.c.case_ref == t.event.c.case_ref)
        old = sa.and_(
            t.event.c.at < self._now() - self._policy.events_days * DAY_SECONDS,
            t.event.c.forward_to.is_(None),
            sa.not_(sa.and_(t.event.c.kind.in_(["instance_conflict", "done_by_hand"]), known)),
        )
        with self._engine.begin() as connection:
            found.events = connection.execute(sa.select(sa.func.count()).select_from(t.event).where(old)).scalar_one()
            if not dry_run:
                connection.execute(sa.delete(t.event).where(old))


def _assessments(case_ref: str) -> sa.Select[tuple[Any]]:
    return sa.select(t.assessment.c.id).where(t.assessment.c.case_ref == case_ref)


def _studies(case_ref: str) -> sa.Select[tuple[Any]]:
    return sa.select(t.study.c.study_instance_uid).where(t.study.c.case_ref == case_ref)


def _documents(case_ref: str) -> sa.Select[tuple[Any]]:
    return sa.select(t.document.c.id).where(t.document.c.assessment_id.in_(_assessments(case_ref)))


def jobs_of(case_ref: str) -> sa.ColumnElement[bool]:
    """The steps of a case: of its studies and of its documents."""
    return sa.or_(t.job.c.ref.in_(_studies(case_ref)), t.job.c.ref.in_(_documents(case_ref)))


def last_work(connection: sa.Connection, case_ref: str) -> float:
    """When something was last done on a case."""
    study = sa.select(sa.func.max(t.study.c.last_received_at), sa.func.max(t.study.c.completed_at))
    job = sa.select(sa.func.max(t.job.c.changed_at)).where(jobs_of(case_ref))
    times = [*connection.execute(study.where(t.study.c.case_ref == case_ref)).one(),
             connection.execute(job).scalar_one()]  # fmt: skip
    return max((at for at in times if at is not None), default=0.0)


def why_open(connection: sa.Connection, case_ref: str) -> str:
    """Why nothing of a case may be taken away; empty when it may."""
    here = t.document.c.assessment_id.in_(_assessments(case_ref))
    step = sa.exists().where(t.job.c.ref == t.document.c.id)
    committed = sa.exists().where(t.event.c.ref == t.document.c.identity, t.event.c.kind == "committed")
    asked = sa.and_(t.document.c.destination == "pacs", t.document.c.note.contains(COMMITMENT_ASKED))
    reasons: tuple[tuple[str, sa.ColumnElement[bool]], ...] = (
        ("a study is being received", sa.and_(t.study.c.case_ref == case_ref, t.study.c.state == "receiving")),
        ("a study lacks a series", sa.and_(t.study.c.case_ref == case_ref, t.study.c.state == "incomplete")),
        ("a step waits for a person", sa.and_(jobs_of(case_ref), t.job.c.state.in_(["set_aside", "parked"]))),
        ("a step is not done", sa.and_(jobs_of(case_ref), t.job.c.state != "done")),
        ("a document is not delivered", sa.and_(here, t.document.c.delivered_at.is_(None), ~step)),
        ("the PACS has not committed to keep a document", sa.and_(here, asked, ~committed)),
        (
            "an ordered assessment is not done",
            sa.and_(
                t.procedure_step.c.study_instance_uid.in_(_studies(case_ref)),
                t.procedure_step.c.kind == "ups",
                t.procedure_step.c.settled_at.is_(None),
            ),
        ),
        (
            "an instance is in conflict",
            sa.and_(t.event.c.case_ref == case_ref, t.event.c.kind == "instance_conflict"),
        ),
    )
    for reason, some in reasons:
        if connection.execute(sa.select(sa.literal(1)).where(some).limit(1)).first() is not None:
            return reason
    return ""


def _instances(
    connection: sa.Connection,
    case_ref: str,
    states: Sequence[str] = ("complete", "prior", "kept_out", "tidying", "rejected"),
) -> list[tuple[str, str]]:
    rows = connection.execute(
        sa.select(t.instance.c.sop_instance_uid, t.instance.c.path)
        .join(t.study, t.study.c.study_instance_uid == t.instance.c.study_instance_uid)
        .where(t.study.c.case_ref == case_ref, t.study.c.state.in_(states))
    ).all()
    return [(row.sop_instance_uid, row.path) for row in rows]


def _document_files(connection: sa.Connection, case_ref: str) -> list[tuple[str, str]]:
    rows = connection.execute(
        sa.select(t.document.c.id, t.document.c.path).where(
            t.document.c.assessment_id.in_(_assessments(case_ref)), t.document.c.path != ""
        )
    ).all()
    return [(row.id, row.path) for row in rows]


def _holds_files(connection: sa.Connection, case_ref: str) -> bool:
    """Whether a file is left, or a person's word that a study is a wrong patient's: then its rows stay too."""
    untidied = sa.select(sa.literal(1)).where(t.study.c.case_ref == case_ref, t.study.c.state != "tidied")
    files = _instances(
        connection, case_ref, ("complete", "prior", "kept_out", "incomplete", "receiving", *_TIDIED, "rejected")
    )
    return bool(files or _document_files(connection, case_ref) or connection.execute(untidied.limit(1)).first())


class _Reopened(Exception):
    """An instance came in while the case was being marked: nothing of the transaction stays."""


def _mark(connection: sa.Connection, case_ref: str) -> None:
    """The first stroke. Raises _Reopened."""
    here = t.study.c.case_ref == case_ref
    connection.execute(
        sa.update(t.study).where(here, t.study.c.state.in_(["complete", "prior", "kept_out"])).values(state="tidying")
    )
    opened = sa.select(sa.literal(1)).where(here, t.study.c.state == "receiving")
    if connection.execute(opened.limit(1)).first() is not None:
        raise _Reopened


def files_of_messages(connection: sa.Connection, case_ref: str) -> list[str]:
    """Files of the HL7 v2 messages of a case that were set aside."""
    of_case = sa.select(t.message.c.path).where(t.message.c.case_ref == case_ref, t.message.c.path.is_not(None))
    return [path for path in connection.execute(of_case).scalars() if path]


def forget_case(connection: sa.Connection, case_ref: str) -> None:
    """Delete every row of a case but its events."""
    contradicting.forget(connection, connection.execute(_studies(case_ref)).scalars().all())
    forget_promises_of(connection, case_ref)
    for deletion in _deletions(case_ref):
        connection.execute(deletion)


def _deletions(case_ref: str) -> Iterator[sa.Delete]:
    studies = _studies(case_ref)
    yield sa.delete(t.job).where(jobs_of(case_ref))
    yield sa.delete(t.document).where(t.document.c.assessment_id.in_(_assessments(case_ref)))
    yield sa.delete(t.instance).where(t.instance.c.study_instance_uid.in_(studies))
    for table in (t.association_study, t.series, t.procedure_step):
        yield sa.delete(table).where(table.c.study_instance_uid.in_(studies))
    cards = sa.select(t.card.c.id).where(t.card.c.case_ref == case_ref)
    yield sa.delete(t.feedback).where(t.feedback.c.card_id.in_(cards))
    # What other rooms keep by case goes with it; cards before the assessments that they name.
    for table in (t.card, t.assessment, t.patient, t.served, t.result, t.message, t.study):
        yield sa.delete(table).where(table.c.case_ref == case_ref)
