"""The data set `cinema`: rebuilt byte for byte, its facts sound, its tables, texts and posters as promised."""

from __future__ import annotations

import csv
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from keras_recs.data import Dataset, split
from keras_recs.data.cinema import (
    CinemaTruth,
    load_cinema,
    load_cinema_impressions,
    load_cinema_reviews,
)
from keras_recs.data.cinema.model import GENRE_MOODS, MOODS, SUBJECTS, THEMES

ROOT = Path(__file__).parents[1]
FIXTURES = ROOT / "fixtures"
GENERATOR = ROOT / "tools" / "cinema"
BUILT = (
    "films.jsonl",
    "users.jsonl",
    "interactions.csv",
    "impressions.npz",
    "reviews.jsonl",
    "posters.npz",
    "knowledge.tsv",
    "truth.npz",
    "truth.json",
)
ENGLISH_LABELS = re.compile(
    r"\b(actions?|adventures?|animat\w*|comed\w*|crimes?|criminal\w*|documentar\w*|dramas?|dramatic|famil\w*|"
    r"fantas\w*|histor\w*|horrors?|musicals?|myster\w*|romance\w*|romantic\w*|science fiction|sci-fi|thrillers?|"
    r"wars?|westerns?)\b",
    re.IGNORECASE,
)
CHINESE_LABELS = re.compile(
    "剧情|喜剧|爱情|冒险|动作|惊悚|犯罪|科幻|奇幻|家庭|悬疑|动画|恐怖|战争|"
    "歌舞|音乐剧|西部|历史|纪录"
)


def films() -> list[dict]:
    return [
        json.loads(line)
        for line in (FIXTURES / "films.jsonl").read_text(encoding="utf-8").splitlines()
    ]


# --- files ----------------------------------------------------------------------------------------


def test_rebuilds_byte_for_byte(tmp_path: Path) -> None:
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    subprocess.run(
        [sys.executable, str(GENERATOR / "generate.py"), "--out", str(tmp_path)],
        check=True,
        env={**os.environ, "PYTHONPATH": path, "PYTHONHASHSEED": "7"},
        cwd=tmp_path,
    )
    assert sorted(file.name for file in tmp_path.iterdir()) == sorted(BUILT)
    different = [
        name for name in BUILT if (tmp_path / name).read_bytes() != (FIXTURES / name).read_bytes()
    ]
    assert not different, f"the generator no longer makes {different}: run `make fixtures`"


def test_folder_is_small() -> None:
    files = [
        file for file in FIXTURES.rglob("*") if file.is_file() and "__pycache__" not in file.parts
    ]
    assert sum(file.stat().st_size for file in files) < 6 * 2**20


def test_licence_note_counts_right(cinema: Dataset, shown: Dataset) -> None:
    note = (FIXTURES / "LICENSE.md").read_text(encoding="utf-8")
    rows = {name: count for name, count in re.findall(r"\| `([\w.]+)` \| ([\d,]+)", note)}
    expected = {
        "films.jsonl": cinema.n_items,
        "users.jsonl": cinema.n_users,
        "interactions.csv": len(cinema),
        "impressions.npz": len(shown) // 10,
        "reviews.jsonl": 2000,
        "posters.npz": cinema.n_items,
        "knowledge.tsv": len(cinema.knowledge),
        "word_vectors.txt": len(
            (FIXTURES / "word_vectors.txt").read_text(encoding="utf8").splitlines()
        )
        - 1,
    }
    assert rows == {name: f"{count:,}" for name, count in expected.items()}


# --- facts and schema -----------------------------------------------------------------------------


def test_catalogue_is_sound() -> None:
    catalogue = films()
    assert len(catalogue) >= 240
    for key in ("id", "synopsis", "synopsis_zh"):
        assert len({film[key] for film in catalogue}) == len(catalogue)
    assert len({(film["title"], film["year"]) for film in catalogue}) == len(catalogue)
    for film in catalogue:
        assert re.fullmatch(r"[a-z0-9-]+-(\d{4})", film["id"]) and film["id"].endswith(
            str(film["year"])
        )
        assert 1920 <= film["year"] <= 2025
        assert film["genres"] and set(film["genres"]) <= set(GENRE_MOODS)
        assert len(set(film["genres"])) == len(film["genres"])
        assert (
            all(re.fullmatch("[A-Z]{2}", code) for code in film["countries"]) and film["countries"]
        )
        assert film["director"] and film["actors"] and all(film["actors"])
        assert re.search("[一-鿿]|^[A-Z0-9 ]+$", film["title_zh"]) and re.search(
            "[一-鿿]", film["synopsis_zh"]
        )
    assert {film["year"] // 10 for film in catalogue} >= set(range(192, 203))
    assert [film["id"] for film in catalogue] == sorted(film["id"] for film in catalogue)


def test_synopses_do_not_name_their_genres() -> None:
    named = [
        film["id"]
        for film in films()
        if any(
            re.search(rf"\b{genre}\b", film["synopsis"], re.IGNORECASE)
            for genre in film["genres"]
            if genre not in ("family", "war", "history", "crime", "mystery")
        )
    ]
    assert not named  # the five left out are everyday words too


def test_series_have_consecutive_parts_in_order_of_release(truth: CinemaTruth) -> None:
    parts: dict[str, list[tuple[int, int, str]]] = {}
    for film in films():
        if film["series"]:
            parts.setdefault(film["series"]["name"], []).append(
                (film["series"]["part"], film["year"], film["id"])
            )
    assert len(parts) >= 20
    for name, members in parts.items():
        members.sort()
        assert [part for part, _, _ in members] == list(range(1, len(members) + 1)) and len(
            members
        ) >= 2
        assert [year for _, year, _ in members] == sorted(year for _, year, _ in members)
        assert truth.series[name] == tuple(film for _, _, film in members)
    place = {film: i for i, film in enumerate(truth.item_ids.tolist())}
    for members_of in truth.series.values():
        before = [
            truth.item_ids[p] if p >= 0 else None
            for p in truth.model.previous[[place[i] for i in members_of]]
        ]
        assert before == [None, *members_of[:-1]]


def test_dataset_has_what_it_says(cinema: Dataset, truth: CinemaTruth) -> None:
    events = cinema.interactions
    assert (cinema.n_users, cinema.n_items) == (600, 428) and 28_000 < len(cinema) < 32_000
    for what in (
        "ratings",
        "timestamps",
        "titles",
        "genres",
        "years",
        "texts",
        "images",
        "user_texts",
        "knowledge",
        "click",
        "like",
        "finish",
        "hour",
        "weekend",
        "device",
    ):
        assert cinema.has(what), what
    assert cinema.user_ids.ids.dtype.kind == "i" and np.diff(cinema.user_ids.ids).max() > 1
    assert np.array_equal(cinema.user_ids.ids, truth.user_ids) and np.array_equal(
        cinema.item_ids.ids, truth.item_ids
    )
    assert cinema.seen.nnz == len(cinema), "nobody clicks a film twice"
    assert np.bincount(events.users, minlength=600).min() >= 10 and cinema.popularity.min() >= 1
    assert (np.diff(events.timestamps) >= 0).all()
    assert set(np.unique(events.ratings)) == {1, 2, 3, 4, 5} and cinema.rating_scale == (1, 5)
    assert (events.labels["click"] == 1).all()
    dates = events.timestamps.astype("datetime64[s]")
    assert np.array_equal(
        events.contexts["hour"], (dates - dates.astype("datetime64[D]")).astype(int) // 3600
    )
    assert np.array_equal(events.contexts["weekend"], ~np.is_busday(dates.astype("datetime64[D]")))
    assert set(events.contexts["device"]) == {"phone", "tablet", "tv"}
    assert (
        cinema.item_features.images.shape == (428, 64, 64, 3)
        and cinema.item_features.images.dtype == np.uint8
    )
    assert set(cinema.item_features.extra) == {
        "title_en",
        "title_zh",
        "director",
        "actors",
        "countries",
        "series",
        "part",
    }


def test_languages() -> None:
    inception = "inception-2010"
    english, chinese, both = (load_cinema(language) for language in ("en", "zh", "both"))
    at = english.item_ids.index("items", [inception])[0]
    assert english.titles([inception]) == ["Inception (2010)"]
    assert chinese.titles([inception]) == ["盗梦空间 (2010)"]
    assert both.item_features.titles[at] == "Inception 盗梦空间"
    assert (
        both.item_features.texts[at]
        == f"{english.item_features.texts[at]}\n{chinese.item_features.texts[at]}"
    )
    own = np.array(both.user_features.attributes["language"])
    for row, language in enumerate(own):
        source = chinese if language == "zh" else english
        assert both.user_features.texts[row] == source.user_features.texts[row]
    assert 0.33 < (own == "zh").mean() < 0.47
    with pytest.raises(ValueError, match="language.*'fr'"):
        load_cinema("fr")
    with pytest.raises(ValueError, match="language"):
        load_cinema_impressions("fr")


def test_knowledge_graph_says_what_the_features_say(cinema: Dataset) -> None:
    graph, features = cinema.knowledge, cinema.item_features
    triples = set(zip(graph.heads, graph.relations, graph.tails, strict=True))
    assert len(triples) == len(graph)
    assert set(graph.relations) == {
        *("genre", "director", "actor", "country", "series"),
        *("follows", "remake_of", "based_on", "author", "works_with"),
    }
    assert list(graph.item_entities) == cinema.item_ids.ids.tolist()
    for row, item in enumerate(cinema.item_ids.ids.tolist()):
        head = graph.item_entities[item]
        assert {tail for h, r, tail in triples if h == head and r == "genre"} == {
            f"genre:{genre}" for genre in features.genres[row]
        }
        series = features.extra["series"][row]
        assert ((head, "series", f"series:{series}") in triples) == (series is not None)
    assert ("film:unforgiven-1992", "director", "person:Clint Eastwood") in triples
    assert ("film:unforgiven-1992", "actor", "person:Clint Eastwood") in triples
    assert ("film:12-angry-men-1997", "remake_of", "film:12-angry-men-1957") in triples
    assert ("film:toy-story-2-1999", "follows", "film:toy-story-1995") in triples
    for film in ("film:12-angry-men-1957", "film:12-angry-men-1997"):
        assert (film, "based_on", "work:Twelve Angry Men") in triples
    assert ("work:Twelve Angry Men", "author", "person:Reginald Rose") in triples


def test_knowledge_graph_has_triangles_and_typed_paths(cinema: Dataset) -> None:
    """Without a triangle, the return parameter of node2vec says nothing; without entities that are
    head and tail, there is one kind of path only."""
    import networkx as nx

    graph = cinema.knowledge
    triples = list(zip(graph.heads, graph.relations, graph.tails, strict=True))
    plain = nx.Graph([(head, tail) for head, _, tail in triples])
    assert nx.is_connected(plain)
    # director, actor and film; a film, the one before, and their series; a remake and its source
    triangles = nx.triangles(plain)
    assert sum(triangles.values()) / 3 > 1000
    in_one = [name for name in graph.item_entities.values() if triangles[name]]
    assert len(in_one) > 0.9 * len(graph.item_entities)
    assert len(set(graph.heads) & set(graph.tails)) > 300
    count = {relation: sum(r == relation for _, r, _ in triples) for _, relation, _ in triples}
    assert count["follows"] >= 50 and count["remake_of"] >= 15 and count["based_on"] > 100
    for head, relation, tail in triples:
        kinds = (head.split(":")[0], tail.split(":")[0])
        assert kinds == {
            "follows": ("film", "film"),
            "remake_of": ("film", "film"),
            "based_on": ("film", "work"),
            "author": ("work", "person"),
            "works_with": ("person", "person"),
            "director": ("film", "person"),
            "actor": ("film", "person"),
        }.get(relation, ("film", relation))


def test_what_a_film_is_about_is_not_in_its_features(cinema: Dataset, truth: CinemaTruth) -> None:
    """Subjects are planted: only the synopsis tells them, and no file that an answer reads."""
    assert not any("subjects" in film for film in films())
    assert set(truth.subjects) == set(cinema.item_ids.ids.tolist())
    assert {name for names in truth.subjects.values() for name in names} == set(SUBJECTS)
    genres = np.array(
        [[genre in names for genre in GENRE_MOODS] for names in cinema.item_features.genres], float
    )
    subjects = truth.item_themes[:, len(MOODS) :] > 0
    auc = [_auc(_left_out(genres, subjects.astype(float))[:, k], subjects[:, k]) for k in range(12)]
    assert np.mean(auc) < 0.75, "genres hint at subjects, and no more"


def test_impressions_contain_the_interactions(cinema: Dataset, shown: Dataset) -> None:
    events, all_shown = cinema.interactions, shown.interactions
    assert all_shown.ratings is None and len(shown) > 4 * len(cinema)
    clicked = all_shown.take(all_shown.labels["click"] == 1)
    key = lambda e: np.lexsort((e.items, e.timestamps, e.users))  # noqa: E731
    a, b = key(events), key(clicked)
    for of in (
        lambda e: e.users,
        lambda e: e.items,
        lambda e: e.timestamps,
        lambda e: e.labels["like"],
        lambda e: e.labels["finish"],
        lambda e: e.contexts["device"],
        lambda e: e.contexts["hour"],
    ):
        assert np.array_equal(of(events)[a], of(clicked)[b])
    without = all_shown.labels["click"] == 0
    assert (
        not all_shown.labels["like"][without].any()
        and not all_shown.labels["finish"][without].any()
    )
    assert set(all_shown.contexts["position"]) == set(range(10))


# --- texts and posters ----------------------------------------------------------------------------


def test_phrases_are_many_and_profiles_name_no_genre() -> None:
    themes = json.loads((GENERATOR / "phrases.json").read_text(encoding="utf-8"))["themes"]
    assert set(themes) == set(THEMES)
    phrases = [
        phrase
        for theme in themes.values()
        for language in ("en", "zh")
        for phrase in theme[language]
    ]
    assert all(
        len(set(theme[language])) >= 15 for theme in themes.values() for language in ("en", "zh")
    )
    assert len(set(phrases)) == len(phrases)
    for language, labels in (("en", ENGLISH_LABELS), ("zh", CHINESE_LABELS)):
        texts = load_cinema(language).user_features.texts
        assert not [text for text in texts if labels.search(text)]
        assert len(set(texts)) == len(texts)
        assert all(bool(re.search("[一-鿿]", text)) == (language == "zh") for text in texts)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_profiles_speak_of_the_planted_interests(language: str, truth: CinemaTruth) -> None:
    themes = json.loads((GENERATOR / "phrases.json").read_text(encoding="utf-8"))["themes"]
    for row, text in enumerate(load_cinema(language).user_features.texts):
        spoken = {
            k
            for k, name in enumerate(truth.themes)
            if any(p in text for p in themes[name][language])
        }
        assert spoken == set(np.flatnonzero(truth.interests[row]))
        first = min(
            (text.index(p), k)
            for k in spoken
            for p in themes[truth.themes[k]][language]
            if p in text
        )
        assert first[1] == truth.main_interest[row]


def test_words_alone_do_not_tell_the_interest(cinema: Dataset, truth: CinemaTruth) -> None:
    from sklearn.feature_extraction.text import TfidfVectorizer

    words = TfidfVectorizer(stop_words="english")
    of_films = words.fit_transform(cinema.item_features.texts)
    guess = (words.transform(cinema.user_features.texts) @ of_films.T).toarray() @ truth.item_themes
    right = (guess.argmax(axis=1) == truth.main_interest).mean()
    assert 1 / 24 < right < 0.4  # a sentence encoder gets about 60 % right


def test_reviews(cinema: Dataset) -> None:
    reviews = load_cinema_reviews(cinema)
    assert len(reviews) == 2000 and (np.diff(reviews.rows) > 0).all()
    language = dict(
        zip(cinema.user_ids.ids.tolist(), cinema.user_features.attributes["language"], strict=True)
    )
    titles = {
        name: dict(
            zip(
                cinema.item_ids.ids.tolist(),
                cinema.item_features.extra[f"title_{name}"],
                strict=True,
            )
        )
        for name in ("en", "zh")
    }
    bare = []
    for user, item, text, written in zip(
        reviews.users.tolist(),
        reviews.items.tolist(),
        reviews.texts,
        reviews.languages,
        strict=True,
    ):
        assert written == language[user] and titles[written][item] in text
        bare.append(text.replace(titles[written][item], ""))
    assert not [text for text in bare if ENGLISH_LABELS.search(text) or CHINESE_LABELS.search(text)]
    assert 0.3 < np.mean([w == "zh" for w in reviews.languages]) < 0.5
    assert np.array_equal(reviews.ratings, cinema.interactions.ratings[reviews.rows])
    with pytest.raises(ValueError, match="all of cinema"):
        load_cinema_reviews(split(cinema, "P1").test)


def test_colours_of_posters_do_not_tell_genres_and_textures_do(cinema: Dataset) -> None:
    """Mean and deviation of each channel say hardly more than chance; how the image changes from
    pixel to pixel, which a convolution sees, says more."""
    images = cinema.item_features.images.astype(np.float64) / 255
    assert len(np.unique(images.reshape(428, -1), axis=0)) == 428
    colours = np.concatenate([images.mean(axis=(1, 2)), images.std(axis=(1, 2))], axis=1)
    grey = images.mean(axis=3)
    steps = [1, 2, 3, 4, 6, 8]
    changes = [
        np.abs(np.roll(grey, step, axis) - grey).mean(axis=(1, 2)) / grey.std(axis=(1, 2))
        for step in steps
        for axis in (1, 2)
    ]
    labels = np.array(
        [[genre in genres for genre in GENRE_MOODS] for genres in cinema.item_features.genres]
    )
    labels = labels[:, labels.sum(axis=0) > 12]

    def auc(x: np.ndarray) -> float:
        score = _left_out((x - x.mean(axis=0)) / x.std(axis=0), labels.astype(float))
        return float(np.mean([_auc(score[:, j], labels[:, j]) for j in range(labels.shape[1])]))

    assert auc(colours) < 0.56
    assert 0.62 < auc(np.column_stack(changes)) < 0.9


def _left_out(x: np.ndarray, y: np.ndarray, reg: float = 10.0) -> np.ndarray:
    """Ridge predictions for each row from all the others, by the leave-one-out formula."""
    x = np.column_stack([np.ones(len(x)), x])
    hat = x @ np.linalg.solve(x.T @ x + reg * np.diag([0.0] + [1.0] * (x.shape[1] - 1)), x.T)
    return y - (y - hat @ y) / (1 - np.diag(hat))[:, None]


def _auc(score: np.ndarray, label: np.ndarray) -> float:
    ranks = score.argsort().argsort() + 1
    n = label.sum()
    return float((ranks[label].sum() - n * (n + 1) / 2) / (n * (len(label) - n)))


def test_interactions_file_is_plain(cinema: Dataset) -> None:
    with (FIXTURES / "interactions.csv").open(newline="") as file:
        header, first, *_ = csv.reader(file)
    assert header == ["user", "film", "timestamp", "rating", "like", "finish", "device"]
    assert int(first[0]) in cinema.user_ids.ids and 0 <= int(first[1]) < 428
