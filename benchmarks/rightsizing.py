"""Sizing rules held against demand they have not seen: saving against three kinds of shortage.

Each workload-day is learnt from in its first hours and replayed in the rest. Our risk model is
learnt from other workloads than those it is scored on. Prints one JSON object with --json, else
tables. Peers' rules are in a module of their own.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from finops_dagster.defs.progress import own_peak_rss_bytes
from finops_dagster.domain.decisions import Abstained
from finops_dagster.engines.known import Floats
from finops_dagster.engines.optimisation.demand import cleaned, why_not
from finops_dagster.engines.optimisation.memory import memory_sizes
from finops_dagster.engines.optimisation.risk import (
    DIALS,
    FleetModel,
    Workload,
    choose,
    digest,
    learn_fleet,
    size_by_risk,
)
from finops_dagster.engines.optimisation.risk_model import Curves

sys.path.insert(0, str(Path(__file__).parent))  # not there where a test runs this file
from sizing_peers import PEERS, Past

HALVES, FIFTHS = 2, 5
MANY = 1_000
"""So many workload-days are scored in halves, each by what the other half taught; fewer in fifths,
so that enough is left to learn from."""
SHORTAGES = ("interval_breach_pct", "workload_breach_pct", "unmet_pct")
MEASURES = ("saved_pct", *SHORTAGES)
_PART = 1_000


@dataclass(frozen=True)
class Days:
    """Workload-days to score: matrices (workload-day, interval), NaN where not measured."""

    names: list[str]
    machine: np.ndarray
    """A hash of the last part of each name: one machine on two days is on one side of a split."""
    past: Floats
    future: Floats
    hours: Floats
    """Of the past's intervals, since the day began."""
    left_out: dict[str, int]
    """Workload-days by the reason why no rule is scored on them."""


def read(path: Path) -> pd.DataFrame:
    """workload, time (UTC), demand of a Parquet or CSV file; ends the program where one is lost."""
    columns = ["workload", "time", "demand"]
    try:
        if path.suffix.lower() in (".parquet", ".pq"):
            usage = pd.read_parquet(path, columns=columns)
        else:
            usage = pd.read_csv(path, usecols=columns, dtype={"workload": str})
    except (ValueError, KeyError, OSError) as error:
        raise SystemExit(f"{path}: columns {', '.join(columns)} are needed: {error}") from error
    return read_frame(usage)


def read_frame(usage: pd.DataFrame) -> pd.DataFrame:
    """The rows that name a workload and a time, typed, sorted, the last of doubles.

    What is no number is missing demand. Ends the program where no row is left.
    """
    when = usage["time"]
    if pd.api.types.is_numeric_dtype(when):
        moments = pd.to_datetime(when, utc=True, errors="coerce", unit="s")
    else:
        moments = pd.to_datetime(when, utc=True, errors="coerce", format="mixed")
    demand = pd.to_numeric(usage["demand"], errors="coerce").astype(float)
    usage = usage.assign(time=moments, demand=demand)
    usage = usage.dropna(subset=["workload", "time"])
    if usage.empty:
        raise SystemExit("no row has a workload and a time")
    usage["workload"] = usage["workload"].astype(str)
    usage = usage.sort_values(["workload", "time"], kind="stable")
    return usage.drop_duplicates(["workload", "time"], keep="last")


def days_of(usage: pd.DataFrame, train_hours: float) -> Days:
    """Workload-days (24 hours from a workload's first row; the whole, where more is learnt from).

    The interval of the file is the median step between a workload's rows.
    """
    began = usage.groupby("workload")["time"].transform("min")
    age = (usage["time"] - began).dt.total_seconds() / 3600
    day = (age // 24).astype(int) if train_hours < 24 else pd.Series(0, index=usage.index)
    steps = age.groupby(usage["workload"]).diff()
    step = float(steps[steps > 0].median())
    if not np.isfinite(step):
        raise SystemExit("no workload has two rows at different times")
    place = np.round((age - 24 * day) / step).astype(int)
    key = usage["workload"].where(day == 0, usage["workload"] + "#" + day.astype(str))
    table = pd.DataFrame({"key": key, "place": place, "demand": usage["demand"]})
    table = table.drop_duplicates(["key", "place"], keep="last")
    matrix = table.pivot(index="key", columns="place", values="demand")
    split = int(np.ceil(train_hours / step - 1e-9))
    width = max(split + 1, int(place.max()) + 1)
    values = matrix.reindex(columns=range(width)).to_numpy(dtype=float)
    values[~np.isfinite(values) | (values < 0)] = np.nan
    names = [str(name) for name in matrix.index]
    left_out: dict[str, int] = {}
    kept = []
    for i, row in enumerate(values):
        why = why_not(cleaned(row[:split]))
        if not why and not np.isfinite(row[split:]).any():
            why = "nothing measured after the training hours"
        if why:
            reason = why.split(",")[0].split(":")[0] if why[0] == "d" else why
            left_out[reason] = left_out.get(reason, 0) + 1
        else:
            kept.append(i)
    if not kept:
        raise SystemExit(f"no workload-day can be scored: {left_out}")
    kept_names = [names[i] for i in kept]
    machine = [digest(name.split("#")[0].rsplit("/", 1)[-1]) for name in kept_names]
    return Days(
        names=kept_names,
        machine=np.array(machine),
        past=values[kept, :split],
        future=values[kept, split:],
        hours=np.arange(split) * step,
        left_out=left_out,
    )


def replay(capacity: Floats, future: Floats, whole: float) -> dict[str, float]:
    """What a choice saves of `whole` capacity, and how often and how much it falls short.

    saved_pct = mean share of `whole` given up; interval_breach_pct = intervals with demand above;
    workload_breach_pct = workloads with any; unmet_pct = demand above capacity over all demand.
    """
    over = np.nan_to_num(np.maximum(future - np.minimum(capacity, whole)[:, None], 0.0))
    known = np.isfinite(future)
    demand = float(np.nansum(future))
    return {
        "saved_pct": saved_pct(capacity, whole),
        "interval_breach_pct": round(100 * float((over > 0).sum() / known.sum()), 4),
        "workload_breach_pct": round(100 * float((over > 0).any(1).mean()), 3),
        "unmet_pct": round(100 * float(over.sum()) / demand, 4) if demand > 0 else 0.0,
    }


def saved_pct(capacity: Floats, whole: float) -> float:
    """Mean share of `whole` given up; needs no later demand."""
    return round(100 * (1 - float(np.minimum(capacity, whole).mean()) / whole), 3)


def dominates(a: dict[str, Any], b: dict[str, Any]) -> bool:
    """At least as good on all four measures, and better on one."""
    pairs = [(-a["saved_pct"], -b["saved_pct"]), *((a[k], b[k]) for k in SHORTAGES)]
    return all(x <= y for x, y in pairs) and any(x < y for x, y in pairs)


def pareto(rows: Sequence[dict[str, Any]]) -> list[str]:
    """Rules that no other one dominates."""
    return [str(r["rule"]) for r in rows if not any(dominates(other, r) for other in rows)]


class Ours:
    """Sizes by our engine of every workload-day, each learnt from other machines."""

    def __init__(self, days: Days) -> None:
        folds = HALVES if len(days.names) >= MANY else FIFTHS
        self._days = days
        self._fold = days.machine % folds
        with ThreadPoolExecutor(2) as pool:
            self._models = list(pool.map(self._learn, range(folds)))
        self._curves = [
            (np.flatnonzero(self._fold == k), model, self._told(k, model))
            for k, model in enumerate(self._models)
        ]

    def _learn(self, k: int) -> FleetModel | Abstained:
        others = np.flatnonzero(self._fold != k)
        return learn_fleet(
            [self._days.names[i] for i in others],
            [self._days.past[i] for i in others],
            [self._days.future[i] for i in others],
        )

    def _told(self, k: int, model: FleetModel | Abstained) -> Curves | None:
        if isinstance(model, Abstained):
            return None
        own = self._days.past[self._fold == k]
        parts = [model.curves(own[i : i + _PART]) for i in range(0, len(own), _PART)]
        return Curves(
            *(np.concatenate([getattr(p, name) for p in parts], axis=0)
              for name in ("capacity", "over", "any_over"))
        )  # fmt: skip

    @property
    def refusal(self) -> str:
        """Why any of the models abstained; empty where none did."""
        return next((m.reason for m in self._models if isinstance(m, Abstained)), "")

    def sizes(self, dial: float) -> tuple[Floats, dict[str, float]]:
        """Capacities at a dial, and the mean risks stated with them, as `replay` measures them."""
        n = len(self._days.names)
        capacity, over, any_over, overflow = (np.full(n, np.nan) for _ in range(4))
        for own, model, curves in self._curves:
            if isinstance(model, Abstained) or curves is None:
                asked = [Workload(self._days.names[i], self._days.past[i], dial) for i in own]
                found = size_by_risk(model, asked)
                capacity[own] = [np.nan if isinstance(s, Abstained) else s.capacity for s in found]
                continue
            at = choose(curves, np.full(own.size, dial), model.unit)[:, None]
            for into, values in (
                (capacity, curves.capacity),
                (over, curves.over),
                (any_over, curves.any_over),
                (overflow, curves.overflow),
            ):
                into[own] = np.take_along_axis(values, at, axis=1)[:, 0]
        if self.refusal:
            return capacity, {}
        known = np.isfinite(self._days.future).sum(1)
        return capacity, {
            "stated_interval_breach_pct": round(100 * float(np.average(over, weights=known)), 4),
            "stated_workload_breach_pct": round(100 * float(any_over.mean()), 3),
            "stated_unmet_pct": round(
                100 * float((overflow * known).sum() / np.nansum(self._days.future)), 4
            ),
        }

    def dial_that_saves(self, saved: float, whole: float) -> float | None:
        """The most careful dial that saves as much as `saved` percent; None where none does.

        Savings are known without later demand, so the dial is not chosen by what it is scored on.
        """
        low, high = 1e-2, 1e5
        if saved_pct(self.sizes(low)[0], whole) < saved:
            return None
        for _ in range(30):
            middle = float(np.sqrt(low * high))
            if saved_pct(self.sizes(middle)[0], whole) >= saved:
                low = middle
            else:
                high = middle
        return low


def against(
    ours: Ours, tens: list[dict[str, Any]], peer: dict[str, Any], days: Days, whole: float
) -> dict[str, Any]:
    """How a peer stands to our ten settings, and to the dial that saves as much as it does."""
    better = [row["dial"] for row in tens if dominates(row, peer)]
    dial = None if ours.refusal else ours.dial_that_saves(peer["saved_pct"], whole)
    answer: dict[str, Any] = {"peer": peer["rule"], "settings_better_on_all_four": better}
    if dial is None:
        return answer | {"at_equal_saving": None}
    row = {"dial": round(dial, 4), **replay(ours.sizes(dial)[0], days.future, whole)}
    fewer = [k for k in SHORTAGES if row[k] < peer[k]]
    return answer | {
        "at_equal_saving": row,
        "fewer": fewer,
        "better_on_all_four": dominates(row, peer),
    }


def usual_whole(top: float) -> float:
    """What demand is a share of: 1 or 100 where the highest is in the upper half of it, else it."""
    return next((whole for whole in (1.0, 100.0) if whole / 2 < top <= whole), top)


def measure(days: Days, whole: float, first_bucket: float) -> dict[str, Any]:
    """Every rule's row, the front, and peer by peer the settings that beat it."""
    past = Past(days.past, days.hours, first_bucket)
    peers = [
        {"rule": name, **replay(rule(past), days.future, whole)} for name, rule in PEERS.items()
    ]
    ours = Ours(days)
    tens: list[dict[str, Any]] = []
    for dial in DIALS:
        capacity, stated = ours.sizes(dial)
        tens.append(
            {"rule": f"ours_{dial:g}", "dial": dial, **replay(capacity, days.future, whole)}
            | stated
        )
    stand = [against(ours, tens, peer, days, whole) for peer in peers]
    memory = replay(memory_sizes(days.past, np.full(len(days.names), whole)), days.future, whole)
    return {
        "ours": {
            "engine": f"quantile rule, since {ours.refusal}" if ours.refusal else "risk model",
            "rows": tens,
            "memory_rule": memory,
            "peers_beaten_at_equal_saving": sum(
                one.get("better_on_all_four", False) for one in stand
            ),
            "peers_beaten_by_a_setting": sum(
                bool(one["settings_better_on_all_four"]) for one in stand
            ),
        },
        "baselines": {row["rule"]: row for row in peers},
        "rows": [*tens, *peers],
        "pareto": pareto([*tens, *peers]),
        "against": stand,
    }


def show(answer: dict[str, Any]) -> str:
    """The tables for people."""
    front = set(answer["pareto"])
    rows = pd.DataFrame(answer["rows"])[["rule", *MEASURES]]
    rows["on_front"] = rows["rule"].isin(front)
    lines = []
    for one in answer["against"]:
        equal = one["at_equal_saving"] or {}
        lines.append(
            {
                "peer": one["peer"],
                "settings better on all four": ", ".join(
                    f"{dial:g}" for dial in one["settings_better_on_all_four"]
                )
                or "none",
                "equal saving at": equal.get("dial", "none"),
                **{k: equal.get(k, np.nan) for k in MEASURES},
                "better on all four": one.get("better_on_all_four", False),
            }
        )
    return f"{rows.to_string(index=False)}\n\n{pd.DataFrame(lines).to_string(index=False)}"


def main() -> None:
    """Read the arguments, replay every rule, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--usage", type=Path, required=True, help="Parquet or CSV: workload, time, demand"
    )
    parser.add_argument("--train-hours", type=float, required=True)
    parser.add_argument(
        "--capacity", type=float, help="what each workload has now, in demand's unit (default: 1 "
        "or 100 where the highest demand is in its upper half, else the highest demand)",
    )  # fmt: skip
    parser.add_argument(
        "--first-bucket", type=float, help="width of VPA's first bucket in demand's unit (default: "
        "1 where demand is of 100, else the 0.01 that it has in cores)",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    if not args.train_hours > 0:
        raise SystemExit("--train-hours is a positive number")

    started = time.perf_counter()
    usage = read(args.usage)
    read_seconds = time.perf_counter() - started
    days = days_of(usage, args.train_hours)
    top = float(max(np.nanmax(days.past), np.nanmax(days.future)))
    whole = args.capacity or usual_whole(top)
    bucket = args.first_bucket or (1.0 if whole == 100 else 0.01)
    measured = measure(days, whole, bucket)
    seconds = time.perf_counter() - started
    answer = {
        "benchmark": "rightsizing",
        "machine": f"{platform.machine()} {platform.system()} python {platform.python_version()}",
        "inputs": {
            "usage": args.usage.name,
            "workloads": int(usage["workload"].nunique()),
            "workload_days_scored": len(days.names),
            "left_out": days.left_out,
            "train_samples": days.past.shape[1],
            "replay_samples": days.future.shape[1],
            "capacity": whole,
        },
        "seconds": round(seconds, 3),
        "peak_rss_bytes": own_peak_rss_bytes(),
        **measured,
        "floor": {"what": "reading the file", "seconds": round(read_seconds, 3)},
        "ratio_to_floor": round(seconds / max(read_seconds, 1e-9), 2),
    }
    print(json.dumps(answer) if args.json else show(answer))


if __name__ == "__main__":
    main()
