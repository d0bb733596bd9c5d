"""Fixtures that tests share: whom they grade, and the data they grade on."""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from pathlib import Path
from types import ModuleType

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import pytest

from keras_recs.data import Dataset, ItemFeatures, from_matrix, load_movielens


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--answer", type=Path, metavar="FILE",
                     help="grade this file instead of the library's answer (with the tests of one question)")


@pytest.fixture(scope="module")
def answer(request: pytest.FixtureRequest) -> ModuleType:
    """The module under test: the library's answer to the question of this test file, or the file of `--answer`."""
    stem = request.module.__name__.rpartition(".")[2].removeprefix("test_")
    file = request.config.getoption("--answer")
    if file is None:
        return importlib.import_module(f"keras_recs.answers.{stem}")
    spec = importlib.util.spec_from_file_location(f"graded_{stem}", file)
    assert spec is not None and spec.loader is not None, f"{file} is not a Python file"
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def ml100k() -> Dataset:
    """MovieLens-100K, where it can be had."""
    try:
        return load_movielens("ml-100k")
    except Exception as error:  # whatever the reason, it is not the fault of what is tested
        pytest.skip(f"MovieLens-100K cannot be had: {error}")


def checkerboard(n: int = 20) -> Dataset:
    """User u met every item of u's parity but item u: whoever learns from others must recommend item u."""
    users, items = np.nonzero((np.add.outer(np.arange(n), np.arange(n)) % 2 == 0) & ~np.eye(n, dtype=bool))
    features = ItemFeatures(np.arange(n), titles=[f"item {i}" for i in range(n)])
    return Dataset.from_arrays(users, items, ratings=np.full(len(users), 5.0), timestamps=np.arange(len(users)),
                               item_features=features, rating_scale=(1.0, 5.0), name="checkerboard")


def rated_checkerboard(n: int = 20) -> Dataset:
    """Items of the user's own parity are worth 5, the others 1; of each kind one is hidden: item u, and item u + 1."""
    users, items = np.divmod(np.arange(n * n), n)
    hidden = (items == users) | (items == (users + 1) % n)
    users, items = users[~hidden], items[~hidden]
    ratings = np.where((users + items) % 2 == 0, 5.0, 1.0)
    return Dataset.from_arrays(users, items, ratings, np.arange(len(users)), name="rated checkerboard")


def planted(n_users: int = 60, n_items: int = 40, rank: int = 3, observed: float = 0.4, seed: int = 0,
            ) -> tuple[Dataset, np.ndarray, np.ndarray]:
    """Ratings that are exactly of low rank around 3, some of them observed: (data, all ratings, observed mask)."""
    rng = np.random.default_rng(seed)
    truth = 3 + rng.normal(size=(n_users, rank)) @ rng.normal(size=(rank, n_items)) / rank ** 0.5
    mask = rng.random(truth.shape) < observed
    data = from_matrix(np.where(mask, truth, np.nan), missing=float("nan"))
    return data, truth, mask
