"""The files of the data set `cinema`: in fixtures/ of a checkout, in `keras_recs.fixtures` of an
installed package."""

from __future__ import annotations

import io
import json
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

SECONDS_A_PLACE = 20  # between two places of a page of impressions


def read_fixture(name: str) -> bytes:
    """The bytes of one file of the data set, from the checkout or from the installed package."""
    beside = Path(__file__).parents[3] / "fixtures" / name
    return (
        beside.read_bytes()
        if beside.is_file()
        else (files("keras_recs.fixtures") / name).read_bytes()
    )


def read_arrays(name: str) -> dict[str, np.ndarray]:
    """The arrays of one .npz file of the data set."""
    with np.load(io.BytesIO(read_fixture(name)), allow_pickle=False) as archive:
        return {key: archive[key] for key in archive.files}


def read_lines(name: str) -> list[dict[str, Any]]:
    """The objects of one .jsonl file of the data set, one a line."""
    return [json.loads(line) for line in read_fixture(name).decode().splitlines()]
