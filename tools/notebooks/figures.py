"""Finds the figures in prose that no cell prints.

    python tools/notebooks/figures.py              all notebooks as they are committed
    python tools/notebooks/figures.py q05 q07      those whose names start so
    python tools/notebooks/figures.py --chance     how often a wrong figure would pass

A figure of a Markdown cell is *printed* if it is, rounded to the digits the prose gives, a number
in an output **near** it: of the cells right before and after, of those under the same heading, or
of a section that its paragraph links to, as [Evaluation](#Evaluation). A number in the code of
these cells counts if it is the same. The texts that are learned by heart speak of the whole page:
there, the line of the output must name what the sentence names, and the Chinese text may have what
the English one has.

A percentage is a printed percentage, or, where none is printed, a share times 100; a fraction of
one digit, as 0.4, is not rounded; a figure is not given with more digits than were printed;
"7 times" is no count of seven; thousands may have commas; without a sign in the prose, that of the
output does not count. A paragraph that names another library, or another question, and its model
may have what `benchmarks/results/*.json` say that it reached; one that names a script of
`benchmarks/`, what it found for the question's own answers. These need not be printed:

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

import dataclasses
import json
import random
import re
import sys
import tomllib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import nbformat
from compare import label
from feed import MARK
from nbformat import NotebookNode
from printed import DIGITS, SIGN, Number, Page, numbers_of, paragraphs, words_of

from keras_recs.interview.cells import cell as fed_cell
from keras_recs.questions import QUESTIONS

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "benchmarks" / "results"
ALLOWED = Path(__file__).with_name("allowed_figures.toml")
EVERYWHERE = "everywhere"

#: Documents that are checked beside the notebooks.
DOCUMENTS = ("README.md", "README.zh.md", "ERRATA.md", "benchmarks/README.md")
#: Notebooks that are not yet checked, and why.
TO_COME: dict[str, str] = {}


_FIGURE = re.compile(
    rf"(?<![A-Za-z0-9_@.])(?<![A-Za-z][\-_])(?P<sign>{SIGN})"
    rf"(?P<digits>{DIGITS}(?:\.\d+)?|\.\d+)(?P<power>[eE][+-]?\d+)?"
    r"(?![A-Za-z0-9_@]|\.\d)"
    r"(?P<unit>\s?(?:%|％|percent\b|per cent\b|个?百分点|points\b|million\b|万|亿|×(?!\s?\d)|倍|times\b))?"
)
_PERCENT = ("%", "％", "percent", "per cent", "个百分点", "百分点", "points")
_MANY = {"million": 1e6, "万": 1e4, "亿": 1e8}
_TIMES = ("×", "倍", "times")
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
    kind: str  # "4 decimals", "whole", "percent", "times", …
    around: str  # the words around it
    sentence: str

    @property
    def short(self) -> bool:
        """Whether it is a fraction with one digit that says something, as 0.4 or 0.04: it is not
        to be rounded from more, or it would fit too much."""
        return self.half < 0.5 and round(abs(self.value) / self.half / 2) < 10

    def is_one_of(self, numbers: Iterable[Number]) -> bool:
        """Whether it is one of these numbers, rounded. A percentage is a printed one; where none is
        printed, a share times 100."""
        known = list(numbers)
        if self.percent and any(number.percent for number in known):
            known = [number for number in known if number.percent or number.exact]
        return any(map(self.rounds, known))

    def rounds(self, number: Number) -> bool:
        """Whether it is this number, rounded; a percentage is one, or a share times 100.

        >>> (figure,) = figures("It is 36 %.")
        >>> [figure.rounds(n) for n in (Number(36.4, 1, percent=True), Number(0.364, 3), Number(36, 0))]
        [True, True, False]
        """
        if self.kind == "times" and not (number.times or number.digits > 0 or number.exact):
            return False  # seven films are no "seven times"
        moved = 0
        if self.percent and not number.percent:
            if abs(number.value) > 1 or (number.digits < 2 and not number.exact):
                return False
            moved = 2
        elif number.percent and not self.percent:
            if self.half > 0.005:
                return False
            moved = -2
        found = number.value * 10.0**moved
        apart = abs(found - self.value) if self.signed else abs(abs(found) - abs(self.value))
        if apart < 1e-9 * max(1.0, abs(found)):
            return True
        given = 0.5 * 10.0 ** (moved - number.digits)  # half a unit of the last digit printed
        near = self.half * (1 + 1e-6) + 1e-9
        return not (number.exact or self.short) and given <= near and apart <= near


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
        kind=kind_of(match),
        around=" ".join(f"{before[-40:]}{match[0]}{after[:30]}".split()),
        sentence=sentence_around(before, match[0], after),
    )


def sentence_around(before: str, figure: str, after: str) -> str:
    """The sentence that a figure stands in.

    >>> sentence_around("One. EASE has ", "0.2", " there. More")
    'EASE has 0.2 there.'
    """
    start = re.split(r"(?<=[.!?])\s+(?=[A-Z*_(])|(?<=[。！？])|\n\n", before)[-1]
    end = re.split(r"(?<=[.!?])\s+(?=[A-Z*_(])|(?<=[。！？])|\n\n", after)[0]
    return start + figure + end


def kind_of(match: re.Match[str]) -> str:
    """What sort of figure it is, for the count of those that would pass by chance."""
    unit, places = (match["unit"] or "").strip(), len(match["digits"].partition(".")[2])
    if unit in _PERCENT:
        return "percent" if not places else "percent with decimals"
    if unit in _TIMES:
        return "times"
    return f"{places} decimal{'s' if places > 1 else ''}" if places else "whole"


# --- Results --------------------------------------------------------------------------------------


@cache
def results() -> dict[str, dict]:
    """File name -> what is in it, for all of `benchmarks/results/*.json`."""
    files = sorted(RESULTS.glob("*.json"))
    return {path.stem: json.loads(path.read_text(encoding="utf8")) for path in files}


def of_results(paragraph: str, name: str) -> Iterator[Number]:
    """What the libraries, or the other questions, that a paragraph of a notebook names have reached
    with the models that it names; and what a script of `benchmarks/` that it names found for the
    question's own answers."""
    words = paragraph.lower()
    # the word, but for "implicit ALS" and "implicit feedback", which are no library
    named_here = re.sub(r"\bimplicit(?!['’`:])", " ", words)
    libraries = {*re.findall(r"\w+", named_here), *re.findall(r"\w+-\w+", named_here)}
    named = words_of(paragraph)
    questions = {
        f"q{int(number):02d}:"
        for question in _QUESTIONS.findall(paragraph)
        for number in re.findall(r"\d+", question)
    }
    for file, found in results().items():
        for row in found["rows"]:
            model = row.get("model", "")
            theirs = row["library"] in libraries or any(each in model for each in questions)
            if theirs and words_of(model.partition(": ")[2] or model) & named:
                yield from numbers_of(row.get(key) for key in ("value", "interval", "metrics"))
            if f"benchmarks/{file}.py" in words and f"{name[:3]}:" in model:
                yield from numbers_of([row])


# --- The check ------------------------------------------------------------------------------------


@cache
def allowed(path: Path = ALLOWED) -> dict[str, dict[str, str]]:
    """Notebook, document or "everywhere" -> figure -> why it is allowed."""
    return tomllib.loads(path.read_text(encoding="utf8"))


@dataclass(frozen=True)
class Checked:
    """A figure of prose, where it stands, and what would bear it out."""

    figure: Figure
    cell: int
    bears_out: Callable[[Figure], bool]


def of_page(notebook: NotebookNode, name: str) -> Iterator[Checked]:
    """The figures in the Markdown cells of a notebook."""
    page = Page(notebook)
    for place, paragraph in page.paragraphs:
        kind = notebook.cells[place.cell].metadata.get(MARK)
        near = list(page.near(place, paragraph)) if kind is None else []
        near += of_results(paragraph, name)
        by_heart, own = (english_of(name, kind), own_words(name)) if kind else ([], frozenset())
        for each in figures(paragraph):
            known = near
            if kind:
                known = [*near, *page.anywhere(words_of(each.sentence) | own)]
                if re.search(r"[\u4e00-\u9fff]", each.sentence):
                    known += by_heart
            yield Checked(each, place.cell, lambda figure, known=known: figure.is_one_of(known))


@cache
def own_words(name: str) -> frozenset[str]:
    """What a page calls its own answers: they need not be named by each sentence about them."""
    q = next((q for q in QUESTIONS if q.stem == name), None)
    if q is None:
        return frozenset()
    return words_of(" ".join([q.title, *(answer.class_name for answer in q.answers)]))


@cache
def english_of(name: str, kind: str) -> list[Number]:
    """The figures of a question's English text of this kind, which are checked themselves."""
    q = next((q for q in QUESTIONS if q.stem == name and q.built), None)
    if q is None:
        return []
    text = fed_cell(q, kind, "en")
    return [
        Number(each.value, 0, each.percent, exact=True)
        for paragraph in paragraphs(text)
        for each in figures(paragraph)
    ]


def of_document(text: str) -> Iterator[Checked]:
    """The figures of a README or of the errata. Percentages must be printed as such.

    A section may have what the scripts found that it names. A row of a table that names a model of
    these results has to be that model's. A section of the errata may have what its question's
    notebook prints.
    """
    for section in re.split(r"^(?=## )", text, flags=re.MULTILINE):
        rows = rows_of(section)
        page, own_names = notebook_of(section)
        table = [line for line in section.splitlines() if line.startswith("|")]
        rest = "\n".join(line for line in section.splitlines() if not line.startswith("|"))
        for part in [*paragraphs(rest), *table]:
            part, own = own_row(part, rows)
            known = [*numbers_of(own), *page.anywhere(words_of(part) | own_names)]
            percentages = [number for number in known if number.percent]
            for each in figures(part):
                here = percentages if each.percent else known
                yield Checked(each, 0, lambda figure, here=here: figure.is_one_of(here))


def rows_of(section: str) -> list[dict]:
    """The rows of the results whose scripts a section names."""
    return [
        row
        for found in results().values()
        if found["written_by"] in section
        for row in found["rows"]
    ]


def own_row(part: str, rows: list[dict]) -> tuple[str, list[dict]]:
    """A row of a table, without the name of its model, and the results of that model; where it
    names none, the text as it is and all results."""
    cells = {cell.strip() for cell in part.split("|")} if part.startswith("|") else set()
    own = [row for row in rows if row.get("model") in cells]
    own = [row for row in own if row.get("protocol") in {None, *cells}]
    for row in own:
        part = part.replace(row["model"], " ")
    return part, own or rows


def notebook_of(section: str) -> tuple[Page, frozenset[str]]:
    """What the notebook of a section of the errata prints, and what it calls its answers; an empty
    page for another section."""
    heading = re.match(r"## (\d+)\. ", section)
    if not heading:
        return Page(nbformat.v4.new_notebook()), frozenset()
    (path,) = (ROOT / "notebooks").glob(f"q{int(heading[1]):02d}_*.ipynb")
    return Page(nbformat.read(path, as_version=4)), own_words(path.stem)


def check(notebook: NotebookNode, name: str, used: set[tuple[str, str]] | None = None) -> list[str]:
    """The figures in the Markdown cells of a notebook that nothing near prints, one message each.

    Args:
        notebook: one that was run.
        name: its stem.
        used: entries of the list of allowed figures that allow one are put here.
    """
    if name in TO_COME:
        return []
    page = Page(notebook)
    return [
        f"{label(notebook, each.cell)}: no cell near prints {each.figure.text} of "
        f"“… {each.figure.around} …”{elsewhere(each.figure, page)}"
        for each in refused(of_page(notebook, name), name, used)
    ]


def elsewhere(figure: Figure, page: Page) -> str:
    """Under which headings another part of the page prints a figure, for a message."""
    found = {
        where.section[-1]: None
        for where, lines in page.lines.items()
        if where.section and figure.is_one_of(number for line in lines for number in line.numbers)
    }
    return f"; link to what prints it, if it is one of these: {', '.join(found)}" if found else ""


def check_document(text: str, name: str, used: set[tuple[str, str]] | None = None) -> list[str]:
    """The figures of a README or of the errata that nothing prints, one message each."""
    return [
        f"{name}: nothing prints {each.figure.text} of “… {each.figure.around} …”"
        for each in refused(of_document(text), name, used)
    ]


def refused(
    found: Iterable[Checked], name: str, used: set[tuple[str, str]] | None = None
) -> Iterator[Checked]:
    """The figures that are neither borne out nor allowed; entries that allow one go into `used`."""
    for each in found:
        if each.bears_out(each.figure):
            continue
        entries = [
            (section, each.figure.text)
            for section in (name, EVERYWHERE)
            if each.figure.text in allowed().get(section, {})
        ]
        if used is not None:
            used.update(entries)
        if not entries:
            yield each


def unused(used: set[tuple[str, str]]) -> list[str]:
    """Entries of the list of allowed figures that allowed nothing."""
    entries = {(name, each) for name, section in allowed().items() for each in section}
    return [
        f"allowed_figures.toml: [{name}] {each!r} is not used"
        for name, each in sorted(entries - used)
        if name not in TO_COME
    ]


# --- How sharp the check is -----------------------------------------------------------------------


def chances(found: Iterable[Checked], draws: int = 100, seed: int = 0) -> dict[str, list[float]]:
    """Kind of figure -> for each that is borne out, the share of wrong ones that would pass in its
    place."""
    rng = random.Random(seed)
    out: dict[str, list[float]] = {}
    for each in found:
        if each.bears_out(each.figure):
            wrong = list(plausible(each.figure, draws, rng))
            share = sum(map(each.bears_out, wrong)) / draws
            out.setdefault(each.figure.kind, []).append(share)
    return out


def plausible(figure: Figure, draws: int, rng: random.Random) -> Iterator[Figure]:
    """Other figures with as many digits: from half to one and a half times as large, or ten units
    of the last digit away; a percentage under 100 stays under it."""
    unit = 2 * figure.half
    right = round(abs(figure.value) / unit)
    width = max(10, right // 2)
    least, most = max(1, right - width), right + width
    if figure.percent and unit == 1 and right < 100:
        most = min(99, most)
    others = [count for count in range(least, most + 1) if count != right]
    for count in rng.choices(others, k=draws):
        yield dataclasses.replace(figure, value=count * unit * (-1 if figure.value < 0 else 1))


def report_chances() -> None:
    """Prints, for each kind of figure, how often a wrong one would pass on the committed pages."""
    found: dict[str, list[float]] = {}
    pages = [path for path in notebooks() if path.stem not in TO_COME]
    checked = [of_page(nbformat.read(path, as_version=4), path.stem) for path in pages]
    checked += [of_document((ROOT / name).read_text(encoding="utf8")) for name in DOCUMENTS]
    for each in checked:
        for kind, shares in chances(each).items():
            found.setdefault(kind, []).extend(shares)
    for kind, shares in sorted(found.items()):
        print(f"{kind:22s}{len(shares):5d} figures  {sum(shares) / len(shares):6.1%} by chance")


def notebooks() -> list[Path]:
    return sorted((ROOT / "notebooks").rglob("*.ipynb"))


def main(names: list[str]) -> int:
    """Checks the committed notebooks; the exit code is 1 where a figure is not printed."""
    if names == ["--chance"]:
        report_chances()
        return 0
    failures = []
    for path in notebooks():
        if not names or any(path.stem.startswith(name) for name in names):
            notebook = nbformat.read(path, as_version=4)
            failures += [f"{path.stem} {each}" for each in check(notebook, path.stem)]
    print(*failures, sep="\n")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
