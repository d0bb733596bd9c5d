"""`rollout`: a policy in an environment, and the record of it."""

from __future__ import annotations

from typing import Any

import numpy as np

from keras_recs.rl.policies import Policy
from keras_recs.rl.trajectory import Trajectory
from keras_recs.utils.checks import whole_number


def rollout(
    env: Any, policy: Policy, n_steps: int, *, seed: int = 0, options: dict | None = None
) -> Trajectory:
    """Let a policy act for `n_steps` in all users of an environment at once.

    The environment and the policy draw from generators of their own, both from the seed: the same
    seed gives the same trajectory.

    Args:
        env: a vector environment of Gymnasium, such as `CinemaVectorEnv`: `reset(seed=, options=)`
            gives observations by name and an info, `step(actions)` observations, rewards,
            terminated, truncated and an info. After the end of an episode its next step begins a
            new one and counts for nothing (`AutoresetMode.NEXT_STEP`).
        policy: acts; it does not learn here.
        n_steps: for each user.
        seed: of chance.
        options: for `env.reset`, such as who the users are.

    Raises:
        ValueError: an environment that begins episodes in another way.
    """
    whole_number("n_steps", n_steps)
    whole_number("seed", seed, least=0)
    mode = getattr(env, "metadata", {}).get("autoreset_mode")
    if mode is not None and getattr(mode, "name", mode) != "NEXT_STEP":
        raise ValueError(f"env must begin episodes in the step after their end, got {mode}")
    rng = np.random.default_rng([seed, 1])  # a stream beside that of the environment
    observations = _copied(env.reset(seed=seed, options=options)[0])
    rows: dict[str, list[Any]] = {name: [] for name in _ROWS}
    over: np.ndarray | None = None
    for _ in range(n_steps):
        actions, propensities = policy.act(observations, rng)
        following, rewards, terminated, truncated, _ = env.step(actions)
        following = _copied(following)  # the environment may write into what it gave
        real = np.ones(len(rewards), bool) if over is None else ~over
        step = (
            observations,
            actions,
            rewards,
            terminated,
            truncated,
            following,
            propensities,
            real,
        )
        for name, value in zip(_ROWS, step, strict=True):
            rows[name].append(value if isinstance(value, dict) else _copied(value))
        over = np.asarray(terminated) | np.asarray(truncated)
        observations = following
    return Trajectory(
        _stacked(rows["observations"]),
        np.stack(rows["actions"]).astype(np.int64),
        np.stack(rows["rewards"]).astype(np.float64),
        np.stack(rows["terminated"]).astype(bool),
        np.stack(rows["truncated"]).astype(bool),
        _stacked(rows["next_observations"]),
        None if rows["propensities"][0] is None else np.stack(rows["propensities"]),
        np.stack(rows["real"]),
    )


_ROWS = (
    "observations",
    "actions",
    "rewards",
    "terminated",
    "truncated",
    "next_observations",
    "propensities",
    "real",
)


def _copied(value: Any) -> Any:
    """A copy of an array, or of each by name; None stays None."""
    if value is None:
        return None
    if isinstance(value, dict):
        return {name: np.array(values) for name, values in value.items()}
    return np.array(value)


def _stacked(rows: list[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    return {name: np.stack([row[name] for row in rows]) for name in rows[0]}
