"""How well ratings are predicted."""

from __future__ import annotations

from typing import Any

import numpy as np

from keras_recs.data.columns import Where, numbers
from keras_recs.data.splits import Split
from keras_recs.evaluation import metrics
from keras_recs.evaluation.ranking import require_split
from keras_recs.evaluation.results import Evaluation
from keras_recs.utils.checks import column


def evaluate_ratings(predictions: Any, split: Split) -> Evaluation:
    """RMSE and MAE of predictions for the test events, clipped to the data set's rating scale.

    Args:
        predictions: (n,) in the unit of the ratings, in the order of `split.test.interactions`.
        split: any whose test has ratings.

    Raises:
        ValueError: another length, NaN or infinite predictions, a test without ratings.
    """
    require_split(split)
    test = split.test
    test.require("ratings", by="evaluate_ratings")
    assert test.interactions.ratings is not None  # `require` has seen to it
    predictions = column(
        "predictions", numbers(Where("predictions"), predictions), length=len(test)
    )
    if test.rating_scale is not None:
        predictions = predictions.clip(*test.rating_scale)
    ratings = test.interactions.ratings.astype(np.float64)
    errors = predictions - ratings
    values = {"rmse": metrics.rmse(predictions, ratings), "mae": metrics.mae(predictions, ratings)}
    return Evaluation(
        split.protocol,
        values,
        {"rmse": errors**2, "mae": np.abs(errors)},
        test.user_ids.ids[test.interactions.users],
    )
