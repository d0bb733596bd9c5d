"""Reading the texts. A file is Markdown, one sentence a line, under headings of one word or two:

    difficulty: 2
    minutes: 5 to answer, 25 to code
    frequency: often

    # asked
    # tested
    # sixty seconds
    # follow-ups
    ## The follow-up question
    Its answer.
    # rubric
    ## fails
    ## weak
    ## fair
    ## strong
    # sentence

A question that is not built yet has `# asked` and `# coming`, one line on what it will be. The
three lines at the top are facts of the question, so they stand in the English file only. Lines of a
paragraph are joined when they are read: with a space in English, without one in Chinese.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from itertools import zip_longest
from typing import NamedTuple

from keras_recs.questions import Question, question
from keras_recs.questions.glossary import Term, terms_in

LANGUAGES = ("en", "zh")
LEVELS = ("fails", "weak", "fair", "strong")

#: How often such a question is asked: our judgement, no count. The word of the file, and the word
#: that is shown.
FREQUENCIES = {
    "often": {"en": "often", "zh": "经常"},
    "sometimes": {"en": "sometimes", "zh": "有时"},
    "rarely": {"en": "rarely", "zh": "较少"},
}

_BUILT = ("asked", "tested", "sixty seconds", "follow-ups", "rubric", "sentence")
_COMING = ("asked", "coming")
_NESTED = ("follow-ups", "rubric")
#: The facts at the top of an English file: what each may be, and an example.
_FACTS = {
    "difficulty": ("[1-3]", "2"),
    "minutes": (r"\d+ to answer, \d+ to code", "5 to answer, 25 to code"),
    "frequency": ("|".join(FREQUENCIES), "often"),
}


class TextError(ValueError):
    """A text that cannot be read: the message begins with the file and the line."""


class FollowUp(NamedTuple):
    """What the interviewer asks next, and a good answer; both Markdown."""

    question: str
    answer: str


class Level(NamedTuple):
    """One level of the rubric (fails, weak, fair, strong) and what an answer of this level is like,
    in Markdown."""

    level: str
    text: str


class Minutes(NamedTuple):
    """Minutes that the question takes: to answer with its follow-ups, and to code (0: nothing is
    coded)."""

    answer: int
    code: int


@dataclass(frozen=True)
class Interview:
    """Everything that is said about one question, in one language.

    Attributes:
        number, stem, title: of the question.
        language: en or zh.
        asked: the interviewer's words.
        tested: what the question tests; empty where it is not built.
        sixty_seconds: the answer, Markdown with formulas between dollars; empty where it is not
        built. follow_ups, rubric: in the order in which they are shown; empty where it is not
        built.
        sentence: one sentence that a strong candidate would say.
        coming: where the question is not built, one line on what it will be; else empty.
        difficulty: 1 (a first interview) to 3 (for specialists).
        minutes: to answer, and to code.
        frequency: how often it is asked, in words of the language: our judgement.
    """

    number: int
    stem: str
    title: str
    language: str
    asked: str
    difficulty: int
    minutes: Minutes
    frequency: str
    tested: str = ""
    sixty_seconds: str = ""
    follow_ups: tuple[FollowUp, ...] = ()
    rubric: tuple[Level, ...] = ()
    sentence: str = ""
    coming: str = ""

    @property
    def built(self) -> bool:
        return bool(self.sixty_seconds)

    @property
    def terms(self) -> tuple[Term, ...]:
        """The terms of the glossary that the 60-second answer names, in its order.

        >>> [term.en for term in interview(5, "zh").terms][:4]
        ['rating', 'global mean', 'user bias', 'item bias']
        """
        return terms_in(self.sixty_seconds, among=self.number)


@dataclass(frozen=True)
class _Part:
    """A heading, the number of its line, and the numbered lines under it."""

    heading: str
    at: int
    lines: tuple[tuple[int, str], ...]


def interview(q: Question | int, language: str = "en") -> Interview:
    """The texts of a question, given as it is or by its number.

    Raises:
        ValueError: there is no such question or language.
        TextError: its file cannot be read; the message names file and line.

    >>> interview(5).minutes
    Minutes(answer=10, code=25)
    >>> [level.level for level in interview(5, "zh").rubric]
    ['fails', 'weak', 'fair', 'strong']
    """
    if language not in LANGUAGES:
        raise ValueError(f"language is {language!r}; it can be {' or '.join(LANGUAGES)}")
    return _load(q.number if isinstance(q, Question) else q, language)


@cache
def _load(number: int, language: str) -> Interview:
    q = question(number)
    names = {each: f"{q.stem}.{each}.md" for each in ("en", language)}
    sources = {}
    for each, name in names.items():
        try:
            sources[each] = (
                files("keras_recs.interview").joinpath("texts", name).read_text(encoding="utf-8")
            )
        except FileNotFoundError:
            raise TextError(f"{name}: the file is missing") from None
        except UnicodeDecodeError as error:
            line = error.object[: error.start].count(b"\n") + 1
            raise TextError(f"{name}, line {line}: not UTF-8") from None
    return parse(q, language, sources[language], names[language], facts(sources["en"], names["en"]))


def facts(source: str, name: str) -> dict[str, str]:
    """The lines `key: value` before the first heading of the English file `name`."""
    found: dict[str, str] = {}
    for at, line in enumerate(source.splitlines(), 1):
        if line.startswith("# "):
            break
        if not line.strip():
            continue
        key, colon, value = (each.strip() for each in line.partition(":"))
        if not colon or key not in _FACTS or key in found:
            raise TextError(
                f"{name}, line {at}: expected {', '.join(_FACTS)}, each once, got {line!r}"
            )
        pattern, example = _FACTS[key]
        if not re.fullmatch(pattern, value):
            raise TextError(
                f"{name}, line {at}: {key} cannot be {value!r}; it looks like {example!r}"
            )
        found[key] = value
    for key in _FACTS:
        if key not in found:
            raise TextError(f"{name}, line 1: {key} is missing before the first heading")
    return found


def parse(q: Question, language: str, source: str, name: str, stated: dict[str, str]) -> Interview:
    """`source`, the text of the file `name`, as an Interview; `stated` are the facts of the English
    file."""
    wanted = _BUILT if q.built else _COMING
    parts = _parts(enumerate(source.splitlines(), 1), "# ")
    for part, expected in zip_longest(parts, wanted):
        if part is None:
            raise TextError(
                f"{name}, line {source.count(chr(10))}: the part {expected!r} is missing"
            )
        if part.heading != expected:
            ought = "nothing more" if expected is None else repr(expected)
            raise TextError(
                f"{name}, line {part.at}: expected {ought}, got the part {part.heading!r}"
            )
    text = {
        part.heading: _text(part, language, name) for part in parts if part.heading not in _NESTED
    }
    nested = {
        part.heading: _nested(part, language, name) for part in parts if part.heading in _NESTED
    }
    answer, code = (int(number) for number in re.findall(r"\d+", stated["minutes"]))
    return Interview(
        number=q.number,
        stem=q.stem,
        title=q.title if language == "en" else q.title_zh,
        language=language,
        asked=text["asked"],
        difficulty=int(stated["difficulty"]),
        minutes=Minutes(answer, code),
        frequency=FREQUENCIES[stated["frequency"]][language],
        tested=text.get("tested", ""),
        sixty_seconds=text.get("sixty seconds", ""),
        follow_ups=tuple(FollowUp(*pair) for pair in nested.get("follow-ups", ())),
        rubric=tuple(Level(*pair) for pair in nested.get("rubric", ())),
        sentence=text.get("sentence", ""),
        coming=text.get("coming", ""),
    )


def _parts(lines: Iterable[tuple[int, str]], mark: str) -> list[_Part]:
    """The parts that begin with a heading of this mark; what stands before the first is left
    out."""
    found: list[tuple[str, int, list[tuple[int, str]]]] = []
    for at, line in lines:
        if line.startswith(mark):
            found.append((line.removeprefix(mark).strip(), at, []))
        elif found:
            found[-1][2].append((at, line))
    return [_Part(heading, at, tuple(under)) for heading, at, under in found]


def _nested(part: _Part, language: str, name: str) -> list[tuple[str, str]]:
    """The headings of second order in a part, and the text under each."""
    inner = _parts(part.lines, "## ")
    first = inner[0].at if inner else part.at + len(part.lines) + 1
    for at, line in part.lines:
        if at < first and line.strip():
            raise TextError(f"{name}, line {at}: expected a heading `## …` first, got {line!r}")
    if not inner:
        raise TextError(f"{name}, line {part.at}: nothing stands under {part.heading!r}")
    if part.heading == "rubric":
        for each, level in zip_longest(inner, LEVELS):
            if each is None or each.heading != level:
                at, got = (part.at, "nothing") if each is None else (each.at, repr(each.heading))
                raise TextError(
                    f"{name}, line {at}: the rubric has the levels {', '.join(LEVELS)}; got {got} "
                    f"where {level or 'nothing more'} was expected"
                )
    return [(each.heading, _text(each, language, name)) for each in inner]


def _text(part: _Part, language: str, name: str) -> str:
    """The text of a part, its paragraphs on one line each."""
    text = join_lines((line for _, line in part.lines), language)
    if not text:
        raise TextError(f"{name}, line {part.at}: nothing stands under {part.heading!r}")
    if text.count("$") % 2:
        raise TextError(
            f"{name}, line {part.at}: a dollar without its partner under {part.heading!r}"
        )
    return text


#: What begins a line of its own: list, table, quotation, displayed formula.
_OWN_LINE = re.compile(r"[-*] |\d+\. |\||> |\$\$")
#: Between two of these, Chinese lines are joined with a space, as English is.
_LATIN = re.compile(r"[!-~]")


def join_lines(lines: Iterable[str], language: str) -> str:
    """Markdown whose paragraphs and list items stand on one line each.

    >>> join_lines(["One.", "Two.", "", "- a", "  b", "- c"], "en")
    'One. Two.\\n\\n- a b\\n- c'
    >>> join_lines(["第一句。", "第二句。"], "zh")
    '第一句。第二句。'
    """
    out: list[str] = []
    for line in lines:
        stripped = line.strip()
        if (
            not stripped
            or not out
            or not out[-1]
            or _OWN_LINE.match(stripped)
            or out[-1].endswith("$$")
        ):
            out.append(stripped)
            continue
        latin = _LATIN.match(out[-1][-1]) and _LATIN.match(stripped[0])
        out[-1] += (" " if language == "en" or latin else "") + stripped
    return re.sub(r"\n{3,}", "\n\n", "\n".join(out)).strip()
