"""Question 11, pairwise ranking: `BPR`.

Say only that what a user met ranks above what they did not: minimise -log σ(s[u, i] - s[u, j]) for i
met and j sampled from the rest.

Source: Rendle et al. (2009), "BPR: Bayesian Personalized Ranking from Implicit Feedback".
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import layers, ops

from keras_recs.core.factors import FactorRecommender
from keras_recs.core.heart import heart
from keras_recs.core.hyperparameters import Count, NotNegative, Positive, Seed
from keras_recs.data.dataset import Dataset
from keras_recs.neural import (
    Epoch,
    RankingModel,
    embedding_penalty,
    enough_epochs,
    is_thin,
    rows_with_negatives,
    train,
)

USUAL_REG = 1e-5
USUAL_EPOCHS = 10
THIN_SHARE = 0.7  # of the weight of one event: the L2 penalty of a vector on a thin log


@keras.saving.register_keras_serializable(__name__)
@heart(
    "-log sigmoid of the positive's score minus each negative's, averaged over the row's negatives."
)
def bpr_loss(labels: Any, scores: Any) -> Any:
    """(batch,) from labels and scores (batch, m): one 1 and m - 1 zeros in each row of labels."""
    labels = ops.cast(labels, scores.dtype)
    positive = ops.sum(labels * scores, axis=-1, keepdims=True)  # (batch, 1)
    # softplus(-d) = -log σ(d), and does not overflow
    losses = ops.softplus(scores - positive)  # (batch, m)
    negatives = 1 - labels  # (batch, m)
    return ops.sum(negatives * losses, axis=-1) / ops.sum(negatives, axis=-1)


@dataclass(eq=False, repr=False)
class BPR(FactorRecommender):
    """Bayesian personalised ranking: score = p[u] · q[i] + b[i], learned from pairs of items.

    Args:
        n_factors: length of the vectors.
        reg: L2 penalty of the vectors. The item bias is free: popularity is no accident of the
            sample. None for 1e-5 and, where rows have fewer than 50 events, for 0.7 of one event
            (`embedding_penalty`).
        n_negatives: items that the user has not met, drawn anew in each epoch, for each one met.
        learning_rate: of Adam.
        init_scale: standard deviation of the first vectors.
        n_epochs: None for 10 or, on a thin log, for 500 steps of training at least, in 10 to 40
            epochs.
        batch_size, seed: as the names say.

    Attributes:
        model_: the trained Keras model; inputs `user_id` (batch,) and `item_id` (batch, m), output
            (batch, m).
        reg_, n_epochs_: as given or as chosen.
        user_factors_, item_factors_, item_bias_: p, q, b.
        history_: "loss" -> loss of each epoch.

    >>> from keras_recs.data import from_matrix
    >>> model = BPR(n_factors=4).build(from_matrix([[1, 0, 1], [0, 1, 0]]))
    >>> pairs = {"user_id": np.array([1, 1]), "item_id": np.array([[0, 2], [1, 2]])}
    >>> model.predict(pairs, verbose=0).shape
    (2, 2)
    """

    n_factors: Count = 64
    reg: NotNegative | None = None
    n_negatives: Count = 4
    learning_rate: Positive = 0.02
    init_scale: Positive = 0.1
    n_epochs: Count | None = None
    batch_size: Count = 4096
    seed: Seed = 0

    @heart(
        "User and item vectors, an item bias from 0, a score for each of the m items; compiled "
        "with bpr_loss."
    )
    def build(self, data: Dataset) -> keras.Model:
        """The compiled model: `fit({"user_id": u, "item_id": i}, labels)` works on its own.

        Args:
            data: says how many users and items there are; ids are indices below that.
        """
        reg = self._penalty(data)
        user_id = keras.Input((), dtype="int32", name="user_id")  # (batch,)
        item_id = keras.Input((None,), dtype="int32", name="item_id")  # (batch, m)

        p = self._table(data.n_users, "user", reg)(user_id)  # (batch, n_factors)
        q = self._table(data.n_items, "item", reg)(item_id)  # (batch, m, n_factors)
        bias = layers.Embedding(data.n_items, 1, embeddings_initializer="zeros", name="bias")
        b = bias(item_id)  # (batch, m, 1)

        affinity = ops.matmul(q, ops.expand_dims(p, -1))  # (batch, m, 1)
        scores = ops.squeeze(affinity + b, -1)  # (batch, m)

        model = RankingModel({"user_id": user_id, "item_id": item_id}, scores, name="bpr")
        model.compile(optimizer=keras.optimizers.Adam(self.learning_rate), loss=bpr_loss)
        return model

    def _table(self, n: int, name: str, reg: float) -> layers.Embedding:
        return layers.Embedding(
            n,
            self.n_factors,
            name=name,
            embeddings_initializer=keras.initializers.RandomNormal(stddev=self.init_scale),
            embeddings_regularizer=keras.regularizers.L2(reg),
        )

    def _epochs(self, data: Dataset, rng: np.random.Generator) -> Iterator[Epoch]:
        return rows_with_negatives(data, self.n_negatives, rng)

    def _fit(self, data: Dataset) -> None:
        self.reg_ = self._penalty(data)
        self.n_epochs_ = self._enough_epochs(data)
        self.model_, self.history_ = train(
            lambda: self.build(data),
            self._epochs(data, np.random.default_rng(self.seed)),
            n_epochs=self.n_epochs_,
            batch_size=self.batch_size,
            seed=self.seed,
            name=type(self).__name__,
        )
        self.user_factors_ = self.model_.get_layer("user").get_weights()[0]
        self.item_factors_ = self.model_.get_layer("item").get_weights()[0]
        self.item_bias_ = self.model_.get_layer("bias").get_weights()[0][:, 0]
        # never moved by training: random, and nobody's taste
        self.user_factors_[np.diff(data.seen.indptr) == 0] = 0

    def _penalty(self, data: Dataset) -> float:
        """The L2 penalty of the vectors, as given or as the data wants it."""
        if self.reg is not None:
            return self.reg
        if is_thin(data.seen):
            return THIN_SHARE * embedding_penalty(data.seen, USUAL_REG)
        return USUAL_REG

    def _enough_epochs(self, data: Dataset) -> int:
        if self.n_epochs is not None:
            return self.n_epochs
        n_steps = -(-data.seen.nnz // self.batch_size)  # in one epoch
        return enough_epochs(data.seen, USUAL_EPOCHS, n_steps)
