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
from keras_recs.evaluation.baselines import RandomRecommender
from keras_recs.evaluation.measuring import evaluate, evaluate_scores
from keras_recs.evaluation.protocols import Protocol, protocol_of
from keras_recs.evaluation.ranking import checked_scores
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
        candidates: ids of the items that are ranked, with ties in the order of chance; None for all.
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

    @property
    def protocol(self) -> Protocol:
        """Of the first split."""
        return protocol_of(next(iter(self.settings.values())).split)

    def fitted(self, model: Recommender, name: str) -> Recommender:
        """A copy of `model`, fitted on the training part of the split called `name`."""
        train = self._setting(name).split.train
        key = (identity(model), id(train))
        if key not in self._fitted:
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
            ranked = np.zeros(train.n_items, bool)
            ranked[train.item_ids.index("candidates", setting.candidates)] = True
            chance = RandomRecommender().fit(train).score(users)
            scores = untied(checked_scores(scores, setting.split), ranked, chance)
        return evaluate_scores(scores, setting.split, k=self.k)

    def rivals(
        self,
        own: Mapping[str, Model] | Sequence[str],
        *,
        beside: Mapping[str, Model] | Sequence[str] = (),
        metric: str | None = None,
    ) -> RivalTable:
        """The page's own models among the rivals of the protocol, on every split.

        Args:
            own: name -> a model of the page, one at least; or names of what was measured. A rival
                that was measured under its name is not fitted again. Below the table it is said of
                each of these who is ahead of it and who is behind.
            beside: further rows, such as controls and variants.
            metric: the main metric of the protocol by default.
        """
        train = next(iter(self.settings.values())).split.train
        models: dict[str, Model] = dict(rivals_for(self.protocol, train))
        known = {name for name, _ in self.measured}
        models |= {name: name for name in models if name in known}
        for more in (beside, own):
            models |= more if isinstance(more, Mapping) else {name: name for name in more}
        evaluations = {
            name: {
                column: self.evaluation(model, column)
                for column, setting in self.settings.items()
                if _can(model, setting.split.train)
            }
            for name, model in models.items()
        }
        chosen = metric or self._main_metric(evaluations)
        return RivalTable(self.protocol.name, chosen, self._facts(), list(own), evaluations)

    def _facts(self) -> dict[str, dict[str, Any]]:
        """What is known of each split: `facts_of`, and which have the same training part."""
        trains = list(dict.fromkeys(id(each.split.train) for each in self.settings.values()))
        return {
            name: {**facts_of(each.split), "training": trains.index(id(each.split.train))}
            for name, each in self.settings.items()
        }

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


def untied(scores: np.ndarray, ranked: np.ndarray, chance: np.ndarray) -> np.ndarray:
    """Places instead of scores, higher is better, for the items that are ranked; -inf for others.

    Ties are in the order of chance, so that a model that knows nothing of these items reaches what
    random order does, and not what the order of the catalogue happens to. Scores are ties where
    they differ by less than a millionth of the user's largest: what is left of zero after rounding
    is no opinion.

    Args:
        scores: (n_users, n_items), without NaN.
        ranked: (n_items,) bool.
        chance: (n_users, n_items) without ties.

    >>> ranked = np.array([True, True, False, True])
    >>> untied(np.array([[0.0, 1e-9, 5.0, 2.0]]), ranked, np.array([[0.7, 0.1, 0.5, 0.2]]))
    array([[  1.,   0., -inf,   2.]])
    """
    finite = np.where(np.isfinite(scores), np.abs(scores), 0.0)
    largest = finite.max(axis=1, keepdims=True).astype(np.float64)
    own = scores[:, ranked] / np.where(largest > 0, largest, 1.0)  # (n_users, n_ranked)
    order = np.lexsort((chance[:, ranked], own.round(6)), axis=-1)
    places = np.full(scores.shape, -np.inf)
    places[:, ranked] = np.where(own == -np.inf, -np.inf, order.argsort(axis=-1))
    return places


def facts_of(split: Split) -> dict[str, Any]:
    """What a split is, seen from its events.

    Returns:
        "data": the name of the data set; "protocol"; "in_time": whether nothing of a user's test is
        older than their training, None without time; "cold": the share of the test events whose
        item has no event in training.
    """
    train, test = split.train.interactions, split.test.interactions
    in_time = None
    if train.timestamps is not None and test.timestamps is not None:
        last = np.full(split.train.n_users, np.iinfo(np.int64).min)
        np.maximum.at(last, train.users, train.timestamps)
        in_time = bool((test.timestamps >= last[test.users]).all())
    cold = float(np.mean(split.train.popularity[test.items] == 0))
    name = split.train.name
    return {"data": name, "protocol": split.protocol, "in_time": in_time, "cold": round(cold, 4)}


def _can(model: Any, data: Dataset) -> bool:
    """Whether the data have what a model needs."""
    if isinstance(model, list | tuple):
        return all(_can(each, data) for each in model)
    return all(data.has(what) for what in getattr(model, "requires", ()))
