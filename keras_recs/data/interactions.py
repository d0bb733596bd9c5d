"""Events: who met what, when, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np

from keras_recs.data.columns import Where, numbers, plain, times, whole_numbers
from keras_recs.utils.checks import column


def _read_only(columns: Mapping[str, Any], kind: str, length: int) -> Mapping[str, np.ndarray]:
    def read(name: str) -> np.ndarray:
        where = Where(f"{kind}[{name!r}]")
        return column(where.name, plain(where, columns[name]), length=length)

    return MappingProxyType({name: read(name) for name in columns})


@dataclass(frozen=True, eq=False)
class Interactions:
    """Parallel columns, one entry per event, in the order in which they came. Nothing in it can be
    changed.

    Args:
        users, items: (n,) indices 0 … n_users-1 and 0 … n_items-1 (not the caller's ids: `Dataset`
        maps those). ratings: (n,) float32 in the data's own units, or None for feedback without
        ratings.
        timestamps: (n,) int64, seconds since 1970 UTC, or None. Dates and fractions of a second may
        be given. labels: named (n,) columns of what came of the event, such as click, like, finish.
        contexts: named (n,) columns of the circumstances, such as hour, weekend, device.
        nanoseconds: (n,) int32, what the times have beyond the whole second, so that their order is
            kept. None where they have nothing; taken from `timestamps` where that has fractions.

    Raises:
        ValueError: a column of another length, of two dimensions, or with missing, NaN or infinite
        entries. TypeError: a column of another kind. `keras_recs.data.columns` says what is read.
    """

    users: np.ndarray
    items: np.ndarray
    ratings: np.ndarray | None = None
    timestamps: np.ndarray | None = None
    labels: Mapping[str, np.ndarray] = field(default_factory=dict)
    contexts: Mapping[str, np.ndarray] = field(default_factory=dict)
    nanoseconds: np.ndarray | None = None

    def __post_init__(self) -> None:
        put = lambda name, value: object.__setattr__(self, name, value)  # noqa: E731  (the dataclass is frozen)
        put("users", column("users", whole_numbers(Where("users"), self.users)))
        n = len(self.users)
        put("items", column("items", whole_numbers(Where("items"), self.items), length=n))
        if self.ratings is not None:
            put(
                "ratings",
                column("ratings", numbers(Where("ratings"), self.ratings, np.float32), length=n),
            )
        if self.timestamps is not None:
            seconds, fractions = times(Where("timestamps"), self.timestamps)
            put("timestamps", column("timestamps", seconds, length=n))
            if self.nanoseconds is None:
                put("nanoseconds", fractions)
        if self.nanoseconds is not None:
            put("nanoseconds", column("nanoseconds", self.nanoseconds, np.int32, length=n))
        put("labels", _read_only(self.labels, "labels", n))
        put("contexts", _read_only(self.contexts, "contexts", n))

    def __len__(self) -> int:
        return len(self.users)

    def take(self, rows: np.ndarray) -> Interactions:
        """The events at `rows` (indices or a mask), in that order."""
        pick = lambda values: None if values is None else values[rows]  # noqa: E731
        return Interactions(
            self.users[rows],
            self.items[rows],
            pick(self.ratings),
            pick(self.timestamps),
            {name: values[rows] for name, values in self.labels.items()},
            {name: values[rows] for name, values in self.contexts.items()},
            pick(self.nanoseconds),
        )

    def chronological(self) -> np.ndarray:
        """Row order by user, then time, then the order in which the events came (the only order,
        without times)."""
        keys = [key for key in (self.nanoseconds, self.timestamps) if key is not None]
        return np.lexsort([*keys, self.users])  # a stable sort: ties keep their order
