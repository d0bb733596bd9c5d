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
    Epoch,
    PairRecommender,
    embedding_penalty,
    enough_epochs,
    for_cold,
    thinner_side,
    train,
)

USUAL_REG = 3e-6  # L2 penalty of the embeddings
USUAL_EPOCHS = 10
# events of a user or item below which embeddings are penalised more: it helps at 8, and harms at 27
FEW = 12.0


@dataclass(eq=False, repr=False)
class NeuMF(PairRecommender):
    """NeuMF on implicit feedback.

    `predict` gives the probability that a pair is a positive among the sampled ones (one in
    `n_negatives + 1` is); `score` and `recommend` rank by its logit, which does not saturate.

    Args:
        gmf_dim, mlp_dim: embedding sizes of the two branches.
        hidden: units of the dense layers of the MLP branch.
        dropout: share of the last layer's inputs left out in training: it must not lean on single
            products. On MovieLens-100K the ranking gains from it on a random split,
            and shows no clear difference by time.
        embedding_reg: L2 penalty of the embedding tables. None for 3e-6, and where users or items
            have fewer than 12 events on average the weight of one example (`embedding_penalty`).
        n_negatives: negatives for each positive.
        learning_rate: of Adam.
        n_epochs: None for 10 or, on a thin log, for 500 steps of training at least, in 10 to 40
            epochs.
        batch_size, seed: as the names say.

    Attributes:
        model_: the trained Keras model; inputs `user_id` and `item_id`, each (batch,), output
            (batch, 1).
        history_: "loss" -> loss of each epoch.
        embedding_reg_, n_epochs_: as given or as chosen.

    A user without events gets the mean embeddings of the others: what all like.

    >>> from keras_recs.data import from_matrix
    >>> model = NeuMF(gmf_dim=4, mlp_dim=4, hidden=(8,)).build(from_matrix([[1, 0, 1], [0, 1, 0]]))
    >>> model.predict({"user_id": np.array([1, 1]), "item_id": np.array([0, 2])}, verbose=0).shape
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
        "Two inputs, four embedding tables, a GMF and an MLP branch, one logit, one probability; "
        "compiled."
    )
    def build(self, data: Dataset) -> keras.Model:
        """The compiled model: `fit({"user_id": u, "item_id": i}, labels)` works on its own.

        Args:
            data: says how many users and items there are; ids are indices below that.
        """
        reg = self._penalty(data)
        user_id = keras.Input((), dtype="int32", name="user_id")  # (batch,)
        item_id = keras.Input((), dtype="int32", name="item_id")  # (batch,)

        # GMF: what matrix factorisation multiplies, before it is summed
        p = self._table(data.n_users, self.gmf_dim, "user_gmf", reg)(user_id)  # (batch, gmf_dim)
        q = self._table(data.n_items, self.gmf_dim, "item_gmf", reg)(item_id)  # (batch, gmf_dim)
        gmf = layers.Multiply(name="gmf")([p, q])  # (batch, gmf_dim)

        # MLP: two vectors of its own side by side, through dense layers
        s = self._table(data.n_users, self.mlp_dim, "user_mlp", reg)(user_id)  # (batch, mlp_dim)
        t = self._table(data.n_items, self.mlp_dim, "item_mlp", reg)(item_id)  # (batch, mlp_dim)
        mlp = layers.Concatenate(name="pair")([s, t])  # (batch, 2 · mlp_dim)
        for depth, units in enumerate(self.hidden):
            mlp = layers.Dense(units, activation="relu", name=f"mlp_{depth}")(mlp)  # (batch, units)

        # the last layer weighs both branches
        both = layers.Concatenate(name="both")([gmf, mlp])  # (batch, gmf_dim + hidden[-1])
        logit = layers.Dense(1, name="logit")(layers.Dropout(self.dropout)(both))  # (batch, 1)
        # The loss gets the logit, not this: Keras keeps what is behind a sigmoid that comes last.
        # A loss from p itself, which is cut off near 0 and 1, has no gradient there.
        sigmoid = layers.Activation("sigmoid", dtype="float32", name="probability")
        probability = sigmoid(logit)  # (batch, 1)

        model = keras.Model({"user_id": user_id, "item_id": item_id}, probability, name="neumf")
        optimizer = keras.optimizers.Adam(self.learning_rate)
        model.compile(optimizer=optimizer, loss="binary_crossentropy")
        return model

    def _table(self, n: int, dim: int, name: str, reg: float) -> layers.Embedding:
        return layers.Embedding(
            n,
            dim,
            name=name,
            embeddings_initializer=keras.initializers.RandomNormal(stddev=0.05),
            embeddings_regularizer=keras.regularizers.L2(reg),
        )

    @heart(
        "Without end: every positive once and n_negatives fresh unmet items for each, shuffled, "
        "with labels."
    )
    def _epochs(self, data: Dataset, rng: np.random.Generator) -> Iterator[Epoch]:
        """Inputs `user_id` and `item_id`, (n,) each, and labels (n, 1)."""
        users, items = data.seen.tocoo().coords
        sampler = NegativeSampler(data, seed=rng)
        while True:
            # new negatives in every epoch
            negatives = sampler.sample(users, self.n_negatives)  # (n_positives, n_negatives)
            user_id = np.concatenate([users, np.repeat(users, self.n_negatives)])
            item_id = np.concatenate([items, negatives.ravel()])
            label = (np.arange(len(user_id)) < len(users)).astype(np.float32)
            # -1 is the negative of a user who has met everything
            order = rng.permutation(np.flatnonzero(item_id >= 0))
            inputs = {
                "user_id": user_id[order].astype(np.int32),
                "item_id": item_id[order].astype(np.int32),
            }
            yield Epoch(inputs, label[order, None])

    def _fit(self, data: Dataset) -> None:
        self.embedding_reg_ = self._penalty(data)
        self.n_epochs_ = self._enough_epochs(data)
        self.model_, self.history_ = train(
            lambda: self.build(data),
            self._epochs(data, np.random.default_rng(self.seed)),
            n_epochs=self.n_epochs_,
            batch_size=self.batch_size,
            seed=self.seed,
            name=type(self).__name__,
        )
        # training never moved a user without events: what all like is the better guess
        for layer in self.model_.layers:
            if isinstance(layer, layers.Embedding) and layer.name.startswith("user"):
                layer.embeddings.assign(for_cold(np.asarray(layer.embeddings), data.seen))

    def _penalty(self, data: Dataset) -> float:
        """The L2 penalty of the embeddings, as given or as the data wants it."""
        if self.embedding_reg is not None:
            return self.embedding_reg
        if thinner_side(data.seen) < FEW:
            return embedding_penalty(data.seen, USUAL_REG, 1 + self.n_negatives)
        return USUAL_REG

    def _enough_epochs(self, data: Dataset) -> int:
        if self.n_epochs is not None:
            return self.n_epochs
        n_examples = data.seen.nnz * (1 + self.n_negatives)
        n_steps = -(-n_examples // self.batch_size)  # in one epoch
        return enough_epochs(data.seen, USUAL_EPOCHS, n_steps)


DeepLearningRecommender = NeuMF  # the published answer's name
