"""Work that many threads bring and one thread does for all: what comes while it works is its next batch."""

import queue
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Generic, TypeVar

from connector.core.errors import TryLater

_LARGEST_BATCH = 64
_IDLE_SECONDS = 0.2

Brought = TypeVar("Brought")
Told = TypeVar("Told")


class Waiting(Generic[Brought, Told]):
    """What one thread brought and waits for; a Future would take as long as some of the work."""

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
        """Wait to be told, once. Raises what it is told when that is an exception."""
        self._told.acquire()
        what = self._what[0]
        if isinstance(what, Exception):
            raise what
        return what


class Batches(Generic[Brought, Told]):
    """
    One thread and its queue.

    `work` does a batch and returns what to tell for each, an exception for what failed; when it raises, everybody of
    the batch is told that. `idle` is called by the thread when nobody brought anything for a moment, and at the end.
    """

    def __init__(
        self,
        work: Callable[[list[Brought]], Sequence[Told | Exception]],
        *,
        name: str,
        idle: Callable[[], None] | None = None,
    ) -> None:
        self._work = work
        self._idle = idle
        self._lock = threading.Lock()
        self._closed = False
        self._queue: queue.SimpleQueue[Waiting[Brought, Told] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def begin(self, brought: Brought) -> Waiting[Brought, Told]:
        """Have something done; `result` of what is returned waits for it. Raises TryLater when this is closed."""
        waiting: Waiting[Brought, Told] = Waiting(brought)
        with self._lock:  # nothing is queued behind the thread's last word, where it would be waited for in vain
            if self._closed:
                raise TryLater("the service is stopping: send again")
            if self._thread.ident is None:
                self._thread.start()
            self._queue.put(waiting)
        return waiting

    def close(self) -> None:
        """Do what is queued and stop; what comes later is refused."""
        with self._lock:
            self._closed = True
            self._queue.put(None)
        if self._thread.ident is not None:
            self._thread.join()

    def _run(self) -> None:
        is_last = False
        while not is_last:
            first = self._next()
            batch, is_last = self._drained(first) if first is not None else ([], True)
            if batch:
                self._do(batch)
        self._rest()

    def _next(self) -> Waiting[Brought, Told] | None:
        """Who waits first, None at the end."""
        if self._idle is not None:
            with suppress(queue.Empty):
                return self._queue.get(timeout=_IDLE_SECONDS)
            self._rest()
        return self._queue.get()

    def _rest(self) -> None:
        """Nobody comes for a while. Never raises, as `_do`: the next to come would wait for ever."""
        if self._idle is not None:
            with suppress(Exception):
                self._idle()

    def _drained(self, first: Waiting[Brought, Told]) -> tuple[list[Waiting[Brought, Told]], bool]:
        """All that wait, and whether they are the last."""
        batch = [first]
        with suppress(queue.Empty):
            while len(batch) < _LARGEST_BATCH:
                more = self._queue.get_nowait()
                if more is None:
                    return batch, True
                batch.append(more)
        return batch, False

    def _do(self, batch: list[Waiting[Brought, Told]]) -> None:
        """Do a batch and tell everybody who waits. Never raises: the thread that all wait for must go on."""
        told: Sequence[Told | Exception]
        try:
            told = self._work([one.brought for one in batch])
        except Exception as fault:  # noqa: BLE001 - whatever went wrong, each must hear that nothing is done
            told = [fault] * len(batch)
        for one, what in zip(batch, told, strict=True):
            one.tell(what)
