"""Images and doses as a page shows them, read from the files one plane at a time: a study may hold thousands."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from connector.core.case import VolumeGeometry
from connector.core.errors import ImpossibleInput
from connector.dicom.headers import Header, read_header, read_headers, reading
from connector.dicom.read_pixels import stored_frames
from connector.dicom.read_sources import is_image
from connector.dicom.read_values import text

_FROM_SCANNERS = frozenset({"CT", "MR", "PT", "NM"})
_SAME_PLACE_MM = 0.01


@dataclass(frozen=True, slots=True, eq=False)
class ShownSeries:
    """One series: its kind, and every plane (file and frame) in the order of the patient, else of the numbers."""

    series_instance_uid: str
    modality: str
    planes: tuple[tuple[Header, int], ...]
    may_name_patient: bool = False  # by text burned into the pixels


@dataclass(frozen=True, slots=True, eq=False)
class Plane:
    """Values of one plane in real units, the grey window (centre and width) to show them in, and the pixel's shape."""

    values: NDArray[np.float32]
    window: tuple[float, float]
    aspect: float  # height of a pixel over its width


@reading()
def list_series(paths: Sequence[Path]) -> list[ShownSeries]:
    """Every series of images among the files, the largest first. Files that cannot be read are passed over."""
    headers, _ = read_headers(paths)
    grouped: dict[str, list[Header]] = {}
    for header in headers:
        if is_image(header) and int(header.dataset.get("SamplesPerPixel", 1)) == 1:
            grouped.setdefault(header.series_instance_uid, []).append(header)
    found = [
        ShownSeries(uid, text(members[0].dataset.get("Modality")), _planes(members), any(map(_has_text, members)))
        for uid, members in grouped.items()
    ]
    return sorted(found, key=lambda series: (-len(series.planes), series.series_instance_uid))


def _has_text(header: Header) -> bool:
    """
    Whether text in the pixels may name the patient: Burned In Annotation (0028,0301), PS3.3 C.7.6.1.1.

    Where it is absent (it may be, in most images) what a scanner made is taken to have none, and a capture of a screen,
    ultrasound or paper to have some.
    """
    dataset = header.dataset
    said = text(dataset.get("BurnedInAnnotation"))
    if said in ("YES", "NO"):
        return said == "YES"
    kinds = " ".join(map(str, dataset.get("ImageType") or ()))
    captured = "ConversionType" in dataset or "SCREEN" in kinds
    return captured or text(dataset.get("Modality")) not in _FROM_SCANNERS


def _planes(members: Sequence[Header]) -> tuple[tuple[Header, int], ...]:
    ordered = sorted(members, key=_place)
    return tuple(
        (header, number) for header in ordered for number in range(int(header.dataset.get("NumberOfFrames") or 1))
    )


def _place(header: Header) -> tuple[float, int]:
    """Height along the normal of the plane; files that have none follow their number."""
    dataset = header.dataset
    position, cosines = dataset.get("ImagePositionPatient"), dataset.get("ImageOrientationPatient")
    number = int(dataset.get("InstanceNumber") or 0)
    if position is None or cosines is None or len(position) != 3 or len(cosines) != 6:  # noqa: PLR2004 - three coordinates, two vectors
        return 0.0, number
    row, column = np.array(cosines[:3], dtype=float), np.array(cosines[3:], dtype=float)
    return float(np.dot(np.cross(row, column), np.array(position, dtype=float))), number


@reading()
def read_plane(series: ShownSeries, index: int) -> Plane:
    """Read one plane. Raises ImpossibleInput when there is no such plane or its pixels do not decode."""
    if not 0 <= index < len(series.planes):
        raise ImpossibleInput(f"the series has no plane {index}")
    header, number = series.planes[index]
    stored = next((frame for at, frame in enumerate(stored_frames(header)) if at == number), None)
    if stored is None:
        raise ImpossibleInput("the file holds fewer frames than it says")
    dataset = header.dataset
    slope, intercept = float(dataset.get("RescaleSlope") or 1), float(dataset.get("RescaleIntercept") or 0)
    values = stored.astype(np.float32) * np.float32(slope) + np.float32(intercept)
    if str(dataset.get("PhotometricInterpretation")) == "MONOCHROME1":
        values = -values
    spacing = dataset.get("PixelSpacing") or (1, 1)
    return Plane(values, _window(header, values), float(spacing[0]) / float(spacing[1]))


def _window(header: Header, values: NDArray[np.float32]) -> tuple[float, float]:
    """CT: soft tissue of the abdomen. Else what is in the plane, from its darkest to its brightest but a few."""
    if text(header.dataset.get("Modality")) == "CT":
        return 50.0, 400.0
    low, high = (float(each) for each in np.percentile(values, (0.5, 99.8)))
    return (low + high) / 2, max(high - low, 1e-6)


@reading()
def read_dose(path: Path, like: VolumeGeometry) -> NDArray[np.float32]:
    """
    Read an RT Dose in Gy on the grid of the image it was computed on, [plane, row, column].

    The planes of the file may run the other way. Raises ImpossibleInput when it lies on another grid, is in other units
    or its pixels do not decode.
    """
    header = read_header(path)
    dataset = header.dataset
    if str(dataset.get("DoseUnits")) != "GY":
        raise ImpossibleInput("the dose map is not in Gy")
    scaling = float(dataset.DoseGridScaling)
    dose = np.stack([frame.astype(np.float32) * np.float32(scaling) for frame in stored_frames(header)])
    if dose.shape != like.shape:
        raise ImpossibleInput("the dose map lies on another grid than the image")
    first = np.array(dataset.ImagePositionPatient, dtype=float)
    step = np.array(like.plane_direction) * like.spacing_mm[0]
    origin = np.array(like.origin_mm)
    for begin, planes in ((origin, dose), (origin + step * (like.shape[0] - 1), dose[::-1])):
        if np.abs(first - begin).max() < _SAME_PLACE_MM:
            return np.ascontiguousarray(planes)
    raise ImpossibleInput("the dose map lies in another place than the image")
