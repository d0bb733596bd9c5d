"""Chinese editions of notebooks: the same cells, code and outputs, with the text in Chinese.

The Chinese edition of notebooks/q12_….ipynb is notebooks/zh/q12_….ipynb. Its code cells and outputs
are poured in from the English one; each of its Markdown cells keeps its Chinese text, and in its
metadata a digest of the English source that it translates. Cells go together by their ids, and
where an id has changed, by that digest. `execute.py --update` pours; to work on a translation:

    python tools/notebooks/editions.py new q12            begin a Chinese edition
    python tools/notebooks/editions.py pour q12           pour again, without running anything
    python tools/notebooks/editions.py stale q12          the cells that a translator has to look at
    python tools/notebooks/editions.py done q12 ID ...    these cells say what the English ones say
    python tools/notebooks/editions.py done q12 --all     all cells do

The cells with the texts of the interview are not translated here: `feed.py` writes them.
"""

from __future__ import annotations

import argparse
import copy
import hashlib
import re
import sys
from collections.abc import Sequence
from pathlib import Path

import nbformat
from compare import label
from feed import CHINESE, MARK, chinese_of, feed
from nbformat import NotebookNode
from pages import write, write_page

FOLDER = Path(__file__).resolve().parents[2] / "notebooks"

SOURCE = "keras_recs_source"  # cell metadata: digest of the English source that the cell translates
TO_TRANSLATE = "【待译】"  # begins a cell that awaits its translation; below it, the English text

_HAN = re.compile("[\u3400-\u9fff]")
#: What needs no translation: formulas, code, tags and comments of HTML, addresses.
_NO_PROSE = re.compile(
    r"\$\$.*?\$\$|\$[^$\n]*\$|```.*?```|`[^`\n]*`|<!--.*?-->|<[^<>]+>|\]\([^)]*\)|https?://\S+",
    re.DOTALL,
)


# --- What is poured -------------------------------------------------------------------------------


def digest(source: str) -> str:
    """Stands for an English text; the same however its lines are broken."""
    return hashlib.sha256(" ".join(source.split()).encode()).hexdigest()[:12]


def has_prose(source: str) -> bool:
    """Whether a Markdown text has words to translate, besides formulas, code and tags."""
    return bool(re.search("[A-Za-z]{2}", _NO_PROSE.sub(" ", source)))


def is_translated(english: str, chinese: str) -> bool:
    """Whether `chinese` is a translation of `english`, as far as can be seen: it is in Chinese, or
    there is nothing to translate."""
    if chinese.startswith(TO_TRANSLATE) or not chinese.strip():
        return False
    return bool(_HAN.search(_NO_PROSE.sub(" ", chinese))) or not has_prose(english)


def poured(english: NotebookNode, chinese: NotebookNode | None, stem: str) -> NotebookNode:
    """The Chinese edition with today's code, outputs, order of cells and interview texts.

    A Markdown cell without a translation begins with `TO_TRANSLATE` and has the English text in a
    comment. A translation whose English cell is gone is left out."""
    by_id, by_digest = _translations(chinese)
    made = copy.deepcopy(english)
    for cell in made.cells:
        if cell.cell_type == "code" or MARK in cell.metadata:
            continue
        stamp = digest(cell.source)
        # Without its id, a cell is known by the text that it translates.
        found = by_id.get(cell.id) or by_digest.get(stamp)
        if found is not None and not found.source.startswith(TO_TRANSLATE):
            cell.source = found.source
            cell.metadata[SOURCE] = found.metadata.get(SOURCE, "")
        elif has_prose(cell.source):
            cell.source = f"{TO_TRANSLATE}\n\n<!--\n{cell.source}\n-->"
            cell.metadata[SOURCE] = ""
        else:
            cell.metadata[SOURCE] = stamp
    return feed(made, stem, CHINESE)[0]


def _translations(
    chinese: NotebookNode | None,
) -> tuple[dict[str, NotebookNode], dict[str, NotebookNode]]:
    """The Markdown cells of a Chinese edition by id, and by the digest of what they translate."""
    cells = [] if chinese is None else [each for each in chinese.cells if SOURCE in each.metadata]
    return {each.id: each for each in cells}, {each.metadata[SOURCE]: each for each in cells}


# --- What is wrong --------------------------------------------------------------------------------


def differences(english: NotebookNode, chinese: NotebookNode, stem: str) -> list[str]:
    """In what a Chinese edition is not that of its English notebook; empty where all is well."""
    found = _order(english, chinese)
    originals = {cell.id: cell for cell in english.cells}
    for index, cell in enumerate(chinese.cells):
        if cell.id in originals and (why := _cell_difference(originals[cell.id], cell)):
            found.append(f"{label(chinese, index)}: {why}")
    return found + feed(chinese, stem, CHINESE)[1]


def _order(english: NotebookNode, chinese: NotebookNode) -> list[str]:
    """Cells that are missing, those that are too many, and cells that stand in another order."""
    wanted, there = ([cell.id for cell in each.cells] for each in (english, chinese))
    found = [
        f"{label(english, index)}: the Chinese edition lacks this cell (--update brings it)"
        for index, cell in enumerate(english.cells)
        if cell.id not in there
    ]
    found += [
        f"{label(chinese, index)}: the English notebook has no cell {cell.id!r} "
        "(--update takes it away)"
        for index, cell in enumerate(chinese.cells)
        if cell.id not in wanted
    ]
    both = [each for each in wanted if each in there]
    for one, other in zip(both, [each for each in there if each in wanted], strict=False):
        if one != other:
            place = wanted.index(one)
            found.append(
                f"{label(english, place)}: from here on the cells of the Chinese edition stand in "
                "another order (--update puts them right)"
            )
            break
    return found


def _cell_difference(english: NotebookNode, chinese: NotebookNode) -> str | None:
    """What is wrong with a Chinese cell beside the English one; None where nothing is."""
    if english.cell_type != chinese.cell_type:
        return f"this is a {chinese.cell_type} cell, the English one a {english.cell_type} cell"
    if english.metadata.get(MARK) != chinese.metadata.get(MARK):
        return "its mark for the interview texts is not that of the English cell"
    if english.cell_type == "code":
        for part in ("source", "outputs", "metadata", "execution_count"):
            if english[part] != chinese[part]:
                what = {"source": "code", "execution_count": "number"}.get(part, part)
                return f"the {what} of the English cell differs (--update pours it in)"
        return None
    return None if MARK in english.metadata else untranslated(english, chinese)


def untranslated(english: NotebookNode, chinese: NotebookNode) -> str | None:
    """Why a Chinese Markdown cell is no translation of the English one as it stands today."""
    if not is_translated(english.source, chinese.source):
        return "has no Chinese yet"
    if chinese.metadata.get(SOURCE) != digest(english.source):
        return (
            "its English text has changed since it was translated; once revised: "
            f"editions.py done … {chinese.id}"
        )
    return None


def follow(path: Path, pages: Path, update: bool) -> list[str]:
    """Brings the Chinese edition of an English notebook up to date if `update`, and writes its page.

    Returns what is wrong with it then; nothing where there is no Chinese edition."""
    place = chinese_of(path)
    if not place.exists():
        return []
    english = nbformat.read(path, as_version=4)
    chinese = nbformat.read(place, as_version=4)
    made = poured(english, chinese, path.stem)
    write_page(made, pages / CHINESE / f"{path.stem}.html", CHINESE, f"../{path.stem}.html")
    if update:
        save(place, made)
        chinese = made
    return [f"{CHINESE} {line}" for line in differences(english, chinese, path.stem)]


def save(path: Path, notebook: NotebookNode) -> None:
    """Writes a notebook where it has changed."""
    text = nbformat.writes(notebook).rstrip("\n") + "\n"
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        write(path, text)


# --- The command ----------------------------------------------------------------------------------


def notebook_called(folder: Path, name: str) -> Path:
    """The English notebook whose name begins so; ValueError where it is none, or not one."""
    found = sorted(folder.glob(f"{name.removesuffix('.ipynb')}*.ipynb"))
    if len(found) != 1:
        names = ", ".join(path.stem for path in found) or "none"
        raise ValueError(f"one notebook has to begin with {name!r}; found {names}")
    return found[0]


def read_both(path: Path) -> tuple[NotebookNode, NotebookNode]:
    """An English notebook and its Chinese edition; ValueError where there is none."""
    place = chinese_of(path)
    if not place.exists():
        raise ValueError(
            f"{path.stem} has no Chinese edition; begin it: editions.py new {path.stem}"
        )
    return nbformat.read(path, as_version=4), nbformat.read(place, as_version=4)


def begin(path: Path) -> str:
    """Makes the Chinese edition of a notebook, all of whose text awaits its translation. The English
    one then holds the interview texts in English only."""
    place = chinese_of(path)
    if place.exists():
        raise ValueError(f"{path.stem} has a Chinese edition already")
    english = feed(nbformat.read(path, as_version=4), path.stem, "en")[0]
    save(place, poured(english, None, path.stem))
    save(path, english)
    return f"{CHINESE}/{path.name}: {len(stale(path))} cells to translate"


def pour(path: Path) -> str:
    """Pours the English notebook, as it lies there, into its Chinese edition."""
    english, chinese = read_both(path)
    english = feed(english, path.stem, "en")[0]
    save(path, english)
    save(chinese_of(path), poured(english, chinese, path.stem))
    return f"{CHINESE}/{path.name}: {len(stale(path))} cells to look at"


def stale(path: Path) -> list[str]:
    """The cells that a translator has to look at: a line for each."""
    english, chinese = read_both(path)
    by_id, _ = _translations(chinese)
    lines = []
    for index, cell in enumerate(english.cells):
        if cell.cell_type == "code" or MARK in cell.metadata:
            continue
        why = (
            untranslated(cell, by_id[cell.id])
            if cell.id in by_id
            else "is missing: editions.py pour"
        )
        if why is not None:
            lines.append(f"{cell.id}  {label(english, index)}: {why.partition(';')[0]}")
    return lines


def done(path: Path, ids: Sequence[str]) -> str:
    """Stamps cells of the Chinese edition, all if `ids` is empty: they say what the English ones say
    today."""
    english, chinese = read_both(path)
    originals = {cell.id: cell for cell in english.cells}
    by_id, _ = _translations(chinese)
    for cell_id in ids or list(by_id):
        if cell_id not in by_id or cell_id not in originals:
            raise ValueError(f"{path.stem} has no translated cell {cell_id!r} in both editions")
        if is_translated(originals[cell_id].source, by_id[cell_id].source):
            by_id[cell_id].metadata[SOURCE] = digest(originals[cell_id].source)
        elif ids:
            raise ValueError(f"the cell {cell_id!r} of {path.stem} has no Chinese yet")
    save(chinese_of(path), chinese)
    return f"{CHINESE}/{path.name}: {len(stale(path))} cells to look at"


def main(arguments: Sequence[str] | None = None, folder: Path = FOLDER) -> int:
    """The command; `folder` is where the English notebooks lie. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="editions.py", description="Chinese editions.")
    parser.add_argument("what", choices=["new", "pour", "stale", "done"])
    parser.add_argument("name", help="the name of the notebook or its beginning")
    parser.add_argument("ids", nargs="*", metavar="ID", help="with done: the cells")
    parser.add_argument("--all", action="store_true", help="with done: all cells")
    asked = parser.parse_args(arguments)
    if asked.what == "done" and bool(asked.ids) == asked.all:
        parser.error("done takes the ids of cells, or --all")
    try:
        path = notebook_called(folder, asked.name)
        if asked.what == "done":
            said = done(path, asked.ids)
        elif asked.what == "stale":
            said = "\n".join(stale(path)) or f"{CHINESE}/{path.name}: nothing to look at"
        else:
            said = begin(path) if asked.what == "new" else pour(path)
        print(said)
    except ValueError as error:
        print(f"editions.py: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
