"""Regret against values worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from keras_recs.evaluation import Regret

BEST = np.array([[0.9, 0.5, 0.9, 0.7], [0.6, 0.6, 0.8, 0.7]])
CHOSEN = np.array([[0.4, 0.5, 0.8, 0.7], [0.6, 0.1, 0.5, 0.6]])


def test_values_worked_out_by_hand() -> None:
    regret = Regret(BEST, CHOSEN)
    assert regret.per_round == pytest.approx(np.array([[0.5, 0, 0.1, 0], [0, 0.5, 0.3, 0.1]]))
    assert regret.cumulative == pytest.approx(np.array([[0.5, 0.5, 0.6, 0.6], [0, 0.5, 0.8, 0.9]]))
    assert regret.mean == pytest.approx([0.25, 0.5, 0.7, 0.75])
    assert regret.final == pytest.approx([0.6, 0.9])
    assert repr(regret) == "Regret(2 episodes of 4 rounds: 0.7500 in the end)"


def test_one_best_for_all_episodes_and_one_episode_alone() -> None:
    shared = Regret(BEST[0], CHOSEN)
    assert shared.per_round == pytest.approx(BEST[0] - CHOSEN)
    alone = Regret(BEST[0], CHOSEN[0])
    assert alone.mean.tolist() == pytest.approx([0.5, 0.5, 0.6, 0.6])
    with pytest.raises(ValueError, match="at least 2 episodes, got 1"):
        alone.interval()


def test_the_interval_is_that_of_the_mean_over_episodes(monkeypatch: pytest.MonkeyPatch) -> None:
    from keras_recs.evaluation import regret as module

    rng = np.random.default_rng(0)
    regret = Regret(np.ones(30), rng.random((200, 30)))
    low, high = regret.interval(n_resamples=4000)
    error = regret.cumulative.std(axis=0) / np.sqrt(200)
    assert low == pytest.approx(regret.mean - 1.96 * error, abs=0.15 * error.max())
    assert high == pytest.approx(regret.mean + 1.96 * error, abs=0.15 * error.max())
    assert ((low < regret.mean) & (regret.mean < high)).all()
    monkeypatch.setattr(module, "CELLS_HELD", 4000 * 7)  # seven rounds at once
    again = regret.interval(n_resamples=4000)
    assert again[0] == pytest.approx(low, abs=1e-12) and again[1] == pytest.approx(high, abs=1e-12)
    narrow = regret.interval(level=0.5, n_resamples=4000)
    assert (narrow[1] - narrow[0] < 0.5 * (high - low)).all()


@pytest.mark.parametrize(
    ("best", "chosen", "words"),
    [
        ([1.0], [[[1.0]]], r"chosen must be \(n_rounds,\)"),
        ([], [], "best must be .* not empty"),
        ([1.0, 2.0], [1.0], "same rounds"),
        (np.ones((2, 3)), np.ones((4, 3)), "same rounds and episodes"),
        ([1.0], [float("nan")], "chosen must be finite"),
    ],
)
def test_what_does_not_fit_is_refused(best, chosen, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Regret(best, chosen)
