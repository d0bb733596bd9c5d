"""What was planted in `cinema`. For tests and notebooks: an answer that reads it is not an
answer."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from functools import cached_property

import numpy as np

from keras_recs.data.cinema.context import slot_chances
from keras_recs.data.cinema.files import SECONDS_A_PLACE, read_arrays, read_fixture, read_lines
from keras_recs.data.cinema.model import CinemaModel
from keras_recs.data.dataset import Dataset

PROGRESS_OF_TEST = 0.9  # the middle of the last fifth
END_OF_TIME = 20148 + 365  # the day after the last, since 1970


@dataclass(frozen=True, eq=False)
class CinemaTruth:
    """The planted truth. n = 600 users and m = 428 films, in the order of the data set's ids; K =
    24 themes, 12 moods and then 12 subjects.

    Attributes:
        user_ids: (n,) int.  item_ids: (m,) str.
        themes: names of the K themes of interest.
        genre_moods: genre -> mood -> weight, what the moods are made of.
        subjects: item id -> what the film is about, one or two; only the synopsis shows it.
        interests: (n, K) at the beginning of each user's time; rows sum to 1, one to three entries
        are above 0. interests_at_end: (n, K) at the end; differs from `interests` for users who
        drift.
        n_interests: (n,) 1, 2 or 3.
        drifting: (n,) bool.
        communities: (n,) 0 to 5, the taste community of each user.
        item_themes: (m, K), the two halves of each row of length 1.
        item_affinity: (m, 6) affinity of each film with each community; no content feature shows
        it. quality, bait, fame: (m,) about 0 ± 1. Bait raises clicks and lowers finishes.
        series: name -> item ids, in the order of the parts.
        cold_users, cold_items: (60,) and (64,) ids of those that arrive in the last two months.
        conflict: which two tasks are in conflict, and by what.
        model: the parameters and equations of the whole model.
        night_owl: (n,) bool, and devices: (n, 3), when and on what a user watches.
        arrival: (m,) int, day since 1970 on which a film can first be shown.
    """

    user_ids: np.ndarray
    item_ids: np.ndarray
    themes: tuple[str, ...]
    genre_moods: dict[str, dict[str, float]]
    subjects: dict[str, list[str]]
    interests: np.ndarray
    interests_at_end: np.ndarray
    n_interests: np.ndarray
    drifting: np.ndarray
    communities: np.ndarray
    item_themes: np.ndarray
    item_affinity: np.ndarray
    quality: np.ndarray
    bait: np.ndarray
    fame: np.ndarray
    series: dict[str, tuple[str, ...]]
    cold_users: np.ndarray
    cold_items: np.ndarray
    conflict: dict[str, str | list[str]]
    model: CinemaModel
    night_owl: np.ndarray
    devices: np.ndarray
    arrival: np.ndarray

    @property
    def main_interest(self) -> np.ndarray:
        """(n,) index of each user's strongest theme at the beginning, which is what the profile
        text speaks of."""
        return self.interests.argmax(axis=1)

    @cached_property
    def utility(self) -> np.ndarray:
        """(n, m) float32: what each user gets out of each film, near the end of the user's time."""
        users = np.arange(len(self.user_ids))
        return self.model.utility(users, np.full(len(users), PROGRESS_OF_TEST)).astype(np.float32)

    @cached_property
    def expected_ratings(self) -> np.ndarray:
        """(n, m) float32 between 1 and 5, near the end of the user's time."""
        users = np.arange(len(self.user_ids))
        return self.model.expected_rating(users, np.full(len(users), PROGRESS_OF_TEST)).astype(
            np.float32
        )

    def oracle_scores(self, train: Dataset) -> np.ndarray:
        """(n, m) how likely each film is each user's next click after the events of `train`: the
        ceiling.

        Averaged over the interests that a visit may be about, the hours at which the user comes,
        and the days that are left; with the series that were begun in `train`, with how often a
        film was shown in vain by then, and with the part of the time left in which it is in the
        catalogue at all.
        What is in `train` is not masked.
        """
        n = len(self.user_ids)
        events = train.interactions
        if train.n_users != n or train.n_items != len(self.item_ids) or events.timestamps is None:
            raise ValueError(f"train must be a part of cinema, got {train!r}")
        last = np.zeros(n, np.int64)
        np.maximum.at(last, events.users, events.timestamps)
        ignored = self._ignored(last)
        watched = train.seen.toarray() > 0
        known = watched.any(axis=1)
        # those without a history are met in the middle of it
        progress = np.where(known, PROGRESS_OF_TEST, 0.5)
        scores = self.model.click_probability(
            np.arange(n), progress, watched, slot_chances(self.night_owl), ignored=ignored
        )
        begin = np.where(known, last / 86400, END_OF_TIME - 60)[:, None]
        left = np.clip(
            (END_OF_TIME - np.maximum(self.arrival, begin)) / np.maximum(END_OF_TIME - begin, 1),
            0,
            1,
        )
        return (scores * left).astype(np.float32)

    def _ignored(self, until: np.ndarray) -> np.ndarray:
        """(n, m) how often each film was shown to each user and left alone, up to `until` (n,)."""
        pages = read_arrays("impressions.npz")
        size = pages["film"].shape[1]
        time = pages["time"][:, None] + SECONDS_A_PLACE * np.arange(size)
        vain = (pages["outcome"] & 1 == 0) & (time <= until[pages["user"]][:, None])
        cell = pages["user"][:, None].astype(np.int64) * len(self.item_ids) + pages["film"]
        return np.bincount(cell[vain], minlength=len(self.user_ids) * len(self.item_ids)).reshape(
            len(until), -1
        )


def load_cinema_truth() -> CinemaTruth:
    """The truth behind `load_cinema()`.

    >>> truth = load_cinema_truth()
    >>> truth.series["Toy Story"]
    ('toy-story-1995', 'toy-story-2-1999', 'toy-story-3-2010', 'toy-story-4-2019')
    """
    arrays, meta = read_arrays("truth.npz"), json.loads(read_fixture("truth.json"))
    model = CinemaModel(**{field.name: arrays[field.name] for field in fields(CinemaModel)})
    user_ids = np.array([user["id"] for user in read_lines("users.jsonl")])
    item_ids = np.array([film["id"] for film in read_lines("films.jsonl")])
    return CinemaTruth(
        user_ids,
        item_ids,
        tuple(meta["themes"]),
        meta["genre_moods"],
        meta["subjects"],
        model.start,
        model.end,
        arrays["n_interests"],
        arrays["drifting"],
        model.communities,
        model.themes,
        model.affinity,
        model.quality,
        model.bait,
        model.fame,
        {name: tuple(parts) for name, parts in meta["series"].items()},
        user_ids[arrays["cold_users"]],
        item_ids[arrays["cold_items"]],
        meta["conflict"],
        model,
        arrays["night_owl"],
        arrays["devices"],
        arrays["arrival"],
    )
