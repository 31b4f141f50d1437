"""The whole way of a FOCUS bill, as the product goes it, held against bare DuckDB.

Prints JSON with --json, else a table; one line per step goes to stderr. Each step is a process of
its own, so that its peak memory is its own. How bills are made is in `bills`.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import duckdb

from finops_dagster.domain.periods import month_start

sys.path.insert(0, str(Path(__file__).parent))  # not there where a test runs this file
import bills
import processes

LAST_MONTH = date(2025, 9, 1)
AS_OF = date(2025, 10, 2)
FIRST_KNOWN = "2025-10-01T03:00:00Z"
MONTH_ROWS = 100_000
REPEATS = 3

STAGES: dict[str, tuple[str, ...]] = {
    "land": ("land",),
    "transform": ("transform",),
    "gate": ("judge_landing", "judge_candidates"),
    "publish": ("export", "publish"),
}
"""What is reported, and the steps each is made of."""
ORDER = ("land", "judge_landing", "transform", "export", "judge_candidates", "publish")


def _estate(folder: Path) -> Any:
    from finops_dagster.defs.estate import Estate
    from finops_dagster.settings import load

    return Estate(load(folder / "finops.yaml"))


def _timed(step: Callable[..., Any], *arguments: Any) -> tuple[Any, float]:
    began = time.perf_counter()
    answer = step(*arguments)
    return answer, time.perf_counter() - began


def _land(folder: Path, first: date, last: date) -> dict[str, Any]:
    from finops_dagster.defs import line

    estate = _estate(folder)
    landed, seconds = _timed(line.land_window, estate, "charges", first, last, estate.cutoff(AS_OF))
    faults = [str(fault) for one in landed for fault in one.set_faults]
    if faults or any(one.rows_quarantined for one in landed):
        raise SystemExit(f"the generated bill did not land: {faults}")
    return {"seconds": seconds, "rows": sum(one.rows_landed for one in landed)}


def _judge_landing(folder: Path, first: date, last: date) -> dict[str, Any]:
    from finops_dagster.defs import line

    estate = _estate(folder)
    results = [
        one for one in estate.lake.records("charges") if first <= one.delivery.partition <= last
    ]
    newest = {one.delivery.partition: one for one in results}
    audit, seconds = _timed(line.judge_landed, estate, "charges", list(newest.values()))
    return {"seconds": seconds, **_passed([audit])}


def _transform(folder: Path, first: date, last: date) -> dict[str, Any]:
    from finops_dagster.defs import line

    estate = _estate(folder)
    variables = line.dbt_vars(estate, estate.cutoff(AS_OF), first, last, line.BILLING)
    _, seconds = _timed(
        line.rebuild_warehouse, estate, estate.layout.warehouse, {line.BILLING: variables}
    )
    return {"seconds": seconds}


def _export(folder: Path, first: date, last: date) -> dict[str, Any]:
    from finops_dagster.defs import line

    estate = _estate(folder)
    cutoff = estate.cutoff(AS_OF)
    inputs = line.built_inputs(estate, line.BILLING, first, last, cutoff)
    versions, seconds = _timed(
        line.export_candidates,
        estate.publications, estate.layout.warehouse, line.BILLING, inputs, cutoff,
    )  # fmt: skip
    estate.publications.keep_candidates(line.BILLING.name, versions)
    return {"seconds": seconds, "rows": versions[0].rows}


def _judge_candidates(folder: Path, first: date, last: date) -> dict[str, Any]:
    from finops_dagster.defs import line

    estate = _estate(folder)
    versions = estate.publications.candidates(line.BILLING.name)
    audits, seconds = _timed(
        line.judge_exported, estate, estate.publications, line.BILLING, versions, AS_OF
    )
    return {"seconds": seconds, **_passed(audits)}


def _publish(folder: Path, first: date, last: date) -> dict[str, Any]:
    from finops_dagster.defs import line

    estate = _estate(folder)
    versions = estate.publications.candidates(line.BILLING.name)
    _, seconds = _timed(estate.publications.publish, versions, estate.cutoff(AS_OF))
    return {"seconds": seconds}


def _passed(audits: list[Any]) -> dict[str, Any]:
    failed = [outcome.name for audit in audits for outcome in audit.failures]
    if failed:
        raise SystemExit(f"the generated bill does not pass: {', '.join(failed)}")
    return {"checks": sum(len(audit.outcomes) for audit in audits)}


def _compare(folder: Path, first: date, last: date) -> dict[str, Any]:
    """Hold what was published against the floor's aggregate: the same money, day by day."""
    estate = _estate(folder)
    reader = estate.publications.reader(estate.publications.current())
    (mart,) = reader.paths("fct_costs_daily", first, last)
    differing = bills.days_that_differ(folder, mart)
    if differing:
        raise SystemExit(f"what was published is not what the floor found: {differing[:3]}")
    return {}


STEPS: dict[str, Callable[[Path, date, date], dict[str, Any]]] = {
    "land": _land,
    "judge_landing": _judge_landing,
    "transform": _transform,
    "export": _export,
    "judge_candidates": _judge_candidates,
    "publish": _publish,
    "compare": _compare,
}


def _generate(folder: Path, first: date, rows: int, name: str, known_at: str, seed: int) -> None:
    bills.generate(folder / "exports", first, rows, name, known_at, seed)


def child(arguments: dict[str, Any]) -> dict[str, Any]:
    """What a process started by `in_a_process` does."""
    folder, step = Path(arguments["folder"]), arguments["step"]
    if step == "floor":
        return bills.floor(folder, sort=arguments["sort"])
    first, last = (date.fromisoformat(arguments[key]) for key in ("first", "last"))
    if step == "generate":
        _generate(folder, first, *arguments["bill"])
        return {}
    return STEPS[step](folder, first, last)


def in_a_process(step: str, folder: Path, **arguments: Any) -> dict[str, Any]:
    """One step in a fresh interpreter."""
    return processes.in_a_process(__file__, step, folder=str(folder), **arguments)


def bill(folder: Path, month: date, rows: int, name: str, known_at: str, seed: int = 0) -> None:
    """Generate one delivery, unless it is kept from before."""
    if not (folder / "exports" / f"billing_period={month}" / name / "_delivery.json").exists():
        in_a_process("generate", folder, first=str(month), last=str(month),
                     bill=[rows, name, known_at, seed])  # fmt: skip


def configure(folder: Path, start: date) -> None:
    """The settings of an estate that has bills alone."""
    (folder / "finops.yaml").write_text(
        f"estate: bench\nas_of: {AS_OF}\nstart: {start}\n"
        "billing: [{name: bench, path: exports}]\n"
    )


def whole_path(folder: Path, first: date, last: date, told: str) -> dict[str, dict[str, Any]]:
    """Every step in order, for the months from `first` to `last`."""
    found = {}
    for step in ORDER:
        found[step] = in_a_process(step, folder, first=str(first), last=str(last))
        _say(told, step, found[step])
    return found


def _say(told: str, step: str, found: dict[str, Any]) -> None:
    seconds = found.get("seconds", found.get("write", 0) + found.get("aggregate", 0))
    print(
        f"{told}  {step:<17}{seconds:8.2f} s {found['cpu_seconds']:8.2f} s cpu "
        f"{found['peak_rss_bytes'] / 2**20:7.0f} MiB",
        file=sys.stderr,
        flush=True,
    )


def measure(rows: int, keep: Path | None, *, against_floor: bool) -> dict[str, Any]:
    """One size: our stages, the whole path and the floor beside it, unless there is to be none."""
    with folder_for(f"{rows}", keep) as folder:
        configure(folder, LAST_MONTH)
        bill(folder, LAST_MONTH, rows, "full", FIRST_KNOWN)
        size = sum(f.stat().st_size for f in (folder / "exports").rglob("*.parquet"))
        told = f"{rows:>11,} rows"
        bare = in_a_process("floor", folder, sort=against_floor)
        _say(told, "floor" if against_floor else "aggregate", bare)
        steps = whole_path(folder, LAST_MONTH, LAST_MONTH, told)
        in_a_process("compare", folder, first=str(LAST_MONTH), last=str(LAST_MONTH))
    seconds = sum(step["seconds"] for step in steps.values())
    cpu = sum(step["cpu_seconds"] for step in steps.values())
    return {
        "rows": rows,
        "bytes": size,
        "mart_rows": steps["export"]["rows"],
        "stages": {name: stage(rows, [steps[step] for step in parts])
                   for name, parts in STAGES.items()},
        "steps": {name: round(step["seconds"], 3) for name, step in steps.items()},
        "whole_path": {
            "seconds": round(seconds, 3),
            "rows_per_second": round(rows / seconds),
            "peak_rss_bytes": max(step["peak_rss_bytes"] for step in steps.values()),
            "cpu_seconds": round(cpu, 3),
            **(ratios(bare, seconds, cpu) if against_floor else {}),
        },
        "floor": floor_of(bare) if against_floor else None,
    }  # fmt: skip


def ratios(bare: dict[str, Any], seconds: float, cpu: float) -> dict[str, float]:
    """Seconds and processor seconds as multiples of the floor's."""
    return {
        "ratio_to_floor": round(seconds / (bare["write"] + bare["aggregate"]), 3),
        "cpu_ratio_to_floor": round(cpu / bare["cpu_seconds"], 3),
    }


def floor_of(bare: dict[str, Any]) -> dict[str, Any]:
    """What the floor took, as it is reported."""
    return {
        "seconds": round(bare["write"] + bare["aggregate"], 3),
        "write_seconds": round(bare["write"], 3),
        "aggregate_seconds": round(bare["aggregate"], 3),
        "cpu_seconds": round(bare["cpu_seconds"], 3),
        "peak_rss_bytes": bare["peak_rss_bytes"],
    }


def stage(rows: int, parts: list[dict[str, Any]]) -> dict[str, Any]:
    """One reported stage out of its steps."""
    seconds = sum(part["seconds"] for part in parts)
    return {
        "seconds": round(seconds, 3),
        "rows_per_second": round(rows / seconds),
        "cpu_seconds": round(sum(part["cpu_seconds"] for part in parts), 3),
        "peak_rss_bytes": max(part["peak_rss_bytes"] for part in parts),
    }


def history(folder: Path, months: int, rows: int) -> str:
    """Take in the last `months` months; what the lines of progress call it."""
    held = [LAST_MONTH]
    while len(held) < months:
        held.append(month_start(date.fromordinal(held[-1].toordinal() - 1)))
    configure(folder, held[-1])
    for number, month in enumerate(held):
        bill(folder, month, rows, "full", FIRST_KNOWN, number)
    told = f"{months:>3} months"
    whole_path(folder, held[-1], LAST_MONTH, f"{told} taken in ")
    return told


def reload(folder: Path, told: str, rows: int, time_: int) -> dict[str, Any]:
    """Take in the last month once more, as restated for the `time_`-th time."""
    known_at = f"2025-10-02T{3 + time_:02}:00:00Z"
    bill(folder, LAST_MONTH, rows, f"restated-{time_}", known_at, 1000 + time_)
    steps = whole_path(folder, LAST_MONTH, LAST_MONTH, f"{told} reload {time_}")
    return {
        "seconds": round(sum(step["seconds"] for step in steps.values()), 3),
        "cpu_seconds": round(sum(step["cpu_seconds"] for step in steps.values()), 3),
        "steps": {name: round(step["seconds"], 3) for name, step in steps.items()},
    }


def reloads(months: int, rows: int, keep: Path | None) -> dict[str, Any]:
    """The same reload after `months` of history and after one: by turns, the best of each.

    What disturbs a machine only ever adds time, so the least of some is nearest to the truth.
    """
    found: dict[int, list[dict[str, Any]]] = {1: [], months: []}
    with folder_for("reload-1", keep) as short, folder_for(f"reload-{months}", keep) as long:
        folders = {1: short, months: long}
        told = {length: history(folders[length], length, rows) for length in found}
        for time_ in range(REPEATS):
            for length, measured in found.items():
                measured.append(reload(folders[length], told[length], rows, time_))
    one, many = (min(found[length], key=lambda f: f["seconds"]) for length in (1, months))
    cpu = [min(f["cpu_seconds"] for f in found[length]) for length in (1, months)]
    return {
        "months": months,
        "rows_per_month": rows,
        "repeats": REPEATS,
        "short": one,
        "long": many,
        "ratio": round(many["seconds"] / one["seconds"], 3),
        "cpu_ratio": round(cpu[1] / cpu[0], 3),
    }


@contextlib.contextmanager
def folder_for(name: str, keep: Path | None) -> Iterator[Path]:
    """A folder to work in: gone afterwards, unless it is to be kept."""
    if keep:
        folder = keep.resolve() / name
        folder.mkdir(parents=True, exist_ok=True)
        yield folder
        return
    with tempfile.TemporaryDirectory(prefix="finops-billing-") as scratch:
        yield Path(scratch)


def machine() -> dict[str, Any]:
    """Where it was measured."""
    return {
        "system": platform.platform(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "duckdb": duckdb.__version__,
    }


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=[], help="Charges per bill.")
    parser.add_argument("--months", type=int, help="Reload a month after so many of history.")
    parser.add_argument("--month-rows", type=int, default=MONTH_ROWS, help="Charges per month.")
    parser.add_argument(
        "--no-floor",
        action="store_true",
        help="Only our path: the floor's sort spills every row, 700 bytes of disk for each charge.",
    )
    parser.add_argument("--json", action="store_true", help="Print one JSON object.")
    parser.add_argument("--keep", type=Path, help="Work here and leave everything; needs space.")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if not given.rows and not given.months:
        given.rows = [1_000_000]
    return given


def show(result: dict[str, Any]) -> None:
    """A table for people."""
    sizes = result["ours"]["sizes"]
    if sizes:
        heads = ("rows", 12), *((name, 10) for name in STAGES), ("whole s", 9), ("rows/s", 9)
        heads = *heads, ("peak MiB", 9), ("floor s", 8), ("ratio", 6)
        print(" ".join(f"{head:>{width}}" for head, width in heads))
    for size in sizes:
        whole = size["whole_path"]
        each = " ".join(f"{size['stages'][name]['seconds']:>10.2f}" for name in STAGES)
        print(
            f"{size['rows']:>12,} {each} "
            f"{whole['seconds']:>9.2f} {whole['rows_per_second']:>9,} "
            f"{whole['peak_rss_bytes'] / 2**20:>9.0f} "
            + (
                f"{size['floor']['seconds']:>8.2f} {whole['ratio_to_floor']:>6.2f}"
                if size["floor"]
                else "none"
            )
        )
    again = result["ours"].get("reload")
    if again:
        print(
            f"reload of a month of {again['rows_per_month']:,} charges: "
            f"{again['short']['seconds']:.2f} s after 1 month, "
            f"{again['long']['seconds']:.2f} s after {again['months']}: "
            f"{again['ratio']:.2f} times"
        )


def main() -> None:
    """Measure what was asked for."""
    given = arguments()
    if given.child:
        print(json.dumps(child(json.loads(given.child))))
        return
    began = time.perf_counter()
    sizes = [measure(rows, given.keep, against_floor=not given.no_floor) for rows in given.rows]
    ours: dict[str, Any] = {"sizes": sizes}
    if given.months:
        ours["reload"] = reloads(given.months, given.month_rows, given.keep)
    result: dict[str, Any] = {
        "benchmark": "billing",
        "machine": machine(),
        "inputs": {
            "rows": given.rows,
            "months": given.months,
            "month_rows": given.month_rows,
            "columns": len(bills.COLUMNS),
            "threads": bills.THREADS,
        },
        "seconds": round(time.perf_counter() - began, 3),
        "ours": ours,
        "baselines": {},
    }
    if sizes:
        largest, smallest = (pick(sizes, key=lambda s: s["rows"]) for pick in (max, min))
        ours["whole_path"] = largest["whole_path"]
        ours["peak_growth"] = round(
            largest["whole_path"]["peak_rss_bytes"] / smallest["whole_path"]["peak_rss_bytes"], 3
        )
        result["peak_rss_bytes"] = max(s["whole_path"]["peak_rss_bytes"] for s in sizes)
        if largest["floor"]:
            result["floor"] = {**largest["floor"], "rows": largest["rows"]}
            result["ratio_to_floor"] = largest["whole_path"]["ratio_to_floor"]
    if given.json:
        print(json.dumps(result, indent=1))
    else:
        show(result)


if __name__ == "__main__":
    main()
