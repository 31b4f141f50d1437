"""What anomaly detection is told and what it answers with, as frozen types.

No arithmetic here.
"""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from finops_dagster.domain.decisions import Abstained
from finops_dagster.domain.incidents import Incident

ENGINE = "anomalies/2"


@dataclass(frozen=True)
class DetectionConfig:
    """Thresholds; the defaults were set on simulated companies of other seeds than are scored.

    Shares are of the account's expected daily spend in the currency.
    """

    lookback_days: int = 90
    """Days up to as_of whose anomalies are told; all days before are gone through too."""
    report_days: int = 30
    """Incidents whose last anomaly is older are left out."""
    min_history_days: int = 28
    """A leaf younger than this is not judged for points or creep."""
    month_history_days: int = 62
    """A younger leaf is judged by moves that hold, but not on single days or as a month turns: what
    a month brings is known when it was seen twice."""
    point_z: float = 8.0
    point_share: float = 0.02
    """Least impact, with z above point_z."""
    discovery_rate: float = 0.2
    """Benjamini-Hochberg over the day's leaves, Student t(4) tails."""
    discovery_share: float = 0.01
    discovery_z: float = 7.0
    """Least |z| of a discovery: among a handful of leaves the rate alone would pass |z| of 3, one
    day in five."""
    lasting_z: float = 4.5
    lasting_share: float = 0.005
    lasting_days: int = 3
    """A smaller move is told when it holds for so many days running."""
    slow_z: float = 6.0
    slow_share: float = 0.002
    slow_record: float = 1.2
    """Times the largest move of its last 120 days."""
    slow_days: int = 3
    slow_rest_days: int = 28
    """A creep that goes on is told again after so long."""
    new_share: float = 0.01
    price_change: float = 0.01
    price_share: float = 0.0025
    """Least cost of a meter whose price is judged."""
    price_days: int = 5
    """A new price is told when it has held so long: some days are re-rated later."""
    mix_z: float = 3.5
    mix_share: float = 0.005
    alike: float = 0.4
    """Two opposite moves offset each other when the smaller is this share of the larger."""
    merge_days: int = 7
    """Anomalies of one cause lie no further apart."""
    severity_medium: float = 0.01
    severity_high: float = 0.05
    """Least share of a month of the account's spend, of the money since the onset and until the
    month is over."""


@dataclass(frozen=True)
class DetectionResult:
    """Anomalies by leaf and day, incidents heaviest first by currency, and what was not judged."""

    anomalies: pd.DataFrame
    """account, service, team, currency, ds, kind, cost, expected, impact, score."""
    incidents: list[Incident]
    courses: pd.DataFrame
    """incident (id), account, service, team, currency, ds, cost, usual: of the leaves of each, from
    six weeks before it began to the newest day; usual is NaN before."""
    abstained: list[Abstained]
