"""What the tests say about themselves: which functions each of them calls; and the hints for those
functions.

The map is measured: the answer itself is graded, with a call in each marked function that records
its name."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from keras_recs.practice import grading
from keras_recs.practice.defects import hints
from keras_recs.practice.grading import HOLDS, check, expected_tests
from keras_recs.practice.sources import answer_source
from keras_recs.practice.stubs import marked
from keras_recs.practice.trace import traced
from keras_recs.questions import QUESTIONS, Question

by_question = pytest.mark.parametrize("q", [q for q in QUESTIONS if q.built], ids=lambda q: q.stem)


def shown(names: list[str] | None) -> str:
    return "nothing" if names is None else f"needs({', '.join(map(repr, names))})"


@by_question
@pytest.mark.timeout(900)
def test_every_answer_passes_and_every_test_needs_just_what_it_calls(
    q: Question, tmp_path: Path
) -> None:
    file = tmp_path / "traced.py"
    file.write_text(traced(answer_source(q)), encoding="utf8")
    found = check(q, file, seconds=800)
    assert found.passed, [
        (b.test, b.state, b.message) for b in found.behaviours if not b.holds
    ] or found.stopped
    assert {part.state for part in found.parts} <= {HOLDS}, "every function is judged"

    hearts = list(found.answer)
    says: dict[str, list[str] | None] = {
        test["test"]: test["needs"] for test in found.tests.values()
    }
    calls: dict[str, set[str]] = {}
    for i, result in found.results.items():
        calls.setdefault(found.tests[i]["test"], set()).update(result["called"])
    wrong = [
        f"{test} says {shown(says[test])} and calls {shown(sorted(called, key=hearts.index))}"
        for test, called in calls.items()
        if says[test] != sorted(called, key=hearts.index)
    ]
    assert not wrong, "\n".join(wrong)


@by_question
def test_every_test_of_an_answer_says_what_it_needs_in_the_order_of_the_file(q: Question) -> None:
    """Those, too, that need something fetched, and are not measured here."""
    hearts = list(marked(answer_source(q)))
    tree = ast.parse((grading.tests_folder() / f"test_{q.stem}.py").read_text(encoding="utf8"))
    tests = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
    for name in expected_tests(q, full=True):
        marks = [
            d for d in tests[name].decorator_list if ast.unparse(d).startswith("pytest.mark.needs(")
        ]
        assert len(marks) == 1, f"{name} says nothing"
        needs = [ast.literal_eval(argument) for argument in marks[0].args]  # type: ignore[attr-defined]
        assert needs == sorted(set(needs), key=hearts.index), name


@by_question
def test_every_function_has_two_hints_at_least_and_no_other_has_any(q: Question) -> None:
    levels = hints(q)
    functions = marked(answer_source(q))
    assert set(levels) == set(functions)
    for name, texts in levels.items():
        assert (
            len(texts) >= 2
            and len(set(texts)) == len(texts)
            and all(text.strip() for text in texts)
        ), name
