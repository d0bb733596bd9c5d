"""`FactorizationMachine`: every pair of fields, in linear time."""

from __future__ import annotations

from typing import Any

import keras
from keras import layers, ops

from keras_recs.neural.layers.masking import check_mask, check_sequences, without_padding


@keras.saving.register_keras_serializable("keras_recs")
class BiInteraction(layers.Layer):
    """The products of all pairs of fields, summed: Σ_{i<j} v_i ⊙ v_j.

    There are n (n - 1) / 2 pairs, and no need to visit them:

        Σ_{i<j} v_i ⊙ v_j = ½ ((Σ v_i)² - Σ v_i²)

    for the square of the sum holds every pair twice, and each v_i with itself once. The difference
    is taken in float32 at least, as both terms may be large and nearly equal.

    Call:
        vectors: (batch, n_fields, dim), one of each field of an example.
        mask: (batch, n_fields) bool, False where a field is missing; taken from `vectors` where
            Keras passes one on.

    Returns:
        (batch, dim).

    Raises:
        ValueError: vectors of another rank, or a mask of another shape.

    Source: Rendle (2010), "Factorization Machines", for the identity; He & Chua (2017), "Neural
    Factorization Machines for Sparse Predictive Analytics", for the sum as a layer.

    >>> vectors = keras.ops.array([[[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]])
    >>> BiInteraction()(vectors).numpy().tolist()  # 1·3 + 1·5 + 3·5 and 2·4 + 2·6 + 4·6
    [[23.0, 44.0]]
    """

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        check_sequences("vectors", input_shape)  # here, a sequence of fields

    def call(self, vectors: Any, mask: Any = None) -> Any:
        check_mask(mask, vectors.shape)
        dtype = keras.backend.result_type(vectors.dtype, "float32")
        v = ops.cast(without_padding(vectors, mask), dtype)  # (batch, n_fields, dim)
        square_of_sum = ops.square(ops.sum(v, axis=1))  # (batch, dim)
        sum_of_squares = ops.sum(ops.square(v), axis=1)  # (batch, dim)
        return ops.cast(0.5 * (square_of_sum - sum_of_squares), self.compute_dtype)

    def compute_mask(self, inputs: Any, previous_mask: Any) -> None:
        """None: the fields are summed."""

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return (input_shape[0], input_shape[2])


@keras.saving.register_keras_serializable("keras_recs")
class FactorizationMachine(layers.Layer):
    """A bias, a weight for each field, and an inner product for each pair of fields:

        w_0 + Σ_i w_i + Σ_{i<j} v_i · v_j

    The vectors v and the weights w come from embeddings of the fields, of dim numbers and of one;
    for a number rather than a code, from its product with such a vector. The bias is the layer's.

    Call:
        vectors: (batch, n_fields, dim).
        weights: (batch, n_fields) or (batch, n_fields, 1).
        vectors_mask: (batch, n_fields) bool, False where a field is missing; taken from `vectors`
            where Keras passes one on.

    Returns:
        (batch, 1), a logit or a rating.

    Raises:
        ValueError: vectors, weights or mask of another shape.

    Source: Rendle (2010), "Factorization Machines"; Guo et al. (2017), "DeepFM".

    >>> vectors = keras.ops.array([[[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]])
    >>> weights = keras.ops.array([[0.5, 0.25, 0.25]])
    >>> FactorizationMachine()(vectors, weights).numpy().tolist()  # 1 + 23 + 44
    [[68.0]]
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.pairs = BiInteraction(dtype=self.dtype_policy, name="pairs")

    def build(
        self, vectors_shape: tuple[int | None, ...], weights_shape: tuple[int | None, ...]
    ) -> None:
        self.pairs.build(vectors_shape)
        if tuple(weights_shape[1:]) not in {(vectors_shape[1],), (vectors_shape[1], 1)}:
            raise ValueError(
                "weights must have shape (batch, n_fields), one for each vector, got "
                f"{tuple(weights_shape)} beside {tuple(vectors_shape)}"
            )
        self.bias = self.add_weight(shape=(1,), initializer="zeros", name="bias")

    def call(self, vectors: Any, weights: Any, vectors_mask: Any = None) -> Any:
        if len(weights.shape) == 2:
            weights = ops.expand_dims(weights, -1)  # (batch, n_fields, 1)
        linear = ops.sum(without_padding(weights, vectors_mask), axis=1)  # (batch, 1)
        pooled = self.pairs(vectors, mask=vectors_mask)  # (batch, dim)
        pairs = ops.sum(pooled, axis=-1, keepdims=True)  # (batch, 1)
        return self.bias + linear + pairs

    def compute_mask(self, inputs: Any, previous_mask: Any) -> None:
        """None: the fields are summed."""

    def compute_output_shape(
        self, vectors_shape: tuple[int | None, ...], weights_shape: tuple[int | None, ...]
    ) -> tuple[int | None, ...]:
        return (vectors_shape[0], 1)
