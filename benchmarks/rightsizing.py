"""Sizing rules held against demand they have not seen: saving against four kinds of shortage.

Prints one JSON object with --json, else a table. Inputs are arguments; nothing is fitted here.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from finops_dagster.defs.progress import own_peak_rss_bytes
from finops_dagster.engines.optimisation.rules import RULES, Tier

Rule = Callable[[np.ndarray], np.ndarray]
"""Training demand (workload, time) -> capacity (workload,)."""


def quantile(level: float, factor: float) -> Rule:
    """The quantile `level` of the training demand times `factor`."""
    return lambda demand: np.nanquantile(demand, level, axis=1) * factor


def peers() -> list[tuple[str, float, Rule]]:
    """Rule, dial and choice of the peers, by their own published defaults.

    KRR simple (P95, CPU), KRR's memory and simple_limit's max, VPA lower, target and upper x 1.15
    (as quantiles of equal weights: its decaying histogram has a day's half-life, so over a day or
    less the two are near), Goldilocks burstable = VPA's, Kubecost max over target use, AWS Compute
    Optimizer P99.5 + 20 %.
    """
    return [
        ("krr_simple_p95", 0.95, quantile(0.95, 1.0)),
        ("krr_simple_limit_p66", 0.66, quantile(0.66, 1.0)),
        ("krr_max_x1.15", 1.15, quantile(1.0, 1.15)),
        ("vpa_lower_p50_x1.15", 0.50, quantile(0.50, 1.15)),
        ("vpa_target_p90_x1.15", 0.90, quantile(0.90, 1.15)),
        ("vpa_upper_p95_x1.15", 0.95, quantile(0.95, 1.15)),
        ("kubecost_max_over_0.8", 0.80, quantile(1.0, 1 / 0.8)),
        ("kubecost_max_over_0.65", 0.65, quantile(1.0, 1 / 0.65)),
        ("kubecost_max_over_0.5", 0.50, quantile(1.0, 1 / 0.5)),
        ("compute_optimizer_p99.5_x1.2", 0.995, quantile(0.995, 1.2)),
    ]


def ours() -> list[tuple[str, float, Rule]]:
    """The engine's rules by environment; the dial is 1 for the most careful."""
    dials = {Tier.DEVELOPMENT: 3.0, Tier.STAGING: 2.0, Tier.PRODUCTION: 1.0}
    cpu = [
        (f"ours_cpu_{tier.value}", dials[tier], quantile(rule.cpu_quantile, rule.cpu_headroom))
        for tier, rule in RULES.items()
    ]
    memory = [
        (f"ours_memory_{tier.value}", dials[tier], _peak_and_drift(rule.memory_headroom))
        for tier, rule in RULES.items()
    ]
    return cpu + memory[:1]


def _peak_and_drift(headroom: float) -> Rule:
    """(max + upward drift of thirds) x headroom: the engine's memory rule."""

    def choose(demand: np.ndarray) -> np.ndarray:
        third = max(1, demand.shape[1] // 3)
        drift = np.nanmean(demand[:, -third:], 1) - np.nanmean(demand[:, :third], 1)
        return np.asarray((np.nanmax(demand, 1) + np.maximum(drift, 0)) * headroom)

    return choose


def replay(capacity: np.ndarray, demand: np.ndarray, whole: float) -> dict[str, float]:
    """What a choice saves of `whole` capacity, and how often and how much it falls short.

    saved_pct = mean share of `whole` given up; interval_breach_pct = intervals with demand above;
    workload_breach_pct = workloads with any; unmet_pct = demand above capacity over all demand.
    """
    capped = np.minimum(capacity, whole)
    over = np.nan_to_num(np.maximum(demand - capped[:, None], 0.0))
    known = np.isfinite(demand)
    breach = (over > 0) & known
    return {
        "saved_pct": round(100 * float(1 - capped.mean() / whole), 3),
        "interval_breach_pct": round(100 * float(breach.sum() / known.sum()), 4),
        "workload_breach_pct": round(100 * float(breach.any(1).mean()), 3),
        "unmet_pct": round(100 * float(over.sum() / np.nansum(demand)), 4),
    }


def pareto(rows: list[dict[str, object]]) -> list[str]:
    """Rules that no other one beats on the saving and all three shortages at once."""
    bad = ("interval_breach_pct", "workload_breach_pct", "unmet_pct")

    def beats(a: dict[str, object], b: dict[str, object]) -> bool:
        ends = [(-float(str(r["saved_pct"])), *(float(str(r[k])) for k in bad)) for r in (a, b)]
        return all(x <= y for x, y in zip(*ends, strict=True)) and ends[0] != ends[1]

    return [str(r["rule"]) for r in rows if not any(beats(other, r) for other in rows)]


def main() -> None:
    """Read the arguments, replay every rule, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--usage", type=Path, required=True, help="Parquet: workload, time, demand")
    parser.add_argument("--train-hours", type=float, required=True)
    parser.add_argument(
        "--capacity", type=float, help="what each workload has now (default: the largest demand, "
        "or 100 where all demand is at or under 100: percent)",
    )  # fmt: skip
    parser.add_argument("--choices-out", type=Path)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()

    started = time.perf_counter()
    usage = pd.read_parquet(args.usage, columns=["workload", "time", "demand"])
    read_seconds = time.perf_counter() - started
    usage = usage.sort_values(["workload", "time"], kind="stable")
    place = usage.groupby("workload", sort=True).cumcount()
    began = usage.groupby("workload")["time"].transform("min")
    train = usage["time"] - began < pd.Timedelta(hours=args.train_hours)
    table = usage.assign(place=place).pivot(index="workload", columns="place", values="demand")
    learnt = usage.loc[train].groupby("workload").size()
    if learnt.nunique() != 1:
        raise SystemExit("every workload needs the same number of samples in the training hours")
    demand = table.to_numpy(dtype=float)
    split = int(learnt.iloc[0])
    past, future = demand[:, :split], demand[:, split:]
    top = float(np.nanmax(demand))
    whole = args.capacity or (100.0 if top <= 100 else top)

    rows: list[dict[str, object]] = []
    choices = []
    for name, dial, rule in [*ours(), *peers()]:
        capacity = rule(past)
        rows.append({"rule": name, "dial": dial, **replay(capacity, future, whole)})
        choices.append(
            pd.DataFrame({"rule": name, "dial": dial, "workload": table.index,
                          "capacity": capacity})
        )  # fmt: skip
    if args.choices_out:
        pd.concat(choices).to_csv(args.choices_out, index=False)
    seconds = time.perf_counter() - started
    mine = [r for r in rows if str(r["rule"]).startswith("ours")]
    answer = {
        "benchmark": "rightsizing",
        "machine": f"{platform.machine()} {platform.system()} python {platform.python_version()}",
        "inputs": {
            "usage": args.usage.name,
            "workloads": len(table),
            "train_samples": split,
            "replay_samples": demand.shape[1] - split,
            "capacity": whole,
        },
        "seconds": round(seconds, 3),
        "peak_rss_bytes": own_peak_rss_bytes(),
        "ours": {"rows": mine, "engine": "quantile rules of the peers; no learnt risk model yet"},
        "baselines": {str(r["rule"]): r for r in rows if r not in mine},
        "rows": rows,
        "pareto": pareto(rows),
        "floor": {"what": "reading the file", "seconds": round(read_seconds, 3)},
        "ratio_to_floor": round(seconds / max(read_seconds, 1e-9), 2),
    }
    print(json.dumps(answer) if args.json else pd.DataFrame(rows).to_string(index=False))


if __name__ == "__main__":
    main()
