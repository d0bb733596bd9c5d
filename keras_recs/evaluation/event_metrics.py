"""How well probabilities of events are predicted: order (AUC) and value (log loss, calibration).

All functions take `labels` (n,) of 0 and 1 and `predictions` (n,) between 0 and 1, and are pure.
Where a metric is not defined, because all labels are the same, it is NaN.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import stats

#: Predictions are kept this far from 0 and 1 in a log loss: as near as a float32 tells apart.
CLOSEST = 1e-7


# --- order ----------------------------------------------------------------------------------------


def placements(labels: Any, predictions: Any) -> np.ndarray:
    """(n,) what each event says about the order; NaN everywhere where there is one kind of label.

    Of a positive: the share of the negatives with a lower prediction. Of a negative: the share of
    the positives with a higher one. A tie counts half. The mean over the positives is the AUC, and
    so is that over the negatives (DeLong, DeLong & Clarke-Pearson 1988).

    >>> placements([1, 0, 1, 0], [0.9, 0.4, 0.4, 0.1]).tolist()
    [1.0, 0.75, 0.75, 1.0]
    """
    labels, predictions = checked(labels, predictions)
    positive = labels == 1
    n_positive = np.count_nonzero(positive)
    n_negative = len(labels) - n_positive
    out = np.full(len(labels), np.nan)
    if n_positive == 0 or n_negative == 0:
        return out
    everywhere = stats.rankdata(predictions)  # midranks: ties share the mean of their ranks
    # Less the rank among one's own kind, a midrank counts the other kind below, ties half.
    below = everywhere[positive] - stats.rankdata(predictions[positive])
    out[positive] = below / n_negative
    below = everywhere[~positive] - stats.rankdata(predictions[~positive])
    out[~positive] = 1 - below / n_positive
    return out


def auc(labels: Any, predictions: Any) -> float:
    """The probability that a positive is above a negative, ties half (Hanley & McNeil 1982).

    It is the area under the ROC curve. NaN where there is one kind of label.

    >>> auc([1, 0, 1, 0], [0.9, 0.4, 0.4, 0.1])  # one tie among four pairs
    0.875
    """
    labels, predictions = checked(labels, predictions)
    return mean_of(placements(labels, predictions)[labels == 1])


def group_aucs(labels: Any, predictions: Any, groups: Any) -> np.ndarray:
    """(n_groups,) the AUC within each group, in the order of the sorted group ids; NaN for a group
    with one kind of label.

    Args:
        labels, predictions: (n,).
        groups: (n,) which group each event is in.

    >>> group_aucs([1, 0, 1, 0, 1], [0.9, 0.4, 0.2, 0.3, 0.1], [7, 7, 8, 8, 9]).tolist()
    [1.0, 0.0, nan]
    """
    labels, predictions = checked(labels, predictions)
    _, group = np.unique(groups, return_inverse=True)
    positives = np.bincount(group, labels)
    negatives = np.bincount(group) - positives
    # Midranks within each group: the place in the sorted order, ties averaged, less the start.
    order = np.lexsort([predictions, group])
    same = (np.diff(group[order]) == 0) & (np.diff(predictions[order]) == 0)
    tie = np.cumsum(np.append(True, ~same)) - 1
    place = np.arange(1, len(order) + 1)
    midrank = (np.bincount(tie, place) / np.bincount(tie))[tie]
    sizes = np.bincount(group)
    rank = midrank - (np.cumsum(sizes) - sizes)[group[order]]
    # Mann & Whitney's U: the rank sum of the positives, less what they take among themselves.
    rank_sum = np.bincount(group[order], rank * labels[order])
    wins = rank_sum - positives * (positives + 1) / 2
    pairs = positives * negatives
    return np.divide(wins, pairs, out=np.full(len(pairs), np.nan), where=pairs > 0)


def group_auc(labels: Any, predictions: Any, groups: Any) -> float:
    """The mean AUC within a group, each group weighted by its number of events (Zhu et al. 2017).

    Groups with one kind of label have no AUC and do not count. NaN where there is no other group.

    >>> group_auc([1, 0, 1, 0, 0], [0.9, 0.4, 0.2, 0.3, 0.1], [7, 7, 8, 8, 8])  # (2 · 1 + 3 · 0.5) / 5
    0.7
    """
    _, group = np.unique(groups, return_inverse=True)
    return mean_of(group_aucs(labels, predictions, groups)[group])


# --- value ----------------------------------------------------------------------------------------


def log_losses(labels: Any, predictions: Any) -> np.ndarray:
    """(n,) -log of the probability that was given to what happened, in nats (Good 1952).

    Predictions are kept `CLOSEST` away from 0 and 1, so that none is infinite.

    >>> log_losses([1, 0], [0.5, 0.5]).round(4).tolist()
    [0.6931, 0.6931]
    """
    labels, predictions = checked(labels, predictions)
    p = predictions.clip(CLOSEST, 1 - CLOSEST)
    return -np.where(labels == 1, np.log(p), np.log1p(-p))


def calibration_error(labels: Any, predictions: Any, n_bins: int = 10) -> float:
    """Expected calibration error with bins of equal mass: how far a prediction is from the rate.

    ECE = sum over the bins of n_bin / n * |mean prediction - mean label|. Each bin has as many
    events as the others, in the order of the predictions (Nixon et al. 2019), not the same width:
    where most predictions are near 0, equal widths put nearly all into one bin. Equal predictions
    stay in one bin, that of the middle of their ranks, so that the order of the events is nothing.

    Args:
        labels, predictions: (n,).
        n_bins: at least 1; where fewer events or values are, some bins are empty.

    >>> calibration_error([0, 0, 1, 1], [0.1, 0.1, 0.6, 0.6], n_bins=2)
    0.25
    """
    labels, predictions = checked(labels, predictions)
    middle = stats.rankdata(predictions) - 0.5
    bins = np.floor(middle * n_bins / len(labels)).astype(np.int64)
    off = np.bincount(bins, predictions - labels)  # bin size * (mean prediction - mean label)
    return float(np.abs(off).sum() / len(labels))


def calibration_ratio(labels: Any, predictions: Any) -> float:
    """Predicted events / events that came, 1 is best (He et al. 2014). NaN where none came.

    >>> calibration_ratio([1, 0, 0, 0], [0.5, 0.25, 0.25, 0.25])
    1.25
    """
    labels, predictions = checked(labels, predictions)
    return float(predictions.sum() / labels.sum()) if labels.any() else float("nan")


# --- checks ---------------------------------------------------------------------------------------


def mean_of(values: np.ndarray) -> float:
    """The mean of what is not NaN; NaN where nothing is."""
    there = values[~np.isnan(values)]
    return float(there.mean()) if len(there) else float("nan")


def checked(labels: Any, predictions: Any) -> tuple[np.ndarray, np.ndarray]:
    """Both as float64 of one length: labels of 0 and 1, predictions from 0 to 1."""
    labels, predictions = np.asarray(labels, float), np.asarray(predictions, float)
    if labels.shape != predictions.shape or labels.ndim != 1 or labels.size == 0:
        raise ValueError(
            "labels and predictions must be (n,) and not empty, "
            f"got {labels.shape} and {predictions.shape}"
        )
    if not np.isin(labels, (0.0, 1.0)).all():
        wrong = labels[~np.isin(labels, (0.0, 1.0))][0]
        raise ValueError(f"labels must be 0 or 1, got {wrong:g}")
    outside = ~((predictions >= 0) & (predictions <= 1))  # NaN is outside, too
    if outside.any():
        raise ValueError(
            f"predictions must be probabilities, from 0 to 1, got {predictions[outside][0]:g}"
        )
    return labels, predictions
