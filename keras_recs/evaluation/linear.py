"""Closed forms that are hard to beat: what a learned model has to be compared with.

Each is one decomposition of the interaction matrix X, (n_users, n_items), with a one where the
user has met the item.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import eigh

from keras_recs.core.hyperparameters import Count, NotNegative, Positive
from keras_recs.core.recommender import Recommender
from keras_recs.data.dataset import Dataset
from keras_recs.utils.memory import require_memory


@dataclass(eq=False, repr=False)
class TruncatedSVD(Recommender):
    """X rebuilt from its largest singular values: scores = U max(S - shrinkage, 0) Vᵀ.

    Without shrinkage this is the best approximation of X of this rank under squared error (Eckart &
    Young 1936), which counts what is missing as zero; Cremonesi, Koren & Turrin (2010) found it
    ahead of models of ratings (PureSVD). Shrinking the values is the closed form of an L2 penalty
    on both sides of a factorisation (Mazumder, Hastie & Tibshirani 2010).

    Args:
        n_factors: singular values to keep; of fewer users or items, as many as there are.
        shrinkage: taken off each singular value; those below it vanish. The defaults are the best
            of a grid on MovieLens-100K's validation slice.

    Attributes:
        user_factors_, item_factors_: (n_users, rank) and (n_items, rank); their products are the
            scores.

    >>> from keras_recs.data import from_matrix
    >>> data = from_matrix([[1, 1, 0], [1, 1, 0], [0, 1, 1], [1, 0, 0]])
    >>> TruncatedSVD(n_factors=1, shrinkage=0.0).fit(data).recommend([3], k=1).items.tolist()
    [[1]]
    """

    n_factors: Count = 128
    shrinkage: NotNegative = 10.0

    def _fit(self, data: Dataset) -> None:
        fewer = min(data.n_users, data.n_items)
        require_memory(16 * fewer**2, f"an SVD of {fewer:,} rows", "use fewer items or users")
        x = data.seen.astype(np.float64)
        # the Gram matrix of the shorter side: XXᵀ = U S² Uᵀ, or XᵀX = V S² Vᵀ
        wide = data.n_users < data.n_items
        side = x if wide else x.T.tocsr()
        n_factors = min(self.n_factors, fewer)
        largest = (fewer - n_factors, fewer - 1)
        squares, near = eigh((side @ side.T).toarray(), subset_by_index=largest)
        s = np.sqrt(np.maximum(squares, 0))
        kept = s > self.shrinkage + 1e-6  # what has no length has no direction
        s, near = s[kept], near[:, kept]
        # the longer side by the other: V S = XᵀU, or U S = XV
        far = (side.T @ near) / s
        users, items = (near, far) if wide else (far, near)
        self.user_factors_ = (users * (s - self.shrinkage)).astype(np.float32)
        self.item_factors_ = items.astype(np.float32)

    def _score(self, users: np.ndarray) -> np.ndarray:
        return self.user_factors_[users] @ self.item_factors_.T  # (len(users), n_items)


@dataclass(eq=False, repr=False)
class ItemRidge(Recommender):
    """Every item by ridge regression on all items, itself too: W = (XᵀX + reg I)⁻¹ XᵀX.

    EASE without its constraint (Steck 2019, section 3): the diagonal is free, and the penalty alone
    keeps W from being the identity. Scores are X W.

    Args:
        reg: λ, the L2 penalty of the weights. The default is the best of a grid on
            MovieLens-100K's validation slice.

    Attributes:
        weights_: W, (n_items, n_items) float32.

    >>> from keras_recs.data import from_matrix
    >>> data = from_matrix([[1, 1, 0], [1, 1, 0], [0, 1, 1], [1, 0, 0]])
    >>> ItemRidge(reg=1.0).fit(data).recommend([3], k=1).items.tolist()
    [[1]]
    """

    reg: Positive = 100.0

    def _fit(self, data: Dataset) -> None:
        require_memory(
            16 * data.n_items**2, f"a ridge on {data.n_items:,} items", "use fewer items"
        )
        x = data.seen.astype(np.float64)
        gram = (x.T @ x).toarray()  # (n_items, n_items)
        penalised = gram + self.reg * np.eye(data.n_items)
        self.weights_ = np.linalg.solve(penalised, gram).astype(np.float32)

    def _score(self, users: np.ndarray) -> np.ndarray:
        return self.seen_[users] @ self.weights_  # (len(users), n_items)


@dataclass(eq=False, repr=False)
class GenreRidge(Recommender):
    """Genres only: one ridge regression for each user, from the genres of the items to whether the
    user met them.

    It has no words and no co-occurrence, so that what another model adds to a list of labels shows.
    An item without an event is placed by its genres. A user without events has score 0 everywhere.

    Args:
        reg: L2 penalty of the weights, in units of an item's average squared length.

    Attributes:
        preferences_: (n_users, n_genres) float32, the weights of each user.
        genres_: (n_items, n_genres) float32, genres less their mean over the items that were met.

    >>> from keras_recs.data import Dataset, ItemFeatures
    >>> labels = ItemFeatures([1, 2, 3, 4], genres=[("a",), ("a",), ("b",), ("b",)])
    >>> data = Dataset.from_arrays([7, 8, 8], [1, 2, 3], item_features=labels)
    >>> GenreRidge().fit(data).recommend([7], k=1).items.tolist()
    [[2]]
    """

    requires = ("genres",)

    reg: Positive = 10.0

    def _fit(self, data: Dataset) -> None:
        assert data.item_features is not None and data.item_features.genres is not None
        labels = data.item_features.genres
        names = sorted({genre for genres in labels for genre in genres})
        has = np.array([[name in genres for name in names] for genres in labels], np.float64)
        seen = data.seen.astype(np.float64)
        met = data.popularity > 0
        # what is never met says nothing of what users pass over
        x = has - has[met].mean(axis=0)  # (n_items, n_genres)
        scale = max(np.square(x[met]).sum(axis=1).mean(), np.finfo(float).tiny)
        x = x / np.sqrt(scale)
        a = x[met]  # (n_met, n_genres)
        y = seen.toarray()[:, met]  # (n_users, n_met)
        y = y - y.mean(axis=1, keepdims=True)
        penalised = a.T @ a + self.reg * np.eye(len(names))
        self.preferences_ = np.linalg.solve(penalised, a.T @ y.T).T.astype(np.float32)
        self.genres_ = x.astype(np.float32)

    def _score(self, users: np.ndarray) -> np.ndarray:
        return self.preferences_[users] @ self.genres_.T  # (len(users), n_items)
