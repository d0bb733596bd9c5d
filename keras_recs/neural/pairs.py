"""`PairRecommender`: the contract, for Keras models that give a value for a pair of user and item."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_recs.core.recommender import Recommender
from keras_recs.core.requests import Requests
from keras_recs.data.interactions import Interactions

PAIRS_AT_ONCE = 1 << 17  # pairs in one forward pass
PAIR = ("user_id", "item_id")


class PairRecommender(Recommender):
    """Scores and predicts by `model_`, a Keras model of pairs.

    The model has the inputs `user_id` and `item_id`, both (batch,) int32, and, where the answer
    takes a context, one input (batch,) for each of its fields. Its output is (batch, 1), or one
    such for each label by name: `predict` gives the first, `predict_events` all of them. A
    subclass's `_fit` sets `model_`.

    Attributes:
        model_: the trained Keras model.
    """

    model_: keras.Model
    #: The layer whose output ranks items, when that is not the model's only output.
    score_layer: str | None = None
    _scorer: PairScorer | None = None

    def _context_fields(self) -> tuple[str, ...]:
        return tuple(name for name in _input_names(self.model_) if name not in PAIR)

    def _context_inputs(
        self, context: Mapping[str, np.ndarray], n: int
    ) -> Mapping[str, np.ndarray]:
        """name -> (n,) what the model gets of a context; 0, unknown, for a field that lacks."""
        zeros = np.zeros(n, np.int32)
        return {name: context.get(name, zeros) for name in self._context_fields()}

    def _score_requests(self, requests: Requests) -> np.ndarray:
        if self._scorer is None or self._scorer.model is not self.model_:
            self._scorer = PairScorer(self.model_, len(self.item_ids_), self.score_layer)
        context = self._context_inputs(requests.context, len(requests))
        return self._scorer(requests.users, context)

    def _predict_pairs(
        self, users: np.ndarray, items: np.ndarray, context: Mapping[str, np.ndarray]
    ) -> np.ndarray:
        outputs = self._outputs(users, items, context)
        return next(iter(outputs.values()))

    def _predict_events(self, events: Interactions) -> dict[str, np.ndarray]:
        if not isinstance(self.model_.output, Mapping):  # nothing says which label it predicts
            return super()._predict_events(events)
        fields = self._context_fields()
        context = {name: events.contexts[name] for name in fields if name in events.contexts}
        return self._outputs(events.users, events.items, context)

    def _outputs(
        self, users: np.ndarray, items: np.ndarray, context: Mapping[str, np.ndarray]
    ) -> dict[str, np.ndarray]:
        """Output name -> (n,) what the model says of pairs."""
        inputs = {
            "user_id": users.astype(np.int32),
            "item_id": items.astype(np.int32),
            **self._context_inputs(context, len(users)),
        }
        several = isinstance(self.model_.output, Mapping)
        if len(users) == 0:
            names = list(self.model_.output) if several else ["value"]
            return {name: np.empty(0, np.float32) for name in names}
        outputs = self.model_.predict(inputs, batch_size=PAIRS_AT_ONCE, verbose=0)
        by_name = outputs if several else {"value": outputs}
        return {name: values[:, 0] for name, values in by_name.items()}


class PairScorer:
    """The scores of all items for some users, by a model of pairs, in one compiled function.

    Args:
        model: inputs `user_id`, `item_id` and those of a context, (batch,) each.
        n_items: how many items there are.
        layer: the layer whose output (batch, 1) is the score; None for the model's own, of several
            the first.
    """

    def __init__(self, model: keras.Model, n_items: int, layer: str | None = None) -> None:
        self.model, self.n_items, self.layer = model, n_items, layer
        score = model.output if layer is None else model.get_layer(layer).output
        if isinstance(score, Mapping):
            score = next(iter(score.values()))
        scored = keras.Model(model.input, score)

        specs = {
            name: tf.TensorSpec((None, *tensor.shape[1:]), tensor.dtype)
            for name, tensor in zip(_input_names(model), model.inputs, strict=True)
            if name not in PAIR
        }

        @tf.function(input_signature=[tf.TensorSpec((None,), tf.int32), specs])
        def rows(users: tf.Tensor, context: dict[str, tf.Tensor]) -> tf.Tensor:
            inputs = {
                "user_id": tf.repeat(users, n_items),
                "item_id": tf.tile(tf.range(n_items), [tf.size(users)]),
                **{name: tf.repeat(values, n_items) for name, values in context.items()},
            }
            return tf.reshape(scored(inputs, training=False), (-1, n_items))  # (batch, n_items)

        self._rows = rows
        self._dtypes = {name: spec.dtype for name, spec in specs.items()}

    def __call__(self, users: np.ndarray, context: Mapping[str, np.ndarray]) -> np.ndarray:
        """(len(users), n_items) scores; context: name -> (len(users),)."""
        size = max(1, PAIRS_AT_ONCE // self.n_items)
        blocks = [np.empty((0, self.n_items), np.float32)]
        for start in range(0, len(users), size):
            block = slice(start, start + size)
            here = {
                name: tf.constant(values[block], self._dtypes[name])
                for name, values in context.items()
            }
            blocks.append(self._rows(tf.constant(users[block], tf.int32), here).numpy())
        return np.concatenate(blocks)

    def __reduce__(self) -> Any:
        """For `pickle` and `copy`: what is compiled cannot be copied, so a copy compiles its own."""
        return PairScorer, (self.model, self.n_items, self.layer)


def _input_names(model: keras.Model) -> list[str]:
    return [tensor.name for tensor in model.inputs]
