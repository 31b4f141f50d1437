"""Telemetry, carbon and prediction logs through the warehouse, and a warehouse with none of them.

Formulas are held by dbt's own unit tests; here is what only real files and two runs can show.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from finops_dagster.defs import line
from finops_dagster.storage.exports import POLICY_VIOLATIONS, PROPOSALS
from tests.dbt.landing import Estate, Result, at, measurement

CPU = "container_cpu_usage_seconds_total"
MONDAY, TUESDAY = "2026-01-05", "2026-01-06"
WITHOUT_UNIT_TESTS = ("--exclude-resource-type", "unit_test")
"""They say the same over any data, and all of them run with the warehouse that is empty."""
SIGNALS = ("--select", "tag:signals", *WITHOUT_UNIT_TESTS)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Estate, list[Result]]:
    """Two days of signals; the first is delivered again before the second is built alone."""
    estate = Estate(tmp_path_factory.mktemp("signals"))
    for day, cores in ((MONDAY, 1.0), (TUESDAY, 2.0)):
        rows = [
            *(measurement(f"{day}T00:{minute:02d}", CPU, cores) for minute in range(0, 60, 5)),
            measurement(f"{day}T00:00", CPU, 3.0, cluster="unmapped"),
            measurement(f"{day}T00:00", "kube_deployment_spec_replicas", 2.0, container=None),
        ]
        estate.deliver("measurements", day, f"m-{day}", f"{day}T23:00", rows)
        estate.deliver(
            "intensities",
            day,
            f"i-{day}",
            f"{day}T23:00",
            [
                {
                    "time": at(f"{day}T00:00"),
                    "region": "eu-west-1",
                    "accounting": accounting,
                    "gco2e_per_kwh": intensity,
                }
                for accounting, intensity in (("location", 300.0), ("market", 0.0))
            ],
        )
    estate.deliver(
        "predictions",
        MONDAY,
        "p",
        "2026-01-05T23:00",
        [
            {
                "time": at("2026-01-05T10:00"),
                "model": "risk",
                "model_version": "1",
                "prediction_id": "x",
                "features": [("age", 41.5)],
                "groups": [("sex", "f")],
                "prediction": 1.0,
                "probability": 0.75,
                "latency_ms": 12.0,
                "energy_wh": 0.5,
            }
        ],
    )
    estate.deliver(
        "labels",
        TUESDAY,
        "l",
        "2026-01-06T23:00",
        [{"time": at("2026-01-06T09:00"), "model": "risk", "prediction_id": "x", "label": 0.0}],
    )
    clusters = {"prod": "eu-west-1"}
    both = {"first_day": MONDAY, "last_day": TUESDAY, "clusters": clusters}
    results = [estate.dbt("build", *SIGNALS, **both)]
    for day in (MONDAY, TUESDAY):
        estate.deliver(
            "measurements",
            day,
            f"again-{day}",
            "2026-01-07T23:00",
            [measurement(f"{day}T00:00", CPU, 9.0)],
        )
    tuesday = {"first_day": TUESDAY, "last_day": TUESDAY, "clusters": clusters}
    results.append(estate.dbt("build", *SIGNALS, **tuesday))
    return estate, results


def test_builds_end_without_a_failed_test(built: tuple[Estate, list[Result]]) -> None:
    """A warehouse that fails on sound telemetry would stop every decision."""
    for result in built[1]:
        assert result.exit_code == 0, result.output


def test_a_days_run_touches_its_day_alone(built: tuple[Estate, list[Result]]) -> None:
    """A daily run that rewrote other days would cost more each day and change audited history."""
    estate, _ = built
    assert estate.query(
        "select day, count(*), max(cpu_cores) from fct_workload_measurements"
        " group by all order by 1"
    ) == [(date(2026, 1, 5), 14, 3.0), (date(2026, 1, 6), 1, 9.0)]
    assert estate.query(
        "select day, samples, coverage, cpu_cores_mean from fct_workload_utilisation_daily"
        " where cluster = 'prod' order by 1"
    ) == [
        (date(2026, 1, 5), 12, 3600 / 86400, 1.0),
        (date(2026, 1, 6), 1, 300 / 86400, 9.0),
    ]


def test_replicas_stand_on_the_row_without_container(
    built: tuple[Estate, list[Result]],
) -> None:
    """A null container would vanish from every join and group of its readers."""
    assert built[0].query(
        "select container, replicas, cpu_cores from fct_workload_measurements"
        " where replicas is not null"
    ) == [("", 2.0, None)]


def test_carbon_is_energy_times_the_hours_intensity(
    built: tuple[Estate, list[Result]],
) -> None:
    """A cluster without a region keeps its energy and claims no emissions, not zero."""
    rows = {
        cluster: rest
        for cluster, *rest in built[0].query(
            "select cluster, region, energy_kwh, location_gco2e, market_gco2e"
            " from fct_workload_carbon_daily where day = date '2026-01-05'"
        )
    }
    # one core for an hour, fully used: the seed's max watts times its PUE, both for AWS
    energy = 3.5 / 1000 * 1.15
    region, *figures = rows["prod"]
    assert region == "eu-west-1"
    assert figures == pytest.approx([energy, energy * 300, 0.0])
    # three cores for five minutes at the mean of the providers
    region, energy, *emissions = rows["unmapped"]
    assert region is None
    assert energy == pytest.approx(3 / 12 * (3.5 + 3.76 + 4.26) / 3 / 1000 * 1.14)
    assert emissions == [None, None]


def test_prediction_and_label_keep_their_own_days(
    built: tuple[Estate, list[Result]],
) -> None:
    """A label filed under its prediction's day would let the past know the future."""
    estate, _ = built
    assert estate.query(
        "select day, features['age'], groups['sex'], probability from fct_model_predictions"
    ) == [(date(2026, 1, 5), 41.5, "f", 0.75)]
    assert estate.query("select day, prediction_id, label from fct_model_labels") == [
        (date(2026, 1, 6), "x", 0.0)
    ]


def test_nothing_landed_gives_empty_marts_of_the_right_shape(tmp_path: Path) -> None:
    """An estate without telemetry or history must build, and say nothing, rather than fail."""
    estate = Estate(tmp_path)
    result = estate.dbt("build")
    assert result.exit_code == 0, result.output
    marts = [
        name
        for (name,) in estate.query(
            "select table_name from information_schema.tables"
            " where table_name like 'fct_%' or table_name like 'dim_%'"
        )
    ]
    assert set(marts) >= {
        *line.BILLING.marts,
        *line.SIGNALS.marts,
        *line.ALLOCATION.marts,
    }
    # a calendar has its days whatever was landed
    for mart in set(marts) - {"dim_dates"}:
        assert estate.query(f"select count(*) from {mart}") == [(0,)]
    shape = dict(
        estate.query(
            "select column_name, data_type from information_schema.columns"
            " where table_name = 'fct_model_predictions'"
        )
    )
    assert shape["features"] == "MAP(VARCHAR, DOUBLE)"
    assert shape["time"] == "TIMESTAMP WITH TIME ZONE"


def test_the_ledgers_export_becomes_marts(tmp_path: Path) -> None:
    """What was proposed and merged must be readable beside cost, with its money exact."""
    estate = Estate(tmp_path)
    saving = Decimal("12.34567890123456789012")
    proposal: dict[str, Any] = dict.fromkeys(PROPOSALS.names)
    proposal |= {
        "id": "p1",
        "as_of": date(2026, 1, 5),
        "kind": "rightsize",
        "resource": "Deployment/shop/cart",
        "saving_per_month_mid": saving,
        "currency": "USD",
        "decision": "allow",
    }
    estate.layout.ledger.mkdir()
    pq.write_table(
        pa.Table.from_pylist([proposal], schema=PROPOSALS),
        estate.layout.ledger / "proposals.parquet",
    )
    result = estate.dbt("build", "--select", "tag:ledger", *WITHOUT_UNIT_TESTS)
    assert result.exit_code == 0, result.output
    assert estate.query("select id, saving_per_month_mid from fct_proposals") == [("p1", saving)]
    assert estate.query("select count(*) from fct_pull_requests") == [(0,)]


def test_a_violation_has_its_age_and_ends(tmp_path: Path) -> None:
    """Harm: an old violation looks new, or one that was mended ages for ever."""
    estate = Estate(tmp_path)
    row: dict[str, Any] = {
        **dict.fromkeys(POLICY_VIOLATIONS.names, ""),
        "day": date(2026, 1, 11),
        "seen": "declared",
        "rule_id": "labels.required",
        "decision": "deny",
        "currency": None,
        "cost_per_month": None,
        "first_day": date(2026, 1, 2),
        "changed_day": date(2026, 1, 2),
        "ended_day": None,
    }
    rows = [
        row | {"id": "a", "resource": "a", "currency": "USD", "cost_per_month": Decimal(5)},
        row | {"id": "a", "resource": "a", "currency": "EUR", "cost_per_month": Decimal(7)},
        row | {"id": "b", "resource": "b", "ended_day": date(2026, 1, 5)},
    ]
    estate.layout.ledger.mkdir()
    pq.write_table(
        pa.Table.from_pylist(rows, schema=POLICY_VIOLATIONS),
        estate.layout.ledger / "policy_violations.parquet",
    )
    result = estate.dbt("build", "--select", "tag:ledger")
    assert result.exit_code == 0, result.output
    told = estate.query(
        "select id, currency, cost_per_month, age_days, stands from fct_policy_violations"
        " order by all"
    )
    assert told == [
        ("a", "EUR", Decimal(7), 9, True),
        ("a", "USD", Decimal(5), 9, True),
        ("b", None, None, 3, False),
    ]
