"""The loop of `check` in a terminal, driven through one: files are saved, keys are pressed, the screen is read."""

from __future__ import annotations

import os
import re
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import practice_kit
import psutil
import pytest

from keras_recs.practice.exercise import Exercise
from keras_recs.practice.notes import Notes
from keras_recs.practice.watch import Watch, _changed

pty = pytest.importorskip("pty", reason="a terminal of our own is to be had on POSIX only")
termios = pytest.importorskip("termios")

ROOT = Path(__file__).resolve().parents[1]
KEYS = "saved files are checked again"


class Terminal:
    """A command in a terminal."""

    def __init__(self, folder: Path, *arguments: str, **environment: str) -> None:
        self.master, self.slave = pty.openpty()
        self.before = termios.tcgetattr(self.slave)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "keras_recs", *arguments],
            stdin=self.slave,
            stdout=self.slave,
            stderr=self.slave,
            cwd=folder,
            start_new_session=True,
            preexec_fn=practice_kit.interruptible,
            env={
                **os.environ,
                "PYTHONPATH": str(ROOT),
                "TERM": "xterm",
                "COLUMNS": "110",
                **environment,
            },
        )
        self.text = ""

    def press(self, key: str) -> None:
        os.write(self.master, key.encode())

    def until(self, pattern: str, seconds: float = 90) -> str:
        """What is shown until `pattern` is, without colours; what comes after is kept."""
        end = time.monotonic() + seconds
        while not (found := re.search(pattern, self.text, re.DOTALL)):
            assert time.monotonic() < end, f"no {pattern!r} in {self.text[-3000:]!r}"
            if select.select([self.master], [], [], 0.1)[0]:
                try:
                    data = os.read(self.master, 65536).decode(errors="replace")
                except OSError:  # the other side is closed
                    data = ""
                self.text += re.sub(r"\x1b\[[0-9;]*[mJH]", "", data)
        said, self.text = self.text[: found.end()], self.text[found.end() :]
        return said

    def others(self) -> list[psutil.Process]:
        """All processes that the command has started, and theirs."""
        return psutil.Process(self.process.pid).children(recursive=True)

    def close(self) -> None:
        if self.process.poll() is None:
            for other in [*self.others(), psutil.Process(self.process.pid)]:
                other.kill()
        self.process.wait()
        os.close(self.master)
        os.close(self.slave)


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("KERAS_RECS_TESTS", str(practice_kit.folder_of_tests(tmp_path / "tests")))
    file = tmp_path / "practice" / f"{practice_kit.STEM}.py"
    file.parent.mkdir()
    file.write_text(practice_kit.written())
    return file


@pytest.fixture
def terminal(mine: Path, tmp_path: Path) -> Iterator[Terminal]:
    terminal = Terminal(tmp_path, "check", "5")
    yield terminal
    terminal.close()


def all_gone(processes: list[psutil.Process]) -> bool:
    return not psutil.wait_procs(processes, timeout=10)[1]


def test_saves_are_judged_and_keys_answered(terminal: Terminal, mine: Path, tmp_path: Path) -> None:
    said = terminal.until(KEYS)
    assert "0 of 4 functions done" in said and "begin with predict" in said and "✗" not in said

    end = (
        time.monotonic() + 30
    )  # the screen comes before the check ends, and only a check that ends is an attempt
    while not (mine.parent / "progress.json").exists() and time.monotonic() < end:
        time.sleep(0.05)
    mine.write_text(practice_kit.written("predict", loss="print('here')\nreturn 0.0"))
    said = terminal.until(f"loss ✗.*predict holds.*{KEYS}")
    assert "1 of 4 functions done   predict ✓   loss ✗   gradient –   descend –" in said
    assert "loss: the penalty counts parameters that no rating uses" in said
    assert re.search(
        r"yours 0, expected 0\.5\s+looked for: The loss.*practice/q05_matrix_factorization\.py:\d+\s+"
        r"you printed:\s+here",
        said,
        re.DOTALL,
    )
    assert "predict holds: 2 lines (the reference: 2)" in said

    terminal.press("h")
    assert "for loss: " in terminal.until(rf"hint 1 of \d.*{KEYS}")
    terminal.press("a")
    assert "✓ A prediction is the sum" in terminal.until(rf"the rest.*{KEYS}")
    terminal.press("s")
    said = terminal.until(rf"loss: - yours, \+ the reference.*{KEYS}")
    assert "-    return 0.0" in said and "+    return 0.5 * float(" in said
    terminal.press("a")
    terminal.press("s")
    terminal.until(rf"s reference beside yours.*{KEYS}")

    part = mine.with_suffix(".new")  # as many editors do
    part.write_text(practice_kit.written(*practice_kit.HEARTS))
    os.replace(part, mine)
    said = terminal.until(f"All 5 behaviours hold.*{KEYS}")
    assert (
        "4 of 4 functions done" in said and "loss holds: 3 lines" in said and "practice 6" in said
    )

    others = terminal.others()
    assert others, "there is a server"
    terminal.press("q")
    assert terminal.process.wait(20) == 0
    assert all_gone(others), "no process stays"
    assert termios.tcgetattr(terminal.slave) == terminal.before, "the terminal is as before"
    assert Notes(mine.parent).of(5)["best"] == 5 and Notes(mine.parent).of(5)["attempts"] == 3


def test_loops_crashes_and_errors_end_a_check_and_not_the_watch(
    terminal: Terminal, mine: Path
) -> None:
    terminal.until(KEYS)
    mine.write_text("while True: pass\n")
    terminal.until("checking")
    time.sleep(1)
    mine.write_text("x = (\n")
    assert f"practice/{mine.name}:1" in terminal.until(f"was never closed.*{KEYS}")
    mine.write_text("import os; os.kill(os.getpid(), 9)\n")
    assert "signal 9" in terminal.until(rf"the check was ended by.*{KEYS}")
    mine.write_text(practice_kit.written("predict"))
    assert "predict ✓" in terminal.until(f"1 of 4 functions done.*{KEYS}")
    mine.unlink()
    terminal.until("is not there; waiting for it")
    mine.write_text(practice_kit.written("predict", "loss"))
    terminal.until(f"2 of 4 functions done.*{KEYS}")


@pytest.mark.parametrize("how", ["ctrl-c", "terminate", "hang up"])
def test_however_it_ends_the_terminal_and_the_processes_are_as_before(
    terminal: Terminal, mine: Path, how: str
) -> None:
    terminal.until(KEYS)
    mine.write_text(practice_kit.written(predict="while True: pass"))
    terminal.until("checking")
    time.sleep(1)
    others = terminal.others()
    assert len(others) >= 2, "a server and its fork"
    if how == "ctrl-c":
        os.kill(terminal.process.pid, signal.SIGINT)  # what the terminal sends
    else:
        os.kill(terminal.process.pid, signal.SIGTERM if how == "terminate" else signal.SIGHUP)
    terminal.process.wait(20)
    assert all_gone(others) and termios.tcgetattr(terminal.slave) == terminal.before
    assert "Traceback" not in terminal.text


def test_a_killed_watch_leaves_no_process(terminal: Terminal, mine: Path) -> None:
    terminal.until(KEYS)
    mine.write_text(practice_kit.written(predict="while True: pass"))
    terminal.until("checking")
    time.sleep(1)
    others = terminal.others()
    terminal.process.kill()
    assert all_gone(others)


def test_a_folder_that_goes_and_comes_back_is_watched_again(terminal: Terminal, mine: Path) -> None:
    terminal.until(KEYS)
    shutil.rmtree(mine.parent)
    terminal.until("is not there; waiting for it")
    mine.parent.mkdir(exist_ok=True)  # the notes may have made it again
    mine.write_text(practice_kit.written("predict"))
    terminal.until(f"next, loss.*{KEYS}")
    mine.write_text(practice_kit.written("predict", "loss"))
    terminal.until(f"next, gradient.*{KEYS}")
    terminal.press("r")
    assert "0 of 0" not in terminal.until(f"next, gradient.*{KEYS}")


def test_a_server_that_is_lost_is_replaced(terminal: Terminal, mine: Path) -> None:
    terminal.until(KEYS)
    for other in terminal.others():
        other.kill()
    terminal.until(f"checking.*begin with predict.*{KEYS}")
    mine.write_text(practice_kit.written("predict"))
    terminal.until(f"1 of 4 functions done.*{KEYS}")


def test_the_time_limit_names_the_test_and_the_watch_goes_on(mine: Path, tmp_path: Path) -> None:
    terminal = Terminal(tmp_path, "check", "5", "--seconds", "8")
    try:
        terminal.until(KEYS)
        mine.write_text(practice_kit.written("predict", loss="while True: pass"))
        said = terminal.until(f"Stopped after 8 s.*{KEYS}")
        assert "The loss counts what has ratings." in said and "predict ✓" in said
        mine.write_text(practice_kit.written("predict", "loss"))
        terminal.until(f"2 of 4 functions done.*{KEYS}")
    finally:
        terminal.close()


def test_a_loop_is_named_long_before_the_time_limit(mine: Path, monkeypatch) -> None:
    monkeypatch.setattr("keras_recs.practice.watch.QUIET", 1.0)
    said: list[str] = []
    loop = Watch(
        Exercise(practice_kit.Q, mine, mine.parent), lambda text, screen: said.append(text)
    )
    mine.write_text(practice_kit.written("predict", loss="while True: pass"))

    end = time.monotonic() + 60
    try:
        loop._open()
        while "endless loop" not in "".join(said[-1:]) and time.monotonic() < end:
            loop._step()
    finally:
        loop._close()
    assert "running for more than 1 s: The loss counts what has ratings." in said[-1]
    assert "next, " not in said[-1] and "repair it and save" in " ".join(said[-1].split())
    assert "1 more behaviours" not in said[-1]


def test_the_next_exercise_is_a_key_away(terminal: Terminal, mine: Path) -> None:
    terminal.until(KEYS)
    terminal.press("n")
    assert "begin with word_weights" in terminal.until(f"q06   0 of 5 functions done.*{KEYS}")
    assert (mine.parent / "q06_content_embedding.py").exists()


def test_no_color_means_no_codes(mine: Path, tmp_path: Path) -> None:
    terminal = Terminal(tmp_path, "check", "5", NO_COLOR="1")
    raw = b""
    try:
        while KEYS.encode() not in raw:
            raw += os.read(terminal.master, 65536)
    finally:
        terminal.close()
    assert b"\x1b" not in raw


def test_a_pipe_gets_one_plain_report(mine: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "keras_recs", "check", "5"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        timeout=120,
    )
    assert (
        done.returncode == 1 and KEYS not in done.stdout and "\x1b" not in done.stdout + done.stderr
    )


def test_the_function_that_is_written_is_judged_first(mine: Path) -> None:
    from keras_recs.practice.grading import Check

    def checked(*hearts: str, **instead: str) -> Check:
        mine.write_text(practice_kit.written(*hearts, **instead))
        return Check(practice_kit.Q, mine)

    before = checked("predict", loss="return 1")
    assert _changed(checked("predict", loss="return 2"), before) == ["loss"]
    assert _changed(checked("predict", "descend", loss="return 1"), before) == ["descend"]
    assert _changed(checked("predict", loss="return 1"), None) == []


def test_of_each_group_the_longest_test_starts_first(mine: Path) -> None:
    from keras_recs.practice.grading import Check

    check = Check(practice_kit.Q, mine)
    needs = {
        "a": ["predict"],
        "b": ["predict", "loss"],
        "c": ["predict", "loss"],
        "d": [],
        "e": ["descend"],
    }
    check.tests = {
        i: {"id": i, "test": i, "says": i, "needs": needed} for i, needed in needs.items()
    }
    check.results = {
        i: {"seconds": s} for i, s in {"a": 3.0, "b": 1.0, "c": 2.0, "d": 9.0, "e": 4.0}.items()
    }
    assert check.longest(["loss"]) == ["c", "d"] and check.longest([]) == ["d"]


def test_what_is_known_is_shown_before_the_check_ends(mine: Path) -> None:
    """The verdict of the function in hand comes at once, though a test of another goes on for long."""
    screens: list[str] = []
    watch = Watch(
        Exercise(practice_kit.Q, mine, mine.parent), lambda text, screen: screens.append(text)
    )
    watch._open()
    try:
        while not (watch.check and watch.check.ended):
            watch._step()
        mine.write_text(practice_kit.written("predict", gradient="import time\ntime.sleep(600)"))
        while not (watch.check and "predict ✓" in screens[-1]):
            watch._step()
        assert not watch.check.ended and "more behaviours are being looked at" in screens[-1]
    finally:
        watch._close()
