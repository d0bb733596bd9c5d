"""One film of a history may tell more of the next film than all others: the part before, of a film
in a series. Attention from the film to the history sees it; the mean of the history dilutes it."""

from __future__ import annotations

from collections.abc import Sequence

import keras
import numpy as np
from effects.effect import Effect, compared
from effects.next_item import (
    LENGTH,
    gains,
    interval_between,
    log_popularity,
    rows,
)
from keras import layers, ops

from keras_recs.data import Dataset, Sequences, Split, split, split_last
from keras_recs.data.cinema import CinemaTruth, load_cinema, load_cinema_truth
from keras_recs.evaluation import Evaluation, evaluate_scores
from keras_recs.evaluation.results import mean_evaluation
from keras_recs.neural import TargetAttention, sampled_softmax_loss, train

METRIC = "ndcg@10"
#: The same for both models; chosen on the validation slice of P2.
DIM, DROPOUT, LEARNING_RATE, N_NEGATIVES, N_EPOCHS, BATCH = 32, 0.3, 1e-2, 32, 8, 512
N_LAST = 5  # films asked for of each user, one after the other


def measure(seeds: Sequence[int] = (0, 1, 2)) -> list[Effect]:
    """Target attention against the mean on the last films of each user, and where it gains."""
    parts = last_films(load_cinema())
    right = [evaluations(parts, True, seed) for seed in seeds]  # (seeds, N_LAST)
    wrong = [evaluations(parts, False, seed) for seed in seeds]
    rights = [mean_evaluation(films) for films in right]
    wrongs = [mean_evaluation(films) for films in wrong]
    gained = np.array(
        [gains(a, b, METRIC).ravel() for a, b in zip(right, wrong, strict=True)]
    )  # (seeds, N_LAST n_users)
    truth = load_cinema_truth()
    next_part = np.concatenate([follows(part, truth, right[0][0].users) for part in parts])
    return [
        compared(
            "attention",
            "NDCG@10 of the last five films",
            ("target attention over the history", "mean of the history"),
            rights,
            wrongs,
            METRIC,
        ),
        Effect(
            "attention",
            "gain in NDCG@10 by attention",
            "films whose part before was watched",
            "other films",
            gained[:, next_part].mean(axis=1).tolist(),
            gained[:, ~next_part].mean(axis=1).tolist(),
            interval_between(gained, next_part, ~next_part),
        ),
    ]


def last_films(data: Dataset) -> list[Split]:
    """Splits that ask for the last film of each user, for the last but one, and so on: N_LAST of
    them. Each knows all events before the film that it asks for."""
    earlier = [data, *(split_last(data, n).train for n in range(1, N_LAST))]
    return [split(events, "P2") for events in earlier]


def follows(parts: Split, truth: CinemaTruth, users: np.ndarray) -> np.ndarray:
    """(n,) bool, whether the last film of each user, by id, is the next part of a film of the
    history."""
    events = parts.test.interactions
    last = np.empty(parts.train.n_users, np.int64)
    last[events.users] = events.items
    rows_of = parts.train.user_ids.index("users", users)
    before = truth.model.previous[last[rows_of]]  # (n,) -1 where there is none
    met = parts.train.seen.toarray() > 0
    return (before >= 0) & met[rows_of, before]


def evaluations(parts: Sequence[Split], attends: bool, seed: int) -> list[Evaluation]:
    """One of the two models, trained on what came before all films asked for, and judged on each
    with the history that it then has."""
    known = parts[-1].train
    epochs = rows(known, N_NEGATIVES, np.random.default_rng(seed))
    model, _ = train(
        lambda: build(known, attends),
        epochs,
        n_epochs=N_EPOCHS,
        batch_size=BATCH,
        seed=seed,
    )
    return [evaluate_scores(scores(model, part.train), part) for part in parts]


def build(data: Dataset, attends: bool) -> keras.Model:
    """What came next, from the history: target · (weighted mean of the history) + bias.

    The models differ in the weights only, and in no parameter: those of attention are a softmax of
    target · history / √dim.
    """
    history = keras.Input((LENGTH,), dtype="int32", name="history")  # (batch, length)
    item_id = keras.Input((None,), dtype="int32", name="item_id")  # (batch, m)
    h = layers.Embedding(data.n_items + 1, DIM, _normal(), name="history_items")(history)
    h = layers.Dropout(DROPOUT)(h)  # (batch, length, dim)
    target = layers.Embedding(data.n_items, DIM, _normal(), name="targets")(item_id)
    popular = keras.initializers.Constant(log_popularity(data)[:, None])
    bias = layers.Embedding(data.n_items, 1, popular, name="bias")(item_id)  # (batch, m, 1)

    real = ops.not_equal(history, 0)  # (batch, length)
    if attends:
        seen = TargetAttention(hidden=(), name="attention")(target, h, real)  # (batch, m, dim)
    else:
        weights = ops.cast(ops.expand_dims(real, -1), "float32")  # (batch, length, 1)
        total = ops.sum(weights * h, axis=1, keepdims=True)  # (batch, 1, dim)
        seen = total / ops.maximum(ops.sum(weights, axis=1, keepdims=True), 1)
    score = ops.sum(seen * target, axis=-1) + ops.squeeze(bias, -1)  # (batch, m)
    model = keras.Model({"history": history, "item_id": item_id}, score)
    model.compile(keras.optimizers.Adam(LEARNING_RATE), sampled_softmax_loss)
    return model


def scores(model: keras.Model, data: Dataset) -> np.ndarray:
    """(n_users, n_items) for the films after the last of each user."""
    histories = Sequences.of(data).histories(LENGTH)
    items = np.tile(np.arange(data.n_items, dtype=np.int32), (len(histories), 1))
    return model.predict({"history": histories, "item_id": items}, batch_size=64, verbose=0)


def _normal() -> keras.Initializer:
    return keras.initializers.RandomNormal(stddev=0.1)
