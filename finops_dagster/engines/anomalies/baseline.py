"""What a series' figure was expected to be on a day, from the days before it alone.

Whether the deviation matters is for the channels to say.
"""

from __future__ import annotations

import calendar
from dataclasses import dataclass
from datetime import date

import numpy as np

from finops_dagster.engines.anomalies.leaves import Ring
from finops_dagster.engines.known import Floats, median

REACH = 182
"""Days looked back on: six months of residuals, four of them for days of the month."""
_SHARE_OF_MEDIAN = 0.02
"""asinh(cost / (2 % of median)): a logarithm for what is large, linear through zero, so that
credits and idle days need no special case."""
_CENT = 0.01
_MAD = 1.4826
"""Makes a median absolute deviation the standard deviation of a normal (1 / Phi^-1(3/4))."""
SCALE_FLOOR = 0.02
"""Two percent of cost: nothing smaller is a deviation worth a person's time."""
_UNIT_DAYS, _SCALE_DAYS, _WEEKS, _MONTHS, LEVEL_DAYS = 56, 70, 8, 4, 14
_LARGE = 4.0
"""Scales from which a deviation is remembered as one that comes again."""
_ALIKE = 0.7
_RUNS = 3
"""So many separate deviations as large, the same way, within six months are a habit."""
_LAST_DAYS = 3
"""Only the last days are counted from the month's end: else the 2nd of a long month would take
after the 1st of a shorter one."""
_QUARTER = 0.25
_RESTING_LEAVES = 5
"""Fewer leaves with a weekly pattern cannot tell a holiday from an anomaly."""
_RESTING_SHARE = 0.4


@dataclass(frozen=True)
class Expected:
    """Of one day, one value a series; NaN where too little is known."""

    z: Floats
    cost: Floats
    unit: Floats
    """Of the transform asinh(cost / unit)."""
    scale: Floats
    level: Floats
    """Transformed, without the weekday."""
    effect: Floats
    """What the weekday adds to it."""
    beyond: Floats
    """Transformed figure less what was expected."""
    habit: np.ndarray
    """Whether deviations as large have come several times before."""


class Baseline:
    """Goes through the days in order; a day costs the same however many came before."""

    def __init__(self) -> None:
        self.rings = {
            "figure": Ring(_UNIT_DAYS + 7, 0.0),
            "beyond": Ring(7 * _WEEKS + 1, np.nan),
            "effect": Ring(_UNIT_DAYS + 7, np.nan),
            "residual": Ring(REACH, np.nan),
            "money": Ring(REACH, np.nan),
        }

    def grow(self, rows: int) -> None:
        """Have so many series."""
        for ring in self.rings.values():
            ring.grow(rows)

    def step(self, figure: Floats, age: np.ndarray, day: date) -> Expected:
        """Judge a day's figures, then take them in; `age` is days since a series began.

        level = mean of 7- and 14-day medians, without weekdays; weekday = median of what 8 same
        weekdays had beyond their levels (Sunday's on a day that many leaves take for one); month
        day, where seen before; scale = MAD of 70 days, floor .02.
        """
        rings = self.rings
        before = rings["figure"].last(_UNIT_DAYS)
        unit = _unit(before)
        # the days before its first charge say nothing of a series' weeks
        own = age >= LEVEL_DAYS
        recent = np.arcsinh(before[:, -LEVEL_DAYS:] / unit[:, None])
        recent = recent - np.nan_to_num(rings["effect"].last(LEVEL_DAYS))
        level = (np.median(recent[:, -7:], axis=1) + np.median(recent, axis=1)) / 2
        level = np.where(own, level, np.nan)
        now = np.arcsinh(figure / unit)
        beyond = now - level
        effect = self._weekday(0)
        residuals = rings["residual"].last(REACH)
        past = residuals[:, -_SCALE_DAYS:]
        centre = median(past, 1)
        scale = np.fmax(_MAD * median(np.abs(past - centre[:, None]), 1), SCALE_FLOOR)
        sunday = self._sunday(beyond, effect, scale, day)
        rests = np.abs(beyond - sunday) < np.abs(beyond - effect)
        effect = np.where(rests, sunday, effect)
        usual = level + effect
        expected = usual.copy()
        for special in self._month_days(now, usual, unit, scale, day):
            nearer = np.abs(now - special) < np.abs(now - expected)
            expected = np.where(nearer, special, expected)
        left = now - expected
        habit = _habit(residuals, left, scale)
        residual = beyond - effect
        with np.errstate(over="ignore", invalid="ignore"):
            money = figure - unit * np.sinh(usual)
        rings["figure"].add(figure)
        # a holiday says nothing of other days of its weekday's name
        rings["beyond"].add(np.where(rests, np.nan, beyond))
        rings["effect"].add(effect)
        rings["residual"].add(residual)
        rings["money"].add(money)
        return Expected(
            left / scale, unit * np.sinh(expected), unit, scale, level, effect, left, habit
        )

    def _weekday(self, back: int) -> Floats:
        """Median of what the same weekday had beyond its level, of the day `back` before today."""
        beyond = self.rings["beyond"].last(7 * _WEEKS)
        # the newest column is yesterday: the same weekday of last week is six columns before it
        same = beyond[:, (7 * _WEEKS - 7 - back) % 7 :: 7]
        return np.asarray(np.nan_to_num(median(same, 1)))

    def _sunday(self, beyond: Floats, effect: Floats, scale: Floats, day: date) -> Floats:
        """Today's weekday effect, or the last Sunday's where many leaves look like theirs.

        A public holiday is no anomaly of any leaf: leaves with a weekly pattern go to their Sunday
        at once. No calendar is asked, so that every country's and company's days count.
        """
        back = (day.weekday() + 1) % 7
        if back == 0:
            return effect
        sunday = self._weekday(back)
        weekly = np.isfinite(beyond) & (np.abs(sunday - effect) > 4 * scale)
        if weekly.sum() < _RESTING_LEAVES:
            return effect
        far = np.abs(beyond - effect)
        rests = weekly & (far > 2 * scale) & (np.abs(beyond - sunday) < far / 2)
        return sunday if rests.sum() >= _RESTING_SHARE * weekly.sum() else effect

    def _month_days(
        self, now: Floats, usual: Floats, unit: Floats, scale: Floats, day: date
    ) -> list[Floats]:
        """What would be expected if today were like the same day of earlier months.

        A day of the month adds a share of the day's cost, or a fee whatever the day. Counted from
        the first of the month and from its end: some charges come on the last day. One earlier
        month is enough: that today is as large is the second witness.
        """
        out = []
        for backs in _same_days(day):
            earlier = np.stack([self.rings["residual"].back(back - 1) for back in backs], axis=1)
            fees = np.stack([self.rings["money"].back(back - 1) for back in backs], axis=1)
            large = np.abs(earlier) > _LARGE * scale[:, None]
            large &= np.sign(earlier) == np.sign(now - usual)[:, None]
            share = median(np.where(large, earlier, np.nan), 1)
            fee = median(np.where(large, fees, np.nan), 1)
            any_ = large.any(1)
            with np.errstate(over="ignore"):
                out.append(np.where(any_, usual + share, usual))
                out.append(np.where(any_, np.arcsinh(np.sinh(usual) + fee / unit), usual))
        return out


def _same_days(day: date) -> list[list[int]]:
    """Days back to the same day of earlier months, from the first and (last days) from the end."""
    length = calendar.monthrange(day.year, day.month)[1]
    starts, ends = [], []
    year, month = day.year, day.month
    for _ in range(_MONTHS):
        year, month = (year, month - 1) if month > 1 else (year - 1, 12)
        days = calendar.monthrange(year, month)[1]
        if day.day <= days:
            starts.append((day - date(year, month, day.day)).days)
        ends.append((day - date(year, month, days - min(length - day.day, days - 1))).days)
    return [starts, ends] if length - day.day < _LAST_DAYS else [starts]


def _unit(before: Floats) -> Floats:
    size = np.abs(before)
    return np.fmax(_SHARE_OF_MEDIAN * median(np.where(size > 0, size, np.nan), 1), _CENT)


def _habit(residuals: Floats, left: Floats, scale: Floats) -> np.ndarray:
    """Whether deviations alike in sign and size came in several separate runs before.

    Fees on no fixed day, jobs that run when they run: each is far from the median, and no news.
    """
    bound = np.maximum(_ALIKE * np.abs(left), _LARGE * scale)[:, None]
    large = residuals * np.sign(left)[:, None] >= bound
    begins = large[:, 1:] & ~large[:, :-1]
    return np.asarray(begins.sum(1) >= _RUNS)


@dataclass(frozen=True)
class Crept:
    """The slow statistic of one day, one value a series; NaN where too little is known."""

    score: Floats
    record: Floats
    """How often its own largest move was passed."""
    now: Floats
    before: Floats
    """The two levels (transformed)."""
    begun: np.ndarray
    """Days since it was a quarter of the way at most."""


class Slow:
    """The statistic of creep: the last week against earlier ones, over its own scale."""

    FLOOR = 0.012
    LAGGED, QUIET = 120, 14
    _LEAST = 30
    _BACK = (14, 21, 28, 35)
    _ONSET_DAYS = 30

    def __init__(self) -> None:
        self.moved = Ring(self.LAGGED + self.QUIET, np.nan)

    def step(self, base: Baseline, unit: Floats, age: np.ndarray, muted: np.ndarray) -> Crept:
        """The statistic of the newest day.

        Call after `base` took the day in. Trimmed mean of 7 days less the median of the means of
        the weeks that end 14 to 35 days before, both without weekdays, in MADs of the same over
        120 days that end two weeks before. What was `muted` is not learnt from.
        """
        days = max(self._BACK) + 7
        figures = base.rings["figure"].last(days)
        effect = np.nan_to_num(base.rings["effect"].last(days))
        plain = np.arcsinh(figures / unit[:, None]) - effect
        ordered = np.sort(plain[:, -7:], axis=1)
        now = ordered[:, 1:-1].mean(1)
        weeks = [plain[:, days - back - 7 : days - back].mean(1) for back in self._BACK]
        before = np.median(np.stack(weeks), axis=0)
        moved = np.where(age >= days + LEVEL_DAYS, now - before, np.nan)
        past = self.moved.last(self.LAGGED + self.QUIET)[:, : self.LAGGED]
        centre = median(past, 1)
        aside = np.abs(past - centre[:, None])
        scale = np.fmax(_MAD * median(aside, 1), self.FLOOR)
        largest = np.max(np.nan_to_num(aside), axis=1)
        known = np.isfinite(past).sum(1) >= self._LEAST
        self.moved.add(np.where(muted, np.nan, moved))
        away = np.where(known, moved - centre, np.nan)
        return Crept(
            away / scale,
            np.abs(away) / np.maximum(largest, self.FLOOR),
            now,
            before,
            _begun(plain[:, -self._ONSET_DAYS :], before, now - before),
        )


def _begun(plain: Floats, before: Floats, moved: Floats) -> np.ndarray:
    """Days since the median of three days was last within a quarter of the move."""
    three = np.median(np.lib.stride_tricks.sliding_window_view(plain, 3, axis=1), axis=2)
    share = (three - before[:, None]) * np.sign(moved)[:, None]
    near = share <= _QUARTER * np.abs(moved)[:, None]
    # a window that is near by its middle day ends a day after it
    back = near[:, ::-1].argmax(1)
    return np.asarray(np.where(near.any(1), back, near.shape[1]))
