"""Question 18. Recommend with a graph convolutional network.

Users and items are the nodes of a graph, every interaction is an edge. A node's vector should say
what its neighbours say: a user is the items they met, an item is its audience. One convolution
passes vectors along the edges, each edge divided by the roots of both degrees, so that neither the
busy user nor the hit drowns the rest:

    E(k+1) = Â E(k),    Â = D^-1/2 A D^-1/2

After k of them a node has heard from everybody within k steps. LightGCN (He et al. 2020) learns the
vectors E(0) and nothing else, and takes the mean of what the layers say:

    E = (E(0) + … + E(K)) / (K + 1),    score[u, i] = E[u] · E[n_users + i]

NGCF (Wang et al. 2019) has weights, a product and a nonlinearity in every layer, and lays the
layers side by side:

    E(k+1) = LeakyReLU((E(k) + Â E(k)) W1 + (E(k) ⊙ Â E(k)) W2 + b)

Sources: Kipf & Welling (2017), "Semi-Supervised Classification with Graph Convolutional Networks";
Wang et al. (2019), "Neural Graph Collaborative Filtering"; He et al. (2020), "LightGCN: Simplifying
and Powering Graph Convolution Network for Recommendation"; Rendle et al. (2009), "BPR: Bayesian
Personalized Ranking from Implicit Feedback".
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops
from scipy import sparse

from keras_recs.core.factors import FactorRecommender
from keras_recs.core.heart import heart
from keras_recs.core.hyperparameters import Count, CountOrZero, NotNegative, Positive, Seed
from keras_recs.data.dataset import Dataset
from keras_recs.data.graph import bipartite
from keras_recs.neural import (
    Epoch,
    RankingModel,
    embedding_penalty,
    events_per_row,
    for_cold,
    is_thin,
    rows_with_negatives,
    train,
)

RICH = 50.0  # events a row from which NGCF learns tastes rather than edges


@heart(
    "Divide every edge by the roots of the degrees at both its ends; a node without edges keeps "
    "its zeros."
)
def normalised(adjacency: sparse.csr_array) -> sparse.csr_array:
    """Â = D^-1/2 A D^-1/2, (n_nodes, n_nodes) float32, of a symmetric adjacency.

    >>> normalised(sparse.csr_array([[0, 1, 1], [1, 0, 0], [1, 0, 0]])).toarray().astype(float).round(2).tolist()
    [[0.0, 0.71, 0.71], [0.71, 0.0, 0.0], [0.71, 0.0, 0.0]]
    """
    degree = np.asarray(adjacency.sum(axis=1), np.float64)
    scale = np.where(degree > 0, np.maximum(degree, 1) ** -0.5, 0)
    scale = sparse.diags_array(scale)
    return (scale @ adjacency @ scale).tocsr().astype(np.float32)


@heart("Softplus of negative minus positive score, the mean over the negatives of each row.")
@keras.saving.register_keras_serializable(__name__)
def bpr(y_true: Any, y_pred: Any) -> Any:
    """-log σ(positive - negative), the mean over a row's negatives: (batch,). `y_true` marks the
    positive by 1."""
    positive = ops.sum(y_true * y_pred, axis=-1, keepdims=True)  # (batch, 1)
    negatives = 1 - y_true  # (batch, m)
    losses = negatives * ops.softplus(y_pred - positive)  # (batch, m)
    return ops.sum(losses, axis=-1) / ops.sum(negatives, axis=-1)


@heart("Minus the log of the positive's share in the softmax of its row.")
@keras.saving.register_keras_serializable(__name__)
def sampled_softmax(y_true: Any, y_pred: Any) -> Any:
    """-log of the positive's share in exp(score), among itself and the row's negatives:
    (batch,)."""
    positive = ops.sum(y_true * y_pred, axis=-1)  # (batch,)
    return ops.logsumexp(y_pred, axis=-1) - positive


LOSSES = {"softmax": sampled_softmax, "bpr": bpr}


@keras.saving.register_keras_serializable(__name__)
class LightGraphConvolution(layers.Layer):
    """LightGCN's encoder: ids in, vectors out, with the whole graph in between.

    Node u < n_users is user u, node n_users + i is item i: user 3 is not item 3.

    Args:
        n_users, n_items: nodes of either kind.
        n_edges: entries of the adjacency, 2 for each interaction. `connect` says which.
        n_factors: length of the vectors.
        n_layers: K, convolutions one after the other.
        reg: L2 penalty of E(0).
        init_scale: standard deviation of the first E(0).
    """

    def __init__(
        self,
        n_users: int,
        n_items: int,
        n_edges: int,
        n_factors: int = 64,
        n_layers: int = 3,
        reg: float = 0.0,
        init_scale: float = 0.1,
        **kwargs: Any,
    ) -> None:
        super().__init__(**{"dtype": "float32", **kwargs})
        self.config = {
            "n_users": n_users,
            "n_items": n_items,
            "n_edges": n_edges,
            "n_factors": n_factors,
            "n_layers": n_layers,
            "reg": reg,
            "init_scale": init_scale,
        }
        self.n_users = n_users
        self.n_nodes = n_users + n_items
        self.n_factors = n_factors
        self.n_layers = n_layers
        self.supports_jit = False  # XLA has no sparse product
        # E(0)
        self.embeddings = self.add_weight(
            shape=(self.n_nodes, n_factors),
            initializer=keras.initializers.RandomNormal(stddev=init_scale),
            regularizer=keras.regularizers.L2(reg) if reg else None,
            name="embeddings",
        )
        # The graph is part of the model: weights that are not trained, so that they are saved with
        # it.
        self.edges = self.add_weight(
            shape=(n_edges, 2), dtype="int64", initializer="zeros", trainable=False, name="edges"
        )
        self.edge_weights = self.add_weight(
            shape=(n_edges,), initializer="zeros", trainable=False, name="edge_weights"
        )

    def connect(self, adjacency: sparse.csr_array) -> None:
        """Take Â of this graph (n_nodes, n_nodes), sorted by row.

        Raises:
            ValueError: an adjacency of another shape.
        """
        if adjacency.shape != (self.n_nodes, self.n_nodes):
            raise ValueError(
                f"adjacency must have a row and a column for each of {self.n_users} users and "
                f"{self.n_nodes - self.n_users} items, got shape {adjacency.shape}"
            )
        graph = normalised(adjacency).tocoo()
        order = np.lexsort(graph.coords[::-1])
        self.edges.assign(np.column_stack(graph.coords)[order].astype(np.int64))
        self.edge_weights.assign(graph.data[order])

    def graph(self) -> Any:
        """Â as TensorFlow's compressed sparse rows: five to ten times as fast as
        `sparse_dense_matmul` on a CPU."""
        return tf.raw_ops.SparseTensorToCSRSparseMatrix(
            indices=ops.convert_to_tensor(self.edges),
            values=ops.convert_to_tensor(self.edge_weights),
            dense_shape=np.array([self.n_nodes, self.n_nodes], np.int64),
        )

    @heart(
        "The vectors of all nodes: the mean of E(0) and what 1, 2, … n_layers convolutions make "
        "of it."
    )
    def nodes(self) -> Any:
        """The vectors of all nodes: (n_nodes, n_factors)."""
        graph = self.graph()
        x = ops.convert_to_tensor(self.embeddings)  # (n_nodes, n_factors)
        total = x
        for _ in range(self.n_layers):
            x = propagate(graph, x)  # (n_nodes, n_factors)
            total = total + x
        return total / (self.n_layers + 1)

    @heart("The rows of the users, and those of the items, which come after all users.")
    def call(self, user_id: Any, item_id: Any) -> tuple[Any, Any]:
        """(batch,) and (batch, m) ids to vectors: (batch, n_factors) and (batch, m, n_factors)."""
        nodes = self.nodes()
        users = ops.take(nodes, user_id, axis=0)
        items = ops.take(nodes, self.n_users + item_id, axis=0)
        return users, items

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), **self.config}


@keras.saving.register_keras_serializable(__name__)
class NeuralGraphConvolution(LightGraphConvolution):
    """NGCF's encoder: weights, a product with the neighbourhood and a nonlinearity in every layer.

    Arguments as for `LightGraphConvolution`; the vectors have (n_layers + 1) · n_factors numbers.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        shape = (self.n_layers, self.n_factors, self.n_factors)
        # W1
        self.weight_sum = self.add_weight(
            shape=shape, initializer="glorot_uniform", name="weight_sum"
        )
        # W2
        self.weight_product = self.add_weight(
            shape=shape, initializer="glorot_uniform", name="weight_product"
        )
        self.bias = self.add_weight(
            shape=(self.n_layers, self.n_factors), initializer="zeros", name="bias"
        )

    @heart(
        "All layers of NGCF side by side: each from the one before by W1, W2, b and a LeakyReLU "
        "of slope 0.2."
    )
    def nodes(self) -> Any:
        """The vectors of all nodes: (n_nodes, (n_layers + 1) · n_factors)."""
        graph = self.graph()
        x = ops.convert_to_tensor(self.embeddings)  # (n_nodes, n_factors)
        outputs = [x]
        for k in range(self.n_layers):
            heard = propagate(graph, x)  # (n_nodes, n_factors)
            # what is alike counts twice: in the sum, and in the product number by number
            sums = (x + heard) @ self.weight_sum[k]
            products = (x * heard) @ self.weight_product[k]
            x = ops.leaky_relu(sums + products + self.bias[k], negative_slope=0.2)
            outputs.append(x)
        return ops.concatenate(outputs, axis=1)


def propagate(graph: Any, x: Any) -> Any:
    """Â x: every node gets the weighted sum of its neighbours' vectors, (n_nodes, n_factors).

    Â is symmetric, so the gradient passes back along the same edges: one more product with Â.
    """

    def product(vectors: Any) -> Any:
        return tf.raw_ops.SparseMatrixMatMul(a=graph, b=vectors)

    return tf.custom_gradient(lambda vectors: (product(vectors), product))(tf.convert_to_tensor(x))


@dataclass(eq=False, repr=False)
class LightGCN(FactorRecommender):
    """LightGCN on the graph of users and items.

    Every step passes all vectors over the whole graph, whatever its examples. So it is the number
    of steps in an epoch that is set, not the size of a batch: few, and large.

    Args:
        n_layers: K. With 0 the graph is not used: plain matrix factorisation.
        n_factors: length of the vectors E(0).
        loss: "softmax", the positive against all negatives of its row at once; or "bpr", against
            each on its own.
        reg: L2 penalty of E(0). None for 2e-6, and where rows have fewer than 50 events the weight
            of one of them (`embedding_penalty`).
        init_scale: standard deviation of the first E(0).
        n_negatives: negatives for each positive.
        learning_rate: of Adam.
        n_batches: steps in one epoch.
        n_epochs, seed: as the names say.

    Attributes:
        model_: the trained Keras model; inputs `user_id` (batch,) and `item_id` (batch, m), output
            (batch, m).
        user_factors_, item_factors_: the rows of E; a user without events has the mean of the
            others.
        reg_: as given or as chosen.
        history_: "loss" -> loss of each epoch.

    >>> from keras_recs.data import from_matrix
    >>> model = LightGCN(n_factors=4).build(from_matrix([[1, 1, 0], [0, 1, 1]]))
    >>> pairs = {"user_id": np.array([0, 1]), "item_id": np.array([[0, 1], [0, 2]])}
    >>> model.predict(pairs, verbose=0).shape
    (2, 2)
    """

    encoder: ClassVar[type[LightGraphConvolution]] = LightGraphConvolution

    n_layers: CountOrZero = 2
    n_factors: Count = 64
    loss: Literal["softmax", "bpr"] = "softmax"
    reg: NotNegative | None = None
    init_scale: Positive = 0.1
    n_negatives: Count = 16
    learning_rate: Positive = 0.03
    n_epochs: Count = 10
    n_batches: Count = 20
    seed: Seed = 0

    @heart(
        "Two inputs, one graph convolution that knows the adjacency, the inner products of its "
        "vectors; compiled."
    )
    def build(self, data: Dataset) -> keras.Model:
        """The compiled model: `fit({"user_id": u, "item_id": rows of items}, labels)` works on its
        own.

        Args:
            data: the graph; ids are indices below its numbers of users and items.
        """
        user_id = keras.Input((), dtype="int32", name="user_id")  # (batch,)
        item_id = keras.Input((None,), dtype="int32", name="item_id")  # (batch, m)

        adjacency = bipartite(data)
        convolution = self.encoder(
            data.n_users,
            data.n_items,
            adjacency.nnz,
            self.n_factors,
            self.n_layers,
            self._penalty(data),
            self.init_scale,
            name="convolution",
        )
        convolution.connect(adjacency)
        users, items = convolution(user_id, item_id)  # (batch, n_factors), (batch, m, n_factors)
        score = layers.Dot(axes=(1, 2), dtype="float32", name="score")([users, items])  # (batch, m)

        model = RankingModel({"user_id": user_id, "item_id": item_id}, score, name="gcn")
        model.compile(optimizer=keras.optimizers.Adam(self.learning_rate), loss=LOSSES[self.loss])
        return model

    def _epochs(self, data: Dataset, rng: np.random.Generator) -> Iterator[Epoch]:
        return rows_with_negatives(data, self.n_negatives, rng)

    def _fit(self, data: Dataset) -> None:
        self.reg_ = self._penalty(data)
        self.model_, self.history_ = train(
            lambda: self.build(data),
            self._epochs(data, np.random.default_rng(self.seed)),
            n_epochs=self.n_epochs,
            n_batches=self.n_batches,
            seed=self.seed,
            name=type(self).__name__,
        )
        nodes = ops.convert_to_numpy(self.model_.get_layer("convolution").nodes())
        self.user_factors_ = for_cold(nodes[: data.n_users], data.seen)
        self.item_factors_ = nodes[data.n_users :]

    def _penalty(self, data: Dataset) -> float:
        """The L2 penalty of E(0), as given or as the data wants it."""
        return embedding_penalty(data.seen, rich=2e-6) if self.reg is None else self.reg


@dataclass(eq=False, repr=False)
class NGCF(LightGCN):
    """NGCF on the graph of users and items: LightGCN with the layers that it dropped.

    Arguments and attributes as for `LightGCN`. It overfits sooner, hence fewer epochs by default.

    On a thin log it may rank below popularity, and `fit` warns of it below 50 events a row. The
    line is a judgement: on cinema, with 49, it ranks above popularity all the same; on a planted
    log of 48 it ranks below. A part of that is that it learns its own edges by heart: each positive
    is an edge, over which the user's vector already holds the item's. Trained on events that are
    left out of its graph it ranks better (NDCG@10 0.085 against 0.063 on a planted log of 11 events
    a row), and still below popularity (0.106); LightGCN, without W1 and W2, is ahead of it there.
    """

    encoder = NeuralGraphConvolution

    n_negatives: Count = 8
    n_epochs: Count = 6

    def _fit(self, data: Dataset) -> None:
        depth = events_per_row(data.seen)
        if depth < RICH or is_thin(data.seen):
            found = f"{depth:.0f} events a row, where {RICH:.0f} are wanted"
            if depth >= RICH:
                found = "its users or its items have few events, however many the others have"
            warnings.warn(
                f"{data.name!r} is thin for NGCF: {found}; it may rank below popularity, and "
                "LightGCN is the safer choice",
                UserWarning,
                stacklevel=3,
            )
        super()._fit(data)


GraphConvolutionalNetworkRecommender = LightGCN  # the published answer's name
