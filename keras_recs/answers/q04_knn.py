"""Question 4. Recommend with k nearest neighbours.

How will u like i? Ask the people who have rated i and whose taste is most like that of u. Before
they are asked, take out of every rating what has nothing to do with taste: that i is a good one,
and that some people rate everything high. What is left is a deviation from what was to be expected,

    b[u, i] = μ + b[u] + c[i]          what is expected before anyone is asked
    d[v, i] = r[v, i] - b[v, i]        how much better than expected v found i

and the prediction is the expectation plus a mean of the neighbours' deviations, weighted by
similarity:

    r̂[u, i] = b[u, i] + Σ_v s[u, v] d[v, i] / (damping + Σ_v s[u, v])        v in N(u, i)

N(u, i) holds the k users most similar to u *among those who rated i*. Nobody else votes.

Sums over few things are not to be trusted. The answer is the same three times, n / (n + λ): in the
biases (few ratings), in the similarities (few items in common), and in the vote (few neighbours, or
distant ones).

Sources: Resnick et al. (1994), "GroupLens: An Open Architecture for Collaborative Filtering of
Netnews"; Herlocker et al. (1999), "An Algorithmic Framework for Performing Collaborative
Filtering"; Koren (2010), "Factor in the Neighbors: Scalable and Accurate Collaborative Filtering".
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
from scipy import sparse

from keras_recs.core.heart import heart
from keras_recs.core.hyperparameters import Count, NotNegative
from keras_recs.core.recommender import Recommender
from keras_recs.data.dataset import Dataset
from keras_recs.utils.neighbours import inner_products, row_blocks
from keras_recs.utils.topk import top_k

CACHED = 1 << 20  # votes counted at once: what fits into a processor's cache is faster
ROUNDS = 20  # of solving for the biases of users and items in turn


class Vote(NamedTuple):
    """What one neighbour says about an item: their `rating`, its `deviation` from what was expected
    of them, and the `part` that it has in the prediction."""

    user: Any
    similarity: float
    rating: float
    deviation: float
    part: float


@heart(
    "The mean and a bias per user and per item: by centring none, user means, or both, "
    "regularised, in turn."
)
def expectation(
    ratings: sparse.csr_array, centring: str, reg: float
) -> tuple[float, np.ndarray, np.ndarray]:
    """μ, b (n_users,) and c (n_items,): what ratings owe to no one's taste.

    Biases are means of what the other side leaves over, shrunk by `reg` imaginary ratings without
    bias. Given the users' biases the items' have this closed form, and the other way round; a few
    rounds, and nothing moves."""
    n_users, n_items = ratings.shape
    users, items = ratings.tocoo().coords
    values = ratings.data.astype(np.float64)
    per_user = np.bincount(users, minlength=n_users)  # ratings of each user
    per_item = np.bincount(items, minlength=n_items)
    # μ, and no biases yet
    mean = float(values.mean())
    user_bias = np.zeros(n_users)
    item_bias = np.zeros(n_items)
    # the user's mean, as its distance from μ
    if centring == "user":
        user_bias = np.bincount(users, values - mean, n_users) / np.maximum(per_user, 1)
    # each side's biases in closed form, given the other's, in turn
    if centring == "baseline":
        # the L2 penalty: as if `reg` more ratings had shown no bias
        user_weight = np.where(per_user > 0, per_user + reg, 1)
        item_weight = np.where(per_item > 0, per_item + reg, 1)
        for _ in range(ROUNDS):
            residual = values - mean - user_bias[users]  # (n_ratings,)
            item_bias = np.bincount(items, residual, n_items) / item_weight
            residual = values - mean - item_bias[items]
            user_bias = np.bincount(users, residual, n_users) / user_weight
    return mean, user_bias, item_bias


@heart(
    "Keep the k largest of each row, of equal ones the first, and put 0 in the place of all others."
)
def nearest_only(similarity: np.ndarray, k: int) -> np.ndarray:
    """`similarity` (…, width), at least 0, with all but the k largest of each row set to 0; of
    equal ones the first stay.

    >>> nearest_only(np.array([0.1, 0.5, 0.25, 0.25, 0.25]), 3).tolist()
    [0.0, 0.5, 0.25, 0.25, 0.0]
    """
    width = similarity.shape[-1]
    if width <= k:
        return similarity
    # all that reaches the k-th largest stays
    worst = np.partition(similarity, width - k, axis=-1)[..., width - k, None]  # the k-th largest
    kept = np.where(similarity >= worst, similarity, 0)
    # more are equal to the k-th than there are places
    crowded = np.count_nonzero(kept, axis=-1) > k
    # of those equal to it, the first, as many as there are places
    if crowded.any():
        rows = kept[crowded]  # (n_crowded, width)
        worst = worst[crowded]
        equal = rows == worst
        places = k - np.count_nonzero(rows > worst, axis=-1, keepdims=True)
        rows[equal & (np.cumsum(equal, axis=-1) > places)] = 0
        kept[crowded] = rows
    return kept


@dataclass(eq=False, repr=False)
class UserKNN(Recommender):
    """k nearest neighbours between users, for ratings and for feedback without ratings.

    `predict` gives ratings, unclipped; `score` and `recommend` rank by them. A user without
    ratings, and an item that nobody (or nobody of similar taste) rated, gets the expectation alone.

    Without ratings, everybody who met an item says the same: "I met it". A weighted *mean* of equal
    votes is 1, whoever votes. So there the score is the *sum* of the similarities of the k nearest
    who met the item: how many of them, and how near, is the evidence.

    Args:
        n_neighbors: k, how many users vote on an item: the most similar of those who rated it; of
            equally similar ones the lower id. Only users with a similarity above 0 vote.
        similarity: between the deviations of two users,
            "cosine", the angle between them, where what was not rated counts as no deviation;
            "pearson", the same over the items that both rated, the rest left out (ratings only).
        shrinkage: similarities are multiplied by n / (n + shrinkage), with n the items that both
            met.
        damping: as if so much similarity voted "as expected": a lone distant neighbour moves
            little.
        centring: what is expected of a rating,
            "baseline", the mean plus a bias of the user and one of the item (Koren 2010);
            "user", the user's mean (Resnick et al. 1994);
            "global", the mean of all ratings.
        bias_reg: each bias of "baseline" is shrunk as by so many ratings that show none.
        feedback: "explicit" for ratings; "implicit" to look only at who met what, where damping,
            centring and bias_reg have no meaning; "auto" for ratings where the data has them.

    Attributes:
        mean_, user_bias_, item_bias_: μ, b, c.
        deviations_: (n_users, n_items), sparse: d. Of implicit feedback, 1 for each item met.
        raters_: (n_items, n_users), the same, a row per item: who may vote on it.
        lengths_: (n_users,) of the rows of d.
        implicit_: which of the two kinds of feedback it learned from.

    >>> from keras_recs.data import from_matrix
    >>> data = from_matrix([[5, 4, 1, 0], [5, 4, 1, 5], [1, 2, 5, 1]])
    >>> knn = UserKNN(n_neighbors=1, centring="user", shrinkage=0, damping=0).fit(data)
    >>> [(vote.user, round(vote.deviation, 2)) for vote in knn.explain(0, 3)]
    [(1, 1.25)]
    >>> knn.predict([0], [3]).round(2)  # user 0's mean, 3.33, and what user 1 says of item 3
    array([4.58], dtype=float32)
    """

    n_neighbors: Count = 40
    similarity: Literal["cosine", "pearson"] = "cosine"
    shrinkage: NotNegative = 20.0
    damping: NotNegative = 0.3
    centring: Literal["baseline", "user", "global"] = "baseline"
    bias_reg: NotNegative = 5.0
    feedback: Literal["auto", "explicit", "implicit"] = "auto"

    def _fit(self, data: Dataset) -> None:
        self.implicit_ = self.feedback == "implicit" or (
            self.feedback == "auto" and not data.has("ratings")
        )
        if self.implicit_:
            if self.similarity == "pearson":
                raise ValueError(
                    "similarity='pearson' needs ratings: of what two users both met, all is equal"
                )
            # nothing is expected: who met an item says "I met it"
            self.mean_ = 0.0
            self.user_bias_ = np.zeros(data.n_users)
            self.item_bias_ = np.zeros(data.n_items)
            self.deviations_ = data.seen
        else:
            data.require("ratings", by="UserKNN with feedback='explicit'")
            # one entry a pair: who rates an item twice has changed their mind
            ratings = data.matrix("ratings")
            self.mean_, self.user_bias_, self.item_bias_ = expectation(
                ratings, self.centring, self.bias_reg
            )
            self.deviations_ = self._deviations(ratings)
        self.raters_ = self.deviations_.T.tocsr()
        self.lengths_ = np.sqrt((self.deviations_**2).sum(axis=1)).astype(np.float32)

    def _deviations(self, ratings: sparse.csr_array) -> sparse.csr_array:
        users, items = ratings.tocoo().coords
        out = ratings.copy()
        out.data = (ratings.data - self._expected(users, items)).astype(np.float32)
        # Rounding is no opinion: who rates all alike has the length 0.
        out.data[np.abs(out.data) < 1e-6] = 0
        return out

    def _expected(self, users: np.ndarray, items: np.ndarray) -> np.ndarray:
        return self.mean_ + self.user_bias_[users] + self.item_bias_[items]

    # --- who is near ------------------------------------------------------------------------------

    @heart(
        "Cosine of the users' deviations (or over common items only), shrunk, 0 where there is "
        "nothing to compare."
    )
    def _similarity(self, users: np.ndarray) -> np.ndarray:
        """(len(users), n_users) of some users with all; 0 with oneself, and with whoever has no
        deviations."""
        # the cosine of two users' deviations
        products = inner_products(self.deviations_, users)  # Σ_i d[u, i] d[v, i]
        if self.similarity == "cosine":
            lengths = self.lengths_[users][:, None] * self.lengths_
        else:  # over the items that both rated: |d[u]| there times |d[v]| there
            squares = self.deviations_**2
            lengths = np.sqrt(
                inner_products(squares, users, self.seen_)
                * inner_products(self.seen_, users, squares)
            )
        similarity = products / np.where(lengths > 0, lengths, 1)
        # what few items say counts less
        if self.shrinkage:
            together = inner_products(self.seen_, users)  # n[u, v], items that both met
            similarity *= together / (together + np.float32(self.shrinkage))
        similarity[np.arange(len(users)), users] = 0  # nobody advises themselves
        return similarity

    def neighbours(self, user: Any, item: Any = None) -> list[tuple[Any, float]]:
        """The k users most similar to `user`, nearest first, with their similarities; with `item`,
        those among its raters: the users who vote on it."""
        self._check_fitted()
        u = self._user_ids.index("user", user)
        similarity = self._similarity(u)
        if item is not None:
            among = self.raters_[self._item_ids.index("item", item)].indices
            others = np.setdiff1d(np.arange(similarity.shape[1]), among)
            similarity[:, others] = 0
        nearest, similarity = top_k(similarity, self.n_neighbors)  # (1, k) each
        similar = similarity > 0
        ids = self.user_ids_[nearest[similar]]
        return list(zip(ids.tolist(), similarity[similar].tolist(), strict=True))

    # --- what they say ----------------------------------------------------------------------------

    @heart(
        "Only the k most similar keep their similarity; from that and the deviations, what the "
        "vote adds."
    )
    def _vote(self, similarity: np.ndarray, deviations: np.ndarray) -> np.ndarray:
        """(…) what to add to the expectation, from (…, width) similarities, none below 0, and
        deviations of raters."""
        # only the nearest vote, each with the weight of its similarity
        similarity = nearest_only(similarity, self.n_neighbors)
        total = np.einsum("...w,...w->...", similarity, deviations)  # (…)
        if self.implicit_:
            return total
        # damping: as if so much similarity had voted "as expected"
        weight = similarity.sum(axis=-1)  # (…)
        return total / np.where(weight > 0, weight + self.damping, 1)

    def _predict(self, users: np.ndarray, items: np.ndarray) -> np.ndarray:
        predictions = self._expected(users, items)
        who, row = np.unique(users, return_inverse=True)
        for block in row_blocks(len(who), len(self.user_ids_)):
            similarity = self._voices(who[block])  # (len(block), n_users + 1)
            pairs = np.flatnonzero((row >= block[0]) & (row <= block[-1]))
            for some, raters, deviations in self._ballots(items[pairs]):
                chosen = pairs[some]
                of_raters = similarity[row[chosen, None] - block[0], raters]  # (len(chosen), width)
                predictions[chosen] += self._vote(of_raters, deviations)
        return predictions

    def _score(self, users: np.ndarray) -> np.ndarray:
        everything = np.arange(len(self.item_ids_))
        scores = self._expected(users[:, None], everything)  # (len(users), n_items)
        scores = scores.astype(np.float32)
        for block in row_blocks(len(users), len(self.user_ids_)):
            similarity = self._voices(users[block])
            for some, raters, deviations in self._ballots(everything, 16):
                for run in row_blocks(len(block), raters.size, CACHED):
                    # (len(run), len(some), width)
                    of_raters = np.take(similarity[run], raters, axis=1)
                    scores[block[run, None], some] += self._vote(of_raters, deviations)
        return scores

    def _voices(self, users: np.ndarray) -> np.ndarray:
        """(len(users), n_users + 1) similarities that count: those above 0; the last column, of no
        one, is 0."""
        return np.pad(np.maximum(self._similarity(users), 0), ((0, 0), (0, 1)))

    def _ballots(
        self, items: np.ndarray, n: int = 1
    ) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """Places in `items`, some at a time; the raters of those items and their deviations,
        (len(places), width).

        Rows are filled up with rater -1, no one, to the next power of two: items with about as many
        raters go together. `n`: how many users at least will ask at once.
        """
        start = self.raters_.indptr[:-1][items]
        count = np.diff(self.raters_.indptr)[items]  # raters of each item
        # the next power of two
        doublings = np.ceil(np.log2(np.maximum(count, 1))).astype(int)
        widths = np.where(count > 0, 2**doublings, 0)
        for width in np.unique(widths[widths > 0]):
            alike = np.flatnonzero(widths == width)
            for run in row_blocks(len(alike), n * width, CACHED):
                some = alike[run]
                there = np.arange(width) < count[some, None]  # (len(some), width)
                place = np.where(there, start[some, None] + np.arange(width), 0)
                raters = np.where(there, self.raters_.indices[place], -1)
                yield some, raters, self.raters_.data[place]

    @heart(
        "The votes of the users who may vote on the item, nearest first; their parts add up to "
        "predict - baseline."
    )
    def explain(self, user: Any, item: Any) -> list[Vote]:
        """Who says what about `item`, nearest first. `baseline` plus the parts of all votes is what
        `predict` gives."""
        nearest = self.neighbours(user, item)
        i = self._item_ids.index("item", item)
        # what the prediction divides by; without ratings it is a sum, and divides by nothing
        total = 1.0
        if not self.implicit_:
            total = self.damping + sum(similarity for _, similarity in nearest)
        votes = []
        for neighbour, similarity in nearest:
            v = self._user_ids.index("neighbour", neighbour)
            # the rating is what was expected, and the deviation from it
            deviation = float(self.deviations_[v[0], i[0]])
            rating = deviation + float(self._expected(v, i)[0])
            # one term of the sum that makes the prediction
            part = similarity * deviation / total
            votes.append(Vote(neighbour, similarity, rating, deviation, part))
        return votes

    def baseline(self, users: Any, items: Any) -> np.ndarray:
        """(n,) what is expected of pairs of user and item ids before any neighbour is asked; 0
        without ratings."""
        self._check_fitted()
        return self._expected(
            self._user_ids.index("users", users), self._item_ids.index("items", items)
        )


KNNRecommender = UserKNN  # the published answer's name
