"""Our answers beside other libraries: the same split, the same metrics, one run on one machine.

    python benchmarks/peers.py                   a table of ours and the usual libraries
    python benchmarks/peers.py --only implicit   ours and one library
    python benchmarks/peers.py --only recbole    slow ones run when they are named
    python benchmarks/peers.py --keep            and keep it: benchmarks/results/peers.json, and the
                                                 tables of the READMEs

Each library lives in an environment of its own under build/bench, made on first use; each model has
a process of its own. It gets the split as arrays, fits, and returns scores; time is taken inside
that process, around the fit alone and around scoring all users, and is the best of `--repeats`
rounds (one for what takes longer than `PATIENCE` seconds). Peak memory is of the whole process,
libraries and data included. All scores are judged here, by one protocol.
"""

from __future__ import annotations

import argparse
import multiprocessing
import subprocess
import sys
import time
import venv
from collections.abc import Callable, Iterable
from functools import partial
from itertools import count
from pathlib import Path

import numpy as np
import results
from peak import peak_mib

import keras_recs
from keras_recs.data import Dataset, Split
from keras_recs.evaluation import (
    Evaluation,
    evaluate,
    evaluate_ratings,
    evaluate_scores,
    protocol_named,
    protocol_of,
)
from keras_recs.questions import QUESTIONS, question

HERE = Path(__file__).resolve().parent
BENCH = HERE.parent / "build" / "bench"

#: Library -> what its environment needs.
LIBRARIES = {
    "implicit": ["implicit==0.7.3", "numpy", "scipy"],
    "lenskit": ["lenskit==2025.8.1"],
    "surprise": ["scikit-surprise==1.1.5", "numpy", "pandas"],
    "cornac": ["cornac==3.0.1"],
    "recbole": [
        "setuptools<80",
        "recbole==1.2.1",
        "numpy<2",
        "pandas<2.2",
        "scipy<1.13",
        "torch==2.13.0",
    ],
}
USUAL = ("implicit", "lenskit", "surprise", "cornac")
PATIENCE = 20.0


def interpreter(library: str) -> Path:
    """The Python of the library's environment, which is made when it is not there."""
    home = BENCH / library
    python = home / "bin" / "python"
    if not (home / "ready").exists():
        print(f"installing {', '.join(LIBRARIES[library])}", file=sys.stderr)
        venv.create(home, with_pip=True, clear=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *LIBRARIES[library]], check=True)
        (home / "ready").touch()
    return python


def version_of(library: str) -> str:
    """The version of a library that its environment has."""
    (requirement,) = (each for each in LIBRARIES[library] if library in each)
    return results.version_in(interpreter(library), requirement.partition("==")[0])


def write_split(parts: Split) -> Path:
    """The split as plain arrays, for processes without keras_recs."""
    path = BENCH / f"{parts.protocol}.npz"
    columns = {}
    for name, part in (("train", parts.train), ("test", parts.test)):
        events = part.interactions
        columns |= {
            f"{name}_users": events.users,
            f"{name}_items": events.items,
            f"{name}_ratings": events.ratings,
        }
    np.savez(path, n_users=parts.train.n_users, n_items=parts.train.n_items, **columns)
    return path


def peers(library: str, splits: dict[str, Split], repeats: int) -> list[dict]:
    """Rows of all models of one library."""
    python = interpreter(library)
    rows = []
    for protocol, parts in splits.items():
        measured_by = protocol_of(parts)
        out, file = BENCH / f"{library}-{protocol}.npz", write_split(parts)
        for number in count():
            done = subprocess.run(
                [
                    python,
                    HERE / "peer_models.py",
                    library,
                    measured_by.task,
                    file,
                    out,
                    str(repeats),
                    str(number),
                ],
                capture_output=True,
                text=True,
            )
            if done.returncode == 3:
                break
            if done.returncode:
                raise SystemExit(f"{library} failed:\n{done.stderr[-2000:]}")
            with np.load(out) as found:
                values = found["values"]
                judged = (
                    evaluate_scores(values, parts)
                    if measured_by.ranks
                    else evaluate_ratings(values, parts)
                )
                rows.append(
                    {"library": library}
                    | row(
                        f"{library}: {found['name']}",
                        protocol,
                        judged,
                        float(found["fit_s"]),
                        parts.train.n_users / float(found["score_s"]),
                        float(found["peak_mib"]),
                    )
                )
                print(table(rows[-1:]).splitlines()[-1], file=sys.stderr, flush=True)
    return rows


def ours(
    data: Dataset, protocols: Iterable[str], repeats: int, numbers: list[int] | None
) -> list[dict]:
    """Rows of our answers, each measured in a process of its own."""
    rows = []
    with multiprocessing.get_context("spawn").Pool(1, maxtasksperchild=1) as pool:
        for q in QUESTIONS:
            if q.protocol not in protocols or (numbers and q.number not in numbers):
                continue
            for index, answer in enumerate(q.answers):
                if not all(map(data.has, q.load(answer).requires)):
                    continue  # it reads texts, which MovieLens does not have
                rows.append(pool.apply(measure, (q.number, index, repeats)))
                print(table(rows[-1:]).splitlines()[-1], file=sys.stderr, flush=True)
    return rows


def measure(number: int, index: int, repeats: int) -> dict:
    """Fit one answer and make a list for every user: its row, both times at their best."""
    q = question(number)
    parts = keras_recs.split(keras_recs.load_movielens("ml-100k"), q.protocol)
    fits, servings = [], []
    for _ in range(repeats):
        recommender = q.make(q.answers[index])
        fits.append(timed(partial(recommender.fit, parts.train)))
        servings.append(timed(partial(recommender.recommend, recommender.user_ids_, k=10)))
        if fits[-1] > PATIENCE:
            break
    return row(
        f"keras_recs q{number:02d}: {q.answers[index].name}",
        q.protocol,
        evaluate(recommender, parts),
        min(fits),
        parts.train.n_users / min(servings),
        peak_mib(),
    )


def row(
    name: str, protocol: str, found: Evaluation, fit_s: float, users_per_s: float, peak_mib: float
) -> dict:
    main = protocol_named(protocol).main_metric(found.metrics)
    return {
        "model": name,
        "protocol": protocol,
        "metric": main,
        "value": found.metrics[main],
        "interval": list(found.interval(main)),
        "fit_s": fit_s,
        "users_per_s": users_per_s,
        "peak_mib": peak_mib,
    }


def timed(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def table(rows: list[dict]) -> str:
    """The rows as a Markdown table, best first."""
    lines = [
        "| protocol | model | metric | 95 % interval | fit | users/s | peak memory |",
        "|---|---|---|---|---|---|---|",
    ]
    for r in sorted(
        rows, key=lambda r: (r["protocol"], -protocol_named(r["protocol"]).goodness(r["value"]))
    ):
        low, high = r["interval"]
        lines.append(
            f"| {r['protocol']} | {r['model']} | {r['metric']} {r['value']:.4f} | {low:.4f} – {high:.4f} "
            f"| {r['fit_s']:.2f} s | {r['users_per_s']:,.0f} | {r['peak_mib']:,.0f} MiB |"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--only", choices=LIBRARIES, action="append", help=f"libraries to run ({', '.join(USUAL)})"
    )
    parser.add_argument(
        "--questions", type=int, nargs="*", help="our answers to these questions only"
    )
    parser.add_argument(
        "--repeats", type=int, default=3, help="rounds, of which the best counts (3)"
    )
    results.option(parser)
    asked = parser.parse_args()
    BENCH.mkdir(parents=True, exist_ok=True)
    data = keras_recs.load_movielens("ml-100k")
    splits = {protocol: keras_recs.split(data, protocol) for protocol in ("P1", "P3")}
    rows = ours(data, splits, asked.repeats, asked.questions)
    libraries = asked.only or USUAL
    for library in libraries:
        rows += peers(library, splits, asked.repeats)
    versions = {library: version_of(library) for library in libraries}
    results.keep("peers", rows, asked.keep, versions, table=table(rows))
    print(table(rows))


if __name__ == "__main__":
    main()
