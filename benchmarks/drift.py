"""Drift alarms over simulated model-years: false ones where nothing changed, and planted shifts.

Every day of every year is judged as the product judges it, with six inputs, six segments and
labels; beside it Evidently's defaults on the same windows. A rule that is always alarmed also
finds every shift at once. The same for the coverage of intervals. Prints one JSON object with
--json, else a table.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from itertools import starmap
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))  # not there where a test runs this file
from drift_coverage import coverage_figures
from drift_worlds import SEGMENTS, SHIFTS, World

from finops_dagster.defs.progress import own_peak_rss_bytes
from finops_dagster.responsible_ai.drift.reference import reference_choice
from finops_dagster.responsible_ai.drift.report import judge_model_drift
from finops_dagster.responsible_ai.drift.results import DriftReport
from finops_dagster.responsible_ai.results import DriftOptions
from finops_dagster.responsible_ai.windows import ModelWindow

REFERENCE_DAYS, ANALYSIS_DAYS, WATCHED_DAYS, YEAR = 28, 7, 28, 365
WARM_UP = REFERENCE_DAYS + ANALYSIS_DAYS
OURS = "ours"
EVIDENTLY = {"evidently_any_column": 1e-9, "evidently_half_of_columns": 0.5}
"""Evidently's defaults, alarmed from so large a share of drifted columns."""


def ours(reference: ModelWindow, current: ModelWindow) -> tuple[bool, frozenset[str]]:
    """Whether the product would warn or fail, and the kinds of drift that it names."""
    found = judge_model_drift(
        reference,
        current,
        (reference, current),
        task="classification",
        chosen=reference_choice(reference, asked_days=REFERENCE_DAYS),
        segments=SEGMENTS,
        seed=0,
    )
    if not isinstance(found, DriftReport):
        raise RuntimeError(found.reason)
    return found.result != "pass", frozenset(one.kind for one in found.drifted)


def evidently_share(reference: ModelWindow, current: ModelWindow) -> float:
    """Share of inputs and answers in which Evidently's defaults see drift."""
    from evidently.legacy.calculations.stattests.registry import get_stattest
    from evidently.legacy.core import ColumnType

    sides = [
        one.features.assign(prediction=one.outcomes["prediction"], p=one.outcomes["probability"])
        for one in (reference, current)
    ]
    drifted = []
    for name in sides[0].columns:
        kind = ColumnType.Categorical if sides[0][name].dtype == object else ColumnType.Numerical
        before, now = (side[name].dropna() for side in sides)
        test = get_stattest(before, now, kind, None)
        drifted.append(test(before, now, kind, None).drifted)
    return float(np.mean(drifted))


@dataclass
class Seen:
    """What one world's days were judged to be."""

    alarms: dict[str, int] = field(default_factory=dict)
    """Days of alarm in a row count once."""
    alarm_days: dict[str, int] = field(default_factory=dict)
    delay: dict[str, int] = field(default_factory=dict)
    """Days until the first alarm, by rule."""
    kinds: frozenset[str] = frozenset()
    """All kinds of drift that ours named."""
    seconds: dict[str, float] = field(default_factory=dict)
    days: dict[str, int] = field(default_factory=dict)

    def take(self, rule: str, day: int, alarmed: bool, before: bool, seconds: float) -> None:
        """Count one day of one rule."""
        self.alarms[rule] = self.alarms.get(rule, 0) + (alarmed and not before)
        self.alarm_days[rule] = self.alarm_days.get(rule, 0) + alarmed
        self.seconds[rule] = self.seconds.get(rule, 0.0) + seconds
        self.days[rule] = self.days.get(rule, 0) + 1
        if alarmed:
            self.delay.setdefault(rule, day)


def watched(world: World, first: int, last: int, beside: bool, enough: int = YEAR) -> Seen:
    """Judge days [first, last) of a world, by Evidently too if `beside`; no more once each rule has
    been alarmed for `enough` days."""
    seen = Seen()
    before: dict[str, bool] = {}
    for day in range(first, last):
        middle = day + 1 - ANALYSIS_DAYS
        reference = world.window(middle - REFERENCE_DAYS, middle)
        current = world.window(middle, day + 1)
        started = time.perf_counter()
        alarmed, kinds = ours(reference, current)
        answers = {OURS: (alarmed, time.perf_counter() - started)}
        seen.kinds |= kinds
        if beside:
            started = time.perf_counter()
            share = evidently_share(reference, current)
            took = time.perf_counter() - started
            answers |= {rule: (share >= least, took) for rule, least in EVIDENTLY.items()}
        for rule, (alarm, took) in answers.items():
            seen.take(rule, day - first + 1, alarm, before.get(rule, False), took)
            before[rule] = alarm
        if min(seen.alarm_days.values()) >= enough:
            break
    return seen


def calm(seed: int, year: int, per_day: int, beside: bool, resembling: bool) -> Seen:
    """One model-year in which nothing changed."""
    world = World((seed, year), YEAR + WARM_UP, per_day, resembling=resembling)
    return watched(world, WARM_UP, YEAR + WARM_UP, beside)


def planted(seed: int, run: int, name: str, per_day: int, beside: bool) -> Seen:
    """The four weeks after a shift."""
    days = WARM_UP + WATCHED_DAYS
    world = World((seed, 10_000 + run), days, per_day, SHIFTS[name], WARM_UP)
    return watched(world, WARM_UP, days, beside, enough=3)


def in_parallel(work: Callable[..., Seen], tasks: list[tuple[Any, ...]], cores: int) -> list[Seen]:
    """Each task's answer in order; worlds do not know each other, so cores change nothing."""
    if cores == 1:
        return list(starmap(work, tasks))
    # one process a core: threads of linear algebra would stand in each other's way
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ.setdefault(name, "1")
    context = multiprocessing.get_context("spawn")
    answers = []
    with ProcessPoolExecutor(cores, mp_context=context) as pool:
        for answer in pool.map(work, *zip(*tasks, strict=True)):
            answers.append(answer)
            if len(answers) % 10 == 0 or len(answers) == len(tasks):
                print(f"{work.__name__}: {len(answers)} of {len(tasks)} worlds", file=sys.stderr)
    return answers


def alarm_figures(rule: str, worlds: list[Seen]) -> dict[str, float]:
    """Alarms per model-year over worlds that were judged by `rule`."""
    judged = [one for one in worlds if rule in one.days]
    years = len(judged)
    return {
        "false_alarms_per_model_year": round(sum(s.alarms[rule] for s in judged) / years, 3),
        "alarm_days_per_model_year": round(sum(s.alarm_days[rule] for s in judged) / years, 3),
        "years": years,
    }


def power_figures(rule: str, shifts: dict[str, list[Seen]]) -> dict[str, Any]:
    """Share of worlds alarmed in four weeks and the median delay, by shift."""
    power, delay = {}, {}
    for name, worlds in shifts.items():
        judged = [one for one in worlds if rule in one.days]
        hits = [one.delay[rule] for one in judged if rule in one.delay]
        power[name] = round(len(hits) / len(judged), 3)
        delay[name] = float(statistics.median(hits)) if hits else None
    return {"power": power, "delay": delay}


def kind_figures(shifts: dict[str, list[Seen]]) -> dict[str, Any]:
    """How often ours named the kind of drift that was planted, and concept where there was none."""

    def share(kind: str, worlds: list[Seen]) -> float:
        return round(sum(kind in one.kinds for one in worlds) / len(worlds), 3)

    return {
        "named": {name: share(SHIFTS[name].kind, worlds) for name, worlds in shifts.items()},
        "concept_named_where_only_inputs_moved": {
            name: share("concept", worlds)
            for name, worlds in shifts.items()
            if SHIFTS[name].kind == "data" and not SHIFTS[name].unit_only
        },
    }


def main() -> None:
    """Read the arguments, simulate, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--years", type=int, default=2, help="model-years without any change")
    few = "worlds per planted shift; else a twentieth of the years, at least 3"
    parser.add_argument("--runs", type=int, default=0, help=few)
    beside = "years, and worlds per shift, that Evidently judges too"
    parser.add_argument("--evidently-years", type=int, default=2, help=beside)
    parser.add_argument("--per-day", type=int, default=200, help="answers of a day")
    parser.add_argument("--cores", type=int, default=min(2, os.cpu_count() or 1))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    runs = args.runs or max(3, args.years // 20)
    resembling = max(1, args.years // 20)
    started = time.perf_counter()

    def years(count: int, offset: int, resembles: bool) -> list[tuple[Any, ...]]:
        return [
            (args.seed, offset + y, args.per_day, y < args.evidently_years, resembles)
            for y in range(count)
        ]

    quiet = in_parallel(calm, years(args.years, 0, False), args.cores)
    alike = in_parallel(calm, years(resembling, 5_000, True), args.cores)
    tasks = [
        (args.seed, run, name, args.per_day, run < args.evidently_years)
        for name in SHIFTS
        for run in range(runs)
    ]
    found = in_parallel(planted, tasks, args.cores)
    shifts = {name: found[n * runs : (n + 1) * runs] for n, name in enumerate(SHIFTS)}
    everything = [*quiet, *alike, *found]
    a_day = {
        rule: sum(s.seconds.get(rule, 0.0) for s in everything)
        / max(1, sum(s.days.get(rule, 0) for s in everything))
        for rule in (OURS, *EVIDENTLY)
    }
    coverage = coverage_figures(args.years, max(20, args.years), args.seed)
    options = DriftOptions()
    floor = a_day["evidently_any_column"]
    answer = {
        "benchmark": "drift",
        "machine": f"{platform.machine()} {platform.system()} python {platform.python_version()}",
        "inputs": {
            "years": args.years,
            "runs_per_shift": runs,
            "years_whose_days_resemble_their_neighbours": resembling,
            "years_and_runs_judged_by_evidently": args.evidently_years,
            "rows_per_day": args.per_day,
            "columns": 6,
            "segments": 6,
            "reference_days": REFERENCE_DAYS,
            "analysis_days": ANALYSIS_DAYS,
            "seed": args.seed,
        },
        "seconds": round(time.perf_counter() - started, 1),
        "peak_rss_bytes": own_peak_rss_bytes(),
        "ours": {
            "stated_false_alarms_per_model_year": options.false_alarms_per_year,
            **alarm_figures(OURS, quiet),
            "where_days_resemble_their_neighbours": alarm_figures(OURS, alike),
            **power_figures(OURS, shifts),
            **kind_figures(shifts),
            "least_power": min(
                power
                for name, power in power_figures(OURS, shifts)["power"].items()
                if not SHIFTS[name].small
            ),
            "seconds_a_judgement": round(a_day[OURS], 3),
            "coverage": coverage.pop("ours"),
        },
        "baselines": {
            rule: {
                **alarm_figures(rule, quiet),
                "where_days_resemble_their_neighbours": alarm_figures(rule, alike),
                **power_figures(rule, shifts),
            }
            for rule in EVIDENTLY
            if args.evidently_years
        }
        | {f"coverage_{rule}": figures for rule, figures in coverage.items()},
        "floor": {
            "what": "Evidently's default tests of inputs and answers, whole alone, seconds a day",
            "seconds": round(floor, 3),
        },
        "ratio_to_floor": round(a_day[OURS] / floor, 2) if floor else None,
    }
    if args.json:
        print(json.dumps(answer, indent=1))
    else:
        show(answer)


def show(answer: dict[str, Any]) -> None:
    """The same for people."""
    beside = answer["baselines"]
    rules = {
        OURS: answer["ours"],
        **{name: one for name, one in beside.items() if not name.startswith("coverage_")},
    }
    for rule, figures in rules.items():
        alike = figures["where_days_resemble_their_neighbours"]
        print(
            f"{rule}: {figures['false_alarms_per_model_year']:g} false alarms per model-year over "
            f"{figures['years']} years; {alike['false_alarms_per_model_year']:g} where days "
            "resemble their neighbours"
        )
    print(f"{'share found in 28 days, median delay':40}" + "".join(f"{r:>28}" for r in rules))
    for name in answer["ours"]["power"]:
        cells = ""
        for figures in rules.values():
            delay = figures["delay"][name]
            days = "" if delay is None else f" in {delay:g} days"
            cells += f"{figures['power'][name]:.0%}{days}".rjust(28)
        print(f"{name:40}{cells}")
    binomial = beside["coverage_binomial_of_four_weeks"]
    for rule, figures in (("coverage, ours", answer["ours"]["coverage"]),
                          ("coverage, binomial test of four weeks", binomial)):  # fmt: skip
        print(f"{rule}: {figures['false_alarms_per_model_year']:g} false alarms per model-year")
        for name, power in figures["power"].items():
            delay = figures["delay"][name]
            print(f"  {name:38}{power:.0%}" + ("" if delay is None else f" in {delay:g} days"))
    for name, share in answer["ours"]["concept_named_where_only_inputs_moved"].items():
        print(f"concept drift named where only inputs moved, {name}: {share:.0%}")


if __name__ == "__main__":
    main()
