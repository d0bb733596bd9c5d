"""The contract that every answer keeps: fit, score, predict, recommend, save, load."""

from __future__ import annotations

import abc
import inspect
import os
from collections.abc import Iterator
from typing import Any, ClassVar, Self

import numpy as np

from keras_recs import storage
from keras_recs.checks import whole_number
from keras_recs.data.dataset import Dataset
from keras_recs.data.ids import IdMap, as_ids
from keras_recs.recommendations import Recommendations
from keras_recs.topk import top_k

BLOCK_CELLS = 1 << 22  # scores held at once by `recommend`: 16 MiB of float32, whatever the number of users


class NotFittedError(ValueError):
    """The recommender was asked for something that it only knows after `fit`."""


class Recommender(abc.ABC):
    """Learns from a `Dataset`, then scores and ranks items for its users.

    A subclass implements `_fit` and `_score`, which speak of users and items by index; this class maps ids,
    checks arguments, hides what was seen, picks the best k, saves and loads.

    Constructor arguments are hyperparameters, stored under their own names. What `fit` learns goes into
    attributes that end in an underscore: those, and nothing else, are saved.
    """

    #: What the data set must hold, by the names that `Dataset.has` knows.
    requires: ClassVar[tuple[str, ...]] = ()

    # --- what an answer implements ---------------------------------------------------------------------------

    @abc.abstractmethod
    def _fit(self, data: Dataset) -> None:
        """Learn from `data`; set the attributes that end in an underscore."""

    @abc.abstractmethod
    def _score(self, users: np.ndarray) -> np.ndarray:
        """(len(users), n_items) scores for user indices, in a new array: `recommend` overwrites it."""

    def _predict(self, users: np.ndarray, items: np.ndarray) -> np.ndarray:
        """(n,) values for pairs of indices. Here they are read out of whole rows of scores; answer by answer,
        there is often a shorter way."""
        rows, row_of_pair = np.unique(users, return_inverse=True)
        out = np.empty(len(users), np.float32)
        for block in self._blocks(len(rows)):
            pairs = (row_of_pair >= block.start) & (row_of_pair < block.stop)
            out[pairs] = self._score(rows[block])[row_of_pair[pairs] - block.start, items[pairs]]
        return out

    # --- the public verbs ------------------------------------------------------------------------------------

    def fit(self, data: Dataset) -> Self:
        """Learn from `data` and return self. When anything goes wrong, what was learned before is untouched.

        Raises:
            TypeError: `data` is not a Dataset.
            ValueError: the data set lacks what this answer needs.
        """
        if not isinstance(data, Dataset):
            raise TypeError(f"data must be a Dataset, got {type(data).__name__}; "
                            "Dataset.from_arrays, from_frame, from_matrix, read_csv and read_parquet make one")
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

    def score(self, users: Any) -> np.ndarray:
        """(len(users), n_items) float32 for user ids, higher is better; columns in the order of `item_ids_`.

        Raises:
            NotFittedError: before `fit`.
            KeyError: an unknown user.
        """
        self._check_fitted()
        return self._checked_scores(self._user_ids.index("users", users))

    def predict(self, users: Any, items: Any) -> np.ndarray:
        """(n,) float32 for pairs of user and item ids, in the answer's own units (a rating, a probability, …).

        Raises:
            NotFittedError: before `fit`.
            KeyError: an unknown user or item.
            ValueError: columns of different lengths.
        """
        self._check_fitted()
        user_index = self._user_ids.index("users", users)
        item_index = self._item_ids.index("items", items)
        if len(user_index) != len(item_index):
            raise ValueError(f"users and items are pairs, got {len(user_index)} users and {len(item_index)} items")
        return self._without_nan(self._predict(user_index, item_index))

    def recommend(self, users: Any, k: int = 10, *, exclude_seen: bool = True,
                  candidates: Any = None) -> Recommendations:
        """The `k` best items for each of `users`, ties by the lower position in `item_ids_`.

        Args:
            users: ids.
            k: length of each list. Where fewer items are left, the list ends with fillers (see `Recommendations`).
            exclude_seen: leave out what the user met in the training data.
            candidates: item ids to choose from: (m,) the same for all, or (len(users), m) for each user.

        Raises:
            NotFittedError: before `fit`.
            KeyError: an unknown user or candidate.
            ValueError, TypeError: a `k` that is not a positive whole number, candidates of another shape.
        """
        self._check_fitted()
        whole_number("k", k)
        user_ids = as_ids("users", users)
        index = self._user_ids.index("users", user_ids)
        allowed = None if candidates is None else self._candidate_index(candidates, len(index))
        items = np.empty((len(index), k), np.int64)
        scores = np.empty((len(index), k), np.float32)
        for block in self._blocks(len(index)):
            table = self._checked_scores(index[block])
            if exclude_seen:
                seen = self.seen_[index[block]]
                table[np.repeat(np.arange(seen.shape[0]), np.diff(seen.indptr)), seen.indices] = -np.inf
            if allowed is not None:
                table[~_membership(allowed if allowed.ndim == 1 else allowed[block], table.shape)] = -np.inf
            items[block], scores[block] = top_k(table, k)
        return Recommendations(user_ids, self._item_ids.raw(items), scores)

    def get_params(self) -> dict[str, Any]:
        """The hyperparameters: constructor argument -> value."""
        return {name: getattr(self, name) for name in inspect.signature(type(self)).parameters}

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{k}={v!r}' for k, v in self.get_params().items())})"

    # --- saving ----------------------------------------------------------------------------------------------

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the fitted recommender to one file: arrays, JSON and, for Keras answers, the `.keras` model."""
        self._check_fitted()
        state, blobs = self._state()
        storage.write(path, {"class": type(self).__name__, "params": self.get_params()}, state, blobs)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """What `save` wrote.

        Raises:
            FileNotFoundError: no such file.
            storage.StorageError: (a ValueError) truncated, of another class, or of another version.
        """
        meta, state, blobs = storage.read(path)
        if meta.get("class") != cls.__name__:
            raise storage.StorageError(f"{path} holds a {meta.get('class')}, not a {cls.__name__}")
        try:
            recommender = cls(**meta["params"])
        except TypeError as error:
            raise storage.StorageError(f"{path} was saved by another version of {cls.__name__}: {error}") from error
        recommender._restore(state, blobs)
        recommender._index_ids()
        return recommender

    def _state(self) -> tuple[dict[str, Any], dict[str, bytes]]:
        learned = {name: value for name, value in self.__dict__.items()
                   if name.endswith("_") and not name.startswith("_")}
        return learned, {}

    def _restore(self, state: dict[str, Any], blobs: dict[str, bytes]) -> None:
        self.__dict__.update(state)

    # --- plumbing --------------------------------------------------------------------------------------------

    def _index_ids(self) -> None:
        self._user_ids, self._item_ids = IdMap(self.user_ids_), IdMap(self.item_ids_)

    def _check_fitted(self) -> None:
        if not hasattr(self, "_item_ids"):
            raise NotFittedError(f"this {type(self).__name__} has not learned anything yet: call fit(data) first")

    def _blocks(self, n: int) -> Iterator[slice]:
        size = max(1, BLOCK_CELLS // len(self.item_ids_))
        return (slice(start, min(start + size, n)) for start in range(0, n, size))

    def _checked_scores(self, users: np.ndarray) -> np.ndarray:
        return self._without_nan(self._score(users))

    def _without_nan(self, values: np.ndarray) -> np.ndarray:
        values = np.asarray(values, np.float32)
        if np.isnan(values.sum()) and np.isnan(values).any():  # the sum of +inf and -inf is NaN too
            raise FloatingPointError(f"{type(self).__name__} gives NaN: its training diverged")
        return values

    def _candidate_index(self, candidates: Any, n_users: int) -> np.ndarray:
        array = np.asarray(candidates)
        if array.ndim > 2 or (array.ndim == 2 and len(array) != n_users):
            raise ValueError(f"candidates must have shape (m,) or ({n_users}, m), got {array.shape}")
        return self._item_ids.index("candidates", array.ravel()).reshape(array.shape)


def _membership(candidates: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """(n_users, n_items) bool from candidate indices, shared (m,) or of each user (n_users, m)."""
    allowed = np.zeros(shape, bool)
    if candidates.ndim == 1:
        allowed[:, candidates] = True
    else:
        np.put_along_axis(allowed, candidates, True, axis=1)
    return allowed
