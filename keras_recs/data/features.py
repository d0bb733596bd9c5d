"""What is known beside the interactions: items, users, and the knowledge graph around the items."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np

from keras_recs.data.ids import IdMap, as_ids


def _same_length(table: Any, names: Sequence[str]) -> None:
    for name in names:
        values = getattr(table, name)
        if values is not None and len(values) != len(table.ids):
            raise ValueError(f"{name} has {len(values)} entries for {len(table.ids)} ids")


def _align(values: Any, positions: np.ndarray, blank: Any) -> Any:
    """`values` reordered by `positions`; -1 takes the `blank`."""
    if values is None:
        return None
    if isinstance(values, np.ndarray):
        out = values[np.maximum(positions, 0)]
        out[positions < 0] = blank
        return out
    return [values[p] if p >= 0 else blank for p in positions]


def _positions(table_ids: np.ndarray, ids: IdMap) -> np.ndarray:
    where = np.full(len(ids), -1)
    where[ids.index("ids", table_ids)] = np.arange(len(table_ids))
    return where


@dataclass(frozen=True, eq=False)
class ItemFeatures:
    """Side data of items, row by row with `ids`.

    Args:
        ids: (n,) item ids, the caller's own, each once.
        titles: n strings.  genres: n tuples of strings.  years: (n,) ints, 0 where unknown.
        texts: n strings to be read by a language model.  images: (n, height, width, 3) uint8.
        extra: further named columns, n entries each.
    """

    ids: Any
    titles: Sequence[str] | None = None
    genres: Sequence[tuple[str, ...]] | None = None
    years: np.ndarray | None = None
    texts: Sequence[str] | None = None
    images: np.ndarray | None = None
    extra: Mapping[str, Sequence[Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "ids", _distinct("item_features.ids", self.ids))
        if self.years is not None:
            object.__setattr__(self, "years", np.asarray(self.years, np.int64))
        _same_length(self, ["titles", "genres", "years", "texts", "images"])

    def aligned(self, ids: IdMap) -> ItemFeatures:
        """The same table with one row per id of `ids`, in its order; blank where nothing is
        known."""
        rows = _positions(self.ids, ids)
        blanks: dict[str, Any] = {"titles": "", "genres": (), "years": 0, "texts": "", "images": 0}
        columns = {name: _align(getattr(self, name), rows, blank) for name, blank in blanks.items()}
        return ItemFeatures(
            ids.ids,
            **columns,
            extra={name: _align(v, rows, None) for name, v in self.extra.items()},
        )


@dataclass(frozen=True, eq=False)
class UserFeatures:
    """Side data of users, row by row with `ids`: profile `texts` and named `attributes` (age,
    occupation, …)."""

    ids: Any
    texts: Sequence[str] | None = None
    attributes: Mapping[str, Sequence[Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "ids", _distinct("user_features.ids", self.ids))
        if self.attributes is None:
            object.__setattr__(self, "attributes", {})
        _same_length(self, ["texts"])
        for name, values in self.attributes.items():
            if len(values) != len(self.ids):
                raise ValueError(
                    f"attributes[{name!r}] has {len(values)} entries for {len(self.ids)} ids"
                )

    def aligned(self, ids: IdMap) -> UserFeatures:
        """The same table with one row per id of `ids`, in its order; blank where nothing is
        known."""
        rows = _positions(self.ids, ids)
        return UserFeatures(
            ids.ids,
            _align(self.texts, rows, ""),
            {name: _align(list(v), rows, None) for name, v in self.attributes.items()},
        )


def _distinct(name: str, ids: Any) -> np.ndarray:
    ids = as_ids(name, ids)
    if len(np.unique(ids)) != len(ids):
        values, counts = np.unique(ids, return_counts=True)
        twice = int(np.argmax(counts > 1))
        raise ValueError(
            f"{name} must hold each id once; {values[twice].item()!r} comes {counts[twice]} times"
        )
    return ids


@dataclass(frozen=True, eq=False)
class KnowledgeGraph:
    """Triples (head, relation, tail) between named entities, and which entity each item is.

    Args:
        heads, relations, tails: three equal-length sequences of strings.
        item_entities: item id -> the entity's name.
    """

    heads: Sequence[str]
    relations: Sequence[str]
    tails: Sequence[str]
    item_entities: Mapping[Hashable, str]

    def __post_init__(self) -> None:
        if not len(self.heads) == len(self.relations) == len(self.tails):
            raise ValueError(
                "heads, relations and tails must be equally long, got "
                f"{len(self.heads)}, {len(self.relations)} and {len(self.tails)}"
            )

    def __len__(self) -> int:
        return len(self.heads)


#: A graph, or a function that reads it on first use: it is large, and few answers want it.
LazyKnowledge = KnowledgeGraph | Callable[[], KnowledgeGraph]

SIDE_DATA = tuple(f.name for f in fields(ItemFeatures) if f.name not in ("ids", "extra"))
