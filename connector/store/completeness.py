"""Judges which studies are complete, kept out or wait for a person, by the routing rules and what came of each."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from connector.logs import get_logger
from connector.routing import Decision, Routing, SeriesSeen, StudySeen
from connector.store import tables as t
from connector.store.inbox import ALIVE_SECONDS
from connector.store.procedure_steps import Reports

if TYPE_CHECKING:
    from connector.store.ledger import SqlLedger

log = get_logger("completeness")


class Completeness:
    """Looks at every study that is still coming in, at each sweep."""

    def __init__(self, ledger: "SqlLedger", routing: Routing) -> None:
        self._ledger = ledger
        self._routing = routing

    def judge(self) -> int:
        """Complete what is complete, set aside what is not to be assessed; returns how many were completed."""
        now = self._ledger.now()
        completed = 0
        with self._ledger.transaction() as connection:
            for uid, case_ref in Reports.tell_late(connection, now, wait_seconds=self._routing.quiet_seconds):
                self._ledger.ask_assessment(connection, uid, case_ref)
            reports = Reports(connection, now)
            for uid, said in self._candidates(connection, reports, now).items():
                study = seen(connection, uid)
                decision = self._routing.decide(study, now, said_complete=said)
                if decision.state == "wait":
                    continue
                if decision.state == "complete":
                    told = "; ".join(filter(None, [decision.told, reports.told(uid)]))
                    if not self._ledger.complete(connection, uid, decision.because, rule=decision.rule, told=told):
                        continue
                    completed += 1
                    reports.settle(uid)  # of one that is set aside the reports are kept: a person may complete it
                elif not self._set_aside(connection, study, decision):
                    continue
                if decision.told:
                    self._tell(connection, uid, decision)
        return completed

    def _candidates(self, connection: sa.Connection, reports: Reports, now: float) -> dict[str, str]:
        """Studies to be judged, with who says that they are complete; empty when only their quiet does."""
        silent = set(self._silent(connection, now))
        coming = set(
            connection.execute(
                sa.select(t.study.c.study_instance_uid).where(
                    t.study.c.state == "receiving", t.study.c.study_instance_uid.in_(reports.studies)
                )
            ).scalars()
        )
        said = {uid: reports.say_complete(uid) for uid in sorted(coming)}
        return {uid: said.get(uid, "") for uid in sorted(silent | {uid for uid, who in said.items() if who})}

    def _silent(self, connection: sa.Connection, now: float) -> Sequence[str]:
        """Studies that nobody is sending, and that have been quiet for the shortest time of any rule."""
        fed = sa.exists().where(
            t.association_study.c.study_instance_uid == t.study.c.study_instance_uid,
            t.association_study.c.association_id == t.association.c.association_id,
            t.association.c.alive_at > now - ALIVE_SECONDS,
        )
        long_enough = t.study.c.last_received_at <= now - self._routing.shortest_wait_seconds
        return list(
            connection.execute(
                sa.select(t.study.c.study_instance_uid).where(t.study.c.state == "receiving", long_enough, ~fed)
            ).scalars()
        )

    def _set_aside(self, connection: sa.Connection, study: StudySeen, decision: Decision) -> bool:
        """Set a study aside as it was seen; False when an instance or a person was faster (PostgreSQL)."""
        as_seen = (
            t.study.c.study_instance_uid == study.study_instance_uid,
            t.study.c.state == "receiving",
            t.study.c.last_received_at == study.last_received_at,
        )
        changed = connection.execute(
            sa.update(t.study)
            .where(*as_seen)
            .values(
                state=decision.state, told=decision.told, rule=decision.rule.name if decision.rule else None,
                completed_because=None, assess=None,
            )
        )  # fmt: skip
        return changed.rowcount == 1

    def _tell(self, connection: sa.Connection, uid: str, decision: Decision) -> None:
        kind = "forced" if decision.state == "complete" else decision.state
        self._ledger.tell(connection, kind=kind, ref=uid, detail=decision.told)
        # A series description may hold a name: the log says only that it happened.
        log.info("study_routed", study_instance_uid=uid, state=kind)


def complete_fetched(ledger: "SqlLedger", study_instance_uid: str) -> bool:
    """Complete a study that was fetched whole because it was ordered; False when nothing came of it."""
    came = sa.select(t.instance.c.sop_instance_uid).where(t.instance.c.study_instance_uid == study_instance_uid)
    with ledger.transaction() as connection:
        if connection.execute(came.limit(1)).first() is None:
            return False
        connection.execute(
            sa.update(t.study)
            .where(t.study.c.study_instance_uid == study_instance_uid, t.study.c.state.in_(["prior", "tidied"]))
            .values(state="receiving")
        )
        return ledger.complete(connection, study_instance_uid, "ordered")


def is_fed(connection: sa.Connection, study_instance_uid: str, now: float) -> bool:
    """Whether a live association has brought instances of a study."""
    feeding = sa.select(t.association.c.association_id).where(
        t.association_study.c.study_instance_uid == study_instance_uid,
        t.association_study.c.association_id == t.association.c.association_id,
        t.association.c.alive_at > now - ALIVE_SECONDS,
    )
    return connection.execute(feeding.limit(1)).first() is not None


def route_again(connection: sa.Connection, study_instance_uid: str) -> int:
    """Judge kept-out and incomplete studies anew at the next sweep, one or `all`; returns how many."""
    named = sa.true() if study_instance_uid == "all" else t.study.c.study_instance_uid == study_instance_uid
    return connection.execute(
        sa.update(t.study).where(t.study.c.state.in_(["kept_out", "incomplete"]), named).values(state="receiving")
    ).rowcount


def not_assessed(connection: sa.Connection, state: str, now: float, limit: int) -> list[dict[str, Any]]:
    """Studies that are `kept_out`, or `incomplete` and wait for a person, as the desk shows them, newest first."""
    rows = connection.execute(
        sa.select(t.study).where(t.study.c.state == state).order_by(t.study.c.last_received_at.desc()).limit(limit)
    ).all()
    return [
        {
            "id": row.study_instance_uid, "kind": "study", "state": row.state, "reason": row.told, "attempts": 0,
            "age_seconds": round(now - row.last_received_at, 1),
        }
        for row in rows
    ]  # fmt: skip


def seen(connection: sa.Connection, study_instance_uid: str) -> StudySeen:
    """A study as the rules look at it; series of before the table of series are known by modality and class alone."""
    here = t.instance.c.study_instance_uid == study_instance_uid
    counted = connection.execute(
        sa.select(
            t.instance.c.series_instance_uid, t.instance.c.sop_class_uid, sa.func.max(t.instance.c.modality),
            sa.func.count(), sa.func.max(t.instance.c.received_at),
        ).where(here).group_by(t.instance.c.series_instance_uid, t.instance.c.sop_class_uid)
    ).all()  # fmt: skip
    told = {
        row.series_instance_uid: row
        for row in connection.execute(sa.select(t.series).where(t.series.c.study_instance_uid == study_instance_uid))
    }
    by_series: dict[str, list[tuple[str, str, int, float]]] = {}
    for series, sop_class, modality, count, received_at in counted:
        by_series.setdefault(series, []).append((sop_class, modality, count, received_at))
    series_seen = []
    for uid, members in by_series.items():
        row = told.get(uid)
        series_seen.append(
            SeriesSeen(
                modality=members[0][1],
                sop_classes=frozenset(sop_class for sop_class, *_ in members),
                body_part=row.body_part if row else "",
                description=row.description if row else "",
                procedure_codes=frozenset(row.procedure_codes.split("\n")) - {""} if row else frozenset(),
                instances=sum(count for *_, count, _ in members),
                last_received_at=row.last_received_at if row else max(at for *_, at in members),
            )
        )
    sources = connection.execute(sa.select(t.instance.c.source).where(here).distinct()).scalars()
    last = connection.execute(
        sa.select(t.study.c.last_received_at).where(t.study.c.study_instance_uid == study_instance_uid)
    ).scalar_one()
    return StudySeen(study_instance_uid, frozenset(sources), tuple(series_seen), last)
