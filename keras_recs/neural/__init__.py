"""What two Keras answers or more share: training, devices, scoring."""

from keras_recs.neural.quiet import import_tensorflow

import_tensorflow()  # before anything below imports Keras

from keras_recs.neural.devices import configure_gpus, device_report, training_strategy  # noqa: E402
from keras_recs.neural.keras_recommender import Batch, KerasRecommender, seeded  # noqa: E402
from keras_recs.neural.ranking import RankingModel, RankingRecommender  # noqa: E402
from keras_recs.neural.thin_logs import (  # noqa: E402
    embedding_penalty,
    enough_epochs,
    events_per_row,
    for_cold,
    is_thin,
    thinner_side,
)

__all__ = [
    "Batch",
    "KerasRecommender",
    "RankingModel",
    "RankingRecommender",
    "configure_gpus",
    "device_report",
    "embedding_penalty",
    "enough_epochs",
    "events_per_row",
    "for_cold",
    "is_thin",
    "seeded",
    "thinner_side",
    "training_strategy",
]
