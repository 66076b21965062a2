"""Looks for news in the records of followed patients: in rounds that the clock asks for, and at once after a hint."""

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Protocol

from connector.core.errors import ConnectorError, TryLater
from connector.logs import get_logger
from connector.store.desk import Desk

log = get_logger("looks")

_AWAY_SECONDS, _AWAY_IN_A_ROW = 60.0, 3  # one record waits for so long; so many, and the EHR is away as a whole
GATHER_SECONDS = 0.5  # one panel of results comes as several notices
HINTED_ROUNDS, HINTED_SECONDS = 3, 60.0  # so many rounds in so long; what is hinted beyond, the clock's rounds find


class Look(Protocol):
    """Looks for new Observations of one patient: (record reference, high-water mark) → (changed, new mark)."""

    def __call__(self, record_reference: str, seen_until: str | None) -> tuple[bool, str | None]:
        """Look once. Raises TryLater or Refused."""


class Looks:
    """The rounds; `watch` keeps the EHR's subscription alive, and is called before each."""

    def __init__(
        self,
        desk: Desk,
        look: Look | None,
        *,
        watch: Callable[[], None] | None = None,
        poll_seconds: float = 60.0,
        follow_days: int = 365,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._desk = desk
        self._look = look
        self._watch = watch
        self._poll_seconds = poll_seconds
        self._follow_seconds = follow_days * 86400.0
        self._now = now

    def round(self) -> int:
        """Look once for every followed patient whose turn it is; returns how many changed."""
        if self._watch is not None:
            self._watch()
        if self._look is None:
            return 0
        now = self._now()
        changed_patients = away = 0
        due = self._desk.followed(not_since=now - self._poll_seconds, studied_after=now - self._follow_seconds)
        for followed in due:
            if not self._desk.begin_look(followed):
                continue  # a round that takes longer than the next one's beginning meets it here
            try:
                changed, seen_until = self._look(followed.record_reference, followed.seen_until)
            except TryLater as fault:
                log.warning("record_away", case_ref=followed.case_ref, reason=str(fault))
                pause = max(min(_AWAY_SECONDS, self._poll_seconds), fault.retry_after_seconds or 0.0)
                self._desk.put_off_look(followed, polled_at=self._now() - self._poll_seconds + pause)
                away += 1
                if away == _AWAY_IN_A_ROW:
                    break
                continue
            except ConnectorError as fault:
                log.warning("record_refused", case_ref=followed.case_ref, reason=str(fault))
            else:
                changed_patients += self._desk.looked(followed, seen_until=seen_until, changed=changed)
            away = 0
        if changed_patients:
            log.info("records_changed", count=changed_patients)
        return changed_patients


class Hints:
    """
    Has a round begin at once when somebody hinted at news.

    An EHR tells of every result of the hospital, so few of its hints are of our patients: in a storm of them there are
    three rounds a minute more than the clock asks for, and no hint waits for a round in its caller's thread. What was
    hinted stands in the ledger: a hint that is lost here, or left to the clock, costs the time to the next tick.
    """

    def __init__(self, begin: Callable[[], object], *, now: Callable[[], float] = time.monotonic) -> None:
        self._begin = begin
        self._now = now
        self._begun_at: deque[float] = deque(maxlen=HINTED_ROUNDS)
        self._hinted = threading.Event()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="hints", daemon=True)

    def hint(self) -> None:
        """There may be news; returns at once."""
        self._hinted.set()

    def start(self) -> None:
        """Take hints up from now on."""
        self._thread.start()

    def stop(self) -> None:
        """Take no more up; a round that has begun is given ten seconds to end."""
        self._stopped.set()
        self._hinted.set()
        if self._thread.ident is not None:
            self._thread.join(timeout=10.0)

    def _run(self) -> None:
        while self._hinted.wait() and not self._stopped.wait(GATHER_SECONDS):
            # Before the round, so that what is hinted while it runs has another one.
            self._hinted.clear()
            self.take_up()

    def take_up(self) -> bool:
        """Begin a round unless there were too many lately; tells whether it did."""
        now = self._now()
        if len(self._begun_at) == HINTED_ROUNDS and now - self._begun_at[0] < HINTED_SECONDS:
            return False
        self._begun_at.append(now)
        try:
            self._begin()
        except Exception as fault:  # noqa: BLE001 - the edge of a thread: the clock's next round sees the same ledger
            log.warning("tick_failed", task="look", exception_type=type(fault).__name__)
        return True
