"""One text for equal values, in whatever order or spelling they came: what digests are made of."""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from decimal import Decimal
from enum import Enum
from functools import singledispatch
from hashlib import sha256
from typing import Any

import numpy as np
from numpy.typing import NDArray


@singledispatch
def canonical(value: Any) -> str:
    """Write a value so that equal values give equal texts; a dataclass field by field."""
    if is_dataclass(value) and not isinstance(value, type):
        return "(" + ",".join(f"{field.name}={canonical(getattr(value, field.name))}" for field in fields(value)) + ")"
    return repr(value)


@canonical.register(np.ndarray)
def _array(value: NDArray[Any]) -> str:
    return f"{value.dtype.str}{value.shape}{sha256(np.ascontiguousarray(value).tobytes()).hexdigest()}"


@canonical.register(Mapping)
def _mapping(value: Mapping[str, Any]) -> str:
    return "{" + ",".join(f"{key}:{canonical(value[key])}" for key in sorted(value)) + "}"


@canonical.register(frozenset)
@canonical.register(set)
def _set(value: frozenset[Any]) -> str:
    return "<" + ",".join(sorted(map(canonical, value))) + ">"


@canonical.register(tuple)
@canonical.register(list)
def _sequence(value: tuple[Any, ...]) -> str:
    return "[" + ",".join(map(canonical, value)) + "]"


@canonical.register(Decimal)
def _decimal(value: Decimal) -> str:
    return format(value.normalize(), "f")  # 3, 3.0 and 3E0 are one number


@canonical.register(Enum)
def _enum(value: Enum) -> str:
    return str(value.value)
