"""All recommenders on one table, with the baselines that give the figures their meaning."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_recs.core.recommender import Recommender
from keras_recs.data.dataset import Dataset
from keras_recs.data.splits import Split, split
from keras_recs.evaluation.measuring import evaluate
from keras_recs.evaluation.metrics import NEUTRAL, kind, lower_is_better
from keras_recs.evaluation.protocols import Protocol, protocol_named, protocol_of
from keras_recs.utils.checks import whole_number

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text

#: The metrics that the table shows.
SHOWN = frozenset(
    {"ndcg", "recall", "hr", "coverage", "rmse", "mae", "auc", "gauc", "log_loss", "ece"}
)

INTERVAL = "95 % interval"

#: Number of the question (None without one), name, and what makes a new recommender.
Entry = tuple[int | None, str, Callable[[], Recommender]]


@dataclass(frozen=True)
class Row:
    """What one recommender reached.

    Attributes:
        question: its number, None for a baseline.
        answer: name of the recommender.
        dataset, protocol: what it was measured on.
        metrics: name to value, not rounded.
        fit_s: seconds that `fit` took.
        recs_per_s: users served per second by `recommend(k)` on all users; None where no
            lists are measured.
        seed: the recommender's own, None where it takes none.
        intervals: the protocol's main metric to its 95 % interval [low, high].
    """

    question: int | None
    answer: str
    dataset: str
    protocol: str
    metrics: dict[str, float]
    fit_s: float
    recs_per_s: float | None
    seed: int | None
    intervals: dict[str, list[float]]

    @property
    def main_metric(self) -> str:
        """What the table is sorted by."""
        return next(iter(self.intervals))

    def as_dict(self) -> dict[str, Any]:
        """The row as JSON values, keys as the attributes."""
        return asdict(self)


def leaderboard(
    entries: Iterable[Entry],
    data: Dataset,
    protocol: str | Protocol = "P1",
    *,
    k: int = 10,
    progress: bool = True,
) -> list[Row]:
    """Fit and measure the baselines and then every entry on the same split of `data`.

    Args:
        entries: (question or None, name, factory of an unfitted recommender).
        data: the whole data set; it is split here.
        protocol: a name such as "P1", or the protocol itself; it says what the baselines are.
        k: length of the lists.
        progress: show a bar where a person watches.

    Returns:
        One row each, in that order; `render` sorts them.
    """
    whole_number("k", k)
    wanted = protocol_named(protocol)
    parts = split(data, wanted)
    todo: list[Entry] = [(None, name, made) for name, made in wanted.baselines]
    todo += entries
    if not progress:
        return [_measure(entry, parts, k) for entry in todo]
    from keras_recs.utils.progress import progress as bar

    with bar(total=len(todo), description="leaderboard") as shown:
        rows = []
        for entry in todo:
            shown.set_postfix_str(entry[1])
            rows.append(_measure(entry, parts, k))
            shown.update()
    return rows


def _measure(entry: Entry, parts: Split, k: int) -> Row:
    question, name, factory = entry
    recommender = factory()
    start = time.perf_counter()
    recommender.fit(parts.train)
    fit_s = time.perf_counter() - start
    evaluation = evaluate(recommender, parts, k=k)
    protocol = protocol_of(parts)
    main = protocol.main_metric(evaluation.metrics)
    return Row(
        question,
        name,
        parts.train.name,
        parts.protocol,
        dict(evaluation.metrics),
        fit_s,
        _served_per_second(recommender, parts.train.user_ids.ids, k) if protocol.ranks else None,
        recommender.get_params().get("seed"),
        {main: list(evaluation.interval(main))},
    )


def _served_per_second(recommender: Recommender, users: np.ndarray, k: int) -> float:
    """The evaluation before it has warmed everything up, so that compilation is not counted."""
    start = time.perf_counter()
    recommender.recommend(users, k)
    return len(users) / (time.perf_counter() - start)


def render(rows: Sequence[Row], *, width: int | None = None) -> Table:
    """The rows as a table for rich, best first by the protocol's main metric, which is marked with
    a star.

    The best of each accuracy metric is bold, and an arrow says which way is good. The other metrics
    are in the rows: all of them side by side would be wider than a screen.

    Args:
        rows: of one data set, protocol and main metric.
        width: columns of the screen. Where it is narrow, figures are left out, the main one last;
            the names of the answers go on in the next line, and are never cut.

    Raises:
        ValueError: no rows, or rows of different data sets, protocols or metrics, which cannot be
            compared.
    """
    if len({(row.dataset, row.protocol, row.main_metric) for row in rows}) != 1:
        raise ValueError("rows must be of one data set, protocol and main metric, and at least one")
    first = rows[0]
    main = first.main_metric
    cut = main.partition("@")[2]  # recall@20 is left out beside recall@10
    others = [
        name
        for name in first.metrics
        if name != main and kind(name) in SHOWN and name.partition("@")[2] == cut
    ]
    speeds = [] if all(row.recs_per_s is None for row in rows) else ["users/s"]
    columns = [main, INTERVAL, *others, *speeds, "fit s"]
    important = [main, INTERVAL, *others[:1], "fit s", *others[1:], *speeds]
    if width is None:
        return _table(rows, columns)
    return narrowed(
        lambda kept: _table(rows, [name for name in columns if name in kept]), important, width
    )


def narrowed(build: Callable[[list[str]], Table], columns: Sequence[str], width: int) -> Table:
    """The table that `build` makes of as many columns, the most important first, as a screen of
    `width` takes."""
    from rich.console import Console
    from rich.measure import Measurement

    paper = Console(width=10_000)
    for n in range(len(columns), 0, -1):
        table = build(list(columns[:n]))
        if n == 1 or Measurement.get(paper, paper.options, table).minimum <= width:
            break
    return table


def widest_word(names: Iterable[str]) -> int:
    """Width of the longest part of the names that must stay whole: they are broken at blanks
    alone."""
    return max((len(word) for name in names for word in name.split()), default=0)


def arrow(metric: str) -> str:
    """Which way is good: "↑", "↓", or "" where more is neither better nor worse by itself.

    >>> [arrow(metric) for metric in ("ndcg@10", "rmse", "coverage@10")]
    ['↑', '↓', '']
    """
    if kind(metric) in NEUTRAL:
        return ""
    return "↓" if lower_is_better(metric) else "↑"


def _table(rows: Sequence[Row], columns: Sequence[str]) -> Table:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    first = rows[0]
    main = first.main_metric
    best = {
        name: _best(name, [row.metrics[name] for row in rows])
        for name in columns
        if name in first.metrics
    }
    table = Table(
        title=f"{first.dataset}, protocol {first.protocol}", box=box.SIMPLE_HEAD, padding=0
    )
    table.add_column("Q", justify="right", no_wrap=True)
    table.add_column(
        "answer", min_width=2 + widest_word(row.answer for row in rows), overflow="fold"
    )
    for name in columns:
        heading = f"{name} {arrow(name)}".strip() if name in first.metrics else name
        table.add_column(heading.replace("@", "\n@"), justify="right", no_wrap=True)
    for row in sorted(rows, key=lambda row: row.metrics[main], reverse=not lower_is_better(main)):
        top = row.metrics[main] == best[main]
        table.add_row(
            "" if row.question is None else str(row.question),
            Text(f"★ {row.answer}" if top else row.answer, style="bold" if top else ""),
            *(_cell(row, name, best) for name in columns),
        )
    return table


def _cell(row: Row, name: str, best: dict[str, float]) -> Text:
    from rich.text import Text

    if name in row.metrics:
        marked = bool(arrow(name)) and row.metrics[name] == best[name]
        return Text(f"{row.metrics[name]:.4f}", style="bold green" if marked else "")
    if name == INTERVAL:
        return Text("{:.4f}–{:.4f}".format(*row.intervals[row.main_metric]))
    if name == "fit s":
        return Text(f"{row.fit_s:.2f}")
    return Text("" if row.recs_per_s is None else f"{row.recs_per_s:,.0f}")


def _best(name: str, values: list[float]) -> float:
    return min(values) if lower_is_better(name) else max(values)
