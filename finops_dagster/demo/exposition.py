"""OpenMetrics text with a time on every sample: families in one file, written in bounded memory.

What the series say is decided by the caller. Format: OpenMetrics 1.0
(prometheus/OpenMetrics, specification/OpenMetrics.md).
"""

from __future__ import annotations

import shutil
import tempfile
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import IO, TypeAlias

import numpy as np

from finops_dagster.demo.noise import Floats, Ints
from finops_dagster.demo.seasons import FINE_MINUTES

Labels: TypeAlias = dict[str, str]

_INTERVAL = FINE_MINUTES * 60


class Exposition:
    """Series over intervals that start at `minutes` (since 1970), scraped every `scrape_seconds`.

    What lies before interval number `shown` is only counted up, not written. A family's lines
    must stand together, while series come by resource: each family is spooled to a file of its
    own in `scratch`, and `save` puts them one after the other.
    """

    def __init__(self, minutes: Ints, shown: int, scrape_seconds: int, scratch: Path) -> None:
        self._scratch = scratch
        self._shown = shown
        self._scrape = scrape_seconds
        self._per_interval = _INTERVAL // scrape_seconds
        first, last = int(minutes[0]) * 60, int(minutes[-1]) * 60 + _INTERVAL
        self._times = [f" {at}\n" for at in range(first, last + 1, scrape_seconds)]
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
        """A value throughout each interval from number `start` on; none where it is NaN."""
        self._write("gauge", metric, labels, np.repeat(values, self._per_interval), start)

    def counter(
        self, metric: str, labels: Labels, rates: Floats, start: int = 0, *, again: bool = False
    ) -> None:
        """A counter that is 0 when interval `start` begins and then grows by `rates` a second.

        Its last sample is at the end of its last interval. `again`: the same series counted
        something else up to now, whose end is its sample at this time.
        """
        totals = np.concatenate(([0.0], np.cumsum(rates * _INTERVAL)))
        inside = np.arange(self._per_interval) * float(self._scrape)
        points = np.append(totals[:-1, None] + rates[:, None] * inside, totals[-1])
        if again:
            points[0] = np.nan
        self._write("counter", metric, labels, points, start)

    def _write(self, kind: str, metric: str, labels: Labels, points: Floats, start: int) -> None:
        hidden = max(self._shown - start, 0) * self._per_interval
        first = start * self._per_interval + hidden
        shown = [
            (point, time)
            for point, time in zip(points[hidden:].tolist(), self._times[first:], strict=False)
            if point == point  # NaN is not
        ]
        if not shown:
            return
        inner = ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items())
        head = f"{metric}{{{inner}}} "
        self._spool(metric, kind).writelines([f"{head}{p!r}{time}" for p, time in shown])
        self.series += 1
        self.samples += len(shown)

    def _spool(self, metric: str, kind: str) -> IO[str]:
        key = (metric.removesuffix("_total") if kind == "counter" else metric, kind)
        if key not in self._spools:
            spool = tempfile.TemporaryFile(  # noqa: SIM115 - closed by exit
                "w+", encoding="utf-8", dir=self._scratch
            )
            self._spools[key] = self._files.enter_context(spool)
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
