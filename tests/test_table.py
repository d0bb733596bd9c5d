"""The feature table: codes that come from training data alone, and what Keras makes of them."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers

from keras_recs.data import Dataset, FeatureTable, ItemFeatures, UserFeatures
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


# --- Keras ----------------------------------------------------------------------------------------


def test_a_multiple_field_is_the_mean_of_its_real_values() -> None:
    embed = FieldEmbedding("multiple", 4, 3)
    vectors = embed.get_weights()[0]
    found = embed(np.array([[1, 3, 0], [2, 0, 0], [0, 0, 0]])).numpy()
    assert found[0] == pytest.approx((vectors[1] + vectors[3]) / 2, abs=1e-6)
    assert found[1] == pytest.approx(vectors[2], abs=1e-6) and (found[2] == 0).all()
    embed.set_weights([np.vstack([[9.0, 9.0, 9.0], vectors[1:]])])
    assert np.array_equal(embed(np.array([[1, 3, 0], [2, 0, 0], [0, 0, 0]])).numpy(), found)


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
