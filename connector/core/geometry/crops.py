"""A region carried to another grid as a small box of it: twelve regions of a whole scan would fill the memory."""

from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from connector.core.case import VolumeGeometry
from connector.core.geometry.grids import bounding_box, indices_at, lattice_offset, places_mm, subgrid
from connector.core.geometry.resampling import resample_nearest

Box = tuple[slice, slice, slice]


@dataclass(frozen=True, slots=True, eq=False)
class Crop:
    """The voxels of a region in a box of a grid; the mask has the box's shape and touches all its sides."""

    box: Box
    mask: NDArray[np.bool_]

    @property
    def count(self) -> int:
        """Number of voxels."""
        return int(np.count_nonzero(self.mask))


def crop_of(mask: NDArray[np.bool_]) -> Crop | None:
    """Crop a mask of the whole grid; None for an empty one."""
    box = bounding_box(mask)
    return None if box is None else Crop(box, np.ascontiguousarray(mask[box]))


def crop_on_grid(mask: NDArray[np.bool_], source: VolumeGeometry, target: VolumeGeometry) -> tuple[Crop | None, float]:
    """
    Carry a mask to a grid (nearest voxel) as a crop, and the fraction of its voxels that lay outside that grid.

    Only the part of the grid that the region reaches is looked at. Raises ImpossibleInput for another frame of
    reference.
    """
    offset = lattice_offset(target, source)
    if offset is not None:
        return _cut(mask, offset, target.shape)
    box = bounding_box(mask)
    within = target if box is None or _differs(source, target) else _reached(box, source, target)
    resampled = resample_nearest(mask, source, within)
    crop = crop_of(resampled.mask)
    if crop is None:
        return None, resampled.outside_fraction
    start = lattice_offset(target, within) or (0, 0, 0)
    return Crop(_shifted(crop.box, start), crop.mask), resampled.outside_fraction


def _differs(source: VolumeGeometry, target: VolumeGeometry) -> bool:
    return source.frame_of_reference_uid != target.frame_of_reference_uid


def _shifted(box: Box, by: tuple[int, int, int]) -> Box:
    first, second, third = (
        slice(side.start + offset, side.stop + offset) for side, offset in zip(box, by, strict=True)
    )
    return first, second, third


def _cut(mask: NDArray[np.bool_], offset: tuple[int, int, int], shape: tuple[int, ...]) -> tuple[Crop | None, float]:
    """The part of a mask on the same lattice that lies on the grid."""
    total = int(np.count_nonzero(mask))
    if not total:
        return None, 0.0
    kept = tuple(
        slice(min(max(-start, 0), length), max(min(length, size - start), 0))
        for start, length, size in zip(offset, mask.shape, shape, strict=True)
    )
    crop = crop_of(mask[kept])
    if crop is None:
        return None, 1.0
    start = (offset[0] + kept[0].start, offset[1] + kept[1].start, offset[2] + kept[2].start)
    return Crop(_shifted(crop.box, start), crop.mask), 1 - crop.count / total


def _reached(box: Box, source: VolumeGeometry, target: VolumeGeometry) -> VolumeGeometry:
    """The part of the grid around a box of another grid, one voxel wider; at least one voxel of it."""
    corners = np.array(list(product(*((side.start - 0.5, side.stop - 0.5) for side in box))))
    reach = indices_at(target, places_mm(source, corners))
    last = np.asarray(target.shape) - 1
    first = np.clip(np.floor(reach.min(axis=0)) - 1, 0, last).astype(int).tolist()
    stop = np.clip(np.ceil(reach.max(axis=0)) + 1, 0, last).astype(int).tolist()
    shape = (stop[0] - first[0] + 1, stop[1] - first[1] + 1, stop[2] - first[2] + 1)
    return subgrid(target, start=(first[0], first[1], first[2]), shape=shape)
