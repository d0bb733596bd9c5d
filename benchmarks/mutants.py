"""Mutation testing: changes an answer in every small way that cosmic-ray knows, and counts what its tests miss.

    python benchmarks/mutants.py 5        (or: make mutants Q=5)

Works on a copy of the answer, which the question's tests grade through `--answer`; the working tree stays as it
is. Type annotations of functions are taken out of the copy first, because changing one changes nothing.
"""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

from keras_recs.practice.stubs import answer_source
from keras_recs.questions import Question, question

ROOT = Path(__file__).resolve().parents[1]
COSMIC_RAY = Path(sys.executable).with_name("cosmic-ray")
SECONDS = 120  # a mutant that runs longer is in an endless loop, which counts as noticed


class WithoutAnnotations(ast.NodeTransformer):
    """Takes annotations and docstrings off functions; those of dataclass fields mean something and stay."""

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        node.returns = None
        for argument in [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]:
            argument.annotation = None
        return self.generic_visit(node)  # type: ignore[return-value]


def prepare(q: Question, folder: Path) -> Path:
    """The copy that is going to be mutated, and cosmic-ray's configuration; the path of the latter."""
    folder.mkdir(parents=True, exist_ok=True)
    copy = folder / f"{q.stem}.py"
    tree = WithoutAnnotations().visit(ast.parse(answer_source(q)))
    copy.write_text(ast.unparse(ast.fix_missing_locations(tree)) + "\n", encoding="utf8")
    command = (f"{sys.executable} -m pytest -x -q -p no:cacheprovider {ROOT / 'tests' / f'test_{q.stem}.py'} "
               f"--answer {copy} -m 'not data'")
    config = folder / f"{q.stem}.toml"
    config.write_text(f"""[cosmic-ray]
module-path = "{copy}"
timeout = {SECONDS}
excluded-modules = []
test-command = "{command}"

[cosmic-ray.distributor]
name = "local"
""", encoding="utf8")
    return config


def main(number: int) -> None:
    q = question(number)
    config = prepare(q, ROOT / "build" / "mutants")
    session = config.with_suffix(".sqlite")
    session.unlink(missing_ok=True)
    subprocess.run([COSMIC_RAY, "init", config, session], check=True, cwd=ROOT)
    subprocess.run([COSMIC_RAY, "exec", config, session], check=True, cwd=ROOT)
    lines = subprocess.run([COSMIC_RAY, "dump", session], check=True, cwd=ROOT, capture_output=True, text=True)
    killed, survivors = 0, []
    for line in lines.stdout.splitlines():
        item, result = json.loads(line)
        if result is None or result["test_outcome"] != "survived":
            killed += 1
        else:
            (mutation,) = item["mutations"]
            survivors.append((mutation["start_pos"][0], mutation["operator_name"], result["diff"]))
    for line_number, operator, diff in sorted(survivors):
        changed = [part for part in diff.splitlines() if part[:1] in "+-" and part[:3] not in ("+++", "---")]
        print(f"line {line_number}, {operator}", *changed, sep="\n  ")
    total = killed + len(survivors)
    print(f"question {number}: {killed} of {total} mutants noticed ({killed / max(1, total):.0%})")


if __name__ == "__main__":
    main(int(sys.argv[1]))
