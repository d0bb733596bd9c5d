"""Universal Sentence Encoder, multilingual (Yang et al. 2020): one space for 16 languages, Chinese
and English among them, because it was trained to find a sentence's translation and the answer to a
question.

It is not a transformer. Convolutions read 2, 3 and 5 tokens at a time, and a small dense network
reads their sum: quick, and blind to how words far apart belong together.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

import keras
import numpy as np
from keras import layers, ops

from keras_recs.data.assets import fetch
from keras_recs.text.encoder import NeuralEncoder
from keras_recs.text.minilm import compiled

WIDTH, FILTERS, HIDDEN = 512, 256, 320
#: Tokens in a window -> how many of them lie before the token that it stands for.
WINDOWS = {2: 0, 3: 1, 5: 2}
#: The embedding table is in 17 parts, token i in part i % 17; each has its own range of 256 values.
PARTS, ROWS = 17, 7530


@keras.saving.register_keras_serializable("keras_recs")
class ByteEmbedding(layers.Layer):
    """An embedding table of bytes, a quarter of its size in floats: `byte · scale + low` of the
    part it lies in."""

    def build(self, input_shape: Any) -> None:
        self.table = self.add_weight(
            name="table",
            shape=(PARTS * ROWS, WIDTH),
            dtype="uint8",
            initializer="zeros",
            trainable=False,
        )
        self.scale = self.add_weight(
            name="scale", shape=(PARTS,), initializer="ones", trainable=False
        )
        self.low = self.add_weight(name="low", shape=(PARTS,), initializer="zeros", trainable=False)

    def call(self, ids: Any) -> Any:
        """(batch, t) -> (batch, t, WIDTH)."""
        part = ids % PARTS
        byte = ops.cast(ops.take(self.table, ids, axis=0), self.compute_dtype)
        return byte * ops.take(self.scale, part)[..., None] + ops.take(self.low, part)[..., None]

    def compute_output_shape(self, input_shape: Any) -> Any:
        return (*input_shape, WIDTH)


def sentence_encoder(epsilon: float) -> keras.Model:
    """The model, its weights still random: `ids` and `mask`, both (batch, t), to unit vectors
    (batch, WIDTH)."""
    ids = keras.Input((None,), dtype="int32", name="ids")
    mask = keras.Input((None,), dtype="float32", name="mask")
    on = mask[
        :, :, None
    ]  # (batch, t, 1): what lies beyond the end must be zero wherever a window looks

    words = ByteEmbedding(name="words")(ids) * on  # (batch, t, WIDTH)
    narrow = layers.Dense(len(WINDOWS) * FILTERS, name="narrow")(words)
    narrow = layers.LayerNormalization(epsilon=epsilon, name="narrow_norm")(narrow) * on
    features = [words]
    for i, (size, before) in enumerate(WINDOWS.items()):
        x = narrow[:, :, i * FILTERS : (i + 1) * FILTERS]  # (batch, t, FILTERS)
        for depth in (1, 2):
            around = layers.ZeroPadding1D((before, size - 1 - before))(x)
            x = (
                x
                + layers.Conv1D(FILTERS, size, activation="relu", name=f"window{size}_{depth}")(
                    around
                )
            ) * on
        features.append(x)

    tokens = layers.LayerNormalization(epsilon=epsilon, name="norm")(layers.Concatenate()(features))
    tokens = layers.Dense(WIDTH, name="token")(tokens) * on  # (batch, t, WIDTH)
    # The sum over √n, neither a sum nor a mean: a long text weighs more than a short one, though
    # not n times.
    total = ops.sum(tokens, axis=1) / ops.sqrt(
        ops.maximum(ops.sum(on, axis=1), 1.0)
    )  # (batch, WIDTH)

    def dense(units: int, name: str) -> layers.Dense:
        return layers.Dense(units, use_bias=False, name=name)

    first = ops.relu(dense(HIDDEN, "d0")(total))
    second = ops.relu(dense(HIDDEN, "p1")(total) + dense(HIDDEN, "d1")(first))
    third = ops.relu(dense(WIDTH, "d2")(second))
    vector = ops.tanh(dense(WIDTH, "p3")(second) + dense(WIDTH, "d3")(third))
    return keras.Model(
        {"ids": ids, "mask": mask},
        layers.UnitNormalization(name="sentence")(vector),
        name="use_multilingual",
    )


def load_weights(model: keras.Model, arrays: Mapping[str, np.ndarray]) -> None:
    """Put the arrays of the asset's `weights.npz` into the layers."""
    table = np.empty((PARTS * ROWS, WIDTH), np.uint8)
    for part in range(PARTS):
        table[part::PARTS] = arrays[f"q{part + 1}"]
    model.get_layer("words").set_weights([table, arrays["scale"], arrays["lo"]])

    def side_by_side(name: str) -> np.ndarray:
        return np.concatenate([arrays[f"{name}{size}"] for size in WINDOWS], axis=-1)

    model.get_layer("narrow").set_weights([side_by_side("proj"), side_by_side("proj_b")])
    model.get_layer("narrow_norm").set_weights([side_by_side("ln_g"), side_by_side("ln_b")])
    for size in WINDOWS:
        for depth in (1, 2):
            model.get_layer(f"window{size}_{depth}").set_weights(
                [
                    arrays[f"w{depth}_{size}"].reshape(size, FILTERS, FILTERS),
                    arrays[f"b{depth}_{size}"],
                ]
            )
    model.get_layer("norm").set_weights([arrays["ln_g"], arrays["ln_b"]])
    model.get_layer("token").set_weights([arrays["cnn_W"], arrays["cnn_b"]])
    for name in ("d0", "d1", "d2", "d3", "p1", "p3"):
        model.get_layer(name).set_weights([arrays[name]])


class MultilingualEncoder(NeuralEncoder):
    """Universal Sentence Encoder, multilingual: 68 million weights, 66 million of them words, in
    bytes.

    The model itself knows no longest text; 512 tokens bound the cost, and the rest is not read.

    Attributes:
        model: the Keras model of `sentence_encoder`, frozen; to train it, set its `trainable`, then
        its layers'. tokenizer: the SentencePiece tokenizer that goes with it.
    """

    name = "use-multilingual"
    dim = WIDTH
    languages = (
        "ar",
        "de",
        "en",
        "es",
        "fr",
        "it",
        "ja",
        "ko",
        "nl",
        "pl",
        "pt",
        "ru",
        "th",
        "tr",
        "zh",
        "zh-TW",
    )
    description = "Universal Sentence Encoder, multilingual: convolutions and averages, no transformer; 16 languages"
    max_tokens = 512

    @cached_property
    def model(self) -> keras.Model:
        with np.load(fetch(self.name) / "weights.npz", allow_pickle=False) as arrays:
            model = sentence_encoder(float(arrays["eps"]))
            load_weights(model, arrays)
        model.trainable = False
        return model

    @cached_property
    def tokenizer(self) -> Any:
        from sentencepiece import SentencePieceProcessor

        return SentencePieceProcessor(model_file=str(fetch(self.name) / "sp.model"))

    @cached_property
    def _compiled(self) -> Any:
        return compiled(self.model)

    def _tokens(self, texts: list[str]) -> list[list[int]]:
        # The model was trained with a mark at both ends; a cut text gets its end mark back.
        rows = self.tokenizer.encode(texts, add_bos=True, add_eos=True)
        return [
            row if len(row) <= self.max_tokens else [*row[: self.max_tokens - 1], row[-1]]
            for row in rows
        ]

    def _forward(self, ids: np.ndarray, mask: np.ndarray) -> np.ndarray:
        return self._compiled(ids, mask).numpy()
