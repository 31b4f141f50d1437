"""What a month is allocated from, by the charges that it has."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import duckdb
import pytest

from finops_dagster.defs import joined
from finops_dagster.defs.estate import Estate
from finops_dagster.settings import load

NOW = datetime(2026, 4, 1, tzinfo=UTC)
MONTHS = [date(2026, month, 1) for month in (1, 2, 3)]
DAYS = [date(2026, 1, 31) + timedelta(days=number) for number in range(40)]


@pytest.fixture
def estate(tmp_path: Path) -> Estate:
    """Three months: pods alone are billed in January and March, and in February nodes too."""
    (tmp_path / "bills").mkdir()
    (tmp_path / "finops.yaml").write_text("estate: small\nbilling: [{name: aws, path: bills}]\n")
    found = Estate(load(tmp_path / "finops.yaml"))
    file = tmp_path / "small.duckdb"
    with duckdb.connect(str(file)) as connection:
        connection.execute(
            """
            create table fct_costs_daily as select * from (values
                (date '2026-01-01', date '2026-01-05', 'prod', 'Job/a/b'),
                (date '2026-01-01', date '2026-01-05', null, null),
                (date '2026-02-01', date '2026-02-05', 'prod', null),
                (date '2026-03-01', date '2026-03-05', 'prod', 'Job/a/b')
            ) as rows (billing_period, charge_date, cluster, resource);
            create table dim_tag_sets as
                select unnest([date '2026-01-01', date '2026-02-01', date '2026-03-01'])
                    as billing_period;
            create table fct_workload_utilisation_daily as
                select cast(unnest(range(date '2026-01-31', date '2026-03-12', interval 1 day))
                    as date) as day;
            create table fct_cluster_capacity_daily as from fct_workload_utilisation_daily;
            create table fct_workload_carbon_daily as from fct_workload_utilisation_daily;
            """
        )
    store = found.publications
    versions = [
        version
        for mart, column, partitions in (
            ("fct_costs_daily", "billing_period", MONTHS),
            ("dim_tag_sets", "billing_period", MONTHS),
            ("fct_workload_utilisation_daily", "day", DAYS),
            ("fct_cluster_capacity_daily", "day", DAYS),
            ("fct_workload_carbon_daily", "day", DAYS),
        )
        for version in store.export(file, mart, column, partitions, NOW, {})
    ]
    store.publish(versions, NOW)
    return found


def test_measurements_are_read_of_months_that_bill_nodes(estate: Estate) -> None:
    """A closed month that is built anew with each day's measurements never comes to rest, and one
    that is not, where nodes are billed, keeps what was known too early."""
    read = {
        month: {mart: len(paths) for mart, paths in joined.files(estate, [month]).items()}
        for month in MONTHS
    }
    of_february = {"fct_workload_utilisation_daily": 28, "fct_cluster_capacity_daily": 28}
    # what is emitted is told of the month alone, whoever bills
    emitted = [read[month].pop("fct_workload_carbon_daily") for month in MONTHS]
    assert emitted == [1, 28, 11]
    assert read[MONTHS[0]] == {"fct_costs_daily": 1, "dim_tag_sets": 1}
    assert read[MONTHS[1]] == {"fct_costs_daily": 2, "dim_tag_sets": 2, **of_february}
    # a month is told beside the one before it
    assert read[MONTHS[2]] == read[MONTHS[1]]


def test_a_version_from_before_clusters_has_none(estate: Estate, tmp_path: Path) -> None:
    """An estate that was published by an older release must go on."""
    with duckdb.connect(str(tmp_path / "old.duckdb")) as connection:
        connection.execute(
            "create table fct_costs_daily as select date '2026-02-01' as billing_period,"
            " date '2026-02-05' as charge_date, null::varchar as resource"
        )
    store = estate.publications
    (old,) = store.export(
        tmp_path / "old.duckdb", "fct_costs_daily", "billing_period", [MONTHS[1]], NOW, {}
    )
    assert not store.has(old, "cluster", "resource")
