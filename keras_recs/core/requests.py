"""What callers ask for, turned into indices: requests, pairs of users and items, candidates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from keras_recs.data.ids import IdMap

NOBODY = -1  # the user index of an anonymous session


@dataclass(frozen=True, eq=False)
class Requests:
    """Who asks, and what is known at that moment; one row for each list that is wanted.

    Args:
        users: (n,) indices, or -1 for somebody unknown, of whom there is a history only.
        context: name -> (n,) values of the circumstances, such as hour or device; empty for none.
        history: (n, length) int32, what each met so far, the latest last: item index + 1, with 0 as
            padding on the left. None where the answer is to use what it learned of the user.
    """

    users: np.ndarray
    context: Mapping[str, np.ndarray]
    history: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.users)

    def __getitem__(self, rows: Any) -> Requests:
        """Some of the rows, by slice, mask or indices."""
        return Requests(
            self.users[rows],
            {name: values[rows] for name, values in self.context.items()},
            None if self.history is None else self.history[rows],
        )


def context_columns(context: Any, n: int) -> dict[str, np.ndarray]:
    """`context` as one column a field: name -> (n,). One value alone goes for every row.

    >>> context_columns({"hour": [7, 21], "device": "phone"}, 2)["device"].tolist()
    ['phone', 'phone']
    """
    if context is None:
        return {}
    if not isinstance(context, Mapping):
        raise TypeError(f"context must be a dict of columns by name, got {type(context).__name__}")
    columns = {}
    for name, values in context.items():
        array = np.asarray(values)
        if array.shape not in ((), (n,)):
            raise ValueError(
                f"context[{name!r}] must be one value or {n} of them, got shape {array.shape}"
            )
        columns[name] = np.broadcast_to(array, (n,))
    return columns


def history_rows(history: Any, n: int | None, item_ids: IdMap) -> np.ndarray:
    """(n, length) int32 item index + 1, right-aligned, 0 as padding: from a list of item ids for
    each row, the latest last, or one list of ids alone.

    Raises:
        KeyError: an unknown item.
        ValueError: not one list for each of the `n` users.
    """
    lists = [] if n == 0 and len(history) == 0 else _lists(history)
    if n is not None and len(lists) != n:
        raise ValueError(f"history must have a list for each of {n} users, got {len(lists)}")
    lengths = np.array([len(one) for one in lists], np.int64)
    rows = np.zeros((len(lists), max(1, lengths.max(initial=0))), np.int32)
    if lengths.sum():
        ids = np.concatenate([np.asarray(one) for one in lists if len(one)])
        there = np.arange(rows.shape[1]) >= (rows.shape[1] - lengths)[:, None]  # (n, length)
        rows[there] = item_ids.index("history", ids) + 1
    return rows


def _lists(history: Any) -> list[Sequence]:
    """One sequence of ids a row; a flat sequence is one row."""
    if isinstance(history, (str, bytes)) or not hasattr(history, "__len__"):
        raise TypeError(f"history must be lists of item ids, got {history!r}")
    nested = [
        isinstance(one, (Sequence, np.ndarray)) and not isinstance(one, str) for one in history
    ]
    if all(nested) and len(nested):
        return list(history)
    if any(nested):
        raise TypeError("history must be one list of item ids, or one for each user, not both")
    return [history]


def seen_in(history: np.ndarray, n_items: int) -> np.ndarray:
    """(n, n_items) bool: what a history (n, length) of item index + 1 holds."""
    seen = np.zeros((len(history), n_items + 1), bool)
    np.put_along_axis(seen, history.astype(np.int64), True, axis=1)
    return seen[:, 1:]


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
