"""Nothing is measured on what it was fitted on: neither through the model nor through the split."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from keras_recs.core.recommender import Recommender
from keras_recs.data import Dataset, Split, split, split_random
from keras_recs.evaluation import (
    PROTOCOLS,
    BiasRecommender,
    ItemKNNRecommender,
    PopularityRecommender,
    evaluate,
    evaluate_ratings,
)


def log(n: int = 3000, repeated: bool = False, seed: int = 0) -> Dataset:
    """String users, items with gaps, ratings from 0; each pair once, or many of them several times."""
    rng = np.random.default_rng(seed)
    if repeated:
        users, items = rng.integers(0, 60, n), rng.integers(0, 50, n)
    else:
        users, items = np.divmod(rng.permutation(60 * 80)[:n], 80)
    return Dataset.from_arrays(
        [f"u{u:02d}" for u in users], 10 * items + 3, rng.integers(0, 6, n), rng.permutation(n)
    )


def pairs(data: Dataset) -> set[tuple[int, int]]:
    return set(zip(data.interactions.users.tolist(), data.interactions.items.tolist(), strict=True))


@pytest.mark.parametrize("protocol", ["P1", "P2", "P3", "P4"])
def test_a_model_of_all_the_data_is_told_to_fit_on_parts_train(protocol: str) -> None:
    data = log()
    parts = split(data, protocol)
    make = ItemKNNRecommender if PROTOCOLS[protocol].ranks else BiasRecommender
    evaluate(make().fit(parts.train), parts)
    n = len(pairs(parts.test))
    with pytest.raises(
        ValueError, match=rf"fitted on {n:,} of the {n:,} test pairs.* fit on parts\.train"
    ):
        evaluate(make().fit(data), parts)


@pytest.mark.parametrize("protocol", ["P1", "P2", "P3", "P4"])
def test_one_pair_too_many_is_enough_and_other_ids_are_understood(protocol: str) -> None:
    """The model knows more users and items than the split, so that its indices are others."""
    parts = split(log(), protocol)
    train, test = parts.train.interactions, parts.test.interactions
    users, items = parts.train.user_ids.ids, parts.train.item_ids.ids
    names, films = [*users[train.users].tolist(), "a first one"], [*items[train.items].tolist(), 1]
    ratings = [*train.ratings.tolist(), 3.0]
    more = Dataset.from_arrays(names, films, ratings)
    if not PROTOCOLS[protocol].ranks:
        evaluate(BiasRecommender().fit(more), parts)
    user, item = users[test.users[7]].item(), items[test.items[7]].item()
    one = Dataset.from_arrays([*names, user], [*films, item], [*ratings, 3.0])
    with pytest.raises(ValueError, match=r"fitted on 1 of the .* fit on parts\.train"):
        evaluate(BiasRecommender().fit(one), parts)


def test_a_model_of_the_outer_training_part_is_caught_on_the_validation_slice() -> None:
    data = log()
    outer, inner = split(data), split(data, validation=True)
    with pytest.raises(ValueError, match=r"fit on parts\.train"):
        evaluate(PopularityRecommender().fit(outer.train), inner)


@pytest.mark.parametrize("protocol", ["P1", "P2", "P4"])
def test_events_that_come_again_are_no_leak_in_time(protocol: str) -> None:
    """The test repeats pairs of the training part: they are not relevant, and nobody is accused."""
    data = log(repeated=True)
    parts = split(data, protocol)
    again = pairs(parts.test) & pairs(parts.train)
    assert again and pairs(parts.test) - again
    evaluate(PopularityRecommender().fit(parts.train), parts)
    with pytest.raises(ValueError, match=f"fitted on {len(pairs(parts.test) - again)} of"):
        evaluate(PopularityRecommender().fit(data), parts)


@pytest.mark.parametrize("validation", [False, True])
def test_a_random_split_keeps_all_events_of_a_pair_on_one_side(validation: bool) -> None:
    data = log(repeated=True)
    parts = split_random(data, validation=validation)
    assert not pairs(parts.train) & pairs(parts.test)
    everyone = split_random(data)
    if validation:
        assert pairs(parts.train) | pairs(parts.test) == pairs(everyone.train), (
            "the slice is of the training part"
        )
    else:
        assert len(parts.train) + len(parts.test) == len(data)
    assert len(pairs(parts.test)) == pytest.approx(
        0.2 * len(pairs(parts.train) | pairs(parts.test)), abs=1
    )


@pytest.mark.parametrize("validation", [False, True])
def test_without_repeated_pairs_the_random_split_is_the_permutation_that_it_was(
    validation: bool,
) -> None:
    data = log()
    order = np.random.default_rng(42).permutation(3000)
    train, test = (order[:1920], order[1920:2400]) if validation else (order[:2400], order[2400:])
    parts = split_random(data, validation=validation)
    for part, rows in ((parts.train, train), (parts.test, test)):
        expected = data.interactions.take(rows)
        for name in ("users", "items", "ratings", "timestamps"):
            assert np.array_equal(getattr(part.interactions, name), getattr(expected, name)), name


class Memory(Recommender):
    """Knows the ratings that it was given, and nothing else."""

    def _fit(self, data: Dataset) -> None:
        self.ratings_, self.mean_ = data.matrix("ratings"), float(data.interactions.ratings.mean())

    def _score(self, users: np.ndarray) -> np.ndarray:
        known = self.seen_[users].toarray() > 0
        return np.where(known, self.ratings_[users].toarray(), self.mean_)


def test_a_doubled_log_is_predicted_no_better_than_the_log() -> None:
    data = log()
    events = data.interactions
    twice = data.with_interactions(events.take(np.r_[np.arange(3000), np.arange(3000)]))
    reached = {}
    for name, one in (("once", data), ("twice", twice)):
        parts = split(one, "P3")
        reached[name] = evaluate(Memory().fit(parts.train), parts).metrics["rmse"]
    assert reached["twice"] == pytest.approx(reached["once"], rel=0.05) and reached["once"] > 1.5


def test_a_hand_made_split_of_ratings_that_leaks_is_refused() -> None:
    data = log()
    events = data.interactions
    leaky = Split("P3", data, data.with_interactions(events.take(np.arange(40))))
    with pytest.raises(ValueError, match="the split leaks: 40 of its 40 test pairs"):
        evaluate(BiasRecommender().fit(data), leaky)
    assert evaluate_ratings(np.full(40, 2.0), leaky).metrics["rmse"] > 0, (
        "whoever brings predictions answers for them"
    )


class Bare:
    """The verbs of the contract and nothing else."""

    def __init__(self, recommender) -> None:
        self.predict, self.recommend = recommender.predict, recommender.recommend


def test_who_does_not_say_what_it_was_fitted_on_is_measured_as_before() -> None:
    data = log()
    parts = split(data, "P3")
    full = BiasRecommender().fit(data)
    assert evaluate(Bare(full), parts).metrics["rmse"] > 0
    known = dict(predict=full.predict, user_ids_=full.user_ids_, item_ids_=full.item_ids_)
    assert evaluate(SimpleNamespace(seen_="everything", **known), parts).metrics["rmse"] > 0
    claimed = SimpleNamespace(seen_=full.seen_, **known)
    with pytest.raises(ValueError, match=r"fit on parts\.train"):
        evaluate(claimed, parts)


def test_a_class_is_not_a_fitted_recommender() -> None:
    with pytest.raises(
        TypeError,
        match=r"got the class PopularityRecommender itself: PopularityRecommender\(\).fit",
    ):
        evaluate(PopularityRecommender, split(log()))  # type: ignore[arg-type]
