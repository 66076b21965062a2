"""How old a decision's images and liver tests are; what is too old or too early is not used in silence."""

from collections.abc import Iterator, Mapping
from datetime import date, timedelta

from connector.core.case import FactValue
from connector.core.catalogue import Facts, in_words
from connector.core.evidence import Observed
from connector.core.selection.liver_function import CHILD_PUGH_PARTS

Dated = Mapping[str, Observed[FactValue]]
IMAGED = (
    "liver_lesion_count", "liver_lesion_largest_diameter_mm", "liver_lesion_diameters_mm", "tumour_volume_ml",
    "liver_volume_total_ml",
)  # fmt: skip
# The one age that a source limits is that of images before radioembolisation (Anbari 2023, Baseline imaging); liver
# function is the stricter for having no longer one. Parts of which none is older are no further apart either.
MOST_DAYS = 30
# The day at the site may already be the next one.
AHEAD = timedelta(days=1)
AGES = {
    "liver_imaging_age_days": IMAGED,
    "liver_function_age_days": tuple(CHILD_PUGH_PARTS),
    "child_pugh_score_age_days": ("child_pugh_score",),
}
STALE = Facts.liver_function_age_days > MOST_DAYS
SCORE_STALE = Facts.child_pugh_score_age_days > MOST_DAYS


def dated(facts: Dated, today: date) -> dict[str, Observed[FactValue]]:
    """
    Add the age in days of the oldest liver measurement, of the oldest part of a Child-Pugh score and of a stated one.

    A stated age stays. A date after today is no age, and images dated later than tomorrow are named as such. A resource
    of the record has the day on which it was stated: a board speaks of the lesions after their images were made.
    """
    found = dict(facts)
    for name, parts in AGES.items():
        oldest = min(_on_days(facts, parts), key=lambda one: one[0], default=None)
        if name not in facts and oldest is not None and oldest[0] <= today:
            found[name] = Observed((today - oldest[0]).days, oldest[1].origin, oldest[0])
    ahead = [one for on, one in _on_days(facts, IMAGED) if on > today + AHEAD and not _is_of_record(one)]
    if ahead:
        found["liver_imaging_after_today"] = Observed(True, ahead[0].origin, ahead[0].observed_on)
    return found


def too_old(facts: Dated, today: date) -> Iterator[str]:
    """
    Say of a stated Child-Pugh score, and of every part of one, why it is not used.

    A stated score that is not too old needs no parts.
    """
    stated = "child_pugh_score" in facts
    old = list(_too_old(facts, today, ("child_pugh_score",)))
    yield from (f"{one} is not used, {why}" for one, why in old)
    if old or not stated:
        parts = _too_old(facts, today, tuple(CHILD_PUGH_PARTS))
        yield from (f"no Child-Pugh score is computed from {one}, {why}" for one, why in parts)


def _too_old(facts: Dated, today: date, names: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """Those that are too old, and the reason."""
    for name in names:
        for on, one in _on_days(facts, (name,)):
            days = (today - on).days
            if days > MOST_DAYS:
                yield (
                    f"{in_words(name)} {one.value} of {on}",
                    f"{days} days old: more than {MOST_DAYS} days; measure it again",
                )


def _is_of_record(one: Observed[FactValue]) -> bool:
    return "/" in one.origin


def _on_days(facts: Dated, names: tuple[str, ...]) -> list[tuple[date, Observed[FactValue]]]:
    """Those of the facts that have a day."""
    given = (facts[name] for name in names if name in facts)
    return [(one.observed_on, one) for one in given if one.observed_on is not None]
