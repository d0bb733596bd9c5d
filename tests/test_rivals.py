"""The closed-form rivals against their definitions, and the bench that fits each model once."""

from __future__ import annotations

import dataclasses
import re
import reprlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import keras_recs
from keras_recs.answers.q12_item_cf import EASE, ItemCF
from keras_recs.core.hyperparameters import Seed
from keras_recs.core.recommender import Recommender
from keras_recs.data import Dataset, ItemFeatures, Split, from_matrix, split, split_random
from keras_recs.evaluation import (
    PopularityRecommender,
    RandomRecommender,
    compare,
    evaluate,
    evaluate_events,
    evaluate_ratings,
    evaluate_scores,
)
from keras_recs.evaluation.events import BaseRateRecommender
from keras_recs.evaluation.linear import GenreRidge, ItemRidge, TruncatedSVD
from keras_recs.evaluation.results import Evaluation, mean_evaluation
from keras_recs.questions.loading import find_class
from keras_recs.teaching import Bench, Claim, Setting
from keras_recs.teaching.bench import facts_of
from keras_recs.teaching.identity import identity, value_of
from keras_recs.teaching.rivals import RivalTable
from keras_recs.testing import check_recommender, nasty, with_words


@pytest.fixture(scope="module")
def table() -> np.ndarray:
    """40 users of two tastes, 12 items."""
    rng = np.random.default_rng(3)
    taste = np.repeat([0, 1], 20)[:, None] == np.repeat([0, 1], 6)
    return (rng.random((40, 12)) < np.where(taste, 0.7, 0.15)).astype(float)


@pytest.fixture(scope="module")
def log(table: np.ndarray) -> Dataset:
    users, items = np.nonzero(table)
    order = np.random.default_rng(0).permutation(len(users))
    return Dataset.from_arrays(users[order], items[order], timestamps=np.arange(len(users)))


@pytest.mark.parametrize("rank", [2, 3, 12])
@pytest.mark.parametrize("shrinkage", [0.0, 1.5])
def test_svd_is_the_shrunken_decomposition(table: np.ndarray, rank: int, shrinkage: float) -> None:
    u, s, vt = np.linalg.svd(table, full_matrices=False)
    expected = (u[:, :rank] * np.maximum(s[:rank] - shrinkage, 0)) @ vt[:rank]
    model = TruncatedSVD(rank, shrinkage).fit(from_matrix(table))
    assert np.allclose(model.score(np.arange(40)), expected, atol=1e-4)


def test_shrinkage_is_the_l2_penalty_on_both_factors(table: np.ndarray) -> None:
    """At the solution of ½|X - U Vᵀ|² + s/2 (|U|² + |V|²), both gradients vanish."""
    shrinkage = 1.5
    model = TruncatedSVD(12, shrinkage).fit(from_matrix(table))
    root = np.sqrt(np.linalg.norm(model.user_factors_, axis=0))  # √(S - s), both sides alike
    u = model.user_factors_ / root
    v = model.item_factors_ * root
    left = u @ v.T - table
    assert np.abs(left @ v + shrinkage * u).max() < 1e-3
    assert np.abs(left.T @ u + shrinkage * v).max() < 1e-3


def test_ridge_is_a_regression_of_each_item_on_all(table: np.ndarray) -> None:
    from sklearn.linear_model import Ridge

    model = ItemRidge(reg=3.0).fit(from_matrix(table))
    for item in range(12):
        weights = Ridge(alpha=3.0, fit_intercept=False).fit(table, table[:, item]).coef_
        assert np.allclose(model.weights_[:, item], weights, atol=1e-5)
    assert np.diag(model.weights_).min() > 0.1, "nothing forbids an item to explain itself"


def test_genres_place_an_item_without_events() -> None:
    labels = ItemFeatures(list("abcdef"), genres=[("x",)] * 3 + [("y",)] * 3)
    users, items = zip(("u", "a"), ("u", "b"), ("v", "d"), ("v", "e"), strict=True)
    data = Dataset.from_arrays(
        ["u", "u", "v", "v", "w"], ["a", "b", "d", "e", "a"], item_features=labels
    )
    assert len(users) == len(items)
    model = GenreRidge().fit(data)
    scores = model.score(["u", "v"])
    c, f = data.item_ids.index("items", ["c", "f"])
    assert scores[0, c] > scores[0, f] and scores[1, f] > scores[1, c]
    assert np.isclose(scores[0, c], scores[0, data.item_ids.index("items", ["a"])[0]])


@pytest.mark.parametrize("rival", [TruncatedSVD(4, 0.5), ItemRidge(5.0)])
def test_rivals_keep_the_contract(rival: Recommender) -> None:
    check_recommender(rival)


@pytest.mark.parametrize("rival", [TruncatedSVD(4, 0.5), ItemRidge(5.0), GenreRidge(2.0)])
def test_what_a_rival_saved_is_loaded_by_the_package(rival: Recommender, tmp_path: Path) -> None:
    data = with_words(nasty())
    rival.fit(data).save(tmp_path / "rival")
    loaded = keras_recs.load(tmp_path / "rival")
    assert type(loaded) is type(rival) and loaded.get_params() == rival.get_params()
    users = data.user_ids.ids
    assert np.array_equal(loaded.score(users), rival.score(users))


def test_only_recommenders_of_the_module_itself_are_found() -> None:
    assert find_class("Interactions", "keras_recs.evaluation.events") is None
    assert find_class("Recommender", "keras_recs.evaluation.linear") is None
    assert find_class("BaseRateRecommender", "keras_recs.evaluation.events") is BaseRateRecommender


def ridge_scores(x: np.ndarray) -> np.ndarray:
    gram = x.T @ x
    return x @ np.linalg.inv(gram + 5.0 * np.eye(len(gram))) @ gram


def ease_scores(x: np.ndarray) -> np.ndarray:
    """Each item by a ridge regression on all others."""
    out = np.empty_like(x)
    for item in range(x.shape[1]):
        others = np.delete(x, item, axis=1)
        gram = others.T @ others + 5.0 * np.eye(others.shape[1])
        out[:, item] = others @ np.linalg.solve(gram, others.T @ x[:, item])
    return out


def svd_scores(x: np.ndarray) -> np.ndarray:
    u, s, vt = np.linalg.svd(x)
    return (u[:, :3] * (s[:3] - 0.1)) @ vt[:3]


@pytest.mark.parametrize(
    ("rival", "by_definition"),
    [
        (TruncatedSVD(3, 0.1), svd_scores),
        (ItemRidge(5.0), ridge_scores),
        (EASE(5.0), ease_scores),
    ],
)
def test_rivals_take_nasty_data(
    rival: Recommender, by_definition: Callable[[np.ndarray], np.ndarray]
) -> None:
    """Repeated events count once; an item is scored by what it gets from the others, which is not
    what it gives them."""
    data = nasty()
    expected = by_definition((data.seen.toarray() > 0).astype(float))
    assert np.allclose(rival.fit(data).score(data.user_ids.ids), expected, atol=1e-5)


# --- the bench ------------------------------------------------------------------------------------


class Counting(PopularityRecommender):
    fits = 0

    def _fit(self, data: Dataset) -> None:
        Counting.fits += 1
        super()._fit(data)


@dataclass(eq=False, repr=False)
class Drawn(Recommender):
    """Scores drawn from a seed: two seeds are two models."""

    seed: Seed = 0

    def _fit(self, data: Dataset) -> None:
        self.scores_ = np.random.default_rng(self.seed).random((data.n_users, data.n_items))

    def _score(self, users: np.ndarray) -> np.ndarray:
        return self.scores_[users].astype(np.float32)


@pytest.fixture
def bench(log: Dataset) -> Bench:
    train, test = split_random(log, 0.3, seed=1)
    return Bench({"by time": split(log, "P1"), "random": Split("P1", train, test)}, k=3)


def test_each_model_is_fitted_once_on_each_split(bench: Bench) -> None:
    Counting.fits = 0
    for _ in range(3):
        bench.evaluation(Counting(), "by time")
        bench.evaluation(Counting(), "random")
    assert Counting.fits == 2


def test_seeds_are_models_of_their_own(bench: Bench) -> None:
    one, other = (bench.evaluation(Drawn(seed), "by time") for seed in (0, 1))
    assert one is not other and not np.array_equal(one.per_user["ndcg@3"], other.per_user["ndcg@3"])
    both = bench.evaluation([Drawn(0), Drawn(1)], "by time")
    expected = (one.per_user["ndcg@3"] + other.per_user["ndcg@3"]) / 2
    assert np.allclose(both.per_user["ndcg@3"], expected)
    assert np.isclose(both.metrics["ndcg@3"], expected.mean())


def runs_of(task: str) -> list[Evaluation]:
    """Three runs of a model of chance, on one test."""
    rng = np.random.default_rng(4)
    users, items = np.nonzero(rng.random((30, 40)) < 0.3)
    n = len(users)
    log = Dataset.from_arrays(
        users,
        items,
        rng.integers(1, 6, n),
        rng.permutation(n),
        labels={"click": (rng.random(n) < 0.3).astype(int)},
    )
    parts = split(log, {"lists": "P1", "ratings": "P3", "events": "P5"}[task])
    if task == "lists":
        return [evaluate(Drawn(seed).fit(parts.train), parts, k=3) for seed in range(3)]
    drawn = rng.random((3, len(parts.test)))
    if task == "ratings":  # the last run is the worst by far
        truth = parts.test.interactions.ratings
        return [
            evaluate_ratings(truth + each * wrong, parts)
            for each, wrong in zip(drawn, (0.1, 1, 9), strict=True)
        ]
    return [evaluate_events({"click": each}, parts) for each in drawn]


@pytest.mark.parametrize("task", ["lists", "ratings", "events"])
def test_the_mean_of_runs_is_right_for_every_kind_of_metric(task: str) -> None:
    """Every figure is that of the averaged values, so that it lies where its interval is."""
    runs = runs_of(task)
    mean = mean_evaluation(runs)
    assert list(mean.metrics) == list(runs[0].metrics)
    for name, figure in mean.metrics.items():
        figures = [run.metrics[name] for run in runs]
        assert len(set(figures)) > 1 or name == "coverage@3"
        if name == "rmse":
            errors = np.concatenate([run.per_user["rmse"] for run in runs])
            assert np.isclose(figure, np.sqrt(errors.mean())) and figure > np.mean(figures) + 0.01
        else:
            assert np.isclose(figure, np.mean(figures))
        if name in mean.per_user:
            sample = mean.sample_of(name)
            assert np.isclose(np.sqrt(sample.point) if sample.root else sample.point, figure)
            low, high = mean.interval(name)
            assert low < figure < high
            found = compare(mean, runs[0], name)
            assert np.isclose(found.difference, figure - figures[0])
            assert found.low < found.difference < found.high
    assert mean.undefined == runs[0].undefined


def test_runs_of_different_tests_have_no_mean() -> None:
    lists, events = runs_of("lists"), runs_of("events")
    with pytest.raises(ValueError, match="one protocol"):
        mean_evaluation([lists[0], events[0]])
    other = dataclasses.replace(lists[1], users=lists[1].users[::-1])
    with pytest.raises(ValueError, match="same users"):
        mean_evaluation([lists[0], other])
    flipped = {"auc@click": ~events[1].positives["auc@click"]}
    with pytest.raises(ValueError, match="same users and events"):
        mean_evaluation([events[0], dataclasses.replace(events[1], positives=flipped)])
    with pytest.raises(ValueError, match="one at least"):
        mean_evaluation([])


def test_the_model_that_is_given_stays_unfitted(bench: Bench) -> None:
    model = EASE()
    bench.evaluation(model, "by time")
    assert not hasattr(model, "weights_") and hasattr(bench.fitted(model, "by time"), "weights_")


@dataclass(eq=False, repr=False)
class Weighted(Recommender):
    """Scores are a weight for each item."""

    weights: Any = ()

    def __repr__(self) -> str:
        return reprlib.repr(self.weights)

    def _fit(self, data: Dataset) -> None:
        self.weights_ = np.resize(np.asarray(self.weights, float), data.n_items)

    def _score(self, users: np.ndarray) -> np.ndarray:
        return np.tile(self.weights_, (len(users), 1))


@pytest.mark.parametrize("kind", [np.array, tuple, list])
def test_long_arguments_are_told_apart(bench: Bench, kind: Any) -> None:
    """A repr may be shortened: two long arguments that differ in the middle look the same."""
    one, other = np.arange(2000.0), np.arange(2000.0)
    other[6:12] = other[11:5:-1]
    first, second = Weighted(kind(one)), Weighted(kind(other))
    found = [bench.evaluation(each, "random") for each in (first, second)]
    alone = [
        evaluate(
            each.fit(bench.settings["random"].split.train), bench.settings["random"].split, k=3
        )
        for each in (Weighted(kind(one)), Weighted(kind(other)))
    ]
    assert alone[0].metrics != alone[1].metrics
    assert [each.metrics for each in found] == [each.metrics for each in alone]
    assert bench.evaluation(Weighted(kind(one.copy())), "random") is found[0]


def test_a_class_that_is_defined_again_is_another(bench: Bench) -> None:
    def define(sign: int) -> type[Recommender]:
        class Ranked(Recommender):
            def _fit(self, data: Dataset) -> None:
                self.popularity_ = sign * data.popularity

            def _score(self, users: np.ndarray) -> np.ndarray:
                return np.tile(self.popularity_, (len(users), 1)).astype(np.float32)

        return Ranked

    best, worst = (bench.evaluation(define(sign)(), "random") for sign in (1, -1))
    assert best.metrics["ndcg@3"] > worst.metrics["ndcg@3"]
    assert bench.fitted(define(1)(), "random") is not bench.fitted(define(-1)(), "random")


def test_what_cannot_be_compared_is_kept_so_that_no_other_takes_its_place() -> None:
    class Box:
        __hash__ = None  # type: ignore[assignment]

    keys = {value_of(Box()) for _ in range(50)}
    assert len(keys) == 50
    box = Box()
    assert value_of(box) == value_of(box) and identity(box) == identity(box)
    assert value_of({"a": [1, box]}) == value_of({"a": [1, box]}) != value_of({"a": [1, Box()]})


def test_a_model_whose_settings_are_changed_is_another(bench: Bench) -> None:
    model = EASE(5.0)
    first = bench.evaluation(model, "random")
    assert bench.evaluation(model.set_params(reg=500.0), "random") is not first
    assert bench.evaluation(EASE(5.0), "random") is first


def test_functions_are_told_apart(bench: Bench) -> None:
    def ones(train: Dataset) -> np.ndarray:
        return np.ones((train.n_users, train.n_items))

    def popular(train: Dataset) -> np.ndarray:
        return ones(train) * train.popularity

    same = bench.evaluation(PopularityRecommender(), "random").metrics
    assert bench.evaluation(popular, "random").metrics["ndcg@3"] == same["ndcg@3"]
    assert bench.evaluation(ones, "random").metrics["ndcg@3"] != same["ndcg@3"]


def test_candidates_alone_are_ranked(log: Dataset) -> None:
    parts = split(log, "P1")
    some = [0, 1, 2, 3]
    bench = Bench({"some": Setting(parts, candidates=some)}, k=3)
    evaluation = bench.evaluation(Drawn(), "some")
    scores = Drawn().fit(parts.train).score(parts.train.user_ids.ids)
    scores[:, 4:] = -np.inf
    assert evaluation.metrics == evaluate_scores(scores, parts, k=3).metrics


def test_a_candidate_that_there_is_not_is_named(log: Dataset) -> None:
    bench = Bench({"some": Setting(split(log, "P1"), candidates=[0, 77])}, k=3)
    with pytest.raises(KeyError, match="candidates.*77"):
        bench.evaluation(Drawn(), "some")


@pytest.fixture
def cold() -> Setting:
    """30 items, of which the first 12 are new: each of 200 users met three of these in the test,
    mostly the very first ones."""
    rng = np.random.default_rng(0)
    train = np.argwhere(rng.random((200, 18)) < 0.4) + [0, 12]
    first = np.where(np.arange(200) < 180, 0, 6)
    test = np.array([(u, first[u] + i) for u in range(200) for i in rng.permutation(6)[:3]])
    pairs = np.concatenate([train, test])
    data = Dataset.from_arrays(*pairs.T, timestamps=np.arange(len(pairs)), name="shop")
    events = data.interactions
    parts = (events.take(np.arange(len(train))), events.take(np.arange(len(train), len(pairs))))
    before, after = (data.with_interactions(part) for part in parts)
    return Setting(Split("P1", before, after), candidates=np.arange(12))


@pytest.mark.parametrize("noise", [0.0, 1e-9])
def test_ties_among_candidates_reach_what_random_order_does(cold: Setting, noise: float) -> None:
    """By the order of the catalogue they would look like knowledge: the first items are the right
    ones here. What rounding leaves of zero is a tie too."""
    bench = Bench({"cold": cold}, k=3)

    def nothing(train: Dataset) -> np.ndarray:
        scores = train.seen.toarray() * 5.0
        return scores - noise * np.arange(train.n_items)

    by_chance = bench.evaluation(RandomRecommender(), "cold").metrics
    assert abs(by_chance["hr@3"] - (1 - 84 / 220)) < 0.1, "3 of 12 drawn, and 3 are right"
    for model in (nothing, PopularityRecommender(), ItemCF(), EASE(5.0), TruncatedSVD(4, 0.0)):
        assert bench.evaluation(model, "cold").metrics == by_chance
    naive = evaluate_scores(np.zeros((200, 30)) - np.arange(30), cold.split, k=3)
    assert naive.metrics["hr@3"] > by_chance["hr@3"] + 0.1


def test_small_differences_among_candidates_are_no_ties(cold: Setting) -> None:
    def knows(train: Dataset) -> np.ndarray:
        return np.full((train.n_users, train.n_items), 1.0) - 1e-4 * np.arange(train.n_items)

    naive = evaluate_scores(np.zeros((200, 30)) - np.arange(30), cold.split, k=3)
    assert (
        Bench({"cold": cold}, k=3).evaluation(knows, "cold").metrics["hr@3"]
        == (naive.metrics["hr@3"])
    )


def test_nan_among_candidates_is_refused(cold: Setting) -> None:
    with pytest.raises(ValueError, match="NaN"):
        Bench({"cold": cold}).evaluation(lambda train: np.full((200, 30), np.nan), "cold")


def test_the_table_says_what_each_split_is(log: Dataset, cold: Setting) -> None:
    train, test = split_random(log, 0.3, seed=1)
    bench = Bench({"by time": split(log, "P1"), "random": Split("P1", train, test)}, k=3)
    facts = bench.rivals({"drawn": Drawn()}).metadata()["keras_recs"]["rivals"]["splits"]
    assert [each["in_time"] for each in facts.values()] == [True, False]
    assert [each["training"] for each in facts.values()] == [0, 1]
    assert [each["protocol"] for each in facts.values()] == ["P1", "P1"]
    assert facts_of(cold.split) == {"data": "shop", "protocol": "P1", "in_time": True, "cold": 1.0}


def test_what_a_page_has_measured_is_not_fitted_again(log: Dataset) -> None:
    parts = split(log, "P1")
    drawn = evaluate(Drawn(3).fit(parts.train), parts, k=3)
    bench = Bench(
        {"by time": parts}, k=3, measured={("EASE", "by time"): drawn, ("own", "by time"): drawn}
    )
    table = bench.rivals(["own"])
    assert table.evaluations["EASE"]["by time"] is drawn
    assert table.evaluations["own"]["by time"] is drawn and table.own == ["own"]
    assert table.evaluations["ridge"]["by time"] is not drawn
    bench.claims([Claim("the same", "own", "EASE", "ndcg@3", {"by time": "="})])
    with pytest.raises(KeyError, match="'other' was not measured.*EASE, own"):
        bench.evaluation("other", "by time")


def test_splits_about_different_tasks_are_refused() -> None:
    data = Dataset.from_arrays([1, 1, 2, 2] * 3, [1, 2, 1, 3] * 3, [3.0] * 12, range(12))
    with pytest.raises(ValueError, match="one task.*ratings"):
        Bench({"lists": split(data, "P1"), "ratings": split_random(data, 0.3)})
    with pytest.raises(ValueError, match="one entry"):
        Bench({})


# --- rivals and claims ----------------------------------------------------------------------------


def test_the_table_has_all_rivals_and_marks_the_best(bench: Bench) -> None:
    table = bench.rivals({"drawn": Drawn()})
    rows = table.metadata()["keras_recs"]["rivals"]["rows"]
    assert {"popularity", "item CF", "EASE", "ALS", "truncated SVD", "ridge", "drawn"} <= set(rows)
    assert "EASE, recent" in rows and "genres only" not in rows
    best = table.best("by time")
    top = max(rows, key=lambda name: table.evaluations[name]["by time"].metrics[table.metric])
    assert top in best and "drawn" not in best
    data, _ = table._repr_mimebundle_()
    shown = data["text/markdown"]
    line = next(line for line in shown.splitlines() if line.startswith(f"| {top} |"))
    assert "**" in line and "| drawn ★ |" in shown
    plain = evaluate(
        PopularityRecommender().fit(bench.settings["random"].split.train),
        bench.settings["random"].split,
        k=3,
    )
    assert f"{plain.metrics['ndcg@3']:.3f}" in shown


def test_the_table_says_who_is_ahead_and_who_is_behind(bench: Bench) -> None:
    """A model of chance loses; the words below the table, and its metadata, say to whom."""
    table = bench.rivals({"drawn": Drawn()}, beside={"worse": Weighted((1.0, 0.0))})
    said = table.metadata()["keras_recs"]["rivals"]
    assert said["own"] == ["drawn"] and list(said["verdicts"]) == ["drawn"]
    own = bench.evaluation(Drawn(), "random")
    for name in said["rows"]:
        if name == "drawn":
            continue
        found = compare(own, table.evaluations[name]["random"], "ndcg@3")
        place, *figures = said["verdicts"]["drawn"]["random"][name]
        assert place == {"A": "behind", "B": "ahead", "n": "level"}[found.verdict[0]]
        assert np.allclose(figures, (found.difference, found.low, found.high), atol=1e-6)
        assert name in table.places("drawn", "random")[place]
    assert "EASE" in table.places("drawn", "random")["ahead"]
    markdown = table._repr_mimebundle_()[0]["text/markdown"]
    for text in (repr(table), markdown):
        (line,) = [line for line in text.splitlines() if line.startswith("- random: ")]
        ahead = line.partition("clearly ahead of it: ")[2].partition(";")[0]
        assert ahead.split(" · ") == table.places("drawn", "random")["ahead"]
        assert line.endswith(
            "clearly behind it: "
            + (" · ".join(table.places("drawn", "random")["behind"]) or "none")
        )


def test_lower_is_ahead_where_lower_is_better() -> None:
    data = Dataset.from_arrays(*np.argwhere(np.ones((30, 20))).T, np.tile([1.0, 5.0], 300))
    parts = split_random(data, 0.3)
    good = evaluate_ratings(parts.test.interactions.ratings, parts)
    bad = evaluate_ratings(np.full(len(parts.test), 3.0), parts)
    table = RivalTable("P3", "rmse", {"a": {}}, ["own"], {"own": {"a": bad}, "good": {"a": good}})
    assert table.places("own", "a") == {"ahead": ["good"], "level": [], "behind": []}


def test_a_table_without_a_model_of_the_page_is_refused(bench: Bench) -> None:
    with pytest.raises(ValueError, match="own must name one"):
        bench.rivals({})


def test_no_label_touches_the_figures(bench: Bench) -> None:
    """The star of an own model takes place, too; so does the name of a split that is long."""
    longest = "the longest name of all rivals"
    text = repr(bench.rivals({longest: Drawn()}))
    assert re.search(rf"^{longest} \*  +0\.\d", text, re.MULTILINE)
    named = Bench({"a split whose name is longer than its figures": bench.settings["random"]}, k=3)
    head, row = repr(named.rivals({longest: Drawn()})).splitlines()[:2]
    assert re.search(r"  0\.\d", row) and head.endswith("its figures")


def test_a_claim_that_holds_is_shown_with_its_interval(bench: Bench) -> None:
    claim = Claim("EASE knows two tastes", EASE(5.0), Drawn(), "ndcg@3", {"random": ">"})
    table = bench.claims([claim, Claim("W has a zero diagonal", shown="the derivation")])
    text = repr(table)
    assert "EASE(reg=5.0) − Drawn" in text and "EASE(reg=5.0) is better" in text
    assert "the derivation" in text and "[+0." in text


def test_models_are_called_by_what_they_are(log: Dataset) -> None:
    parts = split(log, "P1")
    drawn = evaluate(Drawn(3).fit(parts.train), parts, k=3)
    measured = {(name, "by time"): drawn for name in ("our model", "the other")}
    bench = Bench({"by time": parts}, k=3, measured=measured)
    same = {"by time": "="}
    claims = [
        Claim("by name", "our model", "the other", "ndcg@3", same),
        Claim("an array", Weighted(np.ones(3)), Weighted(np.ones(4)), "ndcg@3", same),
        Claim("seeds", [Drawn(1), Drawn(2)], [Drawn(0), Drawn(1)], "ndcg@3", same),
    ]
    pairs = [line[1] for line in bench.claims(claims).lines()]
    assert pairs == [
        "our model − the other",
        "Weighted(weights=array([1., 1., 1.])) − Weighted(weights=array([1., 1., 1., 1.]))",
        "Drawn, 2 runs − Drawn, 2 runs",
    ]


@pytest.mark.parametrize("sign", ["<", "="])
def test_a_claim_that_the_data_contradict_is_an_error(bench: Bench, sign: str) -> None:
    claim = Claim("not so", EASE(5.0), Drawn(), "ndcg@3", {"random": sign})
    with pytest.raises(AssertionError, match="not so.*A is better"):
        bench.claims([claim])


def test_no_clear_difference_cannot_be_claimed_as_a_win(bench: Bench) -> None:
    alike = Claim("one seed wins", Drawn(0), Drawn(2), "ndcg@3", {"random": ">"})
    with pytest.raises(AssertionError, match="no clear difference"):
        bench.claims([alike])


def test_a_claim_needs_evidence() -> None:
    with pytest.raises(ValueError, match="a comparison or a proof"):
        Claim("EASE is better")
    with pytest.raises(ValueError, match="a comparison or a proof"):
        Claim("EASE is better", EASE(), RandomRecommender())
    with pytest.raises(ValueError, match="on\\['P1'\\].*'better'"):
        Claim("EASE is better", EASE(), RandomRecommender(), on={"P1": "better"})


def test_an_unknown_split_is_named(bench: Bench) -> None:
    with pytest.raises(KeyError, match="by tiem"):
        bench.claims([Claim("a", EASE(), ItemCF(), on={"by tiem": ">"})])
