"""What the notebooks need besides the library: source shown as text, errors shown on purpose, lists
as tables."""

from __future__ import annotations

import contextlib
import inspect
import re
import textwrap
from collections.abc import Iterator
from typing import Any

from keras_recs.core.recommendations import Recommendations
from keras_recs.data.dataset import Dataset


def source(*objects: Any) -> Any:
    """The source of functions, methods or classes, from the library itself, as highlighted
    Markdown."""
    from IPython.display import Markdown

    # the mark of an exercise is of no interest here
    parts = [
        re.sub(
            r"^@heart\(.*\)\n", "", textwrap.dedent(inspect.getsource(thing)), flags=re.M
        ).rstrip()
        for thing in objects
    ]
    return Markdown("```python\n" + "\n\n\n".join(parts) + "\n```")


@contextlib.contextmanager
def goes_wrong(*, lines: int = 3, width: int = 110) -> Iterator[None]:
    """Run what must fail, and print its error in a few short lines. What does not fail is an error
    itself."""
    try:
        yield
    except Exception as error:
        message = " ".join(str(error).split())
        text = textwrap.shorten(
            f"{type(error).__name__}: {message}", width * lines, placeholder=" …"
        )
        print("\n".join(textwrap.wrap(text, width)))
    else:
        raise AssertionError("this was meant to go wrong, and did not")


def show_lists(lists: Recommendations, data: Dataset, *, scores: bool = True) -> None:
    """Print each list with titles."""
    for query, items in lists:
        print(f"{lists.kind} {query}")
        for rank, ((_, score), title) in enumerate(
            zip(items, data.titles([i for i, _ in items]), strict=True), 1
        ):
            print(f"  {rank:2d}  {score:5.2f}  {title}" if scores else f"  {rank:2d}  {title}")


def plot_style() -> None:
    """Small, quiet figures: what the notebooks draw with."""
    import matplotlib.pyplot as plt

    plt.rcParams.update(
        {
            "figure.figsize": (6.4, 3.2),
            "figure.dpi": 90,
            "savefig.dpi": 90,
            "figure.constrained_layout.use": True,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.grid": True,
            "grid.alpha": 0.25,
            "axes.titlesize": 11,
            "axes.titlelocation": "left",
            "legend.frameon": False,
            "font.size": 10,
        }
    )


def defect_table(number: int) -> Any:
    """What the published answer to a question gets wrong, as Markdown, from the list that the tests
    use.

    Folded, because it is the solution of the question's bug hunt: a click opens it.
    """
    from IPython.display import Markdown

    from keras_recs.practice.defects import defects
    from keras_recs.questions import question

    published = [d for d in defects(question(number)) if d.published]
    rows = [f"| {d.title} | {d.sees} | {d.fix} |" for d in published]
    said = (
        f"What the published answer gets wrong ({len(rows)}): open it when you have looked yourself"
    )
    head = f"<details>\n<summary>{said}</summary>\n"
    return Markdown(
        "\n".join(
            [
                head,
                "| defect | what one sees | what is right |",
                "|---|---|---|",
                *rows,
                "\n</details>",
            ]
        )
    )
