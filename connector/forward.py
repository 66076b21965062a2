"""Forwards the audit trail from the ledger to its repositories, at least once and in order."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Protocol

from connector.core.errors import Refused, TryLater
from connector.logs import get_logger
from connector.ports import AuditRepository
from connector.store.trail import Trail

log = get_logger("forward")


class Alone(Protocol):
    """A lock over all workers."""

    def alone(self, name: str) -> AbstractContextManager[None]:
        """Hold it. Raises TryLater when another one does."""


class Forwarder:
    """Sends what is due; a repository that is away holds up nothing but itself."""

    def __init__(self, trail: Trail, repositories: Mapping[str, AuditRepository], lock: Alone) -> None:
        self._trail = trail
        self._repositories = repositories
        self._lock = lock

    def run(self) -> int:
        """Send once what is due to every repository; returns how many were taken."""
        return sum(self._forward(name, repository) for name, repository in self._repositories.items())

    def _forward(self, name: str, repository: AuditRepository) -> int:
        taken = 0
        try:
            with self._lock.alone(f"audit:{name}"):
                for record in self._trail.due(name):
                    try:
                        repository.send(record)
                    except Refused as fault:
                        # Nothing else may wait behind it; it stays in our own trail, and a word that it is only there.
                        log.warning("audit_refused", destination=name, kind=record.kind, reason=str(fault))
                        self._trail.note(kind="audit_refused", ref=str(record.event_id), detail=f"{name}: {fault}")
                    self._trail.taken(name, record.event_id)
                    taken += 1
        except TryLater as fault:
            log.warning("audit_waits", destination=name, reason=str(fault))
        return taken
