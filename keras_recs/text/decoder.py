"""A decoder-only language model of the Llama family (Touvron et al. 2023), written out in Keras.

A decoder reads from left to right: a token sees itself and what came before it, so that the last
vector can be asked for the next token. Each block does two things to the running sum x:

    x ← x + Attention(RMSNorm(x))
    x ← x + W_down (silu(W_gate y) ⊙ W_up y),   y = RMSNorm(x)          (SwiGLU, Shazeer 2020)

What a token was as key and value never changes, because it does not see what follows. So it is kept
(the "KV cache"), and one more token costs one token's work, not the whole text's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import keras
from keras import layers, ops


@dataclass(frozen=True)
class DecoderConfig:
    """Sizes of a decoder: `n_heads` divides `width`, and `n_kv_heads` divides `n_heads`."""

    vocabulary: int
    width: int
    inner: int
    n_blocks: int
    n_heads: int
    n_kv_heads: int
    rope_base: float
    epsilon: float
    context: int

    @property
    def head_dim(self) -> int:
        return self.width // self.n_heads


class RMSNorm(layers.Layer):
    """x / √(mean(x²) + ε) · gain (Zhang and Sennrich 2019): LayerNorm without the mean and the
    bias."""

    def __init__(self, width: int, epsilon: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.epsilon = epsilon
        self.gain = self.add_weight(name="gain", shape=(width,), initializer="ones")
        self.built = True

    def call(self, x: Any) -> Any:
        return (
            x
            * ops.rsqrt(ops.mean(ops.square(x), axis=-1, keepdims=True) + self.epsilon)
            * self.gain
        )


def rotations(positions: Any, head_dim: int, base: float) -> tuple[Any, Any]:
    """cos and sin, each (t, head_dim / 2), of the angles position / base^(2 i / head_dim)."""
    speed = base ** (-ops.arange(0, head_dim, 2, dtype="float32") / head_dim)  # (head_dim / 2,)
    angle = ops.cast(positions, "float32")[:, None] * speed[None, :]
    return ops.cos(angle), ops.sin(angle)


def rotate(x: Any, rotation: tuple[Any, Any]) -> Any:
    """Rotary positions (Su et al. 2021): each pair of neighbouring entries is turned by its
    position's angle.

    The product of a turned query and a turned key depends on how far apart they are, and not on
    where they are.

    Args:
        x: (batch, heads, t, head_dim).
    """
    cos, sin = rotation
    even, odd = x[..., 0::2], x[..., 1::2]  # (batch, heads, t, head_dim / 2)
    return ops.reshape(
        ops.stack([even * cos - odd * sin, even * sin + odd * cos], axis=-1), ops.shape(x)
    )


class Attention(layers.Layer):
    """Causal self-attention with grouped queries (Ainslie et al. 2023): several heads of queries
    share one head of keys and values, which makes the cache smaller by that factor."""

    def __init__(self, config: DecoderConfig, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.config = config
        self.query = _dense(config.width, config.n_heads * config.head_dim)
        self.key = _dense(config.width, config.n_kv_heads * config.head_dim)
        self.value = _dense(config.width, config.n_kv_heads * config.head_dim)
        self.join = _dense(config.n_heads * config.head_dim, config.width)
        self.built = True

    def call(self, x: Any, rotation: tuple[Any, Any], hide: Any, past: Any) -> tuple[Any, Any]:
        """
        Args:
            x: (batch · t, width): all tokens of the batch, row after row.
            hide: (t, p + t), 0 where a token may look and a large negative number where it may not.
            past: (2, batch, kv heads, p, head_dim), keys and values of the p tokens before.

        Returns:
            (batch · t, width), and `past` with the t tokens added.
        """
        c, batch, t = self.config, ops.shape(past)[1], ops.shape(hide)[0]
        group = c.n_heads // c.n_kv_heads

        def heads(y: Any, n: int) -> Any:
            return ops.transpose(
                ops.reshape(y, (batch, t, n, c.head_dim)), (0, 2, 1, 3)
            )  # (batch, n, t, head_dim)

        query = rotate(heads(self.query(x), c.n_heads), rotation)
        key = ops.concatenate([past[0], rotate(heads(self.key(x), c.n_kv_heads), rotation)], axis=2)
        value = ops.concatenate(
            [past[1], heads(self.value(x), c.n_kv_heads)], axis=2
        )  # (batch, kv heads, p + t, …)

        # the queries that share a key
        query = ops.reshape(query, (batch, c.n_kv_heads, group * t, c.head_dim))
        scores = ops.matmul(query / c.head_dim**0.5, ops.transpose(key, (0, 1, 3, 2)))
        scores = (
            ops.reshape(scores, (batch, c.n_kv_heads, group, t, -1)) + hide
        )  # (…, group, t, p + t)
        # softmax; Keras's warns of one token
        weights = ops.exp(scores - ops.logsumexp(scores, axis=-1, keepdims=True))
        weights = ops.reshape(weights, (batch, c.n_kv_heads, group * t, -1))
        mixed = ops.reshape(ops.matmul(weights, value), (batch, c.n_heads, t, c.head_dim))
        joined = ops.reshape(
            ops.transpose(mixed, (0, 2, 1, 3)), (-1, c.width)
        )  # (batch · t, width)
        return self.join(joined), ops.stack([key, value])


class Block(layers.Layer):
    """Attention and the SwiGLU network, each added to the running sum."""

    def __init__(self, config: DecoderConfig, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.attention_norm, self.attention = (
            RMSNorm(config.width, config.epsilon),
            Attention(config),
        )
        self.inner_norm = RMSNorm(config.width, config.epsilon)
        self.gate, self.up = _dense(config.width, config.inner), _dense(config.width, config.inner)
        self.down = _dense(config.inner, config.width)
        self.built = True

    def call(self, x: Any, rotation: tuple[Any, Any], hide: Any, past: Any) -> tuple[Any, Any]:
        mixed, past = self.attention(self.attention_norm(x), rotation, hide, past)
        x = x + mixed
        y = self.inner_norm(x)
        return x + self.down(ops.silu(self.gate(y)) * self.up(y)), past


class Decoder(keras.Model):
    """Token ids to hidden states, and hidden states to logits."""

    def __init__(self, config: DecoderConfig, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.config = config
        self.embedding = layers.Embedding(
            config.vocabulary, config.width, embeddings_initializer="zeros"
        )
        self.embedding.build()
        self.blocks = [Block(config) for _ in range(config.n_blocks)]
        self.norm = RMSNorm(config.width, config.epsilon)
        self.built = True

    def call(self, ids: Any, past: Any, n_blocks: int | None = None) -> tuple[Any, Any]:
        """
        Args:
            ids: (batch, t). Shorter rows are filled up at their right end, where nothing looks at
            the filling. past: (blocks, 2, batch, kv heads, p, head_dim), from the call that read
            the p tokens before; see `no_past`. n_blocks: to stop after that many.

        Returns:
            The running sum (batch, t, width), and `past` with the t tokens added.
        """
        t, p = ops.shape(ids)[1], ops.shape(past)[4]
        positions = p + ops.arange(t)
        rotation = rotations(positions, self.config.head_dim, self.config.rope_base)
        # (t, p + t): not the future
        hide = ops.where(ops.arange(p + t)[None, :] <= positions[:, None], 0.0, -1e9)
        x, grown = (
            ops.reshape(self.embedding(ids), (-1, self.config.width)),
            [],
        )  # (batch · t, width)
        for i, block in enumerate(self.blocks[:n_blocks]):
            x, new = block(x, rotation, hide, past[i])
            grown.append(new)
        return ops.reshape(x, (-1, t, self.config.width)), ops.stack(grown)

    def logits(self, x: Any) -> Any:
        """(…, width) -> (…, vocabulary): the embedding table serves as output layer, too
        ("tied")."""
        return ops.matmul(self.norm(x), ops.transpose(self.embedding.embeddings))

    def no_past(self, batch: int) -> Any:
        """The past of a text that begins: (blocks, 2, batch, kv heads, 0, head_dim)."""
        return ops.zeros(
            (self.config.n_blocks, 2, batch, self.config.n_kv_heads, 0, self.config.head_dim)
        )


def _dense(inputs: int, units: int) -> layers.Dense:
    # no time lost on random numbers
    layer = layers.Dense(units, use_bias=False, kernel_initializer="zeros")
    layer.build((None, inputs))  # all weights are there at once, to be filled from a file
    return layer
