"""The mark on what a question is about: the functions that a reader should be able to write."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

F = TypeVar("F", bound=Callable)


def heart(task: str) -> Callable[[F], F]:
    """Marks a function or method as the heart of its question; it stays as it is.

    `keras-recs practice` replaces the body of what is marked by `raise NotImplementedError(task)`.

    Args:
        task: what its body has to do, in one sentence.
    """
    return lambda function: function
