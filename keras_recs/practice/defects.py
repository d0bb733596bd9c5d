"""Defects: what candidates, and published answers, get wrong, as small changes to an answer's source."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from keras_recs.questions import QUESTIONS, Question, question

FOLDER = Path(__file__).parent / "defects"


@dataclass(frozen=True)
class Defect:
    """One thing to get wrong.

    Attributes:
        name: unique in its question.
        title: what is wrong, in one line.
        sees: what one sees of it: an error, or a figure.
        fix: what is right.
        hint: a question that leads there.
        test: the test that must reject it; in brackets one case of it, where it has several.
        published: whether it is one of the published answer's.
        edits: replacements (old, new) in the source. Empty where the defect cannot be planted, because it
            belongs to code that no longer exists.
    """

    name: str
    title: str
    sees: str
    fix: str
    hint: str
    test: str
    published: bool = False
    edits: tuple[tuple[str, str], ...] = ()

    @property
    def plantable(self) -> bool:
        return bool(self.edits)

    @property
    def test_function(self) -> str:
        return self.test.partition("[")[0]

    def plant(self, source: str) -> str:
        """`source` with this defect in it. A ValueError says which text to replace is no longer there."""
        for old, new in self.edits:
            if old not in source:
                raise ValueError(f"defect {self.name!r} no longer fits the source: {old!r} is not in it")
            source = source.replace(old, new)
        return source


@cache
def _document(stem: str) -> dict:
    path = FOLDER / f"{stem}.toml"
    if not path.exists():
        raise ValueError(f"question {stem} has no list of defects")
    return tomllib.loads(path.read_text(encoding="utf8"))


def defects(q: Question) -> tuple[Defect, ...]:
    """All defects of a question, the published ones first."""
    return tuple(Defect(**{**entry, "edits": tuple(map(tuple, entry.get("edits", [])))})
                 for entry in _document(q.stem)["defect"])


def hints(q: Question) -> dict[str, list[str]]:
    """Test -> its hints, from vague to plain."""
    return _document(q.stem).get("hints", {})


def by_stem(stem: str) -> Question:
    """The question with this stem."""
    return next(q for q in QUESTIONS if q.stem == stem)


def defect(number: int, name: str) -> Defect:
    """One defect by its question and name; a ValueError lists the names there are."""
    found = [d for d in defects(question(number)) if d.name == name and d.plantable]
    if not found:
        names = ", ".join(d.name for d in defects(question(number)) if d.plantable)
        raise ValueError(f"question {number} has no defect {name!r} to plant; it has: {names}")
    return found[0]
