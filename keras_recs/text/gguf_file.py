"""A language model out of a GGUF file, llama.cpp's format: sizes, weights and tokenizer in one,
nothing pickled.

After the magic word come named fields, then names, shapes and places of the tensors, then the
tensors. A weight of 4 or 8 bits is an integer; each block of 32 weights has a scale of its own, and
with 4 bits an offset, too."""

from __future__ import annotations

import mmap
import re
import struct
from pathlib import Path
from typing import Any

import numpy as np

from keras_recs.text.decoder import Decoder, DecoderConfig

# Numbers by the code of their type in the file; 8 is a string and 9 an array.
_NUMBERS = {
    0: "B",
    1: "b",
    2: "H",
    3: "h",
    4: "I",
    5: "i",
    6: "f",
    7: "?",
    10: "Q",
    11: "q",
    12: "d",
}
_STRING, _ARRAY = 8, 9
# Bytes in a block of a tensor, by the code of its type, and weights in a block.
_F32, _Q4_1, _Q8_0 = 0, 3, 8
_BLOCKS = {_F32: (4, 1), _Q4_1: (20, 32), _Q8_0: (34, 32)}
_CONTROL = 3  # the kind of a token that no text spells


class GGUF:
    """The fields of a file by their names, and its tensors as float32.

    Raises:
        ValueError: it is no GGUF file.
    """

    def __init__(self, path: Path) -> None:
        with open(path, "rb") as file:
            self._data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        self._at = 4
        if self._data[:4] != b"GGUF" or self._number("I") != 3:
            raise ValueError(f"{path.name} is not a GGUF file of version 3")
        n_tensors, n_fields = self._number("Q"), self._number("Q")
        self.fields = {self._string(): self._value(self._number("I")) for _ in range(n_fields)}
        self._tensors: dict[str, tuple[tuple[int, ...], int, int]] = {}  # shape, type, offset
        for _ in range(n_tensors):
            name, n_axes = self._string(), self._number("I")
            # the file has the fastest axis first
            shape = tuple(self._number("Q") for _ in range(n_axes))[::-1]
            self._tensors[name] = shape, self._number("I"), self._number("Q")
        alignment = self.fields.get("general.alignment", 32)
        self._begin = -(-self._at // alignment) * alignment

    def tensor(self, name: str) -> np.ndarray:
        """A tensor by its name, with its integers made floats."""
        shape, kind, offset = self._tensors[name]
        if kind not in _BLOCKS:
            raise ValueError(
                f"the tensor {name!r} is quantised in a way (type {kind}) that is not read here"
            )
        n_bytes, n_weights = _BLOCKS[kind]
        n_blocks = int(np.prod(shape)) // n_weights
        raw = np.frombuffer(self._data, np.uint8, n_blocks * n_bytes, self._begin + offset).reshape(
            n_blocks, n_bytes
        )
        return _floats(raw, kind).reshape(shape)

    def _number(self, code: str) -> Any:
        (value,) = struct.unpack_from(f"<{code}", self._data, self._at)
        self._at += struct.calcsize(f"<{code}")
        return value

    def _string(self) -> str:
        length = self._number("Q")
        self._at += length
        return self._data[self._at - length : self._at].decode("utf-8")

    def _value(self, kind: int) -> Any:
        if kind == _STRING:
            return self._string()
        if kind == _ARRAY:
            inner, n = self._number("I"), self._number("Q")
            return [self._value(inner) for _ in range(n)]
        return self._number(_NUMBERS[kind])


def _floats(blocks: np.ndarray, kind: int) -> np.ndarray:
    """(n, bytes) -> (n, weights) float32."""

    def half(start: int) -> np.ndarray:  # (n, 1), from the two bytes at `start`
        return np.ascontiguousarray(blocks[:, start : start + 2]).view("<f2").astype(np.float32)

    if kind == _F32:
        return blocks.view("<f4")
    if kind == _Q8_0:
        return blocks[:, 2:].view(np.int8) * half(0)
    pairs = blocks[:, 4:]  # (n, 16): two weights in a byte, the lower halves first
    return np.concatenate([pairs & 15, pairs >> 4], axis=1) * half(0) + half(2)


def read_decoder(path: Path) -> tuple[Decoder, Any, str]:
    """The decoder with its weights as float32, its tokenizer, and the system prompt of its chat
    template.

    Raises:
        ValueError: the file holds another architecture.
    """
    file = GGUF(path)
    field = file.fields.__getitem__
    if (architecture := field("general.architecture")) != "llama":
        raise ValueError(
            f"{path.name} holds a model of the architecture {architecture!r}, not 'llama'"
        )
    config = DecoderConfig(
        vocabulary=field("llama.vocab_size"),
        width=field("llama.embedding_length"),
        inner=field("llama.feed_forward_length"),
        n_blocks=field("llama.block_count"),
        n_heads=field("llama.attention.head_count"),
        n_kv_heads=field("llama.attention.head_count_kv"),
        rope_base=field("llama.rope.freq_base"),
        epsilon=field("llama.attention.layer_norm_rms_epsilon"),
        context=field("llama.context_length"),
    )
    decoder = Decoder(config, name="decoder")

    def fill(layer: Any, name: str) -> None:
        array = file.tensor(f"{name}.weight")  # (out, in)
        layer.set_weights([array if array.ndim == 1 or name == "token_embd" else array.T])

    fill(decoder.embedding, "token_embd")
    fill(decoder.norm, "output_norm")
    for i, block in enumerate(decoder.blocks):
        for layer, part in (
            (block.attention_norm, "attn_norm"),
            (block.attention.query, "attn_q"),
            (block.attention.key, "attn_k"),
            (block.attention.value, "attn_v"),
            (block.attention.join, "attn_output"),
            (block.inner_norm, "ffn_norm"),
            (block.gate, "ffn_gate"),
            (block.up, "ffn_up"),
            (block.down, "ffn_down"),
        ):
            fill(layer, f"blk.{i}.{part}")
    decoder.trainable = False
    system = re.search(r"<\|im_start\|>system\n(.*?)<\|im_end\|>", field("tokenizer.chat_template"))
    return decoder, _tokenizer(file.fields), system[1] if system else ""


def _tokenizer(fields: dict[str, Any]) -> Any:
    """Byte-level BPE (Sennrich et al. 2016; Radford et al. 2019) from the file's own vocabulary and
    merges."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

    tokens, kinds = fields["tokenizer.ggml.tokens"], fields["tokenizer.ggml.token_type"]
    merges = [tuple(merge.split(" ")) for merge in fields["tokenizer.ggml.merges"]]
    tokenizer = Tokenizer(models.BPE({token: i for i, token in enumerate(tokens)}, merges))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(
        [
            AddedToken(token, special=True, normalized=False)
            for token, kind in zip(tokens, kinds, strict=True)
            if kind == _CONTROL
        ]
    )
    # What a user or an item's text says is text, even if it spells a control token:
    # "<|im_start|>system" in a synopsis must not open a system prompt.
    tokenizer.encode_special_tokens = True
    return tokenizer
