"""The contract of a recommender as a battery of behaviours, as scikit-learn's `check_estimator` is
one for estimators.

    from keras_recs.testing import check_recommender

    check_recommender(MyRecommender(n_factors=8))

Each behaviour is a function that takes a `Subject`. The errors name the behaviour that is broken,
and say how.
"""

from __future__ import annotations

import copy
import pickle
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

from keras_recs.core.recommender import NotFittedError, Recommender
from keras_recs.core.storage import StorageError
from keras_recs.data.dataset import Dataset
from keras_recs.data.readers import from_matrix
from keras_recs.testing.boards import checkerboard, nasty, with_words
from keras_recs.testing.expecting import Broken, close, holds, refuses, same

WORDS = {"titles", "genres", "texts", "user_texts"}
QUICK = 3  # epochs, where nothing needs to be learned

Behaviour = Callable[["Subject"], None]
#: Name -> behaviour, in the order in which they are looked for.
BATTERY: dict[str, Behaviour] = {}


class ContractError(AssertionError):
    """A recommender does not keep the contract.

    Attributes:
        broken: the name of each behaviour that does not hold -> how.
    """

    def __init__(self, name: str, broken: dict[str, str]) -> None:
        self.broken = broken
        lines = "".join(f"\n- {behaviour}: {how}" for behaviour, how in broken.items())
        super().__init__(f"{name} breaks {len(broken)} of {len(BATTERY)} behaviours:{lines}")


@dataclass
class Subject:
    """A recommender that is looked at, and what it is fitted on.

    Args:
        unfitted: with the hyperparameters to look at it with.
        board: a checkerboard, with ratings for whoever learns from ratings.
        personal: whether what it recommends depends on what the user met.
        counts_repeats: whether it takes note of an event that comes twice.
    """

    unfitted: Recommender
    board: Dataset
    personal: bool = True
    counts_repeats: bool = False

    @property
    def name(self) -> str:
        return type(self.unfitted).__name__

    @property
    def n(self) -> int:
        return self.data.n_items

    @cached_property
    def data(self) -> Dataset:
        return self.dressed(self.board)

    @cached_property
    def recommender(self) -> Recommender:
        """Fitted on `data`. Behaviours leave it as it is."""
        return self.make().fit(self.data)

    @cached_property
    def scores(self) -> np.ndarray:
        """(n_users, n_items) of `recommender`."""
        return self.recommender.score(self.data.user_ids.ids).copy()

    def make(self, **params: Any) -> Recommender:
        """A new, unfitted one, with some hyperparameters changed."""
        return type(self.unfitted)(**{**self.unfitted.get_params(), **params})

    def quick(self) -> Recommender:
        """A new, unfitted one that does not learn for long."""
        epochs = self.unfitted.get_params().get("n_epochs")
        return self.make(**({} if epochs is None else {"n_epochs": min(epochs, QUICK)}))

    def dressed(self, data: Dataset) -> Dataset:
        """`data`, with words where the recommender needs them."""
        return with_words(data) if WORDS & set(self.unfitted.requires) else data

    def unchanged(self, after: str) -> None:
        """That the scores of `recommender` are what they were."""
        same(self.recommender.score(self.data.user_ids.ids), self.scores, f"the scores {after}")


def check_recommender(
    recommender: Recommender,
    data: Dataset | None = None,
    *,
    personal: bool = True,
    counts_repeats: bool = False,
) -> None:
    """Look whether a recommender keeps the contract: run all of `BATTERY`.

    It is fitted a few times, on data of a few dozen events; give it hyperparameters that let it
    learn from so little.

    Args:
        recommender: an unfitted one; it stays as it is.
        data: what it is fitted on: `checkerboard()` by default, `rated_checkerboard()` for one that
            learns from ratings.
        personal: False for one that recommends the same to all, such as popularity.
        counts_repeats: True for one that takes note of an event that comes twice.

    Raises:
        ContractError: names all behaviours that do not hold, and how.
        TypeError: no Recommender.

    >>> from keras_recs import EASE
    >>> check_recommender(EASE(reg=1.0))

    >>> class Stubborn(EASE):
    ...     def recommend(self, users=None, k=10, **options):
    ...         return super().recommend(users, k, **{**options, "exclude_seen": False})
    >>> try:
    ...     check_recommender(Stubborn(reg=1.0))
    ... except ContractError as error:
    ...     print("no list holds what its user met" in error.broken)
    True
    """
    if not isinstance(recommender, Recommender):
        raise TypeError(
            f"recommender must be a Recommender, got {type(recommender).__name__}; a subclass of "
            "keras_recs.Recommender implements _fit and _score"
        )
    subject = Subject(
        recommender, checkerboard() if data is None else data, personal, counts_repeats
    )
    broken: dict[str, str] = {}
    try:
        subject.recommender.score(subject.data.user_ids.ids)
    except Exception as error:
        raise ContractError(subject.name, {"it can be fitted": _said(error)}) from error
    for name, behaviour in BATTERY.items():
        try:
            behaviour(subject)
        except Exception as error:
            broken[name] = _said(error)
    if broken:
        raise ContractError(subject.name, broken)


def _said(error: Exception) -> str:
    if isinstance(error, Broken):
        return str(error)
    return f"it raised {type(error).__name__}: {error}"


def behaviour(function: Behaviour) -> Behaviour:
    """Put a behaviour into the battery, under its name in words."""
    BATTERY[function.__name__.replace("_", " ")] = function
    return function


@contextmanager
def _place() -> Iterator[Path]:
    """Where a recommender is saved: a file in an empty folder."""
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder) / "model"


@behaviour
def recommending_changes_no_score(subject: Subject) -> None:
    """`_score` gives a new array, for `recommend` writes into it. Looked for first: what it spoils
    is spoiled for all others."""
    recommender, users = subject.recommender, subject.data.user_ids.ids
    before = recommender.score(users).copy()
    recommender.recommend(users, k=5)
    same(recommender.score(users), before, "the scores after recommend")


# --- what it has learned --------------------------------------------------------------------------


@behaviour
def it_recommends_the_withheld_diagonal(subject: Subject) -> None:
    """Item u is what users like u met."""
    if not subject.personal:
        return
    data = subject.data
    top = subject.recommender.recommend(data.user_ids.ids, k=1).items[:, 0]
    share = np.mean(top == data.item_ids.ids)
    holds(
        share >= 0.9,
        f"item u is what users like u met; it is recommended to {share:.0%} of them, "
        f"and the first items are {top.tolist()}",
    )


@behaviour
def similar_items_are_those_of_the_same_users(subject: Subject) -> None:
    """For whoever says how alike two items are: those of one parity have the same audience."""
    recommender, n = subject.recommender, subject.n
    if type(recommender)._item_similarity is Recommender._item_similarity:
        says = f"{subject.name} does not say how alike"
        refuses(lambda: recommender.similar_items(0), NotImplementedError, says, "similar_items")
        return
    ids = subject.data.item_ids.ids
    lists = recommender.similar_items(ids, k=n + 2)
    holds(lists.kind == "item", f"lists of items should be of kind 'item', not {lists.kind!r}")
    same(lists.queries, ids, "the items that the lists are of")
    same(lists.items.shape, (n, n + 2), "the shape of the lists")
    holds(not lists.valid[:, n - 1 :].any(), "no list has more than all other items")
    for item, ranked in lists:
        others, values = [other for other, _ in ranked], [value for _, value in ranked]
        holds(item not in others, f"item {item} is in its own list")
        holds(len(set(others)) == len(others), f"the list of item {item} has an item twice")
        holds(np.isfinite(values).all(), f"the list of item {item} has scores that are not finite")
        order = sorted(zip(np.negative(values), others, strict=True))
        same(others, [other for _, other in order], f"item {item}'s list, by score and then by id,")
    near = lists.items[:, :3]
    alike = np.mean(near % 2 == ids[:, None] % 2)
    holds(alike >= 0.9, f"items of one audience are alike; {alike:.0%} of the first three are")


@behaviour
def similar_items_of_one_are_a_row_of_those_of_several(subject: Subject) -> None:
    """And what is asked for wrongly is refused."""
    recommender = subject.recommender
    if type(recommender)._item_similarity is Recommender._item_similarity:
        return
    few = recommender.similar_items([4, 9, 4], k=3)
    same(few.items.shape, (3, 3), "the shape of three lists of three")
    same(few.items[0], few.items[2], "the list of the same item, asked for twice,")
    alone = recommender.similar_items(4, k=3).of()
    same([item for item, _ in alone], few.items[0], "the list of item 4 alone")
    close([value for _, value in alone], few.scores[0], "its scores", abs=1e-5)
    refuses(
        lambda: recommender.similar_items([0, 12345]),
        KeyError,
        "items holds 1 unknown",
        "similar_items of an unknown item",
    )
    refuses(
        lambda: recommender.similar_items(0, k=0),
        ValueError,
        "k must be at least 1",
        "similar_items with k=0",
    )


@behaviour
def the_curves_of_the_training_are_its_history(subject: Subject) -> None:
    """Where there is one: name -> one finite value an epoch, all curves equally long."""
    recommender = subject.recommender
    if not hasattr(recommender, "history_"):
        holds(not hasattr(recommender, "n_epochs"), "who learns in epochs has history_")
        return
    curves = recommender.history_
    holds(
        type(curves) is dict and curves and all(type(name) is str for name in curves),
        "history_ is a dict of curves by name",
    )
    holds(
        all(type(v) is list and all(type(x) is float for x in v) for v in curves.values()),
        "each curve of history_ is a list of floats",
    )
    lengths = {len(values) for values in curves.values()}
    most = getattr(recommender, "n_epochs_", getattr(recommender, "n_epochs", np.inf))
    holds(
        len(lengths) == 1 and 0 < min(lengths) <= most,
        f"each curve has one value an epoch, of {most} at most; their lengths are {lengths}",
    )
    holds(np.isfinite(list(curves.values())).all(), "the curves are finite")


# --- scores and lists -----------------------------------------------------------------------------


@behaviour
def scores_have_a_row_per_user_and_a_column_per_item(subject: Subject) -> None:
    """In float32, all finite; the same user twice has the same row."""
    scores = subject.recommender.score([3, 0, 3])
    same(scores.shape, (3, subject.n), "the shape of three users' scores")
    holds(scores.dtype == np.float32, f"scores are float32, not {scores.dtype}")
    holds(np.isfinite(scores).all(), "scores are finite")
    close(scores[0], scores[2], "the scores of the same user, asked for twice,", rel=1e-5)
    same(subject.recommender.score([]).shape, (0, subject.n), "the shape of nobody's scores")
    if subject.personal:
        holds(not np.allclose(scores[0], scores[1]), "two users of different taste score alike")


@behaviour
def no_list_holds_what_its_user_met(subject: Subject) -> None:
    """As long as `exclude_seen` is not False."""
    for user, items, seen in _lists(subject):
        again = np.intersect1d(items, seen)
        holds(not len(again), f"user {user} met {again.tolist()}, which are recommended again")


@behaviour
def no_list_holds_an_item_twice(subject: Subject) -> None:
    """However long the list."""
    for user, items, _ in _lists(subject):
        names, counts = np.unique(items, return_counts=True)
        twice = names[counts > 1].tolist()
        holds(not twice, f"the list of user {user} holds {twice} more than once")


@behaviour
def a_long_list_holds_all_that_is_left_and_then_fillers(subject: Subject) -> None:
    """The filler is item -1 with score -inf."""
    users, k = subject.data.user_ids.ids, subject.n + 5
    lists = subject.recommender.recommend(users, k=k)
    same(lists.items.shape, (len(users), k), "the shape of the lists")
    for row, (user, items, seen) in enumerate(_lists(subject)):
        left = np.setdiff1d(subject.data.item_ids.ids, seen)
        missing = np.setdiff1d(left, items).tolist()
        holds(not missing, f"the list of user {user}, as long as it can be, lacks {missing}")
        end = lists.items[row, len(items) :], lists.scores[row, len(items) :]
        holds(
            (end[0] == -1).all() and np.isneginf(end[1]).all(),
            f"the list of user {user} ends with items {end[0].tolist()} of scores "
            f"{end[1].tolist()}, not with fillers (-1, -inf)",
        )


@behaviour
def lists_are_ranked_by_score(subject: Subject) -> None:
    """The best comes first, and the scores of a list are those that `score` gives."""
    data = subject.data
    lists = subject.recommender.recommend(data.user_ids.ids, k=subject.n)
    for row, user in enumerate(data.user_ids.ids):
        valid = lists.valid[row]
        ranked = lists.scores[row, valid]
        holds((np.diff(ranked) <= 0).all(), f"the list of user {user} has scores {ranked.tolist()}")
        own = subject.scores[row, data.item_ids.index("items", lists.items[row, valid])]
        close(ranked, own, f"the scores in the list of user {user}", rel=1e-5, abs=1e-5)


def _lists(subject: Subject) -> Iterator[tuple[Any, np.ndarray, np.ndarray]]:
    """For each user: the id, the items of the longest list, and the items that were met."""
    data = subject.data
    lists = subject.recommender.recommend(data.user_ids.ids, k=subject.n + 5)
    for row, user in enumerate(data.user_ids.ids):
        seen = data.item_ids.ids[data.seen[[row]].indices]
        yield user, lists.items[row, lists.valid[row]], seen


@behaviour
def what_was_met_comes_back_when_asked_for(subject: Subject) -> None:
    """With `exclude_seen=False`, the longest list holds everything."""
    lists = subject.recommender.recommend([0], k=subject.n, exclude_seen=False)
    same(sorted(lists.items[0]), subject.data.item_ids.ids, "all items of a list, sorted,")


@behaviour
def candidates_limit_the_choice(subject: Subject) -> None:
    """The same for all, or for each user their own."""
    recommend = subject.recommender.recommend
    shared = recommend([0, 1], k=3, candidates=[0, 1, 1])
    found = {item for item, _ in shared.of(0) + shared.of(1)}
    holds(shared.of(0) and found <= {0, 1}, f"of candidates 0 and 1, {sorted(found)} came")
    own = recommend([0, 1], k=2, candidates=[[0, 1], [1, 5]], exclude_seen=False)
    same(np.sort(own.items, axis=1), [[0, 1], [1, 5]], "lists of each user's own candidates")
    refuses(
        lambda: recommend([0, 1], candidates=[[0], [1], [2]]),
        ValueError,
        r"candidates must have shape \(m,\) or \(2, m\), got \(3, 1\)",
        "candidates of three users for two",
    )
    refuses(
        lambda: recommend([0], candidates=[999]),
        KeyError,
        "candidates holds 1 unknown",
        "an unknown candidate",
    )


@behaviour
def one_user_alone_gives_a_row_of_what_several_give(subject: Subject) -> None:
    """For `recommend` and for `score`."""
    recommender = subject.recommender
    alone, several = recommender.recommend(3, k=4), recommender.recommend([3, 5], k=4)
    same(alone.users, [3], "the users of one list")
    same(alone.items.shape, (1, 4), "the shape of one list")
    first = [item for item, _ in several.of(3)]
    same([item for item, _ in alone.of()], first, "the list of user 3 alone")
    same([user for user, _ in several], [3, 5], "the users of two lists")
    one = recommender.score(3)
    same(one.shape, (subject.n,), "the shape of one user's scores")
    close(one, recommender.score([3])[0], "the scores of user 3 alone", rel=1e-5)


# --- predictions ----------------------------------------------------------------------------------


@behaviour
def predictions_do_not_depend_on_their_neighbours(subject: Subject) -> None:
    """A pair alone gives what it gives among others; in float32."""
    predict = subject.recommender.predict
    users, items = [0, 5, 0, 7], [1, 2, 0, 7]
    together = predict(users, items)
    same(together.shape, (4,), "the shape of four predictions")
    holds(together.dtype == np.float32, f"predictions are float32, not {together.dtype}")
    alone = np.concatenate([predict([u], [i]) for u, i in zip(users, items, strict=True)])
    close(together, alone, "predictions together, which one by one are the second,")
    same(predict([], []).shape, (0,), "the shape of no predictions")


@behaviour
def predictions_rank_as_scores_do(subject: Subject) -> None:
    """Whatever their units."""
    row = subject.recommender.predict(np.zeros(subject.n, int), subject.data.item_ids.ids)
    score = subject.scores[0]
    apart = np.subtract.outer(score, score)
    wide = np.abs(apart) > 1e-3
    order = np.sign(np.subtract.outer(row, row))[wide] == np.sign(apart)[wide]
    wrong = np.count_nonzero(~order)
    holds(not wrong, f"{wrong} of {len(order)} pairs of items are in another order")


@behaviour
def predictions_broadcast(subject: Subject) -> None:
    """One user with several items, and a column of users with a row of items."""
    predict = subject.recommender.predict
    users, items = np.array([0, 5, 2]), np.array([1, 2, 0, 7])
    table = predict(users[:, None], items)
    same(table.shape, (3, 4), "the shape of three users by four items")
    pairs = predict(np.repeat(users, 4), np.tile(items, 3))
    close(table.ravel(), pairs, "the table of predictions")
    close(predict(5, items), table[1], "the predictions of one user")
    close(predict(users, 7), table[:, 3], "the predictions of one item")
    alone = predict(2, 0)
    holds(np.ndim(alone) == 0, "the prediction of one user and one item is a number")
    close(alone, table[2, 2], "the prediction of one user and one item")


# --- errors ---------------------------------------------------------------------------------------

#: What is called, as it is shown, how, the error, and words of its message.
BAD_CALLS: tuple[tuple[str, Callable[[Any], Any], type[Exception], str], ...] = (
    ("k=0", lambda r: r.recommend([0], k=0), ValueError, "k must be at least 1, got 0"),
    ("k=-3", lambda r: r.recommend([0], k=-3), ValueError, "k must be at least 1, got -3"),
    ("k=2.5", lambda r: r.recommend([0], 2.5), TypeError, "k must be a whole number"),
    ("k=True", lambda r: r.recommend([0], k=True), TypeError, "k must be a whole number"),
    (
        "recommend([[0]])",
        lambda r: r.recommend([[0]]),
        ValueError,
        "users must be one-dimensional",
    ),
    ("recommend([12345])", lambda r: r.recommend([12345]), KeyError, "users holds 1 unknown"),
    ("recommend(12345)", lambda r: r.recommend(12345), KeyError, "users holds 1 unknown"),
    ("recommend(['ann'])", lambda r: r.recommend(["ann"]), TypeError, "users must hold integers"),
    ("recommend('ann')", lambda r: r.recommend("ann"), TypeError, "users must hold integers"),
    ("score([12345])", lambda r: r.score([12345]), KeyError, "users holds 1 unknown"),
    ("score([[0, 1]])", lambda r: r.score([[0, 1]]), ValueError, "users must be one-dimensional"),
    ("predict([0], [12345])", lambda r: r.predict([0], [12345]), KeyError, "items holds 1 unknown"),
    ("predict([0, 1], [0])", lambda r: r.predict([0, 1], [0]), ValueError, "2 users and 1 items"),
    ("predict([0], [])", lambda r: r.predict([0], []), ValueError, "got 1 users and 0 items"),
    (
        "predict([[0, 1]], [0, 1, 2])",
        lambda r: r.predict([[0, 1]], [0, 1, 2]),
        ValueError,
        r"shape \(1, 2\) and items of shape \(3,\) do not",
    ),
    (
        "predict([0.5], [0])",
        lambda r: r.predict([0.5], [0]),
        TypeError,
        "users must hold integers or strings",
    ),
)


@behaviour
def bad_arguments_are_refused_by_name(subject: Subject) -> None:
    """The error names the argument, what came and what was expected."""
    for shown, call, error, words in BAD_CALLS:
        refuses(partial(call, subject.recommender), error, words, shown)


@behaviour
def only_a_dataset_can_be_fitted(subject: Subject) -> None:
    """And a failure loses nothing of what was learned before."""
    _ = subject.scores
    wrong: tuple[Any, ...] = (None, np.eye(3), [(1, 2)])
    for bad in wrong:
        fit = partial(subject.recommender.fit, bad)
        refuses(fit, TypeError, "data must be a Dataset", f"fit({bad!r})")
        subject.unchanged("after a fit that failed")


@behaviour
def a_crash_in_the_middle_of_fit_loses_nothing(subject: Subject) -> None:
    """What was learned before is still there."""
    _ = subject.scores

    def crash(self: Recommender, data: Dataset) -> None:
        self.seen_ = None
        raise RuntimeError("power cut")

    other = subject.dressed(from_matrix(np.ones((2, 2))))
    with mock.patch.object(type(subject.recommender), "_fit", crash):
        refuses(lambda: subject.recommender.fit(other), RuntimeError, "power cut", "a crash in fit")
    subject.unchanged("after a crash in fit")


@behaviour
def before_fit_every_verb_says_so(subject: Subject) -> None:
    """And nothing is written."""
    fresh = subject.make()
    with _place() as path:
        for verb, call in (
            ("score", lambda: fresh.score([0])),
            ("predict", lambda: fresh.predict([0], [0])),
            ("recommend", lambda: fresh.recommend([0])),
            ("similar_items", lambda: fresh.similar_items([0])),
            ("save", lambda: fresh.save(path)),
        ):
            refuses(call, NotFittedError, r"call fit\(data\) first", f"{verb} before fit")
        holds(not list(path.parent.iterdir()), "save before fit wrote a file")


@behaviour
def side_data_that_is_lacking_is_named(subject: Subject) -> None:
    """Where `requires` names some."""
    bare = Dataset.from_arrays([1, 2, 1], [1, 1, 2])
    for needed in type(subject.unfitted).requires:
        fit = partial(subject.make().fit, bare)
        refuses(fit, ValueError, f"{subject.name} needs .*{needed}", f"a fit without {needed}")


@behaviour
def a_model_of_nan_is_an_error_not_a_list(subject: Subject) -> None:
    """A training that diverged does not rank."""
    recommender, n = subject.recommender, subject.n
    nan: dict[str, Any] = {
        "_score_requests": lambda self, requests: np.full((len(requests), n), np.nan),
        "_predict_pairs": lambda self, users, items, context: np.full(len(users), np.nan),
    }
    with mock.patch.multiple(type(recommender), **nan):
        for verb, call in (
            ("score", lambda: recommender.score([0])),
            ("recommend", lambda: recommender.recommend([0])),
            ("predict", lambda: recommender.predict([0], [0])),
        ):
            refuses(call, FloatingPointError, "gives NaN", f"{verb} of a model of NaN")


# --- saving and copies ----------------------------------------------------------------------------


@behaviour
def saving_and_loading_gives_the_same_recommender(subject: Subject) -> None:
    """The same parameters, scores and lists; a file that was there is replaced."""
    recommender = subject.recommender
    with _place() as path:
        path.write_bytes(b"an older file")
        recommender.save(path)
        left = [file.name for file in path.parent.iterdir()]
        holds(left == ["model"], f"saving leaves one file, not {left}")
        loaded = type(recommender).load(path)
    holds(type(loaded) is type(recommender), f"what is loaded is a {type(loaded).__name__}")
    params = recommender.get_params()
    holds(loaded.get_params() == params, f"its parameters were {params}: {loaded.get_params()}")
    users = subject.data.user_ids.ids
    same(loaded.score(users), subject.scores, "the scores of what was saved and loaded")
    lists = recommender.recommend([0, 3], 4)
    same(loaded.recommend([0, 3], 4).items, lists.items, "the lists of what was saved and loaded")


@behaviour
def a_damaged_or_foreign_file_is_refused_by_name(subject: Subject) -> None:
    """As is none at all."""
    kind = type(subject.recommender)
    with _place() as path:
        subject.recommender.save(path)
        whole = path.read_bytes()
        path.write_bytes(whole[: len(whole) // 2])
        refuses(lambda: kind.load(path), StorageError, "model is truncated", "half a file")
        path.write_bytes(whole)
        other: Any = type("Other", (kind,), {})
        words = f"holds a {kind.__name__}, not a Other"
        refuses(lambda: other.load(path), StorageError, words, "a file of another class")
        nowhere = path.with_name("nowhere")
        refuses(lambda: kind.load(nowhere), FileNotFoundError, "", "no file")


@behaviour
def a_failed_save_leaves_the_old_file(subject: Subject) -> None:
    """And nothing else."""
    full = mock.Mock(side_effect=OSError("disk full"))
    with _place() as path:
        path.write_bytes(b"an older file")
        with mock.patch("os.replace", full):
            refuses(lambda: subject.recommender.save(path), OSError, "disk full", "a full disk")
        holds(path.read_bytes() == b"an older file", "a save that failed destroyed the old file")
        left = len(list(path.parent.iterdir()))
        holds(left == 1, f"a save that failed leaves {left} files")


@behaviour
def a_copy_is_a_recommender_of_its_own(subject: Subject) -> None:
    """By pickle, where the class can be imported, and by deepcopy."""
    recommender = subject.recommender
    copies = [copy.deepcopy(recommender)]
    if "<locals>" not in type(recommender).__qualname__:
        copies.append(pickle.loads(pickle.dumps(recommender)))
    mine = {id(value) for value in vars(recommender).values() if isinstance(value, np.ndarray)}
    for other in copies:
        same(other.score(subject.data.user_ids.ids), subject.scores, "the scores of a copy")
        pairs = recommender.predict([0, 3], [1, 2])
        same(other.predict([0, 3], [1, 2]), pairs, "the predictions of a copy")
        holds(not mine & set(map(id, vars(other).values())), "a copy shares arrays with the first")
        if hasattr(other, "model_"):
            holds(other.model_ is not getattr(recommender, "model_", None), "a copy shares model_")
            rows = vars(other).get("_rows", other)  # its scorer is that of its own model
            holds(rows is not vars(recommender).get("_rows"), "a copy scores with the first model")


# --- data -----------------------------------------------------------------------------------------


@behaviour
def names_order_and_repetition_of_events_change_nothing(subject: Subject) -> None:
    """The same events under other ids, twice, and shuffled: the same lists."""
    data, events = subject.data, subject.data.interactions
    order = np.random.default_rng(0).permutation(len(events))
    again = order if subject.counts_repeats else np.concatenate([order, order])
    user_names = 500 + 3 * np.arange(data.n_users)
    item_names = np.array([f"item {i:03d}" for i in range(data.n_items)])
    renamed = Dataset.from_arrays(
        user_names[events.users[again]],
        item_names[events.items[again]],
        None if events.ratings is None else events.ratings[again],
        None if events.timestamps is None else events.timestamps[again],
        rating_scale=data.rating_scale,
    )
    other = subject.make().fit(subject.dressed(renamed))
    if subject.personal:
        top = subject.recommender.recommend(data.user_ids.ids, 1).items[:, 0]
        alike = np.mean(other.recommend(user_names, 1).items[:, 0] == item_names[top])
        holds(alike >= 0.9, f"under other names, {alike:.0%} of the users get the same first item")
    first = other.recommend(user_names[:1], 1).of(500)
    holds(other.recommend(500, 1).of() == first, "user 500 alone gets another list than in a list")
    whole = other.predict([500] * data.n_items, item_names)
    close(other.predict(500, item_names), whole, "predictions of items named by strings")
    if type(other)._item_similarity is not Recommender._item_similarity:
        _same_similar_items(other, item_names)


def _same_similar_items(other: Recommender, names: np.ndarray) -> None:
    near = other.similar_items(names, 3).items
    for parity in (0, 1):
        alike = np.isin(near[parity::2], names[parity::2]).mean()
        holds(alike >= 0.9, f"under other names, {alike:.0%} of the similar items are of one kind")
    alone = [item for item, _ in other.similar_items("item 004", 3).of()]
    same(alone, near[4], "the items like one that is named by a string")


@behaviour
def the_same_seed_gives_the_same_scores(subject: Subject) -> None:
    """And another seed others, where there is one."""
    users = subject.data.user_ids.ids
    again = subject.make().fit(subject.data).score(users)
    close(again, subject.scores, "the scores of a second fit", abs=1e-5)
    if "seed" in subject.unfitted.get_params():
        other = subject.make(seed=99).fit(subject.data).score(users)
        holds(not np.array_equal(other, subject.scores), "another seed gives the same scores")


@behaviour
def the_smallest_data_can_be_fitted(subject: Subject) -> None:
    """One user, one item, one event. Whoever learns from negatives may say that there are none."""
    for what, matrix in (
        ("one user", [[5.0, 3.0]]),
        ("one item", [[5.0], [3.0], [4.0]]),
        ("one event", [[5.0]]),
    ):
        ratings = np.array(matrix)
        users, items = np.nonzero(ratings)
        data = subject.dressed(
            Dataset.from_arrays(users, items, ratings[users, items], np.arange(len(users)))
        )
        recommender = subject.quick()
        try:
            recommender.fit(data)
        except ValueError as error:
            why = str(error)
            holds("every user has met every item" in why, f"on data of {what}, fit says: {why}")
            continue
        finite = np.isfinite(recommender.score(data.user_ids.ids)).all()
        holds(finite, f"on data of {what}, scores are not finite")
        lists = recommender.recommend(data.user_ids.ids, 3)
        holds(not lists.valid.any(), f"on data of {what}, all was met, and the lists are not empty")


@behaviour
def nasty_data_can_be_fitted(subject: Subject) -> None:
    """Strings as ids, repeated events, ties, ratings of 0 and below, people and items without
    events: see `nasty`."""
    data = subject.dressed(nasty())
    recommender = subject.quick().fit(data)
    people = data.user_ids.ids
    holds(np.isfinite(recommender.score(people)).all(), "scores are not finite on nasty data")
    lists = recommender.recommend(people, 5)
    row = people.tolist().index("new")
    holds(lists.valid[row].all(), "a user without a history gets a list that is not full")
    row = people.tolist().index("most")
    left = lists.items[row, lists.valid[row]].tolist()
    holds(left == ["unsold"], f"who met everything but 'unsold' gets {left}")


# --- hyperparameters ------------------------------------------------------------------------------


@behaviour
def hyperparameters_are_stored_and_shown(subject: Subject) -> None:
    """They are the arguments of the constructor, and nothing else."""
    recommender, params = subject.recommender, subject.recommender.get_params()
    again = type(recommender)(**params).get_params()
    holds(again == params, f"a recommender made with {params} has {again}")
    fresh = subject.make()
    holds(fresh.set_params(**params) is fresh, "set_params returns the recommender")
    holds(fresh.get_params() == params, f"set to {params}, it has {fresh.get_params()}")
    hidden = [name for name in params if name not in repr(recommender)]
    holds(not hidden, f"its repr does not show {hidden}")
    names = list(params)
    words = f"{subject.name} has no parameter 'zeal'; it has .*{names[-1] if names else 'none'}"
    wrong: dict[str, Any] = {**dict.fromkeys(names[:1]), "zeal": 3}
    refuses(lambda: fresh.set_params(**wrong), ValueError, words, "set_params(zeal=3)")
    holds(fresh.get_params() == params, "a set_params that was refused has set something")


@behaviour
def hyperparameters_out_of_range_are_refused_by_name(subject: Subject) -> None:
    """Numbers that are below 0, no numbers, and NaN; by the constructor and by set_params."""
    params, fresh = subject.unfitted.get_params(), subject.make()
    for name, value in params.items():
        if not isinstance(value, (int, float)) or isinstance(value, bool):
            continue
        for bad in (-1, "many", float("nan")):
            wrong: dict[str, Any] = {name: bad}
            for shown, call in ((subject.name, subject.make), ("set_params", fresh.set_params)):
                what = f"{shown}({name}={bad!r})"
                refuses(partial(call, **wrong), (ValueError, TypeError), name, what)
            holds(fresh.get_params() == params, f"set_params({name}={bad!r}) has set something")
