"""How strong the planted effects of `cinema` are: `python benchmarks/cinema_table.py [--deep]`
prints the table; --keep writes it into benchmarks/results/cinema.json.

Figures are NDCG@10 with 95 % intervals over users. Columns:

    P1           all users and films by protocol P1
    warm         the same without cold users and films
    cold users   60 users who have no event in training, only a profile text; all warm films are
                 candidates
    cold films   64 films without an event in training; they alone are candidates, for warm users

The oracle knows the planted truth, and is the ceiling. scikit-learn is needed; --deep adds question
8 (a minute)."""

from __future__ import annotations

import argparse
from collections.abc import Callable

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer

from keras_recs.answers.q12_item_cf import EASE, ItemCF
from keras_recs.core.recommender import Recommender
from keras_recs.data import Dataset, Split, split
from keras_recs.data.cinema import cinema_cold_split, load_cinema, load_cinema_truth
from keras_recs.evaluation import PopularityRecommender, RandomRecommender, evaluate_scores

METRIC = "ndcg@10"


class TfidfRecommender(Recommender):
    """Content only: a ridge regression per user from TF-IDF features of the films to the films of
    the history.

    With K the inner products of the films' features, the scores of all users are X K (K + reg I)⁻¹.
    A user without a history is matched with the films by the words of the profile text.

    Args:
        reg: L2 penalty of the weights.
    """

    requires = ("texts", "titles", "genres", "user_texts")

    def __init__(self, reg: float = 1.0) -> None:
        self.reg = reg

    def _fit(self, data: Dataset) -> None:
        films, people = data.item_features, data.user_features
        assert films is not None and people is not None and films.texts is not None
        assert films.titles is not None and films.genres is not None and people.texts is not None
        documents = [
            " ".join(
                [
                    title,
                    text,
                    *(tag("genre", genre) for genre in [*genres, *genres]),
                    tag("by", director),
                    *(tag("with", actor) for actor in actors),
                ]
            )
            for title, text, genres, director, actors in zip(
                films.titles,
                films.texts,
                films.genres,
                films.extra["director"],
                films.extra["actors"],
                strict=True,
            )
        ]
        words = TfidfVectorizer(stop_words="english", sublinear_tf=True)
        features = words.fit_transform(documents)
        kernel = (features @ features.T).toarray()
        self.weights_ = np.linalg.solve(kernel + self.reg * np.eye(len(kernel)), kernel)
        self.scores_ = data.seen @ self.weights_
        without = np.diff(data.seen.indptr) == 0
        self.scores_[without] = (words.transform(people.texts) @ features.T).toarray()[without]

    def _score(self, users: np.ndarray) -> np.ndarray:
        return self.scores_[users]


def tag(kind: str, name: str) -> str:
    """A name as one word."""
    return kind + "".join(filter(str.isalnum, name))


def oracle(train: Dataset) -> np.ndarray:
    return load_cinema_truth().oracle_scores(train)


def fitted(factory: Callable[[], Recommender]) -> Callable[[Dataset], np.ndarray]:
    return lambda train: factory().fit(train).score(train.user_ids.ids)


def rows(deep: bool) -> dict[str, Callable[[Dataset], np.ndarray]]:
    """Name -> what makes a matrix of scores from the training data."""
    table = {
        "random": fitted(RandomRecommender),
        "popularity": fitted(PopularityRecommender),
        "content (TF-IDF)": fitted(TfidfRecommender),
        "item CF": fitted(ItemCF),
        "EASE": fitted(lambda: EASE(reg=100.0)),
    }
    if deep:
        from keras_recs.answers.q08_deep_learning import NeuMF

        table["deep (question 8)"] = fitted(NeuMF)
    return table | {"oracle": oracle}


def measure(deep: bool = False) -> dict[str, dict[str, tuple[float, float, float]]]:
    """Row -> column -> NDCG@10, and the lower and upper end of its interval."""
    whole, cold = split(load_cinema(), "P1"), cinema_cold_split()
    new = np.isin(whole.train.item_ids.ids, cold.item_ids)
    out: dict[str, dict[str, tuple[float, float, float]]] = {}
    for name, score in rows(deep).items():
        everything, warm = score(whole.train), score(cold.warm.train)
        with_old, with_new = np.where(new, -np.inf, warm), np.where(new, warm, -np.inf)
        out[name] = {
            whole.protocol: _figure(everything, whole),
            "warm": _figure(with_old, cold.warm),
            "cold users": _figure(with_old, cold.cold_users),
            "cold films": _figure(with_new, cold.cold_items),
        }
    return out


def _figure(scores: np.ndarray, parts: Split) -> tuple[float, float, float]:
    evaluation = evaluate_scores(scores, parts)
    return evaluation.metrics[METRIC], *evaluation.interval(METRIC)


def main() -> None:
    import results  # here: notebooks take rows of this table, and keep nothing

    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--deep", action="store_true", help="with the answer to question 8")
    results.option(parser)
    asked = parser.parse_args()
    table = measure(asked.deep)
    columns = list(next(iter(table.values())))
    print(f"{'':<20}" + "".join(f"{column:<24}" for column in columns))
    for name, figures in table.items():
        print(
            f"{name:<20}"
            + "".join(
                f"{value:.3f} ({low:.3f}–{high:.3f})   ".ljust(24)
                for value, low, high in figures.values()
            )
        )
    warm = {name: figures["warm"][0] for name, figures in table.items()}
    best = max(value for name, value in warm.items() if name != "oracle")
    print(
        f"\nwarm: EASE / popularity {warm['EASE'] / warm['popularity']:.2f}, item CF / popularity "
        f"{warm['item CF'] / warm['popularity']:.2f}, oracle / best {warm['oracle'] / best:.2f}"
    )
    rows_kept = [
        {"model": name, "column": column, "metric": METRIC, "value": value, "interval": [low, high]}
        for name, figures in table.items()
        for column, (value, low, high) in figures.items()
    ]
    results.keep("cinema", rows_kept, asked.keep)


if __name__ == "__main__":
    main()
