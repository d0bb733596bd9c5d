"""Where Keras answers train: the GPU when TensorFlow detects one, all of them when there are
several."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import tensorflow as tf


@dataclass(frozen=True)
class DeviceReport:
    """What was found, and what training will use."""

    tensorflow: str
    gpus: tuple[str, ...]
    cpus: tuple[str, ...]
    strategy: str
    precision: str
    built_with_gpu: bool

    def as_dict(self) -> dict[str, Any]:
        return {**self.__dict__, "gpus": list(self.gpus), "cpus": list(self.cpus)}


@cache
def configure_gpus() -> tuple[str, ...]:
    """Let GPU memory grow as needed instead of taking all of it; the names of the GPUs.

    TensorFlow only takes this setting before it first touches a GPU. When that has happened
    already, whoever did it chose the setting, and it stays.
    """
    gpus = tf.config.list_physical_devices("GPU")
    for gpu in gpus:
        try:
            tf.config.experimental.set_memory_growth(gpu, True)
        except RuntimeError:
            break
    return tuple(gpu.name for gpu in gpus)


def training_strategy() -> tf.distribute.Strategy:
    """The strategy to build and train under: the caller's, when one is in scope; `MirroredStrategy`
    when there is more than one GPU; else TensorFlow's default, which takes the GPU when there is
    one."""
    if tf.distribute.has_strategy():
        return tf.distribute.get_strategy()
    gpus = configure_gpus()
    if len(gpus) > 1:
        return tf.distribute.MirroredStrategy()
    return tf.distribute.get_strategy()


def device_report() -> DeviceReport:
    """What `keras-recs devices` shows."""
    import keras

    gpus = configure_gpus()
    strategy = training_strategy()
    if len(gpus) > 1 or tf.distribute.has_strategy():
        words = f"{type(strategy).__name__} over {strategy.num_replicas_in_sync} devices"
    else:
        words = "one GPU" if gpus else "CPU"
    return DeviceReport(
        tf.__version__,
        gpus,
        tuple(c.name for c in tf.config.list_physical_devices("CPU")),
        words,
        keras.config.dtype_policy().name,
        tf.test.is_built_with_gpu_support(),
    )
