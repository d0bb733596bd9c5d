"""One film of a history may tell more of the next film than all others: the part before, of a film
in a series. Attention from the film to the history sees it; the mean of the history dilutes it."""

from __future__ import annotations

from collections.abc import Sequence

import keras
import numpy as np
from effects.effect import Effect
from effects.next_item import (
    LENGTH,
    gains,
    interval_between,
    log_popularity,
    rows,
)
from keras import layers, ops

from keras_recs.data import Dataset, Sequences, Split, split
from keras_recs.data.cinema import CinemaTruth, load_cinema, load_cinema_truth
from keras_recs.evaluation import Evaluation, compare, evaluate_scores
from keras_recs.evaluation.results import mean_evaluation
from keras_recs.neural import TargetAttention, sampled_softmax_loss, train

METRIC = "ndcg@10"
#: The same for both models; chosen on the validation slice of P2.
DIM, DROPOUT, LEARNING_RATE, N_NEGATIVES, N_EPOCHS, BATCH = 32, 0.3, 1e-2, 32, 8, 512


def measure(seeds: Sequence[int] = (0, 1, 2)) -> list[Effect]:
    """Target attention against the mean on the last film of each user, and where it gains."""
    parts = split(load_cinema(), "P2")
    right = [evaluate(parts, True, seed) for seed in seeds]
    wrong = [evaluate(parts, False, seed) for seed in seeds]
    gap = compare(mean_evaluation(right), mean_evaluation(wrong), METRIC)
    gained = gains(right, wrong, METRIC)  # (seeds, n_users)
    next_part = follows(parts, load_cinema_truth(), right[0].users)  # (n_users,)
    return [
        Effect(
            "attention",
            "NDCG@10 of the last film",
            "target attention over the history",
            "mean of the history",
            [one.metrics[METRIC] for one in right],
            [one.metrics[METRIC] for one in wrong],
            (gap.low, gap.high),
        ),
        Effect(
            "attention",
            "gain in NDCG@10 by attention",
            "last films whose part before was watched",
            "other last films",
            gained[:, next_part].mean(axis=1).tolist(),
            gained[:, ~next_part].mean(axis=1).tolist(),
            interval_between(gained, next_part, ~next_part),
        ),
    ]


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


def evaluate(parts: Split, attends: bool, seed: int) -> Evaluation:
    """One of the two models, trained and judged."""
    epochs = rows(parts.train, N_NEGATIVES, np.random.default_rng(seed))
    model, _ = train(
        lambda: build(parts.train, attends),
        epochs,
        n_epochs=N_EPOCHS,
        batch_size=BATCH,
        seed=seed,
    )
    return evaluate_scores(scores(model, parts.train), parts)


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
