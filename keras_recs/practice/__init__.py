"""Exercises made from the answers: stubs to fill in, defects to find, and the check of what the
reader wrote.

In a notebook, on functions and classes that its cells define:

    from keras_recs.practice import check, hint, status
    check(5, gradient, loss)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from keras_recs.practice.notebook import check, hint, status

__all__ = ["check", "hint", "status"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        from keras_recs.practice import notebook

        return getattr(notebook, name)
    raise AttributeError(f"module 'keras_recs.practice' has no attribute {name!r}")
