"""Files of fitted recommenders: arrays, JSON and Keras models in one archive, nothing pickled,
written atomically."""

from __future__ import annotations

import io
import json
import os
import tempfile
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from scipy import sparse

FORMAT = 1
META = "meta.json"

#: What zipfile raises where bytes of an archive are not what they were.
DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    NotImplementedError,
    OSError,
    RuntimeError,
    ValueError,
)


class StorageError(ValueError):
    """A file that cannot be read as what it should be; the message names the file and what is
    wrong."""


def write(
    path: str | os.PathLike[str],
    meta: dict[str, Any],
    state: dict[str, Any],
    blobs: dict[str, bytes] | None = None,
) -> None:
    """Write `state` (arrays, sparse matrices, JSON values) and `blobs` (whole files) to `path`.

    The archive is written beside `path` and renamed when it is complete: a crash leaves the old
    file."""
    path = Path(path)
    plain: dict[str, Any] = {}
    kinds: dict[str, str] = {}
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with (
            os.fdopen(handle, "wb") as file,
            zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as out,
        ):
            for name, value in state.items():
                if sparse.issparse(value):
                    kinds[name] = "sparse"
                    csr = sparse.csr_array(value)
                    parts = {
                        "data": csr.data,
                        "indices": csr.indices,
                        "indptr": csr.indptr,
                        "shape": np.array(csr.shape),
                    }
                    for part, array in parts.items():
                        _put_array(out, f"{name}.{part}", array)
                elif isinstance(value, np.ndarray):
                    kinds[name] = "array"
                    _put_array(out, name, value)
                else:
                    plain[name] = value
            for name, content in (blobs or {}).items():
                out.writestr(name, content)
            document = {"format": FORMAT, **meta, "kinds": kinds, "values": plain}
            out.writestr(META, json.dumps(document, indent=1, ensure_ascii=False))
        os.chmod(
            temporary, 0o666 & ~_umask()
        )  # mkstemp makes private files; a saved model is an ordinary one
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def read(path: str | os.PathLike[str]) -> tuple[dict[str, Any], dict[str, Any], dict[str, bytes]]:
    """What `write` wrote: (meta, state, blobs). Raises StorageError, or FileNotFoundError."""
    with open(path, "rb") as file:
        try:
            with zipfile.ZipFile(file) as archive:
                members = {name: archive.read(name) for name in archive.namelist()}
        except DAMAGE as error:
            raise StorageError(
                f"{path} is truncated or not a saved recommender: {error}"
            ) from error
    if META not in members:
        raise StorageError(f"{path} is not a saved recommender: it has no {META}")
    try:
        meta = json.loads(members.pop(META))
        version = meta.pop("format")
        if version != FORMAT:
            raise StorageError(
                f"{path} has file format {version!r}; this version of keras_recs reads {FORMAT}"
            )
        state = meta.pop("values")
        for name, kind in meta.pop("kinds").items():
            if kind == "array":
                state[name] = _get_array(members, name)
            else:
                data, indices, indptr, shape = (
                    _get_array(members, f"{name}.{part}")
                    for part in ("data", "indices", "indptr", "shape")
                )
                state[name] = sparse.csr_array((data, indices, indptr), shape=tuple(shape))
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        if isinstance(error, StorageError):
            raise
        raise StorageError(f"{path} is damaged: {error}") from error
    return meta, state, members


def _put_array(archive: zipfile.ZipFile, name: str, array: np.ndarray) -> None:
    if array.dtype == object:
        raise TypeError(f"{name} holds Python objects, which cannot be saved without pickling")
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, np.asarray(array), allow_pickle=False)
    archive.writestr(f"{name}.npy", buffer.getvalue())


def _get_array(members: dict[str, bytes], name: str) -> np.ndarray:
    return np.lib.format.read_array(io.BytesIO(members.pop(f"{name}.npy")), allow_pickle=False)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
