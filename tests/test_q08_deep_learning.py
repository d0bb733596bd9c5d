"""Question 8: NeuMF, a deep model of pairs with two inputs and one label."""

from __future__ import annotations

from types import ModuleType

import keras
import numpy as np
import pytest
import tensorflow as tf
from conftest import checkerboard

from keras_recs.data import Dataset, from_matrix, split


def build(answer: ModuleType, n_users: int = 12, n_items: int = 9, **settings: object) -> keras.Model:
    keras.utils.set_random_seed(0)
    return answer.NeuMF(**{"gmf_dim": 8, "mlp_dim": 8, "hidden": (16,), **settings}).build(
        n_users, n_items)


def pairs(users: list[int], items: list[int]) -> dict[str, np.ndarray]:
    return {"user_id": np.array(users, np.int32), "item_id": np.array(items, np.int32)}


@pytest.mark.shape
def test_shapes(answer: ModuleType) -> None:
    """A pair gives one number, a user a row of scores."""
    assert build(answer).predict(pairs([0, 3, 11], [8, 0, 2]), verbose=0).shape == (3, 1)
    data = checkerboard()
    recommender = answer.NeuMF(gmf_dim=4, mlp_dim=4, hidden=(8,), n_epochs=1).fit(data)
    assert recommender.score([0, 1]).shape == (2, 20) and recommender.predict([0, 1], [2, 3]).shape == (2,)


def test_two_named_inputs_one_probability(answer: ModuleType) -> None:
    """The model takes user_id and item_id and gives one number in (0, 1) for each pair, not rounded."""
    model = build(answer)
    assert sorted(model.input) == ["item_id", "user_id"]
    out = model.predict(pairs([0, 3, 11, 3], [8, 0, 2, 5]), verbose=0)
    assert out.shape == (4, 1)
    assert ((out > 0) & (out < 1)).all() and len(np.unique(out)) == 4
    assert not np.isin(out, [0.0, 0.5, 1.0]).any(), "rounding would destroy the ranking"


def test_users_and_items_are_not_interchangeable(answer: ModuleType) -> None:
    """Swapping the two inputs changes the output: they have tables of their own."""
    model = build(answer, 9, 9)
    there = model.predict(pairs([1, 2, 3], [4, 5, 6]), verbose=0)
    back = model.predict(pairs([4, 5, 6], [1, 2, 3]), verbose=0)
    assert np.abs(there - back).min() > 1e-6


def test_the_tables_are_as_large_as_the_catalogue(answer: ModuleType) -> None:
    """Every user and every item has a row; the sizes of the tables are counts of ids, not embedding sizes."""
    model = build(answer, 12, 9)
    rows = {layer.name: layer.input_dim for layer in model.layers if isinstance(layer, keras.layers.Embedding)}
    assert sorted(rows.values()) == [9, 9, 12, 12], rows
    assert np.isfinite(model.predict(pairs([11, 0], [0, 8]), verbose=0)).all()


def test_the_wrong_number_of_inputs_is_an_error(answer: ModuleType) -> None:
    """One input, or an unnamed array in the place of the second, is refused."""
    model = build(answer)
    with pytest.raises(Exception, match="item_id|inputs|structure"):
        model.predict({"user_id": np.array([1, 2])}, verbose=0)
    with pytest.raises(Exception, match="input|structure"):
        model.fit(np.array([1, 2]), np.array([[1.0], [0.0]]), verbose=0)


def test_fit_takes_two_inputs_and_one_label(answer: ModuleType) -> None:
    """`fit({"user_id": u, "item_id": i}, labels)` learns the labels, item by item."""
    model = build(answer, 4, 4, dropout=0.0, learning_rate=0.05, embedding_reg=0.0)
    users, items = np.divmod(np.arange(16), 4)
    labels = (users == items).astype(np.float32)[:, None]
    history = model.fit(pairs(users, items), labels, epochs=80, batch_size=16, verbose=0).history["loss"]
    assert history[-1] < 0.1 * history[0]
    assert (model.predict(pairs(users, items), verbose=0).round() == labels).all()


def test_gradients_reach_all_four_tables(answer: ModuleType) -> None:
    """The loss moves the embeddings of user and item, in both branches."""
    model = build(answer, embedding_reg=0.0, dropout=0.0)
    with tf.GradientTape() as tape:
        out = model(pairs([2, 5], [7, 1]), training=True)
        loss = tf.reduce_sum(keras.losses.binary_crossentropy([[1.0], [0.0]], out))
    tables = [layer.embeddings for layer in model.layers if isinstance(layer, keras.layers.Embedding)]
    moved = []
    for table, gradient in zip(tables, tape.gradient(loss, [t.value for t in tables]), strict=True):
        rows = np.flatnonzero(np.abs(tf.convert_to_tensor(gradient).numpy()).sum(axis=1)).tolist()
        moved.append((table.shape[0], rows))
    assert sorted(moved) == [(9, [1, 7]), (9, [1, 7]), (12, [2, 5]), (12, [2, 5])]


def test_it_learns_a_structure_that_one_product_cannot(answer: ModuleType) -> None:
    """A user for every taste over four items: one product per pair serves 6 of the 14 at most, the model all."""
    tastes = np.array([[taste >> item & 1 for item in range(4)] for taste in range(1, 15)], np.float32)  # (14, 4)
    users, items = np.divmod(np.arange(56), 4)
    model = build(answer, 14, 4, gmf_dim=1, mlp_dim=4, hidden=(32,), dropout=0.0, learning_rate=0.02,
                  embedding_reg=0.0)
    model.fit(pairs(users, items), tastes.reshape(-1, 1), epochs=250, batch_size=56, verbose=0)
    score = model.predict(pairs(users, items), verbose=0).reshape(14, 4)
    served = [row[liked == 1].min() > row[liked == 0].max() for row, liked in zip(score, tastes, strict=True)]
    # On a line, a user's favourites are those on one side of a cut: 3 cuts, 2 sides (Cover 1965).
    assert sum(served) == 14, f"{sum(served)} of 14 users have their favourites on top"


@pytest.mark.parametrize("branch", ["gmf", "mlp_0"])
def test_both_branches_count(answer: ModuleType, branch: str) -> None:
    """Silencing either branch changes the predictions."""
    model = build(answer)
    before = model.predict(pairs([1, 2, 3], [4, 5, 6]), verbose=0)
    kernel, bias = model.get_layer("logit").get_weights()
    assert len(kernel) == 8 + 16, "the last layer sees the vector of GMF and that of the MLP, not one number"
    where = slice(0, 8) if branch == "gmf" else slice(8, None)
    kernel[where] = 0
    model.get_layer("logit").set_weights([kernel, bias])
    assert np.abs(model.predict(pairs([1, 2, 3], [4, 5, 6]), verbose=0) - before).max() > 1e-6


def test_an_epoch_is_every_positive_once_and_fresh_negatives(answer: ModuleType) -> None:
    """Each epoch holds every positive, `n_negatives` unmet items for each, labelled, shuffled and drawn anew."""
    data = checkerboard()
    recommender = answer.NeuMF(n_negatives=3)
    epochs = recommender._epochs(data, np.random.default_rng(0))
    seen = data.seen.toarray()
    drawn = []
    for _ in range(2):
        inputs, labels = next(epochs)
        users, items = inputs["user_id"], inputs["item_id"]
        assert labels.shape == (4 * len(data), 1)
        assert (seen[users, items] == labels[:, 0]).all(), "a positive labelled 0, or a negative labelled 1"
        positive = labels[:, 0] == 1
        assert sorted(zip(users[positive], items[positive], strict=True)) == sorted(
            zip(*np.nonzero(seen), strict=True)), "every positive once"
        assert (np.bincount(users[~positive]) == 3 * seen.sum(axis=1)).all()
        assert not (np.diff(labels[:, 0]) <= 0).all(), "positives first is not a random order"
        drawn.append(sorted(zip(users[~positive].tolist(), items[~positive].tolist(), strict=True)))
    assert drawn[0] != drawn[1], "the same negatives in every epoch"


def test_every_user_meets_every_item_in_training(answer: ModuleType) -> None:
    """Users and items are paired as in the data, not row by row: a user learns about many items."""
    data = checkerboard()
    inputs, _ = next(answer.NeuMF(n_negatives=8)._epochs(data, np.random.default_rng(0)))
    for user in range(20):
        assert len(np.unique(inputs["item_id"][inputs["user_id"] == user])) == 20


def test_probabilities_are_calibrated(answer: ModuleType) -> None:
    """Of the pairs called p, a share p is positive: expected calibration error under 0.1, and better than a guess."""
    rng = np.random.default_rng(0)
    taste = rng.normal(size=(150, 2)) @ rng.normal(size=(2, 60))
    chance = 1 / (1 + np.exp(-2 * taste + 1))
    users, items = np.divmod(np.arange(150 * 60), 60)
    order = rng.permutation(len(users))
    train, test = order[:7000], order[7000:]
    labels = (rng.random((150, 60)) < chance).astype(np.float32)
    model = build(answer, 150, 60, learning_rate=0.01, embedding_reg=1e-5)
    model.fit(pairs(users[train], items[train]), labels[users[train], items[train]][:, None], epochs=12,
              batch_size=256, verbose=0)
    predicted = model.predict(pairs(users[test], items[test]), verbose=0)[:, 0]
    truth = labels[users[test], items[test]]
    bins = np.minimum((predicted * 10).astype(int), 9)
    gaps = [abs(predicted[bins == b].mean() - truth[bins == b].mean()) * (bins == b).mean() for b in np.unique(bins)]
    assert sum(gaps) < 0.1
    assert np.ptp(predicted) > 0.5, "one number for all pairs is calibrated too, and useless"
    assert ((predicted - truth) ** 2).mean() < 0.85 * truth.var()


def test_scores_are_the_logits_of_the_predictions(answer: ModuleType) -> None:
    """`predict` gives probabilities; `score` gives their logits, which do not saturate."""
    data = checkerboard()
    recommender = answer.NeuMF(gmf_dim=4, mlp_dim=4, hidden=(8,), n_epochs=2).fit(data)
    probability = recommender.predict(np.full(20, 3), np.arange(20))
    assert ((probability > 0) & (probability < 1)).all()
    assert recommender.score([3])[0] == pytest.approx(np.log(probability / (1 - probability)), abs=1e-3)


def test_the_loss_falls_and_is_kept(answer: ModuleType) -> None:
    """`history_` holds the loss of every epoch, and it falls."""
    recommender = answer.NeuMF(gmf_dim=8, mlp_dim=8, n_epochs=40, batch_size=128,
                                                 learning_rate=0.01).fit(checkerboard())
    assert len(recommender.history_["loss"]) == 40
    assert recommender.history_["loss"][-1] < 0.7 * recommender.history_["loss"][0]


def test_a_user_who_has_met_everything_does_not_stop_the_fit(answer: ModuleType) -> None:
    """Who has no negatives is trained on positives alone."""
    matrix = np.array([[1, 1, 1], [1, 0, 0], [0, 1, 0]])
    recommender = answer.NeuMF(n_epochs=1).fit(from_matrix(matrix))
    assert np.isfinite(recommender.score([0, 1, 2])).all()


@pytest.mark.data
def test_movielens_bar(answer: ModuleType, ml100k: Dataset) -> None:
    """On MovieLens-100K (P1), NDCG@10 is at least 0.18; popularity reaches 0.119."""
    from keras_recs.evaluation import evaluate

    parts = split(ml100k, "P1")
    assert evaluate(answer.NeuMF().fit(parts.train), parts).metrics["ndcg@10"] >= 0.18


@pytest.mark.parametrize(("name", "bad"), [("dropout", -0.1), ("dropout", 0.95), ("embedding_reg", -0.1),
                                           ("learning_rate", -0.1), ("seed", -1)])
def test_hyperparameters_have_limits(answer: ModuleType, name: str, bad: float) -> None:
    """A share outside its range, a negative price, rate or seed is refused by its name."""
    with pytest.raises(ValueError, match=name):
        answer.NeuMF(**{name: bad})
