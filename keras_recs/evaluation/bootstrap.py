"""The bootstrap over users: how sure a metric is, and whether one recommender beats another.

Users are what was sampled, so users are what is drawn again, each with all of their values (B.
Efron and R. Tibshirani 1993, An Introduction to the Bootstrap; T. Sakai 2006 for rankings). A
rating protocol has many errors per user; they belong together and are drawn together.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from keras_recs.utils.checks import real_number, whole_number

if TYPE_CHECKING:
    from keras_recs.evaluation.protocol import Evaluation

LOWER_IS_BETTER = frozenset({"rmse", "mae"})
DRAWS_HELD = 1 << 20  # draws held at once, about 32 MiB, whatever the number of resamples
ROUNDING = 1e-12  # a difference below this is none: sums in another order differ by as much


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
    excludes zero.

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
    _check(level, n_resamples)
    if a.protocol != b.protocol:
        raise ValueError(f"a and b must be of one protocol, got {a.protocol} and {b.protocol}")
    users, sums, counts = by_user(a, metric)
    other_users, other_sums, other_counts = by_user(b, metric)
    if not (np.array_equal(users, other_users) and np.array_equal(counts, other_counts)):
        both = len(np.intersect1d(users, other_users))
        raise ValueError(
            f"a and b must be of the same users and events, got {len(users)} and "
            f"{len(other_users)} users, of whom {both} are in both"
        )
    columns = np.stack([sums, other_sums], axis=1)
    drawn = _unit(metric, resampled_means(columns, counts, n_resamples, seed))
    differences = drawn[:, 0] - drawn[:, 1]
    differences[np.abs(differences) < ROUNDING] = 0.0
    low, high = _ends(differences, level)
    gains = -differences if metric in LOWER_IS_BETTER else differences
    ahead, behind = (-high, -low) if metric in LOWER_IS_BETTER else (low, high)
    verdict = "A is better" if ahead > 0 else "B is better" if behind < 0 else "no clear difference"
    return Comparison(
        a.metrics[metric] - b.metrics[metric],
        low,
        high,
        float(np.mean(gains > 0) + np.mean(gains == 0) / 2),
        verdict,
    )


def interval(
    evaluation: Evaluation, metric: str, level: float, n_resamples: int, seed: int
) -> tuple[float, float]:
    """The percentile interval of one metric; `Evaluation.interval` says what the arguments are."""
    _check(level, n_resamples)
    _, sums, counts = by_user(evaluation, metric)
    return _ends(
        _unit(metric, resampled_means(sums[:, None], counts, n_resamples, seed))[:, 0], level
    )


def by_user(evaluation: Evaluation, metric: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The values of each user added up: user ids in order, sums (n_users,), numbers of values
    (n_users,)."""
    if metric not in evaluation.per_user:
        raise KeyError(
            f"{metric!r} has no per-user values; these have: {', '.join(evaluation.per_user)}"
        )
    users, row = np.unique(evaluation.users, return_inverse=True)
    return users, np.bincount(row, evaluation.per_user[metric]), np.bincount(row)


def resampled_means(
    sums: np.ndarray, counts: np.ndarray, n_resamples: int, seed: int
) -> np.ndarray:
    """(n_resamples, m) means of the values of users drawn with replacement.

    Args:
        sums: (n_users, m) sums of the values of each user, for m metrics on the same draws.
        counts: (n_users,) how many values each sum has.
    """
    rng = np.random.default_rng(seed)
    n = len(counts)
    rows = max(1, DRAWS_HELD // n)
    columns = np.column_stack([sums, counts])
    out = np.empty((n_resamples, columns.shape[1]))
    for start in range(0, n_resamples, rows):
        size = min(rows, n_resamples - start)
        cells = rng.integers(0, n, (size, n)) + n * np.arange(size)[:, None]
        times = np.bincount(cells.ravel(), minlength=size * n).reshape(
            size, n
        )  # draws of each user
        out[start : start + size] = times.astype(float) @ columns
    return out[:, :-1] / out[:, -1:]


def _unit(metric: str, means: np.ndarray) -> np.ndarray:
    """Means of squared errors become RMSEs; other metrics are means already."""
    return np.sqrt(means) if metric == "rmse" else means


def _ends(values: np.ndarray, level: float) -> tuple[float, float]:
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def _check(level: float, n_resamples: int) -> None:
    if real_number("level", level, above=0.0, most=1.0) == 1:
        raise ValueError("level must be less than 1: no resampling reaches certainty")
    whole_number("n_resamples", n_resamples)
