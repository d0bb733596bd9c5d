"""Stubs: an answer's own source with its heart taken out. All by the syntax tree, so that layout
does not matter."""

from __future__ import annotations

import ast
import io
import tokenize

MARK = "heart"
Function = ast.FunctionDef | ast.AsyncFunctionDef


def task_of(node: ast.AST) -> str | None:
    """The task of a function marked with `heart`, else None."""
    for decorator in getattr(node, "decorator_list", []):
        if _is_mark(decorator):
            return ast.literal_eval(decorator.args[0])
    return None


def functions(source: str) -> dict[str, Function]:
    """Qualified name -> function or method, in the order of the file; of two with one name, the
    last.

    >>> list(functions("def f(): pass\\nclass A:\\n    def g(self): pass\\n"))
    ['f', 'A.g']
    """
    found: dict[str, Function] = {}

    def visit(nodes: list[ast.stmt], prefix: str) -> None:
        for node in nodes:
            if isinstance(node, Function):
                found[prefix + node.name] = node
            elif isinstance(node, ast.ClassDef):
                visit(node.body, f"{prefix}{node.name}.")
            elif isinstance(node, (ast.If, ast.Try, ast.With)):
                visit(
                    [child for child in ast.iter_child_nodes(node) if isinstance(child, ast.stmt)],
                    prefix,
                )

    visit(ast.parse(source).body, "")
    return found


def marked(source: str) -> dict[str, Function]:
    """Qualified name -> marked function, in the order of the file."""
    return {name: node for name, node in functions(source).items() if task_of(node)}


def hearts(source: str) -> list[Function]:
    """The marked functions and methods, in the order of the file."""
    return list(marked(source).values())


def is_to_do(node: Function) -> bool:
    """Whether nothing has been written yet: the body still raises NotImplementedError, whatever
    happens, or is empty.

    >>> is_to_do(functions("def f(x):\\n    'Doc.'\\n    raise NotImplementedError('Add.')")["f"])
    True
    >>> is_to_do(functions("def f(x):\\n    if x: raise NotImplementedError\\n    return 1")["f"])
    False
    """
    body = node.body[1:] if ast.get_docstring(node) is not None else node.body
    for statement in body:
        if isinstance(statement, ast.Return):
            return False
        if isinstance(statement, ast.Raise):
            raised = statement.exc.func if isinstance(statement.exc, ast.Call) else statement.exc
            return isinstance(raised, ast.Name) and raised.id == "NotImplementedError"
    return all(
        isinstance(s, ast.Pass)
        or (isinstance(s, ast.Expr) and isinstance(s.value, ast.Constant) and s.value.value is ...)
        for s in body
    )


def stub(source: str) -> str:
    """`source` with the body of each marked function replaced by NotImplementedError and its task.

    Signatures, docstrings, comments and everything unmarked stay, line by line.

    >>> marked = '@heart("Add.")\\ndef f(a, b):\\n    return a + b\\n'
    >>> print(stub("from keras_recs.core.heart import heart\\n" + marked), end="")
    def f(a, b):
        raise NotImplementedError("Add.")
    """
    text = Text(source)
    for node in hearts(source):
        task = task_of(node) or ""
        literal = (
            f'"{task}"'
            if '"' not in task and task.isprintable() and "\\" not in task
            else repr(task)
        )
        indent = "\n" + " " * (node.col_offset + 4)
        docstring = node.body[0] if ast.get_docstring(node, clean=False) is not None else None
        colon = text.colon(node)
        end = text.end(node, comment=True)
        unwritten = f"{indent}raise NotImplementedError({literal})"
        if docstring is not None and docstring.lineno > text.line_of(colon):
            text.replace(text.end(docstring), end, unwritten)
        else:  # no docstring, or one on the line of the colon
            said = indent + text.of(docstring) if docstring is not None else ""
            text.replace(colon, end, said + unwritten)
    return unmarked(text.result())


def unmarked(source: str) -> str:
    """`source` without the marks: what a reader needs not see."""
    text = Text(source)
    for node in ast.walk(ast.parse(source)):
        for decorator in getattr(node, "decorator_list", []):
            if _is_mark(decorator):
                text.cut_lines(decorator)
        if isinstance(node, ast.ImportFrom) and node.module == "keras_recs.core.heart":
            others = [alias for alias in node.names if alias.name != MARK]
            if others:
                text.replace(
                    text.start(node),
                    text.end(node),
                    ast.unparse(ast.ImportFrom(node.module, others, 0)),
                )
            else:
                text.cut_lines(node)
    return text.result()


def quiet(source: str) -> str:
    """`source` without comments and without the docstrings of the marked functions, which say what
    is right."""
    text = Text(source)
    for node in hearts(source):
        if ast.get_docstring(node, clean=False) is not None and len(node.body) > 1:
            text.cut_lines(node.body[0])
    result = Text(text.result())
    for token in tokenize.generate_tokens(io.StringIO(result.source).readline):
        if token.type == tokenize.COMMENT:
            alone = not token.line[: token.start[1]].strip()
            line = result.source.split("\n")[token.start[0] - 1]
            start = result.offset(token.start[0], len(line[: token.start[1]].encode()))
            while not alone and result.data[start - 1 : start] in (b" ", b"\t"):
                start -= 1
            if alone:
                result.replace(
                    result.offset(token.start[0], 0), result.offset(token.start[0] + 1, 0), ""
                )
            else:
                result.replace(start, result.offset(token.start[0], len(line.encode())), "")
    return result.result()


class Text:
    """A source with the places of its syntax tree, and replacements that do not disturb each
    other."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.data = source.encode()  # the columns of a syntax tree count bytes
        self.lines = [0]
        for line in self.data.split(b"\n"):
            self.lines.append(self.lines[-1] + len(line) + 1)
        self.edits: list[tuple[int, int, bytes]] = []

    def offset(self, line: int, column: int) -> int:
        return min(self.lines[min(line, len(self.lines)) - 1] + column, len(self.data))

    def start(self, node: ast.AST) -> int:
        return self.offset(node.lineno, node.col_offset)  # type: ignore[attr-defined]

    def end(self, node: ast.AST, comment: bool = False) -> int:
        """Where a node ends; with `comment`, after the comment behind it."""
        end = self.offset(node.end_lineno, node.end_col_offset)  # type: ignore[attr-defined]
        rest = self.data[end : self.lines[self.line_of(end)] - 1]
        return end + len(rest) if comment and rest.strip().startswith(b"#") else end

    def of(self, node: ast.AST) -> str:
        return self.data[self.start(node) : self.end(node)].decode()

    def line_of(self, offset: int) -> int:
        return self.data.count(b"\n", 0, offset) + 1

    def colon(self, node: Function) -> int:
        """Where the head of a function ends: after its colon, the first one outside of all
        brackets."""
        depth = 0
        lines = self.data[self.start(node) :].decode()
        for token in tokenize.generate_tokens(io.StringIO(lines).readline):
            depth += (
                (token.string in "([{") - (token.string in ")]}")
                if token.type == tokenize.OP
                else 0
            )
            if token.string == ":" and token.type == tokenize.OP and depth == 0:
                row, column = token.end
                before = "\n".join(
                    [*lines.split("\n")[: row - 1], lines.split("\n")[row - 1][:column]]
                )
                return self.start(node) + len(before.encode())
        raise ValueError(f"{node.name} has no colon")  # cannot be: it was parsed

    def replace(self, start: int, end: int, new: str) -> None:
        self.edits.append((start, end, new.encode()))

    def cut_lines(self, node: ast.AST) -> None:
        """Take out the whole lines that a decorator or statement stands on."""
        first, last = node.lineno, node.end_lineno  # type: ignore[attr-defined]
        self.replace(self.offset(first, 0), self.offset(last + 1, 0), "")

    def result(self) -> str:
        data = self.data
        for start, end, new in sorted(
            self.edits, reverse=True
        ):  # from the end, so that places before stay right
            data = data[:start] + new + data[end:]
        return data.decode()


def _is_mark(decorator: ast.expr) -> bool:
    if not isinstance(decorator, ast.Call) or not decorator.args:
        return False
    return getattr(decorator.func, "id", getattr(decorator.func, "attr", None)) == MARK
