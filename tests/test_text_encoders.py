"""What all text encoders share: checks, batches, the cache on disk, how one is loaded, and the fallback."""

from __future__ import annotations

import importlib.util
import os
import re
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

import keras_recs
from keras_recs.data.assets import AssetError
from keras_recs.text import (
    BaseEncoder,
    EncoderError,
    TextEncoder,
    TfidfEncoder,
    encoder,
    load_encoder,
    loading,
)
from keras_recs.text.cache import VectorCache
from keras_recs.text.encoder import NeuralEncoder

TEXTS = [
    "a quiet film",
    "",
    "ghosts, ghosts, ghosts and no end of ghosts",
    "片名",
    "a quiet film",
    "  \n",
    "x",
]


class Toy(NeuralEncoder):
    """Counts what it is asked; its vector of a text is made of the text's first and last letters."""

    name, dim, languages, description, max_tokens = "toy", 3, ("en",), "a toy", 12

    def __init__(self, *, cache: bool = False) -> None:
        super().__init__(cache=cache)
        self.batches: list[tuple[int, int]] = []

    @property
    def n_encoded(self) -> int:
        return sum(rows for rows, _ in self.batches)

    def _tokens(self, texts: list[str]) -> list[list[int]]:
        return [[ord(letter) for letter in text[: self.max_tokens]] for text in texts]

    def _forward(self, ids: np.ndarray, mask: np.ndarray) -> np.ndarray:
        self.batches.append(ids.shape)
        assert not ids[mask == 0].any(), "padding is zero"
        last = ids[np.arange(len(ids)), mask.sum(axis=1).astype(int) - 1]
        return np.column_stack([ids[:, 0], last, mask.sum(axis=1)]).astype(np.float32)


class Other(Toy):
    name = "other"


class Newer(Toy):
    version = "2"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("KERAS_RECS_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


# --- one row per text ---


def test_rows_are_unit_vectors_in_the_order_of_the_texts() -> None:
    """Each text has its own row, of length one, whatever batches it was sorted into."""
    vectors = Toy().encode(TEXTS, batch_size=2)
    assert vectors.shape == (len(TEXTS), 3) and vectors.dtype == np.float32
    raw = np.array([[97, 109, 12], [103, 115, 12], [29255, 21517, 2], [120, 120, 1]], float)
    raw[1, 1] = ord(TEXTS[2][11])
    expected = raw / np.linalg.norm(raw, axis=1, keepdims=True)
    np.testing.assert_allclose(vectors[[0, 2, 3, 6]], expected, atol=1e-6)
    np.testing.assert_array_equal(vectors[0], vectors[4])


def test_a_blank_text_is_a_zero_row() -> None:
    """There is no meaning to encode: the row is zero, and the model is not asked."""
    toy = Toy()
    assert not toy.encode(["", " ", "\t\n"]).any() and toy.batches == []
    assert not Toy().encode(TEXTS)[[1, 5]].any()
    assert toy.encode([]).shape == (0, 3)


def test_equal_texts_are_encoded_once_and_long_ones_are_cut() -> None:
    """The model sees each different text once, and nothing beyond its longest text."""
    toy = Toy()
    toy.encode(["abc"] * 50 + ["d" * 500])
    assert toy.n_encoded == 2 and max(length for _, length in toy.batches) == 12


def test_batches_are_of_similar_length_and_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sorted by length, at most `batch_size` rows, and at most so many tokens with the padding."""
    toy = Toy()
    toy.encode([f"{i:02d}" + "x" * (i % 10) for i in range(40)], batch_size=16)
    assert [rows for rows, _ in toy.batches] == [16, 16, 8]
    lengths = [length for _, length in toy.batches]
    assert lengths == sorted(lengths, reverse=True) and lengths[-1] <= 4
    monkeypatch.setattr(encoder, "TOKENS_AT_ONCE", 24)
    toy.batches.clear()
    toy.encode([f"{i:02d}xxxxxxxxxx" for i in range(10)])
    assert toy.batches == [(2, 12)] * 5


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ("one film", "texts must be a sequence of strings, got a single one; put it into a list"),
        (b"one film", "texts must be a sequence of strings, got a single one"),
        (7, "texts must be a sequence of strings, got int"),
        ({"a": 1}, "texts must be a sequence of strings, got dict"),
        (["a", None], "texts must hold strings only, but entry 1 is None"),
        (np.array([1.5]), "texts must hold strings only, but entry 0 is .*1.5"),
    ],
)
def test_wrong_texts_are_refused_by_name(texts: object, message: str) -> None:
    """One string is not a list of letters, and None is no text."""
    for method in (Toy().encode, Toy().fit, TfidfEncoder().fit):
        with pytest.raises(TypeError, match=message):
            method(texts)  # type: ignore[operator]


def test_other_arguments_and_odd_texts() -> None:
    """An array of strings is a sequence; half a character becomes a question mark; batch_size is checked."""
    np.testing.assert_array_equal(Toy().encode(np.array(["ab", "c"])), Toy().encode(("ab", "c")))
    np.testing.assert_array_equal(Toy().encode(["\ud83c"]), Toy().encode(["?"]))
    with pytest.raises(ValueError, match="batch_size must be at least 1, got 0"):
        Toy().encode(["a"], batch_size=0)


# --- the cache ---


def test_a_hit_gives_the_same_row_and_does_not_ask_the_model(home: Path) -> None:
    """What was encoded once is read from disk, by another object, too; new texts alone go to the model."""
    first = Toy(cache=True).encode(TEXTS)
    toy = Toy(cache=True)
    np.testing.assert_array_equal(toy.encode(TEXTS[::-1]), first[::-1])
    assert toy.n_encoded == 0
    np.testing.assert_array_equal(toy.encode([*TEXTS, "new"])[:-1], first)
    assert toy.n_encoded == 1
    assert [path.name for path in (home / "encodings").glob("*.sqlite")] == ["toy-1.sqlite"]


def test_encoders_and_versions_never_share_rows(home: Path) -> None:
    """Another encoder, or another version of this one, computes its own; so does a file that was renamed."""
    Toy(cache=True).encode(TEXTS)
    for kind in (Other, Newer):
        other = kind(cache=True)
        other.encode(TEXTS)
        assert other.n_encoded == 4
    (home / "encodings" / "toy-1.sqlite").replace(home / "encodings" / "other-1.sqlite")
    other = Other(cache=True)
    other.encode(TEXTS)
    assert other.n_encoded == 4, "the encoder is part of the key, not of the file's name alone"


@pytest.mark.parametrize("damage", ["garbage", "half", "empty", "row"])
def test_a_damaged_cache_is_rebuilt(home: Path, damage: str) -> None:
    """The rows are right again, and the file serves again; nothing is raised."""
    texts = [f"film {i}" for i in range(400)]
    whole = Toy(cache=True).encode(texts)
    path = VectorCache("toy", "1", 3).path
    content = path.read_bytes()
    if damage == "row":
        with closing(sqlite3.connect(path)) as table, table:
            table.execute("UPDATE vectors SET vector = zeroblob(12) WHERE rowid % 2")
    else:
        damaged = {
            "garbage": b"no database at all" * 99,
            "half": content[: len(content) // 2],
            "empty": b"",
        }
        path.write_bytes(damaged[damage])
    np.testing.assert_array_equal(Toy(cache=True).encode(texts), whole)
    again = Toy(cache=True)
    np.testing.assert_array_equal(again.encode(texts), whole)
    assert again.n_encoded == 0


def test_a_cache_that_cannot_be_written_costs_time_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file lies where the folder should be: every call computes."""
    (tmp_path / "file").touch()
    monkeypatch.setenv("KERAS_RECS_HOME", str(tmp_path / "file"))
    toy = Toy(cache=True)
    np.testing.assert_array_equal(toy.encode(TEXTS), toy.encode(TEXTS))
    assert toy.n_encoded == 8


def test_two_processes_fill_one_cache(home: Path) -> None:
    """Written at the same time, text by text, every row of both is there afterwards, and right."""
    code = (
        "import sys, numpy as np; from keras_recs.text.cache import VectorCache\n"
        "table = VectorCache('toy', '1', 2)\n"
        "for i in range(int(sys.argv[1]), int(sys.argv[1]) + 60):\n"
        "    table.put([f'film {i}'], np.full((1, 2), i)); assert table.get([f'film {i}'])[1].all()\n"
    )
    running = [
        subprocess.Popen([sys.executable, "-c", code, str(start)], env=dict(os.environ))
        for start in (0, 30)
    ]
    assert [process.wait(60) for process in running] == [0, 0]
    vectors, known = VectorCache("toy", "1", 2).get([f"film {i}" for i in range(91)])
    assert known[:90].all() and not known[90]
    np.testing.assert_array_equal(vectors[:90], np.repeat(np.arange(90), 2).reshape(90, 2))


def test_what_is_done_is_kept_when_a_long_run_breaks_off(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Vectors are written block by block."""
    monkeypatch.setattr(encoder, "TEXTS_AT_ONCE", 10)
    toy, texts = Toy(cache=True), [f"film {i}" for i in range(30)]
    monkeypatch.setattr(
        toy, "_tokens", lambda texts: 1 / 0 if toy.n_encoded >= 20 else Toy._tokens(toy, texts)
    )
    with pytest.raises(ZeroDivisionError):
        toy.encode(texts)
    toy = Toy(cache=True)
    toy.encode(texts)
    assert toy.n_encoded == 10


# --- loading ---


def test_every_name_is_known_and_others_are_answered() -> None:
    """A wrong name is answered with the right ones."""
    with pytest.raises(
        ValueError, match="name must be one of 'minilm', 'use-multilingual', 'smollm2', 'tfidf'"
    ):
        load_encoder("bert")
    assert isinstance(load_encoder("tfidf"), TextEncoder) and isinstance(Toy(), BaseEncoder)
    assert keras_recs.load_encoder is load_encoder


def no_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading.importlib.util, "find_spec", lambda name: None)


def no_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    def fetch(name: str) -> Path:
        raise AssetError(f"the asset {name!r} could not be fetched:")

    monkeypatch.setattr(loading, "fetch", fetch)
    monkeypatch.setattr(loading.importlib.util, "find_spec", lambda name: "there")


@pytest.mark.parametrize(
    ("lacking", "way_on"),
    [
        (no_packages, "pip install 'keras-recs[llm]'"),
        (no_weights, "keras-recs assets get use-multilingual"),
    ],
)
def test_what_is_missing_is_said_with_the_way_on(
    lacking, way_on: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error names the command that helps and the fallback; with `fallback`, the stand-in announces itself."""
    assert importlib.util.find_spec("numpy")
    lacking(monkeypatch)
    with pytest.raises(
        EncoderError, match=f"(?s)'use-multilingual'.*{re.escape(way_on)}.*fallback=True"
    ):
        load_encoder("use-multilingual")
    stand_in = load_encoder("use-multilingual", fallback=True)
    assert stand_in.name == "tfidf"
    assert "a fallback, not a language model" in stand_in.description
    assert (
        "in place of 'use-multilingual', because" in stand_in.description
        and stand_in.description in repr(stand_in)
    )


# --- the fallback ---

FILMS = [
    "A detective hunts the murderer of a singer.",
    "The murderers and a tired detective.",
    "Spaceships race to a distant planet.",
    "A planet, two spaceships and a race.",
    "侦探追查凶手的下落",
    "凶手与侦探的雨夜",
    "飞船驶向遥远的星球",
    "星球与飞船的故事",
]


def test_fallback_puts_texts_of_shared_words_together() -> None:
    """In either language the nearest text is the one about the same thing; a translation stays a stranger."""
    vectors = TfidfEncoder(dim=8).fit(FILMS).encode(FILMS)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    cosines = vectors @ vectors.T - 2 * np.eye(8)
    assert cosines.argmax(axis=1).tolist() == [1, 0, 3, 2, 5, 4, 7, 6]
    assert abs(cosines[:4, 4:]).max() < 1e-6


def test_fallback_is_the_same_every_time_and_knows_its_limits() -> None:
    """Fitted twice it gives equal vectors; unknown words are a zero row; columns beyond the rank are zero."""
    texts = [
        f"film {a} {b}"
        for a in ("ghost", "race", "war", "love")
        for b in ("paris", "tokyo", "rome", "oslo")
    ]
    one, two = (TfidfEncoder(dim=5).fit(texts) for _ in range(2))
    np.testing.assert_array_equal(one.encode(texts), two.encode(texts))
    assert not one.encode(["zzz qqq", "全然不知"]).any()
    few = TfidfEncoder(dim=64).fit(FILMS[:2])
    assert few.encode(FILMS).shape == (8, 64) and not few.encode(FILMS)[:, 2:].any()
    sparse = TfidfEncoder(dim=5).fit(texts)._weights(texts)
    exact = np.linalg.svd(sparse.toarray())[1]
    np.testing.assert_allclose(
        np.linalg.norm(sparse @ one.directions_, axis=0), exact[:5], rtol=1e-6
    )
    with pytest.raises(RuntimeError, match=r"call fit\(texts\) first"):
        TfidfEncoder().encode(["film"])
    with pytest.raises(ValueError, match="none occurs in 2 of 2 texts"):
        TfidfEncoder().fit(["one", "two"])
