"""What happened before the evidence window, by day: peaks that two weeks do not show.

Sizes are set elsewhere; here is only what they must not fall below.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import pandas as pd

from finops_dagster.engines.optimisation.window import Window

LOOK_BACK_DAYS = 62
"""Two ends of a month lie in two months, whatever the day."""


@dataclass(frozen=True)
class Peak:
    """The highest day before the window, summed over replicas: cores (P95) or bytes (max)."""

    day: date
    amount: float


def older_peaks(daily: pd.DataFrame | None, window: Window) -> dict[tuple[str, str, str], Peak]:
    """Highest day by (resource, container, meter) in the two months before the window.

    `daily`: day, resource, container, cpu_cores_p95, memory_bytes_max as in
    `fct_workload_utilisation_daily`; None or no rows give no peaks.
    """
    if daily is None or daily.empty:
        return {}
    day = pd.to_datetime(daily["day"]).dt.date
    end = window.start.date()
    rows = daily.loc[(day < end) & (day >= end - timedelta(days=LOOK_BACK_DAYS))]
    peaks: dict[tuple[str, str, str], Peak] = {}
    for meter, column in (("cpu", "cpu_cores_p95"), ("memory", "memory_bytes_max")):
        for when, resource, container, value in zip(
            pd.to_datetime(rows["day"]).dt.date,
            rows["resource"],
            rows["container"],
            rows[column].to_numpy(dtype=float, na_value=np.nan),
            strict=True,
        ):
            key = (str(resource), str(container), meter)
            if np.isfinite(value) and (key not in peaks or value > peaks[key].amount):
                peaks[key] = Peak(when, float(value))
    return peaks


def busiest(peaks: Mapping[tuple[str, str, str], Peak]) -> dict[str, Peak]:
    """The highest CPU day of any container by resource."""
    found: dict[str, Peak] = {}
    for (resource, _, meter), peak in peaks.items():
        held = found.get(resource)
        if meter == "cpu" and (held is None or (peak.amount, peak.day) > (held.amount, held.day)):
            found[resource] = peak
    return found
