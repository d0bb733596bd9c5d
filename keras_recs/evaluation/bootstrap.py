"""The bootstrap over users: how sure a metric is, and whether one recommender beats another.

Users are what was sampled, so users are what is drawn again, each with all of their values (B.
Efron and R. Tibshirani 1993, An Introduction to the Bootstrap; T. Sakai 2006 for rankings). A
rating protocol has many errors per user; they belong together and are drawn together.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from keras_recs.utils.checks import real_number, whole_number

DRAWS_HELD = 1 << 20  # draws held at once, about 32 MiB, whatever the number of resamples
ROUNDING = 1e-12  # a difference below this is none: sums in another order differ by as much


@dataclass(frozen=True, eq=False)
class Sample:
    """The values of a metric, added up by user.

    Attributes:
        users: (n_users,) ids in order.
        sums, counts: (n_users, m) sum of each user's values, and how many there are, for m kinds of
            entries: one, or the positives and the negatives of an AUC.
        point: the metric itself: the mean of all values, of either kind.
        root: whether the metric is the root of the mean.
    """

    users: np.ndarray
    sums: np.ndarray
    counts: np.ndarray
    point: float
    root: bool

    @classmethod
    def of(
        cls, values: np.ndarray, users: np.ndarray, positives: np.ndarray | None, root: bool
    ) -> Sample:
        """From one value per entry; NaN is none.

        Args:
            values: (n,).
            users: (n,) ids.
            positives: (n,) bool for an AUC, else None.
            root: see above.
        """
        ids, row = np.unique(users, return_inverse=True)
        there = ~np.isnan(values)
        kinds = [there] if positives is None else [there & positives, there & ~positives]
        sums = [np.bincount(row[k], values[k], len(ids)) for k in kinds]
        counts = [np.bincount(row[k], minlength=len(ids)) for k in kinds]
        with np.errstate(invalid="ignore"):
            point = float(np.divide(sums[0].sum(), counts[0].sum()))
        return cls(ids, np.stack(sums, axis=1), np.stack(counts, axis=1), point, root)

    def matches(self, other: Sample) -> bool:
        """Whether both are of the same users and events."""
        return np.array_equal(self.users, other.users) and np.array_equal(self.counts, other.counts)

    def resampled(self, n_resamples: int, seed: int) -> np.ndarray:
        """(n_resamples,) the metric on users drawn again."""
        return _resampled([self], n_resamples, seed)[:, 0]


def resampled_differences(a: Sample, b: Sample, n_resamples: int, seed: int) -> np.ndarray:
    """(n_resamples,) A minus B, both on the same draw of users each time."""
    drawn = _resampled([a, b], n_resamples, seed)
    return drawn[:, 0] - drawn[:, 1]


def _resampled(samples: list[Sample], n_resamples: int, seed: int) -> np.ndarray:
    """(n_resamples, len(samples)) the metric of each, all on the same draws.

    An AUC compares each positive with each negative. To the first order it moves by what its
    positives and its negatives move by, each against the other kind as it is (E. DeLong, D. DeLong
    and D. Clarke-Pearson 1988; by clusters, here users: N. Obuchowski 1997).
    """
    first = samples[0]
    kinds = [
        resampled_means(
            np.stack([sample.sums[:, kind] for sample in samples], axis=1),
            first.counts[:, kind],
            n_resamples,
            seed,
        )
        for kind in range(first.counts.shape[1])
    ]
    if len(kinds) == 2:
        return kinds[0] + kinds[1] - np.array([sample.point for sample in samples])
    # means of squared errors become RMSEs; other metrics are means already
    return np.sqrt(kinds[0]) if first.root else kinds[0]


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
        # draws of each user
        times = np.bincount(cells.ravel(), minlength=size * n).reshape(size, n)
        out[start : start + size] = times.astype(float) @ columns
    with np.errstate(invalid="ignore"):  # NaN where a draw has no value at all
        return out[:, :-1] / out[:, -1:]


def ends(values: np.ndarray, level: float) -> tuple[float, float]:
    """The percentile interval; over the draws that have a value, NaN where none has."""
    values = values[~np.isnan(values)]
    if len(values) == 0:
        return float("nan"), float("nan")
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def check(level: float, n_resamples: int) -> None:
    if real_number("level", level, above=0.0, most=1.0) == 1:
        raise ValueError("level must be less than 1: no resampling reaches certainty")
    whole_number("n_resamples", n_resamples)
