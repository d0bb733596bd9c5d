"""The command `keras-recs`: list, show, run, leaderboard, devices, assets."""

from __future__ import annotations

import ast
import json
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from keras_recs import __version__
from keras_recs.practice.commands import COMMANDS
from keras_recs.practice.stubs import answer_source
from keras_recs.questions import QUESTIONS, Answer, Question
from keras_recs.terminal import AS_JSON, Number, Numbers, console, print_json, table

if TYPE_CHECKING:
    from keras_recs.data import Dataset

DATASETS = ("cinema", "ml-100k", "ml-latest-small", "ml-1m")
DATASET = click.option("--dataset", type=click.Choice(DATASETS), default=DATASETS[0], show_default=True,
                       help="cinema comes with the package; the others are fetched.")


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="keras-recs")
def cli() -> None:
    """24 recommender-system interview questions, answered with code that works."""


@cli.command("list")
@AS_JSON
def list_(as_json: bool) -> None:
    """The 24 questions."""
    if as_json:
        print_json([{"number": q.number, "stem": q.stem, "title": q.title, "title_zh": q.title_zh, "topic": q.topic,
                      "built": q.built, "answers": [a.name for a in q.answers]} for q in QUESTIONS])
        return
    out = table("", "question", "问题", "answers")
    for topic in dict.fromkeys(q.topic for q in QUESTIONS):
        out.add_section()
        out.add_row("", f"[bold]{topic}[/]", "", "")
        for q in (q for q in QUESTIONS if q.topic == topic):
            # variants of one class share a line
            names = ", ".join(dict.fromkeys(a.class_name for a in q.answers))
            out.add_row(str(q.number), q.title, q.title_zh, names or "[dim]not yet[/]")
    console().print(out)


@cli.command()
@click.argument("number", type=Number())
@AS_JSON
def show(number: Question, as_json: bool) -> None:
    """Question NUMBER, its answer in a few lines, and its files."""
    q = number
    about = _docstring(q) if q.built else None
    if as_json:
        print_json({"number": q.number, "stem": q.stem, "title": q.title, "title_zh": q.title_zh, "topic": q.topic,
                     "built": q.built, "answers": [a.name for a in q.answers], "protocol": q.protocol,
                     "about": about})
        return
    out = console()
    out.print(f"[bold]{q.number}. {q.title}[/]\n{q.title_zh}\n[dim]{q.topic}[/]\n", highlight=False)
    if not q.built:
        out.print("This one is not answered yet.")
        return
    out.print(about, highlight=False, markup=False)
    out.print(f"\nanswers    {', '.join(a.name for a in q.answers)}\ncode       keras_recs/answers/{q.stem}.py\n"
              f"notebook   notebooks/{q.stem}.ipynb\ntests      tests/test_{q.stem}.py\n"
              f"try it     keras-recs run {q.number}", highlight=False)


@cli.command()
@click.argument("number", type=Number(built=True))
@DATASET
@click.option("--answer", "wanted", help="One of the question's answers, by name; all of them by default.")
@click.option("--users", default=3, show_default=True, type=click.IntRange(min=0), help="Users to recommend to.")
@click.option("--k", default=10, show_default=True, type=click.IntRange(min=1), help="Length of the lists.")
@click.option("--language", type=click.Choice(["en", "zh", "both"]), default="en", show_default=True,
              help="Of cinema's titles.")
@AS_JSON
def run(number: Question, dataset: str, wanted: str | None, users: int, k: int, language: str, as_json: bool) -> None:
    """Fit the answers to question NUMBER, measure them, and recommend to a few users."""
    q = number
    chosen = _chosen(q, wanted)

    from keras_recs.data import split
    from keras_recs.evaluation import evaluate

    data = _load(dataset, language)
    parts = split(data, q.protocol)
    results: list[dict[str, Any]] = []
    for answer in chosen:
        if lacking := _lacking(q, answer, data):
            raise click.UsageError(f"{answer.name} needs {', '.join(lacking)}, which {dataset} does not have")
        recommender = q.make(answer)
        start = time.perf_counter()
        recommender.fit(parts.train)
        seconds = time.perf_counter() - start
        evaluation = evaluate(recommender, parts, k=k)
        shown = data.user_ids.ids[:users]
        lists = recommender.recommend(shown, k=k)
        results.append({
            "question": q.number, "answer": answer.name, "dataset": dataset, "protocol": q.protocol,
            "metrics": evaluation.metrics,
            "intervals": {name: list(evaluation.interval(name)) for name in evaluation.per_user},
            "fit_s": seconds,
            "recommendations": [{"user": user, "items": items[ok].tolist(), "titles": data.titles(items[ok])}
                                for user, items, ok in zip(shown.tolist(), lists.items, lists.valid, strict=True)]})
    if as_json:
        print_json(results)
        return
    out = console()
    for result in results:
        out.print(f"\n[bold]{result['answer']}[/] on {dataset}, protocol {q.protocol}, "
                  f"fitted in {result['fit_s']:.2f} s", highlight=False)
        values = table("metric", "value", "95 % interval")
        for name, value in result["metrics"].items():
            low_high = result["intervals"].get(name)
            values.add_row(name, f"{value:.4f}", "{:.4f} – {:.4f}".format(*low_high) if low_high else "")
        out.print(values)
        for row in result["recommendations"]:
            out.print(f"[bold]user {row['user']}[/]", highlight=False)
            for rank, title in enumerate(row["titles"], 1):
                out.print(f"  {rank:2d}  {title}", highlight=False, markup=False)


@cli.command()
@DATASET
@click.option("--protocol", type=click.Choice(["P1", "P2", "P3"]), default="P1", show_default=True)
@click.option("--questions", "wanted", type=Numbers(), help="Such as 5,8,12; all that are built by default.")
@click.option("--json", "file", type=click.Path(dir_okay=False, writable=True, allow_dash=True, path_type=Path),
              help="Write the rows to this file as JSON; - is standard output.")
def leaderboard(dataset: str, protocol: str, wanted: list[Question] | None, file: Path | None) -> None:
    """All answers and the baselines on one table."""
    from keras_recs.evaluation import leaderboard as measure
    from keras_recs.evaluation import render

    chosen = wanted or [q for q in QUESTIONS if q.built]
    if protocol == "P3":  # a score of another kind is no rating, and its RMSE would mean nothing
        unfit = [str(q.number) for q in chosen if q.protocol != "P3"]
        chosen = [q for q in chosen if q.protocol == "P3"]
        if wanted and unfit:
            click.echo(f"left out, because they do not predict ratings: {', '.join(unfit)}", err=True)
    data = _load(dataset)
    entries = []
    for q in chosen:
        for answer in q.answers:
            if lacking := _lacking(q, answer, data):
                click.echo(f"left out, because {dataset} has no {', '.join(lacking)}: {answer.name}", err=True)
            else:
                entries.append((q.number, answer.name, partial(q.make, answer)))
    rows = measure(entries, data, protocol)
    if file is not None:
        text = json.dumps([row.as_dict() for row in rows], indent=1, ensure_ascii=False)
        if str(file) == "-":
            click.echo(text)
            return
        file.write_text(text + "\n", encoding="utf8")
    console().print(render(rows))


@cli.group(invoke_without_command=True)
@AS_JSON
@click.pass_context
def assets(context: click.Context, as_json: bool) -> None:
    """Data and pretrained weights that are fetched when they are needed."""
    from keras_recs.data.assets import ASSETS, is_present

    if context.invoked_subcommand is not None:
        return
    if as_json:
        print_json([{"name": a.name, "description": a.description, "size": a.size, "licence": a.licence,
                      "present": is_present(a.name)} for a in ASSETS.values()])
        return
    out = table("name", "MB", "here", "what it is", "licence")
    for asset in ASSETS.values():
        out.add_row(asset.name, f"{asset.size / 1e6:.1f}", "yes" if is_present(asset.name) else "",
                      asset.description, asset.licence)
    console().print(out)


@assets.command("get")
@click.argument("names", nargs=-1, required=True)
def get_assets(names: tuple[str, ...]) -> None:
    """Fetch the assets NAMES."""
    from keras_recs.data.assets import ASSETS, AssetError, fetch

    unknown = [name for name in names if name not in ASSETS]
    if unknown:
        raise click.UsageError(f"there is no asset {unknown[0]!r}; there are: {', '.join(ASSETS)}")
    for name in names:
        try:
            click.echo(f"{name}: {fetch(name)}")
        except AssetError as error:
            raise click.ClickException(str(error)) from error


@cli.command()
@AS_JSON
def devices(as_json: bool) -> None:
    """What TensorFlow found, and what training will use."""
    from keras_recs.neural import device_report

    report = device_report()
    if as_json:
        print_json(report.as_dict())
        return
    out = table("", "")
    out.show_header = False
    built = "with" if report.built_with_gpu else "without"
    out.add_row("TensorFlow", f"{report.tensorflow}, built {built} GPU support")
    out.add_row("GPUs", ", ".join(report.gpus) or "none")
    out.add_row("CPUs", ", ".join(report.cpus))
    out.add_row("training uses", report.strategy)
    out.add_row("precision", report.precision)
    console().print(out)


def _lacking(q: Question, answer: Answer, data: Dataset) -> list[str]:
    """What an answer needs and the data set does not have."""
    return [needed for needed in q.load(answer).requires if not data.has(needed)]


def _chosen(q: Question, wanted: str | None) -> list[Answer]:
    chosen = [a for a in q.answers if wanted is None or a.name == wanted]
    if not chosen:
        raise click.UsageError(f"question {q.number} has no answer {wanted!r}; "
                               f"it has: {', '.join(a.name for a in q.answers)}")
    return chosen


def _load(dataset: str, language: str = "en") -> Dataset:
    from keras_recs.data import load_cinema, load_movielens
    from keras_recs.data.assets import AssetError

    if dataset == "cinema":
        return load_cinema(language)
    try:
        return load_movielens(dataset)
    except AssetError as error:
        raise click.ClickException(str(error)) from error


def _docstring(q: Question) -> str:
    """The docstring of the answer's file, without importing it."""
    return ast.get_docstring(ast.parse(answer_source(q))) or ""


for command in COMMANDS:
    cli.add_command(command)


def main() -> NoReturn:
    """Run the command; a wrong argument is one line on stderr and exit code 2."""
    try:
        code = cli.main(standalone_mode=False)
    except click.UsageError as error:
        click.echo(f"keras-recs: {error.format_message()}", err=True)
        raise SystemExit(2) from None
    except click.ClickException as error:
        click.echo(f"keras-recs: {error.format_message()}", err=True)
        raise SystemExit(error.exit_code) from None
    except (click.Abort, KeyboardInterrupt):
        raise SystemExit(130) from None
    raise SystemExit(code or 0)
