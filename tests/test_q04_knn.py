"""Question 4: k nearest neighbours between users, on ratings and on feedback without ratings."""

from __future__ import annotations

import tracemalloc
from types import ModuleType

import numpy as np
import pytest
from conftest import rated_checkerboard

from keras_recs import neighbours
from keras_recs.data import Dataset, from_matrix, split

#: Every user's mean is 3. Deviations: (2, 0, -2, ·, ·), (1, ·, -1, 2, -2), (-1, 0, 1, ·, 0), (2, ·, ·, -1, -1).
HAND = np.array([[5, 3, 1, 0, 0],
                 [4, 0, 2, 5, 1],
                 [2, 3, 4, 0, 3],
                 [5, 0, 0, 2, 2]], float)
#: Cosines of user 0 with users 1 and 3; with user 2 it is -1.
S01, S03 = 4 / np.sqrt(8 * 10), 4 / np.sqrt(8 * 6)
PLAIN = dict(shrinkage=0, damping=0, centring="user")


@pytest.fixture(scope="module")
def ratings() -> np.ndarray:
    """50 users, 30 items, two tastes, about half of the ratings there, the users of different generosity."""
    rng = np.random.default_rng(4)
    taste = np.outer(np.where(np.arange(50) % 2, 1, -1), np.where(np.arange(30) % 3, 1, -1))
    full = (3 + taste + rng.normal(0, 0.8, (50, 30)) + rng.normal(0, 0.5, (50, 1))).round().clip(1, 5)
    return np.where(rng.random((50, 30)) < 0.5, full, 0)


@pytest.fixture(scope="module")
def crowd(ratings: np.ndarray) -> Dataset:
    return from_matrix(ratings)


def in_loops(ratings: np.ndarray, base: np.ndarray, similarity: str, k: int, shrinkage: float,
             damping: float) -> np.ndarray:
    """The definition, one user and one item at a time: (n_users, n_items) predictions from expectations `base`."""
    there, d, out, near = ratings > 0, np.where(ratings > 0, ratings - base, 0), base.copy(), np.zeros((50, 50))
    for u, v in np.argwhere(~np.eye(50, dtype=bool)):
        both = there[u] & there[v]
        over = both if similarity == "pearson" else slice(None)
        lengths = np.linalg.norm(d[u, over]) * np.linalg.norm(d[v, over])
        near[u, v] = d[u] @ d[v] / max(lengths, 1e-9) * both.sum() / max(both.sum() + shrinkage, 1)
    for u, i in np.argwhere(ratings > -1):
        voters = sorted((-near[u, v].round(6), v) for v in np.flatnonzero(there[:, i]) if near[u, v] > 1e-6)[:k]
        if voters:
            out[u, i] += sum(-s * d[v, i] for s, v in voters) / (damping - sum(s for s, _ in voters))
    return out


@pytest.mark.shape
def test_shapes(answer: ModuleType, crowd: Dataset) -> None:
    """Deviations have a row per user, scores too, predictions an entry per pair, and at most k votes explain them."""
    knn = answer.UserKNN(k=4).fit(crowd)
    assert knn.deviations_.shape == (50, 30)
    assert knn.score([0, 1]).shape == (2, 30) and knn.predict([3, 4, 5], [0, 0, 1]).shape == (3,)
    assert len(knn.explain(0, 0)) <= 4 and len(knn.neighbours(0)) == 4


# --- the prediction ----------------------------------------------------------------------------------------------


def test_a_prediction_is_worked_out_by_hand(answer: ModuleType) -> None:
    """The user's mean plus the mean of the neighbours' deviations, weighted by cosine; who is unlike has no vote."""
    knn = answer.UserKNN(k=2, **PLAIN).fit(from_matrix(HAND))
    assert knn.predict([0], [3])[0] == pytest.approx(3 + (S01 * 2 - S03 * 1) / (S01 + S03), abs=1e-6)
    assert knn.predict([0], [4])[0] == pytest.approx(3 + (S01 * -2 - S03 * 1) / (S01 + S03), abs=1e-6)
    assert knn.score([0])[0, 3:] == pytest.approx(knn.predict([0, 0], [3, 4]), abs=1e-6)


def test_the_nearest_votes_alone_when_k_is_one(answer: ModuleType) -> None:
    """With k = 1 only user 3, the nearest, is heard: what user 1 says does not count."""
    knn = answer.UserKNN(k=1, **PLAIN).fit(from_matrix(HAND))
    assert knn.predict([0, 0], [3, 4]) == pytest.approx([2, 2], abs=1e-6)


def test_shrinkage_is_worked_out_by_hand(answer: ModuleType) -> None:
    """User 3 is nearer by one film in common, user 1 by two: shrinkage n / (n + 2) turns the order round."""
    knn = answer.UserKNN(k=1, **{**PLAIN, "shrinkage": 2}).fit(from_matrix(HAND))
    assert knn.neighbours(0, 3) == [(1, pytest.approx(S01 * 2 / 4, abs=1e-6))]
    assert knn.predict([0], [3])[0] == pytest.approx(5, abs=1e-6)
    both = answer.UserKNN(k=2, **{**PLAIN, "shrinkage": 2}).fit(from_matrix(HAND))
    assert both.predict([0], [3])[0] == pytest.approx(3 + (S01 / 2 * 2 - S03 / 3) / (S01 / 2 + S03 / 3), abs=1e-6)


def test_damping_is_worked_out_by_hand(answer: ModuleType) -> None:
    """Damping stands beside the sum of similarities: thin evidence is pulled to the expectation."""
    knn = answer.UserKNN(k=2, **{**PLAIN, "damping": 0.5}).fit(from_matrix(HAND))
    assert knn.predict([0], [3])[0] == pytest.approx(3 + (S01 * 2 - S03) / (S01 + S03 + 0.5), abs=1e-6)


def test_pearson_looks_only_at_what_both_rated(answer: ModuleType) -> None:
    """Of users 0 and 1 the two films in common decide, where they agree entirely; what only one rated is left out."""
    near = dict(answer.UserKNN(similarity="pearson", **PLAIN).fit(from_matrix(HAND)).neighbours(0))
    assert near == {1: pytest.approx(1, abs=1e-6), 3: pytest.approx(1, abs=1e-6)}
    uneven = from_matrix([[5, 4, 1, 2, 0, 0], [5, 1, 3, 0, 5, 1]])  # deviations (2, 1, -2, -1), (2, -2, 0, ·, 2, -2)
    near = dict(answer.UserKNN(similarity="pearson", **PLAIN).fit(uneven).neighbours(0))
    assert near == {1: pytest.approx((2 * 2 - 1 * 2) / (3 * np.sqrt(8)), abs=1e-6)}


@pytest.mark.parametrize("similarity", ["cosine", "pearson"])
@pytest.mark.parametrize(("k", "shrinkage", "damping", "centring"), [
    (3, 0, 0, "user"), (8, 5, 0.4, "baseline"), (50, 2, 0, "global")])
def test_it_equals_the_definition_in_loops(answer: ModuleType, ratings: np.ndarray, similarity: str, k: int,
                                           shrinkage: float, damping: float, centring: str) -> None:
    """All predictions equal the definition, computed one user and one item at a time."""
    knn = answer.UserKNN(k, similarity, shrinkage, damping, centring).fit(from_matrix(ratings))
    users, items = (grid.ravel() for grid in np.indices(ratings.shape))
    base = knn.baseline(users, items).reshape(ratings.shape)
    expected = in_loops(ratings, base, similarity, k, shrinkage, damping)
    assert np.abs(expected - base).mean() > 0.2, "votes of zero would prove nothing"
    assert knn.predict(users, items) == pytest.approx(expected.ravel(), abs=1e-4)
    assert knn.score(np.arange(50)) == pytest.approx(expected, abs=1e-4)


# --- who votes ---------------------------------------------------------------------------------------------------


def test_only_k_neighbours_vote(answer: ModuleType, ratings: np.ndarray) -> None:
    """Turn the ratings of the (k+1)-th neighbour round, and nothing changes; those of the k-th, and it does."""
    fit = lambda table, k: answer.UserKNN(k, **PLAIN).fit(from_matrix(table))  # noqa: E731
    voters = [voter for voter, _ in fit(ratings, 6).neighbours(7, 12)]
    before = fit(ratings, 5).predict([7], [12])[0]
    for place, same in ((5, True), (4, False)):
        turned = ratings.copy()
        row = turned[voters[place]]
        row[row > 0] = 6 - row[row > 0]
        assert (abs(fit(turned, 5).predict([7], [12])[0] - before) < 1e-6) == same, f"neighbour {place + 1} of 5"


def test_the_neighbours_are_chosen_among_those_who_rated_the_item(answer: ModuleType) -> None:
    """A twin who has not rated the item takes nobody's place: the nearest of its raters is asked."""
    data = from_matrix([[5, 3, 1, 0], [5, 3, 1, 0], [5, 2, 1, 4], [1, 3, 5, 1]])
    knn = answer.UserKNN(k=1, **PLAIN).fit(data)
    assert knn.neighbours(0)[0][0] == 1 and knn.neighbours(0, 3)[0][0] == 2
    assert knn.predict([0], [3])[0] == pytest.approx(3 + 1, abs=1e-6)


def test_neighbours_equal_scikit_learns(answer: ModuleType, ratings: np.ndarray) -> None:
    """The k most similar users, and how similar they are, equal those of scikit-learn's NearestNeighbors."""
    sklearn = pytest.importorskip("sklearn.neighbors")
    there = ratings > 0
    centred = np.where(there, ratings - ratings.sum(1, keepdims=True) / there.sum(1, keepdims=True), 0)
    distance, index = sklearn.NearestNeighbors(n_neighbors=8, metric="cosine").fit(centred).kneighbors()
    knn = answer.UserKNN(k=8, **PLAIN).fit(from_matrix(ratings))
    for u in range(50):
        near = knn.neighbours(u)
        assert [v for v, _ in near] == index[u].tolist()
        assert [s for _, s in near] == pytest.approx(1 - distance[u], abs=1e-5)


def test_of_equally_similar_users_the_first_votes(answer: ModuleType) -> None:
    """Forty twins say different things; with k = 2 the two of lowest id are heard, however many there are."""
    twins = np.array([[5, 3, 1, 0, 0], [5, 3, 1, 1, 5], [5, 3, 1, 3, 3]] + 38 * [[5, 3, 1, 5, 1]])
    knn = answer.UserKNN(k=2, similarity="pearson", **PLAIN).fit(from_matrix(twins))
    assert knn.predict([0, 0], [4, 3]) == pytest.approx([3 + (2 + 0) / 2, 3 + (-2 + 0) / 2], abs=1e-5)
    assert [vote.user for vote in knn.explain(0, 4)] == [1, 2]


# --- what is expected before anyone votes ------------------------------------------------------------------------


def test_the_generosity_of_a_neighbour_does_not_count(answer: ModuleType, ratings: np.ndarray) -> None:
    """A neighbour who gives half a star more to everything says the same as before."""
    before = answer.UserKNN(k=5, **PLAIN).fit(from_matrix(ratings)).score([0])
    generous = ratings + np.where((ratings > 0) & (np.arange(50) % 4 == 2)[:, None], 0.5, 0)
    assert answer.UserKNN(k=5, **PLAIN).fit(from_matrix(generous)).score([0]) == pytest.approx(before, abs=1e-4)


@pytest.mark.parametrize("reg", [2.0, 8.0])
def test_the_baseline_minimises_its_regularised_error(answer: ModuleType, ratings: np.ndarray, reg: float) -> None:
    """The biases solve the ridge regression of ratings minus their mean on users and items."""
    knn = answer.UserKNN(bias_reg=reg).fit(from_matrix(ratings))
    users, items = np.nonzero(ratings)
    design = np.zeros((len(users), 80))
    design[np.arange(len(users)), users] = design[np.arange(len(users)), 50 + items] = 1
    mean = ratings[users, items].mean()
    solved = np.linalg.solve(design.T @ design + reg * np.eye(80), design.T @ (ratings[users, items] - mean))
    assert knn.mean_ == pytest.approx(mean)
    assert knn.user_bias_ == pytest.approx(solved[:50], abs=1e-3)
    assert knn.item_bias_ == pytest.approx(solved[50:], abs=1e-3)


def test_who_cannot_be_advised_gets_the_baseline(answer: ModuleType, ratings: np.ndarray) -> None:
    """No ratings, an item without raters, or nobody alike: the expectation, to the last digit, and no votes."""
    padded = from_matrix(np.pad(ratings, ((0, 1), (0, 1))))
    knn = answer.UserKNN(k=5).fit(padded)
    assert knn.score([50])[0] == pytest.approx(knn.mean_ + knn.item_bias_, abs=1e-6)
    assert knn.predict([3], [30])[0] == pytest.approx(knn.mean_ + knn.user_bias_[3], abs=1e-6)
    assert knn.explain(50, 0) == knn.explain(3, 30) == []
    opposed = answer.UserKNN(**PLAIN).fit(from_matrix([[5, 1, 0], [2, 5, 2]]))
    assert opposed.predict([0], [2])[0] == pytest.approx(3, abs=1e-6)


def test_who_rates_everything_alike_is_like_nobody(answer: ModuleType) -> None:
    """Equal ratings leave no deviations, not even by rounding: the similarity is 0, not NaN and not 1."""
    flat = from_matrix([[1, 1, 1, 0], [5, 3, 1, 5], [4, 3, 2, 1]])
    for similarity in ("cosine", "pearson"):
        knn = answer.UserKNN(similarity=similarity, **PLAIN).fit(flat)
        with np.errstate(invalid="ignore"):
            assert knn.neighbours(0) == [] and knn.predict([0], [3])[0] == pytest.approx(1, abs=1e-6)


def test_the_vote_is_a_mean(answer: ModuleType, ratings: np.ndarray) -> None:
    """However many vote, the prediction stays between the smallest and the largest deviation of the voters."""
    for settings in (PLAIN, {}):
        knn = answer.UserKNN(k=20, **settings).fit(from_matrix(ratings))
        for u, i in ((0, 0), (7, 12), (20, 5), (33, 29)):
            deviations = [vote.deviation for vote in knn.explain(u, i)] + [0.0] * (not settings)
            added = knn.predict([u], [i])[0] - knn.baseline([u], [i])[0]
            assert min(deviations) - 1e-5 <= added <= max(deviations) + 1e-5


def test_a_later_rating_replaces_an_earlier_one(answer: ModuleType) -> None:
    """A film rated twice counts once, by the later rating, whatever the order of the file."""
    table = np.column_stack([*np.nonzero(HAND), HAND[HAND > 0]])
    users, items, stars = np.vstack([table, [1, 3, 1]]).T  # user 1 once gave item 3 one star
    data = Dataset.from_arrays(users.astype(int), items.astype(int), stars, [*range(10, 10 + len(table)), 0])
    knn = answer.UserKNN(k=2, **PLAIN).fit(data)
    assert knn.predict([0], [3])[0] == pytest.approx(3 + (S01 * 2 - S03 * 1) / (S01 + S03), abs=1e-6)


# --- explanations, implicit feedback, size -----------------------------------------------------------------------


@pytest.mark.parametrize("feedback", ["explicit", "implicit"])
def test_votes_add_up_to_the_prediction(answer: ModuleType, ratings: np.ndarray, feedback: str) -> None:
    """Each vote names its user, similarity and rating; with the baseline, the parts add up to the prediction."""
    knn = answer.UserKNN(k=6, feedback=feedback).fit(from_matrix(ratings))
    for u, i in ((0, 0), (7, 12), (20, 5)):
        votes = knn.explain(u, i)
        total = sum(vote.part for vote in votes) + knn.baseline([u], [i])[0]
        assert total == pytest.approx(knn.predict([u], [i])[0], abs=1e-5)
        assert [(vote.user, vote.similarity) for vote in votes] == knn.neighbours(u, i) and len(votes) == 6
        stars = [ratings[vote.user, i] if feedback == "explicit" else 1 for vote in votes]
        assert [vote.rating for vote in votes] == pytest.approx(stars, abs=1e-5)


def test_implicit_feedback_sums_the_similarities(answer: ModuleType) -> None:
    """Without ratings, a score is the sum of the k largest similarities of those who met the item: no division."""
    met = from_matrix(HAND, ratings=False)
    a, b, c = 2 / np.sqrt(3 * 4), 3 / np.sqrt(3 * 4), 1 / 3  # of user 0 with users 1, 2 and 3
    for k, expected in ((1, [a, b]), (2, [a + c, a + b]), (9, [a + c, a + b + c])):
        knn = answer.UserKNN(k, shrinkage=0).fit(met)
        assert knn.implicit_ and knn.score([0])[0, 3:] == pytest.approx(expected, abs=1e-6), f"k = {k}"
    asked = answer.UserKNN(9, shrinkage=0, feedback="implicit").fit(from_matrix(HAND))
    assert asked.score([0])[0, 3:] == pytest.approx([a + c, a + b + c], abs=1e-6), "asked for, ratings are ignored"


def test_what_the_data_cannot_give_is_refused(answer: ModuleType) -> None:
    """Explicit feedback needs ratings, and so does a correlation."""
    met = from_matrix(HAND, ratings=False)
    with pytest.raises(ValueError, match="feedback='explicit' needs ratings"):
        answer.UserKNN(feedback="explicit").fit(met)
    with pytest.raises(ValueError, match="'pearson' needs ratings"):
        answer.UserKNN(similarity="pearson").fit(met)


def test_the_checkerboard_is_completed(answer: ModuleType) -> None:
    """Items of the user's own parity are worth 5, the others 1: the hidden one of each kind is told apart."""
    data = rated_checkerboard()
    knn = answer.UserKNN(k=5, **PLAIN).fit(data)
    own, other = np.arange(20), (np.arange(20) + 1) % 20
    assert knn.predict(own, own) == pytest.approx(np.full(20, 5), abs=0.3)
    assert knn.predict(own, other) == pytest.approx(np.full(20, 1), abs=0.3)


def test_blocks_change_nothing_and_bound_the_memory(answer: ModuleType, crowd: Dataset,
                                                    monkeypatch: pytest.MonkeyPatch) -> None:
    """A few users at a time, the predictions are the same, and no table of users × users is ever held."""
    users, items = (grid.ravel() for grid in np.indices((50, 30)))
    fitted = [answer.UserKNN(k=4, similarity=similarity).fit(crowd) for similarity in ("cosine", "pearson")]
    whole = [knn.predict(users, items) for knn in fitted]
    monkeypatch.setattr(neighbours, "BLOCK_CELLS", 150)
    for knn, expected in zip(fitted, whole, strict=True):
        assert knn.predict(users, items) == pytest.approx(expected, abs=1e-5)
        assert knn.score(np.arange(50)).ravel() == pytest.approx(expected, abs=1e-5)

    monkeypatch.setattr(neighbours, "BLOCK_CELLS", 1 << 16)
    rng = np.random.default_rng(0)
    users, items = rng.integers(0, 4000, 8000), rng.integers(0, 300, 8000)
    knn = answer.UserKNN().fit(Dataset.from_arrays(users, items, rng.integers(1, 6, 8000)))
    tracemalloc.start()
    knn.predict(users[:2000], items[:2000])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4000 * 4000 * 4 / 8, "the table of all similarities would be 64 MB, and this took an eighth of it"


@pytest.mark.data
def test_movielens_ratings_are_predicted_to_0_925(answer: ModuleType, ml100k: Dataset) -> None:
    """On MovieLens-100K (P3), RMSE is at most 0.925, where biases alone reach 0.948 and a plain user k-NN 0.943."""
    from keras_recs.evaluation import evaluate

    parts = split(ml100k, "P3")
    assert evaluate(answer.UserKNN().fit(parts.train), parts).metrics["rmse"] <= 0.925
