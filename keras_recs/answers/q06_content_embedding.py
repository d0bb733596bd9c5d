"""Question 6. Recommend by content, with word embeddings.

An item that nobody has watched has no audience, but it has a title, genres and a synopsis. Word
vectors place words of similar use near each other, so that "haunted" and "ghost" count as related
though they share no letter. Three steps:

    document   v[d] = Σ_t c[d, t] w[t] x[t] / Σ_t c[d, t] w[t]
               v[d] ← v[d] - Σ_k (v[d] · e[k]) e[k]
    user       v[u] = (1 - β) unit(Σ_i h[u, i] unit(v[i])) + β unit(v[profile of u])
    score      s[u, i] = cos(v[u], v[i])  [+ γ log(1 + n[i]) / log(1 + max n)]

with c the counts of words, x their vectors, w their weights, e the directions that all documents
share, h the histories, and the term in brackets where popularity n is wanted.

The weights keep "the" and "的" from having the last word, by the share p[t] of a word among all
tokens, or by the number n[t] of the n documents that hold it:

    SIF      w[t] = a / (a + p[t])                     smooth inverse frequency
    TF-IDF   w[t] = log((1 + n) / (1 + n[t])) + 1

The vectors e[k] are the first right singular vectors of the items' documents: syntax, tone and
topic that all of them share. Left in, they make any two documents alike.

Sources: Mikolov et al. (2013), "Distributed Representations of Words and Phrases and their
Compositionality"; Arora, Liang & Ma (2017), "A Simple but Tough-to-Beat Baseline for Sentence
Embeddings" (SIF); Bojanowski et al. (2017), "Enriching Word Vectors with Subword Information"
(FastText); Vulić & Moens (2015), "Monolingual and Cross-Lingual Information Retrieval Models Based
on (Bilingual) Word Embeddings"; Lops et al. (2011), "Content-based Recommender Systems: State of
the Art and Trends".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from scipy import sparse

from keras_recs.core.factors import FactorRecommender
from keras_recs.core.heart import heart
from keras_recs.core.hyperparameters import CountOrZero, NotNegative, Positive, Share
from keras_recs.data.dataset import Dataset
from keras_recs.data.sequences import recency_weighted
from keras_recs.text.encoder import checked_texts, unit_rows
from keras_recs.text.mining import described
from keras_recs.text.words import count_words, from_pieces, load_vectors, tokenise, train_fasttext

if TYPE_CHECKING:
    from gensim.models import KeyedVectors


@heart(
    "The weight of each word: SIF from its share of all tokens, TF-IDF from the documents that "
    "hold it, or ones."
)
def word_weights(pooling: str, counts: sparse.csr_array, a: float) -> np.ndarray:
    """(n_words,) weights, from (n_documents, n_words) counts of all words, those without a vector
    among them."""
    if pooling == "sif":
        share = counts.sum(axis=0) / counts.sum()  # (n_words,) p[t]
        return a / (a + share)
    if pooling == "tfidf":
        containing = np.bincount(counts.indices, minlength=counts.shape[1])  # (n_words,) n[t]
        return np.log((1 + counts.shape[0]) / (1 + containing)) + 1
    return np.ones(counts.shape[1])


@heart("The weighted mean of the vectors of each document's words; zero where it has none.")
def pool(counts: sparse.csr_array, weights: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """(n_documents, dim) from (n_documents, n_words) counts, (n_words,) weights and (n_words, dim)
    vectors."""
    total = counts @ weights  # (n_documents,)
    summed = counts @ (weights[:, None] * vectors)  # (n_documents, dim)
    return summed / np.where(total > 0, total, 1)[:, None]


@heart(
    "The first k right singular vectors of the documents that have words; none where documents "
    "are as few as that."
)
def common_directions(documents: np.ndarray, k: int) -> np.ndarray:
    """(k, dim) orthonormal: what the (n, dim) documents have in common."""
    # a text of unknown words has no direction
    documents = documents[documents.any(axis=1)]
    # k documents would lie in these directions altogether
    if len(documents) <= k:
        return np.zeros((0, documents.shape[1]))
    return np.linalg.svd(documents, full_matrices=False)[2][:k]


@heart("Take out of each document its projections on the common directions.")
def without(documents: np.ndarray, common: np.ndarray) -> np.ndarray:
    """(n, dim): the documents, orthogonal to the rows of `common`."""
    # documents @ common.T: the length along each direction, (n, k)
    return documents - documents @ common.T @ common


@dataclass(eq=False, repr=False)
class ContentEmbedding(FactorRecommender):
    """Content-based recommendation: items and users are weighted means of word vectors, and the
    nearest items win.

    An item's text is its synopsis, and where the data set has none, its title and genres. A user is
    what the user watched and, where the data set has it, wrote as a profile; who has watched
    nothing is the profile alone. Text in English, in Chinese, or in both at once is read.

    Words without a vector are skipped, and counted in `unknown_`. A text of such words only has the
    vector zero: its cosine with everything is 0, neither praise nor blame, and without `popularity`
    a user of that kind is given the items in the order of their ids.

    Args:
        vectors: "cinema" (shipped; English and Chinese near each other), "glove" (English) or
            "chinese-word2vec", both fetched on first use, a path to a file in word2vec's format, or
            "fasttext": trained on the texts at hand, and a word that they do not hold is put
            together from its pieces.
        pooling: "sif", "tfidf", or "mean", which weighs all words alike.
        a: of SIF. A word whose share of all tokens is `a` has the weight 1/2.
        n_components: how many common directions are taken out of each document.
        profile: β, how much the profile of a user with a history counts, 0 to 1.
        recency: None, or a number of events: one that many events old counts 1/e of the latest.
        popularity: γ, the weight of popularity beside the cosine. With 0, nothing but the texts
            decides.

    Attributes:
        words_: the words that have a vector.
        word_vectors_: (n_words, dim); word_weights_: (n_words,).
        common_: (n_components, dim) the common directions.
        user_factors_, item_factors_: (n, dim) of length one, or zero.
        coverage_: share of the tokens of "items" and "users" that have a vector.
        unknown_: word -> how often it occurs, of the words that have none.

    Raises (on fit): ValueError: a data set without titles, or none of whose words has a vector;
        FileNotFoundError: no such file; keras_recs.data.assets.AssetError: an asset cannot be had.

    >>> from keras_recs.data import Dataset, ItemFeatures
    >>> items = ItemFeatures([1, 2, 3, 4], titles=["Robots and starships", "外星生命", "A wedding", "恋人的婚礼"])
    >>> data = Dataset.from_arrays([7, 8], [1, 3], item_features=items)
    >>> recommender = ContentEmbedding(n_components=0)  # four items are too few to share a direction
    >>> recommender.fit(data).recommend([7, 8], k=1).items.tolist()
    [[2], [4]]
    """

    requires = ("titles",)

    vectors: str = "cinema"
    pooling: Literal["sif", "tfidf", "mean"] = "sif"
    a: Positive = 1e-4
    n_components: CountOrZero = 1
    profile: Share = 0.2
    recency: Positive | None = None
    popularity: NotNegative = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not isinstance(self.vectors, str):
            raise TypeError(f"vectors must be a name or a path, got {self.vectors!r}")

    def _fit(self, data: Dataset) -> None:
        # the words of all texts, and which of them have a vector
        items, profiles = item_texts(data), user_texts(data)
        documents = [tokenise(text) for text in items + profiles]
        table, self.pieces_ = self._table(documents)
        words = sorted(set(kept_whole(table)).union(*documents))
        known = np.array([word in table.key_to_index for word in words], bool)  # (all words,)
        counts = count_words(documents, words)[0]  # (n_items + n_users, all words)
        if not counts[:, known].sum():
            raise ValueError(
                f"none of the {len(set(counts.indices)):,} words of the texts has a vector in "
                f"{self.vectors!r}: are they in another language?"
            )
        self.words_ = np.array(words)[known].tolist()
        self.word_vectors_ = np.array(table[self.words_], np.float32)  # (n_known, dim)
        self.word_weights_ = word_weights(self.pooling, counts, self.a)[known]
        self._count_unknown(counts, words, known, data.n_items)
        # documents are means of words, less what all documents have in common
        pooled = pool(counts[:, known], self.word_weights_, self.word_vectors_)
        self.common_ = common_directions(pooled[: data.n_items], self.n_components)
        placed = self._placed(pooled)
        self.item_factors_, profile = placed[: data.n_items], placed[data.n_items :]
        history = data.seen if self.recency is None else recency_weighted(data, self.recency)
        self.user_factors_ = self._users(history, profile)
        self.item_bias_ = None
        if self.popularity:
            fame = np.log1p(data.popularity)
            self.item_bias_ = (self.popularity * fame / fame.max()).astype(np.float32)

    def _table(self, documents: list[list[str]]) -> tuple[KeyedVectors, np.ndarray | None]:
        """word -> vector, and for FastText the vectors of the pieces of words."""
        if self.vectors == "fasttext":
            return train_fasttext(documents)
        return load_vectors(self.vectors), None

    def _count_unknown(
        self, counts: sparse.csr_array, words: list[str], known: np.ndarray, n_items: int
    ) -> None:
        often = np.asarray(counts.sum(axis=0))
        self.unknown_ = {words[j]: int(often[j]) for j in np.flatnonzero(~known)}
        self.coverage_ = {}
        for name, part in (("items", counts[:n_items]), ("users", counts[n_items:])):
            self.coverage_[name] = float(part[:, known].sum() / max(1.0, part.sum()))

    @heart(
        "Unit mean of the history's items, mixed with the profile; the profile alone where there "
        "is no history."
    )
    def _users(self, history: sparse.csr_array, profile: np.ndarray) -> np.ndarray:
        """(n_users, dim) of length one, from (n_users, n_items) weights and (n_users, dim) profile
        vectors."""
        # what was watched, and what was written, each of length one
        watched = unit_rows(history @ self.item_factors_)  # (n_users, dim)
        warm = watched.any(axis=1, keepdims=True)  # (n_users, 1)
        told = profile.any(axis=1, keepdims=True)  # (n_users, 1)
        # of the profile, (n_users, 1): 0 without one, 1 where it is all there is
        share = np.where(warm & told, self.profile, told)
        return unit_rows((1 - share) * watched + share * profile).astype(np.float32)

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        """Where any texts lie among the items and users: (len(texts), dim) float32 of length one,
        or zero.

        Of a small table all words are known, of a large one (GloVe) those of the texts that were
        fitted; others are skipped or, with "fasttext", put together.

        Raises:
            NotFittedError: before `fit`.
            TypeError: one string instead of several.
        """
        self._check_fitted()
        documents = [tokenise(text) for text in checked_texts("texts", texts)]
        words = self.words_
        vectors = self.word_vectors_  # (n_words, dim)
        weights = self.word_weights_  # (n_words,)
        if self.pieces_ is not None:
            new = sorted(set().union(*documents) - set(words))
            words = words + new
            vectors = np.vstack([vectors, from_pieces(new, self.pieces_)])
            # as the rarest that are known
            weights = np.append(weights, np.full(len(new), weights.max()))
        return self._placed(pool(count_words(documents, words)[0], weights, vectors))

    def _placed(self, pooled: np.ndarray) -> np.ndarray:
        """(n, dim) of length one: what is left of the documents without the common directions."""
        rest = without(pooled, self.common_)
        lengths = np.linalg.norm(pooled, axis=1)  # (n,)
        only_rounding = np.linalg.norm(rest, axis=1) < 1e-5 * lengths
        rest[only_rounding] = 0
        return unit_rows(rest).astype(np.float32)


def kept_whole(table: KeyedVectors) -> list[str]:
    """All words of a small table, for texts that come later; none of a large one, of which the
    texts' own will do."""
    return table.index_to_key if len(table) <= 20_000 else []


def item_texts(data: Dataset) -> list[str]:
    """What is known of each item in words: its synopsis, and where there is none, its title and
    genres."""
    items = data.item_features
    assert items is not None and items.titles is not None  # `requires` sees to it
    return described(items)


def user_texts(data: Dataset) -> list[str]:
    """What each user wrote as a profile; blanks where the data set has none."""
    people = data.user_features
    if people is None or people.texts is None:
        return [""] * data.n_users
    return list(people.texts)


ContentEmbeddingRecommender = ContentEmbedding  # the published answer's name
