"""CPU of a day's containers sized by risk, learnt from the fleet's own window.

What a capacity risks is told by risk; which sizes become findings, by sizing.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

import numpy as np
import pandas as pd

from finops_dagster.domain.decisions import Abstained
from finops_dagster.engines.known import Floats
from finops_dagster.engines.optimisation.profiles import REHEARSAL_SHARE, Window
from finops_dagster.engines.optimisation.risk import (
    FleetModel,
    Sizing,
    Workload,
    learn_fleet,
    size_by_risk,
)

RISK_DAYS = 14
"""What `Finding.risk` looks ahead."""
Key = tuple[str, str]
"""(resource, container)."""


def cpu_by_risk(
    samples: pd.DataFrame, window: Window, declared: Mapping[Key, float], dials: Mapping[Key, float]
) -> tuple[dict[Key, Sizing], str]:
    """Sizes of one replica's CPU by (resource, container), in cores; and why there are none.

    `samples` of `per_replica`; `declared` cores and `dials` by container. Demand is counted in
    percent of what is declared, so that a small container's risk weighs as much as a large one's.
    The model is learnt from what the last third of the window showed of the first two, and asked
    about the newest two thirds: histories of one length.
    """
    length = window.end - window.start
    split = pd.Timestamp(window.start) + length * REHEARSAL_SHARE
    newest = pd.Timestamp(window.end) - length * REHEARSAL_SHARE
    series: dict[Key, pd.Series] = {}
    for (resource, container), group in samples.groupby(["resource", "container"], sort=True):
        key = str(resource), str(container)
        percent = _percent(group, declared.get(key, 0.0))
        if percent is not None:
            series[key] = percent
    keys = list(series)
    model: FleetModel | Abstained = learn_fleet(
        ["/".join(key) for key in keys],
        [_values(series[key], pd.Timestamp(window.start), split) for key in keys],
        [_values(series[key], split, pd.Timestamp(window.end)) for key in keys],
    )
    if isinstance(model, Abstained):
        return {}, model.reason
    asked = [
        Workload(
            name="/".join(key),
            demand=_values(series[key], newest, pd.Timestamp(window.end)),
            dial=dials[key],
            declared=100.0,
        )
        for key in keys
    ]
    horizons = timedelta(days=RISK_DAYS) / (length * (1 - REHEARSAL_SHARE))
    found = size_by_risk(model, asked, horizons)
    sizes = {key: one for key, one in zip(keys, found, strict=True) if isinstance(one, Sizing)}
    return sizes, ""


def _percent(group: pd.DataFrame, declared: float) -> pd.Series | None:
    """Demand in percent of what is declared on an even grid of its usual interval, or None."""
    seconds = float(group["interval_seconds"].median())
    if not (declared > 0 and seconds > 0) or group["cpu"].notna().sum() == 0:
        return None
    use = pd.Series(group["cpu"].to_numpy(dtype=float) * 100 / declared, index=group["time"])
    return use.resample(pd.Timedelta(seconds=seconds)).max()


def _values(series: pd.Series, first: pd.Timestamp, end: pd.Timestamp) -> Floats:
    """Of the grid from `first` to before `end`, as measured."""
    return np.asarray(series[(series.index >= first) & (series.index < end)], dtype=float)
