"""What all workers must know of a neighbour: small notes by name, and locks that a dead worker cannot keep."""

import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import sqlalchemy as sa

from connector.core.errors import TryLater
from connector.store import tables as t
from connector.store.engine import for_reading
from connector.store.inbox import insert_or_ignore

_LOCK_SECONDS = 120.0  # longer than any one request to a neighbour may take


class SqlMemory:
    """The Memory of ports.py over the ledger; every call is committed when it returns."""

    def __init__(self, engine: sa.Engine, *, now: Callable[[], float] = time.time) -> None:
        self._engine = engine
        self._reading = for_reading(engine)
        self._now = now

    def recall(self, name: str) -> str | None:
        """The note of this name, None when there is none."""
        with self._reading.connect() as connection:
            return connection.execute(sa.select(t.note.c.value).where(t.note.c.name == name)).scalar_one_or_none()

    def remember(self, name: str, value: str, *, told: str = "") -> bool:
        """Keep a note; tells whether it was news. `told` is what the logbook says of news."""
        if self.recall(name) == value:
            return False
        now = self._now()
        with self._engine.begin() as connection:
            if not insert_or_ignore(connection, t.note, {"name": name, "value": value, "changed_at": now}):
                changed = connection.execute(
                    sa.update(t.note)
                    .where(t.note.c.name == name, t.note.c.value != value)
                    .values(value=value, changed_at=now)
                )
                if changed.rowcount == 0:
                    return False
            if told:
                connection.execute(
                    sa.insert(t.event).values(at=now, kind=name.split(":", maxsplit=1)[0][:32], ref=name, detail=told)
                )
        return True

    def swap(self, name: str, before: str | None, after: str) -> bool:
        """Change a note if it is still as it was read; False when another worker was faster."""
        now = self._now()
        with self._engine.begin() as connection:
            if before is None:
                return insert_or_ignore(connection, t.note, {"name": name, "value": after, "changed_at": now})
            as_read = (t.note.c.name == name) & (t.note.c.value == before)
            changed = connection.execute(sa.update(t.note).where(as_read).values(value=after, changed_at=now))
            return changed.rowcount == 1

    def forget(self, name: str) -> None:
        """Drop a note."""
        with self._engine.begin() as connection:
            connection.execute(sa.delete(t.note).where(t.note.c.name == name))

    @contextmanager
    def alone(self, name: str) -> Iterator[None]:
        """Hold a lock over all workers. Raises TryLater when another one holds it; a dead one's lock runs out."""
        name, token, now = f"lock:{name}", str(uuid.uuid4()), self._now()
        with self._engine.begin() as connection:
            row = {"name": name, "value": token, "changed_at": now}
            taken = insert_or_ignore(connection, t.note, row) or bool(
                connection.execute(
                    sa.update(t.note)
                    .where(t.note.c.name == name, t.note.c.changed_at < now - _LOCK_SECONDS)
                    .values(value=token, changed_at=now)
                ).rowcount
            )
        if not taken:
            raise TryLater("another worker is writing the same to the EHR", 1.0)
        try:
            yield
        finally:
            with self._engine.begin() as connection:
                connection.execute(sa.delete(t.note).where(t.note.c.name == name, t.note.c.value == token))
