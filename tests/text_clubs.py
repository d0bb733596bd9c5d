"""A small data set whose users say what they watch, and an encoder that knows a dozen words."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from keras_recs.data import Dataset, ItemFeatures, UserFeatures
from keras_recs.text import BaseEncoder
from keras_recs.text.encoder import unit_rows

#: What the stub encoder understands: a word of a topic, in English or Chinese, is that topic's axis
#: and nothing else.
WORDS = {
    "space": 0,
    "robot": 0,
    "alien": 0,
    "宇宙": 0,
    "ghost": 4,
    "haunted": 4,
    "scream": 4,
    "鬼": 4,
    "love": 3,
    "couple": 3,
    "爱情": 3,
    "song": 9,
    "band": 9,
    "歌": 9,
}


class Stub(BaseEncoder):
    """Counts words of a dozen topics; the last entry is what every text has in common."""

    name, dim, languages, description = "stub", 13, ("en", "zh"), "a stub that knows a dozen words"

    def __init__(self) -> None:
        super().__init__(cache=False)

    def _vectors(self, texts: list[str], batch_size: int) -> np.ndarray:
        out = np.zeros((len(texts), self.dim), np.float32)
        for row, text in enumerate(texts):
            for word, topic in WORDS.items():
                out[row, topic] += text.lower().count(word)
        out[:, -1] = 0.5
        return unit_rows(out)


#: Settings that learn so few events.
SMALL = dict(
    encoder="tfidf",
    n_factors=8,
    dropout=0.0,
    n_negatives=8,
    learning_rate=0.02,
    n_epochs=25,
    batch_size=128,
)
TOPICS = (
    "a robot in space",
    "a ghost in a haunted house",
    "a couple in love",
    "a band and its song",
)


def clubs(user_texts: Sequence[str] = (), film_9: str = "") -> Dataset:
    """48 users of four topics met half the films of theirs; films 0 to 7 are everybody's.

    User 5 watches topic 1 and says topic 2. Users 40 to 47 have no event, only a text, and 47 has
    not even that."""
    rng = np.random.default_rng(0)
    items = np.arange(48)
    events = [
        (u, i)
        for u in range(40)
        for i in items
        if (i < 8 and rng.random() < 0.4) or (i >= 8 and i % 4 == u % 4 and rng.random() < 0.6)
    ]
    texts = [f"Show me {TOPICS[u % 4]}. I watch in the evening." for u in range(47)] + [""]
    texts[5] = texts[2]
    texts[: len(user_texts)] = user_texts
    users, met = np.array(events).T
    said = [f"{TOPICS[i % 4]}, number {i}. {film_9 if i == 9 else ''}" for i in items]
    films = ItemFeatures(items, [f"film {i}" for i in items], texts=said)
    return Dataset.from_arrays(
        users,
        met,
        timestamps=np.arange(len(users)),
        item_features=films,
        user_features=UserFeatures(np.arange(48), texts),
    )
