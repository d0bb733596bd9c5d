"""`TargetAttention`: the history as the target sees it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import layers, ops

from keras_recs.neural.layers.masking import (
    check_mask,
    check_sequences,
    masked_softmax,
    without_padding,
)


@keras.saving.register_keras_serializable("keras_recs")
class TargetAttention(layers.Layer):
    """The history's vectors, weighed by how much each has to do with the target.

    A small network, DIN's activation unit, sees a vector h of the history and the target t, as
    [h; t; h - t; h ⊙ t], and gives the weight of h. DIN itself does not normalise: two relevant
    items count twice as much as one. With `normalize`, the weights sum to 1.

    Args:
        hidden: units of the network's layers; () for the scaled dot product h · t / √dim instead.
        activation: of these layers.
        normalize: softmax over the real places of the history, or the weights as they are.

    Call:
        target: (batch, dim), or (batch, m, dim) for several candidates over one history.
        history: (batch, length, dim).
        history_mask: (batch, length) bool, False at padding; taken from `history` where Keras
            passes one on.
        return_attention_scores: also give the weights.

    Returns:
        (batch, dim), or (batch, m, dim); zeros for a history of padding only. The weights are
        (batch, length), or (batch, m, length), exactly 0 at padding.

    Raises:
        ValueError: a history, target or mask of another shape.

    Source: Zhou et al. (2018), "Deep Interest Network for Click-Through Rate Prediction".

    >>> target, history = keras.ops.ones((2, 4)), keras.ops.ones((2, 3, 4))
    >>> mask = keras.ops.array([[False, True, True], [False, False, False]])
    >>> seen, weights = TargetAttention()(target, history, mask, return_attention_scores=True)
    >>> seen.shape, weights.numpy().tolist()
    (TensorShape([2, 4]), [[0.0, 0.5, 0.5], [0.0, 0.0, 0.0]])
    """

    def __init__(
        self,
        hidden: Sequence[int] = (16,),
        activation: Any = "relu",
        normalize: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.hidden = tuple(hidden)
        self.activation = keras.activations.get(activation)
        self.normalize = normalize

    def build(
        self, target_shape: tuple[int | None, ...], history_shape: tuple[int | None, ...]
    ) -> None:
        check_sequences("history", history_shape)
        dim = history_shape[-1]
        assert dim is not None
        if len(target_shape) not in (2, 3) or target_shape[-1] != dim:
            raise ValueError(
                "target must have shape (batch, dim) or (batch, m, dim) with the dim of the "
                f"history, got {tuple(target_shape)} beside {tuple(history_shape)}"
            )
        self.unit: list[layers.Layer] = []
        if not self.hidden:
            return
        width = 4 * dim
        for depth, units in enumerate((*self.hidden, 1)):
            activation = self.activation if depth < len(self.hidden) else None
            name = f"unit_{depth}"
            dense = layers.Dense(units, activation, dtype=self.dtype_policy, name=name)
            dense.build((None, width))
            self.unit.append(dense)
            width = units

    def call(
        self,
        target: Any,
        history: Any,
        history_mask: Any = None,
        return_attention_scores: bool = False,
    ) -> Any:
        check_mask(history_mask, history.shape)
        history = without_padding(history, history_mask)  # (batch, length, dim)
        is_single = len(target.shape) == 2
        targets = ops.expand_dims(target, 1) if is_single else target  # (batch, m, dim)

        weights = self._weights(targets, history, history_mask)  # (batch, m, length)
        seen = ops.matmul(weights, history)  # (batch, m, dim)
        if is_single:
            seen = ops.squeeze(seen, 1)  # (batch, dim)
            weights = ops.squeeze(weights, 1)  # (batch, length)
        return (seen, weights) if return_attention_scores else seen

    def _weights(self, targets: Any, history: Any, mask: Any) -> Any:
        """(batch, m, length) weight of each place of the history for each target."""
        scores = self._scores(targets, history)  # (batch, m, length)
        real = None if mask is None else ops.expand_dims(ops.cast(mask, "bool"), 1)
        if self.normalize:
            return masked_softmax(scores, real)  # over the length
        return scores if real is None else ops.where(real, scores, ops.zeros_like(scores))

    def _scores(self, targets: Any, history: Any) -> Any:
        """(batch, m, length) how much each place has to do with each target."""
        if not self.hidden:
            scale = history.shape[-1] ** -0.5
            return ops.matmul(targets * scale, ops.transpose(history, (0, 2, 1)))

        t = ops.expand_dims(targets, 2)  # (batch, m, 1, dim)
        h = ops.expand_dims(history, 1)  # (batch, 1, length, dim)
        difference = h - t  # (batch, m, length, dim)
        zeros = ops.zeros_like(difference)
        x = ops.concatenate([h + zeros, t + zeros, difference, h * t], axis=-1)
        for dense in self.unit:  # (batch, m, length, 4 · dim) to (batch, m, length, 1)
            x = dense(x)
        return ops.squeeze(x, -1)

    def compute_output_spec(
        self,
        target: Any,
        history: Any,
        history_mask: Any = None,
        return_attention_scores: bool = False,
    ) -> Any:
        seen = keras.KerasTensor(target.shape, dtype=self.compute_dtype)
        if not return_attention_scores:
            return seen
        shape = (*target.shape[:-1], history.shape[1])
        return seen, keras.KerasTensor(shape, dtype=self.compute_dtype)

    def compute_mask(self, inputs: Any, previous_mask: Any) -> Any:
        """The mask of the target stays the output's."""
        return previous_mask

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "hidden": list(self.hidden),
            "activation": keras.activations.serialize(self.activation),
            "normalize": self.normalize,
        }
