"""The dashboard issue: what is not opened yet, and what people ticked there.

When anything is opened is reconcile's business.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from finops_dagster.domain.money import MoneyRange

TOPIC = "dashboard"


class Choice(StrEnum):
    """What a person may tick for a change that is not open."""

    OPEN = "open"
    SNOOZE = "snooze"
    REJECT = "reject"


@dataclass(frozen=True)
class Waits:
    """One change that is not open, and why."""

    key: str
    """The change_key."""
    fingerprint: str
    """Of its change set."""
    title: str
    owner: str
    saving_per_month: MoneyRange
    reason: str
    """Why it waits."""


@dataclass(frozen=True)
class Remembered:
    """What a person chose for a change, kept in the issue by its fingerprint."""

    key: str
    fingerprint: str
    choice: Choice
    at: datetime
    """By the clock of the run that read it first."""
    saving_mid: str
    """Expected saving a month when it was chosen, as text."""
    proposed: str
    """The value it would have set."""
