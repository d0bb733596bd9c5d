"""Policies, rollouts and trajectories, in a small environment whose returns are known."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import keras_recs
from keras_recs import EASE
from keras_recs.core.hyperparameters import Count
from keras_recs.data import Dataset, from_matrix
from keras_recs.rl import (
    EpsilonGreedy,
    Policy,
    PolicyRecommender,
    RankingPolicy,
    RecommenderPolicy,
    Trajectory,
    UniformPolicy,
    rollout,
)


class Counting:
    """Two users who pay the index of the item; user 1's episodes end after three steps, user 0's
    are broken off after four. The arrays that it gives are its own, and change; `luck` is the
    one thing that it draws."""

    metadata: dict[str, Any] = {}

    def __init__(self) -> None:
        self.history = np.full((2, 3), -1)
        self.clock = np.zeros(2, np.int64)

    def reset(self, seed: int | None = None, options: dict | None = None) -> tuple[dict, dict]:
        self.rng = np.random.default_rng(seed)
        self.history[:], self.clock[:] = -1, 0
        self.over = np.zeros(2, bool)
        return self._seen(), {}

    def _seen(self) -> dict:
        luck = self.rng.random(2)
        return {
            "user": np.arange(2),
            "history": self.history,
            "clock": self.clock,
            "luck": luck,
        }

    def step(self, actions: np.ndarray) -> tuple:
        begins = self.over
        rewards = np.where(begins, 0.0, actions)
        self.history[:] = np.roll(self.history, -1, axis=1)
        self.history[:, -1] = actions
        self.history[begins] = -1
        self.clock[:] = np.where(begins, 0, self.clock + 1)
        ended = np.array([False, self.clock[1] == 3])
        broken = np.array([self.clock[0] == 4, False])
        self.over = ended | broken
        return self._seen(), rewards, ended, broken, {}


class Best(RankingPolicy):
    """The highest index is the best."""

    def scores(self, observations) -> np.ndarray:
        return np.tile(np.arange(6.0), (len(observations["user"]), 1))


@pytest.fixture
def path() -> Trajectory:
    return rollout(Counting(), Best(), 6)


def test_a_rollout_records_what_was_seen_done_and_paid(path: Trajectory) -> None:
    """Best shows 5, 4, 3, … of what is not in the history of three, step by step."""
    assert path.actions.tolist() == [[5, 5], [4, 4], [3, 3], [2, 2], [5, 5], [5, 4]]
    assert path.rewards.tolist() == [[5, 5], [4, 4], [3, 3], [2, 0], [0, 5], [5, 4]]
    assert path.real.tolist() == [[1, 1], [1, 1], [1, 1], [1, 0], [0, 1], [1, 1]]
    assert path.observations["clock"].tolist() == [[0, 0], [1, 1], [2, 2], [3, 3], [4, 0], [0, 1]]
    assert path.next_observations["clock"][:-1].tolist() == path.observations["clock"][1:].tolist()
    assert path.terminated.tolist() == [[0, 0], [0, 0], [0, 1], [0, 0], [0, 0], [0, 0]]
    assert path.truncated.tolist() == [[0, 0], [0, 0], [0, 0], [1, 0], [0, 0], [0, 0]]
    assert path.total().tolist() == [19, 21] and (path.propensities == 1).all()
    assert path.actions.dtype == np.int64 and path.rewards.dtype == np.float64


def test_returns_stop_at_an_end_and_go_on_beyond_what_was_broken_off(path: Trajectory) -> None:
    """By hand, with γ = 0.5 and everything unknown worth 16."""
    plain = path.returns(0.5)
    assert plain[:4, 0].tolist() == [5 + 2 + 0.75 + 0.25, 4 + 1.5 + 0.5, 3 + 1, 2]
    assert plain[:3, 1].tolist() == [5 + 2 + 0.75, 4 + 1.5, 3]
    beyond = path.returns(0.5, np.full((6, 2), 16.0))
    assert beyond[3, 0] == 2 + 8 and beyond[2, 1] == 3, "broken off is not the end; the end is"
    assert beyond[5].tolist() == [5 + 8, 4 + 8], "and after the last step nothing is known"
    each = path.returns(0.5, np.arange(12.0).reshape(6, 2))
    assert (each[3, 0], each[2, 1]) == (2 + 3, 3), "what is unknown is that of its own step"
    assert each[5].tolist() == [5 + 5, 4 + 5.5]
    assert path.returns(0.0).tolist() == path.rewards.tolist()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((1.5,), "discount must lie between"),
        ((0.9, np.zeros(3)), r"after must have shape \(6, 2\)"),
    ],
)
def test_bad_arguments_of_returns(path: Trajectory, arguments: tuple, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        path.returns(*arguments)


def test_trajectories_are_saved_and_laid_side_by_side(path: Trajectory, tmp_path) -> None:
    path.save(tmp_path / "path.npz")
    again = Trajectory.load(tmp_path / "path.npz")
    assert set(again.observations) == {"user", "history", "clock", "luck"}
    for name, values in path._arrays().items():
        assert np.array_equal(again._arrays()[name], values), name
    both = Trajectory.beside([path, again])
    assert both.rewards.shape == (6, 4) and both.observations["history"].shape == (6, 4, 3)
    assert both.returns(0.5)[:, 2:].tolist() == path.returns(0.5).tolist()
    with pytest.raises(ValueError, match="parts must be of as many steps"):
        Trajectory.beside([path, rollout(Counting(), Best(), 5)])
    with pytest.raises(ValueError, match="parts must hold a trajectory at least"):
        Trajectory.beside([])
    with pytest.raises(ValueError, match=r"actions must begin with shape \(6, 2\)"):
        values = {**vars(path), "actions": path.actions[:5]}
        Trajectory(**values)


def test_a_rollout_records_the_propensity_of_the_action_beside_it() -> None:
    """Which action is the best changes with the history, so each step's is worked out again."""
    path = rollout(Counting(), EpsilonGreedy(Best(), 6, 0.5), 40)
    best = [
        Best().act({name: seen[step] for name, seen in path.observations.items()}, None)[0]
        for step in range(40)
    ]
    expected = 0.5 / 6 + 0.5 * (path.actions == best)
    assert path.propensities == pytest.approx(expected)
    assert len(np.unique(expected[:, 0])) == len(np.unique(expected[:, 1])) == 2


def test_a_seed_decides_everything() -> None:
    """What the policy draws and what the environment draws."""
    first, again, other = (
        rollout(Counting(), UniformPolicy(6), 40, seed=seed) for seed in (3, 3, 4)
    )
    for name, values in first._arrays().items():
        assert np.array_equal(values, again._arrays()[name]), name
    assert not np.array_equal(first.actions, other.actions)
    assert not np.array_equal(first.observations["luck"], other.observations["luck"])


def test_an_environment_that_begins_episodes_in_the_same_step_is_refused() -> None:
    env = Counting()
    env.metadata = {"autoreset_mode": "SAME_STEP"}
    with pytest.raises(ValueError, match="env must begin episodes in the step after their end"):
        rollout(env, Best(), 3)


# --- policies -------------------------------------------------------------------------------------

MANY = {"user": np.zeros(40_000, np.int64)}


def test_uniform_slates_are_uniform_and_know_their_propensity() -> None:
    slates, chance = UniformPolicy(4, 2).act(MANY, np.random.default_rng(0))
    assert (slates[:, 0] != slates[:, 1]).all()
    _, counts = np.unique(slates @ [4, 1], return_counts=True)
    assert len(counts) == 12 and np.abs(counts / 40_000 - chance[0]).max() < 0.01
    one, chance = UniformPolicy(4).act(MANY, np.random.default_rng(0))
    assert one.shape == (40_000,) and (chance == 0.25).all()
    with pytest.raises(ValueError, match="slate_size must be at most 4, got 5"):
        UniformPolicy(4, 5)


def test_epsilon_greedy_acts_with_the_propensities_that_it_names() -> None:
    """The best one comes by choice and by chance: its propensity counts both."""
    actions, chance = EpsilonGreedy(Best(), 6, 0.3).act(MANY, np.random.default_rng(0))
    for item in range(6):
        chosen = actions == item
        expected = 0.3 / 6 + 0.7 * (item == 5)
        assert chance[chosen] == pytest.approx(expected)
        assert chosen.mean() == pytest.approx(expected, abs=0.01)
    slates, chance = EpsilonGreedy(Best(2), 6, 0.5).act(MANY, np.random.default_rng(0))
    best = (slates == [5, 4]).all(axis=1)
    assert best.mean() == pytest.approx(0.5 + 0.5 / 30, abs=0.01)
    assert chance[best] == pytest.approx(0.5 + 0.5 / 30)
    assert chance[~best] == pytest.approx(0.5 / 30)


def test_what_was_shown_is_not_shown_again_unless_it_may() -> None:
    seen = {"user": np.arange(2), "history": np.array([[-1, 5, 4], [-1, -1, -1]])}
    rng = np.random.default_rng(0)
    assert Best(2).act(seen, rng)[0].tolist() == [[3, 2], [5, 4]]
    assert Best(2, again=True).act(seen, rng)[0].tolist() == [[5, 4], [5, 4]]
    assert Best().act(seen, rng)[0].tolist() == [3, 5]
    everything = {"user": np.zeros(1), "history": np.arange(6)[None]}
    with pytest.raises(ValueError, match="fewer than 1 items to choose from"):
        Best().act(everything, rng)


def test_a_policy_need_not_name_its_propensities() -> None:
    class Silent(Policy):
        def act(self, observations, rng):
            return np.zeros(2, np.int64), None

    path = rollout(Counting(), Silent(), 3)
    assert path.propensities is None and Silent().learn(path) is None
    assert Trajectory.beside([path, path]).propensities is None


# --- policies and recommenders --------------------------------------------------------------------


@pytest.fixture(scope="module")
def data() -> Dataset:
    """String ids; user 2 has met nothing."""
    met = [[1, 1, 0, 0, 0, 0], [0, 1, 1, 0, 0, 0], [0, 0, 0, 0, 0, 0], [0, 0, 0, 1, 1, 1]]
    return from_matrix(np.array(met))


def test_a_recommender_is_a_policy(data: Dataset) -> None:
    """It shows what it would recommend, whatever the ids of its users are."""
    ease = EASE(reg=1.0).fit(Dataset.from_arrays(["b", "b", "a", "a", "c"], [1, 2, 2, 3, 4]))
    policy = RecommenderPolicy(ease, 2)
    slates, _ = policy.act({"user": np.array([2, 0])}, np.random.default_rng(0))
    lists = ease.recommend(["c", "a"], 2, exclude_seen=False)
    assert ease.item_ids_[slates].tolist() == lists.items.tolist()


@dataclass(eq=False, repr=False)
class Bandit(PolicyRecommender):
    """Learns a value for each item, and shows the best that was not in the history."""

    window: Count = 2

    def _fit(self, data: Dataset) -> None:
        self.values_ = data.popularity.astype(np.float32)

    def policy(self) -> RankingPolicy:
        values = self.values_

        class Values(RankingPolicy):
            def scores(self, observations) -> np.ndarray:
                table = np.tile(values, (len(observations["user"]), 1))
                if "history" in observations:
                    last = observations["history"][:, -1]
                    table[np.arange(len(last)), (last + 1) % len(values)] += 10  # what follows
                return table

        return Values()


def test_a_policy_that_ranks_is_a_recommender(data: Dataset, tmp_path) -> None:
    model = Bandit().fit(data)
    assert model.recommend(2, 1).items.tolist() == [[1]], "the most popular"
    assert model.recommend(history=[[3], [0, 4]], k=1).items.tolist() == [[4], [5]]
    model.save(tmp_path / "bandit")
    again = Bandit.load(tmp_path / "bandit")
    assert np.array_equal(again.score([0, 2]), model.score([0, 2]))
    rng = np.random.default_rng(0)
    seen = {"user": np.array([0]), "history": np.array([[-1, 3]])}
    assert again.policy().act(seen, rng)[0].tolist() == [4]


def test_cinema_is_such_an_environment_and_a_taste_beats_chance() -> None:
    """Floor: item CF of the data set, as a policy, earns more clicks than uniform slates do."""
    env_module = pytest.importorskip("keras_recs.data.cinema.env")
    data = keras_recs.load_cinema()
    users = np.arange(0, 600, 6)
    taste = RecommenderPolicy(EASE().fit(data), 5)
    paths = []
    for policy in (taste, UniformPolicy(data.n_items, 5)):
        env = env_module.CinemaVectorEnv(100, slate_size=5, horizon=8, history=40)
        paths.append(rollout(env, policy, 8, seed=1, options={"user": users}))
    gain = paths[0].total() - paths[1].total()
    assert gain.mean() > 4 * gain.std() / 10 > 0, "a paired difference of four standard errors"
    assert paths[0].truncated[-1].all() and not paths[0].truncated[:-1].any()
    assert paths[0].observations["history"].shape == (8, 100, 40)


def test_neither_gymnasium_nor_tensorflow_is_needed() -> None:
    code = "import sys, keras_recs.rl; assert not {'gymnasium', 'tensorflow', 'keras'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
