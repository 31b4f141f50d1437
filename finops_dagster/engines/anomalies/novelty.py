"""Fine series, a point at a time: what was never seen before, and what is far out.

Two classes that are never mixed: the first is for a feed of findings, the second may page. Series
of daily cost have channels of their own; what is kept of a series is in `fine_memory`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from finops_dagster.engines.anomalies.fine_memory import MEMORY, TINY, Kept, Record, Tail
from finops_dagster.engines.known import Floats, mean, median, spread

ALARM = 0.5
"""Score from which a point was never seen before; one for all series."""
FAR = 5.0
"""Robust z from which a point is far out."""

_WINDOW, _NEIGHBOURS = 48, 10
_SPREAD, _LEVEL, _SHAPE, _DAYS = 12, 96, 24, 7
_LEVEL_CLIP, _CLIP = 3.0, 10.0
_SPREAD_FLOOR = 0.05
_REFRESH, _REFIT = 12, 20
"""Points between new medians and quantiles, and between new tails; they move slowly, and cost a
sort."""
_NORMAL = 2.5631031310892007
"""q90 - q10 of a standard normal."""
_RANGE_SHARE = 0.01
_MARGINS = {"value": 0.01, "shape": 0.01, "spread": 0.1, "level": 0.1}
"""A record is news when it passes the old one by this share of what was seen between both ends.
Spread and level move so slowly that one record comes after another: they must pass by more."""
_SURPRISE, _SURPRISE_STEPS = 1.6, 3
"""-log10 p, mean of three steps: p of 0.025 three times in a row."""
_REST_SHARE = 0.2
"""Of the warm-up; points after an alarm that are of the same."""
_LOUDER = 10.0
"""Times as much news as there was since an alarm is another, in its rest too."""
_QUANTUM = 2.0**-11
"""Grid of scaled values, so that 16 bits hold one. Sums of 48 products on it are exact in whatever
order they are added: points judged one by one or many at once agree."""
_DISTANCE = 1e6
"""Distances are told to the millionth, as whole numbers in a state."""


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
    centre: float = math.nan
    """That median."""


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
    values: Kept = field(default_factory=Kept)
    scaled: Kept = field(default_factory=Kept)
    norms: Kept = field(default_factory=Kept)
    products: Floats = field(default_factory=lambda: np.empty(0))
    """Of the last 48 with each 48 before them, for those of the next point."""
    distances: Kept = field(default_factory=Kept)
    surprises: list[float] = field(default_factory=list)
    """Of the last steps."""
    tail: Tail = field(default_factory=Tail)
    records: dict[str, Record] = field(
        default_factory=lambda: {name: Record() for name in _MARGINS}
    )

    @property
    def warm(self) -> bool:
        """Whether what it says of the next point counts."""
        return self.seen >= self.warm_up

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
            "records": np.array(
                [[one.low, one.high, one.known] for one in self.records.values()]
            ).ravel(),
            "surprises": np.array(self.surprises),
            "values": self.values.all.copy(),
            "scaled": np.rint(self.scaled.all / _QUANTUM).astype(np.int16),
            "distances": np.rint(self.distances.all * _DISTANCE).astype(np.int32),
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
        watch.values = Kept(state["values"])
        watch.scaled = Kept(np.asarray(state["scaled"]) * _QUANTUM)
        watch.distances = Kept(np.asarray(state["distances"]) / _DISTANCE)
        scaled = watch.scaled.all
        if len(scaled) >= _WINDOW:
            watch.norms = Kept(_squares(sliding_window_view(scaled, _WINDOW)))
        watch.surprises = [float(one) for one in state["surprises"]]
        watch.tail = Tail(*(float(one) for one in state["tail"]))
        watch.records = {
            name: Record(float(low), float(high), int(known))
            for name, (low, high, known) in zip(
                _MARGINS, np.reshape(state["records"], (-1, 3)), strict=True
            )
        }
        return watch

    def judge(self, at: datetime, value: float) -> Judged:
        """The verdict on the next point; steps that were left out count as not known.

        Raises ValueError where `at` is not after the point before.
        """
        return self.judge_all([at], [value])[0]

    def judge_all(self, times: Sequence[datetime], values: Sequence[float]) -> list[Judged]:
        """Verdicts on the next points, each by those before it: as `judge` of one after another.

        Raises ValueError where times do not go on, before anything is taken in.
        """
        lefts, last = [], self.last_at
        for at in times:
            lefts.append(self._left_out(last, at))
            last = at
        given: list[float] = []
        places: list[int] = []
        for left, value in zip(lefts, values, strict=True):
            given += [math.nan] * left
            places.append(len(given))
            given.append(value)
        self.last_at = last
        told = np.array(given, dtype=float)
        told[~np.isfinite(told)] = math.nan
        asked = dict(zip(places, zip(times, values, strict=True), strict=True))
        said: list[Judged] = []
        begin = 0
        while begin < len(told):
            end = min(begin + self._steady_for(), len(told))
            centre = self.centre
            for i, (news, z) in enumerate(self._points(told[begin:end]), begin):
                self.seen += 1
                if i in asked:
                    said.append(self._verdict(*asked[i], news, z, centre))
            if self.seen % _REFRESH == 0 or self.seen <= _REFRESH:
                self._refresh()
            begin = end
        return said

    def _left_out(self, last: datetime | None, at: datetime) -> int:
        if last is None:
            return 0
        if at <= last:
            raise ValueError(f"{at.isoformat()} is not after {last.isoformat()}")
        steps = max(round((at - last) / self.step) - 1, 0)
        day = max(round(timedelta(days=1) / self.step), 1)
        # a week of nothing blanks all that is looked at; beyond it only the time of day counts
        return steps if steps < _DAYS * day else _DAYS * day + steps % day

    def _steady_for(self) -> int:
        """Points until a new median or tail: all of them are measured by the same ruler."""
        if self.seen < _REFRESH:
            return 1
        return min(_REFRESH - self.seen % _REFRESH, (-self.seen) % _REFIT + 1)

    def _verdict(
        self, at: datetime, value: float, news: dict[str, float], z: float, centre: float
    ) -> Judged:
        why, most = max(news.items(), key=lambda one: one[1])
        warm = self.seen > self.warm_up
        score = most / (1 + most) if warm else 0.0
        novel = score >= ALARM and (self.resting == 0 or most > _LOUDER * self.loudest)
        if novel:
            self.resting, self.loudest = round(_REST_SHARE * self.warm_up), most
        elif self.resting:
            self.resting, self.loudest = self.resting - 1, max(self.loudest, most)
            score = min(score, ALARM * 0.999)
        why = why if score >= ALARM else ""
        return Judged(at, value, score, novel, why, z, warm and abs(z) >= FAR, centre)

    def _points(self, values: Floats) -> list[tuple[dict[str, float], float]]:
        """News of points by kind, 1 where it is just an alarm, and their robust z."""
        z = (values - self.centre) / self.unit
        self.values.extend(values)
        self.scaled.extend(np.rint(np.nan_to_num(np.clip(z, -_CLIP, _CLIP)) / _QUANTUM) * _QUANTUM)
        patterns = self._patterns(len(values))
        figures = self._figures(len(values)) if np.isfinite(z).any() else {}
        said = []
        for i, pattern in enumerate(patterns):
            news: dict[str, float] = {}
            if not math.isnan(z[i]):
                news = {
                    name: self.records[name].beyond(float(some[i]), self.warm_up) / _MARGINS[name]
                    for name, some in figures.items()
                }
            news["pattern"] = pattern / _SURPRISE
            said.append((news, float(z[i])))
        return said

    def _figures(self, count: int) -> dict[str, Floats]:
        """Figures of the newest points of which records are kept.

        All are told in the present centre and unit: else what changed would be the ruler.
        """
        recent = self._in_units(self.values.last(_LEVEL + count - 1))
        steady = np.clip(recent, -_LEVEL_CLIP, _LEVEL_CLIP)
        return {
            "value": self.values.last(count),
            "spread": np.log(_told(spread, recent, _SPREAD, count) + _SPREAD_FLOOR),
            "level": _told(mean, steady, _LEVEL, count),
            "shape": self._shapes(count),
        }

    def _in_units(self, values: Floats) -> Floats:
        return np.clip((values - self.centre) / self.unit, -_CLIP, _CLIP)

    def _shapes(self, count: int) -> Floats:
        """|mean of 24 steps less what the same times of the week before had| at the newest points.

        Of each of seven days before the 24 steps are looked at that are as old, one older and one
        younger.
        """
        day = round(timedelta(days=1) / self.step)
        reach = day * _DAYS + _SHAPE + 1
        past = self._in_units(self.values.last(reach + count - 1))
        if day < _SHAPE or len(past) < day + _SHAPE + 1:
            return np.full(count, math.nan)
        windows = sliding_window_view(past, _SHAPE)
        newest = np.arange(len(windows) - count, len(windows))[:, None]
        days = newest - day * np.arange(1, _DAYS + 1)
        back = windows[np.maximum(days, 1)[..., None] + np.array([-1, 0, 1])]
        back = np.where((days >= 1)[..., None, None], back, math.nan)
        usual = median(back.reshape(count, -1, _SHAPE), axis=1)
        return np.asarray(np.abs(_of_known(mean, windows[newest[:, 0]] - usual)))

    def _patterns(self, count: int) -> list[float]:
        """Mean surprise of three steps at how far the last 48 are from the nearest before."""
        span = self.scaled.last(MEMORY + count - 1)
        if len(span) < _WINDOW:
            return [0.0] * count
        windows = sliding_window_view(span, _WINDOW)[-count:]  # fewer where the first have no 48
        self.norms.extend(_squares(windows))
        said = [0.0] * (count - len(windows))
        for newest in range(len(span) - _WINDOW + 1 - len(windows), len(span) - _WINDOW + 1):
            distance = self._distance(span, newest)
            surprise = 0.0 if distance is None else self._surprise(distance)
            self.surprises = [*self.surprises, surprise][-_SURPRISE_STEPS:]
            said.append(sum(self.surprises) / len(self.surprises))
        if (self.seen + count - 1) % _REFIT == 0:
            self.tail = Tail.of(self.distances.all)
        return said

    def _distance(self, span: Floats, newest: int) -> float | None:
        """Mean distance of the 48 from `newest` on to their ten nearest before them in `span`.

        Of those that share no point with them and lie within MEMORY; None of fewer than 11.
        """
        low, high = max(0, newest + _WINDOW - MEMORY), newest - _WINDOW + 1
        if high <= _NEIGHBOURS:
            return None
        self.products = self._products(span, newest, low, high)
        norms = self.norms.last(len(span) - _WINDOW + 1)
        square = norms[low:high] + norms[newest] - 2 * self.products
        nearest = np.sort(np.partition(square, _NEIGHBOURS - 1)[:_NEIGHBOURS])
        return round(float(np.sqrt(nearest).mean()) * _DISTANCE) / _DISTANCE

    def _products(self, span: Floats, newest: int, low: int, high: int) -> Floats:
        """Of the 48 from `newest` on with the 48 from each start in [low, high) on.

        Made of those of the point before, which is exact on the grid (Zhu et al. 2016, STOMP).
        """
        window = span[newest : newest + _WINDOW]
        if not len(self.products):
            return np.correlate(span[low : high + _WINDOW - 1], window, "valid")
        first = max(low, 1)
        moved = (
            self.products[first - high :]
            - span[newest - 1] * span[first - 1 : high - 1]
            + window[-1] * span[first + _WINDOW - 1 : high + _WINDOW - 1]
        )
        return moved if first == low else np.append(window @ span[:_WINDOW], moved)

    def _surprise(self, distance: float) -> float:
        past = self.distances.all
        p = self.tail.p(distance)
        if p is None:
            p = (1 + int(np.count_nonzero(past >= distance))) / (len(past) + 1)
        self.distances.extend(np.array([distance]))
        return -math.log10(max(p, 1e-12))

    def _refresh(self) -> None:
        known = self.values.all
        known = known[np.isfinite(known)]
        if not len(known):
            return
        low, self.centre, high = (float(q) for q in np.quantile(known, (0.1, 0.5, 0.9)))
        span = float(known.max() - known.min())
        self.unit = max((high - low) / _NORMAL, _RANGE_SHARE * span, TINY * (1 + abs(self.centre)))


def _squares(windows: Floats) -> Floats:
    return np.asarray(np.einsum("ij,ij->i", windows, windows))


def _told(of: Callable[[Floats], Floats], values: Floats, wanted: int, count: int) -> Floats:
    """A figure of the `wanted` values up to each of the newest; NaN where not half are known."""
    missing = max(wanted + count - 1 - len(values), 0)
    padded = np.concatenate([np.full(missing, math.nan), values])
    told = _of_known(of, sliding_window_view(padded, wanted)[-count:])
    told[: max(min(missing, count), 0)] = math.nan
    return told


def _of_known(of: Callable[[Floats], Floats], windows: Floats) -> Floats:
    """A figure of each window; NaN where fewer than half of its values are known."""
    known = np.isfinite(windows).sum(-1)
    return np.where(2 * known >= windows.shape[-1], of(windows), math.nan)
