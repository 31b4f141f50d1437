"""CPU of a day's containers sized by risk, learnt from the fleet's own window.

What a capacity risks is told by risk; which sizes become findings, by sizing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import pandas as pd

from finops_dagster.domain.decisions import Abstained
from finops_dagster.engines.known import Floats
from finops_dagster.engines.optimisation.profiles import Key, Samples
from finops_dagster.engines.optimisation.risk import (
    MAX_WORKLOADS,
    FleetModel,
    Sizing,
    Workload,
    digest,
    learn_fleet,
    size_by_risk,
    usable,
)
from finops_dagster.engines.optimisation.window import REHEARSAL_SHARE, Window, naive

RISK_DAYS = 14
"""What `Finding.risk` looks ahead."""


@dataclass(frozen=True)
class Demand:
    """One container's use in percent of what is declared, evenly spaced, gaps as NaN."""

    key: Key
    first: np.datetime64
    """Where the first interval begins, UTC."""
    step: np.timedelta64
    values: Floats

    @property
    def name(self) -> str:
        """By which the fleet knows it."""
        return "/".join(self.key)

    def between(self, first: pd.Timestamp, end: pd.Timestamp) -> Floats:
        """Of the intervals that begin from `first` to before `end`."""
        ends = (
            max(0, int(np.ceil((one.tz_convert(None).to_datetime64() - self.first) / self.step)))
            for one in (first, end)
        )
        return self.values[slice(*ends)]


def demands(samples: Samples, declared: Mapping[Key, float]) -> list[Demand]:
    """Demand of each of the `declared` containers (cores of one replica) that was measured.

    Counted in percent of what is declared, so that a small container's risk weighs as much as a
    large one's; the highest of each interval of its usual length, counted from midnight.
    """
    rows, ends = samples.rows, samples.bounds()
    time, cpu = naive(rows["time"]), rows["cpu"].to_numpy()
    seconds = rows["interval_seconds"].to_numpy(dtype=float)
    found = []
    for place, key in enumerate(samples.keys):
        part = slice(ends[place], ends[place + 1])
        cores, use = declared.get(key, 0.0), cpu[part]
        usual = float(np.median(seconds[part])) if use.size else 0.0
        if not (cores > 0 and usual > 0) or np.isnan(use).all():
            continue
        step = np.timedelta64(round(usual * 1e6), "us")
        midnight = time[part][0].astype("datetime64[D]").astype("datetime64[us]")
        at = (time[part] - midnight) // step
        values = np.full(int(at[-1] - at[0]) + 1, np.nan)
        np.fmax.at(values, at - at[0], use * 100 / cores)
        found.append(Demand(key, midnight + at[0] * step, step, values))
    return found


class School:
    """What of some resources is learnt from, kept to MAX_WORKLOADS while more is shown to it.

    The last third of the window shows what followed the first two. Which containers are kept does
    not depend on the order in which they come.
    """

    def __init__(self, window: Window, resources: frozenset[str]) -> None:
        self._window, self._resources = window, resources
        self._kept: list[tuple[int, str, Floats, Floats]] = []

    def show(self, some: Iterable[Demand]) -> None:
        """Look at some containers more."""
        start, end = pd.Timestamp(self._window.start), pd.Timestamp(self._window.end)
        for one in some:
            past = one.between(start, self._window.split)
            later = one.between(self._window.split, end)
            if one.key[0] in self._resources and usable(past, later):
                self._kept.append((digest(one.name), one.name, past, later))
        self._kept.sort(key=lambda kept: kept[0])
        del self._kept[MAX_WORKLOADS:]

    def learnt(self) -> FleetModel | Abstained:
        """The model, or why there is none."""
        columns = list(zip(*self._kept, strict=True)) or [(), (), (), ()]
        return learn_fleet(*columns[1:])


def sizes_by_risk(
    model: FleetModel | Abstained,
    window: Window,
    asked: Iterable[Demand],
    dials: Mapping[Key, float],
) -> dict[Key, Sizing]:
    """Sizes of one replica's CPU by (resource, container), in percent of what is declared.

    None where no model was learnt. It is asked about the newest two thirds of the window, so that
    histories are as long as those it was learnt from.
    """
    if isinstance(model, Abstained):
        return {}
    length = window.end - window.start
    newest = pd.Timestamp(window.end) - length * REHEARSAL_SHARE
    some = list(asked)
    found = size_by_risk(
        model,
        [
            Workload(
                name=one.name,
                demand=one.between(newest, pd.Timestamp(window.end)),
                dial=dials[one.key],
                declared=100.0,
            )
            for one in some
        ],
        timedelta(days=RISK_DAYS) / (length * (1 - REHEARSAL_SHARE)),
    )
    return {
        one.key: size for one, size in zip(some, found, strict=True) if isinstance(size, Sizing)
    }
