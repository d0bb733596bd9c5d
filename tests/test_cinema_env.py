"""`CinemaEnv`: the Gymnasium contract, and simulated users who behave as the model says."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

pytest.importorskip("gymnasium")
from gymnasium.utils.env_checker import check_env

from keras_recs.data.cinema import CinemaTruth, load_cinema
from keras_recs.data.cinema.context import SLOTS, time_slot
from keras_recs.data.cinema.env import CinemaEnv, CinemaVectorEnv
from keras_recs.data.cinema.model import THEMES
from keras_recs.data.cinema.simulation import CinemaSimulation


def same(a: dict[str, Any], b: dict[str, Any]) -> bool:
    return a.keys() == b.keys() and all(np.array_equal(a[name], b[name]) for name in a)


@pytest.mark.parametrize(
    "arguments", [{}, {"slate_size": 4, "reward": "rating"}, {"reward": "finish", "drift": False}]
)
def test_gymnasium_accepts_it(arguments: dict[str, Any], truth: CinemaTruth) -> None:
    check_env(CinemaEnv(**arguments, truth=truth), skip_render_check=True)


def test_importing_the_data_does_not_import_gymnasium() -> None:
    code = "import sys, keras_recs.data.cinema; sys.exit('gymnasium' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    "make",
    [
        lambda truth: CinemaEnv(truth=truth, slate_size=3),
        lambda truth: CinemaVectorEnv(5, truth=truth, slate_size=3),
    ],
)
def test_the_same_seed_gives_the_same_episode(
    make: Callable[[CinemaTruth], Any], truth: CinemaTruth
) -> None:
    env = make(truth)
    env.action_space.seed(0)
    actions = [env.action_space.sample() for _ in range(60)]

    def run(seed: int) -> list[tuple]:
        first, _ = env.reset(seed=seed)
        return [(first,), *(env.step(action) for action in actions[:50])]

    one, again, other = run(3), run(3), run(4)
    assert all(same(a[0], b[0]) for a, b in zip(one, again, strict=True))
    assert all(np.array_equal(a[1], b[1]) for a, b in zip(one[1:], again[1:], strict=True))
    assert not all(same(a[0], b[0]) for a, b in zip(one, other, strict=True))


def test_episode_and_observation(truth: CinemaTruth) -> None:
    env = CinemaEnv(horizon=7, history=4, visit=3, truth=truth)
    observation, _ = env.reset(seed=1, options={"user": 42})
    assert observation["user"] == 42 and (observation["history"] == -1).all()
    contexts, rewards = [observation["context"]], []
    for film in range(10, 17):
        observation, reward, terminated, truncated, info = env.step(film)
        assert env.observation_space.contains(observation)
        assert reward == info["click"].sum() and info["rating"][0] in (
            (0,) if not reward else (1, 2, 3, 4, 5)
        )
        assert not terminated and truncated == (film == 16)
        contexts.append(observation["context"])
        rewards.append(reward)
    assert (
        observation["history"].tolist() == [13, 14, 15, 16]
        and observation["feedback"].tolist() == rewards[-4:]
    )
    changes = [not np.array_equal(a, b) for a, b in zip(contexts, contexts[1:], strict=False)]
    assert not any(changes[i] for i in (0, 1, 3, 4, 6)), "the context lasts a visit"


def test_nothing_is_watched_twice_or_counted_twice(truth: CinemaTruth) -> None:
    env = CinemaVectorEnv(400, slate_size=2, truth=truth)
    env.reset(seed=0)
    best = env.expected_rewards().argmax(axis=1)
    _, rewards, *_, info = env.step(np.column_stack([best, best]))
    assert rewards.max() == 1 and rewards.mean() > 0.5 and not info["click"][:, 1].any()
    watched = rewards == 1
    assert (env.expected_rewards()[watched, best[watched]] == 0).all()
    for _ in range(3):
        _, rewards, *_ = env.step(np.column_stack([best, best]))
        assert not rewards[watched].any()
        watched |= rewards > 0


@pytest.mark.parametrize("reward", ["click", "finish", "rating"])
def test_oracle_beats_popularity_beats_random(reward: str, truth: CinemaTruth) -> None:
    popularity = load_cinema().popularity / 1000
    env, rng = CinemaVectorEnv(200, reward=reward, truth=truth), np.random.default_rng(0)

    def play(policy: Callable[[dict[str, np.ndarray]], np.ndarray]) -> np.ndarray:
        observation, _ = env.reset(seed=5)
        total, shown = np.zeros(200), np.zeros((200, 428), bool)
        for _ in range(30):
            films = np.where(shown, -1, policy(observation)).argmax(axis=1)
            shown[np.arange(200), films] = True
            observation, rewards, *_ = env.step(films)
            total += rewards
        return total

    oracle, popular, chance = (
        play(policy)
        for policy in (
            lambda _: env.expected_rewards(),
            lambda _: np.tile(popularity, (200, 1)),
            lambda _: rng.random((200, 428)),
        )
    )
    error = np.sqrt((popular.var() + chance.var()) / 200)
    assert oracle.mean() > 2 * popular.mean() and popular.mean() > chance.mean() + 2 * error


def test_many_side_by_side_are_like_one_after_the_other(truth: CinemaTruth) -> None:
    """The same user and the same films: the sums of rewards have the same distribution."""
    films, arguments = (
        np.argsort(-truth.fame)[:60:3],
        {"horizon": 20, "reward": "rating", "truth": truth},
    )
    single, many = CinemaEnv(**arguments), CinemaVectorEnv(1500, **arguments)
    alone = np.zeros(500)
    for episode in range(500):
        single.reset(seed=episode, options={"user": 7})
        alone[episode] = sum(single.step(film)[1] for film in films)
    many.reset(seed=0, options={"user": 7})
    together = sum(many.step(np.full(1500, film))[1] for film in films)
    error = np.sqrt(alone.var() / 500 + together.var() / 1500)
    assert abs(alone.mean() - together.mean()) < 4 * error and error < 0.1 * together.mean()
    assert 0.8 < alone.std() / together.std() < 1.25


def test_expected_rewards_are_the_mean_of_rewards(truth: CinemaTruth) -> None:
    for reward in ("click", "finish", "rating"):
        users = CinemaSimulation(20_000, reward=reward, truth=truth)
        rng = np.random.default_rng(1)
        users.reset(rng)
        films = rng.integers(0, 428, 20_000)
        expected = users.expected_rewards()[np.arange(20_000), films]
        got, _ = users.step(films[:, None], rng)
        assert abs(got.mean() - expected.mean()) < 4 * got.std() / 20_000**0.5


def test_users_react_to_the_hour_and_to_series(truth: CinemaTruth) -> None:
    users = CinemaSimulation(3000, truth=truth)
    users.reset(np.random.default_rng(0))
    slot, expected = time_slot(users.hour, users.weekend), users.expected_rewards()
    dread = expected[:, truth.item_themes[:, THEMES.index("dread")] > 0.6].mean(axis=1)
    assert (
        dread[slot == SLOTS.index("late night")].mean()
        > 1.3 * dread[slot == SLOTS.index("day")].mean()
    )
    place = {film: i for i, film in enumerate(truth.item_ids.tolist())}
    first, second = (place[film] for film in truth.series["Toy Story"][:2])
    users.watched[:, first] = True
    assert users.expected_rewards()[:, second].mean() > 2 * expected[:, second].mean()


def test_interests_drift_only_when_asked(truth: CinemaTruth) -> None:
    drifter = int(np.flatnonzero(truth.drifting)[0])
    old, new = truth.main_interest[drifter], truth.interests_at_end[drifter].argmax()
    rng = np.random.default_rng(0)
    for drift in (True, False):
        users = CinemaSimulation(2000, horizon=10, visit=1, drift=drift, truth=truth)
        users.reset(rng, users=np.full(2000, drifter))
        begin = users.active.copy()
        for _ in range(9):
            users.step(np.zeros((2000, 1), int), rng)
        gone = (begin == old).mean() - (users.active == old).mean()
        come = (users.active == new).mean() - (begin == new).mean()
        assert (gone > 0.3 and come > 0.3) if drift else (abs(gone) < 0.08 and abs(come) < 0.08)


def test_the_step_after_the_end_begins_a_new_episode(truth: CinemaTruth) -> None:
    env = CinemaVectorEnv(50, horizon=3, truth=truth)
    assert env.reset(seed=0)[0].keys() == env.observation_space.keys()
    for step in range(1, 9):
        observation, rewards, terminated, truncated, _ = env.step(env.action_space.sample())
        assert env.observation_space.contains(observation)
        assert truncated.all() == (step % 4 == 3) and not terminated.any()
        if step % 4 == 0:
            assert not rewards.any() and (observation["history"] == -1).all()


def test_bad_arguments(truth: CinemaTruth) -> None:
    for arguments, message in (
        ({"reward": "joy"}, "reward.*'joy'"),
        ({"slate_size": 0}, "slate_size"),
        ({"slate_size": 429}, "slate_size must be at most 428"),
        ({"horizon": -1}, "horizon"),
        ({"history": 0}, "history"),
        ({"visit": 0}, "visit"),
    ):
        with pytest.raises(ValueError, match=message):
            CinemaEnv(**arguments, truth=truth)
    env, many = CinemaEnv(truth=truth), CinemaVectorEnv(3, truth=truth)
    for user in (600, -1, 1.5, [1, 2]):
        with pytest.raises(ValueError, match=r"options\['user'\]"):
            env.reset(options={"user": user})
    env.reset(seed=0)
    many.reset(seed=0)
    for film in (428, -1):
        with pytest.raises(ValueError, match="films must be 0 … 427"):
            env.step(film)
    with pytest.raises(ValueError, match="shape"):
        many.step(np.zeros((3, 2), int))
    with pytest.raises(TypeError, match="seed"):
        many.reset(seed=[1, 2, 3])
