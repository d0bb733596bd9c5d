"""Choosing the k best."""

from __future__ import annotations

import numpy as np
import pytest

from keras_recs.utils.topk import top_k


@pytest.mark.parametrize("k", [1, 2, 7, 59, 60, 61, 90])
def test_it_is_the_stable_sort_ties_and_all(k: int) -> None:
    rng = np.random.default_rng(k)
    scores = rng.standard_normal((80, 60)).astype(np.float32)
    scores[:50] = scores[:50].round()  # many ties
    scores[10] = 0
    scores[11, :5] = [0.0, -0.0, 0.0, -0.0, 0.0]
    scores[12] = -np.inf
    scores[13, 3:] = -np.inf
    scores[14, 0] = np.inf
    columns, values = top_k(scores, k)
    expected = np.argsort(-scores.astype(np.float64), axis=1, kind="stable")[:, :k]
    best = np.take_along_axis(scores, expected, axis=1)
    expected = np.where(np.isneginf(best), -1, expected)
    assert columns.shape == values.shape == (80, k)
    assert (columns[:, :60] == expected).all() and (values[:, :60] == best).all()
    assert (columns[:, 60:] == -1).all() and np.isneginf(values[:, 60:]).all()
