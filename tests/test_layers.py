"""Shared layers against their definitions, written out in loops over single vectors.

Batch, length, and the number of interests, of tasks and of experts are alike, so that a mask or a
softmax over the wrong axis computes something, and is found by what it computes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_recs.neural import (
    AttentionBlock,
    BiInteraction,
    CapsuleInterests,
    FactorizationMachine,
    MixtureOfExperts,
    SelfAttentiveInterests,
    TargetAttention,
)
from keras_recs.neural.layers import masked_softmax
from keras_recs.neural.layers.interests import squash

N, DIM = 4, 6  # batch, length and all the rest; width of a vector
X = np.random.default_rng(0).normal(size=(N, N, DIM)).astype(np.float32)
TARGET = np.random.default_rng(1).normal(size=(N, DIM)).astype(np.float32)
MASK = np.array([[0, 0, 1, 1], [1, 1, 1, 1], [0, 0, 0, 0], [0, 1, 0, 1]], bool)

#: name -> (how the layer is made, how it is called on x and a mask)
CASES: dict[str, tuple[Callable[..., keras.layers.Layer], Callable[..., Any]]] = {
    "block": (
        lambda **kw: AttentionBlock(2, hidden=5, **kw),
        lambda layer, x, mask: layer(x, mask=mask),
    ),
    "causal": (
        lambda **kw: AttentionBlock(3, causal=True, activation="gelu", **kw),
        lambda layer, x, mask: layer(x, mask=mask),
    ),
    "target": (
        lambda **kw: TargetAttention((5, 3), **kw),
        lambda layer, x, mask: layer(TARGET, x, history_mask=mask),
    ),
    "target_dot": (
        lambda **kw: TargetAttention((), **kw),
        lambda layer, x, mask: layer(TARGET, x, history_mask=mask),
    ),
    "target_as_din": (
        lambda **kw: TargetAttention((5,), "tanh", normalize=False, **kw),
        lambda layer, x, mask: layer(TARGET, x, history_mask=mask),
    ),
    "bi_interaction": (
        lambda **kw: BiInteraction(**kw),
        lambda layer, x, mask: layer(x, mask=mask),
    ),
    "machine": (
        lambda **kw: FactorizationMachine(**kw),
        lambda layer, x, mask: layer(x, x[..., 0], vectors_mask=mask),
    ),
    "self_attentive": (
        lambda **kw: SelfAttentiveInterests(N, hidden=5, **kw),
        lambda layer, x, mask: layer(x, mask=mask),
    ),
    "capsules": (
        lambda **kw: CapsuleInterests(N, **kw),
        lambda layer, x, mask: layer(x, mask=mask),
    ),
}
each_case = pytest.mark.parametrize("name", CASES)


def scrambled(layer: keras.layers.Layer, seed: int = 7) -> keras.layers.Layer:
    """Every weight random: a bias or a scale that is used wrongly shows."""
    rng = np.random.default_rng(seed)
    layer.set_weights([rng.normal(size=w.shape) * 0.7 for w in layer.get_weights()])
    return layer


def built(name: str, **kwargs: Any) -> keras.layers.Layer:
    make, call = CASES[name]
    layer = make(**kwargs)
    call(layer, tf.constant(X), None)
    return scrambled(layer)


def run(name: str, layer: keras.layers.Layer, x: np.ndarray, mask: Any = MASK) -> np.ndarray:
    return CASES[name][1](layer, tf.constant(x), mask).numpy()


def weights_by_name(layer: keras.layers.Layer) -> dict[str, np.ndarray]:
    """`attention/query/kernel` -> its array in double precision."""
    return {w.path.removeprefix(f"{layer.name}/"): np.asarray(w, np.float64) for w in layer.weights}


def softmax(x: np.ndarray) -> np.ndarray:
    return np.exp(x) / np.exp(x).sum()


# --- what holds for all of them ---


@each_case
@pytest.mark.parametrize("junk", [3.0, np.inf, np.nan])
def test_what_stands_at_padding_never_matters(name: str, junk: float) -> None:
    layer = built(name)
    outputs, gradients = [], []
    for x in (X, np.where(MASK[..., None], X, np.float32(junk))):
        x = tf.constant(x)
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = CASES[name][1](layer, x, MASK)
            loss = tf.reduce_sum(tf.sin(3 * y))
        outputs.append(y.numpy())
        gradients.append(tape.gradient(loss, [x, *layer.trainable_variables]))
    assert (outputs[0] == outputs[1]).all() and np.isfinite(outputs[0]).all()
    for a, b in zip(*gradients, strict=True):
        assert np.isfinite(a).all() and (np.asarray(a) == np.asarray(b)).all()
    to_x = gradients[0][0].numpy()
    assert (to_x[~MASK] == 0).all() and np.abs(to_x[MASK]).max(axis=-1).min() > 0


@each_case
def test_nothing_but_padding_gives_zeros(name: str) -> None:
    layer = built(name)
    nothing = run(name, layer, X)[2]
    expected = layer.bias.numpy() if name == "machine" else 0  # a bias is nobody's padding
    assert (nothing == expected).all()
    others = np.delete(run(name, layer, X), 2, axis=0)
    assert np.abs(others).reshape(N - 1, -1).max(axis=1).min() > 0.05


@each_case
def test_more_padding_to_the_left_changes_nothing(name: str) -> None:
    layer = built(name)
    longer = np.pad(X, ((0, 0), (3, 0), (0, 0)), constant_values=9.0)
    mask = np.pad(MASK, ((0, 0), (3, 0)))
    expected, y = run(name, layer, X), run(name, layer, longer, mask)
    y = y[:, 3:] if name in ("block", "causal") else y
    assert y == pytest.approx(expected, rel=1e-5, abs=1e-6)


@each_case
def test_examples_do_not_see_each_other(name: str) -> None:
    layer = built(name)
    rows = [[i] for i in range(N)]
    if name.startswith("target"):  # the target goes with its history
        alone = [layer(TARGET[i], X[i], MASK[i]).numpy() for i in rows]
    else:
        alone = [run(name, layer, X[i], MASK[i]) for i in rows]
    alone = np.concatenate(alone)
    assert run(name, layer, X) == pytest.approx(alone, rel=1e-5, abs=1e-6)


@each_case
def test_every_weight_that_can_learn_does(name: str) -> None:
    layer = built(name)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(tf.sin(3 * CASES[name][1](layer, tf.constant(X), MASK)))
    for weight, gradient in zip(
        layer.trainable_variables, tape.gradient(loss, layer.trainable_variables), strict=True
    ):
        # A softmax does not see what is added to all its scores.
        unseen = weight.path.endswith("attention/key/bias") or (
            name == "target" and weight.path.endswith("unit_2/bias")
        )
        size = np.abs(gradient).max()
        assert size < 1e-4 if unseen else size > 1e-3, weight.path


@each_case
def test_half_precision_gives_nearly_the_same(name: str) -> None:
    precise, half = built(name), built(name, dtype="mixed_float16")
    y = run(name, half, X)
    assert y.dtype == np.float16 and all(w.dtype == "float32" for w in half.weights)
    assert y.astype(np.float32) == pytest.approx(run(name, precise, X), rel=0.02, abs=0.02)
    assert np.isfinite(run(name, half, 30 * X)).all()


@each_case
def test_xla_gives_the_same(name: str) -> None:
    layer = built(name)
    compiled = tf.function(lambda x: CASES[name][1](layer, x, MASK), jit_compile=True)
    assert compiled(tf.constant(X)).numpy() == pytest.approx(
        run(name, layer, X), rel=1e-4, abs=1e-5
    )


def model_of(name: str) -> keras.Model:
    """Ids in, 0 as padding; the layer; nobody hands a mask over."""
    ids = keras.Input((N,), dtype="int32", name="ids")  # (batch, length)
    x = keras.layers.Embedding(9, DIM, mask_zero=True, name="items")(ids)
    layer = CASES[name][0](name="it")
    if name.startswith("target"):
        target = keras.Input((DIM,), name="target")
        return keras.Model({"ids": ids, "target": target}, layer(target, x))
    if name == "machine":
        weights = keras.layers.Embedding(9, 1, name="weights")(ids)
        return keras.Model({"ids": ids}, layer(x, weights))
    return keras.Model({"ids": ids}, layer(x))


@each_case
def test_in_a_model_it_takes_the_mask_of_the_embedding_and_is_saved(name: str, tmp_path) -> None:
    model = scrambled(model_of(name))
    ids = np.array([[0, 0, 3, 5], [1, 2, 8, 4], [0, 0, 0, 0], [0, 7, 0, 6]])
    inputs = {"ids": ids} | ({"target": TARGET} if name.startswith("target") else {})
    y = model.predict(inputs, verbose=0)
    x = model.get_layer("items").get_weights()[0][ids]
    layer = model.get_layer("it")
    if name == "machine":
        w = model.get_layer("weights").get_weights()[0][ids]
        expected = layer(x, w, vectors_mask=ids > 0).numpy()
    else:
        expected = run(name, layer, x, ids > 0)
    assert model.output.shape[1:] == y.shape[1:]
    assert y == pytest.approx(expected, rel=1e-5, abs=1e-6)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert (loaded.predict(inputs, verbose=0) == y).all()
    assert loaded.get_layer("it").get_config() == layer.get_config()


@each_case
def test_shapes_that_do_not_fit_are_named(name: str) -> None:
    make, call = CASES[name]
    with pytest.raises(ValueError, match=r"\(batch, length, dim\), got \(4, 6\)"):
        call(make(), X[:, 0], None)
    for mask in (MASK[:1], MASK[0], MASK[..., None]):
        with pytest.raises(ValueError, match=r"the mask must have shape \(batch, length\), \(4, 4"):
            call(make(), X, mask)


def test_a_masked_softmax_is_one_over_what_is_left() -> None:
    scores = np.random.default_rng(2).normal(size=(N, N)).astype(np.float32)
    for axis in (0, 1):
        weights = masked_softmax(scores, MASK, axis=axis).numpy()
        for i in range(N):
            row, real = np.take(weights, i, 1 - axis), np.take(MASK, i, 1 - axis)
            expected = np.zeros(N)
            expected[real] = softmax(np.take(scores, i, 1 - axis)[real])
            assert row == pytest.approx(expected, rel=1e-5) and (row[~real] == 0).all()
    half = masked_softmax(scores.astype(np.float16) * 1000, MASK)
    assert half.dtype == "float16" and np.isfinite(half).all()


# --- attention block ---


def normed(x: np.ndarray, w: dict, name: str) -> np.ndarray:
    centred = (x - x.mean()) / np.sqrt(x.var() + 1e-3)
    return centred * w[f"{name}/gamma"] + w[f"{name}/beta"]


def gelu(x: np.ndarray) -> np.ndarray:
    return np.asarray(keras.activations.gelu(x))


def block_by_definition(
    w: dict, x: np.ndarray, mask: np.ndarray, n_heads: int, causal: bool, activation: Callable
) -> np.ndarray:
    """One sequence (length, dim), a place and a head at a time."""
    y = [normed(row, w, "attention_norm") for row in x]
    out = np.zeros_like(x)
    for t in np.flatnonzero(mask):
        keys = [s for s in np.flatnonzero(mask) if s <= t or not causal]
        attended = w["attention/attention_output/bias"].copy()
        for h in range(n_heads):
            project = {
                part: lambda row, part=part, h=h: (
                    row @ w[f"attention/{part}/kernel"][:, h] + w[f"attention/{part}/bias"][h]
                )
                for part in ("query", "key", "value")
            }
            query = project["query"](y[t])
            scores = np.array([query @ project["key"](y[s]) for s in keys]) / np.sqrt(len(query))
            shares = softmax(scores)
            value = sum(a * project["value"](y[s]) for a, s in zip(shares, keys, strict=True))
            attended += value @ w["attention/attention_output/kernel"][h]
        z = x[t] + attended
        fed = activation(normed(z, w, "feed_norm") @ w["feed_in/kernel"] + w["feed_in/bias"])
        out[t] = z + fed @ w["feed_out/kernel"] + w["feed_out/bias"]
    return out


@pytest.mark.parametrize(
    ("name", "n_heads", "causal", "activation"),
    [("block", 2, False, lambda x: np.maximum(x, 0)), ("causal", 3, True, gelu)],
)
def test_the_block_is_its_definition(name, n_heads, causal, activation) -> None:
    layer = built(name)
    w = weights_by_name(layer)
    for mask in (MASK, np.ones_like(MASK)):
        expected = [
            block_by_definition(w, x.astype(float), real, n_heads, causal, activation)
            for x, real in zip(X, mask, strict=True)
        ]
        assert run(name, layer, X, mask) == pytest.approx(np.array(expected), rel=1e-4, abs=1e-4)
    assert run(name, layer, X, None) == pytest.approx(run(name, layer, X, mask), rel=1e-5)


def test_a_causal_block_sees_itself_and_the_past_and_nothing_later() -> None:
    causal, both_ways = built("causal"), built("block")
    for t in range(N):
        other = X.copy()
        other[:, t] *= -1  # a constant added would be normalised away
        moved = (run("causal", causal, other, None) != run("causal", causal, X, None)).any((0, 2))
        assert moved.tolist() == [s >= t for s in range(N)]
        assert (run("block", both_ways, other, None) != run("block", both_ways, X, None)).all()


def test_the_block_s_attention_is_keras_s_with_copied_weights() -> None:
    block = AttentionBlock(2)
    block(X)
    scrambled(block)
    for layer in (block.feed_out, block.feed_in):  # the rest adds nothing
        layer.set_weights([np.zeros_like(w) for w in layer.get_weights()])
    norm, attention = (
        keras.layers.LayerNormalization(),
        keras.layers.MultiHeadAttention(2, DIM // 2),
    )
    y = norm(X)
    attention(y, y)
    norm.set_weights(block.attention_norm.get_weights())
    attention.set_weights(block.attention.get_weights())
    y = norm(X)
    expected = X + attention(y, y, attention_mask=MASK[:, None, :]).numpy()
    real = MASK[..., None] * np.ones(DIM)
    assert block(X, mask=MASK).numpy() == pytest.approx(expected * real, rel=1e-5, abs=1e-5)


def test_dropout_works_in_training_only_and_heads_must_divide_the_width() -> None:
    block = AttentionBlock(2, dropout=0.5)
    assert (block(X).numpy() == block(X).numpy()).all()
    assert (block(X, training=True).numpy() != block(X, training=True).numpy()).any()
    with pytest.raises(ValueError, match=r"n_heads must divide dim, got n_heads 4.*\(4, 4, 6\)"):
        AttentionBlock(4)(X)


# --- target attention ---


def target_scores(
    w: dict, name: str, target: np.ndarray, history: np.ndarray, n_layers: int
) -> np.ndarray:
    if name == "target_dot":
        return np.array([h @ target / np.sqrt(DIM) for h in history])
    scores = []
    for h in history:
        x = np.concatenate([h, target, h - target, h * target])
        for depth in range(n_layers):
            x = x @ w[f"unit_{depth}/kernel"] + w[f"unit_{depth}/bias"]
            if depth < n_layers - 1:
                x = np.tanh(x) if name == "target_as_din" else np.maximum(x, 0)
        scores.append(x[0])
    return np.array(scores)


@pytest.mark.parametrize(
    ("name", "n_layers"), [("target", 3), ("target_dot", 0), ("target_as_din", 2)]
)
def test_target_attention_is_its_definition(name: str, n_layers: int) -> None:
    layer = built(name)
    w = weights_by_name(layer)
    seen, weights = layer(TARGET, X, MASK, return_attention_scores=True)
    for i in range(N):
        expected = np.zeros(N)
        if MASK[i].any():
            scores = target_scores(w, name, TARGET[i].astype(float), X[i], n_layers)[MASK[i]]
            expected[MASK[i]] = scores if name == "target_as_din" else softmax(scores)
        assert weights.numpy()[i] == pytest.approx(expected, rel=1e-4, abs=1e-6)
        assert (weights.numpy()[i][~MASK[i]] == 0).all()
        assert seen.numpy()[i] == pytest.approx(expected @ X[i], rel=1e-4, abs=1e-5)


@pytest.mark.parametrize("name", ["target", "target_dot", "target_as_din"])
def test_many_targets_over_one_history_are_targets_one_by_one(name: str) -> None:
    layer = built(name)
    targets = np.random.default_rng(3).normal(size=(N, 5, DIM)).astype(np.float32)
    seen, weights = layer(targets, X, MASK, return_attention_scores=True)
    for m in range(5):
        one, its = layer(targets[:, m], X, MASK, return_attention_scores=True)
        assert seen.numpy()[:, m] == pytest.approx(one.numpy(), rel=1e-5, abs=1e-6)
        assert weights.numpy()[:, m] == pytest.approx(its.numpy(), rel=1e-5, abs=1e-6)


def test_target_attention_has_no_order_and_names_a_target_that_does_not_fit() -> None:
    layer = built("target")
    order = [2, 0, 3, 1]
    shuffled = layer(TARGET, X[:, order], MASK[:, order]).numpy()
    assert shuffled == pytest.approx(layer(TARGET, X, MASK).numpy(), rel=1e-5, abs=1e-6)
    with pytest.raises(ValueError, match=r"got \(4, 5\) beside \(4, 4, 6\)"):
        TargetAttention()(TARGET[:, :5], X)


# --- factorisation machine ---


def test_the_fast_identity_is_the_sum_over_pairs() -> None:
    pooled, machine = built("bi_interaction"), built("machine")
    w = np.random.default_rng(4).normal(size=(N, N)).astype(np.float32)
    logits = machine(X, w, vectors_mask=MASK).numpy()
    assert logits.shape == (N, 1) and float(machine.bias[0]) != 0
    assert machine(X, w[..., None], vectors_mask=MASK).numpy() == pytest.approx(logits)
    for n in range(N):
        fields = np.flatnonzero(MASK[n])
        products = np.zeros(DIM)
        for i in fields:
            for j in fields:
                if i < j:
                    products += X[n, i].astype(float) * X[n, j]
        assert run("bi_interaction", pooled, X)[n] == pytest.approx(products, rel=1e-4, abs=1e-5)
        expected = float(machine.bias[0]) + w[n, fields].sum() + products.sum()
        assert logits[n, 0] == pytest.approx(expected, rel=1e-4)


def test_large_vectors_of_half_precision_do_not_lose_their_product() -> None:
    v = np.array([[[200, 0.5], [0.25, 300]]] * 2, np.float16)  # squares over 65504 are no half
    layer = BiInteraction(dtype="mixed_float16")
    assert layer(v * np.float16(2)).numpy().tolist() == [[200, 600]] * 2


def test_weights_of_another_shape_than_the_fields_are_an_error() -> None:
    with pytest.raises(ValueError, match=r"got \(4, 3\) beside \(4, 4, 6\)"):
        FactorizationMachine()(X, X[:, :3, 0])


# --- experts ---


def experts_by_definition(
    w: dict, x: np.ndarray, task: int, n_shared: int, n_own: int
) -> tuple[np.ndarray, np.ndarray]:
    """Of one example: what the task gets, and its gate."""
    names = [f"shared_{k}" for k in range(n_shared)] + [f"own_{task}_{k}" for k in range(n_own)]
    gate = softmax(x @ w[f"gate_{task}/kernel"] + w[f"gate_{task}/bias"])
    total = np.zeros(3)
    for share, name in zip(gate, names, strict=True):
        y = x
        for depth in range(2):
            y = np.maximum(y @ w[f"{name}_{depth}/kernel"] + w[f"{name}_{depth}/bias"], 0)
        total += share * y
    return total, gate


@pytest.mark.parametrize(("n_shared", "n_own"), [(N, 0), (2, 2), (0, N)])
def test_experts_are_weighed_by_the_gate_of_each_task(n_shared: int, n_own: int) -> None:
    layer = MixtureOfExperts(N, n_shared, n_own, hidden=(5, 3))
    layer(TARGET)
    w = weights_by_name(scrambled(layer))
    outputs, gates = layer(TARGET, return_gates=True)
    assert len(outputs) == N and gates.shape == (N, N, N)
    for task in range(N):
        for i in range(N):
            expected, gate = experts_by_definition(
                w, TARGET[i].astype(float), task, n_shared, n_own
            )
            assert outputs[task].numpy()[i] == pytest.approx(expected, rel=1e-4, abs=1e-5)
            assert gates.numpy()[i, task] == pytest.approx(gate, rel=1e-4, abs=1e-6)
    assert np.abs(gates.numpy()[:, 0] - gates.numpy()[:, 1]).max() > 0.1


def test_one_task_s_loss_moves_its_own_gate_and_experts_and_the_shared() -> None:
    layer = MixtureOfExperts(2, 2, 1, hidden=(5,), activation="tanh")
    layer(TARGET)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(tf.square(layer(TARGET)[1]))
    gradients = tape.gradient(loss, layer.trainable_variables)
    for weight, gradient in zip(layer.trainable_variables, gradients, strict=True):
        others = "own_0" in weight.path or "gate_0" in weight.path
        assert (gradient is None) if others else np.abs(gradient).max() > 1e-5, weight.path


def test_experts_are_saved_and_compute_under_xla_and_in_half_precision(tmp_path) -> None:
    x = keras.Input((DIM,), name="x")
    layer = MixtureOfExperts(2, 2, 1, hidden=(5, 3), activation="gelu", name="it")
    click, finish = layer(x)
    model = scrambled(keras.Model({"x": x}, {"click": click, "finish": finish}))
    y = model.predict({"x": TARGET}, verbose=0)
    assert model.output["click"].shape == (None, 3)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    again = loaded.predict({"x": TARGET}, verbose=0)
    assert (again["click"] == y["click"]).all() and (again["finish"] == y["finish"]).all()
    assert loaded.get_layer("it").get_config() == layer.get_config()

    compiled = tf.function(lambda x: layer(x), jit_compile=True)(TARGET)
    assert compiled[1].numpy() == pytest.approx(y["finish"], rel=1e-4, abs=1e-5)
    half = MixtureOfExperts(2, 2, 1, (5, 3), "gelu", dtype="mixed_float16")
    half(TARGET)
    half.set_weights(layer.get_weights())
    assert half(TARGET)[0].dtype == "float16"
    assert half(TARGET)[0].numpy() == pytest.approx(y["click"], rel=0.02, abs=0.02)


def test_experts_say_what_is_wrong() -> None:
    with pytest.raises(ValueError, match="n_tasks 2, n_shared 0, n_own 0"):
        MixtureOfExperts(2, 0)
    with pytest.raises(ValueError, match=r"\(batch, dim\), got \(4, 4, 6\)"):
        MixtureOfExperts(2)(X)


# --- interests ---


def test_self_attentive_interests_are_their_definition() -> None:
    layer = built("self_attentive")
    w = weights_by_name(layer)
    interests, weights = layer(X, mask=MASK, return_attention_scores=True)
    for i in range(N):
        for k in range(N):
            expected = np.zeros(N)
            if MASK[i].any():
                scores = np.array([np.tanh(h @ w["w1"]) @ w["w2"][:, k] for h in X[i][MASK[i]]])
                expected[MASK[i]] = softmax(scores)
            assert weights.numpy()[i, k] == pytest.approx(expected, rel=1e-4, abs=1e-6)
            assert (weights.numpy()[i, k][~MASK[i]] == 0).all()
            assert interests.numpy()[i, k] == pytest.approx(expected @ X[i], rel=1e-4, abs=1e-5)


def routed_by_definition(
    w: dict, history: np.ndarray, n_iterations: int
) -> tuple[np.ndarray, np.ndarray]:
    """Of one history without padding: the capsules, and how the items are shared out."""
    items = [e @ w["bilinear"] for e in history]
    b = [[e @ r / np.linalg.norm(e) for r in w["start"].T] for e in history]
    for round_ in range(n_iterations):
        shares = [softmax(np.array(of_item)) for of_item in b]
        capsules = []
        for k in range(N):
            z = sum(share[k] * item for share, item in zip(shares, items, strict=True))
            n = np.linalg.norm(z)
            capsules.append(n**2 / (1 + n**2) * z / n)
        if round_ < n_iterations - 1:
            for i, item in enumerate(items):
                for k in range(N):
                    b[i][k] += capsules[k] @ item
    return np.array(capsules), np.array(shares).T


@pytest.mark.parametrize("n_iterations", [1, 2, 4])
def test_capsules_are_routed_by_their_definition(n_iterations: int) -> None:
    layer = CapsuleInterests(N, n_iterations)
    layer(X)
    w = weights_by_name(scrambled(layer))
    interests, routing = layer(X, mask=MASK, return_routing=True)
    for i in np.flatnonzero(MASK.any(axis=1)):
        capsules, shares = routed_by_definition(w, X[i][MASK[i]].astype(float), n_iterations)
        assert interests.numpy()[i] == pytest.approx(capsules, rel=1e-3, abs=1e-4)
        assert routing.numpy()[i][:, MASK[i]] == pytest.approx(shares, rel=1e-3, abs=1e-4)
        assert (routing.numpy()[i][:, ~MASK[i]] == 0).all()
    lengths = np.linalg.norm(interests.numpy(), axis=-1)
    assert lengths.max() < 1 and np.ptp(lengths[1]) > 0.01


def test_no_gradient_passes_through_the_routing() -> None:
    layer = built("capsules")
    x = tf.constant(X)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        interests, routing = layer(x, return_routing=True)
    assert tape.gradient(routing, x) is None
    assert np.abs(tape.gradient(interests, x)).min(axis=-1).max() > 0
    assert [w.path.split("/")[-1] for w in layer.trainable_variables] == ["bilinear"]


def test_capsules_of_nothing_have_a_gradient_and_long_ones_of_half_precision_stay_finite() -> None:
    @tf.function(jit_compile=True)  # XLA's root of 0 has an infinite gradient
    def value_and_gradient(z):
        with tf.GradientTape() as tape:
            tape.watch(z)
            y = squash(z)
        return y, tape.gradient(y, z)

    y, gradient = value_and_gradient(tf.zeros((2, DIM)))
    assert (y.numpy() == 0).all() and np.isfinite(gradient).all()
    half = built("capsules", dtype="mixed_float16")
    lengths = np.linalg.norm(run("capsules", half, 500 * X).astype(float), axis=-1)
    assert lengths[[0, 1, 3]].max() == pytest.approx(1, abs=0.01) and np.isfinite(lengths).all()


def test_capsules_part_two_kinds_of_items_whatever_their_order() -> None:
    rng = np.random.default_rng(5)
    kinds = np.array([0, 1, 0, 1, 1, 0])
    history = np.eye(DIM)[kinds] * 4 + rng.normal(size=(2, 6, DIM)) * 0.1
    layer = CapsuleInterests(2, 4, seed=1)
    layer(history)
    layer.bilinear.assign(np.eye(DIM))
    interests, routing = layer(history, return_routing=True)
    strongest = routing.numpy().argmax(axis=1)  # (2, 6), the capsule of each item
    for row in strongest:
        assert (row == row[0]).tolist() == (kinds == kinds[0]).tolist()
    backwards = layer(history[:, ::-1]).numpy()
    assert backwards == pytest.approx(interests.numpy(), abs=1e-5)


def test_the_start_of_the_routing_comes_from_the_seed() -> None:
    starts = []
    for seed in (0, 0, 1):
        layer = CapsuleInterests(N, seed=seed)
        layer(X)
        starts.append(np.asarray(layer.start))
    assert (starts[0] == starts[1]).all() and (starts[0] != starts[2]).all()
    assert 0.5 < starts[0].std() < 1.5
    with pytest.raises(ValueError, match="n_iterations must be at least 1, got 0"):
        CapsuleInterests(2, 0)
