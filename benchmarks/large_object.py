"""Peak memory and rate for one enhanced multi-frame object of 2 GB, by C-STORE and STOW-RS, beside peers, in one run.

    python benchmarks/large_object.py [--megabytes 2000] [--only NAME ...]

The pixels are a hole in the sender's file. C-STORE is sent by DCMTK's `storescu` to us, `storescp` and Orthanc, STOW-RS
to our door as one part that streams. Prints the receiver's peak resident memory (VmHWM, mapped pages of the file
counted) and MB a second, with the ratio of memory to DCMTK's. Ours must stay below 256 MB whatever the size.
"""

import argparse
import os
import re
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import httpx
import receive
import stow
from pydicom import dcmread, dcmwrite
from pydicom.uid import EnhancedCTImageStorage
from receivers import make_objects, running

STOW = "connector STOW"
RECEIVERS = ("storescp", receive.OURS, STOW, "orthanc")
_MEGABYTE = 2**20


def make_large(folder: Path, megabytes: int) -> Path:
    """One enhanced CT object whose pixel data is a hole of so many megabytes."""
    (small,) = make_objects(folder, 1, 1024).iterdir()
    image = dcmread(small)
    del image.PixelData
    image.SOPClassUID = image.file_meta.MediaStorageSOPClassUID = EnhancedCTImageStorage
    image.Rows = image.Columns = 512
    image.NumberOfFrames = megabytes * 2
    path = folder / "large.dcm"
    dcmwrite(path, image, enforce_file_format=True)
    size_bytes = megabytes * _MEGABYTE
    with path.open("ab") as handle:
        handle.write(b"\xe0\x7f\x10\x00OW\x00\x00" + size_bytes.to_bytes(4, "little"))
        handle.truncate(handle.tell() + size_bytes)
    return path


def by_store(port: int, path: Path) -> None:
    """C-STORE by DCMTK."""
    subprocess.run(
        ["storescu", "-aec", "BENCH", "127.0.0.1", str(port), str(path)],
        check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=os.environ,
    )  # fmt: skip


def by_stow(port: int, path: Path) -> None:
    """STOW-RS, a megabyte at a time."""
    begin, _, end = stow.body([Path(os.devnull)]).partition(b"\r\n\r\n")

    def octets() -> Iterator[bytes]:
        yield begin + b"\r\n\r\n"
        with path.open("rb") as handle:
            while piece := handle.read(_MEGABYTE):
                yield piece
        yield end

    httpx.post(stow.address(port), content=octets(), headers=stow.HEADERS, timeout=600).raise_for_status()


def command(name: str, port: int, folder: Path) -> list[str]:
    if name == STOW:
        return stow.command(stow.OURS, port, folder)
    return [part for part in receive.command(name, port, folder) if part != "--fork"]


def measure(name: str, path: Path, megabytes: int) -> tuple[float, float]:
    """Peak memory in MB and MB a second of one receiver."""
    send: Callable[[int, Path], None] = by_stow if name == STOW else by_store
    with running(partial(command, name), stow.answers if name == STOW else receive.answers) as (port, process):
        start = time.monotonic()
        send(port, path)
        seconds = time.monotonic() - start
        found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{process}/status").read_text())
    assert found
    return int(found[1]) / 1024, megabytes / seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=int, default=2000)
    parser.add_argument("--only", nargs="*", default=RECEIVERS)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = make_large(Path(folder, "large"), options.megabytes)
        found = {name: measure(name, path, options.megabytes) for name in options.only}
    print(f"{'':16}{'peak MB':>10}{'of DCMTK':>10}{'MB/s':>8}")
    for name, (peak, rate) in found.items():
        ratio = f"{peak / found['storescp'][0]:.1f}" if "storescp" in found else "-"
        print(f"{name:16}{peak:10.0f}{ratio:>10}{rate:8.0f}")


if __name__ == "__main__":
    main()
