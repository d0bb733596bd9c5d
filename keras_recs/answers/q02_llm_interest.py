"""Question 2. What is a large language model, and what does it do for recommendation?

A language model gives every next token a probability, and is trained to be surprised as little as
possible:

    p(x_1 … x_T) = ∏ p(x_t | x_1 … x_{t-1}),    loss = -1/T Σ log p(x_t | x_1 … x_{t-1})

Inside, each token looks at the others by attention, softmax(Q Kᵀ / √d) V (Vaswani et al. 2017). A
decoder (GPT, Radford et al. 2018) looks to the left only, so it can write and score text. An
encoder (BERT, Devlin et al. 2019) looks both ways, so it can read but not write. They do different
jobs, and a text's one vector is pooled differently.

For interests, the job is to read: (1) mine the text: clean, sentences, language, keyphrases; (2)
understand it: an interest tag is likely as its description is near the sentence, softmax(s · (cos -
mean cos)); (3) learn from it: the vector and the tags of a text are features of a two-tower model.
For user u and item i, with frozen features f, g,

    score[u, i] = (A f[u] + p[u]) · (B g[i] + q[i]) + b[i]

A and B serve everybody; p and q, what ids add, are dropped at random in training (Volkovs et al.
2017, "DropoutNet"), so a user without a history, whose p is zero, is ranked from the text alone.
Who says nothing gets b: popularity.

Also: Grootendorst (2020), "KeyBERT"; Carbonell & Goldstein (1998), MMR; Zhao et al. (2021),
"Calibrate Before Use"."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any

import keras
import numpy as np
from keras import layers, ops
from scipy import sparse
from scipy.special import log_softmax, softmax

from keras_recs.core.factors import FactorRecommender
from keras_recs.core.heart import heart
from keras_recs.core.hyperparameters import Count, Dropout, NotNegative, OneOf, Positive, Seed
from keras_recs.data.dataset import Dataset
from keras_recs.neural import Epoch, RankingModel, rows_with_negatives, seeded, train
from keras_recs.text import ENCODERS, TextEncoder, load_encoder
from keras_recs.text.mining import HAN, ORDERS, TAGS, Mined, clean, described, phrases, tag_vectors
from keras_recs.utils.checks import one_of

# --- what a language model is ---------------------------------------------------------------------


@heart(
    "softmax(Q Kᵀ / √d) V, without weight on padding and, where causal, without weight on what "
    "follows."
)
def attention(
    query: np.ndarray, key: np.ndarray, value: np.ndarray, mask: np.ndarray, *, causal: bool
) -> np.ndarray:
    """One head: every token becomes a mean of the values that it looks at; all (batch, t, d).

    `mask` (batch, t) is 1 on tokens and 0 on padding. A decoder is `causal`: it looks at itself and
    to the left."""
    scores = query @ key.swapaxes(1, 2) / np.sqrt(query.shape[-1])  # (batch, t, t)
    visible = np.broadcast_to(mask[:, None, :] > 0, scores.shape)
    if causal:
        visible = visible & np.tri(scores.shape[1], dtype=bool)
    return softmax(np.where(visible, scores, -1e9), axis=-1) @ value


@heart(
    "An encoder's mean over the tokens, padding left out; a decoder's last token, the only one "
    "that has read all."
)
def pool(states: np.ndarray, mask: np.ndarray, kind: str) -> np.ndarray:
    """One vector per text from its tokens' states: (batch, t, d) -> (batch, d); padding is at the
    right end.

    `mask` (batch, t) is 1 on tokens and 0 on padding; `kind` is "encoder" or "decoder".
    """
    one_of("kind", kind, ("encoder", "decoder"))
    n_tokens = mask.sum(axis=1)  # (batch,)
    if kind == "encoder":
        total = (states * mask[:, :, None]).sum(axis=1)  # (batch, d)
        return total / np.maximum(n_tokens, 1)[:, None]
    last = np.maximum(n_tokens.astype(int) - 1, 0)  # (batch,)
    return states[np.arange(len(states)), last]


@heart("The mean of -log p of each token but the first, read off the logits one place before it.")
def next_token_loss(logits: np.ndarray, ids: np.ndarray) -> float:
    """Nats per token: (t, vocabulary), (t,) -> a number; log(vocabulary) for a model that knows
    nothing."""
    # what place t says is about place t + 1
    log_p = log_softmax(logits[:-1], axis=-1)  # (t - 1, vocabulary)
    return float(-log_p[np.arange(len(ids) - 1), ids[1:]].mean())


# --- 1. text mining -------------------------------------------------------------------------------


@heart(
    "The cleaned text, cut after the marks that end a sentence in English and in Chinese; none "
    "without a letter."
)
def sentences(text: str) -> list[str]:
    """The sentences of a raw text.

    >>> sentences("<b>Ghosts!</b> I watch at night. 鬼魂。我喜欢夜里看。")
    ['Ghosts!', 'I watch at night.', '鬼魂。', '我喜欢夜里看。']
    """
    parts = re.split(r"(?<=[.!?…])\s+|(?<=[。！？；])\s*", clean(text))
    return [part for part in parts if re.search(r"\w", part)]


@heart(
    "By script: the share of Han characters among those and Latin words; mixed where neither is "
    "below a tenth."
)
def language(text: str) -> str:
    """ "en", "zh", "mixed", or "" where there are no letters. A Han character counts like a word.

    >>> [language(text) for text in ("ghosts", "鬼魂", "I love 武侠片 and 鬼片", "…")]
    ['en', 'zh', 'mixed', '']
    """
    han = len(re.findall(f"[{HAN}]", text))
    words = len(re.findall(r"[A-Za-zÀ-ɏ]+", text))
    if not han + words:
        return ""
    share = han / (han + words)
    if share < 0.1:
        return "en"
    return "zh" if share > 0.9 else "mixed"


@heart(
    "Greedily: the candidate with the best (1 - diversity) · relevance - diversity · likeness to "
    "what is chosen."
)
def mmr(relevance: np.ndarray, likeness: np.ndarray, n: int, diversity: float) -> list[int]:
    """Maximal marginal relevance: up to `n` places of (m,) relevance, unlike each other by (m, m)
    likeness.

    >>> mmr(np.array([0.9, 0.8, 0.5]), np.array([[1, 0.9, 0], [0.9, 1, 0], [0, 0, 1]]), 2, 0.5)
    [0, 2]
    """
    chosen: list[int] = []
    while len(chosen) < min(n, len(relevance)):
        near = likeness[:, chosen].max(axis=1) if chosen else np.zeros(len(relevance))
        gain = (1 - diversity) * relevance - diversity * near
        gain[chosen] = -np.inf
        chosen.append(int(gain.argmax()))
    return chosen


def mine(
    texts: Sequence[str],
    encoder: TextEncoder | None = None,
    *,
    n_phrases: int = 5,
    diversity: float = 0.3,
) -> list[Mined]:
    """Sentences, language and, with an encoder, the up to `n_phrases` phrases nearest to the whole
    text.

    Texts are untrusted: sentences that give a model orders are set aside. `diversity` is that of
    `mmr`."""
    mined = [_without_orders(text) for text in texts]
    if encoder is None:
        return mined
    documents = encoder.encode([text.text for text in mined])  # (n, d)
    found = []
    for known, document in zip(mined, documents, strict=True):
        spoken = [phrase for sentence in known.sentences for phrase in phrases(sentence)]
        names = list(dict.fromkeys(spoken))  # each once, in the order of the text
        vectors = encoder.encode(names)  # (m, d)
        best = mmr(vectors @ document, vectors @ vectors.T, n_phrases, diversity)
        found.append(replace(known, keyphrases=tuple(names[i] for i in best)))
    return found


def _without_orders(text: str) -> Mined:
    """The sentences of a text and its language; those that give a model orders apart."""
    parts = sentences(text)
    kept = tuple(part for part in parts if not ORDERS.search(part))
    refused = tuple(part for part in parts if ORDERS.search(part))
    return Mined(kept, language(" ".join(kept)), refused=refused)


# --- 2. semantic analysis -------------------------------------------------------------------------


@heart("Softmax over the tags of sharpness times cosine, each tag's usual cosine taken off first.")
def tag_probabilities(
    vectors: np.ndarray, tags: np.ndarray, usual: np.ndarray, sharpness: float
) -> np.ndarray:
    """How likely each text is about each tag: (n, d), (tags, d) unit rows -> (n, tags), rows sum to
    1.

    `usual` (tags,) is the mean cosine over many texts: a tag that is near everything says nothing
    by being near. Cosines differ by a few hundredths; `sharpness` makes them differ as
    probabilities.
    """
    return softmax(sharpness * (vectors @ tags.T - usual), axis=-1)


@heart(
    "Of each text the mean of its sentences' tag probabilities; who says nothing has each tag "
    "alike."
)
def interest_tags(mined: Sequence[Mined], encoder: TextEncoder, sharpness: float) -> np.ndarray:
    """(n, tags): what each text is about, in the order of `TAGS`; rows sum to 1."""
    tags = tag_vectors(encoder)  # (tags, d)
    spoken = encoder.encode([part for text in mined for part in text.sentences])  # (s, d)
    # how near each tag is to what anybody says
    usual = spoken.sum(axis=0) / max(1, len(spoken)) @ tags.T  # (tags,)
    about = tag_probabilities(spoken, tags, usual, sharpness)  # (s, tags)
    # one product takes the mean over each text's sentences
    count = np.array([len(text.sentences) for text in mined])  # (n,)
    text_of = np.repeat(np.arange(len(mined)), count)  # (s,)
    place = (text_of, np.arange(len(spoken)))
    mean = sparse.csr_array((1 / count[text_of], place), (len(mined), len(spoken)))  # (n, s)
    return mean @ (about - 1 / len(TAGS)) + 1 / len(TAGS)


# --- 3. features into an interest model -----------------------------------------------------------


@keras.saving.register_keras_serializable(__name__)
class TextTower(layers.Layer):
    """W f[i] + e[i] for ids i: frozen features f of the texts through one matrix W, and what the id
    itself adds.

    Args:
        n, n_features, n_factors: f is (n, n_features), W (n_features, n_factors), e (n, n_factors).
        dropout, id_dropout: share of the columns of f, and of the rows of e, left out in a step of
            training.
        reg: L2 penalty of W and of e.
    """

    def __init__(
        self,
        n: int,
        n_features: int,
        n_factors: int,
        dropout: float,
        id_dropout: float,
        reg: float,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.config = {
            "n": n,
            "n_features": n_features,
            "n_factors": n_factors,
            "dropout": dropout,
            "id_dropout": id_dropout,
            "reg": reg,
        }
        penalty = keras.regularizers.L2(reg)
        self.features = self.add_weight(
            name="features", shape=(n, n_features), initializer="zeros", trainable=False
        )
        self.matrix = self.add_weight(
            name="matrix", shape=(n_features, n_factors), regularizer=penalty
        )
        self.own = self.add_weight(
            name="own", shape=(n, n_factors), initializer="zeros", regularizer=penalty
        )
        self.drop_features = layers.Dropout(dropout, noise_shape=(n_features, 1))
        self.drop_ids = layers.Dropout(id_dropout)

    @heart(
        "The text's features through the matrix, plus the id's own vector, which training drops "
        "for whole rows."
    )
    def call(self, ids: Any, training: bool = False) -> Any:
        """(…) ids -> (…, n_factors). The whole table goes through W once: a batch meets every item
        many times."""
        # without a row of W, a column of f is as if gone
        matrix = self.drop_features(self.matrix, training=training)
        text = self.features @ matrix  # (n, n_factors)
        kept = self.drop_ids(ops.ones((self.config["n"], 1)), training=training) > 0  # (n, 1)
        return ops.take(text + ops.where(kept, self.own, 0.0), ids, axis=0)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), **self.config}


@dataclass(eq=False, repr=False)
class LLMInterestModel(FactorRecommender):
    """Interests read from texts by an encoder, and a two-tower model that learns what they are
    worth.

    Args:
        encoder: "use-multilingual" (English, Chinese and more), "minilm" (English), "smollm2", or
            "tfidf" (no model).
        fallback: whether "tfidf" takes over where the encoder cannot be had; `encoder_` then says
            so.
        sharpness: see `tag_probabilities`.
        n_factors: length of the towers' vectors.
        dropout: share of the text features left out in training.
        id_dropout: share of users and items, anew in every step, that must do with their texts.
        reg: L2 penalty of the towers.
        n_negatives: negatives for each positive; the loss is the softmax over both.
        learning_rate: of Adam.
        n_epochs, batch_size, seed: as the names say.

    Attributes:
        encoder_: what read the texts, in words.
        user_tags_, item_tags_: (n_users, tags) and (n_items, tags) probabilities, in the order of
            `TAGS`.
        model_: the trained Keras model; inputs `user_id` (batch,) and `item_id` (batch, m), output
            (batch, m). It holds the features of all texts: serving needs no encoder.
        user_factors_, item_factors_, item_bias_: what the towers give, and the bias.
        history_: "loss" -> loss of each epoch.
    """

    requires = ("texts", "user_texts")

    encoder: Annotated[str, OneOf(ENCODERS)] = "use-multilingual"
    fallback: bool = True
    sharpness: Positive = 30.0
    n_factors: Count = 32
    dropout: Dropout = 0.3
    id_dropout: Dropout = 0.5
    reg: NotNegative = 1e-5
    n_negatives: Count = 20
    learning_rate: Positive = 0.003
    n_epochs: Count = 20
    batch_size: Count = 1024
    seed: Seed = 0

    def interests(self, users: Any, n: int = 3) -> list[list[tuple[str, float]]]:
        """The `n` likeliest tags of each of `users` (ids), with their probabilities."""
        self._check_fitted()
        names = list(TAGS)
        rows = self.user_tags_[self._user_ids.index("users", users)]
        likeliest = np.argsort(-rows, axis=1, kind="stable")[:, :n]
        return [
            [(names[tag], float(row[tag])) for tag in best]
            for row, best in zip(rows, likeliest, strict=True)
        ]

    @heart("A text's vector beside its tags, less what they are of nothing.")
    def _features(self, mined: list[Mined], encoder: TextEncoder) -> tuple[np.ndarray, np.ndarray]:
        """(n, d + tags) features, zero for a blank text, and (n, tags) probabilities."""
        tags = interest_tags(mined, encoder, self.sharpness)
        vectors = encoder.encode([text.text for text in mined])
        features = np.hstack([vectors, tags - 1 / len(TAGS)])
        return features.astype(np.float32), tags.astype(np.float32)

    def _read(self, data: Dataset) -> tuple[np.ndarray, np.ndarray]:
        """Features of users and of items; sets `encoder_` and the tags."""
        assert data.item_features is not None, "`requires` sees to it"
        assert data.user_features is not None and data.user_features.texts is not None
        items = mine(described(data.item_features))
        users = mine(data.user_features.texts)
        texts = [text.text for text in [*items, *users]]
        texts += [text for pair in TAGS.values() for text in pair]
        encoder = load_encoder(self.encoder, fallback=self.fallback).fit(texts)
        self.encoder_ = f"{encoder.name}: {encoder.description}"
        item_features, self.item_tags_ = self._features(items, encoder)
        user_features, self.user_tags_ = self._features(users, encoder)
        return user_features, item_features

    def _tower(self, features: np.ndarray, name: str) -> TextTower:
        """The tower of one side, which holds its frozen features."""
        n, n_features = features.shape
        tower = TextTower(
            n, n_features, self.n_factors, self.dropout, self.id_dropout, self.reg, name=name
        )
        tower.features.assign(features)
        return tower

    @heart(
        "Two towers and an item bias: (batch,) users against (batch, m) items, softmax "
        "cross-entropy of the row."
    )
    def build(self, data: Dataset) -> keras.Model:
        """The compiled model: `fit({"user_id": u, "item_id": i}, labels)`, the label 1 at the item
        that was met.

        Args:
            data: with texts of items and users, which are read here; ids are indices below its
                numbers of users and items.
        """
        # building an encoder draws random numbers, taking its vectors from the cache does not
        with seeded(self.seed):
            user_features, item_features = self._read(data)
        user_id = keras.Input((), dtype="int32", name="user_id")  # (batch,)
        item_id = keras.Input((None,), dtype="int32", name="item_id")  # (batch, m)

        user = self._tower(user_features, "user_tower")(user_id)  # (batch, n_factors)
        item = self._tower(item_features, "item_tower")(item_id)  # (batch, m, n_factors)
        bias = layers.Embedding(data.n_items, 1, embeddings_initializer="zeros", name="item_bias")
        b = ops.squeeze(bias(item_id), axis=-1)  # (batch, m)
        score = ops.sum(user[:, None, :] * item, axis=-1) + b  # (batch, m)

        model = RankingModel({"user_id": user_id, "item_id": item_id}, score, name="llm_interest")
        model.compile(
            keras.optimizers.Adam(self.learning_rate),
            keras.losses.CategoricalCrossentropy(from_logits=True),
        )
        return model

    def _epochs(self, data: Dataset, rng: np.random.Generator) -> Iterator[Epoch]:
        return rows_with_negatives(data, self.n_negatives, rng)

    def _fit(self, data: Dataset) -> None:
        self.model_, self.history_ = train(
            lambda: self.build(data),
            self._epochs(data, np.random.default_rng(self.seed)),
            n_epochs=self.n_epochs,
            batch_size=self.batch_size,
            seed=self.seed,
            name=type(self).__name__,
        )
        self.user_factors_ = self._vectors("user_tower", data.n_users)
        self.item_factors_ = self._vectors("item_tower", data.n_items)
        self.item_bias_ = self.model_.get_layer("item_bias").get_weights()[0][:, 0]

    def _vectors(self, tower: str, n: int) -> np.ndarray:
        """(n, n_factors): what a tower gives for all its ids."""
        return np.asarray(self.model_.get_layer(tower)(np.arange(n)), np.float32)
