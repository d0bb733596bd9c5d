"""The notebook harness: it must pass notebooks whose outputs are right and fail the others."""

from __future__ import annotations

import base64
import copy
import importlib.util
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

nbformat = pytest.importorskip("nbformat")
for needed in ("nbclient", "nbconvert", "ipykernel", "rich"):
    pytest.importorskip(needed)

TOOLS = Path(__file__).resolve().parents[1] / "tools" / "notebooks"


def load(name: str) -> ModuleType:
    """A module of tools/notebooks, which is no package."""
    spec = importlib.util.spec_from_file_location(name, TOOLS / f"{name}.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


v4 = nbformat.v4
outputs = load("outputs")
compare = load("compare")
pages = load("pages")
load("feed")
load("printed")
load("figures")
load("editions")
load("parts")
load("claims")
execute = load("execute")


def stream(text: str, name: str = "stdout") -> Any:
    return v4.new_output("stream", name=name, text=text)


def shown(**data: str) -> Any:
    """An output with content of several kinds: text_plain="..." stands for text/plain."""
    return v4.new_output(
        "display_data", data={kind.replace("_", "/"): value for kind, value in data.items()}
    )


def cell(
    *outputs: Any, tags: Sequence[str] = (), source: str = "show()", count: int | None = 1
) -> Any:
    """A code cell that ran and gave these outputs."""
    made = v4.new_code_cell(source, outputs=list(outputs), execution_count=count)
    if tags:
        made.metadata["tags"] = list(tags)
    return made


def difference(old: str, new: str, *tags: str) -> Any:
    """What the harness says where a cell that printed `old` now prints `new`."""
    return compare.cell_difference(cell(stream(old), tags=tags), cell(stream(new), tags=tags))


# --- Numbers and words ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("recall 0.512", "recall 0.515"),
        ("loss 1234.5", "loss 1240.1"),
        ("loss 1,234.5", "loss 1,240.1"),
        ("gap 0.0003", "gap -0.0004"),
        ("p 1.0e-05", "p 3.1e-04"),
        ("[1.    0.98]", "[0.999 0.98 ]"),
        ("nan and inf", "nan and inf"),
        ("a   b\n c", "a b c"),
        ("loss  0.5 |\n------|", "loss -0.001 |\n-------|".replace("-0.001", "0.501")),
        ("<f at 0x7f32aabbcc00>", "<f at 0x7f32aabbcd10>"),
    ],
)
def test_small_differences_pass(old: str, new: str) -> None:
    assert difference(old, new) is None


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("10 users", "11 users"),
        ("10 users", "10.0 users"),
        ("1,000 users", "1,001 users"),
        ("There are 1000.", "There are 1001."),
        ("shape (3, 4)", "shape (3, 5)"),
        ("recall@10 is 0.5", "recall@20 is 0.5"),
        ("recall 0.512", "recall 0.530"),
        ("gain 0.05", "gain -0.05"),
        ("loss 0.5", "loss nan"),
        ("the best", "the worst"),
        ("float32", "float64"),
        ("version 2.1.0", "version 2.2.0"),
        ("0.5 0.5", "0.5"),
        ("1 2", "12"),
        ("hash 0xdeadbeef", "hash 0xdeadbee1"),
    ],
)
def test_real_differences_fail(old: str, new: str) -> None:
    assert difference(old, new) is not None


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("took 1.2 s", "took 950 ms"),
        ("took 1 min 5 s", "took 58.2 s"),
        ("took 3 seconds, 2 minutes", "took 4 seconds, 1 minutes"),
        (
            "1.2 ms ± 45 µs per loop (7 runs, 1,000 loops each)",
            "2 ms ± 1 ms per loop (7 runs, 100 loops each)",
        ),
        ("12,345 users/s", "23,456 users/s"),
        ("1.2k training examples/s", "900 training examples/s"),
        ("300 lists per second", "500 lists per second"),
        ("12.3x faster", "9x faster"),
        ("4 × faster", "5 × faster"),
        ("10/10 ━━━━━ 1s 95ms/step - loss: 0.53", "10/10 ━━━━━ 0s 8ms/step - loss: 0.53"),
        ("120 MB of memory", "133.5 MB of memory"),
        ("(12 ns)", "(1 us)"),
        ("half and nearly all 1.2/3.4 ms", "half and nearly all 2.2/9.4 ms"),
    ],
)
def test_times_are_masked(old: str, new: str) -> None:
    assert difference(old, new) is None


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("took 1.2 s for 10 users", "took 1.2 s for 11 users"),
        ("10 items", "11 items"),
        ("mean 0.5 min 0.1 max 0.9", "mean 0.6 min 0.1 max 0.9"),
        ("model of 12.5 MB", "model of 25.0 MB"),
        ("2 stages", "3 stages"),
        ("loss 0.5 / 3 s", "loss 0.6 / 3 s"),
        ("loss 0.5\nusers/s", "loss 0.6\nusers/s"),
        ("took 1.2 s", "needed 1.2 s"),
    ],
)
def test_what_only_looks_like_a_time_is_compared(old: str, new: str) -> None:
    assert difference(old, new) is not None


def test_varies_compares_only_fractions_and_loosely() -> None:
    assert (
        difference("1. Alien 0.50\n2. Heat 0.40", "1. Heat 0.55\n2. Alien 0.38", "varies") is None
    )
    assert difference("best of 10: 0.50", "best of 12: 0.52", "varies") is None
    assert difference("Alien 0.5", "Alien 0.5 Heat 0.4", "varies") is None
    assert difference("recall 0.50", "recall 0.60", "varies") is not None
    assert difference("loss 0.50", "loss nan", "varies") is not None
    assert difference("recall 0.50", "recall 0.55") is not None


def test_timing_asks_only_that_the_cell_ran_and_printed() -> None:
    assert difference("10 runs, a", "99 runs, b", "timing") is None
    ran = cell(stream("10"), tags=["timing"])
    assert "never run" in compare.cell_difference(
        cell(stream("10"), tags=["timing"], count=None), ran
    )
    assert "missing" in compare.cell_difference(cell(tags=["timing"]), ran)
    assert "no output" in compare.cell_difference(ran, cell(tags=["timing"]))


def test_unexecuted_cells_and_missing_outputs_fail() -> None:
    assert compare.cell_difference(cell(), cell()) is None
    assert (
        compare.cell_difference(cell(source=" ", count=None), cell(source=" ", count=None)) is None
    )
    assert "never run" in compare.cell_difference(cell(count=None), cell())
    assert "missing" in compare.cell_difference(cell(), cell(stream("10")))
    assert compare.cell_difference(cell(stream("10")), cell()) is not None


def test_tables_are_compared_by_their_text() -> None:
    page = "<style>.{} {{}}</style><table><tr><td>Alien</td><td>{}</td></tr></table>"
    old = cell(shown(text_html=page.format("a", "0.512")))
    assert compare.cell_difference(old, cell(shown(text_html=page.format("b", "0.515")))) is None
    said = compare.cell_difference(old, cell(shown(text_html=page.format("a", "0.812"))))
    assert "-| Alien | 0.512\n+| Alien | 0.812" in said
    marked = [cell(shown(text_markdown=text)) for text in ("*a*", "*b*")]
    assert compare.cell_difference(*marked) is not None


def test_pictures_are_compared_by_presence() -> None:
    fallback = "<Figure size 640x480 with 1 Axes>"
    old = cell(shown(image_png="AAAA", text_plain=fallback))
    assert compare.cell_difference(old, cell(shown(image_png="BBBB", text_plain=fallback))) is None
    assert "image/png" in compare.cell_difference(old, cell(shown(text_plain=fallback)))
    assert compare.cell_difference(old, cell()) is not None


def test_the_report_shows_only_lines_that_differ() -> None:
    old = "\n".join(f"row {i} 0.5000 took 1 s" for i in range(50))
    new = old.replace("0.5000 took 1 s", "0.5001 took 2 s").replace("row 7 0.5001", "row 7 0.7001")
    assert difference(old, new).splitlines()[1:] == [
        "-row 7 0.5000 took 1 s",
        "+row 7 0.7001 took 2 s",
    ]
    added = difference("a 1\nb 2", "a 1\nnew 5\nb 2").splitlines()
    assert added[1:] == ["+new 5"]
    long = difference("\n".join("abc" * 20), "\n".join("xyz" * 20)).splitlines()
    assert len(long) == compare.DIFF_LINES + 2 and long[-1].endswith("more lines")


# --- One form for outputs -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "seen"),
    [
        ("10%\r50%\r100%\n", "100%\n"),
        ("done\n 50%|##  |\r          \r", "done\n"),
        ("long line\rxy", "xyng line"),
        ("1/2\x08\x08\x082/2\n", "2/2\n"),
        ("outer\n\rinner\x1b[A\r     \n\r     \r", "\n"),
        ("\x1b[1m10/10\x1b[0m \x1b[32mfine\x1b[0m", "10/10 fine"),
        ("a  \nb", "a  \nb"),
    ],
)
def test_text_is_what_a_terminal_shows(written: str, seen: str) -> None:
    assert outputs.as_terminal(written) == seen
    assert outputs.as_terminal(seen) == seen


WIDGET = "application/vnd.jupyter.widget-view+json"


def test_outputs_are_normalised() -> None:
    written = [
        stream("a\n"),
        stream("\r 50%", "stderr"),
        stream("b\n"),
        stream("\r    \r", "stderr"),
        v4.new_output("display_data", data={WIDGET: {}, "text/plain": "HBox()"}),
        stream("c at 0x7f32aabbcc00\n"),
        v4.new_output(
            "execute_result", data={"text/plain": "<f at 0x7f32aabbcc00>"}, execution_count=9
        ),
    ]
    kept = outputs.normalise_outputs(written)
    assert [output.get("text") for output in kept] == ["a\nb\nc at 0x…\n", None]
    assert kept[1].data["text/plain"] == "<f at 0x…>"
    assert outputs.normalise_outputs(kept) == kept


def test_only_information_of_native_libraries_is_dropped_from_stderr() -> None:
    head = (
        "WARNING: All log messages before absl::InitializeLog() is called are written to STDERR\n"
    )
    information = (
        "I0000 00:00:1700000000.123456     123 cudart_stub.cc:31] Could not find cuda drivers.\n"
    )
    warning = "W0000 00:00:1700000000.123456     123 some_file.cc:31] Data were lost.\n"
    assert outputs.normalise_outputs([stream(head + information, "stderr")]) == []
    assert outputs.normalise_outputs([stream(head + warning, "stderr")])[0].text == warning
    assert outputs.normalise_outputs([stream(head + information)])[0].text == head + information


def test_metadata_is_normalised() -> None:
    cells = [v4.new_markdown_cell("# T"), cell(count=7, source="a"), cell(count=None, source="b")]
    book = v4.new_notebook(cells=cells)
    mine = {"name": "mine", "display_name": "Mine"}
    book.metadata = nbformat.NotebookNode(widgets={}, kernelspec=mine, title="t")
    book.cells[1].metadata = nbformat.NotebookNode(execution={"iopub": "1"}, tags=["varies"])
    plain = outputs.normalise(book)
    assert plain.metadata == {
        "kernelspec": {"display_name": "Python 3", "name": "python3"},
        "language_info": {"name": "python"},
    }
    assert plain.cells[1].metadata == {"tags": ["varies"]}
    assert [made.execution_count for made in plain.cells[1:]] == [1, None]
    assert [made.id for made in plain.cells] == [made.id for made in book.cells]


# --- Blemishes and updates ------------------------------------------------------------------------


#: A checkout, and the folder for what is temporary.
CHECKOUT, SCRATCH = Path("/", "srv", "checkout"), Path("/", "tmp")


@pytest.fixture(scope="module")
def paths() -> Any:
    return outputs.machine_paths([CHECKOUT])


@pytest.mark.parametrize(
    "output",
    [
        stream("boom", "stderr"),
        stream("m.py:1: UserWarning: careful"),
        stream("WARNING:tensorflow: careful"),
        stream(f"saved to {CHECKOUT / 'model'}"),
        stream(f"saved to {Path.home() / 'model'}"),
        shown(text_html=f"<b>{SCRATCH / 'ipykernel_1' / '2.py'}</b>"),
        shown(text_plain=repr(SCRATCH)),
        v4.new_output("error", ename="ValueError", evalue="", traceback=[]),
    ],
)
def test_blemishes_are_found(output: Any, paths: Any) -> None:
    assert outputs.blemish(cell(output), paths)


@pytest.mark.parametrize(
    "output",
    [
        stream(
            "a warning was given, see https://example.org" + f"{SCRATCH}/page and data{SCRATCH}/x"
        ),
        stream("saved to model/, not to " + f"{CHECKOUT}-2"),
        shown(image_png=f"{SCRATCH}/AAAA"),
    ],
)
def test_clean_outputs_pass(output: Any, paths: Any) -> None:
    assert outputs.blemish(cell(output), paths) is None


def books(*cells: tuple[str, Any, Any]) -> tuple[Any, Any]:
    """A committed notebook and its fresh run, from (source, committed output, fresh output)."""
    old = v4.new_notebook(cells=[cell(output, source=source) for source, output, _ in cells])
    new = copy.deepcopy(old)
    for made, (_, _, output) in zip(new.cells, cells, strict=True):
        made.outputs = [output]
    return old, new


def first_outputs(notebook: Any) -> list[Any]:
    return [
        made.outputs[0].get("text") or made.outputs[0].data["image/png"] for made in notebook.cells
    ]


def test_outputs_stay_up_to_the_first_that_differs(paths: Any) -> None:
    old, new = books(
        ("a", stream("0.500 in 1 s"), stream("0.501 in 2 s")),
        ("b", stream("10"), stream("11")),
        ("c", stream("0.500"), stream("0.501")),
    )
    merged, differences = compare.merge(old, new, False, paths)
    assert first_outputs(merged) == ["0.500 in 1 s", "11", "0.501"]
    assert len(differences) == 1 and differences[0].startswith("cell 2 [2] `b`")


def test_pictures_change_with_their_code(paths: Any) -> None:
    picture = ("draw()", shown(image_png="OLD"), shown(image_png="NEW"))
    text = ("1", stream("0.500"), stream("0.501"))
    merged, differences = compare.merge(*books(text, picture), False, paths)
    assert (
        first_outputs(merged) == ["0.500", "NEW"] and not differences
    )  # nothing said what had drawn it

    fresh = copy.deepcopy(merged)
    fresh.cells[1].outputs = [shown(image_png="NEWER")]
    again, differences = compare.merge(merged, fresh, False, paths)
    assert again == merged and not differences
    assert first_outputs(compare.merge(merged, fresh, True, paths)[0]) == ["0.500", "NEWER"]

    for index in (0, 1):  # the cell itself, or a cell that it builds on
        edited = copy.deepcopy(merged)
        edited.cells[index].source += "  # edited"
        after, differences = compare.merge(edited, fresh, False, paths)
        assert first_outputs(after)[1] == "NEWER"
        assert len(differences) == 1 and "drawn by earlier code" in differences[0]


# --- Runs -----------------------------------------------------------------------------------------

PNG = base64.b64encode(b"picture").decode()
GOOD = [
    "import os, sys, time, pathlib\nprint(2 + 2, pathlib.Path.cwd().name, os.environ['PYTHONHASHSEED'])",
    f"assert sys.executable == {sys.executable!r}\nassert os.environ['TF_CPP_MIN_LOG_LEVEL'] == '3'",
    "for i in range(3):\n    print(f'\\r{i}/3', end='', file=sys.stderr, flush=True)\n    print(i)\n"
    "print('\\r      \\r', end='', file=sys.stderr)",
    "print(f'took {time.time():.3f} s, score {0.5 + time.time() % 1 / 1e4:.6f}')",
    f"from IPython.display import display\ndisplay({{'image/png': {PNG!r}}}, raw=True)",
    "object()",
    "print(time.time())",
    "",
]


def put(folder: Path, name: str, sources: Sequence[str], **tags: str) -> Path:
    """Writes a notebook that never ran; tags are given as c3="varies" for the fourth code cell."""
    cells = [v4.new_code_cell(source) for source in sources]
    for place, tag in tags.items():
        cells[int(place[1:])].metadata["tags"] = [tag]
    path = folder / f"{name}.ipynb"
    nbformat.write(
        v4.new_notebook(cells=[v4.new_markdown_cell(f"# Title of {name} & more"), *cells]), path
    )
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Notebooks, one good and some bad."""
    made = tmp_path_factory.mktemp("checkout") / "notebooks"
    made.mkdir()
    put(made, "q01_good", GOOD, c6="timing")
    put(made, "q02_raises", ["print(1)", "x = 0\n1 / x", "print(2)"])
    put(
        made,
        "q03_blemishes",
        [
            "import sys, warnings\nprint('oh', file=sys.stderr)",
            "warnings.warn('careful')",
            "print('FutureWarning: careful')",
            "import os\nprint(os.getcwd())",
            "print('x' * 1_100_000)",
        ],
    )
    put(made, "q04_dies", ["import os\nos._exit(3)"])
    put(made, "q05_hangs", ["import time\ntime.sleep(60)"])
    return made


def command(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs the harness on `folder` as a command, where another kernel is installed as python3."""
    kernel = folder.parent / "share" / "kernels" / "python3"
    kernel.mkdir(parents=True, exist_ok=True)
    (kernel / "kernel.json").write_text(
        '{"argv": ["false"], "display_name": "x", "language": "python"}'
    )
    code = (
        f"import sys, pathlib; sys.path.insert(0, {str(TOOLS)!r}); import execute; "
        f"sys.exit(execute.main(sys.argv[1:], folder=pathlib.Path({str(folder)!r})))"
    )
    words = [sys.executable, "-c", code, *arguments]
    environment = {
        **os.environ,
        "JUPYTER_PATH": str(folder.parent / "share"),
        "PYTHONWARNINGS": "ignore",
    }
    return subprocess.run(words, capture_output=True, text=True, timeout=60, env=environment)


@pytest.fixture(scope="module")
def updated(folder: Path) -> subprocess.CompletedProcess[str]:
    """The first --update of the good notebook and of the bad ones."""
    return command(folder, "--update", "--jobs", "2", "--timeout", "3")


def test_bad_notebooks_fail_and_the_others_still_run(folder: Path, updated: Any) -> None:
    said = updated.stdout
    assert updated.returncode == 1, said + updated.stderr
    assert "updated   q01_good" in said
    assert "q02_raises cell 3 [2] `x = 0`: raised ZeroDivisionError: division by zero\n" in said
    assert "    ----> 2 1 / x\n" in said
    assert (
        "q03_blemishes cell 2 [1] `import sys, warnings`: wrote to standard error:\n    oh" in said
    )
    assert "cell 3 [2] `warnings.warn('careful')`: an output holds a warning" in said
    assert "cell 4 [3] `print('FutureWarning: careful')`: an output holds a warning" in said
    assert "cell 5 [4] `import os`: an output holds a path of this machine" in said
    assert "q03_blemishes the notebook would have 1.10 MB, more than 1 MB" in said
    assert "q04_dies cell 2 [1] `import os`: Kernel died" in said
    assert "q05_hangs cell 2 [1] `import time`: ran for more than 3 s" in said
    assert "4 of 5 notebooks failed: q02_raises, q03_blemishes, q04_dies, q05_hangs" in said
    assert "make lab" in said and updated.stderr == ""
    for name in ("q02_raises", "q03_blemishes"):
        cells = nbformat.read(folder / f"{name}.ipynb", as_version=4).cells
        assert not any(made.get("outputs") for made in cells), (
            "a failed notebook must not be written"
        )


def test_pages_are_written_with_an_index(folder: Path, updated: Any) -> None:
    pages = folder.parent / "build" / "notebooks"
    assert "4 notebooks 0" in (pages / "q01_good.html").read_text(encoding="utf-8")
    index = (pages / "index.html").read_text(encoding="utf-8")
    assert '<a href="q01_good.html">Title of q01_good &amp; more</a>' in index
    assert "q02_raises.html" in index


def test_update_is_idempotent_and_then_the_check_passes(
    folder: Path, updated: Any, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = folder / "q01_good.ipynb"
    before = path.read_bytes()
    assert execute.main(["--update", "q01", "--html", str(tmp_path)], folder=folder) == 0
    assert "unchanged q01_good" in capsys.readouterr().out
    assert path.read_bytes() == before
    assert not list(folder.glob(".*"))

    cells = [made for made in nbformat.read(path, as_version=4).cells if made.cell_type == "code"]
    assert [made.execution_count for made in cells] == [1, 2, 3, 4, 5, 6, 7, None]
    assert [output.text for output in cells[2].outputs] == ["0\n1\n2\n"]
    assert cells[5].outputs[0].data["text/plain"] == "<object at 0x…>"


def test_a_changed_notebook_fails_and_update_repairs_it(
    folder: Path, updated: Any, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = folder / "q01_good.ipynb"
    before = path.read_text(encoding="utf-8")
    path.write_text(before.replace("4 notebooks 0", "5 notebooks 0"), encoding="utf-8")
    assert execute.main(["q01_good", "--html", str(tmp_path)], folder=folder) == 1
    said = capsys.readouterr().out
    assert "FAILED    q01_good" in said
    assert "q01_good cell 2 [1] `import os, sys, time, pathlib`: the outputs differ" in said
    assert "    -5 notebooks 0\n    +4 notebooks 0\n" in said
    assert path.read_text(encoding="utf-8") != before

    assert execute.main(["q01_good", "--update", "--html", str(tmp_path)], folder=folder) == 0
    assert "4 notebooks 0" in path.read_text(encoding="utf-8")


def test_names_select_notebooks(folder: Path, tmp_path: Path) -> None:
    stems = [path.stem for path in execute.select(folder, ["q02", "q01_good", "q02_raises.ipynb"])]
    assert stems == ["q01_good", "q02_raises"]
    assert len(execute.select(folder, [])) == 5
    with pytest.raises(ValueError, match="no notebooks"):
        execute.select(tmp_path, [])


def test_an_unknown_name_is_refused_in_one_line(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert execute.main(["q99"], folder=folder) == 2
    said = capsys.readouterr().err
    assert said.startswith("execute.py: no notebook is called 'q99'") and said.count("\n") == 1


def test_a_file_that_is_no_notebook_fails_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "notebooks"
    folder.mkdir()
    (folder / "q01_broken.ipynb").write_text("no json", encoding="utf-8")
    assert execute.main([], folder=folder) == 1
    assert "q01_broken NotJSONError" in capsys.readouterr().out
