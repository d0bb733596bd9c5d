"""A history in, the scores of all items out: a GRU that predicts the next item."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import keras
import numpy as np
from keras import layers

from keras_recs.core.hyperparameters import Count, Positive, Seed
from keras_recs.core.recommender import Recommender
from keras_recs.core.requests import Requests
from keras_recs.data import Dataset, Sequences
from keras_recs.neural import Epoch, train


@dataclass(eq=False, repr=False)
class NextItem(Recommender):
    takes = ("history",)

    n_factors: Count = 16
    length: Count = 10
    learning_rate: Positive = 0.01
    n_epochs: Count = 30
    batch_size: Count = 64
    seed: Seed = 0

    def build(self, data: Dataset) -> keras.Model:
        history = keras.Input((None,), dtype="int32", name="history")  # (batch, length)
        items = layers.Embedding(data.n_items + 1, self.n_factors, mask_zero=True)(history)
        state = layers.GRU(self.n_factors)(items)  # (batch, n_factors)
        model = keras.Model({"history": history}, layers.Dense(data.n_items)(state))
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(keras.optimizers.Adam(self.learning_rate), loss)
        return model

    def _epochs(self, data: Dataset, rng: np.random.Generator) -> Iterator[Epoch]:
        rows = Sequences.of(data).histories(self.length + 1)  # (n_users, length + 1); 0 is padding
        rows = rows[(rows > 0).sum(axis=1) > 1]
        while True:
            batch = rows[rng.permutation(len(rows))]
            yield Epoch({"history": batch[:, :-1]}, batch[:, -1] - 1)

    def _fit(self, data: Dataset) -> None:
        self.histories_ = Sequences.of(data).histories(self.length)
        self.model_, self.history_ = train(
            lambda: self.build(data),
            self._epochs(data, np.random.default_rng(self.seed)),
            **{"n_epochs": self.n_epochs, "batch_size": self.batch_size, "seed": self.seed},
        )

    def _score_requests(self, requests: Requests) -> np.ndarray:
        history = requests.history
        if history is None:
            history = self.histories_[requests.users]
        return self.model_.predict({"history": history}, verbose=0)  # (n, n_items)
