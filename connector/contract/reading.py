"""How every case is read: decimals as written, no NaN, no unknown field, one sentence when something is wrong."""

import json
import re
from datetime import date
from decimal import Decimal
from functools import lru_cache, partial
from typing import Annotated, Any, NoReturn, TypeVar

import jiter
import orjson
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from connector import __version__
from connector.core.errors import BadCase
from connector.core.versions import RULESET


class _NotFinite(str):
    """NaN or an infinity, until the field is known that holds it."""

    __slots__ = ()

    def refuse(self, field: str) -> NoReturn:
        """Raise BadCase for the field."""
        raise BadCase(
            field, str(self), "not a finite number: give a decimal, or leave the field out if it is not known"
        )


def _refuse_in(field: str, value: Any) -> None:
    if isinstance(value, _NotFinite):
        value.refuse(field)
    if isinstance(value, list):
        for number, item in enumerate(value):
            _refuse_in(f"{field}.{number}", item)


def _checked_fields(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        seen: set[str] = set()
        for name, value in pairs:
            if name in seen:
                raise BadCase(name, value, "is given twice in the same object: keep the right one")
            seen.add(name)
    for name, value in pairs:
        _refuse_in(name, value)
    return fields


# Two values of one name would silently leave the last: every object is checked while it is read.
_READ = partial(jiter.from_json, float_mode="decimal", catch_duplicate_keys=True, allow_inf_nan=False)
_DECODER = json.JSONDecoder(parse_float=Decimal, parse_constant=_NotFinite, object_pairs_hook=_checked_fields)


def load(text: str | bytes) -> Any:
    """Parse one JSON case with decimals exactly as written. Raises BadCase."""
    try:
        return _READ(text.encode() if isinstance(text, str) else text)
    except ValueError:
        return _load_slowly(text)


def _load_slowly(text: str | bytes) -> Any:
    """Read what the fast parser refuses: a byte order mark, a lone surrogate; or tell what is wrong with it."""
    try:
        case = _DECODER.decode(text if isinstance(text, str) else text.decode("utf-8-sig"))
    except RecursionError as fault:
        raise BadCase("(case)", "", "nested too deeply: a case is at most a few levels deep") from fault
    except ValueError as fault:  # not JSON, not UTF-8, or a whole number of thousands of digits
        raise BadCase("(case)", "", f"not valid JSON ({fault}): check the file") from fault
    _refuse_in("(case)", case)
    return case


_PLAIN_DECIMAL = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)", re.ASCII)
MOST_DIGITS = 20  # so that sums and products of a few numbers stay exact in the 28 digits of a decimal context


def exact(value: Any) -> Any:
    """A decimal from a JSON number or a decimal string; booleans, exponents and infinities are refused."""
    if isinstance(value, str):
        return _decimal_of(value)
    if isinstance(value, bool):
        raise ValueError("a number is needed, not true or false")  # noqa: TRY004 - pydantic reports ValueError by field
    if isinstance(value, int):
        return _short_enough(Decimal(value))
    if isinstance(value, Decimal) and value.is_finite():
        return _short_enough(value)
    raise ValueError("a decimal number is needed")


@lru_cache(maxsize=4096)  # tenths of a millimetre and round limits come again and again
def _decimal_of(text: str) -> Decimal:
    if not _PLAIN_DECIMAL.fullmatch(text.strip()):
        raise ValueError("not a decimal number: write digits with a point, and no unit")
    return _short_enough(Decimal(text.strip()))


def _short_enough(number: Decimal) -> Decimal:
    _, digits, exponent = number.as_tuple()
    if len(digits) > MOST_DIGITS or not -MOST_DIGITS <= int(exponent) <= MOST_DIGITS:
        raise ValueError(f"has more than {MOST_DIGITS} digits: round it")
    return number


Exact = Annotated[Decimal, BeforeValidator(exact)]

# Control characters and halves of surrogate pairs, which no database, page or DICOM object can hold.
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


def line(text: str) -> str:
    """Text of one line, as a person types a name; control characters are refused."""
    found = _UNPRINTABLE.search(text)
    if found:
        raise ValueError(f"holds the control character U+{ord(found[0]):04X}: remove it")
    return text


Line = Annotated[str, AfterValidator(line), Field(json_schema_extra={"pattern": r"^[^\u0000-\u001f\u007f-\u009f]*$"})]


def whole(value: Any) -> Any:
    """A whole number, also written 28.0 or as text, as any decimal may be; booleans and fractions are refused."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    number = exact(value) if isinstance(value, str | Decimal) else None
    if number is None or number != number.to_integral_value():
        raise ValueError("a whole number is needed")
    return int(number)


Whole = Annotated[int, BeforeValidator(whole)]

_WHOLE_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


def whole_date(value: Any) -> Any:
    """A calendar date written YYYY-MM-DD; a partial date is refused, because a guessed day can change an answer."""
    if not isinstance(value, str):
        raise ValueError("a whole date is needed, written YYYY-MM-DD")  # noqa: TRY004 - as above
    return _date_of(value)


@lru_cache(maxsize=4096)
def _date_of(text: str) -> date:
    if not _WHOLE_DATE.fullmatch(text):
        raise ValueError("a whole date is needed, written YYYY-MM-DD")
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ValueError("is not a day of the calendar: correct it") from None


WholeDate = Annotated[date, BeforeValidator(whole_date)]


class CaseModel(BaseModel):
    """Base of every case: unknown fields are refused, values are frozen."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


Model = TypeVar("Model", bound=BaseModel)

# What pydantic finds, as what to do: its own words speak of Python.
_OBJECT = "write a JSON object, {{…}}"
_TOLD = {
    "missing": "is needed and missing: add it",
    "extra_forbidden": "unknown field: remove it or correct its name (`connector schema` prints the names)",
    "string_type": "write text in quotes",
    "bool_type": "write true or false, without quotes",
    "list_type": "write a JSON list, […]",
    "dict_type": _OBJECT,
    "model_type": _OBJECT,
    "literal_error": "write {expected}",
    "enum": "write {expected}",
    "greater_than": "must be above {gt}",
    "greater_than_equal": "must be {ge} or more",
    "less_than": "must be below {lt}",
    "less_than_equal": "must be {le} or less",
    "too_short": "give at least {min_length}",
    "too_long": "give at most {max_length}",
}


def parse(model: type[Model], case: Any) -> Model:
    """Check a parsed JSON case against its model. Raises BadCase with the field, its value and what to do."""
    if not isinstance(case, dict):
        raise BadCase("(case)", case, "a case is one JSON object")
    try:
        return model.model_validate(case)
    except ValidationError as fault:
        first = fault.errors()[0]
        field = _place(first["loc"], case) or "(case)"
        value = None if first["type"] == "missing" else first["input"]
        told = _TOLD.get(first["type"])
        message = told.format(**first.get("ctx", {})) if told else first["msg"].removeprefix("Value error, ")
        raise BadCase(field, value, message) from None


def _place(parts: tuple[int | str, ...], case: Any) -> str:
    """The path to a field as the case has it: pydantic also names the kind of a case that it chose among several."""
    kept, value = [], case
    for part in parts[:-1]:
        if isinstance(value, list) if isinstance(part, int) else isinstance(value, dict) and part in value:
            kept.append(str(part))
            value = value[part]
    return ".".join([*kept, *(str(part) for part in parts[-1:])])


def versions() -> dict[str, str]:
    """Name the software and the rule set; stands in every result."""
    return {"connector": __version__, "ruleset": RULESET}


def error_line(fault: BadCase) -> dict[str, Any]:
    """The result line of a bad case under `--lines`."""
    return {"error": {"field": fault.field, "value": fault.value, "message": fault.message}}


def dumps(result: Any, *, indent: int | None = None) -> str:
    """One result as JSON; decimals leave as strings, exactly."""
    return json.dumps(result, indent=indent, ensure_ascii=False, allow_nan=False, default=_encode)


def exact_line(result: Any) -> bytes:
    """
    One result as JSON on one line, in UTF-8; for results without binary floats, whose NaN would leave as null here.

    Decimals leave as strings, exactly.
    """
    try:
        return orjson.dumps(result, default=_encode)
    except TypeError:  # a lone surrogate from the case, or a whole number of more than 64 bits
        return dumps(result).encode("utf-8", "backslashreplace")


def _encode(value: Any) -> Any:
    if isinstance(value, Decimal):
        # Only a refused value can be longer than a page; it is shown with its exponent.
        return format(value, "f") if abs(value.adjusted()) < 2 * MOST_DIGITS else str(value)
    if isinstance(value, (set, frozenset, tuple)):
        return sorted(value) if isinstance(value, (set, frozenset)) else list(value)
    if hasattr(value, "isoformat"):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} does not belong in a result")
