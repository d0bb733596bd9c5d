"""Says which claims of a page nothing shows, and which rivals its table lacks.

A page of a question has two tables, made by `keras_recs.teaching.Bench`, whose outputs carry what
is in them as metadata:

* The rivals. All that the question's protocol knows must be in it. Where lists are measured, it has
  a column by the question's protocol, one of a random split, and cold and warm items of cinema. What
  it says of who is ahead must follow from its figures.
* The claims. Every sentence of the 60-second answer, of the better half of the rubric and of the
  strong sentence that compares, gives a cause or names a result must be borne out by a claim that
  quotes it, in both languages; or it says "we think", or 我们认为. A quotation that no longer
  stands there is a fault, and so is a claim whose proof is no test, tag or heading.

Nothing here runs a notebook or touches a file.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from nbformat import NotebookNode
from parts import TEN_MINUTES, headings, is_checked, tags

from keras_recs.evaluation.metrics import lower_is_better
from keras_recs.evaluation.protocols import protocol_named
from keras_recs.interview.measure import figures
from keras_recs.interview.texts import LANGUAGES, Interview, interview
from keras_recs.questions import QUESTIONS
from keras_recs.teaching.claims import MARK
from keras_recs.teaching.rivals import every_rival

#: What makes a sentence a comparison or the statement of a cause.
CLAIMING = {
    "en": re.compile(
        r"\b(than|better|worse|best|worst|more|fewer|less|most|least|higher|lower|faster|slower"
        r"|beats?|wins?|won|los(?:es?|t)|ahead|behind|level with|on a par|as good as|clearly"
        r"|because|so that|thanks to|due to|outperforms?|improves?|hurts?|helps?)\b",
        re.IGNORECASE,
    ),
    "zh": re.compile(
        "优于|好于|高于|低于|超过|不如|胜过|大胜|赢|略输|输给|打平|持平|领先|落后|更[好差高低快慢强弱多少]"
        "|最[好差高低快慢强弱多少]|因为|所以|因此|由于|得益于|导致|没有显著差异|显著|提升|掉点|损失多少"
    ),
}
THINKING = {"en": "we think", "zh": "我们认为"}
_END = {"en": r"(?<=[.!?])\s+|\n\n", "zh": r"(?<=[。！？])|\n\n"}
_QUOTED = re.compile(r'"[^"]*"|“[^”]*”|(?<!\*)\*(?!\*)[^*]*\*')
TESTS = Path(__file__).resolve().parents[2] / "tests"
#: The share of test events on items without training up to which a split is one of warm items.
MOSTLY_WARM = 0.01
ROUNDED = 2e-5  # what the roundings of three figures to six digits come to, at most
#: The fewest characters of a quotation: one word would bear out anything.
SHORTEST = {"en": 12, "zh": 5}


def faults(notebook: NotebookNode, stem: str) -> list[str]:
    """What is wrong with the tables of an executed notebook; nothing for one of no question."""
    if not is_checked(stem):
        return []
    q = next(q for q in QUESTIONS if q.stem == stem)
    texts = [interview(q, language) for language in LANGUAGES]
    return [*rival_faults(notebook, q.protocol), *claim_faults(notebook, texts)]


# --- rivals ---------------------------------------------------------------------------------------


def rival_faults(notebook: NotebookNode, protocol: str) -> list[str]:
    """What the tables of rivals lack: rivals and splits of the protocol, and verdicts that their own
    figures bear out."""
    tables = list(_marked(notebook, "rivals"))
    if not tables:
        return ["no cell shows the rivals: bench.rivals({…}) makes the table"]
    known = protocol_named(protocol)
    rows = {row for table in tables for row in table["rows"]}
    missing = [name for name in every_rival(known) if name not in rows]
    out = [f"the table of rivals lacks {name!r}" for name in missing]
    if known.ranks:
        out += _missing_columns(tables, protocol)
    elif all(len(table["columns"]) < 2 for table in tables):
        out.append("the table of rivals has one split: one more is needed")
    return out + [fault for table in tables for fault in _wrong_verdicts(table)]


def _missing_columns(tables: list[dict[str, Any]], protocol: str) -> Iterator[str]:
    """The splits that every page about lists shows, and these tables do not. What a column is shows
    in its events, whatever it is called."""
    there = [
        (number, facts) for number, table in enumerate(tables) for facts in table["splits"].values()
    ]
    cold = [(n, f) for n, f in there if f["data"] == "cinema" and f["cold"] == 1]
    trained = {(number, facts["training"]) for number, facts in cold}
    warm = [(n, f) for n, f in there if (n, f["training"]) in trained and f["cold"] <= MOSTLY_WARM]
    kinds = {
        f"a split by {protocol}": any(
            f["protocol"] == protocol and f["in_time"] and f["cold"] < 1 for _, f in there
        ),
        "a random split": any(f["in_time"] is False for _, f in there),
        "cold items of cinema: Setting(cold.cold_items, candidates=cold.item_ids), where cold is "
        "cinema_cold_split()": bool(cold),
        "warm items beside the cold ones, after the same training: cold.warm": bool(warm),
    }
    for kind, shown in kinds.items():
        if not shown:
            yield f"the table of rivals has no column of {kind}"


def _wrong_verdicts(table: dict[str, Any]) -> Iterator[str]:
    """Where what is said of the rivals is not what the figures of the table say."""
    if not table["own"]:
        yield "the table of rivals has no model of the page"
    figures = table["figures"]
    for own in table["own"]:
        for column in figures[own]:
            said = table["verdicts"].get(own, {}).get(column, {})
            for name, row in figures.items():
                if name == own or column not in row:
                    continue
                where = f"the table of rivals, {name} against {own}, {column}"
                if name not in said:
                    yield f"{where}: nothing is said"
                    continue
                place, difference, low, high = said[name]
                if abs(figures[own][column] - row[column] - difference) > ROUNDED:
                    yield f"{where}: the figures differ by something else than {difference}"
                if place != _place(low, high, table["metric"]):
                    yield f"{where}: {place!r} is not what [{low}, {high}] says"
                if not low - ROUNDED <= difference <= high + ROUNDED:
                    yield f"{where}: {difference} is not within [{low}, {high}]"


def _place(low: float, high: float, metric: str) -> str:
    """Where a rival is, by the interval of the own model less the rival."""
    if lower_is_better(metric):
        low, high = -high, -low
    return "behind" if low > 0 else "ahead" if high < 0 else "level"


# --- claims ---------------------------------------------------------------------------------------


def claim_faults(notebook: NotebookNode, texts: list[Interview]) -> list[str]:
    """The sentences that nothing bears out, the quotations that stand nowhere, and the proofs that
    there are none of."""
    tables = list(_marked(notebook, "claims"))
    if not tables:
        return ["no cell shows the claims: bench.claims([…]) makes the table"]
    proofs = places_of(notebook)
    out = [
        f"nothing is called {claim['shown']!r}, which is to show that {claim['text']!r}: it must be a "
        "heading or the tag of a cell of this notebook, or a test"
        for table in tables
        for claim in table
        if claim["shown"] and claim["shown"] not in proofs and not is_test(claim["shown"])
    ]
    for text in texts:
        language = text.language
        quotes = [
            quote
            for table in tables
            for claim in table
            for quote in claim["says"].get(language, ())
        ]
        said = list(parts_of(text))
        for quote in quotes:
            if len(quote) < SHORTEST[language]:
                out.append(f"{language}: the quotation {quote!r} is too short to bear out anything")
            elif not any(quote in part for part in said):
                out.append(f"{language}: no text says {quote!r}, which a claim quotes")
        out += [
            f"{language}: no claim bears out {sentence!r}"
            for part in said
            for sentence in claiming(part, language)
            if not any(quote in sentence for quote in quotes)
        ]
    return out


def places_of(notebook: NotebookNode) -> set[str]:
    """What can be pointed at in a notebook: its headings, without those of the texts that are to be
    borne out, and the tags of its cells, without that of the short path, which many have."""
    found = {
        text for index, text in headings(notebook) if MARK not in notebook.cells[index].metadata
    }
    return found | {tag for cell in notebook.cells for tag in tags(cell)} - {TEN_MINUTES}


def is_test(name: str) -> bool:
    """Whether a test is called so, alone or with its file: tests/test_q12_item_cf.py::test_….

    >>> is_test("test_no_such_test"), is_test("tests/test_page_claims.py::test_no_such_test")
    (False, False)
    """
    file, _, function = name.rpartition("::")
    return function in functions_of_tests().get(file, frozenset())


@cache
def functions_of_tests() -> dict[str, frozenset[str]]:
    """File -> the test functions in it; under "", those of all files."""
    found = {
        path.relative_to(TESTS.parent).as_posix(): frozenset(
            re.findall(r"^def (test_\w+)\(", path.read_text(encoding="utf8"), re.MULTILINE)
        )
        for path in sorted(TESTS.rglob("test_*.py"))
    }
    return {**found, "": frozenset().union(*found.values())}


def parts_of(text: Interview) -> Iterator[str]:
    """The texts that are learned by heart."""
    yield text.sixty_seconds
    # what fails and what is weak are answers that nobody should learn
    yield from (level.text for level in text.rubric if level.level in ("fair", "strong"))
    yield text.sentence.strip('"“”')


def claiming(text: str, language: str) -> list[str]:
    """The sentences that compare, give a cause or name a figure, and are not marked as opinion.

    >>> claiming("EASE wins here. It has one number to tune. We think it is the diagonal.", "en")
    ['EASE wins here.']
    >>> claiming("两者没有显著差异。我们认为是因为数据少。", "zh")
    ['两者没有显著差异。']
    """
    without = re.sub(r"\$\$.*?\$\$", " ", text, flags=re.DOTALL)
    out = []
    for sentence in re.split(_END[language], without):
        said = sentence.strip()
        if THINKING[language] in said.lower() or said.endswith(("?", "？")):
            continue
        own = _QUOTED.sub(" ", said)  # what somebody else is made to say is no claim of the page
        if CLAIMING[language].search(own) or any(map(_is_result, figures(own))):
            out.append(said)
    return out


def _is_result(figure: str) -> bool:
    """Counts up to twelve, and labels of 0 and 1, are none."""
    return "." in figure or abs(int(figure.replace(",", "").replace("−", "-"))) > 12


def _marked(notebook: NotebookNode, kind: str) -> Iterator[Any]:
    """What the outputs of a notebook carry of this kind."""
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            mark = output.get("metadata", {}).get(MARK, {})
            if kind in mark:
                yield mark[kind]
