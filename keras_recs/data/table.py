"""`FeatureTable`: side data of users, items and events as the codes that a model looks up.

Who learned what from which data is settled once: the values, means and deviations of a table are
those of the users, items and events of the training data, and a value that comes later is unknown,
code 0. Side data may tell of users and items that training never met; they teach the table nothing.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from keras_recs.data.dataset import Dataset
from keras_recs.data.interactions import Interactions
from keras_recs.utils.checks import one_of, whole_number

Kind = Literal["categorical", "multiple", "numeric"]
Of = Literal["user", "item", "event"]


@dataclass(frozen=True)
class Field:
    """One column of a table.

    Attributes:
        name: of the model's input.
        of: whether it belongs to a "user", an "item" or an "event".
        kind: "categorical", one code; "multiple", several codes, 0 for padding; "numeric", a number
            with mean 0 and standard deviation 1 over the training data, 0 where it is unknown.
        size: how many codes there are, the unknown one included; 1 for a number.
        width: values in one row: 1, or the most codes that a row has.
        values: what the codes 1, 2, … stand for.
    """

    name: str
    of: Of
    kind: Kind
    size: int
    width: int = 1
    values: tuple[Hashable, ...] = ()

    def describe(self) -> str:
        """A line for people.

        >>> Field("genre", "item", "multiple", 4, 2, ("drama", "crime", "war")).describe()
        'genre: of an item, multiple, 3 values and unknown, up to 2 at once'
        """
        article = "an" if self.of in ("item", "event") else "a"
        if self.kind == "numeric":
            return f"{self.name}: of {article} {self.of}, numeric"
        known = f"{self.size - 1} values and unknown"
        most = f", up to {self.width} at once" if self.kind == "multiple" else ""
        return f"{self.name}: of {article} {self.of}, {self.kind}, {known}{most}"


class FeatureTable:
    """Fields of users, items and events, and their codes by index.

    Args:
        data: the training data; its values get the codes.
        users, items, events: which columns to take: name -> kind. A user's are `attributes` of
            `user_features`; an item's are "genres", "years" or one of `extra`; an event's are its
            contexts. Beside them there are always the fields "user_id" and "item_id", whose codes
            are index + 1, also of those that training never met: their vectors stay untrained.
        least: values that come less often are unknown; of a user or an item, how many that training
            met have it, of an event, how often it comes.

    Raises:
        ValueError: a column that the data do not have, two columns of one name, or one that is not
            of its kind.

    >>> from keras_recs.data import Dataset, ItemFeatures
    >>> items = ItemFeatures([10, 20], genres=[("drama",), ("drama", "war")], years=[1950, 1970])
    >>> data = Dataset.from_arrays(
    ...     ["a", "b"], [10, 20], item_features=items, contexts={"device": ["tv", "phone"]})
    >>> table = FeatureTable(data, items={"genres": "multiple", "years": "numeric"},
    ...     events={"device": "categorical"})
    >>> table.item([1, 0])["genres"].tolist(), table.item([1, 0])["years"].tolist()
    ([[1, 2], [1, 0]], [1.0, -1.0])
    >>> table.event(data.interactions)["device"].tolist()
    [2, 1]
    >>> table.context({"device": np.array(["phone", "fridge"])})["device"].tolist()
    [1, 0]
    """

    def __init__(
        self,
        data: Dataset,
        *,
        users: Mapping[str, Kind] | None = None,
        items: Mapping[str, Kind] | None = None,
        events: Mapping[str, Kind] | None = None,
        least: int = 1,
    ) -> None:
        whole_number("least", least)
        self.fields: dict[str, Field] = {
            "user_id": Field("user_id", "user", "categorical", data.n_users + 1),
            "item_id": Field("item_id", "item", "categorical", data.n_items + 1),
        }
        self._columns: dict[str, np.ndarray] = {
            "user_id": _and_unknown(np.arange(1, data.n_users + 1, dtype=np.int32)),
            "item_id": _and_unknown(np.arange(1, data.n_items + 1, dtype=np.int32)),
        }
        self._scales: dict[str, tuple[float, float]] = {}
        wanted: list[tuple[Of, Mapping[str, Kind]]] = [
            ("user", users or {}),
            ("item", items or {}),
            ("event", events or {}),
        ]
        for of, columns in wanted:
            for name, kind in columns.items():
                self._add(data, name, of, kind, least)

    def _add(self, data: Dataset, name: str, of: Of, kind: Kind, least: int) -> None:
        one_of(f"kind of {name}", kind, ("categorical", "multiple", "numeric"))
        if name in self.fields:
            raise ValueError(f"two fields have the name {name!r}")
        column = _column(data, name, of)
        met = _met(data, of, column)
        if kind == "numeric":
            numbers = _numbers(name, met)
            known = numbers[np.isfinite(numbers)]
            if len(known) == 0:
                raise ValueError(f"{name} has no known number in the training data")
            self._scales[name] = _mean_and_deviation(known)
            self.fields[name] = Field(name, of, kind, 1)
        else:
            width = 1
            if kind == "multiple":
                met = [value for row in met for value in _several(row)]
                # of every row, so that none is cut
                width = max(1, max(len(_several(row)) for row in column))
            values = _often(met, least)
            self.fields[name] = Field(name, of, kind, len(values) + 1, width, values)
        if of != "event":
            self._columns[name] = _and_unknown(self._coded(self.fields[name], column))

    def user(self, users: Any) -> dict[str, np.ndarray]:
        """name -> (n,) or (n, width) codes of users by index; -1 is somebody unknown: code 0.

        Raises:
            ValueError: an index that there is not.
            TypeError: indices that are not whole numbers.
        """
        return self._rows("user", users)

    def item(self, items: Any) -> dict[str, np.ndarray]:
        """name -> (n,) or (n, width) codes of items by index; -1 is an item unknown: code 0.

        Of (n, length) histories, (n, length) or (n, length, width): `table.item(history - 1)` takes
        padding for unknown.

        Raises:
            ValueError: an index that there is not.
            TypeError: indices that are not whole numbers.
        """
        return self._rows("item", items)

    def event(self, events: Interactions) -> dict[str, np.ndarray]:
        """name -> (n,) codes of what was around events, by their contexts.

        Raises:
            ValueError: the events lack a context that the table has a field for.
        """
        fields = self.of("event")
        lacking = [name for name in fields if name not in events.contexts]
        if lacking:
            raise ValueError(f"events have no context {', '.join(map(repr, lacking))}")
        return self.context({name: events.contexts[name] for name in fields})

    def context(self, columns: Mapping[str, Any]) -> dict[str, np.ndarray]:
        """name -> (n,) codes of circumstances, from their values; a field that lacks is left out.

        Raises:
            ValueError: a name that is no field of events.
        """
        fields = self.of("event")
        unknown = [name for name in columns if name not in fields]
        if unknown:
            raise ValueError(
                f"context has {', '.join(map(repr, unknown))}; fields of events are: "
                f"{', '.join(fields) or 'none'}"
            )
        return {
            name: self._coded(field, np.atleast_1d(columns[name]))
            for name, field in fields.items()
            if name in columns
        }

    def of(self, what: Of) -> dict[str, Field]:
        """The fields of users, items or events, by name."""
        return {name: field for name, field in self.fields.items() if field.of == what}

    def _rows(self, of: Of, index: Any) -> dict[str, np.ndarray]:
        index = np.atleast_1d(index)
        if index.size and index.dtype.kind not in "iu":
            raise TypeError(f"{of}s must be whole numbers, got {index.dtype}")
        index = index.astype(np.int64)
        n = self.fields[f"{of}_id"].size - 1
        if index.size and (index.min() < -1 or index.max() >= n):
            raise ValueError(
                f"{of}s must be indices 0 … {n - 1}, or -1 for unknown, "
                f"got {index.min()} … {index.max()}"
            )
        return {name: self._columns[name][index] for name in self.of(of)}

    def _coded(self, field: Field, column: Any) -> np.ndarray:
        """Codes, or standardised numbers, of a column of raw values."""
        if field.kind == "numeric":
            mean, deviation = self._scales[field.name]
            numbers = (_numbers(field.name, column) - mean) / deviation
            return np.where(np.isfinite(numbers), numbers, 0).astype(np.float32)
        code = {value: place for place, value in enumerate(field.values, 1)}
        if field.kind == "categorical":
            different, place = _distinct(column)
            codes = np.array([code.get(_plain(value), 0) for value in different], np.int32)
            return codes[place]
        out = np.zeros((len(column), field.width), np.int32)
        for row, values in enumerate(column):
            known = [code[value] for value in _several(values) if value in code][: field.width]
            out[row, : len(known)] = known
        return out

    def __repr__(self) -> str:
        return "FeatureTable\n  " + "\n  ".join(f.describe() for f in self.fields.values())


def _column(data: Dataset, name: str, of: Of) -> Any:
    """The raw values of a field, one a user, an item or an event."""
    if of == "event":
        if name in data.interactions.contexts:
            return data.interactions.contexts[name]
        there: Iterable[str] = data.interactions.contexts
    elif of == "user":
        there = {} if data.user_features is None else data.user_features.attributes
        if name in there:
            return data.user_features.attributes[name]  # type: ignore[union-attr]
    else:
        features = data.item_features
        if features is not None and name == "genres" and features.genres is not None:
            return features.genres
        if features is not None and name == "years" and features.years is not None:
            return [int(year) or None for year in features.years]  # 0 is unknown
        there = [] if features is None else ["genres", "years", *features.extra]
        if features is not None and name in features.extra:
            return features.extra[name]
    raise ValueError(
        f"{data.name!r} has no {name!r} of {of}s; it has: {', '.join(there) or 'none'}"
    )


def _met(data: Dataset, of: Of, column: Any) -> Any:
    """The raw values of those users, items or events that the training data have."""
    if of == "event":
        return column
    events = data.interactions
    return [column[row] for row in np.unique(events.users if of == "user" else events.items)]


def _and_unknown(codes: np.ndarray) -> np.ndarray:
    """A last row of zeros, which is what the index -1 finds."""
    return np.concatenate([codes, np.zeros_like(codes[:1])])


def _mean_and_deviation(known: np.ndarray) -> tuple[float, float]:
    """By which numbers are standardised; where all are equal, that number and 1."""
    if known.min() == known.max():  # their computed deviation may be a rounding error above 0
        return float(known[0]), 1.0
    return float(known.mean()), float(known.std())


def _distinct(column: Any) -> tuple[Any, np.ndarray]:
    """The different values of a column, and (n,) which of them each entry is."""
    if isinstance(column, np.ndarray) and column.dtype.kind != "O":
        return np.unique(column, return_inverse=True)
    number: dict[Hashable, int] = {}
    place = [number.setdefault(_plain(value), len(number)) for value in column]
    return list(number), np.array(place, np.int64)


def _often(values: Any, least: int) -> tuple[Hashable, ...]:
    """The values that come `least` times, in order; what is missing is no value."""
    different, place = _distinct(values)
    counts = np.bincount(place, minlength=len(different))
    plain = [_plain(value) for value in different]
    kept = [v for v, n in zip(plain, counts, strict=True) if v is not None and n >= least]
    return tuple(sorted(kept, key=lambda value: (type(value).__name__, value)))


def _plain(value: Any) -> Hashable:
    """A NumPy scalar as Python has it; None for what is missing."""
    value = value.item() if isinstance(value, np.generic) else value
    if value is None or value == "" or (isinstance(value, float) and np.isnan(value)):
        return None
    return value


def _several(values: Any) -> list[Hashable]:
    """The values of one row of a "multiple" field, each once."""
    if values is None:
        return []
    if isinstance(values, str) or not isinstance(values, Iterable):
        values = [values]
    found = [value for value in map(_plain, values) if value is not None]
    return list(dict.fromkeys(found))


def _numbers(name: str, column: Sequence[Any]) -> np.ndarray:
    """(n,) float64; NaN for what is missing."""
    if isinstance(column, np.ndarray) and column.dtype.kind in "biuf":
        return column.astype(np.float64)
    try:
        return np.array([np.nan if _plain(v) is None else v for v in column], np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} is said to be numeric, and is not: {error}") from None
