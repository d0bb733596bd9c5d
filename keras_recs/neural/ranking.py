"""What Keras answers share that learn vectors from one positive beside a few sampled negatives."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_recs.data.dataset import Dataset
from keras_recs.data.sampling import NegativeSampler
from keras_recs.neural.training import Epoch

#: Positives whose negatives are drawn together: the sampler's memory stays bounded.
SAMPLED_AT_ONCE = 1 << 18


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


def rows_with_negatives(
    data: Dataset, n_negatives: int, rng: np.random.Generator
) -> Iterator[Epoch]:
    """Without end, epochs of rows: every positive once, in random order, first in a row of items
    that its user never met.

    Inputs `user_id` (n,) and `item_id` (n, 1 + n_negatives); targets of that shape, 1 for the
    positive and 0 for the others. A user who has met every item teaches nothing and is left out.

    >>> from keras_recs.data import from_matrix
    >>> epoch = next(rows_with_negatives(from_matrix([[1, 0, 1], [0, 1, 0]]), 2, np.random.default_rng(0)))
    >>> epoch.inputs["item_id"].shape, epoch.targets[0].tolist()
    ((3, 3), [1.0, 0.0, 0.0])
    """
    users, items = data.seen.tocoo().coords
    free = np.diff(data.seen.indptr) < data.n_items
    users, items = users[free[users]].astype(np.int32), items[free[users]].astype(np.int32)
    sampler = NegativeSampler(data, seed=rng)
    targets = np.zeros((len(users), 1 + n_negatives), np.float32)
    targets[:, 0] = 1
    while True:
        order = rng.permutation(len(users))
        rows = np.empty(targets.shape, np.int32)
        rows[:, 0] = items[order]
        for start in range(0, len(order), SAMPLED_AT_ONCE):
            block = slice(start, start + SAMPLED_AT_ONCE)
            rows[block, 1:] = sampler.sample(users[order[block]], n_negatives)
        yield Epoch({"user_id": users[order], "item_id": rows}, targets)
