"""HL7 v2 messages in the ledger: each answered once whatever comes twice, results kept, patients looked at again."""

import json
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from decimal import Decimal
from hashlib import sha256
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from connector.core.errors import TryLater
from connector.ports import Heard, KeptResult
from connector.store import tables as t
from connector.store.engine import for_reading
from connector.store.holds import hold
from connector.store.inbox import insert_or_ignore
from connector.store.ledger import NEVER_ASSESSED, TIDIED, SqlLedger
from connector.store.looks import look_again

_BETWEEN_FORGETTING_SECONDS = 3600.0


class MessageBook:
    """What came over MLLP; every call is committed when it returns."""

    def __init__(
        self, ledger: SqlLedger, *, keep_seconds: float = 90 * 86400.0, now: Callable[[], float] = time.time
    ) -> None:
        """`keep_seconds` is how long results of patients without images are kept."""
        self._ledger = ledger
        self._keep_seconds = keep_seconds
        self._forgot_at = 0.0
        self._engine = ledger.engine
        self._reading = for_reading(ledger.engine)
        self._now = now

    @contextmanager
    def _writing(self) -> Iterator[sa.Connection]:
        try:
            with self._engine.begin() as connection:
                yield connection
        except (SQLAlchemyError, OSError) as fault:
            raise TryLater(f"the ledger did not commit ({type(fault).__name__}): send again") from fault

    def was_taken(self, heard: Heard) -> bool:
        """Whether just this message was taken before. Raises TryLater, as every call here does while it is away."""
        with self._writing() as connection:
            named = t.message.c.id.in_([heard.id, _beside(heard).id])
            taken = sa.exists().where(named, t.message.c.digest == heard.digest, t.message.c.state == "taken")
            return bool(connection.execute(sa.select(taken)).scalar_one())

    def take(
        self,
        heard: Heard,
        *,
        results: Sequence[KeptResult] = (),
        cases: Collection[str] = (),
        orders: Sequence[dict[str, Any]] = (),
        merged: bool = False,
    ) -> None:
        """
        Note a message with all that follows from it, in one transaction.

        The cases whose numbers were `merged` are held until a person compared the images with the record.

        Results are kept unless a later word of the laboratory is known. The newest study of each of the `cases` is
        assessed again when a result is new; else the EHR is looked at for it in the next round.
        """
        with self._writing() as connection:
            known = self._known(connection, cases)
            # Of whom there are images is certain; until then each case that the patient may be has its copy.
            kept = [one for one in results if one.case_ref in known] if known else results
            changed = {one.case_ref for one in kept if self._keep(connection, one)}
            self._forget(connection)
            case_ref = min(known or cases, default=None)
            before = self._of_that_name(connection, heard)
            # Of the same kind about the same patient it is the mended message; any other still waits for a person.
            if before is not None and before.state == "set_aside" and (before.kind, before.case_ref) != (
                heard.kind, case_ref
            ):  # fmt: skip
                heard = _beside(heard)
            self._note(connection, heard, "taken", context=json.dumps(orders) if orders else None, case_ref=case_ref)
            if merged:
                why = f"the hospital merged this patient's number with another one ({heard.kind} of {heard.sender})"
                hold(self._ledger, connection, known, why)
            for case_ref, study in known.items():
                if merged:
                    pass
                elif case_ref in changed:
                    self._ask(connection, study, case_ref)
                elif not results:
                    look_again(connection, t.patient.c.case_ref == case_ref)
                self._ledger.tell(
                    connection,
                    kind="patients_merged" if merged else "message",
                    ref=heard.id,
                    case_ref=case_ref,
                    detail=f"{heard.kind} of {heard.sender}",
                )

    def set_aside(self, heard: Heard, *, reason: str, path: str, cases: Collection[str] = ()) -> None:
        """
        Note a message that a person must look at; another one of its name, taken or set aside before it, stays.

        It goes with the one of the `cases` of which there are images, as far as its patient could be read.
        """
        with self._writing() as connection:
            before = self._of_that_name(connection, heard)
            if before is not None and (before.state == "taken" or before.digest != heard.digest):
                heard = _beside(heard)
            case_ref = min(self._known(connection, cases) or cases, default=None)
            self._note(connection, heard, "set_aside", reason=reason, path=path, case_ref=case_ref)
            self._ledger.tell(connection, kind="message_set_aside", ref=heard.id, detail=reason, case_ref=case_ref)

    def results_of(self, case_refs: Collection[str]) -> list[dict[str, Any]]:
        """The kept Observations of a patient who may be these cases, with id and version, without subject."""
        with self._reading.connect() as connection:
            rows = connection.execute(
                sa.select(t.result).where(t.result.c.case_ref.in_(sorted(case_refs))).order_by(t.result.c.id)
            ).all()
        found = {}
        for row in rows:
            named = {"id": row.id, "meta": {"versionId": str(row.version)}}
            found[row.id] = {**json.loads(row.body, parse_float=Decimal), **named}
        return list(found.values())

    def waiting(self, limit: int = 50) -> list[dict[str, Any]]:
        """Messages that were set aside, newest first."""
        with self._reading.connect() as connection:
            rows = connection.execute(
                sa.select(t.message)
                .where(t.message.c.state == "set_aside")
                .order_by(t.message.c.received_at.desc())
                .limit(limit)
            ).all()
            cases = [row.case_ref for row in rows if row.case_ref]
            known = set(
                connection.execute(sa.select(t.study.c.case_ref).where(t.study.c.case_ref.in_(cases))).scalars()
            )
        return [
            {"id": row.id, "sender": row.sender, "kind": row.kind, "reason": row.reason, "path": row.path,
             "case_ref": row.case_ref if row.case_ref in known else None,
             "age_seconds": round(self._now() - row.received_at, 1)}
            for row in rows
        ]  # fmt: skip

    def _forget(self, connection: sa.Connection) -> None:
        """Once an hour, drop what is kept of patients of whom no image came in its time, and what nobody looked at."""
        if self._now() - self._forgot_at < _BETWEEN_FORGETTING_SECONDS:
            return
        self._forgot_at = self._now()
        until = self._now() - self._keep_seconds
        for table in (t.result, t.message):
            has_images = sa.exists().where(t.study.c.case_ref == table.c.case_ref)
            old = sa.and_(table.c.received_at < until, ~has_images)
            if table is t.message:
                for path in connection.execute(sa.select(t.message.c.path).where(old)).scalars():
                    _unlink(path)
            connection.execute(sa.delete(table).where(old))

    def _known(self, connection: sa.Connection, cases: Collection[str]) -> dict[str, str]:
        """The cases of which there are images, each with its newest study but a wrong patient's."""
        rows = connection.execute(
            sa.select(t.study.c.case_ref, t.study.c.study_instance_uid)
            .where(t.study.c.case_ref.in_(sorted(cases)), t.study.c.state.not_in(NEVER_ASSESSED))
            .order_by(t.study.c.study_date, t.study.c.first_received_at)
        ).all()
        return {row.case_ref: row.study_instance_uid for row in rows}

    def _ask(self, connection: sa.Connection, study: str, case_ref: str) -> None:
        """Ask for a new assessment, unless the study was tidied away: what was told of it stands."""
        is_here = sa.select(t.study.c.state.not_in(TIDIED)).where(t.study.c.study_instance_uid == study)
        if connection.execute(is_here).scalar_one():
            self._ledger.ask_assessment(connection, study, case_ref)

    def _keep(self, connection: sa.Connection, result: KeptResult) -> bool:
        """Keep a result; tells whether it says something new."""
        row = {
            "case_ref": result.case_ref, "id": result.id, "version": 1, "spoken_at": result.spoken_at,
            "body": result.body, "received_at": self._now(),
        }  # fmt: skip
        if insert_or_ignore(connection, t.result, row):
            return True
        here = (t.result.c.case_ref == result.case_ref) & (t.result.c.id == result.id)
        newer = sa.update(t.result).where(
            here, t.result.c.spoken_at <= result.spoken_at, t.result.c.body != result.body
        )
        values = {"version": t.result.c.version + 1, "spoken_at": result.spoken_at, "body": result.body}
        changed: bool = connection.execute(newer.values(**values)).rowcount == 1
        return changed

    @staticmethod
    def _of_that_name(connection: sa.Connection, heard: Heard) -> Any:
        """What came first under this sender's control id."""
        return connection.execute(sa.select(t.message).where(t.message.c.id == heard.id)).one_or_none()

    def _note(self, connection: sa.Connection, heard: Heard, state: str, **more: str | None) -> None:
        row = {
            "id": heard.id, "sender": heard.sender, "kind": heard.kind, "digest": heard.digest, "state": state,
            "reason": None, "path": None, "context": None, "case_ref": None, "received_at": self._now(), **more,
        }  # fmt: skip
        if insert_or_ignore(connection, t.message, row):
            return
        here = t.message.c.id == heard.id
        aside = connection.execute(sa.select(t.message.c.path).where(here)).scalar_one()
        connection.execute(sa.update(t.message).where(here).values(row))
        if aside != row["path"]:
            _unlink(aside)  # it came again, and this time it was taken


def _beside(heard: Heard) -> Heard:
    """The same message under a name of its own: senders' counters start anew, so a control id names several."""
    return replace(heard, id=sha256(f"{heard.id}{heard.digest}".encode()).hexdigest())


def _unlink(path: str | None) -> None:
    if path:
        Path(path).unlink(missing_ok=True)
