"""`keras-recs list`: the 24 questions."""

from __future__ import annotations

import click

from keras_recs.questions import QUESTIONS
from keras_recs.terminal.tables import AS_JSON, can_show, console, print_json, table

SIDE_BY_SIDE = 110  # columns of screen from which a question and its Chinese stand on one line


@click.command("list")
@AS_JSON
def command(as_json: bool) -> None:
    """The 24 questions, and the answers that are there."""
    if as_json:
        print_json(
            [
                {
                    "number": q.number,
                    "stem": q.stem,
                    "title": q.title,
                    "title_zh": q.title_zh,
                    "topic": q.topic,
                    "built": q.built,
                    "answers": [a.name for a in q.answers],
                }
                for q in QUESTIONS
            ]
        )
        return
    from rich.text import Text

    out = console()
    chinese = can_show("问题")
    beside = chinese and out.width >= SIDE_BY_SIDE
    rows = table("", "question", "问题", "answers") if beside else table("", "question", "answers")
    for topic in dict.fromkeys(q.topic for q in QUESTIONS):
        rows.add_section()
        rows.add_row("", Text(topic, style="bold"))
        for q in (q for q in QUESTIONS if q.topic == topic):
            # variants of one class share a line
            names = list(dict.fromkeys(a.class_name for a in q.answers))
            shown = Text(", ".join(names)) if names else Text("not yet", style="dim")
            below = f"\n{q.title_zh}" if chinese and not beside else ""
            title = Text.assemble(q.title, (below, "dim"))
            rows.add_row(str(q.number), title, *([q.title_zh] if beside else []), shown)
    rows.columns[-1].min_width = max(len(a.class_name) for q in QUESTIONS for a in q.answers)
    out.print(rows)
