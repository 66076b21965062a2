"""Closes a gap between the two threads of pynetdicom's requestor, through which an answer could be lost."""

import threading
from typing import Any


class Checkpoint(threading.Event):
    """
    Where an association's reactor pauses while a request is under way.

    pynetdicom 3.0.4 marks the reactor as paused before it waits here and as running after it. A sender that clears
    the event between the two takes it for paused, and the reactor then takes the answer for a request of the peer: on
    a busy machine a C-STORE that was answered at once ends in a time-out. Here the mark is taken back in the same step
    in which the reactor passes.
    """

    def __init__(self, association: Any) -> None:
        super().__init__()
        self._association = association
        self._passing = threading.Lock()
        self.set()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until the event is set, and pass with the mark taken back."""
        while super().wait(timeout):
            with self._passing:
                if self.is_set():
                    self._association._is_paused = False  # noqa: SLF001 - the mark has no public name
                    return True
        return False

    def clear(self) -> None:
        """Stop the reactor before its next pass; one that passes at this moment is marked as running."""
        with self._passing:
            super().clear()


def install(event: Any) -> None:
    """Give the association of an opened connection our checkpoint (EVT_CONN_OPEN), before its reactor runs."""
    event.assoc._reactor_checkpoint = Checkpoint(event.assoc)  # noqa: SLF001 - as above
