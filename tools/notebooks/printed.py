"""The numbers that a notebook prints, and where.

A number is kept as it was printed: how many digits it has after the point, and whether it is a
percentage. A number of a cell's code counts as one that is exact.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from compare import html_text
from nbformat import NotebookNode

SIGN = r"(?:(?<![\w)\]])[+\-−]\s?)?"
DIGITS = r"(?:\d{1,3}(?:,\d{3})+|\d+)"
_PRINTED = re.compile(
    r"(?<![A-Za-z0-9_@.])(?:(?<![\w)\]])[+\-−])?"
    rf"(?:{DIGITS}(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?(?![A-Za-z0-9_@])"
)
_PERCENT = re.compile(r"\s?(?:%|％|percent\b|per cent\b|points\b|个?百分点)")
_TIMES = re.compile(r"\s?(?:×(?!\s?\d)|倍|times\b)")
_HEADING = re.compile(r"^(#+) +(.+)$")
_LINK = re.compile(r"\]\(#([^)\s]+)\)")
#: Words that say nothing of what a number is of: those of any sentence, and the names of metrics.
_COMMON = frozenset(
    "about above after all also alone an and are around as at be before below both but by can clear do "
    "does each far first for from has have here how if in into is it its less more most no not now "
    "of on one only or other our out over same so than that the their them then there these they "
    "this to two up was we what when where which while who with would you your "
    "ndcg recall hr hit rate precision map mrr auc rmse mae loss error true false mean "
    "user users item items film films model models test train set split movielens ml 100k".split()
)


@dataclass(frozen=True)
class Number:
    """A number as it was printed.

    Attributes:
        value: what it is.
        digits: how many it has after the point; fewer than none where zeros only fill it up.
        percent: whether a sign of percent follows it.
        times: whether it says how many times: 7 ×, 7 times.
        exact: whether it is a number of the code, which is nothing rounded.
    """

    value: float
    digits: int
    percent: bool = False
    times: bool = False
    exact: bool = False


@dataclass(frozen=True)
class Line:
    """A line of an output, or the code of a cell: the words in it, and its numbers."""

    words: frozenset[str]
    numbers: tuple[Number, ...]


@dataclass(frozen=True)
class Place:
    """Where a paragraph stands, or what a cell prints."""

    cell: int
    section: tuple[str, ...]  # the headings above, outermost first


class Page:
    """What the cells of a notebook print, and under which headings."""

    def __init__(self, notebook: NotebookNode) -> None:
        self.lines: dict[Place, list[Line]] = {}
        self.paragraphs: list[tuple[Place, str]] = []
        self._is_code = [cell.cell_type == "code" for cell in notebook.cells]
        section: tuple[str, ...] = ()
        for index, cell in enumerate(notebook.cells):
            if cell.cell_type == "code":
                self.lines[Place(index, section)] = list(lines_of(cell))
                continue
            for text in paragraphs(cell.source):
                for heading in (_HEADING.match(line) for line in text.splitlines()):
                    if heading:
                        section = (*section[: len(heading[1]) - 1], heading[2].rstrip(" ◆★"))
                self.paragraphs.append((Place(index, section), text))

    def near(self, place: Place, text: str) -> Iterator[Number]:
        """The numbers of the cells right before and after, of those under the same heading, and of
        the sections that the text links to."""
        beside, linked = self._beside(place.cell), set(_LINK.findall(text))
        for where, lines in self.lines.items():
            if (
                where.cell in beside
                or where.section == place.section
                or linked.intersection(map(anchor, where.section))
            ):
                for line in lines:
                    yield from line.numbers

    def anywhere(self, words: frozenset[str]) -> Iterator[Number]:
        """The numbers of the lines that have one of these words."""
        for lines in self.lines.values():
            for line in lines:
                if line.words & words:
                    yield from line.numbers

    def __iter__(self) -> Iterator[Number]:
        for lines in self.lines.values():
            for line in lines:
                yield from line.numbers

    def _beside(self, index: int) -> set[int]:
        """The code cells that follow one another right before this cell, or right after."""
        found = set()
        for step in (-1, 1):
            each = index + step
            while 0 <= each < len(self._is_code) and self._is_code[each]:
                found.add(each)
                each += step
        return found


def anchor(heading: str) -> str:
    """What a link to a heading is called.

    >>> anchor("On real data")
    'On-real-data'
    """
    return heading.strip().replace(" ", "-")


def paragraphs(markdown: str) -> list[str]:
    """The paragraphs of a text, without blocks of code."""
    text = re.sub(r"^```.*?^```", " ", markdown, flags=re.MULTILINE | re.DOTALL)
    return re.split(r"\n\s*\n", text)


def words_of(text: str) -> frozenset[str]:
    """The words of a text that may name what a number is of.

    >>> sorted(words_of("On the test part EASE has an NDCG@10 of 0.201, ItemCF 0.195, k-NN 0.2."))
    ['cf', 'ease', 'knn', 'part']
    """
    apart = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", re.sub(r"\b[kK]-?NN", "KNN", text))
    found = {word.lower() for word in re.findall(r"[A-Za-z][A-Za-z]+", apart)}
    return frozenset(word.removesuffix("s") for word in found - _COMMON)


def lines_of(cell: NotebookNode) -> Iterator[Line]:
    """What a cell shows, line by line, and its code. The table of published defects is written by
    hand: it shows nothing."""
    code = tuple(numbers_in_code(cell.source))
    yield Line(frozenset(), code)
    if "defect_table(" in cell.source:
        return
    for text in shown(cell):
        for line in text.splitlines():
            numbers = tuple(numbers_in(line))
            if numbers:
                yield Line(words_of(line), numbers)


def shown(cell: NotebookNode) -> Iterator[str]:
    """The texts that a cell shows."""
    for output in cell.outputs:
        if output.output_type == "stream":
            yield output.text
        for kind, value in output.get("data", {}).items():
            if kind.startswith("text/"):
                yield html_text(value) if kind == "text/html" else value


def numbers_in(text: str) -> Iterator[Number]:
    """The numbers of an output.

    >>> [each.value for each in numbers_in("rmse 0.914, 1,682 films [-0.5 1. ] 638 ms")]
    [0.914, 1682.0, -0.5, 1.0, 638.0, 0.638]
    >>> [(each.value, each.digits, each.percent) for each in numbers_in("36.4 % 6.2e-04")]
    [(36.4, 1, True), (0.00062, 5, False)]
    """
    for match in _PRINTED.finditer(text):
        number, _, power = match[0].replace(",", "").replace("−", "-").lower().partition("e")
        value, digits = float(number) * 10.0 ** int(power or 0), len(number.partition(".")[2])
        value, digits = float(f"{value:.12g}"), digits - int(power or 0)
        after = text[match.end() :]
        yield Number(value, digits, bool(_PERCENT.match(after)), bool(_TIMES.match(after)))
        if re.match(r"\s?(?:ms|MB)\b", after):
            yield Number(value / 1000, digits + 3)
        if re.match(r"\s?MiB\b", after):
            yield Number(value / 1024, digits + 3)


def numbers_in_code(source: str) -> Iterator[Number]:
    """The numbers of the code itself: not those in its comments or strings.

    >>> [each.value for each in numbers_in_code("x = EASE(reg=400)  # 77\\nprint(f'5 {x:.3f} {x > 0.9}')")]
    [400.0, 0.9]
    """
    try:
        nodes = ast.walk(ast.parse(source))
    except SyntaxError:
        return
    for node in nodes:
        if isinstance(node, ast.Constant) and type(node.value) in (int, float):
            yield Number(float(node.value), 0, exact=True)


def numbers_of(rows: Iterable[object]) -> Iterator[Number]:
    """All numbers in some rows of results, whatever their keys; what is called a share is a
    percentage, too.

    >>> [(each.value, each.percent) for each in numbers_of([{"share": 0.5, "found": [1, 0.25]}])]
    [(1.0, False), (0.25, False), (0.5, False), (50.0, True)]
    """
    for row in rows:
        queue = [("", row)]
        while queue:
            key, each = queue.pop()
            if isinstance(each, dict):
                queue.extend(each.items())
            elif isinstance(each, list):
                queue.extend((key, one) for one in reversed(each))
            elif isinstance(each, int | float) and not isinstance(each, bool):
                digits = len(f"{float(each):.10f}".rstrip("0").partition(".")[2])
                yield Number(float(each), digits)
                if key.startswith("share"):
                    yield Number(float(f"{100 * each:.12g}"), digits - 2, percent=True)
