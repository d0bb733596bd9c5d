"""What callers ask for, turned into indices: pairs of users and items, and candidates."""

from __future__ import annotations

from typing import Any

import numpy as np

from keras_recs.data.ids import IdMap


def pairs(
    users: Any, items: Any, user_ids: IdMap, item_ids: IdMap
) -> tuple[np.ndarray, np.ndarray]:
    """Indices of users and of items, broadcast together: two arrays of one shape.

    Two columns are pairs, side by side, and must be equally long; everything else broadcasts as in
    NumPy."""
    user_shape, item_shape = np.shape(users), np.shape(items)
    if len(user_shape) == len(item_shape) == 1 and user_shape != item_shape:
        raise ValueError(
            f"users and items are pairs, got {user_shape[0]} users and {item_shape[0]} items"
        )
    try:
        shape = np.broadcast_shapes(user_shape, item_shape)
    except ValueError:
        raise ValueError(
            f"users of shape {user_shape} and items of shape {item_shape} do not broadcast"
        ) from None
    return (
        np.broadcast_to(_index(user_ids, "users", users, user_shape), shape),
        np.broadcast_to(_index(item_ids, "items", items, item_shape), shape),
    )


def _index(ids: IdMap, name: str, values: Any, shape: tuple[int, ...]) -> np.ndarray:
    flat = np.ravel(values) if len(shape) > 1 else values
    return ids.index(name, flat).reshape(shape)


def candidate_index(candidates: Any, n_users: int, item_ids: IdMap) -> np.ndarray:
    """Indices of candidates, in the shape that they came in: (m,) the same for all, or (n_users,
    m)."""
    array = np.asarray(candidates)
    if array.ndim > 2 or (array.ndim == 2 and len(array) != n_users):
        raise ValueError(f"candidates must have shape (m,) or ({n_users}, m), got {array.shape}")
    return item_ids.index("candidates", array.ravel()).reshape(array.shape)


def membership(candidates: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """(n_users, n_items) bool from candidate indices, shared (m,) or of each user (n_users, m)."""
    allowed = np.zeros(shape, bool)
    if candidates.ndim == 1:
        allowed[:, candidates] = True
    else:
        np.put_along_axis(allowed, candidates, True, axis=1)
    return allowed
