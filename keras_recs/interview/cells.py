"""The Markdown cells of a notebook that hold the texts of its question: in one language where the
notebook has an edition of its own in the other, else both languages in each cell."""

from __future__ import annotations

import html

from keras_recs.interview.texts import LANGUAGES, Interview, interview
from keras_recs.interview.words import WORDS
from keras_recs.questions import Question

#: The kinds of cells, in the order in which they stand; the cell's metadata names its kind under
#: `keras_recs`.
KINDS = ("question", "sixty-seconds", "follow-ups", "rubric")

#: The heading above each kind but the question, whose heading is its title.
HEADINGS: dict[str, dict[str, str]] = {
    "sixty-seconds": {"en": "The 60-second answer", "zh": "60 秒回答"},
    "follow-ups": {"en": "What they ask next", "zh": "追问"},
    "rubric": {"en": "How an interviewer grades it", "zh": "评分标准"},
}
_LEVEL = {"sixty-seconds": "##", "follow-ups": "##", "rubric": "###"}


def cell(q: Question, kind: str, language: str | None = None) -> str:
    """The source of the cell of this kind in the notebook of a built question.

    Args:
        q: the question.
        kind: one of `KINDS`.
        language: en or zh; None for both, where the notebook has one edition only.
    """
    if language is not None:
        text = interview(q, language)
        return _question(text) if kind == "question" else _headed(kind, text, _LEVEL[kind])
    english, chinese = (interview(q, each) for each in LANGUAGES)
    if kind == "question":
        return _question_in_both(english, chinese)
    return "\n\n".join([_headed(kind, english, _LEVEL[kind]), _headed(kind, chinese, "###")])


def about(text: Interview) -> str:
    """Difficulty, minutes and frequency in one line of the text's language."""
    words = WORDS[text.language]
    minutes = words["minutes"].format(answer=text.minutes.answer)
    if text.minutes.code:
        minutes += words["minutes to code"].format(code=text.minutes.code)
    return " · ".join(
        [
            words["difficulty"].format(difficulty=text.difficulty),
            minutes,
            words["frequency"].format(frequency=text.frequency),
        ]
    )


def _question(text: Interview) -> str:
    asked = f'*"{text.asked}"*' if text.language == "en" else f"“{text.asked}”"
    number = WORDS[text.language]["question"].format(number=text.number)
    return f"# {number} · {text.title}\n\n> {asked}\n\n{_tested(text)}\n\n*{about(text)}*"


def _tested(text: Interview) -> str:
    if text.language == "zh":
        return f"考点：{text.tested}"
    return f"What is being tested: {text.tested[:1].lower() + text.tested[1:]}"


def _question_in_both(english: Interview, chinese: Interview) -> str:
    return f"""\
# Question {english.number} · {english.title}

> *"{english.asked}"*

> **第 {english.number} 题 · {chinese.title}** “{chinese.asked}”

{_tested(english)}

{_tested(chinese)}

*{about(english)}* · *{about(chinese)}*"""


def _headed(kind: str, text: Interview, level: str) -> str:
    written = {"sixty-seconds": _sixty_seconds, "follow-ups": _folded, "rubric": _graded}[kind]
    return f"{level} {HEADINGS[kind][text.language]}\n\n{written(text)}"


def _sixty_seconds(text: Interview) -> str:
    return text.sixty_seconds


def _folded(text: Interview) -> str:
    return "\n\n".join(
        f"<details><summary><b>{html.escape(follow_up.question, quote=False)}</b></summary>\n\n"
        f"{follow_up.answer}\n</details>"
        for follow_up in text.follow_ups
    )


def _graded(text: Interview) -> str:
    words = WORDS[text.language]
    rows = [f"| **{words[level.level]}** | {level.text} |" for level in text.rubric]
    table = "\n".join([f"| {words['level']} | {words['what it is like']} |", "|---|---|", *rows])
    return f"{table}\n\n{words['a strong candidate']}{text.sentence}"
