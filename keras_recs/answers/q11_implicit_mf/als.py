"""Question 11, weighted least squares: `ImplicitALS`.

Every pair counts. The target is 1 where the user met the item and 0 elsewhere; the confidence in it
is 1 everywhere, and more where something was observed:

    J = Σ_{all u, i} c[u, i] (t[u, i] - x[u] · y[i])² + Σ_u λ[u] |x[u]|² + Σ_i λ[i] |y[i]|²
    c[u, i] = 1 + α r[u, i],    t[u, i] = 1 if r[u, i] > 0 else 0

With the items fixed, J falls apart into one ridge regression for each user, whose solution is in
closed form:

    (YᵀY + α Σ_{i of u} r y[i] y[i]ᵀ + λ[u] I) x[u] = Σ_{i of u} (1 + α r) y[i]

The sum over all items, YᵀY, is the same for everybody; only what the user met is added to it.

Sources: Hu, Koren & Volinsky (2008), "Collaborative Filtering for Implicit Feedback Datasets";
Rendle et al. (2021), "Revisiting the Performance of iALS on Item Recommendation Benchmarks";
Takács, Pilászy & Tikk (2011), "Applications of the conjugate gradient method for implicit feedback
collaborative filtering".
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from scipy import sparse
from threadpoolctl import ThreadpoolController

from keras_recs.core.factors import FactorRecommender
from keras_recs.core.heart import heart
from keras_recs.core.hyperparameters import Count, NotNegative, Positive, Seed, Share
from keras_recs.data.dataset import Dataset
from keras_recs.utils.progress import progress

#: Numbers in one block of gathered vectors: 2 MiB, which a processor's cache holds.
GATHERED_AT_ONCE = 1 << 19
THREADS = ThreadpoolController()


@heart(
    "The weighted squared errors over all pairs plus the penalties, without a table of all pairs."
)
def objective(
    x: np.ndarray,
    y: np.ndarray,
    r: sparse.csr_array,
    alpha: float,
    x_reg: np.ndarray,
    y_reg: np.ndarray,
) -> float:
    """J. Pairs without an event are never listed: Σ_all (x[u] · y[i])² is the inner product of XᵀX
    and YᵀY.

    Args:
        x, y: factors, (n_users, n_factors) and (n_items, n_factors).
        r: (n_users, n_items), what was observed.
        x_reg, y_reg: λ of each user and item.

    Memory: two vectors for each event.
    """
    users, items = r.tocoo().coords
    score = np.einsum("nf,nf->n", x[users], y[items])  # (n_observed,)
    # all pairs as if nothing had been observed: target 0, confidence 1
    unobserved = ((x.T @ x) * (y.T @ y)).sum()
    # what the observed ones cost more than that: target 1, confidence 1 + α r
    observed = ((1 + alpha * r.data) * (1 - score) ** 2 - score**2).sum()
    l2_penalty = x_reg @ (x**2).sum(axis=1) + y_reg @ (y**2).sum(axis=1)
    return float(unobserved + observed + l2_penalty)


@heart("For each row, reg times its mean confidence over all columns to the power of exponent.")
def penalties(r: sparse.csr_array, alpha: float, reg: float, exponent: float) -> np.ndarray:
    """λ of each row of `r`: `reg`, scaled by how much the row weighs in J (after Rendle et al.
    2021)."""
    mean_confidence = 1 + alpha * np.asarray(r.sum(axis=1)) / r.shape[1]  # 1 without any event
    return (reg * mean_confidence**exponent).astype(np.float32)


@heart(
    "YᵀY once, diagonal in the basis of its eigenvectors; then each block's normal equations, "
    "solved from x."
)
@THREADS.wrap(limits=1, user_api="blas")  # its own threads would be in the way of ours
def half_step(
    x: np.ndarray, y: np.ndarray, r: sparse.csr_array, alpha: float, reg: np.ndarray, n_steps: int
) -> np.ndarray:
    """The `x` that minimises J for fixed `y`, each row on its own: (n_rows, n_factors).

    Args:
        x: where the solver starts.
        reg: λ of each row.
        n_steps: of the conjugate gradients.
    """
    # what all rows share, in the basis in which it is diagonal
    shared, basis = np.linalg.eigh(y.T @ y)  # YᵀY = basis · diag(shared) · basisᵀ
    x = x @ basis
    y = y @ basis

    def solve(rows: np.ndarray) -> None:
        # the normal equations of some rows: (D + Zᵀ diag(α r) Z) x = Σ (1 + α r) y
        met, weight = gather(y, r, rows)  # (n_rows, n_met, n_factors), (n_rows, n_met)
        confidence = np.where(weight > 0, 1 + alpha * weight, 0)
        target = (confidence[:, None, :] @ met)[:, 0]  # (n_rows, n_factors)
        diagonal = np.maximum(shared, 0) + reg[rows, None]  # (n_rows, n_factors)
        x[rows] = conjugate_gradients(x[rows], met, alpha * weight, target, diagonal, n_steps)

    # no two blocks share a row, and NumPy runs beside itself
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(solve, blocks(np.diff(r.indptr), y.shape[1])))
    return x @ basis.T


@heart(
    "For all rows at once: step along the direction, update the residual, divide it by the "
    "diagonal, turn."
)
def conjugate_gradients(
    x: np.ndarray,
    met: np.ndarray,
    extra: np.ndarray,
    target: np.ndarray,
    diagonal: np.ndarray,
    n_steps: int,
) -> np.ndarray:
    """Solves (D + Zᵀ diag(extra) Z) x = target from `x`, each row with its own D and Z,
    preconditioned by D.

    Divided by D, the matrix has eigenvalues between 1 and 1 + α max(r): what one row met cannot add
    up to more than all there is. So a few steps are enough, however badly conditioned YᵀY is.

    Args:
        x, target, diagonal: (n_rows, n_factors).
        met: Z, (n_rows, n_met, n_factors).
        extra: α r, (n_rows, n_met); 0 in places that only fill up.
    """

    def times(p: np.ndarray) -> np.ndarray:
        affinity = (met @ p[:, :, None])[:, :, 0]  # (n_rows, n_met)
        return diagonal * p + ((extra * affinity)[:, None, :] @ met)[:, 0]  # (n_rows, n_factors)

    def inner(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return np.einsum("rf,rf->r", a, b)[:, None]  # (n_rows, 1)

    tiny = np.finfo(np.float32).tiny  # who has arrived divides 0 by this
    residual = target - times(x)
    direction = residual / diagonal
    size = inner(residual, direction)
    for _ in range(n_steps):
        # as far along the direction as lowers the error most
        image = times(direction)
        step = size / np.maximum(inner(direction, image), tiny)
        x = x + step * direction
        residual = residual - step * image
        # the next direction: what is left, preconditioned, less what was done already
        scaled = residual / diagonal
        before = size
        size = inner(residual, scaled)
        direction = scaled + size / np.maximum(before, tiny) * direction
    return x


def blocks(lengths: np.ndarray, n_factors: int) -> Iterator[np.ndarray]:
    """Rows in blocks of similar length, so that little is gathered only to fill up; each block
    bounded in size."""
    order = np.argsort(-lengths, kind="stable")
    start = 0
    while start < len(order):
        size = max(1, GATHERED_AT_ONCE // (max(1, lengths[order[start]]) * n_factors))
        yield order[start : start + size]
        start += size


def gather(y: np.ndarray, r: sparse.csr_array, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Vectors of what each row met, (n_rows, n_met, n_factors), and its r, (n_rows, n_met), 0 where
    a row is over."""
    start, length = r.indptr[rows, None], np.diff(r.indptr)[rows, None]
    slot = np.arange(max(1, length.max()))
    place = np.minimum(start + slot, r.nnz - 1)
    return y[r.indices[place]], np.where(slot < length, r.data[place], 0)


def confidence_of(r: sparse.csr_array, share: float = 0.05) -> float:
    """The α with which α Σ r is `share` of the number of all pairs, and at least 1.

    >>> confidence_of(sparse.csr_array(np.eye(200, dtype=np.float32)))  # 1 pair in 200
    10.0
    """
    n_rows, n_columns = r.shape
    return max(1.0, share * n_rows * n_columns / float(r.sum(dtype=np.float64)))


def penalty_for(alpha: float) -> float:
    """λ that suits this α: 10 at 1 or below, 20 √α where α is large, and quickly from the one to
    the other.

    A rule of thumb. λ has to stand against what a row's events add up to by chance: n events of
    weight α scatter by about α √n. With α Σ r fixed, n falls as 1 / α, and that grows as √α. The
    numbers are fitted: 10 was chosen on a validation slice of MovieLens-100K, 20 on planted logs
    (`benchmarks/floors.py`).
    """
    alpha = max(1.0, alpha)
    return 10.0 * min(alpha**2, 2 * alpha**0.5)


@dataclass(eq=False, repr=False)
class ImplicitALS(FactorRecommender):
    """Weighted matrix factorisation of implicit feedback by alternating least squares.

    Scores are meant to be 1 for what a user met and 0 for the rest.

    Args:
        n_factors: length of the vectors.
        reg: λ, in units of J: a row whose events weigh less is mostly penalty. None for 10, and
            more where α is above 1 (`penalty_for`). Choose it on a validation slice: how much suits
            follows from how much structure there is, which no count of events shows. Twice as much
            was better on planted logs, and much worse on cinema.
        alpha: α, how much more an observed pair counts than another; 0 weighs all pairs alike. None
            for as much as the log is sparse: with α fixed, what was observed has the less say in J,
            the less there is of it. It is 1 on a log that has 5 % of all pairs or more, as
            MovieLens-100K has, and grows so that α times what was observed stays 5 %.
        n_iterations: each solves for all users, then for all items.
        reg_exponent: λ of a row grows with its mean confidence to this power; 0 for one λ, 1 in
        proportion. n_steps: steps of the conjugate gradients in each solve; they start from the
        solve before. confidence: what r is: "binary" (met or not), "counts" (how often) or
        "ratings" (the latest). seed: of the first item factors.

    Attributes:
        alpha_, reg_: α and λ, as given or as chosen.
        user_factors_, item_factors_: x, y.

    >>> from keras_recs.data import from_matrix
    >>> data = from_matrix([[1, 1, 0], [1, 1, 0], [0, 1, 1], [1, 0, 0]])
    >>> als = ImplicitALS(n_factors=2, reg=0.1).fit(data)
    >>> als.recommend([3], k=1).items.tolist()
    [[1]]
    """

    n_factors: Count = 192
    reg: Positive | None = None
    alpha: NotNegative | None = None
    n_iterations: Count = 15
    reg_exponent: Share = 1.0
    n_steps: Count = 3
    confidence: Literal["binary", "counts", "ratings"] = "binary"
    seed: Seed = 0

    @heart(
        "Small random item factors; then, in turn, all users for these items and all items for "
        "these users."
    )
    def _fit(self, data: Dataset) -> None:
        r = data.matrix(self.confidence)
        if r.data.min() <= 0:
            raise ValueError(
                f"confidence={self.confidence!r} needs values above 0, got {r.data.min():g}"
            )
        self.alpha_ = confidence_of(r) if self.alpha is None else self.alpha
        self.reg_ = penalty_for(self.alpha_) if self.reg is None else self.reg
        # λ grows with how much a user or an item weighs
        by_item = r.T.tocsr()
        user_reg = penalties(r, self.alpha_, self.reg_, self.reg_exponent)
        item_reg = penalties(by_item, self.alpha_, self.reg_, self.reg_exponent)
        # small random items; the users follow from them
        rng = np.random.default_rng(self.seed)
        x = np.zeros((data.n_users, self.n_factors), np.float32)
        y = rng.standard_normal((data.n_items, self.n_factors), np.float32)
        y *= 0.1 / self.n_factors**0.5
        for _ in progress(range(self.n_iterations), description="alternating least squares"):
            x = half_step(x, y, r, self.alpha_, user_reg, self.n_steps)
            y = half_step(y, x, by_item, self.alpha_, item_reg, self.n_steps)
        self.user_factors_ = x
        self.item_factors_ = y

    @heart("The half step for one new row: what the user met, its own λ, from zero.")
    def fold_in(self, items: Any) -> np.ndarray:
        """The vector, (n_factors,), of somebody who was not there at `fit` and has met `items`
        (ids) once each.

        Nothing else changes; `item_factors_ @ vector` are the scores. With r = 1 for each of the
        items.

        Raises:
            KeyError: an unknown item.
        """
        self._check_fitted()
        columns = np.unique(self._item_ids.index("items", items))
        n_items = len(self.item_factors_)
        r = sparse.csr_array(
            (np.ones(len(columns), np.float32), columns, [0, len(columns)]), shape=(1, n_items)
        )
        nobody = np.zeros((1, self.n_factors), np.float32)
        return half_step(
            nobody,
            self.item_factors_,
            r,
            self.alpha_,
            penalties(r, self.alpha_, self.reg_, self.reg_exponent),
            n_steps=50,
        )[0]
