"""The case and the result of `connector select` as JSON Schema, made from the catalogue of facts."""

from functools import singledispatch
from typing import Any

from connector.core.catalogue import FACTS
from connector.core.fact_types import Choice, Choices, Fact, Flag, Number, Numbers, Whole, Words

_TEXTS = {"type": "array", "items": {"type": "string"}}
_REASONS = {
    "type": "array",
    "items": {
        "type": "object",
        "required": ["rule", "text", "source"],
        "properties": {
            "rule": {"type": "string"}, "text": {"type": "string"}, "source": {"type": "string"}, "facts": _TEXTS,
        },
    },
}  # fmt: skip


@singledispatch
def _schema_of(fact: Fact) -> dict[str, Any]:
    raise TypeError(f"{type(fact).__name__} has no schema: add it here")


@_schema_of.register
def _flag(_: Flag) -> dict[str, Any]:
    return {"type": "boolean"}


@_schema_of.register
def _choice(fact: Choice) -> dict[str, Any]:  # type: ignore[type-arg] # dispatch is by class, whatever its words
    return {"type": "string", "enum": list(fact.words)}


@_schema_of.register
def _choices(fact: Choices) -> dict[str, Any]:  # type: ignore[type-arg] # as above
    return {"type": "array", "items": {"type": "string", "enum": list(fact.words)}, "uniqueItems": True}


@_schema_of.register
def _words(_: Words) -> dict[str, Any]:
    return {"type": "string"}


@_schema_of.register
def _number(fact: Number) -> dict[str, Any]:
    bounds = {"minimum": fact.least, "exclusiveMinimum": fact.above, "maximum": fact.most}
    kept = {name: float(bound) for name, bound in bounds.items() if bound is not None}
    # A decimal may also come as text, so that no reader of JSON rounds it on its way.
    return {"type": ["integer" if isinstance(fact, Whole) else "number", "string"], **kept}


@_schema_of.register
def _numbers(fact: Numbers) -> dict[str, Any]:
    return {"type": "array", "items": _number(fact.one)}


def _case() -> dict[str, Any]:
    facts = {name: {**_schema_of(fact), "description": fact.if_missing} for name, fact in FACTS.items()}
    return {
        "title": "select", "type": "object", "required": ["today", "facts"], "additionalProperties": False,
        "properties": {
            "today": {"type": "string", "format": "date"},
            "facts": {"type": "object", "additionalProperties": False, "properties": facts},
        },
    }  # fmt: skip


def _result() -> dict[str, Any]:
    rows: dict[str, Any] = {"type": "array", "items": {"type": "object"}}
    option = {
        "type": "object",
        "required": ["modality", "verdict", "rank", "because", "needs", "why_not_first", "ranked_at"],
        "properties": {
            "modality": {"type": "string"},
            "verdict": {"enum": ["preferred", "possible", "relative_contraindication", "excluded", "cannot_decide"]},
            "rank": {"type": ["integer", "null"]}, "because": _REASONS, "needs": _TEXTS,
            "why_not_first": {"type": "string"}, "ranked_at": {"type": "string"},
        },
    }  # fmt: skip
    statuses = ["recommend", "cannot_decide", "excluded_all", "contradictory_data"]
    properties: dict[str, Any] = {
        "status": {"enum": statuses}, "options": {"type": "array", "items": option}, "rules_fired": _TEXTS,
        "missing": _TEXTS, "contradictions": _TEXTS, "pathway": rows, "measures": _REASONS, "follow_up": rows,
        "alerts": _REASONS, "risks": rows, "conflicts": _TEXTS, "values": {"type": "object"},
        "versions": {"type": "object", "required": ["connector", "ruleset"]},
    }  # fmt: skip
    return {"title": "select-result", "type": "object", "required": sorted(properties), "properties": properties}


SCHEMAS = {"select": _case(), "select-result": _result()}
