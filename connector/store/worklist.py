"""What the console shows of the ledger: studies and cases a page at a time, one case whole, and stopped steps."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from connector.store import tables as t
from connector.store.commitments import waits_for_word
from connector.store.engine import for_reading

PAGE_ROWS = 50
# One state a study, the most pressing first; groups are what a person filters by.
STATES = (
    "set_aside", "failed", "undelivered", "incomplete", "receiving", "assessing", "delivering", "done", "prior",
    "kept_out", "wrong_patient",
)  # fmt: skip
GROUPS = {
    "needs_person": ("set_aside", "failed", "undelivered", "incomplete"),
    "working": ("receiving", "assessing", "delivering"),
    "done": ("done",),
    "wrong_patient": ("wrong_patient",),
    "prior": ("prior",),
    "kept_out": ("kept_out",),
}
ORDERS = ("newest", "oldest", "case")
_COUNTS_HOLD_SECONDS = 2.0
_LAST_CHARACTER = "\U0010ffff"

_assess = t.job.alias("assess_job")


def _delivery(condition: sa.ColumnElement[bool]) -> sa.ColumnElement[bool]:
    """Whether a delivery of the study is so; nested, so that every database goes from the study's few documents."""
    step = sa.exists().where(t.job.c.kind == "deliver", t.job.c.ref == t.document.c.id, condition)
    return sa.exists().where(
        t.document.c.study_instance_uid == t.study.c.study_instance_uid, step.correlate(t.document)
    )


_STOPPED = ("parked", "set_aside")
# Of a wrong patient's study only what takes its documents back is still sent: until then they stand where they are.
_WITHDRAWAL = sa.exists().where(
    t.job.c.kind == "withdraw", t.job.c.ref == t.study.c.study_instance_uid, t.job.c.state.in_(_STOPPED)
)
_NOT_TAKEN_BACK = sa.or_(_delivery(t.job.c.state.in_(_STOPPED)), _WITHDRAWAL.correlate(t.study))
STATE = sa.case(
    (sa.and_(t.study.c.state == "rejected", _NOT_TAKEN_BACK), "undelivered"),
    (t.study.c.state == "rejected", "wrong_patient"),
    (t.study.c.state == "prior", "prior"),
    (t.study.c.state == "kept_out", "kept_out"),
    (t.study.c.state == "incomplete", "incomplete"),
    (_assess.c.state == "set_aside", "set_aside"),
    (_assess.c.state == "parked", "failed"),
    (_delivery(t.job.c.state.in_(_STOPPED)), "undelivered"),
    (t.study.c.state == "receiving", "receiving"),
    (_assess.c.state.in_(["due", "leased"]), "assessing"),
    (_delivery(t.job.c.state != "done"), "delivering"),
    else_="done",
)
_REASON = sa.case((t.study.c.state.in_(["kept_out", "incomplete"]), t.study.c.told), else_=_assess.c.reason).label(
    "reason"
)
_WITH_STEP = sa.outerjoin(
    t.study, _assess, sa.and_(_assess.c.kind == "assess", _assess.c.ref == t.study.c.study_instance_uid)
)


# Few studies are under way at any time, and an index finds them: the state of all others need not be worked out.
_UNDER_WAY = ("due", "leased", "parked", "set_aside")
_ACTIVE = sa.union(
    sa.select(t.job.c.ref).where(t.job.c.kind.in_(["assess", "withdraw"]), t.job.c.state.in_(_UNDER_WAY)),
    sa.select(t.document.c.study_instance_uid)
    .join(t.job, sa.and_(t.job.c.kind == "deliver", t.job.c.ref == t.document.c.id))
    .where(t.job.c.state.in_(_UNDER_WAY)),
    sa.select(t.study.c.study_instance_uid).where(t.study.c.state.in_(["receiving", "incomplete"])),
)
_STATES_OF_ACTIVE = frozenset(GROUPS["needs_person"] + GROUPS["working"])


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which rows of the worklist: `state` is a group or a state, `find` the beginning of an opaque id."""

    view: str = "cases"  # cases: the newest study of each; studies: every one
    state: str = ""
    find: str = ""
    order: str = "newest"
    after: str = ""  # where the page before ended, see Page.next


@dataclass(frozen=True, slots=True)
class Page:
    """Some rows, and where the next page begins (None: this is the last)."""

    rows: Sequence[dict[str, Any]]
    next: str | None


class Worklist:
    """Reads for pages; nothing here changes anything."""

    def __init__(self, engine: sa.Engine, *, now: Callable[[], float] = time.time) -> None:
        self._reading = for_reading(engine)
        self._now = now
        self._counted: tuple[float, dict[str, int]] = (0.0, {})

    def counts(self) -> dict[str, int]:
        """Studies by state; read anew every two seconds at most, since everybody's page asks."""
        at, counted = self._counted
        if self._now() - at > _COUNTS_HOLD_SECONDS:
            state = STATE.label("state")
            active = sa.select(state, t.study.c.state.label("kept"), sa.func.count().label("number"))
            with self._reading.connect() as connection:
                rows = connection.execute(
                    active.select_from(_WITH_STEP)
                    .where(t.study.c.study_instance_uid.in_(_ACTIVE))
                    .group_by(state, t.study.c.state)
                ).all()
                kept = connection.execute(sa.select(t.study.c.state, sa.func.count()).group_by(t.study.c.state)).all()
            counted = dict.fromkeys(STATES, 0)
            for row in rows:
                counted[row.state] += row.number
            rest = {"complete": "done", "rejected": "wrong_patient", "tidying": "done", "tidied": "done"}
            for name, number in kept:
                counted[rest.get(name, name)] += number - sum(row.number for row in rows if row.kept == name)
            self._counted = (self._now(), counted)
        return counted

    def page(self, wanted: Wanted) -> Page:
        """One page of the list, read by key from where the last one ended: page 200 is as fast as page 1."""
        columns = (
            t.study.c.study_instance_uid, t.study.c.case_ref, t.study.c.first_received_at, t.study.c.last_received_at,
            t.study.c.completed_at, STATE.label("state"), _REASON,
            _assess.c.changed_at, _assess.c.attempts,
        )  # fmt: skip
        query = sa.select(*columns).select_from(_WITH_STEP)
        if wanted.view == "cases":
            query = query.where(_is_newest_of_case())
        states = GROUPS.get(wanted.state, (wanted.state,) if wanted.state else ())
        if states:
            query = query.where(_in_states(states, whole_case=wanted.view == "cases"))
        if wanted.find:
            query = query.where(_begins_with(wanted.find, self._reading.dialect.name))
        query = _ordered(query, wanted)
        with self._reading.connect() as connection:
            rows = [dict(row._mapping) for row in connection.execute(query.limit(PAGE_ROWS + 1))]  # noqa: SLF001 - SQLAlchemy's public name
            more = len(rows) > PAGE_ROWS
            rows = rows[:PAGE_ROWS]
            self._add_case_totals(connection, rows)
            self._add_delivery_reasons(connection, rows)
        return Page(rows, _key_of(rows[-1], wanted.order) if more else None)

    def _add_case_totals(self, connection: sa.Connection, rows: Sequence[dict[str, Any]]) -> None:
        """How many studies each case has, and how many of them wait for a person."""
        cases = [row["case_ref"] for row in rows]
        state = STATE.label("state")
        found = connection.execute(
            sa.select(t.study.c.case_ref, state).select_from(_WITH_STEP).where(t.study.c.case_ref.in_(cases))
        ).all()
        for row in rows:
            states = [one.state for one in found if one.case_ref == row["case_ref"]]
            row["studies"] = len(states)
            row["waiting"] = sum(one in GROUPS["needs_person"] for one in states)
            row["age_seconds"] = max(0.0, self._now() - row["last_received_at"])

    @staticmethod
    def _add_delivery_reasons(connection: sa.Connection, rows: Sequence[dict[str, Any]]) -> None:
        """Why something of a study was not delivered, where the assessment itself went well."""
        wanted = [row["study_instance_uid"] for row in rows if row["state"] in ("undelivered", "delivering")]
        if not wanted:
            return
        found = connection.execute(
            sa.select(t.document.c.study_instance_uid, t.document.c.kind, t.job.c.reason)
            .join(t.job, sa.and_(t.job.c.kind == "deliver", t.job.c.ref == t.document.c.id))
            .where(t.document.c.study_instance_uid.in_(wanted), t.job.c.state != "done", t.job.c.reason.is_not(None))
        ).all()
        reasons = {one.study_instance_uid: f"{one.kind}: {one.reason}" for one in found}
        for row in rows:
            row["reason"] = row["reason"] or reasons.get(row["study_instance_uid"])

    def case(self, case_ref: str) -> dict[str, Any] | None:
        """Studies with their state, assessments (without their content) and documents of a case, newest first."""
        with self._reading.connect() as connection:
            studies = connection.execute(
                sa.select(
                    t.study.c.study_instance_uid, t.study.c.first_received_at, t.study.c.last_received_at,
                    t.study.c.identity_released_at, t.study.c.state.label("kept"), STATE.label("state"),
                    _REASON, _assess.c.id.label("job_id"), _assess.c.state.label("job_state"),
                    _assess.c.changed_at, _assess.c.attempts,
                )
                .select_from(_WITH_STEP)
                .where(t.study.c.case_ref == case_ref)
                .order_by(t.study.c.study_date.desc(), t.study.c.first_received_at.desc())
            ).all()  # fmt: skip
            if not studies:
                return None
            assessments = connection.execute(
                sa.select(
                    t.assessment.c.id, t.assessment.c.study_instance_uid, t.assessment.c.assessed_at,
                    t.assessment.c.ruleset,
                )
                .where(t.assessment.c.case_ref == case_ref)
                .order_by(t.assessment.c.assessed_at.desc())
            ).all()  # fmt: skip
            instances = connection.execute(
                sa.select(t.instance.c.study_instance_uid, sa.func.count())
                .where(t.instance.c.study_instance_uid.in_([row.study_instance_uid for row in studies]))
                .group_by(t.instance.c.study_instance_uid)
            ).all()
            shown = [dict(row._mapping) for row in studies]  # noqa: SLF001 - as above
            self._add_delivery_reasons(connection, shown)
        counted = {uid: number for uid, number in instances}  # noqa: C416 - as above
        return {
            "case_ref": case_ref,
            "studies": [row | {"instances": counted.get(row["study_instance_uid"], 0)} for row in shown],
            "assessments": [dict(row._mapping) for row in assessments],  # noqa: SLF001 - as above
            "documents": self.documents(case_ref),
        }

    def documents(self, case_ref: str) -> list[dict[str, Any]]:
        """Every document of a case with where it went, when, and how its delivery stands; the newest first."""
        with self._reading.connect() as connection:
            rows = connection.execute(
                sa.select(
                    t.document.c.id, t.document.c.kind, t.document.c.destination, t.document.c.identity,
                    t.document.c.study_instance_uid, t.document.c.delivered_at, t.document.c.note,
                    t.assessment.c.assessed_at, t.assessment.c.id.label("assessment_id"),
                    t.job.c.state.label("job_state"), t.job.c.id.label("job_id"), t.job.c.reason, t.job.c.changed_at,
                )
                .join(t.assessment, t.assessment.c.id == t.document.c.assessment_id)
                .outerjoin(t.job, sa.and_(t.job.c.kind == "deliver", t.job.c.ref == t.document.c.id))
                .where(t.assessment.c.case_ref == case_ref)
                .order_by(t.assessment.c.assessed_at.desc(), t.document.c.destination, t.document.c.kind)
            ).all()  # fmt: skip
        return [dict(row._mapping) for row in rows]  # noqa: SLF001 - as above

    def assessment(self, case_ref: str, assessment_id: str | None = None) -> dict[str, Any] | None:
        """An assessment of the case with its summary as text; without an id the one of the newest study kept."""
        query = (
            sa.select(t.assessment)
            .join(t.study, t.study.c.study_instance_uid == t.assessment.c.study_instance_uid)
            .where(t.assessment.c.case_ref == case_ref)
        )
        if assessment_id:
            query = query.where(t.assessment.c.id == assessment_id)
        else:
            query = query.where(t.study.c.state != "rejected")
        query = query.order_by(t.study.c.study_date.desc(), t.assessment.c.assessed_at.desc()).limit(1)
        with self._reading.connect() as connection:
            row = connection.execute(query).one_or_none()
        return None if row is None else dict(row._mapping)  # noqa: SLF001 - as above

    def document_path(self, assessment_id: str, kind: str) -> str | None:
        """
        Where the document of this kind lies that belongs to an assessment; None when there is none.

        A document equal to an earlier one of the same study was not written again: then it is that one.
        """
        of_study = sa.select(t.assessment.c.study_instance_uid).where(t.assessment.c.id == assessment_id)
        query = (
            sa.select(t.document.c.path)
            .join(t.assessment, t.assessment.c.id == t.document.c.assessment_id)
            .where(t.document.c.kind == kind, t.document.c.study_instance_uid == of_study.scalar_subquery())
            .where(
                t.assessment.c.assessed_at
                <= sa.select(t.assessment.c.assessed_at).where(t.assessment.c.id == assessment_id).scalar_subquery()
            )
            .order_by(t.assessment.c.assessed_at.desc())
            .limit(1)
        )
        with self._reading.connect() as connection:
            return connection.execute(query).scalar_one_or_none()

    def stopped(self) -> list[dict[str, Any]]:
        """Every step that was given up or refused, the oldest first: nothing of it goes on without a person."""
        of_document = sa.func.coalesce(t.study.c.case_ref, t.assessment.c.case_ref).label("case_ref")
        with self._reading.connect() as connection:
            rows = connection.execute(
                sa.select(
                    t.job.c.id, t.job.c.kind, t.job.c.ref, t.job.c.state, t.job.c.reason, t.job.c.attempts,
                    t.job.c.changed_at, t.document.c.kind.label("document_kind"), t.document.c.destination,
                    t.document.c.identity, of_document, waits_for_word().label("lacks_word"),
                )
                .outerjoin(t.document, sa.and_(t.job.c.kind == "deliver", t.document.c.id == t.job.c.ref))
                .outerjoin(t.assessment, t.assessment.c.id == t.document.c.assessment_id)
                .outerjoin(t.study, sa.and_(t.job.c.kind != "deliver", t.study.c.study_instance_uid == t.job.c.ref))
                .where(t.job.c.state.in_(["parked", "set_aside"]))
                .order_by(t.job.c.changed_at)
                .limit(500)
            ).all()  # fmt: skip
        return [dict(row._mapping) for row in rows]  # noqa: SLF001 - as above


def _is_newest_of_case() -> sa.ColumnElement[bool]:
    newer = t.study.alias("newer")
    return ~sa.exists().where(
        newer.c.case_ref == t.study.c.case_ref,
        sa.tuple_(newer.c.last_received_at, newer.c.study_instance_uid)
        > sa.tuple_(t.study.c.last_received_at, t.study.c.study_instance_uid),
    )


def _in_states(states: Sequence[str], *, whole_case: bool) -> sa.ColumnElement[bool]:
    """Studies, or cases of which any study, is in one of the states; "done" is said of a case's newest study."""
    if not _STATES_OF_ACTIVE.issuperset(states):
        kept = {"wrong_patient": "rejected", "prior": "prior", "kept_out": "kept_out"}.get(states[0])
        if kept is None:
            return STATE.in_(states)
        among, chosen = t.study.c.state == kept, t.study.c.state == kept
    else:
        among, chosen = t.study.c.study_instance_uid.in_(_ACTIVE), STATE.in_(states)
    if not whole_case:
        return sa.and_(among, chosen)
    return t.study.c.case_ref.in_(
        sa.select(t.study.c.case_ref).select_from(_WITH_STEP).where(among, chosen).correlate(None)
    )


def _begins_with(text: str, dialect_name: str) -> sa.ColumnElement[bool]:
    """Opaque ids that begin so; a range, because an index serves it on every database."""
    columns: list[sa.ColumnElement[str]] = [t.study.c.case_ref, t.study.c.study_instance_uid]
    if dialect_name == "postgresql":  # a database's language orders points and digits in its own way
        columns = [sa.collate(column, "C") for column in columns]
    return sa.or_(*(sa.and_(column >= text, column < text + _LAST_CHARACTER) for column in columns))


def _ordered(query: sa.Select[Any], wanted: Wanted) -> sa.Select[Any]:
    uid = t.study.c.study_instance_uid
    first: sa.ColumnElement[Any] = t.study.c.case_ref if wanted.order == "case" else t.study.c.last_received_at
    value, _, after_uid = wanted.after.partition("~")
    if after_uid:
        key = sa.tuple_(sa.literal(value if wanted.order == "case" else _seconds(value)), sa.literal(after_uid))
        place = sa.tuple_(first, uid)
        query = query.where(place < key if wanted.order == "newest" else place > key)
    return query.order_by(first.desc(), uid.desc()) if wanted.order == "newest" else query.order_by(first, uid)


def _seconds(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0


def _key_of(row: dict[str, Any], order: str) -> str:
    first = row["case_ref"] if order == "case" else repr(row["last_received_at"])
    return f"{first}~{row['study_instance_uid']}"
