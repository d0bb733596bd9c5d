"""The leaderboard: always with baselines, rows as promised, a table that a person can read."""

from __future__ import annotations

import dataclasses
import io
import json
import subprocess
import sys
import time

import numpy as np
import pytest
from rich.console import Console

from keras_recs.data import Dataset, split
from keras_recs.evaluation import (
    PROTOCOLS,
    PopularityRecommender,
    RandomRecommender,
    Row,
    evaluate,
    leaderboard,
    render,
)


@pytest.fixture(scope="module")
def data() -> Dataset:
    rng = np.random.default_rng(0)
    users, ratings = rng.integers(0, 80, 3000), rng.integers(1, 6, 3000)
    items = rng.geometric(0.05, 3000).clip(1, 60)
    return Dataset.from_arrays(users, items, ratings, np.arange(3000), name="toy")


class Slow(PopularityRecommender):
    """Takes 50 ms to learn and 100 ms to recommend, but its first list takes long, as what compiles does."""

    warm = False

    def _fit(self, data: Dataset) -> None:
        time.sleep(0.05)
        super()._fit(data)

    def _score(self, users: np.ndarray) -> np.ndarray:
        time.sleep(0.1 if self.warm else 0.6)
        self.warm = True
        return super()._score(users)


def text(rows: list[Row], width: int = 100, fitted: bool = False) -> str:
    out = io.StringIO()
    Console(file=out, width=width).print(render(rows, width=width if fitted else None))
    return out.getvalue()


def test_baselines_come_first_whatever_the_entries(data: Dataset) -> None:
    assert [(r.question, r.answer) for r in leaderboard([], data, "P1", progress=False)] == [
        (None, "random"),
        (None, "popularity"),
        (None, "recent popularity"),
        (None, "item-KNN"),
    ]
    entries = [(7, "mine", lambda: RandomRecommender(seed=3))]
    last = leaderboard(entries, data, "P2", progress=False)[-1]
    assert (last.question, last.answer) == (7, "mine")
    assert [(r.question, r.answer) for r in leaderboard([], data, "P3", progress=False)] == [
        (None, "global mean"),
        (None, "biases"),
    ]


@pytest.mark.parametrize("protocol", ["P1", "P2", "P3", "P4"])
def test_rows_have_the_promised_keys_and_plain_values(data: Dataset, protocol: str) -> None:
    rows = leaderboard([], data, protocol, k=5, progress=False)
    main = "ndcg@5" if PROTOCOLS[protocol].ranks else "rmse"
    for row in rows:
        found = row.as_dict()
        assert list(found) == [
            "question",
            "answer",
            "dataset",
            "protocol",
            "metrics",
            "fit_s",
            "recs_per_s",
            "seed",
            "intervals",
        ]
        assert json.loads(json.dumps(found)) == found
        assert (
            found["dataset"] == "toy"
            and found["protocol"] == protocol
            and found["question"] is None
        )
        assert list(found["intervals"]) == [main] == [row.main_metric]
        low, high = found["intervals"][main]
        assert low < found["metrics"][main] < high
        assert (found["recs_per_s"] is not None) == PROTOCOLS[protocol].ranks


def test_metrics_are_those_of_the_protocol_not_rounded(data: Dataset) -> None:
    parts = split(data, "P1")
    found = evaluate(PopularityRecommender().fit(parts.train), parts, k=5)
    row = leaderboard([], data, "P1", k=5, progress=False)[1]
    assert row.metrics == found.metrics
    assert row.intervals == {"ndcg@5": list(found.interval("ndcg@5"))}


def test_times_are_of_fit_and_of_warm_recommending(data: Dataset) -> None:
    row = leaderboard([(None, "slow", Slow)], data, "P1", progress=False)[-1]
    assert 0.05 <= row.fit_s < 0.55
    assert row.recs_per_s is not None and data.n_users / 0.55 < row.recs_per_s <= data.n_users / 0.1


def test_the_seed_is_the_recommenders(data: Dataset) -> None:
    rows = leaderboard([(3, "mine", lambda: RandomRecommender(seed=9))], data, "P1", progress=False)
    assert (rows[0].seed, rows[-1].seed) == (0, 9) and {r.seed for r in rows[1:-1]} == {None}


def test_bad_arguments_are_refused_before_anything_is_fitted(data: Dataset) -> None:
    with pytest.raises(ValueError, match="protocol must be one of"):
        leaderboard([], data, "P9")
    with pytest.raises(ValueError, match="k must be at least 1"):
        leaderboard([], data, "P3", k=0)


def row(
    answer: str, metrics: dict[str, float], protocol: str = "P1", question: int | None = 5
) -> Row:
    main = PROTOCOLS[protocol].main_metric(["rmse", "ndcg@10"])
    speed = 12345.6 if PROTOCOLS[protocol].ranks else None
    return Row(question, answer, "toy", protocol, metrics, 1.234, speed, 0, {main: [0.1, 0.3]})


def test_the_table_is_sorted_and_the_best_is_marked() -> None:
    rows = [
        row("low", {"recall@10": 0.9, "ndcg@10": 0.1, "recall@20": 0.91}),
        row("high [x]", {"recall@10": 0.3, "ndcg@10": 0.2, "recall@20": 0.92}),
        row("middle", {"recall@10": 0.5, "ndcg@10": 0.15, "recall@20": 0.93}, question=None),
    ]
    lines = text(rows).splitlines()
    body = [line.split() for line in lines if "0.1000–0.3000" in line]
    assert body == [
        ["5", "★", "high", "[x]", "0.2000", "0.1000–0.3000", "0.3000", "12,346", "1.23"],
        ["middle", "0.1500", "0.1000–0.3000", "0.5000", "12,346", "1.23"],
        ["5", "low", "0.1000", "0.1000–0.3000", "0.9000", "12,346", "1.23"],
    ]
    assert "toy, protocol P1" in lines[0]
    styles = {
        str(cell): cell.style
        for column in render(rows).columns
        for cell in column.cells
        if not isinstance(cell, str)
    }
    assert {value for value, style in styles.items() if style == "bold green"} == {
        "0.2000",
        "0.9000",
    }


def test_errors_rank_from_the_lowest() -> None:
    rows = [
        row("worse", {"rmse": 1.2, "mae": 0.9}, "P3"),
        row("better", {"rmse": 0.9, "mae": 0.7}, "P3"),
    ]
    body = [line.split() for line in text(rows).splitlines() if "0.1000–0.3000" in line]
    assert body == [
        ["5", "★", "better", "0.9000", "0.1000–0.3000", "0.7000", "1.23"],
        ["5", "worse", "1.2000", "0.1000–0.3000", "0.9000", "1.23"],
    ]
    assert "users/s" not in text(rows)


def test_the_table_of_a_real_run_fits_a_terminal(data: Dataset) -> None:
    shown = text(
        leaderboard([(12, "item CF, recent history", PopularityRecommender)], data, "P1"), width=80
    )
    assert "…" not in shown and all(
        name in shown for name in ("item-KNN", "popularity", "random", "recent")
    )


LONG = "UserCF(recency=10, n_neighbors=100, significance=1)"


@pytest.mark.parametrize("width", [40, 60, 80, 120])
def test_names_stay_whole_and_figures_go_where_the_screen_is_narrow(
    data: Dataset, width: int
) -> None:
    rows = leaderboard(
        [(7, LONG, PopularityRecommender), (12, "ItemCF(recency=10)", RandomRecommender)],
        data,
        "P1",
        progress=False,
    )
    shown = text(rows, width, fitted=True)
    assert "…" not in shown and all(
        word in shown for word in (*LONG.split(), "ItemCF(recency=10)", "popularity")
    )
    assert (
        "ndcg" in shown and f"{rows[0].metrics['ndcg@10']:.4f}" in shown
    )  # the main figure is the last to go
    assert max(map(len, shown.splitlines())) <= width
    assert ("coverage" in shown) == (width >= 80) and ("users/s" in shown) == (width >= 120)


def test_arrows_say_which_way_is_good() -> None:
    ranked = text([row("a", {"ndcg@10": 0.1, "coverage@10": 0.5})], 120)
    assert (
        "@10 ↑" in ranked and ranked.count("↑") == 1
    )  # coverage is neither better nor worse by itself
    assert "rmse ↓" in text([row("a", {"rmse": 1.0, "mae": 0.8}, "P3")], 120)


def test_rows_that_cannot_be_compared_are_not_put_on_one_table() -> None:
    good = row("a", {"ndcg@10": 0.1})
    others = [
        row("b", {"rmse": 1.0}, "P3"),
        dataclasses.replace(good, dataset="other"),
        dataclasses.replace(good, intervals={"ndcg@5": [0, 1]}, metrics={"ndcg@5": 0.5}),
    ]
    for rows in ([], *([good, other] for other in others)):
        with pytest.raises(ValueError, match="rows must be of one data set"):
            render(rows)


def test_evaluation_brings_in_neither_answers_nor_what_is_heavy() -> None:
    code = (
        "import sys, keras_recs.evaluation\n"
        "heavy = ('rich', 'tqdm', 'tensorflow', 'keras', 'sklearn')\n"
        "print([m for m in sys.modules if m.split('.')[0] in heavy"
        " or m.startswith(('keras_recs.answers', 'keras_recs.neural'))])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
