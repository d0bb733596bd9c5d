"""Recommenders that are no matrix models go through the contract: several labels, a history, a
context, a training step of their own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from examples.context import HourMachine
from examples.multi_task import SharedBottom
from examples.own_step import OwnStep
from examples.sequence import NextItem

from keras_recs.core.recommender import Recommender
from keras_recs.core.requests import history_rows, seen_in
from keras_recs.data import Dataset, IdMap

N = 40  # users, and a tenth of that are items


def impressions() -> Dataset:
    """Users of even number click what is even; of what is clicked, items below 6 are finished."""
    users, items = (axis.ravel() for axis in np.indices((N, 12)))
    click = (users + items) % 2 == 0
    labels = {"click": click, "finish": click & (items < 6)}
    return Dataset.from_arrays([f"u{u}" for u in users], items * 10, labels=labels)


def cycles() -> Dataset:
    """Everybody goes around a circle of eight items, from where they please."""
    users, step = (axis.ravel() for axis in np.indices((N, 20)))
    items = (users + step) % 8
    return Dataset.from_arrays([f"u{u}" for u in users], items * 10, timestamps=step)


def days() -> Dataset:
    """By day (hours 1 to 12) items 0 to 5 are met, by night (13 to 24) items 6 to 11."""
    rng = np.random.default_rng(0)
    users, hour = np.repeat(np.arange(N), 24), np.tile(np.arange(1, 25), N)
    items = rng.integers(0, 6, len(users)) + np.where(hour > 12, 6, 0)
    keep = rng.random(len(users)) < 0.3  # nobody has seen everything
    columns = [f"u{u}" for u in users[keep]], items[keep] * 10
    return Dataset.from_arrays(*columns, contexts={"hour": hour[keep]})


def blocks() -> Dataset:
    """Users and items of two kinds; each pair of a kind was met, but for one in ten."""
    users, items = (axis.ravel() for axis in np.indices((N, 20)))
    met = ((users + items) % 2 == 0) & ((users // 2 + items // 2) % 10 > 0)
    return Dataset.from_arrays([f"u{u}" for u in users[met]], items[met] * 10)


EXAMPLES = {
    "multi_task": (SharedBottom(n_epochs=15, batch_size=64, learning_rate=0.05), impressions),
    "sequence": (NextItem(n_epochs=12, batch_size=16, learning_rate=0.02), cycles),
    "context": (HourMachine(n_factors=4, n_epochs=12, batch_size=32, learning_rate=0.05), days),
    "own_step": (OwnStep(n_epochs=8, learning_rate=0.05), blocks),
}


@pytest.fixture(scope="module")
def fitted() -> dict[str, Recommender]:
    return {name: model.fit(data()) for name, (model, data) in EXAMPLES.items()}


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_is_short_and_overrides_nothing_with_another_signature(name: str) -> None:
    source = (Path(__file__).parent / "examples" / f"{name}.py").read_text(encoding="utf8")
    assert len(source.splitlines()) < 60
    assert (
        "type: ignore" not in source and "def build(self, data: Dataset) -> keras.Model" in source
    )


@pytest.mark.parametrize("name", EXAMPLES)
def test_what_was_saved_recommends_the_same(name: str, fitted: dict, tmp_path) -> None:
    model = fitted[name]
    model.save(tmp_path / "model")
    again = type(model).load(tmp_path / "model")
    asked = ["u3", "u0", "u7"]
    ours, theirs = model.recommend(asked, 4), again.recommend(asked, 4)
    assert np.array_equal(ours.items, theirs.items)
    assert np.allclose(ours.scores, theirs.scores, atol=1e-6)
    assert again.history_ == model.history_ and again.get_params() == model.get_params()


def test_several_labels_are_predicted_each_by_its_name(fitted: dict) -> None:
    """Floor: better than the base rate by far, and the two labels apart."""
    model, events = fitted["multi_task"], impressions().interactions
    predicted = model.predict_events(events)
    assert set(predicted) == {"click", "finish"}
    for label, truth in events.labels.items():
        right = ((predicted[label] > 0.5) == truth).mean()
        assert right > 0.97 > max(truth.mean(), 1 - truth.mean())
    assert set(model.history_) >= {"loss", "click_loss", "finish_loss"}
    pairs = model.predict("u2", [0, 10, 20])
    assert (pairs > 0.5).tolist() == [True, False, True], "the first output: a click"


def test_the_next_item_follows_a_history_whosever_it_is(fitted: dict) -> None:
    """A known user's own history, another one in its place, and a session of somebody unknown."""
    model = fitted["sequence"]
    known = model.recommend("u5", 1, exclude_seen=False).items[0, 0]
    assert known == (5 + 20) % 8 * 10
    other = model.recommend(["u5", "u6"], 1, exclude_seen=False, history=[[10, 20, 30], [60, 70]])
    assert other.items[:, 0].tolist() == [40, 0]
    nobody = model.recommend(history=[[10, 20, 30], [50]], k=3)
    assert nobody.kind == "session" and nobody.queries.tolist() == [0, 1]
    assert nobody.items[0, 0] == 40 and nobody.items[1, 0] == 60
    assert not {10, 20, 30} & set(nobody.items[0].tolist()), "what the session holds is seen"
    assert model.score(history=[[10, 20, 30]]).shape == (1, 8)


def test_the_hour_decides(fitted: dict) -> None:
    model = fitted["context"]
    day, night = ({"hour": hour} for hour in (9, 21))
    for context, best in ((day, range(0, 60, 10)), (night, range(60, 120, 10))):
        found = model.recommend(["u1", "u2"], 4, exclude_seen=False, context=context)
        assert set(found.items.ravel().tolist()) <= set(best)
    both = model.recommend(["u1", "u1"], 4, exclude_seen=False, context={"hour": [9, 21]})
    assert both.items[0].max() < 60 <= both.items[1].min()
    events = days().interactions
    assert model.predict_events(events)["met"].mean() > 0.6, "what happened, in its own hour"


def test_a_model_with_its_own_losses_learns_and_shows_their_curves(fitted: dict) -> None:
    model = fitted["own_step"]
    assert set(model.history_) == {"ranking", "length"} and len(model.history_["ranking"]) == 8
    data = blocks()
    found = model.recommend(data.user_ids.ids, 1)
    kind = np.array([int(user[1:]) % 2 for user in found.queries])
    assert (found.items[:, 0] // 10 % 2 == kind).mean() > 0.9 > 0.5


@pytest.mark.parametrize(
    ("history", "error", "words"),
    [
        ([[1], [20]], KeyError, "history.* 1"),
        ([[10], [20], [30]], ValueError, "history must have a list for each of 2 users, got 3"),
        ("10", TypeError, "history must be lists of item ids"),
        ([10, [20]], TypeError, "history must be one list of item ids, or one for each user"),
    ],
)
def test_a_bad_history_is_refused_by_name(fitted: dict, history, error, words: str) -> None:
    with pytest.raises(error, match=words):
        fitted["sequence"].recommend(["u1", "u2"], history=history)


def test_who_asks_must_be_said_and_only_what_is_taken_may_come(fitted: dict) -> None:
    with pytest.raises(TypeError, match="users must be ids; None goes with histories"):
        fitted["sequence"].recommend()
    with pytest.raises(TypeError, match="NextItem takes no context"):
        fitted["sequence"].score(["u1"], context={"hour": 3})
    with pytest.raises(TypeError, match="OwnStep takes no history"):
        fitted["own_step"].recommend(["u1"], history=[[10]])
    with pytest.raises(NotImplementedError, match="OwnStep does not predict what comes"):
        fitted["own_step"].predict_events(blocks().interactions)
    with pytest.raises(ValueError, match="events.users must be below 40, got 40"):
        events = Dataset.from_arrays(np.arange(41), np.arange(41)).interactions
        fitted["multi_task"].predict_events(events)


def test_nobody_with_no_histories_gets_no_lists(fitted: dict) -> None:
    found = fitted["sequence"].recommend(np.array([], str), 3, history=[])
    assert found.items.shape == (0, 3)


def test_histories_may_be_of_any_kind_of_sequence(fitted: dict) -> None:
    """Arrays, tuples, one list for one user; each row is its own user's, whatever the blocks."""
    model = fitted["sequence"]
    rows = [[10, 20, 30], [60, 70], [40]]
    expected = model.score(history=rows)
    for history in ([np.array(row) for row in rows], [tuple(row) for row in rows]):
        assert np.allclose(model.score(["u1", "u2", "u3"], history=history), expected, atol=1e-6)
    assert np.allclose(model.score("u1", history=[60, 70]), expected[1], atol=1e-6)
    table = np.array([[10, 20], [60, 70]])
    assert model.recommend(history=table, k=1, exclude_seen=False).items[:, 0].tolist() == [30, 0]


def test_requests_stay_with_their_rows_in_small_blocks(
    fitted: dict, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each user keeps context, history and candidates, however few are ranked at once."""
    users, hours = ["u1", "u2", "u3", "u4"], [9, 21, 9, 21]
    choice = [[0, 60], [0, 60], [10, 70], [10, 70]]
    sessions = [[10], [20, 30], [50], [60, 70]]

    def asked() -> tuple[list, list]:
        by_hour = fitted["context"].recommend(
            users, 1, exclude_seen=False, candidates=choice, context={"hour": hours}
        )
        return by_hour.items.tolist(), fitted["sequence"].recommend(
            history=sessions, k=2
        ).items.tolist()

    whole = asked()
    assert whole[0] == [[0], [60], [10], [70]]
    monkeypatch.setattr("keras_recs.core.recommender.BLOCK_CELLS", 1)
    assert asked() == whole


def test_an_empty_history_is_a_history() -> None:
    """Somebody of whom nothing is known yet gets a list all the same."""
    model = NextItem(n_epochs=1).fit(cycles())
    found = model.recommend(history=[[], [10]], k=2)
    assert found.items.shape == (2, 2) and np.isfinite(found.scores).all()


def test_a_history_stands_at_the_right_end_with_zeros_before_it() -> None:
    """Item index + 1, the latest last; what it holds counts as seen, and padding as nothing."""
    ids = IdMap(np.array([10, 20, 30]))
    rows = history_rows([[10], [], [30, 10, 20]], 3, ids)
    assert rows.tolist() == [[0, 0, 1], [0, 0, 0], [3, 1, 2]] and rows.dtype == np.int32
    assert seen_in(rows, 3).tolist() == [[1, 0, 0], [0, 0, 0], [1, 1, 1]]
