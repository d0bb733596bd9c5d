"""Runs inside a library's own environment: fits its models on a split, and keeps their scores and
times.

    python peer_models.py LIBRARY TASK SPLIT.npz OUT.npz REPEATS NUMBER

Fits the library's model with this number, so that each model has a process, and a peak of memory,
of its own; ends with 3 when there is none. Nothing of keras_recs is imported here.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "2")

import numpy as np
from peak import peak_mib

Model = tuple[
    str, Callable[[], Any], Callable[[Any], np.ndarray]
]  # name, fit, scores or predictions


def implicit_models(task: str, split: Any) -> Iterator[Model]:
    os.environ["OPENBLAS_NUM_THREADS"] = "1"  # as the library asks for
    from implicit.als import AlternatingLeastSquares
    from implicit.bpr import BayesianPersonalizedRanking
    from implicit.nearest_neighbours import CosineRecommender
    from scipy import sparse

    shape = int(split["n_users"]), int(split["n_items"])
    matrix = sparse.csr_matrix(
        (
            np.ones(len(split["train_users"]), np.float32),
            (split["train_users"], split["train_items"]),
        ),
        shape,
    )

    def cosine() -> Any:
        model = CosineRecommender(K=200, num_threads=2)
        model.fit(matrix, show_progress=False)
        return model

    def als() -> Any:
        model = AlternatingLeastSquares(
            factors=128,
            regularization=10.0,
            alpha=1.0,
            iterations=15,
            random_state=0,
            num_threads=2,
        )
        model.fit(matrix, show_progress=False)
        return model

    def bpr() -> Any:
        model = BayesianPersonalizedRanking(
            factors=64,
            learning_rate=0.01,
            regularization=0.01,
            iterations=100,
            random_state=0,
            num_threads=2,
        )
        model.fit(matrix, show_progress=False)
        return model

    def listed(model: Any) -> np.ndarray:
        """Scores of the library's own top 20; the rest is out of the list."""
        items, scores = model.recommend(
            np.arange(shape[0]), matrix, N=20, filter_already_liked_items=True
        )
        table = np.full(shape, -np.inf, np.float32)
        np.put_along_axis(
            table, np.maximum(items, 0), np.where(items >= 0, scores, -np.inf), axis=1
        )
        return table

    if task == "ranking":
        yield "item cosine, K = 200", cosine, listed
        yield "ALS, 128 factors", als, listed
        yield "BPR, 64 factors", bpr, listed


def lenskit_models(task: str, split: Any) -> Iterator[Model]:
    import pandas as pd
    from lenskit.als import BiasedMFScorer, ImplicitMFScorer
    from lenskit.data import ItemList, RecQuery, from_interactions_df
    from lenskit.knn import EASEScorer, ItemKNNScorer, UserKNNScorer

    frame = pd.DataFrame(
        {
            "user_id": split["train_users"],
            "item_id": split["train_items"],
            "rating": split["train_ratings"],
        }
    )
    data = from_interactions_df(frame)
    n_users, n_items = int(split["n_users"]), int(split["n_items"])
    history = {
        user: ItemList(item_ids=rows["item_id"].to_numpy(), rating=rows["rating"].to_numpy())
        for user, rows in frame.groupby("user_id")
    }

    def train(scorer: Any) -> Callable[[], Any]:
        def run() -> Any:
            scorer.train(data)
            return scorer

        return run

    def scores(scorer: Any, user: int, items: np.ndarray) -> np.ndarray:
        query = RecQuery(user_id=user, user_items=history.get(user, ItemList()))
        return scorer(query, ItemList(item_ids=items)).scores()

    def everything(scorer: Any) -> np.ndarray:
        rows = [scores(scorer, user, np.arange(n_items)) for user in range(n_users)]
        return np.nan_to_num(np.stack(rows).astype(np.float32), nan=-np.inf)

    def pairs(scorer: Any) -> np.ndarray:
        out = np.full(len(split["test_users"]), split["train_ratings"].mean())
        for user in np.unique(split["test_users"]):
            rows = split["test_users"] == user
            found = scores(scorer, user, split["test_items"][rows])
            out[rows] = np.where(np.isnan(found), out[rows], found)
        return out

    if task == "ranking":
        yield "EASE, λ = 400", train(EASEScorer(regularization=400)), everything
        yield "item KNN", train(ItemKNNScorer(max_nbrs=20, feedback="implicit")), everything
        yield "user KNN", train(UserKNNScorer(max_nbrs=20, feedback="implicit")), everything
        als = ImplicitMFScorer(embedding_size=64, weight=1, regularization=2.0, epochs=15)
        yield "implicit MF (ALS), 64 factors", train(als), everything
    else:
        yield "user KNN", train(UserKNNScorer(max_nbrs=40, feedback="explicit")), pairs
        yield "item KNN", train(ItemKNNScorer(max_nbrs=20, feedback="explicit")), pairs
        yield (
            "biased MF (ALS)",
            train(BiasedMFScorer(embedding_size=64, regularization=0.1, epochs=15)),
            pairs,
        )


def surprise_models(task: str, split: Any) -> Iterator[Model]:
    import pandas as pd
    import surprise

    if task != "ratings":
        return
    frame = pd.DataFrame({name: split[f"train_{name}"] for name in ("users", "items", "ratings")})
    reader = surprise.Reader(rating_scale=(1, 5))
    trainset = surprise.Dataset.load_from_df(frame, reader).build_full_trainset()

    def svd() -> Any:
        return surprise.SVD(
            n_factors=100, n_epochs=50, lr_all=0.005, reg_all=0.08, random_state=0
        ).fit(trainset)

    def knn() -> Any:
        similarity = {"name": "pearson_baseline", "user_based": False}
        return surprise.KNNBaseline(k=40, sim_options=similarity, verbose=False).fit(trainset)

    def pairs(model: Any) -> np.ndarray:
        return np.array(
            [
                model.predict(u, i).est
                for u, i in zip(
                    split["test_users"].tolist(), split["test_items"].tolist(), strict=True
                )
            ]
        )

    yield "SVD, 100 factors", svd, pairs
    yield "item KNN over baselines", knn, pairs


def cornac_models(task: str, split: Any) -> Iterator[Model]:
    from cornac.data import Dataset
    from cornac.models import BPR

    if task != "ranking":
        return
    n_users, n_items = int(split["n_users"]), int(split["n_items"])
    users, items = split["train_users"].tolist(), split["train_items"].tolist()
    data = Dataset.from_uir(list(zip(users, items, [1.0] * len(users), strict=True)))

    def bpr() -> Any:
        return BPR(
            k=64, max_iter=300, learning_rate=0.01, lambda_reg=0.001, num_threads=2, seed=0
        ).fit(data)

    def scores(model: Any) -> np.ndarray:
        table = np.full((n_users, n_items), -np.inf, np.float32)
        columns = np.array([data.iid_map.get(item, -1) for item in range(n_items)])
        for user, row in data.uid_map.items():
            table[user, columns >= 0] = model.score(row)[columns[columns >= 0]]
        return table

    yield "BPR, 64 factors", bpr, scores


def recbole_models(task: str, split: Any) -> Iterator[Model]:
    """The settings are tuned on the validation slice."""
    import tempfile

    import torch
    from recbole.config import Config
    from recbole.data import create_dataset, data_preparation
    from recbole.utils import get_model, get_trainer, init_seed

    if task != "ranking":
        return
    shape = int(split["n_users"]), int(split["n_items"])
    folder = Path(tempfile.mkdtemp()) / "split"
    folder.mkdir()
    for part in ("train", "valid", "test"):
        source = "train" if part == "train" else "test"
        rows = [
            f"{u}\t{i}"
            for u, i in zip(split[f"{source}_users"], split[f"{source}_items"], strict=True)
        ]
        (folder / f"split.{part}.inter").write_text(
            "\n".join(["user_id:token\titem_id:token", *rows]) + "\n"
        )

    def train(name: str, **settings: Any) -> Callable[[], Any]:
        def run() -> Any:
            config = Config(
                model=name,
                dataset="split",
                config_dict={
                    "data_path": str(folder.parent),
                    "benchmark_filename": ["train", "valid", "test"],
                    "eval_step": 0,
                    "load_col": {"inter": ["user_id", "item_id"]},
                    "show_progress": False,
                    "use_gpu": False,
                    "seed": 0,
                    "state": "ERROR",
                    "checkpoint_dir": str(folder),
                    **settings,
                },
            )
            init_seed(0, True)
            dataset = create_dataset(config)
            train_data, _, _ = data_preparation(config, dataset)
            model = get_model(name)(config, train_data._dataset)
            get_trainer(config["MODEL_TYPE"], name)(config, model).fit(
                train_data, saved=False, verbose=False
            )
            return model, dataset

        return run

    def scores(found: Any) -> np.ndarray:
        model, dataset = found
        table = np.full(shape, -np.inf, np.float32)
        users = dataset.field2id_token["user_id"][1:].astype(int)
        items = dataset.field2id_token["item_id"][1:].astype(int)
        with torch.no_grad():
            rows = (
                model.full_sort_predict({"user_id": torch.arange(1, len(users) + 1)})
                .view(len(users), -1)
                .numpy()
            )
        table[np.ix_(users, items)] = rows[:, 1:]
        return table

    yield (
        "BPR, 64 factors",
        train("BPR", embedding_size=64, learning_rate=0.002, epochs=115, train_batch_size=2048),
        scores,
    )
    yield (
        "LightGCN, 2 layers",
        train(
            "LightGCN",
            embedding_size=64,
            n_layers=2,
            learning_rate=0.005,
            reg_weight=1e-4,
            epochs=75,
            train_batch_size=2048,
        ),
        scores,
    )


MODELS = {
    "implicit": implicit_models,
    "lenskit": lenskit_models,
    "surprise": surprise_models,
    "cornac": cornac_models,
    "recbole": recbole_models,
}


def main(
    library: str, task: str, split_file: str, out_file: str, repeats: int, number: int
) -> None:
    found = next(islice(MODELS[library](task, np.load(split_file)), number, None), None)
    if found is None:
        raise SystemExit(3)
    name, fit, values = found
    fits, scorings = [], []
    for _ in range(repeats):
        start = time.perf_counter()
        model = fit()
        fits.append(time.perf_counter() - start)
        start = time.perf_counter()
        scores = values(model)
        scorings.append(time.perf_counter() - start)
    np.savez(
        out_file,
        name=name,
        values=scores,
        fit_s=min(fits),
        score_s=min(scorings),
        peak_mib=peak_mib(),
    )


if __name__ == "__main__":
    main(*sys.argv[1:5], repeats=int(sys.argv[5]), number=int(sys.argv[6]))
