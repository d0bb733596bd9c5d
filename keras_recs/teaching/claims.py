"""What a page claims, and what shows it: each claim against a control, or with its proof named."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from keras_recs.core.recommender import Recommender
from keras_recs.evaluation.comparison import Comparison, compare
from keras_recs.evaluation.results import Evaluation
from keras_recs.teaching.identity import changed

#: What a claim says of a split, and the verdict of `compare` that bears it out.
SIGNS = {">": "A is better", "<": "B is better", "=": "no clear difference"}
MARK = "keras_recs"  # metadata of an output: what the checks of the notebooks read


@dataclass(frozen=True)
class Claim:
    """One comparative or causal statement, and its evidence.

    Args:
        text: the claim, a sentence.
        a, b: what is compared, as `Bench.evaluation` takes it; they differ in one thing.
        metric: such as "ndcg@10".
        on: name of a split -> ">" (A is better), "<" (B is) or "=" (no clear difference).
        says: words of the 60-second answer or the rubric that this bears out, one or several, as
            they stand there.
        says_zh: the same in the Chinese text.
        shown: instead of `a` and `b`: what shows it, a test or the heading of a derivation.
        names: how A and B are called in the table; by default their class, and what differs from its
            defaults.

    Raises:
        ValueError: neither a comparison nor a proof, both, or an unknown sign.
    """

    text: str
    a: Any = None
    b: Any = None
    metric: str = "ndcg@10"
    on: Mapping[str, str] = field(default_factory=dict)
    says: str | tuple[str, ...] = ()
    says_zh: str | tuple[str, ...] = ()
    shown: str = ""
    names: tuple[str, str] | None = None

    def __post_init__(self) -> None:
        compares = self.a is not None and self.b is not None and bool(self.on)
        if compares == bool(self.shown):
            raise ValueError(
                f"the claim {self.text!r} needs a, b and on, or shown: a comparison or a proof"
            )
        for name, sign in self.on.items():
            if sign not in SIGNS:
                raise ValueError(f"on[{name!r}] must be one of {', '.join(SIGNS)}, got {sign!r}")

    @property
    def quotes(self) -> dict[str, tuple[str, ...]]:
        """The words that it bears out, by language."""
        return {"en": _several(self.says), "zh": _several(self.says_zh)}


@dataclass(frozen=True)
class Evidence:
    """A claim with what was found: a comparison for each split."""

    claim: Claim
    found: Mapping[str, Comparison]


def check_claim(claim: Claim, evaluation: Callable[[Any, str], Evaluation]) -> Evidence:
    """Compare A and B on every split that the claim names.

    Args:
        claim: to be checked.
        evaluation: gives what a model reaches on a split.

    Raises:
        AssertionError: the data say something else than the claim.
    """
    found = {}
    for name, sign in claim.on.items():
        a, b = evaluation(claim.a, name), evaluation(claim.b, name)
        found[name] = compare(a, b, claim.metric)
        if found[name].verdict != SIGNS[sign]:
            raise AssertionError(
                f"the claim {claim.text!r} says {SIGNS[sign]!r} on {name}, and the data say "
                f"{found[name].verdict!r}: {interval(found[name])}"
            )
    return Evidence(claim, found)


def interval(comparison: Comparison) -> str:
    """The difference A - B with its interval.

    >>> interval(Comparison(0.0123, -0.001, 0.03, 0.9, "no clear difference"))
    '+0.0123 [-0.0010, +0.0300]'
    """
    return f"{comparison.difference:+.4f} [{comparison.low:+.4f}, {comparison.high:+.4f}]"


class ClaimTable:
    """The table, as notebooks show it; its metadata carry the claims for the checks."""

    def __init__(self, rows: Sequence[Evidence]) -> None:
        self.rows = tuple(rows)

    def lines(self) -> list[tuple[str, str, str, str, str]]:
        """Claim, A against B, split, difference with interval, verdict: one line a comparison."""
        out = []
        for row in self.rows:
            if row.claim.shown:
                out.append((row.claim.text, "", "", "", row.claim.shown))
            for name, comparison in row.found.items():
                a, b = row.claim.names or (_name(row.claim.a), _name(row.claim.b))
                verdict = comparison.verdict
                if verdict != SIGNS["="]:
                    verdict = f"{a if verdict == SIGNS['>'] else b} is better"
                out.append((row.claim.text, f"{a} − {b}", name, interval(comparison), verdict))
        return out

    def metadata(self) -> dict[str, Any]:
        claims = [
            {
                "text": row.claim.text,
                "says": row.claim.quotes,
                "on": dict(row.claim.on),
                "shown": row.claim.shown,
            }
            for row in self.rows
        ]
        return {MARK: {"claims": claims}}

    def __repr__(self) -> str:
        return "\n".join("   ".join(part for part in line if part) for line in self.lines())

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> Any:
        head = "| what is claimed | compared | on | difference, 95 % interval | so |"
        rows = []
        last = None
        for text, pair, name, figures, verdict in self.lines():
            shown = "" if text == last else text
            rows.append(f"| {shown} | {pair} | {name} | {figures} | {verdict} |")
            last = text
        table = "\n".join([head, "|---|---|---|---|---|", *rows])
        return {"text/markdown": table, "text/plain": repr(self)}, self.metadata()


def _several(words: str | tuple[str, ...]) -> tuple[str, ...]:
    return (words,) if isinstance(words, str) and words else tuple(words)


def _name(model: Any) -> str:
    """Such as "EASE(recency=10.0)": what differs from the defaults; of several runs, not the seed."""
    if isinstance(model, str):
        return model
    if isinstance(model, list | tuple):
        names = list(dict.fromkeys(_name_without_seed(each) for each in model))
        return f"{', '.join(names)}, {len(model)} runs"
    return _called(model, ())


def _name_without_seed(model: Any) -> str:
    return model if isinstance(model, str) else _called(model, ("seed",))


def _called(model: Any, without: tuple[str, ...]) -> str:
    name = getattr(model, "__name__", type(model).__name__)
    if not isinstance(model, Recommender) or not dataclasses.is_dataclass(model):
        return name
    shown = {key: value for key, value in changed(model).items() if key not in without}
    settings = ", ".join(f"{key}={value!r}" for key, value in shown.items())
    return name + (f"({settings})" if shown else "")
