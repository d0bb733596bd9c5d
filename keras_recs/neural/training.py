"""Training a Keras model on epochs of arrays: a function, so that any recommender can call it."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import keras
import numpy as np

from keras_recs.neural.devices import training_strategy
from keras_recs.utils.progress import progress

STEPS_AT_ONCE = 8  # of training in one call into TensorFlow: a call costs as much as a small step

Arrays = np.ndarray | Mapping[str, np.ndarray]


class Epoch(NamedTuple):
    """The examples of one epoch, in the order in which they are trained on.

    All arrays have the same number of rows.

    Args:
        inputs: name of an input -> its rows.
        targets: one array, one for each output by name, or None for a model with a loss of its own.
        weights: how much each example counts, in the form of `targets`; None for all alike.

    >>> epoch = Epoch({"user_id": np.array([3, 1, 3])}, np.array([1.0, 0.0, 0.0]))
    >>> epoch.n_rows, epoch.take(np.array([0, 2])).inputs["user_id"].tolist()
    (3, [3, 3])
    """

    inputs: Mapping[str, np.ndarray]
    targets: Arrays | None = None
    weights: Arrays | None = None

    @property
    def n_rows(self) -> int:
        return len(next(iter(self.inputs.values())))

    def take(self, rows: np.ndarray) -> Epoch:
        """The examples at `rows`, in that order."""
        return Epoch(
            _taken(self.inputs, rows), _taken(self.targets, rows), _taken(self.weights, rows)
        )


def train(
    build: Callable[[], keras.Model],
    epochs: Iterator[Epoch],
    *,
    n_epochs: int,
    batch_size: int | None = None,
    n_batches: int | None = None,
    seed: int,
    name: str = "training",
) -> tuple[keras.Model, dict[str, list[float]]]:
    """Train a model wherever TensorFlow finds a device: on the GPU, on several, or on the CPU.

    Args:
        build: makes the compiled model; called once, under the seed and the strategy.
        epochs: the examples of one epoch after another, `n_epochs` at least, all equally long; each
            an `Epoch`, or a tuple like it.
        batch_size: examples in one step, or
        n_batches: steps in one epoch; one of the two.
        seed: of Keras, TensorFlow, NumPy and Python inside; the caller's generators are left alone.
        name: what trains, for the progress bar and for errors.

    Returns:
        the trained model, and its curves: name of a loss or metric -> its value in each epoch.

    Raises:
        ValueError: an epoch without examples.
        FloatingPointError: a curve is no longer finite.

    >>> def build():
    ...     x = keras.Input((1,), name="x")
    ...     line = keras.Model({"x": x}, keras.layers.Dense(1)(x))
    ...     line.compile(keras.optimizers.SGD(0.5), loss="mse")
    ...     return line
    >>> x = np.linspace(0, 1, 64, dtype="float32")[:, None]
    >>> same = iter(lambda: Epoch({"x": x}, 2 * x), None)  # this epoch, without end
    >>> model, curves = train(build, same, n_epochs=12, batch_size=8, seed=0)
    >>> float(model.predict({"x": x[-1:]}, verbose=0)[0, 0].round(1)), len(curves["loss"])
    (2.0, 12)
    """
    if (batch_size is None) == (n_batches is None):
        raise TypeError("one of batch_size and n_batches must be given")
    history: dict[str, list[float]] = {}
    with seeded(seed):
        strategy = training_strategy()
        with strategy.scope():
            model = build()
        # Several replicas cannot end on less than all the steps of a call.
        if strategy.num_replicas_in_sync == 1:
            model.steps_per_execution = STEPS_AT_ONCE
        bar = progress(range(n_epochs), description=name)
        for number in bar:
            epoch = Epoch(*next(epochs))
            if epoch.n_rows == 0:
                raise ValueError(f"{name} has nothing to learn from: every user has met every item")
            size = batch_size if n_batches is None else -(-epoch.n_rows // n_batches)
            assert size is not None
            curves = _one_epoch(model, epoch, min(size, epoch.n_rows), number)
            for curve, value in curves.items():
                history.setdefault(curve, []).append(value)
                _check_finite(name, number, curve, value)
            first, value = next(iter(curves.items()))
            bar.set_postfix({first: f"{value:.4f}"}, refresh=False)
    return model, history


def _one_epoch(model: keras.Model, epoch: Epoch, size: int, number: int) -> dict[str, float]:
    """Train on an epoch in batches of `size`; the value of each curve."""
    # The last, short batch is filled up from the beginning of the epoch: all batches have one
    # shape, so one graph serves.
    n_rows = -(-epoch.n_rows // size) * size
    epoch = epoch.take(np.arange(n_rows) % epoch.n_rows)
    # One call an epoch, on arrays. A stream from a generator would be one call for all of them, but
    # in TensorFlow 2.21 it makes the process give freed memory back at once, which costs several
    # times as much as the training.
    curves = model.fit(
        epoch.inputs,
        epoch.targets,
        sample_weight=epoch.weights,
        batch_size=size,
        shuffle=False,
        verbose=0,
        initial_epoch=number,
        epochs=number + 1,
    ).history
    return {name: float(values[-1]) for name, values in curves.items()}


def _check_finite(name: str, number: int, curve: str, value: float) -> None:
    if not np.isfinite(value):
        raise FloatingPointError(
            f"{name} diverged in epoch {number + 1}: its {curve} is {value}; "
            "a lower learning_rate may help"
        )


def _taken(arrays: Any, rows: np.ndarray) -> Any:
    """Rows of an array, or of each in a dict; None stays None."""
    if arrays is None:
        return None
    if isinstance(arrays, Mapping):
        return {name: values[rows] for name, values in arrays.items()}
    return arrays[rows]


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
