"""Question 12. Collaborative filtering, asked again: between items, and as a model.

Both answers score a candidate j by the items i in the user's history:

    score[u, j] = Σ_i history[u, i] · W[i, j]

They differ in where W comes from. `ItemCF` computes each entry from two items alone: how alike are
their audiences? `EASE` learns all entries together, by least squares, so that what item i explains
is not counted again for its neighbours.

Sources: Sarwar et al. (2001), "Item-Based Collaborative Filtering Recommendation Algorithms";
Deshpande & Karypis (2004), "Item-Based Top-N Recommendation Algorithms"; Steck (2019),
"Embarrassingly Shallow Autoencoders for Sparse Data".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from scipy import sparse
from scipy.linalg import lapack

from keras_recs.core.heart import heart
from keras_recs.core.hyperparameters import Count, NotNegative, Positive, Share
from keras_recs.core.recommender import Recommender
from keras_recs.data.dataset import Dataset
from keras_recs.data.sequences import recency_weighted
from keras_recs.utils.memory import require_memory
from keras_recs.utils.neighbours import (
    centred,
    inner_products,
    known_weights,
    row_blocks,
    strongest,
)


class _HistoryTimesWeights(Recommender):
    """What the two answers share: a history, a matrix W, their product, and its explanation.

    Attributes:
        weights_: W, (n_items, n_items) float32, dense or sparse; W[i, j] is what i in the history
            says for j.
        histories_: (n_users, n_items) float32, 1 for each item met, or less for older ones
            (`recency`).
    """

    recency: float | None
    weights_: np.ndarray | sparse.csr_array
    histories_: sparse.csr_array

    def _remember(self, data: Dataset) -> None:
        self.histories_ = (
            data.seen if self.recency is None else recency_weighted(data, self.recency)
        )

    def _score(self, users: np.ndarray) -> np.ndarray:
        scores = self.histories_[users] @ self.weights_  # (len(users), n_items)
        return scores.toarray() if sparse.issparse(scores) else scores

    def _item_similarity(self, items: np.ndarray) -> np.ndarray:
        return known_weights(self.weights_[items])  # what each of `items` says for the others

    @heart("The part of each item of the history in the score of `item`, largest first, by id.")
    def explain(self, user: Any, item: Any) -> list[tuple[Any, float]]:
        """Why `item` for `user`: (item of the history, its part of the score), largest first. The
        parts sum to the score."""
        self._check_fitted()
        u = self._user_ids.index("user", user)[0]
        j = self._item_ids.index("item", item)[0]
        # one row of the product that makes the score, term by term
        history = self.histories_[[u]]
        towards = self.weights_[history.indices][:, [j]]  # (len(history), 1)
        if sparse.issparse(towards):
            towards = towards.toarray()
        parts = history.data * towards[:, 0]  # (len(history),)
        # largest part first, of equal ones the first item
        order = np.argsort(-parts, kind="stable")
        ids = self.item_ids_[history.indices[order]]
        return list(zip(ids.tolist(), parts[order].tolist(), strict=True))


@dataclass(eq=False, repr=False)
class ItemCF(_HistoryTimesWeights):
    """Item-based collaborative filtering: W[i, j] says how alike the audiences of i and j are.

    Args:
        similarity: with n[i, j] users who met both, n[i] who met i:
            "cosine", n[i, j] / sqrt(n[i] n[j]);
            "conditional", n[i, j] / (n[i] · n[j] ** popularity_penalty): how likely is j, given i,
            with a penalty for what is likely anyway (Deshpande & Karypis 2004);
            "adjusted_cosine", the cosine of ratings minus the user's mean rating (Sarwar et al.
            2001).
        n_neighbors: how many similar items each item of the history may speak for; None for all.
        shrinkage: similarities are multiplied by n[i, j] / (n[i, j] + shrinkage): two users in
            common prove little.
        popularity_penalty: the exponent of "conditional", 0 (none) to 1. Past 0.5, it needs
            shrinkage beside it: items with one viewer would win.
        recency: None, or a number of events: one that many events old counts 1/e of the latest.

    >>> from keras_recs.data import from_matrix
    >>> data = from_matrix([[1, 1, 0], [1, 1, 0], [0, 1, 1], [1, 0, 0]])
    >>> cf = ItemCF().fit(data)
    >>> cf.weights_.astype(float).round(2).tolist()
    [[0.0, 0.67, 0.0], [0.67, 0.0, 0.58], [0.0, 0.58, 0.0]]
    >>> cf.recommend([3], k=1).items.tolist()
    [[1]]
    """

    similarity: Literal["cosine", "conditional", "adjusted_cosine"] = "cosine"
    n_neighbors: Count | None = None
    shrinkage: NotNegative = 0.0
    popularity_penalty: Share = 0.5
    recency: Positive | None = None

    def _fit(self, data: Dataset) -> None:
        if self.n_neighbors is None:
            require_memory(
                8 * data.n_items**2,
                f"a dense table of {data.n_items:,} × {data.n_items:,} similarities",
                "set n_neighbors, to 200 say",
            )
        if self.similarity == "adjusted_cosine":
            data.require("ratings", by="ItemCF with adjusted_cosine")
            self.profiles_ = centred(data.matrix("ratings")).T.tocsr()
        else:
            self.profiles_ = data.seen.T.tocsr()
        # n[i], or the squared norm
        self.sizes_ = np.asarray((self.profiles_**2).sum(axis=1), np.float32)
        self._remember(data)
        self.weights_ = self._weights(np.arange(data.n_items))

    def _weights(self, rows: np.ndarray) -> np.ndarray | sparse.csr_array:
        """W[rows], in blocks of rows so that memory stays bounded; sparse where `n_neighbors` thins
        it out."""
        n_items = len(self.sizes_)
        blocks = []
        for run in row_blocks(len(rows), n_items):
            block = rows[run]
            products = inner_products(self.profiles_, block)  # (len(block), n_items)
            similarity = self.similarities(products, block[:, None], np.arange(n_items))
            similarity[np.arange(len(block)), block] = 0  # an item is no neighbour of itself
            if self.n_neighbors is not None:
                similarity = strongest(similarity, self.n_neighbors)
            blocks.append(similarity)
        if self.n_neighbors is None:
            return np.concatenate(blocks)
        return sparse.vstack(blocks, format="csr")

    @heart(
        "Turn inner products into similarities: cosine, or conditional with its penalty; then "
        "shrink."
    )
    def similarities(
        self, products: np.ndarray, i: np.ndarray | int, j: np.ndarray | int
    ) -> np.ndarray:
        """Similarity of items `i` and `j` (indices that broadcast) from the inner products of their
        profiles."""
        # an item nobody met has no product to divide
        sizes = np.where(self.sizes_ > 0, self.sizes_, 1)
        # P(j | i), less what is likely anyway
        if self.similarity == "conditional":
            similarity = products / (sizes[i] * sizes[j] ** self.popularity_penalty)
        # the angle between the two columns
        else:
            similarity = products / (np.sqrt(sizes[i]) * np.sqrt(sizes[j]))
        # what few users say counts less
        if self.shrinkage:
            together = products  # n[i, j], where profiles are 0 and 1
            if self.similarity == "adjusted_cosine":
                together = inner_products(self.seen_.T.tocsr(), np.ravel(i))
            similarity *= together / (together + self.shrinkage)
        return similarity.astype(np.float32, copy=False)

    def update(self, user: Any, item: Any) -> None:
        """Take in one more interaction; the result is that of a new `fit`, without going through
        the data again.

        Only the row and the column of `item` in W change. Where `n_neighbors` thins rows out, the
        rows that the column meets are chosen anew.

        Raises:
            KeyError: an unknown user or item.
            ValueError: with "adjusted_cosine", where one rating moves the user's mean and with it
                all profiles.
        """
        self._check_fitted()
        if self.similarity == "adjusted_cosine":
            raise ValueError("update cannot be used with similarity='adjusted_cosine': fit again")
        u = int(self._user_ids.index("user", user)[0])
        i = int(self._item_ids.index("item", item)[0])
        if self.recency is not None:
            self.histories_ = _scale_row(self.histories_, u, np.exp(-1 / self.recency))
        self.histories_ = _with_entry(self.histories_, u, i)
        # who has met the item before changes no similarity
        if self.seen_[u, i]:
            return
        self.seen_ = _with_entry(self.seen_, u, i)
        self.profiles_ = _with_entry(self.profiles_, i, u)
        self.sizes_[i] += 1
        products = inner_products(self.profiles_, np.array([i]))[0]  # (n_items,)
        everyone = np.arange(len(products))
        if self.n_neighbors is None:
            self.weights_[i] = self.similarities(products, i, everyone)
            self.weights_[:, i] = self.similarities(products, everyone, i)
            self.weights_[i, i] = 0
        else:
            # rows with an audience in common with the item are chosen anew, the others kept
            changed = np.flatnonzero(products)
            keep = sparse.diags_array(~np.isin(everyone, changed), dtype=np.float32)
            place = sparse.csr_array(
                (np.ones(len(changed), np.float32), (changed, np.arange(len(changed)))),
                shape=(len(products), len(changed)),
            )
            self.weights_ = (keep @ self.weights_ + place @ self._weights(changed)).tocsr()


@dataclass(eq=False, repr=False)
class EASE(_HistoryTimesWeights):
    """EASE: the item-item weights that rebuild the interactions best, in closed form.

    Minimises |X - X W|² + reg |W|² with a zero diagonal, or each item would explain itself. With G
    = XᵀX and P = (G + reg I)⁻¹ the solution is W[i, j] = -P[i, j] / P[j, j] off the diagonal (Steck
    2019, equation 8).

    Args:
        reg: λ, the L2 penalty of the weights.
        recency: None, or a number of events: when scoring, an event that many events old counts 1/e
            of the latest.

    >>> from keras_recs.data import from_matrix
    >>> data = from_matrix([[1, 1, 0], [1, 1, 0], [0, 1, 1], [1, 0, 0]])
    >>> EASE(reg=1.0).fit(data).recommend([3], k=1).items.tolist()
    [[1]]
    """

    reg: Positive = 400.0
    recency: Positive | None = None

    @heart(
        "From the Gram matrix plus reg: invert, and turn the inverse into weights with a zero "
        "diagonal."
    )
    def _fit(self, data: Dataset) -> None:
        require_memory(
            8 * data.n_items**2,
            f"EASE on {data.n_items:,} items",
            "use ItemCF(n_neighbors=200), or fewer items",
        )
        # the Gram matrix: in how many histories two items stand together
        columns = data.seen.T.tocsr()
        gram = np.empty((data.n_items, data.n_items), np.float32)
        for rows in row_blocks(data.n_items, data.n_items):
            gram[rows] = inner_products(columns, rows)  # G
        # the L2 penalty goes on the diagonal, which makes it invertible
        gram[np.diag_indices_from(gram)] += self.reg
        weights = inverse_of_positive_definite(gram)  # P
        # column j by -P[j, j]; in place, for these arrays are the memory of the fit
        weights /= -np.diag(weights)
        np.fill_diagonal(weights, 0)  # no item explains itself
        self.weights_ = weights
        self._remember(data)


def inverse_of_positive_definite(matrix: np.ndarray) -> np.ndarray:
    """The inverse by Cholesky: half the work of a general one. `matrix` (float32) is
    overwritten."""
    # .T: LAPACK wants columns, and it is symmetric
    factor, failed = lapack.spotrf(matrix.T, overwrite_a=True)
    if not failed:
        triangle, failed = lapack.spotri(factor, overwrite_c=True)
    if failed:
        raise ValueError("the matrix is not positive definite in float32: choose a larger reg")
    inverse = triangle + triangle.T  # one triangle each, the diagonal twice
    np.fill_diagonal(inverse, np.diag(triangle))
    return inverse


def _with_entry(matrix: sparse.csr_array, row: int, column: int) -> sparse.csr_array:
    """`matrix` with a 1 at (row, column), whether something stood there or not."""
    start, stop = matrix.indptr[row], matrix.indptr[row + 1]
    place = start + np.searchsorted(matrix.indices[start:stop], column)
    if place < stop and matrix.indices[place] == column:
        out = matrix.copy()
        out.data[place] = 1
        return out
    indptr = matrix.indptr + (np.arange(len(matrix.indptr)) > row)
    return sparse.csr_array(
        (np.insert(matrix.data, place, 1), np.insert(matrix.indices, place, column), indptr),
        shape=matrix.shape,
    )


def _scale_row(matrix: sparse.csr_array, row: int, factor: float) -> sparse.csr_array:
    out = matrix.copy()
    out.data[out.indptr[row] : out.indptr[row + 1]] *= np.float32(factor)
    return out
