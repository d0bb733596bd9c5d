"""Why an item is recommended, in words, for the answers that explain themselves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from keras_recs.data import Dataset

SEVERAL = 3  # reasons that are said


def because(recommender: Any, user: Any, item: Any, data: Dataset) -> str | None:
    """What comes after "because"; None where the answer does not say, or nothing speaks for the
    item."""
    say = SAYS.get(type(recommender).__name__)
    return say(recommender.explain(user, item), data) if say else None


def _films(parts: list[tuple[Any, float]], data: Dataset) -> str | None:
    """From (item of the history, its part of the score), largest first."""
    spoke = [item for item, part in parts if part > 0][:SEVERAL]
    return f"you watched {_and(data.titles(spoke))}" if spoke else None


def _neighbours(parts: list[tuple[Any, float]], data: Dataset) -> str | None:
    """From (user who resembles the one asked, their part of the score), largest first."""
    if not parts:
        return None
    who = [str(user) for user, _ in parts[:SEVERAL]]
    more = f", and {len(parts) - SEVERAL} more like you," if len(parts) > SEVERAL else ""
    return f"{_users(who)}{more} watched it"


def _votes(votes: list[Any], data: Dataset) -> str | None:
    """From the votes of the users who are most alike, nearest first."""
    speaking = sorted((vote for vote in votes if vote.part > 0), key=lambda vote: -vote.part)[
        :SEVERAL
    ]
    who = [f"{vote.user} ({vote.rating:g})" for vote in speaking]
    return f"{_users(who)} rated it" if who else None


#: The answers that explain themselves: class -> how its explanation is said.
SAYS: dict[str, Callable[[Any, Dataset], str | None]] = {
    "ItemCF": _films,
    "EASE": _films,
    "UserCF": _neighbours,
    "UserKNN": _votes,
}


def _users(who: list[str]) -> str:
    return f"user{'s' if len(who) > 1 else ''} {_and(who)}"


def _and(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
