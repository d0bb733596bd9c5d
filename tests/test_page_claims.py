"""The check of a page's claims and rivals: a missing one is named, a planted one is rejected."""

from __future__ import annotations

import dataclasses
import importlib
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from keras_recs.interview.texts import Interview, interview

nbformat = pytest.importorskip("nbformat")
TOOLS = Path(__file__).resolve().parents[1] / "tools" / "notebooks"

EN = (
    "Both score by history times weights. EASE beats the cosine on a random split. "
    "By time the two are level, at 0.20. We think the hour matters more."
)
ZH = "两者都是历史乘以权重。随机切分上EASE优于余弦。按时间切分没有显著差异。我们认为时段更重要。"


@pytest.fixture(scope="module")
def claims() -> ModuleType:
    sys.path.insert(0, str(TOOLS))
    try:
        return importlib.import_module("claims")
    finally:
        sys.path.remove(str(TOOLS))


def text(language: str, said: str) -> Interview:
    """A real text with another 60-second answer, and a rubric that claims nothing."""
    real = interview(12, language)
    plain = {"en": "Names the method.", "zh": "说出方法。"}[language]
    rubric = tuple(level._replace(text=plain) for level in real.rubric)
    return dataclasses.replace(real, sixty_seconds=said, rubric=rubric, sentence=plain)


def page(**marks: Any) -> Any:
    cells = []
    for kind, content in marks.items():
        output = nbformat.v4.new_output("display_data", metadata={"keras_recs": {kind: content}})
        cells.append(nbformat.v4.new_code_cell("", outputs=[output]))
    return nbformat.v4.new_notebook(cells=cells)


def said(en: list[str], zh: list[str]) -> dict[str, Any]:
    return {"text": "a claim", "says": {"en": en, "zh": zh}, "on": {"random": ">"}, "shown": ""}


GOOD = [
    said(["beats the cosine on a random split"], ["随机切分上EASE优于余弦"]),
    said(["By time the two are level"], ["按时间切分没有显著差异"]),
]
TEXTS = [text("en", EN), text("zh", ZH)]
ROWS = (
    "random",
    "popularity",
    "genres only",
    "item CF",
    "EASE",
    "EASE, recent",
    "ALS",
    "truncated SVD",
    "ridge",
    "NeuMF",
)


def column(data: str, in_time: bool, cold: float, training: int, protocol: str = "P1") -> Any:
    return {
        "data": data,
        "protocol": protocol,
        "in_time": in_time,
        "cold": cold,
        "training": training,
    }


SPLITS = {
    "by time": column("ml-100k", True, 0.002, 0),
    "random": column("ml-100k", False, 0.001, 1),
    "cinema, warm": column("cinema", True, 0.001, 2),
    "cinema, cold": column("cinema", True, 1.0, 2),
}
#: The page's own NeuMF reaches 0.2, EASE 0.3, the others 0.1: it loses to one, and beats the rest.
FIGURES = {name: {"NeuMF": 0.2, "EASE": 0.3}.get(name, 0.1) for name in ROWS}


def stands(name: str) -> list[Any]:
    difference = round(0.2 - FIGURES[name], 6)
    place = "ahead" if difference < 0 else "behind"
    return [place, difference, difference - 0.05, difference + 0.05]


def rivals(rows: tuple[str, ...] = ROWS, splits: Any = SPLITS) -> dict[str, Any]:
    """What the output of a table of rivals carries."""
    said = {column: {name: stands(name) for name in rows if name != "NeuMF"} for column in splits}
    return {
        "protocol": "P1",
        "metric": "ndcg@10",
        "rows": list(rows),
        "columns": list(splits),
        "splits": splits,
        "own": ["NeuMF"],
        "figures": {name: dict.fromkeys(splits, FIGURES[name]) for name in rows},
        "verdicts": {"NeuMF": said},
    }


RIVALS = rivals()


def test_a_page_that_shows_everything_passes(claims: ModuleType) -> None:
    assert claims.claim_faults(page(claims=GOOD), TEXTS) == []
    assert claims.rival_faults(page(rivals=RIVALS), "P1") == []


@pytest.mark.parametrize("row", ROWS[:-1])
def test_a_missing_rival_is_named(claims: ModuleType, row: str) -> None:
    rows = tuple(each for each in ROWS if each != row)
    (fault,) = claims.rival_faults(page(rivals=rivals(rows)), "P1")
    assert repr(row) in fault


def test_no_table_is_a_fault(claims: ModuleType) -> None:
    assert "no cell shows the rivals" in claims.rival_faults(page(), "P1")[0]
    assert "no cell shows the claims" in claims.claim_faults(page(), TEXTS)[0]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("by time", ["a split by P1"]),
        ("random", ["a random split"]),
        ("cinema, warm", ["warm items"]),
        ("cinema, cold", ["cold items of cinema", "warm items"]),
    ],
)
def test_a_missing_column_is_named(claims: ModuleType, name: str, words: list[str]) -> None:
    """Lists are measured by the protocol, on a random split, and on cold and warm items."""
    splits = {key: value for key, value in SPLITS.items() if key != name}
    if name == "by time":  # the warm items of cinema are split by time, too
        splits["cinema, warm"] = {**splits["cinema, warm"], "protocol": "P2"}
    faults = claims.rival_faults(page(rivals=rivals(splits=splits)), "P1")
    assert len(faults) == len(words)
    assert all(word in fault for word, fault in zip(words, faults, strict=True))


@pytest.mark.parametrize(
    ("name", "facts", "words"),
    [
        ("random", {"in_time": True}, "random split"),
        ("random", {"in_time": None}, "random split"),
        ("cinema, cold", {"cold": 0.9}, "cold items"),
        ("cinema, cold", {"data": "ml-100k"}, "cold items"),
        ("cinema, warm", {"cold": 0.2}, "warm items"),
        ("cinema, warm", {"training": 5}, "warm items"),
    ],
)
def test_a_column_is_what_its_events_are(
    claims: ModuleType, name: str, facts: dict[str, Any], words: str
) -> None:
    """A column that is only called so is none."""
    splits = {**SPLITS, name: {**SPLITS[name], **facts}}
    faults = claims.rival_faults(page(rivals=rivals(splits=splits)), "P1")
    assert faults and any(words in fault for fault in faults)


def test_columns_of_several_tables_count_together(claims: ModuleType) -> None:
    names = list(SPLITS)
    tables = [
        rivals(splits={name: SPLITS[name] for name in some}) for some in (names[:2], names[2:])
    ]
    both = page(rivals=tables[0])
    both.cells += page(rivals=tables[1]).cells
    assert claims.rival_faults(both, "P1") == []


def test_a_page_that_loses_cannot_say_otherwise(claims: ModuleType) -> None:
    """What is said of a rival must follow from its figures, whichever of them is changed."""

    def faults(**changes: Any) -> list[str]:
        table = rivals()
        place, difference, low, high = table["verdicts"]["NeuMF"]["random"]["EASE"]
        entry = {"place": place, "difference": difference, "low": low, "high": high, **changes}
        table["verdicts"]["NeuMF"]["random"]["EASE"] = list(entry.values())
        return claims.rival_faults(page(rivals=table), "P1")

    assert faults() == []
    assert "EASE against NeuMF, random: 'level' is not what" in faults(place="level")[0]
    assert "'behind' is not what" in faults(place="behind")[0]
    assert "'ahead' is not what" in faults(high=0.05)[0], "the interval holds zero"
    assert "differ by something else" in faults(difference=-0.06)[0]
    assert "is not within" in faults(low=-0.09)[0]


def test_nothing_said_of_a_rival_is_a_fault(claims: ModuleType) -> None:
    table = rivals()
    del table["verdicts"]["NeuMF"]["random"]["EASE"]
    (fault,) = claims.rival_faults(page(rivals=table), "P1")
    assert "EASE against NeuMF, random: nothing is said" in fault
    (fault,) = claims.rival_faults(page(rivals={**rivals(), "own": []}), "P1")
    assert "no model of the page" in fault


def test_of_errors_the_lower_is_ahead(claims: ModuleType) -> None:
    table = {**rivals(), "metric": "rmse"}
    faults = claims.rival_faults(page(rivals=table), "P1")
    assert len(faults) == 4 * (len(ROWS) - 1), "every verdict is the wrong way round"


def test_one_split_of_ratings_is_not_enough(claims: ModuleType) -> None:
    one = {"random": column("ml-100k", False, 0.0, 0, "P3")}
    faults = claims.rival_faults(page(rivals=rivals(splits=one)), "P3")
    assert [fault for fault in faults if "one split" in fault]
    faults = claims.rival_faults(page(rivals=RIVALS), "P3")
    assert not [fault for fault in faults if "column" in fault or "one split" in fault]


def test_ratings_have_rivals_of_their_own(claims: ModuleType) -> None:
    faults = claims.rival_faults(page(rivals=RIVALS), "P3")
    assert any("'biases'" in fault for fault in faults) and not any("'ALS'" in f for f in faults)


def proven(shown: str, *cells: Any) -> Any:
    notebook = page(claims=[*GOOD, {**said([], []), "on": {}, "shown": shown}])
    notebook.cells += cells
    return notebook


@pytest.mark.parametrize(
    "shown",
    [
        "Four lines (Steck 2019)",
        "the-check",
        "test_a_proof_must_exist",
        "tests/test_page_claims.py::test_a_proof_must_exist",
    ],
)
def test_a_proof_may_be_a_heading_a_tag_or_a_test(claims: ModuleType, shown: str) -> None:
    cells = [
        nbformat.v4.new_markdown_cell("Some text.\n\n### Four lines (Steck 2019) ◆\n\nMore."),
        nbformat.v4.new_code_cell("", metadata={"tags": ["the-check"]}),
    ]
    assert claims.claim_faults(proven(shown, *cells), TEXTS) == []


@pytest.mark.parametrize(
    "shown",
    [
        "the two checks under *Four lines*",
        "Four lines",
        "test_a_proof_that_is_not_there",
        "tests/test_page_claims.py::test_the_nasty_log_is_nasty",
        "tests/test_nowhere.py::test_a_proof_must_exist",
        "ten-minutes",
        "The 60-second answer",
        "said",
    ],
)
def test_a_proof_must_exist(claims: ModuleType, shown: str) -> None:
    """A text that is to be borne out bears out nothing, nor does what is only similar."""
    cells = [
        nbformat.v4.new_markdown_cell("### Four lines (Steck 2019) ◆"),
        nbformat.v4.new_code_cell("# the two checks", metadata={"tags": ["ten-minutes"]}),
        nbformat.v4.new_markdown_cell(
            "## The 60-second answer", metadata={"keras_recs": "sixty-seconds"}
        ),
    ]
    (fault,) = claims.claim_faults(proven(shown, *cells), TEXTS)
    assert repr(shown) in fault


@pytest.mark.parametrize(
    ("language", "sentence"),
    [
        ("en", "Deep models are better."),
        ("en", "It works because the table is sparse."),
        ("en", "NDCG@10 is 0.44."),
        ("en", "NeuMF is just behind EASE."),
        ("zh", "深度模型更好。"),
        ("zh", "这是因为矩阵稀疏。"),
        ("zh", "矩阵稀疏，所以有效。"),
        ("zh", "矩阵稀疏，因此有效。"),
        ("zh", "由于矩阵稀疏，它有效。"),
        ("zh", "稀疏导致失效。"),
        ("zh", "NDCG@10是0.44。"),
        ("zh", "它略输给EASE。"),
    ],
)
def test_a_claim_without_evidence_is_rejected(
    claims: ModuleType, language: str, sentence: str
) -> None:
    planted = [
        text(each.language, each.sixty_seconds + " " + sentence)
        if each.language == language
        else each
        for each in TEXTS
    ]
    (fault,) = claims.claim_faults(page(claims=GOOD), planted)
    assert fault.startswith(language) and sentence in fault


def test_the_rubric_claims_too(claims: ModuleType) -> None:
    rubric = list(TEXTS[0].rubric)
    rubric[3] = rubric[3]._replace(text="Knows that EASE wins by 40 %.")
    planted = dataclasses.replace(TEXTS[0], rubric=tuple(rubric))
    (fault,) = claims.claim_faults(page(claims=GOOD), [planted, TEXTS[1]])
    assert "wins by 40" in fault


def test_a_quotation_must_stand_in_the_text(claims: ModuleType) -> None:
    stale = [*GOOD, said(["EASE loses to the cosine"], [])]
    (fault,) = claims.claim_faults(page(claims=stale), TEXTS)
    assert "EASE loses to the cosine" in fault
    (fault,) = claims.claim_faults(page(claims=[*GOOD, said(["a"], [])]), TEXTS)
    assert "too short" in fault


def test_an_opinion_is_no_claim(claims: ModuleType) -> None:
    assert claims.claiming("We think more data is better.", "en") == []
    assert claims.claiming("我们认为数据更多会更好。", "zh") == []
    assert claims.claiming("More data is better.", "en") == ["More data is better."]


def test_a_question_is_no_claim(claims: ModuleType) -> None:
    assert claims.claiming("Is more data better?", "en") == []
    assert claims.claiming("数据更多就更好吗？", "zh") == []


def test_what_is_quoted_is_no_claim(claims: ModuleType) -> None:
    assert claims.claiming('It says *because you watched it*, and "deep is better".', "en") == []
    assert claims.claiming("理由是现成的：“因为你看过”。", "zh") == []
    assert claims.claiming("It is *much* better.", "en") == ["It is *much* better."]
    strong = dataclasses.replace(TEXTS[0], sentence='"EASE is better than the cosine."')
    (fault,) = claims.claim_faults(page(claims=GOOD), [strong, TEXTS[1]])
    assert "better than the cosine" in fault


def test_what_fails_need_not_be_true(claims: ModuleType) -> None:
    rubric = list(TEXTS[0].rubric)
    rubric[0] = rubric[0]._replace(text="Deep is better than wide.")
    planted = dataclasses.replace(TEXTS[0], rubric=tuple(rubric))
    assert claims.claim_faults(page(claims=GOOD), [planted, TEXTS[1]]) == []


def test_pages_to_come_are_built(claims: ModuleType) -> None:
    from keras_recs.questions import QUESTIONS

    to_come = sys.modules["parts"].TO_COME
    assert {q.stem for q in QUESTIONS if q.built} >= to_come


def test_a_page_is_checked_once_it_is_whole(claims: ModuleType) -> None:
    bare = page()
    assert len(claims.faults(bare, "q12_item_cf")) == 2, "neither rivals nor claims"
    assert claims.faults(bare, "q04_knn") == [] and claims.faults(bare, "cinema") == []
