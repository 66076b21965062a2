"""Segmented bile ducts, hilum and large vessels get the distance to the nearest liver lesion: ablation asks for it."""

from collections.abc import Sequence

from connector.core.case import LesionMeasurement, StructureGap
from connector.core.errors import ImpossibleInput
from connector.core.evidence import Skipped
from connector.core.geometry.distances import gap_mm
from connector.dicom.read_codes import structure_of
from connector.dicom.read_segmentation import Segment


def structure_gaps(
    segments: Sequence[Segment], lesions: Sequence[LesionMeasurement]
) -> tuple[tuple[StructureGap, ...], tuple[Skipped, ...]]:
    """
    Measure the nearest liver lesion of each segmented structure; also returns what could not be measured, and why.

    `lesions` are those of the same study, segmented and reported: they say which segments are lesions of the liver. A
    structure of which there are several segments, such as two bile ducts, gets one distance: the shortest.
    """
    of_liver = [each for each in lesions if each.site == "liver"]
    uids = {each.tracking_uid for each in of_liver}
    numbers = {(each.origin, each.segment_number) for each in of_liver}
    # By tracking UID first: a lesion that is reported too is known under the report's UID, not the segmentation's.
    tumours = [
        each.region
        for each in segments
        if each.region.kind == "lesion"
        and (each.region.tracking_uid in uids or (each.region.origin, each.region.number) in numbers)
    ]
    found: dict[str, StructureGap] = {}
    unmeasured: list[Skipped] = []
    for segment in segments:
        region = segment.region
        structure = structure_of(segment.type_code, region.name) if region.kind == "other" else None
        if structure is None:
            continue
        for tumour in tumours:
            try:
                gap = StructureGap(structure, tumour.name, gap_mm(tumour, region), region.origin)
            except ImpossibleInput as fault:
                reason = f"how far {tumour.name} lies from {region.name} is not measured: {fault}"
                unmeasured.append(Skipped(region.origin, reason))
                continue
            known = found.get(structure)
            if known is None or gap.gap_mm < known.gap_mm:
                found[structure] = gap
    return tuple(found.values()), tuple(unmeasured)
