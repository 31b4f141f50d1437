"""Incidents in daily cost over a year, held against what is hidden in the bills of many companies.

Two generators: companies as the demo's, and drawn ones that have nothing of it. The whole history
is gone through day by day, each day judged by the days before it.

An event is met by an incident that names its leaf (account/service/team) on days that overlap; an
incident that meets none is false. Delay is the days from an event's first day to the first anomaly
of its leaf within it. A series is a leaf, and its years are those it was old enough to be judged:
false incidents per series-year are false incidents over the sum of these. `unexpected` is the same
count of those incidents alone that no known event explains: what Git declares (a workload begins,
or is given another size) and commitments that begin; no anomaly is among these.

The floor is a rule of three sigma over 28 days on each leaf; days no more than a week apart are one
incident.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).parent))  # not there where a test runs this file
from companies import Planted, company
from cost_forecast import usage

from finops_dagster.defs.insight.facts import UNTAGGED
from finops_dagster.defs.progress import own_peak_rss_bytes
from finops_dagster.demo import plan as plans
from finops_dagster.demo.catalogue import Layout
from finops_dagster.demo.commitments import COMMITMENTS
from finops_dagster.demo.company import ACCOUNTS
from finops_dagster.demo.consumption import events, meters
from finops_dagster.demo.seasons import AS_OF
from finops_dagster.domain.alerts import Held
from finops_dagster.domain.events import Event
from finops_dagster.engines.anomalies import AlertRules, DetectionConfig, decide_alerts, detect

LEAF = ["account", "service", "team", "currency"]
SIGMAS, FLOOR_DAYS, MERGE_DAYS = 3.0, 28, 7
EARLY_DAYS = 14
"""A slow leak found by then is found in time."""
WARM_UP_DAYS = 28
KNOWN_DAYS = 2
"""An incident that begins so long after a known event is explained by it."""


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


def declared(seed: int) -> list[Event]:
    """What anybody could know beforehand of a company as the demo's."""
    found = []
    for workload in plans.build(seed).workloads:
        if workload.spec.layout is Layout.UNDECLARED:
            continue
        cluster = workload.cluster
        team = UNTAGGED if "team" in workload.spec.missing_labels else workload.spec.team
        for day in (workload.first_day, *(end for end, _ in workload.earlier)):
            found.append(
                _known(ACCOUNTS[cluster.account].id, cluster.service, team, day, "declared in Git")
            )
    for meter in meters():
        commitment = COMMITMENTS.get(meter.commitment or "")
        if commitment is not None and commitment.upfront_on is not None:
            account = ACCOUNTS[meter.account].id
            for team in (meter.team, UNTAGGED):
                found.append(
                    _known(account, meter.service.name, team, commitment.upfront_on, "commitment")
                )
    return found


def _known(account: str, service: str, team: str, day: date, why: str) -> Event:
    until = day + timedelta(days=KNOWN_DAYS)
    of = {"account": account, "service": service, "team": team}
    return Event.model_validate({"name": why, "from": day, "until": until, "of": of})


def estate(seed: int, days: int) -> tuple[pd.DataFrame, list[Planted]]:
    """A company as the demo's: its bill, and its anomalies as truth.json tells them."""
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
    return usage(seed, days), hidden


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
    history: pd.DataFrame, days: int, known: Sequence[Event]
) -> tuple[list[Told], list[Told], pd.DataFrame]:
    """The engine's incidents, those of them that are not expected, and its anomalies."""
    as_of = pd.Timestamp(history["ds"].max()).date()
    result = detect(history, as_of, DetectionConfig(lookback_days=days, report_days=days))
    told = [
        Told(
            frozenset(f"{part.account}/{part.service}/{part.team}" for part in one.dimensions),
            pd.Timestamp(one.since),
            pd.Timestamp(one.last_seen),
        )
        for one in result.incidents
    ]
    held = decide_alerts(result.incidents, known, (), (), AlertRules(), as_of)
    news = {one.incident for one in held if one.held is not Held.KNOWN_EVENT}
    unexpected = [mine for mine, one in zip(told, result.incidents, strict=True) if one.id in news]
    found = result.anomalies
    leaf = found["account"] + "/" + found["service"] + "/" + found["team"]
    return told, unexpected, pd.DataFrame({"leaf": leaf, "ds": found["ds"], "kind": found["kind"]})


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
    make = {"demo": estate, "drawn": company}[world]
    names = ("ours", "unexpected", "floor")
    tables: dict[str, list[pd.DataFrame]] = {name: [] for name in names}
    counts: dict[str, list[dict[str, float]]] = {name: [] for name in names}
    for seed in seeds:
        print(f"cost_anomalies  {world} {seed}", file=sys.stderr)
        history, hidden = make(seed, days)
        if not with_meters:
            history = _without_meters(history)
        told, unexpected, rows = ours(history, days, declared(seed) if world == "demo" else ())
        floor, floor_rows = three_sigma(history)
        for name, one, days_of in zip(
            names, (told, unexpected, floor), (rows, rows, floor_rows), strict=True
        ):
            table, count = held(one, days_of, hidden, history)
            tables[name].append(table)
            counts[name].append(count)
    scores = {name: score(pd.concat(tables[name]), pd.DataFrame(counts[name])) for name in names}
    floor_score = scores.pop("floor")
    return {**scores["ours"], "unexpected": scores["unexpected"]}, floor_score


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
        both = {"ours": mine, "unexpected": mine["unexpected"], "three sigma": floor}
        plain = {
            n: {k: v for k, v in one.items() if k not in ("by_kind", "unexpected")}
            for n, one in both.items()
        }
        print(pd.DataFrame(plain).to_string())
        for name in ("ours", "three sigma"):
            one = both[name]
            print(f"\n{name}\n{pd.DataFrame(one['by_kind']).T.to_string()}")


if __name__ == "__main__":
    main()
