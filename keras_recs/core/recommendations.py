"""`Recommendations`: what `recommend` and `similar_items` return."""

from __future__ import annotations

import html
import operator
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, overload

import numpy as np

from keras_recs.data.dataset import Dataset

Pairs = list[tuple[Any, float]]

SHOWN_LISTS = 5  # of the text and the table that a notebook shows
SHOWN_ITEMS = 5


@dataclass(frozen=True, eq=False, repr=False)
class Recommendations:
    """A ranked list for each user or, from `similar_items`, for each item that was asked about.

    It is a sequence of (user, [(item, score), …]), one entry per list, in the order that was asked
    for: loop over it, take an entry by its position, cut it with a slice, or make a dict of it.
    `of` finds a list by the user's id. One user alone, `recommend("ann")`, gives the lists of one
    user, and `of()` that user's list.

    Where fewer than k items are left to recommend, the list ends with a filler: item -1 (or ""
    where ids are strings), score -inf. Only the arrays `items` and `scores` show fillers;
    everything else leaves them out.

    Attributes:
        queries: (n,) ids, whose lists these are: users, or items.
        items: (n, k) ids, best first.
        scores: (n, k) float32, in the recommender's own units, or similarities.
        kind: "user" or "item": what `queries` holds.

    >>> lists = Recommendations(np.array(["ann", "bob"]), np.array([[3, 1], [2, -1]]),
    ...                         np.array([[2, 1], [5, -np.inf]], np.float32))
    >>> lists
    Recommendations for 2 users, up to 2 items each
      ann: 3 (2), 1 (1)
      bob: 2 (5)
    >>> for user, ranked in lists:
    ...     print(user, ranked)
    ann [(3, 2.0), (1, 1.0)]
    bob [(2, 5.0)]
    >>> lists[-1], lists.of("bob"), lists[:1].of()
    (('bob', [(2, 5.0)]), [(2, 5.0)], [(3, 2.0), (1, 1.0)])
    """

    queries: np.ndarray
    items: np.ndarray
    scores: np.ndarray
    kind: str = "user"

    @property
    def users(self) -> np.ndarray:
        """(n,) ids of the users; an AttributeError where the lists are those of items."""
        if self.kind != "user":
            raise AttributeError(
                f"these are lists for {self.kind}s, not for users: their ids are in `queries`"
            )
        return self.queries

    @property
    def valid(self) -> np.ndarray:
        """(n, k) bool: False where a list is over and the filler stands."""
        return ~np.isneginf(self.scores)

    # --- as a sequence ----------------------------------------------------------------------------

    def __len__(self) -> int:
        return len(self.queries)

    def __iter__(self) -> Iterator[tuple[Any, Pairs]]:
        return (self[row] for row in range(len(self)))

    @overload
    def __getitem__(self, place: int) -> tuple[Any, Pairs]: ...

    @overload
    def __getitem__(self, place: slice) -> Recommendations: ...

    def __getitem__(self, place: int | slice) -> tuple[Any, Pairs] | Recommendations:
        if isinstance(place, slice):
            return Recommendations(
                self.queries[place], self.items[place], self.scores[place], self.kind
            )
        try:
            row = operator.index(place)
        except TypeError:
            raise TypeError(
                f"a place is a whole number or a slice, got {place!r}; of({place!r}) finds a list by the "
                f"id of its {self.kind}"
            ) from None
        return self.queries[row].item(), self._pairs(row)

    def of(self, query: Any = None) -> Pairs:
        """The list of one user (or item) by its id: (item, score) pairs without fillers.

        Without an argument, the only list there is.

        Raises:
            KeyError: an id that was not asked about.
            ValueError: no argument, and several lists or none.
        """
        if query is None:
            if len(self) != 1:
                raise ValueError(f"there are {len(self)} lists: of({self.kind}) says which")
            return self._pairs(0)
        rows = np.flatnonzero(self.queries == query)
        if len(rows) == 0:
            raise KeyError(f"{self.kind} {query!r} is not among these recommendations")
        return self._pairs(int(rows[0]))

    def _pairs(self, row: int) -> Pairs:
        keep = ~np.isneginf(self.scores[row])
        return list(
            zip(self.items[row, keep].tolist(), self.scores[row, keep].tolist(), strict=True)
        )

    # --- as something else ------------------------------------------------------------------------

    def titles(self, data: Dataset) -> list[list[str]]:
        """For each list the titles of the items, best first, fillers left out."""
        return [
            data.titles(items[keep]) for items, keep in zip(self.items, self.valid, strict=True)
        ]

    def to_frame(self) -> Any:
        """A pandas DataFrame with a row per recommended item, fillers left out.

        Columns: `user` (`similar_to` for lists of similar items), `rank` from 1, `item`, `score`.

        Raises:
            ImportError: pandas is not installed.

        >>> lists = Recommendations(np.array([7]), np.array([[3, 1, -1]]), np.array([[2, 1, -np.inf]], np.float32))
        >>> lists.to_frame()
           user  rank  item  score
        0     7     1     3    2.0
        1     7     2     1    1.0
        """
        try:
            import pandas as pd
        except ImportError as error:
            raise ImportError(
                "to_frame needs pandas, which is not installed: pip install pandas"
            ) from error
        row, column = np.nonzero(self.valid)
        name = "similar_to" if self.kind == "item" else self.kind
        return pd.DataFrame(
            {
                name: self.queries[row],
                "rank": column + 1,
                "item": self.items[row, column],
                "score": self.scores[row, column],
            }
        )

    def __repr__(self) -> str:
        lines = [self._summary()]
        for query, pairs in self[:SHOWN_LISTS]:
            shown = [f"{item} ({score:.4g})" for item, score in pairs[:SHOWN_ITEMS]]
            lines.append(
                f"  {query}: {', '.join(shown + ['…'] * (len(pairs) > SHOWN_ITEMS)) or 'nothing left'}"
            )
        return "\n".join(lines + ["  …"] * (len(self) > SHOWN_LISTS))

    def _repr_html_(self) -> str:
        """A small table for notebooks: a row per list, a column per rank."""
        ranks = range(1, min(self.items.shape[1], SHOWN_ITEMS) + 1)
        rows = ["".join(f"<th>{name}</th>" for name in [self.kind, *ranks])]
        for query, pairs in self[:SHOWN_LISTS]:
            cells = [
                f"<td>{html.escape(str(item))} <small>{score:.4g}</small></td>"
                for item, score in pairs[:SHOWN_ITEMS]
            ]
            rows.append(f"<th>{html.escape(str(query))}</th>" + "".join(cells))
        body = "".join(f"<tr>{row}</tr>" for row in rows)
        return f"<table><caption>{self._summary()}</caption>{body}</table>"

    def _summary(self) -> str:
        n, k = self.items.shape
        what = "Similar items" if self.kind == "item" else "Recommendations"
        return f"{what} for {n} {self.kind}{'s' * (n != 1)}, up to {k} item{'s' * (k != 1)} each"
