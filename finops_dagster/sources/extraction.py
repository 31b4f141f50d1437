"""Answers of an API kept as deliveries: asked for by zone and day, each kept as it came.

How a call is made is in `api_calls`, what an answer holds in the module of each API. A day that was
kept can be decided again without the API.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Protocol

from pydantic import Field

from finops_dagster.domain.errors import Fault, Unavailable
from finops_dagster.domain.ids import content_id
from finops_dagster.domain.periods import days
from finops_dagster.sources.kept import is_kept, keep
from finops_dagster.sources.options import Options
from finops_dagster.sources.places import Entry, LocalPlace

REVISITED_DAYS = 3
"""Estimates of these last days are asked for again: measurements come days later."""
REVISITED_AFTER = timedelta(hours=6)
"""A day is not asked for twice in a shorter time, however often something runs."""
MOST_QUESTIONS = 1_000
"""Of one run: 45 days of 22 zones. What was answered is kept, the next run goes on."""

_ASKED = ".asked"


class ZoneOptions(Options):
    """What all APIs of grid zones are told."""

    zones: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*( *, *[A-Za-z0-9][A-Za-z0-9_-]*)*$",
        description="zones: the zones to ask the API at `path` for, with commas between; without "
        "it `path` holds saved answers",
    )


class Asker(Protocol):
    """Asks one API."""

    def answer(self, zone: str, day: date) -> bytes | None:
        """The raw answer; None where there is nothing for that day yet.

        Raises Unavailable, SettingsError.
        """
        ...


@dataclass
class AnswerPlace(LocalPlace):
    """The folder of an API's kept answers; empty until it was first asked."""

    shown_as: str = ""

    @property
    def where(self) -> str:
        return self.shown_as

    def entries(self) -> dict[Path, Entry]:
        return super().entries() if self.path.exists() else {}


@dataclass
class Extraction:
    """Fills a folder with answers: `day=DATE/TIME_KNOWN/ZONE.json`, each time a delivery."""

    name: str
    """Of the source, to show."""
    folder: Path
    zones: tuple[str, ...]
    make_asker: Callable[[], Asker]
    """Called before the first question: nobody is asked for credentials without need."""
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    most_questions: int = MOST_QUESTIONS
    _asker: Asker | None = None
    _questions: int = 0
    _asked: set[date] = field(default_factory=set)

    def fill(self, first: date, last: date, known_at: datetime) -> None:
        """Ask for what is not kept of [first, last], and again for the last days.

        `known_at`: the time of the run that asks; what it is told is known from then. A day is
        kept when all of its zones have answered, and only if they said something new. Raises
        Unavailable, SettingsError; what was answered before stays.
        """
        for day in days(first, last):
            if day in self._asked or not self._due(day, known_at):
                continue
            place = self.folder / f"day={day.isoformat()}"
            place.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory() as scratch:
                told = {}
                for zone in self.zones:
                    if (body := self._answer(zone, day)) is not None:
                        file = told[f"{zone}.json"] = Path(scratch) / f"{zone}.json"
                        file.write_bytes(body)
                keep(place, told, known_at, known_at)
            (place / _ASKED).touch()
            self._asked.add(day)

    def _due(self, day: date, known_at: datetime) -> bool:
        place = self.folder / f"day={day.isoformat()}"
        try:
            asked = datetime.fromtimestamp((place / _ASKED).stat().st_mtime, UTC)
        except FileNotFoundError:
            return True
        if self.clock() - asked < REVISITED_AFTER:
            return False
        return not is_kept(place) or (known_at.date() - day).days <= REVISITED_DAYS

    def _answer(self, zone: str, day: date) -> bytes | None:
        if self._questions >= self.most_questions:
            message = f"{self.name} was asked {self._questions} questions, the most of one run."
            fault = Fault(
                code="api_questions",
                file=self.name,
                expected=f"At most {self.most_questions} questions in a run; more are left.",
                hint="Run again: what was answered is kept, and the run goes on from there.",
            )
            raise Unavailable(message, (fault,))
        if self._asker is None:
            self._asker = self.make_asker()
        self._questions += 1
        return self._asker.answer(zone, day)


def archive(root: Path, name: str, question: Mapping[str, str]) -> Path:
    """The folder of a source's answers: another question is another folder."""
    return root / name / content_id("question", dict(question))[:16]
