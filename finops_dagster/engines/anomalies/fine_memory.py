"""What a watched series remembers: its last figures, ends of its records, the tail of distances.

What is made of them is in `novelty`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from finops_dagster.engines.known import Floats

MEMORY = 12_000
"""Points looked back on: six weeks at five minutes, a year and four months of hours. What is older
is forgotten, so that a day costs the same however long a series has been watched."""
TINY = 1e-9

_TAIL, _TAIL_LEAST = 0.01, 10


@dataclass
class Record:
    """Ends of what a figure was until now."""

    low: float = math.inf
    high: float = -math.inf
    known: int = 0

    def beyond(self, figure: float, least: int) -> float:
        """How far past the ends, as a share of what lies between them; then taken in. Causal.

        0 until `least` figures are known: the first of them are all records.
        """
        if math.isnan(figure):
            return 0.0
        self.known += 1
        passed = 0.0
        if self.known > least:
            width = max(self.high - self.low, TINY * (1 + abs(self.high)))
            passed = max(figure - self.high, self.low - figure) / width
        self.low, self.high = min(self.low, figure), max(self.high, figure)
        return max(passed, 0.0)


class Kept:
    """The last MEMORY figures of a stream, in an array that grows with them up to that."""

    def __init__(self, figures: npt.ArrayLike = ()) -> None:
        self._figures = np.array(figures, dtype=float)[-MEMORY:]
        self._end = len(self._figures)

    def extend(self, figures: Floats) -> None:
        """Add the newest, oldest first."""
        if self._end + len(figures) > len(self._figures):
            held = self.all
            self._figures = np.empty(2 * (len(held) + len(figures)))
            self._figures[: len(held)] = held
            self._end = len(held)
        self._figures[self._end : self._end + len(figures)] = figures
        self._end += len(figures)

    @property
    def all(self) -> Floats:
        """A view, oldest first."""
        return self.last(MEMORY)

    def last(self, count: int) -> Floats:
        """A view of the newest, fewer where there are not so many.

        Beyond MEMORY only those are surely there that were of it before the last `extend`.
        """
        return self._figures[max(0, self._end - count) : self._end]


@dataclass
class Tail:
    """Generalised Pareto beyond the 99th percentile of distances."""

    threshold: float = math.inf
    shape: float = 0.0
    scale: float = 0.0

    @classmethod
    def of(cls, distances: Floats) -> Tail:
        """By probability-weighted moments (Hosking and Wallis 1987, eq. 4)."""
        if len(distances) * _TAIL < _TAIL_LEAST:
            return cls()
        threshold = float(np.quantile(distances, 1 - _TAIL))
        beyond = np.sort(distances[distances > threshold] - threshold)
        n = len(beyond)
        if n < _TAIL_LEAST:
            return cls()
        first = float(beyond.mean())
        second = float((beyond * (n - np.arange(1, n + 1)) / (n - 1)).mean())
        if first - 2 * second <= TINY * first:
            return cls()
        return cls(
            threshold,
            shape=2 - first / (first - 2 * second),
            scale=2 * first * second / (first - 2 * second),
        )

    def p(self, distance: float) -> float | None:
        """Chance of a distance so large or larger; None where the body of what was seen tells."""
        if not distance > self.threshold or self.scale <= 0:
            return None
        x = (distance - self.threshold) / self.scale
        if abs(self.shape) < TINY:
            return _TAIL * math.exp(-x)
        inside = 1 + self.shape * x
        return _TAIL * inside ** (-1 / self.shape) if inside > 0 else 0.0
