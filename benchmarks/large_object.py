"""Peak memory and rate for one enhanced multi-frame object of 2 GB, beside DCMTK and Orthanc, in one run.

    python benchmarks/large_object.py [--megabytes 2000] [--only NAME ...]

The sender is DCMTK's `storescu`, the pixels are a hole in its file. Prints the receiver's peak resident memory (VmHWM)
and MB a second, with the ratio of memory to DCMTK's. Ours must stay below 256 MB whatever the size.
"""

import argparse
import os
import re
import subprocess
import tempfile
import time
from pathlib import Path

from pydicom import dcmread, dcmwrite
from receive import OURS, command, free_port, make_objects

RECEIVERS = ("storescp", OURS, "orthanc")
_MEGABYTE = 2**20


def make_large(folder: Path, megabytes: int) -> Path:
    """One object whose pixel data is a hole of so many megabytes."""
    (small,) = make_objects(folder, 1, 1024).iterdir()
    image = dcmread(small)
    del image.PixelData
    image.Rows = image.Columns = 512
    image.NumberOfFrames = megabytes * 2
    path = folder / "large.dcm"
    dcmwrite(path, image, enforce_file_format=True)
    size_bytes = megabytes * _MEGABYTE
    with path.open("ab") as handle:
        handle.write(b"\xe0\x7f\x10\x00OW\x00\x00" + size_bytes.to_bytes(4, "little"))
        handle.truncate(handle.tell() + size_bytes)
    return path


def measure(name: str, path: Path, megabytes: int) -> tuple[float, float]:
    """Peak memory in MB and MB a second of one receiver."""
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        receiver = [part for part in command(name, port, Path(folder)) if part != "--fork"]
        process = subprocess.Popen(receiver, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            echo = ["echoscu", "-aec", "BENCH", "127.0.0.1", str(port)]
            while subprocess.run(echo, capture_output=True, check=False).returncode != 0:
                time.sleep(0.05)
            start = time.monotonic()
            subprocess.run(
                ["storescu", "-aec", "BENCH", "127.0.0.1", str(port), str(path)],
                check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=os.environ,
            )  # fmt: skip
            seconds = time.monotonic() - start
            status = Path(f"/proc/{process.pid}/status").read_text()
        finally:
            process.kill()
            process.wait()
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
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
    print(f"{'':12}{'peak MB':>10}{'of DCMTK':>10}{'MB/s':>8}")
    for name, (peak, rate) in found.items():
        ratio = f"{peak / found['storescp'][0]:.1f}" if "storescp" in found else "-"
        print(f"{name:12}{peak:10.0f}{ratio:>10}{rate:8.0f}")


if __name__ == "__main__":
    main()
