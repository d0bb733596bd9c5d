"""The table of planted effects: every one is found, and was measured on the data that are here."""

from __future__ import annotations

import copy
import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture
def scripts(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The folder of the benchmarks on the path; its modules are forgotten after the test."""
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        if name.partition(".")[0] in {"cinema_effects", "effects", "readme", "results"}:
            del sys.modules[name]


@pytest.fixture
def benchmark(scripts: None) -> ModuleType:
    return importlib.import_module("cinema_effects")


def found(name: str) -> dict:
    """A row as it should be, of the data with the checksum "present"."""
    interval = {"interval": [0.1, 0.3], "found": True}
    return {"effect": name, "metric": "NDCG@10", "fixtures": "present", **interval}


def test_every_effect_is_found_in_the_present_data(benchmark: ModuleType) -> None:
    assert benchmark.faults(benchmark.kept()) == []


def test_every_module_is_an_effect_or_shared_by_some(benchmark: ModuleType) -> None:
    for name in benchmark.EFFECTS:
        text = (ROOT / "benchmarks" / "effects" / f"{name}.py").read_text(encoding="utf8")
        assert "\ndef measure(" in text


def test_faults_are_named(benchmark: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(benchmark, "checksum", lambda: "present")
    rows = [found(name) for name in benchmark.EFFECTS]
    assert benchmark.faults(rows) == []
    assert benchmark.faults(rows[1:]) == ["context is not measured"]

    of_zero = copy.deepcopy(rows)
    of_zero[2]["interval"] = [0.0, 0.2]
    (fault,) = benchmark.faults(of_zero)
    assert fault.startswith("interests") and "not above zero" in fault

    of_other_data = copy.deepcopy(rows)
    of_other_data[-1]["fixtures"] = "before"
    (fault,) = benchmark.faults(of_other_data)
    assert fault.startswith("graph") and "other data" in fault


def test_one_effect_joins_the_others_of_the_same_data(
    benchmark: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(benchmark, "checksum", lambda: "present")
    old = [{**found("texts"), "fixtures": "before"}, found("posters"), found("attention")]
    new = [{**found("attention"), "metric": "AUC"}]
    joined = [(row["effect"], row["metric"]) for row in benchmark.merged(new, old)]
    assert joined == [("attention", "AUC"), ("posters", "NDCG@10")]


def test_the_checksum_is_of_names_and_bytes(
    benchmark: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(benchmark, "shipped", lambda name: tmp_path / name)
    folder = tmp_path / "fixtures"
    folder.mkdir()
    (folder / "films.jsonl").write_bytes(b"one")
    first = benchmark.checksum()
    (folder / "LICENSE.md").write_bytes(b"no data")
    assert benchmark.checksum() == first
    (folder / "films.jsonl").write_bytes(b"two")
    assert benchmark.checksum() != first
    (folder / "films.jsonl").write_bytes(b"one")
    (folder / "films.jsonl").rename(folder / "users.jsonl")
    assert benchmark.checksum() != first


def test_a_row_holds_the_figures_of_its_effect(benchmark: ModuleType) -> None:
    effect = benchmark.Effect("context", "AUC", "a", "b", [0.5, 0.7], [0.4, 0.2], (0.05, 0.5))
    row = benchmark.as_row(effect)
    assert (row["right"], row["wrong"], row["difference"]) == (0.6, 0.3, 0.3)
    assert row["interval"] == [0.05, 0.5] and row["found"]
    row = benchmark.as_row(benchmark.Effect("context", "AUC", "a", "b", [1], [0], (0.0, 2.0)))
    assert not row["found"], "zero is in the interval"
    text = benchmark.table([{"effect": "context", **row}])
    assert text.splitlines()[-1] == (
        "| context | AUC | a | 1.0000 | b | 0.0000 | +1.0000 | +0.0000 to +2.0000 | no |"
    )


# --- what the effects of histories rest on --------------------------------------------------------


def test_vectors_are_matched_one_to_one(scripts: None) -> None:
    """Two vectors on one interest leave the other to the third; a single one stands for both."""
    match = importlib.import_module("effects.interests").match
    profiles = np.array([[1.0, 0.0, 0.0], [0.8, 0.6, 0.0], [0.0, 0.0, 1.0]])
    assert match(profiles, np.array([0, 1])) == pytest.approx((1.0 + 0.6) / 2)
    assert match(profiles[:1], np.array([0, 1])) == pytest.approx(0.5)


def test_groups_of_users_are_drawn_apart(scripts: None) -> None:
    """The interval is of the difference of two means, whatever the mean of all."""
    shared = importlib.import_module("effects.next_item")
    values = np.random.default_rng(0).normal(5.0, 1.0, (3, 400))
    group = np.arange(400) < 200
    values[:, group] += 1
    low, high = shared.interval_between(values, group, ~group)
    assert 0.8 < low < 1.0 < high < 1.2
