"""Question 5. Implement a matrix-factorisation recommender from scratch.

A rating is taken apart into an average, two biases and the affinity of two short vectors:

    r̂[u, i] = μ + b[u] + c[i] + p[u] · q[i]

Only the ratings that exist are fitted. The mean of the squared errors alone would let a user with
three ratings be learned by heart, so every observed rating also brings an L2 penalty of the
parameters that it uses:

    L = ½ Σ_observed (r - r̂)²  +  ½ λ Σ_observed (b[u]² + c[i]² + |p[u]|² + |q[i]|²)

Mini-batch gradient descent on L, in plain NumPy. The slope of a row is the sum over its ratings in
the batch, so a user with many of them can step too far and diverge: `bounded` shortens that step,
row by row, to what the curvature allows.

Sources: Funk (2006), "Netflix Update: Try This at Home";
Koren, Bell & Volinsky (2009), "Matrix Factorization Techniques for Recommender Systems".
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from keras_recs.core.factors import cosines
from keras_recs.core.heart import heart
from keras_recs.core.hyperparameters import Count, NotNegative, Positive, PositiveShare, Seed
from keras_recs.core.recommender import Recommender
from keras_recs.data.dataset import Dataset
from keras_recs.utils.progress import progress

TINY = 1e-12  # a row without ratings in the batch has no curvature, and no slope either


@dataclass
class Parameters:
    """What is learned, and, in the same shape, the gradient with respect to it.

    The user's and the item's side look alike: `bias` (n,) and `factors` (n, n_factors).
    """

    user_bias: np.ndarray
    item_bias: np.ndarray
    user_factors: np.ndarray
    item_factors: np.ndarray

    @classmethod
    def random(
        cls, n_users: int, n_items: int, n_factors: int, scale: float, rng: np.random.Generator
    ) -> Parameters:
        """Biases at zero, factors small and random: at exactly zero, the two gradients would be
        zero for ever."""

        def factors(n: int) -> np.ndarray:
            return rng.normal(0, scale, (n, n_factors)).astype(np.float32)

        return cls(
            np.zeros(n_users, np.float32),
            np.zeros(n_items, np.float32),
            factors(n_users),
            factors(n_items),
        )


@heart("Add up the mean, the two biases and the affinity of each pair.")
def predict(theta: Parameters, mean: float, users: np.ndarray, items: np.ndarray) -> np.ndarray:
    """r̂ of pairs: (n,)."""
    # p[u] · q[i], row with row
    affinity = np.einsum("nf,nf->n", theta.user_factors[users], theta.item_factors[items])
    return mean + theta.user_bias[users] + theta.item_bias[items] + affinity


@heart(
    "Half the squared errors plus half of reg times the squared parameters, over the observed "
    "ratings."
)
def loss(
    theta: Parameters,
    mean: float,
    users: np.ndarray,
    items: np.ndarray,
    ratings: np.ndarray,
    reg: float,
) -> float:
    """L over these ratings (the sum, not the mean)."""
    errors = ratings - predict(theta, mean, users, items)  # (n,)
    # the L2 penalty: what each rating uses counts once for each rating
    penalty = (
        theta.user_bias[users] ** 2
        + theta.item_bias[items] ** 2
        + (theta.user_factors[users] ** 2).sum(1)
        + (theta.item_factors[items] ** 2).sum(1)
    )
    return 0.5 * float((errors**2).sum() + reg * penalty.sum())


@heart("The derivative of the loss with respect to every parameter, all at the same theta.")
def gradient(
    theta: Parameters, users: np.ndarray, items: np.ndarray, errors: np.ndarray, reg: float
) -> Parameters:
    """∂L/∂θ from the errors e = r - r̂ of these ratings, every part taken at the same θ.

    The errors stand in a sparse matrix E with a row per user and a column per item. One product
    with the other side's factors then adds up, for all users at once, what a loop over ratings
    would add one by one:

        ∂L/∂p[u] = -Σ_i e[u, i] q[i] + λ n[u] p[u]        that is, -E Q + λ diag(n) P
    """
    # the errors in the places of their ratings
    n_users, n_items = len(theta.user_bias), len(theta.item_bias)
    error = sparse.csr_array((errors, (users, items)), shape=(n_users, n_items))
    # the L2 penalty counts once for each rating
    user_reg = reg * np.bincount(users, minlength=n_users).astype(errors.dtype)  # λ n[u]
    item_reg = reg * np.bincount(items, minlength=n_items).astype(errors.dtype)
    return Parameters(
        user_bias=user_reg * theta.user_bias - error.sum(axis=1),  # (n_users,)
        item_bias=item_reg * theta.item_bias - error.sum(axis=0),  # (n_items,)
        # (n_users, n_factors) and (n_items, n_factors)
        user_factors=user_reg[:, None] * theta.user_factors - error @ theta.item_factors,
        item_factors=item_reg[:, None] * theta.item_factors - error.T @ theta.user_factors,
    )


@heart("Move every part of theta against its slope, in place.")
def descend(theta: Parameters, slope: Parameters, step: np.floating) -> None:
    """One step downhill, in place."""
    # all four parts, or what is left out stays random
    theta.user_bias -= step * slope.user_bias
    theta.item_bias -= step * slope.item_bias
    theta.user_factors -= step * slope.user_factors
    theta.item_factors -= step * slope.item_factors


def bounded(
    slope: Parameters,
    theta: Parameters,
    users: np.ndarray,
    items: np.ndarray,
    reg: float,
    step: np.floating,
) -> Parameters:
    """`slope`, shortened in place in those rows where `step` times the slope would overshoot.

    Why: the slope of a row is a *sum* over its ratings in the batch, and so is the curvature of L
    along it. One rating adds at most the squared length of ∂r̂/∂θ, plus λ:

        h = 1 + 1 + |p[u]|² + |q[i]|² + λ

    With r̂ taken as linear in θ (Gauss-Newton), steps of up to 2 / Σ h cannot diverge, whoever else
    moves at the same time. Half of that is allowed: what is left is for the curvature of p · q
    itself, at most |e| for a rating. A row with a few ratings in the batch is never shortened; one
    that fills it is.
    """
    user_lengths = np.einsum("nf,nf->n", theta.user_factors, theta.user_factors)
    item_lengths = np.einsum("nf,nf->n", theta.item_factors, theta.item_factors)
    curvature = 2 + user_lengths[users] + item_lengths[items] + reg  # (n,)
    for owner, bias, factors in (
        (users, slope.user_bias, slope.user_factors),
        (items, slope.item_bias, slope.item_factors),
    ):
        # as a multiple of `step`
        most = 1 / (step * np.maximum(np.bincount(owner, curvature, len(bias)), TINY))
        rows = np.flatnonzero(most < 1)
        bias[rows] *= most[rows]
        factors[rows] *= most[rows, None]
    return slope


@dataclass(eq=False, repr=False)
class BiasedMF(Recommender):
    """Biased matrix factorisation of explicit ratings by mini-batch gradient descent.

    `predict` gives ratings, unclipped; `score` and `recommend` rank by them.

    Ratings are learned in standard units, minus their mean and divided by their standard deviation,
    so that the hyperparameters mean the same on a scale of 1 to 5 and of 0 to 100. What is
    predicted and stored is in the ratings' own unit again.

    Args:
        n_factors: length of the vectors p and q.
        reg: λ, the L2 penalty of biases and vectors, once for each rating.
        learning_rate: step size in the first epoch. It acts on the *sum* over a batch, except for
            rows with so many ratings in the batch that they would overshoot: their step is as long
            as is safe (`bounded`).
        decay: factor on the step size from one epoch to the next.
        n_epochs: passes over the ratings.
        batch_size: ratings in one step.
        init_scale: standard deviation of the first factors, in standard units.
        seed: of the first factors and of the order of the ratings.

    Attributes:
        mean_, user_bias_, item_bias_, user_factors_, item_factors_: μ, b, c, p, q.
        history_: "rmse" -> training RMSE of each epoch, measured while it ran.

    >>> from keras_recs.data import from_matrix
    >>> data = from_matrix([[5, 4, 0], [4, 0, 1], [0, 4, 1]])
    >>> mf = BiasedMF(n_factors=2, n_epochs=200).fit(data)
    >>> mf.recommend([0]).items[0, 0]
    np.int64(2)
    """

    requires = ("ratings",)

    n_factors: Count = 200
    reg: NotNegative = 0.075
    learning_rate: Positive = 0.02
    decay: PositiveShare = 0.97
    n_epochs: Count = 40
    batch_size: Count = 4000
    init_scale: Positive = 0.02
    seed: Seed = 0

    # what overflows ends in one error below, not in warnings
    @np.errstate(over="ignore", invalid="ignore")
    def _fit(self, data: Dataset) -> None:
        # one entry a pair: who rates an item twice has changed their mind
        observed = data.matrix("ratings").tocoo()
        users, items = observed.coords
        ratings = observed.data
        # standard units: mean 0, standard deviation 1
        mean = float(ratings.mean(dtype=np.float64))
        spread = float(ratings.std(dtype=np.float64)) or 1.0
        ratings = ((ratings - mean) / spread).astype(np.float32)
        rng = np.random.default_rng(self.seed)
        theta = Parameters.random(data.n_users, data.n_items, self.n_factors, self.init_scale, rng)

        history = []
        for epoch in progress(range(self.n_epochs), description="matrix factorisation"):
            step = np.float32(self.learning_rate * self.decay**epoch)
            order = rng.permutation(len(ratings))
            squared = 0.0
            for start in range(0, len(order), self.batch_size):
                # the errors of a batch, their gradient, a step downhill
                batch = order[start : start + self.batch_size]
                who = users[batch]
                what = items[batch]
                errors = ratings[batch] - predict(theta, 0.0, who, what)  # (batch,)
                slope = gradient(theta, who, what, errors, self.reg)
                slope = bounded(slope, theta, who, what, self.reg, step)
                descend(theta, slope, step)
                squared += float(errors @ errors)
            history.append(spread * (squared / len(ratings)) ** 0.5)
            if not np.isfinite(history[-1]):
                raise FloatingPointError(
                    f"training diverged in epoch {epoch + 1}: try an init_scale below "
                    f"{self.init_scale:g}"
                )

        # Who has no rating was never moved: the small random factors say nothing about them.
        theta.user_factors[np.bincount(users, minlength=data.n_users) == 0] = 0
        theta.item_factors[np.bincount(items, minlength=data.n_items) == 0] = 0
        # Back in the ratings' own unit; each of the two factors of an affinity takes its half.
        self.mean_ = mean
        self.user_bias_ = np.float32(spread) * theta.user_bias
        self.item_bias_ = np.float32(spread) * theta.item_bias
        self.user_factors_ = np.float32(spread**0.5) * theta.user_factors
        self.item_factors_ = np.float32(spread**0.5) * theta.item_factors
        self.history_ = {"rmse": history}

    @property
    def _theta(self) -> Parameters:
        return Parameters(self.user_bias_, self.item_bias_, self.user_factors_, self.item_factors_)

    def _predict(self, users: np.ndarray, items: np.ndarray) -> np.ndarray:
        return predict(self._theta, self.mean_, users, items)

    def _score(self, users: np.ndarray) -> np.ndarray:
        scores = self.user_factors_[users] @ self.item_factors_.T  # (len(users), n_items)
        scores += self.item_bias_
        scores += (self.mean_ + self.user_bias_[users])[:, None]
        return scores

    def _item_similarity(self, items: np.ndarray) -> np.ndarray:
        return cosines(self.item_factors_, items)


MatrixFactorizationRecommender = BiasedMF  # the published answer's name
