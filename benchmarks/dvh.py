"""How fast exact dose-volume statistics of twelve regions are, beside one extraction a region from the whole volume.

    python benchmarks/dvh.py [--rounds 7]

The volume is 300x512x512; twelve spheres of different sizes overlap in a liver. `label map` is the per-region loop over
the full volume that is meant where 20 times are asked for: a label map is what is given, and every region is taken out
of the whole volume (`dose[labels == number]`) before its statistics are made. `masks` is easier on the loop: it is
handed a ready mask of the whole volume for each region, twelve times the memory of the label map, and what remains of
the time is mostly the sorting that both need; its ratio is printed so that nobody takes the first for it. Ours is given
what the readers of segmentations and structure sets give: each region in its own box. Every way
makes the mean, the extremes, five D_x by rank and nine V_x, which are compared. Printed are medians of the ratios of
wall and of processor time, taken in turns in one process. Read ratios, not seconds.
"""

import argparse
from collections.abc import Callable

import numpy as np
from interleaved import in_turns, in_words
from numpy.typing import NDArray

from connector.core.dosimetry.dvh import DoseVolume, dose_volumes
from connector.core.dosimetry.map_report import DOSE_LEVELS_GY
from connector.core.geometry.crops import crop_of

SHAPE = (300, 512, 512)
REGIONS = 12
PERCENTS = (2, 50, 70, 95, 98)
LEVELS_GY = tuple(map(float, DOSE_LEVELS_GY))
Row = list[float]


def spheres() -> list[NDArray[np.bool_]]:
    random = np.random.default_rng(4)
    masks = []
    for number in range(REGIONS):
        centre = np.array(SHAPE) / 2 + random.uniform(-30, 30, 3)
        radius = 8 + 4 * number
        axes = [(np.arange(size) - middle) ** 2 for size, middle in zip(SHAPE, centre, strict=True)]
        masks.append(np.asarray(axes[0][:, None, None] + axes[1][None, :, None] + axes[2][None, None, :] <= radius**2))
    return masks


def plainly(doses: NDArray[np.float32]) -> Row:
    ordered = np.sort(doses)
    ranks = [-(-percent * len(doses) // 100) for percent in PERCENTS]
    return [
        float(doses.mean(dtype=np.float64)),
        float(doses.min()),
        float(doses.max()),
        *(float(ordered[len(doses) - rank]) for rank in ranks),
        *(float(np.mean(doses >= level)) for level in LEVELS_GY),
    ]


def ours(volume: DoseVolume | None) -> Row:
    if volume is None:
        raise AssertionError("every sphere has voxels")
    return [
        volume.mean_gy,
        volume.min_gy,
        volume.max_gy,
        *(volume.dose_to_hottest_gy(percent) for percent in PERCENTS),
        *(volume.volume_fraction_at(level) for level in LEVELS_GY),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    dose = np.random.default_rng(1).gamma(2.0, 30.0, SHAPE).astype(np.float32)
    masks = spheres()
    labels = np.zeros(SHAPE, np.uint8)
    for number, mask in reversed(list(enumerate(masks, 1))):
        labels[mask] = number
    apart = [labels == number for number in range(1, REGIONS + 1)]
    compare(
        "masks",
        lambda: [plainly(dose[mask]) for mask in masks],
        boxed(dose, masks),
        rounds,
    )
    compare(
        "label map",
        lambda: [plainly(dose[labels == number]) for number in range(1, REGIONS + 1)],
        boxed(dose, apart),
        rounds,
    )


def boxed(dose: NDArray[np.float32], masks: list[NDArray[np.bool_]]) -> Callable[[], list[Row]]:
    crops = [crop_of(mask) for mask in masks]
    return lambda: [ours(volume) for volume in dose_volumes(dose, crops)]


def compare(what: str, baseline: Callable[[], list[Row]], boxes: Callable[[], list[Row]], rounds: int) -> None:
    assert np.allclose(baseline(), boxes(), rtol=1e-9, atol=0)
    times = in_turns({what: baseline, "boxes": boxes}, rounds)
    print(f"{what:<10} {in_words(times, name='boxes', baseline=what)}")


if __name__ == "__main__":
    main()
