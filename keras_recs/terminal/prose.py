"""Markdown with formulas on a terminal: wrapped at words, in Chinese between signs, and never
within a formula."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from keras_recs.terminal.formulas import plain

if TYPE_CHECKING:
    from rich.text import Text


class _Piece(NamedTuple):
    """Text of one style. What is `whole` is not broken."""

    text: str
    style: str = ""
    whole: bool = False


_INLINE = re.compile(
    r"\$(?P<formula>[^$]+)\$|`(?P<code>[^`]+)`|\*\*(?P<bold>.+?)\*\*|\*(?P<italic>[^*\s][^*]*)\*"
    r"|\[(?P<link>[^]]+)\]\([^)]*\)"
)
_WIDE = re.compile(r"[\u1100-\u11ff\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\uff00-\uff60]")
_CLOSING = "，。、；：？！）》”’』」】〕…％,.;:?!)]}"
_OPENING = "（《“‘『「【〔([{"
_ITEM = re.compile(r"([-*]|\d+\.) +")


def render(markdown: str, width: int, indent: int = 0) -> Text:
    """`markdown` as lines of at most `width` cells, each `indent` in.

    Paragraphs, lists, quotations and displayed formulas (`$$ … $$`); bold, italic, code and
    formulas within a line. A formula that is wider than the screen keeps its line for itself and
    runs over the edge: it is not broken.

    >>> print(render("The *score* is $b_u + c_i$, no more.\\n\\n$$\\\\hat r = b_u$$", width=20).plain)
    The score is
    b_u + c_i, no more.
    <BLANKLINE>
        r̂ = b_u
    """
    from rich.text import Text

    out = Text()
    for line in _lines(markdown):
        for row in _laid_out(line, width - indent):
            out.append(" " * indent if row else "")
            for piece in row:
                out.append(piece.text, style=piece.style)
            out.append("\n")
    out.rstrip()
    return out


def _lines(markdown: str) -> Iterator[str]:
    """The lines; a displayed formula is on one of its own, whatever stood around it."""
    for part in re.split(r"(\$\$.+?\$\$)", markdown.strip(), flags=re.S):
        if part.startswith("$$"):
            yield " ".join(part.split())
        elif part.strip():
            # the blank lines between a paragraph and a formula stay
            yield from part.removeprefix("\n").removesuffix("\n").split("\n")


def _laid_out(line: str, width: int) -> Iterator[list[_Piece]]:
    """One line of Markdown as rows of pieces."""
    if line.startswith("$$"):
        for formula in _displayed(line.strip("$ "), width - 4):
            yield [_Piece("    "), _Piece(formula)]
        return
    line = line.strip()
    item = _ITEM.match(line)
    if line.startswith("|"):  # a table is shown as it was written
        yield [_Piece(line)]
        return
    line = re.sub(r"^(#+|>) +", "", line)
    head = item[0] if item else ""
    for number, row in enumerate(_filled(list(_inline(line[len(head) :])), width - len(head))):
        yield [_Piece(head if number == 0 else " " * len(head)), *row] if head else row


def _displayed(formula: str, width: int) -> list[str]:
    """A displayed formula on one line or, where several stand side by side and are too wide, on one
    line each."""
    text = plain(formula)
    return re.split(r"\n| {4,}", text) if len(text) > width else text.split("\n")


def _inline(line: str, style: str = "") -> Iterator[_Piece]:
    """The pieces of a line, in their styles."""
    at = 0
    for found in _INLINE.finditer(line):
        yield _Piece(line[at : found.start()], style)
        at = found.end()
        kind = found.lastgroup or ""
        inner = found[kind]
        if kind == "formula":
            yield _Piece(plain(inner), style, whole=True)
        elif kind == "code":
            yield _Piece(inner, f"{style} cyan".strip(), whole=True)
        else:
            yield from _inline(inner, f"{style} {kind}".strip() if kind != "link" else style)
    yield _Piece(line[at:], style)


def _filled(pieces: list[_Piece], width: int) -> Iterator[list[_Piece]]:
    """The pieces on rows of at most `width` cells."""
    from rich.cells import cell_len

    row: list[_Piece] = []
    used = 0
    for blank, unit in _units(pieces):
        size = sum(cell_len(piece.text) for piece in unit)
        if row and used + blank + size > width:
            yield row
            row, used = [], 0
        if row and blank:
            row.append(_Piece(" "))
            used += 1
        row += unit
        used += size
    yield row


def _units(pieces: list[_Piece]) -> Iterator[tuple[bool, list[_Piece]]]:
    """What must stay together, and whether a blank stands before it. A row may end before each."""
    unit: list[_Piece] = []
    blank_before = blank = False
    for piece in pieces:
        for atom in (
            [piece.text]
            if piece.whole
            else re.findall(rf"\s+|{_WIDE.pattern}|[^\s\u1100-\uffff]+|.", piece.text)
        ):
            if atom.isspace() and not piece.whole:
                blank = True
                continue
            if unit and (blank or _may_break(unit[-1].text[-1], atom[0])):
                yield blank_before, unit
                unit, blank_before = [], blank
            unit.append(_Piece(atom, piece.style))
            blank = False
    if unit:
        yield blank_before, unit


def _may_break(left: str, right: str) -> bool:
    """Whether a row may end between two signs that have no blank between them."""
    return (
        bool(_WIDE.match(left) or _WIDE.match(right))
        and right not in _CLOSING
        and left not in _OPENING
    )
