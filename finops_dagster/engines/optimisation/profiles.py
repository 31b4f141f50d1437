"""What each workload and container did in the evidence window, as one row of figures each.

Facts alone: which of them are waste is decided elsewhere.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from finops_dagster.engines.known import Floats
from finops_dagster.engines.optimisation.grouped import (
    bounds,
    highest,
    means,
    quantiles,
)
from finops_dagster.engines.optimisation.window import NOT_WORKLOADS, Window, naive

Key = tuple[str, str]
"""(resource, container)."""

QUANTILES = (0.5, 0.95, 0.99, 0.995, 1.0)


@dataclass(frozen=True)
class Samples:
    """What one replica of each container used, one row an interval measured."""

    keys: list[Key]
    """The containers, as they are declared."""
    measured: list[str]
    """What telemetry calls each."""
    rows: pd.DataFrame
    """of (place in `keys`, rising), time (rising within), interval_seconds, cpu (cores), memory
    (bytes), replicas, running_cpu and running_memory (what is requested), limit_cpu and
    limit_memory; and of the whole workload _SIGNS."""

    def late(self, window: Window) -> Samples:
        """Those of the last third of the window."""
        return replace(self, rows=self.rows.loc[self.rows["time"] >= window.split])

    def bounds(self) -> np.ndarray:
        """Where each container's rows begin, and the last one's end."""
        return bounds(self.rows["of"].to_numpy(), len(self.keys))


def per_replica(
    window: Window,
    declared: Mapping[str, Mapping[str, float]],
    wanted: Callable[[str], bool] = lambda _: True,
) -> Samples:
    """The rows of a window's `wanted` workloads, of one replica.

    `declared`: container -> cores that one replica declares (0: none), by resource. A lone
    measured container is the lone declared one: charts and operators name it as they please.
    Where no replica count is measured it is what is requested in all over what one replica
    declares. Rows without either are dropped. The mean over replicas hides a replica that works
    harder: the rules' headroom is for that.
    """
    rows = window.rows
    of = rows["pair"].to_numpy()
    count = int(of[-1]) + 1 if of.size else 0
    first = rows.iloc[bounds(of, count)[:-1]]
    resources = first["resource"].astype(str).tolist()
    measured = first["container"].astype(str).tolist()
    sized = ~first["kind"].isin(NOT_WORKLOADS).to_numpy()
    used = (rows["cpu_cores"].notna() | rows["memory_working_set_bytes"].notna()).to_numpy()
    any_use = np.bincount(of, used, minlength=count) > 0
    lone = Counter(name for name, use in zip(resources, any_use, strict=True) if use)
    keys, cores, taken = [], [], []
    for place, (resource, container) in enumerate(zip(resources, measured, strict=True)):
        own = declared.get(resource, {})
        name = next(iter(own)) if lone[resource] == 1 and len(own) == 1 else container
        keys.append((resource, name))
        cores.append(own.get(name, 0.0))
        taken.append(bool(any_use[place] and sized[place] and wanted(resource)))
    kept = used & np.array(taken, dtype=bool)[of]
    replicas = rows["replicas"].to_numpy()
    with np.errstate(invalid="ignore", divide="ignore"):
        derived = np.round(rows["cpu_request_cores"].to_numpy() / np.array(cores)[of])
    replicas = np.where(np.isnan(replicas) & (derived >= 1), derived, replicas)
    places = np.flatnonzero(kept & np.isfinite(replicas))
    kept_pairs = np.unique(of[places])
    replicas = replicas[places]
    columns: dict[str, object] = {
        "of": np.searchsorted(kept_pairs, of[places]),
        "time": rows["time"].iloc[places].reset_index(drop=True),
        "interval_seconds": rows["interval_seconds"].to_numpy()[places],
        "replicas": replicas,
    }
    for name, column in _OF_REPLICA.items():
        with np.errstate(over="ignore"):
            values = rows[column].to_numpy()[places] / replicas
        values[np.isinf(values)] = np.nan
        columns[name] = values
    for name in _SIGNS:
        columns[name] = rows[name].to_numpy()[places]
    return Samples(
        keys=[keys[pair] for pair in kept_pairs],
        measured=[measured[pair] for pair in kept_pairs],
        rows=pd.DataFrame(columns, copy=False),
    )


_OF_REPLICA = {
    "cpu": "cpu_cores",
    "memory": "memory_working_set_bytes",
    "running_cpu": "cpu_request_cores",
    "running_memory": "memory_request_bytes",
    "limit_cpu": "cpu_limit_cores",
    "limit_memory": "memory_limit_bytes",
}
_SIGNS = (
    "memory_replica_max_bytes",
    "cpu_periods_per_second",
    "cpu_throttled_periods_per_second",
    "oom_kills_per_second",
)
"""Of all replicas, or of the highest one: signs that use is not what was wanted."""


def container_profiles(samples: Samples, window: Window) -> pd.DataFrame:
    """One row per (resource, container) of `per_replica` samples.

    Columns: measured (the container's own name), samples, first, last, coverage (share of the
    window measured), replicas (mean), cpu_q<level> and early_cpu_q<level> for QUANTILES over the
    whole and the first two thirds, memory_max, memory_drift (last-third mean less first-third
    mean, or 0 if lower), memory_mean, the same early_, late_samples, late_hours, running_cpu and
    running_memory (the last request seen, of one replica), limit_cpu and limit_memory likewise.
    """
    rows, count = samples.rows, len(samples.keys)
    of, time = rows["of"].to_numpy(), naive(rows["time"])
    cpu, memory = rows["cpu"].to_numpy(), rows["memory"].to_numpy()
    start, end, split = (
        pd.Timestamp(one).tz_convert(None).to_datetime64()
        for one in (window.start, window.end, window.split)
    )
    ends = bounds(of, count)
    seconds = np.bincount(of, rows["interval_seconds"].to_numpy(dtype=float), minlength=count)
    out: dict[str, object] = {
        "samples": np.diff(ends),
        "first": rows["time"].iloc[ends[:-1]].to_numpy(),
        "last": rows["time"].iloc[ends[1:] - 1].to_numpy(),
        "coverage": np.minimum(seconds / (window.end - window.start).total_seconds(), 1.0),
        "replicas": means(rows["replicas"].to_numpy(), of, count),
        "measured": samples.measured,
        "cpu_samples": np.bincount(of, ~np.isnan(cpu), minlength=count).astype(int),
        "memory_samples": np.bincount(of, ~np.isnan(memory), minlength=count).astype(int),
        "memory_mean": means(memory, of, count),
        "running_cpu": _last(rows["running_cpu"].to_numpy(), of, count),
        "running_memory": _last(rows["running_memory"].to_numpy(), of, count),
        "limit_cpu": _last(rows["limit_cpu"].to_numpy(), of, count),
        "limit_memory": _last(rows["limit_memory"].to_numpy(), of, count),
    }
    early = time < split
    for prefix, part, until in (("", slice(None), end), ("early_", early, split)):
        own, when, used = of[part], time[part], memory[part]
        found = quantiles(cpu[part], own, count, QUANTILES)
        out |= {f"{prefix}cpu_q{level:g}": found[:, i] for i, level in enumerate(QUANTILES)}
        width = (until - start) / 3
        first, last = (
            means(used[one], own[one], count)
            for one in (when < start + width, when >= until - width)
        )
        out[f"{prefix}memory_max"] = highest(used, own, count)
        out[f"{prefix}memory_drift"] = np.nan_to_num(np.maximum(last - first, 0.0))
    late, hour = of[~early], time[~early].astype("datetime64[h]")
    begun = np.append(True, (np.diff(late) != 0) | (np.diff(hour) != np.timedelta64(0)))[
        : late.size
    ]
    out["late_samples"] = np.bincount(late, minlength=count)
    out["late_hours"] = np.bincount(late, begun, minlength=count)
    index = pd.MultiIndex.from_tuples(samples.keys, names=["resource", "container"])
    return pd.DataFrame(out, index=index)


def _last(values: Floats, of: np.ndarray, count: int) -> Floats:
    """The last known value of each group of rising numbers."""
    known = np.flatnonzero(~np.isnan(values))
    out = np.full(count, np.nan)
    out[of[known]] = values[known]
    return out


def replicas_by_day(samples: Samples, window: Window) -> dict[Key, pd.Series]:
    """Mean replicas by day (naive UTC midnights) of each (resource, container)."""
    start = pd.Timestamp(window.start).tz_convert(None).to_datetime64()
    day = (naive(samples.rows["time"]) - start) // np.timedelta64(1, "D")
    count = len(samples.keys) * window.days
    values = means(
        samples.rows["replicas"].to_numpy(),
        samples.rows["of"].to_numpy() * window.days + day,
        count,
    )
    by_day = values.reshape(-1, window.days)
    days = pd.date_range(start, periods=window.days, freq="D", name="day")
    return {
        key: pd.Series(one, index=days, name="replicas").dropna()
        for key, one in zip(samples.keys, by_day, strict=True)
    }


def breach_shares(samples: Samples, limits: pd.DataFrame) -> pd.DataFrame:
    """Share of samples above `limits`, as columns cpu and memory.

    `limits` has index (resource, container) and columns cpu, memory in per-replica cores and
    bytes. NaN where nothing was measured or nothing is asked.
    """
    of, count = samples.rows["of"].to_numpy(), len(samples.keys)
    index = pd.MultiIndex.from_tuples(samples.keys, names=["resource", "container"])
    shares = {}
    for column in ("cpu", "memory"):
        values = samples.rows[column].to_numpy()
        bound = limits[column].reindex(index).to_numpy(dtype=float)[of]
        above = np.where(np.isnan(values) | np.isnan(bound), np.nan, values > bound)
        shares[column] = means(above, of, count)
    return pd.DataFrame(shares, index=index)


def wilson_upper(share: float, n: float, z: float = 1.959964) -> float:
    """Upper end of the Wilson score interval of a share of `n` trials (Wilson 1927), 95 %."""
    if n <= 0:
        return 1.0
    centre = share + z * z / (2 * n)
    half = z * float(np.sqrt(share * (1 - share) / n + z * z / (4 * n * n)))
    return min(1.0, (centre + half) / (1 + z * z / n))
