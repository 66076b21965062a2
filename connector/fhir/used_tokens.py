"""Remembers which tokens were used until they end, so that none is taken twice: here, or in Redis for several doors."""

import heapq
import threading
import time
from collections.abc import Callable
from typing import Protocol

from redis import Redis
from redis.exceptions import RedisError

from connector.logs import get_logger

log = get_logger("used-tokens")

_ASK_AGAIN_SECONDS = 10.0  # no EHR waits for a Redis that is away at every call
_MOST_HELD = 200_000  # of live tokens: a flood of them is refused before it fills the memory


class UsedTokens(Protocol):
    """Whether a token comes for the first time."""

    def first_use(self, name: str, until: float) -> bool:
        """Note a token by its digest until it ends (seconds since the epoch); False when it was here before."""


class UsedInMemory:
    """For one process."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._held: set[str] = set()
        self._ends: list[tuple[float, str]] = []

    def first_use(self, name: str, until: float) -> bool:
        """Note it."""
        with self._lock:
            while self._ends and self._ends[0][0] < self._clock():
                self._held.discard(heapq.heappop(self._ends)[1])
            if name in self._held or len(self._held) >= _MOST_HELD:
                return False
            self._held.add(name)
            heapq.heappush(self._ends, (until, name))
            return True


class UsedInRedis:
    """For several processes over the broker's Redis; while it is away each process remembers for itself."""

    def __init__(self, url: str, clock: Callable[[], float] = time.time) -> None:
        self._redis = Redis.from_url(url, socket_timeout=0.5, socket_connect_timeout=0.5)
        self._clock = clock
        self._own = UsedInMemory(clock)
        self._away_until = 0.0

    def first_use(self, name: str, until: float) -> bool:
        """Note it."""
        fresh_here = self._own.first_use(name, until)
        if self._clock() < self._away_until:
            return fresh_here
        seconds = max(1, int(until - self._clock()) + 1)
        try:
            return bool(self._redis.set(f"connector:used:{name}", 1, nx=True, ex=seconds)) and fresh_here
        except RedisError as fault:
            log.warning("broker_away", exception_type=type(fault).__name__)
            self._away_until = self._clock() + _ASK_AGAIN_SECONDS
            return fresh_here
