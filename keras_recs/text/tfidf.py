"""TF-IDF and a truncated SVD (latent semantic analysis, Deerwester et al. 1990): what is left
without a language model.

It knows the texts that it was fitted on and nothing else. Words that occur together come near each
other; a synonym that never meets its twin stays a stranger, and so does a translation.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Self

import numpy as np
from scipy import sparse

from keras_recs.text.encoder import BaseEncoder, checked_texts, unit_rows
from keras_recs.utils.checks import whole_number

# A run of Han characters, or of other letters and digits.
_RUNS = re.compile(
    r"[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]+|[^\W\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff_]+"
)


def terms(text: str) -> list[str]:
    """Words and their beginnings; of Chinese, which has no spaces, every two neighbouring
    characters.

    >>> terms("Murderers in 武侠片")
    ['murderers', 'murde…', 'in', '武侠', '侠片']
    """
    found = []
    for run in _RUNS.findall(text.lower()):
        if "\u3400" <= run[0] <= "\u9fff" or "\uf900" <= run[0] <= "\ufaff":
            found += [run[i : i + 2] for i in range(max(1, len(run) - 1))]
        else:
            # murderer, murderers and murdered share one
            found += [run, f"{run[:5]}…"] if len(run) > 5 else [run]
    return found


def directions(matrix: sparse.csr_array, k: int, *, spare: int = 16, rounds: int = 6) -> np.ndarray:
    """The first `k` right singular vectors of an (n, m) matrix: (m, k).

    By seeded random projection and power iteration (Halko, Martinsson and Tropp 2011). Unlike
    ARPACK behind SciPy's `svds`, it gives the same vectors every time where singular values are
    equal, and all of them where that is asked."""
    size = min(k + spare, *matrix.shape)
    basis = np.random.default_rng(0).normal(size=(matrix.shape[1], size))  # (m, size)
    for _ in range(rounds):
        basis = np.linalg.qr(matrix.T @ (matrix @ basis))[0]
    return basis @ np.linalg.svd(matrix @ basis, full_matrices=False)[2][:k].T


class TfidfEncoder(BaseEncoder):
    """The encoder without a model: `fit` learns weights and directions from the texts at hand.

    Weights are (1 + log count) · (log((1 + n) / (1 + n_with)) + 1), rows are scaled to length one,
    and the first `dim` right singular vectors of the fitted texts are kept. Where there are fewer,
    the last columns are zero. A text without a known term is a zero row.

    Args:
        dim: length of a vector.
        min_texts: a term that fewer texts hold is left out: it says nothing about how texts are
        alike. stands_in_for: the encoder that could not be had, and the `reason`: for the
        description.

    >>> texts = ["a ghost in the attic", "the ghost of the attic", "a race to the Moon", "the race for the Moon"]
    >>> vectors = TfidfEncoder(dim=2).fit(texts).encode(texts)
    >>> (vectors @ vectors.T > 0.9).astype(int).tolist()
    [[1, 1, 0, 0], [1, 1, 0, 0], [0, 0, 1, 1], [0, 0, 1, 1]]
    """

    name = "tfidf"
    languages = ("en", "zh")

    def __init__(
        self, dim: int = 128, min_texts: int = 2, *, stands_in_for: str = "", reason: str = ""
    ) -> None:
        super().__init__(cache=False)  # quick, and its vectors depend on what it was fitted on
        self.dim = whole_number("dim", dim)
        self.min_texts = whole_number("min_texts", min_texts)
        self.stands_in_for = stands_in_for
        self.description = "a fallback, not a language model: TF-IDF and SVD of the fitted texts"
        if stands_in_for:
            self.description += f"; in place of {stands_in_for!r}, because {reason}"

    def fit(self, texts: Sequence[str]) -> Self:
        """Learn the terms, their weights and the directions.

        Raises:
            ValueError: no term occurs in `min_texts` of the texts.
        """
        texts = checked_texts("texts", texts)
        n_with = Counter(term for text in texts for term in set(terms(text)))
        kept = sorted(term for term, n in n_with.items() if n >= self.min_texts)
        if not kept:
            raise ValueError(
                f"texts must share some terms, but none occurs in {self.min_texts} of {len(texts)} texts"
            )
        self.column_ = {term: j for j, term in enumerate(kept)}
        self.idf_ = np.log((1 + len(texts)) / (1 + np.array([n_with[term] for term in kept]))) + 1
        weights = self._weights(texts)  # (n, terms)
        found = directions(weights, min(self.dim, *weights.shape))
        self.directions_ = np.zeros((len(kept), self.dim))
        self.directions_[:, : found.shape[1]] = found
        return self

    def _weights(self, texts: Sequence[str]) -> sparse.csr_array:
        rows, columns, counts = [], [], []
        for row, text in enumerate(texts):
            for term, count in Counter(terms(text)).items():
                if (column := self.column_.get(term)) is not None:
                    rows.append(row)
                    columns.append(column)
                    counts.append(count)
        values = (1 + np.log(np.array(counts, float))) * self.idf_[np.array(columns, int)]
        weights = sparse.csr_array((values, (rows, columns)), shape=(len(texts), len(self.column_)))
        length = np.sqrt(weights.multiply(weights).sum(axis=1))
        return sparse.csr_array(sparse.diags_array(1 / np.where(length > 0, length, 1)) @ weights)

    def _vectors(self, texts: list[str], batch_size: int) -> np.ndarray:
        if not hasattr(self, "directions_"):
            raise RuntimeError(
                "TfidfEncoder knows no texts yet: call fit(texts) first, then encode"
            )
        return unit_rows(self._weights(texts) @ self.directions_).astype(np.float32)
