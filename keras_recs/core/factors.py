"""`FactorRecommender`: the contract, for answers that end in one vector per user and one per
item."""

from __future__ import annotations

import numpy as np

from keras_recs.core.recommender import Recommender


class FactorRecommender(Recommender):
    """Scores by inner products: score[u, i] = user_factors_[u] · item_factors_[i] + item_bias_[i].

    A subclass's `_fit` sets the attributes; however they are learned, serving is one matrix
    product.

    Attributes:
        user_factors_: (n_users, n_factors) float32.
        item_factors_: (n_items, n_factors) float32.
        item_bias_: (n_items,) float32, or None.
    """

    user_factors_: np.ndarray
    item_factors_: np.ndarray
    item_bias_: np.ndarray | None = None

    def _score(self, users: np.ndarray) -> np.ndarray:
        scores = self.user_factors_[users] @ self.item_factors_.T  # (len(users), n_items)
        if self.item_bias_ is not None:
            scores += self.item_bias_
        return scores

    def _predict(self, users: np.ndarray, items: np.ndarray) -> np.ndarray:
        values = np.einsum("nf,nf->n", self.user_factors_[users], self.item_factors_[items])
        if self.item_bias_ is not None:
            values = values + self.item_bias_[items]
        return values

    def _item_similarity(self, items: np.ndarray) -> np.ndarray:
        return cosines(self.item_factors_, items)


def cosines(vectors: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """(len(rows), n) float32: the cosines of some rows of `vectors` (n, dim) with all of them.

    A vector of length 0 has no direction; -inf says so. What is a millionth of the longest is
    rounding, and counts as 0.

    >>> cosines(np.array([[3, 4], [4, 3], [0, 2], [0, 0]]), np.array([0])).astype(float).round(2).tolist()
    [[1.0, 0.96, 0.8, -inf]]
    """
    lengths = np.linalg.norm(vectors, axis=1)  # (n,)
    known = lengths > 1e-6 * lengths.max()
    divisors = np.where(known, lengths, 1)
    unit = (vectors / divisors[:, None]).astype(np.float32)  # (n, dim)
    similarity = unit[rows] @ unit.T
    similarity[~known[rows]] = -np.inf
    similarity[:, ~known] = -np.inf
    return similarity
