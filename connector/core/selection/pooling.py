"""What happened to similar patients: published proportions pooled by option, with exact intervals and their sources."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache

from scipy.special import betaincinv

from connector.core.assessment import Risk
from connector.core.rules import Values
from connector.core.selection.evidence_rows import COUNTS, SERIES, Series
from connector.core.vocabulary import DIFFERENTIATED

CONFIDENCE = 0.95
TENTH = Decimal("0.1")
BURDEN_LIMIT_PERCENT = 30


@dataclass(frozen=True, slots=True)
class Outcome:
    """An outcome that series count: `count` gives (events, all) of one series, None when it does not tell."""

    name: str
    count: Callable[[Series], tuple[int, int] | None]


def _of_responses(*places: int) -> Callable[[Series], tuple[int, int] | None]:
    def count(series: Series) -> tuple[int, int] | None:
        if series.responses is None:
            return None
        # A patient whose response was not assessed is no denominator.
        return sum(series.responses[place] for place in places), sum(series.responses[:4])

    return count


def _serious(series: Series) -> tuple[int, int] | None:
    return None if series.serious is None else (series.serious, series.n)


def _deaths(series: Series) -> tuple[int, int] | None:
    return None if series.deaths is None else (series.deaths, series.n)


RESPONSE = Outcome("objective response (CR or PR)", _of_responses(0, 1))
OUTCOMES = (
    RESPONSE,
    Outcome("disease control (CR, PR or SD)", _of_responses(0, 1, 2)),
    Outcome("progression", _of_responses(3)),
    Outcome("adverse event of grade 3 or more", _serious),
    Outcome("death from the procedure", _deaths),
)


@lru_cache(maxsize=1024)
def exact_interval_percent(events: int, n: int) -> tuple[Decimal, Decimal]:
    """
    The 95 % Clopper-Pearson interval of a proportion, in percent.

    Source: Clopper and Pearson, Biometrika 1934;26:404-413.
    """
    tail = (1 - CONFIDENCE) / 2
    low = betaincinv(events, n - events + 1, tail) if events else 0.0
    high = betaincinv(events + 1, n - events, 1 - tail) if events < n else 1.0
    return _percent(Decimal(float(low))), _percent(Decimal(float(high)))


def risks(values: Values, options: Collection[str]) -> tuple[Risk, ...]:
    """
    Pool the published outcomes of every option in patients who resemble this one.

    Proportions of few patients with wide intervals, never a comparison between options: no series compares them.
    """
    histotype = _histotype(values)
    found: list[Risk] = []
    for modality in sorted(options):
        series, likeness = _similar(modality, histotype, values)
        for outcome in OUTCOMES:
            found += _pooled(modality, outcome, series, likeness)
        found += _below_30_percent(modality, series, values)
        found += [
            _risk(modality, f"{count.outcome} ({count.indirect})" if count.indirect else count.outcome,
                  count.events, count.n, (f"{count.reference}, in {count.cite}",))
            for count in COUNTS
            if modality in count.modalities
        ]  # fmt: skip
    return tuple(found)


def _histotype(values: Values) -> str | None:
    histology = values.get("histology")
    if histology == "MTC":
        return "MTC"
    return "DTC" if histology in DIFFERENTIATED else None


def _similar(modality: str, histotype: str | None, values: Values) -> tuple[Sequence[Series], str]:
    """The closest series that exist: same histotype and size, same histotype, or any thyroid carcinoma."""
    all_of_it = [series for series in SERIES if series.modality == modality]
    same = [series for series in all_of_it if series.histotype == histotype]
    near = [series for series in same if _covers_size(series, values)]
    if near and len(near) < len(same):
        return near, f"{histotype}, lesions of this size"
    if same:
        return same, f"{histotype}"
    return all_of_it, "any thyroid carcinoma"


def _covers_size(series: Series, values: Values) -> bool:
    """A series without sizes covers none: it cannot show that it resembles the patient."""
    largest = values.get("liver_lesion_largest_diameter_mm")
    if series.size_mm is None or not isinstance(largest, (int, Decimal)):
        return False
    smallest_mm, largest_mm = series.size_mm
    return Decimal(smallest_mm) <= largest <= Decimal(largest_mm)


def _pooled(modality: str, outcome: Outcome, series: Sequence[Series], likeness: str) -> list[Risk]:
    counted = [(one, count) for one in series if (count := outcome.count(one)) is not None and count[1] > 0]
    if not counted:
        return []
    events, n = sum(count[0] for _, count in counted), sum(count[1] for _, count in counted)
    sources = tuple(f"{one.reference}, in {one.cite}" for one, _ in counted)
    return [_risk(modality, f"{outcome.name} ({likeness})", events, n, sources)]


def _below_30_percent(modality: str, series: Sequence[Series], values: Values) -> list[Risk]:
    """Where a series tells responders by liver involvement, those who share the patient's side of 30 %."""
    burden = values.get("liver_tumour_burden_percent")
    if not isinstance(burden, (int, Decimal)):
        return []
    below = burden < BURDEN_LIMIT_PERCENT
    side = "less than 30 %" if below else "30 % or more"
    found = []
    for one in series:
        if one.below_30_percent is None or one.responses is None:
            continue
        events, n = one.below_30_percent
        if not below:
            events, n = one.responses[0] + one.responses[1] - events, sum(one.responses[:4]) - n
        name = f"{RESPONSE.name} with {side} of the liver involved"
        found.append(_risk(modality, name, events, n, (f"{one.reference}, in {one.cite}",)))
    return found


def _risk(modality: str, outcome: str, events: int, n: int, sources: tuple[str, ...]) -> Risk:
    return Risk(modality, outcome, _percent(Decimal(events) / n), exact_interval_percent(events, n), n, sources)


def _percent(fraction: Decimal) -> Decimal:
    return (fraction * 100).quantize(TENTH, ROUND_HALF_UP)
