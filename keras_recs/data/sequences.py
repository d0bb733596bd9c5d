"""Each user's history in time order, and how much an event counts by its age."""

from __future__ import annotations

from dataclasses import dataclass

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
