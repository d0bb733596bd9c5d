"""Columns of text files: which numbers, times and ids the text stands for. A whole column is of one
kind."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from keras_recs.data.columns import Raw, Where, iso_times, raw

#: What stands for nothing in a text file.
MISSING = frozenset(
    [
        "",
        "NA",
        "N/A",
        "#N/A",
        "n/a",
        "<NA>",
        "NaN",
        "nan",
        "-nan",
        "NaT",
        "null",
        "NULL",
        "Null",
        "None",
        "\\N",
    ]
)
_WHOLE = re.compile(r"0|-?[1-9][0-9]*")
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")


def text_column(where: Where, texts: Any) -> Raw:
    """Each text once, and which of them stands in each row."""
    if not isinstance(texts, list):
        return raw(where, texts if hasattr(texts.type, "index_type") else texts.dictionary_encode())
    place = {text: n for n, text in enumerate(dict.fromkeys(texts))}
    different = np.fromiter(place, object, len(place))
    return Raw(different, None, np.fromiter(map(place.__getitem__, texts), np.int64, len(texts)))


def text_ids(where: Where, column: Raw, ids: str) -> Raw:
    """Whole numbers where all of the column are, written as one writes them ("007" and "+7" are
    text); else text.

    With `ids="string"`, the text as it is.
    """
    texts = column.values.tolist()
    missing = [text in MISSING if ids == "auto" else text == "" for text in texts]
    words = [text for text, absent in zip(texts, missing, strict=True) if absent and text]
    _refuse_missing(
        where, column, missing, f"; with ids='string', {words[0]!r} is an id" if words else ""
    )
    if ids == "string":
        return column
    for spelled in (
        texts,
        [text.strip() for text in texts],
    ):  # blanks around numbers do not count, if none merge
        if all(map(_WHOLE.fullmatch, spelled)) and len(set(spelled)) == len(spelled):
            return Raw(np.fromiter(map(int, spelled), object, len(spelled)), None, column.codes)
    if all(_NUMBER.fullmatch(text.strip()) for text in texts):
        odd = [not text.strip().lstrip("+-").isdigit() for text in texts]
        if any(odd):
            text, place = _first(where, column, odd)
            raise TypeError(
                f"{where} must hold whole numbers or text, but {place} is {text!r}; with ids='string', "
                "they are kept as text"
            )
    return column


def text_numbers(where: Where, column: Raw) -> Raw:
    """Finite numbers."""
    texts = [text.strip() for text in column.values.tolist()]
    _refuse_missing(where, column, [text in MISSING for text in texts])
    wrong = [_NUMBER.fullmatch(text) is None for text in texts]
    if any(wrong):
        text, place = _first(where, column, wrong)
        hint = (
            " (write a decimal point, not a comma)"
            if re.fullmatch(r"[+-]?\d+,\d+", text.strip())
            else ""
        )
        raise ValueError(f"{where} must be numbers, but {place} is {text!r}{hint}")
    return Raw(np.array(list(map(float, texts))), None, column.codes)


def text_times(where: Where, texts: Any) -> Raw:
    """Numbers, or datetimes from ISO text."""
    if not isinstance(texts, list):
        try:
            seconds = texts.cast("int64")  # most files have whole numbers
            if not _hexadecimal(texts):
                return raw(where, seconds)
        except ValueError:
            pass  # what else they are is found out below, text by text
    column = text_column(where, texts)
    texts = [text.strip() for text in column.values.tolist()]
    _refuse_missing(where, column, [text in MISSING for text in texts])
    within = Where(where.name, lambda i: _place(where, column, i))
    if _NUMBER.fullmatch(texts[0]):
        wrong = [_NUMBER.fullmatch(text) is None for text in texts]
        if any(wrong):
            text, place = _first(where, column, wrong)
            raise ValueError(
                f"{where} must be numbers throughout, as its first entry is, but {place} is {text!r}"
            )
        if all(map(_WHOLE.fullmatch, texts)):
            return Raw(np.fromiter(map(int, texts), object, len(texts)), None, column.codes)
        return Raw(np.array(list(map(float, texts))), None, column.codes)
    return Raw(iso_times(within, texts), None, column.codes)


def _hexadecimal(texts: Any) -> bool:
    """Arrow reads 0x10 as 16."""
    import pyarrow.compute as pc

    return bool(pc.any(pc.match_substring(texts, "x", ignore_case=True)).as_py())


def text_plain(where: Where, column: Any) -> np.ndarray:
    """Whole numbers, numbers, truth values or text, whichever all of the column are."""
    if not isinstance(column, Raw):
        column = text_column(where, column)
    texts = [text.strip() for text in column.values.tolist()]
    given = [text for text in texts if text not in MISSING]
    if given and all(map(_NUMBER.fullmatch, given)):
        if all(map(_WHOLE.fullmatch, given)) and all(len(text) < 19 for text in given):
            kind: Any = int
        elif any(re.fullmatch(r"[+-]?0[0-9]+", text) for text in given):
            return np.array(column.values.tolist())[column.codes]  # "007" is text
        else:
            kind = float
        _refuse_missing(where, column, [text in MISSING for text in texts])
        return np.array(list(map(kind, texts)))[column.codes]
    if given and {text.casefold() for text in given} <= {"true", "false"}:
        _refuse_missing(where, column, [text in MISSING for text in texts])
        return np.array([text.casefold() == "true" for text in texts])[column.codes]
    return column.values[column.codes]


def _refuse_missing(where: Where, column: Raw, missing: list[bool], hint: str = "") -> None:
    if any(missing):
        raise ValueError(f"{where.missing(np.array(missing)[column.codes])}{hint}")


def _first(where: Where, column: Raw, marked: list[bool]) -> tuple[str, str]:
    """Text and row of the first entry whose text is marked."""
    assert column.codes is not None
    row = int(np.argmax(np.array(marked)[column.codes]))
    return column.values[column.codes[row]], where.row(row)


def _place(where: Where, column: Raw, text: int) -> str:
    return where.row(int(np.argmax(column.codes == text)))
