"""How every case is read: decimals as written, no NaN, no unknown field, one sentence when something is wrong."""

import json
from decimal import Decimal
from typing import Annotated, Any, NoReturn, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError

from connector import __version__
from connector.core.errors import BadCase
from connector.core.versions import RULESET


def _refuse_constant(name: str) -> NoReturn:
    raise BadCase("(case)", name, "not a finite number: give a decimal, or leave the field out if it is not known")


def load(text: str | bytes) -> Any:
    """Parse one JSON case with decimals exactly as written. Raises BadCase."""
    try:
        return json.loads(text, parse_float=Decimal, parse_constant=_refuse_constant)
    except (json.JSONDecodeError, UnicodeDecodeError) as fault:
        raise BadCase("(case)", "", f"not valid JSON ({fault}): check the file") from fault


def exact(value: Any) -> Any:
    """A decimal from a JSON number or a decimal string; booleans, exponents and infinities are refused."""
    if isinstance(value, bool):
        raise ValueError("a number is needed, not true or false")  # noqa: TRY004 - pydantic reports ValueError by field
    if isinstance(value, int):
        return Decimal(value)
    if isinstance(value, str):
        text = value.strip()
        if not text.lstrip("+-").replace(".", "", 1).isdecimal() or not text.isascii():
            raise ValueError("not a decimal number: write digits with a point, and no unit")
        return Decimal(text)
    if isinstance(value, Decimal) and value.is_finite():
        return value
    raise ValueError("a decimal number is needed")


Exact = Annotated[Decimal, BeforeValidator(exact)]


def whole(value: Any) -> Any:
    """A whole number; booleans and fractions are refused."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError("a whole number is needed")  # noqa: TRY004
    return value


Whole = Annotated[int, BeforeValidator(whole)]


class CaseModel(BaseModel):
    """Base of every case: unknown fields are refused, values are frozen."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


Model = TypeVar("Model", bound=BaseModel)


def parse(model: type[Model], case: Any) -> Model:
    """Check a parsed JSON case against its model. Raises BadCase with the field, its value and what to do."""
    if not isinstance(case, dict):
        raise BadCase("(case)", case, "a case is one JSON object")
    try:
        return model.model_validate(case)
    except ValidationError as fault:
        first = fault.errors()[0]
        field = ".".join(str(part) for part in first["loc"]) or "(case)"
        message = first["msg"].removeprefix("Value error, ")
        if first["type"] == "extra_forbidden":
            message = "unknown field: remove it or correct its name (`connector schema` prints the names)"
        elif first["type"] == "missing":
            raise BadCase(field, None, "is needed and missing: add it") from None
        raise BadCase(field, first["input"], message) from None


def versions() -> dict[str, str]:
    """Name the software and the rule set; stands in every result."""
    return {"connector": __version__, "ruleset": RULESET}


def error_line(fault: BadCase) -> dict[str, Any]:
    """The result line of a bad case under `--lines`."""
    return {"error": {"field": fault.field, "value": fault.value, "message": fault.message}}


def dumps(result: Any, *, indent: int | None = None) -> str:
    """One result as JSON; decimals leave as strings, exactly."""
    return json.dumps(result, indent=indent, ensure_ascii=False, allow_nan=False, default=_encode)


def _encode(value: Any) -> Any:
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, (set, frozenset, tuple)):
        return sorted(value) if isinstance(value, (set, frozenset)) else list(value)
    if hasattr(value, "isoformat"):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} does not belong in a result")
