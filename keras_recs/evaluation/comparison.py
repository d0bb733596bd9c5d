"""Whether one recommender beats another, by the paired bootstrap."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from keras_recs.evaluation import bootstrap, metrics
from keras_recs.evaluation.results import Evaluation


@dataclass(frozen=True)
class Comparison:
    """What `compare` found.

    Attributes:
        difference: metric of A minus metric of B, in the metric's unit.
        low, high: the ends of the confidence interval of the difference.
        p_better: share of the resamples in which A is better than B, ties counting half.
        verdict: "A is better", "B is better" or "no clear difference".
    """

    difference: float
    low: float
    high: float
    p_better: float
    verdict: str


def compare(
    a: Evaluation,
    b: Evaluation,
    metric: str,
    *,
    level: float = 0.95,
    n_resamples: int = 2000,
    seed: int = 0,
) -> Comparison:
    """The paired bootstrap of metric(A) - metric(B): both are computed on the same draw of users
    each time.

    The pairing is what makes small differences visible: a user who is hard for A is mostly hard for
    B, and what both share cancels. One is called better only where the interval of the difference
    excludes zero. Draws for which the metric is not defined, such as an AUC without a positive, do
    not count.

    Args:
        a, b: evaluations of the same protocol and users.
        metric: a name that both have per-user values of.
        level: of the interval, between 0 and 1.
        n_resamples: draws of users.
        seed: of the draws; the same seed gives the same result.

    Raises:
        KeyError: a metric without per-user values.
        ValueError: other users, another protocol, a level or number out of range.
    """
    for name, value in (("a", a), ("b", b)):
        if not hasattr(value, "per_user"):
            raise TypeError(
                f"{name} must be what evaluate(recommender, split) gives, got a {type(value).__name__}"
            )
    bootstrap.check(level, n_resamples)
    if a.protocol != b.protocol:
        raise ValueError(f"a and b must be of one protocol, got {a.protocol} and {b.protocol}")
    ours, theirs = a.sample_of(metric), b.sample_of(metric)
    if not ours.matches(theirs):
        both = len(np.intersect1d(ours.users, theirs.users))
        raise ValueError(
            f"a and b must be of the same users and events, got {len(ours.users)} and "
            f"{len(theirs.users)} users, of whom {both} are in both"
        )
    differences = bootstrap.resampled_differences(ours, theirs, n_resamples, seed)
    differences = differences[~np.isnan(differences)]  # draws for which the metric is not defined
    differences[np.abs(differences) < bootstrap.ROUNDING] = 0.0
    low, high = bootstrap.ends(differences, level)
    lower = metrics.lower_is_better(metric)
    gains = -differences if lower else differences
    ahead, behind = (-high, -low) if lower else (low, high)
    verdict = "A is better" if ahead > 0 else "B is better" if behind < 0 else "no clear difference"
    return Comparison(
        a.metrics[metric] - b.metrics[metric],
        low,
        high,
        float(np.mean(gains > 0) + np.mean(gains == 0) / 2) if len(gains) else float("nan"),
        verdict,
    )
