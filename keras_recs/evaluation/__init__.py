"""How good a recommender is: metrics, protocols, the bootstrap, baselines, and the leaderboard."""

from keras_recs.evaluation.baselines import (
    BiasRecommender,
    GlobalMeanRecommender,
    ItemKNNRecommender,
    PopularityRecommender,
    RandomRecommender,
    RecentPopularityRecommender,
)
from keras_recs.evaluation.comparison import Comparison, compare
from keras_recs.evaluation.events import BaseRateRecommender, evaluate_events
from keras_recs.evaluation.leaderboard import Row, leaderboard, render
from keras_recs.evaluation.linear import GenreRidge, ItemRidge, TruncatedSVD
from keras_recs.evaluation.logistic import LogisticRegression
from keras_recs.evaluation.measuring import evaluate, evaluate_scores
from keras_recs.evaluation.protocols import (
    PROTOCOLS,
    EventPrediction,
    Protocol,
    Ranking,
    RatingPrediction,
    protocol_named,
    protocol_of,
)
from keras_recs.evaluation.ratings import evaluate_ratings
from keras_recs.evaluation.regret import Regret
from keras_recs.evaluation.results import Evaluation
from keras_recs.evaluation.sampled import sampled_evaluation

__all__ = [
    "PROTOCOLS",
    "BaseRateRecommender",
    "BiasRecommender",
    "Comparison",
    "Evaluation",
    "EventPrediction",
    "GenreRidge",
    "GlobalMeanRecommender",
    "ItemKNNRecommender",
    "ItemRidge",
    "LogisticRegression",
    "PopularityRecommender",
    "Protocol",
    "RandomRecommender",
    "Ranking",
    "RatingPrediction",
    "RecentPopularityRecommender",
    "Regret",
    "Row",
    "TruncatedSVD",
    "compare",
    "evaluate",
    "evaluate_events",
    "evaluate_ratings",
    "evaluate_scores",
    "leaderboard",
    "protocol_named",
    "protocol_of",
    "render",
    "sampled_evaluation",
]
