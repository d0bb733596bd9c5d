"""The planted logs: what is claimed of them is in them. The contract battery: wrong recommenders are
rejected by the name of what is wrong, and a right one is not."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from keras_recs.answers.q12_item_cf import EASE
from keras_recs.core.hyperparameters import Positive
from keras_recs.core.recommendations import Recommendations
from keras_recs.core.recommender import Recommender
from keras_recs.core.requests import Requests
from keras_recs.data import Dataset, split
from keras_recs.evaluation import (
    ItemKNNRecommender,
    PopularityRecommender,
    RandomRecommender,
    RecentPopularityRecommender,
    evaluate,
    evaluate_scores,
)
from keras_recs.testing import (
    BATTERY,
    ContractError,
    PlantedLog,
    check_recommender,
    checkerboard,
    dense_log,
    nasty,
    planted,
    planted_log,
    rated_checkerboard,
    sparse_log,
)


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
        chance=chance, popularity=popularity, n_neighbors=neighbours, recent=recent, truth=truth
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


# --- the contract battery -------------------------------------------------------------------------


@dataclass(eq=False, repr=False)
class Overlap(Recommender):
    """Right, and written another way than the answers: it implements requests and not users, learns
    one dense table, and has no vectors of items."""

    damping: Positive = 1.0

    def _fit(self, data: Dataset) -> None:
        met = data.matrix().toarray() > 0  # (n_users, n_items)
        common = met.astype(float) @ met.T
        np.fill_diagonal(common, 0)
        self.table_ = (common @ met / (self.damping + common.sum(axis=1)[:, None])).astype("f4")

    def _score_requests(self, requests: Requests) -> np.ndarray:
        return self.table_[requests.users]


class MeetsAgain(Overlap):
    def recommend(self, users=None, k=10, **options) -> Recommendations:
        return super().recommend(users, k, **{**options, "exclude_seen": False})


class Repeats(Overlap):
    def recommend(self, users=None, k=10, **options) -> Recommendations:
        lists = super().recommend(users, k, **options)
        lists.items[:, 1:2] = lists.items[:, :1]
        return lists


class WorstFirst(Overlap):
    def recommend(self, users=None, k=10, **options) -> Recommendations:
        lists = super().recommend(users, k, **options)
        for row, valid in enumerate(lists.valid):
            n = valid.sum()
            lists.items[row, :n] = lists.items[row, :n][::-1]
            lists.scores[row, :n] = lists.scores[row, :n][::-1]
        return lists


class ShortLists(Overlap):
    def recommend(self, users=None, k=10, **options) -> Recommendations:
        lists = super().recommend(users, min(k, 3), **options)
        return Recommendations(lists.queries, lists.items, lists.scores)


class Forgets(Overlap):
    """Saves what ends in an underscore, and has its table under another name."""

    def _fit(self, data: Dataset) -> None:
        super()._fit(data)
        self.weights = self.__dict__.pop("table_")

    def _score_requests(self, requests: Requests) -> np.ndarray:
        return self.weights[requests.users]


class Mutates(Overlap):
    """Gives its own table away where all users are asked for."""

    def _score_requests(self, requests: Requests) -> np.ndarray:
        everybody = np.array_equal(requests.users, np.arange(len(self.table_)))
        return self.table_ if everybody else super()._score_requests(requests)


class Dices(Overlap):
    def _fit(self, data: Dataset) -> None:
        super()._fit(data)
        self.table_ += np.random.default_rng().random(self.table_.shape, np.float32) / 10


class Popular(Overlap):
    def _fit(self, data: Dataset) -> None:
        counts = np.asarray(data.popularity, np.float32)
        self.table_ = np.tile(counts, (data.n_users, 1))


class OfItsBatch(Overlap):
    def _predict(self, users: np.ndarray, items: np.ndarray) -> np.ndarray:
        values = self.table_[users, items]
        return values / values.max() if len(values) else values


class NoColdUsers(Overlap):
    def _fit(self, data: Dataset) -> None:
        super()._fit(data)
        with np.errstate(all="ignore"):
            self.table_ /= self.table_.max(axis=1, keepdims=True)


class CountsTwice(Overlap):
    """Takes the log for a matrix: an event that comes twice counts twice, and item 0 is the most
    frequent."""

    def _fit(self, data: Dataset) -> None:
        super()._fit(data)
        events = data.interactions
        if len(events) > data.seen.nnz:
            self.table_ = self.table_[:, ::-1].copy()


class LaxRange(Overlap):
    def __init__(self, damping: float = 1.0) -> None:
        self.damping = damping

    def __post_init__(self) -> None:
        """Checks nothing."""


WRONG = {
    MeetsAgain: "no list holds what its user met",
    Repeats: "no list holds an item twice",
    WorstFirst: "lists are ranked by score",
    ShortLists: "a long list holds all that is left and then fillers",
    Forgets: "saving and loading gives the same recommender",
    Mutates: "recommending changes no score",
    Dices: "the same seed gives the same scores",
    Popular: "it recommends the withheld diagonal",
    OfItsBatch: "predictions do not depend on their neighbours",
    NoColdUsers: "nasty data can be fitted",
    CountsTwice: "names order and repetition of events change nothing",
    LaxRange: "hyperparameters out of range are refused by name",
}


def test_a_right_recommender_is_accepted_however_it_is_written() -> None:
    check_recommender(Overlap())
    check_recommender(Popular(), personal=False)
    check_recommender(ItemKNNRecommender())
    check_recommender(PopularityRecommender(), personal=False)


@pytest.mark.parametrize("wrong", WRONG, ids=lambda kind: kind.__name__)
def test_a_wrong_recommender_is_rejected_by_name(wrong: type[Recommender]) -> None:
    with pytest.raises(ContractError) as found:
        check_recommender(wrong())
    assert WRONG[wrong] in found.value.broken, found.value
    assert f"{wrong.__name__} breaks " in str(found.value)
    assert f"- {WRONG[wrong]}: " in str(found.value)


def test_an_error_says_how() -> None:
    with pytest.raises(ContractError) as found:
        check_recommender(MeetsAgain())
    met = found.value.broken["no list holds what its user met"]
    assert met.startswith("user 0 met [2, 4, ") and met.endswith("which are recommended again")
    with pytest.raises(ContractError) as found:
        check_recommender(Dices())
    broken = found.value.broken
    assert (
        "the scores of a second fit should be [[" in broken["the same seed gives the same scores"]
    )


def test_what_cannot_be_fitted_is_said_at_once() -> None:
    class Crashes(Overlap):
        def _fit(self, data: Dataset) -> None:
            raise RuntimeError("no memory")

    with pytest.raises(ContractError, match="it can be fitted: it raised RuntimeError: no memory"):
        check_recommender(Crashes())
    with pytest.raises(TypeError, match="recommender must be a Recommender, got dict"):
        check_recommender({})  # type: ignore[arg-type]


def test_behaviours_have_names_and_say_what_they_look_for() -> None:
    assert len(BATTERY) > 25 and all(behaviour.__doc__ for behaviour in BATTERY.values())


def test_the_boards_are_what_is_said_of_them() -> None:
    seen = checkerboard(6).seen.toarray() > 0
    assert [np.flatnonzero(row).tolist() for row in seen[:2]] == [[2, 4], [3, 5]]
    ratings = rated_checkerboard(6).matrix("ratings").toarray()
    assert ratings[0].tolist() == [0, 0, 5, 1, 5, 1] and ratings[5].tolist() == [0, 5, 1, 5, 1, 0]
    data, values, known = planted(rank=2)
    dense = data.matrix("ratings").toarray()
    assert np.allclose(dense[known], values[known]) and not dense[~known].any()
    assert np.linalg.matrix_rank(values - 3) == 2


def test_the_nasty_log_is_nasty() -> None:
    data = nasty()
    events, seen = data.interactions, data.seen.toarray() > 0
    assert data.user_ids.ids.dtype.kind == "U"
    assert len(events) > seen.sum(), "some events come twice"
    assert (np.diff(events.timestamps) < 0).any() and len(set(events.timestamps)) == 3
    assert {-2.0, 0.0} <= set(events.ratings)
    people, things = data.user_ids.ids.tolist(), data.item_ids.ids.tolist()
    assert not seen[people.index("new")].any() and not seen[:, things.index("unsold")].any()
    assert seen[people.index("most")].sum() == data.n_items - 1
    assert sorted(data.popularity) == [0, *[4] * 1, *[5] * 4, *[6] * 4, *[7] * 3]


def test_rows_and_columns_of_weights_differ_on_the_nasty_log() -> None:
    """Whoever takes one for the other scores and ranks otherwise; with items all equally popular,
    nobody would see it."""
    data = nasty()
    weights = EASE(reg=2.0).fit(data).weights_
    scores, swapped = data.seen @ weights, data.seen @ weights.T
    unmet = data.seen.toarray() == 0
    assert np.abs(weights - weights.T).max() > 0.05
    assert np.abs(scores - swapped)[unmet].max() > 0.05
    orders = [
        np.argsort(-np.where(unmet, table, -np.inf), kind="stable") for table in (scores, swapped)
    ]
    assert (orders[0] != orders[1]).any(axis=1).sum() > 6
