"""Classes of recommenders by name, for files that say of which class what they hold is.

A file never decides what is imported. What is found is a class that has been imported already, or
one that a finder knows: the package puts its catalogue there.
"""

from __future__ import annotations

from collections.abc import Callable

Finder = Callable[[str, str], type | None]

#: Asked in turn for (name, module).
FINDERS: list[Finder] = []
_IMPORTED: dict[tuple[str, str], type] = {}


def register(cls: type) -> None:
    """Remember a class that has been defined; of two with one name and module, the later."""
    _IMPORTED[cls.__name__, cls.__module__] = cls


def find(name: str, module: str) -> type | None:
    """The class of this name and module, or None."""
    for finder in FINDERS:
        if (found := finder(name, module)) is not None:
            return found
    return _IMPORTED.get((name, module))
