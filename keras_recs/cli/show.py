"""`keras-recs show`: one question, its answer in a minute, and where everything is."""

from __future__ import annotations

import contextlib
import textwrap
from pathlib import Path
from typing import Any

import click

from keras_recs.interview import Interview, interview
from keras_recs.questions import Question
from keras_recs.terminal.tables import (
    AS_JSON,
    LANGUAGE,
    Number,
    can_show,
    console,
    print_json,
    unbroken,
)
from keras_recs.utils.places import shipped

WIDEST = 100  # longer lines are hard to read
TOPICS_ZH = {
    "Concepts": "概念",
    "Neighbourhoods and factors": "近邻与隐因子",
    "Deep models": "深度模型",
    "Transfer and graphs": "迁移与图",
    "Learning signals": "学习信号",
}
FILES = {
    "en": {"code": "code", "notebook": "notebook", "tests": "tests"},
    "zh": {"code": "代码", "notebook": "笔记本", "tests": "测试"},
}
WORDS: dict[str, dict[str, str]] = {
    "en": {
        "facts": "{topic}; difficulty {difficulty} of 3; {answer} minutes to answer{code}; "
        "asked {frequency} (our judgement)",
        "code": ", {} to code",
        "sixty": "The 60-second answer",
        "names": "names",
        "published": " (in the published answer: {})",
        "not yet": "This one is not answered yet. What is coming:",
        "run": "fit, measure and recommend",
        "practice": "write it yourself, and have it checked",
        "bughunt": "find the defect in it",
        "ask": "be asked, as in the interview",
        "list": "the questions that are answered",
    },
    "zh": {
        "facts": "{topic}；难度 {difficulty}/3；作答 {answer} 分钟{code}；面试中{frequency}问到（我们的判断）",
        "code": "，写代码 {} 分钟",
        "sixty": "60 秒回答",
        "names": "名称",
        "published": "（流传的答案中叫 {}）",
        "not yet": "这一题还没有解答。将会有：",
        "run": "训练、评测并推荐",
        "practice": "自己写，并接受检查",
        "bughunt": "找出其中的错误",
        "ask": "像面试一样被提问",
        "list": "哪些题已经有解答",
    },
}


@click.command("show")
@click.argument("number", type=Number())
@LANGUAGE
@AS_JSON
def command(number: Question, language: str, as_json: bool) -> None:
    """One question: the answer in 60 seconds, and its files."""
    q = number
    texts = interview(q, language)
    if as_json:
        print_json(_values(q, texts))
        return
    words = WORDS[language]
    _head(q, texts, words)
    if q.built:
        _section(words["sixty"], texts.sixty_seconds)
        _places(q, words, FILES[language])
    else:
        _section(words["not yet"], texts.coming)
        _commands({"keras-recs list": words["list"]})


def files_of(q: Question) -> dict[str, Path]:
    """What there is of a question in this installation: code, notebook and tests. Notebooks are not
    installed."""
    names = {"notebook": f"notebooks/{q.stem}.ipynb", "tests": f"tests/test_{q.stem}.py"}
    places = {"code": q.files()[0]} if q.built else {}
    for what, name in names.items():
        folder, _, file = name.partition("/")
        with contextlib.suppress(FileNotFoundError):
            places[what] = Path(str(shipped(folder) / file))
    return {what: file for what, file in places.items() if file.is_file()}


def commands_of(q: Question) -> dict[str, str]:
    """What to go on with: the command, and its word in `WORDS`."""
    return {f"keras-recs {word} {q.number}": word for word in ("run", "practice", "bughunt", "ask")}


def _values(q: Question, texts: Interview) -> dict[str, Any]:
    return {
        "number": q.number,
        "stem": q.stem,
        "title": q.title,
        "title_zh": q.title_zh,
        "topic": q.topic,
        "built": q.built,
        "answers": [a.name for a in q.answers],
        "published": q.published,
        "protocol": q.protocol,
        "language": texts.language,
        "asked": texts.asked,
        "tested": texts.tested,
        "sixty_seconds": texts.sixty_seconds,
        "coming": texts.coming,
        "difficulty": texts.difficulty,
        "minutes": texts.minutes._asdict(),
        "frequency": texts.frequency,
        "files": {what: str(file) for what, file in files_of(q).items()},
        "commands": list(commands_of(q)) if q.built else [],
    }


def _head(q: Question, texts: Interview, words: dict[str, str]) -> None:
    out = console()
    titles = [q.title, q.title_zh] if texts.language == "en" else [q.title_zh, q.title]
    out.print(f"{q.number}. {titles[0]}", style="bold", highlight=False, markup=False)
    if can_show(titles[1]):
        out.print(titles[1], highlight=False, markup=False)
    code = words["code"].format(texts.minutes.code) if texts.minutes.code else ""
    topic = q.topic if texts.language == "en" else TOPICS_ZH[q.topic]
    _prose(
        words["facts"].format(
            topic=topic,
            difficulty=texts.difficulty,
            answer=texts.minutes.answer,
            code=code,
            frequency=texts.frequency,
        ),
        style="dim",
    )
    out.print()
    _prose(texts.asked, style="italic")


def _section(heading: str, markdown: str) -> None:
    out = console()
    out.print()
    out.print(heading, style="bold", highlight=False, markup=False)
    _prose(markdown)
    out.print()


def _places(q: Question, words: dict[str, str], labels: dict[str, str]) -> None:
    out = console()
    names = ", ".join(a.name for a in q.answers)
    published = words["published"].format(q.published) if q.published else ""
    lines = textwrap.wrap(
        names + published, max(out.width - 10, 30), break_long_words=False, break_on_hyphens=False
    )
    for label, line in zip([words["names"], *[""] * len(lines)], lines, strict=False):
        unbroken(out, _padded(label, 10) + line)
    for what, file in files_of(q).items():
        unbroken(out, _padded(labels[what], 10) + str(file))
    out.print()
    _commands({line: words[word] for line, word in commands_of(q).items()})


def _commands(commands: dict[str, str]) -> None:
    width = max(map(len, commands))
    for line, does in commands.items():
        unbroken(console(), f"{line:<{width}}  {does}")


def _prose(markdown: str, style: str = "") -> None:
    from keras_recs.terminal.prose import render

    out = console()
    text = render(markdown, min(out.width, WIDEST))
    text.stylize_before(style)
    out.print(text, soft_wrap=True, highlight=False)


def _padded(label: str, width: int) -> str:
    """The label with blanks behind it; a Chinese sign is two cells wide."""
    from rich.cells import cell_len

    return label + " " * (width - cell_len(label))
