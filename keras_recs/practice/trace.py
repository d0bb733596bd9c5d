"""Which hearts a test calls: an answer in which each heart says its name first."""

from __future__ import annotations

from keras_recs.practice.stubs import Text, marked, unmarked

#: The hearts called so far, in this process.
CALLED: list[str] = []


def called(name: str) -> None:
    """A heart was called."""
    CALLED.append(name)


def traced(source: str) -> str:
    """`source` in which the body of each marked function starts with a call that records its
    qualified name.

    >>> print(traced('@heart("Add.")\\ndef f(a, b):\\n    return a + b\\n'), end="")
    def f(a, b):
        __import__("keras_recs.practice.trace", fromlist=["called"]).called('f')
        return a + b
    """
    text = Text(source)
    for name, node in marked(source).items():
        first = node.body[0]
        line = f'__import__("keras_recs.practice.trace", fromlist=["called"]).called({name!r})'
        decorators = [d.lineno for d in getattr(first, "decorator_list", [])]
        if decorators:
            place = text.offset(min(decorators), 0)
            text.replace(place, place, f"{' ' * first.col_offset}{line}\n")
        else:
            text.replace(text.start(first), text.start(first), f"{line}\n{' ' * first.col_offset}")
    return unmarked(text.result())
