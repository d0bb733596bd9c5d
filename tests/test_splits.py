"""The three splits, sequences, and negative sampling."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from keras_recs.data import (
    Dataset,
    GlobalTimeCut,
    NegativeSampler,
    Sequences,
    Split,
    recency_weighted,
    split,
    split_last,
    split_random,
    split_temporal,
)
from keras_recs.data.splits import TemporalSplit


def events(counts: list[int], seed: int = 0) -> Dataset:
    """Users with so many events each, in shuffled order; item = place in the user's time."""
    users = np.repeat(np.arange(len(counts)), counts)
    items = np.concatenate([np.arange(c) for c in counts])
    order = np.random.default_rng(seed).permutation(len(users))
    return Dataset.from_arrays(users[order], items[order], np.ones(len(users)), items[order])


def of(data: Dataset, user: int) -> list[int]:
    return sorted(data.interactions.items[data.interactions.users == user].tolist())


def test_p1_takes_the_last_fifth_of_each_user_and_at_least_one() -> None:
    parts = split(events([10, 9, 4, 1, 15]), "P1")
    assert of(parts.test, 0) == [8, 9] and of(parts.train, 0) == list(range(8))
    assert of(parts.test, 1) == [8], "int(0.2 · 9) = 1"
    assert of(parts.test, 2) == [3]
    assert of(parts.test, 3) == [0] and of(parts.train, 3) == []
    assert of(parts.test, 4) == [12, 13, 14]


def test_ties_in_time_keep_the_order_of_the_data() -> None:
    data = Dataset.from_arrays([1] * 5, [50, 40, 30, 20, 10], timestamps=[7] * 5)
    parts = split(data, "P1")
    assert parts.test.item_ids.ids[parts.test.interactions.items].tolist() == [10]


def test_p2_takes_the_last_event() -> None:
    parts = split(events([5, 2]), "P2")
    assert of(parts.test, 0) == [4] and of(parts.test, 1) == [1]
    assert of(split_last(events([5, 2]), 3).test, 0) == [2, 3, 4]


def test_p3_is_the_seeded_random_fifth() -> None:
    data = events([50, 50])
    parts = split(data, "P3")
    order = np.random.default_rng(42).permutation(100)
    assert parts.train.interactions.items.tolist() == data.interactions.items[order[:80]].tolist()
    inner = split(data, "P3", validation=True)
    assert inner.train.interactions.items.tolist() == data.interactions.items[order[:64]].tolist()
    assert inner.test.interactions.items.tolist() == data.interactions.items[order[64:80]].tolist()


@pytest.mark.parametrize("protocol", ["P1", "P2", "P3"])
def test_the_validation_slice_never_touches_the_test(protocol: str) -> None:
    data = events([20, 30, 25])
    outer, inner = split(data, protocol), split(data, protocol, validation=True)

    def pairs(part: Dataset) -> set[tuple[int, int]]:
        return set(
            zip(part.interactions.users.tolist(), part.interactions.items.tolist(), strict=True)
        )

    assert not pairs(outer.test) & (pairs(inner.train) | pairs(inner.test))
    assert pairs(inner.train) | pairs(inner.test) == pairs(outer.train)
    assert not pairs(inner.train) & pairs(inner.test)
    assert inner.train.user_ids == data.user_ids and inner.train.n_items == data.n_items


def test_splits_refuse_what_they_cannot_do() -> None:
    timeless = Dataset.from_arrays([1, 1], [1, 2])
    with pytest.raises(ValueError, match="a temporal split needs timestamps"):
        split(timeless)
    with pytest.raises(ValueError, match="protocol must be one of 'P1', 'P2', 'P3', .*; got 'p4'"):
        split(timeless, "p4")
    with pytest.raises(ValueError, match="nothing to train on"):
        split(events([1, 1, 1]), "P1")
    with pytest.raises(ValueError, match="too few for a random split"):
        split_random(events([1]))
    with pytest.raises(ValueError, match="fraction must be greater than 0"):
        split_temporal(events([5]), 0.0)


def test_sequences_are_in_time_order_and_padding_keeps_the_latest() -> None:
    data = Dataset.from_arrays([7, 7, 8, 7], [3, 1, 2, 2], timestamps=[30, 10, 5, 20])
    sequences = Sequences.of(data)
    assert [data.item_ids.ids[s].tolist() for s in (sequences[0], sequences[1])] == [[1, 2, 3], [2]]
    assert sequences.ages().tolist() == [2, 1, 0, 0]
    assert sequences.padded(2).tolist() == [[1, 2], [-1, 1]]
    assert sequences.padded(5, pad=99).tolist() == [[99, 99, 0, 1, 2], [99, 99, 99, 99, 1]]


def test_recency_weights_fall_with_the_users_own_events() -> None:
    data = Dataset.from_arrays([7, 7, 7, 8], [1, 2, 1, 2], timestamps=[1, 2, 3, 999])
    weights = recency_weighted(data, decay=2.0).toarray()
    assert weights == pytest.approx(np.array([[1.0, np.exp(-0.5)], [0.0, 1.0]])), (
        "item 1 counts by its later event"
    )
    with pytest.raises(ValueError, match="decay must be greater than 0"):
        recency_weighted(data, 0.0)


@pytest.fixture(scope="module")
def crowd() -> Dataset:
    """40 users, 30 items; user 0 has met all, user 1 all but item 29; popularity falls with the item's number."""
    rng = np.random.default_rng(1)
    users, items = np.nonzero(rng.random((40, 30)) < np.linspace(0.9, 0.05, 30))
    users = np.concatenate([users, np.zeros(30, int), np.ones(29, int)])
    items = np.concatenate([items, np.arange(30), np.arange(29)])
    keep = ~((users == 1) & (items == 29))
    return Dataset.from_arrays(users[keep], items[keep])


@pytest.mark.parametrize("strategy", ["uniform", "popularity"])
def test_a_negative_is_never_a_positive(crowd: Dataset, strategy: str) -> None:
    users = np.repeat(np.arange(1, 40), 20)
    drawn = NegativeSampler(crowd, strategy).sample(users, 50)
    assert drawn.shape == (len(users), 50) and drawn.min() >= 0 and drawn.max() < 30
    assert not crowd.seen.toarray()[users[:, None], drawn].any()
    assert (drawn[users == 1] == 29).all(), "one item is left, and it must be found"


def test_a_user_who_has_met_everything_gets_the_filler(crowd: Dataset) -> None:
    assert (NegativeSampler(crowd).sample([0, 0], 3) == -1).all()


@pytest.mark.parametrize(
    ("strategy", "power"), [("uniform", 0.0), ("popularity", 0.75), ("popularity", 1.0)]
)
def test_negatives_follow_the_distribution_that_was_asked_for(
    crowd: Dataset, strategy: str, power: float
) -> None:
    sampler = NegativeSampler(crowd, strategy, power=power, seed=3)
    user = 5
    drawn = np.bincount(sampler.sample([user], 20_000)[0], minlength=30)
    free = crowd.seen.toarray()[user] == 0
    expected = np.maximum(crowd.popularity, 1.0) ** power * free
    expected *= drawn.sum() / expected.sum()
    assert stats.chisquare(drawn[free], expected[free]).pvalue > 1e-3
    other = np.maximum(crowd.popularity, 1.0) ** (power + 0.5) * free
    other *= drawn.sum() / other.sum()
    assert stats.chisquare(drawn[free], other[free]).pvalue < 1e-6, "a test without power"


def test_the_same_seed_draws_the_same(crowd: Dataset) -> None:
    draw = lambda seed: NegativeSampler(crowd, seed=seed).sample(np.arange(1, 40), 5).tolist()  # noqa: E731
    assert draw(4) == draw(4) != draw(5)


# --- parts that do not belong together ------------------------------------------------------------


@pytest.mark.parametrize(
    ("users", "items", "words"),
    [
        (["ann", "cid"], [1, 2], "different user_ids"),
        (["ann", "bob"], [1, 3], "different item_ids"),
    ],
)
def test_parts_with_maps_of_their_own_are_no_split(
    users: list[str], items: list[int], words: str
) -> None:
    train = Dataset.from_arrays(["ann", "bob"], [1, 2])
    with pytest.raises(ValueError, match=f"{words}.*with_interactions"):
        Split("P1", train, Dataset.from_arrays(users, items))
    Split("P1", train, Dataset.from_arrays(["bob", "ann"], [2, 1]))  # equal maps are one map


def test_what_is_no_data_set_cannot_be_split() -> None:
    with pytest.raises(TypeError, match="data must be a Dataset, got dict; .*from_frame"):
        split({"user": [1], "item": [2]})  # type: ignore[arg-type]


# --- one cut in time for all ----------------------------------------------------------------------


@pytest.fixture(scope="module")
def visits() -> Dataset:
    """Users with string ids who come and go, several events in the same second, pairs that repeat."""
    rng = np.random.default_rng(5)
    first = rng.integers(0, 900, 80)
    users = rng.integers(0, 80, 2500)
    times = first[users] + rng.integers(0, 200, 2500)
    return Dataset.from_arrays(
        [f"u{u}" for u in users], 10 * rng.integers(0, 40, 2500), timestamps=times
    )


def times_of(data: Dataset) -> np.ndarray:
    found = data.interactions.timestamps
    assert found is not None
    return found


@pytest.mark.parametrize("validation", [False, True])
def test_nobodys_future_is_in_the_training_part(visits: Dataset, validation: bool) -> None:
    parts = split(visits, "P4", validation=validation)
    assert times_of(parts.train).max() < times_of(parts.test).min()
    by_user = split(visits, "P1", validation=validation)
    assert times_of(by_user.train).max() > times_of(by_user.test).min(), "the test has no power"


def test_every_event_is_trained_on_tested_or_counted(visits: Dataset) -> None:
    times = np.sort(times_of(visits))
    cut = times[2000]
    assert (times[1995:2000] == cut).any(), "the cut must fall between events of one second"
    for least in (0, 1, 15):
        parts = GlobalTimeCut(least=least).split(visits)
        assert len(parts.train) == np.count_nonzero(times < cut), "what is as late as the cut"
        assert len(parts.train) + len(parts.test) + parts.left_out == len(visits)
        n_before = np.bincount(parts.train.interactions.users, minlength=visits.n_users)
        tested = np.unique(parts.test.interactions.users)
        assert (n_before[tested] >= least).all()
        everyone = np.unique(visits.interactions.users[times_of(visits) >= cut])
        assert tested.tolist() == [u for u in everyone if n_before[u] >= least]
    cold = np.setdiff1d(
        GlobalTimeCut(least=0).split(visits).test.interactions.users,
        GlobalTimeCut(least=1).split(visits).test.interactions.users,
    )
    assert len(cold) > 5, "there must be users who come only after the cut"


def test_the_cut_can_be_a_moment_and_its_validation_slice_a_share(visits: Dataset) -> None:
    rule = GlobalTimeCut(time=600, least=0)
    parts, inner = split(visits, rule), split(visits, rule, validation=True)
    assert times_of(parts.train).max() < 600 <= times_of(parts.test).min()
    assert len(inner.train) + len(inner.test) == len(parts.train)
    assert len(inner.test) == pytest.approx(0.2 * len(parts.train), rel=0.05)


def test_fractions_of_a_second_are_on_their_side_of_the_cut() -> None:
    data = Dataset.from_arrays([1] * 5, [1, 2, 3, 4, 5], timestamps=[7.5, 7.25, 7.0, 6.0, 7.75])
    parts = GlobalTimeCut(share=0.4).split(data)
    assert parts.test.item_ids.ids[parts.test.interactions.items].tolist() == [1, 5]


def test_a_time_cut_refuses_what_leaves_nothing() -> None:
    data = events([5, 5])
    with pytest.raises(ValueError, match="a global time cut needs timestamps"):
        split(Dataset.from_arrays([1, 1], [1, 2]), "P4")
    for time, words in ((0, "nothing to train on"), (99, "nothing to test on")):
        with pytest.raises(ValueError, match=words):
            GlobalTimeCut(time=time).split(data)
    at_once = Dataset.from_arrays([1, 2, 3], [1, 2, 3], timestamps=[4, 4, 4])
    with pytest.raises(ValueError, match="nothing to train on"):
        GlobalTimeCut().split(at_once)
    with pytest.raises(ValueError, match="no user has 5 events before the time cut"):
        GlobalTimeCut(least=5).split(data)
    for settings, words in (
        ({"share": 1.0}, "share must be less than 1"),
        ({"share": 0.0}, "share must be greater than 0"),
        ({"least": -1}, "least must be at least 0"),
        ({"time": 1.5}, "time must be a whole number"),
    ):
        with pytest.raises((ValueError, TypeError), match=words):
            GlobalTimeCut(**settings)


def test_a_rule_with_settings_of_its_own_splits_as_its_function() -> None:
    data = events([10, 20])
    mine, plain = split(data, TemporalSplit(fraction=0.5)), split_temporal(data, 0.5)
    assert mine.test.interactions.items.tolist() == plain.test.interactions.items.tolist()
    with pytest.raises(TypeError, match="protocol must be a name such as 'P1'"):
        split(data, 1)  # type: ignore[arg-type]
