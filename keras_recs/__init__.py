"""keras_recs: 24 recommender-system interview questions, answered with code that works.

Names are loaded on first use, so that `import keras_recs` is quick and TensorFlow comes only with
an answer that needs it.

>>> import keras_recs
>>> data = keras_recs.from_matrix([[1, 1, 0], [1, 1, 0], [0, 1, 1], [1, 0, 0]])
>>> keras_recs.EASE(reg=1.0).fit(data).recommend([3], k=1).items.tolist()
[[1]]
"""

from __future__ import annotations

import importlib
import sys
from typing import Any

from keras_recs.core import registry

__version__ = "0.1.0"

_PLACES = {
    "keras_recs.data": [
        "Dataset",
        "Interactions",
        "ItemFeatures",
        "KnowledgeGraph",
        "NegativeSampler",
        "Sequences",
        "Split",
        "UserFeatures",
        "from_frame",
        "from_matrix",
        "load_cinema",
        "load_movielens",
        "read_csv",
        "read_parquet",
        "split",
    ],
    "keras_recs.evaluation": ["compare", "evaluate", "leaderboard"],
    "keras_recs.questions.loading": ["load"],
    "keras_recs.questions": ["QUESTIONS", "question"],
    "keras_recs.core.recommendations": ["Recommendations"],
    "keras_recs.core.composite": ["CompositeRecommender"],
    "keras_recs.core.recommender": ["Recommender"],
    "keras_recs.text": ["TextEncoder", "load_encoder"],
}
_HOME = {name: module for module, names in _PLACES.items() for name in names}


def _find_class(name: str, module: str) -> type | None:
    """A class of the catalogue or a baseline, imported when a saved file names it."""
    return importlib.import_module("keras_recs.questions.loading").find_class(name, module)


registry.FINDERS.append(_find_class)


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(importlib.import_module(_HOME[name]), name)
    if not name.startswith("_"):
        from keras_recs.questions import QUESTIONS

        for question in QUESTIONS:
            for answer in question.answers:
                if name in (answer.class_name, question.published):
                    return question.load(answer)
    # with `name` and `obj`, Python adds the nearest name: "Did you mean: 'NeuMF'?"
    raise AttributeError(
        f"module 'keras_recs' has no attribute {name!r}", name=name, obj=sys.modules[__name__]
    )


def __dir__() -> list[str]:
    from keras_recs.questions import QUESTIONS

    classes = {answer.class_name for question in QUESTIONS for answer in question.answers}
    return sorted({*globals(), *_HOME, *classes})
