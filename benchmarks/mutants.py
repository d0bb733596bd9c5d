"""Mutation testing: changes an answer in every small way that cosmic-ray knows, and counts what its
tests miss.

    python benchmarks/mutants.py 5                  (or: make mutants Q=5)
    python benchmarks/mutants.py 8 --workers 1      one mutant at a time

Works on copies of the answer, which the question's tests grade through `--answer`; the working tree
stays as it is. Annotations and docstrings are taken out first, because changing them changes
nothing. Defaults of constructors are left alone: they are choices, which the figures on MovieLens
pin, and those tests are not run here. The libraries are imported once; each mutant is graded in a
fork of that process.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import importlib
import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_code
from cosmic_ray.plugins import get_operator, operator_names
from tqdm import tqdm

from keras_recs.practice.sources import answer_source
from keras_recs.questions import Question, question

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "build" / "mutants"
SECONDS = 120  # a mutant that runs longer is in an endless loop, which counts as noticed


class WithoutAnnotations(ast.NodeTransformer):
    """Takes annotations and docstrings off functions; those of dataclass fields mean something and
    stay."""

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        node.returns = None
        for argument in [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]:
            argument.annotation = None
        return self.generic_visit(node)  # type: ignore[return-value]


def mutants(source: str) -> Iterator[tuple[str, int, str]]:
    """Every mutant of `source`: (operator, line, changed source). Equal ones come once."""
    seen = {source}
    defaults = {
        line
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.FunctionDef) and node.name == "__init__"
        for line in range(node.lineno, node.body[0].lineno)
    }
    for name in operator_names():
        operator_class = get_operator(name)
        if operator_class.arguments():
            continue  # those need to be told what to put in
        operator = operator_class()
        places = [
            start
            for node in ast_nodes(get_ast(source))
            for start, _ in operator.mutation_positions(node)
        ]
        for occurrence, (line, _) in enumerate(places):
            changed = mutate_code(source, operator, occurrence)
            if line not in defaults and changed is not None and changed not in seen:
                seen.add(changed)
                yield name.removeprefix("core/"), line, changed


def grade(q: Question, file: Path) -> int:
    """In a fork: grade `file` by the tests of `q`, and end with pytest's exit code."""
    pid = os.fork()
    if pid:
        return pid
    os.setpgid(0, 0)
    with open(os.devnull, "w") as nothing:
        os.dup2(nothing.fileno(), 1)
        os.dup2(nothing.fileno(), 2)
        code: int = 3
        with contextlib.suppress(BaseException):
            code = int(
                pytest.main(
                    [
                        "-x",
                        "-q",
                        "-p",
                        "no:cacheprovider",
                        "-o",
                        "timeout=0",
                        str(ROOT / "tests" / f"test_{q.stem}.py"),
                        "--answer",
                        str(file),
                        "-m",
                        "not data",
                    ]
                )
            )
        os._exit(code)


def describe(mutant: tuple[str, int, str], lines: list[str]) -> str:
    operator, number, changed = mutant
    after = next(
        (new for new, old in zip(changed.splitlines(), lines, strict=False) if new != old),
        "(line gone)",
    )
    return f"line {number}, {operator}\n  - {lines[number - 1].strip()}\n  + {after.strip()}"


def survivors(
    q: Question, found: list[tuple[str, int, str]], lines: list[str], workers: int
) -> list[int]:
    """Positions in `found` of the mutants that all tests let through; prints each."""
    running: dict[int, tuple[int, float]] = {}
    survived, waiting = [], list(range(len(found)))[::-1]
    with tqdm(total=len(found), desc=f"question {q.number}") as bar:
        while waiting or running:
            while waiting and len(running) < workers:
                number = waiting.pop()
                file = FOLDER / f"{q.stem}_{number}.py"
                file.write_text(found[number][2], encoding="utf8")
                running[grade(q, file)] = number, time.monotonic()
            time.sleep(0.02)
            for pid, (number, start) in list(running.items()):
                done, status = os.waitpid(pid, os.WNOHANG)
                if not done and time.monotonic() - start > SECONDS:
                    os.killpg(pid, signal.SIGKILL)
                    done, status = os.waitpid(pid, 0)
                if done:
                    del running[pid]
                    (FOLDER / f"{q.stem}_{number}.py").unlink()
                    bar.update()
                    if os.WIFEXITED(status) and os.WEXITSTATUS(status) == 0:
                        survived.append(number)
                        bar.set_postfix(survived=len(survived))
                        bar.write(describe(found[number], lines))
    return survived


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("question", type=int)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    asked = parser.parse_args()
    q = question(asked.question)
    FOLDER.mkdir(parents=True, exist_ok=True)
    sys.path.insert(0, str(ROOT / "tests"))
    q.load(q.answers[0])  # the libraries, once for all forks; nothing is computed before them
    importlib.import_module("scipy.spatial")

    source = (
        ast.unparse(
            ast.fix_missing_locations(WithoutAnnotations().visit(ast.parse(answer_source(q))))
        )
        + "\n"
    )
    whole = FOLDER / f"{q.stem}_whole.py"
    whole.write_text(source, encoding="utf8")
    if os.waitpid(grade(q, whole), 0)[1]:
        raise SystemExit(f"the tests of question {q.number} reject the answer as it is")
    found = list(mutants(source))
    survived = survivors(q, found, source.splitlines(), asked.workers)
    noticed = len(found) - len(survived)
    print(
        f"question {q.number}: {noticed} of {len(found)} mutants noticed ({noticed / max(1, len(found)):.1%})"
    )


if __name__ == "__main__":
    main()
