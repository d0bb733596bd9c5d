"""Files of fitted recommenders."""

from __future__ import annotations

import json
import os
import stat
import zipfile

import numpy as np
import pytest
from scipy import sparse

from keras_recs.core import storage


def test_arrays_sparse_matrices_and_values_come_back(tmp_path) -> None:
    state = {
        "dense_": np.arange(6, dtype=np.float32).reshape(2, 3),
        "words_": np.array(["a", "é"]),
        "sparse_": sparse.csr_array(np.eye(3, dtype=np.float32)),
        "mean_": 1.5,
        "history_": {"loss": [1.0, 2.0]},
    }
    storage.write(
        tmp_path / "f", {"class": "X", "params": {"seed": 0}}, state, {"model.keras": b"\x00\x01"}
    )
    meta, back, blobs = storage.read(tmp_path / "f")
    assert meta == {"class": "X", "params": {"seed": 0}} and blobs == {"model.keras": b"\x00\x01"}
    assert (back["sparse_"] != state.pop("sparse_")).nnz == 0
    for name, value in state.items():
        assert np.array_equal(back[name], value), name
    assert stat.S_IMODE(os.stat(tmp_path / "f").st_mode) == 0o666 & ~storage._umask()


def test_objects_are_refused_rather_than_pickled(tmp_path) -> None:
    with pytest.raises(TypeError, match="things_ holds Python objects"):
        storage.write(tmp_path / "f", {}, {"things_": np.array([object()])})
    assert not list(tmp_path.iterdir())


def rewrite(path, change) -> None:
    """Pass the members of a saved file through `change`."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    change(members)
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)


def set_format(members: dict, value: int) -> None:
    meta = json.loads(members["meta.json"])
    members["meta.json"] = json.dumps({**meta, "format": value})


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda m: set_format(m, 99), "has file format 99; this version of keras_recs reads 2"),
        (lambda m: m.pop("meta.json"), "is not a saved recommender: it has no meta.json"),
        (lambda m: m.update({"meta.json": "{"}), "is damaged"),
        (lambda m: m.pop("x_.npy"), "is damaged"),
        (lambda m: m.update({"x_.npy": b"not an array"}), "is damaged"),
    ],
)
def test_what_is_wrong_with_a_file_is_said(tmp_path, change, words: str) -> None:
    path = tmp_path / "saved"
    storage.write(path, {"class": "X"}, {"x_": np.ones(3)})
    rewrite(path, change)
    with pytest.raises(storage.StorageError, match=rf"saved {words}"):
        storage.read(path)


def test_a_pickle_inside_is_never_read(tmp_path) -> None:
    import io
    import pickle

    path = tmp_path / "saved"
    storage.write(path, {"class": "X"}, {"x_": np.ones(3)})
    evil = io.BytesIO()
    np.lib.format.write_array(evil, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    rewrite(path, lambda m: m.update({"x_.npy": evil.getvalue()}))
    with pytest.raises(storage.StorageError, match="damaged"):
        storage.read(path)
    (tmp_path / "p").write_bytes(pickle.dumps({"a": 1}))
    with pytest.raises(storage.StorageError, match="not a saved recommender"):
        storage.read(tmp_path / "p")
