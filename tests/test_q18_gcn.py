"""Question 18: LightGCN and NGCF on the graph of users and items."""

from __future__ import annotations

from types import ModuleType

import keras
import numpy as np
import pytest
import tensorflow as tf
from conftest import checkerboard
from scipy import sparse

from keras_recs.data import Dataset, from_matrix, split
from keras_recs.data.graph import bipartite

#: u0 met i0 and i1, u1 met i1 and i2: a path i0 - u0 - i1 - u1 - i2. Nodes: 0 and 1 users, 2, 3 and 4 items.
PATH = from_matrix([[1, 1, 0], [0, 1, 1]])
#: The edge weights, by hand: 1 / root of the product of both degrees. The ends have one edge, the others two.
END, INNER = 1 / np.sqrt(2), 1 / 2
PATH_NORMALISED = np.array([[0, 0, END, INNER, 0],
                            [0, 0, 0, INNER, END],
                            [END, 0, 0, 0, 0],
                            [INNER, INNER, 0, 0, 0],
                            [0, END, 0, 0, 0]])


@pytest.fixture(scope="module")
def crowd() -> Dataset:
    """30 users, 20 items, about 150 edges; the last user and the last item have none."""
    rng = np.random.default_rng(3)
    met = rng.random((30, 20)) < np.linspace(0.6, 0.05, 20)
    met[-1], met[:, -1] = False, False
    return from_matrix(met.astype(float))


def build(answer: ModuleType, data: Dataset, kind: str = "LightGCN", **settings: object) -> keras.Model:
    keras.utils.set_random_seed(0)
    return getattr(answer, kind)(**{"dim": 4, "reg": 0.0, **settings}).build(
        data.n_users, data.n_items, bipartite(data))


def encoder(model: keras.Model, embeddings: np.ndarray | None = None) -> keras.Layer:
    """The convolution of a model, with these E(0)."""
    layer = model.get_layer("convolution")
    if embeddings is not None:
        layer.embeddings.assign(embeddings)
    return layer


def filter_of(answer: ModuleType, data: Dataset, n_layers: int, **settings: object) -> np.ndarray:
    """What the convolutions do to any E(0), as one matrix: their answer to E(0) = I."""
    n = data.n_users + data.n_items
    layer = encoder(build(answer, data, n_layers=n_layers, dim=n, **settings), np.eye(n))
    return keras.ops.convert_to_numpy(layer.nodes())


def normalised(data: Dataset) -> np.ndarray:
    """D^-1/2 A D^-1/2, dense, edge by edge."""
    adjacency = bipartite(data).toarray()
    degree = adjacency.sum(axis=1)
    out = np.zeros_like(adjacency)
    for a, b in np.argwhere(adjacency):
        out[a, b] = 1 / np.sqrt(degree[a] * degree[b])
    return out


def pairs(users: object, items: object) -> dict[str, np.ndarray]:
    return {"user_id": np.array(users, np.int32), "item_id": np.array(items, np.int32)}


@pytest.mark.shape
def test_shapes(answer: ModuleType) -> None:
    """Rows of m items give m scores, pairs give one, a user a row of scores."""
    model = build(answer, PATH)
    assert sorted(model.input) == ["item_id", "user_id"]
    assert model.predict(pairs([0, 1, 1], [[0, 1], [2, 0], [1, 1]]), verbose=0).shape == (3, 2)
    assert model.predict(pairs([0, 1, 1], [0, 1, 2]), verbose=0).shape == (3, 1)
    recommender = answer.LightGCN(dim=4, n_epochs=1, n_batches=2).fit(checkerboard())
    assert recommender.score([0, 1]).shape == (2, 20) and recommender.predict([0, 1], [2, 3]).shape == (2,)


# --- the graph ---------------------------------------------------------------------------------------------------


def test_one_propagation_is_worked_out_by_hand(answer: ModuleType) -> None:
    """One convolution is Â = D^-1/2 A D^-1/2: every edge over the roots of the degrees at both ends."""
    assert answer.normalised(bipartite(PATH)).toarray() == pytest.approx(PATH_NORMALISED, abs=1e-6)
    assert 2 * filter_of(answer, PATH, 1) - np.eye(5) == pytest.approx(PATH_NORMALISED, abs=1e-6)


@pytest.mark.parametrize("n_layers", [1, 2, 3, 5])
def test_layers_are_powers_and_their_mean(answer: ModuleType, crowd: Dataset, n_layers: int) -> None:
    """K layers give the mean of the powers 0 to K of Â, applied to E(0)."""
    hat = normalised(crowd)
    powers = [np.linalg.matrix_power(hat, k) for k in range(n_layers + 1)]
    assert filter_of(answer, crowd, n_layers) == pytest.approx(np.mean(powers, axis=0), abs=1e-5)


def test_vectors_come_from_the_graph(answer: ModuleType, crowd: Dataset) -> None:
    """Other edges between the same nodes, other scores."""
    rng = np.random.default_rng(0)
    other = crowd.seen.toarray()[rng.permutation(30)]
    ask = pairs(np.arange(10), np.arange(10))
    here, there = (build(answer, data).predict(ask, verbose=0) for data in (crowd, from_matrix(other)))
    assert np.abs(here - there).max() > 1e-3


@pytest.mark.parametrize("kind", ["LightGCN", "NGCF"])
def test_news_from_two_steps_away_arrive_with_two_layers(answer: ModuleType, kind: str) -> None:
    """u1 is two steps from u0: its vector reaches u0 with K = 2, and not with K = 1. i2 is three steps away."""
    for n_layers, within in ((0, [0]), (1, [0, 2, 3]), (2, [0, 1, 2, 3]), (3, [0, 1, 2, 3, 4])):
        layer = encoder(build(answer, PATH, n_layers=n_layers, kind=kind))
        rng = np.random.default_rng(0)
        before = rng.normal(size=(5, 4))
        heard = []
        for node in range(5):
            after = before.copy()
            after[node] += 1
            change = [keras.ops.convert_to_numpy(encoder_nodes(layer, e))[0] for e in (before, after)]
            if np.abs(np.subtract(*change)).max() > 1e-6:
                heard.append(node)
        assert heard == within, f"with {n_layers} layers"


def encoder_nodes(layer: keras.Layer, embeddings: np.ndarray) -> object:
    layer.embeddings.assign(embeddings)
    return layer.nodes()


@pytest.mark.parametrize("kind", ["LightGCN", "NGCF"])
def test_nodes_without_edges_stay_finite(answer: ModuleType, crowd: Dataset, kind: str) -> None:
    """A user without a history hears nothing, keeps its own vector over K + 1, and spoils nobody's."""
    layer = encoder(build(answer, crowd, n_layers=3, kind=kind))
    nodes = keras.ops.convert_to_numpy(layer.nodes())
    assert np.isfinite(nodes).all()
    if kind == "LightGCN":
        alone = keras.ops.convert_to_numpy(layer.embeddings)[[29, 49]]
        assert nodes[[29, 49]] == pytest.approx(alone / 4, abs=1e-6)


def test_users_and_items_are_different_nodes(answer: ModuleType) -> None:
    """User 1 and item 1 have vectors of their own; item i is node n_users + i."""
    layer = encoder(build(answer, PATH, n_layers=0), np.arange(20).reshape(5, 4))
    users, items = layer(np.array([0, 1]), np.array([[0, 2], [1, 1]]))
    assert np.array_equal(users, [[0, 1, 2, 3], [4, 5, 6, 7]])
    assert np.array_equal(items[0], [[8, 9, 10, 11], [16, 17, 18, 19]])
    assert np.array_equal(items[1], [[12, 13, 14, 15]] * 2)


def test_memory_grows_with_the_edges_and_not_with_their_square(answer: ModuleType) -> None:
    """30,000 nodes and 40,000 interactions: the model holds the vectors and two entries an interaction."""
    rng = np.random.default_rng(0)
    met = sparse.csr_array((np.ones(40_000, np.float32), (rng.integers(20_000, size=40_000),
                                                          rng.integers(10_000, size=40_000))), shape=(20_000, 10_000))
    data = from_matrix(met)
    model = build(answer, data, dim=2, n_layers=1)
    assert model.count_params() <= 2 * 30_000 + 4 * 2 * data.seen.nnz
    assert np.isfinite(model.predict(pairs([0, 19_999], [9_999, 0]), verbose=0)).all()


def test_a_graph_of_other_nodes_is_refused(answer: ModuleType) -> None:
    """The users' block alone, or a graph of another size, is an error that says what was expected."""
    with pytest.raises(ValueError, match=r"adjacency .* 2 users and 3 items, got shape \(2, 3\)"):
        answer.LightGCN().build(2, 3, PATH.seen)


# --- learning ----------------------------------------------------------------------------------------------------


def test_zero_layers_are_plain_matrix_factorisation(answer: ModuleType) -> None:
    """With K = 0 and BPR, scores and gradients are those of matrix factorisation by BPR."""
    model = build(answer, PATH, n_layers=0, loss="bpr")
    rng = np.random.default_rng(1)
    e = rng.normal(size=(5, 4))
    layer = encoder(model, e)
    p, q_pos, q_neg = e[0], e[2], e[4]  # user 0, its item 0, the unmet item 2
    assert model.predict(pairs([0], [[0, 2]]), verbose=0)[0] == pytest.approx([p @ q_pos, p @ q_neg], abs=1e-5)
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(model.loss(np.array([[1.0, 0.0]], np.float32), model(pairs([0], [[0, 2]]))))
    slope = tf.convert_to_tensor(tape.gradient(loss, layer.embeddings.value)).numpy()
    x = p @ (q_pos - q_neg)
    assert loss.numpy() == pytest.approx(np.log1p(np.exp(-x)), rel=1e-5)
    wrong = 1 / (1 + np.exp(x))  # σ(-x)
    expected = np.zeros((5, 4))
    expected[0], expected[2], expected[4] = -wrong * (q_pos - q_neg), -wrong * p, wrong * p
    assert slope == pytest.approx(expected, abs=1e-5)


def test_the_gradient_reaches_the_neighbours(answer: ModuleType, crowd: Dataset) -> None:
    """The gradient passes back through the whole filter: one pair teaches all nodes within K steps."""
    model = build(answer, crowd, n_layers=2)
    layer = encoder(model)
    user, item = 4, 2
    with tf.GradientTape() as tape:
        score = model(pairs([user], [[item]]))
    slope = tf.convert_to_tensor(tape.gradient(score, layer.embeddings.value)).numpy()
    hat = normalised(crowd)
    mean = (np.eye(50) + hat + hat @ hat) / 3
    nodes = mean @ keras.ops.convert_to_numpy(layer.embeddings)
    outer = np.zeros((50, 4))
    outer[user], outer[30 + item] = nodes[30 + item], nodes[user]
    assert slope == pytest.approx(mean.T @ outer, abs=1e-6)
    assert np.abs(slope[30 + np.flatnonzero(crowd.seen.toarray()[user])]).min() > 0, "items that the user met"


def test_bpr_is_worked_out_by_hand(answer: ModuleType) -> None:
    """BPR: -log σ(positive - negative), the mean over the negatives, wherever the positive stands."""
    scores, labels = np.array([[2.0, 1.0, -1.0], [0.0, 0.5, 0.0]], np.float32), np.array([[1, 0, 0], [0, 1, 0]])
    expected = [(np.log1p(np.exp(-1.0)) + np.log1p(np.exp(-3.0))) / 2, np.log1p(np.exp(-0.5))]
    found = answer.bpr(labels.astype(np.float32), scores)
    assert keras.ops.convert_to_numpy(found) == pytest.approx(np.array(expected), rel=1e-5)


def test_sampled_softmax_is_worked_out_by_hand(answer: ModuleType) -> None:
    """Sampled softmax: -log of the positive's share, itself among the rivals, safe for large scores."""
    scores = np.array([[2.0, 1.0, -1.0], [0.0, 0.5, 0.0], [300.0, 299.0, 0.0]], np.float32)
    labels = np.array([[1, 0, 0], [0, 1, 0], [0, 1, 0]], np.float32)
    e = np.exp
    expected = [-np.log(e(2) / (e(2) + e(1) + e(-1))), -np.log(e(0.5) / (e(0.5) + 2)), np.log(1 + e(1))]
    found = answer.sampled_softmax(labels, scores)
    assert np.isfinite(found).all()
    assert keras.ops.convert_to_numpy(found) == pytest.approx(np.array(expected), rel=1e-4)


@pytest.mark.parametrize("loss", ["softmax", "bpr"])
def test_the_model_is_trained_on_the_loss_asked_for(answer: ModuleType, loss: str) -> None:
    """`loss` chooses what is minimised: with two negatives the two losses differ."""
    model = build(answer, PATH, loss=loss)
    ask, labels = pairs([0, 1], [[0, 2, 2], [2, 0, 0]]), np.array([[1, 0, 0]] * 2, np.float32)
    s = model.predict(ask, verbose=0).astype(float)
    softmax, ranking = np.log(np.exp(s - s[:, :1]).sum(1)).mean(), np.log1p(np.exp(s[:, 1:] - s[:, :1])).mean()
    assert model.evaluate(ask, labels, verbose=0) == pytest.approx(softmax if loss == "softmax" else ranking, rel=1e-4)


def test_lightgcn_learns_the_vectors_and_nothing_else(answer: ModuleType, crowd: Dataset) -> None:
    """The only weights that LightGCN trains are E(0), with their price; the graph stays as it is."""
    model = build(answer, crowd, reg=0.5)
    assert [tuple(w.shape) for w in model.trainable_weights] == [(50, 4)]
    e = keras.ops.convert_to_numpy(encoder(model).embeddings)
    assert float(sum(model.losses)) == pytest.approx(0.5 * (e ** 2).sum(), rel=1e-5)


def test_one_layer_of_ngcf_is_worked_out_by_hand(answer: ModuleType) -> None:
    """NGCF on i0 - u0 - i1: LeakyReLU((E + ÂE) W1 + (E ⊙ ÂE) W2 + b), laid beside E."""
    data = from_matrix([[1, 1]])  # node 0 the user, nodes 1 and 2 the items; every edge weighs 1 / √2
    layer = encoder(build(answer, data, kind="NGCF", n_layers=1, dim=1), np.array([[2.0], [-1.0], [3.0]]))
    layer.weight_sum.assign([[[1.0]]])
    layer.weight_product.assign([[[0.5]]])
    layer.bias.assign([[-1.0]])
    heard = np.array([2.0, 2.0, 2.0]) / np.sqrt(2)  # -1 + 3 for the user, 2 for each item
    inside = np.array([2 + heard[0] + 0.5 * 2 * heard[0] - 1,
                       -1 + heard[1] - 0.5 * heard[1] - 1,
                       3 + heard[2] + 1.5 * heard[2] - 1])
    expected = np.where(inside > 0, inside, 0.2 * inside)
    assert inside[1] < 0, "one of the three meets the slope of 0.2"
    found = keras.ops.convert_to_numpy(layer.nodes())
    assert found == pytest.approx(np.column_stack([[2, -1, 3], expected]), rel=1e-5)


def test_what_is_served_is_what_was_trained(answer: ModuleType, crowd: Dataset) -> None:
    """Scores are those of the trained model, from vectors after all convolutions."""
    for kind in ("LightGCN", "NGCF"):
        settings = dict(dim=4, n_epochs=1, n_batches=3)
        recommender = getattr(answer, kind)(**settings).fit(crowd)
        everything = np.tile(np.arange(20), (30, 1))
        expected = recommender.model_.predict(pairs(np.arange(30), everything), verbose=0)
        known = np.diff(crowd.seen.indptr) > 0  # who has no events is served the mean user instead
        assert recommender.score(np.arange(30))[known] == pytest.approx(expected[known], abs=1e-5)
        assert np.ptp(expected) > 0.01


def test_a_saved_model_knows_its_graph(answer: ModuleType, crowd: Dataset, tmp_path: object) -> None:
    """The `.keras` file holds the edges: the model that comes back scores alike, and trains on."""
    for kind in ("LightGCN", "NGCF"):
        model = build(answer, crowd, kind=kind, loss="bpr")
        ask, labels = pairs([0, 7, 28], [[1, 2], [0, 3], [4, 4]]), np.array([[1, 0]] * 3, np.float32)
        model.fit(ask, labels, verbose=0)
        model.save(f"{tmp_path}/model.keras")
        loaded = keras.models.load_model(f"{tmp_path}/model.keras")
        assert loaded.predict(ask, verbose=0) == pytest.approx(model.predict(ask, verbose=0), abs=1e-6)
        assert np.isfinite(loaded.fit(ask, labels, verbose=0).history["loss"]).all()


def test_it_learns(answer: ModuleType) -> None:
    """`history_` holds the loss of every epoch, and it falls far below that of equal scores."""
    recommender = answer.LightGCN(
        dim=8, n_negatives=3, n_epochs=20, n_batches=3, learning_rate=0.04, reg=0.0).fit(checkerboard())
    loss = recommender.history_["loss"]
    assert len(loss) == 20 and loss[-1] < 0.4 * np.log(4)


@pytest.mark.data
def test_movielens_bar(answer: ModuleType, ml100k: Dataset) -> None:
    """On MovieLens-100K (P1), NDCG@10 is at least 0.1923, what RecBole's LightGCN reaches; popularity has 0.119."""
    from keras_recs.evaluation import evaluate

    parts = split(ml100k, "P1")
    recommender = answer.LightGCN().fit(parts.train)
    assert evaluate(recommender, parts).metrics["ndcg@10"] >= 0.1923
