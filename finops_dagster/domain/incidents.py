"""Anomalies that share a cause: what cost moved, when, where and by how much.

How they are found is the engine's business.
"""

from __future__ import annotations

from datetime import date
from enum import StrEnum

from pydantic import BaseModel, ConfigDict

from finops_dagster.domain.changes import By, Change
from finops_dagster.domain.decisions import Evidence
from finops_dagster.domain.ids import content_id
from finops_dagster.domain.money import Amount, Money, MoneyRange, Range


class Channel(StrEnum):
    """Which test an anomaly failed."""

    POINT = "point"
    """One day far from what its level, weekday and day of month make expected."""
    SLOW = "slow"
    """A week that has crept away from the weeks three to six before it."""
    PRICE = "price"
    """The unit price moved, whatever the quantity did."""
    MISSING = "missing"
    """Most of an account is absent: a delivery fault until shown otherwise."""
    NEW = "new"
    """A service that a team had never had."""
    MIX = "mix"
    """As much as before, on units of another price."""
    OFFSETTING = "offsetting"
    """Two moves of an account that hide each other in its total."""


class Severity(StrEnum):
    """How much an incident matters to its account: see DetectionConfig for the shares."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True)


class Effects(_Frozen):
    """Why cost moved, as amounts in the incident's currency that add up to its money exactly."""

    price: Amount
    """Dearer or cheaper units, at the quantity that was used."""
    quantity: Amount
    """More or fewer units, at the prices and the mix of before."""
    mix: Amount
    """Other units of the same measure, at the prices of before."""


class Part(_Frozen):
    """One leaf's share of an incident."""

    account: str
    service: str
    team: str
    money: Money
    """Cost beyond what was expected, since the incident began; negative for a fall."""
    since: date | None = None
    kind: Channel | None = None
    """Of its first anomaly."""


class Explained(_Frozen):
    """Why an incident was to be expected: each of its parts is of an event or a change."""

    by: tuple[By, ...]
    because: str
    """For people."""
    changes: tuple[Change, ...] = ()
    """What was changed on purpose, that the move is of."""


class Incident(_Frozen):
    """Anomalies of one account that share their cause, with the money of them."""

    kind: Channel
    """Of the part that weighs most."""
    resource: str
    """ACCOUNT/SERVICE/TEAM of that part."""
    owner: str
    since: date
    last_seen: date
    """Day of its newest anomaly."""
    ongoing: bool
    """Whether the cost is still away from what was expected."""
    currency: str
    money: Money
    """Cost beyond what was expected, from `since` to `as_of`, all parts together."""
    saving_per_month: MoneyRange
    """What a month of the present excess comes to; nothing where it is over."""
    cause: str
    """One sentence for a person."""
    dimensions: tuple[Part, ...]
    """Heaviest first."""
    confidence: float
    """One less the chance of so large a deviation on a normal day."""
    evidence: Evidence
    as_of: date
    field: str = ""
    current: str = ""
    proposed: str = ""
    carbon_kg_per_month: Range | None = None
    """Not known from cost alone."""
    risk: float = 0.0
    """Nothing is changed by an incident."""
    origin: str = ""
    """ACCOUNT/SERVICE/TEAM of its first anomaly: that never changes, while another may come to
    weigh more."""
    effects: Effects | None = None
    effects_unknown: str = ""
    """Why there are none."""
    gross_up: Money | None = None
    gross_down: Money | None = None
    """Parts that cost more, and parts that cost less: `money` is their sum."""
    severity: Severity = Severity.LOW
    share_of_month: float = 0.0
    """Of a month of the account's spend: the money since the onset and until the month is over."""
    by_month_end: Money | None = None
    """`money` and what is to come until the month of as_of is over, where it goes on."""
    what_to_do: str = ""
    """One sentence for a person."""
    explained: Explained | None = None
    """None: nobody has said that it would come."""

    @property
    def id(self) -> str:
        """The same incident keeps its id from day to day."""
        return content_id(
            "incident",
            {
                "resource": self.origin or self.resource,
                "since": self.since,
                "currency": self.currency,
            },
        )
