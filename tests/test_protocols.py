"""Protocols are objects: what is asked of them, and that nothing else knows their names."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

import keras_recs
from keras_recs.data import RULES, Dataset, GlobalTimeCut, Split, split, split_last
from keras_recs.data.splits import LastSplit
from keras_recs.evaluation import (
    PROTOCOLS,
    EventPrediction,
    PopularityRecommender,
    Ranking,
    RatingPrediction,
    compare,
    evaluate,
    evaluate_scores,
    leaderboard,
    protocol_named,
    protocol_of,
)
from keras_recs.questions import QUESTIONS


@pytest.fixture(scope="module")
def data() -> Dataset:
    rng = np.random.default_rng(0)
    users, items = rng.integers(0, 50, 1500), rng.geometric(0.07, 1500).clip(1, 40)
    return Dataset.from_arrays(
        [f"u{u}" for u in users], items, rng.integers(0, 6, 1500), rng.permutation(1500)
    )


def test_each_knows_its_metric_direction_and_baselines() -> None:
    told = {
        name: (type(p), p.main, p.lower_is_better, p.floor[0], len(p.baselines), p.cutoffs(10))
        for name, p in PROTOCOLS.items()
    }
    ranking = (Ranking, "ndcg", False, "popularity", 4, (10, 20))
    assert told == {
        "P1": ranking,
        "P2": ranking,
        "P3": (RatingPrediction, "rmse", True, "biases", 2, ()),
        "P4": ranking,
        "P5": (EventPrediction, "auc", False, "base rate", 1, ()),
    }
    assert all(p.floor in p.baselines and p.name == name for name, p in PROTOCOLS.items())
    assert {q.protocol for q in QUESTIONS} <= set(PROTOCOLS)


@pytest.mark.parametrize("name", ["P1", "P2", "P3", "P4"])
def test_the_better_of_two_is_the_one_with_the_greater_goodness(data: Dataset, name: str) -> None:
    """The floor against the simplest baseline: the verdict and the direction agree."""
    protocol, parts = PROTOCOLS[name], split(data, name)
    simple, floor = (
        evaluate(made().fit(parts.train), parts)
        for made in (protocol.baselines[0][1], protocol.floor[1])
    )
    main = protocol.main_metric(floor.metrics)
    verdict = compare(floor, simple, main).verdict
    gain = protocol.goodness(floor.metrics[main]) - protocol.goodness(simple.metrics[main])
    assert gain != 0 and verdict != ("B is better" if gain > 0 else "A is better")
    assert protocol.lower_is_better == main.startswith("rmse")


def test_a_name_and_its_object_are_one(data: Dataset) -> None:
    for name, protocol in PROTOCOLS.items():
        assert protocol_named(name) is protocol is protocol_named(protocol)
        assert protocol_named(RULES[name]) == protocol
    for name in ("P1", "P2", "P3", "P4"):
        by_name, by_object = split(data, name), split(data, PROTOCOLS[name])
        for ours, theirs in zip(by_name, by_object, strict=True):
            assert ours.interactions.items.tolist() == theirs.interactions.items.tolist()
        made = PROTOCOLS[name].floor[1]
        reached = [evaluate(made().fit(p.train), p) for p in (by_name, by_object)]
        assert reached[0].metrics == reached[1].metrics
        assert reached[0].protocol == reached[1].protocol == name
    with pytest.raises(ValueError, match="protocol must be one of 'P1', .*; got 'P9'"):
        protocol_named("P9")


@dataclass(frozen=True)
class LastThree(LastSplit):
    """A protocol of one's own is one object."""

    name: str = "last three"

    def _cut(self, data: Dataset) -> Split:
        parts = split_last(data, 3)
        return Split(self.name, parts.train, parts.test)


def test_one_object_more_is_one_protocol_more(data: Dataset) -> None:
    mine = Ranking(LastThree())
    parts = split(data, mine)
    assert protocol_of(parts) is mine and parts.protocol == "last three"
    found = evaluate(PopularityRecommender().fit(parts.train), parts)
    assert found.protocol == "last three" and found.metrics["ndcg@10"] > 0
    rows = leaderboard([], data, mine, progress=False)
    assert [row.protocol for row in rows] == ["last three"] * 4
    assert rows[1].metrics == found.metrics
    rule = protocol_of(split(data, LastThree()))
    assert rule == mine, "a rule alone is measured by its task"


def test_a_rule_with_other_settings_keeps_its_measurement(data: Dataset) -> None:
    parts = split(data, GlobalTimeCut(share=0.5))
    assert isinstance(protocol_of(parts), Ranking) and protocol_of(parts).rule.share == 0.5
    assert parts.left_out == 1500 - len(parts.train) - len(parts.test)


def test_what_a_protocol_needs_and_whom_it_takes() -> None:
    bare = Dataset.from_arrays([1, 2], [1, 2])
    lacking = {name: protocol.lacking(bare) for name, protocol in PROTOCOLS.items()}
    times = ["timestamps"]
    assert lacking == {
        "P1": times,
        "P2": times,
        "P3": ["ratings"],
        "P4": times,
        "P5": ["timestamps", "labels"],
    }
    takes = {(a, b) for a, p in PROTOCOLS.items() for b, q in PROTOCOLS.items() if p.takes(q)}
    assert {b for a, b in takes if a == "P4"} == set(PROTOCOLS), "everything ranks"
    assert {b for a, b in takes if a == "P3"} == {"P3"}
    assert {b for a, b in takes if a == "P5"} == {"P5"}


def test_scores_are_no_ratings_and_no_events(data: Dataset) -> None:
    scores = np.zeros((data.n_users, data.n_items))
    for name, advice in (("P3", "evaluate_ratings"), ("P5", "evaluate_events")):
        parts = split(data, "P4")
        with pytest.raises(ValueError, match=f"not rankings: use {advice}"):
            evaluate_scores(scores, Split(name, parts.train, parts.test))


def branches(source: str) -> list[int]:
    """Lines that compare with the name of a protocol, or look it up in a dict written out."""
    name = re.compile(r"P\d")

    def named(node: ast.AST) -> bool:
        inside = node.elts if isinstance(node, ast.Tuple | ast.List | ast.Set) else [node]
        values = [one.value for one in inside if isinstance(one, ast.Constant)]
        return any(isinstance(value, str) and name.fullmatch(value) for value in values)

    found = []
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Compare(left=left, comparators=others) if any(map(named, [left, *others])):
                found.append(node.lineno)
            case ast.Dict(keys=keys) if any(named(key) for key in keys if key):
                found.append(node.lineno)
            case ast.MatchValue(value=value) if named(value):
                found.append(node.lineno)
    return found


def test_no_code_branches_on_the_name_of_a_protocol() -> None:
    package = Path(keras_recs.__file__).parent
    checked = [*package.rglob("*.py"), *(package.parent / "benchmarks").glob("*.py")]
    found = {path.name: branches(path.read_text("utf8")) for path in checked}
    assert not [name for name, lines in found.items() if lines] and len(checked) > 80
    for text in (
        'q.protocol == "P3"',
        'p in ("P1", "P2")',
        '{"P1": 3}[p]',
        "'P3' != p",
        "match p:\n case 'P1': 0",
    ):
        assert branches(text) == [1 + text.count("\n")], text
    assert not branches('split(data, "P1")')
