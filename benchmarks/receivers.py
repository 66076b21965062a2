"""What the benchmarks of receiving share: objects to send, receivers in processes of their own, rates as ratios."""

import os
import socket
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

if TYPE_CHECKING:
    from connector.store.inbox import SqlInbox

Rates = Mapping[str, float]


def make_objects(folder: Path, count: int, size_bytes: int) -> Path:
    """Write CT instances of one series with pixels of about a size."""
    folder.mkdir()
    rows = max(1, size_bytes // 1024)
    pixels = np.random.default_rng(7).integers(0, 4000, (rows, 512), dtype=np.uint16)
    study, series = generate_uid(), generate_uid()
    for number in range(count):
        image = Dataset()
        image.SOPClassUID, image.SOPInstanceUID = CTImageStorage, generate_uid()
        image.StudyDate, image.Modality = "20250102", "CT"
        image.PatientName, image.PatientID = "Benchmark^Phantom", "BENCH"
        image.StudyInstanceUID, image.SeriesInstanceUID, image.InstanceNumber = study, series, number
        image.SamplesPerPixel, image.PhotometricInterpretation = 1, "MONOCHROME2"
        image.Rows, image.Columns, image.PixelRepresentation = rows, 512, 0
        image.BitsAllocated, image.BitsStored, image.HighBit = 16, 12, 11
        image.PixelData = pixels.tobytes()
        image.file_meta = FileMetaDataset()
        image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        image.save_as(folder / f"{number:04d}.dcm", enforce_file_format=True)
    return folder


def free_port() -> int:
    """A loopback port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def listening(port: int) -> int:
    """How many sockets listen on a loopback port: one of each process that shares it (Linux)."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()[1:]]
    return sum(row[3] == "0A" and int(row[1].rpartition(":")[2], 16) == port for row in rows)


def our_inbox(folder: str) -> "SqlInbox":
    """The inbox of the service over a SQLite ledger."""
    from connector.dicom.receive_same import same_dataset  # noqa: PLC0415 - only our own child pays for the imports
    from connector.store import open_ledger  # noqa: PLC0415
    from connector.store.inbox import SqlInbox  # noqa: PLC0415
    from connector.store.tables import metadata  # noqa: PLC0415

    engine = open_ledger(f"sqlite:///{folder}/ledger.sqlite")
    metadata.create_all(engine)
    return SqlInbox(engine, case_ref=str, same_dataset=same_dataset)


@contextmanager
def running(
    command: Callable[[int, Path], Sequence[str]], is_ready: Callable[[int], bool], **environment: str
) -> Iterator[tuple[int, int]]:
    """Start a receiver on a free port with an empty folder, and end it; yields the port and the process id."""
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        process = subprocess.Popen(
            command(port, Path(folder)),
            env=os.environ | environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            for _ in range(6000):
                time.sleep(0.05)
                if is_ready(port):
                    break
            else:
                raise RuntimeError("the receiver did not start")
            yield port, process.pid
        finally:
            process.terminate()  # with what it started
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def processor_seconds(process_id: int) -> float:
    """Processor time of a process and all below it, those that ended too (Linux)."""
    try:
        after_name = Path(f"/proc/{process_id}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2]
        below = [path.read_text(encoding="ascii") for path in Path(f"/proc/{process_id}/task").glob("*/children")]
    except OSError:
        return 0.0  # ended just now
    ticks = sum(map(int, after_name.split()[11:15]))  # user, system, and both of children that were waited for
    children = [int(child) for line in below for child in line.split()]
    return ticks / os.sysconf("SC_CLK_TCK") + sum(map(processor_seconds, children))


def print_ratios(rounds: Mapping[str, Sequence[Rates]], *, reference: str) -> None:
    """Print the median rate of every receiver in every row, and its ratio to the reference's."""
    rows = next(iter(rounds.values()))[0]
    medians = {name: {row: statistics.median(r[row] for r in runs) for row in rows} for name, runs in rounds.items()}
    print(f"{'':22}" + "".join(f"{name:>20}" for name in medians))
    for row in rows:
        cells = []
        for rates in medians.values():
            ratio = f"{rates[row] / medians[reference][row]:.2f}" if reference in medians else "-"
            cells.append(f"{rates[row]:9.0f}/s {ratio:>8}")
        print(f"{row:22}" + "".join(cells))
