"""Question 10: random walks on the user-item graph, skip-gram, and what its products mean."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType

import networkx as nx
import numpy as np
import pytest
from scipy import sparse, stats

from keras_recs.data import Dataset, from_matrix, split
from keras_recs.data.graph import bipartite
from keras_recs.practice import expect

#: Nodes of degree 1, 2, 3 and 4 in no order, and none at 4.
UNEVEN = nx.Graph([(0, 1), (0, 2), (0, 3), (0, 5), (1, 2), (2, 6), (5, 6)])
UNEVEN.add_node(4)
SHORT = dict(n_factors=8, walks_per_node=20, walk_length=20, window=2)


@pytest.fixture(scope="module")
def uneven() -> sparse.csr_array:
    return nx.to_scipy_sparse_array(UNEVEN, nodelist=range(7), format="csr")


@pytest.fixture(scope="module")
def fans() -> Dataset:
    """30 users and 20 items, popularity falling with the item's number; items of the user's own
    parity are met three times as often. Nobody met item 20, and user 30 met nothing."""
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
    return answer.DeepWalk(
        **{
            **dict(
                n_factors=32, walks_per_node=150, walk_length=20, learning_rate=0.05, n_negatives=5
            ),
            **settings,
        }
    ).fit(data)


# --- walks ----------------------------------------------------------------------------------------


@pytest.mark.shape
@pytest.mark.needs("random_walks", "corpus", "skip_gram", "log_noise", "DeepWalk._fit")
def test_shapes(answer: ModuleType, uneven: sparse.csr_array, fans: Dataset) -> None:
    """A walk per start, a vector per node, a row of scores per user."""
    walks = answer.random_walks(uneven, np.array([0, 0, 6]), 5, np.random.default_rng(0))
    expect.equal(
        str(walks.shape),
        "(3, 5)",
        "three starts make three walks, of five nodes each, the start included",
        mistakes={
            "the start is not counted, or not there": "(3, 6)",
            "walks stand in columns": "(5, 3)",
        },
    )
    x, y = answer.embed(uneven, **SHORT)
    expect.equal(
        str(x.shape),
        "(7, 8)",
        "each of 7 nodes has a row of x, those without edges too",
        mistakes={"the node without edges has no row: rows are looked up by node number": "(6, 8)"},
    )
    expect.equal(
        str(y.shape), "(7, 8)", "each node has a vector as a word around others too, a row of y"
    )
    expect.equal(
        str(x.dtype),
        "float32",
        "vectors are float32, as gensim trains them: float64 holds nothing more",
    )
    graph = answer.DeepWalk(n_factors=4, walks_per_node=2).fit(fans)
    expect.equal(
        str(graph.user_factors_.shape),
        "(31, 4)",
        "of all nodes, the first 31 are the users",
        mistakes={"52 is all nodes: users and items": "(52, 4)"},
    )
    expect.equal(
        str(graph.item_factors_.shape),
        "(21, 4)",
        "of all nodes, those after the users are the 21 items",
        mistakes={"52 is all nodes: users and items": "(52, 4)"},
    )


@pytest.mark.needs("random_walks")
def test_walks_follow_edges_only(answer: ModuleType, uneven: sparse.csr_array) -> None:
    """A walk begins at its start, and each step goes along an edge from where the last one ended."""
    starts = np.array([0, 1, 2, 3, 5, 6] * 50)
    walks = answer.random_walks(uneven, starts, 30, np.random.default_rng(0))
    edge = uneven.toarray() > 0
    expect.equal(
        walks[:, 0],
        starts,
        "the first node of a walk is its start, in the order in which starts were given",
        mistakes={
            "walks begin with the first step: column 0 is the start itself": walks[:, 0]
            if edge[starts, walks[:, 0]].all()
            else np.full(len(starts), -1)
        },
    )
    along = edge[walks[:, :-1], walks[:, 1:]]

    def where(true: np.ndarray) -> float:
        """The share of steps along edges, where this explains them all."""
        return along.mean() if true.all() else np.nan

    expect.equal(
        along.mean(),
        1.0,
        "every step goes along an edge from where the last one ended: between other nodes "
        "there is no way",
        abs=0,
        rel=0,
        mistakes={
            "every step leaves from the start of the walk, not from where the last one ended": where(
                edge[walks[:, [0]], walks[:, 1:]]
            ),
            "every step leads to a neighbour of node 0: the places of row v begin at adjacency.indptr[v]": where(
                edge[0, walks[:, 1:]]
            ),
        },
    )


@pytest.mark.needs("random_walks")
def test_every_neighbour_is_equally_likely(answer: ModuleType, uneven: sparse.csr_array) -> None:
    """From each node, the steps spread evenly over all its neighbours (chi-square)."""
    walks = answer.random_walks(
        uneven, np.repeat([0, 1, 2, 3, 5, 6], 400), 12, np.random.default_rng(3)
    )
    here, there = walks[:, :-1].ravel(), walks[:, 1:].ravel()
    for node in (0, 1, 2, 5, 6):
        neighbours = sorted(UNEVEN[node])
        counts = np.bincount(there[here == node], minlength=7)[neighbours]
        expect.true(
            counts.sum() > 1000,
            f"walks pass node {node} often, along each of its edges: a walk that cannot "
            "come back there is no random walk",
            steps_from_it=counts.sum(),
        )
        expect.equal(
            np.count_nonzero(counts),
            len(neighbours),
            f"from node {node} each of its {len(neighbours)} neighbours is reached",
            mistakes={
                "one neighbour is never drawn: a number in [0, 1) times the degree, "
                "rounded down, is 0 … degree - 1 already": len(neighbours) - 1
            },
        )
        expect.true(
            stats.chisquare(counts).pvalue > 1e-3,
            f"from node {node} all neighbours are equally likely, whatever their own degree: popular ones are "
            "visited often enough by having many edges",
            n_neighbors=neighbours,
            steps_to_them=counts,
        )


@pytest.mark.needs("random_walks")
def test_a_walk_may_turn_back(answer: ModuleType, uneven: sparse.csr_array) -> None:
    """The next step does not depend on where the walk came from: one neighbour of four is the last node again."""
    walks = answer.random_walks(uneven, np.repeat([1, 2, 3, 5], 1000), 3, np.random.default_rng(4))
    through = walks[walks[:, 1] == 0]  # over node 0, which has four neighbours
    back = (through[:, 0] == through[:, 2]).mean()
    expect.true(
        abs(back - 0.25) < 0.06,
        "from node 0 each of its four neighbours is as likely as the others, the one "
        "that the walk came from among them",
        share_that_turns_back=back,
        expected_share=0.25,
    )


@pytest.mark.needs("random_walks")
def test_walkers_choose_independently(answer: ModuleType, uneven: sparse.csr_array) -> None:
    """Walkers that stand on one node spread over its neighbours at once; they do not move as a flock."""
    first = answer.random_walks(uneven, np.zeros(1000, int), 2, np.random.default_rng(0))[:, 1]
    counts = np.bincount(first, minlength=7)[[1, 2, 3, 5]]
    expect.equal(
        np.count_nonzero(counts),
        4,
        "of 1000 walkers on node 0, some go to each of its 4 neighbours",
        mistakes={
            "all walkers take the same step: draw a number for each, rng.random(len(here))": 1
        },
    )
    expect.true(
        stats.chisquare(counts).pvalue > 1e-3,
        "of 1000 walkers on node 0, about 250 go to each neighbour: each draws for itself",
        walkers_on_1_2_3_5=counts,
    )


@pytest.mark.needs("random_walks", "corpus")
def test_the_corpus_visits_nodes_by_their_degrees(
    answer: ModuleType, uneven: sparse.csr_array
) -> None:
    """In equilibrium: at the first step as at the last, a node is visited in proportion to its degree."""
    walks = np.concatenate(list(answer.corpus(uneven, 4000, 6, np.random.default_rng(0))))
    degree = np.array([UNEVEN.degree(v) for v in range(7)])
    for column in (0, 1, 5):
        counts = np.bincount(walks[:, column], minlength=7)
        expect.equal(
            counts[4],
            0,
            f"step {column} is never on node 4, which has no edges: no walk leads there, and "
            "none may start there",
        )
        expected = 4000 * degree / degree.sum()
        there = degree > 0
        expect.true(
            stats.chisquare(counts[there], expected[there]).pvalue > 1e-3,
            f"step {column} is on a node as often as its degree says: walks start at the end of a random edge, "
            "not at a random node, so popular nodes come more often from the start",
            visits=counts[there],
            expected_visits=expected[there],
        )


@pytest.mark.needs("random_walks", "corpus")
def test_the_corpus_is_as_long_as_asked_and_never_held_at_once(
    answer: ModuleType, uneven: sparse.csr_array, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Walks come in blocks of bounded size, exactly as many as wanted, and only when asked for."""
    monkeypatch.setattr(answer, "BLOCK_NODES", 100)
    lengths = [len(block) for block in answer.corpus(uneven, 47, 10, np.random.default_rng(0))]
    expect.equal(
        str(lengths),
        "[10, 10, 10, 10, 7]",
        "47 walks of 10 nodes come in blocks of BLOCK_NODES // length = 10, with 7 in the last: the learning "
        "rate is told of 47",
        mistakes={
            "the last block is as long as the others, 3 walks too many": "[10, 10, 10, 10, 10]",
            "the last block is missing": "[10, 10, 10, 10]",
            "all walks are made at once: memory grows with their number": "[47]",
            "walks come one by one, which is slow: let a block of them step together": str(
                [1] * 47
            ),
        },
    )
    endless = answer.corpus(uneven, 10**12, 10, np.random.default_rng(0))
    expect.equal(
        str(next(iter(endless)).shape),
        "(10, 10)",
        "the first block of 10 ** 12 walks is there at once: blocks are made when they are asked for, and "
        "forgotten after",
    )


@pytest.mark.needs("random_walks", "corpus")
def test_every_block_has_starts_of_its_own(
    answer: ModuleType, uneven: sparse.csr_array, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each block draws its starts anew: a graph of a million nodes is not walked from the same few."""
    monkeypatch.setattr(answer, "BLOCK_NODES", 100)
    first, second = list(answer.corpus(uneven, 40, 5, np.random.default_rng(0)))
    expect.true(
        not np.array_equal(first[:, 0], second[:, 0]),
        "the 20 walks of the second block start at the ends of "
        "20 other random edges than those of the first",
        starts_of_the_first=first[:, 0],
        starts_of_the_second=second[:, 0],
    )
    expect.true(
        not np.array_equal(first, second),
        "a generator goes on: the second block is not the first again",
    )


# --- vectors --------------------------------------------------------------------------------------


@pytest.mark.needs("random_walks", "corpus", "skip_gram")
def test_neighbours_in_the_karate_club_are_of_the_same_faction(answer: ModuleType) -> None:
    """Zachary's karate club: of each member's five nearest by cosine, nine in ten are of the member's own faction."""
    club = nx.karate_club_graph()
    nodes, (x, _) = answer.embed_graph(club, n_factors=16, walks_per_node=50, window=3)
    faction = np.array([club.nodes[v]["club"] for v in nodes])
    x = x / np.linalg.norm(x, axis=1, keepdims=True)
    cosine = x @ x.T
    np.fill_diagonal(cosine, -np.inf)
    nearest = np.argsort(-cosine, axis=1)[:, :5]  # (34, 5)
    share = (faction[nearest] == faction[:, None]).mean()
    expect.true(
        share > 0.85,
        "members of one faction of the karate club meet each other on walks, so their vectors "
        "are near: a share of about a half is that of untrained or mixed-up vectors",
        share_of_own_faction=share,
        at_least=0.85,
    )


@pytest.mark.needs("random_walks", "corpus", "skip_gram")
def test_rows_are_in_the_order_of_the_nodes(answer: ModuleType) -> None:
    """Row r of the vectors belongs to node r, whatever the nodes are called and however often they are visited."""
    names = list("zyxwvutsrq")
    graph = nx.Graph(
        [("z", "y"), ("y", "x"), ("x", "z")]
        + [("t", b) for b in "wvusrq"]
        + [("w", "v"), ("s", "r")]
    )
    nodes, (x, y) = answer.embed_graph(
        graph, n_factors=8, walks_per_node=300, walk_length=10, window=1, learning_rate=0.05
    )
    expect.equal(
        sorted(nodes), sorted(names), "all ten nodes are named, each once, beside their rows"
    )
    near = x @ y.T  # of who can follow whom
    edges = nx.to_numpy_array(graph, nodelist=nodes) > 0
    expect.true(
        near[edges].min() > near[~edges].max(),
        "with a window of 1, an edge has a larger product x · y than no edge: rows belong to their nodes "
        "(gensim sorts its vocabulary by frequency, unless told not to), and no "
        "step of a walk is dropped (`sample`)",
        least_of_an_edge=near[edges].min(),
        largest_of_no_edge=near[~edges].max(),
    )


@pytest.mark.needs("random_walks", "corpus", "skip_gram")
def test_the_learning_rate_arrives(answer: ModuleType, uneven: sparse.csr_array) -> None:
    """With hardly any learning rate the outputs stay where they start, at zero; with a larger one they move more."""
    largest = [
        np.abs(answer.embed(uneven, **SHORT, learning_rate=rate).outputs).max()
        for rate in (1e-4, 0.01, 0.1)
    ]
    expect.true(
        largest[0] < 0.1,
        "a learning rate of 0.0001 moves next to nothing: y stays near zero",
        largest_for_rates_of_1_100_and_1000_tenthousandths=largest,
    )
    expect.true(
        largest[1] < largest[2] and largest[1] > 10 * largest[0],
        "the larger the learning rate, the farther y "
        "moves from zero: equal vectors mean that it never arrives",
        largest_for_rates_of_1_100_and_1000_tenthousandths=largest,
    )


@pytest.mark.needs()
def test_only_undirected_graphs_with_edges_are_taken(answer: ModuleType) -> None:
    """On a directed graph a walk could end; without an edge there is none to take."""
    for graph, why in (
        (nx.DiGraph([(0, 1)]), "on a directed graph a walk could reach a node with no way on"),
        (nx.empty_graph(3), "without an edge there is no walk"),
    ):
        with expect.error(
            ValueError,
            "graph must be undirected and have an edge",
            f"{why}: such a graph is refused",
        ):
            answer.embed_graph(graph)


@pytest.mark.needs("random_walks", "corpus", "skip_gram")
def test_an_isolated_node_is_zero_and_changes_nothing(
    answer: ModuleType, uneven: sparse.csr_array
) -> None:
    """A node without edges gets zeros, not NaN and not noise; the others' vectors are the same without it."""
    x, y = answer.embed(uneven, **SHORT)
    others = np.arange(7) != 4
    expect.equal(
        x[4],
        np.zeros(8),
        "node 4 is on no walk, so nothing is known of it: its x is zero, not the random "
        "vector that training starts from",
        abs=0,
    )
    expect.equal(
        y[4],
        np.zeros(8),
        "node 4 stands around no other node: its y is zero, so that it adds nothing to a score",
        abs=0,
    )
    without = answer.embed(uneven[others][:, others].tocsr(), **SHORT)
    expect.equal(
        x[others],
        without.inputs,
        "a node without edges changes neither a walk nor the vocabulary, so the "
        "others' x are the same without it, to the last bit",
        abs=0,
        rel=0,
    )
    expect.equal(
        y[others],
        without.outputs,
        "the noise is drawn from nodes that are visited, so the others' y are the "
        "same without node 4, to the last bit",
        abs=0,
        rel=0,
    )
    expect.true(
        np.abs(y[others]).min() > 0,
        "training moves every number of the other nodes' y, which start from zero",
        smallest=np.abs(y[others]).min(),
    )


@pytest.mark.needs("random_walks", "corpus", "skip_gram")
def test_the_same_seed_gives_the_same_vectors(answer: ModuleType, uneven: sparse.csr_array) -> None:
    """One worker and one seed: the same vectors to the last bit; another seed gives others."""
    first, again, other = (answer.embed(uneven, **SHORT, seed=seed) for seed in (5, 5, 6))
    expect.equal(
        again.inputs,
        first.inputs,
        "seed 5 gives the same x twice: walks and training draw from the seed, "
        "and with one worker no race "
        "decides whose update comes first",
        abs=0,
        rel=0,
    )
    expect.equal(again.outputs, first.outputs, "seed 5 gives the same y twice, too", abs=0, rel=0)
    expect.true(
        not np.allclose(first.inputs, other.inputs),
        "seed 6 gives other vectors than seed 5: a seed that changes nothing is not used",
    )
    walks = [next(iter(answer.corpus(uneven, 5, 9, np.random.default_rng(s)))) for s in (5, 5, 6)]
    expect.equal(
        walks[1], walks[0], "the same generator gives the same walks: all chance comes from `rng`"
    )
    expect.true(
        not np.array_equal(walks[0], walks[2]),
        "another generator gives other walks: chance comes from `rng`, not from a seed of its own",
    )


# --- what the products mean -----------------------------------------------------------------------


@pytest.mark.needs("random_walks", "corpus", "skip_gram", "log_noise", "DeepWalk._fit")
@pytest.mark.parametrize(
    ("window", "exponent", "negatives"), [(3, 0.75, 5), (3, 0.25, 2), (5, 0.75, 5)]
)
def test_products_are_shifted_log_ratios(
    answer: ModuleType, fans: Dataset, window: int, exponent: float, negatives: int
) -> None:
    """Trained long, x[u] · y[i] is the log-odds of i around u, minus the log of k times the noise's share of i."""
    graph = trained_long(
        answer,
        fans,
        window=window,
        noise_exponent=exponent,
        n_negatives=negatives,
        walks_per_node=300,
    )
    products = graph.user_factors_[:30] @ graph.item_factors_[:20].T  # (30, 20)
    chance = context_shares(bipartite(fans), window)[:30, 31:51]
    there = chance > 0  # what is out of reach has the log-odds -inf
    degree = np.diff(bipartite(fans).indptr)
    noise = np.where(degree > 0, degree**exponent, 0)
    with np.errstate(divide="ignore"):
        expected = np.log(chance / (1 - chance)) - np.log(negatives * noise / noise.sum())[31:51]
    errors = (products - expected)[there]
    correlation = np.corrcoef(products[there], expected[there])[0, 1]
    expect.true(
        correlation > 0.95,
        "x of a user times y of an item follows log P(i | u) - log(k q[i]): that is what "
        "skip-gram learns (sg=1, sample=0), with this window and this noise",
        correlation=correlation,
        at_least=0.95,
    )
    expect.equal(
        errors.mean(),
        0.0,
        "the products lie at the level of log P(i | u) - log(k q[i]), on average: k, the "
        "number of negatives, shifts them all",
        abs=0.15,
        mistakes={
            "gensim's own 5 negatives were used, not n_negatives": np.log(negatives / 5)
            if negatives != 5
            else np.nan
        },
    )
    expect.true(
        np.abs(errors).mean() < 0.35,
        "each product is near log P(i | u) - log(k q[i]): training on all walks leaves little else",
        mean_error=np.abs(errors).mean(),
        spread_of_the_expected=expected[there].std(),
    )


@pytest.mark.needs("random_walks", "corpus", "skip_gram", "log_noise", "DeepWalk._fit")
def test_scores_are_log_odds(answer: ModuleType, fans: Dataset) -> None:
    """With a window of 1, a user's scores turn into probabilities of the next item that sum to 1."""
    scores = trained_long(answer, fans, window=1).score(np.arange(30))
    chances = 1 / (1 + np.exp(-scores))  # (30, 21)

    def total(shift: float) -> float:
        return (1 / (1 + np.exp(-scores - shift))).sum(axis=1).mean()

    reached = chances.sum(axis=1).mean()
    expect.equal(
        reached,
        1.0,
        "a user's chances of the next item add up to 1, once a score is log P: sigmoids of the "
        "scores are those chances",
        abs=0.1,
        rel=0,
        mistakes={
            "every chance is too small by a factor of k: the noise is k q, a true word meets k false ones": reached
            if abs(total(np.log(5)) - 1) < 0.1
            else np.nan
        },
    )
    met = fans.matrix().toarray()[:30] > 0
    even = 1 / met.sum(axis=1)  # each of a user's items is equally likely
    error = np.abs(chances - np.where(met, even[:, None], 0)).mean()
    expect.true(
        error < 0.02,
        "with a window of 1, the next node of a walk is one of the user's own items, each with "
        "the same chance; no step is dropped, or a walk jumps along no edge",
        mean_error=error,
    )


@pytest.mark.needs("log_noise")
def test_the_popularity_term_is_worked_out_by_hand(answer: ModuleType) -> None:
    """The term is log(k q), q the noise's share: with degrees 4, 1, 1, and k = 2; a loner gets half a visit."""
    for exponent, shares in ((0.0, [1, 1, 1]), (0.5, [2, 1, 1]), (1.0, [4, 1, 1])):
        expected = np.log(2 * np.array(shares) / sum(shares))
        expect.equal(
            answer.log_noise(np.array([4, 1, 1]), 2, exponent),
            expected,
            f"with exponent {exponent:g}, degrees 4, 1, 1 are drawn as noise {shares[0]} : 1 : 1; the term is "
            "the log of k = 2 times these shares of the noise",
            abs=1e-6,
            mistakes={
                "the sign is wrong: what the products lack is added, log(k q)": -expected,
                "k is missing: each true word meets k false ones": expected - np.log(2),
                "these are no shares: divide by the sum over all nodes": np.log(
                    2 * np.array(shares)
                ),
                "the logarithm is missing": np.exp(expected),
                "the noise exponent has no effect": np.log(2 * np.array([4, 1, 1]) / 6),
                "the exponent was applied to the shares after they were divided by their sum": np.log(
                    2 * (np.array([4, 1, 1]) / 6) ** exponent
                ),
            },
        )
    loner = answer.log_noise(np.array([4, 1, 1, 0]), 2, 0.5)
    expect.equal(
        loner,
        np.log([1, 0.5, 0.5, 0.5 / 6]),
        "a node without edges gets the log of half a visit among all 6, "
        "and takes no part in the noise",
        abs=1e-6,
        mistakes={
            "the log of no visit at all is minus infinity": np.r_[np.log([1, 0.5, 0.5]), -np.inf],
            "k times half a visit: no noise was drawn for it": np.log([1, 0.5, 0.5, 1 / 6]),
        },
    )


@pytest.mark.needs("random_walks", "corpus", "skip_gram", "log_noise", "DeepWalk._fit")
def test_the_popularity_term_is_exact(answer: ModuleType, fans: Dataset) -> None:
    """What the bias gives two items differs by the exponent times the log of how much more popular one is."""
    for exponent in (0.25, 0.75):
        graph = answer.DeepWalk(4, 1, noise_exponent=exponent).fit(fans)
        expect.true(
            graph.item_bias_ is not None,
            "there is an item bias: without it the noise is never put back",
            item_bias=graph.item_bias_,
        )
        gaps = graph.item_bias_[:20] - graph.item_bias_[0]
        ratio = np.log(fans.popularity[:20] / fans.popularity[0])
        expect.equal(
            gaps,
            exponent * ratio,
            f"with noise ~ n ** {exponent:g}, the bias of an item is {exponent:g} log n and a constant, n "
            "being its users: an item node's degree is its popularity",
            abs=1e-5,
            mistakes={
                "the whole of log n was put back: the noise took a part of it only": ratio,
                "the noise is taken away once more, not put back": -exponent * ratio,
                "no popularity was put back": np.zeros(20),
            },
        )


@pytest.mark.needs("random_walks", "corpus", "skip_gram", "log_noise", "DeepWalk._fit")
def test_scores_are_input_times_output_plus_noise(answer: ModuleType, fans: Dataset) -> None:
    """Conditional: x of the user, y of the item, plus the noise. Dot: x of both, and nothing else."""
    settings = dict(
        walks_per_node=20,
        walk_length=10,
        window=3,
        n_negatives=5,
        noise_exponent=0.5,
        learning_rate=0.03,
    )
    x, y = answer.embed(bipartite(fans), n_factors=6, seed=2, **settings)
    noise = answer.log_noise(np.diff(bipartite(fans).indptr), 5, 0.5)
    users = np.arange(31)
    conditional = answer.DeepWalk(6, seed=2, **settings).fit(fans)
    products = x[:31] @ y[31:].T
    expect.equal(
        conditional.score(users),
        products + noise[31:],
        "a score is x of the user times y of the item, as in training, plus the "
        "noise that the product lacks: log P(i | u)",
        abs=1e-5,
        mistakes={
            "the noise was not put back: the product alone marks popular items down": products,
            "the noise was taken away once more": products - noise[31:],
            "x of the item was taken: skip-gram multiplies x of one node by y of the other": x[:31]
            @ x[31:].T
            + noise[31:],
            "y of the user and x of the item were taken": y[:31] @ x[31:].T + noise[31:],
            "items were read from the first rows, where the users are: item i is node n_users + i": x[
                :31
            ]
            @ y[:21].T
            + noise[31:],
            "vectors and noise of the items were read from the first rows, where the users are": x[
                :31
            ]
            @ y[:21].T
            + noise[:21],
            "the noise was read from the first rows, where the users are": products + noise[:21],
        },
    )
    dot = answer.DeepWalk(6, seed=2, scoring="dot", **settings).fit(fans)
    nearness = x[:31] @ x[31:].T
    expect.equal(
        dot.score(users),
        nearness,
        'with scoring="dot" a score is the nearness of two words: x of both, '
        "whose contexts are alike",
        abs=1e-5,
        mistakes={
            "y of the item was taken: that is the conditional score without its noise": products,
            "the noise was added: a nearness lacks none": nearness + noise[31:],
            'scoring="dot" has no effect': products + noise[31:],
        },
    )
    expect.true(
        dot.item_bias_ is None,
        'with scoring="dot" there is no item bias: nothing was taken from a nearness',
        item_bias=dot.item_bias_,
    )


@pytest.mark.needs("random_walks", "corpus", "skip_gram", "log_noise", "DeepWalk._fit")
@pytest.mark.parametrize("exponent", [0.25, 1.0])
def test_popularity_is_lost_in_the_product_and_found_in_the_score(
    answer: ModuleType, exponent: float
) -> None:
    """Where users take items by popularity alone, scores grow with log n at slope 1, products at slope 1 - a only."""
    rng = np.random.default_rng(0)
    data = from_matrix((rng.random((150, 24)) < np.geomspace(0.6, 0.05, 24)).astype(float))
    graph = trained_long(
        answer, data, n_factors=4, walks_per_node=100, window=5, noise_exponent=exponent
    )
    products = graph.user_factors_ @ graph.item_factors_.T
    activity = data.matrix().sum(axis=1)

    def slope(scores: np.ndarray) -> float:
        """By how much the log of what an item gets, over all users, grows with the log of its popularity."""
        return np.polyfit(np.log(data.popularity), np.log(activity @ np.exp(scores)), 1)[0]

    # Trained for a while and not for ever, both lie 0 to 0.11 above their limits; their difference
    # is exact.
    found, lost = slope(graph.score(data.user_ids.ids)), slope(products)
    expect.equal(
        found - lost,
        exponent,
        f"the score has {exponent:g} log n more than the product: that is what noise "
        f"~ n ** {exponent:g} takes away",
        abs=1e-3,
        rel=0,
        mistakes={
            "the whole of log n was put back: the noise took a part of it only": 1.0,
            "nothing was put back": 0.0,
            "it was taken away once more": -exponent,
        },
    )
    expect.equal(
        found,
        1.0,
        "scores grow with log n at slope 1, where users take items by popularity alone: an item "
        "with twice the users is twice as likely",
        abs=0.2,
        rel=0,
    )
    expect.equal(
        lost,
        1 - exponent,
        f"products grow with log n at slope 1 - {exponent:g} only: the noise, drawn with "
        "this exponent, marks popular items down",
        abs=0.2,
        rel=0,
    )


@pytest.mark.needs("random_walks", "corpus", "skip_gram", "log_noise", "DeepWalk._fit")
def test_whom_nobody_met_comes_late_and_who_met_nobody_gets_the_popular(
    answer: ModuleType, fans: Dataset
) -> None:
    """An item without events is finite and far behind; a user without events gets no taste, only noise."""
    graph = trained_long(answer, fans, window=3, noise_exponent=0.75)
    expect.true(
        graph.item_bias_ is not None,
        "there is an item bias: it is all that speaks for a user without events",
        item_bias=graph.item_bias_,
    )
    expect.true(
        np.isfinite(graph.item_bias_),
        "the bias is finite, that of item 20 too, which nobody met: the log of "
        "no visit at all is minus infinity, so it gets half a visit",
        bias_of_item_20=graph.item_bias_[20],
    )
    expect.true(
        np.isfinite(graph.item_factors_),
        "the vectors of the items are finite: a mean over nobody is 0 / 0",
        vector_of_item_20=graph.item_factors_[20],
    )
    scores = graph.score(np.arange(31))
    expect.true(
        np.isfinite(scores), "every score is finite, or sorting puts it anywhere", scores=scores
    )
    behind = (scores[:30, :20] > scores[:30, [20]]).mean()
    expect.true(
        behind > 0.95,
        "item 20, which nobody met, is behind nearly all others for "
        "nearly all users: nothing speaks for it",
        share_of_items_before_it=behind,
    )
    expect.equal(
        scores[30],
        graph.item_bias_,
        "user 30 met nothing and has a vector of zeros, so the bias alone "
        "ranks: no taste is made up",
    )
    expect.equal(
        np.argmax(scores[30]),
        np.argmax(fans.popularity),
        "who met nothing gets the most popular item first, the best guess there is",
        mistakes={
            "the least popular comes first: the noise has the wrong sign": np.argmin(
                fans.popularity[:20]
            )
        },
    )


@pytest.mark.data
@pytest.mark.needs("random_walks", "corpus", "skip_gram", "log_noise", "DeepWalk._fit")
def test_movielens_bar(answer: ModuleType, ml100k: Dataset, on_movielens: Callable) -> None:
    """On MovieLens-100K (P1), NDCG@10 reaches 0.18, while the nearness of words stays below popularity (0.1189)."""
    from keras_recs.evaluation import evaluate, evaluate_scores

    parts = split(ml100k, "P1")
    graph = on_movielens("DeepWalk")
    reached = evaluate(graph, parts).metrics["ndcg@10"]
    expect.true(
        reached > 0.18,
        "log-odds from walks rank MovieLens-100K well above popularity, which reaches 0.119",
        ndcg_at_10=reached,
        at_least=0.18,
    )
    x, _ = answer.embed(bipartite(parts.train), n_factors=64)
    dot = evaluate_scores(x[: ml100k.n_users] @ x[ml100k.n_users :].T, parts).metrics["ndcg@10"]
    expect.true(
        dot < 0.1189,
        "the nearness of two words stays below popularity: it does not know how likely an item is",
        ndcg_at_10=dot,
        popularity=0.1189,
    )
