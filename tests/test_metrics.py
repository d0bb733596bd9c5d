"""The metrics against values worked out by hand and against trec_eval, and the bootstrap over users."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from keras_recs.evaluation import PROTOCOLS, Comparison, Evaluation, bootstrap, compare, metrics
from keras_recs.evaluation.metrics import (
    PER_USER,
    average_precision,
    coverage,
    gini,
    hit_rate_at,
    mae,
    ndcg_at,
    novelty,
    precision_at,
    recall_at,
    reciprocal_rank,
    rmse,
)

# Three users with 3, 2 and 5 relevant items, and the first four places of their lists.
HITS = np.array([[1, 0, 1, 0], [0, 0, 0, 0], [0, 1, 1, 1]], bool)
N_RELEVANT = np.array([3, 2, 5])
D2, D3, D4 = (
    1 / math.log2(3),
    1 / 2,
    1 / math.log2(5),
)  # discounts of the ranks 2, 3, 4; that of rank 1 is 1


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        (recall_at, [2 / 3, 0, 3 / 5]),
        (precision_at, [2 / 4, 0, 3 / 4]),
        (hit_rate_at, [1, 0, 1]),
        (reciprocal_rank, [1, 0, 1 / 2]),
        (average_precision, [(1 / 1 + 2 / 3) / 3, 0, (1 / 2 + 2 / 3 + 3 / 4) / 5]),
        (ndcg_at, [(1 + D3) / (1 + D2 + D3), 0, (D2 + D3 + D4) / (1 + D2 + D3 + D4)]),
    ],
)
def test_values_worked_out_by_hand(metric, expected: list[float]) -> None:
    values = metric(HITS, N_RELEVANT)
    assert values.shape == (3,) and values.dtype == np.float64
    assert values == pytest.approx(expected, abs=1e-12)


def test_an_ideal_list_has_ndcg_1_whether_it_is_shorter_or_longer_than_what_is_relevant() -> None:
    hits = np.array([[1, 1, 0, 0, 0], [1, 1, 1, 1, 1]], bool)
    assert ndcg_at(hits, np.array([2, 9])) == pytest.approx([1, 1], abs=1e-12)
    assert recall_at(hits, np.array([2, 9])) == pytest.approx([1, 5 / 9], abs=1e-12)
    assert average_precision(hits, np.array([2, 9])) == pytest.approx([1, 5 / 9], abs=1e-12)


def test_all_metrics_agree_with_trec_eval() -> None:
    """300 users with 1 to 60 relevant of 80 items, lists of 20, every cut-off from 1 to 20."""
    pytrec_eval = pytest.importorskip("pytrec_eval")
    rng = np.random.default_rng(0)
    n_users, n_items, depth = 300, 80, 20
    n_relevant = rng.integers(1, 61, n_users)
    n_relevant[:60] = 1
    relevant = [set(rng.choice(n_items, n, replace=False).tolist()) for n in n_relevant]
    lists = np.argsort(rng.random((n_users, n_items)), axis=1)[:, :depth]
    hits = np.array(
        [[item in mine for item in row] for mine, row in zip(relevant, lists.tolist(), strict=True)]
    )

    truth = {str(u): {str(i): 1 for i in mine} for u, mine in enumerate(relevant)}
    run = {
        str(u): {str(i): float(depth - r) for r, i in enumerate(row)}
        for u, row in enumerate(lists.tolist())
    }
    cuts = ",".join(map(str, range(1, depth + 1)))
    theirs = pytrec_eval.RelevanceEvaluator(
        truth, {f"{name}.{cuts}" for name in ("ndcg_cut", "recall", "success", "P", "map_cut")}
    ).evaluate(run)
    names = {
        "ndcg": "ndcg_cut",
        "recall": "recall",
        "hr": "success",
        "precision": "P",
        "map": "map_cut",
    }
    for k in range(1, depth + 1):
        for ours, name in names.items():
            expected = [theirs[str(u)][f"{name}_{k}"] for u in range(n_users)]
            assert PER_USER[ours](hits[:, :k], n_relevant) == pytest.approx(expected, abs=1e-9), (
                ours,
                k,
            )
        # trec_eval's reciprocal rank has no cut-off, so the lists are cut before it sees them
        short = {
            u: {i: score for i, score in items.items() if score > depth - k}
            for u, items in run.items()
        }
        found = pytrec_eval.RelevanceEvaluator(truth, {"recip_rank"}).evaluate(short)
        expected = [found[str(u)]["recip_rank"] for u in range(n_users)]
        assert PER_USER["mrr"](hits[:, :k], n_relevant) == pytest.approx(expected, abs=1e-9)


LISTS = np.array(
    [[0, 1], [0, 2], [0, -1]]
)  # of a catalogue of five; the third list is over after one item


def test_coverage_by_hand() -> None:
    assert coverage(LISTS, 5) == 3 / 5


def test_novelty_by_hand() -> None:
    # met by 8, 4 and 1 of 16 users: 1, 2 and 4 bits; items 0, 0, 0, 1, 2 were recommended
    assert novelty(LISTS, [8, 4, 1, 16, 0], 16) == pytest.approx((3 * 1 + 2 + 4) / 5, abs=1e-12)
    assert novelty([[4]], [8, 4, 1, 16, 0], 16) == 4.0, (
        "an item that nobody met counts as met by one"
    )


def test_gini_by_hand_and_by_its_definition() -> None:
    # counts in order 0, 0, 1, 1, 3: (-4·0 - 2·0 + 0·1 + 2·1 + 4·3) / (5 · 5)
    assert gini(LISTS, 5) == pytest.approx(14 / 25, abs=1e-12)
    assert gini([[3], [3]], 4) == pytest.approx(3 / 4, abs=1e-12)
    items = np.random.default_rng(1).integers(0, 30, (50, 4)) ** 2 // 30
    counts = np.bincount(items.ravel(), minlength=40)
    half_relative_difference = np.abs(np.subtract.outer(counts, counts)).mean() / (
        2 * counts.mean()
    )
    assert gini(items, 40) == pytest.approx(half_relative_difference, abs=1e-12)


def test_lists_without_an_item_have_no_novelty_and_no_gini() -> None:
    nothing = np.full((2, 3), -1)
    assert coverage(nothing, 5) == 0
    assert math.isnan(novelty(nothing, [1] * 5, 2)) and math.isnan(gini(nothing, 5))


def test_rating_errors_by_hand() -> None:
    assert rmse([1, 2, 6], [1, 4, 3]) == pytest.approx(math.sqrt((0 + 4 + 9) / 3), abs=1e-12)
    assert mae([1, 2, 6], [1, 4, 3]) == pytest.approx((0 + 2 + 3) / 3, abs=1e-12)


@pytest.mark.parametrize(
    ("hits", "n_relevant", "words"),
    [
        ([[1, 0]], [1], "hits must be bool"),
        ([True, False], [1], r"of shape \(2,\)"),
        (np.zeros((2, 0), bool), [1, 1], r"of shape \(2, 0\)"),
        ([[True, False]], [1, 1], r"n_relevant must be whole numbers of shape \(1,\)"),
        ([[True, False]], [1.0], "got float64"),
        ([[True, False]], [0], "n_relevant must be at least 1"),
        ([[True, True]], [1], "twice in a list"),
    ],
)
def test_every_metric_refuses_what_makes_no_sense(hits, n_relevant, words: str) -> None:
    for metric in PER_USER.values():
        with pytest.raises(ValueError, match=words):
            metric(hits, n_relevant)


def test_rating_errors_refuse_other_lengths_and_nothing() -> None:
    for metric in (rmse, mae):
        with pytest.raises(ValueError, match=r"got \(2,\) and \(1,\)"):
            metric([1, 2], [1])
        with pytest.raises(ValueError, match="not empty"):
            metric([], [])


# --- the bootstrap --------------------------------------------------------------------------------


def evaluation(
    values: np.ndarray, metric: str = "ndcg@10", users: np.ndarray | None = None
) -> Evaluation:
    value = math.sqrt(values.mean()) if metric == "rmse" else values.mean()
    return Evaluation(
        next(name for name, p in PROTOCOLS.items() if metrics.kind(metric) == p.main),
        {metric: float(value)},
        {metric: values},
        np.arange(len(values)) if users is None else users,
    )


def test_the_interval_is_as_wide_as_theory_says() -> None:
    values = np.random.default_rng(0).normal(5, 2, 2000)
    low, high = evaluation(values).interval("ndcg@10", n_resamples=8000)
    error = values.std() / math.sqrt(2000)
    assert low == pytest.approx(values.mean() - 1.96 * error, abs=0.1 * error)
    assert high == pytest.approx(values.mean() + 1.96 * error, abs=0.1 * error)
    narrow = evaluation(values).interval("ndcg@10", level=0.5, n_resamples=8000)
    assert narrow[1] - narrow[0] == pytest.approx(2 * 0.674 * error, rel=0.1)


def test_the_same_seed_gives_the_same_interval_in_whatever_blocks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    e = evaluation(np.random.default_rng(0).random(300))
    whole = e.interval("ndcg@10")
    assert whole == e.interval("ndcg@10") != e.interval("ndcg@10", seed=1)
    monkeypatch.setattr(bootstrap, "DRAWS_HELD", 1000)  # three resamples at once
    assert e.interval("ndcg@10") == pytest.approx(whole, abs=1e-12)


def test_the_errors_of_one_user_are_drawn_together() -> None:
    """20 users with 50 equal errors each: what varies is 20 values, not 1,000."""
    of_user = np.random.default_rng(0).random(20) ** 2
    e = evaluation(np.repeat(of_user, 50), "rmse", np.repeat(np.arange(20), 50))
    alone = evaluation(of_user, "rmse")
    assert e.interval("rmse") == pytest.approx(alone.interval("rmse"), abs=1e-12)
    low, high = e.interval("rmse")
    assert low < math.sqrt(of_user.mean()) < high


def test_pairing_shows_a_small_gain_that_the_spread_of_the_users_would_hide() -> None:
    rng = np.random.default_rng(0)
    hard = rng.random(400)  # users differ much more than the two recommenders do
    a, b = evaluation(hard + 0.01 + rng.normal(0, 0.02, 400)), evaluation(hard)
    result = compare(a, b, "ndcg@10")
    assert (
        result.verdict == "A is better" and 0 < result.low < result.difference < result.high < 0.02
    )
    assert result.difference == pytest.approx(
        a.metrics["ndcg@10"] - b.metrics["ndcg@10"], abs=1e-12
    )
    assert result.high - result.low == pytest.approx(2 * 1.96 * 0.02 / math.sqrt(400), rel=0.15)
    assert result.p_better > 0.999
    assert compare(b, a, "ndcg@10").verdict == "B is better"
    assert compare(a, b, "ndcg@10") == result, "the same seed gives the same result"


def test_of_two_rmses_the_lower_is_better() -> None:
    errors = np.random.default_rng(0).random(500)
    users = np.repeat(np.arange(100), 5)
    a, b = evaluation(errors, "rmse", users), evaluation(errors * 1.21, "rmse", users)
    result = compare(a, b, "rmse")
    assert result.verdict == "A is better" and result.high < 0 and result.p_better == 1.0
    assert result.difference == pytest.approx(-0.1 * a.metrics["rmse"], rel=1e-6)
    assert compare(b, a, "rmse").verdict == "B is better" and compare(b, a, "rmse").p_better == 0.0


def test_equals_are_not_called_different() -> None:
    e = evaluation(np.random.default_rng(0).random(50))
    assert compare(e, e, "ndcg@10") == Comparison(0.0, 0.0, 0.0, 0.5, "no clear difference")
    rng = np.random.default_rng(3)
    wrong = 0
    for _ in range(300):
        a, b = evaluation(rng.random(80)), evaluation(rng.random(80))
        wrong += compare(a, b, "ndcg@10", n_resamples=400).verdict != "no clear difference"
    assert 4 <= wrong <= 33, f"5 % of 300 are expected, got {wrong}"


def test_the_order_of_the_users_does_not_matter() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.random(60), rng.random(60)
    order = rng.permutation(60)
    shuffled = evaluation(b[order], users=np.arange(60)[order])
    straight = compare(evaluation(a), evaluation(b), "ndcg@10")
    assert dataclasses.astuple(compare(evaluation(a), shuffled, "ndcg@10"))[1:4] == pytest.approx(
        dataclasses.astuple(straight)[1:4], abs=1e-12
    )


def test_what_cannot_be_compared_is_refused() -> None:
    a = evaluation(np.ones(4))
    with pytest.raises(
        ValueError, match="same users and events, got 4 and 3 users, of whom 3 are in both"
    ):
        compare(a, evaluation(np.ones(3)), "ndcg@10")
    with pytest.raises(ValueError, match="same users"):
        compare(a, evaluation(np.ones(4), users=np.arange(1, 5)), "ndcg@10")
    with pytest.raises(ValueError, match="one protocol, got P1 and P2"):
        compare(a, dataclasses.replace(a, protocol="P2"), "ndcg@10")
    with pytest.raises(KeyError, match="coverage@10.*these have: ndcg@10"):
        compare(a, a, "coverage@10")
    with pytest.raises(KeyError, match="coverage@10"):
        a.interval("coverage@10")
    for level in (0, 1, 1.5):
        with pytest.raises(ValueError, match="level must"):
            a.interval("ndcg@10", level)
    with pytest.raises(ValueError, match="n_resamples must be at least 1"):
        compare(a, a, "ndcg@10", n_resamples=0)
