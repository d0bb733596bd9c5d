"""Time and peak memory on large synthetic data: 100,000 users × 20,000 items × 5 million
interactions.

    python benchmarks/scale.py          a table of all our answers and the peers
    python benchmarks/scale.py --keep   and keep it: benchmarks/results/scale.json, and the table of
                                        benchmarks/README.md
    python benchmarks/scale.py --only "ALS" --users 10000 --items 5000 --events 500000

Each model is fitted in a process of its own, which then makes lists for 200 users. Peak memory is
of the whole process, libraries and data included.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import results
from peak import peak_mib

HERE = Path(__file__).resolve().parent
BENCH = HERE.parent / "build" / "bench"

#: Name -> (question, class, settings). One epoch for what learns in epochs: the time of more is a
#: multiple.
OURS: dict[str, tuple[int, str, dict]] = {
    "q04: UserKNN": (4, "UserKNN", {}),
    "q07: UserCF": (7, "UserCF", {}),
    "q11: ImplicitALS(n_factors=64, n_iterations=1)": (
        11,
        "ImplicitALS",
        {"n_factors": 64, "n_iterations": 1},
    ),
    "q11: BPR(n_epochs=1)": (11, "BPR", {"n_epochs": 1}),
    "q12: ItemCF(n_neighbors=100)": (12, "ItemCF", {"n_neighbors": 100}),
    "q12: EASE": (12, "EASE", {}),
    "q18: LightGCN(n_epochs=1)": (18, "LightGCN", {"n_epochs": 1}),
}
PEERS = {
    "implicit: ALS, 64 factors, 1 iteration": "implicit",
    "implicit: item cosine, K = 100": "implicit",
    "lenskit: item KNN, 100 neighbours": "lenskit",
}


def run_ours(name: str, file: Path) -> dict:
    from synthetic import as_dataset

    from keras_recs.questions import Answer, question

    number, class_name, params = OURS[name]
    pairs = np.load(file)
    data = as_dataset(pairs["users"], pairs["items"])
    data.seen  # noqa: B018  (cached: every model starts from the same matrix)
    start = time.perf_counter()
    try:
        recommender = question(number).make(Answer(class_name, params)).fit(data)
        fit_s = time.perf_counter() - start
        start = time.perf_counter()
        recommender.recommend(data.user_ids.ids[:200], 10)
    except MemoryError as error:
        return {"refused": str(error)}
    return {"fit_s": fit_s, "users_per_s": 200 / (time.perf_counter() - start)}


def run_peer(name: str, file: Path) -> dict:
    os.environ["OPENBLAS_NUM_THREADS"] = (
        "1"  # as these libraries ask for; they have threads of their own
    )
    pairs = np.load(file)
    users, items = pairs["users"], pairs["items"]
    some = np.arange(200)
    if name.startswith("implicit"):
        from implicit.als import AlternatingLeastSquares
        from implicit.nearest_neighbours import CosineRecommender
        from scipy import sparse

        matrix = sparse.csr_matrix((np.ones(len(users), np.float32), (users, items)))
        model = (
            AlternatingLeastSquares(factors=64, iterations=1, num_threads=2)
            if "ALS" in name
            else CosineRecommender(K=100, num_threads=2)
        )
        start = time.perf_counter()
        model.fit(matrix, show_progress=False)
        fit_s = time.perf_counter() - start
        start = time.perf_counter()
        model.recommend(some, matrix[some], N=10)
        return {"fit_s": fit_s, "users_per_s": 200 / (time.perf_counter() - start)}
    import pandas as pd
    from lenskit.data import from_interactions_df
    from lenskit.knn import ItemKNNScorer

    data = from_interactions_df(pd.DataFrame({"user_id": users, "item_id": items}))
    model = ItemKNNScorer(max_nbrs=100, save_nbrs=100, feedback="implicit")
    start = time.perf_counter()
    model.train(data)
    return {"fit_s": time.perf_counter() - start}


def measure(name: str, file: Path) -> dict:
    """What this file prints when it is run for one model, in the environment that has its
    library."""
    from peers import interpreter

    python = interpreter(PEERS[name]) if name in PEERS else sys.executable
    done = subprocess.run(
        [python, __file__, "--one", name, "--data", file], capture_output=True, text=True
    )
    if done.returncode:
        return {
            "model": name,
            "failed": (done.stderr.strip().splitlines() or [f"ended with {done.returncode}"])[-1],
        }
    return json.loads(done.stdout.splitlines()[-1])


def table(rows: list[dict]) -> str:
    lines = ["| model | fit | users/s | peak memory |", "|---|---|---|---|"]
    for r in rows:
        if "fit_s" in r:
            speed = f"{r['users_per_s']:,.0f}" if "users_per_s" in r else ""
            lines.append(
                f"| {r['model']} | {r['fit_s']:.1f} s | {speed} | {r['peak_gib']:.1f} GiB |"
            )
        else:
            lines.append(f"| {r['model']} | {r.get('refused') or r['failed']} | | |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", action="append", help="models whose name holds this")
    parser.add_argument("--users", type=int, default=100_000)
    parser.add_argument("--items", type=int, default=20_000)
    parser.add_argument("--events", type=int, default=5_000_000)
    results.option(parser)
    parser.add_argument("--one", help=argparse.SUPPRESS)
    parser.add_argument("--data", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.one:
        found = (run_peer if asked.one in PEERS else run_ours)(asked.one, asked.data)
        print(json.dumps({"model": asked.one, **found, "peak_gib": peak_mib() / 2**10}))
        return
    from peers import version_of
    from synthetic import power_law

    BENCH.mkdir(parents=True, exist_ok=True)
    file = BENCH / "synthetic.npz"
    users, items = power_law(asked.users, asked.items, asked.events)
    np.savez(file, users=users, items=items)
    head = np.sort(np.bincount(items))[::-1][: asked.items // 100].sum() / len(items)
    print(
        f"{len(users):,} interactions; the most popular 1 % of items have {head:.0%} of them",
        file=sys.stderr,
    )
    rows = []
    for name in [*OURS, *PEERS]:
        if not asked.only or any(part in name for part in asked.only):
            rows.append({"library": PEERS.get(name, "keras_recs"), **measure(name, file)})
            print(rows[-1], file=sys.stderr)
    libraries = {row["library"] for row in rows} - {"keras_recs"}
    versions = {library: version_of(library) for library in libraries}
    results.keep("scale", rows, asked.keep, versions, table=table(rows))
    print(table(rows))


if __name__ == "__main__":
    main()
