"""Interactions from where people keep them: CSV and Parquet files, data frames, matrices."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy import sparse

from keras_recs.data.dataset import Dataset


def from_frame(frame: Any, *, user: str = "user", item: str = "item", rating: str | None = "rating",
               timestamp: str | None = "timestamp", labels: Sequence[str] = (), contexts: Sequence[str] = (),
               name: str = "frame", **side_data: Any) -> Dataset:
    """A data set from a table with named columns: a pandas or polars DataFrame, or a mapping of arrays.

    `rating` and `timestamp` left at their default may be absent; a column that you name must be there.
    Timestamps may be numbers (seconds) or datetimes. `side_data` goes on to `Dataset.from_arrays`.

    >>> from_frame({"user": ["ann", "bob"], "item": [1, 2]})
    Dataset('frame', 2 users, 2 items, 2 interactions)
    """
    columns = list(frame.keys()) if isinstance(frame, Mapping) else list(frame.columns)

    def get(argument: str, column: str | None, optional: bool = False) -> np.ndarray | None:
        if column is None or (optional and column not in columns):
            return None
        if column not in columns:
            raise KeyError(f"{argument}={column!r} is not a column; there are {', '.join(map(str, columns))}")
        return np.asarray(frame[column])

    times = get("timestamp", timestamp, optional=timestamp == "timestamp")
    if times is not None and times.dtype.kind == "M":
        if np.isnat(times).any():
            raise ValueError(f"timestamp={timestamp!r} has missing entries")
        times = times.astype("datetime64[s]").astype(np.int64)
    return Dataset.from_arrays(
        get("user", user), get("item", item), get("rating", rating, optional=rating == "rating"), times,
        labels={c: get("labels", c) for c in labels}, contexts={c: get("contexts", c) for c in contexts},
        name=name, **side_data)


def read_csv(path: str | os.PathLike[str], *, delimiter: str = ",", **columns: Any) -> Dataset:
    """A data set from a delimited text file with a header line. `columns` as in `from_frame`."""
    from pyarrow import csv  # not needed by those who bring arrays

    with open(path, "rb") as file:
        table = csv.read_csv(file, parse_options=csv.ParseOptions(delimiter=delimiter))
    return _from_table(table, path, columns)


def read_parquet(path: str | os.PathLike[str], **columns: Any) -> Dataset:
    """A data set from a Parquet file. `columns` as in `from_frame`."""
    from pyarrow import parquet

    with open(path, "rb") as file:
        table = parquet.read_table(file)
    return _from_table(table, path, columns)


def _from_table(table: Any, path: str | os.PathLike[str], columns: dict[str, Any]) -> Dataset:
    columns.setdefault("name", Path(path).stem)
    used = {name: table.column(name).to_numpy() for name in table.column_names}
    return from_frame(used, **columns)


def from_matrix(matrix: Any, *, missing: float = 0.0, ratings: bool = True, user_ids: Any = None,
                item_ids: Any = None, name: str = "matrix", **side_data: Any) -> Dataset:
    """A data set from a user × item matrix, dense or sparse.

    Args:
        matrix: (n_users, n_items). Dense: entries equal to `missing` (0, or `float("nan")`) were not observed.
            Sparse: the stored entries were observed, explicit zeros included.
        ratings: whether the values are ratings; False takes only where there was an interaction.
        user_ids, item_ids: ids of the rows and columns, 0 … n-1 by default. Every one of them becomes part of
            the data set, rows and columns without an entry too.
    """
    from keras_recs.data.features import ItemFeatures, UserFeatures

    if sparse.issparse(matrix):
        coo = matrix.tocoo()
        rows, columns, values = coo.row, coo.col, coo.data
    else:
        matrix = np.asarray(matrix)
        if matrix.ndim != 2:
            raise ValueError(f"matrix must be two-dimensional, got shape {matrix.shape}")
        observed = ~np.isnan(matrix) if np.isnan(missing) else matrix != missing
        rows, columns = np.nonzero(observed)
        values = matrix[rows, columns]
    users = np.arange(matrix.shape[0]) if user_ids is None else np.asarray(user_ids)
    items = np.arange(matrix.shape[1]) if item_ids is None else np.asarray(item_ids)
    for argument, ids, size in (("user_ids", users, matrix.shape[0]), ("item_ids", items, matrix.shape[1])):
        if len(ids) != size:
            raise ValueError(f"{argument} has {len(ids)} entries for {size}")
    side_data.setdefault("user_features", UserFeatures(users))
    side_data.setdefault("item_features", ItemFeatures(items))
    return Dataset.from_arrays(users[rows], items[columns], values if ratings else None, name=name, **side_data)
