"""What a run found, with where it comes from.

A script of this folder hands its rows to `keep`, which writes them to `build/bench/NAME.json`, and
with `--keep` to `benchmarks/results/NAME.json`, where the pages and READMEs take their figures
from. Beside the rows stand the script, its command, the day, the machine and the versions; what is
not known is null, and then a note says why.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import readme

HERE = Path(__file__).resolve().parent
FOLDER = HERE / "results"
BENCH = HERE.parent / "build" / "bench"

#: What each file says besides its rows.
FIELDS = ("written_by", "command", "date", "machine", "versions", "rows")
MACHINE = ("cores", "processor", "memory_gib")
#: Whose versions each file names, besides those of the libraries that its rows name.
ALWAYS = ("python", "tensorflow", "keras", "numpy")


def option(parser: argparse.ArgumentParser) -> None:
    """Adds `--keep`."""
    parser.add_argument(
        "--keep",
        action="store_true",
        help="keep what is found in benchmarks/results, and renew the tables that are made of it",
    )


def keep(
    name: str,
    rows: Sequence[Mapping[str, Any]],
    publish: bool,
    versions: Mapping[str, str | None] | None = None,
    written_by: str | None = None,
    table: str | None = None,
) -> Path:
    """Writes the rows of a run, with their provenance.

    Args:
        name: of the file, without `.json`.
        rows: what was found; one without `library` is of keras_recs.
        publish: whether to write into `benchmarks/results` too, and the table into the READMEs.
        versions: library -> version, for those that live in environments of their own.
        written_by: who made it; this script where it is None.
        table: the rows as `benchmarks/README.md` shows them, between the marks of the script.

    Returns:
        The file; the published one where there is one.

    Raises:
        ValueError: there is no row, or a row's library has no version.
    """
    if not rows:
        raise ValueError("rows must not be empty")
    script = f"benchmarks/{Path(sys.argv[0]).name}"
    found = {
        "written_by": written_by or script,
        "command": command(sys.argv),
        "date": datetime.now(UTC).date().isoformat(),
        "machine": machine(),
        "versions": installed() | dict(versions or {}),
    }
    found["rows"] = [{"library": "keras_recs", **row} for row in rows]
    for row in found["rows"]:
        if row["library"] not in found["versions"]:
            raise ValueError(f"versions must name {row['library']}, which a row is of")
    text = json.dumps(found, indent=1, ensure_ascii=False) + "\n"
    for folder in (BENCH, FOLDER)[: 1 + publish]:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}.json").write_text(text, encoding="utf8")
    if publish and table is not None:
        readme.put(Path(script).stem, table)
    return folder / f"{name}.json"


def command(arguments: Sequence[str]) -> str:
    """What was typed, without the places of files.

    >>> command(["/somewhere/benchmarks/peers.py", "--only", "a b", "/somewhere/else/file.npz"])
    "python benchmarks/peers.py --only 'a b' file.npz"
    """
    script, *rest = arguments
    rest = [Path(each).name if Path(each).is_absolute() else each for each in rest]
    return shlex.join(["python", f"benchmarks/{Path(script).name}", *rest])


def machine() -> dict[str, Any]:
    """The cores that this process may use, the kind of processor, and the memory."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        "cores": cores,
        "processor": _line_of("/proc/cpuinfo", r"model name\s*:\s*(.+)") or platform.machine(),
        "memory_gib": _gib(_line_of("/proc/meminfo", r"MemTotal:\s*(\d+) kB")),
    }


def _line_of(file: str, pattern: str) -> str | None:
    """What a line of a system's file says, None where there is none."""
    path = Path(file)
    found = re.search(pattern, path.read_text()) if path.is_file() else None
    return found[1].strip() if found else None


def _gib(kib: str | None) -> float | None:
    return None if kib is None else round(int(kib) / 2**20, 1)


def installed() -> dict[str, str | None]:
    """The versions of Python and of what runs in this environment."""
    import keras_recs

    found: dict[str, str | None] = {"python": platform.python_version()}
    for name in ALWAYS[1:]:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = None
    return found | {"keras_recs": keras_recs.__version__}


def version_in(python: str | Path, distribution: str) -> str:
    """The version of a distribution in the environment of another interpreter."""
    code = f"from importlib.metadata import version; print(version({distribution!r}))"
    done = subprocess.run([python, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.strip()
