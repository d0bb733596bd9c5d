"""How good a recommender is: metrics, one protocol for all, the bootstrap, baselines, and the
leaderboard."""

from keras_recs.evaluation.baselines import (
    BiasRecommender,
    GlobalMeanRecommender,
    ItemKNNRecommender,
    PopularityRecommender,
    RandomRecommender,
    RecentPopularityRecommender,
)
from keras_recs.evaluation.bootstrap import Comparison, compare
from keras_recs.evaluation.leaderboard import Row, leaderboard, render
from keras_recs.evaluation.protocol import Evaluation, evaluate, evaluate_ratings, evaluate_scores
from keras_recs.evaluation.sampled import sampled_evaluation

__all__ = [
    "BiasRecommender",
    "Comparison",
    "Evaluation",
    "GlobalMeanRecommender",
    "ItemKNNRecommender",
    "PopularityRecommender",
    "RandomRecommender",
    "RecentPopularityRecommender",
    "Row",
    "compare",
    "evaluate",
    "evaluate_ratings",
    "evaluate_scores",
    "leaderboard",
    "render",
    "sampled_evaluation",
]
