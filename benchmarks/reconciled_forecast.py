"""What making teams and services sum to their total does to forecasts of cost, before and after.

Accounts, series, origins and scores are those of `cost_forecast`.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
import time
from pathlib import Path
from typing import Any

import pandas as pd

sys.path.insert(0, str(Path(__file__).parent))  # not there where a test runs this file
import cost_forecast as costs
import forecast as accuracy

from finops_dagster.defs.progress import own_peak_rss_bytes
from finops_dagster.engines.forecasting import forecast
from finops_dagster.engines.forecasting.reconcile import hierarchies, reconcile

SCOPES = ("total", "team", "service")
FIGURES = ("mase", "coverage_80", "coverage_95")


def measure(series: pd.DataFrame, origins: int, threads: int) -> list[dict[str, Any]]:
    """Scores by scope, a row of each origin, scope and `before` or `after`."""
    last, rows = series["ds"].max(), []
    parts = series["unique_id"].str.split("|", n=2, expand=True)
    named = series.assign(scope=parts[0], currency=parts[1])
    for back in range(origins, 0, -1):
        origin = last - pd.Timedelta(days=costs.HORIZON * back)
        known = named[named["ds"] <= origin]
        result = forecast(
            known, horizon=costs.HORIZON, frequency="daily", threads=threads, explain_steps=[1]
        )
        ours = result.backtest.loc[result.backtest["model"] == "ours"]
        error = dict(zip(ours["unique_id"], ours["mae"], strict=True))
        held = reconcile(result.frame, result.contributions, error, list(hierarchies(known)))
        test = costs.ahead(series, origin)
        for when, frame in (("before", result.frame), ("after", held.frame)):
            said = accuracy.by_series(frame)
            for scope in SCOPES:
                mine = {name: y for name, y in test.items() if name.startswith(f"{scope}|")}
                train = {
                    str(name): part["y"].to_numpy()
                    for name, part in known.groupby("unique_id")
                    if name in mine and name in said
                }
                scored = accuracy.score(
                    train, {name: mine[name] for name in train}, said, costs.SEASON
                )
                rows.append(
                    {"scope": scope, "when": when, **{name: scored[name] for name in FIGURES}}
                )
        rows.append({"scope": "not held", "when": "after", "n": len(held.abstained)})
    return rows


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[11, 12, 13, 14, 15])
    parser.add_argument("--days", type=int, default=400)
    parser.add_argument("--origins", type=int, default=4)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    began = time.perf_counter()
    found = []
    for seed in arguments.seeds:
        print(f"reconciled  seed {seed}", file=sys.stderr)
        series = costs.bill(seed, arguments.days)
        found += [
            {"seed": seed, **row} for row in measure(series, arguments.origins, arguments.threads)
        ]
    rows = pd.DataFrame(found)
    scored = rows[rows["scope"].isin(SCOPES)]
    means = scored.groupby(["when", "scope"])[list(FIGURES)].mean().round(4)
    after, before = (
        {scope: {name: float(means[name][when][scope]) for name in FIGURES}
         for scope in SCOPES}
        for when in ("after", "before")
    )  # fmt: skip
    answer = {
        "benchmark": "reconciled_forecast",
        "machine": platform.platform(),
        "inputs": {
            "seeds": arguments.seeds,
            "days": arguments.days,
            "origins": arguments.origins,
            "horizon": costs.HORIZON,
        },
        "seconds": round(time.perf_counter() - began, 2),
        "peak_rss_bytes": own_peak_rss_bytes(),
        "ours": {
            **after,
            "groupings_not_held": int(rows["n"].sum()),
            "mase_to_before": {
                scope: round(after[scope]["mase"] / before[scope]["mase"], 4) for scope in SCOPES
            },
        },
        "baselines": {"each_by_itself": before},
    }
    if arguments.json:
        print(json.dumps(answer))
        return
    print(means.unstack("when").to_string())
    by_seed = scored.groupby(["seed", "scope", "when"])["mase"].mean().unstack(["scope", "when"])
    print(by_seed.round(4).to_string())


if __name__ == "__main__":
    main()
