"""What the reader graded, and when each thing is due again, in `practice/ask.json`.

The dates come from the library `fsrs` (Free Spaced Repetition Scheduler). A question and each
follow-up is one card of it. A follow-up is known by its English words, so that grades stay with it
in either language and wherever it moves."""

from __future__ import annotations

import hashlib
import json
import os
import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from filelock import FileLock
from fsrs import Card, Rating, Scheduler

from keras_recs.interview.texts import LEVELS, interview
from keras_recs.questions import Question
from keras_recs.utils.places import GRADES

FILE = GRADES
RATINGS = dict(zip(LEVELS, (Rating.Again, Rating.Hard, Rating.Good, Rating.Easy), strict=True))
_SCHEDULER = Scheduler(enable_fuzzing=False)  # the same grades give the same dates


@dataclass
class Graded:
    """A card that was graded at least once.

    Attributes:
        card: its state in fsrs, with the date on which it is due.
        level: the last grade.
        reviews: how often it was graded.
        seconds: how long the last answer took.
    """

    card: Card
    level: str
    reviews: int
    seconds: float

    def as_dict(self) -> dict[str, Any]:
        return {
            "level": self.level,
            "reviews": self.reviews,
            "seconds": round(self.seconds, 1),
            "card": self.card.to_dict(),
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Graded:
        if values["level"] not in LEVELS:
            raise ValueError(f"no level is called {values['level']!r}")
        card = Card.from_dict(values["card"])
        if card.due.tzinfo is None:
            raise ValueError("a date without its time zone")
        return cls(card, values["level"], int(values["reviews"]), float(values["seconds"]))


def keys(q: Question) -> list[str]:
    """The keys of a question and its follow-ups, in the order in which they are asked."""
    follow_ups = (
        re.sub(r"\W+", "", follow_up.question).lower()
        for follow_up in interview(q, "en").follow_ups
    )
    return [
        q.stem[:3],
        *(f"{q.stem[:3]}-{hashlib.sha256(words.encode()).hexdigest()[:8]}" for words in follow_ups),
    ]


class Memory:
    """The grades in one file. `aside` is where a file went that could not be read, else None.

    >>> import tempfile
    >>> from datetime import UTC, datetime
    >>> now = datetime(2026, 1, 1, tzinfo=UTC)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     memory = Memory(Path(folder) / FILE)
    ...     bad, good = memory.grade("q05", "fails", now), memory.grade("q07", "strong", now)
    ...     Memory(memory.file).first_due(["q05", "q07"])[1] == bad < good
    True
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        self.aside: Path | None = None
        self.graded: dict[str, Graded] = {}
        self._read()

    def grade(self, key: str, level: str, now: datetime, seconds: float = 0.0) -> datetime:
        """Keep a grade (fails, weak, fair, strong) at once, and say when the card is due again.

        Raises:
            OSError: the file could not be written.
        """
        self.file.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(self.file.with_name(f".{self.file.name}.lock"), timeout=10):
            self._read()  # another session may have graded meanwhile
            before = self.graded.get(key)
            card, _ = _SCHEDULER.review_card(
                before.card if before else Card(card_id=0), RATINGS[level], now
            )
            self.graded[key] = Graded(card, level, before.reviews + 1 if before else 1, seconds)
            self._write()
        return card.due

    def due(self, key: str) -> datetime | None:
        """When it is due; None where it was never graded."""
        return self.graded[key].card.due if key in self.graded else None

    def first_due(self, of: list[str]) -> tuple[str, datetime] | None:
        """The key among these that is due first, and when; None where none was ever graded."""
        dates = [(due, key) for key in of if (due := self.due(key))]
        return min(dates)[::-1] if dates else None

    def _read(self) -> None:
        try:
            text = self.file.read_text(encoding="utf-8")
        except FileNotFoundError:
            return
        except UnicodeDecodeError:
            text = ""
        try:
            self.graded = {
                key: Graded.from_dict(values) for key, values in json.loads(text)["cards"].items()
            }
        except (ValueError, KeyError, TypeError, AttributeError, OverflowError):
            self.aside = self._set_aside()

    def _set_aside(self) -> Path:
        """Rename a file that cannot be read to a name that is free."""
        number, aside = 1, self.file.with_name(f"{self.file.name}.damaged")
        while aside.exists():
            number += 1
            aside = self.file.with_name(f"{self.file.name}.damaged{number}")
        os.replace(self.file, aside)
        return aside

    def _write(self) -> None:
        values = {"cards": {key: graded.as_dict() for key, graded in sorted(self.graded.items())}}
        part = self.file.with_name(f".{self.file.name}.part")
        part.write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")
        os.replace(part, self.file)
