"""Cost of runs, from published marts to the mart that adds up to the bill.

Formulas are held by dbt's own unit tests; here is what only real files can show.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import duckdb
import pytest

from tests.dbt.landing import Estate, Result

DAY = "2026-01-05"
PUBLISHED = {
    "fct_runs": f"""
        select date '{DAY}' as day, 'mlflow' as source, 'mlflow' as system, run_id, 'fraud' as
            experiment, run_id as name, 'ana' as owner, 'risk' as team, 'finished' as status,
            null::varchar as cluster, 'ml' as namespace, resource, null::varchar as resource_id,
            timestamptz '{DAY} 00:00:00+00' + to_hours(start) as active_from,
            timestamptz '{DAY} 00:00:00+00' + to_hours(stop) as active_to
        from (values ('a', 'Job/ml/train', 0, 3), ('b', 'Job/ml/train', 1, 5),
            ('c', 'Job/ml/train', 2, 9), ('d', null, 0, 24), ('e', 'Job/ml/gone', 0, 1)
        ) as runs (run_id, resource, start, stop)
    """,
    "fct_costs_daily": f"""
        select date '{DAY}' as charge_date, null::varchar as resource_id, resource,
            billing_currency, cost::decimal(38, 20) as billed_cost,
            (cost / 7)::decimal(38, 20) as effective_cost
        from (values ('Job/ml/train', 'EUR', 10.00000000000000000003::decimal(38, 20)),
            ('Job/ml/train', 'USD', 0.1), ('Deployment/ml/notebook', 'EUR', 3),
            ('Deployment/shop/web', 'EUR', 99)
        ) as costs (resource, billing_currency, cost)
    """,
    "fct_workload_measurements": f"""
        select date '{DAY}' as day,
            timestamptz '{DAY} 00:00:00+00' + to_minutes(5 * place) as time,
            300::bigint as interval_seconds, 'prod' as cluster, 'ml' as namespace,
            'Job/ml/train' as resource, 1.0 + place % 7 as cpu_cores, 2.0 as cpu_request_cores
        from range(144) as places (place)
    """,
    "fct_model_versions": f"""
        select date '{DAY}' as day, 'mlflow' as registry, 'm' as model, '1' as version,
            'a' as run_id
    """,
}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Estate, Result]:
    root = tmp_path_factory.mktemp("run_costs")
    estate = Estate(root)
    published: dict[str, Any] = {}
    for mart, query in PUBLISHED.items():
        # a name with what a glob would take for a pattern
        path = root / f"[{mart}].parquet"
        duckdb.sql(f"copy ({query}) to '{path}' (format parquet)")
        published[mart] = [str(path)]
    result = estate.dbt(
        "build", "--select", "+fct_model_version_costs", "--exclude-resource-type", "unit_test",
        first_day=DAY, last_day=DAY, published=published,
    )  # fmt: skip
    return estate, result


def test_every_test_holds(built: tuple[Estate, Result]) -> None:
    """Parts that do not sum to the bill would be cost invented or lost."""
    assert built[1].exit_code == 0, built[1].output


def test_rows_of_a_place_are_its_bill_to_the_last_decimal(built: tuple[Estate, Result]) -> None:
    """The third of a cent that rounding loses is lost each day."""
    assert built[0].query(
        "select charged_to, billing_currency, sum(billed_cost) from fct_run_costs"
        " where billing_currency is not null group by all order by all"
    ) == [
        ("Job/ml/train", "EUR", Decimal("10.00000000000000000003")),
        ("Job/ml/train", "USD", Decimal("0.10000000000000000000")),
        ("ml", "EUR", Decimal("3.00000000000000000000")),
    ]


def test_every_run_is_there_with_its_share_or_why_not(built: tuple[Estate, Result]) -> None:
    """A run that is not in the mart looks free."""
    rows = built[0].query(
        "select run_id, basis, share, billed_cost is null from fct_run_costs"
        " where billing_currency is distinct from 'USD' order by run_id nulls last, basis"
    )
    told = {(run, basis): share for run, basis, share, _ in rows}
    assert {key[1] for key in told} == {"core_seconds", "time", "nothing_billed", "unallocated"}
    assert told["d", "time"] == 1
    assert told["e", "nothing_billed"] is None
    cores = [2.0 if place % 7 == 0 else 1.0 + place % 7 for place in range(144)]
    hours = {"a": (0, 3), "b": (1, 5), "c": (2, 9)}
    for run, (start, stop) in hours.items():
        # the obvious way: five minutes at a time, parted among those who are active
        used = sum(
            cores[place] / sum(s * 12 <= place < e * 12 for s, e in hours.values())
            for place in range(start * 12, stop * 12)
        )
        assert told[run, "core_seconds"] == pytest.approx(used / sum(cores), abs=1e-9)


def test_a_version_costs_what_its_run_did(built: tuple[Estate, Result]) -> None:
    """What a model costs to make is what its owner asks first."""
    ((cost, run_cost),) = built[0].query(
        "select versions.billed_cost, runs.billed_cost from fct_model_version_costs as versions"
        " inner join fct_run_costs as runs using (run_id, billing_currency)"
        " where billing_currency = 'EUR'"
    )
    assert cost == run_cost > 0
