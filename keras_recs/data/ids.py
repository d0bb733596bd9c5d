"""The one place where the caller's ids meet the contiguous indices used inside."""

from __future__ import annotations

from typing import Any

import numpy as np

from keras_recs.data.columns import Where, distinct_ids

#: What stands in a list of recommendations where nothing is left to recommend.
INT_FILLER = -1
STR_FILLER = ""


def as_ids(name: str, values: Any, ids: str = "auto") -> np.ndarray:
    """`values` as a one-dimensional array of int64 or of strings; a single id counts as a list of
    one.

    Strict as `columns.distinct_ids` is: integers and strings are not mixed, nothing is missing,
    nothing is cut."""
    if (
        isinstance(values, np.ndarray)
        and values.ndim == 1
        and values.dtype.kind in "iU"
        and ids == "auto"
        and not (isinstance(values, np.ma.MaskedArray))
    ):
        # nothing to check
        return values if values.dtype.kind == "U" else values.astype(np.int64, copy=False)
    if (
        np.ndim(values) == 0
        if isinstance(values, (str, bytes, np.ndarray, np.generic))
        else np.isscalar(values)
    ):
        values = [values.item() if isinstance(values, np.ndarray) else values]
    found, places = distinct_ids(Where(name), values, ids)
    return found[places]


class IdMap:
    """A fixed, sorted set of ids and their positions 0 … n-1.

    >>> users = IdMap([30, 10, 20])
    >>> users.index("users", [10, 30]).tolist()
    [0, 2]
    >>> users.ids[[1, 2]].tolist()
    [20, 30]
    """

    def __init__(self, ids: Any, name: str = "ids") -> None:
        unique = np.unique(as_ids(name, ids))
        if unique.size == 0:
            raise ValueError(f"{name} is empty")
        filler = self._filler(unique)
        if (unique == filler).any():
            raise ValueError(
                f"{name} contains {filler!r}, which is reserved as the filler of short lists"
            )
        unique.flags.writeable = False
        self.ids: np.ndarray = unique

    @staticmethod
    def _filler(ids: np.ndarray) -> int | str:
        return STR_FILLER if ids.dtype.kind == "U" else INT_FILLER

    def __len__(self) -> int:
        return len(self.ids)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, IdMap) and np.array_equal(self.ids, other.ids)

    __hash__ = None  # type: ignore[assignment]

    def contains(self, name: str, values: Any) -> np.ndarray:
        """Which of `values` are known: bool, one entry per value."""
        return self._locate(name, values)[1]

    def index(self, name: str, values: Any) -> np.ndarray:
        """Positions of `values`, int64; an unknown id is a KeyError that names it and the
        argument."""
        position, known = self._locate(name, values)
        if not known.all():
            unknown = as_ids(name, values)[~known]
            shown = ", ".join(repr(u) for u in np.unique(unknown)[:5].tolist())
            raise KeyError(
                f"{name} holds {len(np.unique(unknown))} unknown id(s): {shown}"
                + (" …" if len(np.unique(unknown)) > 5 else "")
            )
        return position

    def raw(self, positions: np.ndarray) -> np.ndarray:
        """The ids at `positions` (any shape); a negative position becomes the filler."""
        positions = np.asarray(positions)
        out = self.ids[np.maximum(positions, 0)]
        out[positions < 0] = self._filler(self.ids)
        return out

    def _locate(self, name: str, values: Any) -> tuple[np.ndarray, np.ndarray]:
        wanted = as_ids(name, values)
        if wanted.size == 0:
            return np.empty(0, np.int64), np.empty(0, bool)
        if (wanted.dtype.kind == "U") != (self.ids.dtype.kind == "U"):
            mine = "strings" if self.ids.dtype.kind == "U" else "integers"
            raise TypeError(f"{name} must hold {mine}, as the data does; got {wanted.dtype}")
        position = np.minimum(np.searchsorted(self.ids, wanted), len(self.ids) - 1)
        return position, self.ids[position] == wanted
