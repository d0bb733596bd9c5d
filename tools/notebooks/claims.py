"""Says which claims of a page nothing shows, and which rivals its table lacks.

A page of a question has two tables, made by `keras_recs.teaching.Bench`, whose outputs carry what
is in them as metadata:

* The rivals. All that the question's protocol knows must be in it.
* The claims. Every sentence of the 60-second answer, of the better half of the rubric and of the
  strong sentence that compares, gives a cause or names a result must be borne out by a claim that
  quotes it, in both languages; or it says "we think", or 我们认为. A quotation that no longer
  stands there is a fault.

Nothing here runs a notebook or touches a file.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from nbformat import NotebookNode
from parts import is_checked

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
        "|最[好差高低快慢强弱多少]|因为|由于|得益于|导致|没有显著差异|显著|提升|掉点|损失多少"
    ),
}
THINKING = {"en": "we think", "zh": "我们认为"}
_END = {"en": r"(?<=[.!?])\s+|\n\n", "zh": r"(?<=[。！？])|\n\n"}
_QUOTED = re.compile(r'"[^"]*"|“[^”]*”|(?<!\*)\*(?!\*)[^*]*\*')
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
    """Which rivals of the protocol are in no table of the notebook."""
    tables = list(_marked(notebook, "rivals"))
    if not tables:
        return ["no cell shows the rivals: bench.rivals({…}) makes the table"]
    rows = {row for table in tables for row in table["rows"]}
    missing = [name for name in every_rival(protocol_named(protocol)) if name not in rows]
    out = [f"the table of rivals lacks {name!r}" for name in missing]
    if all(len(table["columns"]) < 2 for table in tables):
        out.append("the table of rivals has one split: one more is needed")
    return out


# --- claims ---------------------------------------------------------------------------------------


def claim_faults(notebook: NotebookNode, texts: list[Interview]) -> list[str]:
    """The sentences that nothing bears out, and the quotations that stand nowhere."""
    tables = list(_marked(notebook, "claims"))
    if not tables:
        return ["no cell shows the claims: bench.claims([…]) makes the table"]
    out = []
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
