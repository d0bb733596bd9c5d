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
    if cells is None:
        cells = BLOCK_CELLS
    size = max(1, cells // max(1, width))
    for start in range(0, n_rows, size):
        stop = min(start + size, n_rows)
        yield np.arange(start, stop)


def inner_products(
    profiles: sparse.csr_array, rows: np.ndarray, others: sparse.csr_array | None = None
) -> np.ndarray:
    """Inner products of some rows of `profiles` with all its rows, or with all rows of `others`:
    (len(rows), n) float32."""
    if others is None:
        others = profiles
    return product(profiles[rows], right_side(others))


def right_side(profiles: sparse.csr_array) -> np.ndarray | sparse.csr_array:
    """`profiles` turned on its side, to multiply other rows with: dense where it is small."""
    n_rows, n_columns = profiles.shape
    if n_rows * n_columns <= BLOCK_CELLS // 4:
        # A dense right side spares the bookkeeping of a sparse product; with its rows in one piece,
        # nothing is copied.
        return np.ascontiguousarray(profiles.toarray().T)
    return profiles.T.tocsr()


def product(left: sparse.csr_array, right: np.ndarray | sparse.csr_array) -> np.ndarray:
    """left @ right as a dense array, whether `right` is sparse or not."""
    products = left @ right
    if sparse.issparse(products):
        products = products.toarray()
    return products


def strongest(similarity: np.ndarray, k: int) -> sparse.csr_array:
    """Each row's `k` largest positive entries, the others gone; of equal ones the first.

    >>> strongest(np.array([[0.1, 0.5, 0.5, -2.0]], np.float32), 2).toarray().tolist()
    [[0.0, 0.5, 0.5, 0.0]]
    """
    n_rows, width = similarity.shape
    k = min(k, width)
    columns, values = top_k(similarity, k)  # (n_rows, k) each
    rows = np.repeat(np.arange(n_rows), k)
    columns = columns.ravel()
    values = values.ravel()
    kept = values > 0
    entries = values[kept], (rows[kept], columns[kept])
    return sparse.csr_array(entries, shape=similarity.shape)


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
    means = np.repeat(row_means(ratings), counts)  # one for each entry
    out = ratings.copy()
    out.data -= means.astype(np.float32)
    return out


def row_means(ratings: sparse.csr_array) -> np.ndarray:
    """(n,) the mean of each row's stored entries, 0 where there are none."""
    counts = np.diff(ratings.indptr)
    sums = np.asarray(ratings.sum(axis=1)).ravel()
    return sums / np.maximum(counts, 1)
