"""What padded places may do: nothing."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

#: The score of a padded place: its share in a softmax is 0 in float32.
NEVER = -1e9


def masked_softmax(scores: Any, mask: Any = None, axis: int = -1) -> Any:
    """Softmax over the real places: padded ones get exactly 0, and so do all where none is real.

    Computed in float32 at least: half precision has no number as low as `NEVER`.

    Args:
        scores: of any shape.
        mask: bool, in a shape that broadcasts to that of the scores; None if all are real.
        axis: along which the weights sum to 1.

    >>> weights = masked_softmax([[0.0, 0.0, 5.0], [1.0, 2.0, 3.0]], [[True, True, False]])
    >>> weights.numpy()[0].tolist()
    [0.5, 0.5, 0.0]
    """
    scores = ops.convert_to_tensor(scores)
    precise = ops.cast(scores, keras.backend.result_type(scores.dtype, "float32"))
    if mask is not None:
        precise = ops.where(mask, precise, NEVER)
    weights = ops.softmax(precise, axis=axis)
    if mask is not None:
        weights = ops.where(mask, weights, 0)  # where no place is real, the softmax is uniform
    return ops.cast(weights, scores.dtype)


def without_padding(x: Any, mask: Any = None) -> Any:
    """`x` (batch, length, dim) with zeros where `mask` (batch, length) is False."""
    if mask is None:
        return x
    mask = ops.expand_dims(ops.cast(mask, "bool"), -1)  # (batch, length, 1)
    return ops.where(mask, x, ops.zeros((), dtype=x.dtype))


def check_sequences(name: str, shape: tuple[int | None, ...]) -> None:
    """A ValueError unless `shape` is (batch, length, dim), dim known."""
    if len(shape) != 3 or shape[-1] is None:
        raise ValueError(f"{name} must have shape (batch, length, dim), got {tuple(shape)}")


def check_mask(mask: Any, shape: tuple[int | None, ...]) -> None:
    """A ValueError unless `mask` is None or has the (batch, length) of `shape`.

    A mask of another shape may broadcast, and then hides other places than it was made for.
    """
    if mask is None:
        return
    pairs = zip(mask.shape, shape[:2], strict=False)
    if len(mask.shape) != 2 or any(None not in (a, b) and a != b for a, b in pairs):
        raise ValueError(
            f"the mask must have shape (batch, length), {tuple(shape[:2])}, got {tuple(mask.shape)}"
        )
