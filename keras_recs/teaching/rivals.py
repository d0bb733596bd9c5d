"""Who stands beside a page's own models: one set of rivals for each task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from keras_recs.core.recommender import Recommender
from keras_recs.data.dataset import Dataset
from keras_recs.evaluation.comparison import compare
from keras_recs.evaluation.metrics import lower_is_better
from keras_recs.evaluation.protocols import EventPrediction, Protocol, RatingPrediction
from keras_recs.evaluation.results import Evaluation
from keras_recs.teaching.claims import MARK


def rivals_for(protocol: Protocol, data: Dataset) -> dict[str, Recommender]:
    """Name -> rival, unfitted: all that the protocol's task knows and the data allow.

    >>> from keras_recs.data import from_matrix
    >>> from keras_recs.evaluation import protocol_named
    >>> list(rivals_for(protocol_named("P1"), from_matrix([[1, 0], [1, 1]])))
    ['popularity', 'item CF', 'EASE', 'ALS', 'truncated SVD', 'ridge']
    """
    return {
        name: rival
        for name, rival in every_rival(protocol).items()
        if all(data.has(what) for what in (*rival.requires, *_needs(rival)))
    }


def every_rival(protocol: Protocol) -> dict[str, Recommender]:
    """Name -> rival, unfitted, whatever the data have."""
    if isinstance(protocol, RatingPrediction):
        return _of_ratings()
    if isinstance(protocol, EventPrediction):
        return _of_events()
    return _of_lists()


def _of_lists() -> dict[str, Recommender]:
    from keras_recs.answers.q11_implicit_mf import ImplicitALS
    from keras_recs.answers.q12_item_cf import EASE, ItemCF
    from keras_recs.evaluation.baselines import PopularityRecommender
    from keras_recs.evaluation.linear import GenreRidge, ItemRidge, TruncatedSVD

    return {
        "popularity": PopularityRecommender(),
        "genres only": GenreRidge(),
        "item CF": ItemCF(),
        "EASE": EASE(),
        "EASE, recent": EASE(recency=10.0),
        "ALS": ImplicitALS(),
        "truncated SVD": TruncatedSVD(),
        "ridge": ItemRidge(),
    }


def _of_ratings() -> dict[str, Recommender]:
    from keras_recs.answers.q04_knn import UserKNN
    from keras_recs.answers.q05_matrix_factorization import BiasedMF
    from keras_recs.evaluation.baselines import BiasRecommender, GlobalMeanRecommender

    return {
        "global mean": GlobalMeanRecommender(),
        "biases": BiasRecommender(),
        "k-NN": UserKNN(),
        "matrix factorisation": BiasedMF(),
    }


def _of_events() -> dict[str, Recommender]:
    from keras_recs.evaluation.events import BaseRateRecommender

    return {"base rate": BaseRateRecommender()}


def _needs(rival: Recommender) -> tuple[str, ...]:
    """What a setting needs beyond what the class does."""
    return ("timestamps",) if getattr(rival, "recency", None) is not None else ()


class RivalTable:
    """Every model on every split, as notebooks show it; its metadata name the rows for the checks.

    The best of a column is bold, and so is what is not clearly worse than it by the paired
    bootstrap. A page's own models are marked with a star.
    """

    def __init__(
        self,
        protocol: str,
        metric: str,
        columns: Sequence[str],
        own: Sequence[str],
        evaluations: Mapping[str, Mapping[str, Evaluation]],
    ) -> None:
        self.protocol = protocol
        self.metric = metric
        self.columns = list(columns)
        self.own = list(own)
        self.evaluations = evaluations

    def best(self, column: str) -> list[str]:
        """The names of the best, and of those that are not clearly worse."""
        there = {name: row[column] for name, row in self.evaluations.items() if column in row}
        sign = -1 if lower_is_better(self.metric) else 1
        first = max(there, key=lambda name: sign * there[name].metrics[self.metric])
        return [
            name
            for name, evaluation in there.items()
            if compare(there[first], evaluation, self.metric).verdict != "A is better"
        ]

    def cell(self, name: str, column: str) -> str:
        """The figure with its interval."""
        evaluation = self.evaluations[name].get(column)
        if evaluation is None:
            return "–"
        low, high = evaluation.interval(self.metric)
        return f"{evaluation.metrics[self.metric]:.3f} ({low:.3f} to {high:.3f})"

    def metadata(self) -> dict[str, Any]:
        table = {
            "protocol": self.protocol,
            "metric": self.metric,
            "columns": self.columns,
            "rows": list(self.evaluations),
            "own": self.own,
        }
        return {MARK: {"rivals": table}}

    def __repr__(self) -> str:
        width = max(len(name) for name in self.evaluations) + 2
        lines = [" " * width + "".join(f"{column:<26}" for column in self.columns)]
        for name in self.evaluations:
            cells = "".join(f"{self.cell(name, column):<26}" for column in self.columns)
            lines.append(f"{self._label(name):<{width}}{cells}".rstrip())
        return "\n".join([lines[0].rstrip(), *lines[1:]])

    def _label(self, name: str) -> str:
        return f"{name} *" if name in self.own else name

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> Any:
        best = {column: self.best(column) for column in self.columns}
        head = f"| {self.metric} | " + " | ".join(self.columns) + " |"
        lines = [head, "|---" * (len(self.columns) + 1) + "|"]
        for name in self.evaluations:
            cells = [
                f"**{self.cell(name, column)}**"
                if name in best[column]
                else self.cell(name, column)
                for column in self.columns
            ]
            lines.append(f"| {self._label(name).replace('*', '★')} | " + " | ".join(cells) + " |")
        note = "Bold: the best of a column, and what is not clearly worse. ★ this page's own."
        table = "\n".join([*lines, "", note])
        return {"text/markdown": table, "text/plain": repr(self)}, self.metadata()
