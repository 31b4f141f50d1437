"""What a day costs the ledger of costs as its history grows: bills, signals and their allocation.

Prints JSON with --json, else a table; progress goes to stderr. A demo estate of each length of
history is taken in once, then lives days on; what is measured is the run of each new day, in a
process of its own, so that its peak memory is its own. The floor is bare DuckDB that sums the bill
of the running month, the bytes that the day delivered, to the grain of daily costs.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))  # not there where a test runs this file
import processes

MONTHS = (2, 24)
INCREMENTS = 3
JOBS = ("ingest_billing", "ingest_signals", "allocate")
LEDGER = "fct_allocated_costs_daily"


def _first_day(months: int) -> date:
    """The first of the month with which an estate has so many billing months."""
    from finops_dagster.demo.seasons import AS_OF

    count = AS_OF.year * 12 + AS_OF.month - months
    return date(count // 12, count % 12 + 1, 1)


def _create(folder: Path, seed: int, months: int) -> dict[str, Any]:
    from finops_dagster import demo
    from finops_dagster.demo.seasons import AS_OF

    days = (AS_OF - _first_day(months)).days + 1
    made = demo.create(folder, seed, days)
    settings = folder / "finops.yaml"
    settings.write_text(f"{settings.read_text()}\nhistory_days: {max(days, 28)}\n")
    return {"days": days, "charges": made.charges, "measurements": made.measurements}


def _advance(folder: Path) -> dict[str, Any]:
    from finops_dagster import demo

    return {"as_of": demo.advance(folder, 1).as_of.isoformat()}


def _run(folder: Path) -> dict[str, Any]:
    """The ledger's jobs for the day decided; ends the program where one stops."""
    from finops_dagster import runner
    from finops_dagster.defs.estate import Estate
    from finops_dagster.settings import load

    settings = load(folder / "finops.yaml")
    began = time.perf_counter()
    outcome = runner.run(settings, jobs=JOBS)
    seconds = time.perf_counter() - began
    if outcome.exit_code:
        raise SystemExit(outcome.stopped)
    publications = Estate(settings).publications
    manifest = publications.current()
    if manifest is None:
        raise SystemExit("nothing was published")
    reader = publications.reader(manifest)
    ledger = reader.frame(LEDGER, "select count(*) as rows from mart")
    return {
        "seconds": seconds,
        "rows_in": sum(stage.rows_in for stage in outcome.stages),
        "rows_out": sum(stage.rows_out for stage in outcome.stages),
        "stages": {one.stage: round(one.seconds, 2) for one in outcome.stages if one.seconds},
        "versions": len(manifest.versions),
        "ledger_rows": 0 if ledger is None else int(ledger["rows"].iloc[0]),
    }


def _floor(folder: Path, month: str, known: str) -> dict[str, Any]:
    """Sums of one day's snapshots of the month by day, resource, meter and tags, as Parquet."""
    import duckdb

    began = time.perf_counter()
    with duckdb.connect(config={"threads": 2}) as connection:
        files = f"{folder}/exports/*/billing_period={month}/known={known}/*.parquet"
        rows = connection.execute(
            f"""
            copy (
                select
                    ChargePeriodStart::date as day, BillingAccountId, SubAccountId, ServiceName,
                    RegionId, ResourceId, SkuId, SkuMeter, Tags, ChargeCategory, ChargeClass,
                    CommitmentDiscountStatus, BillingCurrency,
                    sum(BilledCost::decimal(38, 20)) as billed,
                    sum(EffectiveCost::decimal(38, 20)) as effective,
                    sum(ListCost::decimal(38, 20)) as list,
                    sum(ContractedCost::decimal(38, 20)) as contracted,
                    sum(ConsumedQuantity::decimal(38, 20)) as quantity
                from read_parquet('{files}', union_by_name = true)
                group by all
            ) to '{folder}/floor.parquet' (format parquet)
            """
        ).fetchone()
    return {"seconds": time.perf_counter() - began, "rows_out": rows[0] if rows else 0}


STEPS: dict[str, Callable[..., dict[str, Any]]] = {
    "create": _create,
    "advance": _advance,
    "run": _run,
    "floor": _floor,
}


def _step(name: str, folder: Path, **arguments: Any) -> dict[str, Any]:
    return processes.in_a_process(__file__, name, folder=str(folder), **arguments)


def _of_history(seed: int, months: int, increments: int, folder: Path) -> dict[str, Any]:
    print(f"ledger  {months} months: estate", file=sys.stderr)
    made = _step("create", folder, seed=seed, months=months)
    print(f"ledger  {months} months: history", file=sys.stderr)
    first = _step("run", folder)
    days = []
    for _ in range(increments):
        day = date.fromisoformat(_step("advance", folder)["as_of"])
        print(f"ledger  {months} months: {day}", file=sys.stderr)
        days.append(_step("run", folder))
    month, known = day.replace(day=1).isoformat(), (day + timedelta(days=1)).isoformat()
    floor = _step("floor", folder, month=month, known=known)
    middle = sorted(days, key=lambda one: float(one["seconds"]))[len(days) // 2]
    return {
        "months": months,
        **{key: made[key] for key in ("days", "charges", "measurements")},
        "history_seconds": round(first["seconds"], 2),
        "history_peak_rss_bytes": first["peak_rss_bytes"],
        "increment_seconds": round(middle["seconds"], 2),
        "increment_cpu_seconds": round(middle["cpu_seconds"], 2),
        "increment_peak_rss_bytes": max(one["peak_rss_bytes"] for one in days),
        "increment_rows_in": middle["rows_in"],
        "increment_rows_out": middle["rows_out"],
        "stages": middle["stages"],
        "versions": middle["versions"],
        "ledger_rows": middle["ledger_rows"],
        "floor_seconds": round(floor["seconds"], 3),
        "floor_rows": floor["rows_out"],
    }


def measure(seed: int, months: list[int], increments: int) -> dict[str, Any]:
    """Each length of history in turn, and the longest beside the shortest."""
    histories = []
    for count in months:
        with tempfile.TemporaryDirectory() as folder:
            histories.append(_of_history(seed, count, increments, Path(folder) / "estate"))
    short, long = min(histories, key=_months), max(histories, key=_months)
    return {
        "benchmark": "ledger",
        "machine": platform.platform(),
        "inputs": {"seed": seed, "months": months, "increments": increments},
        "seconds": long["increment_seconds"],
        "peak_rss_bytes": long["increment_peak_rss_bytes"],
        "ours": {
            "histories": histories,
            "increment_ratio": round(long["increment_seconds"] / short["increment_seconds"], 3),
            "memory_ratio": round(
                long["increment_peak_rss_bytes"] / short["increment_peak_rss_bytes"], 3
            ),
        },
        "baselines": {},
        "floor": {"seconds": long["floor_seconds"], "rows": long["floor_rows"]},
        "ratio_to_floor": round(long["increment_seconds"] / long["floor_seconds"], 1),
    }


def _months(history: dict[str, Any]) -> int:
    return int(history["months"])


def _table(result: dict[str, Any]) -> str:
    head = ("months", "charges", "ledger rows", "rows in", "rows out", "increment s", "CPU s",
            "peak MiB", "history s")  # fmt: skip
    lines = [
        (
            one["months"], one["charges"], one["ledger_rows"], one["increment_rows_in"],
            one["increment_rows_out"], one["increment_seconds"], one["increment_cpu_seconds"],
            one["increment_peak_rss_bytes"] // 2**20, one["history_seconds"],
        )
        for one in result["ours"]["histories"]
    ]  # fmt: skip
    return "\n".join(
        [
            "".join(f"{cell!s:>13}" for cell in line)
            for line in [head, *lines]
        ]
        + [
            f"the longest history costs {result['ours']['increment_ratio']} times the shortest, "
            f"{result['ours']['memory_ratio']} times its memory, and "
            f"{result['ratio_to_floor']} times bare DuckDB on the day's bytes"
        ]
    )  # fmt: skip


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--months", type=int, nargs="+", default=list(MONTHS))
    parser.add_argument("--increments", type=int, default=INCREMENTS)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--child", type=json.loads, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        step = STEPS[arguments.child.pop("step")]
        folder = Path(arguments.child.pop("folder"))
        print(json.dumps(step(folder, **arguments.child)))
        return
    result = measure(arguments.seed, arguments.months, arguments.increments)
    print(json.dumps(result) if arguments.json else _table(result))


if __name__ == "__main__":
    main()
