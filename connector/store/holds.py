"""Cases that are held: nothing is assessed or sent of them until a person has compared images and record."""

import sqlalchemy as sa

from connector.store import tables as t
from connector.store.engine import for_reading
from connector.store.inbox import insert_or_ignore
from connector.store.ledger import SqlLedger

_HELD = "held:"


def hold(ledger: SqlLedger, connection: sa.Connection, newest: dict[str, str], why: str) -> None:
    """Hold cases, each given with its newest study, whose next step then tells a person; `why` is one sentence."""
    for case_ref, study in newest.items():
        row = {"name": f"{_HELD}{case_ref}", "value": why, "changed_at": ledger.now()}
        insert_or_ignore(connection, t.note, row)
        # Who was released before was compared before: it counts no more.
        connection.execute(sa.update(t.study).where(t.study.c.case_ref == case_ref).values(identity_released_at=None))
        ledger.ask_assessment(connection, study, case_ref)


def let_go(ledger: SqlLedger, connection: sa.Connection, case_ref: str) -> None:
    """A person compared: what stopped because the case was held goes on."""
    here = t.note.c.name == f"{_HELD}{case_ref}"
    why = connection.execute(sa.select(t.note.c.value).where(here)).scalar_one_or_none()
    if why is None:
        return
    connection.execute(sa.delete(t.note).where(here))
    studies = sa.select(t.study.c.study_instance_uid).where(t.study.c.case_ref == case_ref)
    documents = sa.select(t.document.c.id).where(t.document.c.study_instance_uid.in_(studies))
    now = ledger.now()
    connection.execute(
        sa.update(t.job)
        .where(t.job.c.state == "set_aside", t.job.c.reason.startswith(why, autoescape=True))
        .where(t.job.c.ref.in_(studies) | t.job.c.ref.in_(documents))
        .values(state="due", due_at=now, queued_until=0.0, attempts=0, reason=None, changed_at=now)
    )


class Holds:
    """Which cases are held."""

    def __init__(self, ledger: SqlLedger) -> None:
        self._reading = for_reading(ledger.engine)

    def of_case(self, case_ref: str) -> str | None:
        """Why the case is held; None when it is not."""
        with self._reading.connect() as connection:
            found = sa.select(t.note.c.value).where(t.note.c.name == f"{_HELD}{case_ref}")
            return connection.execute(found).scalar_one_or_none()

    def of_study(self, study_instance_uid: str) -> str | None:
        """Why the case of a study is held; None when it is not."""
        case = sa.select(t.study.c.case_ref).where(t.study.c.study_instance_uid == study_instance_uid)
        with self._reading.connect() as connection:
            case_ref = connection.execute(case).scalar_one_or_none()
        return None if case_ref is None else self.of_case(case_ref)
