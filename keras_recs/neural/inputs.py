"""Keras inputs and embeddings made from the fields of a `FeatureTable`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
from keras import layers, ops

from keras_recs.data.table import Field


def field_inputs(fields: Mapping[str, Field]) -> dict[str, keras.KerasTensor]:
    """One input a field, by its name: (batch,) int32 codes, (batch, width) of several, or (batch,)
    float32 numbers.

    >>> fields = {"device": Field("device", "event", "categorical", 4)}
    >>> field_inputs(fields)["device"].shape
    (None,)
    """
    return {
        name: keras.Input(
            (field.width,) if field.kind == "multiple" else (),
            dtype="float32" if field.kind == "numeric" else "int32",
            name=name,
        )
        for name, field in fields.items()
    }


@keras.saving.register_keras_serializable("keras_recs")
class FieldEmbedding(layers.Layer):
    """The vector of one field: looked up, the mean of several, or a number times a vector.

    Code 0, unknown, has a vector of its own in a "categorical" field, which training moves where
    values are unknown. In a "multiple" field 0 is padding, and counts for nothing; a row without
    any value has the zero vector.

    Args:
        kind, size: as of the `Field`.
        n_factors: length of the vectors.
        regularizer: of the vectors; None for none.

    >>> import numpy as np
    >>> embed = FieldEmbedding("multiple", 3, 4)
    >>> embed(np.array([[1, 2], [2, 0], [0, 0]])).shape
    TensorShape([3, 4])
    """

    def __init__(
        self, kind: str, size: int, n_factors: int, regularizer: Any = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.kind = kind
        self.size = size
        self.n_factors = n_factors
        self.regularizer = keras.regularizers.get(regularizer)
        self.vectors = self.add_weight(
            shape=(size, n_factors),
            initializer=keras.initializers.RandomNormal(stddev=0.05),
            regularizer=self.regularizer,
            name="vectors",
        )

    def call(self, values: Any) -> Any:
        """(batch,) or (batch, width) values to (batch, n_factors).

        Of a history, (batch, length) or (batch, length, width) to (batch, length, n_factors).
        """
        if self.kind == "numeric":
            return ops.expand_dims(ops.cast(values, self.compute_dtype), -1) * self.vectors[0]
        found = ops.take(self.vectors, values, axis=0)  # (batch, …, n_factors)
        if self.kind == "categorical":
            return found
        real = ops.cast(ops.expand_dims(values > 0, -1), found.dtype)  # (batch, …, width, 1)
        return ops.sum(real * found, axis=-2) / ops.maximum(ops.sum(real, axis=-2), 1)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "kind": self.kind,
            "size": self.size,
            "n_factors": self.n_factors,
            "regularizer": keras.regularizers.serialize(self.regularizer),
        }


def field_vectors(
    fields: Mapping[str, Field],
    inputs: Mapping[str, Any],
    n_factors: int,
    *,
    regularizer: Any = None,
    prefix: str = "embed_",
) -> dict[str, Any]:
    """name -> (batch, n_factors), the vector of each field, in layers named after them."""
    return {
        name: FieldEmbedding(
            field.kind, field.size, n_factors, regularizer, name=f"{prefix}{name}"
        )(inputs[name])
        for name, field in fields.items()
    }
