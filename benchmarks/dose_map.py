"""How fast and in how little memory a dose map is convolved, beside scipy's fftconvolve in float64, in one run.

    python benchmarks/dose_map.py [--rounds 7] [--grids A B C]

Three grids hold a liver of 1.5 L: A 110x200x200 of 3x4.07x4.07 mm, B 200x256x256 of 2 mm, C 300x512x512 of 1.37 mm.
The methods take turns in one process; printed are the medians of the ratios of wall and of processor time to
`scipy.signal.fftconvolve` (float64, whole volume), and the peak memory of a process of its own. Read ratios, not
seconds. Each answer is compared with the baseline in the liver and one range around it.
"""

import argparse
from collections.abc import Callable

import numpy as np
from interleaved import in_turns, in_words, peak_mb, print_growth
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


def compare(name: str, rounds: int) -> None:
    calls, _ = methods(name)
    expected = calls[BASELINE]()
    for method, call in calls.items():
        difference = np.abs(call() - expected).max() / expected.max()
        energy = call().sum(dtype=np.float64) / expected.sum() - 1
        assert difference <= 1e-6, f"{method}: {difference:.1e} of the maximum"
        assert abs(energy) <= 1e-6, f"{method}: {energy:.1e} of the energy"
    times = in_turns(calls, rounds)
    for method in calls:
        told = in_words(times, name=method, baseline=BASELINE)
        print(f"{name}  {method:<20} {told}, peak {peak_mb(__file__, name, method):5.0f} MB")


def print_peak(name: str, method: str) -> None:
    dose, box, spacing = phantom(name)
    kernel = voxel_kernel(spacing, DENSITY_KG_L)
    calls: dict[str, Callable[[], object]] = {
        BASELINE: lambda: fftconvolve(dose.astype(np.float64), kernel, mode="same"),
        WHOLE: lambda: convolved(dose, spacing_mm=spacing, density_kg_l=DENSITY_KG_L),
    }
    cropped = lambda: convolved_around(dose, box, spacing_mm=spacing, density_kg_l=DENSITY_KG_L)  # noqa: E731
    print_growth(calls.get(method, cropped))


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
