"""Many fine series watched day by day: which began to be new, which are far out, and for how long.

What is said of a point is `novelty`'s; where points and states are kept is not known here.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd

from finops_dagster.domain.decisions import Abstained
from finops_dagster.domain.periods import day_start
from finops_dagster.engines.anomalies.novelty import Judged, Watch

ENGINE = "fine series/1"

SERIES = ("resource", "cluster", "container", "metric")
"""What names a series."""
POINTS = (*SERIES, "time", "step_seconds", "value")
"""Columns of a day's points: start of the step (UTC), its length, and what was measured over it."""
NOVEL, FAR_OUT = "novel", "far"
FOUND = {
    "series": "What was measured of what, as text",
    "resource": "KIND/NAMESPACE/NAME, or the region of a grid",
    "cluster": "Kubernetes cluster; empty for a grid",
    "container": "Container; empty where the metric has none",
    "metric": "Column of the mart that it is measured in",
    "unit": "Unit of value and expected",
    "class": "novel: never seen before, begins here; far: far out, a run of points",
    "why": "What of it is new: value, spread, level, shape or pattern; far: high or low",
    "from": "Start of the first point",
    "to": "End of the last point",
    "began": "Whether it began on this day",
    "value": "Of a run, the one of this day that is furthest out",
    "expected": "Median of what was seen before it",
    "z": "Distance of both in robust standard deviations",
    "points": "Points that are far out, since it began",
}
"""Columns of what is found of a day, with their meaning."""

WARM_UP = timedelta(days=14)
"""Two weekends: a shorter past takes the first Saturday for news."""
ENDED = timedelta(days=7)
"""A series without a point for so long, and two steps, is forgotten: all that is looked at of it is
blank."""
MERGE = 12
"""Points between two that are far out of one run, as benchmarks/anomaly.py counts events."""
_KNOWN_SHARE = 0.5
"""Of the steps since a series began; with more gaps than points, what is usual is not known."""
_MATTERS_SHARE = 0.1
"""Of the median: who is paged for less finds nothing to do."""


@dataclass(frozen=True)
class Metric:
    """How values of a metric are read."""

    unit: str
    matters: float
    """What does not leave its median by so much is told of in neither class: a GPU that goes from
    0.1 to 0.4 percent is as idle as before, however many of its own deviations that is."""


METRICS = {
    "cpu_cores": Metric("cores", 0.05),
    "memory_working_set_bytes": Metric("bytes", 64 * 2.0**20),
    "network_receive_bytes_per_second": Metric("bytes per second", 1e5),
    "network_transmit_bytes_per_second": Metric("bytes per second", 1e5),
    "gpu_utilisation_percent": Metric("percent", 5.0),
    "gpu_power_watts": Metric("watts", 10.0),
    "cpu_power_watts": Metric("watts", 5.0),
    "volume_used_bytes": Metric("bytes", 2.0**30),
    "gco2e_per_kwh": Metric("gCO2e per kWh", 10.0),
}
"""What is watched. Not what is declared (requests, limits, replicas: they change by a commit), nor
restarts and kills, which are events and no levels."""


@dataclass
class _Run:
    """Points that are far out, near each other."""

    since: datetime
    last: datetime
    points: int = 0


@dataclass
class _Series:
    watch: Watch
    run: _Run | None = None


@dataclass(frozen=True)
class FineResult:
    """What is said of one day."""

    found: pd.DataFrame
    """Columns FOUND: runs first, those furthest out first."""
    abstained: tuple[Abstained, ...]
    series: int
    """Judged, or at least learned from."""
    points: int


@dataclass
class Watches:
    """Every series that is watched; give it whole days in their order."""

    _series: dict[tuple[str, ...], _Series] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self._series)

    def day(self, points: pd.DataFrame, day: date) -> FineResult:
        """Take in a day's points (columns POINTS, one a step and series, in any order).

        A series whose step is another than before is watched anew. Raises ValueError where a point
        is not of the day, or not after those that were taken in.
        """
        found: list[dict[str, Any]] = []
        abstained: list[Abstained] = []
        judged = 0
        for key, times, values, step in _by_series(points, day):
            said, reason = self._judged(key, times, values, step)
            judged += len(said)
            if reason:
                abstained.append(Abstained(subject=label(key), reason=reason))
            found += self._found(key, said, day, silent=bool(reason))
        abstained += self._ended(day)
        frame = pd.DataFrame(found, columns=list(FOUND)).astype({"began": bool})
        rank = frame["class"].map({FAR_OUT: 0, NOVEL: 1})
        order = np.lexsort((frame["series"], -frame["z"].abs().fillna(0.0), ~frame["began"], rank))
        return FineResult(
            frame.iloc[order].reset_index(drop=True),
            tuple(sorted(abstained, key=lambda one: (one.reason, one.subject))),
            series=points.groupby(list(SERIES)).ngroups,
            points=judged,
        )

    def history(self, series: str) -> tuple[list[datetime], np.ndarray]:
        """Times and values of what is remembered of a series, by its text in FOUND."""
        one = next(one for key, one in self._series.items() if label(key) == series)
        values = one.watch.values.all
        last = one.watch.last_at
        assert last is not None  # no series is there before its first point
        return [last - one.watch.step * i for i in range(len(values) - 1, -1, -1)], values

    def frame(self) -> pd.DataFrame:
        """A row a series: its names, its open run, and the state of its watch."""
        rows = []
        for key, one in sorted(self._series.items()):
            run = one.run
            rows.append(
                {
                    **dict(zip(SERIES, key, strict=True)),
                    "run_since": run.since.isoformat() if run else "",
                    "run_last": run.last.isoformat() if run else "",
                    "run_points": run.points if run else 0,
                    **one.watch.state(),
                }
            )
        return pd.DataFrame(rows)

    @classmethod
    def restored(cls, frame: pd.DataFrame) -> Watches:
        """Those whose `frame` this is."""
        found = {}
        for row in frame.to_dict("records"):
            run = None
            if row["run_points"]:
                since, last = map(datetime.fromisoformat, (row["run_since"], row["run_last"]))
                run = _Run(since, last, int(row["run_points"]))
            state = {str(name): value for name, value in row.items()}
            found[tuple(str(row[name]) for name in SERIES)] = _Series(Watch.restored(state), run)
        return cls(found)

    def _judged(
        self, key: tuple[str, ...], times: list[datetime], values: list[float], step: timedelta
    ) -> tuple[list[Judged], str]:
        """Verdicts on a day of a series, and why they do not count."""
        reason = ""
        one = self._series.get(key)
        if one is not None and one.watch.step != step:
            reason = (
                f"it is measured every {_seconds(step)} s and was every "
                f"{_seconds(one.watch.step)} s before: it is watched anew"
            )
            one = None
        if one is None:
            one = _Series(Watch(step, warm_up=round(WARM_UP / step)))
            self._series[key] = one
        warm = one.watch.warm
        said = one.watch.judge_all(times, values)
        if not warm and not reason:
            reason = f"watched for less than {WARM_UP.days} days: nothing is said yet"
        known = one.watch.values.all
        if not reason and np.isfinite(known).mean() < _KNOWN_SHARE:
            reason = "measured in fewer than half of its steps: what is usual is not known"
        return said, reason

    def _found(
        self, key: tuple[str, ...], said: list[Judged], day: date, *, silent: bool
    ) -> Iterator[dict[str, Any]]:
        """What began to be new on a day, and the run that is far out on it.

        Of what may not be told, an open run ends.
        """
        one = self._series[key]
        if silent:
            one.run = None
            return
        metric = METRICS.get(key[-1], Metric("", 0.0))
        names = {"series": label(key), **dict(zip(SERIES, key, strict=True)), "unit": metric.unit}
        told = [j for j in said if math.isfinite(j.z)]
        if any(abs(j.value - j.centre) >= metric.matters for j in told):
            for j in said:
                if j.novel:
                    yield names | _row(NOVEL, j.why, j.at, j.at + one.watch.step, j, 1, day)
        gap = (MERGE + 1) * one.watch.step
        far = [j for j in told if j.far and _matters(j, metric)]
        for i, j in enumerate(far):
            if one.run is None or j.at - one.run.last >= gap:
                one.run, most = _Run(j.at, j.at), j
            elif one.run.last < day_start(day):
                most = j
            one.run.last, one.run.points = j.at, one.run.points + 1
            most = max(most, j, key=lambda each: abs(each.z))
            if j is far[-1] or far[i + 1].at - j.at >= gap:
                why = "high" if most.z > 0 else "low"
                until = one.run.last + one.watch.step
                yield names | _row(FAR_OUT, why, one.run.since, until, most, one.run.points, day)

    def _ended(self, day: date) -> Iterator[Abstained]:
        """Series without a point on a day; what has had none for long is forgotten."""
        for key, one in list(self._series.items()):
            last = one.watch.last_at
            if last is None or last >= day_start(day):
                continue
            reason = "no point of it on this day"
            if day_start(day + timedelta(days=1)) - last > max(ENDED, 2 * one.watch.step):
                reason = f"no point of it for {ENDED.days} days or more: it is watched no more"
                del self._series[key]
            yield Abstained(subject=label(key), reason=reason)


def label(key: tuple[str, ...]) -> str:
    """A series as text: what of what, and where where that is known."""
    resource, cluster, container, metric = key
    where = ", ".join(part for part in (container, cluster) if part)
    return f"{metric} of {resource}" + (f" ({where})" if where else "")


def _by_series(
    points: pd.DataFrame, day: date
) -> Iterator[tuple[tuple[str, ...], list[datetime], list[float], timedelta]]:
    ordered = points.sort_values([*SERIES, "time"], kind="stable")
    times = pd.DatetimeIndex(pd.to_datetime(ordered["time"], utc=True)).as_unit("us")
    first = day_start(day)
    if len(times) and not (first <= times.min() and times.max() < first + timedelta(days=1)):
        raise ValueError(f"there are points that are not of {day.isoformat()}")
    instants = times.to_pydatetime()
    values = ordered["value"].to_numpy(dtype=float)
    steps = ordered["step_seconds"].to_numpy(dtype=float)
    grouped = ordered.reset_index(drop=True).groupby(list(SERIES), sort=True)
    for key, place in grouped.indices.items():
        assert isinstance(key, tuple)  # of several columns it is
        # of two steps in one day the longer: what is measured more often is known as well
        yield (
            tuple(str(part) for part in key),
            [at.astimezone(UTC) for at in instants[place]],
            values[place].tolist(),
            timedelta(seconds=float(steps[place].max())),
        )


def _row(
    class_: str, why: str, since: datetime, until: datetime, most: Judged, points: int, day: date
) -> dict[str, Any]:
    return {
        "class": class_,
        "why": why,
        "from": since,
        "to": until,
        "began": since >= day_start(day),
        "value": most.value,
        "expected": most.centre,
        "z": most.z,
        "points": points,
    }


def _matters(one: Judged, metric: Metric) -> bool:
    least = max(metric.matters, _MATTERS_SHARE * abs(one.centre))
    return abs(one.value - one.centre) >= least


def _seconds(step: timedelta) -> str:
    return f"{step.total_seconds():g}"
