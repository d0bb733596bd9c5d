"""Where Keras answers train. Logical CPU devices stand for GPUs, in processes of their own: devices are made once."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from keras_recs.neural import configure_gpus, device_report, training_strategy

HERE = Path(__file__).resolve().parent


def in_process(code: str) -> dict:
    """Run `code` in a fresh process; what it prints last is JSON."""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=HERE, timeout=240
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


TRAIN = """
import json, numpy as np, tensorflow as tf
from conftest import checkerboard
from keras_recs.answers.q08_deep_learning import NeuMF
data = checkerboard()
def train():
    model = NeuMF(gmf_dim=8, mlp_dim=8, hidden=(8,), dropout=0.0, n_epochs=12, batch_size=64,
                                    learning_rate=0.02, n_negatives=2)
    model.fit(data)
    hits = float((model.recommend(data.user_ids.ids, 1).items[:, 0] == data.item_ids.ids).mean())
    return model, hits
"""

TWO_CPUS = """
import tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
"""


def test_two_replicas_learn_what_one_does() -> None:
    """q08 under MirroredStrategy over two logical devices: the same scores, up to the order of sums."""
    result = in_process(
        TWO_CPUS
        + TRAIN
        + """
one, hits_one = train()
with tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]).scope() as scope:
    two, hits_two = train()
    replicas = tf.distribute.get_strategy().num_replicas_in_sync
a, b = one.score(data.user_ids.ids), two.score(data.user_ids.ids)
where = {v.device for v in two.model_.variables[0].value.values}
print(json.dumps({"replicas": replicas, "devices": len(where), "gap": float(abs(a - b).max()),
                  "spread": float(a.std()), "hits": [hits_one, hits_two],
                  "losses": [one.history_["loss"][-1], two.history_["loss"][-1]]}))
"""
    )
    assert result["replicas"] == 2 and result["devices"] == 2
    assert result["gap"] < 0.05 * result["spread"], result
    assert result["losses"][0] == pytest.approx(result["losses"][1], rel=0.02)
    assert min(result["hits"]) >= 0.9


def test_the_graph_is_on_every_replica() -> None:
    """q18 under MirroredStrategy: each replica propagates over the whole graph; the scores are those of one device."""
    result = in_process(
        TWO_CPUS
        + """
import json, numpy as np
from conftest import checkerboard
from keras_recs.answers.q18_gcn import LightGCN
data = checkerboard()
def train():
    return LightGCN(n_factors=8, n_layers=2, n_epochs=15, n_batches=2, n_negatives=2,
                                                learning_rate=0.02).fit(data)
one = train()
with tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]).scope():
    two = train()
a, b = one.score(data.user_ids.ids), two.score(data.user_ids.ids)
print(json.dumps({"devices": len({v.device for v in two.model_.variables[0].value.values}),
                  "gap": float(abs(a - b).max()), "spread": float(a.std()),
                  "hits": float((two.recommend(data.user_ids.ids, 1).items[:, 0] == data.item_ids.ids).mean())}))
"""
    )
    assert result["devices"] == 2
    assert result["gap"] < 0.05 * result["spread"], result
    assert result["hits"] >= 0.9


def test_mixed_precision_is_an_option() -> None:
    """Under Keras's mixed policy the answer trains, and its probabilities are float32 all the same."""
    result = in_process(
        TRAIN
        + """
import keras
keras.mixed_precision.set_global_policy("mixed_bfloat16")
from keras_recs.neural import device_report
model, hits = train()
print(json.dumps({"hits": hits, "output": model.model_.output.dtype, "precision": device_report().precision,
                  "compute": model.model_.get_layer("mlp_0").compute_dtype}))
"""
    )
    assert result["hits"] >= 0.9
    assert (
        result["output"] == "float32"
        and result["compute"] == "bfloat16"
        and result["precision"] == "mixed_bfloat16"
    )


def test_several_gpus_are_used_together(monkeypatch: pytest.MonkeyPatch) -> None:
    import tensorflow as tf

    from keras_recs.neural import devices

    made = []
    monkeypatch.setattr(devices, "configure_gpus", lambda: ("GPU:0", "GPU:1"))
    monkeypatch.setattr(tf.distribute, "MirroredStrategy", lambda: made.append(1) or "mirrored")
    assert training_strategy() == "mirrored" and made == [1]


def test_memory_growth_is_switched_on_for_every_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    import tensorflow as tf

    class Gpu:
        def __init__(self, name: str) -> None:
            self.name = name

    grown = []
    monkeypatch.setattr(
        tf.config,
        "list_physical_devices",
        lambda kind: [Gpu("a"), Gpu("b")] if kind == "GPU" else [],
    )
    monkeypatch.setattr(
        tf.config.experimental, "set_memory_growth", lambda gpu, on: grown.append((gpu.name, on))
    )
    assert configure_gpus.__wrapped__() == ("a", "b")
    assert grown == [("a", True), ("b", True)]

    def too_late(gpu: Gpu, on: bool) -> None:
        raise RuntimeError("Physical devices cannot be modified after being initialized")

    monkeypatch.setattr(tf.config.experimental, "set_memory_growth", too_late)
    assert configure_gpus.__wrapped__() == ("a", "b"), "whoever touched the GPU first has chosen"


def test_the_callers_strategy_is_kept() -> None:
    import tensorflow as tf

    strategy = tf.distribute.OneDeviceStrategy("CPU:0")
    with strategy.scope():
        assert training_strategy() is strategy
        assert "OneDeviceStrategy over 1 devices" in device_report().strategy


@pytest.mark.gpu
def test_a_real_gpu_is_found_and_used() -> None:
    import tensorflow as tf

    if not tf.config.list_physical_devices("GPU"):
        pytest.skip("TensorFlow sees no GPU")
    result = in_process(
        TRAIN
        + """
model, hits = train()
print(json.dumps({"hits": hits, "device": model.model_.variables[0].value.device}))
"""
    )
    assert result["hits"] >= 0.9 and "GPU" in result["device"]


def test_tensorflow_starts_quietly_and_other_messages_pass() -> None:
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "import keras_recs.neural, tensorflow as tf; tf.config.list_physical_devices('GPU')",
        ],
        capture_output=True,
        text=True,
        cwd=HERE,
        timeout=120,
    )
    assert done.returncode == 0 and done.stderr == ""
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "import os; from keras_recs.neural.quiet import without_notes\n"
            "with without_notes(): os.write(2, b'I0000 cudart_stub.cc:31] no GPU\\nreal trouble\\n')",
        ],
        capture_output=True,
        text=True,
        cwd=HERE,
        timeout=120,
    )
    assert done.stderr == "real trouble\n"
