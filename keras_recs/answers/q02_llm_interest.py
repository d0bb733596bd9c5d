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
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any

import keras
import numpy as np
from keras import layers, ops
from scipy import sparse
from scipy.special import log_softmax, softmax

from keras_recs.core.heart import heart
from keras_recs.core.hyperparameters import Count, Dropout, NotNegative, OneOf, Positive, Seed
from keras_recs.data.dataset import Dataset
from keras_recs.neural import RankingModel, RankingRecommender, seeded
from keras_recs.text import ENCODERS, TextEncoder, load_encoder
from keras_recs.text.mining import HAN, ORDERS, TAGS, Mined, clean, described, phrases, tag_vectors
from keras_recs.utils.checks import one_of

# --- what a language model is ---------------------------------------------------------------------


@heart(
    "softmax(Q Kᵀ / √d) V, without weight on padding and, where causal, without weight on what follows."
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
    "An encoder's mean over the tokens, padding left out; a decoder's last token, the only one that has read all."
)
def pool(states: np.ndarray, mask: np.ndarray, kind: str) -> np.ndarray:
    """One vector per text from its tokens' states: (batch, t, d) -> (batch, d); padding is at the
    right end.

    `mask` (batch, t) is 1 on tokens and 0 on padding; `kind` is "encoder" or "decoder".
    """
    if one_of("kind", kind, ("encoder", "decoder")) == "encoder":
        return (states * mask[:, :, None]).sum(axis=1) / np.maximum(mask.sum(axis=1), 1)[:, None]
    last = np.maximum(mask.sum(axis=1).astype(int) - 1, 0)  # (batch,)
    return states[np.arange(len(states)), last]


@heart("The mean of -log p of each token but the first, read off the logits one place before it.")
def next_token_loss(logits: np.ndarray, ids: np.ndarray) -> float:
    """Nats per token: (t, vocabulary), (t,) -> a number; log(vocabulary) for a model that knows
    nothing."""
    log_p = log_softmax(
        logits[:-1], axis=-1
    )  # (t - 1, vocabulary): what place t says is about place t + 1
    return float(-log_p[np.arange(len(ids) - 1), ids[1:]].mean())


# --- 1. text mining -------------------------------------------------------------------------------


@heart(
    "The cleaned text, cut after the marks that end a sentence in English and in Chinese; none without a letter."
)
def sentences(text: str) -> list[str]:
    """The sentences of a raw text.

    >>> sentences("<b>Ghosts!</b> I watch at night. 鬼魂。我喜欢夜里看。")
    ['Ghosts!', 'I watch at night.', '鬼魂。', '我喜欢夜里看。']
    """
    parts = re.split(r"(?<=[.!?…])\s+|(?<=[。！？；])\s*", clean(text))
    return [part for part in parts if re.search(r"\w", part)]


@heart(
    "By script: the share of Han characters among those and Latin words; mixed where neither is below a tenth."
)
def language(text: str) -> str:
    """ "en", "zh", "mixed", or "" where there are no letters. A Han character counts like a word.

    >>> [language(text) for text in ("ghosts", "鬼魂", "I love 武侠片 and 鬼片", "…")]
    ['en', 'zh', 'mixed', '']
    """
    han, words = len(re.findall(f"[{HAN}]", text)), len(re.findall(r"[A-Za-zÀ-ɏ]+", text))
    if not han + words:
        return ""
    share = han / (han + words)
    return "en" if share < 0.1 else "zh" if share > 0.9 else "mixed"


@heart(
    "Greedily: the candidate with the best (1 - diversity) · relevance - diversity · likeness to what is chosen."
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
    mined = []
    for text in texts:
        parts = sentences(text)
        kept = tuple(part for part in parts if not ORDERS.search(part))
        mined.append(
            Mined(
                kept, language(" ".join(kept)), refused=tuple(x for x in parts if ORDERS.search(x))
            )
        )
    if encoder is None:
        return mined
    documents = encoder.encode([text.text for text in mined])  # (n, d)
    found = []
    for known, document in zip(mined, documents, strict=True):
        names = list(
            dict.fromkeys(phrase for sentence in known.sentences for phrase in phrases(sentence))
        )
        vectors = encoder.encode(names)  # (m, d)
        best = mmr(vectors @ document, vectors @ vectors.T, n_phrases, diversity)
        found.append(replace(known, keyphrases=tuple(names[i] for i in best)))
    return found


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
    "Of each text the mean of its sentences' tag probabilities; who says nothing has each tag alike."
)
def interest_tags(mined: Sequence[Mined], encoder: TextEncoder, sharpness: float) -> np.ndarray:
    """(n, tags): what each text is about, in the order of `TAGS`; rows sum to 1."""
    tags, spoken = (
        tag_vectors(encoder),
        encoder.encode([x for text in mined for x in text.sentences]),
    )  # (s, d)
    usual = spoken.sum(axis=0) / max(1, len(spoken)) @ tags.T  # (tags,)
    count = np.array([len(text.sentences) for text in mined])
    text_of = np.repeat(np.arange(len(mined)), count)  # (s,)
    mean = sparse.csr_array(
        (1 / count[text_of], (text_of, np.arange(len(spoken)))), (len(mined), len(spoken))
    )
    return mean @ (tag_probabilities(spoken, tags, usual, sharpness) - 1 / len(TAGS)) + 1 / len(
        TAGS
    )


# --- 3. features into an interest model -----------------------------------------------------------


@keras.saving.register_keras_serializable(__name__)
class TextTower(layers.Layer):
    """W f[i] + e[i] for ids i: frozen features f of the texts through one matrix W, and what the id
    itself adds.

    Args:
        n, n_features, dim: f is (n, n_features), W (n_features, dim), e (n, dim).
        dropout, id_dropout: share of the columns of f, and of the rows of e, left out in a step of
        training. reg: L2 penalty of W and of e.
    """

    def __init__(
        self,
        n: int,
        n_features: int,
        dim: int,
        dropout: float,
        id_dropout: float,
        reg: float,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.config = dict(
            n=n, n_features=n_features, dim=dim, dropout=dropout, id_dropout=id_dropout, reg=reg
        )
        penalty = keras.regularizers.L2(reg)
        self.features = self.add_weight(
            name="features", shape=(n, n_features), initializer="zeros", trainable=False
        )
        self.matrix = self.add_weight(name="matrix", shape=(n_features, dim), regularizer=penalty)
        self.own = self.add_weight(
            name="own", shape=(n, dim), initializer="zeros", regularizer=penalty
        )
        self.drop_features = layers.Dropout(dropout, noise_shape=(n_features, 1))
        self.drop_ids = layers.Dropout(id_dropout)

    @heart(
        "The text's features through the matrix, plus the id's own vector, which training drops for whole rows."
    )
    def call(self, ids: Any, training: bool = False) -> Any:
        """(…) ids -> (…, dim). The whole table goes through W once: a batch meets every item many
        times."""
        matrix = self.drop_features(
            self.matrix, training=training
        )  # without a row of W, a column of f is as if gone
        text = self.features @ matrix  # (n, dim)
        kept = self.drop_ids(ops.ones((self.config["n"], 1)), training=training) > 0  # (n, 1)
        return ops.take(text + ops.where(kept, self.own, 0.0), ids, axis=0)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), **self.config}


@dataclass(eq=False, repr=False)
class LLMInterestModel(RankingRecommender):
    """Interests read from texts by an encoder, and a two-tower model that learns what they are
    worth.

    Args:
        encoder: "use-multilingual" (English, Chinese and more), "minilm" (English), "smollm2", or
        "tfidf" (no model). fallback: whether "tfidf" takes over where the encoder cannot be had;
        `encoder_` then says so. sharpness, dim: see `tag_probabilities`; length of the towers'
        vectors.
        dropout: share of the text features left out in training.
        id_dropout: share of users and items, anew in every step, that must do with their texts.
        reg, n_negatives: L2 penalty of the towers; negatives for each positive, the loss is the
        softmax over both. learning_rate, n_epochs, batch_size, seed: as the names say; Adam.

    Attributes:
        encoder_: what read the texts, in words.
        user_tags_, item_tags_: (n_users, tags) and (n_items, tags) probabilities, in the order of
        `TAGS`. model_: the trained Keras model; inputs `user_id` (batch,) and `item_id` (batch, m),
        output (batch, m). It holds
            the features of all texts: serving needs no encoder.
        history_: "loss" -> loss of each epoch.

    >>> model = LLMInterestModel(dim=4).build(n_users=10, n_items=20, n_features=6)
    >>> model.predict({"user_id": np.array([3, 3]), "item_id": np.array([[0, 19], [5, 6]])}, verbose=0).shape
    (2, 2)
    """

    requires = ("texts", "user_texts")

    encoder: Annotated[str, OneOf(ENCODERS)] = "use-multilingual"
    fallback: bool = True
    sharpness: Positive = 30.0
    dim: Count = 32
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
        rows = self.user_tags_[self._user_ids.index("users", users)]
        return [
            [(list(TAGS)[t], float(row[t])) for t in np.argsort(-row, kind="stable")[:n]]
            for row in rows
        ]

    @heart("A text's vector beside its tags, less what they are of nothing.")
    def _features(self, mined: list[Mined], encoder: TextEncoder) -> tuple[np.ndarray, np.ndarray]:
        """(n, d + tags) features, zero for a blank text, and (n, tags) probabilities."""
        tags = interest_tags(mined, encoder, self.sharpness)
        features = np.hstack([encoder.encode([text.text for text in mined]), tags - 1 / len(TAGS)])
        return features.astype(np.float32), tags.astype(np.float32)

    def _read(self, data: Dataset) -> tuple[np.ndarray, np.ndarray]:
        """Features of users and of items; sets `encoder_` and the tags."""
        films, people = data.item_features, data.user_features
        assert (
            films is not None
            and films.texts is not None
            and people is not None
            and people.texts is not None
        )
        items, users = mine(described(films)), mine(people.texts)
        texts = [text.text for text in [*items, *users]] + [
            text for pair in TAGS.values() for text in pair
        ]
        encoder = load_encoder(self.encoder, fallback=self.fallback).fit(texts)
        self.encoder_ = f"{encoder.name}: {encoder.description}"
        item_features, self.item_tags_ = self._features(items, encoder)
        user_features, self.user_tags_ = self._features(users, encoder)
        return user_features, item_features

    @heart(
        "Two towers and an item bias: (batch,) users against (batch, m) items, softmax cross-entropy of the row."
    )
    def build(self, n_users: int, n_items: int, n_features: int = 512 + len(TAGS)) -> keras.Model:
        """The compiled model: `fit({"user_id": u, "item_id": i}, labels)`, the label 1 at the item
        that was met."""
        user_id = keras.Input((), dtype="int32", name="user_id")  # (batch,)
        item_id = keras.Input((None,), dtype="int32", name="item_id")  # (batch, m)
        settings = (n_features, self.dim, self.dropout, self.id_dropout, self.reg)
        user = TextTower(n_users, *settings, name="user_tower")(user_id)  # (batch, dim)
        item = TextTower(n_items, *settings, name="item_tower")(item_id)  # (batch, m, dim)
        bias = layers.Embedding(n_items, 1, embeddings_initializer="zeros", name="item_bias")(
            item_id
        )  # (batch, m, 1)
        score = ops.sum(user[:, None, :] * item, axis=-1) + ops.squeeze(bias, axis=-1)  # (batch, m)
        model = RankingModel({"user_id": user_id, "item_id": item_id}, score, name="llm_interest")
        model.compile(
            keras.optimizers.Adam(self.learning_rate),
            keras.losses.CategoricalCrossentropy(from_logits=True),
        )
        return model

    def _build(self, data: Dataset) -> keras.Model:
        with seeded(
            self.seed
        ):  # building an encoder draws random numbers, taking its vectors from the cache does not
            user_features, item_features = self._read(data)
        model = self.build(data.n_users, data.n_items, user_features.shape[1])
        for name, features in (("user_tower", user_features), ("item_tower", item_features)):
            model.get_layer(name).features.assign(features)
        return model

    def _vectors(self) -> tuple[np.ndarray, np.ndarray]:
        self.item_bias_ = self.model_.get_layer("item_bias").get_weights()[0][:, 0]
        users, items = (
            np.asarray(self.model_.get_layer(name)(np.arange(n)), np.float32)
            for name, n in (
                ("user_tower", len(self.user_ids_)),
                ("item_tower", len(self.item_ids_)),
            )
        )
        return users, items
