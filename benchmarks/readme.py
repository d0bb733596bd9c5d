"""Tables of results into the READMEs, between marks that name the script that made them."""

from __future__ import annotations

import re
from pathlib import Path

README = Path(__file__).resolve().parent / "README.md"
#: Where some lines of these tables stand again, with their first columns.
SHORT = (README.parents[1] / "README.md", README.parents[1] / "README.zh.md")


def put(name: str, text: str) -> None:
    """Replace what stands between the marks of the script `name` in the long README, and the lines
    of the same models in the short ones; a ValueError where the long one has no marks."""
    document = README.read_text(encoding="utf8")
    if inside(document, name) is None:
        raise ValueError(
            f"{README.parent.name}/README.md must have <!-- benchmarks/{name}.py --> and "
            f"<!-- /benchmarks/{name}.py --> once each"
        )
    README.write_text(_with(document, name, text), encoding="utf8")
    for short in SHORT:
        document = short.read_text(encoding="utf8")
        lines = inside(document, name)
        if lines is not None:
            renewed = "\n".join(renew(line, text) for line in lines.splitlines())
            short.write_text(_with(document, name, renewed), encoding="utf8")


def inside(document: str, name: str) -> str | None:
    """What stands between the marks of a script; None where they are not there once each."""
    opening, closing = f"<!-- benchmarks/{name}.py -->", f"<!-- /benchmarks/{name}.py -->"
    if document.count(opening) != 1 or document.count(closing) != 1:
        return None
    return document.split(opening)[1].split(closing)[0].strip("\n")


def renew(line: str, table: str) -> str:
    """A line of a table as a longer table has it, cut to as many columns; the line as it is where
    the longer table has no line for the same model.

    >>> renew("| P1 | a: EASE | 0.1 |", "| P1 | a: KNN | 0.2 | 3 s |\\n| P1 | a: EASE | 0.3 | 4 s |")
    '| P1 | a: EASE | 0.3 |'
    """
    cells = _cells(line)
    for other in map(_cells, table.splitlines()):
        if ": " in line and other[:2] == cells[:2]:
            return f"| {' | '.join(other[: len(cells)])} |"
    return line


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip())[1:-1]]


def _with(document: str, name: str, text: str) -> str:
    opening, closing = f"<!-- benchmarks/{name}.py -->", f"<!-- /benchmarks/{name}.py -->"
    before, rest = document.split(opening)
    return f"{before}{opening}\n{text}\n{closing}{rest.split(closing)[1]}"
