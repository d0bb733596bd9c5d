"""Negative sampling: items that a user has not met, drawn for many users at once."""

from __future__ import annotations

from typing import Any

import numpy as np

from keras_recs.data.dataset import Dataset
from keras_recs.utils.checks import one_of, real_number, whole_number


class NegativeSampler:
    """Draws items that a user never met, without a loop over users.

    Every draw that hits a positive is drawn again (rejection). A user has met few of the items, so
    a handful of rounds settles nearly all; what is left after that is drawn from the user's
    complement exactly.

    Args:
        data: the positives.
        strategy: "uniform", every item alike, or "popularity", in proportion to popularity **
        `power`. power: 0.75 as in word2vec (Mikolov 2013): between uniform (0) and proportional
        (1).
        seed: of the generator, or the generator itself.
    """

    ROUNDS = 16

    def __init__(
        self,
        data: Dataset,
        strategy: str = "uniform",
        *,
        power: float = 0.75,
        seed: int | np.random.Generator | None = 0,
    ) -> None:
        one_of("strategy", strategy, ("uniform", "popularity"))
        real_number("power", power, least=0.0)
        self.n_items = data.n_items
        self._rng = np.random.default_rng(seed)
        seen = data.seen.tocoo()
        self._positive = np.sort(seen.coords[0].astype(np.int64) * self.n_items + seen.coords[1])
        self._n_seen = np.bincount(seen.coords[0], minlength=data.n_users)
        if strategy == "uniform":
            self.weights = np.full(self.n_items, 1 / self.n_items)
            self._cumulative = None
        else:
            # an item nobody met can still be a negative
            weights = np.maximum(data.popularity, 1) ** power
            self.weights = weights / weights.sum()
            self._cumulative = np.cumsum(self.weights)

    def sample(self, users: Any, n: int = 1) -> np.ndarray:
        """`n` negatives for each of `users` (indices, repeats allowed): (len(users), n) int64.

        A user who has met every item has no negative; the row is filled with -1.
        """
        whole_number("n", n)
        users = np.asarray(users, np.int64)
        drawn = self._draw((len(users), n))
        owner = np.repeat(users, n).reshape(drawn.shape)
        redo = np.flatnonzero(self._is_positive(owner, drawn))
        for _ in range(self.ROUNDS):
            if len(redo) == 0:
                return drawn
            drawn.flat[redo] = self._draw(len(redo))
            redo = redo[self._is_positive(owner.flat[redo], drawn.flat[redo])]
        for user in np.unique(owner.flat[redo]):  # those few who have met nearly everything
            mine = redo[owner.flat[redo] == user]
            drawn.flat[mine] = self._exactly(user, len(mine))
        return drawn

    def _draw(self, shape: Any) -> np.ndarray:
        if self._cumulative is None:
            return self._rng.integers(0, self.n_items, shape)
        drawn = np.searchsorted(self._cumulative, self._rng.random(shape), side="right")
        # rounding may leave the last cumulative weight below 1
        return np.minimum(drawn, self.n_items - 1)

    def _is_positive(self, users: np.ndarray, items: np.ndarray) -> np.ndarray:
        pair = users * self.n_items + items
        place = np.minimum(np.searchsorted(self._positive, pair), len(self._positive) - 1)
        return self._positive[place] == pair

    def _exactly(self, user: int, n: int) -> np.ndarray:
        if self._n_seen[user] == self.n_items:
            return np.full(n, -1)
        free = np.flatnonzero(
            ~self._is_positive(np.full(self.n_items, user), np.arange(self.n_items))
        )
        weights = self.weights[free]
        return self._rng.choice(free, n, p=weights / weights.sum())
