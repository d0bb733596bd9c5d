"""Question 7. Collaborative filtering between users.

Find the users whose histories are most like that of u, and recommend what they have met and u has
not:

    score[u, j] = Σ_v similarity(u, v) · history[v, j]        v among the k users most similar to u

Four similarities are in use. All four are made of six sums over items, n = Σ 1, Σ x, Σ y, Σ x², Σ
y² and Σ xy, where x is the row of u and y the row of v:

    cosine      Σxy / √(Σx² Σy²)                              the angle between the rows
    jaccard     Σxy / (Σx² + Σy² - Σxy)                       what both met, of what either met
    pearson     (n Σxy - Σx Σy) / √((n Σx² - (Σx)²)(n Σy² - (Σy)²))
    euclidean   1 / (1 + √(Σx² + Σy² - 2 Σxy))                1 / (1 + distance)

Over which items do the sums run? Where a row says who met what, 0 is a value too: over all items.
Pearson is then the phi coefficient. Where a row holds ratings, an item not rated has no value: over
the items that both have rated, and means in place of the sums, or two users would be the farther
apart, the more items they share.

Over two common ratings Pearson is 1 or -1, whatever the two think of all else, and a distance over
few is short by chance. So every similarity is multiplied by min(common, γ) / γ: below γ items in
common it is trusted in proportion, from γ on in full.

Sources: Resnick et al. (1994), "GroupLens: An Open Architecture for Collaborative Filtering of
Netnews" (Pearson over common ratings); Breese, Heckerman & Kadie (1998), "Empirical Analysis of
Predictive Algorithms for Collaborative Filtering" (cosine, an item not rated as 0); Herlocker et al.
(1999), "An Algorithmic Framework for Performing Collaborative Filtering" (significance weighting, γ
= 50).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
from scipy import sparse

from keras_recs.core.heart import heart
from keras_recs.core.hyperparameters import Count, Positive, PositiveShare
from keras_recs.core.recommender import Recommender
from keras_recs.data.dataset import Dataset
from keras_recs.data.sequences import recency_weighted
from keras_recs.utils.memory import require_memory
from keras_recs.utils.neighbours import product, right_side, row_blocks, strongest

# similarities at once: 4 MiB stay in the cache; with 256 MiB the same work takes twice the time
BLOCK_CELLS = 1 << 20


class Sums(NamedTuple):
    """What all similarities of some users with all users are made of. The shapes broadcast to
    (rows, n_users)."""

    n: Any
    x: Any
    y: Any
    xx: Any
    yy: Any
    xy: np.ndarray


@heart("Each of the four similarities from the six sums; 0 where the denominator is 0.")
def similarity_of(kind: str, sums: Sums) -> np.ndarray:
    """(rows, n_users) cosine, jaccard, pearson or euclidean similarity."""
    n, x, y, xx, yy, xy = sums
    # Σxy over both lengths
    if kind == "cosine":
        return xy / (_root(xx) * _root(yy))
    # of sets, Σx² is the size: what both met, of what either met
    if kind == "jaccard":
        union = xx + yy - xy
        return xy / np.where(union > 0, union, 1)
    # the covariance over both standard deviations, all times n²
    if kind == "pearson":
        covariance = n * xy - x * y
        return covariance / (_root(_spread(n, x, xx)) * _root(_spread(n, y, yy)))
    # the distance from the squares, never below 0 by rounding
    return 1 / (1 + np.sqrt(np.maximum(xx + yy - 2 * xy, 0)))


def _root(squares: Any) -> Any:
    """√squares, and 1 in the place of 0: what is divided by it is then 0 already."""
    return np.sqrt(np.where(squares > 0, squares, 1))


def _spread(n: Any, x: Any, xx: Any) -> Any:
    """n Σx² - (Σx)², and infinity where all values are equal: nothing correlates with a
    constant."""
    spread = n * xx - x * x
    # float32 leaves a little of what should be 0
    return np.where(spread > 1e-5 * n * xx, spread, np.inf)


class Pairs:
    """Blocks of users against all users. `x` holds the rows of who asks, `y` of who answers: mostly
    the same.

    Each sum over the items of two users is an entry of a sparse product. Its right side is made
    once."""

    def __init__(self, x: sparse.csr_array, y: sparse.csr_array, in_common: bool) -> None:
        self.x = x
        self.y = y
        self.met = _ones(x)
        self.in_common = in_common
        self.binary = x is y and bool((x.data == 1).all())
        self.to_met = right_side(_ones(y))
        self.to_y = self.to_met if self.binary else right_side(y)
        self.to_yy = right_side(y**2) if in_common else None
        self.y_sum = y.sum(axis=1)  # (n_users,)
        self.yy_sum = (y**2).sum(axis=1)

    def common(self, rows: np.ndarray) -> np.ndarray:
        """(rows, n_users) how many items both have met."""
        return product(self.met[rows], self.to_met)

    @heart(
        "The six sums over all items; or, with in_common, the six means over the items that both "
        "rated."
    )
    def sums(self, rows: np.ndarray, common: np.ndarray) -> Sums:
        """The six sums for users `rows` against all; with `in_common`, the means over what both
        have rated."""
        x = self.x[rows]
        met = self.met[rows]
        xy = common if self.binary else product(x, self.to_y)  # (rows, n_users)
        if not self.in_common:
            return Sums(
                np.float32(x.shape[1]),
                x.sum(axis=1)[:, None],
                self.y_sum,
                (x**2).sum(axis=1)[:, None],
                self.yy_sum,
                xy,
            )
        # Σx over common items is a product, too: of x, and 1 where the other has rated
        n = np.maximum(common, 1)
        return Sums(
            np.float32(1),
            product(x, self.to_met) / n,
            product(met, self.to_y) / n,
            product(x**2, self.to_met) / n,
            product(met, self.to_yy) / n,
            xy / n,
        )


def _ones(matrix: sparse.csr_array) -> sparse.csr_array:
    return sparse.csr_array(
        (np.ones_like(matrix.data), matrix.indices, matrix.indptr), shape=matrix.shape
    )


@dataclass(eq=False, repr=False)
class UserCF(Recommender):
    """User-based collaborative filtering: an item scores the similarities of the neighbours who met
    it.

    Only positive similarities count, and only between users with something in common. A user
    without a history has no neighbours, and the score 0 everywhere.

    Args:
        similarity: "cosine", "pearson", "jaccard" or "euclidean".
        n_neighbors: k, how many of the most similar users speak; of equally similar ones the first.
        significance: γ, the items in common from which a similarity is trusted in full; 1 trusts
            every one.
        values: what is compared. "binary": who met what. "ratings": how they liked it; pearson and
            euclidean look at the items that both rated, the cosine counts an item not rated as 0,
            and jaccard, which compares sets, never looks at ratings.
        recency: None, or a number of events: one that many events old counts 1/e of the latest, in
            the history of who asks (whom do they resemble now?) and in the votes (what did those
            watch last?). It wants more neighbours, and less significance: a recent history is
            short, and ought to be trusted.
        max_audience: items met by a larger share of the users are left out of the comparison,
            though not of what is recommended. Comparing costs Σ audience² and everybody has met
            them: they cost most and tell least.

    Attributes:
        neighbours_: (n_users, n_users) sparse float32, at most k similarities in a row.
        histories_: (n_users, n_items) sparse float32, 1 for each item met, or less for older ones
            (`recency`).

    >>> from keras_recs.data import from_matrix
    >>> data = from_matrix([[1, 1, 0], [1, 1, 1], [0, 0, 1], [1, 0, 0]])
    >>> cf = UserCF(n_neighbors=2, significance=1).fit(data)
    >>> cf.neighbours_[[3]].toarray().astype(float).round(2).tolist()
    [[0.71, 0.58, 0.0, 0.0]]
    >>> [(item, round(score, 2)) for item, score in cf.recommend([3], k=2).of(3)]
    [(1, 1.28), (2, 0.58)]
    >>> [(user, round(part, 2)) for user, part in cf.explain(3, 1)]
    [(0, 0.71), (1, 0.58)]
    """

    similarity: Literal["cosine", "pearson", "jaccard", "euclidean"] = "cosine"
    n_neighbors: Count = 30
    significance: Count = 50
    values: Literal["binary", "ratings"] = "binary"
    recency: Positive | None = None
    max_audience: PositiveShare = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.recency is not None and self.values == "ratings":
            raise ValueError("recency weighs who met what: it goes with values='binary' only")

    def _fit(self, data: Dataset) -> None:
        k = min(self.n_neighbors, data.n_users)
        require_memory(
            24 * k * data.n_users,
            f"a list of {k:,} neighbours for each of {data.n_users:,} users",
            "ask for fewer neighbours; a hundred are plenty",
        )
        self.histories_ = (
            data.seen if self.recency is None else recency_weighted(data, self.recency)
        )
        pairs = self._pairs(data)
        blocks = [
            strongest(self._similarity(pairs, rows), k)
            for rows in row_blocks(data.n_users, data.n_users, BLOCK_CELLS)
        ]
        # never users × users: k entries a row
        self.neighbours_ = sparse.vstack(blocks, format="csr")

    def _pairs(self, data: Dataset) -> Pairs:
        x = self.histories_
        y = data.seen
        if self.values == "ratings":
            data.require("ratings", by="UserCF with values='ratings'")
            x = data.seen if self.similarity == "jaccard" else data.matrix("ratings")
            y = x
        if self.max_audience < 1:
            kept = np.flatnonzero(data.popularity <= self.max_audience * data.n_users)
            # one matrix stays one: half the products
            same = x is y
            x = x[:, kept]
            y = x if same else y[:, kept]
        in_common = self.values == "ratings" and self.similarity in ("pearson", "euclidean")
        return Pairs(x, y, in_common)

    @heart(
        "The similarities of users `rows` with all, times min(common, γ) / γ; nobody is their own "
        "neighbour."
    )
    def _similarity(self, pairs: Pairs, rows: np.ndarray) -> np.ndarray:
        """(rows, n_users) similarities, weighted by how much they rest on."""
        # how alike they are, and how many items say so
        common = pairs.common(rows)
        similarity = similarity_of(self.similarity, pairs.sums(rows, common))
        # 0 where nothing is in common
        similarity *= np.minimum(common, np.float32(self.significance))
        similarity /= np.float32(self.significance)
        similarity[np.arange(len(rows)), rows] = 0  # nobody is their own neighbour
        return similarity

    @heart("For every item, add up what the neighbours say: similarity times their history.")
    def _score(self, users: np.ndarray) -> np.ndarray:
        return product(self.neighbours_[users], self.histories_)  # (len(users), n_items)

    @heart("The neighbours who met `item`, each with its part of the score, largest first, by id.")
    def explain(self, user: Any, item: Any) -> list[tuple[Any, float]]:
        """Who speaks for `item`: (neighbour, its part of the score), largest first. The parts sum
        to the score."""
        self._check_fitted()
        u = self._user_ids.index("user", user)[0]
        j = self._item_ids.index("item", item)[0]
        # one row of the product that makes the score, term by term
        asked = self.neighbours_[[u]]
        votes = self.histories_[asked.indices][:, [j]].toarray()[:, 0]  # (k,)
        # those who met the item, largest part first
        who = asked.indices[votes > 0]
        parts = (asked.data * votes)[votes > 0]
        order = np.argsort(-parts, kind="stable")
        ids = self.user_ids_[who[order]]
        return list(zip(ids.tolist(), parts[order].tolist(), strict=True))


CollaborativeFilteringRecommender = UserCF  # the published answer's name
