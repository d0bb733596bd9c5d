"""A pytest plugin that says, test by test, what was found: one record each, as soon as it is
known."""

from __future__ import annotations

import bdb
import errno
import inspect
import os
import re
import sys
import traceback
from collections.abc import Callable, Generator, Sequence
from types import ModuleType
from typing import Any

import pytest

from keras_recs.practice import expect, trace
from keras_recs.practice.defects import Defect
from keras_recs.practice.expect import Unmet

LONGEST = 400  # characters of a message
MOST_PRINTED = 20_000  # characters of what was printed, the last ones
Emit = Callable[[dict[str, Any]], None]


class Borrowed(Exception):
    """The file under test hands out the library's own answer."""


class Withheld(ModuleType):
    """Stands where the library's own answer would be imported from, and says whose task it is."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # what the machinery of imports asks of every module
            raise AttributeError(name)
        raise Borrowed(
            f"{name!r} comes from the library's own answer ({self.__name__}): this checks what you have "
            "written yourself"
        )


class Reporter:
    """Emits what is collected, what starts and what comes out; leaves out what waits for an
    unwritten function.

    Args:
        emit: takes the records.
        hearts: the answer's marked functions, by qualified name, in the order of the file.
        to_do: those of them that the reader has not written: tests that need one are not run.
        first: those whose tests are run before all others.
        longest: the tests (by node id) that took longest: they start first, so that several
        processes end together. share: where the places of the tests that this process is to run are
        read from, one after the other, because
            several processes share them. None: it runs all.
    """

    def __init__(
        self,
        emit: Emit,
        hearts: list[str],
        to_do: list[str],
        first: list[str],
        file: str | None,
        share: int | None = None,
        longest: Sequence[str] = (),
    ) -> None:
        self.longest = longest if share is not None else ()
        self.emit, self.hearts, self.file, self.share = emit, hearts, file, share
        self.to_do, self.first = set(to_do), first
        self.tools = _tools()
        self.by_fixture: dict[str, set[str]] = {}
        self.problems: dict[str, dict[str, Any]] = {}

    # --- which tests ------------------------------------------------------------------------------

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(
        self, config: pytest.Config, items: list[pytest.Item]
    ) -> None:
        self.emit({"event": "collected", "tests": [self._about(item) for item in items]})
        waiting = [item for item in items if self.to_do & set(_needs(item) or ())]
        if waiting:
            config.hook.pytest_deselected(items=waiting)
        items[:] = sorted((item for item in items if item not in waiting), key=self._turn)

    def _turn(self, item: pytest.Item) -> tuple[bool, bool, int]:
        heart = belongs_to(_needs(item), self.hearts)
        return (
            heart not in self.first,
            item.nodeid not in self.longest,
            self.hearts.index(heart) if heart else len(self.hearts),
        )

    def _about(self, item: pytest.Item) -> dict[str, Any]:
        function = getattr(item, "function", None)
        case = getattr(item, "callspec", None)
        graded = case.params.get("answer") if case else None
        return {
            "id": item.nodeid,
            "test": getattr(item, "originalname", item.name),
            "needs": _needs(item),
            "says": (inspect.getdoc(function) or item.name.replace("_", " ")).splitlines()[0],
            "shape": item.get_closest_marker("shape") is not None,
            "defect": graded.name if isinstance(graded, Defect) else None,
        }

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool | None:
        """Several processes take the tests in turns, each the next one that nobody has taken."""
        if self.share is None or session.testsfailed:
            return None
        items = session.items
        while len(place := os.read(self.share, 2)) == 2 and (i := int.from_bytes(place)) < len(
            items
        ):
            # of the same module, whose fixtures stay
            other = items[i - 1] if len(items) > 1 else None
            items[i].config.hook.pytest_runtest_protocol(item=items[i], nextitem=other)
            if session.shouldstop:
                break
        return True

    # --- what comes out ---------------------------------------------------------------------------

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logstart(self, nodeid: str) -> None:
        trace.CALLED.clear()
        self.emit({"event": "start", "id": nodeid})

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_call(self, item: pytest.Item) -> None:
        # the file has been read: from here on, its functions run
        self.emit({"event": "read", "id": item.nodeid})

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(self, fixturedef: Any) -> Generator[None, Any, Any]:
        before = len(trace.CALLED)
        try:
            return (yield)
        finally:
            self.by_fixture[fixturedef.argname] = set(trace.CALLED[before:])

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo
    ) -> Generator[None, Any, Any]:
        report = yield
        report.fixtures = list(getattr(item, "fixturenames", ()))
        if report.passed and call.when != "teardown" and _tools() != self.tools:
            report.outcome = "failed"
            self.problems[item.nodeid] = problem_of(
                AssertionError(
                    "the file changes `keras_recs.practice.expect`, with which it is judged: nothing can be said"
                ),
                None,
            )
        if report.failed and call.excinfo is not None:
            problem = problem_of(call.excinfo.value, self.file)
            if call.when == "setup" and problem["importing"]:
                self.emit({"event": "broken", "problem": problem})
                item.session.shouldstop = "the file cannot be imported"
            self.problems[item.nodeid] = problem
        return report

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        problem = self.problems.pop(report.nodeid, None) if report.failed else None
        if report.when != "call" and report.outcome == "passed":
            return
        outcome = "to do" if problem and problem["to_do"] else report.outcome
        reason = report.longrepr[2] if report.skipped and isinstance(report.longrepr, tuple) else ""
        reason = reason or getattr(report, "wasxfail", "") or "it says that it is skipped"
        fixtures = [self.by_fixture.get(name, set()) for name in getattr(report, "fixtures", ())]
        self.emit(
            {
                "event": "result",
                "id": report.nodeid,
                "outcome": outcome,
                "problem": problem,
                "printed": report.capstdout[-MOST_PRINTED:],
                "seconds": report.duration,
                "reason": reason,
                "called": sorted(set(trace.CALLED).union(*fixtures)),
            }
        )


def _tools() -> list[Any]:
    """What judges: a file that puts something else in its place has shown nothing."""
    functions = [value for value in vars(expect).values() if inspect.isfunction(value)]
    return [expect.Unmet, *functions, *(function.__code__ for function in functions)]


def belongs_to(needs: list[str] | None, hearts: list[str]) -> str | None:
    """The function that a behaviour judges: the last one that it needs, in the order of the
    file."""
    return max((name for name in needs or () if name in hearts), key=hearts.index, default=None)


def _needs(item: pytest.Item) -> list[str] | None:
    """What the test says that it calls; None where it says nothing."""
    marker = item.get_closest_marker("needs")
    return None if marker is None else list(marker.args)


def problem_of(error: BaseException, file: str | None) -> dict[str, Any]:
    """An exception in words: what it says in short, and where in the reader's file it was.

    Keys: kind, why, yours, expected, mistake, line, function, to_do (a function that is not written
    was called), importing (the file itself cannot be run).
    """
    function, line, importing = _last_frame(error, file)
    found: dict[str, Any] = {
        "kind": type(error).__name__,
        "why": "",
        "yours": "",
        "expected": "",
        "mistake": None,
        "line": line,
        "function": function,
        "to_do": False,
        "importing": importing or isinstance(error, Borrowed),
    }
    if isinstance(error, Unmet):
        return found | {
            "why": error.why,
            "yours": plain(error.yours),
            "expected": plain(error.expected),
            "mistake": error.mistake,
        }
    try:
        text = str(error)
    except Exception as failure:  # a reader's own exception may raise anything here
        text = f"(its message raises {type(failure).__name__})"
    if isinstance(error, AssertionError):
        bare = text.startswith("assert ") or "\nassert " in text  # as pytest writes it
        said, _, seen = text.partition("assert ") if bare else (text, "", "")
        return found | {
            "why": plain(said.strip().partition("\n")[0]),
            "yours": plain(seen and f"assert {seen}"),
        }
    if isinstance(error, SyntaxError) and error.filename == file:
        return found | {
            "why": f"{type(error).__name__}: {error.msg}",
            "line": error.lineno,
            "importing": True,
            "yours": (error.text or "").strip(),
        }
    if isinstance(error, OSError) and "reading from stdin" in text:
        return found | {"why": "it waits for input(), and nobody types anything during a check"}
    if isinstance(error, OSError) and error.errno == errno.EFBIG:
        return found | {
            "why": "it has written so much that it was stopped: is there a print in an endless loop?"
        }
    if isinstance(error, bdb.BdbQuit):
        return found | {
            "why": "a breakpoint is left in it, and nobody types anything during a check"
        }
    found["to_do"] = isinstance(error, NotImplementedError) and line is not None
    missing = re.match(r"module 'graded_\w+' has no attribute '(\w+)'", text)
    if missing:
        return found | {
            "why": f"your file has no {missing[1]!r}, which the tests call",
            "line": None,
        }
    if line is None:  # functions that TensorFlow has rewritten name their place in the message
        places = re.findall(rf'File "{re.escape(file or "-")}", line (\d+), in (\w+)', text)
        found["line"], found["function"] = (
            (int(places[-1][0]), places[-1][1]) if places else (None, None)
        )
    why = (
        type(error).__name__
        if isinstance(error, Borrowed)
        else f"{type(error).__name__}: {_gist(text)}"
    )
    return found | {"why": text if isinstance(error, Borrowed) else why.removesuffix(": ")}


def plain(text: str) -> str:
    """A message without addresses, bound methods and colours, on one line, not too long.

    >>> plain("assert <bound method A.f of <A object at 0x7f00>> == 3")
    'assert A.f == 3'
    """
    text = re.sub(r"\x1b\[[0-9;]*m", "", text)
    text = re.sub(r"<bound method ([\w.]+) of .*?>>", r"\1", text)
    text = re.sub(
        r"<(?:function|built-in function|class) '?([\w.<>]+?)'?(?: at 0x[0-9a-f]+)?>", r"\1", text
    )
    text = re.sub(r" at 0x[0-9a-f]+", "", text)
    text = " ".join(text.split())
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def _gist(text: str) -> str:
    """Of the long messages of Keras and TensorFlow, what went wrong."""
    text = re.sub(r"\x1b\[[0-9;]*m", "", text)
    if "in user code:" in text:
        text = text.strip().rpartition("\n\n")[2] if "\n\n" in text.strip() else text
    if text.startswith("Exception encountered when calling"):
        parts = [part for part in text.split("\n\n") if part.strip()]
        text = parts[1] if len(parts) > 1 else text
    return plain(text.partition("\n\nArguments received by")[0])


def _last_frame(error: BaseException, file: str | None) -> tuple[str | None, int | None, bool]:
    """Function and line of the reader's own last frame, also in the errors that led to this one;
    and whether the file was still being read."""
    seen: set[int] = set()
    chain: list[BaseException] = [error]
    while chain:
        current = chain.pop()
        if id(current) in seen:
            continue
        seen.add(id(current))
        frames = [
            (frame.f_code.co_qualname, line)
            for frame, line in traceback.walk_tb(current.__traceback__)
            if frame.f_code.co_filename == file
        ]
        if frames:
            return *frames[-1], frames[0][0] == "<module>"
        chain += [e for e in (current.__context__, current.__cause__) if e is not None]
    return None, None, False


def withhold(*modules: str) -> Callable[[], None]:
    """From now on, whoever imports one of `modules`, by whatever name, gets a Borrowed. What is
    returned ends that."""
    before = {module: sys.modules.get(module) for module in modules}
    sys.modules.update({module: Withheld(module) for module in modules})

    def give_back() -> None:
        for module, was in before.items():
            if was is None:
                sys.modules.pop(module, None)
            else:
                sys.modules[module] = was

    return give_back


def refuse_borrowed(names: dict[str, Any], *modules: str) -> None:
    """A Borrowed says which name of the file is the library's own answer, or made of it."""
    for name, value in names.items():
        origins = [
            getattr(base, "__module__", None) for base in getattr(value, "__mro__", (value,))
        ]
        if found := [module for module in modules if module in origins]:
            raise Borrowed(
                f"{name!r} comes from the library's own answer ({found[0]}): this checks what you have "
                "written yourself"
            )
