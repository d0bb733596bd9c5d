"""Delimited text files: what separates, quotes and encodes is checked, and every row is accounted
for."""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import lzma
import os
import re
import sys
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

_COMPRESSED = {b"\x1f\x8b": gzip.decompress, b"BZh": bz2.decompress, b"\xfd7zXZ": lzma.decompress}
_OTHER_FORMATS = {
    b"PAR1": "a Parquet file: use read_parquet",
    b"\x89HDF": "an HDF5 file, not text",
    b"PK\x03\x04": "a zip archive or a spreadsheet: unpack it, or save it as CSV",
}
_MARKS = {b"\xef\xbb\xbf": "utf-8", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}
_FIRST_LINE = re.compile(rb"[\r\n]*[^\r\n]*(?:\r\n|[\r\n]|$)")
_SOMETHING = re.compile(rb"[^\r\n]")
SEPARATORS = {"\t": r"'\t'", ";": "';'", "|": "'|'", "::": "'::'", ",": "','", " ": "' '"}


class DelimitedFile:
    """A file of lines of fields, of which some columns are read as text.

    Args:
        path: the file. Gzip, bzip2 and xz are unpacked, whatever the file is called.
        delimiter: one or several characters.
        columns: the names of the columns, where the file has no header line.
        encoding: of the text; a byte order mark is believed more.
        quote: the character around fields that hold a delimiter, a line break or, doubled, itself.
            With None, or a delimiter of several characters, quotation marks are ordinary
            characters.

    Raises:
        ValueError: another format, damaged, empty, not of this encoding.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        delimiter: str,
        columns: Sequence[str] | None,
        encoding: str,
        quote: str | None,
    ) -> None:
        self.path = os.fspath(path)
        if not isinstance(delimiter, str) or not delimiter or set(delimiter) & set('\r\n"'):
            raise ValueError(
                f"delimiter must be characters that separate fields, got {delimiter!r}"
            )
        if quote is not None and (
            not isinstance(quote, str)
            or len(quote) != 1
            or not quote.isascii()
            or quote in delimiter
            or quote in "\r\n"
        ):
            raise ValueError(f"quote must be one ASCII character or None, got {quote!r}")
        self.data = self._decoded(self._bytes(), encoding)
        self.delimiter = delimiter
        self.quote = (
            quote if len(delimiter) == 1 and quote and quote.encode() in self.data else None
        )
        if not self.data.strip():
            raise ValueError(f"{self.path} is empty")
        self.header = columns is None
        first = next(self._records(), (1, 1, []))[2]
        self.names = [name.strip() for name in first] if columns is None else list(columns)
        if columns is not None and len(first) != len(self.names):
            raise ValueError(
                f"{self.path}, line 1: {len(first)} fields for the {len(self.names)} columns "
                f"{', '.join(map(str, columns))}: {self.delimiter.join(first)[:100]!r}"
                + self.other_delimiter(len(self.names))
            )

    def _bytes(self) -> bytes:
        data = Path(self.path).read_bytes()
        for start, meaning in _OTHER_FORMATS.items():
            if data.startswith(start):
                raise ValueError(f"{self.path} is {meaning}")
        for start, unpack in _COMPRESSED.items():
            if data.startswith(start):
                try:
                    return unpack(data)
                except (OSError, EOFError, zlib.error, lzma.LZMAError, ValueError) as error:
                    raise ValueError(f"{self.path} is damaged: {error}") from error
        return data

    def _decoded(self, data: bytes, encoding: str) -> bytes:
        """The text in UTF-8 without a byte order mark."""
        for mark, marked in _MARKS.items():
            if data.startswith(mark):
                encoding, data = marked, data[3:] if marked == "utf-8" else data
        try:
            text = data.decode(encoding)
        except UnicodeError as error:
            line = data.count(b"\n", 0, getattr(error, "start", 0)) + 1
            reason = getattr(error, "reason", error)
            raise ValueError(
                f"{self.path}, line {line}: not {encoding}: {reason}; say encoding='latin-1', "
                "'gb18030' or whatever it is"
            ) from error
        except LookupError:
            raise ValueError(
                f"encoding must be the name of an encoding, got {encoding!r}"
            ) from None
        return data if encoding == "utf-8" else text.encode("utf-8")

    # --- reading ----------------------------------------------------------------------------------

    def read(self, wanted: Sequence[int], various: int | None = None) -> dict[int, Any]:
        """Position -> column as text: an Arrow array, or a list of strings.

        Args:
            wanted: positions of columns.
            various: the one whose entries are mostly different; the others are read as
                dictionaries.

        Raises:
            ValueError: no rows; a line with another number of fields; a quotation mark that is not
                closed, or that swallows lines. The line is named.
        """
        read = self._python(wanted) if self._needs_care() else self._arrow(wanted, various)
        if not len(next(iter(read.values()))):
            raise ValueError(f"{self.path} has a header, but no rows")
        return read

    def _arrow(self, wanted: Sequence[int], various: int | None) -> dict[int, Any]:
        import pyarrow as pa
        from pyarrow import csv as arrow

        data: bytes = self.data
        delimiter = self.delimiter.encode()
        if len(delimiter) > 1:  # Arrow splits at one byte only
            free = next(
                (
                    byte
                    for byte in map(chr, (9, 31, 30, 29, 28, *range(1, 9)))
                    if byte.encode() not in data
                ),
                "",
            )
            if not free:
                return self._python(wanted)
            data, delimiter = data.replace(delimiter, free.encode()), free.encode()
        names = [str(position) for position in range(len(self.names))]
        start = _FIRST_LINE.match(data).end() if self.header else 0  # type: ignore[union-attr]
        if _SOMETHING.search(data, start) is None:
            return {position: [] for position in wanted}
        # each text once: users and items come again and again
        once = pa.dictionary(pa.int32(), pa.string())
        try:
            table = arrow.read_csv(
                pa.BufferReader(pa.py_buffer(data).slice(start)),
                arrow.ReadOptions(column_names=names),
                arrow.ParseOptions(delimiter=delimiter.decode(), quote_char=self.quote or False),
                arrow.ConvertOptions(
                    include_columns=[names[p] for p in wanted],
                    column_types={names[p]: pa.string() if p == various else once for p in wanted},
                ),
            )
        except pa.ArrowInvalid:
            return self._python(wanted)  # which names the line that is at fault, or knows better
        return {position: table.column(names[position]) for position in wanted}

    def _python(self, wanted: Sequence[int]) -> dict[int, Any]:
        rows = [[row[position] for position in wanted] for _, _, row in self._checked_records()]
        return {position: [row[n] for row in rows] for n, position in enumerate(wanted)}

    def line(self, row: int) -> str:
        """Where the row is in the file: "line 7"."""
        for number, (first, _, _) in enumerate(self._records(), -1 if self.header else 0):
            if number == row:
                return f"line {first}"
        return f"row {row}"

    # --- quotation marks --------------------------------------------------------------------------

    def _needs_care(self) -> bool:
        """Whether a quotation mark stands where it need not, or a line break within a pair of
        them."""
        if self.quote is None:
            return False
        if not self.delimiter.isascii():  # of several bytes, which may stand within quotation marks
            return True
        data = np.frombuffer(self.data, np.uint8)
        marks = np.flatnonzero(data == ord(self.quote))
        if len(marks) % 2:
            return True
        # what may stand beside a mark: the end of a field, or another mark
        edge = np.zeros(256, bool)
        edge[[*self.delimiter.encode(), *b"\r\n", ord(self.quote)]] = True
        opening, closing = marks[::2], marks[1::2]
        opens = (opening == 0) | edge[data[opening - 1]]
        closes = (closing == len(data) - 1) | edge[data[np.minimum(closing + 1, len(data) - 1)]]
        breaks = np.flatnonzero((data == 10) | (data == 13))
        within = np.searchsorted(marks, breaks) % 2 == 1
        return not (opens.all() and closes.all()) or bool(within.any())

    def _checked_records(self) -> Iterator[tuple[int, int, list[str]]]:
        """First line, last line and fields of every row after the header, none too long or too
        short."""
        n = len(self.names)
        lines = None
        for record in self._body():
            first, last, row = record
            if len(row) != n:
                raise ValueError(
                    f"{self.path}, line {first}: {len(row)} fields where {n} were expected"
                    + (f" (a quotation mark runs on to line {last})" if last > first else "")
                )
            if last > first:
                lines = lines or list(self._lines())
                if all(len(line.split(self.delimiter)) == n for line in lines[first - 1 : last]):
                    raise ValueError(
                        f"{self.path}, line {first}: a quotation mark runs on to line {last}, over lines "
                        "that look like rows; double it, remove it, or say quote=None if quotation "
                        "marks are ordinary characters"
                    )
            yield record

    def _body(self) -> Iterator[tuple[int, int, list[str]]]:
        records = self._records()
        if self.header:
            next(records, None)
        return records

    def _records(self) -> Iterator[tuple[int, int, list[str]]]:
        """First line, last line and fields of every row that is not empty."""
        if self.quote is None:
            for number, line in enumerate(self._lines(), 1):
                if line := line.rstrip("\r\n"):
                    yield number, number, line.split(self.delimiter)
            return
        reader = csv.reader(
            self._lines(), delimiter=self.delimiter, quotechar=self.quote, strict=True
        )
        limit = csv.field_size_limit(min(sys.maxsize, 2**31 - 1))
        before = 0
        try:
            while True:
                try:
                    row = next(reader)
                except StopIteration:
                    return
                except csv.Error as error:
                    ends = "" if reader.line_num <= before + 1 else f" to {reader.line_num}"
                    raise ValueError(
                        f"{self.path}, line {before + 1}{ends}: a quotation mark that does not open or "
                        f"close a field ({error}); double it, or say quote=None if quotation marks are "
                        "ordinary characters"
                    ) from None
                if row:
                    yield before + 1, reader.line_num, row
                before = reader.line_num
        finally:
            csv.field_size_limit(limit)

    def _lines(self) -> Iterator[str]:
        """Line after line, with its own end."""
        return io.TextIOWrapper(io.BytesIO(self.data), "utf-8", newline="")

    # --- what may be wrong ------------------------------------------------------------------------

    def other_delimiter(self, least: int = 2) -> str:
        """ "; did you mean delimiter=';'?", where another one cuts the first line into more
        fields."""
        line = self.data[:10_000].decode("utf-8", "replace").splitlines()[0]
        counts = {mark: len(line.split(mark)) for mark in SEPARATORS if mark != self.delimiter}
        # A blank may also stand within a field: it is meant where it fits, or nothing else cuts.
        best = max(
            counts,
            key=lambda mark: (
                counts[mark] == least > 2,
                mark != " " and counts[mark] > 1,
                counts[mark],
            ),
        )
        return f"; did you mean delimiter={SEPARATORS[best]}?" if counts[best] >= 2 else ""
