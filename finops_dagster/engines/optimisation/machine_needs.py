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
from finops_dagster.engines.known import Floats
from finops_dagster.engines.optimisation.machine_types import MachineType
from finops_dagster.engines.optimisation.quantities import GIB
from finops_dagster.engines.optimisation.rules import Rule
from finops_dagster.engines.optimisation.window import REHEARSAL_SHARE

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

_EPOCH = pd.Timestamp(0, tz="UTC")

MIN_SAMPLES = 100
"""As KRR asks for: a P99.5 of fewer is their maximum and nothing else."""


@dataclass(frozen=True)
class MachineUse:
    """What one machine did in the evidence window."""

    at: np.ndarray
    """Start of each sample, seconds since the epoch, rising."""
    values: Mapping[str, Floats]
    """Each of DIMENSIONS in its unit, a value a sample; missing as NaN."""
    before: Mapping[str, float]
    """The most of each dimension in the rows before the window; empty without any."""
    start: datetime
    end: datetime
    coverage: float
    """Share of the window measured."""

    @property
    def size(self) -> int:
        """How many samples there are."""
        return int(self.at.size)

    @property
    def late(self) -> np.ndarray:
        """Which samples the rehearsal has not seen."""
        split = self.start + (self.end - self.start) * REHEARSAL_SHARE
        return np.asarray(self.at >= split.timestamp())

    def known(self, dimension: str) -> bool:
        """Whether it was measured in half of its samples at least."""
        return bool(np.isfinite(self.values[dimension]).mean() >= 0.5)

    def quantile(self, dimension: str, level: float) -> float:
        """A quantile over the window; NaN where nothing was measured."""
        return _quantile(self.values[dimension], level)

    def days(self) -> float:
        """From its first measurement to its last."""
        return float(self.at[-1] - self.at[0]) / 86_400

    def late_hours(self) -> int:
        """In how many hours those that the rehearsal has not seen were taken."""
        return int(np.unique(self.at[self.late] // 3600).size)

    def busiest_day(self) -> float:
        """The highest mean CPU of a day, in vCPUs."""
        cpu = self.values["cpu"]
        known = np.isfinite(cpu)
        _, day = np.unique(self.at[known] // 86_400, return_inverse=True)
        return float((np.bincount(day, cpu[known]) / np.bincount(day)).max())

    def needs(self, rule: Rule, early: bool = False) -> dict[str, float]:
        """What the rule asks for in each dimension measured; `early` by the first part alone.

        CPU, network and disk: their quantile times the headroom. Memory: the peak and its upward
        drift, as of containers. Connections: the peak times the headroom of CPU.
        """
        seen = ~self.late if early else np.ones(self.size, dtype=bool)
        found: dict[str, float] = {}
        for dimension in DIMENSIONS:
            values = self.values[dimension][seen]
            if not self.known(dimension) or not np.isfinite(values).any():
                continue
            if dimension == "memory":
                peak = np.nanmax(values) + _drift(self.at[seen], values)
                found[dimension] = float(peak * rule.memory_headroom)
            elif dimension == "connections":
                found[dimension] = float(np.nanmax(values) * rule.cpu_headroom)
            else:
                found[dimension] = _quantile(values, rule.cpu_quantile) * rule.cpu_headroom
        return found

    def over(self, kind: MachineType, database: bool, *, late: bool) -> float:
        """Share of the samples in which any dimension was above what a type carries; 0 of none."""
        asked = self.late if late else np.ones(self.size, dtype=bool)
        above = np.zeros(int(asked.sum()), dtype=bool)
        for dimension, most in carries(kind, database).items():
            if most is not None:
                above |= self.values[dimension][asked] > most
        return float(above.mean()) if above.size else 0.0


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
    measured = measured.assign(at=(measured["time"] - _EPOCH) / timedelta(seconds=1))
    found: dict[str, MachineUse] = {}
    for resource, group in measured.groupby("resource", sort=True):
        inside = group.loc[group["at"] >= start.timestamp()]
        earlier = group.loc[group["at"] < start.timestamp(), list(DIMENSIONS)].max()
        if inside["cpu"].notna().sum() == 0:
            continue
        found[str(resource)] = MachineUse(
            at=inside["at"].to_numpy(dtype=float),
            values={one: inside[one].to_numpy(dtype=float) for one in DIMENSIONS},
            before={str(one): float(most) for one, most in earlier.items() if np.isfinite(most)},
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


def outgrown(
    before: Mapping[str, float], kind: MachineType, database: bool
) -> Iterator[tuple[str, float]]:
    """Dimensions in which the time before the window had more than a type carries, and how much."""
    for dimension, most in carries(kind, database).items():
        peak = before.get(dimension)
        if most is not None and peak is not None and peak > most:
            yield dimension, peak


def _quantile(values: Floats, level: float) -> float:
    known = values[np.isfinite(values)]
    return float(np.quantile(known, level)) if known.size else float("nan")


def _drift(at: np.ndarray, values: Floats) -> float:
    """Last-third mean less first-third mean, where positive."""
    known = np.isfinite(values)
    at, values = at[known], values[known]
    third = (at[-1] - at[0]) / 3
    drift = values[at >= at[-1] - third].mean() - values[at <= at[0] + third].mean()
    return max(0.0, float(drift))


def _clean(values: pd.Series) -> pd.Series:
    """As floats, with what cannot be an amount missing."""
    numbers = pd.to_numeric(values, errors="coerce").astype(float)
    return numbers.where(np.isfinite(numbers) & (numbers >= 0))
