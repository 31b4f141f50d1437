"""What an MLflow source is told: how far it looks, how it asks and by what it is let in.

Where these come from is the business of the settings.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Credentials:
    """By what a server lets us in; empty where it is open. Values never show in a `repr`."""

    token: str | None = field(default=None, repr=False)
    """Sent as `Authorization: Bearer`."""
    username: str | None = None
    password: str | None = field(default=None, repr=False)


@dataclass(frozen=True)
class MlflowOptions:
    """Bounds of what is read."""

    reach_days: int = 45
    """Days before today whose runs are asked for."""
    open_days: int = 14
    """A run without an end counts as running for this many days from its start, no longer: MLflow
    leaves runs of killed processes open for ever."""
    page_size: int = 1000
    """Runs in an answer; servers allow 50,000."""
    most_pages: int = 100_000
    timeout_seconds: float = 60
    attempts: int = 6
