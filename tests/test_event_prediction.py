"""What comes of events: AUC, AUC within a page, log loss and calibration, and the protocol of them."""

from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn import metrics as theirs

from keras_recs.core.recommender import Recommender
from keras_recs.data import Dataset, Interactions, Split, split
from keras_recs.evaluation import (
    PROTOCOLS,
    BaseRateRecommender,
    bootstrap,
    compare,
    evaluate,
    evaluate_events,
    leaderboard,
)
from keras_recs.evaluation.event_metrics import (
    auc,
    calibration_error,
    calibration_ratio,
    group_auc,
    group_aucs,
    log_losses,
    placements,
)
from keras_recs.evaluation.events import pages_of


def drawn(n: int = 900, levels: int = 12, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Labels, and predictions that know something of them and are often equal."""
    rng = np.random.default_rng(seed)
    p = rng.integers(0, levels, n) / levels
    return (rng.random(n) < 0.6 * p + 0.1).astype(int), p


# --- order ----------------------------------------------------------------------------------------


def test_auc_equals_scikit_learns_ties_and_all() -> None:
    for seed, levels in ((0, 2), (1, 12), (2, 10_000)):
        labels, p = drawn(seed=seed, levels=levels)
        expected = theirs.roc_auc_score(labels, p)
        assert auc(labels, p) == pytest.approx(expected, abs=1e-12)
        places = placements(labels, p)
        for kind in (0, 1):
            assert places[labels == kind].mean() == pytest.approx(expected, abs=1e-12)
        inside = group_aucs(labels, p, np.zeros(len(labels)))
        assert inside == pytest.approx([expected], abs=1e-12)


def test_a_tie_counts_half_and_one_kind_is_undefined() -> None:
    assert auc([1, 0], [0.5, 0.5]) == 0.5
    assert placements([1, 0, 0], [0.5, 0.5, 0.9]).tolist() == [0.25, 0.5, 0.0]
    for labels in ([1, 1], [0, 0]):
        assert math.isnan(auc(labels, [0.1, 0.2])) and np.isnan(placements(labels, [0, 1])).all()


def test_group_auc_weights_groups_by_their_events() -> None:
    rng = np.random.default_rng(3)
    labels, p = drawn(700, seed=4)
    groups = np.minimum(rng.geometric(0.08, 700), 60) * 7 + 2  # large ones, small ones, gaps
    ids, sizes = np.unique(groups, return_counts=True)
    expected = np.array(
        [
            theirs.roc_auc_score(labels[groups == g], p[groups == g])
            if len(set(labels[groups == g])) == 2
            else np.nan
            for g in ids
        ]
    )
    there = ~np.isnan(expected)
    assert 0 < np.count_nonzero(~there) < len(ids) - 10
    assert group_aucs(labels, p, groups) == pytest.approx(expected, abs=1e-12, nan_ok=True)
    weighted = np.average(expected[there], weights=sizes[there])
    assert group_auc(labels, p, groups) == pytest.approx(weighted, abs=1e-12)
    assert abs(weighted - expected[there].mean()) > 1e-3, "weights must matter"
    by_positives = np.average(expected[there], weights=np.bincount(groups, labels)[ids][there])
    assert abs(weighted - by_positives) > 1e-4
    assert math.isnan(group_auc([1, 0], [0.1, 0.2], [3, 4]))


# --- value ----------------------------------------------------------------------------------------


def test_log_loss_equals_scikit_learns_and_is_never_infinite() -> None:
    labels, p = drawn()
    p = p.clip(0.01, 0.99)
    assert log_losses(labels, p).mean() == pytest.approx(theirs.log_loss(labels, p), abs=1e-12)
    assert log_losses([1, 0], [0.0, 1.0]) == pytest.approx([16.118, 16.118], abs=1e-3)


def test_bins_of_the_calibration_error_have_equal_mass() -> None:
    """Rare events: nine tenths of the predictions are below a tenth."""
    rng = np.random.default_rng(6)
    p = np.where(np.arange(1000) % 10 == 0, rng.random(1000), 0.1 * rng.random(1000))
    labels = (rng.random(1000) < 1.5 * p.clip(0, 0.6)).astype(int)
    order = np.argsort(p)
    of_mass = sum(
        abs(p[part].mean() - labels[part].mean()) * len(part) / 1000
        for part in np.array_split(order, 10)
    )
    width = np.minimum((10 * p).astype(int), 9)
    of_width = sum(abs((p - labels)[width == b].sum()) / 1000 for b in range(10))
    assert calibration_error(labels, p) == pytest.approx(of_mass, abs=1e-12)
    assert abs(of_mass - of_width) > 0.003, "the test has no power"
    shuffled = rng.permutation(1000)
    assert calibration_error(labels[shuffled], p[shuffled]) == pytest.approx(of_mass, abs=1e-12)


def test_equal_predictions_stay_in_one_bin_whatever_the_order_of_the_events() -> None:
    labels = np.repeat([0, 1], 50)
    assert calibration_error(labels, np.full(100, 0.5)) == 0, "half of them came"
    assert calibration_error(labels, np.full(100, 0.2)) == pytest.approx(0.3, abs=1e-12)
    assert calibration_error([1, 0, 1], [0.5, 0.5, 1.0], n_bins=50) == 0


def test_calibration_ratio_by_hand() -> None:
    assert calibration_ratio([1, 0, 1, 0], [0.5, 0.5, 1.0, 0.5]) == 1.25
    assert math.isnan(calibration_ratio([0, 0], [0.5, 0.5]))


@pytest.mark.parametrize("metric", [auc, log_losses, calibration_error, calibration_ratio])
@pytest.mark.parametrize(
    ("labels", "predictions", "words"),
    [
        ([0, 1], [0.5], r"got \(2,\) and \(1,\)"),
        ([], [], "not empty"),
        ([0, 2], [0.5, 0.5], "labels must be 0 or 1, got 2"),
        ([0, 1], [0.5, 1.5], "from 0 to 1, got 1.5"),
        ([0, 1], [0.5, float("nan")], "got nan"),
    ],
)
def test_what_makes_no_sense_is_refused(metric, labels, predictions, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        metric(labels, predictions)


# --- pages ----------------------------------------------------------------------------------------


def test_pages_from_positions_from_a_context_and_without() -> None:
    users, times = [0, 1, 0, 1, 0, 0, 0], [10, 11, 12, 13, 40, 41, 50]
    # a page ends where the position does not go up, and always with its user
    contexts = {"position": [2, 4, 5, 6, 2, 3, 3]}
    told = Interactions(users, [0] * 7, timestamps=times, contexts=contexts)
    assert pages_of(told).tolist() == [0, 3, 0, 3, 1, 1, 2]
    users, items = [0, 1, 0, 1, 0, 0], [0] * 6
    named = Interactions(users, items, contexts={"page": list("aabbab"), "position": [0] * 6})
    assert pages_of(named).tolist() == [0, 2, 1, 3, 0, 1], "two users never share a page"
    assert pages_of(Interactions(users, items)).tolist() == [0, 1, 0, 1, 0, 0]
    assert pages_of(Interactions([], [], contexts={"position": []})).tolist() == []


# --- the protocol ---------------------------------------------------------------------------------


class Planted(Recommender):
    """Predicts a taste for items of an even index, and has an output that is no label."""

    def __init__(self, taste: float = 0.5) -> None:
        self.taste = taste

    def _fit(self, data: Dataset) -> None:
        self.even_ = 1.0 - np.arange(data.n_items) % 2

    def _score(self, users: np.ndarray) -> np.ndarray:
        return np.tile(self.even_, (len(users), 1)).astype(np.float32)

    def _predict_events(self, events: Interactions) -> dict[str, np.ndarray]:
        assert not events.labels, "the labels are what is asked for"
        p = 0.2 + self.taste * self.even_[events.items]
        return {"click": p, "like": 0.5 * p, "gate": p}


@pytest.fixture(scope="module")
def shown() -> Dataset:
    """90 users with pages of one to five, of whom the last come late; even items are clicked more often."""
    rng = np.random.default_rng(8)
    page = np.arange(800)
    user = np.where(page < 600, rng.integers(0, 70, 800), rng.integers(0, 90, 800))
    items = np.argsort(rng.random((800, 20)), axis=1)[:, :5].ravel()
    click = (rng.random(4000) < 0.2 + 0.5 * (items % 2 == 0)).astype(int)
    like = click * (rng.random(4000) < 0.5)
    whole = Dataset.from_arrays(
        [f"u{u}" for u in np.repeat(user, 5)],
        items,
        timestamps=1000 * np.repeat(page, 5) + np.tile(np.arange(5), 800),
        labels={"click": click, "like": like, "never": np.zeros(4000, int)},
        contexts={"position": np.tile(np.arange(5), 800)},
        name="shown",
    )
    kept = (rng.random(4000) < 0.7) | (np.arange(4000) % 5 == 0)
    return whole.with_interactions(whole.interactions.take(kept))


def test_every_figure_is_of_the_test_events_label_by_label(shown: Dataset) -> None:
    parts = split(shown, "P5")
    assert parts.left_out == 0 and len(parts.test) == int(0.2 * len(shown))
    found = evaluate(Planted().fit(parts.train), parts)
    events = parts.test.interactions
    p = 0.2 + 0.5 * (events.items % 2 == 0)
    _, pages = np.unique(events.timestamps // 1000, return_inverse=True)
    for name, predicted in (("click", p), ("like", p / 2)):
        labels = events.labels[name]
        one_kind = [len(set(labels[pages == g])) < 2 for g in range(pages.max() + 1)]
        assert found.metrics[f"auc@{name}"] == pytest.approx(
            theirs.roc_auc_score(labels, predicted), abs=1e-6
        )
        assert found.metrics[f"gauc@{name}"] == pytest.approx(
            group_auc(labels, predicted, pages), abs=1e-6
        )
        assert found.metrics[f"log_loss@{name}"] == pytest.approx(
            theirs.log_loss(labels, predicted), abs=1e-6
        )
        assert found.undefined[f"gauc@{name}"] == sum(one_kind) > 0
    assert not [name for name in found.metrics if "gate" in name or "never" in name]
    assert f"undefined for {found.undefined['gauc@click']}" in found.table()
    assert "undefined" not in found.table().splitlines()[1]


def test_a_label_that_is_always_the_same_is_nan_and_counted(shown: Dataset) -> None:
    parts = split(shown, "P5")
    found = evaluate(BaseRateRecommender().fit(parts.train), parts)
    assert math.isnan(found.metrics["auc@never"]) and math.isnan(found.metrics["gauc@never"])
    assert found.undefined["auc@never"] == 1 and found.undefined["gauc@never"] == len(
        np.unique(parts.test.interactions.timestamps // 1000)
    )
    assert found.undefined["calibration@never"] == 1
    assert all(map(math.isnan, found.interval("auc@never")))
    labels = parts.test.interactions.labels
    p = {name: np.full(len(parts.test), 0.5) for name in ("never", "like", "click")}
    told = list(evaluate_events(p, parts).metrics)
    assert told[0] == "auc@like" and told[-1] == "calibration@never" and len(labels) == 3


def test_the_base_rate_has_the_entropy_and_no_order(shown: Dataset) -> None:
    parts = split(shown, "P5")
    found = evaluate(BaseRateRecommender().fit(parts.train), parts).metrics
    rate, came = (np.mean(part.interactions.labels["click"]) for part in parts)
    assert found["auc@click"] == found["gauc@click"] == 0.5
    entropy = -came * math.log(rate) - (1 - came) * math.log(1 - rate)
    assert found["log_loss@click"] == pytest.approx(entropy, abs=1e-6)
    assert found["ece@click"] == pytest.approx(abs(rate - came), abs=1e-6)
    assert found["calibration@click"] == pytest.approx(rate / came, abs=1e-6)
    with pytest.raises(ValueError, match="labels are needed"):
        BaseRateRecommender().fit(Dataset.from_arrays([1, 2], [1, 2]))


def test_the_paired_bootstrap_works_in_each_direction(shown: Dataset) -> None:
    parts = split(shown, "P5")
    base = evaluate(BaseRateRecommender().fit(parts.train), parts)
    planted = evaluate(Planted().fit(parts.train), parts)
    for metric in ("auc@click", "gauc@click", "log_loss@click"):
        found = compare(evaluate_events({"click": planted_p(parts)}, parts), base, metric)
        assert found.verdict == "A is better" and found.p_better == 1.0, metric
        assert (found.high < 0) == (metric == "log_loss@click")
        low, high = planted.interval(metric)
        assert low < planted.metrics[metric] < high
    with pytest.raises(KeyError, match="ece@click"):
        planted.interval("ece@click")


def test_draws_without_a_positive_do_not_count() -> None:
    """Of eight users one has the only positives: a third of the draws are without."""
    users = np.arange(8).repeat(3)
    labels = {"click": (users == 5).astype(int)}
    data = Dataset.from_arrays(users, np.arange(24) % 3, labels=labels)
    parts = Split("P5", data, data)
    good = evaluate_events({"click": 0.2 + 0.1 * (users >= 4)}, parts)
    flat = evaluate_events({"click": np.full(24, 0.2)}, parts)
    drawn = good.sample_of("auc@click").resampled(2000, seed=0)
    assert np.isnan(drawn).mean() == pytest.approx((7 / 8) ** 8, abs=0.05)
    found = compare(good, flat, "auc@click")
    assert found.p_better > 0.98 and not math.isnan(found.low + found.high)
    assert found.difference == pytest.approx(12 / 21 + 9 / 42 - 0.5, abs=1e-12)
    never = evaluate_events(
        {"click": np.full(24, 0.2)}, Split("P5", data, data.with_interactions(unclicked(data)))
    )
    undefined = compare(never, never, "auc@click")
    assert math.isnan(undefined.p_better) and undefined.verdict == "no clear difference"


def unclicked(data: Dataset) -> Interactions:
    events = data.interactions
    return Interactions(events.users, events.items, labels={"click": np.zeros(len(events), int)})


def planted_p(parts: Split) -> np.ndarray:
    return 0.2 + 0.5 * (parts.test.interactions.items % 2 == 0)


def test_the_interval_of_an_auc_is_that_of_drawing_users_and_counting_pairs(shown: Dataset) -> None:
    parts = split(shown, "P5")
    events = parts.test.interactions
    found = evaluate_events({"click": planted_p(parts)}, parts)
    rows = [np.flatnonzero(events.users == u) for u in np.unique(events.users)]
    rng = np.random.default_rng(0)
    again = []
    for _ in range(800):
        mine = np.concatenate([rows[u] for u in rng.integers(0, len(rows), len(rows))])
        again.append(auc(events.labels["click"][mine], planted_p(parts)[mine]))
    linear = found.sample_of("auc@click").resampled(4000, seed=0)
    assert linear.mean() == pytest.approx(found.metrics["auc@click"], abs=0.002)
    assert linear.std() == pytest.approx(np.std(again), rel=0.1)
    positives = found.positives["auc@click"]
    one_sided = bootstrap.Sample.of(
        np.where(positives, found.per_user["auc@click"], np.nan), found.users, None, False
    ).resampled(4000, seed=0)
    assert one_sided.std() < 0.9 * linear.std(), "negatives vary as well"


def test_what_cannot_be_measured_is_refused(shown: Dataset) -> None:
    parts = split(shown, "P5")
    n = len(parts.test)
    for predictions, words in (
        ({}, "at least one label"),
        ({"skip": np.zeros(n)}, "'skip', which the test does not have; its labels are: click, "),
        ({"like": np.zeros(n - 1)}, r"like: labels and predictions must be \(n,\)"),
        ({"like": np.full(n, -0.1)}, "like: predictions must be probabilities"),
    ):
        with pytest.raises(ValueError, match=words):
            evaluate_events(predictions, parts)
    bare = Dataset.from_arrays([1, 1], [1, 2], timestamps=[1, 2])
    assert PROTOCOLS["P5"].lacking(bare) == ["labels"] and not PROTOCOLS["P5"].lacking(shown)
    with pytest.raises(ValueError, match="Planted predicts click, like, gate, and the test has no"):
        without = split(bare, "P5")
        evaluate(Planted().fit(without.train), without)


def test_events_have_a_leaderboard(shown: Dataset) -> None:
    rows = leaderboard([(23, "planted", Planted)], shown, "P5", progress=False)
    assert [row.answer for row in rows] == ["base rate", "planted"]
    assert {row.main_metric for row in rows} == {"auc@click"}
    assert rows[1].metrics["auc@click"] > 0.7 > 0.5 == rows[0].metrics["auc@click"]
    assert rows[0].recs_per_s is None
