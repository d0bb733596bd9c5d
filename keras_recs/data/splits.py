"""The three splits of the protocol, and the validation slice inside the training part."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from keras_recs.data.dataset import Dataset
from keras_recs.utils.checks import one_of, real_number, whole_number

PROTOCOLS = {
    "P1": "temporal: each user's last 20 % of events is the test",
    "P2": "leave one out: each user's last event is the test",
    "P3": "ratings: a random fifth of the events is the test, repeated ones together",
}


@dataclass(frozen=True, eq=False)
class Split:
    """`train` and `test` on the same id maps. A user whose events all went to the test has none in
    `train`.

    >>> data = Dataset.from_arrays([1, 1, 1, 2, 2], [10, 20, 30, 10, 30], timestamps=[1, 2, 3, 1, 2])
    >>> train, test = split(data, "P2")
    >>> len(train), len(test)
    (3, 2)
    """

    protocol: str
    train: Dataset
    test: Dataset

    def __post_init__(self) -> None:
        for what in ("user_ids", "item_ids"):
            ours, theirs = getattr(self.train, what), getattr(self.test, what)
            if (
                ours is not theirs and ours != theirs
            ):  # or an index would be one user here and another there
                raise ValueError(
                    f"train and test have different {what}: a Split needs two parts of one data set. Make "
                    "one of all events, and take its parts with "
                    "data.with_interactions(data.interactions.take(rows))"
                )

    def __iter__(self) -> Iterator[Dataset]:
        return iter((self.train, self.test))


def split(data: Dataset, protocol: str = "P1", *, validation: bool = False) -> Split:
    """Split `data` by `protocol`: "P1", "P2" or "P3" (`PROTOCOLS` says what they are).

    With `validation=True` the same rule is applied once more inside the training part, so that
    choosing hyperparameters never looks at the test.
    """
    if not isinstance(data, Dataset):
        raise TypeError(
            f"data must be a Dataset, got {type(data).__name__}; "
            "Dataset.from_arrays, from_frame, from_matrix, read_csv and read_parquet make one"
        )
    one_of("protocol", protocol, PROTOCOLS)
    if protocol == "P3":
        return split_random(data, validation=validation)
    rule = split_temporal if protocol == "P1" else split_last
    first = rule(data)
    return rule(first.train) if validation else first


def split_temporal(data: Dataset, fraction: float = 0.2) -> Split:
    """Each user's last `max(1, int(fraction · n))` events are the test; ties keep the order of the
    data."""
    real_number("fraction", fraction, above=0.0, most=1.0)
    data.require("timestamps", by="a temporal split")
    counts = np.bincount(data.interactions.users, minlength=data.n_users)
    # int(0.2 · n) of a float product, as everyone writes it: 0.2 · 5 must not fall below 1 by
    # rounding
    n_test = np.maximum(1, np.floor(fraction * counts + 1e-9).astype(np.int64))
    return _cut_ends(data, n_test, "P1")


def split_last(data: Dataset, n: int = 1) -> Split:
    """Each user's last `n` events are the test."""
    whole_number("n", n)
    data.require("timestamps", by="a leave-one-out split")
    return _cut_ends(data, np.full(data.n_users, n), "P2")


def _cut_ends(data: Dataset, n_test: np.ndarray, protocol: str) -> Split:
    events = data.interactions
    order = events.chronological()
    users = events.users[order]
    ends = np.cumsum(np.bincount(users, minlength=data.n_users))
    from_the_end = ends[users] - 1 - np.arange(len(users))
    in_test = from_the_end < n_test[users]
    if in_test.all():
        raise ValueError("the split leaves nothing to train on: every user has too few events")
    return Split(
        protocol,
        data.with_interactions(events.take(order[~in_test])),
        data.with_interactions(events.take(order[in_test])),
    )


def split_random(
    data: Dataset, fraction: float = 0.2, *, seed: int = 42, validation: bool = False
) -> Split:
    """A random `fraction` of the events is the test, whoever they belong to.

    All events of a user with one item go to the same side: a rating that the training part holds,
    too, would be remembered, not predicted. So the fraction is of the pairs of users and items,
    which are the events where none is repeated.

    With `validation=True` the test is the last `fraction` of the training part, in the same random
    order."""
    real_number("fraction", fraction, above=0.0, most=1.0)
    events = data.interactions
    pair, n_pairs = _pairs(data)
    order = np.random.default_rng(seed).permutation(n_pairs)
    n_train = round((1 - fraction) * n_pairs)
    n_test = n_pairs - n_train
    if validation:
        before, n_train = n_train, round((1 - fraction) * n_train)
        n_test = before - n_train
    if n_train == 0 or n_test == 0:
        raise ValueError(
            f"{len(events)} events ({n_pairs} different pairs) are too few for a random split with "
            f"fraction {fraction}"
        )
    place = np.empty(n_pairs, np.int64)  # of each pair in the random order
    place[order] = np.arange(n_pairs)
    place = place[pair]
    rows = np.argsort(place, kind="stable")  # of the events, in the random order of their pairs
    of_train, of_both = np.searchsorted(place[rows], [n_train, n_train + n_test])
    return Split(
        "P3",
        data.with_interactions(events.take(rows[:of_train])),
        data.with_interactions(events.take(rows[of_train:of_both])),
    )


def _pairs(data: Dataset) -> tuple[np.ndarray, int]:
    """(n,) which pair of user and item each event is of, numbered as they first come; how many
    pairs there are."""
    events = data.interactions
    keys = events.users * data.n_items + events.items
    _, first, pair = np.unique(keys, return_index=True, return_inverse=True)
    number = np.empty(len(first), np.int64)
    number[np.argsort(first)] = np.arange(len(first))
    return number[pair], len(first)
