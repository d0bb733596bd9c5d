"""Who stands beside a page's own models: one set of rivals for each task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

from keras_recs.core.recommender import Recommender
from keras_recs.data.dataset import Dataset
from keras_recs.evaluation.comparison import Comparison, compare
from keras_recs.evaluation.metrics import lower_is_better
from keras_recs.evaluation.protocols import EventPrediction, Protocol, RatingPrediction
from keras_recs.evaluation.results import Evaluation
from keras_recs.teaching.claims import MARK


def rivals_for(protocol: Protocol, data: Dataset) -> dict[str, Recommender]:
    """Name -> rival, unfitted: all that the protocol's task knows and the data allow.

    >>> from keras_recs.data import from_matrix
    >>> from keras_recs.evaluation import protocol_named
    >>> list(rivals_for(protocol_named("P1"), from_matrix([[1, 0], [1, 1]])))
    ['random', 'popularity', 'item CF', 'EASE', 'ALS', 'truncated SVD', 'ridge']
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
    from keras_recs.evaluation.baselines import PopularityRecommender, RandomRecommender
    from keras_recs.evaluation.linear import GenreRidge, ItemRidge, TruncatedSVD

    return {
        "random": RandomRecommender(),
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
    from keras_recs.evaluation.logistic import LogisticRegression

    return {"base rate": BaseRateRecommender(), "logistic regression": LogisticRegression()}


def _needs(rival: Recommender) -> tuple[str, ...]:
    """What a setting needs beyond what the class does."""
    return ("timestamps",) if getattr(rival, "recency", None) is not None else ()


#: The verdict of `compare(own, rival)`, said of the rival.
PLACES = {"B is better": "ahead", "no clear difference": "level", "A is better": "behind"}


class RivalTable:
    """Every model on every split, as notebooks show it; its metadata carry it for the checks.

    The best of a column is bold, and so is what is not clearly worse than it by the paired
    bootstrap. A page's own models are marked with a star; below the table stands, for each of them
    and each split, who is clearly ahead of it, level with it and clearly behind it.

    Args:
        protocol: name of the rivals' protocol.
        metric: which figures are shown.
        columns: split -> what is known of it, for the checks; `facts_of` in `bench.py` says what.
        own: the page's own models, one at least.
        evaluations: model -> split -> what it reached there, where it could be fitted.

    Raises:
        ValueError: no own model.
    """

    def __init__(
        self,
        protocol: str,
        metric: str,
        columns: Mapping[str, Mapping[str, Any]],
        own: Sequence[str],
        evaluations: Mapping[str, Mapping[str, Evaluation]],
    ) -> None:
        if not own:
            raise ValueError("own must name one model of the page at least, got none")
        self.protocol = protocol
        self.metric = metric
        self.columns = list(columns)
        self.splits = columns
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

    @cached_property
    def comparisons(self) -> dict[str, dict[str, dict[str, Comparison]]]:
        """Own model -> split -> rival -> the own model minus the rival, on the same users."""
        rows = self.evaluations
        return {
            own: {
                column: {
                    name: compare(rows[own][column], row[column], self.metric)
                    for name, row in rows.items()
                    if name != own and column in row
                }
                for column in self.columns
                if column in rows[own]
            }
            for own in self.own
        }

    def places(self, own: str, column: str) -> dict[str, list[str]]:
        """The rivals that are clearly "ahead" of an own model on a split, "level", and "behind"."""
        found = self.comparisons[own][column]
        return {
            place: [name for name, each in found.items() if PLACES[each.verdict] == place]
            for place in ("ahead", "level", "behind")
        }

    def verdicts(self) -> list[str]:
        """A heading for each own model, and a line in words for each split."""
        lines = []
        for own, columns in self.comparisons.items():
            lines.append(f"{own} against the others, user by user:")
            for column in columns:
                said = self.places(own, column)
                ahead, level, behind = (" · ".join(said[p]) or "none" for p in said)
                lines.append(
                    f"- {column}: clearly ahead of it: {ahead}; level: {level}; "
                    f"clearly behind it: {behind}"
                )
        return lines

    @cached_property
    def cells(self) -> dict[str, list[str]]:
        """Model -> its figure on each split, with its interval."""
        return {
            name: [self._cell(row.get(column)) for column in self.columns]
            for name, row in self.evaluations.items()
        }

    def _cell(self, evaluation: Evaluation | None) -> str:
        if evaluation is None:
            return "–"
        low, high = evaluation.interval(self.metric)
        return f"{evaluation.metrics[self.metric]:.3f} ({low:.3f} to {high:.3f})"

    def metadata(self) -> dict[str, Any]:
        """What the checks read: rows, splits, figures, and how each rival stands to each own model:
        place, difference (own minus rival), and the ends of its interval."""
        table = {
            "protocol": self.protocol,
            "metric": self.metric,
            "columns": self.columns,
            "splits": {name: dict(facts) for name, facts in self.splits.items()},
            "rows": list(self.evaluations),
            "own": self.own,
            "figures": {
                name: {column: _short(each.metrics[self.metric]) for column, each in row.items()}
                for name, row in self.evaluations.items()
            },
            "verdicts": {
                own: {
                    column: {
                        name: [PLACES[c.verdict], *map(_short, (c.difference, c.low, c.high))]
                        for name, c in found.items()
                    }
                    for column, found in columns.items()
                }
                for own, columns in self.comparisons.items()
            },
        }
        return {MARK: {"rivals": table}}

    def __repr__(self) -> str:
        rows = [
            ["", *self.columns],
            *([self._label(name), *cells] for name, cells in self.cells.items()),
        ]
        widths = [max(map(len, column)) + 2 for column in zip(*rows, strict=True)]
        table = [
            "".join(f"{text:<{width}}" for text, width in zip(row, widths, strict=True)).rstrip()
            for row in rows
        ]
        return "\n".join([*table, "", *self.verdicts()])

    def _label(self, name: str) -> str:
        return f"{name} *" if name in self.own else name

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> Any:
        best = {column: self.best(column) for column in self.columns}
        head = f"| {self.metric} | " + " | ".join(self.columns) + " |"
        lines = [head, "|---" * (len(self.columns) + 1) + "|"]
        for name, cells in self.cells.items():
            marked = [
                f"**{cell}**" if name in best[column] else cell
                for column, cell in zip(self.columns, cells, strict=True)
            ]
            lines.append(f"| {self._label(name).replace('*', '★')} | " + " | ".join(marked) + " |")
        note = "Bold: the best of a column, and what is not clearly worse. ★ this page's own."
        words = [line if line.startswith("- ") else f"\n{line}\n" for line in self.verdicts()]
        table = "\n".join([*lines, "", note, *words])
        return {"text/markdown": table, "text/plain": repr(self)}, self.metadata()


def _short(value: float) -> float:
    """Six digits: what a check can use. The sign stays, however small it is."""
    return float(f"{value:.6g}")
