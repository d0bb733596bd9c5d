"""Synthetic logs: communities of taste, the popularity of a real catalogue, and popularity that
comes and goes.

Each event is drawn in three steps:

    a time        within the period in which its user is active
    a community   c, from the user's mixture θ[u]
    an item       i, in proportion to fame[i] · fashion[i, time] · exp(structure · loading[c, i])

So the chance of item i for user u at a time t, whatever their mood, is a product of two factors,
Σ_c θ[u, c] φ[c, t, i]. Who knows them ranks as `PlantedLog.oracle` does.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from keras_recs.data.dataset import Dataset
from keras_recs.data.ids import IdMap
from keras_recs.data.interactions import Interactions
from keras_recs.utils.checks import real_number, whole_number

PERIODS = 24  # steps in which fashion moves
DAY = 86_400  # seconds
LIFE = 2  # periods in which the fading part of an item's appeal falls to 1/e
LEAST_EVENTS = 5  # of a user
RATING_NOISE = 0.8  # stars
ROUNDS = 30  # of drawing again what a user had met already
START = 1_500_000_000  # of the log, in seconds since 1970


@dataclass(frozen=True, eq=False)
class PlantedLog:
    """A log, and what was planted in it.

    Attributes:
        data: the log, with ratings from 1 to 5 and time stamps in seconds.
        communities: θ, (n_users, n_communities) float32: the mixture of each user; rows sum to 1.
        item_chances: φ, (n_communities, n_periods, n_items) float32: the chance of each item for a
        community in a
            period; the last axis sums to 1.
        last_period: (n_users,) the period of each user's last event.
        rating_factors: (n_users, 2 + n_communities) and (n_items, 2 + n_communities) float32, whose
            inner products are the ratings before noise and rounding.
    """

    data: Dataset
    communities: np.ndarray
    item_chances: np.ndarray
    last_period: np.ndarray
    rating_factors: tuple[np.ndarray, np.ndarray]

    def oracle(self) -> np.ndarray:
        """(n_users, n_items) float32: how likely each item is for each user at the time of the
        user's last event.

        To be measured by `keras_recs.evaluation.evaluate_scores`. It knows everything but the
        user's mood."""
        out = np.empty((self.data.n_users, self.data.n_items), np.float32)
        for period in range(self.item_chances.shape[1]):
            now = self.last_period == period
            out[now] = self.communities[now] @ self.item_chances[:, period]
        return out


def planted_log(
    n_users: int = 1000,
    n_items: int = 800,
    events_per_user: float = 40,
    *,
    n_communities: int = 12,
    structure: float = 1.0,
    drift: float = 0.5,
    head: float = 20.0,
    exponent: float = 1.0,
    days: int = 720,
    visit: float = 0.1,
    mood: float = 0.8,
    seed: int = 0,
) -> PlantedLog:
    """A log of films with planted communities.

    Args:
        n_users, n_items: sizes. Items that nobody meets are in the log's item ids all the same.
        events_per_user: on average; activity is log-normal, and everybody has five events at least.
        n_communities: of taste. A user belongs mostly to one or two of them.
        structure: standard deviation of an item's log-appeal between communities; 0: popularity is
        all there is. drift: share of an item's appeal that fades, 0 to 1. Items come out at any
        time, before the log or in it; the
            fading part is at its peak at once and falls to 1/e in a twelfth of the log's length.
            With 0, popularity stands still.
        head, exponent: fame falls as (head + rank) ** -exponent (Zipf & Mandelbrot): a small head,
            a large exponent and few hits have nearly all.
        days: length of the log.
        visit: mean share of the log in which a user is active.
        mood: the chance that an event is of the same community as the one before: moods last 1 / (1
        - mood) events. seed: of everything. The same arguments give the same log.

    >>> log = planted_log(n_users=50, n_items=30, events_per_user=8)
    >>> log.data
    Dataset('planted', 50 users, 30 items, 366 interactions)
    """
    whole_number("n_users", n_users)
    whole_number("n_items", n_items, least=5)
    whole_number("n_communities", n_communities)
    whole_number("days", days)
    real_number("events_per_user", events_per_user, above=0.0, most=n_items)
    real_number("structure", structure, least=0.0)
    real_number("drift", drift, least=0.0, most=1.0)
    real_number("head", head, least=0.0)
    real_number("exponent", exponent, least=0.0)
    real_number("visit", visit, above=0.0, most=1.0)
    real_number("mood", mood, least=0.0, most=1.0)
    rng = np.random.default_rng(seed)

    theta = _mixtures(rng, n_users, n_communities)
    loading = rng.standard_normal((n_communities, n_items))
    fame = rng.permutation((head + np.arange(1, n_items + 1)) ** -exponent)  # (n_items,)
    chances = _chances(fame, _fashion(rng, n_items, drift), structure * loading)  # φ

    users = np.repeat(np.arange(n_users), _activity(rng, n_users, n_items, events_per_user))
    times = _times(
        rng, users, n_users, visit
    )  # (n_events,) shares of the log, in order for each user
    periods = (times * PERIODS).astype(np.int64)
    communities = _moods(rng, users, theta, mood)  # (n_events,)
    items = _draw(rng, users, periods, communities, chances)
    met = items >= 0  # who has met nearly everything finds nothing new: that event is left out
    users, times, periods, items = users[met], times[met], periods[met], items[met]

    tastes, qualities = _rating_factors(rng, theta, loading, fame)
    expected = np.einsum("nf,nf->n", tastes[users], qualities[items])
    ratings = np.clip(np.rint(expected + rng.normal(0, RATING_NOISE, len(users))), 1, 5)
    events = Interactions(users, items, ratings, START + (times * days * DAY).astype(np.int64))
    data = Dataset(
        events,
        IdMap(np.arange(n_users), "users"),
        IdMap(np.arange(n_items), "items"),
        name="planted",
        rating_scale=(1.0, 5.0),
    )
    last = np.zeros(n_users, np.int64)
    np.maximum.at(last, users, periods)
    return PlantedLog(
        data, theta.astype(np.float32), chances.astype(np.float32), last, (tastes, qualities)
    )


def sparse_log(n_users: int = 4700, n_items: int = 9700, *, seed: int = 0) -> PlantedLog:
    """A log as of a film site where people drop by: 17 events a user, two events an item in the
    median, strong drift.

    Popularity is hard to beat here: there is little to learn from, and much of it is out of date.
    """
    return planted_log(
        n_users,
        n_items,
        17,
        n_communities=16,
        structure=0.8,
        drift=0.6,
        head=10.0,
        exponent=1.2,
        visit=0.1,
        mood=0.8,
        seed=seed,
    )


def dense_log(n_users: int = 600, n_items: int = 400, *, seed: int = 0) -> PlantedLog:
    """A log as of a small panel whose members have met a third of everything: 120 events a user,
    little drift."""
    return planted_log(
        n_users,
        n_items,
        120,
        n_communities=8,
        structure=1.5,
        drift=0.7,
        head=30.0,
        exponent=1.0,
        visit=0.9,
        mood=0.98,
        seed=seed,
    )


# --- the parts ------------------------------------------------------------------------------------


def _mixtures(rng: np.random.Generator, n_users: int, n_communities: int) -> np.ndarray:
    """(n_users, n_communities) θ: most of a user belongs to one or two communities."""
    return rng.dirichlet(np.full(n_communities, 2.0 / n_communities), n_users)


def _fashion(rng: np.random.Generator, n_items: int, drift: float) -> np.ndarray:
    """(n_periods, n_items) what is left of an item's appeal; 0 before it is out, and on average
    about 1 after."""
    released = rng.integers(-PERIODS, PERIODS, n_items)  # half of the items are older than the log
    age = np.arange(PERIODS)[:, None] - released  # (n_periods, n_items)
    fading = np.exp(-np.maximum(age, 0) / LIFE) * PERIODS / LIFE / 2
    return np.where(age >= 0, (1 - drift) + drift * fading, 0 if drift else 1)


def _chances(fame: np.ndarray, fashion: np.ndarray, appeal: np.ndarray) -> np.ndarray:
    """(n_communities, n_periods, n_items) φ."""
    weights = np.exp(appeal)[:, None, :] * (fame * fashion)
    return weights / weights.sum(axis=-1, keepdims=True)


def _activity(rng: np.random.Generator, n_users: int, n_items: int, mean: float) -> np.ndarray:
    """(n_users,) events of each user."""
    least = min(LEAST_EVENTS, mean)
    spread = rng.lognormal(0, 1, n_users) / np.exp(0.5)  # of mean 1
    return np.minimum(np.rint(least + (mean - least) * spread).astype(np.int64), n_items)


def _times(rng: np.random.Generator, users: np.ndarray, n_users: int, visit: float) -> np.ndarray:
    """(n_events,) within [0, 1), ascending for each user: all within the user's visit."""
    start = rng.random(n_users)
    length = np.minimum(rng.exponential(visit, n_users), 1 - start)
    times = start[users] + length[users] * rng.random(len(users))
    return times[np.lexsort((times, users))]


def _moods(
    rng: np.random.Generator, users: np.ndarray, theta: np.ndarray, mood: float
) -> np.ndarray:
    """(n_events,) the community of each event: from θ, or that of the user's event before."""
    fresh = rng.random(len(users)) >= mood
    fresh[np.unique(users, return_index=True)[1]] = True  # the first of each user
    drawn = _pick(rng, _ladder(theta), users, theta.shape[1])
    return drawn[np.maximum.accumulate(np.where(fresh, np.arange(len(users)), 0))]


def _draw(
    rng: np.random.Generator,
    users: np.ndarray,
    periods: np.ndarray,
    communities: np.ndarray,
    chances: np.ndarray,
) -> np.ndarray:
    """(n_events,) an item for each event that its user meets once only; -1 where none was found."""
    n_items = chances.shape[-1]
    rows = communities * chances.shape[1] + periods
    ladder = _ladder(chances.reshape(-1, n_items))
    items = np.full(len(users), -1)
    todo = np.arange(len(users))
    for _ in range(ROUNDS):
        items[todo] = _pick(rng, ladder, rows[todo], n_items)
        _, first = np.unique(users * n_items + items, return_index=True)
        again = np.ones(len(users), bool)
        again[first] = False
        todo = np.flatnonzero(again)
        if len(todo) == 0:
            break
    items[todo] = -1
    return items


def _ladder(chances: np.ndarray) -> np.ndarray:
    """Cumulative chances of all rows in one ascending column: row r climbs from r to r + 1."""
    steps = np.cumsum(chances, axis=1)
    return (steps / steps[:, -1:] + np.arange(len(chances))[:, None]).ravel()


def _pick(rng: np.random.Generator, ladder: np.ndarray, rows: np.ndarray, width: int) -> np.ndarray:
    """A column for each of `rows`, by its chance."""
    place = np.searchsorted(ladder, rows + rng.random(len(rows)), side="right")
    return np.minimum(place - rows * width, width - 1)  # rounding may step over the end of a row


def _rating_factors(
    rng: np.random.Generator, theta: np.ndarray, loading: np.ndarray, fame: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """(n_users, 2 + n_communities) and (n_items, 2 + n_communities): generosity, quality, and
    taste."""
    generosity = rng.normal(0, 0.4, len(theta))
    rank = np.argsort(np.argsort(fame)) / len(fame)  # known films are a little better
    quality = 3.2 + 0.6 * rank + rng.normal(0, 0.4, len(fame))
    taste = theta - theta.mean(axis=0)
    users = np.column_stack([np.ones(len(theta)), generosity, taste])
    items = np.column_stack([quality, np.ones(len(fame)), 0.6 * loading.T])
    return users.astype(np.float32), items.astype(np.float32)
