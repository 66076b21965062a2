"""Objects far larger than memory may be: received and looked at within 256 MB, as a process of its own measures it."""

import re
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest
from pydicom import Dataset, dcmwrite
from pydicom.dataset import FileMetaDataset
from pydicom.uid import EnhancedCTImageStorage, ExplicitVRLittleEndian, generate_uid

sys.path.insert(0, str(Path(__file__).parent))

from dicom_peers import storescu
from state_peers import answers, free_port, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

MEGABYTE = 2**20
PIXEL_BYTES = 288 * MEGABYTE
LARGEST_RESIDENT_BYTES = 256 * MEGABYTE

LISTENER = """
import signal, sys
from pathlib import Path
import uvicorn
from starlette.applications import Starlette
from connector.dicom.receive import Listener
from connector.dicom.receive_same import same_dataset
from connector.dicom.receive_stow import stow_routes
from connector.store import open_ledger
from connector.store.inbox import SqlInbox
from connector.store.tables import metadata
dicom_port, http_port, folder = int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])
engine = open_ledger(f"sqlite:///{folder}/ledger.sqlite")
metadata.create_all(engine)
inbox = SqlInbox(engine, case_ref=str, same_dataset=same_dataset)
Listener(inbox=inbox, folder=folder / "in", ae_title="CONNECTOR", host="127.0.0.1", port=dicom_port).start()
routes = stow_routes(inbox, folder / "in", authorise=lambda _: "test")
uvicorn.run(Starlette(routes=routes), port=http_port, log_config=None, access_log=False)
"""

READER = """
import sys
from pathlib import Path
from connector.dicom.read_routing import studies_in
from connector.dicom.read_study import DicomImaging
def tell(): print(next(line for line in open("/proc/self/status") if line.startswith("VmHWM")))
tell()
(study,), skipped = studies_in([Path(sys.argv[1])])
assert not skipped and study.series[0].modality == "CT"
(point,) = DicomImaging().read([Path(sys.argv[1])]).time_points
assert point.modality == "CT"
tell()
"""


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An enhanced CT of 576 frames whose pixels are a hole in the file: it costs no disk until it is received."""
    image = Dataset()
    image.SOPClassUID, image.SOPInstanceUID = EnhancedCTImageStorage, generate_uid()
    image.StudyDate, image.Modality = "20250102", "CT"
    image.PatientName, image.PatientID = "Test^Phantom", "PHANTOM-1"
    image.StudyInstanceUID, image.SeriesInstanceUID = generate_uid(), generate_uid()
    image.NumberOfFrames, image.Rows, image.Columns = PIXEL_BYTES // (512 * 512 * 2), 512, 512
    image.SamplesPerPixel, image.PhotometricInterpretation, image.PixelRepresentation = 1, "MONOCHROME2", 0
    image.BitsAllocated, image.BitsStored, image.HighBit = 16, 12, 11
    image.file_meta = FileMetaDataset()
    image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    path = tmp_path_factory.mktemp("large") / "large.dcm"
    dcmwrite(path, image, enforce_file_format=True)
    with path.open("ab") as handle:
        handle.write(b"\xe0\x7f\x10\x00OW\x00\x00" + PIXEL_BYTES.to_bytes(4, "little"))
        handle.truncate(handle.tell() + PIXEL_BYTES)
    return path


@contextmanager
def receiving(folder: Path) -> "Iterator[tuple[subprocess.Popen[bytes], int, int]]":
    dicom_port, http_port = free_port(), free_port()
    process = subprocess.Popen([sys.executable, "-c", LISTENER, str(dicom_port), str(http_port), str(folder)])
    try:
        wait_until(lambda: answers(dicom_port) and answers(http_port), seconds=120, what="the start of the listener")
        yield process, dicom_port, http_port
    finally:
        process.kill()
        process.wait()


def peak_resident_bytes(status: str) -> int:
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    assert found
    return int(found[1]) * 1024


@pytest.mark.parametrize("way", ["C-STORE", "STOW-RS"])
def test_a_large_object_is_received_in_bounded_memory(large: Path, tmp_path: Path, way: str) -> None:
    with receiving(tmp_path) as (process, dicom_port, http_port):
        if way == "C-STORE":
            sent = storescu(dicom_port, [large])
            assert sent.returncode == 0, sent.stderr[-1000:]
        else:
            with large.open("rb") as octets:
                answer = httpx.post(
                    f"http://127.0.0.1:{http_port}/dicom-web/studies", content=octets, timeout=120,
                    headers={"Content-Type": "application/dicom"},
                )  # fmt: skip
            assert answer.status_code == 200, answer.text
        peak = peak_resident_bytes(Path(f"/proc/{process.pid}/status").read_text())
    (stored,) = (path for path in (tmp_path / "in").rglob("*.dcm"))
    assert stored.stat().st_size > PIXEL_BYTES
    assert peak < LARGEST_RESIDENT_BYTES, f"{peak // MEGABYTE} MB"
    stored.unlink()


def test_a_large_object_is_looked_at_in_bounded_memory(large: Path) -> None:
    done = subprocess.run([sys.executable, "-c", READER, str(large)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    before, after = map(peak_resident_bytes, done.stdout.split("\n\n")[:2])
    assert after - before < 64 * MEGABYTE, f"{(after - before) // MEGABYTE} MB more than without it"
