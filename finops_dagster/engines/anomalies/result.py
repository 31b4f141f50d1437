"""What anomaly detection is told and what it answers with, as frozen types.

No arithmetic here.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import StrEnum

import pandas as pd
from pydantic import BaseModel, ConfigDict

from finops_dagster.domain.decisions import Abstained, Evidence
from finops_dagster.domain.ids import content_id
from finops_dagster.domain.money import Money, MoneyRange, Range

ENGINE = "anomalies/1"


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


@dataclass(frozen=True)
class DetectionConfig:
    """Thresholds; the defaults were set on simulated accounts of another seed."""

    lookback_days: int = 90
    """Days up to as_of that are judged, each from what came before it alone."""
    report_days: int = 30
    """Incidents whose last anomaly is older are left out."""
    min_history_days: int = 28
    """A leaf younger than this is not judged for points or creep."""
    point_z: float = 8.0
    point_share: float = 0.02
    """Least share of the account's daily spend, with z above point_z."""
    discovery_rate: float = 0.2
    """Benjamini-Hochberg over the day's leaves, Student t(4) tails."""
    discovery_share: float = 0.01
    discovery_z: float = 6.0
    """Least |z| of a discovery: among a handful of leaves the rate alone would pass |z| of 3, one
    day in five."""
    slow_z: float = 8.0
    slow_share: float = 0.05
    slow_days: int = 6
    slow_rest_days: int = 30
    new_share: float = 0.02
    price_change: float = 0.01
    merge_days: int = 7
    """Anomalies of one account no further apart are one incident."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True)


class Part(_Frozen):
    """One leaf's share of an incident."""

    account: str
    service: str
    team: str
    money: Money
    """Cost beyond what was expected, since the incident began; negative for a fall."""


class Incident(_Frozen):
    """Anomalies of one account that share their time, with the money of them."""

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

    @property
    def id(self) -> str:
        """The same incident keeps its id from day to day."""
        return content_id(
            "incident", {"resource": self.resource, "since": self.since, "currency": self.currency}
        )


@dataclass(frozen=True)
class DetectionResult:
    """Anomalies by leaf and day, incidents heaviest first by currency, and what was not judged."""

    anomalies: pd.DataFrame
    """account, service, team, currency, ds, kind, cost, expected, impact, score."""
    incidents: list[Incident]
    abstained: list[Abstained]
