"""Voxels have places in the patient: the one file that turns indices into millimetres and stacks planes into a grid."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from connector.core.case import VolumeGeometry
from connector.core.errors import ImpossibleInput

Vector = tuple[float, float, float]

# Positions are decimal strings of at most 16 characters, often rounded to 0.01 mm by the sender; two readings of the
# same place may differ by that rounding on both sides.
PLACE_TOLERANCE_MM = 0.02
# Cosines are commonly written with six decimals.
DIRECTION_TOLERANCE = 1e-4
# A missing plane changes a step by 100 %; rounding of positions changes a step of 1 mm by less than this.
STEP_TOLERANCE_FRACTION = 0.05


@dataclass(frozen=True, slots=True)
class Stack:
    """Planes in order along the normal: `order` holds the given indices, `spacing_mm` is None for a single plane."""

    order: tuple[int, ...]
    spacing_mm: float | None
    normal: Vector


def vector(values: Any) -> Vector:
    """Three plain floats."""
    x, y, z = (float(value) for value in values)
    return (x, y, z)


def plane_normal(*, row_cosines: Vector, column_cosines: Vector) -> Vector:
    """
    Unit normal of a plane from the DICOM cosines. Raises ImpossibleInput when they are not perpendicular unit vectors.

    Source: DICOM PS3.3, C.7.6.2.1.1.
    """
    row, column = np.asarray(row_cosines), np.asarray(column_cosines)
    lengths = np.array([row @ row, column @ column])
    if not np.all(np.abs(lengths - 1.0) < 2 * DIRECTION_TOLERANCE) or abs(row @ column) > DIRECTION_TOLERANCE:
        raise ImpossibleInput(
            "the image orientation is not two perpendicular unit vectors: ask the sender to correct (0020,0037)"
        )
    normal = np.cross(row, column)
    return vector(normal / np.linalg.norm(normal))


def stack(positions_mm: Sequence[Vector], *, row_cosines: Vector, column_cosines: Vector) -> Stack:
    """
    Order planes along their normal, and check that they make a straight stack with equal steps.

    Raises ImpossibleInput for two planes at one place, a missing plane, or planes that slide sideways (gantry tilt).
    """
    normal = plane_normal(row_cosines=row_cosines, column_cosines=column_cosines)
    places = np.asarray(positions_mm, dtype=np.float64)
    heights = places @ np.asarray(normal)
    order = np.argsort(heights, kind="stable")
    if len(order) == 1:
        return Stack((0,), None, normal)
    steps = np.diff(heights[order])
    if steps.min() < PLACE_TOLERANCE_MM:
        raise ImpossibleInput(
            "two images lie in the same plane: send one acquisition, phase or reconstruction at a time"
        )
    spacing = (heights[order[-1]] - heights[order[0]]) / (len(order) - 1)
    uneven = np.abs(steps - spacing) > max(PLACE_TOLERANCE_MM, STEP_TOLERANCE_FRACTION * spacing)
    if uneven.any():
        after = int(np.argmax(steps)) + 1
        raise ImpossibleInput(
            f"the planes are not evenly spaced (steps of {steps.min():.3f} to {steps.max():.3f} mm, the widest after "
            f"plane {after} of {len(order)}): send the missing images"
        )
    sideways = places[order] - places[order[0]] - np.outer(heights[order] - heights[order[0]], normal)
    if np.abs(sideways).max() > PLACE_TOLERANCE_MM + STEP_TOLERANCE_FRACTION * spacing:
        raise ImpossibleInput(
            "the planes slide sideways (tilted gantry): send a reconstruction that is perpendicular to its planes"
        )
    return Stack(tuple(int(index) for index in order), float(spacing), normal)


def steps_mm(geometry: VolumeGeometry) -> NDArray[np.float64]:
    """Matrix (3, 3) whose columns are one step in plane, row and column index, in patient millimetres."""
    directions = np.array(
        [geometry.plane_direction, geometry.row_step_direction, geometry.column_step_direction], dtype=np.float64
    )
    return np.asarray(directions.T * np.asarray(geometry.spacing_mm))


def places_mm(geometry: VolumeGeometry, indices: NDArray[Any]) -> NDArray[np.float64]:
    """Patient places (n, 3) of [plane, row, column] indices (n, 3); half indices are voxel borders."""
    return np.asarray(geometry.origin_mm) + indices @ steps_mm(geometry).T


def indices_at(geometry: VolumeGeometry, places: NDArray[np.float64]) -> NDArray[np.float64]:
    """Fractional [plane, row, column] indices (n, 3) of patient places (n, 3)."""
    return np.asarray((places - np.asarray(geometry.origin_mm)) @ np.linalg.inv(steps_mm(geometry)).T)


def subgrid(geometry: VolumeGeometry, *, start: tuple[int, int, int], shape: tuple[int, int, int]) -> VolumeGeometry:
    """Part of a grid, or a larger one on the same lattice, that begins at voxel `start`."""
    origin = places_mm(geometry, np.asarray([start]))[0]
    return replace(geometry, origin_mm=vector(origin), shape=shape)


def bounding_box(mask: NDArray[np.bool_]) -> tuple[slice, slice, slice] | None:
    """Return the smallest box that holds every voxel of a 3-D mask; None for an empty mask."""
    planes = np.flatnonzero(mask.any(axis=(1, 2)))
    if not planes.size:
        return None
    in_plane: NDArray[np.bool_] = np.any(mask[planes[0] : planes[-1] + 1], axis=0)
    rows = np.flatnonzero(in_plane.any(axis=1))
    columns = np.flatnonzero(in_plane.any(axis=0))
    return (
        slice(int(planes[0]), int(planes[-1]) + 1),
        slice(int(rows[0]), int(rows[-1]) + 1),
        slice(int(columns[0]), int(columns[-1]) + 1),
    )


def lattice_offset(geometry: VolumeGeometry, other: VolumeGeometry) -> tuple[int, int, int] | None:
    """Index in `geometry` of the first voxel of `other`; None when the two do not share one lattice of voxels."""
    if geometry.frame_of_reference_uid != other.frame_of_reference_uid:
        return None
    extent = np.asarray(other.shape) - 1
    drift = np.abs(steps_mm(geometry) - steps_mm(other)) @ np.maximum(extent, 1)
    if drift.max() > PLACE_TOLERANCE_MM:
        return None
    start = indices_at(geometry, np.asarray([other.origin_mm]))[0]
    whole = np.rint(start)
    if (np.abs(start - whole) * np.asarray(geometry.spacing_mm)).max() > PLACE_TOLERANCE_MM:
        return None
    plane, row, column = (int(index) for index in whole)
    return (plane, row, column)
