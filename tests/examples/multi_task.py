"""Several labels of one impression, learned together: a shared bottom with a head for each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import keras
import numpy as np
from keras import layers

from keras_recs.core.hyperparameters import Count, Positive, Seed
from keras_recs.data import Dataset
from keras_recs.neural import Epoch, PairRecommender, train

LABELS = ("click", "finish")


@dataclass(eq=False, repr=False)
class SharedBottom(PairRecommender):
    score_layer = "click"

    n_factors: Count = 8
    learning_rate: Positive = 0.01
    n_epochs: Count = 5
    batch_size: Count = 512
    seed: Seed = 0

    def build(self, data: Dataset) -> keras.Model:
        user_id = keras.Input((), dtype="int32", name="user_id")  # (batch,)
        item_id = keras.Input((), dtype="int32", name="item_id")  # (batch,)
        user = layers.Embedding(data.n_users, self.n_factors)(user_id)  # (batch, n_factors)
        item = layers.Embedding(data.n_items, self.n_factors)(item_id)  # (batch, n_factors)
        both = layers.Concatenate()([user, item, layers.Multiply()([user, item])])
        shared = layers.Dense(16, activation="relu")(both)  # (batch, 16)
        heads = {
            label: layers.Dense(1, activation="sigmoid", name=label)(shared)  # (batch, 1)
            for label in LABELS
        }
        model = keras.Model({"user_id": user_id, "item_id": item_id}, heads)
        losses = {label: "binary_crossentropy" for label in LABELS}
        model.compile(keras.optimizers.Adam(self.learning_rate), losses)
        return model

    def _epochs(self, data: Dataset, rng: np.random.Generator) -> Iterator[Epoch]:
        events = data.interactions
        inputs = {"user_id": events.users.astype("int32"), "item_id": events.items.astype("int32")}
        targets = {label: events.labels[label].astype("float32")[:, None] for label in LABELS}
        while True:
            yield Epoch(inputs, targets).take(rng.permutation(len(events)))

    def _fit(self, data: Dataset) -> None:
        epochs = self._epochs(data, np.random.default_rng(self.seed))
        sizes = {"n_epochs": self.n_epochs, "batch_size": self.batch_size}
        self.model_, self.history_ = train(
            lambda: self.build(data), epochs, **sizes, seed=self.seed, name="SharedBottom"
        )
