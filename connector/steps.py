"""The steps that workers run: each takes one id, does one step of the flow under a lease, and records how it ended."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from sqlalchemy import Connection
from sqlalchemy.exc import OperationalError

from connector.contract.assessment import render
from connector.contract.earlier import read_earlier
from connector.contract.reading import dumps
from connector.core.errors import ImpossibleInput, Refused, TryLater
from connector.core.matching import TwoPatients
from connector.flow import (
    RELEASE_HINT,
    Flow,
    Gathered,
    Outcome,
    Subject,
    assessment_day,
    deliver,
    digest_of,
    outcome_of,
)
from connector.logs import get_logger
from connector.orders import Orders
from connector.ports import COMMITMENT_ASKED, Destination, Withdrawer
from connector.routing import Routing, every_study
from connector.store import contradicting
from connector.store.commitments import Commitments
from connector.store.completeness import Completeness, complete_fetched
from connector.store.desk import Desk
from connector.store.holds import Holds
from connector.store.jobs import Lease, LeaseLost, back_off_seconds
from connector.store.ledger import SqlLedger, StudyRow
from connector.store.withdrawals import WITHDRAWING, Withdrawals
from connector.tracing import NO_TRACING, Tracing

log = get_logger("steps")


class Priors(Protocol):
    """Fetches what the PACS holds of a patient's other studies into the ledger; returns what a person should know."""

    def __call__(self, study: StudyRow) -> str:
        """Fetch once. Raises TryLater, ImpossibleInput or Refused."""


class Steps:
    """Sweep, assess, deliver and withdraw, over one ledger."""

    def __init__(
        self,
        *,
        ledger: SqlLedger,
        desk: Desk,
        flow: Flow,
        destinations: Mapping[str, Destination],
        priors: Priors | None = None,
        quiet_seconds: float,
        routing: Routing | None = None,
        orders: Orders | None = None,
        retrieve: Callable[[str], None] | None = None,
        maximum_attempts: int,
        withdrawers: Sequence[Withdrawer] = (),
        tracing: Tracing = NO_TRACING,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._ledger = ledger
        self._desk = desk
        self._flow = flow
        self._destinations = destinations
        self._priors = priors
        self._completeness = Completeness(ledger, routing or every_study(quiet_seconds))
        self._orders = orders
        self._retrieve = retrieve
        self._maximum_attempts = maximum_attempts
        self._withdrawers = withdrawers
        self._withdrawals = Withdrawals(ledger)
        self._holds = Holds(ledger)
        self._commitments = Commitments(ledger)
        self._tracing = tracing
        self._now = now

    def sweep(self) -> Sequence[tuple[str, str]]:
        """Complete studies that are quiet or told complete, and hand out what is due, as (job id, kind)."""
        if self._orders is not None:
            self._orders.advance()
        completed = self._completeness.judge()
        if completed:
            log.info("studies_complete", count=completed)
        return self._ledger.jobs.take_due()

    def run(self, job_id: str) -> Sequence[str]:
        """Do one job if it can be claimed; returns the jobs that are due because of it."""
        lease = self._ledger.jobs.claim(job_id)
        if lease is None:
            return ()
        started = time.monotonic()
        step = {"assess": self._assess, "deliver": self._deliver, "withdraw": self._withdraw}[lease.kind]
        try:
            with self._tracing.span(
                lease.kind, lease.traceparent, document_id=lease.ref, kind=lease.kind, attempt=lease.attempts + 1
            ):
                following = step(lease)
        except LeaseLost:
            log.warning("lease_lost", document_id=lease.ref, kind=lease.kind)
            return ()
        except (OperationalError, OSError) as fault:
            # The database or the disk is away for now; the input is not to blame.
            pause = back_off_seconds(lease.attempts + 1)
            self._record_failure(lease, Outcome("due", f"ledger or disk away ({type(fault).__name__})", pause))
            return ()
        except Exception as fault:  # noqa: BLE001 - the edge of a task: every failure gets its recorded reaction
            outcome = outcome_of(
                fault,
                attempts=lease.attempts + 1,
                maximum_attempts=self._maximum_attempts,
                back_off=back_off_seconds,
                asked_seconds_ago=self._now() - lease.asked_at,
            )
            self._record_failure(lease, outcome, fault)
            return ()
        log.info("step_done", kind=lease.kind, document_id=lease.ref, seconds=round(time.monotonic() - started, 3))
        return following

    def _assess(self, lease: Lease) -> Sequence[str]:
        study = self._ledger.study(lease.ref)
        if study is None or not study.paths or not study.is_here:  # ordered, and never sent here or tidied away since
            study = self._fetch_ordered(lease.ref)
        # News of the record may ask for one that is not whole yet, or that is kept out.
        if study.is_rejected or study.is_waiting:
            with self._ledger.transaction() as connection:
                self._ledger.jobs.done(connection, lease)
            return ()
        self._refuse_held(self._holds.of_case(study.case_ref))
        self._trace_reception(lease, study)
        told = self._fetch_priors(study)
        before, study = study, self._ledger.study(lease.ref) or study
        subject = Subject(
            study_instance_uid=study.study_instance_uid,
            case_ref=study.case_ref,
            paths=study.paths,
            prior_paths=study.prior_paths,
            identity_released=study.identity_released,
            is_latest_study=study.is_latest,
            told=(*study.told, *told),
        )
        with self._tracing.span("read", study_instance_uid=study.study_instance_uid, count=len(study.paths)):
            gathered = self._flow.gather(subject)
        digest, ruleset = digest_of(gathered, study.assess)
        if self._ledger.has_assessment(study.study_instance_uid, digest, ruleset):
            return self._finish_unchanged(lease, study, gathered)
        summary = self._ledger.earlier_summary(study.study_instance_uid)
        with self._tracing.span("decide"):
            assessment = self._flow.assess(
                gathered,
                today=assessment_day(lease.asked_at),
                previous=read_earlier(summary) if summary is not None else None,
                parts=study.assess,
            )
        with self._tracing.span("write"):
            documents = self._flow.write(
                gathered,
                assessment,
                paths=study.paths,
                predecessors=self._ledger.predecessors(study.study_instance_uid),
                is_latest_study=study.is_latest,
            )
        with self._ledger.transaction() as connection:
            following = self._ledger.save(
                connection, assessment, dumps(render(assessment)), documents,
                caused_at=lease.caused_at, traceparent=self._tracing.here() or lease.traceparent,
            )  # fmt: skip
            self._ledger.tell(
                connection, kind="assessed", ref=study.study_instance_uid, case_ref=study.case_ref,
                detail=f"{len(documents)} documents by {ruleset}",
            )  # fmt: skip
            for skipped in gathered.case.skipped:
                self._ledger.tell(
                    connection, kind="not_used", ref=study.study_instance_uid, case_ref=study.case_ref,
                    detail=skipped.reason,
                )  # fmt: skip
            if len(study.prior_paths) > len(before.prior_paths):
                self._ledger.tell(
                    connection, kind="priors_read", ref=study.study_instance_uid, case_ref=study.case_ref,
                    detail=f"{len(study.prior_paths) - len(before.prior_paths)} instances of earlier studies",
                )  # fmt: skip
            self._leave_assessed(connection, lease, study, gathered)
        return following

    def _fetch_ordered(self, study_instance_uid: str) -> StudyRow:
        """Have a study that was ordered, and never sent here, from the PACS."""
        if self._retrieve is None:
            raise Refused("the ordered study is not here: set CONNECTOR_PACS_HOST or CONNECTOR_PACS_DICOMWEB_URL")
        self._retrieve(study_instance_uid)
        # Complete, whatever the routing rules say of it; the job that asks again finds nothing new.
        complete_fetched(self._ledger, study_instance_uid)
        study = self._ledger.study(study_instance_uid)
        if study is None or not study.paths:
            raise Refused("the PACS sent no instance of the ordered study: look for it there")
        if not (study.is_here or study.is_rejected):
            raise TryLater("the ordered study is being tidied away at this moment")
        return study

    def _trace_reception(self, lease: Lease, study: StudyRow) -> None:
        """Tell of the reception, which is the beginning of the trace, when its step runs for the first time."""
        if lease.attempts == 0 and lease.traceparent == study.traceparent:
            self._tracing.past(
                "receive", study.traceparent, began_at=study.received_from, ended_at=study.received_until,
                study_instance_uid=study.study_instance_uid, count=len(study.paths),
            )  # fmt: skip

    def _fetch_priors(self, study: StudyRow) -> tuple[str, ...]:
        """Fetch earlier studies; a PACS that is away is asked again, one that refuses is told in the result."""
        if self._priors is None:
            return ()
        try:
            note = self._priors(study)
        except Refused as fault:
            return (f"earlier studies could not be fetched from the PACS: {fault}",)
        return (note,) if note else ()

    def _finish_unchanged(self, lease: Lease, study: StudyRow, gathered: Gathered) -> Sequence[str]:
        with self._ledger.transaction() as connection:
            self._leave_assessed(connection, lease, study, gathered)
        return ()

    def _leave_assessed(self, connection: Connection, lease: Lease, study: StudyRow, gathered: Gathered) -> None:
        if gathered.record is not None:
            record_reference = gathered.record.patient_reference
            self._desk.follow(connection, case_ref=study.case_ref, record_reference=record_reference)
            self._ledger.tell(
                connection, kind="record_read", ref=record_reference, case_ref=study.case_ref, detail="read for facts"
            )
        if not study.is_latest and study.latest_study_instance_uid in study.studies_here:
            # An older study changes what the newest one is compared with.
            self._ledger.ask_assessment(connection, study.latest_study_instance_uid, study.case_ref)
        contradicting.forget(connection, [study.study_instance_uid])
        self._ledger.jobs.done(connection, lease)

    def _deliver(self, lease: Lease) -> Sequence[str]:
        document = self._ledger.document(lease.ref)
        if document is None:
            raise LeaseLost(lease.job_id)
        began_at = self._now()
        takes_back = document.kind in WITHDRAWING
        if self._ledger.is_rejected(document.study_instance_uid) != takes_back:
            with self._ledger.transaction() as connection:
                if takes_back:
                    self._ledger.withhold(connection, lease, "the mark as a wrong patient's was taken back")
                else:
                    self._ledger.withhold(connection, lease)
            return ()
        if not takes_back:
            self._refuse_held(self._holds.of_study(document.study_instance_uid))
        # A report that was parked and replayed late must not replace a newer one in the EHR; a PACS keeps both.
        if document.destination == "ehr" and self._ledger.is_superseded(lease.ref):
            note = "not sent: a newer assessment of the study has taken its place"
        else:
            self._commitments.judge(lease.ref, document, maximum_attempts=self._maximum_attempts)
            note = deliver(document, self._destinations)
        with self._ledger.transaction() as connection:
            if COMMITMENT_ASKED in note and self._commitments.answered(connection, document, began_at):
                note = note.replace(COMMITMENT_ASKED, "committed")
            self._ledger.delivered(connection, lease, note)
            self._withdrawals.arrived(connection, document)
            self._ledger.tell(connection, kind="delivered", ref=document.identity, detail=note or document.kind)
        return ()

    @staticmethod
    def _refuse_held(why: str | None) -> None:
        """Raise ImpossibleInput for a case that is held until a person compared."""
        if why is not None:
            raise ImpossibleInput(f"{why}: compare images and record; if they are of one person, {RELEASE_HINT}")

    def _withdraw(self, lease: Lease) -> Sequence[str]:
        """Take back what was sent of a study that is a wrong patient's."""
        withdrawal = self._withdrawals.of(lease.ref)
        documents = [] if withdrawal is None else [
            one for withdrawer in self._withdrawers for one in withdrawer.withdraw(withdrawal)
        ]  # fmt: skip
        with self._ledger.transaction() as connection:
            if withdrawal is not None and (documents or withdrawal.tidied or withdrawal.by_hand):
                return self._withdrawals.save(connection, lease, documents, withdrawal)
            self._ledger.jobs.done(connection, lease)
        return ()

    def _record_failure(self, lease: Lease, outcome: Outcome, fault: Exception | None = None) -> None:
        log.warning("step_failed", kind=lease.kind, document_id=lease.ref, state=outcome.state, reason=outcome.reason)
        try:
            if outcome.state == "due":
                self._ledger.jobs.retry(
                    lease, outcome.reason, in_seconds=outcome.in_seconds, progressed=outcome.progressed
                )
                return
            with self._ledger.transaction() as connection:
                self._ledger.jobs.stop(connection, lease, state=outcome.state, reason=outcome.reason)
                self._ledger.tell(connection, kind=outcome.state, ref=lease.ref, detail=outcome.reason, succeeded=False)
                if isinstance(fault, TwoPatients):
                    contradicting.keep(connection, lease.ref, fault.record, now=self._now())
        except LeaseLost:
            log.warning("lease_lost", document_id=lease.ref, kind=lease.kind)
