"""Question 10. Recommend with graph embeddings.

Users and items are the nodes of a graph, interactions its edges. DeepWalk (Perozzi et al. 2014)
takes random walks for sentences and nodes for words, and trains word2vec's skip-gram on them: node
v gets a vector x[v] as the word in the middle and a vector y[v] as a word around it. With k noise
words for each true one, drawn with probability q[v] ∝ n[v]^a, the best that training can reach is
(Levy & Goldberg 2014)

    x[u] · y[i] = log P(i | u) - log(k q[i])

where P(i | u) is the share of i among what stands within the window around u, and n[i] how often i
is visited. That is not the probability of i: it is how much likelier u makes it than the noise
does. Whoever ranks by the product alone marks a popular item down, by a log n[i]. So the noise goes
back in:

    score[u, i] = x[u] · y[i] + log(k q[i]) = log P(i | u)

(Word2vec skips a noise word that happens to be the true one. So, to be exact, this is log P / (1 -
P), the log-odds; where P is small, it is the same.)

A walk in equilibrium takes every edge equally often, so n[i] is the degree of i: its popularity.

Sources: Perozzi, Al-Rfou & Skiena (2014), "DeepWalk: Online Learning of Social Representations";
Mikolov et al. (2013), "Distributed Representations of Words and Phrases and their
Compositionality"; Levy & Goldberg (2014), "Neural Word Embedding as Implicit Matrix Factorization";
Qiu et al. (2018), "Network Embedding as Matrix Factorization".
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple

import numpy as np
from gensim.models import Word2Vec
from scipy import sparse

from keras_recs.core.factors import FactorRecommender
from keras_recs.core.heart import heart
from keras_recs.core.hyperparameters import Count, Positive, Seed, Share, Whole
from keras_recs.data.dataset import Dataset
from keras_recs.data.graph import bipartite
from keras_recs.utils.progress import progress

if TYPE_CHECKING:
    import networkx as nx

# nodes on the walks held at once: a corpus of any length passes through this much memory
BLOCK_NODES = 1 << 18


class Embedding(NamedTuple):
    """One vector per node as the word in the middle (x), and one as a word around it (y); both
    (n_nodes, n_factors)."""

    inputs: np.ndarray
    outputs: np.ndarray


# --- walking --------------------------------------------------------------------------------------


@heart(
    "Let all walkers step at once: each draws one of the neighbours of its node, all with the "
    "same chance."
)
def random_walks(
    adjacency: sparse.csr_array, starts: np.ndarray, length: int, rng: np.random.Generator
) -> np.ndarray:
    """One walk from each of `starts`: (n_walks, length) int32, the start in column 0.

    Args:
        adjacency: (n_nodes, n_nodes); each stored entry is an edge, its value is not looked at.
        starts: (n_walks,) nodes. Each must have an edge, as must every node that an edge leads to.
        length: nodes on a walk.
        rng: one number is drawn for each step.

    >>> path = sparse.csr_array([[0, 1, 0], [1, 0, 1], [0, 1, 0]])
    >>> random_walks(path, np.array([1, 1]), 5, np.random.default_rng(0))[:, ::2].tolist()
    [[1, 1, 1], [1, 1, 1]]
    """
    first = adjacency.indptr[:-1]  # (n_nodes,) where each node's edges begin
    degree = np.diff(adjacency.indptr)  # (n_nodes,)
    walks = np.empty((len(starts), length), np.int32)  # (n_walks, length)
    walks[:, 0] = starts
    # all walkers step at once: each draws one of the edges of its node
    for step in range(1, length):
        here = walks[:, step - 1]  # (n_walks,)
        drawn = (rng.random(len(here)) * degree[here]).astype(np.int64)  # 0 … degree - 1
        walks[:, step] = adjacency.indices[first[here] + drawn]
    return walks


@heart("Block after block, walks that start at the end of a random edge, until there are n_walks.")
def corpus(
    adjacency: sparse.csr_array, n_walks: int, length: int, rng: np.random.Generator
) -> Iterator[np.ndarray]:
    """`n_walks` walks in equilibrium, in blocks (n_block, length); nothing is kept.

    The end of a random edge is node v with a chance in proportion to its degree. One step later
    that is still so: all nodes are visited as their degrees say from the first step to the last,
    and a node without edges never is."""
    # the end of a random edge: nodes are met as often as their degrees say
    size = max(1, BLOCK_NODES // length)
    for done in progress(range(0, n_walks, size), description="walks"):
        ends = rng.integers(len(adjacency.indices), size=min(size, n_walks - done))
        yield random_walks(adjacency, adjacency.indices[ends], length, rng)


# --- learning -------------------------------------------------------------------------------------


@heart(
    "Train gensim's skip-gram on the walks; a row of x and of y for each node, zeros for those "
    "without edges."
)
def skip_gram(
    blocks: Iterable[np.ndarray],
    degree: np.ndarray,
    n_walks: int,
    *,
    n_factors: int,
    window: int,
    n_negatives: int,
    noise_exponent: float,
    learning_rate: float,
    seed: int,
) -> Embedding:
    """Skip-gram with negative sampling, once over all walks.

    Args:
        blocks: the walks, (n_block, length) each.
        degree: (n_nodes,) how often each node is visited, up to a factor: what the noise is drawn
            from.
        n_walks: how many walks there will be; the learning rate falls to nearly zero over them.
        n_factors, window, n_negatives, noise_exponent, learning_rate, seed: as in `DeepWalk`.
    """
    # with two workers, chance decides whose update comes first
    model = Word2Vec(
        sg=1,
        hs=0,
        vector_size=n_factors,
        window=window,
        negative=n_negatives,
        ns_exponent=noise_exponent,
        alpha=learning_rate,
        sample=0,
        min_count=1,
        sorted_vocab=0,
        epochs=1,
        seed=seed,
        workers=1,
    )
    # words are any hashable things: integers do, and their hash is the same everywhere
    nodes = np.flatnonzero(degree)
    visits = dict(zip(nodes.tolist(), degree[nodes].tolist(), strict=True))
    model.build_vocab_from_freq(visits)
    walks = chain.from_iterable(block.tolist() for block in blocks)
    model.train(walks, total_examples=n_walks, epochs=1)

    # who is on no walk has been learned nothing about
    x, y = np.zeros((2, len(degree), n_factors), np.float32)
    # unsorted, the vocabulary has the order of `nodes`
    x[nodes] = model.wv.vectors
    y[nodes] = model.syn1neg
    return Embedding(x, y)


@heart(
    "log(k q) of each node: what the products lack to be log-probabilities; finite for nodes "
    "without edges."
)
def log_noise(degree: np.ndarray, n_negatives: int, noise_exponent: float) -> np.ndarray:
    """(n_nodes,) float32, log(k q[v]) with q[v] = n[v]^a / Σ n^a over the nodes that have edges.

    A node without edges has y = 0, and its q says nothing. It gets the log-probability of half a
    visit among all.

    >>> np.exp(log_noise(np.array([4, 1, 1, 0]), n_negatives=2, noise_exponent=0.5)).astype(float).round(3).tolist()
    [1.0, 0.5, 0.5, 0.083]
    """
    # the noise that negatives are drawn from, as gensim draws it
    weight = np.where(degree > 0, np.maximum(degree, 1.0) ** noise_exponent, 0.0)  # (n_nodes,)
    noise = n_negatives * weight / weight.sum()  # k q
    half_a_visit = 0.5 / degree.sum()
    share = np.where(degree > 0, noise, half_a_visit)
    return np.log(share).astype(np.float32)


def embed(
    adjacency: sparse.csr_array,
    *,
    n_factors: int = 64,
    walks_per_node: int = 20,
    walk_length: int = 40,
    window: int = 3,
    n_negatives: int = 5,
    noise_exponent: float = 0.75,
    learning_rate: float = 0.025,
    seed: int = 0,
) -> Embedding:
    """Vectors for the nodes of an undirected graph, from its adjacency. Arguments as in `DeepWalk`.

    >>> triangle_and_loner = sparse.csr_array([[0, 1, 1, 0], [1, 0, 1, 0], [1, 1, 0, 0], [0, 0, 0, 0]])
    >>> embed(triangle_and_loner, n_factors=2).inputs.any(axis=1).tolist()
    [True, True, True, False]
    """
    rng = np.random.default_rng(seed)
    degree = np.diff(adjacency.indptr)
    n_walks = walks_per_node * int(np.count_nonzero(degree))
    walks = corpus(adjacency, n_walks, walk_length, rng)
    return skip_gram(
        walks,
        degree,
        n_walks,
        n_factors=n_factors,
        window=window,
        n_negatives=n_negatives,
        noise_exponent=noise_exponent,
        learning_rate=learning_rate,
        seed=int(rng.integers(2**31)),
    )


def enough_walks(
    adjacency: sparse.csr_array, length: int, passes: int = 40, most: int = 40, least: int = 2000
) -> int:
    """Walks per node: `most` where nodes have 50 edges or more, else so many that each edge is
    passed `passes` times.

    Each step goes along one edge, in one direction or the other, so it is the edges that say how
    much there is to learn. On a planted log of 11 events a row, four times as many walks ranked no
    better, and half as many worse. A graph of a few nodes gets up to `least` walks in all: its
    vectors have to get away from where they start.

    >>> ring = sparse.csr_array(np.roll(np.eye(1000), 1, axis=0) + np.roll(np.eye(1000), -1, axis=0))
    >>> enough_walks(ring, length=10)  # 4 walks of 10 nodes pass 40 edges, and there is an edge a node
    4
    """
    n_nodes = max(1, int(np.count_nonzero(np.diff(adjacency.indptr))))
    n_edges = adjacency.nnz / 2
    if adjacency.nnz >= 50 * n_nodes:
        return most
    for_the_edges = round(passes * n_edges / (n_nodes * length))
    for_few_nodes = round(least / n_nodes)
    return min(most, max(for_the_edges, for_few_nodes, 1))


def embed_graph(graph: nx.Graph, **settings: Any) -> tuple[list[Hashable], Embedding]:
    """Vectors for the nodes of any undirected networkx graph: (nodes, embedding), row by row.

    Args:
        graph: edge weights are not looked at.
        settings: as in `embed`.

    Raises:
        ValueError: a directed graph, or one without edges.
    """
    import networkx as nx

    if graph.is_directed() or not graph.number_of_edges():
        raise ValueError(f"graph must be undirected and have an edge, got {graph}")
    adjacency = nx.to_scipy_sparse_array(graph, weight=None, format="csr")
    return list(graph), embed(adjacency, **settings)


# --- recommending ---------------------------------------------------------------------------------


@dataclass(eq=False, repr=False)
class DeepWalk(FactorRecommender):
    """DeepWalk on the user-item graph.

    Args:
        n_factors: length of the vectors.
        walks_per_node: walks, as a multiple of the number of nodes. None for 40, or fewer on a thin
            log (`enough_walks`).
        walk_length: nodes on a walk.
        window: how far from the middle word its context reaches. Walks alternate between users and
            items, so only odd distances show a user items: 1 their own, 3 those of users who share
            an item, and so on. As in word2vec, each word's window is drawn from 1 … `window`: near
            words count more.
        n_negatives: noise nodes for each true one (k).
        noise_exponent: a, from 0 (all nodes alike) to 1 (as often as they are visited). Text is
            trained with 0.75; nearly even noise ranks far better here: what is learned of items not
            met scatters less.
        learning_rate: step size at the start; it falls to nearly zero.
        scoring: "conditional", x[u] · y[i] + log(k q[i]), the log-odds of i; or "dot", x[u] · x[i],
            the nearness of two words.
        seed: of the walks and of the training.

    Attributes:
        user_factors_: (n_users, n_factors) x of the users.
        item_factors_: (n_items, n_factors) y of the items, or x with "dot".
        item_bias_: (n_items,) log(k q[i]); for items that nobody met, the log of half a visit's
            share of all. None with "dot".
        walks_per_node_: as given or as chosen.

    >>> from keras_recs.data import from_matrix
    >>> data = from_matrix([[1, 1, 0, 0], [1, 0, 1, 0], [0, 1, 1, 0], [1, 1, 1, 0]])
    >>> DeepWalk(n_factors=4).fit(data).recommend([0], k=1).items.tolist()
    [[2]]
    """

    n_factors: Count = 64
    walks_per_node: Count | None = None
    walk_length: Annotated[int, Whole(least=2)] = 40
    window: Count = 3
    n_negatives: Count = 5
    noise_exponent: Share = 0.1
    learning_rate: Positive = 0.025
    scoring: Literal["conditional", "dot"] = "conditional"
    seed: Seed = 0

    @heart(
        "Embed the user-item graph; keep x of the users, y of the items, and the popularity that "
        "the noise took."
    )
    def _fit(self, data: Dataset) -> None:
        # users and items are nodes, what a user met is an edge
        graph = bipartite(data)
        self.walks_per_node_ = self.walks_per_node or enough_walks(graph, self.walk_length)
        x, y = embed(
            graph,
            n_factors=self.n_factors,
            walks_per_node=self.walks_per_node_,
            walk_length=self.walk_length,
            window=self.window,
            n_negatives=self.n_negatives,
            noise_exponent=self.noise_exponent,
            learning_rate=self.learning_rate,
            seed=self.seed,
        )
        # node u < n_users is user u, node n_users + i is item i
        self.user_factors_ = x[: data.n_users]
        # the nearness of two words: both as the word in the middle
        if self.scoring == "dot":
            self.item_factors_ = x[data.n_users :]
            self.item_bias_ = None
        # the log-odds: the item as a word around the user, and the noise put back in
        else:
            self.item_factors_ = y[data.n_users :]
            degree = np.diff(graph.indptr)
            noise = log_noise(degree, self.n_negatives, self.noise_exponent)  # (n_nodes,)
            self.item_bias_ = noise[data.n_users :]


GraphEmbeddingRecommender = DeepWalk  # the published answer's name
