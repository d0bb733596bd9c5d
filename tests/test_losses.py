"""Ranking losses against their definitions, written out in loops, and against the answers'."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_recs.answers import q18_gcn
from keras_recs.answers.q11_implicit_mf import bpr as q11_bpr
from keras_recs.neural import InfoNCE, bpr_loss, info_nce_loss, sampled_softmax_loss

# The positive is not always first; the last rows have fewer candidates, one negative, none.
LABELS = np.array(
    [
        [1, 0, 0, 0],
        [0, 0, 1, 0],
        [0, 1, 0, -1],
        [-1, 1, -1, 0],
        [1, -1, -1, -1],
        [-1, -1, -1, -1],
    ],
    np.float32,
)
SCORES = np.random.default_rng(0).normal(size=LABELS.shape).astype(np.float32) * 2
LOG_Q = np.log(np.random.default_rng(1).dirichlet(np.ones(4), size=len(LABELS)))
ROWS = [bpr_loss, sampled_softmax_loss]


def bpr_by_definition(labels: np.ndarray, scores: np.ndarray) -> list[float]:
    losses = []
    for row, values in zip(labels, scores.astype(float), strict=True):
        pairs = [
            -np.log(1 / (1 + np.exp(-(values[i] - values[j]))))
            for i in np.flatnonzero(row == 1)
            for j in np.flatnonzero(row == 0)
        ]
        losses.append(np.mean(pairs) if pairs else 0.0)
    return losses


def softmax_by_definition(
    labels: np.ndarray, scores: np.ndarray, log_q: np.ndarray | None = None
) -> list[float]:
    losses = []
    for n, (row, values) in enumerate(zip(labels, scores.astype(float), strict=True)):
        shares = {
            j: np.exp(values[j]) / (1 if log_q is None else np.exp(log_q[n, j]))
            for j in np.flatnonzero(row >= 0)
        }
        losses += [-np.log(shares[i] / sum(shares.values())) for i in np.flatnonzero(row == 1)]
        losses += [0.0] * (not (row == 1).any())
    return losses


def value_and_gradient(loss, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    x = tf.constant(scores)
    with tf.GradientTape() as tape:
        tape.watch(x)
        value = loss(x)
    return value.numpy(), tape.gradient(value, x).numpy()


def test_bpr_is_its_definition() -> None:
    losses = bpr_loss(LABELS, SCORES).numpy()
    assert losses == pytest.approx(bpr_by_definition(LABELS, SCORES), rel=1e-5)
    assert losses[:4].min() > 0.01 and losses[4:].tolist() == [0, 0]


def test_sampled_softmax_is_its_definition() -> None:
    losses = sampled_softmax_loss(LABELS, SCORES).numpy()
    assert losses == pytest.approx(softmax_by_definition(LABELS, SCORES), rel=1e-5, abs=1e-7)
    assert losses[:4].min() > 0.01 and losses[4:].tolist() == [0, 0]
    corrected = sampled_softmax_loss(LABELS, SCORES, LOG_Q).numpy()
    expected = softmax_by_definition(LABELS, SCORES, LOG_Q)
    assert corrected == pytest.approx(expected, rel=1e-5, abs=1e-6)


def test_with_log_q_items_drawn_many_times_weigh_what_they_weigh_in_the_whole_softmax() -> None:
    scores = np.array([0.3, -1.0, 2.0], np.float32)  # of three items, the first the positive
    times = np.array([1, 5, 2])  # how often each is among the candidates
    drawn = np.repeat(np.arange(3), times)
    labels = (np.arange(8) == 0).astype(np.float32)
    whole = np.log(np.exp(scores).sum()) - scores[0]
    loss = sampled_softmax_loss(labels[None], scores[drawn][None], np.log(times)[drawn])
    assert loss.numpy() == pytest.approx([whole], rel=1e-6)
    bare = sampled_softmax_loss(labels[None], scores[drawn][None]).numpy()
    assert abs(bare[0] - whole) > 0.3


def test_sequences_of_rows_are_rows() -> None:
    for loss in ROWS:
        flat = loss(LABELS, SCORES).numpy()
        assert (
            loss(LABELS.reshape(2, 3, 4), SCORES.reshape(2, 3, 4)).numpy().ravel() == flat
        ).all()


@pytest.mark.parametrize(
    ("shared", "taught"),
    [
        (bpr_loss, q11_bpr.bpr_loss),
        (bpr_loss, q18_gcn.bpr),
        (sampled_softmax_loss, q18_gcn.sampled_softmax),
    ],
)
def test_the_losses_that_answers_write_out_are_these(shared, taught) -> None:
    rng = np.random.default_rng(5)
    scores = rng.normal(size=(50, 9)).astype(np.float32) * 3
    labels = np.eye(9, dtype=np.float32)[rng.integers(0, 9, 50)]
    ours, our_gradient = value_and_gradient(lambda x: shared(labels, x), scores)
    theirs, their_gradient = value_and_gradient(lambda x: taught(labels, x), scores)
    assert ours == pytest.approx(theirs, rel=1e-6, abs=1e-6) and ours.std() > 0.1
    assert our_gradient == pytest.approx(their_gradient, abs=1e-6)


@pytest.mark.parametrize("loss", ROWS)
@pytest.mark.parametrize("junk", [7.0, np.inf, np.nan])
def test_what_stands_where_no_candidate_is_never_matters(loss, junk: float) -> None:
    other = np.where(LABELS < 0, junk, SCORES).astype(np.float32)
    value, gradient = value_and_gradient(lambda x: loss(LABELS, x), SCORES)
    value_other, gradient_other = value_and_gradient(lambda x: loss(LABELS, x), other)
    assert (value == value_other).all() and (gradient == gradient_other).all()
    assert (gradient[LABELS < 0] == 0).all() and (gradient[:4][LABELS[:4] >= 0] != 0).all()


@pytest.mark.parametrize("loss", ROWS)
def test_far_apart_scores_neither_overflow_nor_vanish(loss) -> None:
    labels = np.array([[1, 0, 0], [0, 1, 0]], np.float32)
    scores = np.array([[-5e4, 5e4, -5e4], [-5e4, 5e4, -5e4]], np.float32)
    value, gradient = value_and_gradient(lambda x: loss(labels, x), scores)
    assert value == pytest.approx([5e4 if loss is bpr_loss else 1e5, 0], rel=1e-4)
    assert np.isfinite(gradient).all()
    half = loss(LABELS, SCORES.astype(np.float16))
    assert half.dtype == "float32" and half.numpy() == pytest.approx(
        loss(LABELS, SCORES).numpy(), abs=5e-3
    )


@pytest.mark.parametrize("loss", ROWS)
def test_labels_of_another_shape_are_an_error(loss) -> None:
    with pytest.raises(ValueError, match=r"same shape.* got \(6,\) and \(6, 4\)"):
        loss(LABELS[:, 0], SCORES)
    with pytest.raises(ValueError, match=r"got \(1, 4\) and \(6, 4\)"):
        loss(LABELS[:1], SCORES)


@pytest.mark.parametrize("loss", ROWS)
def test_a_model_is_compiled_with_them_weighs_rows_and_is_loaded(loss, tmp_path) -> None:
    model = keras.Sequential([keras.Input((4,)), keras.layers.Rescaling(1.0)])
    model.compile(loss=loss)
    weights = np.array([1, 0, 3, 1, 5, 5], np.float32)
    expected = (loss(LABELS, SCORES).numpy() * weights).sum()
    got = model.evaluate(SCORES, LABELS, sample_weight=weights, batch_size=6, verbose=0)
    assert got == pytest.approx(expected / len(weights), rel=1e-5)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert loaded.loss is loss


# --- InfoNCE ---

PAIR_SCORES = np.random.default_rng(2).normal(size=(6, 6)).astype(np.float32)
ITEMS = np.array([3, 8, 3, 5, 8, 3])
USERS = np.array([0, 1, 2, 0, 4, 5])
HITS = np.random.default_rng(3).random((6, 6)) < 0.3
REAL = np.array([True, True, True, False, True, False])
ITEM_LOG_Q = np.log(np.random.default_rng(4).dirichlet(np.ones(6)))
OPTIONS: dict[str, dict] = {
    "bare": {},
    "temperature": {"temperature": 0.3},
    "log_q": {"log_q": ITEM_LOG_Q, "temperature": 0.5},
    "items": {"item_ids": ITEMS},
    "users": {"user_ids": USERS},
    "hits": {"hits": HITS},
    "mask": {"mask": REAL},
    "two_way": {"two_way": True, "hits": HITS, "log_q": ITEM_LOG_Q},
    "all": {
        "temperature": 0.2,
        "log_q": ITEM_LOG_Q,
        "item_ids": ITEMS,
        "user_ids": USERS,
        "hits": HITS,
        "mask": REAL,
        "two_way": True,
    },
}


def info_nce_by_definition(
    scores: np.ndarray,
    item_ids=None,
    user_ids=None,
    temperature: float = 1.0,
    log_q=None,
    hits=None,
    mask=None,
    two_way: bool = False,
) -> list[float]:
    n = len(scores)
    log_q = np.zeros(n) if log_q is None else log_q

    def is_negative(user: int, item: int) -> bool:
        return not (
            (item_ids is not None and item_ids[user] == item_ids[item])
            or (user_ids is not None and user_ids[user] == user_ids[item])
            or (hits is not None and hits[user, item])
            or (mask is not None and not mask[user])
            or (mask is not None and not mask[item])
        )

    losses = []
    for i in range(n):
        if mask is not None and not mask[i]:
            losses.append(0.0)
            continue
        of_items = {
            j: np.exp(scores[i, j] / temperature) / np.exp(log_q[j])
            for j in range(n)
            if j == i or is_negative(i, j)
        }
        loss = -np.log(of_items[i] / sum(of_items.values()))
        if two_way:
            of_users = {
                j: np.exp(scores[j, i] / temperature)
                for j in range(n)
                if j == i or is_negative(j, i)
            }
            loss = (loss - np.log(of_users[i] / sum(of_users.values()))) / 2
        losses.append(loss)
    return losses


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_info_nce_is_its_definition(options: dict) -> None:
    expected = info_nce_by_definition(PAIR_SCORES.astype(float), **options)
    losses = info_nce_loss(PAIR_SCORES, **options).numpy()
    assert losses == pytest.approx(expected, rel=1e-5, abs=1e-6)
    assert losses.std() > 0.1
    if options:  # and each option makes a difference
        assert np.abs(losses - info_nce_loss(PAIR_SCORES).numpy()).max() > 0.1


def test_info_nce_by_hand() -> None:
    scores = [[2.0, 0.0, 1.0], [0.0, 1.0, 0.0], [1.0, 1.0, 1.0]]
    e = np.e
    by_rows = [np.log(1 + e**-4 + e**-2), np.log(1 + 2 * e**-2), np.log(3)]
    assert info_nce_loss(scores, temperature=0.5).numpy() == pytest.approx(by_rows, rel=1e-6)
    by_columns = [np.log(1 + e**-4 + e**-2), np.log(2 + e**-2), np.log(2 + e**-2)]
    both = (np.array(by_rows) + by_columns) / 2
    assert info_nce_loss(scores, temperature=0.5, two_way=True).numpy() == pytest.approx(both)


def test_the_gradient_pulls_the_positive_pushes_negatives_and_leaves_hits_alone() -> None:
    _, gradient = value_and_gradient(lambda x: info_nce_loss(x, ITEMS), PAIR_SCORES)
    same = ITEMS[:, None] == ITEMS
    diagonal = np.eye(6, dtype=bool)
    assert (gradient[diagonal] < 0).all() and (gradient[~same] > 0).all()
    assert (gradient[same & ~diagonal] == 0).all() and (same & ~diagonal).sum() == 8


@pytest.mark.parametrize("junk", [50.0, np.inf, np.nan])
@pytest.mark.parametrize("two_way", [False, True])
def test_rows_that_are_not_real_never_matter(junk: float, two_way: bool) -> None:
    pairs = REAL[:, None] & REAL
    other = np.where(pairs, PAIR_SCORES, junk).astype(np.float32)
    log_q = np.where(REAL, ITEM_LOG_Q, junk)
    value, gradient = value_and_gradient(
        lambda x: info_nce_loss(x, mask=REAL, log_q=ITEM_LOG_Q, two_way=two_way), PAIR_SCORES
    )
    value_other, gradient_other = value_and_gradient(
        lambda x: info_nce_loss(x, mask=REAL, log_q=log_q, two_way=two_way), other
    )
    assert (value == value_other).all() and (gradient == gradient_other).all()
    assert (gradient[~pairs] == 0).all() and (gradient[pairs] != 0).all()
    kept = PAIR_SCORES[REAL][:, REAL]
    alone = info_nce_loss(kept, log_q=ITEM_LOG_Q[REAL], two_way=two_way)
    assert value[REAL] == pytest.approx(alone.numpy(), rel=1e-6)
    nothing = info_nce_loss(other, mask=np.zeros(6, bool), two_way=two_way)
    assert nothing.numpy().tolist() == [0] * 6


def test_info_nce_compiles_under_xla_and_takes_half_precision() -> None:
    options = OPTIONS["all"]
    compiled = tf.function(lambda x: info_nce_loss(x, **options), jit_compile=True)
    expected = info_nce_loss(PAIR_SCORES, **options).numpy()
    assert compiled(tf.constant(PAIR_SCORES)).numpy() == pytest.approx(expected, rel=1e-5, abs=1e-6)
    large = np.float16(200) * PAIR_SCORES.astype(np.float16)  # over 65504 by its temperature
    value, gradient = value_and_gradient(lambda x: info_nce_loss(x, temperature=0.001), large)
    assert value.dtype == np.float32 and np.isfinite(value).all() and np.isfinite(gradient).all()


@pytest.mark.parametrize("shape", [(None, None), (None, 6)])
def test_a_batch_of_a_size_not_known_yet_is_taken(shape: tuple) -> None:
    options = OPTIONS["all"]
    traced = tf.function(
        lambda x: info_nce_loss(x, **options),
        input_signature=[tf.TensorSpec(shape, tf.float32)],
    )
    expected = info_nce_loss(PAIR_SCORES, **options).numpy()
    assert traced(PAIR_SCORES).numpy() == pytest.approx(expected, rel=1e-5, abs=1e-6)


def test_info_nce_says_what_is_wrong() -> None:
    with pytest.raises(ValueError, match=r"\(batch, batch\), got \(6, 5\)"):
        info_nce_loss(PAIR_SCORES[:, :5])
    with pytest.raises(ValueError, match="temperature must be greater than 0, got 0"):
        info_nce_loss(PAIR_SCORES, temperature=0)


def test_the_loss_object_is_the_function_over_ids_and_a_table_of_log_q(tmp_path) -> None:
    table = np.log(np.random.default_rng(6).dirichlet(np.ones(9)))
    table[0] = -np.inf  # an item without events
    ids = np.array([3, 8, 3, -1, 5, -1])
    loss = InfoNCE(temperature=0.4, log_q=table, two_way=True)
    expected = info_nce_loss(
        PAIR_SCORES, ids, temperature=0.4, log_q=table[ids], mask=ids >= 0, two_way=True
    ).numpy()
    assert float(loss(ids, PAIR_SCORES)) == pytest.approx(expected.mean(), rel=1e-5)

    model = keras.Sequential([keras.Input((6,)), keras.layers.Rescaling(1.0)])
    model.compile(loss=loss)
    weights = np.array([1, 2, 0, 9, 1, 9], np.float32)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    for m in (model, loaded):
        for targets in (ids, ids[:, None]):
            got = m.evaluate(PAIR_SCORES, targets, sample_weight=weights, batch_size=6, verbose=0)
            assert got == pytest.approx((weights * expected).mean(), rel=1e-5)
    assert loaded.loss.temperature == 0.4 and loaded.loss.two_way
