"""Words and word vectors: tokens of two languages, counts, files of vectors, FastText, and the vectors of `cinema`."""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from keras_recs.data.assets import AssetError
from keras_recs.data.cinema import cinema_cold_split, load_cinema_reviews
from keras_recs.text.words import count_words, from_pieces, load_vectors, tokenise, train_fasttext

ROOT = Path(__file__).parents[1]


# --- tokens ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", []),
        (" \n…!?", []),
        ("The CREW, again", ["the", "crew", "again"]),
        ("Ripley's don’t O'Hara", ["ripley", "don", "o"]),
        ("snake_case 2001", ["snake", "case", "2001"]),
        ("Amélie naïve", ["amélie", "naïve"]),
        ("ＡＢＣ", ["abc"]),
        ("外星生命", ["外星", "生命"]),
        ("我爱看Alien这部电影", ["我", "爱看", "alien", "这部", "电影"]),
        ("😀ghost😀", ["ghost"]),
    ],
    ids=repr,
)
def test_words_of_both_scripts_are_found(text: str, words: list[str]) -> None:
    """Lower case, without marks; Chinese by the dictionary, other scripts by spaces."""
    assert tokenise(text) == words


def test_words_are_counted() -> None:
    """A row for each document, a column for each word; words that are not asked for are left out."""
    documents = [["b", "a", "b"], [], ["c"]]
    counts, words = count_words(documents)
    assert words == ["a", "b", "c"] and counts.toarray().tolist() == [
        [1, 2, 0],
        [0, 0, 0],
        [0, 0, 1],
    ]
    counts, words = count_words(documents, ["c", "zyx"])
    assert words == ["c", "zyx"] and counts.toarray().tolist() == [[0, 0], [0, 0], [1, 0]]
    assert count_words([])[0].shape == (0, 0)


def test_chinese_words_leave_nothing_in_the_common_temporary_folder(tmp_path: Path) -> None:
    """The dictionary is cached in the user's own folder, and importing is silent."""
    code = "from keras_recs.text.words import tokenise; print(tokenise('外星生命'))"
    (tmp_path / "tmp").mkdir()
    env = {
        **os.environ,
        "KERAS_RECS_HOME": str(tmp_path / "home"),
        "TMPDIR": str(tmp_path / "tmp"),
        "PYTHONIOENCODING": "utf8",
    }
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        check=True,
        env=env,
        cwd=ROOT,
        capture_output=True,
        text=True,
        encoding="utf8",
    )
    assert done.stdout == "['外星', '生命']\n" and done.stderr == ""
    assert (tmp_path / "home" / "jieba.cache").is_file() and not list((tmp_path / "tmp").iterdir())


# --- files of vectors -----------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["text", "binary", "gz"])
def test_files_in_word2vecs_formats_are_read(tmp_path: Path, kind: str) -> None:
    """Text and binary are told apart by what is inside."""
    known = load_vectors("cinema")
    path = tmp_path / "vectors"
    known.save_word2vec_format(str(path), binary=kind == "binary")
    if kind == "gz":
        path = path.rename(tmp_path / "plain")
        (tmp_path / "vectors.gz").write_bytes(gzip.compress(path.read_bytes(), 1))
        path = tmp_path / "vectors.gz"
    again = load_vectors(str(path))
    assert again.index_to_key == known.index_to_key and np.array_equal(again.vectors, known.vectors)


@pytest.mark.parametrize(
    "content", [b"", b"hello\n", b"three words here\n", b"2 3\nghost 1 2 3\n", b"a b\nc 1\n"]
)
def test_other_files_are_refused_by_name(tmp_path: Path, content: bytes) -> None:
    """What is not in the format, or stops too early, gives an error with the file's name."""
    (tmp_path / "odd.txt").write_bytes(content)
    with pytest.raises(ValueError, match=r"odd\.txt is not in word2vec's format, or is cut short"):
        load_vectors(str(tmp_path / "odd.txt"))


def test_unknown_names_are_refused() -> None:
    """Neither a name nor a file: the error lists the names."""
    with pytest.raises(
        FileNotFoundError, match="'glov': neither a file nor one of cinema, glove, chinese-word2vec"
    ):
        load_vectors("glov")


@pytest.mark.assets
@pytest.mark.parametrize(
    ("name", "shape", "word", "near", "far"),
    [
        ("glove", (400_000, 50), "ghost", "haunted", "tax"),
        ("chinese-word2vec", (125_796, 100), "电影", "影片", "税收"),
    ],
)
def test_the_fetched_vectors(name: str, shape: tuple, word: str, near: str, far: str) -> None:
    """Real vectors have the promised size, and related words are near each other."""
    try:
        vectors = load_vectors(name)
    except AssetError as error:
        pytest.skip(f"{name} cannot be had: {error}")
    assert vectors.vectors.shape == shape and np.isfinite(vectors.vectors[::100]).all()
    assert vectors.similarity(word, near) > 0.3 + vectors.similarity(word, far)


# --- FastText -------------------------------------------------------------------------------------


def test_new_words_are_put_together_as_gensim_does() -> None:
    """From the pieces alone come the vectors that gensim gives to words it has not met."""
    vectors, pieces = train_fasttext(
        [["haunted", "cellar"], ["wedding", "恋人们"]] * 4, dim=6, epochs=1, buckets=50
    )
    words = ["hauntedly", "wed", "恋人"]
    assert from_pieces(words, pieces) == pytest.approx(
        np.array([vectors[word] for word in words]), abs=1e-6
    )
    assert from_pieces([], pieces).shape == (0, 6)


# --- the vectors of cinema ------------------------------------------------------------------------


@pytest.fixture(scope="module")
def script():
    sys.path.insert(0, str(ROOT / "tools" / "cinema"))
    try:
        import words
    finally:
        sys.path.pop(0)
    return words


def test_the_file_is_what_the_script_makes(script) -> None:
    """A new training gives the same words and nearly the same vectors. Not the same to the bit:
    floats are added up in an order that depends on the processor."""
    shipped, new = load_vectors("cinema"), script.train()
    assert new.index_to_key == shipped.index_to_key
    a, b = shipped.get_normed_vectors(), new.get_normed_vectors()
    assert np.mean(np.sum(a * b, axis=1)) > 0.95
    some = np.random.default_rng(0).choice(len(a), 300, replace=False)
    assert np.corrcoef((a[some] @ a[some].T).ravel(), (b[some] @ b[some].T).ravel())[0, 1] > 0.95
    assert (
        np.array_equal(shipped.vectors, np.rint(shipped.vectors))
        and np.abs(shipped.vectors).max() == script.LARGEST
    )


def test_no_review_of_a_test_event_is_read(script, cinema) -> None:
    """The vectors are trained on reviews of training events only, of no cold film and by no cold user."""
    cells = set(script._training_cells().tolist())
    cold = cinema_cold_split()
    reviews = load_cinema_reviews(cinema)
    users, items = (
        cinema.user_ids.index("users", reviews.users),
        cinema.item_ids.index("items", reviews.items),
    )
    new = np.isin(reviews.users, cold.user_ids) | np.isin(reviews.items, cold.item_ids)
    read = np.isin(users * cinema.n_items + items, sorted(cells))
    assert new.any() and not read[new].any() and 0.5 < read.mean() < 0.9
