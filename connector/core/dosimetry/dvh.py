"""Dose-volume statistics that are exact to the voxel, because a histogram drops the hottest and invents the rest."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from connector.core.geometry.grids import bounding_box

DEFINITION = (
    "D_x is the lowest dose in the hottest x % of the voxels (rank ceil(x N/100), no interpolation); "
    "V_x counts voxels with at least that dose; cold voxels are included"
)
Slices = tuple[slice, slice, slice]
# Regions whose memberships fit one code: 2^16 groups still sort by radix.
REGIONS_PER_PASS = 16


@dataclass(frozen=True, slots=True, eq=False)
class DoseVolume:
    """The doses of one region in Gy, sorted upwards; never empty."""

    sorted_gy: NDArray[np.float32]

    @property
    def count(self) -> int:
        """Number of voxels."""
        return int(self.sorted_gy.size)

    @property
    def mean_gy(self) -> float:
        """Mean dose, summed in double precision."""
        return float(self.sorted_gy.mean(dtype=np.float64))

    @property
    def min_gy(self) -> float:
        """Dose of the coldest voxel."""
        return float(self.sorted_gy[0])

    @property
    def max_gy(self) -> float:
        """Dose of the hottest voxel."""
        return float(self.sorted_gy[-1])

    def dose_to_hottest_gy(self, percent: int) -> float:
        """
        D_x: the lowest dose in the hottest `percent` (1..100) of the voxels.

        The rank ceil(x N/100) is taken in whole numbers, so that no rounding moves it by a voxel.
        """
        if not 1 <= percent <= 100:  # noqa: PLR2004 - percent of all voxels
            raise ValueError(f"D_{percent}: a percentage from 1 to 100 is needed")
        rank = -(-percent * self.count // 100)
        return float(self.sorted_gy[self.count - rank])

    def volume_fraction_at(self, dose_gy: float) -> float:
        """
        V_x as a fraction 0..1: voxels with at least `dose_gy`.

        The level is rounded as the doses were, so that a voxel that holds exactly the level counts.
        """
        below = int(np.searchsorted(self.sorted_gy, np.float32(dose_gy), side="left"))
        return (self.count - below) / self.count


def joined_box(boxes: Sequence[Slices]) -> Slices:
    """Smallest box that holds all boxes; at least one is needed."""
    low = [min(box[axis].start for box in boxes) for axis in range(3)]
    high = [max(box[axis].stop for box in boxes) for axis in range(3)]
    return slice(low[0], high[0]), slice(low[1], high[1]), slice(low[2], high[2])


def by_label(dose_gy: NDArray[np.float32], labels: NDArray[np.uint16]) -> dict[int, NDArray[np.float32]]:
    """
    Doses of every label above 0, in one pass over the map.

    Both arrays have one shape. The doses of a label come unsorted.
    """
    inside = np.flatnonzero(labels)
    found = labels.ravel()[inside]
    order = np.argsort(found, kind="stable")
    doses = dose_gy.ravel()[inside[order]]
    counts = np.bincount(found)
    ends = np.cumsum(counts)
    return {int(label): doses[ends[label] - counts[label] : ends[label]] for label in np.flatnonzero(counts)}


def dose_volumes(dose_gy: NDArray[np.float32], masks: Sequence[NDArray[np.bool_]]) -> list[DoseVolume | None]:
    """
    Dose-volume statistics of many masks, which may overlap; None stands for an empty mask.

    Every mask has the shape of the dose. Voxels are grouped by the set of masks that hold them, so that the dose is
    read once for all masks.
    """
    volumes: list[DoseVolume | None] = []
    for start in range(0, len(masks), REGIONS_PER_PASS):
        volumes.extend(_one_pass(dose_gy, masks[start : start + REGIONS_PER_PASS]))
    return volumes


def _one_pass(dose_gy: NDArray[np.float32], masks: Sequence[NDArray[np.bool_]]) -> list[DoseVolume | None]:
    boxes = [bounding_box(mask) for mask in masks]
    filled = [box for box in boxes if box is not None]
    if not filled:
        return [None] * len(masks)
    whole = joined_box(filled)
    labels = np.zeros(tuple(side.stop - side.start for side in whole), dtype=np.uint16)
    for bit, (mask, box) in enumerate(zip(masks, boxes, strict=True)):
        if box is not None:
            part = tuple(
                slice(side.start - all_.start, side.stop - all_.start) for side, all_ in zip(box, whole, strict=True)
            )
            labels[part] |= mask[box].astype(np.uint16) << np.uint16(bit)
    groups = by_label(np.ascontiguousarray(dose_gy[whole]), labels)
    volumes: list[DoseVolume | None] = []
    for bit, box in enumerate(boxes):
        parts = [doses for label, doses in groups.items() if label >> bit & 1]
        volumes.append(None if box is None else DoseVolume(np.sort(np.concatenate(parts))))
    return volumes
