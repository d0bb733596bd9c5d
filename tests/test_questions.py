"""The catalogue against the files, the direction of imports, and how light the package is."""

from __future__ import annotations

import ast
import graphlib
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
    [("keras_recs/answers", "q??_*"), ("notebooks", "q??_*"), ("tests", "test_q??_*")],
)
def test_what_is_built_has_all_its_files_and_nothing_else_lies_about(
    folder: str, pattern: str
) -> None:
    there = sorted(path.stem.removeprefix("test_") for path in (ROOT / folder).glob(pattern))
    assert there == [q.stem for q in QUESTIONS if q.built]


def test_the_folder_of_notebooks_holds_notebooks() -> None:
    shown = [path for path in (ROOT / "notebooks").rglob("*") if not path.name.startswith(".")]
    files = [path for path in shown if path.is_file() and ".ipynb_checkpoints" not in path.parts]
    assert files and {path.suffix for path in files} == {".ipynb"}


@pytest.mark.parametrize("q", [q for q in QUESTIONS if q.built], ids=lambda q: q.stem)
def test_an_answer_is_whole(q) -> None:
    sources = [file.read_text(encoding="utf8") for file in q.files()]
    opening = f'"""Question {q.number}. '
    assert sources[0].startswith(opening), "the docstring begins with the question"
    assert sum(len(source.splitlines()) for source in sources) >= 60
    for answer in q.answers:
        recommender = q.make(answer)
        assert type(recommender) is getattr(keras_recs, answer.class_name)
        assert answer.params.items() <= recommender.get_params().items()


def imports_of(path: Path) -> set[str]:
    """The modules of the project that a file imports, wherever in it, also for type checkers only."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, (
                f"{path.name} imports relatively; its source must work from another folder"
            )
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return {name for name in found if name == "keras_recs" or name.startswith("keras_recs.")}


def name_of(path: Path) -> str:
    """The dotted name of a module of the package."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


FILES = {name_of(path): path for path in sorted(PACKAGE.rglob("*.py"))}
#: Module -> the modules that it imports. What is imported from a module may be a module itself.
IMPORTS = {
    name: {
        each if each in FILES else each.rpartition(".")[0]
        for each in imports_of(path)
        if each in FILES or each.rpartition(".")[0] in FILES
    }
    - {name}
    for name, path in FILES.items()
}

#: Who may import whom: each part of the package, and all the others that its modules may import.
ALLOWED: dict[str, set[str]] = {
    "utils": set(),
    "data": {"utils"},
    "core": {"utils", "data"},
    "evaluation": {"utils", "data", "core"},
    "neural": {"utils", "data", "core"},
    "text": {"utils", "data"},
    "vision": {"data"},
    "rl": {"utils", "data", "core"},
    "testing": {"utils", "data", "core"},
    "answers": {"utils", "data", "core", "neural", "text", "vision", "rl"},
    "questions": {"core"},
    "terminal": {"questions"},
    "interview": {"questions", "terminal", "utils"},
    "practice": {"questions", "terminal", "interview", "utils"},
    "teaching": {"data", "core", "evaluation", "answers", "questions", "practice"},
    "cli": {
        "keras_recs",  # for its version
        "utils",
        "data",
        "core",
        "evaluation",
        "neural",
        "text",
        "questions",
        "terminal",
        "interview",
    },
    "__main__": {"cli"},
    "keras_recs": {"core", "questions"},
}


def part_of(module: str) -> str:
    """`keras_recs.data.cinema.files` is in the part `data`; `keras_recs` itself is one too."""
    return module.split(".")[1] if "." in module else module


def test_every_part_says_whom_it_imports() -> None:
    assert set(map(part_of, FILES)) == set(ALLOWED)


@pytest.mark.parametrize("part", ALLOWED)
def test_imports_run_one_way(part: str) -> None:
    for module, imported in IMPORTS.items():
        if part_of(module) == part:
            others = {other for other in imported if part_of(other) not in {*ALLOWED[part], part}}
            assert not others, f"{module} imports {sorted(others)}; {part} must not"


def test_no_part_imports_itself_by_way_of_others() -> None:
    order = list(graphlib.TopologicalSorter(ALLOWED).static_order())  # a cycle is an error
    assert order.index("utils") < order.index("data") < order.index("core")


def test_no_module_imports_itself_by_way_of_others() -> None:
    """A package's `__init__` that gathers the names of its modules is imported by none of them."""
    try:
        graphlib.TopologicalSorter(IMPORTS).prepare()
    except graphlib.CycleError as error:
        pytest.fail(" imports ".join(reversed(error.args[1])))


def test_an_answer_imports_no_other() -> None:
    """Of an answer that is a package, only its `__init__` imports the parts. Answers that are
    compositions by nature use others, and then through the contract."""
    for q in QUESTIONS:
        for module in set(q.modules) & set(IMPORTS):
            others = {each for each in IMPORTS[module] if part_of(each) == "answers"}
            assert others <= set(q.modules), f"{module} imports {sorted(others)}"


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
