"""Words and their vectors: the words of a text in English or Chinese, how often each occurs, and
files of vectors."""

from __future__ import annotations

import contextlib
import functools
import logging
import re
import unicodedata
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from keras_recs.data.assets import cache_dir, fetch
from keras_recs.data.cinema.files import read_fixture

if TYPE_CHECKING:
    from gensim.models import KeyedVectors

#: The vectors that `load_vectors` knows by name.
VECTORS = ("cinema", "glove", "chinese-word2vec")

_HAN = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_RUNS = re.compile(rf"(?P<han>[{_HAN}]+)|(?P<other>[^\W{_HAN}_]+)(?:['\u2019][^\W{_HAN}_]+)*")
_NGRAMS = (3, 6)  # shortest and longest pieces of a word that FastText gives a vector


@functools.cache
def _segmenter() -> Any:
    """jieba's segmenter, with its dictionary read: half a second, once, and only where there is
    Chinese text."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # old escapes and an old way to find its dictionary
        import jieba
    jieba.setLogLevel(logging.CRITICAL)
    segmenter = jieba.Tokenizer()
    with contextlib.suppress(
        OSError
    ):  # where nothing can be written, the dictionary is read each time
        cache_dir().mkdir(parents=True, exist_ok=True)
        # jieba would take a file of this name from anybody's /tmp
        segmenter.tmp_dir = str(cache_dir())
    segmenter.initialize()
    return segmenter


def tokenise(text: str) -> list[str]:
    """The words of a text, in lower case, without punctuation; runs of Chinese and of other scripts
    each by their rule.

    Words of other scripts end at a space, a mark or an apostrophe ("Ripley's" is "ripley"). Chinese
    has no spaces, so jieba finds the words, by a dictionary and a hidden Markov model.

    >>> tokenise("Ripley's crew meets 外星生命, again")
    ['ripley', 'crew', 'meets', '外星', '生命', 'again']
    """
    found: list[str] = []
    for run in _RUNS.finditer(unicodedata.normalize("NFKC", text).lower()):
        found += _segmenter().lcut(run["han"]) if run["han"] else [run["other"]]
    return found


def count_words(
    documents: Sequence[Sequence[str]],
    words: Sequence[str] | None = None,
) -> tuple[sparse.csr_array, list[str]]:
    """How often each document holds each word.

    Args:
        documents: lists of tokens.
        words: which words are counted, one a column; by default all that occur, sorted.

    Returns:
        (n_documents, n_words) float32, and the words.

    >>> counts, words = count_words([["no", "no", "yes"], ["maybe"]])
    >>> words, counts.toarray().tolist()
    (['maybe', 'no', 'yes'], [[0.0, 2.0, 1.0], [1.0, 0.0, 0.0]])
    """
    words = (
        sorted({token for document in documents for token in document})
        if words is None
        else list(words)
    )
    column = {word: j for j, word in enumerate(words)}
    row = np.repeat(np.arange(len(documents)), [len(document) for document in documents])
    place = np.array(
        [column.get(token, -1) for document in documents for token in document], np.int64
    )
    known = place >= 0
    cells = (row[known], place[known])
    counts = sparse.coo_array(
        (np.ones(len(cells[0]), np.float32), cells), (len(documents), len(words))
    )
    return counts.tocsr(), words  # adds up what comes twice


# --- vectors --------------------------------------------------------------------------------------


def load_vectors(name_or_path: str) -> KeyedVectors:
    """Word vectors by name, or from a file in word2vec's format, text or binary.

    Args:
        name_or_path: "cinema": 6,188 English and Chinese words, 50 dimensions, trained on the texts
            of `cinema` (tools/cinema/words.py), and shipped with the library;
            "glove": 400,000 English words, 50 dimensions, fetched on first use;
            "chinese-word2vec": 125,796 Chinese words, 100 dimensions, fetched on first use;
            or a path. Text and binary are told apart by what is inside; a name that ends in .gz is
            unpacked.

    Returns:
        gensim's KeyedVectors. A named one is read once and shared: do not change it.

    Raises:
        FileNotFoundError: neither a name nor a file.
        ValueError: a file in another format.
        keras_recs.data.assets.AssetError: an asset could not be fetched; the message says how to go
        on.
    """
    if name_or_path in VECTORS:
        return _named(name_or_path)
    path = Path(name_or_path)
    if not path.is_file():
        raise FileNotFoundError(
            f"there are no vectors {name_or_path!r}: neither a file nor one of {', '.join(VECTORS)}"
        )
    return _from_file(path)


@functools.cache
def _named(name: str) -> KeyedVectors:
    if name == "cinema":
        _, *rows = read_fixture("word_vectors.txt").decode("utf-8").splitlines()
        words = [row.partition(" ")[0] for row in rows]
        return _keyed(words, np.array([row.split(" ")[1:] for row in rows], np.float32))
    if name == "chinese-word2vec":
        return _from_file(fetch(name) / "words.vector")
    from pyarrow import parquet

    folder = fetch(name)
    words = parquet.read_table(folder / "glove_6B_index.parquet")["index"].to_pylist()
    return _keyed(words, np.load(folder / "glove_6B_50d_emb.npy", allow_pickle=False))


def _keyed(words: Sequence[str], vectors: np.ndarray) -> KeyedVectors:
    from gensim.models import KeyedVectors

    keyed = KeyedVectors(vectors.shape[1], count=0)
    keyed.add_vectors(list(words), vectors)
    return keyed


def _from_file(path: Path) -> KeyedVectors:
    from gensim.models import KeyedVectors

    try:
        binary = _is_binary(path)
        # "ignore": words of files that others made are not always whole UTF-8.
        return KeyedVectors.load_word2vec_format(str(path), binary=binary, unicode_errors="ignore")
    except (ValueError, EOFError, IndexError) as error:
        raise ValueError(f"{path} is not in word2vec's format, or is cut short: {error}") from error


def _is_binary(path: Path) -> bool:
    """Whether the first vector is written as bytes; in the text format, it is a line of numbers."""
    from gensim import utils

    with utils.open(str(path), "rb") as file:
        header = file.readline(100).split()
        if len(header) != 2:
            raise ValueError("its first line must hold the number of words and of dimensions")
        dim = int(header[1])
        fields = file.readline(64 * dim + 1000).split()[-dim:]
    try:
        return len([float(field) for field in fields]) != dim
    except ValueError:
        return True


# --- FastText -------------------------------------------------------------------------------------


def train_fasttext(
    documents: Sequence[Sequence[str]],
    dim: int = 50,
    epochs: int = 10,
    buckets: int = 20_000,
) -> tuple[KeyedVectors, np.ndarray]:
    """FastText (Bojanowski et al. 2017) on some documents: a word's vector is the mean of those of
    its pieces.

    One worker and a fixed seed: the same documents give the same vectors.

    Returns:
        The vectors of the words, and (buckets, dim) those of the pieces, for `from_pieces`.
    """
    from gensim.models import FastText

    model = FastText(
        documents,
        vector_size=dim,
        window=10,
        min_count=1,
        epochs=epochs,
        sg=1,
        seed=0,
        workers=1,
        min_n=_NGRAMS[0],
        max_n=_NGRAMS[1],
        bucket=buckets,
    )
    return model.wv, model.wv.vectors_ngrams


def from_pieces(words: Sequence[str], pieces: np.ndarray) -> np.ndarray:
    """(n, dim) vectors of words that FastText has not met, from the `pieces` that `train_fasttext`
    returned."""
    from gensim.models.fasttext import ft_ngram_hashes

    out = np.zeros((len(words), pieces.shape[1]), np.float32)
    for row, word in enumerate(words):
        if hashes := ft_ngram_hashes(word, *_NGRAMS, len(pieces)):
            out[row] = pieces[hashes].mean(axis=0)
    return out
