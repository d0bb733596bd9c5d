"""A clear refusal in place of a machine that swaps: is there memory for what is about to be
made?"""

from __future__ import annotations

import psutil


def available_bytes() -> int:
    """Memory that can be had without swapping."""
    return int(psutil.virtual_memory().available)


def require_memory(needed: int, what: str, instead: str) -> None:
    """Raise a MemoryError that says how much `what` needs, how much there is, and what to do
    `instead`.

    >>> require_memory(8, "a number", "use none")
    """
    there = available_bytes()
    if needed > there:
        raise MemoryError(
            f"{what} needs {needed / 2**30:,.1f} GiB, and {there / 2**30:,.1f} GiB are free: {instead}"
        )
