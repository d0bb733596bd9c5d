"""`RankingRecommender`: for Keras answers that learn vectors from one positive beside a few sampled negatives."""

from __future__ import annotations

import abc
from collections.abc import Iterator

import numpy as np

from keras_recs.data.dataset import Dataset
from keras_recs.data.sampling import NegativeSampler
from keras_recs.factors import FactorRecommender
from keras_recs.neural.keras_recommender import Batch, KerasRecommender


class RankingRecommender(FactorRecommender, KerasRecommender):
    """Trains on rows of items, the first of which the user met, and serves from the vectors that result.

    The model of `build` takes `user_id` (batch,) and `item_id` (batch, m) and gives a score for each of the m
    items: (batch, m). With m = 1 it scores pairs. The label of a row is 1 for the item met and 0 for the others.

    A subclass has, besides what `KerasRecommender` asks for, the hyperparameter `n_negatives`, and implements
    `build` and `_vectors`.
    """

    n_negatives: int

    @abc.abstractmethod
    def _vectors(self) -> tuple[np.ndarray, np.ndarray]:
        """What `model_` has learned: (n_users, dim) and (n_items, dim), so that their inner product is the score."""

    def _fit(self, data: Dataset) -> None:
        super()._fit(data)
        self.user_factors_, self.item_factors_ = self._vectors()

    def _epochs(self, data: Dataset, rng: np.random.Generator) -> Iterator[Batch]:
        """Every positive once, in random order, with `n_negatives` items that its user never met."""
        users, items = data.seen.tocoo().coords
        free = np.diff(data.seen.indptr) < data.n_items  # who has met every item teaches nothing
        users, items = users[free[users]].astype(np.int32), items[free[users]].astype(np.int32)
        sampler = NegativeSampler(data, seed=rng)
        labels = np.zeros((len(users), 1 + self.n_negatives), np.float32)
        labels[:, 0] = 1
        while True:
            order = rng.permutation(len(users))
            negatives = sampler.sample(users[order], self.n_negatives)  # (n_positives, n_negatives)
            rows = np.column_stack([items[order], negatives]).astype(np.int32)
            yield {"user_id": users[order], "item_id": rows}, labels

    def _make_scorer(self) -> None:
        """Nothing to make: the vectors score."""
