"""From when response is counted: the start of the last treatment, when the record leaves no doubt about it."""

from collections.abc import Mapping, Sequence
from datetime import date

from connector.core.case import FactValue
from connector.core.evidence import Observed


def treatment_start(treatments: Sequence[Observed[str]], *, imaged_on: date) -> tuple[Observed[str] | None, str | None]:
    """
    Give the last treatment that started before the assessed images, or why its start cannot be told.

    A treatment of the day of the images, or later, is not what they answer to. One without a date may be the last one,
    and then no start is known. Both are None when the record names no treatment.
    """
    undated = sorted({one.value for one in treatments if one.observed_on is None})
    if undated:
        return None, f"the start of treatment is not known: {', '.join(undated)} has no day; date it in the record"
    before = [one for one in treatments if one.observed_on is not None and one.observed_on < imaged_on]
    return max(before, key=lambda one: (one.observed_on or date.min, one.value), default=None), None


def days_since_last_local(facts: Mapping[str, Observed[FactValue]], today: date) -> dict[str, Observed[FactValue]]:
    """Count the days since the last locoregional treatment as a fact, when its day is known and not to come."""
    last = facts.get("last_lrt_modality")
    if last is None or last.observed_on is None or last.observed_on > today:
        return {}
    return {"days_since_lrt": Observed((today - last.observed_on).days, last.origin, last.observed_on)}
