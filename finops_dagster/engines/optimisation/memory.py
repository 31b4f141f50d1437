"""The size of memory: the highest use, what it rose by, and a little room.

Processor time is sized by risk elsewhere; memory that runs out kills, so its peak is never cut.
"""

from __future__ import annotations

import numpy as np

from finops_dagster.engines.known import Floats, mean

POINTS = 2.0
"""Room above peak and drift, in percent of what is declared. On real pods this saved 46.4 % where
max x 1.15 saved 42.0 %, with as many intervals over and fewer pods with any (8.9 %, 11.4 %)."""


def memory_sizes(past: Floats, declared: Floats) -> Floats:
    """(n,) max + max(0, last-third mean - first-third mean) + POINTS % of `declared`.

    `past` (workload, time) in the unit of `declared` (n,), missing values allowed; a third without
    a sample counts as no drift. NaN where nothing was measured.
    """
    third = max(1, past.shape[1] // 3)
    drift = mean(past[:, -third:]) - mean(past[:, :third])
    peak = np.fmax.reduce(past, axis=1)
    return np.asarray(peak + np.fmax(drift, 0.0) + POINTS / 100 * declared)
