"""The wheel: built, installed into a clean environment and used there, beside strangers' files of
the same names."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

from keras_recs.practice.sources import answer_source
from keras_recs.questions import QUESTIONS, question
from keras_recs.utils import places

ROOT = Path(__file__).resolve().parents[1]
BUILT_FROM = ("keras_recs", "fixtures", "tests")
Q = question(5)
#: Data, texts and vectors, read in Python.
USE = """
import json, pathlib, sys
import keras_recs
data = keras_recs.load_cinema()
from keras_recs.data.cinema import load_cinema_truth
from keras_recs.text.words import load_vectors
print(json.dumps({
    "package": str(pathlib.Path(keras_recs.__file__).parent),
    "events": len(data),
    "series": len(load_cinema_truth().series) > 10,
    "words": len(load_vectors("cinema")),
    "tensorflow": "tensorflow" in sys.modules,
}))
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy, so that nothing of an earlier build is in it and none is left behind."""
    place = tmp_path_factory.mktemp("wheel")
    source = place / "source"
    for name in BUILT_FROM:
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("setup.cfg", "setup.py", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    pip("wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(place), str(source))
    (built,) = place.glob("*.whl")
    return built


def pip(*arguments: str) -> None:
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input"]
    offline = {**os.environ, "PIP_NO_INDEX": "1"}
    done = subprocess.run([*command, *arguments], env=offline, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bin folder of an environment with the wheel, this environment's other packages, and
    somebody else's tests and fixtures."""
    place = tmp_path_factory.mktemp("environment")
    venv.create(place, symlinks=os.name != "nt", with_pip=False)
    (site,) = place.rglob("site-packages")
    others = [path for path in sys.path if Path(path).name in ("site-packages", "dist-packages")]
    (site / "others.pth").write_text("\n".join(others), encoding="utf8")
    scripts = place / ("Scripts" if os.name == "nt" else "bin")
    python = str(scripts / "python")
    pip("--python", python, "install", "--no-deps", "--no-compile", str(wheel))
    for name in ("tests", "fixtures"):
        shutil.rmtree(site / name, ignore_errors=True)
        for file in (ROOT / name).iterdir():
            stranger = site / name / file.name
            if file.is_file():
                stranger.parent.mkdir(exist_ok=True)
                stranger.write_text("raise RuntimeError('these are not yours')\n", encoding="utf8")
    (site / "conftest.py").write_text("raise RuntimeError('nor is this')\n", encoding="utf8")
    (site / "setup.cfg").write_text("[metadata]\nname = somebody-else\n", encoding="utf8")
    return scripts


@pytest.fixture
def use(installed: Path, tmp_path: Path):
    """Run a command of the environment in an empty folder: (exit code, stdout and stderr)."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    environment |= {"COLUMNS": "100", "KERAS_RECS_HOME": str(tmp_path / "home")}
    folder = tmp_path / "empty"
    folder.mkdir()

    def use(command: str, *arguments: str) -> tuple[int, str]:
        done = subprocess.run(
            [str(installed / command), *arguments],
            env=environment,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf8",
        )
        return done.returncode, done.stdout + done.stderr

    use.folder = folder  # type: ignore[attr-defined]
    return use


def test_a_wheel_carries_what_is_read_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = {n for n in archive.namelist() if ".dist-info/" not in n}
    assert {name.partition("/")[0] for name in names} == {"keras_recs"}
    package = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "keras_recs").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    data = {f"keras_recs/fixtures/{path.name}" for path in (ROOT / "fixtures").iterdir()}
    tests = {name for name in names if name.startswith("keras_recs/tests/")}
    assert names - tests == package | {name for name in data if "__pycache__" not in name}
    shipped = {name.rpartition("/")[2] for name in tests}
    grading = {f"test_{q.stem}.py" for q in QUESTIONS if q.built}
    assert grading <= shipped and "conftest.py" in shipped
    assert not [name for name in shipped - grading if name.startswith("test_")], (
        "tests of the project itself need a checkout"
    )


def test_data_and_texts_are_found(use, installed: Path) -> None:
    code, said = use("python", "-W", "error", "-c", USE)
    assert code == 0, said
    found = json.loads(said)
    assert Path(found.pop("package")).is_relative_to(installed.parent)
    assert found == {"events": 30856, "series": True, "words": 6188, "tensorflow": False}
    assert not list(use.folder.iterdir())


def test_the_commands_that_read_texts_work(use) -> None:
    code, said = use("keras-recs", "list")
    assert code == 0 and Q.title in said, said
    code, said = use("keras-recs", "show", "5")
    assert code == 0 and "site-packages" in said and "notebook" not in said, said
    code, said = use("keras-recs", "ask", "--all", "--json")
    assert code == 0 and len(json.loads(said)) == sum(q.built for q in QUESTIONS), said
    code, said = use("keras-recs", "cards", "--out", "cards.apkg")
    assert code == 0 and (use.folder / "cards.apkg").stat().st_size > 10_000, said


def test_an_exercise_is_made_and_graded(use) -> None:
    """The stub fails, and the answer passes."""
    code, said = use("keras-recs", "practice", "5")
    file = use.folder / "practice" / f"{Q.stem}.py"
    assert code == 0 and file.exists(), said
    code, said = use("keras-recs", "check", "5", "--json")
    assert code == 1, said
    assert not [each for each in json.loads(said) if each["heart"] and each["state"] != "to do"]
    file.write_text(answer_source(Q), encoding="utf8")
    code, said = use("keras-recs", "check", "5", "--json")
    assert code == 0, said
    found = json.loads(said)
    assert len(found) > 10 and all(each["holds"] for each in found)


def test_what_is_beside_the_package_counts_in_a_checkout_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert places.checkout() == ROOT and places.shipped("tests") == ROOT / "tests"
    package = tmp_path / "keras_recs"
    package.mkdir()
    (tmp_path / "tests").mkdir()
    monkeypatch.setattr(places, "files", lambda name: tmp_path / name)
    for settings in (None, "[metadata]\nname = another\n", "[tool]\n", "no settings"):
        if settings:
            (tmp_path / "setup.cfg").write_text(settings, encoding="utf8")
        with pytest.raises(FileNotFoundError, match="tests/ is not installed with this copy"):
            places.shipped("tests")
    (tmp_path / "setup.cfg").write_text("[metadata]\nname = keras-recs\n", encoding="utf8")
    assert places.shipped("tests") == tmp_path / "tests"
    (package / "tests").mkdir()
    assert places.shipped("tests") == package / "tests", "inside comes first"
