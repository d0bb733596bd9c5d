"""No figure in prose that no cell prints: notebooks, READMEs and the errata."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

nbformat = pytest.importorskip("nbformat")
pytest.importorskip("nbclient")

ROOT = Path(__file__).resolve().parents[1]
TOOLS = ROOT / "tools" / "notebooks"
pytestmark = pytest.mark.skipif(
    not TOOLS.is_dir(), reason="an installed package has no notebooks and no README"
)
PAGES = sorted((ROOT / "notebooks").rglob("*.ipynb"))


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    return load("figures")


def load(name: str) -> ModuleType:
    """A module of tools/notebooks, which is no package."""
    sys.path.insert(0, str(TOOLS))
    try:
        spec = importlib.util.spec_from_file_location(name, TOOLS / f"{name}.py")
        assert spec and spec.loader
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(TOOLS))
    return module


# --- what is committed ---


def test_every_figure_of_every_notebook_is_printed(tool: ModuleType) -> None:
    used: set[tuple[str, str]] = set()
    failures = [
        f"{path.stem} {each}"
        for path in PAGES
        for each in tool.check(nbformat.read(path, 4), path.stem, used)
    ]
    for name in tool.DOCUMENTS:
        failures += tool.check_document((ROOT / name).read_text(encoding="utf8"), name, used)
    assert failures == []
    assert tool.unused(used) == []


def test_the_notebooks_to_come_are_notebooks(tool: ModuleType) -> None:
    assert set(tool.TO_COME) <= {path.stem for path in PAGES}
    assert all(tool.TO_COME.values())


def test_results_say_where_they_come_from(tool: ModuleType) -> None:
    for path in tool.RESULTS.glob("*.json"):
        text = path.read_text(encoding="utf8")
        found = tool.json.loads(text)
        assert {"written_by", "date", "machine", "rows"} <= set(found)
        assert {"cores", "memory_gib", "python"} <= set(found["machine"])
        assert all(row["library"] and "version" in row for row in found["rows"])
        assert not re.search(r"(?<![\w.:/])/\w[\w.-]*/", text), "a path of a machine"


# --- what is planted ---

PRINTED = (
    "ndcg@10 0.2009 [0.1885, 0.2139]  users 943  share 0.3642\ndifference -0.0110  3,512 films"
)


def complaints(tool: ModuleType, prose: str, printed: str = PRINTED) -> list[str]:
    """What the check says of a notebook with one cell of text and one that printed this."""
    v4 = nbformat.v4
    output = v4.new_output("stream", text=printed)
    code = v4.new_code_cell("EASE(reg=400)  # 0.777 or so\nprint('0.888')", outputs=[output])
    return tool.check(v4.new_notebook(cells=[v4.new_markdown_cell(prose), code]), "planted")


@pytest.mark.parametrize(
    "prose",
    [
        "EASE reaches 0.2019 on this split.",
        "EASE reaches .22.",
        "EASE在这里是0.207，热门榜更低。",
        "命中率提高到 37%。",
        "Its share is 37 %.",
        "Its share is 35.4 percent.",
        "Rounded wrongly it is 0.200.",
        "It has 3,513 films.",
        "a gain of +0.011",
        "The interval is 0.1885–0.2138.",
        "between 0.18 and 0.21",
        "| EASE | 0.2008 |\n|---|---|",
        "<details><summary><b>Why?</b></summary>\n\nIt is 0.5 better.\n</details>",
        "so that $x = 0.207$",
        "it is $0.207$",
        "a list of 85 films",
        "12 % of them",
        "5 times as many",
        "2011 users",
        "It was 0.777, says a comment.",
        "It was 0.888, says a string.",
        "lenskit's EASE reaches 0.2019.",
        "The item KNN of lenskit reaches 0.9220.",
    ],
)
def test_a_planted_figure_is_rejected(tool: ModuleType, prose: str) -> None:
    assert len(complaints(tool, prose)) >= 1


@pytest.mark.parametrize(
    "prose",
    [
        "EASE reaches 0.2009, or .201, or 0.20.",
        "EASE在这里是0.201。",
        "命中率是 36%，或 36.4 ％。",
        "Its share is 36 %, 36.42 percent, or .364.",
        "The interval is 0.1885–0.2139, or .19 to .21.",
        "a loss of .011, that is −0.011, −0.0110 or -1.1 %",
        "about 3,500 films, to be exact 3,512 or 3512",
        "| EASE | 0.2009 |\n|---|---|",
        "with $k = 64$ and $\\lambda = 77$, three of 10 places, and λ = 400",
        "so that $x = 0.201$",
        "Koren (2009), Rendle et al. 2020, in 1997, and 1998 年; 第 17、18 题, questions 13 and 14",
        "NDCG@20, ML-20M, float32, `n_factors=77`",
        "lenskit's EASE reaches 0.2009.",
        "The item KNN of lenskit reaches 0.9239.",
        "```\nprint(0.777)\n```",
    ],
)
def test_the_same_figure_in_another_spelling_passes(tool: ModuleType, prose: str) -> None:
    assert complaints(tool, prose) == []


def test_the_table_of_defects_is_no_evidence(tool: ModuleType) -> None:
    v4 = nbformat.v4
    output = v4.new_output("display_data", data={"text/markdown": "| RMSE is about 0.93 |"})
    cells = [v4.new_markdown_cell("RMSE is 0.93."), v4.new_code_cell("table()", outputs=[output])]
    assert tool.check(v4.new_notebook(cells=cells), "planted") == []
    cells[1].source = "defect_table(5)"
    assert len(tool.check(v4.new_notebook(cells=cells), "planted")) == 1


def test_what_the_list_allows_passes_and_what_it_allows_in_vain_is_rejected(
    tool: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entries = {"planted": {"0.7847": "claimed elsewhere", "34": "members of a club"}}
    monkeypatch.setattr(tool, "allowed", lambda: entries)
    used: set[tuple[str, str]] = set()
    assert tool.unprinted("It claims 0.7847.", tool.Numbers(), "planted", used) == []
    assert tool.unused(used) == ["allowed_figures.toml: [planted] '34' is not used"]
    assert len(tool.unprinted("It claims 0.7847.", tool.Numbers(), "another", used)) == 1


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("README.md", "ndcg@10 0.2511", "ndcg@10 0.2611"),
        ("README.md", "Of the 239 defects", "Of the 249 defects"),
        ("README.zh.md", "rmse 0.9124", "rmse 0.9024"),
        ("README.zh.md", "97 %", "98 %"),
        ("benchmarks/README.md", "0.1899 | 0.1781", "0.1999 | 0.1781"),
        ("ERRATA.md", "about 0.93", "about 0.943"),
    ],
)
def test_a_figure_planted_in_a_document_is_rejected(
    tool: ModuleType, name: str, old: str, new: str
) -> None:
    text = (ROOT / name).read_text(encoding="utf8")
    assert old in text
    used: set[tuple[str, str]] = set()
    assert tool.check_document(text.replace(old, new), name, used)
