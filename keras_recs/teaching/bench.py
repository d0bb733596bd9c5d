"""`Bench`: models on several splits, each fitted once, for the tables at the end of a page."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from keras_recs.core.recommender import Recommender
from keras_recs.data.dataset import Dataset
from keras_recs.data.splits import Split
from keras_recs.evaluation.measuring import evaluate, evaluate_scores
from keras_recs.evaluation.protocols import Protocol, protocol_of
from keras_recs.evaluation.results import Evaluation, mean_evaluation
from keras_recs.teaching.claims import Claim, ClaimTable, check_claim
from keras_recs.teaching.identity import identity
from keras_recs.teaching.rivals import RivalTable, rivals_for

#: A recommender before `fit`, a function from the training data to scores (n_users, n_items), or
#: several of these (seeds), which are averaged by `mean_evaluation`; or the name of one that was
#: measured already.
Model = Recommender | Callable[[Dataset], np.ndarray] | Sequence[Any] | str


@dataclass(frozen=True, eq=False)
class Setting:
    """A split, and which items may stand on its lists.

    Args:
        split: as `keras_recs.data.split` makes it.
        candidates: ids of the items that are ranked; None for all.
    """

    split: Split
    candidates: Any = None


class Bench:
    """Fits and measures each model once on each split, and remembers it.

    Two models are the same where their class and the values of all hyperparameters are: `identity`.

    Args:
        splits: name -> a `Split`, or a `Setting` that also says which items are ranked.
        k: length of the lists.
        measured: (name of a model, name of a split) -> its evaluation, where a page has it already.

    Raises:
        ValueError: no split, or splits about different tasks.

    >>> from keras_recs.data import Split, from_matrix, split_random
    >>> from keras_recs.evaluation import PopularityRecommender
    >>> data = from_matrix([[1, 1, 0, 1], [1, 1, 1, 0], [0, 1, 1, 1]])
    >>> train, test = split_random(data, 0.3, seed=0)
    >>> bench = Bench({"random": Split("P1", train, test)})
    >>> first = bench.evaluation(PopularityRecommender(), "random")
    >>> first is bench.evaluation(PopularityRecommender(), "random")
    True
    """

    def __init__(
        self,
        splits: Mapping[str, Split | Setting],
        *,
        k: int = 10,
        measured: Mapping[tuple[str, str], Evaluation] | None = None,
    ) -> None:
        if not splits:
            raise ValueError("splits must have one entry at least, got none")
        self.settings = {
            name: each if isinstance(each, Setting) else Setting(each)
            for name, each in splits.items()
        }
        tasks = {name: protocol_of(each.split).task for name, each in self.settings.items()}
        if len(set(tasks.values())) > 1:
            said = ", ".join(f"{name} {task}" for name, task in tasks.items())
            raise ValueError(f"splits must all be about one task, got {said}")
        self.k = k
        self.measured = dict(measured or {})
        self._fitted: dict[Any, Recommender] = {}
        self._evaluations: dict[Any, Evaluation] = {}
        self._kept: list[Any] = []  # what was given, so that nothing else gets the id of one

    @property
    def protocol(self) -> Protocol:
        """Of the first split."""
        return protocol_of(next(iter(self.settings.values())).split)

    def fitted(self, model: Recommender, name: str) -> Recommender:
        """A copy of `model`, fitted on the training part of the split called `name`."""
        train = self._setting(name).split.train
        key = (identity(model), id(train))
        if key not in self._fitted:
            self._kept.append(model)
            self._fitted[key] = copy.deepcopy(model).fit(train)
        return self._fitted[key]

    def evaluation(self, model: Model, name: str) -> Evaluation:
        """What a model reaches on the split called `name`."""
        if isinstance(model, str):
            return self._known(model, name)
        if isinstance(model, list | tuple):
            return mean_evaluation([self.evaluation(each, name) for each in model])
        key = (identity(model), name)
        if key not in self._evaluations:
            self._kept.append(model)
            self._evaluations[key] = self._measure(model, self._setting(name), name)
        return self._evaluations[key]

    def _known(self, model: str, name: str) -> Evaluation:
        self._setting(name)
        if (model, name) not in self.measured:
            known = sorted({each for each, _ in self.measured})
            raise KeyError(
                f"{model!r} was not measured on {name!r}; measured are: {', '.join(known) or 'none'}"
            )
        return self.measured[model, name]

    def _measure(self, model: Any, setting: Setting, name: str) -> Evaluation:
        train = setting.split.train
        is_model = isinstance(model, Recommender)
        if is_model and setting.candidates is None:
            return evaluate(self.fitted(model, name), setting.split, k=self.k)
        users = train.user_ids.ids
        scores = self.fitted(model, name).score(users) if is_model else model(train)
        if setting.candidates is not None:
            ranked = np.isin(train.item_ids.ids, np.asarray(setting.candidates))
            scores = np.where(ranked, scores, -np.inf)
        return evaluate_scores(scores, setting.split, k=self.k)

    def rivals(
        self, own: Mapping[str, Model] | Sequence[str], *, metric: str | None = None
    ) -> RivalTable:
        """The page's own models among the rivals of the protocol, on every split.

        Args:
            own: name -> a model of the page; or names of what was measured. A rival that was
                measured under its name is not fitted again.
            metric: the main metric of the protocol by default.
        """
        train = next(iter(self.settings.values())).split.train
        models: dict[str, Model] = dict(rivals_for(self.protocol, train))
        known = {name for name, _ in self.measured}
        models |= {name: name for name in models if name in known}
        models |= own if isinstance(own, Mapping) else {name: name for name in own}
        evaluations = {
            name: {
                column: self.evaluation(model, column)
                for column, setting in self.settings.items()
                if _can(model, setting.split.train)
            }
            for name, model in models.items()
        }
        chosen = metric or self._main_metric(evaluations)
        return RivalTable(self.protocol.name, chosen, list(self.settings), list(own), evaluations)

    def _main_metric(self, evaluations: dict[str, dict[str, Evaluation]]) -> str:
        first = next(iter(next(iter(evaluations.values())).values()))
        return self.protocol.main_metric(first.metrics)

    def claims(self, claims: Sequence[Claim]) -> ClaimTable:
        """The table of what the page claims, and what shows it.

        Raises:
            AssertionError: the data contradict a claim.
            KeyError: a claim names a split that there is not.
        """
        for claim in claims:
            for name in claim.on:
                self._setting(name)
        return ClaimTable([check_claim(claim, self.evaluation) for claim in claims])

    def _setting(self, name: str) -> Setting:
        if name not in self.settings:
            raise KeyError(f"no split is called {name!r}; there are {', '.join(self.settings)}")
        return self.settings[name]


def _can(model: Any, data: Dataset) -> bool:
    """Whether the data have what a model needs."""
    if isinstance(model, list | tuple):
        return all(_can(each, data) for each in model)
    return all(data.has(what) for what in getattr(model, "requires", ()))
