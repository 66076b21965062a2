"""When the activity was given and which moment the stored values stand for: wrong by a clock is wrong by a dose."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from operator import le
from typing import Any

from pydicom.dataset import Dataset

from connector.core.errors import ImpossibleInput
from connector.dicom.headers import Header
from connector.dicom.read_values import date_time, day, moment, text, time_of_day, zone_of

_GE_PET = "GEMS_PETD_01"
_GE_SCAN_DATE_TIME = 0x0D
_MS_PER_S = 1000
_S_PER_H = 3600
_MANY_HALF_LIVES = 5
_ONE_MOMENT = timedelta(seconds=1)  # closer than this is rounding of the fraction of a second


@dataclass(frozen=True, slots=True)
class Timing:
    """
    Hours from the administration to what the stored values stand for.

    `reference` says where the moment came from. `plane_hours` holds the hours of each given header when they differ
    (values that were not decay-corrected, taken one bed after the other); else it repeats `decay_hours`.
    """

    decay_hours: float
    reference: str
    plane_hours: tuple[float, ...]
    warnings: tuple[str, ...]


def read_timing(
    headers: Sequence[Header], *, half_life_h: float, administered_at: datetime | None, must_know: bool
) -> Timing:
    """
    Find the moment the values refer to and how long before it the activity was given.

    `administered_at` overrides the header. With `must_know` False (counts, where one factor cancels) unknown times give
    0 hours and say so. Raises ImpossibleInput: no times, no decay correction stated, given after the scan.

    Source: DICOM PS3.3, C.8.9.1 (Decay Correction: NONE, START, ADMIN), and QIBA's vendor-neutral SUV pseudo-code for
    series whose Series Time is later than the acquisition.
    """
    warnings: list[str] = []
    try:
        timing = _timing(headers, half_life_h, administered_at, warnings)
    except ImpossibleInput as fault:
        if must_know:
            raise
        unknown = tuple(0.0 for _ in headers)
        return Timing(0.0, "not known", unknown, (f"decay is not corrected, which cancels in counts: {fault}",))
    if timing.decay_hours > _MANY_HALF_LIVES * half_life_h:
        warnings.append(f"the image was taken {timing.decay_hours:.1f} h after the administration: check both times")
    return Timing(timing.decay_hours, timing.reference, timing.plane_hours, tuple(warnings))


def _timing(
    headers: Sequence[Header], half_life_h: float, administered_at: datetime | None, warnings: list[str]
) -> Timing:
    first = headers[0].dataset
    correction = _decay_correction(first)
    if correction == "ADMIN":
        return _from_administration(headers, administered_at, warnings)
    if correction == "NONE":
        moments = [_acquired(header.dataset, warnings) for header in headers]
        known = _on_one_clock(*(each for each in moments if each is not None))
        if len(known) != len(moments):
            raise ImpossibleInput("values without decay correction need an acquisition time in every image")
        reference, where = min(known), "acquisition time (DecayCorrection NONE)"
    else:
        reference, where = _start(headers, half_life_h, correction, warnings)
        known = [reference] * len(headers)
    given = administered_at or _administered(first, reference, warnings)
    hours = [_hours(given, each, warnings) for each in known]
    if min(hours) < 0:
        raise ImpossibleInput(
            "the administration lies after the scan: correct the times, or give the moment with --administered-at"
        )
    if correction == "NONE" and max(hours) > min(hours):
        warnings.append("the beds were taken one after the other: each plane is corrected from its own time")
    return Timing(_hours(given, reference, warnings), where, tuple(hours), ())


def _decay_correction(dataset: Dataset) -> str:
    """Name the correction; of enhanced PET and NM in the words of the PET IOD."""
    stated = text(dataset.get("DecayCorrection")).upper()
    if stated in {"NONE", "START", "ADMIN"}:
        return stated
    corrected = text(dataset.get("DecayCorrected")).upper()
    if corrected == "YES":
        return "DATETIME"
    if corrected == "NO" or (text(dataset.get("Modality")) == "NM" and not stated):
        return "NONE"
    raise ImpossibleInput(
        "Decay Correction (0054,1102) is missing: ask the scanner's console whether values stand for the start of the "
        "scan, the administration, or neither"
    )


def _from_administration(headers: Sequence[Header], administered_at: datetime | None, warnings: list[str]) -> Timing:
    """Values stand for the administration that the scanner knew; another one given by hand shifts them."""
    hours = 0.0
    if administered_at is not None:
        dataset = headers[0].dataset
        reference = _acquired(dataset, warnings) or moment(dataset, "SeriesDate", "SeriesTime")
        known = _administered(dataset, reference, warnings) if reference is not None else None
        if known is None:
            raise ImpossibleInput(
                "the values stand for an administration whose time is not in the header: it cannot be moved"
            )
        hours = _hours(administered_at, known, warnings)
        if hours:
            warnings.append(f"the scanner took the administration to be {hours:.2f} h later than given: corrected")
    return Timing(hours, "administration (DecayCorrection ADMIN)", tuple(hours for _ in headers), ())


def _start(headers: Sequence[Header], half_life_h: float, correction: str, warnings: list[str]) -> tuple[datetime, str]:
    """Find the start of the scan that values are corrected to."""
    first = headers[0].dataset
    if correction == "DATETIME":
        stated = date_time(first.get("DecayCorrectionDateTime"), zone_of(first))
        if stated is None:
            raise ImpossibleInput("Decay Correction DateTime (0018,9701) is missing: ask the sender for it")
        return stated, "Decay Correction DateTime"
    series = moment(first, "SeriesDate", "SeriesTime")
    acquired = [(each, header) for header in headers if (each := _acquired(header.dataset, warnings)) is not None]
    if not acquired:
        if series is None:
            raise ImpossibleInput("there is neither a Series Time nor an Acquisition Time: send the original images")
        warnings.append("there is no Acquisition Time: the Series Time is taken as the start of the scan")
        return series, "series time (DecayCorrection START)"
    clocked = _on_one_clock(*(each for each, _ in acquired))
    earliest = min(clocked)
    header = acquired[clocked.index(earliest)][1]
    if series is not None and le(*_on_one_clock(series, earliest)):
        return series, "series time (DecayCorrection START)"
    warnings.append("the Series Time is missing or later than the acquisition (made later): not taken as the start")
    scanned = date_time(_ge_scan_date_time(first), zone_of(first))
    if scanned is not None:
        return scanned, "private scan time (DecayCorrection START)"
    shift = _frame_shift(header.dataset, half_life_h)
    return earliest + shift, "acquisition time (DecayCorrection START)"


def _acquired(dataset: Dataset, warnings: list[str]) -> datetime | None:
    """
    When the acquisition of an image began.

    Acquisition DateTime and the pair of date and time mean one moment (PS3.3, C.7.10.1). Where they contradict, the
    DateTime is taken: it is one value that holds its own offset from UTC, and the pair cannot be read without another.
    """
    pair = moment(dataset, "AcquisitionDate", "AcquisitionTime")
    whole = date_time(dataset.get("AcquisitionDateTime"), zone_of(dataset))
    if pair is None or whole is None:
        return whole or pair
    one, other = _on_one_clock(pair, whole)
    told = "Acquisition DateTime contradicts Acquisition Date and Time: the DateTime is taken"
    if abs(one - other) >= _ONE_MOMENT and told not in warnings:
        warnings.append(told)
    return whole


def _on_one_clock(*moments: datetime) -> list[datetime]:
    """Times that can be compared: one without offset from UTC is taken to have the offset of the others."""
    zone = next((each.tzinfo for each in moments if each.tzinfo), None)
    return [each if each.tzinfo else each.replace(tzinfo=zone) for each in moments]


def _ge_scan_date_time(dataset: Dataset) -> Any:
    try:
        value = dataset.private_block(0x0009, _GE_PET)[_GE_SCAN_DATE_TIME].value
    except KeyError:
        return None
    return value.decode("ascii", "ignore").strip("\0 ") if isinstance(value, bytes) else value


def _frame_shift(dataset: Dataset, half_life_h: float) -> timedelta:
    """
    Time from an image's acquisition back to the start of its series, from Frame Reference Time.

    The frame's values stand for the moment when the count rate was at its average over the frame (QIBA pseudo-code).
    """
    duration = float(dataset.get("ActualFrameDuration") or 0) / _MS_PER_S
    reference = float(dataset.get("FrameReferenceTime") or 0) / _MS_PER_S
    if duration <= 0 or reference <= 0:
        return timedelta(0)
    constant = math.log(2) / (half_life_h * _S_PER_H)
    average = math.log(constant * duration / -math.expm1(-constant * duration)) / constant
    return timedelta(seconds=average - reference)


def _administered(dataset: Dataset, reference: datetime, warnings: list[str]) -> datetime:
    """Find when the activity was given; a time without date lies within the day before the scan."""
    items = dataset.get("RadiopharmaceuticalInformationSequence") or ()
    item = items[0] if items else Dataset()
    zone = zone_of(dataset)
    stated = date_time(item.get("RadiopharmaceuticalStartDateTime"), zone)
    at = time_of_day(item.get("RadiopharmaceuticalStartTime"))
    if stated is not None:
        if at is not None and at.replace(microsecond=0) != stated.time().replace(microsecond=0):
            warnings.append("the header gives two times of administration: the one with a date is taken")
        return stated
    if at is None:
        raise ImpossibleInput("the time of administration is not in the header: give it with --administered-at")
    on = day(dataset.get("SeriesDate")) if reference.tzinfo is None else reference.date()
    given = datetime.combine(on or reference.date(), at, reference.tzinfo)
    if given > reference:
        given -= timedelta(days=1)
        warnings.append("the time of administration has no date and is later than the scan: taken as the day before")
    return given


def _hours(given: datetime, reference: datetime, warnings: list[str]) -> float:
    if (given.tzinfo is None) != (reference.tzinfo is None):
        given, reference = _on_one_clock(given, reference)
        told = "one of the times has no offset from UTC: both are taken to be on one clock"
        if told not in warnings:
            warnings.append(told)
    return (reference - given).total_seconds() / _S_PER_H
