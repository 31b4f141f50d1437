"""Forecast accuracy on series in M4's layout, beside what else there is to forecast with.

Prints one JSON object with --json, else a table; progress goes to stderr. A test file is only ever
scored against. The naive forecasts are always among the baselines, the others unless --baselines
says which.
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

from finops_dagster.defs.progress import own_peak_rss_bytes
from finops_dagster.engines.forecasting import forecast

M4_SEASON = {"hourly": 24, "daily": 1, "weekly": 1}
"""Seasons that M4's own MASE, MSIS and Naive2 use (Makridakis, Spiliotis, Assimakopoulos 2020)."""
SEASON = {"hourly": 24, "daily": 7, "weekly": 52}
OFFSET = {"hourly": "h", "daily": "D", "weekly": "7D"}
LEVELS = (80, 95)
SEASONS = {"hourly": [24, 168], "daily": [7], "weekly": [52]}
"""Cycles that MSTL takes apart."""
LAGS = {
    "hourly": [*range(1, 25), 48, 72, 144, 168],
    "daily": [*range(1, 15), 21, 28],
    "weekly": [*range(1, 14), 26, 52],
}
"""What mlforecast's model is given, of the series less its last season."""
LIBRARIES = ("auto_ets", "auto_theta", "mstl", "mlforecast")
COLUMNS = ("mean", "lo80", "hi80", "lo95", "hi95")
Z = {80: 1.2815515655446004, 95: 1.959963984540054}


def read(path: Path) -> dict[str, np.ndarray]:
    """Series by name from M4's layout: name, then values, blank after the last."""
    table = pd.read_csv(path, index_col=0)
    out = {}
    for name, values in zip(table.index, table.to_numpy(dtype=float), strict=True):
        known = np.flatnonzero(np.isfinite(values))
        out[str(name)] = values[: known[-1] + 1] if len(known) else values[:0]
    return out


def naive2(y: np.ndarray, season: int, horizon: int) -> np.ndarray:
    """M4's Naive2: the last value, seasonally adjusted where a 90 % autocorrelation test says so.

    Classical multiplicative decomposition, as in the competition's own benchmark code.
    """
    if season == 1 or len(y) < 3 * season or not _seasonal(y, season):
        return np.full(horizon, y[-1])
    if season % 2:
        window = np.ones(season) / season
    else:
        window = np.r_[0.5, np.ones(season - 1), 0.5] / season
    half = len(window) // 2
    trend = np.convolve(y, window, "valid")
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = y[half : half + len(trend)] / trend
    phase = (np.arange(half, half + len(trend))) % season
    index = np.array([np.nanmean(ratio[phase == p]) for p in range(season)])
    index = index / index.mean()
    if not np.isfinite(index).all() or (index <= 0).any():
        return np.full(horizon, y[-1])
    ahead = (len(y) + np.arange(horizon)) % season
    return np.asarray(y[-1] / index[(len(y) - 1) % season] * index[ahead])


def _seasonal(y: np.ndarray, season: int) -> bool:
    x = y - y.mean()
    total = float(x @ x)
    if total == 0:
        return False
    acf = np.array([float(x[k:] @ x[:-k]) / total for k in range(1, season + 1)])
    limit = 1.645 * np.sqrt((1 + 2 * float((acf[:-1] ** 2).sum())) / len(y))
    return bool(abs(acf[-1]) > limit)


def seasonal_naive(y: np.ndarray, season: int, horizon: int) -> dict[str, np.ndarray]:
    """The last season again, with normal intervals that widen with the cycles ahead."""
    season = min(season, len(y))
    steps = np.arange(horizon)
    mean = y[len(y) - season + steps % season]
    sigma = np.sqrt(np.mean((y[season:] - y[:-season]) ** 2)) if len(y) > season else 0.0
    out = {"mean": mean}
    for level, z in Z.items():
        width = z * sigma * np.sqrt(steps // season + 1)
        out[f"lo{level}"], out[f"hi{level}"] = mean - width, mean + width
    return out


def by_series(frame: pd.DataFrame) -> dict[str, dict[str, np.ndarray]]:
    """Mean and intervals of each series, of a frame in the order of time."""
    return {
        str(name): {c: group[c].to_numpy(dtype=float) for c in COLUMNS}
        for name, group in frame.groupby("unique_id")
    }


def library(
    name: str, train: dict[str, np.ndarray], freq: str, horizon: int, threads: int
) -> dict[str, dict[str, np.ndarray]]:
    """The forecasts of statsforecast or mlforecast, by their own defaults.

    mlforecast: XGBoost on lags of the series less its last season and scaled; intervals conformal
    by its own windows. A series that a model fails on gets the seasonal naive.
    """
    frame = pd.concat(
        [
            pd.DataFrame({"unique_id": key, "ds": np.arange(len(y)), "y": y})
            for key, y in train.items()
        ],
        ignore_index=True,
    )
    if name == "mlforecast":
        return _mlforecast(frame, freq, horizon, threads)
    from statsforecast import StatsForecast, models

    made: Any = models  # its constructors have no types
    season = SEASON[freq]
    model = {
        "auto_ets": lambda: made.AutoETS(season_length=season if season <= 24 else 1, alias=name),
        "auto_theta": lambda: made.AutoTheta(season_length=season, alias=name),
        "mstl": lambda: made.MSTL(season_length=SEASONS[freq], alias=name),
    }[name]()
    fallback = made.SeasonalNaive(season_length=season, alias="naive")
    runner = StatsForecast(models=[model], freq=1, n_jobs=threads, fallback_model=fallback)
    out = runner.forecast(df=frame, h=horizon, level=list(LEVELS))
    return by_series(_named(out, name))


def _mlforecast(
    frame: pd.DataFrame, freq: str, horizon: int, threads: int
) -> dict[str, dict[str, np.ndarray]]:
    import xgboost
    from mlforecast import MLForecast
    from mlforecast.target_transforms import Differences, LocalStandardScaler
    from mlforecast.utils import PredictionIntervals

    shortest = int(frame.groupby("unique_id").size().min())
    room = shortest - SEASON[freq] - 3 * horizon
    model = xgboost.XGBRegressor(n_estimators=300, learning_rate=0.06, max_depth=7, subsample=0.7,
                                 colsample_bytree=0.6, n_jobs=threads, random_state=0)  # fmt: skip
    learner = MLForecast(
        models={"mlforecast": model},
        freq=1,
        lags=[lag for lag in LAGS[freq] if lag < room] or [1],
        target_transforms=[Differences([SEASON[freq]]), LocalStandardScaler()],
        num_threads=threads,
    )
    learner.fit(frame, prediction_intervals=PredictionIntervals(n_windows=2, h=horizon))
    out = learner.predict(horizon, level=list(LEVELS))
    return by_series(_named(out, "mlforecast"))


def _named(out: pd.DataFrame, name: str) -> pd.DataFrame:
    ends = {f"{name}-{end}-{level}": f"{end}{level}" for end in ("lo", "hi") for level in LEVELS}
    return out.rename(columns={name: "mean", **ends}).sort_values(["unique_id", "ds"])


def ours(
    train: dict[str, np.ndarray], freq: str, horizon: int, threads: int
) -> tuple[dict[str, dict[str, np.ndarray]], pd.DataFrame, dict[str, object]]:
    """The engine's forecast of every series; times are made up so that all end together."""
    longest = max(len(y) for y in train.values())
    stamps = pd.date_range("2000-01-01", periods=longest, freq=OFFSET[freq])
    history = pd.concat(
        [
            pd.DataFrame({"unique_id": name, "ds": stamps[longest - len(y) :], "y": y})
            for name, y in train.items()
        ],
        ignore_index=True,
    )
    result = forecast(
        history,
        horizon=horizon,
        frequency=freq,  # type: ignore[arg-type]
        levels=LEVELS,
        explain_steps=(1,),
        scale_floor=1e-9,
        threads=threads,
    )
    answers = by_series(result.frame)
    pooled = result.backtest.loc[result.backtest["unique_id"] == "(pooled)"]
    record = {
        "seconds": round(result.record.seconds, 2),
        "training_rows": result.record.training_rows,
        "abstained": len(result.abstained),
        "rungs": {str(k): int(v) for k, v in result.rungs["rung"].value_counts().items()},
        "backtest": pooled.reindex(
            columns=["model", "mase", "smape", "coverage_80", "coverage_95"]
        ).to_dict("records"),
    }
    return answers, result.frame, record


def score(
    train: dict[str, np.ndarray],
    test: dict[str, np.ndarray],
    answers: dict[str, dict[str, np.ndarray]],
    season: int,
) -> dict[str, float]:
    """M4's measures, means over series: sMAPE (percent), MASE, MSIS at 95 %, coverage, pinball.

    pinball = mean quantile loss of the median and both intervals' ends over MASE's scale.
    """
    rows = []
    for name, actual in test.items():
        if name not in answers:
            continue
        y, f = train[name], answers[name]
        n = len(actual)
        error = np.abs(actual - f["mean"][:n])
        size = np.abs(actual) + np.abs(f["mean"][:n])
        row = {"smape": float(np.mean(200 * error / np.where(size > 0, size, 1)))}
        scale = float(np.mean(np.abs(y[season:] - y[:-season])))
        if scale > 0:
            row["mase"] = float(error.mean() / scale)
        losses = [error / 2]
        for level in LEVELS:
            if f"lo{level}" not in f:
                continue
            low, high = f[f"lo{level}"][:n], f[f"hi{level}"][:n]
            row[f"coverage_{level}"] = float(((actual >= low) & (actual <= high)).mean())
            tail = (1 - level / 100) / 2
            for bound, alpha in ((low, tail), (high, 1 - tail)):
                gap = actual - bound
                losses.append(np.maximum(alpha * gap, (alpha - 1) * gap))
            if level == 95 and scale > 0:
                under = np.maximum(low - actual, 0) + np.maximum(actual - high, 0)
                row["msis_95"] = float(np.mean(high - low + 2 / 0.05 * under) / scale)
        if len(losses) > 1 and scale > 0:
            row["pinball"] = float(np.mean(losses) / scale)
        rows.append(row)
    means = pd.DataFrame(rows).mean()
    return {"series": len(rows), **{str(k): round(float(v), 4) for k, v in means.items()}}


def main() -> None:
    """Read the arguments, forecast, score, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--train", type=Path, required=True)
    parser.add_argument("--test", type=Path, help="default: the last HORIZON values of the train")
    parser.add_argument("--freq", choices=sorted(SEASON), required=True)
    parser.add_argument("--horizon", type=int, required=True)
    parser.add_argument("--forecasts-out", type=Path)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--baselines", nargs="*", choices=LIBRARIES, default=LIBRARIES)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()

    started = time.perf_counter()
    train = read(args.train)
    if args.test:
        test = {k: v[: args.horizon] for k, v in read(args.test).items() if k in train}
    else:
        train = {k: v for k, v in train.items() if len(v) > 2 * args.horizon}
        test = {k: v[-args.horizon :] for k, v in train.items()}
        train = {k: v[: -args.horizon] for k, v in train.items()}
    season = M4_SEASON[args.freq]

    began = time.perf_counter()
    naive = {k: seasonal_naive(y, SEASON[args.freq], args.horizon) for k, y in train.items()}
    naive_seconds = time.perf_counter() - began
    second = {k: {"mean": naive2(y, season, args.horizon)} for k, y in train.items()}
    answers, frame, record = ours(train, args.freq, args.horizon, args.threads)
    # all are scored on the same series: those that ours answered
    test = {k: v for k, v in test.items() if k in answers}
    scores = {
        "ours": score(train, test, answers, season),
        "seasonal_naive": score(train, test, naive, season),
        "naive2": score(train, test, second, season),
    }
    for name in args.baselines:
        print(f"forecast  {name}", file=sys.stderr)
        began = time.perf_counter()
        # one model of all learns from all; the others are each of a series of their own
        asked = train if name == "mlforecast" else {k: train[k] for k in test}
        said = library(name, asked, args.freq, args.horizon, args.threads)
        scores[name] = score(train, test, said, season)
        scores[name]["seconds"] = round(time.perf_counter() - began, 2)
    for one in scores.values():
        one["owa"] = round(
            (one["smape"] / scores["naive2"]["smape"] + one["mase"] / scores["naive2"]["mase"]) / 2,
            4,
        )
    if args.forecasts_out:
        columns = ["unique_id", "step", "mean", "lo80", "hi80", "lo95", "hi95"]
        frame[columns].to_csv(args.forecasts_out, index=False)
    seconds = time.perf_counter() - started
    answer = {
        "benchmark": "forecast",
        "machine": f"{platform.machine()} {platform.system()} python {platform.python_version()}",
        "inputs": {
            "train": args.train.name,
            "test": args.test.name if args.test else "last of train",
            "freq": args.freq,
            "horizon": args.horizon,
            "series": len(train),
        },
        "seconds": round(seconds, 2),
        "peak_rss_bytes": own_peak_rss_bytes(),
        "ours": {**scores.pop("ours"), **record},
        "baselines": scores,
        "floor": {"what": "seasonal naive, all series", "seconds": round(naive_seconds, 4)},
        "ratio_to_floor": round(seconds / max(naive_seconds, 1e-9), 1),
    }
    if args.json:
        print(json.dumps(answer))
    else:
        table = {"ours": answer["ours"], **scores}
        print(pd.DataFrame(table).drop(index=["backtest", "rungs"]).to_string())


if __name__ == "__main__":
    main()
