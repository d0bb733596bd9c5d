"""Runs the tests of a question on somebody's file, in a process of its own, and says which behaviours hold."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras_recs
from keras_recs.questions import Question

HERE = Path(__file__).resolve().parent
SECONDS = 300  # the longest that a check may take


class CheckError(RuntimeError):
    """The tests could not be run to their end; the message says why."""


@dataclass(frozen=True)
class Behaviour:
    """One behaviour that a test looks for: what it is, whether it holds, and what was seen where it does not."""

    test: str
    says: str
    holds: bool
    message: str


def tests_folder() -> Path:
    """The tests, in a checkout or in an installed package."""
    package = Path(keras_recs.__file__).resolve().parent
    for folder in (package.parent / "tests", package / "tests"):
        if (folder / "conftest.py").exists():
            return folder
    raise CheckError("the tests are not installed with this copy of keras_recs")


def run_tests(q: Question, *arguments: str, seconds: int = SECONDS) -> list[dict[str, Any]]:
    """The reporter's records of one run of the question's tests, in a fresh process.

    Raises:
        CheckError: the time limit, or a crash before the first test; with the end of what pytest printed.
    """
    folder = tests_folder()
    with tempfile.TemporaryDirectory() as scratch:
        report = Path(scratch, "report.json")
        command = [sys.executable, "-m", "pytest", "-q", "--tb=short", "-c", str(HERE / "pytest.ini"), "--rootdir",
                   str(folder), "-p", "keras_recs.practice.reporter", "-p", "no:cacheprovider",
                   str(folder / f"test_{q.stem}.py"), *arguments]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=seconds, stdin=subprocess.DEVNULL,
                                  env={**os.environ, "KERAS_RECS_REPORT": str(report), "TF_CPP_MIN_LOG_LEVEL": "3"})
        except subprocess.TimeoutExpired:
            raise CheckError(f"the tests took more than {seconds} s and were stopped: is there an endless "
                             "loop?") from None
        if done.returncode not in (0, 1) or not report.exists():
            raise CheckError("the tests could not be run:\n" + (done.stdout + done.stderr)[-2000:])
        return json.loads(report.read_text(encoding="utf8"))


def check(q: Question, file: Path, *, full: bool = False, seconds: int = SECONDS) -> list[Behaviour]:
    """Which behaviours of question `q` the file shows, in the order of the tests.

    Args:
        file: with the names of the library's answer.
        full: also on MovieLens, which takes longer and may have to be fetched.
    """
    records = run_tests(q, "--answer", str(file.resolve()), *([] if full else ["-m", "not data"]), seconds=seconds)
    found: dict[str, Behaviour] = {}
    for record in records:
        if record["outcome"] == "skipped":
            continue
        before = found.get(record["test"])
        if before is None or before.holds:  # of a test with several cases, the first that fails speaks
            found[record["test"]] = Behaviour(record["test"], record["says"], record["outcome"] == "passed",
                                              record["message"])
    if not found:
        raise CheckError(f"no test of question {q.number} was run")
    return list(found.values())
