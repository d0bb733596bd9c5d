"""The catalogue of `cinema`, the real films that tools/cinema writes its data about: every line
whole, every link to another film or work sound, every person spelled one way, and synopses that
leave the genres to be inferred."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from keras_recs.data.cinema.model import GENRE_MOODS, SUBJECTS

CATALOGUE = Path(__file__).parents[1] / "tools" / "cinema" / "catalogue"
PARTS = ("classic", "modern", "world", "second")
FIELDS = [
    "id",
    "title",
    "title_zh",
    "year",
    "countries",
    "genres",
    "director",
    "actors",
    "series",
    "subjects",
    "remake_of",
    "based_on",
    "synopsis",
    "synopsis_zh",
]
#: The label of each genre, in English and in Chinese; a synopsis shows it, it does not say it.
LABELS = {
    "action": (r"actions?", "动作"),
    "adventure": (r"adventures?", "冒险"),
    "animation": (r"animat\w*", "动画"),
    "comedy": (r"comed\w*", "喜剧"),
    "crime": (r"crimes?|criminal\w*", "犯罪"),
    "documentary": (r"documentar\w*", "纪录"),
    "drama": (r"dramas?|dramatic", "剧情"),
    "family": (r"famil\w*", "家庭"),
    "fantasy": (r"fantas\w*", "奇幻"),
    "history": (r"histor\w*", "历史"),
    "horror": (r"horrors?", "恐怖"),
    "musical": (r"musicals?", "歌舞|音乐剧"),
    "mystery": (r"myster\w*", "悬疑"),
    "romance": (r"romance\w*|romantic\w*", "爱情"),
    "science fiction": (r"science fiction|sci-fi", "科幻"),
    "thriller": (r"thrillers?", "惊悚"),
    "war": (r"wars?", "战争"),
    "western": (r"westerns?", "西部"),
}
CHINESE = re.compile("[一-鿿]")
#: What a Chinese synopsis is written in: characters, their punctuation, digits.
WRITTEN_CHINESE = re.compile("[一-鿿，。；：、“”《》！？·—…0-9]")


def read(part: str) -> list[dict[str, Any]]:
    lines = (CATALOGUE / f"{part}.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


@pytest.fixture(scope="module")
def films() -> list[dict[str, Any]]:
    return [film for part in PARTS for film in read(part)]


def people(film: dict[str, Any]) -> list[str]:
    """Everyone that a film names: who made it, who is in it, who wrote the work behind it."""
    author = (film["based_on"] or {}).get("author") or ""
    return [name for names in (film["director"], author, *film["actors"]) for name in split(names)]


def split(names: str) -> list[str]:
    return names.split(" & ") if names else []


def folded(text: str) -> str:
    """The letters and digits of a text, without case and diacritics."""
    plain = unicodedata.normalize("NFKD", text).casefold()
    return "".join(letter for letter in plain if letter.isalnum())


def spellings(texts: Iterable[str]) -> list[set[str]]:
    """The sets of texts that differ in case, diacritics, punctuation or spaces only."""
    found: dict[str, set[str]] = {}
    for text in texts:
        found.setdefault(folded(text), set()).add(text)
    return [same for same in found.values() if len(same) > 1]


def labels_named(film: dict[str, Any]) -> list[str]:
    """The genres of a film that its synopses name."""
    return [
        genre
        for genre in film["genres"]
        if re.search(rf"\b({LABELS[genre][0]})\b", film["synopsis"], re.IGNORECASE)
        or re.search(LABELS[genre][1], film["synopsis_zh"])
    ]


# --- one film -------------------------------------------------------------------------------------


def test_every_film_has_the_same_fields_in_the_same_order(films: list[dict[str, Any]]) -> None:
    assert len(films) == 428
    assert not [film["id"] for film in films if list(film) != FIELDS]


def test_ids_are_unique_and_end_in_the_year(films: list[dict[str, Any]]) -> None:
    assert len({film["id"] for film in films}) == len(films)
    assert not [
        film["id"] for film in films if not re.fullmatch(rf"[a-z0-9-]+-{film['year']}", film["id"])
    ]
    assert len({(film["title"], film["year"]) for film in films}) == len(films)


def test_fields_hold_what_they_should(films: list[dict[str, Any]]) -> None:
    for film in films:
        name = film["id"]
        assert isinstance(film["year"], int) and 1920 <= film["year"] <= 2025, name
        assert film["title"] and film["title_zh"] and film["director"], name
        assert film["countries"], name
        assert all(re.fullmatch("[A-Z]{2}", code) for code in film["countries"]), name
        assert set(film["genres"]) <= set(GENRE_MOODS), name
        assert 1 <= len(film["genres"]) == len(set(film["genres"])), name
        assert set(film["subjects"]) <= set(SUBJECTS), name
        assert 1 <= len(film["subjects"]) == len(set(film["subjects"])) <= 2, name
        assert 1 <= len(film["actors"]) == len(set(film["actors"])) <= 3, name
        assert all(person == person.strip() and person for person in people(film)), name


# --- links ----------------------------------------------------------------------------------------


def test_a_remake_is_later_than_the_film_that_it_remakes(films: list[dict[str, Any]]) -> None:
    years = {film["id"]: film["year"] for film in films}
    remakes = [film for film in films if film["remake_of"] is not None]
    assert len(remakes) >= 15
    assert not [film["id"] for film in remakes if film["remake_of"] not in years]
    assert not [film["id"] for film in remakes if years[film["remake_of"]] >= film["year"]]


def test_a_work_has_one_author_field_and_one_spelling(films: list[dict[str, Any]]) -> None:
    works = [film["based_on"] for film in films if film["based_on"] is not None]
    assert all(list(work) == ["work", "author"] and work["work"] for work in works)
    assert all(work["author"] is None or work["author"] for work in works)
    assert not spellings(work["work"] for work in works)
    authors: dict[str, set[str | None]] = {}
    for work in works:
        authors.setdefault(work["work"], set()).add(work["author"])
    assert not {work: named for work, named in authors.items() if len(named) > 1}


def test_joint_authors_are_each_named_in_full(films: list[dict[str, Any]]) -> None:
    joint = {
        author
        for film in films
        if film["based_on"] is not None and len(split(film["based_on"]["author"] or "")) > 1
        for author in split(film["based_on"]["author"])
    }
    assert len(joint) >= 10
    assert not [author for author in joint if " " not in author]


def test_parts_of_a_series_are_consecutive_and_in_order_of_release(
    films: list[dict[str, Any]],
) -> None:
    series: dict[str, list[tuple[int, int, str]]] = {}
    for film in films:
        if film["series"] is not None:
            assert list(film["series"]) == ["name", "name_zh", "part"], film["id"]
            row = (film["series"]["part"], film["year"], film["series"]["name_zh"])
            series.setdefault(film["series"]["name"], []).append(row)
    assert len(series) >= 20
    for name, members in series.items():
        parts, years, names_zh = zip(*sorted(members), strict=True)
        assert len(parts) >= 2 and parts == tuple(range(1, len(parts) + 1)), name
        assert list(years) == sorted(years), name
        assert len(set(names_zh)) == 1, name


def test_a_person_is_spelled_one_way(films: list[dict[str, Any]]) -> None:
    assert not spellings(person for film in films for person in people(film))


# --- synopses -------------------------------------------------------------------------------------


@pytest.mark.parametrize("part", PARTS)
def test_synopses_are_of_one_length_and_in_their_language(part: str) -> None:
    for film in read(part):
        english, chinese = film["synopsis"], film["synopsis_zh"]
        assert 25 <= len(english.split()) <= 45, film["id"]
        assert not CHINESE.search(english) and english.endswith("."), film["id"]
        assert 45 <= len(chinese) <= 90, film["id"]
        assert len(WRITTEN_CHINESE.findall(chinese)) >= 0.9 * len(chinese), film["id"]
        assert chinese[-1] in "。！？”", film["id"]
        assert CHINESE.search(film["title_zh"]), film["id"]


def test_no_two_films_share_a_synopsis(films: list[dict[str, Any]]) -> None:
    for language in ("synopsis", "synopsis_zh"):
        assert len({film[language] for film in films}) == len(films)


def test_every_genre_has_a_label() -> None:
    assert set(LABELS) == set(GENRE_MOODS)


@pytest.mark.parametrize("part", PARTS)
def test_synopses_name_no_genre_of_their_film(part: str) -> None:
    assert not {film["id"]: labels_named(film) for film in read(part) if labels_named(film)}
