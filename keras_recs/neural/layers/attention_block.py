"""`AttentionBlock`: what a transformer stacks."""

from __future__ import annotations

from typing import Any

import keras
from keras import layers, ops

from keras_recs.neural.layers.masking import check_mask, check_sequences, without_padding


@keras.saving.register_keras_serializable("keras_recs")
class AttentionBlock(layers.Layer):
    """Self-attention and a feed-forward network, each normalised first and added to its input.

        x ← x + attention(norm(x))        every place looks at the others
        x ← x + feed-forward(norm(x))     each place on its own

    Causal, it is the block of SASRec: a place looks at itself and what is before it. Not causal,
    and with `activation="gelu"`, it is that of BERT4Rec, which normalises after the sum instead. It
    is built from `keras.layers.MultiHeadAttention`, whose kernels suit each device. The norm after
    the last block is the model's.

    Args:
        n_heads: of the attention; each has dim / n_heads numbers of query and key.
        hidden: units of the feed-forward network between its two layers; None for 4 · dim.
        dropout: share of the attention weights, and of what either part adds, left out in training.
        causal: whether a place must not see what comes after it.
        activation: of the feed-forward network.

    Call:
        x: (batch, length, dim).
        mask: (batch, length) bool, False at padding; taken from `x` where Keras passes one on.

    Returns:
        (batch, length, dim); zeros at padding.

    Raises:
        ValueError: `x` of another rank, a dim that heads do not divide, a mask of another shape.

    Source: Vaswani et al. (2017), "Attention Is All You Need"; Xiong et al. (2020), "On Layer
    Normalization in the Transformer Architecture"; Kang & McAuley (2018), "Self-Attentive
    Sequential Recommendation".

    >>> history = keras.ops.array([[0, 4, 2], [5, 1, 3]])  # 0 is padding
    >>> x = layers.Embedding(6, 8, mask_zero=True)(history)  # (2, 3, 8)
    >>> AttentionBlock(n_heads=2, causal=True)(x).shape
    TensorShape([2, 3, 8])
    """

    def __init__(
        self,
        n_heads: int = 1,
        hidden: int | None = None,
        dropout: float = 0.0,
        causal: bool = False,
        activation: Any = "relu",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.n_heads = n_heads
        self.hidden = hidden
        self.dropout = dropout
        self.causal = causal
        self.activation = keras.activations.get(activation)
        self.supports_masking = True

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        check_sequences("x", input_shape)
        dim = input_shape[-1]
        assert dim is not None
        if dim % self.n_heads:
            raise ValueError(
                f"n_heads must divide dim, got n_heads {self.n_heads} and x of shape "
                f"{tuple(input_shape)}"
            )
        policy = self.dtype_policy
        self.attention_norm = layers.LayerNormalization(dtype=policy, name="attention_norm")
        self.attention = layers.MultiHeadAttention(
            self.n_heads, dim // self.n_heads, dropout=self.dropout, dtype=policy, name="attention"
        )
        self.attention_norm.build(input_shape)
        self.attention.build(input_shape, input_shape)

        hidden = 4 * dim if self.hidden is None else self.hidden
        self.feed_norm = layers.LayerNormalization(dtype=policy, name="feed_norm")
        self.feed_in = layers.Dense(hidden, self.activation, dtype=policy, name="feed_in")
        self.feed_out = layers.Dense(dim, dtype=policy, name="feed_out")
        self.feed_norm.build(input_shape)
        self.feed_in.build(input_shape)
        self.feed_out.build((*input_shape[:-1], hidden))

        self.drop_attended = layers.Dropout(self.dropout, dtype=policy, name="drop_attended")
        self.drop_fed = layers.Dropout(self.dropout, dtype=policy, name="drop_fed")

    def call(self, x: Any, mask: Any = None, training: bool | None = None) -> Any:
        check_mask(mask, x.shape)
        x = without_padding(x, mask)  # (batch, length, dim)

        # Every place looks at the real places, up to itself where causal.
        keys = None if mask is None else ops.expand_dims(mask, 1)  # (batch, 1, length)
        y = self.attention_norm(x)
        y = self.attention(
            y, y, attention_mask=keys, use_causal_mask=self.causal, training=training
        )  # (batch, length, dim)
        x = x + self.drop_attended(y, training=training)

        # Each place on its own.
        y = self.feed_in(self.feed_norm(x))  # (batch, length, hidden)
        y = self.feed_out(y)  # (batch, length, dim)
        x = x + self.drop_fed(y, training=training)
        return without_padding(x, mask)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "n_heads": self.n_heads,
            "hidden": self.hidden,
            "dropout": self.dropout,
            "causal": self.causal,
            "activation": keras.activations.serialize(self.activation),
        }
