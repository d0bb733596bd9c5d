"""What a behaviour is held against: small checks whose errors say how it is broken."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np

SHOWN = 200  # characters of a value


class Broken(AssertionError):
    """A behaviour does not hold; the message says how."""


def holds(condition: Any, how: str) -> None:
    """`condition`, or `how` it is broken.

    >>> holds(1 + 1 == 3, "one and one should be 3, got 2")
    Traceback (most recent call last):
    keras_recs.testing.expecting.Broken: one and one should be 3, got 2
    """
    if not condition:
        raise Broken(how)


def same(got: Any, expected: Any, what: str) -> None:
    """Arrays or values that are equal in everything: shape, and every entry.

    >>> same([1, 2], [1, 3], "the list")
    Traceback (most recent call last):
    keras_recs.testing.expecting.Broken: the list should be [1, 3], got [1, 2]
    """
    holds(np.array_equal(got, expected), _unlike(got, expected, what))


def close(got: Any, expected: Any, what: str, *, rel: float = 1e-4, abs: float = 1e-6) -> None:
    """Arrays that are equal but for rounding.

    >>> close([1.0, 2.0], [1.0, 2.0 + 1e-9], "the scores")
    """
    alike = np.shape(got) == np.shape(expected) and np.allclose(got, expected, rtol=rel, atol=abs)
    holds(alike, _unlike(got, expected, what))


def refuses(
    call: Callable[[], Any],
    error: type[Exception] | tuple[type[Exception], ...],
    words: str,
    what: str,
) -> None:
    """That `call` raises `error`, or one of them, with a message in which the pattern `words` is
    found.

    >>> refuses(lambda: int("x"), ValueError, "invalid literal", "int('x')")
    """
    names = " or ".join(e.__name__ for e in (error if isinstance(error, tuple) else (error,)))
    wanted = f"{what} should raise {names}: … {words} …"
    try:
        call()
    except error as seen:
        said = str(seen.args[0] if seen.args else seen)
        if re.search(words, said) is None:
            raise Broken(f"{wanted}; it said: {_short(said)}") from seen
    except Exception as seen:
        raise Broken(f"{wanted}; it raised {type(seen).__name__}: {_short(seen)}") from seen
    else:
        raise Broken(f"{wanted}; it raised nothing")


def _unlike(got: Any, expected: Any, what: str) -> str:
    if np.shape(got) != np.shape(expected):
        return f"{what} should have shape {np.shape(expected)}, got {np.shape(got)}"
    return f"{what} should be {_short(expected)}, got {_short(got)}"


def _short(value: Any) -> str:
    text = " ".join(str(value).split())
    return text if len(text) <= SHOWN else text[:SHOWN] + " …"
