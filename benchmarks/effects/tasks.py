"""Clicking and finishing pull shared parts both ways: what one bottom for both costs the clicks, and
how much of it experts and own embeddings give back.

One number of units and of vector dimensions in all of them: what differs is who shares what. Each
task is judged after the number of epochs that is best for it on validation."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
from effects.effect import Effect
from effects.impressions import Impressions, effect, log_odds
from keras import layers, ops

from keras_recs.evaluation import Evaluation
from keras_recs.neural.layers import MixtureOfExperts

TASKS = {"click": None, "finish": "click"}  # only what was clicked can be finished
FIELDS = ("user", "item", "genres", "hour", "device")
DIM, SMALL, UNITS, L2 = 8, 3, 16, 1e-3
N_EPOCHS = 12
SHARED, MMOE, PLE, ALONE = "shared bottom", "MMoE", "PLE, own embeddings", "clicks alone"


def measure(seeds: Sequence[int] = (0, 1, 2, 3, 4)) -> list[Effect]:
    """What sharing costs the clicks, what gives it back, and that the finishes do not pay for it."""
    data = Impressions.load()
    kinds = {SHARED: shared_bottom, MMOE: experts, PLE: own_embeddings}
    runs = {name: learned(data, bottom, TASKS, seeds) for name, bottom in kinds.items()}
    runs[ALONE] = learned(data, shared_bottom, {"click": None}, seeds)
    clicks = of_task(runs, "click")
    finishes = of_task({name: runs[name] for name in kinds}, "finish")
    return [
        *(effect("tasks", "auc@click", name, SHARED, clicks) for name in (ALONE, MMOE, PLE)),
        effect("tasks", "auc@finish", PLE, SHARED, finishes),
    ]


Bottom = Callable[[Impressions, dict[str, Any], int], list[Any]]


def learned(
    data: Impressions, bottom: Bottom, tasks: Mapping[str, str | None], seeds: Sequence[int]
) -> list[dict[str, Evaluation]]:
    """For each seed, the evaluation of each task."""
    return [
        data.learned(lambda: build(data, bottom, tasks), tasks, N_EPOCHS, seed) for seed in seeds
    ]


def of_task(
    runs: Mapping[str, Sequence[Mapping[str, Evaluation]]], task: str
) -> dict[str, list[Evaluation]]:
    """The evaluations of one task, by model."""
    return {name: [run[task] for run in of_model] for name, of_model in runs.items()}


def build(data: Impressions, bottom: Bottom, tasks: Mapping[str, str | None]) -> keras.Model:
    """Logits of the tasks on what `bottom` makes of the fields for each."""
    inputs = data.inputs(FIELDS)
    labels = data.test.train.interactions.labels
    clicked = labels["click"] == 1
    rates = {"click": clicked.mean(), "finish": labels["finish"][clicked].mean()}
    heads = {}
    for task, x in zip(tasks, bottom(data, inputs, len(tasks)), strict=True):
        start = keras.initializers.Constant(log_odds(rates[task]))
        heads[task] = layers.Dense(1, bias_initializer=start, name=task)(x)
    return keras.Model(inputs, heads)


def joined(data: Impressions, inputs: dict[str, Any], dim: int) -> Any:
    """(batch, 5 dim + 6): vectors of user, film and genres, the user's products with both, and the
    context."""
    user, item, genres = (
        data.embedded(field, inputs[field], dim, L2) for field in ("user", "item", "genres")
    )
    context = [data.embedded(field, inputs[field], SMALL, L2) for field in ("hour", "device")]
    return ops.concatenate([user, item, genres, user * item, user * genres, *context], axis=1)


def shared_bottom(data: Impressions, inputs: dict[str, Any], n_tasks: int) -> list[Any]:
    """One layer for all tasks (Caruana 1997)."""
    hidden = layers.Dense(UNITS, activation="relu")(joined(data, inputs, DIM))
    return [hidden] * n_tasks


def experts(data: Impressions, inputs: dict[str, Any], n_tasks: int) -> list[Any]:
    """Four experts, and a gate for each task (Ma et al. 2018)."""
    mixture = MixtureOfExperts(n_tasks=n_tasks, n_shared=4, hidden=(UNITS // 4,))
    return mixture(joined(data, inputs, DIM))


def own_embeddings(data: Impressions, inputs: dict[str, Any], n_tasks: int) -> list[Any]:
    """Two shared experts, and one of each task (Tang et al. 2020), which reads vectors of its own
    beside the shared ones (Su et al. 2024) and sends no gradient into these."""
    common = joined(data, inputs, DIM // 2)
    shared = [layers.Dense(UNITS // 4, activation="relu")(common) for _ in range(2)]
    outputs = []
    for _ in range(n_tasks):
        mine = joined(data, inputs, DIM // 4)
        both = ops.concatenate([ops.stop_gradient(common), mine], axis=1)
        own = layers.Dense(UNITS // 4, activation="relu")(both)
        gate = layers.Dense(3, activation="softmax")(ops.concatenate([common, mine], axis=1))
        said = ops.stack([*shared, own], axis=1)  # (batch, 3, units)
        outputs.append(ops.sum(ops.expand_dims(gate, -1) * said, axis=1))
    return outputs
