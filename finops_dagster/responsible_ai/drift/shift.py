"""How far counts moved, into which bins values fall, and which days may change sides: arithmetic.

Numbers in, numbers out; what is judged together is told in `family`, what is drift in `judging`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import comb
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

TENTHS = 10
LEAST_PARTS, ROWS_A_PART = 4, 50
"""Few rows are cut into fewer parts than tenths: the chance level of the index is (parts - 1)
(1 / n + 1 / m) (B. Yurdakul and J. Naranjo 2020), and drowns a move where parts are many."""
SHOWN_CATEGORIES = 30
ROW_BLOCKS = 400
"""Blocks that rows are dealt into at random where nothing says which belong together."""
DAYS_A_YEAR = 365.25


def daily_level(false_alarms_per_year: float) -> float:
    """Chance of any alarm in one day's judgement that keeps to so many alarms a year.

    level = alarms / 365.25. Guaranteed, for any overlap of windows: the expected number of days
    with an alarm is the sum of the days' chances of one (expectations add whether or not days
    depend on each other), and an alarm, days of alarm in a row, has at least one day. So alarms
    are at most level x 365.25 a year. Fewer are seen, since an alarm lasts some days; by how much
    is measured only (`benchmarks/drift.py`). What the guarantee needs is that each day's chance
    is at most the level, see `family`.
    """
    return min(1.0, false_alarms_per_year / DAYS_A_YEAR)


def psi(reference: Floats, current: Floats) -> Floats:
    """Population stability index of counts over the last axis, with half a row in every bin.

    sum (q - p) ln(q / p), Siddiqi 2006; the half rows keep empty bins finite.
    """
    bins = reference.shape[-1]
    p = (reference + 0.5) / (reference.sum(axis=-1, keepdims=True) + 0.5 * bins)
    q = (current + 0.5) / (current.sum(axis=-1, keepdims=True) + 0.5 * bins)
    return np.asarray(np.sum((q - p) * np.log(q / p), axis=-1), dtype=np.float64)


def quantiles(ordered: Floats, shares: Floats) -> Floats:
    """Quantiles of numbers in order, linear between them: what numpy sorts for, once."""
    places = shares * (len(ordered) - 1)
    return np.asarray(np.interp(places, np.arange(len(ordered)), ordered), dtype=np.float64)


def bins_of_numbers(numbers: Floats) -> tuple[Ints, int]:
    """Bin of every number of both windows together, and the number of bins.

    Up to 20 distinct numbers are a bin each; more are cut into parts of equal size. Neither window
    is favoured, so that permuting rows between them is fair.
    """
    ordered = np.sort(numbers)
    steps = np.flatnonzero(np.diff(ordered) > 0)
    if len(steps) < 2 * TENTHS:
        edges = ordered[np.concatenate([[0], steps + 1])][1:] if len(ordered) else ordered
    else:
        parts = int(np.clip(len(numbers) // ROWS_A_PART, LEAST_PARTS, TENTHS))
        edges = np.unique(quantiles(ordered, np.linspace(0, 1, parts + 1)[1:-1]))
    return np.searchsorted(edges, numbers, side="right").astype(np.int64), len(edges) + 1


def index_of(reference: Any, current: Any) -> float:
    """The population stability index between two columns of values."""
    both = pd.concat([pd.Series(reference), pd.Series(current)], ignore_index=True)
    if pd.api.types.is_numeric_dtype(both):
        codes, count = bins_of_numbers(both.to_numpy(dtype="float64"))
    else:
        factors, values = pd.factorize(both)
        codes, count = np.asarray(factors, dtype=np.int64), max(1, len(values))
    sides = codes[: len(reference)], codes[len(reference) :]
    first, second = (np.bincount(side, minlength=count).astype(np.float64) for side in sides)
    return float(psi(first, second))


@dataclass(frozen=True)
class Blocks:
    """Which rows belong together, over the rows of the reference and then of what is judged."""

    codes: Ints
    """Block of every row, in order of time: those of the reference, then the others."""
    reference: int
    current: int
    """Number of blocks of either."""
    days: bool
    """Whether blocks are days, or rows that were dealt at random."""

    @property
    def count(self) -> int:
        return self.reference + self.current

    def tells(self, level: float) -> bool:
        """Whether a move can be surer than `level`: twice as many ways to part them as 1 / level.

        28 + 7 days can be parted in 6,724,520 ways, 7 + 3 in 120.
        """
        return self.reference > 0 < self.current and comb(self.count, self.current) * level >= 2

    def splits(self, permutations: int, seed: int) -> Floats:
        """Which blocks are current, as 0 and 1, one way a row: first as it is, then at random."""
        return _splits(self.reference, self.current, permutations, seed)

    def windows(self) -> tuple[Floats, Floats]:
        """Every run of as many blocks as are judged, and the reference without it; 0 and 1.

        One row for each window's last block in turn; the last is what is judged. Those that leave
        less than half of the reference to compare with are left out.
        """
        ends = np.arange(self.current - 1, self.count)
        places = np.arange(self.count)
        inside = (places <= ends[:, None]) & (places > ends[:, None] - self.current)
        rest = ~inside & (places < self.reference)
        kept = 2 * rest.sum(axis=1) >= self.reference
        return inside[kept].astype(np.float64), rest[kept].astype(np.float64)


@lru_cache(maxsize=8)
def _splits(reference: int, current: int, permutations: int, seed: int) -> Floats:
    rng = np.random.default_rng(seed)
    total = reference + current
    chosen = np.empty((permutations + 1, total))
    chosen[0] = np.arange(total) >= reference
    order = rng.random((permutations, total)).argsort(axis=1)
    chosen[1:] = order < current
    chosen.flags.writeable = False
    return chosen


def day_blocks(reference: Any, current: Any) -> Blocks:
    """Days as blocks. A day on both sides is two: cut in the middle it still is on two sides."""
    first, seen = pd.factorize(pd.Series(reference), sort=True)
    second, more = pd.factorize(pd.Series(current), sort=True)
    codes = np.concatenate([first, second + len(seen)]).astype(np.int64)
    return Blocks(codes, len(seen), len(more), days=True)


def row_blocks(reference: int, current: int, seed: int) -> Blocks:
    """Rows that are taken as independent, dealt at random into blocks of about one size.

    Where rows may change sides, so may sets of them that were drawn without looking.
    """
    size = max(1, (reference + current) // ROW_BLOCKS)
    counts = max(1, reference // size), max(1, current // size)
    rng = np.random.default_rng(seed)
    dealt = [rng.permutation(n) % k for n, k in zip((reference, current), counts, strict=True)]
    codes = np.concatenate([dealt[0], dealt[1] + counts[0]]).astype(np.int64)
    return Blocks(codes, *counts, days=False)
