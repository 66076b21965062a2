"""Reads body temperatures, the highest of each day, because fever after a treatment is a sign that is looked for."""

from collections.abc import Sequence
from decimal import Decimal
from operator import attrgetter

from connector.core.evidence import Observed
from connector.fhir import ucum
from connector.fhir.observation_codes import BODY_TEMPERATURE
from connector.fhir.read_observations import USED_STATUSES
from connector.fhir.record_notes import RecordNotes
from connector.fhir.resource import Json, day, has_code, items, origin_of, timing

BODY_TEMPERATURE_C = "body_temperature_c"
# Beyond these the number is no living patient's, or the unit is wrong.
_LEAST_C, _MOST_C = Decimal(20), Decimal(46)


def read_temperatures(observations: Sequence[Json], notes: RecordNotes) -> None:
    """
    Note the highest temperature of each day in degrees Celsius, in the order of the days.

    One that is not final, has no day, no known unit or no likely value is listed and not used.
    """
    highest: dict[object, Observed[Decimal]] = {}
    for observation in observations:
        if not has_code(observation.get("code"), BODY_TEMPERATURE):
            continue
        fault = _unusable(observation)
        on = day(timing(observation, "effective") or observation.get("issued"))
        if fault or on is None:
            notes.skip(observation, f"body temperature: {fault or 'there is no day on which it was measured'}")
            continue
        measured = Observed(_celsius(observation), origin_of(observation), on)
        if on not in highest or measured.value > highest[on].value:
            highest[on] = measured
    if highest:
        notes.series[BODY_TEMPERATURE_C] = tuple(sorted(highest.values(), key=attrgetter("observed_on")))


def _unusable(observation: Json) -> str | None:
    if observation.get("status") not in USED_STATUSES:
        return f"status is {observation.get('status')!r}: only final results are used"
    if observation.get("dataAbsentReason"):
        return "the result is marked absent"
    try:
        celsius = _celsius(observation)
    except ucum.UnknownUnit as fault:
        return str(fault)
    return None if _LEAST_C <= celsius <= _MOST_C else "is no temperature of a living body: check the unit"


def _celsius(observation: Json) -> Decimal:
    return ucum.convert(items(observation, "valueQuantity"), "Cel")
