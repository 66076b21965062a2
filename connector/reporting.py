"""Tells senders what we keep for them (storage commitment), until they take it or a person has to look."""

import time
from collections.abc import Callable

from sqlalchemy.exc import OperationalError

from connector.core.errors import TryLater
from connector.dicom.receive_commitment import PeerAway, Request
from connector.flow import Outcome, outcome_of
from connector.logs import get_logger
from connector.store.jobs import Lease, LeaseLost, back_off_seconds
from connector.store.ledger import SqlLedger
from connector.store.promises import Promises

log = get_logger("reporting")

GIVE_UP_SECONDS = 3 * 86400.0  # a scanner may be switched off over a weekend

# Reports on a request of an AE title; returns what is kept of it, in words. Raises TryLater or Refused.
Send = Callable[[str, Request], str]


class Reporting:
    """Runs where senders are listened to, since they know that address; a peer that is away holds up no other."""

    def __init__(
        self, ledger: SqlLedger, promises: Promises, send: Send, *, now: Callable[[], float] = time.time
    ) -> None:
        self._ledger = ledger
        self._promises = promises
        self._send = send
        self._now = now

    def run(self) -> int:
        """Try once what is due; returns how many results were taken."""
        taken, away = 0, set[str]()
        for job_id, peer in self._promises.due():
            lease = self._ledger.jobs.claim(job_id) if peer not in away else None
            if lease is None:
                continue
            try:
                taken += self._report(lease, peer)
            except LeaseLost:
                log.warning("lease_lost", kind=lease.kind, calling_ae_title=peer)
            except (OperationalError, OSError) as fault:
                # The database or the disk is away for now; the sender is not to blame, and no person is asked.
                pause = back_off_seconds(lease.attempts + 1)
                self._record(lease, peer, Outcome("due", f"ledger or disk away ({type(fault).__name__})", pause))
            except Exception as fault:  # noqa: BLE001 - the edge of a thread: every failure gets its recorded reaction
                outcome = self._outcome(lease, fault)
                self._record(lease, peer, outcome)
                if isinstance(fault, PeerAway):
                    away.add(peer)
                    self._promises.put_off(peer, seconds=outcome.in_seconds)
        return taken

    def _report(self, lease: Lease, peer: str) -> bool:
        promise = self._promises.promise(lease.ref)
        if promise is None:  # erased at this moment, and its step with it
            return False
        told = self._send(peer, Request(promise.transaction_uid, promise.references))
        self._promises.reported(lease, peer, told)
        log.info("commitment_reported", calling_ae_title=peer, count=len(promise.references))
        return True

    def _outcome(self, lease: Lease, fault: Exception) -> Outcome:
        """By time and not by tries: a sender that is switched off refuses at once, one that hangs after a while."""
        tries = lease.attempts + 1
        is_over = isinstance(fault, TryLater) and self._now() - lease.asked_at >= GIVE_UP_SECONDS
        outcome = outcome_of(
            fault, attempts=tries, maximum_attempts=tries if is_over else tries + 1, back_off=back_off_seconds
        )
        return Outcome(outcome.state, f"{outcome.reason}; then replay") if is_over else outcome

    def _record(self, lease: Lease, peer: str, outcome: Outcome) -> None:
        log.warning("commitment_not_reported", calling_ae_title=peer, state=outcome.state, reason=outcome.reason)
        try:
            if outcome.state == "due":
                self._ledger.jobs.retry(lease, outcome.reason, in_seconds=outcome.in_seconds)
                return
            with self._ledger.transaction() as connection:
                self._ledger.jobs.stop(connection, lease, state=outcome.state, reason=outcome.reason)
                self._ledger.tell(
                    connection, kind="commitment_not_reported", ref=peer, detail=outcome.reason, succeeded=False
                )
        except LeaseLost:
            log.warning("lease_lost", kind=lease.kind, calling_ae_title=peer)
