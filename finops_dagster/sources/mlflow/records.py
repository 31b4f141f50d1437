"""What a tracking server and a store give alike: runs and model versions, in bounded batches.

Nothing of HTTP, SQL or days.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from finops_dagster.sources.text_files import printable

SYSTEM = "mlflow"
_LARGEST = 1.79e308
"""What MLflow's SQL store keeps of an infinite metric is the largest double, 1.797...e308:
mlflow.store.tracking.sqlalchemy_store, `log_metric`."""
_MS_LIMIT = 2**53
"""Milliseconds beyond this are no time; a text, a NaN or a float as well."""
_NO_USER = ("", "unknown")
"""What MLflow's clients write where they do not know the user."""


@dataclass(frozen=True)
class Window:
    """Which runs are wanted, in milliseconds since 1970.

    Those that ended at or after `ended_from`; those that started at or after `started_from`,
    ended or not; and those whose start, taken for seconds, would be at or after it.
    """

    ended_from: int
    started_from: int

    @property
    def seconds(self) -> tuple[int, int]:
        """The starts [first, end) that are seconds by mistake; the end is the year 2000 in ms."""
        return self.started_from // 1000, 946_684_800_000


class Tracker(Protocol):
    """One tracking server or store."""

    def runs(self, window: Window) -> Iterator[dict[str, Any]]:
        """Records by `run_record`; one may come twice. Raises Unavailable."""
        ...

    def versions(self) -> Iterator[dict[str, Any]]:
        """Records by `version_record`. Raises Unavailable."""
        ...


def run_record(
    run: Mapping[str, Any],
    experiment: str | None,
    metrics: Iterable[tuple[str, Any, Any]],
    params: Iterable[tuple[str, Any]],
    tags: Iterable[tuple[str, Any]],
) -> dict[str, Any]:
    """A row of RUN_RECORDS. `run` has run_id, run_name, user_id, status, lifecycle_stage,
    start_time, end_time; metrics are (key, value, milliseconds)."""
    tags_ = _texts(tags)
    named = dict(tags_)
    owner = run.get("user_id") or ""
    if owner in _NO_USER:
        owner = named.get("mlflow.user", "")
    return {
        "system": SYSTEM,
        "run_id": _text(run["run_id"]),
        "experiment": _text(experiment),
        "name": _text(run.get("run_name")) or named.get("mlflow.runName"),
        "owner": None if owner in _NO_USER else _text(owner),
        "status": _text(run.get("status")),
        "lifecycle": _text(run.get("lifecycle_stage")),
        "started_ms": milliseconds(run.get("start_time")),
        # 0 is what some clients write for no end
        "ended_ms": milliseconds(run.get("end_time")) or None,
        "metrics": sorted(
            (
                {"key": _text(key), "value": number(value), "time_ms": milliseconds(time)}
                for key, value, time in metrics
            ),
            key=lambda one: str(one["key"]),
        ),
        "params": _texts(params),
        "tags": tags_,
    }


def version_record(version: Mapping[str, Any], aliases: Iterable[str]) -> dict[str, Any]:
    """A row of VERSION_RECORDS. `version` has the names of MLflow's REST API."""
    stage = version.get("current_stage")
    created = milliseconds(version.get("creation_timestamp"))
    owner = version.get("user_id") or ""
    return {
        "registry": SYSTEM,
        "model": _text(version.get("name")),
        "version": _text(version.get("version")),
        "run_id": _text(version.get("run_id")) or None,
        "owner": None if owner in _NO_USER else _text(owner),
        "status": _text(version.get("status")),
        "stage": None if stage in (None, "", "None") else _text(stage),
        "aliases": ",".join(sorted(printable(alias) for alias in aliases)) or None,
        "created_ms": created,
        "updated_ms": milliseconds(version.get("last_updated_timestamp")) or created,
    }


def number(value: Any) -> float:
    """A metric's value, whether as JSON number, as `"NaN"` or as the store keeps infinity."""
    try:
        found = float(value)
    except (TypeError, ValueError, OverflowError):
        return math.nan
    return math.copysign(math.inf, found) if abs(found) >= _LARGEST else found


def milliseconds(value: Any) -> int | None:
    """A time in whole milliseconds, also where JSON has it as text; None of what is none."""
    try:
        found = int(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return found if abs(found) < _MS_LIMIT else None


def _text(value: Any) -> str | None:
    return None if value is None else printable(str(value))


def _texts(pairs: Iterable[tuple[str, Any]]) -> list[tuple[str, str]]:
    """Sorted by key; of a key that comes twice the last."""
    return sorted({printable(str(key)): _text(value) or "" for key, value in pairs}.items())
