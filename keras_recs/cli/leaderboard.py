"""`keras-recs leaderboard`: all answers and the baselines on one table."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import click

from keras_recs.cli.source import check_split, data_options, lacking, source_of
from keras_recs.questions import QUESTIONS, Question
from keras_recs.terminal.tables import AS_JSON, Numbers, console, print_json


class ProtocolName(click.ParamType):
    """One of the protocols. They are looked up when they are needed: they bring NumPy."""

    name = "protocol"

    def get_metavar(self, param: click.Parameter, ctx: click.Context | None = None) -> str:
        return f"[{'|'.join(self._choice().choices)}]"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        return self._choice().convert(value, param, ctx)

    def _choice(self) -> click.Choice:
        from keras_recs.evaluation import PROTOCOLS

        return click.Choice(list(PROTOCOLS))


class ProtocolOption(click.Option):
    """Its help says what each protocol is."""

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        from keras_recs.evaluation import PROTOCOLS

        self.help = "; ".join(f"{name}: {found.about}" for name, found in PROTOCOLS.items()) + "."
        return super().get_help_record(ctx)


@click.command("leaderboard")
@data_options
@click.option(
    "--protocol",
    cls=ProtocolOption,
    type=ProtocolName(),
    default="P1",
    show_default=True,
    help="How to split, and what to measure.",
)
@click.option(
    "--questions", "wanted", type=Numbers(), help="Such as 5,8,12; all that are built by default."
)
@AS_JSON
@click.option(
    "--out",
    "written",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    metavar="FILE",
    help="Also write the rows to this file, as JSON.",
)
def command(
    dataset: str | None,
    file: Path | None,
    user: str | None,
    item: str | None,
    rating: str | None,
    time: str | None,
    columns: str | None,
    delimiter: str | None,
    encoding: str | None,
    protocol: str,
    wanted: list[Question] | None,
    as_json: bool,
    written: Path | None,
) -> None:
    """All answers and the baselines on one table."""
    source = source_of(
        dataset,
        file,
        {"columns": columns, "delimiter": delimiter, "encoding": encoding},
        user=user,
        item=item,
        rating=rating,
        time=time,
    )
    chosen = wanted or [q for q in QUESTIONS if q.built]

    from keras_recs.evaluation import leaderboard, protocol_named, render
    from keras_recs.text import EncoderError

    measured_by = protocol_named(protocol)
    fit = [q for q in chosen if measured_by.takes(protocol_named(q.protocol))]
    unfit = [str(q.number) for q in chosen if q not in fit]
    if wanted and unfit:
        click.echo(
            f"left out, because they do not {measured_by.ability}: {', '.join(unfit)}", err=True
        )
    data = source.load()
    check_split(source, protocol, data)
    entries = []
    for q in fit:
        for answer in q.answers:
            if missing := lacking(source, q, answer, data):
                click.echo(
                    f"left out, because {source.name} has no {', '.join(missing)}: {answer.name}",
                    err=True,
                )
            else:
                entries.append((q.number, answer.name, partial(q.make, answer)))
    try:
        rows = leaderboard(entries, data, protocol)
    except (ValueError, ArithmeticError, MemoryError, EncoderError) as error:
        raise click.ClickException(f"{source.name}: {error}") from error
    values = [row.as_dict() for row in rows]
    if written is not None:
        written.write_text(json.dumps(values, indent=1, ensure_ascii=False) + "\n", encoding="utf8")
    if as_json:
        print_json(values)
    else:
        out = console()
        out.print(render(rows, width=out.width))
