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

STYLE = """
.jp-RenderedMarkdown pre {font-family: monospace !important}
.edition {text-align: right; margin: 1em 2em 0; font-family: sans-serif}
"""


def write(path: Path, text: str) -> None:
    """Writes a file in one step: whoever reads it sees the old text or the new, never a half."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    part.write_text(text, encoding="utf-8", newline="\n")
    os.replace(part, path)


def write_page(notebook: NotebookNode, page: Path, language: str, other: str | None = None) -> None:
    """Writes the page of an executed notebook.

    Args:
        notebook: with its outputs.
        page: the file to write.
        language: en or zh, the language of the page.
        other: a link from this page to that of the other edition, None where there is none.
    """
    exporter = HTMLExporter(template_name="lab", language_code=language)
    exporter.log.setLevel(logging.ERROR)
    title = title_of(notebook, page.stem)
    text, _ = exporter.from_notebook_node(notebook, {"metadata": {"name": title}})
    text = text.replace("</head>", f"<style>{STYLE}</style></head>", 1)
    if other is not None:
        text = re.sub(r"<body[^>]*>", lambda body: body[0] + _link(language, other), text, count=1)
    write(page, text)


def _link(language: str, other: str) -> str:
    """A line at the top of a page that leads to its other edition."""
    name, target = ("English", "en") if language == "zh" else ("中文版", "zh")
    return (
        f'<p class="edition"><a href="{html.escape(other)}" hreflang="{target}" '
        f'lang="{target}">{name}</a></p>'
    )


def write_index(folder: Path, pages: Path) -> None:
    """Lists the pages of all notebooks that have one, whether they ran just now or earlier, each
    with its Chinese edition."""
    lines = []
    for path in sorted(folder.glob("*.ipynb")):
        names = {"en": f"{path.stem}.html", "zh": f"zh/{path.stem}.html"}
        links = [_entry(pages / name, name, language) for language, name in names.items()]
        if any(links):
            lines.append(f"<li>{' · '.join(filter(None, links))}</li>")
    head = [
        "<!doctype html>",
        '<html lang="en">',
        '<meta charset="utf-8">',
        "<title>Notebooks</title>",
    ]
    body = ["<h1>Notebooks</h1>", "<ul>", *lines, "</ul>", "</html>"]
    write(pages / "index.html", "\n".join([*head, *body]) + "\n")


def _entry(page: Path, name: str, language: str) -> str:
    """The link to a page, under its title; empty where the page is not there."""
    if not page.exists():
        return ""
    title = re.search(r"<title>(.*?)</title>", page.read_text(encoding="utf-8"), re.DOTALL)
    text = title[1].strip() if title else page.stem
    lang = "" if language == "en" else f' lang="{language}"'
    return f'<a href="{html.escape(name)}"{lang}>{text}</a>'


def title_of(notebook: NotebookNode, name: str) -> str:
    """The first heading of a notebook, or its name."""
    for cell in notebook.cells:
        heading = re.search(r"^#+ +(.+)$", cell.source, re.MULTILINE)
        if heading and cell.cell_type == "markdown":
            return heading[1].strip()
    return name
