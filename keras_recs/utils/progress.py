"""One progress bar for all long work: shown where a person watches, gone when it is done."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Any

from tqdm import tqdm


def in_notebook() -> bool:
    """Whether the code runs in a Jupyter kernel."""
    ipython = sys.modules.get("IPython")  # where it is not imported, there is no kernel either
    shell = ipython.get_ipython() if ipython else None
    return hasattr(shell, "kernel")


def progress(
    iterable: Iterable[Any] | None = None, *, description: str, total: int | None = None
) -> tqdm:
    """A tqdm bar over `iterable`: on stderr in a terminal, on stdout in a notebook, nowhere else.

    `TQDM_DISABLE=1` switches it off. It leaves nothing behind, so that what a command prints stays
    readable."""
    if in_notebook():
        return tqdm(
            iterable, desc=description, total=total, leave=False, file=sys.stdout, ascii=" ▏▎▍▌▋▊▉█"
        )
    return tqdm(iterable, desc=description, total=total, leave=False, disable=None)
