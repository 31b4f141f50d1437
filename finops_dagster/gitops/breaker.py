"""The circuit breaker: what stops a kind, a team or all, from what merged changes came to.

What is stopped is kept open or closed by reconcile; a person resets it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class Trip:
    """One scope in which automation stopped, until a person resets it."""

    scope: str
    """`all`, `kind:KIND`, `team:OWNER` or `value:CHANGE_KEY`."""
    at: datetime
    reason: str
    """One sentence with the numbers."""


@dataclass(frozen=True)
class Effect:
    """What came after one merged change, as measured; None where it cannot be told."""

    number: int
    """Of the pull request."""
    days_after: float
    oom_kills_before_per_day: float | None
    oom_kills_after_per_day: float | None
    cost_before_per_day: float | None
    cost_after_per_day: float | None
    currency: str
