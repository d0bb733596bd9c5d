"""`Hyperparameters`: constructor arguments, declared with their ranges, read and set by name."""

from __future__ import annotations

import dataclasses
import inspect
import math
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, Literal, Self, get_args, get_origin, get_type_hints

from keras_recs.utils.checks import one_of, real_number, whole_number, whole_numbers


@dataclass(frozen=True)
class Whole:
    """An int of at least `least`."""

    least: int = 1

    def check(self, name: str, value: Any) -> int:
        return whole_number(name, value, least=self.least)


@dataclass(frozen=True)
class Several:
    """A tuple of ints, each of at least `least`."""

    least: int = 1

    def check(self, name: str, value: Any) -> tuple[int, ...]:
        return whole_numbers(name, value, least=self.least)


@dataclass(frozen=True)
class Real:
    """A finite float with `least <= value <= most`, and greater than `above` where that is given."""

    least: float = -math.inf
    above: float | None = None
    most: float = math.inf

    def check(self, name: str, value: Any) -> float:
        return real_number(name, value, least=self.least, above=self.above, most=self.most)


@dataclass(frozen=True)
class OneOf:
    """One of some words; where they are few and known beforehand, `Literal` says the same."""

    words: tuple[str, ...]

    def check(self, name: str, value: Any) -> str:
        return one_of(name, value, self.words)


Count = Annotated[int, Whole()]
CountOrZero = Annotated[int, Whole(least=0)]
Counts = Annotated[tuple[int, ...], Several()]
Seed = CountOrZero
Positive = Annotated[float, Real(above=0.0)]
NotNegative = Annotated[float, Real(least=0.0)]
Share = Annotated[float, Real(least=0.0, most=1.0)]
PositiveShare = Annotated[float, Real(above=0.0, most=1.0)]
Dropout = Annotated[float, Real(least=0.0, most=0.9)]


class Hyperparameters:
    """For a class whose constructor arguments are the fields of a dataclass, and nothing else.

    Each field says in its annotation what it may hold: a range (`Count`, `Positive`, …), one of
    some words (`Literal`), or either of them or None. The values are checked as soon as they are
    stored.

    A class may also have a constructor of its own. It stores each argument under the argument's
    name, and does nothing else. What it stores, it must store unchanged when it is given once more:
    a copy that is made from `get_params` has the same values, which `sklearn.base.clone` checks.

    >>> @dataclass(eq=False, repr=False)
    ... class Model(Hyperparameters):
    ...     n_factors: Count = 8
    ...     reg: Positive | None = None
    ...     loss: Literal["bpr", "softmax"] = "bpr"
    >>> Model(reg=1)
    Model(n_factors=8, reg=1.0, loss='bpr')
    >>> Model(n_factors=0)
    Traceback (most recent call last):
    ValueError: n_factors must be at least 1, got 0
    """

    def __post_init__(self) -> None:
        declared: Any = type(self)
        for name, annotation in _annotations(declared).items():
            setattr(self, name, _checked(name, getattr(self, name), annotation))

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The hyperparameters: constructor argument -> value.

        Args:
            deep: as in scikit-learn, and of no effect here: no recommender is an argument of
                another.

        >>> from keras_recs import EASE
        >>> EASE(reg=100.0).get_params()
        {'reg': 100.0, 'recency': None}
        """
        return {name: getattr(self, name) for name in inspect.signature(type(self)).parameters}

    def set_params(self, **params: Any) -> Self:
        """Set some hyperparameters and return self. They are checked as in the constructor; on an
        error none is set.

        What `fit` has learned stays as it was, as in scikit-learn: call `fit` again.

        Raises:
            ValueError: a name that the constructor does not know, or a value out of range.
            TypeError: a value of the wrong type.

        >>> from keras_recs import EASE
        >>> EASE().set_params(reg=100, recency=10)
        EASE(reg=100.0, recency=10.0)
        """
        known = self.get_params(deep=False)
        unknown = [name for name in params if name not in known]
        if unknown:
            raise ValueError(
                f"{type(self).__name__} has no parameter {', '.join(map(repr, unknown))}; "
                f"it has {', '.join(known) or 'none'}"
            )
        checked = type(self)(**{**known, **params})
        self.__dict__.update(checked.__dict__)
        return self

    def __repr__(self) -> str:
        settings = ", ".join(
            f"{name}={value!r}" for name, value in self.get_params(deep=False).items()
        )
        return f"{type(self).__name__}({settings})"


@cache
def _annotations(declared: type) -> dict[str, Any]:
    """The fields of a dataclass: name -> annotation."""
    hints = get_type_hints(declared, include_extras=True)
    return {field.name: hints[field.name] for field in dataclasses.fields(declared)}


def _checked(name: str, value: Any, annotation: Any) -> Any:
    """`value` as `annotation` wants it; a field that says nothing of its range takes everything."""
    if get_origin(annotation) is Literal:
        return one_of(name, value, get_args(annotation))
    if get_origin(annotation) is Annotated:
        return annotation.__metadata__[0].check(name, value)
    if type(None) in (kinds := get_args(annotation)):
        return None if value is None else _checked(name, value, kinds[0])
    return value
