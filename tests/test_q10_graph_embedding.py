"""Question 10: random walks on the user-item graph, skip-gram, and what its products mean."""

from __future__ import annotations

from types import ModuleType

import networkx as nx
import numpy as np
import pytest
from scipy import sparse, stats

from keras_recs.data import Dataset, from_matrix, split
from keras_recs.data.graph import bipartite

#: Nodes of degree 1, 2, 3 and 4 in no order, and none at 4.
UNEVEN = nx.Graph([(0, 1), (0, 2), (0, 3), (0, 5), (1, 2), (2, 6), (5, 6)])
UNEVEN.add_node(4)
SHORT = dict(dim=8, walks_per_node=20, walk_length=20, window=2)


@pytest.fixture(scope="module")
def uneven() -> sparse.csr_array:
    return nx.to_scipy_sparse_array(UNEVEN, nodelist=range(7), format="csr")


@pytest.fixture(scope="module")
def fans() -> Dataset:
    """30 users and 20 items, popularity falling with the item's number; items of the user's own parity are met
    three times as often. Nobody met item 20, and user 30 met nothing."""
    rng = np.random.default_rng(1)
    own = np.add.outer(np.arange(30), np.arange(20)) % 2 == 0
    met = rng.random((30, 20)) < np.linspace(0.7, 0.15, 20) * np.where(own, 1.3, 0.4)
    return from_matrix(np.pad(met.astype(float), ((0, 1), (0, 1))))


def context_shares(adjacency: sparse.csr_array, window: int) -> np.ndarray:
    """P[u, v]: v's share of all contexts of u. Distance d is inside a window drawn from 1 … w in w - d + 1 cases."""
    degree = np.maximum(adjacency.sum(axis=1), 1)
    step, at_distance = adjacency.toarray() / degree[:, None], np.eye(len(degree))
    shares = np.zeros(adjacency.shape)
    for distance in range(1, window + 1):
        at_distance = at_distance @ step
        shares += (window - distance + 1) * at_distance
    return shares / (window * (window + 1) / 2)


def trained_long(answer: ModuleType, data: Dataset, **settings: object):
    return answer.DeepWalk(**{**dict(
        n_factors=32, walks_per_node=150, walk_length=20, learning_rate=0.05, n_negatives=5), **settings}).fit(data)


# --- walks -------------------------------------------------------------------------------------------------------


@pytest.mark.shape
def test_shapes(answer: ModuleType, uneven: sparse.csr_array, fans: Dataset) -> None:
    """A walk per start, a vector per node, a row of scores per user."""
    assert answer.random_walks(uneven, np.array([0, 0, 6]), 5, np.random.default_rng(0)).shape == (3, 5)
    x, y = answer.embed(uneven, **SHORT)
    assert x.shape == y.shape == (7, 8) and x.dtype == np.float32
    graph = answer.DeepWalk(n_factors=4, walks_per_node=2).fit(fans)
    assert graph.user_factors_.shape == (31, 4) and graph.item_factors_.shape == (21, 4)


def test_walks_follow_edges_only(answer: ModuleType, uneven: sparse.csr_array) -> None:
    """A walk begins at its start, and each step goes along an edge from where the last one ended."""
    starts = np.array([0, 1, 2, 3, 5, 6] * 50)
    walks = answer.random_walks(uneven, starts, 30, np.random.default_rng(0))
    assert (walks[:, 0] == starts).all()
    assert uneven.toarray()[walks[:, :-1], walks[:, 1:]].all(), "a step along no edge"


def test_every_neighbour_is_equally_likely(answer: ModuleType, uneven: sparse.csr_array) -> None:
    """From each node, the steps spread evenly over all its neighbours (chi-square)."""
    walks = answer.random_walks(uneven, np.repeat([0, 1, 2, 3, 5, 6], 400), 12, np.random.default_rng(3))
    here, there = walks[:, :-1].ravel(), walks[:, 1:].ravel()
    for node in (0, 1, 2, 5, 6):
        neighbours = sorted(UNEVEN[node])
        counts = np.bincount(there[here == node], minlength=7)[neighbours]
        assert counts.sum() > 1000 and stats.chisquare(counts).pvalue > 1e-3, f"from {node}: {counts}"


def test_walkers_choose_independently(answer: ModuleType, uneven: sparse.csr_array) -> None:
    """Walkers that stand on one node spread over its neighbours at once; they do not move as a flock."""
    first = answer.random_walks(uneven, np.zeros(1000, int), 2, np.random.default_rng(0))[:, 1]
    counts = np.bincount(first, minlength=7)[[1, 2, 3, 5]]
    assert stats.chisquare(counts).pvalue > 1e-3, f"a step after node 0, walkers on 1, 2, 3, 5: {counts}"


def test_the_corpus_visits_nodes_by_their_degrees(answer: ModuleType, uneven: sparse.csr_array) -> None:
    """In equilibrium: at the first step as at the last, a node is visited in proportion to its degree."""
    walks = np.concatenate(list(answer.corpus(uneven, 4000, 6, np.random.default_rng(0))))
    degree = np.array([UNEVEN.degree(v) for v in range(7)])
    for column in (0, 1, 5):
        counts = np.bincount(walks[:, column], minlength=7)
        assert counts[4] == 0, "node 4 has no edges"
        expected = 4000 * degree / degree.sum()
        there = degree > 0
        assert stats.chisquare(counts[there], expected[there]).pvalue > 1e-3, f"step {column}: {counts}"


def test_the_corpus_is_as_long_as_asked_and_never_held_at_once(
        answer: ModuleType, uneven: sparse.csr_array, monkeypatch: pytest.MonkeyPatch) -> None:
    """Walks come in blocks of bounded size, exactly as many as wanted, and only when asked for."""
    monkeypatch.setattr(answer, "BLOCK_NODES", 100)
    blocks = list(answer.corpus(uneven, 47, 10, np.random.default_rng(0)))
    assert [len(block) for block in blocks] == [10, 10, 10, 10, 7]
    endless = answer.corpus(uneven, 10 ** 12, 10, np.random.default_rng(0))
    assert next(iter(endless)).shape == (10, 10)


# --- vectors -----------------------------------------------------------------------------------------------------


def test_neighbours_in_the_karate_club_are_of_the_same_faction(answer: ModuleType) -> None:
    """Zachary's karate club: of each member's five nearest by cosine, nine in ten are of the member's own faction."""
    club = nx.karate_club_graph()
    nodes, (x, _) = answer.embed_graph(club, dim=16, walks_per_node=50, window=3)
    faction = np.array([club.nodes[v]["club"] for v in nodes])
    x = x / np.linalg.norm(x, axis=1, keepdims=True)
    cosine = x @ x.T
    np.fill_diagonal(cosine, -np.inf)
    nearest = np.argsort(-cosine, axis=1)[:, :5]  # (34, 5)
    assert (faction[nearest] == faction[:, None]).mean() > 0.85


def test_rows_are_in_the_order_of_the_nodes(answer: ModuleType) -> None:
    """Row r of the vectors belongs to node r, whatever the nodes are called and however often they are visited."""
    names = list("zyxwvutsrq")
    graph = nx.Graph([("z", "y"), ("y", "x"), ("x", "z")] + [("t", b) for b in "wvusrq"] + [("w", "v"), ("s", "r")])
    nodes, (x, y) = answer.embed_graph(graph, dim=8, walks_per_node=300, walk_length=10, window=1, learning_rate=0.05)
    assert sorted(nodes) == sorted(names)
    near = x @ y.T  # of who can follow whom
    edges = nx.to_numpy_array(graph, nodelist=nodes) > 0
    assert near[edges].min() > near[~edges].max(), "an edge is likelier than no edge"


def test_only_undirected_graphs_with_edges_are_taken(answer: ModuleType) -> None:
    """On a directed graph a walk could end; without an edge there is none to take."""
    for graph in (nx.DiGraph([(0, 1)]), nx.empty_graph(3)):
        with pytest.raises(ValueError, match="graph must be undirected and have an edge"):
            answer.embed_graph(graph)


def test_an_isolated_node_is_zero_and_changes_nothing(answer: ModuleType, uneven: sparse.csr_array) -> None:
    """A node without edges gets zeros, not NaN and not noise; the others' vectors are the same without it."""
    x, y = answer.embed(uneven, **SHORT)
    others = np.arange(7) != 4
    assert not x[4].any() and not y[4].any(), "nothing is known of node 4"
    without = answer.embed(uneven[others][:, others].tocsr(), **SHORT)
    assert np.array_equal(x[others], without.inputs) and np.array_equal(y[others], without.outputs)
    assert np.abs(y[others]).min() > 0, "trained vectors are not zero"


def test_the_same_seed_gives_the_same_vectors(answer: ModuleType, uneven: sparse.csr_array) -> None:
    """One worker and one seed: the same vectors to the last bit; another seed gives others."""
    first, again, other = (answer.embed(uneven, **SHORT, seed=seed) for seed in (5, 5, 6))
    same = np.array_equal(first.inputs, again.inputs) and np.array_equal(first.outputs, again.outputs)
    assert same, f"seed 5 twice: {first.inputs[0, :3]} and {again.inputs[0, :3]}"
    assert not np.allclose(first.inputs, other.inputs)
    walks = [next(iter(answer.corpus(uneven, 5, 9, np.random.default_rng(s)))) for s in (5, 5, 6)]
    assert np.array_equal(walks[0], walks[1]) and not np.array_equal(walks[0], walks[2])


# --- what the products mean --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("window", "exponent", "negatives"), [(3, 0.75, 5), (3, 0.25, 2), (5, 0.75, 5)])
def test_products_are_shifted_log_ratios(answer: ModuleType, fans: Dataset, window: int, exponent: float,
                                         negatives: int) -> None:
    """Trained long, x[u] · y[i] is the log-odds of i around u, minus the log of k times the noise's share of i."""
    graph = trained_long(answer, fans, window=window, noise_exponent=exponent, n_negatives=negatives,
                         walks_per_node=300)
    products = graph.user_factors_[:30] @ graph.item_factors_[:20].T  # (30, 20)
    chance = context_shares(bipartite(fans), window)[:30, 31:51]
    there = chance > 0  # what is out of reach has the log-odds -inf
    degree = np.diff(bipartite(fans).indptr)
    noise = np.where(degree > 0, degree ** exponent, 0)
    with np.errstate(divide="ignore"):
        expected = np.log(chance / (1 - chance)) - np.log(negatives * noise / noise.sum())[31:51]
    errors = (products - expected)[there]
    assert np.corrcoef(products[there], expected[there])[0, 1] > 0.95
    assert np.abs(errors).mean() < 0.35, f"the values differ; their spread is {expected[there].std():.2f}"
    assert abs(errors.mean()) < 0.15, "the shift by log k belongs to it"


def test_scores_are_log_odds(answer: ModuleType, fans: Dataset) -> None:
    """With a window of 1, a user's scores turn into probabilities of the next item that sum to 1."""
    scores = trained_long(answer, fans, window=1).score(np.arange(30))
    chances = 1 / (1 + np.exp(-scores))  # (30, 21)
    assert chances.sum(axis=1).mean() == pytest.approx(1, abs=0.1)
    met = fans.matrix().toarray()[:30] > 0
    even = 1 / met.sum(axis=1)  # each of a user's items is equally likely
    assert np.abs(chances - np.where(met, even[:, None], 0)).mean() < 0.02


def test_the_popularity_term_is_exact(answer: ModuleType, fans: Dataset) -> None:
    """The bias is log(k q), q the noise's share: by hand, with degrees 4, 1, 1, and k = 2."""
    for exponent, shares in ((0.0, [1, 1, 1]), (0.5, [2, 1, 1]), (1.0, [4, 1, 1])):
        expected = np.log(2 * np.array(shares) / sum(shares))
        assert answer.log_noise(np.array([4, 1, 1]), 2, exponent) == pytest.approx(expected, abs=1e-6)
    for exponent in (0.25, 0.75):
        graph = answer.DeepWalk(4, 1, noise_exponent=exponent).fit(fans)
        gaps = graph.item_bias_[:20] - graph.item_bias_[0]
        assert gaps == pytest.approx(exponent * np.log(fans.popularity[:20] / fans.popularity[0]), abs=1e-5)


def test_scores_are_input_times_output_plus_noise(answer: ModuleType, fans: Dataset) -> None:
    """Conditional: x of the user, y of the item, plus the noise. Dot: x of both, and nothing else."""
    settings = dict(walks_per_node=20, walk_length=10, window=3, n_negatives=5, noise_exponent=0.5, learning_rate=0.03)
    x, y = answer.embed(bipartite(fans), dim=6, seed=2, **settings)
    noise = answer.log_noise(np.diff(bipartite(fans).indptr), 5, 0.5)
    users = np.arange(31)
    conditional = answer.DeepWalk(6, seed=2, **settings).fit(fans)
    assert conditional.score(users) == pytest.approx(x[:31] @ y[31:].T + noise[31:], abs=1e-5)
    dot = answer.DeepWalk(6, seed=2, scoring="dot", **settings).fit(fans)
    assert dot.score(users) == pytest.approx(x[:31] @ x[31:].T, abs=1e-5)
    assert dot.item_bias_ is None


@pytest.mark.parametrize("exponent", [0.25, 1.0])
def test_popularity_is_lost_in_the_product_and_found_in_the_score(answer: ModuleType, exponent: float) -> None:
    """Where users take items by popularity alone, scores grow with log n at slope 1, products at slope 1 - a only."""
    rng = np.random.default_rng(0)
    data = from_matrix((rng.random((150, 24)) < np.geomspace(0.6, 0.05, 24)).astype(float))
    graph = trained_long(answer, data, n_factors=4, walks_per_node=100, window=5, noise_exponent=exponent)
    products = graph.user_factors_ @ graph.item_factors_.T
    activity = data.matrix().sum(axis=1)

    def slope(scores: np.ndarray) -> float:
        """By how much the log of what an item gets, over all users, grows with the log of its popularity."""
        return np.polyfit(np.log(data.popularity), np.log(activity @ np.exp(scores)), 1)[0]

    assert slope(graph.score(data.user_ids.ids)) == pytest.approx(1.0, abs=0.12)
    assert slope(products) == pytest.approx(1 - exponent, abs=0.12)


def test_whom_nobody_met_comes_late_and_who_met_nobody_gets_the_popular(answer: ModuleType, fans: Dataset) -> None:
    """An item without events is finite and far behind; a user without events gets no taste, only noise."""
    graph = trained_long(answer, fans, window=3, noise_exponent=0.75)
    assert np.isfinite(graph.item_bias_).all() and np.isfinite(graph.item_factors_).all()
    scores = graph.score(np.arange(31))
    assert np.isfinite(scores).all()
    assert (scores[:30, :20] > scores[:30, [20]]).mean() > 0.95
    assert scores[30] == pytest.approx(graph.item_bias_)
    assert np.argmax(scores[30]) == np.argmax(fans.popularity)


@pytest.mark.data
def test_movielens_bar(answer: ModuleType, ml100k: Dataset) -> None:
    """On MovieLens-100K (P1), NDCG@10 reaches 0.18, while the nearness of words stays below popularity (0.1189)."""
    from keras_recs.evaluation import evaluate, evaluate_scores

    parts = split(ml100k, "P1")
    graph = answer.DeepWalk().fit(parts.train)
    assert evaluate(graph, parts).metrics["ndcg@10"] > 0.18
    x, _ = answer.embed(bipartite(parts.train), dim=64)
    dot = evaluate_scores(x[:ml100k.n_users] @ x[ml100k.n_users:].T, parts)
    assert dot.metrics["ndcg@10"] < 0.1189
