"""The texts for a terminal: Markdown and formulas as plain lines that fit its width.

Formulas are never broken across lines, Chinese is broken between characters and never before a full stop, and
consoles that cannot show a sign (GBK, ASCII) get the nearest one that they can.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from typing import NamedTuple

from keras_recs.interview.formula import formula


class Piece(NamedTuple):
    """What is never broken: a word, a Chinese character with its punctuation, a formula."""

    text: str
    bold: bool = False
    space: bool = False  # a space before it, unless it begins a line


def plain(markdown: str, width: int | None = None) -> str:
    """Markdown with formulas as plain text, wrapped to `width` columns where given.

    >>> plain(r"The **bias** of $\\hat r_{ui}$ is $b_u$.")
    'The bias of r̂_ui is b_u.'
    >>> print(plain("- 只看有评分的位置，最小化平方误差。", 20))
    - 只看有评分的位置，
      最小化平方误差。
    """
    return "\n".join("".join(piece.text for piece in line) for line in lines(markdown, width))


def lines(markdown: str, width: int | None = None) -> Iterator[list[Piece]]:
    """The lines of `plain`, as pieces that know whether they are bold."""
    blank = True  # the last line was empty, or there was none
    for line in markdown.strip().split("\n"):
        line = line.strip()
        if not line:
            if not blank:
                yield []
            blank = True
            continue
        blank = False
        if shown := re.fullmatch(r"\$\$([^$]+)\$\$", line):
            yield from _displayed(shown[1], width)
        elif bullet := re.match(r"([-*]|\d+\.) +", line):
            indent = " " * len(bullet[0].rstrip() + " ")
            yield from _wrapped(list(_pieces(line[bullet.end():])), width, bullet[0].rstrip() + " ", indent)
        else:
            yield from _wrapped(list(_pieces(line)), width)


def _displayed(latex: str, width: int | None) -> Iterator[list[Piece]]:
    """A formula on a line of its own, indented; several equations on several lines where they do not fit."""
    whole = formula(latex)
    fits = width is None or cells("    " + whole) <= width
    for part in [whole] if fits else whole.split(",  "):
        yield [Piece("    " + part)]


def _wrapped(pieces: list[Piece], width: int | None, first: str = "", indent: str = "") -> Iterator[list[Piece]]:
    """Lines of at most `width` columns; a piece that is wider has a line of its own."""
    line, used = [Piece(first)] if first else [], cells(first)
    begun = False
    for piece in pieces:
        room = cells(piece.text) + (piece.space and begun)
        if begun and width is not None and used + room > width:
            yield line
            line, used, begun = [Piece(indent)] if indent else [], cells(indent), False
            room = cells(piece.text)
        if piece.space and begun:
            line.append(Piece(" ", piece.bold and line[-1].bold))
        line.append(piece)
        used += room
        begun = True
    yield line


_SPAN = re.compile(r"\$([^$]+)\$|\*\*(.+?)\*\*|`([^`]+)`|\*([^*\s][^*]*?)\*", re.DOTALL)
_OPENING, _CLOSING = "（【《“‘(", "，。、；：？！）】》”’…—,.;:?!)%"


def _pieces(text: str, bold: bool = False) -> Iterator[Piece]:
    """Words, Chinese characters and formulas, with punctuation kept to what it belongs to."""
    pending, space = "", False  # what the next piece has to hold on to, and whether a space comes before
    held: Piece | None = None  # the last piece, to which closing punctuation may still be added
    for piece in _split(text, bold):
        glued = held is not None and not piece.space and not pending and (
            piece.text[0] in _CLOSING or not (_wide(piece.text[0]) or _wide(held.text[-1])))
        if glued and held is not None:
            held = Piece(held.text + piece.text, held.bold, held.space)
        elif piece.text in _OPENING:
            space = space or (piece.space and not pending)
            pending += piece.text
        else:
            if held is not None:
                yield held
            held = Piece(pending + piece.text, piece.bold, piece.space if not pending else space)
            pending, space = "", False
    if held is not None:
        yield Piece(held.text + pending, held.bold, held.space)


def _split(text: str, bold: bool) -> Iterator[Piece]:
    """Runs of one kind; `space` says that white space stood before."""
    at, space = 0, False

    def words(chunk: str) -> Iterator[Piece]:
        nonlocal space
        for token in re.findall(r"\s+|[^\s\u2e80-\u9fff\uff00-\uffef“”‘’—…]+|.", chunk):
            if token.isspace():
                space = True
                continue
            yield Piece(token, bold, space)
            space = False

    for span in _SPAN.finditer(text):
        yield from words(text[at:span.start()])
        at = span.end()
        if span[1]:
            yield Piece(formula(span[1]), bold, space)
            space = False
        elif span[3]:
            yield Piece(span[3], bold, space)
            space = False
        else:
            for inner in _split(span[2] or span[4], bold or bool(span[2])):
                yield inner._replace(space=inner.space or space)
                space = False
    yield from words(text[at:])


def _wide(sign: str) -> bool:
    return unicodedata.east_asian_width(sign) in "WF" or sign in "“”‘’—…"


def cells(text: str) -> int:
    """The columns that `text` takes on a terminal.

    >>> cells("r̂_ui 精排")
    9
    """
    return sum(0 if unicodedata.combining(sign) else 2 if unicodedata.east_asian_width(sign) in "WF" else 1
               for sign in text)


#: What is written where a console lacks the sign.
_INSTEAD = {
    "−": "-", "–": "-", "—": "--", "‖": "||", "⊤": "T", "ᵀ": "^T", "²": "^2", "³": "^3", "⁻": "^-", "¹": "1",
    "\u0302": "^", "\u0304": "-", "\u0303": "~", "·": "*", "⊙": "(*)", "×": "x", "±": "+-", "←": "<-", "→": "->",
    "∈": " in ", "∉": " not in ", "∝": "~", "∩": " & ", "∪": " | ", "≤": "<=", "≥": ">=", "≠": "!=", "≈": "~",
    "Σ": "sum", "Π": "prod", "√": "sqrt", "⟨": "<", "⟩": ">", "∞": "inf", "…": "...", "“": '"', "”": '"', "‘": "'",
    "’": "'", "✓": "+", "✗": "x", "│": "|", "─": "-", "█": "#",
    "α": "alpha", "β": "beta", "γ": "gamma", "δ": "delta", "ε": "epsilon", "η": "eta", "λ": "lambda", "μ": "mu",
    "ν": "nu", "π": "pi", "σ": "sigma", "τ": "tau", "θ": "theta", "Δ": "Delta", "Λ": "Lambda",
}


def encodable(text: str, encoding: str | None) -> str:
    """`text` with signs that `encoding` has: the nearest one, or a question mark.

    >>> encodable("r̂_ui = p_uᵀ q_i, λ = σ²", "ascii")
    'r^_ui = p_u^T q_i, lambda = sigma^2'
    """
    try:
        text.encode(encoding or "utf-8")
        return text
    except (UnicodeEncodeError, LookupError):
        return "".join(_nearest(sign, encoding or "utf-8") for sign in text)


def _nearest(sign: str, encoding: str) -> str:
    for tried in (sign, _INSTEAD.get(sign, "")):
        if tried and _fits(tried, encoding):
            return tried
    apart = unicodedata.normalize("NFKD", sign)  # é: e and an accent
    return "".join(part if _fits(part, encoding) else _INSTEAD.get(part, "?") for part in apart) if apart != sign else "?"


def _fits(text: str, encoding: str) -> bool:
    try:
        text.encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return False
    return True
