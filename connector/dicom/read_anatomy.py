"""The CT beside an activity: what lies under the dose in a picture, and what the lungs weigh."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from itertools import product

import numpy as np

from connector.core.case import AnatomyImage, Region
from connector.core.dosimetry.shunt import LEAST_COVERAGE_FRACTION, lung_mass_kg
from connector.core.errors import ImpossibleInput
from connector.core.evidence import Observed
from connector.core.geometry.crops import crop_on_grid
from connector.core.geometry.grids import bounding_box, indices_at, places_mm, plane_normal, subgrid
from connector.dicom.headers import Header
from connector.dicom.read_geometry import frames_of
from connector.dicom.read_image import read_volume
from connector.dicom.read_values import text

MARGIN_MM = 40.0
_GRAM = Decimal("0.001")


@dataclass(frozen=True, slots=True, eq=False)
class Anatomy:
    """CT values around the regions, the mass of the lungs (None when they were not drawn), and what to tell."""

    image: AnatomyImage
    lung_mass_kg: Decimal | None
    warnings: tuple[str, ...]

    def lung_mass(self, on: date) -> Observed[Decimal] | None:
        """The mass of the lungs in kg with its origin, the CT series; None when they were not drawn."""
        if self.lung_mass_kg is None:
            return None
        return Observed(self.lung_mass_kg, self.image.series_instance_uid, on)


def read_anatomy(headers: Sequence[Header], regions: Sequence[Region]) -> Anatomy | None:
    """
    Read the CT of a study around its regions; None when no CT lies in their frame of reference.

    Of several CT series the one with most images is taken, and that is told. Only the slices near the regions are
    read. Raises ImpossibleInput for a CT that is no straight volume.
    """
    chosen, warnings = _series(headers, {region.geometry.frame_of_reference_uid for region in regions})
    if not chosen:
        return None
    corners = np.concatenate([_corners(region) for region in regions])
    near = _near(chosen, corners)
    if not near:
        return None
    volume = read_volume(near)
    at = indices_at(volume.geometry, corners)
    margin = MARGIN_MM / np.asarray(volume.geometry.spacing_mm)
    last = np.asarray(volume.geometry.shape)
    low = np.clip(np.floor(at.min(axis=0) - margin), 0, last - 1).astype(int)
    high = np.clip(np.ceil(at.max(axis=0) + margin) + 1, low + 1, last).astype(int)
    start, shape = (low[0], low[1], low[2]), high - low
    box = tuple(slice(int(a), int(b)) for a, b in zip(low, high, strict=True))
    image = AnatomyImage(
        hounsfield=np.ascontiguousarray(volume.values[box]),
        geometry=subgrid(volume.geometry, start=start, shape=(int(shape[0]), int(shape[1]), int(shape[2]))),
        series_instance_uid=chosen[0].series_instance_uid,
    )
    mass, told = _lung_mass(image, regions)
    return Anatomy(image, mass, (*warnings, *told))


def _series(headers: Sequence[Header], frames: set[str]) -> tuple[list[Header], tuple[str, ...]]:
    """The CT series in one of the frames of reference with most images."""
    found: dict[str, list[Header]] = {}
    for header in headers:
        is_ct = text(header.dataset.get("Modality")) == "CT" and header.pixels is not None
        if is_ct and text(header.dataset.get("FrameOfReferenceUID")) in frames:
            found.setdefault(header.series_instance_uid, []).append(header)
    if not found:
        return [], ()
    uid = min(found, key=lambda each: (-len(found[each]), each))
    if len(found) == 1:
        return found[uid], ()
    return found[uid], (f"{len(found)} CT series lie in the frame of the regions: the longest was taken",)


def _corners(region: Region) -> np.ndarray:
    box = bounding_box(region.mask)
    if box is None:
        return np.empty((0, 3))
    edges = np.array(list(product(*((side.start - 0.5, side.stop - 0.5) for side in box))))
    return places_mm(region.geometry, edges)


def _near(headers: Sequence[Header], corners: np.ndarray) -> list[Header]:
    """The slices within the margin of the regions; a multi-frame object is one header and is kept whole."""
    if not corners.size:
        return []
    if len(headers) == 1:
        return list(headers)
    first = frames_of(headers[0])[0]
    normal = np.asarray(plane_normal(row_cosines=first.row_cosines, column_cosines=first.column_cosines))
    heights = corners @ normal
    low, high = heights.min() - MARGIN_MM, heights.max() + MARGIN_MM
    return [header for header in headers if low <= np.asarray(frames_of(header)[0].position_mm) @ normal <= high]


def _lung_mass(image: AnatomyImage, regions: Sequence[Region]) -> tuple[Decimal | None, list[str]]:
    """Mass of the drawn lungs by their CT density; a voxel that is also drawn as liver is not lung."""
    lung, outside = _mask(image, [region for region in regions if region.kind == "lung"])
    if not lung.any():
        return None, []
    liver, _ = _mask(image, [region for region in regions if region.kind == "liver"])
    try:
        mass = lung_mass_kg(image.hounsfield[lung & ~liver], voxel_volume_ml=image.geometry.voxel_volume_ml)
    except ImpossibleInput:  # all of it is liver
        return None, []
    told = []
    if 1 - outside < LEAST_COVERAGE_FRACTION:
        told.append(f"only {1 - outside:.0%} of the drawn lungs are on the CT: their mass is too low")
    return Decimal(mass).quantize(_GRAM), told


def _mask(image: AnatomyImage, regions: Sequence[Region]) -> tuple[np.ndarray, float]:
    mask = np.zeros(image.geometry.shape, dtype=bool)
    voxels = lost = 0.0
    for region in regions:
        if region.geometry.frame_of_reference_uid != image.geometry.frame_of_reference_uid:
            continue
        crop, outside = crop_on_grid(region.mask, region.geometry, image.geometry)
        size = float(np.count_nonzero(region.mask)) * region.geometry.voxel_volume_ml
        voxels, lost = voxels + size, lost + size * outside
        if crop is not None:
            mask[crop.box] |= crop.mask
    return mask, lost / voxels if voxels else 0.0
