"""A step of a benchmark in a process of its own, so that its peak memory is its own.

What the steps are is the benchmarks' business.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any


def in_a_process(script: str, step: str, **arguments: Any) -> dict[str, Any]:
    """`script --child JSON` in a fresh interpreter: what it printed as JSON, its processor time
    and its peak memory. Ends the program where the step fails."""
    given = json.dumps({"step": step, **arguments})
    root = Path(__file__).resolve().parents[1]
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(
            [sys.executable, script, "--child", given],
            stdout=out,
            stderr=errors,
            env={**os.environ, "PYTHONPATH": str(root)},
        )
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0), errors.seek(0)
        if process.returncode:
            raise SystemExit(f"{step} failed:\n{errors.read().decode()[-4000:]}")
        answer: dict[str, Any] = json.loads(out.read() or b"{}")
    # ru_maxrss is in KiB on Linux and in bytes on macOS; dbt's process is counted with its parent
    answer["peak_rss_bytes"] = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    answer["cpu_seconds"] = usage.ru_utime + usage.ru_stime
    return answer
