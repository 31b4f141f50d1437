"""dbt with what was parsed: variables of any length reach it."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from finops_dagster.defs.warehouse.parsed import given_by_file
from finops_dagster.defs.warehouse.project import dbt_executable
from finops_dagster.settings import child_environment

ROOT = Path(__file__).parents[2]


def test_variables_longer_than_an_argument_may_be(tmp_path: Path) -> None:
    """Files of two years of days have more names than 128 KiB: allocation failed by it."""
    variables = {
        "published": {"fct_costs_daily": ["x" * 100] * 3_000},
        "warehouse": str(tmp_path / "warehouse.duckdb"),
    }
    kept = tmp_path / "variables.json"
    kept.write_text(json.dumps(variables), encoding="utf-8")
    assert kept.stat().st_size > 128 * 1024
    given = given_by_file(kept, variables)
    # what Dagster asks of a build to count rows by
    assert json.loads(given)["warehouse"] == variables["warehouse"]
    done = subprocess.run(
        [
            dbt_executable(), "--quiet", "ls", "--select", "dim_dates", "--vars", given,
            *("--profiles-dir", ".", "--target-path", str(tmp_path / "target")),
            *("--log-path", str(tmp_path / "logs")),
        ],
        cwd=ROOT / "dbt_project",
        env=child_environment(),
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "dim_dates" in done.stdout
