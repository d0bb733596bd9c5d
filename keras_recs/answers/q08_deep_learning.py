"""Question 8. Build a deep-learning recommender.

NeuMF (He et al. 2017, "Neural Collaborative Filtering"): is this item for this user? Two branches
look at the pair, each with embeddings of its own.

    GMF    p[u] ⊙ q[i]              the products of matrix factorisation, before they are summed
    MLP    dense layers on [s[u]; t[i]]   any function of the two, learned

One dense layer weighs both branches into a logit, and the sigmoid makes it the probability of an
interaction. The data holds positives only; negatives are drawn anew for every epoch.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import keras
import numpy as np
from keras import layers

from keras_recs.core.heart import heart
from keras_recs.core.hyperparameters import Count, Counts, Dropout, NotNegative, Positive, Seed
from keras_recs.data.dataset import Dataset
from keras_recs.data.sampling import NegativeSampler
from keras_recs.neural import (
    Batch,
    KerasRecommender,
    embedding_penalty,
    enough_epochs,
    for_cold,
    thinner_side,
)

USUAL_REG = 3e-6  # L2 penalty of the embeddings
USUAL_EPOCHS = 10
# events of a user or item below which embeddings are penalised more: it helps at 8, and harms at 27
FEW = 12.0


@dataclass(eq=False, repr=False)
class NeuMF(KerasRecommender):
    """NeuMF on implicit feedback.

    `predict` gives the probability that a pair is a positive among the sampled ones (one in
    `n_negatives + 1` is); `score` and `recommend` rank by its logit, which does not saturate.

    Args:
        gmf_dim, mlp_dim: embedding sizes of the two branches.
        hidden: units of the dense layers of the MLP branch.
        dropout: share of the last layer's inputs left out in training: it must not lean on single
            products. It makes probabilities more honest; the ranking hardly changes.
        embedding_reg: L2 penalty of the embedding tables. None for 3e-6, and where users or items
            have fewer than 12 events on average the weight of one example (`embedding_penalty`).
        n_negatives: negatives for each positive.
        learning_rate: of Adam.
        n_epochs: None for 10 or, on a thin log, for 500 steps of training at least, in 10 to 40
        epochs. batch_size, seed: as the names say.

    Attributes:
        model_: the trained Keras model; inputs `user_id` and `item_id`, each (batch,), output
        (batch, 1). history_: "loss" -> loss of each epoch.
        embedding_reg_, n_epochs_: as given or as chosen.

    A user without events gets the mean embeddings of the others: what all like.

    >>> model = NeuMF(gmf_dim=4, mlp_dim=4, hidden=(8,)).build(n_users=10, n_items=20)
    >>> model.predict({"user_id": np.array([3, 3]), "item_id": np.array([0, 19])}, verbose=0).shape
    (2, 1)
    """

    score_layer = "logit"

    gmf_dim: Count = 64
    mlp_dim: Count = 16
    hidden: Counts = (32,)
    dropout: Dropout = 0.3
    embedding_reg: NotNegative | None = None
    n_negatives: Count = 8
    learning_rate: Positive = 0.003
    n_epochs: Count | None = None
    batch_size: Count = 8192
    seed: Seed = 0

    @heart(
        "Two inputs, four embedding tables, a GMF and an MLP branch, one logit, one probability; compiled."
    )
    def build(self, n_users: int, n_items: int) -> keras.Model:
        """The compiled model: `fit({"user_id": u, "item_id": i}, labels)` works on its own.

        Args:
            n_users, n_items: sizes of the tables; ids are indices below them.
        """
        user_id = keras.Input((), dtype="int32", name="user_id")  # (batch,)
        item_id = keras.Input((), dtype="int32", name="item_id")  # (batch,)

        gmf = layers.Multiply(name="gmf")(
            [
                self._table(n_users, self.gmf_dim, "user_gmf")(user_id),
                self._table(n_items, self.gmf_dim, "item_gmf")(item_id),
            ]
        )  # (batch, gmf_dim)

        mlp = layers.Concatenate(name="pair")(
            [
                self._table(n_users, self.mlp_dim, "user_mlp")(user_id),
                self._table(n_items, self.mlp_dim, "item_mlp")(item_id),
            ]
        )  # (batch, 2 · mlp_dim)
        for depth, units in enumerate(self.hidden):
            mlp = layers.Dense(units, activation="relu", name=f"mlp_{depth}")(mlp)  # (batch, units)

        both = layers.Concatenate(name="both")([gmf, mlp])  # (batch, gmf_dim + hidden[-1])
        logit = layers.Dense(1, name="logit")(layers.Dropout(self.dropout)(both))  # (batch, 1)
        probability = layers.Activation("sigmoid", dtype="float32", name="probability")(
            logit
        )  # (batch, 1)

        model = keras.Model({"user_id": user_id, "item_id": item_id}, probability, name="neumf")
        model.compile(
            optimizer=keras.optimizers.Adam(self.learning_rate), loss="binary_crossentropy"
        )
        return model

    def _build(self, data: Dataset) -> keras.Model:
        self.embedding_reg_ = USUAL_REG
        if thinner_side(data.seen) < FEW:
            self.embedding_reg_ = embedding_penalty(data.seen, USUAL_REG, 1 + self.n_negatives)
        examples = data.seen.nnz * (1 + self.n_negatives)  # in an epoch
        self.n_epochs_ = enough_epochs(
            data.seen, USUAL_EPOCHS, steps=-(-examples // self.batch_size)
        )
        if self.embedding_reg is not None:
            self.embedding_reg_ = self.embedding_reg
        if self.n_epochs is not None:
            self.n_epochs_ = self.n_epochs
        return self.build(data.n_users, data.n_items)

    def _n_epochs(self) -> int:
        return self.n_epochs_

    def _fit(self, data: Dataset) -> None:
        super()._fit(data)
        for layer in self.model_.layers:
            if isinstance(layer, layers.Embedding) and layer.name.startswith("user"):
                layer.embeddings.assign(for_cold(np.asarray(layer.embeddings), data.seen))

    def _penalty(self) -> float:
        """Of the embeddings: as `fit` has chosen it, or, where `build` is called on its own, the
        usual one."""
        return (
            getattr(self, "embedding_reg_", USUAL_REG)
            if self.embedding_reg is None
            else self.embedding_reg
        )

    def _table(self, n: int, dim: int, name: str) -> layers.Embedding:
        return layers.Embedding(
            n,
            dim,
            name=name,
            embeddings_initializer=keras.initializers.RandomNormal(stddev=0.05),
            embeddings_regularizer=keras.regularizers.L2(self._penalty()),
        )

    @heart(
        "Without end: every positive once and n_negatives fresh unmet items for each, shuffled, with labels."
    )
    def _epochs(self, data: Dataset, rng: np.random.Generator) -> Iterator[Batch]:
        users, items = data.seen.tocoo().coords
        sampler = NegativeSampler(data, seed=rng)
        while True:
            negatives = sampler.sample(users, self.n_negatives)  # (n_positives, n_negatives)
            user_id = np.concatenate([users, np.repeat(users, self.n_negatives)])
            item_id = np.concatenate([items, negatives.ravel()])
            label = (np.arange(len(user_id)) < len(users)).astype(np.float32)
            order = rng.permutation(
                np.flatnonzero(item_id >= 0)
            )  # -1: a user who has met everything
            yield (
                {
                    "user_id": user_id[order].astype(np.int32),
                    "item_id": item_id[order].astype(np.int32),
                },
                label[order, None],
            )


DeepLearningRecommender = NeuMF  # the published answer's name
