"""The feature table: codes that come from training data alone, and what Keras makes of them."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers

from keras_recs.data import Dataset, FeatureTable, ItemFeatures, NegativeSampler, UserFeatures
from keras_recs.data.cinema import load_cinema_impressions
from keras_recs.neural.inputs import FieldEmbedding, field_inputs, field_vectors


@pytest.fixture(scope="module")
def data() -> Dataset:
    """String ids, a value of one kind that is missing here and there, and one that comes once."""
    return Dataset.from_arrays(
        ["ann", "bob", "ann", "cat"],
        [30, 10, 20, 10],
        contexts={"device": ["tv", "phone", "tv", "tv"], "hour": [20, 8, 8, 23]},
        item_features=ItemFeatures(
            [10, 20, 30],
            genres=[("war",), (), ("drama", "war", "drama")],
            years=[1950, 0, 1970],
            extra={"director": ["Lee", None, "Ray"], "minutes": [90.0, 150.0, float("nan")]},
        ),
        user_features=UserFeatures(
            ["ann", "bob", "cat"], attributes={"age": [20, None, 40], "job": ["a", "b", "a"]}
        ),
    )


@pytest.fixture(scope="module")
def table(data: Dataset) -> FeatureTable:
    return FeatureTable(
        data,
        users={"age": "numeric", "job": "categorical"},
        items={"genres": "multiple", "years": "numeric", "director": "categorical"},
        events={"device": "categorical", "hour": "categorical"},
    )


def test_fields_say_their_kinds_and_sizes(table: FeatureTable) -> None:
    sizes = {name: (f.kind, f.size, f.width) for name, f in table.fields.items()}
    assert sizes == {
        "user_id": ("categorical", 4, 1),
        "item_id": ("categorical", 4, 1),
        "age": ("numeric", 1, 1),
        "job": ("categorical", 3, 1),
        "genres": ("multiple", 3, 2),
        "years": ("numeric", 1, 1),
        "director": ("categorical", 3, 1),
        "device": ("categorical", 3, 1),
        "hour": ("categorical", 4, 1),
    }
    assert table.fields["hour"].values == (8, 20, 23) and list(table.of("event")) == [
        "device",
        "hour",
    ]
    assert "genres: of an item, multiple, 2 values and unknown, up to 2 at once" in repr(table)


def test_views_are_of_the_rows_asked_for(table: FeatureTable, data: Dataset) -> None:
    """Missing is 0: the unknown code, the padding, or the mean of the training data."""
    items = table.item([2, 1, -1])
    assert items["item_id"].tolist() == [3, 2, 0]
    assert items["genres"].tolist() == [[1, 2], [0, 0], [0, 0]], "each genre once: drama 1, war 2"
    assert items["director"].tolist() == [2, 0, 0]
    assert items["years"].tolist() == [1.0, 0.0, 0.0], "1950 and 1970: ten years are one deviation"
    users = table.user(data.interactions.users)
    assert users["user_id"].tolist() == (data.interactions.users + 1).tolist()
    assert users["age"].tolist() == [-1.0, 0.0, -1.0, 1.0] and users["job"].tolist() == [1, 2, 1, 1]
    events = table.event(data.interactions)
    assert events["device"].tolist() == [2, 1, 2, 2] and events["hour"].tolist() == [2, 1, 1, 3]
    assert all(
        a.dtype in (np.int32, np.float32) for view in (items, users, events) for a in view.values()
    )


def test_what_comes_later_is_unknown_and_changes_no_code(
    table: FeatureTable, data: Dataset
) -> None:
    """Values of the test were not there when the codes were given."""
    later = Dataset.from_arrays(
        ["ann", "bob"], [10, 20], contexts={"device": ["fridge", "tv"], "hour": [9, 23]}
    ).interactions
    assert table.event(later)["device"].tolist() == [0, 2]
    assert table.event(later)["hour"].tolist() == [0, 3]
    assert table.context({"hour": 8})["hour"].tolist() == [1], "one value for all"


def test_rare_values_are_unknown(data: Dataset) -> None:
    table = FeatureTable(
        data, items={"genres": "multiple"}, events={"device": "categorical"}, least=2
    )
    assert table.fields["device"].values == ("tv",) and table.fields["genres"].values == ("war",)
    assert table.event(data.interactions)["device"].tolist() == [1, 0, 1, 1]
    assert table.item([0, 1, 2])["genres"].tolist() == [[1, 0], [0, 0], [1, 0]]


def test_items_and_users_that_only_the_test_knows_teach_the_table_nothing() -> None:
    """Side data is of all items; what training never met gives no code, no mean and no deviation."""
    everything = Dataset.from_arrays(
        ["ann", "bob", "cat"],
        [10, 20, 30],
        item_features=ItemFeatures(
            [10, 20, 30],
            genres=[("war",), ("drama",), ("noir", "war", "western")],
            years=[1950, 1970, 3000],
            extra={"director": ["Lee", "Ray", "New"]},
        ),
        user_features=UserFeatures(["ann", "bob", "cat"], attributes={"job": ["b", "c", "a"]}),
    )
    train = everything.with_interactions(everything.interactions.take(np.array([0, 1])))
    table = FeatureTable(
        train,
        users={"job": "categorical"},
        items={"genres": "multiple", "years": "numeric", "director": "categorical"},
    )
    assert table.fields["director"].values == ("Lee", "Ray")
    assert table.fields["genres"].values == ("drama", "war")
    assert table.fields["job"].values == ("b", "c")
    items = table.item([0, 1, 2])
    assert items["director"].tolist() == [1, 2, 0]
    assert items["genres"].tolist() == [[2, 0, 0], [1, 0, 0], [2, 0, 0]]
    assert items["years"].tolist() == [-1.0, 1.0, 104.0], "1960, ten years a deviation"
    assert table.user([0, 1, 2])["job"].tolist() == [1, 2, 0]


@pytest.mark.parametrize("value", [0.1, 7, -1e9])
def test_a_number_that_never_varies_is_its_own_mean(value: float) -> None:
    """Three times .1 has a deviation of 1e-17 in floating point, which is no deviation."""
    data = Dataset.from_arrays([1, 2, 3], [1, 1, 1], contexts={"x": [value] * 3})
    table = FeatureTable(data, events={"x": "numeric"})
    assert table.event(data.interactions)["x"].tolist() == [0.0, 0.0, 0.0]
    assert table.context({"x": value + 2})["x"] == pytest.approx([2.0])


def test_numbers_that_are_not_finite_are_the_mean() -> None:
    ages = [20.0, float("nan"), float("inf"), 40.0, None]
    data = Dataset.from_arrays(
        range(5), [0] * 5, user_features=UserFeatures(range(5), attributes={"age": ages})
    )
    table = FeatureTable(data, users={"age": "numeric"})
    assert table.user(range(5))["age"].tolist() == [-1.0, 0.0, 0.0, 1.0, 0.0]


def test_rows_may_be_one_or_of_two_dimensions(table: FeatureTable) -> None:
    """A history of items has the codes of each; one index is a row of one."""
    assert table.user(1)["user_id"].tolist() == [2]
    assert table.item(2)["genres"].tolist() == [[1, 2]]
    items = table.item(np.array([[-1, 2], [0, 1]]))
    assert items["director"].tolist() == [[0, 2], [1, 0]]
    assert items["genres"].tolist() == [[[0, 0], [1, 2]], [[2, 0], [0, 0]]]
    assert table.item([])["genres"].shape == (0, 2)


@pytest.mark.parametrize(
    ("rows", "error", "words"),
    [
        ([0, 3], ValueError, r"items must be indices 0 … 2, or -1 for unknown, got 0 … 3"),
        ([-2], ValueError, r"items must be indices 0 … 2, or -1 for unknown, got -2 … -2"),
        ([1.5], TypeError, "items must be whole numbers, got float64"),
        ([True, False, True], TypeError, "items must be whole numbers, got bool"),
    ],
)
def test_rows_that_there_are_not_are_refused(table, rows, error, words: str) -> None:
    with pytest.raises(error, match=words):
        table.item(rows)


def test_events_without_a_context_of_the_table_are_refused(table: FeatureTable) -> None:
    """A model of these fields would miss its input; who has but some asks for `context`."""
    events = Dataset.from_arrays([1], [1], contexts={"hour": [8]}).interactions
    with pytest.raises(ValueError, match="events have no context 'device'"):
        table.event(events)
    assert list(table.context({"hour": 8})) == ["hour"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"users": {"height": "numeric"}}, "has no 'height' of users; it has: age, job"),
        ({"items": {"colour": "categorical"}}, "has no 'colour' of items; it has: genres, years"),
        ({"events": {"mood": "categorical"}}, "has no 'mood' of events; it has: device, hour"),
        ({"users": {"job": "numeric"}}, "job is said to be numeric, and is not"),
        ({"users": {"job": "word"}}, "kind of job must be one of"),
        (
            {"users": {"job": "categorical"}, "items": {"job": "numeric"}},
            "two fields have the name 'job'",
        ),
        ({"least": 0}, "least must be at least 1"),
    ],
)
def test_what_is_not_there_is_named(data: Dataset, arguments: dict, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        FeatureTable(data, **arguments)


def test_a_context_of_another_name_is_refused(table: FeatureTable) -> None:
    with pytest.raises(ValueError, match="context has 'day'; fields of events are: device, hour"):
        table.context({"day": 3})


def test_positives_are_what_was_clicked_not_what_was_shown() -> None:
    """The same users, items and side data; seen and popular mean the label."""
    shown = load_cinema_impressions()
    clicked = shown.positives("click")
    assert len(clicked) == int(shown.interactions.labels["click"].sum()) < len(shown) / 3
    assert clicked.n_users == shown.n_users and clicked.item_ids is shown.item_ids
    assert (clicked.interactions.labels["click"] == 1).all()
    assert clicked.seen.nnz < shown.seen.nnz and (clicked.popularity <= shown.popularity).all()
    assert clicked.item_features is shown.item_features
    with pytest.raises(
        ValueError, match="label must be one of 'click', 'like', 'finish'; got 'buy'"
    ):
        shown.positives("buy")
    none = Dataset.from_arrays([1, 2], [1, 2], labels={"click": [0, 0]})
    with pytest.raises(ValueError, match="label 'click' is true of no event"):
        none.positives("click")
    with pytest.raises(
        ValueError, match="label must be one of none, for there are none; got 'click'"
    ):
        Dataset.from_arrays([1], [1]).positives("click")


@pytest.mark.parametrize("kind", [bool, int, float])
def test_positive_is_greater_than_zero(kind: type) -> None:
    """Repeated events, string ids and an unsorted log: each positive event stays, in its order."""
    data = Dataset.from_arrays(
        ["b", "a", "b", "b", "a"],
        ["x", "y", "x", "z", "y"],
        timestamps=[9, 4, 2, 2, 4],
        labels={"click": np.array([1, 0, 1, 0, 1], kind)},
        contexts={"hour": [1, 2, 3, 4, 5]},
    )
    clicked = data.positives("click")
    assert clicked.interactions.timestamps.tolist() == [9, 2, 4]
    assert clicked.interactions.contexts["hour"].tolist() == [1, 3, 5]
    assert clicked.matrix("counts").toarray().tolist() == [[0, 1, 0], [2, 0, 0]]
    assert clicked.popularity.tolist() == [1, 1, 0] and data.popularity.tolist() == [1, 1, 1]


def test_a_label_of_words_is_no_truth() -> None:
    data = Dataset.from_arrays([1, 2], [1, 2], labels={"click": ["yes", "no"]})
    with pytest.raises(TypeError, match="label 'click' must hold numbers or booleans, got <U3"):
        data.positives("click")


def test_samplers_of_positives_may_draw_what_was_shown_in_vain() -> None:
    data = Dataset.from_arrays([1, 1, 2], [1, 2, 3], labels={"click": [1, 0, 1]})
    drawn = NegativeSampler(data.positives("click")).sample([0], 200)
    assert set(drawn.ravel().tolist()) == {1, 2}, "item 2 was shown and not clicked"


# --- Keras ----------------------------------------------------------------------------------------


def test_a_multiple_field_is_the_mean_of_its_real_values() -> None:
    embed = FieldEmbedding("multiple", 4, 3)
    vectors = embed.get_weights()[0]
    found = embed(np.array([[1, 3, 0], [2, 0, 0], [0, 0, 0]])).numpy()
    assert found[0] == pytest.approx((vectors[1] + vectors[3]) / 2, abs=1e-6)
    assert found[1] == pytest.approx(vectors[2], abs=1e-6) and (found[2] == 0).all()
    embed.set_weights([np.vstack([[9.0, 9.0, 9.0], vectors[1:]])])
    assert np.array_equal(embed(np.array([[1, 3, 0], [2, 0, 0], [0, 0, 0]])).numpy(), found)


def test_a_history_of_a_multiple_field_is_pooled_item_by_item() -> None:
    """(batch, length, width) codes to (batch, length, n_factors): each item as if alone."""
    embed = FieldEmbedding("multiple", 5, 3)
    codes = np.array([[[0, 0], [1, 2], [3, 0]], [[4, 1], [2, 0], [1, 4]]])
    found = embed(codes).numpy()
    alone = embed(codes.reshape(6, 2)).numpy()
    assert found.shape == (2, 3, 3) and found == pytest.approx(alone.reshape(2, 3, 3), abs=1e-6)


def test_unknown_has_a_vector_of_its_own_and_a_number_scales_one() -> None:
    embed = FieldEmbedding("categorical", 3, 2)
    assert embed(np.array([0, 2])).numpy() == pytest.approx(embed.get_weights()[0][[0, 2]])
    assert (embed.get_weights()[0][0] != 0).all()
    number = FieldEmbedding("numeric", 1, 2)
    assert number(np.array([2.0, 0.0])).numpy() == pytest.approx(
        np.outer([2, 0], number.get_weights()[0][0])
    )


def test_a_model_of_all_fields_trains_saves_and_loads(table, data: Dataset, tmp_path) -> None:
    """Inputs by the names of the fields, one vector for each."""
    inputs = field_inputs(table.fields)
    vectors = field_vectors(table.fields, inputs, 4, regularizer=keras.regularizers.L2(1e-3))
    output = layers.Dense(1)(layers.Concatenate()(list(vectors.values())))
    model = keras.Model(inputs, output)
    model.compile("adam", "mse")
    events = data.interactions
    batch = {**table.user(events.users), **table.item(events.items), **table.event(events)}
    assert set(batch) == set(table.fields) == set(inputs)
    model.fit(batch, np.ones((4, 1)), verbose=0)
    assert len(model.losses) == len(table.fields), "each field is penalised"
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    assert np.array_equal(again.predict(batch, verbose=0), model.predict(batch, verbose=0))
