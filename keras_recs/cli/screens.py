"""The screens of `keras-recs run`: lists side by side, reasons, and one table of metrics."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_recs.cli.reasons import because
from keras_recs.data import Split
from keras_recs.evaluation.leaderboard import arrow, narrowed, widest_word
from keras_recs.terminal.tables import can_show, console, table

if TYPE_CHECKING:
    from keras_recs.cli.result import Result

LAST = 5  # films of the history that are shown
NARROWEST = 20  # columns of screen for a list, or its titles cannot be told apart
HIT = "✓"
#: The metrics, the most telling first: where the screen is narrow, the last ones are left out.
ORDER = (
    "ndcg",
    "rmse",
    "auc",
    "gauc",
    "recall",
    "hr",
    "mae",
    "log_loss",
    "ece",
    "calibration",
    "coverage",
    "mrr",
    "map",
    "precision",
    "novelty",
    "gini",
)


def watched(parts: Split, user: Any) -> list[str]:
    """Titles of the last films in the user's history, the latest first."""
    events = parts.train.interactions
    order = events.chronological()
    mine = order[events.users[order] == parts.train.user_ids.index("user", user)[0]]
    return parts.train.titles(parts.train.item_ids.ids[events.items[mine[::-1]]][:LAST])


def hits(parts: Split, user: Any, items: np.ndarray) -> np.ndarray:
    """Which of these items are in the user's test part."""
    events = parts.test.interactions
    mine = events.items[events.users == parts.test.user_ids.index("user", user)[0]]
    return np.isin(items, parts.test.item_ids.ids[mine])


def show_lists(results: Sequence[Result], parts: Split, user: Any, row: int) -> None:
    """What one user watched, and what each recommender says: as many lists side by side as the
    screen takes."""
    from rich.text import Text

    out = console()
    history = watched(parts, user)
    out.print()
    out.print(Text.assemble((f"user {user}", "bold"), " watched last: " + "; ".join(history)))
    narrowest = max(NARROWEST, widest_word(result.name.replace("(", " (") for result in results))
    side_by_side = max(1, min(len(results), (out.width - 4) // (narrowest + 2)))
    for start in range(0, len(results), side_by_side):
        _print_band(
            results[start : start + side_by_side], start == 0, parts, user, row, side_by_side
        )
    out.print(f"{HIT} is in the user's test part", style="dim", highlight=False)
    for result in results[1:]:
        best = result.lists.items[row][result.lists.valid[row]][:1]
        reason = because(result.recommender, user, best[0], parts.train) if len(best) else None
        if reason:
            out.print(
                Text.assemble(
                    (result.name, "bold"), f": {parts.train.titles(best)[0]}, because {reason}"
                )
            )


def _print_band(
    results: Sequence[Result], first: bool, parts: Split, user: Any, row: int, room: int
) -> None:
    from rich.text import Text

    out = console()
    names = [result.name for result in results]
    if first:  # of ratings, its metrics are those of the biases, its list the most popular
        names[0] = "popularity"
    width = (out.width - 6) // room - 2
    # a name that is too wide for its column is broken before its settings, and between them
    rows = table(
        "",
        *(name if widest_word([name]) <= width else name.replace("(", "\n(", 1) for name in names),
    )
    rows.columns[0].justify = "right"
    for column in rows.columns[1:]:
        column.width, column.no_wrap, column.overflow = width, False, "fold"
    columns = []
    for result in results:
        items = result.lists.items[row][result.lists.valid[row]]
        marked = hits(parts, user, items)
        columns.append(
            [
                Text(
                    f"{HIT if hit else ' '} {_shortened(title, width - 2)}",
                    "bold green" if hit else "",
                )
                for title, hit in zip(parts.train.titles(items), marked, strict=True)
            ]
        )
    for rank in range(max(map(len, columns))):
        rows.add_row(
            str(rank + 1), *(cells[rank] if rank < len(cells) else "" for cells in columns)
        )
    out.print(rows)


def _shortened(title: str, width: int) -> str:
    """A title on one line: without its year, and at last without its end, where the line is
    short."""
    from rich.cells import cell_len, set_cell_size

    if cell_len(title) > width:
        title = re.sub(r" \(\d{4}\)$", "", title)
    if cell_len(title) <= width:
        return title
    return set_cell_size(title, width - 1).rstrip() + ("…" if can_show("…") else "~")


def show_metrics(results: Sequence[Result]) -> None:
    """All answers on one table: each figure with its 95 % interval beneath, and which way is
    good."""
    out = console()
    metrics = results[0].evaluation.metrics
    depth = next(iter(metrics)).partition("@")[2]
    ordered = sorted(
        metrics,
        key=lambda name: (name.partition("@")[2] != depth, ORDER.index(name.partition("@")[0])),
    )
    shown: list[str] = []

    def build(columns: list[str]) -> Any:
        shown[:] = columns
        return _metrics_table(results, columns)

    rows = narrowed(build, ordered, out.width)
    out.print(rows)
    left = ", ".join(name for name in ordered if name not in shown)
    also = f"; on a wider screen, or with --json: {left}" if left else ""
    out.print(
        f"↑ more is better, ↓ less is better; below, 95 % intervals over users{also}",
        style="dim",
        highlight=False,
    )


def _metrics_table(results: Sequence[Result], metrics: Sequence[str]) -> Any:
    from rich.text import Text

    best = {
        name: (min if arrow(name) == "↓" else max)(
            result.evaluation.metrics[name] for result in results
        )
        for name in metrics
        if arrow(name)
    }
    rows = table("", *(f"{name} {arrow(name)}".strip().replace("@", "\n@") for name in metrics))
    rows.columns[0].min_width = widest_word(result.name for result in results)
    for column in rows.columns[1:]:
        column.justify, column.no_wrap = "right", True
    for result in results:
        cells = []
        for name in metrics:
            value, interval = result.evaluation.metrics[name], ""
            if name in result.evaluation.per_user:
                interval = "\n{:.3f}–{:.3f}".format(*result.evaluation.interval(name))
            style = "bold green" if best.get(name) == value else ""
            cells.append(Text.assemble((f"{value:.4f}", style), (interval, "dim")))
        rows.add_row(Text(result.name), *cells)
    return rows
