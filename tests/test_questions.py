"""The catalogue against the files, the direction of imports, and how light the package is."""

from __future__ import annotations

import ast
import configparser
import re
import subprocess
import sys
from pathlib import Path

import pytest

import keras_recs
from keras_recs.questions import QUESTIONS, question

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "keras_recs"


def test_there_are_24_questions_numbered_as_their_files() -> None:
    assert [q.number for q in QUESTIONS] == list(range(1, 25))
    assert all(q.stem.startswith(f"q{q.number:02d}_") for q in QUESTIONS)
    for values in (
        [q.stem for q in QUESTIONS],
        [q.title for q in QUESTIONS],
        [q.title_zh for q in QUESTIONS],
    ):
        assert len(set(values)) == 24
    assert question(5).stem == "q05_matrix_factorization"
    with pytest.raises(ValueError, match="there is no question 25; they go from 1 to 24"):
        question(25)


@pytest.mark.parametrize(
    ("folder", "pattern"),
    [("keras_recs/answers", "q??_*.py"), ("notebooks", "q??_*.ipynb"), ("tests", "test_q??_*.py")],
)
def test_what_is_built_has_all_its_files_and_nothing_else_lies_about(
    folder: str, pattern: str
) -> None:
    there = sorted(path.stem.removeprefix("test_") for path in (ROOT / folder).glob(pattern))
    assert there == [q.stem for q in QUESTIONS if q.built]


@pytest.mark.parametrize("q", [q for q in QUESTIONS if q.built], ids=lambda q: q.stem)
def test_an_answer_file_is_whole(q) -> None:
    source = (PACKAGE / "answers" / f"{q.stem}.py").read_text(encoding="utf8")
    assert source.startswith(f'"""Question {q.number}. '), "the docstring begins with the question"
    assert len(source.splitlines()) >= 60
    for answer in q.answers:
        recommender = q.make(answer)
        assert type(recommender) is getattr(keras_recs, answer.class_name)
        assert answer.params.items() <= recommender.get_params().items()


def imports_of(path: Path) -> set[str]:
    """The modules of the project that a file imports, wherever in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, (
                f"{path.name} imports relatively; its source must work from another folder"
            )
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return {name for name in found if name and name.startswith("keras_recs.")}


#: Who may know whom: each part, and the parts that it must not import.
FORBIDDEN = {
    "data": (
        "recommender",
        "recommendations",
        "neural",
        "text",
        "evaluation",
        "answers",
        "questions",
        "cli",
        "practice",
    ),
    "evaluation": ("neural", "text", "answers", "questions", "cli", "practice"),
    "neural": ("text", "evaluation", "answers", "questions", "cli", "practice"),
    "text": (
        "recommender",
        "recommendations",
        "factors",
        "evaluation",
        "answers",
        "questions",
        "cli",
        "practice",
    ),
    "answers": ("answers", "evaluation", "questions", "cli", "practice"),
}


@pytest.mark.parametrize("part", FORBIDDEN)
def test_imports_run_one_way(part: str) -> None:
    files = list((PACKAGE / part).rglob("*.py"))
    assert files
    for path in files:
        for name in imports_of(path):
            assert name.split(".")[1] not in FORBIDDEN[part], (
                f"{path.relative_to(ROOT)} imports {name}"
            )


def test_importing_the_package_is_light() -> None:
    """`import keras_recs` brings neither TensorFlow nor NumPy, and the whole catalogue costs no TensorFlow either."""
    code = (
        "import sys, keras_recs; assert not {'numpy', 'tensorflow', 'keras'} & set(sys.modules); "
        "keras_recs.QUESTIONS; keras_recs.from_matrix; keras_recs.EASE; keras_recs.evaluate; "
        "assert not {'tensorflow', 'keras', 'gensim', 'networkx', 'pyarrow', 'rich'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


def test_public_names_are_there_and_others_are_not() -> None:
    for name in dir(keras_recs):
        assert getattr(keras_recs, name) is not None or name.startswith("__"), name
    assert {"Dataset", "load_movielens", "BiasedMF"} <= set(dir(keras_recs))
    assert all(
        getattr(keras_recs, q.published) is q.load(q.answers[0]) for q in QUESTIONS if q.published
    )
    with pytest.raises(AttributeError, match="no attribute 'Recommendar'"):
        _ = keras_recs.Recommendar


def test_a_wheel_carries_every_package_and_every_file_that_is_read_at_run_time() -> None:
    """Built from setup.cfg, as the build reads it: no package, list of defects or fixture stays behind."""
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg", encoding="utf8")
    listed = set(setup["options"]["packages"].split())
    folders = dict(
        re.split(r"\s*=\s*", line)
        for line in setup["options"]["package_dir"].strip().splitlines()
        if not line.startswith("#")
    )
    found = {
        ".".join(("keras_recs", *path.parent.relative_to(PACKAGE).parts))
        for path in PACKAGE.rglob("*.py")
    }
    assert found | {"keras_recs.fixtures", "keras_recs.tests"} == listed
    for package, folder in (
        ("keras_recs.practice", PACKAGE / "practice"),
        ("keras_recs.fixtures", ROOT / "fixtures"),
    ):
        patterns = re.split(r"\s*,\s*", setup["options.package_data"][package])
        carried = {path for pattern in patterns for path in folder.glob(pattern)}
        data = {
            path
            for path in folder.rglob("*")
            if path.is_file()
            and path.suffix not in (".py", ".pyc")
            and "catalogue" not in path.parts
        }
        assert data == carried
    assert folders["keras_recs.fixtures"] == "fixtures" and folders["keras_recs.tests"] == "tests"
