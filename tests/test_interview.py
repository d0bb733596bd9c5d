"""The texts of the interview, and what is fed from them: notebooks, `ask`, cards."""

from __future__ import annotations

import importlib
import io
import json
import os
import random
import re
import signal
import sqlite3
import subprocess
import sys
import time
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import nbformat
import practice_kit
import pytest
from rich.cells import cell_len

from keras_recs.interview import LANGUAGES, LEVELS, Interview, TextError, interview
from keras_recs.interview import ask as asking
from keras_recs.interview.ask import choose, when
from keras_recs.interview.cards import to_html
from keras_recs.interview.cells import KINDS, cell
from keras_recs.interview.measure import LIMITS, spoken
from keras_recs.interview.memory import FILE, Memory, keys
from keras_recs.interview.texts import facts, parse
from keras_recs.interview.words import WORDS
from keras_recs.questions import QUESTIONS, Question, question
from keras_recs.terminal.formulas import plain
from keras_recs.terminal.prose import render
from keras_recs.utils.places import find_folder

NOTEBOOKS = Path(__file__).resolve().parent.parent / "notebooks"
TOOLS = NOTEBOOKS.parent / "tools" / "notebooks"
TEXTS = Path(asking.__file__).parent / "texts"
BUILT = [q for q in QUESTIONS if q.built]
NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)

built = pytest.mark.parametrize("q", BUILT, ids=lambda q: q.stem[:3])
language = pytest.mark.parametrize("language", LANGUAGES)


def everything(text: Interview) -> list[str]:
    """All texts of a question, each as it is shown."""
    return [
        part
        for part in (
            text.asked,
            text.tested,
            text.sixty_seconds,
            text.sentence,
            text.coming,
            *(part for follow_up in text.follow_ups for part in follow_up),
            *(level.text for level in text.rubric),
        )
        if part
    ]


# --- The texts ------------------------------------------------------------------------------------


@built
@language
def test_sixty_seconds_take_sixty_seconds(q: Question, language: str) -> None:
    length = spoken(interview(q, language).sixty_seconds, language)
    assert 60 <= length <= LIMITS[language], (
        "too long to be said in 60 seconds, or hardly an answer"
    )


@built
def test_a_built_question_is_complete_in_both_languages(q: Question) -> None:
    english, chinese = interview(q, "en"), interview(q, "zh")
    for text in (english, chinese):
        assert text.built and text.asked and text.tested and text.sentence
        assert len(text.follow_ups) >= 4
        assert [level.level for level in text.rubric] == list(LEVELS)
        assert not any("|" in level.text or "\n" in level.text for level in text.rubric), (
            "it is a row of a table"
        )
        assert len({follow_up.question for follow_up in text.follow_ups}) == len(text.follow_ups)
    assert len(english.follow_ups) == len(chinese.follow_ups), "a follow-up lacks its translation"
    assert english.sixty_seconds.count("$$") == chinese.sixty_seconds.count("$$"), (
        "a displayed formula is missing"
    )


@pytest.mark.parametrize("q", [q for q in QUESTIONS if not q.built], ids=lambda q: q.stem[:3])
@language
def test_what_is_not_built_has_its_question_and_what_is_coming(q: Question, language: str) -> None:
    text = interview(q, language)
    assert text.asked and text.coming and not text.built
    assert text.sixty_seconds == "" and text.follow_ups == () and text.rubric == ()


@pytest.mark.parametrize("q", QUESTIONS, ids=lambda q: q.stem[:3])
def test_judgements_are_the_same_in_both_languages(q: Question) -> None:
    english, chinese = interview(q, "en"), interview(q.number, "zh")
    assert english.difficulty == chinese.difficulty and english.difficulty in (1, 2, 3)
    assert english.minutes == chinese.minutes and 0 < english.minutes.answer <= 30
    assert english.frequency in ("often", "sometimes", "rarely")
    assert re.fullmatch(r"[\u4e00-\u9fff]+", chinese.frequency)
    assert english.title == q.title and chinese.title == q.title_zh


def untranslated(text: str) -> str | None:
    """A run of English words in a Chinese text that is no name, citation or code; None where there is none."""
    text = re.sub(r"`[^`]+`|\$\$?[^$]+\$\$?", "，", text)
    for run in re.findall(r"[A-Za-z][A-Za-z0-9 ,.'’&-]*", text):
        words = [word for word in run.split() if re.fullmatch(r"[a-z][a-z'’-]+[,.]?", word)]
        if (
            len(
                [
                    word
                    for word in words
                    if word not in ("et", "al", "al.", "softmax", "dropout", "case")
                ]
            )
            > 3
        ):
            return run
    return None


@pytest.mark.parametrize("q", QUESTIONS, ids=lambda q: q.stem[:3])
def test_chinese_texts_are_chinese(q: Question) -> None:
    for text in everything(interview(q, "zh")):
        assert untranslated(text) is None
        han = len(re.findall(r"[\u4e00-\u9fff]", text))
        latin = len(re.findall(r"[A-Za-z-]+", re.sub(r"`[^`]+`|\$\$?[^$]+\$\$?", " ", text)))
        assert han >= (2 * latin if len(text) > 40 else latin), (
            f"half of this is not Chinese: {text}"
        )
    for text in everything(interview(q, "en")):
        assert not re.search(r"[\u4e00-\u9fff]", text)


def test_an_english_sentence_in_a_chinese_text_is_found() -> None:
    assert untranslated("先召回，then rank the rest by the logit and stop。")
    assert (
        untranslated("SGL 和 SimGCL 用 softmax（Rendle et al. 2020），再看 `from_logits=True`。")
        is None
    )


def test_lengths_are_counted_as_they_are_spoken() -> None:
    assert spoken("one $x + y = z$ three", "en") == 3
    assert spoken("one\n\n$$x + y$$\n\ntwo", "en") == 2
    assert spoken("用 EASE 求解，λ 不算。", "zh") == 6


# --- The reader -----------------------------------------------------------------------------------

SOURCE = """difficulty: 2
minutes: 5 to answer, 25 to code
frequency: often

# asked
A question.

# tested
This.

# sixty seconds
One.
Two $x$.

- a
  b

# follow-ups
## Why?
Because.
# rubric
## fails
a
## weak
b
## fair
c
## strong
d
# sentence
"Said."
"""


def read(source: str, q: Question = BUILT[0], language: str = "en") -> Interview:
    return parse(q, language, source, "q.md", facts(source, "q.md"))


def test_a_text_is_read() -> None:
    text = read(SOURCE)
    assert text.sixty_seconds == "One. Two $x$.\n\n- a b"
    assert text.follow_ups == (("Why?", "Because."),)
    assert text.minutes == (5, 25) and text.difficulty == 2 and text.frequency == "often"
    assert text.sentence == '"Said."'


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            "difficulty: 2",
            "difficulty: 7",
            r"q.md, line 1: difficulty cannot be '7'; it looks like '2'",
        ),
        ("difficulty: 2\n", "", r"q.md, line 1: difficulty is missing"),
        (
            "frequency: often",
            "frequency: often\nfrequency: rarely",
            r"q.md, line 4: expected difficulty, .* each once",
        ),
        (
            "frequency: often",
            "fashion: often",
            r"q.md, line 3: expected difficulty, minutes, frequency",
        ),
        ("25 to code", "an hour to code", r"q.md, line 2: minutes cannot be"),
        ("# tested\nThis.\n", "", r"q.md, line 9: expected 'tested', got the part 'sixty seconds'"),
        ("# tested", "# Tested", r"q.md, line 8: expected 'tested', got the part 'Tested'"),
        ("This.", "", r"q.md, line 8: nothing stands under 'tested'"),
        ('# sentence\n"Said."\n', "", r"q.md, line 29: the part 'sentence' is missing"),
        (
            '"Said."',
            '"Said."\n# more\nx',
            r"q.md, line 32: expected nothing more, got the part 'more'",
        ),
        ("## Why?\n", "", r"q.md, line 19: expected a heading `## …` first, got 'Because.'"),
        ("## Why?\nBecause.\n", "", r"q.md, line 18: nothing stands under 'follow-ups'"),
        (
            "## weak\nb\n",
            "",
            r"q.md, line 24: the rubric has the levels fails, weak, fair, strong; got 'fair'",
        ),
        (
            "## strong\nd\n",
            "",
            r"q.md, line 21: the rubric has .* got nothing where strong was expected",
        ),
        ("Two $x$.", "Two $x.", r"q.md, line 11: a dollar without its partner"),
    ],
)
def test_a_bad_text_is_named_by_file_and_line(old: str, new: str, said: str) -> None:
    assert SOURCE.count(old) == 1
    with pytest.raises(TextError, match=said):
        read(SOURCE.replace(old, new))


def test_a_missing_file_or_language_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="language is 'fr'; it can be en or zh"):
        interview(5, "fr")
    with pytest.raises(ValueError, match="there is no question 25"):
        interview(25)
    nowhere = Question(5, "q05_elsewhere", "t", "t", "t")
    monkeypatch.setattr("keras_recs.interview.texts.question", lambda number: nowhere)
    importlib.import_module("keras_recs.interview.texts")._load.cache_clear()
    with pytest.raises(TextError, match="q05_elsewhere.en.md: the file is missing"):
        interview(5)


def test_every_text_belongs_to_a_question() -> None:
    assert {file.name for file in TEXTS.iterdir()} == {
        f"{q.stem}.{each}.md" for q in QUESTIONS for each in LANGUAGES
    }


# --- As plain text --------------------------------------------------------------------------------


def shown_formulas(text: str) -> list[str]:
    """The formulas of a text as they are shown; of several side by side, each."""
    return [
        one
        for shown, inner in re.findall(r"\$\$([^$]+)\$\$|\$([^$]+)\$", text)
        for one in (re.split(" {3,}", plain(shown)) if shown else [plain(inner)])
    ]


@pytest.mark.parametrize("q", QUESTIONS, ids=lambda q: q.stem[:3])
@language
def test_formulas_are_readable_fit_and_are_never_broken(q: Question, language: str) -> None:
    for text in everything(interview(q, language)):
        formulas = shown_formulas(text)
        assert all(cell_len(formula) <= 56 for formula in formulas), (
            "too wide for a screen of 60 columns"
        )
        for width in (60, 61, 67, 80, 120):
            out = render(text, width).plain
            assert not re.search(r"[$\\]|\*\*", out)
            lines = out.split("\n")
            assert max(map(cell_len, lines)) <= width
            for formula in formulas:
                assert any(formula in line for line in lines), (
                    f"{formula!r} is broken at {width} columns"
                )


def random_formula(rng: random.Random, depth: int = 3) -> str:
    """A formula of what the texts use, nested."""
    letter = rng.choice(["x", "y", r"\alpha", r"\hat r", "Q", r"\lambda", "1", "10"])
    if depth == 0:
        return letter
    a, b = (random_formula(rng, depth - 1) for _ in range(2))
    return rng.choice(
        [
            f"{letter}_{{{a}}}",
            f"{letter}^{{{b}}}",
            rf"\frac{{{a}}}{{{b}}}",
            f"{a} + {b}",
            rf"\log {a}",
            rf"\sum_{{i \in N(u)}} {a}",
            rf"({a})^\top {b}",
            rf"{a} \propto {b}",
            rf"{a},\quad {b}",
        ]
    )


def test_no_formula_leaves_latex_behind() -> None:
    rng = random.Random(0)
    for _ in range(500):
        formula = random_formula(rng)
        shown = render(f"a ${formula}$ b", 10_000).plain
        assert not re.search(r"[$\\]|frac|sum|quad|hat", shown), formula
        assert shown.startswith("a ") and shown.endswith(" b")


# --- Notebooks ------------------------------------------------------------------------------------


@pytest.fixture
def feeder(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(TOOLS))
    return importlib.import_module("feed")


@built
def test_notebooks_hold_the_texts(q: Question, feeder: ModuleType) -> None:
    path = NOTEBOOKS / f"{q.stem}.ipynb"
    for place in filter(Path.exists, (path, feeder.chinese_of(path))):
        notebook = nbformat.read(place, 4)
        assert feeder.feed(notebook, q.stem, feeder.language_of(place))[1] == []
        assert [
            each.metadata["keras_recs"] for each in notebook.cells if "keras_recs" in each.metadata
        ] == list(KINDS)


@built
def test_every_figure_of_the_chinese_texts_is_printed(q: Question, feeder: ModuleType) -> None:
    """In the place of the English ones, which are checked with the notebooks: not every page has a
    Chinese edition."""
    tool = importlib.import_module("figures")
    english = nbformat.read(NOTEBOOKS / f"{q.stem}.ipynb", 4)
    chinese = feeder.feed(english, q.stem, "zh")[0]
    assert tool.check(chinese, q.stem) == []


def test_a_planted_figure_of_a_chinese_text_is_found(feeder: ModuleType) -> None:
    tool, stem = importlib.import_module("figures"), question(12).stem
    notebook = feeder.feed(nbformat.read(NOTEBOOKS / f"{stem}.ipynb", 4), stem, "zh")[0]
    (spoken_cell,) = (
        each for each in notebook.cells if each.metadata.get("keras_recs") == "sixty-seconds"
    )
    assert "0.201" in spoken_cell.source
    spoken_cell.source = spoken_cell.source.replace("0.201", "0.917")
    (fault,) = tool.check(notebook, stem)
    assert "0.917" in fault


def book(*kinds: str) -> Any:
    """A notebook of question 5 with cells of these kinds, empty, and one that computes."""
    cells = [nbformat.v4.new_markdown_cell("old", metadata={"keras_recs": kind}) for kind in kinds]
    return nbformat.v4.new_notebook(cells=[*cells, nbformat.v4.new_code_cell("print(1)")])


def test_stale_cells_are_found_and_written_anew(feeder: ModuleType) -> None:
    stem = question(5).stem
    stale = book(*KINDS)
    fed, differences = feeder.feed(stale, stem)
    assert (
        len(differences) == 4
        and "cell 2 `old`: not what keras_recs/interview/texts" in differences[1]
    )
    assert stale.cells[0].source == "old", "the notebook that was given is left as it is"
    assert [each.source for each in fed.cells[:4]] == [cell(question(5), kind) for kind in KINDS]
    assert feeder.feed(fed, stem)[1] == []
    assert fed.cells[4].source == "print(1)"


@pytest.mark.parametrize(
    ("stem", "kinds", "said"),
    [
        (
            "q05_matrix_factorization",
            KINDS[:3],
            "should be question, sixty-seconds, follow-ups, rubric, one each",
        ),
        ("q05_matrix_factorization", (*KINDS, "rubric"), "one each"),
        (
            "q05_matrix_factorization",
            (*KINDS[:3], "verdict"),
            "marked 'verdict'; only Markdown cells",
        ),
        ("q05_matrix_factorization", (), "the cells marked none should be"),
        (
            "cinema",
            ("question",),
            "marked 'question'; only Markdown cells in the notebook of a built question",
        ),
    ],
)
def test_wrong_marks_are_found(
    feeder: ModuleType, stem: str, kinds: tuple[str, ...], said: str
) -> None:
    fed, differences = feeder.feed(book(*kinds), stem)
    assert any(said in line for line in differences)
    assert any(said in line for line in feeder.feed(fed, stem)[1]), "feeding cannot mend it"


def test_other_notebooks_need_no_marks(feeder: ModuleType) -> None:
    assert feeder.feed(book(), "cinema")[1] == []


def test_cells_can_be_fed_without_running_anything(feeder: ModuleType, tmp_path: Path) -> None:
    file = tmp_path / f"{question(5).stem}.ipynb"
    nbformat.write(book(*KINDS), file)
    feeder.main(tmp_path)
    fed = nbformat.read(file, 4)
    assert feeder.feed(fed, question(5).stem)[1] == [] and fed.cells[4].execution_count is None


def test_the_notebook_command_checks_and_updates(
    feeder: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    execute = importlib.import_module("execute")
    folder = tmp_path / "notebooks"
    folder.mkdir()
    file = folder / f"{question(5).stem}.ipynb"
    nbformat.write(book(*KINDS), file)
    assert execute.main(["--update"], folder=folder) == 0
    assert nbformat.read(file, 4).cells[1].source == cell(question(5), "sixty-seconds")
    assert execute.main([], folder=folder) == 0
    capsys.readouterr()
    file.write_text(
        file.read_text(encoding="utf8").replace("60-second answer", "60-minute answer"),
        encoding="utf8",
    )
    assert execute.main([], folder=folder) == 1
    assert (
        "cell 2 `## The 60-minute answer`: not what keras_recs/interview/texts"
        in capsys.readouterr().out
    )


@built
def test_folded_questions_are_plain_html(q: Question) -> None:
    for each in LANGUAGES:
        for follow_up in interview(q, each).follow_ups:
            assert not re.search(r"[$`*]", follow_up.question), "a summary shows no Markdown"
    source = cell(q, "follow-ups")
    assert (
        source.count("<details>") == source.count("</details>") == 2 * len(interview(q).follow_ups)
    )
    assert all(
        not re.search("[<>]", asked)
        for asked in re.findall(r"<summary><b>(.*)</b></summary>", source)
    )


# --- What is remembered ---------------------------------------------------------------------------


def test_what_went_badly_comes_back_sooner(tmp_path: Path) -> None:
    memory = Memory(tmp_path / FILE)
    dues = [memory.grade(f"q0{i}", level, NOW) for i, level in enumerate(LEVELS)]
    assert dues == sorted(dues) and len(set(dues)) == 4
    assert dues[0] - NOW < timedelta(hours=1) < timedelta(days=1) < dues[3] - NOW
    assert memory.first_due([f"q0{i}" for i in range(4)]) == ("q00", dues[0])


def test_a_second_good_grade_lasts_longer_than_the_first(tmp_path: Path) -> None:
    memory = Memory(tmp_path / FILE)
    first = memory.grade("q05", "strong", NOW)
    second = memory.grade("q05", "strong", first)
    assert second - first > first - NOW
    assert memory.graded["q05"].reviews == 2


def test_grades_are_kept_at_once_and_by_two_sessions(tmp_path: Path) -> None:
    one, two = Memory(tmp_path / FILE), Memory(tmp_path / FILE)
    one.grade("q05", "fair", NOW, seconds=12.34)
    two.grade("q07", "fails", NOW)
    again = Memory(tmp_path / FILE)
    assert set(again.graded) == {"q05", "q07"}, "the second session wrote over the first"
    assert again.graded["q05"].seconds == 12.3 and again.graded["q05"].level == "fair"
    assert sorted(file.name for file in tmp_path.iterdir()) == [".ask.json.lock", FILE], (
        "no part is left"
    )


@pytest.mark.parametrize(
    "damage",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"[]",
        b"null",
        b'{"cards": []}',
        b'{"cards": {"q05": {}}}',
        b'{"cards": {"q05": 3}}',
        b'{"cards": {"q05": {"level": "good", "reviews": 1, "seconds": 1, "card": {}}}}',
    ],
)
def test_a_damaged_file_is_set_aside(tmp_path: Path, damage: bytes, run: Any) -> None:
    (tmp_path / FILE).write_bytes(damage)
    code, out, err = run("ask", "--all", "--folder", str(tmp_path))
    assert code == 0 and "was set aside as ask.json.damaged" in err and "new" in out
    assert (tmp_path / f"{FILE}.damaged").read_bytes() == damage
    (tmp_path / FILE).write_bytes(damage)
    assert Memory(tmp_path / FILE).aside == tmp_path / f"{FILE}.damaged2", (
        "what was set aside before is kept"
    )


def test_dates_without_a_zone_are_damage(tmp_path: Path) -> None:
    memory = Memory(tmp_path / FILE)
    memory.grade("q05", "fair", NOW)
    text = memory.file.read_text()
    memory.file.write_text(re.sub(r'("due": "[^"]*?)\+00:00', r"\1", text))
    assert Memory(tmp_path / FILE).aside is not None


def test_keys_follow_the_words_and_not_the_place() -> None:
    every = [key for q in BUILT for key in keys(q)]
    assert len(set(every)) == len(every)
    assert keys(question(5))[0] == "q05" and len(keys(question(5))) == 1 + len(
        interview(5).follow_ups
    )


def test_the_practice_folder_is_found_from_below(tmp_path: Path) -> None:
    assert find_folder(tmp_path) == tmp_path / "practice"
    practice = tmp_path / "practice"
    (practice / "deep" / "er").mkdir(parents=True)
    assert find_folder(practice / "deep") == practice / "deep" / "practice", (
        "an empty folder is nobody's"
    )
    (practice / "q05_matrix_factorization.py").touch()
    assert (
        find_folder(practice / "deep" / "er")
        == find_folder(practice)
        == find_folder(tmp_path)
        == practice
    )


def test_what_is_due_comes_first_then_what_is_new(tmp_path: Path) -> None:
    memory = Memory(tmp_path / FILE)
    first = choose(memory, set())
    assert first is not None and first.built, "nothing was graded: any question may come"
    now = datetime.now(UTC)
    memory.grade("q07", "fails", now - timedelta(days=2))
    memory.grade("q05", "fails", now - timedelta(days=1))
    memory.grade("q08", "strong", now)
    assert choose(memory, set()) == question(7)
    assert choose(memory, {7}) == question(5)
    third = choose(memory, {7, 5})
    assert third is not None and third.number not in (5, 7, 8), (
        "what is due later waits for what is new"
    )
    for q in BUILT:
        memory.grade(q.stem[:3], "strong", now)
    assert choose(memory, set()) is not None and choose(memory, {5}) is None
    memory.grade(keys(question(10))[3], "fails", now - timedelta(hours=1))
    assert choose(memory, set()) == question(10), (
        "a follow-up that went badly brings its question back"
    )


def test_times_until_then_are_words() -> None:
    spans = [
        timedelta(seconds=20),
        timedelta(minutes=6),
        timedelta(hours=3),
        timedelta(days=1),
        timedelta(days=8),
    ]
    assert [when(span, "en") for span in spans] == [
        "at once",
        "in 6 min",
        "in 3 h",
        "in a day",
        "in 8 days",
    ]
    assert [when(span, "zh") for span in spans] == [
        "马上",
        "6 分钟后",
        "3 小时后",
        "1 天后",
        "8 天后",
    ]


def test_both_languages_have_the_same_words() -> None:
    assert WORDS["en"].keys() == WORDS["zh"].keys()
    for key, english in WORDS["en"].items():
        assert sorted(re.findall(r"\{\w+\}", english)) == sorted(
            re.findall(r"\{\w+\}", WORDS["zh"][key])
        ), key


# --- The command ask ------------------------------------------------------------------------------


@pytest.fixture
def ask(run: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """Run `keras-recs ask` with these lines typed: (exit code, stdout, stderr)."""

    def ask(typed: str, *arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "stdin", io.StringIO(typed))
        return run("ask", *arguments, "--folder", str(tmp_path))

    return ask


def test_a_whole_interview(ask: Any, tmp_path: Path) -> None:
    follow_ups = interview(5).follow_ups
    code, out, err = ask("\n3\n" + "\n4\n" * len(follow_ups), "5")
    assert code == 0 and err == ""
    places = [
        out.index(words)
        for words in (
            "Question 5 · Write matrix factorisation",
            "Here are some star ratings",
            "press Enter",
            "You took 0:00",
            "The 60-second answer",
            "r̂_ui = μ + b_u + c_i + p_uᵀ q_i",
            "How an interviewer grades it",
            "1. fails: ",
            "4. strong: ",
            "A strong candidate would say",
            "Graded fair; due again in 10 min",
            "Follow-up 1 of",
            follow_ups[0].question,
            "A good answer",
            "Graded strong; due again in 8 days",
            follow_ups[-1].question,
        )
    ]
    assert places == sorted(places), "parts of the interview are out of order"
    assert f"Done: {1 + len(follow_ups)} grades, kept in" in out
    assert set(Memory(tmp_path / FILE).graded) == set(keys(question(5)))


@pytest.mark.parametrize(
    ("typed", "graded"),
    [
        ("", 0),
        ("\n", 0),
        ("\n3", 1),
        ("\n3\n\n2\n", 2),
        ("q\n", 0),
        ("\nq\n", 0),
        ("\n3\nq\n", 1),
        ("\n7\nx\n\n3\nq\n", 1),
    ],
)
def test_the_end_of_the_input_keeps_what_was_graded(
    ask: Any, tmp_path: Path, typed: str, graded: int
) -> None:
    code, out, err = ask(typed, "5")
    assert code == 0 and err == ""
    assert "Stopped here" in out and ("Nothing was graded" in out) == (graded == 0)
    assert len(Memory(tmp_path / FILE).graded) == graded


def test_it_asks_again_for_what_is_no_grade(ask: Any) -> None:
    assert ask("\n7\nwell\n3\n", "5")[1].count("One of 1, 2, 3, 4, please") == 2


def test_without_a_number_what_is_due_is_asked_and_then_the_next(ask: Any, tmp_path: Path) -> None:
    memory, now = Memory(tmp_path / FILE), datetime.now(UTC)
    for q in BUILT:
        for key in keys(q):
            memory.grade(key, "strong", now)
    memory.grade("q12", "fails", now - timedelta(hours=2))
    memory.grade(keys(question(7))[2], "fails", now - timedelta(hours=1))
    code, out, _ = ask("\n4\n\n4\n\n4\n")
    assert code == 0 and out.index("Question 12") < out.index("Question 7")
    assert out.count("Follow-up") == 1, "a follow-up that is not due is left out"
    assert "Done: 3 grades" in out
    memory.grade("q12", "fails", now - timedelta(hours=2))
    memory.grade("q07", "fails", now - timedelta(hours=1))
    assert "Question 7" not in ask("\n4\n\n4\n", "--once")[1]


def test_it_speaks_chinese(ask: Any) -> None:
    code, out, _ = ask("\n3\n", "5", "--language", "zh")
    assert code == 0
    for words in (
        "第 5 题 · 从零实现矩阵分解推荐",
        "按回车",
        "60 秒回答",
        "评分标准",
        "4. 优秀：",
        "评为合格，下次复习：10 分钟后",
        "追问 1/",
        "1 次评分已保存在",
    ):
        assert words in out
    assert untranslated(out.replace(str(Path.cwd()), "")[: out.index("已保存在")]) is None


def test_what_is_not_built_is_shown_and_nothing_is_asked(ask: Any) -> None:
    code, out, _ = ask("", "13")
    assert code == 0 and "not built yet" in out and interview(13).coming.split()[0] in out


def test_the_list_has_what_is_due_on_top(ask: Any, tmp_path: Path) -> None:
    memory, now = Memory(tmp_path / FILE), datetime.now(UTC)
    memory.grade("q18", "fails", now - timedelta(days=1))
    memory.grade("q02", "strong", now)
    rows = json.loads(ask("", "--all", "--json")[1])
    assert rows[0]["number"] == 18 and rows[-1]["number"] == 2 and len(rows) == len(BUILT)
    assert (
        rows[0]["level"] == "fails"
        and rows[0]["graded"] == 1
        and rows[0]["of"] == len(keys(question(18)))
    )
    out = ask("", "--all", "--language", "zh")[1]
    assert "到期" in out and "新题" in out and "天后" in out and "不合格" in out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["5", "--json"], "--json needs --all"),
        (["5", "--all"], "leave out 5"),
        (["25"], "'25' is not the number of a question"),
        (["--language", "fr"], "'fr' is not one of"),
    ],
)
def test_arguments_that_make_no_sense(ask: Any, arguments: list[str], said: str) -> None:
    code, out, err = ask("", *arguments)
    assert code == 2 and said in err and out == ""


def started(tmp_path: Path, *arguments: str, **environment: str) -> subprocess.Popen[bytes]:
    code = "from keras_recs.cli import main; main()"
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=tmp_path,
        preexec_fn=practice_kit.interruptible,
        env={**os.environ, "COLUMNS": "60", **environment},
    )


@pytest.mark.parametrize("encoding", ["gbk", "ascii", "cp1252", "utf-8"])
@language
def test_every_console_can_show_it(tmp_path: Path, encoding: str, language: str) -> None:
    with started(
        tmp_path, "ask", "4", "--language", language, PYTHONIOENCODING=encoding
    ) as process:
        out, err = process.communicate(b"\xff\xfe\n3\n\n2\n", timeout=60)
    assert process.returncode == 0 and err == b""
    text = out.decode(encoding)
    assert ("0.922" in text) and ("delta" in text or "δ" in text)
    assert len(json.loads((tmp_path / "practice" / FILE).read_text())["cards"]) == 2


@pytest.mark.skipif(os.name == "nt", reason="signals of another kind")
def test_ctrl_c_ends_politely_and_keeps_what_was_graded(tmp_path: Path) -> None:
    with started(tmp_path, "ask", "5", PYTHONUNBUFFERED="1") as process:
        assert process.stdin and process.stdout
        process.stdin.write(b"\n3\n")
        process.stdin.flush()
        seen = b""
        while b"Follow-up 1" not in seen:
            seen += process.stdout.read1()  # type: ignore[attr-defined]
        time.sleep(0.3)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    assert (
        process.returncode == 130 and b"Stopped here. 1 grade is kept" in seen + out and err == b""
    )


def test_importing_the_texts_and_the_commands_is_light() -> None:
    code = (
        "import sys, keras_recs.interview, keras_recs.interview.commands; "
        "print(sorted({'numpy', 'tensorflow', 'fsrs', 'genanki', 'markdown_it', 'rich'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() == "[]"


# --- Cards ----------------------------------------------------------------------------------------


def notes_of(file: Path) -> list[tuple[str, list[str], str]]:
    """Of each note in an .apkg file: guid, fields, tags."""
    with zipfile.ZipFile(file) as package:
        (file.parent / "collection").write_bytes(package.read("collection.anki2"))
    connection = sqlite3.connect(file.parent / "collection")
    rows = connection.execute("select guid, flds, tags from notes order by id").fetchall()
    decks = json.loads(connection.execute("select decks from col").fetchone()[0])
    assert connection.execute("select count(*) from cards").fetchone()[0] == len(rows)
    connection.close()
    assert any(deck["name"].startswith("keras_recs ") for deck in decks.values())
    return [(guid, fields.split("\x1f"), tags) for guid, fields, tags in rows]


@language
def test_cards_hold_everything(run: Any, tmp_path: Path, language: str) -> None:
    file = tmp_path / "all.apkg"
    code, out, err = run("cards", "--out", str(file), "--language", language)
    assert code == 0 and err == ""
    notes = notes_of(file)
    expected = sum(2 + len(interview(q).follow_ups) for q in BUILT)
    assert len(notes) == expected and str(expected) in out
    assert len({guid for guid, _, _ in notes}) == expected
    text = interview(5, language)
    fronts = {fields[1]: fields for _, fields, tags in notes if "q05_matrix_factorization" in tags}
    assert to_html(text.asked) in fronts and to_html(text.follow_ups[3].question) in fronts
    assert fronts[to_html(text.asked)][2] == to_html(text.sixty_seconds)
    assert r"\[\hat r_{ui} = \mu + b_u + c_i + p_u^\top q_i\]" in fronts[to_html(text.asked)][2]
    rubric = fronts[WORDS[language]["front rubric"]][2]
    assert rubric.count("<tr>") == 4 and WORDS[language]["strong"] in rubric
    for _, fields, _ in notes:
        assert not re.search(r"\$|\*\*|`|\ue000", "".join(fields)), (
            "Markdown or a formula was left as it is"
        )


def test_an_import_of_a_later_export_updates(
    run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, after = tmp_path / "before.apkg", tmp_path / "after.apkg"
    run("cards", "5", "7", "5", "--out", str(before))
    longer = interview(5)
    monkeypatch.setattr(
        "keras_recs.interview.cards.interview",
        lambda q, language: longer if q.number == 5 else interview(q, language),
    )
    object.__setattr__(longer, "sixty_seconds", longer.sixty_seconds + " More.")
    try:
        run("cards", "5", "7", "--out", str(after))
    finally:
        importlib.import_module("keras_recs.interview.texts")._load.cache_clear()
    old, new = notes_of(before), notes_of(after)
    assert [guid for guid, _, _ in old] == [guid for guid, _, _ in new]
    assert [a == b for (_, a, _), (_, b, _) in zip(old, new, strict=True)].count(False) == 1
    run("cards", "5", "--out", str(after), "--language", "zh")
    chinese = notes_of(after)
    assert not {guid for guid, _, _ in chinese} & {guid for guid, _, _ in old}, (
        "one language overwrites the other"
    )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["5"], "say which file to write, such as --out cards.apkg"),
        (["--out", "cards.zip"], "Anki reads files that end in .apkg; got cards.zip"),
        (["--out", "no/such/cards.apkg"], "there is no folder"),
        (["13", "--out", "cards.apkg"], "question 13 is not answered yet"),
    ],
)
def test_cards_that_cannot_be_written(run: Any, arguments: list[str], said: str) -> None:
    code, out, err = run("cards", *arguments)
    assert code == 2 and said in err and out == ""


def test_formulas_survive_markdown() -> None:
    assert to_html(r"$a_i * b_i * c_i$ and $x<y$") == r"<p>\(a_i * b_i * c_i\) and \(x&lt;y\)</p>"
    assert to_html("a <b> & c") == "<p>a &lt;b&gt; &amp; c</p>"
