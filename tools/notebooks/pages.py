"""Writes what a run leaves behind: files in one step, a page for each notebook, and the list of the
pages."""

from __future__ import annotations

import html
import logging
import os
import re
from pathlib import Path

from nbconvert import HTMLExporter
from nbformat import NotebookNode

STYLE = ".jp-RenderedMarkdown pre {font-family: monospace !important}"


def write(path: Path, text: str) -> None:
    """Writes a file in one step: whoever reads it sees the old text or the new, never a half."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    part.write_text(text, encoding="utf-8", newline="\n")
    os.replace(part, path)


def write_page(notebook: NotebookNode, name: str, pages: Path) -> None:
    """Writes the page of an executed notebook."""
    exporter = HTMLExporter(template_name="lab")
    exporter.log.setLevel(logging.ERROR)
    page, _ = exporter.from_notebook_node(
        notebook, {"metadata": {"name": title_of(notebook, name)}}
    )
    write(pages / f"{name}.html", page.replace("</head>", f"<style>{STYLE}</style></head>", 1))


def write_index(folder: Path, pages: Path) -> None:
    """Lists the pages of all notebooks that have one, whether they ran just now or earlier."""
    lines = []
    for path in sorted(folder.glob("*.ipynb")):
        page = pages / f"{path.stem}.html"
        if page.exists():
            title = re.search(r"<title>(.*?)</title>", page.read_text(encoding="utf-8"), re.DOTALL)
            text = title[1].strip() if title else path.stem
            lines.append(f'<li><a href="{html.escape(page.name)}">{text}</a></li>')
    head = [
        "<!doctype html>",
        '<html lang="en">',
        '<meta charset="utf-8">',
        "<title>Notebooks</title>",
    ]
    body = ["<h1>Notebooks</h1>", "<ul>", *lines, "</ul>", "</html>"]
    write(pages / "index.html", "\n".join([*head, *body]) + "\n")


def title_of(notebook: NotebookNode, name: str) -> str:
    """The first heading of a notebook, or its name."""
    for cell in notebook.cells:
        heading = re.search(r"^#+ +(.+)$", cell.source, re.MULTILINE)
        if heading and cell.cell_type == "markdown":
            return heading[1].strip()
    return name
