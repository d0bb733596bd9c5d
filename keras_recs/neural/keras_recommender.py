"""`KerasRecommender`: the contract, for answers that train a Keras model."""

from __future__ import annotations

import abc
import contextlib
import random
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_recs.core.recommender import Recommender
from keras_recs.data.dataset import Dataset
from keras_recs.neural.devices import training_strategy
from keras_recs.utils.progress import progress

SCORED_AT_ONCE = 1 << 17  # pairs in one forward pass when whole rows are scored
STEPS_AT_ONCE = 8  # of training in one call into TensorFlow: a call costs as much as a small step

Batch = tuple[dict[str, np.ndarray], np.ndarray]


class KerasRecommender(Recommender):
    """Trains the model of `build` on the examples of `_epochs`, wherever TensorFlow finds a device.

    A subclass has the hyperparameters `n_epochs`, `batch_size` and `seed`, and implements `build`
    and `_epochs`. After `fit`, `model_` is the trained Keras model and `history_` its curves: name
    -> one value for each epoch."""

    n_epochs: int | None
    batch_size: int
    seed: int
    #: The layer whose output ranks items, when that is not the model's last one.
    score_layer: str | None = None

    @abc.abstractmethod
    def build(self, n_users: int, n_items: int) -> keras.Model:
        """The compiled model. Inputs `user_id` and `item_id`, both (batch,) int32; output (batch,
        1)."""

    @abc.abstractmethod
    def _epochs(self, data: Dataset, rng: np.random.Generator) -> Iterator[Batch]:
        """Without end, the examples of one epoch after another, each in random order: (inputs by
        name, labels).

        All epochs are equally long.
        """

    def _build(self, data: Dataset) -> keras.Model:
        """The model for these data: what `build` gives, unless it needs more of them than their
        sizes."""
        return self.build(data.n_users, data.n_items)

    def _n_epochs(self) -> int:
        """How many epochs to train for; asked after `_build`, which has seen the data."""
        assert self.n_epochs is not None, "who has None for a default says here what it means"
        return self.n_epochs

    def _batch_size(self, n: int) -> int:
        """Examples in one step, of `n` in an epoch."""
        return self.batch_size

    def _fit(self, data: Dataset) -> None:
        self.history_: dict[str, list[float]] = {}
        with seeded(self.seed):
            strategy = training_strategy()
            with strategy.scope():
                self.model_ = self._build(data)
            if (
                strategy.num_replicas_in_sync == 1
            ):  # several replicas cannot end on less than all the steps of a call
                self.model_.steps_per_execution = STEPS_AT_ONCE
            epochs = self._epochs(data, np.random.default_rng(self.seed))
            bar = progress(range(self._n_epochs()), description=type(self).__name__)
            for epoch in bar:
                inputs, labels, size = self._batches(*next(epochs))
                # One call an epoch, on arrays. A stream from a generator would be one call for all
                # of them, but in TensorFlow 2.21 it makes the process give freed memory back at
                # once, which costs several times as much as the training.
                curves = self.model_.fit(
                    inputs,
                    labels,
                    batch_size=size,
                    shuffle=False,
                    verbose=0,
                    initial_epoch=epoch,
                    epochs=epoch + 1,
                ).history
                for name, values in curves.items():
                    self.history_.setdefault(name, []).extend(float(value) for value in values)
                loss = self.history_["loss"][-1]
                if not np.isfinite(loss):
                    raise FloatingPointError(
                        f"{type(self).__name__} diverged in epoch {epoch + 1}: its loss is "
                        f"{loss}; a lower learning_rate may help"
                    )
                bar.set_postfix(loss=f"{loss:.4f}", refresh=False)
        self._make_scorer()

    def _batches(
        self,
        inputs: dict[str, np.ndarray],
        labels: np.ndarray,
    ) -> tuple[dict[str, np.ndarray], np.ndarray, int]:
        """An epoch cut to whole batches, and their size.

        The last, short batch is filled up from the beginning of the epoch: all batches have one
        shape, so one graph serves.
        """
        n = len(labels)
        if n == 0:
            raise ValueError(
                f"{type(self).__name__} has nothing to learn from: every user has met every item"
            )
        size = min(self._batch_size(n), n)
        rows = np.arange(-(-n // size) * size) % n
        return {name: values[rows] for name, values in inputs.items()}, labels[rows], size

    # --- scoring ----------------------------------------------------------------------------------

    def _make_scorer(self) -> None:
        model = self.model_
        if self.score_layer is not None:
            model = keras.Model(model.inputs, model.get_layer(self.score_layer).output)
        n_items = len(self.item_ids_)

        @tf.function(input_signature=[tf.TensorSpec((None,), tf.int32)])
        def rows(users: tf.Tensor) -> tf.Tensor:
            pairs = {
                "user_id": tf.repeat(users, n_items),
                "item_id": tf.tile(tf.range(n_items), [tf.size(users)]),
            }
            return tf.reshape(model(pairs, training=False), (-1, n_items))  # (batch, n_items)

        self._rows = rows

    def _score(self, users: np.ndarray) -> np.ndarray:
        size = max(1, SCORED_AT_ONCE // len(self.item_ids_))
        starts = range(0, len(users), size)
        blocks = [
            self._rows(tf.constant(users[start : start + size], tf.int32)).numpy()
            for start in starts
        ]
        return np.concatenate(blocks) if blocks else np.empty((0, len(self.item_ids_)), np.float32)

    def _predict(self, users: np.ndarray, items: np.ndarray) -> np.ndarray:
        pairs = {"user_id": users.astype(np.int32), "item_id": items.astype(np.int32)}
        if len(users) == 0:
            return np.empty(0, np.float32)
        return self.model_.predict(pairs, batch_size=SCORED_AT_ONCE, verbose=0)[:, 0]

    # --- saving and copying -----------------------------------------------------------------------

    def _state(self) -> tuple[dict[str, Any], dict[str, bytes]]:
        state, blobs = super()._state()
        state = {name: value for name, value in state.items() if name != "model_"}
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model.keras"
            self.model_.save(path)
            return state, {**blobs, path.name: path.read_bytes()}

    def _restore(self, state: dict[str, Any], blobs: dict[str, bytes]) -> None:
        super()._restore(state, blobs)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model.keras"
            path.write_bytes(blobs["model.keras"])
            self.model_ = keras.models.load_model(path)
        self._make_scorer()

    def __getstate__(self) -> dict[str, Any]:
        """For `pickle` and `copy`. The compiled scorer cannot be copied; a copy makes its own."""
        return {name: value for name, value in self.__dict__.items() if name != "_rows"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        if "model_" in state:
            self._make_scorer()


@contextlib.contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Keras, TensorFlow, NumPy and Python seeded inside; the caller's NumPy and Python generators
    as before after."""
    python, numpy = random.getstate(), np.random.get_state()
    keras.utils.set_random_seed(seed)
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)
