"""FDG and other diagnostic PET become standardised uptake values, and each segmented lesion its PET metrics."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from connector.core.case import Code, Region, Uptake, VolumeGeometry
from connector.core.errors import ImpossibleInput
from connector.core.geometry.crops import crop_on_grid
from connector.core.nuclides import IMAGED_HALF_LIFE_H
from connector.core.response.pet_metrics import pet_metrics
from connector.dicom import codes
from connector.dicom.headers import Header, reading
from connector.dicom.read_activity import ACTIVITY_CLASSES, NUCLEAR_MEDICINE, activity_of, nuclide_of
from connector.dicom.read_codes import first_code, is_code
from connector.dicom.read_image import read_volume
from connector.dicom.read_values import decimal, text
from connector.terminology import Concept

Items = Sequence[tuple[Code | None, Dataset]]
_GRAMS_PER_KG, _BQ_PER_GBQ = 1000.0, 1e9
# A sphere of 1 cm3 around any voxel of a region lies within this of the region's box.
_REACH_MM = 10.0
_ALSO_WRITTEN = {"{SUVbw}g/ml": "g/ml{suvbw}", "ml": "cm3"}


@dataclass(frozen=True, slots=True, eq=False)
class UptakeImage:
    """Standardised uptake by body weight [plane, row, column] in g/mL, on its grid."""

    suv: NDArray[np.float32]
    geometry: VolumeGeometry


@reading()
def uptake_of(headers: Sequence[Header]) -> UptakeImage:
    """
    Read one PET series as SUV by body weight.

    Values in g/mL are taken as they are; Bq/mL are carried to the injection and divided by the injected activity per
    gram. Raises ImpossibleInput for SUV by another measure of the body, and for whatever leaves an activity unknown.
    Source: DICOM PS3.3, C.8.9.1.1.13 (SUV Type), and QIBA's vendor-neutral SUV pseudo-code.
    """
    first = headers[0].dataset
    if text(first.get("Units")).upper() == "GML":
        by = text(first.get("SUVType")).upper() or "BW"
        if by != "BW":
            raise ImpossibleInput(f"the uptake is by {by}, not by body weight: export the series as BQML")
        volume = read_volume(headers)
        return UptakeImage(volume.values, volume.geometry)
    weight_kg = decimal(first.get("PatientWeight"))
    if not weight_kg or weight_kg < 0:
        raise ImpossibleInput("the PET does not say the patient's weight (0010,1030): uptake is not known")
    activity = activity_of(headers, imaged=True)
    if not activity.quantitative or not activity.administered_activity_gbq:
        raise ImpossibleInput("the PET does not say the injected activity (0018,1074): uptake is not known")
    per_gram = float(activity.administered_activity_gbq) * _BQ_PER_GBQ / (float(weight_kg) * _GRAMS_PER_KG)
    return UptakeImage(activity.concentration_bq_per_ml / np.float32(per_gram), activity.geometry)


def is_diagnostic(header: Header) -> bool:
    """Whether an image is a PET of a nuclide that is imaged and never given as treatment."""
    if header.sop_class_uid not in ACTIVITY_CLASSES or header.sop_class_uid == NUCLEAR_MEDICINE:
        return False
    try:
        return nuclide_of(header.dataset, []) in IMAGED_HALF_LIFE_H
    except ImpossibleInput:
        return False


def uptake_in(image: UptakeImage, region: Region) -> Uptake | None:
    """Measure one region on the image; None when it lies in another space, or not wholly on the image."""
    if region.geometry.frame_of_reference_uid != image.geometry.frame_of_reference_uid:
        return None
    crop, outside_fraction = crop_on_grid(region.mask, region.geometry, image.geometry)
    if crop is None or outside_fraction > 0:
        return None
    # The sphere of the peak may leave the box of the region: measure on a wider cut of the image.
    spacing = image.geometry.spacing_mm
    reach = [int(np.ceil(_REACH_MM / step)) for step in spacing]
    box = tuple(
        slice(max(0, part.start - far), min(size, part.stop + far))
        for part, far, size in zip(crop.box, reach, image.suv.shape, strict=True)
    )
    mask = np.zeros(image.suv[box].shape, dtype=bool)
    inner = tuple(
        slice(part.start - wide.start, part.stop - wide.start) for part, wide in zip(crop.box, box, strict=True)
    )
    mask[inner] = crop.mask
    return pet_metrics(image.suv[box], mask, spacing_mm=spacing)


def uptakes(image: UptakeImage, regions: Sequence[Region]) -> Mapping[str, Uptake]:
    """Measure every tracked lesion on the image, by tracking UID."""
    found = {}
    for region in regions:
        if region.tracking_uid is not None and (measured := uptake_in(image, region)) is not None:
            found[region.tracking_uid] = measured
    return found


def reported_uptake(items: Items, volume_ml: Any) -> Uptake | None:
    """
    Read what a measurement group says of uptake (CID 7469 with CID 7464, and CID 7466); None when it has no SUVmax.

    A group with glycolysis and no metabolic volume means its own volume. Raises ImpossibleInput for another unit.
    """
    suv_max = _number(items, codes.SUV_BW, codes.SUV_BODY_WEIGHT, codes.MAXIMUM)
    if suv_max is None:
        return None
    glycolysis = _number(items, codes.TOTAL_LESION_GLYCOLYSIS, codes.GRAM)
    functional = _number(items, codes.METABOLIC_VOLUME, codes.MILLILITRE)
    by = next((text(item.get("TextValue")) for code, item in items if is_code(code, codes.FUNCTIONAL_BY)), "")
    if functional is None and glycolysis is not None and volume_ml is not None:
        functional, by = float(volume_ml), by or "the reader's contour"
    return Uptake(
        suv_max=suv_max,
        suv_peak=_number(items, codes.SUV_BW, codes.SUV_BODY_WEIGHT, codes.PEAK),
        suv_mean=_number(items, codes.SUV_BW, codes.SUV_BODY_WEIGHT, codes.MEAN),
        functional_volume_ml=functional,
        tlg_g=glycolysis,
        functional_by=by,
    )


def _number(items: Items, concept: Concept, unit: Concept, derivation: Concept | None = None) -> float | None:
    for code, item in items:
        if not is_code(code, concept) or item.get("ValueType") != "NUM" or not _is_derived(item, derivation):
            continue
        measured: Sequence[Dataset] = item.get("MeasuredValueSequence") or ()
        value = decimal(measured[0].get("NumericValue")) if measured else None
        if value is None:
            continue
        written = first_code(measured[0], "MeasurementUnitsCodeSequence")
        if written is None or written.value.lower() not in {unit.code.lower(), _ALSO_WRITTEN.get(unit.code)}:
            raise ImpossibleInput(f"the {concept.meaning} is in another unit than {unit.code}: export the report again")
        if value < 0:
            raise ImpossibleInput(f"the {concept.meaning} is negative: measure the lesion again")
        return float(value)
    return None


def _is_derived(item: Dataset, derivation: Concept | None) -> bool:
    if derivation is None:
        return True
    stated = [
        first_code(child, "ConceptCodeSequence")
        for child in item.get("ContentSequence") or ()
        if is_code(first_code(child, "ConceptNameCodeSequence"), codes.DERIVATION)
    ]
    return any(is_code(each, derivation) for each in stated)
