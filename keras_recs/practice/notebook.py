"""The check in a notebook: functions and classes of its cells take the place of the stubs."""

from __future__ import annotations

import ast
import atexit
import builtins
import inspect
import linecache
import sys
import tempfile
import textwrap
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from keras_recs.practice.grading import SECONDS, Check, Worker
from keras_recs.practice.grading import check as grade
from keras_recs.practice.screen import Screen, follow_ups
from keras_recs.practice.sources import answer_source
from keras_recs.practice.stubs import Text, functions, marked, stub, task_of
from keras_recs.questions import Question, question

_workers: dict[int, Worker] = {}
_last: dict[int, Check] = {}
_shown: dict[tuple[int, str], int] = {}


def check(number: int, *defined: Any, everything: bool = False, seconds: int = SECONDS) -> None:
    """Print how far functions and classes are that cells of this notebook define, and what comes
    next.

    Args:
        number: of the question.
        defined: what to check: functions, or classes with methods. By default whatever this
            notebook defines under the name of a function that question asks for.
        everything: list every behaviour.
        seconds: the time limit.

    Raises:
        ValueError: nothing to check, or something that the question does not ask for.
    """
    q = _question(number)
    number = q.number  # which may have been written "q05"
    given = list(defined) or _defined(q, _caller())
    source, places = spliced(q, given, _caller())
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, f"{q.stem}.py")
        file.write_text(source, encoding="utf8")
        found = grade(q, file, seconds=seconds, worker=_worker(q))
    _last[number] = found

    def where(_: Path, line: int | None) -> str:
        """Lines are those of the reader's functions, not of the file that was made of them."""
        return next(
            (
                f"line {line - first + 1} of {name}"
                for name, first, last in places
                if line and first <= line <= last
            ),
            "",
        )

    screen = Screen(colour=False, where=where)
    screen.header(found)
    if found.passed:
        screen.add(f"All {len(found.behaviours)} behaviours hold.")
        for text in follow_ups(q):
            screen.add(text, 4, first="  - ")
    else:
        screen.step(found)
        part = found.next
        if part is not None:
            screen.add(f"hint({number}) gives a hint for {part.name}")
    if everything:
        screen.add()
        screen.all(found)
    print(screen.text())


def hint(number: int) -> None:
    """Print the next hint for the first function that is not done, as the last `check` of this
    question found it."""
    from keras_recs.practice.defects import hints

    q = _question(number)
    number = q.number
    found = _last.get(number)
    if found is None or found.broken is not None:  # nothing is known yet: begin at the beginning
        name, node = next(iter(marked(answer_source(q)).items()))
        task = task_of(node)
    elif found.next is not None:
        name, task = found.next.name, found.next.task
    else:
        print(
            "there is nothing left to do"
            if found.passed
            else "the last check shows what is left to do"
        )
        return
    levels = hints(q).get(name) or [f"What it has to do: {task}"]
    level = min(_shown.get((number, name), 0), len(levels) - 1)
    _shown[number, name] = level + 1
    screen = Screen(colour=False)
    screen.add(f"hint {level + 1} of {len(levels)} for {name}: {levels[level]}", 2)
    print(screen.text())


def status(number: int | None = None) -> None:
    """Print what has been achieved: in this notebook, and in the exercises of the practice folder.

    Args:
        number: only this question.
    """
    from keras_recs.practice.commands import progress_rows
    from keras_recs.utils.places import find_folder

    number = None if number is None else _question(number).number
    rows, said = progress_rows(find_folder())
    screen = Screen(colour=False)
    for row in rows:
        if number not in (None, row["number"]):
            continue
        found = _last.get(row["number"])
        here = f"here {screen.count(found)}" if found is not None else ""
        best = f"in the folder {row['best']} of {row['of']}" if row["of"] else ""
        if here or best or number is not None:
            said_of = "; ".join(filter(None, (here, best))) or "not tried"
            screen.add(f"{row['title']}: {said_of}", 6, first=f"q{row['number']:02d}")
    if said:
        screen.add(said)
    print(screen.text() or "nothing has been tried yet")


# --- from cells to a file -------------------------------------------------------------------------


def spliced(
    q: Question, given: list[Any], names: Mapping[str, Any]
) -> tuple[str, list[tuple[str, int, int]]]:
    """The stub of a question with what the reader defined in its place.

    Args:
        given: functions and classes.
        names: where what they use is looked up: modules are imported, functions and classes of the
            same notebook go along, and so do plain values.

    Returns:
        The source; and of each piece its name, its first and its last line in it.
    """
    source = stub(answer_source(q))
    hearts = list(marked(answer_source(q)))
    text = Text(source)
    there = functions(source)
    pieces: dict[str, str] = {}  # qualified name -> source, without indent
    for thing in given:
        if inspect.isclass(thing) and not any(
            name.startswith(f"{thing.__name__}.") for name in there
        ):
            raise ValueError(
                f"question {q.number} has no class {thing.__name__!r}; it asks for: {', '.join(hearts)}"
            )
        piece = textwrap.dedent(source_of(thing))
        node = ast.parse(piece).body[0]
        if isinstance(node, ast.ClassDef):
            for method in node.body:
                if isinstance(method, (ast.FunctionDef, ast.AsyncFunctionDef)):
                    pieces[f"{node.name}.{method.name}"] = textwrap.dedent(_whole(piece, method))
            continue
        found = [name for name in hearts if name.rpartition(".")[2] == thing.__name__]
        if len(found) > 1:
            raise ValueError(
                f"{thing.__name__!r} may be {' or '.join(found)}: write it as a method of its class"
            )
        if not found:
            raise ValueError(
                f"question {q.number} does not ask for {thing.__name__!r}, but for: {', '.join(hearts)}"
            )
        pieces[found[0]] = piece
    known = set(dir(builtins)) | set(_bound(ast.parse(source)))
    extra = _what_they_use("\n".join(pieces.values()), names, known)
    for name, piece in pieces.items():
        old = there.get(name)
        if old is not None:
            first = min([old.lineno, *(d.lineno for d in old.decorator_list)])
            if any(ast.parse(piece).body[0].decorator_list):  # type: ignore[attr-defined]
                text.replace(text.offset(first, 0), text.offset(old.lineno, 0), "")
            text.replace(
                text.offset(old.lineno, 0),
                text.end(old, comment=True),
                textwrap.indent(piece.rstrip(), " " * old.col_offset),
            )
        else:  # a method that the answer does not have goes to the end of its class
            owner = name.rpartition(".")[0]
            end = max(
                text.end(node, comment=True)
                for other, node in there.items()
                if other.startswith(f"{owner}.")
            )
            text.replace(end, end, "\n\n" + textwrap.indent(piece.rstrip(), " " * 4))
    if extra:
        tree = ast.parse(source)
        after = [n for n in tree.body if isinstance(n, (ast.Import, ast.ImportFrom))]
        place = text.offset((after[-1].end_lineno or 0) + 1, 0)
        text.replace(place, place, extra)
    result = text.result()
    placed = functions(result)
    return result, [
        (name, placed[name].lineno, placed[name].end_lineno or 0)
        for name in pieces
        if name in placed
    ]


def source_of(thing: Any) -> str:
    """The source of a function or class, also of one that a cell defines.

    Raises:
        ValueError: it is neither, or its source is nowhere.
    """
    if not inspect.isclass(thing) and not inspect.isfunction(
        inspect.unwrap(thing) if callable(thing) else thing
    ):
        raise ValueError(f"check takes functions and classes, got {type(thing).__name__}")
    try:
        return inspect.getsource(thing)
    except (OSError, TypeError):  # of a class in a cell, Python before 3.13 does not know the place
        for value in vars(thing).values() if inspect.isclass(thing) else ():
            code = getattr(
                getattr(value, "__func__", getattr(value, "fget", None) or value), "__code__", None
            )
            if code is None:
                continue
            cell = "".join(linecache.getlines(code.co_filename))
            for node in ast.walk(ast.parse(cell)) if cell else ():
                if isinstance(node, ast.ClassDef) and node.name == thing.__name__:
                    return _whole(cell, node)
        raise ValueError(
            f"the source of {thing.__name__!r} cannot be found: define it in a cell"
        ) from None


def _whole(source: str, node: Any) -> str:
    """A definition with its decorators, as whole lines."""
    first = min([node.lineno, *(d.lineno for d in node.decorator_list)])
    return "\n".join(source.splitlines()[first - 1 : node.end_lineno]) + "\n"


def _bound(tree: ast.Module) -> list[str]:
    """The names that a file defines for itself."""
    found = []
    for node in tree.body:
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            found += [(alias.asname or alias.name).partition(".")[0] for alias in node.names]
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            found.append(node.name)
        else:
            found += [
                n.id
                for n in ast.walk(node)
                if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)
            ]
    return found


def _what_they_use(source: str, names: Mapping[str, Any], known: set[str]) -> str:
    """Imports, definitions and values of the notebook that pieces of source use and their file does
    not have."""
    lines: list[str] = []
    waiting = [source]
    while waiting:
        tree = ast.parse(waiting.pop())
        bound = {
            n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)
        }
        bound |= {a.arg for a in ast.walk(tree) if isinstance(a, ast.arg)}
        bound |= {n.name for n in ast.walk(tree) if isinstance(n, (ast.FunctionDef, ast.ClassDef))}
        for node in ast.walk(tree):
            if not isinstance(node, ast.Name) or node.id in bound | known or node.id not in names:
                continue
            value = names[node.id]
            known.add(node.id)
            home, own = getattr(value, "__module__", None), names.get("__name__")
            if isinstance(value, ModuleType):
                lines.append(f"import {value.__name__} as {node.id}\n")
            elif callable(value) and home == own:
                piece = textwrap.dedent(source_of(value))
                lines.insert(0, piece)
                waiting.append(piece)
            elif home and hasattr(value, "__name__"):
                lines.append(f"from {home} import {value.__name__} as {node.id}\n")
            elif isinstance(value, (bool, int, float, str, tuple, list, dict, type(None))):
                lines.append(f"{node.id} = {value!r}\n")
    imports = [line for line in lines if line.startswith(("import ", "from "))]
    return "".join(imports + [line for line in lines if line not in imports])


def _defined(q: Question, names: Mapping[str, Any]) -> list[Any]:
    """What the notebook defines under the names of a question's functions."""
    found = []
    hearts = list(marked(answer_source(q)))
    for name in dict.fromkeys(part for heart in hearts for part in (heart, *heart.split("."))):
        value = names.get(name)
        if (
            value is not None
            and callable(value)
            and getattr(value, "__module__", None) == names.get("__name__")
        ):
            if (
                inspect.isclass(value)
                or sum(heart.rpartition(".")[2] == name for heart in hearts) == 1
            ):
                found.append(value)
    if not found:
        raise ValueError(
            f"nothing to check: question {q.number} asks for {', '.join(hearts)}, and this notebook "
            "defines none of them"
        )
    return found


def _caller() -> Mapping[str, Any]:
    """The names of whoever called `check`: those of the notebook."""
    frame = sys._getframe(2)
    return frame.f_globals


def _question(number: int) -> Question:
    q = question(number)
    if not q.built:
        raise ValueError(f"question {number} is not answered yet")
    return q


def _worker(q: Question) -> Worker:
    """The server of this question, kept for the next check, until another question is asked or the
    notebook ends."""
    for number in list(_workers):
        if number != q.number or _workers[number].process.poll() is not None:
            atexit.unregister(_workers[number].close)
            _workers.pop(number).close()
    if q.number not in _workers:
        _workers[q.number] = Worker(q)
        atexit.register(_workers[q.number].close)
    return _workers[q.number]
