"""Shapes and weaves tell a poster's genres, colours do not: a frozen network trained on photographs,
against colours, pixels, and the same network with random weights."""

from __future__ import annotations

from collections.abc import Sequence

import keras
import numpy as np
from effects.cold import PENALTIES, ColdFilms, effect
from effects.effect import Effect

from keras_recs.evaluation.results import mean_evaluation
from keras_recs.vision import image_features, squeezenet

STAGES_TRIED = ("fire3", "fire5", "fire7", "fire9")
COLOURS = 4  # bins of each channel
BLOCK = 4  # pixels, a side: what is averaged into one


def measure(seeds: Sequence[int] = (0, 1, 2)) -> list[Effect]:
    """Closed forms on four kinds of features; the seed is of the random weights."""
    films = ColdFilms.load()
    features = films.train.item_features
    assert features is not None and features.images is not None
    images = np.asarray(features.images)
    stage = max(STAGES_TRIED, key=lambda name: validated(films, image_features(images, (name,))))
    trained = films.evaluate(image_features(images, (stage,)))
    random = mean_evaluation([films.evaluate(by_chance(images, stage, seed)) for seed in seeds])
    rivals = {
        "histogram of colours": films.evaluate(histograms(images)),
        "pixels": films.evaluate(pixels(images)),
        "random weights": random,
    }
    return [
        effect("posters", f"SqueezeNet, {stage}", name, trained, rival)
        for name, rival in rivals.items()
    ]


def validated(films: ColdFilms, features: np.ndarray) -> float:
    """The best figure on validation, over the penalties."""
    return max(films.validation(features, penalty) for penalty in PENALTIES)


def by_chance(images: np.ndarray, stage: str, seed: int) -> np.ndarray:
    """(n, channels) of the same network before it saw a photograph."""
    keras.utils.set_random_seed(seed)
    return image_features(images, (stage,), model=squeezenet())


def histograms(images: np.ndarray) -> np.ndarray:
    """(n, 64) roots of how many pixels have each colour."""
    bins, ends = (COLOURS,) * 3, [(0, 256)] * 3
    counts = [np.histogramdd(image.reshape(-1, 3), bins, ends)[0].ravel() for image in images]
    return np.sqrt(counts)


def pixels(images: np.ndarray) -> np.ndarray:
    """(n, d) means of blocks of pixels, channel by channel."""
    n, height, width, _ = images.shape
    blocks = images.reshape(n, height // BLOCK, BLOCK, width // BLOCK, BLOCK, 3)
    return blocks.mean(axis=(2, 4)).reshape(n, -1)
