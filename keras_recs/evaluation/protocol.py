"""One protocol for all: the same users, the same items and the same rule for every recommender.

P1 and P2 rank all items that the user has not seen in training. P3 predicts the ratings of the test
events. `keras_recs.data.split` makes the splits.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from scipy import sparse

from keras_recs.core.recommender import Recommender
from keras_recs.data.columns import Where, numbers
from keras_recs.data.dataset import Dataset
from keras_recs.data.splits import Split
from keras_recs.evaluation import bootstrap, metrics
from keras_recs.utils.checks import column, whole_number
from keras_recs.utils.topk import top_k

RECALL_DEPTH = 20  # recall@20 is reported beside the metrics at k
BLOCK_CELLS = 1 << 22  # scores held at once: 32 MiB of float64
BLOCK_USERS = 1 << 13  # users that `recommend` is asked for at once


@dataclass(frozen=True, eq=False, repr=False)
class Evaluation:
    """What a recommender reached.

    Attributes:
        protocol: of the split: "P1", "P2" or "P3".
        metrics: name, such as "ndcg@10", to value.
        per_user: name to array, for the metrics that are means over users. Under P3 there is one
            entry per event: `per_user["rmse"]` holds squared errors (the RMSE is the root of their
            mean), `per_user["mae"]` absolute ones.
        users: ids, one per entry of those arrays.
    """

    protocol: str
    metrics: dict[str, float]
    per_user: dict[str, np.ndarray]
    users: np.ndarray

    def interval(
        self, name: str, level: float = 0.95, n_resamples: int = 2000, seed: int = 0
    ) -> tuple[float, float]:
        """The bootstrap percentile interval of a metric over draws of users (Efron & Tibshirani
        1993).

        It says how much the figure would vary with other users of the same kind, after the same
        training.

        Args:
            name: a metric with per-user values.
            level: between 0 and 1.
            n_resamples: draws of users with replacement.
            seed: of the draws.

        Raises:
            KeyError: coverage, novelty and Gini belong to all lists together and have no per-user
            values. ValueError: a level or number out of range.
        """
        return bootstrap.interval(self, name, level, n_resamples, seed)

    def table(self) -> str:
        """A line per metric: name, value and, where there is one, the 95 % interval."""
        lines = [f"{self.protocol}, {self._n_users:,} users"]
        for name, value in self.metrics.items():
            line = f"{name:<14}{value:.4f}"
            if name in self.per_user:
                low, high = self.interval(name)
                line += f"   {low:.4f} to {high:.4f}"
            lines.append(line)
        return "\n".join(lines)

    def __repr__(self) -> str:
        values = ", ".join(f"{name} {value:.4f}" for name, value in self.metrics.items())
        return f"Evaluation({self.protocol}, {self._n_users:,} users: {values})"

    @property
    def _n_users(self) -> int:
        return len(np.unique(self.users))


def evaluate(recommender: Recommender, split: Split, *, k: int = 10) -> Evaluation:
    """Measure a recommender that was fitted on `split.train`.

    P1 and P2: `recommend` ranks all items that the user has not seen in training. Only users with a
    relevant test item count. A test item that the user had met in training cannot be recommended,
    so it is not relevant; an item that comes twice in the test is one. Metrics: "ndcg@k",
    "recall@k", "recall@20", "hr@k", "precision@k", "mrr@k", "map@k", and for the lists together
    "coverage@k", "novelty@k", "gini@k".

    P3: `predict` on every test event, clipped to the rating scale. Metrics: "rmse", "mae".

    A recommender that says what it was fitted on (`seen_`, `user_ids_`, `item_ids_`, as
    `Recommender` does) is not measured on that: where it has met a test pair that the training part
    does not hold, it was fitted on too much. Pairs that the data repeat later are no such case
    under P1 and P2, where they are not relevant; under P3, the same pair on both sides is an error.

    Args:
        recommender: fitted on `split.train`; only its public verbs and attributes are used.
        split: as `keras_recs.data.split` makes it.
        k: length of the lists.

    Raises:
        NotFittedError: before `fit`.
        KeyError: the recommender does not know a user or item of the split.
        ValueError: no user has a relevant test item; the recommender was fitted on test pairs;
            under P3, pairs that are on both sides; a list with a seen item or with one twice;
            predictions that are not finite.
    """
    require_split(split)
    if isinstance(recommender, type):
        raise TypeError(
            f"recommender must be fitted, got the class {recommender.__name__} itself: "
            f"{recommender.__name__}().fit(parts.train)"
        )
    test = split.test
    _refuse_leaks(recommender, split)
    if split.protocol == "P3":
        events = test.interactions
        predictions = recommender.predict(
            test.user_ids.ids[events.users], test.item_ids.ids[events.items]
        )
        return evaluate_ratings(predictions, split)
    whole_number("k", k)
    truth = Truth(split)
    depth = max(k, RECALL_DEPTH)
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
    return _evaluate_lists(items, truth, k)


def evaluate_scores(scores: Any, split: Split, k: int = 10) -> Evaluation:
    """Measure a matrix of scores by P1 or P2, as `evaluate` does a recommender.

    Args:
        scores: (n_users, n_items), higher is better, in the order of the data set's ids. Items seen
            in training are masked here. Equal scores rank by the lower item; -inf keeps an item out
            of the list.
        split: as `keras_recs.data.split` makes it.
        k: length of the lists.

    Raises:
        ValueError: another shape, NaN, or a P3 split.

    >>> from keras_recs.data import Dataset, split
    >>> data = Dataset.from_arrays([1, 1, 1, 2, 2], [10, 20, 30, 10, 30], timestamps=[1, 2, 3, 1, 2])
    >>> evaluate_scores([[9, 0, 0], [0, 5, 3]], split(data, "P2"), k=1).per_user["hr@1"].tolist()
    [1.0, 0.0]
    """
    whole_number("k", k)
    scores = checked_scores(scores, split)
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
    return _evaluate_lists(items, truth, k)


def evaluate_ratings(predictions: Any, split: Split) -> Evaluation:
    """RMSE and MAE of predictions for the test events, clipped to the data set's rating scale.

    Args:
        predictions: (n,) in the unit of the ratings, in the order of `split.test.interactions`.
        split: P3, or any whose test has ratings.

    Raises:
        ValueError: another length, NaN or infinite predictions, a test without ratings.
    """
    require_split(split)
    test = split.test
    test.require("ratings", by="evaluate_ratings")
    assert test.interactions.ratings is not None  # `require` has seen to it
    predictions = column(
        "predictions", numbers(Where("predictions"), predictions), length=len(test)
    )
    if test.rating_scale is not None:
        predictions = predictions.clip(*test.rating_scale)
    ratings = test.interactions.ratings.astype(np.float64)
    errors = predictions - ratings
    values = {"rmse": metrics.rmse(predictions, ratings), "mae": metrics.mae(predictions, ratings)}
    return Evaluation(
        split.protocol,
        values,
        {"rmse": errors**2, "mae": np.abs(errors)},
        test.user_ids.ids[test.interactions.users],
    )


# --- leaks ----------------------------------------------------------------------------------------


def _refuse_leaks(recommender: Any, split: Split) -> None:
    """Raise where test pairs were learned from."""
    test, n_items = split.test, split.test.n_items
    tested, trained = _pairs(test), _pairs(split.train)
    shared = np.isin(tested, trained, assume_unique=True)
    if split.protocol == "P3" and shared.any():
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


# --- what the ranking protocols share -------------------------------------------------------------


class Truth:
    """Which test items are relevant, and for whom. Users and items are indices here.

    Attributes:
        relevant: sorted keys user * n_items + item, each once, without what the user had met in
        training. users: those with at least one, in order.
        n_relevant: (len(users),) how many each of them has.
    """

    def __init__(self, split: Split) -> None:
        if split.protocol == "P3":
            raise ValueError("a P3 split is about ratings, not rankings: use evaluate_ratings")
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


def _evaluate_lists(items: np.ndarray, truth: Truth, k: int) -> Evaluation:
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
