"""How fast exact dose-volume statistics of twelve regions are, beside one boolean extraction a region, in one run.

    python benchmarks/dvh.py [--rounds 7]

The volume is 300x512x512; twelve spheres of different sizes overlap in a liver. Both ways give the same sorted doses,
which is checked. `one pass` is a ready label map of regions that do not overlap. Read ratios, not seconds.
"""

import argparse
import statistics
import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from connector.core.dosimetry.dvh import DoseVolume, by_label, dose_volumes

SHAPE = (300, 512, 512)
REGIONS = 12


def spheres() -> list[NDArray[np.bool_]]:
    random = np.random.default_rng(4)
    masks = []
    for number in range(REGIONS):
        centre = np.array(SHAPE) / 2 + random.uniform(-30, 30, 3)
        radius = 8 + 4 * number
        axes = [(np.arange(size) - middle) ** 2 for size, middle in zip(SHAPE, centre, strict=True)]
        masks.append(np.asarray(axes[0][:, None, None] + axes[1][None, :, None] + axes[2][None, None, :] <= radius**2))
    return masks


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    dose = np.random.default_rng(1).gamma(2.0, 30.0, SHAPE).astype(np.float32)
    masks = spheres()
    labels = np.zeros(SHAPE, np.uint16)
    for number, mask in reversed(list(enumerate(masks, 1))):
        labels[mask] = number

    def naive() -> list[DoseVolume]:
        return [DoseVolume(np.sort(dose[mask])) for mask in masks]

    def naive_labels() -> list[DoseVolume]:
        return [DoseVolume(np.sort(dose[labels == number])) for number in range(1, REGIONS + 1)]

    def one_pass() -> list[DoseVolume]:
        return [DoseVolume(np.sort(doses)) for doses in by_label(dose, labels).values()]

    compare("twelve masks", naive, lambda: [each for each in dose_volumes(dose, masks) if each], rounds)
    compare("a label map", naive_labels, one_pass, rounds)


def compare(
    what: str, baseline: Callable[[], list[DoseVolume]], ours: Callable[[], list[DoseVolume]], rounds: int
) -> None:
    for expected, found in zip(baseline(), ours(), strict=True):
        assert np.array_equal(expected.sorted_gy, found.sorted_gy)
    pairs = [(timed(baseline), timed(ours)) for _ in range(rounds)]
    ratio = statistics.median(base / mine for base, mine in pairs)
    print(f"{what:<14} {ratio:5.1f} times as fast as one extraction a region, best {min(m for _, m in pairs):.3f} s")


def timed(call: Callable[[], list[DoseVolume]]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
