"""Every assertion of a question's tests says, in a sentence, what ought to be so and why."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

FILES = sorted(Path(__file__).parent.glob("test_q[0-9]*.py"))
WHY = {
    "equal": 2,
    "true": 1,
    "error": 2,
}  # expect's functions -> the place of the reason among their arguments
WORDS = 3


def words(node: ast.expr | None) -> int:
    """How many words a string in the source surely has; 0 of what is no string, and of a variable's value."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return len(node.value.split())
    if isinstance(node, ast.JoinedStr):
        return words(
            ast.Constant(
                "".join(
                    str(part.value) if isinstance(part, ast.Constant) else "…"
                    for part in node.values
                )
            )
        )
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return words(node.left) + words(node.right)
    if isinstance(node, ast.IfExp):
        return min(words(node.body), words(node.orelse))
    return 0


def calls_of(tree: ast.AST, module: str) -> Iterator[tuple[str, ast.Call]]:
    """The calls `module.name(…)`, with their names."""
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and isinstance(node.func.value, ast.Name)
            and node.func.value.id == module
        ):
            yield node.func.attr, node


def reason(call: ast.Call, place: int) -> ast.expr | None:
    """The argument `why` of a call, by name or by place."""
    by_name = next((keyword.value for keyword in call.keywords if keyword.arg == "why"), None)
    return by_name or (call.args[place] if len(call.args) > place else None)


def lacking(source: str) -> list[str]:
    """What has no sentence in this source: line and kind.

    >>> lacking("assert x == 1")
    ['line 1: an assert without a sentence']
    >>> lacking("assert x == 1, 'x is the first'")
    []
    """
    tree = ast.parse(source)
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Assert) and words(node.msg) < WORDS:
            found.append((node.lineno, "an assert without a sentence"))
    for name, call in calls_of(tree, "expect"):
        if name in WHY and words(reason(call, WHY[name])) < WORDS:
            found.append((call.lineno, f"expect.{name} without a sentence"))
    said = {
        id(inside)
        for node in ast.walk(tree)
        if isinstance(node, ast.Assert)
        for inside in ast.walk(node.test)
    }
    for name, call in calls_of(tree, "pytest"):
        if name == "raises":
            found.append((call.lineno, "pytest.raises, which says no reason: expect.error does"))
        if name == "approx" and id(call) not in said:
            found.append((call.lineno, "pytest.approx outside an assert that has a sentence"))
    for module in ("testing", "npt"):
        found += [
            (call.lineno, f"{module}.{name}, which says no reason: expect.equal does")
            for name, call in calls_of(tree, module)
            if name.startswith("assert_")
        ]
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Attribute)
            and node.attr.startswith("assert_")
            and ast.unparse(node).startswith("np.")
        ):
            found.append(
                (node.lineno, f"{ast.unparse(node)}, which says no reason: expect.equal does")
            )
    return [f"line {line}: {what}" for line, what in sorted(found)]


def test_there_are_questions_to_look_at() -> None:
    assert len(FILES) >= 10


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_assertion_says_why(file: Path) -> None:
    assert lacking(file.read_text(encoding="utf8")) == []


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_no_two_assertions_of_a_test_share_a_sentence(file: Path) -> None:
    for test in ast.parse(file.read_text(encoding="utf8")).body:
        if isinstance(test, ast.FunctionDef) and test.name.startswith("test_"):
            said = [
                ast.unparse(why)
                for name, call in calls_of(test, "expect")
                if name in WHY and (why := reason(call, WHY[name])) is not None
            ]
            said += [
                ast.unparse(node.msg)
                for node in ast.walk(test)
                if isinstance(node, ast.Assert) and node.msg
            ]
            assert len(said) == len(set(said)), f"{test.name} says the same twice"


@pytest.mark.parametrize(
    "source",
    [
        "assert x == 1",
        "assert x == 1, ''",
        "assert x == 1, 'too short'",
        "assert x == 1, name",
        "assert x, f'{a} {b}'",
        "expect.equal(x, 1)",
        "expect.equal(x, 1, '')",
        "expect.equal(x, 1, why)",
        "expect.equal(x, 1, 'two words')",
        "expect.equal(x, 1, 2.5, why='two words')",
        "expect.true(x > 1)",
        "expect.true(x > 1, 'no')",
        "with expect.error(ValueError, 'a long pattern to match'): f()",
        "with expect.error(ValueError, 'a long pattern to match', 'no'): f()",
        "with pytest.raises(ValueError): f()",
        "with pytest.raises(ValueError, match='what is said here'): f()",
        "assert x == pytest.approx(1)",
        "y = pytest.approx(1)",
        "f(pytest.approx(1), 'this is no sentence')",
        "np.testing.assert_allclose(x, 1)",
        "np.testing.assert_array_equal(x, 1, 'a message of its own')",
    ],
)
def test_what_has_no_sentence_is_found(source: str) -> None:
    assert lacking(source)


@pytest.mark.parametrize(
    "source",
    [
        "assert x == 1, 'x is the first'",
        "assert x == pytest.approx(1), 'x is the first'",
        "assert x == 1, f'{name} is the first'",
        "assert x == 1, 'x is ' + 'the first'",
        "assert x == 1, 'x is the first' if first else 'x is the last one'",
        "expect.equal(x, 1, 'x is the first')",
        "expect.equal(x, 1, why='x is the first')",
        "expect.true(x > 1, f'{name} is the first', x=x)",
        "with expect.error(ValueError, 'first', 'x must be the first'): f()",
    ],
)
def test_what_has_a_sentence_is_not(source: str) -> None:
    assert lacking(source) == []
