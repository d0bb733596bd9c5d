"""The one strict conversion of what people bring: ids, numbers and times, from lists, NumPy,
pandas, polars, Arrow.

Nothing is guessed and nothing is lost in silence. What is missing is counted before anything is
converted, ranges are checked before a cast, kinds are not mixed; an error names the column and the
first row.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from numbers import Real
from typing import Any

import numpy as np

#: Characters of the longest id. NumPy gives every id the room of the longest, so one long one would
#: take gigabytes.
MAX_ID_LENGTH = 256
#: How many of a unit of time make a second.
TIME_UNITS = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
LAST_SECOND = 253_402_300_799  # the end of the year 9999
INT64 = np.iinfo(np.int64)


@dataclass(frozen=True)
class Where:
    """What a column and its rows are called in messages."""

    name: str
    row: Callable[[int], str] = "entry {}".format

    def __str__(self) -> str:
        return self.name

    def first(self, bad: np.ndarray) -> str:
        """The first row that `bad` (bool) marks, and how many there are."""
        rows = np.flatnonzero(bad)
        return self.row(int(rows[0])) + (f", the first of {len(rows):,}" if len(rows) > 1 else "")

    def missing(self, missing: np.ndarray) -> ValueError:
        return ValueError(f"{self} has missing entries: {self.first(missing)}")


@dataclass(frozen=True)
class Raw:
    """A column as it came, nothing converted yet.

    Attributes:
        values: (n,) array; of objects where the kinds may be mixed.
        missing: (n,) bool, or None where nothing can be missing.
        codes: where the column is categorical, the (n,) positions of its entries in `values`.
    """

    values: np.ndarray
    missing: np.ndarray | None = None
    codes: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.values if self.codes is None else self.codes)

    def plain(self) -> Raw:
        """The same without codes. What is missing has some value or other."""
        if self.codes is None:
            return self
        if len(self.values) == 0:  # all entries, if there are any, are missing
            return Raw(np.full(len(self.codes), None, object), self.missing)
        return Raw(self.values[np.maximum(self.codes, 0)], self.missing)


def raw(where: Where, values: Any) -> Raw:
    """`values`, one entry per row, whatever they came in."""
    module = type(values).__module__.partition(".")[0]
    if module == "polars" and hasattr(values, "to_arrow"):
        values, module = values.to_arrow(), "pyarrow"
    if module == "pyarrow" and hasattr(values, "type"):
        found = _arrow(values)
    elif hasattr(values, "isna") and hasattr(
        values, "dtype"
    ):  # of pandas, which need not be installed
        found = _pandas(values)
    else:
        found = _numpy(where, values)
    if found.values.ndim != 1:
        raise ValueError(
            f"{where} must be one-dimensional, got an array of shape {found.values.shape}"
        )
    return found


def _numpy(where: Where, values: Any) -> Raw:
    hidden = np.ma.getmaskarray(values) if isinstance(values, np.ma.MaskedArray) else None
    if isinstance(values, (set, frozenset, Mapping)):
        raise TypeError(f"{where} must have an order, got a {type(values).__name__}")
    if not _array_like(values):
        values = list(values)
    array = _of_objects(where, values) if isinstance(values, (list, tuple)) else np.asarray(values)
    if array.dtype.kind == "T":  # NumPy's variable-width strings
        array = array.astype(object)
    if array.dtype.kind != "O" or array.ndim != 1:
        return Raw(array, hidden)
    missing = _missing_objects(array)
    if hidden is not None:
        missing = hidden if missing is None else missing | hidden
    return Raw(array, missing)


def _array_like(values: Any) -> bool:
    return (
        isinstance(values, (list, tuple, str, bytes, range))
        or not isinstance(values, Iterable)
        or hasattr(values, "__array__")
        or hasattr(values, "__array_interface__")
    )


def _of_objects(where: Where, values: list | tuple) -> np.ndarray:
    """An array that keeps the kind of each entry; NumPy alone would make ['1', 'True'] of [1, True,
    '1']."""
    kinds = set(map(type, values))
    if kinds <= {int}:
        try:
            return np.array(values, np.int64)
        except OverflowError:
            pass  # too large: who wants integers will say so
    if kinds <= {float}:
        return np.array(values, np.float64)
    if any(issubclass(kind, (list, tuple, np.ndarray)) for kind in kinds):
        try:
            return np.asarray(values)
        except ValueError:
            raise ValueError(
                f"{where} must be one-dimensional, got rows of different lengths"
            ) from None
    return np.fromiter(values, object, len(values))


def _missing_objects(array: np.ndarray) -> np.ndarray | None:
    kinds = set(map(type, array.tolist()))
    if all(issubclass(kind, (str, int, np.integer)) for kind in kinds):
        return None
    return np.fromiter(map(is_missing, array), bool, len(array))


def is_missing(value: Any) -> bool:
    """None, NaN, NaT, pandas' NA, NumPy's masked."""
    if value is None or value is np.ma.masked or type(value).__name__ in ("NAType", "NaTType"):
        return True
    if isinstance(value, (np.datetime64, np.timedelta64)):
        return bool(np.isnat(value))
    if isinstance(value, Decimal):
        return value.is_nan()
    return isinstance(value, (float, np.floating)) and bool(np.isnan(value))


def _pandas(values: Any) -> Raw:
    kind: Any = values.dtype
    values = getattr(values, "array", values)  # of a Series or an Index
    if isinstance(kind, np.dtype):
        array = np.asarray(values)
        # NaN and NaT are seen later
        return Raw(array, _missing_objects(array) if kind.kind == "O" else None)
    missing = np.asarray(values.isna(), bool)
    if hasattr(kind, "categories") and hasattr(values, "codes"):
        return Raw(_pandas(values.categories).values, missing, np.asarray(values.codes, np.int64))
    if type(kind).__name__ == "ArrowDtype":
        return _arrow(values.__arrow_array__())
    if hasattr(kind, "tz"):
        return Raw(np.asarray(values.tz_convert("UTC").tz_localize(None)), missing)
    if hasattr(kind, "numpy_dtype") and kind.numpy_dtype.kind in "iufb":  # Int64 and its like
        return Raw(values.to_numpy(kind.numpy_dtype, na_value=kind.numpy_dtype.type(0)), missing)
    return Raw(np.asarray(values, object), missing)


def _arrow(values: Any) -> Raw:
    import pyarrow as pa

    if isinstance(values, pa.ChunkedArray):
        if pa.types.is_dictionary(values.type):
            values = values.unify_dictionaries()
        values = values.combine_chunks() if values.num_chunks != 1 else values.chunk(0)
        if isinstance(values, pa.ChunkedArray):  # older versions
            values = pa.concat_arrays(values.chunks)
    kind = values.type
    if pa.types.is_dictionary(kind):
        entries, codes = _arrow(values.dictionary), values.indices
        missing = np.asarray(codes.is_null())
        codes = np.asarray(codes.fill_null(0)).astype(np.int64)
        if entries.missing is not None and len(entries):
            missing = missing | entries.missing[codes]
        return Raw(entries.plain().values, missing, codes)
    missing = np.asarray(values.is_null(), bool)
    if pa.types.is_boolean(kind):
        return Raw(values.fill_null(False).to_numpy(zero_copy_only=False), missing)
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind) or pa.types.is_integer(kind):
        zero = pa.scalar(0, pa.int32() if pa.types.is_date32(kind) else pa.int64()).cast(kind)
        # else whole numbers become floats
        return Raw(values.fill_null(zero).to_numpy(zero_copy_only=False), missing)
    if pa.types.is_floating(kind):
        return Raw(values.to_numpy(zero_copy_only=False), missing)
    return Raw(np.fromiter(values.to_pylist(), object, len(values)), missing)


# --- ids ------------------------------------------------------------------------------------------


def distinct_ids(where: Where, values: Any, ids: str = "auto") -> tuple[np.ndarray, np.ndarray]:
    """(the different ids in sorted order, int64 or strings; the (n,) place of each entry's id among
    them).

    Args:
        values: n integers or n strings, not mixed.
        ids: "auto" keeps integers and strings as they are, "string" writes integers as decimal
            text.

    Raises:
        TypeError: ids of another kind, or of several.
        ValueError: missing ids, or ids that cannot be kept as they are: integers beyond 64 bits,
            text with a null character, text of more than MAX_ID_LENGTH characters. The first row is
            named.
    """
    column = values if isinstance(values, Raw) else raw(where, values)
    if column.codes is None:
        return _distinct_plain(where, column, ids)
    if column.missing is not None and column.missing.any():
        raise where.missing(column.missing)
    used = np.flatnonzero(np.bincount(column.codes, minlength=len(column.values)))
    within = Where(where.name, lambda i: where.row(int((column.codes == used[i]).argmax())))
    found, places = _distinct_plain(within, Raw(column.values[used]), ids)
    of_code = np.zeros(len(column.values), np.int64)
    of_code[used] = places
    return found, of_code[column.codes]


def _distinct_plain(where: Where, column: Raw, ids: str) -> tuple[np.ndarray, np.ndarray]:
    array = column.values
    kind: str = array.dtype.kind
    if array.size == 0:
        return (array.astype(np.int64) if kind in "fO" else array), np.empty(0, np.int64)
    if kind == "O":
        kind = _kind_of_objects(where, column)
    if column.missing is not None and column.missing.any():
        raise where.missing(column.missing)
    if kind == "f" and np.isnan(array).any():
        raise where.missing(np.isnan(array))
    if kind == "U":
        return _distinct_text(where, array)
    if kind not in "iu":
        hint = {"f": "; convert whole numbers with astype(int)", "S": "; decode the bytes"}.get(
            kind, ""
        )
        raise TypeError(
            f"{where} must hold integers or strings, got {array.dtype}, such as {_short(array[0])} in "
            f"{where.row(0)}{hint}"
        )
    if ids == "string" and array.dtype.kind in "Ou":  # those that may be too large
        return _distinct_text(where, np.array([str(int(value)) for value in array], object))
    found, places = _distinct_integers(_int64(where, array, "pass ids='string'"))
    if ids == "string":
        return _distinct_text(where, found.astype(str).astype(object)[places])
    return found, places


def _kind_of_objects(where: Where, column: Raw) -> str:
    """ "U" or "i", when all objects are strings or all are integers."""
    objects = column.values if column.missing is None else column.values[~column.missing]
    kinds = set(map(type, objects.tolist()))
    if not kinds:  # all are missing, which is said by the caller
        return "U"
    if all(issubclass(kind, str) for kind in kinds):
        return "U"
    if all(issubclass(kind, (int, np.integer)) and kind is not bool for kind in kinds):
        return "i"
    row, odd = _first_other(column)
    raise TypeError(
        f"{where} must be all integers or all strings, got {_named(kinds)}: "
        f"{where.row(row)} is {_short(odd)}"
    )


def _named(kinds: set[type]) -> str:
    return " and ".join(sorted(kind.__name__ for kind in kinds))


def _first_other(column: Raw) -> tuple[int, Any]:
    """Row and value of the first entry of another kind than the first, or of the first."""
    rows = (
        range(len(column.values))
        if column.missing is None
        else np.flatnonzero(~column.missing).tolist()
    )
    of = lambda value: "text" if isinstance(value, str) else type(value)  # noqa: E731
    start = of(column.values[rows[0]])
    row = next((row for row in rows if of(column.values[row]) != start), rows[0])
    return row, column.values[row]


def _int64(where: Where, array: np.ndarray, hint: str) -> np.ndarray:
    """Integers, when they fit into 64 bits with a sign."""
    if array.dtype == object:
        bad = np.array([not INT64.min <= int(value) <= INT64.max for value in array])
    else:
        bad = array > INT64.max if array.dtype.kind == "u" else np.zeros(1, bool)
    if bad.any():
        row = int(bad.argmax())
        raise ValueError(
            f"{where} must hold integers of 64 bits, but {where.row(row)} is {array[row]}: {hint}"
        )
    return array.astype(np.int64, copy=False)


def _distinct_integers(array: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    low = int(array.min())
    width = int(array.max()) - low + 1
    if width > 4 * len(array) + 1000:
        return np.unique(array, return_inverse=True)
    present = np.zeros(width, bool)  # without sorting, where the ids lie close together
    offsets = array - low
    present[offsets] = True
    return np.flatnonzero(present) + low, (np.cumsum(present) - 1)[offsets]


def _distinct_text(where: Where, array: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    texts = array.tolist()
    if array.dtype == object:
        texts = [text if type(text) is str else str.__str__(text) for text in texts]
    found = sorted(set(texts))
    for text in found:
        if fault := _fault_of_text(text):
            raise ValueError(
                f"{where} has {fault}: {where.row(texts.index(text))} is {_short(text)}"
            )
    place = {text: n for n, text in enumerate(found)}
    return np.array(found), np.fromiter(map(place.__getitem__, texts), np.int64, len(texts))


def _fault_of_text(text: str) -> str | None:
    if "\0" in text:  # NumPy drops them at the end: "a" and "a\0" would be one
        return "an id with a null character"
    if len(text) > MAX_ID_LENGTH:
        return f"an id of {len(text):,} characters where {MAX_ID_LENGTH} are the most (number or hash them)"
    if not text.isascii():
        try:
            text.encode("utf-8")
        except UnicodeEncodeError:
            return "an id that is no text, with half of a surrogate pair"
    return None


def _short(value: Any) -> str:
    if isinstance(value, np.generic):
        value = str(value) if value.dtype.kind in "Mm" else value.item()
    shown = repr(value)
    return shown if len(shown) <= 60 else f"{shown[:40]} … {shown[-15:]}"


# --- numbers --------------------------------------------------------------------------------------


def numbers(where: Where, values: Any, dtype: Any = np.float64) -> np.ndarray:
    """(n,) finite real numbers as `dtype`, a float kind: ratings, predictions.

    Raises:
        TypeError: text, complex numbers, dates, or numbers mixed with something else.
        ValueError: missing, infinite or NaN entries, or numbers that `dtype` cannot hold.
    """
    column = (values if isinstance(values, Raw) else raw(where, values)).plain()
    array = column.values
    if column.missing is not None and column.missing.any():
        row = int(column.missing.argmax())
        value = array[row] if array.dtype == object else "missing"
        raise ValueError(
            f"{where} must be finite, but {where.row(row)} is {value}{_how_many(column.missing)}"
        )
    if array.dtype == object:
        array = _float_objects(where, array)
    if array.dtype.kind not in "iufb":
        shown = f", such as {_short(array[0])} in {where.row(0)}" if len(array) else ""
        raise TypeError(f"{where} must be numbers, got {array.dtype}{shown}")
    if array.dtype.kind == "f":
        bad = ~np.isfinite(array)
        if bad.any():
            raise ValueError(
                f"{where} must be finite, but {where.row(int(bad.argmax()))} is {array[bad.argmax()]}"
                + _how_many(bad)
            )
    with np.errstate(over="ignore", under="ignore"):
        out = array.astype(dtype)
    lost = ~np.isfinite(out) | ((out == 0) & (array != 0))
    if lost.any():
        row = int(lost.argmax())
        raise ValueError(
            f"{where} must fit into {np.dtype(dtype)}, but {where.row(row)} is {array[row]}"
        )
    return out


def _how_many(bad: np.ndarray) -> str:
    n = np.count_nonzero(bad)
    return f" ({n:,} such entries in all)" if n > 1 else ""


def _float_objects(where: Where, array: np.ndarray) -> np.ndarray:
    kinds = set(map(type, array.tolist()))
    truths = {kind for kind in kinds if kind in (bool, np.bool_)}
    if truths and truths == kinds:
        return array.astype(bool)
    for row, value in enumerate(array):
        if isinstance(value, (bool, np.bool_)) or not isinstance(value, (Real, Decimal)):
            raise TypeError(
                f"{where} must be numbers, got {type(value).__name__}: {where.row(row)} is {_short(value)}"
            )
        try:
            float(value)
        except OverflowError:
            raise ValueError(
                f"{where} must fit into float64, but {where.row(row)} is {_short(value)}"
            ) from None
    return array.astype(np.float64)


def whole_numbers(where: Where, values: Any) -> np.ndarray:
    """(n,) int64, when `values` are integers."""
    column = raw(where, values).plain()
    array = column.values
    if column.missing is not None and column.missing.any():
        raise where.missing(column.missing)
    if array.size == 0:
        return array.astype(np.int64)
    if array.dtype.kind not in "iu":
        raise TypeError(
            f"{where} must hold integers, got {array.dtype}, such as {_short(array[0])} in {where.row(0)}"
        )
    return _int64(where, array, "that is too large")


# --- times ----------------------------------------------------------------------------------------


def times(
    where: Where, values: Any, unit: str = "s", *, refuse_dates: bool = False
) -> tuple[np.ndarray, np.ndarray | None]:
    """(int64 seconds since 1970 UTC; int32 nanoseconds beyond the second, None where all are 0).

    Numbers are read in `unit` ("s", "ms", "us", "ns"). Dates and times of day of every kind carry
    their own unit: `datetime64`, pandas and Arrow timestamps, Python dates and datetimes, text in
    ISO form ("2020-01-31", "2020-01-31 18:30:00.25", "2020-01-31T18:30:00+01:00", "…Z"). Without a
    zone, they are read as UTC.

    Args:
        where, values, unit: the column.
        refuse_dates: whether a column of numbers such as 20200131 is refused. As seconds, all of it
            would be in 1970.

    Raises:
        TypeError: another kind, or several, such as times with and without a zone.
        ValueError: missing entries; NaN; times beyond the year 9999; text that is no ISO date;
            dates as numbers.
    """
    column = (values if isinstance(values, Raw) else raw(where, values)).plain()
    array, missing = column.values, column.missing
    if array.dtype.kind == "M":
        missing = np.isnat(array) if missing is None else missing | np.isnat(array)
    if missing is not None and missing.any():
        raise where.missing(missing)
    if array.dtype.kind in "OU" and len(array):
        array = _time_objects(where, array, unit)
    if array.dtype.kind == "M":
        array, unit = _datetime64(where, array)
    elif refuse_dates and unit == "s" and _are_dates(array):
        raise ValueError(
            f"{where} has dates written as numbers, such as {int(array[0])} in {where.row(0)}, which as "
            "seconds since 1970 would all be of one year; pass datetimes, or ISO text such as 2020-01-31"
        )
    if array.dtype.kind not in "iuf":
        shown = f", such as {_short(array[0])} in {where.row(0)}" if len(array) else ""
        raise TypeError(f"{where} must be seconds since 1970 or dates, got {array.dtype}{shown}")
    return _seconds(where, array, unit)


def _are_dates(array: np.ndarray) -> bool:
    """Whether all are numbers such as 20200131, a day between 1900 and 2100."""
    if len(array) == 0 or array.dtype.kind not in "iuf":
        return False
    if not (float(array.min()) >= 19000101 and float(array.max()) <= 21001231):  # NaN is neither
        return False
    whole = array.astype(np.int64)
    months, days = whole // 100 % 100, whole % 100
    return bool(
        ((whole == array) & (months >= 1) & (months <= 12) & (days >= 1) & (days <= 31)).all()
    )


def _seconds(where: Where, array: np.ndarray, unit: str) -> tuple[np.ndarray, np.ndarray | None]:
    per_second = TIME_UNITS[unit]
    if array.dtype.kind == "f":
        array = numbers(where, array)  # NaN would pass the next check
    low, high = -LAST_SECOND * per_second, LAST_SECOND * per_second
    with np.errstate(invalid="ignore"):
        # Bounds beyond the kind's own range bound nothing: a time in nanoseconds ends with int64,
        # in 2262.
        bad = array > high if high <= INT64.max or array.dtype.kind == "f" else array > INT64.max
        if array.dtype.kind != "u" and (low >= INT64.min or array.dtype.kind == "f"):
            bad = bad | (array < low)
    if bad.any():
        row = int(bad.argmax())
        guess = ""
        if unit == "s" and abs(float(array[row])) < 1e19:
            guess = "; are they milliseconds or finer? from_frame and the readers take time_unit='ms', 'us' or 'ns'"
        raise ValueError(
            f"{where} is beyond the year 9999 in {where.first(bad)}: {array[row]} {unit}{guess}"
        )
    if array.dtype.kind != "f":
        array = array.astype(np.int64, copy=False)
        if per_second == 1:
            return array, None
        seconds, rest = np.divmod(array, per_second)
        nanoseconds = rest * (10**9 // per_second)
    else:
        whole, rest = np.divmod(array.astype(np.float64), per_second)
        seconds, nanoseconds = (
            whole.astype(np.int64),
            np.rint(rest * (10**9 / per_second)).astype(np.int64),
        )
        seconds, nanoseconds = seconds + nanoseconds // 10**9, nanoseconds % 10**9
    return seconds, nanoseconds.astype(np.int32) if nanoseconds.any() else None


def _datetime64(where: Where, array: np.ndarray) -> tuple[np.ndarray, str]:
    """Whole numbers in a unit, from datetime64 of whatever unit."""
    unit, count = np.datetime_data(array.dtype)
    if unit in ("ps", "fs", "as"):
        whole = array.astype("datetime64[ns]")
        if (whole != array).any():
            raise ValueError(
                f"{where} must have no parts of nanoseconds, but has in {where.first(whole != array)}"
            )
        return whole.astype(np.int64), "ns"
    years = array.astype("datetime64[Y]").astype(np.int64) + 1970
    bad = (years > 9999) | (years < -8000)
    if bad.any():
        raise ValueError(
            f"{where} is beyond the year 9999 in {where.first(bad)}: {array[bad.argmax()]}"
        )
    if unit in TIME_UNITS and count == 1:
        return array.astype(np.int64), unit
    unit = unit if unit in TIME_UNITS else "s"
    return array.astype(f"datetime64[{unit}]").astype(np.int64), unit


def _time_objects(where: Where, array: np.ndarray, unit: str) -> np.ndarray:
    """Numbers or datetime64, from objects that are all of one family."""
    objects = array.tolist() if array.dtype.kind == "U" else list(array)
    kinds = set(map(type, objects))
    of_kind = lambda *wanted: all(issubclass(kind, wanted) for kind in kinds)  # noqa: E731
    if of_kind(str):
        return iso_times(where, objects)
    if of_kind(np.datetime64):
        return np.array(objects)
    if of_kind(date):
        return _epochs(where, objects)
    if of_kind(int, np.integer) and bool not in kinds:
        return _int64(where, array, f"that is no time in {unit}")
    if of_kind(Real, Decimal) and not kinds & {bool, np.bool_}:
        return _float_objects(where, array)
    row, odd = _first_other(Raw(array))
    raise TypeError(
        f"{where} must be seconds since 1970 or dates throughout, got {_named(kinds)}: "
        f"{where.row(row)} is {_short(odd)}"
    )


def _epochs(where: Where, objects: list) -> np.ndarray:
    """datetime64 from dates and datetimes, pandas' among them."""
    zoned = [isinstance(value, datetime) and value.utcoffset() is not None for value in objects]
    if len(set(zoned)) > 1:
        row = zoned.index(not zoned[0])
        raise TypeError(
            f"{where} mixes times with and without a zone: {where.row(row)} is {objects[row]!s}"
        )
    if zoned[0]:
        objects = [value.astimezone(UTC).replace(tzinfo=None) for value in objects]
    fine = any(getattr(value, "nanosecond", 0) for value in objects)  # pandas' timestamps have them
    return np.array(
        [
            value.to_datetime64() if hasattr(value, "to_datetime64") else np.datetime64(value)
            for value in objects
        ],
        "datetime64[ns]" if fine else "datetime64[us]",
    )


_ZONE = r"(?:Z|[+-]\d\d(?::?\d\d)?)"
_ISO = re.compile(rf"\d{{4}}-\d\d-\d\d(?:[T ]\d\d(?::\d\d(?::\d\d(?:\.\d{{1,9}})?)?)?{_ZONE}?)?")


def iso_times(where: Where, texts: list[str]) -> np.ndarray:
    """datetime64[ns], or [us] where the years want it, from text in ISO form."""
    import pyarrow as pa
    import pyarrow.compute as pc

    for resolution in ("ns", "us"):
        for zone in (None, "UTC"):
            try:
                read = pc.cast(pa.array(texts, pa.string()), pa.timestamp(resolution, zone))
            except (pa.ArrowInvalid, UnicodeEncodeError):
                continue
            return read.to_numpy(zero_copy_only=False).astype(f"datetime64[{resolution}]")
    for row, text in enumerate(texts):
        if not _is_iso(text):
            raise ValueError(
                f"{where} must be ISO dates such as 2020-01-31 or 2020-01-31T18:30:00Z, "
                f"but {where.row(row)} is {_short(text)}"
            )
    zoned = [bool(re.search(_ZONE + "$", text[10:])) for text in texts]
    row = zoned.index(not zoned[0]) if len(set(zoned)) > 1 else 0
    raise TypeError(
        f"{where} mixes times with and without a zone: {where.row(row)} is {_short(texts[row])}"
    )


def _is_iso(text: str) -> bool:
    try:
        return bool(_ISO.fullmatch(text) and datetime.fromisoformat(text))
    except ValueError:
        return False


# --- anything else --------------------------------------------------------------------------------


def plain(where: Where, values: Any) -> np.ndarray:
    """(n,) labels or contexts of whatever kind, none of them missing, finite where they are
    numbers."""
    column = raw(where, values).plain()
    array = column.values
    if array.dtype.kind in "Mm":
        missing = np.isnat(array)
        column = Raw(array, missing if column.missing is None else missing | column.missing)
    if column.missing is not None and column.missing.any():
        raise where.missing(column.missing)
    if array.dtype.kind in "fc" and not np.isfinite(array).all():
        row = int((~np.isfinite(array)).argmax())
        raise ValueError(f"{where} must be finite, but {where.row(row)} is {array[row]}")
    if array.dtype.kind == "O" and len(array):
        array = _narrow(array)
    return array


def _narrow(array: np.ndarray) -> np.ndarray:
    """Strings or numbers of one kind out of an array of objects; others stay objects."""
    kinds = set(map(type, array.tolist()))
    for kind in (str, bool, int, float):
        if kinds == {kind}:
            if kind is str and max(map(len, array)) > MAX_ID_LENGTH:
                return array
            try:
                return array.astype(kind)
            except OverflowError:
                return array
    return array
