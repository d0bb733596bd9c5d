"""Regret: what a policy that learns while it acts has lost to one that knew the best action."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from keras_recs.evaluation import bootstrap

CELLS_HELD = 1 << 22  # resampled means held at once: 32 MiB


@dataclass(frozen=True, eq=False, repr=False)
class Regret:
    """The regret of each round, in the unit of the rewards (Lai & Robbins 1985).

    Give *expected* rewards, which a simulation knows. Their regret is never negative, and has none
    of the noise of what was drawn (pseudo-regret: Bubeck & Cesa-Bianchi 2012). Rewards as drawn may
    be given, too: their mean is the same, and single rounds may be negative.

    Args:
        best: (n_rounds,) or (n_episodes, n_rounds) reward of the best action in each round.
        chosen: the same for the action that was taken. One that lacks the episodes goes for all.

    Raises:
        ValueError: other shapes, nothing, or what is not finite.

    >>> regret = Regret([1.0, 1.0, 0.5], [[0.2, 1.0, 0.5], [0.6, 0.6, 0.5]])
    >>> regret.cumulative.round(2).tolist()
    [[0.8, 0.8, 0.8], [0.4, 0.8, 0.8]]
    >>> regret.mean.round(2).tolist()
    [0.6, 0.8, 0.8]
    """

    best: Any
    chosen: Any

    def __post_init__(self) -> None:
        for name in ("best", "chosen"):
            values = np.asarray(getattr(self, name), float)
            if values.ndim not in (1, 2) or values.size == 0:
                raise ValueError(
                    f"{name} must be (n_rounds,) or (n_episodes, n_rounds) and not empty, "
                    f"got {values.shape}"
                )
            if not np.isfinite(values).all():
                raise ValueError(f"{name} must be finite")
            object.__setattr__(self, name, np.atleast_2d(values))
        rounds = self.best.shape[1], self.chosen.shape[1]
        episodes = {len(self.best), len(self.chosen)} - {1}
        if rounds[0] != rounds[1] or len(episodes) > 1:
            raise ValueError(
                "best and chosen must have the same rounds and episodes, "
                f"got {self.best.shape} and {self.chosen.shape}"
            )

    @cached_property
    def per_round(self) -> np.ndarray:
        """(n_episodes, n_rounds) best reward - reward of what was chosen."""
        return self.best - self.chosen

    @cached_property
    def cumulative(self) -> np.ndarray:
        """(n_episodes, n_rounds) regret up to and with each round."""
        return np.cumsum(self.per_round, axis=1)

    @property
    def mean(self) -> np.ndarray:
        """(n_rounds,) cumulative regret, over the episodes."""
        return self.cumulative.mean(axis=0)

    @property
    def final(self) -> np.ndarray:
        """(n_episodes,) cumulative regret at the end."""
        return self.cumulative[:, -1]

    def interval(
        self, level: float = 0.95, n_resamples: int = 2000, seed: int = 0
    ) -> tuple[np.ndarray, np.ndarray]:
        """The ends, (n_rounds,) each, of the bootstrap percentile interval of `mean` over episodes.

        Raises:
            ValueError: one episode, which cannot say how much others would differ; a level or
                number out of range.

        >>> low, high = Regret([1.0, 1.0], [[0.0, 1.0], [1.0, 1.0], [0.5, 1.0]]).interval()
        >>> bool(low[0] < 0.5 < high[0])
        True
        """
        bootstrap.check(level, n_resamples)
        n, n_rounds = self.cumulative.shape
        if n == 1:
            raise ValueError("an interval needs at least 2 episodes, got 1")
        rng = np.random.default_rng(seed)
        times = rng.multinomial(n, np.full(n, 1 / n), n_resamples)  # how often each is drawn
        size = max(1, CELLS_HELD // n_resamples)
        ends = [
            np.quantile(
                times @ self.cumulative[:, start : start + size] / n,
                [(1 - level) / 2, (1 + level) / 2],
                axis=0,
            )
            for start in range(0, n_rounds, size)
        ]
        low, high = np.concatenate(ends, axis=1)
        return low, high

    def __repr__(self) -> str:
        n, n_rounds = self.cumulative.shape
        return f"Regret({n:,} episodes of {n_rounds:,} rounds: {self.mean[-1]:.4f} in the end)"
