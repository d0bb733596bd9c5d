"""How long a reader waits: from saving a file to its verdict, through the server that `keras-recs
check` watches with.

    python benchmarks/practice.py            # questions 5, 12 and 8
    python benchmarks/practice.py 18 --runs 5

Each run changes one line of a function and saves: wrong, then right, in turns. What is measured,
with Python's own clock (time.perf_counter): from the end of the write to the first screen that
judges the function, and to the screen on which all behaviours are judged. The server is warm, as
after the first check. The last column is the processor time that a check of all behaviours takes,
in all its processes together: on a busy machine, the wait says little."""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from pathlib import Path

from keras_recs.practice.exercise import Exercise, exercise_file
from keras_recs.practice.grading import NOT_RUN
from keras_recs.practice.sources import answer_source
from keras_recs.practice.stubs import unmarked
from keras_recs.practice.watch import Watch
from keras_recs.questions import question

#: question -> function, its line, and that line with a mistake
EDITS = {
    5: ("loss", "return 0.5 * float(", "return 1.0 * float("),
    8: ("NeuMF.build", '"item_gmf")(item_id)', '"item_gmf")(user_id)'),
    12: ("EASE._fit", "weights /= -np.diag(weights)", "weights /= np.diag(weights)"),
    18: ("LightGraphConvolution.nodes", "return total / (self.n_layers + 1)", "return total"),
}


def waits(number: int, runs: int) -> dict[str, list[float]]:
    """Seconds until the function is judged and until all is, for wrong and right files."""
    q = question(number)
    name, right, wrong = EDITS[number]
    answer = unmarked(answer_source(q))
    at = answer.index(right, answer.index(f"def {name.rpartition('.')[2]}("))
    broken = answer[:at] + wrong + answer[at + len(right) :]
    found: dict[str, list[float]] = {
        "wrong": [],
        "wrong, all": [],
        "right": [],
        "right, all": [],
        "cpu": [],
    }
    with tempfile.TemporaryDirectory() as folder:
        file = exercise_file(q, Path(folder))
        file.write_text(answer, encoding="utf8")
        watch = Watch(Exercise(q, file, file.parent), lambda text, screen: None)
        watch._open()
        try:
            _until(watch, lambda: bool(watch.check and watch.check.ended))
            for _ in range(runs):
                for kind, text in (("wrong", broken), ("right", answer)):
                    file.write_text(text, encoding="utf8")
                    saved = time.perf_counter()
                    _until(
                        watch,
                        lambda text=text: bool(
                            watch.check
                            and watch.check.source == text
                            and any(
                                part.name == name and part.state != NOT_RUN
                                for part in watch.check.parts
                            )
                        ),
                    )
                    found[kind].append(time.perf_counter() - saved)
                    _until(watch, lambda: bool(watch.check and watch.check.ended))
                    found[f"{kind}, all"].append(time.perf_counter() - saved)
                    assert watch.check is not None
                    found["cpu"].append(watch.check.cpu)
                    assert watch.check.passed == (kind == "right"), kind
        finally:
            watch._close()
    return found


def _until(watch: Watch, done) -> None:
    while not done():
        watch._step()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "questions", nargs="*", type=int, default=[5, 12, 8], choices=EDITS, metavar="N"
    )
    parser.add_argument("--runs", type=int, default=3)
    arguments = parser.parse_args()
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    print(
        f"seconds from save to verdict, median of {arguments.runs} (most), {cores} cores, "
        f"load {os.getloadavg()[0]:.1f} at the start\n"
    )
    print("| | function | wrong: judged | all judged | right: judged | all judged | processor |")
    print("|---|---|---|---|---|---|---|")
    for number in arguments.questions:
        found = waits(number, arguments.runs)
        cells = [
            f"{statistics.median(values):.2f} ({max(values):.2f})" for values in found.values()
        ]
        print(f"| q{number:02d} | {EDITS[number][0]} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
