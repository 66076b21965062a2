"""A sign of life of each process in the ledger, since workers have no door of their own to be asked at."""

import os
import socket
import time
from collections.abc import Callable

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from connector.logs import get_logger
from connector.store import tables as t
from connector.store.inbox import insert_or_ignore

log = get_logger("store.pulse")

EVERY_SECONDS = 10.0
_FORGOTTEN_SECONDS = 86400.0

SignIn = Callable[[], tuple[str, float | None]]  # none, held or refused, and until when a held token is good


class Pulse:
    """Writes that this process lives, at most every ten seconds; a ledger that is away never stops the work."""

    def __init__(
        self, engine: sa.Engine, *, sign_in: SignIn | None = None, now: Callable[[], float] = time.time
    ) -> None:
        self._engine = engine
        self._sign_in = sign_in
        self._now = now
        self._written: dict[str, float] = {}

    def beat(self, part: str) -> None:
        """Tell that a part of the service lives in this process."""
        now = self._now()
        if now - self._written.get(part, 0.0) < EVERY_SECONDS:
            return
        self._written[part] = now
        state, until = self._sign_in() if self._sign_in and part == "worker" else (None, None)
        process = f"{part}@{socket.gethostname()}:{os.getpid()}"[:128]
        row = {"process": process, "part": part, "at": now, "sign_in": state, "sign_in_until": until}
        try:
            with self._engine.begin() as connection:
                if not insert_or_ignore(connection, t.pulse, row):
                    connection.execute(sa.update(t.pulse).where(t.pulse.c.process == process).values(row))
                connection.execute(sa.delete(t.pulse).where(t.pulse.c.at < now - _FORGOTTEN_SECONDS))
        except SQLAlchemyError as fault:
            log.warning("pulse_not_written", exception_type=type(fault).__name__)
