"""Dose-volume statistics that are exact to the voxel, because a histogram drops the hottest and invents the rest."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from connector.core.geometry.crops import Crop

DEFINITION = (
    "D_x is the lowest dose in the hottest x % of the voxels (rank ceil(x N/100), no interpolation); "
    "V_x counts voxels with at least that dose; cold voxels are included"
)
Slices = tuple[slice, slice, slice]


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


def dose_volumes(dose_gy: NDArray[np.float32], crops: Sequence[Crop | None]) -> list[DoseVolume | None]:
    """
    Dose-volume statistics of many regions of one dose map, which may overlap; None stands for an empty region.

    Only a region's own box of the map is read.
    """
    return [None if crop is None else dose_volume(dose_gy, crop) for crop in crops]


def dose_volume(dose_gy: NDArray[np.float32], crop: Crop) -> DoseVolume:
    """Dose-volume statistics of one region."""
    doses = dose_gy[crop.box][crop.mask]
    doses.sort()
    return DoseVolume(doses)
