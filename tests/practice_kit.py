"""A small exercise to test the check with: question 5, judged by five tests of our own, whatever its tests say."""

from __future__ import annotations

import shutil
import signal
from pathlib import Path

from keras_recs.practice.sources import answer_source
from keras_recs.practice.stubs import Text, functions, stub, unmarked
from keras_recs.questions import question

Q = question(5)
STEM = "q05_matrix_factorization"
HEARTS = ["predict", "loss", "gradient", "descend"]
TESTS = '''
"""Question 5, in short."""

import numpy as np
import pytest

from keras_recs.practice import expect


def theta(answer):
    return answer.Parameters(np.array([0.5, -1.0]), np.array([0.25, 9.0]), np.array([[1.0], [3.0]]),
                             np.array([[0.5], [9.0]]))


@pytest.mark.needs()
def test_a_negative_price_is_refused(answer):
    """A negative penalty is refused."""
    with expect.error(ValueError, "reg", "a penalty below 0 would reward long vectors"):
        answer.BiasedMF(reg=-0.1)


@pytest.mark.needs("predict")
def test_prediction(answer):
    """A prediction is the sum of four terms."""
    expect.equal(answer.predict(theta(answer), 3.0, np.array([0, 1]), np.array([0, 0])), [4.25, 3.75],
                 "a prediction is the mean, the two biases and the affinity",
                 mistakes={"the affinity is missing": [3.75, 2.25]})


@pytest.mark.needs("predict", "loss")
@pytest.mark.parametrize("reg", [0.0, 0.1])
def test_loss(answer, reg):
    """The loss counts what has ratings."""
    value = answer.loss(theta(answer), 3.0, np.array([0]), np.array([0]), np.array([5.25]), reg)
    expect.equal(value, 0.5 + reg * 0.78125, "the penalty counts parameters that no rating uses")


@pytest.mark.needs("gradient")
def test_gradient(answer):
    """The gradient has the shape of the parameters."""
    slope = answer.gradient(theta(answer), np.array([0]), np.array([0]), np.array([1.0]), 0.1)
    expect.equal(slope.user_bias, [-0.95, 0.0], "a user without ratings has no slope")


@pytest.mark.needs("descend")
def test_descend(answer):
    """A step goes downhill."""
    there = theta(answer)
    answer.descend(there, theta(answer), 0.1)
    expect.equal(there.user_bias, [0.45, -0.9], "a step moves against the slope, in place")
'''

NEXT = '''
"""Question 6, in shorter."""

import pytest


@pytest.mark.needs("word_weights")
def test_weights(answer):
    """Each word has a weight."""
    assert answer.word_weights
'''


def folder_of_tests(place: Path, tests: str = TESTS) -> Path:
    """A folder that KERAS_RECS_TESTS may name."""
    place.mkdir(parents=True, exist_ok=True)
    shutil.copy(Path(__file__).with_name("conftest.py"), place)
    (place / f"test_{STEM}.py").write_text(tests, encoding="utf8")
    (place / "test_q06_content_embedding.py").write_text(NEXT, encoding="utf8")
    return place


def written(*hearts: str, **instead: str) -> str:
    """The exercise with some functions as in the answer, and others with a body of one's own; the rest is a stub."""
    whole, empty = unmarked(answer_source(Q)), stub(answer_source(Q))
    text, answers = Text(empty), functions(whole)
    for name, node in functions(empty).items():
        if name in hearts:
            text.replace(text.start(node), text.end(node), Text(whole).of(answers[name]))
        elif name in instead:
            said = node.body[0]
            text.replace(
                text.end(said), text.end(node), "\n    " + instead[name].replace("\n", "\n    ")
            )
    return text.result()


def interruptible() -> None:
    """For a process that is about to start: Ctrl-C ends it, also where the tests themselves run in
    the background and do not hear it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
