"""Fine series, a point at a time: what was never seen before, and what is far out.

Two classes that are never mixed: the first is for a feed of findings, the second may page. Series
of daily cost have channels of their own.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from finops_dagster.engines.anomalies.leaves import Floats
from finops_dagster.engines.known import mean, median, spread

MEMORY = 12_000
"""Points looked back on: six weeks at five minutes. What is older is forgotten, so that a day costs
the same however long a series has been watched."""
ALARM = 0.5
"""Score from which a point was never seen before; one for all series."""
FAR = 5.0
"""Robust z from which a point is far out."""

_WINDOW, _NEIGHBOURS = 48, 10
_SPREAD, _LEVEL, _SHAPE, _DAYS = 12, 96, 24, 7
_LEVEL_CLIP, _CLIP = 3.0, 10.0
_SPREAD_FLOOR = 0.05
_REFRESH = 12
"""Points between new medians and quantiles; they move slowly, and cost a sort."""
_NORMAL = 2.5631031310892007
"""q90 - q10 of a standard normal."""
_RANGE_SHARE = 0.01
_MARGINS = {"value": 0.01, "shape": 0.01, "spread": 0.1, "level": 0.1}
"""A record is news when it passes the old one by this share of what was seen between both ends.
Spread and level move so slowly that one record comes after another: they must pass by more."""
_SURPRISE, _SURPRISE_STEPS = 1.6, 3
"""-log10 p, mean of three steps: p of 0.025 three times in a row."""
_TAIL, _TAIL_LEAST, _REFIT = 0.01, 10, 20
_REST_SHARE = 0.2
"""Of the warm-up; points after an alarm that are of the same."""
_LOUDER = 10.0
"""Times as much news as there was since an alarm is another, in its rest too."""
_KEPT = ("values", "scaled", "norms", "distances", "surprises")
_TINY = 1e-9


@dataclass(frozen=True)
class Judged:
    """What is said of one point."""

    at: datetime
    value: float
    score: float
    """0 to 1; from ALARM on it was never seen before. 0 while warming up and where not known."""
    novel: bool
    """Whether this point begins an alarm: the points of a rest after it do not."""
    why: str
    """What about it is new: value, spread, level, shape or pattern; empty where nothing is."""
    z: float
    """Distance from the median of the past in robust standard deviations; NaN where not known."""
    far: bool


@dataclass
class _Record:
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
            width = max(self.high - self.low, _TINY * (1 + abs(self.high)))
            passed = max(figure - self.high, self.low - figure) / width
        self.low, self.high = min(self.low, figure), max(self.high, figure)
        return max(passed, 0.0)


class _Kept:
    """The last MEMORY figures of a stream; reading and adding cost the same for ever."""

    def __init__(self, figures: Iterable[float] = ()) -> None:
        given = np.fromiter(figures, dtype=float)
        self._figures = np.empty(2 * MEMORY)
        self._end = min(len(given), MEMORY)
        self._figures[: self._end] = given[len(given) - self._end :]

    def add(self, figure: float) -> None:
        if self._end == len(self._figures):
            self._figures[:MEMORY] = self._figures[MEMORY:]
            self._end = MEMORY
        self._figures[self._end] = figure
        self._end += 1

    @property
    def all(self) -> Floats:
        """A view, oldest first."""
        return self._figures[max(0, self._end - MEMORY) : self._end]

    def last(self, count: int) -> Floats:
        """The newest, fewer where there are not so many."""
        return self._figures[max(0, self._end - min(count, MEMORY)) : self._end]


@dataclass
class _Tail:
    """Generalised Pareto beyond the 99th percentile of distances, refitted every 20 points."""

    threshold: float = math.inf
    shape: float = 0.0
    scale: float = 0.0

    @classmethod
    def of(cls, distances: Floats) -> _Tail:
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
        if first - 2 * second <= _TINY * first:
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
        if abs(self.shape) < _TINY:
            return _TAIL * math.exp(-x)
        inside = 1 + self.shape * x
        return _TAIL * inside ** (-1 / self.shape) if inside > 0 else 0.0


@dataclass
class Watch:
    """One series watched: give it points in the order of time; it looks at nothing later."""

    step: timedelta
    """Between two points."""
    warm_up: int
    """Points from which it learns before it says anything."""
    seen: int = 0
    resting: int = 0
    loudest: float = 0.0
    """Most news since the last alarm."""
    last_at: datetime | None = None
    centre: float = math.nan
    unit: float = math.nan
    values: _Kept = field(default_factory=_Kept)
    scaled: _Kept = field(default_factory=_Kept)
    norms: _Kept = field(default_factory=_Kept)
    distances: _Kept = field(default_factory=_Kept)
    surprises: _Kept = field(default_factory=_Kept)
    tail: _Tail = field(default_factory=_Tail)
    records: dict[str, _Record] = field(
        default_factory=lambda: {name: _Record() for name in _MARGINS}
    )

    def state(self) -> dict[str, Any]:
        """Everything that the next verdict depends on, as numbers and arrays: see `restored`."""
        return {
            "step_seconds": self.step.total_seconds(),
            "warm_up": self.warm_up,
            "seen": self.seen,
            "resting": self.resting,
            "loudest": self.loudest,
            "last_at": None if self.last_at is None else self.last_at.isoformat(),
            "centre": self.centre,
            "unit": self.unit,
            "tail": np.array([self.tail.threshold, self.tail.shape, self.tail.scale]),
            "records": np.array([[one.low, one.high, one.known] for one in self.records.values()]),
            **{name: getattr(self, name).all.copy() for name in _KEPT},
        }

    @classmethod
    def restored(cls, state: Mapping[str, Any]) -> Watch:
        """A watch that goes on as the one whose `state` this is would."""
        last_at = state["last_at"]
        watch = cls(timedelta(seconds=float(state["step_seconds"])), int(state["warm_up"]))
        watch.seen, watch.resting = int(state["seen"]), int(state["resting"])
        watch.loudest = float(state["loudest"])
        watch.centre, watch.unit = float(state["centre"]), float(state["unit"])
        watch.last_at = None if last_at is None else datetime.fromisoformat(last_at)
        for name in _KEPT:
            setattr(watch, name, _Kept(state[name]))
        watch.tail = _Tail(*(float(one) for one in state["tail"]))
        watch.records = {
            name: _Record(float(low), float(high), int(known))
            for name, (low, high, known) in zip(_MARGINS, state["records"], strict=True)
        }
        return watch

    def judge(self, at: datetime, value: float) -> Judged:
        """The verdict on the next point; steps that were left out count as not known.

        Raises ValueError where `at` is not after the point before.
        """
        for _ in range(self._left_out(at)):
            self._point(math.nan)
        self.last_at = at
        news, z = self._point(value)
        why, most = max(news.items(), key=lambda one: one[1])
        warm = self.seen > self.warm_up
        score = most / (1 + most) if warm else 0.0
        novel = score >= ALARM and (self.resting == 0 or most > _LOUDER * self.loudest)
        if novel:
            self.resting, self.loudest = round(_REST_SHARE * self.warm_up), most
        elif self.resting:
            self.resting, self.loudest = self.resting - 1, max(self.loudest, most)
            score = min(score, ALARM * 0.999)
        return Judged(
            at, value, score, novel, why if score >= ALARM else "", z, warm and abs(z) >= FAR
        )

    def _left_out(self, at: datetime) -> int:
        if self.last_at is None:
            return 0
        if at <= self.last_at:
            raise ValueError(f"{at.isoformat()} is not after {self.last_at.isoformat()}")
        steps = max(round((at - self.last_at) / self.step) - 1, 0)
        day = max(round(timedelta(days=1) / self.step), 1)
        # a week of nothing blanks all that is looked at; beyond it only the time of day counts
        return steps if steps < _DAYS * day else _DAYS * day + steps % day

    def _point(self, value: float) -> tuple[dict[str, float], float]:
        """News of a point by kind, 1 where it is just an alarm, and its robust z."""
        value = value if math.isfinite(value) else math.nan
        far = (value - self.centre) / self.unit
        z = 0.0 if math.isnan(far) else min(max(far, -_CLIP), _CLIP)
        self.scaled.add(z)
        self.values.add(value)
        news: dict[str, float] = {}
        if not math.isnan(far):
            news = {
                name: self.records[name].beyond(figure, self.warm_up) / _MARGINS[name]
                for name, figure in self._figures().items()
            }
        news["pattern"] = self._pattern() / _SURPRISE
        self.seen += 1
        if self.seen % _REFRESH == 0 or self.seen <= _REFRESH:
            self._refresh()
        return news, far

    def _figures(self) -> dict[str, float]:
        """Figures of which records are kept.

        All are told in the present centre and unit: else what changed would be the ruler.
        """
        recent = self._in_units(self.values.last(_LEVEL))
        return {
            "value": float(self.values.last(1)[0]),
            "spread": math.log(_told(spread, recent[-_SPREAD:], _SPREAD) + _SPREAD_FLOOR),
            "level": _told(mean, np.clip(recent, -_LEVEL_CLIP, _LEVEL_CLIP), _LEVEL),
            "shape": self._shape(),
        }

    def _in_units(self, values: Floats) -> Floats:
        return np.clip((values - self.centre) / self.unit, -_CLIP, _CLIP)

    def _shape(self) -> float:
        """|mean of 24 steps less what the same times of the week before had|."""
        day = round(timedelta(days=1) / self.step)
        past = self._in_units(self.values.last(day * _DAYS + _SHAPE + 1))
        end = len(past)
        days = (end - _SHAPE - 1) // day
        if day < _SHAPE or days < 1:
            return math.nan
        back = [
            past[end - day * k - _SHAPE + aside : end - day * k + aside]
            for k in range(1, days + 1)
            for aside in (-1, 0, 1)
        ]
        return abs(_told(mean, past[-_SHAPE:] - median(np.stack(back), axis=0), _SHAPE))

    def _pattern(self) -> float:
        """Mean surprise of three steps at how far the last 48 are from the nearest before."""
        window = self.scaled.last(_WINDOW)
        if len(window) < _WINDOW:
            return 0.0
        norm = float(window @ window)
        before = self.scaled.all[:-_WINDOW]
        surprise = 0.0
        if len(before) >= _WINDOW + _NEIGHBOURS:
            products = np.correlate(before, window, "valid")
            norms = self.norms.all[: len(self.norms.all) - _WINDOW + 1][-len(products) :]
            square = np.maximum(norms + norm - 2 * products, 0.0)
            nearest = np.partition(square, _NEIGHBOURS - 1)[:_NEIGHBOURS]
            distance = round(float(np.sqrt(nearest).mean()), 6)
            surprise = self._surprise(distance)
        self.norms.add(norm)
        self.surprises.add(surprise)
        return float(self.surprises.last(_SURPRISE_STEPS).mean())

    def _surprise(self, distance: float) -> float:
        past = self.distances.all
        p = self.tail.p(distance)
        if p is None:
            p = (1 + int((past >= distance).sum())) / (len(past) + 1)
        self.distances.add(distance)
        if self.seen % _REFIT == 0:
            self.tail = _Tail.of(self.distances.all)
        return -math.log10(max(p, 1e-12))

    def _refresh(self) -> None:
        known = self.values.all
        known = known[np.isfinite(known)]
        if not len(known):
            return
        low, self.centre, high = (float(q) for q in np.quantile(known, (0.1, 0.5, 0.9)))
        span = float(known.max() - known.min())
        self.unit = max((high - low) / _NORMAL, _RANGE_SHARE * span, _TINY * (1 + abs(self.centre)))


def _told(of: Callable[[Floats], Floats], values: Floats, wanted: int) -> float:
    """A figure of the `wanted` newest values; NaN where fewer than half of them are known."""
    known = int(np.isfinite(values).sum())
    return float(of(values)) if len(values) == wanted and 2 * known >= wanted else math.nan
