"""`keras-recs leaderboard`: all answers and the baselines on one table."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import click

from keras_recs.cli.source import NEEDS, check_split, data_options, lacking, source_of
from keras_recs.questions import QUESTIONS, Question
from keras_recs.terminal.tables import AS_JSON, Numbers, console, print_json


@click.command("leaderboard")
@data_options
@click.option(
    "--protocol",
    type=click.Choice(list(NEEDS)),
    default="P1",
    show_default=True,
    help="P1: each user's last fifth is the test; P2: the last event; P3: ratings, a random fifth.",
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
    if protocol == "P3":  # a score of another kind is no rating, and its RMSE would mean nothing
        unfit = [str(q.number) for q in chosen if q.protocol != "P3"]
        chosen = [q for q in chosen if q.protocol == "P3"]
        if wanted and unfit:
            click.echo(
                f"left out, because they do not predict ratings: {', '.join(unfit)}", err=True
            )

    from keras_recs.evaluation import leaderboard, render
    from keras_recs.text import EncoderError

    data = source.load()
    check_split(source, protocol, data)
    entries = []
    for q in chosen:
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
