"""Reads Observations that state a fact of the catalogue by name: what a board knows and no standard code says."""

from collections.abc import Sequence
from decimal import Decimal

from connector.core.case import FactValue
from connector.core.catalogue import FACTS
from connector.core.fact_types import Choices, Flag, Number, Whole
from connector.fhir import ucum
from connector.fhir.identity import FACT_SYSTEM
from connector.fhir.read_observations import USED_STATUSES
from connector.fhir.record_notes import RecordNotes, Unusable
from connector.fhir.resource import Json, codes_in, codings, day, items, timing

# The unit stands at the end of a fact's name; the longest ending that fits decides.
_UNIT_OF_ENDING = {
    "_10e9_l": "10*9/L", "_umol_l": "umol/L", "_pg_ml": "pg/mL", "_ng_ml": "ng/mL", "_g_l": "g/L",
    "_fraction": "1", "_percent": "%", "_ratio": "1", "_months": "mo", "_weeks": "wk", "_days": "d", "_years": "a",
    "_mm": "mm", "_ml": "mL", "_kg": "kg", "_gy": "Gy", "_gbq": "GBq", "_mbq": "MBq", "_mci": "mCi", "_m": "m",
}  # fmt: skip


def read_stated_facts(observations: Sequence[Json], notes: RecordNotes) -> None:
    """
    Note facts stated under our own code system.

    valueBoolean, valueInteger, valueQuantity with a unit, or a word as valueString or coded value (several with commas
    for a set). A later statement of the same fact stands.
    """
    for observation in observations:
        names = codes_in(observation.get("code"), FACT_SYSTEM)
        if not names:
            continue
        on = day(timing(observation, "effective") or observation.get("issued"))
        if observation.get("status") not in USED_STATUSES:
            notes.skip(observation, f"status is {observation.get('status')!r}: only final statements are used")
            continue
        try:
            notes.state(names[0], _value(names[0], observation), [observation], on)
        except (Unusable, ucum.UnknownUnit) as fault:
            notes.skip(observation, f"{names[0]}: {fault}")


def _value(name: str, observation: Json) -> FactValue:
    fact = FACTS.get(name)
    if fact is None:
        raise Unusable("no fact of this name: `connector rules --facts` prints the names")
    if isinstance(fact, Flag):
        value = observation.get("valueBoolean")
        if not isinstance(value, bool):
            raise Unusable("send valueBoolean")
        return value
    if isinstance(fact, Whole):
        value = observation.get("valueInteger")
        if isinstance(value, bool) or not isinstance(value, int):
            raise Unusable("send valueInteger")
        return value
    if isinstance(fact, Number):
        return _quantity(name, observation)
    word = _word(observation)
    return frozenset(filter(None, (part.strip() for part in word.split(",")))) if isinstance(fact, Choices) else word


def _quantity(name: str, observation: Json) -> Decimal:
    endings = [ending for ending in _UNIT_OF_ENDING if name.endswith(ending)]
    if not endings:
        raise Unusable("this fact cannot be stated as a quantity")
    return ucum.convert(items(observation, "valueQuantity"), _UNIT_OF_ENDING[max(endings, key=len)])


def _word(observation: Json) -> str:
    if isinstance(observation.get("valueString"), str):
        return str(observation["valueString"])
    found = [code for _, code in codings(observation.get("valueCodeableConcept"))]
    if len(found) == 1:
        return found[0]
    raise Unusable("send valueString or one coded value")
