"""Tumour markers over time: how fast calcitonin, CEA or thyroglobulin double, and whether imaging says the same."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

import numpy as np
import scipy
from numpy.typing import NDArray

from connector.core.sources import ZHANG_2025

LEAST_VALUES = 3  # two points fit any line and leave no interval
DAYS_A_MONTH = 365.25 / 12
CONFIDENCE = 0.95
DISCORDANCE = ZHANG_2025.at(
    "Biomarkers",
    "the absence of a corresponding increase in tumor markers despite radiological progression, or vice versa",
)


class Marker(StrEnum):
    """The serum markers of thyroid cancer: calcitonin and CEA in medullary, thyroglobulin in differentiated."""

    CALCITONIN = "calcitonin"
    CEA = "cea"
    THYROGLOBULIN = "thyroglobulin"


class Trend(StrEnum):
    """Rising or falling when the interval of the slope excludes zero; UNKNOWN when there is no fit."""

    RISING = "rising"
    STABLE = "stable"
    FALLING = "falling"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class MarkerValue:
    """
    One blood sample, in one unit for the whole series; None means not known.

    `at_detection_limit` marks a value reported as "below" (or "above") what the assay can measure. For thyroglobulin:
    `stimulated` by TSH, and `antibodies_positive` against thyroglobulin in the same sample.
    """

    on: date
    value: float
    at_detection_limit: bool = False
    assay: str | None = None
    stimulated: bool | None = None
    antibodies_positive: bool | None = None


@dataclass(frozen=True, slots=True)
class Kinetics:
    """
    A log-linear fit of one marker.

    `doubling_time_days` is negative when the marker falls (then it is a half-life); None without a fit or a slope. The
    interval holds the doubling times of the two ends of the slope's 95 % interval; an end is None when the slope there
    does not rise.
    """

    marker: Marker
    used: int
    trend: Trend
    doubling_time_days: float | None = None
    interval_days: tuple[float | None, float | None] = (None, None)
    notes: tuple[str, ...] = ()

    @property
    def doubling_time_months(self) -> float | None:
        """The doubling time in months of 30.4 days, as the guidelines count; None unless the marker rises."""
        if self.doubling_time_days is None or self.doubling_time_days <= 0:
            return None
        return self.doubling_time_days / DAYS_A_MONTH


def kinetics(marker: Marker, values: Sequence[MarkerValue]) -> Kinetics:
    """
    Fit the logarithm of a marker against time, by least squares, with its 95 % interval (Student's t).

    Values at a detection limit, and thyroglobulin that was stimulated or measured beside antibodies, are left out and
    noted. Fewer than three usable values on different days give no fit. A trend needs an interval that excludes zero.
    """
    usable = usable_values(marker, values)
    notes = _notes(marker, values, usable)
    days = np.array([(value.on - usable[0].on).days for value in usable], dtype=float)
    if len(np.unique(days)) < LEAST_VALUES:
        return Kinetics(
            marker, len(usable), Trend.UNKNOWN, notes=(*notes, f"needs {LEAST_VALUES} values on different days")
        )
    slope, standard_error = _line(days, np.log([value.value for value in usable]))
    reach = float(scipy.special.stdtrit(len(usable) - 2, (1 + CONFIDENCE) / 2)) * standard_error
    return Kinetics(
        marker,
        len(usable),
        _trend(slope - reach, slope + reach),
        doubling_time_days=math.log(2) / slope if slope else None,
        interval_days=(_doubling(slope + reach), _doubling(slope - reach)),
        notes=notes,
    )


def usable_values(marker: Marker, values: Sequence[MarkerValue]) -> list[MarkerValue]:
    """Return the values that a fit stands on, in order of date."""
    return sorted((value for value in values if _why_unusable(marker, value) is None), key=lambda value: value.on)


def _line(x: NDArray[np.float64], y: NDArray[np.float64]) -> tuple[float, float]:
    """
    Slope of the least-squares line and its standard error.

    As scipy.stats.linregress has them; that package alone takes longer to load than the rest of the service.
    """
    (xx, xy), (_, yy) = np.cov(x, y, bias=True)
    correlation = min(max(xy / math.sqrt(xx * yy), -1.0), 1.0) if yy else 0.0
    return float(xy / xx), math.sqrt((1 - correlation**2) * yy / xx / (len(x) - 2))


def _doubling(slope_per_day: float) -> float | None:
    return math.log(2) / slope_per_day if slope_per_day > 0 else None


def _trend(lowest: float, highest: float) -> Trend:
    if lowest > 0:
        return Trend.RISING
    return Trend.FALLING if highest < 0 else Trend.STABLE


def _why_unusable(marker: Marker, value: MarkerValue) -> str | None:
    if value.at_detection_limit or value.value <= 0:
        return "at a detection limit"
    if marker is Marker.THYROGLOBULIN and value.antibodies_positive:
        return "measured beside thyroglobulin antibodies"
    if marker is Marker.THYROGLOBULIN and value.stimulated:
        return "stimulated by TSH"
    return None


def _notes(marker: Marker, values: Sequence[MarkerValue], usable: Sequence[MarkerValue]) -> tuple[str, ...]:
    reasons = [reason for value in values if (reason := _why_unusable(marker, value)) is not None]
    notes = [f"{reasons.count(reason)} left out: {reason}" for reason in sorted(set(reasons))]
    if len({value.assay for value in usable} - {None}) > 1:
        notes.append("measured by different assays: the values may not compare")
    if marker is Marker.THYROGLOBULIN:
        if any(value.antibodies_positive is None for value in usable):
            notes.append("thyroglobulin antibodies not known: a low value may be false")
        if any(value.stimulated is None for value in usable):
            notes.append("TSH not known: a rise may be stimulation")
    return tuple(notes)


def discordance(trend: Trend, *, radiological_progression: bool | None) -> str | None:
    """
    Say when marker and imaging contradict each other; None when they agree or one is not known.

    Either way it may mean dedifferentiation: biopsy, molecular profiling or another strategy is for the board.
    Source: DISCORDANCE.
    """
    if trend is Trend.UNKNOWN or radiological_progression is None:
        return None
    if radiological_progression and trend is not Trend.RISING:
        return "imaging progresses and the marker does not rise"
    if not radiological_progression and trend is Trend.RISING:
        return "the marker rises and imaging does not progress"
    return None
