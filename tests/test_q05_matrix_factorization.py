"""Question 5: biased matrix factorisation of explicit ratings, by mini-batch gradient descent."""

from __future__ import annotations

import tracemalloc
import warnings
from collections.abc import Callable
from dataclasses import fields
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from keras_recs.data import Dataset, from_matrix, split
from keras_recs.practice import expect
from keras_recs.testing import planted


def small(answer: ModuleType, dtype: type = np.float64, seed: int = 0) -> tuple[Any, ...]:
    """Random parameters for 4 users and 5 items, and nine ratings of theirs, one user without any."""
    rng = np.random.default_rng(seed)
    theta = answer.Parameters(
        *(rng.normal(size=shape).astype(dtype) for shape in ((4,), (5,), (4, 3), (5, 3)))
    )
    users = np.array([0, 0, 0, 1, 1, 2, 2, 2, 0])
    items = np.array([0, 1, 4, 0, 2, 1, 2, 4, 3])
    return theta, 3.5, users, items, rng.uniform(1, 5, len(users)).astype(dtype)


def slope(
    answer: ModuleType,
    theta: Any,
    mean: float,
    users: np.ndarray,
    items: np.ndarray,
    ratings: np.ndarray,
    reg: float,
) -> Any:
    return answer.gradient(
        theta, users, items, ratings - answer.predict(theta, mean, users, items), reg
    )


def wrong_slopes(
    theta: Any,
    users: np.ndarray,
    items: np.ndarray,
    errors: np.ndarray,
    reg: float,
) -> dict[str, dict[str, np.ndarray]]:
    """What the classic mistakes give in place of the gradient: part -> sentence -> value."""
    pulls = {
        "user_bias": (users, errors),
        "item_bias": (items, errors),
        "user_factors": (users, errors[:, None] * theta.item_factors[items]),
        "item_factors": (items, errors[:, None] * theta.user_factors[users]),
    }  # what each rating pulls at, and how
    wrong = {}
    for part, (rows, pull) in pulls.items():
        values = getattr(theta, part)
        pulled, last = np.zeros_like(values), np.zeros_like(values)
        np.add.at(pulled, rows, pull)
        last[rows] += reg * values[rows] - pull
        count = np.bincount(rows, minlength=len(values))
        penalty = reg * values * (count if values.ndim == 1 else count[:, None])
        wrong[part] = {
            "the gradient is right, and the loss is not: it is the loss that this is compared with": penalty
            - pulled,
            "of rows that occur several times only the last occurrence counts: g[rows] += … does not add up, np.add.at "
            "or a sparse product does": last,
            "the errors have the wrong sign: the derivative of ½ (r - r̂)² carries -(r - r̂)": penalty
            + pulled,
            "this is the way downhill: the gradient points up, and descend subtracts it": pulled
            - penalty,
            "the penalty is missing: its derivative is reg times the parameter, once a rating": -pulled,
            "every row pays the penalty once, and the loss charges it once a rating": reg
            * values
            * (count > 0 if values.ndim == 1 else count[:, None] > 0)
            - pulled,
            "every row pays the penalty once, even one without ratings": reg * values - pulled,
            "this is the gradient of the mean: the loss is a sum over the ratings": (
                penalty - pulled
            )
            / len(rows),
            "this is twice the gradient: the ½ of the loss takes the 2 of the square away": 2
            * (penalty - pulled),
        }
    return wrong


@pytest.mark.shape
@pytest.mark.needs("predict", "gradient", "descend")
def test_shapes(answer: ModuleType) -> None:
    """Scores have a row per user and a column per item, predictions one value a pair, factors n_factors columns."""
    data, truth, _ = planted()
    mf = answer.BiasedMF(n_factors=4, n_epochs=2).fit(data)
    expect.equal(
        mf.score([0, 1, 2]).shape,
        (3, 40),
        "scores have a row for each user asked and a column for each item",
    )
    expect.equal(
        mf.predict([0, 1], [2, 3]).shape,
        (2,),
        "two pairs get two predictions, not a table of users × items",
    )
    expect.equal(
        mf.user_factors_.shape, (60, 4), "each of the 60 users has a vector of n_factors numbers"
    )
    expect.equal(
        mf.item_factors_.shape, (40, 4), "each of the 40 items has a vector as long as the users'"
    )
    expect.equal(mf.user_bias_.shape, (60,), "a user's bias is one number: how generous they are")
    expect.equal(
        mf.item_bias_.shape, (40,), "an item's bias is one number: how well it is liked by all"
    )


@pytest.mark.needs("predict")
def test_a_rating_is_mean_plus_biases_plus_affinity(answer: ModuleType) -> None:
    """A prediction is the mean, plus the user's and the item's bias, plus the dot product of their factors."""
    theta = answer.Parameters(
        np.array([0.5, -1.0]),
        np.array([0.25, 0.0]),
        np.array([[1.0, 2.0], [0.0, 3.0]]),
        np.array([[0.5, 0.5], [2.0, -1.0]]),
    )
    pairs = np.array([0, 1, 1]), np.array([0, 0, 1])
    mean, biases, affinity = 3.0, np.array([0.75, -0.75, -1.0]), np.array([1.5, 1.5, -3.0])
    expect.equal(
        answer.predict(theta, mean, *pairs),
        mean + biases + affinity,
        "a rating is the mean, plus the biases of its user and its item, plus p[u] · q[i]",
        mistakes={
            "the biases are missing: a good film is liked by all, whatever their taste": mean
            + affinity,
            "the mean is missing: biases and affinity say how far a rating is from it": biases
            + affinity,
            "the affinity is missing: the dot product of the two vectors of each pair": mean
            + biases,
            "the affinity is subtracted: vectors that point the same way mean a liking": mean
            + biases
            - affinity,
        },
    )


def megabytes_at_most(run: Callable[[], Any]) -> float:
    """The memory that NumPy holds at once while this runs."""
    tracemalloc.start()
    run()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak / 1e6


def wide(answer: ModuleType) -> tuple[Any, np.ndarray, np.ndarray]:
    """Parameters for 3,000 users and 2,000 items, and ten pairs of them."""
    theta = answer.Parameters(
        *(np.ones(shape, np.float32) for shape in ((3000,), (2000,), (3000, 2), (2000, 2)))
    )
    return theta, np.arange(10) * 299, np.arange(10) * 199


@pytest.mark.needs("predict")
def test_ten_predictions_need_no_table_of_all_pairs(answer: ModuleType) -> None:
    """Memory goes by the pairs that are asked for: users × items would be 24 MB here, and 40 GB for a real shop."""
    theta, users, items = wide(answer)
    most = megabytes_at_most(lambda: answer.predict(theta, 3.0, users, items))
    expect.true(
        most < 3,
        "ten pairs need ten products of two vectors: look the vectors up first, and multiply then",
        megabytes=most,
        table_of_users_and_items=24,
    )


@pytest.mark.needs("gradient")
def test_a_gradient_needs_no_table_of_all_pairs(answer: ModuleType) -> None:
    """Memory goes by the ratings and the parameters: the errors of ten ratings are ten numbers."""
    theta, users, items = wide(answer)
    errors = np.ones(10, np.float32)
    most = megabytes_at_most(lambda: answer.gradient(theta, users, items, errors, 0.1))
    expect.true(
        most < 3,
        "the errors of ten ratings are ten numbers: keep them sparse, or add them up by np.add.at",
        megabytes=most,
        table_of_users_and_items=24,
    )


@pytest.mark.needs("predict", "loss")
def test_the_loss_counts_observed_ratings_only(answer: ModuleType) -> None:
    """The loss is half the squared errors and half the penalty, over the ratings that exist."""
    theta = answer.Parameters(
        np.array([0.5]), np.array([0.0, 9.0]), np.array([[2.0]]), np.array([[1.0], [9.0]])
    )
    value = answer.loss(theta, 1.0, np.array([0]), np.array([0]), np.array([5.0]), 0.1)
    user, first, second = 0.5**2 + 2.0**2, 1.0**2, 9.0**2 + 9.0**2  # squared parameters
    half = 0.5 * 1.5**2
    expect.equal(
        value,
        half + 0.05 * (user + first),
        "item 1 has no rating, so its parameters cost nothing",
        mistakes={
            "the penalty counts parameters that no rating uses": half
            + 0.05 * (user + first + second),
            "the ½ is missing: squared errors and penalty are both halved": 2
            * (half + 0.05 * (user + first)),
            "the penalty is not halved": half + 0.1 * (user + first),
            "the errors are halved and squared, but nothing is paid for long vectors": half,
            "the penalty takes lengths as they are: it is the squares that are added up": half
            + 0.05 * (0.5 + 2.0 + 1.0),
            "the biases pay no penalty, though they are parameters too": half
            + 0.05 * (2.0**2 + 1.0**2),
        },
    )
    value = answer.loss(theta, 1.0, np.array([0, 0]), np.array([0, 1]), np.array([5.0, 28.5]), 0.1)
    expect.equal(
        value,
        half + 0.05 * (2 * user + first + second),  # the second prediction, 28.5, is right
        "every rating pays for the parameters that it uses: user 0 has rated twice and pays twice",
        mistakes={
            "user 0 pays once, with two ratings: look the parameters up at `users` and `items`": half
            + 0.05 * (user + first + second),
            "this is the mean over the ratings: the loss is their sum": (
                half + 0.05 * (2 * user + first + second)
            )
            / 2,
        },
    )


@pytest.mark.parametrize("reg", [0.0, 0.3])
@pytest.mark.needs("predict", "loss", "gradient")
def test_the_gradient_is_the_slope_of_the_loss(answer: ModuleType, reg: float) -> None:
    """Every component of the gradient equals the numerical derivative of the loss."""
    theta, *rest = small(answer)
    mean, users, items, ratings = rest
    analytic = slope(answer, theta, *rest, reg)
    wrong = wrong_slopes(
        theta, users, items, ratings - answer.predict(theta, mean, users, items), reg
    )
    for part in fields(theta):
        values = getattr(theta, part.name)
        numeric = np.zeros_like(values)
        for place in np.ndindex(values.shape):
            kept = values[place]
            values[place] = kept + 1e-6
            up = answer.loss(theta, *rest, reg)
            values[place] = kept - 1e-6
            numeric[place] = (up - answer.loss(theta, *rest, reg)) / 2e-6
            values[place] = kept
        expect.true(
            np.abs(numeric).max() > 0.1,
            f"the loss must change with {part.name}: of a loss that does not, a "
            "gradient of zeros would be right",
            largest_slope=np.abs(numeric).max(),
        )
        expect.equal(
            getattr(analytic, part.name),
            numeric,
            f"nudge one number of {part.name}, and the loss changes by "
            "the gradient times the nudge",
            abs=1e-6,
            mistakes=wrong[part.name],
        )


@pytest.mark.needs("predict", "gradient", "descend")
def test_a_step_goes_downhill_along_the_whole_gradient(answer: ModuleType) -> None:
    """A step moves every parameter against its slope, by the step size, in place."""
    theta, *rest = small(answer)
    before = {f.name: getattr(theta, f.name).copy() for f in fields(theta)}
    down = slope(answer, theta, *rest, 0.1)
    answer.descend(theta, down, np.float64(0.01))
    for name, value in before.items():
        move = 0.01 * getattr(down, name)
        expect.equal(
            getattr(theta, name),
            value - move,
            f"{name} moves against its slope, by the step times the slope",
            mistakes={
                "the step goes uphill: the slope has to be subtracted": value + move,
                "it has not moved: change all four arrays in place, `theta.user_bias -= …`; a new array "
                "under an old name leaves theta as it was": value,
                "the slope was subtracted whole, without the step": value - getattr(down, name),
            },
        )


@pytest.mark.needs("predict", "loss", "gradient", "descend")
def test_the_loss_falls_monotonically_for_a_small_step(answer: ModuleType) -> None:
    """With a small step, the loss falls at every step; climbing or stale gradients do not pass."""
    theta, *rest = small(answer)
    losses = []
    for _ in range(200):
        losses.append(answer.loss(theta, *rest, 0.05))
        answer.descend(theta, slope(answer, theta, *rest, 0.05), np.float64(0.01))
    expect.true(
        np.diff(losses) < 0,
        "a small step against the slope lowers the loss, every time: where it rises, a "
        "sign is turned round or the gradient is of another loss",
        first=losses[0],
        second=losses[1],
        last=losses[-1],
    )
    expect.true(
        losses[-1] < 0.2 * losses[0],
        "two hundred steps take four fifths of the loss away, where the gradient "
        "is that of the sum and all four parts move",
        first=losses[0],
        last=losses[-1],
    )


@pytest.mark.needs("predict", "gradient", "descend")
def test_the_first_predictions_are_the_mean(answer: ModuleType) -> None:
    """Factors start small and signed: before training, every prediction is close to the mean rating."""
    data, _, mask = planted()
    start = answer.BiasedMF(learning_rate=1e-12, n_epochs=1).fit(data)
    scores = start.score(data.user_ids.ids)
    mean = data.interactions.ratings.mean()
    expect.true(
        np.abs(scores - mean).max() < 0.1,
        "before anything is learned the best guess is the mean rating, so "
        "factors start small and biases at zero",
        mean=mean,
        farthest_from_it=np.abs(scores - mean).max(),
    )
    factors = start.user_factors_
    expect.true(
        np.ptp(factors) > 0,
        "factors start at random: equal ones have equal slopes and stay equal for ever",
        all_factors=factors.flat[0],
    )
    expect.true(
        abs(factors.mean()) < 0.25 * factors.std(),
        "factors start with either sign: of one sign, all affinities would begin positive",
        mean=factors.mean(),
        standard_deviation=factors.std(),
    )


@pytest.mark.needs("predict", "gradient", "descend")
def test_one_epoch_is_one_step_on_both_sides_at_once(answer: ModuleType) -> None:
    """User and item factors step together: neither sees what the other has just become."""
    data, _, _ = planted()
    stars = data.interactions.ratings
    unit = (
        stars / stars.std()
    )  # of standard deviation 1, so that what is stored is what was learned
    data = Dataset.from_arrays(data.interactions.users, data.interactions.items, unit)
    make, step = answer.BiasedMF, 2e-3  # so short that no row has to be held back
    start = make(n_factors=3, learning_rate=1e-12, n_epochs=1, reg=0.0, init_scale=0.5).fit(data)
    moved = make(
        n_factors=3, learning_rate=step, n_epochs=1, reg=0.0, init_scale=0.5, batch_size=10**6
    ).fit(data)
    events = data.interactions
    theta = answer.Parameters(
        start.user_bias_, start.item_bias_, start.user_factors_, start.item_factors_
    )
    rest = start.mean_, events.users, events.items, events.ratings, 0.0
    errors = events.ratings - answer.predict(theta, *rest[:3])
    down = slope(answer, theta, *rest)
    names = "user_factors", "item_factors", "user_bias", "item_bias"
    after = {name: getattr(theta, name) - step * getattr(down, name) for name in names}
    for name in names:
        late = {
            other: after[other] if other[:4] != name[:4] else getattr(theta, other)
            for other in names
        }
        late_slope = answer.gradient(
            answer.Parameters(**late), events.users, events.items, errors, 0.0
        )
        expect.equal(
            getattr(moved, f"{name}_"),
            after[name],
            f"in an epoch of one batch, {name} takes one step along "
            "its slope at the start, where the other side has not moved yet",
            abs=2e-5,
            mistakes={
                "the slope was taken after the other side had moved: take all slopes at the same theta, "
                "then move everything": getattr(theta, name) - step * getattr(late_slope, name),
                "it has not moved at all": getattr(theta, name),
            },
        )


@pytest.mark.needs("predict", "gradient", "descend")
def test_it_recovers_a_planted_matrix_from_two_fifths_of_its_entries(answer: ModuleType) -> None:
    """A low-rank matrix is rebuilt from 40 % of its entries: held-out RMSE under 0.05."""
    data, truth, mask = planted(n_users=120, n_items=80)
    mf = answer.BiasedMF(
        n_factors=4,
        reg=1e-4,
        learning_rate=0.05,
        decay=0.995,
        n_epochs=400,
        batch_size=400,
        init_scale=0.3,
    ).fit(data)
    errors = (mf.score(data.user_ids.ids) - truth)[~mask]
    rmse = np.sqrt((errors**2).mean())
    expect.true(
        rmse < 0.05,
        "a matrix of rank 3 is settled by two fifths of its entries: four factors and the biases "
        "rebuild what was hidden",
        rmse_of_the_hidden=rmse,
        their_spread=truth[~mask].std(),
    )


@pytest.mark.needs("predict", "gradient", "descend")
def test_what_is_not_observed_is_not_a_zero(answer: ModuleType) -> None:
    """An entry without a rating is unknown, not a rating of 0."""
    full = np.add.outer([0.0, 0.5, 1.0, 1.5], [2.0, 2.5, 3.0, 3.5, 4.0])
    hidden = np.eye(4, 5, dtype=bool)
    mf = answer.BiasedMF(n_factors=2, reg=1e-3, n_epochs=500, decay=1.0)
    scores = mf.fit(from_matrix(np.where(hidden, np.nan, full), missing=float("nan"))).score(
        np.arange(4)
    )
    expect.equal(
        scores[hidden],
        full[hidden],
        "what has no rating is unknown, not a 0: the mean and the two biases alone tell these four",
        abs=0.15,
    )


@pytest.mark.needs("predict", "gradient", "descend")
def test_the_penalty_shrinks_the_factors(answer: ModuleType) -> None:
    """More regularisation, shorter factors and smaller biases."""
    data, _, _ = planted()
    size = []
    for reg in (0.0, 0.1, 1.0):
        mf = answer.BiasedMF(n_factors=4, reg=reg, n_epochs=60).fit(data)
        size.append(
            (
                np.linalg.norm(mf.user_factors_),
                np.linalg.norm(mf.item_factors_),
                np.linalg.norm(mf.user_bias_),
                np.linalg.norm(mf.item_bias_),
            )
        )
    free, light, heavy = np.array(
        size
    )  # lengths of the users' and items' factors, then of their biases
    expect.true(
        light < 0.98 * free,
        "a penalty shortens factors and biases, of users and of items: all four pay it",
        without_penalty=free,
        with_reg_of_0_1=light,
    )
    expect.true(
        heavy < 0.8 * light,
        "ten times the penalty shortens all four much more: reg multiplies it",
        with_reg_of_0_1=light,
        with_reg_of_1=heavy,
    )


@pytest.mark.needs("predict", "gradient", "descend")
def test_the_history_is_the_training_error_and_it_falls(answer: ModuleType) -> None:
    """`history_` holds the training RMSE of every epoch, starting at that of the mean."""
    data, _, _ = planted()
    mf = answer.BiasedMF(n_factors=4, n_epochs=80, reg=0.01).fit(data)
    curve = mf.history_["rmse"]
    expect.equal(len(curve), 80, "history_ has one entry for each epoch")
    spread = data.interactions.ratings.std()
    expect.equal(
        curve[0],
        spread,
        "in the first epoch nearly nothing is learned yet: the error is the spread of "
        "the ratings around their mean",
        rel=0.05,
        mistakes={"this is the squared error: RMSE is the root of its mean": spread**2},
    )
    events = data.interactions
    fitted = mf.predict(data.user_ids.ids[events.users], data.item_ids.ids[events.items])
    mse = ((fitted - events.ratings) ** 2).mean()
    expect.equal(
        curve[-1],
        np.sqrt(mse),
        "the last entry is about the RMSE that predict() leaves on the training ratings",
        rel=0.1,
        mistakes={"this is the squared error: RMSE is the root of its mean": mse},
    )
    expect.true(
        curve[-1] < 0.5 * curve[0],
        "training makes the training error fall: over 80 epochs, to less than half",
        first=curve[0],
        last=curve[-1],
    )


@pytest.mark.needs("predict", "gradient", "descend")
def test_a_training_that_diverges_is_an_error_that_says_when(answer: ModuleType) -> None:
    """Numbers that overflow end in an error with the epoch, not in a recommender of NaN, and without warnings."""
    data, _, _ = planted()
    with (
        warnings.catch_warnings(),
        expect.error(
            FloatingPointError,
            "in epoch 1: try an init_scale below 1e",
            "factors of 1e200 overflow when they are "
            "multiplied, in double precision too: the message names the epoch, the first, and what to change",
        ),
    ):
        warnings.simplefilter("error")
        answer.BiasedMF(n_factors=4, init_scale=1e200).fit(data)


@pytest.mark.needs("predict", "gradient", "descend")
def test_the_history_of_one_epoch_is_the_error_of_the_mean(answer: ModuleType) -> None:
    """In the first batch nothing has been learned: the error is the spread of the ratings."""
    data, _, _ = planted()
    mf = answer.BiasedMF(n_factors=1, n_epochs=1, init_scale=1e-6).fit(data)
    ratings = data.interactions.ratings
    expect.equal(
        mf.history_["rmse"],
        [ratings.std()],
        "the first batch is predicted before it is learned: its error is that of the mean rating",
        rel=1e-4,
        mistakes={
            "this is the mean squared error: take its root": [ratings.var()],
            "this is the error of predicting 0: the mean rating comes first": [
                np.sqrt((ratings**2).mean())
            ],
            "this is the root of the sum of the squares: divide by the number of ratings first": [
                np.sqrt(ratings.var() * len(ratings))
            ],
        },
    )


@pytest.mark.needs("predict", "gradient", "descend")
def test_every_rating_is_learned_whatever_the_batch_size(answer: ModuleType) -> None:
    """Batches of any size cover all ratings, the last short one too."""
    ratings = np.array([[5.0, 0, 0], [0, 1.0, 0], [0, 0, 3.0]])
    for batch_size in (1, 2, 3, 4):
        mf = answer.BiasedMF(
            n_factors=2, reg=0.0, n_epochs=400, decay=1.0, learning_rate=0.05, batch_size=batch_size
        ).fit(from_matrix(ratings))
        expect.equal(
            mf.predict([0, 1, 2], [0, 1, 2]),
            [5, 1, 3],
            f"three ratings in batches of {batch_size} are all "
            "learned: the last batch may be short, and counts as well",
            abs=0.05,
            mistakes={"nothing was learned: these are the mean": [3, 3, 3]},
        )


@pytest.mark.needs("predict", "gradient", "descend")
def test_a_later_rating_replaces_an_earlier_one(answer: ModuleType) -> None:
    """A film rated twice counts by the later rating."""
    users, items, ratings = [0, 0, 1, 1, 0], [0, 1, 0, 1, 0], [1.0, 2.0, 5.0, 2.0, 5.0]
    data = Dataset.from_arrays(users, items, ratings, timestamps=[1, 2, 3, 4, 5])
    mf = answer.BiasedMF(n_factors=2, reg=0.0, n_epochs=500, decay=1.0, learning_rate=0.05)
    expect.equal(
        mf.fit(data).predict([0], [0])[0],
        5.0,
        "user 0 gave item 0 one star and later five: who rates a film "
        "twice has changed their mind, and the later rating counts",
        abs=0.1,
        mistakes={
            "this lies between the two ratings: both were fitted": 3.0,
            "this is the earlier rating: the later one replaces it": 1.0,
        },
    )


@pytest.mark.needs("predict", "gradient", "descend")
def test_who_has_no_ratings_gets_the_biases(answer: ModuleType) -> None:
    """For a user without ratings, the prediction is the mean and the item's bias, nothing random."""
    data, _, _ = planted()
    padded = from_matrix(np.pad(data.matrix("ratings").toarray(), ((0, 1), (0, 1))))
    mf = answer.BiasedMF(n_factors=4).fit(padded)
    expect.equal(
        mf.score([60])[0],
        mf.mean_ + mf.item_bias_,
        "of user 60 nothing is known: the mean and what each "
        "item is worth to everybody, and no random taste",
        abs=1e-6,
        mistakes={
            "the items' biases are missing in score(): it ranks by the whole prediction": np.full(
                41, mf.mean_
            ),
            "the mean is missing in score()": mf.item_bias_,
        },
    )
    expect.equal(
        mf.predict([3], [40])[0],
        mf.mean_ + mf.user_bias_[3],
        "of item 40 nothing is known: the mean and user 3's generosity, and no random vector",
        abs=1e-6,
    )


@pytest.mark.needs("predict", "gradient", "descend")
def test_a_diverging_fit_is_an_error(answer: ModuleType) -> None:
    """A start at numbers that overflow ends in an error that says so, not in NaN."""
    data, _, _ = planted()
    with expect.error(
        FloatingPointError,
        "init_scale",
        "a training that overflows ends in an error that names what to "
        "change, not in a model of NaN",
    ):
        answer.BiasedMF(init_scale=1e200).fit(data)


def diligent(heavy: int, n_others: int = 20_000) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Users, items and ratings from 1 to 5, where user 0 has rated `heavy` films and the others about 30 each."""
    rng = np.random.default_rng(0)
    users = np.r_[rng.integers(1, 600, n_others), np.zeros(heavy, int)]
    items = np.r_[
        (9000 * rng.random(n_others) ** 3).astype(int),
        rng.choice(max(9000, heavy), heavy, replace=False),
    ]
    return users, items, rng.integers(1, 6, len(users)).astype(float)


@pytest.mark.parametrize(
    ("heavy", "settings"),
    [
        (800, {}),
        (2500, {}),
        (10_000, {}),
        (2500, {"batch_size": 10**6}),
        (800, {"batch_size": 100, "n_epochs": 3}),
        (800, {"learning_rate": 50.0}),
        (800, {"init_scale": 1.0}),
        (800, {"reg": 0.0, "decay": 1.0}),
    ],
    ids=repr,
)
@pytest.mark.needs("predict", "gradient", "descend")
def test_one_diligent_user_does_not_make_the_training_diverge(
    answer: ModuleType, heavy: int, settings: dict[str, Any]
) -> None:
    """A row that fills a batch takes a step as long as is safe, not that many times too long: the error falls."""
    users, items, ratings = diligent(heavy)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        mf = answer.BiasedMF(**{"n_factors": 8, "n_epochs": 12, **settings})
        mf.fit(Dataset.from_arrays(users, items, ratings))
    curve = mf.history_["rmse"]
    expect.true(
        np.diff(curve) < 0,
        f"the slope of user 0 sums {heavy} ratings: with a step bounded by their "
        "curvature the training error falls in every epoch",
        history=curve,
    )
    expect.true(
        curve[-1] < ratings.std(),
        "the mean alone has the spread of the ratings for its error: training ends below it",
        last=curve[-1],
        spread=ratings.std(),
    )


@pytest.mark.needs("predict", "gradient", "descend")
def test_a_film_that_all_have_rated_does_not_make_the_training_diverge(answer: ModuleType) -> None:
    """What holds for a diligent user holds for a hit: the same log, turned on its side."""
    users, items, ratings = diligent(2500)
    mf = answer.BiasedMF(n_factors=8, n_epochs=12).fit(Dataset.from_arrays(items, users, ratings))
    curve = mf.history_["rmse"]
    expect.true(
        np.diff(curve) < 0,
        "item 0 has 2,500 ratings: the step of an item is bounded as that of a user "
        "is, and the training error falls in every epoch",
        history=curve,
    )


@pytest.mark.parametrize(
    ("scale", "shift"), [(25.0, -25.0), (2.0, 0.0), (1.0, -9.0), (-1.0, 0.0), (1e5, 0.0)]
)
@pytest.mark.needs("predict", "gradient", "descend")
def test_the_scale_of_the_ratings_does_not_matter(
    answer: ModuleType, scale: float, shift: float
) -> None:
    """Ratings from 0 to 100 are learned as those from 1 to 5: predictions follow the unit, settings do not change."""
    users, items, ratings = diligent(100, 3000)
    fit = lambda stars: answer.BiasedMF(n_factors=8, n_epochs=10).fit(  # noqa: E731
        Dataset.from_arrays(users, items, stars)
    )
    usual, other = (
        model.predict(users, items) for model in (fit(ratings), fit(scale * ratings + shift))
    )
    if scale > 0:
        expect.equal(
            other,
            scale * usual + shift,
            f"the same ratings times {scale:g} plus {shift:g} give the same "
            "predictions in that unit: they are learned in standard units",
            abs=2e-3 * abs(scale),
            rel=0,
        )
    farthest = abs(other - ratings.mean() * scale - shift).max()
    expect.true(
        farthest < 5 * abs(scale),
        "predictions stay within a scale's length of the mean, in the ratings' own unit",
        farthest=farthest,
        length=5 * abs(scale),
    )


@pytest.mark.parametrize("value", [3.0, 0.0, -2.0])
@pytest.mark.needs("predict", "gradient", "descend")
def test_equal_ratings_are_predicted_as_they_are(answer: ModuleType, value: float) -> None:
    """Where all ratings are one value, there is no spread to divide by, and the value is predicted."""
    users, items, ratings = diligent(100, 1000)
    mf = answer.BiasedMF(n_factors=8, n_epochs=5).fit(
        Dataset.from_arrays(users, items, np.full_like(ratings, value))
    )
    expect.equal(
        mf.predict(users, items),
        np.full(len(users), value),
        "where all ratings are equal the mean is all there is, and a spread of 0 divides nothing",
        abs=0.05,
        mistakes={"a spread of 0 was divided by": np.full(len(users), np.nan)},
    )


@pytest.mark.needs("predict", "gradient", "descend")
def test_the_same_seed_repeats_bit_for_bit(answer: ModuleType) -> None:
    """The same seed gives the same factors, to the last bit; another seed, others."""
    data, _, _ = planted()
    fit = lambda seed: answer.BiasedMF(n_epochs=3, seed=seed).fit(data).user_factors_  # noqa: E731
    expect.equal(
        fit(1),
        fit(1),
        "the first factors and the order of the ratings come from the seed alone: the same "
        "seed, the same factors to the last bit",
        abs=0,
        rel=0,
    )
    expect.true(
        not np.allclose(fit(1), fit(2)),
        "another seed draws other factors: what it draws must depend on it",
    )


@pytest.mark.data
@pytest.mark.needs("predict", "gradient", "descend")
def test_movielens_ratings_are_predicted_to_0_92(answer: ModuleType, ml100k: Dataset) -> None:
    """On MovieLens-100K (P3), RMSE is at most 0.920, where biases alone reach 0.948."""
    parts = split(ml100k, "P3")
    mf = answer.BiasedMF().fit(parts.train)
    test = parts.test.interactions
    predicted = mf.predict(
        parts.test.user_ids.ids[test.users], parts.test.item_ids.ids[test.items]
    ).clip(1, 5)
    rmse = np.sqrt(((predicted - test.ratings) ** 2).mean())
    expect.true(
        rmse <= 0.920,
        "on MovieLens-100K the factors add to what biases alone reach, an RMSE of 0.948: at "
        "most 0.920 with the defaults",
        rmse=rmse,
    )
