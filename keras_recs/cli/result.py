"""What one recommender reached, for the screens of `keras-recs run`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from keras_recs.core.recommendations import Recommendations
    from keras_recs.core.recommender import Recommender
    from keras_recs.evaluation import Evaluation


@dataclass(frozen=True)
class Result:
    """What one recommender reached; `lists` for the users that are shown, `name` as everywhere."""

    name: str
    recommender: Recommender
    evaluation: Evaluation
    lists: Recommendations
    fit_s: float
