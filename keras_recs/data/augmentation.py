"""Histories changed at random, for models that learn by themselves what belongs together.

Rows are those of `keras_recs.data.sequences`: (n, length) int, right-aligned, 0 for padding and
i + 1 for item i. Each function gives new rows, and draws from the generator that it is given.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from keras_recs.utils.checks import real_number, whole_number


class Cloze(NamedTuple):
    """Rows with gaps, and what belongs into them.

    Attributes:
        inputs: (n, length) int32, the mask token in the gaps.
        targets: (n, length) int32, the item index that belongs at each place; 0 where no gap is.
        weights: (n, length) float32, 1 in the gaps and 0 elsewhere.
    """

    inputs: np.ndarray
    targets: np.ndarray
    weights: np.ndarray


def clozed(rows: Any, share: float, n_items: int, rng: np.random.Generator) -> Cloze:
    """Put the mask token, n_items + 1, in the place of each item with probability `share`; of a row
    with items at least one, and padding never (Sun et al. 2019, BERT4Rec).

    >>> gaps = clozed([[0, 2, 3], [0, 0, 1]], 0.5, 3, np.random.default_rng(0))
    >>> gaps.inputs.tolist(), gaps.targets.tolist()
    ([[0, 4, 4], [0, 0, 4]], [[0, 1, 2], [0, 0, 0]])

    Raises:
        ValueError: rows that are not right-aligned, or hold what is no item, such as the mask
            token; `share` not in (0, 1].
        TypeError: rows that are not whole numbers.
    """
    rows = _checked(rows)
    whole_number("n_items", n_items)
    if rows.max(initial=0) > n_items:
        raise ValueError(f"rows must hold codes 0 … {n_items}, got {rows.max()}")
    gap = _some(rows, share, rng)
    inputs = np.where(gap, n_items + 1, rows)
    targets = np.where(gap, rows - 1, 0)
    return Cloze(inputs.astype(np.int32), targets.astype(np.int32), gap.astype(np.float32))


def hidden(rows: Any, share: float, n_items: int, rng: np.random.Generator) -> np.ndarray:
    """(n, length) int32: as `clozed`, for who only wants another view of the row (Xie et al. 2022,
    CL4SRec: "mask")."""
    return clozed(rows, share, n_items, rng).inputs


def cropped(rows: Any, share: float, rng: np.random.Generator) -> np.ndarray:
    """(n, length) int32: a random stretch of each history, `share` of its items long and one at
    least, moved to the right end (Xie et al. 2022, CL4SRec: "crop").

    >>> cropped([[0, 1, 2, 3, 4]], 0.5, np.random.default_rng(0)).tolist()
    [[0, 0, 0, 3, 4]]
    """
    rows = _checked(rows)
    length = rows.shape[1]
    first, size = _stretch(rows, share, rng)
    # Place p of the new row holds what stood (length - size - first) places further left.
    source = np.arange(length) - (length - size - first)[:, None]  # (n, length)
    kept = np.arange(length) >= (length - size)[:, None]
    moved = np.take_along_axis(rows, np.clip(source, 0, length - 1), axis=1)
    return np.where(kept, moved, 0).astype(np.int32)


def reordered(rows: Any, share: float, rng: np.random.Generator) -> np.ndarray:
    """(n, length) int32: a random stretch of each history, `share` of its items long, in random
    order (Xie et al. 2022, CL4SRec: "reorder").

    >>> reordered([[0, 1, 2, 3, 4]], 0.75, np.random.default_rng(1)).tolist()
    [[0, 1, 3, 2, 4]]
    """
    rows = _checked(rows)
    length = rows.shape[1]
    first, size = _stretch(rows, share, rng)
    place = np.arange(length)
    inside = (place >= first[:, None]) & (place < (first + size)[:, None])  # (n, length)
    # Sorted by these keys, what is inside is shuffled among itself and the rest stays.
    keys = np.where(inside, first[:, None] + size[:, None] * rng.random(rows.shape), place)
    return np.take_along_axis(rows, np.argsort(keys, axis=1, kind="stable"), axis=1)


def _checked(rows: Any) -> np.ndarray:
    """Rows as an array of their own, when they are right-aligned."""
    rows = np.asarray(rows)
    if rows.ndim != 2 or rows.shape[1] == 0:
        raise ValueError(f"rows must have shape (n, length), got {rows.shape}")
    if rows.size and rows.dtype.kind not in "iu":
        raise TypeError(f"rows must be whole numbers, got {rows.dtype}")
    rows = rows.astype(np.int32)  # a copy
    if (rows < 0).any() or ((rows[:, :-1] > 0) & (rows[:, 1:] == 0)).any():
        raise ValueError("rows must be right-aligned: 0 for padding on the left, then item + 1")
    return rows


def _some(rows: np.ndarray, share: float, rng: np.random.Generator) -> np.ndarray:
    """(n, length) bool: each item with probability `share`, and of each row one at least."""
    real_number("share", share, above=0.0, most=1.0)
    draw = np.where(rows > 0, rng.random(rows.shape), 2.0)  # 2: padding is never chosen
    least = draw.min(axis=1, keepdims=True)
    return (draw < share) | ((draw == least) & (draw < 2))


def _stretch(
    rows: np.ndarray, share: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """(n,) where a random stretch of each history begins, and (n,) how long it is."""
    real_number("share", share, above=0.0, most=1.0)
    count = np.count_nonzero(rows, axis=1)
    # as everyone writes it, int(share · n), and one at least where there are any
    size = np.minimum(count, np.maximum(1, np.floor(share * count + 1e-9).astype(np.int64)))
    skipped = rng.integers(0, count - size + 1)
    return rows.shape[1] - count + skipped, size
