"""What is being asked for by C-MOVE just now, noted in the ledger: any process with a listener may be sent it."""

import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from connector.core.errors import TryLater
from connector.store import tables as t
from connector.store.engine import for_reading

_MOVING, _MOVE_SECONDS = "moving:", 4 * 3600.0  # no C-MOVE of one study takes longer


class Expected:
    """Series and studies that are to come. Each request has notes of its own: the end of one ends no other."""

    def __init__(self, engine: sa.Engine, *, now: Callable[[], float] = time.time) -> None:
        self._engine = engine
        self._reading = for_reading(engine)
        self._now = now

    @contextmanager
    def expecting(self, uids: Sequence[str]) -> Iterator[None]:
        """Note what is being asked for, while it is."""
        request = uuid.uuid4().hex
        names = [f"{_MOVING}{uid}:{request}" for uid in uids]
        rows = [{"name": name, "value": "", "changed_at": self._now()} for name in names]
        if rows:
            with self._engine.begin() as connection:
                stale = t.note.c.name.startswith(_MOVING) & (t.note.c.changed_at < self._now() - _MOVE_SECONDS)
                connection.execute(sa.delete(t.note).where(stale))
                connection.execute(sa.insert(t.note), rows)
        try:
            yield
        finally:
            with self._engine.begin() as connection:
                connection.execute(sa.delete(t.note).where(t.note.c.name.in_(names)))

    def is_expected(self, uids: Sequence[str]) -> bool:
        """Whether one of these is being asked for; the note of a process that died grows stale. Raises TryLater."""
        there = sa.select(t.note.c.name).where(
            sa.or_(sa.false(), *(t.note.c.name.startswith(f"{_MOVING}{uid}:") for uid in uids)),
            t.note.c.changed_at > self._now() - _MOVE_SECONDS,
        )
        try:
            with self._reading.connect() as connection:
                return connection.execute(there.limit(1)).first() is not None
        except SQLAlchemyError as fault:
            raise TryLater(f"the ledger does not answer ({type(fault).__name__}): send again") from fault
