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
RIVALS = {
    "rows": [
        "popularity",
        "genres only",
        "item CF",
        "EASE",
        "EASE, recent",
        "ALS",
        "truncated SVD",
        "ridge",
        "NeuMF",
    ],
    "columns": ["by time", "random"],
}


def test_a_page_that_shows_everything_passes(claims: ModuleType) -> None:
    assert claims.claim_faults(page(claims=GOOD), TEXTS) == []
    assert claims.rival_faults(page(rivals=RIVALS), "P1") == []


@pytest.mark.parametrize("row", RIVALS["rows"][:-1])
def test_a_missing_rival_is_named(claims: ModuleType, row: str) -> None:
    rows = [each for each in RIVALS["rows"] if each != row]
    faults = claims.rival_faults(page(rivals={**RIVALS, "rows": rows}), "P1")
    assert len(faults) == 1 and repr(row) in faults[0]


def test_no_table_and_one_split_are_faults(claims: ModuleType) -> None:
    assert "no cell shows the rivals" in claims.rival_faults(page(), "P1")[0]
    assert "no cell shows the claims" in claims.claim_faults(page(), TEXTS)[0]
    (fault,) = claims.rival_faults(page(rivals={**RIVALS, "columns": ["by time"]}), "P1")
    assert "one split" in fault


def test_ratings_have_rivals_of_their_own(claims: ModuleType) -> None:
    faults = claims.rival_faults(page(rivals=RIVALS), "P3")
    assert any("'biases'" in fault for fault in faults) and not any("'ALS'" in f for f in faults)


@pytest.mark.parametrize(
    ("language", "sentence"),
    [
        ("en", "Deep models are better."),
        ("en", "It works because the table is sparse."),
        ("en", "NDCG@10 is 0.44."),
        ("en", "NeuMF is just behind EASE."),
        ("zh", "深度模型更好。"),
        ("zh", "这是因为矩阵稀疏。"),
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
