"""Storage commitment, PS3.4 annex J: promises we give for what we hold, and results for what we delivered."""

import contextlib
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydicom import Dataset
from pydicom.uid import UID
from pynetdicom import AE, build_role
from pynetdicom.association import Association

from connector.core.errors import ConnectorError, ImpossibleInput
from connector.dicom.receive_head import is_uid
from connector.dicom.receive_intake import PROCESSING_FAILURE
from connector.logs import get_logger

log = get_logger("dicom.commitment")

STORAGE_COMMITMENT = "1.2.840.10008.1.20.1"
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
    """Answers commitment requests: at once that they came, and with a report once the answer to that is out."""

    def __init__(
        self,
        *,
        ae_title: str,
        held: Held,
        peers: Mapping[str, tuple[str, int]],
    ) -> None:
        self._ae_title = ae_title
        self._held = held
        self._peers = peers

    def on_action(self, event: Any) -> tuple[int, None]:
        """Take a request (EVT_N_ACTION); the report follows on a new association, or this one for unlisted peers."""
        if event.action_type != 1:
            return NO_SUCH_ACTION, None
        try:
            request = read_request(event.action_information)
        except ImpossibleInput:
            return INVALID_ARGUMENT, None
        self._later(event.assoc, request, 0)
        return SUCCESS, None

    def _later(self, association: Association, request: Request, attempt: int) -> None:
        timer = threading.Timer(_RETRY_SECONDS[attempt], self._report, (association, request, attempt))
        timer.daemon = True
        timer.start()

    def _report(self, association: Association, request: Request, attempt: int) -> None:
        reason = "unknown"
        try:
            answer = result_information(request, self._held([instance for _, instance in request.references]))
            reason = self._send(association, *answer)
        except ConnectorError as fault:
            reason = type(fault).__name__
        except Exception as fault:  # noqa: BLE001 - a timer's thread has nobody to tell but the log
            reason = type(fault).__name__
        if not reason:
            log.info("commitment_reported", count=len(request.references))
        elif attempt + 1 < len(_RETRY_SECONDS):
            self._later(association, request, attempt + 1)
        else:
            log.error("commitment_not_reported", reason=reason, count=len(request.references))

    def _send(self, association: Association, event_type: int, information: Dataset) -> str:
        """Send a report; returns why it failed, or nothing."""
        calling = association.requestor.ae_title.strip()
        peer = self._peers.get(calling)
        if peer is None:
            if not association.is_established:
                return "association_closed_and_peer_unlisted"
            return _report_on(association, event_type, information)
        entity = AE(ae_title=self._ae_title)
        entity.add_requested_context(STORAGE_COMMITMENT)
        entity.connection_timeout = 10
        role = build_role(STORAGE_COMMITMENT, scp_role=True)
        fresh = entity.associate(peer[0], peer[1], ae_title=calling, ext_neg=[role])
        if not fresh.is_established:
            return "association_refused"
        try:
            return _report_on(fresh, event_type, information)
        finally:
            with contextlib.suppress(Exception):
                fresh.release()


def _report_on(association: Association, event_type: int, information: Dataset) -> str:
    status, _ = association.send_n_event_report(
        information, event_type, STORAGE_COMMITMENT, STORAGE_COMMITMENT_INSTANCE
    )
    code = status.get("Status")
    if code is None:
        return "no_response"
    return "" if code == SUCCESS else f"status_{code:04X}"
