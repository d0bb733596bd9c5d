"""Interactions as a graph: users and items are its nodes, every interaction is an edge."""

from __future__ import annotations

from scipy import sparse

from keras_recs.data.dataset import Dataset


def bipartite(data: Dataset) -> sparse.csr_array:
    """The adjacency of the user-item graph: (n_users + n_items, n_users + n_items) float32,
    symmetric, 0 or 1.

    Node u < n_users is user u, node n_users + i is item i. No edge joins two users or two items.

    >>> from keras_recs.data import from_matrix
    >>> bipartite(from_matrix([[1, 1], [0, 1]])).toarray().astype(int).tolist()
    [[0, 0, 1, 1], [0, 0, 0, 1], [1, 0, 0, 0], [1, 1, 0, 0]]
    """
    return sparse.block_array([[None, data.seen], [data.seen.T, None]], format="csr")
