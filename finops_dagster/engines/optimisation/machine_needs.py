"""What measured machines need of a type, by the rule of their environment, in every dimension.

Which type they get, and what it costs, is decided elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import numpy as np
import pandas as pd

from finops_dagster.domain.periods import day_start
from finops_dagster.engines.optimisation.machine_types import MachineType
from finops_dagster.engines.optimisation.profiles import REHEARSAL_SHARE
from finops_dagster.engines.optimisation.quantities import GIB
from finops_dagster.engines.optimisation.rules import Rule

USE_COLUMNS = (
    "resource", "time", "interval_seconds", "cpu_cores", "cpu_percent", "memory_used_bytes",
    "memory_available_bytes", "network_bytes_per_second", "disk_bytes_per_second", "connections",
)  # fmt: skip
"""What machines did: `cpu_percent` is of all vCPUs and counts where `cpu_cores` is missing; memory
in use is, where it is missing, what is not available of its type's; network is the larger
direction's, disk the sum of both."""

DIMENSIONS = {
    "cpu": "vCPUs",
    "memory": "GiB of memory",
    "network": "Gbit/s",
    "disk": "MiB/s of disks",
    "connections": "connections",
}
"""What a type may be short of, and its unit."""
_MUST = ("cpu", "memory", "network", "disk")
"""Those in which a machine that was not measured must not lose anything."""

MIN_SAMPLES = 100
"""As KRR asks for: a P99.5 of fewer is their maximum and nothing else."""


@dataclass(frozen=True)
class MachineUse:
    """What one machine did in the evidence window."""

    samples: pd.DataFrame
    """time and one column for each of DIMENSIONS, in its unit; missing as NaN."""
    before: Mapping[str, float]
    """The most of each dimension in the rows before the window; empty without any."""
    start: datetime
    end: datetime
    coverage: float
    """Share of the window measured."""

    def known(self, dimension: str) -> bool:
        """Whether it was measured in half of its samples at least."""
        return bool(self.samples[dimension].notna().mean() >= 0.5)

    def quantile(self, dimension: str, level: float) -> float:
        """A quantile over the window."""
        return float(self.samples[dimension].quantile(level))

    def days(self) -> float:
        """From its first measurement to its last."""
        span = self.samples["time"].max() - self.samples["time"].min()
        return float(span / timedelta(days=1))

    def split(self) -> pd.Timestamp:
        """Where the part of the window begins that the rehearsal has not seen."""
        return pd.Timestamp(self.start + (self.end - self.start) * REHEARSAL_SHARE)

    def late(self) -> pd.DataFrame:
        """The samples that the rehearsal has not seen."""
        return self.samples.loc[self.samples["time"] >= self.split()]

    def late_hours(self) -> int:
        """In how many hours those were taken."""
        return int(self.late()["time"].dt.floor("h").nunique())

    def busiest_day(self) -> float:
        """The highest mean CPU of a day, in vCPUs."""
        days = self.samples["time"].dt.floor("D")
        return float(self.samples["cpu"].groupby(days).mean().max())

    def needs(self, rule: Rule, early: bool = False) -> dict[str, float]:
        """What the rule asks for in each dimension measured; `early` by the first part alone.

        CPU, network and disk: their quantile times the headroom. Memory: the peak and its upward
        drift, as of containers. Connections: the peak times the headroom of CPU.
        """
        end = self.split() if early else pd.Timestamp(self.end)
        rows = self.samples.loc[self.samples["time"] < end]
        found: dict[str, float] = {}
        for dimension in DIMENSIONS:
            values = rows[dimension]
            if not self.known(dimension) or values.notna().sum() == 0:
                continue
            if dimension == "memory":
                need = (values.max() + _drift(rows, dimension)) * rule.memory_headroom
            elif dimension == "connections":
                need = values.max() * rule.cpu_headroom
            else:
                need = values.quantile(rule.cpu_quantile) * rule.cpu_headroom
            found[dimension] = float(need)
        return found


def uses(
    frame: pd.DataFrame, kinds: Mapping[str, MachineType], as_of: date, days: int
) -> dict[str, MachineUse]:
    """Each machine's use in the last `days` days up to and including `as_of`.

    `frame`: USE_COLUMNS, of which those not measured may be absent; `kinds`: each resource's type.
    Negative and infinite values count as not measured; rows after `as_of` are not
    looked at; of several rows of one time the last holds. Machines without CPU are left out.
    """
    start, end = day_start(as_of - timedelta(days=days - 1)), day_start(as_of + timedelta(days=1))
    rows = frame.reindex(columns=list(USE_COLUMNS))
    rows = rows.assign(time=pd.to_datetime(rows["time"], utc=True))
    rows = rows.loc[(rows["time"] < pd.Timestamp(end)) & rows["resource"].isin(kinds)]
    rows = rows.drop_duplicates(["resource", "time"], keep="last").sort_values("time")
    cores = rows["resource"].map({name: kind.vcpus for name, kind in kinds.items()}).astype(float)
    whole = rows["resource"].map({name: kind.memory_gib for name, kind in kinds.items()})
    left = whole.astype(float) - _clean(rows["memory_available_bytes"]) / GIB
    measured = pd.DataFrame(
        {
            "resource": rows["resource"].astype(str),
            "time": rows["time"],
            "seconds": _clean(rows["interval_seconds"]),
            "cpu": _clean(rows["cpu_cores"]).fillna(_clean(rows["cpu_percent"]) / 100 * cores),
            "memory": (_clean(rows["memory_used_bytes"]) / GIB).fillna(left.clip(lower=0)),
            "network": _clean(rows["network_bytes_per_second"]) * 8 / 1e9,
            "disk": _clean(rows["disk_bytes_per_second"]) / 1024**2,
            "connections": _clean(rows["connections"]),
        }
    )
    found: dict[str, MachineUse] = {}
    for resource, group in measured.groupby("resource", sort=True):
        inside = group.loc[group["time"] >= pd.Timestamp(start)].reset_index(drop=True)
        earlier = group.loc[group["time"] < pd.Timestamp(start)]
        if inside["cpu"].notna().sum() == 0:
            continue
        found[str(resource)] = MachineUse(
            samples=inside,
            before={d: float(m) for d in DIMENSIONS if np.isfinite(m := earlier[d].max())},
            start=start,
            end=end,
            coverage=min(1.0, float(inside["seconds"].sum()) / (end - start).total_seconds()),
        )
    return found


def carries(kind: MachineType, database: bool) -> dict[str, float | None]:
    """How much of each dimension a type carries; None where that is not known."""
    return {
        "cpu": kind.vcpus,
        "memory": kind.memory_gib,
        "network": kind.network_gbps,
        "disk": kind.disk_mib_per_second,
        "connections": kind.connections(database),
    }


@dataclass(frozen=True)
class Fit:
    """How a type compares with a need."""

    short: tuple[str, ...]
    """Dimensions in which it carries less."""
    unknown: tuple[str, ...]
    """Why it cannot be told, in words."""

    @property
    def good(self) -> bool:
        """Whether it carries everything, for certain."""
        return not self.short and not self.unknown


def fit(needs: Mapping[str, float], kind: MachineType, current: MachineType, database: bool) -> Fit:
    """How `kind` compares with what is needed; where nothing is known, with the current type.

    A dimension that was not measured must be at least what it is now. Connections that were not
    measured, or whose limit is not known, are not asked about.
    """
    offered, held = carries(kind, database), carries(current, database)
    short, unknown = [], []
    for dimension, unit in DIMENSIONS.items():
        most, need = offered[dimension], needs.get(dimension)
        if need is None and dimension in _MUST:
            now = held[dimension]
            if most is None or now is None or most < now:
                unknown.append(f"its {dimension} is not measured")
        elif need is not None and most is not None:
            if most < need:
                short.append(dimension)
        elif need is not None and dimension in _MUST:
            unknown.append(f"how many {unit} {kind.name} carries is not known")
    return Fit(tuple(short), tuple(unknown))


def over(rows: pd.DataFrame, kind: MachineType, database: bool) -> float:
    """Share of the samples in which any dimension was above what a type carries; 0 of none."""
    above = np.zeros(len(rows), dtype=bool)
    for dimension, most in carries(kind, database).items():
        if most is not None:
            above |= rows[dimension].to_numpy(dtype=float) > most
    return float(above.mean()) if len(rows) else 0.0


def outgrown(
    before: Mapping[str, float], kind: MachineType, database: bool
) -> Iterator[tuple[str, float]]:
    """Dimensions in which the time before the window had more than a type carries, and how much."""
    for dimension, most in carries(kind, database).items():
        peak = before.get(dimension)
        if most is not None and peak is not None and peak > most:
            yield dimension, peak


def _drift(rows: pd.DataFrame, column: str) -> float:
    """Last-third mean less first-third mean, where positive."""
    if rows.empty:
        return 0.0
    first, last = rows["time"].min(), rows["time"].max()
    third = (last - first) / 3
    early = rows.loc[rows["time"] < first + third, column].mean()
    late = rows.loc[rows["time"] >= last - third, column].mean()
    drift = float(late - early)
    return drift if drift > 0 else 0.0


def _clean(values: pd.Series) -> pd.Series:
    """As floats, with what cannot be an amount missing."""
    numbers = pd.to_numeric(values, errors="coerce").astype(float)
    return numbers.where(np.isfinite(numbers) & (numbers >= 0))
