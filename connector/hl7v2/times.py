"""Turns HL7 v2 times into FHIR's: the day as written, the offset as sent or that of the sending system's zone."""

import re
from datetime import datetime
from zoneinfo import ZoneInfo

_TIME = re.compile(
    r"(?P<date>\d{4}(?:\d{2}(?:\d{2})?)?)(?P<clock>\d{4}(?:\d{2}(?:\.\d{1,6})?)?)?(?P<offset>[+-]\d{4})?"
)
_DATES = {4: ("%Y", "%Y"), 6: ("%Y%m", "%Y-%m"), 8: ("%Y%m%d", "%Y-%m-%d")}  # as sent, as FHIR writes it


def fhir_time(written: str, zone: ZoneInfo) -> str | None:
    """
    A FHIR dateTime of a v2 TS or DTM, None when it is none.

    A year or month stays as coarse as it was sent. A time without offset gets that of the zone on that day.
    """
    found = _TIME.fullmatch(written.strip())
    if found is None:
        return None
    date, clock, offset = found["date"], found["clock"], found["offset"]
    sent, fhir = _DATES[len(date)]
    try:
        if clock is None:
            return datetime.strptime(date, sent).strftime(fhir)  # noqa: DTZ007 - a day has no zone
        moment = datetime.strptime(date + clock[:6].ljust(6, "0"), f"{sent}%H%M%S")  # noqa: DTZ007 - the zone follows
    except ValueError:
        return None
    return f"{moment.isoformat()}{offset[:3]}:{offset[3:]}" if offset else moment.replace(tzinfo=zone).isoformat()
