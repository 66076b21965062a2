"""Many commits as one: a single thread writes what several threads bring, and nobody is answered before the commit."""

import queue
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Generic, TypeVar

import sqlalchemy as sa
from sqlalchemy.exc import DataError, SQLAlchemyError

from connector.core.errors import ImpossibleInput, TryLater
from connector.logs import get_logger

log = get_logger("group_commit")

_LARGEST_BATCH = 64
_HELD_SECONDS = 0.2  # how long the writer keeps its connection while nobody brings anything

Brought = TypeVar("Brought")
Told = TypeVar("Told")


class Waiting(Generic[Brought, Told]):
    """What one thread brought and waits for; a Future would take as long as the database takes for the row."""

    __slots__ = ("_told", "_what", "brought")

    def __init__(self, brought: Brought) -> None:
        self.brought = brought
        self._what: list[Told | Exception] = []
        self._told = threading.Lock()
        self._told.acquire()

    def tell(self, what: Told | Exception) -> None:
        """Say what became of it, once."""
        self._what.append(what)
        self._told.release()

    def result(self) -> Told:
        """Wait to be told. Raises what it is told when that is an exception."""
        self._told.acquire()
        what = self._what[0]
        if isinstance(what, Exception):
            raise what
        return what


class GroupCommit(Generic[Brought, Told]):
    """
    Commits what is brought while the last commit runs in one transaction.

    `write` writes a batch in an open transaction and returns what to tell for each; a batch comes in the order of
    `order`, the same in every process, or two of them could wait for each other's rows.
    """

    def __init__(
        self,
        engine: sa.Engine,
        write: Callable[[sa.Connection, Sequence[Brought]], Sequence[Told]],
        *,
        order: Callable[[Brought], tuple[str, ...]],
        name: str,
    ) -> None:
        self._engine = engine
        self._write = write
        self._order = order
        self._held: sa.Connection | None = None
        self._closing = threading.Lock()
        self._closed = False
        self._queue: queue.SimpleQueue[Waiting[Brought, Told] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def commit(self, brought: Brought) -> Told:
        """
        Write one thing and return when it is committed.

        Raises TryLater when the database is away or this is closed, ImpossibleInput when a value does not fit it.
        """
        waiting: Waiting[Brought, Told] = Waiting(brought)
        with self._closing:  # nothing is queued behind the thread's last word, where it would be waited for in vain
            if self._closed:
                raise TryLater("the service is stopping: send again")
            self._queue.put(waiting)
        return waiting.result()

    def close(self) -> None:
        """Commit what is queued and stop; what comes later is refused."""
        with self._closing:
            self._closed = True
            self._queue.put(None)
        self._thread.join()

    def _run(self) -> None:
        stop = False
        while not stop:
            first = self._next()
            if first is None:
                break
            batch, stop = self._drain(first)
            self._commit(sorted(batch, key=lambda one: self._order(one.brought)))
        self._let_go()

    def _next(self) -> Waiting[Brought, Told] | None:
        """Who waits first, None at the end. While nobody comes, the connection goes back to the pool."""
        if self._held is not None:
            with suppress(queue.Empty):
                return self._queue.get(timeout=_HELD_SECONDS)
            self._let_go()
        return self._queue.get()

    def _drain(self, first: Waiting[Brought, Told]) -> tuple[list[Waiting[Brought, Told]], bool]:
        batch = [first]
        while len(batch) < _LARGEST_BATCH:
            try:
                more = self._queue.get_nowait()
            except queue.Empty:
                return batch, False
            if more is None:
                return batch, True
            batch.append(more)
        return batch, False

    def _commit(self, batch: list[Waiting[Brought, Told]]) -> None:
        """Write a batch and tell everybody who waits. Never raises: the thread that all wait for must go on."""
        try:
            told = self._write_all([one.brought for one in batch])
        except Exception as fault:  # noqa: BLE001 - whatever went wrong, each must hear that nothing is stored
            self._let_go()
            is_away = isinstance(fault, SQLAlchemyError | OSError) and not isinstance(fault, DataError)
            if len(batch) > 1 and not is_away:  # one that the database cannot hold must not keep the others out
                for one in batch:
                    self._commit([one])
                return
            if not isinstance(fault, SQLAlchemyError | OSError):
                log.warning("not_recorded", exception_type=type(fault).__name__)
            for one in batch:
                one.tell(_told(fault))
            return
        for one, what in zip(batch, told, strict=True):
            one.tell(what)

    def _write_all(self, brought: Sequence[Brought]) -> Sequence[Told]:
        """Write in one transaction; when this returns, it is committed."""
        if self._held is None:  # kept from batch to batch: to take one for each costs as much as to write it
            self._held = self._engine.connect()
        with self._held.begin():
            return self._write(self._held, brought)

    def _let_go(self) -> None:
        held, self._held = self._held, None
        if held is not None:
            with suppress(SQLAlchemyError):
                held.close()


def _told(fault: Exception) -> Exception:
    """What a sender hears: of an object that does not fit the database, or of a database that is away."""
    told: Exception
    if isinstance(fault, DataError):
        told = ImpossibleInput("an attribute does not fit the ledger: the sender must correct the object")
    else:
        told = TryLater(f"the ledger did not commit ({type(fault).__name__}): send again")
    told.__cause__ = fault
    return told
