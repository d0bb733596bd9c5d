"""Is a language model worth it? `python benchmarks/text_encoders.py` prints the table of question
2.

What new users and new films are ranked by, NDCG@10 with 95 % intervals over users, and what 1,000
texts cost.

    cinema    60 users without a history, who wrote a profile in English or Chinese; 64 films nobody
              has seen
    ml-100k   a fifth of the users, who name three films that they rated; a fifth of the films.
              Texts are titles and genres only

Every encoder feeds the same model, `LLMInterestModel`, with its defaults, which were chosen on
cinema; on ml-100k, with three times the events, it trains for 6 epochs. The word vectors are
cinema's own on cinema and GloVe's on ml-100k, pooled as in question 6. Seconds are of texts outside
the cache. --only names the rows wanted; SmolLM2 takes a quarter of an hour. --seed draws other
users and films of ml-100k. --keep writes benchmarks/results/text_encoders.json, where each row also
has its paired differences to the rows above it.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self
from unittest import mock

import numpy as np
import results

import keras_recs.neural  # noqa: F401 - first of all: it imports TensorFlow without its start-up notes
from keras_recs import load_movielens
from keras_recs.answers import q02_llm_interest as q02
from keras_recs.answers import q06_content_embedding as q06
from keras_recs.data import Dataset, ItemFeatures, Split, UserFeatures
from keras_recs.data.assets import AssetError
from keras_recs.data.cinema import cinema_cold_split, load_cinema
from keras_recs.evaluation import Evaluation, PopularityRecommender, compare, evaluate_scores
from keras_recs.text import BaseEncoder, EncoderError, load_encoder
from keras_recs.text.encoder import unit_rows
from keras_recs.text.words import count_words, load_vectors, tokenise

METRIC = "ndcg@10"
ROWS = ("popularity", "tfidf", "words", "use-multilingual", "minilm", "smollm2")


class WordVectors(BaseEncoder):
    """The encoder of question 6: the SIF mean of word vectors, without what all texts have in
    common."""

    name = "words"
    languages = ("en", "zh")
    description = "means of word vectors"

    def __init__(self, table: str) -> None:
        super().__init__(cache=False)
        self.table = load_vectors(table)
        self.dim = self.table.vector_size

    def fit(self, texts: Sequence[str]) -> Self:
        counts, words = count_words([tokenise(text) for text in texts])
        known = np.array([word in self.table.key_to_index for word in words])
        self.words_ = np.array(words)[known].tolist()
        self.weights_ = q06.word_weights("sif", counts, a=1e-4)[known]
        self.common_ = q06.common_directions(
            q06.pool(counts[:, known], self.weights_, self.table[self.words_]), 1
        )
        return self

    def _vectors(self, texts: list[str], batch_size: int) -> np.ndarray:
        counts, _ = count_words([tokenise(text) for text in texts], self.words_)
        pooled = q06.pool(counts, self.weights_, self.table[self.words_])
        return unit_rows(q06.without(pooled, self.common_)).astype(np.float32)


@dataclass(frozen=True)
class ColdTest:
    """New users choose among old films, and old users among new films, after one training."""

    name: str
    users: Split
    items: Split
    new_items: np.ndarray  # (n_items,) bool
    n_epochs: int
    words: str  # which word vectors suit it

    def measure(self, scores: np.ndarray) -> tuple[Evaluation, Evaluation]:
        return (
            evaluate_scores(np.where(self.new_items, -np.inf, scores), self.users),
            evaluate_scores(np.where(self.new_items, scores, -np.inf), self.items),
        )


def cinema() -> ColdTest:
    """Profiles in each user's own language; synopses in both."""
    cold = cinema_cold_split("both")
    return ColdTest(
        "cinema",
        cold.cold_users,
        cold.cold_items,
        np.isin(cold.warm.train.item_ids.ids, cold.item_ids),
        20,
        "cinema",
    )


def movielens(seed: int = 0) -> ColdTest:
    """MovieLens-100K with titles and genres as texts. A new user's profile names the first three
    films rated."""
    data = load_movielens("ml-100k")
    rng = np.random.default_rng(seed)
    new_users, new_items = rng.random(data.n_users) < 0.2, rng.random(data.n_items) < 0.2
    events, films = data.interactions, data.item_features
    assert films is not None and films.titles is not None and films.genres is not None
    described = [
        f"{title}, {' and '.join(genres)}"
        for title, genres in zip(films.titles, films.genres, strict=True)
    ]
    order = events.chronological()
    order = order[~new_items[events.items[order]]]
    owners = events.users[order]
    place = np.empty(len(order), np.int64)  # the how-manieth event of its user
    by_user = np.argsort(owners, kind="stable")
    starts = np.r_[0, np.bincount(owners, minlength=data.n_users).cumsum()[:-1]]
    place[by_user] = np.arange(len(order)) - starts[owners[by_user]]
    named: list[list[str]] = [[] for _ in range(data.n_users)]
    for row in order[place < 3]:
        named[events.users[row]].append(described[events.items[row]])
    told = np.zeros(len(events.users), bool)
    told[order[place < 3]] = True
    texts = ["I like " + "; ".join(some) + "." if some else "" for some in named]
    data = Dataset(
        events,
        data.user_ids,
        data.item_ids,
        name="ml-100k",
        item_features=ItemFeatures(data.item_ids.ids, texts=described),
        user_features=UserFeatures(data.user_ids.ids, texts),
    )
    user, item = new_users[events.users], new_items[events.items]
    train = data.with_interactions(events.take(~user & ~item))
    # What a profile names is known, so it is no test: it is neither in the training nor in the test
    # part.
    return ColdTest(
        "ml-100k",
        Split("P1", train, data.with_interactions(events.take(user & ~item & ~told))),
        Split("P1", train, data.with_interactions(events.take(~user & item))),
        new_items,
        6,
        "glove",
    )


def popularity(test: ColdTest) -> np.ndarray:
    """Ties, which all new films are, in random order: that of the ids would know which films are
    famous."""
    scores = PopularityRecommender().fit(test.users.train).score(test.users.train.user_ids.ids)
    return scores + np.random.default_rng(0).random(scores.shape) / 2


def model_scores(test: ColdTest, name: str) -> np.ndarray:
    if name == "words":
        with mock.patch.object(q02, "load_encoder", lambda name, fallback: WordVectors(test.words)):
            model = q02.LLMInterestModel("tfidf", n_epochs=test.n_epochs).fit(test.users.train)
    else:
        model = q02.LLMInterestModel(name, fallback=False, n_epochs=test.n_epochs).fit(
            test.users.train
        )
    return model.score(test.users.train.user_ids.ids)


def seconds(name: str, n: int = 1000) -> float:
    """What encoding `n` synopses and profiles costs, from the model; scaled from 100 for a slow
    encoder."""
    data = load_cinema()
    assert data.item_features is not None and data.user_features is not None
    texts = [
        *(data.item_features.texts or []),
        *(data.user_features.texts or []),
        *(data.item_features.titles or []),
    ]
    some = texts[: n if name != "smollm2" else 100]
    encoder = (WordVectors("cinema") if name == "words" else load_encoder(name, cache=False)).fit(
        texts
    )
    encoder.encode(texts[-2:])  # the first call builds the graph
    start = time.perf_counter()
    encoder.encode(some)
    return (time.perf_counter() - start) * n / len(some)


def line(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def gap(one: Evaluation, other: Evaluation) -> list[float]:
    """How far one is ahead of the other, and the interval of that, paired by user."""
    found = compare(one, other, METRIC)
    return [found.difference, found.low, found.high]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--only", nargs="+", choices=ROWS, default=ROWS, metavar="ROW", help=", ".join(ROWS)
    )
    parser.add_argument("--seed", type=int, default=0, help="of the users and films of ml-100k")
    results.option(parser)
    asked = parser.parse_args()
    rows: list[dict] = []
    above: dict[str, list[Evaluation]] = {}
    tests = [cinema()]
    try:
        tests.append(movielens(asked.seed))
    except (AssetError, OSError) as error:
        print(f"MovieLens-100K cannot be had: {error}")
    columns = [f"{test.name}, new {what}" for test in tests for what in ("users", "films")]
    print(
        line("", *columns, "s per 1,000 texts"),
        "|---" * (len(columns) + 2) + "|",
        sep="\n",
        flush=True,
    )
    for name in asked.only:
        try:
            scores = [
                popularity(test) if name == "popularity" else model_scores(test, name)
                for test in tests
            ]
        except (AssetError, EncoderError) as error:
            print(str(error).splitlines()[0])
            continue
        found = [e for test, score in zip(tests, scores, strict=True) for e in test.measure(score)]
        figures = [(e.metrics[METRIC], *e.interval(METRIC)) for e in found]
        cost = 0 if name == "popularity" else seconds(name)
        for place, (column, (value, *interval)) in enumerate(zip(columns, figures, strict=True)):
            rows.append(
                {
                    "model": name,
                    "test": column,
                    "metric": METRIC,
                    "value": value,
                    "interval": interval,
                    "minus": {
                        other: gap(found[place], theirs[place]) for other, theirs in above.items()
                    },
                    "seconds_for_1000_texts": cost,
                    "seed": asked.seed,
                }
            )
        above[name] = found
        print(
            line(
                name,
                *(f"{value:.3f} ({low:.2f}–{high:.2f})" for value, low, high in figures),
                f"{cost:.0f}" if cost > 10 else f"{cost:.2g}",
            ),
            flush=True,
        )
    results.keep("text_encoders", rows, asked.keep)


if __name__ == "__main__":
    main()
