"""Recommending as a sequence of decisions: policies, rollouts in an environment, trajectories.

Environments are Gymnasium's vector environments, or anything with their `reset` and `step`: many
users side by side. `keras_recs.data.cinema.env` has one. Gymnasium itself is not imported here.
"""

from keras_recs.rl.policies import (
    EpsilonGreedy,
    Policy,
    PolicyRecommender,
    RankingPolicy,
    RecommenderPolicy,
    UniformPolicy,
)
from keras_recs.rl.rollout import rollout
from keras_recs.rl.trajectory import Trajectory

__all__ = [
    "EpsilonGreedy",
    "Policy",
    "PolicyRecommender",
    "RankingPolicy",
    "RecommenderPolicy",
    "Trajectory",
    "UniformPolicy",
    "rollout",
]
