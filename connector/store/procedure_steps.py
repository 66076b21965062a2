"""Procedure steps in the ledger: what modalities report, what archives offer, and what others order from us."""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence

import sqlalchemy as sa

from connector.core.errors import TryLater
from connector.ports import Output, ProcedureStep
from connector.store import tables as t
from connector.store.engine import for_reading
from connector.store.inbox import insert_or_ignore
from connector.store.trail import Trail

# A report whose study does not come here is kept so long: the study may be sent to us days later.
_GOING_ON = frozenset({"due", "leased"})
FORGOTTEN_SECONDS = 7 * 86400.0


class SqlProcedureSteps:
    """The book of procedure steps; see `ports.StepBook`. Every call is committed when it returns."""

    def __init__(self, engine: sa.Engine, *, trail: Trail, now: Callable[[], float] = time.time) -> None:
        self._engine = engine
        self._reading = for_reading(engine)
        self._trail = trail
        self.now = now

    def create(self, step: ProcedureStep) -> bool:
        """Write down a new step; False when its UID is known. Raises TryLater."""
        now = self.now()
        row = {
            "uid": step.uid, "kind": step.kind, "state": step.state, "study_instance_uid": step.study_instance_uid,
            "attributes": step.attributes, "awaited": "\n".join(step.awaited), "owner": step.owner,
            "created_at": now, "changed_at": now,
        }  # fmt: skip
        try:
            with self._engine.begin() as connection:
                new = insert_or_ignore(connection, t.procedure_step, row)
                if new:
                    self._tell(connection, step)
        except sa.exc.SQLAlchemyError as fault:
            raise TryLater(f"the ledger did not commit ({type(fault).__name__}): send again") from fault
        return new

    def get(self, uid: str) -> ProcedureStep | None:
        """A step, or None. Raises TryLater."""
        found = self._select(t.procedure_step.c.uid == uid)
        return found[0] if found else None

    def of_kind(self, kind: str, *, open_only: bool = False) -> Sequence[ProcedureStep]:
        """All steps of a kind, oldest first, perhaps only those that are not settled. Raises TryLater."""
        still = t.procedure_step.c.settled_at.is_(None) if open_only else sa.true()
        return self._select(t.procedure_step.c.kind == kind, still)

    def change(self, step: ProcedureStep, *, was: str, settled: bool = False) -> bool:
        """Change a step that is still in the state `was`; False when another was faster. Raises TryLater."""
        here = (t.procedure_step.c.uid == step.uid) & (t.procedure_step.c.state == was)
        try:
            with self._engine.begin() as connection:
                changed = connection.execute(
                    sa.update(t.procedure_step)
                    .where(here)
                    .values(
                        state=step.state, study_instance_uid=step.study_instance_uid, attributes=step.attributes,
                        awaited="\n".join(step.awaited), transaction_uid=step.transaction_uid, ours=step.ours,
                        reason=step.reason, changed_at=self.now(), settled_at=self.now() if settled else None,
                    )
                ).rowcount  # fmt: skip
                if changed and step.state != was:
                    self._tell(connection, step)
        except sa.exc.SQLAlchemyError as fault:
            raise TryLater(f"the ledger did not commit ({type(fault).__name__}): send again") from fault
        return changed == 1

    def _tell(self, connection: sa.Connection, step: ProcedureStep) -> None:
        detail = f"{step.state}: {step.reason}" if step.reason else step.state
        self._trail.audit(
            connection, kind=f"{step.kind}_{step.state.lower().replace(' ', '_')}"[:32],
            ref=step.study_instance_uid or step.uid, detail=detail, actor=step.owner,
        )  # fmt: skip

    def _select(self, *conditions: sa.ColumnElement[bool]) -> list[ProcedureStep]:
        order = (t.procedure_step.c.created_at, t.procedure_step.c.uid)
        try:
            with self._reading.connect() as connection:
                rows = connection.execute(sa.select(t.procedure_step).where(*conditions).order_by(*order)).all()
        except sa.exc.SQLAlchemyError as fault:
            raise TryLater(f"the ledger does not answer ({type(fault).__name__}): ask again") from fault
        return [_step(row) for row in rows]


def _step(row: sa.Row[tuple[object, ...]]) -> ProcedureStep:
    return ProcedureStep(
        uid=row.uid, kind=row.kind, state=row.state, study_instance_uid=row.study_instance_uid,
        attributes=row.attributes, awaited=tuple(filter(None, row.awaited.split("\n"))), owner=row.owner,
        transaction_uid=row.transaction_uid, ours=bool(row.ours), reason=row.reason or "",
    )  # fmt: skip


class Reports:
    """What modalities (MPPS) and archives (IAN) said of the studies that are coming in, within one transaction."""

    def __init__(self, connection: sa.Connection, now: float) -> None:
        self._connection = connection
        self._now = now
        self._by_study: dict[str, list[ProcedureStep]] = {}
        for row in connection.execute(sa.select(t.procedure_step).where(*_unsettled("receiving", now))):
            self._by_study.setdefault(row.study_instance_uid, []).append(_step(row))

    @staticmethod
    def tell_late(connection: sa.Connection, now: float, *, wait_seconds: float) -> list[tuple[str, str]]:
        """
        Tell of complete studies what was said of them since; returns study and case of each that it is news of.

        A modality may end its step after the quiet time. What it names is waited for like any image; then a result
        that stands on less says so. The study stays complete: what a rule, a person or an order decided still holds.
        """
        waited = t.procedure_step.c.changed_at <= now - wait_seconds
        late = sa.select(t.procedure_step).where(
            *_unsettled("complete", now), waited, t.procedure_step.c.state != "IN PROGRESS"
        )
        by_study: dict[str, list[ProcedureStep]] = {}
        for row in connection.execute(late).all():
            by_study.setdefault(row.study_instance_uid, []).append(_step(row))
        news = []
        for uid, steps in sorted(by_study.items()):
            here = (t.study.c.study_instance_uid == uid) & (t.study.c.state == "complete")
            study = connection.execute(
                sa.select(t.study.c.case_ref, t.study.c.told).where(here).with_for_update()
            ).one_or_none()
            if study is None:  # opened again at this very moment (PostgreSQL): it is judged with all that was said
                continue
            told = study.told.split("; ") if study.told else []
            # Two steps may say the same words of different images: each is told, and each once.
            said = Counter(_said(connection, uid, now, sa.or_(waited, t.procedure_step.c.settled_at.is_not(None))))
            if untold := list((said - Counter(told)).elements()):
                connection.execute(sa.update(t.study).where(here).values(told="; ".join([*told, *untold])))
                news.append((uid, study.case_ref))
            _settle(connection, steps, now)
        return news

    @property
    def studies(self) -> Sequence[str]:
        """Studies that something was said of."""
        return list(self._by_study)

    def say_complete(self, study_instance_uid: str) -> str:
        """
        Who says that a study is complete, when all that was told of is here; else nothing.

        A report that names no instance says nothing of what is still under way: the quiet time is waited for.
        """
        steps = self._by_study.get(study_instance_uid, [])
        ended = [step for step in steps if step.state in {"COMPLETED", "AVAILABLE"}]
        if not ended or any(step.state == "IN PROGRESS" for step in steps):
            return ""
        if not all(step.awaited for step in ended):
            return ""
        if absent(self._connection, (uid for step in steps for uid in step.awaited)):
            return ""
        return "MPPS completed" if any(step.kind == "mpps" for step in steps) else "instances available"

    def told(self, study_instance_uid: str) -> str:
        """What a reader of the result must know: images that were made and did not come, a step that was given up."""
        # Also what was told before: of two lost images, one may have come meanwhile.
        return "; ".join(_said(self._connection, study_instance_uid, self._now))

    def settle(self, study_instance_uid: str) -> None:
        """The study was judged: what was said of it is used up, but for what is still going on."""
        ended = [step for step in self._by_study.get(study_instance_uid, []) if step.state != "IN PROGRESS"]
        _settle(self._connection, ended, self._now)


def _unsettled(study_state: str, now: float) -> tuple[sa.ColumnElement[bool], ...]:
    """Reports that are not used up, of studies in a state: most that modalities report never comes here."""
    in_state = sa.select(t.study.c.study_instance_uid).where(t.study.c.state == study_state)
    return (
        t.procedure_step.c.study_instance_uid.in_(in_state), t.procedure_step.c.settled_at.is_(None), *_recent(now),
    )  # fmt: skip


def _recent(now: float) -> tuple[sa.ColumnElement[bool], ...]:
    return (
        t.procedure_step.c.kind.in_(["mpps", "ian"]),
        t.procedure_step.c.changed_at > now - FORGOTTEN_SECONDS,
    )


def _said(
    connection: sa.Connection, study_instance_uid: str, now: float, *conditions: sa.ColumnElement[bool]
) -> list[str]:
    """What the steps of a study say to a reader of its result, oldest step first."""
    rows = connection.execute(
        sa.select(t.procedure_step)
        .where(t.procedure_step.c.study_instance_uid == study_instance_uid, *_recent(now), *conditions)
        .order_by(t.procedure_step.c.created_at, t.procedure_step.c.uid)
    ).all()
    return [words for row in rows for words in _words(connection, _step(row))]


def _words(connection: sa.Connection, step: ProcedureStep) -> Iterator[str]:
    missing = len(absent(connection, step.awaited))
    if missing:
        who = "the modality" if step.kind == "mpps" else "the archive"
        yield f"{missing} of the {len(step.awaited)} instances that {who} reported did not come"
    if step.state == "DISCONTINUED":
        yield f"the modality discontinued its procedure step{f' ({step.reason})' if step.reason else ''}"


def _settle(connection: sa.Connection, steps: Iterable[ProcedureStep], now: float) -> None:
    """Use up these steps, as they were read: one that ended since then has not been told."""
    read = [step.uid for step in steps]
    connection.execute(sa.update(t.procedure_step).where(t.procedure_step.c.uid.in_(read)).values(settled_at=now))


def absent(connection: sa.Connection, awaited: Iterable[str]) -> set[str]:
    """Which of these instances are not here."""
    missing = set(awaited)
    ordered = sorted(missing)
    for batch in (ordered[at : at + 500] for at in range(0, len(ordered), 500)):
        missing -= set(
            connection.execute(
                sa.select(t.instance.c.sop_instance_uid).where(t.instance.c.sop_instance_uid.in_(batch))
            ).scalars()
        )
    return missing


def outcome(connection: sa.Connection, study_instance_uid: str) -> tuple[str, Sequence[Output] | None]:
    """What became of a study's assessment: why it failed, or what the PACS has of it; neither while it goes on."""
    state = sa.select(t.study.c.state).where(t.study.c.study_instance_uid == study_instance_uid)
    at = connection.execute(state).scalar_one_or_none()
    if at == "rejected":
        return "a person marked the study as a wrong patient's", None
    assess = connection.execute(
        sa.select(t.job.c.state, t.job.c.reason).where(t.job.c.kind == "assess", t.job.c.ref == study_instance_uid)
    ).one_or_none()
    # Work that is done may have been tidied away with its row; its documents tell.
    opened_again = at in ("receiving", "incomplete")  # by what came late: being complete asks once more
    if opened_again or (assess is not None and assess.state in _GOING_ON):
        return "", None
    if assess is not None and assess.state != "done":
        return f"the assessment is {assess.state.replace('_', ' ')}: {assess.reason}", None
    newest = (
        sa.select(t.assessment.c.id)
        .where(t.assessment.c.study_instance_uid == study_instance_uid)
        .order_by(t.assessment.c.assessed_at.desc())
        .limit(1)
        .scalar_subquery()
    )
    rows = connection.execute(
        sa.select(t.document, t.job.c.state, t.job.c.reason)
        .outerjoin(t.job, (t.job.c.ref == t.document.c.id) & (t.job.c.kind == "deliver"))
        .where(t.document.c.assessment_id == newest, t.document.c.destination == "pacs")
        .order_by(t.document.c.identity)
    ).all()
    waiting = [row for row in rows if row.delivered_at is None]
    if any(row.state in _GOING_ON for row in waiting):
        return "", None
    failed = ""
    if waiting:
        failed = f"the {waiting[0].kind} was not delivered: {waiting[0].reason or waiting[0].state}"
    if at == "kept_out" and not rows:
        failed = "the study was opened again by what came late, and the routing rules keep it out"
    return failed, None if failed else [
        Output(row.sop_class_uid, row.identity, row.series_instance_uid) for row in rows
    ]
