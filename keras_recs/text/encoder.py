"""`TextEncoder`: texts in, unit vectors out. And what every encoder shares: checks, batches, the
cache."""

from __future__ import annotations

import abc
from collections.abc import Iterator, Sequence
from typing import Any, Protocol, Self, runtime_checkable

import numpy as np

from keras_recs.text.cache import VectorCache
from keras_recs.utils.checks import whole_number
from keras_recs.utils.progress import progress

#: Tokens in one forward pass, padding included: what bounds the memory of a batch.
TOKENS_AT_ONCE = 8192
#: Texts that are encoded before they are written to the cache: what an interruption costs at most.
TEXTS_AT_ONCE = 2048


class EncoderError(RuntimeError):
    """An encoder cannot be had; the message says what is missing and how to go on."""


@runtime_checkable
class TextEncoder(Protocol):
    """What an answer may ask of an encoder.

    Attributes:
        name: how `load_encoder` calls it.
        dim: length of a vector.
        languages: codes of the languages that it understands.
    """

    @property
    def name(self) -> str: ...

    @property
    def dim(self) -> int: ...

    @property
    def languages(self) -> tuple[str, ...]: ...

    def encode(self, texts: Sequence[str], *, batch_size: int = 32) -> np.ndarray:
        """(n, dim) float32, one row per text in their order, each of length one or, for a blank
        text, zero."""
        ...


class BaseEncoder(abc.ABC):
    """The shared part of all encoders. A subclass has the attributes below and implements
    `_vectors`.

    Args:
        cache: whether vectors are kept in the user's cache folder and taken from there.

    Attributes:
        name, dim, languages: see `TextEncoder`.
        description: what it is, in a sentence for people; a fallback says so here.
        version: changes whenever the vectors do; the cache keeps versions apart.
        max_tokens: a longer text is cut here, and the rest of it is not read; 0 where there is no
            limit.
    """

    name: str
    dim: int
    languages: tuple[str, ...]
    description: str
    version: str = "1"
    max_tokens: int = 0

    def __init__(self, *, cache: bool = True) -> None:
        self.cache = cache

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name!r}, {self.dim} dimensions: {self.description}>"

    def fit(self, texts: Sequence[str]) -> Self:
        """Nothing to learn where the encoder is pretrained; the fallback learns its words here.

        Code that calls it works with any encoder.
        """
        checked_texts("texts", texts)
        return self

    def encode(self, texts: Sequence[str], *, batch_size: int = 32) -> np.ndarray:
        """One unit vector per text.

        The vector depends on the text alone, not on its neighbours in the batch or on `batch_size`.
        Equal texts are encoded once. A text longer than `max_tokens` is cut.

        Args:
            texts: n strings. A blank one has no meaning to encode, and its row is zero: its cosine
                with anything is zero.
            batch_size: texts in one forward pass, at most.

        Returns:
            (n, dim) float32.

        Raises:
            TypeError: `texts` is one string, or holds something that is not a string.
        """
        texts, batch_size = checked_texts("texts", texts), whole_number("batch_size", batch_size)
        place = {
            text: i for i, text in enumerate(dict.fromkeys(text for text in texts if text.strip()))
        }
        # the last row stays zero, for the blank ones
        vectors = np.zeros((len(place) + 1, self.dim), np.float32)
        vectors[:-1] = self._distinct(list(place), batch_size)
        return vectors[[place.get(text, -1) for text in texts]]

    def _distinct(self, texts: list[str], batch_size: int) -> np.ndarray:
        """(n, dim): from the cache what is there, and the rest from the model."""
        if not self.cache:
            return self._vectors(texts, batch_size)
        store = VectorCache(self.name, self.version, self.dim)
        vectors, known = store.get(texts)
        missing = np.flatnonzero(~known)
        for start in range(0, len(missing), TEXTS_AT_ONCE):
            rows = missing[start : start + TEXTS_AT_ONCE]
            new = [texts[row] for row in rows]
            vectors[rows] = self._vectors(new, batch_size)
            store.put(new, vectors[rows])
        return vectors

    @abc.abstractmethod
    def _vectors(self, texts: list[str], batch_size: int) -> np.ndarray:
        """(n, dim) float32 of unit length, for texts that are distinct and not blank."""


class NeuralEncoder(BaseEncoder):
    """For encoders that read tokens in padded batches. A subclass implements `_tokens` and
    `_forward`."""

    def _vectors(self, texts: list[str], batch_size: int) -> np.ndarray:
        out = np.empty((len(texts), self.dim), np.float32)
        if not texts:
            return out
        tokens = self._tokens(texts)
        batches = list(_batches(np.array([len(row) for row in tokens]), batch_size))
        for rows in (
            progress(batches, description=f"encoding with {self.name}")
            if len(batches) > 4
            else batches
        ):
            ids = np.zeros(
                (len(rows), max(len(tokens[row]) for row in rows)), np.int32
            )  # (batch, t)
            mask = np.zeros(ids.shape, np.float32)
            for i, row in enumerate(rows):
                ids[i, : len(tokens[row])] = tokens[row]
                mask[i, : len(tokens[row])] = 1
            out[rows] = self._forward(ids, mask)
        return unit_rows(out)

    @abc.abstractmethod
    def _tokens(self, texts: list[str]) -> list[list[int]]:
        """The ids of each text's tokens, at least one and at most `max_tokens`."""

    @abc.abstractmethod
    def _forward(self, ids: np.ndarray, mask: np.ndarray) -> np.ndarray:
        """(batch, dim) for `ids` (batch, t); `mask` (batch, t) is 1 on tokens and 0 on padding."""


def _batches(lengths: np.ndarray, batch_size: int) -> Iterator[np.ndarray]:
    """Rows of similar length together, so that little of a batch is padding; the longest first."""
    order = np.argsort(-lengths, kind="stable")
    start = 0
    while start < len(order):
        size = max(1, min(batch_size, TOKENS_AT_ONCE // max(1, int(lengths[order[start]]))))
        yield order[start : start + size]
        start += size


def unit_rows(vectors: np.ndarray) -> np.ndarray:
    """`vectors` (n, dim) with rows of length one; a zero row stays zero.

    >>> unit_rows(np.array([[3.0, 4.0], [0.0, 0.0]])).tolist()
    [[0.6, 0.8], [0.0, 0.0]]
    """
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.where(length > 0, length, 1)


def checked_texts(name: str, texts: Any) -> list[str]:
    """`texts` as a list of strings that can be written as UTF-8; the errors name the argument.

    >>> checked_texts("texts", "one film")
    Traceback (most recent call last):
    TypeError: texts must be a sequence of strings, got a single one; put it into a list
    """
    if isinstance(texts, (str, bytes)):
        raise TypeError(
            f"{name} must be a sequence of strings, got a single one; put it into a list"
        )
    if not (hasattr(texts, "__len__") and hasattr(texts, "__getitem__")) or isinstance(texts, dict):
        raise TypeError(f"{name} must be a sequence of strings, got {type(texts).__name__}")
    texts = list(texts)
    for i, text in enumerate(texts):
        if not isinstance(text, str):
            raise TypeError(f"{name} must hold strings only, but entry {i} is {text!r}")
    # Half of a character (a lone surrogate, from a damaged file) cannot be written; "?" takes its
    # place.
    return [str(text).encode("utf-8", "replace").decode("utf-8") for text in texts]
