"""Clicking and finishing pull shared parts both ways: a shared bottom, MMoE, and PLE whose tasks
have vectors of their own.

One number of units and of vector dimensions in all of them: what differs is who shares what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import keras
from effects.effect import Effect
from effects.impressions import Impressions, effect, log_odds
from keras import layers, ops

from keras_recs.evaluation import Evaluation
from keras_recs.neural.layers import MixtureOfExperts

TASKS = {"click": None, "finish": "click"}  # only what was clicked can be finished
FIELDS = ("user", "item", "hour", "device")
DIM, SMALL, UNITS, L2 = 8, 3, 64, 1e-3
N_EPOCHS = 14


def measure(seeds: Sequence[int] = (0, 1, 2, 3, 4)) -> list[Effect]:
    """What is lost by sharing, and how much of it own parts save."""
    data = Impressions.load()
    kinds = {
        "shared bottom": shared_bottom,
        "MMoE": experts,
        "PLE, own embeddings": own_embeddings,
    }
    runs = {
        name: [
            data.learned(lambda b=bottom: build(data, b), TASKS, N_EPOCHS, seed) for seed in seeds
        ]
        for name, bottom in kinds.items()
    }
    return [
        effect("tasks", f"auc@{task}", "PLE, own embeddings", other, of_task(runs, task))
        for task in TASKS
        for other in ("shared bottom", "MMoE")
    ]


def of_task(
    runs: Mapping[str, Sequence[Mapping[str, Evaluation]]], task: str
) -> dict[str, list[Evaluation]]:
    """The evaluations of one task, by model."""
    return {name: [run[task] for run in of_model] for name, of_model in runs.items()}


def build(data: Impressions, bottom: Any) -> keras.Model:
    """Logits of both tasks on what `bottom` makes of the fields."""
    inputs = data.inputs(FIELDS)
    labels = data.test.train.interactions.labels
    clicked = labels["click"] == 1
    rates = {"click": clicked.mean(), "finish": labels["finish"][clicked].mean()}
    heads = {}
    for task, x in zip(TASKS, bottom(data, inputs), strict=True):
        start = keras.initializers.Constant(log_odds(rates[task]))
        heads[task] = layers.Dense(1, bias_initializer=start, name=task)(x)
    return keras.Model(inputs, heads)


def joined(data: Impressions, inputs: dict[str, Any], dim: int) -> Any:
    """(batch, 3 dim + 6): vectors of user and film, their product, and the context."""
    user, item = (data.embedded(field, inputs[field], dim, L2) for field in ("user", "item"))
    context = [data.embedded(field, inputs[field], SMALL, L2) for field in ("hour", "device")]
    return ops.concatenate([user, item, user * item, *context], axis=1)


def shared_bottom(data: Impressions, inputs: dict[str, Any]) -> list[Any]:
    """One layer for both tasks (Caruana 1997)."""
    hidden = layers.Dense(UNITS, activation="relu")(joined(data, inputs, DIM))
    return [hidden, hidden]


def experts(data: Impressions, inputs: dict[str, Any]) -> list[Any]:
    """Four experts, and a gate for each task (Ma et al. 2018)."""
    mixture = MixtureOfExperts(n_tasks=2, n_shared=4, hidden=(UNITS // 4,))
    return mixture(joined(data, inputs, DIM))


def own_embeddings(data: Impressions, inputs: dict[str, Any]) -> list[Any]:
    """Two shared experts, and one of each task (Tang et al. 2020), which reads vectors of its own
    beside the shared ones (Su et al. 2024) and sends no gradient into these."""
    common = joined(data, inputs, DIM // 2)
    shared = [layers.Dense(UNITS // 4, activation="relu")(common) for _ in range(2)]
    outputs = []
    for _ in TASKS:
        mine = joined(data, inputs, DIM // 4)
        both = ops.concatenate([ops.stop_gradient(common), mine], axis=1)
        own = layers.Dense(UNITS // 4, activation="relu")(both)
        gate = layers.Dense(3, activation="softmax")(ops.concatenate([common, mine], axis=1))
        said = ops.stack([*shared, own], axis=1)  # (batch, 3, units)
        outputs.append(ops.sum(ops.expand_dims(gate, -1) * said, axis=1))
    return outputs
