"""One planted effect of `cinema`, as the models find it or do not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from keras_recs.evaluation import Evaluation, compare
from keras_recs.evaluation.results import mean_evaluation


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


def compared(
    name: str,
    label: str,
    models: tuple[str, str],
    right: Sequence[Evaluation],
    wrong: Sequence[Evaluation],
    metric: str,
) -> Effect:
    """Two models over the users of one test, each the mean of its runs.

    Args:
        name: the effect.
        label: of the metric, for the table.
        models: the one that must find it, and the one that must not.
        right, wrong: an evaluation for each seed, or one where nothing is drawn.
        metric: as the evaluations call it.
    """
    gap = compare(mean_evaluation(right), mean_evaluation(wrong), metric)
    return Effect(
        name,
        label,
        *models,
        [run.metrics[metric] for run in right],
        [run.metrics[metric] for run in wrong],
        (gap.low, gap.high),
    )
