"""Histories, windows and augmented rows, against their definitions, on awkward logs."""

from __future__ import annotations

import numpy as np
import pytest

from keras_recs.data import (
    Dataset,
    Sequences,
    clozed,
    cropped,
    hidden,
    histories_before,
    reordered,
    windows,
)


@pytest.fixture(scope="module")
def log() -> Dataset:
    """Unsorted, with repeated items, ties in time, users of one event, and ids that are strings."""
    rng = np.random.default_rng(3)
    n = 300
    users = np.concatenate([rng.integers(0, 12, n), [12, 13]])
    items = np.concatenate([rng.integers(0, 9, n), [3, 8]])
    times = np.concatenate([rng.integers(0, 40, n), [5, 6]])  # far more events than moments
    return Dataset.from_arrays([f"u{u}" for u in users], [f"i{i}" for i in items], timestamps=times)


def in_order(data: Dataset, user: int) -> list[int]:
    """A user's event rows by time, ties in the order of the log."""
    events = data.interactions
    rows = [row for row in range(len(events)) if events.users[row] == user]
    return sorted(rows, key=lambda row: events.timestamps[row])


def padded(items: list[int], length: int) -> list[int]:
    kept = [item + 1 for item in items][-length:]
    return [0] * (length - len(kept)) + kept


@pytest.mark.parametrize("length", [1, 4, 60])
def test_histories_are_the_latest_items_with_zero_as_padding(log: Dataset, length: int) -> None:
    rows = Sequences.of(log).histories(length)
    items = log.interactions.items
    expected = [padded([items[r] for r in in_order(log, u)], length) for u in range(log.n_users)]
    assert rows.dtype == np.int32 and rows.tolist() == expected


@pytest.mark.parametrize(
    ("length", "stride", "least"), [(3, 1, 1), (5, 2, 1), (2, 3, 4), (50, 1, 2)]
)
def test_windows_are_what_came_before_each_event(
    log: Dataset, length: int, stride: int, least: int
) -> None:
    """By the definition, row by row; the latest event of each user is always taken."""
    items = log.interactions.items
    expected = []
    for user in range(log.n_users):
        rows = [int(items[r]) for r in in_order(log, user)]
        for place in range(len(rows)):
            if place >= least and (len(rows) - 1 - place) % stride == 0:
                expected.append((user, padded(rows[:place], length), rows[place]))
    found = windows(log, length, stride=stride, least=least)
    assert [
        (int(u), h, int(t))
        for u, h, t in zip(found.users, found.history.tolist(), found.target, strict=True)
    ] == expected
    assert found.history.shape == (len(expected), length) and len(expected) > 40


@pytest.mark.parametrize("fractions", [False, True])
def test_a_history_before_an_event_knows_nothing_of_its_own_moment(log: Dataset, fractions) -> None:
    """Strictly earlier events of the same user, in the order of the log's own rows."""
    events = log.interactions
    times = events.timestamps + (events.items % 2) / 2 if fractions else events.timestamps
    data = Dataset.from_arrays(events.users, events.items, timestamps=times)
    moment = data.interactions.timestamps.astype(float)
    if fractions:
        moment = moment + data.interactions.nanoseconds / 1e9
    ranked = sorted(range(len(moment)), key=lambda row: moment[row])
    expected = []
    for row in range(len(moment)):
        same = [r for r in ranked if data.interactions.users[r] == data.interactions.users[row]]
        earlier = [r for r in same if moment[r] < moment[row]]
        expected.append(padded([data.interactions.items[r] for r in earlier], 6))
    assert histories_before(data, 6).tolist() == expected


def test_without_times_the_order_of_the_data_stands_for_time() -> None:
    data = Dataset.from_arrays([1, 2, 1, 1], [10, 10, 20, 30])
    assert histories_before(data, 2).tolist() == [[0, 0], [0, 0], [0, 1], [1, 2]]
    assert windows(data, 2).target.tolist() == [1, 2]


@pytest.mark.parametrize("name", ["length", "stride", "least"])
def test_sizes_are_checked(log: Dataset, name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} must be at least 1, got 0"):
        windows(log, **{"length": 3, name: 0})


# --- augmentation ---------------------------------------------------------------------------------

ROWS = np.array([[0, 0, 4, 1, 2], [5, 3, 3, 2, 1], [0, 0, 0, 0, 7], [0, 0, 0, 0, 0]])
MANY = np.repeat(ROWS, 4000, axis=0)


def generator() -> np.random.Generator:
    return np.random.default_rng(0)


def test_gaps_are_in_items_alone_and_say_what_belongs_there() -> None:
    gaps = clozed(MANY, 0.3, 9, generator())
    there = gaps.weights > 0
    assert (gaps.inputs[there] == 10).all() and (gaps.inputs[~there] == MANY[~there]).all()
    assert (gaps.targets[there] + 1 == MANY[there]).all() and (gaps.targets[~there] == 0).all()
    assert not there[MANY == 0].any(), "padding is never a gap"
    n_gaps = there.sum(axis=1)
    assert (n_gaps[(MANY > 0).any(axis=1)] >= 1).all() and (n_gaps[12000:] == 0).all()
    # Of five items .3 each; where none fell, one was chosen: 5 · .3 + .7⁵ on average.
    assert n_gaps[4000:8000].mean() == pytest.approx(1.5 + 0.7**5, abs=0.05)
    places = there[4000:8000].mean(axis=0)
    assert places == pytest.approx(np.full(5, (1.5 + 0.7**5) / 5), abs=0.04), "each place alike"
    assert np.array_equal(hidden(MANY, 0.3, 9, generator()), gaps.inputs)


def test_a_crop_is_a_stretch_of_the_history() -> None:
    rows = cropped(MANY, 0.6, generator())
    of_five = {tuple(row) for row in rows[4000:8000].tolist()}
    assert of_five == {(0, 0, 5, 3, 3), (0, 0, 3, 3, 2), (0, 0, 3, 2, 1)}, "three of five, in order"
    assert {tuple(row) for row in rows[:4000].tolist()} == {(0, 0, 0, 0, n) for n in (4, 1, 2)}
    assert (rows[8000:12000] == ROWS[2]).all() and (rows[12000:] == 0).all()
    counts = np.unique(rows[4000:8000, -1], return_counts=True)[1]
    assert counts.min() > 1200, "each stretch as often as the others"


def test_a_reordered_row_has_its_items_and_only_a_stretch_of_them_moves() -> None:
    rows = reordered(MANY, 0.6, generator())
    assert np.array_equal(np.sort(rows, axis=1), np.sort(MANY, axis=1))
    assert (rows[MANY == 0] == 0).all(), "padding stays on the left"
    five = rows[4000:8000]
    moved = five != ROWS[1]
    first, last = moved.argmax(axis=1), 4 - moved[:, ::-1].argmax(axis=1)
    assert (last - first <= 2)[moved.any(axis=1)].all(), "within three places"
    assert len({tuple(row) for row in five.tolist()}) > 6 and 0.3 < moved.any(axis=1).mean() < 0.95


@pytest.mark.parametrize("change", [cropped, reordered])
def test_the_generator_decides_and_the_rows_stay_as_they_were(change) -> None:
    before = MANY.copy()
    assert np.array_equal(change(MANY, 0.5, generator()), change(MANY, 0.5, generator()))
    assert np.array_equal(MANY, before)


@pytest.mark.parametrize(
    ("rows", "share", "words"),
    [
        ([[1, 0]], 0.5, "rows must be right-aligned"),
        ([[-1, 2]], 0.5, "rows must be right-aligned"),
        ([1, 2], 0.5, r"rows must have shape \(n, length\), got \(2,\)"),
        (np.zeros((2, 0), int), 0.5, r"rows must have shape \(n, length\), got \(2, 0\)"),
        ([[1, 2]], 0.0, "share must be greater than 0"),
        ([[1, 2]], 1.5, "share must lie between"),
    ],
)
def test_bad_rows_are_refused(rows, share: float, words: str) -> None:
    for change in (
        lambda: cropped(rows, share, generator()),
        lambda: clozed(rows, share, 9, generator()),
    ):
        with pytest.raises(ValueError, match=words):
            change()


def test_rows_of_fractions_are_refused() -> None:
    with pytest.raises(TypeError, match="rows must be whole numbers, got float64"):
        cropped([[1.5, 2.0]], 0.5, generator())


@pytest.mark.parametrize("code", [10, 99])
def test_a_gap_cannot_hide_what_is_no_item(code: int) -> None:
    """With 9 items, 10 is the mask token already: no item index belongs there."""
    with pytest.raises(ValueError, match=f"rows must hold codes 0 … 9, got {code}"):
        clozed([[0, 3, code]], 0.5, 9, generator())


@pytest.mark.parametrize("change", [cropped, reordered])
def test_rows_of_nobody_stay_rows_of_nobody(change) -> None:
    assert change(np.zeros((0, 5), int), 0.5, generator()).shape == (0, 5)
    assert clozed(np.zeros((0, 5), int), 0.5, 9, generator()).inputs.shape == (0, 5)


def test_users_of_one_event_have_a_history_and_no_window() -> None:
    """And a user whom only the maps know has neither."""
    data = Dataset.from_arrays(["b", "a", "a"], ["x", "y", "x"])
    data = data.with_interactions(data.interactions.take(np.array([0])))
    assert Sequences.of(data).histories(2).tolist() == [[0, 0], [0, 1]]
    rows = windows(data, 2)
    assert rows.history.shape == (0, 2) and len(rows.users) == len(rows.target) == 0
