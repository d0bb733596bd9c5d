"""When two models are one: the same class, and arguments of the same values."""

from __future__ import annotations

import dataclasses
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from keras_recs.core.recommender import Recommender


@dataclass(frozen=True, eq=False)
class Itself:
    """A key for a thing that is equal to nothing else; it keeps the thing, so that its `id` goes to
    no other."""

    thing: Any

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Itself) and other.thing is self.thing

    def __hash__(self) -> int:
        return id(self.thing)


def identity(model: Any) -> Hashable:
    """What two equal models share, and no two others: the class itself and the whole arguments.

    A class that was defined again under its name is another class. What is no recommender is equal
    to itself only.

    >>> from keras_recs import EASE
    >>> identity(EASE(100)) == identity(EASE(100.0)), identity(EASE()) == identity(EASE(7.0))
    (True, False)
    """
    if isinstance(model, Recommender):
        return type(model), value_of(model.get_params(deep=False))
    return Itself(model)


def value_of(argument: Any) -> Hashable:
    """The whole value of an argument, as a key: equal exactly where the values are.

    Arrays of any size, lists, dicts and models count by what is in them; a thing that cannot be
    hashed and is none of these is equal to itself only.

    >>> value_of([1, 2]) == value_of([1, 2]), value_of(np.arange(9)) == value_of(np.arange(9) % 8)
    (True, False)
    """
    kind = type(argument)
    if isinstance(argument, Recommender):
        return identity(argument)
    if isinstance(argument, np.ndarray):
        values = (
            value_of(argument.ravel().tolist()) if argument.dtype == object else argument.tobytes()
        )
        return kind, argument.shape, argument.dtype.str, values
    if isinstance(argument, Mapping):
        return kind, tuple((key, value_of(each)) for key, each in argument.items())
    if isinstance(argument, list | tuple):
        return kind, tuple(map(value_of, argument))
    try:
        hash(argument)
    except TypeError:
        return Itself(argument)
    return kind, argument


def changed(model: Any) -> dict[str, Any]:
    """The arguments of a dataclass that differ from their defaults: name -> value."""
    out = {}
    for each in dataclasses.fields(model):
        value = getattr(model, each.name)
        default = each.default
        if each.default_factory is not dataclasses.MISSING:
            default = each.default_factory()
        if value_of(value) != value_of(default):
            out[each.name] = value
    return out
