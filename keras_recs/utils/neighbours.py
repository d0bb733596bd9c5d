"""What methods between users and methods between items share: products of sparse rows, and the
nearest of them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy import sparse

from keras_recs.utils.topk import top_k

BLOCK_CELLS = 1 << 26  # similarities computed at once: 256 MiB of float32


def row_blocks(n_rows: int, width: int, cells: int | None = None) -> Iterator[np.ndarray]:
    """The rows 0 … n_rows-1 in runs, each so long that a dense block of `width` columns stays
    within bounds: `cells`, or BLOCK_CELLS."""
    size = max(1, (cells or BLOCK_CELLS) // max(1, width))
    return (np.arange(start, min(start + size, n_rows)) for start in range(0, n_rows, size))


def inner_products(
    profiles: sparse.csr_array, rows: np.ndarray, others: sparse.csr_array | None = None
) -> np.ndarray:
    """Inner products of some rows of `profiles` with all its rows, or with all rows of `others`:
    (len(rows), n) float32."""
    return product(profiles[rows], right_side(profiles if others is None else others))


def right_side(profiles: sparse.csr_array) -> np.ndarray | sparse.csr_array:
    """`profiles` turned on its side, to multiply other rows with: dense where it is small."""
    if profiles.shape[0] * profiles.shape[1] <= BLOCK_CELLS // 4:
        # A dense right side spares the bookkeeping of a sparse product; with its rows in one piece,
        # nothing is copied.
        return np.ascontiguousarray(profiles.toarray().T)
    return profiles.T.tocsr()


def product(left: sparse.csr_array, right: np.ndarray | sparse.csr_array) -> np.ndarray:
    """left @ right as a dense array, whether `right` is sparse or not."""
    out = left @ right
    return out.toarray() if sparse.issparse(out) else out


def strongest(similarity: np.ndarray, k: int) -> sparse.csr_array:
    """Each row's `k` largest positive entries, the others gone; of equal ones the first.

    >>> strongest(np.array([[0.1, 0.5, 0.5, -2.0]], np.float32), 2).toarray().tolist()
    [[0.0, 0.5, 0.5, 0.0]]
    """
    columns, values = top_k(similarity, min(k, similarity.shape[1]))
    row = np.repeat(np.arange(len(similarity)), columns.shape[1])
    keep = values.ravel() > 0
    return sparse.csr_array(
        (values.ravel()[keep], (row[keep], columns.ravel()[keep])), shape=similarity.shape
    )


def known_weights(weights: np.ndarray | sparse.csr_array) -> np.ndarray:
    """`weights` as a dense array of its own, with -inf in the place of 0: no audience in common
    says nothing.

    >>> known_weights(np.array([[0.0, 0.5, -0.1]])).tolist()
    [[-inf, 0.5, -0.1]]
    """
    dense = weights if isinstance(weights, np.ndarray) else weights.toarray()
    return np.where(dense == 0, -np.inf, dense)


def centred(ratings: sparse.csr_array) -> sparse.csr_array:
    """`ratings` minus the mean of each row's stored entries: what is left when every row is equally
    generous."""
    counts = np.diff(ratings.indptr)
    out = ratings.copy()
    out.data -= np.repeat(row_means(ratings), counts).astype(np.float32)
    return out


def row_means(ratings: sparse.csr_array) -> np.ndarray:
    """(n,) the mean of each row's stored entries, 0 where there are none."""
    counts = np.diff(ratings.indptr)
    return np.asarray(ratings.sum(axis=1)).ravel() / np.maximum(counts, 1)
