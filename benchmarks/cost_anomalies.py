"""Incidents in daily cost over a year, held against what is hidden in the bills of many companies.

Two generators: companies as the demo's, and drawn ones that have nothing of it. The whole history
is gone through day by day, each day judged by the days before it.

An event is met by an incident that names its leaf (account/service/team) on days that overlap; an
incident that meets none is false. Delay is the days from an event's first day to the first anomaly
of its leaf within it. A series is a leaf, and its years are those it was old enough to be judged:
false incidents per series-year are false incidents over the sum of these. Incidents are those that
the product lists as such: the demo's repository is read as the product reads it, and what a commit
or a commitment explains is listed apart. `all` counts those, too.

An event of the demo is an anomaly of its bill, or the first week of a workload that no commit
declares.

The floor is a rule of three sigma over 28 days on each leaf; days no more than a week apart are one
incident.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).parent))  # not there where a test runs this file
from companies import Planted, company
from cost_forecast import Books, cost_history

from finops_dagster.defs.estate import Estate
from finops_dagster.defs.insight.declared import changes_around
from finops_dagster.defs.insight.facts import UNTAGGED
from finops_dagster.defs.progress import own_peak_rss_bytes
from finops_dagster.demo import plan as plans
from finops_dagster.demo import repository, settings_file
from finops_dagster.demo.catalogue import Layout
from finops_dagster.demo.company import ACCOUNTS
from finops_dagster.demo.consumption import events, meters
from finops_dagster.demo.seasons import AS_OF
from finops_dagster.domain.incidents import Incident
from finops_dagster.engines.anomalies import DetectionConfig, detect, explain
from finops_dagster.settings import load
from finops_dagster.storage.publication import PublishedReader

LEAF = ["account", "service", "team", "currency"]
SIGMAS, FLOOR_DAYS, MERGE_DAYS = 3.0, 28, 7
EARLY_DAYS = 14
"""A slow leak found by then is found in time."""
WARM_UP_DAYS = 28


@dataclass(frozen=True)
class Told:
    """One incident: its leaves, first and last day."""

    leaves: frozenset[str]
    first: pd.Timestamp
    last: pd.Timestamp

    def meets(self, hidden: Planted) -> bool:
        return (
            hidden.leaf in self.leaves and self.first <= hidden.last and hidden.first <= self.last
        )


@dataclass
class World:
    """One bill: what is known of it and what is hidden in it."""

    history: pd.DataFrame
    hidden: list[Planted]
    explained: Callable[[list[Incident], date], list[Incident]]
    """Incidents with what explains them."""


def demo(seed: int, days: int) -> World:
    """A company as the demo's: its bill and repository, and its events as truth.json tells them."""
    by_key = {meter.key: meter for meter in meters()}
    start = pd.Timestamp(AS_OF) - pd.Timedelta(days=days - 1)
    hidden = []
    for event in events(seed):
        meter = by_key[event.meter]
        team = meter.team if "team" in meter.tags else UNTAGGED
        last = pd.Timestamp(event.last or AS_OF)
        if last >= start:
            hidden.append(
                Planted(
                    event.kind.removeprefix("cost_anomaly_"),
                    f"{ACCOUNTS[meter.account].id}/{meter.service.name}/{team}",
                    max(pd.Timestamp(event.first), start),
                    last,
                )
            )
    plan = plans.build(seed)
    for workload in plan.workloads:
        first = pd.Timestamp(workload.first_day)
        if workload.spec.layout is Layout.UNDECLARED and first > start:
            cluster = workload.cluster
            leaf = f"{ACCOUNTS[cluster.account].id}/{cluster.service}/{UNTAGGED}"
            hidden.append(
                Planted("undeclared", leaf, first, first + pd.Timedelta(days=MERGE_DAYS - 1))
            )
    books = Books(seed, days)

    def explained(incidents: list[Incident], as_of: date) -> list[Incident]:
        with tempfile.TemporaryDirectory() as folder:
            repository.write_repository(Path(folder) / "gitops.git", plan)
            text = settings_file.settings_text(seed, start.date(), AS_OF)
            (Path(folder) / "finops.yaml").write_text(text, encoding="utf-8")
            settings = load(Path(folder) / "finops.yaml", check_paths=False)
            reader = cast(PublishedReader, books)
            changes, _ = changes_around(Estate(settings), reader, incidents, as_of)
        return explain(incidents, (), changes, as_of)

    return World(cost_history(books), hidden, explained)


def drawn(seed: int, days: int) -> World:
    """A company that is drawn: it has no repository."""
    history, hidden = company(seed, days)
    return World(history, hidden, lambda incidents, _: incidents)


def three_sigma(history: pd.DataFrame) -> tuple[list[Told], pd.DataFrame]:
    """The floor's incidents, and its anomalies by leaf and day."""
    wide = _wide(history)
    before = wide.shift(1)
    centre, spread = before.rolling(FLOOR_DAYS).mean(), before.rolling(FLOOR_DAYS).std()
    away = (wide - centre).abs() > np.maximum(SIGMAS * spread, 1e-9)
    found = away.stack(future_stack=True)
    rows = found.index[found.to_numpy()].to_frame(index=False).rename(columns={0: "leaf"})
    told = []
    for leaf, one in rows.groupby("leaf"):
        days = one["ds"].sort_values()
        for _, run in days.groupby((days.diff() > pd.Timedelta(days=MERGE_DAYS)).cumsum()):
            told.append(Told(frozenset([str(leaf)]), run.iloc[0], run.iloc[-1]))
    return told, rows


def ours(
    world: World, history: pd.DataFrame, days: int
) -> tuple[list[Told], list[Told], pd.DataFrame]:
    """The engine's incidents, all of them with those that are explained, and its anomalies."""
    as_of = pd.Timestamp(history["ds"].max()).date()
    result = detect(history, as_of, DetectionConfig(lookback_days=days, report_days=days))
    listed: list[Told] = []
    everything: list[Told] = []
    for one in world.explained(result.incidents, as_of):
        told = Told(
            frozenset(f"{part.account}/{part.service}/{part.team}" for part in one.dimensions),
            pd.Timestamp(one.since),
            pd.Timestamp(one.last_seen),
        )
        everything.append(told)
        if one.explained is None:
            listed.append(told)
    found = result.anomalies
    leaf = found["account"] + "/" + found["service"] + "/" + found["team"]
    rows = pd.DataFrame({"leaf": leaf, "ds": found["ds"], "kind": found["kind"]})
    return listed, everything, rows


def held(
    told: Iterable[Told], rows: pd.DataFrame, hidden: Iterable[Planted], history: pd.DataFrame
) -> tuple[pd.DataFrame, dict[str, float]]:
    """Of one bill: each event with whether it was met and after how many days; and its counts."""
    told = list(told)
    table = []
    hidden = list(hidden)
    for one in hidden:
        days = rows.loc[
            (rows["leaf"] == one.leaf) & (rows["ds"] >= one.first) & (rows["ds"] <= one.last), "ds"
        ]
        met = any(incident.meets(one) for incident in told)
        delay = (days.min() - one.first).days if len(days) else np.nan
        table.append((one.kind, one.leaf, one.first, met, delay if met else np.nan))
    first = pd.to_datetime(history["ds"]).groupby([history[c] for c in LEAF]).min()
    seen = (pd.Timestamp(history["ds"].max()) - first).dt.days + 1 - WARM_UP_DAYS
    counts = {
        "incidents": float(len(told)),
        "right": float(sum(any(incident.meets(one) for one in hidden) for incident in told)),
        "series": float(len(first)),
        "series_years": float(seen.clip(lower=0).sum() / 365),
    }
    columns = ["kind", "leaf", "first", "met", "delay"]
    return pd.DataFrame(table, columns=columns), counts


def score(events_: pd.DataFrame, counts: pd.DataFrame) -> dict[str, Any]:
    """Of many bills together."""
    total = counts.sum()
    precision = total["right"] / max(total["incidents"], 1)
    recall = float(events_["met"].mean())
    leaks = events_[events_["kind"] == "slow_leak"]
    by_kind = {
        str(kind): {
            "number": len(one),
            "recall": round(float(one["met"].mean()), 4),
            "delay": None if one["delay"].isna().all() else float(one["delay"].median()),
        }
        for kind, one in events_.groupby("kind")
    }
    return {
        "precision": round(float(precision), 4),
        "recall": round(recall, 4),
        "f1": round(float(2 * precision * recall / max(precision + recall, 1e-9)), 4),
        "false_per_series_year": round(
            float((total["incidents"] - total["right"]) / max(total["series_years"], 1e-9)), 4
        ),
        "leaks_in_time": round(float((leaks["delay"] <= EARLY_DAYS).mean()), 4),
        "incidents": int(total["incidents"]),
        "series_years": round(float(total["series_years"]), 2),
        "by_kind": by_kind,
    }


def _wide(history: pd.DataFrame) -> pd.DataFrame:
    """Cost by day and leaf, zero where there was none."""
    leaf = history["account"] + "/" + history["service"] + "/" + history["team"]
    frame = pd.DataFrame(
        {
            "leaf": leaf,
            "ds": pd.to_datetime(history["ds"]),
            "cost": history["cost"].astype(float),
        }
    )
    wide = frame.pivot_table(index="ds", columns="leaf", values="cost", aggfunc="sum")
    return wide.asfreq("D").fillna(0.0)


def _without_meters(history: pd.DataFrame) -> pd.DataFrame:
    """A row a leaf and day, its quantity not known where several meters make it."""
    grouped = history.assign(cost=history["cost"].astype(float)).groupby([*LEAF, "ds"])
    out = grouped.agg(cost=("cost", "sum"), quantity=("quantity", "sum"), n=("meter", "nunique"))
    out["quantity"] = out["quantity"].where(out["n"] == 1)
    return out.drop(columns="n").reset_index()


def measure(
    world: str, seeds: Iterable[int], days: int, with_meters: bool
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Ours and the floor over the companies of one generator."""
    make = {"demo": demo, "drawn": drawn}[world]
    names = ("ours", "all", "floor")
    tables: dict[str, list[pd.DataFrame]] = {name: [] for name in names}
    counts: dict[str, list[dict[str, float]]] = {name: [] for name in names}
    for seed in seeds:
        print(f"cost_anomalies  {world} {seed}", file=sys.stderr)
        made = make(seed, days)
        history = made.history if with_meters else _without_meters(made.history)
        listed, everything, rows = ours(made, history, days)
        floor, floor_rows = three_sigma(history)
        for name, one, days_of in zip(
            names, (listed, everything, floor), (rows, rows, floor_rows), strict=True
        ):
            table, count = held(one, days_of, made.hidden, history)
            tables[name].append(table)
            counts[name].append(count)
    scores = {name: score(pd.concat(tables[name]), pd.DataFrame(counts[name])) for name in names}
    floor_score = scores.pop("floor")
    return {**scores["ours"], "all": scores["all"]}, floor_score


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=list(range(201, 221)))
    parser.add_argument("--days", type=int, default=400)
    parser.add_argument("--worlds", nargs="+", choices=["demo", "drawn"],
                        default=["demo", "drawn"])  # fmt: skip
    parser.add_argument("--without-meters", action="store_true",
                        help="add up the meters of a leaf, as a bill that names none")  # fmt: skip
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    began = time.perf_counter()
    results = {
        world: measure(world, arguments.seeds, arguments.days, not arguments.without_meters)
        for world in arguments.worlds
    }
    first = results[arguments.worlds[0]]
    answer = {
        "benchmark": "cost_anomalies",
        "machine": platform.platform(),
        "inputs": {
            "seeds": arguments.seeds,
            "days": arguments.days,
            "worlds": arguments.worlds,
            "meters": not arguments.without_meters,
        },
        "seconds": round(time.perf_counter() - began, 2),
        "peak_rss_bytes": own_peak_rss_bytes(),
        "ours": {world: mine for world, (mine, _) in results.items()},
        "baselines": {"three_sigma": {world: floor for world, (_, floor) in results.items()}},
        "floor": first[1],
        "ratio_to_floor": round(first[0]["f1"] / max(first[1]["f1"], 1e-9), 4),
    }
    if arguments.json:
        print(json.dumps(answer))
        return
    for world, (mine, floor) in results.items():
        print(f"\n{world}")
        both = {"ours": mine, "all": mine["all"], "three sigma": floor}
        plain = {
            n: {k: v for k, v in one.items() if k not in ("by_kind", "all")}
            for n, one in both.items()
        }
        print(pd.DataFrame(plain).to_string())
        for name in ("ours", "three sigma"):
            one = both[name]
            print(f"\n{name}\n{pd.DataFrame(one['by_kind']).T.to_string()}")


if __name__ == "__main__":
    main()
