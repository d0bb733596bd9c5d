"""Each user's history in time order, rows to learn the next item from, and how much an event counts
by its age.

A row of a history is right-aligned, the latest item last; 0 is padding and i + 1 is item i.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy import sparse

from keras_recs.data.dataset import Dataset
from keras_recs.utils.checks import real_number, whole_number


@dataclass(frozen=True, eq=False)
class Sequences:
    """The items of every user, oldest first, one user after the other.

    `items[starts[u]:starts[u + 1]]` are user u's. Without time stamps, the order of the data stands
    for time."""

    starts: np.ndarray  # (n_users + 1,)
    items: np.ndarray  # (n_events,)
    rows: np.ndarray  # (n_events,) the events' places in the data set

    @classmethod
    def of(cls, data: Dataset) -> Sequences:
        order = data.interactions.chronological()
        counts = np.bincount(data.interactions.users, minlength=data.n_users)
        return cls(np.concatenate([[0], np.cumsum(counts)]), data.interactions.items[order], order)

    def __len__(self) -> int:
        return len(self.starts) - 1

    def __getitem__(self, user: int) -> np.ndarray:
        """The items of the user with this index, oldest first."""
        return self.items[self.starts[user] : self.starts[user + 1]]

    def ages(self) -> np.ndarray:
        """(n_events,) how many events of the same user came after each: 0 for the latest."""
        return np.repeat(self.starts[1:], np.diff(self.starts)) - 1 - np.arange(len(self.items))

    def padded(self, length: int, *, pad: int = -1) -> np.ndarray:
        """(n_users, length) the latest `length` items of each user, right-aligned, `pad` on the
        left."""
        whole_number("length", length)
        out = np.full((len(self), length), pad, np.int64)
        ages = self.ages()
        keep = ages < length
        users = np.repeat(np.arange(len(self)), np.diff(self.starts))
        out[users[keep], length - 1 - ages[keep]] = self.items[keep]
        return out

    def histories(self, length: int) -> np.ndarray:
        """(n_users, length) int32: the latest `length` items of each user, 0 for padding and i + 1
        for item i.

        >>> from keras_recs.data import from_matrix
        >>> Sequences.of(from_matrix([[1, 1, 1], [0, 1, 0]])).histories(2).tolist()
        [[2, 3], [0, 2]]
        """
        return (self.padded(length) + 1).astype(np.int32)

    def _before(self, ends: np.ndarray, users: np.ndarray, length: int) -> np.ndarray:
        """(n, length) int32: of each user the `length` items before the place `ends` in `items`."""
        codes = np.concatenate([np.zeros(length, np.int32), (self.items + 1).astype(np.int32)])
        rows = np.lib.stride_tricks.sliding_window_view(codes, length)[ends]  # (n, length), a copy
        known = (ends - self.starts[users]).astype(np.int32)  # (n,) how many are the user's own
        rows[np.arange(length, dtype=np.int32) < length - known[:, None]] = 0
        return rows


class Windows(NamedTuple):
    """Rows to learn the next item from.

    Attributes:
        users: (n,) whose they are.
        history: (n, length) int32, what the user met before, 0 for padding and i + 1 for item i.
        target: (n,) int32, the index of the item that came next.
    """

    users: np.ndarray
    history: np.ndarray
    target: np.ndarray


def windows(data: Dataset, length: int, *, stride: int = 1, least: int = 1) -> Windows:
    """A row for each event that has others before it: the `length` before it, and its item.

    Without time stamps the order of the data stands for time; events at the same time keep it.

    Args:
        length: items of a history.
        stride: take every stride-th event of a user only, counted from the latest, which is always
            taken.
        least: how many events a history must have.

    >>> from keras_recs.data import Dataset
    >>> log = Dataset.from_arrays(["a"] * 4, [10, 20, 30, 20], timestamps=[1, 2, 3, 4])
    >>> rows = windows(log, 2)
    >>> rows.history.tolist(), rows.target.tolist()
    ([[0, 1], [1, 2], [2, 3]], [1, 2, 1])
    """
    whole_number("length", length)
    whole_number("stride", stride)
    whole_number("least", least)
    sequences = Sequences.of(data)
    counts = np.diff(sequences.starts)
    users = np.repeat(np.arange(len(sequences)), counts)  # (n_events,)
    place = np.arange(len(users))
    known = place - sequences.starts[users]  # events before each
    taken = (known >= least) & (sequences.ages() % stride == 0)
    users, place = users[taken], place[taken]
    history = sequences._before(place, users, length)
    return Windows(users, history, sequences.items[place].astype(np.int32))


def histories_before(data: Dataset, length: int) -> np.ndarray:
    """(n_events, length) int32: what each event's user had met before it, in the order of
    `data.interactions`.

    Events at the same time are not before each other: what stood on one page does not know how the
    page was answered. Without time stamps the order of the data stands for time.

    >>> from keras_recs.data import Dataset
    >>> log = Dataset.from_arrays(["a"] * 3, [10, 20, 30], timestamps=[5, 5, 9])
    >>> histories_before(log, 2).tolist()
    [[0, 0], [0, 0], [1, 2]]
    """
    whole_number("length", length)
    sequences = Sequences.of(data)
    events = data.interactions
    users = events.users[sequences.rows]  # (n_events,) in the order of the sequences
    place = np.arange(len(users))
    if events.timestamps is not None:
        keys = [users, events.timestamps[sequences.rows]]
        if events.nanoseconds is not None:
            keys.append(events.nanoseconds[sequences.rows])
        later = np.zeros(len(users), bool)  # whether an event is of another moment than the last
        for key in keys:
            later[1:] |= key[1:] != key[:-1]
        place = np.maximum.accumulate(np.where(later, place, 0))  # where its moment begins
    out = np.empty((len(users), length), np.int32)
    out[sequences.rows] = sequences._before(place, users, length)
    return out


def recency_weighted(data: Dataset, decay: float) -> sparse.csr_array:
    """(n_users, n_items) float32: each event weighs `exp(-age / decay)`, its age counted in the
    user's own events.

    The latest event weighs 1, the one `decay` events before it 1/e. An item met twice keeps its
    latest weight."""
    real_number("decay", decay, above=0.0)
    sequences = Sequences.of(data)
    users = data.interactions.users[sequences.rows]
    weights = np.exp(-sequences.ages() / decay).astype(np.float32)
    pair = users * data.n_items + sequences.items
    _, last = np.unique(pair[::-1], return_index=True)
    last = len(pair) - 1 - last
    shape = (data.n_users, data.n_items)
    return sparse.coo_array((weights[last], (users[last], sequences.items[last])), shape).tocsr()
