"""No figure in prose that no cell prints: notebooks, READMEs and the errata."""

from __future__ import annotations

import importlib.util
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


def page(tool: ModuleType, *cells: tuple[str, str] | str) -> list[str]:
    """What the check says of a notebook: prose, and pairs of code and what it printed."""
    v4 = nbformat.v4
    made = [
        v4.new_markdown_cell(each)
        if isinstance(each, str)
        else v4.new_code_cell(each[0], outputs=[v4.new_output("stream", text=each[1])])
        for each in cells
    ]
    return tool.check(v4.new_notebook(cells=made), "planted")


APART = ("## Evaluation", ("f(0.75)", "EASE 0.2009"), "## The end")


def test_a_figure_of_another_section_is_rejected_unless_its_paragraph_links_there(
    tool: ModuleType,
) -> None:
    (message,) = page(tool, *APART, "EASE reaches 0.201, with 7 factors.")
    assert "cell 4" in message and "link to what prints it" in message and "Evaluation" in message
    assert page(tool, *APART, "EASE reaches 0.201, [as shown](#Evaluation).") == []
    assert len(page(tool, *APART, "Look [there](#Evaluation).\n\nEASE reaches 0.201.")) == 1
    assert len(page(tool, *APART, "It is 0.75.")) == 1
    assert page(tool, *APART, "It is [0.75](#Evaluation).") == []


def test_a_figure_of_its_own_section_or_of_the_cells_beside_it_passes(tool: ModuleType) -> None:
    other = ("g()", "")
    assert page(tool, "## A", other, "It is 0.201.", other, "More.", ("f()", "0.2009")) == []
    assert page(tool, "It is 0.201.\n\n## B", ("f()", "0.2009"), other) == []
    assert page(tool, "## A", ("f()", "0.2009"), "It was 0.201.\n\n## B") == []
    assert len(page(tool, "## A", ("f()", "0.2009"), "## B", "It was 0.201.")) == 1


def by_heart(tool: ModuleType, prose: str, name: str = "planted") -> list[str]:
    """What the check says of a text that is learned by heart, far from the cell that prints."""
    v4 = nbformat.v4
    output = v4.new_output("stream", text="popularity 0.1189\nEASE 0.2009\nBiasedMF 0.9124")
    text = v4.new_markdown_cell(prose, metadata={"keras_recs": "sixty-seconds"})
    cells = [text, v4.new_markdown_cell("## Evaluation"), v4.new_code_cell("", outputs=[output])]
    return tool.check(v4.new_notebook(cells=cells), name)


def test_a_text_learned_by_heart_names_what_its_figures_are_of(tool: ModuleType) -> None:
    assert by_heart(tool, "## Now\n\nEASE reaches 0.201, popularity 0.119. More is lost.") == []
    assert len(by_heart(tool, "## Now\n\nEASE reaches 0.119.")) == 1
    assert len(by_heart(tool, "## Now\n\nEASE is good. The other reaches 0.119.")) == 1
    assert len(by_heart(tool, "## Now\n\nIt reaches 0.912.")) == 1
    own = "q05_matrix_factorization"  # its own answer need not be named
    assert by_heart(tool, "## Now\n\nIt reaches 0.912.", own) == []


def test_a_chinese_text_may_have_what_the_english_one_has(tool: ModuleType) -> None:
    own = "q05_matrix_factorization"
    assert by_heart(tool, "## 回答\n\n只用偏置是 0.947。", own) == []
    assert len(by_heart(tool, "## 回答\n\n只用偏置是 0.937。", own)) == 1


@pytest.mark.parametrize(
    ("prose", "printed", "passes"),
    [
        ("It is 36 %.", "share 0.3642", True),
        ("It is 36 %.", "share 0.3642, and 12% of others", False),
        ("It is 36 %.", "36 films", False),
        ("It is 36 %.", "36.4 percent", True),
        ("It is 0.36.", "36.4%", True),
        ("It is 0.4.", "0.4", True),
        ("It is 0.4.", "0.4123", False),
        ("It is 0.04.", "0.0408", False),
        ("It is 0.20.", "0.2009", True),
        ("It is 0.200.", "0.2", True),
        ("It is 0.16.", "0.2", False),
        ("It is 0.0011.", "1.1e-03", True),
        ("It took 2.1 s.", "2134 ms", True),
        ("It is 7 times as fast.", "7 users", False),
        ("It is 7 times as fast.", "7 × as fast", True),
        ("It is 7 times as fast.", "ratio 6.8", True),
    ],
)
def test_how_a_figure_may_be_rounded(
    tool: ModuleType, prose: str, printed: str, passes: bool
) -> None:
    assert (page(tool, prose, ("f()", printed)) == []) is passes


def test_a_number_of_the_code_is_not_rounded(tool: ModuleType) -> None:
    assert page(tool, "With 0.75 and 400.", ("f(0.75, g=400)", "")) == []
    assert len(page(tool, "With about 0.8.", ("f(0.75)", ""))) == 1
    assert page(tool, "Above 0.9.", ("print(f'{x > 0.9}')", "")) == []


def test_another_question_is_quoted_by_its_number_and_answer(tool: ModuleType) -> None:
    assert complaints(tool, "Item CF reaches 0.195 (question 12).") == []
    assert len(complaints(tool, "Item CF reaches 0.195 (question 11).")) == 1
    assert len(complaints(tool, "It reaches 0.195 (question 12).")) == 1
    assert len(complaints(tool, "lenskit's SVD reaches 0.9239.")) == 1
    assert complaints(tool, "keras-rs has a two-tower model, which reaches 0.1888.") == []
    assert len(complaints(tool, "Another two-tower model reaches 0.1888.")) == 1


#: What share of wrong figures may pass in the place of right ones, by kind.
MOST_BY_CHANCE = {
    "1 decimal": 0.35,
    "2 decimals": 0.12,
    "3 decimals": 0.15,
    "4 decimals": 0.05,
    "percent": 0.15,
    "whole": 0.08,
}


def test_few_wrong_figures_pass_by_chance(tool: ModuleType) -> None:
    found: dict[str, list[float]] = {}
    for path in PAGES:
        if path.stem not in tool.TO_COME:
            checked = tool.of_page(nbformat.read(path, 4), path.stem)
            for kind, shares in tool.chances(checked, draws=40).items():
                found.setdefault(kind, []).extend(shares)
    rates = {kind: sum(shares) / len(shares) for kind, shares in found.items()}
    too_many = {kind: rate for kind, rate in rates.items() if rate > MOST_BY_CHANCE.get(kind, 0.15)}
    assert set(MOST_BY_CHANCE) <= set(rates) and too_many == {}


def test_the_chance_of_a_check_that_refuses_or_accepts_everything(tool: ModuleType) -> None:
    (figure,) = tool.figures("It is 0.201.")
    everything = tool.Checked(figure, 0, lambda figure: True)
    itself = tool.Checked(figure, 0, lambda other: other == figure)
    nothing = tool.Checked(figure, 0, lambda figure: False)
    assert tool.chances([everything]) == {"3 decimals": [1.0]}
    assert tool.chances([itself]) == {"3 decimals": [0.0]}
    assert tool.chances([nothing]) == {}


def test_what_the_list_allows_passes_and_what_it_allows_in_vain_is_rejected(
    tool: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    entries = {"planted": {"0.7847": "claimed elsewhere", "34": "members of a club"}}
    monkeypatch.setattr(tool, "allowed", lambda: entries)
    cells = [nbformat.v4.new_markdown_cell("It claims 0.7847.")]
    notebook, used = nbformat.v4.new_notebook(cells=cells), set()
    assert tool.check(notebook, "planted", used) == []
    assert tool.unused(used) == ["allowed_figures.toml: [planted] '34' is not used"]
    assert len(tool.check(notebook, "another", used)) == 1


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("README.md", "ndcg@10 0.2511", "ndcg@10 0.2611"),
        ("README.md", "Of the 239 defects", "Of the 249 defects"),
        ("README.md", "0.1962 – 0.2204 | 1.57 s", "0.1962 – 0.2204 | 0.64 s"),
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
