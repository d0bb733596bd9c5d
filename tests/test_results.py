"""Results of benchmarks: where they come from, and that the tables made of them say the same."""

from __future__ import annotations

import argparse
import importlib
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[1]
SCRIPTS = ROOT / "benchmarks"
pytestmark = pytest.mark.skipif(not SCRIPTS.is_dir(), reason="an installed package has none")
FILES = sorted(SCRIPTS.glob("results/*.json"))
SHORT = ("README.md", "README.zh.md")
NAMES = ("results", "readme", "peak", "peers", "scale", "defects", "synthetic")


@pytest.fixture
def scripts(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The scripts of benchmarks/, which are no package, can be imported."""
    monkeypatch.syspath_prepend(str(SCRIPTS))
    yield
    for name in NAMES:
        sys.modules.pop(name, None)


@pytest.fixture
def results(scripts: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The helper, with copies of all that it writes to."""
    module = importlib.import_module("results")
    for name in ("FOLDER", "BENCH"):
        monkeypatch.setattr(module, name, tmp_path / name)
    copies = []
    for name in (*SHORT, "benchmarks/README.md"):
        copies.append(tmp_path / name.replace("/", "_"))
        copies[-1].write_text(text(name), encoding="utf8")
    monkeypatch.setattr(module.readme, "SHORT", tuple(copies[:2]))
    monkeypatch.setattr(module.readme, "README", copies[2])
    monkeypatch.setattr(sys, "argv", [str(SCRIPTS / "peers.py"), "--keep"])
    yield module


def text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf8")


def rows(name: str) -> list[dict]:
    return json.loads(text(f"benchmarks/results/{name}.json"))["rows"]


# --- what is committed ---


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_file_says_where_it_comes_from(path: Path, results: ModuleType) -> None:
    faults = faults_of(json.loads(path.read_text(encoding="utf8")), results)
    assert faults == []


def faults_of(found: dict, results: ModuleType) -> list[str]:
    """What a file lacks, and what it should not say."""
    out = [f"no {field}" for field in results.FIELDS if field not in found]
    if out:
        return out
    machine, versions = found["machine"], found["versions"]
    out += [f"no {field} of the machine" for field in results.MACHINE if field not in machine]
    named = {*results.ALWAYS, *(row.get("library", "no library") for row in found["rows"])}
    out += [f"no version of {name}" for name in sorted(named - set(versions))]
    unknown = None in (found["command"], found["date"], *machine.values(), versions["python"])
    if unknown and not found.get("note"):
        out.append("what is not known needs a note")
    if found["date"] is not None and not re.fullmatch(r"20\d\d-\d\d-\d\d", found["date"]):
        out.append("the date is none")
    script = re.fullmatch(r"benchmarks/\w+\.py", found["written_by"])
    if script and not (ROOT / found["written_by"]).is_file():
        out.append("no such script")
    if re.search(r"(?<![\w.:/])/\w[\w.-]*/", json.dumps(found, ensure_ascii=False)):
        out.append("a path of a machine")
    return out if found["rows"] else [*out, "no rows"]


def test_the_files_are_there() -> None:
    assert {"defects", "elsewhere", "peers", "scale"} <= {path.stem for path in FILES}


@pytest.mark.parametrize("name", ["peers", "scale"])
def test_the_long_tables_are_the_results(name: str, results: ModuleType) -> None:
    table = importlib.import_module(name).table(rows(name))
    assert results.readme.inside(text("benchmarks/README.md"), name) == table


@pytest.mark.parametrize("name", SHORT)
def test_the_short_tables_are_lines_of_the_results(name: str, results: ModuleType) -> None:
    table = importlib.import_module("peers").table(rows("peers"))
    lines = results.readme.inside(text(name), "peers").splitlines()
    assert len(lines) > 5 and lines[2:] == [
        line for line in lines if results.readme.renew(line, table) == line and ": " in line
    ]
    models = {row["model"] for row in rows("peers")}
    assert {line.split("|")[2].strip() for line in lines[2:]} <= models


@pytest.mark.parametrize("name", SHORT)
def test_no_figure_of_another_library_stands_outside_the_marks(
    name: str, results: ModuleType
) -> None:
    """What the README says of other libraries is what `peers.json` has, and stands in its table."""
    inside = results.readme.inside(text(name), "peers")
    libraries = {row["library"] for row in rows("peers")} - {"keras_recs"}
    others = [
        line
        for line in text(name).replace(inside, "").splitlines()
        if re.search(r"\d\.\d", line) and any(f"{library}:" in line for library in libraries)
    ]
    assert others == []


@pytest.mark.parametrize("name", SHORT)
def test_the_counts_of_defects_are_the_results(name: str) -> None:
    (found,) = rows("defects")
    (said,) = (line for line in text(name).splitlines() if "bughunt --report" in line)
    counts = [int(each) for each in re.findall(r"(?<![\d.])\d{2,3}(?= )", said)]
    share = round(100 * found["share_past_tests_of_shapes"])
    assert counts == [found["planted"], found["past_tests_of_shapes"], share]
    assert found["past_all_tests"] == 0


# --- what is planted ---


def test_what_a_run_keeps(results: ModuleType, tmp_path: Path) -> None:
    import numpy as np

    found = [
        {"library": "implicit", "model": "implicit: ALS", "value": 0.2},
        {"model": "q12: EASE"},
    ]
    path = results.keep("peers", found, False, {"implicit": "0.7.3"})
    assert path == tmp_path / "BENCH" / "peers.json" and not (tmp_path / "FOLDER").exists()
    kept = json.loads(path.read_text(encoding="utf8"))
    assert faults_of(kept, results) == []
    assert kept["written_by"] == "benchmarks/peers.py"
    assert kept["command"] == "python benchmarks/peers.py --keep"
    assert kept["versions"]["numpy"] == np.__version__ and kept["versions"]["implicit"] == "0.7.3"
    assert kept["versions"]["python"] == ".".join(map(str, sys.version_info[:3]))
    assert kept["machine"]["cores"] >= 1 and kept["machine"]["processor"]
    assert kept["rows"][1] == {"library": "keras_recs", "model": "q12: EASE"}


def test_what_a_run_publishes(results: ModuleType, tmp_path: Path) -> None:
    line = "| P1 | implicit: ALS, 128 factors | ndcg@10 0.3067 | 0.2 – 0.4 | 9.00 s | 1 | 2 MiB |"
    path = results.keep("peers", [{"model": "x"}], True, table=line)
    assert path == tmp_path / "FOLDER" / "peers.json" and path.is_file()
    long = (tmp_path / "benchmarks_README.md").read_text(encoding="utf8")
    assert results.readme.inside(long, "peers") == line and "## Time and memory" in long
    for name in SHORT:
        before, after = text(name).splitlines(), (tmp_path / name).read_text(encoding="utf8")
        changed = [
            pair for pair in zip(before, after.splitlines(), strict=True) if len({*pair}) > 1
        ]
        (old, new), *others = changed
        assert others == [] and old.startswith("| P1 | implicit: ALS, 128 factors | ndcg@10 0.2067")
        assert new == "| P1 | implicit: ALS, 128 factors | ndcg@10 0.3067 | 0.2 – 0.4 | 9.00 s |"


def test_a_library_without_a_version_and_a_run_without_rows_are_errors(results: ModuleType) -> None:
    with pytest.raises(ValueError, match="versions must name lenskit"):
        results.keep("peers", [{"library": "lenskit"}], False)
    with pytest.raises(ValueError, match="rows must not be empty"):
        results.keep("peers", [], False)


def test_a_readme_without_marks_is_an_error(results: ModuleType) -> None:
    with pytest.raises(ValueError, match="floors.py"):
        results.readme.put("floors", "| new |")


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"command": None}, "what is not known needs a note"),
        ({"command": None, "note": "lost"}, None),
        ({"date": "yesterday"}, "the date is none"),
        ({"machine": {"cores": 2, "processor": "x"}}, "no memory_gib of the machine"),
        ({"versions": {"python": "3.11"}}, "no version of keras"),
        ({"rows": [{"library": "cornac"}]}, "no version of cornac"),
        ({"rows": []}, "no rows"),
        ({"command": "python /somewhere/else/peers.py"}, "a path of a machine"),
        ({"written_by": "benchmarks/none.py"}, "no such script"),
    ],
)
def test_a_file_with_a_fault_is_found(results: ModuleType, change: dict, fault: str | None) -> None:
    path = results.keep("peers", [{"model": "x"}], False)
    found = json.loads(path.read_text(encoding="utf8")) | change
    assert (fault in faults_of(found, results)) if fault else faults_of(found, results) == []


def test_the_version_of_another_environment_is_asked_for_there(results: ModuleType) -> None:
    import numpy as np

    assert results.version_in(sys.executable, "numpy") == np.__version__
    peers = importlib.import_module("peers")
    for library in peers.LIBRARIES:
        assert len([each for each in peers.LIBRARIES[library] if library in each]) == 1


def test_every_script_that_writes_results_takes_keep(results: ModuleType) -> None:
    parser = argparse.ArgumentParser()
    results.option(parser)
    assert parser.parse_args(["--keep"]).keep and not parser.parse_args([]).keep
    for name in ("peers", "scale", "floors", "tune", "text_encoders", "cinema_table", "defects"):
        source = text(f"benchmarks/{name}.py")
        assert "results.option(parser)" in source and "results.keep(" in source, name


def test_the_counts_of_a_report(scripts: None) -> None:
    counts = importlib.import_module("defects").counts
    row = {"rejected_by": ["a"], "by_shape": True}
    found = counts([row, {**row, "by_shape": False}, {"rejected_by": [], "by_shape": False}])
    assert found == {
        "planted": 3,
        "past_all_tests": 1,
        "past_tests_of_shapes": 2,
        "share_past_tests_of_shapes": 0.6667,
    }
