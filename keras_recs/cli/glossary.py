"""`keras-recs glossary`: the terms of the field, in English and Chinese."""

from __future__ import annotations

from typing import Any

import click

from keras_recs.questions import Question
from keras_recs.questions.glossary import Term, glossary, look_up
from keras_recs.terminal.tables import AS_JSON, Number, can_show, console, print_json, table


@click.command("glossary")
@click.argument("term", required=False)
@click.option(
    "--question",
    "number",
    type=Number(),
    default=None,
    help="Only the terms of the question with this number.",
)
@AS_JSON
def command(term: str | None, number: Question | None, as_json: bool) -> None:
    """The terms of the field, in English and Chinese.

    TERM can be a name in either language, a symbol, or an argument such as reg."""
    terms = _asked(term, number)
    if as_json:
        print_json([values(each) for each in terms])
    elif term is None:
        _list(terms)
    else:
        for each in terms:
            console().print(text(each), highlight=False, markup=False)


def values(term: Term) -> dict[str, Any]:
    """A term as JSON has it."""
    return {
        "term": term.en,
        "term_zh": term.zh,
        "topic": term.topic,
        "symbol": term.symbol,
        "elsewhere": {symbol: list(used) for symbol, used in term.elsewhere.items()},
        "means": term.means,
        "means_zh": term.means_zh,
        "also": list(term.also),
        "also_zh": list(term.also_zh),
        "parameters": list(term.parameters),
        "differs": term.differs,
        "ranges": term.ranges,
        "computed": list(term.computed),
        "questions": list(term.questions),
    }


def text(term: Term) -> str:
    """A term on a few lines, in both languages where the screen can show them."""
    chinese = can_show(term.zh)
    symbol = f"  {term.symbol}" if term.symbol and term.symbol != term.en else ""
    lines = [f"{term.en} · {term.zh}{symbol}" if chinese else f"{term.en}{symbol}", term.means]
    if chinese:
        lines.append(term.means_zh)
    also = (*term.also, *term.also_zh) if chinese else term.also
    facts = {
        "also": ", ".join(dict.fromkeys(also)),
        "arguments": ", ".join(term.parameters),
        "on pages": "; ".join(
            f"{symbol} in {_numbers(used)}" for symbol, used in term.elsewhere.items()
        ),
        "differs": term.differs,
        "ranges": term.ranges,
        "computed by": ", ".join(term.computed),
        "questions": ", ".join(map(str, term.questions)),
    }
    lines += [f"  {name}: {said}" for name, said in facts.items() if said]
    return "\n".join(lines) + "\n"


def _asked(term: str | None, number: Question | None) -> list[Term]:
    try:
        found = glossary() if term is None else look_up(term)
    except KeyError as error:
        raise click.UsageError(error.args[0]) from None
    return [each for each in found if number is None or number.number in each.questions]


def _list(terms: list[Term]) -> None:
    """Names and symbols, topic by topic."""
    from rich.text import Text

    chinese = can_show("术语")
    rows = table("term", "术语", "symbol") if chinese else table("term", "symbol")
    for topic in dict.fromkeys(term.topic for term in terms):
        rows.add_section()
        rows.add_row(Text(topic, style="bold"))
        for term in (term for term in terms if term.topic == topic):
            rows.add_row(term.en, *([term.zh] if chinese else []), term.symbol)
    console().print(rows)


def _numbers(used: tuple[int, ...]) -> str:
    return ", ".join(f"q{number:02}" for number in used)
