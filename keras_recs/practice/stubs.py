"""Stubs: an answer's own source with its heart taken out."""

from __future__ import annotations

import ast
from importlib import util
from pathlib import Path

from keras_recs.questions import Question

MARK = "heart"


def answer_source(question: Question) -> str:
    """The source of the library's answer, without importing it."""
    spec = util.find_spec(question.module)
    assert spec is not None and spec.origin is not None, f"{question.module} is missing"
    return Path(spec.origin).read_text(encoding="utf8")


def task_of(node: ast.AST) -> str | None:
    """The task of a function marked with `heart`, else None."""
    for decorator in getattr(node, "decorator_list", []):
        if isinstance(decorator, ast.Call) and isinstance(decorator.func, ast.Name) and decorator.func.id == MARK:
            return ast.literal_eval(decorator.args[0])
    return None


def hearts(source: str) -> list[ast.FunctionDef]:
    """The marked functions and methods, in the order of the file."""
    found = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.FunctionDef) and task_of(node)]
    return sorted(found, key=lambda node: node.lineno)


def stub(source: str) -> str:
    """`source` with the body of each marked function replaced by NotImplementedError and its task.

    Signatures, docstrings, comments and everything unmarked stay, line by line.

    >>> print(stub('from keras_recs.heart import heart\\n@heart("Add.")\\ndef f(a, b):\\n    return a + b\\n'), end="")
    def f(a, b):
        raise NotImplementedError("Add.")
    """
    lines = source.splitlines()
    for node in reversed(hearts(source)):  # from the end, so that line numbers before stay right
        body = node.body
        docstring = ast.get_docstring(node, clean=False) is not None
        first = body[0].end_lineno + 1 if docstring else body[0].lineno  # type: ignore[operator]
        indent = " " * body[0].col_offset
        lines[first - 1:node.end_lineno] = [f'{indent}raise NotImplementedError("{task_of(node)}")']
    return unmarked("\n".join(lines) + "\n")


def unmarked(source: str) -> str:
    """`source` without the marks: what a reader needs not see."""
    kept = [line for line in source.splitlines()
            if not line.strip().startswith(f"@{MARK}(") and line != f"from keras_recs.heart import {MARK}"]
    return "\n".join(kept) + "\n"
