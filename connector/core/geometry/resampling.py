"""Regions drawn on one grid and doses computed on another meet here, in the patient, and what is lost is counted."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from connector.core.case import VolumeGeometry
from connector.core.errors import ImpossibleInput
from connector.core.geometry.grids import bounding_box, indices_at, lattice_offset, places_mm, steps_mm

# A place exactly on the border of two voxels belongs to the higher index, whatever the last bit of the float says.
_BORDER_NUDGE = 1e-6


@dataclass(frozen=True, slots=True, eq=False)
class Resampled:
    """A mask on the target grid; `outside_fraction` of the source's voxels lay outside that grid (0..1)."""

    mask: NDArray[np.bool_]
    outside_fraction: float


def resample_nearest(mask: NDArray[np.bool_], source: VolumeGeometry, target: VolumeGeometry) -> Resampled:
    """
    Carry a mask to another grid: a target voxel is inside when the source voxel at its centre is.

    Raises ImpossibleInput when the grids are not in one frame of reference: their places cannot be compared.
    """
    if source.frame_of_reference_uid != target.frame_of_reference_uid:
        raise ImpossibleInput(
            "the region lies in another frame of reference than the image: register and segment on the image itself"
        )
    result = np.zeros(target.shape, dtype=bool)
    box = bounding_box(mask)
    if box is None:
        return Resampled(result, 0.0)
    offset = lattice_offset(target, source)
    if offset is not None:
        _place(result, mask, offset)
    else:
        _look_up(result, mask, box, source, target)
    return Resampled(result, _outside_fraction(mask, box, source, target))


def _place(result: NDArray[np.bool_], mask: NDArray[np.bool_], offset: tuple[int, int, int]) -> None:
    into, out_of = [], []
    for start, length, room in zip(offset, mask.shape, result.shape, strict=True):
        first, stop = max(start, 0), min(start + length, room)
        if stop <= first:
            return
        into.append(slice(first, stop))
        out_of.append(slice(first - start, stop - start))
    result[tuple(into)] = mask[tuple(out_of)]


def _look_up(
    result: NDArray[np.bool_],
    mask: NDArray[np.bool_],
    box: tuple[slice, slice, slice],
    source: VolumeGeometry,
    target: VolumeGeometry,
) -> None:
    corners = np.array(np.meshgrid(*[(side.start - 0.5, side.stop - 0.5) for side in box])).reshape(3, -1).T
    reach = indices_at(target, places_mm(source, corners))
    first = np.clip(np.floor(reach.min(axis=0)).astype(int), 0, target.shape)
    stop = np.clip(np.ceil(reach.max(axis=0)).astype(int) + 1, 0, target.shape)
    rows, columns = np.arange(first[1], stop[1]), np.arange(first[2], stop[2])
    to_source = np.linalg.inv(steps_mm(source)) @ steps_mm(target)
    begin = indices_at(source, np.asarray([target.origin_mm]))[0]
    in_plane = (
        rows[:, None, None] * to_source[:, 1] + columns[None, :, None] * to_source[:, 2] + begin + 0.5 + _BORDER_NUDGE
    )
    shape = np.asarray(mask.shape)
    for plane in range(first[0], stop[0]):
        nearest = np.floor(in_plane + plane * to_source[:, 0]).astype(np.int64)
        inside = ((nearest >= 0) & (nearest < shape)).all(axis=2)
        found = np.zeros(inside.shape, dtype=bool)
        found[inside] = mask[tuple(nearest[inside].T)]
        result[plane, first[1] : stop[1], first[2] : stop[2]] = found


def _outside_fraction(
    mask: NDArray[np.bool_], box: tuple[slice, slice, slice], source: VolumeGeometry, target: VolumeGeometry
) -> float:
    voxels = np.argwhere(mask[box]) + [side.start for side in box]
    nearest = np.floor(indices_at(target, places_mm(source, voxels)) + 0.5 + _BORDER_NUDGE)
    inside = ((nearest >= 0) & (nearest < target.shape)).all(axis=1)
    return 1.0 - float(inside.mean())
