"""What a check looks like: lines of text, with colours where they can be shown."""

from __future__ import annotations

import ast
import difflib
import os
import shutil
import sys
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click

from keras_recs.practice.grading import (
    FAILS,
    HOLDS,
    NOT_RUN,
    SKIPPED,
    TO_DO,
    WAITS,
    Behaviour,
    Check,
    Part,
    Problem,
)
from keras_recs.practice.sources import answer_source
from keras_recs.practice.stubs import Function
from keras_recs.questions import QUESTIONS, Question

MARKS = {HOLDS: "✓", FAILS: "✗", TO_DO: "–", WAITS: "–", NOT_RUN: "…", SKIPPED: "…"}
COLOURS = {HOLDS: "green", FAILS: "red"}
PLAIN = str.maketrans({"✓": "+", "✗": "x", "–": "-", "…": "."})
PRINTED = 6  # lines of what the reader printed


@dataclass
class Screen:
    """Lines of text for a terminal, a pipe or a notebook.

    Args:
        width: columns; those of the terminal by default.
        colour: whether escape codes may be used.
        encoding: what cannot be written in it is written more plainly.
        where: says a place in the reader's file.
    """

    width: int = field(default_factory=lambda: min(110, shutil.get_terminal_size((80, 24)).columns))
    colour: bool = field(
        default_factory=lambda: sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    )
    encoding: str = field(default_factory=lambda: getattr(sys.stdout, "encoding", None) or "utf8")
    lines: list[str] = field(default_factory=list)
    where: Callable[[Path, int | None], str] = field(default_factory=lambda: place)

    def text(self) -> str:
        return self.plain("\n".join(self.lines))

    def plain(self, text: str) -> str:
        """`text` in letters that the terminal has."""
        try:
            text.encode(self.encoding)
            return text
        except UnicodeEncodeError:
            return text.translate(PLAIN).encode(self.encoding, "replace").decode(self.encoding)

    def paint(self, text: str, colour: str | None = None, bold: bool = False) -> str:
        return (
            click.style(text, fg=colour, bold=bold or None)
            if self.colour and (colour or bold)
            else text
        )

    def add(
        self,
        text: str = "",
        indent: int = 0,
        first: str = "",
        colour: str | None = None,
        bold: bool = False,
    ) -> None:
        """One paragraph, wrapped; `first` stands before it, in place of the indent."""
        head = first.ljust(indent) if first else " " * indent
        for i, line in enumerate(text.split("\n")):
            wrapped = textwrap.wrap(
                line,
                max(20, self.width),
                initial_indent=head if i == 0 else " " * indent,
                subsequent_indent=" " * indent,
                break_on_hyphens=False,
            ) or [""]
            self.lines += [self.paint(part, colour, bold) for part in wrapped]

    def row(
        self, entries: Sequence[tuple[str, str | None]], indent: int = 6, gap: str = "   "
    ) -> None:
        """Entries side by side, on as many lines as they need; an entry is never broken."""
        line, length = "", 0
        for text, colour in entries:
            if line and length + len(gap) + len(text) > self.width:
                self.lines.append(line)
                line, length = " " * indent, indent
                gap_here = ""
            else:
                gap_here = gap if line else ""
            line += gap_here + self.paint(text, colour)
            length += len(gap_here) + len(text)
        self.lines.append(line)

    # --- the first screen -------------------------------------------------------------------------

    def header(self, check: Check, hunted: bool = False) -> None:
        """One line: how far the exercise is."""
        number = f"q{check.q.number:02d}"
        if hunted:
            self.row([(f"{number} bug hunt", None), (self.count(check), None)])
            return
        parts = check.parts
        held = sum(part.state == HOLDS for part in parts)
        self.row(
            [
                (number, None),
                (f"{held} of {len(parts)} functions done", None),
                *(
                    (f"{short_name(part.name, parts)} {MARKS[part.state]}", COLOURS.get(part.state))
                    for part in parts
                ),
            ]
        )

    def count(self, check: Check) -> str:
        """How many behaviours hold."""
        behaviours = check.behaviours
        states = {
            state: sum(b.state == state for b in behaviours) for state in (HOLDS, FAILS, TO_DO)
        }
        others = len(behaviours) - sum(states.values())
        said = [f"{states[HOLDS]} of {len(behaviours)} behaviours hold"]
        said += [f"{states[FAILS]} fail"] if states[FAILS] else []
        said += [f"{states[TO_DO]} to do"] if states[TO_DO] else []
        return ", ".join(said + ([f"{others} not known"] if others and check.ended else []))

    def step(self, check: Check, hunted: bool = False) -> None:
        """What to do next: what is wrong with one function, or which one to write."""
        if check.broken is not None:
            self.problem(check, "your file", check.broken)
            return
        part = check.next
        failing = (
            [b for b in part.behaviours if b.state == FAILS]
            if part and part.state == FAILS
            else [b for b in check.rest if b.state == FAILS]
        )
        if failing:
            name = "" if hunted else part.name if part and part.state == FAILS else "the rest"
            line = part.line if part and part.state == FAILS and not hunted else None
            self.problem(check, name, failing[0].problem or Problem(""), failing[0], line)
            if len(failing) > 1:
                of = f" of {name}" if name else ""
                self.add(
                    f"{len(failing) - 1} more {_plural(len(failing) - 1, 'behaviour')}{of} "
                    f"{'fails' if len(failing) == 2 else 'fail'}",
                    6,
                    colour="bright_black",
                )
        elif (
            part is not None and part.state == NOT_RUN
        ):  # it may never end, or have ended the process
            if check.stopped and check.read and not hunted:
                self._place(check, part.line)
        elif part is not None:
            begun = any(p.state != TO_DO for p in check.parts)
            self.add(f"{part.name}: {part.task}", 6, first="next, " if begun else "begin with ")
            self._place(check, part.line)
        if check.stopped:
            self.add(check.stopped, colour="red")
        skipped = [b for b in check.behaviours if b.state == SKIPPED]
        if skipped:
            self.add(
                f"{len(skipped)} {_plural(len(skipped), 'behaviour')} could not be judged: "
                f"{skipped[0].problem}"
            )

    def problem(
        self,
        check: Check,
        name: str,
        problem: Problem,
        behaviour: Behaviour | None = None,
        line: int | None = None,
    ) -> None:
        """What is wrong, with the values, the reader's own line and what was printed."""
        why = problem.why or (behaviour.says if behaviour else "")
        self.add(why, 6 if name else 0, first=f"{name}: " if name else "", colour="red")
        if problem.expected:
            self.add(f"yours {problem.yours}, expected {problem.expected}", 6)
        elif problem.yours:
            self.add(problem.yours, 6)
        if problem.mistake:
            self.add(problem.mistake, 6, colour="yellow")
        if (
            behaviour is not None
            and problem.why
            and problem.why.strip(". ") != behaviour.says.strip(". ")
        ):
            self.add(f"looked for: {behaviour.says}", 6, colour="bright_black")
        self._place(check, problem.line or line)
        printed = (behaviour.printed if behaviour else "").rstrip().splitlines()
        if printed:
            self.add("you printed:", 6)
            if len(printed) > PRINTED:
                printed = ["…", *printed[1 - PRINTED :]]
            for text in printed:
                self.add(text[:200], 8, colour="bright_black")

    def _place(self, check: Check, line: int | None) -> None:
        if line and (said := self.where(check.file, line)):
            self.add(said, 6, colour="cyan")

    def hint(self, shown: Sequence[str], total: int, name: str) -> None:
        """The hints shown so far, of how many there are."""
        for i, text in enumerate(shown):
            self.add(
                f"hint {i + 1} of {total}{f' for {name}' if name and i == 0 else ''}: {text}",
                6,
                colour="yellow",
            )

    # --- all behaviours ---------------------------------------------------------------------------

    def all(self, check: Check, hunted: bool = False) -> None:
        """Every behaviour, by function, in the order of the file."""
        groups: list[tuple[str, str, Sequence[Behaviour]]] = (
            []
            if hunted
            else [(part.name, MARKS[part.state], part.behaviours) for part in check.parts]
        )
        rest = check.behaviours if hunted else check.rest
        if rest:
            groups.append(("all" if hunted else "the rest", "", rest))
        for name, mark, behaviours in groups:
            self.add(f"{name} {mark}".rstrip(), bold=True)
            for b in behaviours:
                self.add(b.says, 4, first=f"  {MARKS[b.state]} ", colour=COLOURS.get(b.state))
                if b.state == FAILS and b.problem:
                    self.add(b.message, 6, colour="bright_black")
        self.add(self.count(check))

    # --- after success ----------------------------------------------------------------------------

    def cost(self, check: Check, part: Part) -> None:
        """That a function holds, how long it is and what its tests took."""
        mine, reference = check.mine.get(part.name), check.answer[part.name]
        seconds = sum(b.seconds for b in part.behaviours or check.behaviours)
        long = (
            f"{size(mine)} {_plural(size(mine), 'line')} (the reference: {size(reference)}), "
            if mine
            else ""
        )
        self.add(f"{part.name} holds: {long}its tests took {seconds:.2f} s", colour="green")

    def reference(self, check: Check, names: Sequence[str]) -> None:
        """The reader's functions beside those of the reference, as a difference."""
        for name in names:
            theirs, mine = check.answer[name], check.mine.get(name)
            left = body_text(mine, check.source).splitlines() if mine is not None else []
            right = body_text(theirs, answer_source(check.q)).splitlines()
            self.add(f"{name}: - yours, + the reference", bold=True)
            if mine is not None and _meaning(mine) == _meaning(theirs):
                self.add("yours reads like the reference", 2)
                continue
            for line in list(difflib.unified_diff(left, right, lineterm="", n=99))[3:]:
                colour = {"-": "red", "+": "green"}.get(line[:1])
                self.lines.append(self.paint(line, colour))

    def passed(self, check: Check, exercise: Any) -> None:
        """What comes after a check that passed: the next hunt, or the next exercise."""
        said = exercise.repaired(check)
        if said:
            self.add(said, colour="green")
            self.next_hunt(exercise)
        else:
            self.finished(check, next_exercise(exercise.q, exercise.notes))

    def next_hunt(self, exercise: Any) -> None:
        """After a bug hunt, the next one."""
        from keras_recs.practice.defects import defects

        q = exercise.q
        names = {d.name for d in defects(q) if d.plantable}
        repaired = len(names & set(exercise.mine["repaired"]))
        self.add(f"{repaired} of {len(names)} repaired. Next: keras-recs bughunt {q.number}")

    def finished(self, check: Check, following: Question | None) -> None:
        """All of it holds: what it cost, what the interviewer asks next, the next exercise."""
        seconds = sum(b.seconds for b in check.behaviours)
        self.add(
            f"All {len(check.behaviours)} behaviours hold. Their tests took {seconds:.1f} s.",
            colour="green",
        )
        for part in check.parts:
            mine = check.mine.get(part.name)
            if mine is not None:
                self.add(
                    f"{part.name}: {size(mine)} {_plural(size(mine), 'line')}, the reference "
                    f"{size(check.answer[part.name])}",
                    2,
                )
        asked = follow_ups(check.q)
        if asked:
            self.add("The interviewer goes on:", bold=True)
            for text in asked:
                self.add(text, 4, first="  - ")
        if following is not None:
            self.add(f"Next: keras-recs practice {following.number}   ({following.title})")


def follow_ups(q: Question) -> list[str]:
    """The follow-up questions of the interview, where there are any."""
    try:
        from keras_recs.interview import interview

        return [asked.question for asked in interview(q, "en").follow_ups]
    except Exception:  # they are an extra: nothing of the exercise depends on them
        return []


def next_exercise(q: Question, notes: Any) -> Question | None:
    """The next question, in the order of the list, whose exercise is not finished; None when all
    are."""
    built = [other for other in QUESTIONS if other.built]
    at = built.index(q)
    for other in [*built[at + 1 :], *built[:at]]:
        mine = notes.of(other.number)
        if not mine["of"] or mine["best"] < mine["of"]:
            return other
    return None


def place(file: Path, line: int | None) -> str:
    """`file:line`, as short as it can be found from the working directory."""
    try:
        relative = os.path.relpath(file)
    except ValueError:  # another drive
        relative = str(file)
    shown = relative if not relative.startswith(os.path.join("..", "..")) else str(file)
    return f"{shown}:{line}" if line else shown


def short_name(name: str, parts: Sequence[Part]) -> str:
    """The name without its class, where that is no other's."""
    last = name.rpartition(".")[2]
    return last if sum(part.name.rpartition(".")[2] == last for part in parts) == 1 else name


def body_text(node: Function, source: str) -> str:
    """A function's source, without decorators and docstring."""
    lines = source.splitlines()[node.lineno - 1 : node.end_lineno]
    if ast.get_docstring(node, clean=False) is not None and len(node.body) > 1:
        said = node.body[0]
        if said.lineno > node.lineno:
            del lines[said.lineno - node.lineno : (said.end_lineno or 0) - node.lineno + 1]
    return textwrap.dedent("\n".join(lines))


def size(node: Function) -> int:
    """Lines of a function's body, however it is laid out."""
    body = node.body[1:] if ast.get_docstring(node) is not None else node.body
    return sum(ast.unparse(statement).count("\n") + 1 for statement in body)


def _meaning(node: Function) -> str:
    body = node.body[1:] if ast.get_docstring(node) is not None else node.body
    return ast.dump(ast.Module(body, []))


def _plural(n: int, word: str) -> str:
    return word if n == 1 else f"{word}s"
