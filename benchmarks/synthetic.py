"""Implicit data of any size with the popularity that real catalogues have, for measurements at
scale."""

from __future__ import annotations

import numpy as np

from keras_recs.data import Dataset


def power_law(
    n_users: int = 100_000,
    n_items: int = 20_000,
    n_events: int = 5_000_000,
    *,
    exponent: float = 0.8,
    seed: int = 0,
) -> tuple[np.ndarray, np.ndarray]:
    """(users, items) of `n_events` different pairs; items are chosen in proportion to rank **
    -exponent (Zipf).

    Users' activity is log-normal. There is no taste in these data: they are for time and memory,
    not for accuracy."""
    rng = np.random.default_rng(seed)
    activity = rng.lognormal(0, 1, n_users)
    popularity = rng.permutation(np.arange(1, n_items + 1) ** -exponent)
    found = np.empty(0, np.int64)
    while len(found) < n_events:  # pairs drawn twice are drawn again
        size = int(1.3 * (n_events - len(found))) + 1000
        users = rng.choice(n_users, size, p=activity / activity.sum())
        items = rng.choice(n_items, size, p=popularity / popularity.sum())
        found = np.unique(np.concatenate([found, users * n_items + items]))
    kept = rng.permutation(found)[:n_events]
    return np.divmod(np.sort(kept), n_items)


def as_dataset(users: np.ndarray, items: np.ndarray, *, seed: int = 0) -> Dataset:
    """The pairs with ratings 1 to 5 and time stamps, drawn at random."""
    rng = np.random.default_rng(seed)
    return Dataset.from_arrays(
        users,
        items,
        rng.integers(1, 6, len(users)).astype(np.float32),
        rng.permutation(len(users)),
        name="power law",
    )
