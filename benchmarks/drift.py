"""Drift alarms over simulated model-years: false ones where nothing changed, and planted shifts.

Every day of every year is judged as the product judges it, beside Evidently's defaults on the same
windows; a rule that is always alarmed also finds every shift at once. Prints one JSON object with
--json, else a table.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import time
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd

from finops_dagster.defs.progress import own_peak_rss_bytes
from finops_dagster.responsible_ai.drift.judging import judge_drift
from finops_dagster.responsible_ai.results import DriftResult

REFERENCE_DAYS, ANALYSIS_DAYS, WATCHED_DAYS = 28, 7, 28
WARM_UP = REFERENCE_DAYS + ANALYSIS_DAYS

Shift = Callable[[pd.DataFrame, np.random.Generator, int], None]
"""Changes rows of the days from `start` on, in place."""


def world(seed: int, days: int, per_day: int) -> pd.DataFrame:
    """Six inputs of one model: skewed, heavy, whole, rare and textual ones; days and weekdays
    differ by themselves, as they do in logs."""
    rng = np.random.default_rng(seed)
    day = np.repeat(np.arange(days), per_day)
    common = 0.15 * rng.normal(size=days)[day] + 0.2 * np.isin(day % 7, (5, 6))
    size = len(day)
    return pd.DataFrame(
        {
            "day": day,
            "score": rng.normal(size=size) + common,
            "amount": np.exp(rng.normal(size=size) + common),
            "wait": rng.pareto(1.5, size=size),
            "count": rng.poisson(3, size=size).astype(float),
            "rare": (rng.random(size) < 0.03).astype(float),
            "channel": rng.choice(["web", "app", "shop"], size=size, p=[0.5, 0.35, 0.15]),
        }
    )


def _later(frame: pd.DataFrame, start: int) -> Any:
    return frame["day"] >= start


def _move(deviations: float) -> Shift:
    def change(frame: pd.DataFrame, rng: np.random.Generator, start: int) -> None:
        frame.loc[_later(frame, start), "score"] += deviations

    return change


def _slowly(frame: pd.DataFrame, rng: np.random.Generator, start: int) -> None:
    frame["score"] += ((frame["day"] - start).clip(0, 28) / 28).to_numpy()


def _widen(frame: pd.DataFrame, rng: np.random.Generator, start: int) -> None:
    frame.loc[_later(frame, start), "score"] *= 2.0


def _unit(frame: pd.DataFrame, rng: np.random.Generator, start: int) -> None:
    frame.loc[_later(frame, start), "wait"] *= 3.0


def _channel(frame: pd.DataFrame, rng: np.random.Generator, start: int) -> None:
    chosen = _later(frame, start) & (rng.random(len(frame)) < 0.3)
    frame.loc[chosen, "channel"] = "kiosk"


def _lost(frame: pd.DataFrame, rng: np.random.Generator, start: int) -> None:
    frame.loc[_later(frame, start) & (rng.random(len(frame)) < 0.2), "amount"] = np.nan


def _segment(frame: pd.DataFrame, rng: np.random.Generator, start: int) -> None:
    frame.loc[_later(frame, start) & (frame["channel"] == "shop"), "score"] += 3.0


SHIFTS: dict[str, Shift] = {
    "mean +0.25 sd": _move(0.25),
    "mean +0.5 sd": _move(0.5),
    "mean +1 sd": _move(1.0),
    "mean +1 sd over 28 days": _slowly,
    "spread x 2": _widen,
    "heavy tail x 3 (unit)": _unit,
    "new category, 30 %": _channel,
    "missing, 20 %": _lost,
    "one segment (15 %) +3 sd": _segment,
}


def ours(reference: pd.DataFrame, current: pd.DataFrame, seed: int) -> bool:
    """Whether the product would warn or fail."""
    found = judge_drift("m", reference, current, block="day", seed=seed)
    return isinstance(found, DriftResult) and found.result != "pass"


def evidently(reference: pd.DataFrame, current: pd.DataFrame, share: float) -> bool:
    """Whether Evidently's defaults see drift in at least `share` of the columns."""
    from evidently.legacy.calculations.stattests.registry import get_stattest
    from evidently.legacy.core import ColumnType

    drifted = []
    for name in reference.columns.drop("day"):
        text = reference[name].dtype == object
        kind = ColumnType.Categorical if text else ColumnType.Numerical
        before, now = reference[name].dropna(), current[name].dropna()
        test = get_stattest(before, now, kind, None)
        drifted.append(test(before, now, kind, None).drifted)
    return float(np.mean(drifted)) >= share


RULES: dict[str, Callable[[pd.DataFrame, pd.DataFrame, int], bool]] = {
    "ours": ours,
    "evidently_any_column": lambda r, c, s: evidently(r, c, 1e-9),
    "evidently_half_of_columns": lambda r, c, s: evidently(r, c, 0.5),
}


seconds_of = dict.fromkeys(RULES, 0.0)


def judged(name: str, reference: pd.DataFrame, current: pd.DataFrame, seed: int) -> bool:
    """The rule's answer; the time it takes is added up."""
    started = time.perf_counter()
    answer = RULES[name](reference, current, seed)
    seconds_of[name] += time.perf_counter() - started
    return answer


def windows(frame: pd.DataFrame, first: int, last: int) -> Iterator[tuple[int, Any, Any]]:
    """Reference and analysis window of each day in [first, last)."""
    edges = np.searchsorted(frame["day"].to_numpy(), np.arange(last + 2))
    for day in range(first, last):
        begin, middle, end = (
            edges[day + 1 - WARM_UP],
            edges[day + 1 - ANALYSIS_DAYS],
            edges[day + 1],
        )
        yield day, frame.iloc[begin:middle], frame.iloc[middle:end]


def false_alarms(years: int, per_day: int, seed: int) -> dict[str, float]:
    """Alarms per model-year where nothing changed; days of alarm in a row are one alarm."""
    alarms = dict.fromkeys(RULES, 0)
    for year in range(years):
        frame = world(seed + year, 365 + WARM_UP, per_day)
        before = dict.fromkeys(RULES, False)
        for day, reference, current in windows(frame, WARM_UP, 365 + WARM_UP):
            for name in RULES:
                now = judged(name, reference, current, day)
                alarms[name] += now and not before[name]
                before[name] = now
    return {name: round(count / years, 3) for name, count in alarms.items()}


def power(runs: int, per_day: int, seed: int) -> dict[str, dict[str, dict[str, float | None]]]:
    """Per shift and rule: share found within 28 days, and the median delay in days."""
    found: dict[str, dict[str, dict[str, float | None]]] = {}
    start = WARM_UP
    for name, shift in SHIFTS.items():
        delays: dict[str, list[int]] = {rule: [] for rule in RULES}
        for run in range(runs):
            rng = np.random.default_rng([seed, run])
            frame = world(seed + 10_000 + run, start + WATCHED_DAYS, per_day)
            shift(frame, rng, start)
            waiting = set(RULES)
            for day, reference, current in windows(frame, start, start + WATCHED_DAYS):
                for rule in sorted(waiting):
                    if judged(rule, reference, current, day):
                        delays[rule].append(day - start + 1)
                        waiting.remove(rule)
        found[name] = {
            rule: {
                "power": round(len(hits) / runs, 3),
                "delay_days": float(statistics.median(hits)) if hits else None,
            }
            for rule, hits in delays.items()
        }
    return found


def main() -> None:
    """Read the arguments, simulate, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--years", type=int, default=3, help="model-years without any change")
    parser.add_argument("--runs", type=int, default=5, help="worlds per planted shift")
    parser.add_argument("--per-day", type=int, default=150, help="rows of a day")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    warnings.filterwarnings("ignore", category=DeprecationWarning)
    started = time.perf_counter()
    alarms = false_alarms(args.years, args.per_day, args.seed)
    shifts = power(args.runs, args.per_day, args.seed)
    floor = seconds_of["evidently_any_column"]
    answer = {
        "benchmark": "drift",
        "machine": f"{platform.machine()} {platform.system()} python {platform.python_version()}",
        "inputs": {
            "years": args.years,
            "runs": args.runs,
            "rows_per_day": args.per_day,
            "columns": 6,
            "reference_days": REFERENCE_DAYS,
            "analysis_days": ANALYSIS_DAYS,
            "seed": args.seed,
        },
        "seconds": round(time.perf_counter() - started, 1),
        "peak_rss_bytes": own_peak_rss_bytes(),
        "ours": _figures("ours", alarms, shifts),
        "baselines": {name: _figures(name, alarms, shifts) for name in RULES if name != "ours"},
        "floor": {"what": "Evidently's default tests on the same days", "seconds": round(floor, 1)},
        "ratio_to_floor": round(seconds_of["ours"] / floor, 2),
    }
    if args.json:
        print(json.dumps(answer, indent=1))
        return
    print("false alarms per model-year:", ", ".join(f"{n} {a:g}" for n, a in alarms.items()))
    for shift, by_rule in shifts.items():
        told = "  ".join(
            f"{rule} {figure['power']:.0%} in {figure['delay_days']} days"
            for rule, figure in by_rule.items()
        )
        print(f"{shift:28}{told}")


def _figures(
    rule: str,
    alarms: dict[str, float],
    shifts: dict[str, dict[str, dict[str, float | None]]],
) -> dict[str, Any]:
    return {
        "false_alarms_per_model_year": alarms[rule],
        "power": {shift: by_rule[rule]["power"] for shift, by_rule in shifts.items()},
        "delay": {shift: by_rule[rule]["delay_days"] for shift, by_rule in shifts.items()},
    }


if __name__ == "__main__":
    main()
