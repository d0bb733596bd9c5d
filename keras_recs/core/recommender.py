"""The contract that every answer keeps: fit, score, predict, recommend, similar_items, save,
load."""

from __future__ import annotations

import abc
import dataclasses
import os
from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar, Self

import numpy as np

from keras_recs.core import registry, storage
from keras_recs.core.hyperparameters import Hyperparameters
from keras_recs.core.recommendations import Recommendations
from keras_recs.core.requests import (
    NOBODY,
    Requests,
    candidate_index,
    context_columns,
    history_rows,
    membership,
    pairs,
    seen_in,
)
from keras_recs.data.dataset import Dataset
from keras_recs.data.ids import IdMap, as_ids
from keras_recs.data.interactions import Interactions
from keras_recs.utils.checks import whole_number
from keras_recs.utils.topk import top_k

#: Scores held at once by `recommend`: 16 MiB of float32, whatever the number of users.
BLOCK_CELLS = 1 << 22

#: The answers that can say how alike two items are, for the error of those that cannot.
WITH_SIMILAR_ITEMS = (
    "BPR",
    "BiasedMF",
    "ContentEmbedding",
    "DeepWalk",
    "EASE",
    "ImplicitALS",
    "ItemCF",
    "LLMInterestModel",
    "LightGCN",
    "NGCF",
)


class NotFittedError(ValueError):
    """The recommender was asked for something that it only knows after `fit`."""


class Recommender(Hyperparameters, abc.ABC):
    """Learns from a `Dataset`, then scores and ranks items for its users.

    A subclass implements `_fit` and `_score`, which speak of users and items by index; this class
    maps ids, checks arguments, hides what was seen, picks the best k, saves and loads. Who ranks by
    more than the user says so in `takes` and implements `_score_requests` in the place of `_score`.

    Constructor arguments are hyperparameters, stored under their own names. What `fit` learns goes
    into attributes that end in an underscore: those, and nothing else, are saved. One of them has
    the same meaning wherever there is one: `history_`, the curves of the training, name -> one
    value for each epoch.

    Every verb takes one id or several. One id alone gives what one row of the answer for several
    is.

    >>> from keras_recs import EASE, from_matrix
    >>> ease = EASE(reg=1.0).fit(from_matrix([[1, 1, 0], [1, 1, 0], [0, 1, 1], [1, 0, 0]]))
    >>> ease.recommend([0, 3], k=1).items.tolist()
    [[2], [1]]
    >>> [(item, round(score, 2)) for item, score in ease.recommend(3, k=2).of()]
    [(1, 0.5), (2, -0.17)]
    >>> ease.score([0, 3]).shape, ease.score(3).shape
    ((2, 3), (3,))
    >>> ease.predict(3, [0, 1, 2]).round(2).tolist() == ease.score(3).round(2).tolist()
    True
    >>> [item for item, _ in ease.similar_items(0, k=1).of()]
    [1]
    """

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        registry.register(cls)

    #: What the data set must hold, by the names that `Dataset.has` knows.
    requires: ClassVar[tuple[str, ...]] = ()
    #: What a request may bring beside the user: "context", "history", or both.
    takes: ClassVar[tuple[str, ...]] = ()

    # --- what an answer implements ----------------------------------------------------------------

    @abc.abstractmethod
    def _fit(self, data: Dataset) -> None:
        """Learn from `data`; set the attributes that end in an underscore."""

    def _score(self, users: np.ndarray) -> np.ndarray:
        """(len(users), n_items) scores for user indices, in a new array: `recommend` overwrites
        it."""
        return self._score_requests(Requests(users, {}))

    def _score_requests(self, requests: Requests) -> np.ndarray:
        """(len(requests), n_items) scores, in a new array. Here the user is all that counts."""
        if type(self)._score is Recommender._score:
            raise NotImplementedError(
                f"{type(self).__name__} must implement _score or _score_requests"
            )
        return self._score(requests.users)

    def _context_fields(self) -> tuple[str, ...]:
        """The names that a context may have, where the answer `takes` one; empty for any."""
        return ()

    def _predict_events(self, events: Interactions) -> dict[str, np.ndarray]:
        """label -> (n,) predictions for events by index, for answers that predict what comes of
        one."""
        raise NotImplementedError(
            f"{type(self).__name__} does not predict what comes of an event; predict gives the "
            "value of a pair of user and item"
        )

    def _predict_pairs(
        self, users: np.ndarray, items: np.ndarray, context: Mapping[str, np.ndarray]
    ) -> np.ndarray:
        """(n,) values for pairs of indices in a context, name -> (n,)."""
        return self._predict(users, items)

    def _predict(self, users: np.ndarray, items: np.ndarray) -> np.ndarray:
        """(n,) values for pairs of indices. Here they are read out of whole rows of scores; answer
        by answer, there is often a shorter way."""
        rows, row_of_pair = np.unique(users, return_inverse=True)
        out = np.empty(len(users), np.float32)
        for block in self._blocks(len(rows)):
            pairs = (row_of_pair >= block.start) & (row_of_pair < block.stop)
            out[pairs] = self._score(rows[block])[row_of_pair[pairs] - block.start, items[pairs]]
        return out

    def _item_similarity(self, items: np.ndarray) -> np.ndarray:
        """(len(items), n_items) how alike some items (indices) are to all, in a new array; -inf
        where nothing is known.

        For answers that have item vectors or item-item weights; for the others there is nothing to
        override."""
        raise NotImplementedError(
            f"{type(self).__name__} does not say how alike two items are; similar_items is there "
            f"for what has item vectors or item-item weights: {', '.join(WITH_SIMILAR_ITEMS)}"
        )

    # --- the public verbs -------------------------------------------------------------------------

    def fit(self, data: Dataset) -> Self:
        """Learn from `data` and return self. When anything goes wrong, what was learned before is
        untouched.

        Raises:
            TypeError: `data` is not a Dataset.
            ValueError: the data set lacks what this answer needs.
        """
        if not isinstance(data, Dataset):
            raise TypeError(
                f"data must be a Dataset, got {type(data).__name__}; "
                "Dataset.from_arrays, from_frame, from_matrix, read_csv and read_parquet make one"
            )
        data.require(*self.requires, by=type(self).__name__)
        before = self.__dict__.copy()
        try:
            self.user_ids_ = data.user_ids.ids
            self.item_ids_ = data.item_ids.ids
            self.seen_ = data.seen
            self._fit(data)
            self._index_ids()
        except BaseException:
            self.__dict__ = before
            raise
        return self

    def score(self, users: Any = None, *, context: Any = None, history: Any = None) -> np.ndarray:
        """Scores of all items, higher is better; columns in the order of `item_ids_`.

        Args:
            users: ids (n,), or one id; None where there are histories of people unknown.
            context: name -> one value or (n,) values, for answers that take one.
            history: for each user the ids of what they met, the latest last, for answers that take
                one; it stands in the place of what was learned of the user. One list alone for one
                user.

        Returns:
            (n, n_items) float32; for one id (n_items,).

        Raises:
            NotFittedError: before `fit`.
            KeyError: an unknown user or item.
            TypeError: a context or a history that the answer does not take.
            ValueError: a context or a history of another length.
        """
        self._check_fitted()
        _, requests = self._requests(users, context, history)
        scores = self._checked_scores(requests)
        alone = np.ndim(users) == 0 and users is not None
        return scores[0] if alone else scores

    def predict(self, users: Any, items: Any, *, context: Any = None) -> np.ndarray:
        """Values of pairs of user and item, in the answer's own units (a rating, a probability, …).

        Two columns, (n,) and (n,), are pairs, side by side. What else comes is broadcast as NumPy
        does it: one user with (n,) items, (n, 1) users with (m,) items. Only columns of different
        lengths are refused even where one has length 1: it is more often a column that lost its
        other entries than a wish for all pairs.

        Args:
            users, items: ids; one, a column, or an array of any shape.
            context: name -> one value, or values for all pairs in order, for answers that take one.

        Returns:
            float32 of the shape of users and items broadcast together; of one user and one item a
            number.

        Raises:
            NotFittedError: before `fit`.
            KeyError: an unknown user or item.
            TypeError: a context that the answer does not take.
            ValueError: columns of different lengths, or shapes that do not broadcast.
        """
        self._check_fitted()
        user_index, item_index = pairs(users, items, self._user_ids, self._item_ids)
        columns = self._context(context, user_index.size)
        values = self._predict_pairs(user_index.ravel(), item_index.ravel(), columns)
        return self._without_nan(values).reshape(user_index.shape)[()]

    def predict_events(self, events: Interactions) -> dict[str, np.ndarray]:
        """What comes of events, such as those of a split's test: label -> (n,) float32.

        Args:
            events: users and items by index of the data set that `fit` had, with their contexts;
                `Dataset.interactions` of a part of it.

        Raises:
            NotFittedError: before `fit`.
            NotImplementedError: an answer that does not predict events.
            ValueError: indices that the training data does not have.
        """
        self._check_fitted()
        for name, index, n in (
            ("users", events.users, len(self.user_ids_)),
            ("items", events.items, len(self.item_ids_)),
        ):
            if len(index) and index.max() >= n:
                raise ValueError(f"events.{name} must be below {n}, got {index.max()}")
        predicted = self._predict_events(events)
        return {label: self._without_nan(values) for label, values in predicted.items()}

    def recommend(
        self,
        users: Any = None,
        k: int = 10,
        *,
        exclude_seen: bool = True,
        candidates: Any = None,
        context: Any = None,
        history: Any = None,
    ) -> Recommendations:
        """The `k` best items for each of `users`, ties by the lower position in `item_ids_`.

        Args:
            users: ids, or one id: then the lists are those of one user, and `of()` is that user's.
                None where there are histories of people unknown: the lists are then numbered.
            k: length of each list. Where fewer items are left, the list ends with fillers (see
                `Recommendations`).
            exclude_seen: leave out what the user met in the training data, and what a history holds.
            candidates: item ids to choose from: (m,) the same for all, or (len(users), m) for each
                user.
            context, history: as in `score`.

        Raises:
            NotFittedError: before `fit`.
            KeyError: an unknown user, candidate or item of a history.
            TypeError: a `k` that is no whole number; a context or a history that the answer does
                not take.
            ValueError: a `k` below 1; candidates, a context or a history of another shape.
        """
        self._check_fitted()
        whole_number("k", k)
        ids, requests = self._requests(users, context, history)
        allowed = None
        if candidates is not None:
            allowed = candidate_index(candidates, len(requests), self._item_ids)

        def scores(block: slice) -> np.ndarray:
            asked = requests[block]
            table = self._checked_scores(asked)
            if exclude_seen:
                self._hide_seen(table, asked)
            if allowed is not None:
                choice = allowed if allowed.ndim == 1 else allowed[block]
                table[~membership(choice, table.shape)] = -np.inf
            return table

        return self._ranked(ids, k, scores, "user" if users is not None else "session")

    def similar_items(self, items: Any, k: int = 10) -> Recommendations:
        """The `k` items most like each of `items`, ties by the lower position in `item_ids_`.

        What "like" means is the answer's: the cosine of two item vectors, or the weight from one
        item to the other. An item is never in its own list. Of an item of which nothing was
        learned, nothing is like it: its list is empty, and it is in no other.

        Args:
            items: ids, or one id.
            k: length of each list. Where fewer items are left, the list ends with fillers (see
                `Recommendations`).

        Returns:
            lists whose `queries` are `items`, and whose scores are the similarities.

        Raises:
            NotFittedError: before `fit`.
            NotImplementedError: an answer without item vectors and item-item weights.
            KeyError: an unknown item.
            ValueError, TypeError: a `k` that is not a positive whole number.
        """
        self._check_fitted()
        whole_number("k", k)
        item_ids = as_ids("items", items)
        index = self._item_ids.index("items", item_ids)

        def similarity(block: slice) -> np.ndarray:
            table = self._without_nan(self._item_similarity(index[block]))
            table[np.arange(len(table)), index[block]] = -np.inf
            return table

        return self._ranked(item_ids, k, similarity, "item")

    # --- saving -----------------------------------------------------------------------------------

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the fitted recommender to one file: arrays, JSON and, for Keras answers, the
        `.keras` model."""
        storage.write(path, *self._saved())

    def to_bytes(self) -> bytes:
        """The file that `save` writes."""
        return storage.packed(*self._saved())

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """What `save` wrote. `keras_recs.load` does the same and finds the class by itself.

        Raises:
            FileNotFoundError: no such file.
            storage.StorageError: (a ValueError) truncated, of another class, or of another version.
        """
        return cls._loaded(path, *storage.read(path))

    @classmethod
    def _loaded(
        cls,
        path: str | os.PathLike[str],
        meta: dict[str, Any],
        state: dict[str, Any],
        blobs: dict[str, bytes],
    ) -> Self:
        if meta.get("class") != cls.__name__:
            raise storage.StorageError(f"{path} holds a {meta.get('class')}, not a {cls.__name__}")
        try:
            recommender = cls(**cls._loaded_params(meta["params"]))
        except storage.StorageError as error:
            raise storage.StorageError(f"{path}: {error}") from error
        except (KeyError, TypeError, ValueError) as error:
            raise storage.StorageError(
                f"{path} was saved by another version of {cls.__name__}: {error}"
            ) from error
        try:
            recommender._restore(state, blobs)
            recommender._index_ids()
        except storage.StorageError as error:
            raise storage.StorageError(f"{path}: {error}") from error
        except (AttributeError, KeyError) as error:
            raise storage.StorageError(f"{path} is damaged: {error}") from error
        return recommender

    def _saved(self) -> tuple[dict[str, Any], dict[str, Any], dict[str, bytes]]:
        self._check_fitted()
        about = {
            "class": type(self).__name__,
            "module": type(self).__module__,
            "params": self._saved_params(),
        }
        return about, *self._state()

    def _saved_params(self) -> dict[str, Any]:
        """The hyperparameters as JSON values."""
        return self.get_params(deep=False)

    @classmethod
    def _loaded_params(cls, params: dict[str, Any]) -> dict[str, Any]:
        """What `_saved_params` gave, as the constructor takes it."""
        return params

    def _state(self) -> tuple[dict[str, Any], dict[str, bytes]]:
        learned = {
            name: value
            for name, value in self.__dict__.items()
            if name.endswith("_") and not name.startswith("_")
        }
        return learned, {}

    def _restore(self, state: dict[str, Any], blobs: dict[str, bytes]) -> None:
        self.__dict__.update(storage.with_models(state))

    # --- plumbing ---------------------------------------------------------------------------------

    def _index_ids(self) -> None:
        self._user_ids, self._item_ids = IdMap(self.user_ids_), IdMap(self.item_ids_)

    def _check_fitted(self) -> None:
        if not hasattr(self, "_item_ids"):
            raise NotFittedError(
                f"this {type(self).__name__} has not learned anything yet: call fit(data) first"
            )

    def _requests(self, users: Any, context: Any, history: Any) -> tuple[np.ndarray, Requests]:
        """Whom the lists are for, as they were named, and the requests by index."""
        if history is not None:
            self._check_takes("history")
        if users is None:
            if history is None:
                raise TypeError("users must be ids; None goes with histories of people unknown")
            rows = history_rows(history, None, self._item_ids)
            nobody = np.full(len(rows), NOBODY)
            return np.arange(len(rows)), Requests(nobody, self._context(context, len(rows)), rows)
        ids = as_ids("users", users)
        requests = Requests(self._user_ids.index("users", ids), self._context(context, len(ids)))
        if history is not None:
            rows = history_rows(history, len(ids), self._item_ids)
            requests = dataclasses.replace(requests, history=rows)
        return ids, requests

    def _context(self, context: Any, n: int) -> dict[str, np.ndarray]:
        if context is None:
            return {}
        self._check_takes("context")
        columns = context_columns(context, n)
        known = self._context_fields()
        unknown = [name for name in columns if known and name not in known]
        if unknown:
            raise ValueError(
                f"context has {', '.join(map(repr, unknown))}, which {type(self).__name__} does not "
                f"know; it knows {', '.join(known)}"
            )
        return columns

    def _check_takes(self, what: str) -> None:
        if what not in self.takes:
            raise TypeError(f"{type(self).__name__} takes no {what}: it ranks without it")

    def _hide_seen(self, scores: np.ndarray, requests: Requests) -> None:
        """Put -inf where the user met the item, in training or in the history of the request."""
        known = np.flatnonzero(requests.users != NOBODY)
        seen = self.seen_[requests.users[known]]
        scores[np.repeat(known, np.diff(seen.indptr)), seen.indices] = -np.inf
        if requests.history is not None:
            scores[seen_in(requests.history, scores.shape[1])] = -np.inf

    def _blocks(self, n: int) -> Iterator[slice]:
        size = max(1, BLOCK_CELLS // len(self.item_ids_))
        return (slice(start, min(start + size, n)) for start in range(0, n, size))

    def _ranked(
        self, ids: np.ndarray, k: int, values: Callable[[slice], np.ndarray], kind: str
    ) -> Recommendations:
        """The k best of each row of `values`, which makes (len(block), n_items) for a block of
        `ids` at a time."""
        items, scores = np.empty((len(ids), k), np.int64), np.empty((len(ids), k), np.float32)
        for block in self._blocks(len(ids)):
            items[block], scores[block] = top_k(values(block), k)
        return Recommendations(ids, self._item_ids.raw(items), scores, kind)

    def _checked_scores(self, requests: Requests) -> np.ndarray:
        return self._without_nan(self._score_requests(requests))

    def _without_nan(self, values: np.ndarray) -> np.ndarray:
        values = np.asarray(values, np.float32)
        if np.isnan(values.sum()) and np.isnan(values).any():  # the sum of +inf and -inf is NaN too
            raise FloatingPointError(f"{type(self).__name__} gives NaN: its training diverged")
        return values
