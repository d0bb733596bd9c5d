"""How a data set is split into training and test, and the validation slice inside the training
part."""

from __future__ import annotations

import abc
import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import numpy as np

from keras_recs.data.dataset import Dataset
from keras_recs.data.interactions import Interactions
from keras_recs.utils.checks import one_of, real_number, whole_number


@dataclass(frozen=True, eq=False)
class Split:
    """`train` and `test` on the same id maps. A user whose events all went to the test has none in
    `train`.

    Attributes:
        protocol: its name, such as "P1": what will be measured.
        train, test: two parts of one data set.
        left_out: how many events are in neither part; `GlobalTimeCut` says which.
        made_by: the protocol or rule that made it, where it came as an object; None where the name
            says it all.

    >>> data = Dataset.from_arrays([1, 1, 1, 2, 2], [10, 20, 30, 10, 30], timestamps=[1, 2, 3, 1, 2])
    >>> train, test = split(data, "P2")
    >>> len(train), len(test)
    (3, 2)
    """

    protocol: str
    train: Dataset
    test: Dataset
    left_out: int = 0
    made_by: Any = None

    def __post_init__(self) -> None:
        for what in ("user_ids", "item_ids"):
            ours, theirs = getattr(self.train, what), getattr(self.test, what)
            if (
                ours is not theirs and ours != theirs
            ):  # or an index would be one user here and another there
                raise ValueError(
                    f"train and test have different {what}: a Split needs two parts of one data set. Make "
                    "one of all events, and take its parts with "
                    "data.with_interactions(data.interactions.take(rows))"
                )

    def __iter__(self) -> Iterator[Dataset]:
        return iter((self.train, self.test))


class Splitter(Protocol):
    """What splits: one of the rules below, or a protocol, which has one."""

    @property
    def name(self) -> str: ...

    def split(self, data: Dataset, *, validation: bool = False) -> Split: ...


def split(data: Dataset, protocol: str | Splitter = "P1", *, validation: bool = False) -> Split:
    """Split `data` by `protocol`: the name of a rule in `RULES`, which says what each does, or an
    object.

    With `validation=True` the same rule is applied once more inside the training part, so that
    choosing hyperparameters never looks at the test.

    Args:
        data: with what the rule `needs`.
        protocol: such as "P1", a `SplitRule` with settings of its own, or a protocol of
            `keras_recs.evaluation`.
        validation: whether to split the training part instead.

    Raises:
        ValueError: an unknown name, data without what the rule needs, or too few events.

    >>> data = Dataset.from_arrays([1, 1, 2, 2], [10, 20, 10, 30], timestamps=[1, 7, 2, 9])
    >>> parts = split(data, GlobalTimeCut(time=5))
    >>> parts.protocol, parts.train.interactions.timestamps.tolist()
    ('P4', [1, 2])
    """
    if not isinstance(data, Dataset):
        raise TypeError(
            f"data must be a Dataset, got {type(data).__name__}; "
            "Dataset.from_arrays, from_frame, from_matrix, read_csv and read_parquet make one"
        )
    if isinstance(protocol, str):
        one_of("protocol", protocol, RULES)
        return RULES[protocol].split(data, validation=validation)
    if not hasattr(protocol, "split"):
        raise TypeError(
            "protocol must be a name such as 'P1', a SplitRule or a protocol, "
            f"got a {type(protocol).__name__}"
        )
    parts = protocol.split(data, validation=validation)
    return dataclasses.replace(parts, made_by=protocol)


# --- the rules ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class SplitRule(abc.ABC):
    """A way to split. What it does is a method; its settings are its fields."""

    #: What the data must hold, by the names that `Dataset.has` knows.
    needs: ClassVar[tuple[str, ...]]

    #: What a `Split` is called that it made.
    name: str = dataclasses.field(kw_only=True)
    #: What its test asks for: "ranking" (lists), "ratings", or "events" (what comes of an event).
    task: str = dataclasses.field(default="ranking", kw_only=True)

    def split(self, data: Dataset, *, validation: bool = False) -> Split:
        """Two parts of `data`; with `validation`, of the training part."""
        first = self._cut(data)
        return self._cut(first.train) if validation else first

    @property
    @abc.abstractmethod
    def about(self) -> str:
        """What it does, in a line."""

    @abc.abstractmethod
    def _cut(self, data: Dataset) -> Split:
        """Two parts of `data`."""


@dataclass(frozen=True)
class TemporalSplit(SplitRule):
    """Each user's own last events are the test: what does this user want next?

    The cut is at another time for each user, so the training part holds what other users did after
    a test event. Whoever forecasts asks `GlobalTimeCut`.
    """

    needs = ("timestamps",)

    name: str = dataclasses.field(default="P1", kw_only=True)
    fraction: float = 0.2

    @property
    def about(self) -> str:
        return f"temporal: each user's last {100 * self.fraction:g} % of events is the test"

    def _cut(self, data: Dataset) -> Split:
        return dataclasses.replace(split_temporal(data, self.fraction), protocol=self.name)


@dataclass(frozen=True)
class LastSplit(SplitRule):
    """Each user's last `n` events are the test."""

    needs = ("timestamps",)

    name: str = dataclasses.field(default="P2", kw_only=True)
    n: int = 1

    @property
    def about(self) -> str:
        if self.n == 1:
            return "leave one out: each user's last event is the test"
        return f"leave some out: each user's last {self.n} events are the test"

    def _cut(self, data: Dataset) -> Split:
        return dataclasses.replace(split_last(data, self.n), protocol=self.name)


@dataclass(frozen=True)
class RandomSplit(SplitRule):
    """A random share of the events is the test: values that are missing, not a future."""

    needs = ("ratings",)

    name: str = dataclasses.field(default="P3", kw_only=True)
    task: str = dataclasses.field(default="ratings", kw_only=True)
    fraction: float = 0.2
    seed: int = 42

    @property
    def about(self) -> str:
        share = "fifth" if self.fraction == 0.2 else f"{100 * self.fraction:g} %"
        return f"ratings: a random {share} of the events is the test, repeated ones together"

    def split(self, data: Dataset, *, validation: bool = False) -> Split:
        """As `split_random`, whose validation slice is of the same random order."""
        parts = split_random(data, self.fraction, seed=self.seed, validation=validation)
        return dataclasses.replace(parts, protocol=self.name)

    def _cut(self, data: Dataset) -> Split:
        return self.split(data)


@dataclass(frozen=True)
class GlobalTimeCut(SplitRule):
    """One moment for all users: what came before it is training, what comes from then on is test.

    It asks what a recommender that goes live at that moment would reach. Cut user by user
    (`TemporalSplit`), the training part holds what *other* users did after a test event: what was
    to become popular, and items that did not exist yet. Figures under such a split are too good for
    a forecast (Ji, Sun, Zhang & Li 2023, A Critical Study on Data Leakage in Recommender System
    Offline Evaluation). Here nobody's future is in the training part. What it costs: the test has
    only users who came back.

    Args:
        share: of the log's events, the last ones are the test. Events of the same moment stay
            together, so the test may be larger.
        time: the moment itself, in seconds since 1970, in the place of a share. The validation
            slice is then the last `share` of what came before.
        least: events that a user must have in training for the later ones to be tested. With 1,
            the test has no users who came only after the cut; with 0 they are in it, cold: whoever
            is measured must know what to recommend without a history. The events of users with
            fewer are in neither part, and `Split.left_out` counts them.

    Raises:
        ValueError: from `split`, where one part would be empty, or without timestamps.

    >>> data = Dataset.from_arrays(
    ...     ["ann", "bob", "ann", "cem"], [1, 2, 3, 1], timestamps=[10, 20, 30, 40]
    ... )
    >>> parts = GlobalTimeCut(share=0.5).split(data)
    >>> parts.train.interactions.timestamps.tolist(), parts.test.interactions.timestamps.tolist()
    ([10, 20], [30])
    >>> parts.left_out  # cem was never seen before
    1
    """

    needs = ("timestamps",)

    name: str = dataclasses.field(default="P4", kw_only=True)
    share: float = 0.2
    time: int | None = None
    least: int = 1

    def __post_init__(self) -> None:
        if real_number("share", self.share, above=0.0, most=1.0) == 1:
            raise ValueError("share must be less than 1: nothing would be left to train on")
        whole_number("least", self.least, least=0)
        if self.time is not None:
            whole_number("time", self.time, least=-(2**62))

    @property
    def about(self) -> str:
        part = f"the last {100 * self.share:g} % of the log"
        if self.time is not None:
            part = f"what comes from {self.time} on"
        return f"one cut in time for all: {part} is the test"

    def split(self, data: Dataset, *, validation: bool = False) -> Split:
        """Two parts of `data`; with `validation`, of the training part, at a moment of its own."""
        first = self._cut(data)
        if not validation:
            return first
        return dataclasses.replace(self, time=None)._cut(first.train)

    def _cut(self, data: Dataset) -> Split:
        data.require("timestamps", by="a global time cut")
        events = data.interactions
        later = self._later(events)
        if later.all() or not later.any():
            empty = "train" if later.all() else "test"
            raise ValueError(f"the time cut leaves nothing to {empty} on")
        known = np.bincount(events.users[~later], minlength=data.n_users) >= self.least
        tested = later & known[events.users]
        if not tested.any():
            raise ValueError(
                f"no user has {self.least} events before the time cut and one after it: "
                "there is nothing to test on"
            )
        return Split(
            self.name,
            data.with_interactions(events.take(~later)),
            data.with_interactions(events.take(tested)),
            left_out=int(np.count_nonzero(later & ~tested)),
        )

    def _later(self, events: Interactions) -> np.ndarray:
        """(n,) bool: which events come at the cut or after it."""
        seconds = events.timestamps
        assert seconds is not None, "`require` has seen to it"
        if self.time is not None:
            return seconds >= self.time
        fractions = events.nanoseconds
        if fractions is None:
            fractions = np.zeros(len(events), np.int32)
        order = np.lexsort([fractions, seconds])
        n_test = max(1, int(self.share * len(events) + 1e-9))
        cut = order[len(events) - n_test]  # the first event of the test
        same_second = seconds == seconds[cut]
        return (seconds > seconds[cut]) | (same_second & (fractions >= fractions[cut]))


#: Every rule that has a name of its own, by that name. One more here is one more protocol:
#: `keras_recs.evaluation.protocols` measures it by its task.
RULES: dict[str, SplitRule] = {
    rule.name: rule
    for rule in (
        TemporalSplit(),
        LastSplit(),
        RandomSplit(),
        GlobalTimeCut(),
        GlobalTimeCut(name="P5", task="events", least=0),
    )
}


# --- the same as functions ------------------------------------------------------------------------


def split_temporal(data: Dataset, fraction: float = 0.2) -> Split:
    """Each user's last `max(1, int(fraction · n))` events are the test; ties keep the order of the
    data."""
    real_number("fraction", fraction, above=0.0, most=1.0)
    data.require("timestamps", by="a temporal split")
    counts = np.bincount(data.interactions.users, minlength=data.n_users)
    # int(0.2 · n) of a float product, as everyone writes it: 0.2 · 5 must not fall below 1 by
    # rounding
    n_test = np.maximum(1, np.floor(fraction * counts + 1e-9).astype(np.int64))
    return _cut_ends(data, n_test, TemporalSplit.name)


def split_last(data: Dataset, n: int = 1) -> Split:
    """Each user's last `n` events are the test."""
    whole_number("n", n)
    data.require("timestamps", by="a leave-one-out split")
    return _cut_ends(data, np.full(data.n_users, n), LastSplit.name)


def _cut_ends(data: Dataset, n_test: np.ndarray, protocol: str) -> Split:
    events = data.interactions
    order = events.chronological()
    users = events.users[order]
    ends = np.cumsum(np.bincount(users, minlength=data.n_users))
    from_the_end = ends[users] - 1 - np.arange(len(users))
    in_test = from_the_end < n_test[users]
    if in_test.all():
        raise ValueError("the split leaves nothing to train on: every user has too few events")
    return Split(
        protocol,
        data.with_interactions(events.take(order[~in_test])),
        data.with_interactions(events.take(order[in_test])),
    )


def split_random(
    data: Dataset, fraction: float = 0.2, *, seed: int = 42, validation: bool = False
) -> Split:
    """A random `fraction` of the events is the test, whoever they belong to.

    All events of a user with one item go to the same side: a rating that the training part holds,
    too, would be remembered, not predicted. So the fraction is of the pairs of users and items,
    which are the events where none is repeated.

    With `validation=True` the test is the last `fraction` of the training part, in the same random
    order."""
    real_number("fraction", fraction, above=0.0, most=1.0)
    events = data.interactions
    pair, n_pairs = _pairs(data)
    order = np.random.default_rng(seed).permutation(n_pairs)
    n_train = round((1 - fraction) * n_pairs)
    n_test = n_pairs - n_train
    if validation:
        before, n_train = n_train, round((1 - fraction) * n_train)
        n_test = before - n_train
    if n_train == 0 or n_test == 0:
        raise ValueError(
            f"{len(events)} events ({n_pairs} different pairs) are too few for a random split with "
            f"fraction {fraction}"
        )
    place = np.empty(n_pairs, np.int64)  # of each pair in the random order
    place[order] = np.arange(n_pairs)
    place = place[pair]
    rows = np.argsort(place, kind="stable")  # of the events, in the random order of their pairs
    of_train, of_both = np.searchsorted(place[rows], [n_train, n_train + n_test])
    return Split(
        RandomSplit.name,
        data.with_interactions(events.take(rows[:of_train])),
        data.with_interactions(events.take(rows[of_train:of_both])),
    )


def _pairs(data: Dataset) -> tuple[np.ndarray, int]:
    """(n,) which pair of user and item each event is of, numbered as they first come; how many
    pairs there are."""
    events = data.interactions
    keys = events.users * data.n_items + events.items
    _, first, pair = np.unique(keys, return_index=True, return_inverse=True)
    number = np.empty(len(first), np.int64)
    number[np.argsort(first)] = np.arange(len(first))
    return number[pair], len(first)
