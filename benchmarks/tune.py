"""Hyperparameters on the validation slice: one at a time, from the defaults, keeping what helps.

    python benchmarks/tune.py 11              all classes of question 11 that grids.toml knows
    python benchmarks/tune.py 11 BPR          one of them
    python benchmarks/tune.py 11 --rounds 2   go through the hyperparameters twice
    python benchmarks/tune.py 11 --keep       into benchmarks/results/tune_q11.json

The training part of the question's protocol is split again by the same protocol; the test part is
never looked at. The grids are in grids.toml, beside this file.
"""

from __future__ import annotations

import argparse
import time
import tomllib
from pathlib import Path

import results

from keras_recs import load_movielens, split
from keras_recs.evaluation import evaluate, protocol_named
from keras_recs.questions import Answer, question

GRIDS = tomllib.loads(Path(__file__).with_name("grids.toml").read_text(encoding="utf8"))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("question", type=int)
    parser.add_argument("classes", nargs="*", help="classes to tune (all that have a grid)")
    parser.add_argument(
        "--rounds", type=int, default=1, help="passes through the hyperparameters (1)"
    )
    results.option(parser)
    asked = parser.parse_args()
    rows: list[dict] = []
    q = question(asked.question)
    protocol = protocol_named(q.protocol)
    parts = split(load_movielens("ml-100k"), q.protocol, validation=True)
    for answer in q.answers:
        if answer.class_name not in GRIDS or (
            asked.classes and answer.class_name not in asked.classes
        ):
            continue

        def measure(params: dict, answer: Answer = answer) -> float:
            start = time.perf_counter()
            metrics = evaluate(q.make(answer, **params).fit(parts.train), parts).metrics
            metric = protocol.main_metric(metrics)
            value = metrics[metric]
            print(
                f"  {metric} {value:.4f}  {time.perf_counter() - start:6.1f} s  {params}",
                flush=True,
            )
            rows.append(
                {"model": answer.name, "metric": metric, "value": value, "settings": params}
            )
            return value

        print(answer.name)
        chosen: dict = {}
        best = measure(chosen)
        for _ in range(asked.rounds):
            for name, values in GRIDS[answer.class_name].items():
                for value in values:
                    found = measure({**chosen, name: value})
                    if protocol.goodness(found) > protocol.goodness(best):
                        best, chosen = found, {**chosen, name: value}
        print(f"best: {protocol.main} {best:.4f} with {chosen or 'the defaults'}")
        results.keep(f"tune_q{q.number:02d}", rows, asked.keep)


if __name__ == "__main__":
    main()
