"""README: what it says to type works, what it shows is what comes, and both languages say the same."""

from __future__ import annotations

import importlib.util
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import click
import pytest

from keras_recs.cli import cli
from keras_recs.questions import Answer, question
from keras_recs.questions.names import answer_named

ROOT = Path(__file__).resolve().parents[1]
ENGLISH, CHINESE, LONG = "README.md", "README.zh.md", "benchmarks/README.md"
pytestmark = pytest.mark.skipif(
    not (ROOT / ENGLISH).is_file(), reason="an installed package has no README"
)

#: What the README and the issue behind it name, and what is too slow, or waits for a person, to be
#: run here.
OF_THE_ISSUE = [
    "list",
    "list --json",
    "show 5",
    "show q05 --language zh",
    "show 24",
    "run 12 --answer ease --users 1",
    "run 4 --users 1",
    "leaderboard --questions 12",
    "leaderboard --protocol P3 --questions 4 --json",
    "assets",
    "progress",
    "ask 5 --language zh",
    "show 99",
    "run 12 --answer EASY",
    "--help",
    "run --help",
]
SLOW = {
    "run 12",
    "leaderboard",
    "leaderboard --out rows.json",
    "devices",
    "check 5",
    "check 5 --hint",
    "ask 5",
    "cards --out cards.apkg",
    "bughunt --report",
}


def text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf8")


def blocks(name: str, language: str = "") -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", text(name), flags=re.M | re.S)


def commands(name: str) -> list[str]:
    """Every `keras-recs …` of a README, in blocks and in running text, without its comment."""
    lines = [line for block in blocks(name) for line in block.splitlines()]
    lines += re.findall(
        r"`(keras-recs [^`]+)`", re.sub(r"^```.*?^```$", "", text(name), flags=re.M | re.S)
    )
    found = [re.match(r"(?:\$ )?keras-recs (.*?)\s*(?:  #.*)?$", line) for line in lines]
    return [" ".join(each[1].split("  #")[0].split()) for each in found if each]


# --- what it says to type ---


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """events.csv, in the folder where the commands are run."""
    rows = [
        f"u{user},f{(3 * user + step * step) % 11},{1 + (user + step) % 5},{step}"
        for user in range(9)
        for step in range(5)
    ]
    (tmp_path / "events.csv").write_text("who,film,stars,when\n" + "\n".join(rows) + "\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_every_command_is_parsed_as_written(log: Path) -> None:
    found = commands(ENGLISH)
    assert {"list", "show 5", "practice 5", "check 5 --hint", "run 12"} <= set(found) and len(
        found
    ) > 12
    for line in found:
        name, *arguments = shlex.split(line)
        command = cli.get_command(click.Context(cli), name)
        assert command is not None, f"keras-recs {line}"
        with command.make_context(name, arguments):  # a wrong option or argument is an error here
            pass


def test_the_commands_that_are_quick_run(run, log: Path) -> None:
    for line in dict.fromkeys(commands(ENGLISH)):
        if line not in SLOW and not line.startswith("assets get"):
            code, out, err = run(*shlex.split(line))
            assert code == 0 and out and not err, f"keras-recs {line}: {err}"


def test_the_python_block_runs_from_top_to_bottom(capsys: pytest.CaptureFixture[str]) -> None:
    (code,) = blocks(ENGLISH, "python")
    assert "load_cinema" in code and "load_movielens(" not in code, (
        "the block must run without a network"
    )
    exec(compile(code, ENGLISH, "exec"), {})
    out = capsys.readouterr().out
    assert "because you watched" in out and "ndcg@10" in out and len(out.splitlines()) > 10


def test_the_screen_that_is_shown_is_what_comes(run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    shown, again = (
        [block for block in blocks(name) if block.startswith("$ ")] for name in (ENGLISH, CHINESE)
    )
    assert len(shown) == 1 and shown == again
    command, _, screen = shown[0].removeprefix("$ keras-recs ").partition("\n")
    out = run(*shlex.split(command))[1]
    assert tidy(out) == tidy(screen), (
        f"put what `COLUMNS=80 keras-recs {command}` prints into both READMEs"
    )


def tidy(screen: str) -> list[str]:
    """A screen without what differs from run to run: the seconds, and blanks at the ends of lines."""
    return [re.sub(r"\d+\.\d\d s$", "… s", line.rstrip()) for line in screen.rstrip().splitlines()]


# --- what it says ---


def test_set_up_and_practice_come_first() -> None:
    headings = re.findall(r"^## (.*)", text(ENGLISH), flags=re.M)
    assert headings[:3] == ["Set-up", "Practice", "The first screen"]
    assert "make test" in text(ENGLISH) and "make notebooks" in text(ENGLISH)
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), flags=re.M))
    named = re.findall(r"(?:^|`)make ([a-z-]+)", text(ENGLISH), flags=re.M)
    assert len(named) > 4 and set(named) <= targets


def test_both_languages_say_the_same() -> None:
    english, chinese = text(ENGLISH), text(CHINESE)
    assert [line.partition(" ")[0] for line in english.splitlines() if line.startswith("#")] == [
        line.partition(" ")[0] for line in chinese.splitlines() if line.startswith("#")
    ]
    assert commands(ENGLISH) == commands(CHINESE)
    for of in (figures, spans, paths):
        assert of(english) == of(chinese)
    bare = [
        re.sub(r"#.*|because you watched|因为你看过", "", "\n".join(blocks(name, "python")))
        for name in (ENGLISH, CHINESE)
    ]
    assert [line.rstrip() for line in bare[0].splitlines()] == [
        line.rstrip() for line in bare[1].splitlines()
    ]
    assert not re.search(r"[\u4e00-\u9fff]{40,}", english)


def figures(document: str) -> list[list[str]]:
    """The figures of each row of the tables, and those of the running text."""
    rows = [
        re.findall(r"\d[\d.,]*", line) for line in document.splitlines() if line.startswith("|")
    ]
    prose = re.sub(r"^```.*?^```$|^\|.*?$", "", document, flags=re.M | re.S)
    return [*rows, sorted(set(re.findall(r"\d{2,}", prose)) - {"500"})]  # 5 million are 500 万


def spans(document: str) -> list[str]:
    """What stands between backticks in running text."""
    return sorted(
        set(re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```$", "", document, flags=re.M | re.S)))
    )


def paths(document: str) -> list[str]:
    return re.findall(r"^[a-z_]+/(?:[a-z]+/)?(?= )", document, flags=re.M)


def test_the_layout_names_every_package() -> None:
    packages = {
        f"keras_recs/{path.parent.name}/" for path in (ROOT / "keras_recs").glob("*/__init__.py")
    }
    assert packages <= set(paths(text(ENGLISH)))


# --- benchmarks ---


def test_the_telling_lines_are_lines_of_the_long_table() -> None:
    long = {
        tuple(cell.strip() for cell in line.strip("| ").split("|"))[:5]
        for line in text(LONG).splitlines()
    }
    lines = [
        tuple(cell.strip() for cell in line.strip("| ").split("|"))
        for line in text(ENGLISH).splitlines()
        if re.match(r"\| P\d ", line)
    ]
    assert len(lines) == 5 and set(lines) <= long


def test_the_long_tables_call_our_answers_by_their_names() -> None:
    ours = re.findall(r"\| (?:keras_recs )?q(\d\d): ([^|]*?) \|", text(LONG))
    assert len(ours) > 20
    for number, name in ours:
        assert answer_named(question(number), name).name == name


def test_the_scripts_write_into_the_long_tables(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    readme = script("readme")
    assert readme.README == ROOT / LONG
    copy = tmp_path / "README.md"
    copy.write_text(text(LONG), encoding="utf8")
    monkeypatch.setattr(readme, "README", copy)
    monkeypatch.setattr(readme, "SHORT", ())
    readme.put("scale", "| new |")
    assert "<!-- benchmarks/scale.py -->\n| new |\n<!-- /benchmarks/scale.py -->" in copy.read_text(
        encoding="utf8"
    )
    assert "surprise: SVD" in copy.read_text(encoding="utf8")
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    for name, (number, class_name, params) in script("scale").OURS.items():
        assert name == f"q{number:02d}: {Answer(class_name, params).name}"


def script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(
        f"benchmarks_{name}", ROOT / "benchmarks" / f"{name}.py"
    )
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


# --- on every console ---

#: Runs all commands in one process, and says how each ended.
DRIVER = """
import shlex, sys
from keras_recs.cli import main
for line in sys.argv[1:]:
    sys.argv = ["keras-recs", *shlex.split(line)]
    try:
        main()
    except SystemExit as end:
        print(f"\\n[{line}] {end.code}")
"""


def everything() -> list[str]:
    """All quick commands, on a log of one's own where they take data."""
    lines = [
        *OF_THE_ISSUE,
        *(line for line in dict.fromkeys(commands(ENGLISH)) if line not in SLOW),
    ]
    own = " --data events.csv --user who --item film --rating stars --time when"
    return [
        line + own if re.match(r"(run|leaderboard) (?!.*(--data|EASY|--help))", line) else line
        for line in lines
        if not line.startswith(("assets get", "practice", "bughunt"))
    ]


@pytest.mark.parametrize(
    ("width", "console"),
    [
        ("60", {"PYTHONIOENCODING": "gbk"}),
        ("120", {"PYTHONIOENCODING": "gbk"}),
        ("60", {"PYTHONIOENCODING": "ascii", "NO_COLOR": "1"}),
        ("80", {"PYTHONUTF8": "0", "LC_ALL": "C"}),
        ("120", {"FORCE_COLOR": "1"}),
    ],
)
def test_all_commands_end_without_a_traceback_on_every_console(
    log: Path, width: str, console: dict
) -> None:
    environment = {**os.environ, "COLUMNS": width, **console}
    done = subprocess.run(
        [sys.executable, "-c", DRIVER, *everything()],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        cwd=log,
        env=environment,
    )
    out, err = (
        stream.decode(console.get("PYTHONIOENCODING", "utf8"))
        for stream in (done.stdout, done.stderr)
    )
    assert done.returncode == 0 and "Traceback" not in out + err, err
    assert err.count("\n") == 2, err  # the two wrong ones, a line each
    codes = re.findall(r"^\[(.*)\] (\d)$", out, flags=re.M)
    assert [code for _, code in codes] == [
        "2" if line in ("show 99", "run 12 --answer EASY") else "0" for line in everything()
    ]
    if console.get("PYTHONIOENCODING") == "gbk":
        assert "从零实现矩阵分解推荐" in out and "★" in out
    if console.get("PYTHONIOENCODING") == "ascii":
        assert '"title_zh": "\\u' in out  # JSON loses nothing
    if "NO_COLOR" in console:
        assert "\x1b" not in out


@pytest.mark.parametrize(
    "line",
    [
        "list",
        "show 5 --json",
        "run 12 --answer ease --data events.csv --user who --item film --time when",
        "assets",
    ],
)
def test_a_pipe_that_is_closed_ends_the_command_quietly(log: Path, line: str) -> None:
    reading, writing = os.pipe()
    os.close(reading)  # nobody reads, as after `| head -1`
    try:
        done = subprocess.run(
            [sys.executable, "-m", "keras_recs", *shlex.split(line)],
            stdout=writing,
            stderr=subprocess.PIPE,
            cwd=log,
        )
    finally:
        os.close(writing)
    assert done.stderr == b"" and done.returncode == 1


def test_a_full_disk_is_one_line(log: Path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("there is no /dev/full here")
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "keras_recs", "list"], stdout=full, stderr=subprocess.PIPE
        )
    assert (
        done.returncode == 1
        and done.stderr.startswith(b"keras-recs: ")
        and done.stderr.count(b"\n") == 1
    )
