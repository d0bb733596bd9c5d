"""`Trajectory`: what happened to users side by side, step by step."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from keras_recs.utils.checks import real_number


@dataclass(frozen=True, eq=False)
class Trajectory:
    """Steps of `n` users side by side. Axis 0 is time, axis 1 the users.

    Attributes:
        observations: name -> (n_steps, n, …), what the policy saw before it acted.
        actions: (n_steps, n) or (n_steps, n, slate_size) int64, item indices.
        rewards: (n_steps, n) float64.
        terminated: (n_steps, n) bool, whether the episode came to its own end: nothing follows.
        truncated: (n_steps, n) bool, whether it was broken off: what would have followed is unknown
            and not 0.
        next_observations: as `observations`, what the step led to.
        propensities: (n_steps, n) with which the policy chose the action, or None.
        real: (n_steps, n) bool, False for a step in which the environment only began a new episode.
    """

    observations: Mapping[str, np.ndarray]
    actions: np.ndarray
    rewards: np.ndarray
    terminated: np.ndarray
    truncated: np.ndarray
    next_observations: Mapping[str, np.ndarray]
    propensities: np.ndarray | None
    real: np.ndarray

    def __post_init__(self) -> None:
        shape = self.rewards.shape
        if len(shape) != 2:
            raise ValueError(f"rewards must have shape (n_steps, n), got {shape}")
        for name, values in self._arrays().items():
            if values.shape[:2] != shape:
                raise ValueError(f"{name} must begin with shape {shape}, got {values.shape}")

    @property
    def done(self) -> np.ndarray:
        """(n_steps, n) bool: whether an episode is over after the step, either way."""
        return self.terminated | self.truncated

    def returns(self, discount: float, after: Any = None) -> np.ndarray:
        """(n_steps, n) float64: the reward of each step and the discounted ones that follow it in
        its episode. Where a step is not `real`, what stands there means nothing.

        Args:
            discount: γ, 0 to 1.
            after: (n_steps, n) values of `next_observations`, put in the place of what is unknown:
                after a truncated step, and after the last one. None for 0.

        >>> ones, no = np.ones((3, 1)), np.zeros((3, 1), bool)
        >>> end = np.array([[False], [True], [False]])
        >>> path = Trajectory({}, ones.astype(int), ones, end, no, {}, None, ~no)
        >>> path.returns(0.5).ravel().tolist(), path.returns(0.5, 8 * ones).ravel().tolist()
        ([1.5, 1.0, 1.0], [1.5, 1.0, 5.0])
        """
        real_number("discount", discount, least=0.0, most=1.0)
        unknown = np.zeros(self.rewards.shape) if after is None else np.asarray(after, np.float64)
        if unknown.shape != self.rewards.shape:
            raise ValueError(f"after must have shape {self.rewards.shape}, got {unknown.shape}")
        out = np.zeros(self.rewards.shape)
        following = unknown[-1] if len(unknown) else np.zeros(self.rewards.shape[1])
        for step in reversed(range(len(out))):
            following = np.where(self.truncated[step], unknown[step], following)
            following = np.where(self.terminated[step], 0.0, following)
            out[step] = self.rewards[step] + discount * following
            following = out[step]
        return out

    def total(self) -> np.ndarray:
        """(n,) the sum of each user's rewards."""
        return self.rewards.sum(axis=0)

    @classmethod
    def beside(cls, parts: Sequence[Trajectory]) -> Trajectory:
        """Trajectories of as many steps, their users side by side.

        Raises:
            ValueError: none, or of different numbers of steps or kinds of observations.
        """
        if not parts:
            raise ValueError("parts must hold a trajectory at least")
        arrays = [part._arrays() for part in parts]
        if (
            len(
                {
                    (len(part.rewards), *sorted(found))
                    for part, found in zip(parts, arrays, strict=True)
                }
            )
            > 1
        ):
            raise ValueError("parts must be of as many steps and of the same observations")
        return cls._of(
            {name: np.concatenate([a[name] for a in arrays], axis=1) for name in arrays[0]}
        )

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write all arrays to an `.npz` file; nothing is pickled."""
        with open(path, "wb") as file:
            np.savez_compressed(file, **self._arrays())  # type: ignore[arg-type]

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Trajectory:
        """What `save` wrote."""
        with np.load(path, allow_pickle=False) as found:
            return cls._of(dict(found))

    def _arrays(self) -> dict[str, np.ndarray]:
        out = {
            "actions": self.actions,
            "rewards": self.rewards,
            "terminated": self.terminated,
            "truncated": self.truncated,
            "real": self.real,
        }
        if self.propensities is not None:
            out["propensities"] = self.propensities
        out |= {f"observations/{name}": values for name, values in self.observations.items()}
        out |= {f"next/{name}": values for name, values in self.next_observations.items()}
        return out

    @classmethod
    def _of(cls, arrays: dict[str, np.ndarray]) -> Trajectory:
        views: dict[str, dict[str, np.ndarray]] = {"observations": {}, "next": {}}
        plain: dict[str, Any] = {"propensities": None}
        for name, values in arrays.items():
            view, slash, field = name.partition("/")
            if slash:
                views[view][field] = values
            else:
                plain[name] = values
        return cls(**plain, observations=views["observations"], next_observations=views["next"])
