"""The planted logs: what is claimed of them is in them."""

from __future__ import annotations

import numpy as np
import pytest

from keras_recs.core.recommender import Recommender
from keras_recs.data import split
from keras_recs.evaluation import (
    ItemKNNRecommender,
    PopularityRecommender,
    RandomRecommender,
    RecentPopularityRecommender,
    evaluate,
    evaluate_scores,
)
from keras_recs.testing import PlantedLog, dense_log, planted_log, sparse_log


@pytest.fixture(scope="module", params=[dense_log, sparse_log], ids=["dense", "sparse"])
def preset(request: pytest.FixtureRequest) -> PlantedLog:
    return request.param()


def ndcg(model: Recommender, log: PlantedLog) -> float:
    parts = split(log.data, "P1")
    return evaluate(model.fit(parts.train), parts).metrics["ndcg@10"]


def test_a_log_has_the_sizes_that_were_asked_for() -> None:
    data = planted_log(300, 200, 25, seed=3).data
    assert (data.n_users, data.n_items) == (300, 200), (
        "who nobody met is in the log's ids all the same"
    )
    assert len(data) / 300 == pytest.approx(25, rel=0.15), "events a user, on average"
    assert np.diff(data.seen.indptr).min() >= 5, "everybody has five events at least"
    assert data.seen.nnz == len(data), "nobody meets an item twice"
    assert set(data.interactions.ratings) == {1.0, 2.0, 3.0, 4.0, 5.0}, "ratings are whole stars"


def test_the_presets_are_dense_and_sparse(preset: PlantedLog) -> None:
    data = preset.data
    if data.n_users == 600:
        assert len(data) / 600 == pytest.approx(111, abs=8) and data.n_items == 400, (
            "a quarter of everything"
        )
    else:
        assert (data.n_users, data.n_items) == (4700, 9700), (
            "the size of the log that the preset is after"
        )
        assert len(data) / 4700 == pytest.approx(17, abs=1), "seventeen events a user"
        assert 1 <= np.median(data.popularity) <= 3, (
            "half of the items were met once or twice, or never"
        )


def test_the_same_seed_gives_the_same_log_and_another_one_another() -> None:
    logs = [planted_log(100, 80, 12, seed=seed) for seed in (1, 1, 2)]
    columns = [
        np.column_stack([e.users, e.items, e.ratings, e.timestamps])
        for e in (log.data.interactions for log in logs)
    ]
    assert np.array_equal(columns[0], columns[1]), "two logs of one seed differ"
    assert columns[0].shape != columns[2].shape or (columns[0] != columns[2]).any(), (
        "the seed is not used"
    )
    assert np.array_equal(logs[0].oracle(), logs[1].oracle()), "two truths of one seed differ"


def test_each_user_is_there_for_a_while_and_in_order() -> None:
    data = planted_log(200, 100, 20, visit=0.1, days=100).data
    times, users = data.interactions.timestamps, data.interactions.users
    assert (np.diff(times)[np.diff(users) == 0] >= 0).all(), "a user's events are in order"
    assert 0 <= times.min() - 1_500_000_000 and times.max() - 1_500_000_000 < 100 * 86_400, (
        "all within the log"
    )
    stays = [np.ptp(times[users == user]) / 86_400 for user in range(200)]
    assert np.mean(stays) == pytest.approx(8, abs=3), (
        "a tenth of the log, less what is cut off at its end, in days"
    )


def test_the_chances_are_chances(preset: PlantedLog) -> None:
    assert preset.communities.sum(axis=1) == pytest.approx(1, abs=1e-5), (
        "the mixtures of users sum to 1"
    )
    assert preset.item_chances.sum(axis=2) == pytest.approx(1, abs=1e-4), (
        "the chances of items sum to 1"
    )
    assert preset.oracle().sum(axis=1) == pytest.approx(1, abs=1e-4), (
        "what the oracle says of a user sums to 1"
    )


@pytest.mark.parametrize(("drift", "least", "most"), [(0.0, 0.8, 1.0), (0.8, -1.0, 0.55)])
def test_drift_moves_popularity(drift: float, least: float, most: float) -> None:
    """Without it, what was popular in the first half of the log is popular in the second; with it, it is not."""
    data = planted_log(2000, 300, 30, drift=drift).data
    events = data.interactions
    late = events.timestamps > np.median(events.timestamps)
    first, second = (np.bincount(events.items[half], minlength=300) for half in (~late, late))
    found = np.corrcoef(first, second)[0, 1]
    assert least <= found <= most, f"correlation of the two halves' popularity: {found:.2f}"


def test_structure_is_what_communities_differ_in() -> None:
    flat, rich = (
        planted_log(20, 200, 8, structure=structure).item_chances for structure in (0.0, 2.0)
    )
    assert np.ptp(flat, axis=0).max() < 1e-6, "without structure, all communities are alike"
    assert np.corrcoef(rich[:, 5])[0, 1] < 0.7, "with structure, they are not"


def test_moods_last() -> None:
    """With a mood, the community of an event is mostly that of the one before: neighbours in time are alike."""

    def alike(mood: float) -> float:
        log = planted_log(400, 300, 30, structure=3.0, mood=mood, drift=0.0)
        likely = log.item_chances[:, 0].argmax(axis=0)  # the community that an item belongs to
        events = log.data.interactions
        same_user = np.diff(events.users) == 0
        return float((np.diff(likely[events.items]) == 0)[same_user].mean())

    assert alike(0.95) > alike(0.0) + 0.1, (alike(0.95), alike(0.0))


def test_ratings_are_of_low_rank_with_noise() -> None:
    log = planted_log(300, 200, 40)
    events = log.data.interactions
    users, items = log.rating_factors
    expected = (users[events.users] * items[events.items]).sum(axis=1)
    assert np.corrcoef(expected, events.ratings)[0, 1] > 0.4, "ratings follow the factors"
    assert np.std(events.ratings - expected) == pytest.approx(0.8, abs=0.1), "the noise, in stars"


def test_they_behave_as_real_logs_do(preset: PlantedLog) -> None:
    """Popularity is far above chance, item neighbours a little above popularity, and the truth far above either."""
    chance, popularity, neighbours, recent = (
        ndcg(model, preset)
        for model in (
            RandomRecommender(),
            PopularityRecommender(),
            ItemKNNRecommender(),
            RecentPopularityRecommender(),
        )
    )
    truth = evaluate_scores(preset.oracle(), split(preset.data, "P1")).metrics["ndcg@10"]
    figures = dict(
        chance=chance, popularity=popularity, neighbours=neighbours, recent=recent, truth=truth
    )
    assert popularity > 1.5 * chance, figures
    assert 1.03 * popularity < neighbours < 1.4 * popularity, figures
    assert recent > 1.1 * popularity, figures
    assert truth > 1.5 * popularity and truth > recent, figures


@pytest.mark.parametrize(
    "wrong",
    [
        dict(drift=1.5),
        dict(structure=-1.0),
        dict(n_items=2),
        dict(events_per_user=900),
        dict(mood=2.0),
        dict(visit=0.0),
        dict(n_users=0),
    ],
    ids=str,
)
def test_what_makes_no_sense_is_refused(wrong: dict) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        planted_log(**wrong)
