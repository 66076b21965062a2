"""How one lesion at one visit is written in a case: a diameter, the parts of a split lesion, or a word."""

from decimal import Decimal
from functools import lru_cache
from typing import Any

from connector.contract.reading import exact
from connector.core.case import LesionState
from connector.core.response.case import ABSENT, NOT_EVALUABLE, Measurement

_WORDS = {
    state.value: Measurement(state)
    for state in (
        LesionState.ABSENT,
        LesionState.TOO_SMALL,
        LesionState.NOT_EVALUABLE,
        LesionState.PRESENT,
        LesionState.UNEQUIVOCAL_PROGRESSION,
        LesionState.TREATED_LOCALLY,
    )
}
_MERGED = "merged:"
_DIAMETER = {"anyOf": [{"type": "number", "minimum": 0}, {"type": "string", "pattern": r"^\d+(\.\d*)?$"}]}
MEASUREMENT_SCHEMA = {
    "description": "millimetres, or several for the parts of a split lesion, or a word, or merged: and a lesion's id",
    "anyOf": [
        *_DIAMETER["anyOf"],
        {"type": "array", "items": _DIAMETER, "minItems": 2},
        {"enum": sorted(_WORDS)},
        {"type": "string", "pattern": f"^{_MERGED}.+"},
        {"type": "null"},
    ],
}


def measurement(value: Any) -> Measurement:
    """Read a diameter in millimetres, the parts of a split lesion, or one of the words. Raises ValueError."""
    if isinstance(value, str):
        return measurement_of_text(value)
    if value is None:
        return NOT_EVALUABLE
    if isinstance(value, list):
        if len(value) < 2:  # noqa: PLR2004 - one part is no split
            raise ValueError("a split lesion has at least two parts: give one diameter without brackets")
        return Measurement(LesionState.MEASURED, tuple(exact(part) for part in value))
    return _measured(exact(value))


@lru_cache(maxsize=4096)  # the same few words and tenths of a millimetre come again and again
def measurement_of_text(text: str) -> Measurement:
    """Read a diameter or a word given as text. Raises ValueError."""
    if text in _WORDS:
        return _WORDS[text]
    if text.startswith(_MERGED):
        return Measurement(LesionState.PRESENT, merged_into=text.removeprefix(_MERGED))
    return _measured(exact(text))


def _measured(diameter_mm: Decimal) -> Measurement:
    return Measurement(LesionState.MEASURED, (diameter_mm,)) if diameter_mm else ABSENT
