"""Feeds the cells of a notebook that hold the texts of the interview, and says where they are
stale.

Such a cell names its kind in its metadata: {"keras_recs": "sixty-seconds"}. Its source is written
from `keras_recs/interview/texts/`, the one place where these texts are edited: in one language where
the notebook has a Chinese edition (`editions.py`), else in both. `execute.py --update` does so when
it runs a notebook; to write the cells without running anything:

    python tools/notebooks/feed.py
"""

from __future__ import annotations

import copy
from pathlib import Path

import nbformat
from compare import label
from nbformat import NotebookNode
from pages import write

from keras_recs.interview.cells import KINDS, cell
from keras_recs.questions import QUESTIONS

MARK = "keras_recs"  # cell metadata: the kind of text that the cell holds
CHINESE = "zh"  # the language, and the folder of its editions beside the English notebooks


def chinese_of(path: Path) -> Path:
    """Where the Chinese edition of an English notebook lies, if it has one."""
    return path.parent / CHINESE / path.name


def language_of(path: Path) -> str | None:
    """The language of the texts in this notebook; None where both stand in its cells."""
    if path.parent.name == CHINESE:
        return CHINESE
    return "en" if chinese_of(path).exists() else None


def feed(
    notebook: NotebookNode, stem: str, language: str | None = None
) -> tuple[NotebookNode, list[str]]:
    """A copy of `notebook` that holds today's texts, and in what `notebook` differs from it.

    A notebook whose name is that of a built question has to have one cell of each kind; others have
    none. `language` is that of the texts, None for both."""
    fed = copy.deepcopy(notebook)
    built = {q.stem: q for q in QUESTIONS if q.built}
    marks = [
        (index, each.metadata[MARK])
        for index, each in enumerate(fed.cells)
        if MARK in each.metadata
    ]
    differences = []
    for index, kind in marks:
        name = label(notebook, index)
        if stem not in built or kind not in KINDS or fed.cells[index].cell_type != "markdown":
            differences.append(
                f"{name}: marked {kind!r}; only Markdown cells in the notebook of a built question "
                f"are marked, with one of {', '.join(KINDS)}"
            )
            continue
        source = cell(built[stem], kind, language)
        if fed.cells[index].source != source:
            fed.cells[index].source = source
            differences.append(
                f"{name}: not what keras_recs/interview/texts/{stem}.*.md say today "
                "(--update writes it anew)"
            )
    if stem in built and sorted(kind for _, kind in marks) != sorted(KINDS):
        differences.append(
            f"the cells marked {', '.join(kind for _, kind in marks) or 'none'} should be "
            f"{', '.join(KINDS)}, one each"
        )
    return fed, differences


def main(folder: Path) -> None:
    """Writes the stale cells of all notebooks in `folder`; their code and outputs stay as they
    are."""
    for path in sorted([*folder.glob("*.ipynb"), *folder.glob(f"{CHINESE}/*.ipynb")]):
        notebook = nbformat.read(path, as_version=4)
        fed, differences = feed(notebook, path.stem, language_of(path))
        if differences:
            write(path, nbformat.writes(fed).rstrip("\n") + "\n")
            print(*differences, sep="\n")


if __name__ == "__main__":
    main(Path(__file__).resolve().parents[2] / "notebooks")
