"""`load`: a saved recommender, whatever its class."""

from __future__ import annotations

import importlib
import os
from typing import Any

from keras_recs.core import storage
from keras_recs.core.recommender import Recommender
from keras_recs.questions import QUESTIONS

#: Where recommenders are that are no answers: what answers are compared with.
RIVALS = (
    "keras_recs.evaluation.baselines",
    "keras_recs.evaluation.linear",
    "keras_recs.evaluation.events",
    "keras_recs.evaluation.logistic",
)


def load(path: str | os.PathLike[str]) -> Recommender:
    """What `save` of an answer, a baseline or a rival wrote; the file says of which class it is.

    Only classes of this package are looked up, by name in the catalogue of answers: a file never
    decides what is imported. TensorFlow is loaded where the answer needs it.

    Raises:
        FileNotFoundError: no such file.
        storage.StorageError: (a ValueError) not a saved recommender, damaged, of another version,
            or of a class from elsewhere, whose own `load` reads it.

    >>> import tempfile
    >>> from keras_recs import EASE, from_matrix
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     EASE(reg=1.0).fit(from_matrix([[1, 1], [1, 0]])).save(f"{folder}/model")
    ...     load(f"{folder}/model")
    EASE(reg=1.0, recency=None)
    """
    saved = storage.read(path)
    return _class_of(path, saved[0])._loaded(path, *saved)


def find_class(name: str, module: str) -> type[Recommender] | None:
    """An answer, a baseline or a rival by the name and the module of its class; None for others."""
    for question in QUESTIONS:
        for answer in question.answers:
            if answer.class_name == name and module in question.modules:
                return question.load(answer)
    if module in RIVALS:
        found = getattr(importlib.import_module(module), name, None)
        if (
            isinstance(found, type)
            and issubclass(found, Recommender)
            and found.__module__ == module
        ):
            return found
    return None


def _class_of(path: str | os.PathLike[str], meta: dict[str, Any]) -> type[Recommender]:
    name, module = meta.get("class"), meta.get("module")
    if (found := find_class(str(name), str(module))) is not None:
        return found
    where = f"{name} of {module}" if name and module else "recommender without a class"
    raise storage.StorageError(
        f"{path} holds a {where}, which is not part of keras_recs; "
        "the class that saved it can load it, with its own load(path)"
    )
