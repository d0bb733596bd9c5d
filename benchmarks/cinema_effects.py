"""What was planted in `cinema`, and whether the right kind of model finds it and another does not.

    python benchmarks/cinema_effects.py                   all effects, many minutes; a table
    python benchmarks/cinema_effects.py --only texts      one of them, beside the kept others
    python benchmarks/cinema_effects.py --keep            and keep it: benchmarks/results/cinema_effects.json

Each effect is measured by its module in benchmarks/effects. It is found where the 95 % interval of
the difference lies above zero. A row says which data it was measured on, by the checksum of the
files of `cinema`: after `make fixtures` has changed them, all are to be measured again.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib
import json
import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
import results
from effects.effect import Effect

from keras_recs.utils.places import shipped

#: The effects, each a module of benchmarks/effects with a function `measure`.
EFFECTS = ("context", "tasks", "interests", "attention", "posters", "texts", "graph")
DIGITS = 6  # of the figures that are kept
HEADER = ("effect", "metric", "right", "", "wrong", "", "difference", "95 % interval", "found")


def checksum() -> str:
    """SHA-256 over the files of `cinema`: their names and bytes, in the order of the names."""
    out = hashlib.sha256()
    files = [file for file in shipped("fixtures").iterdir() if file.is_file()]
    for file in sorted(files, key=lambda file: file.name):
        if not file.name.endswith((".py", ".md")):  # no data
            out.update(f"{file.name}\n".encode() + hashlib.sha256(file.read_bytes()).digest())
    return out.hexdigest()


def measure(name: str) -> list[dict[str, Any]]:
    """The rows of one effect: one for each comparison that its module makes.

    Raises:
        ModuleNotFoundError: there is no such module in benchmarks/effects.
        ValueError: it measured nothing.
    """
    start = time.perf_counter()
    found: Sequence[Effect] = importlib.import_module(f"effects.{name}").measure()
    if not found:
        raise ValueError(f"benchmarks/effects/{name}.py must measure something")
    seconds = round(time.perf_counter() - start)
    where = {
        "fixtures": checksum(),
        "date": datetime.now(UTC).date().isoformat(),
        "seconds": seconds,
    }
    return [{"effect": name, **as_row(effect), **where} for effect in found]


def as_row(effect: Effect) -> dict[str, Any]:
    """One comparison, as it is kept."""
    right, wrong = np.asarray(effect.right, float), np.asarray(effect.wrong, float)
    return {
        "metric": effect.metric,
        "finds": effect.finds,
        "right": _round(right.mean()),
        "right_by_seed": [_round(value) for value in right],
        "misses": effect.misses,
        "wrong": _round(wrong.mean()),
        "wrong_by_seed": [_round(value) for value in wrong],
        "difference": _round(effect.difference),
        "interval": [_round(end) for end in effect.interval],
        "found": bool(effect.found),
    }


def merged(
    new: Sequence[Mapping[str, Any]], kept: Iterable[Mapping[str, Any]]
) -> list[Mapping[str, Any]]:
    """The new rows, and the kept ones of the other effects that are of the same data, in the order
    of EFFECTS."""
    measured = {row["effect"] for row in new}
    present = checksum()
    others = [row for row in kept if row["effect"] not in measured and row["fixtures"] == present]
    return sorted([*new, *others], key=lambda row: EFFECTS.index(row["effect"]))


def kept() -> list[dict[str, Any]]:
    """The rows of the last run that was kept; none where there is none."""
    file = results.FOLDER / "cinema_effects.json"
    return json.loads(file.read_text(encoding="utf8"))["rows"] if file.is_file() else []


def faults(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """What is wrong with the kept rows: effects that are missing or not found, and other data."""
    of_effect = {name: [row for row in rows if row["effect"] == name] for name in EFFECTS}
    out = [f"{name} is not measured" for name, found in of_effect.items() if not found]
    out += [
        f"{row['effect']}, {row['metric']}: the interval {row['interval']} is not above zero"
        for row in rows
        if not (row["found"] and row["interval"][0] > 0)
    ]
    present = checksum()
    out += [
        f"{name} was measured on other data: python benchmarks/cinema_effects.py --keep"
        for name, found in of_effect.items()
        if any(row["fixtures"] != present for row in found)
    ]
    return out


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """The rows as Markdown."""
    lines = [HEADER, ("---",) * len(HEADER), *map(_cells, rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cells(row: Mapping[str, Any]) -> tuple[str, ...]:
    low, high = row["interval"]
    return (
        row["effect"],
        row["metric"],
        row["finds"],
        f"{row['right']:.4f}",
        row["misses"],
        f"{row['wrong']:.4f}",
        f"{row['difference']:+.4f}",
        f"{low:+.4f} to {high:+.4f}",
        "yes" if row["found"] else "no",
    )


def _round(value: float) -> float:
    return round(float(value), DIGITS)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", action="append", choices=EFFECTS, help="one effect, or several")
    results.option(parser)
    asked = parser.parse_args()
    new = [row for name in asked.only or EFFECTS for row in measure(name)]
    rows = merged(new, kept())
    print(table(rows))
    for fault in faults(rows):
        print(fault)
    results.keep("cinema_effects", rows, asked.keep)


if __name__ == "__main__":
    main()
