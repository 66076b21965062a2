"""How long: progression-free survival, duration of response, time to response, overall survival, in plain days."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from connector.core.assessment import TimeToEvent
from connector.core.response.best_response import Assessed, confirmed_responders, responders
from connector.core.response.case import Policies, Response


@dataclass(frozen=True, slots=True)
class End:
    """The day a follow-up ends, and whether with progression or death, or censored."""

    on: date
    event: bool


def end_of_follow_up(
    sequence: Sequence[Assessed], start: date, *, death_on: date | None, new_therapy_on: date | None
) -> End:
    """
    Return the first progression, else death, else the last adequate assessment (the start when there is none).

    `sequence` is what `counted` has kept. A death after another therapy was begun is no longer this treatment's event.
    Source: RECIST_1_1, section 4.7; censoring at the last adequate assessment as in ADaM time-to-event data.
    """
    if sequence and sequence[-1].response is Response.PD:
        return End(sequence[-1].on, event=True)
    if death_on is not None and (new_therapy_on is None or death_on <= new_therapy_on):
        return End(death_on, event=True)
    return End(max([start, *(assessed.on for assessed in sequence if assessed.adequate)]), event=False)


def days_until(end: End, since: date) -> TimeToEvent:
    """Count plain days; a table that counts the first day as day 1 has one more."""
    return TimeToEvent((end.on - since).days, end.event)


def response_began(sequence: Sequence[Assessed], policies: Policies) -> date | None:
    """
    Return the date of the first CR or PR, whichever came first; None without one.

    Under the policy `confirm` only those that were confirmed, at their first visit and not at the confirming one.
    Source: RECIST_1_1, section 4.7.2.
    """
    reached = confirmed_responders(sequence, policies) if policies.confirm else responders(sequence)
    return min((assessed.on for assessed in reached), default=None)


def overall_survival(
    start: date, *, death_on: date | None, last_contact_on: date | None, last_visit_on: date
) -> TimeToEvent:
    """Count days to death, or to the last day the patient was known to live."""
    if death_on is not None:
        return TimeToEvent((death_on - start).days, event=True)
    return TimeToEvent((max(last_visit_on, last_contact_on or last_visit_on) - start).days, event=False)
