"""What the effects of histories share: rows to learn from, events outside series, and who gains."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from keras_recs.data import Dataset, windows
from keras_recs.evaluation import Evaluation, bootstrap
from keras_recs.neural import Epoch

LENGTH = 50  # films of a history


def rows(data: Dataset, n_negatives: int, rng: np.random.Generator) -> Iterator[Epoch]:
    """Without end, epochs of rows: a history, and the film that came next beside others.

    The others are drawn uniformly; those that the user met count as none: their label is -1.
    """
    found = windows(data, LENGTH)
    met = data.seen.toarray() > 0  # (n_users, n_items)
    shape = (len(found.users), 1 + n_negatives)
    while True:
        order = rng.permutation(len(found.users))
        items = rng.integers(0, data.n_items, shape, dtype=np.int32)
        items[:, 0] = found.target[order]
        labels = np.where(met[found.users[order][:, None], items], -1, 0).astype(np.float32)
        labels[:, 0] = 1
        yield Epoch({"history": found.history[order], "item_id": items}, labels)


def log_popularity(data: Dataset) -> np.ndarray:
    """(n_items,) float32 with mean 0: what the biases of films begin with."""
    logs = np.log1p(data.popularity).astype(np.float32)
    return logs - logs.mean()


def without_series(data: Dataset) -> Dataset:
    """The events with films in no series: what is watched after a first part is no matter of
    taste, and would outweigh it."""
    return data.with_interactions(
        data.interactions.take(np.flatnonzero(in_no_series(data)[data.interactions.items]))
    )


def in_no_series(data: Dataset) -> np.ndarray:
    """(n_items,) bool."""
    assert data.item_features is not None
    return np.array([name is None for name in data.item_features.extra["series"]])


def gains(right: Sequence[Evaluation], wrong: Sequence[Evaluation], metric: str) -> np.ndarray:
    """(seeds, n_users) by how much the first model is better."""
    return np.array(
        [a.per_user[metric] - b.per_user[metric] for a, b in zip(right, wrong, strict=True)]
    )


def interval_between(
    values: np.ndarray, group: np.ndarray, other: np.ndarray
) -> tuple[float, float]:
    """95 % interval of the mean of one group of users less that of another, by the bootstrap.

    Args:
        values: (seeds, n_users).
        group, other: (n_users,) bool, without a common user; each is drawn on its own.
    """
    drawn = []
    for seed, chosen in enumerate((group, other)):
        of_users = values[:, chosen].mean(axis=0)[:, None]  # (n, 1)
        ones = np.ones(len(of_users))
        drawn.append(bootstrap.resampled_means(of_users, ones, 2000, seed)[:, 0])
    return bootstrap.ends(drawn[0] - drawn[1], 0.95)
