"""`Dataset`: the interactions of some users with some items, and all that is known about either."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

import numpy as np
from scipy import sparse

from keras_recs.data.columns import TIME_UNITS, Where, distinct_ids, numbers, times
from keras_recs.data.features import (
    SIDE_DATA,
    ItemFeatures,
    KnowledgeGraph,
    LazyKnowledge,
    UserFeatures,
)
from keras_recs.data.ids import INT_FILLER, STR_FILLER, IdMap
from keras_recs.data.interactions import Interactions
from keras_recs.utils.checks import column, one_of, real_number


class Dataset:
    """Interactions with their id maps and side data. Immutable: splitting makes another one on the
    same maps.

    Outside, users and items carry the caller's ids (integers with gaps, or strings). Inside, they
    are indices 0 … n-1 in sorted order of the ids. `user_ids` and `item_ids` translate; nothing
    else has to.
    An item or user that only the side data knows is part of the data set too: it is cold.

    >>> data = Dataset.from_arrays(["ann", "bob", "ann"], [7, 7, 9], ratings=[5, 3, 4])
    >>> data.n_users, data.n_items, len(data)
    (2, 2, 3)
    >>> data.matrix("ratings").toarray().tolist()
    [[5.0, 4.0], [3.0, 0.0]]
    """

    def __init__(
        self,
        interactions: Interactions,
        user_ids: IdMap,
        item_ids: IdMap,
        *,
        item_features: ItemFeatures | None = None,
        user_features: UserFeatures | None = None,
        knowledge: LazyKnowledge | None = None,
        name: str = "interactions",
        rating_scale: tuple[float, float] | None = None,
        columns: Mapping[str, str] | None = None,
    ) -> None:
        if len(interactions) == 0:
            raise ValueError("interactions is empty: there is nothing to learn from")
        for what, index, size in (
            ("users", interactions.users, len(user_ids)),
            ("items", interactions.items, len(item_ids)),
        ):
            if index.min() < 0 or index.max() >= size:
                raise ValueError(
                    f"{what} must be indices 0 … {size - 1}, got {index.min()} … {index.max()}"
                )
        self.interactions = interactions
        self.user_ids, self.item_ids = user_ids, item_ids
        self.item_features, self.user_features = item_features, user_features
        self._knowledge = knowledge
        self.name = name
        self.rating_scale = None if rating_scale is None else _scale(rating_scale)
        #: Which columns a reader took the events from: "user", "item", "rating", "timestamp" to the
        #: column's name.
        self.columns = dict(columns or {})

    @classmethod
    def from_arrays(
        cls,
        users: Any,
        items: Any,
        ratings: Any = None,
        timestamps: Any = None,
        *,
        labels: Mapping[str, Any] | None = None,
        contexts: Mapping[str, Any] | None = None,
        item_features: ItemFeatures | None = None,
        user_features: UserFeatures | None = None,
        knowledge: LazyKnowledge | None = None,
        name: str = "interactions",
        rating_scale: tuple[float, float] | None = None,
        ids: str = "auto",
        time_unit: str = "s",
    ) -> Dataset:
        """A data set from parallel columns, one entry per event, with the caller's own ids.

        Columns may be lists, NumPy or Arrow arrays, or pandas or polars series. Nothing is
        converted in silence: what is missing, mixed, out of range or of a kind that is not read is
        an error with its first row.

        Args:
            users, items: (n,) integers or strings.
            ratings: (n,) finite numbers, or None.
            timestamps: (n,) numbers since 1970, dates, datetimes (UTC where they have no zone), ISO
            text, or None. labels, contexts: named (n,) columns.
            item_features, user_features, knowledge: side data; ids that no event has are added as
            cold ones. rating_scale: lowest and highest possible rating; by default those that
            occur.
            ids: "auto" takes ids as they are, "string" writes integers as text.
            time_unit: of numbers in `timestamps`: "s", "ms", "us" or "ns".

        Raises:
            ValueError: empty data; columns of different lengths or of two dimensions; missing, NaN
                or infinite entries; ids, ratings or times out of range; ratings outside
                `rating_scale`.
            TypeError: ids that are neither all integers nor all strings, ratings or times of
                another kind.
        """
        given = {"users": users, "items": items, "ratings": ratings, "timestamps": timestamps}
        return cls._from_columns(
            {name: (Where(name), values) for name, values in given.items() if values is not None},
            labels=labels,
            contexts=contexts,
            item_features=item_features,
            user_features=user_features,
            knowledge=knowledge,
            name=name,
            rating_scale=rating_scale,
            ids=ids,
            time_unit=time_unit,
        )

    @classmethod
    def _from_columns(
        cls,
        given: Mapping[str, tuple[Where, Any]],
        *,
        labels: Mapping[str, Any] | None = None,
        contexts: Mapping[str, Any] | None = None,
        item_features: ItemFeatures | None = None,
        user_features: UserFeatures | None = None,
        knowledge: LazyKnowledge | None = None,
        name: str = "interactions",
        rating_scale: tuple[float, float] | None = None,
        ids: str = "auto",
        time_unit: str = "s",
        columns: Mapping[str, str] | None = None,
    ) -> Dataset:
        """`from_arrays` with what each column is called in messages."""
        one_of("ids", ids, ("auto", "string"))
        one_of("time_unit", time_unit, TIME_UNITS)
        for argument in ("users", "items"):
            if argument not in given:
                raise TypeError(f"{argument} must hold integers or strings, got None")
        index, maps = {}, {}
        for argument, features in (("users", user_features), ("items", item_features)):
            where, values = given[argument]
            found, places = distinct_ids(where, [values] if np.isscalar(values) else values, ids)
            if len(places) == 0:
                raise ValueError(f"{where} is empty: there is nothing to learn from")
            filler = STR_FILLER if found.dtype.kind == "U" else INT_FILLER
            reserved = found == filler
            if reserved.any():
                raise ValueError(
                    f"{where} contains {filler!r}, which is reserved as the filler of short lists: "
                    f"{where.first(places == reserved.argmax())}"
                )
            maps[argument] = _id_map(where, found, features)
            index[argument] = maps[argument].index(argument, found)[places]
        n = len(index["users"])
        column(given["items"][0].name, index["items"], length=n)
        ratings = seconds = fractions = None
        if "ratings" in given:
            where, values = given["ratings"]
            ratings = column(where.name, numbers(where, values, np.float32), length=n)
        if "timestamps" in given:
            where, values = given["timestamps"]
            seconds, fractions = times(where, values, time_unit, refuse_dates=True)
            column(where.name, seconds, length=n)
        interactions = Interactions(
            index["users"],
            index["items"],
            ratings,
            seconds,
            labels or {},
            contexts or {},
            fractions,
        )
        if ratings is not None and rating_scale is None:
            rating_scale = (float(ratings.min()), float(ratings.max()))
        elif ratings is not None:
            low, high = _scale(rating_scale)
            outside = (ratings < np.float32(low)) | (ratings > np.float32(high))
            if outside.any():
                where = given["ratings"][0]
                raise ValueError(
                    f"{where} must lie in the rating_scale {low:g} to {high:g}, but "
                    f"{where.first(outside)} is {ratings[outside.argmax()]:g}"
                )
        return cls(
            interactions,
            maps["users"],
            maps["items"],
            item_features=item_features and item_features.aligned(maps["items"]),
            user_features=user_features and user_features.aligned(maps["users"]),
            knowledge=knowledge,
            name=name,
            rating_scale=rating_scale,
            columns=columns,
        )

    def with_interactions(self, interactions: Interactions) -> Dataset:
        """The same users, items and side data with other events: what a split returns."""
        return Dataset(
            interactions,
            self.user_ids,
            self.item_ids,
            item_features=self.item_features,
            user_features=self.user_features,
            knowledge=self._knowledge,
            name=self.name,
            rating_scale=self.rating_scale,
            columns=self.columns,
        )

    # --- sizes and views --------------------------------------------------------------------------

    def __len__(self) -> int:
        return len(self.interactions)

    def __repr__(self) -> str:
        taken = [f"{role} from {found!r}" for role, found in self.columns.items() if found != role]
        return (
            f"Dataset({self.name!r}, {self.n_users:,} users, {self.n_items:,} items, {len(self):,} interactions"
            + (f"; {', '.join(taken)})" if taken else ")")
        )

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

        `"binary"`: 1 where there was an event; `"counts"`: how many; `"ratings"`: the latest
        rating."""
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
        """Rows of the last event of each (user, item) pair: what is left when a later rating
        replaces an earlier."""
        events = self.interactions
        order = events.chronological()
        pair = events.users[order] * self.n_items + events.items[order]
        _, first_from_the_end = np.unique(pair[::-1], return_index=True)
        return order[::-1][first_from_the_end]

    @cached_property
    def popularity(self) -> np.ndarray:
        """(n_items,) int64: how many different users met each item."""
        return np.bincount(self.seen.indices, minlength=self.n_items)

    def positives(self, label: str) -> Dataset:
        """The events whose `label` is true, that is greater than 0, such as what was clicked of
        what was shown, with the same users, items and side data.

        Of impressions, what was seen and popular should mean clicked, not shown: `seen`,
        `popularity` and samplers of what this gives do.

        Raises:
            ValueError: the data set has no such label, or the label is never true.
            TypeError: the label is of words.

        >>> shown = Dataset.from_arrays([1, 1, 2], [10, 20, 20], labels={"click": [1, 0, 1]})
        >>> shown.positives("click").popularity.tolist(), shown.popularity.tolist()
        ([1, 1], [1, 2])
        """
        labels = self.interactions.labels
        if label not in labels:
            raise ValueError(
                f"label must be one of {', '.join(map(repr, labels)) or 'none, for there are none'}; "
                f"got {label!r}"
            )
        values = labels[label]
        if values.dtype.kind not in "biuf":
            raise TypeError(f"label {label!r} must hold numbers or booleans, got {values.dtype}")
        true = values > 0
        if not true.any():
            raise ValueError(f"label {label!r} is true of no event in {self.name!r}")
        return self.with_interactions(self.interactions.take(true))

    # --- side data --------------------------------------------------------------------------------

    @cached_property
    def knowledge(self) -> KnowledgeGraph | None:
        """The knowledge graph, read on first use."""
        return self._knowledge() if callable(self._knowledge) else self._knowledge

    def has(self, what: str) -> bool:
        """Whether the data set holds `what`: ratings, timestamps, titles, genres, years, texts,
        images, user_texts, knowledge, or the name of a label or context."""
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
        """Raise a ValueError that says which of `needed` the data set lacks, and who (`by`) wants
        it."""
        lacking = [what for what in needed if not self.has(what)]
        if lacking:
            raise ValueError(
                f"{by} needs {', '.join(lacking)}, which the data set {self.name!r} does not have"
            )

    def titles(self, items: Any) -> list[str]:
        """What to call the items with these ids: the title with its year where there is one, else
        the id."""
        index = self.item_ids.index("items", items)
        if not self.has("titles"):
            return [str(i) for i in self.item_ids.ids[index].tolist()]
        assert (
            self.item_features is not None and self.item_features.titles is not None
        )  # `has` has seen to it
        titles, years = self.item_features.titles, self.item_features.years
        if years is None:
            years = np.zeros(self.n_items, int)
        return [
            f"{titles[i]} ({years[i]})" if years[i] else titles[i] or str(self.item_ids.ids[i])
            for i in index
        ]


def _id_map(where: Where, ids: np.ndarray, features: ItemFeatures | UserFeatures | None) -> IdMap:
    if features is None:
        return IdMap(ids, where.name)
    if (ids.dtype.kind == "U") != (features.ids.dtype.kind == "U"):
        raise TypeError(
            f"{where} and the ids of their features must be of one kind, "
            f"got {ids.dtype} and {features.ids.dtype}"
        )
    return IdMap(np.concatenate([ids, features.ids]), where.name)


def _scale(bounds: Any) -> tuple[float, float]:
    """Lowest and highest rating."""
    if not isinstance(bounds, (tuple, list, np.ndarray)) or len(bounds) != 2:
        raise TypeError(f"rating_scale must be a pair (lowest, highest), got {bounds!r}")
    low, high = (real_number("rating_scale", bound) for bound in bounds)
    if low > high:
        raise ValueError(f"rating_scale must be (lowest, highest), got ({low:g}, {high:g})")
    return low, high
