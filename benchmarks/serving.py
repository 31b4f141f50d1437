"""Forecasting with a model some days old beside one trained that day: error, coverage, time.

Simulated bills as the demo makes them; a day's forecast knows the days up to it alone. What follows
from the figures is told in docs/decisions.md.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).parent))  # not there where a test runs this file
from cost_forecast import bill

from finops_dagster.engines.forecasting import FAST, STANDARD, WIDE, ForecastResult, forecast

HORIZON = 30
SEASON = 7


def measured(result: ForecastResult, series: pd.DataFrame, origin: pd.Timestamp) -> dict[str, Any]:
    """Means over the pooled model's series of MASE and of coverage; seconds of all steps."""
    pooled = set(result.rungs.loc[result.rungs["rung"] == "pooled", "unique_id"])
    wide = series.pivot(index="ds", columns="unique_id", values="y")
    before = wide.loc[:origin]
    scale = before.diff(SEASON).abs().mean()
    told = result.frame.merge(series, on=["unique_id", "ds"])
    told = told.loc[told["unique_id"].isin(pooled)]
    told["error"] = (told["y"] - told["mean"]).abs() / told["unique_id"].map(scale)
    told = told.loc[np.isfinite(told["error"])]
    for level in (80, 95):
        told[f"coverage_{level}"] = told["y"].between(told[f"lo{level}"], told[f"hi{level}"])
    names = ["error", "coverage_80", "coverage_95"]
    found = told.groupby("unique_id")[names].mean().mean().to_dict()
    return {**found, "seconds": result.record.seconds}


def measure(seed: int, days: int, ages: list[int], origins: int) -> list[dict[str, Any]]:
    """One row an origin (two weeks apart) and age; age 0 is trained on the day itself."""
    series = bill(seed, days)
    series["ds"] = pd.to_datetime(series["ds"])
    newest = series["ds"].max()
    rows = []
    for back in range(origins):
        origin = newest - pd.Timedelta(days=HORIZON + 14 * back)
        known = series.loc[series["ds"] <= origin]
        for recipe in (STANDARD, WIDE, FAST):
            result = forecast(known, horizon=HORIZON, frequency="daily", recipe=recipe)
            rows.append({"seed": seed, "origin": f"{origin:%Y-%m-%d}", "recipe": recipe, "age": 0,
                         **measured(result, series, origin)})  # fmt: skip
        for age in ages:
            earlier = known.loc[known["ds"] <= origin - pd.Timedelta(days=age)]
            old = forecast(earlier, horizon=HORIZON, frequency="daily")
            if not old.artefact:
                continue
            served = forecast(known, horizon=HORIZON, frequency="daily", artefact=old.artefact)
            rows.append({"seed": seed, "origin": f"{origin:%Y-%m-%d}", "recipe": STANDARD,
                         "age": age, **measured(served, series, origin)})  # fmt: skip
    return rows


def main() -> None:
    """Print the figures as a table, or as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[11, 12])
    parser.add_argument("--days", type=int, default=395)
    parser.add_argument("--ages", type=int, nargs="+", default=[1, 7, 14, 28])
    parser.add_argument("--origins", type=int, default=4)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    started = time.perf_counter()
    frame = pd.DataFrame(
        [
            row
            for seed in asked.seeds
            for row in measure(seed, asked.days, asked.ages, asked.origins)
        ]
    )
    names = ["error", "coverage_80", "coverage_95", "seconds"]
    means = frame.groupby(["recipe", "age"])[names].mean()
    fresh = float(means["error"].to_dict()[STANDARD, 0])
    means["error_more"] = means["error"] / fresh - 1
    if asked.json:
        answer = {
            "rows": frame.to_dict("records"),
            "means": means.reset_index().to_dict("records"),
            "seconds": time.perf_counter() - started,
        }
        print(json.dumps(answer, indent=1))
    else:
        print(means.round(4).to_string())


if __name__ == "__main__":
    main()
