"""Looks for news in a patient's record; a poll is the truth, a subscription only a hint."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from connector.fhir.ehr import EhrClient
from connector.fhir.read_record import is_read
from connector.fhir.resource import items, moment, origin_of, timing

# A transaction becomes visible after its time stamp; what was seen twice is harmless, what was missed is not.
OVERLAP = timedelta(minutes=10)
_CLOCKS_DIFFER = timedelta(days=1)
LOOK_BACK_DAYS = 30  # where changes cannot be asked for
# The question's end is cut to a second, or to a day in the server's own zone: so much more than asked for may come.
_FOUND_EARLIER = timedelta(days=1)


def poll(
    client: EhrClient,
    patient_reference: str,
    since: str | None,
    *,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> tuple[list[str], str | None]:
    """
    Observations of the patient that are new or changed, and the new mark.

    `since` is the mark of the last poll, None for the first one, which only sets the mark. By `_lastUpdated` where the
    server offers it, else by the day of the observation, over so many days that a correction is usually seen too; an
    older one is seen when the next study is assessed. Returned are references with version, each told once. Raises
    TryLater or Refused.
    """
    by_update = client.capabilities().searches_by("Observation", "_lastUpdated")
    parameters = [("patient", patient_reference), ("_count", "100")]
    seen_until, seen = _parsed(since)
    reach = OVERLAP if by_update else timedelta(days=LOOK_BACK_DAYS)
    if seen_until is not None:
        tomorrow = now() + timedelta(days=1)
        if by_update:
            ends = [
                f"gt{(seen_until - reach).isoformat(timespec='seconds')}",
                f"lt{tomorrow.isoformat(timespec='seconds')}",
            ]
        else:
            ends = [f"ge{(seen_until - reach).date().isoformat()}", f"le{tomorrow.date().isoformat()}"]
        wanted = ends if client.vendor().closed_ranges else ends[:1]
        parameters += [("_lastUpdated" if by_update else "date", end) for end in wanted]
    found = [one for one in client.search("Observation", parameters) if is_read(one)]
    versions = {origin_of(one): _stamp(one, by_update=by_update) for one in found}
    known = [stamp for stamp in versions.values() if stamp]
    # A mistyped day, or a server's clock, must not carry the mark into a future that hides all news until then.
    believed = [stamp for stamp in (*known, *([seen_until] if seen_until else [])) if stamp <= now() + _CLOCKS_DIFFER]
    latest = max(believed, default=now() if known or seen_until else None)
    if latest is None:
        return [], since
    # Whatever an answer held is told by it; of a whole record only what the next answer may hold again is remembered.
    from_ = latest - reach - _FOUND_EARLIER
    recent = sorted(origin for origin, stamp in versions.items() if seen_until or (stamp and stamp >= from_))
    changed = [] if since is None else sorted(origin for origin in versions if origin not in seen)
    return changed, "|".join([latest.isoformat(), *recent])


def _parsed(mark: str | None) -> tuple[datetime | None, frozenset[str]]:
    if not mark:
        return None, frozenset()
    stamp, *seen = mark.split("|")
    return moment(stamp), frozenset(seen)


def _stamp(observation: dict[str, object], *, by_update: bool) -> datetime | None:
    updated = moment(items(observation, "meta").get("lastUpdated")) if by_update else None
    return updated or moment(timing(observation, "effective")) or moment(observation.get("issued"))
