"""Writes down who saw a card before the EHR gets it: what comes together is made durable by one commit."""

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from connector.core.errors import TryLater
from connector.logs import get_logger

log = get_logger("cds-views")

SEEN_AGAIN_SECONDS = 900.0  # a chart that is opened again and again is one look, as at the console
LOOK_AGAIN_SECONDS = 60.0  # and asks the EHR for news once a minute
_MOST_KEPT = 10_000
Key = TypeVar("Key")
Value = TypeVar("Value")
View = tuple[str, str, tuple[str, ...]]  # hook, who, cases


class Views:
    """
    The views of one door, and the hints that a patient's chart is open.

    One thread writes. While it waits for the disk the next ones gather, and share the commit that follows: under load
    a commit holds as many views as there are callers, and a lone caller waits for no more than its own.
    """

    def __init__(
        self, write: Callable[[Sequence[View], Sequence[str]], None], *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        """`write` makes views, and references of patients to look at, durable; it raises when it cannot."""
        self._write = write
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._seen: dict[View, tuple[float, Future[None]]] = {}
        self._looked: dict[str, float] = {}
        self._views: list[tuple[View, Future[None]]] = []
        self._looks: list[str] = []
        self._is_writing = False
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="cds-views")

    def note(self, view: View, patient: str) -> Future[None]:
        """
        Note a view, and that the patient's chart is open.

        The card may be shown when the future is done: the view is durable then. It fails with TryLater when the ledger
        did not take it. A look within a quarter of an hour of the same one is durable already.
        """
        now = self._monotonic()
        with self._lock:
            is_news = now - self._looked.get(patient, -LOOK_AGAIN_SECONDS) >= LOOK_AGAIN_SECONDS
            if is_news:
                self._looked = _room(self._looked)
                self._looked[patient] = now
                self._looks.append(patient)
            at, noted = self._seen.get(view, (-SEEN_AGAIN_SECONDS, None))
            if noted is None or now - at >= SEEN_AGAIN_SECONDS:
                noted = Future()
                self._seen = _room(self._seen)  # what is forgotten is told twice
                self._seen[view] = (now, noted)
                self._views.append((view, noted))
            if (self._views or self._looks) and not self._is_writing:
                self._is_writing = True
                self._writer.submit(self._work)
        return noted

    def _work(self) -> None:
        while True:
            with self._lock:
                views, self._views = self._views, []
                looks, self._looks = self._looks, []
                self._is_writing = bool(views or looks)
            if not self._is_writing:
                return
            try:
                self._write([view for view, _ in views], looks)
            except Exception as fault:  # noqa: BLE001 - whatever it was, no card of these is shown
                log.warning("views_not_noted", exception_type=type(fault).__name__, count=len(views))
                self._forget(views, looks)
                for _, noted in views:
                    noted.set_exception(TryLater("the audit trail cannot be written now, so no card is shown"))
            else:
                for _, noted in views:
                    noted.set_result(None)

    def _forget(self, views: Sequence[tuple[View, "Future[None]"]], looks: Sequence[str]) -> None:
        with self._lock:
            for view, noted in views:
                if self._seen.get(view, (0.0, None))[1] is noted:
                    del self._seen[view]
            for patient in looks:
                self._looked.pop(patient, None)


def _room(held: dict[Key, Value]) -> dict[Key, Value]:
    return {} if len(held) >= _MOST_KEPT else held
