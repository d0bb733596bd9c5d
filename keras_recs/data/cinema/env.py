"""`cinema` as a Gymnasium environment (Towers et al. 2024): the users of the data set, alive.

It needs the package gymnasium, which `import keras_recs.data` does not load.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from keras_recs.data.cinema.simulation import CinemaSimulation
from keras_recs.data.cinema.truth import CinemaTruth

try:
    import gymnasium
    from gymnasium import spaces
    from gymnasium.vector import AutoresetMode, VectorEnv
    from gymnasium.vector.utils import batch_space
except ImportError as error:
    raise ImportError(
        "CinemaEnv needs the package gymnasium, 1.1 or later: pip install gymnasium"
    ) from error


class CinemaEnv(gymnasium.Env[dict[str, Any], Any]):
    """One simulated user at a time, who is shown one film or a slate of films at each step.

    Observation, a Dict:
        user: Discrete(600), which user it is: index in the data set.
        context: Box (6,) float32: sine and cosine of the hour, weekend, and phone, tablet or tv as
        0 or 1. history: Box (history,) int64: the films shown last, oldest first, -1 where there
        are none yet. feedback: Box (history,) float32: the reward that each of them brought.
    Action: Discrete(428), the index of a film in the data set, or with slate_size > 1
    MultiDiscrete, one a place. Reward: the sum over the slate of what `reward` names: 1 for a
    "click", 1 for a "finish", or the "rating"
        (1 to 5) of a film that is clicked; 0 otherwise. What the user watched before is not clicked
        again.
    Episode: `horizon` steps, then truncated; it never terminates. Each `visit` steps a new visit
        begins, with its own context and its own interest of the user. With `drift`, interests move
        over the episode.

    `reset(seed=…)` makes it repeat; `reset(options={"user": 7})` chooses the user. The info of a
    step holds click, finish, like and rating of each place of the slate.

    Args:
        slate_size, reward, horizon, visit, history, drift, truth: as `CinemaSimulation` takes them.

    Raises:
        ValueError, TypeError: an argument, an action or a user out of range.
    """

    metadata: dict[str, Any] = {"render_modes": []}

    def __init__(
        self,
        *,
        slate_size: int = 1,
        reward: str = "click",
        horizon: int = 50,
        visit: int = 5,
        history: int = 20,
        drift: bool = True,
        truth: CinemaTruth | None = None,
    ) -> None:
        self.simulation = CinemaSimulation(
            1,
            slate_size=slate_size,
            reward=reward,
            horizon=horizon,
            visit=visit,
            history=history,
            drift=drift,
            truth=truth,
        )
        self.observation_space, self.action_space = _spaces(self.simulation)

    def reset(
        self,
        *,
        seed: int | None = None,
        options: dict[str, Any] | None = None,
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """A new episode: observation and info."""
        super().reset(seed=seed)
        self.simulation.reset(self.np_random, users=_chosen(options, self.simulation, 1))
        return self._observation(), {}

    def step(self, action: Any) -> tuple[dict[str, Any], float, bool, bool, dict[str, Any]]:
        """Observation, reward, terminated (never), truncated (at the horizon), info."""
        rewards, outcome = self.simulation.step(np.asarray(action).reshape(1, -1), self.np_random)
        info = {name: values[0] for name, values in outcome.items()}
        return self._observation(), float(rewards[0]), False, bool(self.simulation.done[0]), info

    def expected_rewards(self) -> np.ndarray:
        """(428,) reward expected of each film if it were shown now: for oracles and regret, not for
        policies."""
        return self.simulation.expected_rewards()[0]

    def _observation(self) -> dict[str, Any]:
        observation = {name: values[0] for name, values in _observations(self.simulation).items()}
        return {**observation, "user": np.int64(observation["user"])}


class CinemaVectorEnv(VectorEnv):
    """`num_envs` users side by side, in one batch of array operations: the fast form of
    `CinemaEnv`.

    Spaces, rewards and arguments are those of `CinemaEnv`, with `num_envs` in front of every shape.
    The step after the end of an episode begins the next one, whatever the action, with reward 0
    (`AutoresetMode.NEXT_STEP`). `reset(options={"user": users})` takes one index or `num_envs` of
    them.
    """

    def __init__(
        self,
        num_envs: int,
        *,
        slate_size: int = 1,
        reward: str = "click",
        horizon: int = 50,
        visit: int = 5,
        history: int = 20,
        drift: bool = True,
        truth: CinemaTruth | None = None,
    ) -> None:
        self.simulation = CinemaSimulation(
            num_envs,
            slate_size=slate_size,
            reward=reward,
            horizon=horizon,
            visit=visit,
            history=history,
            drift=drift,
            truth=truth,
        )
        self.num_envs = num_envs
        self.metadata = {"render_modes": [], "autoreset_mode": AutoresetMode.NEXT_STEP}
        self.single_observation_space, self.single_action_space = _spaces(self.simulation)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self._ended = np.zeros(num_envs, bool)

    def reset(
        self,
        *,
        seed: int | list[int | None] | None = None,
        options: dict[str, Any] | None = None,
    ) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """New episodes everywhere: observations and info. All users draw from one stream, so `seed`
        is one number.

        Raises:
            TypeError: a list of seeds.
        """
        if isinstance(seed, (list, tuple)):
            raise TypeError("seed must be one whole number: all environments draw from one stream")
        super().reset(seed=seed)
        self.simulation.reset(
            self.np_random, users=_chosen(options, self.simulation, self.num_envs)
        )
        self._ended[:] = False
        return _observations(self.simulation), {}

    def step(
        self, actions: Any
    ) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray, np.ndarray, dict[str, Any]]:
        """Observations, rewards, terminated, truncated (num_envs,) each, and info, arrays
        (num_envs, slate_size)."""
        ended = self._ended
        rewards, info = self.simulation.step(
            np.asarray(actions).reshape(self.num_envs, -1), self.np_random
        )
        if ended.any():
            self.simulation.reset(self.np_random, np.flatnonzero(ended))
            rewards[ended] = 0
            info = {
                name: np.where(ended[:, None], 0, values).astype(values.dtype)
                for name, values in info.items()
            }
        self._ended = self.simulation.done
        return (
            _observations(self.simulation),
            rewards,
            np.zeros(self.num_envs, bool),
            self._ended.copy(),
            info,
        )

    def expected_rewards(self) -> np.ndarray:
        """(num_envs, 428) reward expected of each film if it were shown now: for oracles and
        regret."""
        return self.simulation.expected_rewards()


def _spaces(simulation: CinemaSimulation) -> tuple[spaces.Dict, spaces.Space[Any]]:
    n_items, length = simulation.model.n_items, simulation.history
    most = 5.0 if simulation.reward == "rating" else 1.0
    observation = spaces.Dict(
        {
            "user": spaces.Discrete(simulation.model.n_users),
            "context": spaces.Box(-1.0, 1.0, (6,), np.float32),
            "history": spaces.Box(-1, n_items - 1, (length,), np.int64),
            "feedback": spaces.Box(0.0, most, (length,), np.float32),
        }
    )
    if simulation.slate_size == 1:
        return observation, spaces.Discrete(n_items)
    return observation, spaces.MultiDiscrete([n_items] * simulation.slate_size)


def _observations(simulation: CinemaSimulation) -> dict[str, np.ndarray]:
    """In copies: an agent may keep them."""
    return {
        "user": simulation.users.copy(),
        "context": simulation.context(),
        "history": simulation.items.copy(),
        "feedback": simulation.feedback.copy(),
    }


def _chosen(
    options: dict[str, Any] | None, simulation: CinemaSimulation, n: int
) -> np.ndarray | None:
    if options is None or "user" not in options:
        return None
    users, n_users = np.asarray(options["user"]), simulation.model.n_users
    if (
        users.dtype.kind not in "iu"
        or users.shape not in ((), (n,))
        or users.min() < 0
        or users.max() >= n_users
    ):
        raise ValueError(
            f"options['user'] must be indices 0 … {n_users - 1}, one or {n}, got {options['user']!r}"
        )
    return np.broadcast_to(users, n)
