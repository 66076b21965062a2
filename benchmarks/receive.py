"""How many instances a second arrive safely, beside pynetdicom as shipped, Orthanc and DCMTK, in one run.

    python benchmarks/receive.py [--rounds 3] [--ct 400] [--small 400] [--associations 1 4 16] [--only NAME ...]

Prints ratios to pynetdicom's default handler (`event.dataset.save_as`, no fsync). Ours is durable: file and folder
synced, receipt committed to SQLite, before each success. Senders are DCMTK's `storescu`, as shipped (Nagle's algorithm
on) and with TCP_NODELAY=1 (for the receivers too), over one, four and sixteen associations. Senders and receivers share
this machine's processors, so differences below 1.3 mean little; on a busy disk only the syncing is measured.
"""

import argparse
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

OURS = "connector"
REFERENCE = "pynetdicom"
RECEIVERS = (REFERENCE, OURS, "orthanc", "storescp")


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
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def serve_ours(port: int, folder: str) -> None:
    """Our listener with a SQLite ledger (run in a process of its own)."""
    from connector.dicom.receive import Listener  # noqa: PLC0415 - only the child pays for the import
    from connector.dicom.receive_same import same_dataset  # noqa: PLC0415
    from connector.store import open_ledger  # noqa: PLC0415
    from connector.store.inbox import SqlInbox  # noqa: PLC0415
    from connector.store.tables import metadata  # noqa: PLC0415

    engine = open_ledger(f"sqlite:///{folder}/ledger.sqlite")
    metadata.create_all(engine)
    inbox = SqlInbox(engine, case_ref=str, same_dataset=same_dataset)
    Listener(inbox=inbox, folder=Path(folder, "in"), ae_title="BENCH", host="127.0.0.1", port=port).start()
    signal.pause()


def serve_pynetdicom(port: int, folder: str) -> None:
    """The handler of pynetdicom's own examples (run in a process of its own)."""
    from pynetdicom import AE, AllStoragePresentationContexts, evt  # noqa: PLC0415
    from pynetdicom.sop_class import Verification  # noqa: PLC0415

    def store(event: evt.Event) -> int:
        image = event.dataset
        image.file_meta = event.file_meta
        image.save_as(Path(folder, f"{image.SOPInstanceUID}.dcm"), enforce_file_format=True)
        return 0x0000

    entity = AE(ae_title="BENCH")
    entity.maximum_associations = 32  # ten as shipped: sixteen would be refused
    entity.supported_contexts = AllStoragePresentationContexts
    entity.add_supported_context(Verification)
    entity.start_server(("127.0.0.1", port), evt_handlers=[(evt.EVT_C_STORE, store)])


def command(name: str, port: int, folder: Path) -> list[str]:
    if name in {OURS, REFERENCE}:
        return [sys.executable, __file__, "--serve", name, str(port), str(folder)]
    if name == "storescp":
        return ["storescp", "--fork", "+B", "-aet", "BENCH", "-od", str(folder), str(port)]
    settings = {
        "HttpServerEnabled": False, "DicomAet": "BENCH", "DicomPort": port, "RemoteAccessAllowed": False, "Plugins": [],
        "StorageDirectory": str(folder), "IndexDirectory": str(folder), "DicomAlwaysAllowStore": True,
        "DicomThreadsCount": 16,
    }  # fmt: skip
    (folder / "orthanc.json").write_text(json.dumps(settings))
    return ["Orthanc", str(folder / "orthanc.json")]


@contextmanager
def running(name: str, *, nagle: bool) -> Iterator[int]:
    """Start a receiver on a free port, and end it; DCMTK, also inside Orthanc, answers in two writes."""
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        process = subprocess.Popen(
            command(name, port, Path(folder)),
            env=environment(nagle=nagle),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            for _ in range(200):
                time.sleep(0.05)
                answer = subprocess.run(
                    ["echoscu", "-aec", "BENCH", "127.0.0.1", str(port)], capture_output=True, check=False
                )
                if answer.returncode == 0:
                    break
            else:
                raise RuntimeError(f"{name} did not start")
            yield port
        finally:
            process.kill()
            process.wait()


def environment(*, nagle: bool) -> dict[str, str]:
    """What switches Nagle's algorithm off in DCMTK."""
    return os.environ | ({} if nagle else {"TCP_NODELAY": "1"})


def send(port: int, files: list[Path], *, associations: int, nagle: bool) -> float:
    """Instances a second over so many associations at once."""
    start = time.monotonic()
    senders = [
        subprocess.Popen(
            ["storescu", "-aec", "BENCH", "127.0.0.1", str(port), *map(str, files[part::associations])],
            env=environment(nagle=nagle),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for part in range(associations)
    ]
    for sender in senders:
        if sender.wait() != 0:
            raise RuntimeError("a sender was refused")
    return len(files) / (time.monotonic() - start)


def measure(name: str, sets: dict[str, list[Path]], at_once: list[int]) -> dict[str, float]:
    """Rates of one receiver; a fresh receiver for each row, so that none meets an instance twice."""
    rates = {}
    for kind, files in sets.items():
        for nagle in (True, False):
            for associations in at_once:
                with running(name, nagle=nagle) as port:
                    rate = send(port, files, associations=associations, nagle=nagle)
                rates[f"{kind} x{associations} {'stock' if nagle else 'nodelay'}"] = rate
    return rates


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--ct", type=int, default=400)
    parser.add_argument("--small", type=int, default=400)
    parser.add_argument("--associations", type=int, nargs="*", default=[1, 4, 16])
    parser.add_argument("--only", nargs="*", default=RECEIVERS)
    parser.add_argument("--serve", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        name, port, folder = options.serve
        {OURS: serve_ours, REFERENCE: serve_pynetdicom}[name](int(port), folder)
        return
    with tempfile.TemporaryDirectory() as folder:
        sets = {
            "CT 0.5 MB": sorted(make_objects(Path(folder, "ct"), options.ct, 512 * 1024).iterdir()),
            "10 KB": sorted(make_objects(Path(folder, "small"), options.small, 10 * 1024).iterdir()),
        }
        rounds: dict[str, list[dict[str, float]]] = {name: [] for name in options.only}
        for _ in range(options.rounds):
            for name in options.only:
                rounds[name].append(measure(name, sets, options.associations))
    rows = next(iter(rounds.values()))[0]
    medians = {name: {row: statistics.median(r[row] for r in runs) for row in rows} for name, runs in rounds.items()}
    print(f"{'':22}" + "".join(f"{name:>20}" for name in medians))
    for row in rows:
        cells = []
        for rates in medians.values():
            ratio = f"{rates[row] / medians[REFERENCE][row]:.2f}" if REFERENCE in medians else "-"
            cells.append(f"{rates[row]:9.0f}/s {ratio:>8}")
        print(f"{row:22}" + "".join(cells))


if __name__ == "__main__":
    main()
