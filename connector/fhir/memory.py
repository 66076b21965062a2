"""The memory of one process, where no ledger is at hand: the same promises, for as long as the process lives."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class ProcessMemory:
    """The Memory of ports.py in a dictionary."""

    def __init__(self) -> None:
        self._notes: dict[str, str] = {}
        self._locks: dict[str, threading.Lock] = {}
        self._guard = threading.Lock()

    def recall(self, name: str) -> str | None:
        """The note of this name, None when there is none."""
        return self._notes.get(name)

    def remember(self, name: str, value: str, *, told: str = "") -> bool:  # noqa: ARG002 - no logbook is at hand
        """Keep a note; tells whether it was news."""
        news = self._notes.get(name) != value
        self._notes[name] = value
        return news

    def swap(self, name: str, before: str | None, after: str) -> bool:
        """Change a note if it is still as it was read."""
        with self._guard:
            unchanged = self._notes.get(name) == before
            if unchanged:
                self._notes[name] = after
            return unchanged

    def forget(self, name: str) -> None:
        """Drop a note."""
        self._notes.pop(name, None)

    @contextmanager
    def alone(self, name: str) -> Iterator[None]:
        """Hold a lock over all threads."""
        with self._guard:
            lock = self._locks.setdefault(name, threading.Lock())
        with lock:
            yield
