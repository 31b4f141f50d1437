"""A damaged delivery stops the line: the last publication stays, and a person is told why."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dagster as dg
import pyarrow.parquet as pq
import pytest

from finops_dagster import runner
from finops_dagster.settings import load
from finops_dagster.storage.files import Layout
from finops_dagster.storage.publication import PublicationStore
from tests.e2e import faults
from tests.e2e.estate import finops

DAMAGES: dict[str, tuple[Callable[[Path], None], str, str]] = {
    "truncated": (faults.cut_in_the_middle, "truncated_file", "ends in the middle"),
    "listed twice": (faults.list_twice, "file_listed_twice", "lists this one again"),
    "no currency": (faults.lose_a_currency, "value_missing", "currency missing"),
    "far below invoice": (faults.lose_nine_tenths, "spend_far_below_invoice", "90.00 % less"),
}
"""Damage -> the code that scripts are told, and words that people are."""


def quarantined(estate: Path, folder: Path) -> list[dict[str, Any]]:
    """What was set aside of one delivery."""
    rows: list[dict[str, Any]] = [
        row
        for path in (estate / ".finops" / "quarantine" / "charges").rglob("aws.*.parquet")
        for row in pq.ParquetFile(path).read().to_pylist()
    ]
    return [row for row in rows if f"/{folder.name}/" in row["file"]]


def last_run(estate: Path) -> tuple[dg.DagsterRunStatus, list[tuple[str, bool]]]:
    """How the newest run ended in Dagster, and its blocking checks with whether they passed."""
    with dg.DagsterInstance.from_config(str(estate / ".finops" / "dagster")) as instance:
        (run,) = instance.get_runs(limit=1)
        checks = [
            (record.event_log_entry.dagster_event.asset_check_evaluation_data)
            for record in instance.get_records_for_run(
                run.run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION
            ).records
            if record.event_log_entry.dagster_event is not None
        ]
        return run.status, [
            (f"{one.asset_key.to_user_string()} {one.check_name}", one.passed) for one in checks
        ]


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param("truncated", marks=pytest.mark.conformance),
        "no currency",
        pytest.param("listed twice", marks=pytest.mark.conformance),
        pytest.param("far below invoice", marks=pytest.mark.conformance),
    ],
)
def test_a_damaged_delivery_stops_the_line_until_it_is_repaired(
    damage: str, another_estate: Callable[..., Path]
) -> None:
    """Harm: half a bill is published, decisions follow from it, and nobody is told."""
    break_it, code, words = DAMAGES[damage]
    estate = another_estate()
    folder = faults.deliver(estate, break_it)
    current = Layout(estate / ".finops").published / "current.json"
    in_force = current.read_bytes()

    stopped = finops(estate, "run", "--json")
    assert stopped.code == 1, stopped.err
    assert "Traceback" not in stopped.err
    told = stopped.json["stopped"]
    assert "\n" not in told
    for part in (words, "stays in force", str(folder / faults.FILE), "quarantine"):
        assert part in told
    assert current.read_bytes() == in_force

    status, checks = last_run(estate)
    assert status is dg.DagsterRunStatus.FAILURE
    assert checks == [("landing/charges landing_gate", False)]

    aside = quarantined(estate, folder)
    whole = 1 if damage == "truncated" else len(faults.column(folder, "BilledCost"))
    assert len(aside) == whole
    assert all(row["reasons"] for row in aside)

    (wanted,) = [one for one in stopped.json["errors"] if one["code"] == code]
    assert set(wanted) == {"code", "file", "row", "column", "expected", "hint"}
    assert wanted["file"] == str(folder / faults.FILE)
    assert wanted["expected"] and wanted["hint"]
    if damage == "no currency":
        assert (wanted["row"], wanted["column"]) == (faults.costly(folder) + 1, "BillingCurrency")
    if damage == "far below invoice":
        assert wanted["column"] == "BilledCost"
    landing = stopped.items[0]
    assert (landing["stage"], landing["status"]) == ("landing", "failed")
    assert landing["rows_quarantined"] == whole

    if damage == "no currency":
        said = finops(estate, "run")  # again, to a person: the same paragraph and nothing else
        assert (said.code, re.sub(r"\s", "", said.out)) == (1, re.sub(r"\s", "", told))
        assert current.read_bytes() == in_force

    faults.deliver(estate)
    repaired = runner.run(
        load(estate / "finops.yaml"), jobs=("ingest_billing",), say=lambda _: None
    )
    assert (repaired.exit_code, repaired.faults) == (0, [])
    assert last_run(estate)[0] is dg.DagsterRunStatus.SUCCESS
    published = PublicationStore(current.parent)
    now = published.current()
    assert now is not None
    rows = published.reader(now).rows("fct_bill_conservation", "source = 'aws'", 0)
    totals = rows[rows["metric"] == "billed_cost"].set_index("billing_period")["mart_total"]
    assert totals[max(totals.index)] == sum(faults.column(folder, "BilledCost"))
