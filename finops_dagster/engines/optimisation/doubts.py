"""Signs that what a container used is not what it wanted: kills, limits that hold it, short weeks.

What it should request by its use is told elsewhere; here is only why that may not be believed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

import numpy as np
import pandas as pd

from finops_dagster.engines.known import Floats
from finops_dagster.engines.optimisation.ground import Ground
from finops_dagster.engines.optimisation.quantities import MIB

THROTTLED_SHARE = 0.25
"""Scheduling periods held back: where kubernetes-mixin warns (cpuThrottlingPercent: 25)."""
AT_LIMIT_SHARE = 0.9
"""Of a limit: the saturation objectives of GitLab's runbooks (kube_container_cpu, soft;
kube_container_memory, hard). A mean over an interval hides what was above."""
OFTEN = {"cpu": 0.05, "memory": 0.01}
"""Share of intervals over the request that is too little room: a CPU request may be exceeded
now and then (a scheduler shares what is free), a memory request only at the risk of eviction."""
TWO_WEEKS = timedelta(days=13.5)
"""Two weekly cycles, less half a day of grace for when the first scrape was."""
_WEEKEND = (5, 6)
_HALF_DAY = 12 * 3600.0

Key = tuple[str, str]
"""(resource, container)."""


@dataclass(frozen=True)
class Doubts:
    """Of containers in the window."""

    unsure: Mapping[tuple[str, str, str], str]
    """(resource, container, meter) -> why its use does not tell its need."""
    kills: Mapping[Key, float]
    """How often each was killed for want of memory, where it was."""


def doubts(ground: Ground, samples: pd.DataFrame) -> Doubts:
    """All doubts about `samples` of `per_replica`."""
    unsure = _weekly(ground, samples) | _held(ground, samples)
    rows = samples.loc[samples["oom_kills_per_second"] > 0]
    count = rows["oom_kills_per_second"] * rows["interval_seconds"].astype(float)
    return Doubts(unsure, dict(_rows(count.groupby([rows["resource"], rows["container"]]).sum())))


def _rows(by_container: pd.Series) -> list[tuple[Key, float]]:
    return [
        ((str(resource), str(container)), float(value))
        for resource, container, value in by_container.reset_index().itertuples(
            index=False, name=None
        )
    ]


def after_kill(size_bytes: Decimal) -> Decimal:
    """Bytes to give after a kill at `size_bytes`: a fifth more, 100 MiB at least.

    The Vertical Pod Autoscaler's oom-bump-up-ratio and oom-min-bump-up-bytes.
    """
    return max(size_bytes * Decimal("1.2"), size_bytes + 100 * MIB)


def _held(ground: Ground, samples: pd.DataFrame) -> dict[tuple[str, str, str], str]:
    """Use that a limit holds down: what it would be without is not known."""
    cpu = samples["cpu"].to_numpy(dtype=float)
    peak = np.fmax(
        samples["memory"].to_numpy(dtype=float),
        samples["memory_replica_max_bytes"].to_numpy(dtype=float),
    )
    with np.errstate(invalid="ignore", divide="ignore"):
        throttled = (
            samples["cpu_throttled_periods_per_second"] / samples["cpu_periods_per_second"]
        ).to_numpy(dtype=float)
        at_cpu = cpu >= AT_LIMIT_SHARE * _limits(ground, samples, "cpu", "cpu_limit_cores")
        held = np.where(np.isnan(cpu), np.nan, at_cpu | (throttled > THROTTLED_SHARE))
        at_memory = peak >= AT_LIMIT_SHARE * _limits(
            ground, samples, "memory", "memory_limit_bytes"
        )
        touched = np.where(np.isnan(peak), np.nan, at_memory)
    frame = pd.DataFrame({"cpu": held, "memory": touched})
    keys = [samples["resource"].to_numpy(), samples["container"].to_numpy()]
    words = {
        "cpu": "its limit held it back",
        "memory": f"its working set was at {AT_LIMIT_SHARE:.0%} of its limit or more",
    }
    return {
        (*key, meter): f"{words[meter]} in {share:.1%} of intervals: what "
        "it would use with more room is not known"
        for meter in words
        for key, share in _rows(frame[meter].groupby(keys).mean())
        if share > OFTEN[meter]
    }


def _limits(ground: Ground, samples: pd.DataFrame, meter: str, running: str) -> Floats:
    """Limit of one replica at each sample: as it ran, else as declared, NaN where there is none."""
    declared = {
        (resource, container): float(value.amount)
        for (resource, container, what), value in ground.declared.items()
        if what == f"limits.{meter}" and value.amount
    }
    keys = zip(samples["resource"], samples["container"], strict=True)
    known = np.array([declared.get(key, np.nan) for key in keys], dtype=float)
    ran = samples[running].to_numpy(dtype=float) / samples["replicas"].to_numpy(dtype=float)
    return np.where(ran > 0, ran, known)


def _weekly(ground: Ground, samples: pd.DataFrame) -> dict[tuple[str, str, str], str]:
    """Use that differs between working days and weekends, seen for less than two weeks.

    It differs where the highest day of one is under the lowest of the other by the share that a
    change is worth: days of no pattern are apart like that in one week of ten, and seldom as far.
    """
    times = samples.groupby(["resource", "container"])["time"].agg(["min", "max"])
    short = times.loc[times["max"] - times["min"] < TWO_WEEKS]
    if short.empty:
        return {}
    keys = pd.MultiIndex.from_arrays([samples["resource"], samples["container"]])
    rows = samples.loc[keys.isin(short.index)]
    days = rows.groupby(["resource", "container", rows["time"].dt.floor("D")]).agg(
        cpu=("cpu", "mean"), memory=("memory", "mean"), seconds=("interval_seconds", "sum")
    )
    days = days.loc[days["seconds"].astype(float) >= _HALF_DAY]
    apart = 1 - ground.config.min_change_share
    found = {}
    for (resource, container), group in days.groupby(level=[0, 1]):
        weekend = pd.DatetimeIndex(group.index.get_level_values(2)).dayofweek.isin(_WEEKEND)
        if weekend.sum() < 2 or (~weekend).sum() < 2:
            continue
        for meter in OFTEN:
            off, on = group[meter][weekend], group[meter][~weekend]
            if off.max() < apart * on.min() or on.max() < apart * off.min():
                found[str(resource), str(container), meter] = (
                    "its weekends differ from its working days, which takes two weeks to know, and "
                    f"it was measured on {len(group)} days"
                )
    return found
