"""Question 4: k nearest neighbours between users, on ratings and on feedback without ratings."""

from __future__ import annotations

import tracemalloc
from functools import partial
from types import ModuleType

import numpy as np
import pytest
from conftest import rated_checkerboard
from scipy import sparse

from keras_recs.data import Dataset, from_matrix, split
from keras_recs.practice import expect
from keras_recs.utils import neighbours

#: Every user's mean is 3. Deviations: (2, 0, -2, ·, ·), (1, ·, -1, 2, -2), (-1, 0, 1, ·, 0), (2, ·,
#: ·, -1, -1).
HAND = np.array([[5, 3, 1, 0, 0], [4, 0, 2, 5, 1], [2, 3, 4, 0, 3], [5, 0, 0, 2, 2]], float)
#: Cosines of user 0 with users 1 and 3; with user 2 it is -1.
S01, S03 = 4 / np.sqrt(8 * 10), 4 / np.sqrt(8 * 6)
PLAIN = dict(shrinkage=0, damping=0, centring="user")


@pytest.fixture(scope="module")
def ratings() -> np.ndarray:
    """50 users, 30 items, two tastes, about half of the ratings there, the users of different generosity."""
    rng = np.random.default_rng(4)
    taste = np.outer(np.where(np.arange(50) % 2, 1, -1), np.where(np.arange(30) % 3, 1, -1))
    full = (
        (3 + taste + rng.normal(0, 0.8, (50, 30)) + rng.normal(0, 0.5, (50, 1))).round().clip(1, 5)
    )
    return np.where(rng.random((50, 30)) < 0.5, full, 0)


@pytest.fixture(scope="module")
def crowd(ratings: np.ndarray) -> Dataset:
    return from_matrix(ratings)


def in_loops(
    ratings: np.ndarray, base: np.ndarray, similarity: str, k: int, shrinkage: float, damping: float
) -> np.ndarray:
    """The definition, one user and one item at a time: (n_users, n_items) predictions from expectations `base`."""
    there, d, out, near = (
        ratings > 0,
        np.where(ratings > 0, ratings - base, 0),
        base.copy(),
        np.zeros((50, 50)),
    )
    for u, v in np.argwhere(~np.eye(50, dtype=bool)):
        both = there[u] & there[v]
        over = both if similarity == "pearson" else slice(None)
        lengths = np.linalg.norm(d[u, over]) * np.linalg.norm(d[v, over])
        near[u, v] = d[u] @ d[v] / max(lengths, 1e-9) * both.sum() / max(both.sum() + shrinkage, 1)
    for u, i in np.argwhere(ratings > -1):
        voters = sorted(
            (-near[u, v].round(6), v) for v in np.flatnonzero(there[:, i]) if near[u, v] > 1e-6
        )[:k]
        if voters:
            out[u, i] += sum(-s * d[v, i] for s, v in voters) / (
                damping - sum(s for s, _ in voters)
            )
    return out


@pytest.mark.shape
@pytest.mark.needs(
    "expectation", "nearest_only", "UserKNN._similarity", "UserKNN._vote", "UserKNN.explain"
)
def test_shapes(answer: ModuleType, crowd: Dataset) -> None:
    """Deviations have a row per user, scores too, predictions an entry per pair, and at most k votes explain them."""
    knn = answer.UserKNN(n_neighbors=4).fit(crowd)
    expect.equal(
        knn.deviations_.shape,
        (50, 30),
        "deviations stand in a table of users × items, as the ratings do",
    )
    expect.equal(
        knn.score([0, 1]).shape,
        (2, 30),
        "scores have a row for each user asked and a column for each item",
    )
    expect.equal(
        knn.predict([3, 4, 5], [0, 0, 1]).shape,
        (3,),
        "three pairs of user and item get three predictions",
    )
    votes = len(knn.explain(0, 0))
    expect.true(
        votes <= 4,
        "only the k nearest vote, so no more than k votes explain a prediction",
        votes=votes,
    )
    expect.equal(
        len(knn.neighbours(0)),
        4,
        "of the 49 others more than four are alike, so k = 4 neighbours are named",
    )


# --- the prediction -------------------------------------------------------------------------------


@pytest.mark.needs("nearest_only")
def test_only_the_k_largest_stay_in_each_row(answer: ModuleType) -> None:
    """All but the k largest of a row become 0, of equal ones the first stay; a row of at most k stays whole."""
    rows = np.array(
        [[0.1, 0.5, 0.25, 0.25, 0.25], [0.0, 0.0, 0.75, 0.0, 0.5], [0.5, 0.4, 0.3, 0.2, 0.1]]
    )
    kept = np.array([[0, 0.5, 0.25, 0.25, 0], [0, 0, 0.75, 0, 0.5], [0.5, 0.4, 0.3, 0, 0]])
    every, last = kept.copy(), kept.copy()
    every[0, 4], last[0, 2], last[0, 4] = 0.25, 0, 0.25
    expect.equal(
        answer.nearest_only(rows.copy(), 3),
        kept,
        "three of each row stay where they are, of equals the first, and all others become 0",
        mistakes={
            "all that are equal to the third stay, so there are four": every,
            "of equals the last stays: it is the first, the lowest id": last,
            "the largest are sorted to the front: they have to stay in their places": -np.sort(
                -rows, axis=1
            )[:, :3],
            "the smallest stay": np.where(
                np.argsort(np.argsort(rows, axis=1), axis=1) < 3, rows, 0
            ),
        },
    )
    expect.equal(
        answer.nearest_only(rows.copy(), 5),
        rows,
        "where a row has no more than k entries all of them stay",
    )
    block = np.stack([rows, rows[::-1]])
    expect.equal(
        answer.nearest_only(block, 3),
        np.stack([kept, kept[::-1]]),
        "rows are those of the last axis, whatever stands before it",
    )


@pytest.mark.needs("expectation", "nearest_only", "UserKNN._similarity", "UserKNN._vote")
def test_a_prediction_is_worked_out_by_hand(answer: ModuleType) -> None:
    """The user's mean plus the mean of the neighbours' deviations, weighted by cosine; who is unlike has no vote."""
    knn = answer.UserKNN(n_neighbors=2, **PLAIN).fit(from_matrix(HAND))
    total, weight = S01 * 2 - S03 * 1, S01 + S03

    def expecting(means: np.ndarray) -> float:
        d = np.where(HAND > 0, HAND - means[:, None], 0)
        near = d[[1, 3]] @ d[0] / np.linalg.norm(d[[1, 3]], axis=1)
        return means[0] + near @ d[[1, 3], 3] / near.sum()

    expect.equal(
        knn.predict([0], [3])[0],
        3 + total / weight,
        "a vote is a mean of the neighbours' deviations, "
        "weighted by similarity and added to what was expected of user 0, here a mean of 3",
        abs=1e-6,
        mistakes={
            "the sum was never divided by the sum of the similarities": 3 + total,
            "the sum was divided by the number of neighbours, not by their similarities": 3
            + total / 2,
            "the users' means count what was not rated as a 0": expecting(HAND.mean(axis=1)),
            "the ratings themselves vote, not how far they are from their users' means": expecting(
                np.zeros(4)
            ),
            "both neighbours count alike: the nearer one has the larger say": 3 + (2 - 1) / 2,
            "what the neighbours add is there, and what is added to is missing": total / weight,
            "nobody voted: this is the expectation alone": 3.0,
        },
    )
    expect.equal(
        knn.predict([0], [4])[0],
        3 + (S01 * -2 - S03 * 1) / weight,
        "users 1 and 3 both found item 4 worse "
        "than their means, so user 0 is expected to; user 2, who is opposed to user 0, has no vote",
        abs=1e-6,
    )
    expect.equal(
        knn.score([0])[0, 3:],
        knn.predict([0, 0], [3, 4]),
        "score() and predict() are one formula: lists are ranked by the ratings that are predicted",
        abs=1e-6,
    )


@pytest.mark.needs("expectation", "nearest_only", "UserKNN._similarity", "UserKNN._vote")
def test_the_nearest_votes_alone_when_k_is_one(answer: ModuleType) -> None:
    """With k = 1 only user 3, the nearest, is heard: what user 1 says does not count."""
    knn = answer.UserKNN(n_neighbors=1, **PLAIN).fit(from_matrix(HAND))
    both = [3 + (S01 * 2 - S03) / (S01 + S03), 3 + (S01 * -2 - S03) / (S01 + S03)]
    expect.equal(
        knn.predict([0, 0], [3, 4]),
        [2, 2],
        "with k = 1 user 3 alone is asked, whose cosine is the largest: "
        "a lone vote moves the prediction by its whole deviation, -1",
        abs=1e-6,
        mistakes={
            "both raters voted: all but the k most similar have to fall silent": both,
            "the less similar of the two voted: the largest similarity is the nearest": [5, 1],
            "nobody voted: these are the expectations alone": [3, 3],
        },
    )


@pytest.mark.needs("expectation", "nearest_only", "UserKNN._similarity", "UserKNN._vote")
def test_shrinkage_is_worked_out_by_hand(answer: ModuleType) -> None:
    """User 3 is nearer by one film in common, user 1 by two: shrinkage n / (n + 2) turns the order round."""
    knn = answer.UserKNN(n_neighbors=1, **{**PLAIN, "shrinkage": 2}).fit(from_matrix(HAND))
    expect.equal(
        knn.neighbours(0, 3),
        [(1, S01 * 2 / 4)],
        "two films in common with user 1 keep 2 / (2 + 2) of the "
        "similarity, one with user 3 keeps 1 / (1 + 2): user 1 is the nearer now",
        abs=1e-6,
        mistakes={
            "the similarities are not shrunk": [(3, S03)],
            "this is shrinkage / (n + shrinkage), which trusts the least where most is in common": [
                (3, S03 * 2 / 3)
            ],
            "n counts the films of one user: it is the number that both met": [(3, S03 * 3 / 5)],
            "the neighbour is right, and the similarity is the one before shrinking": [(1, S01)],
        },
    )
    expect.equal(
        knn.predict([0], [3])[0],
        5,
        "who votes is decided after shrinking: user 1, who gave two stars more than usual",
        abs=1e-6,
        mistakes={"user 3 voted: the k nearest were chosen before the similarities were shrunk": 2},
    )
    both = answer.UserKNN(n_neighbors=2, **{**PLAIN, "shrinkage": 2}).fit(from_matrix(HAND))
    expect.equal(
        both.predict([0], [3])[0],
        3 + (S01 / 2 * 2 - S03 / 3) / (S01 / 2 + S03 / 3),
        "of two votes each weighs its shrunk similarity, above and below the line",
        abs=1e-6,
        mistakes={
            "the votes are weighed by the similarities before shrinking": 3
            + (S01 * 2 - S03) / (S01 + S03),
            "the sum is shrunk, what it is divided by is not": 3
            + (S01 / 2 * 2 - S03 / 3) / (S01 + S03),
        },
    )


@pytest.mark.needs("expectation", "UserKNN._similarity")
def test_shrinkage_counts_a_film_that_both_rated_as_expected(answer: ModuleType) -> None:
    """A film that both users rated just as expected adds nothing to the cosine, and is in common all the same."""
    data = from_matrix(
        [[5, 3, 1, 0], [4, 3, 2, 0], [0, 0, 0, 3]]
    )  # deviations (2, 0, -2) and (1, 0, -1)
    near = answer.UserKNN(n_neighbors=2, **{**PLAIN, "shrinkage": 2}).fit(data).neighbours(0)
    expect.equal(
        near,
        [(1, 3 / (3 + 2))],
        "users 0 and 1 have three films in common, and agree: of the cosine, 1, "
        "shrinkage leaves 3 / (3 + 2)",
        abs=1e-6,
        mistakes={
            "the film that both rated as expected was not counted: n is what both met, whatever the "
            "deviation": [(1, 2 / (2 + 2))],
            "the similarities are not shrunk": [(1, 1.0)],
        },
    )


@pytest.mark.needs("UserKNN._similarity")
def test_shrinkage_is_the_same_without_ratings(answer: ModuleType) -> None:
    """Implicit similarities, too, are multiplied by n / (n + shrinkage): one film in common proves little."""
    met = from_matrix([[1, 1, 1, 0], [1, 1, 1, 0], [1, 0, 0, 0]], ratings=False)
    near = answer.UserKNN(n_neighbors=2, shrinkage=2).fit(met).neighbours(0)
    expect.equal(
        near,
        [(1, 3 / 5), (2, 1 / 3**0.5 / 3)],
        "three films in common keep 3 / (3 + 2) of a cosine of 1, "
        "one film keeps 1 / (1 + 2) of 1 / √3, with or without ratings",
        abs=1e-6,
        mistakes={"without ratings the similarities are not shrunk": [(1, 1.0), (2, 1 / 3**0.5)]},
    )


@pytest.mark.needs("expectation", "nearest_only", "UserKNN._similarity", "UserKNN._vote")
def test_damping_is_worked_out_by_hand(answer: ModuleType) -> None:
    """Damping stands beside the sum of similarities: thin evidence is pulled to the expectation."""
    knn = answer.UserKNN(n_neighbors=2, **{**PLAIN, "damping": 0.5}).fit(from_matrix(HAND))
    total, weight = S01 * 2 - S03, S01 + S03
    expect.equal(
        knn.predict([0], [3])[0],
        3 + total / (weight + 0.5),
        "damping is added once to the sum of the "
        "similarities: as if so much of it had voted for the expectation",
        abs=1e-6,
        mistakes={
            "damping is left out": 3 + total / weight,
            "damping is added once for each neighbour": 3 + total / (weight + 1.0),
            "damping is added above the line too: who votes as expected has the deviation 0": 3
            + (total + 0.5) / (weight + 0.5),
        },
    )


@pytest.mark.needs("expectation", "UserKNN._similarity")
def test_pearson_looks_only_at_what_both_rated(answer: ModuleType) -> None:
    """Of users 0 and 1 the two films in common decide, where they agree entirely; what only one rated is left out."""
    near = answer.UserKNN(similarity="pearson", **PLAIN).fit(from_matrix(HAND)).neighbours(0)
    expect.equal(
        sorted(near),
        [(1, 1.0), (3, 1.0)],
        "over the films that both rated, users 1 and 3 deviate just as "
        "user 0 does: the correlation is 1, and user 2, at -1, is no neighbour",
        abs=1e-6,
        mistakes={
            "this is the cosine: pearson's lengths run over the films in common only": [
                (1, S01),
                (3, S03),
            ],
            "the length of the neighbour runs over all of the neighbour's films": [
                (1, 4 / (8 * 10) ** 0.5),
                (3, 4 / (4 * 6) ** 0.5),
            ],
            "both lengths are of the user who asks: one of them is the neighbour's ": [
                (1, 0.5),
                (3, 1.0),
            ],
        },
    )
    uneven = from_matrix(
        [[5, 4, 1, 2, 0, 0], [5, 1, 3, 0, 5, 1]]
    )  # deviations (2, 1, -2, -1), (2, -2, 0, ·, 2, -2)
    near = answer.UserKNN(similarity="pearson", **PLAIN).fit(uneven).neighbours(0)
    expect.equal(
        near,
        [(1, (2 * 2 - 1 * 2) / (3 * np.sqrt(8)))],
        "both lengths run over the three films in common: "
        "√(2² + 1² + 2²) of user 0, √(2² + 2² + 0²) of user 1",
        abs=1e-6,
        mistakes={
            "the lengths run over all films of each user: that is the cosine": [
                (1, 2 / (10**0.5 * 4))
            ],
            "user 0's length runs over all films, user 1's over the common ones": [
                (1, 2 / (10 * 8) ** 0.5)
            ],
            "user 1's length runs over all films, user 0's over the common ones": [
                (1, 2 / (3 * 4))
            ],
            "the films in common were centred anew: deviations are from what was expected of the rating": [
                (1, np.corrcoef([2, 1, -2], [2, -2, 0])[0, 1])
            ],
        },
    )


@pytest.mark.parametrize("similarity", ["cosine", "pearson"])
@pytest.mark.parametrize(
    ("k", "shrinkage", "damping", "centring"),
    [(3, 0, 0, "user"), (8, 5, 0.4, "baseline"), (50, 2, 0, "global")],
)
@pytest.mark.needs("expectation", "nearest_only", "UserKNN._similarity", "UserKNN._vote")
def test_it_equals_the_definition_in_loops(
    answer: ModuleType,
    ratings: np.ndarray,
    similarity: str,
    k: int,
    shrinkage: float,
    damping: float,
    centring: str,
) -> None:
    """All predictions equal the definition, computed one user and one item at a time."""
    knn = answer.UserKNN(k, similarity, shrinkage, damping, centring).fit(from_matrix(ratings))
    users, items = (grid.ravel() for grid in np.indices(ratings.shape))
    base = knn.baseline(users, items).reshape(ratings.shape)
    expected = in_loops(ratings, base, similarity, k, shrinkage, damping)
    expect.true(
        np.abs(expected - base).mean() > 0.2,
        "what is expected before anyone votes leaves the neighbours "
        "something to say: otherwise votes of zero would pass",
        mean_vote=np.abs(expected - base).mean(),
    )
    predicted, loops = knn.predict(users, items), partial(in_loops, ratings, base, similarity)
    wrong: dict[str, np.ndarray] = {}
    if not np.allclose(
        predicted, expected.ravel(), atol=1e-4
    ):  # loops are slow: only where there is a mistake to name
        wrong = {
            "nobody votes: these are the expectations alone": base,
            "shrinkage is left out": loops(k, 0, damping),
            "damping is left out": loops(k, shrinkage, 0),
            "all raters vote, not the k nearest": loops(50, shrinkage, damping),
        }
    expect.equal(
        predicted,
        expected.ravel(),
        f"a loop over users and items gives these, by {similarity} with "
        f"{centring!r} centring, k = {k}, of equals the lower ids, shrinkage {shrinkage}, damping {damping}",
        abs=1e-4,
        mistakes={sentence: value.ravel() for sentence, value in wrong.items()},
    )
    expect.equal(
        knn.score(np.arange(50)),
        expected,
        "score() is that of predict(), for every item at once",
        abs=1e-4,
        mistakes={"nobody votes in score(): these are the expectations alone": base},
    )


# --- who votes ------------------------------------------------------------------------------------


@pytest.mark.needs("expectation", "nearest_only", "UserKNN._similarity", "UserKNN._vote")
def test_only_k_neighbours_vote(answer: ModuleType, ratings: np.ndarray) -> None:
    """Turn the ratings of the (k+1)-th neighbour round, and nothing changes; those of the k-th, and it does."""
    fit = lambda table, k: answer.UserKNN(k, **PLAIN).fit(from_matrix(table))  # noqa: E731
    voters = [voter for voter, _ in fit(ratings, 6).neighbours(7, 12)]
    before = fit(ratings, 5).predict([7], [12])[0]

    def after_turning(place: int) -> float:
        turned = ratings.copy()
        row = turned[voters[place]]
        row[row > 0] = 6 - row[row > 0]
        return fit(turned, 5).predict([7], [12])[0]

    expect.true(
        abs(after_turning(5) - before) < 1e-6,
        "with k = 5 the sixth neighbour has no vote: turn their ratings round, and nothing changes",
        before=before,
        after=after_turning(5),
    )
    expect.true(
        not abs(after_turning(4) - before) < 1e-6,
        "with k = 5 the fifth neighbour has a vote: turn their "
        "ratings round, and the prediction changes",
        before=before,
        after=after_turning(4),
    )


@pytest.mark.needs("expectation", "nearest_only", "UserKNN._similarity", "UserKNN._vote")
def test_the_neighbours_are_chosen_among_those_who_rated_the_item(answer: ModuleType) -> None:
    """A twin who has not rated the item takes nobody's place: the nearest of its raters is asked."""
    data = from_matrix([[5, 3, 1, 0], [5, 3, 1, 0], [5, 2, 1, 4], [1, 3, 5, 1]])
    knn = answer.UserKNN(n_neighbors=1, **PLAIN).fit(data)
    expect.equal(knn.neighbours(0)[0][0], 1, "user 1 rates just as user 0 does: nobody is nearer")
    expect.equal(
        knn.neighbours(0, 3)[0][0],
        2,
        "user 1 has not rated item 3: the nearest of its raters is user 2",
        mistakes={"the nearest of all users was taken, who has nothing to say about item 3": 1},
    )
    expect.equal(
        knn.predict([0], [3])[0],
        3 + 1,
        "user 2 found item 3 one star better than expected, and is the nearest who rated it",
        abs=1e-6,
        mistakes={
            "nobody voted: the k nearest were chosen first, and those without a rating dropped": 3,
            "the missing rating of user 1 voted as a rating of 0": 0,
        },
    )


@pytest.mark.needs("expectation", "UserKNN._similarity")
def test_neighbours_equal_scikit_learns(answer: ModuleType, ratings: np.ndarray) -> None:
    """The k most similar users, and how similar they are, equal those of scikit-learn's NearestNeighbors."""
    sklearn = pytest.importorskip("sklearn.neighbors")
    there = ratings > 0
    centred = np.where(
        there, ratings - ratings.sum(1, keepdims=True) / there.sum(1, keepdims=True), 0
    )
    distance, index = (
        sklearn.NearestNeighbors(n_neighbors=8, metric="cosine").fit(centred).kneighbors()
    )
    knn = answer.UserKNN(n_neighbors=8, **PLAIN).fit(from_matrix(ratings))
    for u in range(50):
        near = knn.neighbours(u)
        expect.equal(
            [v for v, _ in near],
            index[u],
            f"scikit-learn finds the same eight neighbours of user {u} on "
            "ratings minus user means, nearest first, where what is not rated is 0",
            mistakes={
                "these stand in the opposite order": index[u][::-1],
                "a user stands among their own neighbours: nobody advises themselves": [
                    u,
                    *index[u][:-1],
                ],
            },
        )
        expect.equal(
            [s for _, s in near],
            1 - distance[u],
            f"the similarity of user {u} to each is the cosine, which "
            "is 1 minus scikit-learn's distance",
            abs=1e-5,
            mistakes={"these are distances: near means a large similarity": distance[u]},
        )


@pytest.mark.needs(
    "expectation", "nearest_only", "UserKNN._similarity", "UserKNN._vote", "UserKNN.explain"
)
def test_of_equally_similar_users_the_first_votes(answer: ModuleType) -> None:
    """Forty twins say different things; with k = 2 the two of lowest id are heard, however many there are."""
    twins = np.array([[5, 3, 1, 0, 0], [5, 3, 1, 1, 5], [5, 3, 1, 3, 3]] + 38 * [[5, 3, 1, 5, 1]])
    knn = answer.UserKNN(n_neighbors=2, similarity="pearson", **PLAIN).fit(from_matrix(twins))
    expect.equal(
        knn.predict([0, 0], [4, 3]),
        [3 + (2 + 0) / 2, 3 + (-2 + 0) / 2],
        "forty users are equally similar, and k = 2: the two of lowest id vote",
        abs=1e-5,
        mistakes={
            "all forty voted: `>=` the k-th largest keeps everybody who ties with it": [
                3 + (2 - 76) / 40,
                3 + (-2 + 76) / 40,
            ],
            "the two of highest id voted": [1, 5],
        },
    )
    expect.equal(
        [vote.user for vote in knn.explain(0, 4)],
        [1, 2],
        "explain() names those who voted, of equals the lower ids, in order",
    )


# --- what is expected before anyone votes ---------------------------------------------------------


@pytest.mark.needs("expectation", "nearest_only", "UserKNN._similarity", "UserKNN._vote")
def test_the_generosity_of_a_neighbour_does_not_count(
    answer: ModuleType, ratings: np.ndarray
) -> None:
    """A neighbour who gives half a star more to everything says the same as before."""
    before = answer.UserKNN(n_neighbors=5, **PLAIN).fit(from_matrix(ratings)).score([0])
    generous = ratings + np.where((ratings > 0) & (np.arange(50) % 4 == 2)[:, None], 0.5, 0)
    expect.equal(
        answer.UserKNN(n_neighbors=5, **PLAIN).fit(from_matrix(generous)).score([0]),
        before,
        "half a star more for "
        "everything raises a user's mean as well: the deviations, and so the votes, stay as they were",
        abs=1e-4,
    )


@pytest.mark.parametrize("reg", [2.0, 8.0])
@pytest.mark.needs("expectation")
def test_the_baseline_minimises_its_regularised_error(
    answer: ModuleType, ratings: np.ndarray, reg: float
) -> None:
    """The biases solve the ridge regression of ratings minus their mean on users and items."""
    knn = answer.UserKNN(bias_reg=reg).fit(from_matrix(ratings))
    users, items = np.nonzero(ratings)
    design = np.zeros((len(users), 80))
    design[np.arange(len(users)), users] = design[np.arange(len(users)), 50 + items] = 1
    mean = ratings[users, items].mean()
    solved = np.linalg.solve(
        design.T @ design + reg * np.eye(80), design.T @ (ratings[users, items] - mean)
    )
    expect.equal(
        knn.mean_,
        mean,
        "μ is the mean of the ratings that exist",
        mistakes={"the zeros, where there is no rating, were counted": ratings.mean()},
    )

    there = ratings > 0

    def in_turn(rounds: int, penalty: float = reg) -> tuple[np.ndarray, np.ndarray]:
        of_users, of_items = np.zeros(50), np.zeros(30)
        for _ in range(rounds):
            of_items = np.where(there, ratings - mean - of_users[:, None], 0).sum(axis=0) / (
                there.sum(axis=0) + penalty
            )
            of_users = np.where(there, ratings - mean - of_items, 0).sum(axis=1) / (
                there.sum(axis=1) + penalty
            )
        return of_users, of_items

    alone = np.where(there, ratings - mean, 0).sum(axis=1) / (there.sum(axis=1) + reg)
    expect.equal(
        knn.user_bias_,
        solved[:50],
        "a user's bias is what mean and item biases leave over, summed and "
        "divided by the number of ratings plus reg; in turn with the items', until nothing moves",
        abs=1e-3,
        mistakes={
            "this is after one round: take the items' biases anew, then the users', and so on": in_turn(
                1
            )[0],
            "this leaves the items' biases out: who rates good films is not generous": alone,
            "this is not shrunk by reg": in_turn(20, penalty=0)[0],
        },
    )
    expect.equal(
        knn.item_bias_,
        solved[50:],
        "an item's bias is what mean and user biases leave over, shrunk by reg "
        "imaginary ratings in the same way",
        abs=1e-3,
        mistakes={
            "this is after one round: the users' biases change, and the items' with them": in_turn(
                1
            )[1],
            "this is not shrunk by reg": in_turn(20, penalty=0)[1],
        },
    )


@pytest.mark.parametrize("centring", ["global", "user", "baseline"])
@pytest.mark.needs("expectation")
def test_a_rating_of_0_is_a_rating_and_each_centring_has_its_biases(
    answer: ModuleType, centring: str
) -> None:
    """Ratings of 0 and below count like any other; "global" has no biases, "user" one a user, "baseline" both."""
    users, items, stars = (
        np.array([0, 0, 0, 1, 1]),
        np.array([0, 1, 2, 0, 1]),
        np.array([4.0, 0.0, -1.0, 0.0, -3.0]),
    )
    table = sparse.csr_array(
        (stars, (users, items)), shape=(3, 4)
    )  # user 2 and item 3 have no ratings
    mean, user_bias, item_bias = answer.expectation(table, centring, 2.0)
    expect.equal(
        mean,
        0.0,
        "μ is the mean of the five ratings, 4, 0, -1, 0 and -3: a 0 in the data is a rating, and "
        "what is not there is none",
        abs=1e-6,
    )
    of_users, of_items = np.zeros(3), np.zeros(4)
    if centring == "user":
        of_users = np.array([1.0, -1.5, 0.0])
    for _ in range(100 if centring == "baseline" else 0):
        of_items = np.bincount(items, stars - of_users[users], 4) / (
            np.bincount(items, minlength=4) + 2
        )
        of_users = np.bincount(users, stars - of_items[items], 3) / (
            np.bincount(users, minlength=3) + 2
        )
    said = {
        "global": "with 'global' μ alone is expected: nobody has a bias",
        "user": "with 'user' a bias is the mean of the user's ratings, a 0 among them, minus μ",
        "baseline": "with 'baseline' a bias is shrunk by the number of ratings, a 0 among them",
    }[centring]
    expect.equal(
        user_bias,
        of_users,
        said + "; who has no ratings has the bias 0",
        abs=1e-4,
        mistakes={
            "ratings of 0 were left out": [1.5, -3.0, 0.0],
            "these are the users' means": [1.0, -1.5, 0.0],
        },
    )
    expect.equal(
        item_bias,
        of_items,
        "items have a bias with 'baseline' only; an item without ratings has the bias 0",
        abs=1e-4,
    )


@pytest.mark.needs(
    "expectation", "nearest_only", "UserKNN._similarity", "UserKNN._vote", "UserKNN.explain"
)
def test_who_cannot_be_advised_gets_the_baseline(answer: ModuleType, ratings: np.ndarray) -> None:
    """No ratings, an item without raters, or nobody alike: the expectation, to the last digit, and no votes."""
    padded = from_matrix(np.pad(ratings, ((0, 1), (0, 1))))
    knn = answer.UserKNN(n_neighbors=5).fit(padded)
    expect.equal(
        knn.score([50])[0],
        knn.mean_ + knn.item_bias_,
        "user 50 has no ratings and is like nobody: the mean "
        "and the items' biases are all there is",
        abs=1e-6,
    )
    expect.equal(
        knn.predict([3], [30])[0],
        knn.mean_ + knn.user_bias_[3],
        "item 30 has no raters, so nobody votes: the mean and user 3's bias are all there is",
        abs=1e-6,
    )
    expect.equal(
        len(knn.explain(50, 0)), 0, "who has no ratings has no neighbours, and so no votes to show"
    )
    expect.equal(len(knn.explain(3, 30)), 0, "an item that nobody rated has no votes to show")
    opposed = answer.UserKNN(**PLAIN).fit(from_matrix([[5, 1, 0], [2, 5, 2]]))
    expect.equal(
        opposed.predict([0], [2])[0],
        3,
        "the only rater of item 2 is opposed to user 0: only similarities above 0 vote",
        abs=1e-6,
        mistakes={
            "a user of negative similarity voted": 2,
            "the opinion of an opposed user was turned round and counted": 4,
        },
    )


@pytest.mark.needs("expectation", "nearest_only", "UserKNN._similarity", "UserKNN._vote")
def test_who_rates_everything_alike_is_like_nobody(answer: ModuleType) -> None:
    """Equal ratings leave no deviations, not even by rounding: the similarity is 0, not NaN and not 1."""
    flat = from_matrix([[1, 1, 1, 0], [5, 3, 1, 5], [4, 3, 2, 1]])
    for similarity in ("cosine", "pearson"):
        knn = answer.UserKNN(similarity=similarity, **PLAIN).fit(flat)
        with np.errstate(invalid="ignore"):
            expect.equal(
                len(knn.neighbours(0)),
                0,
                "user 0 rates everything alike and has no deviations: by "
                f"{similarity} like nobody, with 0 and not 0 / 0",
            )
            expect.equal(
                knn.predict([0], [3])[0],
                1,
                f"nobody is like user 0 by {similarity}, so the user's mean, 1, is predicted",
                abs=1e-6,
                mistakes={"0 was divided by 0": np.nan},
            )


@pytest.mark.needs(
    "expectation", "nearest_only", "UserKNN._similarity", "UserKNN._vote", "UserKNN.explain"
)
def test_the_vote_is_a_mean(answer: ModuleType, ratings: np.ndarray) -> None:
    """However many vote, the prediction stays between the smallest and the largest deviation of the voters."""
    for settings in (PLAIN, {}):
        knn = answer.UserKNN(n_neighbors=20, **settings).fit(from_matrix(ratings))
        for u, i in ((0, 0), (7, 12), (20, 5), (33, 29)):
            deviations = [vote.deviation for vote in knn.explain(u, i)] + [0.0] * (not settings)
            added = knn.predict([u], [i])[0] - knn.baseline([u], [i])[0]
            expect.true(
                min(deviations) - 1e-5 <= added <= max(deviations) + 1e-5,
                "what the vote adds is a mean of "
                "deviations and lies between the smallest and the largest: more would be a sum",
                added=added,
                smallest=min(deviations),
                largest=max(deviations),
            )


@pytest.mark.needs("expectation", "nearest_only", "UserKNN._similarity", "UserKNN._vote")
def test_a_later_rating_replaces_an_earlier_one(answer: ModuleType) -> None:
    """A film rated twice counts once, by the later rating, whatever the order of the file."""
    table = np.column_stack([*np.nonzero(HAND), HAND[HAND > 0]])
    users, items, stars = np.vstack([table, [1, 3, 1]]).T  # user 1 once gave item 3 one star
    data = Dataset.from_arrays(
        users.astype(int), items.astype(int), stars, [*range(10, 10 + len(table)), 0]
    )
    knn = answer.UserKNN(n_neighbors=2, **PLAIN).fit(data)

    def instead(rating: float) -> float:
        changed = HAND.copy()
        changed[1, 3] = rating
        return answer.UserKNN(n_neighbors=2, **PLAIN).fit(from_matrix(changed)).predict([0], [3])[0]

    expect.equal(
        knn.predict([0], [3])[0],
        3 + (S01 * 2 - S03 * 1) / (S01 + S03),
        "user 1 gave item 3 one star, and "
        "later five: who rates a film twice has changed their mind, and the later rating counts",
        abs=1e-6,
        mistakes={
            "the last in the file was taken, which is the earlier one by time": instead(1),
            "the two ratings were added up": instead(6),
            "the two ratings were averaged": instead(3),
        },
    )


# --- explanations, implicit feedback, size --------------------------------------------------------


@pytest.mark.parametrize("feedback", ["explicit", "implicit"])
@pytest.mark.needs(
    "expectation", "nearest_only", "UserKNN._similarity", "UserKNN._vote", "UserKNN.explain"
)
def test_votes_add_up_to_the_prediction(
    answer: ModuleType, ratings: np.ndarray, feedback: str
) -> None:
    """Each vote names its user, similarity and rating; with the baseline, the parts add up to the prediction."""
    knn = answer.UserKNN(n_neighbors=6, feedback=feedback).fit(from_matrix(ratings))
    for u, i in ((0, 0), (7, 12), (20, 5)):
        votes, near = knn.explain(u, i), knn.neighbours(u, i)
        baseline, predicted = knn.baseline([u], [i])[0], knn.predict([u], [i])[0]
        parts = sum(vote.part for vote in votes)
        expect.equal(
            parts + baseline,
            predicted,
            "an explanation accounts for all of the prediction: baseline plus "
            "the parts of the votes",
            abs=1e-5,
            mistakes={
                "the parts are similarity times deviation: divide each as the vote does": sum(
                    vote.similarity * vote.deviation for vote in votes
                )
                + baseline,
                "the parts already contain the baseline": predicted + baseline,
            },
        )
        expect.equal(
            [(vote.user, vote.similarity) for vote in votes],
            near,
            "those who vote are neighbours(user, item), with the same similarities, nearest first",
            mistakes={"the nearest stands last": near[::-1]},
        )
        expect.equal(
            len(votes), 6, f"more than six users alike rated item {i}, so k = 6 votes explain it"
        )
        stars = [ratings[vote.user, i] if feedback == "explicit" else 1 for vote in votes]
        expect.equal(
            [vote.rating for vote in votes],
            stars,
            "a vote shows the rating that its user gave, or a 1 where only the meeting counts",
            abs=1e-5,
            mistakes={
                "these are the deviations: add what was expected of the neighbour": [
                    vote.deviation for vote in votes
                ]
            },
        )


@pytest.mark.needs("expectation", "UserKNN._similarity", "UserKNN.explain")
def test_an_explanation_names_users_by_their_ids(answer: ModuleType) -> None:
    """Ids may be words: a vote names its user as the data do, and shows the rating, deviation and part of that user."""
    who, what = np.array(["zoe", "ann", "bob", "max"]), np.array(["w", "d", "k", "a", "z"])
    users, items = np.nonzero(HAND)
    knn = answer.UserKNN(n_neighbors=2, **PLAIN).fit(
        Dataset.from_arrays(who[users], what[items], HAND[users, items])
    )
    votes = knn.explain("zoe", "a")
    expect.equal(
        [vote.user for vote in votes],
        ["max", "ann"],
        "of those who rated 'a', 'max' is nearest to 'zoe', "
        "then 'ann': users are named by their ids, as in the data",
    )
    expect.equal(
        [vote.rating for vote in votes],
        [2, 5],
        "a vote shows what its own user gave to item 'a'",
        abs=1e-5,
    )
    expect.equal(
        [vote.deviation for vote in votes],
        [-1, 2],
        "'max' gave a star less, 'ann' two more than their means of 3",
        abs=1e-5,
    )
    expect.equal(
        [vote.part for vote in votes],
        [-S03 / (S01 + S03), 2 * S01 / (S01 + S03)],
        "a part is similarity times deviation over the sum of the similarities",
        abs=1e-5,
    )


@pytest.mark.needs("nearest_only", "UserKNN._similarity", "UserKNN._vote")
def test_implicit_feedback_sums_the_similarities(answer: ModuleType) -> None:
    """Without ratings, a score is the sum of the k largest similarities of those who met the item: no division."""
    met = from_matrix(HAND, ratings=False)
    a, b, c = 2 / np.sqrt(3 * 4), 3 / np.sqrt(3 * 4), 1 / 3  # of user 0 with users 1, 2 and 3
    for k, expected in ((1, [a, b]), (2, [a + c, a + b]), (9, [a + c, a + b + c])):
        knn = answer.UserKNN(k, shrinkage=0).fit(met)
        expect.true(
            knn.implicit_, "data without ratings are implicit feedback, with feedback='auto'"
        )
        expect.equal(
            knn.score([0])[0, 3:],
            expected,
            f"all who met an item say the same, so k = {k} similarities are "
            "added up: how many there are, and how near, is the evidence",
            abs=1e-6,
            mistakes={
                "the sum was divided: a mean of equal votes is 1, whoever votes": [1, 1],
                "the sum was divided, with damping: without ratings nothing is divided": np.array(
                    expected
                )
                / (np.array(expected) + 0.3),
                "all who met it spoke, not the k nearest": [a + c, a + b + c],
            },
        )
    asked = answer.UserKNN(9, shrinkage=0, feedback="implicit").fit(from_matrix(HAND))
    expect.equal(
        asked.score([0])[0, 3:],
        [a + c, a + b + c],
        "with feedback='implicit' the ratings are not looked at, only who met what",
        abs=1e-6,
    )


@pytest.mark.needs()
def test_what_the_data_cannot_give_is_refused(answer: ModuleType) -> None:
    """Explicit feedback needs ratings, and so does a correlation."""
    met = from_matrix(HAND, ratings=False)
    with expect.error(
        ValueError,
        "feedback='explicit' needs ratings",
        "explicit feedback is asked for, and the data have no ratings: say so, and guess none",
    ):
        answer.UserKNN(feedback="explicit").fit(met)
    with expect.error(
        ValueError,
        "'pearson' needs ratings",
        "of what two users both met all is equal, and nothing "
        "correlates with a constant: pearson is refused without ratings",
    ):
        answer.UserKNN(similarity="pearson").fit(met)


@pytest.mark.needs("expectation", "nearest_only", "UserKNN._similarity", "UserKNN._vote")
def test_the_checkerboard_is_completed(answer: ModuleType) -> None:
    """Items of the user's own parity are worth 5, the others 1: the hidden one of each kind is told apart."""
    data = rated_checkerboard()
    knn = answer.UserKNN(n_neighbors=5, **PLAIN).fit(data)
    own, other = np.arange(20), (np.arange(20) + 1) % 20
    expect.equal(
        knn.predict(own, own),
        np.full(20, 5),
        "users of the same parity gave the hidden item a 5, and nobody else is alike",
        abs=0.3,
        mistakes={"nobody votes: 3 is everybody's mean": np.full(20, 3)},
    )
    expect.equal(
        knn.predict(own, other),
        np.full(20, 1),
        "users of the same parity gave the hidden item of the other kind a 1",
        abs=0.3,
    )


@pytest.mark.needs("expectation", "nearest_only", "UserKNN._similarity", "UserKNN._vote")
def test_blocks_change_nothing_and_bound_the_memory(
    answer: ModuleType, crowd: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A few users at a time, the predictions are the same, and no table of users × users is ever held."""
    users, items = (grid.ravel() for grid in np.indices((50, 30)))
    fitted = [
        answer.UserKNN(n_neighbors=4, similarity=similarity).fit(crowd)
        for similarity in ("cosine", "pearson")
    ]
    whole = [knn.predict(users, items) for knn in fitted]
    monkeypatch.setattr(neighbours, "BLOCK_CELLS", 150)
    for knn, expected in zip(fitted, whole, strict=True):
        expect.equal(
            knn.predict(users, items),
            expected,
            "what is predicted of a user does not depend on who else is asked in the same block",
            abs=1e-5,
        )
        expect.equal(
            knn.score(np.arange(50)).ravel(),
            expected,
            "in blocks of three users score() is still what "
            "predict() says: row i of a block belongs to users[i]",
            abs=1e-5,
        )

    monkeypatch.setattr(neighbours, "BLOCK_CELLS", 1 << 16)
    rng = np.random.default_rng(0)
    users, items = rng.integers(0, 4000, 8000), rng.integers(0, 300, 8000)
    knn = answer.UserKNN().fit(Dataset.from_arrays(users, items, rng.integers(1, 6, 8000)))
    tracemalloc.start()
    knn.predict(users[:2000], items[:2000])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    expect.true(
        peak < 4000 * 4000 * 4 / 8,
        "similarities are needed of the users of one block with all: the table of "
        "users × users would take 64 MB, and an eighth of it is allowed",
        megabytes=peak / 1e6,
    )


@pytest.mark.data
@pytest.mark.needs("expectation", "nearest_only", "UserKNN._similarity", "UserKNN._vote")
def test_movielens_ratings_are_predicted_to_0_925(answer: ModuleType, ml100k: Dataset) -> None:
    """On MovieLens-100K (P3), RMSE is at most 0.925, where biases alone reach 0.948 and a plain user k-NN 0.943."""
    from keras_recs.evaluation import evaluate

    parts = split(ml100k, "P3")
    rmse = evaluate(answer.UserKNN().fit(parts.train), parts).metrics["rmse"]
    expect.true(
        rmse <= 0.925,
        "on MovieLens-100K the neighbours add to what biases alone reach, an RMSE of 0.948: at "
        "most 0.925 with the defaults",
        rmse=rmse,
    )
