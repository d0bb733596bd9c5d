"""Does every learned answer beat popularity, with its defaults, on logs that it was not tuned on?

    python benchmarks/floors.py                                    # all logs, all answers
    python benchmarks/floors.py --logs sparse dense --answers BPR NeuMF
    python benchmarks/floors.py --keep                             # into benchmarks/results/floors.json

Two real logs (cinema is simulated, but not by `keras_recs.testing`), two planted ones that the
rules behind the defaults were looked at on, and more that they were not.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable

import results

from keras_recs.core.recommender import Recommender
from keras_recs.data import Dataset, load_cinema, load_movielens, split
from keras_recs.evaluation import (
    Evaluation,
    ItemKNNRecommender,
    PopularityRecommender,
    RandomRecommender,
    RecentPopularityRecommender,
    compare,
    evaluate,
    evaluate_scores,
    protocol_named,
)
from keras_recs.questions import QUESTIONS
from keras_recs.testing import PlantedLog, dense_log, planted_log, sparse_log

#: What to measure on. A planted log comes with its oracle.
LOGS: dict[str, Callable[[], Dataset | PlantedLog]] = {
    "cinema": load_cinema,
    "ml-100k": lambda: load_movielens("ml-100k"),
    "dense": dense_log,
    "sparse": sparse_log,
    # not looked at when the rules were made
    "dense, seed 7": lambda: dense_log(seed=7),
    "sparse, seed 7": lambda: sparse_log(seed=7),
    "between": lambda: planted_log(1500, 2000, 45, structure=1.2, drift=0.4, visit=0.3, seed=3),
    "thin": lambda: planted_log(3000, 3000, 10, structure=1.2, drift=0.3, head=10.0, seed=4),
}
CONTENT = ("ContentEmbedding", "LLMInterestModel")  # texts are all that they read


def learned() -> dict[str, Callable[[], Recommender]]:
    """Every answer that ranks and learns from who met what, with its defaults."""
    return {
        answer.name: lambda q=q, a=answer: q.make(a)
        for q in QUESTIONS
        for answer in q.answers
        if protocol_named(q.protocol).ranks and answer.class_name not in CONTENT
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--logs", nargs="*", default=list(LOGS), choices=list(LOGS), metavar="LOG")
    parser.add_argument("--answers", nargs="*", default=list(learned()), metavar="ANSWER")
    results.option(parser)
    arguments = parser.parse_args()
    rows: list[dict] = []
    for name in arguments.logs:
        rows += measure(name, arguments.answers)
        results.keep("floors", rows, arguments.keep)


def measure(name: str, answers: list[str]) -> list[dict]:
    """Print a table for one log; return its rows."""
    log = LOGS[name]()
    data = log.data if isinstance(log, PlantedLog) else log
    parts = split(data, "P1")
    print(
        f"\n{name}: {data.n_users:,} users, {data.n_items:,} items, {len(data) / data.n_users:.0f} events a user"
    )
    print(f"  {'':44s} ndcg@10   minus popularity, 95 % interval   minus recent popularity    fit")
    popularity, recent = (
        evaluate(floor().fit(parts.train), parts)
        for floor in (PopularityRecommender, RecentPopularityRecommender)
    )
    rows = []

    def row(label: str, result: Evaluation, seconds: float) -> None:
        over, over_recent = (compare(result, floor, "ndcg@10") for floor in (popularity, recent))
        mark = (
            ""
            if over.low > 0
            else "  below the floor"
            if over.high < 0
            else "  no clear difference"
        )
        print(
            f"  {label:44s} {result.metrics['ndcg@10']:.4f}    {over.difference:+.4f}  [{over.low:+.4f}, "
            f"{over.high:+.4f}]    [{over_recent.low:+.4f}, {over_recent.high:+.4f}] {seconds:7.1f} s{mark}",
            flush=True,
        )
        rows.append(
            {
                "model": label,
                "log": name,
                "ndcg@10": result.metrics["ndcg@10"],
                "over_popularity": [over.low, over.high],
                "over_recent_popularity": [over_recent.low, over_recent.high],
                "fit_s": seconds,
            }
        )

    if isinstance(log, PlantedLog):
        row("the oracle", evaluate_scores(log.oracle(), parts), 0.0)
    makers = {
        "random": RandomRecommender,
        "popularity": PopularityRecommender,
        "recent popularity": RecentPopularityRecommender,
        "item-KNN": ItemKNNRecommender,
    }
    makers |= {answer: learned()[answer] for answer in answers}
    for label, make in makers.items():
        start = time.perf_counter()
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore", UserWarning
            )  # data too thin: said by the answer, measured here
            model = make().fit(parts.train)
        row(label, evaluate(model, parts), time.perf_counter() - start)
    return rows


if __name__ == "__main__":
    main()
