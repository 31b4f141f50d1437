"""How sure budgets may be of their end: probabilities of exceeding them beside what came.

The budgets are the total and the teams of simulated accounts, for periods of 28 days that are as
long gone as is usual; what is planned for one is what the 28 days before cost, times a factor. A
forecast knows the days up to its origin. Beside it, a run rate says yes or no.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).parent))  # not there where a test runs this file
import cost_forecast as costs

from finops_dagster.defs.progress import own_peak_rss_bytes
from finops_dagster.domain.decisions import Abstained
from finops_dagster.engines.forecasting import forecast
from finops_dagster.engines.forecasting.sums import day_errors, sums
from finops_dagster.report.landing import Sum

PERIOD = 28
LEFT = (7, 14, 21, 28)
"""Days that are left of a period."""
FACTORS = (0.85, 0.9, 0.95, 0.98, 1.0, 1.02, 1.05, 1.1, 1.2)
"""Planned amounts, of what the period before cost."""
BINS = (0.0, 0.05, 0.2, 0.4, 0.6, 0.8, 0.95, 1.0)


def judged(series: pd.DataFrame, origins: int, threads: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Budgets (p, exceeded, run_rate) and landings (holds) of a seed, origins PERIOD days apart."""
    last = series["ds"].max()
    budgets, landings = [], []
    for back in range(origins, 0, -1):
        origin = last - pd.Timedelta(days=PERIOD * back)
        known = series[series["ds"] <= origin]
        result = forecast(
            known, horizon=PERIOD, frequency="daily", threads=threads, explain_steps=[1]
        )
        errors = day_errors(known, PERIOD, threads=threads)
        if isinstance(errors, Abstained):
            print(f"{origin.date()}: {errors.reason}", file=sys.stderr)
            continue
        days = result.frame.set_index("unique_id")
        for _, rows in sums(result.frame, errors).groupby(["unique_id", "ds"]):
            name, day = str(rows["unique_id"].iloc[0]), pd.Timestamp(rows["ds"].iloc[0])
            left = (day - origin).days
            if left not in LEFT:
                continue
            y = series.loc[series["unique_id"] == name].set_index("ds")["y"]
            told = Sum(day.date(), tuple(rows["probability"]), tuple(rows["value"]))
            truth = float(y[origin + pd.Timedelta(days=1) : day].sum())
            begun = origin - pd.Timedelta(days=PERIOD - left)
            spent = float(y[begun + pd.Timedelta(days=1) : origin].sum())
            before = float(y[begun - pd.Timedelta(days=PERIOD - 1) : begun].sum())
            rate = float(y[origin - pd.Timedelta(days=PERIOD - 1) : origin].mean())
            mine = days.loc[[name]].iloc[:left]
            landings.append(
                {
                    "left": left,
                    **{
                        f"coverage_{level}": told.quantile((100 - level) / 200)
                        <= truth
                        <= told.quantile((100 + level) / 200)
                        for level in (80, 95)
                    },
                    "days_added_95": mine["lo95"].sum() <= truth <= mine["hi95"].sum(),
                    "days_apart_95": abs(truth - mine["mean"].sum())
                    <= float(np.sqrt((((mine["hi95"] - mine["lo95"]) / 2) ** 2).sum())),
                    "error": abs(told.quantile(0.5) - truth) / (spent + truth),
                    "error_run_rate": abs(rate * left - truth) / (spent + truth),
                }
            )
            for factor in FACTORS:
                rest = factor * before - spent
                budgets.append(
                    {
                        "left": left,
                        "p": told.above(rest),
                        "exceeded": truth > rest,
                        "run_rate": rate * left > rest,
                    }
                )
    return pd.DataFrame(budgets), pd.DataFrame(landings)


def reliability(budgets: pd.DataFrame) -> list[dict[str, float]]:
    """Budgets by what was said of them: how many were exceeded."""
    bins = pd.cut(budgets["p"], list(BINS), include_lowest=True)
    rows = []
    for one, group in budgets.groupby(bins, observed=True):
        rows.append(
            {
                "from": max(0.0, round(float(one.left), 2)),
                "to": float(one.right),
                "said": round(float(group["p"].mean()), 4),
                "exceeded": round(float(group["exceeded"].mean()), 4),
                "n": len(group),
            }
        )
    return rows


def brier(budgets: pd.DataFrame, of: str) -> float:
    """Mean squared difference of what was said and what came (Brier 1950)."""
    off = budgets[of].astype(float) - budgets["exceeded"].astype(float)
    return round(float((off**2).mean()), 4)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[11, 12, 13, 14, 15])
    parser.add_argument("--days", type=int, default=700)
    parser.add_argument("--origins", type=int, default=9)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    began = time.perf_counter()
    made, landed = [], []
    for seed in arguments.seeds:
        print(f"budgets  seed {seed}", file=sys.stderr)
        series = costs.bill(seed, arguments.days)
        series = series[~series["unique_id"].str.startswith("service|")]
        budgets, landings = judged(series, arguments.origins, arguments.threads)
        made.append(budgets.assign(seed=seed))
        landed.append(landings.assign(seed=seed))
    budgets, landings = pd.concat(made), pd.concat(landed)
    base = float(budgets["exceeded"].mean())
    by_left = landings.groupby("left").mean(numeric_only=False).drop(columns="seed").astype(float)
    by_seed = landings.groupby("seed")[["coverage_80", "coverage_95"]].mean().astype(float)
    table = reliability(budgets)
    off = sum(abs(row["said"] - row["exceeded"]) * row["n"] for row in table) / len(budgets)
    answer: dict[str, Any] = {
        "benchmark": "budget_forecast",
        "machine": platform.platform(),
        "inputs": {
            "seeds": arguments.seeds,
            "days": arguments.days,
            "origins": arguments.origins,
            "period": PERIOD,
            "left": LEFT,
            "planned": FACTORS,
        },
        "seconds": round(time.perf_counter() - began, 2),
        "peak_rss_bytes": own_peak_rss_bytes(),
        "ours": {
            "budgets": len(budgets),
            "brier": brier(budgets, "p"),
            "brier_to_run_rate": round(brier(budgets, "p") / brier(budgets, "run_rate"), 4),
            "calibration_error": round(off, 4),
            "coverage_80": round(float(landings["coverage_80"].mean()), 4),
            "coverage_95": round(float(landings["coverage_95"].mean()), 4),
            "reliability": table,
            "by_days_left": by_left.round(4).to_dict("index"),
            "by_seed": by_seed.round(4).to_dict("index"),
        },
        "baselines": {
            "run_rate": {"brier": brier(budgets, "run_rate")},
            "share_exceeded": {"brier": round(base * (1 - base), 4)},
            "days_added": {"coverage_95": round(float(landings["days_added_95"].mean()), 4)},
            "days_apart": {"coverage_95": round(float(landings["days_apart_95"].mean()), 4)},
        },
    }
    if arguments.json:
        print(json.dumps(answer))
        return
    print(pd.DataFrame(table).to_string(index=False))
    print(by_left.round(4).to_string())
    print(by_seed.round(4).to_string())
    print(json.dumps({**answer["baselines"], "ours": answer["ours"]["brier"]}))


if __name__ == "__main__":
    main()
