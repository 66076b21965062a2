"""What happened to similar patients: published proportions pooled by option, with exact intervals and their sources."""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache

import scipy

from connector.core.assessment import Risk
from connector.core.rules import Values
from connector.core.selection.evidence_rows import COUNTS, SERIES, Count, Series
from connector.core.vocabulary import DIFFERENTIATED

CONFIDENCE = 0.95
TENTH = Decimal("0.1")
BURDEN_LIMIT_PERCENT = 30
BELOW, ABOVE = "less than 30 %", "30 % or more"


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
BENEFITS = (
    RESPONSE,
    Outcome("disease control (CR, PR or SD)", _of_responses(0, 1, 2)),
    Outcome("progression", _of_responses(3)),
)
# Pooled over everybody treated: a death must not hide because the patient resembles others more.
HARMS = (Outcome("adverse event of grade 3 or more", _serious), Outcome("death from the procedure", _deaths))
ANY = "any thyroid carcinoma"
# A series without sizes covers none: it cannot show that it resembles the patient.
SIZED = tuple((series.id, series.size_mm) for series in SERIES if series.size_mm is not None)


@lru_cache(maxsize=1024)
def exact_interval_percent(events: int, n: int) -> tuple[Decimal, Decimal]:
    """
    The 95 % Clopper-Pearson interval of a proportion, in percent.

    Source: Clopper and Pearson, Biometrika 1934;26:404-413.
    """
    tail = (1 - CONFIDENCE) / 2
    low = scipy.special.betaincinv(events, n - events + 1, tail) if events else 0.0
    high = scipy.special.betaincinv(events + 1, n - events, 1 - tail) if events < n else 1.0
    return _percent(Decimal(float(low))), _percent(Decimal(float(high)))


def risks(values: Values, options: Collection[str]) -> tuple[Risk, ...]:
    """
    Pool the published outcomes of every option in patients who resemble this one.

    Proportions of few patients with wide intervals, never a comparison between options: no series compares them.
    """
    histotype = _histotype(values)
    near = _of_this_size(values.get("liver_lesion_largest_diameter_mm"))
    side = _side_of_burden(values)
    return tuple(risk for modality in sorted(options) for risk in _risks_of(modality, histotype, near, side))


@lru_cache(maxsize=4096)
def _risks_of(modality: str, histotype: str | None, near: frozenset[str], side: str | None) -> tuple[Risk, ...]:
    """The risks of one option; patients of one histotype, size group and burden share them."""
    everybody = [series for series in SERIES if series.modality == modality]
    similar, likeness = _similar(everybody, histotype, near)
    return (
        *(risk for outcome in BENEFITS for risk in _pooled(modality, outcome, similar, likeness)),
        *(_by_burden(modality, similar, side) if side is not None else ()),
        *(risk for outcome in HARMS for risk in _pooled(modality, outcome, everybody, ANY)),
        *(_counted(modality, count) for count in COUNTS if modality in count.modalities),
    )


def _histotype(values: Values) -> str | None:
    histology = values.get("histology")
    if histology == "MTC":
        return "MTC"
    return "DTC" if histology in DIFFERENTIATED else None


def _similar(everybody: Sequence[Series], histotype: str | None, near: frozenset[str]) -> tuple[Sequence[Series], str]:
    """The closest series that exist: same histotype and size, same histotype, or any thyroid carcinoma."""
    same = [series for series in everybody if series.histotype == histotype]
    of_this_size = [series for series in same if series.id in near]
    if of_this_size and len(of_this_size) < len(same):
        return of_this_size, f"{histotype}, lesions of this size"
    return (same, f"{histotype}") if same else (everybody, ANY)


def _of_this_size(largest_mm: object) -> frozenset[str]:
    """The series whose lesions had this size."""
    if not isinstance(largest_mm, (int, Decimal)):
        return frozenset()
    return frozenset([name for name, (least_mm, most_mm) in SIZED if least_mm <= largest_mm <= most_mm])


def _side_of_burden(values: Values) -> str | None:
    burden = values.get("liver_tumour_burden_percent")
    if not isinstance(burden, (int, Decimal)):
        return None
    return BELOW if burden < BURDEN_LIMIT_PERCENT else ABOVE


def _pooled(modality: str, outcome: Outcome, series: Sequence[Series], likeness: str) -> Iterator[Risk]:
    counted = [(one, count) for one in series if (count := outcome.count(one)) is not None]
    n = sum(count[1] for _, count in counted)
    if n:
        events = sum(count[0] for _, count in counted)
        sources = tuple(f"{one.reference}, in {one.cite}" for one, _ in counted)
        yield _risk(modality, f"{outcome.name} ({likeness})", events, n, sources)


def _by_burden(modality: str, series: Sequence[Series], side: str) -> Iterator[Risk]:
    """Where a series tells its responders by liver involvement, those on the patient's side of 30 %."""
    for one in series:
        all_of_it = RESPONSE.count(one)
        if one.below_30_percent is None or all_of_it is None:
            continue
        below = one.below_30_percent
        events, n = below if side == BELOW else (all_of_it[0] - below[0], all_of_it[1] - below[1])
        yield _risk(
            modality, f"{RESPONSE.name} with {side} of the liver", events, n, (f"{one.reference}, in {one.cite}",)
        )


def _counted(modality: str, count: Count) -> Risk:
    outcome = f"{count.outcome} ({count.indirect})" if count.indirect else count.outcome
    return _risk(modality, outcome, count.events, count.n, (f"{count.reference}, in {count.cite}",))


def _risk(modality: str, outcome: str, events: int, n: int, sources: tuple[str, ...]) -> Risk:
    return Risk(modality, outcome, _percent(Decimal(events) / n), exact_interval_percent(events, n), n, sources)


def _percent(fraction: Decimal) -> Decimal:
    return (fraction * 100).quantize(TENTH, ROUND_HALF_UP)
