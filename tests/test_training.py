"""`train`, epochs of rows with negatives, and models of pairs: what Keras answers share."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import keras
import numpy as np
import pytest
from keras import layers, ops

from keras_recs.core.hyperparameters import Count
from keras_recs.data import Dataset, from_matrix
from keras_recs.neural import Epoch, PairRecommender, rows_with_negatives, train

#: User 2 has met everything, user 3 nothing.
MET = [[1, 1, 0, 0, 0], [0, 0, 1, 0, 1], [1, 1, 1, 1, 1], [0, 0, 0, 0, 0]]


@pytest.fixture(scope="module")
def data() -> Dataset:
    return from_matrix(MET)


def line() -> keras.Model:
    """y = w x, from w = 0."""
    x = keras.Input((1,), name="x")
    y = layers.Dense(1, use_bias=False, kernel_initializer="zeros", name="y")(x)
    model = keras.Model({"x": x}, y)
    model.compile(keras.optimizers.SGD(0.1), "mse")
    return model


def endless(*epochs: Epoch) -> Iterator[Epoch]:
    return itertools.cycle(epochs)


def column(*values: float) -> np.ndarray:
    return np.array(values, np.float32)[:, None]


# --- train ----------------------------------------------------------------------------------------


def test_one_step_is_the_gradient_of_the_epoch() -> None:
    """By hand: w = 0, x = (1, 3), y = (2, 6); the mean squared error's gradient is -2 · mean(x y)."""
    epoch = Epoch({"x": column(1, 3)}, column(2, 6))
    model, curves = train(line, endless(epoch), n_epochs=1, batch_size=2, seed=0)
    assert model.get_layer("y").kernel.numpy().item() == pytest.approx(0.1 * 2 * (2 + 18) / 2)
    assert curves == {"loss": [pytest.approx((4 + 36) / 2)]}


def test_weights_count_examples_more_or_less() -> None:
    """With weight 0 an example might as well not be there."""
    epoch = Epoch({"x": column(1, 3)}, column(2, 6), np.array([2.0, 0.0], np.float32))
    model, _ = train(line, endless(epoch), n_epochs=1, batch_size=2, seed=0)
    assert model.get_layer("y").kernel.numpy().item() == pytest.approx(0.1 * 2 * 2 * 2 / 2)


@pytest.mark.parametrize(
    ("size", "steps"), [({"batch_size": 2}, 3), ({"batch_size": 50}, 1), ({"n_batches": 4}, 3)]
)
def test_batches_are_whole_and_the_last_is_filled_up_from_the_front(size: dict, steps: int) -> None:
    """Five rows in twos are three steps; in four steps they go in twos as well."""
    epoch = Epoch({"x": column(1, 0, 0, 0, 0)}, column(1, 0, 0, 0, 0))
    model, _ = train(line, endless(epoch), n_epochs=1, **size, seed=0)
    assert int(model.optimizer.iterations) == steps
    # Row 0 is the only one that moves w, by 0.2 · (1 - w) / rows of a batch whenever it comes.
    rows, comes = {3: (2, 2), 1: (5, 1)}[steps]
    w = 0.0
    for _ in range(comes):
        w += 0.1 * 2 * (1 - w) / rows
    assert model.get_layer("y").kernel.numpy().item() == pytest.approx(w, rel=1e-5)


def test_each_epoch_has_its_own_examples_and_its_own_point_on_the_curves() -> None:
    """Two epochs, two examples: the loss of the second is that of the second example."""
    epochs = endless(Epoch({"x": column(1)}, column(2)), Epoch({"x": column(2)}, column(3)))
    _, curves = train(line, epochs, n_epochs=2, batch_size=1, seed=0)
    assert curves["loss"] == [pytest.approx(4.0), pytest.approx((3 - 2 * 0.4) ** 2)]


def test_a_tuple_is_an_epoch() -> None:
    """(inputs, targets), as Keras itself takes them."""
    epochs = iter([({"x": column(1, 3)}, column(2, 6))])
    model, _ = train(line, epochs, n_epochs=1, batch_size=2, seed=0)
    assert model.get_layer("y").kernel.numpy().item() == pytest.approx(2.0)


def test_the_seed_decides_and_the_callers_generators_go_on() -> None:
    """The same seed gives the same weights; NumPy's global stream does not notice."""

    def weights(seed: int) -> np.ndarray:
        epoch = Epoch({"x": np.ones((8, 1), np.float32)}, np.ones((8, 3), np.float32))
        model, _ = train(build, endless(epoch), n_epochs=2, batch_size=4, seed=seed)
        return model.get_weights()[0]

    def build() -> keras.Model:
        x = keras.Input((1,), name="x")
        model = keras.Model({"x": x}, layers.Dropout(0.5)(layers.Dense(3)(x)))
        model.compile("adam", "mse")
        return model

    np.random.seed(7)
    before = np.random.random()
    np.random.seed(7)
    first = weights(1)
    assert np.random.random() == before
    assert np.array_equal(first, weights(1)) and not np.allclose(first, weights(2))


@pytest.mark.parametrize("curve", ["loss", "second"])
def test_any_curve_that_is_not_finite_stops_the_training(curve: str) -> None:
    """Not the loss alone: a model with its own losses may lose one of them only."""

    @keras.saving.register_keras_serializable("tests")
    class Own(keras.Model):
        def train_step(self, batch: dict) -> dict:
            good, bad = ops.convert_to_tensor(1.0), ops.convert_to_tensor(float("inf"))
            return {"loss": good, "second": good, curve: bad}

    def build() -> keras.Model:
        x = keras.Input((1,), name="x")
        model = Own({"x": x}, layers.Dense(1)(x))
        model.compile()
        return model

    epoch = Epoch({"x": column(1, 2)})
    with pytest.raises(FloatingPointError, match=f"mine diverged in epoch 1: its {curve} is inf"):
        train(build, endless(epoch), n_epochs=3, batch_size=2, seed=0, name="mine")


def test_nothing_to_learn_from_and_no_size_are_errors() -> None:
    empty = Epoch({"x": np.empty((0, 1), np.float32)}, np.empty((0, 1), np.float32))
    with pytest.raises(ValueError, match="mine has nothing to learn from"):
        train(line, endless(empty), n_epochs=1, batch_size=2, seed=0, name="mine")
    with pytest.raises(TypeError, match="one of batch_size and n_batches"):
        train(line, endless(empty), n_epochs=1, seed=0)
    with pytest.raises(TypeError, match="one of batch_size and n_batches"):
        train(line, endless(empty), n_epochs=1, batch_size=2, n_batches=2, seed=0)


# --- rows with negatives --------------------------------------------------------------------------


def test_an_epoch_has_every_positive_once_beside_items_never_met(data: Dataset) -> None:
    met = np.array(MET, bool)
    epochs = list(itertools.islice(rows_with_negatives(data, 4, np.random.default_rng(0)), 30))
    for inputs, targets, weights in epochs:
        users, rows = inputs["user_id"], inputs["item_id"]
        assert rows.shape == targets.shape == (4, 5) and (targets == [1, 0, 0, 0, 0]).all()
        assert weights is None
        pairs = sorted(zip(users.tolist(), rows[:, 0].tolist(), strict=True))
        assert pairs == [(0, 0), (0, 1), (1, 2), (1, 4)]
        assert not met[users[:, None], rows[:, 1:]].any(), (
            "who has met everything has no negatives, and is left out"
        )
    orders = {tuple(epoch.inputs["item_id"][:, 0].tolist()) for epoch in epochs}
    assert len(orders) > 5, "a new order in every epoch"
    of_first = [e.inputs["item_id"][e.inputs["user_id"] == 0, 1:].ravel() for e in epochs]
    assert set(np.concatenate(of_first).tolist()) == {2, 3, 4}, "and new negatives"


# --- models of pairs ------------------------------------------------------------------------------


@dataclass(eq=False, repr=False)
class Pairs(PairRecommender):
    """A dot product and the hour's liking for an item; ranked by the layer before the sigmoid."""

    takes = ("context",)
    score_layer = "logit"
    n_factors: Count = 3

    def build(self, data: Dataset) -> keras.Model:
        user_id = keras.Input((), dtype="int32", name="user_id")
        item_id = keras.Input((), dtype="int32", name="item_id")
        hour = keras.Input((), dtype="int32", name="hour")
        p = layers.Embedding(data.n_users, self.n_factors, name="p")(user_id)
        q = layers.Embedding(data.n_items, self.n_factors, name="q")(item_id)
        h = layers.Embedding(25, self.n_factors, name="h")(hour)  # 0 is unknown
        logit = layers.Dot(1, name="logit")([layers.Add()([p, h]), q])
        inputs = {"user_id": user_id, "item_id": item_id, "hour": hour}
        return keras.Model(inputs, layers.Activation("sigmoid")(logit))

    def _fit(self, data: Dataset) -> None:
        keras.utils.set_random_seed(1)
        self.model_ = self.build(data)


@pytest.fixture(scope="module")
def fitted(data: Dataset) -> Pairs:
    return Pairs().fit(data)


def expected(model: keras.Model, user: int, hour: int) -> np.ndarray:
    """The logits of one user in one hour, from the tables."""
    p, q, h = (model.get_layer(name).get_weights()[0] for name in "pqh")
    return (p[user] + h[hour]) @ q.T


def test_scores_are_of_every_item_in_the_context_asked_for(fitted: Pairs) -> None:
    """Each row has its own user and its own hour; an hour for all is one number; without: unknown."""
    rows = fitted.score([3, 0], context={"hour": [7, 20]})
    assert rows[0] == pytest.approx(expected(fitted.model_, 3, 7), abs=1e-6)
    assert rows[1] == pytest.approx(expected(fitted.model_, 0, 20), abs=1e-6)
    assert fitted.score(0, context={"hour": 20}) == pytest.approx(rows[1], abs=1e-6)
    assert fitted.score(0) == pytest.approx(expected(fitted.model_, 0, 0), abs=1e-6)
    best = fitted.recommend([3, 0], 1, exclude_seen=False, context={"hour": [7, 20]})
    assert best.items[:, 0].tolist() == rows.argmax(axis=1).tolist()


def test_predictions_are_of_pairs_in_their_context(fitted: Pairs) -> None:
    logit = expected(fitted.model_, 3, 7)[[1, 4]]
    found = fitted.predict(3, [1, 4], context={"hour": [7, 7]})
    assert found == pytest.approx(1 / (1 + np.exp(-logit)), abs=1e-6)
    assert fitted.predict([], []).shape == (0,)


def test_a_copy_and_a_loaded_one_score_alike_and_apart(fitted: Pairs, tmp_path) -> None:
    """The compiled scorer is no part of what is copied or saved; it follows its own model."""
    scores = fitted.score([0, 1])
    twin = copy.deepcopy(fitted)
    fitted.save(tmp_path / "pairs")
    again = Pairs.load(tmp_path / "pairs")
    assert np.array_equal(twin.score([0, 1]), scores) and np.array_equal(
        again.score([0, 1]), scores
    )
    twin.model_.get_layer("q").embeddings.assign(np.ones((5, 3)))
    assert not np.allclose(twin.score([0, 1]), scores)
    assert np.array_equal(fitted.score([0, 1]), scores)
    again.fit(from_matrix(np.eye(2)))
    assert again.score([0, 1]).shape == (2, 2), "a new fit, a new scorer"


def test_a_context_of_other_names_or_lengths_is_refused(fitted: Pairs) -> None:
    with pytest.raises(
        ValueError, match="context has 'day', which Pairs does not know; it knows hour"
    ):
        fitted.score([0], context={"day": 1})
    with pytest.raises(ValueError, match=r"context\['hour'\] must be one value or 2 of them"):
        fitted.recommend([0, 1], context={"hour": [1, 2, 3]})
    with pytest.raises(TypeError, match="Pairs takes no history"):
        fitted.score([0], history=[[1]])
