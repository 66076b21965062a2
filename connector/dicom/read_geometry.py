"""Where frames lie in the patient, whichever of DICOM's four ways says so, and how they become one regular grid."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from pydicom.dataset import Dataset

from connector.core.case import VolumeGeometry
from connector.core.errors import ImpossibleInput
from connector.core.geometry.grids import DIRECTION_TOLERANCE, PLACE_TOLERANCE_MM, Vector, plane_normal, stack, vector
from connector.dicom.headers import Header

_NUCLEAR_MEDICINE = "1.2.840.10008.5.1.4.1.1.20"
_RELATIVE_SPACING_TOLERANCE = 1e-3
_SLICE_VECTOR = 0x00540080


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One plane of pixels: the file and number it is (from 0), where it lies (mm), and its functional groups."""

    header: Header
    number: int
    position_mm: Vector
    row_cosines: Vector
    column_cosines: Vector
    row_spacing_mm: float
    column_spacing_mm: float
    groups: tuple[Dataset, ...]  # most specific first: the frame's, the shared, the data set itself

    def first(self, sequence: str, keyword: str) -> Any:
        """Look an attribute up in the frame's functional groups, then the shared ones, then the data set."""
        return _look_up(self.groups, sequence, keyword)


def _look_up(groups: Sequence[Dataset], sequence: str, keyword: str) -> Any:
    for group in groups:
        items = group.get(sequence)
        value = items[0].get(keyword) if items else None
        if value not in (None, ""):
            return value
    return groups[-1].get(keyword)


def frames_of(header: Header) -> list[Frame]:
    """
    Place every frame of an instance: single slices, enhanced multi-frame objects, segmentations, reconstructed NM.

    Raises ImpossibleInput when an orientation, position or pixel spacing is missing, or the object has no 3-D places.
    """
    dataset = header.dataset
    if header.sop_class_uid == _NUCLEAR_MEDICINE:
        return _nuclear_medicine_frames(header)
    shared = tuple(dataset.get("SharedFunctionalGroupsSequence") or ())[:1]
    per_frame = dataset.get("PerFrameFunctionalGroupsSequence") or ()
    count = int(dataset.get("NumberOfFrames") or 1)
    if per_frame and len(per_frame) != count:
        raise ImpossibleInput("the number of frames and of their descriptions differ: send the object again")
    if not per_frame and count > 1:
        raise ImpossibleInput("the frames have no places in the patient: a reconstructed volume is needed")
    groups = [(item, *shared, dataset) for item in per_frame] or [(*shared, dataset)]
    return [_frame(header, number, each) for number, each in enumerate(groups)]


def _frame(header: Header, number: int, groups: tuple[Dataset, ...]) -> Frame:
    orientation = _look_up(groups, "PlaneOrientationSequence", "ImageOrientationPatient")
    position = _look_up(groups, "PlanePositionSequence", "ImagePositionPatient")
    spacing = _look_up(groups, "PixelMeasuresSequence", "PixelSpacing")
    return _placed(header, number, groups, orientation=orientation, position=position, spacing=spacing)


def _placed(
    header: Header, number: int, groups: tuple[Dataset, ...], *, orientation: Any, position: Any, spacing: Any
) -> Frame:
    for value, length, what in ((orientation, 6, "orientation"), (position, 3, "position"), (spacing, 2, "spacing")):
        if value is None or len(value) != length or not np.isfinite([float(each) for each in value]).all():
            raise ImpossibleInput(f"the image has no {what} in the patient: a reconstructed volume is needed")
    row_spacing, column_spacing = float(spacing[0]), float(spacing[1])
    if min(row_spacing, column_spacing) <= 0:
        raise ImpossibleInput("Pixel Spacing (0028,0030) is not positive: ask the sender to correct it")
    return Frame(
        header, number, vector(position), vector(orientation[:3]), vector(orientation[3:]), row_spacing,
        column_spacing, groups,
    )  # fmt: skip


def _nuclear_medicine_frames(header: Header) -> list[Frame]:
    """
    Place the slices of a reconstructed NM volume from its first detector.

    The sign of Spacing Between Slices tells on which side of the first slice the others lie: a positive one is along
    the normal of the plane. Source: DICOM PS3.3, C.8.4.15 (NM Reconstruction Module).
    """
    dataset = header.dataset
    kinds = [str(each).upper() for each in dataset.get("ImageType") or ()]
    if not {"RECON TOMO", "RECON GATED TOMO"}.intersection(kinds[2:3]):
        raise ImpossibleInput("a planar or unreconstructed NM image has no places in the patient: send the RECON TOMO")
    pointers = np.atleast_1d(np.asarray(dataset.get("FrameIncrementPointer") or (), dtype=int))
    if pointers.tolist() != [_SLICE_VECTOR]:
        raise ImpossibleInput("the NM frames run over more than slices (gates or times): send one static volume")
    detectors = dataset.get("DetectorInformationSequence") or ()
    detector = next((each for each in detectors if "ImagePositionPatient" in each), dataset)
    orientation, position = detector.get("ImageOrientationPatient"), detector.get("ImagePositionPatient")
    step = dataset.get("SpacingBetweenSlices") or dataset.get("SliceThickness")
    if not step:
        raise ImpossibleInput("Spacing Between Slices (0018,0088) is missing in the NM volume: ask the sender for it")
    vectors = np.atleast_1d(np.asarray(dataset.get("SliceVector") or (), dtype=int))
    if len(vectors) != int(dataset.get("NumberOfFrames") or 1):
        raise ImpossibleInput("the Slice Vector (0054,0080) does not name every frame: ask the sender to correct it")
    spacing = dataset.get("PixelSpacing")
    groups = (dataset,)
    first = _placed(header, 0, groups, orientation=orientation, position=position, spacing=spacing)
    normal = np.asarray(plane_normal(row_cosines=first.row_cosines, column_cosines=first.column_cosines))
    places = [np.asarray(first.position_mm) + (at - 1) * float(step) * normal for at in vectors]
    return [
        _placed(header, number, groups, orientation=orientation, position=place, spacing=spacing)
        for number, place in enumerate(places)
    ]


def check_parallel(frames: Sequence[Frame]) -> None:
    """Check that frames share orientation, pixel spacing, size and frame of reference. Raises ImpossibleInput."""
    first = frames[0]
    size = (first.header.dataset.Rows, first.header.dataset.Columns)
    reference = frame_of_reference(first.header)
    directions = np.array([(*each.row_cosines, *each.column_cosines) for each in frames])
    if np.abs(directions - directions[0]).max() > DIRECTION_TOLERANCE:
        raise ImpossibleInput("the planes are not parallel: send one orientation at a time")
    spacings = np.array([(each.row_spacing_mm, each.column_spacing_mm) for each in frames])
    if np.abs(spacings / spacings[0] - 1.0).max() > _RELATIVE_SPACING_TOLERANCE:
        raise ImpossibleInput("the planes have different pixel spacings: send one reconstruction at a time")
    headers = {id(each.header): each.header for each in frames}.values()
    if any((each.dataset.Rows, each.dataset.Columns) != size for each in headers):
        raise ImpossibleInput("the planes have different sizes: send one reconstruction at a time")
    if any(frame_of_reference(each) != reference for each in headers):
        raise ImpossibleInput("the planes are in different frames of reference: send one acquisition at a time")


def frame_of_reference(header: Header) -> str:
    """UID of the space the object lies in. Raises ImpossibleInput when it is missing."""
    uid = str(header.dataset.get("FrameOfReferenceUID") or "").strip()
    if not uid:
        raise ImpossibleInput("there is no Frame of Reference UID (0020,0052): its places mean nothing to other images")
    return uid


def assemble(frames: Sequence[Frame]) -> tuple[VolumeGeometry, list[Frame]]:
    """
    Make one regular grid of parallel frames, ordered along the normal.

    Raises ImpossibleInput for anything but a straight stack with equal steps; nothing is interpolated.
    """
    check_parallel(frames)
    first = frames[0]
    stacked = stack(
        [each.position_mm for each in frames], row_cosines=first.row_cosines, column_cosines=first.column_cosines
    )
    ordered = [frames[index] for index in stacked.order]
    step = stacked.spacing_mm if stacked.spacing_mm is not None else single_plane_step_mm(first)
    return grid(ordered[0], plane_count=len(ordered), plane_spacing_mm=step, normal=stacked.normal), ordered


def grid(frame: Frame, *, plane_count: int, plane_spacing_mm: float, normal: Vector) -> VolumeGeometry:
    """Grid of equal planes that begins at `frame`."""
    dataset = frame.header.dataset
    return VolumeGeometry(
        shape=(plane_count, int(dataset.Rows), int(dataset.Columns)),
        origin_mm=frame.position_mm,
        plane_direction=normal,
        row_step_direction=frame.column_cosines,
        column_step_direction=frame.row_cosines,
        spacing_mm=(plane_spacing_mm, frame.row_spacing_mm, frame.column_spacing_mm),
        frame_of_reference_uid=frame_of_reference(frame.header),
    )


def single_plane_step_mm(frame: Frame) -> float:
    """Step of planes where only one is known: the declared spacing, else the thickness. Raises ImpossibleInput."""
    declared = declared_step_mm(frame)
    thickness = frame.first("PixelMeasuresSequence", "SliceThickness")
    step = declared or (float(thickness) if thickness else 0.0)
    if step <= 0:
        raise ImpossibleInput("a single plane without thickness has no volume: send the whole series")
    return step


def declared_step_mm(frame: Frame) -> float | None:
    """Spacing Between Slices as declared, without its sign; None when it is not given."""
    spacing = frame.first("PixelMeasuresSequence", "SpacingBetweenSlices")
    return abs(float(spacing)) or None if spacing else None


def plane_numbers(frames: Sequence[Frame]) -> tuple[VolumeGeometry, list[int]]:
    """
    Number the planes of frames that may share planes or leave some out, as segmentations do.

    The step is the declared one when the places fit it, else the smallest step between planes. Raises ImpossibleInput
    when the places do not lie on one lattice.
    """
    check_parallel(frames)
    first = frames[0]
    normal = plane_normal(row_cosines=first.row_cosines, column_cosines=first.column_cosines)
    places = np.array([each.position_mm for each in frames])
    heights = places @ np.asarray(normal)
    lowest = int(np.argmin(heights))
    above = heights - heights[lowest]
    steps = np.diff(np.unique(above))
    apart = steps[steps > PLACE_TOLERANCE_MM]
    step = _step_of(first, above, float(apart.min()) if apart.size else None)
    numbers = np.rint(above / step).astype(int)
    if np.abs(above - numbers * step).max() > max(PLACE_TOLERANCE_MM, 0.1 * step):
        raise ImpossibleInput("the planes are not evenly spaced: segment one regular series")
    sideways = places - places[lowest] - np.outer(above, normal)
    if np.abs(sideways).max() > max(PLACE_TOLERANCE_MM, 0.1 * step):
        raise ImpossibleInput("the planes slide sideways: segment one straight series")
    count = int(numbers.max()) + 1
    return grid(frames[lowest], plane_count=count, plane_spacing_mm=step, normal=normal), numbers.tolist()


def _step_of(frame: Frame, above: Any, smallest: float | None) -> float:
    if smallest is None:
        return single_plane_step_mm(frame)
    declared = declared_step_mm(frame)
    if declared is not None:
        counts = np.rint(above / declared)
        if np.abs(above - counts * declared).max() <= PLACE_TOLERANCE_MM:
            return declared
    # Averaged over the whole height, so that rounded positions do not add up.
    top = float(above.max())
    return top / round(top / smallest)
