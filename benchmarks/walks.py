"""How fast random walks are: all walkers at once on the CSR adjacency, against a Python loop over
networkx.

    python benchmarks/walks.py                     MovieLens-100K, 2 walks of 40 nodes from every
    node python benchmarks/walks.py --walks 10

Both make the same number of walks, of the same length, from the same starts. What training gets
from them, lists of nodes, is part of the time. The fastest of three runs counts.
"""

from __future__ import annotations

import argparse
import random
import time
from collections.abc import Callable

import networkx as nx
import numpy as np

from keras_recs import load_movielens
from keras_recs.answers.q10_graph_embedding import random_walks
from keras_recs.data.graph import bipartite


def loop(graph: nx.Graph, starts: list[int], length: int, rng: random.Random) -> list[list[int]]:
    """The walk as it is written on a whiteboard."""
    walks = []
    for node in starts:
        walk = [node]
        while len(walk) < length:
            walk.append(rng.choice(list(graph.neighbors(walk[-1]))))
        walks.append(walk)
    return walks


def indexed_loop(
    neighbours: dict[int, list[int]], starts: list[int], length: int, rng: random.Random
) -> list[list[int]]:
    """The same with lists of neighbours made beforehand: as good as a loop gets."""
    walks = []
    for node in starts:
        walk = [node]
        for _ in range(length - 1):
            row = neighbours[walk[-1]]
            walk.append(row[int(rng.random() * len(row))])
        walks.append(walk)
    return walks


def fastest(run: Callable[[], object], times: int) -> float:
    """Seconds of the fastest of some runs."""
    took = []
    for _ in range(times):
        start = time.perf_counter()
        run()
        took.append(time.perf_counter() - start)
    return min(took)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--walks", type=int, default=2, help="walks from every node (2)")
    parser.add_argument("--length", type=int, default=40, help="nodes on a walk (40)")
    asked = parser.parse_args()
    adjacency = bipartite(load_movielens("ml-100k"))
    graph = nx.from_scipy_sparse_array(adjacency)
    neighbours = {node: list(graph.neighbors(node)) for node in graph}
    starts = np.repeat(np.flatnonzero(np.diff(adjacency.indptr)), asked.walks)
    steps = len(starts) * (asked.length - 1)
    print(
        f"{adjacency.shape[0]:,} nodes, {adjacency.nnz // 2:,} edges; {len(starts):,} walks of {asked.length} nodes"
    )
    seconds = {
        "loop over networkx": fastest(
            lambda: loop(graph, starts.tolist(), asked.length, random.Random(0)), 1
        ),
        "loop over lists": fastest(
            lambda: indexed_loop(neighbours, starts.tolist(), asked.length, random.Random(0)), 3
        ),
        "all walkers at once": fastest(
            lambda: random_walks(
                adjacency, starts, asked.length, np.random.default_rng(0)
            ).tolist(),
            3,
        ),
    }
    for name, taken in seconds.items():
        print(
            f"{name:20s} {taken:8.3f} s   {steps / taken:12,.0f} steps a second   "
            f"{seconds['loop over networkx'] / taken:6.1f} x"
        )


if __name__ == "__main__":
    main()
