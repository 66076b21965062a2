"""Delivers our objects to the PACS and believes only what it says of each instance."""

import io
import threading
import uuid
from collections.abc import Callable
from typing import Any

from pydicom import Dataset, dcmread
from pydicom.errors import InvalidDicomError
from pynetdicom import evt

from connector.core.errors import ImpossibleInput, Refused, TryLater
from connector.dicom.pacs_association import Pacs, Proposal, association
from connector.dicom.receive_commitment import (
    STORAGE_COMMITMENT_INSTANCE,
    SUCCESS,
    CommitmentResult,
    Request,
    read_result,
    request_information,
)
from connector.dicom.receive_intake import PROCESSING_FAILURE
from connector.dicom.receive_negotiation import STORAGE_COMMITMENT
from connector.logs import get_logger
from connector.ports import COMMITMENT_ASKED, Delivery, Document

log = get_logger("dicom.pacs")

_VERIFICATION = "1.2.840.10008.1.1"
UNCOMPRESSED = ("1.2.840.10008.1.2.1", "1.2.840.10008.1.2")
_DUPLICATE_INSTANCE = 0x0111
_CANCELLED = 0xFE00
_RESOURCE_LIMITATION = 0x0213  # PS3.7, annex C.5.19
# PS3.7, annex C: warnings of any service; B0xx are the storage service's (PS3.4, table B.2-1).
_WARNINGS = frozenset({0x0001, 0x0107, 0x0116})


class PacsDestination:
    """
    The PACS as a destination of documents.

    With `storage_commitment` it is asked, after each store, to keep the instance; an answer within `commitment_seconds`
    on the same association is waited for, a later one comes to our listener. `on_commitment_result` gets it either way.
    """

    def __init__(
        self,
        pacs: Pacs,
        *,
        storage_commitment: bool = False,
        commitment_seconds: float = 1.0,
        on_commitment_result: Callable[[CommitmentResult], None] | None = None,
    ) -> None:
        self._pacs = pacs
        self._storage_commitment = storage_commitment
        self._commitment_seconds = commitment_seconds
        self._on_commitment_result = on_commitment_result

    def echo(self) -> None:
        """Ask whether the PACS answers (C-ECHO). Raises TryLater or Refused."""
        with association(self._pacs, [Proposal(_VERIFICATION)]) as opened:
            status = opened.send_c_echo().get("Status")
        if status != SUCCESS:
            raise TryLater(f"the PACS did not answer C-ECHO with success ({_code(status)})")

    def deliver(self, document: Document) -> Delivery:
        """Store one document. Sent again it is the same instance, so a repeated delivery is harmless."""
        instance = _parse(document)
        sop_class, syntax = str(instance.SOPClassUID), str(instance.file_meta.TransferSyntaxUID)
        syntaxes = list(dict.fromkeys([syntax, *UNCOMPRESSED])) if syntax in UNCOMPRESSED else [syntax]
        proposals = [Proposal(sop_class, syntaxes)]
        if self._storage_commitment:
            proposals.append(Proposal(STORAGE_COMMITMENT))
        desk = _Answers(self._on_commitment_result)
        with association(self._pacs, proposals, handlers=[(evt.EVT_N_EVENT_REPORT, desk.on_report)]) as opened:
            if sop_class not in {context.abstract_syntax for context in opened.accepted_contexts}:
                raise Refused(f"the PACS does not support SOP class {sop_class}: have it enabled there")
            delivery = judge_store(_store(opened, instance))
            if self._storage_commitment:
                asked = self._ask_commitment(opened, desk, (sop_class, str(instance.SOPInstanceUID)))
                delivery = Delivery("; ".join(filter(None, [delivery.note, asked])))
        log.info("stored_at_pacs", sop_instance_uid=str(instance.SOPInstanceUID), kind=document.kind)
        return delivery

    def _ask_commitment(self, opened: Any, desk: "_Answers", reference: tuple[str, str]) -> str:
        """Ask the PACS to keep an instance; returns a note. Raises TryLater when it answers that it does not."""
        if STORAGE_COMMITMENT not in {context.abstract_syntax for context in opened.accepted_contexts}:
            return "stored without commitment: the PACS does not offer it"
        request = Request(f"2.25.{uuid.uuid4().int}", (reference,))
        status, _ = opened.send_n_action(
            request_information(request), 1, STORAGE_COMMITMENT, STORAGE_COMMITMENT_INSTANCE
        )
        code = status.get("Status")
        if code in (None, PROCESSING_FAILURE, _RESOURCE_LIMITATION):
            raise TryLater(f"the PACS did not take the commitment request ({_code(code)})")
        if code != SUCCESS:
            # It offers the service but not to us: the instance is stored, and asking again will not change the answer.
            return f"stored without commitment: the PACS refused the request ({_code(code)})"
        result = desk.wait_for(request.transaction_uid, self._commitment_seconds)
        if result is None:
            return COMMITMENT_ASKED
        if reference[1] in result.failed:
            raise TryLater(
                f"the PACS does not keep the instance ({_code(result.failed[reference[1]])}): store it again"
            )
        return "committed"


def _parse(document: Document) -> Dataset:
    try:
        return dcmread(io.BytesIO(document.content))
    except InvalidDicomError as fault:
        raise Refused(f"the document of kind {document.kind} is no DICOM file: report it as a fault of ours") from fault


def _store(opened: Any, instance: Dataset) -> int | None:
    try:
        status: int | None = opened.send_c_store(instance).get("Status")
    except (RuntimeError, ValueError) as fault:
        if not opened.is_established:
            raise TryLater("the PACS hung up before the C-STORE") from fault
        raise Refused("the PACS accepted no transfer syntax that the instance can be sent in") from fault
    return status


def judge_store(status: int | None) -> Delivery:
    """
    Tell from a C-STORE status (PS3.4, table B.2-1; PS3.7, annex C) what became of an instance.

    Raises TryLater (busy, no answer) or Refused (it will never be taken as it is).
    """
    if status == SUCCESS:
        return Delivery()
    if status is None:
        raise TryLater("the PACS hung up or did not answer the C-STORE")
    if status == _DUPLICATE_INSTANCE:
        return Delivery("the PACS has this instance already (0111)")
    if status in _WARNINGS or status & 0xF000 == 0xB000:  # noqa: PLR2004 - the class of the status
        return Delivery(f"stored with warning {_code(status)}: see the PACS's conformance statement")
    if status & 0xFF00 == 0xA700 or status in {PROCESSING_FAILURE, _CANCELLED}:  # noqa: PLR2004 - the class of the status
        raise TryLater(f"the PACS could not store now ({_code(status)})")
    raise Refused(f"the PACS refused the instance ({_code(status)}): see its log and conformance statement")


def _code(status: int | None) -> str:
    return "no status" if status is None else f"{status:04X}"


class _Answers:
    """Commitment results that come on the association of their request."""

    def __init__(self, forward: Callable[[CommitmentResult], None] | None) -> None:
        self._forward = forward
        self._arrived = threading.Condition()
        self._results: dict[str, CommitmentResult] = {}

    def on_report(self, event: Any) -> tuple[int, None]:
        """Take a result (EVT_N_EVENT_REPORT)."""
        try:
            result = read_result(event.event_information)
        except ImpossibleInput:
            return PROCESSING_FAILURE, None
        with self._arrived:
            self._results[result.transaction_uid] = result
            self._arrived.notify_all()
        if self._forward is not None:
            self._forward(result)
        return SUCCESS, None

    def wait_for(self, transaction_uid: str, seconds: float) -> CommitmentResult | None:
        """The result of a request, or None when it does not come in time."""
        with self._arrived:
            self._arrived.wait_for(lambda: transaction_uid in self._results, seconds)
            return self._results.get(transaction_uid)
