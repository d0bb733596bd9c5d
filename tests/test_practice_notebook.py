"""The check on what the cells of a notebook define."""

from __future__ import annotations

import linecache
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import practice_kit
import pytest

from keras_recs.practice import check, hint, notebook, status
from keras_recs.practice.stubs import functions
from keras_recs.questions import question

PREDICT = """
def affinity(p, q):
    return npp.einsum("nf,nf->n", p, q) * SCALE

def predict(theta, mean, users, items):
    '''My own.'''
    return (mean + theta.user_bias[users] + theta.item_bias[items]
            + affinity(theta.user_factors[users], theta.item_factors[items]))
"""


@pytest.fixture
def cell(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Any]:
    """Runs a text as a cell of one notebook, and gives the notebook's names."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("KERAS_RECS_TESTS", str(practice_kit.folder_of_tests(tmp_path / "tests")))
    names: dict[str, Any] = {"__name__": "__main__"}
    count = iter(range(1000))

    def cell(text: str) -> dict[str, Any]:
        place = f"<ipython-input-{os.getpid()}-{next(count)}>"
        linecache.cache[place] = (len(text), None, text.splitlines(True), place)  # as IPython does
        exec(compile(text, place, "exec"), names)
        return names

    cell("import numpy as npp\nfrom keras_recs.practice import check, hint, status\nSCALE = 1.0")
    yield cell
    for worker in notebook._workers.values():
        worker.close()
    notebook._workers.clear()
    notebook._last.clear()
    notebook._shown.clear()


def test_functions_of_cells_are_checked(cell, capsys: pytest.CaptureFixture[str]) -> None:
    cell(PREDICT)
    cell("check(5, predict)")
    out = capsys.readouterr().out
    assert (
        "q05   1 of 4 functions done   predict ✓   loss –" in out
        and "next, loss: Half the squared" in out
    )
    cell(
        "def loss(theta, mean, users, items, ratings, reg):\n    print('here')\n    return 1 / 0\n"
    )
    cell("check(5)")  # finds both by their names
    out = capsys.readouterr().out
    assert "predict ✓   loss ✗" in out and "loss: ZeroDivisionError" in out
    assert "line 3 of loss" in out and "here" in out and "\x1b" not in out
    cell("hint(5)")
    assert "for loss: " in capsys.readouterr().out
    cell("status(5)")
    assert "here 2 of 5 behaviours hold" in capsys.readouterr().out


def test_a_question_may_be_written_in_any_way(cell, capsys: pytest.CaptureFixture[str]) -> None:
    cell(PREDICT)
    cell("check('q05', predict)")
    assert "hint(5) gives a hint for loss" in capsys.readouterr().out
    cell("hint('05')\nstatus('q05')")
    out = capsys.readouterr().out
    assert "for loss: " in out and "here 2 of 5 behaviours hold" in out


def test_methods_are_taken_from_classes(cell) -> None:
    names = cell(
        "class NeuMF:\n    def _epochs(self, data, rng):\n        yield rng\n\n"
        "    def further(self):\n        pass\n"
    )
    text, places = notebook.spliced(question(8), [names["NeuMF"]], names)
    found = functions(text)
    assert "yield rng" in text and "NeuMF.further" in found and "NeuMF._table" in found
    assert [name for name, _, _ in places] == ["NeuMF._epochs", "NeuMF.further"]
    names = cell("def _epochs(self, data, rng):\n    yield 7\n")
    assert "        yield 7" in notebook.spliced(question(8), [names["_epochs"]], names)[0]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("check(5)", "this notebook defines none of them"),
        (
            "def other(): pass\ncheck(5, other)",
            "question 5 does not ask for 'other', but for: predict, loss",
        ),
        ("class Other: pass\ncheck(5, Other)", "question 5 has no class 'Other'"),
        (
            "def nodes(self): pass\ncheck(18, nodes)",
            "'nodes' may be LightGraphConvolution.nodes or Neural",
        ),
        ("check(5, 3)", "check takes functions and classes, got int"),
        ("check(24, 3)", "question 24 is not answered yet"),
        (
            "from keras_recs.answers.q05_matrix_factorization import predict\ncheck(5)",
            "defines none of them",
        ),
    ],
)
def test_what_cannot_be_checked_is_said(cell, text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        cell(text)


def test_the_names_are_functions_and_no_module_hides_them() -> None:
    import keras_recs.practice.commands
    import keras_recs.practice.notebook  # noqa: F401
    from keras_recs.practice import check as again

    assert again is check is notebook.check and hint is notebook.hint and status is notebook.status
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        keras_recs.practice.nonsense  # noqa: B018
