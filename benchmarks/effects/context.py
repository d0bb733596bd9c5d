"""The hour changes what is clicked: a factorisation machine and DeepFM with the context as fields,
against the same models blind to it."""

from __future__ import annotations

from collections.abc import Sequence

import keras
from effects.effect import Effect
from effects.impressions import Impressions, effect, log_odds
from keras import layers, ops

from keras_recs.neural.layers import FactorizationMachine

BLIND = ("user", "item", "genres")
CONTEXT = (*BLIND, "hour", "device")
DIM, L2, HIDDEN, DROPOUT = 8, 1e-3, 64, 0.3
N_EPOCHS = 8


def measure(seeds: Sequence[int] = (0, 1, 2)) -> list[Effect]:
    """What each machine gains from the context."""
    data = Impressions.load()
    models = {
        "FM": (BLIND, False),
        "FM with context": (CONTEXT, False),
        "DeepFM": (BLIND, True),
        "DeepFM with context": (CONTEXT, True),
    }
    runs = {
        name: [
            data.learned(lambda s=settings: build(data, *s), {"click": None}, N_EPOCHS, seed)[
                "click"
            ]
            for seed in seeds
        ]
        for name, settings in models.items()
    }
    return [
        effect("context", "gauc@click", f"{name} with context", name, runs)
        for name in ("FM", "DeepFM")
    ]


def build(data: Impressions, fields: Sequence[str], deep: bool) -> keras.Model:
    """A factorisation machine (Rendle 2010), and with `deep` a network beside it on the same
    vectors (DeepFM, Guo et al. 2017)."""
    inputs = data.inputs(fields)
    vectors = ops.stack([data.embedded(f, inputs[f], DIM, L2) for f in fields], axis=1)
    weights = ops.concatenate([data.embedded(f, inputs[f], 1, 0.0) for f in fields], axis=1)
    logit = FactorizationMachine()(vectors, weights)  # (batch, 1)
    rate = data.test.train.interactions.labels["click"].mean()
    if deep:
        hidden = layers.Dense(HIDDEN, activation="relu")(layers.Flatten()(vectors))
        logit = logit + layers.Dense(1, use_bias=False)(layers.Dropout(DROPOUT)(hidden))
    start = keras.initializers.Constant(log_odds(rate))
    bias = layers.Dense(1, kernel_initializer="ones", bias_initializer=start, name="click")
    return keras.Model(inputs, {"click": bias(logit)})
