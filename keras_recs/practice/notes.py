"""What the reader has achieved so far, in `practice/progress.json`."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

FOLDER = Path("practice")
FILE = "progress.json"


class Notes:
    """Reads and writes one JSON file: per question, behaviours that held, hints shown, defects hunted."""

    def __init__(self, folder: Path = FOLDER) -> None:
        self.path = folder / FILE
        try:
            self.all: dict[str, dict[str, Any]] = json.loads(self.path.read_text(encoding="utf8"))
        except FileNotFoundError:
            self.all = {}
        except ValueError as error:
            raise ValueError(f"{self.path} is damaged ({error}); move it away to start anew") from error

    def of(self, number: int) -> dict[str, Any]:
        """What is known of one question; change it and call `save`."""
        return self.all.setdefault(str(number), {"holds": 0, "of": 0, "hints": {}, "planted": None, "repaired": []})

    def save(self) -> None:
        """Write the file in one step."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        part = self.path.with_suffix(".part")
        part.write_text(json.dumps(self.all, indent=1), encoding="utf8")
        os.replace(part, self.path)
