"""The interview: a question, time to answer, the answer and the rubric, a grade, and the follow-ups
in the same way."""

from __future__ import annotations

import contextlib
import random
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

import click

from keras_recs.interview.cells import about
from keras_recs.interview.memory import Memory, keys
from keras_recs.interview.texts import LEVELS, Interview, interview
from keras_recs.interview.words import WORDS
from keras_recs.questions import QUESTIONS, Question
from keras_recs.questions.glossary import Term, look_up, terms_in
from keras_recs.terminal.tables import can_show, console

WIDEST = 100  # longer lines are hard to read


class Ended(Exception):
    """The reader wants no more, or there is nothing more to read from."""


class Session:
    """One sitting in one language: what is asked is shown, what is graded is kept at once."""

    def __init__(self, memory: Memory, language: str) -> None:
        self.memory = memory
        self.language = language
        self.words = WORDS[language]
        self.out = console()
        self.width = min(self.out.width, WIDEST)
        self.grades = 0

    def question(self, q: Question, only_due: bool = False) -> None:
        """Ask a question and its follow-ups; with `only_due`, leave out follow-ups that are not due
        yet.

        Raises:
            Ended: at the end of the input, or after a q.
        """
        texts = interview(q, self.language)
        self._title(self.words["question"].format(number=q.number) + f" · {texts.title}")
        if not texts.built:
            self._show(self.words["not built"].format(number=q.number))
            self._show(texts.asked, indent=2)
            self._show(self.words["coming"].format(coming=texts.coming))
            return
        self._show(about(texts))
        self.out.print()
        self._show(texts.asked, bold=True)
        self.out.print()
        main, *others = keys(q)
        self.line(self.words["look up"])
        seconds, said = self._wait(self.words["press enter"])
        self._title(self.words["the answer"])
        self._show(texts.sixty_seconds)
        self._terms(texts.terms, said)
        self._rubric(texts)
        self._grade(main, seconds)
        for index, (key, follow_up) in enumerate(zip(others, texts.follow_ups, strict=True), 1):
            due = self.memory.due(key)
            if only_due and due is not None and due > _now():
                continue
            self._title(self.words["follow-up"].format(index=index, total=len(others)))
            self._show(follow_up.question, bold=True)
            seconds, said = self._wait(self.words["press enter again"])
            self._title(self.words["an answer"])
            self._show(follow_up.answer)
            if said:
                self._terms(terms_in(follow_up.answer), said)
            self._grade(key, seconds)

    def last_words(self, ended: bool) -> None:
        """Say what was graded and where it is kept."""
        kind = ("ended" if ended else "done") + {0: " none", 1: " one"}.get(self.grades, "")
        if kind in self.words:
            self.line(self.words[kind].format(n=self.grades, file=self.memory.file))

    def line(self, text: str) -> None:
        self.out.print(text, soft_wrap=True, highlight=False, markup=False)

    def _title(self, text: str) -> None:
        self.out.print()
        self.out.print(text, style="bold cyan", highlight=False, markup=False)

    def _show(self, markdown: str, bold: bool = False, indent: int = 0) -> None:
        from keras_recs.terminal.prose import render

        text = render(markdown, self.width, indent)
        if bold:
            text.stylize("bold")
        self.out.print(text, soft_wrap=True)

    def _rubric(self, texts: Interview) -> None:
        self._title(self.words["how graded"])
        for number, level in enumerate(texts.rubric, 1):
            self._show(f"{number}. **{self.words[level.level]}**{self.words[':']}{level.text}")
        self.out.print()
        self._show(f"{self.words['a strong candidate']}{texts.sentence}")

    def _terms(self, terms: Sequence[Term], said: str) -> None:
        """The terms of an answer: those that were `said`, by whatever name, and the others."""
        named = [term for term in terms if term in terms_in(said)]
        others = [term for term in terms if term not in named]
        rest = "to say too" if named else "to say"
        for words, some in (("you said", named), (rest, others)):
            if some:
                names = self.words[", "].join(self._name(term) for term in some)
                self.out.print()
                self._show(self.words[words].format(terms=names))

    def _name(self, term: Term) -> str:
        """What a term is called; in English with the Chinese beside it, where the screen has it."""
        beside = self.language == "en" and can_show(term.zh)
        return f"{term.en} ({term.zh})" if beside else term.name(self.language)

    def _explain(self, asked: str) -> None:
        """What a term means, in the language of the session."""
        try:
            found = look_up(asked)
        except KeyError as error:
            self.line(error.args[0])
            return
        for term in found:
            self.line(f"{self._name(term)}{self.words[':']}{term.meaning(self.language)}")

    def _wait(self, prompt: str) -> tuple[float, str]:
        """Wait for Enter, and say how long it took; the seconds, and what was typed before it."""
        self._say(prompt)
        begin = time.monotonic()
        with _clock(begin):
            said = self._read()
        seconds = time.monotonic() - begin
        self.line(self.words["you took"].format(time=minutes_and_seconds(seconds)))
        return seconds, said.strip()

    def _grade(self, key: str, seconds: float) -> None:
        """Ask for a grade until there is one, and keep it."""
        self._say("\n" + self.words["grade"], end="")
        while (answer := self._read().strip().lower()) not in ("1", "2", "3", "4"):
            if answer in ("q", "quit"):
                raise Ended
            self._say(self.words["not a grade"] + " ", end="")
        level = LEVELS[int(answer) - 1]
        now = _now()
        due = self.memory.grade(key, level, now, seconds)
        self.grades += 1
        self.line(
            self.words["next"].format(level=self.words[level], when=when(due - now, self.language))
        )

    def _say(self, text: str, end: str = "\n") -> None:
        self.out.print(text, end=end, soft_wrap=True, highlight=False, markup=False)
        self.out.file.flush()

    def _read(self) -> str:
        """A line that the reader typed; a q alone ends everywhere, and a ? explains a term."""
        while True:
            line = sys.stdin.readline() if sys.stdin is not None else ""
            if not _typed():
                self.out.print()  # nobody pressed Enter on this screen
            if not line or line.strip().lower() == "q":
                raise Ended
            if not (asked := line.strip()).startswith(("?", "？")):
                return line
            self._explain(asked[1:].strip())


def choose(memory: Memory, done: set[int]) -> Question | None:
    """The question to ask next: the one that is due first, else a random one that was never asked,
    else none.

    `done` are the numbers of those that were asked in this sitting.
    """
    built = [q for q in QUESTIONS if q.built and q.number not in done]
    first = {q.number: found[1] for q in built if (found := memory.first_due(keys(q)))}
    now = _now()
    if due := [q for q in built if first.get(q.number, now) < now]:
        return min(due, key=lambda q: first[q.number])
    new = [q for q in built if q.number not in first]
    if new:
        return random.choice(new)
    return min(built, key=lambda q: first[q.number]) if built and not done else None


def when(delta: timedelta, language: str) -> str:
    """How long until then, in words.

    >>> when(timedelta(minutes=10), "en"), when(timedelta(days=3), "zh"), when(timedelta(0), "en")
    ('in 10 min', '3 天后', 'at once')
    """
    words = WORDS[language]
    minutes = round(delta.total_seconds() / 60)
    if minutes < 1:
        return words["now"]
    if minutes < 60:
        return words["in minutes"].format(n=minutes)
    if minutes < 24 * 60:
        return words["in hours"].format(n=round(minutes / 60))
    days = round(minutes / (24 * 60))
    return words["in one day"] if days == 1 else words["in days"].format(n=days)


def minutes_and_seconds(seconds: float) -> str:
    """As a clock shows them.

    >>> minutes_and_seconds(61.4)
    '1:01'
    """
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


@contextlib.contextmanager
def _clock(begin: float) -> Iterator[None]:
    """A clock at the beginning of the line, where a person watches; elsewhere nothing."""
    if not (_typed() and sys.stdout.isatty()):
        yield
        return
    stop = threading.Event()

    def run() -> None:
        while not stop.wait(0.5):
            click.echo(f"\r{minutes_and_seconds(time.monotonic() - begin)} ", nl=False)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _typed() -> bool:
    """Whether the input is typed, so that the screen shows it."""
    return sys.stdin is not None and sys.stdin.isatty()


def _now() -> datetime:
    return datetime.now(UTC)
