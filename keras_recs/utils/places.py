"""Where files are: those that come with the library, inside the package where it is installed and
beside it in a checkout; and those of the reader."""

from __future__ import annotations

import configparser
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

NAME = "keras-recs"
#: The reader's folder, what it keeps of exercises, and what it keeps of interviews.
PRACTICE, PROGRESS, GRADES = Path("practice"), "progress.json", "ask.json"


def shipped(name: str) -> Traversable:
    """The folder `name` of the library, such as "fixtures" or "tests".

    What is beside the package counts in a checkout of this project only: elsewhere, a folder of
    that name is somebody else's.

    Raises:
        FileNotFoundError: the folder is not installed.

    >>> (shipped("fixtures") / "films.jsonl").is_file()
    True
    """
    inside = files("keras_recs") / name
    if inside.is_dir():
        return inside
    root = checkout()
    if root is not None and (root / name).is_dir():
        return root / name
    raise FileNotFoundError(f"{name}/ is not installed with this copy of keras_recs")


def checkout() -> Path | None:
    """The folder above the package, if it is this project's own; None for an installed package."""
    package = files("keras_recs")
    if not isinstance(package, Path):  # in an archive
        return None
    root = package.resolve().parent
    settings = configparser.ConfigParser(interpolation=None)
    try:
        settings.read(root / "setup.cfg", encoding="utf8")
        return root if settings.get("metadata", "name") == NAME else None
    except (configparser.Error, OSError, UnicodeDecodeError):
        return None


def find_folder(start: Path | None = None) -> Path:
    """The practice folder of whoever stands at `start`, by default in the working directory.

    It is that folder, or lies in it or in one above it, and is known by exercises, progress or
    grades. Where there is none yet: `practice` in `start`.
    """
    start = (start or Path.cwd()).resolve()
    for above in (start, *start.parents):
        for folder in (above / PRACTICE, above):
            if _is_practice(folder):
                return folder
    return start / PRACTICE


def _is_practice(folder: Path) -> bool:
    kept = (PROGRESS, GRADES)
    try:
        return folder.name == PRACTICE.name and (
            any((folder / name).is_file() for name in kept) or any(folder.glob("q[0-9][0-9]_*.py"))
        )
    except OSError:
        return False
