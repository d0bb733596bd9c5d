"""`RankingRecommender`: for Keras answers that learn vectors from one positive beside a few sampled
negatives."""

from __future__ import annotations

import abc
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_recs.core.factors import FactorRecommender
from keras_recs.data.dataset import Dataset
from keras_recs.data.sampling import NegativeSampler
from keras_recs.neural.keras_recommender import Batch, KerasRecommender

SAMPLED_AT_ONCE = (
    1 << 18
)  # positives whose negatives are drawn together: the sampler's memory stays bounded


@keras.saving.register_keras_serializable("keras_recs")
class RankingModel(keras.Model):
    """A functional model whose `item_id` may be (batch, m), or (batch,) for pairs: then m is 1."""

    def __call__(self, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        if (
            isinstance(inputs, dict)
            and "item_id" in inputs
            and tf.TensorShape(inputs["item_id"].shape).rank != 2
        ):
            # The rank is unknown once TensorFlow has met both kinds: what follows is right for
            # either.
            batch = tf.size(inputs["user_id"])
            inputs = {**inputs, "item_id": tf.reshape(inputs["item_id"], (batch, -1))}
        return super().__call__(inputs, *args, **kwargs)


class RankingRecommender(FactorRecommender, KerasRecommender):
    """Trains on rows of items, the first of which the user met, and serves from the vectors that
    result.

    The model of `build` takes `user_id` (batch,) and `item_id` (batch, m) and gives a score for
    each of the m items: (batch, m). With m = 1 it scores pairs. The label of a row is 1 for the
    item met and 0 for the others.

    A subclass has, besides what `KerasRecommender` asks for, the hyperparameter `n_negatives`, and
    implements `build` and `_vectors`.
    """

    n_negatives: int

    @abc.abstractmethod
    def _vectors(self) -> tuple[np.ndarray, np.ndarray]:
        """What `model_` has learned: (n_users, dim) and (n_items, dim), so that their inner product
        is the score."""

    def _fit(self, data: Dataset) -> None:
        super()._fit(data)
        self.user_factors_, self.item_factors_ = self._vectors()

    def _epochs(self, data: Dataset, rng: np.random.Generator) -> Iterator[Batch]:
        """Every positive once, in random order, with `n_negatives` items that its user never
        met."""
        users, items = data.seen.tocoo().coords
        free = np.diff(data.seen.indptr) < data.n_items  # who has met every item teaches nothing
        users, items = users[free[users]].astype(np.int32), items[free[users]].astype(np.int32)
        sampler = NegativeSampler(data, seed=rng)
        labels = np.zeros((len(users), 1 + self.n_negatives), np.float32)
        labels[:, 0] = 1
        while True:
            order = rng.permutation(len(users))
            rows = np.empty((len(users), 1 + self.n_negatives), np.int32)
            rows[:, 0] = items[order]
            for start in range(0, len(order), SAMPLED_AT_ONCE):
                block = slice(start, start + SAMPLED_AT_ONCE)
                rows[block, 1:] = sampler.sample(users[order[block]], self.n_negatives)
            yield {"user_id": users[order], "item_id": rows}, labels

    def _make_scorer(self) -> None:
        """Nothing to make: the vectors score."""
