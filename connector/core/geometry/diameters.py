"""What a radiologist would draw on a lesion: its longest diameter in the acquisition plane and the one across it."""

from dataclasses import dataclass
from decimal import Decimal

import numpy as np
import scipy
from numpy.typing import NDArray

from connector.core.case import VolumeGeometry
from connector.core.geometry.grids import Vector, places_mm, vector

# Diameters leave as decimals in steps of 0.01 mm: finer than any caliper and any pixel, and coarser than the noise of
# binary floats, so that a lesion of 20 pixels of 0.5 mm is exactly 10.00 mm when it meets a threshold of 10 mm.
QUANTUM_MM = Decimal("0.01")
# Two diameters closer than this are the same length; the tie is broken by the longer diameter across.
_TIE_MM = 1e-6

# Pixels belong together when they share a border or a corner, and only within one plane.
_IN_PLANE = np.zeros((3, 3, 3), dtype=bool)
_IN_PLANE[1] = True

# The middles of a pixel's sides, in half pixels from its centre.
_SIDES = np.array([(-1, 0), (1, 0), (0, -1), (0, 1)])
_ANGLES = np.arange(16) * np.pi / 16
_DIRECTIONS = np.array([np.cos(_ANGLES), np.sin(_ANGLES)])
_HALF_STEP_COSINE = float(np.cos(np.pi / 32))

_Span = tuple[NDArray[np.float64], NDArray[np.float64]]


@dataclass(frozen=True, slots=True)
class Diameters:
    """
    Longest diameter and longest perpendicular diameter, both in one plane, in millimetres.

    `plane` is the plane's index; the ends lie in the patient (LPS, mm). `pieces_in_plane` is above 1 when the plane
    holds more than the piece that was measured.
    """

    long_axis_mm: Decimal
    short_axis_mm: Decimal
    plane: int
    long_axis_ends_mm: tuple[Vector, Vector]
    short_axis_ends_mm: tuple[Vector, Vector]
    pieces_in_plane: int


@dataclass(frozen=True, slots=True)
class _Drawn:
    long_mm: float
    short_mm: float
    long_ends: _Span
    short_ends: _Span


def lesion_diameters(mask: NDArray[np.bool_], geometry: VolumeGeometry) -> Diameters | None:
    """
    Measure a lesion in the plane where it is longest; None when the mask is empty.

    `mask` has the shape of `geometry`. Each connected piece of a plane (8 neighbours) is measured by itself: a stray
    voxel far away is not joined to the lesion by a line through healthy tissue. The outline runs half a pixel outside
    the outermost pixel centres, along rows and columns, so that n pixels in a row measure n times the spacing and one
    pixel is not 0 mm long: the half-level contour that IBSI's and pyradiomics' mesh and scikit-image's Feret diameter
    use (ITK's Feret diameter joins pixel centres and is a pixel short; joining pixel corners is up to 1.4 pixels long).

    The longest diameter joins the two farthest points of the outline's convex hull; the short axis is the longest chord
    of that hull across it at a right angle. Source: RECIST 1.1 (Eur J Cancer 2009;45:228-47), sections 3.1 and 3.2:
    longest diameter in the plane of measurement, nodes by the short axis in the plane of the image.
    """
    labels, count = scipy.ndimage.label(mask, structure=_IN_PLANE)
    if not count:
        return None
    _, row_mm, column_mm = geometry.spacing_mm
    boxes = scipy.ndimage.find_objects(labels)
    outlines = [
        _outline(labels[box][0] == number, first_row=box[1].start, first_column=box[2].start)
        for number, box in enumerate(boxes, 1)
    ]
    scale = (column_mm / 2, row_mm / 2)
    # Most pieces are shorter than the longest by more than this cheap bound is loose, and need no closer look.
    bounds = [_longest_possible(np.asarray(outline * scale)) for outline in outlines]
    best: tuple[_Drawn, int] | None = None
    for index in np.argsort(np.negative(bounds), kind="stable"):
        if best is not None and bounds[index] < best[0].long_mm - _TIE_MM:
            break
        drawn = _draw(outlines[index], scale)
        best = _better(best, (drawn, boxes[index][0].start))
    assert best is not None  # noqa: S101 - there is at least one piece, and the first is always drawn
    drawn, plane = best
    return Diameters(
        long_axis_mm=_exact(drawn.long_mm),
        short_axis_mm=_exact(drawn.short_mm),
        plane=plane,
        long_axis_ends_mm=_in_patient(geometry, plane, drawn.long_ends),
        short_axis_ends_mm=_in_patient(geometry, plane, drawn.short_ends),
        pieces_in_plane=sum(box[0].start == plane for box in boxes),
    )


def _longest_possible(points: NDArray[np.float64]) -> float:
    """
    Bound the distance of any two points from above, tightly and without looking at pairs.

    Seen along a few directions, the farthest pair is at most half a step of direction away from one of them.
    """
    widths = np.ptp(points @ _DIRECTIONS, axis=0)
    return float(widths.max()) / _HALF_STEP_COSINE


def _better(best: tuple[_Drawn, int] | None, new: tuple[_Drawn, int]) -> tuple[_Drawn, int]:
    if best is None:
        return new
    if abs(new[0].long_mm - best[0].long_mm) > _TIE_MM:
        return max(best, new, key=lambda drawn: drawn[0].long_mm)
    if abs(new[0].short_mm - best[0].short_mm) > _TIE_MM:
        return max(best, new, key=lambda drawn: drawn[0].short_mm)
    return min(best, new, key=lambda drawn: drawn[1])


def _exact(length_mm: float) -> Decimal:
    return Decimal(length_mm).quantize(QUANTUM_MM)


def _in_patient(geometry: VolumeGeometry, plane: int, ends: _Span) -> tuple[Vector, Vector]:
    _, row_mm, column_mm = geometry.spacing_mm
    indices = np.array([(plane, end[1] / row_mm, end[0] / column_mm) for end in ends])
    start, stop = places_mm(geometry, indices)
    return vector(start), vector(stop)


def _draw(outline: NDArray[np.int64], scale: tuple[float, float]) -> _Drawn:
    """Both diameters of one piece; points are (x along columns, y along rows) in mm from the plane's first pixel."""
    points = np.array(_hull(outline), dtype=np.float64) * scale
    # The hull of pixels has few corners (about the 2/3 power of the size in pixels): all pairs at once are exact and
    # faster here than rotating calipers step by step.
    distances = np.linalg.norm(points[:, None] - points[None], axis=2)
    longest = distances.max()
    ties = np.argwhere(np.triu(distances >= longest - _TIE_MM))
    drawn = [_across(points, int(start), int(stop)) for start, stop in ties]
    return max(drawn, key=lambda one: one.short_mm)


def _across(points: NDArray[np.float64], first: int, last: int) -> _Drawn:
    """
    Longest chord of a convex polygon at a right angle to its longest diameter.

    The ends of the diameter are the outermost points along it, so they split the hull into two chains. The chord's
    length is concave between them and straight between corners: its maximum lies at a corner.
    """
    start, stop = points[first], points[last]
    length = float(np.linalg.norm(stop - start))
    along = (stop - start) / length
    aside = np.array((-along[1], along[0]))
    at = (points - start) @ along
    off = (points - start) @ aside
    off[[first, last]] = 0.0  # the ends belong to both chains, whatever the last bit says
    order = np.argsort(at, kind="stable")
    upper = order[off[order] >= 0]
    lower = order[off[order] <= 0]
    high = np.interp(at, at[upper], off[upper])
    low = np.interp(at, at[lower], off[lower])
    widest = int(np.argmax(high - low))
    foot = start + at[widest] * along
    return _Drawn(
        length,
        float(high[widest] - low[widest]),
        (start, stop),
        (foot + low[widest] * aside, foot + high[widest] * aside),
    )


def _outline(piece: NDArray[np.bool_], *, first_row: int, first_column: int) -> NDArray[np.int64]:
    """
    Contour points that can be corners of the hull, as (column, row) in half pixels from the plane's first centre.

    Only the outermost pixels of a row can be; each gives the middles of its four sides.
    """
    rows = np.flatnonzero(piece.any(axis=1))
    first = piece[rows].argmax(axis=1)
    last = piece.shape[1] - 1 - piece[rows][:, ::-1].argmax(axis=1)
    pixels = np.stack([np.concatenate([first, last]), np.concatenate([rows, rows])], axis=1)
    pixels += (first_column, first_row)
    return np.asarray((2 * pixels[:, None] + _SIDES).reshape(-1, 2))


def _hull(outline: NDArray[np.int64]) -> list[tuple[int, int]]:
    """Convex hull of whole-number points, exact (Andrew's monotone chain, Inf Process Lett 1979;9:216-9)."""
    points = [(column, row) for column, row in sorted(outline.tolist())]
    lower = _chain(points)
    upper = _chain(points[::-1])
    return lower[:-1] + upper[:-1]


def _chain(points: list[tuple[int, int]]) -> list[tuple[int, int]]:
    chain: list[tuple[int, int]] = []
    for x, y in points:
        while len(chain) > 1:
            (ax, ay), (bx, by) = chain[-2], chain[-1]
            if (bx - ax) * (y - ay) - (by - ay) * (x - ax) > 0:
                break
            chain.pop()
        chain.append((x, y))
    return chain
