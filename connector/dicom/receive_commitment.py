"""Storage commitment, PS3.4 annex J: promises we give for what we hold, and results for what we delivered."""

import contextlib
import ssl
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from pydicom import Dataset
from pydicom.uid import UID
from pynetdicom import AE, build_role

from connector.core.errors import ImpossibleInput, TryLater
from connector.dicom.receive_association import Answer, Reply, Report, Session
from connector.dicom.receive_head import is_uid
from connector.dicom.receive_intake import PROCESSING_FAILURE
from connector.dicom.receive_negotiation import STORAGE_COMMITMENT
from connector.dicom.receive_wire import ACTION_TYPE, Command
from connector.logs import get_logger

log = get_logger("dicom.commitment")

STORAGE_COMMITMENT_INSTANCE = "1.2.840.10008.1.20.1.1"

SUCCESS = 0x0000
NO_SUCH_OBJECT = 0x0112
NO_SUCH_ACTION = 0x0123
INVALID_ARGUMENT = 0x0115
CLASS_INSTANCE_CONFLICT = 0x0119
NOT_AUTHORISED = 0x0124

_LARGEST_REQUEST = 100_000
_RETRY_SECONDS = (1.0, 15.0, 120.0)

# Which of the named instances are stored for good, with their SOP classes.
Held = Callable[[Sequence[str]], Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class CommitmentResult:
    """What a peer answered: instances it keeps, and instances it does not with DICOM's failure reason."""

    transaction_uid: str
    committed: tuple[str, ...]
    failed: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Request:
    """What a sender wants us to keep: pairs of SOP class and instance."""

    transaction_uid: str
    references: tuple[tuple[str, str], ...]


def read_request(information: Dataset) -> Request:
    """Read an N-ACTION's information. Raises ImpossibleInput."""
    transaction = str(information.get("TransactionUID", ""))
    items = information.get("ReferencedSOPSequence") or []
    if not is_uid(transaction) or not 0 < len(items) <= _LARGEST_REQUEST:
        raise ImpossibleInput("a commitment request needs a transaction UID and 1 to 100000 references")
    return Request(transaction, tuple(_reference(item) for item in items))


def _reference(item: Dataset) -> tuple[str, str]:
    sop_class, sop_instance = str(item.get("ReferencedSOPClassUID", "")), str(item.get("ReferencedSOPInstanceUID", ""))
    if not (is_uid(sop_class) and is_uid(sop_instance)):
        raise ImpossibleInput("a commitment request refers to an instance without valid UIDs")
    return sop_class, sop_instance


def read_result(information: Dataset) -> CommitmentResult:
    """Read an N-EVENT-REPORT's information. Raises ImpossibleInput."""
    transaction = str(information.get("TransactionUID", ""))
    if not is_uid(transaction):
        raise ImpossibleInput("a commitment result needs a transaction UID")
    committed = tuple(_reference(item)[1] for item in information.get("ReferencedSOPSequence") or [])
    failed = {
        _reference(item)[1]: int(item.get("FailureReason", PROCESSING_FAILURE))
        for item in information.get("FailedSOPSequence") or []
    }
    return CommitmentResult(transaction, tuple(uid for uid in committed if uid not in failed), failed)


def request_information(request: Request) -> Dataset:
    """The information of an N-ACTION."""
    information = Dataset()
    information.TransactionUID = UID(request.transaction_uid)
    information.ReferencedSOPSequence = [_item(*reference) for reference in request.references]
    return information


def result_information(request: Request, held: Mapping[str, str]) -> tuple[int, Dataset]:
    """The event type (1: all are kept, 2: some are not) and information of an N-EVENT-REPORT."""
    kept, failed = [], []
    for sop_class, sop_instance in request.references:
        item = _item(sop_class, sop_instance)
        if held.get(sop_instance) == sop_class:
            kept.append(item)
            continue
        item.FailureReason = CLASS_INSTANCE_CONFLICT if sop_instance in held else NO_SUCH_OBJECT
        failed.append(item)
    information = Dataset()
    information.TransactionUID = UID(request.transaction_uid)
    if kept:
        information.ReferencedSOPSequence = kept
    if failed:
        information.FailedSOPSequence = failed
    return (2 if failed else 1), information


def _item(sop_class_uid: str, sop_instance_uid: str) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID = UID(sop_class_uid)
    item.ReferencedSOPInstanceUID = UID(sop_instance_uid)
    return item


class CommitmentDesk:
    """Answers commitment requests: at once that they came, then with a report from the ledger."""

    def __init__(
        self,
        *,
        ae_title: str,
        held: Held,
        peers: Mapping[str, tuple[str, int]],
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._ae_title = ae_title
        self._held = held
        self._peers = peers
        self._tls = tls

    def take(self, session: Session, command: Command, information: Dataset) -> Reply:
        """Take a request (N-ACTION); listed peers get their report on a new association, others on this one."""
        if command.number(ACTION_TYPE) != 1:
            return Reply(Answer(NO_SUCH_ACTION))
        try:
            request = read_request(information)
        except ImpossibleInput:
            return Reply(Answer(INVALID_ARGUMENT, "no transaction or no valid references"))
        if session.calling_ae_title in self._peers:
            self._later(session.calling_ae_title, request, 0)
            return Reply(Answer(SUCCESS))
        try:
            report = self._report(request)
        except TryLater:
            return Reply(Answer(PROCESSING_FAILURE, "ask again later"))
        return Reply(Answer(SUCCESS), report=report)

    def _report(self, request: Request) -> Report:
        held = self._held([instance for _, instance in request.references])
        event_type, information = result_information(request, held)
        return Report(STORAGE_COMMITMENT, STORAGE_COMMITMENT_INSTANCE, event_type, information)

    def _later(self, peer: str, request: Request, attempt: int) -> None:
        timer = threading.Timer(_RETRY_SECONDS[attempt], self._send, (peer, request, attempt))
        timer.daemon = True
        timer.start()

    def _send(self, peer: str, request: Request, attempt: int) -> None:
        try:
            reason = self._send_once(peer, self._report(request))
        except Exception as fault:  # noqa: BLE001 - a timer's thread has nobody to tell but the log
            reason = type(fault).__name__
        if not reason:
            log.info("commitment_reported", count=len(request.references))
        elif attempt + 1 < len(_RETRY_SECONDS):
            self._later(peer, request, attempt + 1)
        else:
            log.error("commitment_not_reported", reason=reason, count=len(request.references))

    def _send_once(self, peer: str, report: Report) -> str:
        """Report on a new association; returns why it failed, or nothing."""
        entity = AE(ae_title=self._ae_title)
        entity.add_requested_context(STORAGE_COMMITMENT)
        entity.connection_timeout = 10
        role = build_role(STORAGE_COMMITMENT, scp_role=True)
        host, port = self._peers[peer]
        association = entity.associate(
            host, port, ae_title=peer, ext_neg=[role], tls_args=(self._tls, host) if self._tls is not None else None
        )
        if not association.is_established:
            return "association_refused"
        try:
            status, _ = association.send_n_event_report(
                report.information, report.event_type, report.sop_class_uid, report.sop_instance_uid
            )
        finally:
            with contextlib.suppress(Exception):
                association.release()
        code = status.get("Status")
        return "" if code == SUCCESS else f"status_{code or 0:04X}"
