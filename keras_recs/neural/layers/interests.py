"""Several interests of one history: by capsules, or by attention."""

from __future__ import annotations

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
class SelfAttentiveInterests(layers.Layer):
    """n_interests attentions over one history, each a learned question to it:

        A = softmax(tanh(H W_1) W_2) over the places,    V = Aᵀ H

    Places carry no order here; who wants it adds positions to the history first.

    Args:
        n_interests: vectors to be made of one history.
        hidden: width of W_1; None for 4 · dim.

    Call:
        history: (batch, length, dim).
        mask: (batch, length) bool, False at padding; taken from `history` where Keras passes one
            on.
        return_attention_scores: also give the weights.

    Returns:
        (batch, n_interests, dim); zeros for a history of padding only. The weights Aᵀ are
        (batch, n_interests, length), exactly 0 at padding, and sum to 1 over the others.

    Raises:
        ValueError: a history or a mask of another shape.

    Source: Lin et al. (2017), "A Structured Self-attentive Sentence Embedding"; Cen et al. (2020),
    "Controllable Multi-Interest Framework for Recommendation" (ComiRec-SA).

    >>> SelfAttentiveInterests(n_interests=3)(keras.ops.ones((2, 5, 4))).shape
    TensorShape([2, 3, 4])
    """

    def __init__(self, n_interests: int = 4, hidden: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.n_interests = n_interests
        self.hidden = hidden

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        check_sequences("history", input_shape)
        dim = input_shape[-1]
        assert dim is not None
        hidden = 4 * dim if self.hidden is None else self.hidden
        self.w1 = self.add_weight(shape=(dim, hidden), name="w1")
        self.w2 = self.add_weight(shape=(hidden, self.n_interests), name="w2")

    def call(self, history: Any, mask: Any = None, return_attention_scores: bool = False) -> Any:
        check_mask(mask, history.shape)
        history = without_padding(history, mask)  # (batch, length, dim)
        real = None if mask is None else ops.expand_dims(ops.cast(mask, "bool"), -1)

        features = ops.tanh(ops.matmul(history, self.w1))  # (batch, length, hidden)
        scores = ops.matmul(features, self.w2)  # (batch, length, n_interests)
        weights = masked_softmax(scores, real, axis=1)  # over the places
        weights = ops.transpose(weights, (0, 2, 1))  # (batch, n_interests, length)
        interests = ops.matmul(weights, history)  # (batch, n_interests, dim)
        return (interests, weights) if return_attention_scores else interests

    def compute_mask(self, inputs: Any, previous_mask: Any) -> None:
        """None: no interest is padding."""

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "n_interests": self.n_interests,
            "hidden": self.hidden,
        }


@keras.saving.register_keras_serializable("keras_recs")
class CapsuleInterests(layers.Layer):
    """n_interests capsules, among which every item of a history is shared out.

    A few rounds of routing, in each of which an item joins the capsules that it agrees with:

        w_i = softmax(b_i) over the capsules      how item i is shared out
        u_j = squash(Σ_i w_ij S e_i)              what capsule j then stands for
        b_ij ← b_ij + u_j · S e_i                 who agrees is drawn closer

    All capsules share S, so from equal b they would stay equal: MIND draws the first b at random.
    Here they are fixed random projections of the items' directions, b_ij = r_j · e_i / |e_i|, so
    that neither order nor padding matters and a history has the same interests whenever it is
    asked. Gradients pass through the last round only.

    Args:
        n_interests: capsules.
        n_iterations: rounds of routing.
        seed: of the fixed projections r; they are saved with the weights.

    Call:
        history: (batch, length, dim).
        mask: (batch, length) bool, False at padding; taken from `history` where Keras passes one
            on.
        return_routing: also give how the items are shared out.

    Returns:
        (batch, n_interests, dim), each shorter than 1; zeros for a history of padding only. The
        routing w is (batch, n_interests, length): it sums to 1 over the interests at each real
        place and is 0 at padding.

    Raises:
        ValueError: a history or a mask of another shape.

    Source: Sabour et al. (2017), "Dynamic Routing Between Capsules"; Li et al. (2019),
    "Multi-Interest Network with Dynamic Routing for Recommendation at Tmall" (MIND).

    >>> CapsuleInterests(n_interests=3)(keras.ops.ones((2, 5, 4))).shape
    TensorShape([2, 3, 4])
    """

    def __init__(
        self, n_interests: int = 4, n_iterations: int = 3, seed: int = 0, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        if n_iterations < 1:
            raise ValueError(f"n_iterations must be at least 1, got {n_iterations}")
        self.n_interests = n_interests
        self.n_iterations = n_iterations
        self.seed = seed

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        check_sequences("history", input_shape)
        dim = input_shape[-1]
        self.bilinear = self.add_weight(shape=(dim, dim), name="bilinear")  # S
        # r
        self.start = self.add_weight(
            shape=(dim, self.n_interests),
            initializer=keras.initializers.RandomNormal(stddev=1.0, seed=self.seed),
            trainable=False,
            name="start",
        )

    def call(self, history: Any, mask: Any = None, return_routing: bool = False) -> Any:
        check_mask(mask, history.shape)
        dtype = keras.backend.result_type(history.dtype, "float32")  # squares of half overflow
        e = ops.cast(without_padding(history, mask), dtype)  # (batch, length, dim)
        mapped = ops.matmul(e, ops.cast(self.bilinear, dtype))  # (batch, length, dim)

        # Routing is a choice, not a function to learn: no gradient through b and w.
        fixed = ops.stop_gradient(mapped)
        directions = ops.normalize(ops.stop_gradient(e), axis=-1)
        b = ops.matmul(directions, ops.cast(self.start, dtype))  # (batch, length, n_interests)
        for _ in range(self.n_iterations - 1):
            w = self._shares(b, mask)  # (batch, n_interests, length)
            capsules = squash(ops.matmul(w, fixed))  # (batch, n_interests, dim)
            b = b + ops.matmul(fixed, ops.transpose(capsules, (0, 2, 1)))

        w = self._shares(b, mask)
        interests = ops.cast(squash(ops.matmul(w, mapped)), self.compute_dtype)
        return (interests, ops.cast(w, self.compute_dtype)) if return_routing else interests

    def _shares(self, b: Any, mask: Any) -> Any:
        """(batch, n_interests, length) of each item to each capsule; 0 of padding."""
        w = ops.softmax(b, axis=-1)  # over the capsules
        return ops.transpose(without_padding(w, mask), (0, 2, 1))

    def compute_mask(self, inputs: Any, previous_mask: Any) -> None:
        """None: no interest is padding."""

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "n_interests": self.n_interests,
            "n_iterations": self.n_iterations,
            "seed": self.seed,
        }


def squash(z: Any) -> Any:
    """z (…, dim) with its length n made n² / (1 + n²): below 1, and 0 stays 0.

    >>> print(squash(keras.ops.array([[3.0, 4.0], [0.0, 0.0]])).numpy().round(3))
    [[0.577 0.769]
     [0.    0.   ]]
    """
    squared = ops.sum(ops.square(z), axis=-1, keepdims=True)  # (…, 1)
    # the root of 0 has no finite gradient
    length = ops.sqrt(squared + keras.config.epsilon())
    return z * length / (1 + squared)
