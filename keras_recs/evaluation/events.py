"""How well it is predicted what comes of an event: whether what is shown is clicked, liked, …"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from keras_recs.core.recommender import Recommender
from keras_recs.data.dataset import Dataset
from keras_recs.data.interactions import Interactions
from keras_recs.data.splits import Split
from keras_recs.evaluation import event_metrics
from keras_recs.evaluation.ranking import require_split
from keras_recs.evaluation.results import Evaluation


class BaseRateRecommender(Recommender):
    """Predicts for every event how often each label came in training. It knows no user and no item.

    What a prediction of events has to beat: its log loss is the entropy of the labels, its AUC 0.5.
    As scores, all items are equal.
    """

    def _fit(self, data: Dataset) -> None:
        labels = data.interactions.labels
        if not labels:
            raise ValueError(f"labels are needed, which the data set {data.name!r} does not have")
        self.rates_ = {name: float(np.mean(values)) for name, values in labels.items()}

    def _score(self, users: np.ndarray) -> np.ndarray:
        return np.zeros((len(users), len(self.item_ids_)), np.float32)

    def _predict_events(self, events: Interactions) -> dict[str, np.ndarray]:
        return {name: np.full(len(events), rate, np.float32) for name, rate in self.rates_.items()}


def pages_of(events: Interactions) -> np.ndarray:
    """(n,) which page each event was shown on, by number.

    A context "page" says so, together with the user. Else a context "position" does, the place on
    the page: in the order of a user's time, a page ends where the position does not go up. Without
    either, all events of a user are one page.

    >>> shown = Interactions([0, 0, 0, 1], [3, 4, 3, 3], contexts={"position": [0, 1, 0, 0]})
    >>> pages_of(shown).tolist()
    [0, 0, 1, 2]
    """
    if "page" in events.contexts:
        _, page = np.unique(events.contexts["page"], return_inverse=True)
        keys = events.users * (page.max(initial=0) + 1) + page
        return np.unique(keys, return_inverse=True)[1]
    if "position" not in events.contexts:
        return np.unique(events.users, return_inverse=True)[1]
    order = events.chronological()
    users, position = events.users[order], events.contexts["position"][order]
    starts = (np.diff(users) != 0) | (np.diff(position) <= 0)
    pages = np.empty(len(order), np.int64)
    pages[order] = np.cumsum(np.append(False, starts)[: len(order)])
    return pages


def evaluate_events(predictions: Mapping[str, Any], split: Split) -> Evaluation:
    """Measure predictions of what came of the test events, label by label.

    For each label that is predicted, "auc@label": the order of all events; "gauc@label": the order
    within a page, pages weighted by their events, those with one kind of label left out and
    counted in `undefined`; "log_loss@label"; "ece@label": expected calibration error, ten bins of
    equal mass; "calibration@label": predicted by observed events, 1 is best. `event_metrics` has
    the definitions, `pages_of` says what a page is.

    The first three have per-event values, so `interval` and `compare` work, over users. Where a
    label is always the same, both AUCs are NaN, `undefined` has them, and it comes after the others:
    the first is what answers are judged by.

    Args:
        predictions: label -> (n,) probabilities, in the order of `split.test.interactions`.
        split: any whose test has these labels, 0 or 1 each.

    Raises:
        ValueError: no predictions, a label that the test does not have, other values than 0 and 1
            in it, another length, or what is no probability.

    >>> from keras_recs.data import Dataset, GlobalTimeCut, split
    >>> log = Dataset.from_arrays(
    ...     ["ann"] * 5, [1, 2, 3, 4, 5], timestamps=[1, 2, 3, 4, 5], labels={"click": [0, 1, 0, 1, 0]}
    ... )
    >>> parts = split(log, GlobalTimeCut(time=4))
    >>> evaluate_events({"click": [0.8, 0.3]}, parts).metrics["auc@click"]
    1.0
    """
    require_split(split)
    test = split.test
    labels = test.interactions.labels
    if not predictions:
        raise ValueError("predictions must have at least one label")
    unknown = [name for name in predictions if name not in labels]
    if unknown:
        raise ValueError(
            f"predictions are of {', '.join(map(repr, unknown))}, which the test does not have; "
            f"its labels are: {', '.join(labels) or 'none'}"
        )
    constant = {name: len(np.unique(labels[name])) < 2 for name in predictions}
    pages = pages_of(test.interactions)
    found = Evaluation(split.protocol, {}, {}, test.user_ids.ids[test.interactions.users])
    for name in sorted(predictions, key=constant.__getitem__):  # stable: else as they come
        try:
            _measure_label(found, name, labels[name], predictions[name], pages)
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from None
    return found


def _measure_label(
    found: Evaluation, name: str, labels: np.ndarray, predictions: Any, pages: np.ndarray
) -> None:
    """Put all figures of one label into `found`."""
    truth, p = event_metrics.checked(labels, predictions)
    of_pages = event_metrics.group_aucs(truth, p, pages)
    positive = truth == 1
    places = event_metrics.placements(truth, p)
    losses = event_metrics.log_losses(truth, p)
    of_events = {
        f"auc@{name}": places,
        f"gauc@{name}": of_pages[pages],  # a page counts as often as it has events
        f"log_loss@{name}": losses,
    }
    found.per_user.update(of_events)
    found.positives[f"auc@{name}"] = positive
    found.metrics.update(
        {
            f"auc@{name}": event_metrics.mean_of(places[positive]),
            f"gauc@{name}": event_metrics.mean_of(of_pages[pages]),
            f"log_loss@{name}": float(losses.mean()),
            f"ece@{name}": event_metrics.calibration_error(truth, p),
            f"calibration@{name}": event_metrics.calibration_ratio(truth, p),
        }
    )
    found.undefined.update(
        {
            f"auc@{name}": int(positive.all() or not positive.any()),
            f"gauc@{name}": int(np.isnan(of_pages).sum()),
            f"calibration@{name}": int(not positive.any()),
        }
    )
