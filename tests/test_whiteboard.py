"""The whiteboard of a page: short, self-contained, and equal to the library's answer."""

from __future__ import annotations

import ast
import contextlib
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from keras_recs.answers.q12_item_cf import EASE, ItemCF
from keras_recs.data import Dataset
from keras_recs.questions import QUESTIONS
from keras_recs.testing import nasty

NOTEBOOKS = Path(__file__).resolve().parents[1] / "notebooks"
#: Built pages whose whiteboard is still to be written.
TO_COME = {2, 4, 5, 6, 7, 8, 10, 11, 18}
BUILT = [q for q in QUESTIONS if q.built and q.number not in TO_COME]
LIBRARIES = {"numpy", "keras"}
SHORTEST, LONGEST = 10, 40


def whiteboards(stem: str) -> list[str]:
    """The sources of the cells with the tag."""
    page = json.loads((NOTEBOOKS / f"{stem}.ipynb").read_text(encoding="utf-8"))
    return [
        "".join(cell["source"])
        for cell in page["cells"]
        if "whiteboard" in cell["metadata"].get("tags", ())
    ]


def faults(source: str) -> list[str]:
    """What breaks the rules of a whiteboard."""
    out = []
    lines = [line for line in source.splitlines() if line.strip()]
    if not SHORTEST <= len(lines) <= LONGEST:
        out.append(f"{len(lines)} lines")
    for node in ast.walk(ast.parse(source)):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
        out += [f"imports {name}" for name in names if name.split(".")[0] not in LIBRARIES]
    return out


def run(source: str) -> dict[str, Any]:
    """What the cell defines, in a namespace of its own."""
    namespace: dict[str, Any] = {}
    with contextlib.redirect_stdout(io.StringIO()):
        exec(compile(source, "whiteboard", "exec"), namespace)
    return namespace


@pytest.mark.parametrize("question", BUILT, ids=lambda q: q.stem)
def test_a_page_has_one_whiteboard_that_keeps_the_rules(question: Any) -> None:
    (source,) = whiteboards(question.stem)
    assert faults(source) == []
    run(source)


@pytest.mark.parametrize(
    ("source", "fault"),
    [
        ("import numpy\n" * 9, "9 lines"),
        ("import numpy\n" * 41, "41 lines"),
        ("import keras_recs\n" * 10, "imports keras_recs"),
        ("from keras_recs.data import Dataset\n" * 10, "imports keras_recs.data"),
        ("import scipy.sparse\n" * 10, "imports scipy.sparse"),
    ],
)
def test_what_is_no_whiteboard_is_named(source: str, fault: str) -> None:
    assert fault in faults(source)


# --- question 12 ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def log() -> Dataset:
    """String ids, repeated events, ratings of 0 and below, a film nobody met; and films of different
    popularity, or a row of W could not be told from a column."""
    whole = nasty()
    kept = np.random.default_rng(0).random(len(whole)) < 0.7
    return whole.with_interactions(whole.interactions.take(kept))


def wrong_in_12(board: dict[str, Any], data: Dataset) -> list[str]:
    """In what the functions of the whiteboard differ from the library."""
    x = data.seen.toarray().astype(float)
    out = []
    cosine = board["item_cosine"](x.copy())
    if not np.allclose(cosine, ItemCF().fit(data).weights_, atol=1e-5):
        out.append("item_cosine")
    learned = board["ease"](x.copy(), 3.0)
    model = EASE(reg=3.0).fit(data)
    if not np.allclose(learned, model.weights_, atol=1e-5):
        out.append("ease")
    lists = model.recommend(data.user_ids.ids, 4)
    for user, ids in enumerate(lists.items):
        known = [
            item for item, score in zip(ids, lists.scores[user], strict=True) if np.isfinite(score)
        ]
        expected = data.item_ids.index("items", known)
        if not np.array_equal(board["recommend"](x, model.weights_, user, 4), expected):
            out.append(f"recommend to user {user}")
    return out


def test_question_12_is_the_library(log: Dataset) -> None:
    (source,) = whiteboards("q12_item_cf")
    assert log.popularity.min() == 0 and len(set(log.popularity)) > 3
    assert wrong_in_12(run(source), log) == []


@pytest.mark.parametrize(
    ("right", "wrong", "found"),
    [
        ("W = -P / np.diag(P)", "W = -P / np.diag(P)[:, None]", "ease"),
        (
            "W = -P / np.diag(P)  # column j by -P[j, j]\n    np.fill_diagonal(W, 0)",
            "W = -P / np.diag(P)",
            "ease",
        ),
        ("reg * np.eye(X.shape[1])", "np.eye(X.shape[1])", "ease"),
        ("np.sqrt(np.diag(together))", "np.diag(together).copy()", "item_cosine"),
        ("length[length == 0] = 1", "length[length == 0] = np.inf", "nothing"),
        ("scores[X[user] > 0] = -np.inf", "pass", "recommend"),
        ("np.argsort(-scores", "np.argsort(scores", "recommend"),
    ],
)
def test_a_wrong_whiteboard_is_rejected(log: Dataset, right: str, wrong: str, found: str) -> None:
    (source,) = whiteboards("q12_item_cf")
    assert source.count(right) == 1
    faults_ = wrong_in_12(run(source.replace(right, wrong)), log)
    if found == "nothing":  # another way to write the same
        assert faults_ == []
    else:
        assert any(fault.startswith(found) for fault in faults_)
