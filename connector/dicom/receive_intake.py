"""The one way in for an instance, whichever door it came to: checked, on disk, recorded, and only then accepted."""

import struct
from collections.abc import Callable
from contextlib import contextmanager
from datetime import UTC, datetime
from mmap import ACCESS_READ, mmap
from typing import TYPE_CHECKING

from connector.core.errors import ImpossibleInput, TryLater
from connector.dicom.identity import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from connector.dicom.receive_head import Head, is_uid, read_head
from connector.logs import get_logger
from connector.ports import Inbox, Receipt, ReceiptOutcome

if TYPE_CHECKING:
    from collections.abc import Iterator

    from connector.dicom.receive_head import Octets
    from connector.dicom.store_file import FileStore, Incoming

log = get_logger("dicom.receive")

# PS3.4, table B.2-1, and PS3.18, table I.2-2: the same codes by C-STORE and over HTTP.
STORED = 0x0000
OUT_OF_RESOURCES = 0xA700
DOES_NOT_MATCH_SOP_CLASS = 0xA900
CANNOT_UNDERSTAND = 0xC000
OTHER_STUDY = 0xC001  # ours, within "cannot understand"
PROCESSING_FAILURE = 0x0110


class WrongObject(ImpossibleInput):
    """The data set is of another SOP class or instance, or of another study, than the sender announced."""

    def __init__(self, message: str, *, other_study: bool = False) -> None:
        super().__init__(message)
        self.other_study = other_study


def refusal_status(fault: Exception) -> int:
    """The status that tells a sender why an instance was not stored, and so whether to send it again."""
    match fault:
        case TryLater():
            return OUT_OF_RESOURCES
        case WrongObject():
            return OTHER_STUDY if fault.other_study else DOES_NOT_MATCH_SOP_CLASS
        case ImpossibleInput():
            return CANNOT_UNDERSTAND
        case _:
            return PROCESSING_FAILURE


class Intake:
    """Takes complete objects from a listener, a web upload or a retrieval."""

    def __init__(self, inbox: Inbox, store: "FileStore") -> None:
        self.inbox = inbox
        self._store = store

    def begin(
        self,
        *,
        sop_class_uid: str,
        sop_instance_uid: str,
        transfer_syntax_uid: str,
        source_ae_title: str = "",
        has_own_thread: bool = False,
    ) -> "Incoming":
        """Start an object that is announced under these UIDs; `has_own_thread` as in `FileStore.begin`."""
        return self._store.begin(
            file_meta(
                sop_class_uid=sop_class_uid,
                sop_instance_uid=sop_instance_uid,
                transfer_syntax_uid=transfer_syntax_uid,
                source_ae_title=source_ae_title,
            ),
            has_own_thread=has_own_thread,
        )

    def accept(
        self,
        incoming: "Incoming",
        *,
        sop_class_uid: str,
        sop_instance_uid: str,
        transfer_syntax_uid: str,
        source: str,
        association_id: str = "",
        is_prior: Callable[[Head], bool] | None = None,
        check: Callable[[Head], None] | None = None,
    ) -> tuple[Head, ReceiptOutcome]:
        """
        Make an object durable, record it, and tell what the ledger did; afterwards the sender may be told "stored".

        `check` may look at the head and raise, before anything is stored; `is_prior` tells from it whether the
        instance was fetched to be compared with.

        Raises WrongObject (not what was announced), ImpossibleInput (no readable data set) or TryLater (disk or
        ledger); then nothing of it is kept.
        """
        try:
            incoming.settle()
            head = _head(incoming, transfer_syntax_uid)
            if (head.sop_class_uid, head.sop_instance_uid) != (sop_class_uid, sop_instance_uid):
                raise WrongObject("the data set is of another SOP class or instance than its message says")
            if check is not None:
                check(head)
            prior = is_prior is not None and is_prior(head)
            stored = incoming.commit(study_instance_uid=head.study_instance_uid, sop_instance_uid=head.sop_instance_uid)
        finally:
            incoming.close()
        receipt = Receipt(
            sop_instance_uid=head.sop_instance_uid,
            sop_class_uid=head.sop_class_uid,
            study_instance_uid=head.study_instance_uid,
            series_instance_uid=head.series_instance_uid,
            transfer_syntax_uid=transfer_syntax_uid,
            path=stored.path,
            size_bytes=stored.size_bytes,
            digest=stored.digest,
            patient_id=head.patient_id,
            issuer_of_patient_id=head.issuer_of_patient_id,
            source=source,
            received_at=datetime.now(UTC),
            modality=head.modality,
            study_date=head.study_date,
            series_description=head.series_description,
            body_part=head.body_part,
            procedure_codes=head.procedure_codes,
            association_id=association_id,
            is_prior=prior,
        )
        return head, self._record(receipt)

    def _record(self, receipt: Receipt) -> ReceiptOutcome:
        try:
            outcome = self.inbox.receive(receipt)
        except BaseException:
            receipt.path.unlink(missing_ok=True)
            raise
        if outcome is ReceiptOutcome.SAME:
            receipt.path.unlink(missing_ok=True)
        elif outcome is ReceiptOutcome.CONFLICT:
            log.warning("instance_conflict", sop_instance_uid=receipt.sop_instance_uid)
        return outcome


def require_uids(*uids: str) -> None:
    """Raise ImpossibleInput unless every text is a UID; to be called before any of them is used."""
    for uid in uids:
        if not is_uid(uid):
            raise ImpossibleInput("a UID of the message is malformed: the sender must correct the object")


def _head(incoming: "Incoming", transfer_syntax_uid: str) -> Head:
    with octets_of(incoming) as octets:
        return read_head(octets, transfer_syntax_uid)


@contextmanager
def octets_of(incoming: "Incoming") -> "Iterator[Octets]":
    """The data set in memory, or in its file when it outgrew memory."""
    if incoming.part is None:
        with incoming.in_memory() as octets:
            yield octets
        return
    path, offset = incoming.part
    with (
        path.open("rb") as handle,
        mmap(handle.fileno(), 0, access=ACCESS_READ) as mapped,
        memoryview(mapped) as whole,
        whole[offset:] as octets,
    ):
        yield octets


def file_meta(
    *, sop_class_uid: str, sop_instance_uid: str, transfer_syntax_uid: str, source_ae_title: str = ""
) -> bytes:
    """Preamble and file meta information of a file, PS3.10 section 7.1; the bytes depend on the arguments alone."""
    elements = [
        _element(0x0001, "OB", b"\x00\x01"),
        _element(0x0002, "UI", _padded(sop_class_uid, b"\0")),
        _element(0x0003, "UI", _padded(sop_instance_uid, b"\0")),
        _element(0x0010, "UI", _padded(transfer_syntax_uid, b"\0")),
        _element(0x0012, "UI", _padded(IMPLEMENTATION_CLASS_UID, b"\0")),
        _element(0x0013, "SH", _padded(IMPLEMENTATION_VERSION_NAME, b" ")),
    ]
    if source_ae_title:
        elements.append(_element(0x0016, "AE", _padded(source_ae_title, b" ")))
    group = b"".join(elements)
    return bytes(128) + b"DICM" + _element(0x0000, "UL", struct.pack("<L", len(group))) + group


def _element(number: int, vr: str, value: bytes) -> bytes:
    if vr == "OB":
        return struct.pack("<HH2sHL", 0x0002, number, vr.encode(), 0, len(value)) + value
    return struct.pack("<HH2sH", 0x0002, number, vr.encode(), len(value)) + value


def _padded(text: str, pad: bytes) -> bytes:
    octets = text.encode("ascii", "replace")
    return octets + pad * (len(octets) % 2)
