"""Weekly schedules: the few windows that cover the hours in use, and how they are written down.

Which hours are in use, and whether a schedule is worth it, is decided elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
import yaml

HOURS_OF_WEEK = 168
MINUTES_OF_WEEK = HOURS_OF_WEEK * 60
_DAY = 24 * 60

MAX_WINDOWS = 3
"""Different spans of one schedule: more are no pattern that a person would keep."""
MIN_OFF_HOURS = 3
"""A shorter pause inside a day is not worth a stop and a start."""
LEAD_MINUTES = 10
"""Started so much before use. Kubernetes gives a Deployment 600 s to get ready before it calls it
stuck (`spec.progressDeadlineSeconds`), https://kubernetes.io/docs/concepts/workloads/controllers/deployment."""
COOLDOWN_MINUTES = 5
"""Kept so long after the last trigger ends: KEDA's `cooldownPeriod`, 300 s, and the stabilisation
of an autoscaler's way down, https://keda.sh/docs/latest/reference/scaledobject-spec."""

_SHORT = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?\Z")
"""A DNS subdomain name, https://kubernetes.io/docs/concepts/overview/working-with-objects/names."""
_DAYS = {name.lower(): str((number + 1) % 7) for number, name in enumerate(_SHORT)}
_WORD = rf"(?:[0-7]|{'|'.join(_SHORT)})"
_CRON = re.compile(
    rf"(\d{{1,2}})\s+(\d{{1,2}})\s+\*\s+\*\s+(\*|{_WORD}(?:-{_WORD})?(?:,{_WORD}(?:-{_WORD})?)*)\Z",
    re.IGNORECASE,
)
_SCALED = frozenset({"Deployment", "StatefulSet"})


@dataclass(frozen=True)
class Window:
    """Hours in which something runs: from `hour` of each of `days` (Monday is 0), `hours` long."""

    days: tuple[int, ...]
    hour: int
    hours: int

    def starts(self) -> Iterator[int]:
        """Hours of the week at which it starts."""
        return (day * 24 + self.hour for day in self.days)


def windows(on: np.ndarray) -> tuple[Window, ...]:
    """The fewest windows that cover the hours of the week (168 booleans, Monday 0:00 first).

    Pauses under MIN_OFF_HOURS are bridged. Spans that differ are widened to one where that adds
    least, until MAX_WINDOWS are left; each is under a day long, or a single run. Empty where
    nothing or everything is in use, or no such schedule covers it.
    """
    groups: dict[tuple[int, int], set[int]] = {}
    for start, length in _runs(_bridged(np.asarray(on, dtype=bool))):
        groups.setdefault((start % 24, length), set()).add(start // 24)
    while len(groups) > MAX_WINDOWS:
        joined = [_joined(groups, one, two) for one, two in combinations(sorted(groups), 2)]
        best = min((j for j in joined if j is not None), default=None)
        if best is None:
            return ()
        _, one, two, span = best
        days = groups.pop(one) | groups.pop(two)
        groups.setdefault(span, set()).update(days)
    return tuple(
        Window(tuple(sorted(days)), hour, hours) for (hour, hours), days in sorted(groups.items())
    )


_Span = tuple[int, int]


def _joined(
    groups: dict[_Span, set[int]], one: _Span, two: _Span
) -> tuple[int, _Span, _Span, _Span] | None:
    """Hours a week that one span for both adds, and that span; None where it is a day or more."""
    start = min(one[0], two[0])
    length = max(one[0] + one[1], two[0] + two[1]) - start
    if length >= 24:
        return None
    before = sum(len(groups[span]) * span[1] for span in (one, two))
    return len(groups[one] | groups[two]) * length - before, one, two, (start, length)


def _bridged(on: np.ndarray) -> np.ndarray:
    out = on.copy()
    for start, length in _runs(~on):
        if length < MIN_OFF_HOURS:
            out[np.arange(start, start + length) % HOURS_OF_WEEK] = True
    return out


def _runs(mask: np.ndarray) -> list[tuple[int, int]]:
    """(first hour, length) of each run of a week that has no end; none where all are the same."""
    starts = np.flatnonzero(mask & ~np.roll(mask, 1))
    return [(int(start), int(np.argmin(np.roll(mask, -start)))) for start in starts]


def running(schedule: Sequence[Window], before: int = 0, after: int = 0) -> np.ndarray:
    """Which minutes of the week a schedule keeps, `before` and `after` minutes around it added."""
    kept = np.zeros(MINUTES_OF_WEEK, dtype=bool)
    for window in schedule:
        for start in window.starts():
            minutes = np.arange(start * 60 - before, (start + window.hours) * 60 + after)
            kept[minutes % MINUTES_OF_WEEK] = True
    return kept


def hour_of_week(times: pd.DatetimeIndex) -> np.ndarray:
    """0 to 167 of each time in its own zone, Monday 0:00 first."""
    return np.asarray(times.dayofweek * 24 + times.hour)


def minute_of_week(times: pd.DatetimeIndex) -> np.ndarray:
    """0 to 10,079 of each time in its own zone, Monday 0:00 first."""
    return np.asarray(hour_of_week(times) * 60 + times.minute)


def words(schedule: Sequence[Window], zone: str) -> str:
    """`Mon-Fri 07:00-19:00 and Sat 09:00-12:00 UTC`; an end before its start is of a later day."""
    return f"{' and '.join(_span(window) for window in schedule)} {zone}"


def _span(window: Window) -> str:
    end = window.hour + window.hours
    days, later = _days_of(window.days, _SHORT), (end - 1) // 24
    until = f"{end % 24 or 24:02d}:00"
    if later:
        until += " the next day" if later == 1 else f" {later} days later"
    return f"{days} {window.hour:02d}:00-{until}"


def crons(window: Window, lead: int = LEAD_MINUTES) -> tuple[str, str]:
    """Cron texts of the start, `lead` minutes ahead of use, and of the end of a window."""
    start, end = window.hour * 60 - lead, (window.hour + window.hours) * 60
    return _cron(window.days, start), _cron(window.days, end)


def _cron(days: Sequence[int], minute: int) -> str:
    shift, of_day = divmod(minute, _DAY)
    # of cron Sunday is 0
    names = [str(number) for number in range(7)]
    on = _days_of(sorted({(day + shift + 1) % 7 for day in days}), names)
    return f"{of_day % 60} {of_day // 60} * * {'*' if on == '0-6' else on}"


def _ranges(days: Sequence[int]) -> list[tuple[int, int]]:
    ranges: list[tuple[int, int]] = []
    for day in days:
        if ranges and day == ranges[-1][1] + 1:
            ranges[-1] = ranges[-1][0], day
        else:
            ranges.append((day, day))
    return ranges


def _days_of(days: Sequence[int], names: Sequence[str]) -> str:
    return ",".join(
        names[first] if first == last else f"{names[first]}-{names[last]}"
        for first, last in _ranges(days)
    )


def kept_by(pairs: Sequence[tuple[str, str]]) -> np.ndarray | None:
    """Which minutes of the week cron triggers of (start, end) keep, each text `M H * * DAYS`.

    A KEDA trigger is active where its end comes before its next start. None for any other form.
    """
    kept = np.zeros(MINUTES_OF_WEEK, dtype=bool)
    for pair in pairs:
        starts, ends = (_minutes(text) for text in pair)
        if not starts or not ends or starts & ends:
            return None
        for start in starts:
            length = min((end - start) % MINUTES_OF_WEEK for end in ends)
            kept[np.arange(start, start + length) % MINUTES_OF_WEEK] = True
    return kept


def _minutes(text: str) -> set[int]:
    """Minutes of the week, Monday 0:00 first, of `M H * * DAYS`; none for any other form."""
    match = _CRON.match(text.strip())
    if match is None:
        return set()
    minute, hour = int(match[1]), int(match[2])
    days: set[int] = set()
    for part in match[3].lower().replace("*", "0-6").split(","):
        first, _, last = (_DAYS.get(one, one) for one in part.partition("-"))
        days |= {day % 7 for day in range(int(first), int(last or first) + 1)}
    if minute > 59 or hour > 23:
        return set()
    return {(day - 1) % 7 * _DAY + hour * 60 + minute for day in days}


def cron_triggers(
    schedule: Sequence[Window], zone: str, replicas: int, lead: int = LEAD_MINUTES
) -> list[dict[str, Any]]:
    """KEDA triggers that keep `replicas` in the windows, https://keda.sh/docs/latest/scalers/cron."""
    triggers = []
    for window in schedule:
        start, end = crons(window, lead)
        metadata = {
            "timezone": zone,
            "start": start,
            "end": end,
            "desiredReplicas": str(replicas),
        }
        triggers.append({"type": "cron", "metadata": metadata})
    return triggers


def cpu_trigger(target: float) -> dict[str, Any]:
    """KEDA trigger on CPU use as a share of what is requested."""
    metadata = {"value": str(round(target * 100))}
    return {"type": "cpu", "metricType": "Utilization", "metadata": metadata}


def scaled_object(
    resource: str,
    triggers: Sequence[dict[str, Any]],
    minimum: int,
    maximum: int,
    scaler: str = "",
) -> str:
    """The manifest of a KEDA ScaledObject, empty where `resource` is nothing that it may scale.

    `scaler` (KIND/NAMESPACE/NAME) is what scales it today: a ScaledObject keeps its name, and a
    HorizontalPodAutoscaler's place is taken,
    https://keda.sh/docs/latest/concepts/scaling-deployments.
    """
    kind, namespace, name = resource.split("/", 2)
    by, own = scaler.split("/", 1)[0], scaler.rsplit("/", 1)[-1]
    names = [one for one in (name, namespace, own) if one]
    if kind not in _SCALED or not all(_NAME.match(one) for one in names):
        return ""
    metadata: dict[str, Any] = {"name": own if by == "ScaledObject" else name}
    spec: dict[str, Any] = {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": kind, "name": name},
        "minReplicaCount": minimum,
        "maxReplicaCount": maximum,
    }
    if namespace:
        metadata["namespace"] = namespace
    if by == "HorizontalPodAutoscaler":
        metadata["annotations"] = {"scaledobject.keda.sh/transfer-hpa-ownership": "true"}
        spec["advanced"] = {"horizontalPodAutoscalerConfig": {"name": own}}
    spec["triggers"] = list(triggers)
    manifest = {
        "apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject", "metadata": metadata, "spec": spec
    }  # fmt: skip
    return str(yaml.safe_dump(manifest, sort_keys=False))
