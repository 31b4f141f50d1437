"""How long the code location takes to load in a fresh process, as Dagster loads it.

Prints one JSON object with --json, else a line. The best of several, as the machine allows.
"""

from __future__ import annotations

import argparse
import json
import platform
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

MODULE = "finops_dagster.definitions"
FLOOR = "dagster"


def import_seconds(module: str, folder: Path) -> float:
    """Wall-clock seconds of a fresh interpreter that imports `module` from within `folder`."""
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", f"import {module}"], cwd=folder, check=True)
    return time.perf_counter() - start


def measure(times: int) -> dict[str, object]:
    """The best of `times` loads of ours and of bare Dagster, by turns."""
    ours, floor = [], []
    with tempfile.TemporaryDirectory() as empty:
        for _ in range(times):
            ours.append(import_seconds(MODULE, Path(empty)))
            floor.append(import_seconds(FLOOR, Path(empty)))
    seconds = min(ours)
    return {
        "benchmark": "startup",
        "machine": platform.platform(),
        "inputs": {"times": times, "module": MODULE},
        "seconds": round(sum(ours) + sum(floor), 3),
        "peak_rss_bytes": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024,
        "ours": {"seconds": round(seconds, 3)},
        "baselines": {},
        "floor": {"name": "import dagster", "seconds": round(min(floor), 3)},
        "ratio_to_floor": round(seconds / min(floor), 3),
    }


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    result = measure(arguments.times)
    print(json.dumps(result) if arguments.json else f"{result['ours']} floor {result['floor']}")


if __name__ == "__main__":
    main()
