"""Brings a region onto the grid of the activity, because contours are drawn on CT and activity is measured on PET."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from connector.core.case import Region, VolumeGeometry
from connector.core.errors import ImpossibleInput

# Grids closer than this are one grid: DICOM decimal strings carry about ten digits.
SAME_POSITION_MM = 1e-3
SAME_DIRECTION = 1e-6
# A voxel belongs to a region when at least half of its sample points do.
MAJORITY = 0.5
MOST_SAMPLES_PER_AXIS = 8


def same_grid(one: VolumeGeometry, other: VolumeGeometry) -> bool:
    """Tell whether voxel [i, j, k] of one is voxel [i, j, k] of the other."""
    return (
        one.shape == other.shape
        and np.allclose(one.origin_mm, other.origin_mm, rtol=0, atol=SAME_POSITION_MM)
        and np.allclose(one.spacing_mm, other.spacing_mm, rtol=0, atol=SAME_POSITION_MM / max(one.shape))
        and np.allclose(_directions(one), _directions(other), rtol=0, atol=SAME_DIRECTION)
    )


def mask_on_grid(region: Region, grid: VolumeGeometry) -> NDArray[np.bool_]:
    """
    The region's mask on another grid of the same frame of reference.

    Each voxel is sampled on a regular sub-grid about as fine as the region's own; it is inside when at least half of
    the samples are. Raises ImpossibleInput when the frames of reference differ: no registration is invented.
    """
    if region.geometry.frame_of_reference_uid != grid.frame_of_reference_uid:
        raise ImpossibleInput(
            f"region {region.number} is drawn in another frame of reference than the activity: "
            "register the two, or send a region drawn on the activity or on its CT"
        )
    if same_grid(region.geometry, grid):
        return region.mask
    return _resampled(region, grid)


def _directions(geometry: VolumeGeometry) -> NDArray[np.float64]:
    """The three unit vectors as columns."""
    return np.array(
        [geometry.plane_direction, geometry.row_step_direction, geometry.column_step_direction], dtype=np.float64
    ).T


@dataclass(frozen=True, slots=True, eq=False)
class _IndexMap:
    """Affine map from index of one grid to (fractional) index of another."""

    matrix: NDArray[np.float64]
    offset: NDArray[np.float64]

    @classmethod
    def between(cls, source: VolumeGeometry, target: VolumeGeometry) -> "_IndexMap":
        to_mm = _directions(source) * np.array(source.spacing_mm)
        to_index = np.linalg.inv(_directions(target) * np.array(target.spacing_mm))
        shift = np.array(source.origin_mm) - np.array(target.origin_mm)
        return cls(to_index @ to_mm, to_index @ shift)

    def __call__(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        return points @ self.matrix.T + self.offset


def _resampled(region: Region, grid: VolumeGeometry) -> NDArray[np.bool_]:
    result = np.zeros(grid.shape, dtype=np.bool_)
    reach = _reach(region, grid)
    if reach is None:
        return result
    low, high = reach
    to_region = _IndexMap.between(grid, region.geometry)
    samples = _sub_voxel_points(grid, region.geometry)
    rows, columns = np.arange(low[1], high[1]), np.arange(low[2], high[2])
    for plane in range(low[0], high[0]):
        points = np.stack(np.meshgrid([plane], rows, columns, indexing="ij"), axis=-1).reshape(-1, 3).astype(np.float64)
        hits = np.zeros(len(points), dtype=np.int64)
        for sample in samples:
            hits += _inside(region.mask, to_region(points + sample))
        inside = hits >= MAJORITY * len(samples)
        result[plane, low[1] : high[1], low[2] : high[2]] = inside.reshape(len(rows), len(columns))
    return result


def _reach(region: Region, grid: VolumeGeometry) -> tuple[list[int], list[int]] | None:
    """First and past-the-last index of the grid that the region's voxels can touch; None when it cannot."""
    found = [
        np.flatnonzero(region.mask.any(axis=tuple(other for other in range(3) if other != axis))) for axis in range(3)
    ]
    if any(hit.size == 0 for hit in found):
        return None
    corners = np.array(np.meshgrid(*[(hit[0] - 0.5, hit[-1] + 0.5) for hit in found])).reshape(3, -1).T
    on_grid = _IndexMap.between(region.geometry, grid)(corners)
    low = np.maximum(np.floor(on_grid.min(axis=0)).astype(int), 0)
    high = np.minimum(np.ceil(on_grid.max(axis=0)).astype(int) + 1, grid.shape)
    if (low >= high).any():
        return None
    return low.tolist(), high.tolist()


def _sub_voxel_points(grid: VolumeGeometry, region: VolumeGeometry) -> NDArray[np.float64]:
    """Offsets in index units of the grid, about one per voxel of the finer region."""
    finest = min(region.spacing_mm)
    axes = []
    for spacing in grid.spacing_mm:
        count = int(np.clip(np.ceil(spacing / finest), 1, MOST_SAMPLES_PER_AXIS))
        axes.append((np.arange(count) + 0.5) / count - 0.5)
    return np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)


def _inside(mask: NDArray[np.bool_], points: NDArray[np.float64]) -> NDArray[np.bool_]:
    nearest = np.rint(points).astype(np.int64)
    within = ((nearest >= 0) & (nearest < mask.shape)).all(axis=1)
    hit = np.zeros(len(points), dtype=np.bool_)
    hit[within] = mask[tuple(nearest[within].T)]
    return hit
