"""The files of the data set `cinema`: the folder fixtures/ of an installed package or a checkout."""

from __future__ import annotations

import io
import json
from typing import Any

import numpy as np

from keras_recs.utils.places import shipped

SECONDS_A_PLACE = 20  # between two places of a page of impressions


def read_fixture(name: str) -> bytes:
    """The bytes of one file of the data set."""
    return (shipped("fixtures") / name).read_bytes()


def read_arrays(name: str) -> dict[str, np.ndarray]:
    """The arrays of one .npz file of the data set."""
    with np.load(io.BytesIO(read_fixture(name)), allow_pickle=False) as archive:
        return {key: archive[key] for key in archive.files}


def read_lines(name: str) -> list[dict[str, Any]]:
    """The objects of one .jsonl file of the data set, one a line."""
    return [json.loads(line) for line in read_fixture(name).decode().splitlines()]
