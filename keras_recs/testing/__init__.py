"""Data to try recommenders on: logs whose structure was planted, so that one knows what there is to
find."""

from keras_recs.testing.logs import PlantedLog, dense_log, planted_log, sparse_log

__all__ = ["PlantedLog", "dense_log", "planted_log", "sparse_log"]
