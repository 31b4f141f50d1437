"""What a demand history says of demand above a capacity, as numbers without a unit.

No model here: each number is a fact of the history, or of the history and the capacity.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from finops_dagster.engines.known import Floats, mean, spread
from finops_dagster.engines.optimisation.demand import quantiles, sorted_known

BLOCKS = 16
"""Equal parts of a history whose maxima are looked at: hours, where 16 hours are known."""
_LEVELS = (0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.975, 0.99, 0.995)
_RANKS = (1, 2, 3, 5, 8, 12, 15)
"""Of the block maxima, highest first; the highest of all is what they are divided by."""
SCALE_FLOOR = 0.01
"""Least scale of a workload, as a share of the fleet's unit: a near-zero scale has no meaning."""

FALLING, RISING, FREE = -1, 1, 0
_OF_CAPACITY = (FALLING,) * 5 + (RISING,) * 3
"""How P(demand > c) may move with each number of `at_capacity`, as all of them move with c."""


@dataclass(frozen=True)
class History:
    """What is known of n workloads of one length of history, per workload's own scale."""

    unit: float
    """The fleet's unit, in that of demand."""
    scale: Floats
    """(n,): the highest demand, in the unit of demand."""
    facts: Floats
    """(n, features): numbers that no capacity changes."""
    ordered: Floats
    known: np.ndarray
    blocks: Floats
    """(n, BLOCKS): maxima, rising."""
    late: Floats
    late_known: np.ndarray
    levels: Floats
    """(n, 5): mean, deviation, median, P95 and mean block maximum."""


def constraints(of: History) -> tuple[int, ...]:
    """XGBoost's monotone constraints for the rows of `rows`."""
    return (FREE,) * int(of.facts.shape[1]) + _OF_CAPACITY


def history(past: Floats, unit: float) -> History:
    """Features of `past` (workload, time), missing values allowed, at least BLOCKS columns.

    `unit` is an amount of demand that is usual in the fleet; it tells small workloads from large.
    """
    length = past.shape[1]
    scale = np.maximum(np.nanmax(past, axis=1), SCALE_FLOOR * unit)
    z = past / scale[:, None]
    ordered, known = sorted_known(z)
    starts = np.arange(BLOCKS) * length // BLOCKS
    maxima = np.fmax.reduceat(z, starts, axis=1)
    blocks = np.where(np.isnan(maxima), mean(maxima)[:, None], maxima)
    third, quarter, last = length // 3, length // 4, max(1, length // BLOCKS)
    early_part, late_part = z[:, :third], z[:, -third:]
    steps = np.diff(z, axis=1)
    ordered_steps, known_steps = sorted_known(steps)
    jumps = quantiles(ordered_steps, np.maximum(known_steps, 1), (0.99, 1.0))
    risen = np.sort(blocks, axis=1)
    levels = quantiles(ordered, known, _LEVELS)
    late, late_known = sorted_known(z[:, -quarter:])
    peak_place = np.nan_to_num(z, nan=-1.0).argmax(axis=1) / length
    facts = np.column_stack(
        [
            levels,
            risen[:, ::-1][:, _RANKS],
            blocks.mean(axis=1),
            blocks.std(axis=1),
            mean(z),
            spread(z),
            mean(late_part) - mean(early_part),
            blocks[:, -8:].max(axis=1),
            blocks[:, -4:].max(axis=1),
            blocks[:, -2:].max(axis=1),
            blocks[:, -4:].mean(axis=1) - blocks[:, :-4].mean(axis=1),
            mean(z[:, -last:]),
            mean(np.abs(steps)),
            np.log(scale / unit),
            peak_place,
            jumps,
            spread(late_part) - spread(early_part),
        ]
    )
    return History(
        unit=unit,
        scale=scale,
        facts=facts,
        ordered=ordered,
        known=known,
        blocks=risen,
        late=late,
        late_known=late_known,
        levels=np.column_stack(
            [mean(z), spread(z), levels[:, 2], levels[:, 5], blocks.mean(axis=1)]
        ),
    )


def rows(of: History, capacity: Floats) -> Floats:
    """(n x g, features) for capacities (n, g), in demand's unit; float32, as XGBoost holds it."""
    n, g = capacity.shape
    m = capacity / of.scale[:, None]
    average, deviation, median, p95, block = (of.levels[:, [i]] for i in range(5))
    every_block = np.full(n, BLOCKS)
    at = np.stack(
        [
            m,
            np.minimum((m - average) / (deviation + 1e-3), 30.0),
            np.minimum((m - median) / np.maximum(p95 - median, 0.01), 50.0),
            np.log(capacity / of.unit + 0.01),
            m / np.maximum(block, 0.02),
            exceedance(of.ordered, of.known, m),
            exceedance(of.blocks, every_block, m),
            exceedance(of.late, of.late_known, m),
        ],
        axis=2,
    )
    facts = np.broadcast_to(of.facts[:, None, :], (n, g, of.facts.shape[1]))
    return np.concatenate([facts, at], axis=2).reshape(n * g, -1).astype(np.float32)


def exceedance(ordered: Floats, known: np.ndarray, level: Floats) -> Floats:
    """Share of each row's known values above its levels (n, g); nan where none is known.

    `ordered`: rows rising, missing last.
    """
    below = np.stack(
        [
            np.searchsorted(row[:count], asked, side="right")
            for row, count, asked in zip(ordered, known, level, strict=True)
        ]
    )
    counts = known[:, None].astype(float)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(counts > 0, (counts - below) / counts, np.nan))
