"""The metrics, as pure functions of arrays: no recommender, no data set, no loop.

Ranking metrics take two arrays and give one value per user:

    hits        (n_users, k) bool: whether the item at each rank of the user's list is relevant,
    best first n_relevant  (n_users,) whole numbers, at least 1: how many relevant items the user
    has in all

The cut-off is the width of `hits`; `hits[:, :5]` gives the metrics at 5. A user without a relevant
item has no recall; such users are refused here and left out by the protocol.

The metrics of the whole system (coverage, novelty, Gini) take the lists themselves: (n_users, k)
item indices with -1 where a list is over.
"""

from __future__ import annotations

from typing import Any

import numpy as np

# --- one value per user ---------------------------------------------------------------------------


def recall_at(hits: Any, n_relevant: Any) -> np.ndarray:
    """Recall@k = hits in the list / relevant items of the user (Cleverdon 1967). (n_users,)
    float64.

    A user with more than k relevant items cannot reach 1: nothing is divided by k here.

    >>> recall_at([[True, False, True]], [4]).tolist()
    [0.5]
    """
    hits, n_relevant = _checked(hits, n_relevant)
    return hits.sum(axis=1) / n_relevant


def precision_at(hits: Any, n_relevant: Any) -> np.ndarray:
    """Precision@k = hits in the list / k (Cleverdon 1967). (n_users,) float64.

    The divisor is k even where the list is shorter, as in trec_eval: an empty place is a miss.

    >>> precision_at([[True, False, True, False]], [4]).tolist()
    [0.5]
    """
    hits, _ = _checked(hits, n_relevant)
    return hits.mean(axis=1)


def hit_rate_at(hits: Any, n_relevant: Any) -> np.ndarray:
    """HR@k = 1 if any item of the list is relevant, else 0 (Deshpande & Karypis 2004). (n_users,)
    float64.

    >>> hit_rate_at([[False, True], [False, False]], [1, 1]).tolist()
    [1.0, 0.0]
    """
    hits, _ = _checked(hits, n_relevant)
    return hits.any(axis=1).astype(float)


def ndcg_at(hits: Any, n_relevant: Any) -> np.ndarray:
    """NDCG@k with binary relevance (Järvelin & Kekäläinen 2002). (n_users,) float64.

    DCG@k = sum over the ranks r = 1 … k that are hits of 1 / log2(r + 1).
    NDCG@k = DCG@k / the DCG@k of an ideal list, which has hits at the ranks 1 … min(k, n_relevant).

    >>> ndcg_at([[False, False, True]], [1]).tolist()  # 1 / log2(4)
    [0.5]
    """
    hits, n_relevant = _checked(hits, n_relevant)
    k = hits.shape[1]
    discounts = 1 / np.log2(np.arange(2, k + 2))
    ideal = np.cumsum(discounts)[np.minimum(n_relevant, k) - 1]
    return hits @ discounts / ideal


def reciprocal_rank(hits: Any, n_relevant: Any) -> np.ndarray:
    """RR@k = 1 / rank of the first hit, 0 without one (Voorhees 1999); its mean is MRR@k.
    (n_users,) float64.

    >>> reciprocal_rank([[False, True, True], [False, False, False]], [2, 2]).tolist()
    [0.5, 0.0]
    """
    hits, _ = _checked(hits, n_relevant)
    return np.where(hits.any(axis=1), 1 / (hits.argmax(axis=1) + 1), 0.0)


def average_precision(hits: Any, n_relevant: Any) -> np.ndarray:
    """AP@k = (sum over the ranks r that are hits of precision@r) / n_relevant. (n_users,) float64.

    Its mean is MAP@k (Buckley & Voorhees 2000). The divisor is n_relevant, as in trec_eval's
    `map_cut`. Some libraries divide by min(k, n_relevant), which gives larger values.

    >>> average_precision([[True, False, True]], [4]).tolist()  # (1/1 + 2/3) / 4
    [0.41666666666666663]
    """
    hits, n_relevant = _checked(hits, n_relevant)
    precision = np.cumsum(hits, axis=1) / np.arange(1, hits.shape[1] + 1)
    return (precision * hits).sum(axis=1) / n_relevant


#: The name under which the protocol reports the mean of each.
PER_USER = {
    "ndcg": ndcg_at,
    "recall": recall_at,
    "hr": hit_rate_at,
    "precision": precision_at,
    "mrr": reciprocal_rank,
    "map": average_precision,
}


# --- one value for all lists together -------------------------------------------------------------


def coverage(items: Any, n_items: int) -> float:
    """The share of the catalogue that is in some user's list (Herlocker et al. 2004), 0 to 1.

    Args:
        items: (n_users, k) item indices, -1 where a list is over.
        n_items: size of the catalogue.

    >>> coverage([[0, 1], [1, -1]], 4)
    0.5
    """
    return float(np.count_nonzero(_recommended(items, n_items)) / n_items)


def novelty(items: Any, popularity: Any, n_users: int) -> float:
    """Mean self-information of the recommended items, in bits (Zhou et al. 2010): high where few
    know them.

    The mean of -log2 p(item) over all places of all lists; p is the share of the training users who
    met the item. An item that nobody met would be infinitely novel; it counts as met by one.

    Args:
        items: (n_users, k) item indices, -1 where a list is over.
        popularity: (n_items,) how many training users met each item.
        n_users: how many training users there are.

    >>> novelty([[0, 1]], [8, 2], 8)  # 0 bits and 2 bits
    1.0
    """
    popularity = np.asarray(popularity)
    times = _recommended(items, len(popularity))
    if times.sum() == 0:
        return float("nan")  # nothing was recommended
    bits = np.log2(n_users / np.maximum(popularity, 1))
    return float(times @ bits / times.sum())


def gini(items: Any, n_items: int) -> float:
    """The Gini coefficient of how often each item is recommended (Gini 1912; Fleder & Hosanagar
    2009).

    0: every item of the catalogue equally often. 1 - 1/n_items: one item in all places. With x the
    counts in ascending order, G = sum over i = 1 … n of (2i - n - 1) x_i / (n * sum of x). Items
    that are never recommended count, with 0.

    Args:
        items: (n_users, k) item indices, -1 where a list is over.
        n_items: size of the catalogue.

    >>> gini([[0], [0]], 4), gini([[0, 1], [2, 3]], 4)
    (0.75, 0.0)
    """
    times = np.sort(_recommended(items, n_items))
    if times[-1] == 0:
        return float("nan")  # nothing was recommended
    place = np.arange(1, n_items + 1)
    return float((2 * place - n_items - 1) @ times / (n_items * times.sum()))


# --- ratings --------------------------------------------------------------------------------------


def rmse(predictions: Any, ratings: Any) -> float:
    """Root of the mean squared error (Herlocker et al. 2004), in the unit of the ratings. Clips
    nothing.

    >>> rmse([4.0, 2.0], [3.0, 2.0])
    0.7071067811865476
    """
    return float(np.sqrt(np.mean(_errors(predictions, ratings) ** 2)))


def mae(predictions: Any, ratings: Any) -> float:
    """Mean absolute error (Herlocker et al. 2004), in the unit of the ratings. Clips nothing.

    >>> mae([4.0, 2.0], [3.0, 2.0])
    0.5
    """
    return float(np.mean(np.abs(_errors(predictions, ratings))))


# --- which way is good ----------------------------------------------------------------------------

#: A metric is called by its kind and, behind an @, the length of the lists or the label.
LOWER_IS_BETTER = frozenset({"rmse", "mae", "log_loss", "ece"})

#: Of these, more is neither better nor worse by itself: random lists cover everything, and a
#: calibration ratio is best at 1.
NEUTRAL = frozenset({"coverage", "novelty", "gini", "calibration"})


def kind(metric: str) -> str:
    """What a metric is, without the length or label.

    >>> kind("ndcg@10"), kind("auc@click"), kind("rmse")
    ('ndcg', 'auc', 'rmse')
    """
    return metric.partition("@")[0]


def lower_is_better(metric: str) -> bool:
    """Whether less is better.

    >>> lower_is_better("log_loss@click"), lower_is_better("ndcg@10")
    (True, False)
    """
    return kind(metric) in LOWER_IS_BETTER


def is_root(metric: str) -> bool:
    """Whether the metric is the root of the mean of its per-user values, not the mean."""
    return kind(metric) == "rmse"


# --- checks ---------------------------------------------------------------------------------------


def _checked(hits: Any, n_relevant: Any) -> tuple[np.ndarray, np.ndarray]:
    hits, n_relevant = np.asarray(hits), np.asarray(n_relevant)
    if hits.dtype != bool or hits.ndim != 2 or hits.shape[1] == 0:
        raise ValueError(
            f"hits must be bool of shape (n_users, k), got {hits.dtype} of shape {hits.shape}"
        )
    if n_relevant.shape != hits.shape[:1] or n_relevant.dtype.kind not in "iu":
        raise ValueError(
            f"n_relevant must be whole numbers of shape {hits.shape[:1]}, "
            f"got {n_relevant.dtype} of shape {n_relevant.shape}"
        )
    if (n_relevant < 1).any():
        raise ValueError(
            "n_relevant must be at least 1: a user without a relevant item has no recall"
        )
    if (hits.sum(axis=1) > n_relevant).any():
        raise ValueError(
            "hits has more hits for a user than n_relevant says there are relevant items; "
            "is an item twice in a list?"
        )
    return hits, n_relevant


def _recommended(items: Any, n_items: int) -> np.ndarray:
    """(n_items,) how often each item is in a list."""
    items = np.asarray(items)
    return np.bincount(items[items >= 0], minlength=n_items)


def _errors(predictions: Any, ratings: Any) -> np.ndarray:
    predictions, ratings = np.asarray(predictions, float), np.asarray(ratings, float)
    if predictions.shape != ratings.shape or predictions.ndim != 1 or predictions.size == 0:
        raise ValueError(
            f"predictions and ratings must be (n,) and not empty, "
            f"got {predictions.shape} and {ratings.shape}"
        )
    return predictions - ratings
