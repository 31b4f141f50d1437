"""Suites of candidate marts on small real Parquet: one broken thing fails one named expectation."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from finops_dagster.quality import AuditContext, AuditResult, judge_candidates
from finops_dagster.quality.marts import MARTS

MONEY = pa.decimal128(38, 20)
DAY = date(2026, 3, 10)
Rows = list[dict[str, Any]]
Write = Callable[[str, Rows], Path]


def cost(**changes: Any) -> dict[str, Any]:
    row: dict[str, Any] = dict.fromkeys(MARTS["fct_costs_daily"].columns)
    row |= {
        "source": "aws",
        "billing_period": date(2026, 3, 1),
        "charge_date": DAY,
        "provider_name": "AWS",
        "billing_account_id": "111",
        "charge_category": "Usage",
        "billing_currency": "USD",
        "billed_cost": Decimal("1.10"),
        "effective_cost": Decimal("1.10"),
        "list_cost": Decimal("1.50"),
        "contracted_cost": Decimal("1.10"),
        "consumed_quantity": Decimal("2"),
        "charge_count": 1,
    }
    return row | changes


def used(**changes: Any) -> dict[str, Any]:
    row: dict[str, Any] = dict.fromkeys(MARTS["fct_workload_utilisation_daily"].columns)
    row |= {
        "day": DAY,
        "resource": "Deployment/shop/web",
        "cluster": "prod",
        "container": "web",
        "samples": 288,
        "coverage": 1.0,
        "cpu_cores_p50": 0.2,
        "cpu_cores_p95": 0.4,
        "cpu_cores_p99": 0.5,
        "cpu_cores_max": 0.6,
    }
    return row | changes


def total(**changes: Any) -> dict[str, Any]:
    row = {
        "billing_period": date(2026, 3, 1),
        "source": "aws",
        "billing_currency": "USD",
        "metric": "billed_cost",
        "landing_total": Decimal("1.10"),
        "staging_total": Decimal("1.10"),
        "mart_total": Decimal("1.10"),
        "difference": Decimal("0"),
    }
    return row | changes


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(mart: str, rows: Rows) -> Path:
        suite = MARTS[mart]
        floats = {"coverage", "energy_kwh", "location_gco2e", "market_gco2e"}
        fields = []
        for name in rows[0]:
            if name in suite.money or name == "consumed_quantity":
                kind: pa.DataType = MONEY
            elif name in {"day", "billing_period", "charge_date"}:
                kind = pa.date32()
            elif name in {"samples", "charge_count", "interval_seconds"}:
                kind = pa.int64()
            elif name == "time":
                kind = pa.timestamp("us", tz="UTC")
            elif name in floats or name.startswith(("cpu_", "memory_", "gpu_", "volume_")):
                kind = pa.float64()
            else:
                kind = pa.string()
            fields.append(pa.field(name, kind))
        path = tmp_path / f"{mart}-{len(list(tmp_path.iterdir()))}.parquet"
        pq.write_table(pa.Table.from_pylist(rows, schema=pa.schema(fields)), path)
        return path

    return write


def failed(audit: AuditResult) -> set[str]:
    return {outcome.name for outcome in audit.failures}


GOOD: dict[str, Rows] = {
    "fct_costs_daily": [cost(), cost(resource_id="i-1", billed_cost=Decimal("-3"))],
    "fct_workload_utilisation_daily": [used(), used(container="sidecar")],
    "fct_bill_conservation": [total(), total(metric="effective_cost")],
}


@pytest.mark.parametrize("mart", list(GOOD))
def test_good_rows_pass_and_credits_are_no_fault(mart: str, write: Write) -> None:
    """A gate that cries wolf is switched off, and then stops nothing."""
    audit = judge_candidates(mart, [write(mart, GOOD[mart])], AuditContext(as_of=DAY))
    assert audit.success, audit.failures
    assert not audit.warnings
    assert audit.rows == 2


@pytest.mark.parametrize(
    ("mart", "rows", "name"),
    [
        ("fct_costs_daily", [cost(billing_currency=None)], "billing_currency_present_where_cost"),
        ("fct_costs_daily", [cost(), cost()], "grain_unique"),
        ("fct_costs_daily", [cost(billed_cost=None)], "billed_cost_present"),
        ("fct_costs_daily", [cost(charge_category="Usge")], "charge_category_known"),
        ("fct_workload_utilisation_daily", [used(samples=-1)], "samples_in_range"),
        ("fct_workload_utilisation_daily", [used(resource=None)], "resource_present"),
        ("fct_workload_utilisation_daily", [used(cpu_cores_max=float("inf"))],
         "cpu_cores_max_in_range"),
        ("fct_workload_utilisation_daily", [used(cpu_cores_p95=0.1)],
         "cpu_cores_p95_not_below_cpu_cores_p50"),
        ("fct_bill_conservation", [total(difference=Decimal("0.00000000000000000001"))],
         "difference_is_zero"),
        ("fct_bill_conservation", [total(difference=None)], "difference_is_zero"),
        ("fct_bill_conservation", [total(mart_total=Decimal("1.09"))], "landing_equals_mart"),
    ],
)  # fmt: skip
def test_a_broken_row_fails_its_named_expectation(
    mart: str, rows: Rows, name: str, write: Write
) -> None:
    """A broken row that is published becomes a wrong decision about somebody's money."""
    audit = judge_candidates(mart, [write(mart, [*GOOD[mart][1:], *rows])])
    assert not audit.success
    outcome = next(o for o in audit.failures if o.name == f"{mart}.{name}")
    assert outcome.unexpected_count >= 1
    assert outcome.examples
    assert outcome.hint
    kept = [r["expectation_config"]["meta"]["name"] for s in audit.results for r in s["results"]
            if not r["success"]]  # fmt: skip
    assert name in kept


def test_only_the_broken_thing_fails(write: Write) -> None:
    """If everything turns red at once, nobody finds the cause."""
    rows = [cost(), cost(resource_id="i-1", charge_category="Usge")]
    audit = judge_candidates("fct_costs_daily", [write("fct_costs_daily", rows)])
    assert failed(audit) == {"fct_costs_daily.charge_category_known"}
    example = audit.failures[0].examples[0]
    assert (example["resource_id"], example["charge_category"]) == ("i-1", "Usge")


def test_example_rows_are_found_across_files(write: Write) -> None:
    """An example from the wrong row sends a person to the wrong place."""
    mart = "fct_workload_utilisation_daily"
    first = write(mart, [used(container=f"c{n}") for n in range(5)])
    second = write(mart, [used(container="ok", day=DAY + timedelta(1)),
                          used(container="bad", day=DAY + timedelta(1), samples=-7)])  # fmt: skip
    audit = judge_candidates(mart, [first, second])
    (failure,) = audit.failures
    assert failure.examples[0]["container"] == "bad"
    assert failure.examples[0]["samples"] == "-7"


def test_a_missing_column_is_told_by_name(write: Write) -> None:
    """A renamed column must stop the line, not end the program."""
    rows = [{k: v for k, v in used().items() if k != "samples"}]
    audit = judge_candidates(
        "fct_workload_utilisation_daily", [write("fct_workload_utilisation_daily", rows)]
    )
    assert "fct_workload_utilisation_daily.columns_as_promised" in failed(audit)
    assert "fct_workload_utilisation_daily.samples_in_range" in failed(audit)


def test_money_as_float_fails(tmp_path: Path) -> None:
    """A cost that went through a float no longer adds up to the invoice."""
    path = tmp_path / "totals.parquet"
    rows = [total() | {"mart_total": 1.1}]
    pq.write_table(pa.Table.from_pylist(rows), path)
    audit = judge_candidates("fct_bill_conservation", [path])
    assert "fct_bill_conservation.money_is_decimal" in failed(audit)


def test_an_empty_partition_that_was_asked_for_fails(write: Write) -> None:
    """A day that vanished would look like a day that cost nothing."""
    mart = "fct_workload_utilisation_daily"
    context = AuditContext(as_of=DAY, partitions=(DAY, DAY + timedelta(1)))
    audit = judge_candidates(mart, [write(mart, [used()])], context)
    (failure,) = audit.failures
    assert failure.name == f"{mart}.has_rows"
    assert failure.examples[0]["day"] == "2026-03-11"


def test_half_the_rows_of_the_version_in_force_fails(write: Write) -> None:
    """An export cut off in the middle would shrink last month's bill in silence."""
    mart = "fct_workload_utilisation_daily"
    context = AuditContext(previous_rows={DAY: 3})
    audit = judge_candidates(mart, [write(mart, [used()])], context)
    assert failed(audit) == {f"{mart}.rows_against_previous"}
    grown = AuditContext(previous_rows={DAY: 1})
    assert judge_candidates(mart, [write(mart, [used()])], grown).success


def test_old_data_warns_and_does_not_stop(write: Write) -> None:
    """Deciding on last week's load without saying so misleads; stopping the bill too is worse."""
    mart = "fct_workload_utilisation_daily"
    audit = judge_candidates(
        mart, [write(mart, [used()])], AuditContext(as_of=DAY + timedelta(4), max_age_days=3)
    )
    assert audit.success
    assert [w.name for w in audit.warnings] == [f"{mart}.newest_is_fresh"]


def test_published_rows_must_add_up_to_what_was_conserved(write: Write) -> None:
    """Conservation proved on other rows than those published proves nothing."""
    costs = write("fct_costs_daily", [cost()])
    good = write("fct_bill_conservation", [total()])
    bad = write("fct_bill_conservation", [total(mart_total=Decimal("1.11"))])
    name = "fct_costs_daily.cost_equals_conservation"
    for related, expected in ((good, set()), (bad, {name})):
        context = AuditContext(related={"fct_bill_conservation": (related,)})
        assert failed(judge_candidates("fct_costs_daily", [costs], context)) == expected
    alone = judge_candidates("fct_costs_daily", [costs])
    assert name in {one.subject for one in alone.abstained}


def test_a_collapsed_account_day_warns(write: Write) -> None:
    """A provider that forgot nine tenths of a day makes a saving out of nothing."""
    days = [
        cost(charge_date=date(2026, 3, 1) + timedelta(n), effective_cost=Decimal(100))
        for n in range(10)
    ]
    days[8]["effective_cost"] = Decimal(4)
    audit = judge_candidates("fct_costs_daily", [write("fct_costs_daily", days)])
    assert [w.name for w in audit.warnings] == ["fct_costs_daily.account_day_not_collapsed"]
    assert audit.warnings[0].examples[0]["charge_date"] == "2026-03-09"


def test_no_files_is_not_a_pass(write: Write) -> None:
    """Nothing judged must not read as everything fine."""
    audit = judge_candidates("fct_workload_carbon_daily", [], AuditContext(partitions=(DAY,)))
    assert not audit.success
    assert len(audit.abstained) > 3


def test_the_page_escapes_hostile_text(tmp_path: Path, write: Write) -> None:
    """A resource name from a bill must not run in the reader's browser."""
    hostile = "<script>alert(1)</script>"
    path = write("fct_costs_daily", [cost(resource_id=hostile, charge_category=hostile)])
    page = judge_candidates("fct_costs_daily", [path]).write_html(tmp_path / "a" / "audit.html")
    text = page.read_text(encoding="utf-8")
    assert "&lt;script&gt;" in text
    assert "<script" not in text
    assert "http" not in text.replace("http-equiv", "")


def test_one_bad_value_among_many_is_found_and_counted(write: Write) -> None:
    """Values that stand for all rows must lose no fault, and counts must be of rows."""
    mart = "fct_workload_utilisation_daily"
    rows = [used(container=f"c{n}", cpu_cores_p50=n / 1e4, cpu_cores_p95=1.0, cpu_cores_p99=1.0,
                 cpu_cores_max=1.0) for n in range(3000)]  # fmt: skip
    rows[1234]["coverage"] = 1.5
    rows[77]["coverage"] = rows[78]["coverage"] = float("nan")
    rows[2000]["day"] = None
    audit = judge_candidates(mart, [write(mart, rows)])
    by_name = {o.name.partition(".")[2]: o for o in audit.failures}
    counts = {name: outcome.unexpected_count for name, outcome in by_name.items()}
    assert counts == {"coverage_present": 2, "coverage_in_range": 1, "day_present": 1}
    assert by_name["coverage_in_range"].examples[0]["container"] == "c1234"


def test_every_mart_suite_runs_on_its_own_columns(tmp_path: Path) -> None:
    """A suite that names a column its mart does not have could never pass."""
    for mart, suite in MARTS.items():
        fields = [
            pa.field(
                name,
                MONEY
                if name in suite.money
                else pa.date32()
                if name in {"day", "billing_period", "charge_date"}
                else pa.timestamp("us", tz="UTC")
                if name == "time"
                else pa.string(),
            )
            for name in suite.columns
        ]
        path = tmp_path / f"{mart}.parquet"
        row = {f.name: datetime(2026, 3, 1, tzinfo=UTC) if f.name == "time" else None
               for f in fields}  # fmt: skip
        pq.write_table(pa.Table.from_pylist([row], schema=pa.schema(fields)), path)
        audit = judge_candidates(mart, [path])
        assert f"{mart}.columns_as_promised" not in failed(audit)
        assert not [o for o in audit.outcomes if "missing" in o.observed], mart
