"""Losses that rank: a positive against negatives.

    BPR              -log σ(s⁺ - s⁻), for each negative on its own
    sampled softmax  -log exp(s⁺) / Σ exp(s), over the positive and its row's negatives
    InfoNCE          the same, where the negatives are the other positives of the batch

They are written in `keras.ops`, give one number for each example, and compute in float32 at least,
so that scores of half precision do not overflow. A softmax over *all* items needs nothing of its
own: it is `keras.losses.SparseCategoricalCrossentropy(from_logits=True)`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_recs.neural.layers.masking import NEVER


@keras.saving.register_keras_serializable("keras_recs")
def bpr_loss(labels: Any, scores: Any) -> Any:
    """Bayesian personalised ranking: -log σ(positive - negative), the mean over a row's negatives.

    Args:
        labels: (…, m), 1 at the positive of a row and 0 at its negatives; -1 where there is no
            candidate.
        scores: (…, m), higher is better.

    Returns:
        (…,) losses; 0 for a row that lacks a positive or has no negative.

    Raises:
        ValueError: labels and scores of different shapes.

    Source: Rendle et al. (2009), "BPR: Bayesian Personalized Ranking from Implicit Feedback".

    >>> labels, scores = [[1, 0, 0], [1, 0, -1]], [[2.0, 1.0, 3.0], [2.0, 2.0, 9.0]]
    >>> print(bpr_loss(labels, scores).numpy().round(3))  # the last is log 2: a tie
    [0.813 0.693]
    """
    labels, scores = _pair(labels, scores)
    scores = ops.where(labels < 0, 0, scores)  # (…, m)
    is_positive = ops.cast(labels > 0, scores.dtype)  # (…, m)
    is_negative = ops.cast(labels == 0, scores.dtype)  # (…, m)
    positive = ops.sum(is_positive * scores, axis=-1, keepdims=True)  # (…, 1)

    # softplus(-d) = -log σ(d), and does not overflow
    losses = is_negative * ops.softplus(scores - positive)  # (…, m)
    mean = ops.sum(losses, axis=-1) / ops.maximum(ops.sum(is_negative, axis=-1), 1)  # (…,)
    return mean * ops.max(is_positive, axis=-1)


@keras.saving.register_keras_serializable("keras_recs")
def sampled_softmax_loss(labels: Any, scores: Any, log_q: Any = None) -> Any:
    """-log of the positive's share in the softmax over itself and its row's negatives.

    Where negatives are not drawn uniformly, a candidate that is drawn more often is pushed down
    more often. `log_q` takes that back: exp(score) / q is what the whole softmax would have of it.

    Args:
        labels: (…, m), 1 at the positive of a row and 0 at its negatives; -1 where there is no
            candidate.
        scores: (…, m), higher is better.
        log_q: logarithm of how likely each candidate is to be drawn, in a shape that broadcasts to
            that of the scores; None for all alike.

    Returns:
        (…,) losses; 0 for a row that lacks a positive.

    Raises:
        ValueError: labels and scores of different shapes.

    Source: Bengio & Senécal (2008), "Adaptive Importance Sampling to Accelerate Training of a
    Neural Probabilistic Language Model"; Jean et al. (2015).

    >>> labels, scores = [[1, 0, 0], [1, 0, -1]], [[2.0, 1.0, 3.0], [2.0, 2.0, 9.0]]
    >>> print(sampled_softmax_loss(labels, scores).numpy().round(3))  # the last is log 2: a tie
    [1.408 0.693]
    """
    labels, scores = _pair(labels, scores)
    if log_q is not None:
        scores = scores - ops.cast(log_q, scores.dtype)  # (…, m)
    is_positive = labels > 0  # (…, m)
    candidates = ops.where(labels < 0, NEVER, scores)  # (…, m)
    positive = ops.sum(ops.where(is_positive, scores, 0), axis=-1, keepdims=True)  # (…, 1)
    # the difference before the exponential: a small loss keeps its digits
    losses = ops.logsumexp(candidates - positive, axis=-1)  # (…,)
    return ops.where(ops.any(is_positive, axis=-1), losses, 0)


def info_nce_loss(
    scores: Any,
    item_ids: Any = None,
    user_ids: Any = None,
    *,
    temperature: float = 1.0,
    log_q: Any = None,
    hits: Any = None,
    mask: Any = None,
    two_way: bool = False,
) -> Any:
    """InfoNCE with in-batch negatives: row i must find its own item, i, among those of the batch.

    Three things go wrong without care. Another row's item that is a positive of this one, too, is
    no negative (an accidental hit). What is popular is a negative more often, in proportion to its
    popularity (`log_q` takes that back). And a temperature over the cosine is needed: without it
    the best share that a positive can reach is e / (e + (batch - 1) / e).

    Args:
        scores: (batch, batch), of row i's user, or view, for row j's item; the diagonal holds the
            positives.
        item_ids: (batch,); two rows with one item are not each other's negatives. None if all
            differ.
        user_ids: (batch,); nor are two rows with one user.
        temperature: scores are divided by it.
        log_q: (batch,), logarithm of how likely each row's item is to come into a batch: of its
            share in the events. None for all alike.
        hits: (batch, batch) bool, where row i is known to like row j's item.
        mask: (batch,) bool, which rows are real; the others are nobody's negatives.
        two_way: also let row j's item find its user, and take the mean of both directions.

    Returns:
        (batch,) losses; 0 for a row that is not real.

    Raises:
        ValueError: scores that are not square, or a temperature of 0 or less.

    Source: van den Oord et al. (2018), "Representation Learning with Contrastive Predictive
    Coding"; Yi et al. (2019), "Sampling-Bias-Corrected Neural Modeling for Large Corpus Item
    Recommendations", for `log_q`; Radford et al. (2021), "Learning Transferable Visual Models From
    Natural Language Supervision", for two directions.

    >>> scores = [[1.0, 0.0, 9.0], [0.0, 1.0, 0.0], [9.0, 0.0, 1.0]]
    >>> losses = info_nce_loss(scores, item_ids=[7, 3, 7], temperature=0.5)
    >>> print(losses.numpy().round(3))  # the first is log(1 + e^-2): 9 is no negative
    [0.127 0.24  0.127]
    """
    scores = _at_least_float32(scores)
    if len(scores.shape) != 2 or _differ(scores.shape[:1], scores.shape[1:]):
        raise ValueError(f"scores must have shape (batch, batch), got {tuple(scores.shape)}")
    if temperature <= 0:
        raise ValueError(f"temperature must be greater than 0, got {temperature}")
    excluded = _not_negatives(scores, item_ids, user_ids, hits, mask)  # (batch, batch)
    if mask is not None:
        # whatever stands in a row that is not real, an infinity, say, must not reach the gradient
        scores = ops.where(_outer_and(mask, mask), scores, 0)

    logits = scores / temperature  # (batch, batch)
    towards_items = logits if log_q is None else logits - ops.cast(log_q, logits.dtype)
    losses = _diagonal_cross_entropy(towards_items, excluded)  # (batch,)
    if two_way:
        back = _diagonal_cross_entropy(ops.transpose(logits), ops.transpose(excluded))
        losses = (losses + back) / 2
    return losses if mask is None else ops.where(mask, losses, 0)


def _not_negatives(scores: Any, item_ids: Any, user_ids: Any, hits: Any, mask: Any) -> Any:
    """(batch, batch) bool: the pairs off the diagonal that must not count."""
    excluded = ops.zeros_like(scores, dtype="bool")
    for ids in (item_ids, user_ids):
        if ids is not None:
            excluded = ops.logical_or(excluded, _same(ids))
    if hits is not None:
        excluded = ops.logical_or(excluded, hits)
    if mask is not None:
        excluded = ops.logical_or(excluded, ops.logical_not(_outer_and(mask, mask)))
    # a row's own positive always counts
    return ops.logical_and(excluded, ops.logical_not(_diagonal_of(scores)))


def _same(ids: Any) -> Any:
    """(batch, batch) bool: whether rows i and j have the same id."""
    ids = ops.reshape(ops.convert_to_tensor(ids), (-1,))  # (batch,)
    return ops.equal(ops.expand_dims(ids, 1), ops.expand_dims(ids, 0))


def _outer_and(rows: Any, columns: Any) -> Any:
    """(batch, batch) bool: whether row i and column j both hold."""
    return ops.logical_and(ops.expand_dims(rows, 1), ops.expand_dims(columns, 0))


def _diagonal_of(scores: Any) -> Any:
    """(batch, batch) bool: True on the diagonal."""
    rows = ops.arange(ops.shape(scores)[0])
    return ops.equal(ops.expand_dims(rows, 1), ops.expand_dims(rows, 0))


def _diagonal_cross_entropy(logits: Any, excluded: Any) -> Any:
    """(batch,) -log of the diagonal's share in the softmax of its row."""
    positive = ops.expand_dims(ops.diagonal(logits), -1)  # (batch, 1)
    candidates = ops.where(excluded, NEVER, logits)  # (batch, batch)
    return ops.logsumexp(candidates - positive, axis=-1)


@keras.saving.register_keras_serializable("keras_recs")
class InfoNCE(keras.losses.Loss):
    """`info_nce_loss` for `compile`: the targets are the ids of the batch's items.

    Args:
        temperature: scores are divided by it.
        log_q: (n_items,), logarithm of each item's share in the events; None for all alike. It is
            saved as numbers of the configuration, so for a catalogue of millions subtract it in
            the model instead.
        two_way: also from items to users, and the mean of both.
        name, reduction, dtype: as in `keras.losses.Loss`.

    Called with ids (batch,), an id below 0 marking a row that is not real, and scores
    (batch, batch). Keras makes floats of targets: ids from 2^24 on would run together.

    >>> loss = InfoNCE(temperature=0.5)
    >>> scores = np.array([[1, 0, 9], [0, 1, 0], [9, 0, 1]], "float32")
    >>> round(float(loss(np.array([7, 3, 7]), scores)), 2)  # the mean over three rows
    0.16
    """

    def __init__(
        self,
        temperature: float = 1.0,
        log_q: Sequence[float] | np.ndarray | None = None,
        two_way: bool = False,
        name: str = "info_nce",
        reduction: str = "sum_over_batch_size",
        dtype: Any = None,
    ) -> None:
        super().__init__(name=name, reduction=reduction, dtype=dtype)
        self.temperature = temperature
        self.log_q = None if log_q is None else np.asarray(log_q, np.float32)
        self.two_way = two_way

    def call(self, y_true: Any, y_pred: Any) -> Any:
        ids = ops.reshape(ops.cast(y_true, "int32"), (-1,))  # (batch,)
        log_q = None
        if self.log_q is not None:
            log_q = ops.take(self.log_q, ops.maximum(ids, 0), axis=0)  # (batch,)
        return info_nce_loss(
            y_pred,
            ids,
            temperature=self.temperature,
            log_q=log_q,
            mask=ids >= 0,
            two_way=self.two_way,
        )

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "temperature": self.temperature,
            "log_q": None if self.log_q is None else self.log_q.tolist(),
            "two_way": self.two_way,
        }


def _pair(labels: Any, scores: Any) -> tuple[Any, Any]:
    """Labels and scores as tensors of one shape and one type of float."""
    scores = _at_least_float32(scores)
    labels = ops.cast(labels, scores.dtype)
    if _differ(labels.shape, scores.shape):
        raise ValueError(
            "labels and scores must have the same shape, (…, m), got "
            f"{tuple(labels.shape)} and {tuple(scores.shape)}"
        )
    return labels, scores


def _differ(a: Any, b: Any) -> bool:
    """Whether two shapes are known to differ; a size of None may yet be anything."""
    if len(a) != len(b):
        return True
    return any(None not in sizes and sizes[0] != sizes[1] for sizes in zip(a, b, strict=True))


def _at_least_float32(values: Any) -> Any:
    values = ops.convert_to_tensor(values)
    return ops.cast(values, keras.backend.result_type(values.dtype, "float32"))
