"""Answers by name, as a person writes it: in any case, with settings, by the published name, or
nearly right."""

from __future__ import annotations

import ast
import difflib
import re
from collections.abc import Iterable
from typing import Any

from keras_recs.questions import QUESTIONS, Answer, Question


def answer_named(q: Question, name: str) -> Answer:
    """The answer to question `q` that is called `name`; settings that the catalogue does not have
    make a new one.

    Raises:
        ValueError: no answer is called so; the message has the nearest name, or the question that
            it belongs to.

    >>> from keras_recs.questions import question
    >>> answer_named(question(12), "ease").name, answer_named(question(12), "Item-CF(recency=10.0)").name
    ('EASE', 'ItemCF(recency=10)')
    >>> answer_named(question(8), "DeepLearningRecommender").name
    'NeuMF'
    >>> answer_named(question(8), "neum")
    Traceback (most recent call last):
    ValueError: question 8 has no answer 'neum'; did you mean NeuMF?
    """
    plain, settings = _parsed(name)
    classes = {_bare(called): class_name for called, class_name in _classes(q)}
    if _bare(plain) not in classes:
        raise ValueError(f"question {q.number} has no answer {name!r}; {_advice(q, plain)}")
    class_name = classes[_bare(plain)]
    if settings is None:
        raise ValueError(
            f"{name!r} cannot be read; settings are written as in {class_name}(name=value, name=value)"
        )
    same = [a for a in q.answers if a.class_name == class_name and dict(a.params) == settings]
    return same[0] if same else Answer(class_name, settings)


def nearest(word: str, among: Iterable[str]) -> str | None:
    """The name that is most like `word`, if one is alike at all."""
    names = {_bare(name): name for name in among}
    found = difflib.get_close_matches(_bare(word), names, n=1, cutoff=0.6)
    return names[found[0]] if found else None


def _parsed(name: str) -> tuple[str, dict[str, Any] | None]:
    """The name before the brackets, and the settings between them: None if they cannot be read."""
    plain, bracket, _ = name.partition("(")
    if not bracket:
        return plain.strip(), {}
    try:
        call = ast.parse("f" + name[len(plain) :].strip(), mode="eval").body
        if not isinstance(call, ast.Call) or call.args:
            return plain.strip(), None
        return plain.strip(), {
            str(keyword.arg): ast.literal_eval(keyword.value) for keyword in call.keywords
        }
    except (SyntaxError, ValueError):
        return plain.strip(), None


def _classes(q: Question) -> list[tuple[str, str]]:
    """What the answers of a question are called, and the class that each name means."""
    own = [(a.class_name, a.class_name) for a in q.answers]
    return own + [(q.published, q.answers[0].class_name)] if q.published else own


def _advice(q: Question, name: str) -> str:
    called = dict.fromkeys(called for called, _ in _classes(q))
    if near := nearest(name, called):
        return f"did you mean {near}?"
    for other in QUESTIONS:
        for called_so, class_name in _classes(other) if other.built else []:
            if _bare(called_so) == _bare(name):
                return f"{class_name} answers question {other.number}"
    return f"it has: {', '.join(a.name for a in q.answers)}"


def _bare(name: str) -> str:
    """Letters and digits alone: what is left of a name however it is written."""
    return re.sub(r"[^a-z0-9]", "", name.lower())
