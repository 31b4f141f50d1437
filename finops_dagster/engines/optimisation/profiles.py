"""What each workload and container did in the evidence window, as one row of figures each.

Facts alone: which of them are waste is decided elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta

import numpy as np
import pandas as pd

from finops_dagster.domain.periods import day_start

QUANTILES = (0.5, 0.95, 0.99, 0.995, 1.0)
REHEARSAL_SHARE = 2 / 3
"""The rule is rehearsed on the first two thirds of the window and held against the last."""

NOT_WORKLOADS = frozenset({"Node", "PersistentVolumeClaim", "PersistentVolume", "Pod", "Job"})
"""Kinds measured that nobody sizes: machines, volumes and what another object makes."""

_NUMBERS = (
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
_HIGHEST = 1e18
"""Of any of them; what is published is held to it, too."""


@dataclass(frozen=True)
class Window:
    """Half-open [start, end) and its cleaned rows, sorted by resource, container, time."""

    start: datetime
    end: datetime
    rows: pd.DataFrame
    days: int
    clustered: dict[str, str]
    """Resources measured in several clusters, and which: one declared name, several workloads."""


def evidence(measurements: pd.DataFrame, as_of: date, days: int) -> Window:
    """The last `days` days up to and including `as_of`, impossible numbers made missing.

    `measurements` has the columns of `fct_workload_measurements`; those not measured at all may
    be absent. Negative and infinite values cannot be use, so they count as not measured.
    """
    start = day_start(as_of - timedelta(days=days - 1))
    end = day_start(as_of + timedelta(days=1))
    time = pd.to_datetime(measurements["time"], utc=True)
    inside = (time >= pd.Timestamp(start)) & (time < pd.Timestamp(end))
    rows = measurements.loc[inside].assign(time=time.loc[inside])
    for column in _NUMBERS:
        if column not in rows.columns:
            rows[column] = np.nan
        values = rows[column].to_numpy(dtype=float, na_value=np.nan)
        rows[column] = np.where((values >= 0) & (values <= _HIGHEST), values, np.nan)
    seconds = rows["interval_seconds"].to_numpy(dtype=float, na_value=np.nan)
    rows["interval_seconds"] = np.where((seconds > 0) & (seconds <= _HIGHEST), seconds, 0.0)
    rows["container"] = rows["container"].fillna("").astype(str)
    clustered: dict[str, str] = {}
    if "cluster" in rows.columns:
        pairs = rows[["resource", "cluster"]].drop_duplicates().dropna().sort_values("cluster")
        names = pairs.groupby("resource")["cluster"].agg(["nunique", ", ".join])
        several = names.loc[names["nunique"] > 1, "join"]
        clustered = {str(r): str(c) for r, c in several.items()}
        rows = rows.loc[~rows["resource"].isin(clustered)]
    rows = rows.drop_duplicates(["resource", "container", "time"], keep="last")
    rows = rows.sort_values(["resource", "container", "time"], kind="stable", ignore_index=True)
    return Window(start=start, end=end, rows=_with_replicas(rows), days=days, clustered=clustered)


def _with_replicas(rows: pd.DataFrame) -> pd.DataFrame:
    """Replica counts belong to the workload: give them to each of its containers' rows."""
    counts = rows.groupby(["resource", "time"], sort=False)["replicas"].transform("max")
    return rows.assign(replicas=counts.where(counts > 0))


def per_replica(rows: pd.DataFrame, declared_cores: pd.Series) -> pd.DataFrame:
    """Container rows of a window with one replica's `cpu` (cores) and `memory` (bytes).

    Where no replica count is measured it is what is requested in all over what one replica
    declares (`declared_cores`, index (resource, container)). Rows without either are dropped.
    The mean over replicas hides a replica that works harder: the rules' headroom is for that.
    """
    rows = rows.loc[
        (rows["cpu_cores"].notna() | rows["memory_working_set_bytes"].notna())
        & ~rows["kind"].isin(NOT_WORKLOADS)
    ]
    keys = pd.MultiIndex.from_arrays([rows["resource"], rows["container"]])
    declared = declared_cores.reindex(keys).to_numpy(dtype=float)
    requested = rows["cpu_request_cores"].to_numpy(dtype=float)
    with np.errstate(invalid="ignore", divide="ignore"):
        derived = np.round(requested / declared)
    replicas = rows["replicas"].to_numpy(dtype=float)
    replicas = np.where(np.isnan(replicas) & (derived >= 1), derived, replicas)
    out = rows.assign(
        replicas=replicas,
        cpu=rows["cpu_cores"].to_numpy(dtype=float) / replicas,
        memory=rows["memory_working_set_bytes"].to_numpy(dtype=float) / replicas,
        limit_cpu=rows["cpu_limit_cores"].to_numpy(dtype=float) / replicas,
        limit_memory=rows["memory_limit_bytes"].to_numpy(dtype=float) / replicas,
    )
    known: pd.DataFrame = out.loc[~np.isnan(replicas)]
    return known


def container_profiles(samples: pd.DataFrame, window: Window) -> pd.DataFrame:
    """One row per (resource, container) of `per_replica` samples.

    Columns: measured (the container's own name), samples, first, last, coverage (share of the
    window measured), replicas (mean), cpu_q<level> and early_cpu_q<level> for QUANTILES over the
    whole and the first two thirds, memory_max, memory_drift (last-third mean less first-third
    mean, or 0 if lower), memory_mean, the same early_, late_samples, late_hours, running_cpu and
    running_memory (the last request seen, of one replica), limit_cpu and limit_memory likewise.
    """
    keys = ["resource", "container"]
    split = pd.Timestamp(window.start) + (window.end - window.start) * REHEARSAL_SHARE
    third = (window.end - window.start) / 3
    samples = samples.assign(
        early=samples["time"] < split,
        running_cpu=samples["cpu_request_cores"] / samples["replicas"],
        running_memory=samples["memory_request_bytes"] / samples["replicas"],
    )
    grouped = samples.groupby(keys, sort=True)
    base = grouped.agg(
        samples=("time", "size"),
        first=("time", "min"),
        last=("time", "max"),
        seconds=("interval_seconds", "sum"),
        replicas=("replicas", "mean"),
        measured=("measured", "first"),
        cpu_mean=("cpu", "mean"),
        cpu_samples=("cpu", "count"),
        memory_samples=("memory", "count"),
        memory_mean=("memory", "mean"),
        running_cpu=("running_cpu", "last"),
        running_memory=("running_memory", "last"),
        limit_cpu=("limit_cpu", "last"),
        limit_memory=("limit_memory", "last"),
    )
    base["coverage"] = (
        base["seconds"].astype(float) / (window.end - window.start).total_seconds()
    ).clip(upper=1.0)
    parts = [base]
    for prefix, part in (("", samples), ("early_", samples.loc[samples["early"]])):
        quantiles = part.groupby(keys)["cpu"].quantile(np.array(QUANTILES)).unstack()
        quantiles.columns = pd.Index([f"{prefix}cpu_q{level:g}" for level in QUANTILES])
        parts.append(quantiles)
        start, end = (
            (pd.Timestamp(window.start), pd.Timestamp(window.end))
            if not prefix
            else (pd.Timestamp(window.start), split)
        )
        width = third if not prefix else (split - start) / 3
        first = part.loc[part["time"] < start + width].groupby(keys)["memory"].mean()
        last = part.loc[part["time"] >= end - width].groupby(keys)["memory"].mean()
        memory = part.groupby(keys)["memory"].max().to_frame(f"{prefix}memory_max")
        memory[f"{prefix}memory_drift"] = (last - first).clip(lower=0).fillna(0.0)
        parts.append(memory)
    late = samples.loc[~samples["early"]]
    hours = late.assign(hour=late["time"].dt.floor("h")).groupby(keys)
    parts.append(hours.agg(late_samples=("time", "size"), late_hours=("hour", "nunique")))
    return pd.concat(parts, axis=1)


def replicas_by_day(samples: pd.DataFrame) -> dict[tuple[str, str], pd.Series]:
    """Mean replicas by day (naive UTC midnights) of each (resource, container)."""
    day = samples["time"].dt.floor("D").dt.tz_localize(None).rename("day")
    means = samples.groupby(["resource", "container", day])["replicas"].mean().reset_index()
    return {
        (str(resource), str(container)): group.set_index("day")["replicas"]
        for (resource, container), group in means.groupby(["resource", "container"])
    }


def late_part(samples: pd.DataFrame, window: Window) -> pd.DataFrame:
    """The samples of the last third of the window, which the rehearsal has not seen."""
    split = pd.Timestamp(window.start) + (window.end - window.start) * REHEARSAL_SHARE
    return samples.loc[samples["time"] >= split]


def breach_shares(samples: pd.DataFrame, limits: pd.DataFrame) -> pd.DataFrame:
    """Share of samples above `limits`, as columns cpu and memory.

    `limits` has index (resource, container) and columns cpu, memory in per-replica cores and
    bytes. NaN where nothing was measured or nothing is asked.
    """
    keys = pd.MultiIndex.from_arrays([samples["resource"], samples["container"]])
    above = pd.DataFrame({"resource": samples["resource"], "container": samples["container"]})
    for column in ("cpu", "memory"):
        values = samples[column].to_numpy(dtype=float)
        bound = limits[column].reindex(keys).to_numpy(dtype=float)
        unknown = np.isnan(values) | np.isnan(bound)
        above[column] = np.where(unknown, np.nan, (values > bound).astype(float))
    return above.groupby(["resource", "container"])[["cpu", "memory"]].mean()


def wilson_upper(share: float, n: float, z: float = 1.959964) -> float:
    """Upper end of the Wilson score interval of a share of `n` trials (Wilson 1927), 95 %."""
    if n <= 0:
        return 1.0
    centre = share + z * z / (2 * n)
    half = z * float(np.sqrt(share * (1 - share) / n + z * z / (4 * n * n)))
    return min(1.0, (centre + half) / (1 + z * z / n))
