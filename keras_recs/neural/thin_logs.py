"""How thin a log is, and the L2 penalty of embeddings that is chosen for it."""

from __future__ import annotations

import numpy as np
from scipy import sparse

# events a row from which a log is not thin; a judgement: the training part of MovieLens-100K has 65,
# that of cinema 49, the thin planted logs 9 to 32
RICH = 50.0
STEPS = 500  # of training at least on a thin log: a small one has few in an epoch
LEAST = 20.0  # events that users need on average, and items, whatever the others have


def events_per_row(seen: sparse.csr_array) -> float:
    """How many events a user has and an item has: the geometric mean of the two averages, over
    those who have any.

    >>> round(events_per_row(sparse.csr_array([[1, 1, 1, 0], [1, 1, 1, 0], [0, 0, 0, 0]])), 2)  # √(3 · 2)
    2.45
    """
    users = np.count_nonzero(np.diff(seen.indptr))
    items = len(np.unique(seen.indices))
    return float(seen.nnz / (users * items) ** 0.5) if seen.nnz else 0.0


def thinner_side(seen: sparse.csr_array) -> float:
    """Events of a user or of an item on average, whichever is less; over those who have any.

    >>> thinner_side(sparse.csr_array([[1, 1, 1, 0], [1, 1, 1, 0], [0, 0, 0, 0]]))  # 3 a user and 2 an item
    2.0
    """
    users = np.count_nonzero(np.diff(seen.indptr))
    items = len(np.unique(seen.indices))
    return seen.nnz / max(users, items, 1)


def is_thin(seen: sparse.csr_array) -> bool:
    """Whether a row has fewer than 50 events on average (`events_per_row`), or a user or an item
    fewer than 20.

    Many users of few items have thin rows, too, though the items have hundreds (`thinner_side`).
    """
    return 0 < events_per_row(seen) < RICH or 0 < thinner_side(seen) < LEAST


def embedding_penalty(seen: sparse.csr_array, rich: float, examples: int = 1) -> float:
    """The L2 penalty of the embeddings of users and items: `rich`, unless the log is thin.

    On a thin log it is 1 / (events · `examples` for each): the loss is a mean over so many, and a
    vector of length 1 then costs as much as one of them weighs. The rival is to stop early: on two
    planted logs of 11 events a row, LightGCN with 2e-6 was about as good after two epochs, and far
    worse after its usual ten; with this penalty it needs no choice of when to stop. We think that
    Adam is a part of it: its steps are about as long as the learning rate, however little a row has
    to learn from.
    """
    return 1 / (seen.nnz * examples) if is_thin(seen) else rich


def enough_epochs(seen: sparse.csr_array, usual: int, steps: int) -> int:
    """How many epochs of so many `steps` each: `usual` or, on a thin log, for 500 steps at least,
    four times `usual` at most.

    >>> enough_epochs(sparse.csr_array(np.eye(9)), usual=10, steps=20)
    25
    """
    return min(max(usual, -(-STEPS // steps)), 4 * usual) if is_thin(seen) else usual


def for_cold(vectors: np.ndarray, seen: sparse.csr_array) -> np.ndarray:
    """User vectors (n_users, dim) in which a user without events has the mean of the others, in a
    new array.

    Training never moved theirs: they are random, and another list for each seed. The mean user
    likes what all like."""
    warm = np.diff(seen.indptr) > 0
    return np.where(warm[:, None], vectors, vectors[warm].mean(axis=0))
