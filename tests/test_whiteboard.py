"""What one would write on a whiteboard: a cell of each page that stands on its own, and is right.

A code cell with the tag `whiteboard` has 10 to 40 lines, imports NumPy, Keras and the standard
library only, and defines the functions that the check of its question calls:

* q08: `examples(X, n_negatives, rng)` -> (users, items, labels); `build(n_users, n_items, dim)` ->
  a Keras model with the inputs `user_id` and `item_id` and one logit; `recommend(model, X, user,
  k)` -> item indices, best first.
* q12: `item_cosine(X)` -> W; `ease(X, reg)` -> W; `recommend(X, W, user, k)` -> item indices.

`X` is (n_users, n_items), 1 where a user met an item, and is left as it is. `recommend` returns
nothing that the user has met, ties by the lower index; fewer than `k` where no more are left.
"""

from __future__ import annotations

import ast
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from keras_recs import EASE, ItemCF, NeuMF
from keras_recs.data import Dataset
from keras_recs.data.features import ItemFeatures, UserFeatures
from keras_recs.questions import QUESTIONS, question
from keras_recs.testing import checkerboard

NOTEBOOKS = Path(__file__).resolve().parents[1] / "notebooks"
SHORTEST, LONGEST = 10, 40
MAY_IMPORT = (sys.stdlib_module_names - {"importlib"}) | {"numpy", "keras"}

#: Pages without such a cell so far. A page leaves the list when it has one.
TO_COME = frozenset(
    {
        "q02_llm_interest",
        "q04_knn",
        "q05_matrix_factorization",
        "q06_content_embedding",
        "q07_user_cf",
        "q10_graph_embedding",
        "q11_implicit_mf",
        "q18_gcn",
    }
)


# --- The rules ------------------------------------------------------------------------------------


def faults(source: str) -> list[str]:
    """In what a cell breaks the rules; it is read and not run."""
    n_lines = sum(bool(line.strip()) for line in source.splitlines())
    found = []
    if not SHORTEST <= n_lines <= LONGEST:
        found.append(f"{n_lines} lines, {SHORTEST} to {LONGEST} are allowed")
    for node in ast.walk(ast.parse(source)):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [f"{'.' * node.level}{node.module or ''}"]
        elif isinstance(node, ast.Name) and node.id in ("__import__", "exec", "eval"):
            names = [node.id]
        found += [f"imports {name}" for name in names if name.split(".")[0] not in MAY_IMPORT]
    return found


def run(source: str) -> dict[str, Any]:
    """The names that a cell defines, run where nothing else is."""
    names: dict[str, Any] = {"__name__": "whiteboard"}
    exec(compile(source, "whiteboard", "exec"), names)
    return names


def whiteboards(stem: str) -> list[str]:
    """The tagged cells of a notebook."""
    cells = json.loads((NOTEBOOKS / f"{stem}.ipynb").read_text(encoding="utf8"))["cells"]
    return [
        "".join(cell["source"])
        for cell in cells
        if "whiteboard" in cell["metadata"].get("tags", []) and cell["cell_type"] == "code"
    ]


# --- The small nasty case -------------------------------------------------------------------------


def nasty() -> Dataset:
    """String ids, repeated events, ratings -1, 0 and 5; a user and an item without events, two items
    with the same audience, and a user who has met all but the item that nobody met."""
    rng = np.random.default_rng(3)
    met = rng.random((14, 9)) < 0.4
    met[:, 8] = met[:, 7]  # a tie
    met[0] = True
    users, items = np.nonzero(met)
    users, items = np.append(users, users[:10]), np.append(items, items[:10])
    people = np.array([f"user {u}" for u in range(14)] + ["new"])
    things = np.array([f"item {i}" for i in range(9)] + ["unsold"])
    return Dataset.from_arrays(
        people[users],
        things[items],
        ratings=np.array([-1.0, 0.0, 5.0])[(users + items) % 3],
        timestamps=(users + items) % 2,
        item_features=ItemFeatures(things, titles=things.tolist()),
        user_features=UserFeatures(people),
        name="nasty",
    )


def matrix(data: Dataset) -> np.ndarray:
    """(n_users, n_items), 1.0 where a user met an item; cannot be written to."""
    dense = (data.seen.toarray() != 0).astype(float)
    dense.flags.writeable = False
    return dense


def best(scores: np.ndarray, seen: np.ndarray, k: int) -> list[int]:
    """The `k` best unseen items, ties by the lower index."""
    left = np.flatnonzero(seen == 0)
    return left[np.argsort(-scores[left], kind="stable")][:k].tolist()


# --- What each question's cell has to get right ---------------------------------------------------


def check_q12(names: dict[str, Any]) -> None:
    """Weights and lists are those of `ItemCF` and `EASE`."""
    data = nasty()
    X = matrix(data)
    pairs = [
        (names["item_cosine"](X), ItemCF().fit(data)),
        (names["ease"](X, 2.0), EASE(reg=2.0).fit(data)),
    ]
    for W, model in pairs:
        ours = np.asarray(model.weights_)
        np.testing.assert_allclose(W, ours, rtol=1e-4, atol=1e-5)
        for user in range(data.n_users):
            got = np.asarray(names["recommend"](X, W, user, 4)).tolist()
            assert len(got) == min(4, int((X[user] == 0).sum())), "as many as are left, at most k"
            assert not X[user, got].any(), "nothing that the user has met"
            scores = X[user] @ ours
            wanted = best(scores, X[user], 4)
            np.testing.assert_allclose(scores[got], scores[wanted], rtol=1e-4, atol=1e-5)
    # whole numbers have exact ties
    ones = 1 - np.eye(data.n_items)
    for user in range(data.n_users):
        got = np.asarray(names["recommend"](X, ones, user, 4)).tolist()
        assert got == best(X[user] @ ones, X[user], 4), "ties by the lower index"


def check_q08(names: dict[str, Any]) -> None:
    """Examples are those that `NeuMF` trains on; the model ranks by its logits, and learns."""
    check_examples(names)
    check_model(names)


def check_examples(names: dict[str, Any]) -> None:
    """Each event of `seen` once, and as many unmet items as asked for each."""
    data = nasty()
    X = matrix(data)
    users, items, labels = (
        np.ravel(each) for each in names["examples"](X, 3, np.random.default_rng(0))
    )
    ours = next(NeuMF(n_negatives=3)._epochs(data, np.random.default_rng(0)))
    assert len(users) == len(items) == len(labels) == ours.n_rows
    assert set(labels.tolist()) == {0, 1}
    for label, met in ((1, 1), (0, 0)):
        mine = labels == label
        assert (X[users[mine], items[mine]] == met).all(), "labels say what was met"
        theirs = ours.inputs["user_id"][np.ravel(ours.targets) == label]
        assert sorted(users[mine].tolist()) == sorted(theirs.tolist())
    positives = list(zip(users[labels == 1].tolist(), items[labels == 1].tolist(), strict=True))
    assert len(set(positives)) == len(positives) == X.sum(), "a repeated event is one example"
    others = np.bincount(items[labels == 0], minlength=data.n_items)
    assert (others > 0).all(), "every item is a negative of somebody"


def check_model(names: dict[str, Any]) -> None:
    """On a checkerboard with a withheld diagonal, user u is recommended item u, as by `NeuMF`."""
    import keras

    X = matrix(checkerboard(20))
    keras.utils.set_random_seed(0)
    model = names["build"](20, 20, 8)
    assert {each.name for each in model.inputs} == {"user_id", "item_id"}
    loss = keras.losses.BinaryCrossentropy(from_logits=True)
    model.compile(optimizer=keras.optimizers.Adam(0.02), loss=loss)
    rng = np.random.default_rng(0)
    users, items, labels = (
        np.concatenate(each)
        for each in zip(*(names["examples"](X, 4, rng) for _ in range(10)), strict=True)
    )
    inputs = {"user_id": users.astype("int32"), "item_id": items.astype("int32")}
    model.fit(inputs, labels.astype("float32"), batch_size=256, epochs=10, verbose=0)

    every = np.arange(20, dtype="int32")
    logits = np.stack(
        [
            np.ravel(model({"user_id": np.full(20, u, "int32"), "item_id": every}, training=False))
            for u in every
        ]
    )
    assert logits.shape == (20, 20) and logits.min() < 0 < 1 < logits.max(), "logits, not shares"
    assert len(np.unique(logits)) > 300, "logits are not rounded"
    lists = [np.asarray(names["recommend"](model, X, u, 12)).tolist() for u in range(20)]
    assert lists == [best(logits[u], X[u], 12) for u in range(20)], "the best logits, the met aside"
    hits = np.mean([first[0] == u for u, first in enumerate(lists)])
    assert hits >= 0.8, f"user u is recommended item u: {hits:.2f} of them"


CHECKS: dict[int, Callable[[dict[str, Any]], None]] = {8: check_q08, 12: check_q12}


@pytest.mark.skipif(not NOTEBOOKS.is_dir(), reason="an installed package has no notebooks")
@pytest.mark.parametrize("stem", [q.stem for q in QUESTIONS if q.built])
def test_the_whiteboard_is_right(stem: str) -> None:
    cells = whiteboards(stem)
    if stem in TO_COME:
        assert not cells, "it has one: take it off the list TO_COME"
        return
    assert len(cells) == 1, "a page has one whiteboard"
    assert faults(cells[0]) == []
    CHECKS[int(stem[1:3])](run(cells[0]))


def test_every_question_is_built_or_to_come() -> None:
    assert {question(number).stem for number in CHECKS} | TO_COME == {
        q.stem for q in QUESTIONS if q.built
    }


# --- What is rejected -----------------------------------------------------------------------------

ITEMS = """\
import numpy as np

def item_cosine(X):
    common = X.T @ X  # (n_items, n_items): users who met both
    sizes = np.sqrt(np.maximum(np.diag(common), 1))  # an item nobody met divides nothing
    W = common / np.outer(sizes, sizes)
    np.fill_diagonal(W, 0)
    return W

def ease(X, reg):
    P = np.linalg.inv(X.T @ X + reg * np.eye(X.shape[1]))
    W = -P / np.diag(P)  # column j by -P[j, j]
    np.fill_diagonal(W, 0)
    return W

def recommend(X, W, user, k):
    scores = np.where(X[user] > 0, -np.inf, X[user] @ W)
    best = np.argsort(-scores, kind="stable")[:k]
    return best[np.isfinite(scores[best])]
"""

NETWORK = """\
import keras
import numpy as np

def examples(X, n_negatives, rng):
    users, items = np.nonzero(X)
    negatives = [rng.choice(np.flatnonzero(X[u] == 0), n_negatives) for u in users]
    labels = np.repeat([1.0, 0.0], [len(users), n_negatives * len(users)])
    users = np.concatenate([users, np.repeat(users, n_negatives)])
    return users, np.concatenate([items, *negatives]), labels

def build(n_users, n_items, dim):
    user_id = keras.Input((), dtype="int32", name="user_id")
    item_id = keras.Input((), dtype="int32", name="item_id")
    p = keras.layers.Embedding(n_users, dim)(user_id)  # (batch, dim)
    q = keras.layers.Embedding(n_items, dim)(item_id)  # (batch, dim)
    both = keras.layers.Concatenate()([p, q, keras.layers.Multiply()([p, q])])
    hidden = keras.layers.Dense(16, activation="relu")(both)
    logit = keras.layers.Dense(1)(hidden)  # (batch, 1)
    return keras.Model({"user_id": user_id, "item_id": item_id}, logit)

def recommend(model, X, user, k):
    items = np.flatnonzero(X[user] == 0)
    pairs = {"user_id": np.full(len(items), user), "item_id": items}
    logits = model.predict(pairs, verbose=0)[:, 0]
    return items[np.argsort(-logits, kind="stable")[:k]]
"""


def edited(source: str, old: str, new: str) -> str:
    """`source` with one place changed."""
    assert source.count(old) == 1, f"{old!r} stands there once"
    return source.replace(old, new)


@pytest.mark.parametrize(("source", "number"), [(ITEMS, 12), (NETWORK, 8)])
def test_a_right_cell_passes(source: str, number: int) -> None:
    assert faults(source) == []
    CHECKS[number](run(source))


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (f"import keras_recs\n{ITEMS}", "imports keras_recs"),
        (f"{ITEMS}\nfrom keras_recs.answers import q12_item_cf\n", "imports keras_recs.answers"),
        (f"{ITEMS}\nfrom . import x\n", "imports ."),
        (f"import scipy.sparse\n{ITEMS}", "imports scipy.sparse"),
        (f"import importlib\n{ITEMS}", "imports importlib"),
        (f"{ITEMS}\n__import__('x')\n", "imports __import__"),
        ("x = 1\n\n" * 9, "9 lines"),
        ("x = 1\n" * 41, "41 lines"),
    ],
)
def test_a_cell_that_breaks_the_rules_is_rejected(source: str, said: str) -> None:
    assert len(faults(source)) == 1 and said in faults(source)[0]


@pytest.mark.parametrize("n_lines", [10, 40])
def test_the_limits_are_allowed(n_lines: int) -> None:
    assert faults("x = 1\n\n" * n_lines) == []


def wrong_items() -> Iterator[str]:
    """Cells of question 12, each with a mistake."""
    diagonal = "    np.fill_diagonal(W, 0)\n    return W\n\ndef recommend"
    yield edited(ITEMS, diagonal, "    return W\n\ndef recommend")
    yield edited(ITEMS, "-P / np.diag(P)", "-P / np.diag(P)[:, None]")
    yield edited(ITEMS, "np.maximum(np.diag(common), 1)", "np.diag(common) + 1")
    yield edited(ITEMS, "W = -P / np.diag(P)", "W = np.round(-P / np.diag(P), 1)")
    yield edited(ITEMS, "np.where(X[user] > 0, -np.inf, X[user] @ W)", "X[user] @ W")
    yield edited(ITEMS, "np.argsort(-scores, kind", "np.argsort(scores, kind")
    yield edited(ITEMS, "-np.inf, X[user] @ W", "-np.inf, np.round(X[user] @ W)")
    yield edited(
        ITEMS,
        'np.argsort(-scores, kind="stable")[:k]',
        'np.argsort(scores, kind="stable")[::-1][:k]',
    )
    yield edited(ITEMS, "    return best[np.isfinite(scores[best])]", "    return best")
    yield edited(ITEMS, "    scores = np.where", "    X[user, 0] = 0\n    scores = np.where")


@pytest.mark.parametrize("source", [*wrong_items()])
def test_a_wrong_answer_to_question_12_is_rejected(source: str) -> None:
    names = run(source)
    with pytest.raises((AssertionError, ValueError)):
        check_q12(names)


def wrong_examples() -> Iterator[str]:
    """Cells of question 8 whose examples are wrong."""
    unmet = "rng.choice(np.flatnonzero(X[u] == 0), n_negatives)"
    yield edited(NETWORK, unmet, "rng.integers(X.shape[1], size=n_negatives)")
    yield edited(NETWORK, unmet, "np.flatnonzero(X[u] == 0)[[0] * n_negatives]")
    yield edited(NETWORK, "np.repeat(users, n_negatives)", "np.tile(users, n_negatives)")
    yield edited(NETWORK, "np.repeat([1.0, 0.0]", "np.repeat([0.0, 1.0]")
    yield edited(NETWORK, "users, items = np.nonzero(X)", "users, items = np.nonzero(X[:-3])")


@pytest.mark.parametrize("source", [*wrong_examples()])
def test_wrong_examples_are_rejected(source: str) -> None:
    names = run(source)
    with pytest.raises(AssertionError):
        check_examples(names)


def wrong_models() -> Iterator[str]:
    """Cells of question 8 that give no logits, round, or do not rank by the logits."""
    rounded = "keras.ops.round(keras.layers.Dense(1)(hidden))"
    yield edited(NETWORK, "keras.layers.Dense(1)(hidden)", rounded)
    yield edited(NETWORK, "Dense(1)(hidden)", 'Dense(1, activation="sigmoid")(hidden)')
    yield edited(NETWORK, "[:, 0]\n", "[:, 0].round()\n")
    yield edited(NETWORK, "np.flatnonzero(X[user] == 0)\n", "np.arange(X.shape[1])\n")
    yield edited(NETWORK, '"item_id": items}\n    logits', '"item_id": items * 0}\n    logits')


@pytest.mark.parametrize("source", [*wrong_models()])
def test_a_wrong_model_is_rejected(source: str) -> None:
    names = run(source)
    with pytest.raises((AssertionError, ValueError, UserWarning)):
        check_model(names)
