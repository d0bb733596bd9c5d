"""The commands ask and cards."""

from __future__ import annotations

import contextlib
import io
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from keras_recs.questions import QUESTIONS, Question
from keras_recs.terminal.tables import AS_JSON, LANGUAGE, Number, console, print_json, table

if TYPE_CHECKING:
    from keras_recs.interview.memory import Memory


@click.command()
@click.argument("number", type=Number(), required=False)
@LANGUAGE
@click.option(
    "--all",
    "every",
    is_flag=True,
    help="List all questions, the one due first on top, and ask none.",
)
@click.option("--once", is_flag=True, help="Stop after one question, also where others are due.")
@click.option(
    "--folder",
    type=click.Path(file_okay=False, path_type=Path),
    default=None,
    help="Where the grades are kept; your practice folder by default.",
)
@AS_JSON
def ask(
    number: Question | None,
    language: str,
    every: bool,
    once: bool,
    folder: Path | None,
    as_json: bool,
) -> None:
    """Be asked, as in the interview, and grade yourself.

    Question NUMBER, or the one that is due: answer aloud, compare, grade. What went badly comes
    back sooner."""
    from keras_recs.interview.ask import Ended, Session, choose
    from keras_recs.interview.memory import FILE, Memory
    from keras_recs.interview.words import WORDS
    from keras_recs.utils.places import find_folder

    if as_json and not every:
        raise click.UsageError("--json needs --all: an interview cannot be held in JSON")
    if every and number is not None:
        raise click.UsageError(f"--all lists every question; leave out {number.number}, or --all")
    memory = Memory((folder or find_folder()) / FILE)
    if memory.aside:
        click.echo(
            WORDS[language]["damaged"].format(file=memory.file, aside=memory.aside.name), err=True
        )
    if every:
        _list(memory, language, as_json)
        return
    with contextlib.suppress(AttributeError, io.UnsupportedOperation):
        sys.stdin.reconfigure(errors="replace")  # type: ignore[union-attr]  # what is typed need not be text
    session = Session(memory, language)
    try:
        done: set[int] = set()
        q = number or choose(memory, done)
        while q is not None:
            session.question(q, only_due=number is None)
            done.add(q.number)
            q = None if once or number else choose(memory, done)
    except Ended:
        session.last_words(ended=True)
    except KeyboardInterrupt:
        session.line("")
        session.last_words(ended=True)
        raise SystemExit(130) from None
    else:
        session.last_words(ended=False)


def _list(memory: Memory, language: str, as_json: bool) -> None:
    """All built questions with what was graded; those due come first, then what was never asked."""
    from datetime import UTC, datetime

    from keras_recs.interview.ask import when
    from keras_recs.interview.memory import keys
    from keras_recs.interview.words import WORDS

    now = datetime.now(UTC)
    rows: list[dict[str, Any]] = []
    for q in QUESTIONS:
        if not q.built:
            continue
        of = keys(q)
        first = memory.first_due(of)
        last = memory.graded.get(of[0])
        rows.append(
            {
                "number": q.number,
                "title": q.title if language == "en" else q.title_zh,
                "due": first[1].isoformat() if first else None,
                "level": last.level if last else None,
                "graded": sum(key in memory.graded for key in of),
                "of": len(of),
            }
        )
    # what is due, then what is new, then what comes later
    rows.sort(
        key=lambda row: (
            (0, row["due"])
            if row["due"] and row["due"] <= now.isoformat()
            else (1, "")
            if not row["due"]
            else (2, row["due"])
        )
    )
    if as_json:
        print_json(rows)
        return
    words = WORDS[language]
    out = table("", words["title"], words["when"], words["last"], words["graded"])
    for row in rows:
        due = datetime.fromisoformat(row["due"]) if row["due"] else None
        shown = (
            words["new"]
            if due is None
            else words["due now"]
            if due <= now
            else when(due - now, language)
        )
        out.add_row(
            str(row["number"]),
            row["title"],
            shown,
            words[row["level"]] if row["level"] else "",
            f"{row['graded']}/{row['of']}",
        )
    console().print(out)


@click.command()
@click.argument("numbers", nargs=-1, type=Number(built=True))
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE.apkg",
    help="The file to write, for Anki: File, Import.  [required]",
)
@LANGUAGE
def cards(numbers: tuple[Question, ...], out: Path | None, language: str) -> None:
    """Export questions and answers as cards for Anki.

    Follow-ups and rubrics go along; all questions that are answered, or those with these NUMBERS.
    """
    from keras_recs.interview.cards import write
    from keras_recs.interview.words import WORDS

    chosen = list({q.number: q for q in numbers}.values()) or [q for q in QUESTIONS if q.built]
    if out is None:
        raise click.UsageError("say which file to write, such as --out cards.apkg")
    if out.suffix != ".apkg":
        raise click.UsageError(f"Anki reads files that end in .apkg; got {out.name}")
    if not out.absolute().parent.is_dir():
        raise click.UsageError(f"there is no folder {out.absolute().parent}")
    n = write(chosen, language, out)
    click.echo(WORDS[language]["cards"].format(file=out, n=n, questions=len(chosen)))


COMMANDS = (ask, cards)
