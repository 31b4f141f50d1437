"""The evidence window: its rows, cleaned, in order, and numbered by what they are of.

What a workload did in it is told elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd

from finops_dagster.domain.periods import day_start
from finops_dagster.engines.optimisation.grouped import highest, numbered

REHEARSAL_SHARE = 2 / 3
"""The rule is rehearsed on the first two thirds of the window and held against the last."""

NOT_WORKLOADS = frozenset({"Node", "PersistentVolumeClaim", "PersistentVolume", "Pod", "Job"})
"""Kinds measured that nobody sizes: machines, volumes and what another object makes."""

MEASURED = (
    "cpu_cores",
    "cpu_request_cores",
    "memory_working_set_bytes",
    "memory_request_bytes",
    "memory_limit_bytes",
    "memory_replica_max_bytes",
    "cpu_limit_cores",
    "cpu_periods_per_second",
    "cpu_throttled_periods_per_second",
    "restarts_per_second",
    "oom_kills_per_second",
    "replicas",
    "gpu_utilisation_percent",
    "gpu_power_watts",
    "network_receive_bytes_per_second",
    "volume_used_bytes",
    "volume_capacity_bytes",
)
"""Columns of numbers that are looked at."""
_HIGHEST = 1e18
"""Of any of them; what is published is held to it, too."""


@dataclass(frozen=True)
class Window:
    """Half-open [start, end) and its cleaned rows, sorted by resource, container, time."""

    start: datetime
    end: datetime
    rows: pd.DataFrame
    """Columns time, interval_seconds, resource, container, kind (text as categories), MEASURED;
    and the numbers of what a row is of, from 0: pair (resource and container), rising, and
    moment (resource and time)."""
    days: int
    clustered: dict[str, str]
    """Resources measured in several clusters, and which: one declared name, several workloads."""

    @property
    def split(self) -> pd.Timestamp:
        """Where the last third begins, which a rehearsal on the first two has not seen."""
        return pd.Timestamp(self.start) + (self.end - self.start) * REHEARSAL_SHARE


NO_ROWS = pd.DataFrame(
    {
        "time": pd.DatetimeIndex([], tz="UTC"),
        **{name: [] for name in ("interval_seconds", "resource", "container", "kind")},
    }
)
"""Measurements of an estate that has none."""


def evidence(
    measurements: pd.DataFrame, as_of: date, days: int, more: Sequence[str] = ()
) -> Window:
    """The last `days` days up to and including `as_of`, impossible numbers made missing.

    `measurements` has the columns of `fct_workload_measurements`; those not measured at all may
    be absent. Negative and infinite values cannot be use, so they count as not measured. `more`:
    numbers to keep beside MEASURED, and with them the cluster.
    """
    start = day_start(as_of - timedelta(days=days - 1))
    end = day_start(as_of + timedelta(days=1))
    time = pd.to_datetime(measurements["time"], utc=True).dt.as_unit("us")
    zero = pd.Timestamp(start).tz_convert(None).to_datetime64()
    since = (naive(time) - zero).astype("timedelta64[us]").astype(np.int64)
    span = (end - start) // timedelta(microseconds=1)
    inside = np.flatnonzero((since >= 0) & (since < span) & measurements["resource"].notna())
    resource, container = (_words(measurements[n], inside) for n in ("resource", "container"))
    clustered = _clustered(measurements, resource, inside)
    pair, _ = numbered(
        resource.codes.astype(np.int64) * len(container.categories) + container.codes
    )
    place = pair * span + since[inside]
    order = np.flatnonzero(~resource.isin(list(clustered)))
    if not np.all(np.diff(place[order]) > 0):
        order = order[np.argsort(place[order], kind="stable")]
        # of two rows of one time, the later one
        order = order[np.append(np.diff(place[order]) > 0, [True] * min(1, order.size))]
    taken = inside[order]
    pair = np.cumsum(np.diff(pair[order], prepend=pair[order][:1]) > 0)
    moment, moments = numbered(resource.codes[order] * np.int64(span) + since[taken])
    seconds = measurements["interval_seconds"].to_numpy(dtype=float, na_value=np.nan)[taken]
    rows: dict[str, Any] = {
        "time": time.iloc[taken].reset_index(drop=True),
        "interval_seconds": np.where((seconds > 0) & (seconds <= _HIGHEST), seconds, 0.0),
        "resource": resource[order].remove_unused_categories(),
        "container": container[order],
        "kind": _words(measurements["kind"], taken),
        "pair": pair,
        "moment": moment,
    }
    if more and "cluster" in measurements.columns:
        rows["cluster"] = _words(measurements["cluster"], taken)
    for column in (*MEASURED, *more):
        values = np.full(order.size, np.nan)
        if column in measurements.columns:
            values = measurements[column].to_numpy(dtype=float, na_value=np.nan)[taken]
            values[~((values >= 0) & (values <= _HIGHEST))] = np.nan
        rows[column] = values
    # replica counts belong to the workload: they are given to each of its containers' rows
    counts = highest(rows["replicas"], moment, len(moments))[moment]
    rows["replicas"] = np.where(counts > 0, counts, np.nan)
    return Window(start, end, pd.DataFrame(rows, copy=False), days, clustered)


def naive(time: pd.Series) -> np.ndarray:
    """UTC times without their zone, as numbers that NumPy compares."""
    return np.asarray(time.dt.tz_convert(None))


def _words(column: pd.Series, places: np.ndarray) -> pd.Categorical:
    """The words at some places, empty where there is none, as categories that rise."""
    found = pd.Categorical(column.iloc[places]).remove_unused_categories()
    if (found.codes < 0).any():
        found = found.add_categories([""]) if "" not in found.categories else found
        found = found.fillna("")
    return found.reorder_categories(sorted(found.categories))


def _clustered(
    measurements: pd.DataFrame, resource: pd.Categorical, inside: np.ndarray
) -> dict[str, str]:
    """Resources measured in several clusters, and these."""
    if "cluster" not in measurements.columns:
        return {}
    cluster, clusters = numbered(measurements["cluster"].iloc[inside])
    known = cluster >= 0
    _, pairs = numbered((resource.codes.astype(np.int64) * len(clusters) + cluster)[known])
    of: dict[str, list[str]] = {}
    for one in pairs.tolist():
        name = str(resource.categories[one // len(clusters)])
        of.setdefault(name, []).append(clusters[one % len(clusters)])
    return {name: ", ".join(several) for name, several in of.items() if len(several) > 1}
