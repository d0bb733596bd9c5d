"""`Recommendations`: what `recommend` returns."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from keras_recs.data.dataset import Dataset


@dataclass(frozen=True, eq=False)
class Recommendations:
    """A ranked list for each user.

    Where fewer than k items are left to recommend, the list ends with a filler: item -1 (or "" where ids are
    strings), score -inf.

    Attributes:
        users: (n,) ids.
        items: (n, k) ids, best first.
        scores: (n, k) float32, in the recommender's own units.
    """

    users: np.ndarray
    items: np.ndarray
    scores: np.ndarray

    def __len__(self) -> int:
        return len(self.users)

    @property
    def valid(self) -> np.ndarray:
        """(n, k) bool: False where a list is over and the filler stands."""
        return ~np.isneginf(self.scores)

    def of(self, user: int | str) -> list[tuple[int | str, float]]:
        """The list of one user: (item, score) pairs without fillers."""
        rows = np.flatnonzero(self.users == user)
        if len(rows) == 0:
            raise KeyError(f"user {user!r} is not among these recommendations")
        row = rows[0]
        keep = self.valid[row]
        return list(zip(self.items[row, keep].tolist(), self.scores[row, keep].tolist(), strict=True))

    def titles(self, data: Dataset) -> list[list[str]]:
        """For each user the titles of the items, best first, fillers left out."""
        return [data.titles(items[keep]) for items, keep in zip(self.items, self.valid, strict=True)]
