"""Reads the routing rules from their TOML file; an error names its line and key, and what to write instead."""

import re
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from connector.core.errors import BadCase
from connector.routing import Policy, Required, Routing, Rule, SeriesPattern, every_study

_FIELD = "CONNECTOR_ROUTING_FILE"


def _regular_expression(text: str) -> str:
    try:
        re.compile(text)
    except re.error as fault:
        raise ValueError(f"is no regular expression ({fault})") from fault
    return text


Code = Annotated[str, Field(pattern=r"^[^:]+:.+$")]
Words = Annotated[tuple[str, ...], Field(min_length=1)]
Uid = Annotated[str, Field(pattern=r"^[0-9]+(\.[0-9]+)+$")]
Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class _Pattern(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=False)

    modality: Words | None = None
    sop_class: Annotated[tuple[Uid, ...], Field(min_length=1)] | None = None
    body_part: Words | None = None
    series_description: (
        Annotated[tuple[Annotated[str, AfterValidator(_regular_expression)], ...], Field(min_length=1)] | None
    ) = None

    def pattern(self) -> SeriesPattern:
        return SeriesPattern(
            modality=self.modality or (),
            sop_class=self.sop_class or (),
            body_part=self.body_part or (),
            series_description=self.series_description or (),
        )


class _Required(_Pattern):
    series: Annotated[int, Field(ge=1)] = 1
    instances: Annotated[int, Field(ge=1)] = 1


class _Rule(_Pattern):
    name: Annotated[str, Field(min_length=1, max_length=64)]
    assess: tuple[Literal["response", "dose", "selection"], ...] = ("response", "dose", "selection")
    procedure_code: Annotated[tuple[Code, ...], Field(min_length=1)] | None = None
    calling_ae: Words | None = None
    quiet_seconds: Seconds | None = None
    series_quiet_seconds: Seconds = 0.0
    required: tuple[_Required, ...] = ()
    incomplete_after_seconds: Seconds = 5400.0
    when_incomplete: Policy = "ask"

    def rule(self, quiet_seconds: float) -> Rule:
        return Rule(
            name=self.name,
            assess=self.assess,
            pattern=self.pattern(),
            procedure_code=self.procedure_code or (),
            calling_ae=self.calling_ae or (),
            quiet_seconds=quiet_seconds if self.quiet_seconds is None else self.quiet_seconds,
            series_quiet_seconds=self.series_quiet_seconds,
            required=tuple(Required(each.pattern(), each.series, each.instances) for each in self.required),
            incomplete_after_seconds=self.incomplete_after_seconds,
            when_incomplete=self.when_incomplete,
        )


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")

    rule: Annotated[tuple[_Rule, ...], Field(min_length=1)]


def read_routing(path: Path | None, *, quiet_seconds: float) -> Routing:
    """
    Read the rules; without a file every study is assessed.

    `quiet_seconds` holds for rules that give none. Raises BadCase, which names the line and the key.
    """
    if path is None:
        return every_study(quiet_seconds)
    try:
        text = path.read_text(encoding="utf-8")
        parsed = tomllib.loads(text)
    except OSError as fault:
        raise BadCase(_FIELD, str(path), f"cannot be read ({type(fault).__name__}): name a readable file") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as fault:
        raise BadCase(_FIELD, str(path), f"is no TOML file: {fault}") from None
    try:
        read = _File.model_validate(parsed)
    except ValidationError as fault:
        raise _explained(fault, path, text) from None
    names = [rule.name for rule in read.rule]
    for name in names:
        if names.count(name) > 1:
            line = _line(text, "rule", len(names) - 1 - names[::-1].index(name), "name")
            raise BadCase(_FIELD, name, f"line {line}: names two rules: give each rule a name of its own")
    return Routing(tuple(rule.rule(quiet_seconds) for rule in read.rule), quiet_seconds)


def _explained(fault: ValidationError, path: Path, text: str) -> BadCase:
    first = fault.errors()[0]
    where = first["loc"]
    keys = [str(each) for each in where if not isinstance(each, int)]
    index = next((each for each in where if isinstance(each, int)), 0)
    line = _line(text, "rule", index, keys[1] if len(keys) > 1 else "")
    known = ", ".join(_Required.model_fields if "required" in keys[:-1] else _Rule.model_fields)
    told = {
        "extra_forbidden": f"is not known here: the keys of a rule are {known}",
        "missing": "is missing: give it" if keys[1:] else "is missing: write [[rule]], or leave the setting out",
        "value_error": f"{first.get('ctx', {}).get('error')}: correct it",
        "literal_error": f"must be {first.get('ctx', {}).get('expected')}",
        "tuple_type": 'must be a list: write ["…"]',
        "string_pattern_mismatch": "does not look as it must: a SOP class is a UID, a procedure code SCHEME:CODE",
        "too_short": "is empty: give a value, or leave the key out",
    }.get(first["type"], f"{first['msg']}: correct it")
    rule = f"rule {index + 1}, " if keys[1:] else ""
    value: Any = None if first["type"] == "missing" else first["input"]
    return BadCase(_FIELD, value, f"{path.name} line {line}: {rule}{'.'.join(keys[1:] or keys)} {told}")


def _line(text: str, table: str, index: int, key: str) -> int:
    """The line of a key in the so-manyth `[[table]]`, else that of the table; 1 when there is none."""
    at, seen = 1, -1
    for number, line in enumerate(text.splitlines(), start=1):
        if re.match(rf"\s*\[\[\s*{table}\s*\]\]", line):
            seen += 1
            if seen == index:
                at = number
        elif seen == index and key and re.match(rf"\s*(\[\[?\s*{table}\.)?{re.escape(key)}\b", line):
            return number
    return at
