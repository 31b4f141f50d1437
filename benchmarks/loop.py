"""The whole loop on a fresh demo estate, twice: time, memory, pull requests, and truth.

Prints one JSON object with --json, else the same by line. Works in a temporary folder.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

WASTE = frozenset(
    {
        "rightsize_cpu",
        "rightsize_memory",
        "underprovisioned_cpu",
        "underprovisioned_memory",
        "idle_workload",
        "idle_gpu",
        "off_hours",
        "scheduled_scaling",
        "unused_volume",
        "undeclared_workload",
    }
)


def finops(*arguments: str) -> tuple[dict[str, Any], float, int]:
    """One `finops` command's JSON, its wall-clock seconds and its peak resident bytes."""
    command = [str(Path(sys.executable).parent / "finops"), *arguments]
    start = time.perf_counter()
    with tempfile.TemporaryFile() as out:
        process = subprocess.Popen(command, stdout=out)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        seconds = time.perf_counter() - start
        out.seek(0)
        text = out.read()
    if process.returncode != 0:
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}")
    # ru_maxrss is in KiB on Linux and in bytes on macOS.
    peak = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return (json.loads(text) if text.strip() else {}), seconds, peak


def score(found: list[dict[str, Any]], truth: list[dict[str, Any]]) -> dict[str, Any]:
    """Precision and recall of (kind, resource) against the truth, in all and by kind."""
    said = {(item["kind"], item["resource"]) for item in found if item["kind"] in WASTE}
    true = {(item["kind"], item["resource"]) for item in truth if item["kind"] in WASTE}
    hit = said & true

    def share(part: int, whole: int) -> float | None:
        return round(part / whole, 3) if whole else None

    by_kind = {
        kind: {
            "found": sum(k == kind for k, _ in said),
            "true": sum(k == kind for k, _ in true),
            "hit": sum(k == kind for k, _ in hit),
        }
        for kind in sorted({kind for kind, _ in said | true})
    }
    return {
        "precision": share(len(hit), len(said)),
        "recall": share(len(hit), len(true)),
        "by_kind": by_kind,
    }


def measure(seed: int, days: int, folder: Path) -> dict[str, Any]:
    """Create the estate, run it twice, and hold what was found against the truth."""
    estate = folder / "estate"
    config = ("--config", str(estate / "finops.yaml"), "--json")
    start = time.perf_counter()
    subprocess.run(
        [str(Path(sys.executable).parent / "finops"), "demo", "create", "--seed", str(seed),
         "--days", str(days), "--out", str(estate)], check=True, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    created = time.perf_counter() - start
    first, first_seconds, first_peak = finops("run", "--act", *config)
    second, second_seconds, second_peak = finops("run", "--act", *config)
    pulls, _, _ = finops("prs", *config)
    findings, _, _ = finops("findings", *config)
    proposals, _, _ = finops("proposals", *config)
    truth = json.loads((estate / "truth.json").read_text(encoding="utf-8"))
    found = score(findings["items"], truth)
    proposed = score(proposals["items"], truth)
    return {
        "benchmark": "loop",
        "machine": platform.platform(),
        "inputs": {"seed": seed, "days": days},
        "seconds": round(first_seconds, 2),
        "peak_rss_bytes": max(first_peak, second_peak),
        "ours": {
            "create_seconds": round(created, 2),
            "first_run_seconds": round(first_seconds, 2),
            "first_run_peak_rss_bytes": first_peak,
            "first_run_opened": first["opened"],
            "second_run_seconds": round(second_seconds, 2),
            "second_run_peak_rss_bytes": second_peak,
            "second_run_opened": second["opened"],
            "open_pull_requests": sum(item["state"] == "open" for item in pulls["items"]),
            "stages": {item["stage"]: item["seconds"] for item in second["items"]},
            "precision": proposed["precision"],
            "recall": found["recall"],
            "findings": found,
            "proposals": proposed,
        },
        "baselines": {},
        "floor": {},
        "ratio_to_floor": None,
    }


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--days", type=int, default=395)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        result = measure(arguments.seed, arguments.days, Path(folder))
    print(json.dumps(result, indent=None if arguments.json else 2))


if __name__ == "__main__":
    main()
