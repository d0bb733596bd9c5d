"""Cards for Anki: question and answer, rubric, and one card for each follow-up.

Ids depend on the question, the follow-up's English words and the language only, so that an import
of a later export updates the cards that are there and keeps what Anki knows of them.
"""

from __future__ import annotations

import hashlib
import html
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import genanki
from markdown_it import MarkdownIt

from keras_recs.interview.memory import keys
from keras_recs.interview.texts import Interview, interview
from keras_recs.interview.words import WORDS
from keras_recs.questions import Question

_CSS = """\
.card {font-family: sans-serif; font-size: 18px; line-height: 1.5; text-align: left; max-width: 42em; margin: 1em auto;}
.head {color: gray; font-size: 14px;}
.asked {font-weight: bold;}
td {border-top: 1px solid silver; padding: .3em .6em; vertical-align: top;}
"""


def write(questions: Sequence[Question], language: str, out: Path) -> int:
    """Write the cards of these questions to an .apkg file, in one step; the number of cards is
    returned.

    Raises:
        OSError: the file cannot be written.
    """
    model = genanki.Model(
        _id("model"),
        "keras_recs interview",
        fields=[{"name": name} for name in ("Head", "Front", "Back")],
        templates=[
            {
                "name": "Card",
                "qfmt": '<div class="head">{{Head}}</div><div class="asked">{{Front}}</div>',
                "afmt": "{{FrontSide}}<hr id=answer>{{Back}}",
            }
        ],
        css=_CSS,
        sort_field_index=0,
    )
    decks = []
    for q in questions:
        texts = interview(q, language)
        deck = genanki.Deck(
            _id(f"deck {language} {q.stem}"), f"keras_recs {language}::{q.number:02d} {texts.title}"
        )
        for key, head, front, back in _cards(q, texts):
            deck.add_note(
                genanki.Note(
                    model,
                    [head, front, back],
                    tags=["keras_recs", q.stem, language],
                    guid=genanki.guid_for("keras_recs", language, key),
                )
            )
        decks.append(deck)
    part = out.with_name(f".{out.name}.part")
    try:
        genanki.Package(decks).write_to_file(str(part))
        os.replace(part, out)
    finally:
        part.unlink(missing_ok=True)
    return sum(len(deck.notes) for deck in decks)


def _cards(q: Question, texts: Interview) -> Iterator[tuple[str, str, str, str]]:
    """Key, head, front and back of each card of a question."""
    words = WORDS[texts.language]
    main, *others = keys(q)
    name = html.escape(f"{words['question'].format(number=q.number)} · {texts.title}", quote=False)
    yield main, name, to_html(texts.asked), to_html(texts.sixty_seconds)
    rows = "".join(
        f"<tr><td><b>{words[level.level]}</b></td><td>{to_html(level.text)}</td></tr>"
        for level in texts.rubric
    )
    sentence = to_html(f"{words['a strong candidate']}{texts.sentence}")
    yield f"{main} rubric", name, words["front rubric"], f"<table>{rows}</table>{sentence}"
    for index, (key, follow_up) in enumerate(zip(others, texts.follow_ups, strict=True), 1):
        head = f"{name} · {words['follow-up'].format(index=index, total=len(others))}"
        yield key, head, to_html(follow_up.question), to_html(follow_up.answer)


_FORMULA = re.compile(r"\$\$([^$]+)\$\$|\$([^$]+)\$")
_PLACE = re.compile("\ue000(\\d+)\ue001")  # private signs, which Markdown leaves alone


def to_html(markdown: str) -> str:
    r"""Markdown as HTML, its formulas for Anki's MathJax.

    >>> to_html(r"The **bias** $b_u$, if $n < 3$.")
    '<p>The <strong>bias</strong> \\(b_u\\), if \\(n &lt; 3\\).</p>'
    """
    formulas: list[str] = []

    def put_away(found: re.Match[str]) -> str:
        latex = html.escape((found[1] or found[2]).strip(), quote=False)
        formulas.append(rf"\[{latex}\]" if found[1] else rf"\({latex}\)")
        return f"\ue000{len(formulas) - 1}\ue001"

    rendered = MarkdownIt("commonmark", {"html": False}).render(_FORMULA.sub(put_away, markdown))
    return _PLACE.sub(lambda found: formulas[int(found[1])], rendered).strip()


def _id(name: str) -> int:
    """A number that stays the same, as Anki wants it for models and decks."""
    return int.from_bytes(hashlib.sha256(f"keras_recs {name}".encode()).digest()[:4], "big") >> 1
