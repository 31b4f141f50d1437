"""What anomaly detection is told and what it answers with, as frozen types.

No arithmetic here.
"""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from finops_dagster.domain.decisions import Abstained
from finops_dagster.domain.incidents import Incident

ENGINE = "anomalies/1"


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


@dataclass(frozen=True)
class DetectionResult:
    """Anomalies by leaf and day, incidents heaviest first by currency, and what was not judged."""

    anomalies: pd.DataFrame
    """account, service, team, currency, ds, kind, cost, expected, impact, score."""
    incidents: list[Incident]
    abstained: list[Abstained]
