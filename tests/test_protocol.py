"""The protocol: who is evaluated, on what, and that nothing seen in training counts."""

from __future__ import annotations

import math
import time

import numpy as np
import pytest
from scipy import stats

from keras_recs.core.recommendations import Recommendations
from keras_recs.core.recommender import NotFittedError, Recommender
from keras_recs.data import Dataset, Split, split
from keras_recs.evaluation import (
    BiasRecommender,
    GlobalMeanRecommender,
    ItemKNNRecommender,
    PopularityRecommender,
    RandomRecommender,
    evaluate,
    evaluate_ratings,
    evaluate_scores,
    ranking,
    sampled_evaluation,
)
from keras_recs.evaluation.sampled import ranks_among

# Six users and six items; "new" is only in the test, "gone" and "zoe" only in training.
TRAIN = [
    ("ann", 1),
    ("ann", 2),
    ("bob", 1),
    ("cem", 3),
    ("gone", 1),
    ("gone", 2),
    ("zoe", 4),
    ("zoe", 5),
]
TEST = [("ann", 3), ("ann", 3), ("ann", 1), ("ann", 6), ("bob", 2), ("cem", 3), ("new", 1)]


def hand_made(name: str = "P1") -> Split:
    """Relevant are ann's 3 (once) and 6, bob's 2 and new's 1; the rest was seen."""
    users, items = zip(*TRAIN, *TEST, strict=True)
    data = Dataset.from_arrays(users, items, ratings=np.arange(15) % 5 + 1.0)
    events, n = data.interactions, len(TRAIN)
    return Split(
        name,
        data.with_interactions(events.take(np.arange(n))),
        data.with_interactions(events.take(np.arange(n, len(users)))),
    )


def row(parts: Split, scores: dict[str, list[float]]) -> np.ndarray:
    """A matrix with these rows of scores; users not named get 0."""
    table = np.zeros((parts.train.n_users, parts.train.n_items))
    for user, values in scores.items():
        table[parts.train.user_ids.index("user", user)] = values
    return table


SCORES = {
    "ann": [9, 9, 5, 7, 6, 4],  # unseen in order: 4, 5, 3*, 6*
    "bob": [9, 2, 3, 1, 0, 0],  # 3, 2*, …
    "new": [9, 8, 7, 6, 5, 4],
}  # 1*, …


def test_every_metric_worked_out_by_hand() -> None:
    parts = hand_made()
    found = evaluate_scores(row(parts, SCORES), parts, k=3)
    assert found.protocol == "P1" and found.users.tolist() == ["ann", "bob", "new"]
    expected = {
        "ndcg@3": [(1 / 2) / (1 + 1 / math.log2(3)), 1 / math.log2(3), 1],
        "recall@3": [1 / 2, 1, 1],
        "hr@3": [1, 1, 1],
        "precision@3": [1 / 3, 1 / 3, 1 / 3],
        "mrr@3": [1 / 3, 1 / 2, 1],
        "map@3": [1 / 3 / 2, 1 / 2, 1],
        "recall@20": [1, 1, 1],
    }
    assert set(found.per_user) == set(expected)
    for name, values in expected.items():
        assert found.per_user[name] == pytest.approx(values, abs=1e-12), name
        assert found.metrics[name] == pytest.approx(np.mean(values), abs=1e-12), name
    # lists: ann 4 5 3, bob 3 2 4, new 1 2 3; each item's counts: 1, 2, 3, 2, 1, 0
    assert found.metrics["coverage@3"] == 5 / 6
    weighted = -5 * 0 - 3 * 1 - 1 * 1 + 1 * 2 + 3 * 2 + 5 * 3
    assert found.metrics["gini@3"] == pytest.approx(weighted / (6 * 9), abs=1e-12)
    # met in training by 3, 2, 1, 1, 1 and 0 of the five training users
    bits = np.log2(5 / np.array([3, 2, 1, 1, 1, 1]))
    assert found.metrics["novelty@3"] == pytest.approx(bits @ [1, 2, 3, 2, 1, 0] / 9, abs=1e-12)


def test_repr_and_table_are_readable() -> None:
    parts = hand_made()
    found = evaluate_scores(row(parts, SCORES), parts, k=3)
    assert repr(found).startswith("Evaluation(P1, 3 users: ndcg@3 0.6458, recall@3 0.8333, ")
    lines = found.table().splitlines()
    assert lines[0] == "P1, 3 users" and lines[1].split() == [
        "ndcg@3",
        "0.6458",
        "0.3066",
        "to",
        "1.0000",
    ]
    assert lines[-1].split() == ["gini@3", "0.3519"], (
        "no interval where there are no per-user values"
    )


def test_ties_rank_by_the_lower_item_and_minus_infinity_keeps_out() -> None:
    parts = hand_made()
    assert evaluate_scores(np.zeros((6, 6)), parts, k=1).per_user["hr@1"].tolist() == [
        1,
        1,
        1,
    ]  # 3, 2, 1
    scores = row(parts, SCORES)
    scores[:, 0] = -np.inf  # new's only relevant item
    assert evaluate_scores(scores, parts, k=10).per_user["hr@10"].tolist() == [1, 1, 0]


def test_scores_are_not_rounded_and_not_changed() -> None:
    parts = hand_made()
    scores = np.ones((6, 6))
    scores[:, 5] += 1e-12  # a float32 would make this a tie
    assert evaluate_scores(scores, parts, k=1).per_user["hr@1"].tolist() == [1, 0, 0]
    assert (scores[:, :5] == 1).all() and (scores[:, 5] > 1).all()
    assert evaluate_scores(scores.astype(int), parts, k=1).per_user["hr@1"].tolist() == [1, 1, 1]


@pytest.fixture(scope="module")
def crowd() -> Split:
    """120 users, 90 items, string ids, repeated events, and a test that repeats some of the training."""
    rng = np.random.default_rng(0)
    users = np.array([f"u{u:03d}" for u in rng.integers(0, 120, 4000)])
    items = 10 * np.minimum(rng.geometric(0.03, 4000), 90)
    return split(Dataset.from_arrays(users, items, rng.integers(1, 6, 4000), rng.permutation(4000)))


def test_the_whole_protocol_agrees_with_trec_eval(crowd: Split) -> None:
    pytrec_eval = pytest.importorskip("pytrec_eval")
    scores = (
        np.random.default_rng(1).random((120, crowd.train.n_items)).argsort(axis=1).astype(float)
    )
    seen = crowd.train.seen.toarray() > 0
    test = crowd.test.seen.toarray() > 0
    assert (test & seen).any(), "the data must have what this is about"
    ids = crowd.test.user_ids.ids.tolist()
    truth = {u: {str(i): 1 for i in np.flatnonzero(test[n] & ~seen[n])} for n, u in enumerate(ids)}
    truth = {u: items for u, items in truth.items() if items}
    run = {u: {str(i): scores[n, i] for i in np.flatnonzero(~seen[n])} for n, u in enumerate(ids)}
    theirs = pytrec_eval.RelevanceEvaluator(
        truth, {"ndcg_cut.5", "recall.5,20", "success.5", "P.5", "map_cut.5"}
    ).evaluate(run)
    ours = evaluate_scores(scores, crowd, k=5)
    assert ours.users.tolist() == sorted(truth) and len(truth) >= 100
    names = {
        "ndcg@5": "ndcg_cut_5",
        "recall@5": "recall_5",
        "recall@20": "recall_20",
        "hr@5": "success_5",
        "precision@5": "P_5",
        "map@5": "map_cut_5",
    }
    for name, other in names.items():
        expected = [theirs[u][other] for u in ours.users.tolist()]
        assert ours.per_user[name] == pytest.approx(expected, abs=1e-9), name


@pytest.mark.parametrize(
    "recommender", [RandomRecommender(3), PopularityRecommender(), ItemKNNRecommender(5)], ids=repr
)
def test_a_recommender_and_its_scores_get_the_same_in_whatever_blocks(
    crowd: Split, recommender: Recommender, monkeypatch: pytest.MonkeyPatch
) -> None:
    recommender.fit(crowd.train)
    whole = evaluate(recommender, crowd, k=7)
    for cells, users in ((1 << 22, 1 << 13), (200, 7)):
        monkeypatch.setattr(ranking, "BLOCK_CELLS", cells)
        monkeypatch.setattr(ranking, "BLOCK_USERS", users)
        for other in (
            evaluate(recommender, crowd, k=7),
            evaluate_scores(recommender.score(crowd.train.user_ids.ids), crowd, k=7),
        ):
            assert other.metrics == whole.metrics
            assert np.array_equal(other.per_user["ndcg@7"], whole.per_user["ndcg@7"])


def test_k_20_and_more(crowd: Split) -> None:
    recommender = PopularityRecommender().fit(crowd.train)
    at_20, at_30, at_200 = (evaluate(recommender, crowd, k=k) for k in (20, 30, 200))
    assert at_30.metrics["recall@20"] == at_20.metrics["recall@20"] < at_30.metrics["recall@30"]
    assert at_200.metrics["recall@200"] == 1.0, "all items that are left"


class Fixed(Recommender):
    """Recommends the same items to all, whatever they have seen."""

    def __init__(self, items: tuple[int, ...] = ()) -> None:
        self.items = items

    def _fit(self, data: Dataset) -> None:
        pass

    def _score(self, users: np.ndarray) -> np.ndarray:
        return np.zeros((len(users), len(self.item_ids_)))

    def recommend(self, users, k=10, **options) -> Recommendations:
        row = np.resize(np.array(self.items), k)
        return Recommendations(
            users, np.tile(row, (len(users), 1)), np.zeros((len(users), k), np.float32)
        )


@pytest.mark.parametrize(
    ("items", "error", "words"),
    [
        ((1,), ValueError, "met in training"),
        ((4, 5), ValueError, "the same item twice"),
        ((4, 77), KeyError, "recommended items holds 1 unknown"),
    ],
)
def test_lists_that_break_the_rules_are_refused(items, error: type[Exception], words: str) -> None:
    parts = hand_made()
    with pytest.raises(error, match=words):
        evaluate(Fixed(items).fit(parts.train), parts)


def test_a_recommender_that_was_fitted_on_less_is_caught(crowd: Split) -> None:
    with pytest.raises(ValueError, match="was the recommender fitted on split.train"):
        evaluate(PopularityRecommender().fit(split(crowd.train).train), crowd)


def test_what_cannot_be_evaluated_is_refused(crowd: Split) -> None:
    parts = hand_made()
    with pytest.raises(NotFittedError):
        evaluate(PopularityRecommender(), parts)
    with pytest.raises(ValueError, match="nothing to evaluate"):
        evaluate_scores(np.zeros((6, 6)), Split("P1", parts.train, parts.train))
    with pytest.raises(ValueError, match=r"scores must have shape \(6, 6\).*got \(6, 5\)"):
        evaluate_scores(np.zeros((6, 5)), parts)
    with pytest.raises(ValueError, match="NaN"):
        evaluate_scores(row(parts, {"bob": [0, 0, 0, float("nan"), 0, 0]}), parts)
    with pytest.raises(ValueError, match="use evaluate_ratings"):
        evaluate_scores(np.zeros((6, 6)), hand_made("P3"))
    for call in (
        lambda k: evaluate(PopularityRecommender().fit(parts.train), parts, k=k),
        lambda k: evaluate_scores(np.zeros((6, 6)), parts, k),
    ):
        with pytest.raises(ValueError, match="k must be at least 1"):
            call(0)


# --- P3 -------------------------------------------------------------------------------------------


def test_predictions_are_clipped_and_every_event_counts() -> None:
    parts = hand_made("P3")
    ratings = parts.test.interactions.ratings
    assert ratings.tolist() == [4, 5, 1, 2, 3, 4, 5]
    found = evaluate_ratings([6, 9, -7, 4, 2.5, 4, 5], parts)  # 6 and 9 become 5, -7 becomes 1
    assert found.per_user["rmse"].tolist() == [1, 0, 0, 4, 0.25, 0, 0]
    assert found.per_user["mae"].tolist() == [1, 0, 0, 2, 0.5, 0, 0]
    assert found.metrics == pytest.approx({"rmse": math.sqrt(5.25 / 7), "mae": 3.5 / 7}, abs=1e-12)
    assert found.users.tolist() == ["ann"] * 4 + ["bob", "cem", "new"]
    assert repr(found) == "Evaluation(P3, 4 users: rmse 0.8660, mae 0.5000)"


@pytest.mark.parametrize(
    "recommender", [GlobalMeanRecommender(), BiasRecommender(reg_users=0.1)], ids=repr
)
def test_a_recommender_predicts_the_events_in_their_order(
    crowd: Split, recommender: Recommender
) -> None:
    data = crowd.train
    parts = split(data, "P3")
    recommender.fit(parts.train)
    found = evaluate(recommender, parts)
    events = parts.test.interactions
    mine = recommender.score(data.user_ids.ids)[events.users, events.items].astype(float).clip(1, 5)
    assert found.per_user["mae"] == pytest.approx(np.abs(mine - events.ratings), abs=1e-6)
    assert found.metrics["rmse"] == pytest.approx(
        np.sqrt(np.mean((mine - events.ratings) ** 2)), abs=1e-7
    )


def test_ratings_that_cannot_be_evaluated_are_refused() -> None:
    parts = hand_made("P3")
    with pytest.raises(ValueError, match="predictions has 3 entries where 7 were expected"):
        evaluate_ratings([1, 2, 3], parts)
    with pytest.raises(ValueError, match="predictions must be finite, but entry 1 is nan"):
        evaluate_ratings([1, float("nan"), 3, 1, 1, 1, 1], parts)
    bare = Dataset.from_arrays([1, 2], [1, 2])
    with pytest.raises(ValueError, match="evaluate_ratings needs ratings"):
        evaluate_ratings([1, 2], Split("P3", bare, bare))


# --- sampled metrics ------------------------------------------------------------------------------


def test_a_tie_counts_half_and_what_is_not_valid_not_at_all() -> None:
    scores, target = np.array([[5.0, 9, 5, 1, 5, 7]]), np.array([0])
    negatives = np.array([[1, 2, 3, 4, 5]])
    assert ranks_among(scores, target, target, negatives).tolist() == [
        3.0
    ]  # 9 and 7 above, two ties
    valid = np.array([[True, True, True, False, False]])
    assert ranks_among(scores, target, target, negatives, valid).tolist() == [1.5]


def test_with_every_negative_the_sampled_rank_is_the_real_one(crowd: Split) -> None:
    scores = np.random.default_rng(0).random((120, crowd.train.n_items))
    found = sampled_evaluation(scores, crowd, n_negatives=1000, k=5)
    ranks = []
    seen, test = crowd.train.seen.toarray() > 0, crowd.test.seen.toarray() > 0
    for user, item in np.argwhere(test & ~seen):
        others = ~test[user] & ~seen[user]
        ranks.append((user, np.sum(scores[user, others] > scores[user, item])))
    rank = np.array([r for _, r in ranks])
    assert found.users.tolist() == crowd.train.user_ids.ids[[u for u, _ in ranks]].tolist()
    assert found.per_user["hr@5_s1000"].tolist() == (rank < 5).tolist()
    ndcg = np.where(rank < 5, 1 / np.log2(rank + 2), 0)
    assert found.per_user["ndcg@5_s1000"] == pytest.approx(ndcg, abs=1e-12)


def test_negatives_are_drawn_uniformly_without_replacement(
    crowd: Split, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The hit rate is what the hypergeometric distribution says, and differs from a draw with replacement."""
    scores = np.tile(-np.arange(float(crowd.train.n_items)), (120, 1))
    truth = ranking.Truth(crowd)
    users, items = np.divmod(truth.relevant, truth.n_items)
    free = (crowd.train.seen + crowd.test.seen).toarray() == 0
    above = np.array([np.count_nonzero(free[u, :i]) for u, i in zip(users, items, strict=True)])
    n_free = free.sum(axis=1)[users]
    expected = stats.hypergeom.cdf(1, n_free, above, 50).mean()
    monkeypatch.setattr(ranking, "BLOCK_CELLS", 5000)
    drawn = [
        sampled_evaluation(scores, crowd, 50, seed, k=2).metrics["hr@2_s50"] for seed in range(60)
    ]
    error = np.std(drawn) / math.sqrt(60)
    assert np.mean(drawn) == pytest.approx(expected, abs=4 * error)
    replaced = stats.binom.cdf(1, 50, above / n_free).mean()
    assert abs(replaced - expected) > 8 * error, "the test has no power"
    assert sampled_evaluation(scores, crowd, 50, 1, k=2).metrics["hr@2_s50"] == drawn[1]


def test_evaluating_943_users_is_quick() -> None:
    rng = np.random.default_rng(0)
    users = rng.integers(0, 943, 100_000)
    data = Dataset.from_arrays(users, rng.integers(0, 1682, 100_000), timestamps=np.arange(100_000))
    parts = split(data)
    scores = rng.random((data.n_users, data.n_items), np.float32)
    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        evaluate_scores(scores, parts)
        seconds.append(time.perf_counter() - start)
    assert min(seconds) < 0.2
