"""`RankingRecommender`: what Keras answers that learn from a positive beside negatives share."""

from __future__ import annotations

import itertools

import keras
import numpy as np
import pytest
from keras import layers, ops

from keras_recs.data import Dataset, from_matrix
from keras_recs.neural import RankingModel, RankingRecommender

#: User 2 has met everything, user 3 nothing.
MET = [[1, 1, 0, 0, 0], [0, 0, 1, 0, 1], [1, 1, 1, 1, 1], [0, 0, 0, 0, 0]]


class Dots(RankingRecommender):
    """Plain inner products, trained as binary classification."""

    n_negatives, n_epochs, batch_size, seed = 4, 2, 4, 0

    def __init__(self, dim: int = 3) -> None:
        self.dim = dim

    def build(self, n_users: int, n_items: int) -> keras.Model:
        user_id = keras.Input((), dtype="int32", name="user_id")
        item_id = keras.Input((None,), dtype="int32", name="item_id")
        p = layers.Embedding(n_users, self.dim, name="p")(user_id)
        q = layers.Embedding(n_items, self.dim, name="q")(item_id)
        scores = ops.einsum("bd,bmd->bm", p, q)
        model = RankingModel({"user_id": user_id, "item_id": item_id}, scores)
        model.compile(optimizer="adam", loss=keras.losses.BinaryCrossentropy(from_logits=True))
        return model

    def _vectors(self) -> tuple[np.ndarray, np.ndarray]:
        return self.model_.get_layer("p").get_weights()[0], self.model_.get_layer(
            "q"
        ).get_weights()[0]


@pytest.fixture(scope="module")
def data() -> Dataset:
    return from_matrix(MET)


def test_an_epoch_has_every_positive_once_beside_items_never_met(data: Dataset) -> None:
    met = np.array(MET, bool)
    epochs = list(itertools.islice(Dots()._epochs(data, np.random.default_rng(0)), 30))
    for inputs, labels in epochs:
        users, rows = inputs["user_id"], inputs["item_id"]
        assert rows.shape == labels.shape == (4, 5) and (labels == [1, 0, 0, 0, 0]).all()
        assert sorted(zip(users.tolist(), rows[:, 0].tolist(), strict=True)) == [
            (0, 0),
            (0, 1),
            (1, 2),
            (1, 4),
        ]
        assert not met[users[:, None], rows[:, 1:]].any(), (
            "who has met everything has no negatives, and is left out"
        )
    orders = {tuple(inputs["item_id"][:, 0].tolist()) for inputs, _ in epochs}
    assert len(orders) > 5, "a new order in every epoch"
    drawn = np.concatenate(
        [inputs["item_id"][inputs["user_id"] == 0, 1:].ravel() for inputs, _ in epochs]
    )
    assert set(drawn.tolist()) == {2, 3, 4}, "and new negatives"


def test_it_serves_the_inner_products_that_the_model_computes(data: Dataset, tmp_path) -> None:
    model = Dots().fit(data)
    scores = model.score(data.user_ids.ids)
    users, items = (index.ravel().astype(np.int32) for index in np.indices((4, 5)))
    pairs = model.model_.predict({"user_id": users, "item_id": items}, verbose=0)
    assert pairs.shape == (20, 1) and scores == pytest.approx(pairs.reshape(4, 5), abs=1e-5)
    rows = model.model_.predict(
        {"user_id": np.arange(4), "item_id": items.reshape(4, 5)}, verbose=0
    )
    assert rows == pytest.approx(scores, abs=1e-5), "several items a user at once are scored alike"
    assert len(model.history_["loss"]) == 2
    model.save(tmp_path / "model")
    again = Dots.load(tmp_path / "model")
    assert np.array_equal(again.score(data.user_ids.ids), scores)
    assert again.model_.predict({"user_id": users, "item_id": items}, verbose=0) == pytest.approx(
        pairs, abs=1e-6
    )


def test_without_anything_unmet_there_is_nothing_to_learn() -> None:
    with pytest.raises(
        ValueError, match="Dots has nothing to learn from: every user has met every item"
    ):
        Dots().fit(from_matrix(np.ones((2, 3))))
