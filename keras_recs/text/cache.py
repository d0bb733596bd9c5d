"""Vectors of texts, kept on disk: an encoder is slow, and the same texts come again and again."""

from __future__ import annotations

import contextlib
import hashlib
import sqlite3
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np

from keras_recs.data.assets import cache_dir

#: The text itself is not kept, only its hash.
TABLE = "CREATE TABLE IF NOT EXISTS vectors (key BLOB PRIMARY KEY, vector BLOB NOT NULL, checksum INTEGER NOT NULL)"
#: Keys in one query; SQLite has a limit of 999 in old versions.
KEYS_AT_ONCE = 500

Result = TypeVar("Result")


class VectorCache:
    """One SQLite file per encoder and version, under `encodings` in the cache folder (see
    `assets.cache_dir`).

    A write is a transaction and one process at a time has the file, so that it is whole at any
    moment. A damaged row is taken for absent; a damaged file is deleted and begun anew. Where
    nothing can be written, every vector is computed, which costs time and nothing else. It is safe
    to delete the folder.

    Args:
        name, version: of the encoder; part of each key, too.
        dim: length of a vector.
    """

    def __init__(self, name: str, version: str, dim: int) -> None:
        self.name, self.version, self.dim = name, version, dim

    @property
    def path(self) -> Path:
        return cache_dir() / "encodings" / f"{self.name}-{self.version}.sqlite"

    def get(self, texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """(vectors (n, dim) float32, known (n,) bool); a row that is not known is zero."""
        vectors, known = np.zeros((len(texts), self.dim), np.float32), np.zeros(len(texts), bool)
        row_of = {self._key(text): row for row, text in enumerate(texts)}
        keys = list(row_of)

        def look_up(table: sqlite3.Connection) -> list[tuple[bytes, bytes, int]]:
            found = []
            for start in range(0, len(keys), KEYS_AT_ONCE):
                some = keys[start : start + KEYS_AT_ONCE]
                marks = ",".join("?" * len(some))
                found += table.execute(
                    f"SELECT key, vector, checksum FROM vectors WHERE key IN ({marks})", some
                ).fetchall()
            return found

        rows: list[tuple[bytes, bytes, int]] = (
            self._with_table(look_up, []) if self.path.exists() else []
        )
        for key, vector, checksum in rows:
            if (
                isinstance(vector, bytes)
                and len(vector) == 4 * self.dim
                and zlib.crc32(vector) == checksum
            ):
                vectors[row_of[key]], known[row_of[key]] = np.frombuffer(vector, "<f4"), True
        return vectors, known

    def put(self, texts: Sequence[str], vectors: np.ndarray) -> None:
        """Keep `vectors` (n, dim) of `texts`."""
        blobs = [row.tobytes() for row in np.ascontiguousarray(vectors, "<f4")]
        rows = [
            (self._key(text), blob, zlib.crc32(blob))
            for text, blob in zip(texts, blobs, strict=True)
        ]
        self._with_table(
            lambda table: table.executemany(
                "INSERT OR REPLACE INTO vectors VALUES (?, ?, ?)", rows
            ),
            None,
        )

    def _key(self, text: str) -> bytes:
        return hashlib.sha256("\0".join((self.name, self.version, text)).encode("utf-8")).digest()

    def _with_table(
        self, work: Callable[[sqlite3.Connection], Result], otherwise: Result
    ) -> Result:
        """What `work` gives on the open table, or `otherwise` where there can be none."""
        from filelock import FileLock

        with contextlib.suppress(OSError, sqlite3.Error):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(self.path.with_suffix(".lock"), timeout=30):
                try:
                    return self._transaction(work)
                except sqlite3.OperationalError:  # no room, no right to write: not the file's fault
                    raise
                except sqlite3.DatabaseError:  # not a database, or a damaged one
                    self.path.unlink()
                    self.path.with_name(self.path.name + "-journal").unlink(missing_ok=True)
                    return self._transaction(work)
        return otherwise

    def _transaction(self, work: Callable[[sqlite3.Connection], Result]) -> Result:
        with contextlib.closing(sqlite3.connect(self.path)) as table, table:
            table.execute(TABLE)
            return work(table)
