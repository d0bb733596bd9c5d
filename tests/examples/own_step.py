"""A model with a training step and losses of its own, and no targets: pairs of items, ranked."""

from __future__ import annotations

from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

from keras_recs.core.factors import FactorRecommender
from keras_recs.core.hyperparameters import Count, Positive, Seed
from keras_recs.data import Dataset
from keras_recs.neural import Epoch, rows_with_negatives, train


@keras.saving.register_keras_serializable("examples")
class Ranker(keras.Model):
    """The first item of a row should rank above the others."""

    def train_step(self, rows: dict) -> dict:
        with tf.GradientTape() as tape:
            scores = self(rows, training=True)  # (batch, m)
            ranking = ops.mean(ops.softplus(scores[:, 1:] - scores[:, :1]))
            length = 0.01 * ops.mean(ops.square(scores))
            loss = ranking + length
        weights = self.trainable_weights
        self.optimizer.apply(tape.gradient(loss, weights), weights)
        return {"ranking": ranking, "length": length}


@dataclass(eq=False, repr=False)
class OwnStep(FactorRecommender):
    n_factors: Count = 8
    learning_rate: Positive = 0.02
    n_epochs: Count = 30
    batch_size: Count = 64
    seed: Seed = 0

    def build(self, data: Dataset) -> keras.Model:
        user_id = keras.Input((), dtype="int32", name="user_id")  # (batch,)
        item_id = keras.Input((None,), dtype="int32", name="item_id")  # (batch, m)
        p = layers.Embedding(data.n_users, self.n_factors, name="user")(user_id)
        q = layers.Embedding(data.n_items, self.n_factors, name="item")(item_id)
        scores = layers.Dot(axes=(1, 2))([p, q])  # (batch, m)
        model = Ranker({"user_id": user_id, "item_id": item_id}, scores)
        model.compile(keras.optimizers.Adam(self.learning_rate))
        return model

    def _fit(self, data: Dataset) -> None:
        rows = rows_with_negatives(data, 3, np.random.default_rng(self.seed))
        epochs = (Epoch(inputs) for inputs, _, _ in rows)
        sizes = {"n_epochs": self.n_epochs, "batch_size": self.batch_size}
        self.model_, self.history_ = train(
            lambda: self.build(data), epochs, **sizes, seed=self.seed
        )
        self.user_factors_ = self.model_.get_layer("user").get_weights()[0]
        self.item_factors_ = self.model_.get_layer("item").get_weights()[0]
