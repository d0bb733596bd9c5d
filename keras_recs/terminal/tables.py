"""What the commands share: arguments, tables, JSON. Rich is imported when something is shown."""

from __future__ import annotations

import json
import sys
from typing import Any

import click

from keras_recs.questions import QUESTIONS, Question, question

AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of tables.")
LANGUAGES = ("en", "zh")
LANGUAGE = click.option(
    "--language",
    type=click.Choice(LANGUAGES),
    default="en",
    show_default=True,
    help="English or Chinese.",
)


class Number(click.ParamType):
    """The number of a question, as 5, 05, q05 or q05_matrix_factorization; with `built`, of one
    that is answered."""

    name = "number"
    MISSING = "It is that of a question, such as 5; `keras-recs list` shows them."

    def __init__(self, built: bool = False) -> None:
        self.built = built

    def get_missing_message(self, param: click.Parameter, ctx: click.Context | None) -> str:
        return self.MISSING

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Question:
        if isinstance(value, Question):
            return value
        try:
            q = question(value)
        except ValueError:
            self.fail(
                f"{value!r} is not the number of a question; they go from 1 to {len(QUESTIONS)}",
                param,
                ctx,
            )
        if self.built and not q.built:
            there = ", ".join(str(other.number) for other in QUESTIONS if other.built)
            self.fail(f"question {q.number} is not answered yet; these are: {there}", param, ctx)
        return q


class Numbers(click.ParamType):
    """Numbers of answered questions with commas between them, each counted once."""

    name = "numbers"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> list[Question]:
        if isinstance(value, list):
            return value
        one = Number(built=True)
        found = [one.convert(part.strip(), param, ctx) for part in value.split(",")]
        return list({q.number: q for q in found}.values())


def console() -> Any:
    """Standard output, with colours where it is a terminal."""
    from rich.console import Console

    return Console()


def table(*columns: str) -> Any:
    """A plain table with these headings. What is too long goes on in the next line; nothing is cut
    off."""
    from rich import box
    from rich.table import Table

    out = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        out.add_column(column, overflow="fold")
    return out


def can_show(text: str) -> bool:
    """Whether the encoding of standard output has these signs."""
    try:
        text.encode(getattr(sys.stdout, "encoding", None) or "utf8")
    except UnicodeEncodeError:
        return False
    return True


def unbroken(out: Any, text: str, style: str = "") -> None:
    """Print a line that is copied as it stands, a path or a command: never wrapped, whatever the
    width."""
    out.print(text, style=style or None, soft_wrap=True, highlight=False, markup=False)


def print_json(value: Any) -> None:
    """`value` as readable JSON on standard output."""
    text = json.dumps(value, indent=1, ensure_ascii=False)
    # an escape loses nothing, a "?" would
    click.echo(text if can_show(text) else json.dumps(value, indent=1))
