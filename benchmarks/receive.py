"""How many instances a second arrive safely, beside pynetdicom as shipped, Orthanc and DCMTK, in one run.

    python benchmarks/receive.py [--only ct-4 ...] [--rounds 3] [--ct 400] [--small 400] [--receivers NAME ...]

A scenario is `<object>-<associations>-<sender>`: `ct` (0.5 MB) or `small` (10 KB); 1, 4 or 16; `stock` is DCMTK's
`storescu` as shipped (Nagle's algorithm on), `nodelay` has TCP_NODELAY=1, for the receivers too. `--only` takes
beginnings of those names. In each round every receiver gets the same files, one receiver after the other, and each
scenario is printed as soon as it is known: instances a second, the ratio to pynetdicom's default handler
(`event.dataset.save_as`, no fsync) and to Orthanc (which syncs its files), and the receiver's processor time for an
instance. Ratios are medians of the ratios within a round. Ours is `connector listen` as shipped, durable: file and
folder synced, receipt committed to SQLite, before each success. DCMTK syncs nothing. `floor` receives nothing: the same
octets are written, synced and committed as ours are, and nothing else, which no durable receiver of this kind passes on
this disk. Senders and receivers share this machine's processors, so differences below 1.3 mean little; on a busy disk
only the syncing is measured.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from receive_floor import floor
from receivers import listening, make_objects, processor_seconds, running

OURS, REFERENCE, ORTHANC, FLOOR = "connector", "pynetdicom", "orthanc", "floor"
RECEIVERS = (REFERENCE, OURS, ORTHANC, "storescp", FLOOR)
KINDS = {"ct": 512 * 1024, "small": 10 * 1024}
SCENARIOS = [f"{kind}-{count}-{sender}" for kind in KINDS for count in (1, 4, 16) for sender in ("stock", "nodelay")]


@dataclass(frozen=True)
class Measured:
    """What one receiver did in one round."""

    per_second: float
    processor_ms: float


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


def command(name: str, port: int, folder: Path, *, processes: int = 1) -> list[str]:
    if name == OURS:
        settings = {"DATA_DIR": folder, "DICOM_PORT": port, "AE_TITLE": "BENCH"}
        ours = [f"CONNECTOR_{key}={value}" for key, value in settings.items()]
        return ["env", *ours, sys.executable, "-m", "connector", "listen", "--processes", str(processes)]
    if name == REFERENCE:
        return [sys.executable, __file__, "--serve", str(port), str(folder)]
    if name == "storescp":
        return ["storescp", "--fork", "+B", "-aet", "BENCH", "-od", str(folder), str(port)]
    settings = {
        "HttpServerEnabled": False, "DicomAet": "BENCH", "DicomPort": port, "RemoteAccessAllowed": False, "Plugins": [],
        "StorageDirectory": str(folder), "IndexDirectory": str(folder), "DicomAlwaysAllowStore": True,
        "DicomThreadsCount": 16,
    }  # fmt: skip
    (folder / "orthanc.json").write_text(json.dumps(settings))
    return ["Orthanc", str(folder / "orthanc.json")]


def answers(port: int, *, processes: int = 1) -> bool:
    """Whether a receiver verifies, with all its processes there."""
    if listening(port) < processes:
        return False
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


def measure(name: str, scenario: str, files: list[Path], *, processes: int) -> Measured:
    """One receiver, begun anew so that it never meets an instance twice."""
    _, associations, sender = scenario.split("-")
    if name == FLOOR:
        used = time.process_time()
        with tempfile.TemporaryDirectory() as folder:
            per_second = floor(files, Path(folder), associations=int(associations))
        return Measured(per_second, 1000 * (time.process_time() - used) / len(files))
    nagle = sender == "stock"
    starts = partial(command, name, processes=processes)
    is_ready = partial(answers, processes=processes if name == OURS else 1)
    with running(starts, is_ready, **environment(nagle=nagle)) as (port, process_id):
        before = processor_seconds(process_id)
        per_second = send(port, files, associations=int(associations), nagle=nagle)
        used = processor_seconds(process_id) - before
    return Measured(per_second, 1000 * used / len(files))


def in_words(name: str, rounds: list[dict[str, Measured]]) -> str:
    """One receiver in one scenario: medians, and medians of the ratios within a round."""
    mine = [measured[name] for measured in rounds]
    words = f"  {name:12}{statistics.median(one.per_second for one in mine):8.0f}/s"
    words += f"{statistics.median(one.processor_ms for one in mine):8.2f} ms processor"
    for other in (REFERENCE, ORTHANC):
        if other in rounds[0]:
            ratio = statistics.median(one[name].per_second / one[other].per_second for one in rounds)
            words += f"{ratio:9.2f} x {other}"
    return words


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="*", default=[""], help="beginnings of scenarios: ct-4, small-1-stock")
    parser.add_argument("--receivers", nargs="*", default=RECEIVERS, choices=RECEIVERS)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--ct", type=int, default=1000, help="how many CT: fewer measure how senders start")
    parser.add_argument("--small", type=int, default=400, help="how many small objects")
    parser.add_argument("--processes", type=int, default=1, help="listener processes of ours")
    parser.add_argument("--serve", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve_pynetdicom(int(options.serve[0]), options.serve[1])
        return
    chosen = [name for name in SCENARIOS if name.startswith(tuple(options.only))]
    if not chosen:
        parser.error(f"--only: no scenario begins so; there are {', '.join(SCENARIOS)}")
    with tempfile.TemporaryDirectory() as folder:
        files = {
            kind: sorted(make_objects(Path(folder, kind), getattr(options, kind), size_bytes).iterdir())
            for kind, size_bytes in KINDS.items()
            if any(name.startswith(f"{kind}-") for name in chosen)
        }
        for scenario in chosen:
            rounds: list[dict[str, Measured]] = []
            for number in range(1, options.rounds + 1):
                rounds.append({})
                for name in options.receivers:
                    where = f"{scenario}, round {number} of {options.rounds}: {name}"
                    print(f"\r\033[K{where}", end="", file=sys.stderr, flush=True)
                    sent = files[scenario.split("-")[0]]
                    rounds[-1][name] = measure(name, scenario, sent, processes=options.processes)
            print("\r\033[K", end="", file=sys.stderr, flush=True)
            print("\n".join([scenario, *(in_words(name, rounds) for name in options.receivers)]), flush=True)


if __name__ == "__main__":
    main()
