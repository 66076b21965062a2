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
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

from receivers import make_objects, our_inbox, print_ratios, running

OURS = "connector"
REFERENCE = "pynetdicom"
RECEIVERS = (REFERENCE, OURS, "orthanc", "storescp")


def serve_ours(port: int, folder: str) -> None:
    """Our listener with a SQLite ledger (run in a process of its own)."""
    from connector.dicom.receive import Listener  # noqa: PLC0415 - only the child pays for the import

    Listener(inbox=our_inbox(folder), folder=Path(folder, "in"), ae_title="BENCH", host="127.0.0.1", port=port).start()
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


def answers(port: int) -> bool:
    """Whether a receiver verifies."""
    echo = ["echoscu", "-aec", "BENCH", "127.0.0.1", str(port)]
    return subprocess.run(echo, capture_output=True, check=False).returncode == 0


def environment(*, nagle: bool) -> dict[str, str]:
    """What switches Nagle's algorithm off in DCMTK, also inside Orthanc: it answers in two writes."""
    return {} if nagle else {"TCP_NODELAY": "1"}


def send(port: int, files: list[Path], *, associations: int, nagle: bool) -> float:
    """Instances a second over so many associations at once."""
    start = time.monotonic()
    senders = [
        subprocess.Popen(
            ["storescu", "-aec", "BENCH", "127.0.0.1", str(port), *map(str, files[part::associations])],
            env=os.environ | environment(nagle=nagle),
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
                with running(partial(command, name), answers, **environment(nagle=nagle)) as (port, _):
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
    print_ratios(rounds, reference=REFERENCE)


if __name__ == "__main__":
    main()
