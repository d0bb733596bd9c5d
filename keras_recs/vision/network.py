"""SqueezeNet 1.1 (F. N. Iandola et al. 2016), trained on the 1.2 million photographs of ImageNet:
small enough for two cores.

A fire module squeezes its input into few channels and expands them again, by 1 × 1 and by 3 × 3
filters. Early modules see edges and textures, late ones parts of things.
"""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
from keras import layers

from keras_recs.data.assets import fetch
from keras_recs.vision.pickled import read_arrays

WEIGHTS = "squeezenet_weights.pkl"
SIDE = 128  # pixels that images are scaled to
#: Mean of ImageNet's blue, green and red, which the network was trained without.
MEAN_BGR = (104.006, 116.669, 122.679)
#: Modules and their channels: squeezed, and expanded by each of the two kinds of filters.
FIRES = {
    "fire2": (16, 64),
    "fire3": (16, 64),
    "fire4": (32, 128),
    "fire5": (32, 128),
    "fire6": (48, 192),
    "fire7": (48, 192),
    "fire8": (64, 256),
    "fire9": (64, 256),
}
#: Where features can be taken, from the first to the last.
STAGES = tuple(FIRES)
_POOLED_BEFORE = ("fire2", "fire4", "fire6")


def squeezenet(side: int = SIDE, weights: str | Path | None = None) -> keras.Model:
    """The convolutions of SqueezeNet 1.1: images (batch, side, side, 3), prepared by `prepared`, to
    a dict of one map for each of STAGES, (batch, height, width, channels) float32.

    Args:
        side: height and width of the images, 32 at least.
        weights: a pickle of arrays, name of the layer -> kernel and bias; random where None.

    Raises:
        ValueError: images too small, or weights of another network.
    """
    if side < 32:
        raise ValueError(f"side must be at least 32, got {side}")
    image = keras.Input((side, side, 3), name="image")
    x = layers.Conv2D(64, 3, strides=2, padding="same", activation="relu", name="conv1")(image)
    maps = {}
    for name, (squeezed, expanded) in FIRES.items():
        if name in _POOLED_BEFORE:
            x = layers.MaxPooling2D(3, strides=2)(x)
        x = _fire(x, name, squeezed, expanded)
        maps[name] = x
    model = keras.Model(image, maps, name="squeezenet")
    if weights is not None:
        _load(model, weights)
    return model


def image_features(
    images: np.ndarray,
    stages: tuple[str, ...] = ("fire5", "fire9"),
    *,
    model: keras.Model | None = None,
    batch_size: int = 64,
) -> np.ndarray:
    """What the frozen network sees in each image: the means of the channels of these stages,
    (n, channels) float32.

    Args:
        images: (n, height, width, 3) uint8, red, green and blue.
        stages: which maps are averaged, one beside the other.
        model: of `squeezenet`; by default that of ImageNet, fetched on first use.

    Raises:
        ValueError: images of another shape or type, or an unknown stage.
        keras_recs.data.assets.AssetError: the weights cannot be fetched; it says how to go on.
    """
    images = np.asarray(images)
    if images.ndim != 4 or images.shape[-1] != 3:
        raise ValueError(f"images must have shape (n, height, width, 3), got {images.shape}")
    if images.dtype != np.uint8:
        raise ValueError(f"images must be uint8, from 0 to 255, got {images.dtype}")
    unknown = sorted(set(stages) - set(STAGES))
    if unknown or not stages:
        raise ValueError(f"stages must be some of {', '.join(STAGES)}, got {stages!r}")
    if model is None:
        model = squeezenet(weights=fetch("squeezenet") / WEIGHTS)
    side = model.input_shape[1]
    out = []
    for start in range(0, len(images), batch_size):
        maps = model(prepared(images[start : start + batch_size], side), training=False)
        means = [keras.ops.mean(maps[stage], axis=(1, 2)) for stage in stages]
        out.append(np.concatenate([np.asarray(mean) for mean in means], axis=1))
    width = sum(2 * FIRES[stage][1] for stage in stages)
    return np.concatenate(out) if out else np.zeros((0, width), np.float32)


def prepared(images: np.ndarray, side: int = SIDE) -> np.ndarray:
    """Images (n, height, width, 3) uint8 as the network wants them: (n, side, side, 3) float32,
    scaled, blue first, without ImageNet's mean."""
    scaled = keras.ops.image.resize(images.astype(np.float32), (side, side), "bilinear")
    return np.asarray(scaled)[..., ::-1] - np.array(MEAN_BGR, np.float32)


def _fire(x: keras.KerasTensor, name: str, squeezed: int, expanded: int) -> keras.KerasTensor:
    def filters(count: int, size: int, part: str) -> layers.Layer:
        label = f"{name}_{part}{size}x{size}"
        return layers.Conv2D(count, size, padding="same", activation="relu", name=label)

    narrow = filters(squeezed, 1, "squeeze")(x)
    wide = [filters(expanded, size, "expand")(narrow) for size in (1, 3)]
    return layers.Concatenate(name=name)(wide)


def _load(model: keras.Model, path: str | Path) -> None:
    found = {name.replace("/", "_"): arrays for name, arrays in read_arrays(path).items()}
    for layer in model.layers:
        if not layer.weights:
            continue
        arrays = found.get(layer.name, [])
        shapes = [tuple(weight.shape) for weight in layer.weights]
        if [array.shape for array in arrays] != shapes:
            raise ValueError(
                f"{path} must have arrays of {shapes} for the layer {layer.name}, got "
                f"{[array.shape for array in arrays]}"
            )
        layer.set_weights(arrays)
