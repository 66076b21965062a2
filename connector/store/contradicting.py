"""Keeps whom the record named when it contradicted the images, so that a person compares both before deciding."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import sqlalchemy as sa

from connector.core.case import Identifier, PatientIdentity
from connector.store import tables as t
from connector.store.engine import for_reading
from connector.store.inbox import insert_or_ignore

_NAME = "contradicting_record:"


@dataclass(frozen=True, slots=True)
class RecordSeen:
    """Whom the record named, and when it was read."""

    identity: PatientIdentity
    read_at: float


class Contradicting:
    """What pages read of it."""

    def __init__(self, engine: sa.Engine) -> None:
        self._reading = for_reading(engine)

    def record(self, study_instance_uid: str) -> RecordSeen | None:
        """Whom the record named when it contradicted the study's images; None when it did not, or that is settled."""
        query = sa.select(t.note).where(t.note.c.name == _NAME + study_instance_uid)
        with self._reading.connect() as connection:
            row = connection.execute(query).one_or_none()
        return None if row is None else RecordSeen(_from_text(row.value), row.changed_at)


def keep(connection: sa.Connection, study_instance_uid: str, record: PatientIdentity, *, now: float) -> None:
    """Keep whom the record named; a later reading replaces an earlier one."""
    row = {"name": _NAME + study_instance_uid, "value": _as_text(record), "changed_at": now}
    if not insert_or_ignore(connection, t.note, row):
        connection.execute(sa.update(t.note).where(t.note.c.name == row["name"]).values(row))


def forget(connection: sa.Connection, study_instance_uids: Sequence[str]) -> None:
    """Drop it: the study was assessed, or its case goes."""
    names = [_NAME + uid for uid in study_instance_uids]
    connection.execute(sa.delete(t.note).where(t.note.c.name.in_(names)))


def _as_text(identity: PatientIdentity) -> str:
    return json.dumps(
        {
            "identifiers": [[one.value, one.system, one.type_code] for one in identity.identifiers],
            "family_name": identity.family_name,
            "given_name": identity.given_name,
            "birth_date": identity.birth_date.isoformat() if identity.birth_date else None,
            "sex": identity.sex,
        },
        ensure_ascii=False,
    )


def _from_text(text: str) -> PatientIdentity:
    kept = json.loads(text)
    born = kept.pop("birth_date")
    identifiers = tuple(Identifier(*each) for each in kept.pop("identifiers"))
    return PatientIdentity(identifiers, birth_date=date.fromisoformat(born) if born else None, **kept)
