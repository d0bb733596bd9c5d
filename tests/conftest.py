"""Fixtures that tests share: whom they grade, and the data they grade on."""

from __future__ import annotations

import importlib
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import pytest
from filelock import FileLock

import keras_recs
from keras_recs.cli import main
from keras_recs.core.recommender import Recommender
from keras_recs.data import Dataset, load_movielens, split
from keras_recs.data.assets import AssetError
from keras_recs.data.cinema import (
    CinemaTruth,
    load_cinema,
    load_cinema_impressions,
    load_cinema_truth,
)
from keras_recs.practice.defects import Defect, by_stem, defects
from keras_recs.practice.reporter import refuse_borrowed, withhold
from keras_recs.practice.sources import answer_source
from keras_recs.questions import Answer, Question
from keras_recs.testing import checkerboard, random_crowd, rated_checkerboard  # noqa: F401
from keras_recs.text import BaseEncoder, EncoderError, load_encoder

LIBRARY = "answer"

#: Files whose tests take long, longest first: of several processes, none should begin with one of
#: them when the others are done.
LONG = (
    "test_practice_map",
    "test_contract",
    "test_floors",
    "test_devices",
    "test_q08_deep_learning",
    "test_q02_llm_interest",
    "test_practice_watch",
    "test_text_models",
    "test_practice",
    "test_q18_gcn",
    "test_interview",
    "test_q10_graph_embedding",
)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--answer",
        type=Path,
        metavar="FILE",
        help="grade this file instead of the library's answer (with the tests of one question)",
    )
    parser.addoption(
        "--defects",
        choices=["own", "all", "none"],
        default="own",
        help="also run, on each planted defect, the test that must reject it; all tests; or none",
    )


def pytest_configure(config: pytest.Config) -> None:
    for marker in (
        "assets: needs pretrained weights, which are fetched when they are not there; skipped where they "
        "cannot be had",
        "data: needs MovieLens, which is fetched when it is not there; skipped where it cannot be had",
        "gpu: needs a GPU; skipped elsewhere",
        "needs(*functions): which of the answer's hearts this behaviour calls, by qualified name",
        "shape: looks at shapes and types only, which proves little",
    ):
        config.addinivalue_line("markers", marker)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test of a question grades the library's answer and, besides, every planted defect that it
    must reject.

    Such a test is expected to fail. When it passes, the run fails: the defect got through.
    """
    if "answer" not in metafunc.fixturenames:
        return
    wanted, file = metafunc.config.getoption("--defects"), metafunc.config.getoption("--answer")
    cases = [pytest.param(file, id=LIBRARY)]
    if wanted != "none" and file is None:
        rejected = pytest.mark.xfail(strict=True, reason="planted") if wanted == "own" else ()
        cases += [
            pytest.param(defect, id=defect.name, marks=rejected)
            for defect in defects(question_of(metafunc))
            if defect.plantable
            and (wanted == "all" or defect.test_function == metafunc.function.__name__)
        ]
    metafunc.parametrize("answer", cases, indirect=True, scope="module")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Long files first, where several processes share them; of a test with several cases, a defect
    runs the one that it names."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        rank = {name: place for place, name in enumerate(LONG)}
        items.sort(key=lambda item: rank.get(item.path.stem, len(LONG)))
    if config.getoption("--defects") != "own":
        return
    kept, dropped = [], []
    for item in items:
        defect = getattr(item, "callspec", None) and item.callspec.params.get("answer")
        case = isinstance(defect, Defect) and defect.test.partition("[")[2].removesuffix("]")
        (
            kept if not case or case in item.callspec.id.replace(f"{defect.name}-", "") else dropped
        ).append(item)
    items[:] = kept
    config.hook.pytest_deselected(items=dropped)


def question_of(asking: pytest.Metafunc | pytest.FixtureRequest) -> Question:
    return by_stem(asking.module.__name__.rpartition(".")[2].removeprefix("test_"))


@pytest.fixture(scope="module")
def answer(request: pytest.FixtureRequest) -> ModuleType:
    """The module under test: the library's answer to the question of this file, the file of
    `--answer`, or the answer with a defect planted."""
    q = question_of(request)
    if request.param is None:
        return importlib.import_module(q.module)
    planted = isinstance(request.param, Defect)
    source = (
        request.param.plant(answer_source(q))
        if planted
        else request.param.read_text(encoding="utf-8-sig")
    )
    module = ModuleType(f"graded_{q.stem}")
    module.__file__ = str(q.stem if planted else request.param)
    sys.modules[module.__name__] = module  # dataclasses look their module up
    if not planted:
        request.addfinalizer(withhold(*q.modules))
    exec(compile(source, module.__file__, "exec"), module.__dict__)
    if not planted:
        refuse_borrowed(module.__dict__, *q.modules)
    return module


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    """Run the command `keras-recs` in this process: (exit code, stdout, stderr)."""
    monkeypatch.setenv("COLUMNS", "160")

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["keras-recs", *arguments])
        with pytest.raises(SystemExit) as end:
            main()
        return int(end.value.code or 0), *capsys.readouterr()

    return run


@pytest.fixture(scope="session")
def ml100k() -> Dataset:
    """MovieLens-100K, where it can be had."""
    try:
        return load_movielens("ml-100k")
    except (AssetError, OSError) as error:
        pytest.skip(f"MovieLens-100K cannot be had: {error}")


@pytest.fixture(scope="session")
def fitted_on_movielens(
    ml100k: Dataset, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[Question, Answer], Recommender]:
    """Answers as they come, fitted on the training part of their protocol on MovieLens-100K: each
    once, by whoever asks first, in whatever process."""
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent

    def fitted(q: Question, a: Answer) -> Recommender:
        file = folder / re.sub(r"\W+", "_", f"q{q.number}_{a.name}")
        with FileLock(f"{file}.lock"):
            if not file.exists():
                q.make(a).fit(split(ml100k, q.protocol).train).save(file)
        return keras_recs.load(file)

    return fitted


@pytest.fixture
def on_movielens(
    request: pytest.FixtureRequest, answer: ModuleType, ml100k: Dataset
) -> Callable[[str], Recommender]:
    """A class of the module under test, with its defaults, fitted on MovieLens-100K."""
    q = question_of(request)

    def fitted(class_name: str) -> Recommender:
        kind = getattr(answer, class_name)
        if kind is not getattr(keras_recs, class_name):  # somebody's own
            return kind().fit(split(ml100k, q.protocol).train)
        plain = next(a for a in q.answers if a.class_name == class_name and not a.params)
        return request.getfixturevalue("fitted_on_movielens")(q, plain)

    return fitted


def pretrained(name: str) -> BaseEncoder:
    """An encoder that keeps nothing on disk, where its weights can be had."""
    try:
        return load_encoder(name, cache=False)
    except EncoderError as error:
        pytest.skip(f"the encoder {name} cannot be had: {error}")


@pytest.fixture(scope="session")
def minilm() -> BaseEncoder:
    return pretrained("minilm")


@pytest.fixture(scope="session")
def multilingual() -> BaseEncoder:
    return pretrained("use-multilingual")


@pytest.fixture(scope="session")
def smollm2() -> BaseEncoder:
    return pretrained("smollm2")


@pytest.fixture(scope="session")
def cinema() -> Dataset:
    """The data set cinema. Immutable, so one serves all tests."""
    return load_cinema()


@pytest.fixture(scope="session")
def shown() -> Dataset:
    """What cinema's users were shown, watched or not."""
    return load_cinema_impressions()


@pytest.fixture(scope="session")
def truth() -> CinemaTruth:
    """What was planted in cinema."""
    return load_cinema_truth()
