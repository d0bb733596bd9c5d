"""How well lists are ranked: over all items that the user has not seen in training."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Any

import numpy as np
from scipy import sparse

from keras_recs.data.splits import Split
from keras_recs.evaluation import metrics
from keras_recs.evaluation.results import Evaluation
from keras_recs.utils.checks import whole_number
from keras_recs.utils.topk import top_k

RECALL_DEPTH = 20  # recall@20 is reported beside the metrics at k
BLOCK_CELLS = 1 << 22  # scores held at once: 32 MiB of float64
BLOCK_USERS = 1 << 13  # users that `recommend` is asked for at once


def evaluate_recommended(recommender: Any, split: Split, k: int) -> Evaluation:
    """Measure the lists of a fitted recommender; `evaluate` says what the arguments are."""
    whole_number("k", k)
    truth = Truth(split)
    depth = max(k, RECALL_DEPTH)
    test = split.test
    items = np.full((len(truth.users), depth), -1)
    ids = test.user_ids.ids[truth.users]
    for start in range(0, len(ids), BLOCK_USERS):
        asked = ids[start : start + BLOCK_USERS]
        lists = recommender.recommend(asked, depth)
        if lists.items.shape != (len(asked), depth):
            raise ValueError(
                f"recommend must give {depth} items for each of {len(asked)} users, "
                f"got shape {lists.items.shape}"
            )
        valid = lists.valid
        items[start : start + len(asked)][valid] = test.item_ids.index(
            "recommended items", lists.items[valid]
        )
    return evaluate_lists(items, truth, k)


def evaluate_table(scores: np.ndarray, split: Split, k: int) -> Evaluation:
    """Measure the lists that a matrix of scores ranks; `evaluate_scores` says what the arguments
    are."""
    truth = Truth(split)
    depth = max(k, RECALL_DEPTH)
    items = np.empty((len(truth.users), depth), np.int64)
    for block in blocks(len(truth.users), truth.n_items):
        users = truth.users[block]
        # A copy, because seen items are overwritten. What is not float32 becomes float64: nothing
        # is rounded.
        table = scores[users].astype(np.float32 if scores.dtype == np.float32 else np.float64)
        table[cells_of(split.train.seen[users])] = -np.inf
        items[block] = top_k(table, depth)[0]
    return evaluate_lists(items, truth, k)


class Truth:
    """Which test items are relevant, and for whom. Users and items are indices here.

    Attributes:
        relevant: sorted keys user * n_items + item, each once, without what the user had met in
        training. users: those with at least one, in order.
        n_relevant: (len(users),) how many each of them has.
    """

    def __init__(self, split: Split) -> None:
        self.split = split
        self.n_items = split.test.n_items
        events = split.test.interactions
        tested = np.unique(events.users * self.n_items + events.items)
        self.relevant = tested[~_contains(self.seen, tested)]
        if len(self.relevant) == 0:
            raise ValueError(
                "no user has a test item that is new to them: there is nothing to evaluate"
            )
        self.users, self.n_relevant = np.unique(self.relevant // self.n_items, return_counts=True)

    @cached_property
    def seen(self) -> np.ndarray:
        """Sorted keys of what was met in training."""
        rows, columns = cells_of(self.split.train.seen)
        return rows * self.n_items + columns

    def hits(self, items: np.ndarray) -> np.ndarray:
        """(len(users), k) bool: which of the recommended item indices are relevant; -1 is not."""
        keys = self.users[:, None] * self.n_items + items
        valid = items >= 0
        if (_contains(self.seen, keys) & valid).any():
            raise ValueError(
                "a list has an item that its user met in training; "
                "was the recommender fitted on split.train?"
            )
        ordered = np.sort(items, axis=1)
        if ((ordered[:, 1:] == ordered[:, :-1]) & (ordered[:, 1:] >= 0)).any():
            raise ValueError("a list has the same item twice")
        return _contains(self.relevant, keys) & valid


def evaluate_lists(items: np.ndarray, truth: Truth, k: int) -> Evaluation:
    """From (n_users, at least max(k, RECALL_DEPTH)) item indices, -1 where a list is over."""
    hits = truth.hits(items)
    per_user = {
        f"{name}@{k}": metric(hits[:, :k], truth.n_relevant)
        for name, metric in metrics.PER_USER.items()
    }
    per_user[f"recall@{RECALL_DEPTH}"] = metrics.recall_at(hits[:, :RECALL_DEPTH], truth.n_relevant)
    values = {name: float(of_users.mean()) for name, of_users in per_user.items()}
    train, top = truth.split.train, items[:, :k]
    trained = np.unique(train.interactions.users).size
    values |= {
        f"coverage@{k}": metrics.coverage(top, truth.n_items),
        f"novelty@{k}": metrics.novelty(top, train.popularity, trained),
        f"gini@{k}": metrics.gini(top, truth.n_items),
    }
    return Evaluation(truth.split.protocol, values, per_user, train.user_ids.ids[truth.users])


def require_split(split: Any) -> None:
    """A TypeError that says what to pass, unless `split` is a Split."""
    if not isinstance(split, Split):
        raise TypeError(
            f"a Split is needed, which has the test to measure on; got a {type(split).__name__}. "
            "parts = keras_recs.split(data) makes one: fit on parts.train, and pass parts"
        )


def checked_scores(scores: Any, split: Split) -> np.ndarray:
    """`scores` as an array, when it has the split's shape and no NaN."""
    require_split(split)
    scores = np.asarray(scores)
    shape = (split.train.n_users, split.train.n_items)
    if scores.shape != shape:
        raise ValueError(
            f"scores must have shape {shape}, a row per user and a column per item; "
            f"got {scores.shape}"
        )
    if any(np.isnan(scores[block]).any() for block in blocks(*shape)):
        raise ValueError("scores must not have NaN")
    return scores


def blocks(n: int, width: int) -> Iterator[slice]:
    """Slices of 0 … n - 1, so that a table of `width` columns stays within BLOCK_CELLS."""
    size = max(1, BLOCK_CELLS // width)
    return (slice(start, min(start + size, n)) for start in range(0, n, size))


def cells_of(matrix: sparse.csr_array) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns (int64) of the stored entries, in their order."""
    return np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr)), matrix.indices.astype(
        np.int64
    )


def _contains(ordered: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """Which of `keys` (any shape) are in `ordered`, which is sorted and not empty."""
    place = np.minimum(np.searchsorted(ordered, keys), len(ordered) - 1)
    return ordered[place] == keys
