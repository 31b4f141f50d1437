"""What a forecast of thousands of daily costs takes: seconds by stage and memory, by size.

Prints JSON with --json, else a table; progress goes to stderr. Each size is simulated and forecast
in a process of its own, so that its peak memory is its own; the history is in it. The floor is the
last seven values of each series repeated, from the same frame.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).parent))  # not there where a test runs this file
import processes

from finops_dagster.defs.progress import own_peak_rss_bytes
from finops_dagster.engines.forecasting import forecast
from finops_dagster.engines.forecasting.check import POOLED

LAST_DAY = "2026-06-30"
SEASON = 7
BLOCK = 5_000
"""Series made at a time."""


def costs(series: int, days: int, seed: int) -> pd.DataFrame:
    """unique_id (categorical), ds, y: levels from cents to thousands a day, with weekends, month
    ends, drift and noise; a third step up or down, a tenth are launched within, some are credits
    (below zero), zero on most days, or have days missing."""
    rng = np.random.default_rng(seed)
    stamps = pd.date_range(end=LAST_DAY, periods=days, freq="D")
    y = np.concatenate(
        [
            _block(rng, min(BLOCK, series - first), stamps)
            for first in range(0, series, BLOCK)
        ]
    )  # fmt: skip
    known = np.flatnonzero(np.isfinite(y))
    names = pd.Index([f"series {i:06d}" for i in range(series)])
    codes: Any = (known // days).astype(np.int32)  # pandas takes arrays, its types do not say so
    return pd.DataFrame(
        {
            "unique_id": pd.Categorical.from_codes(codes, names),
            "ds": stamps.to_numpy()[known % days],
            "y": y.reshape(-1)[known],
        }
    )


def _block(rng: np.random.Generator, n: int, stamps: pd.DatetimeIndex) -> np.ndarray:
    """Costs (series, day), NaN where there is none."""
    days = len(stamps)
    time_of = np.arange(days)

    def some(share: float) -> np.ndarray:
        return rng.random((n, 1)) < share

    def between(low: float, high: float) -> np.ndarray:
        return rng.uniform(low, high, (n, 1))

    noise = rng.normal(0, 1, (n, days))
    for day in range(1, days):
        noise[:, day] += 0.6 * noise[:, day - 1]
    level = np.exp(rng.normal(3, 2.5, (n, 1)))
    weekend = np.asarray(stamps.dayofweek >= 5, dtype=float)
    month_end = np.asarray(stamps.is_month_end, dtype=float)
    shape = 1 - between(0, 0.5) * weekend + some(0.2) * between(0, 2) * month_end
    drift = rng.normal(0, 0.001, (n, 1)) * time_of
    y = level * shape * np.exp(drift + between(0.02, 0.2) * noise)
    stepped = some(0.3) & (time_of >= rng.integers(0, days, (n, 1)))
    y *= np.where(stepped, np.exp(rng.normal(0, 0.7, (n, 1))), 1)
    y[some(0.05) & (rng.random((n, days)) < 0.7)] = 0.0
    y *= np.where(some(0.03), -1, 1)
    y[some(0.1) & (time_of < rng.integers(0, days, (n, 1)))] = np.nan
    y[some(0.05) & (rng.random((n, days)) < 0.03)] = np.nan
    return np.asarray(y)


def _floor(series: int, days: int, horizon: int, threads: int, seed: int) -> dict[str, Any]:
    """Seconds to give the last seven values of each series again and again."""
    history = costs(series, days, seed)
    began = time.perf_counter()
    last = history.groupby("unique_id", observed=True).tail(SEASON)
    step = last.groupby("unique_id", observed=True).cumcount()
    weeks = range(-(-horizon // SEASON))
    ahead = pd.concat([last.assign(step=step + 1 + SEASON * week) for week in weeks])
    rows = len(ahead.loc[ahead["step"] <= horizon])
    return {"floor_seconds": round(time.perf_counter() - began, 2), "floor_rows": rows}


def _forecast(series: int, days: int, horizon: int, threads: int, seed: int) -> dict[str, Any]:
    history = costs(series, days, seed)
    history_rss = own_peak_rss_bytes()
    before = time.process_time()
    result = forecast(history, horizon=horizon, frequency="daily", threads=threads)
    pooled = result.backtest.loc[result.backtest["unique_id"] == POOLED].set_index("model")
    measures = ["mase", "smape", "scaled_pinball", "coverage_80", "coverage_95"]
    return {
        "series": series,
        "rows": len(history),
        "seconds": round(result.record.seconds, 2),
        "processor_seconds": round(time.process_time() - before, 2),
        "stages": {name: round(s, 2) for name, s in result.record.stages.items()},
        "history_rss_bytes": history_rss,
        "forecast_rows": len(result.frame),
        "abstained": len(result.abstained),
        "rungs": {str(k): int(v) for k, v in result.rungs["rung"].value_counts().items()},
        "accuracy": {
            str(model): {name: round(float(pooled.loc[model, name]), 4) for name in measures}
            for model in pooled.index
        },
    }


STEPS: dict[str, Callable[..., dict[str, Any]]] = {"floor": _floor, "forecast": _forecast}


def measure(series: list[int], **given: int) -> dict[str, Any]:
    """Each size in turn; the figures at the top are the largest's."""
    sizes = []
    for count in series:
        print(f"forecast_scale  {count} series", file=sys.stderr)
        floor = processes.in_a_process(__file__, "floor", series=count, **given)
        ours = processes.in_a_process(__file__, "forecast", series=count, **given)
        sizes.append({**{name: floor[name] for name in ("floor_seconds", "floor_rows")}, **ours})
    largest = max(sizes, key=lambda one: int(one["series"]))
    return {
        "benchmark": "forecast_scale",
        "machine": platform.platform(),
        "inputs": {"series": series, **given},
        "seconds": largest["seconds"],
        "peak_rss_bytes": largest["peak_rss_bytes"],
        "ours": {"sizes": [{**one, "accuracy": one["accuracy"]["ours"]} for one in sizes]},
        "baselines": {"seasonal_naive": largest["accuracy"]["seasonal_naive"]},
        "floor": {"what": "seasonal naive", "seconds": largest["floor_seconds"]},
        "ratio_to_floor": round(largest["seconds"] / largest["floor_seconds"], 1),
    }


def _table(result: dict[str, Any]) -> str:
    told = {
        str(one["series"]): {
            "rows": one["rows"],
            **{f"{name}, s": seconds for name, seconds in one["stages"].items()},
            "all, s": one["seconds"],
            "processor, s": one["processor_seconds"],
            "floor, s": one["floor_seconds"],
            "history, MiB": one["history_rss_bytes"] // 2**20,
            "peak, MiB": one["peak_rss_bytes"] // 2**20,
            **one["accuracy"],
        }
        for one in result["ours"]["sizes"]
    }
    return str(pd.DataFrame(told).to_string(float_format=lambda x: f"{x:,.4g}"))


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--series", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--days", type=int, default=400)
    parser.add_argument("--horizon", type=int, default=30)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--child", type=json.loads, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        step = STEPS[arguments.child.pop("step")]
        print(json.dumps(step(**arguments.child)))
        return
    result = measure(
        arguments.series,
        days=arguments.days,
        horizon=arguments.horizon,
        threads=arguments.threads,
        seed=arguments.seed,
    )
    print(json.dumps(result) if arguments.json else _table(result))


if __name__ == "__main__":
    main()
