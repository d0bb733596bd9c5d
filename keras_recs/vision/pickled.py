"""Arrays out of a pickle that a stranger wrote. A pickle is a program: this one may call what
rebuilds NumPy arrays, and nothing else."""

from __future__ import annotations

import importlib
import pickle
from pathlib import Path
from typing import Any

import numpy as np

#: Module and name that a pickle of arrays needs, under NumPy's old name and its new one.
_ALLOWED = {
    ("numpy.core.multiarray", "_reconstruct"),
    ("numpy._core.multiarray", "_reconstruct"),
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
    ("collections", "OrderedDict"),
}


def read_arrays(path: str | Path) -> dict[str, list[np.ndarray]]:
    """Name -> arrays, from a pickled mapping of them.

    Raises:
        ValueError: the file is no such pickle, or asks for anything but arrays.
    """
    try:
        with Path(path).open("rb") as file:
            found = _Arrays(file, encoding="latin1").load()
        return {str(name): [np.asarray(array) for array in found[name]] for name in found}
    except (pickle.UnpicklingError, EOFError, AttributeError, TypeError, IndexError) as error:
        raise ValueError(f"{path} is no pickle of arrays: {error}") from error


class _Arrays(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ALLOWED:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}")
        return getattr(importlib.import_module(module.replace("numpy.core", "numpy._core")), name)
