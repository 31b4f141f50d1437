"""Forecast accuracy on series in M4's layout, beside the naive forecasts.

Prints one JSON object with --json, else a table. A test file is only ever scored against.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from pathlib import Path

import numpy as np
import pandas as pd

from finops_dagster.defs.progress import own_peak_rss_bytes
from finops_dagster.engines.forecasting import forecast

M4_SEASON = {"hourly": 24, "daily": 1, "weekly": 1}
"""Seasons that M4's own MASE, MSIS and Naive2 use (Makridakis, Spiliotis, Assimakopoulos 2020)."""
SEASON = {"hourly": 24, "daily": 7, "weekly": 52}
OFFSET = {"hourly": "h", "daily": "D", "weekly": "7D"}
LEVELS = (80, 95)
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
    columns = ["mean", "lo80", "hi80", "lo95", "hi95"]
    answers = {
        str(name): {c: group[c].to_numpy() for c in columns}
        for name, group in result.frame.groupby("unique_id")
    }
    pooled = result.backtest.loc[result.backtest["unique_id"] == "(pooled)"]
    record = {
        "seconds": round(result.record.seconds, 2),
        "training_rows": result.record.training_rows,
        "abstained": len(result.abstained),
        "backtest": pooled[["model", "mase", "smape", "coverage_80", "coverage_95"]].to_dict(
            "records"
        ),
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
        print(pd.DataFrame(table).drop(index="backtest").to_string())


if __name__ == "__main__":
    main()
