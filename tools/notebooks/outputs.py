"""Brings the outputs of a notebook into one form, and finds what must not stand in them.

Nothing here runs a notebook or touches a file.
"""

from __future__ import annotations

import copy
import re
import tempfile
from collections.abc import Iterable
from pathlib import Path

import nbformat
from nbformat import NotebookNode

PICTURES = frozenset({"image/png", "image/jpeg", "image/gif", "image/svg+xml", "application/pdf"})
BINARY = PICTURES - {"image/svg+xml"}
WARNING = re.compile(r"^.*warning:.*$", re.IGNORECASE | re.MULTILINE)
KERNELSPEC = {"display_name": "Python 3", "name": "python3"}


# --- One form for outputs -------------------------------------------------------------------------

_CONTROL = re.compile(
    # links and the like; colours, cursor
    r"\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b\[[0-9;?]*[ -/]*[@-~]"
    r"|[\r\n]|\x08+|[^\x1b\r\n\x08]+|\x1b"
)
# Only what looks like the address of an object: a hash printed in hexadecimal is a result like any
# other.
_ADDRESS = re.compile(r"(?<=\bat )0x[0-9a-fA-F]{6,}|\b0x7[ef][0-9a-fA-F]{10}\b")
# TensorFlow's libraries write these while they load, before they read the log level that would
# silence them. Only information goes: a native warning (W0000) or error (E0000) stays.
_NATIVE_INFO = re.compile(
    r"^(?:WARNING: All log messages before absl::InitializeLog\(\) is called are written to STDERR"
    r"|I0000 00:00:[0-9.]+ +[0-9]+ [\w./-]+:[0-9]+\] .*)(?:\n|\Z)",
    re.MULTILINE,
)


def as_terminal(text: str) -> str:
    """What a terminal shows in the end: progress bars drawn over, colour codes gone."""
    if not re.search(r"[\r\x08\x1b]", text):
        return text
    rows, row, column = [""], 0, 0
    redrawn = set()
    for piece in _CONTROL.findall(text):
        if piece == "\n":
            row, column = row + 1, 0
            if row == len(rows):
                rows.append("")
        elif piece == "\r":
            column = 0
            redrawn.add(row)
        elif piece[0] == "\x08":
            column = max(0, column - len(piece))
            redrawn.add(row)
        elif piece[0] != "\x1b":
            line = rows[row].ljust(column)
            rows[row] = line[:column] + piece + line[column + len(piece) :]
            column += len(piece)
        elif re.fullmatch(r"\x1b\[\d*A", piece):  # cursor up: nested progress bars
            row = max(0, row - int(piece[2:-1] or 1))
        elif piece in ("\x1b[K", "\x1b[0K"):  # erase to the end of the line
            rows[row] = rows[row][:column]
        elif piece == "\x1b[2K":  # erase the line
            rows[row] = ""
    # A bar that was wiped leaves blanks; other lines keep the spaces that they end in.
    return "\n".join(line.rstrip() if i in redrawn else line for i, line in enumerate(rows))


def clean_text(text: str) -> str:
    """`text` as a terminal shows it, with the addresses of objects masked."""
    return _ADDRESS.sub("0x…", as_terminal(text))


def normalise_outputs(outputs: list[NotebookNode]) -> list[NotebookNode]:
    """The outputs of a cell without what changes from run to run: redrawn text, widgets, addresses.

    Standard error becomes one stream at the end. A progress bar is written to it in many pieces
    with other output between, and only the whole shows whether the bar has vanished.
    """
    kept: list[NotebookNode] = []
    errors = ""
    for output in copy.deepcopy(outputs):
        if output.output_type == "stream":
            if output.name == "stderr":
                errors += output.text
            elif kept and kept[-1].output_type == "stream":
                kept[-1].text += output.text
            else:
                kept.append(output)
        elif not any("jupyter.widget" in mime for mime in output.get("data", {})):
            kept.append(output)
    if errors:
        kept.append(nbformat.from_dict({"output_type": "stream", "name": "stderr", "text": errors}))

    for output in kept:
        if output.output_type == "stream":
            output.text = clean_text(output.text)
            if output.name == "stderr":
                output.text = _NATIVE_INFO.sub("", output.text)
        elif output.output_type == "error":
            output.traceback = [clean_text(line) for line in output.traceback]
        for mime, value in output.get("data", {}).items():
            if mime.startswith("text/"):
                output.data[mime] = clean_text(value)
    return [output for output in kept if output.output_type != "stream" or output.text.strip()]


def normalise(notebook: NotebookNode) -> NotebookNode:
    """A copy of `notebook` with plain metadata, cells counted from 1 and normalised outputs."""
    notebook = copy.deepcopy(notebook)
    notebook.metadata = nbformat.from_dict(
        {"kernelspec": KERNELSPEC, "language_info": {"name": "python"}}
    )
    count = 0
    for cell in notebook.cells:
        for key in ("execution", "ExecuteTime", "widgets"):
            cell.metadata.pop(key, None)
        if cell.cell_type != "code":
            continue
        cell.outputs = normalise_outputs(cell.outputs)
        if not cell.source.strip():
            cell.execution_count = None
            continue
        count += 1
        if cell.execution_count is not None:  # a cell that never ran must stay visible as such
            cell.execution_count = count
        for output in cell.outputs:
            if output.output_type == "execute_result":
                output.execution_count = count
    return notebook


# --- What must not stand in an output -------------------------------------------------------------


def blemish(cell: NotebookNode, paths: re.Pattern[str]) -> str | None:
    """What must not stand in the outputs of a cell: errors, standard error, warnings, machine
    paths."""
    for output in cell.get("outputs", []):
        if output.output_type == "error":
            return f"an output holds an error: {output.ename}"
        texts = [str(value) for mime, value in output.get("data", {}).items() if mime not in BINARY]
        if output.output_type == "stream":
            texts = [output.text]
            warning = WARNING.search(output.text)
            if warning:
                return f"an output holds a warning: {warning[0].strip()[:200]}"
            if output.name == "stderr":
                return "wrote to standard error:\n" + "\n".join(output.text.splitlines()[:10])
        for text in texts:
            found = paths.search(text)
            if found:
                whole = text[found.start() : found.end() + 60].split()[0]
                return f"an output holds a path of this machine: {whole}"
    return None


def machine_paths(folders: Iterable[Path]) -> re.Pattern[str]:
    """Finds the names of `folders`, of what lies in them, and of the home and temporary folders."""
    everywhere = (Path.home(), Path(tempfile.gettempdir()), Path("/tmp"))
    names = {str(form) for path in (*folders, *everywhere) for form in (path, path.resolve())} - {
        "/"
    }
    longest_first = "|".join(re.escape(name) for name in sorted(names, key=len, reverse=True))
    return re.compile(rf"(?<![\w.~-])(?:{longest_first})(?![\w-])")
