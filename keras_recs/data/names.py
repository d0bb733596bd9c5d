"""Which column is the user, the item, the rating, the time: by its name, or by what people usually
call it."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any


class Default(str):
    """The name of a column that the caller has not asked for: another that means the same will
    do."""


class ColumnError(KeyError, ValueError):
    """A column that is not there, or of which there are several; the message names those that are
    there."""

    def __str__(self) -> str:
        return str(self.args[0])


#: What each role is called elsewhere, letters and digits only: first the plain names, then those
#: that only stand in.
_ALIASES: dict[str, tuple[str, str]] = {
    "user": (
        "user users userid userids uid usr useridx userindex usernumber userno",
        "username customer customerid reviewer reviewerid visitor visitorid member memberid account accountid "
        "client clientid person personid reader readerid viewer viewerid",
    ),
    "item": (
        "item items itemid itemids iid itemidx itemindex itemnumber itemno",
        "movie movies movieid film films filmid show showid video videoid anime animeid product productid "
        "productcode asin sku book bookid isbn song songid track trackid artist artistid album albumid podcast "
        "podcastid article articleid news newsid joke jokeid game gameid app appid business businessid "
        "restaurant restaurantid recipe recipeid course courseid place placeid venue venueid",
    ),
    "rating": (
        "rating ratings userrating ratingscore ratingvalue",
        "stars star starrating score scores overall",
    ),
    "timestamp": (
        "timestamp timestamps ts unixtimestamp unixtime epoch unixreviewtime ratingtimestamp",
        "time times datetime date dates ratedat createdat eventtime eventdate ratingtime ratingdate "
        "reviewtime reviewdate when",
    ),
}
ALIASES = {role: tuple(names.split() for names in tiers) for role, tiers in _ALIASES.items()}
OPTIONAL = ("rating", "timestamp")


def normal(name: Any) -> str:
    """A name without case, separators and RecBole's kind: "User ID", "user_id" and "userId:token"
    are one."""
    return re.sub(r"[\W_]", "", str(name).partition(":")[0].casefold())


def find_columns(
    names: Sequence[Any],
    asked: Mapping[str, str | None],
    used: Collection[Any] = (),
    source: str = "",
) -> dict[str, Any]:
    """Role -> column, for the roles that have one.

    Args:
        names: the columns that there are.
        asked: role -> the column's name; a `Default`, for which another name that means the same is
            taken when there is just one; or None, for a role that is not wanted.
        used: columns that are wanted for something else.
        source: what the columns are of, for messages.

    Raises:
        ColumnError: a column that was asked for is not there or there twice, users or items cannot
            be found, or several columns may be meant. A rating or a time that is called a little
            differently is never left out in silence.
    """
    found: dict[str, Any] = {}
    for role, name in asked.items():
        if name is not None and (name in names or not isinstance(name, Default)):
            found[role] = existing(names, role, name, source)
    taken = {*found.values(), *used}
    for role, name in asked.items():
        if name is None or role in found:
            continue
        free = [column for column in names if column not in taken]
        candidates = _candidates(role, free)
        if len(candidates) == 1:
            found[role] = existing(names, role, candidates[0], source)
            taken.add(candidates[0])
        elif candidates or role not in OPTIONAL:
            raise ColumnError(_unclear(role, candidates, names, source))
        elif alike := _alike(role, free):
            raise ColumnError(
                f"{source}is {alike!r} the {role}? Say {role}={alike!r} to take it, {role}=None to go "
                f"without; there are {_listed(names)}"
            )
    if len(set(map(str, found.values()))) < len(found):
        raise ColumnError(f"{source}one column is asked for twice: {found}")
    return found


def existing(names: Sequence[Any], argument: str, name: Any, source: str = "") -> Any:
    """`name`, when there is just one such column."""
    count = sum(1 for column in names if column == name)
    if count == 1:
        return name
    if count > 1:
        raise ColumnError(
            f"{source}{argument}={name!r} is there {count} times; there are {_listed(names)}"
        )
    near = [
        column for column in names if normal(column) == normal(name)
    ] or difflib.get_close_matches(str(name), list(map(str, names)), n=1, cutoff=0.6)
    if argument in ALIASES:
        near = near or _candidates(argument, names)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    raise ColumnError(
        f"{source}{argument}={str(name)!r} is not a column; there are {_listed(names)}{hint}"
    )


def _candidates(role: str, names: Sequence[Any]) -> list[Any]:
    for tier in ALIASES[role]:
        if fitting := [name for name in names if normal(name) in tier]:
            return fitting
    return []


def _alike(role: str, names: Sequence[Any], closeness: float = 0.8) -> Any:
    """A column whose name has the role, or what it is called elsewhere, among its words, or is a
    slip of the pen away from it: "review_score", "InvoiceDate", "watched_at", "raitng"."""
    meaning = {role, *ALIASES[role][0], *ALIASES[role][1], *(["at"] if role == "timestamp" else [])}
    for name in names:
        words = [word.casefold() for word in re.findall(r"[A-Z]*[a-z]+|[A-Z]+", str(name))]
        if (
            meaning.intersection(words)
            or difflib.SequenceMatcher(None, normal(name), role).ratio() >= closeness
        ):
            return name
    return None


def _unclear(role: str, candidates: Sequence[Any], names: Sequence[Any], source: str) -> str:
    if candidates:
        without = f", {role}=None to go without" if role in OPTIONAL else ""
        return (
            f"{source}the {role} may be {' or '.join(map(repr, candidates))}: say which, such as "
            f"{role}={candidates[0]!r}{without}"
        )
    near = _alike(role, names, 0.7)
    hint = (
        f"did you mean {role}={near!r}?"
        if near is not None
        else f"say {role}=… which of them it is"
    )
    return f"{source}{role}={role!r} is not a column; there are {_listed(names)}: {hint}"


def _listed(names: Sequence[Any]) -> str:
    shown = ", ".join(map(str, names[:20])) or "none"
    return shown + (f" and {len(names) - 20} more" if len(names) > 20 else "")
