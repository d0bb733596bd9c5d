"""Stubs, defects, the check, and the commands around them.

That every planted defect is rejected by the test that it names is checked where those tests are: see
`pytest_generate_tests` in conftest.py.
"""

from __future__ import annotations

import ast
import json
from pathlib import Path

import pytest

from keras_recs.practice import errata, grading, matrix
from keras_recs.practice.defects import defects, hints
from keras_recs.practice.grading import CheckError, check
from keras_recs.practice.notes import Notes
from keras_recs.practice.stubs import answer_source, hearts, stub, task_of, unmarked
from keras_recs.questions import QUESTIONS, question

BUILT = [q for q in QUESTIONS if q.built]
ROOT = Path(__file__).resolve().parents[1]
by_question = pytest.mark.parametrize("q", BUILT, ids=lambda q: q.stem)


def names_of_tests(stem: str) -> set[str]:
    tree = ast.parse((ROOT / "tests" / f"test_{stem}.py").read_text(encoding="utf8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")}


@pytest.fixture(autouse=True)
def empty_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Commands write into the current folder."""
    monkeypatch.chdir(tmp_path)


# --- the lists ---------------------------------------------------------------------------------------------------


@by_question
def test_there_are_defects_of_both_kinds_with_names_of_their_own(q) -> None:
    found = defects(q)
    assert sum(d.plantable for d in found) >= 8
    assert sum(d.plantable and not d.published for d in found) >= 4 and any(d.published for d in found)
    assert len({d.name for d in found}) == len({d.title for d in found}) == len(found)
    assert {d.test_function for d in found} <= names_of_tests(q.stem), "a defect names a test that is not there"
    assert set(hints(q)) <= names_of_tests(q.stem)


@by_question
def test_every_defect_can_be_planted_and_survives_import(q) -> None:
    source = answer_source(q)
    for d in (d for d in defects(q) if d.plantable):
        planted = d.plant(source)
        assert planted != source
        exec(compile(planted, d.name, "exec"), {"__name__": f"planted_{d.name.replace('-', '_')}"})


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
    assert (ROOT / "ERRATA.md").read_text(encoding="utf8") == errata.errata(), "make errata writes it"


# --- stubs -------------------------------------------------------------------------------------------------------


@by_question
def test_a_stub_is_the_answer_without_its_heart(q) -> None:
    source = answer_source(q)
    text = stub(source)
    marked = hearts(source)
    assert marked and text.count("raise NotImplementedError(") == len(marked)
    assert "@heart" not in text and "import heart" not in text, "the mark itself is no business of the reader"
    for node in marked:
        assert f'raise NotImplementedError("{task_of(node)}")' in text
        assert f"def {node.name}(" in text and (ast.get_docstring(node) or "").partition("\n")[0] in text
    comments = [line.strip() for line in unmarked(source).splitlines() if line.strip().startswith("#")]
    lost = {line for line in comments if line not in text}
    inside = "\n".join(ast.get_source_segment(source, node) or "" for node in marked)
    assert all(line in inside for line in lost), "comments outside of the hearts stay"


@by_question
def test_every_stub_fails_its_tests(q, tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(stub(answer_source(q)), encoding="utf8")
    behaviours = check(q, file)
    assert len(behaviours) >= 8
    failed = [b for b in behaviours if not b.holds]
    assert len(failed) >= len(hearts(answer_source(q)))
    assert any("NotImplementedError" in b.message for b in failed)


def test_a_whole_answer_passes_from_another_folder(tmp_path: Path) -> None:
    file = tmp_path / "elsewhere" / "mine.py"
    file.parent.mkdir()
    file.write_text(unmarked(answer_source(question(5))), encoding="utf8")
    behaviours = check(question(5), file)
    assert all(b.holds for b in behaviours), [b for b in behaviours if not b.holds]


# --- the check ---------------------------------------------------------------------------------------------------


def test_an_endless_loop_is_stopped(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text("while True: pass", encoding="utf8")
    with pytest.raises(CheckError, match="took more than 3 s"):
        check(question(5), file, seconds=3)


def test_a_file_that_cannot_be_imported_fails_everything_and_says_why(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text("import nonsense_that_is_not_there", encoding="utf8")
    behaviours = check(question(5), file)
    assert not any(b.holds for b in behaviours)
    assert "nonsense_that_is_not_there" in behaviours[0].message


def test_the_tests_are_found_in_a_checkout_and_in_an_installed_package(tmp_path: Path, monkeypatch) -> None:
    import keras_recs

    assert grading.tests_folder() == ROOT / "tests"
    package = tmp_path / "keras_recs"
    (package / "tests").mkdir(parents=True)
    (package / "tests" / "conftest.py").touch()
    monkeypatch.setattr(keras_recs, "__file__", str(package / "__init__.py"))
    assert grading.tests_folder() == package / "tests"
    (package / "tests" / "conftest.py").unlink()
    with pytest.raises(CheckError, match="not installed"):
        grading.tests_folder()


# --- the commands ------------------------------------------------------------------------------------------------


def test_practice_never_overwrites_without_being_told(run) -> None:
    code, out, _ = run("practice", "5")
    file = Path("practice/q05_matrix_factorization.py")
    assert code == 0 and file.exists() and "gradient" in out and "keras-recs check 5" in out
    file.write_text("my work")
    code, _, err = run("practice", "5")
    assert code == 1 and "--force overwrites" in err and file.read_text() == "my work"
    assert run("practice", "5", "--force")[0] == 0 and "NotImplementedError" in file.read_text()


def test_check_shows_behaviours_values_and_hints_and_remembers(run) -> None:
    source = answer_source(question(5))
    Path("practice").mkdir()
    Path("practice/q05_matrix_factorization.py").write_text(source.replace("+ affinity", "- affinity"))
    code, out, _ = run("check", "5", "--hint")
    assert code == 1
    assert "fails   A prediction is the mean" in out and "holds   The same seed" in out
    assert "assert" in out and "hint 1 of 2" in out
    assert "hint 2 of 2" in run("check", "5", "--hint")[1]
    assert "hint 2 of 2" in run("check", "5", "--hint")[1], "the last hint stays"
    (row,) = [row for row in json.loads(run("progress", "--json")[1]) if row["number"] == 5]
    assert 0 < row["holds"] < row["of"]
    Path("practice/q05_matrix_factorization.py").write_text(source)
    code, out, _ = run("check", "5")
    assert code == 0 and f"{row['of']} of {row['of']} behaviours hold" in out
    assert f"{row['of']} of {row['of']}" in run("progress")[1]


def test_a_bug_hunt_plants_is_judged_and_tells_in_the_end(run) -> None:
    code, out, _ = run("bughunt", "5", "--defect", "cold-noise")
    file = Path("practice/q05_matrix_factorization_bughunt.py")
    assert code == 0 and "cold-noise" not in out and "cold-noise" not in file.read_text()
    code, out, _ = run("check", "5", str(file), "--hint")
    assert code == 1 and "What moved the vector of a user without ratings?" in out
    file.write_text(answer_source(question(5)))
    code, out, _ = run("check", "5", str(file))
    assert code == 0 and "Who has no ratings keeps random factors" in out
    (row,) = [row for row in json.loads(run("progress", "--json")[1]) if row["number"] == 5]
    assert row["repaired"] == 1 and row["of"] == 0
    run("bughunt", "5", "--force")
    assert Notes().of(5)["planted"] != "cold-noise", "chance picks one that is not repaired yet"


@pytest.mark.parametrize(("arguments", "words"), [
    (["practice", "24"], "question 24 is not answered yet"),
    (["check", "5"], "does not exist; `keras-recs practice 5` writes it"),
    (["bughunt", "5", "--defect", "typo"], "has no defect 'typo' to plant; it has: climbs"),
    (["bughunt"], "Missing argument 'NUMBER'"),
])
def test_wrong_arguments_are_one_line(run, arguments: list[str], words: str) -> None:
    code, out, err = run(*arguments)
    assert code == 2 and out == "" and words in err and err.count("\n") == 1


def test_damaged_notes_are_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "progress.json").write_text("{")
    with pytest.raises(ValueError, match="is damaged"):
        Notes(tmp_path)


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
    assert "2 defects: 0 get past the tests, 1 (50%) get past tests that look at shapes only" in run(
        "bughunt", "5", "--report")[1]
