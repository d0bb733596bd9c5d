"""Films without an event, ranked for warm users by what is known of their content."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from effects.effect import Effect, compared
from effects.next_item import in_no_series

from keras_recs.data import Dataset
from keras_recs.data.cinema import ColdSplit, cinema_cold_split
from keras_recs.evaluation import Evaluation, evaluate_scores
from keras_recs.evaluation.metrics import ndcg_at

METRIC = "ndcg@10"
#: Penalties tried, in units of a film's average squared length.
PENALTIES = (1.0, 3.0, 10.0, 30.0, 100.0, 300.0)
#: Weights tried of the second and later blocks of features, where the first has 1.
WEIGHTS = (0.1, 0.2, 0.35, 0.5, 0.7, 1.0)
HELD_OUT = 64  # warm films that are treated as new when the penalty is chosen


@dataclass(frozen=True)
class ColdFilms:
    """The test of cold films, and a validation made of warm ones.

    Every content model is one ridge regression a user, from the features of the films to which of
    them the user met, so that features are all that differs.
    """

    cold: ColdSplit

    @classmethod
    def load(cls) -> ColdFilms:
        return cls(cinema_cold_split())

    @property
    def train(self) -> Dataset:
        return self.cold.warm.train

    @cached_property
    def is_cold(self) -> np.ndarray:
        """(n_items,) bool."""
        return np.isin(self.train.item_ids.ids, self.cold.item_ids)

    @cached_property
    def met(self) -> np.ndarray:
        """(n_users, n_items), 1 where the user met the item in training."""
        return self.train.seen.toarray()

    def evaluate(self, *blocks: np.ndarray) -> Evaluation:
        """Blocks of features, (n_items, d) each, judged on the cold films.

        The penalty, and how much the blocks after the first count, are those that do best on
        validation.
        """
        x, penalty = self._chosen(blocks)
        return self._judge(self.scores(x, penalty, ~self.is_cold))

    def scores(self, features: np.ndarray, penalty: float, known: np.ndarray) -> np.ndarray:
        """(n_users, n_items) of a ridge regression on the films that are `known`, (n_items,)
        bool."""
        x = features - features[known].mean(axis=0)
        x = x / np.sqrt(np.square(x[known]).sum(axis=1).mean())
        y = self.met[:, known]
        y = y - y.mean(axis=1, keepdims=True)
        kernel = x[known] @ x[known].T
        dual = np.linalg.solve(kernel + penalty * np.eye(len(kernel)), y.T)  # (n_known, n_users)
        return (x @ (x[known].T @ dual)).T

    def validation(self, features: np.ndarray, penalty: float) -> float:
        """How well warm films that are held out are ranked: mean NDCG@10 over four draws.

        Like the cold films, they are parts of no series."""
        alone = in_no_series(self.train)
        warm = np.flatnonzero(~self.is_cold & (self.train.popularity > 0))
        gains = []
        for seed in range(4):
            out = np.random.default_rng(seed).permutation(warm[alone[warm]])[:HELD_OUT]
            known = np.zeros(self.train.n_items, bool)
            known[np.setdiff1d(warm, out)] = True
            met = self.met[:, out] > 0
            gains.append(_ndcg(self.scores(features, penalty, known)[:, out], met))
        return float(np.mean(gains))

    def _chosen(self, blocks: Sequence[np.ndarray]) -> tuple[np.ndarray, float]:
        first, *others = (_of_length_one(block) for block in blocks)
        tried = [
            (np.hstack([first, *(weight * block for block in others)]), penalty)
            for weight in (WEIGHTS if others else (1.0,))
            for penalty in PENALTIES
        ]
        return max(tried, key=lambda setting: self.validation(*setting))

    def _judge(self, scores: np.ndarray) -> Evaluation:
        return evaluate_scores(np.where(self.is_cold, scores, -np.inf), self.cold.cold_items)


def _of_length_one(features: np.ndarray) -> np.ndarray:
    """The features less their mean, with an average squared length of one."""
    centred = features - features.mean(axis=0)
    return centred / np.sqrt(np.square(centred).sum(axis=1).mean())


def _ndcg(scores: np.ndarray, met: np.ndarray, k: int = 10) -> float:
    """Mean NDCG@k of the users who met something."""
    some = met.any(axis=1)
    order = np.argsort(-scores[some], axis=1, kind="stable")[:, :k]
    hits = np.take_along_axis(met[some], order, axis=1)
    return float(ndcg_at(hits, met[some].sum(axis=1)).mean())


def effect(name: str, finds: str, misses: str, right: Evaluation, wrong: Evaluation) -> Effect:
    """Two closed forms compared over users; there is no seed."""
    return compared(name, "NDCG@10 of cold films", (finds, misses), [right], [wrong], METRIC)


def one_hot(labels: list[tuple[str, ...]], least: int = 1) -> np.ndarray:
    """(n, number of labels) of those that at least so many films have."""
    counts: dict[str, int] = {}
    for label in (label for names in labels for label in names):
        counts[label] = counts.get(label, 0) + 1
    kept = sorted(label for label, count in counts.items() if count >= least)
    return np.array([[label in names for label in kept] for names in labels], float)
