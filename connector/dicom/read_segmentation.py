"""Segmentations become one small mask a segment, in a single pass over the frames, with what the segment is."""

from dataclasses import dataclass
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from connector.core.case import Code, Region, VolumeGeometry
from connector.core.errors import ImpossibleInput
from connector.core.evidence import Skipped
from connector.core.geometry.grids import subgrid
from connector.dicom.headers import Header, reading
from connector.dicom.read_codes import first_code, kind_of, site_of, site_of_name
from connector.dicom.read_geometry import Frame, frames_of, plane_numbers
from connector.dicom.read_pixels import plain_bytes, stored_frames
from connector.dicom.read_values import decimal, text

SEGMENTATION = "1.2.840.10008.5.1.4.1.1.66.4"
LABEL_MAP_SEGMENTATION = "1.2.840.10008.5.1.4.1.1.66.7"

_Patch = tuple[int, int, int, NDArray[np.bool_]]  # plane, first row, first column, pixels


@dataclass(frozen=True, slots=True, eq=False)
class Segment:
    """One segment: its mask, cropped to its own bounding box, and what its codes say it is."""

    region: Region
    site: str
    site_code: Code | None
    tracking_id: str | None
    slice_thickness_mm: Decimal | None
    type_code: Code | None


@dataclass(frozen=True, slots=True, eq=False)
class Segmentation:
    """All segments of an instance that hold voxels, and those that hold none."""

    segments: tuple[Segment, ...]
    skipped: tuple[Skipped, ...]


@reading()
def read_segmentation(header: Header) -> Segmentation:
    """
    Read a binary, fractional or label map segmentation; segments may overlap.

    A fractional voxel counts when it is at least half of the Maximum Fractional Value. Masks are cropped, so that many
    small segments of a large volume stay small in memory. Raises ImpossibleInput when the instance has no usable
    geometry or pixels.

    Source: DICOM PS3.3, C.8.20 (Segmentation) and A.51.
    """
    described = {int(item.SegmentNumber): item for item in header.dataset.get("SegmentSequence") or ()}
    if not described:
        raise ImpossibleInput("the segmentation describes no segment: export it again")
    frames = frames_of(header)
    geometry, planes = plane_numbers(frames)
    patches = _patches(header, frames, planes)
    thickness = decimal(frames[0].first("PixelMeasuresSequence", "SliceThickness"))
    segments, skipped = [], []
    for number in sorted(described.keys() | patches.keys()):
        if number not in described:
            raise ImpossibleInput(f"segment {number} has pixels and no description: export the segmentation again")
        if number not in patches:
            skipped.append(Skipped(header.sop_instance_uid, f"segment {number} is empty"))
            continue
        mask, grid = _joined(patches.pop(number), geometry)
        segments.append(_segment(header, described[number], mask, grid, thickness))
    return Segmentation(tuple(segments), tuple(skipped))


def _segment(
    header: Header, item: Dataset, mask: NDArray[np.bool_], grid: VolumeGeometry, thickness: Decimal | None
) -> Segment:
    category = first_code(item, "SegmentedPropertyCategoryCodeSequence")
    type_code = first_code(item, "SegmentedPropertyTypeCodeSequence")
    site_code = first_code(item, "AnatomicRegionSequence")
    label = text(item.get("SegmentLabel"))
    kind = kind_of(category=category, kind=type_code, name=label)
    sites = (site_of(site_code), site_of(type_code), site_of_name(label))
    region = Region(
        name=label or f"segment {item.SegmentNumber}",
        kind=kind,
        mask=mask,
        geometry=grid,
        origin=header.sop_instance_uid,
        number=int(item.SegmentNumber),
        tracking_uid=text(item.get("TrackingUID")) or None,
    )
    site = next((each for each in sites if each != "other"), "other")
    return Segment(region, site, site_code, text(item.get("TrackingID")) or None, thickness, type_code)


def _joined(patches: list[_Patch], geometry: VolumeGeometry) -> tuple[NDArray[np.bool_], VolumeGeometry]:
    """Put the patches of a segment into one mask around them."""
    start = (
        min(plane for plane, _, _, _ in patches),
        min(row for _, row, _, _ in patches),
        min(column for _, _, column, _ in patches),
    )
    shape = (
        max(plane for plane, _, _, _ in patches) + 1 - start[0],
        max(row + pixels.shape[0] for _, row, _, pixels in patches) - start[1],
        max(column + pixels.shape[1] for _, _, column, pixels in patches) - start[2],
    )
    mask = np.zeros(shape, dtype=bool)
    for plane, row, column, pixels in patches:
        rows = slice(row - start[1], row - start[1] + pixels.shape[0])
        columns = slice(column - start[2], column - start[2] + pixels.shape[1])
        mask[plane - start[0], rows, columns] |= pixels
    return mask, subgrid(geometry, start=start, shape=shape)


def _patches(header: Header, frames: list[Frame], planes: list[int]) -> dict[int, list[_Patch]]:
    """Cut the filled rectangle out of every frame, by segment number: one pass, one frame in memory at a time."""
    kind = str(header.dataset.get("SegmentationType") or "").upper()
    if header.sop_class_uid == LABEL_MAP_SEGMENTATION or kind == "LABELMAP":
        return _label_patches(header, planes)
    if kind not in {"BINARY", "FRACTIONAL"}:
        raise ImpossibleInput(f"segmentation type {kind!r} is not read: export it as BINARY or LABELMAP")
    numbers = [_segment_number(frame) for frame in frames]
    if kind == "BINARY" and int(header.dataset.BitsAllocated) == 1 and not int(header.dataset.Columns) % 8:
        packed = plain_bytes(header)
        if packed is not None:
            return _packed_patches(header, packed, numbers, planes)
    half = (int(header.dataset.get("MaximumFractionalValue") or 1) + 1) // 2
    found: dict[int, list[_Patch]] = {}
    for number, plane, values in zip(numbers, planes, stored_frames(header), strict=True):
        patch = _patch(plane, np.greater_equal(values, half))
        if patch is not None:
            found.setdefault(number, []).append(patch)
    return found


def _segment_number(frame: Frame) -> int:
    number = frame.first("SegmentIdentificationSequence", "ReferencedSegmentNumber")
    if number is None:
        raise ImpossibleInput("a frame does not say which segment it is: export the segmentation again")
    return int(number)


def _label_patches(header: Header, planes: list[int]) -> dict[int, list[_Patch]]:
    background = header.dataset.get("PixelPaddingValue")
    found: dict[int, list[_Patch]] = {}
    for plane, values in zip(planes, stored_frames(header), strict=True):
        for number in np.unique(values):
            if number == 0 or (background is not None and number == background):
                continue
            patch = _patch(plane, np.equal(values, number))
            if patch is not None:
                found.setdefault(int(number), []).append(patch)
    return found


def _packed_patches(
    header: Header, packed: NDArray[np.uint8], numbers: list[int], planes: list[int]
) -> dict[int, list[_Patch]]:
    """Cut patches out of one-bit frames without unpacking what is empty."""
    rows, columns = int(header.dataset.Rows), int(header.dataset.Columns)
    width = columns // 8
    frames = packed[: len(numbers) * rows * width].reshape(len(numbers), rows, width)
    found: dict[int, list[_Patch]] = {}
    for frame, number, plane in zip(frames, numbers, planes, strict=True):
        filled_rows = np.flatnonzero(frame.any(axis=1))
        if not filled_rows.size:
            continue
        first_row, stop_row = int(filled_rows[0]), int(filled_rows[-1]) + 1
        filled_octets = np.flatnonzero(frame[first_row:stop_row].any(axis=0))
        first, stop = int(filled_octets[0]), int(filled_octets[-1]) + 1
        bits = np.unpackbits(frame[first_row:stop_row, first:stop], axis=1, bitorder="little")
        found.setdefault(number, []).append((plane, first_row, first * 8, bits.view(bool)))
    return found


def _patch(plane: int, filled: NDArray[np.bool_]) -> _Patch | None:
    rows = np.flatnonzero(filled.any(axis=1))
    if not rows.size:
        return None
    columns = np.flatnonzero(filled[rows[0] : rows[-1] + 1].any(axis=0))
    cut = filled[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return plane, int(rows[0]), int(columns[0]), cut.copy()
