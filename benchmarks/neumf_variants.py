"""NeuMF and its variants on MovieLens-100K, three seeds each: what the page of question 8 compares.

    python benchmarks/neumf_variants.py --keep          fits all, about twenty minutes of one core
    python benchmarks/neumf_variants.py --only GMF MLP

What `build/bench/neumf_variants.npz` has already is not fitted again; delete it to begin anew.

A variant differs from NeuMF in the one thing that its name says; all else, the examples and the
settings included, is NeuMF's own, which were chosen on a validation slice, for NeuMF. Where the
number of negatives varies, so does that of the epochs, and all see the same number of examples.

`benchmarks/results/neumf_variants.npz` has NDCG@10 of each user: an array (seeds, users) for each
variant and split, called "random/GMF", and the users' ids, called "random/users"; the JSON file
beside it has the means, and where they come from.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import keras_recs.neural  # isort: skip  (imports TensorFlow without its start-up notes)

import keras
import numpy as np
import results
from keras import layers

import keras_recs
from keras_recs.answers.q08_deep_learning import NeuMF
from keras_recs.data import Dataset, Split, split_random
from keras_recs.evaluation import evaluate
from keras_recs.neural import train

NAME = "neumf_variants"
METRIC = "ndcg@10"
SEEDS = (0, 1, 2)


@dataclass(eq=False, repr=False)
class Parts(NeuMF):
    """NeuMF with some of its parts, on the same examples.

    Args:
        gmf, mlp: whether these branches are there.
        biases: a number for each user and each item, beside the branches.
        weighs: whether the last layer weighs the branches' numbers; else it only adds them.
    """

    gmf: bool = True
    mlp: bool = True
    biases: bool = False
    weighs: bool = True

    def build(self, data: Dataset) -> keras.Model:
        """As `NeuMF.build`; the tables and dense layers have the same names."""
        reg = self._penalty(data)
        user_id = keras.Input((), dtype="int32", name="user_id")  # (batch,)
        item_id = keras.Input((), dtype="int32", name="item_id")  # (batch,)

        def looked_up(kind: str, dim: int) -> tuple[keras.KerasTensor, keras.KerasTensor]:
            user = self._table(data.n_users, dim, f"user_{kind}", reg)(user_id)
            return user, self._table(data.n_items, dim, f"item_{kind}", reg)(item_id)

        branches = []
        if self.gmf:
            branches.append(layers.Multiply(name="gmf")(looked_up("gmf", self.gmf_dim)))
        if self.mlp:
            x = layers.Concatenate(name="pair")(looked_up("mlp", self.mlp_dim))
            for depth, units in enumerate(self.hidden):
                x = layers.Dense(units, activation="relu", name=f"mlp_{depth}")(x)
            branches.append(x)
        both = layers.Concatenate(name="both")(branches) if len(branches) > 1 else branches[0]
        kept = layers.Dropout(self.dropout)(both)
        ones = {} if self.weighs else {"kernel_initializer": "ones"}
        last = layers.Dense(1, name="weights", **ones)
        logit = last(kept)  # (batch, 1)
        last.trainable = self.weighs  # then the bias is that of the tables of biases
        if self.biases:
            logit = layers.Add()([logit, *looked_up("bias", 1)])
        logit = layers.Identity(name="logit")(logit)
        probability = layers.Activation("sigmoid", name="probability")(logit)
        model = keras.Model({"user_id": user_id, "item_id": item_id}, probability)
        optimizer = keras.optimizers.Adam(self.learning_rate)
        model.compile(optimizer=optimizer, loss="binary_crossentropy")
        return model


@dataclass(eq=False, repr=False)
class Pretrained(Parts):
    """Both branches for half the epochs on their own, then joined (He et al. 2017, section 3.4.1).

    The joint model starts from their tables and layers, and from half the weights of each.
    """

    def _fit(self, data: Dataset) -> None:
        own = self.get_params(deep=False) | {"n_epochs": self._enough_epochs(data) // 2}
        gmf = Parts(**own | {"mlp": False}).fit(data).model_
        mlp = Parts(**own | {"gmf": False}).fit(data).model_

        def joined() -> keras.Model:
            model = self.build(data)
            for part in (gmf, mlp):
                for layer in part.layers:
                    if layer.name.startswith(("user_", "item_", "mlp_")) and layer.weights:
                        model.get_layer(layer.name).set_weights(layer.get_weights())
            kernels, biases = zip(
                *(part.get_layer("weights").get_weights() for part in (gmf, mlp)), strict=True
            )
            half = [np.concatenate(kernels) / 2, np.mean(biases, axis=0)]
            model.get_layer("weights").set_weights(half)
            return model

        self.model_, self.history_ = train(
            joined,
            self._epochs(data, np.random.default_rng(self.seed)),
            n_epochs=own["n_epochs"],
            batch_size=self.batch_size,
            seed=self.seed,
        )


#: name -> the variant with a seed.
VARIANTS: dict[str, Callable[[int], NeuMF]] = {
    "NeuMF": lambda seed: NeuMF(seed=seed),
    "GMF": lambda seed: Parts(mlp=False, seed=seed),
    "MLP": lambda seed: Parts(gmf=False, seed=seed),
    "biased GMF": lambda seed: Parts(mlp=False, biases=True, seed=seed),
    "biased dot": lambda seed: Parts(mlp=False, biases=True, weighs=False, seed=seed),
    "wide MLP": lambda seed: Parts(gmf=False, mlp_dim=64, hidden=(64, 32), seed=seed),
    "1 negative": lambda seed: NeuMF(n_negatives=1, n_epochs=45, seed=seed),
    "pretrained": lambda seed: Pretrained(seed=seed),
    "3 layers": lambda seed: NeuMF(hidden=(32, 32, 32), seed=seed),
    "no dropout": lambda seed: NeuMF(dropout=0.0, seed=seed),
    "4 negatives": lambda seed: NeuMF(n_negatives=4, n_epochs=18, seed=seed),
    "17 negatives": lambda seed: NeuMF(n_negatives=17, n_epochs=5, seed=seed),
}


def splits() -> dict[str, Split]:
    """Name -> the split: each user's last fifth hidden, and a random fifth."""
    movies = keras_recs.load_movielens("ml-100k")
    at_random = split_random(movies)
    return {
        "by time": keras_recs.split(movies, "P1"),
        "random": Split("P1", at_random.train, at_random.test),
    }


def read(path: Path) -> dict[str, np.ndarray]:
    """What was measured so far."""
    if not path.exists():
        return {}
    with np.load(path) as stored:
        return dict(stored)


def rows(stored: dict[str, np.ndarray]) -> list[dict[str, object]]:
    """The means of the seeds, variant by variant."""
    out: list[dict[str, object]] = []
    for name, values in sorted(stored.items()):
        split, variant = name.split("/")
        if variant == "users":
            continue
        seeds = [round(float(each), 4) for each in values.mean(axis=1)]
        row = {"model": f"q08: {variant}", "split": split, "metric": METRIC}
        out.append({**row, "value": round(float(values.mean()), 4), "seeds": seeds})
    return out


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Variants of NeuMF on MovieLens-100K.")
    parser.add_argument("--only", nargs="+", choices=VARIANTS, default=list(VARIANTS))
    results.option(parser)
    asked = parser.parse_args(arguments)
    path = results.BENCH / f"{NAME}.npz"
    path.parent.mkdir(parents=True, exist_ok=True)
    stored = read(path)
    for name, split in splits().items():
        for variant in asked.only:
            if f"{name}/{variant}" in stored:
                continue
            start = time.process_time()
            runs = [
                evaluate(VARIANTS[variant](seed).fit(split.train), split, k=10) for seed in SEEDS
            ]
            values = np.stack([run.per_user[METRIC] for run in runs]).astype(np.float32)
            stored |= {f"{name}/{variant}": values, f"{name}/users": runs[0].users}
            np.savez_compressed(path, **stored)
            figures = " ".join(f"{each:.4f}" for each in values.mean(axis=1))
            took = time.process_time() - start
            print(f"{name:8s} {variant:14s} {figures}  {took:.0f} s", flush=True)
    results.keep(NAME, rows(stored), asked.keep)
    if asked.keep:
        np.savez_compressed(results.FOLDER / f"{NAME}.npz", **stored)


if __name__ == "__main__":
    main()
