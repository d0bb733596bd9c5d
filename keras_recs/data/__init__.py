"""What a recommender learns from: interactions, side data, splits, samplers, and where they come
from."""

from keras_recs.data.augmentation import clozed, cropped, hidden, reordered
from keras_recs.data.cinema import cinema_cold_split, load_cinema, load_cinema_truth
from keras_recs.data.dataset import Dataset
from keras_recs.data.features import ItemFeatures, KnowledgeGraph, UserFeatures
from keras_recs.data.ids import INT_FILLER, STR_FILLER, IdMap
from keras_recs.data.interactions import Interactions
from keras_recs.data.movielens import load_movielens
from keras_recs.data.names import ColumnError
from keras_recs.data.readers import from_frame, from_matrix, read_csv, read_parquet
from keras_recs.data.sampling import NegativeSampler
from keras_recs.data.sequences import (
    Sequences,
    Windows,
    histories_before,
    recency_weighted,
    windows,
)
from keras_recs.data.splits import (
    RULES,
    GlobalTimeCut,
    Split,
    SplitRule,
    split,
    split_last,
    split_random,
    split_temporal,
)
from keras_recs.data.table import FeatureTable, Field

__all__ = [
    "INT_FILLER",
    "RULES",
    "STR_FILLER",
    "ColumnError",
    "Dataset",
    "FeatureTable",
    "Field",
    "GlobalTimeCut",
    "IdMap",
    "Interactions",
    "ItemFeatures",
    "KnowledgeGraph",
    "NegativeSampler",
    "Sequences",
    "Split",
    "SplitRule",
    "UserFeatures",
    "Windows",
    "cinema_cold_split",
    "clozed",
    "cropped",
    "from_frame",
    "from_matrix",
    "hidden",
    "histories_before",
    "load_cinema",
    "load_cinema_truth",
    "load_movielens",
    "read_csv",
    "read_parquet",
    "recency_weighted",
    "reordered",
    "split",
    "split_last",
    "split_random",
    "split_temporal",
    "windows",
]
