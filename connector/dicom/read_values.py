"""Numbers, dates and times leave DICOM exactly as written, or as not known; nothing is guessed here."""

import re
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal, InvalidOperation
from typing import Any

from pydicom.dataset import Dataset

_TIME = re.compile(r"(\d{2})(\d{2})?(\d{2})?(?:\.(\d{1,6}))?", re.ASCII)
_OFFSET = re.compile(r"([+-])(\d{2})(\d{2})", re.ASCII)


def text(value: Any) -> str:
    """A stripped string; empty for what is missing."""
    return "" if value is None else str(value).strip()


def decimal(value: Any) -> Decimal | None:
    """Read a decimal string exactly as written; None when it is empty or not a finite number."""
    written = str(getattr(value, "original_string", value)).strip() if value is not None else ""
    try:
        number = Decimal(written)
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def day(value: Any) -> date | None:
    """Read a DICOM date; None when it is empty or no date."""
    written = text(value).replace(".", "")
    try:
        return datetime.strptime(written[:8], "%Y%m%d").date() if len(written) >= 8 else None  # noqa: DTZ007, PLR2004
    except ValueError:
        return None


def time_of_day(value: Any) -> time | None:
    """Read a DICOM time; None when it is empty or no time. A leap second counts as the second before."""
    match = _TIME.fullmatch(text(value).replace(":", ""))
    if match is None:
        return None
    hour, minute, second, fraction = match.groups()
    try:
        return time(int(hour), int(minute or 0), min(int(second or 0), 59), int((fraction or "0").ljust(6, "0")))
    except ValueError:
        return None


def zone_of(dataset: Dataset) -> timezone | None:
    """Offset of all dates and times of a data set from UTC (0008,0201); None when it is not given."""
    return _offset(text(dataset.get("TimezoneOffsetFromUTC")))


def _offset(written: str) -> timezone | None:
    match = _OFFSET.fullmatch(written)
    if match is None:
        return None
    size = timedelta(hours=int(match[2]), minutes=int(match[3]))
    return timezone(-size if match[1] == "-" else size) if size < timedelta(hours=24) else None


def moment(dataset: Dataset, date_keyword: str, time_keyword: str) -> datetime | None:
    """Join a date and a time of a data set, with its offset from UTC when given; None unless both are there."""
    on, at = day(dataset.get(date_keyword)), time_of_day(dataset.get(time_keyword))
    return datetime.combine(on, at, zone_of(dataset)) if on is not None and at is not None else None


def date_time(value: Any, zone: timezone | None) -> datetime | None:
    """Read a DICOM date-time with at least hours; its own offset wins over `zone`."""
    written = text(value)
    match = re.fullmatch(r"(\d{8})(\d[\d.]*)([+-]\d{4})?", written, re.ASCII)
    if match is None:
        return None
    on, at = day(match[1]), time_of_day(match[2])
    if on is None or at is None:
        return None
    return datetime.combine(on, at, _offset(match[3]) if match[3] else zone)
