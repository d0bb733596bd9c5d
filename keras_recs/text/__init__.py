"""Texts as vectors: pretrained encoders that need no training here, and a fallback that needs no
download.

`load_encoder("minilm")` and its like give a `TextEncoder`; `keras_recs.text.smollm2.SmolLM2` is a
language model that also scores and writes.
"""

from keras_recs.text.encoder import BaseEncoder, EncoderError, TextEncoder
from keras_recs.text.loading import ENCODERS, load_encoder
from keras_recs.text.tfidf import TfidfEncoder

__all__ = ["ENCODERS", "BaseEncoder", "EncoderError", "TextEncoder", "TfidfEncoder", "load_encoder"]
