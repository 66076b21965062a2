"""What the tests of the receivers share: small objects, a ledger in memory, and a listener on a free port."""

import io
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from pydicom import Dataset, dcmwrite
from pydicom.dataset import FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

from connector.core.errors import TryLater
from connector.dicom.receive import Listener
from connector.ports import Receipt, ReceiptOutcome

AE_TITLE = "CONNECTOR"


class MemoryInbox:
    """An inbox that forgets with the process; `away` makes it answer that it is not there."""

    def __init__(self) -> None:
        self.receipts: dict[str, Receipt] = {}
        self.conflicts: list[Receipt] = []
        self.opened: list[str] = []
        self.alive: list[str] = []
        self.closed: list[str] = []
        self.away = False
        self.asked_for: set[str] = set()

    def receive(self, receipt: Receipt) -> ReceiptOutcome:
        if self.away:
            raise TryLater("the ledger is away: send again")
        assert receipt.path.is_file()
        known = self.receipts.setdefault(receipt.sop_instance_uid, receipt)
        if known is receipt:
            return ReceiptOutcome.STORED
        if known.digest == receipt.digest:
            return ReceiptOutcome.SAME
        self.conflicts.append(receipt)
        return ReceiptOutcome.CONFLICT

    def association_opened(self, association_id: str) -> None:
        if self.away:
            raise TryLater("the ledger is away: send again")
        self.opened.append(association_id)

    def association_alive(self, association_id: str) -> None:
        self.alive.append(association_id)

    def association_closed(self, association_id: str) -> None:
        self.closed.append(association_id)

    @contextmanager
    def expecting(self, uids: Sequence[str]) -> Iterator[None]:
        self.asked_for.update(uids)
        yield
        self.asked_for.difference_update(uids)

    def is_expected(self, uids: Sequence[str]) -> bool:
        return not self.asked_for.isdisjoint(uids)

    def held(self, sop_instance_uids: Sequence[str]) -> Mapping[str, str]:
        return {uid: self.receipts[uid].sop_class_uid for uid in sop_instance_uids if uid in self.receipts}


def make_image(*, rows: int = 8, **changes: Any) -> Dataset:
    """A CT instance of a new study, explicit VR little endian; `changes` set attributes (None removes one)."""
    image = Dataset()
    image.SpecificCharacterSet = "ISO_IR 100"
    image.SOPClassUID, image.SOPInstanceUID = CTImageStorage, generate_uid()
    image.StudyDate, image.Modality = "20250102", "CT"
    image.PatientName, image.PatientID, image.IssuerOfPatientID = "Test^Phantom", "PHANTOM-1", "LAB"
    image.StudyInstanceUID, image.SeriesInstanceUID = generate_uid(), generate_uid()
    image.SamplesPerPixel, image.PhotometricInterpretation = 1, "MONOCHROME2"
    image.Rows, image.Columns, image.PixelRepresentation = rows, 64, 0
    image.BitsAllocated, image.BitsStored, image.HighBit = 16, 12, 11
    image.PixelData = (np.arange(rows * 64, dtype=np.uint16) % 4096).tobytes()
    for keyword, value in changes.items():
        if value is None:
            delattr(image, keyword)
        else:
            setattr(image, keyword, value)
    image.file_meta = FileMetaDataset()
    image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    image.file_meta.MediaStorageSOPClassUID = image.get("SOPClassUID", CTImageStorage)
    image.file_meta.MediaStorageSOPInstanceUID = image.get("SOPInstanceUID", "1.2.3")
    return image


def as_file(image: Dataset) -> bytes:
    """The image as the octets of a DICOM file."""
    buffer = io.BytesIO()
    dcmwrite(buffer, image, enforce_file_format=True)
    return buffer.getvalue()


def files_in(folder: Path) -> list[Path]:
    """Every file below a folder, temporary ones too."""
    return sorted(path for path in folder.rglob("*") if path.is_file())


def wait_for(condition: Callable[[], object], *, seconds: float = 5.0) -> None:
    """Wait until something has come true in another thread."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.005)


@contextmanager
def listening(inbox: MemoryInbox, folder: Path, **settings: Any) -> Iterator[Listener]:
    """A listener on a free loopback port."""
    listener = Listener(inbox=inbox, folder=folder, **{"ae_title": AE_TITLE, "host": "127.0.0.1", "port": 0} | settings)
    listener.start()
    try:
        yield listener
    finally:
        listener.stop(grace_seconds=1.0)
