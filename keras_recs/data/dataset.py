"""`Dataset`: the interactions of some users with some items, and all that is known about either."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

import numpy as np
from scipy import sparse

from keras_recs.checks import column, one_of
from keras_recs.data.features import SIDE_DATA, ItemFeatures, KnowledgeGraph, LazyKnowledge, UserFeatures
from keras_recs.data.ids import IdMap, as_ids
from keras_recs.data.interactions import Interactions


class Dataset:
    """Interactions with their id maps and side data. Immutable: splitting makes another one on the same maps.

    Outside, users and items carry the caller's ids (integers with gaps, or strings). Inside, they are indices
    0 … n-1 in sorted order of the ids. `user_ids` and `item_ids` translate; nothing else has to.
    An item or user that only the side data knows is part of the data set too: it is cold.

    >>> data = Dataset.from_arrays(["ann", "bob", "ann"], [7, 7, 9], ratings=[5, 3, 4])
    >>> data.n_users, data.n_items, len(data)
    (2, 2, 3)
    >>> data.matrix("ratings").toarray().tolist()
    [[5.0, 4.0], [3.0, 0.0]]
    """

    def __init__(self, interactions: Interactions, user_ids: IdMap, item_ids: IdMap, *,
                 item_features: ItemFeatures | None = None, user_features: UserFeatures | None = None,
                 knowledge: LazyKnowledge | None = None, name: str = "interactions",
                 rating_scale: tuple[float, float] | None = None) -> None:
        if len(interactions) == 0:
            raise ValueError("interactions is empty: there is nothing to learn from")
        for what, index, size in (("users", interactions.users, len(user_ids)),
                                  ("items", interactions.items, len(item_ids))):
            if index.min() < 0 or index.max() >= size:
                raise ValueError(f"{what} must be indices 0 … {size - 1}, got {index.min()} … {index.max()}")
        self.interactions = interactions
        self.user_ids, self.item_ids = user_ids, item_ids
        self.item_features, self.user_features = item_features, user_features
        self._knowledge = knowledge
        self.name = name
        self.rating_scale = rating_scale

    @classmethod
    def from_arrays(cls, users: Any, items: Any, ratings: Any = None, timestamps: Any = None, *,
                    labels: Mapping[str, Any] | None = None, contexts: Mapping[str, Any] | None = None,
                    item_features: ItemFeatures | None = None, user_features: UserFeatures | None = None,
                    knowledge: LazyKnowledge | None = None, name: str = "interactions",
                    rating_scale: tuple[float, float] | None = None) -> Dataset:
        """A data set from parallel columns, one entry per event, with the caller's own ids.

        Args:
            users, items: (n,) integers or strings.
            ratings, timestamps: (n,) numbers or None.
            labels, contexts: named (n,) columns.
            item_features, user_features, knowledge: side data; ids that no event has are added as cold ones.
            rating_scale: lowest and highest possible rating; by default those that occur.

        Raises:
            ValueError: empty data, columns of different lengths or of two dimensions, NaN or infinite ratings.
            TypeError: ids that are neither all integers nor all strings.
        """
        users, items = as_ids("users", users), as_ids("items", items)
        if len(users) == 0:
            raise ValueError("users is empty: there is nothing to learn from")
        column("items", items, length=len(users))
        user_ids = _id_map("users", users, user_features)
        item_ids = _id_map("items", items, item_features)
        interactions = Interactions(user_ids.index("users", users), item_ids.index("items", items),
                                    ratings, timestamps, labels or {}, contexts or {})
        if rating_scale is None and interactions.ratings is not None:
            rating_scale = (float(interactions.ratings.min()), float(interactions.ratings.max()))
        return cls(interactions, user_ids, item_ids,
                   item_features=item_features and item_features.aligned(item_ids),
                   user_features=user_features and user_features.aligned(user_ids),
                   knowledge=knowledge, name=name, rating_scale=rating_scale)

    def with_interactions(self, interactions: Interactions) -> Dataset:
        """The same users, items and side data with other events: what a split returns."""
        return Dataset(interactions, self.user_ids, self.item_ids, item_features=self.item_features,
                       user_features=self.user_features, knowledge=self._knowledge, name=self.name,
                       rating_scale=self.rating_scale)

    # --- sizes and views -------------------------------------------------------------------------------------

    def __len__(self) -> int:
        return len(self.interactions)

    def __repr__(self) -> str:
        return f"Dataset({self.name!r}, {self.n_users:,} users, {self.n_items:,} items, {len(self):,} interactions)"

    @property
    def n_users(self) -> int:
        return len(self.user_ids)

    @property
    def n_items(self) -> int:
        return len(self.item_ids)

    @cached_property
    def seen(self) -> sparse.csr_array:
        """(n_users, n_items) float32, 1 where the user met the item, however often."""
        return self.matrix("binary")

    def matrix(self, values: str = "binary") -> sparse.csr_array:
        """(n_users, n_items) float32, sorted and without duplicates.

        `"binary"`: 1 where there was an event; `"counts"`: how many; `"ratings"`: the latest rating.
        """
        one_of("values", values, ("binary", "counts", "ratings"))
        events = self.interactions
        shape = (self.n_users, self.n_items)
        if values == "ratings":
            self.require("ratings")
            assert events.ratings is not None  # `require` has seen to it
            rows = self.latest_events()
            data, users, items = events.ratings[rows], events.users[rows], events.items[rows]
        else:
            data, users, items = np.ones(len(events), np.float32), events.users, events.items
        matrix = sparse.coo_array((data, (users, items)), shape).tocsr()  # adds up duplicates
        if values == "binary":
            matrix.data[:] = 1
        return matrix

    def latest_events(self) -> np.ndarray:
        """Rows of the last event of each (user, item) pair: what is left when a later rating replaces an earlier."""
        events = self.interactions
        order = events.chronological()
        pair = events.users[order] * self.n_items + events.items[order]
        _, first_from_the_end = np.unique(pair[::-1], return_index=True)
        return order[::-1][first_from_the_end]

    @cached_property
    def popularity(self) -> np.ndarray:
        """(n_items,) int64: how many different users met each item."""
        return np.bincount(self.seen.indices, minlength=self.n_items)

    # --- side data -------------------------------------------------------------------------------------------

    @cached_property
    def knowledge(self) -> KnowledgeGraph | None:
        """The knowledge graph, read on first use."""
        return self._knowledge() if callable(self._knowledge) else self._knowledge

    def has(self, what: str) -> bool:
        """Whether the data set holds `what`: ratings, timestamps, titles, genres, years, texts, images,
        user_texts, knowledge, or the name of a label or context."""
        events = self.interactions
        if what in ("ratings", "timestamps"):
            return getattr(events, what) is not None
        if what in SIDE_DATA:
            return self.item_features is not None and getattr(self.item_features, what) is not None
        if what == "user_texts":
            return self.user_features is not None and self.user_features.texts is not None
        if what == "knowledge":
            return self._knowledge is not None
        return what in events.labels or what in events.contexts

    def require(self, *needed: str, by: str = "this") -> None:
        """Raise a ValueError that says which of `needed` the data set lacks, and who (`by`) wants it."""
        lacking = [what for what in needed if not self.has(what)]
        if lacking:
            raise ValueError(f"{by} needs {', '.join(lacking)}, which the data set {self.name!r} does not have")

    def titles(self, items: Any) -> list[str]:
        """What to call the items with these ids: the title with its year where there is one, else the id."""
        index = self.item_ids.index("items", items)
        if not self.has("titles"):
            return [str(i) for i in self.item_ids.ids[index].tolist()]
        assert self.item_features is not None and self.item_features.titles is not None  # `has` has seen to it
        titles, years = self.item_features.titles, self.item_features.years
        if years is None:
            years = np.zeros(self.n_items, int)
        return [f"{titles[i]} ({years[i]})" if years[i] else titles[i] or str(self.item_ids.ids[i]) for i in index]


def _id_map(name: str, ids: np.ndarray, features: ItemFeatures | UserFeatures | None) -> IdMap:
    if features is None:
        return IdMap(ids, name)
    if (ids.dtype.kind == "U") != (features.ids.dtype.kind == "U"):
        raise TypeError(f"{name} and the ids of their features must be of one kind, "
                        f"got {ids.dtype} and {features.ids.dtype}")
    return IdMap(np.concatenate([ids, features.ids]), name)
