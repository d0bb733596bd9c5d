"""Policies: what to show whom, seen what one has seen."""

from __future__ import annotations

import abc
from collections.abc import Mapping
from typing import Any

import numpy as np

from keras_recs.core.recommender import Recommender
from keras_recs.core.requests import Requests
from keras_recs.rl.trajectory import Trajectory
from keras_recs.utils.checks import real_number, whole_number
from keras_recs.utils.topk import top_k

Observations = Mapping[str, np.ndarray]


class Policy(abc.ABC):
    """Chooses actions for many users at once.

    Observations are name -> (n, …). The names that policies here know are those of `CinemaEnv`:
    `user` (n,), an index, and `history` (n, length), the items shown last, -1 for none.
    """

    @abc.abstractmethod
    def act(
        self, observations: Observations, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """Item indices, (n,) for one at a time or (n, slate_size), and with which propensities (n,)
        they were chosen: None where the policy does not say."""

    def learn(self, trajectory: Trajectory) -> None:
        """Take in what happened. Here nothing is learned."""
        return None


class UniformPolicy(Policy):
    """Every item is as likely as any other; of a slate no item comes twice.

    Args:
        n_items: how many there are.
        slate_size: items a step; None for one item alone, without an axis of its own.

    >>> slates, p = UniformPolicy(4, 2).act({"user": np.zeros(3)}, np.random.default_rng(0))
    >>> slates.shape, bool(p[0] == 1 / (4 * 3))
    ((3, 2), True)
    """

    def __init__(self, n_items: int, slate_size: int | None = None) -> None:
        self.n_items = whole_number("n_items", n_items)
        self.slate_size = None if slate_size is None else whole_number("slate_size", slate_size)
        if (self.slate_size or 1) > self.n_items:
            raise ValueError(f"slate_size must be at most {n_items}, got {slate_size}")

    def act(
        self, observations: Observations, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        n = _number(observations)
        size = self.slate_size or 1
        slates = np.argsort(rng.random((n, self.n_items)), axis=1)[:, :size]
        chance = np.prod(1 / (self.n_items - np.arange(size)))  # of this slate in this order
        return _shaped(slates, self.slate_size), np.full(n, chance)


class RankingPolicy(Policy):
    """Shows the best by a score, and nothing that is in the history.

    Args:
        slate_size: items a step; None for one item alone, without an axis of its own.
        again: whether what was shown may be shown again.
    """

    def __init__(self, slate_size: int | None = None, *, again: bool = False) -> None:
        self.slate_size = None if slate_size is None else whole_number("slate_size", slate_size)
        self.again = again

    @abc.abstractmethod
    def scores(self, observations: Observations) -> np.ndarray:
        """(n, n_items) higher is better, in a new array."""

    def act(
        self, observations: Observations, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        table = np.asarray(self.scores(observations), np.float64)
        if not self.again and "history" in observations:
            row, place = np.nonzero(observations["history"] >= 0)
            table[row, observations["history"][row, place]] = -np.inf
        slates, found = top_k(table, self.slate_size or 1)
        if not np.isfinite(found).all():
            raise ValueError(
                f"a user has fewer than {self.slate_size or 1} items to choose from: the others "
                "have been shown or have no score"
            )
        return _shaped(slates, self.slate_size), np.ones(len(slates))


class RecommenderPolicy(RankingPolicy):
    """Any fitted recommender as a policy: the best that have not been shown.

    To a recommender that takes a history, what the user was shown in the episode is the history;
    before anything was shown, it goes by what it learned of the user.

    Args:
        recommender: fitted; its users and items, by index, are those of the environment.
        slate_size, again: as of `RankingPolicy`.
    """

    def __init__(
        self, recommender: Recommender, slate_size: int | None = None, *, again: bool = False
    ) -> None:
        super().__init__(slate_size, again=again)
        self.recommender = recommender

    def scores(self, observations: Observations) -> np.ndarray:
        requests = Requests(np.asarray(observations["user"], np.int64), {})
        table = self.recommender._checked_scores(requests)
        if "history" in self.recommender.takes and "history" in observations:
            shown = (np.asarray(observations["history"]) + 1).astype(np.int32)
            some = np.flatnonzero(shown.any(axis=1))
            if len(some):
                asked = Requests(requests.users[some], {}, shown[some])
                table[some] = self.recommender._checked_scores(asked)
        return table


class EpsilonGreedy(Policy):
    """With probability `epsilon` any slate, else what `policy` shows (Sutton & Barto 2018).

    Args:
        policy: whose actions are certain, as those of a `RankingPolicy` are.
        n_items: how many items there are.
        epsilon: 0 to 1.
    """

    def __init__(self, policy: RankingPolicy, n_items: int, epsilon: float = 0.1) -> None:
        self.policy = policy
        self.epsilon = real_number("epsilon", epsilon, least=0.0, most=1.0)
        self.uniform = UniformPolicy(n_items, policy.slate_size)

    def act(
        self, observations: Observations, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        best, _ = self.policy.act(observations, rng)
        other, chance = self.uniform.act(observations, rng)
        explores = rng.random(len(best)) < self.epsilon
        actions = np.where(explores.reshape(-1, *[1] * (best.ndim - 1)), other, best)
        # The best slate may come by chance as well, whichever of the two chose it.
        is_best = (actions == best).reshape(len(best), -1).all(axis=1)
        return actions, self.epsilon * chance + (1 - self.epsilon) * is_best

    def learn(self, trajectory: Trajectory) -> None:
        self.policy.learn(trajectory)


class PolicyRecommender(Recommender):
    """A ranking policy under the contract of a recommender.

    A subclass's `_fit` learns and keeps what it learned in attributes that end in an underscore,
    and `policy` makes the policy from them: so it is saved and loaded like any other.
    """

    takes = ("history",)

    @abc.abstractmethod
    def policy(self) -> RankingPolicy:
        """The policy that has been learned."""

    def _score_requests(self, requests: Requests) -> np.ndarray:
        observations = {"user": requests.users}
        if requests.history is not None:
            observations["history"] = requests.history.astype(np.int64) - 1
        return np.asarray(self.policy().scores(observations), np.float32)


def _number(observations: Observations) -> int:
    """How many users there are."""
    return len(next(iter(observations.values())))


def _shaped(slates: np.ndarray, slate_size: int | None) -> Any:
    return slates[:, 0] if slate_size is None else slates
