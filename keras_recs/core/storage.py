"""Files of fitted recommenders: arrays, JSON and Keras models in one archive, nothing pickled,
written atomically."""

from __future__ import annotations

import io
import json
import os
import sys
import tempfile
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from scipy import sparse

FORMAT = 2
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


@dataclass(frozen=True)
class SavedModel:
    """A Keras model in a file that was read: the bytes of its `.keras` archive."""

    content: bytes

    def load(self) -> Any:
        """The model. Its own layers and losses must have been imported; Keras comes with them."""
        import keras

        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model.keras"
            path.write_bytes(self.content)
            return keras.models.load_model(path)


def with_models(state: dict[str, Any]) -> dict[str, Any]:
    """`state` as `read` gave it, its Keras models made."""
    return {
        name: value.load() if isinstance(value, SavedModel) else value
        for name, value in state.items()
    }


def write(
    path: str | os.PathLike[str],
    meta: dict[str, Any],
    state: dict[str, Any],
    blobs: dict[str, bytes] | None = None,
) -> None:
    """Write `state` (arrays, sparse matrices, Keras models, JSON values) and `blobs` (whole files)
    to `path`.

    The archive is written beside `path` and renamed when it is complete: a crash leaves the old
    file."""
    path = Path(path)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            _pack(file, meta, state, blobs or {})
        # mkstemp makes private files; a saved model is an ordinary one
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def packed(
    meta: dict[str, Any], state: dict[str, Any], blobs: dict[str, bytes] | None = None
) -> bytes:
    """The content of the file that `write` writes."""
    buffer = io.BytesIO()
    _pack(buffer, meta, state, blobs or {})
    return buffer.getvalue()


def _pack(
    file: IO[bytes], meta: dict[str, Any], state: dict[str, Any], blobs: dict[str, bytes]
) -> None:
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as out:
        kinds = {name: _kind(value) for name, value in state.items()}
        for name, kind in kinds.items():
            if kind is not None:
                _PUT[kind](out, name, state[name])
        for name, content in blobs.items():
            out.writestr(name, content)
        document = {
            "format": FORMAT,
            **meta,
            "kinds": {name: kind for name, kind in kinds.items() if kind is not None},
            "values": {name: state[name] for name, kind in kinds.items() if kind is None},
        }
        out.writestr(META, json.dumps(document, indent=1, ensure_ascii=False))


def read(path: str | os.PathLike[str]) -> tuple[dict[str, Any], dict[str, Any], dict[str, bytes]]:
    """What `write` wrote: (meta, state, blobs); Keras models as `SavedModel`.

    Raises:
        StorageError: the file is damaged, of another version, or something else.
        FileNotFoundError: there is none.
    """
    with open(path, "rb") as file:
        return _unpack(file, path)


def unpacked(content: bytes, name: str) -> tuple[dict[str, Any], dict[str, Any], dict[str, bytes]]:
    """What `packed` gave, as `read` gives it; errors call it `name`."""
    return _unpack(io.BytesIO(content), name)


def _unpack(
    file: IO[bytes], path: str | os.PathLike[str]
) -> tuple[dict[str, Any], dict[str, Any], dict[str, bytes]]:
    try:
        with zipfile.ZipFile(file) as archive:
            members = {name: archive.read(name) for name in archive.namelist()}
    except DAMAGE as error:
        raise StorageError(f"{path} is truncated or not a saved recommender: {error}") from error
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
            state[name] = _GET[kind](members, name)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        if isinstance(error, StorageError):
            raise
        raise StorageError(f"{path} is damaged: {error}") from error
    return meta, state, members


def _kind(value: Any) -> str | None:
    """How a value is written; None for what JSON holds."""
    if sparse.issparse(value):
        return "sparse"
    if isinstance(value, np.ndarray):
        return "array"
    keras = sys.modules.get("keras")  # who has a model has imported it
    return "keras" if keras is not None and isinstance(value, keras.Model) else None


def _put_sparse(archive: zipfile.ZipFile, name: str, value: Any) -> None:
    csr = sparse.csr_array(value)
    _put_array(archive, f"{name}.data", csr.data)
    _put_array(archive, f"{name}.indices", csr.indices)
    _put_array(archive, f"{name}.indptr", csr.indptr)
    _put_array(archive, f"{name}.shape", np.array(csr.shape))


def _get_sparse(members: dict[str, bytes], name: str) -> sparse.csr_array:
    data, indices, indptr, shape = (
        _get_array(members, f"{name}.{part}") for part in ("data", "indices", "indptr", "shape")
    )
    return sparse.csr_array((data, indices, indptr), shape=tuple(shape))


def _put_keras(archive: zipfile.ZipFile, name: str, model: Any) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.keras"
        model.save(path)
        archive.write(path, f"{name}.keras")


def _get_keras(members: dict[str, bytes], name: str) -> SavedModel:
    return SavedModel(members.pop(f"{name}.keras"))


def _put_array(archive: zipfile.ZipFile, name: str, array: np.ndarray) -> None:
    if array.dtype == object:
        raise TypeError(f"{name} holds Python objects, which cannot be saved without pickling")
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, np.asarray(array), allow_pickle=False)
    archive.writestr(f"{name}.npy", buffer.getvalue())


def _get_array(members: dict[str, bytes], name: str) -> np.ndarray:
    return np.lib.format.read_array(io.BytesIO(members.pop(f"{name}.npy")), allow_pickle=False)


#: How each kind of value is written and read.
_PUT = {"array": _put_array, "sparse": _put_sparse, "keras": _put_keras}
_GET = {"array": _get_array, "sparse": _get_sparse, "keras": _get_keras}


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
