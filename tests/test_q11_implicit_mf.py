"""Question 11: matrix factorisation of implicit feedback, by weighted least squares and by pairwise ranking."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from conftest import checkerboard
from scipy import sparse

from keras_recs.data import Dataset, from_matrix, split
from keras_recs.evaluation import evaluate


def small(seed: int = 0, counts: bool = True) -> tuple[sparse.csr_array, np.ndarray, np.ndarray]:
    """What 7 users did with 9 items, user 4 with none and nobody with item 5; and factors of length 4."""
    rng = np.random.default_rng(seed)
    r = (rng.random((7, 9)) < 0.4) * (rng.integers(1, 5, (7, 9)) if counts else 1)
    r[4], r[:, 5] = 0, 0
    x, y = (rng.normal(size=(n, 4)).astype(np.float32) for n in (7, 9))
    return sparse.csr_array(r.astype(np.float32)), x, y


def solved(r: np.ndarray, y: np.ndarray, alpha: float, reg: np.ndarray) -> np.ndarray:
    """The normal equations of each row, written out densely and solved one by one."""
    y, confidences = y.astype(np.float64), [np.diag(1 + alpha * row) for row in r]
    return np.array([np.linalg.solve(y.T @ c @ y + price * np.eye(y.shape[1]), y.T @ c @ (row > 0))
                     for row, price, c in zip(r, reg, confidences, strict=True)])


@pytest.fixture(scope="module")
def tastes() -> tuple[Dataset, np.ndarray, np.ndarray]:
    """200 users of two tastes, 60 items in twins 2m and 2m + 1, one of either taste, equally popular; twins grow
    rarer with m. A sixth of the events is hidden: (what is known, users and items of the hidden ones)."""
    rng = np.random.default_rng(3)
    fits = np.add.outer(np.arange(200), np.arange(60)) % 2 == 0
    events = rng.random((200, 60)) < np.where(fits, 0.9, 0.1) * np.repeat(np.linspace(0.9, 0.15, 30), 2)
    hidden = events & (rng.random(events.shape) < 1 / 6)
    users, items = np.nonzero(hidden & fits & ~events[:, np.arange(60) ^ 1])
    return from_matrix((events & ~hidden).astype(float)), users, items


@pytest.fixture(scope="module")
def bpr(answer: ModuleType, tastes: tuple) -> Any:
    return answer.BPR(n_factors=8, n_epochs=15, batch_size=512, reg=1e-5).fit(tastes[0])


@pytest.mark.shape
def test_shapes(answer: ModuleType, tastes: tuple) -> None:
    """Factors have a row per user or item, scores a row per user, the Keras model one score for each item given."""
    als = answer.ImplicitALS(n_factors=5, n_iterations=2).fit(tastes[0])
    assert als.user_factors_.shape == (200, 5) and als.item_factors_.shape == (60, 5)
    assert als.score([0, 1]).shape == (2, 60) and als.fold_in([3, 4]).shape == (5,)
    model = answer.BPR(n_factors=4).build(10, 20)
    users = np.array([3, 4], np.int32)
    assert model.predict({"user_id": users, "item_id": np.array([[0, 19, 2], [1, 2, 3]])}, verbose=0).shape == (2, 3)
    assert model.predict({"user_id": users, "item_id": np.array([0, 19])}, verbose=0).shape == (2, 1)


# --- weighted least squares --------------------------------------------------------------------------------------


@pytest.mark.parametrize("alpha", [0.0, 3.0])
def test_the_objective_counts_every_pair(answer: ModuleType, alpha: float) -> None:
    """J sums over all pairs, met or not: target 1 or 0, confidence 1 + alpha r, and the penalties."""
    r, x, y = small()
    x_reg, y_reg = np.linspace(1, 2, 7), np.linspace(3, 5, 9)
    dense = r.toarray()
    expected = ((1 + alpha * dense) * ((dense > 0) - x @ y.T) ** 2).sum()
    expected += (x_reg[:, None] * x ** 2).sum() + (y_reg[:, None] * y ** 2).sum()
    assert answer.objective(x, y, r, alpha, x_reg, y_reg) == pytest.approx(expected, rel=1e-5)


def test_the_penalty_follows_the_confidence(answer: ModuleType) -> None:
    """The price of a row is reg times its mean confidence to the power given."""
    r = sparse.csr_array(np.array([[1, 1, 0, 0], [3, 0, 0, 5], [0, 0, 0, 0]], np.float32))
    assert answer.penalties(r, 2.0, 10.0, 0.0) == pytest.approx([10, 10, 10])
    assert answer.penalties(r, 2.0, 10.0, 1.0) == pytest.approx([20, 50, 10]), "mean confidence 2, 5 and 1"
    assert answer.penalties(r, 2.0, 10.0, 0.5) == pytest.approx([10 * 2 ** 0.5, 10 * 5 ** 0.5, 10])


@pytest.mark.parametrize("alpha", [0.0, 1.0, 20.0])
@pytest.mark.parametrize("counts", [False, True], ids=["binary", "counts"])
def test_a_half_step_solves_the_normal_equations(answer: ModuleType, alpha: float, counts: bool) -> None:
    """Run to its end, a half step equals each row's normal equations solved by hand, on either side."""
    r, x, y = small(counts=counts)
    for own, other, rows in ((x, y, r), (y, x, r.T.tocsr())):
        reg = np.linspace(0.5, 2.0, len(own)).astype(np.float32)
        found = answer.half_step(own, other, rows, alpha, reg, 40)
        assert found == pytest.approx(solved(rows.toarray(), other, alpha, reg), abs=2e-4)
        assert np.abs(found).max() > 0.1, "zeros would prove nothing"


@pytest.mark.parametrize("alpha", [1.0, 10.0])
def test_every_half_step_lowers_the_objective(answer: ModuleType, alpha: float) -> None:
    """Solving for the users lowers J, and so does solving for the items, time after time."""
    r, x, y = small()
    x_reg, y_reg = answer.penalties(r, alpha, 0.5, 1.0), answer.penalties(r.T.tocsr(), alpha, 0.5, 1.0)
    values = [answer.objective(x, y, r, alpha, x_reg, y_reg)]
    for step in range(12):
        if step % 2 == 0:
            x = answer.half_step(x, y, r, alpha, x_reg, 3)
        else:
            y = answer.half_step(y, x, r.T.tocsr(), alpha, y_reg, 3)
        values.append(answer.objective(x, y, r, alpha, x_reg, y_reg))
    assert (np.diff(values) < 1e-3).all(), values
    assert values[-1] < 0.5 * values[0]


def test_three_steps_suffice_however_ill_conditioned_the_factors(answer: ModuleType) -> None:
    """The shared part is inverted exactly: three steps from zero come within 1 % although YᵀY spans a factor 10^6."""
    rng = np.random.default_rng(0)
    r = sparse.csr_array((rng.random((30, 200)) < 0.1).astype(np.float32))
    y = (rng.normal(size=(200, 16)) * np.logspace(0, -3, 16)) @ np.linalg.qr(rng.normal(size=(16, 16)))[0]
    reg = np.full(30, 1e-3, np.float32)
    found = answer.half_step(np.zeros((30, 16), np.float32), y.astype(np.float32), r, 1.0, reg, 3)
    exact = solved(r.toarray(), y, 1.0, reg)
    assert np.linalg.norm((found - exact) @ y.T) < 0.01 * np.linalg.norm(exact @ y.T)


def test_without_extra_confidence_it_is_a_shrunken_svd(answer: ModuleType) -> None:
    """With alpha = 0 the solution is known: the SVD of the matrix, every singular value less reg."""
    r, *_ = small(counts=False)
    u, s, v = np.linalg.svd(r.toarray(), full_matrices=False)
    als = answer.ImplicitALS(n_factors=7, reg=0.4, alpha=0.0, n_iterations=150)
    scores = als.fit(from_matrix(r.toarray())).score(np.arange(7))
    assert scores == pytest.approx(u * np.maximum(s - 0.4, 0) @ v, abs=2e-3)


def test_alpha_is_trust_in_what_was_observed(answer: ModuleType, tastes: tuple) -> None:
    """The larger alpha, the nearer to 1 what a user met, at the price of what they did not meet."""
    data = tastes[0]
    met = data.matrix().toarray() > 0
    scores = [answer.ImplicitALS(n_factors=4, alpha=alpha, reg=1.0, reg_exponent=0.0).fit(data)
              .score(data.user_ids.ids) for alpha in (0.0, 1.0, 10.0)]
    near, far = [((s[met] - 1) ** 2).mean() for s in scores], [(s[~met] ** 2).mean() for s in scores]
    assert near[0] > 1.2 * near[1] > 1.44 * near[2], near
    assert far[0] < far[1] < far[2], far


def test_what_was_not_met_counts_as_little_but_counts(answer: ModuleType) -> None:
    """Items of the other kind, which nobody like the user met, score near 0, not 1 like the rest."""
    data = checkerboard()
    scores = answer.ImplicitALS(n_factors=4, reg=1.0).fit(data).score(data.user_ids.ids)
    own = np.add.outer(np.arange(20), np.arange(20)) % 2 == 0
    assert scores[own].min() > 0.4 and np.abs(scores[~own]).max() < 0.05


def test_one_iteration_more_changes_nothing_in_the_end(answer: ModuleType) -> None:
    """A converged solution stays where it is."""
    data = from_matrix(small()[0].toarray())
    make = lambda n: answer.ImplicitALS(n_factors=3, reg=0.5, n_iterations=n).fit(data)  # noqa: E731
    before, after, start = (make(n).score(np.arange(7)) for n in (150, 151, 1))
    assert after == pytest.approx(before, abs=1e-4)
    assert np.abs(start - before).max() > 0.05, "and one iteration was not the end"


def test_confidence_may_count_events(answer: ModuleType) -> None:
    """With "counts", what was met often is trusted more; "binary" ignores that; ratings below 0 are refused."""
    once, *_ = small(counts=False)
    users, items = once.tocoo().coords
    again = Dataset.from_arrays(np.r_[users, [0] * 20], np.r_[items, [items[0]] * 20])
    plain, binary, counts = (
        answer.ImplicitALS(n_factors=2, reg=1.0, confidence=kind).fit(data).predict([0], [items[0]])[0]
        for kind, data in (("binary", Dataset.from_arrays(users, items)), ("binary", again), ("counts", again)))
    assert binary == pytest.approx(plain, abs=1e-5) and (1 - counts) ** 2 < 0.5 * (1 - binary) ** 2
    with pytest.raises(ValueError, match="confidence='ratings' needs values above 0, got -1"):
        answer.ImplicitALS(confidence="ratings").fit(Dataset.from_arrays([0, 1], [0, 1], [3.0, -1.0]))


def test_who_met_nothing_has_no_taste(answer: ModuleType) -> None:
    """A user without events and an item without an audience get factors of exactly zero."""
    als = answer.ImplicitALS(n_factors=3, reg=0.5).fit(from_matrix(small()[0].toarray()))
    assert (als.user_factors_[4] == 0).all() and np.abs(als.item_factors_[5]).max() < 1e-6
    assert np.abs(als.user_factors_).max() > 0.1
    assert (als.score([4]) == 0).all()


def test_blocks_change_nothing(answer: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """Solved in blocks of one row or all together, the factors are the same."""
    r, x, y = small()
    reg = np.ones(7, np.float32)
    whole = answer.half_step(x, y, r, 2.0, reg, 3)
    monkeypatch.setattr(answer, "GATHERED_AT_ONCE", 1)
    assert answer.half_step(x, y, r, 2.0, reg, 3) == pytest.approx(whole, abs=1e-5)


@pytest.mark.parametrize("exponent", [0.0, 1.0])
def test_a_new_user_is_folded_in_by_the_same_equations(answer: ModuleType, exponent: float) -> None:
    """A user who comes later gets the vector that the normal equations give, and leaves the model as it was."""
    data = from_matrix(small(counts=False)[0].toarray())
    als = answer.ImplicitALS(n_factors=3, reg=0.5, alpha=4.0, reg_exponent=exponent).fit(data)
    before = als.item_factors_.copy()
    row = np.isin(np.arange(9), [1, 2, 7])
    price = 0.5 * (1 + 4 * 3 / 9) ** exponent
    assert als.fold_in([7, 1, 2, 1]) == pytest.approx(solved(row[None], before, 4.0, np.array([price]))[0], abs=1e-4)
    assert np.array_equal(als.item_factors_, before)
    with pytest.raises(KeyError, match="items holds 1 unknown"):
        als.fold_in([99])


# --- pairwise ranking --------------------------------------------------------------------------------------------


def test_the_pairwise_loss_is_worked_out_by_hand(answer: ModuleType) -> None:
    """The loss is -log sigmoid(positive - negative), the mean over the negatives; the level of scores is free."""
    scores = np.array([[2.0, 1.0, 3.0], [0.5, 0.5, 0.5], [500.0, 0.0, 0.0], [-500.0, 0.0, 0.0]], np.float32)
    labels = np.tile(np.array([1.0, 0.0, 0.0], np.float32), (4, 1))
    found = np.array(answer.bpr_loss(labels, scores))
    first = (-np.log(1 / (1 + np.exp(-1))) - np.log(1 / (1 + np.exp(1)))) / 2
    assert np.isfinite(found).all(), f"scores may lie far apart; got {found.tolist()}"
    assert found == pytest.approx([first, np.log(2), 0, 500], abs=1e-5)
    assert np.array(answer.bpr_loss(labels, scores + 7)) == pytest.approx(found, abs=1e-4)
    moved = np.array(answer.bpr_loss(labels[:, [1, 0, 2]], scores[:, [1, 0, 2]]))
    assert moved == pytest.approx(found, abs=1e-5), "the label says which one is the positive"


def test_the_gradient_is_worked_out_by_hand(answer: ModuleType) -> None:
    """The loss moves p by -(1 - σ)(q_i - q_j), q_i by -(1 - σ) p, q_j against it, and the two biases apart."""
    keras.utils.set_random_seed(0)
    model = answer.BPR(n_factors=3, reg=0.0, init_scale=1.0).build(4, 5)
    tables = {layer.name: layer.embeddings for layer in model.layers if isinstance(layer, keras.layers.Embedding)}
    tables["bias"].assign(np.arange(5.0)[:, None] / 5)
    user, i, j = 2, 4, 1
    with tf.GradientTape() as tape:
        scores = model({"user_id": tf.constant([user]), "item_id": tf.constant([[i, j]])})
        loss = tf.reduce_sum(answer.bpr_loss(tf.constant([[1.0, 0.0]]), scores))
    slopes = dict(zip(tables, (tf.convert_to_tensor(g).numpy() for g in tape.gradient(
        loss, [t.value for t in tables.values()])), strict=True))
    p, qi, qj = tables["user"].numpy()[user], tables["item"].numpy()[i], tables["item"].numpy()[j]
    difference = p @ (qi - qj) + (i - j) / 5
    assert np.array(scores)[0, 0] - np.array(scores)[0, 1] == pytest.approx(difference, abs=1e-5)
    miss = 1 / (1 + np.exp(difference))  # 1 - σ(difference)
    assert slopes["user"][user] == pytest.approx(-miss * (qi - qj), abs=1e-5)
    assert slopes["item"][i] == pytest.approx(-miss * p, abs=1e-5)
    assert slopes["item"][j] == pytest.approx(miss * p, abs=1e-5)
    assert slopes["bias"][:, 0] == pytest.approx([0, miss, 0, 0, -miss], abs=1e-5)


def test_fit_takes_rows_of_items_and_their_labels(answer: ModuleType) -> None:
    """`fit({"user_id": u, "item_id": rows}, labels)` learns to put each row's labelled item first."""
    keras.utils.set_random_seed(0)
    model = answer.BPR(n_factors=4, learning_rate=0.2, reg=0.0).build(4, 4)
    rows = {"user_id": np.arange(4, dtype=np.int32), "item_id": np.tile(np.arange(4, dtype=np.int32), (4, 1))}
    loss = model.fit(rows, np.eye(4, dtype=np.float32), epochs=25, batch_size=4, verbose=0).history["loss"]
    assert loss[0] == pytest.approx(np.log(2), abs=0.05), "at first, it cannot tell"
    assert loss[-1] < 0.1 and (model.predict(rows, verbose=0).argmax(axis=1) == np.arange(4)).all()


def test_served_scores_are_the_models(answer: ModuleType, bpr: Any) -> None:
    """`score` gives what the Keras model gives: vectors and item bias together."""
    pairs = {"user_id": np.repeat(np.arange(3), 60), "item_id": np.tile(np.arange(60), 3)}
    expected = bpr.model_.predict(pairs, verbose=0).reshape(3, 60)
    assert bpr.score([0, 1, 2]) == pytest.approx(expected, abs=1e-4)
    assert np.ptp(expected.mean(axis=0)) > 1, "popular items score higher for everybody"


def test_what_was_met_ranks_above_what_was_not(bpr: Any, tastes: tuple) -> None:
    """Of the training triples (user, met, not met), more than nine in ten are in the right order; the loss fell."""
    data = tastes[0]
    scores, met = bpr.score(data.user_ids.ids), data.matrix().toarray() > 0
    right = [np.mean(row[m][:, None] > row[~m]) for row, m in zip(scores, met, strict=True)]
    assert np.average(right, weights=met.sum(1) * (~met).sum(1)) > 0.9
    assert len(bpr.history_["loss"]) == 15 and bpr.history_["loss"][-1] < 0.6 * bpr.history_["loss"][0]


@pytest.mark.parametrize("name", ["ALS", "BPR"])
def test_it_ranks_beyond_popularity(answer: ModuleType, request: pytest.FixtureRequest, tastes: tuple,
                                    name: str) -> None:
    """Of two equally popular items, the one of the user's own taste ranks first: popularity would toss a coin."""
    data, users, items = tastes
    fitted = answer.ImplicitALS(n_factors=4).fit(data) if name == "ALS" else request.getfixturevalue("bpr")
    scores = fitted.score(data.user_ids.ids)
    twin = items ^ 1
    assert (data.popularity[items] > data.popularity[twin]).mean() == pytest.approx(0.5, abs=0.12)
    assert (scores[users, items] > scores[users, twin]).mean() > 0.9


def test_a_user_without_events_is_served_by_popularity(answer: ModuleType) -> None:
    """The item bias learns popularity, and who met nothing is ranked by it alone."""
    audience = np.arange(1, 11)  # item i was met by i + 1 of 12 users, in turn
    matrix = np.array([[(u - 5 * i) % 12 < n for i, n in enumerate(audience)] for u in range(12)], float)
    recommender = answer.BPR(n_factors=4, n_epochs=10, batch_size=32, learning_rate=0.05)
    scores = recommender.fit(from_matrix(np.vstack([matrix, np.zeros(10)]))).score([12])[0]
    assert scores == pytest.approx(recommender.item_bias_, abs=1e-6)
    assert np.corrcoef(scores, audience)[0, 1] > 0.9


@pytest.mark.data
@pytest.mark.parametrize(("name", "floor"), [("ImplicitALS", 0.2067), ("BPR", 0.18)])
def test_movielens_bars(answer: ModuleType, ml100k: Dataset, name: str, floor: float) -> None:
    """On MovieLens-100K (P1), NDCG@10 reaches that of the best public implementations; popularity has 0.119."""
    parts = split(ml100k, "P1")
    assert evaluate(getattr(answer, name)().fit(parts.train), parts).metrics["ndcg@10"] > floor - 5e-5
