"""The glossary: terms and notation in English and Chinese, in one list that pages, docstrings and
commands share.

The entries stand in `glossary.toml`. One symbol has one meaning there, and one name of a
constructor argument.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from importlib.resources import files
from typing import Any


@dataclass(frozen=True)
class Term:
    """One entry.

    Attributes:
        topic: the part of the field that it belongs to.
        en, zh: its name.
        means, means_zh: one sentence each.
        also, also_zh: other names, and well-known cases of it.
        symbol: in formulas; "" where it has none.
        elsewhere: symbol -> numbers of the questions whose pages use that one instead.
        parameters: names of constructor arguments that hold it.
        differs: where equal names stand for several units or ways, which.
        ranges: where arguments of one name have several ranges, why.
        computed: dotted names of what computes it.
        questions: numbers of the questions where it is used.
        avoid, avoid_zh: wrong names for it.
    """

    topic: str
    en: str
    zh: str
    means: str
    means_zh: str
    also: tuple[str, ...] = ()
    also_zh: tuple[str, ...] = ()
    symbol: str = ""
    elsewhere: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    parameters: tuple[str, ...] = ()
    differs: str = ""
    ranges: str = ""
    computed: tuple[str, ...] = ()
    questions: tuple[int, ...] = ()
    avoid: tuple[str, ...] = ()
    avoid_zh: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Everything that the term is called, in either language, its own names first."""
        return tuple(dict.fromkeys((self.en, self.zh, *self.also, *self.also_zh)))

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """Finds the names of the term in a text. Latin ones stand as words of their own, with or
        without a plural s; abbreviations keep their case."""
        longest_first = sorted(self.names, key=len, reverse=True)
        return re.compile("|".join(map(_as_pattern, longest_first)))

    def name(self, language: str) -> str:
        return self.zh if language == "zh" else self.en

    def meaning(self, language: str) -> str:
        return self.means_zh if language == "zh" else self.means


@cache
def glossary() -> tuple[Term, ...]:
    """All terms, topic by topic.

    >>> [term.zh for term in glossary() if term.en == "implicit feedback"]
    ['隐式反馈']
    """
    source = files("keras_recs.questions").joinpath("glossary.toml").read_text(encoding="utf-8")
    topics = tomllib.loads(source)
    return tuple(_term(topic, entry) for topic, entries in topics.items() for entry in entries)


def _term(topic: str, entry: dict[str, Any]) -> Term:
    """An entry of the file, its lists as tuples."""
    values: dict[str, Any] = {
        key: tuple(v) if isinstance(v, list) else v for key, v in entry.items()
    }
    elsewhere = {symbol: tuple(used) for symbol, used in entry.get("elsewhere", {}).items()}
    values["elsewhere"] = elsewhere
    return Term(topic=topic, **values)


def look_up(asked: str) -> tuple[Term, ...]:
    """The terms that are called so: by name in either language, symbol or argument. The terms of
    whose own name it is come first.

    Raises:
        KeyError: nothing is called so; the message has the nearest names.

    >>> [term.en for term in look_up("reg")], [term.en for term in look_up("正则化")]
    (['L2 penalty'], ['L2 penalty'])
    >>> look_up("temprature")
    Traceback (most recent call last):
    KeyError: "the glossary has no 'temprature'; did you mean temperature?"
    """
    wanted = _bare(asked)
    ranked = [(_rank(term, asked.strip(), wanted), term) for term in glossary()]
    found = sorted((pair for pair in ranked if pair[0] is not None), key=lambda pair: pair[0] or 0)
    if not found:
        raise KeyError(f"the glossary has no {asked!r}; {_advice(wanted)}")
    return tuple(term for _, term in found)


def _rank(term: Term, asked: str, wanted: str) -> int | None:
    """How directly `term` is called so: 0 by its name, 1 by its symbol, 2 by another name; None if
    it is not."""
    if wanted in (_bare(term.en), _bare(term.zh)):
        return 0
    # μ is not M, k is not K: case counts in symbols
    if (asked and asked == term.symbol) or wanted in map(_bare, term.parameters):
        return 1
    return 2 if wanted in map(_bare, (*term.also, *term.also_zh)) else None


def _bare(name: str) -> str:
    """A name without case, hyphens and what else people write in several ways.

    >>> _bare("Two-Tower  model") == _bare("two tower model"), _bare("factorisation")
    (True, 'factorization')
    """
    plain = re.sub(r"[\s\-_–×*]+", " ", name).strip().casefold()
    return re.sub(r"(?<=[a-z]{3})is(?=ation|ed\b|e\b|ing\b)", "iz", plain)


def _advice(wanted: str) -> str:
    names = {_bare(name): name for term in glossary() for name in (*term.names, *term.parameters)}
    near = difflib.get_close_matches(wanted, names, n=3, cutoff=0.75)
    holding = [bare for bare in names if len(wanted) > 1 and wanted in bare and bare not in near]
    shown = [names[bare] for bare in (near + holding)[:3]]
    return f"did you mean {' or '.join(shown)}?" if shown else "`keras-recs glossary` lists it"


def terms_in(text: str, among: int | None = None) -> tuple[Term, ...]:
    """The terms that a text names, in either language, in the order of the text.

    Args:
        among: the number of a question, to look for its terms only.

    >>> [term.en for term in terms_in("先负采样，再用 BPR；用 L2 regularisation 防过拟合")]
    ['negative sampling', 'Bayesian personalized ranking', 'L2 penalty', 'overfitting']
    """
    plain = text.replace("*", "")  # marks of emphasis may stand within a name
    chosen = [term for term in glossary() if among is None or among in term.questions]
    found = [(match.start(), term) for term in chosen if (match := term.pattern.search(plain))]
    return tuple(term for _, term in sorted(found, key=lambda pair: pair[0]))


def _as_pattern(name: str) -> str:
    plain = re.escape(name).replace(r"\ ", r"[\s-]+")
    plain = re.sub(r"(?<=i)[sz](?=ation|ed|e\b)", "[sz]", plain)
    if not re.match(r"[A-Za-z]", name):
        return plain
    word = rf"(?<![A-Za-z]){plain}s?(?![A-Za-z])"
    return word if re.search("[A-Z]{2}", name) else f"(?i:{word})"
