"""`keras-recs run`: fit the answers to one question, show their lists side by side, and measure
them."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from keras_recs.cli.result import Result
from keras_recs.cli.source import COLUMNS, Source, check_split, data_options, lacking, source_of
from keras_recs.questions import Answer, Question
from keras_recs.questions.names import answer_named, nearest
from keras_recs.terminal.tables import AS_JSON, Number, console, print_json

if TYPE_CHECKING:
    import numpy as np

    from keras_recs.core.recommender import Recommender
    from keras_recs.data import Dataset, Split
    from keras_recs.evaluation import Evaluation


@click.command("run")
@click.argument("number", type=Number(built=True))
@data_options
@click.option(
    "--answer",
    "wanted",
    multiple=True,
    metavar="NAME",
    help="Such as EASE or 'EASE(recency=10)'; may be repeated. All of the question's by default.",
)
@click.option(
    "--users",
    default=2,
    show_default=True,
    type=click.IntRange(min=0),
    help="Users to show lists of.",
)
@click.option(
    "--k", default=10, show_default=True, type=click.IntRange(min=1), help="Length of the lists."
)
@click.option(
    "--language",
    type=click.Choice(["en", "zh", "both"]),
    default="en",
    show_default=True,
    help="Of cinema's titles.",
)
@AS_JSON
def command(
    number: Question,
    dataset: str | None,
    file: Path | None,
    user: str | None,
    item: str | None,
    rating: str | None,
    time: str | None,
    columns: str | None,
    delimiter: str | None,
    encoding: str | None,
    wanted: tuple[str, ...],
    users: int,
    k: int,
    language: str,
    as_json: bool,
) -> None:
    """Fit a question's answers, recommend, and measure."""
    q = number
    source = source_of(
        dataset,
        file,
        {"columns": columns, "delimiter": delimiter, "encoding": encoding},
        user=user,
        item=item,
        rating=rating,
        time=time,
    )
    chosen = _chosen(q, wanted)
    _refuse(source, q, chosen)
    unfitted = [_made(q, answer) for answer in chosen]
    data = source.load(language)
    check_split(source, q.protocol, data)
    _refuse(source, q, chosen, data)
    parts = _split(source, q, data)
    shown = _shown(parts, users)
    if not as_json:
        from keras_recs.evaluation import protocol_named

        console().print(f"{q.number}. {q.title}", style="bold", highlight=False, markup=False)
        console().print(
            f"{source.name}: {data.n_users:,} users, {data.n_items:,} items, {len(data):,} events; "
            f"{protocol_named(q.protocol).about}{_left_out(parts)}",
            highlight=False,
            markup=False,
        )
        if source.file:
            found = getattr(data, "columns", None) or {}
            taken = [f"{role} from {found[role]!r}" for role in COLUMNS.values() if role in found]
            console().print("; ".join(taken), highlight=False, markup=False)
        console().print()
    names = [_baseline(q).name, *(answer.name for answer in chosen)]
    results = []
    for result in _results(q, chosen, unfitted, parts, shown, k):
        results.append(result)
        if not as_json:
            _say(result, names)
    if as_json:
        print_json(_values(q, source, results, parts, shown))
    else:
        from keras_recs.cli.screens import show_lists, show_metrics

        for who in range(len(shown)):
            show_lists(results, parts, shown[who], who)
        show_metrics(results)
    if len(results) <= len(chosen):
        raise SystemExit(1)  # what failed has been said


# --- before anything is fitted ---


def _chosen(q: Question, wanted: tuple[str, ...]) -> list[Answer]:
    try:
        chosen = [answer_named(q, name) for name in wanted]
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    return list({answer.name: answer for answer in chosen or q.answers}.values())


def _made(q: Question, answer: Answer) -> Recommender:
    """The answer with its settings, unfitted; wrong settings are an error of one line."""
    import inspect

    known = list(inspect.signature(q.load(answer)).parameters)
    for setting in answer.params:
        if setting not in known:
            near = nearest(setting, known)
            advice = f"did you mean {near}?" if near else f"it has: {', '.join(known)}"
            raise click.UsageError(f"{answer.class_name} has no setting {setting!r}; {advice}")
    try:
        return q.make(answer)
    except (ValueError, TypeError) as error:
        raise click.UsageError(f"{answer.name}: {error}") from error


def _refuse(source: Source, q: Question, chosen: list[Answer], data: Dataset | None = None) -> None:
    for answer in chosen:
        if missing := lacking(source, q, answer, data):
            raise click.UsageError(
                f"{answer.name} needs {', '.join(missing)}, which {source.name} does not have"
            )


def _split(source: Source, q: Question, data: Dataset) -> Split:
    from keras_recs.data import split

    try:
        return split(data, q.protocol)
    except ValueError as error:
        raise click.UsageError(f"{source.name}: {error}") from error


def _left_out(parts: Split) -> str:
    """What the split has in neither part, where there is something."""
    n = parts.left_out
    return f"; {n:,} later events of users without a history left out" if n else ""


def _shown(parts: Split, n: int) -> np.ndarray:
    """Ids of the first `n` users: of those who have both a history and a test, if there are any."""
    import numpy as np

    train, test = (np.unique(part.interactions.users) for part in (parts.train, parts.test))
    both = np.intersect1d(train, test)
    return parts.train.user_ids.ids[both if len(both) else train][:n]


# --- fitting ---


def _baseline(q: Question) -> Result:
    """The recommender that every answer has to beat, with what it is called; the rest of it is
    empty."""
    from keras_recs.evaluation import protocol_named

    name, floor = protocol_named(q.protocol).floor
    return Result(name, floor(), None, None, 0.0)  # type: ignore[arg-type]


def _results(
    q: Question,
    chosen: list[Answer],
    unfitted: list[Recommender],
    parts: Split,
    shown: np.ndarray,
    k: int,
) -> Iterator[Result]:
    """The baseline and then each answer, as soon as it is measured. One that cannot be fitted is
    said on stderr."""
    from keras_recs.evaluation import evaluate, protocol_of
    from keras_recs.evaluation.baselines import PopularityRecommender
    from keras_recs.text import EncoderError

    baseline = _baseline(q)
    todo = [
        (baseline.name, baseline.recommender),
        *zip([a.name for a in chosen], unfitted, strict=True),
    ]
    for number, (name, recommender) in enumerate(todo):
        if sys.stderr.isatty() and number:
            click.echo(f"fitting {name} ({number} of {len(chosen)}) ...", err=True)
        try:
            start = time.perf_counter()
            recommender.fit(parts.train)
            seconds = time.perf_counter() - start
            evaluation = evaluate(recommender, parts, k=k)
            lists = recommender.recommend(shown, k=k)
        except (ValueError, ArithmeticError, MemoryError, EncoderError) as error:
            if not number:
                raise click.ClickException(str(error)) from error
            click.echo(f"keras-recs: {name}: {' '.join(str(error).split())}", err=True)
            continue
        if not number and not protocol_of(parts).ranks:
            # biases measure ratings; a list of them is not what one would show
            lists = PopularityRecommender().fit(parts.train).recommend(shown, k=k)
        yield Result(name, recommender, evaluation, lists, seconds)


def _say(result: Result, names: list[str]) -> None:
    """One line for a result: the figure that counts, and how long the fit took."""
    from rich.text import Text

    out = console()
    main = main_metric(result.evaluation)
    low, high = result.evaluation.interval(main)
    figures = (
        f"{main} {result.evaluation.metrics[main]:.4f} ({low:.4f}–{high:.4f})  {result.fit_s:.2f} s"
    )
    width = max(map(len, names))
    beside = out.width >= width + 2 + len(figures)
    line = f"{result.name:<{width}}  {figures}" if beside else f"{result.name}\n  {figures}"
    out.print(Text(line), soft_wrap=True)


def main_metric(evaluation: Evaluation) -> str:
    """What answers are judged by."""
    from keras_recs.evaluation import protocol_named

    return protocol_named(evaluation.protocol).main_metric(evaluation.metrics)


# --- JSON ---


def _values(
    q: Question, source: Source, results: list[Result], parts: Split, shown: np.ndarray
) -> list[dict[str, Any]]:
    from keras_recs.cli.screens import hits, watched

    data = parts.train
    baseline, *answers = results
    out = []
    for result in answers:
        lists = [
            {
                "user": user,
                "watched": watched(parts, user),
                "items": (items := result.lists.items[row][result.lists.valid[row]]).tolist(),
                "titles": data.titles(items),
                "hits": hits(parts, user, items).tolist(),
            }
            for row, user in enumerate(shown.tolist())
        ]
        out.append(
            {
                "question": q.number,
                "answer": result.name,
                "dataset": source.name,
                "protocol": q.protocol,
                "metrics": result.evaluation.metrics,
                "intervals": {
                    name: list(result.evaluation.interval(name))
                    for name in result.evaluation.per_user
                },
                "fit_s": result.fit_s,
                "recommendations": lists,
                "baseline": {"answer": baseline.name, "metrics": baseline.evaluation.metrics},
            }
        )
    return out
