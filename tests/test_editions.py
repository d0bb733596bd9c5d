"""Chinese editions of notebooks, and the parts that a page has to have, in their order."""

from __future__ import annotations

import copy
import importlib
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from keras_recs.interview.cells import KINDS, cell
from keras_recs.questions import QUESTIONS, question

nbformat = pytest.importorskip("nbformat")
for needed in ("nbclient", "nbconvert", "ipykernel", "rich"):
    pytest.importorskip(needed)

ROOT = Path(__file__).resolve().parents[1]
sys.path.append(str(ROOT / "tools" / "notebooks"))
editions = importlib.import_module("editions")
feed = importlib.import_module("feed")
pages = importlib.import_module("pages")
parts = importlib.import_module("parts")
execute = importlib.import_module("execute")

v4 = nbformat.v4
STEM = question(5).stem
HAN = re.compile("[\u3400-\u9fff]")


def book() -> Any:
    """An English notebook of question 5: fed cells, prose, a formula, two code cells that ran."""
    kinds = [v4.new_markdown_cell("", id=kind, metadata={"keras_recs": kind}) for kind in KINDS]
    ran = [
        v4.new_code_cell(
            source,
            id=f"code-{place}",
            execution_count=place,
            outputs=[v4.new_output("stream", name="stdout", text=f"{place}\n")],
        )
        for place, source in enumerate(["print(1)", "print(2)"], 1)
    ]
    cells = [
        *kinds[:2],
        v4.new_markdown_cell("## The derivation\n\nOne idea of\ntwo lines.", id="prose"),
        ran[0],
        v4.new_markdown_cell("$$x = \\text{sum of } y$$", id="formula"),
        v4.new_markdown_cell("The loss falls.", id="more"),
        ran[1],
        *kinds[2:],
    ]
    metadata = {
        "kernelspec": {"display_name": "Python 3", "name": "python3"},
        "language_info": {"name": "python"},
    }
    return feed.feed(v4.new_notebook(cells=cells, metadata=metadata), STEM, "en")[0]


def at(notebook: Any, name: str) -> Any:
    """The cell with this id."""
    return next(each for each in notebook.cells if each.id == name)


def translated(english: Any) -> Any:
    """Its Chinese edition, all of it translated."""
    made = editions.poured(english, None, STEM)
    for name in ("prose", "more"):
        at(made, name).source = f"中文：{name}"
        at(made, name).metadata[editions.SOURCE] = editions.digest(at(english, name).source)
    return made


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of notebooks with one, in English."""
    made = tmp_path / "notebooks"
    made.mkdir()
    editions.save(made / f"{STEM}.ipynb", book())
    return made


# --- Pouring --------------------------------------------------------------------------------------


def test_a_skeleton_has_all_cells_and_fails_until_it_is_translated() -> None:
    english = book()
    made = editions.poured(english, None, STEM)
    assert [each.id for each in made.cells] == [each.id for each in english.cells]
    said = editions.differences(english, made, STEM)
    assert len(said) == 2 and all("has no Chinese yet" in line for line in said)
    assert "The loss falls." in at(made, "more").source, "a translator sees what to translate"
    assert at(made, "formula").source == at(english, "formula").source
    assert editions.differences(english, translated(english), STEM) == []


def test_pouring_keeps_the_translation_and_nothing_else() -> None:
    english = book()
    chinese = translated(english)
    chinese.cells = chinese.cells[::-1][2:]
    at(chinese, "code-1").source = "print(7)"
    at(english, "code-2").outputs[0].text = "3\n"
    made = editions.poured(english, chinese, STEM)
    assert editions.differences(english, made, STEM) == []
    assert at(made, "prose").source == "中文：prose"
    assert at(made, "code-2").outputs[0].text == "3\n"
    assert editions.poured(english, made, STEM) == made


def test_a_translation_survives_the_loss_of_its_id() -> None:
    english = book()
    chinese = translated(english)
    at(english, "prose").id = "another"
    made = editions.poured(english, chinese, STEM)
    assert at(made, "another").source == "中文：prose"
    assert editions.differences(english, made, STEM) == []


def test_the_text_to_translate_follows_the_english_until_somebody_begins() -> None:
    english = book()
    chinese = editions.poured(english, None, STEM)
    at(english, "more").source = "The loss rises."
    made = editions.poured(english, chinese, STEM)
    assert "The loss rises." in at(made, "more").source


# --- What is found --------------------------------------------------------------------------------


def change_english(notebook: Any, chinese: Any) -> None:
    at(notebook, "prose").source += " And a third."


def change_an_output(notebook: Any, chinese: Any) -> None:
    at(chinese, "code-1").outputs[0].text = "4\n"


def change_code(notebook: Any, chinese: Any) -> None:
    at(chinese, "code-1").source = "print(1)  # 一"


def drop_a_cell(notebook: Any, chinese: Any) -> None:
    chinese.cells.remove(at(chinese, "more"))


def add_a_cell(notebook: Any, chinese: Any) -> None:
    chinese.cells.append(v4.new_markdown_cell("多出来的", id="extra"))


def swap(notebook: Any, chinese: Any) -> None:
    chinese.cells[2], chinese.cells[5] = chinese.cells[5], chinese.cells[2]


def leave_english(notebook: Any, chinese: Any) -> None:
    at(chinese, "more").source = "The loss falls in `中文`."


def change_the_interview(notebook: Any, chinese: Any) -> None:
    at(chinese, "sixty-seconds").source += "再说一句。"


def retag(notebook: Any, chinese: Any) -> None:
    at(notebook, "code-2").metadata["tags"] = ["varies"]


PLANTED = {
    change_english: "`中文：prose`: its English text has changed",
    change_an_output: "the outputs of the English cell differs",
    change_code: "the code of the English cell differs",
    drop_a_cell: "`The loss falls.`: the Chinese edition lacks this cell",
    add_a_cell: "the English notebook has no cell 'extra'",
    swap: "stand in another order",
    leave_english: "has no Chinese yet",
    change_the_interview: "not what keras_recs/interview/texts",
    retag: "the metadata of the English cell differs",
}


@pytest.mark.parametrize("plant", PLANTED, ids=lambda plant: plant.__name__)
def test_what_is_wrong_is_found(plant: Callable[[Any, Any], None]) -> None:
    english = book()
    chinese = translated(english)
    plant(english, chinese)
    said = editions.differences(english, chinese, STEM)
    assert len(said) == 1 and PLANTED[plant] in said[0]


def test_new_line_breaks_make_no_translation_stale() -> None:
    english = book()
    chinese = translated(english)
    at(english, "prose").source = at(english, "prose").source.replace("of\ntwo", "of two")
    assert editions.differences(english, chinese, STEM) == []


# --- The interview texts --------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_each_edition_holds_one_language(kind: str) -> None:
    q = question(5)
    english, chinese, both = (cell(q, kind, language) for language in ("en", "zh", None))
    assert not HAN.search(english) and HAN.search(chinese)
    assert english.partition("\n")[0] == both.partition("\n")[0], "the heading stays as it is"
    assert re.match("#+ .*[\u3400-\u9fff]", chinese), "a Chinese page has Chinese headings"
    assert HAN.search(both) and len(both) > max(len(english), len(chinese))


def test_the_languages_follow_from_what_is_there(folder: Path) -> None:
    path = folder / f"{STEM}.ipynb"
    assert feed.language_of(path) is None
    editions.main(["new", "q05"], folder=folder)
    assert feed.language_of(path) == "en" and feed.language_of(feed.chinese_of(path)) == "zh"
    for place in (path, feed.chinese_of(path)):
        at_now = nbformat.read(place, 4)
        assert feed.feed(at_now, STEM, feed.language_of(place))[1] == []
    before = feed.chinese_of(path).read_bytes()
    feed.main(folder)
    assert feed.chinese_of(path).read_bytes() == before


# --- The commands ---------------------------------------------------------------------------------


def test_a_translation_from_its_beginning_to_its_end(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def said(*arguments: str, code: int = 0) -> str:
        assert editions.main(arguments, folder=folder) == code
        captured = capsys.readouterr()
        return captured.out + captured.err

    path = folder / f"{STEM}.ipynb"
    place = feed.chinese_of(path)
    assert "no Chinese edition; begin it" in said("stale", "q05", code=2)
    assert "2 cells to translate" in said("new", "q05")
    assert "has a Chinese edition already" in said("new", "q05", code=2)
    assert said("stale", "q05").count("has no Chinese yet") == 2
    assert "has no Chinese yet" in said("done", "q05", "prose", code=2)

    chinese = nbformat.read(place, 4)
    at(chinese, "prose").source, at(chinese, "more").source = "第一段", "损失在下降。"
    editions.save(place, chinese)
    assert said("stale", "q05").count("English text has changed") == 2
    assert "1 cells to look at" in said("done", "q05", "more")
    assert "0 cells to look at" in said("done", "q05", "--all")
    assert "nothing to look at" in said("stale", "q05")
    assert "no translated cell 'nowhere'" in said("done", "q05", "nowhere", code=2)

    english = nbformat.read(path, 4)
    at(english, "more").source = "The loss rises."
    editions.save(path, english)
    assert said("stale", "q05").startswith("more  cell 6 `The loss rises.`: its English text")
    assert "1 cells to look at" in said("pour", "q05")
    assert at(nbformat.read(place, 4), "more").source == "损失在下降。"
    with pytest.raises(SystemExit):
        said("done", "q05")


def test_running_checks_and_pours(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = folder / f"{STEM}.ipynb"
    place = feed.chinese_of(path)
    editions.save(place, translated(nbformat.read(path, 4)))
    english = nbformat.read(path, 4)
    at(english, "code-1").source = "print(11)"
    editions.save(path, english)

    assert execute.main(["--update"], folder=folder) == 0
    chinese = nbformat.read(place, 4)
    assert at(chinese, "code-1").outputs[0].text == "11\n"
    assert execute.main([], folder=folder) == 0
    at(chinese, "code-1").outputs[0].text = "12\n"
    editions.save(place, chinese)
    capsys.readouterr()
    assert execute.main([], folder=folder) == 1
    assert "zh cell 4 [1] `print(11)`: the outputs of the English" in capsys.readouterr().out

    shown = {
        language: (folder.parent / "build" / "notebooks" / name).read_text(encoding="utf8")
        for language, name in {"en": f"{STEM}.html", "zh": f"zh/{STEM}.html"}.items()
    }
    assert '<html lang="en">' in shown["en"] and f'href="zh/{STEM}.html"' in shown["en"]
    assert '<html lang="zh">' in shown["zh"] and f'href="../{STEM}.html"' in shown["zh"]
    index = (folder.parent / "build" / "notebooks" / "index.html").read_text(encoding="utf8")
    assert f'href="{STEM}.html"' in index and f'href="zh/{STEM}.html" lang="zh"' in index


def test_a_page_without_another_edition_has_no_link(tmp_path: Path) -> None:
    pages.write_page(copy.deepcopy(book()), tmp_path / "a.html", "en")
    assert 'class="edition"' not in (tmp_path / "a.html").read_text(encoding="utf8")


# --- What is committed ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "place", sorted((ROOT / "notebooks" / "zh").glob("*.ipynb")), ids=lambda place: place.stem
)
def test_committed_editions_are_whole(place: Path) -> None:
    path = place.parents[1] / place.name
    assert path.exists(), "a Chinese edition has its English notebook"
    english, chinese = editions.read_both(path)
    assert editions.differences(english, chinese, place.stem) == []


# --- The parts of a page --------------------------------------------------------------------------


def page(language: str = "en") -> Any:
    """A page that has all its parts."""
    made = v4.new_notebook()
    made.cells.append(v4.new_markdown_cell(metadata={"keras_recs": "question"}))
    for part in parts.PARTS:
        heading = getattr(part, language)[0]
        fed = {"keras_recs": part.name} if part.name in KINDS else {}
        made.cells.append(
            v4.new_markdown_cell(f"## {heading}\n\nText.", id=part.name, metadata=fed)
        )
        made.cells.append(v4.new_code_cell("print(1)", id=f"code-{part.name}"))
    at(made, "sixty-seconds").metadata["tags"] = ["ten-minutes"]
    at(made, "code-whiteboard").metadata["tags"] = ["whiteboard", "ten-minutes"]
    at(made, "code-whiteboard").source = "\n".join(["x = 1"] * 30)
    return feed.feed(made, STEM, language)[0]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_whole_page_has_no_faults(language: str) -> None:
    assert parts.faults(page(language), language) == []
    assert parts.faults(page(language), "zh" if language == "en" else "en") != []


def swap_parts(made: Any) -> None:
    a, b = (made.cells.index(at(made, name)) for name in ("claims", "evaluation"))
    made.cells[a], made.cells[b] = made.cells[b], made.cells[a]


def lose_a_part(made: Any) -> None:
    made.cells.remove(at(made, "complexity"))


def lose_the_question(made: Any) -> None:
    made.cells[0].source, made.cells[0].metadata = "Hello.", nbformat.NotebookNode()


def fence_a_heading(made: Any) -> None:
    at(made, "complexity").source = f"```\n{at(made, 'complexity').source}\n```"


def write_fifteen_lines(made: Any) -> None:
    at(made, "code-data").source = "\n".join(["x = 1"] * 15)


def use_a_private_attribute(made: Any) -> None:
    at(made, "code-data").source = "%matplotlib inline\nmodel._fit(data)"


def define_a_private_function(made: Any) -> None:
    at(made, "code-data").source = "def _helper():\n    pass"


def name_a_private_method(made: Any) -> None:
    at(made, "data").source += " It calls `model._epochs(data)`."


def erase_the_path(made: Any) -> None:
    at(made, "sixty-seconds").metadata["tags"] = []


def write_a_long_path(made: Any) -> None:
    at(made, "derivation").metadata["tags"] = ["ten-minutes"]
    at(made, "derivation").source += " word" * 1500


def erase_the_whiteboard(made: Any) -> None:
    at(made, "code-whiteboard").metadata["tags"] = ["ten-minutes"]
    at(made, "code-whiteboard").source = "x = 1"


def lose_what_fails(made: Any) -> None:
    at(made, "rubric").source = at(made, "rubric").source.replace("fails", "breaks")


def lose_the_sentence(made: Any) -> None:
    at(made, "rubric").source = at(made, "rubric").source.partition("A strong candidate")[0]


FAULTS = {
    swap_parts: "the part claims stands before the part evaluation",
    lose_a_part: "the part complexity is missing: a heading 'Complexity, and past one machine'",
    lose_the_question: "does not begin with its question",
    fence_a_heading: "the part complexity is missing",
    write_fifteen_lines: "15 lines of code, 14 are the most",
    use_a_private_attribute: "private names: _fit",
    define_a_private_function: "private names: _helper",
    name_a_private_method: "private names: _epochs",
    erase_the_path: "the 60-second answer has no tag ten-minutes",
    write_a_long_path: "1500 are the most",
    erase_the_whiteboard: "no code cell has the tag whiteboard",
    lose_what_fails: "the rubric has no 'fails'",
    lose_the_sentence: "the rubric has no 'A strong candidate would say:'",
}


@pytest.mark.parametrize("plant", FAULTS, ids=lambda plant: plant.__name__)
def test_a_fault_of_a_page_is_found(plant: Callable[[Any], None]) -> None:
    made = page()
    plant(made)
    said = parts.faults(made)
    assert FAULTS[plant] in said[0] and len(said) <= 2


def test_names_that_only_look_private_and_signs_of_headings_pass() -> None:
    made = page()
    at(made, "code-data").source = "for _ in range(3):\n    print(a.__name__, '_fit', a.fit_)  # _x"
    at(made, "claims").source = at(made, "claims").source.replace("shows it", "shows it ★")
    at(made, "data").source += " $x_i$ and `user_id`, `score_`, `$p_{ij}$`."
    assert parts.faults(made) == []


def test_the_path_is_marked_and_listed(tmp_path: Path) -> None:
    pages.write_page(page(), tmp_path / "a.html", "en")
    text = (tmp_path / "a.html").read_text(encoding="utf8")
    assert '<a href="#cell-id=code-whiteboard">On the whiteboard</a>' in text
    assert 'id="cell-id=code-whiteboard"' in text
    badges = re.findall(r'class="[^"]*celltag_ten-minutes', text)
    assert len(badges) == 2 and "★ ten-minute path" in text


@pytest.mark.parametrize("stem", [q.stem for q in QUESTIONS if q.built])
def test_pages_are_whole_or_on_the_list(stem: str) -> None:
    said = parts.page_faults(ROOT / "notebooks" / f"{stem}.ipynb")
    if stem in parts.TO_COME:
        assert said, "it is whole: take it off the list TO_COME"
    else:
        assert said == []


def test_a_running_page_is_checked(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parts, "TO_COME", frozenset())
    assert execute.main(["--update"], folder=folder) == 1
    assert "the part whiteboard is missing" in capsys.readouterr().out
    ran = nbformat.read(folder / f"{STEM}.ipynb", 4)
    assert at(ran, "code-1").outputs[0].text == "1\n"
