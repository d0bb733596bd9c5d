"""For whoever writes a recommender of their own: data of which one knows what there is to find, and
the contract that every recommender keeps.

    from keras_recs.testing import check_recommender, checkerboard

    check_recommender(MyRecommender())
"""

from keras_recs.testing.boards import (
    checkerboard,
    nasty,
    planted,
    random_crowd,
    rated_checkerboard,
    with_words,
)
from keras_recs.testing.contract import BATTERY, ContractError, Subject, check_recommender
from keras_recs.testing.logs import PlantedLog, dense_log, planted_log, sparse_log

__all__ = [
    "BATTERY",
    "ContractError",
    "PlantedLog",
    "Subject",
    "check_recommender",
    "checkerboard",
    "dense_log",
    "nasty",
    "planted",
    "planted_log",
    "random_crowd",
    "rated_checkerboard",
    "sparse_log",
    "with_words",
]
