"""all-MiniLM-L6-v2: a transformer encoder, written out in Keras, with weights trained so that
sentences of the same meaning get vectors of a small angle (Reimers and Gurevych 2019,
"Sentence-BERT"; Wang et al. 2020, "MiniLM").

An encoder reads all tokens at once, in both directions (Devlin et al. 2019, "BERT"). A block does
two things:

    x ← LayerNorm(x + Attention(x))          every token looks at every other one
    x ← LayerNorm(x + W₂ GELU(W₁ x))         and then each thinks for itself

The sentence is the mean of its tokens' last vectors, scaled to length one, so that the inner
product is the cosine."""

from __future__ import annotations

import json
from functools import cached_property
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

from keras_recs.data.assets import fetch
from keras_recs.text.encoder import NeuralEncoder


def attention(x: Any, hide: Any, n_heads: int, name: str) -> Any:
    """Multi-head self-attention (Vaswani et al. 2017): softmax(Q Kᵀ / √d) V in each head.

    Args:
        x: (batch, t, width).
        hide: (batch, 1, 1, t), 0 on tokens and a large negative number on padding, whose weight
        thus becomes 0. n_heads: divides width.
        name: of the block; the layers are called as in the file of weights.
    """
    width = x.shape[-1]
    d = width // n_heads

    def heads(role: str) -> Any:
        y = layers.Dense(width, name=f"{name}.attention.self.{role}")(x)  # (batch, t, width)
        return layers.Permute((2, 1, 3))(
            layers.Reshape((-1, n_heads, d))(y)
        )  # (batch, heads, t, d)

    query, key, value = heads("query"), heads("key"), heads("value")
    scores = ops.matmul(query / d**0.5, ops.transpose(key, (0, 1, 3, 2)))  # (batch, heads, t, t)
    mixed = ops.matmul(ops.softmax(scores + hide), value)  # (batch, heads, t, d)
    joined = layers.Reshape((-1, width))(layers.Permute((2, 1, 3))(mixed))  # (batch, t, width)
    return layers.Dense(width, name=f"{name}.attention.output.dense")(joined)


def sentence_encoder(config: dict[str, Any]) -> keras.Model:
    """The model, its weights still random.

    Inputs `ids` (batch, t) int32 and `mask` (batch, t), 1 on tokens and 0 on padding; output
    (batch, width), unit rows.

    Args:
        config: the sizes, named as in the `config.json` of a BERT.
    """
    width, epsilon = config["hidden_size"], config["layer_norm_eps"]
    ids = keras.Input((None,), dtype="int32", name="ids")
    mask = keras.Input((None,), dtype="float32", name="mask")
    hide = (1.0 - mask[:, None, None, :]) * -1e9  # (batch, 1, 1, t)

    # 0, 1, 2, …: attention itself knows no order
    position = ops.cumsum(ops.ones_like(ids), axis=1) - 1
    x = layers.Embedding(config["vocab_size"], width, name="embeddings.word_embeddings")(
        ids
    ) + layers.Embedding(
        config["max_position_embeddings"], width, name="embeddings.position_embeddings"
    )(position)
    x = layers.LayerNormalization(epsilon=epsilon, name="embeddings.LayerNorm")(
        x
    )  # (batch, t, width)

    for i in range(config["num_hidden_layers"]):
        name = f"encoder.layer.{i}"
        x = x + attention(x, hide, config["num_attention_heads"], name)
        x = layers.LayerNormalization(epsilon=epsilon, name=f"{name}.attention.output.LayerNorm")(x)
        inner = layers.Dense(config["intermediate_size"], name=f"{name}.intermediate.dense")(
            x
        )  # (batch, t, 4 · width)
        inner = ops.gelu(inner, approximate=False)
        x = x + layers.Dense(width, name=f"{name}.output.dense")(inner)
        x = layers.LayerNormalization(epsilon=epsilon, name=f"{name}.output.LayerNorm")(x)

    weight = mask[:, :, None]  # (batch, t, 1): padding must not count in the mean
    mean = ops.sum(x * weight, axis=1) / ops.maximum(ops.sum(weight, axis=1), 1.0)  # (batch, width)
    return keras.Model(
        {"ids": ids, "mask": mask}, layers.UnitNormalization(name="sentence")(mean), name="minilm"
    )


def load_weights(model: keras.Model, path: Path) -> None:
    """Put the arrays of a safetensors file into the layers that are called like them."""
    from safetensors.numpy import load_file

    arrays = load_file(path)
    # There are two kinds of segments in BERT, and every sentence here is of the first kind.
    arrays["embeddings.position_embeddings.weight"] += arrays[
        "embeddings.token_type_embeddings.weight"
    ][0]
    for layer in model.layers:
        if isinstance(layer, layers.Embedding):
            layer.set_weights([arrays[f"{layer.name}.weight"]])
        elif isinstance(layer, layers.Dense):
            layer.set_weights([arrays[f"{layer.name}.weight"].T, arrays[f"{layer.name}.bias"]])
        elif isinstance(layer, layers.LayerNormalization):
            layer.set_weights([arrays[f"{layer.name}.weight"], arrays[f"{layer.name}.bias"]])


class MiniLMEncoder(NeuralEncoder):
    """all-MiniLM-L6-v2: 22.6 million weights, trained on a billion pairs of English sentences.

    Text after the first 256 tokens (some 200 words) is not read.

    Attributes:
        model: the Keras model of `sentence_encoder`, frozen; to train it, set its `trainable`, then
        its layers'. tokenizer: the WordPiece tokenizer that goes with it.
    """

    name = "minilm"
    dim = 384
    languages = ("en",)
    description = "all-MiniLM-L6-v2, an English sentence encoder of 6 transformer blocks"
    max_tokens = 256

    @cached_property
    def model(self) -> keras.Model:
        folder = fetch(self.name)
        model = sentence_encoder(json.loads((folder / "config.json").read_text(encoding="utf-8")))
        load_weights(model, folder / "model.safetensors")
        model.trainable = False
        return model

    @cached_property
    def tokenizer(self) -> Any:
        from tokenizers import Tokenizer

        tokenizer = Tokenizer.from_file(str(fetch(self.name) / "tokenizer.json"))
        tokenizer.enable_truncation(self.max_tokens)
        tokenizer.no_padding()
        return tokenizer

    @cached_property
    def _compiled(self) -> Any:
        return compiled(self.model)

    def _tokens(self, texts: list[str]) -> list[list[int]]:
        # with [CLS] before and [SEP] after
        return [encoding.ids for encoding in self.tokenizer.encode_batch(texts)]

    def _forward(self, ids: np.ndarray, mask: np.ndarray) -> np.ndarray:
        return self._compiled(ids, mask).numpy()


def compiled(model: keras.Model) -> Any:
    """The model of `ids` and `mask` as one graph for all shapes of batches."""

    @tf.function(
        autograph=False,
        input_signature=[
            tf.TensorSpec((None, None), tf.int32),
            tf.TensorSpec((None, None), tf.float32),
        ],
    )
    def forward(ids: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
        return model({"ids": ids, "mask": mask}, training=False)

    return forward
