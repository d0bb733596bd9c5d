"""Question 5: biased matrix factorisation of explicit ratings, by mini-batch gradient descent."""

from __future__ import annotations

import warnings
from dataclasses import fields
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from conftest import planted

from keras_recs.data import Dataset, from_matrix, split


def small(answer: ModuleType, dtype: type = np.float64, seed: int = 0) -> tuple[Any, ...]:
    """Random parameters for 4 users and 5 items, and nine ratings of theirs, one user without any."""
    rng = np.random.default_rng(seed)
    theta = answer.Parameters(*(rng.normal(size=shape).astype(dtype) for shape in ((4,), (5,), (4, 3), (5, 3))))
    users = np.array([0, 0, 0, 1, 1, 2, 2, 2, 0])
    items = np.array([0, 1, 4, 0, 2, 1, 2, 4, 3])
    return theta, 3.5, users, items, rng.uniform(1, 5, len(users)).astype(dtype)


def slope(answer: ModuleType, theta: Any, mean: float, users: np.ndarray, items: np.ndarray, ratings: np.ndarray,
          reg: float) -> Any:
    return answer.gradient(theta, users, items, ratings - answer.predict(theta, mean, users, items), reg)


@pytest.mark.shape
def test_shapes(answer: ModuleType) -> None:
    """Scores have a row per user and a column per item, predictions one value a pair, factors n_factors columns."""
    data, truth, _ = planted()
    mf = answer.BiasedMF(n_factors=4, n_epochs=2).fit(data)
    assert mf.score([0, 1, 2]).shape == (3, 40) and mf.predict([0, 1], [2, 3]).shape == (2,)
    assert mf.user_factors_.shape == (60, 4) and mf.item_factors_.shape == (40, 4)
    assert mf.user_bias_.shape == (60,) and mf.item_bias_.shape == (40,)


def test_a_rating_is_mean_plus_biases_plus_affinity(answer: ModuleType) -> None:
    """A prediction is the mean, plus the user's and the item's bias, plus the dot product of their factors."""
    theta = answer.Parameters(np.array([0.5, -1.0]), np.array([0.25, 0.0]),
                              np.array([[1.0, 2.0], [0.0, 3.0]]), np.array([[0.5, 0.5], [2.0, -1.0]]))
    pairs = np.array([0, 1, 1]), np.array([0, 0, 1])
    assert answer.predict(theta, 3.0, *pairs) == pytest.approx([3 + 0.5 + 0.25 + 1.5, 3 - 1 + 0.25 + 1.5, 3 - 1 - 3])


def test_the_loss_counts_observed_ratings_only(answer: ModuleType) -> None:
    """The loss is half the squared errors and half the penalty, over the ratings that exist."""
    theta = answer.Parameters(np.array([0.5]), np.array([0.0, 9.0]), np.array([[2.0]]), np.array([[1.0], [9.0]]))
    value = answer.loss(theta, 1.0, np.array([0]), np.array([0]), np.array([5.0]), 0.1)
    assert value == pytest.approx(0.5 * 1.5 ** 2 + 0.05 * (0.5 ** 2 + 2.0 ** 2 + 1.0 ** 2)), "item 1 has no rating"


@pytest.mark.parametrize("reg", [0.0, 0.3])
def test_the_gradient_is_the_slope_of_the_loss(answer: ModuleType, reg: float) -> None:
    """Every component of the gradient equals the numerical derivative of the loss."""
    theta, *rest = small(answer)
    analytic = slope(answer, theta, *rest, reg)
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
        assert getattr(analytic, part.name) == pytest.approx(numeric, abs=1e-6), part.name
        assert np.abs(numeric).max() > 0.1, "a gradient of zeros would prove nothing"


def test_a_step_goes_downhill_along_the_whole_gradient(answer: ModuleType) -> None:
    """A step moves every parameter against its slope, by the step size, in place."""
    theta, *rest = small(answer)
    before = {f.name: getattr(theta, f.name).copy() for f in fields(theta)}
    down = slope(answer, theta, *rest, 0.1)
    answer.descend(theta, down, np.float64(0.01))
    for name, value in before.items():
        assert getattr(theta, name) == pytest.approx(value - 0.01 * getattr(down, name), abs=1e-12), name


def test_the_loss_falls_monotonically_for_a_small_step(answer: ModuleType) -> None:
    """With a small step, the loss falls at every step; climbing or stale gradients do not pass."""
    theta, *rest = small(answer)
    losses = []
    for _ in range(200):
        losses.append(answer.loss(theta, *rest, 0.05))
        answer.descend(theta, slope(answer, theta, *rest, 0.05), np.float64(0.01))
    assert (np.diff(losses) < 0).all()
    assert losses[-1] < 0.2 * losses[0]


def test_the_first_predictions_are_the_mean(answer: ModuleType) -> None:
    """Factors start small and signed: before training, every prediction is close to the mean rating."""
    data, _, mask = planted()
    start = answer.BiasedMF(learning_rate=1e-12, n_epochs=1).fit(data)
    scores = start.score(data.user_ids.ids)
    assert np.abs(scores - data.interactions.ratings.mean()).max() < 0.1
    factors = start.user_factors_
    assert np.ptp(factors) > 0, "equal factors would stay equal for ever"
    assert abs(factors.mean()) < 0.25 * factors.std(), "factors of one sign make all affinities positive"


def test_one_epoch_is_one_step_on_both_sides_at_once(answer: ModuleType) -> None:
    """User and item factors step together: neither sees what the other has just become."""
    data, _, _ = planted()
    stars = data.interactions.ratings
    unit = stars / stars.std()  # of standard deviation 1, so that what is stored is what was learned
    data = Dataset.from_arrays(data.interactions.users, data.interactions.items, unit)
    make, step = answer.BiasedMF, 2e-3  # so short that no row has to be held back
    start = make(n_factors=3, learning_rate=1e-12, n_epochs=1, reg=0.0, init_scale=0.5).fit(data)
    moved = make(n_factors=3, learning_rate=step, n_epochs=1, reg=0.0, init_scale=0.5, batch_size=10 ** 6).fit(data)
    events = data.interactions
    theta = answer.Parameters(start.user_bias_, start.item_bias_, start.user_factors_, start.item_factors_)
    down = slope(answer, theta, start.mean_, events.users, events.items, events.ratings, 0.0)
    for name in ("user_factors", "item_factors", "user_bias", "item_bias"):
        expected = getattr(theta, name) - step * getattr(down, name)
        assert getattr(moved, f"{name}_") == pytest.approx(expected, abs=2e-5), name


def test_it_recovers_a_planted_matrix_from_two_fifths_of_its_entries(answer: ModuleType) -> None:
    """A low-rank matrix is rebuilt from 40 % of its entries: held-out RMSE under 0.05."""
    data, truth, mask = planted(n_users=120, n_items=80)
    mf = answer.BiasedMF(n_factors=4, reg=1e-4, learning_rate=0.05, decay=0.995, n_epochs=400,
                                               batch_size=400, init_scale=0.3).fit(data)
    errors = (mf.score(data.user_ids.ids) - truth)[~mask]
    assert np.sqrt((errors ** 2).mean()) < 0.05, f"the spread of the hidden ratings is {truth[~mask].std():.2f}"


def test_what_is_not_observed_is_not_a_zero(answer: ModuleType) -> None:
    """An entry without a rating is unknown, not a rating of 0."""
    full = np.add.outer([0.0, 0.5, 1.0, 1.5], [2.0, 2.5, 3.0, 3.5, 4.0])
    hidden = np.eye(4, 5, dtype=bool)
    mf = answer.BiasedMF(n_factors=2, reg=1e-3, n_epochs=500, decay=1.0)
    scores = mf.fit(from_matrix(np.where(hidden, np.nan, full), missing=float("nan"))).score(np.arange(4))
    assert scores[hidden] == pytest.approx(full[hidden], abs=0.15), "biases alone tell these"


def test_the_penalty_shrinks_the_factors(answer: ModuleType) -> None:
    """More regularisation, shorter factors and smaller biases."""
    data, _, _ = planted()
    size = []
    for reg in (0.0, 0.1, 1.0):
        mf = answer.BiasedMF(n_factors=4, reg=reg, n_epochs=60).fit(data)
        size.append((np.linalg.norm(mf.user_factors_), np.linalg.norm(mf.item_factors_),
                     np.linalg.norm(mf.user_bias_), np.linalg.norm(mf.item_bias_)))
    assert (np.array(size[1]) < 0.98 * np.array(size[0])).all() and (np.array(size[2]) < 0.8 * np.array(size[1])).all()


def test_the_history_is_the_training_error_and_it_falls(answer: ModuleType) -> None:
    """`history_` holds the training RMSE of every epoch, starting at that of the mean."""
    data, _, _ = planted()
    mf = answer.BiasedMF(n_factors=4, n_epochs=80, reg=0.01).fit(data)
    assert len(mf.history_) == 80
    assert mf.history_[0] == pytest.approx(data.interactions.ratings.std(), rel=0.05)
    events = data.interactions
    fitted = mf.predict(data.user_ids.ids[events.users], data.item_ids.ids[events.items])
    assert mf.history_[-1] == pytest.approx(np.sqrt(((fitted - events.ratings) ** 2).mean()), rel=0.1)
    assert mf.history_[-1] < 0.5 * mf.history_[0]


def test_a_training_that_diverges_is_an_error_that_says_when(answer: ModuleType) -> None:
    """Numbers that overflow end in an error with the epoch, not in a recommender of NaN, and without warnings."""
    data, _, _ = planted()
    with warnings.catch_warnings(), pytest.raises(FloatingPointError, match="in epoch 1: try an init_scale below 1e"):
        warnings.simplefilter("error")
        answer.BiasedMF(n_factors=4, init_scale=1e30).fit(data)


def test_the_history_of_one_epoch_is_the_error_of_the_mean(answer: ModuleType) -> None:
    """In the first batch nothing has been learned: the error is the spread of the ratings."""
    data, _, _ = planted()
    mf = answer.BiasedMF(n_factors=1, n_epochs=1, init_scale=1e-6).fit(data)
    assert mf.history_ == pytest.approx([data.interactions.ratings.std()], rel=1e-4)


def test_every_rating_is_learned_whatever_the_batch_size(answer: ModuleType) -> None:
    """Batches of any size cover all ratings, the last short one too."""
    ratings = np.array([[5.0, 0, 0], [0, 1.0, 0], [0, 0, 3.0]])
    for batch_size in (1, 2, 3, 4):
        mf = answer.BiasedMF(n_factors=2, reg=0.0, n_epochs=400, decay=1.0, learning_rate=0.05,
                                                   batch_size=batch_size).fit(from_matrix(ratings))
        assert mf.predict([0, 1, 2], [0, 1, 2]) == pytest.approx([5, 1, 3], abs=0.05), batch_size


def test_a_later_rating_replaces_an_earlier_one(answer: ModuleType) -> None:
    """A film rated twice counts by the later rating."""
    users, items, ratings = [0, 0, 1, 1, 0], [0, 1, 0, 1, 0], [1.0, 2.0, 5.0, 2.0, 5.0]
    data = Dataset.from_arrays(users, items, ratings, timestamps=[1, 2, 3, 4, 5])
    mf = answer.BiasedMF(n_factors=2, reg=0.0, n_epochs=500, decay=1.0, learning_rate=0.05)
    assert mf.fit(data).predict([0], [0])[0] == pytest.approx(5.0, abs=0.1)


def test_who_has_no_ratings_gets_the_biases(answer: ModuleType) -> None:
    """For a user without ratings, the prediction is the mean and the item's bias, nothing random."""
    data, _, _ = planted()
    padded = from_matrix(np.pad(data.matrix("ratings").toarray(), ((0, 1), (0, 1))))
    mf = answer.BiasedMF(n_factors=4).fit(padded)
    assert mf.score([60])[0] == pytest.approx(mf.mean_ + mf.item_bias_, abs=1e-6)
    assert mf.predict([3], [40])[0] == pytest.approx(mf.mean_ + mf.user_bias_[3], abs=1e-6)


def test_a_diverging_fit_is_an_error(answer: ModuleType) -> None:
    """A start at numbers that overflow ends in an error that says so, not in NaN."""
    data, _, _ = planted()
    with pytest.raises(FloatingPointError, match="init_scale"):
        answer.BiasedMF(init_scale=1e30).fit(data)


def diligent(heavy: int, n_others: int = 20_000) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Users, items and ratings from 1 to 5, where user 0 has rated `heavy` films and the others about 30 each."""
    rng = np.random.default_rng(0)
    users = np.r_[rng.integers(1, 600, n_others), np.zeros(heavy, int)]
    items = np.r_[(9000 * rng.random(n_others) ** 3).astype(int), rng.choice(max(9000, heavy), heavy, replace=False)]
    return users, items, rng.integers(1, 6, len(users)).astype(float)


@pytest.mark.needs("predict", "gradient", "descend")
@pytest.mark.parametrize(("heavy", "settings"), [
    (800, {}), (2500, {}), (10_000, {}), (2500, {"batch_size": 10 ** 6}), (800, {"batch_size": 100}),
    (800, {"learning_rate": 50.0}), (800, {"init_scale": 1.0}), (800, {"reg": 0.0, "decay": 1.0})], ids=repr)
def test_one_diligent_user_does_not_make_the_training_diverge(answer: ModuleType, heavy: int,
                                                             settings: dict[str, Any]) -> None:
    """A row that fills a batch takes a step as long as is safe, not that many times too long: the error falls."""
    users, items, ratings = diligent(heavy)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        mf = answer.BiasedMF(**{"n_factors": 8, "n_epochs": 12, **settings})
        mf.fit(Dataset.from_arrays(users, items, ratings))
    assert (np.diff(mf.history_) < 0).all(), f"the training error rises: {np.round(mf.history_, 3)}"
    assert mf.history_[-1] < ratings.std(), f"the mean alone has {ratings.std():.2f}, the training ends above it"


@pytest.mark.needs("predict", "gradient", "descend")
def test_a_film_that_all_have_rated_does_not_make_the_training_diverge(answer: ModuleType) -> None:
    """What holds for a diligent user holds for a hit: the same log, turned on its side."""
    users, items, ratings = diligent(2500)
    mf = answer.BiasedMF(n_factors=8, n_epochs=12).fit(Dataset.from_arrays(items, users, ratings))
    assert (np.diff(mf.history_) < 0).all(), f"the training error rises: {np.round(mf.history_, 3)}"


@pytest.mark.needs("predict", "gradient", "descend")
@pytest.mark.parametrize(("scale", "shift"), [(25.0, -25.0), (2.0, 0.0), (1.0, -9.0), (-1.0, 0.0), (1e5, 0.0)])
def test_the_scale_of_the_ratings_does_not_matter(answer: ModuleType, scale: float, shift: float) -> None:
    """Ratings from 0 to 100 are learned as those from 1 to 5: predictions follow the unit, settings do not change."""
    users, items, ratings = diligent(100, 3000)
    fit = lambda stars: answer.BiasedMF(n_factors=8, n_epochs=10).fit(  # noqa: E731
        Dataset.from_arrays(users, items, stars))
    usual, other = (model.predict(users, items) for model in (fit(ratings), fit(scale * ratings + shift)))
    if scale > 0:
        assert other == pytest.approx(scale * usual + shift, abs=2e-3 * abs(scale)), "the same, in another unit"
    assert (abs(other - ratings.mean() * scale - shift) < 5 * abs(scale)).all(), "predictions leave the scale"


@pytest.mark.needs("predict", "gradient", "descend")
@pytest.mark.parametrize("value", [3.0, 0.0, -2.0])
def test_equal_ratings_are_predicted_as_they_are(answer: ModuleType, value: float) -> None:
    """Where all ratings are one value, there is no spread to divide by, and the value is predicted."""
    users, items, ratings = diligent(100, 1000)
    mf = answer.BiasedMF(n_factors=8, n_epochs=5).fit(Dataset.from_arrays(users, items, np.full_like(ratings, value)))
    assert mf.predict(users, items) == pytest.approx(np.full(len(users), value), abs=0.05), "the mean is all there is"


def test_the_same_seed_repeats_bit_for_bit(answer: ModuleType) -> None:
    """The same seed gives the same factors, to the last bit; another seed, others."""
    data, _, _ = planted()
    fit = lambda seed: answer.BiasedMF(n_epochs=3, seed=seed).fit(data).user_factors_  # noqa: E731
    assert np.array_equal(fit(1), fit(1)) and not np.allclose(fit(1), fit(2))


@pytest.mark.data
def test_movielens_ratings_are_predicted_to_0_92(answer: ModuleType, ml100k: Dataset) -> None:
    """On MovieLens-100K (P3), RMSE is at most 0.920, where biases alone reach 0.948."""
    parts = split(ml100k, "P3")
    mf = answer.BiasedMF().fit(parts.train)
    test = parts.test.interactions
    predicted = mf.predict(parts.test.user_ids.ids[test.users], parts.test.item_ids.ids[test.items]).clip(1, 5)
    assert np.sqrt(((predicted - test.ratings) ** 2).mean()) <= 0.920
