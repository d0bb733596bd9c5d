"""Impressions of `cinema` as columns of codes, cut by time, and how a model learns labels from
them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import keras
import numpy as np
from effects.effect import Effect, compared
from keras import layers

from keras_recs.data import Dataset, GlobalTimeCut, Split, split
from keras_recs.data.cinema import cinema_cold_split, load_cinema_impressions
from keras_recs.data.cinema.context import DEVICES
from keras_recs.evaluation import Evaluation, evaluate_events

HOURS_A_BUCKET = 3
N_BUCKETS = 2 * 24 // HOURS_A_BUCKET  # on weekdays and on weekends
BATCH, RATE = 2048, 4e-3


@dataclass(frozen=True)
class Impressions:
    """What warm users were shown of warm films: the last fifth, in time, is the test, and the
    tenth before it the validation."""

    test: Split
    validation: Split

    @classmethod
    def load(cls) -> Impressions:
        shown, cold = load_cinema_impressions(), cinema_cold_split()
        events = shown.interactions
        new = np.isin(shown.user_ids.raw(events.users), cold.user_ids) | np.isin(
            shown.item_ids.raw(events.items), cold.item_ids
        )
        whole = split(shown.with_interactions(events.take(~new)), "P5")
        cut = GlobalTimeCut(share=0.125, name="validation", task="events", least=0)
        return cls(whole, split(whole.train, cut))

    @cached_property
    def sizes(self) -> dict[str, int]:
        """Field -> how many codes it has."""
        train = self.test.train
        return {
            "user": train.n_users,
            "item": train.n_items,
            "genres": self.genres.shape[1],
            "hour": N_BUCKETS,
            "device": len(DEVICES),
        }

    @cached_property
    def genres(self) -> np.ndarray:
        """(n_items, n_genres) float32, rows sum to 1."""
        features = self.test.train.item_features
        assert features is not None and features.genres is not None
        names = sorted({name for genres in features.genres for name in genres})
        has = np.array([[name in genres for name in names] for genres in features.genres])
        return (has / has.sum(axis=1, keepdims=True)).astype("float32")

    def columns(self, data: Dataset, fields: Sequence[str]) -> dict[str, np.ndarray]:
        """Codes by field, (n,) int32; of genres, shares (n, n_genres)."""
        events = data.interactions
        bucket = events.contexts["hour"] // HOURS_A_BUCKET
        weekend = events.contexts["weekend"]
        codes = {
            "user": events.users.astype("int32"),
            "item": events.items.astype("int32"),
            "genres": self.genres[events.items],
            "hour": (bucket + N_BUCKETS // 2 * weekend).astype("int32"),
            "device": np.searchsorted(sorted(DEVICES), events.contexts["device"]).astype("int32"),
        }
        return {field: codes[field] for field in fields}

    def inputs(self, fields: Sequence[str]) -> dict[str, keras.KerasTensor]:
        """An input for each field."""
        return {
            field: keras.Input((self.sizes[field],), name=field)
            if field == "genres"
            else keras.Input((), dtype="int32", name=field)
            for field in fields
        }

    def embedded(self, field: str, x: keras.KerasTensor, dim: int, l2: float) -> keras.KerasTensor:
        """(batch, dim): a vector for each code, penalised where it is met; of genres, the mean."""
        start = keras.initializers.RandomNormal(stddev=0.05)
        if field == "genres":
            table = layers.Dense(dim, use_bias=False, kernel_initializer=start)
        else:
            table = layers.Embedding(self.sizes[field], dim, embeddings_initializer=start)
        return layers.ActivityRegularization(l2=l2)(table(x))

    def learned(
        self,
        build: Callable[[], keras.Model],
        among: Mapping[str, str | None],
        n_epochs: int,
        seed: int,
    ) -> dict[str, Evaluation]:
        """Each label's evaluation on the test, after the number of epochs, up to `n_epochs`, that is
        best for it on validation; the validation is then trained on, too.

        Args:
            among: label -> the label without which it cannot come (a finish needs a click), None
                where it can come of every impression. Only these count, in loss and figure.
        """
        tried = self._train(self.validation, build, among, n_epochs, seed)
        whole = self._train(self.test, build, among, n_epochs, seed)
        best = {
            label: int(np.argmax([epoch[label].metrics[f"auc@{label}"] for epoch in tried]))
            for label in among
        }
        return {label: whole[epoch][label] for label, epoch in best.items()}

    def _train(
        self,
        parts: Split,
        build: Callable[[], keras.Model],
        among: Mapping[str, str | None],
        n_epochs: int,
        seed: int,
    ) -> list[dict[str, Evaluation]]:
        """What the test of `parts` says of each label, after every epoch."""
        keras.utils.set_random_seed(seed)
        model = build()
        fields = list(model.input)
        known = parts.train.interactions.labels
        x = self.columns(parts.train, fields)
        y = {label: known[label].astype("float32")[:, None] for label in among}
        counted = {label: _counted(parts.train, needs) for label, needs in among.items()}
        weights = {label: rows / rows.mean() for label, rows in counted.items()}
        asked = self.columns(parts.test, fields)
        loss = keras.losses.BinaryCrossentropy(from_logits=True)
        model.compile(keras.optimizers.Adam(RATE), {label: loss for label in among})
        history = []
        for _ in range(n_epochs):
            model.fit(x, y, sample_weight=weights, batch_size=BATCH, verbose=0)
            logits = model.predict(asked, batch_size=1 << 14, verbose=0)
            history.append(
                {
                    label: _evaluated(parts, label, logits[label][:, 0], needs)
                    for label, needs in among.items()
                }
            )
        return history


def _counted(data: Dataset, needs: str | None) -> np.ndarray:
    """(n,) 1 where a label can come, else 0."""
    labels = data.interactions.labels
    return np.ones(len(data)) if needs is None else labels[needs].astype(np.float64)


def _evaluated(parts: Split, label: str, logit: np.ndarray, needs: str | None) -> Evaluation:
    rows = _counted(parts.test, needs) > 0
    test = parts.test.with_interactions(parts.test.interactions.take(rows))
    said = {label: _probability(logit[rows])}
    return evaluate_events(said, Split(parts.protocol, parts.train, test))


def log_odds(rate: float) -> float:
    """What the bias begins with, so that no vector has to learn how rare a label is."""
    return float(np.log(rate / (1 - rate)))


def effect(
    name: str,
    metric: str,
    finds: str,
    misses: str,
    runs: Mapping[str, Sequence[Evaluation]],
) -> Effect:
    """Two models of `runs`, name -> one evaluation a seed, compared over users."""
    return compared(name, metric, (finds, misses), runs[finds], runs[misses], metric)


def _probability(logit: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-logit.astype(np.float64)))
