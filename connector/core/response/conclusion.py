"""What the whole course says: the best responses, and how long they and the patient lasted."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from connector.core.assessment import DatedResponse, TimeToEvent
from connector.core.response.best_response import (
    Assessed,
    best_overall_responses,
    counted,
)
from connector.core.response.case import Policies
from connector.core.response.durations import days_until, end_of_follow_up, response_began


@dataclass(frozen=True, slots=True)
class Conclusion:
    """The best responses with their visits; the durations are None when there was no response."""

    best_overall_response: DatedResponse
    confirmed_best_overall_response: DatedResponse
    progression_free_survival: TimeToEvent
    duration_of_response: TimeToEvent | None
    time_to_response_days: int | None


def conclude(
    assessed: Iterable[Assessed],
    start: date,
    policies: Policies,
    *,
    death_on: date | None = None,
    new_therapy_on: date | None = None,
) -> Conclusion:
    """Conclude from a sequence of overall responses and the first day of treatment, by the policies of the protocol."""
    sequence = counted(assessed, policies, new_therapy_on=new_therapy_on)
    end = end_of_follow_up(sequence, start, death_on=death_on, new_therapy_on=new_therapy_on)
    began = response_began(sequence, policies)
    best, confirmed = best_overall_responses(sequence, start, policies)
    return Conclusion(
        best_overall_response=best,
        confirmed_best_overall_response=confirmed,
        progression_free_survival=days_until(end, start),
        duration_of_response=None if began is None else days_until(end, began),
        time_to_response_days=None if began is None else (began - start).days,
    )
