"""Who is told of an incident and who is not, and what people answered.

Which incident is told is the engine's to say; what an answer changes, too.
"""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum

from pydantic import BaseModel, ConfigDict

from finops_dagster.domain.incidents import Severity

LeafKey = tuple[str, ...]
"""account, service, team, currency: what costs are watched by."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True)


class Opinion(StrEnum):
    """What a person says of an incident."""

    USEFUL = "useful"
    """Worth having been told: its costs are looked at a little more closely."""
    NOISE = "noise"
    """Not worth it: its costs are looked at a little less closely."""
    ACKNOWLEDGED = "acknowledged"
    """Known and in hand: it is not told again."""


class Answer(_Frozen):
    """A person's word on an incident, kept in the ledger."""

    incident: str
    """Id of it."""
    opinion: Opinion
    parts: tuple[LeafKey, ...]
    """Its parts: what a word on it is a word on."""
    until: date | None = None
    """Last day for which an acknowledgement holds; None is for as long as it lasts."""
    note: str = ""
    said_at: datetime


class Held(StrEnum):
    """Why an incident is not told today."""

    KNOWN_EVENT = "known_event"
    DECLARED = "declared"
    """Git or a commitment explains it."""
    ACKNOWLEDGED = "acknowledged"
    COOLING_OFF = "cooling_off"
    OVER = "over"
    BUDGET_SPENT = "budget_spent"


class Alert(_Frozen):
    """Whether an incident is told on a day, and why not."""

    incident: str
    owner: str
    parts: tuple[LeafKey, ...]
    """The heaviest first."""
    severity: Severity
    held: Held | None
    """None: it is told."""
    because: str
    """For people; empty where it is told."""
    as_of: date
