"""Runs inside a library's own environment: fits its models on a split, and keeps their scores and times.

    python peer_models.py LIBRARY PROTOCOL SPLIT.npz OUT.npz REPEATS

Nothing of keras_recs is imported here.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "2")

import numpy as np

Model = tuple[str, Callable[[], Any], Callable[[Any], np.ndarray]]  # name, fit, scores or predictions


def implicit_models(protocol: str, split: Any) -> Iterator[Model]:
    os.environ["OPENBLAS_NUM_THREADS"] = "1"  # as the library asks for
    from implicit.als import AlternatingLeastSquares
    from implicit.nearest_neighbours import CosineRecommender
    from scipy import sparse

    shape = int(split["n_users"]), int(split["n_items"])
    matrix = sparse.csr_matrix((np.ones(len(split["train_users"]), np.float32),
                                (split["train_users"], split["train_items"])), shape)

    def cosine() -> Any:
        model = CosineRecommender(K=200, num_threads=2)
        model.fit(matrix, show_progress=False)
        return model

    def als() -> Any:
        model = AlternatingLeastSquares(factors=128, regularization=10.0, alpha=1.0, iterations=15, random_state=0,
                                        num_threads=2)
        model.fit(matrix, show_progress=False)
        return model

    def listed(model: Any) -> np.ndarray:
        """Scores of the library's own top 20; the rest is out of the list."""
        items, scores = model.recommend(np.arange(shape[0]), matrix, N=20, filter_already_liked_items=True)
        table = np.full(shape, -np.inf, np.float32)
        np.put_along_axis(table, np.maximum(items, 0), np.where(items >= 0, scores, -np.inf), axis=1)
        return table

    if protocol == "P1":
        yield "item cosine, K = 200", cosine, listed
        yield "ALS, 128 factors", als, listed


def lenskit_models(protocol: str, split: Any) -> Iterator[Model]:
    import pandas as pd
    from lenskit.als import BiasedMFScorer
    from lenskit.data import ItemList, RecQuery, from_interactions_df
    from lenskit.knn import EASEScorer, ItemKNNScorer

    frame = pd.DataFrame({"user_id": split["train_users"], "item_id": split["train_items"],
                          "rating": split["train_ratings"]})
    data = from_interactions_df(frame)
    n_users, n_items = int(split["n_users"]), int(split["n_items"])
    history = {user: ItemList(item_ids=rows["item_id"].to_numpy(), rating=rows["rating"].to_numpy())
               for user, rows in frame.groupby("user_id")}

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

    if protocol == "P1":
        yield "EASE, λ = 400", train(EASEScorer(regularization=400)), everything
        yield "item KNN", train(ItemKNNScorer(max_nbrs=20, feedback="implicit")), everything
    else:
        yield "biased MF (ALS)", train(BiasedMFScorer(embedding_size=64, regularization=0.1, epochs=15)), pairs


def surprise_models(protocol: str, split: Any) -> Iterator[Model]:
    import pandas as pd
    import surprise

    if protocol != "P3":
        return
    frame = pd.DataFrame({name: split[f"train_{name}"] for name in ("users", "items", "ratings")})
    reader = surprise.Reader(rating_scale=(1, 5))
    trainset = surprise.Dataset.load_from_df(frame, reader).build_full_trainset()

    def svd() -> Any:
        return surprise.SVD(n_factors=100, n_epochs=50, lr_all=0.005, reg_all=0.08, random_state=0).fit(trainset)

    def pairs(model: Any) -> np.ndarray:
        return np.array([model.predict(u, i).est for u, i in
                         zip(split["test_users"].tolist(), split["test_items"].tolist(), strict=True)])

    yield "SVD, 100 factors", svd, pairs


MODELS = {"implicit": implicit_models, "lenskit": lenskit_models, "surprise": surprise_models}


def main(library: str, protocol: str, split_file: str, out_file: str, repeats: int) -> None:
    out = {}
    for name, fit, values in MODELS[library](protocol, np.load(split_file)):
        fits, scorings = [], []
        for _ in range(repeats):
            start = time.perf_counter()
            model = fit()
            fits.append(time.perf_counter() - start)
            start = time.perf_counter()
            out[f"{name}|values"] = values(model)
            scorings.append(time.perf_counter() - start)
        out[f"{name}|fit_s"], out[f"{name}|score_s"] = min(fits), min(scorings)
    np.savez(out_file, **out)


if __name__ == "__main__":
    main(*sys.argv[1:5], repeats=int(sys.argv[5]))
