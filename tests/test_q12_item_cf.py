"""Question 12: item-based collaborative filtering, and EASE."""

from __future__ import annotations

from types import ModuleType

import numpy as np
import pytest
from conftest import random_crowd
from scipy import sparse, spatial

from keras_recs import memory, neighbours
from keras_recs.data import Dataset, from_matrix, recency_weighted, split

#: Four users and four items; item 3 was met by nobody but user 3, who met nothing else.
HAND = np.array([[1, 1, 0, 0],
                 [1, 1, 1, 0],
                 [1, 0, 1, 0],
                 [0, 0, 0, 1]], float)


@pytest.fixture(scope="module")
def crowd() -> Dataset:
    """80 users, 30 items, ratings, times, popularity falling with the item's number."""
    return random_crowd(80, 30, 0.05)


def dense(weights: np.ndarray | sparse.csr_array) -> np.ndarray:
    return weights.toarray() if sparse.issparse(weights) else weights


def with_event(data: Dataset, user: int, item: int, time: int) -> Dataset:
    """`data` with one more event at its end."""
    events = data.interactions
    return data.with_interactions(type(events)(
        np.append(events.users, user), np.append(events.items, item), np.append(events.ratings, 3.0),
        np.append(events.timestamps, time)))


# --- item CF -----------------------------------------------------------------------------------------------------


@pytest.mark.shape
def test_shapes(answer: ModuleType, crowd: Dataset) -> None:
    """W has a row and a column per item, scores a row per user."""
    for recommender in (answer.ItemCF(), answer.ItemCF(neighbours=3), answer.EASE()):
        assert recommender.fit(crowd).weights_.shape == (30, 30)
        assert recommender.score([0, 1]).shape == (2, 30)
        assert len(recommender.explain(4, 20)) == crowd.matrix()[[4]].nnz


def test_cosine_is_worked_out_by_hand(answer: ModuleType) -> None:
    """Cosine: users in common over the root of the product of audiences."""
    weights = dense(answer.ItemCF("cosine").fit(from_matrix(HAND)).weights_)
    a, b = 2 / np.sqrt(3 * 2), 1 / 2
    assert weights == pytest.approx(np.array([[0, a, a, 0], [a, 0, b, 0], [a, b, 0, 0], [0, 0, 0, 0]]), abs=1e-6)


@pytest.mark.parametrize("penalty", [0.0, 0.5, 1.0])
def test_conditional_probability_is_worked_out_by_hand(answer: ModuleType, penalty: float) -> None:
    """Conditional: of those who met i, the share who met j, with a penalty for j's popularity; not symmetric."""
    cf = answer.ItemCF("conditional", popularity_penalty=penalty).fit(from_matrix(HAND))
    weights = dense(cf.weights_)
    assert weights[0, 1] == pytest.approx(2 / (3 * 2 ** penalty)), "from item 0 (3 users) to item 1 (2 users)"
    assert weights[1, 0] == pytest.approx(2 / (2 * 3 ** penalty)), "and back"
    assert weights[3].max() == 0


def test_cosines_equal_scipys(answer: ModuleType, crowd: Dataset) -> None:
    """Cosine and adjusted cosine equal SciPy's cosine on the items' columns."""
    binary = crowd.matrix().toarray()
    expected = 1 - spatial.distance.squareform(spatial.distance.pdist(binary.T, "cosine"))
    np.fill_diagonal(expected, 0)
    assert dense(answer.ItemCF().fit(crowd).weights_) == pytest.approx(expected, abs=1e-5)

    ratings = crowd.matrix("ratings").toarray()
    means = ratings.sum(1) / (ratings > 0).sum(1)
    centred = np.where(ratings > 0, ratings - means[:, None], 0)
    expected = 1 - spatial.distance.squareform(spatial.distance.pdist(centred.T, "cosine"))
    np.fill_diagonal(expected, 0)
    assert dense(answer.ItemCF("adjusted_cosine").fit(crowd).weights_) == pytest.approx(expected, abs=1e-5)


def test_shrinkage_discounts_small_overlaps(answer: ModuleType, crowd: Dataset) -> None:
    """Shrinkage multiplies by n / (n + shrinkage), with n the users in common."""
    together = crowd.matrix().T @ crowd.matrix()
    for similarity in ("cosine", "conditional", "adjusted_cosine"):
        plain = dense(answer.ItemCF(similarity).fit(crowd).weights_)
        shrunk = dense(answer.ItemCF(similarity, shrinkage=4.0).fit(crowd).weights_)
        factor = together.toarray() / (together.toarray() + 4.0)
        assert shrunk == pytest.approx(plain * factor, abs=1e-6), similarity


def test_only_the_nearest_neighbours_speak(answer: ModuleType, crowd: Dataset) -> None:
    """With `neighbours=k`, every row of W keeps its k largest entries and loses the rest."""
    full = dense(answer.ItemCF().fit(crowd).weights_)
    thin = dense(answer.ItemCF(neighbours=4).fit(crowd).weights_)
    assert ((thin > 0).sum(axis=1) == np.minimum(4, (full > 0).sum(axis=1))).all()
    for row, kept in zip(full, thin, strict=True):
        assert kept[kept > 0] == pytest.approx(row[kept > 0])
        assert row[kept == 0].max() <= row[kept > 0].min()


def test_a_score_is_history_times_weights(answer: ModuleType, crowd: Dataset) -> None:
    """The score of j sums W[i, j] over the items i of the history, and nothing else."""
    for cf in (answer.ItemCF("conditional"), answer.ItemCF(neighbours=5),
               answer.EASE(reg=10.0)):
        cf.fit(crowd)
        expected = crowd.matrix().toarray() @ dense(cf.weights_)
        assert cf.score(crowd.user_ids.ids) == pytest.approx(expected, abs=1e-4)


def test_blocks_change_nothing(answer: ModuleType, crowd: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    """Computed in blocks of a few rows, or by sparse products, W is the same."""
    makers = [lambda: answer.ItemCF(), lambda: answer.ItemCF(neighbours=3, shrinkage=2.0)]
    whole = [dense(make().fit(crowd).weights_) for make in makers]
    monkeypatch.setattr(neighbours, "BLOCK_CELLS", 100)
    for make, expected in zip(makers, whole, strict=True):
        assert dense(make().fit(crowd).weights_) == pytest.approx(expected, abs=1e-6)


def test_a_table_that_does_not_fit_into_memory_is_refused(answer: ModuleType, crowd: Dataset,
                                                          monkeypatch: pytest.MonkeyPatch) -> None:
    """A dense table larger than memory is refused before it is begun, with its size and a way out."""
    monkeypatch.setattr(memory, "available_bytes", lambda: 1000)
    with pytest.raises(MemoryError, match=r"30 × 30 similarities needs .* GiB are free: set neighbours"):
        answer.ItemCF().fit(crowd)
    with pytest.raises(MemoryError, match="EASE on 30 items needs"):
        answer.EASE().fit(crowd)
    answer.ItemCF(neighbours=5).fit(crowd)


def test_an_item_nobody_met_is_like_no_other(answer: ModuleType) -> None:
    """An item without an audience has the similarity 0 to all, not NaN, and finite scores."""
    lonely = from_matrix(np.hstack([HAND, np.zeros((4, 1))]))
    for cf in (answer.ItemCF(), answer.ItemCF("conditional"), answer.ItemCF(
            "adjusted_cosine", shrinkage=1.0), answer.EASE(reg=1.0)):
        weights = dense(cf.fit(lonely).weights_)
        assert (weights[4] == 0).all() and (weights[:, 4] == 0).all()
        assert np.isfinite(cf.score(np.arange(4))).all()


@pytest.mark.parametrize("settings", [
    dict(), dict(similarity="conditional"), dict(neighbours=3), dict(similarity="conditional", neighbours=4),
    dict(shrinkage=3.0), dict(recency=4.0)], ids=str)
def test_an_update_equals_a_refit(answer: ModuleType, crowd: Dataset, settings: dict) -> None:
    """Taking in interactions one by one gives the weights and the scores of a new fit."""
    cf = answer.ItemCF(**settings).fit(crowd)
    before = dense(cf.weights_).copy()
    data = crowd
    for step, (user, item) in enumerate([(3, 29), (7, 0), (3, 28), (3, 29)]):
        cf.update(user, item)
        data = with_event(data, user, item, 10 ** 7 + step)
    refit = answer.ItemCF(**settings).fit(data)
    assert dense(cf.weights_) == pytest.approx(dense(refit.weights_), abs=1e-6)
    assert cf.score(data.user_ids.ids) == pytest.approx(refit.score(data.user_ids.ids), abs=1e-5)
    assert not cf.recommend([3], 30).valid[0, -1] and 29 not in cf.recommend([3], 5).items
    assert not np.allclose(dense(cf.weights_), before, atol=1e-6), "the update did nothing"


def test_an_update_that_cannot_be_exact_is_refused(answer: ModuleType, crowd: Dataset) -> None:
    """Adjusted cosine and unknown ids are refused, and nothing changes."""
    cf = answer.ItemCF("adjusted_cosine").fit(crowd)
    with pytest.raises(ValueError, match="fit again"):
        cf.update(3, 29)
    plain = answer.ItemCF().fit(crowd)
    before = dense(plain.weights_).copy()
    with pytest.raises(KeyError, match="item holds 1 unknown"):
        plain.update(3, 999)
    assert np.array_equal(dense(plain.weights_), before)


# --- EASE --------------------------------------------------------------------------------------------------------


def test_ease_has_a_diagonal_of_zeros(answer: ModuleType, crowd: Dataset) -> None:
    """No item explains itself: the diagonal is exactly zero, and the rest is not."""
    weights = answer.EASE(reg=5.0).fit(crowd).weights_
    assert (np.diag(weights) == 0).all() and np.abs(weights).max() > 0.05


@pytest.mark.parametrize("reg", [0.5, 20.0])
def test_ease_is_where_its_objective_is_stationary(answer: ModuleType, crowd: Dataset, reg: float) -> None:
    """Off the diagonal, the gradient of |X - XW|² + reg |W|² is zero: nothing could be gained by moving an entry."""
    x = crowd.matrix().toarray().astype(np.float64)
    weights = answer.EASE(reg=reg).fit(crowd).weights_.astype(np.float64)
    gradient = x.T @ (x @ weights - x) + reg * weights
    np.fill_diagonal(gradient, 0)
    assert np.abs(gradient).max() < 1e-3 * np.abs(x.T @ x).max()

    def objective(w: np.ndarray) -> float:
        return ((x - x @ w) ** 2).sum() + reg * (w ** 2).sum()

    rng = np.random.default_rng(0)
    for _ in range(20):
        nudge = 0.01 * rng.normal(size=weights.shape)
        np.fill_diagonal(nudge, 0)
        assert objective(weights + nudge) > objective(weights)


def test_ease_predicts_column_by_column(answer: ModuleType) -> None:
    """W[:, j] is the ridge regression of item j on the other items: rows and columns are not mixed up."""
    rng = np.random.default_rng(2)
    x = (rng.random((50, 6)) < [0.9, 0.7, 0.5, 0.4, 0.2, 0.1]).astype(float)
    weights = answer.EASE(reg=3.0).fit(from_matrix(x)).weights_
    for j in range(6):
        others = np.arange(6) != j
        a = x[:, others]
        expected = np.linalg.solve(a.T @ a + 3.0 * np.eye(5), a.T @ x[:, j])
        assert weights[others, j] == pytest.approx(expected, abs=1e-4)


def test_an_impossible_regulariser_is_an_error(answer: ModuleType) -> None:
    """A matrix that cannot be inverted in float32 gives an error that names `reg`."""
    twins = np.ones((200, 40))
    twins[0, 0] = 0
    with pytest.raises(ValueError, match="larger reg"):
        answer.EASE(reg=1e-9).fit(from_matrix(twins))


# --- both --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("recency", [None, 3.0])
def test_explanations_sum_to_the_score(answer: ModuleType, crowd: Dataset, recency: float | None) -> None:
    """Each item of the history gets its part of the score, largest first; the parts add up."""
    for cf in (answer.ItemCF(recency=recency), answer.ItemCF(neighbours=5, recency=recency),
               answer.EASE(reg=10.0, recency=recency)):
        cf.fit(crowd)
        for user, item in ((4, 20), (17, 3)):
            parts = cf.explain(user, item)
            assert sum(part for _, part in parts) == pytest.approx(cf.predict([user], [item])[0], abs=1e-5)
            assert sorted(i for i, _ in parts) == sorted(crowd.matrix()[[user]].indices.tolist())
            assert [part for _, part in parts] == sorted((part for _, part in parts), reverse=True)
            weights = dense(cf.weights_)
            heaviest, part = parts[0]
            history = crowd.matrix() if recency is None else recency_weighted(crowd, recency)
            assert part == pytest.approx(history[user, heaviest] * weights[heaviest, item], abs=1e-6)


def test_recency_weighs_the_history_and_leaves_the_weights(answer: ModuleType, crowd: Dataset) -> None:
    """With `recency`, an event of age a counts exp(-a / recency); W is learned from all events alike."""
    for make in (answer.ItemCF, answer.EASE):
        plain, recent = make().fit(crowd), make(recency=3.0).fit(crowd)
        assert np.array_equal(dense(plain.weights_), dense(recent.weights_))
        expected = recency_weighted(crowd, 3.0).toarray() @ dense(plain.weights_)
        assert recent.score(crowd.user_ids.ids) == pytest.approx(expected, abs=1e-4)


@pytest.mark.data
@pytest.mark.parametrize(("name", "settings", "floor"), [
    ("ItemCF", {}, 0.195), ("EASE", {}, 0.2009), ("EASE", {"recency": 10.0}, 0.25)],
    ids=["item CF", "EASE", "EASE, recent history"])
def test_movielens_bars(answer: ModuleType, ml100k: Dataset, name: str, settings: dict, floor: float) -> None:
    """On MovieLens-100K (P1), NDCG@10 reaches that of the best public implementations of the same method."""
    from keras_recs.evaluation import evaluate

    parts = split(ml100k, "P1")
    reached = evaluate(getattr(answer, name)(**settings).fit(parts.train), parts).metrics["ndcg@10"]
    assert reached > floor - 5e-5
