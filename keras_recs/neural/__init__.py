"""What Keras answers share: training, devices, scoring, losses, layers."""

from keras_recs.neural.quiet import import_tensorflow

import_tensorflow()  # before anything below imports Keras

from keras_recs.neural.devices import configure_gpus, device_report, training_strategy  # noqa: E402
from keras_recs.neural.pairs import PairRecommender, PairScorer  # noqa: E402
from keras_recs.neural.ranking import RankingModel, rows_with_negatives  # noqa: E402
from keras_recs.neural.thin_logs import (  # noqa: E402
    embedding_penalty,
    enough_epochs,
    events_per_row,
    for_cold,
    is_thin,
    thinner_side,
)
from keras_recs.neural.training import Epoch, seeded, train  # noqa: E402

__all__ = [
    "Epoch",
    "PairRecommender",
    "PairScorer",
    "RankingModel",
    "configure_gpus",
    "device_report",
    "embedding_penalty",
    "enough_epochs",
    "events_per_row",
    "for_cold",
    "is_thin",
    "rows_with_negatives",
    "seeded",
    "thinner_side",
    "train",
    "training_strategy",
]
