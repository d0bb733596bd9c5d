"""Nothing is measured on what it was fitted on."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse

from keras_recs.data.dataset import Dataset
from keras_recs.data.splits import Split


def refuse_leaks(recommender: Any, split: Split, *, again: bool) -> None:
    """Raise where test pairs were learned from.

    Args:
        recommender: what says in `seen_`, `user_ids_` and `item_ids_` what it was fitted on; others
            are believed.
        split: what it is to be measured on.
        again: whether a pair may be in both parts: met again later, it is no leak in time.
    """
    test, n_items = split.test, split.test.n_items
    tested, trained = _pairs(test), _pairs(split.train)
    shared = np.isin(tested, trained, assume_unique=True)
    if not again and shared.any():
        raise ValueError(
            f"the split leaks: {np.count_nonzero(shared):,} of its {len(tested):,} test pairs of a user "
            "and an item are in its training part, too; keras_recs.data.split keeps a pair on one side"
        )
    users, items = np.divmod(tested[~shared], n_items)
    met = _met(recommender, test.user_ids.ids[users], test.item_ids.ids[items])
    if met:
        raise ValueError(
            f"this {type(recommender).__name__} was fitted on {met:,} of the {len(users):,} test pairs, "
            "so its figures would say how well it remembers: fit on parts.train, where parts = "
            "split(data)"
        )


def _pairs(data: Dataset) -> np.ndarray:
    """Sorted keys user * n_items + item, each once."""
    return np.unique(data.interactions.users * data.n_items + data.interactions.items)


def _met(recommender: Any, users: np.ndarray, items: np.ndarray) -> int:
    """How many of these pairs of ids the recommender was fitted on; 0 where it does not say what it
    was fitted on."""
    seen: Any
    seen, user_ids, item_ids = (
        getattr(recommender, name, None) for name in ("seen_", "user_ids_", "item_ids_")
    )
    if not sparse.issparse(seen) or user_ids is None or item_ids is None:
        return 0
    rows, columns = _places(np.asarray(user_ids), users), _places(np.asarray(item_ids), items)
    known = (rows >= 0) & (columns >= 0)
    if seen.shape != (len(user_ids), len(item_ids)) or not known.any():
        return 0
    return int(np.count_nonzero(sparse.csr_array(seen)[rows[known], columns[known]]))


def _places(ids: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Where each of `wanted` is in `ids`, which need not be sorted; -1 where it is not."""
    if len(ids) == 0 or (ids.dtype.kind == "U") != (wanted.dtype.kind == "U"):
        return np.full(len(wanted), -1)
    order = np.argsort(ids, kind="stable")
    place = order[np.minimum(np.searchsorted(ids, wanted, sorter=order), len(ids) - 1)]
    return np.where(ids[place] == wanted, place, -1)
