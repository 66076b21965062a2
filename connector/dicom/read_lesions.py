"""Segments of lesions become lesion measurements: diameters, volume, organ, and one lesion for each tracking UID."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from fractions import Fraction

import numpy as np
import scipy

from connector.core.case import LesionMeasurement, LesionState, Region
from connector.core.geometry.diameters import lesion_diameters
from connector.core.geometry.grids import places_mm, subgrid
from connector.core.geometry.volumes import lobe_of, overlap_fraction, pieces, volume_ml
from connector.dicom import codes
from connector.dicom.identity import uid_from
from connector.dicom.read_codes import is_code, lobe_of_site
from connector.dicom.read_joined import as_viable, in_conflict, joined
from connector.dicom.read_segmentation import Segment

# A lesion belongs to the liver when at least this part of its voxels lies in the segmented liver.
_MOSTLY = Fraction(1, 2)


def lesions_of_segments(
    segments: Sequence[Segment], liver: Region | None, observed_on: date
) -> tuple[list[LesionMeasurement], list[Region]]:
    """
    Measure every segment that is a lesion; also returns the regions of those in the given liver.

    A segment with a tracking UID is one lesion. Without one, each connected piece is a lesion of its own, because many
    programs put all metastases into one segment. The segment of an enhancing part (CID 7151) is measured as the viable
    part of the lesion whose tracking UID it carries. The lobe is told only when both lobes are segmented or coded.
    """
    whole = [each for each in segments if not is_code(each.type_code, codes.ENHANCING_LESION)]
    lobes = {lobe: each.region for each in segments if (lobe := lobe_of_site(each.type_code)) is not None}
    found: list[LesionMeasurement] = []
    of_liver: list[Region] = []
    for segment in whole:
        if segment.region.kind != "lesion" or is_code(segment.type_code, codes.NON_ENHANCING_LESION):
            continue
        parts = [segment.region] if segment.region.tracking_uid else _parts(segment.region)
        for number, part in enumerate(parts, 1):
            lesion = _measured(segment, part, number if len(parts) > 1 else None, observed_on)
            lesion = _located(lesion, segment, part, liver, lobes)
            found.append(lesion)
            if lesion.site == "liver" and liver is not None and _one_space(part, liver):
                of_liver.append(part)
    viable = [each for each in segments if is_code(each.type_code, codes.ENHANCING_LESION)]
    return _with_viable_parts(found, viable, observed_on), of_liver


def _with_viable_parts(
    found: Sequence[LesionMeasurement], viable: Sequence[Segment], observed_on: date
) -> list[LesionMeasurement]:
    """Give each lesion the diameters of the segment that is its enhancing part, which carries its tracking UID."""
    lesions: dict[str, LesionMeasurement] = {}
    for lesion in found:
        known = lesions.get(lesion.tracking_uid)
        lesions[lesion.tracking_uid] = lesion if known is None else _again(known, lesion)
    for segment in viable:
        part = as_viable(_measured(segment, segment.region, None, observed_on))
        known = lesions.get(part.tracking_uid)
        lesions[part.tracking_uid] = part if known is None else joined(known, part, compare=False)
    return list(lesions.values())


def _again(known: LesionMeasurement, more: LesionMeasurement) -> LesionMeasurement:
    """Join two segments with one tracking UID: of two files the first stands, in one file they are two lesions."""
    if known.origin != more.origin:
        return joined(known, more)
    return in_conflict(known, f"segments {known.segment_number} and {more.segment_number} of one segmentation")


def _parts(region: Region) -> list[Region]:
    """Split a region into its connected pieces, the largest first."""
    labels, sizes = pieces(region.mask)
    if len(sizes) == 1:
        return [region]
    parts = []
    for label, box in enumerate(scipy.ndimage.find_objects(labels), 1):
        cut = labels[box] == label
        planes, rows, columns = cut.shape
        start = (box[0].start, box[1].start, box[2].start)
        grid = subgrid(region.geometry, start=start, shape=(planes, rows, columns))
        parts.append(replace(region, mask=cut, geometry=grid))
    return parts


def _measured(segment: Segment, part: Region, piece: int | None, observed_on: date) -> LesionMeasurement:
    region = segment.region
    diameters = lesion_diameters(part.mask, part.geometry)
    assert diameters is not None  # noqa: S101 - segments without voxels were set aside when read
    flags = []
    if region.tracking_uid is None:
        flags.append("the segment gives no tracking UID: the lesion cannot be found again in other studies")
    if piece is not None:
        flags.append("one of several separate pieces of one segment: counted as a lesion of its own")
    if diameters.pieces_in_plane > 1:
        flags.append(f"{diameters.pieces_in_plane} separate pieces in the measured plane: the longest was measured")
    suffix = () if piece is None else (str(piece),)
    label = segment.tracking_id or region.name
    return LesionMeasurement(
        tracking_uid=region.tracking_uid or uid_from("lesion", region.origin, str(region.number), *suffix),
        tracking_id=label if piece is None else f"{label} {piece}",
        site=segment.site,
        site_code=segment.site_code,
        lymph_node=segment.site == "lymph_node",
        origin=region.origin,
        observed_on=observed_on,
        state=LesionState.MEASURED,
        long_axis_mm=diameters.long_axis_mm,
        short_axis_mm=diameters.short_axis_mm,
        volume_ml=volume_ml(int(np.count_nonzero(part.mask)), part.geometry),
        segment_number=region.number,
        slice_thickness_mm=segment.slice_thickness_mm,
        flags=tuple(flags),
        centroid_mm=_centroid_mm(part),
    )


def _centroid_mm(part: Region) -> tuple[float, float, float]:
    middle = np.argwhere(part.mask).mean(axis=0, keepdims=True)
    left, posterior, superior = places_mm(part.geometry, middle)[0].round(1).tolist()
    return left, posterior, superior


def _located(
    lesion: LesionMeasurement, segment: Segment, part: Region, liver: Region | None, lobes: dict[str, Region]
) -> LesionMeasurement:
    """Complete the organ and the lobe from other segments of the study."""
    if lesion.site == "other" and liver is not None and _inside(part, liver):
        flag = "the organ is taken from the segmented liver around the lesion"
        lesion = replace(lesion, site="liver", flags=(*lesion.flags, flag))
    if lesion.site != "liver":
        return lesion
    near = {lobe: region for lobe, region in lobes.items() if _one_space(part, region)}
    lobe = lobe_of_site(segment.site_code) or lobe_of(part, left=near.get("left"), right=near.get("right"))
    return replace(lesion, liver_lobe=lobe)


def _inside(part: Region, liver: Region) -> bool:
    return _one_space(part, liver) and overlap_fraction(part, liver) >= _MOSTLY


def _one_space(part: Region, other: Region) -> bool:
    return part.geometry.frame_of_reference_uid == other.geometry.frame_of_reference_uid
