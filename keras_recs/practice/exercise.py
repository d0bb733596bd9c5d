"""One exercise or bug hunt of a reader: where it lies, what is kept of it, its hints."""

from __future__ import annotations

import datetime
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from keras_recs.practice.grading import HOLDS, SECONDS, Check, Part, expected_tests
from keras_recs.practice.notes import Notes
from keras_recs.practice.sources import answer_source
from keras_recs.practice.stubs import stub
from keras_recs.questions import Question


def exercise_file(q: Question, folder: Path) -> Path:
    """Where the exercise of a question lies."""
    return folder / f"{q.stem}.py"


def hunt_file(q: Question, folder: Path) -> Path:
    """Where the bug hunt of a question lies."""
    return folder / f"{q.stem}_bughunt.py"


@dataclass
class Exercise:
    """A file that is checked, and the notes about it.

    Args:
        q: the question.
        file: what is checked. Only the exercise and the hunt in `folder` count: another file is
        just looked at. folder: the practice folder.
        full, seconds: as for `grading.check`.
    """

    q: Question
    file: Path
    folder: Path
    full: bool = False
    seconds: int = SECONDS

    def __post_init__(self) -> None:
        self.notes = Notes(self.folder)

    @property
    def hunted(self) -> bool:
        """Whether the file is the question's bug hunt."""
        return _same(self.file, hunt_file(self.q, self.folder))

    @property
    def counts(self) -> bool:
        """Whether the file is the question's exercise."""
        return _same(self.file, exercise_file(self.q, self.folder))

    @property
    def mine(self) -> dict[str, Any]:
        return self.notes.of(self.q.number)

    def write(self) -> None:
        """The stub, where there is no file yet."""
        if not self.file.exists():
            self.file.parent.mkdir(parents=True, exist_ok=True)
            self.file.write_text(stub(answer_source(self.q)), encoding="utf8")

    def record(self, check: Check) -> list[Part]:
        """Keep what a check has found, where it counts, and say which functions hold now and did
        not before."""
        if self.hunted and check.passed:
            with self.notes.change(self.q.number) as mine:
                if mine["planted"] and mine["planted"] not in mine["repaired"]:
                    mine["repaired"].append(mine["planted"])
        if not self.counts:
            return []
        usual = expected_tests(self.q, full=False)
        behaviours = [b for b in check.behaviours if b.test in usual]
        source = hashlib.sha256(check.source.encode()).hexdigest()[:16]
        with self.notes.change(self.q.number) as mine:
            mine["attempts"] += mine["source"] != source  # the same text again is the same attempt
            mine["source"] = source
            mine["date"] = datetime.date.today().isoformat()
            mine["holds"] = 0 if check.broken else sum(b.holds for b in behaviours)
            mine["of"] = len(behaviours)
            mine["best"] = max(mine["holds"], min(mine["best"], mine["of"]))
            held = [part for part in check.parts if part.state == HOLDS]
            new = [part for part in held if part.name not in mine["functions"]]
            if check.broken is None:
                mine["functions"] = [part.name for part in held]
        return new

    # --- hints ------------------------------------------------------------------------------------

    def hints(self, check: Check) -> tuple[str, list[str]]:
        """What the next hint is about, and all its levels; none where nothing is left to do."""
        from keras_recs.practice.defects import defect, hints

        if self.hunted:
            planted = self.mine["planted"]
            if check.passed or not planted:
                return "", []
            try:
                return "", [defect(self.q.number, planted).hint]
            except ValueError:  # planted by an older version
                return "", []
        part = check.next
        if part is None:
            return "", []
        return part.name, hints(self.q).get(part.name) or [f"What it has to do: {part.task}"]

    def shown(self, name: str) -> int:
        """How many hints about `name` have been shown."""
        return self.mine["hints"].get(name, 0)

    def next_hint(self, check: Check) -> None:
        """Note that one more level is shown; the last one stays."""
        name, levels = self.hints(check)
        if levels:
            with self.notes.change(self.q.number) as mine:
                mine["hints"][name] = min(mine["hints"].get(name, 0) + 1, len(levels))

    def repaired(self, check: Check) -> str | None:
        """What the defect was, once it is repaired."""
        from keras_recs.practice.defects import defect

        if not (self.hunted and check.passed):
            return None
        try:
            found = defect(self.q.number, self.mine["planted"] or "")
        except ValueError:
            return "Repaired."
        return f"Repaired. It was: {found.title}.\nOne sees: {found.sees}.\nRight is: {found.fix}."


def _same(a: Path, b: Path) -> bool:
    return a.resolve() == b.resolve()
