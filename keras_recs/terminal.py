"""What the commands share: arguments, tables, JSON. Rich is imported when something is shown."""

from __future__ import annotations

import json
from typing import Any

import click

from keras_recs.questions import QUESTIONS, Question, question

AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")


class Number(click.ParamType):
    """The number of a question; with `built`, of one that is answered."""

    name = "number"

    def __init__(self, built: bool = False) -> None:
        self.built = built

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Question:
        if isinstance(value, Question):
            return value
        try:
            q = question(int(value))
        except ValueError:
            self.fail(f"{value!r} is not the number of a question; they go from 1 to {len(QUESTIONS)}", param, ctx)
        if self.built and not q.built:
            there = ", ".join(str(other.number) for other in QUESTIONS if other.built)
            self.fail(f"question {q.number} is not answered yet; these are: {there}", param, ctx)
        return q


class Numbers(click.ParamType):
    """Numbers of answered questions with commas between them."""

    name = "numbers"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> list[Question]:
        if isinstance(value, list):
            return value
        return [Number(built=True).convert(part.strip(), param, ctx) for part in value.split(",")]


def console() -> Any:
    """Standard output, with colours where it is a terminal."""
    from rich.console import Console

    return Console()


def table(*columns: str) -> Any:
    """A plain table with these headings."""
    from rich import box
    from rich.table import Table

    out = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        out.add_column(column)
    return out


def print_json(value: Any) -> None:
    """`value` as readable JSON on standard output."""
    click.echo(json.dumps(value, indent=1, ensure_ascii=False))
