"""The k best of every row, ties by the lower column, without sorting the rest."""

from __future__ import annotations

import numpy as np


def top_k(scores: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """The `k` highest scores of each row and their columns, best first; of equal scores the lower
    column wins.

    A score of -inf marks what must not be chosen: its place gets column -1 and score -inf. Rows
    shorter than `k` are padded in the same way.

    Args:
        scores: (n, m) floats without NaN.

    Returns:
        columns (n, k) int64, scores (n, k) of the type that came.

    >>> top_k(np.array([[1, 3, 3, -np.inf]], np.float32), 2)[0].tolist()
    [[1, 2]]
    """
    n, m = scores.shape
    if k < m:
        columns = np.argpartition(-scores, k - 1, axis=1)[:, :k]
        # Partition leaves it to chance which of the scores equal to the k-th gets in. Where there
        # are more of them than places, choose again.
        worst = np.take_along_axis(scores, columns, axis=1).min(axis=1, keepdims=True)
        tied = np.flatnonzero(np.count_nonzero(scores >= worst, axis=1) > k)
        if len(tied):
            columns[tied] = _lowest_columns(scores[tied], worst[tied], k)
        # so that the stable sort below settles ties within the k
        columns = np.sort(columns, axis=1)
    else:
        columns = np.broadcast_to(np.arange(m), (n, m))
    values = np.take_along_axis(scores, columns, axis=1)
    order = np.argsort(-values, axis=1, kind="stable")
    columns, values = (
        np.take_along_axis(columns, order, axis=1),
        np.take_along_axis(values, order, axis=1),
    )
    columns[np.isneginf(values)] = -1
    if k > m:
        columns = np.pad(columns, ((0, 0), (0, k - m)), constant_values=-1)
        values = np.pad(values, ((0, 0), (0, k - m)), constant_values=-np.inf)
    return columns, values


def _lowest_columns(scores: np.ndarray, worst: np.ndarray, k: int) -> np.ndarray:
    """All columns above `worst` (n, 1), and of those equal to it the lowest, k in each row."""
    above, equal = scores > worst, scores == worst
    places = k - np.count_nonzero(above, axis=1, keepdims=True)
    chosen = above | (equal & (np.cumsum(equal, axis=1) <= places))
    return np.nonzero(chosen)[1].reshape(len(scores), k)
