"""Logistic regression on what is known of an event: what a learned prediction has to beat."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.optimize import minimize
from scipy.special import expit, logit

from keras_recs.core.hyperparameters import Positive
from keras_recs.core.recommender import Recommender
from keras_recs.data.dataset import Dataset
from keras_recs.data.interactions import Interactions
from keras_recs.data.table import FeatureTable, Kind, Of


@dataclass(eq=False, repr=False)
class LogisticRegression(Recommender):
    """The chance of each label, from who, what and under which circumstances, each by itself:

        P(label) = σ(b + user + item + contexts)

    "user" is the sum of a weight for the user and one for each of their attributes, "item" that of a
    weight for the item, for each of its genres, and for its year; every value of every context has
    a weight. All is one-hot but the year, which is standardised. A value that training did not meet
    has weight 0. There are no products of features: all users get items in one order.

    Minimises sum over the events of the log loss + reg/2 · |w|², without a penalty on b, which is
    convex (Cox 1958; with the ridge penalty le Cessie & van Houwelingen 1992), by L-BFGS. Chapelle,
    Manavoglu & Rosales (2015) use it, with more features, for the clicks of display advertising.

    Args:
        reg: L2 penalty of the weights. The default stands between what is best for the AUC of the
            clicks, 0.3, and for their log loss, 3, on the validation slice of
            `load_cinema_impressions`.

    Attributes:
        labels_: names, in the order of the rows below.
        intercepts_: (n_labels,) b.
        users_, items_: (n_labels, n_users) and (n_labels, n_items), the sums above.
        values_: context -> the values that it had in training, in order.
        contexts_: (n_labels, all values of all contexts) their weights.

    Raises:
        ValueError: from `fit`, data without labels, or labels other than 0 and 1; from
            `predict_events`, events that lack a context of the training.

    >>> log = Dataset.from_arrays(
    ...     list("aabb"), [1, 2, 1, 2], labels={"click": [1, 0, 1, 1]}, contexts={"tv": [0, 0, 1, 1]}
    ... )
    >>> came = LogisticRegression().fit(log).predict_events(log.interactions)["click"]
    >>> [round(float(p), 2) for p in came]
    [0.73, 0.56, 0.9, 0.81]
    """

    reg: Positive = 1.0

    def _fit(self, data: Dataset) -> None:
        events = data.interactions
        if not events.labels:
            raise ValueError(f"labels are needed, which the data set {data.name!r} does not have")
        for label, came in events.labels.items():
            if not np.isin(came, (0, 1)).all():
                raise ValueError(f"labels[{label!r}] must be 0 or 1 everywhere")
        of_users, of_items = _one_hot(data)
        # the number of a page says nothing: no page comes again
        contexts = {name: values for name, values in events.contexts.items() if name != "page"}
        self.values_ = {name: np.unique(values).tolist() for name, values in contexts.items()}
        x = sparse.hstack(
            [of_users[events.users], of_items[events.items], self._of_contexts(events)],
            format="csr",
        )  # (n_events, n_features)
        ends = np.cumsum([of_users.shape[1], of_items.shape[1]])
        found = [minimum(x, came.astype(float), self.reg) for came in events.labels.values()]
        users, items, contexts_ = np.split(np.stack([w for _, w in found]), ends, axis=1)
        self.labels_ = list(events.labels)
        self.intercepts_ = np.array([b for b, _ in found])
        self.users_ = users @ of_users.T
        self.items_ = items @ of_items.T
        self.contexts_ = contexts_

    def _of_contexts(self, events: Interactions) -> sparse.csr_array:
        """(n, all values of all contexts) a one for each value that training knows."""
        lacking = [name for name in self.values_ if name not in events.contexts]
        if lacking:
            raise ValueError(f"events have no context {', '.join(map(repr, lacking))}")
        parts = [sparse.csr_array((len(events), 0))]
        for name, known in self.values_.items():
            column, values = events.contexts[name], np.array(known)
            place = np.searchsorted(values, column).clip(max=len(values) - 1)
            row = np.flatnonzero(values[place] == column)
            ones = np.ones(len(row))
            parts.append(sparse.csr_array((ones, (row, place[row])), (len(events), len(values))))
        return sparse.hstack(parts, format="csr")

    def _predict_events(self, events: Interactions) -> dict[str, np.ndarray]:
        around = self.contexts_ @ self._of_contexts(events).T  # (n_labels, n)
        odds = self.users_[:, events.users] + self.items_[:, events.items] + around
        chances = expit(odds + self.intercepts_[:, None]).astype(np.float32)
        return dict(zip(self.labels_, chances, strict=True))

    def _score(self, users: np.ndarray) -> np.ndarray:
        """The log odds of the first label, whatever the circumstances."""
        odds = self.intercepts_[0] + self.users_[0, users][:, None] + self.items_[0]
        return odds.astype(np.float32)  # (len(users), n_items)


def minimum(x: sparse.csr_array, y: np.ndarray, reg: float) -> tuple[float, np.ndarray]:
    """Intercept and weights of the least sum of log losses + reg/2 · |w|².

    Args:
        x: (n, d).
        y: (n,) of 0 and 1.
        reg: above 0.

    >>> b, w = minimum(sparse.csr_array(np.eye(2)), np.array([0.0, 1.0]), reg=1.0)
    >>> round(abs(b), 4), w.round(4).tolist()
    (0.0, [-0.4011, 0.4011])
    """

    rate = y.mean().clip(1e-7, 1 - 1e-7)  # of a label that is always the same, b has no end
    # In units in which the loss is about as curved along every weight: far fewer steps are needed.
    curvature = rate * (1 - rate) * x.power(2).sum(axis=0) + reg
    unit = 1 / np.sqrt(curvature)  # (d,)
    unit_b = 1 / np.sqrt(rate * (1 - rate) * len(y))

    def loss(theta: np.ndarray) -> tuple[float, np.ndarray]:
        b, w = unit_b * theta[0], unit * theta[1:]
        odds = x @ w + b  # (n,)
        error = expit(odds) - y
        value = np.logaddexp(0, odds).sum() - y @ odds + reg / 2 * w @ w
        slope = unit * (x.T @ error + reg * w)
        return value, np.append(unit_b * error.sum(), slope)

    start = np.zeros(x.shape[1] + 1)
    start[0] = logit(rate) / unit_b
    options = {"maxiter": 2000, "maxfun": 4000, "ftol": 1e-9, "gtol": 1e-5, "maxcor": 50}
    found = minimize(loss, start, jac=True, method="L-BFGS-B", options=options)
    return float(unit_b * found.x[0]), unit * found.x[1:]


def _one_hot(data: Dataset) -> tuple[sparse.csr_array, sparse.csr_array]:
    """What is known of users, (n_users, d), and of items, (n_items, e)."""
    attributes = {} if data.user_features is None else data.user_features.attributes
    kinds: dict[str, Kind] = {"genres": "multiple", "years": "numeric"}
    table = FeatureTable(
        data,
        users=dict.fromkeys(attributes, "categorical"),
        items={name: kind for name, kind in kinds.items() if data.has(name)},
    )
    users = _spread(table, "user", table.user(np.arange(data.n_users)))
    return users, _spread(table, "item", table.item(np.arange(data.n_items)))


def _spread(table: FeatureTable, of: Of, rows: Mapping[str, np.ndarray]) -> sparse.csr_array:
    """(n, d): a one for each code, the unknown 0 aside; numbers as they are."""
    parts = []
    for name, field in table.of(of).items():
        values = rows[name].reshape(len(rows[name]), -1)
        if field.kind == "numeric":
            parts.append(sparse.csr_array(values.astype(np.float64)))
            continue
        row, place = np.nonzero(values)
        column = values[row, place] - 1
        shape = (len(values), field.size - 1)
        parts.append(sparse.csr_array((np.ones(len(row)), (row, column)), shape))
    return sparse.hstack(parts, format="csr")
