"""The readers: what people bring is read as it is, or refused by name. Nothing is merged, cut or lost in silence."""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
from collections import deque
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from scipy import sparse

from keras_recs.data import (
    ColumnError,
    Dataset,
    ItemFeatures,
    from_frame,
    from_matrix,
    read_csv,
    read_parquet,
    split,
)

HEAD = "user,item,rating,timestamp\n"


def same(one: Dataset, other: Dataset) -> bool:
    """Equal in ids (and their kind), events, their order and the rating scale."""
    a, b = one.interactions, other.interactions
    columns = [
        (getattr(a, name), getattr(b, name))
        for name in ("users", "items", "ratings", "timestamps", "nanoseconds")
    ]
    columns += [(one.user_ids.ids, other.user_ids.ids), (one.item_ids.ids, other.item_ids.ids)]
    columns += [(a.labels[name], b.labels.get(name)) for name in a.labels]
    return one.rating_scale == other.rating_scale and all(
        (x is None and y is None)
        or (
            x is not None
            and y is not None
            and x.dtype.kind == y.dtype.kind
            and np.array_equal(x, y)
        )
        for x, y in columns
    )


@pytest.fixture
def csv(tmp_path: Path):
    """Write text or bytes to a file and read it."""

    def read(content: str | bytes, name: str = "events.csv", **options) -> Dataset:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return read_csv(path, **options)

    return read


def ids(data: Dataset) -> tuple[list, list]:
    return data.user_ids.ids.tolist(), data.item_ids.ids.tolist()


# --- ids ------------------------------------------------------------------------------------------

BAD_IDS = {
    "mixed": (
        [1, "1", True],
        TypeError,
        "users must be all integers or all strings, got bool and int and str: entry",
    ),
    "mixed in a deque": (deque([1, "1"]), TypeError, "got int and str: entry 1 is '1'"),
    "truth values among numbers": ([5, True], TypeError, "got bool and int: entry 1 is True"),
    "truth values": (np.array([True, False]), TypeError, "got bool, such as True in entry 0"),
    "nan among names": ([float("nan"), "ann"], ValueError, "users has missing entries: entry 0"),
    "none": (["ann", None, None], ValueError, "missing entries: entry 1, the first of 2"),
    "pandas' missing": (
        pd.Series([1, None], dtype="Int64"),
        ValueError,
        "missing entries: entry 1",
    ),
    "a missing category": (
        pd.Categorical(["b", None, "a"]),
        ValueError,
        "missing entries: entry 1",
    ),
    "a missing entry of a dictionary": (
        pa.array(["b", None, "a"]).dictionary_encode(),
        ValueError,
        "entry 1",
    ),
    "a missing word of a dictionary": (
        pa.DictionaryArray.from_arrays(pa.array([0, 1]), pa.array(["a", None])),
        ValueError,
        "missing entries: entry 1",
    ),
    "masked": (np.ma.array([1, 2], mask=[False, True]), ValueError, "missing entries: entry 1"),
    "nan in numbers": ([1.0, float("nan")], ValueError, "missing entries: entry 1"),
    "floats": ([1.0, 2.0], TypeError, "integers or strings, got float64, such as 1.0 in entry 0"),
    "half floats": (np.array([1, 1.5]), TypeError, "integers or strings, got float64"),
    "hashes of 64 bits": (
        np.array([1, 2**63 + 5], np.uint64),
        ValueError,
        "entry 1 is 9223372036854775813",
    ),
    "all ones": (
        np.array([7, 2**64 - 1], np.uint64),
        ValueError,
        "entry 1 is 18446744073709551615",
    ),
    "large integers": ([1, 2**70], ValueError, f"entry 1 is {2**70}: pass ids='string'"),
    "the filler behind a smaller one": (
        [-5, -1, 3],
        ValueError,
        "contains -1, which is reserved .*: entry 1",
    ),
    "an empty name": (["ann", ""], ValueError, "contains '', which is reserved .*: entry 1"),
    "bytes": ([b"ann", b"bob"], TypeError, "got bytes: entry 0"),
    "bytes in an array": (np.array([b"ann"]), TypeError, "decode the bytes"),
    "a null at the end": (["a", "a\0"], ValueError, "null character: entry 1"),
    "half a character": (["a", "\ud800"], ValueError, "half of a surrogate pair: entry 1"),
    "one long name": (
        ["b"] * 5 + ["a" * 1_000_000],
        ValueError,
        "1,000,000 characters where 256 are .*entry 5",
    ),
    "lists": (pa.array([[1], [2]]), TypeError, "got list: entry 0"),
    "only missing words": (
        pa.array([None], pa.dictionary(pa.int32(), pa.string())),
        ValueError,
        "entry 0",
    ),
    "a set": ({1, 2}, TypeError, "must have an order, got a set"),
    "decimals": ([Decimal(1)], TypeError, "got Decimal: entry 0"),
    "dates": (np.array(["2020-01-01"], "M8[D]"), TypeError, r"got datetime64\[D\]"),
    "complex": ([1j], TypeError, "got complex"),
    "nothing": (None, TypeError, "users must hold integers or strings, got None"),
}


@pytest.mark.parametrize("case", BAD_IDS)
def test_ids_that_would_change_are_refused_with_column_and_row(case: str) -> None:
    users, error, words = BAD_IDS[case]
    n = 1 if users is None else len(users)
    with pytest.raises(error, match=words):
        Dataset.from_arrays(users, np.arange(n))
    with pytest.raises(error, match=words.replace("users", "items")):
        Dataset.from_arrays(np.arange(n), users)


@pytest.mark.parametrize(
    "users",
    [
        ["b", "a", "b"],
        ("b", "a", "b"),
        np.array(["b", "a", "b"]),
        np.array(["b", "a", "b"], object),
        deque("bab"),
        pd.Series(["b", "a", "b"]),
        pd.Series(["b", "a", "b"], dtype=object),
        pd.Index(["b", "a", "b"]),
        pd.Categorical(["b", "a", "b"], categories=["z", "b", "a"]),
        np.array(["b", "a", "b"], np.dtype("T")),
        pa.array(["b", "a", "b"]),
        pa.array(["b", "a", "b"], pa.large_string()),
        pa.chunked_array(
            [pa.array(["b"]).dictionary_encode(), pa.array(["a", "b"]).dictionary_encode()]
        ),
        pa.DictionaryArray.from_arrays(pa.array([0, 1, 2]), pa.array(["b", "a", "b"])),
    ],
    ids=lambda v: type(v).__name__,
)
def test_names_are_the_same_in_whatever_they_come(users) -> None:
    expected = Dataset.from_arrays(["b", "a", "b"], [1, 2, 3])
    assert ids(expected)[0] == ["a", "b"]
    assert same(Dataset.from_arrays(users, [1, 2, 3]), expected)


@pytest.mark.parametrize(
    "users",
    [
        [7, -5, 7],
        range(7, 10),
        np.array([7, -5, 7], np.int8),
        pd.Series([7, -5, 7], dtype="Int64"),
        pd.Series([7, -5, 7], dtype="int64[pyarrow]"),
        pd.Series([7, -5, 7], dtype=object),
        pa.array([7, -5, 7], pa.int16()),
        pd.Categorical([7, -5, 7]),
        [np.int64(7), -5, np.uint8(7)],
        [7, -(2**63), 2**63 - 1],
    ],
    ids=lambda v: type(v).__name__,
)
def test_integers_are_the_same_in_whatever_they_come(users) -> None:
    data = Dataset.from_arrays(users, [1, 2, 3])
    given = users.to_pylist() if isinstance(users, pa.Array) else list(users)
    assert data.user_ids.ids[data.interactions.users].tolist() == given
    assert data.user_ids.ids.dtype == np.int64
    as_text = Dataset.from_arrays(users, [1, 2, 3], ids="string")
    assert as_text.user_ids.ids[as_text.interactions.users].tolist() == list(map(str, given))
    assert ids(as_text)[1] == ["1", "2", "3"]


def test_text_takes_what_integers_cannot() -> None:
    data = Dataset.from_arrays(np.array([1, 2**64 - 1], np.uint64), [1, 2**80], ids="string")
    assert ids(data) == (["1", "18446744073709551615"], ["1", str(2**80)])
    with pytest.raises(TypeError, match="all integers or all strings"):
        Dataset.from_arrays([1, "1"], [1, 2], ids="string")
    with pytest.raises(ValueError, match="ids must be one of 'auto', 'string'"):
        Dataset.from_arrays([1], [1], ids="text")


def test_ids_that_are_asked_for_are_as_strict() -> None:
    data = Dataset.from_arrays([1, 2], ["a", "b"])
    for asked, error in (
        ([1, True], TypeError),
        ([1, None], ValueError),
        (np.array([2**63], np.uint64), ValueError),
    ):
        with pytest.raises(error, match="users"):
            data.user_ids.index("users", asked)
    with pytest.raises(ValueError, match="null character"):
        data.item_ids.index("items", ["a\0"])


def test_ids_of_events_and_side_data_stay_of_one_kind() -> None:
    with pytest.raises(TypeError, match="of one kind"):
        Dataset.from_arrays([1], [1], item_features=ItemFeatures([1]), ids="string")


# --- ratings and times ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ratings", "error", "words"),
    [
        ([1 + 2j], TypeError, "got complex: entry 0"),
        (np.array([1 + 0j]), TypeError, "got complex128"),
        (["5"], TypeError, "ratings must be numbers, got str: entry 0 is '5'"),
        ([1.0, None], ValueError, "entry 1 is None"),
        ([1e300], ValueError, "must fit into float32, but entry 0 is 1e\\+300"),
        ([10**400], ValueError, "entry 0"),
        ([3, 1e-60], ValueError, "must fit into float32, but entry 1"),
        ([True, 2], TypeError, "got bool: entry 0"),
        (np.array(["2020-01-01", "NaT"], "M8[D]"), TypeError, r"got datetime64\[D\]"),
        (np.array([1, 2], "m8[s]"), TypeError, r"got timedelta64"),
        ([float("inf")], ValueError, "entry 0 is inf"),
        (np.ma.array([1.0, 2.0], mask=[0, 1]), ValueError, "entry 1 is missing"),
        ([Decimal("sNaN")], ValueError, "entry 0 is sNaN"),
        (pd.Categorical([None, None]), ValueError, "entry 0 is"),
        (pa.array([None, None], pa.dictionary(pa.int32(), pa.string())), ValueError, "entry 0 is"),
        (pa.array([[1.0], [2.0]]), TypeError, "got list: entry 0"),
        ([np.float64("nan"), 1], ValueError, "entry 0 is nan"),
        (pd.Series([1.5, None], dtype="Float64"), ValueError, "entry 1 is missing"),
        (pa.array([1, None]), ValueError, "entry 1 is missing"),
    ],
)
def test_ratings_that_are_no_numbers_are_refused(
    ratings, error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        Dataset.from_arrays(np.arange(len(ratings)), np.arange(len(ratings)), ratings)


@pytest.mark.parametrize(
    "ratings",
    [
        [0, -2.5],
        [Decimal("0"), Decimal("-2.5")],
        np.array([0, -2.5], np.float16),
        pd.Series([0, -2.5]),
        pa.array([Decimal("0.0"), Decimal("-2.5")]),
    ],
)
def test_numbers_of_every_kind_are_ratings(ratings) -> None:
    assert Dataset.from_arrays([1, 2], [1, 2], ratings).interactions.ratings.tolist() == [0, -2.5]


@pytest.mark.parametrize(
    ("scale", "error", "words"),
    [
        ((5, 1), ValueError, r"\(lowest, highest\), got \(5, 1\)"),
        ((1, float("nan")), ValueError, "finite"),
        ((1, 2, 3), TypeError, "a pair"),
        ("15", TypeError, "a pair"),
        ((1, 4), ValueError, "entry 1 is 5"),
        (("1", "5"), TypeError, "a number"),
    ],
)
def test_a_rating_scale_that_cannot_be_is_refused(
    scale, error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        Dataset.from_arrays([1, 2], [1, 2], [1, 5], rating_scale=scale)


CET = timezone(timedelta(hours=1))
# each the same three: 1969-12-31 23:59:59.25 UTC, 2020-01-01 00:00:00, 2020-01-31 12:30:00.5
MOMENTS = {
    "numbers": [-0.75, 1577836800, 1580473800.5],
    "text": ["1969-12-31 23:59:59.25", "2020-01-01", "2020-01-31T12:30:00.500000000"],
    "text with zones": [
        "1970-01-01T00:59:59.25+01:00",
        "2019-12-31 19:00-0500",
        "2020-01-31T12:30:00.5Z",
    ],
    "datetimes": [
        datetime(1969, 12, 31, 23, 59, 59, 250000),
        datetime(2020, 1, 1),
        datetime(2020, 1, 31, 12, 30, 0, 500000),
    ],
    "datetimes with zones": [
        datetime(1970, 1, 1, 0, 59, 59, 250000, CET),
        datetime(2020, 1, 1, 1, tzinfo=CET),
        datetime(2020, 1, 31, 12, 30, 0, 500000, UTC),
    ],
}
for unit in ("ms", "us", "ns"):
    MOMENTS[f"NumPy, {unit}"] = np.array(MOMENTS["text"], f"M8[{unit}]")
    MOMENTS[f"pandas, {unit}"] = pd.Series(MOMENTS[f"NumPy, {unit}"])
    MOMENTS[f"pandas with zones, {unit}"] = (
        pd.Series(MOMENTS[f"NumPy, {unit}"]).dt.tz_localize("UTC").dt.tz_convert("Europe/Berlin")
    )
    MOMENTS[f"Arrow, {unit}"] = pa.array(MOMENTS[f"NumPy, {unit}"])
    MOMENTS[f"Arrow with zones, {unit}"] = pa.array(MOMENTS[f"NumPy, {unit}"]).cast(
        pa.timestamp(unit, "Asia/Tokyo")
    )
MOMENTS["pandas' own objects"] = pd.Series(list(MOMENTS["pandas with zones, ns"]), dtype=object)
MOMENTS["pandas over Arrow"] = pd.Series(
    MOMENTS["Arrow with zones, us"], dtype=pd.ArrowDtype(pa.timestamp("us", "Asia/Tokyo"))
)


@pytest.mark.parametrize("kind", MOMENTS)
def test_times_of_every_kind_are_seconds_and_what_is_beyond_them(kind: str) -> None:
    for data in (
        Dataset.from_arrays([1, 1, 1], [1, 2, 3], None, MOMENTS[kind]),
        from_frame({"user": [1, 1, 1], "item": [1, 2, 3], "timestamp": MOMENTS[kind]}),
    ):
        assert data.interactions.timestamps.tolist() == [-1, 1577836800, 1580473800]
        assert data.interactions.nanoseconds.tolist() == [250_000_000, 0, 500_000_000]


@pytest.mark.parametrize(
    "days",
    [
        [date(2020, 1, 1), date(1969, 12, 31)],
        np.array(["2020-01-01", "1969-12-31"], "M8[D]"),
        pa.array([date(2020, 1, 1), date(1969, 12, 31)]),
        pa.array([date(2020, 1, 1), date(1969, 12, 31)], pa.date64()),
        ["2020-01-01", "1969-12-31"],
    ],
)
def test_days_are_midnights_and_whole_seconds_need_nothing_more(days) -> None:
    events = Dataset.from_arrays([1, 1], [1, 2], None, days).interactions
    assert events.timestamps.tolist() == [1577836800, -86400] and events.nanoseconds is None


@pytest.mark.parametrize("kind", ["i1", "u1", "i4", "u8", "f2", "f4", "f8"])
def test_small_numbers_are_times_in_whatever_kind(kind: str) -> None:
    for unit, seconds in (("s", 5), ("ns", 0)):
        data = Dataset.from_arrays([1, 1], [1, 2], None, np.array([5, 100], kind), time_unit=unit)
        assert data.interactions.timestamps[
            0
        ] == seconds and data.interactions.chronological().tolist() == [0, 1]


@pytest.mark.parametrize("unit", ["Y", "M", "W", "D", "h", "m", "s", "25s", "ms"])
def test_every_unit_of_numpy_is_read_as_numpy_reads_it(unit: str) -> None:
    times = np.array([-3, 0, 7], f"M8[{unit}]")
    found = Dataset.from_arrays([1, 1, 1], [1, 2, 3], None, times).interactions
    ours = found.timestamps * 1000 + (
        0 if found.nanoseconds is None else found.nanoseconds // 10**6
    )
    assert ours.tolist() == times.astype("M8[ms]").astype(int).tolist()


def test_times_within_one_second_keep_their_order() -> None:
    """100.9, 100.1, 100.5: the file's order must not decide which of them is the last."""
    for times in (
        [100.9, 100.1, 100.5],
        np.array([100_900, 100_100, 100_500], "M8[ms]"),
        [
            "1970-01-01T00:01:40.000000009",
            "1970-01-01T00:01:40.000000001",
            "1970-01-01T00:01:40.000000005",
        ],
    ):
        data = Dataset.from_arrays(["u"] * 3, ["late", "early", "middle"], [5, 4, 3], times)
        last = split(data, "P2").test
        assert last.item_ids.ids[last.interactions.items].tolist() == ["late"]
        assert data.interactions.take(np.array([2, 0])).chronological().tolist() == [0, 1]


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_numbers_are_in_the_unit_that_is_said(unit: str, csv) -> None:
    factor = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[unit]
    moment = 1_588_615_855 * factor + factor // 4
    for data in (
        Dataset.from_arrays([1], [1], None, [moment], time_unit=unit),
        csv(f"user,item,ts\n1,1,{moment}\n", time_unit=unit),
    ):
        assert data.interactions.timestamps.tolist() == [1_588_615_855]
        assert (data.interactions.nanoseconds is None) == (unit == "s")
    if unit != "s":
        with pytest.raises(
            ValueError, match="beyond the year 9999 in entry 0: .*are they milliseconds"
        ):
            Dataset.from_arrays([1], [1], None, [moment])


@pytest.mark.parametrize(
    ("times", "error", "words"),
    [
        (["2020-01-01", "2020-01-01T00:00Z"], TypeError, "with and without a zone: entry 1"),
        (
            [datetime(2020, 1, 1, tzinfo=CET), datetime(2020, 1, 1)],
            TypeError,
            "with and without a zone: entry 1",
        ),
        (
            ["2020-01-01", "31/01/2020"],
            ValueError,
            "ISO dates such as .* but entry 1 is '31/01/2020'",
        ),
        (["2020-01-01", "2020-02-30"], ValueError, "entry 1 is '2020-02-30'"),
        (["1577836800"], ValueError, "ISO dates"),
        ([1, "2020-01-01"], TypeError, "throughout, got int and str: entry 1"),
        ([True], TypeError, "got bool"),
        (np.array(["2020", "NaT"], "M8[s]"), ValueError, "missing entries: entry 1"),
        ([1, None], ValueError, "entry 1"),
        ([pd.Timestamp("2020"), pd.NaT], ValueError, "missing entries: entry 1"),
        (
            pd.Series(["2020-01-01", None], dtype="datetime64[ns, UTC]"),
            ValueError,
            "missing entries: entry 1",
        ),
        (pa.array([datetime(2020, 1, 1), None]), ValueError, "missing entries: entry 1"),
        ([1e300], ValueError, "beyond the year 9999 in entry 0"),
        ([2**70], ValueError, "entry 0"),
        (np.array([2**60], "M8[D]"), ValueError, "beyond the year 9999"),
        (np.array([2**40], "M8[Y]"), ValueError, "9999"),
        (np.array([5], "m8[s]"), TypeError, "got timedelta64"),
        (np.array([5], "M8[ps]"), ValueError, "parts of nanosec"),
        (pd.Series(pd.period_range("2020", periods=1, freq="D")), TypeError, "got Period"),
        ([1j], TypeError, "complex"),
        (pa.array([5], pa.time32("s")), TypeError, "got time"),
    ],
)
def test_times_that_cannot_be_read_are_refused(times, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        Dataset.from_arrays(np.arange(len(times)), np.arange(len(times)), None, times)


@pytest.mark.parametrize(
    "times",
    [
        [20200131, 20200201],
        [20200131.0],
        np.array([20200131], np.uint32),
        pa.array([20200131]),
        pd.array([20200131], "Int64"),
    ],
)
def test_dates_that_are_written_as_numbers_are_not_seconds(times, csv) -> None:
    n = np.arange(len(times))
    with pytest.raises(ValueError, match="dates written as numbers, such as 20200131 in entry 0"):
        Dataset.from_arrays(n, n, None, times)
    with pytest.raises(
        ValueError,
        match="column 'timestamp' has dates written as numbers, such as 20200131 in line 2",
    ):
        csv("user,item,timestamp\n1,2,20200131\n")


def test_seconds_and_moments_of_1970_are_read_though_they_look_like_dates(csv) -> None:
    for times in (
        [20200131, 20200132],
        [20200131.5],
        np.array([20200131], "M8[s]"),
        ["1970-08-22T19:08:51"],
    ):
        n = np.arange(len(times))
        data = Dataset.from_arrays(n, n, None, times)
        assert data.interactions.timestamps[0] == 20200131
        assert same(data, data.with_interactions(data.interactions.take(n)))


# --- which column is which ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("user", "item", "rating", "time"),
    [
        ("userId", "movieId", "rating", "timestamp"),
        ("user_id", "item_id", "ratings", "ts"),
        ("USER", "Item", "Rating", "Timestamp"),
        ("UserID", "ISBN", "stars", "time"),
        ("uid", "iid", "score", "date"),
        ("reviewerID", "asin", "overall", "unixReviewTime"),
        ("user_id:token", "item_id:token", "rating:float", "datetime"),
    ],
)
def test_columns_are_found_by_what_people_call_them_and_the_data_set_says_so(
    user, item, rating, time, csv
) -> None:
    table = {"title": ["x", "y"], user: [1, 2], item: [3, 4], rating: [5.0, 4.0], time: [10, 20]}
    expected = Dataset.from_arrays([1, 2], [3, 4], [5, 4], [10, 20])
    for data in (
        from_frame(table),
        from_frame(pd.DataFrame(table)),
        from_frame(pa.table(table)),
        csv(pd.DataFrame(table).to_csv(index=False)),
    ):
        assert same(data, expected)
        assert data.columns == {"user": user, "item": item, "rating": rating, "timestamp": time}
        assert (
            f"user from {user!r}" in repr(data)
            and data.with_interactions(data.interactions).columns == data.columns
        )
    assert (
        repr(from_frame({"user": [1], "item": [2]}))
        == "Dataset('frame', 1 users, 1 items, 1 interactions)"
    )


@pytest.mark.parametrize(
    ("columns", "options", "words"),
    [
        (
            ["user_id", "userId", "item"],
            {},
            "the user may be 'user_id' or 'userId': say which, such as user='user_id'",
        ),
        (
            ["user", "item", "date", "time"],
            {},
            "the timestamp may be 'date' or 'time'.*timestamp=None to go without",
        ),
        (["user", "item", "raitng"], {}, "is 'raitng' the rating.*rating='raitng'.*rating=None"),
        (["user", "item", "avg_rating"], {}, "is 'avg_rating' the rating"),
        (["user", "item", "timestmp"], {}, "is 'timestmp' the timestamp"),
        (["user", "item", "review_score"], {}, "is 'review_score' the rating"),
        (["user", "item", "productStars"], {}, "is 'productStars' the rating"),
        (["user", "item", "InvoiceDate"], {}, "is 'InvoiceDate' the timestamp"),
        (["user", "item", "watched_at"], {}, "is 'watched_at' the timestamp.*timestamp=None"),
        (
            ["usre", "item"],
            {},
            "user='user' is not a column; there are usre, item: did you mean user='usre'",
        ),
        (
            ["userId", "item"],
            {"user": "user"},
            "user='user' is not a column; .* did you mean 'userId'",
        ),
        (
            ["user", "item", "ratings"],
            {"rating": "rating"},
            "rating='rating' is not a column.* did you mean 'ratings'",
        ),
        (
            ["user", "item", "x"],
            {"labels": ["click"]},
            "'click' is not a column; there are user, item, x",
        ),
        (["user", "item"], {"item": "user"}, "one column is asked for twice"),
    ],
)
def test_a_column_that_is_not_clear_is_named(
    columns: list[str], options: dict, words: str, csv, tmp_path
) -> None:
    table = {name: [1, 2] for name in columns}
    pq.write_table(pa.table(table), tmp_path / "t.parquet")
    for read in (
        lambda: from_frame(table, **options),
        lambda: from_frame(pd.DataFrame(table), **options),
        lambda: csv(pd.DataFrame(table).to_csv(index=False), **options),
        lambda: read_parquet(tmp_path / "t.parquet", **options),
    ):
        with pytest.raises(ColumnError, match=words) as caught:
            read()
        assert isinstance(caught.value, KeyError) and isinstance(caught.value, ValueError)


def test_what_is_not_wanted_is_left_out_and_what_is_wanted_twice_is_kept_twice(csv) -> None:
    table = {
        "user": [1, 2],
        "item": [1, 2],
        "avg_rating": [4.0, 4.5],
        "date": [1, 2],
        "time": [3, 4],
    }
    assert (
        from_frame({"user": [1], "item": [1], "operating_system": ["x"]}).interactions.ratings
        is None
    )
    for data in (
        from_frame(table, rating=None, timestamp=None),
        csv(pd.DataFrame(table).to_csv(index=False), rating=None, timestamp=None),
    ):
        assert data.interactions.ratings is None and data.interactions.timestamps is None
    kept = csv(
        pd.DataFrame(table).to_csv(index=False),
        rating=None,
        timestamp="time",
        labels=["avg_rating"],
        contexts=["time", "date"],
    )
    assert kept.interactions.labels["avg_rating"].tolist() == [4.0, 4.5]
    assert (
        kept.interactions.contexts["time"].tolist()
        == kept.interactions.timestamps.tolist()
        == [3, 4]
    )


@pytest.mark.parametrize(
    ("frame", "error", "words"),
    [
        ([{"user": 1}], TypeError, "must be a table with named columns.*got list"),
        (np.zeros((2, 2)), TypeError, "ndarray"),
        (
            pd.DataFrame([[1, 2, 3]], columns=["user", "item", "item"]),
            KeyError,
            "'item' is there 2 times",
        ),
        (
            pd.DataFrame({"user": [1], "item": [1]}).set_index("user"),
            KeyError,
            r"call reset_index\(\)",
        ),
        (pd.DataFrame({"user": [], "item": []}), ValueError, "column 'user' is empty"),
        ({"user": [1, 2], "item": [1]}, ValueError, "column 'item' has 1 entries where 2"),
        (
            pd.DataFrame({"user": [1.0, np.nan], "item": [1, 2]}),
            ValueError,
            "column 'user' has missing entries: row 1",
        ),
        (
            pa.table({"user": pa.array(["b", None, "a"]).dictionary_encode(), "item": [1, 2, 3]}),
            ValueError,
            "column 'user' has missing entries: row 1",
        ),
        (
            pa.table({"user": pa.array([2**64 - 1], pa.uint64()), "item": [1]}),
            ValueError,
            "row 0 is 18446744073709551615",
        ),
    ],
)
def test_frames_that_cannot_be_read_are_refused(frame, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        from_frame(frame)


def test_a_parquet_file_with_changed_bytes_gives_documented_errors_only(tmp_path: Path) -> None:
    path, rng = tmp_path / "t.parquet", np.random.default_rng(0)
    table = pa.table(
        {
            "user": pa.array(["ann", "bob", "cé"] * 20).dictionary_encode(),
            "item": list(range(60)),
            "rating": [1.5] * 60,
            "timestamp": list(range(60)),
        }
    )
    pq.write_table(table, path)
    clean = path.read_bytes()
    refused = 0
    for _ in range(300):
        content = bytearray(clean)
        for _ in range(rng.integers(1, 4)):
            content[rng.integers(len(content))] = rng.integers(256)
        path.write_bytes(content)
        try:
            read_parquet(path)
        except (ValueError, TypeError):
            refused += 1
    assert refused > 100


def test_odd_names_of_columns_are_names(tmp_path: Path) -> None:
    table = {"user.id": [1, 2], "item": [3, 4], "collect": [5, 6], "index": [1, 1]}
    pq.write_table(pa.table(table), tmp_path / "t.parquet")
    for data in (
        from_frame(pd.DataFrame(table), labels=["collect"]),
        from_frame(table, labels=["collect"]),
        read_parquet(tmp_path / "t.parquet", user="user.id", labels=["collect"]),
    ):
        assert ids(data) == ([1, 2], [3, 4]) and data.interactions.labels["collect"].tolist() == [
            5,
            6,
        ]
    assert ids(from_frame(pd.DataFrame([[1, "a"], [2, "b"]]), user=0, item=1)) == (
        [1, 2],
        ["a", "b"],
    )


def test_a_missing_user_of_a_parquet_file_is_not_the_next_user(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    pq.write_table(
        pa.table({"user": pa.array(["ann", None, "bob"]).dictionary_encode(), "item": [1, 2, 3]}),
        path,
    )
    with pytest.raises(ValueError, match=r"t\.parquet: column 'user' has missing entries: row 1"):
        read_parquet(path)
    path.write_bytes(b"PAR1" + b"?" * 40)
    with pytest.raises(ValueError, match="damaged, or not a Parquet file"):
        read_parquet(path)
    path.write_text(HEAD)
    with pytest.raises(ValueError, match="read_csv reads text"):
        read_parquet(path)


# --- text files -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (["7", "8", "-5"], [7, 8, -5]),
        (["007", "7", "8"], ["007", "7", "8"]),
        (["+7", "7", "8"], ["+7", "7", "8"]),
        (["0x10", "16", "8"], ["0x10", "16", "8"]),
        (["-0", "0", "8"], ["-0", "0", "8"]),
        ([" 7", "8", "9 "], [7, 8, 9]),
        ([" 7", "7", "9"], [" 7", "7", "9"]),
        (["ann", "ann ", "7"], ["ann", "ann ", "7"]),
        (["true", "false", "1"], ["true", "false", "1"]),
        (["2020-01-01", "2020-01-02", "5"],) * 2,
        (["1e5", "100000", "x"],) * 2,
        (["١", "1", "2"],) * 2,
    ],
)
def test_a_column_of_ids_is_of_integers_when_all_are_written_as_such(
    written: list[str], read: list, csv
) -> None:
    lines = "".join(f"{text},{n}\n" for n, text in enumerate(written))
    data = csv(f"user,item\n{lines}")
    assert data.user_ids.ids[data.interactions.users].tolist() == read
    text = csv(f"user,item\n{lines}", ids="string")
    assert text.user_ids.ids[text.interactions.users].tolist() == written


@pytest.mark.parametrize(
    ("rows", "error", "words"),
    [
        (
            "1,2,3,4\n,5,3,4\n,6,3,4\n",
            ValueError,
            "events.csv, column 'user' has missing entries: line 3, the first of 2",
        ),
        (
            "1,2,3,4\n\n\nNA,5,3,4\n",
            ValueError,
            "column 'user' has missing entries: line 5; with ids='string', 'NA' is an",
        ),
        ("1,null,3,4\n", ValueError, "column 'item' has missing entries: line 2"),
        (
            "1.0,2,3,4\n",
            TypeError,
            "column 'user' must hold whole numbers or text, but line 2 is '1.0'",
        ),
        (
            f"5,2,3,4\n{2**63},2,3,4\n",
            ValueError,
            "line 3 is 9223372036854775808: pass ids='string'",
        ),
        (
            "5,2,3,4\n-1,2,3,4\n",
            ValueError,
            "column 'user' contains -1, which is reserved .*: line 3",
        ),
        ("a,2,3,4\na\0,2,3,4\n", ValueError, "null character: line 3"),
        (
            "a,2,3,4\n" * 9 + "b" * 10**6 + ",2,3,4\n",
            ValueError,
            "id of 1,000,000 characters where 256 are .*line 11",
        ),
        ("1,2,,4\n", ValueError, "column 'rating' has missing entries: line 2"),
        ("1,2,3,4\n1,3,nan,4\n", ValueError, "column 'rating' has missing entries: line 3"),
        ("1,2,inf,4\n", ValueError, "column 'rating' must be numbers, but line 2 is 'inf'"),
        ("1,2,1_0,4\n", ValueError, "must be numbers, but line 2 is '1_0'"),
        ("1,2,1e99,4\n", ValueError, "must fit into float32, but line 2 is 1e\\+99"),
        ('1,2,"4,5",4\n', ValueError, "line 2 is '4,5' .write a decimal point"),
        ("1,2,3,\n", ValueError, "column 'timestamp' has missing entries: line 2"),
        ("1,2,3,4\n1,3,3,0x10\n", ValueError, "throughout.*line 3 is '0x10'"),
        ("1,2,3,2020-01-01\n1,3,3,5\n", ValueError, "ISO dates .* but line 3 is '5'"),
        ("1,2,3,01/31/2020\n", ValueError, "ISO dates .* but line 2 is '01/31/2020'"),
        (
            "1,2,3,1588615855070\n",
            ValueError,
            "beyond the year 9999 in line 2: 1588615855070 s; are they milli",
        ),
        ("1,2,3,4\n1,2,3\n", ValueError, "line 3: 3 fields where 4 were expected"),
        ("1,2,3,4\n\n1,2,3,4,5\n", ValueError, "line 4: 5 fields where 4 were expected"),
        ("", ValueError, "has a header, but no rows"),
        ("\n\n", ValueError, "has a header, but no rows"),
    ],
)
def test_what_a_line_cannot_mean_is_refused_with_file_column_and_line(
    rows, error, words, csv
) -> None:
    with pytest.raises(error, match=words):
        csv(HEAD + rows)


def test_files_without_a_header_take_names(csv) -> None:
    names = ["user", "item", "rating", "timestamp"]
    expected = Dataset.from_arrays([1, 3], [1193, 661], [5, 3], [978300760, 978302109])
    assert same(
        csv("1::1193::5::978300760\n3::661::3::978302109\n", delimiter="::", columns=names),
        expected,
    )
    assert same(
        csv("1\t1193\t5\t978300760\n3\t661\t3\t978302109", delimiter="\t", columns=names), expected
    )
    with pytest.raises(
        ValueError, match="1 fields for the 4 columns .* did you mean delimiter='::'"
    ):
        csv("1::1193::5::978300760\n", columns=names)
    with pytest.raises(ValueError, match="line 1: 4 fields for the 2 columns"):
        csv("1,2,3,4\n", columns=["user", "item"])
    with pytest.raises(ValueError, match="line 1 is a header line"):
        csv("userId,movieId\n1,2\n", columns=["user", "item"])
    with pytest.raises(KeyError, match=r"looks like data: .* columns=\['user'"):
        csv("1,1193,5,978300760\n")
    with pytest.raises(KeyError, match="looks like data"):
        csv("A2SUAM1J3GNN3B,B00013714X,5.0,1400457600\n")  # as Amazon's reviews come


def test_a_delimiter_within_quotation_marks_is_text_whatever_it_is(csv) -> None:
    for mark in ",;|\t §":
        data = csv(f'user{mark}item\n"a{mark}b"{mark}1\nc{mark}2\n', delimiter=mark)
        assert ids(data) == ([f"a{mark}b", "c"], [1, 2])
    assert ids(csv('user::item\n"a"::5" disc\n', delimiter="::")) == (['"a"'], ['5" disc'])


@pytest.mark.parametrize(
    ("delimiter", "shown"), [(";", "';'"), ("\t", r"'\\t'"), ("|", r"'\|'"), ("::", "'::'")]
)
def test_a_wrong_delimiter_is_seen_and_the_right_one_suggested(
    delimiter: str, shown: str, csv
) -> None:
    text = (HEAD + "1,2,3,4\n").replace(",", delimiter)
    with pytest.raises(
        KeyError, match=f"the header 'user.*' is one field .*; did you mean delimiter={shown}"
    ):
        csv(text)
    assert same(csv(text, delimiter=delimiter), Dataset.from_arrays([1], [2], [3], [4]))


@pytest.mark.parametrize(
    "change",
    [
        lambda text: b"\xef\xbb\xbf" + text.encode(),
        lambda text: text.encode("utf-16"),
        lambda text: text.replace("\n", "\r\n").encode(),
        lambda text: text.replace("\n", "\r").encode(),
        lambda text: gzip.compress(text.encode(), mtime=0),
        lambda text: bz2.compress(text.encode()),
        lambda text: lzma.compress(text.encode()),
        lambda text: text.rstrip("\n").encode(),
        lambda text: text.replace("user,item", " User , item").encode(),
        lambda text: ("\n" + text + "\n\n").encode(),
        lambda text: (
            '"' + text.rstrip("\n").replace(",", '","').replace("\n", '"\n"') + '"'
        ).encode(),
    ],
    ids=[
        "bom",
        "utf-16",
        "crlf",
        "cr",
        "gzip",
        "bzip2",
        "xz",
        "no end",
        "blanks",
        "blank lines",
        "quoted",
    ],
)
def test_the_same_file_in_other_dress_is_the_same_data(change, csv) -> None:
    text = HEAD + "é,2,3.5,4\nö,7,-1,5.25\n"
    expected = Dataset.from_arrays(["é", "ö"], [2, 7], [3.5, -1], [4, 5.25])
    assert same(csv(text), expected)
    data = csv(change(text))
    assert same(data, expected) and data.name == "events"


def test_encodings_are_named(csv) -> None:
    text = (HEAD + "1,1,1,1\n" + "é,2,3,4\n").encode("latin-1")
    assert ids(csv(text, encoding="latin-1"))[0] == ["1", "é"]
    with pytest.raises(ValueError, match="line 3: not utf-8: .* say encoding='latin-1'"):
        csv(text)
    with pytest.raises(ValueError, match="name of an encoding, got 'klingon'"):
        csv(text, encoding="klingon")
    assert csv(gzip.compress(b"user,item\n1,2\n", mtime=0), name="log.csv.gz").name == "log"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (b"\n \n", "is empty"),
        (b"PAR1....", "a Parquet file: use read_parquet"),
        (b"PK\x03\x04....", "a zip archive or a spreadsheet"),
        (gzip.compress(b"user,item\n" * 99, mtime=0)[:30], "is damaged"),
    ],
)
def test_what_is_no_text_file_is_refused(content: bytes, words: str, csv) -> None:
    with pytest.raises(ValueError, match=words):
        csv(content)


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"delimiter": ""}, ValueError, "delimiter"),
        ({"quote": "ab"}, ValueError, "quote"),
        ({"quote": ","}, ValueError, "quote"),
        ({"sep": ";"}, TypeError, "takes delimiter, not sep"),
        ({"names": ["a"]}, TypeError, "takes columns"),
        ({"ids": "int"}, ValueError, "ids must be one of"),
        ({"time_unit": "days"}, ValueError, "time_unit must be one of"),
        ({"user": None}, TypeError, "user must be the name of a column"),
        ({"columns": "ab"}, TypeError, "columns must be a"),
        ({"labels": "rating"}, TypeError, "labels must be a list of names"),
        ({"encoding": "rot13"}, ValueError, "encoding"),
    ],
)
def test_options_that_cannot_be_are_refused(
    options: dict, error: type[Exception], words: str, csv
) -> None:
    with pytest.raises(error, match=words):
        csv(HEAD + "1,2,3,4\n", **options)


def stray(places: dict[int, str]) -> str:
    """1,000 rows, some of which are replaced."""
    rows = [f"u{n},i{n % 7},{n % 5},{n}" for n in range(1000)]
    for place, row in places.items():
        rows[place] = row
    return HEAD + "\n".join(rows) + "\n"


@pytest.mark.parametrize(
    ("places", "words"),
    [
        ({300: 'u300,"i3,1,300'}, "line 302 to 1001"),
        ({300: '"u300,i3,1,300'}, "line 302 to 1001"),
        ({300: 'u300,"i3,1,300', 700: 'u700,"i3,1,300'}, "line 302 to 702"),
        (
            {300: 'u300,"i3,1,300', 700: 'u700,i3",1,300'},
            "line 302: a quotation mark runs on to line 702, over",
        ),
        (
            {300: 'u300,"i3,1,300', 301: 'u301,i3",1,301'},
            "line 302: a quotation mark runs on to line 303",
        ),
        ({300: 'u300,"i3"x,1,300'}, "line 302"),
        ({300: 'u300,i3,1,"300', 310: 'u310,i3,1,"310'}, "line 302 to 312"),
    ],
)
def test_a_stray_quotation_mark_swallows_no_lines(places: dict, words: str, csv) -> None:
    with pytest.raises(ValueError, match=words):
        csv(stray(places))
    assert len(csv(stray(places), quote=None, rating=None, timestamp=None)) == 1000


def test_quotation_marks_that_mean_nothing_are_kept(csv) -> None:
    data = csv(stray({300: 'u300,5" disc,1,300', 301: 'u301,"say ""hi"", then go",1,301'}))
    assert len(data) == 1000 and {'5" disc', 'say "hi", then go'} <= set(ids(data)[1])


@pytest.mark.parametrize("n", [3, 60_000])
def test_line_breaks_within_quotation_marks_are_the_same_in_small_files_and_large_ones(
    n: int, csv
) -> None:
    review = '"Great, really.\nAnd long: ' + "x, y, z " * 20 + '\n\n""Yes"", I said\r\n"'
    rows = "".join(f"u{k % 100},{review},i{k},{k % 5}\n" for k in range(n))
    data = csv("user,text,item,rating\n" + rows)
    assert len(data) == data.n_items == n
    assert data.interactions.ratings.tolist() == [k % 5 for k in range(n)]


def test_columns_beside_are_of_one_kind_throughout(csv) -> None:
    rows = "".join(
        f"{n},{n},{n % 2},{n / 2},x{n},{str(n % 2 == 0).lower()},{n:03d}\n" for n in range(50_000)
    )
    data = csv(
        "user,item,click,share,device,new,code\n" + rows,
        labels=["click", "share", "device", "new", "code"],
    )
    kinds = {name: values.dtype.kind for name, values in data.interactions.labels.items()}
    assert kinds == {"click": "i", "share": "f", "device": "U", "new": "b", "code": "U"}
    with pytest.raises(ValueError, match="column 'click' has missing entries: line 3"):
        csv("user,item,click\n1,1,1\n1,2,\n", labels=["click"])
    with pytest.raises(ValueError, match=r"labels\['click'\] has missing entries: entry 1"):
        from_frame({"user": [1, 1], "item": [1, 2], "click": [1, None]}, labels=["click"])


# --- matrices -------------------------------------------------------------------------------------


def test_a_sparse_matrix_is_the_same_as_its_dense_self() -> None:
    """Unsorted, with entries stored twice and with stored zeros, in every format."""
    rng = np.random.default_rng(0)
    for _ in range(20):
        rows, columns = rng.integers(0, 6, 30), rng.integers(0, 5, 30)
        matrix = sparse.coo_array((rng.integers(-2, 4, 30).astype(float), (rows, columns)), (6, 5))
        expected = from_matrix(matrix.toarray())
        for form in (
            matrix,
            matrix.tocsr(),
            matrix.tocsc(),
            matrix.tolil(),
            matrix.todok(),
            sparse.coo_matrix(matrix),
        ):
            assert same(from_matrix(form), expected)
            assert same(
                from_matrix(form, ratings=False), from_matrix(matrix.toarray(), ratings=False)
            )
    stored = sparse.csr_array((np.array([0.0, 5.0]), np.array([0, 2]), np.array([0, 2, 2])), (2, 3))
    assert len(from_matrix(stored)) == 1 and len(from_matrix(stored, missing=float("nan"))) == 2


def test_the_labels_of_a_frame_are_the_ids() -> None:
    events = pd.DataFrame(
        {"user": ["b", "a", "b"], "item": [30, 10, 10], "rating": [5.0, 4.0, 0.0]}
    )
    table = events.pivot(index="user", columns="item", values="rating")
    data = from_matrix(table, missing=float("nan"))
    assert ids(data) == (["a", "b"], [10, 30]) and sorted(data.interactions.ratings.tolist()) == [
        0,
        4,
        5,
    ]
    assert ids(from_matrix(pd.DataFrame([[1, 0], [0, 1]]))) == ([0, 1], [0, 1])
    assert ids(from_matrix(table, missing=float("nan"), item_ids=["x", "y"]))[1] == ["x", "y"]
    with pytest.raises(ValueError, match=r"row 0, column 1.* is nan; say missing=float\('nan'\)"):
        from_matrix(table)
    with pytest.raises(TypeError, match="the columns of the frame must hold integers or strings"):
        from_matrix(pd.DataFrame([[1]], columns=[1.5]))
    with pytest.raises(
        ValueError, match="the index of the frame must hold each id once, but 'a' comes 2 times"
    ):
        from_matrix(pd.DataFrame([[1], [1]], index=["a", "a"]))


@pytest.mark.parametrize(
    ("matrix", "options", "error", "words"),
    [
        ([[1, float("nan")]], {}, ValueError, "row 0, column 1 is nan"),
        ([[1, float("nan")]], {"ratings": False}, ValueError, "row 0, column 1 is nan"),
        ([[0, 0], [float("inf"), 0]], {}, ValueError, "row 1, column 0 is inf"),
        ([[1j]], {}, TypeError, "complex128"),
        ([["5"]], {}, TypeError, "must hold numbers"),
        ([[1, 2], [3]], {}, ValueError, "rows of different lengths"),
        ([[0, 0]], {}, ValueError, "no entry but 0"),
        ([[1]], {"missing": None}, TypeError, "missing must be a number"),
        (
            [[1], [1]],
            {"user_ids": [1, "1"]},
            TypeError,
            "user_ids must be all integers or all strings",
        ),
        (np.zeros((2, 2, 2)), {}, ValueError, "two-dimensional"),
        (sparse.coo_array(np.ones(3)), {}, ValueError, "two-dim"),
        (pd.DataFrame({"who": ["ann"], "m1": [5]}), {}, TypeError, "row 0, column 0 is 'ann'"),
    ],
)
def test_matrices_that_cannot_be_read_are_refused(
    matrix, options: dict, error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        from_matrix(matrix, **options)


def test_masked_entries_of_a_matrix_were_not_observed() -> None:
    assert same(
        from_matrix(np.ma.array([[1, 2], [3, 4]], mask=[[0, 1], [0, 0]])),
        from_matrix([[1, 0], [3, 4]]),
    )


# --- the same table through every reader, and whatever comes --------------------------------------

#: More of them in a long run: FUZZ=5000 pytest tests/test_readers.py -k "every_reader or whatever"
SEEDS = range(int(os.environ.get("FUZZ", "40")))
LETTERS = list("abc07é中 ,;:\"'|.-_") + ["\n", "\t", "null", "e\u0301", "😀"]


def random_table(rng: np.random.Generator) -> dict[str, list]:
    """Users, items, ratings and times of awkward kinds: names of all sorts, ties, repeats, values of 0 and below."""
    n = int(rng.integers(1, 40))

    def names() -> list[str]:
        pool = ["x" + "".join(rng.choice(LETTERS, rng.integers(0, 5))) for _ in range(6)]
        return [str(name) for name in rng.choice(np.array(pool, object), n)]

    def integers() -> list[int]:
        values = rng.integers(-3, 8, n) * int(rng.choice([1, 2**40]))
        return np.where(values == -1, -9, values).tolist()  # -1 is the filler

    times = [rng.integers(-5, 5, n).tolist(), (rng.integers(0, 9, n) / 4).tolist()][rng.integers(2)]
    return {
        "user": [names, integers][rng.integers(2)](),
        "item": [names, integers][rng.integers(2)](),
        "rating": (rng.integers(-4, 20, n) / 2).tolist(),
        "timestamp": times,
        "click": rng.integers(0, 2, n).tolist(),
    }


def written(table: dict[str, list], delimiter: str) -> str:
    """As a careful writer of delimited files does it."""

    def field(value) -> str:
        text = str(value)
        quoted = any(mark in text for mark in (delimiter, '"', "\n", "\r"))
        return '"' + text.replace('"', '""') + '"' if quoted else text

    rows = zip(*table.values(), strict=True)
    return "\n".join([delimiter.join(table), *(delimiter.join(map(field, row)) for row in rows)])


@pytest.mark.parametrize("seed", SEEDS)
def test_the_same_table_through_every_reader_is_the_same_data(
    seed: int, csv, tmp_path: Path
) -> None:
    rng = np.random.default_rng(seed)
    table = random_table(rng)
    expected = Dataset.from_arrays(
        table["user"],
        table["item"],
        table["rating"],
        table["timestamp"],
        labels={"click": table["click"]},
    )
    arrow = pa.table(table)
    coded = arrow.set_column(0, "user", arrow["user"].dictionary_encode())
    pq.write_table(coded if seed % 2 else arrow, tmp_path / "t.parquet")
    frame = pd.DataFrame(table)
    delimiter = [",", ";", "\t", "|"][seed % 4]
    for data in (
        from_frame(table, labels=["click"]),
        from_frame(frame, labels=["click"]),
        from_frame(frame.astype({"user": "category"}), labels=["click"]),
        from_frame(frame.convert_dtypes(), labels=["click"]),
        from_frame(arrow, labels=["click"]),
        read_parquet(tmp_path / "t.parquet", labels=["click"]),
    ):
        assert same(data, expected)
    as_text = Dataset.from_arrays(
        list(map(str, table["user"])),
        list(map(str, table["item"])),
        table["rating"],
        table["timestamp"],
        labels={"click": table["click"]},
    )
    read = csv(written(table, delimiter), delimiter=delimiter, ids="string", labels=["click"])
    assert same(read, as_text)
    assert same(from_frame(frame, ids="string", labels=["click"]), as_text)
    if all(isinstance(value, int) for value in table["user"] + table["item"]):
        assert same(csv(written(table, delimiter), delimiter=delimiter, labels=["click"]), expected)


ODD = [
    None,
    float("nan"),
    float("inf"),
    True,
    1,
    "1",
    "",
    "a",
    b"a",
    1.5,
    2**63,
    -1,
    "2020-01-01",
    datetime(2020, 1, 1),
    date(2020, 1, 1),
    Decimal("sNaN"),
    1j,
    pd.NA,
    pd.NaT,
    np.datetime64("NaT"),
    np.float32(2),
    [1],
    {},
    "a\0",
    object(),
]


@pytest.mark.parametrize("seed", SEEDS)
def test_whatever_comes_is_read_as_it_is_or_refused_with_a_documented_error(seed: int, csv) -> None:
    """Columns with one odd entry, and files with a few bytes changed: no other error, no other ids than those given."""
    rng = np.random.default_rng(seed)
    for _ in range(15):
        columns = {
            "users": ["a", "b", "c"],
            "items": [1, 2, 3],
            "ratings": [1.0, 0.0, 5.0],
            "timestamps": [3, 2, 1],
        }
        role = list(columns)[rng.integers(4)]
        values: list = list(columns[role])
        values[rng.integers(3)] = ODD[rng.integers(len(ODD))]
        columns[role] = (
            [np.array, list, pd.Series][rng.integers(3)](values)
            if not any(isinstance(value, (list, dict)) for value in values)
            else values
        )
        try:
            data = Dataset.from_arrays(**columns)
        except (ValueError, TypeError) as error:
            assert role in str(error)
            continue
        given = columns[role]
        if role in ("users", "items"):
            found = getattr(data, f"{role[:-1]}_ids").ids[getattr(data.interactions, role)]
            assert found.tolist() == list(given)
    rows = [f"u{n % 7},{n % 5},{n % 4 - 1},{100 + n}" for n in range(30)]
    clean = (HEAD + "\n".join(rows)).encode()
    for _ in range(25):
        content = bytearray(clean)
        for _ in range(rng.integers(1, 4)):
            place = rng.integers(len(HEAD), len(content))
            content[place] = rng.choice(list(b"\"',;\n\r\0 -+.0x\xff\xef9aN"))
        try:
            data = csv(bytes(content))
        except (ValueError, TypeError) as error:
            assert "events.csv" in str(error)
            continue
        lines = [line for line in content.decode().replace("\r", "\n").split("\n") if line]
        assert len(data) == len(lines) - 1, "every line is a row"
