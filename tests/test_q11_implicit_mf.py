"""Question 11: matrix factorisation of implicit feedback, by weighted least squares and by pairwise ranking."""

from __future__ import annotations

import sys
from collections.abc import Callable
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
from keras_recs.practice import expect


def small(seed: int = 0, counts: bool = True) -> tuple[sparse.csr_array, np.ndarray, np.ndarray]:
    """What 7 users did with 9 items, user 4 with none and nobody with item 5; and factors of length 4."""
    rng = np.random.default_rng(seed)
    r = (rng.random((7, 9)) < 0.4) * (rng.integers(1, 5, (7, 9)) if counts else 1)
    r[4], r[:, 5] = 0, 0
    x, y = (rng.normal(size=(n, 4)).astype(np.float32) for n in (7, 9))
    return sparse.csr_array(r.astype(np.float32)), x, y


def solved(r: np.ndarray, y: np.ndarray, alpha: float, reg: np.ndarray) -> np.ndarray:
    """The normal equations of each row, written out densely and solved one by one."""
    return np.array(
        [
            np.linalg.solve(*equations(row, y, alpha, penalty))
            for row, penalty in zip(r, reg, strict=True)
        ]
    )


def equations(
    row: np.ndarray, y: np.ndarray, alpha: float, penalty: float
) -> tuple[np.ndarray, np.ndarray]:
    """Yᵀ C Y + λ I, and Yᵀ C t."""
    y, c = y.astype(np.float64), np.diag(1 + alpha * row)
    return y.T @ c @ y + penalty * np.eye(y.shape[1]), y.T @ c @ (row > 0)


def wrong_solutions(
    r: np.ndarray, y: np.ndarray, alpha: float, reg: np.ndarray
) -> dict[str, np.ndarray]:
    """What usually goes wrong in the normal equations: sentence -> the factors that solve them then."""
    wrong: dict[str, list[np.ndarray]] = {}
    y, eye = y.astype(np.float64), np.eye(y.shape[1])
    basis = np.linalg.eigh(y.astype(np.float32).T @ y.astype(np.float32))[1]
    for row, penalty in zip(r, reg, strict=True):
        left, right = equations(row, y, alpha, penalty)
        met = (row > 0).astype(float)

        def weighted(weights: np.ndarray) -> np.ndarray:
            return y.T @ (weights[:, None] * y)

        for sentence, a, b in (
            (
                "the right side has alpha r: a target of 1 comes with its confidence, 1 + alpha r",
                left,
                y.T @ (alpha * row),
            ),
            (
                "the right side has no alpha: Yᵀ C t is weighed by the confidence, too",
                left,
                y.T @ met,
            ),
            (
                "r is the target here: the target is 1, r only says how sure we are",
                left,
                y.T @ ((1 + alpha * row) * row),
            ),
            (
                "what was met counts once too often on the left: YᵀY holds its 1 already, add alpha r",
                left + weighted(met),
                right,
            ),
            (
                "alpha is missing on the left: what was met weighs more there as well",
                weighted(np.ones(len(row))) + penalty * eye,
                right,
            ),
            (
                "only what was met counts on the left: the rest has the target 0, with confidence 1",
                weighted((1 + alpha * row) * met) + penalty * eye,
                right,
            ),
            ("the penalty is missing on the left", left - penalty * eye, right),
        ):
            if np.linalg.cond(a) < 1e9:
                wrong.setdefault(sentence, []).append(np.linalg.solve(a, b))
            else:
                wrong.setdefault(sentence, []).append(np.full(y.shape[1], np.nan))
    wrong["the factors are left in the basis of the eigenvectors: turn them back by basis.T"] = (
        list(solved(r, y, alpha, reg) @ basis)
    )
    return {sentence: np.array(rows) for sentence, rows in wrong.items()}


@pytest.fixture(scope="module")
def tastes() -> tuple[Dataset, np.ndarray, np.ndarray]:
    """200 users of two tastes, 60 items in twins 2m and 2m + 1, one of either taste, equally
    popular; twins grow rarer with m. A sixth of the events is hidden: (what is known, users and
    items of the hidden ones)."""
    rng = np.random.default_rng(3)
    fits = np.add.outer(np.arange(200), np.arange(60)) % 2 == 0
    events = rng.random((200, 60)) < np.where(fits, 0.9, 0.1) * np.repeat(
        np.linspace(0.9, 0.15, 30), 2
    )
    hidden = events & (rng.random(events.shape) < 1 / 6)
    users, items = np.nonzero(hidden & fits & ~events[:, np.arange(60) ^ 1])
    return from_matrix((events & ~hidden).astype(float)), users, items


@pytest.fixture
def bpr(answer: ModuleType, tastes: tuple) -> Any:
    """Fitted anew for each test, so that each calls what it needs."""
    return answer.BPR(n_factors=8, n_epochs=15, batch_size=512, reg=1e-5).fit(tastes[0])


@pytest.mark.shape
@pytest.mark.needs(
    "penalties",
    "half_step",
    "conjugate_gradients",
    "ImplicitALS._fit",
    "ImplicitALS.fold_in",
    "BPR.build",
)
def test_shapes(answer: ModuleType, tastes: tuple) -> None:
    """Factors have a row per user or item, scores a row per user, the Keras model one score for each item given."""
    als = answer.ImplicitALS(n_factors=5, n_iterations=2).fit(tastes[0])
    expect.equal(
        str(als.user_factors_.shape),
        "(200, 5)",
        "each of 200 users has a vector of 5 numbers, a row",
    )
    expect.equal(
        str(als.item_factors_.shape), "(60, 5)", "each of 60 items has a vector of 5 numbers, a row"
    )
    expect.equal(
        str(als.score([0, 1]).shape),
        "(2, 60)",
        "two users get a row each, with a score for each of 60 items",
    )
    expect.equal(
        str(als.fold_in([3, 4]).shape),
        "(5,)",
        "somebody who is folded in gets one vector: the only row of a half step",
        mistakes={"the row is still a table of one row: take [0]": "(1, 5)"},
    )
    model = answer.BPR(n_factors=4).build(from_matrix(np.ones((10, 20))))
    users = np.array([3, 4], np.int32)
    rows = model.predict(
        {"user_id": users, "item_id": np.array([[0, 19, 2], [1, 2, 3]])}, verbose=0
    )
    expect.equal(
        str(rows.shape),
        "(2, 3)",
        "the model scores each of the m items in a user's row",
        mistakes={"a last axis of length 1 is left over: squeeze it": "(2, 3, 1)"},
    )
    pairs = model.predict({"user_id": users, "item_id": np.array([0, 19])}, verbose=0)
    expect.equal(
        str(pairs.shape), "(2, 1)", "pairs are rows of one item, as RankingModel makes of them"
    )


# --- weighted least squares -----------------------------------------------------------------------


@pytest.mark.needs("objective")
@pytest.mark.parametrize("alpha", [0.0, 3.0])
def test_the_objective_counts_every_pair(answer: ModuleType, alpha: float) -> None:
    """J sums over all pairs, met or not: target 1 or 0, confidence 1 + alpha r, and the penalties."""
    r, x, y = small()
    x_reg, y_reg = np.linspace(1, 2, 7), np.linspace(3, 5, 9)
    dense = r.toarray()
    score, confidence = x @ y.T, 1 + alpha * dense
    squares = confidence * ((dense > 0) - score) ** 2
    penalty = (x_reg[:, None] * x**2).sum() + (y_reg[:, None] * y**2).sum()
    expect.equal(
        answer.objective(x, y, r, alpha, x_reg, y_reg),
        squares.sum() + penalty,
        "J sums over every pair: what was not met has target 0 and confidence 1, what was met 1 and 1 + alpha "
        "r, and each vector pays its λ",
        rel=1e-5,
        mistakes={
            "only what was met is summed: a model that always says 1 would be perfect": squares[
                dense > 0
            ].sum()
            + penalty,
            "the penalties are missing": squares.sum(),
            "the penalties do not weigh each row by its own λ": squares.sum()
            + (x**2).sum()
            + (y**2).sum(),
            "r is the target here: the target is 1, r only says how sure we are": (
                confidence * (dense - score) ** 2
            ).sum()
            + penalty,
            "what was met counts twice: as a pair of all, with target 0, and as one that was met": squares.sum()
            + (score[dense > 0] ** 2).sum()
            + penalty,
            "this is a mean over the pairs: J is a sum": squares.mean() + penalty,
            "squared lengths were taken in another way: a penalty is λ times the sum of squares": squares.sum()
            + x_reg @ np.linalg.norm(x, axis=1)
            + y_reg @ np.linalg.norm(y, axis=1),
        },
    )


@pytest.mark.needs("penalties")
def test_the_penalty_follows_the_confidence(answer: ModuleType) -> None:
    """The penalty of a row is reg times its mean confidence to the power given."""
    r = sparse.csr_array(np.array([[1, 1, 0, 0], [3, 0, 0, 5], [0, 0, 0, 0]], np.float32))
    expect.equal(
        answer.penalties(r, 2.0, 10.0, 0.0),
        [10, 10, 10],
        "each row of r has one λ, and with exponent 0 they are all reg",
        mistakes={"the mean confidence counts although its exponent is 0": [20, 50, 10]},
    )
    expect.equal(
        answer.penalties(r, 2.0, 10.0, 1.0),
        [20, 50, 10],
        "with exponent 1, λ is reg times the mean confidence, which is 2, 5 and 1 over all four columns, "
        "those not met included: 1 + 2 · 2 / 4 = 2",
        mistakes={
            "this is the sum of alpha r over a row, not its mean: divide by the number of columns": [
                50,
                170,
                10,
            ],
            "the mean is over what was met only": [30, 90, 10],
            "alpha is missing in the confidence": [15, 30, 10],
            "the 1 is missing: what was not met has confidence 1": [10, 40, 0],
            "events were counted, not their r: confidence is 1 + alpha r": [20, 20, 10],
            "the mean is over the rows of a column: each row has its own λ": [
                10 * (1 + 2 * c / 3) for c in (4, 1, 0, 5)
            ],
        },
    )
    expect.equal(
        answer.penalties(r, 2.0, 10.0, 0.5),
        [10 * 2**0.5, 10 * 5**0.5, 10],
        "with exponent 0.5, λ grows with the root of the mean confidence: reg stands outside of the power",
        mistakes={
            "reg was taken to the power as well": [20**0.5, 50**0.5, 10**0.5],
            "the exponent multiplies": [10, 25, 5],
        },
    )


@pytest.mark.needs("half_step")
@pytest.mark.parametrize("alpha", [0.0, 1.0, 20.0])
def test_a_half_step_hands_over_the_right_system(
    answer: ModuleType, alpha: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a solver that is exact in the place of the conjugate gradients, a half step is exact."""

    def exactly(
        x: np.ndarray,
        met: np.ndarray,
        extra: np.ndarray,
        target: np.ndarray,
        diagonal: np.ndarray,
        n_steps: int,
    ) -> np.ndarray:
        return np.array(
            [
                np.linalg.solve(np.diag(d) + z.T @ (e[:, None] * z), t)
                for z, e, t, d in zip(met, extra, target, diagonal, strict=True)
            ]
        )

    home = sys.modules[answer.ImplicitALS.__module__]
    monkeypatch.setattr(home, "conjugate_gradients", exactly)
    r, x, y = small()
    for own, other, rows, who in ((x, y, r, "users"), (y, x, r.T.tocsr(), "items")):
        reg = np.linspace(0.5, 2.0, len(own)).astype(np.float32)
        expect.equal(
            answer.half_step(own, other, rows, alpha, reg, 40),
            solved(rows.toarray(), other, alpha, reg),
            f"solved exactly, a half step for the {who} gives each row's (Yᵀ C Y + λ I)⁻¹ Yᵀ C t: diagonal is "
            "the eigenvalues of YᵀY and λ, extra is alpha r, target is Σ (1 + alpha r) y, all in the basis of "
            "the eigenvectors",
            abs=2e-4,
            mistakes=wrong_solutions(rows.toarray(), other, alpha, reg),
        )


@pytest.mark.needs("conjugate_gradients")
def test_conjugate_gradients_solve_many_systems_at_once(answer: ModuleType) -> None:
    """As many steps as unknowns solve (D + Zᵀ diag(extra) Z) x = target, each row its own, from any start."""
    rng = np.random.default_rng(0)
    x, met, target = rng.normal(size=(6, 4)), rng.normal(size=(6, 5, 4)), rng.normal(size=(6, 4))
    extra, diagonal = rng.random((6, 5)), 1 + rng.random((6, 4))
    extra[:, 3:] = 0  # places that only fill up
    systems = [
        np.diag(d) + z.T @ (e[:, None] * z) for d, z, e in zip(diagonal, met, extra, strict=True)
    ]
    expected = np.array([np.linalg.solve(a, t) for a, t in zip(systems, target, strict=True)])

    def as_one_system(divide: bool) -> np.ndarray:
        """With one step length for all rows, not one for each."""
        found, d = x.copy(), diagonal if divide else np.ones_like(diagonal)
        residual = target - np.einsum("rfg,rg->rf", systems, found)
        direction = residual / d
        for _ in range(4):
            image, size = (
                np.einsum("rfg,rg->rf", systems, direction),
                (residual * residual / d).sum(),
            )
            found += size / (direction * image).sum() * direction
            residual = residual - size / (direction * image).sum() * image
            direction = residual / d + (residual * residual / d).sum() / size * direction
        return found

    found = answer.conjugate_gradients(x.copy(), met, extra, target, diagonal, 4)
    expect.equal(
        found,
        expected,
        "four steps solve four unknowns, for all rows at once and from any start: conjugate "
        "directions never undo each other",
        abs=1e-4,
        mistakes={
            "all rows share one step length: sum within each row, (n_rows, 1), not over everything": as_one_system(
                True
            ),
            "all rows share one step length, and the residual is not divided by the diagonal": as_one_system(
                False
            ),
            "nothing moved from the start": x,
            "only the diagonal was solved for: Zᵀ diag(extra) Z is missing in the product": target
            / diagonal,
            "the start is left out: the residual is target minus the matrix times x": expected + x,
            "extra has no effect: weigh what was met": np.array(
                [
                    np.linalg.solve(np.diag(d) + z.T @ z, t)
                    for d, z, t in zip(diagonal, met, target, strict=True)
                ]
            ),
        },
    )
    there = answer.conjugate_gradients(expected.copy(), met, extra, target, diagonal, 4)
    expect.equal(
        there,
        expected,
        "who starts at the solution stays there: a step of 0 / 0 must not become NaN",
        abs=1e-4,
        mistakes={
            "0 / 0 is NaN: divide by at least the smallest positive number": np.full((6, 4), np.nan)
        },
    )


@pytest.mark.needs("half_step", "conjugate_gradients")
@pytest.mark.parametrize("alpha", [0.0, 1.0, 20.0])
@pytest.mark.parametrize("counts", [False, True], ids=["binary", "counts"])
def test_a_half_step_solves_the_normal_equations(
    answer: ModuleType, alpha: float, counts: bool
) -> None:
    """Run to its end, a half step equals each row's normal equations solved by hand, on either side."""
    r, x, y = small(counts=counts)
    for own, other, rows, who in ((x, y, r, "users"), (y, x, r.T.tocsr(), "items")):
        reg = np.linspace(0.5, 2.0, len(own)).astype(np.float32)
        found = answer.half_step(own, other, rows, alpha, reg, 40)
        expect.equal(
            found,
            solved(rows.toarray(), other, alpha, reg),
            f"after 40 steps the {who} are where J is least: (Yᵀ C Y + λ I) x = Yᵀ C t, row by row, with C = "
            "1 + alpha r and t = 1 where something was met",
            abs=2e-4,
            mistakes=wrong_solutions(rows.toarray(), other, alpha, reg),
        )
        expect.true(
            np.abs(found).max() > 0.1,
            f"the {who}' vectors are not zero: zeros predict that nobody likes anything",
            largest=np.abs(found).max(),
        )


@pytest.mark.needs("objective", "penalties", "half_step", "conjugate_gradients")
@pytest.mark.parametrize("alpha", [1.0, 10.0])
def test_every_half_step_lowers_the_objective(answer: ModuleType, alpha: float) -> None:
    """Solving for the users lowers J, and so does solving for the items, time after time."""
    r, x, y = small()
    x_reg, y_reg = (
        answer.penalties(r, alpha, 0.5, 1.0),
        answer.penalties(r.T.tocsr(), alpha, 0.5, 1.0),
    )
    values = [answer.objective(x, y, r, alpha, x_reg, y_reg)]
    for step in range(12):
        if step % 2 == 0:
            x = answer.half_step(x, y, r, alpha, x_reg, 3)
        else:
            y = answer.half_step(y, x, r.T.tocsr(), alpha, y_reg, 3)
        values.append(answer.objective(x, y, r, alpha, x_reg, y_reg))
    expect.true(
        np.diff(values) < 1e-3,
        "J never rises: each half step minimises it over one side. If it rises, the "
        "step has the wrong sign, or the half step "
        "solves another problem than J",
        values=values,
    )
    expect.true(
        values[-1] < 0.5 * values[0],
        "six rounds bring J below half of what random factors have: both sides learn",
        first=values[0],
        last=values[-1],
    )


@pytest.mark.needs("half_step", "conjugate_gradients")
def test_three_steps_suffice_however_ill_conditioned_the_factors(answer: ModuleType) -> None:
    """The shared part is inverted exactly: three steps from zero come within 1 % although YᵀY spans a factor 10^6."""
    rng = np.random.default_rng(0)
    r = sparse.csr_array((rng.random((30, 200)) < 0.1).astype(np.float32))
    y = (rng.normal(size=(200, 16)) * np.logspace(0, -3, 16)) @ np.linalg.qr(
        rng.normal(size=(16, 16))
    )[0]
    reg = np.full(30, 1e-3, np.float32)
    found = answer.half_step(np.zeros((30, 16), np.float32), y.astype(np.float32), r, 1.0, reg, 3)
    exact = solved(r.toarray(), y, 1.0, reg)
    off = np.linalg.norm((found - exact) @ y.T) / np.linalg.norm(exact @ y.T)
    expect.true(
        off < 0.01,
        "three steps come within 1 % of the solution: the residual divided by the diagonal, where "
        "YᵀY is known exactly, leaves eigenvalues near 1; undivided, they span a factor of 10 ** 6",
        relative_error=off,
    )


@pytest.mark.needs("penalties", "half_step", "conjugate_gradients", "ImplicitALS._fit")
def test_without_extra_confidence_it_is_a_shrunken_svd(answer: ModuleType) -> None:
    """With alpha = 0 the solution is known: the SVD of the matrix, every singular value less reg."""
    r, *_ = small(counts=False)
    u, s, v = np.linalg.svd(r.toarray(), full_matrices=False)
    als = answer.ImplicitALS(n_factors=7, reg=0.4, alpha=0.0, n_iterations=150)
    scores = als.fit(from_matrix(r.toarray())).score(np.arange(7))
    expect.equal(
        scores,
        u * np.maximum(s - 0.4, 0) @ v,
        "with alpha = 0 all pairs weigh alike, and the best factors are known: the SVD, with reg off every "
        "singular value. Users and items must take turns for that",
        abs=2e-3,
        mistakes={
            "the penalty has no effect: this is the matrix itself": u * s @ v,
            "reg was taken off the squares of the singular values": u
            * np.sqrt(np.maximum(s**2 - 0.4, 0))
            @ v,
            "all factors are zero": np.zeros((7, 9)),
        },
    )


@pytest.mark.needs("penalties", "half_step", "conjugate_gradients", "ImplicitALS._fit")
def test_alpha_is_trust_in_what_was_observed(answer: ModuleType, tastes: tuple) -> None:
    """The larger alpha, the nearer to 1 what a user met, at the penalty of what they did not meet."""
    data = tastes[0]
    met = data.matrix().toarray() > 0
    scores = [
        answer.ImplicitALS(n_factors=4, alpha=alpha, reg=1.0, reg_exponent=0.0)
        .fit(data)
        .score(data.user_ids.ids)
        for alpha in (0.0, 1.0, 10.0)
    ]
    near, far = (
        [((s[met] - 1) ** 2).mean() for s in scores],
        [(s[~met] ** 2).mean() for s in scores],
    )
    expect.true(
        near[0] > 1.2 * near[1] > 1.44 * near[2],
        "the larger alpha, the nearer to 1 are the scores of what was met: alpha is how much more it counts; "
        "equal errors mean that it never arrives",
        squared_errors_for_alpha_0_1_10=near,
    )
    expect.true(
        far[0] < far[1] < far[2],
        "the larger alpha, the farther from 0 are the scores of the rest, which "
        "count comparatively less",
        squared_scores_for_alpha_0_1_10=far,
    )


@pytest.mark.needs("penalties", "half_step", "conjugate_gradients", "ImplicitALS._fit")
def test_what_was_not_met_counts_as_little_but_counts(answer: ModuleType) -> None:
    """Items of the other kind, which nobody like the user met, score near 0, not 1 like the rest."""
    data = checkerboard()
    scores = answer.ImplicitALS(n_factors=4, reg=1.0).fit(data).score(data.user_ids.ids)
    own = np.add.outer(np.arange(20), np.arange(20)) % 2 == 0
    expect.true(
        scores[own].min() > 0.4,
        "items of the user's own kind score towards 1, the hidden one too: its "
        "audience is like the user",
        lowest=scores[own].min(),
    )
    expect.true(
        np.abs(scores[~own]).max() < 0.05,
        "items of the other kind score near 0: what was not met has target 0. Scores of 1 everywhere mean that "
        "only what was met is fitted",
        largest=np.abs(scores[~own]).max(),
    )


@pytest.mark.needs("penalties", "half_step", "conjugate_gradients", "ImplicitALS._fit")
def test_one_iteration_more_changes_nothing_in_the_end(answer: ModuleType) -> None:
    """A converged solution stays where it is."""
    data = from_matrix(small()[0].toarray())
    make = lambda n: answer.ImplicitALS(n_factors=3, reg=0.5, n_iterations=n).fit(data)  # noqa: E731
    before, after, start = (make(n).score(np.arange(7)) for n in (150, 151, 1))
    expect.equal(
        after,
        before,
        "after 150 iterations one more changes nothing: neither side can improve on the other",
        abs=1e-4,
    )
    expect.true(
        np.abs(start - before).max() > 0.05,
        "one iteration is not the end: n_iterations says how often users and items take turns",
        change=np.abs(start - before).max(),
    )


@pytest.mark.needs("penalties", "half_step", "conjugate_gradients", "ImplicitALS._fit")
def test_confidence_may_count_events(answer: ModuleType) -> None:
    """With "counts", what was met often is trusted more; "binary" ignores that; ratings below 0 are refused."""
    once, *_ = small(counts=False)
    users, items = once.tocoo().coords
    again = Dataset.from_arrays(np.r_[users, [0] * 20], np.r_[items, [items[0]] * 20])
    plain, binary, counts = (
        answer.ImplicitALS(n_factors=2, reg=1.0, confidence=kind)
        .fit(data)
        .predict([0], [items[0]])[0]
        for kind, data in (
            ("binary", Dataset.from_arrays(users, items)),
            ("binary", again),
            ("counts", again),
        )
    )
    expect.equal(
        binary,
        plain,
        'with confidence="binary" an item met 21 times counts as one met once',
        abs=1e-5,
        mistakes={"events are counted whatever `confidence` says": counts},
    )
    expect.true(
        (1 - counts) ** 2 < 0.5 * (1 - binary) ** 2,
        'with confidence="counts" an item met 21 times comes much nearer to 1: r is how often',
        score_by_counts=counts,
        score_by_binary=binary,
    )
    with expect.error(
        ValueError,
        "confidence='ratings' needs values above 0, got -1",
        "a confidence below 0 would make J worth lowering without end: a "
        "rating of -1 is refused, with its value",
    ):
        answer.ImplicitALS(confidence="ratings").fit(
            Dataset.from_arrays([0, 1], [0, 1], [3.0, -1.0])
        )


@pytest.mark.parametrize("exponent", [0.0, 0.5, 1.0])
@pytest.mark.needs("penalties", "half_step", "conjugate_gradients", "ImplicitALS._fit")
def test_what_is_fitted_solves_the_documented_equations(
    answer: ModuleType, exponent: float
) -> None:
    """In the end all vectors solve their normal equations, with c = 1 + alpha r and a λ of their own."""
    r = small()[0].toarray()
    users, items = np.repeat(np.indices(r.shape).reshape(2, -1), r.ravel().astype(int), axis=1)
    data = Dataset.from_arrays([*users, 4, 0], [*items, 0, 5])  # so that all have an event
    r[4, 0], r[0, 5] = 1, 1
    als = answer.ImplicitALS(
        n_factors=3,
        reg=0.5,
        alpha=5.0,
        n_iterations=300,
        reg_exponent=exponent,
        confidence="counts",
    ).fit(data)

    def solution(table: np.ndarray, given: np.ndarray, power: float = exponent) -> np.ndarray:
        return solved(table, given, 5.0, 0.5 * (1 + 5 * table.mean(axis=1)) ** power)

    logged = np.log1p(r)
    for side, table, mine, given in (
        ("a user", r, als.user_factors_, als.item_factors_),
        ("an item", r.T, als.item_factors_, als.user_factors_),
    ):
        wrong = {
            "λ does not grow with the mean confidence: reg_exponent has no effect": solution(
                table, given, 0.0
            ),
            "λ grows in proportion to the mean confidence: reg_exponent has no effect": solution(
                table, given, 1.0
            ),
            "r was replaced by its logarithm, and c = 1 + alpha r says nothing of one": solution(
                logged if side == "a user" else logged.T, given
            ),
        }
        expect.equal(
            mine,
            solution(table, given),
            f"after 300 iterations the vector of {side} solves its normal "
            f"equations: c = 1 + 5 r, and λ = 0.5 times its mean confidence to the power of {exponent:g}",
            abs=2e-3,
            mistakes=wrong,
        )


@pytest.mark.needs("penalties", "half_step", "conjugate_gradients", "ImplicitALS._fit")
def test_steps_and_seed_arrive(answer: ModuleType) -> None:
    """One step of the solver is not thirty, the same seed repeats, and another seed starts elsewhere."""
    data = from_matrix(small()[0].toarray())

    def fit(**settings: int) -> np.ndarray:
        return (
            answer.ImplicitALS(**{"n_factors": 3, "reg": 0.5, "n_iterations": 1, **settings})
            .fit(data)
            .item_factors_
        )

    apart = np.abs(fit(n_steps=1) - fit(n_steps=30)).max()
    expect.true(
        apart > 1e-3,
        "after one iteration, one step of the conjugate gradients is not yet the solution that "
        "thirty give: equal factors mean that n_steps never arrives",
        largest_difference=apart,
    )
    expect.equal(fit(seed=3), fit(seed=3), "the same seed gives the same factors", abs=1e-6)
    apart = np.abs(fit(seed=3) - fit(seed=4)).max()
    expect.true(
        apart > 1e-3,
        "another seed draws other first item factors, and after one iteration that still shows",
        largest_difference=apart,
    )


@pytest.mark.needs("penalties", "half_step", "conjugate_gradients", "ImplicitALS._fit")
def test_who_met_nothing_has_no_taste(answer: ModuleType) -> None:
    """A user without events and an item without an audience get factors of exactly zero."""
    als = answer.ImplicitALS(n_factors=3, reg=0.5).fit(from_matrix(small()[0].toarray()))
    expect.equal(
        als.user_factors_[4],
        np.zeros(3),
        "user 4 met nothing, so the right side of the equations is 0, and the vector too",
        abs=0,
    )
    expect.true(
        np.abs(als.item_factors_[5]).max() < 1e-6,
        "nobody met item 5, so its vector is zero once it has been "
        "solved for; a random one was "
        "never",
        item_5=als.item_factors_[5],
    )
    expect.true(
        np.abs(als.user_factors_).max() > 0.1,
        "the other users' vectors are not zero: start the items from "
        "small random numbers, for from zeros nothing ever moves",
        largest=np.abs(als.user_factors_).max(),
    )
    expect.true(
        (als.score([4]) == 0).all(),
        "user 4 gets scores of 0: no taste is made up for who met nothing",
        scores=als.score([4]),
    )


@pytest.mark.needs("half_step", "conjugate_gradients")
def test_blocks_change_nothing(answer: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """Solved in blocks of one row or all together, the factors are the same."""
    r, x, y = small()
    reg = np.ones(7, np.float32)
    whole = answer.half_step(x, y, r, 2.0, reg, 3)
    monkeypatch.setattr(sys.modules[answer.ImplicitALS.__module__], "GATHERED_AT_ONCE", 1)
    expect.equal(
        answer.half_step(x, y, r, 2.0, reg, 3),
        whole,
        "a row's vector is the same whichever rows are in its block: places that only fill up a block have "
        "weight 0, and each row has its own λ",
        abs=1e-5,
    )


@pytest.mark.needs(
    "penalties", "half_step", "conjugate_gradients", "ImplicitALS._fit", "ImplicitALS.fold_in"
)
@pytest.mark.parametrize("exponent", [0.0, 1.0])
def test_a_new_user_is_folded_in_by_the_same_equations(answer: ModuleType, exponent: float) -> None:
    """A user who comes later gets the vector that the normal equations give, and leaves the model as it was."""
    data = from_matrix(small(counts=False)[0].toarray())
    als = answer.ImplicitALS(n_factors=3, reg=0.5, alpha=4.0, reg_exponent=exponent).fit(data)
    before = als.item_factors_.copy()
    row = np.isin(np.arange(9), [1, 2, 7])
    penalty = 0.5 * (1 + 4 * 3 / 9) ** exponent

    def with_price(value: float) -> np.ndarray:
        return solved(row[None], before, 4.0, np.array([value]))[0]

    expect.equal(
        als.fold_in([7, 1, 2, 1]),
        with_price(penalty),
        "a newcomer's vector solves the same equations as everybody's, with the λ of a row of three items: an "
        "item named twice was met once",
        abs=1e-4,
        mistakes={
            "λ is reg itself here: it follows the newcomer's mean confidence": with_price(0.5),
            "there is hardly any penalty: it is the one of the fit": with_price(0.1 * penalty),
            "item 1, named twice, counts twice": solved(
                (row + (np.arange(9) == 1))[None],
                before,
                4.0,
                np.array([0.5 * (1 + 4 * 4 / 9) ** exponent]),
            )[0],
            "this is the mean of the items' vectors": before[row].mean(axis=0),
            "nothing was solved": np.zeros(3),
        },
    )
    expect.equal(
        als.item_factors_,
        before,
        "the items stay as they are when somebody is folded in: a visitor changes "
        "nothing for the others",
        abs=0,
        rel=0,
    )
    with expect.error(
        KeyError,
        "items holds 1 unknown",
        "an item that was not there at `fit` has no vector to learn "
        "from, and is refused by its name",
    ):
        als.fold_in([99])


# --- pairwise ranking -----------------------------------------------------------------------------


@pytest.mark.needs("bpr_loss")
def test_the_pairwise_loss_is_worked_out_by_hand(answer: ModuleType) -> None:
    """The loss is -log sigmoid(positive - negative), the mean over the negatives; the level of scores is free."""
    scores = np.array(
        [[2.0, 1.0, 3.0], [0.5, 0.5, 0.5], [500.0, 0.0, 0.0], [-500.0, 0.0, 0.0]], np.float32
    )
    labels = np.tile(np.array([1.0, 0.0, 0.0], np.float32), (4, 1))
    found = np.array(answer.bpr_loss(labels, scores))
    first = (-np.log(1 / (1 + np.exp(-1))) - np.log(1 / (1 + np.exp(1)))) / 2
    expect.equal(
        str(found.shape),
        "(4,)",
        "the loss has one number for each row: Keras takes the mean over the batch",
        mistakes={
            "one number is left for the whole batch": "()",
            "the negatives were not averaged": "(4, 3)",
            "an axis of length 1 is left over": "(4, 1)",
        },
    )
    expect.true(
        np.isfinite(found),
        "the loss is finite however far apart the scores lie: exp(500) overflows, softplus "
        "knows what to do",
        loss=found,
    )
    log2 = np.log(2)
    expect.equal(
        found,
        [first, log2, 0, 500],
        "the loss of a row is -log σ(positive - negative), averaged over its two negatives: log 2 where it "
        "cannot tell, 0 where it is right by far",
        abs=1e-5,
        mistakes={
            "the sign is wrong: the loss must fall as the positive rises above the negatives": [
                first,
                log2,
                500,
                0,
            ],
            "the positive is among its own negatives: average where the label is 0": [
                (2 * first + log2) / 3,
                log2,
                log2 / 3,
                (1000 + log2) / 3,
            ],
            "the positive's place was averaged over, too: divide by the number of negatives": [
                2 * first / 3,
                2 * log2 / 3,
                0,
                1000 / 3,
            ],
            "each item is judged by itself: that is cross-entropy, and the loss here is of differences": (
                np.logaddexp(0, scores[:, 1:]) + np.logaddexp(0, -scores[:, :1])
            ).mean(axis=1),
            "the losses of the negatives were summed, not averaged": [2 * first, 2 * log2, 0, 1000],
            "the logarithm is missing: a sigmoid is flat where the order is "
            "worst, and teaches nothing there": [0.5, 0.5, 0, 1],
        },
    )
    expect.equal(
        answer.bpr_loss(labels, scores + 7),
        found,
        "adding 7 to all scores of a row changes no ranking, and "
        "so not the loss: only differences count",
        abs=1e-4,
    )
    moved = np.array(answer.bpr_loss(labels[:, [1, 0, 2]], scores[:, [1, 0, 2]]))
    expect.equal(
        moved,
        found,
        "the label says which item is the positive, wherever it stands: sum(labels * scores), "
        "not the first column",
        abs=1e-5,
    )


@pytest.mark.needs("bpr_loss", "BPR.build")
def test_the_gradient_is_worked_out_by_hand(answer: ModuleType) -> None:
    """The loss moves p by -(1 - σ)(q_i - q_j), q_i by -(1 - σ) p, q_j against it, and the two biases apart."""
    keras.utils.set_random_seed(0)
    model = answer.BPR(n_factors=3, reg=0.0, init_scale=1.0).build(from_matrix(np.ones((4, 5))))
    tables = {
        layer.name: layer.embeddings
        for layer in model.layers
        if isinstance(layer, keras.layers.Embedding)
    }
    expect.equal(
        ", ".join(sorted(tables)),
        "bias, item, user",
        "there are three tables, by the names under which `fit` looks them up: user, item, and bias, one "
        "number for each item",
        mistakes={"there is no item bias: popularity has to be said by the vectors": "item, user"},
    )
    tables["bias"].assign(np.arange(5.0)[:, None] / 5)
    user, i, j = 2, 4, 1
    with tf.GradientTape() as tape:
        scores = model({"user_id": tf.constant([user]), "item_id": tf.constant([[i, j]])})
        loss = tf.reduce_sum(answer.bpr_loss(tf.constant([[1.0, 0.0]]), scores))
    slopes = dict(
        zip(
            tables,
            (
                tf.convert_to_tensor(g).numpy()
                for g in tape.gradient(
                    loss,
                    [t.value for t in tables.values()],
                    unconnected_gradients=tf.UnconnectedGradients.ZERO,
                )
            ),
            strict=True,
        )
    )
    p, qi, qj = tables["user"].numpy()[user], tables["item"].numpy()[i], tables["item"].numpy()[j]
    difference = p @ (qi - qj) + (i - j) / 5
    gap = np.array(scores)[0, 0] - np.array(scores)[0, 1]
    expect.equal(
        gap,
        difference,
        "two items of a user differ by p · (q_i - q_j) + b_i - b_j: "
        "a score is affinity plus popularity",
        abs=1e-5,
        mistakes={
            "the item bias is missing": p @ (qi - qj),
            "only the item bias is there: everybody gets the same list": (i - j) / 5,
            "the bias is subtracted": p @ (qi - qj) - (i - j) / 5,
            "the items have changed places": -difference,
        },
    )
    miss = 1 / (1 + np.exp(difference))  # 1 - σ(difference)
    expect.equal(
        slopes["user"][user],
        -miss * (qi - qj),
        "the user is moved towards q_i and away from q_j, by 1 - σ of their "
        "difference: the more, the worse the order",
        abs=1e-5,
        mistakes={
            "the loss is upside down: it falls as the positive sinks below the negative": (1 - miss)
            * (qi - qj),
            "the sign is wrong: the slope points the other way": miss * (qi - qj),
            "the weight is σ, not 1 - σ: what is right already would teach most": -(1 - miss)
            * (qi - qj),
        },
    )
    expect.equal(
        slopes["item"][i],
        -miss * p,
        "the item that was met is moved towards its user",
        abs=1e-5,
        mistakes={"it is moved away: the sign is wrong": miss * p},
    )
    expect.equal(
        slopes["item"][j],
        miss * p,
        "the item that was not met is moved away from the user, just as far",
        abs=1e-5,
        mistakes={"the negative gets no gradient": np.zeros(3)},
    )
    expect.equal(
        slopes["bias"][:, 0],
        [0, miss, 0, 0, -miss],
        "the bias of the item that was met rises, that of the other falls, and nobody else's moves",
        abs=1e-5,
        mistakes={"the item bias gets no gradient": np.zeros(5)},
    )


@pytest.mark.needs("bpr_loss", "BPR.build")
def test_fit_takes_rows_of_items_and_their_labels(answer: ModuleType) -> None:
    """`fit({"user_id": u, "item_id": rows}, labels)` learns to put each row's labelled item first."""
    keras.utils.set_random_seed(0)
    model = answer.BPR(n_factors=4, learning_rate=0.2, reg=0.0).build(from_matrix(np.ones((4, 4))))
    rows = {
        "user_id": np.arange(4, dtype=np.int32),
        "item_id": np.tile(np.arange(4, dtype=np.int32), (4, 1)),
    }
    loss = model.fit(rows, np.eye(4, dtype=np.float32), epochs=25, batch_size=4, verbose=0).history[
        "loss"
    ]
    expect.equal(
        loss[0],
        np.log(2),
        "before it has learned, the model cannot tell positive from negative, and the "
        "loss is log 2: vectors start small and biases from 0",
        abs=0.05,
        rel=0,
    )
    expect.true(
        loss[-1] < 0.1,
        "25 epochs on four rows bring the loss near 0: the model is compiled with bpr_loss and "
        "Adam at the learning_rate given, and a loss that rises has the wrong sign",
        first=loss[0],
        last=loss[-1],
    )
    expect.equal(
        model.predict(rows, verbose=0).argmax(axis=1),
        np.arange(4),
        "each user's own item comes first in the end, as its label says",
    )


@pytest.mark.needs("bpr_loss", "BPR.build")
def test_served_scores_are_the_models(answer: ModuleType, bpr: Any) -> None:
    """`score` gives what the Keras model gives: vectors and item bias together."""
    pairs = {"user_id": np.repeat(np.arange(3), 60), "item_id": np.tile(np.arange(60), 3)}
    expected = bpr.model_.predict(pairs, verbose=0).reshape(3, 60)
    expect.equal(
        bpr.score([0, 1, 2]),
        expected,
        "what is served is what was trained: vectors and item bias together",
        abs=1e-4,
        mistakes={
            "the item bias was learned and left out": bpr.user_factors_[:3] @ bpr.item_factors_.T
        },
    )
    expect.true(
        np.ptp(expected.mean(axis=0)) > 1,
        "popular items score higher with everybody: that is what the bias is for",
        spread_of_the_items_means=np.ptp(expected.mean(axis=0)),
    )


@pytest.mark.needs("bpr_loss", "BPR.build")
def test_what_was_met_ranks_above_what_was_not(bpr: Any, tastes: tuple) -> None:
    """Of the training triples (user, met, not met), more than nine in ten are in the right order; the loss fell."""
    data = tastes[0]
    scores, met = bpr.score(data.user_ids.ids), data.matrix().toarray() > 0
    right = [np.mean(row[m][:, None] > row[~m]) for row, m in zip(scores, met, strict=True)]
    share = np.average(right, weights=met.sum(1) * (~met).sum(1))
    expect.true(
        share > 0.9,
        "of a user's pairs, one item met and one not, nine in ten are in the right order after "
        "training on them: below a half, the loss has the wrong sign",
        share_in_order=share,
    )
    loss = bpr.history_["loss"]
    expect.equal(len(loss), 15, "history_ has one loss for each of 15 epochs")
    expect.true(
        loss[-1] < 0.6 * loss[0],
        "the loss falls by two fifths at least over 15 epochs",
        first=loss[0],
        last=loss[-1],
    )


@pytest.mark.needs(
    "penalties", "half_step", "conjugate_gradients", "ImplicitALS._fit", "bpr_loss", "BPR.build"
)
@pytest.mark.parametrize("name", ["ALS", "BPR"])
def test_it_ranks_beyond_popularity(
    answer: ModuleType, request: pytest.FixtureRequest, tastes: tuple, name: str
) -> None:
    """Of two equally popular items, the one of the user's own taste ranks first: popularity would toss a coin."""
    data, users, items = tastes
    fitted = (
        answer.ImplicitALS(n_factors=4).fit(data)
        if name == "ALS"
        else request.getfixturevalue("bpr")
    )
    scores = fitted.score(data.user_ids.ids)
    twin = items ^ 1
    assert (data.popularity[items] > data.popularity[twin]).mean() == pytest.approx(
        0.5, abs=0.12
    ), "the test itself is fair: popularity knows nothing of tastes"
    share = (scores[users, items] > scores[users, twin]).mean()
    expect.true(
        share > 0.9,
        f"of twins equally popular, {name} ranks the one of the user's own taste first, nine "
        "times in ten: a half is what popularity reaches, by a coin",
        share_right=share,
    )


@pytest.mark.needs("bpr_loss", "BPR.build")
def test_a_user_without_events_is_served_by_popularity(answer: ModuleType) -> None:
    """The item bias learns popularity, and who met nothing is ranked by it alone."""
    audience = np.arange(1, 11)  # item i was met by i + 1 of 12 users, in turn
    matrix = np.array(
        [[(u - 5 * i) % 12 < n for i, n in enumerate(audience)] for u in range(12)], float
    )
    recommender = answer.BPR(n_factors=4, n_epochs=10, batch_size=32, learning_rate=0.05)
    scores = recommender.fit(from_matrix(np.vstack([matrix, np.zeros(10)]))).score([12])[0]
    expect.equal(
        scores,
        recommender.item_bias_,
        "who met nothing is ranked by the item bias alone: a vector that was "
        "never moved is random, and nobody's taste",
        abs=1e-6,
    )
    correlation = np.corrcoef(scores, audience)[0, 1]
    expect.true(
        correlation > 0.9,
        "the item bias has learned popularity: each event raises "
        "it, each sampled negative lowers it",
        correlation=correlation,
    )


@pytest.mark.data
@pytest.mark.needs(
    "penalties", "half_step", "conjugate_gradients", "ImplicitALS._fit", "bpr_loss", "BPR.build"
)
@pytest.mark.parametrize(("name", "floor"), [("ImplicitALS", 0.2067), ("BPR", 0.18)])
def test_movielens_bars(
    answer: ModuleType, ml100k: Dataset, on_movielens: Callable, name: str, floor: float
) -> None:
    """On MovieLens-100K (P1), NDCG@10 reaches that of the best public implementations; popularity has 0.119."""
    parts = split(ml100k, "P1")
    reached = evaluate(on_movielens(name), parts).metrics["ndcg@10"]
    expect.true(
        reached > floor - 5e-5,
        f"{name} ranks MovieLens-100K as well as the best public implementations do; "
        "popularity reaches 0.119",
        ndcg_at_10=reached,
        at_least=floor,
    )
