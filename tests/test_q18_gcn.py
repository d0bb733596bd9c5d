"""Question 18: LightGCN and NGCF on the graph of users and items."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType

import keras
import numpy as np
import pytest
import tensorflow as tf
from conftest import checkerboard
from scipy import sparse

from keras_recs.data import Dataset, from_matrix, split
from keras_recs.data.graph import bipartite
from keras_recs.practice import expect

#: u0 met i0 and i1, u1 met i1 and i2: a path i0 - u0 - i1 - u1 - i2. Nodes: 0 and 1 users, 2, 3 and
#: 4 items.
PATH = from_matrix([[1, 1, 0], [0, 1, 1]])
#: The edge weights, by hand: 1 / root of the product of both degrees. The ends have one edge, the
#: others two.
END, INNER = 1 / np.sqrt(2), 1 / 2
PATH_NORMALISED = np.array(
    [
        [0, 0, END, INNER, 0],
        [0, 0, 0, INNER, END],
        [END, 0, 0, 0, 0],
        [INNER, INNER, 0, 0, 0],
        [0, END, 0, 0, 0],
    ]
)


@pytest.fixture(scope="module")
def crowd() -> Dataset:
    """30 users, 20 items, about 150 edges; the last user and the last item have none."""
    rng = np.random.default_rng(3)
    met = rng.random((30, 20)) < np.linspace(0.6, 0.05, 20)
    met[-1], met[:, -1] = False, False
    return from_matrix(met.astype(float))


def build(
    answer: ModuleType, data: Dataset, kind: str = "LightGCN", **settings: object
) -> keras.Model:
    keras.utils.set_random_seed(0)
    return getattr(answer, kind)(**{"n_factors": 4, "reg": 0.0, **settings}).build(data)


def encoder(model: keras.Model, embeddings: np.ndarray | None = None) -> keras.Layer:
    """The convolution of a model, with these E(0)."""
    layer = model.get_layer("convolution")
    if embeddings is not None:
        layer.embeddings.assign(embeddings)
    return layer


def filter_of(answer: ModuleType, data: Dataset, n_layers: int, **settings: object) -> np.ndarray:
    """What the convolutions do to any E(0), as one matrix: their answer to E(0) = I."""
    n = data.n_users + data.n_items
    layer = encoder(build(answer, data, n_layers=n_layers, n_factors=n, **settings), np.eye(n))
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


def convolution(
    answer: ModuleType,
    data: Dataset,
    embeddings: np.ndarray,
    kind: str = "LightGraphConvolution",
    n_layers: int = 1,
) -> keras.Layer:
    """The encoder by itself, without a model around it, on the graph of the data and with these E(0)."""
    graph = bipartite(data)
    layer = getattr(answer, kind)(
        data.n_users, data.n_items, graph.nnz, n_factors=embeddings.shape[1], n_layers=n_layers
    )
    layer.connect(graph)
    layer.embeddings.assign(embeddings)
    return layer


def wrong_edges(data: Dataset) -> dict[str, np.ndarray]:
    """What usually goes wrong in D^-1/2 A D^-1/2: sentence -> matrix."""
    adjacency = bipartite(data).toarray()
    degree = np.maximum(adjacency.sum(axis=1), 1)
    looped = adjacency + np.eye(len(adjacency))
    right = normalised(data)
    return {
        "neighbours are summed: no degree was looked at": adjacency,
        "only the receiver's degree counts, D^-1 A, a mean of the neighbours: the sender's does too": adjacency
        / degree[:, None],
        "only the sender's degree counts, A D^-1: the receiver's belongs there too": adjacency
        / degree,
        "divided by the degrees: their roots belong there": adjacency / np.outer(degree, degree),
        "divided by one root only": adjacency / np.sqrt(degree)[:, None],
        "multiplied by the roots of the degrees, not divided": adjacency
        * np.sqrt(np.outer(degree, degree)),
        "every node is its own neighbour: LightGCN has no self-loops, for the mean over layers keeps E(0)": looped
        / np.sqrt(np.outer(looped.sum(1), looped.sum(1))),
        "edges lead one way only: an item hears from its users as well": np.triu(right),
        "edges lead one way only: a user hears from its items as well": np.tril(right),
    }


def wrong_means(hat: np.ndarray, n_layers: int) -> dict[str, np.ndarray]:
    """What usually goes wrong between Â and the mean over layers: sentence -> matrix."""
    powers = np.array([np.linalg.matrix_power(hat, k) for k in range(n_layers + 1)])
    return {
        "the layers were summed: divide by K + 1": powers.sum(axis=0),
        "divided by K, but E(0) makes it K + 1 layers": powers.sum(axis=0) / max(n_layers, 1),
        "only the last layer is used: the mean over all keeps what a node is itself, and what is near": powers[
            -1
        ],
        "E(0) is left out of the mean: then a node hardly has a say in its own vector": powers[
            1:
        ].mean(axis=0),
        "nothing was propagated: this is E(0)": powers[0],
        "every layer starts from E(0) again: layer k + 1 propagates what layer k gave": (
            powers[0] + n_layers * powers[1]
        )
        / (n_layers + 1),
        "there is one layer too many": np.mean([*powers, powers[-1] @ hat], axis=0),
    }


@pytest.mark.shape
@pytest.mark.needs(
    "normalised",
    "sampled_softmax",
    "LightGraphConvolution.nodes",
    "LightGraphConvolution.call",
    "LightGCN.build",
)
def test_shapes(answer: ModuleType) -> None:
    """Rows of m items give m scores, pairs give one, a user a row of scores."""
    model = build(answer, PATH)
    named = (
        ", ".join(sorted(model.input)) if isinstance(model.input, dict) else "inputs without names"
    )
    expect.equal(
        named,
        "item_id, user_id",
        "the inputs go by the names user_id and item_id, as `fit` hands them over",
    )
    rows = model.predict(pairs([0, 1, 1], [[0, 1], [2, 0], [1, 1]]), verbose=0)
    expect.equal(
        str(rows.shape),
        "(3, 2)",
        "the model scores each of the m items in a user's row",
        mistakes={
            "a last axis of length 1 is left over": "(3, 2, 1)",
            "every user met every row: user b goes with row b only": "(3, 3, 2)",
        },
    )
    one = model.predict(pairs([0, 1, 1], [0, 1, 2]), verbose=0)
    expect.equal(
        str(one.shape), "(3, 1)", "pairs are rows of one item, as RankingModel makes of them"
    )
    recommender = answer.LightGCN(n_factors=4, n_epochs=1, n_batches=2).fit(checkerboard())
    expect.equal(
        str(recommender.score([0, 1]).shape),
        "(2, 20)",
        "two users get a row each, with a score for each of the 20 items",
    )
    expect.equal(
        str(recommender.predict([0, 1], [2, 3]).shape),
        "(2,)",
        "`predict` takes pairs, and gives one number a pair",
    )


# --- the graph ------------------------------------------------------------------------------------


@pytest.mark.needs("normalised")
def test_every_edge_is_divided_by_the_roots_of_both_degrees(
    answer: ModuleType, crowd: Dataset
) -> None:
    """Â = D^-1/2 A D^-1/2, by hand on a path and edge by edge on a crowd; no edges, no weights."""
    expect.equal(
        answer.normalised(bipartite(PATH)).toarray(),
        PATH_NORMALISED,
        "an edge weighs 1 over the roots of the degrees at both its ends, so that neither the busy user nor "
        "the hit drowns the rest",
        abs=1e-6,
        mistakes=wrong_edges(PATH),
    )
    found = answer.normalised(bipartite(crowd)).toarray()
    expect.true(
        np.isfinite(found),
        "a node without edges has the degree 0, and 0 ** -0.5 is infinite: it gets weight 0",
        weights_of_a_user_without_edges=found[29],
    )
    expect.equal(
        found,
        normalised(crowd),
        "the weights of a larger graph follow the same rule, and a node without "
        "edges keeps a row and "
        "a column of zeros",
        abs=1e-6,
        mistakes=wrong_edges(crowd),
    )


@pytest.mark.needs("normalised", "LightGraphConvolution.nodes")
@pytest.mark.parametrize("n_layers", [0, 1, 2, 3])
def test_the_vectors_are_the_mean_of_the_layers(answer: ModuleType, n_layers: int) -> None:
    """The encoder alone, on a path: what it makes of E(0) = I is the mean of the powers of Â."""
    layer = convolution(answer, PATH, np.eye(5), n_layers=n_layers)
    powers = [np.linalg.matrix_power(PATH_NORMALISED, k) for k in range(n_layers + 1)]
    expect.equal(
        keras.ops.convert_to_numpy(layer.nodes()),
        np.mean(powers, axis=0),
        f"with K = {n_layers} the vectors of all nodes are the mean of E(0) and of what 1 to K convolutions "
        "make of it",
        abs=1e-6,
        mistakes=wrong_means(PATH_NORMALISED, n_layers)
        if n_layers
        else {"with no layers the mean is E(0) itself": np.zeros((5, 5))},
    )


@pytest.mark.needs(
    "normalised", "LightGraphConvolution.nodes", "LightGraphConvolution.call", "LightGCN.build"
)
def test_one_propagation_is_worked_out_by_hand(answer: ModuleType) -> None:
    """One convolution is Â = D^-1/2 A D^-1/2: every edge over the roots of the degrees at both ends."""
    expect.equal(
        2 * filter_of(answer, PATH, 1) - np.eye(5),
        PATH_NORMALISED,
        "in the model with K = 1, twice the vectors less E(0) is Â E(0): one convolution, every edge over the "
        "roots of both degrees",
        abs=1e-6,
        mistakes={
            **wrong_edges(PATH),
            **{
                sentence: 2 * mean - np.eye(5)
                for sentence, mean in wrong_means(PATH_NORMALISED, 1).items()
            },
        },
    )


@pytest.mark.needs(
    "normalised", "LightGraphConvolution.nodes", "LightGraphConvolution.call", "LightGCN.build"
)
@pytest.mark.parametrize("n_layers", [1, 2, 3, 5])
def test_layers_are_powers_and_their_mean(
    answer: ModuleType, crowd: Dataset, n_layers: int
) -> None:
    """K layers give the mean of the powers 0 to K of Â, applied to E(0)."""
    hat = normalised(crowd)
    powers = [np.linalg.matrix_power(hat, k) for k in range(n_layers + 1)]
    expect.equal(
        filter_of(answer, crowd, n_layers),
        np.mean(powers, axis=0),
        f"the model's vectors with K = {n_layers} are the mean of Â⁰ E(0) to Â^{n_layers} E(0): near nodes by "
        "the first layers, far ones by the last",
        abs=1e-5,
        mistakes={
            **wrong_means(hat, n_layers),
            "n_layers never arrives: these are 3 layers, the encoder's default": np.mean(
                [np.linalg.matrix_power(hat, k) for k in range(4)], axis=0
            ),
        },
    )


@pytest.mark.needs(
    "normalised", "LightGraphConvolution.nodes", "LightGraphConvolution.call", "LightGCN.build"
)
def test_vectors_come_from_the_graph(answer: ModuleType, crowd: Dataset) -> None:
    """Other edges between the same nodes, other scores."""
    rng = np.random.default_rng(0)
    other = crowd.seen.toarray()[rng.permutation(30)]
    ask = pairs(np.arange(10), np.arange(10))
    here, there = (
        build(answer, data).predict(ask, verbose=0) for data in (crowd, from_matrix(other))
    )
    expect.true(
        np.abs(here - there).max() > 1e-3,
        "with other edges between the same nodes the scores are others: the convolution is connected to the "
        "adjacency that `build` is given",
        scores=here,
        on_another_graph=there,
    )


@pytest.mark.needs(
    "normalised",
    "LightGraphConvolution.nodes",
    "LightGraphConvolution.call",
    "NeuralGraphConvolution.nodes",
    "LightGCN.build",
)
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
            change = [
                keras.ops.convert_to_numpy(encoder_nodes(layer, e))[0] for e in (before, after)
            ]
            if np.abs(np.subtract(*change)).max() > 1e-6:
                heard.append(node)
        expect.equal(
            str(heard),
            str(within),
            f"with {n_layers} layers of {kind}, user 0 hears from the nodes within {n_layers} steps on the "
            "path and from no other: each layer starts from what the one before gave",
            mistakes={
                "it hears from nobody but itself: nothing is propagated": "[0]",
                "it hears from its neighbours only, however many layers there are": "[0, 2, 3]",
                "it hears as far as 3 layers reach, the encoder's default: n_layers never arrives": "[0, 1, 2, 3, 4]",
                "it does not hear from itself": str(within[1:]),
            },
        )


def encoder_nodes(layer: keras.Layer, embeddings: np.ndarray) -> object:
    layer.embeddings.assign(embeddings)
    return layer.nodes()


@pytest.mark.needs(
    "normalised",
    "LightGraphConvolution.nodes",
    "LightGraphConvolution.call",
    "NeuralGraphConvolution.nodes",
    "LightGCN.build",
)
@pytest.mark.parametrize("kind", ["LightGCN", "NGCF"])
def test_nodes_without_edges_stay_finite(answer: ModuleType, crowd: Dataset, kind: str) -> None:
    """A user without a history hears nothing, keeps its own vector over K + 1, and spoils nobody's."""
    layer = encoder(build(answer, crowd, n_layers=3, kind=kind))
    nodes = keras.ops.convert_to_numpy(layer.nodes())
    expect.true(
        np.isfinite(nodes),
        f"every vector of {kind} is finite: a node without edges hears nothing, and one "
        "NaN spreads to all in a few steps",
        user_without_edges=nodes[29],
    )
    if kind == "LightGCN":
        alone = keras.ops.convert_to_numpy(layer.embeddings)[[29, 49]]
        expect.equal(
            nodes[[29, 49]],
            alone / 4,
            "a node without edges has E(0) in the mean and zeros for the 3 "
            "layers: its own vector over 4",
            abs=1e-6,
            mistakes={
                "it is its own neighbour: LightGCN has no self-loops": alone,
                "it has lost its own vector": 0 * alone,
            },
        )


@pytest.mark.needs("normalised", "LightGraphConvolution.nodes", "LightGraphConvolution.call")
def test_users_and_items_are_different_nodes(answer: ModuleType) -> None:
    """User 1 and item 1 have vectors of their own; item i is node n_users + i."""
    layer = convolution(answer, PATH, np.arange(20).reshape(5, 4), n_layers=0)
    users, items = layer(np.array([0, 1]), np.array([[0, 2], [1, 1]]))
    expect.equal(
        users, [[0, 1, 2, 3], [4, 5, 6, 7]], "user u is node u: the first rows are the users'"
    )
    expect.equal(
        items,
        [[[8, 9, 10, 11], [16, 17, 18, 19]], [[12, 13, 14, 15]] * 2],
        "item i is node n_users + i, after all 2 users: user 1 and "
        "item 1 share nothing but a number",
        mistakes={
            "users and items share one range of ids: add n_users to an item's": [
                [[0, 1, 2, 3], [8, 9, 10, 11]],
                [[4, 5, 6, 7]] * 2,
            ]
        },
    )


@pytest.mark.needs(
    "normalised", "LightGraphConvolution.nodes", "LightGraphConvolution.call", "LightGCN.build"
)
def test_the_first_vectors_have_the_scale_asked_for(answer: ModuleType, crowd: Dataset) -> None:
    """`init_scale` is the standard deviation of E(0), whatever it is."""
    for scale in (0.01, 1.0):
        layer = encoder(build(answer, crowd, n_factors=64, init_scale=scale))
        found = float(np.std(keras.ops.convert_to_numpy(layer.embeddings)))
        expect.equal(
            found,
            scale,
            f"with init_scale={scale:g} the first vectors scatter as much: it is handed on to "
            "the convolution, which has a default of its own",
            rel=0.1,
        )


@pytest.mark.needs(
    "normalised", "LightGraphConvolution.nodes", "LightGraphConvolution.call", "LightGCN.build"
)
def test_memory_grows_with_the_edges_and_not_with_their_square(answer: ModuleType) -> None:
    """30,000 nodes and 40,000 interactions: the model holds the vectors and two entries an interaction."""
    rng = np.random.default_rng(0)
    met = sparse.csr_array(
        (
            np.ones(40_000, np.float32),
            (rng.integers(20_000, size=40_000), rng.integers(10_000, size=40_000)),
        ),
        shape=(20_000, 10_000),
    )
    data = from_matrix(met)
    model = build(answer, data, n_factors=2, n_layers=1)
    most = 2 * 30_000 + 4 * 2 * data.seen.nnz
    expect.true(
        model.count_params() <= most,
        "the model holds the vectors, and for each interaction two edges of two "
        "places and a weight: a dense table of 30,000 × 30,000 would take 3.6 GB",
        numbers_held=model.count_params(),
        at_most=most,
    )
    scores = model.predict(pairs([0, 19_999], [9_999, 0]), verbose=0)
    expect.true(
        np.isfinite(scores),
        "the last user and the last item are scored like all others",
        scores=scores,
    )


@pytest.mark.needs(
    "normalised",
    "LightGraphConvolution.nodes",
    "LightGraphConvolution.call",
    "LightGCN.build",
)
def test_a_graph_of_other_nodes_is_refused(answer: ModuleType) -> None:
    """The users' block alone, or a graph of another size, is an error that says what was expected."""
    with expect.error(
        ValueError,
        r"adjacency .* 2 users and 3 items, got shape \(2, 3\)",
        "the adjacency has a row and a column for every node: the users' block alone, 2 × 3, is refused "
        "before anything is looked up in it",
    ):
        build(answer, PATH).get_layer("convolution").connect(PATH.seen)


# --- learning -------------------------------------------------------------------------------------


@pytest.mark.needs(
    "normalised",
    "bpr",
    "LightGraphConvolution.nodes",
    "LightGraphConvolution.call",
    "LightGCN.build",
)
def test_zero_layers_are_plain_matrix_factorisation(answer: ModuleType) -> None:
    """With K = 0 and BPR, scores and gradients are those of matrix factorisation by BPR."""
    model = build(answer, PATH, n_layers=0, loss="bpr")
    rng = np.random.default_rng(1)
    e = rng.normal(size=(5, 4))
    layer = encoder(model, e)
    p, q_pos, q_neg = e[0], e[2], e[4]  # user 0, its item 0, the unmet item 2
    expect.equal(
        model.predict(pairs([0], [[0, 2]]), verbose=0)[0],
        [p @ q_pos, p @ q_neg],
        "a score is the inner product of a user's and an item's vector, and without "
        "layers these are rows of E(0)",
        abs=1e-5,
        mistakes={
            "users and items share one range of ids": [p @ e[0], p @ e[2]],
            "this is the cosine: vectors are not normalised": [
                p @ q / np.linalg.norm(p) / np.linalg.norm(q) for q in (q_pos, q_neg)
            ],
        },
    )
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(
            model.loss(np.array([[1.0, 0.0]], np.float32), model(pairs([0], [[0, 2]])))
        )
    slope = tf.convert_to_tensor(tape.gradient(loss, layer.embeddings.value)).numpy()
    x = p @ (q_pos - q_neg)
    expect.equal(
        loss.numpy(),
        np.log1p(np.exp(-x)),
        "with one negative, BPR's loss is -log σ of the difference of the two scores",
        rel=1e-5,
        mistakes={
            "the sign is wrong: the loss must fall as the positive rises above the negative": np.log1p(
                np.exp(x)
            ),
            "the positive is among its own negatives": (np.log1p(np.exp(-x)) + np.log(2)) / 2,
        },
    )
    wrong = 1 / (1 + np.exp(x))  # σ(-x)
    expected = np.zeros((5, 4))
    expected[0], expected[2], expected[4] = -wrong * (q_pos - q_neg), -wrong * p, wrong * p
    expect.equal(
        slope,
        expected,
        "the loss pulls the user and the item met together, and pushes the other item away, "
        "by 1 - σ of the difference; no other node is moved",
        abs=1e-5,
        mistakes={
            "the sign is wrong: what was met is pushed away": -expected * (1 - wrong) / wrong
        },
    )


@pytest.mark.needs(
    "normalised", "LightGraphConvolution.nodes", "LightGraphConvolution.call", "LightGCN.build"
)
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
    expect.equal(
        slope,
        mean.T @ outer,
        "a score comes from all nodes within two steps, so its gradient goes back to "
        "all of them, through the same filter",
        abs=1e-6,
        mistakes={
            "the gradient stops at the pair itself: neighbours are heard and never told": outer,
            "the gradient stops at the pair itself, and only what E(0) adds to the mean comes back": outer
            / 3,
        },
    )
    met = 30 + np.flatnonzero(crowd.seen.toarray()[user])
    expect.true(
        np.abs(slope[met]).min() > 0,
        "all items that the user met are taught by this pair, too",
        least=np.abs(slope[met]).min(),
    )


@pytest.mark.needs("bpr")
def test_bpr_is_worked_out_by_hand(answer: ModuleType) -> None:
    """BPR: -log σ(positive - negative), the mean over the negatives, wherever the positive stands."""
    scores, labels = (
        np.array([[2.0, 1.0, -1.0], [0.0, 0.5, 0.0]], np.float32),
        np.array([[1, 0, 0], [0, 1, 0]]),
    )

    def loss(x: float) -> float:
        return np.log1p(np.exp(-x))  # -log σ(x)

    sums = np.array([loss(1.0) + loss(3.0), 2 * loss(0.5)])
    found = keras.ops.convert_to_numpy(answer.bpr(labels.astype(np.float32), scores))
    expect.equal(
        str(found.shape),
        "(2,)",
        "the loss has one number for each row: Keras takes the mean over the batch",
        mistakes={
            "one number is left for the whole batch": "()",
            "the negatives were not averaged": "(2, 3)",
            "an axis of length 1 is left over": "(2, 1)",
        },
    )
    expect.equal(
        found,
        sums / 2,
        "the loss of a row is -log σ(positive - negative), the mean over its two negatives, "
        "wherever the label says that the positive stands",
        rel=1e-5,
        mistakes={
            "the sign is wrong: the loss must fall as the positive rises above the negatives": [
                (loss(-1.0) + loss(-3.0)) / 2,
                loss(-0.5),
            ],
            "the logarithm is missing: a sigmoid is flat where the order is worst, and teaches nothing there": [
                (1 - np.exp(-loss(1.0)) + 1 - np.exp(-loss(3.0))) / 2,
                1 - np.exp(-loss(0.5)),
            ],
            "the losses of the negatives were summed, not averaged": sums,
            "the positive is among its own negatives: average where the label is 0": (
                sums + np.log(2)
            )
            / 3,
            "the sum is over the negatives, but divided by all places of the row": sums / 3,
            "the first item was taken for the positive: the label says which one it is": [
                sums[0] / 2,
                (loss(-0.5) + loss(0.0)) / 2,
            ],
        },
    )


@pytest.mark.needs("bpr")
def test_bpr_teaches_where_the_order_is_worst(answer: ModuleType) -> None:
    """A negative far above its positive costs as much as it is above, and pulls with full force."""
    labels = np.array([[1, 0], [1, 0]], np.float32)
    scores = tf.Variable([[0.0, 30.0], [0.0, 120.0]])
    with tf.GradientTape() as tape:
        found = tf.convert_to_tensor(answer.bpr(labels, scores))
    expect.equal(
        found.numpy(),
        [30, 120],
        "where the negative stands 30 or 120 above, the loss is 30 or 120: the log "
        "of a sigmoid that has become 0 is endless, or cut off; softplus is neither",
        rel=1e-4,
        mistakes={"the log of 0 was taken: write softplus(negative - positive)": [30, np.inf]},
    )
    slope = tf.convert_to_tensor(tape.gradient(found, scores)).numpy()
    expect.equal(
        slope,
        [[-1, 1], [-1, 1]],
        "these are the rows that have the most to learn: the slope is -1 and 1 there, not 0",
        abs=1e-3,
    )


@pytest.mark.needs("sampled_softmax")
def test_sampled_softmax_is_worked_out_by_hand(answer: ModuleType) -> None:
    """Sampled softmax: -log of the positive's share, itself among the rivals, safe for large scores."""
    scores = np.array([[2.0, 1.0, -1.0], [0.0, 0.5, 0.0], [300.0, 299.0, 0.0]], np.float32)
    labels = np.array([[1, 0, 0], [0, 1, 0], [0, 1, 0]], np.float32)
    e = np.exp
    expected = np.array(
        [-np.log(e(2) / (e(2) + e(1) + e(-1))), -np.log(e(0.5) / (e(0.5) + 2)), np.log(1 + e(1))]
    )
    found = keras.ops.convert_to_numpy(answer.sampled_softmax(labels, scores))
    expect.equal(
        str(found.shape),
        "(3,)",
        "the loss has one number for each row: Keras takes the mean over the batch",
        mistakes={
            "one number is left for the whole batch": "()",
            "an axis of length 1 is left over": "(3, 1)",
        },
    )
    expect.true(
        np.isfinite(found),
        "the loss is finite for scores of 300: exp(300) overflows, so take the largest out "
        "first, as logsumexp does",
        loss=found,
    )
    expect.equal(
        found,
        expected,
        "the loss of a row is -log of the positive's share in "
        "exp(score), among itself and its negatives",
        rel=1e-4,
        mistakes={
            "the sign is wrong: this is the log of the share, and it must rise": -expected,
            "the positive is not among those who share: the loss has no minimum then": [
                np.log(e(1) + e(-1)) - 2,
                np.log(2) - 0.5,
                1,
            ],
            "this is the share itself, without its logarithm": e(-expected),
            "the first item was taken for the positive: the label says which one it is": [
                expected[0],
                np.log(e(0.5) + 2),
                np.log(1 + e(1)) - 1,
            ],
            "the loss was divided by the length of the row": expected / 3,
        },
    )


@pytest.mark.needs(
    "normalised",
    "bpr",
    "sampled_softmax",
    "LightGraphConvolution.nodes",
    "LightGraphConvolution.call",
    "LightGCN.build",
)
@pytest.mark.parametrize("loss", ["softmax", "bpr"])
def test_the_model_is_trained_on_the_loss_asked_for(answer: ModuleType, loss: str) -> None:
    """`loss` chooses what is minimised: with two negatives the two losses differ."""
    model = build(answer, PATH, loss=loss)
    ask, labels = pairs([0, 1], [[0, 2, 2], [2, 0, 0]]), np.array([[1, 0, 0]] * 2, np.float32)
    s = model.predict(ask, verbose=0).astype(float)
    softmax, ranking = (
        np.log(np.exp(s - s[:, :1]).sum(1)).mean(),
        np.log1p(np.exp(s[:, 1:] - s[:, :1])).mean(),
    )
    asked, other = (softmax, ranking) if loss == "softmax" else (ranking, softmax)
    expect.equal(
        model.evaluate(ask, labels, verbose=0),
        asked,
        f"with loss={loss!r} the model minimises LOSSES[{loss!r}], the mean over its rows: a setting that is "
        "stored and never used chooses nothing",
        rel=1e-4,
        mistakes={"this is the other one of the two losses": other},
    )


@pytest.mark.needs(
    "normalised", "LightGraphConvolution.nodes", "LightGraphConvolution.call", "LightGCN.build"
)
def test_lightgcn_learns_the_vectors_and_nothing_else(answer: ModuleType, crowd: Dataset) -> None:
    """The only weights that LightGCN trains are E(0), with their L2 penalty; the graph stays as it is."""
    model = build(answer, crowd, reg=0.5)
    shapes = str([tuple(w.shape) for w in model.trainable_weights])
    expect.equal(
        shapes,
        "[(50, 4)]",
        "LightGCN trains the vectors E(0) of all 50 nodes and nothing else: no layer has "
        "weights, and the edges are data",
        mistakes={
            "the edge weights are trained too: the graph would drift": f"[(50, 4), ({2 * crowd.seen.nnz},)]"
        },
    )
    e = keras.ops.convert_to_numpy(encoder(model).embeddings)
    penalty = (e**2).sum()
    expect.equal(
        float(sum(model.losses)),
        0.5 * penalty,
        "the penalty is reg times the sum of squares of E(0), once",
        rel=1e-5,
        mistakes={
            "reg never arrives": 0.0,
            "reg has no effect on the penalty": penalty,
            "half of it is missing": 0.25 * penalty,
            "it is paid twice": penalty,
            "this is a mean, not a sum": 0.5 * (e**2).mean(),
        },
    )


@pytest.mark.needs("normalised", "NeuralGraphConvolution.nodes")
def test_one_layer_of_ngcf_is_worked_out_by_hand(answer: ModuleType) -> None:
    """NGCF on i0 - u0 - i1: LeakyReLU((E + ÂE) W1 + (E ⊙ ÂE) W2 + b), laid beside E."""
    data = from_matrix(
        [[1, 1]]
    )  # node 0 the user, nodes 1 and 2 the items; every edge weighs 1 / √2
    layer = convolution(
        answer, data, np.array([[2.0], [-1.0], [3.0]]), kind="NeuralGraphConvolution"
    )
    layer.weight_sum.assign([[[1.0]]])
    layer.weight_product.assign([[[0.5]]])
    layer.bias.assign([[-1.0]])
    e = np.array([2.0, -1.0, 3.0])
    heard = np.array([2.0, 2.0, 2.0]) / np.sqrt(2)  # -1 + 3 for the user, 2 for each item
    inside = np.array(
        [
            2 + heard[0] + 0.5 * 2 * heard[0] - 1,
            -1 + heard[1] - 0.5 * heard[1] - 1,
            3 + heard[2] + 1.5 * heard[2] - 1,
        ]
    )
    assert inside[1] < 0, "the test itself sees the slope: one of the three nodes is below 0"

    def laid_beside(x: np.ndarray, slope: float = 0.2) -> np.ndarray:
        return np.column_stack([e, np.where(x > 0, x, slope * x)])

    expect.equal(
        keras.ops.convert_to_numpy(layer.nodes()),
        laid_beside(inside),
        "a layer of NGCF is LeakyReLU((E + ÂE) W1 + (E ⊙ ÂE) W2 + b), slope 0.2, and stands beside E(0)",
        rel=1e-5,
        mistakes={
            "the node's own vector is missing in the sum: (E + ÂE) W1": laid_beside(inside - e),
            "the neighbourhood is missing in the sum: (E + ÂE) W1": laid_beside(inside - heard),
            "the product is missing: (E ⊙ ÂE) W2 says how alike the two are": laid_beside(
                inside - 0.5 * e * heard
            ),
            "the product is of something else: E ⊙ ÂE, not ÂE alone": laid_beside(
                inside - 0.5 * e * heard + 0.5 * heard
            ),
            "the bias is missing": laid_beside(inside + 1),
            "there is no nonlinearity: one matrix could replace all layers": laid_beside(
                inside, 1.0
            ),
            "this is a ReLU: below 0 a LeakyReLU goes on with slope 0.2": laid_beside(inside, 0.0),
            "the slope is 0.3, not 0.2": laid_beside(inside, 0.3),
            "the slope is 0.01, not 0.2": laid_beside(inside, 0.01),
            "W1 and W2 have changed places": laid_beside(0.5 * (e + heard) + e * heard - 1),
        },
    )


@pytest.mark.needs("normalised", "NeuralGraphConvolution.nodes")
def test_two_layers_of_ngcf_stand_on_each_other(answer: ModuleType, crowd: Dataset) -> None:
    """Every layer has its own W1, W2 and b, reads the one before as it is, and ends in the same LeakyReLU."""
    rng = np.random.default_rng(0)
    embeddings = rng.normal(size=(50, 3)).astype(np.float32)
    layer = convolution(answer, crowd, embeddings, kind="NeuralGraphConvolution", n_layers=2)
    w1, w2 = rng.normal(size=(2, 2, 3, 3)).astype(np.float32)
    b = np.array([[0.1, 0.0, -0.1], [-1.0, -1.0, -1.0]], np.float32)  # much of layer 2 is below 0
    layer.weight_sum.assign(w1)
    layer.weight_product.assign(w2)
    layer.bias.assign(b)
    hat = normalised(crowd)

    def step(x: np.ndarray, k: int, slope: float = 0.2) -> np.ndarray:
        inside = (x + hat @ x) @ w1[k] + (x * (hat @ x)) @ w2[k] + b[k]
        return np.where(inside > 0, inside, slope * inside)

    def unit(x: np.ndarray) -> np.ndarray:
        return x / np.sqrt((x**2).sum(axis=1, keepdims=True) + 1e-12)

    first = step(embeddings, 0)
    second = step(first, 1)
    expect.equal(
        keras.ops.convert_to_numpy(layer.nodes()),
        np.hstack([embeddings, first, second]),
        "E(0), layer 1 and layer 2 stand side by side, layer 2 made of layer 1 by weights of its own",
        abs=1e-4,
        rel=1e-4,
        mistakes={
            "the last layer has no nonlinearity: below 0 it, too, goes on with slope 0.2": np.hstack(
                [embeddings, first, step(first, 1, slope=1.0)]
            ),
            "the layers are scaled to length 1: what a node says by its length is gone": np.hstack(
                [embeddings, unit(first), unit(second)]
            ),
            "layer 2 starts from E(0) again": np.hstack([embeddings, first, step(embeddings, 1)]),
            "both layers use the first weights": np.hstack([embeddings, first, step(first, 0)]),
        },
    )


@pytest.mark.needs("normalised", "NeuralGraphConvolution.nodes")
def test_ngcf_teaches_the_neighbours_too(answer: ModuleType, crowd: Dataset) -> None:
    """The gradient of one node's vector reaches every node within two steps."""
    rng = np.random.default_rng(1)
    layer = convolution(
        answer, crowd, rng.normal(size=(50, 3)), kind="NeuralGraphConvolution", n_layers=2
    )
    with tf.GradientTape() as tape:
        vector = tf.reduce_sum(tf.convert_to_tensor(layer.nodes())[4])
    slope = tf.convert_to_tensor(tape.gradient(vector, layer.embeddings.value)).numpy()
    hat = normalised(crowd)
    near = np.eye(50)[4] + hat[4] + (hat @ hat)[4] > 0
    expect.equal(
        np.flatnonzero(np.abs(slope).max(axis=1) > 0),
        np.flatnonzero(near),
        "user 4's vector is made of all "
        "nodes within two steps, and what is learned from it goes back to all of them",
        mistakes={
            "the gradient stops at the node itself: its neighbours are heard and never told": [4]
        },
    )


@pytest.mark.needs(
    "normalised",
    "sampled_softmax",
    "LightGraphConvolution.nodes",
    "LightGraphConvolution.call",
    "NeuralGraphConvolution.nodes",
    "LightGCN.build",
)
def test_what_is_served_is_what_was_trained(answer: ModuleType, crowd: Dataset) -> None:
    """Scores are those of the trained model, from vectors after all convolutions."""
    for kind in ("LightGCN", "NGCF"):
        settings = dict(n_factors=4, n_epochs=1, n_batches=3)
        recommender = getattr(answer, kind)(**settings).fit(crowd)
        everything = np.tile(np.arange(20), (30, 1))
        expected = recommender.model_.predict(pairs(np.arange(30), everything), verbose=0)
        e = keras.ops.convert_to_numpy(recommender.model_.get_layer("convolution").embeddings)
        known = np.diff(crowd.seen.indptr) > 0  # who has no events is served the mean user instead
        expect.equal(
            recommender.score(np.arange(30))[known],
            expected[known],
            f"what {kind} serves is what its model says: vectors "
            "after all convolutions, as in training",
            abs=1e-5,
            mistakes={
                "the list is made from E(0), as if there were no graph": (e[:30] @ e[30:].T)[known]
            },
        )
        expect.true(
            np.ptp(expected) > 0.01,
            f"scores of {kind} differ from pair to pair: equal ones rank nothing",
            spread=np.ptp(expected),
        )


@pytest.mark.needs(
    "normalised",
    "bpr",
    "LightGraphConvolution.nodes",
    "LightGraphConvolution.call",
    "NeuralGraphConvolution.nodes",
    "LightGCN.build",
)
def test_a_saved_model_knows_its_graph(
    answer: ModuleType, crowd: Dataset, tmp_path: object
) -> None:
    """The `.keras` file holds the edges: the model that comes back scores alike, and trains on."""
    for kind in ("LightGCN", "NGCF"):
        model = build(answer, crowd, kind=kind, loss="bpr")
        ask, labels = (
            pairs([0, 7, 28], [[1, 2], [0, 3], [4, 4]]),
            np.array([[1, 0]] * 3, np.float32),
        )
        model.fit(ask, labels, verbose=0)
        model.save(f"{tmp_path}/model.keras")
        loaded = keras.models.load_model(f"{tmp_path}/model.keras")
        expect.equal(
            loaded.predict(ask, verbose=0),
            model.predict(ask, verbose=0),
            f"a saved {kind} comes back with its graph and scores alike: edges are weights that are not "
            "trained, and so they are in the file",
            abs=1e-6,
        )
        loss = loaded.fit(ask, labels, verbose=0).history["loss"]
        expect.true(
            np.isfinite(loss),
            f"a {kind} that was loaded trains on: its loss is "
            "registered with Keras, like its layer",
            loss=loss,
        )


@pytest.mark.needs(
    "normalised",
    "sampled_softmax",
    "LightGraphConvolution.nodes",
    "LightGraphConvolution.call",
    "LightGCN.build",
)
def test_it_learns(answer: ModuleType) -> None:
    """`history_` holds the loss of every epoch, and it falls far below that of equal scores."""
    recommender = answer.LightGCN(
        n_factors=8, n_negatives=3, n_epochs=20, n_batches=3, learning_rate=0.04, reg=0.0
    ).fit(checkerboard())
    loss = recommender.history_["loss"]
    expect.equal(len(loss), 20, "history_ has one loss for each of 20 epochs")
    expect.true(
        loss[-1] < 0.4 * np.log(4),
        "the loss falls far below log 4, which equal scores for a positive and 3 "
        "negatives have: the pattern is plain, and a loss "
        "that rises has the wrong sign",
        first=loss[0],
        last=loss[-1],
        log_4=np.log(4),
    )


@pytest.mark.data
@pytest.mark.needs(
    "normalised",
    "sampled_softmax",
    "LightGraphConvolution.nodes",
    "LightGraphConvolution.call",
    "LightGCN.build",
)
def test_movielens_bar(answer: ModuleType, ml100k: Dataset, on_movielens: Callable) -> None:
    """On MovieLens-100K (P1), NDCG@10 is at least 0.1923, what RecBole's LightGCN reaches; popularity has 0.119."""
    from keras_recs.evaluation import evaluate

    parts = split(ml100k, "P1")
    recommender = on_movielens("LightGCN")
    reached = evaluate(recommender, parts).metrics["ndcg@10"]
    expect.true(
        reached >= 0.1923,
        "LightGCN ranks MovieLens-100K at least as well as "
        "RecBole's does; popularity reaches 0.119",
        ndcg_at_10=reached,
        at_least=0.1923,
    )
