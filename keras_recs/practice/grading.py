"""Runs the tests of a question on somebody's file, and says which behaviours hold and which
function is next."""

from __future__ import annotations

import ast
import contextlib
import json
import os
import queue
import secrets
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from keras_recs.practice.sources import answer_source
from keras_recs.practice.stubs import Function, functions, is_to_do, marked, task_of
from keras_recs.questions import Question
from keras_recs.utils.places import shipped

HERE = Path(__file__).resolve().parent
# what tests are marked with that need something fetched
FETCHED = {
    "pytest.mark.data",
    "pytest.mark.assets",
}
USUAL = "not data and not assets"
SECONDS = 300  # the longest that a check may take
HOLDS, FAILS, TO_DO, WAITS, SKIPPED, NOT_RUN = (
    "holds",
    "fails",
    "to do",
    "waits",
    "skipped",
    "not run",
)


class CheckError(RuntimeError):
    """The tests could not be run; the message says why."""


@dataclass(frozen=True)
class Problem:
    """What was seen where a behaviour does not hold.

    Attributes:
        why: one sentence.
        yours, expected: short texts of two values; empty where there is nothing to compare.
        mistake: the sentence of a classic mistake that gives these values, or None.
        line, function: the last place in the reader's file that the error came through, or None.
    """

    why: str
    yours: str = ""
    expected: str = ""
    mistake: str | None = None
    line: int | None = None
    function: str | None = None

    def __str__(self) -> str:
        values = f"yours {self.yours}, expected {self.expected}" if self.expected else self.yours
        return "\n".join(part for part in (self.why, values, self.mistake) if part)


@dataclass(frozen=True)
class Behaviour:
    """One behaviour that a test looks for.

    Attributes:
        test: the name of the test.
        says: the behaviour in one line.
        state: holds, fails, to do (it needs a function that is not written), skipped, or not run.
        heart: the function that it judges, by qualified name; None for the rest.
        problem: what was seen, where it fails.
        printed: what the reader's code printed meanwhile.
        seconds: what it took.
    """

    test: str
    says: str
    state: str
    heart: str | None = None
    needs: tuple[str, ...] = ()
    problem: Problem | None = None
    printed: str = ""
    seconds: float = 0.0

    @property
    def holds(self) -> bool:
        return self.state == HOLDS

    @property
    def message(self) -> str:
        return str(self.problem or "")

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        seen = (
            {}
            if self.problem is None
            else {
                "yours": self.problem.yours,
                "expected": self.problem.expected,
                "mistake": self.problem.mistake,
                "line": self.problem.line,
            }
        )
        return {
            "test": self.test,
            "says": self.says,
            "holds": self.holds,
            "state": self.state,
            "heart": self.heart,
            "message": self.message,
            **seen,
            "printed": self.printed,
            "seconds": round(self.seconds, 3),
        }


@dataclass(frozen=True)
class Part:
    """One function that the reader has to write, and how far it is.

    Attributes:
        name: its qualified name.
        task: what it has to do.
        state: holds, fails, to do, waits (it is written, but judged only with another one that is
            not, or is wrong), or not run.
        behaviours: those that judge it.
        line: where it stands in the reader's file, if it does.
    """

    name: str
    task: str
    state: str
    behaviours: tuple[Behaviour, ...]
    line: int | None = None


@dataclass
class Check:
    """One check of one file: what it needs, and what is known of it so far.

    Args:
        q: the question.
        file: with the names of the library's answer.
        full: also on MovieLens and with pretrained encoders, which takes longer, and which may have
            to be fetched.
    """

    q: Question
    file: Path
    full: bool = False
    tests: dict[str, dict[str, Any]] = field(default_factory=dict)  # node id -> what was collected
    results: dict[str, dict[str, Any]] = field(default_factory=dict)  # node id -> what came out
    running: dict[str, float] = field(default_factory=dict)  # node id -> when it started
    read: bool = (
        False  # the file itself ran to its end: from then on, what runs is a function of it
    )
    broken: Problem | None = None  # the file cannot be run at all
    stopped: str | None = None  # why the check did not come to its end
    timed_out: bool = False
    fork_died: bool = (
        False  # before the first test: this system's forks do not get on with TensorFlow
    )
    ended: bool = False
    cpu: float = 0.0  # seconds of all its processes

    def __post_init__(self) -> None:
        self.answer = marked(answer_source(self.q))
        self.expected = expected_tests(self.q, self.full)
        self.mine: dict[str, Function] = {}
        self.source = ""
        try:
            self.source = self.file.read_text(encoding="utf-8-sig")  # some editors put a mark first
            tree = ast.parse(self.source, str(self.file))
            self.mine = functions(self.source)
            self.broken = _borrows(tree, self.q)
        except UnicodeDecodeError as error:
            self.broken = Problem(f"this is no text in UTF-8: {error}")
        except SyntaxError as error:
            said = (error.text or "").strip()
            self.broken = Problem(
                f"{type(error).__name__}: {error.msg}", yours=said, line=error.lineno
            )
        except (ValueError, RecursionError) as error:  # null bytes; brackets without end
            self.broken = Problem(f"Python cannot read this: {error}")
        self.to_do = [
            name for name in self.answer if name in self.mine and is_to_do(self.mine[name])
        ]

    # --- running it -------------------------------------------------------------------------------

    def request(
        self, number: int, log: Path, first: Sequence[str] = (), longest: Sequence[str] = ()
    ) -> dict[str, Any]:
        """What the server is asked for; `first` and `longest` as for the reporter."""
        file = str(self.file.resolve())
        return {
            "check": number,
            "file": file,
            "hearts": list(self.answer),
            "to_do": self.to_do,
            "log": str(log),
            "first": list(first),
            "longest": list(longest),
            "processes": processes(self.q),
            "bounded": not self.full,  # what is fetched may be large
            "arguments": arguments(self.q, "--answer", file, *([] if self.full else ["-m", USUAL])),
        }

    def take(self, record: dict[str, Any]) -> None:
        """One record of the server."""
        kind = record["event"]
        if kind == "collected" and not self.tests:
            self.tests = {test["id"]: test for test in record["tests"]}
        elif kind == "start":
            self.running[record["id"]] = time.monotonic()
        elif kind == "read":
            self.read = True
        elif kind == "result":
            self.running.pop(record["id"], None)
            before = self.results.get(record["id"])
            if (
                before is None or before["outcome"] == "passed"
            ):  # a failure to tidy up comes after the test
                self.results[record["id"]] = record
        elif kind == "broken" and self.broken is None:
            self.broken = _problem(record["problem"])
        elif kind == "end":
            self.ended, self.cpu = True, record.get("cpu", 0.0)
            self.fork_died = not self.tests and record["code"] < 0
            unheard = [
                i for i in self.tests if i not in self.results and not self._waits(self.tests[i])
            ]
            if unheard and not self.broken and not self.stopped:
                self.stopped = _death(record["code"], self.names_of(self.running))

    def late(self, seconds: float) -> None:
        """The time is over. What is known by now stays."""
        names = self.names_of(self.running)
        where = (
            f"while this was looked for: {names[0]}"
            if names and self.read
            else "while your file was read."
        )
        self.stopped = (
            f"Stopped after {seconds:g} s, the time limit, {where} Is there an endless loop?"
        )
        self.timed_out = self.ended = True

    def _waits(self, test: dict[str, Any]) -> bool:
        return bool(set(self.to_do) & set(test["needs"] or ()))

    def longest(self, first: Sequence[str]) -> list[str]:
        """The test that took longest, of those that judge one of `first`, and of the others."""
        found = []
        order = list(self.answer)
        for asked in (True, False):
            group = {
                i: result["seconds"]
                for i, result in self.results.items()
                if (
                    max(
                        (n for n in self.tests[i]["needs"] or () if n in order),
                        key=order.index,
                        default=None,
                    )
                    in first
                )
                == asked
            }
            found += [max(group, key=lambda i: group[i])] if group else []
        return found

    def names_of(self, ids: Any) -> list[str]:
        """What these tests look for."""
        return [self.tests[i]["says"] for i in ids if i in self.tests]

    # --- what is known ----------------------------------------------------------------------------

    @property
    def behaviours(self) -> list[Behaviour]:
        """All that are expected, in the order of the tests; what was not run does not hold."""
        cases: dict[str, list[str]] = {name: [] for name in self.expected}
        for i, test in self.tests.items():
            cases.setdefault(test["test"], []).append(i)
        return [self._behaviour(name, ids) for name, ids in cases.items()]

    def _behaviour(self, name: str, ids: list[str]) -> Behaviour:
        needs = [need for i in ids[:1] for need in self.tests[i]["needs"] or ()]
        heart = max(
            (n for n in needs if n in self.answer), key=list(self.answer).index, default=None
        )
        says = self.tests[ids[0]]["says"] if ids else self.expected.get(name, name)
        outcomes = [
            TO_DO if self._waits(self.tests[i]) else self.results.get(i, {}).get("outcome", NOT_RUN)
            for i in ids
        ] or [NOT_RUN]
        if self.broken is not None:
            return Behaviour(
                name,
                says,
                TO_DO if TO_DO in outcomes else NOT_RUN,
                heart,
                tuple(needs),
                self.broken,
            )
        done = [self.results[i] for i in ids if i in self.results]
        state = next(
            (
                state
                for outcome, state in (
                    ("failed", FAILS),
                    (TO_DO, TO_DO),
                    ("skipped", SKIPPED),
                    (NOT_RUN, NOT_RUN),
                )
                if outcome in outcomes
            ),
            HOLDS,
        )
        told = next(
            (r for r in done if r["outcome"] == ("failed" if state == FAILS else "skipped")), None
        )
        problem = None
        if told is not None and state == FAILS:
            problem = _problem(told["problem"] or {"why": "it does not hold"})
        elif told is not None and state == SKIPPED:
            problem = Problem(f"it was not run: {told['reason'].removeprefix('Skipped: ')}")
        printed = told["printed"] if told else ""
        return Behaviour(
            name,
            says,
            state,
            heart,
            tuple(needs),
            problem,
            printed,
            sum(r["seconds"] for r in done),
        )

    @property
    def parts(self) -> list[Part]:
        """The functions to write, in the order of the answer."""
        behaviours = self.behaviours
        found: list[Part] = []
        failing: set[str] = set()
        for name, node in self.answer.items():
            own = tuple(b for b in behaviours if b.heart == name)
            users = [b for b in behaviours if name in b.needs]
            mine = self.mine.get(name)
            state = self._state(name, own, users, failing)
            failing |= {name} if state == FAILS else set()
            found.append(
                Part(
                    name, task_of(node) or "", state, own, mine.lineno if mine is not None else None
                )
            )
        return found

    def _state(
        self, name: str, own: Sequence[Behaviour], users: Sequence[Behaviour], failing: set[str]
    ) -> str:
        if name in self.to_do:
            return TO_DO
        if self.broken is not None or not self.tests:
            return NOT_RUN
        # A behaviour that needs another function, which is wrong, says nothing about this one.
        states = {
            WAITS if b.state == FAILS and failing & set(b.needs) else b.state for b in own or users
        }
        if not own:  # nothing judges this function by itself
            return HOLDS if HOLDS in states else NOT_RUN if NOT_RUN in states else WAITS
        return (
            FAILS
            if FAILS in states
            else NOT_RUN
            if states & {NOT_RUN, SKIPPED}
            else (WAITS if states & {TO_DO, WAITS} else HOLDS)
        )

    @property
    def rest(self) -> list[Behaviour]:
        """Behaviours that need none of the functions."""
        return [b for b in self.behaviours if b.heart is None]

    @property
    def next(self) -> Part | None:
        """The function to work on: the first that fails, else the first whose tests have not come
        to their end, else the first that is not written."""
        parts = self.parts
        states = (FAILS, NOT_RUN, TO_DO) if self.stopped or not self.ended else (FAILS, TO_DO)
        return next((part for state in states for part in parts if part.state == state), None)

    @property
    def readable(self) -> bool:
        """Whether the file has functions that can be compared with others: it is Python."""
        return bool(self.mine)

    @property
    def holds(self) -> int:
        return sum(b.holds for b in self.behaviours)

    @property
    def passed(self) -> bool:
        """Every expected behaviour was looked for, and holds."""
        behaviours = self.behaviours
        return self.broken is None and bool(behaviours) and all(b.holds for b in behaviours)


class Worker:
    """The server of one question, and the checks that it is asked for.

    Args:
        q: the question.
        records: where the server's records go; a queue of its own by default.
        fork: whether checks are forks of the server, where the system has them.
    """

    def __init__(
        self,
        q: Question,
        records: Callable[[dict[str, Any]], None] | None = None,
        fork: bool = True,
    ) -> None:
        self.q = q
        self.queue: queue.Queue[dict[str, Any]] = queue.Queue()
        self.put = records or self.queue.put
        # nothing that a file which writes records of its own could guess
        self.number = secrets.randbits(48)
        self.group = 0
        self.folder = tempfile.TemporaryDirectory(prefix="keras-recs-")
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")
        }
        # The tests are small: on the CPU they are quicker than a GPU is awake, and a GPU does not
        # survive a fork.
        environment |= {
            "TF_CPP_MIN_LOG_LEVEL": "3",
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
            "CUDA_VISIBLE_DEVICES": "-1",
        }
        if not fork:
            environment["KERAS_RECS_FORK"] = "0"
        # Several processes share the tests, so each takes its share of the cores and no more.
        threads = str(max(1, _cores() // processes(q)))
        environment |= dict.fromkeys(
            (
                "OPENBLAS_NUM_THREADS",
                "OMP_NUM_THREADS",
                "MKL_NUM_THREADS",
                "TF_NUM_INTRAOP_THREADS",
                "TF_NUM_INTEROP_THREADS",
            ),
            threads,
        )
        self.process = subprocess.Popen(
            [sys.executable, "-m", "keras_recs.practice.server", q.stem, str(tests_folder())],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            try:
                record = json.loads(line)
                event = record["event"]
            except (
                ValueError,
                TypeError,
                KeyError,
                RecursionError,
            ):  # a file under test wrote it, not the server
                continue
            if event == "started":
                self.group = record["group"]
            self.put(record)
        self.put({"event": "gone"})

    @property
    def log(self) -> Path:
        return Path(self.folder.name, f"{self.number}.log")

    def start(self, check: Check, first: Sequence[str] = (), before: Check | None = None) -> int:
        """Begin a check and say its number; one that is still running is ended.

        Args:
            first: the functions whose tests come before all others.
            before: an earlier check, which says how long the tests take.
        """
        longest = before.longest(first) if before is not None else []
        return self.ask(lambda number: check.request(number, self.log, first, longest))

    def ask(self, request: Callable[[int], dict[str, Any]]) -> int:
        self.number += 1
        self._send(request(self.number))
        return self.number

    def stop(self) -> None:
        """End the running check."""
        self._send({"stop": True})

    def _send(self, request: dict[str, Any]) -> None:
        assert self.process.stdin is not None
        with contextlib.suppress(OSError):  # it is gone: the end of its output says so
            self.process.stdin.write(json.dumps(request).encode() + b"\n")
            self.process.stdin.flush()

    def close(self) -> None:
        """End the server and all that it started."""
        assert self.process.stdin is not None
        with contextlib.suppress(OSError):
            self.process.stdin.close()
        try:
            self.process.wait(2)
        except subprocess.TimeoutExpired:  # it is still importing
            for group in {self.group, self.process.pid} - {0}:
                if os.name == "posix":
                    with contextlib.suppress(OSError):
                        os.killpg(group, signal.SIGKILL)
            self.process.kill()
            self.process.wait()
        self.reader.join(2)
        if not self.reader.is_alive() and self.process.stdout is not None:
            self.process.stdout.close()
        self.folder.cleanup()

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def records(self, number: int, seconds: float) -> Iterator[dict[str, Any]]:
        """The records of a check until its end, or until the time is over: then a record `late` is
        the last."""
        end = time.monotonic() + seconds
        while True:
            try:
                record = self.queue.get(timeout=max(0.0, end - time.monotonic()))
            except queue.Empty:
                self.stop()
                yield {"event": "late", "check": number}
                return
            if record["event"] == "gone":
                raise CheckError("the process that runs the tests has ended")
            if record.get("check") == number:
                yield record
                if record["event"] == "end":
                    return


def check(
    q: Question,
    file: Path,
    *,
    full: bool = False,
    seconds: int = SECONDS,
    worker: Worker | None = None,
) -> Check:
    """Which behaviours of question `q` the file shows.

    Args:
        file: with the names of the library's answer.
        full: also on MovieLens and with pretrained encoders, which takes longer, and which may have
        to be fetched. seconds: what is not known by then counts as not run.
        worker: a server that is kept for further checks.

    Raises:
        CheckError: the tests cannot be run at all, for a reason that is not in the file.
    """
    result = Check(q, file, full)
    if result.broken:
        result.ended = True
        return result
    with contextlib.ExitStack() as stack:
        if worker is None:
            worker = stack.enter_context(Worker(q))
        _run(result, worker, seconds)
        if result.fork_died:
            result = Check(q, file, full)
            worker = stack.enter_context(Worker(q, fork=False))
            _run(result, worker, seconds)
        if not result.tests and not result.broken and not result.timed_out:
            raise CheckError(cannot_run(worker))
    return result


def _run(result: Check, worker: Worker, seconds: float) -> None:
    for record in worker.records(worker.start(result), seconds):
        if record["event"] == "late":
            result.late(seconds)
        else:
            result.take(record)


def run_tests(q: Question, *options: str, seconds: int = SECONDS) -> list[dict[str, Any]]:
    """One record a test of the question, with further pytest options: test, says, shape, defect,
    outcome, message.

    Raises:
        CheckError: the time limit, or tests that cannot be run.
    """
    tests: dict[str, dict[str, Any]] = {}
    with Worker(q) as worker:
        number = worker.ask(
            lambda n: {
                "check": n,
                "file": None,
                "hearts": [],
                "to_do": [],
                "first": [],
                "log": str(worker.log),
                "bounded": False,
                "processes": processes(q),
                "arguments": arguments(q, *options),
            }
        )
        for record in worker.records(number, seconds):
            if record["event"] == "collected" and not tests:
                tests = {t["id"]: {**t, "outcome": NOT_RUN, "message": ""} for t in record["tests"]}
            elif record["event"] == "result":
                problem = _problem(record["problem"]) if record["problem"] else ""
                tests[record["id"]] |= {"outcome": record["outcome"], "message": str(problem)}
            elif record["event"] == "late":
                raise CheckError(f"the tests took more than {seconds} s and were stopped")
        if not tests:
            raise CheckError(cannot_run(worker))
    return list(tests.values())


def tests_folder() -> Path:
    """The tests, in a checkout or in an installed package; or where KERAS_RECS_TESTS says."""
    if "KERAS_RECS_TESTS" in os.environ:
        return Path(os.environ["KERAS_RECS_TESTS"])
    try:
        return Path(str(shipped("tests")))
    except FileNotFoundError as error:
        raise CheckError("the tests are not installed with this copy of keras_recs") from error


def expected_tests(q: Question, full: bool) -> dict[str, str]:
    """The tests that grade an answer, with what they look for: read from their source, which the
    reader's file cannot change."""
    tree = ast.parse((tests_folder() / f"test_{q.stem}.py").read_text(encoding="utf8"))
    found = {}
    for node in tree.body:
        if not isinstance(node, ast.FunctionDef) or not node.name.startswith("test_"):
            continue
        marks = [ast.unparse(d) for d in node.decorator_list]
        if "answer" in {a.arg for a in node.args.args} and (full or not FETCHED & set(marks)):
            found[node.name] = (
                ast.get_docstring(node) or node.name.replace("_", " ")
            ).splitlines()[0]
    return found


def arguments(q: Question, *options: str) -> list[str]:
    """What pytest is called with."""
    folder = tests_folder()
    return [
        "-q",
        "--tb=short",
        "-c",
        str(HERE / "grading.ini"),
        "--rootdir",
        str(folder),
        "-p",
        "no:cacheprovider",
        str(folder / f"test_{q.stem}.py"),
        *options,
    ]


def processes(q: Question) -> int:
    """How many share the tests of a check: as many as there are cores, but not so many that
    starting costs more."""
    return min(_cores(), 4 if q.keras else 2)


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _death(code: int, names: list[str]) -> str:
    how = f"ended by signal {-code}" if code < 0 else f"ended with exit code {code}"
    return f"the check was {how}" + (f", while this was looked for: {names[0]}" if names else "")


def _problem(found: dict[str, Any]) -> Problem:
    return Problem(
        found["why"],
        found.get("yours", ""),
        found.get("expected", ""),
        found.get("mistake"),
        found.get("line"),
        found.get("function"),
    )


def cannot_run(worker: Worker) -> str:
    """What to say where not one test was found."""
    said = (
        worker.log.read_text(encoding="utf8", errors="replace")[-2000:]
        if worker.log.exists()
        else ""
    )
    return f"the tests could not be run:\n{said}"


def _borrows(tree: ast.Module, q: Question) -> Problem | None:
    """Whether a file imports the answer that it should be."""
    package, _, stem = q.module.rpartition(".")
    names = {answer.class_name for answer in q.answers} | {q.published}
    for node in ast.walk(tree):
        line = getattr(node, "lineno", None)
        taken: list[str] = []
        if isinstance(node, ast.Import):
            taken = [alias.name for alias in node.names if alias.name in q.modules]
        elif isinstance(node, ast.ImportFrom):
            taken = [
                alias.name
                for alias in node.names
                if node.module in q.modules
                or (node.module == package and alias.name == stem)
                or (node.module == "keras_recs" and alias.name in names)
            ]
        if taken:
            return Problem(
                f"line {line} imports {taken[0]!r} from the library's own answer: this checks what you have "
                "written yourself",
                line=line,
            )
    return None
