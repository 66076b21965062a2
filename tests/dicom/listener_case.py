"""What the tests of the listener share: a pynetdicom sender that leaves no association behind."""

from typing import Any

from pydicom import Dataset
from pynetdicom import AE, evt
from pynetdicom.association import Association
from pynetdicom.pdu import A_ASSOCIATE_RJ
from receive_case import AE_TITLE

from connector.dicom.receive import Listener

COMMITMENT, COMMITMENT_INSTANCE = "1.2.840.10008.1.20.1", "1.2.840.10008.1.20.1.1"
VERIFICATION = "1.2.840.10008.1.1"

OPENED: list[Association] = []


def end_associations() -> None:
    """Abort what a test left open."""
    while OPENED:
        association = OPENED.pop()
        if association.is_established:
            association.abort()


def associate(
    listener: Listener, *contexts: tuple[str, str], called: str = AE_TITLE, calling: str = "LAB", **named: Any
) -> Association:
    entity = AE(ae_title=calling)
    for abstract_syntax, transfer_syntax in contexts or [(VERIFICATION, "1.2.840.10008.1.2")]:
        entity.add_requested_context(abstract_syntax, transfer_syntax)
    OPENED.append(entity.associate("127.0.0.1", listener.port, ae_title=called, **named))
    return OPENED[-1]


def rejection(listener: Listener, **named: Any) -> tuple[int, int, int] | None:
    """
    Result, source and reason of the A-ASSOCIATE-RJ that a request is answered with, None when it is accepted.

    Read from the PDU: pynetdicom 3.0.4 calls it a failed connection where the answer is there before it looks.
    """
    answers: list[Any] = []
    association = associate(
        listener, evt_handlers=[(evt.EVT_PDU_RECV, lambda event: answers.append(event.pdu))], **named
    )
    association.release()
    first = answers[0]
    return (first.result, first.source, first.reason_diagnostic) if isinstance(first, A_ASSOCIATE_RJ) else None


def send(listener: Listener, *images: Dataset) -> list[int | None]:
    contexts = {(image.file_meta.MediaStorageSOPClassUID, image.file_meta.TransferSyntaxUID) for image in images}
    association = associate(listener, *contexts)
    assert association.is_established
    statuses = [association.send_c_store(image).get("Status") for image in images]
    association.release()
    return statuses
