"""How thin a log is, and the L2 price of embeddings that follows from it."""

from __future__ import annotations

import numpy as np
from scipy import sparse

RICH = 50.0  # events a row from which a log is not thin
LEAST = 20.0  # events that users need on average, and items, whatever the others have


def events_per_row(seen: sparse.csr_array) -> float:
    """How many events a user has and an item has: the geometric mean of the two averages, over those who have any.

    >>> events_per_row(sparse.csr_array([[1, 1, 1, 0], [1, 1, 1, 0], [0, 0, 0, 0]]))  # 3 a user and 2 an item
    2.449489742783178
    """
    users = np.count_nonzero(np.diff(seen.indptr))
    items = len(np.unique(seen.indices))
    return float(seen.nnz / (users * items) ** 0.5) if seen.nnz else 0.0


def is_thin(seen: sparse.csr_array) -> bool:
    """Whether rows have fewer than 50 events: fewer than training for a few epochs can be trusted with.

    Many users of few items have thin rows, too, though the items have hundreds: one side with fewer than 20 is enough.
    """
    rows = max(int(np.count_nonzero(np.diff(seen.indptr))), len(np.unique(seen.indices)))
    return bool(0 < events_per_row(seen) < RICH or 0 < seen.nnz < LEAST * rows)


def embedding_price(seen: sparse.csr_array, rich: float, examples: int = 1) -> float:
    """The L2 price of the embeddings of users and items: `rich`, unless the log is thin.

    Where rows have many events, stopping early is protection enough. Where they have few, each step of Adam still
    moves a vector by the learning rate, however little there is to learn: the vectors follow noise. There a vector
    costs as much as one event weighs in the loss, which is a mean over n events with so many `examples` each.
    """
    return 1 / (seen.nnz * examples) if is_thin(seen) else rich


def for_cold(vectors: np.ndarray, seen: sparse.csr_array) -> np.ndarray:
    """User vectors (n_users, dim) in which a user without events has the mean of the others, in a new array.

    Training never moved theirs: they are random, and another list for each seed. The mean user likes what all like.
    """
    warm = np.diff(seen.indptr) > 0
    return np.where(warm[:, None], vectors, vectors[warm].mean(axis=0))
