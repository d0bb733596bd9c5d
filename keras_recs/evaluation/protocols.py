"""Protocols: how data are split, what is measured on the test, and what it has to beat.

A protocol is a rule of `keras_recs.data.splits` and the measurement that its task asks for. Another
rule in `RULES` is another protocol; another task is another class here.
"""

from __future__ import annotations

import abc
import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar

from keras_recs.core.recommender import Recommender
from keras_recs.data.dataset import Dataset
from keras_recs.data.splits import RULES, Split, SplitRule
from keras_recs.evaluation import metrics
from keras_recs.evaluation.baselines import (
    BiasRecommender,
    GlobalMeanRecommender,
    ItemKNNRecommender,
    PopularityRecommender,
    RandomRecommender,
    RecentPopularityRecommender,
)
from keras_recs.evaluation.events import BaseRateRecommender, evaluate_events
from keras_recs.evaluation.leaks import refuse_leaks
from keras_recs.evaluation.ranking import RECALL_DEPTH, evaluate_recommended
from keras_recs.evaluation.ratings import evaluate_ratings
from keras_recs.evaluation.results import Evaluation
from keras_recs.utils.checks import one_of

#: What is called so, and what makes it, unfitted.
Baseline = tuple[str, type[Recommender]]


@dataclass(frozen=True)
class Protocol(abc.ABC):
    """How to split, and what to measure on the test.

    Args:
        rule: how to split; its name is the protocol's.

    >>> protocol = protocol_named("P3")
    >>> protocol.main_metric(["mae", "rmse"]), protocol.lower_is_better
    ('rmse', True)
    >>> [name for name, _ in protocol.baselines]
    ['global mean', 'biases']
    """

    #: The kind of the metric that answers are judged by.
    main: ClassVar[str]
    #: Who is on every table, the simplest first.
    baselines: ClassVar[tuple[Baseline, ...]]
    #: Which of them every answer has to beat.
    floor: ClassVar[Baseline]
    #: Whether what is measured are lists of items, which have a length k.
    ranks: ClassVar[bool] = False
    #: What a recommender must do to be measured.
    ability: ClassVar[str]

    rule: SplitRule

    @property
    def name(self) -> str:
        """Such as "P1": what the command line and a `Question` call it."""
        return self.rule.name

    @property
    def about(self) -> str:
        """How it splits, in a line."""
        return self.rule.about

    @property
    def task(self) -> str:
        """What is predicted: "ranking", "ratings" or "events"."""
        return self.rule.task

    @property
    def lower_is_better(self) -> bool:
        """The direction of the main metric."""
        return metrics.lower_is_better(self.main)

    def main_metric(self, names: Iterable[str]) -> str:
        """Which of these metrics of an evaluation is the main one: the first of its kind."""
        return next(name for name in names if metrics.kind(name) == self.main)

    def goodness(self, value: float) -> float:
        """A value of the main metric, turned so that more is better."""
        return -value if self.lower_is_better else value

    def cutoffs(self, k: int) -> tuple[int, ...]:
        """The lengths that lists are measured at, where k is asked for; () without lists."""
        return ()

    def lacking(self, data: Dataset) -> list[str]:
        """What it needs and `data` does not have."""
        return [what for what in self.rule.needs if not data.has(what)]

    def takes(self, other: Protocol) -> bool:
        """Whether what was made for another protocol can be measured by this one."""
        return type(other) is type(self)

    def split(self, data: Dataset, *, validation: bool = False) -> Split:
        """Training and test of `data`, or of its training part for a validation slice."""
        return self.rule.split(data, validation=validation)

    @abc.abstractmethod
    def measure(self, recommender: Any, split: Split, k: int) -> Evaluation:
        """What a fitted recommender reaches on `split.test`; `evaluate` is the public way."""


class Ranking(Protocol):
    """The best k of all items that the user has not seen."""

    main = "ndcg"
    baselines = (
        ("random", RandomRecommender),
        ("popularity", PopularityRecommender),
        ("recent popularity", RecentPopularityRecommender),
        ("item-KNN", ItemKNNRecommender),
    )
    floor = ("popularity", PopularityRecommender)
    ranks = True
    ability = "rank items"

    def cutoffs(self, k: int) -> tuple[int, ...]:
        return tuple(sorted({k, RECALL_DEPTH}))

    def takes(self, other: Protocol) -> bool:
        return True  # whatever it predicts, every recommender ranks by it

    def measure(self, recommender: Any, split: Split, k: int) -> Evaluation:
        refuse_leaks(recommender, split, again=True)
        return evaluate_recommended(recommender, split, k)


class RatingPrediction(Protocol):
    """The ratings of the test events."""

    main = "rmse"
    baselines = (("global mean", GlobalMeanRecommender), ("biases", BiasRecommender))
    floor = ("biases", BiasRecommender)
    ability = "predict ratings"  # a score of another kind is no rating: its RMSE means nothing

    def measure(self, recommender: Any, split: Split, k: int) -> Evaluation:
        refuse_leaks(recommender, split, again=False)
        test = split.test
        events = test.interactions
        predictions = recommender.predict(
            test.user_ids.ids[events.users], test.item_ids.ids[events.items]
        )
        return evaluate_ratings(predictions, split)


class EventPrediction(Protocol):
    """What comes of the test events, by label: clicked, liked, finished, ….

    `predict_events` is asked with the test events as they are, but without their labels. Outputs
    that are no label of the test are left out: an answer may have more of them.
    """

    main = "auc"
    baselines = (("base rate", BaseRateRecommender),)
    floor = ("base rate", BaseRateRecommender)
    ability = "predict what comes of an event"

    @property
    def about(self) -> str:
        return f"{self.rule.about}, and what comes of its events is predicted"

    def lacking(self, data: Dataset) -> list[str]:
        return super().lacking(data) + ([] if data.interactions.labels else ["labels"])

    def measure(self, recommender: Any, split: Split, k: int) -> Evaluation:
        events = split.test.interactions
        predicted = recommender.predict_events(dataclasses.replace(events, labels={}))
        known = {name: values for name, values in predicted.items() if name in events.labels}
        if not known:
            raise ValueError(
                f"{type(recommender).__name__} predicts {', '.join(predicted) or 'nothing'}, "
                f"and the test has {', '.join(events.labels) or 'no labels'}"
            )
        return evaluate_events(known, split)


#: Task of a rule -> what is measured.
TASKS: dict[str, type[Protocol]] = {
    "ranking": Ranking,
    "ratings": RatingPrediction,
    "events": EventPrediction,
}
#: All that have a name.
PROTOCOLS: dict[str, Protocol] = {name: TASKS[rule.task](rule) for name, rule in RULES.items()}


def protocol_named(name: str | Protocol | SplitRule) -> Protocol:
    """The protocol of this name; a protocol is given back as it is, and a rule gets its
    measurement.

    Raises:
        ValueError: an unknown name.
    """
    if isinstance(name, Protocol):
        return name
    if isinstance(name, SplitRule):
        return TASKS[one_of("task", name.task, TASKS)](name)
    return PROTOCOLS[one_of("protocol", name, PROTOCOLS)]


def protocol_of(split: Split) -> Protocol:
    """The protocol that a split was made for."""
    return protocol_named(split.protocol if split.made_by is None else split.made_by)


def require_lists(split: Split) -> None:
    """A ValueError, unless the split's protocol is about lists."""
    protocol = protocol_of(split)
    if not protocol.ranks:
        raise ValueError(
            f"a {protocol.name} split is about {protocol.task}, not rankings: "
            f"use evaluate_{protocol.task}"
        )
