"""What every answer has to beat. Each is a few lines, and each is a `Recommender` like any
other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from keras_recs.core.hyperparameters import Count, NotNegative, PositiveShare, Seed
from keras_recs.core.recommender import BLOCK_CELLS, Recommender
from keras_recs.data.dataset import Dataset
from keras_recs.utils.neighbours import known_weights, product
from keras_recs.utils.topk import top_k


@dataclass(eq=False, repr=False)
class RandomRecommender(Recommender):
    """Scores drawn uniformly from [0, 1), a fixed one for each user and item. What learning nothing
    reaches.

    The scores are hashes of (seed, user, item) by SplitMix64 (Steele, Lea & Flood 2014), so that
    they do not depend on how users are put into blocks and nothing has to be stored.
    """

    seed: Seed = 0

    def _fit(self, data: Dataset) -> None:
        pass  # the ids, which the base class keeps, are enough

    def _score(self, users: np.ndarray) -> np.ndarray:
        return self._draw(users[:, None], np.arange(len(self.item_ids_)))

    def _predict(self, users: np.ndarray, items: np.ndarray) -> np.ndarray:
        return self._draw(users, items)

    def _draw(self, users: np.ndarray, items: np.ndarray) -> np.ndarray:
        pair = (users * len(self.item_ids_) + items).astype(np.uint64)
        seed = np.array([self.seed % 2**64], np.uint64)
        bits = _mix(pair + _mix(seed))
        # 24 bits: what a float32 holds
        top = bits >> np.uint64(40)
        return top.astype(np.float32) / np.float32(2**24)


def _mix(x: np.ndarray) -> np.ndarray:
    """SplitMix64's output function on uint64, which wraps around."""
    x = x + np.uint64(0x9E3779B97F4A7C15)
    x = x ^ (x >> np.uint64(30))
    x = x * np.uint64(0xBF58476D1CE4E5B9)
    x = x ^ (x >> np.uint64(27))
    x = x * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


class PopularityRecommender(Recommender):
    """The score of an item is the number of training users who met it.

    All users get the same list, less what they have seen.
    """

    def _fit(self, data: Dataset) -> None:
        self.popularity_ = data.popularity.astype(np.float32)

    def _score(self, users: np.ndarray) -> np.ndarray:
        return np.tile(self.popularity_, (len(users), 1))

    def _predict(self, users: np.ndarray, items: np.ndarray) -> np.ndarray:
        return self.popularity_[items]


@dataclass(eq=False, repr=False)
class RecentPopularityRecommender(Recommender):
    """The score of an item is how often it was met lately, when the user was last seen.

    A chart of all time lists what was popular once. This one counts the events of a window that
    ends with the user's latest event: nothing of what comes after it is known. Of equal counts,
    what was met more often up to then is first; a user without events gets the chart at the end of
    the log.

    Args:
        share: length of the window, as a share of the log's events.

    Attributes:
        charts_: (n_charts, n_items) float32, the scores at so many points of the log.
        chart_of_: (n_users,) which of them is each user's.

    >>> from keras_recs.data import Dataset
    >>> log = Dataset.from_arrays(list("abcdef"), [1, 1, 1, 2, 2, 3], timestamps=[1, 2, 3, 4, 5, 6])
    >>> RecentPopularityRecommender(share=0.5).fit(log).recommend(["f"], k=2).items.tolist()  # 3 is known to f
    [[2, 1]]
    """

    requires = ("timestamps",)
    CHARTS = 64

    share: PositiveShare = 0.1

    def _fit(self, data: Dataset) -> None:
        events = data.interactions
        assert events.timestamps is not None, "`requires` sees to it"
        # the log in the order of time
        order = np.argsort(events.timestamps, kind="stable")
        users = events.users[order]
        items = events.items[order]
        n = len(order)
        # events before each chart
        parts = np.linspace(0, n, self.CHARTS + 1)[1:]
        ends = np.unique(np.ceil(parts).astype(int))  # (n_charts,)
        window = max(1, round(self.share * n))
        self.charts_ = np.empty((len(ends), data.n_items), np.float32)
        for chart, end in enumerate(ends):
            start = max(0, end - window)
            recent = np.bincount(items[start:end], minlength=data.n_items)
            ever = np.bincount(items[:end], minlength=data.n_items)
            self.charts_[chart] = recent + ever / (n + 1)  # below 1: it settles ties only
        last = np.full(data.n_users, n - 1)
        last[users] = np.arange(n)  # of several, the latest stays
        self.chart_of_ = np.searchsorted(ends, last + 1)

    def _score(self, users: np.ndarray) -> np.ndarray:
        return self.charts_[self.chart_of_[users]]

    def _predict(self, users: np.ndarray, items: np.ndarray) -> np.ndarray:
        return self.charts_[self.chart_of_[users], items]


@dataclass(eq=False, repr=False)
class ItemKNNRecommender(Recommender):
    """Cosine item KNN (Sarwar et al. 2001; top-N with kept neighbours: Deshpande & Karypis 2004).

    similarity(i, j) = users who met both / sqrt(users who met i * users who met j), and
    score(u, i) = sum over the items j that u met of similarity(j, i), where i is among the
    `n_neighbors` of j. An item is no neighbour of itself. A user without a history has score 0
    everywhere.

    Args:
        n_neighbors: how many of the most similar items are kept for each item, ties by the lower
            item; None keeps all with a similarity above 0, which takes up to n_items² values.

    >>> from keras_recs.data import from_matrix
    >>> data = from_matrix([[1, 1, 0], [1, 1, 0], [0, 1, 1], [1, 0, 0]])
    >>> ItemKNNRecommender().fit(data).recommend([3], k=1).items.tolist()
    [[1]]
    """

    n_neighbors: Count | None = None

    def _fit(self, data: Dataset) -> None:
        # Columns of length 1 under the Euclidean norm; their products are the cosines.
        lengths = np.sqrt(np.maximum(data.popularity, 1)).astype(np.float32)
        seen = data.seen
        columns = seen.copy()
        columns.data = 1 / lengths[seen.indices]
        blocks = list(self._neighbours_of(columns, data.n_items))
        self.similarity_ = sparse.vstack(blocks, format="csr")
        # Past half of the cells, a dense array is the smaller one, and multiplying with it is
        # faster.
        if 2 * self.similarity_.nnz > data.n_items**2:
            self.similarity_ = self.similarity_.toarray()

    def _neighbours_of(self, columns: sparse.csr_array, n_items: int) -> Iterator[sparse.csr_array]:
        """Similarities of the items, a block of rows at a time, cut down to the neighbours."""
        by_item = columns.T.tocsr()
        size = max(1, BLOCK_CELLS // n_items)
        for start in range(0, n_items, size):
            block = (by_item[start : start + size] @ columns).toarray()
            rows = np.arange(len(block))
            block[rows, start + rows] = 0
            if self.n_neighbors is not None and self.n_neighbors < n_items:
                best, similarity = top_k(block, self.n_neighbors)
                block = np.zeros_like(block)
                np.put_along_axis(block, best, similarity, axis=1)
            yield sparse.csr_array(block)

    def _score(self, users: np.ndarray) -> np.ndarray:
        return product(self.seen_[users], self.similarity_)  # (len(users), n_items)

    def _item_similarity(self, items: np.ndarray) -> np.ndarray:
        return known_weights(self.similarity_[items])


class GlobalMeanRecommender(Recommender):
    """Predicts the mean of the training ratings for everyone and everything."""

    requires = ("ratings",)

    def _fit(self, data: Dataset) -> None:
        self.mean_ = float(_ratings(data).mean())

    def _score(self, users: np.ndarray) -> np.ndarray:
        return np.full((len(users), len(self.item_ids_)), self.mean_, np.float32)

    def _predict(self, users: np.ndarray, items: np.ndarray) -> np.ndarray:
        return np.full(len(users), self.mean_, np.float32)


@dataclass(eq=False, repr=False)
class BiasRecommender(Recommender):
    """Mean plus biases, b_ui = mu + b_u + b_i (Koren, Bell & Volinsky 2009).

    They are what a rating owes to the generosity of the user and the quality of the item, before
    any taste.

    Minimises sum (r - mu - b_u - b_i)² + reg_users * sum b_u² + reg_items * sum b_i² over the
    training ratings. Given the one kind of bias, the other has a closed form, a shrunk mean:
    b_u = sum (r - mu - b_i) / (reg_users + ratings of u). The two are solved in turn until nothing
    moves. Without ratings, a bias is 0.

    Args:
        reg_users, reg_items: at least 0; each bias is shrunk as by so many ratings that show no
            bias. The defaults are the best of a grid on MovieLens-100K's validation slice.
    """

    requires = ("ratings",)
    ROUNDS = 200
    TOLERANCE = 1e-6  # in rating units

    reg_users: NotNegative = 3.0
    reg_items: NotNegative = 3.0

    def _fit(self, data: Dataset) -> None:
        users = data.interactions.users
        items = data.interactions.items
        ratings = _ratings(data)
        self.mean_ = float(ratings.mean())
        residual = ratings - self.mean_
        user_bias = np.zeros(data.n_users)
        item_bias = np.zeros(data.n_items)
        for _ in range(self.ROUNDS):
            before = item_bias
            # each side from what the other leaves over
            unexplained = residual - item_bias[items]
            user_bias = _shrunk_means(users, unexplained, data.n_users, self.reg_users)
            unexplained = residual - user_bias[users]
            item_bias = _shrunk_means(items, unexplained, data.n_items, self.reg_items)
            if np.abs(item_bias - before).max() < self.TOLERANCE:
                break
        self.user_bias_ = user_bias
        self.item_bias_ = item_bias

    def _score(self, users: np.ndarray) -> np.ndarray:
        return (self.mean_ + self.user_bias_[users][:, None] + self.item_bias_).astype(np.float32)

    def _predict(self, users: np.ndarray, items: np.ndarray) -> np.ndarray:
        return self.mean_ + self.user_bias_[users] + self.item_bias_[items]


def _ratings(data: Dataset) -> np.ndarray:
    """(n,) float64, so that sums over millions of events lose nothing."""
    assert data.interactions.ratings is not None, "`requires` sees to it"
    return data.interactions.ratings.astype(np.float64)


def _shrunk_means(owner: np.ndarray, values: np.ndarray, n: int, reg: float) -> np.ndarray:
    """(n,) sum of each owner's values / (reg + their number), 0 where there are none."""
    counts = np.bincount(owner, minlength=n)
    sums = np.bincount(owner, values, n)
    return sums / np.where(counts > 0, counts + reg, 1.0)
