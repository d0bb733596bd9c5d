"""Stubs, defects, the check, and the commands around them.

That every planted defect is rejected by the test that it names is checked where those tests are:
see `pytest_generate_tests` in conftest.py.
"""

from __future__ import annotations

import ast
import datetime
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent
from types import ModuleType
from typing import Any

import practice_kit
import pytest

from keras_recs.practice import errata, grading, matrix, server
from keras_recs.practice.defects import Defect, defects
from keras_recs.practice.grading import Check, check
from keras_recs.practice.notes import Notes
from keras_recs.practice.screen import Screen
from keras_recs.practice.sources import answer_source
from keras_recs.practice.stubs import functions, hearts, is_to_do, quiet, stub, task_of, unmarked
from keras_recs.questions import QUESTIONS, question
from keras_recs.utils.places import find_folder

BUILT = [q for q in QUESTIONS if q.built]
ROOT = Path(__file__).resolve().parents[1]
by_question = pytest.mark.parametrize("q", BUILT, ids=lambda q: q.stem)


def names_of_tests(stem: str) -> set[str]:
    tree = ast.parse((ROOT / "tests" / f"test_{stem}.py").read_text(encoding="utf8"))
    return {
        node.name
        for node in tree.body
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    }


@pytest.fixture(autouse=True)
def empty_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Commands write into the current folder."""
    monkeypatch.chdir(tmp_path)


# --- the lists ------------------------------------------------------------------------------------


@by_question
def test_there_are_defects_of_both_kinds_with_names_of_their_own(q) -> None:
    found = defects(q)
    assert sum(d.plantable for d in found) >= 8
    assert sum(d.plantable and not d.published for d in found) >= 4 and any(
        d.published for d in found
    )
    assert len({d.name for d in found}) == len({d.title for d in found}) == len(found)
    assert {d.test_function for d in found} <= names_of_tests(q.stem), (
        "a defect names a test that is not there"
    )


@by_question
def test_every_defect_can_be_planted_and_survives_import(q, monkeypatch) -> None:
    source = answer_source(q)
    for d in (d for d in defects(q) if d.plantable):
        planted = d.plant(source)
        assert planted != source
        module = ModuleType(f"planted_{d.name.replace('-', '_')}")
        monkeypatch.setitem(sys.modules, module.__name__, module)  # dataclasses look it up
        exec(compile(planted, d.name, "exec"), module.__dict__)


@by_question
def test_each_test_says_its_behaviour_in_one_line(q) -> None:
    tree = ast.parse((ROOT / "tests" / f"test_{q.stem}.py").read_text(encoding="utf8"))
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            says = ast.get_docstring(node) or ""
            assert says.endswith(".") and "\n" not in says, node.name


def test_a_defect_that_no_longer_fits_says_so() -> None:
    with pytest.raises(ValueError, match="defect 'climbs' no longer fits the source"):
        defects(question(5))[0].plant("x = 1")
    with pytest.raises(ValueError, match="q24_gan has no list of defects"):
        defects(question(24))


def test_the_ledger_of_errata_is_up_to_date() -> None:
    assert (ROOT / "ERRATA.md").read_text(encoding="utf8") == errata.errata(), (
        "make errata writes it"
    )


# --- stubs ----------------------------------------------------------------------------------------


@by_question
def test_a_stub_is_the_answer_without_its_heart(q) -> None:
    source = answer_source(q)
    text = stub(source)
    marked = hearts(source)
    assert marked and text.count("raise NotImplementedError(") == len(marked)
    assert "@heart" not in text and "import heart" not in text, (
        "the mark itself is no business of the reader"
    )
    for node in marked:
        assert f'raise NotImplementedError("{task_of(node)}")' in text
        assert (
            f"def {node.name}(" in text
            and (ast.get_docstring(node) or "").partition("\n")[0] in text
        )
    comments = [
        line.strip() for line in unmarked(source).splitlines() if line.strip().startswith("#")
    ]
    lost = {line for line in comments if line not in text}
    inside = "\n".join(ast.get_source_segment(source, node) or "" for node in marked)
    assert all(line in inside for line in lost), "comments outside of the hearts stay"


@by_question
def test_every_stub_is_to_do_and_nothing_in_it_has_failed(q, tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(stub(answer_source(q)), encoding="utf8")
    found = check(q, file)
    assert len(found.behaviours) >= 8 and not found.passed and found.stopped is None
    assert [part.state for part in found.parts] == [grading.TO_DO] * len(hearts(answer_source(q)))
    assert found.next == found.parts[0]
    assert not [b for b in found.behaviours if b.state == grading.FAILS]
    assert not [b for b in found.behaviours if b.holds and b.heart is not None]


def test_stubs_and_marks_do_not_depend_on_layout() -> None:
    source = dedent('''
        from keras_recs.core.heart import heart


        @heart(
            "Say 'a' and \\"b\\".",
        )
        @staticmethod  # é
        def one(a: dict[str, int], b=lambda x: x) -> "dict[str, int]":  # a comment
            # what to do
            @cache
            def inner(): return a
            return inner()


        @heart("Add.")
        def two(a, b): return a + b


        class C:
            @heart("Multiply.")
            def three(self,
                      a):
                """Doc."""
                return (a
                        * 2)  # twice
        ''')
    text = stub(source)
    tree = {name: node for name, node in functions(text).items()}
    assert list(tree) == ["one", "two", "C.three"] and all(is_to_do(node) for node in tree.values())
    tasks = [node.body[-1].exc.args[0].value for node in tree.values()]  # type: ignore[attr-defined]
    assert tasks == ["Say 'a' and \"b\".", "Add.", "Multiply."]
    assert (
        "heart" not in text
        and "@staticmethod" in text
        and "inner" not in text
        and "twice" not in text
    )
    whole = unmarked(source)
    assert "heart" not in whole and "# what to do" in whole
    assert (
        "# what to do" not in quiet(source)
        and "Doc." not in quiet(source)
        and "inner()" in quiet(source)
    )


def test_what_is_left_to_do_is_read_from_the_syntax_tree() -> None:
    def unwritten(body: str) -> bool:
        return is_to_do(functions(f"def f(x):\n    {body}\n")["f"])

    assert unwritten("raise NotImplementedError") and unwritten(
        "'''Doc.'''; raise NotImplementedError(1)"
    )
    assert (
        unwritten("y = 1; raise NotImplementedError('half written')")
        and unwritten("pass")
        and unwritten("...")
    )
    assert not unwritten("return x; raise NotImplementedError") and not unwritten(
        "raise ValueError"
    )
    assert not unwritten("return [n for n in x]")


# --- the check ------------------------------------------------------------------------------------


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Check]:
    """Checks a text as the exercise of question 5, with the tests of practice_kit or others."""

    def small(source: str, tests: str = practice_kit.TESTS, **options: Any) -> Check:
        monkeypatch.setenv(
            "KERAS_RECS_TESTS", str(practice_kit.folder_of_tests(tmp_path / "tests", tests))
        )
        file = tmp_path / "mine.py"
        file.write_text(source, encoding="utf8")
        return check(question(5), file, **options)

    return small


def states(found: Check) -> list[str]:
    return [part.state for part in found.parts]


def test_behaviours_belong_to_the_last_function_that_they_need(small) -> None:
    found = small(practice_kit.written("predict", loss="return 0.0"))
    assert states(found) == ["holds", "fails", "to do", "to do"]
    assert [(b.test, b.state, b.heart) for b in found.behaviours] == [
        ("test_a_negative_price_is_refused", "holds", None),
        ("test_prediction", "holds", "predict"),
        ("test_loss", "fails", "loss"),
        ("test_gradient", "to do", "gradient"),
        ("test_descend", "to do", "descend"),
    ]
    assert found.next is not None and found.next.name == "loss"
    assert found.next.line == next(
        i for i, line in enumerate(found.source.splitlines(), 1) if "def loss" in line
    )


def test_a_failure_comes_with_reason_values_mistake_place_and_what_was_printed(small) -> None:
    found = small(
        practice_kit.written(
            predict="print('users', users)\nreturn mean + theta.user_bias[users] + theta.item_bias[items]",
            gradient="return theta.nonsense",
            descend="print(1)\nexit(3)",
        )
    )
    seen = {b.test: b for b in found.behaviours}
    wrong = seen["test_prediction"]
    assert wrong.problem == grading.Problem(
        "a prediction is the mean, the two biases and the affinity",
        "[3.75, 2.25]",
        "[4.25, 3.75]; they differ first at [0]: 3.75, expected 4.25",
        "the affinity is missing",
        None,
        None,
    )
    assert wrong.printed == "users [0 1]\n"
    line = next(
        i for i, text in enumerate(found.source.splitlines(), 1) if "theta.nonsense" in text
    )
    broken = seen["test_gradient"].problem
    assert (
        broken.why == "AttributeError: 'Parameters' object has no attribute 'nonsense'"
        and broken.line == line
    )
    assert seen["test_descend"].state == "fails", "who exits has not passed"


def test_a_function_is_not_blamed_for_another_that_it_needs(small) -> None:
    found = small(practice_kit.written("loss", "gradient", "descend", predict="return 0 * users"))
    assert states(found) == ["fails", "waits", "holds", "holds"]


def test_a_right_answer_written_in_another_way_passes(small) -> None:
    found = small(
        practice_kit.written(
            "predict",
            "descend",
            loss="""e = ratings - predict(theta, mean, users, items)
total = 0.0
for n, (u, i) in enumerate(zip(users, items)):
    total += e[n] ** 2 / 2 + reg / 2 * (theta.user_bias[u] ** 2 + theta.item_bias[i] ** 2
        + theta.user_factors[u] @ theta.user_factors[u] + theta.item_factors[i] @ theta.item_factors[i])
return total""",
            gradient="""out = Parameters(*(np.zeros_like(x) for x in vars(theta).values()))
np.add.at(out.user_bias, users, reg * theta.user_bias[users] - errors)
return out""",
        )
    )
    assert found.passed and states(found) == ["holds"] * 4 and found.holds == 5


@pytest.mark.parametrize(
    ("source", "why", "line"),
    [
        ("x = (\n", "SyntaxError: '(' was never closed", 1),
        (
            "def f():\n    return 1\n  x\n",
            "IndentationError: unindent does not match any outer indentation level",
            3,
        ),
        (
            "import numpy\nimport nonsense_not_there\n",
            "ModuleNotFoundError: No module named 'nonsense_not_there'",
            2,
        ),
        ("def f():\n    return 1 / 0\nf()\n", "ZeroDivisionError: division by zero", 2),
    ],
)
def test_a_file_that_cannot_be_run_is_said_once_with_its_line(
    small, source: str, why: str, line: int
) -> None:
    found = small(source)
    assert found.broken is not None and (found.broken.why, found.broken.line) == (why, line)
    assert (
        not found.passed
        and found.holds == 0
        and not [b for b in found.behaviours if b.state == "fails"]
    )
    screen = Screen(width=100, colour=False)
    screen.header(found)
    screen.step(found)
    assert screen.text().count(why) == 1 and f"mine.py:{line}" in screen.text()


def test_a_name_that_is_missing_is_said(small) -> None:
    found = small(
        practice_kit.written(*practice_kit.HEARTS).replace("def predict(", "def foresee(")
    )
    (why,) = {b.problem.why for b in found.behaviours if b.test == "test_prediction"}
    assert why == "your file has no 'predict', which the tests call"


@pytest.mark.parametrize(
    "source",
    [
        "from keras_recs.answers.q05_matrix_factorization import *\n",
        "from keras_recs.answers import q05_matrix_factorization as other\npredict = other.predict\n",
        "def predict():\n    import keras_recs.answers.q05_matrix_factorization\n",
        "from keras_recs import BiasedMF\n",
        "import keras_recs\nBiasedMF = keras_recs.BiasedMF\n",
        "import importlib\nq = importlib.import_module('keras_recs.answers.q05_matrix_factorization')\n"
        "class A(q.BiasedMF): 1\n",
    ],
)
def test_the_librarys_own_answer_is_refused(small, source: str) -> None:
    found = small(source)
    assert (
        found.broken is not None and "library's own answer" in found.broken.why and not found.passed
    )
    assert "what you have written yourself" in found.broken.why and found.holds == 0


def test_what_is_skipped_or_missing_does_not_count(small) -> None:
    whole = practice_kit.written(*practice_kit.HEARTS)
    first = "    errors = ratings - predict"  # of the loss
    found = small(whole.replace(first, f"    import pytest; pytest.skip('no')\n{first}"))
    assert (
        found.holds == 4
        and not found.passed
        and [b.state for b in found.behaviours if not b.holds] == ["skipped"]
    )
    found = small(whole + "\nimport os; os._exit(0)\n")
    assert found.holds == 0 and not found.passed and "exit code 0" in found.stopped
    found = small(whole + "\nimport sys; sys.exit(0)\n")
    assert found.holds == 0 and not found.passed
    found = small(whole.replace(first, f"    import os; os.kill(os.getpid(), 11)\n{first}"))
    assert "signal 11" in found.stopped and not found.passed and 0 < found.holds < 5


def test_an_endless_loop_is_stopped_and_named(small) -> None:
    found = small("while True: pass", seconds=8)
    assert found.timed_out and found.stopped == (
        "Stopped after 8 s, the time limit, while your file was read. Is there an endless loop?"
    )
    found = small(practice_kit.written(predict="while True: pass"), seconds=8)
    assert "while this was looked for: A prediction is the sum" in found.stopped, (
        "the file itself was read"
    )
    assert found.next.name == "predict", "and not the next one to be written"
    screen = Screen(width=200)
    screen.step(found)
    assert "loss" not in screen.text() and f":{found.next.line}" in screen.text()
    found = small(
        practice_kit.written("predict", "gradient", "descend", loss="while True: pass"), seconds=8
    )
    assert "while this was looked for: The loss counts what has ratings. Is there" in found.stopped
    assert {b.test: b.state for b in found.behaviours}[
        "test_prediction"
    ] == "holds" and not found.passed


def answer_at(body: str) -> str:
    """A solution whose `predict` has this body."""
    return practice_kit.written("loss", "gradient", "descend", predict=body)


@pytest.mark.parametrize(
    "body",
    [
        "import importlib\n"
        "return importlib.import_module('keras_recs.answers.q05_matrix_factorization').predict(theta)",
        "import keras_recs\nreturn keras_recs.BiasedMF",
        "from keras_recs.questions import question\nreturn question(5).load(question(5).answers[0])",
    ],
)
def test_the_librarys_own_answer_is_not_to_be_had_later_either(small, body: str) -> None:
    found = small(answer_at(body))
    (problem,) = [b.problem for b in found.behaviours if b.test == "test_prediction"]
    assert "library's own answer" in problem.why and problem.line and not found.passed
    assert states(found) == ["fails", "waits", "holds", "holds"]


@pytest.mark.parametrize(
    "trick",
    [
        "expect.equal = lambda *a, **k: None",
        "expect._close = lambda mine, *a: np.full(np.shape(mine), True)",
        "expect.equal.__code__ = (lambda *a, **k: None).__code__",
    ],
)
def test_who_changes_what_judges_has_not_passed(small, trick: str) -> None:
    found = small(
        answer_at("return 0 * users") + f"\nfrom keras_recs.practice import expect\n{trick}\n"
    )
    assert found.holds == 0 and "with which it is judged" in found.behaviours[0].message


def test_records_that_a_file_writes_itself_count_for_nothing(small) -> None:
    ids = [
        f"test_{practice_kit.STEM}.py::{name}[answer{case}]"
        for name, case in (
            ("test_a_negative_price_is_refused", ""),
            ("test_prediction", ""),
            ("test_loss", "-0.0"),
            ("test_loss", "-0.1"),
            ("test_gradient", ""),
            ("test_descend", ""),
        )
    ]
    forged = dedent(f"""
        import json, os
        for i in range(3, 30):
            for test in {ids}:
                record = {{"event": "result", "id": test, "outcome": "passed", "problem": None, "printed": "",
                          "seconds": 0, "reason": "", "called": [], "check": 1}}
                try:
                    os.write(i, b"garbage\\n[]\\n" + json.dumps(record).encode() + b"\\n")
                except OSError:
                    pass
        """)
    found = small(answer_at("return 0 * users") + forged, seconds=60)
    assert states(found) == ["fails", "waits", "holds", "holds"] and not found.stopped, (
        "the lines are passed over"
    )
    found = small(answer_at("return 0 * users") + forged + "os._exit(0)\n", seconds=60)
    assert found.holds == 0 and "exit code 0" in found.stopped


def test_much_that_is_printed_neither_stops_a_check_nor_fills_the_disk(small) -> None:
    found = small(
        practice_kit.written(*practice_kit.HEARTS).replace(
            "def predict(", "print('x' * 5_000_000)\ndef predict("
        ),
        seconds=60,
    )
    assert found.passed and not found.stopped
    found = small(answer_at("print('x' * 5_000_000, 'end')\nreturn 0 * users"), seconds=60)
    assert states(found) == ["fails", "waits", "holds", "holds"] and not found.stopped
    printed = next(b.printed for b in found.behaviours if b.test == "test_prediction")
    assert printed.endswith("xx end\n") and len(printed) <= 20_000
    if server.CAN_FORK:
        found = small(answer_at("while True:\n    print('x' * 1000)"), seconds=60)
        assert not found.timed_out and not found.passed
        assert (
            "print in an endless loop"
            in {b.test: b.message for b in found.behaviours}["test_prediction"]
        )


def test_nobody_answers_a_file_that_asks(small) -> None:
    found = small(answer_at("return 0 * users") + "\nname = input('Name? ')\n")
    assert (
        found.broken is not None
        and found.broken.why.startswith("it waits for input()")
        and found.broken.line
    )
    found = small(answer_at("breakpoint()\nreturn 0 * users"))
    assert {b.test: b.message for b in found.behaviours}["test_prediction"].startswith(
        "a breakpoint is left in it"
    )


def test_what_a_file_starts_ends_with_the_check(small, tmp_path: Path) -> None:
    whole = practice_kit.written(*practice_kit.HEARTS)
    note = tmp_path / "pid"
    found = small(
        whole
        + dedent(f"""
        import subprocess, threading, time
        threading.Thread(target=time.sleep, args=(1000,)).start()
        started = subprocess.Popen(["sleep", "1000"])
        with open({str(note)!r}, "a") as file:
            file.write(f"{{started.pid}}\\n")
        """)
    )
    assert found.passed, "threads that go on are no fault"
    for pid in map(int, note.read_text().split()):
        state = Path(f"/proc/{pid}/stat")
        end = time.monotonic() + 10
        while state.exists() and state.read_text().split()[2] != "Z" and time.monotonic() < end:
            time.sleep(0.05)
        assert not state.exists() or state.read_text().split()[2] == "Z", (
            "a process of the file lives on"
        )


def test_a_mark_at_the_start_of_a_file_is_no_error(small) -> None:
    assert small("\ufeff" + practice_kit.written(*practice_kit.HEARTS)).passed, (
        "some editors write one"
    )


def test_a_repr_that_fails_and_bound_methods_are_no_message(small) -> None:
    tests = practice_kit.TESTS + dedent('''
        @pytest.mark.needs("predict")
        def test_odd(answer):
            """Something odd."""
            assert answer.BiasedMF().fit == 3

        @pytest.mark.needs("predict")
        def test_odder(answer):
            """Something odder."""
            expect.equal(answer.Odd(), 3, "an object is no number")

        @pytest.mark.needs("predict")
        def test_oddest(answer):
            """Something still odder."""
            raise answer.Oddest
        ''')
    source = practice_kit.written(*practice_kit.HEARTS) + dedent("""
        class Odd:
            def __repr__(self): raise ValueError("no repr")
        class Oddest(Exception):
            def __str__(self): raise ValueError("no str")
        """)
    seen = {b.test: b.message for b in small(source, tests).behaviours}
    assert (
        "bound method" not in seen["test_odd"]
        and "0x" not in seen["test_odd"]
        and "fit" in seen["test_odd"]
    )
    assert "its repr raises ValueError" in seen["test_odder"]
    assert seen["test_oddest"] == "Oddest: (its message raises ValueError)"


def test_tests_without_marks_are_the_rest_and_nothing_is_derived(small) -> None:
    tests = "\n".join(line for line in practice_kit.TESTS.splitlines() if "mark.needs" not in line)
    found = small(practice_kit.written("predict"), tests)
    assert {b.test: b.state for b in found.behaviours} == {
        "test_a_negative_price_is_refused": "holds",
        "test_prediction": "holds",
        "test_loss": "to do",
        "test_gradient": "to do",
        "test_descend": "to do",
    }
    assert all(b.heart is None for b in found.behaviours) and found.next.name == "loss"


def test_without_forks_the_verdict_is_the_same(small, monkeypatch) -> None:
    monkeypatch.setenv("KERAS_RECS_FORK", "0")
    found = small(practice_kit.written("predict", loss="return 0.0"))
    assert states(found) == ["holds", "fails", "to do", "to do"] and found.ended
    found = small(practice_kit.written("predict", loss="while True: pass"), seconds=8)
    assert found.timed_out and found.holds >= 1, "what is known by then stays"


# --- the commands ---------------------------------------------------------------------------------


@pytest.fixture
def mine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The exercise of question 5, judged by the tests of practice_kit."""
    monkeypatch.setenv("KERAS_RECS_TESTS", str(practice_kit.folder_of_tests(tmp_path / "tests")))
    file = tmp_path / "practice" / f"{practice_kit.STEM}.py"
    file.parent.mkdir()
    file.write_text(stub(answer_source(question(5))), encoding="utf8")
    return file


def test_practice_never_overwrites_without_being_told(run) -> None:
    code, out, _ = run("practice", "5")
    file = Path("practice/q05_matrix_factorization.py")
    assert code == 0 and file.exists() and "gradient" in out and "keras-recs check 5" in out
    file.write_text("my work")
    code, _, err = run("practice", "5")
    assert code == 1 and "--force overwrites" in err and file.read_text() == "my work"
    assert "`keras-recs check 5` goes on with it" in err
    assert run("practice", "5", "--force")[0] == 0 and "NotImplementedError" in file.read_text()


def test_an_untouched_stub_is_told_where_to_begin_with_a_hint(run, mine: Path, monkeypatch) -> None:
    monkeypatch.setattr(
        "keras_recs.practice.defects.hints", lambda q: {"predict": ["an idea", "a formula"]}
    )
    code, out, _ = run("check", "5", "--hint")
    assert code == 1 and out.startswith(
        "q05   0 of 4 functions done   predict –   loss –   gradient –   descend –"
    )
    assert (
        "begin with predict: Add up the mean" in out and "hint 1 of 2 for predict: an idea" in out
    )
    assert "✗" not in out and "NotImplementedError" not in out and "fail" not in out
    assert "hint 2 of 2 for predict: a formula" in run("check", "5", "--hint")[1]
    assert "hint 2 of 2 for predict: a formula" in run("check", "5", "--hint")[1], (
        "the last hint stays"
    )


def test_check_shows_the_next_step_and_remembers_the_best(run, mine: Path) -> None:
    mine.write_text(practice_kit.written("predict", loss="return 0.0"))
    code, out, _ = run("check", "5")
    assert (
        code == 1
        and "q05   1 of 4 functions done   predict ✓   loss ✗   gradient –   descend –" in out
    )
    assert (
        "loss: the penalty counts parameters that no rating uses" in out
        and "yours 0, expected 0.5" in out
    )
    assert (
        f"{Path('practice', mine.name)}:" in out
        and "2 of 5 behaviours hold, 1 fail, 2 to do" in out
    )
    assert "predict holds: 2 lines (the reference: 2)" in out
    code, out, _ = run("check", "5", "--all", "--reference")
    assert "predict holds" not in out, "it has been said"
    assert all(
        says in out
        for says in ("✓ A prediction is", "✗ The loss counts", "– A step goes", "the rest\n")
    )
    assert (
        "-    return 0.0" in out
        and "+    errors = ratings - predict(theta, mean, users, items)" in out
    )
    mine.write_text(practice_kit.written(*practice_kit.HEARTS))
    code, out, _ = run("check", "5")
    assert code == 0 and "All 5 behaviours hold" in out and "Next: keras-recs practice 6" in out
    mine.write_text(stub(answer_source(question(5))))
    assert run("check", "5")[0] == 1
    (row,) = [row for row in json.loads(run("progress", "--json")[1]) if row["number"] == 5]
    assert (row["holds"], row["of"], row["best"], row["attempts"]) == (1, 5, 5, 3)
    assert row["date"] == datetime.date.today().isoformat() and "5 of 5" in run("progress")[1]


def test_the_follow_up_questions_come_after_success(run, mine: Path, monkeypatch) -> None:
    class Interview:
        follow_ups = [type("FollowUp", (), {"question": "And with implicit feedback?"})]

    module = ModuleType("keras_recs.interview")
    module.interview = lambda q, language: Interview()
    monkeypatch.setitem(sys.modules, "keras_recs.interview", module)
    mine.write_text(practice_kit.written(*practice_kit.HEARTS))
    assert "And with implicit feedback?" in run("check", "5")[1]
    monkeypatch.setitem(sys.modules, "keras_recs.interview", None)  # not there
    code, out, _ = run("check", "5")
    assert code == 0 and "interviewer" not in out


def test_only_the_exercise_counts(run, mine: Path, tmp_path: Path) -> None:
    run("check", "5")
    other = tmp_path / "other.py"
    other.write_text(practice_kit.written(*practice_kit.HEARTS))
    assert run("check", "5", str(other))[0] == 0
    assert run("check", "5", str(ROOT / "keras_recs" / "answers" / mine.name))[0] == 0, (
        "it may be looked at"
    )
    (row,) = [row for row in json.loads(run("progress", "--json")[1]) if row["number"] == 5]
    assert (row["holds"], row["best"], row["attempts"]) == (1, 1, 1)


@pytest.mark.parametrize("columns", [60, 120])
def test_screens_fit_and_pipes_get_no_codes(mine: Path, columns: int) -> None:
    mine.write_text(practice_kit.written("predict", loss="return 0.0"))
    environment = {**os.environ, "COLUMNS": str(columns), "PYTHONPATH": str(ROOT)}
    for encoding in ("utf8", "gbk", "ascii"):
        for arguments in (
            ["check", "5", "--hint", "--all"],
            ["progress"],
            ["check", "5", "--json"],
        ):
            done = subprocess.run(
                [sys.executable, "-m", "keras_recs", *arguments],
                capture_output=True,
                env={**environment, "PYTHONIOENCODING": encoding},
            )
            out = done.stdout.decode(encoding)
            assert done.returncode == (0 if arguments[0] == "progress" else 1), done.stderr.decode()
            assert "\x1b" not in out and b"Traceback" not in done.stderr and out
            if "--json" in arguments:
                assert {b["state"] for b in json.loads(out)} == {"holds", "fails", "to do"}
            else:
                assert max(map(len, out.splitlines())) <= columns
            if arguments == ["check", "5", "--hint", "--all"] and encoding == "utf8":
                assert "loss ✗" in out


def test_a_bug_hunt_plants_is_judged_tells_and_makes_room(run) -> None:
    code, out, _ = run("bughunt", "5", "--defect", "cold-noise")
    file = Path("practice/q05_matrix_factorization_bughunt.py")
    assert code == 0 and "cold-noise" not in out and "cold-noise" not in file.read_text()
    tree = ast.parse(file.read_text())
    assert "#" not in file.read_text() and not any(
        ast.get_docstring(functions(file.read_text())[n]) for n in practice_kit.HEARTS
    )
    assert ast.get_docstring(tree), "what the question is stays"
    code, out, _ = run("check", "5", str(file), "--hint")
    assert (
        code == 1
        and "What moved the vector of a user without ratings?" in out
        and "bug hunt" in out
    )
    assert run("bughunt", "5")[0] == 1, "it may be the reader's work"
    file.write_text(answer_source(question(5)))
    code, out, _ = run("check", "5", str(file))
    assert code == 0 and "Who has no ratings keeps random factors" in out
    (row,) = [row for row in json.loads(run("progress", "--json")[1]) if row["number"] == 5]
    assert row["repaired"] == 1 and row["of"] == 0
    assert run("bughunt", "5", "--docstrings")[0] == 0, "a repaired hunt makes room for the next"
    assert "r̂ of pairs" in file.read_text() and "#" in file.read_text()
    assert Notes().of(5)["planted"] != "cold-noise", "chance picks one that is not repaired yet"


def test_a_hunt_is_checked_without_naming_its_file_and_the_next_is_offered(run) -> None:
    run("bughunt", "5", "--defect", "cold-noise")
    Path("practice/q05_matrix_factorization_bughunt.py").write_text(answer_source(question(5)))
    code, out, _ = run("check", "5")
    assert code == 0 and "Repaired" in out
    assert (
        f"1 of {sum(d.plantable for d in defects(question(5)))} repaired. Next: keras-recs bughunt 5"
        in out
    )


def test_the_commands_that_are_named_find_a_folder_of_ones_own(run) -> None:
    assert "keras-recs check 5 --folder 'my work'" in run("practice", "5", "--folder", "my work")[1]
    assert (
        "q05_matrix_factorization_bughunt.py' --folder 'my work'"
        in run("bughunt", "5", "--folder", "my work")[1]
    )
    assert "keras-recs practice 6 --folder 'my work'" in run("check", "6", "--folder", "my work")[2]


def test_a_file_that_is_named_says_which_question_it_is(run, mine: Path) -> None:
    code, out, _ = run("check", str(mine))
    assert code == 1 and "begin with predict" in out
    hunt = mine.with_name(f"{mine.stem}_bughunt.py")
    hunt.write_text(answer_source(question(5)))
    assert "q05 bug hunt" in run("check", str(hunt))[1]
    assert run("check", "q05_knn.py")[0] == 2 and run("check", "5.py")[0] == 2


def test_a_file_that_is_no_python_offers_neither_hints_nor_the_whole_reference(
    run, mine: Path
) -> None:
    mine.write_text(practice_kit.written("predict", loss="return (1"))
    out = run("check", "5", "--reference")[1]
    assert "SyntaxError" in out and "the reference" not in out and "--hint" not in out


def test_an_unknown_defect_lists_no_answers(run) -> None:
    code, out, err = run("bughunt", "5", "--defect", "typo")
    others = sum(defect.plantable for defect in defects(question(5)))
    assert code == 2 and "has no defect 'typo'" in err and f"{others} others" in err
    assert not [d.name for d in defects(question(5)) if d.name in err]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["practice", "24"], "question 24 is not answered yet"),
        (["check", "5"], "does not exist; `keras-recs practice 5` writes it"),
        (["bughunt"], "Missing argument 'NUMBER'. It is that of a question, such as 5"),
        (["check"], "Missing argument 'NUMBER'. It is that of a question, such as 5"),
        (["check", "5", "hint"], "there is no file hint; did you mean --hint?"),
        (
            ["check", "5", "nix.py"],
            "there is no file nix.py; `keras-recs check 5` looks at your exercise",
        ),
    ],
)
def test_wrong_arguments_are_one_line(run, arguments: list[str], words: str) -> None:
    code, out, err = run(*arguments)
    assert code == 2 and out == "" and words in err and err.count("\n") == 1


# --- planted defects and layout -------------------------------------------------------------------


def planted_in(source: str, *edits: tuple[str, str]) -> str:
    return Defect("d", "", "", "", "", "test", edits=edits).plant(source)


def test_a_defect_is_planted_whatever_the_layout() -> None:
    assert planted_in("x = f( a,\n      b )  # why\n", ("f(a, b)", "g(a)")) == "x = g(a)  # why\n"
    assert planted_in("x = f(a)\nk = {'a  b': 1}\n", ("{'a  b': 1}", "{}")) == "x = f(a)\nk = {}\n"
    with pytest.raises(ValueError, match="is in it 2 times"):
        planted_in("f(a); f( a )", ("f(a)", "g(a)"))
    with pytest.raises(ValueError, match="is not in it"):
        planted_in("ff(a)", ("f(a)", "g(a)"))
    with pytest.raises(ValueError, match="is not in it"):
        planted_in("k = 'a b'", ("'a  b'", "0"))


@by_question
def test_every_defect_fits_a_source_without_comments_too(q) -> None:
    source = quiet(answer_source(q))
    for d in (d for d in defects(q) if d.plantable):
        bare = quiet(d.plant(answer_source(q)))
        if not any('"""' in old for old, _ in d.edits):
            assert ast.dump(ast.parse(d.plant(source))) == ast.dump(ast.parse(bare)), d.name


# --- notes ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    ["{", "[]", '{"5": 3}', '{"5": {"repaired": null}}', '{"5": {"holds": "x"}}', b"\xff\xfe", ""],
)
def test_damaged_notes_are_set_aside_with_a_word(run, text: str | bytes) -> None:
    Path("practice").mkdir()
    file = Path("practice/progress.json")
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    code, out, err = run("progress")
    assert code == 0 and "not tried" in out and "damaged" in err and "Traceback" not in err
    (aside,) = Path("practice").glob("progress-damaged-*.json")
    assert aside.read_bytes() == (text if isinstance(text, bytes) else text.encode())
    assert run("progress")[2] == "", "once"


def test_writers_at_once_lose_nothing(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from keras_recs.practice.notes import Notes\n"
        "notes = Notes(Path(sys.argv[1]))\n"
        "for n in range(25):\n"
        "    with notes.change(5) as mine: mine['attempts'] += 1\n"
        "notes.of(int(sys.argv[2]))['best'] = 7; notes.save()\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    all_ = [
        subprocess.Popen([sys.executable, "-c", code, str(tmp_path), n], env=environment)
        for n in ("8", "12", "18")
    ]
    assert [process.wait() for process in all_] == [0, 0, 0]
    notes = Notes(tmp_path)
    assert notes.of(5)["attempts"] == 75 and [notes.of(n)["best"] for n in (8, 12, 18)] == [7, 7, 7]
    assert {path.name for path in tmp_path.iterdir()} <= {"progress.json", ".progress.json.lock"}


def test_notes_of_an_older_version_are_read(tmp_path: Path) -> None:
    older = {"holds": 3, "of": 19, "hints": {}, "planted": None, "repaired": []}
    (tmp_path / "progress.json").write_text(json.dumps({"5": older, "ask": {"of": "others"}}))
    with Notes(tmp_path).change(5) as mine:
        pass
    assert json.loads((tmp_path / "progress.json").read_text())["ask"] == {"of": "others"}
    assert mine["best"] == 3 and mine["attempts"] == 0 and mine["functions"] == []


def test_the_folder_is_found_from_below_and_beside(run, tmp_path: Path, monkeypatch) -> None:
    folder = tmp_path / "home" / "practice"
    monkeypatch.chdir((tmp_path / "home").mkdir() or tmp_path / "home")
    assert find_folder() == folder, "where there is none, here"
    assert run("practice", "5")[0] == 0
    for below in (folder, folder / "a" / "b", tmp_path / "home" / "notebooks"):
        below.mkdir(parents=True, exist_ok=True)
        monkeypatch.chdir(below)
        assert find_folder() == folder
        assert run("practice", "5")[0] == 1, "it is there already"
    assert not list(tmp_path.rglob("practice/practice"))
    monkeypatch.chdir(ROOT / "keras_recs" / "practice")
    assert find_folder() != ROOT / "keras_recs" / "practice", "the package is no practice folder"


# --- the report -----------------------------------------------------------------------------------


def test_the_matrix_counts_what_rejects_what(run, monkeypatch) -> None:
    records = [
        {"test": "a", "shape": True, "defect": None, "outcome": "passed"},
        {"test": "b", "shape": False, "defect": None, "outcome": "passed"},
        {"test": "a", "shape": True, "defect": "x", "outcome": "passed"},
        {"test": "b", "shape": False, "defect": "x", "outcome": "failed"},
        {"test": "a", "shape": True, "defect": "y", "outcome": "failed"},
        {"test": "b", "shape": False, "defect": "y", "outcome": "failed"},
    ]
    monkeypatch.setattr(matrix, "run_tests", lambda q, *a, **k: records)
    rows = json.loads(run("bughunt", "5", "--report", "--json")[1])
    assert [row["rejected_by"] for row in rows] == [["b"], ["a", "b"]]
    assert [row["by_shape"] for row in rows] == [False, True]
    assert (
        "2 defects: 0 get past the tests, 1 (50%) get past tests that look at shapes only"
        in run("bughunt", "5", "--report")[1]
    )
