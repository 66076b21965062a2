"""Hand-drawn contours of an RT Structure Set become masks, on the planes they were drawn on."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from connector.core.case import Region, VolumeGeometry
from connector.core.errors import ImpossibleInput
from connector.core.evidence import Skipped
from connector.core.geometry.grids import PLACE_TOLERANCE_MM, bounding_box, indices_at, subgrid
from connector.dicom.headers import Header, reading
from connector.dicom.read_codes import first_code, kind_of
from connector.dicom.read_geometry import assemble, frames_of
from connector.dicom.read_values import text

STRUCTURE_SET = "1.2.840.10008.5.1.4.1.1.481.3"
# Pixels for contours whose images are not at hand: about the size of a CT pixel, well below that of any PET voxel.
_OWN_PIXEL_MM = 1.0
_OFF_PLANE_FRACTION = 0.1
_CLOSED = frozenset({"CLOSED_PLANAR", "CLOSEDPLANAR_XOR", "CLOSED_PLANAR_XOR"})
_LESION_TYPES = frozenset({"GTV"})

_Contour = NDArray[np.float64]  # (n, 3) places in mm


@dataclass(frozen=True, slots=True, eq=False)
class StructureSet:
    """The drawn regions as masks, and those that could not be used."""

    regions: tuple[Region, ...]
    skipped: tuple[Skipped, ...]


@reading()
def read_structures(header: Header, images: Sequence[Header] = ()) -> StructureSet:
    """
    Read the closed contours of a structure set on the grid of the images they were drawn on.

    Without `images` the contours must be axial, and each region gets its own grid: its contour planes, 1 mm pixels.
    A pixel is inside when its centre is; contours of one plane exclude each other (a ring is drawn as two contours).
    A region that cannot be used becomes a line that says why. Raises ImpossibleInput when the images make no volume.
    Source: DICOM PS3.3, C.8.8.5 and C.8.8.6.
    """
    dataset = header.dataset
    geometry = assemble([frame for image in images for frame in frames_of(image)])[0] if images else None
    described = {int(item.ROINumber): item for item in dataset.get("StructureSetROISequence") or ()}
    observed = {int(item.ReferencedROINumber): item for item in dataset.get("RTROIObservationsSequence") or ()}
    regions, skipped = [], []
    for drawn in dataset.get("ROIContourSequence") or ():
        number = int(drawn.ReferencedROINumber)
        item = described.get(number)
        if item is None:
            skipped.append(Skipped(header.sop_instance_uid, f"structure {number}: it is drawn and not described"))
            continue
        try:
            mask, grid = _mask(_contours(drawn), geometry, text(item.get("ReferencedFrameOfReferenceUID")))
        except ImpossibleInput as fault:
            skipped.append(Skipped(header.sop_instance_uid, f"structure {number}: {fault}"))
            continue
        regions.append(_region(header, item, observed.get(number), mask, grid))
    return StructureSet(tuple(regions), tuple(skipped))


def _region(
    header: Header, item: Dataset, observed: Dataset | None, mask: NDArray[np.bool_], grid: VolumeGeometry
) -> Region:
    name = text(item.get("ROIName"))
    observation = observed if observed is not None else Dataset()
    code = first_code(observation, "RTROIIdentificationCodeSequence")
    gross_tumour = text(observation.get("RTROIInterpretedType")).upper() in _LESION_TYPES
    return Region(
        name=name or f"structure {item.ROINumber}",
        kind="lesion" if gross_tumour else kind_of(category=None, kind=code, name=name),
        mask=mask,
        geometry=grid,
        origin=header.sop_instance_uid,
        number=int(item.ROINumber),
    )


def _contours(drawn: Dataset) -> list[_Contour]:
    contours: dict[bytes, _Contour] = {}  # the same contour twice would undo itself
    for item in drawn.get("ContourSequence") or ():
        if text(item.get("ContourGeometricType")).upper() not in _CLOSED:
            continue
        values = np.asarray([float(each) for each in item.get("ContourData") or ()])
        if len(values) % 3 or not np.isfinite(values).all():
            raise ImpossibleInput("a contour is not made of points in three coordinates: export it again")
        if len(values) >= 9:  # noqa: PLR2004 - three points enclose something, fewer do not
            contours[values.tobytes()] = values.reshape(-1, 3)
    if not contours:
        raise ImpossibleInput("it has no closed contours")
    return list(contours.values())


def _mask(
    contours: list[_Contour], geometry: VolumeGeometry | None, frame_of_reference_uid: str
) -> tuple[NDArray[np.bool_], VolumeGeometry]:
    """Fill the contours, cropped to what is filled."""
    if not frame_of_reference_uid:
        raise ImpossibleInput("it names no frame of reference: export the structure set again")
    grid = geometry if geometry is not None else _own_grid(contours, frame_of_reference_uid)
    if grid.frame_of_reference_uid != frame_of_reference_uid:
        raise ImpossibleInput("it is drawn in another frame of reference than the images")
    by_plane = _by_plane(contours, grid)
    mask = np.zeros((max(by_plane) - min(by_plane) + 1, *grid.shape[1:]), dtype=bool)
    for plane, drawn in by_plane.items():
        mask[plane - min(by_plane)] = _filled(drawn, rows=grid.shape[1], columns=grid.shape[2])
    box = bounding_box(mask)
    if box is None:
        raise ImpossibleInput("its contours hold no pixel centre: it is too small for the image")
    start = (min(by_plane) + box[0].start, box[1].start, box[2].start)
    cropped = mask[box].copy()
    planes, rows, columns = cropped.shape
    return cropped, subgrid(grid, start=start, shape=(planes, rows, columns))


def _by_plane(contours: list[_Contour], grid: VolumeGeometry) -> dict[int, list[_Contour]]:
    """Sort contours, as grid indices, to their planes. Raises ImpossibleInput when they do not lie on planes."""
    by_plane: dict[int, list[_Contour]] = {}
    for contour in contours:
        indices = indices_at(grid, contour)
        plane = int(np.rint(indices[0, 0]))
        if np.abs(indices[:, 0] - plane).max() > _OFF_PLANE_FRACTION:
            raise ImpossibleInput("its contours do not lie on the planes of the images they belong to")
        if not 0 <= plane < grid.shape[0]:
            raise ImpossibleInput("its contours reach beyond the images: send the whole series")
        by_plane.setdefault(plane, []).append(indices)
    steps = np.diff(sorted(by_plane))
    if steps.size and steps.min() > 1:
        raise ImpossibleInput("its contours leave out planes between them: interpolate them and export again")
    return by_plane


def _own_grid(contours: list[_Contour], frame_of_reference_uid: str) -> VolumeGeometry:
    """Axial grid around the contours, one plane for each height at which something is drawn."""
    heights = np.unique(np.round([contour[0, 2] for contour in contours], 3))
    if any(np.ptp(contour[:, 2]) > PLACE_TOLERANCE_MM for contour in contours):
        raise ImpossibleInput("its contours are not axial: segment on the image itself")
    steps = np.diff(heights)
    if not steps.size:
        raise ImpossibleInput("a contour on one plane has no volume without its images: send a segmentation")
    points = np.concatenate(contours)
    low = np.floor(points[:, :2].min(axis=0)) - _OWN_PIXEL_MM
    size = np.ceil((points[:, :2].max(axis=0) - low) / _OWN_PIXEL_MM).astype(int) + 2
    step = float(steps.min())
    return VolumeGeometry(
        shape=(round((heights[-1] - heights[0]) / step) + 1, int(size[1]), int(size[0])),
        origin_mm=(float(low[0]), float(low[1]), float(heights[0])),
        plane_direction=(0.0, 0.0, 1.0),
        row_step_direction=(0.0, 1.0, 0.0),
        column_step_direction=(1.0, 0.0, 0.0),
        spacing_mm=(step, _OWN_PIXEL_MM, _OWN_PIXEL_MM),
        frame_of_reference_uid=frame_of_reference_uid,
    )


def _filled(contours: Sequence[_Contour], *, rows: int, columns: int) -> NDArray[np.bool_]:
    """
    Fill polygons of one plane by the even-odd rule at pixel centres.

    Each edge flips every pixel to its right in the rows it crosses; what is flipped an odd number of times is inside.
    """
    flips = np.zeros((rows, columns + 1), dtype=np.int64)
    for contour in contours:
        start, stop = contour[:, 1:], np.roll(contour[:, 1:], -1, axis=0)
        crossing_rows, crossing_columns = _crossings(start, stop)
        seen = (crossing_rows >= 0) & (crossing_rows < rows)
        at = np.clip(np.ceil(crossing_columns[seen]), 0, columns).astype(np.int64)
        np.add.at(flips, (crossing_rows[seen], at), 1)
    return np.asarray(np.cumsum(flips[:, :columns], axis=1) % 2 == 1)


def _crossings(start: NDArray[np.float64], stop: NDArray[np.float64]) -> tuple[NDArray[np.int64], Any]:
    """Rows whose centre line an edge crosses (its lower end counts, its upper does not), and the column of each."""
    low, high = np.minimum(start[:, 0], stop[:, 0]), np.maximum(start[:, 0], stop[:, 0])
    first, last = np.ceil(low).astype(np.int64), np.ceil(high).astype(np.int64)
    counts = last - first
    edge = np.repeat(np.arange(len(start)), counts)
    row = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts) + first[edge]
    slope = (stop[edge, 1] - start[edge, 1]) / (stop[edge, 0] - start[edge, 0])
    return row, start[edge, 1] + (row - start[edge, 0]) * slope
