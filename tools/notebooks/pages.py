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
.ten-minutes {margin: 1em 2em 0; font-family: sans-serif}
.celltag_ten-minutes {border-left: 3px solid #e0a800}
.celltag_ten-minutes::before {color: #8a6700; font: .8em sans-serif; padding-left: .6em}
[lang=en] .celltag_ten-minutes::before {content: "★ ten-minute path"}
[lang=zh] .celltag_ten-minutes::before {content: "★ 十分钟路线"}
"""
#: What stands before the links of the path.
PATH = {"en": "Ten minutes? Read:", "zh": "只有十分钟？请看："}


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
    top = (_link(language, other) if other is not None else "") + _path(notebook, language)
    text = re.sub(r"<body[^>]*>", lambda body: body[0] + top, text, count=1)
    write(page, text)


def _link(language: str, other: str) -> str:
    """A line at the top of a page that leads to its other edition."""
    name, target = ("English", "en") if language == "zh" else ("中文版", "zh")
    return (
        f'<p class="edition"><a href="{html.escape(other)}" hreflang="{target}" '
        f'lang="{target}">{name}</a></p>'
    )


def _path(notebook: NotebookNode, language: str) -> str:
    """Links to the cells of the path of ten minutes; cells under one heading share a link."""
    name, above, links = PATH[language], "", {}
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            above = next(iter(re.findall(r"^#+ +(.+)$", cell.source, re.MULTILINE)), above)
        if "ten-minutes" in cell.metadata.get("tags", []):
            links.setdefault(above, f"#cell-id={cell.id}")
    entries = [f'<a href="{at}">{html.escape(text)}</a>' for text, at in links.items()]
    return f'<p class="ten-minutes">★ {name} {" · ".join(entries)}</p>' if entries else ""


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
