"""Defects: what candidates, and published answers, get wrong, as small changes to an answer's
source."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from keras_recs.questions import QUESTIONS, Question, question

FOLDER = Path(__file__).parent / "defects"
_TOKEN = re.compile(
    r"""
    (?P<skip> \s+ | \#[^\n]* | \\\n )
  | (?P<token> [rRbBfFuU]{0,2} (?: \"{3} (?:\\.|[^\\])*? \"{3} | '{3} (?:\\.|[^\\])*? '{3}
                                | \" (?:\\.|[^"\\\n])* \" | ' (?:\\.|[^'\\\n])* ' )
             | \w+ (?:\.\d+)? | \*\*=? | //=? | <<=? | >>=? | [-+*/%@&|^=!<>:]= | -> | . )
    """,
    re.VERBOSE | re.DOTALL,
)


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
        edits: replacements (old, new) in the source. Empty where the defect cannot be planted,
            because it belongs to code that no longer exists.
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
        """`source` with this defect in it. A ValueError says which text to replace is not there
        just once."""
        for old, new in self.edits:
            source = _replaced(source, old, new, self.name)
        return source


def _tokens(source: str) -> list[tuple[str, int, int]]:
    """The tokens of a piece of source, whole or not, with their places.

    White space, comments and a comma before a closing bracket, which a formatter sets, are none.
    """
    found = [(m["token"], m.start(), m.end()) for m in _TOKEN.finditer(source) if m["token"]]
    following = [token for token, _, _ in found[1:]] + [""]
    return [
        place
        for place, then in zip(found, following, strict=True)
        if place[0] != "," or then not in (")", "]", "}")
    ]


def _replaced(source: str, old: str, new: str, name: str) -> str:
    """`source` with the one place that reads like `old`, whatever its layout and comments, replaced
    by `new`."""
    there, wanted = _tokens(source), [token for token, _, _ in _tokens(old)]
    words = [token for token, _, _ in there]
    n = len(wanted)
    places = [
        (there[i][1], there[i + n - 1][2])
        for i in range(len(words) - n + 1)
        if words[i : i + n] == wanted
    ]
    if not places:  # a part of a string is no token
        strings = [
            (start, end) for token, start, end in there if token[-1:] in "\"'" and len(token) > 1
        ]
        places = [
            (m.start(), m.end())
            for m in re.finditer(re.escape(old), source)
            if any(start < m.start() and m.end() <= end for start, end in strings)
        ]
    if len(places) != 1:
        found = "is not in it" if not places else f"is in it {len(places)} times"
        raise ValueError(f"defect {name!r} no longer fits the source: {old!r} {found}")
    ((start, end),) = places
    before, after = old[: len(old) - len(old.lstrip())], old[len(old.rstrip()) :]
    if "#" in old[_tokens(old)[-1][2] :]:  # a comment behind the last token belongs to it
        end += len(re.match(r"(?:[ \t]*#[^\n]*)?", source[end:])[0])  # type: ignore[index]
    # White space around `old` goes with it where the source has the same; elsewhere it is the
    # source's own.
    if source[:start].endswith(before):
        start -= len(before)
    else:
        new = new.removeprefix(before)
    if source[end:].startswith(after):
        end += len(after)
    else:
        new = new.removesuffix(after)
    return source[:start] + new + source[end:]


@cache
def _document(stem: str) -> dict:
    path = FOLDER / f"{stem}.toml"
    if not path.exists():
        raise ValueError(f"question {stem} has no list of defects")
    return tomllib.loads(path.read_text(encoding="utf8"))


def defects(q: Question) -> tuple[Defect, ...]:
    """All defects of a question, the published ones first."""
    return tuple(
        Defect(**{**entry, "edits": tuple(map(tuple, entry.get("edits", [])))})
        for entry in _document(q.stem)["defect"]
    )


def hints(q: Question) -> dict[str, list[str]]:
    """Heart, by its qualified name -> its hints: the idea, the formula, almost the line."""
    return _document(q.stem).get("hints", {})


def by_stem(stem: str) -> Question:
    """The question with this stem."""
    return next(q for q in QUESTIONS if q.stem == stem)


def defect(number: int, name: str) -> Defect:
    """One defect by its question and name. The ValueError for another name does not list them: they
    are the answers."""
    plantable = [d for d in defects(question(number)) if d.plantable]
    found = [d for d in plantable if d.name == name]
    if not found:
        raise ValueError(
            f"question {number} has no defect {name!r} to plant; it has {len(plantable)} others, and "
            "chance picks one where none is named"
        )
    return found[0]
