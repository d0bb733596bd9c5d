"""Events: who met what, when, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np

from keras_recs.checks import column


def _read_only(columns: Mapping[str, Any], kind: str, length: int) -> Mapping[str, np.ndarray]:
    return MappingProxyType({name: column(f"{kind}[{name!r}]", values, length=length)
                             for name, values in columns.items()})


@dataclass(frozen=True, eq=False)
class Interactions:
    """Parallel columns, one entry per event, in the order in which they came. Nothing in it can be changed.

    Args:
        users, items: (n,) indices 0 … n_users-1 and 0 … n_items-1 (not the caller's ids: `Dataset` maps those).
        ratings: (n,) float32 in the data's own units, or None for feedback without ratings.
        timestamps: (n,) int64, seconds since 1970, or None.
        labels: named (n,) columns of what came of the event, such as click, like, finish.
        contexts: named (n,) columns of the circumstances, such as hour, weekend, device.

    Raises:
        ValueError: a column of another length, of two dimensions, or with NaN or infinite entries.
    """

    users: np.ndarray
    items: np.ndarray
    ratings: np.ndarray | None = None
    timestamps: np.ndarray | None = None
    labels: Mapping[str, np.ndarray] = field(default_factory=dict)
    contexts: Mapping[str, np.ndarray] = field(default_factory=dict)

    def __post_init__(self) -> None:
        put = lambda name, value: object.__setattr__(self, name, value)  # noqa: E731  (the dataclass is frozen)
        put("users", column("users", self.users, np.int64))
        n = len(self.users)
        put("items", column("items", self.items, np.int64, length=n))
        if self.ratings is not None:
            put("ratings", column("ratings", self.ratings, np.float32, length=n))
        if self.timestamps is not None:
            column("timestamps", self.timestamps, length=n)  # NaN must be refused before the cast to int hides it
            put("timestamps", column("timestamps", self.timestamps, np.int64, length=n))
        put("labels", _read_only(self.labels, "labels", n))
        put("contexts", _read_only(self.contexts, "contexts", n))

    def __len__(self) -> int:
        return len(self.users)

    def take(self, rows: np.ndarray) -> Interactions:
        """The events at `rows` (indices or a mask), in that order."""
        pick = lambda values: None if values is None else values[rows]  # noqa: E731
        return Interactions(
            self.users[rows], self.items[rows], pick(self.ratings), pick(self.timestamps),
            {name: values[rows] for name, values in self.labels.items()},
            {name: values[rows] for name, values in self.contexts.items()})

    def chronological(self) -> np.ndarray:
        """Row order by user, then time, then the order in which the events came (the only order, without times)."""
        keys = (self.users,) if self.timestamps is None else (self.timestamps, self.users)
        return np.lexsort(keys)  # a stable sort: ties keep their order
