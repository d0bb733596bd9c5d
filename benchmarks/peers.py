"""Our answers beside other libraries: the same split, the same metrics, one run on one machine.

    python benchmarks/peers.py                     all of them; a table, and build/bench/peers.json
    python benchmarks/peers.py --only implicit     ours and one library

Each library lives in an environment of its own under build/bench, made on first use. It gets the split as arrays,
fits, and returns scores; time is taken inside its process, around the fit alone and around scoring all users, and
is the best of `--repeats` rounds. All scores are judged here, by one protocol.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
import venv
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

import keras_recs
from keras_recs.data import Split
from keras_recs.evaluation import Evaluation, evaluate, evaluate_ratings, evaluate_scores
from keras_recs.questions import question

HERE = Path(__file__).resolve().parent
BENCH = HERE.parent / "build" / "bench"

#: Library -> what its environment needs.
LIBRARIES = {
    "implicit": ["implicit==0.7.3", "numpy", "scipy"],
    "lenskit": ["lenskit==2025.8.1"],
    "surprise": ["scikit-surprise==1.1.5", "numpy", "pandas"],
}


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


def write_split(parts: Split) -> Path:
    """The split as plain arrays, for processes without keras_recs."""
    path = BENCH / f"{parts.protocol}.npz"
    columns = {}
    for name, part in (("train", parts.train), ("test", parts.test)):
        events = part.interactions
        columns |= {f"{name}_users": events.users, f"{name}_items": events.items, f"{name}_ratings": events.ratings}
    np.savez(path, n_users=parts.train.n_users, n_items=parts.train.n_items, **columns)
    return path


def peers(library: str, splits: dict[str, Split], repeats: int) -> list[dict]:
    """Rows of all models of one library."""
    python = interpreter(library)
    rows = []
    for protocol, parts in splits.items():
        out = BENCH / f"{library}-{protocol}.npz"
        done = subprocess.run([python, HERE / "peer_models.py", library, protocol, write_split(parts), out,
                               str(repeats)], capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(f"{library} failed:\n{done.stderr[-2000:]}")
        results = np.load(out)
        for model in sorted({name.split("|")[0] for name in results.files}):
            values = results[f"{model}|values"]
            found = evaluate_ratings(values, parts) if protocol == "P3" else evaluate_scores(values, parts)
            seconds = float(results[f"{model}|score_s"])
            rows.append(row(f"{library}: {model}", protocol, found, float(results[f"{model}|fit_s"]),
                            None if protocol == "P3" else parts.train.n_users / seconds))
    return rows


def ours(splits: dict[str, Split], repeats: int) -> list[dict]:
    """Rows of our answers; those of Keras once, for they take longer."""
    rows = []
    for number in (5, 12, 8):
        q = question(number)
        parts = splits[q.protocol]
        for answer in q.answers:
            times, serving = [], []
            for _ in range(1 if q.keras else repeats):
                recommender = q.make(answer)
                times.append(timed(partial(recommender.fit, parts.train)))
                serving.append(timed(partial(recommender.recommend, recommender.user_ids_, k=10)))
            found = evaluate(recommender, parts)
            rows.append(row(f"keras_recs: {answer.name}", q.protocol, found, min(times),
                            None if q.protocol == "P3" else parts.train.n_users / min(serving)))
            if q.protocol == "P3":
                print(f"{answer.name}: {parts.train.n_users / min(serving):,.0f} users/s", file=sys.stderr)
    return rows


def row(name: str, protocol: str, found: Evaluation, fit_s: float, users_per_s: float | None) -> dict:
    main = "rmse" if protocol == "P3" else "ndcg@10"
    return {"model": name, "protocol": protocol, "metric": main, "value": found.metrics[main],
            "interval": list(found.interval(main)), "fit_s": fit_s, "users_per_s": users_per_s}


def timed(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def table(rows: list[dict]) -> str:
    """The rows as a Markdown table, best first."""
    lines = ["| protocol | model | metric | 95 % interval | fit | users/s |", "|---|---|---|---|---|---|"]
    for r in sorted(rows, key=lambda r: (r["protocol"], r["value"] * (1 if r["protocol"] == "P3" else -1))):
        speed = f"{r['users_per_s']:,.0f}" if r["users_per_s"] else ""
        low, high = r["interval"]
        lines.append(f"| {r['protocol']} | {r['model']} | {r['metric']} {r['value']:.4f} | {low:.4f} – {high:.4f} "
                     f"| {r['fit_s']:.2f} s | {speed} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=LIBRARIES, action="append", help="libraries to run (all)")
    parser.add_argument("--repeats", type=int, default=3, help="rounds, of which the best counts (3)")
    asked = parser.parse_args()
    BENCH.mkdir(parents=True, exist_ok=True)
    data = keras_recs.load_movielens("ml-100k")
    splits = {protocol: keras_recs.split(data, protocol) for protocol in ("P1", "P3")}
    rows = ours(splits, asked.repeats)
    for library in asked.only or LIBRARIES:
        rows += peers(library, splits, asked.repeats)
    (BENCH / "peers.json").write_text(json.dumps(rows, indent=1) + "\n", encoding="utf8")
    print(table(rows))


if __name__ == "__main__":
    main()
