"""`cinema`, the data set that comes with the library: real films, simulated users, and a known
truth.

The files lie in fixtures/ of a checkout and in `keras_recs.fixtures` of an installed package.
tools/cinema/generate.py builds them from the catalogue, by the model that
`keras_recs.data.cinema.model` writes out."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from keras_recs.data.cinema.context import DEVICES
from keras_recs.data.cinema.files import SECONDS_A_PLACE, read_arrays, read_fixture, read_lines
from keras_recs.data.cinema.truth import CinemaTruth, load_cinema_truth
from keras_recs.data.dataset import Dataset
from keras_recs.data.features import ItemFeatures, KnowledgeGraph, UserFeatures
from keras_recs.data.ids import IdMap
from keras_recs.data.interactions import Interactions
from keras_recs.data.splits import Split, split_temporal
from keras_recs.utils.checks import one_of

__all__ = [
    "ColdSplit",
    "CinemaTruth",
    "Reviews",
    "cinema_cold_split",
    "load_cinema",
    "load_cinema_impressions",
    "load_cinema_reviews",
    "load_cinema_truth",
]

LANGUAGES = ("en", "zh", "both")


def load_cinema(language: str = "en") -> Dataset:
    """The data set `cinema`: 600 users, 428 films, about 31,000 clicks of one year, in the order of
    time.

    User ids are whole numbers with gaps, item ids strings such as "inception-2010". An event is a
    film that was clicked. It has a rating (1 to 5), a timestamp, the labels click (always 1 here),
    like and finish (0 or 1), and the contexts hour (0 to 23, UTC), weekend (0 or 1) and device
    ("phone", "tablet" or "tv").

    Item features: titles, years, genres, texts (a synopsis), images (64 × 64 posters, drawn by a
    program), and extra: title_en, title_zh, director, actors (tuple), countries (tuple of codes),
    series and part (None where the film is in no series). User features: texts (how users describe
    themselves), and the attribute language, "en" or "zh": what they write in. The knowledge graph
    is read on first use.

    Users are simulated; facts about films are real. `load_cinema_truth` tells what was planted.

    Args:
        language: of titles and texts: "en", "zh", or "both". With "both", titles and synopses come
            in English and then Chinese, and every user's text is in the user's own language.

    Raises:
        ValueError: another language.

    >>> data = load_cinema()
    >>> data.n_users, data.n_items
    (600, 428)
    >>> data.titles(["inception-2010"])
    ['Inception (2010)']
    """
    one_of("language", language, LANGUAGES)
    users = read_lines("users.jsonl")
    table = np.loadtxt(
        io.BytesIO(read_fixture("interactions.csv")), np.int64, delimiter=",", skiprows=1
    )
    user, item, time, rating, like, finish, device = table.T
    # Users and films are sorted by id in the files, so that places there are indices here.
    events = Interactions(
        np.searchsorted([u["id"] for u in users], user),
        item,
        rating,
        time,
        {"click": np.ones(len(table), np.int64), "like": like, "finish": finish},
        _contexts(time, device),
    )
    return _dataset(events, users, language, "cinema")


def load_cinema_impressions(language: str = "en") -> Dataset:
    """All that was shown, clicked or not, as events without ratings; users, items and side data as
    `load_cinema`.

    182,000 events, page by page of ten films each. The label click says what was clicked,
    like and finish are 0 where click is. To the contexts of `load_cinema` comes position, the place
    on the page (0 to 9). An old recommender chose what to show, by fame and a little by taste:
    these data have its bias.

    Raises:
        ValueError: another language.
    """
    one_of("language", language, LANGUAGES)
    pages = read_arrays("impressions.npz")
    n_pages, size = pages["film"].shape
    place = np.tile(np.arange(size), n_pages)
    time = np.repeat(pages["time"].astype(np.int64), size) + SECONDS_A_PLACE * place
    outcome = pages["outcome"].ravel().astype(np.int64)
    labels = {name: outcome >> bit & 1 for bit, name in enumerate(("click", "like", "finish"))}
    contexts = {**_contexts(time, np.repeat(pages["device"], size)), "position": place}
    events = Interactions(
        np.repeat(pages["user"].astype(np.int64), size),
        pages["film"].ravel().astype(np.int64),
        None,
        time,
        labels,
        contexts,
    )
    return _dataset(events, read_lines("users.jsonl"), language, "cinema impressions")


@dataclass(frozen=True, eq=False)
class Reviews:
    """About 2,000 texts that users wrote on films they clicked, each in the user's own language; n
    entries each.

    `users` and `items` are ids, `languages` "en" or "zh", `ratings` 1 to 5, `timestamps` seconds
    since 1970, and `rows` the places of the events in `load_cinema()`, ascending.
    """

    users: np.ndarray
    items: np.ndarray
    texts: list[str]
    languages: list[str]
    ratings: np.ndarray
    timestamps: np.ndarray
    rows: np.ndarray

    def __len__(self) -> int:
        return len(self.texts)


def load_cinema_reviews(data: Dataset | None = None) -> Reviews:
    """The reviews that belong to `data`, which is `load_cinema()` by default (a split of it is not
    enough)."""
    data = load_cinema() if data is None else data
    reviews = read_lines("reviews.jsonl")
    rows = np.array([review["event"] for review in reviews])
    events = data.interactions
    if (
        data.name != "cinema"
        or events.ratings is None
        or events.timestamps is None
        or len(events) <= rows[-1]
    ):
        raise ValueError(f"data must be all of cinema, got {data!r}")
    return Reviews(
        data.user_ids.raw(events.users[rows]),
        data.item_ids.raw(events.items[rows]),
        [review["text"] for review in reviews],
        [review["language"] for review in reviews],
        events.ratings[rows],
        events.timestamps[rows],
        rows,
    )


@dataclass(frozen=True, eq=False)
class ColdSplit:
    """Three tests after one training: all three splits have the same `train`.

    Attributes:
        warm: warm users and films by P1: each user's last fifth is the test.
        cold_users: the test has all events of the 60 cold users with warm films. They have no event
        in `train`. cold_items: the test has all events of warm users with the 64 cold films. They
        have no event in `train`.
            To ask only how the new films rank among each other, pass their ids as `candidates`.
        user_ids, item_ids: ids of the cold ones.
    """

    warm: Split
    cold_users: Split
    cold_items: Split
    user_ids: np.ndarray
    item_ids: np.ndarray


def cinema_cold_split(language: str = "en") -> ColdSplit:
    """`cinema` split for cold starts. The cold users and films of `load_cinema_truth` arrive in the
    last two months.

    >>> cold = cinema_cold_split()
    >>> len(cold.user_ids), len(cold.item_ids)
    (60, 64)
    """
    data = load_cinema(language)
    truth = read_arrays("truth.npz")
    events = data.interactions
    new_user, new_item = truth["cold_users"][events.users], truth["cold_items"][events.items]
    warm = split_temporal(data.with_interactions(events.take(~new_user & ~new_item)))
    users_test, items_test = (
        data.with_interactions(events.take(rows))
        for rows in (new_user & ~new_item, ~new_user & new_item)
    )
    return ColdSplit(
        warm,
        Split("P1", warm.train, users_test),
        Split("P1", warm.train, items_test),
        data.user_ids.ids[truth["cold_users"]],
        data.item_ids.ids[truth["cold_items"]],
    )


# --- reading --------------------------------------------------------------------------------------


def _dataset(
    events: Interactions, users: list[dict[str, Any]], language: str, name: str
) -> Dataset:
    films = read_lines("films.jsonl")
    ids = [film["id"] for film in films]
    return Dataset(
        events,
        IdMap([user["id"] for user in users]),
        IdMap(ids),
        item_features=_item_features(films, language),
        user_features=_user_features(users, language),
        knowledge=partial(_knowledge, ids),
        name=name,
        rating_scale=(1.0, 5.0),
    )


def _contexts(time: np.ndarray, device: np.ndarray) -> dict[str, np.ndarray]:
    weekday = (time // 86400 + 3) % 7  # 1970 began on a Thursday, Monday is 0
    return {
        "hour": time // 3600 % 24,
        "weekend": (weekday >= 5).astype(np.int64),
        "device": np.array(DEVICES)[device],
    }


def _item_features(films: list[dict[str, Any]], language: str) -> ItemFeatures:
    def choose(name: str, between: str) -> list[str]:
        if language == "both":
            return [film[name] + between + film[f"{name}_zh"] for film in films]
        return [film[name if language == "en" else f"{name}_zh"] for film in films]

    posters = read_arrays("posters.npz")
    series = [film["series"] or {"name": None, "name_zh": None, "part": None} for film in films]
    extra = {
        "title_en": [film["title"] for film in films],
        "title_zh": [film["title_zh"] for film in films],
        "director": [film["director"] for film in films],
        "actors": [tuple(film["actors"]) for film in films],
        "countries": [tuple(film["countries"]) for film in films],
        "series": [s["name_zh" if language == "zh" else "name"] for s in series],
        "part": [s["part"] for s in series],
    }
    return ItemFeatures(
        [film["id"] for film in films],
        choose("title", " "),
        [tuple(film["genres"]) for film in films],
        np.array([film["year"] for film in films]),
        choose("synopsis", "\n"),
        posters["palette"][posters["pixels"]],
        extra,
    )


def _user_features(users: list[dict[str, Any]], language: str) -> UserFeatures:
    languages = [user["language"] for user in users]
    keys = [
        "profile_zh" if (own if language == "both" else language) == "zh" else "profile"
        for own in languages
    ]
    return UserFeatures(
        [user["id"] for user in users],
        [user[key] for user, key in zip(users, keys, strict=True)],
        {"language": languages},
    )


def _knowledge(item_ids: list[str]) -> KnowledgeGraph:
    _, *rows = csv.reader(io.StringIO(read_fixture("knowledge.tsv").decode()), delimiter="\t")
    heads, relations, tails = zip(*rows, strict=True)
    return KnowledgeGraph(heads, relations, tails, {item: f"film:{item}" for item in item_ids})
