"""Logistic regression on users, items and contexts: against scikit-learn, and on cinema."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import keras_recs
from keras_recs.data import Dataset, ItemFeatures, Split, UserFeatures, split
from keras_recs.data.cinema import load_cinema_impressions
from keras_recs.evaluation import LogisticRegression, compare, evaluate
from keras_recs.evaluation.events import BaseRateRecommender
from keras_recs.teaching import Bench

DEVICES = np.array(["phone", "tv"])


@pytest.fixture(scope="module")
def log() -> Dataset:
    """400 events of 5 users and 4 items. User 3 clicks often, item 11 is clicked often, and so is
    what is on tv and in the first place."""
    rng = np.random.default_rng(2)
    n = 400
    users, items = rng.integers(0, 5, n), rng.integers(10, 14, n)
    tv, place = rng.integers(0, 2, n), rng.integers(0, 3, n)
    odds = -1 + 2.0 * (items == 11) + 1.5 * tv - 0.5 * place + 1.5 * (users == 3)
    return Dataset.from_arrays(
        users,
        items,
        timestamps=np.arange(n),
        labels={
            "click": (rng.random(n) < 1 / (1 + np.exp(-odds))).astype(int),
            "like": (rng.random(n) < 0.2).astype(int),
        },
        contexts={"device": DEVICES[tv], "place": place, "page": np.arange(n)},
        item_features=ItemFeatures(
            [10, 11, 12, 13], genres=[("a",), ("a", "b"), ("b",), ()], years=[1990, 2000, 2005, 0]
        ),
        user_features=UserFeatures(range(5), attributes={"language": list("eezze")}),
    )


def by_hand(data: Dataset) -> np.ndarray:
    """(n, d) the features, one after the other."""
    events = data.interactions
    users, items = data.user_ids.ids[events.users], data.item_ids.ids[events.items]
    years = {10: 1990.0, 11: 2000.0, 12: 2005.0}
    mean, deviation = np.mean(list(years.values())), np.std(list(years.values()))
    rows = [
        [
            *(user == np.arange(5)),
            user in (0, 1, 4),
            user in (2, 3),
            *(item == np.arange(10, 14)),
            item in (10, 11),
            item in (11, 12),
            (years[item] - mean) / deviation if item in years else 0.0,
            device == "phone",
            device == "tv",
            *(place == np.arange(3)),
        ]
        for user, item, device, place in zip(
            users, items, events.contexts["device"], events.contexts["place"], strict=True
        )
    ]
    return np.array(rows, float)


@pytest.mark.parametrize("reg", [0.5, 20.0])
def test_it_is_the_ridge_penalised_regression_of_scikit_learn(log: Dataset, reg: float) -> None:
    from sklearn.linear_model import LogisticRegression as Reference

    model = LogisticRegression(reg=reg).fit(log)
    found = model.predict_events(log.interactions)
    features = by_hand(log)
    for label, came in log.interactions.labels.items():
        reference = Reference(C=1 / reg, tol=1e-10, max_iter=10_000).fit(features, came)
        assert np.allclose(found[label], reference.predict_proba(features)[:, 1], atol=2e-4)
        row = model.labels_.index(label)
        assert np.isclose(model.intercepts_[row], reference.intercept_[0], atol=2e-3)
        contexts = reference.coef_[0, -5:]
        assert np.allclose(model.contexts_[row], contexts, atol=2e-3)
    rates = log.interactions.labels["click"].mean()
    assert np.isclose(found["click"].mean(), rates, atol=1e-4), "b has no penalty"
    assert np.ptp(found["click"]) > 0.2


def test_what_was_planted_is_in_the_weights(log: Dataset) -> None:
    model = LogisticRegression().fit(log)
    phone, tv, *places = model.contexts_[0]
    assert tv - phone > 0.8 and places[0] > places[2]
    assert model.items_[0].argmax() == log.item_ids.index("item", [11])[0]
    assert model.users_[0].argmax() == 3


def test_a_value_that_training_did_not_meet_weighs_nothing(log: Dataset) -> None:
    model = LogisticRegression().fit(log)
    events = log.interactions.take(np.arange(4))
    contexts = {**events.contexts, "device": np.array(["fridge"] * 4)}
    found = model.predict_events(replace(events, contexts=contexts))["click"]
    odds = model.intercepts_[0] + model.users_[0, events.users] + model.items_[0, events.items]
    odds += model.contexts_[0][2 + events.contexts["place"]]
    assert np.allclose(found, 1 / (1 + np.exp(-odds)), atol=1e-6)
    del contexts["place"]
    with pytest.raises(ValueError, match="no context 'place'"):
        model.predict_events(replace(events, contexts=contexts))


def test_labels_must_be_there_and_be_zero_or_one(log: Dataset) -> None:
    with pytest.raises(ValueError, match="labels are needed"):
        LogisticRegression().fit(Dataset.from_arrays([1, 2], [1, 2]))
    with pytest.raises(ValueError, match=r"labels\['stars'\] must be 0 or 1"):
        LogisticRegression().fit(Dataset.from_arrays([1, 2], [1, 2], labels={"stars": [5, 1]}))


@pytest.mark.parametrize("always", [0, 1])
def test_a_label_that_is_always_the_same_is_predicted_so(always: int) -> None:
    data = Dataset.from_arrays([1, 2, 3], [1, 2, 1], labels={"click": [always] * 3})
    found = LogisticRegression().fit(data).predict_events(data.interactions)["click"]
    assert np.allclose(found, always, atol=1e-3)


def test_as_scores_all_users_have_one_order(log: Dataset) -> None:
    model = LogisticRegression().fit(log)
    lists = model.recommend(log.user_ids.ids, 4, exclude_seen=False).items
    assert (lists == lists[0]).all() and lists[0, 0] == 11


def test_it_is_saved_and_loaded(log: Dataset, tmp_path: Path) -> None:
    model = LogisticRegression(reg=3.0).fit(log)
    model.save(tmp_path / "model")
    loaded = keras_recs.load(tmp_path / "model")
    assert isinstance(loaded, LogisticRegression) and loaded.reg == 3.0
    assert np.array_equal(
        loaded.predict_events(log.interactions)["click"],
        model.predict_events(log.interactions)["click"],
    )


@pytest.fixture(scope="module")
def impressions() -> Split:
    """One cut in time; of the training every third event, which is enough and quicker."""
    parts = split(load_cinema_impressions(), "P5")
    events = parts.train.interactions
    some = parts.train.with_interactions(events.take(np.arange(0, len(events), 3)))
    return Split("P5", some, parts.test)


def test_it_beats_the_base_rate_on_cinema(impressions: Split) -> None:
    ours = evaluate(LogisticRegression().fit(impressions.train), impressions)
    base = evaluate(BaseRateRecommender().fit(impressions.train), impressions)
    for label in ("click", "like", "finish"):
        for metric in ("auc", "gauc", "log_loss"):
            found = compare(ours, base, f"{metric}@{label}")
            assert found.verdict == "A is better", (metric, label, found)
    assert ours.metrics["auc@click"] > 0.65


def test_it_is_on_the_table_of_every_page_about_events(log: Dataset) -> None:
    bench = Bench({"one cut": split(log, "P5")})
    table = bench.rivals({"ours": LogisticRegression(reg=100.0)})
    assert list(table.evaluations) == ["base rate", "logistic regression", "ours"]
    assert "base rate" in table.places("ours", "one cut")["behind"]
