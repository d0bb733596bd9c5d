"""The baselines: each against a slow or closed form of the same thing, and against published figures."""

from __future__ import annotations

import math

import numpy as np
import pytest
from conftest import checkerboard
from scipy import stats
from sklearn.metrics.pairwise import cosine_similarity

from keras_recs.core.recommender import Recommender
from keras_recs.data import Dataset, from_matrix, split
from keras_recs.evaluation import (
    BiasRecommender,
    GlobalMeanRecommender,
    ItemKNNRecommender,
    PopularityRecommender,
    RandomRecommender,
    RecentPopularityRecommender,
    baselines,
    evaluate,
    evaluate_ratings,
    evaluate_scores,
)

ALL = [
    RandomRecommender(seed=5),
    PopularityRecommender(),
    ItemKNNRecommender(),
    ItemKNNRecommender(n_neighbors=3),
    GlobalMeanRecommender(),
    BiasRecommender(reg_users=1.5, reg_items=0.5),
]


@pytest.fixture(scope="module")
def data() -> Dataset:
    """40 users, 30 items, ratings, some pairs twice; one user and one item without an event."""
    rng = np.random.default_rng(0)
    table = np.where(
        rng.random((40, 30)) < np.linspace(0.05, 0.6, 30), rng.integers(1, 6, (40, 30)), 0
    )
    table[7], table[:, 11] = 0, 0
    whole = from_matrix(table)
    events = whole.interactions
    return whole.with_interactions(events.take(np.r_[0 : len(events), 0:40]))


@pytest.mark.parametrize("recommender", ALL, ids=repr)
def test_each_keeps_the_contract(recommender: Recommender, data: Dataset, tmp_path) -> None:
    users = data.user_ids.ids
    scores = recommender.fit(data).score(users)
    assert scores.shape == (40, 30) and scores.dtype == np.float32 and np.isfinite(scores).all()
    u, i = np.nonzero(np.ones((40, 30)))
    assert recommender.predict(users[u], data.item_ids.ids[i]) == pytest.approx(
        scores.ravel(), rel=1e-6
    )
    assert np.array_equal(recommender.score(users[::-7]), scores[::-7]), "whatever the company"
    lists = recommender.recommend(users, 4)
    assert np.array_equal(recommender.score(users), scores), "recommending overwrites a copy"
    assert lists.valid.all() and not data.seen.toarray()[np.arange(40)[:, None], lists.items].any()
    recommender.save(tmp_path / "model")
    loaded = type(recommender).load(tmp_path / "model")
    assert repr(loaded) == repr(recommender) and np.array_equal(loaded.score(users), scores)


# --- random and popularity ------------------------------------------------------------------------


def test_random_scores_are_uniform_and_independent() -> None:
    data = from_matrix(np.eye(400, 500))
    scores = RandomRecommender(seed=1).fit(data).score(np.arange(400)).astype(float)
    assert 0 <= scores.min() and scores.max() < 1
    assert stats.kstest(scores.ravel(), "uniform").pvalue > 1e-3
    other = RandomRecommender(seed=2).fit(data).score(np.arange(400)).astype(float)
    for a, b in ((scores, other), (scores[1:], scores[:-1]), (scores[:, 1:], scores[:, :-1])):
        assert abs(np.corrcoef(a.ravel(), b.ravel())[0, 1]) < 4 / math.sqrt(a.size), (
            "seeds, users, items"
        )
    assert np.array_equal(
        RandomRecommender(seed=1).fit(data).score([3]), scores[[3]].astype(np.float32)
    )


@pytest.mark.parametrize("seed", [-1, 1.5, True])
def test_a_seed_is_a_whole_number(seed: object) -> None:
    with pytest.raises((ValueError, TypeError), match="seed must be"):
        RandomRecommender(seed=seed)  # type: ignore[arg-type]


def test_popularity_counts_users_not_events() -> None:
    data = Dataset.from_arrays([1, 1, 1, 2, 3], [10, 10, 10, 20, 20])
    recommender = PopularityRecommender().fit(data)
    assert recommender.score([1, 3]).tolist() == [[1, 2], [1, 2]]
    assert recommender.recommend([1, 2], 1).items.tolist() == [[20], [10]]


# --- recent popularity ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def fashion() -> Dataset:
    """Ten events, a user each, in the order of time: item 1 four times, then 2 three times, then 3, 3, 1."""
    times = np.arange(10) * 60
    shuffled = np.random.default_rng(0).permutation(10)  # the order of the rows is not that of time
    items = np.array([1, 1, 1, 1, 2, 2, 2, 3, 3, 1])
    return Dataset.from_arrays(np.arange(10)[shuffled], items[shuffled], timestamps=times[shuffled])


def test_recent_popularity_counts_the_window_that_ends_with_the_user(fashion: Dataset) -> None:
    scores = (
        RecentPopularityRecommender(share=0.4).fit(fashion).score([9, 6, 3])
    )  # windows of four events
    assert np.floor(scores).tolist() == [[1, 1, 2], [1, 3, 0], [4, 0, 0]], (
        "by hand, from the list of ten"
    )
    assert scores - np.floor(scores) == pytest.approx(
        np.array([[5, 3, 2], [4, 3, 0], [4, 0, 0]]) / 11
    ), "of equal counts, what was met more often up to then is first"
    lists = (
        RecentPopularityRecommender(share=0.4).fit(fashion).recommend([9], 3, exclude_seen=False)
    )
    assert lists.items.tolist() == [[3, 1, 2]], (
        "3 twice; then 1 and 2 once, and 1 five times in all"
    )


def test_recent_popularity_knows_nothing_of_later_events(fashion: Dataset) -> None:
    early = fashion.with_interactions(
        fashion.interactions.take(fashion.interactions.timestamps < 420)
    )
    whole, half = (
        RecentPopularityRecommender(share=window).fit(data)
        for data, window in ((fashion, 0.3), (early, 3 / 7))
    )  # three events, either way
    assert (
        np.floor(whole.score([6])).tolist() == np.floor(half.score([6])).tolist() == [[0, 3, 0]]
    ), "what comes after a user's last event must not count for them"


def test_recent_popularity_over_all_of_the_log_is_popularity_at_its_end(fashion: Dataset) -> None:
    assert np.floor(RecentPopularityRecommender(share=1.0).fit(fashion).score([9])).tolist() == [
        [5, 3, 2]
    ], "the window is the log"


def test_who_was_never_seen_gets_the_chart_at_the_end(fashion: Dataset) -> None:
    known = fashion.interactions
    padded = fashion.with_interactions(known.take(known.users != 0))
    model = RecentPopularityRecommender(share=0.4).fit(padded)
    assert model.score([0]).tolist() == model.score([9]).tolist(), (
        "user 0 has no event here, user 9 the latest"
    )


# --- item KNN -------------------------------------------------------------------------------------


@pytest.mark.parametrize("neighbours", [None, 1, 4, 29, 500])
@pytest.mark.parametrize("block", [1 << 22, 200])
def test_item_knn_is_the_sum_of_cosines_of_the_kept_neighbours(
    data: Dataset, neighbours: int | None, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(baselines, "BLOCK_CELLS", block)
    seen = data.seen.toarray().astype(float)
    cosine = cosine_similarity(seen.T)
    np.fill_diagonal(cosine, 0)
    for row in (
        cosine if neighbours is not None else ()
    ):  # of each item j, what is kept of similarity(j, ·)
        row[np.argsort(-row, kind="stable")[neighbours:]] = 0
    scores = ItemKNNRecommender(neighbours).fit(data).score(data.user_ids.ids)
    assert scores == pytest.approx(seen @ cosine, abs=1e-5)


def test_a_dense_similarity_is_kept_only_where_it_is_the_smaller(data: Dataset) -> None:
    assert isinstance(ItemKNNRecommender().fit(data).similarity_, np.ndarray)
    few = ItemKNNRecommender(n_neighbors=3).fit(data).similarity_
    assert few.nnz <= 3 * 30


def test_item_knn_finds_the_withheld_diagonal() -> None:
    data = checkerboard()
    lists = ItemKNNRecommender().fit(data).recommend(data.user_ids.ids, 1)
    assert lists.items[:, 0].tolist() == list(range(20))


@pytest.mark.parametrize("neighbours", [0, -2, 2.5])
def test_neighbours_are_a_positive_whole_number(neighbours: object) -> None:
    with pytest.raises((ValueError, TypeError), match="n_neighbors must be"):
        ItemKNNRecommender(neighbours)  # type: ignore[arg-type]


# --- ratings --------------------------------------------------------------------------------------


def test_the_global_mean_is_that_of_the_events() -> None:
    data = Dataset.from_arrays([1, 1, 2], [1, 2, 1], [5, 1, 4])
    predictions = GlobalMeanRecommender().fit(data).predict([1, 2], [1, 2])
    assert predictions == pytest.approx([10 / 3, 10 / 3], rel=1e-6)


def test_biases_are_the_ridge_solution(data: Dataset) -> None:
    """The alternation ends where ordinary least squares with penalty rows does."""
    events = data.interactions
    n, user_reg, item_reg = len(events), 2.0, 0.7
    design = np.zeros((n, 70))
    design[np.arange(n), events.users] = 1
    design[np.arange(n), 40 + events.items] = 1
    penalty = np.diag(np.sqrt(np.r_[np.full(40, user_reg), np.full(30, item_reg)]))
    mean = events.ratings.mean()
    target = np.r_[events.ratings - mean, np.zeros(70)]
    bias = np.linalg.lstsq(np.vstack([design, penalty]), target, rcond=None)[0]
    expected = mean + bias[:40, None] + bias[40:]
    fitted = BiasRecommender(user_reg, item_reg).fit(data)
    assert fitted.score(data.user_ids.ids) == pytest.approx(expected, abs=1e-5)
    assert fitted.user_bias_[7] == 0 and fitted.item_bias_[11] == 0, "no ratings, no bias"
    assert not np.allclose(
        BiasRecommender(item_reg, user_reg).fit(data).score([0]), expected[0], atol=1e-3
    )


def test_without_shrinkage_biases_recover_an_additive_table() -> None:
    table = 3 + np.array([-0.5, 0, 0.5])[:, None] + np.array([-1, 0.25, 0.25, 0.5])
    fitted = BiasRecommender(0, 0).fit(from_matrix(table))
    assert fitted.score([0, 1, 2]) == pytest.approx(table, abs=1e-5)


@pytest.mark.parametrize(
    "params", [{"reg_users": -1}, {"reg_items": float("nan")}, {"reg_users": "many"}]
)
def test_shrinkage_is_a_number_from_zero(params: dict) -> None:
    with pytest.raises((ValueError, TypeError), match="reg_(users|items) must"):
        BiasRecommender(**params)


@pytest.mark.parametrize("recommender", [GlobalMeanRecommender(), BiasRecommender()], ids=repr)
def test_ratings_are_required(recommender: Recommender) -> None:
    with pytest.raises(ValueError, match="needs ratings"):
        recommender.fit(Dataset.from_arrays([1], [1]))


# --- MovieLens-100K: what an independent implementation of the protocol gave, to its four decimals

PUBLISHED = [
    (
        "P1",
        PopularityRecommender,
        {
            "ndcg@10": 0.1189,
            "recall@10": 0.0668,
            "recall@20": 0.1065,
            "hr@10": 0.5472,
            "precision@10": 0.1043,
            "coverage@10": 0.0428,
        },
    ),
    (
        "P1",
        ItemKNNRecommender,
        {
            "ndcg@10": 0.1952,
            "recall@10": 0.1248,
            "recall@20": 0.1952,
            "hr@10": 0.7031,
            "precision@10": 0.1632,
            "coverage@10": 0.1290,
        },
    ),
    ("P2", PopularityRecommender, {"hr@10": 0.0859, "ndcg@10": 0.0449}),
    ("P2", ItemKNNRecommender, {"hr@10": 0.1092, "ndcg@10": 0.0563}),
    ("P3", GlobalMeanRecommender, {"rmse": 1.1331, "mae": 0.9507}),
]


@pytest.mark.data
@pytest.mark.parametrize(
    ("protocol", "make", "figures"),
    PUBLISHED,
    ids=[f"{protocol} {make.__name__}" for protocol, make, _ in PUBLISHED],
)
def test_published_figures(ml100k: Dataset, protocol: str, make, figures: dict[str, float]) -> None:
    parts = split(ml100k, protocol)
    found = evaluate(make().fit(parts.train), parts)
    assert len(np.unique(found.users)) == {"P1": 943, "P2": 943, "P3": 941}[protocol]
    assert {name: found.metrics[name] for name in figures} == pytest.approx(figures, abs=5.1e-5)


@pytest.mark.data
def test_published_figures_of_one_random_matrix(ml100k: Dataset) -> None:
    scores = np.random.default_rng(0).random((943, 1682))
    found = evaluate_scores(scores, split(ml100k, "P1")).metrics
    expected = {
        "ndcg@10": 0.0142,
        "recall@10": 0.0071,
        "recall@20": 0.0135,
        "hr@10": 0.1198,
        "precision@10": 0.0138,
        "coverage@10": 0.9958,
    }
    assert {name: found[name] for name in expected} == pytest.approx(expected, abs=5.1e-5)
    found = evaluate_scores(scores, split(ml100k, "P2")).metrics
    assert (found["hr@10"], found["ndcg@10"]) == pytest.approx((0.0117, 0.0062), abs=5.1e-5)


@pytest.mark.data
def test_random_lists_reach_what_chance_gives(ml100k: Dataset) -> None:
    """The precision of a random list is the user's share of relevant among unseen items."""
    parts = split(ml100k, "P1")
    unseen = 1682 - np.diff(parts.train.seen.indptr)
    chance = (np.diff(parts.test.seen.indptr) / unseen).mean()
    found = [
        evaluate(RandomRecommender(seed).fit(parts.train), parts).metrics["precision@10"]
        for seed in range(10)
    ]
    assert np.mean(found) == pytest.approx(chance, abs=4 * np.std(found) / math.sqrt(10))


@pytest.mark.data
def test_biases_reach_the_published_error_and_need_the_scale(ml100k: Dataset) -> None:
    parts = split(ml100k, "P3")
    fitted = BiasRecommender().fit(parts.train)
    found = evaluate(fitted, parts)
    assert 0.9465 < found.metrics["rmse"] <= 0.9485 and 0.745 < found.metrics["mae"] < 0.750
    events = parts.test.interactions
    raw = fitted.predict(
        parts.test.user_ids.ids[events.users], parts.test.item_ids.ids[events.items]
    )
    assert raw.max() > 5, "some predictions leave the scale, so clipping is seen to"
    assert found.metrics == evaluate_ratings(raw.clip(1, 5), parts).metrics
