"""Coverage of 80 and 95 % intervals over simulated years: false alarms, and how soon a fall shows.

Eight series share what their days have in common, as teams of one company do. Beside it a
binomial test of the last four weeks, made every day at 5 %.
"""

from __future__ import annotations

import statistics
from typing import Any

import numpy as np
from numpy.typing import NDArray

from finops_dagster.responsible_ai.honesty.coverage import judge_coverage
from finops_dagster.responsible_ai.results import DriftOptions

LEVELS = (0.8, 0.95)
FALLS = {0.8: (0.7, 0.6, 0.4), 0.95: (0.9, 0.8, 0.6)}
"""Coverage after the fall, by what it should be."""
SERIES, YEAR, BEFORE, WATCHED, WEEKS = 8, 365, 200, 56, 28
_ALIKE = 0.5
"""Correlation of the errors of two series on one day."""
_TESTED_AT = 0.05

Floats = NDArray[np.float64]


def hits(rng: np.random.Generator, coverage: Floats) -> Floats:
    """Share of the series whose interval was right, by day, where `coverage` of errors are."""
    from scipy.stats import norm

    days = len(coverage)
    errors = np.sqrt(_ALIKE) * rng.normal(size=(days, 1))
    errors = errors + np.sqrt(1 - _ALIKE) * rng.normal(size=(days, SERIES))
    right = np.abs(errors) <= norm.ppf((1 + coverage) / 2)[:, None]
    return np.asarray(right.mean(axis=1), dtype=np.float64)


def by_betting(stream: Floats, level: float) -> list[int]:
    """Days of alarm of the product's test; both levels share the stated rate."""
    found = judge_coverage(
        stream,
        level,
        false_alarms_per_year=DriftOptions().false_alarms_per_year,
        streams=len(LEVELS),
    )
    return [alarm.at for alarm in found.alarms]


def by_binomial(stream: Floats, level: float) -> list[int]:
    """Days on which the last four weeks' hits are unlikely at 5 %, two-sided, each series and day
    taken as independent."""
    from scipy.stats import binom

    count = np.round(stream * SERIES).astype(np.int64)
    total = np.convolve(count, np.ones(WEEKS, dtype=np.int64), "valid")
    asked = WEEKS * SERIES
    odd = (binom.cdf(total, asked, level) <= _TESTED_AT / 2) | (
        binom.sf(total - 1, asked, level) <= _TESTED_AT / 2
    )
    return [int(day) for day in np.flatnonzero(odd) + WEEKS - 1]


def _in_a_row(days: list[int]) -> int:
    """Alarms: days in a row count once."""
    known = set(days)
    return sum(day - 1 not in known for day in days)


RULES = {"ours": by_betting, "binomial_of_four_weeks": by_binomial}


def coverage_figures(years: int, runs: int, seed: int) -> dict[str, dict[str, Any]]:
    """By rule: alarms a model-year where coverage is right, power and median delay of falls."""
    rng = np.random.default_rng([seed, 77])
    calm = {level: hits(rng, np.full(YEAR * years, level)) for level in LEVELS}
    fallen = {
        (level, low): [
            hits(rng, np.where(np.arange(BEFORE + WATCHED) < BEFORE, level, low))
            for _ in range(runs)
        ]
        for level in LEVELS
        for low in FALLS[level]
    }
    figures: dict[str, dict[str, Any]] = {}
    for name, rule in RULES.items():
        power: dict[str, float] = {}
        delay: dict[str, float | None] = {}
        for (level, low), streams in fallen.items():
            shift = f"{level:.0%} intervals hold {low:.0%}"
            later = [[at for at in rule(one, level) if at >= BEFORE] for one in streams]
            found = [min(days) - BEFORE + 1 for days in later if days]
            power[shift] = round(len(found) / runs, 3)
            delay[shift] = float(statistics.median(found)) if found else None
        alarms = sum(_in_a_row(rule(calm[level], level)) for level in LEVELS)
        figures[name] = {
            "false_alarms_per_model_year": round(alarms / years, 3),
            "power": power,
            "delay": delay,
        }
    return figures
