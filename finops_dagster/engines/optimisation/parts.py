"""An estate's measurements in parts that fit in memory: all that is known of some workloads each.

Where the rows come from, and what is found in them, is known elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

PART_ROWS = 1_000_000
"""Rows of measurements held at a time: what is worked out of them takes about 1 GB."""
PART_WORKLOADS = 2_000
"""Workloads held at a time, however few rows they have: they have prices as well."""


@dataclass(frozen=True)
class Part:
    """Every row of some workloads and volumes."""

    measurements: pd.DataFrame
    """Columns of `fct_workload_measurements`."""
    prices: pd.DataFrame
    """What `unit_prices` returns."""


@dataclass(frozen=True)
class Measured:
    """What was measured of an estate, to be read part by part."""

    rows: Mapping[str, int]
    """Rows of each resource that is measured or billed."""
    read: Callable[[Sequence[str]], Part]
    """All that is known of some resources."""
    most_rows: int = PART_ROWS
    """Rows of a part, at most; a single workload may have more."""
    most_workloads: int = PART_WORKLOADS

    def parts(self, names: Iterable[str]) -> list[list[str]]:
        """These resources in the order of their names, cut so that each part fits."""
        out: list[list[str]] = []
        room = 0
        for name in sorted(names):
            room -= self.rows[name]
            if not out or room < 0 or len(out[-1]) == self.most_workloads:
                out.append([])
                room = self.most_rows - self.rows[name]
            out[-1].append(name)
        return out


def whole(measurements: pd.DataFrame, prices: pd.DataFrame) -> Measured:
    """An estate that is in memory already, as one part."""
    names = {str(one) for column in (measurements, prices) for one in column["resource"].unique()}
    part = Part(measurements, prices)
    return Measured(dict.fromkeys(names, 0), lambda _: part, most_workloads=len(names))
