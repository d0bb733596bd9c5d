"""What the question tests say: each expectation carries its reason, in a sentence for whoever wrote
the answer.

A plain `assert` shows values and no reason. These show both, and name the classic mistake where the
values give it away. Everything they raise is an AssertionError.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

SHOWN = 6  # entries of a long array that are shown


class Unmet(AssertionError):
    """An expectation that does not hold.

    Attributes:
        why: one sentence: what ought to be so, and the reason.
        yours, expected: short texts of the two values; empty where there is nothing to compare.
        mistake: the sentence of the classic mistake that gives just these values, or None.
    """

    def __init__(
        self, why: str, yours: str = "", expected: str = "", mistake: str | None = None
    ) -> None:
        self.why, self.yours, self.expected, self.mistake = why, yours, expected, mistake
        values = [f"yours {yours}, expected {expected}"] if expected else [yours] if yours else []
        super().__init__("\n".join([why, *values, *([mistake] if mistake else [])]))


def equal(
    yours: Any,
    expected: Any,
    why: str,
    *,
    abs: float = 1e-12,
    rel: float = 1e-6,
    mistakes: Mapping[str, Any] | None = None,
) -> None:
    """`yours` has the shape of `expected`, and its values: numbers within `abs` or `rel` (of the
    expected ones), whichever allows more; NaN equals NaN; everything else exactly.

    Args:
        why: one sentence: what ought to be so, and the reason.
        mistakes: sentence -> the value that a classic mistake gives. The first that `yours` equals
            is named.

    >>> equal([1.0, 2.5], [1.0, 2.0], "a vote is a mean", mistakes={"the votes were never divided": [1.0, 2.5]})
    Traceback (most recent call last):
        ...
    keras_recs.practice.expect.Unmet: a vote is a mean
    yours [1, 2.5], expected [1, 2]; they differ first at [1]: 2.5, expected 2
    the votes were never divided
    """
    mine, wanted = _plain(yours), _plain(expected)
    if yours is None and expected is not None:
        raise Unmet(why, "None", short(wanted), "nothing came back: is there a return?")
    if mine.shape != wanted.shape:
        named = _named(mine, mistakes, abs, rel)
        if mine.ndim == wanted.ndim == 1:  # lists of different lengths: what is in them says more
            raise Unmet(why, short(mine), short(wanted), named)
        named = named or _shape_mistake(mine.shape, wanted.shape)
        raise Unmet(why, f"has shape {mine.shape}", f"{wanted.shape}", named)
    apart = ~_close(mine, wanted, abs, rel)
    if not apart.any():
        return
    text = short(wanted)
    if mine.ndim:
        place = tuple(int(i) for i in np.argwhere(apart)[0])
        text += f"; they differ first at {list(place)}: {short(mine[place])}, expected {short(wanted[place])}"
    raise Unmet(why, short(mine), text, _named(mine, mistakes, abs, rel))


def true(condition: Any, why: str, **seen: Any) -> None:
    """`condition` holds (all of it, for an array).

    Args:
        why: one sentence: what ought to be so, and the reason.
        seen: values that explain it, by name, shown where it does not hold.

    >>> true(3 < 2, "the loss falls with every small step", first=2.0, last=3.0)
    Traceback (most recent call last):
        ...
    keras_recs.practice.expect.Unmet: the loss falls with every small step
    first 2, last 3
    """
    if not np.all(condition):
        raise Unmet(
            why,
            ", ".join(f"{name.replace('_', ' ')} {short(value)}" for name, value in seen.items()),
        )


@contextlib.contextmanager
def error(
    kind: type[BaseException] | tuple[type[BaseException], ...], match: str, why: str
) -> Iterator[None]:
    """What runs inside raises `kind`, with a message in which the pattern `match` is found.

    Args:
        why: one sentence: what ought to be refused, and the reason.
    """
    kinds = kind if isinstance(kind, tuple) else (kind,)
    wanted = f"{' or '.join(k.__name__ for k in kinds)} with {match!r}"
    try:
        yield
    except NotImplementedError:
        raise
    except kinds as raised:
        if not re.search(match, str(raised)):
            raise Unmet(why, f"says {str(raised)!r}", wanted) from raised
    else:
        raise Unmet(why, "raises nothing", wanted)


def short(value: Any) -> str:
    """`value` in one short line, whatever it is: no array longer than a few entries, no failing
    `repr`.

    >>> short(np.arange(100.0)), short(np.float32(0.25)), short("ann"), short(short)[:9]
    ('[0, 1, 2, … 97, 98, 99] of shape (100,)', '0.25', "'ann'", 'function ')
    """
    if callable(value) and hasattr(value, "__name__"):
        return f"{type(value).__name__} {value.__name__}"
    try:
        array = _plain(value)
        if array.dtype.kind in "biufcUS":
            return _short_array(array)
        text = repr(value)
    except Exception as failure:  # a reader's own class may raise anything in its repr
        text = f"{type(value).__name__} (its repr raises {type(failure).__name__})"
    text = " ".join(text.split())
    return text if len(text) <= 120 else text[:117] + "…"


def _short_array(array: np.ndarray) -> str:
    def one(x: Any) -> str:
        return f"{x:.6g}" if isinstance(x, float) else repr(x)

    if array.ndim == 0:
        return one(array.item())
    flat = [one(x) for x in array.ravel()[:SHOWN].tolist()]
    if array.size > SHOWN:
        half = SHOWN // 2
        flat = [
            *flat[:half],
            f"… {one(array.ravel()[-half].item())}",
            *map(one, array.ravel()[1 - half :].tolist()),
        ]
        return f"[{', '.join(flat)}] of shape {array.shape}"
    return f"[{', '.join(flat)}]" + (f" of shape {array.shape}" if array.ndim > 1 else "")


def _plain(value: Any) -> np.ndarray:
    """As an array: tensors, sparse matrices, sets (in order) and what NumPy takes."""
    if hasattr(value, "toarray"):
        value = value.toarray()
    if isinstance(value, (set, frozenset)):
        value = sorted(value)
    if isinstance(value, dict):
        value = list(value.items())
    try:
        return np.asarray(value)
    except ValueError:  # rows of different lengths
        array = np.empty(len(value), object)
        array[:] = value
        return array


def _close(mine: np.ndarray, wanted: np.ndarray, abs_: float, rel: float) -> np.ndarray:
    if mine.dtype.kind in "biuf" and wanted.dtype.kind in "biuf":
        mine, wanted = mine.astype(np.float64), wanted.astype(np.float64)
        with np.errstate(invalid="ignore"):
            near = np.abs(mine - wanted) <= np.maximum(abs_, rel * np.abs(wanted))
        return near | (mine == wanted) | (np.isnan(mine) & np.isnan(wanted))
    if mine.dtype.kind == "O" and wanted.dtype.kind in "biuf":  # objects, where numbers belong
        try:
            return _close(mine.astype(np.float64), wanted, abs_, rel)
        except (TypeError, ValueError):
            return np.zeros(wanted.shape, bool)
    return np.asarray(mine == wanted)


def _named(
    mine: np.ndarray, mistakes: Mapping[str, Any] | None, abs_: float, rel: float
) -> str | None:
    """The first sentence whose value `mine` equals."""
    for sentence, value in (mistakes or {}).items():
        wrong = _plain(value)
        if wrong.shape == mine.shape and _close(mine, wrong, abs_, rel).all():
            return sentence
    return None


def _shape_mistake(mine: tuple[int, ...], wanted: tuple[int, ...]) -> str | None:
    """What usually gives such a shape."""
    if len(wanted) == 1 and mine == wanted * 2:
        return "every entry met every other: pairs go side by side, (n,) with (n,), not as a table of n × n"
    if len(mine) == len(wanted) + 1 and mine[:-1] == wanted and mine[-1] == 1:
        return "a last axis of length 1 is left over: squeeze it, or index it away"
    if len(mine) == 2 and mine == wanted[::-1]:
        return "rows and columns have changed places"
    if len(mine) < len(wanted):
        return "an axis is gone: was a sum or mean taken over one axis too many?"
    return None
