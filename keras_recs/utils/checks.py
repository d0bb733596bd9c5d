"""Checks of arguments, each error naming the argument, what came and what was expected."""

from __future__ import annotations

import math
import numbers
import operator
from collections.abc import Collection, Iterable
from typing import Any

import numpy as np


def whole_number(name: str, value: Any, *, least: int = 1) -> int:
    """`value` as an int that is at least `least`."""
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        raise TypeError(f"{name} must be a whole number, got {value!r}")
    if value < least:
        raise ValueError(f"{name} must be at least {least}, got {value}")
    return int(value)


def whole_numbers(name: str, values: Any, *, least: int = 1) -> tuple[int, ...]:
    """`values` as a tuple of ints that are at least `least`; a tuple of ints is given back as it
    is."""
    if not isinstance(values, Iterable) or isinstance(values, (str, bytes)):
        raise TypeError(f"{name} must be several whole numbers, such as (64, 32), got {values!r}")
    numbers = tuple(whole_number(name, value, least=least) for value in values)
    return values if type(values) is tuple and all(map(operator.is_, values, numbers)) else numbers


def real_number(
    name: str,
    value: Any,
    *,
    least: float = -math.inf,
    above: float | None = None,
    most: float = math.inf,
) -> float:
    """`value` as a finite float with `least <= value <= most`, and greater than `above` where that
    is given."""
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise TypeError(f"{name} must be a number, got {value!r}")
    value = float(value)
    if not math.isfinite(value):
        raise ValueError(f"{name} must be finite, got {value}")
    if above is not None and value <= above:
        raise ValueError(f"{name} must be greater than {above:g}, got {value:g}")
    if not least <= value <= most:
        raise ValueError(f"{name} must lie between {least:g} and {most:g}, got {value:g}")
    return value


def one_of(name: str, value: Any, allowed: Collection[str]) -> str:
    """`value`, when it is one of the `allowed` words."""
    if value not in allowed:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, allowed))}; got {value!r}")
    return value


def column(name: str, values: Any, dtype: Any = None, *, length: int | None = None) -> np.ndarray:
    """`values` as a read-only one-dimensional array of its own, of `length` entries, finite where
    it is numeric."""
    array = np.array(values, dtype=dtype)
    if array.ndim != 1:
        raise ValueError(f"{name} must be one-dimensional, got an array of shape {array.shape}")
    if length is not None and len(array) != length:
        raise ValueError(f"{name} has {len(array)} entries where {length} were expected")
    if np.issubdtype(array.dtype, np.inexact) and not np.isfinite(array).all():
        bad = int(np.flatnonzero(~np.isfinite(array))[0])
        raise ValueError(f"{name} must be finite, but entry {bad} is {array[bad]}")
    array.flags.writeable = False
    return array
