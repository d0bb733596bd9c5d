"""Interactions from where people keep them: CSV and Parquet files, data frames, matrices."""

from __future__ import annotations

import numbers as numbers_of_python
import os
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy import sparse

from keras_recs.data.columns import TIME_UNITS, Where, is_missing, numbers
from keras_recs.data.dataset import Dataset
from keras_recs.data.delimited import DelimitedFile
from keras_recs.data.ids import as_ids
from keras_recs.data.names import ALIASES, ColumnError, Default, existing, find_columns, normal
from keras_recs.data.text_columns import text_column, text_ids, text_numbers, text_plain, text_times
from keras_recs.utils.checks import one_of

USER, ITEM, RATING, TIMESTAMP = (
    Default("user"),
    Default("item"),
    Default("rating"),
    Default("timestamp"),
)
#: What pandas calls it.
_OTHER_WORDS = {
    "sep": "delimiter",
    "names": "columns",
    "header": "columns=[…] for a file without a header line",
    "quotechar": "quote",
    "dtype": "ids='string' for ids that are text",
    "usecols": "the columns that it needs",
    "compression": "compressed files as they are",
}
#: What the columns become, in `Dataset.from_arrays`.
_ARGUMENTS = {"user": "users", "item": "items", "rating": "ratings", "timestamp": "timestamps"}


def from_frame(
    frame: Any,
    *,
    user: str = USER,
    item: str = ITEM,
    rating: str | None = RATING,
    timestamp: str | None = TIMESTAMP,
    labels: Sequence[str] = (),
    contexts: Sequence[str] = (),
    ids: str = "auto",
    time_unit: str = "s",
    name: str = "frame",
    **side_data: Any,
) -> Dataset:
    """A data set from a table with named columns: pandas, polars, Arrow, or a mapping of arrays.

    Which columns: those that you name must be there. Those that you do not name are called user,
    item, rating and timestamp, or something that means the same (userId, movie_id, ratings, ts, …,
    in any case), when there is just one; the data set says so (`Dataset.columns`). Users and items
    must be found. Ratings and times may be absent, but a column that might be meant is never left
    out in silence: `rating=None` goes without.

    What is in them: ids are integers or strings, never both; `ids="string"` writes integers as
    text. Ratings are finite numbers. Times are numbers in `time_unit` since 1970 ("s", "ms", "us",
    "ns"), dates, datetimes or ISO text, UTC where they have no zone; fractions of a second keep
    their order. Nothing may be missing.

    Args:
        frame: the table; its columns are as in `Dataset.from_arrays`.
        user, item, rating, timestamp: names of columns; None for rating and timestamp goes without.
        labels, contexts: names of further columns to keep.
        ids, time_unit, name, side_data: as in `Dataset.from_arrays`.

    Raises:
        ColumnError: (a KeyError and a ValueError) a column is not there, or several may be meant.
        ValueError, TypeError: what is in a column cannot be kept as it is; the column and the first
        row are named.

    >>> from_frame({"user": ["ann", "bob"], "item": [1, 2]})
    Dataset('frame', 2 users, 2 items, 2 interactions)
    >>> from_frame({"userId": ["ann", "bob"], "item": [1, 2]})
    Dataset('frame', 2 users, 2 items, 2 interactions; user from 'userId')
    """
    names, get = _table(frame)
    labels, contexts = _list("labels", labels), _list("contexts", contexts)
    found = find_columns(names, _asked(user, item, rating, timestamp), [*labels, *contexts])
    return _from_table(
        names,
        get,
        found,
        "",
        labels,
        contexts,
        ids=ids,
        time_unit=time_unit,
        name=name,
        **side_data,
    )


def _from_table(
    names: Sequence[Any],
    get: Callable[[Any], Any],
    found: Mapping[str, Any],
    source: str,
    labels: Sequence[str],
    contexts: Sequence[str],
    **options: Any,
) -> Dataset:
    where = lambda column: Where(f"{source}column {column!r}", "row {}".format)  # noqa: E731
    kept = {c: get(existing(names, "labels or contexts", c, source)) for c in [*labels, *contexts]}
    return Dataset._from_columns(
        {_ARGUMENTS[role]: (where(column), get(column)) for role, column in found.items()},
        labels={c: kept[c] for c in labels},
        contexts={c: kept[c] for c in contexts},
        columns={role: str(column) for role, column in found.items()},
        **options,
    )


def _list(argument: str, names: Sequence[str]) -> list[str]:
    if isinstance(names, str):
        raise TypeError(f"{argument} must be a list of names, got {names!r}")
    return list(names)


def _asked(
    user: str, item: str, rating: str | None, timestamp: str | None
) -> dict[str, str | None]:
    for argument, column in (("user", user), ("item", item)):
        if column is None:
            raise TypeError(f"{argument} must be the name of a column, got None")
    return {"user": user, "item": item, "rating": rating, "timestamp": timestamp}


def _table(frame: Any) -> tuple[list[Any], Callable[[Any], Any]]:
    """The names of the columns, and what gives one of them."""
    if isinstance(frame, Mapping):
        return list(frame), frame.__getitem__
    if isinstance(frame, np.ndarray) and frame.dtype.names:
        return list(frame.dtype.names), frame.__getitem__
    if (
        hasattr(frame, "schema")
        and hasattr(frame, "column")
        and type(frame).__module__.startswith("pyarrow")
    ):
        return list(frame.schema.names), frame.column
    if (
        hasattr(frame, "columns")
        and hasattr(frame, "__getitem__")
        and not hasattr(type(frame), "collect")
    ):
        names = list(frame.columns)
        named = [
            name
            for name in getattr(getattr(frame, "index", None), "names", None) or []
            if name is not None
        ]
        if any(normal(name) in {*ALIASES["user"][0], *ALIASES["item"][0]} for name in named):
            raise ColumnError(
                f"{', '.join(map(repr, named))} is the index of the frame, no column: call reset_index()"
            )
        return names, frame.__getitem__
    raise TypeError(
        "frame must be a table with named columns (pandas, polars, Arrow, or a mapping of arrays), "
        f"got {type(frame).__name__}"
    )


def read_csv(
    path: str | os.PathLike[str],
    *,
    delimiter: str = ",",
    columns: Sequence[str] | None = None,
    encoding: str = "utf-8",
    quote: str | None = '"',
    user: str = USER,
    item: str = ITEM,
    rating: str | None = RATING,
    timestamp: str | None = TIMESTAMP,
    labels: Sequence[str] = (),
    contexts: Sequence[str] = (),
    ids: str = "auto",
    time_unit: str = "s",
    name: str | None = None,
    **side_data: Any,
) -> Dataset:
    """A data set from a delimited text file. Which columns, and what may be in them: as in
    `from_frame`.

    Text has no kinds, so a whole column decides. Ids are integers where every one is written as an
    integer; "007" is not, and makes its column text, as `ids="string"` always does. Empty fields,
    and words such as NA and null, are missing. Every line becomes a row, or an error names it.
    Gzip, bzip2 and xz are unpacked.

    Args:
        path: of the file.
        delimiter: between fields, of one character or several: "::" for MovieLens-1M.
        columns: names of the columns, where the file has no header line: ["user", "item", "rating",
        "timestamp"]. encoding: of the text; "latin-1", "gb18030", …
        quote: the character around fields; None where quotation marks are ordinary characters.
        user, item, rating, timestamp, labels, contexts, ids, time_unit, side_data: as in
        `from_frame`. name: of the data set; by default the file's, without its ending.

    Raises:
        FileNotFoundError: no such file.
        ColumnError: (a KeyError and a ValueError) a column is not there, or several may be meant.
        ValueError, TypeError: what is in the file cannot be kept as it is; the file, the column and
        the line are named.
    """
    one_of("ids", ids, ("auto", "string"))
    one_of("time_unit", time_unit, TIME_UNITS)
    for other, ours in _OTHER_WORDS.items():
        if other in side_data:
            raise TypeError(f"read_csv takes {ours}, not {other}")
    labels, contexts = _list("labels", labels), _list("contexts", contexts)
    file = DelimitedFile(
        path, delimiter, None if columns is None else _list("columns", columns), encoding, quote
    )
    found = _columns_of_file(file, _asked(user, item, rating, timestamp), [*labels, *contexts])
    kept = {
        column: existing(file.names, "labels or contexts", column, f"{file.path}: ")
        for column in [*labels, *contexts]
    }
    place = {column: file.names.index(column) for column in [*found.values(), *kept]}
    read = file.read(sorted(set(place.values())), place.get(found.get("timestamp")))
    if not file.header:
        _refuse_header(file, read, [place[found["user"]], place[found["item"]]])
    where = {column: Where(f"{file.path}, column {column!r}", file.line) for column in place}
    text = {
        column: read[at]
        if column == found.get("timestamp")
        else text_column(where[column], read[at])
        for column, at in place.items()
    }
    kinds: dict[str, Callable[[Where, Any], Any]] = {
        "user": lambda where, texts: text_ids(where, texts, ids),
        "rating": text_numbers,
        "item": lambda where, texts: text_ids(where, texts, ids),
        "timestamp": text_times,
    }
    given = {
        _ARGUMENTS[role]: (where[column], kinds[role](where[column], text[column]))
        for role, column in found.items()
    }
    return Dataset._from_columns(
        given,
        labels={c: text_plain(where[c], text[c]) for c in labels},
        contexts={c: text_plain(where[c], text[c]) for c in contexts},
        ids=ids,
        time_unit=time_unit,
        name=_stem(path) if name is None else name,
        columns=found,
        **side_data,
    )


def _columns_of_file(
    file: DelimitedFile, asked: Mapping[str, str | None], used: Sequence[str]
) -> dict[str, Any]:
    try:
        return find_columns(file.names, asked, used, f"{file.path}: ")
    except ColumnError as error:
        if not file.header:
            raise
        header = repr(file.delimiter.join(file.names)[:200])
        said = f"{error} (the header is {header})"
        if len(file.names) < 2 and (hint := file.other_delimiter()):
            said = f"{file.path}: the header {header} is one field with delimiter={file.delimiter!r}{hint}"
        if (
            sum(_like_data(field) for field in file.names) >= 2
        ):  # ids may be words; names of columns begin with letters
            said += (
                "; that looks like data: where the file has no header line, name the columns, such as "
                "columns=['user', 'item', 'rating', 'timestamp']"
            )
        raise ColumnError(said) from None


def _like_data(field: str) -> bool:
    """Whether this is no name of a column: a number, or several with something between them."""
    return re.fullmatch(r"[\d\s.:;|,-]*\d[\d\s.:;|,-]*", field) is not None


def _refuse_header(file: DelimitedFile, read: Mapping[int, Any], places: Sequence[int]) -> None:
    """With `columns`, a first line that is called like a user and an item is no event."""
    first = [normal(str(read[place][0])) for place in places]
    if all(
        name in {*plain, *others}
        for name, (plain, others) in zip(first, (ALIASES["user"], ALIASES["item"]), strict=True)
    ):
        raise ValueError(
            f"{file.path}, line 1 is a header line; leave `columns` out, or leave the line out"
        )


def _stem(path: str | os.PathLike[str]) -> str:
    plain = Path(path)
    while plain.suffix.lower() in (".gz", ".bz2", ".xz"):
        plain = plain.with_suffix("")
    return plain.stem


def read_parquet(
    path: str | os.PathLike[str],
    *,
    user: str = USER,
    item: str = ITEM,
    rating: str | None = RATING,
    timestamp: str | None = TIMESTAMP,
    labels: Sequence[str] = (),
    contexts: Sequence[str] = (),
    name: str | None = None,
    **options: Any,
) -> Dataset:
    """A data set from a Parquet file. Columns, `options` and errors are as in `from_frame`.

    Raises:
        FileNotFoundError: no such file.
        ValueError: the file is damaged, or no Parquet file.
    """
    import pyarrow as pa
    from pyarrow import parquet

    source = f"{os.fspath(path)}: "
    labels, contexts = _list("labels", labels), _list("contexts", contexts)
    with open(path, "rb") as file:
        try:
            content = parquet.ParquetFile(file, page_checksum_verification=True)
            names = content.schema_arrow.names
            found = find_columns(
                names, _asked(user, item, rating, timestamp), [*labels, *contexts], source
            )
            wanted = [
                existing(names, "labels or contexts", c, source) for c in [*labels, *contexts]
            ]
            table = content.read(columns=list(dict.fromkeys([*found.values(), *wanted])))
            table.validate(full=True)  # or a bit that has flipped points beyond a dictionary
        except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
            start = Path(path).read_bytes()[:4]
            hint = "" if start == b"PAR1" else "; read_csv reads text"
            raise ValueError(
                f"{os.fspath(path)} is damaged, or not a Parquet file: {error}{hint}"
            ) from error
    return _from_table(
        names,
        table.column,
        found,
        source,
        labels,
        contexts,
        name=_stem(path) if name is None else name,
        **options,
    )


def from_matrix(
    matrix: Any,
    *,
    missing: float = 0.0,
    ratings: bool = True,
    user_ids: Any = None,
    item_ids: Any = None,
    ids: str = "auto",
    name: str = "matrix",
    **side_data: Any,
) -> Dataset:
    """A data set from a user × item matrix, dense or sparse, or from a data frame that is one.

    Args:
        matrix: (n_users, n_items) numbers. Entries equal to `missing` (0, or `float("nan")`) were
            not observed. In a sparse matrix, what is not stored was not observed either; entries
            stored twice add up. A sparse matrix and the same one made dense are the same data set,
            unless `missing` is NaN: then the zeros that a sparse matrix stores were observed. In a
            data frame, the labels of rows and columns are the ids.
        ratings: whether the values are ratings; False takes only where there was an interaction.
        user_ids, item_ids: ids of the rows and columns, 0 … n-1 by default. Every one of them
        becomes part of
            the data set, rows and columns without an entry too.
        ids: "auto" takes ids as they are, "string" writes integers as text.

    Raises:
        ValueError: another shape, ids that do not fit, nothing observed, NaN or infinite entries;
        the cell is named. TypeError: values that are no real numbers.
    """
    from keras_recs.data.features import ItemFeatures, UserFeatures

    where_ids = {"user_ids": "user_ids", "item_ids": "item_ids"}
    if hasattr(matrix, "columns") and hasattr(matrix, "to_numpy"):
        if not hasattr(matrix, "index"):
            raise TypeError(
                "matrix is a frame whose rows have no labels: pass its to_numpy(), user_ids and item_ids"
            )
        if user_ids is None:
            user_ids, where_ids["user_ids"] = matrix.index, "the index of the frame"
        if item_ids is None:
            item_ids, where_ids["item_ids"] = matrix.columns, "the columns of the frame"
        matrix = matrix.to_numpy()
    if isinstance(missing, bool) or not isinstance(missing, numbers_of_python.Real):
        raise TypeError(f"missing must be a number, got {missing!r}")
    rows, columns, values, shape = _cells(matrix, float(missing))
    if len(rows) == 0:
        raise ValueError(f"matrix has no entry but {missing:g}: there is nothing to learn from")
    names = {}
    for argument, given, size in (
        ("user_ids", user_ids, shape[0]),
        ("item_ids", item_ids, shape[1]),
    ):
        names[argument] = as_ids(
            where_ids[argument], np.arange(size) if given is None else given, ids
        )
        if len(names[argument]) != size:
            raise ValueError(f"{argument} has {len(names[argument])} entries for {size}")
        if len(np.unique(names[argument])) != size:
            different, counts = np.unique(names[argument], return_counts=True)
            raise ValueError(
                f"{where_ids[argument]} must hold each id once, but {different[counts.argmax()].item()!r} "
                f"comes {counts.max()} times"
            )
    users, items = names["user_ids"], names["item_ids"]
    cell = Where("matrix", lambda n: f"row {rows[n]}, column {columns[n]}")
    if np.isnan(np.asarray(values, np.float64) if values.dtype.kind in "iufb" else 0.0).any():
        raise ValueError(
            f"matrix must be finite, but {cell.first(np.isnan(values))} is nan; "
            "say missing=float('nan') if that is what was not observed"
        )
    # with ratings=False, too: what is no number is no interaction
    checked = numbers(cell, values, np.float32)
    side_data.setdefault("user_features", UserFeatures(users))
    side_data.setdefault("item_features", ItemFeatures(items))
    return Dataset.from_arrays(
        users[rows], items[columns], checked if ratings else None, name=name, **side_data
    )


def _cells(
    matrix: Any, missing: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray, tuple[int, int]]:
    """Rows, columns and values of what was observed, row by row, and the matrix's shape."""
    if sparse.issparse(matrix):
        if matrix.ndim != 2:
            raise ValueError(f"matrix must be two-dimensional, got shape {matrix.shape}")
        csr = sparse.csr_array(matrix, copy=True)
        csr.sum_duplicates()  # and sorts
        coo = csr.tocoo()
        rows, columns, values = coo.row, coo.col, coo.data
        observed = _observed(values, missing)
        return rows[observed], columns[observed], values[observed], csr.shape
    hidden = np.ma.getmaskarray(matrix) if isinstance(matrix, np.ma.MaskedArray) else None
    try:
        table = np.asarray(matrix)
    except ValueError:
        raise ValueError("matrix must be two-dimensional, got rows of different lengths") from None
    if table.ndim != 2:
        raise ValueError(f"matrix must be two-dimensional, got shape {table.shape}")
    observed = _observed(table, missing)
    if hidden is not None:
        observed &= ~hidden
    rows, columns = np.nonzero(observed)
    return rows, columns, table[rows, columns], table.shape


def _observed(values: np.ndarray, missing: float) -> np.ndarray:
    if values.dtype.kind not in "iufbO":
        raise TypeError(f"matrix must hold numbers, got {values.dtype}")
    if values.dtype.kind == "O":
        blank = np.array([is_missing(value) for value in values.ravel()], bool).reshape(
            values.shape
        )
        return ~blank if np.isnan(missing) else blank | (values != missing)
    return ~np.isnan(values) if np.isnan(missing) else values != missing
