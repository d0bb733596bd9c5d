"""What the MovieLens files have in common: lines, numbers, titles. An error names the file and the
line."""

from __future__ import annotations

import csv
import io
import re
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np


class Files:
    """The files of one folder, or of one zip file whatever the folders in it."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.inside: dict[str, str] = {}
        if place.is_file():
            with zipfile.ZipFile(place) as bundle:
                self.inside = {full.rsplit("/", 1)[-1]: full for full in bundle.namelist()}

    def __contains__(self, name: str) -> bool:
        return name in self.inside if self.place.is_file() else (self.place / name).is_file()

    def where(self, name: str) -> str:
        """The file's place, for messages."""
        return str(self.place / self.inside.get(name, name))

    def text(self, name: str, encoding: str) -> str:
        """The file's text, with its own line ends."""
        try:
            if self.place.is_file():
                with zipfile.ZipFile(self.place) as bundle:
                    raw = bundle.read(self.inside[name])
            else:
                raw = (self.place / name).read_bytes()
        except (zipfile.BadZipFile, zlib.error, EOFError) as error:
            raise ValueError(f"{self.where(name)} is damaged: {error}") from error
        try:
            return raw.decode(encoding)
        except UnicodeDecodeError as error:
            line = raw.count(b"\n", 0, error.start) + 1
            raise ValueError(
                f"{self.where(name)}, line {line}: not {encoding}: {error.reason}"
            ) from error


def rows(
    files: Files,
    name: str,
    separator: str,
    encoding: str,
    *,
    fields: int | None = None,
    header: Sequence[str] = (),
) -> Iterator[tuple[str, list[str]]]:
    """(file and line, fields) of every line.

    Args:
        fields: how many fields each line must have, where the file has no header.
        header: the columns wanted of a file that has one, in the order wanted.
    """
    text = files.text(name, encoding)
    if separator == ",":
        lines: Iterator[list[str]] = csv.reader(io.StringIO(text, newline=""))
    else:  # not splitlines(): the control characters of Latin-1 are no line ends
        lines = (line.removesuffix("\r").split(separator) for line in text.split("\n"))
    positions = None
    if header:
        found = next(lines, [])
        positions, fields = _columns(files, name, found, header), len(found)
    where = files.where(name)
    for number, row in enumerate(lines, 2 if header else 1):
        if row in ([], [""]):
            continue
        place = f"{where}, line {number}"
        if len(row) != fields:
            raise ValueError(f"{place}: {len(row)} fields where {fields} were expected")
        yield place, row if positions is None else [row[p] for p in positions]


def _columns(files: Files, name: str, found: Sequence[str], wanted: Sequence[str]) -> list[int]:
    if lacking := [column for column in wanted if column not in found]:
        raise ValueError(
            f"{files.where(name)}, line 1: no column {', '.join(lacking)} among {', '.join(found)}"
        )
    return [found.index(column) for column in wanted]


def whole(place: str, column: str, text: str) -> int:
    """`text` as an int."""
    try:
        return int(text)
    except ValueError:
        raise ValueError(f"{place}: {column} is {text!r}, not a whole number") from None


def ratings_table(
    files: Files,
    name: str,
    separator: str,
    scale: tuple[float, float],
    *,
    header: Sequence[str] = (),
) -> np.ndarray:
    """(n,) records user, item, rating, timestamp (whole seconds, as a float), in the order of the
    file.

    Args:
        scale: lowest and highest rating.
        header: the names of these four columns, where the file has a header.
    """
    text = files.text(name, "utf-8")
    top, _, body = text.partition("\n") if header else ("", "", text)
    columns = (
        _columns(files, name, top.removesuffix("\r").split(separator), header) if header else None
    )
    if not body.strip():
        raise ValueError(f"{files.where(name)} holds no ratings")
    if separator == "::":  # loadtxt splits at one character only
        body, separator = body.replace("::", "\t"), "\t"
    # The time is a float here: RecBole calls it one, and some tools that copy the files add the
    # ".0".
    kinds = [
        ("user", np.int64),
        ("item", np.int64),
        ("rating", np.float32),
        ("timestamp", np.float64),
    ]
    try:
        table = np.loadtxt(
            io.StringIO(body), kinds, comments=None, delimiter=separator, usecols=columns, ndmin=1
        )
    except ValueError as error:
        raise ValueError(
            _fault(body, separator, columns, kinds, 2 if header else 1, files.where(name))
            or f"{files.where(name)}: {error}"
        ) from error
    rating, seconds = table["rating"], table["timestamp"]
    low, high = scale
    for column, fits, meaning in (
        ("rating", (rating >= low) & (rating <= high), f"between {low:g} and {high:g}"),
        (
            "timestamp",
            (seconds >= 0) & (seconds < 2**53) & (seconds % 1 == 0),
            "whole seconds since 1970",
        ),
    ):
        if not fits.all():  # a NaN does not fit either
            at = int(fits.argmin())
            raise ValueError(
                f"{files.where(name)}, line {at + (2 if header else 1)}: {column} is "
                f"{table[column][at]:.12g}, not {meaning}"
            )
    return table


def _fault(
    body: str,
    separator: str,
    columns: Sequence[int] | None,
    kinds: Sequence[tuple[str, type]],
    first: int,
    where: str,
) -> str | None:
    """The first line that is not as it should be. loadtxt's own count is of another start and
    leaves lines out."""
    expected = None if columns else len(kinds)
    for number, line in enumerate(body.split("\n"), first):
        row = line.removesuffix("\r").split(separator)
        if row == [""]:
            continue
        expected = expected or len(row)
        if len(row) != expected:
            return f"{where}, line {number}: {len(row)} fields where {expected} were expected"
        for position, (column, kind) in zip(columns or range(len(kinds)), kinds, strict=True):
            try:
                kind(row[position])
            except ValueError:
                what = "a whole number" if kind is np.int64 else "a number"
                return f"{where}, line {number}: {column} is {row[position]!r}, not {what}"
    return None


_YEAR = re.compile(r"(?P<title>.*?)\s*\((?P<year>\d{4})(?:[-–]\d{0,4})?\)\s*(?:\((?:V|TV)\))?\s*")
_ARTICLES = "The A An Le La Les L' Un Une Der Die Das Den Ein Eine Il Lo Gli El Los Las Una Det O Os".split()
_ARTICLE = re.compile(
    r"(?P<start>^|\()(?P<words>[^()]+), (?P<article>" + "|".join(_ARTICLES) + r")(?=\s*(?:$|[()]))"
)


def title_and_year(raw: str) -> tuple[str, int]:
    """A title as one would say it, and the year apart; 0 where there is none.

    >>> title_and_year("Postman, The (Postino, Il) (1994)")
    ('The Postman (Il Postino)', 1994)
    >>> title_and_year("Enfer, L' (1994)")
    ("L'Enfer", 1994)
    >>> title_and_year("unknown")
    ('unknown', 0)
    """
    match = _YEAR.fullmatch(raw)
    title, year = (match["title"], int(match["year"])) if match else (raw, 0)

    def article_first(m: re.Match[str]) -> str:
        return m["start"] + m["article"] + ("" if m["article"].endswith("'") else " ") + m["words"]

    return _ARTICLE.sub(article_first, " ".join(title.split())), year


def genres_of(names: Sequence[str]) -> tuple[str, ...]:
    """Genres under the same names in all the data sets; () where none is known."""
    # ml-latest-small writes Children where the others write Children's.
    return tuple(
        "Children's" if name == "Children" else name
        for name in names
        if name not in ("unknown", "(no genres listed)", "")
    )
