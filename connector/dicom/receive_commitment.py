"""Storage commitment, PS3.4 annex J: promises we give for what we hold, and results for what we delivered."""

import contextlib
import ssl
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from pydicom import Dataset
from pydicom.uid import UID
from pynetdicom import AE, build_role
from pynetdicom.association import Association

from connector.core.errors import ImpossibleInput, Refused, TryLater
from connector.dicom.receive_association import Answer, Reply, Report, Session
from connector.dicom.receive_head import is_uid
from connector.dicom.receive_intake import PROCESSING_FAILURE
from connector.dicom.receive_negotiation import STORAGE_COMMITMENT
from connector.dicom.receive_wire import ACTION_TYPE, Command

STORAGE_COMMITMENT_INSTANCE = "1.2.840.10008.1.20.1.1"

SUCCESS = 0x0000
NO_SUCH_OBJECT = 0x0112
NO_SUCH_ACTION = 0x0123
INVALID_ARGUMENT = 0x0115
CLASS_INSTANCE_CONFLICT = 0x0119
NOT_AUTHORISED = 0x0124

_LARGEST_REQUEST = 100_000
_BUSY = (PROCESSING_FAILURE, 0x0213)  # PS3.7, annex C: processing failure, resource limitation

# Which of the named instances are stored for good, with their SOP classes.
Held = Callable[[Sequence[str]], Mapping[str, str]]
# Keeps a request of a calling AE title on disk, to be answered on another association.
Keep = Callable[[str, "Request"], None]


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
    """
    Answers commitment requests: at once that they came, then with a report from the ledger.

    A sender in `told_later` gets it on a new association, and its request is first kept (`keep`): whatever happens to
    this process, it is told. Others get it on the association of their request; when that breaks they ask again.
    """

    def __init__(self, *, held: Held, told_later: Collection[str] = (), keep: Keep | None = None) -> None:
        self._held = held
        self._told_later = frozenset(told_later)
        self._keep = keep

    def take(self, session: Session, command: Command, information: Dataset) -> Reply:
        """Take a request (N-ACTION)."""
        if command.number(ACTION_TYPE) != 1:
            return Reply(Answer(NO_SUCH_ACTION))
        try:
            request = read_request(information)
        except ImpossibleInput:
            return Reply(Answer(INVALID_ARGUMENT, "no transaction or no valid references"))
        try:
            if self._keep is not None and session.calling_ae_title in self._told_later:
                self._keep(session.calling_ae_title, request)
                return Reply(Answer(SUCCESS))
            event_type, information = result_information(request, _kept(self._held, request))
        except TryLater:
            return Reply(Answer(PROCESSING_FAILURE, "ask again later"))
        report = Report(STORAGE_COMMITMENT, STORAGE_COMMITMENT_INSTANCE, event_type, information)
        return Reply(Answer(SUCCESS), report=report)


class PeerAway(TryLater):
    """A sender cannot be called now, whatever it is to be told."""


class ResultSender:
    """Tells senders on a new association what we keep; `peers` are the host and port of each AE title."""

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

    def send(self, peer: str, request: Request) -> str:
        """
        Report on a request (N-EVENT-REPORT); returns how much of it is kept, in words.

        Raises PeerAway when the peer cannot be called, TryLater when it cannot take the result now, Refused when it
        never will.
        """
        if peer not in self._peers:
            raise Refused(f"{peer} is not in CONNECTOR_STORAGE_COMMITMENT_PEERS: add its host and port, then replay")
        event_type, information = result_information(request, _kept(self._held, request))
        association = self._called(peer)
        try:
            status, _ = association.send_n_event_report(
                information, event_type, STORAGE_COMMITMENT, STORAGE_COMMITMENT_INSTANCE
            )
        finally:
            with contextlib.suppress(Exception):
                association.release()
        code = status.get("Status")
        if code is None:
            raise PeerAway(f"{peer} did not answer to a result of storage commitment")
        if code in _BUSY:
            raise TryLater(f"{peer} cannot take a result of storage commitment now ({code:04X}H)")
        if code != SUCCESS:
            raise Refused(
                f"{peer} does not take the result of its request for storage commitment ({code:04X}H): have it ask anew"
            )
        kept = len(information.get("ReferencedSOPSequence") or [])
        return f"{kept} of {len(request.references)} instances are kept"

    def _called(self, peer: str) -> Association:
        entity = AE(ae_title=self._ae_title)
        entity.add_requested_context(STORAGE_COMMITMENT)
        entity.connection_timeout = 10
        role = build_role(STORAGE_COMMITMENT, scp_role=True)
        host, port = self._peers[peer]
        association = entity.associate(
            host, port, ae_title=peer, ext_neg=[role], tls_args=(self._tls, host) if self._tls is not None else None
        )
        if not association.is_established:
            raise PeerAway(
                f"{peer} opens no association at {host}:{port} to be told the result of storage commitment: see that it"
                " runs, and takes results there from our AE title"
            )
        if not association.accepted_contexts:
            association.release()
            raise PeerAway(f"{peer} takes no results of storage commitment on a new association")
        return association


def _kept(held: Held, request: Request) -> Mapping[str, str]:
    return held([instance for _, instance in request.references])
