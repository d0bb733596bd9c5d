"""What several answers share: neighbours, memory, factors, the graph."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from keras_recs.core.factors import FactorRecommender
from keras_recs.data import Dataset, from_matrix
from keras_recs.data.graph import bipartite
from keras_recs.utils import memory, neighbours


@pytest.fixture
def profiles() -> sparse.csr_array:
    rng = np.random.default_rng(3)
    return sparse.csr_array(
        rng.normal(size=(30, 17)).astype(np.float32) * (rng.random((30, 17)) < 0.3)
    )


@pytest.mark.parametrize("cells", [1 << 26, 100])
def test_inner_products_are_those_of_the_rows(
    profiles: sparse.csr_array, monkeypatch, cells: int
) -> None:
    monkeypatch.setattr(neighbours, "BLOCK_CELLS", cells)  # 100: too few for a dense right side
    table = profiles.toarray()
    for rows in (np.arange(30), np.array([4]), np.array([7, 2, 7])):
        products = neighbours.inner_products(profiles, rows)
        assert products == pytest.approx(table[rows] @ table.T, abs=1e-5)
        assert isinstance(products, np.ndarray) and products.dtype == np.float32


def test_row_blocks_cover_every_row_once_and_are_bounded(monkeypatch) -> None:
    monkeypatch.setattr(neighbours, "BLOCK_CELLS", 100)
    blocks = list(neighbours.row_blocks(17, 30))
    assert np.concatenate(blocks).tolist() == list(range(17)) and max(map(len, blocks)) == 3
    assert [len(b) for b in neighbours.row_blocks(2, 10**9)] == [1, 1], (
        "a row at a time is the least"
    )


def test_the_strongest_are_the_largest_positive_and_ties_go_to_the_first() -> None:
    table = np.array([[0.5, 0.9, 0.5, 0.5], [-1, 0, -2, 0.1], [0, 0, 0, 0]], np.float32)
    kept = neighbours.strongest(table, 2)
    assert kept.toarray() == pytest.approx(
        np.array([[0.5, 0.9, 0, 0], [0, 0, 0, 0.1], [0, 0, 0, 0]])
    )
    assert kept.nnz == 3, "nothing is stored for what is not a neighbour"
    assert neighbours.strongest(table, 99).nnz == 5


def test_centring_takes_the_mean_of_what_is_stored_and_leaves_the_original() -> None:
    ratings = sparse.csr_array(np.array([[5, 3, 0], [0, 0, 0], [0, 0, 2]], np.float32))
    assert neighbours.row_means(ratings).tolist() == [4, 0, 2]
    assert neighbours.centred(ratings).toarray().tolist() == [[1, -1, 0], [0, 0, 0], [0, 0, 0]]
    assert ratings.sum() == 10


def test_too_little_memory_is_an_error_with_both_figures(monkeypatch) -> None:
    monkeypatch.setattr(memory, "available_bytes", lambda: 2**31)
    memory.require_memory(2**31, "a table", "buy more")
    with pytest.raises(MemoryError, match="a table needs 3.0 GiB, and 2.0 GiB are free: use less"):
        memory.require_memory(3 * 2**30, "a table", "use less")


def test_there_is_some_memory_here() -> None:
    assert 2**20 < memory.available_bytes() < 2**50


class Handmade(FactorRecommender):
    """Factors that somebody wrote down."""

    def __init__(self, biased: bool = False) -> None:
        self.biased = biased

    def _fit(self, data: Dataset) -> None:
        self.user_factors_ = np.array([[1, 0], [0, 2]], np.float32)
        self.item_factors_ = np.array([[1, 1], [3, 0], [0, 4]], np.float32)
        self.item_bias_ = np.array([10, 0, -1], np.float32) if self.biased else None


@pytest.mark.parametrize(
    ("biased", "expected"), [(False, [[1, 3, 0], [2, 0, 8]]), (True, [[11, 3, -1], [12, 0, 7]])]
)
def test_factors_score_by_inner_products_and_a_bias(biased: bool, expected: list, tmp_path) -> None:
    model = Handmade(biased).fit(from_matrix([[1, 0, 0], [0, 1, 1]]))
    assert model.score([0, 1]).tolist() == expected
    assert model.predict([1, 0], [2, 1]).tolist() == [expected[1][2], expected[0][1]]
    model.save(tmp_path / "model")
    assert Handmade.load(tmp_path / "model").score([1]).tolist() == expected[1:]


def test_the_graph_joins_users_with_items_only_and_both_ways() -> None:
    data = from_matrix([[1, 1, 0], [0, 1, 1]])
    graph = bipartite(data)
    assert graph.shape == (5, 5) and (graph != graph.T).nnz == 0
    assert graph[:2, :2].nnz == graph[2:, 2:].nnz == 0
    assert (graph[:2, 2:].toarray() == data.seen.toarray()).all()
