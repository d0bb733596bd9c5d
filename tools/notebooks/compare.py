"""Says whether the outputs of two runs of a notebook agree, after `outputs.py` has brought them
into one form.

Nothing here runs a notebook or touches a file. The rules:

* Words must be equal, whole numbers too; other numbers may differ a little.
* A time or a speed is never compared, a picture only by its presence.
* The cell tag `varies` marks learned output, where only numbers with a fraction are compared, and
loosely.
* The cell tag `timing` marks output that is not compared at all.
"""

from __future__ import annotations

import copy
import difflib
import hashlib
import math
import re
import textwrap
from dataclasses import dataclass
from html.parser import HTMLParser
from itertools import zip_longest
from typing import Any

from nbformat import NotebookNode
from outputs import PICTURES, blemish, clean_text

DIFF_LINES = 15
LINE_WIDTH = 150  # longer lines are folded before they are shown
STAMP = "drawn_by"  # cell metadata: a digest of the code that drew the cell's pictures


@dataclass(frozen=True)
class Tolerance:
    """How far the numbers of two runs may lie apart, and what else must be equal."""

    relative: float
    absolute: float
    exact: bool  # words and whole numbers must be equal


USUAL = Tolerance(relative=0.02, absolute=2e-3, exact=True)
VARIES = Tolerance(relative=0.15, absolute=0.02, exact=False)


# --- Numbers and words ----------------------------------------------------------------------------

_DIGITS = r"(?:[0-9]{1,3}(?:,[0-9]{3})+(?![0-9])|[0-9]+)"
# NumPy prints 1.0 as "1.", so a point before a space or a bracket belongs to the number.
_NUMBER = rf"[+\-−]?(?:{_DIGITS}(?:\.[0-9]+|\.(?=[\s\]),;]|\Z))?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?"
_START = r"(?<![\w.])"  # digits inside a name, as in float32, belong to the name
_TIME = (
    r"(?:[nµμum]?s|secs?|(?:nano|micro|milli)?seconds?|minutes?|h|hrs?|hours?"
    # "mean 0.5 min 0.1" names a minimum, "2 min 30 s" is a time
    r"|mins?(?!\s*[:=/])(?!\s+[+-]?[0-9.]+(?![0-9.]|\s?s)))(?![\w'’])"
    r"(?:/(?:step|batch|epoch|it|iter|user|item|example|call|row|sample)\b)?"
)
_SPEED = (
    r"(?:[kKMG]? ?(?:[A-Za-z][\w-]* )?[A-Za-z][\w-]*)? ?(?:/|per) ?"
    r"(?:[mµμu]?s|sec|second|min|minute|hour)(?!\w)"
)
_FASTER = r"(?:x|×|times|%)\s?(?:as fast|faster|slower|quicker|speed-?up)\b"
_MEMORY = r"[kKMGT]i?B\s(?:of\s)?(?:memory|RAM|RSS|peak|resident)\b"
_LOOPS = r"loops?(?=\seach)"  # %timeit picks their number by speed
_UNIT = rf"[^\S\n]{{0,2}}(?:{_TIME}|{_SPEED}|{_FASTER}|{_MEMORY}|{_LOOPS})"
# 1.2 ± 0.1 s, 1/3 ms, 1 to 3 s; but in "loss 0.5 / 3 s" the first number is no time
_SECOND_NUMBER = rf"(?:(?: ?(?:±|\+/-|\+-) ?|[–/]| to ){_NUMBER})"
_TOKEN = re.compile(
    rf"(?P<timed>{_START}{_NUMBER}{_SECOND_NUMBER}?{_UNIT})"
    rf"|(?P<version>{_START}[0-9]+(?:\.[0-9]+){{2,}})"
    rf"|(?P<number>{_START}{_NUMBER}|{_START}[+\-−]?(?i:nan|inf)(?!\w))"
)


@dataclass(frozen=True)
class Reading:
    """A text taken apart: `words` has a mark in place of each number, `numbers` the numbers as
    printed."""

    words: str
    numbers: tuple[str, ...]


def read_text(text: str) -> Reading:
    """Takes numbers out of `text`, masks times and speeds, and folds white space and ruled
    lines."""
    numbers: list[str] = []

    def replace(match: re.Match[str]) -> str:
        if match["timed"]:
            return "⟨time⟩"
        if match["version"]:
            return match[0]
        numbers.append(match[0])
        return "⟨#⟩"

    words = _TOKEN.sub(replace, clean_text(text))
    words = re.sub(r"([-=_─━═])\1{2,}", r"\1\1\1", words)  # a rule is as long as its column is wide
    words = re.sub(r"\s*(⟨#⟩)\s*", r"\1", words)  # columns are padded to the longest number
    words = re.sub(r"⟨time⟩(?:\s*⟨time⟩)+", "⟨time⟩", words)  # 1 min 5 s against 58 s
    return Reading(" ".join(words.split()), tuple(numbers))


def _is_whole(number: str) -> bool:
    return re.fullmatch(r"[+\-−]?[0-9,]+\.?", number) is not None


def numbers_agree(old: str, new: str, tolerance: Tolerance) -> bool:
    """Whether two printed numbers agree: whole ones exactly where asked, others within the
    tolerance."""
    if _is_whole(old) and _is_whole(new):
        return old == new or not tolerance.exact
    if tolerance.exact and any(
        _is_whole(number) and not number.endswith(".") for number in (old, new)
    ):
        return False  # a whole number became a fraction, or the other way round
    a, b = (float(number.replace(",", "").replace("−", "-")) for number in (old, new))
    if math.isnan(a) or math.isnan(b):
        return math.isnan(a) and math.isnan(b)
    return math.isclose(a, b, rel_tol=tolerance.relative, abs_tol=tolerance.absolute)


def texts_agree(old: str, new: str, tolerance: Tolerance = USUAL) -> bool:
    """Whether two printed texts say the same within the tolerance."""
    a, b = read_text(old), read_text(new)
    if tolerance.exact and a.words != b.words:
        return False
    if len(a.numbers) != len(b.numbers):
        return not tolerance.exact  # learned output of another length has no numbers to pair
    return all(numbers_agree(x, y, tolerance) for x, y in zip(a.numbers, b.numbers, strict=True))


class _HtmlText(HTMLParser):
    """Collects the text of a page: a line for each row of a table, cells set apart by |."""

    def __init__(self) -> None:
        super().__init__()
        self.parts: list[str] = []
        self.hidden = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.hidden = self.hidden or tag in ("style", "script")
        if tag in ("tr", "p", "div", "br", "li", "table"):
            self.parts.append("\n")
        elif tag in ("td", "th"):
            self.parts.append(" | ")

    def handle_endtag(self, tag: str) -> None:
        if tag in ("style", "script"):
            self.hidden = False

    def handle_data(self, data: str) -> None:
        if not self.hidden:
            self.parts.append(data)


def html_text(html: str) -> str:
    """The text that a page shows, without its empty lines."""
    parser = _HtmlText()
    parser.feed(html)
    parser.close()
    return "\n".join(line.strip() for line in "".join(parser.parts).splitlines() if line.strip())


# --- Cells ----------------------------------------------------------------------------------------


def _texts(output: NotebookNode) -> dict[str, str | None]:
    """The kinds of content of an output and the text of each, None for what is compared by presence
    alone."""
    if output.output_type == "stream":
        return {output.name: output.text}
    if output.output_type == "error":
        return {"error": f"{output.ename}: {output.evalue}"}
    texts: dict[str, str | None] = {}
    for mime, value in sorted(
        output.data.items(), key=lambda pair: (pair[0] != "text/plain", pair[0])
    ):
        text = html_text(value) if mime == "text/html" else value
        texts[mime] = text if mime.startswith("text/") else None
    return texts


def has_picture(cell: NotebookNode) -> bool:
    """Whether an output of the cell holds a picture."""
    return any(PICTURES & output.get("data", {}).keys() for output in cell.outputs)


def diff_lines(old: str, new: str, tolerance: Tolerance = USUAL) -> list[str]:
    """The lines in which two texts differ, "-" before the committed ones and "+" before the new."""

    def fold(text: str) -> list[str]:
        return [
            part for line in text.splitlines() for part in textwrap.wrap(line, LINE_WIDTH) or [""]
        ]

    before, after = fold(old), fold(new)
    old_words, new_words = ([read_text(line).words for line in lines] for lines in (before, after))
    matcher = difflib.SequenceMatcher(None, old_words, new_words, autojunk=False)
    shown = list(after)
    for start, other, length in matcher.get_matching_blocks():
        for i in range(
            length
        ):  # a line that agrees must not show up because of its last digits or its times
            if texts_agree(before[start + i], after[other + i], tolerance):
                shown[other + i] = before[start + i]
    lines = list(difflib.unified_diff(before, shown, n=0, lineterm=""))[2:]
    lines = lines or list(difflib.unified_diff(before, after, n=0, lineterm=""))[2:]
    return [line for line in lines if not line.startswith("@@")]


def cell_difference(old: NotebookNode, new: NotebookNode) -> str | None:
    """Why the committed code cell `old` is not what running it gives (`new`), or None where they
    agree.

    Both are normalised.
    """
    tags = old.metadata.get("tags", [])
    if not old.source.strip():
        return None
    if old.execution_count is None:
        return "the committed cell was never run"
    if new.outputs and not old.outputs:
        return "the committed outputs are missing"
    if "timing" in tags:
        return None if new.outputs else "a cell tagged timing has no output"
    tolerance = VARIES if "varies" in tags else USUAL
    lines: list[str] = []
    for old_output, new_output in zip_longest(old.outputs, new.outputs):
        before: dict[str, Any] = _texts(old_output) if old_output else {}
        after: dict[str, Any] = _texts(new_output) if new_output else {}
        if before.keys() != after.keys():
            lines += [
                f"- {', '.join(before) or 'no output'}",
                f"+ {', '.join(after) or 'no output'}",
            ]
        for kind in [
            kind for kind in before | after if (before.get(kind), after.get(kind)) != (None, None)
        ]:
            a, b = before.get(kind) or "", after.get(kind) or ""
            if not texts_agree(a, b, tolerance):
                lines += diff_lines(a, b, tolerance)
                break  # the other forms of this output would only repeat it
    if not lines:
        return None
    if len(lines) > DIFF_LINES:
        lines = [*lines[:DIFF_LINES], f"… and {len(lines) - DIFF_LINES} more lines"]
    return "\n".join(["the outputs differ (- committed, + now)", *lines])


# --- Notebooks ------------------------------------------------------------------------------------


def label(notebook: NotebookNode, index: int) -> str:
    """How messages name a cell: its place, its number in JupyterLab and its first line."""
    cell = notebook.cells[index]
    lines = cell.source.strip().splitlines() or [""]
    code = [
        i
        for i, other in enumerate(notebook.cells)
        if other.cell_type == "code" and other.source.strip()
    ]
    number = f" [{code.index(index) + 1}]" if index in code else ""
    return f"cell {index + 1}{number} `{lines[0][:80]}`"


def merge(
    old: NotebookNode, fresh: NotebookNode, pictures: bool, paths: re.Pattern[str]
) -> tuple[NotebookNode, list[str]]:
    """The notebook that should be committed, and in what the committed one differs from its fresh
    run.

    Cells keep their committed outputs up to the first that differs; from there on all outputs are
    fresh, so that they stem from one run. A picture also counts as different when other code drew
    it: a digest of the cell's code and all code above it is kept with the cell.
    """
    merged = copy.deepcopy(old)
    digest = hashlib.sha256()
    differences = []
    changed = False
    for index, (cell, new) in enumerate(zip(merged.cells, fresh.cells, strict=True)):
        if cell.cell_type != "code":
            continue
        digest.update(f"{cell.source}\n".encode())
        drawn_by = digest.hexdigest()[:12] if has_picture(new) else None
        stamp = cell.metadata.pop(STAMP, None)
        why = cell_difference(cell, new) or blemish(cell, paths)
        if why is None and stamp and drawn_by and stamp != drawn_by:
            why = "the picture was drawn by earlier code (--update draws it again)"
        if why:
            differences.append(f"{label(old, index)}: {why}")
        changed = changed or bool(why) or stamp != drawn_by
        if changed or (pictures and drawn_by):
            cell.outputs = new.outputs
        cell.execution_count = new.execution_count
        if drawn_by:
            cell.metadata[STAMP] = drawn_by
    return merged, differences
