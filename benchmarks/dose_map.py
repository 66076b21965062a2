"""How fast and in how little memory a dose map is convolved, beside scipy's fftconvolve in float64, in one run.

    python benchmarks/dose_map.py [--rounds 7] [--grids A B C]

Three grids hold a liver of 1.5 L: A 110x200x200 of 3x4.07x4.07 mm, B 200x256x256 of 2 mm, C 300x512x512 of 1.37 mm.
The methods take turns in one process; printed are the medians of the ratios of wall and of processor time to
`scipy.signal.fftconvolve` (float64, whole volume), and the peak memory of a process of its own. Read ratios, not
seconds. Each answer is compared with the baseline in the liver and one range around it.
"""

import argparse
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.signal import fftconvolve

from connector.core.dosimetry.convolution import convolved, convolved_around
from connector.core.dosimetry.dvh import Slices
from connector.core.dosimetry.kernel import Spacing, voxel_kernel
from connector.core.geometry.grids import bounding_box

DENSITY_KG_L = 1.03
GRIDS: dict[str, tuple[tuple[int, int, int], Spacing]] = {
    "A": ((110, 200, 200), (3.0, 4.07, 4.07)),
    "B": ((200, 256, 256), (2.0, 2.0, 2.0)),
    "C": ((300, 512, 512), (1.37, 1.37, 1.37)),
}
LIVER_SEMI_AXES_MM = (70.0, 62.0, 84.0)  # an ellipsoid of 1.53 L
BASELINE = "fftconvolve f64"
WHOLE = "ours, whole volume"


def liver_of(shape: tuple[int, int, int], spacing: Spacing) -> NDArray[np.bool_]:
    """An ellipsoid in the middle of the volume."""
    axes = [
        ((np.arange(size) - size / 2) * step / half) ** 2
        for size, step, half in zip(shape, spacing, LIVER_SEMI_AXES_MM, strict=True)
    ]
    return np.asarray(axes[0][:, None, None] + axes[1][None, :, None] + axes[2][None, None, :] <= 1)


def phantom(name: str) -> tuple[NDArray[np.float32], Slices, Spacing]:
    shape, spacing = GRIDS[name]
    liver = liver_of(shape, spacing)
    # Activity everywhere, as a reconstruction has it: zeros are not transformed and would flatter the whole volume.
    dose = np.random.default_rng(1).random(shape, np.float32)
    dose[liver] *= 100
    box = bounding_box(liver)
    if box is None:
        raise AssertionError("the phantom has a liver")
    return dose, box, spacing


def methods(name: str) -> tuple[dict[str, Callable[[], NDArray[np.floating]]], Slices]:
    dose, box, spacing = phantom(name)
    kernel = voxel_kernel(spacing, DENSITY_KG_L)
    answered, _ = convolved_around(dose, box, spacing_mm=spacing, density_kg_l=DENSITY_KG_L)
    return {
        BASELINE: lambda: fftconvolve(dose.astype(np.float64), kernel, mode="same")[answered],
        WHOLE: lambda: convolved(dose, spacing_mm=spacing, density_kg_l=DENSITY_KG_L)[answered],
        "ours, liver": lambda: convolved_around(dose, box, spacing_mm=spacing, density_kg_l=DENSITY_KG_L)[1],
    }, answered


def timed(call: Callable[[], NDArray[np.floating]]) -> tuple[float, float]:
    wall, processor = time.perf_counter(), time.process_time()
    call()
    return time.perf_counter() - wall, time.process_time() - processor


def compare(name: str, rounds: int) -> None:
    calls, _ = methods(name)
    expected = calls[BASELINE]()
    for method, call in calls.items():
        difference = np.abs(call() - expected).max() / expected.max()
        energy = call().sum(dtype=np.float64) / expected.sum() - 1
        assert difference <= 1e-6, f"{method}: {difference:.1e} of the maximum"
        assert abs(energy) <= 1e-6, f"{method}: {energy:.1e} of the energy"
    times: dict[str, list[tuple[float, float]]] = {method: [] for method in calls}
    for _ in range(rounds):
        for method, call in calls.items():
            times[method].append(timed(call))
    for method in calls:
        wall = [base[0] / ours[0] for base, ours in zip(times[BASELINE], times[method], strict=True)]
        processor = [base[1] / ours[1] for base, ours in zip(times[BASELINE], times[method], strict=True)]
        best = min(each[0] for each in times[method])
        print(
            f"{name}  {method:<20} {statistics.median(wall):7.1f} times as fast "
            f"({statistics.median(processor):6.1f} by processor time), best {best:.3f} s, "
            f"peak {peak_mb(name, method):5.0f} MB"
        )


def peak_mb(name: str, method: str) -> float:
    """Peak memory of one call in a fresh process, less that of the same process before the call."""
    done = subprocess.run(
        [sys.executable, __file__, "--peak", name, method], check=True, capture_output=True, text=True
    )
    return float(done.stdout)


def print_peak(name: str, method: str) -> None:
    dose, box, spacing = phantom(name)
    kernel = voxel_kernel(spacing, DENSITY_KG_L)
    before = peak_so_far_mb()
    if method == BASELINE:
        fftconvolve(dose.astype(np.float64), kernel, mode="same")
    elif method == WHOLE:
        convolved(dose, spacing_mm=spacing, density_kg_l=DENSITY_KG_L)
    else:
        convolved_around(dose, box, spacing_mm=spacing, density_kg_l=DENSITY_KG_L)
    print(max(peak_so_far_mb() - before, 0.0))


def peak_so_far_mb() -> float:
    """High-water mark of this process; unlike ru_maxrss it does not begin at the parent's."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return float(status.split("VmHWM:")[1].split()[0]) / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--grids", nargs="+", default=list(GRIDS), choices=GRIDS)
    parser.add_argument("--peak", nargs=2, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.peak:
        print_peak(*chosen.peak)
        return
    for name in chosen.grids:
        compare(name, chosen.rounds)


if __name__ == "__main__":
    main()
