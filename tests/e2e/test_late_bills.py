"""A bill that comes days after what it is for."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from finops_dagster import runner
from finops_dagster.settings import load
from tests.e2e.bills import Company, row

pytestmark = pytest.mark.conformance

MONTH = "2026-01-01"
RUN_DAY = date(2026, 1, 10)
RUNS = [{"name": "tracking", "path": "runs", "format": "files"}]


def costs(company: Company) -> list[tuple[object, ...]]:
    outcome = runner.run(
        load(company.config), jobs=["ingest_billing", "ingest_signals", "decide"], say=print
    )
    assert outcome.exit_code == 0, outcome.stopped
    return company.rows(
        "fct_run_costs", "select day, run_id, basis, billed_cost from mart where run_id = 'train'"
    )


def test_a_run_costs_what_is_billed_later(tmp_path: Path) -> None:
    """Providers bill a day a day or two later: a run that was charged once, on its own day, would
    be free for ever.
    """
    company = Company(tmp_path, "2026-01-10")
    told = tmp_path / "runs" / f"day={RUN_DAY}"
    told.mkdir(parents=True)
    (told / "runs.csv").write_text(
        "time,system,run_id,status,started_at,ended_at,resource_id\n"
        f"{RUN_DAY}T02:00:00Z,mlflow,train,finished,{RUN_DAY}T02:00:00Z,{RUN_DAY}T05:00:00Z,"
        "i-Compute\n"
    )
    before = [row(MONTH, f"2026-01-{day:02}", "5") for day in range(1, 10)]
    company.deliver(MONTH, "1", "2026-01-10T12:00:00Z", before)
    company.decide("2026-01-10", runs=RUNS)
    assert costs(company) == [(RUN_DAY, "train", "nothing_billed", None)]

    late = [*before, row(MONTH, str(RUN_DAY), "12.50"), row(MONTH, "2026-01-11", "5")]
    company.deliver(MONTH, "2", "2026-01-12T12:00:00Z", late)
    company.decide("2026-01-12", runs=RUNS)
    assert costs(company) == [(RUN_DAY, "train", "time", Decimal("12.5"))]
