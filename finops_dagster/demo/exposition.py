"""OpenMetrics text with a time on every sample: families in one file, written in bounded memory.

What the series say is decided by the caller. Format: OpenMetrics 1.0
(prometheus/OpenMetrics, specification/OpenMetrics.md).
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import IO, TypeAlias

import numpy as np

from finops_dagster.demo.noise import Floats, Ints
from finops_dagster.demo.seasons import FINE_MINUTES

Labels: TypeAlias = Mapping[str, str]

SCRAPES = (60.0, 210.0)
"""Seconds into each interval at which every target is scraped."""
_INTERVAL = FINE_MINUTES * 60.0


class Exposition:
    """Series over intervals that start at `minutes` (since 1970); those before `shown` are only
    counted up, not written.

    A family's lines must stand together, while series come by resource: each family is spooled to
    a file of its own, and `save` puts them one after the other.
    """

    def __init__(self, minutes: Ints, shown: int) -> None:
        self._shown = shown
        seconds = minutes[:, None] * 60 + np.array(SCRAPES, dtype=np.int64)
        self._times = np.array([f" {second}\n" for second in seconds.ravel()], dtype=object)
        self._spools: dict[tuple[str, str], IO[str]] = {}
        self._files = ExitStack()
        self.series = 0
        self.samples = 0

    def __enter__(self) -> Exposition:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._files.close()

    def gauge(self, metric: str, labels: Labels, values: Floats, start: int = 0) -> None:
        """A value for each interval from number `start` on; none where it is NaN."""
        self._write("gauge", metric, labels, np.repeat(values, len(SCRAPES)), start)

    def counter(self, metric: str, labels: Labels, rates: Floats, start: int = 0) -> None:
        """A counter that is 0 when interval `start` begins and then grows by `rates` a second."""
        began = np.concatenate(([0.0], np.cumsum(rates * _INTERVAL)[:-1]))
        points = began[:, None] + rates[:, None] * np.array(SCRAPES)
        self._write("counter", metric, labels, points.ravel(), start)

    def _write(self, kind: str, metric: str, labels: Labels, points: Floats, start: int) -> None:
        skipped = max(self._shown - start, 0) * len(SCRAPES)
        points = points[skipped:]
        times = self._times[start * len(SCRAPES) + skipped :][: len(points)]
        there = ~np.isnan(points)
        if not there.any():
            return
        inner = ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items())
        head = f"{metric}{{{inner}}} "
        self._spool(metric, kind).writelines(
            [
                f"{head}{point!r}{time}"
                for point, time in zip(points[there].tolist(), times[there].tolist(), strict=True)
            ]
        )
        self.series += 1
        self.samples += int(there.sum())

    def _spool(self, metric: str, kind: str) -> IO[str]:
        key = (metric.removesuffix("_total") if kind == "counter" else metric, kind)
        if key not in self._spools:
            self._spools[key] = self._files.enter_context(
                tempfile.TemporaryFile("w+", encoding="utf-8")
            )
        return self._spools[key]

    def save(self, out: Path) -> None:
        """Write all families to `out`, beside it first."""
        beside = out.with_name(f"{out.name}.tmp")
        with beside.open("w", encoding="utf-8") as file:
            for (family, kind), spool in sorted(self._spools.items()):
                file.write(f"# TYPE {family} {kind}\n")
                spool.seek(0)
                shutil.copyfileobj(spool, file, 1 << 20)
            file.write("# EOF\n")
        beside.replace(out)


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')
