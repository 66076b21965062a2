"""PET and NM become activity in the patient at the administration, or are refused with what is missing."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
from pydicom.dataset import Dataset

from connector.core.case import ActivityMap
from connector.core.errors import ImpossibleInput
from connector.core.geometry.grids import DIRECTION_TOLERANCE
from connector.core.nuclides import IMAGED_HALF_LIFE_H, NUCLIDES, nuclide
from connector.dicom.headers import Header, read_headers, reading
from connector.dicom.read_codes import first_code
from connector.dicom.read_geometry import Frame
from connector.dicom.read_image import Volume, read_volume, rescale
from connector.dicom.read_timing import Timing, read_timing
from connector.dicom.read_values import decimal, text

PET = "1.2.840.10008.5.1.4.1.1.128"
NUCLEAR_MEDICINE = "1.2.840.10008.5.1.4.1.1.20"
ACTIVITY_CLASSES = frozenset({
    PET,
    "1.2.840.10008.5.1.4.1.1.128.1",  # Legacy Converted Enhanced PET
    "1.2.840.10008.5.1.4.1.1.130",  # Enhanced PET
    NUCLEAR_MEDICINE,
})  # fmt: skip
# CID 18 and CID 4020 (SNOMED CT); Ho-166 has no code there and is known by its half-life.
_NUCLIDE_OF_CODE = {
    "14691008": "Y-90", "1368003": "I-131", "447553000": "Lu-177", "72454006": "Tc-99m", "423578007": "Re-188",
    "419804008": "Sm-153", "77004003": "F-18", "35337001": "Ga-68", "21572004": "I-123", "40937006": "I-124",
    "56609000": "In-111",
}  # fmt: skip
_NUCLIDE_NAME = re.compile(r"\b(Y|Ho|I|Lu|Tc|Re|Sm)[ -]?(\d{2,3}m?)\b|\b(\d{2,3}m?)[ -]?(Y|Ho|I|Lu|Tc|Re|Sm)\b")
_HALF_LIFE_TOLERANCE = Decimal("0.01")
_MAA = re.compile(r"\bmaa\b|macro.?aggregat|aggregated albumin", re.IGNORECASE)
_PHILIPS_PET = "Philips PET Private Group"
_PHILIPS_ACTIVITY_FACTOR = 0x09
# Patients are given between 1 MBq and 1 TBq: as a bare number, below this it is MBq, from here on it is Bq.
_SMALLEST_BQ = Decimal(10**6)
_LARGEST_BQ = Decimal(10**12)


@dataclass(frozen=True, slots=True)
class _Quantity:
    """Whether values are Bq/mL, and the factor from rescaled values to it, by file."""

    quantitative: bool
    factors: dict[Path, float]


def read_activity(paths: Sequence[Path], administered_at: datetime | None = None) -> ActivityMap:
    """
    Read one PET or NM series as activity concentration at the administration.

    `administered_at` overrides the header's time of administration. Raises ImpossibleInput with what is missing or
    contradictory; see `activity_of`.
    """
    headers, skipped = read_headers(paths)
    if skipped:
        raise ImpossibleInput(f"a file of the activity series cannot be used ({skipped[0].reason})")
    return activity_of(headers, administered_at)


@reading()
def activity_of(
    headers: Sequence[Header], administered_at: datetime | None = None, *, imaged: bool = False
) -> ActivityMap:
    """
    Read one PET or NM series whose headers are known already.

    Bq/mL comes from Units BQML, from Philips counts with their private factor, or from a real world value mapping; NM
    without one is counts (`quantitative` False). Values are carried to the administration with the nuclide's half-life;
    a nuclide that is only ever imaged is read with `imaged`. Raises ImpossibleInput for other units, an unknown or
    contradictory nuclide, missing times, dynamic or gated series, and volumes with gaps, tilt, or planes that are not
    axial (readers of RT Dose expect axial planes).
    """
    first = headers[0].dataset
    if any(header.sop_class_uid not in ACTIVITY_CLASSES for header in headers):
        raise ImpossibleInput("only PET and reconstructed NM series hold activity: choose such a series")
    _check_one_measurement(headers)
    warnings: list[str] = []
    name = nuclide_of(first, warnings)
    half_life_h = float((IMAGED_HALF_LIFE_H.get(name) if imaged else None) or nuclide(name).half_life_h)
    quantity = _quantity(headers)
    volume = read_volume(headers, _mapped if quantity.quantitative else rescale)
    _check_whole(headers, len(volume.frames))
    if abs(volume.geometry.plane_direction[2]) < 1 - DIRECTION_TOLERANCE:
        raise ImpossibleInput("the planes are not axial: send an axial reconstruction of the activity")
    timing = read_timing(
        headers, half_life_h=half_life_h, administered_at=administered_at, must_know=quantity.quantitative
    )
    _correct(volume, headers, quantity, timing, half_life_h)
    warnings += [*timing.warnings, *_told(first, name, volume)]
    administered_activity_gbq = administered_gbq(first, warnings)
    return ActivityMap(
        concentration_bq_per_ml=volume.values,
        geometry=volume.geometry,
        nuclide=name,
        study_instance_uid=headers[0].study_instance_uid,
        series_instance_uid=headers[0].series_instance_uid,
        decay_hours=timing.decay_hours,
        decay_reference=timing.reference,
        quantitative=quantity.quantitative,
        administered_activity_gbq=administered_activity_gbq,
        sop_instance_uids=tuple(dict.fromkeys(frame.header.sop_instance_uid for frame in volume.frames)),
        warnings=tuple(warnings),
    )


def _correct(
    volume: Volume, headers: Sequence[Header], quantity: _Quantity, timing: Timing, half_life_h: float
) -> None:
    """Carry every plane to Bq/mL at the administration, in place."""
    hours = {header.path: each for header, each in zip(headers, timing.plane_hours, strict=True)}
    for plane, frame in enumerate(volume.frames):
        path = frame.header.path
        volume.values[plane] *= np.float32(quantity.factors.get(path, 1.0) * 2.0 ** (hours[path] / half_life_h))


def _check_one_measurement(headers: Sequence[Header]) -> None:
    for keyword in ("Units", "DecayCorrection", "SeriesTime", "DecayCorrectionDateTime"):
        if len({text(header.dataset.get(keyword)) for header in headers}) > 1:
            raise ImpossibleInput(f"{keyword} differs within the series: send one reconstruction at a time")
    if len(headers[0].dataset.get("RadiopharmaceuticalInformationSequence") or ()) > 1:
        raise ImpossibleInput("the header names several radiopharmaceuticals: send a series of one")
    kinds = {str(each).upper() for each in np.atleast_1d(headers[0].dataset.get("SeriesType") or [])}
    if moving := kinds & {"DYNAMIC", "GATED"}:
        raise ImpossibleInput(f"a {moving.pop().lower()} series has many values at one place: send a static one")


def _check_whole(headers: Sequence[Header], planes: int) -> None:
    """Raise ImpossibleInput when planes at an end are missing, where no gap tells (Number of Slices, PS3.3 C.8.9.1)."""
    told = max((int(header.dataset.get("NumberOfSlices") or 0) for header in headers), default=0)
    if headers[0].sop_class_uid == PET and planes < told:
        raise ImpossibleInput(f"only {planes} of the {told} planes of the PET series are here: send the series again")


def _radiopharmaceutical(dataset: Dataset) -> Dataset:
    items = dataset.get("RadiopharmaceuticalInformationSequence") or ()
    return items[0] if items else Dataset()


def nuclide_of(dataset: Dataset, warnings: list[str]) -> str:
    """
    Name the nuclide (`Y-90`) by its code, else its half-life within 1 %, else the radiopharmaceutical's name.

    Raises ImpossibleInput when none of them tells, or when code and half-life contradict each other.
    """
    item = _radiopharmaceutical(dataset)
    code = first_code(item, "RadionuclideCodeSequence")
    by_code = _NUCLIDE_OF_CODE.get(code.value) if code and code.system == "SCT" else None
    half_life_s = decimal(item.get("RadionuclideHalfLife"))
    known = {each.name: each.half_life_h for each in NUCLIDES.values()} | IMAGED_HALF_LIFE_H
    by_half_life = [
        each
        for each, hours in known.items()
        if half_life_s and abs(half_life_s / 3600 / hours - 1) <= _HALF_LIFE_TOLERANCE
    ]
    if by_code in known and half_life_s and by_code not in by_half_life:
        raise ImpossibleInput(f"the header says {by_code} and a half-life of {half_life_s} s: ask which one is right")
    found = by_code or next(iter(by_half_life), None)
    if found is None and code is None and half_life_s is None:
        match = _NUCLIDE_NAME.search(text(item.get("Radiopharmaceutical")))
        if match:
            found = f"{match[1] or match[4]}-{match[2] or match[3]}"
            warnings.append(f"the nuclide {found} is taken from the radiopharmaceutical's name")
    if found is None:
        raise ImpossibleInput("the nuclide is not told by code, half-life or name: fill (0054,0016) at the scanner")
    return found


def is_aggregated_albumin(dataset: Dataset) -> bool:
    """Whether the radiopharmaceutical is Tc-99m macro-aggregated albumin, by code (85693008, SCT) or name."""
    item = _radiopharmaceutical(dataset)
    code = first_code(item, "RadiopharmaceuticalCodeSequence")
    named = f"{text(item.get('Radiopharmaceutical'))} {code.meaning if code else ''}"
    return (code is not None and (code.value, code.system) == ("85693008", "SCT")) or bool(_MAA.search(named))


def _quantity(headers: Sequence[Header]) -> _Quantity:
    first = headers[0].dataset
    if _unit_of_mapping(first) == "Bq/ml":
        return _Quantity(quantitative=True, factors={})
    units = text(first.get("Units")).upper()
    if units == "BQML":
        return _Quantity(quantitative=True, factors={})
    if headers[0].sop_class_uid == NUCLEAR_MEDICINE:
        return _Quantity(quantitative=False, factors={})
    if units == "CNTS":
        return _Quantity(quantitative=True, factors={each.path: _philips_factor(each.dataset) for each in headers})
    raise ImpossibleInput(f"PET values are in {units or 'unknown units'}, not in Bq/mL: export the series as BQML")


def _philips_factor(dataset: Dataset) -> float:
    """Read Bq/mL per rescaled count from Philips' private group. Raises ImpossibleInput when it is not there."""
    try:
        value: Any = dataset.private_block(0x7053, _PHILIPS_PET)[_PHILIPS_ACTIVITY_FACTOR].value
    except KeyError:
        value = None
    written = value.decode("ascii", "ignore").strip("\0 ") if isinstance(value, bytes) else value
    factor = decimal(written)
    if not factor or factor < 0:
        raise ImpossibleInput(
            "PET values are counts without the scanner's factor (7053,1009): export the series as BQML"
        )
    return float(factor)


def _mapping(groups: Sequence[Dataset]) -> Dataset | None:
    for group in groups:
        items: Sequence[Dataset] = group.get("RealWorldValueMappingSequence") or ()
        if items and "RealWorldValueSlope" in items[0]:
            return items[0]
    return None


def _unit_of_mapping(dataset: Dataset) -> str | None:
    shared = tuple(dataset.get("SharedFunctionalGroupsSequence") or ())[:1]
    frame = tuple(dataset.get("PerFrameFunctionalGroupsSequence") or ())[:1]
    mapping = _mapping((*frame, *shared, dataset))
    code = first_code(mapping, "MeasurementUnitsCodeSequence") if mapping is not None else None
    return code.value.replace("mL", "ml") if code else None


def _mapped(frame: Frame) -> tuple[float, float]:
    """Slope and intercept to real world values when mapped, else the rescale. Raises ImpossibleInput."""
    mapping = _mapping(frame.groups)
    slope, intercept = rescale(frame)
    if mapping is not None and _unit_of_mapping(frame.header.dataset) == "Bq/ml":
        slope, intercept = float(mapping.RealWorldValueSlope), float(mapping.get("RealWorldValueIntercept") or 0)
    if intercept:
        raise ImpossibleInput("the rescale intercept of an activity image is not 0: export the series again")
    return slope, 0.0


def administered_gbq(dataset: Dataset, warnings: list[str]) -> Decimal | None:
    """
    Read the administered activity: Bq in the PET IOD, MBq in others; a number that only fits the other unit is so read.

    It is what was drawn up: what stayed in the vial and the tubing is not taken off. Source: DICOM PS3.3, C.8.9.2 (Bq),
    C.8.4.10.1.7 and C.8.22.4 (MBq).
    """
    stated = decimal(_radiopharmaceutical(dataset).get("RadionuclideTotalDose"))
    if not stated:
        return None
    in_bq = stated >= _SMALLEST_BQ
    activity_bq = stated if in_bq else stated * 10**6
    if not _SMALLEST_BQ <= activity_bq <= _LARGEST_BQ:
        warnings.append(f"Radionuclide Total Dose {stated} fits no patient in Bq or MBq: not used")
        return None
    if in_bq != (text(dataset.get("SOPClassUID")) == PET):
        unit = "Bq" if in_bq else "MBq"
        warnings.append(f"Radionuclide Total Dose {stated} fits no patient in the object's unit: read as {unit}")
    return activity_bq / 10**9


def _told(dataset: Dataset, name: str, volume: Volume) -> list[str]:
    """Say what a physicist wants to know of the series, and nobody may change silently."""
    told = []
    corrections = {str(each).upper() for each in np.atleast_1d(dataset.get("CorrectedImage") or [])}
    is_pet = text(dataset.get("Modality")) == "PT"
    if is_pet and "ATTN" not in corrections:
        told.append("the PET is not marked as corrected for attenuation: check before trusting the dose")
    if (
        is_pet
        and dataset.get("DecayCorrection")
        and ("DECY" in corrections) == (text(dataset.get("DecayCorrection")).upper() == "NONE")
    ):
        told.append("Corrected Image and Decay Correction contradict each other: Decay Correction is taken")
    if text(dataset.get("LossyImageCompression")) == "01":
        told.append("the images were compressed with loss: activity and dose are approximate")
    fraction = text(_radiopharmaceutical(dataset).get("RadionuclidePositronFraction"))
    if is_pet and name == "Y-90":
        told.append(f"the scanner used a positron fraction of {fraction or 'unknown size'}: not rescaled")
    negative = int(np.count_nonzero(volume.values < 0))
    if negative:
        told.append(f"{negative} voxels hold negative activity: kept as they are")
    return told
