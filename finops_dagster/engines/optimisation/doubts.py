"""Signs that what a container used is not what it wanted: kills, limits that hold it, short weeks.

What it should request by its use is told elsewhere; here is only why that may not be believed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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


def doubts(ground: Ground, keys: Sequence[Key], of: np.ndarray, rows: pd.DataFrame) -> Doubts:
    """All doubts about the containers `keys`; `of`: the place in them of each row.

    `rows`, one an interval: time, interval_seconds; of one replica cpu and limit_cpu (cores),
    memory and limit_memory (bytes), limits as they ran; memory_replica_max_bytes,
    cpu_periods_per_second, cpu_throttled_periods_per_second, oom_kills_per_second.
    """
    kills = rows["oom_kills_per_second"] * rows["interval_seconds"].astype(float)
    total = np.bincount(of, np.nan_to_num(kills.to_numpy(dtype=float)), minlength=len(keys))
    return Doubts(
        unsure=_weekly(ground, keys, of, rows) | _held(ground, keys, of, rows),
        kills={key: float(count) for key, count in zip(keys, total, strict=True) if count > 0},
    )


def after_kill(size_bytes: Decimal) -> Decimal:
    """Bytes to give after a kill at `size_bytes`: a fifth more, 100 MiB at least.

    The Vertical Pod Autoscaler's oom-bump-up-ratio and oom-min-bump-up-bytes.
    """
    return max(size_bytes * Decimal("1.2"), size_bytes + 100 * MIB)


def _held(
    ground: Ground, keys: Sequence[Key], of: np.ndarray, rows: pd.DataFrame
) -> dict[tuple[str, str, str], str]:
    """Use that a limit holds down: what it would be without is not known."""
    cpu = rows["cpu"].to_numpy(dtype=float)
    peak = np.fmax(
        rows["memory"].to_numpy(dtype=float), rows["memory_replica_max_bytes"].to_numpy(dtype=float)
    )
    with np.errstate(invalid="ignore", divide="ignore"):
        throttled = (
            rows["cpu_throttled_periods_per_second"] / rows["cpu_periods_per_second"]
        ).to_numpy(dtype=float)
        at_cpu = cpu >= AT_LIMIT_SHARE * _limits(ground, keys, of, rows, "cpu")
        held = np.where(np.isnan(cpu), np.nan, at_cpu | (throttled > THROTTLED_SHARE))
        at_memory = peak >= AT_LIMIT_SHARE * _limits(ground, keys, of, rows, "memory")
        touched = np.where(np.isnan(peak), np.nan, at_memory)
    found = {}
    for meter, values, words in (
        ("cpu", held, "its limit held it back"),
        ("memory", touched, f"its working set was at {AT_LIMIT_SHARE:.0%} of its limit or more"),
    ):
        known = np.bincount(of, ~np.isnan(values), minlength=len(keys))
        shares = np.bincount(of, np.nan_to_num(values), minlength=len(keys)) / np.fmax(known, 1)
        for key, share in zip(keys, shares, strict=True):
            if share > OFTEN[meter]:
                found[*key, meter] = (
                    f"{words} in {share:.1%} of intervals: what it would use with more room is "
                    "not known"
                )
    return found


def _limits(
    ground: Ground, keys: Sequence[Key], of: np.ndarray, rows: pd.DataFrame, meter: str
) -> Floats:
    """Limit of one replica at each row: as it ran, else as declared, NaN where there is none."""
    declared = np.full(len(keys), np.nan)
    for at, key in enumerate(keys):
        value = ground.declared.get((*key, f"limits.{meter}"))
        if value is not None and value.amount:
            declared[at] = float(value.amount)
    ran = rows[f"limit_{meter}"].to_numpy(dtype=float)
    return np.where(ran > 0, ran, declared[of])


def _weekly(
    ground: Ground, keys: Sequence[Key], of: np.ndarray, rows: pd.DataFrame
) -> dict[tuple[str, str, str], str]:
    """Use that differs between working days and weekends, seen for less than two weeks.

    It differs where the highest day of one is under the lowest of the other by the share that a
    change is worth: days of no pattern are apart like that in one week of ten, and seldom as far.
    """
    times = rows["time"].groupby(of)
    span = times.max() - times.min()
    short = np.isin(of, span.index[span < TWO_WEEKS])
    if not short.any():
        return {}
    seen = rows.loc[short]
    days = seen.groupby([of[short], seen["time"].dt.floor("D")]).agg(
        cpu=("cpu", "mean"), memory=("memory", "mean"), seconds=("interval_seconds", "sum")
    )
    days = days.loc[days["seconds"].astype(float) >= _HALF_DAY]
    apart = 1 - ground.config.min_change_share
    found = {}
    for at in np.unique(days.index.get_level_values(0)).tolist():
        group = days.loc[at]
        weekend = pd.DatetimeIndex(group.index).dayofweek.isin(_WEEKEND)
        if weekend.sum() < 2 or (~weekend).sum() < 2:
            continue
        for meter in OFTEN:
            off, on = group[meter][weekend], group[meter][~weekend]
            if off.max() < apart * on.min() or on.max() < apart * off.min():
                found[*keys[at], meter] = (
                    "its weekends differ from its working days, which takes two weeks to know, and "
                    f"it was measured on {len(group)} days"
                )
    return found
