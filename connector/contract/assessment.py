"""An assessment as JSON, for summaries, the ledger and the console: every field but the voxel arrays, and back."""

from dataclasses import fields, is_dataclass
from functools import cache
from typing import Any, get_type_hints

import jiter
import numpy as np
from pydantic import TypeAdapter, ValidationError

from connector.core.assessment import Assessment, DoseReport, VisitResponse
from connector.core.case import VolumeGeometry

# Arrays and grids stay in the RT Dose; identity never enters an assessment.
_LEFT_OUT = {"dose_gy", "geometry"}


def render(assessment: Assessment) -> dict[str, Any]:
    """The assessment's fields under their own names; decimals and dates are written by `reading.dumps`."""
    rendered: dict[str, Any] = _plain(assessment)
    return rendered


def read_back(summary: str) -> Assessment | None:
    """
    Read an assessment from its JSON; its dose map has statistics and no voxels.

    None for one that another version wrote in a shape that this one does not know.
    """
    try:
        read: Assessment = _read(Assessment, jiter.from_json(summary.encode()))
    except (ValidationError, ValueError, TypeError, KeyError):
        return None
    return read


def _read(kind: type, plain: dict[str, Any]) -> Any:
    """Fields that are missing take their default, and those that are not known are passed over."""
    values = {}
    for name, adapter in _adapters(kind).items():
        if name not in plain:
            continue
        if kind is Assessment and name == "dose":
            values[name] = _dose(plain[name])
        elif kind is Assessment and name == "response":
            values[name] = adapter.validate_python(_known_of_visits(plain[name]))
        else:
            values[name] = adapter.validate_python(plain[name])
    return kind(**values)


def _known_of_visits(response: dict[str, Any] | None) -> dict[str, Any] | None:
    """A named tuple refuses what it does not know, where a dataclass passes it over."""
    if response is None:
        return None
    known = VisitResponse._fields
    return {**response, "visits": [{key: each[key] for key in known if key in each} for each in response["visits"]]}


def _dose(plain: dict[str, Any] | None) -> DoseReport | None:
    if plain is None:
        return None
    nowhere = VolumeGeometry((0, 0, 0), (0, 0, 0), (0, 0, 1), (0, 1, 0), (1, 0, 0), (1, 1, 1), "")
    values = {name: one.validate_python(plain[name]) for name, one in _adapters(DoseReport).items() if name in plain}
    return DoseReport(**values, dose_gy=np.empty((0, 0, 0), dtype=np.float32), geometry=nowhere)


@cache
def _adapters(kind: type) -> dict[str, TypeAdapter[Any]]:
    hints = get_type_hints(kind)
    whole = {Assessment: {"dose"}, DoseReport: _LEFT_OUT}[kind]
    return {
        field.name: TypeAdapter(Any if field.name in whole else hints[field.name])
        for field in fields(kind)
        if not (kind is DoseReport and field.name in _LEFT_OUT)
    }


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return {
            field.name: _plain(getattr(value, field.name)) for field in fields(value) if field.name not in _LEFT_OUT
        }
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        value = value._asdict()
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, (tuple, list)):
        return [_plain(each) for each in value]
    return value
