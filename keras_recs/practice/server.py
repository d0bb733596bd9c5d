"""The process that runs checks: `python -m keras_recs.practice.server STEM`.

It imports once what a question's tests need, TensorFlow above all, and forks for every check. So a
check starts at once, and whatever the reader's file does, a crash or an endless loop, ends with the
fork. TensorFlow is imported and not used before the fork: it starts its threads with its first
operation, and threads do not survive a fork.

Requests come in as JSON, one a line: {"check": …}, {"stop": true}. Records of the tests go out the
same way. The end of its input ends the server, and with it all that it started. Where a system
cannot fork, or a fork dies before its first test, each check is a process of its own.
"""

from __future__ import annotations

import ast
import contextlib
import gc
import importlib
import json
import os
import queue
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

CAN_FORK = hasattr(os, "fork") and hasattr(os, "set_blocking")
MOST_WRITTEN = 64 << 20  # bytes of one file that a check writes
MOST_TESTS = 4096  # places of tests that fit into a pipe


def run_check(
    request: dict[str, Any], out: int, share: int | None = None, lock: int | None = None
) -> int:
    """Run the tests of one request in this process and write the records to the file descriptor
    `out`.

    Args:
        share: as for the reporter.
        lock: a file that several processes lock in turns, for a long record goes into a pipe in
            pieces.
    """
    import pytest

    from keras_recs.practice.reporter import Reporter

    check = request.pop("check")  # who writes records of their own does not know it

    def emit(record: dict[str, Any]) -> None:
        line = json.dumps({**record, "check": check}).encode() + b"\n"
        with _alone(lock):
            while line:  # a pipe may take less than all
                line = line[os.write(out, line) :]

    reporter = Reporter(
        emit,
        request["hearts"],
        request["to_do"],
        request["first"],
        request["file"],
        share,
        request.get("longest", ()),
    )
    try:
        code = pytest.main(request["arguments"], plugins=[reporter])
    except SystemExit as end:  # of the reader's file
        code = int(end.code) if isinstance(end.code, int) else 1
    return int(code)


@contextlib.contextmanager
def _alone(lock: int | None) -> Iterator[None]:
    """While no other process holds `lock`. Who dies lets it go."""
    if lock is None:
        yield
        return
    import fcntl

    fcntl.flock(lock, fcntl.LOCK_EX)
    try:
        yield
    finally:
        fcntl.flock(lock, fcntl.LOCK_UN)


def _bound_files() -> None:
    """No file becomes longer than MOST_WRITTEN: an endless loop that prints would fill the disk."""
    import resource

    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(
            resource.RLIMIT_FSIZE, (MOST_WRITTEN, resource.getrlimit(resource.RLIMIT_FSIZE)[1])
        )


def warm(stem: str, tests: str) -> None:
    """Import what the answer and its tests import, but neither of them."""
    from keras_recs.practice.sources import answer_source
    from keras_recs.questions import QUESTIONS

    q = next(q for q in QUESTIONS if q.stem == stem)
    sources = [answer_source(q)] + [
        Path(tests, name).read_text(encoding="utf8")
        for name in ("conftest.py", f"test_{stem}.py")
        if Path(tests, name).exists()
    ]
    import pytest  # noqa: F401

    if q.keras:
        importlib.import_module("keras_recs.neural")
    for source in sources:
        for node in ast.walk(ast.parse(source)):
            names: list[str] = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module:
                names = [node.module]
            for name in names:
                if name not in ("conftest", *q.modules):
                    with contextlib.suppress(Exception):  # the check will say it
                        importlib.import_module(name)


class Server:
    """What is running, and how to end it."""

    def __init__(self, out: int, fork: bool) -> None:
        self.out, self.fork = out, fork
        self.request: dict[str, Any] | None = None
        self.pids: set[int] = set()  # forks of the running check
        self.group = 0
        self.code = 0
        self.cpu = 0.0  # seconds that the forks of the check have used
        self.process: subprocess.Popen | None = None

    def emit(self, record: dict[str, Any]) -> None:
        os.write(self.out, json.dumps(record).encode() + b"\n")

    def start(self, request: dict[str, Any]) -> None:
        self.stop()
        self.request, self.code, self.group, self.cpu = request, 0, 0, 0.0
        if not self.fork:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "keras_recs.practice.server", "--one", json.dumps(request)],
                stdout=self.out,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
            self.group = self.process.pid
            self.emit({"event": "started", "check": request["check"], "group": self.group})
            return
        read, write = os.pipe()
        os.write(write, b"".join(i.to_bytes(2) for i in range(MOST_TESTS)))
        os.close(write)
        for _ in range(request["processes"]):
            pid = os.fork()
            if pid == 0:
                self._child(request, read)
            self.group = self.group or pid
            with contextlib.suppress(OSError):
                os.setpgid(pid, self.group)
            self.pids.add(pid)
        os.close(read)
        self.emit({"event": "started", "check": request["check"], "group": self.group})

    def _child(self, request: dict[str, Any], share: int) -> None:
        code = 1
        try:
            with contextlib.suppress(OSError):
                os.setpgid(0, self.group or os.getpid())
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            log = os.open(request["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
            os.dup2(log, 1)
            os.dup2(log, 2)
            if request["bounded"]:
                _bound_files()
            code = run_check(request, self.out, share, log)
        finally:
            os._exit(code)  # no time for TensorFlow to tidy up

    def look(self) -> None:
        """Say that the check has ended, when it has."""
        if self.request is None:
            return
        if self.process is not None:
            code = self.process.poll()
            if code is None:
                return
            self.process, self.code = None, code
        for pid in list(self.pids):
            done, status, used = os.wait4(pid, os.WNOHANG)
            if done:
                self.pids.discard(pid)
                self.cpu += used.ru_utime + used.ru_stime
                self.code = os.waitstatus_to_exitcode(status) or self.code
        if not self.pids:
            self._end_group()  # processes that the reader's file has started
            check, self.request = self.request["check"], None
            self.emit({"event": "end", "check": check, "code": self.code, "cpu": self.cpu})

    def stop(self) -> None:
        """End the running check and everything that it started."""
        if self.request is None:
            return
        self._end_group()
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None
        for pid in self.pids:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, 0)
        self.pids.clear()
        self.emit({"event": "stopped", "check": self.request["check"]})
        self.request = None

    def _end_group(self) -> None:
        if os.name == "posix" and self.group:
            with contextlib.suppress(OSError):
                os.killpg(self.group, signal.SIGKILL)

    def serve(self) -> None:
        """Take requests until there are no more."""
        lines = _lines(lambda: 0.02 if self.request is not None else None)
        for line in lines:
            if line is not None:
                request = json.loads(line)
                if "check" in request:
                    self.start(request)
                else:
                    self.stop()
            self.look()
        self.stop()


def _lines(patience: Any) -> Any:
    """The lines of standard input; None each time that `patience` seconds pass without one."""
    if os.name != "posix":  # there, only sockets can be waited for
        found: queue.Queue[bytes | None] = queue.Queue()

        def read() -> None:
            for line in sys.stdin.buffer:
                found.put(line)
            found.put(None)

        threading.Thread(target=read, daemon=True).start()
        while True:
            try:
                line = found.get(timeout=patience())
                if line is None:
                    return
                yield line
            except queue.Empty:
                yield None
    rest = b""
    while True:
        if not select.select([0], [], [], patience())[0]:
            yield None
            continue
        data = os.read(0, 65536)
        if not data:
            return
        *lines, rest = (rest + data).split(b"\n")
        yield from lines


def main() -> None:
    """Serve one question, or run one check where a fork is not to be had."""
    out = os.dup(1)
    os.set_inheritable(out, True)
    quiet = os.open(os.devnull, os.O_WRONLY)
    os.dup2(quiet, 1)
    if sys.argv[1] == "--one":
        request = json.loads(sys.argv[2])
        log = os.open(request["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(log, 1)
        os.dup2(log, 2)
        code = run_check(request, out)
        os._exit(code)
    os.dup2(quiet, 2)
    fork = CAN_FORK and os.environ.get("KERAS_RECS_FORK") != "0"
    server = Server(out, fork)
    if fork:
        warm(sys.argv[1], sys.argv[2])
        gc.collect()
        gc.freeze()
    server.emit({"event": "ready"})
    server.serve()


if __name__ == "__main__":
    main()
