"""What is being asked for by C-MOVE just now, noted in the ledger: any process with a listener may be sent it."""

import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import SQLAlchemyError

from connector.core.errors import TryLater
from connector.store import tables as t
from connector.store.engine import for_reading

_MOVING, _MOVE_SECONDS = "moving:", 4 * 3600.0  # no C-MOVE of one study takes longer


class Expected:
    """
    Series and studies that are to come: one note for each, which holds the requests that ask for it.

    The end of one request ends no other. Looked up by the whole name: it is asked for each instance that is moved here.
    """

    def __init__(self, engine: sa.Engine, *, now: Callable[[], float] = time.time) -> None:
        self._engine = engine
        self._reading = for_reading(engine)
        self._now = now

    @contextmanager
    def expecting(self, uids: Sequence[str]) -> Iterator[None]:
        """Note what is being asked for, while it is."""
        request = f"{self._now()} {uuid.uuid4().hex}\n"
        names = sorted({f"{_MOVING}{uid}" for uid in uids})  # in one order, so that no two wait for each other
        stale = t.note.c.changed_at < self._now() - _MOVE_SECONDS
        with self._engine.begin() as connection:
            connection.execute(sa.delete(t.note).where(t.note.c.name.startswith(_MOVING), stale))
            for name in names:
                self._drop_stale(connection, name)
                connection.execute(_add(connection, {"name": name, "value": request, "changed_at": self._now()}))
        try:
            yield
        finally:
            here = t.note.c.name.in_(names)
            with self._engine.begin() as connection:
                for name in names:
                    _take_out(connection, name, request)
                connection.execute(sa.delete(t.note).where(here, t.note.c.value == ""))

    def is_expected(self, uids: Sequence[str]) -> bool:
        """Whether one of these is being asked for; the request of a process that died grows stale. Raises TryLater."""
        there = sa.select(t.note.c.value).where(t.note.c.name.in_([f"{_MOVING}{uid}" for uid in uids]))
        try:
            with self._reading.connect() as connection:
                values = connection.execute(there).scalars().all()
        except SQLAlchemyError as fault:
            raise TryLater(f"the ledger does not answer ({type(fault).__name__}): send again") from fault
        return any(not self._is_stale(request) for value in values for request in value.splitlines())

    def _drop_stale(self, connection: sa.Connection, name: str) -> None:
        """Take out what processes that died left here, however often the same was asked for since."""
        value = connection.execute(sa.select(t.note.c.value).where(t.note.c.name == name)).scalar_one_or_none()
        for request in (value or "").splitlines(keepends=True):
            if self._is_stale(request):
                _take_out(connection, name, request)

    def _is_stale(self, request: str) -> bool:
        begun_at, _, name = request.partition(" ")  # one without a time is of a release that runs no longer
        return not name or float(begun_at) <= self._now() - _MOVE_SECONDS


def _take_out(connection: sa.Connection, name: str, request: str) -> None:
    """One request of those that are there, whatever else is added or ends at this very moment."""
    without = sa.func.replace(t.note.c.value, request, "")
    connection.execute(sa.update(t.note).where(t.note.c.name == name).values(value=without))


def _add(connection: sa.Connection, row: dict[str, object]) -> sa.Insert:
    """A request beside those that are there, in one statement: another one may end at this very moment."""
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    statement = dialect.insert(t.note).values(row)
    new = statement.excluded
    added: sa.Insert = statement.on_conflict_do_update(
        index_elements=[t.note.c.name], set_={"value": t.note.c.value + new.value, "changed_at": new.changed_at}
    )
    return added
