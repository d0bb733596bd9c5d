"""Finds the figures in prose that no cell prints.

    python tools/notebooks/figures.py              all notebooks as they are committed
    python tools/notebooks/figures.py q05 q07      those whose names start so

A figure of a Markdown cell is *printed* if it is, rounded to the digits the prose gives, a number
in an output of the same notebook or a number in the code of its cells. A percentage may be printed
as a share and the other way round; thousands may have commas; without a sign in the prose, that of
the output does not count. In a paragraph that names another library, the library's rows of
`benchmarks/results/*.json` count too, and ours where it names `benchmarks/`. These need not be printed:

* whole numbers from 0 to 12 without sign or unit ("three of 10 places"): ordinary counting;
* numbers of questions ("questions 4 and 12"), numbers in names (NDCG@10, ML-100K, float32), and
  the minutes that a question's own texts take;
* years: in brackets, after "in", "since" or "of", or before 年;
* what stands between backticks or in a block of code;
* formulas, but for a result: a number with a fraction after a last = or ≈, and a formula that is
  nothing but a number;
* what `allowed_figures.toml` lists for the notebook, or for all of them, with the reason.

The table of published defects is written by hand and shown by a cell: it is no evidence.
"""

from __future__ import annotations

import io
import json
import re
import sys
import tokenize
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import nbformat
from compare import html_text, label
from nbformat import NotebookNode

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "benchmarks" / "results"
ALLOWED = Path(__file__).with_name("allowed_figures.toml")
EVERYWHERE = "everywhere"

#: Documents that are checked beside the notebooks.
DOCUMENTS = ("README.md", "README.zh.md", "ERRATA.md", "benchmarks/README.md")
#: Notebooks that are not yet checked, and why.
TO_COME: dict[str, str] = {
    "cinema": "the data set is being regenerated",
    "q02_llm_interest": "its table of readers awaits a run of benchmarks/text_encoders.py",
    "q08_deep_learning": "is being rewritten",
}


_SIGN = r"(?:(?<![\w)\]])[+\-−]\s?)?"
_DIGITS = r"(?:\d{1,3}(?:,\d{3})+|\d+)"
_FIGURE = re.compile(
    rf"(?<![A-Za-z0-9_@.])(?<![A-Za-z][\-_])(?P<sign>{_SIGN})"
    rf"(?P<digits>{_DIGITS}(?:\.\d+)?|\.\d+)(?P<power>[eE][+-]?\d+)?"
    r"(?![A-Za-z0-9_@]|\.\d)"
    r"(?P<unit>\s?(?:%|％|percent\b|per cent\b|个?百分点|points\b|million\b|万|亿|×(?!\s?\d)|倍|times\b))?"
)
_PRINTED = re.compile(
    r"(?<![A-Za-z0-9_@.])(?:(?<![\w)\]])[+\-−])?"
    rf"(?:{_DIGITS}(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?(?![A-Za-z0-9_@])"
)
_PERCENT = ("%", "％", "percent", "per cent", "个百分点", "百分点", "points")
_MANY = {"million": 1e6, "万": 1e4, "亿": 1e8}
_ABOUT = re.compile(
    r"(?:about|around|nearly|almost|roughly|some|over|under|than|least|most|约|近|超过|不到|大约|~|≈)"
    r"\s?(?:an?\s)?$"
)
_YEAR = re.compile(r"(?:19|20)\d\d")
_BEFORE_A_YEAR = re.compile(r"(?:\b(?:in|since|of|until|al\.)\s|[(（][^()（）]*)$")
_QUESTIONS = re.compile(
    r"\b[Qq]uestions?\s\d+(?:(?:,\s|\s(?:and|or|to)\s|–)\d+)*"
    r"|第\s?\d+(?:\s?[、，和到–-]\s?(?:第\s?)?\d+)*\s?题"
)
#: What a question's texts say of themselves: 60 seconds, "15 minutes to answer, 40 to code".
_MINUTES = re.compile(r"\b60[- ]seconds?|60 秒|\d+ minutes to answer(?:, \d+ to code)?|约 \d+ 分钟")


@dataclass(frozen=True)
class Figure:
    """A number as prose gives it."""

    text: str  # as it stands there, without blanks: "+1,682", "3.5%"
    value: float
    half: float  # half a unit of the last digit that is given
    signed: bool
    percent: bool
    around: str  # the words around it

    def among(self, printed: Numbers) -> bool:
        """Whether it is one of these numbers, rounded."""
        shares = (1.0, 0.01) if self.percent else (1.0, 100.0)
        return any(
            printed.holds(self.value * each, self.half * each, self.signed) for each in shares
        )


class Numbers:
    """Numbers that were printed.

    >>> Numbers([0.1945, -3]).holds(0.19, 0.005, signed=False)
    True
    """

    def __init__(self, values: Iterable[float] = ()) -> None:
        self.values = frozenset(values)

    def __or__(self, other: Numbers) -> Numbers:
        return Numbers(self.values | other.values)

    def holds(self, value: float, half: float, signed: bool) -> bool:
        """Whether one lies within `half` of `value`; the sign counts where it is `signed`."""
        near = half * (1 + 1e-6) + 1e-9
        if signed:
            return any(abs(each - value) <= near for each in self.values)
        return any(abs(abs(each) - abs(value)) <= near for each in self.values)


# --- What prose says ------------------------------------------------------------------------------


def figures(text: str) -> Iterator[Figure]:
    """The figures of a Markdown text that have to be printed.

    >>> [each.text for each in figures("RMSE is 0.914 (Koren 2009), +3 %, for $k = 64$, question 11.")]
    ['0.914', '+3%']
    >>> [each.text for each in figures("测试RMSE是0.914，提升了 12%，$x = 0.82$，共 5 万。")]
    ['0.914', '12%', '0.82', '5万']
    """
    text = without_exempt(text)
    for match in _FIGURE.finditer(text):
        if not (is_counting(match) or is_year(match)):
            yield figure(match)


def without_exempt(text: str) -> str:
    """The text without code, links, tags, question numbers and formulas, but with their results."""
    text = re.sub(r"`[^`\n]+`", " ` ", text)
    text = re.sub(r"\]\([^)\s]*\)|https?://\S+|<[^<>]*>", " ", text)
    text = re.sub(r"\$\$(.+?)\$\$|\$([^$]+)\$", result_of, text, flags=re.DOTALL)
    text = _MINUTES.sub(" ", text)
    text = re.sub(r"^\s*(?:#+ )?\d+[.)]\s", " ", text, flags=re.MULTILINE)  # numbered headings
    return _QUESTIONS.sub(" ", text)


def result_of(formula: re.Match[str]) -> str:
    """The result of a formula, with a fraction; or all of it where it is but a number; or nothing.

    >>> [re.sub(r"\\$(.+?)\\$()", result_of, x) for x in ("$a = .2 b = .82$", "$k = 64$", "$.5$")]
    [' .82 ', ' x ', ' .5 ']
    """
    inside = (formula[1] or formula[2]).replace(r"\%", "%").replace(r"\,", "").strip()
    number = r"[+\-−]?(?:[\d,]*\.\d+|\d+(?:\.\d+)?\s?%)"
    found = re.search(rf"(?:=|\\approx|≈)\s*({number})[.\s]*$", inside)
    whole = re.fullmatch(r"[+\-−]?[\d,]*\.?\d+\s?%?", inside)
    return f" {found[1] if found else inside if whole else 'x'} "


def is_counting(match: re.Match[str]) -> bool:
    """Whether it is a whole number up to 12 without sign or unit."""
    plain = not (match["sign"] or match["unit"] or match["power"])
    return plain and re.fullmatch(r"\d|1[0-2]", match["digits"]) is not None


def is_year(match: re.Match[str]) -> bool:
    """Whether it is the year of a citation, a film or an event."""
    if match["sign"] or match["unit"] or not _YEAR.fullmatch(match["digits"]):
        return False
    before, after = match.string[: match.start()][-80:], match.string[match.end() :]
    return bool(_BEFORE_A_YEAR.search(before) or re.match(r"\s?年|[)）]", after))


def figure(match: re.Match[str]) -> Figure:
    """The figure that was found, with how exactly it is given."""
    digits, unit = match["digits"].replace(",", ""), (match["unit"] or "").strip()
    scale = float(f"1{match['power'] or ''}") * _MANY.get(unit, 1.0)
    half = 0.5 * 10.0 ** -len(digits.partition(".")[2])
    before, after = match.string[: match.start()], match.string[match.end() :]
    if "." not in digits:
        zeros = len(digits) - len(digits.rstrip("0"))
        vague = _ABOUT.search(before) or re.match(r"\s?(?:多|余|左右)", after)
        half = 0.5 * 10.0**zeros if zeros and vague else half if scale != 1 else 0.5
    sign = match["sign"].strip()
    kind = "%" if unit in _PERCENT else unit if unit in _MANY else ""
    return Figure(
        text=f"{sign}{match['digits']}{match['power'] or ''}{kind}".replace("−", "-"),
        value=float(digits) * scale * (-1 if sign in ("-", "−") and sign else 1),
        half=half * scale,
        signed=bool(sign),
        percent=unit in _PERCENT,
        around=" ".join(f"{before[-40:]}{match[0]}{after[:30]}".split()),
    )


# --- What was printed -----------------------------------------------------------------------------


def numbers_in(text: str) -> Iterator[float]:
    """The numbers of an output.

    >>> list(numbers_in("rmse 0.914, 1,682 films [-0.5 1. ] 638 ms"))
    [0.914, 1682.0, -0.5, 1.0, 638.0, 0.638]
    """
    for match in _PRINTED.finditer(text):
        value = float(match[0].replace(",", "").replace("−", "-"))
        yield value
        if re.match(r"\s?(?:ms|MB)\b", text[match.end() :]):
            yield value / 1000
        if re.match(r"\s?MiB\b", text[match.end() :]):
            yield value / 1024


def evidence(notebook: NotebookNode) -> Numbers:
    """The numbers in outputs and code of a notebook."""
    found: set[float] = set()
    for cell in notebook.cells:
        if cell.cell_type != "code":
            continue
        found.update(numbers_in_code(cell.source))
        if "defect_table(" not in cell.source:
            for text in shown(cell):
                found.update(numbers_in(text))
    return Numbers(found)


def shown(cell: NotebookNode) -> Iterator[str]:
    """The texts that a cell shows."""
    for output in cell.outputs:
        if output.output_type == "stream":
            yield output.text
        for kind, value in output.get("data", {}).items():
            if kind.startswith("text/"):
                yield html_text(value) if kind == "text/html" else value


def numbers_in_code(source: str) -> Iterator[float]:
    """The numbers of the code itself: not those in its comments or strings."""
    try:
        for token in tokenize.generate_tokens(io.StringIO(source).readline):
            if token.type == tokenize.NUMBER and "j" not in token.string.lower():
                yield float(token.string) if is_decimal(token.string) else int(token.string, 0)
    except (tokenize.TokenError, SyntaxError):
        return


def is_decimal(number: str) -> bool:
    return re.fullmatch(r"[\d_]*\.?[\d_]*(?:[eE][+-]?\d+)?", number) is not None


@cache
def results() -> dict[str, list[dict]]:
    """File name -> rows of `benchmarks/results/*.json`."""
    files = sorted(RESULTS.glob("*.json"))
    return {path.stem: json.loads(path.read_text(encoding="utf8"))["rows"] for path in files}


def numbers_of(rows: Iterable[object]) -> Numbers:
    """All numbers in some rows, whatever their keys."""
    found: set[float] = set()
    queue = list(rows)
    while queue:
        each = queue.pop()
        if isinstance(each, dict):
            queue.extend(each.values())
        elif isinstance(each, list):
            queue.extend(each)
        elif isinstance(each, int | float) and not isinstance(each, bool):
            found.add(float(each))
    return Numbers(found)


def of_libraries(paragraph: str) -> Numbers:
    """What the libraries that a paragraph names have reached."""
    words = paragraph.lower().replace("implicit feedback", "")
    rows = [row for rows in results().values() for row in rows]
    if "benchmarks/" in words:
        words += " keras_recs"
    return numbers_of(row for row in rows if row["library"].lower() in words)


# --- The check ------------------------------------------------------------------------------------


@cache
def allowed(path: Path = ALLOWED) -> dict[str, dict[str, str]]:
    """Notebook, document or "everywhere" -> figure -> why it is allowed."""
    return tomllib.loads(path.read_text(encoding="utf8"))


def unprinted(text: str, printed: Numbers, name: str, used: set[tuple[str, str]]) -> list[Figure]:
    """The figures of a text that are neither printed nor allowed; entries that allow one go into
    `used`."""
    found = []
    text = re.sub(r"^```.*?^```", " ", text, flags=re.MULTILINE | re.DOTALL)
    for paragraph in re.split(r"\n\s*\n", text):
        known = printed | of_libraries(paragraph)
        for each in figures(paragraph):
            if each.among(known):
                continue
            entries = [
                (section, each.text)
                for section in (name, EVERYWHERE)
                if each.text in allowed().get(section, {})
            ]
            used.update(entries)
            if not entries:
                found.append(each)
    return found


def check(notebook: NotebookNode, name: str, used: set[tuple[str, str]] | None = None) -> list[str]:
    """The figures in the Markdown cells of a notebook that no cell prints, one message each."""
    if name in TO_COME:
        return []
    printed = evidence(notebook)
    used = set() if used is None else used
    return [
        f"{label(notebook, index)}: no cell prints {each.text} of “… {each.around} …”"
        for index, cell in enumerate(notebook.cells)
        if cell.cell_type == "markdown"
        for each in unprinted(cell.source, printed, name, used)
    ]


def check_document(text: str, name: str, used: set[tuple[str, str]]) -> list[str]:
    """The figures of a README or of the errata that nothing prints.

    A row of a table that names a model of `benchmarks/results` has to be that model's; other
    figures come from any of the results. A section of the errata may have what its question's
    notebook prints.
    """
    messages = []
    for section in re.split(r"^(?=## )", text, flags=re.MULTILINE):
        printed = numbers_of(rows_of(section)) | notebook_of(section)
        table = [line for line in section.splitlines() if line.startswith("|")]
        rest = "\n".join(line for line in section.splitlines() if not line.startswith("|"))
        parts = [own_row(line, printed) for line in table]
        for part, known in [(rest, printed), *parts]:
            for each in unprinted(part, known, name, used):
                messages.append(f"{name}: nothing prints {each.text} of “… {each.around} …”")
    return messages


def rows_of(section: str) -> list[dict]:
    """The results that a section may quote: none in the errata, whose sections are questions."""
    if re.match(r"## \d+\. ", section):
        return []
    return [row for rows in results().values() for row in rows]


def own_row(line: str, printed: Numbers) -> tuple[str, Numbers]:
    """A row of a table, without the name of its model, and what that model has reached; where it
    names none, the row and `printed`."""
    cells = {cell.strip() for cell in line.split("|")}
    rows = [row for row in rows_of("") if row.get("model") in cells]
    rows = [row for row in rows if row.get("protocol") in {None, *cells}]
    for row in rows:
        line = line.replace(row["model"], " ")
    return line, numbers_of(rows) if rows else printed


def notebook_of(section: str) -> Numbers:
    """What the notebook of a section of the errata prints."""
    heading = re.match(r"## (\d+)\. ", section)
    if not heading:
        return Numbers()
    (path,) = (ROOT / "notebooks").glob(f"q{int(heading[1]):02d}_*.ipynb")
    return evidence(nbformat.read(path, as_version=4))


def unused(used: set[tuple[str, str]]) -> list[str]:
    """Entries of the list of allowed figures that allowed nothing."""
    entries = {(name, each) for name, section in allowed().items() for each in section}
    return [
        f"allowed_figures.toml: [{name}] {each!r} is not used"
        for name, each in sorted(entries - used)
        if name not in TO_COME
    ]


def main(names: list[str]) -> int:
    """Checks the committed notebooks; the exit code is 1 where a figure is not printed."""
    failures = []
    for path in sorted((ROOT / "notebooks").rglob("*.ipynb")):
        if not names or any(path.stem.startswith(name) for name in names):
            notebook = nbformat.read(path, as_version=4)
            failures += [f"{path.stem} {each}" for each in check(notebook, path.stem)]
    print(*failures, sep="\n")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
