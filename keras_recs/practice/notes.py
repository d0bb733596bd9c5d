"""What the reader has achieved so far, in `practice/progress.json`."""

from __future__ import annotations

import contextlib
import copy
import datetime
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from keras_recs.utils.places import PRACTICE, PROGRESS

EMPTY: dict[str, Any] = {
    "holds": 0,
    "of": 0,
    "best": 0,
    "attempts": 0,
    "date": None,
    "source": None,
    "functions": [],
    "hints": {},
    "planted": None,
    "repaired": [],
}


class Notes:
    """Reads and writes one JSON file: per question, behaviours that held, attempts, hints shown,
    defects hunted.

    Entries under other names than numbers are kept as they are. A file that cannot be understood is
    renamed, and `said` has a word about it.
    """

    def __init__(self, folder: Path = PRACTICE) -> None:
        self.path = folder / PROGRESS
        self.said: str | None = None
        with self._locked() if self.path.exists() else contextlib.nullcontext():
            self.all = self._read()
        self._before = copy.deepcopy(self.all)

    def of(self, number: int) -> dict[str, Any]:
        """What is known of one question; to change it, use `change`."""
        return self.all.setdefault(str(number), copy.deepcopy(EMPTY))

    @contextlib.contextmanager
    def change(self, number: int) -> Iterator[dict[str, Any]]:
        """What is known of one question, read anew, to be changed; written at the end, and nobody
        writes meanwhile."""
        with self._locked():
            self.all = self._read()
            yield self.of(number)
            self._write()

    def save(self) -> None:
        """Write what was changed in `all`, and keep what others have written meanwhile."""
        with self._locked():
            fresh = self._read()
            for number, mine in self.all.items():
                before = self._before.get(number, {})
                there = fresh.setdefault(number, copy.deepcopy(EMPTY) if number.isdigit() else {})
                there.update(
                    {
                        key: value
                        for key, value in mine.items()
                        if key not in before or before[key] != value
                    }
                )
            self.all = fresh
            self._write()

    def _read(self) -> dict[str, dict[str, Any]]:
        try:
            found = json.loads(self.path.read_text(encoding="utf8"))
            _look_through(found)
        except FileNotFoundError:
            return {}
        except (ValueError, RecursionError) as error:
            now = datetime.datetime.now()
            aside = self.path.with_name(f"progress-damaged-{now:%Y-%m-%d-%H%M%S-%f}.json")
            os.replace(self.path, aside)
            self.said = f"{self.path} was damaged ({error}). It is now {aside.name}, and your progress starts anew."
            return {}
        for number, mine in found.items():
            for key, value in EMPTY.items() if number.isdigit() else ():
                mine.setdefault(
                    key, mine.get("holds", 0) if key == "best" else copy.deepcopy(value)
                )
        return found

    def _write(self) -> None:
        """In one step, so that nobody reads half of it."""
        part = self.path.with_suffix(f".{os.getpid()}.part")
        part.write_text(json.dumps(self.all, indent=1, ensure_ascii=False), encoding="utf8")
        os.replace(part, self.path)
        self._before = copy.deepcopy(self.all)

    def _locked(self) -> Any:
        from filelock import FileLock

        self.path.parent.mkdir(parents=True, exist_ok=True)
        return FileLock(self.path.with_name(f".{PROGRESS}.lock"), timeout=30)


def _look_through(found: Any) -> None:
    """A ValueError where the file is JSON, but not of this kind."""
    if not isinstance(found, dict) or not all(isinstance(mine, dict) for mine in found.values()):
        raise ValueError("it is not a table of questions")
    for number, mine in found.items():
        for key, usual in EMPTY.items() if number.isdigit() else ():
            value = mine.get(key, usual)
            kind = str if usual is None else type(usual)
            if not isinstance(value, kind) and not (usual is None and value is None):
                raise ValueError(f"{key!r} of question {number} is {value!r}")
