"""The audit trail: who did what to which case, written with the deed and due to every audit repository there is."""

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from connector.ports import AuditRecord
from connector.store import tables as t
from connector.store.engine import for_reading, run_prepared

# What an audit repository hears of; the other events tell an operator how work goes.
AUDITED = frozenset({
    "received", "record_read", "priors_read", "assessed", "delivered", "parked", "set_aside",
    "viewed", "signed_in", "signed_out", "sign_in_failed",
    "identity_released", "identity_rejected", "replayed", "completed", "erased", "tidied", "started", "stopped",
})  # fmt: skip
_APPEND = sa.insert(t.event)


class Trail:
    """Events of the ledger, and which audit repository still has to hear of which."""

    def __init__(
        self, engine: sa.Engine, *, repositories: Sequence[str] = (), now: Callable[[], float] = time.time
    ) -> None:
        self._engine = engine
        self._reading = for_reading(engine)
        self._repositories = tuple(sorted(repositories))
        self._now = now

    def audit(
        self,
        connection: sa.Connection,
        *,
        kind: str,
        ref: str,
        detail: str = "",
        case_ref: str | None = None,
        actor: str | None = None,
        succeeded: bool = True,
        action_key: str | None = None,
    ) -> None:
        """
        Append one event in the transaction of the deed it tells of.

        `ref` is a Study or SOP Instance UID, a document or a record reference; `actor` an AE title or a user, None the
        service itself. Kinds in AUDITED, and whatever a person did, are due to every audit repository from now on.
        `action_key` is that of the form a person sent: a second event with the same one is impossible.
        """
        event = self._event(kind, ref, detail, case_ref, actor, succeeded=succeeded, action_key=action_key)
        run_prepared(connection, _APPEND, event)

    def viewed(self, connection: sa.Connection, views: Sequence[tuple[str, str, str]]) -> None:
        """Append who saw what of which cases (case, actor, what was shown), many at once."""
        if views:
            events = [self._event("viewed", f"case:{case}", shown, case, actor) for case, actor, shown in views]
            run_prepared(connection, _APPEND, *events)

    def _event(
        self,
        kind: str,
        ref: str,
        detail: str,
        case_ref: str | None,
        actor: str | None,
        *,
        succeeded: bool = True,
        action_key: str | None = None,
    ) -> dict[str, Any]:
        is_audited = kind in AUDITED or actor is not None
        return {
            "at": self._now(), "kind": kind, "ref": ref[:255], "case_ref": case_ref, "detail": detail,
            "actor": actor[:255] if actor else None, "succeeded": succeeded,
            "forward_to": ",".join(self._repositories) if is_audited and self._repositories else None,
            "action_key": action_key,
        }  # fmt: skip

    def received(self, connection: sa.Connection, study: sa.Row[Any]) -> None:
        """Tell once who sent what came since the study was complete the last time."""
        senders = connection.execute(
            sa.select(t.instance.c.source, sa.func.count())
            .where(
                t.instance.c.study_instance_uid == study.study_instance_uid,
                t.instance.c.received_at > (study.completed_at or 0.0),
            )
            .group_by(t.instance.c.source)
            .order_by(t.instance.c.source)
        ).all()
        for source, count in senders:
            self.audit(
                connection, kind="received", ref=study.study_instance_uid, case_ref=study.case_ref,
                detail=f"{count} instances", actor=source,
            )  # fmt: skip

    def note(self, **told: Any) -> None:
        """Append one event in a transaction of its own: what was looked at, who signed in."""
        with self._engine.begin() as connection:
            self.audit(connection, **told)

    def due(self, repository: str, limit: int = 100) -> Sequence[AuditRecord]:
        """The oldest events that a repository has not taken, with what it has to be told beside them."""
        with self._reading.connect() as connection:
            rows = connection.execute(
                sa.select(t.event).where(_due_to(repository)).order_by(t.event.c.id).limit(limit)
            ).all()
            return [_record(connection, row) for row in rows]

    def taken(self, repository: str, event_id: int) -> None:
        """Note that a repository has taken an event."""
        with self._engine.begin() as connection:
            here = t.event.c.id == event_id
            left = connection.execute(sa.select(t.event.c.forward_to).where(here)).scalar_one_or_none()
            rest = [each for each in (left or "").split(",") if each and each != repository]
            connection.execute(sa.update(t.event).where(here).values(forward_to=",".join(rest) or None))

    def waiting(self) -> Mapping[str, tuple[int, float]]:
        """For each audit repository that has not heard all: how many events wait, and the age of the oldest."""
        with self._reading.connect() as connection:
            rows = connection.execute(
                sa.select(t.event.c.forward_to, sa.func.count(), sa.func.min(t.event.c.at))
                .where(t.event.c.forward_to.is_not(None))
                .group_by(t.event.c.forward_to)
            ).all()
        found = dict.fromkeys(self._repositories, (0, 0.0))
        for names, count, oldest in rows:
            for name in names.split(","):
                known, age = found.get(name, (0, 0.0))
                found[name] = (known + count, max(age, self._now() - oldest))
        return found


def _due_to(repository: str) -> sa.ColumnElement[bool]:
    # The list is short and sorted: a name is matched whole, between commas.
    return ("," + t.event.c.forward_to + ",").contains(f",{repository},", autoescape=True)


def _record(connection: sa.Connection, row: Any) -> AuditRecord:
    document = connection.execute(
        sa.select(t.document, t.assessment.c.case_ref)
        .join(t.assessment, t.assessment.c.id == t.document.c.assessment_id)
        .where(sa.or_(t.document.c.identity == row.ref, t.document.c.id == row.ref))
        .limit(1)
    ).one_or_none()
    study_uid = document.study_instance_uid if document else row.ref
    study = connection.execute(sa.select(t.study).where(t.study.c.study_instance_uid == study_uid)).one_or_none()
    case_ref = row.case_ref or (document.case_ref if document else None) or (study.case_ref if study else None)
    of_case = (
        study or connection.execute(sa.select(t.study).where(t.study.c.case_ref == case_ref).limit(1)).one_or_none()
    )
    record = connection.execute(sa.select(t.patient).where(t.patient.c.case_ref == case_ref)).one_or_none()
    issuer, _, patient_id = of_case.patient_key.partition("\x1f") if of_case else ("", "", "")
    classes = (
        connection.execute(
            sa.select(t.instance.c.sop_class_uid, sa.func.count())
            .where(t.instance.c.study_instance_uid == study.study_instance_uid)
            .group_by(t.instance.c.sop_class_uid)
            .order_by(t.instance.c.sop_class_uid)
        ).all()
        if study and document is None
        else []
    )
    return AuditRecord(
        event_id=row.id,
        at=datetime.fromtimestamp(row.at, UTC),
        kind=row.kind,
        ref=row.ref,
        case_ref=case_ref or "",
        actor=row.actor or "",
        succeeded=bool(row.succeeded),
        detail=row.detail,
        study_instance_uid=study.study_instance_uid if study else "",
        instances=tuple((sop_class, count) for sop_class, count in classes)
        or (((document.sop_class_uid, 1),) if document and document.sop_class_uid else ()),
        destination=document.destination if document else "",
        patient_id=patient_id,
        issuer_of_patient_id=issuer,
        record_reference=record.record_reference if record else "",
    )


def tidied_before(connection: sa.Connection, case_ref: str, *, since: float) -> list[str]:
    """What a reader must know of a study that came before files of its case were tidied away: it may not be whole."""
    tidied = sa.select(sa.func.max(t.event.c.at)).where(
        t.event.c.kind == "tidied", t.event.c.ref == case_ref, t.event.c.at > since
    )
    if connection.execute(tidied).scalar_one_or_none() is None:
        return []
    return ["files of this study were tidied away here: unless all came again, this result knows only a part of them"]
