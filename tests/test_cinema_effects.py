"""Every effect that was planted in `cinema` can be measured in it, and the right kind of model
profits.

The tests of effects fail when the effect is taken out of the model or the generator and the data
are rebuilt."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from keras_recs.data import Dataset
from keras_recs.data.cinema import (
    CinemaTruth,
    cinema_cold_split,
)
from keras_recs.data.cinema.context import SLOTS, slot_chances, time_slot
from keras_recs.data.cinema.model import GENRE_MOODS, THEMES, theme_vectors
from keras_recs.data.sequences import Sequences

ROOT = Path(__file__).parents[1]


def gini(counts: np.ndarray) -> float:
    ordered, n = np.sort(counts), len(counts)
    return float((2 * np.arange(1, n + 1) - n - 1) @ ordered / (n * ordered.sum()))


def correlation(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.corrcoef(a, b)[0, 1])


def left_out(x: np.ndarray, y: np.ndarray, reg: float = 10.0) -> np.ndarray:
    """Ridge predictions for each row from all the others, by the leave-one-out formula."""
    x = np.column_stack([np.ones(len(x)), x])
    hat = x @ np.linalg.solve(x.T @ x + reg * np.diag([0.0] + [1.0] * (x.shape[1] - 1)), x.T)
    return y - (y - hat @ y) / (1 - np.diag(hat))[:, None]


# --- shape ----------------------------------------------------------------------------------------


def test_shape_is_like_movielens(cinema: Dataset) -> None:
    """ML-100K has a Gini coefficient of 0.47 over users; 0.63 over all its films, 0.27 over its 428 most rated ones."""
    events = cinema.interactions
    assert 0.42 < gini(np.bincount(events.users)) < 0.52
    assert 0.36 < gini(np.bincount(events.items)) < 0.66
    shares = np.bincount(events.ratings.astype(int), minlength=6)[1:] / len(cinema)
    assert np.abs(shares - [0.061, 0.114, 0.271, 0.342, 0.212]).max() < 0.005


# --- planted effects ------------------------------------------------------------------------------


def test_truth_has_the_shapes_it_says(cinema: Dataset, truth: CinemaTruth) -> None:
    assert truth.interests.shape == truth.interests_at_end.shape == (
        600,
        24,
    ) and truth.item_themes.shape == (428, 24)
    for interests in (truth.interests, truth.interests_at_end):
        assert np.allclose(interests.sum(axis=1), 1, atol=1e-5) and (interests >= 0).all()
        assert np.array_equal((interests > 0).sum(axis=1), truth.n_interests)
    assert set(truth.n_interests) == {1, 2, 3} and set(truth.communities) == set(range(6))
    changed = (truth.interests != truth.interests_at_end).any(axis=1)
    assert np.array_equal(changed, truth.drifting) and 0.15 < changed.mean() < 0.4
    subjects = [truth.subjects[item] for item in cinema.item_ids.ids.tolist()]
    assert np.allclose(
        truth.item_themes, theme_vectors(cinema.item_features.genres, subjects), atol=1e-6
    )
    assert truth.expected_ratings.shape == truth.utility.shape == (600, 428)
    assert truth.expected_ratings.min() >= 1 and truth.expected_ratings.max() <= 5
    assert len(truth.cold_users) == 60 and len(truth.cold_items) == 64


def test_interests_show_in_what_is_clicked(cinema: Dataset, truth: CinemaTruth) -> None:
    """Each planted interest of a user lifts its theme over the average user; other themes are not lifted."""
    sequences, average = (
        Sequences.of(cinema),
        truth.item_themes[cinema.interactions.items].mean(axis=0),
    )
    for n, least in ((1, [0.25]), (2, [0.15, 0.05]), (3, [0.12, 0.04, 0.01])):
        lifts = []
        for user in np.flatnonzero((truth.n_interests == n) & ~truth.drifting):
            lift = truth.item_themes[sequences[user]].mean(axis=0) - average
            order = np.argsort(-truth.interests[user])
            lifts.append([*lift[order[:n]], lift[order[n:]].mean()])
        mean = np.mean(lifts, axis=0)
        assert (mean[:n] > least).all() and (np.diff(mean) < 0).all() and mean[-1] < 0


def test_some_users_have_clearly_separate_interests(cinema: Dataset, truth: CinemaTruth) -> None:
    """Their clicks fall into two groups of films that share no theme, with few films between."""
    kinship = truth.item_themes.T @ truth.item_themes  # (24, 24)
    kinship /= np.sqrt(np.outer(np.diag(kinship), np.diag(kinship)))
    pairs = [np.flatnonzero(row) for row in truth.interests]
    of_two = np.flatnonzero((truth.n_interests == 2) & ~truth.drifting)
    separate = [user for user in of_two if kinship[tuple(pairs[user])] < 0.1]
    assert len(separate) > 0.55 * len(of_two)  # by chance it would be 0.3
    sequences, shares = Sequences.of(cinema), []
    for user in separate:
        on = truth.item_themes[sequences[user]][:, pairs[user]] > 0.4
        shares.append([on[:, 0].mean(), on[:, 1].mean(), on.all(axis=1).mean()])
    one, other, both_at_once = np.mean(shares, axis=0)
    assert one > 0.2 and other > 0.2 and both_at_once < 0.08


def test_communities_do_not_show_in_genres_or_words(cinema: Dataset, truth: CinemaTruth) -> None:
    from sklearn.feature_extraction.text import TfidfVectorizer

    genres = np.array(
        [[genre in names for genre in GENRE_MOODS] for names in cinema.item_features.genres], float
    )
    words = (
        TfidfVectorizer(stop_words="english", min_df=3)
        .fit_transform(cinema.item_features.texts)
        .toarray()
    )
    for features in (genres, words):
        wrong = truth.item_affinity - left_out(
            features - features.mean(axis=0), truth.item_affinity
        )
        assert 1 - (wrong**2).sum() / (truth.item_affinity**2).sum() < 0.05


def test_communities_show_in_clicks_and_in_company(
    cinema: Dataset, shown: Dataset, truth: CinemaTruth
) -> None:
    events = shown.interactions
    own = truth.item_affinity[events.items, truth.communities[events.users]]
    click = events.labels["click"]
    assert click[own > 1].mean() > 1.4 * click[own < -1].mean()
    taste = cinema.seen.toarray() - cinema.seen.toarray().mean(axis=0)
    taste /= np.linalg.norm(taste, axis=1, keepdims=True)
    likeness = taste @ taste.T
    alike = truth.interests / np.linalg.norm(truth.interests, axis=1, keepdims=True)
    together = truth.communities[:, None] == truth.communities
    for same_interests in (alike @ alike.T > 0.9, alike @ alike.T < 0.1):
        pairs = same_interests & ~np.eye(600, dtype=bool)
        assert likeness[pairs & together].mean() > likeness[pairs & ~together].mean() + 0.04


def test_impressions_are_biased_by_fame_not_by_quality(shown: Dataset, truth: CinemaTruth) -> None:
    times = np.log(np.bincount(shown.interactions.items, minlength=428))
    assert correlation(times, truth.fame) > 0.8
    assert abs(correlation(times, truth.quality)) < 0.3
    # ... and by a little personal relevance: seen on the first pages, before what matches has been
    # watched.
    sequences, match = Sequences.of(shown), truth.model.match(np.arange(600), np.zeros(600))
    first = np.mean([match[user, sequences[user][:30]].mean() for user in range(600)])
    assert first > match[:, np.argsort(-truth.fame)[:100]].mean() + 0.05


def test_clicks_depend_on_the_hour(shown: Dataset, truth: CinemaTruth) -> None:
    events = shown.interactions
    slot = time_slot(events.contexts["hour"], events.contexts["weekend"])

    def rate(theme: str, when: str) -> float:
        of_theme = truth.item_themes[events.items, THEMES.index(theme)] > 0.55
        return float(events.labels["click"][of_theme & (slot == SLOTS.index(when))].mean())

    assert (
        rate("childhood", "weekend morning")
        > 1.5 * rate("childhood", "day")
        > 1.1 * rate("childhood", "late night")
    )
    assert rate("dread", "late night") > 2 * rate("dread", "day")
    assert rate("riddle", "late night") > 1.5 * rate("riddle", "day")
    assert rate("adrenaline", "evening") > 1.05 * rate("adrenaline", "day")
    every = [events.labels["click"][slot == s].mean() for s in range(4)]
    assert max(every) < 1.25 * min(every), "the hour changes what is clicked, not how much"


def test_old_films_are_not_finished_on_the_phone(cinema: Dataset) -> None:
    events = cinema.interactions
    year, finish = cinema.item_features.years[events.items], events.labels["finish"]
    phone = events.contexts["device"] == "phone"
    gap = lambda films: finish[films & ~phone].mean() - finish[films & phone].mean()  # noqa: E731
    assert gap(year < 1970) > 0.15 and abs(gap(year >= 1995)) < 0.04


def test_series_are_watched_in_order(cinema: Dataset, truth: CinemaTruth) -> None:
    following = {
        int(before): part for part, before in enumerate(truth.model.previous) if before >= 0
    }
    sequences = Sequences.of(cinema)
    soon, chances, in_order, pairs = 0, 0, 0, 0
    for user in range(600):
        films_of = sequences[user].tolist()
        place = {item: i for i, item in enumerate(films_of)}
        for item, i in place.items():
            if (after := following.get(item)) is None:
                continue
            if after in place:
                pairs, in_order = pairs + 1, in_order + (place[after] > i)
            if i + 10 < len(films_of) and place.get(after, i) >= i:
                chances, soon = chances + 1, soon + (after in films_of[i + 1 : i + 11])
    assert in_order / pairs > 0.85
    assert soon / chances > 0.6  # ten films at random would do it in about 0.06 of the cases


def test_clicking_and_finishing_are_in_conflict(
    cinema: Dataset, shown: Dataset, truth: CinemaTruth
) -> None:
    assert truth.conflict["tasks"] == ["click", "finish"]
    events, all_shown = cinema.interactions, shown.interactions
    known = np.flatnonzero(cinema.popularity > 20)

    def per_film(items: np.ndarray, values: np.ndarray) -> np.ndarray:
        return (np.bincount(items, values, 428) / np.bincount(items, minlength=428))[known]

    clicks = per_film(all_shown.items, all_shown.labels["click"])
    finishes = per_film(events.items, events.labels["finish"])
    assert correlation(clicks, finishes) < -0.15
    assert (
        correlation(clicks, truth.bait[known]) > 0.25
        and correlation(finishes, truth.bait[known]) < -0.5
    )
    assert correlation(events.labels["like"], events.labels["finish"]) > 0.1, (
        "not every pair of tasks is in conflict"
    )


def test_interests_drift(cinema: Dataset, truth: CinemaTruth) -> None:
    sequences = Sequences.of(cinema)
    likeness: dict[bool, list[float]] = {True: [], False: []}
    moved = []
    for user in range(600):
        films_of = truth.item_themes[sequences[user]]
        third = len(films_of) // 3
        if third < 5:
            continue
        first, last = films_of[:third].mean(axis=0), films_of[-third:].mean(axis=0)
        drifts = bool(truth.drifting[user])
        likeness[drifts].append(first @ last / np.linalg.norm(first) / np.linalg.norm(last))
        if drifts:
            old, new = truth.main_interest[user], truth.interests_at_end[user].argmax()
            moved.append([first[old] - last[old], last[new] - first[new]])
    assert np.mean(likeness[True]) < np.mean(likeness[False]) - 0.12
    assert (np.mean(moved, axis=0) > 0.15).all()


def test_ratings_follow_utility(cinema: Dataset, truth: CinemaTruth) -> None:
    events = cinema.interactions
    assert (
        0.6 < correlation(events.ratings, truth.expected_ratings[events.users, events.items]) < 0.95
    )
    known = cinema.popularity > 20
    mean = np.bincount(events.items, events.ratings, 428) / cinema.popularity
    assert correlation(mean[known], truth.quality[known]) > 0.3


def test_cold_users_and_films_arrive_late(cinema: Dataset, truth: CinemaTruth) -> None:
    cold = cinema_cold_split()
    assert set(cold.user_ids) == set(truth.cold_users) and set(cold.item_ids) == set(
        truth.cold_items
    )
    events = cinema.interactions
    new = np.isin(cinema.user_ids.raw(events.users), cold.user_ids) | np.isin(
        cinema.item_ids.raw(events.items), cold.item_ids
    )
    assert events.timestamps[new].min() > np.quantile(events.timestamps, 0.75)
    assert cinema.popularity[cinema.item_ids.index("items", cold.item_ids)].min() >= 10
    train, (warm, users, items) = (
        cold.warm.train,
        (cold.warm.test, cold.cold_users.test, cold.cold_items.test),
    )
    assert cold.cold_users.train is train and cold.cold_items.train is train
    new_users, new_items = (
        cinema.user_ids.index("u", cold.user_ids),
        cinema.item_ids.index("i", cold.item_ids),
    )
    for part in (train, warm):
        assert not np.isin(part.interactions.users, new_users).any()
        assert not np.isin(part.interactions.items, new_items).any()
    assert set(users.interactions.users) == set(new_users) and set(items.interactions.items) == set(
        new_items
    )
    assert not np.isin(users.interactions.items, new_items).any()
    assert not np.isin(items.interactions.users, new_users).any()
    assert 0.18 < len(warm) / (len(warm) + len(train)) < 0.21


def test_slots_cover_the_week() -> None:
    chances = slot_chances(np.array([False, True]))
    assert np.allclose(chances.sum(axis=1), 1)
    late = SLOTS.index("late night")
    assert chances[1, late] > 2 * chances[0, late]


# --- the strength of it all -----------------------------------------------------------------------


@pytest.fixture(scope="module")
def benchmark() -> ModuleType:
    spec = importlib.util.spec_from_file_location(
        "cinema_table", ROOT / "benchmarks" / "cinema_table.py"
    )
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_the_right_kind_of_model_wins(benchmark: ModuleType) -> None:
    table = {
        name: {column: figure[0] for column, figure in row.items()}
        for name, row in benchmark.measure().items()
    }
    warm = {name: row["warm"] for name, row in table.items()}
    assert warm["EASE"] > 1.5 * warm["popularity"] and warm["item CF"] > 1.5 * warm["popularity"]
    assert warm["oracle"] > 1.3 * max(value for name, value in warm.items() if name != "oracle")
    # Taste is mostly for subjects and for people, which words hardly tell.
    assert 2 * warm["random"] < warm["content (TF-IDF)"] < 0.85 * warm["item CF"]
    assert warm["popularity"] > 2 * warm["random"] and warm["popularity"] < 0.4 * warm["oracle"]
    whole = {name: row["P1"] for name, row in table.items()}
    assert whole["EASE"] > 1.5 * whole["popularity"] and whole["oracle"] > 1.3 * whole["EASE"]
    # No baseline takes everything: each has a column in which it is the one that works.
    films_, users = (
        {name: row[column] for name, row in table.items()}
        for column in ("cold films", "cold users")
    )
    assert films_["content (TF-IDF)"] > 1.5 * max(
        films_["EASE"], films_["popularity"], films_["random"]
    )
    assert users["popularity"] > 2 * max(users["EASE"], users["item CF"], users["content (TF-IDF)"])
    assert (
        users["oracle"] > 1.5 * users["popularity"]
        and films_["oracle"] > 1.2 * films_["content (TF-IDF)"]
    )


def test_oracle_refuses_other_data(truth: CinemaTruth) -> None:
    with pytest.raises(ValueError, match="part of cinema"):
        truth.oracle_scores(Dataset.from_arrays([1, 2], [3, 4], timestamps=[1, 2]))
