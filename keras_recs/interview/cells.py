"""The Markdown cells of a notebook that hold the texts of its question, both languages in each."""

from __future__ import annotations

import html

from keras_recs.interview.texts import Interview, interview
from keras_recs.interview.words import WORDS
from keras_recs.questions import Question

#: The kinds of cells, in the order in which they stand; the cell's metadata names its kind under
#: `keras_recs`.
KINDS = ("question", "sixty-seconds", "follow-ups", "rubric")


def cell(q: Question, kind: str) -> str:
    """The source of the cell of this kind in the notebook of a built question."""
    english, chinese = interview(q, "en"), interview(q, "zh")
    return {
        "question": _question,
        "sixty-seconds": _sixty_seconds,
        "follow-ups": _follow_ups,
        "rubric": _rubric,
    }[kind](english, chinese)


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


def _question(english: Interview, chinese: Interview) -> str:
    return f"""\
# Question {english.number} · {english.title}

> *"{english.asked}"*

> **第 {english.number} 题 · {chinese.title}** “{chinese.asked}”

What is being tested: {english.tested[:1].lower() + english.tested[1:]}

考点：{chinese.tested}

*{about(english)}* · *{about(chinese)}*"""


def _sixty_seconds(english: Interview, chinese: Interview) -> str:
    return f"## The 60-second answer\n\n{english.sixty_seconds}\n\n### 60 秒回答\n\n{chinese.sixty_seconds}"


def _follow_ups(english: Interview, chinese: Interview) -> str:
    return f"## What they ask next\n\n{_folded(english)}\n\n### 追问\n\n{_folded(chinese)}"


def _folded(text: Interview) -> str:
    return "\n\n".join(
        f"<details><summary><b>{html.escape(follow_up.question, quote=False)}</b></summary>\n\n"
        f"{follow_up.answer}\n</details>"
        for follow_up in text.follow_ups
    )


def _rubric(english: Interview, chinese: Interview) -> str:
    return f"### How an interviewer grades it\n\n{_graded(english)}\n\n### 评分标准\n\n{_graded(chinese)}"


def _graded(text: Interview) -> str:
    words = WORDS[text.language]
    rows = [f"| **{words[level.level]}** | {level.text} |" for level in text.rubric]
    table = "\n".join([f"| {words['level']} | {words['what it is like']} |", "|---|---|", *rows])
    return f"{table}\n\n{words['a strong candidate']}{text.sentence}"
