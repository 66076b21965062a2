"""An assessment as JSON, for summaries, the ledger and the console: every field but the voxel arrays."""

from dataclasses import fields, is_dataclass
from typing import Any

from connector.core.assessment import Assessment

# Arrays and grids stay in the RT Dose; identity never enters an assessment.
_LEFT_OUT = {"dose_gy", "geometry"}


def render(assessment: Assessment) -> dict[str, Any]:
    """The assessment's fields under their own names; decimals and dates are written by `reading.dumps`."""
    rendered: dict[str, Any] = _plain(assessment)
    return rendered


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return {
            field.name: _plain(getattr(value, field.name)) for field in fields(value) if field.name not in _LEFT_OUT
        }
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, (tuple, list)):
        return [_plain(each) for each in value]
    return value
