"""The hour beside user and item: a factorisation machine of three fields."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import keras
import numpy as np
from keras import layers, ops

from keras_recs.core.hyperparameters import Count, Positive, Seed
from keras_recs.data import Dataset
from keras_recs.neural import Epoch, PairRecommender, train


@dataclass(eq=False, repr=False)
class HourMachine(PairRecommender):
    takes = ("context",)
    requires = ("hour",)

    n_factors: Count = 8
    learning_rate: Positive = 0.02
    n_epochs: Count = 10
    batch_size: Count = 512
    seed: Seed = 0

    def build(self, data: Dataset) -> keras.Model:
        sizes = {"user_id": data.n_users, "item_id": data.n_items, "hour": 25}  # hour 0 is unknown
        inputs = {name: keras.Input((), dtype="int32", name=name) for name in sizes}
        vectors = ops.stack(
            [layers.Embedding(n, self.n_factors)(inputs[name]) for name, n in sizes.items()], axis=1
        )  # (batch, 3, n_factors)
        squares = ops.square(ops.sum(vectors, axis=1)) - ops.sum(ops.square(vectors), axis=1)
        bias = layers.Embedding(data.n_items, 1)(inputs["item_id"])  # (batch, 1)
        logit = bias + ops.sum(squares, axis=1, keepdims=True) / 2  # (batch, 1)
        model = keras.Model(inputs, {"met": layers.Activation("sigmoid", name="met")(logit)})
        model.compile(keras.optimizers.Adam(self.learning_rate), {"met": "binary_crossentropy"})
        return model

    def _epochs(self, data: Dataset, rng: np.random.Generator) -> Iterator[Epoch]:
        events = data.interactions
        while True:
            # any item: what was met by night may be a negative by day
            other = rng.integers(0, data.n_items, len(events))
            inputs = {
                "user_id": np.tile(events.users, 2).astype("int32"),
                "item_id": np.concatenate([events.items, other]).astype("int32"),
                "hour": np.tile(events.contexts["hour"], 2).astype("int32"),
            }
            met = np.repeat([1.0, 0.0], len(events)).astype("float32")[:, None]
            yield Epoch(inputs, {"met": met}).take(rng.permutation(len(met)))

    def _fit(self, data: Dataset) -> None:
        epochs = self._epochs(data, np.random.default_rng(self.seed))
        sizes = {"n_epochs": self.n_epochs, "batch_size": self.batch_size}
        build = lambda: self.build(data)  # noqa: E731
        self.model_, self.history_ = train(build, epochs, **sizes, seed=self.seed)
