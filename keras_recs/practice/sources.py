"""The source of an answer as one file, for readers who write their own: also of an answer that is a
package of one file an algorithm."""

from __future__ import annotations

import ast
import sys
from collections.abc import Sequence

from keras_recs.questions import Question

WIDTH = 100


def answer_source(question: Question) -> str:
    """The source of the library's answer, without importing it."""
    return merged([path.read_text(encoding="utf8") for path in question.files()])


def merged(sources: Sequence[str]) -> str:
    """One source of several: the first one's docstring, all imports, then what each defines, under
    its own docstring as comment.

    The first may be a package's `__init__`, of which nothing but the docstring is taken.

    >>> print(merged(["'A.'\\n", "'B.'\\nimport os\\n\\nx = os.name\\n", "'C.'\\nimport os\\ny = 2\\n"]))
    'A.'
    <BLANKLINE>
    import os
    <BLANKLINE>
    # B.
    <BLANKLINE>
    x = os.name
    <BLANKLINE>
    <BLANKLINE>
    # C.
    <BLANKLINE>
    y = 2
    <BLANKLINE>
    """
    if len(sources) == 1:
        return sources[0]
    package, *parts = sources
    head = _lines(package)[: ast.parse(package).body[0].end_lineno]
    imports = [node for source in parts for node in _imports(source)]
    sections = [_commented(source) + "\n\n" + _definitions(source) for source in parts]
    return "\n\n".join(["\n".join(head), _import_block(imports), "\n\n\n".join(sections)]) + "\n"


def _lines(source: str) -> list[str]:
    return source.split("\n")


def _imports(source: str) -> list[ast.Import | ast.ImportFrom]:
    return [n for n in ast.parse(source).body if isinstance(n, (ast.Import, ast.ImportFrom))]


def _definitions(source: str) -> str:
    """What follows the last import."""
    return "\n".join(_lines(source)[_imports(source)[-1].end_lineno :]).strip()


def _commented(source: str) -> str:
    said = (ast.get_docstring(ast.parse(source)) or "").split("\n")
    return "\n".join(f"# {line}".rstrip() for line in said)


def _import_block(nodes: Sequence[ast.Import | ast.ImportFrom]) -> str:
    """Imports without repetition, in the groups that one expects: __future__, Python, others."""
    modules: set[str] = set()
    names: dict[str, set[str]] = {}
    for node in nodes:
        words = {ast.unparse(alias) for alias in node.names}
        if isinstance(node, ast.Import):
            modules |= words
        else:
            names.setdefault(str(node.module), set()).update(words)
    lines = [(_group(name), f"import {name}") for name in sorted(modules)]
    lines += [(_group(name), _from(name, sorted(names[name]))) for name in sorted(names)]
    groups = sorted({group for group, _ in lines})
    return "\n\n".join("\n".join(line for g, line in lines if g == group) for group in groups)


def _group(module: str) -> int:
    top = module.split(" ")[0].split(".")[0]
    if top == "__future__":
        return 0
    return 1 if top in sys.stdlib_module_names else 3 if top == "keras_recs" else 2


def _from(module: str, names: Sequence[str]) -> str:
    line = f"from {module} import {', '.join(names)}"
    if len(line) <= WIDTH:
        return line
    return f"from {module} import (\n" + "".join(f"    {name},\n" for name in names) + ")"
