"""What to look at after a procedure, and on which day."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, timedelta

from connector.core.assessment import FollowUp
from connector.core.rules import Rule, Values
from connector.core.selection.reading_order import STRONGEST_FIRST
from connector.core.selection.registry import RULE


@dataclass(frozen=True, slots=True)
class Visit:
    """
    A visit after a procedure, as its rule words it, in days from the procedure.

    It is due on `first_day`, or until `last_day` when that has passed; `every_days` repeats it without end.
    """

    rule: str
    when: str
    first_day: int
    last_day: int
    every_days: int | None = None


SCHEDULE: tuple[Visit, ...] = (
    Visit("FU-CT1M", "about 1 month after the procedure", 30, 45),
    Visit("FU-AE1M", "within the first month after the procedure", 31, 31),
    Visit("FU-TARE-CLIN", "1 to 3 months after radioembolisation", 30, 90),
    Visit("FU-TARE-IMG", "3 months after radioembolisation, then every 3 months", 90, 90, every_days=90),
)
SCHEDULED = frozenset(visit.rule for visit in SCHEDULE)
UNSCHEDULED = tuple(rule for rule in STRONGEST_FIRST if rule.kind == "follow_up" and rule.id not in SCHEDULED)
AFTER_ANY_PROCEDURE = "at every visit after the procedure"


def follow_up(values: Values, fired: Collection[str], preferred: Collection[str], today: date) -> tuple[FollowUp, ...]:
    """
    What follows the last procedure, dated, and what will follow the preferred one, undated until it is done.

    A visit whose window has closed is not listed again.
    """
    last, days = values.get("last_lrt_modality"), values.get("days_since_lrt")
    found: list[FollowUp] = []
    for visit in SCHEDULE:
        rule = RULE[visit.rule]
        if isinstance(days, int) and last in rule.options:
            day = _due_day(visit, days)
            if day is not None:
                due_on = today + timedelta(days=day - days)
                found.append(FollowUp(rule.text, visit.when, rule.id, rule.cite, due_on))
        elif any(option in preferred for option in rule.options):
            found.append(FollowUp(rule.text, visit.when, rule.id, rule.cite))
    about = {last, *preferred}
    found += [
        FollowUp(rule.text, AFTER_ANY_PROCEDURE if rule.options else "now", rule.id, rule.cite)
        for rule in UNSCHEDULED
        if rule.id in fired and _speaks_of(rule, about)
    ]
    return tuple(found)


def _due_day(visit: Visit, days_since: int) -> int | None:
    """The day from the procedure on which the visit is due next, None when its window has closed."""
    if days_since <= visit.first_day:
        return visit.first_day
    if visit.every_days is not None:
        return visit.first_day + -(-(days_since - visit.first_day) // visit.every_days) * visit.every_days
    return visit.last_day if days_since <= visit.last_day else None


def _speaks_of(rule: Rule, modalities: Collection[object]) -> bool:
    return not rule.options or any(option in modalities for option in rule.options)
