"""Workloads of which nothing can be told: gone from what is measured, or never up for long.

A lone container that starves is judged with its size, not here.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import pandas as pd

from finops_dagster.engines.optimisation.ground import Ground
from finops_dagster.engines.optimisation.idle import Activity

GONE_DAYS = 3
"""Not measured for so long, it has ended: a weekend off is shorter."""
CRASHES_A_DAY = 3.0
"""Restarts a day of one replica. One that ends itself every night restarts less; one that the
kubelet holds back after crashes (ten seconds doubling to five minutes, Pod Lifecycle of the
Kubernetes documentation) restarts hundreds of times."""


def unfit(ground: Ground, used: Sequence[Activity]) -> dict[str, str]:
    """Why workloads of `used` are neither idle nor to be sized, by resource."""
    found = _crashing(ground)
    for use in used:
        last = use.times[-1]
        if pd.Timestamp(ground.window.end) - last > timedelta(days=GONE_DAYS):
            found[use.resource] = (
                f"not measured since {last:%Y-%m-%d}: stopped, renamed or no longer looked at"
            )
    return found


def _crashing(ground: Ground) -> dict[str, str]:
    rows = ground.window.rows
    rows = rows.loc[rows["restarts_per_second"] > 0]
    if rows.empty:
        return {}
    seconds = rows["interval_seconds"].astype(float)
    restarts = (rows["restarts_per_second"] * seconds / rows["replicas"].fillna(1.0)).groupby(
        [rows["resource"], rows["container"]], observed=True
    )
    most: pd.Series = restarts.sum().groupby(level=0, observed=True).max()
    return {
        str(resource): f"restarted {count:.0f} times a replica in {ground.window.days} days: "
        "what it uses between crashes is not what it needs"
        for resource, count in most.items()
        if count > CRASHES_A_DAY * ground.window.days
    }
