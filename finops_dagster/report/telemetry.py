"""What is new or far out in fine series, worded for reading: two lists that are never mixed.

Layout is in the template of the section; which points are unusual was decided before.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pandas as pd

from finops_dagster.domain.periods import day_start
from finops_dagster.report import format
from finops_dagster.report.data import ReportData

_METRICS = {
    "cpu_cores": "CPU used",
    "memory_working_set_bytes": "Memory in use",
    "network_receive_bytes_per_second": "Network received",
    "network_transmit_bytes_per_second": "Network sent",
    "gpu_utilisation_percent": "GPU utilisation",
    "gpu_power_watts": "GPU power",
    "cpu_power_watts": "CPU power",
    "volume_used_bytes": "Volume used",
    "gco2e_per_kwh": "Carbon intensity of the grid",
}
_WORK = ("its traffic, jobs and releases of that hour", "whether it still gets work; its restarts")
_LOOK = {
    "cpu_cores": (f"{_WORK[0]}; whether its CPU limit holds it back", _WORK[1]),
    "memory_working_set_bytes": (
        "its releases and caches; how near its memory limit is",
        "its restarts and releases: a process that begins anew has little",
    ),
    "network_receive_bytes_per_second": ("who sends to it: traffic, retries, copies", _WORK[1]),
    "network_transmit_bytes_per_second": ("where it sends to: each copy may be billed", _WORK[1]),
    "gpu_utilisation_percent": (_WORK[0], "its queue: an idle GPU costs as much as a busy one"),
    "volume_used_bytes": ("what writes to it, and how much room is left", "what was deleted"),
    "gco2e_per_kwh": ("work that can wait or run elsewhere", "work that can be done now"),
}
"""What to look at where it is high, and where it is low."""
_NEW = {
    "value": ("a value it never had", ""),
    "spread": (
        "how much it swings in 12 steps",
        "what makes it swing or stand still: autoscaling, retries, stuck work",
    ),
    "level": ("its level over 96 steps", "what stays since: releases, traffic, data"),
    "shape": ("its shape over 24 steps", "schedules: jobs or traffic at other times than before"),
    "pattern": ("the way it went in 48 steps", "these steps beside those of the weeks before"),
}
"""What of a series is new, and what to look at."""


@dataclass(frozen=True)
class Unusual:
    """One row for a person."""

    what: str
    resource: str
    where: str
    owner: str
    since: datetime
    until: datetime
    goes_on: bool
    """Whether the last hours of the day are still of it."""
    began: bool
    new: str
    value: str
    expected: str
    far: str
    look: str


@dataclass(frozen=True)
class Telemetry:
    """The two lists, in the order they were found in."""

    far: tuple[Unusual, ...]
    novel: tuple[Unusual, ...]


def telemetry(data: ReportData) -> Telemetry | None:
    """What was found of the day; None where nothing was watched."""
    if data.telemetry is None:
        return None
    rows = [
        (row["class"], _unusual({str(name): value for name, value in row.items()}, data))
        for row in data.telemetry.to_dict("records")
    ]
    return Telemetry(
        far=tuple(one for kind, one in rows if kind == "far"),
        novel=tuple(one for kind, one in rows if kind == "novel"),
    )


def _unusual(row: Mapping[str, Any], data: ReportData) -> Unusual:
    since, until = (pd.Timestamp(row[name]).to_pydatetime() for name in ("from", "to"))
    metric, z = str(row["metric"]), float(row["z"])
    new, look = _NEW.get(str(row["why"]), ("", ""))
    high, low = _LOOK.get(metric, _WORK)
    return Unusual(
        what=_METRICS.get(metric, format.words(metric)),
        resource=str(row["resource"]),
        where=", ".join(part for part in (row["container"], row["cluster"]) if part),
        owner=str(row["owner"]),
        since=since,
        until=until,
        goes_on=until >= day_start(data.as_of + timedelta(days=1)),
        began=bool(row["began"]),
        new=new,
        value=_amount(float(row["value"]), row["unit"]),
        expected=_amount(float(row["expected"]), row["unit"]),
        far=f"{abs(z):,.0f} deviations {'above' if z > 0 else 'below'}" if math.isfinite(z) else "",
        look=look or (high if z > 0 else low),
    )


def _amount(value: float, unit: str) -> str:
    if unit == "bytes":
        return format.size(value)
    if unit == "bytes per second":
        return f"{format.size(value)}/s"
    if unit == "percent":
        return format.share(value / 100, 1)
    return format.quantity(value, unit)
