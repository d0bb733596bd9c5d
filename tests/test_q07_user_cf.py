"""Question 7: collaborative filtering between users."""

from __future__ import annotations

import tracemalloc
from types import ModuleType

import numpy as np
import pytest
from conftest import random_crowd
from scipy.spatial import distance

from keras_recs import memory, neighbours
from keras_recs.data import Dataset, from_matrix, recency_weighted, split

#: Four users, four items. Users 0 and 1 have two films in common, 0 and 2 one, 1 and 2 none; user 3 met nothing.
HAND = np.array([[1, 1, 1, 0],
                 [1, 1, 0, 0],
                 [0, 0, 1, 1],
                 [0, 0, 0, 0]], float)

FOUR = ("cosine", "pearson", "jaccard", "euclidean")


@pytest.fixture(scope="module")
def crowd() -> Dataset:
    """40 users, 30 items, ratings, times, popularity falling with the item's number."""
    return random_crowd(40, 30, 0.1)


def everyone(answer: ModuleType, data: Dataset, similarity: str = "cosine", **settings: object) -> np.ndarray:
    """All positive similarities, each trusted in full."""
    settings = {"neighbours": data.n_users, "significance": 1, **settings}
    return answer.UserCF(similarity, **settings).fit(data).neighbours_.toarray()


def common_items(data: Dataset) -> np.ndarray:
    return (data.matrix() @ data.matrix().T).toarray()


@pytest.mark.shape
def test_shapes(answer: ModuleType, crowd: Dataset) -> None:
    """A row of neighbours for each user, a row of scores for each who asks."""
    cf = answer.UserCF(neighbours=5).fit(crowd)
    assert cf.neighbours_.shape == (40, 40) and cf.score([0, 1]).shape == (2, 30)


# --- similarities ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("similarity", "two_in_common", "one_in_common"), [
    ("cosine", 2 / 6 ** 0.5, 1 / 6 ** 0.5), ("jaccard", 2 / 3, 1 / 4),
    ("pearson", 2 / 12 ** 0.5, 0.0), ("euclidean", 1 / 2, 1 / (1 + 3 ** 0.5))],
    ids=["cosine", "jaccard", "pearson", "euclidean"])
def test_similarities_are_worked_out_by_hand(answer: ModuleType, similarity: str, two_in_common: float,
                                             one_in_common: float) -> None:
    """Of users with 3 and 2 films, 2 in common or 1; Pearson is the phi coefficient, and drops what is negative."""
    a, b = two_in_common, one_in_common
    expected = np.array([[0, a, b, 0], [a, 0, 0, 0], [b, 0, 0, 0], [0, 0, 0, 0]])
    assert everyone(answer, from_matrix(HAND), similarity) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("similarity", FOUR)
def test_each_similarity_equals_scipys(answer: ModuleType, crowd: Dataset, similarity: str) -> None:
    """On rows of zeros and ones, every similarity is SciPy's on the same two rows."""
    rows = crowd.matrix().toarray()
    metric = {"pearson": "correlation"}.get(similarity, similarity)
    far = distance.cdist(rows.astype(bool) if similarity == "jaccard" else rows,
                         rows.astype(bool) if similarity == "jaccard" else rows, metric)
    expected = 1 / (1 + far) if similarity == "euclidean" else 1 - far
    expected = np.where(common_items(crowd) > 0, np.maximum(expected, 0), 0)
    np.fill_diagonal(expected, 0)
    assert everyone(answer, crowd, similarity) == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("similarity", FOUR)
def test_with_ratings_each_similarity_equals_scipys(answer: ModuleType, crowd: Dataset, similarity: str) -> None:
    """Pearson and euclidean look at the films both rated, cosine counts the others as 0, jaccard ignores ratings."""
    r = crowd.matrix("ratings").toarray().astype(float)

    def expected(x: np.ndarray, y: np.ndarray) -> float:
        both = (x > 0) & (y > 0)
        if similarity == "cosine":
            return 1 - distance.cosine(x, y)
        if similarity == "jaccard":
            return 1 - distance.jaccard(x > 0, y > 0)
        x, y = x[both], y[both]
        if similarity == "euclidean":
            return 1 / (1 + distance.euclidean(x, y) / len(x) ** 0.5)  # the root of the mean square
        return 0.0 if np.ptp(x) == 0 or np.ptp(y) == 0 else 1 - distance.correlation(x, y)

    found = everyone(answer, crowd, similarity, values="ratings")
    together = common_items(crowd)
    for u, v in np.argwhere((together > 0) & ~np.eye(40, dtype=bool)):
        assert found[u, v] == pytest.approx(max(expected(r[u], r[v]), 0), abs=1e-5), (u, v)
    assert (found[together == 0] == 0).all() and (np.diag(found) == 0).all()


def test_one_mark_for_everything_correlates_with_nothing(answer: ModuleType) -> None:
    """A user whose common ratings are all equal has the Pearson similarity 0, not NaN and not a rounding error."""
    rng = np.random.default_rng(1)
    marks = np.repeat([[1.1], [1.7], [2.3], [2.9], [3.3], [4.1], [4.7]], 23, axis=1)
    found = everyone(answer, from_matrix(np.vstack([marks, rng.uniform(1, 5, (30, 23))])), "pearson", values="ratings")
    assert (found[:7] == 0).all() and (found[:, :7] == 0).all() and found[7:, 7:].max() > 0.3


@pytest.mark.parametrize("similarity", FOUR)
def test_users_with_nothing_in_common_are_no_neighbours(answer: ModuleType, similarity: str) -> None:
    """Two short histories are near each other in space; without a film in common they say nothing to each other."""
    found = everyone(answer, from_matrix([[1, 0, 0, 0, 0, 0], [0, 1, 0, 0, 0, 0], [1, 1, 1, 0, 0, 0]]), similarity)
    assert found[0, 1] == found[1, 0] == 0 and found[0, 2] > 0


def test_a_rating_on_the_diagonal_survives(answer: ModuleType) -> None:
    """User u's meeting with item u counts, in the similarity and in the vote."""
    data = from_matrix([[1, 0, 0], [1, 1, 0], [0, 1, 1]])
    found = everyone(answer, data)
    assert found[0, 1] == pytest.approx(1 / 2 ** 0.5) and found[1, 2] == pytest.approx(1 / 2)
    cf = answer.UserCF(significance=1).fit(data)
    assert cf.predict([0], [1])[0] == pytest.approx(1 / 2 ** 0.5), "user 1 votes for item 1"


@pytest.mark.parametrize("gamma", [1, 2, 4])
def test_significance_is_worked_out_by_hand(answer: ModuleType, gamma: int) -> None:
    """A similarity is multiplied by min(common, γ) / γ: in proportion below γ films in common, in full from there."""
    found = everyone(answer, from_matrix(HAND), significance=gamma)
    assert found[0, 1] == pytest.approx(2 / 6 ** 0.5 * {1: 1, 2: 1, 4: 1 / 2}[gamma]), "two films in common"
    assert found[0, 2] == pytest.approx(1 / 6 ** 0.5 * {1: 1, 2: 1 / 2, 4: 1 / 4}[gamma]), "one film in common"


@pytest.mark.parametrize(("similarity", "settings"), [
    *((name, {}) for name in FOUR), ("pearson", {"values": "ratings"}), ("cosine", {"recency": 3.0})], ids=str)
def test_significance_counts_items_in_common(answer: ModuleType, crowd: Dataset, similarity: str,
                                             settings: dict) -> None:
    """Whatever is compared, trust counts the films both met, and it is weighed before neighbours are chosen."""
    plain = everyone(answer, crowd, similarity, **settings)
    weighted = plain * np.minimum(common_items(crowd), 6) / 6
    found = everyone(answer, crowd, similarity, significance=6, **settings)
    assert found == pytest.approx(weighted, abs=1e-6)
    nearest = everyone(answer, crowd, similarity, significance=6, neighbours=1, **settings)
    assert nearest.max(axis=1) == pytest.approx(weighted.max(axis=1), abs=1e-6)


# --- neighbours and scores ---------------------------------------------------------------------------------------


def test_only_the_nearest_speak(answer: ModuleType, crowd: Dataset) -> None:
    """With `neighbours=k`, every user keeps the k most similar ones and loses the rest."""
    full = everyone(answer, crowd)
    thin = everyone(answer, crowd, neighbours=4)
    assert ((thin > 0).sum(axis=1) == np.minimum(4, (full > 0).sum(axis=1))).all()
    for row, kept in zip(full, thin, strict=True):
        assert kept[kept > 0] == pytest.approx(row[kept > 0])
        assert row[kept == 0].max() <= row[kept > 0].min()


def test_of_equally_similar_users_the_first_are_taken(answer: ModuleType) -> None:
    """Five users with one history: each one's two neighbours are the first two of the other four."""
    found = everyone(answer, from_matrix(np.ones((5, 3))), neighbours=2)
    assert [np.flatnonzero(row).tolist() for row in found] == [[1, 2], [0, 2], [0, 1], [0, 1], [0, 1]]


def test_nobody_is_their_own_neighbour(answer: ModuleType, crowd: Dataset) -> None:
    """The diagonal is 0 for every similarity, also where a twin is as near as oneself."""
    for similarity in FOUR:
        assert (np.diag(everyone(answer, crowd, similarity)) == 0).all(), similarity
        twins = everyone(answer, from_matrix([[1, 1, 0], [1, 1, 0], [0, 1, 1]]), similarity, neighbours=1)
        assert np.argmax(twins[:2], axis=1).tolist() == [1, 0] and twins[0, 1] == pytest.approx(1, abs=1e-6)


def test_a_user_without_a_history_has_no_neighbours(answer: ModuleType) -> None:
    """No history: similarity 0 to all, not NaN; scores 0; and the others do not notice."""
    for similarity in FOUR:
        for values in ("binary", "ratings"):
            found = everyone(answer, from_matrix(HAND), similarity, values=values)
            assert np.isfinite(found).all() and (found[3] == 0).all() and (found[:, 3] == 0).all()
        cf = answer.UserCF(similarity, significance=1).fit(from_matrix(HAND))
        assert (cf.score([3]) == 0).all() and cf.score([1])[0, 2] > 0


def test_a_score_adds_up_the_neighbours_who_met_the_item(answer: ModuleType, crowd: Dataset) -> None:
    """score[u, j] is the sum of similarity times history over u's own neighbours: not a count, not a mean."""
    for settings in ({"neighbours": 5}, {"neighbours": 5, "values": "ratings"}, {"neighbours": 40, "recency": 3.0}):
        cf = answer.UserCF(significance=4, **settings).fit(crowd)
        history = recency_weighted(crowd, 3.0) if "recency" in settings else crowd.matrix()
        expected = cf.neighbours_.toarray() @ history.toarray()
        assert cf.score(crowd.user_ids.ids) == pytest.approx(expected, abs=1e-5)


def test_lists_come_in_order_of_score_without_what_was_seen(answer: ModuleType) -> None:
    """The film that two neighbours met stands before the one that the nearest alone met; seen films are absent."""
    data = from_matrix([[1, 1, 1, 0, 0, 0],
                        [1, 1, 1, 1, 0, 0],   # the nearest, met item 3
                        [1, 1, 0, 0, 1, 0],   # two others met item 4
                        [0, 1, 1, 0, 1, 0]])
    cf = answer.UserCF(significance=1).fit(data)
    nearest, other = 3 / 12 ** 0.5, 2 / 3
    (first, top), (second, below) = cf.recommend([0], 2).of(0)
    assert (first, second) == (4, 3)
    assert (top, below) == pytest.approx((2 * other, nearest), abs=1e-6)


def test_explanations_sum_to_the_score(answer: ModuleType, crowd: Dataset) -> None:
    """Every neighbour who met the item has its part, largest first; the others are not named."""
    for settings in ({"similarity": "jaccard", "neighbours": 10}, {"neighbours": 10, "recency": 3.0}):
        cf = answer.UserCF(**settings).fit(crowd)
        for user, item in ((4, 2), (17, 0), (30, 11)):
            parts = cf.explain(user, item)
            values = [part for _, part in parts]
            assert sum(values) == pytest.approx(cf.predict([user], [item])[0], abs=1e-5)
            assert values == sorted(values, reverse=True) and min(values) > 0
            met = np.flatnonzero((cf.neighbours_.toarray()[user] > 0) & (crowd.matrix().toarray()[:, item] > 0))
            assert sorted(v for v, _ in parts) == met.tolist()


def test_recency_weighs_who_asks_and_the_votes(answer: ModuleType, crowd: Dataset) -> None:
    """Age a counts exp(-a / recency) in the row of who asks and in the votes; compared with are whole histories."""
    found = everyone(answer, crowd, recency=3.0)
    recent, whole = recency_weighted(crowd, 3.0).toarray(), crowd.matrix().toarray()
    expected = np.where(common_items(crowd) > 0, 1 - distance.cdist(recent, whole, "cosine"), 0)
    np.fill_diagonal(expected, 0)
    assert found == pytest.approx(expected, abs=1e-5)
    cf = answer.UserCF(neighbours=40, significance=1, recency=3.0).fit(crowd)
    assert cf.score(crowd.user_ids.ids) == pytest.approx(expected @ recent, abs=1e-4)


def test_large_audiences_are_left_out_of_the_comparison_only(answer: ModuleType) -> None:
    """An item that more than `max_audience` of all users met makes nobody similar, and is still recommended."""
    data = from_matrix([[1, 1, 0, 0], [1, 1, 1, 0], [1, 0, 0, 1], [0, 1, 0, 1]])  # items 0 and 1: three of four
    found = everyone(answer, data, max_audience=0.6)
    assert np.argwhere(found).tolist() == [[2, 3], [3, 2]] and found[2, 3] == pytest.approx(1), "they share item 3"
    cf = answer.UserCF(max_audience=0.6, significance=1).fit(data)
    assert cf.score([2])[0] == pytest.approx([0, 1, 0, 1]), "user 3 met item 1"
    assert np.array_equal(everyone(answer, data, max_audience=0.75), everyone(answer, data)), "no more than 0.75 did"


# --- scale -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("settings", [
    {}, {"similarity": "pearson"}, {"similarity": "pearson", "values": "ratings"},
    {"similarity": "euclidean", "values": "ratings"}, {"recency": 3.0}], ids=str)
def test_blocks_change_nothing(answer: ModuleType, crowd: Dataset, monkeypatch: pytest.MonkeyPatch,
                               settings: dict) -> None:
    """Computed a few users at a time, and by sparse products, the neighbours are the same."""
    def find() -> np.ndarray:
        return answer.UserCF(neighbours=3, **settings).fit(crowd).neighbours_.toarray()

    whole = find()
    monkeypatch.setattr(answer, "BLOCK_CELLS", 130, raising=False)
    monkeypatch.setattr(neighbours, "BLOCK_CELLS", 130)
    assert find() == pytest.approx(whole, abs=1e-6)


def test_a_table_of_all_pairs_of_users_is_never_made(answer: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """The fit needs far less memory than the 36 MB of 3,000 × 3,000 similarities."""
    rng = np.random.default_rng(0)
    data = Dataset.from_arrays(np.repeat(np.arange(3000), 4), rng.integers(0, 500, 12000))
    data.seen  # noqa: B018 (made before memory is counted)
    monkeypatch.setattr(answer, "BLOCK_CELLS", 1 << 16, raising=False)
    tracemalloc.start()
    cf = answer.UserCF(neighbours=20, significance=1).fit(data)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 18e6 and 10 * 3000 < cf.neighbours_.nnz <= 20 * 3000, f"{peak / 1e6:.0f} MB"


def test_lists_that_do_not_fit_into_memory_are_refused(answer: ModuleType, crowd: Dataset,
                                                       monkeypatch: pytest.MonkeyPatch) -> None:
    """Lists of neighbours larger than memory are refused before they are begun, with their size and a way out."""
    monkeypatch.setattr(memory, "available_bytes", lambda: 10_000)
    with pytest.raises(MemoryError, match=r"30 neighbours for each of 40 users needs .* GiB are free: ask for fewer"):
        answer.UserCF(neighbours=30).fit(crowd)
    answer.UserCF(neighbours=5).fit(crowd)


def test_what_does_not_go_together_is_refused(answer: ModuleType) -> None:
    """Ratings cannot be compared where there are none, nor weighed by recency."""
    with pytest.raises(ValueError, match="needs ratings"):
        answer.UserCF(values="ratings").fit(Dataset.from_arrays([1, 2], [1, 1]))
    with pytest.raises(ValueError, match="values='binary' only"):
        answer.UserCF(values="ratings", recency=5.0)


@pytest.mark.data
@pytest.mark.parametrize(("settings", "floor"), [
    ({}, 0.1935), ({"recency": 10.0, "neighbours": 100, "significance": 1}, 0.21)], ids=["user CF", "recent history"])
def test_movielens_bars(answer: ModuleType, ml100k: Dataset, settings: dict, floor: float) -> None:
    """On MovieLens-100K (P1), NDCG@10 reaches that of the best public implementation of the same method."""
    from keras_recs.evaluation import evaluate

    parts = split(ml100k, "P1")
    cf = answer.UserCF(**settings).fit(parts.train)
    assert evaluate(cf, parts).metrics["ndcg@10"] > floor - 5e-5
