"""The ledger of published defects, as Markdown: `python -m keras_recs.practice.errata >
ERRATA.md`."""

from __future__ import annotations

from keras_recs.practice.defects import defects
from keras_recs.questions import QUESTIONS

HEAD = """# Errata of the published answers

What the published answers to these questions get wrong, what one sees of it, what is right, and the test here that
rejects it. Made by `make errata` from `keras_recs/practice/defects/`; each defect is rebuilt live in the question's
notebook, and those marked ● are planted in the answer by every run of `make test`, which fails unless the named
test rejects them.
"""
COLUMNS = "| | defect | what one sees | what is right | test |\n|---|---|---|---|---|\n"


def errata() -> str:
    """The whole document."""
    parts = [HEAD]
    for q in (q for q in QUESTIONS if q.built):
        parts.append(f"\n## {q.number}. {q.title}\n\n{COLUMNS}")
        for d in (d for d in defects(q) if d.published):
            mark = "●" if d.plantable else ""
            parts.append(
                f"| {mark} | {_cell(d.title)} | {_cell(d.sees)} | {_cell(d.fix)} | `{d.test}` |\n"
            )
    return "".join(parts)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    print(errata(), end="")
