"""The loop of `keras-recs check`: saves are judged at once, single keys show more."""

from __future__ import annotations

import ast
import contextlib
import os
import queue
import select
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from keras_recs.practice.exercise import Exercise, exercise_file
from keras_recs.practice.grading import FAILS, NOT_RUN, Check, CheckError, Part, Worker, cannot_run
from keras_recs.practice.screen import Screen, next_exercise

KEYS = "hasnrq"
QUIET = 15.0  # seconds without a verdict; after that, it may be an endless loop
PATIENCE = 3.0  # seconds; after that, half a verdict is better than none


class Watch:
    """Checks a file whenever it is saved, until the reader quits.

    Args:
        exercise: what is checked.
        show: takes the text of a screen.
    """

    def __init__(
        self, exercise: Exercise, show: Callable[[str, Screen], None] | None = None
    ) -> None:
        self.exercise = exercise
        self.show = show or _print
        self.events: queue.Queue[tuple[str, Any]] = queue.Queue()
        self.worker: Worker | None = None
        self.fork = True
        self.lost = 0  # servers
        self.number = 0
        self.check: Check | None = None
        self.before: Check | None = None  # the last one that came to its end
        self.first: list[str] = []
        self.began = 0.0
        self.heard = 0.0  # when something was last heard of the check
        self.quiet = False  # nothing has been heard for long, and the screen says so
        self.text = ""  # what is on the screen
        self.all = self.reference = False
        self.hinted: str | None = None  # the function whose hints are on the screen
        self.held: list[Part] = []  # functions that hold since this check
        self.stop = threading.Event()
        self.looking: threading.Thread | None = None

    # --- the loop ---------------------------------------------------------------------------------

    def run(self) -> None:
        """Until `q`, Ctrl-C or the end of the input."""
        with _keys(lambda key: self.events.put(("key", key))), _ended_gently():
            try:
                self._open()
                while self._step():
                    pass
            except (KeyboardInterrupt, SystemExit):
                pass
            finally:
                self._close()

    def _open(self) -> None:
        """Begin with an exercise: its server, its folder, its first check."""
        worker = Worker(
            self.exercise.q, lambda record: self.events.put(("record", (worker, record))), self.fork
        )
        self.worker = worker
        self.stop = threading.Event()
        self.looking = threading.Thread(
            target=_look,
            daemon=True,
            args=(self.exercise.file, self.stop, lambda: self.events.put(("saved", None))),
        )
        self.looking.start()
        self.check = self.before = self.hinted = None
        self.held, self.all, self.reference = [], False, False
        self._begin()

    def _close(self) -> None:
        self.stop.set()
        if self.worker is not None:
            self.worker.close()
        if self.looking is not None:
            self.looking.join(2)

    def _step(self) -> bool:
        """Take one event; False ends the loop."""
        running = self.check is not None and not self.check.ended
        left = self.began + self.exercise.seconds - time.monotonic()
        wait = left if self.quiet else min(left, self.heard + QUIET - time.monotonic())
        try:
            kind, value = self.events.get(timeout=max(0.0, wait) if running else None)
        except queue.Empty:
            assert self.worker is not None and self.check is not None
            if wait < left:
                self.quiet = True
                self._draw()
                return True
            self.worker.stop()
            self.check.late(self.exercise.seconds)
            self._finish()
            return True
        if kind == "saved":
            self._saved()
        elif kind == "record" and value[0] is self.worker:
            self._record(value[1])
        elif kind == "key":
            return self._key(value)
        return True

    # --- checks -----------------------------------------------------------------------------------

    def _saved(self) -> None:
        try:
            text = self.exercise.file.read_text(encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError):
            text = None
        if (
            self.check is None or text != self.check.source
        ):  # one save may be reported more than once
            self._begin()

    def _begin(self) -> None:
        """Start a check, the tests of what has changed first; one that still runs is given up."""
        assert self.worker is not None
        if self.check is not None and not self.check.ended:
            self.worker.stop()
        if not self.exercise.file.is_file():
            self.check = None
            screen = Screen()
            screen.add(f"{self.exercise.file} is not there; waiting for it.   q quit")
            self._out(screen)
            return
        check = Check(self.exercise.q, self.exercise.file, self.exercise.full)
        self.first = _changed(check, self.before)
        self.check, self.began, self.held, self.hinted = check, time.monotonic(), [], None
        self.heard, self.quiet = self.began, False
        if check.broken:
            check.ended = True
            self._finish()
            return
        self.number = self.worker.start(check, self.first, self.before)
        screen = Screen()
        screen.add(f"q{check.q.number:02d}   checking {self.exercise.file.name} …")
        self._out(screen, clear=False)

    def _record(self, record: dict[str, Any]) -> None:
        check = self.check
        if record["event"] == "gone":  # somebody has ended it, or the memory was short
            self.lost += 1
            if self.lost > 3:
                raise CheckError("the process that runs the tests ends again and again")
            self._close()
            self._open()
            return
        if check is None or check.ended or record.get("check") != self.number:
            return
        check.take(record)
        self.heard, self.quiet = time.monotonic(), False
        if (
            check.fork_died and self.fork
        ):  # forks do not work here: a new process for each check does
            self.fork = False
            self._close()
            self._open()
            return
        if check.broken and not check.ended:
            assert self.worker is not None
            self.worker.stop()
            check.ended = True
        if check.ended:
            if not check.tests and not check.broken:
                assert self.worker is not None
                raise CheckError(cannot_run(self.worker))
            self._finish()
        elif (
            record["event"] == "result"
            and not check.passed
            and (self._known(check) or time.monotonic() - self.began > PATIENCE)
        ):
            self._draw()

    def _known(self, check: Check) -> bool:
        """Whether a function that is being written is judged, though the check goes on."""
        parts = {part.name: part for part in check.parts}
        asked = self.first or list(parts)[:1]
        return any(parts[name].state != NOT_RUN for name in asked)

    def _finish(self) -> None:
        assert self.check is not None
        self.held = self.exercise.record(self.check)
        self.before = self.check
        self._draw()

    # --- keys -------------------------------------------------------------------------------------

    def _key(self, key: str) -> bool:
        if key in ("q", "\x04", ""):
            return False
        if key == "n":
            following = next_exercise(self.exercise.q, self.exercise.notes)
            if following is not None:
                self._close()
                folder = self.exercise.folder
                self.exercise = Exercise(
                    following,
                    exercise_file(following, folder),
                    folder,
                    self.exercise.full,
                    self.exercise.seconds,
                )
                self.exercise.write()
                self._open()
            return True
        if key == "r":
            self._begin()
            return True
        if self.check is None or key not in KEYS:
            return True
        if key == "h":
            self.exercise.next_hint(self.check)
            self.hinted = self.exercise.hints(self.check)[0]
        elif key == "a":
            self.all = not self.all
        elif key == "s":
            self.reference = not self.reference
        self._draw()
        return True

    # --- the screen -------------------------------------------------------------------------------

    def _draw(self) -> None:
        check, exercise = self.check, self.exercise
        assert check is not None
        screen = Screen()
        screen.header(check, exercise.hunted)
        for part in self.held:
            screen.cost(check, part)
        name, levels = exercise.hints(check)
        if check.passed:
            screen.passed(check, exercise)
        else:
            for part in check.parts:
                if part.name in self.first and part.state == NOT_RUN and not check.ended:
                    screen.add(
                        f"{part.name}: {sum(b.holds for b in part.behaviours)} of {len(part.behaviours)} "
                        "behaviours hold so far",
                        6,
                    )
            screen.step(check, exercise.hunted)
            if self.quiet and not check.ended and (names := check.names_of(check.running)):
                screen.add(
                    f"This has been running for more than {QUIET:g} s: {names[0]}\n"
                    "If it is an endless loop, repair it and save: that ends this check.",
                    colour="yellow",
                )
        if self.hinted is not None and self.hinted == name and levels:
            screen.hint(levels[: exercise.shown(name)], len(levels), name)
        if self.all:
            screen.add()
            screen.all(check, exercise.hunted)
        if self.reference and not exercise.hunted and check.readable:
            screen.add()
            following = check.next
            if following is not None and (following.state == FAILS or not self.held):
                screen.reference(check, [following.name])
            else:  # what has just been written
                screen.reference(check, [p.name for p in self.held] or list(check.answer))
        screen.add()
        keys = []
        if levels:
            keys.append(f"h hint ({min(exercise.shown(name) + 1, len(levels))} of {len(levels)})")
        keys.append(f"a all {len(check.behaviours)} behaviours" if not self.all else "a fewer")
        if check.readable and not exercise.hunted:
            keys.append("s without reference" if self.reference else "s reference beside yours")
        keys += ["n next exercise", "q quit", "saved files are checked again"]
        screen.row([(key, None) for key in keys], indent=0, gap="    ")
        known = screen.text()
        left = sum(b.state == NOT_RUN for b in check.behaviours)
        if left and not check.ended:
            said = "1 more behaviour is" if left == 1 else f"{left} more behaviours are"
            screen.add(f"… {said} being looked at", colour="bright_black")
        if exercise.notes.said:
            screen.add(exercise.notes.said)
        if known != self.text:  # a count that falls is no reason to draw everything again
            self._out(screen)
            self.text = known

    def _out(self, screen: Screen, clear: bool = True) -> None:
        self.text = screen.text()
        self.show(("\x1b[2J\x1b[3J\x1b[H" if clear and screen.colour else "") + self.text, screen)


def _print(text: str, screen: Screen) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def _changed(check: Check, before: Check | None) -> list[str]:
    """The functions that are being written: those that differ from the last check; else the one
    that was next."""
    if before is None:
        return []
    written = [name for name in check.answer if name in check.mine and name not in check.to_do]
    changed = [
        name
        for name in written
        if name not in before.mine or ast.dump(check.mine[name]) != ast.dump(before.mine[name])
    ]
    if changed:
        return changed
    following = before.next
    return [following.name] if following is not None and following.name in written else []


def _look(file: Path, stop: threading.Event, saved: Callable[[], None]) -> None:
    """Call `saved` whenever the file is written, also by an editor that puts a new one in its
    place, or where its whole folder goes and comes back."""
    from watchfiles import watch

    place = file.resolve()
    returned = False
    while not stop.is_set():
        folder = _identity(place.parent)
        if folder is None:
            stop.wait(0.25)
            returned = True
            continue
        with contextlib.suppress(OSError), _held(place.parent):  # an error: it is gone again
            for changes in watch(
                place.parent,
                watch_filter=lambda _, path: Path(path).name == place.name,
                stop_event=stop,
                step=40,
                debounce=400,
                rust_timeout=250,
                recursive=False,
                raise_interrupt=False,
                yield_on_timeout=True,
            ):
                if changes or returned:
                    saved()
                returned = False
                if _identity(place.parent) != folder:
                    break
        returned = True


@contextlib.contextmanager
def _held(folder: Path) -> Iterator[None]:
    """Meanwhile, no other folder gets the number of this one, even if it is deleted."""
    if os.name != "posix":
        yield
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        yield
    finally:
        os.close(descriptor)


def _identity(folder: Path) -> tuple[int, int] | None:
    """What tells a folder from another that has taken its place; None where there is none."""
    try:
        found = folder.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


@contextlib.contextmanager
def _ended_gently() -> Iterator[None]:
    """A request to end, or a closed terminal, ends the loop as `q` does, so that no process
    stays."""

    def end(*_: object) -> None:
        raise SystemExit(143)

    kept = []
    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None and threading.current_thread() is threading.main_thread():
            kept.append((number, signal.signal(number, end)))
    try:
        yield
    finally:
        for number, handler in kept:
            signal.signal(number, handler)


@contextlib.contextmanager
def _keys(pressed: Callable[[str], None]) -> Iterator[None]:
    """Single keys, without Enter and without being shown; the terminal is as before in the end."""
    stop = threading.Event()
    try:
        import termios
        import tty
    except ImportError:
        with _windows_keys(pressed, stop):
            yield
        return
    descriptor = sys.stdin.fileno()
    if not os.isatty(descriptor):
        yield
        return

    def read() -> None:
        while not stop.is_set():
            if select.select([descriptor], [], [], 0.1)[0]:
                try:
                    key = os.read(descriptor, 1)
                except OSError:  # the terminal has gone
                    key = b""
                pressed(key.decode("latin1").lower())
                if not key:
                    return

    before = termios.tcgetattr(descriptor)
    thread = threading.Thread(target=read, daemon=True)
    try:
        tty.setcbreak(descriptor)
        thread.start()
        yield
    finally:
        stop.set()
        thread.join(1)
        with contextlib.suppress(termios.error):
            termios.tcsetattr(descriptor, termios.TCSADRAIN, before)


@contextlib.contextmanager
def _windows_keys(pressed: Callable[[str], None], stop: threading.Event) -> Iterator[None]:
    import msvcrt

    def read() -> None:
        while not stop.wait(0.05):
            while msvcrt.kbhit():  # type: ignore[attr-defined]
                pressed(msvcrt.getwch().lower())  # type: ignore[attr-defined]

    threading.Thread(target=read, daemon=True).start()
    try:
        yield
    finally:
        stop.set()
