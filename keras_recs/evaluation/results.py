"""What an evaluation gives: figures, and the values of each user behind them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from keras_recs.evaluation import bootstrap, metrics


@dataclass(frozen=True, eq=False, repr=False)
class Evaluation:
    """What a recommender reached.

    Attributes:
        protocol: name of the split's, such as "P1".
        metrics: name, such as "ndcg@10", to value.
        per_user: name to array, for the metrics that are means over users. Where ratings or events
            are predicted, there is one entry per event: `per_user["rmse"]` holds squared errors
            (the RMSE is the root of their mean), `per_user["mae"]` absolute ones. NaN is an entry
            that the metric does not have; the mean is over the others.
        users: ids, one per entry of those arrays.
        undefined: name to the number of groups (pages, or the whole test) for which the metric is
            not defined, where that can happen.
        positives: name to (n,) bool, for an AUC, which compares two kinds of entries: its mean over
            either kind alone is the AUC.
    """

    protocol: str
    metrics: dict[str, float]
    per_user: dict[str, np.ndarray]
    users: np.ndarray
    undefined: dict[str, int] = field(default_factory=dict)
    positives: dict[str, np.ndarray] = field(default_factory=dict)

    def interval(
        self, name: str, level: float = 0.95, n_resamples: int = 2000, seed: int = 0
    ) -> tuple[float, float]:
        """The bootstrap percentile interval of a metric over draws of users (Efron & Tibshirani
        1993).

        It says how much the figure would vary with other users of the same kind, after the same
        training.

        Args:
            name: a metric with per-user values.
            level: between 0 and 1.
            n_resamples: draws of users with replacement.
            seed: of the draws.

        Raises:
            KeyError: coverage, novelty and Gini belong to all lists together and have no per-user
            values. ValueError: a level or number out of range.
        """
        bootstrap.check(level, n_resamples)
        drawn = self.sample_of(name).resampled(n_resamples, seed)
        return bootstrap.ends(drawn, level)

    def sample_of(self, name: str) -> bootstrap.Sample:
        """The per-user values of a metric, ready to be drawn again; a KeyError where it has none."""
        if name not in self.per_user:
            raise KeyError(
                f"{name!r} has no per-user values; these have: {', '.join(self.per_user)}"
            )
        return bootstrap.Sample.of(
            self.per_user[name], self.users, self.positives.get(name), metrics.is_root(name)
        )

    def table(self) -> str:
        """A line per metric: name, value and, where there is one, the 95 % interval."""
        lines = [f"{self.protocol}, {self._n_users:,} users"]
        width = max([14, *(len(name) + 1 for name in self.metrics)])
        for name, value in self.metrics.items():
            line = f"{name:<{width}}{value:.4f}"
            if name in self.per_user:
                low, high = self.interval(name)
                line += f"   {low:.4f} to {high:.4f}"
            if self.undefined.get(name):
                line += f"   undefined for {self.undefined[name]:,}"
            lines.append(line)
        return "\n".join(lines)

    def __repr__(self) -> str:
        values = ", ".join(f"{name} {value:.4f}" for name, value in self.metrics.items())
        return f"Evaluation({self.protocol}, {self._n_users:,} users: {values})"

    @property
    def _n_users(self) -> int:
        return len(np.unique(self.users))


def mean_evaluation(evaluations: Sequence[Evaluation]) -> Evaluation:
    """Several runs as one, such as those of several seeds: what a run reaches on average.

    Values of users or events are averaged over the runs, one by one, so that `interval` and
    `compare` draw users and not runs. The figures are those of these averages: of an RMSE the root
    comes last, after the mean of the squared errors of all runs; an AUC is the mean of the runs'
    and keeps which entries are positives. What belongs to all lists together, or to all events, is
    the mean of the runs' figures.

    Args:
        evaluations: of the same protocol, test and metrics, one at least.

    Raises:
        ValueError: none, or evaluations of different tests or metrics.

    >>> runs = [
    ...     Evaluation("P3", {"rmse": e}, {"rmse": np.array([e**2])}, np.array([1])) for e in (1.0, 7.0)
    ... ]
    >>> mean_evaluation(runs).metrics
    {'rmse': 5.0}
    """
    if not evaluations:
        raise ValueError("evaluations must have one at least, got none")
    first = evaluations[0]
    for other in evaluations[1:]:
        _require_same_test(first, other)
    return Evaluation(
        first.protocol,
        {
            name: _mean_figure(name, [e.metrics[name] for e in evaluations])
            for name in first.metrics
        },
        {name: np.mean([e.per_user[name] for e in evaluations], axis=0) for name in first.per_user},
        first.users,
        first.undefined,
        first.positives,
    )


def _mean_figure(name: str, figures: list[float]) -> float:
    """Of roots of means over the same entries, the root of the mean."""
    return float(
        np.sqrt(np.mean(np.square(figures))) if metrics.is_root(name) else np.mean(figures)
    )


def _require_same_test(a: Evaluation, b: Evaluation) -> None:
    """A ValueError, unless all but the values is the same."""
    if a.protocol != b.protocol or list(a.metrics) != list(b.metrics):
        raise ValueError(
            "evaluations must be of one protocol and have the same metrics, "
            f"got {a.protocol} with {', '.join(a.metrics)} and {b.protocol} with {', '.join(b.metrics)}"
        )
    same = (
        np.array_equal(a.users, b.users)
        and a.positives.keys() == b.positives.keys()
        and all(np.array_equal(a.positives[name], b.positives[name]) for name in a.positives)
        and a.undefined == b.undefined
    )
    if not same:
        raise ValueError("evaluations must be of the same users and events, in the same order")
