"""What each workload's GPUs did in the evidence window, one row a time.

Facts alone: which of them are waste is decided elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import pandas as pd

from finops_dagster.engines.optimisation.ground import Ground

_COLUMNS = {
    "gpu_utilisation_percent": "busy",
    "gpu_utilisation_device_p95_percent": "device_busy",
    "gpu_memory_used_mib": "memory",
    "gpu_memory_free_mib": "free",
    "gpu_memory_device_max_mib": "device_memory",
    "gpu_requests": "requested",
    "gpus_measured": "measured",
    "replicas": "replicas",
    "interval_seconds": "seconds",
}
GPU_COLUMNS = tuple(name for name in _COLUMNS if name.startswith("gpu"))
_SUMS = ("memory", "free", "requested", "measured")


@dataclass(frozen=True)
class GpuUse:
    """One workload's GPUs, one row a time (index `time`), NaN where not measured.

    Columns: busy (percent of one GPU, of the busiest where that is told, else the mean), memory and
    device_memory (MiB of all, of the fullest one), requested, measured, replicas, seconds.
    """

    resource: str
    cluster: str
    frame: pd.DataFrame
    coverage: float

    @property
    def days(self) -> float:
        """Days between first and last measurement."""
        times = pd.DatetimeIndex(self.frame.index)
        span: timedelta = times[-1] - times[0]
        return span / timedelta(days=1) + float(self.frame["seconds"].median()) / 86400

    @property
    def hours(self) -> int:
        """Hours with a measurement."""
        return int(pd.DatetimeIndex(self.frame.index).floor("h").nunique())

    def gpus(self) -> float:
        """GPUs that it has: requested, else measured; NaN where neither is known."""
        for column in ("requested", "measured"):
            values = self.frame[column].dropna()
            if len(values):
                return float(values.iloc[-1])
        return float("nan")

    def unmeasured(self) -> bool:
        """Whether some of its GPUs are not measured: what they do is not known."""
        known = self.frame[["requested", "measured"]].dropna()
        return bool(len(known) and (known["measured"] < np.ceil(known["requested"])).any())

    def memory_of_all(self) -> float:
        """Most MiB used of all its GPUs together at a time; NaN where not measured."""
        return float(self.frame["memory"].max())

    def memory_of_one(self) -> float:
        """Most MiB that any one GPU had in use; of one alone where that is told only of all."""
        fullest = float(self.frame["device_memory"].max())
        if np.isfinite(fullest):
            return fullest
        return self.memory_of_all() if self._devices() == 1 else float("nan")

    def capacity(self) -> float:
        """MiB of one GPU: what is used and free over how many there are; NaN where not known."""
        devices = self._devices()
        whole = (self.frame["memory"] + self.frame["free"]).dropna()
        return float(whole.median()) / devices if len(whole) and devices > 0 else float("nan")

    def _devices(self) -> float:
        values = self.frame["measured"].dropna()
        return float(values.iloc[-1]) if len(values) else self.gpus()


def gpu_uses(ground: Ground) -> list[GpuUse]:
    """The use of the GPUs of each workload that has any, over its containers.

    The ground's window was asked for GPU_COLUMNS.
    """
    rows = ground.window.rows.reindex(
        columns=["resource", "cluster", "time", *_COLUMNS], copy=True
    ).rename(columns=_COLUMNS)
    rows["resource"] = rows["resource"].astype(str)
    for column in _COLUMNS.values():
        values = rows[column].to_numpy(dtype=float, na_value=np.nan)
        rows[column] = np.where(np.isfinite(values) & (values >= 0), values, np.nan)
    having = rows.loc[rows["busy"].notna(), "resource"].unique()
    rows = rows.loc[rows["resource"].isin(having)]
    if rows.empty:
        return []
    groups = rows.groupby(["resource", "time"], sort=True)
    sums = groups[list(_SUMS)].sum(min_count=1)
    highest = groups[["busy", "device_busy", "device_memory", "replicas", "seconds"]].max()
    grouped = pd.concat([sums, highest], axis=1)
    grouped["busy"] = (
        grouped[["busy", "device_busy"]].max(axis=1, skipna=True).where(grouped["busy"].notna())
    )
    clusters = rows["cluster"].astype(str).where(rows["cluster"].notna(), "")
    named = clusters.loc[clusters != ""].groupby(rows["resource"]).last()
    length = (ground.window.end - ground.window.start).total_seconds()
    out = []
    for resource, frame in grouped.groupby(level=0):
        use = frame.droplevel(0)
        use = use.loc[use["busy"].notna()]
        coverage = min(1.0, float(use["seconds"].sum()) / length)
        out.append(GpuUse(str(resource), str(named.get(resource, "")), use, coverage))
    return out
