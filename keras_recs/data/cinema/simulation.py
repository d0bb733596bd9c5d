"""Batches of simulated users of `cinema` who react to what they are shown: the engine of the
environments."""

from __future__ import annotations

import numpy as np
from scipy.special import expit, ndtr

from keras_recs.data.cinema.context import DEVICES, draw, draw_context, time_slot
from keras_recs.data.cinema.model import RATING_NOISE
from keras_recs.data.cinema.truth import CinemaTruth, load_cinema_truth
from keras_recs.utils.checks import one_of, whole_number

REWARDS = ("click", "finish", "rating")


class CinemaSimulation:
    """n users side by side, each shown a slate of films at a time. Pure NumPy, the API of batches.

    A user's visit lasts `visit` slates: its hour, weekend and device and the interest it is about
    stay the same, and then the next visit begins. Films react as in `keras_recs.data.cinema.model`:
    what was clicked counts as watched and is not clicked again, the next part of a series follows
    upon the one before.

    Args:
        n: users side by side.
        slate_size: films a step.
        reward: of each film shown: "click" is 1 for a click, "finish" is 1 for a film watched to
            the end, "rating" is the rating (1 to 5) of a film that was clicked; else 0. A slate's
            reward is the sum.
        horizon: steps of an episode.
        visit: steps of a visit.
        history: films that the observation goes back.
        drift: whether interests move, in one episode, as they do in a year of the data.
        truth: the planted truth; that of the data set by default.

    Raises:
        ValueError, TypeError: an argument out of range.
    """

    def __init__(
        self,
        n: int = 1,
        *,
        slate_size: int = 1,
        reward: str = "click",
        horizon: int = 50,
        visit: int = 5,
        history: int = 20,
        drift: bool = True,
        truth: CinemaTruth | None = None,
    ) -> None:
        self.n, self.slate_size = whole_number("n", n), whole_number("slate_size", slate_size)
        self.reward = one_of("reward", reward, REWARDS)
        self.horizon, self.visit = whole_number("horizon", horizon), whole_number("visit", visit)
        self.history, self.drift = whole_number("history", history), bool(drift)
        self.truth = load_cinema_truth() if truth is None else truth
        self.model = self.truth.model
        if self.slate_size > self.model.n_items:
            raise ValueError(f"slate_size must be at most {self.model.n_items}, got {slate_size}")
        self.users = np.zeros(self.n, np.int64)
        self.steps = np.zeros(self.n, np.int64)
        self.watched = np.zeros((self.n, self.model.n_items), bool)
        self.items = np.full((self.n, self.history), -1, np.int64)
        self.feedback = np.zeros((self.n, self.history), np.float32)
        self.hour, self.weekend, self.device, self.active = (
            np.zeros(self.n, np.int64) for _ in range(4)
        )

    @property
    def progress(self) -> np.ndarray:
        """(n,) in [0, 1]: how far the interests have moved."""
        return self.steps / self.horizon if self.drift else np.zeros(self.n)

    def reset(
        self,
        rng: np.random.Generator,
        rows: np.ndarray | None = None,
        users: np.ndarray | None = None,
    ) -> None:
        """Begin a new episode in `rows` (all by default), with these `users` (indices; drawn by
        default)."""
        rows = np.arange(self.n) if rows is None else rows
        self.users[rows] = (
            rng.integers(0, self.model.n_users, len(rows)) if users is None else users
        )
        self.steps[rows], self.watched[rows] = 0, False
        self.items[rows], self.feedback[rows] = -1, 0
        self._new_visit(rng, rows)

    def step(
        self, slates: np.ndarray, rng: np.random.Generator
    ) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """Show each user a slate, (n, slate_size) film indices; a film that comes twice on it
        counts once.

        Returns:
            rewards (n,) float64, and what became of each place: "click", "finish", "like" (bool)
            and "rating" (int, 0 without a click), each (n, slate_size).

        Raises:
            ValueError: slates of another shape, or a film that there is not.
        """
        slates = np.asarray(slates)
        if slates.shape != (self.n, self.slate_size):
            raise ValueError(
                f"slates must have shape {(self.n, self.slate_size)}, got {slates.shape}"
            )
        if slates.min() < 0 or slates.max() >= self.model.n_items:
            raise ValueError(
                f"films must be 0 … {self.model.n_items - 1}, got {slates.min()} … {slates.max()}"
            )
        follows = self.model.follows(self.watched, slates)
        logit = self.model.click_logit(self.users, self.active, self._slots(), follows, slates)
        new = ~np.take_along_axis(self.watched, slates, axis=1)
        if self.slate_size > 1:
            new &= ~np.tril(slates[:, :, None] == slates[:, None, :], -1).any(axis=2)
        draws = rng.random((3, *slates.shape))
        click = new & (draws[0] < expit(logit))
        utility = self.model.utility(self.users, self.progress, slates)
        finish = click & (
            draws[1] < expit(self.model.finish_logit(utility, self.device == 0, slates))
        )
        like = click & (draws[2] < expit(self.model.like_logit(utility)))
        rating = np.where(
            click, self.model.rating(self.users, utility, rng.standard_normal(slates.shape)), 0
        )
        gains = {"click": click, "finish": finish, "rating": rating}[self.reward].astype(np.float32)
        row, place = np.nonzero(click)
        self.watched[row, slates[row, place]] = True
        self.items = np.concatenate([self.items, slates], axis=1)[:, -self.history :]
        self.feedback = np.concatenate([self.feedback, gains], axis=1)[:, -self.history :]
        self.steps += 1
        self._new_visit(rng, np.flatnonzero(self.steps % self.visit == 0))
        return gains.sum(axis=1, dtype=np.float64), {
            "click": click,
            "finish": finish,
            "like": like,
            "rating": rating,
        }

    @property
    def done(self) -> np.ndarray:
        """(n,) bool: whose episode has reached the horizon."""
        return self.steps >= self.horizon

    def context(self) -> np.ndarray:
        """(n, 6) float32: sine and cosine of the hour, weekend, and the device as one of three, all
        in [-1, 1]."""
        angle = 2 * np.pi * self.hour / 24
        return np.column_stack(
            [np.sin(angle), np.cos(angle), self.weekend, np.eye(len(DEVICES))[self.device]]
        ).astype(np.float32)

    def expected_rewards(self) -> np.ndarray:
        """(n, n_items) reward expected of each film if it were shown now, alone: what an oracle
        goes by."""
        model = self.model
        logit = model.click_logit(
            self.users, self.active, self._slots(), model.follows(self.watched)
        )
        expected = np.where(self.watched, 0, expit(logit))
        if self.reward == "finish":
            expected *= expit(
                model.finish_logit(model.utility(self.users, self.progress), self.device == 0)
            )
        elif self.reward == "rating":
            felt = model.utility(self.users, self.progress) + model.kindness[self.users][:, None]
            expected *= 1 + sum(ndtr((felt - cut) / RATING_NOISE) for cut in model.cuts)
        return expected

    def _slots(self) -> np.ndarray:
        return time_slot(self.hour, self.weekend)

    def _new_visit(self, rng: np.random.Generator, rows: np.ndarray) -> None:
        if len(rows) == 0:
            return
        users = self.users[rows]
        self.weekend[rows] = rng.random(len(rows)) < 2 / 7
        self.hour[rows], self.device[rows] = draw_context(
            self.truth.night_owl[users], self.truth.devices[users], self.weekend[rows], rng
        )
        self.active[rows] = draw(self.model.interests(users, self.progress[rows]), rng)
