"""Runs the notebooks and checks that their committed outputs are what the code gives today.

    python tools/notebooks/execute.py                   check all notebooks
    python tools/notebooks/execute.py q05 q07           check those whose names start so
    python tools/notebooks/execute.py --update          check, and write outputs that have changed

Each notebook runs from top to bottom in a fresh kernel of this interpreter, in the notebooks
folder. The exit code is 0 where all is well, 1 where a notebook failed, 2 where the command makes
no sense. `compare.py` says which differences count. `feed.py` fills the cells that hold the texts
of the interview, and `editions.py` brings the Chinese edition up to date where there is one.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import copy
import os
import re
import signal
import sys
import tempfile
import textwrap
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path

import claims
import figures
import nbformat
from compare import label, merge
from editions import follow
from feed import chinese_of, feed, language_of
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbformat import NotebookNode
from outputs import blemish, clean_text, machine_paths, normalise
from pages import write, write_index, write_page
from parts import is_checked, page_faults
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

FOLDER = Path(__file__).resolve().parents[2] / "notebooks"
LARGEST = 1_000_000  # bytes of a committed notebook

#: What the kernels see on top of the environment: a quiet TensorFlow, and the same hashes, figures
#: and line widths everywhere. One thread each: several notebooks run side by side, and sums have one
#: order whatever the number of cores.
KERNEL_ENVIRONMENT = {
    "PYTHONHASHSEED": "0",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "GRPC_VERBOSITY": "ERROR",
    "AUTOGRAPH_VERBOSITY": "0",
    "PYDEVD_DISABLE_FILE_VALIDATION": "1",
    "MPLBACKEND": "module://matplotlib_inline.backend_inline",
    "COLUMNS": "80",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "TF_NUM_INTRAOP_THREADS": "1",
    "TF_NUM_INTEROP_THREADS": "1",
}
#: Those that take long begin first, or one of them would run alone at the end.
LONG = ("q18", "q08", "q02", "q11", "q10", "q06")


@dataclass
class Outcome:
    """How the run of one notebook ended."""

    name: str
    seconds: float = 0.0
    word: str = "ok"  # or "unchanged", "updated", "FAILED"
    failures: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Options:
    """What the command line asks for."""

    folder: Path
    pages: Path
    update: bool
    pictures: bool
    timeout: int


class ThisInterpreter(KernelSpecManager):
    """Knows one kernel, that of the running interpreter, whatever kernels are installed under that
    name."""

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
        command = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        return KernelSpec(argv=command, display_name="Python 3", language="python")


class Kernels:
    """The kernels that are running now, to be ended when the user interrupts."""

    def __init__(self) -> None:
        self.running: list[AsyncKernelManager] = []
        self.ended = False

    def end(self) -> None:
        """Ends every kernel; a notebook that is just starting stops at its next cell."""
        self.ended = True
        for manager in list(self.running):
            if pid := getattr(manager.provisioner, "pid", None):
                os.kill(pid, signal.SIGTERM)


def run_notebook(
    notebook: NotebookNode, options: Options, kernels: Kernels, started: Callable[[int, int], None]
) -> tuple[NotebookNode, str | None]:
    """Runs a copy of `notebook`; returns it with its outputs, and what stopped it if something
    did."""
    fresh = copy.deepcopy(notebook)
    for cell in fresh.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    current = 0

    def on_cell_start(cell: NotebookNode, cell_index: int) -> None:
        nonlocal current
        current = cell_index
        if kernels.ended:
            raise DeadKernelError("interrupted")
        started(cell_index, len(fresh.cells))

    manager = AsyncKernelManager(kernel_spec_manager=ThisInterpreter())
    client = NotebookClient(
        fresh,
        km=manager,
        timeout=options.timeout,
        startup_timeout=120,
        force_raise_errors=True,
        skip_cells_with_tag="",  # an empty tag skips nothing
        record_timing=False,
        store_widget_state=False,
        coalesce_streams=False,
        shutdown_kernel="immediate",
        on_cell_start=on_cell_start,
    )
    kernels.running.append(manager)
    problem = None
    # A folder of its own keeps the start-up files of the user's IPython out of the kernel. The log
    # takes what the process writes besides its outputs; it matters only when the kernel dies.
    with (
        tempfile.TemporaryDirectory() as own,
        open(Path(own, "log"), "w+", encoding="utf-8") as log,
    ):
        environment = {**os.environ, **KERNEL_ENVIRONMENT, "IPYTHONDIR": own}
        environment.pop("PYTHONWARNINGS", None)  # a warning must show
        # Without a GPU the numbers are the same everywhere; who sets the variable can have one.
        environment.setdefault("CUDA_VISIBLE_DEVICES", "-1")
        try:
            asyncio.run(
                client.async_execute(
                    cleanup_kc=True,
                    env=environment,
                    cwd=str(options.folder),
                    stdout=log,
                    stderr=log,
                )
            )
        except CellExecutionError as error:
            arrow = re.search(r"^-+> .*$", clean_text(error.traceback), re.MULTILINE)
            problem = f"raised {error.ename}: {error.evalue}" + (f"\n{arrow[0]}" if arrow else "")
        except CellTimeoutError:
            problem = f"ran for more than {options.timeout} s"
        except RuntimeError as error:
            log.seek(0)
            problem = "\n".join([str(error), *log.read().splitlines()[-5:]])
        finally:
            kernels.running.remove(manager)
    return normalise(fresh), problem and f"{label(fresh, current)}: {clean_text(problem)}"


def check(
    path: Path, options: Options, kernels: Kernels, started: Callable[[int, int], None]
) -> Outcome:
    """Runs one notebook, compares it with its committed form, writes its page and, if asked, the
    notebook."""
    outcome = Outcome(path.stem)
    begin = time.perf_counter()
    committed = path.read_text(encoding="utf-8")
    old = normalise(nbformat.reads(committed, as_version=4))
    language = language_of(path)
    fed, stale = feed(old, path.stem, language)
    if options.update:
        old, stale = (
            fed,
            feed(fed, path.stem, language)[1],
        )  # what feeding cannot mend: a wrong mark, a cell too few
    outcome.failures += stale
    fresh, problem = run_notebook(old, options, kernels, started)
    paths = machine_paths([FOLDER.parent, options.folder.parent])
    for index, cell in enumerate(fresh.cells):
        why = (
            None if problem else blemish(cell, paths)
        )  # a cell that raised holds its error as an output
        outcome.failures += [f"{label(fresh, index)}: {why}"] if why else []
    if problem:
        outcome.failures.append(problem)
    else:
        own = options.folder == FOLDER  # what a reader writes elsewhere need not prove itself
        outcome.failures += claims.faults(fresh, path.stem) if own else []
        merged, differences = merge(old, fresh, options.pictures, paths)
        outcome.failures += figures.check(merged, path.stem) if own else []
        text = nbformat.writes(merged).rstrip("\n") + "\n"
        size = len(text.encode() if options.update else max(text, committed, key=len).encode())
        if size > LARGEST:
            outcome.failures.append(f"the notebook would have {size / 1e6:.2f} MB, more than 1 MB")
        if not options.update:
            outcome.failures += differences
        elif not outcome.failures:
            outcome.word = "unchanged" if text == committed else "updated"
            if text != committed:
                write(path, text)

    other = f"zh/{path.stem}.html" if chinese_of(path).exists() else None
    write_page(fresh, options.pages / f"{path.stem}.html", "en", other)
    # A Chinese edition follows what is committed of the English one.
    outcome.failures += follow(path, options.pages, options.update and not outcome.failures)
    outcome.failures += page_faults(path) if is_checked(path.stem) else []
    outcome.word = "FAILED" if outcome.failures else outcome.word
    outcome.seconds = time.perf_counter() - begin
    return outcome


def select(folder: Path, names: Sequence[str]) -> list[Path]:
    """The notebooks whose names begin so, all without names; ValueError for a name that fits
    none."""
    every = {path.stem: path for path in sorted(folder.glob("*.ipynb"))}
    if not every:
        raise ValueError(f"no notebooks in {folder}")
    chosen: set[str] = set()
    for name in names or [""]:
        stem = name.removesuffix(".ipynb")
        found = [stem] if stem in every else [other for other in every if other.startswith(stem)]
        if not found:
            raise ValueError(f"no notebook is called {name!r}; there are {', '.join(every)}")
        chosen.update(found)
    return [path for stem, path in every.items() if stem in chosen]


def long_first(paths: Sequence[Path]) -> list[Path]:
    """Those of `LONG` in its order, then the others."""
    rank = {name: place for place, name in enumerate(LONG)}
    return sorted(paths, key=lambda path: rank.get(path.stem[:3], len(LONG)))


def run_all(chosen: Sequence[Path], options: Options, jobs: int, console: Console) -> list[Outcome]:
    """Runs the notebooks, `jobs` at a time, and tells of each as it ends."""
    outcomes = []
    kernels = Kernels()
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with (
        Progress(
            *columns, console=console, transient=True, disable=not console.is_terminal
        ) as progress,
        ThreadPoolExecutor(jobs) as pool,
    ):

        def run(path: Path) -> Outcome:
            task = progress.add_task(path.stem, total=None)
            try:
                return check(
                    path, options, kernels, lambda i, n: progress.update(task, completed=i, total=n)
                )
            except Exception as error:  # whatever befalls one notebook, the others still run
                return Outcome(
                    path.stem, word="FAILED", failures=[f"{type(error).__name__}: {error}"]
                )
            finally:
                progress.remove_task(task)

        try:
            for future in as_completed([pool.submit(run, path) for path in long_first(chosen)]):
                outcome = future.result()
                outcomes.append(outcome)
                say(console, f"{outcome.word:9} {outcome.name}  {outcome.seconds:.1f} s")
                for failure in outcome.failures:
                    say(console, textwrap.indent(f"{outcome.name} {failure}", "    "))
        except KeyboardInterrupt:
            kernels.end()
            pool.shutdown(cancel_futures=True)
            raise SystemExit(130) from None
    return outcomes


def say(console: Console, text: str) -> None:
    """Prints `text` as it is: no colours, no markup, no line breaks but its own."""
    console.print(text, markup=False, highlight=False, emoji=False, soft_wrap=True)


def main(arguments: Sequence[str] | None = None, folder: Path = FOLDER) -> int:
    """The command; `folder` is where the notebooks lie. Returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="execute.py", description="Runs the notebooks and checks them."
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="names or their beginnings (all)")
    parser.add_argument("--update", action="store_true", help="write the outputs that have changed")
    parser.add_argument(
        "--pictures", action="store_true", help="with --update: write all pictures anew"
    )
    parser.add_argument(
        "--html", type=Path, metavar="DIR", help="where the pages go (build/notebooks)"
    )
    parser.add_argument(
        "--jobs",
        type=int,
        default=min(4, os.cpu_count() or 1),
        help="notebooks to run at a time (as many as there are cores, at most 4)",
    )
    parser.add_argument("--timeout", type=int, default=600, help="seconds for a cell (600)")
    asked = parser.parse_args(arguments)
    if min(asked.jobs, asked.timeout) < 1:
        parser.error("--jobs and --timeout must be at least 1")
    try:
        chosen = select(folder, asked.names)
    except ValueError as error:
        print(f"execute.py: {error}", file=sys.stderr)
        return 2
    with contextlib.suppress(ImportError):
        import matplotlib.font_manager  # noqa: F401  (builds its cache of fonts here, rather than noisily in a kernel)

    pages = asked.html or folder.parent / "build" / "notebooks"
    options = Options(folder.resolve(), pages, asked.update, asked.pictures, asked.timeout)
    console = Console()
    outcomes = run_all(chosen, options, asked.jobs, console)
    write_index(options.folder, options.pages)

    failed = sorted(outcome.name for outcome in outcomes if outcome.failures)
    names = f": {', '.join(failed)}" if failed else ""
    say(console, f"{len(failed)} of {len(outcomes)} notebooks failed{names}")
    say(console, f"To read them: {os.path.relpath(pages / 'index.html')}. In JupyterLab: make lab")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
