"""How thin a log is, and the L2 penalty of embeddings that is chosen for it."""

from __future__ import annotations

import numpy as np
from scipy import sparse

RICH = 50.0  # events a row from which a log is not thin; a judgement: cinema has 58, the thin planted logs 9 to 32


def events_per_row(seen: sparse.csr_array) -> float:
    """How many events a user has and an item has: the geometric mean of the two averages, over those who have any.

    >>> round(events_per_row(sparse.csr_array([[1, 1, 1, 0], [1, 1, 1, 0], [0, 0, 0, 0]])), 2)  # √(3 · 2)
    2.45
    """
    users = np.count_nonzero(np.diff(seen.indptr))
    items = len(np.unique(seen.indices))
    return float(seen.nnz / (users * items) ** 0.5) if seen.nnz else 0.0


def is_thin(seen: sparse.csr_array) -> bool:
    """Whether a row has fewer than 50 events on average (`events_per_row`)."""
    return 0 < events_per_row(seen) < RICH


def embedding_penalty(seen: sparse.csr_array, rich: float, examples: int = 1) -> float:
    """The L2 penalty of the embeddings of users and items: `rich`, unless the log is thin.

    On a thin log it is 1 / (events · `examples` for each): the loss is a mean over so many, and a vector of length 1
    then costs as much as one of them weighs. The rival is to stop early: on two planted logs of 11 events a row,
    LightGCN with 2e-6 was about as good after two epochs, and far worse after its usual ten; with this penalty it needs
    no choice of when to stop. We think that Adam is a part of it: its steps are about as long as the learning rate,
    however little a row has to learn from.
    """
    return 1 / (seen.nnz * examples) if is_thin(seen) else rich


def for_cold(vectors: np.ndarray, seen: sparse.csr_array) -> np.ndarray:
    """User vectors (n_users, dim) in which a user without events has the mean of the others, in a new array.

    Training never moved theirs: they are random, and another list for each seed. The mean user likes what all like.
    """
    warm = np.diff(seen.indptr) > 0
    return np.where(warm[:, None], vectors, vectors[warm].mean(axis=0))
