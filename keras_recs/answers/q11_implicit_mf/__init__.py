"""Question 11. Matrix factorisation, asked again: implicit feedback.

A log of what people took holds no refusals. What is missing is not a rating of 0 but mostly "never
came across it", so question 5's loss, over observed entries only, would be content with a model
that always says yes. Two ways out: weighted least squares over all pairs (`als.py`), and pairwise
ranking (`bpr.py`).
"""

from __future__ import annotations

import importlib
from typing import Any


def __getattr__(name: str) -> Any:
    """What the files define, imported when it is asked for: only `bpr` needs TensorFlow."""
    if not name.startswith("__"):
        for part in ("als", "bpr"):
            module = importlib.import_module(f"{__name__}.{part}")
            if hasattr(module, name):
                return getattr(module, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
