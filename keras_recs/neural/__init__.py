"""What Keras answers share: training, devices, scoring, losses, layers."""

from keras_recs.neural.quiet import import_tensorflow

import_tensorflow()  # before anything below imports Keras

from keras_recs.neural.devices import configure_gpus, device_report, training_strategy  # noqa: E402
from keras_recs.neural.layers import (  # noqa: E402
    AttentionBlock,
    BiInteraction,
    CapsuleInterests,
    FactorizationMachine,
    MixtureOfExperts,
    SelfAttentiveInterests,
    TargetAttention,
)
from keras_recs.neural.losses import (  # noqa: E402
    InfoNCE,
    bpr_loss,
    info_nce_loss,
    sampled_softmax_loss,
)
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
    "AttentionBlock",
    "BiInteraction",
    "CapsuleInterests",
    "Epoch",
    "FactorizationMachine",
    "InfoNCE",
    "MixtureOfExperts",
    "PairRecommender",
    "PairScorer",
    "RankingModel",
    "SelfAttentiveInterests",
    "TargetAttention",
    "bpr_loss",
    "configure_gpus",
    "device_report",
    "embedding_penalty",
    "enough_epochs",
    "events_per_row",
    "for_cold",
    "info_nce_loss",
    "is_thin",
    "rows_with_negatives",
    "sampled_softmax_loss",
    "seeded",
    "thinner_side",
    "train",
    "training_strategy",
]
