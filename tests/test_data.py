"""`Dataset`, its readers and its views."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from keras_recs.data import (
    Dataset,
    IdMap,
    Interactions,
    ItemFeatures,
    KnowledgeGraph,
    UserFeatures,
    from_frame,
    from_matrix,
    read_csv,
    read_parquet,
)


def test_ids_with_gaps_and_strings_map_to_sorted_indices_and_back() -> None:
    ids = IdMap([1000, 5, 70])
    assert ids.index("users", [70, 5, 5]).tolist() == [1, 0, 0]
    assert ids.raw(np.array([[2, -1], [0, 1]])).tolist() == [[1000, -1], [5, 70]]
    words = IdMap(["b", "a"])
    assert words.raw(np.array([1, -1])).tolist() == ["b", ""]
    assert words.contains("users", ["a", "z"]).tolist() == [True, False]


@pytest.mark.parametrize(
    ("ids", "error", "words"),
    [
        ([[1, 2]], ValueError, "one-dimensional"),
        ([1.5, 2.0], TypeError, "integers or strings"),
        ([1, "a", None], TypeError, "all integers or all strings"),
        ([-1, 3], ValueError, "reserved as the filler"),
        (["", "a"], ValueError, "reserved as the filler"),
        ([], ValueError, "empty"),
    ],
)
def test_bad_ids_are_refused(ids: list, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        IdMap(np.array(ids, dtype=object) if None in np.ravel(ids).tolist() else ids)


def test_unknown_ids_are_named() -> None:
    with pytest.raises(KeyError, match=r"items holds 2 unknown id\(s\): 8, 9"):
        IdMap([1, 2]).index("items", [9, 1, 8, 9])
    with pytest.raises(TypeError, match="must hold integers"):
        IdMap([1, 2]).index("items", ["1"])


@pytest.mark.parametrize(
    ("columns", "error", "words"),
    [
        (dict(users=[], items=[]), ValueError, "users is empty"),
        (dict(users=[1, 2], items=[1]), ValueError, "items has 1 entries where 2"),
        (dict(users=[1, 2], items=[1, 2], ratings=[1.0]), ValueError, "ratings has 1"),
        (
            dict(users=[1, 2], items=[1, 2], ratings=[1.0, np.nan]),
            ValueError,
            "ratings must be finite, but entry 1 is nan",
        ),
        (
            dict(users=[1, 2], items=[1, 2], ratings=[np.inf, 1]),
            ValueError,
            "ratings must be finite",
        ),
        (
            dict(users=[1, 2], items=[1, 2], timestamps=[1.0, np.nan]),
            ValueError,
            "timestamps must be finite",
        ),
        (dict(users=[[1, 2]], items=[[1, 2]]), ValueError, "users must be one-dimensional"),
        (dict(users=[1, 2], items=[[1], [2]]), ValueError, "items must be one-dimensional"),
        (
            dict(users=[1, 2], items=[1, 2], labels={"click": [1]}),
            ValueError,
            r"labels\['click'\] has 1",
        ),
        (
            dict(users=[1, 2], items=[1, 2], contexts={"hour": [1, 2, 3]}),
            ValueError,
            r"contexts\['hour'\] has 3",
        ),
    ],
)
def test_bad_columns_are_refused_by_name(columns: dict, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        Dataset.from_arrays(**columns)


def test_nothing_in_a_data_set_can_be_changed() -> None:
    ratings = np.array([1.0, 2.0], np.float32)
    data = Dataset.from_arrays([1, 2], [1, 2], ratings)
    ratings[0] = 9
    assert data.interactions.ratings.tolist() == [1, 2], (
        "the data set must not share memory with the caller"
    )
    with pytest.raises(ValueError, match="read-only"):
        data.interactions.ratings[0] = 5
    with pytest.raises(AttributeError):
        data.interactions.users = None


def test_duplicates_count_once_are_counted_or_keep_the_latest_rating() -> None:
    data = Dataset.from_arrays(
        [1, 1, 1, 2], [5, 5, 6, 5], ratings=[4, 2, 3, 1], timestamps=[30, 10, 20, 5]
    )
    assert data.matrix("binary").toarray().tolist() == [[1, 1], [1, 0]]
    assert data.matrix("counts").toarray().tolist() == [[2, 1], [1, 0]]
    assert data.matrix("ratings").toarray().tolist() == [[4, 3], [1, 0]], (
        "the event of time 30 is the latest"
    )
    assert data.popularity.tolist() == [2, 1]


def test_side_data_is_aligned_with_ids_and_brings_cold_items_and_users() -> None:
    items = ItemFeatures(
        [9, 7, 8],
        titles=["nine", "seven", "eight"],
        genres=[("a",), ("b", "c"), ()],
        years=[1999, 0, 2008],
        extra={"director": ["x", "y", "z"]},
    )
    users = UserFeatures([3, 2], texts=["likes nine", "new here"], attributes={"age": [30, 20]})
    data = Dataset.from_arrays([3], [9], item_features=items, user_features=users)
    assert (data.n_users, data.n_items) == (2, 3)
    assert data.item_ids.ids.tolist() == [7, 8, 9]
    assert data.item_features.titles == ["seven", "eight", "nine"]
    assert data.item_features.genres == [("b", "c"), (), ("a",)]
    assert data.item_features.years.tolist() == [0, 2008, 1999]
    assert data.item_features.extra["director"] == ["y", "z", "x"]
    assert data.user_features.texts == ["new here", "likes nine"]
    assert data.user_features.attributes["age"] == [20, 30]
    assert data.titles([9, 7]) == ["nine (1999)", "seven"]


def test_side_data_with_holes_is_blank_there() -> None:
    data = Dataset.from_arrays(
        [1, 1], ["a", "b"], item_features=ItemFeatures(["b"], titles=["B"], years=[1990])
    )
    assert data.item_features.titles == ["", "B"]
    assert data.titles(["a", "b"]) == ["a", "B (1990)"]


def test_side_data_that_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="titles has 1 entries for 2 ids"):
        ItemFeatures([1, 2], titles=["one"])
    with pytest.raises(ValueError, match="1 comes 2 times"):
        ItemFeatures([1, 1])
    with pytest.raises(ValueError, match=r"attributes\['age'\] has 1"):
        UserFeatures([1, 2], attributes={"age": [3]})
    with pytest.raises(ValueError, match="equally long"):
        KnowledgeGraph(["a"], ["r"], [], {})
    with pytest.raises(TypeError, match="of one kind"):
        Dataset.from_arrays([1], [1], item_features=ItemFeatures(["a"]))


def test_what_is_missing_is_said() -> None:
    data = Dataset.from_arrays([1], [1], labels={"click": [1]}, name="clicks")
    assert (
        data.has("click")
        and not data.has("ratings")
        and not data.has("titles")
        and not data.has("knowledge")
    )
    with pytest.raises(
        ValueError, match="q06 needs ratings, texts, which the data set 'clicks' does not have"
    ):
        data.require("ratings", "click", "texts", by="q06")


def test_knowledge_is_read_on_first_use_only() -> None:
    calls = []

    def read() -> KnowledgeGraph:
        calls.append(1)
        return KnowledgeGraph(["a"], ["likes"], ["b"], {1: "a"})

    data = Dataset.from_arrays([1], [1], knowledge=read)
    assert data.has("knowledge") and not calls
    assert len(data.knowledge) == len(data.knowledge) == 1
    assert len(calls) == 1


def test_frame_csv_parquet_and_arrays_give_the_same_data(tmp_path) -> None:
    frame = pd.DataFrame(
        {
            "who": ["ann", "bob", "ann"],
            "what": [3, 1, 1],
            "stars": [5.0, 2.0, 4.0],
            "when": [10, 20, 30],
            "clicked": [1, 0, 1],
            "hour": [8, 9, 10],
        }
    )
    frame.to_csv(tmp_path / "events.csv", index=False)
    frame.to_csv(tmp_path / "events.tsv", index=False, sep="\t")
    frame.to_parquet(tmp_path / "events.parquet")
    names = dict(
        user="who",
        item="what",
        rating="stars",
        timestamp="when",
        labels=["clicked"],
        contexts=["hour"],
    )
    expected = Dataset.from_arrays(frame.who.tolist(), frame.what, frame.stars, frame.when)
    for data in (
        from_frame(frame, **names),
        from_frame(dict(frame), **names),
        read_csv(tmp_path / "events.csv", **names),
        read_csv(tmp_path / "events.tsv", delimiter="\t", **names),
        read_parquet(tmp_path / "events.parquet", **names),
    ):
        assert (data.matrix("ratings") != expected.matrix("ratings")).nnz == 0
        assert data.user_ids == expected.user_ids and data.item_ids == expected.item_ids
        assert data.interactions.timestamps.tolist() == [10, 20, 30]
        assert data.interactions.labels["clicked"].tolist() == [1, 0, 1]
        assert data.interactions.contexts["hour"].tolist() == [8, 9, 10]


def test_datetimes_become_seconds_and_missing_ones_are_refused() -> None:
    frame = pd.DataFrame(
        {"user": [1, 1], "item": [1, 2], "timestamp": pd.to_datetime(["1970-01-02", "1970-01-01"])}
    )
    assert from_frame(frame).interactions.timestamps.tolist() == [86400, 0]
    with pytest.raises(ValueError, match="missing entries"):
        from_frame(frame.assign(timestamp=[frame.timestamp[0], pd.NaT]))


def test_a_named_column_must_be_there_and_a_default_one_may_be_absent() -> None:
    frame = pd.DataFrame({"user": [1], "item": [2]})
    assert from_frame(frame).interactions.ratings is None
    with pytest.raises(KeyError, match="rating='stars' is not a column; there are user, item"):
        from_frame(frame, rating="stars")
    with pytest.raises(KeyError, match="user='u'"):
        from_frame(frame, user="u")


def test_dense_and_sparse_matrices_agree_and_keep_empty_rows_and_columns() -> None:
    dense = np.array([[5, 0, 0], [0, 0, 0], [3, 4, 0]], float)
    for matrix in (dense, sparse.csr_array(dense), sparse.coo_array(dense)):
        data = from_matrix(matrix)
        assert data.matrix("ratings").toarray().tolist() == dense.tolist()
    assert from_matrix(dense, ratings=False).interactions.ratings is None
    holes = np.where(dense == 0, np.nan, dense)
    holes[1, 1] = 0.0
    assert len(from_matrix(holes, missing=float("nan"))) == 4, (
        "a zero is a value where NaN marks what is missing"
    )
    named = from_matrix(dense, user_ids=["a", "b", "c"], item_ids=[10, 20, 30])
    assert named.user_ids.ids.tolist() == ["a", "b", "c"] and named.item_ids.ids.tolist() == [
        10,
        20,
        30,
    ]
    with pytest.raises(ValueError, match="item_ids has 2 entries for 3"):
        from_matrix(dense, item_ids=[1, 2])
    with pytest.raises(ValueError, match="two-dimensional"):
        from_matrix([1, 2, 3])


def test_interactions_sort_by_user_then_time_then_order_of_coming() -> None:
    events = Interactions([1, 0, 1, 1], [0, 1, 2, 3], timestamps=[5, 9, 5, 1])
    assert events.chronological().tolist() == [1, 3, 0, 2]
    assert Interactions([1, 0, 1], [0, 1, 2]).chronological().tolist() == [1, 0, 2]
    taken = events.take(np.array([True, False, False, True]))
    assert taken.items.tolist() == [0, 3] and taken.timestamps.tolist() == [5, 1]


def test_indices_outside_the_maps_are_refused() -> None:
    with pytest.raises(ValueError, match="items must be indices 0 … 0, got 0 … 1"):
        Dataset(Interactions([0, 0], [0, 1]), IdMap([1]), IdMap([1]))
