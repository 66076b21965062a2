"""What dated tumour markers say: their course for a reader, and the facts that selection stands on."""

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import ROUND_HALF_UP, Decimal

from connector.core.assessment import Finding, MarkerReport
from connector.core.case import FactValue
from connector.core.evidence import Observed
from connector.core.fact_types import ENDLESS
from connector.core.response.markers import (
    DAYS_A_MONTH,
    DISCORDANCE,
    Kinetics,
    Marker,
    MarkerValue,
    Trend,
    discordance,
    kinetics,
)

Series = Mapping[str, tuple[Observed[Decimal], ...]]
Facts = Mapping[str, Observed[FactValue]]
NAMED = {
    "calcitonin_pg_ml": Marker.CALCITONIN,
    "cea_ng_ml": Marker.CEA,
    "tg_unstimulated_ng_ml": Marker.THYROGLOBULIN,
}
TENTH = Decimal("0.1")
UNSETTLED = "the interval holds neither a certain rise nor a certain fall: no trend enters the selection"


def marker_courses(series: Series, facts: Facts) -> dict[Marker, Kinetics]:
    """Fit every marker that has dated values. Thyroglobulin is left out while antibodies are positive."""
    return {
        marker: kinetics(marker, marker_values(name, series, facts))
        for name, marker in NAMED.items()
        if series.get(name)
    }


def marker_values(name: str, series: Series, facts: Facts) -> list[MarkerValue]:
    """Return the dated values of a marker by the name of its fact, as a fit wants them."""
    # A series of thyroglobulin holds only values whose TSH of the day says that they are not stimulated.
    antibodies = facts.get("tg_antibodies_positive")
    is_thyroglobulin = NAMED[name] is Marker.THYROGLOBULIN
    positive = bool(antibodies.value) if is_thyroglobulin and antibodies is not None else None
    stimulated = False if is_thyroglobulin else None
    return [
        MarkerValue(one.observed_on, float(one.value), stimulated=stimulated, antibodies_positive=positive)
        for one in series[name]
        if one.observed_on is not None
    ]


def reports(series: Series, courses: Mapping[Marker, Kinetics]) -> tuple[MarkerReport, ...]:
    """Tell the course of every marker."""
    return tuple(_report(series[name], courses[marker]) for name, marker in NAMED.items() if marker in courses)


def _report(series: Sequence[Observed[Decimal]], course: Kinetics) -> MarkerReport:
    days = [one.observed_on for one in series if one.observed_on is not None]
    shortest, longest = course.interval_days
    unsettled = (UNSETTLED,) if course.trend is Trend.STABLE else ()
    return MarkerReport(
        marker=course.marker.value,
        trend=course.trend.value,
        used=course.used,
        first_on=min(days, default=date.min),
        last_on=max(days, default=date.min),
        doubling_time_months=_months(course.doubling_time_days),
        interval_months=(_months(shortest), _months(longest)),
        notes=(*course.notes, *unsettled),
    )


def _months(days: float | None) -> Decimal | None:
    return None if days is None else (Decimal(days) / Decimal(DAYS_A_MONTH)).quantize(TENTH, ROUND_HALF_UP)


def marker_facts(
    series: Series, courses: Mapping[Marker, Kinetics], facts: Facts, *, treated_on: date | None
) -> dict[str, Observed[FactValue]]:
    """
    State what is certain under the names of the catalogue; a trend whose interval holds zero states nothing.

    The change of calcitonin is from its last value up to the start of treatment to its last value after it.
    """
    found: dict[str, Observed[FactValue]] = {}

    def add(name: str, value: FactValue, measured: Sequence[Observed[Decimal]]) -> None:
        found[name] = Observed(value, " ".join(sorted({one.origin for one in measured})), measured[-1].observed_on)

    for name, marker in NAMED.items():
        trend = courses[marker].trend if marker in courses else Trend.UNKNOWN
        if trend in {Trend.RISING, Trend.FALLING}:
            if marker is Marker.CALCITONIN:
                add("calcitonin_doubling_time_months", _doubling(courses[marker]), series[name])
                histology = facts.get("histology")
                if histology is not None and histology.value == "MTC":
                    add("marker_trend", trend.value, series[name])
            else:
                add("cea_trend" if marker is Marker.CEA else "tg_trend", trend.value, series[name])
    change = _change_percent(series.get("calcitonin_pg_ml", ()), treated_on)
    if change is not None:
        add("calcitonin_change_percent", change, series["calcitonin_pg_ml"])
    return found


def _doubling(course: Kinetics) -> Decimal:
    months = course.doubling_time_months
    return ENDLESS if months is None else Decimal(months)


def _change_percent(series: Sequence[Observed[Decimal]], treated_on: date | None) -> Decimal | None:
    if treated_on is None:
        return None
    dated = sorted((one.observed_on, one.value) for one in series if one.observed_on is not None)
    before = [value for on, value in dated if on <= treated_on]
    after = [value for on, value in dated if on > treated_on]
    if not before or not after or not before[-1]:
        return None
    return (after[-1] - before[-1]) * 100 / before[-1]


def marker_findings(courses: Mapping[Marker, Kinetics], *, progression: bool | None) -> tuple[Finding, ...]:
    """Name each marker that certainly rises or falls against what the images show. Source: DISCORDANCE."""
    found = []
    for marker, course in courses.items():
        certain = course.trend if course.trend in {Trend.RISING, Trend.FALLING} else Trend.UNKNOWN
        words = discordance(certain, radiological_progression=progression)
        if words is not None:
            advice = "dedifferentiation? biopsy, molecular profiling or another strategy is for the board"
            found.append(Finding("marker", f"{marker.value}: {words}; {advice}", DISCORDANCE))
    return tuple(found)
