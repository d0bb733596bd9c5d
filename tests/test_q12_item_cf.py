"""Question 12: item-based collaborative filtering, and EASE."""

from __future__ import annotations

import re
from types import ModuleType

import numpy as np
import pytest
from conftest import random_crowd
from scipy import sparse, spatial

from keras_recs.data import Dataset, from_matrix, recency_weighted, split
from keras_recs.practice import expect
from keras_recs.utils import memory, neighbours

#: Four users and four items; item 3 was met by nobody but user 3, who met nothing else.
HAND = np.array([[1, 1, 0, 0], [1, 1, 1, 0], [1, 0, 1, 0], [0, 0, 0, 1]], float)


@pytest.fixture(scope="module")
def crowd() -> Dataset:
    """80 users, 30 items, ratings, times, popularity falling with the item's number."""
    return random_crowd(80, 30, 0.05)


def dense(weights: np.ndarray | sparse.csr_array) -> np.ndarray:
    return weights.toarray() if sparse.issparse(weights) else weights


def with_event(data: Dataset, user: int, item: int, time: int) -> Dataset:
    """`data` with one more event at its end."""
    events = data.interactions
    return data.with_interactions(
        type(events)(
            np.append(events.users, user),
            np.append(events.items, item),
            np.append(events.ratings, 3.0),
            np.append(events.timestamps, time),
        )
    )


def without_diagonal(matrix: np.ndarray) -> np.ndarray:
    return matrix * ~np.eye(len(matrix), dtype=bool)


def cosines(profiles: np.ndarray) -> np.ndarray:
    """SciPy's cosine between columns, with nothing on the diagonal."""
    return without_diagonal(
        1 - spatial.distance.squareform(spatial.distance.pdist(profiles.T, "cosine"))
    )


def wrong_eases(x: np.ndarray, reg: float) -> dict[str, np.ndarray]:
    """What usually goes wrong on the way from X to EASE's weights: sentence -> W."""
    gram, ridge = x.T @ x, reg * np.eye(x.shape[1])
    p = np.linalg.inv(gram + ridge)
    bare, everywhere = np.linalg.inv(gram), np.linalg.inv(gram + reg)
    weights = -p / np.diag(p)
    return {
        sentence: without_diagonal(w)
        for sentence, w in {
            "the sign is lost: W[i, j] is minus P[i, j] over P[j, j]": p / np.diag(p),
            "rows were divided by their diagonal entry, P[i, i]; each column is a regression of its own: P[j, j]": -p
            / np.diag(p)[:, None],
            "P was never divided by its diagonal": -p,
            "reg was left out: it goes on the diagonal of G before G is inverted": -bare
            / np.diag(bare),
            "reg was added after the inversion: it goes on the diagonal of G before": -bare
            / np.diag(bare + ridge),
            "reg was added to every entry of G: it goes on the diagonal, reg · np.eye(n)": -everywhere
            / np.diag(everywhere),
            "this is a regression in which each item may explain itself, its diagonal erased afterwards": p
            @ gram,
            "everything below the diagonal is missing: one triangle of the inverse was used, not both": np.triu(
                weights
            ),
            "everything above the diagonal is missing: one triangle of the inverse was used, not both": np.tril(
                weights
            ),
        }.items()
    }


# --- item CF --------------------------------------------------------------------------------------


@pytest.mark.shape
@pytest.mark.needs("_HistoryTimesWeights.explain", "ItemCF.similarities", "EASE._fit")
def test_shapes(answer: ModuleType, crowd: Dataset) -> None:
    """W has a row and a column per item, scores a row per user."""
    for recommender in (answer.ItemCF(), answer.ItemCF(n_neighbors=3), answer.EASE()):
        name = type(recommender).__name__
        expect.equal(
            recommender.fit(crowd).weights_.shape,
            (30, 30),
            f"W of {name} goes from items to items, and there are 30 of them",
            mistakes={"80 is the number of users: W was made between them": (80, 80)},
        )
        expect.equal(
            recommender.score([0, 1]).shape,
            (2, 30),
            f"scores of {name} have a row for each user asked for and a column for each item",
        )
        history = crowd.matrix()[[4]]
        parts = dense(recommender.weights_)[history.indices, 20]
        expect.equal(
            len(recommender.explain(4, 20)),
            history.nnz,
            f"an explanation by {name} names every item of the history once, those without a say included",
            mistakes={
                "all 30 items are named, those the user never met too": 30,
                "items whose part is 0 are left out": np.count_nonzero(parts),
            },
        )


@pytest.mark.needs("ItemCF.similarities")
def test_cosine_is_worked_out_by_hand(answer: ModuleType) -> None:
    """Cosine: users in common over the root of the product of audiences."""
    weights = dense(answer.ItemCF("cosine").fit(from_matrix(HAND)).weights_)
    a, b = 2 / np.sqrt(3 * 2), 1 / 2
    expected = np.array([[0, a, a, 0], [a, 0, b, 0], [a, b, 0, 0], [0, 0, 0, 0]])
    together, audience, activity = HAND.T @ HAND, HAND.sum(axis=0), HAND.sum(axis=1)
    common = without_diagonal(together)
    expect.equal(
        weights,
        expected,
        "a cosine is the number of users in common over the roots of both audiences; "
        "without them, a hit would be like everything",
        abs=1e-6,
        mistakes={
            "users in common were never divided by the audiences": common,
            "divided by both audiences in full: their roots belong there": common
            / np.outer(audience, audience),
            "divided by one audience only: that is the conditional probability": common
            / audience[:, None],
            "divided by the audience of j only": common / audience,
            "divided by the root of one audience only": common / np.sqrt(audience)[:, None],
            "divided by all who met either item: that is Jaccard's index": common
            / (np.add.outer(audience, audience) - together),
            "divided by the roots of the users' activities: an item's size is its audience": common
            / np.sqrt(np.outer(activity, activity)),
            "the diagonal is left: every item is its own best neighbour": expected + np.eye(4),
        },
    )


@pytest.mark.needs("ItemCF.similarities")
@pytest.mark.parametrize("penalty", [0.0, 0.5, 1.0])
def test_conditional_probability_is_worked_out_by_hand(answer: ModuleType, penalty: float) -> None:
    """Conditional: of those who met i, the share who met j, with a penalty for j's popularity; not symmetric."""
    cf = answer.ItemCF("conditional", popularity_penalty=penalty).fit(from_matrix(HAND))
    weights = dense(cf.weights_)
    expect.equal(
        weights[0, 1],
        2 / (3 * 2**penalty),
        f"of the 3 users of item 0, 2 met item 1, whose own 2 users count to the power of {penalty:g}: "
        "what is likely anyway proves little",
        mistakes={
            "i and j have changed places: the share is among those who met i, the penalty is for j": 2
            / (2 * 3**penalty),
            "popularity_penalty has no effect": 2 / 3,
            "the penalty multiplies: it favours what is popular": 2 / 3 * 2**penalty,
            "the penalty falls on item i too": 2 / (3 * (3 * 2) ** penalty),
            "this is the cosine": 2 / np.sqrt(3 * 2),
            "users in common were divided by nothing": 2,
        },
    )
    expect.equal(
        weights[1, 0],
        2 / (2 * 3**penalty),
        "the way back, from item 1 to item 0, is another share: of the 2 users of item 1, both met item 0, "
        f"whose 3 users count to the power of {penalty:g}",
        mistakes={
            "the way back equals the way there, but a conditional probability is not symmetric": 2
            / (3 * 2**penalty)
        },
    )
    expect.equal(
        weights[3].max(),
        0,
        "the only user of item 3 met nothing else, so it speaks for no other item, nor for itself",
    )


@pytest.mark.needs("ItemCF.similarities")
def test_cosines_equal_scipys(answer: ModuleType, crowd: Dataset) -> None:
    """Cosine and adjusted cosine equal SciPy's cosine on the items' columns."""
    binary = crowd.matrix().toarray()
    expect.equal(
        dense(answer.ItemCF().fit(crowd).weights_),
        cosines(binary),
        "the cosine of two items is that of their columns of zeros and ones, which SciPy computes too",
        abs=1e-5,
    )

    ratings = crowd.matrix("ratings").toarray()
    rated = ratings > 0
    means = ratings.sum(1) / rated.sum(1)
    centred = np.where(rated, ratings - means[:, None], 0)
    item_means = ratings.sum(0) / rated.sum(0)
    expect.equal(
        dense(answer.ItemCF("adjusted_cosine").fit(crowd).weights_),
        cosines(centred),
        "the adjusted cosine is the cosine of what each rating is above its user's "
        "mean: a generous user's 3 is no praise",
        abs=1e-5,
        mistakes={
            "the user's mean was not subtracted": cosines(ratings),
            "what nobody rated was centred too, as if it were a rating of 0": cosines(
                ratings - means[:, None]
            ),
            "the item's mean was subtracted, not the user's": cosines(
                np.where(rated, ratings - item_means, 0)
            ),
            "the ratings were not looked at": cosines(binary),
        },
    )


@pytest.mark.needs("ItemCF.similarities")
def test_shrinkage_discounts_small_overlaps(answer: ModuleType, crowd: Dataset) -> None:
    """Shrinkage multiplies by n / (n + shrinkage), with n the users in common."""
    together = (crowd.matrix().T @ crowd.matrix()).toarray()
    profiles = neighbours.centred(crowd.matrix("ratings")).T.tocsr()
    products = neighbours.inner_products(profiles, np.arange(30))
    for similarity in ("cosine", "conditional", "adjusted_cosine"):
        plain = dense(answer.ItemCF(similarity).fit(crowd).weights_)
        shrunk = dense(answer.ItemCF(similarity, shrinkage=4.0).fit(crowd).weights_)
        audience = np.diag(together)
        expect.equal(
            shrunk,
            plain * together / (together + 4.0),
            f"shrinkage takes the similarity ({similarity}) times n / (n + shrinkage), n being the users in "
            "common: two of them prove little",
            abs=1e-6,
            mistakes={
                "shrinkage has no effect": plain,
                "n is the inner product of centred ratings here, which counts nobody": plain
                * products
                / (products + 4.0),
                "n is the whole audience of item i, not the users in common": plain
                * (audience / (audience + 4.0))[:, None],
                "the factor is 1 / (n + shrinkage): n is missing above": plain / (together + 4.0),
            },
        )


@pytest.mark.parametrize("similarity", ["cosine", "conditional", "adjusted_cosine"])
@pytest.mark.needs("ItemCF.similarities")
def test_blocks_do_not_change_who_is_in_common(
    answer: ModuleType, crowd: Dataset, monkeypatch: pytest.MonkeyPatch, similarity: str
) -> None:
    """Shrinkage looks at the users of the items asked for, also where rows come a few at a time."""
    make = lambda: dense(answer.ItemCF(similarity, shrinkage=4.0).fit(crowd).weights_)  # noqa: E731
    whole = make()
    monkeypatch.setattr(neighbours, "BLOCK_CELLS", 3 * 30)
    expect.equal(
        make(),
        whole,
        f"in blocks of three items the similarities ({similarity}, shrunk) are the same: row r "
        "of a block is item i[r], not item r",
        abs=1e-6,
    )


@pytest.mark.needs("EASE._fit")
def test_ease_looks_at_who_met_what_and_at_nothing_else(answer: ModuleType, crowd: Dataset) -> None:
    """Ratings, and how often an item was met, change nothing: X holds zeros and ones."""
    met = crowd.interactions
    plain = answer.EASE(reg=5.0).fit(Dataset.from_arrays(met.users, met.items)).weights_
    rated = (
        answer.EASE(reg=5.0).fit(Dataset.from_arrays(met.users, met.items, met.ratings)).weights_
    )
    expect.equal(
        rated,
        plain,
        "X is 1 where a user met an item, whatever the rating: W is the same with and without "
        "ratings",
        abs=1e-5,
    )
    twice = Dataset.from_arrays(np.r_[met.users, met.users[::3]], np.r_[met.items, met.items[::3]])
    expect.equal(
        answer.EASE(reg=5.0).fit(twice).weights_,
        plain,
        "an item that was met twice is a 1 in X, as one that was met once",
        abs=1e-5,
    )


@pytest.mark.needs("ItemCF.similarities")
def test_only_the_nearest_neighbours_speak(answer: ModuleType, crowd: Dataset) -> None:
    """With `n_neighbors=k`, every row of W keeps its k largest entries and loses the rest."""
    full = dense(answer.ItemCF().fit(crowd).weights_)
    thin = dense(answer.ItemCF(n_neighbors=4).fit(crowd).weights_)
    expect.equal(
        (thin > 0).sum(axis=1),
        np.minimum(4, (full > 0).sum(axis=1)),
        "with n_neighbors=4 each row of W keeps four positive entries, or all where it has fewer",
        mistakes={
            "nothing was thinned out": (full > 0).sum(axis=1),
            "a neighbour is missing in every row: the first is not the item itself": np.minimum(
                4, (full > 0).sum(axis=1)
            )
            - 1,
        },
    )
    for item, (row, kept) in enumerate(zip(full, thin, strict=True)):
        expect.equal(
            kept[kept > 0],
            row[kept > 0],
            f"a neighbour of item {item} that stays keeps its similarity: "
            "thinning out chooses, and changes no number",
        )
        falling, n = -np.sort(-row), np.count_nonzero(kept > 0)
        expect.equal(
            -np.sort(-kept[kept > 0]),
            falling[:n],
            f"the neighbours of item {item} that stay are its most similar ones, for they know most about it",
            mistakes={
                "the most similar one is missing: the item itself was no longer there to be dropped": falling[
                    1 : n + 1
                ],
                "the least similar ones were kept: argsort ascends": falling[falling > 0][-n:],
            },
        )


@pytest.mark.needs("ItemCF.similarities", "EASE._fit")
def test_a_score_is_history_times_weights(answer: ModuleType, crowd: Dataset) -> None:
    """The score of j sums W[i, j] over the items i of the history, and nothing else."""
    met = crowd.matrix().toarray()
    for cf in (answer.ItemCF("conditional"), answer.ItemCF(n_neighbors=5), answer.EASE(reg=10.0)):
        weights = dense(cf.fit(crowd).weights_)
        expect.equal(
            cf.score(crowd.user_ids.ids),
            met @ weights,
            f"the score that {type(cf).__name__} gives j is the sum of W[i, j] over the history: every item "
            "of it speaks, and nothing else does",
            abs=1e-4,
            mistakes={
                "W is read from j to i: W[i, j] is what i in the history says for j": met
                @ weights.T,
                "the sum was divided by the length of the history": met
                @ weights
                / met.sum(axis=1, keepdims=True),
            },
        )


@pytest.mark.needs("ItemCF.similarities")
def test_blocks_change_nothing(
    answer: ModuleType, crowd: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Computed in blocks of a few rows, or by sparse products, W is the same."""
    makers = [lambda: answer.ItemCF(), lambda: answer.ItemCF(n_neighbors=3, shrinkage=2.0)]
    whole = [dense(make().fit(crowd).weights_) for make in makers]
    monkeypatch.setattr(neighbours, "BLOCK_CELLS", 100)
    for make, expected in zip(makers, whole, strict=True):
        expect.equal(
            dense(make().fit(crowd).weights_),
            expected,
            "W is the same in blocks of a few rows: `i` and `j` are indices of items, not places in a block",
            abs=1e-6,
        )


@pytest.mark.needs("ItemCF.similarities")
def test_a_table_that_does_not_fit_into_memory_is_refused(
    answer: ModuleType, crowd: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A dense table larger than memory is refused before it is begun, with its size and a way out."""
    monkeypatch.setattr(memory, "available_bytes", lambda: 1000)
    with expect.error(
        MemoryError,
        r"30 × 30 similarities needs .* GiB are free: set n_neighbors",
        "a table of all pairs that cannot fit is refused before it is begun, with a way out: a process "
        "that runs out of memory is killed without a word",
    ):
        answer.ItemCF().fit(crowd)
    answer.ItemCF(n_neighbors=5).fit(crowd)
    if answer.__name__.startswith(
        "keras_recs."
    ):  # EASE's own call is in its heart: who writes that need not know
        with expect.error(
            MemoryError,
            "EASE on 30 items needs",
            "EASE inverts a table of all pairs, which needs the same room and the same warning",
        ):
            answer.EASE().fit(crowd)


@pytest.mark.needs("ItemCF.similarities", "EASE._fit")
def test_an_item_nobody_met_is_like_no_other(answer: ModuleType) -> None:
    """An item without an audience has the similarity 0 to all, not NaN, and finite scores."""
    lonely = from_matrix(np.hstack([HAND, np.zeros((4, 1))]))
    divided = {
        "0 / 0 is NaN: give an audience of nobody a size that can be divided by": np.r_[
            [np.nan] * 4, 0
        ]
    }
    for cf in (
        answer.ItemCF(),
        answer.ItemCF("conditional"),
        answer.ItemCF("adjusted_cosine", shrinkage=1.0),
        answer.EASE(reg=1.0),
    ):
        name, weights = type(cf).__name__, dense(cf.fit(lonely).weights_)
        expect.equal(
            weights[4],
            np.zeros(5),
            f"nobody met item 4, so with {name} it says nothing for the others",
            abs=0,
            mistakes=divided,
        )
        expect.equal(
            weights[:, 4],
            np.zeros(5),
            f"nor does, with {name}, any other item say something for item 4",
            abs=0,
            mistakes=divided,
        )
        expect.true(
            np.isfinite(cf.score(np.arange(4))),
            f"scores of {name} stay finite: one NaN in W spoils the score of everybody",
            scores=cf.score(np.arange(4)),
        )


@pytest.mark.needs("ItemCF.similarities")
@pytest.mark.parametrize(
    "settings",
    [
        dict(),
        dict(similarity="conditional"),
        dict(n_neighbors=3),
        dict(similarity="conditional", n_neighbors=4),
        dict(shrinkage=3.0),
        dict(recency=4.0),
    ],
    ids=str,
)
def test_an_update_equals_a_refit(answer: ModuleType, crowd: Dataset, settings: dict) -> None:
    """Taking in interactions one by one gives the weights and the scores of a new fit."""
    cf = answer.ItemCF(**settings).fit(crowd)
    before = dense(cf.weights_).copy()
    data, rows_only, columns_only = crowd, before.copy(), before.copy()
    for step, (user, item) in enumerate([(3, 29), (7, 0), (3, 28), (3, 29)]):
        cf.update(user, item)
        data = with_event(data, user, item, 10**7 + step)
        refit = answer.ItemCF(**settings).fit(data)
        rows_only[item], columns_only[:, item] = (
            dense(refit.weights_)[item],
            dense(refit.weights_)[:, item],
        )
    expect.equal(
        dense(cf.weights_),
        dense(refit.weights_),
        "weights after updates are those of a new fit: with an audience grow the row and the column of its "
        "item, which asks `similarities` for one item against all and for all against one",
        abs=1e-6,
        mistakes={
            "the updates changed nothing": before,
            "the columns of the items were forgotten: their audiences count in the rows of all others too": rows_only,
            "the rows of the items were forgotten: their audiences count there as much as in the columns": columns_only,
        },
    )
    expect.equal(
        cf.score(data.user_ids.ids),
        refit.score(data.user_ids.ids),
        "scores after an update are those of a new fit: the event joins the history as well",
        abs=1e-5,
    )
    expect.true(
        not cf.recommend([3], 30).valid[0, -1],
        "a list of all 30 items ends early, for what the user has met is not recommended",
        items=cf.recommend([3], 30).items,
    )
    expect.true(
        29 not in cf.recommend([3], 5).items,
        "item 29, taken in just now, is not recommended again",
        items=cf.recommend([3], 5).items,
    )
    expect.true(
        not np.allclose(dense(cf.weights_), before, atol=1e-6),
        "an update moves some weight: the audiences of three items have grown",
    )


@pytest.mark.needs("ItemCF.similarities")
def test_an_update_that_cannot_be_exact_is_refused(answer: ModuleType, crowd: Dataset) -> None:
    """Adjusted cosine and unknown ids are refused, and nothing changes."""
    cf = answer.ItemCF("adjusted_cosine").fit(crowd)
    with expect.error(
        ValueError,
        "fit again",
        "a new rating moves its user's mean and with it every profile of the "
        "history, so adjusted cosine asks for a new fit",
    ):
        cf.update(3, 29)
    plain = answer.ItemCF().fit(crowd)
    before = dense(plain.weights_).copy()
    with expect.error(
        KeyError,
        "item holds 1 unknown",
        "an item that was not there at `fit` has no row in W, and is refused by its name",
    ):
        plain.update(3, 999)
    expect.equal(
        dense(plain.weights_),
        before,
        "a refused update leaves the weights as they were, to the last bit",
        abs=0,
        rel=0,
    )


# --- EASE -----------------------------------------------------------------------------------------


@pytest.mark.needs("EASE._fit")
def test_ease_has_a_diagonal_of_zeros(answer: ModuleType, crowd: Dataset) -> None:
    """No item explains itself: the diagonal is exactly zero, and the rest is not."""
    weights = answer.EASE(reg=5.0).fit(crowd).weights_
    p = np.linalg.inv((crowd.matrix().T @ crowd.matrix()).toarray() + 5.0 * np.eye(30))
    expect.equal(
        np.diag(weights),
        np.zeros(30),
        "the diagonal is zero: a film that may explain itself explains nothing else",
        abs=0,
        mistakes={
            "-P[j, j] over P[j, j] is left on the diagonal: set it to 0 at the end": -np.ones(30),
            "P[j, j] over itself is left on the diagonal: set it to 0 at the end": np.ones(30),
            "these are ridge regressions in which each film is one of its own predictors": 1
            - 5.0 * np.diag(p),
        },
    )
    expect.true(
        np.abs(weights).max() > 0.05,
        "off the diagonal there is something: weights of zero predict nothing",
        largest=np.abs(weights).max(),
    )


@pytest.mark.needs("EASE._fit")
@pytest.mark.parametrize("reg", [0.5, 20.0])
def test_ease_is_where_its_objective_is_stationary(
    answer: ModuleType, crowd: Dataset, reg: float
) -> None:
    """Off the diagonal, the gradient of |X - XW|² + reg |W|² is zero: nothing could be gained by moving an entry."""
    x = crowd.matrix().toarray().astype(np.float64)

    def gradient(w: np.ndarray) -> np.ndarray:
        return without_diagonal(x.T @ (x @ w - x) + reg * w)

    weights = answer.EASE(reg=reg).fit(crowd).weights_.astype(np.float64)
    expect.equal(
        gradient(weights),
        np.zeros((30, 30)),
        "at the minimum of |X - XW|² + reg |W|² the gradient is zero off the diagonal: where it is not, "
        "another weight would rebuild the histories better",
        abs=1e-3 * np.abs(x.T @ x).max(),
        mistakes={sentence: gradient(w) for sentence, w in wrong_eases(x, reg).items()},
    )

    def objective(w: np.ndarray) -> float:
        return ((x - x @ w) ** 2).sum() + reg * (w**2).sum()

    rng = np.random.default_rng(0)
    for _ in range(20):
        nudge = without_diagonal(0.01 * rng.normal(size=weights.shape))
        expect.true(
            objective(weights + nudge) > objective(weights),
            "any other weights are worse: at a minimum each small nudge raises |X - XW|² + reg |W|²",
            yours=objective(weights),
            nudged=objective(weights + nudge),
        )


@pytest.mark.needs("EASE._fit")
def test_ease_predicts_column_by_column(answer: ModuleType) -> None:
    """W[:, j] is the ridge regression of item j on the other items: rows and columns are not mixed up."""
    rng = np.random.default_rng(2)
    x = (rng.random((50, 6)) < [0.9, 0.7, 0.5, 0.4, 0.2, 0.1]).astype(float)
    weights = answer.EASE(reg=3.0).fit(from_matrix(x)).weights_
    wrong = wrong_eases(x, 3.0)
    for j in range(6):
        others = np.arange(6) != j
        a = x[:, others]
        expected = np.linalg.solve(a.T @ a + 3.0 * np.eye(5), a.T @ x[:, j])
        expect.equal(
            weights[others, j],
            expected,
            f"column {j} of W is the ridge regression of item {j} on all other items: it says how these add "
            f"up to item {j}",
            abs=1e-4,
            mistakes={sentence: w[others, j] for sentence, w in wrong.items()},
        )


@pytest.mark.needs("EASE._fit")
def test_an_impossible_regulariser_is_an_error(answer: ModuleType) -> None:
    """Where G + reg I can hardly be inverted, an error names `reg`, or the weights are right all the same."""
    twins = np.ones((200, 40))
    twins[0, 0] = 0
    try:
        weights = answer.EASE(reg=1e-9).fit(from_matrix(twins)).weights_
    except ValueError as refused:
        expect.true(
            re.search(r"\breg\b", str(refused)),
            "39 items met by the same users cannot be told apart without a penalty: the error names the "
            "argument that helps, `reg`",
            message=str(refused),
        )
        return
    for j in (0, 1):
        others = np.arange(40) != j
        expect.equal(
            weights[others, j],
            np.linalg.pinv(twins[:, others]) @ twins[:, j],
            f"with next to no penalty, items met by the same users share the say about item {j} evenly; where "
            "rounding does not allow that, raise a ValueError that names `reg`",
            abs=1e-3,
        )


# --- both -----------------------------------------------------------------------------------------


@pytest.mark.needs("_HistoryTimesWeights.explain")
def test_an_explanation_is_worked_out_by_hand(answer: ModuleType) -> None:
    """With W given: the parts that Ann's two films have in the score of a third, by their ids, largest first."""
    data = Dataset.from_arrays(["ann", "ann", "bob"], ["dune", "alien", "heat"])
    w = np.array(
        [
            [0.0, 0.9, 0.2],  # alien, dune, heat, in the order of the ids
            [0.9, 0.0, 0.7],
            [0.5, 0.0, 0.0],
        ],
        np.float32,
    )
    for given, kind in ((w, "a dense"), (sparse.csr_array(w), "a sparse")):

        class ByHand(answer._HistoryTimesWeights):
            recency = None

            def _fit(self, data: Dataset) -> None:
                self.weights_ = given  # noqa: B023 (called before the next turn)
                self._remember(data)

        by_hand = ByHand().fit(data)
        parts = by_hand.explain("ann", "heat")
        expect.equal(
            [item for item, _ in parts],
            ["dune", "alien"],
            f"with {kind} W, the items of the history come by their ids, the one with the largest part first",
            mistakes={
                "the smallest part comes first: sort the negated parts": ["alien", "dune"],
                "these are indices: an item is named by its id": [1, 0],
            },
        )
        expect.equal(
            [part for _, part in parts],
            [0.7, 0.2],
            f'with {kind} W, the part of item i in the score of "heat" is history[u, i] · W[i, heat], and '
            "Ann's history holds ones",
            mistakes={
                'W is read from "heat" to the history: W[i, heat] is what i says for it': [0.5, 0.0]
            },
        )
        none = by_hand.explain("bob", "dune")
        expect.equal(
            [item for item, _ in none],
            ["heat"],
            f'with {kind} W, Bob\'s only film is named though it says nothing for "dune": its part is 0',
            mistakes={"items whose part is 0 are left out": []},
        )
        expect.equal(
            [part for _, part in none],
            [0.0],
            f"with {kind} W, what is not stored in it is a part of 0",
        )


@pytest.mark.needs("_HistoryTimesWeights.explain")
def test_equal_parts_stand_in_the_order_of_the_ids(answer: ModuleType) -> None:
    """Items of the history that say as much as each other are named by id, the lower first."""

    class ByHand(answer._HistoryTimesWeights):
        recency = None

        def _fit(self, data: Dataset) -> None:
            self.weights_ = np.array(
                [[0, 1, 1, 0.5], [1, 0, 1, 0.7], [1, 1, 0, 0.5], [1, 1, 1, 0]], np.float32
            )
            self._remember(data)

    by_hand = ByHand().fit(
        Dataset.from_arrays(["ann", "ann", "ann", "bob"], ["jaws", "dune", "alien", "up"])
    )
    expect.equal(
        [item for item, _ in by_hand.explain("ann", "up")],
        ["dune", "alien", "jaws"],
        '"dune" has the '
        'largest part; "alien" and "jaws" have the same, and come in the order of their ids',
        mistakes={
            "of equal parts the last stands first: a stable sort of the negated parts keeps the order": [
                "dune",
                "jaws",
                "alien",
            ]
        },
    )


@pytest.mark.needs("_HistoryTimesWeights.explain", "ItemCF.similarities", "EASE._fit")
@pytest.mark.parametrize("recency", [None, 3.0])
def test_explanations_sum_to_the_score(
    answer: ModuleType, crowd: Dataset, recency: float | None
) -> None:
    """Each item of the history gets its part of the score, largest first; the parts add up."""
    history = (crowd.matrix() if recency is None else recency_weighted(crowd, recency)).toarray()
    for cf in (
        answer.ItemCF(recency=recency),
        answer.ItemCF(n_neighbors=5, recency=recency),
        answer.EASE(reg=10.0, recency=recency),
    ):
        weights = dense(cf.fit(crowd).weights_)
        for user, item in ((4, 20), (17, 3)):
            name, parts, met = (
                type(cf).__name__,
                cf.explain(user, item),
                crowd.matrix()[[user]].indices,
            )
            expect.equal(
                sum(part for _, part in parts),
                cf.predict([user], [item])[0],
                f"explain, with {name}: the parts add up to the score, or something else than this decided it",
                abs=1e-5,
                mistakes={
                    "all of the history counts 1: histories_[u, i] is less for older events": weights[
                        met, item
                    ].sum(),
                    "W is read from the item to the history: W[i, item] is what i says for it": history[
                        user, met
                    ]
                    @ weights[item, met],
                },
            )
            expect.equal(
                sorted(i for i, _ in parts),
                sorted(met.tolist()),
                f"explain, with {name}: each item that the user met is named once, by its id, and no other",
            )
            expect.equal(
                [part for _, part in parts],
                sorted((part for _, part in parts), reverse=True),
                f"explain, with {name}: the largest part comes first, for that is the reason to be shown",
                mistakes={
                    "the smallest part comes first: sort the negated parts": sorted(
                        part for _, part in parts
                    )
                },
            )
            heaviest, part = parts[0]
            expect.equal(
                part,
                history[user, heaviest] * weights[heaviest, item],
                f"explain, with {name}: the part of item i is history[u, i] · W[i, item], beside its own id",
                abs=1e-6,
                mistakes={
                    "ids and parts have been sorted apart: this is the part of another item": history[
                        user, met[0]
                    ]
                    * weights[met[0], item]
                },
            )


@pytest.mark.needs("ItemCF.similarities", "EASE._fit")
def test_recency_weighs_the_history_and_leaves_the_weights(
    answer: ModuleType, crowd: Dataset
) -> None:
    """With `recency`, an event of age a counts exp(-a / recency); W is learned from all events alike."""
    for make in (answer.ItemCF, answer.EASE):
        plain, recent = make().fit(crowd), make(recency=3.0).fit(crowd)
        weights = dense(plain.weights_)
        expect.equal(
            dense(recent.weights_),
            weights,
            f"{make.__name__} learns W from all events alike: an old event is as true as a new one",
            abs=0,
            rel=0,
        )
        expected = recency_weighted(crowd, 3.0).toarray() @ weights
        expect.equal(
            recent.score(crowd.user_ids.ids),
            expected,
            f"scores of {make.__name__} weigh an event of age a by exp(-a / recency): what came last says "
            "most about what comes next",
            abs=1e-4,
            mistakes={"recency has no effect": crowd.matrix().toarray() @ weights},
        )


@pytest.mark.data
@pytest.mark.needs("ItemCF.similarities", "EASE._fit")
@pytest.mark.parametrize(
    ("name", "settings", "floor"),
    [("ItemCF", {}, 0.195), ("EASE", {}, 0.2009), ("EASE", {"recency": 10.0}, 0.25)],
    ids=["item CF", "EASE", "EASE, recent history"],
)
def test_movielens_bars(
    answer: ModuleType, ml100k: Dataset, name: str, settings: dict, floor: float
) -> None:
    """On MovieLens-100K (P1), NDCG@10 reaches that of the best public implementations of the same method."""
    from keras_recs.evaluation import evaluate

    parts = split(ml100k, "P1")
    reached = evaluate(getattr(answer, name)(**settings).fit(parts.train), parts).metrics["ndcg@10"]
    expect.true(
        reached > floor - 5e-5,
        f"{name} ranks MovieLens-100K as well as the best public implementations: who stays below computes "
        "another W, though small examples may agree",
        ndcg_at_10=reached,
        at_least=floor,
    )
