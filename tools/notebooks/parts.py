"""The parts of a question's page: that all are there, in their order, and readable.

    python tools/notebooks/parts.py q12                 what is wrong with these pages

`execute.py` checks the same whenever it runs a notebook. A cell with the tag `ten-minutes` belongs
to the path of ten minutes: the page marks it, and lists the path at its top.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import nbformat
from compare import label
from feed import CHINESE, MARK, chinese_of
from nbformat import NotebookNode

from keras_recs.interview.cells import HEADINGS
from keras_recs.interview.words import WORDS
from keras_recs.questions import QUESTIONS

FOLDER = Path(__file__).resolve().parents[2] / "notebooks"
TEN_MINUTES = "ten-minutes"  # cell tag
WHITEBOARD = "whiteboard"  # cell tag
LONGEST = 14  # lines of a code cell; the whiteboard has its own limits
#: What can be read in ten minutes, with code beside it: English words, Chinese characters.
PATH_LIMITS = {"en": 1500, "zh": 3000}

#: Pages that are not yet in this form. A page leaves the list when it is.
TO_COME = frozenset(
    {
        "q02_llm_interest",
        "q04_knn",
        "q05_matrix_factorization",
        "q06_content_embedding",
        "q07_user_cf",
        "q10_graph_embedding",
        "q11_implicit_mf",
        "q18_gcn",
    }
)


class Part(NamedTuple):
    """A part of a page: its name, and the headings that may begin it, language by language."""

    name: str
    en: tuple[str, ...]
    zh: tuple[str, ...]


def _fed(kind: str) -> Part:
    return Part(kind, (HEADINGS[kind]["en"],), (HEADINGS[kind]["zh"],))


#: The parts in their order, below the title, which is the question.
PARTS = (
    _fed("sixty-seconds"),
    Part("whiteboard", ("On the whiteboard",), ("白板代码",)),
    Part("derivation", ("The derivation",), ("推导",)),
    Part("implementation", ("The implementation",), ("库中的实现",)),
    Part(
        "data",
        ("On data whose truth is known", "On real data", "On data"),
        ("在已知真相的数据上", "在真实数据上", "在数据上"),
    ),
    Part(
        "evaluation",
        ("Evaluation against the rivals", "Evaluation"),
        ("与强基线的对比评估", "评估"),
    ),
    Part("claims", ("What this page claims, and what shows it",), ("本页的结论与依据",)),
    Part("wrong", ("What the common answer gets wrong",), ("常见答案错在哪里",)),
    Part("complexity", ("Complexity, and past one machine",), ("复杂度与规模扩展",)),
    _fed("follow-ups"),
    _fed("rubric"),
    Part("practice", ("Your turn",), ("轮到你了",)),
)


def faults(notebook: NotebookNode, language: str = "en") -> list[str]:
    """What a page lacks, what stands in the wrong place, and what is hard to read in it."""
    return [
        *_order(notebook, language),
        *_long_cells(notebook),
        *_private_names(notebook),
        *_path(notebook, language),
        *_rubric(notebook, language),
    ]


def headings(notebook: NotebookNode) -> list[tuple[int, str]]:
    """The headings below the title: the index of the cell, and the text without signs at its end."""
    return [
        (index, heading.rstrip(" ◆★"))
        for index, cell in enumerate(notebook.cells)
        if cell.cell_type == "markdown"
        for heading in re.findall(r"^##+ +(.+)$", _without_code(cell.source), re.MULTILINE)
    ]


def _without_code(source: str) -> str:
    return re.sub(r"^```.*?^```", "", source, flags=re.MULTILINE | re.DOTALL)


def _order(notebook: NotebookNode, language: str) -> Iterator[str]:
    """Parts that are missing, and the parts that stand before one they should follow."""
    there = [text for _, text in headings(notebook)]
    first = notebook.cells[0] if notebook.cells else None
    if first is None or first.metadata.get(MARK) != "question":
        yield "the page does not begin with its question"
    before, last = "", -1
    for part in PARTS:
        names = part.en if language == "en" else part.zh
        places = [place for place, text in enumerate(there) if text in names]
        if not places:
            yield f"the part {part.name} is missing: a heading {' or '.join(map(repr, names))}"
            continue
        if places[0] < last:
            yield f"the part {part.name} stands before the part {before}"
        before, last = part.name, max(last, places[0])
    if not any(WHITEBOARD in tags(cell) for cell in notebook.cells if cell.cell_type == "code"):
        yield f"no code cell has the tag {WHITEBOARD}"


def tags(cell: NotebookNode) -> list[str]:
    """The tags of a cell."""
    return list(cell.metadata.get("tags", []))


def _long_cells(notebook: NotebookNode) -> Iterator[str]:
    for index, cell in enumerate(notebook.cells):
        n_lines = len(cell.source.strip().splitlines())
        if cell.cell_type == "code" and n_lines > LONGEST and WHITEBOARD not in tags(cell):
            yield f"{label(notebook, index)}: {n_lines} lines of code, {LONGEST} are the most"


def _private_names(notebook: NotebookNode) -> Iterator[str]:
    for index, cell in enumerate(notebook.cells):
        found = _in_code(cell.source) if cell.cell_type == "code" else _in_prose(cell.source)
        if found:
            yield f"{label(notebook, index)}: private names: {', '.join(sorted(found))}"


def _is_private(name: str) -> bool:
    return name.startswith("_") and name.strip("_") != "" and not name.endswith("__")


def _in_code(source: str) -> set[str]:
    """Private names that a cell uses, defines, or imports; what strings and comments say is free."""
    plain = re.sub(r"^\s*[%!].*$", "", source, flags=re.MULTILINE)
    found: set[str] = set()
    for node in ast.walk(ast.parse(plain)):
        if isinstance(node, ast.Attribute):
            found.add(node.attr)
        elif isinstance(node, ast.Name):
            found.add(node.id)
        elif isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            found.add(node.name)
        elif isinstance(node, ast.alias):
            found.update(node.name.split("."))
    return set(filter(_is_private, found))


def _in_prose(source: str) -> set[str]:
    """Private names in the inline code of a text."""
    code = " ".join(re.findall(r"`([^`\n]+)`", source))
    return set(filter(_is_private, re.findall(r"(?<![\w$^\\}])_\w+", code)))


def _path(notebook: NotebookNode, language: str) -> Iterator[str]:
    """What is wrong with the path of ten minutes."""
    marked = [cell for cell in notebook.cells if TEN_MINUTES in tags(cell)]
    if not any(cell.metadata.get(MARK) == "sixty-seconds" for cell in marked):
        yield f"the 60-second answer has no tag {TEN_MINUTES}"
    if not any(WHITEBOARD in tags(cell) for cell in marked):
        yield f"the whiteboard has no tag {TEN_MINUTES}"
    text = " ".join(cell.source for cell in marked if cell.cell_type == "markdown")
    length = len(text.split()) if language == "en" else len(re.findall("[\u3400-\u9fff]", text))
    if length > PATH_LIMITS[language]:
        yield (
            f"the path of ten minutes has {length} words or characters, "
            f"{PATH_LIMITS[language]} are the most"
        )


def _rubric(notebook: NotebookNode, language: str) -> Iterator[str]:
    """The rubric says what fails, and what a strong candidate would say."""
    words = WORDS[language]
    for index, cell in enumerate(notebook.cells):
        if cell.metadata.get(MARK) != "rubric":
            continue
        for key in ("fails", "a strong candidate"):
            if words[key].strip() not in cell.source:
                yield f"{label(notebook, index)}: the rubric has no {words[key].strip()!r}"


def page_faults(path: Path) -> list[str]:
    """The faults of an English notebook and of its Chinese edition, as they lie there."""
    found = faults(nbformat.read(path, as_version=4))
    if chinese_of(path).exists():
        chinese = faults(nbformat.read(chinese_of(path), as_version=4), CHINESE)
        found += [f"{CHINESE} {line}" for line in chinese]
    return found


def is_checked(stem: str) -> bool:
    """Whether a notebook is a question's page in this form."""
    return stem in {q.stem for q in QUESTIONS if q.built} - TO_COME


def main(names: list[str], folder: Path = FOLDER) -> int:
    """Prints the faults of the pages whose names begin so; those of `TO_COME` too."""
    every = [path for path in sorted(folder.glob("q*.ipynb")) if path.stem.startswith(tuple(names))]
    found = [f"{path.stem} {line}" for path in every for line in page_faults(path)]
    print("\n".join(found) or f"{len(every)} pages, no faults")
    return 1 if found or not every else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] or ["q"]))
