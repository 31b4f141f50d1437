"""Carbon intensity 96 hours ahead, from every midnight of a stretch, beside persistence.

Reads Parquet or CSV files below --grids whose names end in _emissions: `UTC time` and
`carbon_intensity`, hourly; a series a file. A model is trained again each --refit-days on what was
known then, all grids together, and knows neither weather nor what is planned to run.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from finops_dagster.defs.progress import own_peak_rss_bytes
from finops_dagster.engines.forecasting import Forecaster, fit
from finops_dagster.engines.known import mean

DAYS = 4
HOURS = 24 * DAYS
CONTEXT = timedelta(days=60)
"""Of history that a forecast is made from; more than the longest window looks back."""
Scores = dict[str, list[np.ndarray]]


def read(folder: Path) -> pd.DataFrame:
    """unique_id, ds, y of every grid and accounting; a repeated hour keeps its last value."""
    parts = []
    files = [*folder.rglob("*_emissions.parquet"), *folder.rglob("*_emissions.csv")]
    for file in sorted(files):
        table = pd.read_parquet(file) if file.suffix == ".parquet" else pd.read_csv(file)
        parts.append(
            pd.DataFrame(
                {
                    "unique_id": file.stem.removesuffix("_emissions"),
                    "ds": pd.to_datetime(table["UTC time"], utc=True).dt.tz_localize(None),
                    "y": table["carbon_intensity"].astype(float),
                }
            ).drop_duplicates("ds", keep="last")
        )
    if not parts:
        raise SystemExit(f"{folder}: no *_emissions.parquet or .csv")
    return pd.concat(parts, ignore_index=True)


def naive(known: np.ndarray) -> dict[str, np.ndarray]:
    """The last day again, the last week again, and the mean of the same hours of seven days."""
    week = known[-168:].reshape(7, 24)
    return {
        "persistence_24h": np.tile(week[-1], DAYS),
        "seasonal_naive_168h": known[-168 : -168 + HOURS],
        "mean_of_7_days": np.tile(week.mean(0), DAYS),
    }


def measure(
    history: pd.DataFrame, first: pd.Timestamp, last: pd.Timestamp, refit_days: int, threads: int
) -> tuple[dict[str, dict[str, Scores]], float]:
    """Errors and coverage by series and forecast, a row of four days an origin; seconds to fit."""
    wide = history.pivot(index="ds", columns="unique_id", values="y").asfreq("h")
    scores: dict[str, dict[str, Scores]] = {}
    model: Forecaster | None = None
    training = 0.0
    origins = pd.date_range(first, last - pd.Timedelta(hours=HOURS), freq="D")
    for number, origin in enumerate(origins):
        known = history[history["ds"] < origin]
        if number % refit_days == 0:
            print(f"forecast  trained on what was known on {origin.date()}", file=sys.stderr)
            began = time.perf_counter()
            made = fit(known, horizon=HOURS, frequency="hourly", scale_floor=1e-9, threads=threads)
            if not isinstance(made, Forecaster):
                raise SystemExit(f"cannot be trained: {made[0].reason}")
            model = made
            training += time.perf_counter() - began
        assert model is not None
        frame, _ = model.forecast(known[known["ds"] >= origin - CONTEXT])
        actual = wide.loc[origin : origin + pd.Timedelta(hours=HOURS - 1)]
        filled = wide.loc[: origin - pd.Timedelta(hours=1)].tail(168).ffill().bfill()
        for name, part in frame.groupby("unique_id"):
            truth = actual[name].to_numpy()
            said = {"ours": part["mean"].to_numpy(), **naive(filled[name].to_numpy())}
            for forecast, values in said.items():
                one = scores.setdefault(str(name), {}).setdefault(forecast, {})
                error = np.abs(truth - values)
                one.setdefault("mae", []).append(_by_day(error))
                with np.errstate(divide="ignore", invalid="ignore"):
                    share = np.where(truth != 0, error / np.abs(truth), np.nan)
                one.setdefault("mape", []).append(100 * _by_day(share))
            for level in (80, 95):
                low, high = part[f"lo{level}"].to_numpy(), part[f"hi{level}"].to_numpy()
                inside = np.where(np.isfinite(truth), (truth >= low) & (truth <= high), np.nan)
                ours = scores[str(name)]["ours"]
                ours.setdefault(f"coverage_{level}", []).append(_by_day(inside))
    return scores, training


def _by_day(values: np.ndarray) -> np.ndarray:
    return mean(values.reshape(DAYS, 24))


def summed(scores: dict[str, dict[str, Scores]]) -> dict[str, Any]:
    """Means over origins by forecast and series, by day ahead and over the four."""
    out: dict[str, Any] = {}
    for name, forecasts in scores.items():
        for forecast, measures in forecasts.items():
            for measure, rows in measures.items():
                days = np.nanmean(np.stack(rows), axis=0)
                told = out.setdefault(forecast, {}).setdefault(measure, {})
                told[name] = [*(round(float(d), 4) for d in days), round(float(days.mean()), 4)]
    for measures in out.values():
        for told in measures.values():
            told["mean"] = [round(float(x), 4) for x in np.mean(list(told.values()), axis=0)]
    return out


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--grids", type=Path, required=True)
    parser.add_argument("--first", type=pd.Timestamp, default=pd.Timestamp("2021-07-01"))
    parser.add_argument("--last", type=pd.Timestamp, default=pd.Timestamp("2022-01-01"))
    parser.add_argument("--refit-days", type=int, default=28)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    began = time.perf_counter()
    history = read(arguments.grids)
    scores, training = measure(
        history, arguments.first, arguments.last, arguments.refit_days, arguments.threads
    )
    told = summed(scores)
    ours = told.pop("ours")
    ours["mape_mean"] = ours["mape"]["mean"][-1]
    ours["coverage_95_mean"] = ours["coverage_95"]["mean"][-1]
    best = min(one["mape"]["mean"][-1] for one in told.values())
    answer = {
        "benchmark": "carbon_forecast",
        "machine": platform.platform(),
        "inputs": {
            "series": len(scores),
            "first": arguments.first.date().isoformat(),
            "last": arguments.last.date().isoformat(),
            "refit_days": arguments.refit_days,
        },
        "seconds": round(time.perf_counter() - began, 2),
        "training_seconds": round(training, 2),
        "peak_rss_bytes": own_peak_rss_bytes(),
        "ours": ours,
        "baselines": told,
        "ratio_to_floor": round(ours["mape_mean"] / best, 4),
    }
    if arguments.json:
        print(json.dumps(answer))
        return
    days = [*(f"day {day}" for day in range(1, DAYS + 1)), "mean"]
    mape = {"ours": ours["mape"], **{name: one["mape"] for name, one in told.items()}}
    means = {name: one["mean"] for name, one in mape.items()}
    print(f"MAPE, %\n{pd.DataFrame(means, index=days).T.round(2).to_string()}")
    by_series = {name: {key: row[-1] for key, row in one.items()} for name, one in mape.items()}
    print(f"\nMAPE of four days, %\n{pd.DataFrame(by_series).round(2).to_string()}")
    covered = {level: ours[f"coverage_{level}"]["mean"] for level in (80, 95)}
    print(f"\ncoverage\n{pd.DataFrame(covered, index=days).T.round(3).to_string()}")


if __name__ == "__main__":
    main()
