"""One planted effect of `cinema`, as the models find it or do not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Effect:
    """What was planted, the model that must find it, and the one that must not.

    Args:
        name: the effect, such as "context".
        metric: such as "AUC within a page".
        finds, misses: the two models, by name.
        right, wrong: (seeds,) figure of each model, the same seeds in the same order.
        interval: 95 % interval of the mean difference, right - wrong.
    """

    name: str
    metric: str
    finds: str
    misses: str
    right: Sequence[float]
    wrong: Sequence[float]
    interval: tuple[float, float]

    @property
    def difference(self) -> float:
        """Mean of right - wrong over the seeds."""
        return float(np.mean(self.right) - np.mean(self.wrong))

    @property
    def found(self) -> bool:
        """Whether the interval lies above zero."""
        return self.interval[0] > 0
