"""Question 7: collaborative filtering between users."""

from __future__ import annotations

import tracemalloc
from types import ModuleType

import numpy as np
import pytest
from conftest import random_crowd
from scipy import sparse
from scipy.spatial import distance

from keras_recs.data import Dataset, from_matrix, recency_weighted, split
from keras_recs.practice import expect
from keras_recs.utils import memory, neighbours

#: Four users, four items. Users 0 and 1 have two films in common, 0 and 2 one, 1 and 2 none; user 3
#: met nothing.
HAND = np.array([[1, 1, 1, 0], [1, 1, 0, 0], [0, 0, 1, 1], [0, 0, 0, 0]], float)

FOUR = ("cosine", "pearson", "jaccard", "euclidean")


@pytest.fixture(scope="module")
def crowd() -> Dataset:
    """40 users, 30 items, ratings, times, popularity falling with the item's number."""
    return random_crowd(40, 30, 0.1)


def everyone(
    answer: ModuleType, data: Dataset, similarity: str = "cosine", **settings: object
) -> np.ndarray:
    """All positive similarities, each trusted in full."""
    settings = {"n_neighbors": data.n_users, "significance": 1, **settings}
    return answer.UserCF(similarity, **settings).fit(data).neighbours_.toarray()


def common_items(data: Dataset) -> np.ndarray:
    return (data.matrix() @ data.matrix().T).toarray()


#: What the classic mistakes give by hand: similarity -> sentence -> with two films in common, and
#: with one.
BY_HAND = {
    "cosine": {
        "the lengths are roots: √Σx² √Σy², not Σx² Σy²": (2 / 6, 1 / 6),
        "these are the films in common: they have to be divided by the two lengths": (2, 1),
        "this is jaccard: the cosine divides by the lengths, not by the union": (2 / 3, 1 / 4),
    },
    "jaccard": {
        "the films in common stand twice in the union: Σx² + Σy² - Σxy": (2 / 5, 1 / 5),
        "this is the cosine: jaccard divides by what either met": (2 / 6**0.5, 1 / 6**0.5),
    },
    "pearson": {
        "this is the cosine: pearson takes both means off first": (2 / 6**0.5, 1 / 6**0.5),
        "over the films in common all is 1, and nothing correlates: n counts all items": (0, 0),
        "the spreads are roots: √(n Σx² - (Σx)²) of either row": (2 / 12, 0),
    },
    "euclidean": {
        "these are distances: near has to mean large, 1 / (1 + distance)": (1, 3**0.5),
        "the distance is a root: √(Σx² + Σy² - 2 Σxy)": (1 / 2, 1 / 4),
    },
}


@pytest.mark.shape
@pytest.mark.needs("similarity_of", "Pairs.sums", "UserCF._similarity", "UserCF._score")
def test_shapes(answer: ModuleType, crowd: Dataset) -> None:
    """A row of neighbours for each user, a row of scores for each who asks."""
    cf = answer.UserCF(n_neighbors=5).fit(crowd)
    expect.equal(
        cf.neighbours_.shape,
        (40, 40),
        "neighbours_ has a row and a column for each of the 40 users",
    )
    expect.equal(
        cf.score([0, 1]).shape,
        (2, 30),
        "scores have a row for each user asked and a column for each item",
    )


# --- similarities ---------------------------------------------------------------------------------


@pytest.mark.parametrize("similarity", FOUR)
@pytest.mark.needs("similarity_of")
def test_a_similarity_is_made_of_six_sums(answer: ModuleType, similarity: str) -> None:
    """From n, Σx, Σy, Σx², Σy² and Σxy come all four similarities: here of (1, 2, 0, 4) with (2, 0, 1, 3)."""
    x, y = np.array([1.0, 2, 0, 4]), np.array([2.0, 0, 1, 3])
    sums = answer.Sums(
        4.0, *(np.array([[total]]) for total in (x.sum(), y.sum(), x @ x, y @ y, x @ y))
    )
    expected = {
        "cosine": 1 - distance.cosine(x, y),
        "jaccard": x @ y / (x @ x + y @ y - x @ y),
        "pearson": 1 - distance.correlation(x, y),
        "euclidean": 1 / (1 + distance.euclidean(x, y)),
    }
    expect.equal(
        answer.similarity_of(similarity, sums),
        [[expected[similarity]]],
        f"the {similarity} formula, at the top of the file, needs no more than the six sums",
        mistakes={
            **{f"this is the {name} similarity": [[value]] for name, value in expected.items()},
            "this is the distance: near has to mean large": [[distance.euclidean(x, y)]],
            "the lengths are roots: √Σx² √Σy², not Σx² Σy²": [[x @ y / (x @ x * (y @ y))]],
            "the spreads are roots: √(n Σx² - (Σx)²) of either row": [
                [np.cov(x, y)[0, 1] / (np.var(x, ddof=1) * np.var(y, ddof=1)) / 12]
            ],
            "the sums are divided by n, the products are not: n Σxy - Σx Σy": [
                [(x @ y - x.sum() * y.sum()) / 4]
            ],
        },
    )


@pytest.mark.needs("Pairs.sums")
def test_the_six_sums_are_worked_out_by_hand(answer: ModuleType) -> None:
    """Over all items a row's sums are its own; over the films in common they depend on whom it is compared with."""
    ratings = sparse.csr_array(np.array([[5, 4, 0, 1], [2, 0, 3, 1], [0, 0, 2, 0]], np.float32))
    rows = np.array([0])

    def found(in_common: bool) -> dict[str, list]:
        pairs = answer.Pairs(ratings, ratings, in_common=in_common)
        sums = pairs.sums(rows, pairs.common(rows))
        return {name: np.broadcast_to(getattr(sums, name), (1, 3))[0] for name in sums._fields}

    everything = found(False)
    for name, expected in (
        ("n", [4, 4, 4]),
        ("x", [10, 10, 10]),
        ("y", [10, 6, 2]),
        ("xx", [42, 42, 42]),
        ("yy", [42, 14, 4]),
        ("xy", [42, 11, 0]),
    ):
        expect.equal(
            everything[name],
            expected,
            f"over all four items, {name} of user 0 with users 0, 1 and 2 counts "
            f"what "
            "is not rated as 0",
        )
    together = found(True)
    scale = np.maximum([3, 2, 0], 1) / np.maximum(
        np.array(together["n"]) * np.ones(3), 1
    )  # sums, or means and n = 1
    for name, expected in (
        ("x", [10, 6, 0]),
        ("y", [10, 3, 0]),
        ("xx", [42, 26, 0]),
        ("yy", [42, 5, 0]),
        ("xy", [42, 11, 0]),
    ):
        expect.equal(
            together[name] * scale,
            expected,
            f"with in_common, {name} of user 0 with user 1 is over items 0 "
            f"and 3, "
            "which both rated, and of user 2 over none; divided by their number, as a mean",
            mistakes={
                "this is over all items": everything[name],
                "this is the sum over the films in common, not their mean": expected * scale,
            },
        )


@pytest.mark.needs("Pairs.sums")
def test_a_rating_of_0_or_below_is_a_rating(answer: ModuleType) -> None:
    """Over the films in common, those rated 0 or less count as well: what is not stored is what nobody rated."""
    users, items = np.array([0, 0, 0, 1, 1, 1]), np.array([0, 1, 2, 0, 1, 3])
    ratings = sparse.csr_array(
        (np.array([5, 0, 4, -2, 3, 1], np.float32), (users, items)), shape=(2, 4)
    )
    pairs, rows = answer.Pairs(ratings, ratings, in_common=True), np.array([0])
    sums = pairs.sums(rows, pairs.common(rows))
    found = {name: np.broadcast_to(getattr(sums, name), (1, 2))[0, 1] for name in sums._fields}
    scale = 2 / found["n"]  # sums, or means and n = 1
    for name, expected in (("x", 5), ("y", 1), ("xx", 25), ("yy", 13), ("xy", -10)):
        expect.equal(
            found[name] * scale,
            expected,
            f"users 0 and 1 both rated items 0 and 1, 5 and 0 stars against -2 "
            f"and 3: {name} is over these two",
            abs=1e-5,
            mistakes={
                "where the first user's rating is not above 0 it was taken for no rating": {
                    "y": -2,
                    "yy": 4,
                }.get(name, expected),
                "where the second user's rating is not above 0 it was taken for no rating": {
                    "x": 0,
                    "xx": 0,
                }.get(name, expected),
                "a rating of 0 was taken for none, and item 1 left out: look at what is stored, not at "
                "what differs from 0": {"x": 10, "y": -4, "xx": 50, "yy": 8, "xy": -20}[name],
            },
        )


@pytest.mark.parametrize(
    ("similarity", "two_in_common", "one_in_common"),
    [
        ("cosine", 2 / 6**0.5, 1 / 6**0.5),
        ("jaccard", 2 / 3, 1 / 4),
        ("pearson", 2 / 12**0.5, 0.0),
        ("euclidean", 1 / 2, 1 / (1 + 3**0.5)),
    ],
    ids=["cosine", "jaccard", "pearson", "euclidean"],
)
@pytest.mark.needs("similarity_of", "Pairs.sums", "UserCF._similarity")
def test_similarities_are_worked_out_by_hand(
    answer: ModuleType, similarity: str, two_in_common: float, one_in_common: float
) -> None:
    """Of users with 3 and 2 films, 2 in common or 1; Pearson is the phi coefficient, and drops what is negative."""

    def table(a: float, b: float) -> np.ndarray:
        return np.array([[0, a, b, 0], [a, 0, 0, 0], [b, 0, 0, 0], [0, 0, 0, 0]])

    expected = table(two_in_common, one_in_common)
    mistakes = {sentence: table(*pair) for sentence, pair in BY_HAND[similarity].items()}
    mistakes["everybody is their own neighbour: that similarity, on the diagonal, has to be 0"] = (
        expected + np.diag([1, 1, 1, 0])
    )
    expect.equal(
        everyone(answer, from_matrix(HAND), similarity),
        expected,
        f"the {similarity} similarity of users "
        "with 3 and 2 films, of which they share 2 or 1, is worked out by hand; who shares none is no "
        "neighbour",
        abs=1e-6,
        mistakes=mistakes,
    )


@pytest.mark.parametrize("similarity", FOUR)
@pytest.mark.needs("similarity_of", "Pairs.sums", "UserCF._similarity")
def test_each_similarity_equals_scipys(answer: ModuleType, crowd: Dataset, similarity: str) -> None:
    """On rows of zeros and ones, every similarity is SciPy's on the same two rows."""
    rows = crowd.matrix().toarray()
    metric = {"pearson": "correlation"}.get(similarity, similarity)
    far = distance.cdist(
        rows.astype(bool) if similarity == "jaccard" else rows,
        rows.astype(bool) if similarity == "jaccard" else rows,
        metric,
    )
    near = np.maximum(1 / (1 + far) if similarity == "euclidean" else 1 - far, 0)
    expected = np.where(common_items(crowd) > 0, near, 0) * ~np.eye(40, dtype=bool)
    expect.equal(
        everyone(answer, crowd, similarity),
        expected,
        f"SciPy finds the same {similarity} similarity between "
        "rows of zeros and ones, where a 0 is a value too: all sums run over all items",
        abs=1e-5,
        mistakes={
            "users who share no film are neighbours": near * ~np.eye(40, dtype=bool),
            "users are their own neighbours": np.where(common_items(crowd) > 0, near, 0),
        },
    )


@pytest.mark.parametrize("similarity", FOUR)
@pytest.mark.needs("similarity_of", "Pairs.sums", "UserCF._similarity")
def test_with_ratings_each_similarity_equals_scipys(
    answer: ModuleType, crowd: Dataset, similarity: str
) -> None:
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

    def wrong(x: np.ndarray, y: np.ndarray) -> dict[str, float]:
        both = (x > 0) & (y > 0)
        a, b = x[both], y[both]
        found = {
            "cosine": {
                "the lengths run over the films in common: over all of them": 1
                - distance.cosine(a, b)
            },
            "jaccard": {"the ratings are added up: count films": a @ b / (x @ x + y @ y - a @ b)},
            "pearson": {
                "all films are looked at, and those not rated count as 0": 1
                - distance.correlation(x, y),
                "the means are of all films of each user: take them over the films in common": (
                    1 - distance.cosine(a - x[x > 0].mean(), b - y[y > 0].mean())
                ),
                "this is the cosine over the films in common: take off each user's mean over them": 1
                - distance.cosine(a, b),
            },
            "euclidean": {
                "all films are looked at, and those not rated count as 0": 1
                / (1 + distance.euclidean(x, y)),
                "this is the root of the sum: divide by the number of films in common, or users would "
                "be the farther apart the more they share": 1 / (1 + distance.euclidean(a, b)),
            },
        }
        return found[similarity]

    found = everyone(answer, crowd, similarity, values="ratings")
    together = common_items(crowd)
    over = {
        "cosine": "all films, where one not rated counts as 0",
        "jaccard": "sets of films, whatever the ratings",
        "pearson": "the films that both rated, and the means over these",
        "euclidean": "the films that both rated, as the root of the mean square",
    }[similarity]
    for u, v in np.argwhere((together > 0) & ~np.eye(40, dtype=bool)):
        wanted = max(expected(r[u], r[v]), 0)
        mistakes = {} if abs(found[u, v] - wanted) < 1e-5 else wrong(r[u], r[v])
        expect.equal(
            found[u, v],
            wanted,
            f"on ratings, {similarity} is taken over {over}: here of users {u} and {v}",
            abs=1e-5,
            mistakes=mistakes,
        )
    expect.true(
        found[together == 0] == 0,
        "two users without a film in common have the similarity 0, with ratings too",
        largest=found[together == 0].max(initial=0),
    )
    expect.true(
        np.diag(found) == 0,
        "a user is no neighbour of their own, with ratings too",
        diagonal=np.diag(found),
    )


@pytest.mark.needs("similarity_of", "Pairs.sums", "UserCF._similarity")
def test_one_mark_for_everything_correlates_with_nothing(answer: ModuleType) -> None:
    """A user whose common ratings are all equal has the Pearson similarity 0, not NaN and not a rounding error."""
    rng = np.random.default_rng(1)
    marks = np.repeat([[1.1], [1.7], [2.3], [2.9], [3.3], [4.1], [4.7]], 23, axis=1)
    found = everyone(
        answer,
        from_matrix(np.vstack([marks, rng.uniform(1, 5, (30, 23))])),
        "pearson",
        values="ratings",
    )
    expect.true(
        found[:7] == 0,
        "users 0 to 6 give one mark to everything: nothing correlates with a constant, and "
        "what float32 leaves of a spread of 0 is rounding",
        largest=found[:7].max(),
    )
    expect.true(
        found[:, :7] == 0,
        "nobody has a neighbour among those who give one mark to everything: the similarity "
        "is the same both ways",
        largest=found[:, :7].max(),
    )
    expect.true(
        found[7:, 7:].max() > 0.3,
        "users with different marks do correlate: zeros everywhere are too easy",
        largest=found[7:, 7:].max(),
    )


@pytest.mark.parametrize("similarity", FOUR)
@pytest.mark.needs("similarity_of", "Pairs.sums", "UserCF._similarity")
def test_users_with_nothing_in_common_are_no_neighbours(
    answer: ModuleType, similarity: str
) -> None:
    """Two short histories are near each other in space; without a film in common they say nothing to each other."""
    found = everyone(
        answer,
        from_matrix([[1, 0, 0, 0, 0, 0], [0, 1, 0, 0, 0, 0], [1, 1, 1, 0, 0, 0]]),
        similarity,
    )
    expect.equal(
        found[[0, 1], [1, 0]],
        [0, 0],
        "users 0 and 1 share no film: however near their short histories lie, "
        f"the {similarity} similarity, weighed by what it rests on, is 0",
    )
    expect.true(
        found[0, 2] > 0,
        f"users 0 and 2 share a film: their {similarity} similarity is above 0",
        similarity=found[0, 2],
    )


@pytest.mark.needs("similarity_of", "Pairs.sums", "UserCF._similarity", "UserCF._score")
def test_a_rating_on_the_diagonal_survives(answer: ModuleType) -> None:
    """User u's meeting with item u counts, in the similarity and in the vote."""
    data = from_matrix([[1, 0, 0], [1, 1, 0], [0, 1, 1]])
    found = everyone(answer, data)
    expect.equal(
        found[0, 1],
        1 / 2**0.5,
        "users 0 and 1 share item 0, which user 0 met: the diagonal to clear is "
        "that of users × users, not that of the histories",
    )
    expect.equal(found[1, 2], 1 / 2, "users 1 and 2 share item 1, one of two films of each")
    cf = answer.UserCF(significance=1).fit(data)
    expect.equal(
        cf.predict([0], [1])[0],
        1 / 2**0.5,
        "user 1 met item 1, and votes for it with the similarity to user 0",
        mistakes={
            "the vote of user 1 for item 1 is lost": 0,
            "this counts votes: add up similarities": 1,
        },
    )


@pytest.mark.parametrize("gamma", [1, 2, 4])
@pytest.mark.needs("similarity_of", "Pairs.sums", "UserCF._similarity")
def test_significance_is_worked_out_by_hand(answer: ModuleType, gamma: int) -> None:
    """A similarity is multiplied by min(common, γ) / γ: in proportion below γ films in common, in full from there."""
    found = everyone(answer, from_matrix(HAND), significance=gamma)
    two, one = 2 / 6**0.5, 1 / 6**0.5
    expect.equal(
        found[0, 1],
        two * {1: 1, 2: 1, 4: 1 / 2}[gamma],
        f"users 0 and 1 share two films: of γ = {gamma} "
        "films that is min(2, γ) / γ of the similarity",
        mistakes={
            "the weight is not held at 1: from γ films on, a similarity is trusted in full": two
            * 2
            / gamma,
            "every similarity is trusted in full": two,
            "below γ films in common nothing is left: it has to fall in proportion": 0,
        },
    )
    expect.equal(
        found[0, 2],
        one * {1: 1, 2: 1 / 2, 4: 1 / 4}[gamma],
        f"users 0 and 2 share one film: of γ = {gamma} films that is 1 / γ of the similarity",
        mistakes={
            "one film in common is trusted in full": one,
            "below γ films in common nothing is left, where it should fall in proportion": 0,
        },
    )


@pytest.mark.parametrize(
    ("similarity", "settings"),
    [
        *((name, {}) for name in FOUR),
        ("pearson", {"values": "ratings"}),
        ("cosine", {"recency": 3.0}),
    ],
    ids=str,
)
@pytest.mark.needs("similarity_of", "Pairs.sums", "UserCF._similarity")
def test_significance_counts_items_in_common(
    answer: ModuleType, crowd: Dataset, similarity: str, settings: dict
) -> None:
    """Whatever is compared, trust counts the films both met, and it is weighed before neighbours are chosen."""
    plain = everyone(answer, crowd, similarity, **settings)
    weighted = plain * np.minimum(common_items(crowd), 6) / 6
    found = everyone(answer, crowd, similarity, significance=6, **settings)
    expect.equal(
        found,
        weighted,
        "trust rests on the number of films that both met, whatever is compared: not on "
        "ratings, and not on what age has left of them",
        abs=1e-6,
        mistakes={"every similarity is trusted in full": plain},
    )
    nearest = everyone(answer, crowd, similarity, significance=6, n_neighbors=1, **settings)
    expect.equal(
        nearest.max(axis=1),
        weighted.max(axis=1),
        "a similarity is weighed first, and the nearest neighbour chosen by what is left of it",
        abs=1e-6,
    )


# --- neighbours and scores ------------------------------------------------------------------------


@pytest.mark.needs("similarity_of", "Pairs.sums", "UserCF._similarity")
def test_only_the_nearest_speak(answer: ModuleType, crowd: Dataset) -> None:
    """With `n_neighbors=k`, every user keeps the k most similar ones and loses the rest."""
    full = everyone(answer, crowd)
    thin = everyone(answer, crowd, n_neighbors=4)
    expect.equal(
        (thin > 0).sum(axis=1),
        np.minimum(4, (full > 0).sum(axis=1)),
        "every user keeps four neighbours, or as many as there are",
    )
    for row, kept in zip(full, thin, strict=True):
        expect.equal(
            kept[kept > 0], row[kept > 0], "the four that stay keep their similarity as it was"
        )
        expect.true(
            row[kept == 0].max() <= row[kept > 0].min(),
            "those who are dropped are no nearer than who stays",
            nearest_dropped=row[kept == 0].max(),
            farthest_kept=row[kept > 0].min(),
        )


@pytest.mark.needs("similarity_of", "Pairs.sums", "UserCF._similarity")
def test_of_equally_similar_users_the_first_are_taken(answer: ModuleType) -> None:
    """Five users with one history: each one's two neighbours are the first two of the other four."""
    found = everyone(answer, from_matrix(np.ones((5, 3))), n_neighbors=2)
    expect.equal(
        [np.flatnonzero(row).tolist() for row in found],
        [[1, 2], [0, 2], [0, 1], [0, 1], [0, 1]],
        "five users with one history are equally near: each one's neighbours are the first two of the others",
        mistakes={"everybody is among their own neighbours, and takes a place": [[0, 1]] * 5},
    )


@pytest.mark.needs("similarity_of", "Pairs.sums", "UserCF._similarity")
def test_nobody_is_their_own_neighbour(answer: ModuleType, crowd: Dataset) -> None:
    """The diagonal is 0 for every similarity, also where a twin is as near as oneself."""
    for similarity in FOUR:
        own = np.diag(everyone(answer, crowd, similarity))
        expect.true(
            own == 0,
            f"nobody learns anything new from themselves: by {similarity}, row i of a block has its "
            "0 at the user whom it belongs to",
            own_similarities=own,
        )
        twins = everyone(
            answer, from_matrix([[1, 1, 0], [1, 1, 0], [0, 1, 1]]), similarity, n_neighbors=1
        )
        expect.equal(
            np.argmax(twins[:2], axis=1),
            [1, 0],
            f"users 0 and 1 are twins: by {similarity} each is the other's one neighbour",
            mistakes={"each is their own neighbour": [0, 1]},
        )
        expect.equal(
            twins[0, 1], 1, f"two equal histories have the {similarity} similarity 1", abs=1e-6
        )


@pytest.mark.needs("similarity_of", "Pairs.sums", "UserCF._similarity", "UserCF._score")
def test_a_user_without_a_history_has_no_neighbours(answer: ModuleType) -> None:
    """No history: similarity 0 to all, not NaN; scores 0; and the others do not notice."""
    for similarity in FOUR:
        nothing = answer.Sums(np.float32(4), *np.zeros((5, 1, 1), np.float32))
        with np.errstate(all="ignore"):
            near = answer.similarity_of(similarity, nothing)
        expect.true(
            np.isfinite(near),
            f"of two rows of zeros a {similarity} would divide by 0: it is 0 then, not 0 / "
            "0, for NaN sorts past every number",
            similarity=near,
        )
        for values in ("binary", "ratings"):
            found = everyone(answer, from_matrix(HAND), similarity, values=values)
            expect.true(
                np.isfinite(found),
                f"user 3 met nothing, and a {similarity} of {values} values that divides "
                "by a length of 0 is 0, not 0 / 0",
                similarities=found,
            )
            expect.true(
                found[3] == 0,
                f"user 3 met nothing and is like nobody by {similarity} of {values} values",
                row=found[3],
            )
            expect.true(
                found[:, 3] == 0,
                f"nobody is like user 3, who met nothing, by {similarity} of {values} values",
                column=found[:, 3],
            )
        cf = answer.UserCF(similarity, significance=1).fit(from_matrix(HAND))
        expect.true(
            cf.score([3]) == 0,
            "who has no neighbours hears no votes: every score is 0",
            scores=cf.score([3]),
        )
        expect.true(
            cf.score([1])[0, 2] > 0,
            "one user without a history takes nothing from the others: user 0 still "
            "votes for item 2",
            score=cf.score([1])[0, 2],
        )


@pytest.mark.needs("similarity_of", "Pairs.sums", "UserCF._similarity", "UserCF._score")
def test_a_score_adds_up_the_neighbours_who_met_the_item(
    answer: ModuleType, crowd: Dataset
) -> None:
    """score[u, j] is the sum of similarity times history over u's own neighbours: not a count, not a mean."""
    for settings in (
        {"n_neighbors": 5},
        {"n_neighbors": 5, "values": "ratings"},
        {"n_neighbors": 40, "recency": 3.0},
    ):
        cf = answer.UserCF(significance=4, **settings).fit(crowd)
        history = (
            recency_weighted(crowd, 3.0) if "recency" in settings else crowd.matrix()
        ).toarray()
        near = cf.neighbours_.toarray()
        total = near.sum(axis=1, keepdims=True)
        expect.equal(
            cf.score(crowd.user_ids.ids),
            near @ history,
            "a score is the sum, over one's own neighbours, of similarity times history",
            abs=1e-5,
            mistakes={
                "this counts the neighbours who met the item: add up their similarities": (near > 0)
                @ history,
                "this is a mean: a film that many neighbours met has more evidence, so nothing is "
                "divided": near @ history / np.where(total > 0, total, 1),
                "those speak who have the user for a neighbour: it is the row that counts, not the "
                "column": near.T @ history,
                "ratings are added up: a vote says who met what": near
                @ crowd.matrix("ratings").toarray(),
            },
        )


@pytest.mark.needs("similarity_of", "Pairs.sums", "UserCF._similarity", "UserCF._score")
def test_lists_come_in_order_of_score_without_what_was_seen(answer: ModuleType) -> None:
    """The film that two neighbours met stands before the one that the nearest alone met; seen films are absent."""
    data = from_matrix(
        [
            [1, 1, 1, 0, 0, 0],
            [1, 1, 1, 1, 0, 0],  # the nearest, met item 3
            [1, 1, 0, 0, 1, 0],  # two others met item 4
            [0, 1, 1, 0, 1, 0],
        ]
    )
    cf = answer.UserCF(significance=1).fit(data)
    nearest, other = 3 / 12**0.5, 2 / 3
    (first, top), (second, below) = cf.recommend([0], 2).of(0)
    expect.equal(
        (first, second),
        (4, 3),
        "two neighbours met item 4, and together they outweigh the nearest, who met "
        "item 3; what user 0 has seen is not listed",
        mistakes={
            "the nearest alone decides: the similarities of all who met an item add up": (3, 4)
        },
    )
    expect.equal(
        (top, below),
        (2 * other, nearest),
        "item 4 has two votes of 2/3, item 3 one of 3/√12",
        abs=1e-6,
        mistakes={"these are means: votes are added up": (other, nearest)},
    )


@pytest.mark.needs(
    "similarity_of", "Pairs.sums", "UserCF._similarity", "UserCF._score", "UserCF.explain"
)
def test_explanations_sum_to_the_score(answer: ModuleType, crowd: Dataset) -> None:
    """Every neighbour who met the item has its part, largest first; the others are not named."""
    for settings in (
        {"similarity": "jaccard", "n_neighbors": 10},
        {"n_neighbors": 10, "recency": 3.0},
    ):
        cf = answer.UserCF(**settings).fit(crowd)
        histories = (
            recency_weighted(crowd, 3.0) if "recency" in settings else crowd.matrix()
        ).toarray()
        for user, item in ((4, 2), (17, 0), (30, 11)):
            parts = cf.explain(user, item)
            values = [part for _, part in parts]
            near, met = cf.neighbours_.toarray()[user], crowd.matrix().toarray()[:, item]
            expect.equal(
                sum(values),
                cf.predict([user], [item])[0],
                "an explanation accounts for all of the score: the parts are what its sum adds up",
                abs=1e-5,
                mistakes={
                    "the parts are right, and the score is not: row u of neighbours_ times histories": near
                    @ histories[:, item],
                    "these are the similarities: a part is similarity times history, which fades": near[
                        met > 0
                    ].sum(),
                    "all neighbours are named: those who did not meet the item have no "
                    "part ": near.sum(),
                },
            )
            expect.equal(
                values,
                sorted(values, reverse=True),
                "the neighbour with the largest part is named first",
                mistakes={"the smallest part stands first": sorted(values)},
            )
            expect.true(
                min(values, default=np.inf) > 0,
                "who did not meet the item says nothing and is not named",
                parts=values,
            )
            expect.equal(
                sorted(v for v, _ in parts),
                np.flatnonzero((near > 0) & (met > 0)),
                "named, by id, are just the neighbours who met the item",
                mistakes={"all neighbours are named": np.flatnonzero(near > 0)},
            )


@pytest.mark.needs("similarity_of", "Pairs.sums", "UserCF._similarity", "UserCF.explain")
def test_an_explanation_names_users_by_their_ids_and_of_equals_the_first(
    answer: ModuleType,
) -> None:
    """Ids may be words; whose parts are equal stand in the order of their ids."""
    met = np.array([[1, 1, 1, 0], [1, 1, 1, 1], [1, 1, 1, 1], [1, 1, 1, 1], [1, 0, 0, 1]])
    who, what = np.array(["eve", "bob", "dan", "ann", "cat"]), np.array(["w", "d", "k", "a"])
    users, items = np.nonzero(met)
    cf = answer.UserCF(significance=1).fit(Dataset.from_arrays(who[users], what[items]))
    parts = cf.explain("eve", "a")
    order = [name for name in cf.user_ids_.tolist() if name in ("bob", "dan", "ann")]
    expect.equal(
        [name for name, _ in parts],
        [*order, "cat"],
        "three users are equally like 'eve' and come first, in "
        "the order of the users, then 'cat'; each is named by the id that it has in the data",
        mistakes={
            "of equal parts the last user stands first: a stable sort of the negated parts keeps the "
            "order": [*order[::-1], "cat"]
        },
    )
    expect.equal(
        [part for _, part in parts],
        [3 / 12**0.5] * 3 + [1 / 6**0.5],
        "each part stands beside its own "
        "user: a cosine of 3 / √(3 · 4) for the three, of 1 / √(3 · 2) for 'cat'",
        abs=1e-6,
    )


@pytest.mark.needs("similarity_of", "Pairs.sums", "UserCF._similarity", "UserCF._score")
def test_recency_weighs_who_asks_and_the_votes(answer: ModuleType, crowd: Dataset) -> None:
    """Age a counts exp(-a / recency) in the row of who asks and in the votes; compared with are whole histories."""
    found = everyone(answer, crowd, recency=3.0)
    recent, whole = recency_weighted(crowd, 3.0).toarray(), crowd.matrix().toarray()

    def cosines(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return np.where(common_items(crowd) > 0, 1 - distance.cdist(x, y, "cosine"), 0) * ~np.eye(
            40, dtype=bool
        )

    expected = cosines(recent, whole)
    expect.equal(
        found,
        expected,
        "whom does a user resemble now? The row of who asks fades with age, the rows it is "
        "compared with are whole: x and y differ, and so do Σx² and Σy²",
        abs=1e-5,
        mistakes={
            "age is not looked at in the comparison": cosines(whole, whole),
            "both sides fade with age: who answers is compared by the whole history": cosines(
                recent, recent
            ),
            "the two sides have changed places": cosines(whole, recent),
        },
    )
    cf = answer.UserCF(n_neighbors=40, significance=1, recency=3.0).fit(crowd)
    expect.equal(
        cf.score(crowd.user_ids.ids),
        expected @ recent,
        "what the neighbours watched last counts most: votes fade with age as well",
        abs=1e-4,
        mistakes={
            "old and new votes count alike: the score takes the histories that fade": expected
            @ whole
        },
    )


@pytest.mark.needs("similarity_of", "Pairs.sums", "UserCF._similarity", "UserCF._score")
def test_large_audiences_are_left_out_of_the_comparison_only(answer: ModuleType) -> None:
    """An item that more than `max_audience` of all users met makes nobody similar, and is still recommended."""
    data = from_matrix(
        [[1, 1, 0, 0], [1, 1, 1, 0], [1, 0, 0, 1], [0, 1, 0, 1]]
    )  # items 0 and 1: three of four
    found = everyone(answer, data, max_audience=0.6)
    expect.equal(
        np.argwhere(found),
        [[2, 3], [3, 2]],
        "items 0 and 1 were met by three of four users, more than 0.6, "
        "and make nobody similar: only users 2 and 3 share another film",
    )
    expect.equal(
        found[2, 3],
        1,
        "of what is compared, users 2 and 3 have item 3 only, and both have it",
        mistakes={"the large audiences still count in the lengths": 1 / 2},
    )
    cf = answer.UserCF(max_audience=0.6, significance=1).fit(data)
    expect.equal(
        cf.score([2])[0],
        [0, 1, 0, 1],
        "user 3 votes for items 1 and 3, which they met: what is left out of "
        "the comparison is still recommended",
        mistakes={"item 1 is left out of the votes too": [0, 0, 0, 1]},
    )
    expect.equal(
        everyone(answer, data, max_audience=0.75),
        everyone(answer, data),
        "three of four is not more than 0.75: at that limit nothing is left out",
        abs=0,
        rel=0,
    )


# --- scale ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"similarity": "pearson"},
        {"similarity": "pearson", "values": "ratings"},
        {"similarity": "euclidean", "values": "ratings"},
        {"recency": 3.0},
    ],
    ids=str,
)
@pytest.mark.needs("similarity_of", "Pairs.sums", "UserCF._similarity")
def test_blocks_change_nothing(
    answer: ModuleType, crowd: Dataset, monkeypatch: pytest.MonkeyPatch, settings: dict
) -> None:
    """Computed a few users at a time, and by sparse products, the neighbours are the same."""

    def find() -> np.ndarray:
        return answer.UserCF(n_neighbors=3, **settings).fit(crowd).neighbours_.toarray()

    whole = find()
    monkeypatch.setattr(answer, "BLOCK_CELLS", 130, raising=False)
    monkeypatch.setattr(neighbours, "BLOCK_CELLS", 130)
    expect.equal(
        find(),
        whole,
        "three users at a time have the same neighbours as all at once: row i of a block "
        "belongs to user rows[i], and products may be sparse",
        abs=1e-6,
    )


@pytest.mark.needs("similarity_of", "Pairs.sums", "UserCF._similarity")
def test_a_table_of_all_pairs_of_users_is_never_made(
    answer: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The fit needs far less memory than the 36 MB of 3,000 × 3,000 similarities."""
    rng = np.random.default_rng(0)
    data = Dataset.from_arrays(np.repeat(np.arange(3000), 4), rng.integers(0, 500, 12000))
    data.seen  # noqa: B018 (made before memory is counted)
    monkeypatch.setattr(answer, "BLOCK_CELLS", 1 << 16, raising=False)
    tracemalloc.start()
    cf = answer.UserCF(n_neighbors=20, significance=1).fit(data)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    expect.true(
        peak < 18e6,
        "a block of users needs its own rows of similarities only: 3,000 × 3,000 of them would "
        "take 36 MB, and half of that is allowed",
        megabytes=peak / 1e6,
    )
    expect.true(
        10 * 3000 < cf.neighbours_.nnz <= 20 * 3000,
        "each of the 3,000 users keeps at most 20 neighbours, and "
        "has met enough to have more than ten",
        entries=cf.neighbours_.nnz,
    )


@pytest.mark.needs("similarity_of", "Pairs.sums", "UserCF._similarity")
def test_lists_that_do_not_fit_into_memory_are_refused(
    answer: ModuleType, crowd: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lists of neighbours larger than memory are refused before they are begun, with their size and a way out."""
    monkeypatch.setattr(memory, "available_bytes", lambda: 10_000)
    with expect.error(
        MemoryError,
        r"30 neighbours for each of 40 users needs .* GiB are free: ask for fewer",
        "lists "
        "that do not fit into memory are refused before they are begun, with their size and a way out",
    ):
        answer.UserCF(n_neighbors=30).fit(crowd)
    answer.UserCF(n_neighbors=5).fit(crowd)


@pytest.mark.needs()
def test_what_does_not_go_together_is_refused(answer: ModuleType) -> None:
    """Ratings cannot be compared where there are none, nor weighed by recency."""
    with expect.error(
        ValueError, "needs ratings", "ratings are to be compared, and these data have none: say so"
    ):
        answer.UserCF(values="ratings").fit(Dataset.from_arrays([1, 2], [1, 1]))
    with expect.error(
        ValueError,
        "values='binary' only",
        "recency weighs who met what, not how it was rated: both at once are refused",
    ):
        answer.UserCF(values="ratings", recency=5.0)


@pytest.mark.data
@pytest.mark.parametrize(
    ("settings", "floor"),
    [({}, 0.1935), ({"recency": 10.0, "n_neighbors": 100, "significance": 1}, 0.21)],
    ids=["user CF", "recent history"],
)
@pytest.mark.needs("similarity_of", "Pairs.sums", "UserCF._similarity", "UserCF._score")
def test_movielens_bars(answer: ModuleType, ml100k: Dataset, settings: dict, floor: float) -> None:
    """On MovieLens-100K (P1), NDCG@10 reaches that of the best public implementation of the same method."""
    from keras_recs.evaluation import evaluate

    parts = split(ml100k, "P1")
    cf = answer.UserCF(**settings).fit(parts.train)
    ndcg = evaluate(cf, parts).metrics["ndcg@10"]
    expect.true(
        ndcg > floor - 5e-5,
        "on MovieLens-100K the method, with these settings, ranks as well as the best "
        "public implementation of it",
        ndcg_at_10=ndcg,
        floor=floor,
    )
