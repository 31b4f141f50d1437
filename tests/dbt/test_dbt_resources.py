"""What is billed, measured and declared, joined: each rule, what is left, every cost once."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from finops_dagster.desired_state.rows import identifier_rows, resource_rows
from finops_dagster.domain.decisions import DeclaredResource
from tests.dbt.landing import Estate, Result

DAY = date(2026, 3, 31)


def declared(resource: str, manifest: str = "{}", **more: Any) -> DeclaredResource:
    given = {"api_version": "apps/v1", "labels": {}, "annotations": {}, "document": 0}
    name = resource.rsplit("/", 1)[1]
    return DeclaredResource(
        resource=resource, file=f"apps/{name}.yaml", manifest=manifest, **(given | more)
    )


DECLARED = [
    declared("Deployment/shop/web", owner="red"),
    declared("Deployment/shop/web-api"),
    declared("CronJob/shop/nightly"),
    declared("StatefulSet/shop/queue"),
    declared("Deployment/elsewhere/mailer"),
    declared("Deployment/shop/asleep", '{"spec": {"replicas": 0}}'),
    declared("Deployment/shop/gone"),
    declared("Kafka/shop/events", api_version="kafka.strimzi.io/v1"),
    declared(
        "HelmRelease/flux/grafana", '{"kind": "HelmRelease", "spec": {"targetNamespace": "obs"}}'
    ),
    declared("ConfigMap/shop/orders-db", api_version="v1"),
    declared("aws_db_instance/terraform:prod/orders", owner="blue", cloud_ids=("orders-db",)),
    declared("aws_s3_bucket/terraform:prod/logs", cloud_ids=("arn:aws:s3:::Logs",)),
    declared("aws_s3_bucket/terraform:prod/never", cloud_ids=("never-used",)),
    # two declarations of one name: neither may be told
    declared("aws_lambda_function/terraform:prod/a", cloud_ids=("twice",)),
    declared("aws_lambda_function/terraform:dev/a", cloud_ids=("twice",)),
    declared("Deployment/left/clash"),
    declared("Deployment/right/clash"),
    declared("StatefulSet/both/app"),
    declared("DaemonSet/both/app"),
]

MEASURED = {
    "Deployment/shop/web": ("same_resource", "Deployment/shop/web"),
    "ReplicaSet/shop/web-api-7f9c": ("generated", "Deployment/shop/web-api"),
    "Job/shop/nightly-2891": ("generated", "CronJob/shop/nightly"),
    "Deployment/shop/queue": ("other_kind", "StatefulSet/shop/queue"),
    "Deployment/mail/mailer": ("other_namespace", "Deployment/elsewhere/mailer"),
    "StatefulSet/shop/events-kafka": ("custom_resource", "Kafka/shop/events"),
    "Deployment/obs/grafana": ("chart_release", "HelmRelease/flux/grafana"),
    "Deployment/obs/sidecar": ("chart_namespace", "HelmRelease/flux/grafana"),
    "Deployment/lab/llm": (None, None),
    "Deployment/shop/webhook": (None, None),
    "Deployment/both/app": ("other_kind", None),
    "Deployment/middle/clash": (None, None),
}
"""Workload -> the rule that should speak, and the declaration it should tell."""


def charge(cost: str, **columns: Any) -> dict[str, Any]:
    return {
        "source": "cloud", "billing_account_id": "1", "sub_account_id": None, "region_id": None,
        "resource_id": None, "provider_name": "AWS", "service_name": "S", "resource_name": None,
        "resource_type": None, "resource": None, "team": None, "environment": None,
        "billing_currency": "USD", "effective_cost": Decimal(cost), "charge_date": DAY,
    } | columns  # fmt: skip


CHARGES = [
    charge("1.25", resource="Deployment/shop/web", team="red"),
    # the same resource on another day, without a tag: its declaration names the owner
    charge("0.75", resource="Deployment/shop/web", charge_date=date(2026, 3, 20)),
    charge("2.5", resource="Deployment/lab/llm"),
    charge("3", resource_id="arn:aws:rds:eu-west-1:1:db:orders-db"),
    charge("4", resource_id="ARN:aws:s3:::logs", team="green"),
    charge("5", resource_id="arn:aws:lambda:eu-west-1:1:function:twice"),
    charge("6", service_name="Support"),
    charge("7", resource_id="arn:x", billing_currency="EUR"),
    # before the window, and after the day: known, but not of these days
    charge("100", resource_id="arn:x", charge_date=date(2026, 3, 3)),
    charge("1000", resource_id="arn:x", charge_date=date(2026, 4, 1)),
]


def write(folder: Path, name: str, frame: pd.DataFrame, schema: pa.Schema | None = None) -> str:
    path = folder / f"{name}.parquet"
    pq.write_table(pa.Table.from_pandas(frame, schema=schema, preserve_index=False), path)
    return str(path)


def build(folder: Path, resources: list[DeclaredResource], workloads: list[str]) -> Result:
    money = pa.schema(
        [
            (name, pa.date32() if name == "charge_date" else pa.string())
            if name != "effective_cost"
            else (name, pa.decimal128(38, 20))
            for name in charge("0")
        ]
    )
    measured = pd.DataFrame(
        [
            {"day": DAY, "cluster": "c", "resource": name,
             "gpu_utilisation_percent_max": 3.0 if "llm" in name else None}
            for name in workloads
        ],
        columns=["day", "cluster", "resource", "gpu_utilisation_percent_max"],
    )  # fmt: skip
    files = {
        "fct_costs_daily": [write(folder, "costs", pd.DataFrame(CHARGES), money)],
        "fct_workload_utilisation_daily": [write(folder, "measured", measured)],
        "declared_resources": [write(folder, "resources", resource_rows(resources))],
        "declared_identifiers": [write(folder, "identifiers", identifier_rows(resources))],
    }
    return Estate(folder).dbt(
        "build", "--select", "tag:resources", "--exclude-resource-type", "unit_test",
        published=files, last_day=DAY.isoformat(), warehouse=str(Estate(folder).layout.warehouse),
    )  # fmt: skip


@pytest.fixture(scope="module")
def joined(tmp_path_factory: pytest.TempPathFactory) -> Estate:
    folder = tmp_path_factory.mktemp("joined")
    result = build(folder, DECLARED, [*MEASURED, "Deployment/kube-system/dns", "Node//n1"])
    assert result.exit_code == 0, result.output
    return Estate(folder)


def test_each_workload_is_told_by_the_first_rule_that_can(joined: Estate) -> None:
    """A declared workload called a shadow makes every such finding worthless."""
    rows = joined.query("select resource, rule, declared_resource from fct_workload_matches")
    assert {name: (rule, told) for name, rule, told in rows} == MEASURED


def test_only_what_nothing_declares_is_undeclared(joined: Estate) -> None:
    """Whoever is accused wrongly once reads no second accusation."""
    assert joined.query(
        "select resource, kind_of, effective_cost from fct_undeclared_resources order by resource"
    ) == [
        ("Deployment/lab/llm", "shadow_ai", Decimal("2.5")),
        ("Deployment/middle/clash", "drift", None),
        ("Deployment/shop/webhook", "drift", None),
    ]


def test_declarations_that_nothing_runs_are_named(joined: Estate) -> None:
    """A manifest that is kept for nothing is read, reviewed and patched for nothing."""
    rows = joined.query("select resource, reason from fct_unseen_declarations order by resource")
    assert [resource for resource, _ in rows] == [
        "DaemonSet/both/app",
        "Deployment/left/clash",
        "Deployment/right/clash",
        "Deployment/shop/asleep",
        "Deployment/shop/gone",
        "StatefulSet/both/app",
        "aws_lambda_function/terraform:dev/a",
        "aws_lambda_function/terraform:prod/a",
        "aws_s3_bucket/terraform:prod/never",
    ]
    assert dict(rows)["Deployment/shop/asleep"] == "It is declared with no replicas."


def test_costs_find_their_owner_or_a_reason(joined: Estate) -> None:
    """Unowned spend without its reason cannot be given an owner."""
    assert joined.query(
        "select effective_cost, owner, owner_from, rule, declared_resource"
        " from fct_resource_matches where owner is not null order by effective_cost"
    ) == [
        (Decimal("0.75"), "red", "declaration", "workload_tags", "Deployment/shop/web"),
        (Decimal("1.25"), "red", "tag", "workload_tags", "Deployment/shop/web"),
        (Decimal(3), "blue", "declaration", "resource_name",
         "aws_db_instance/terraform:prod/orders"),
        (Decimal(4), "green", "tag", "resource_id", "aws_s3_bucket/terraform:prod/logs"),
    ]  # fmt: skip
    unowned = joined.query(
        "select effective_cost, billing_currency, reason from fct_unowned_costs order by 1"
    )
    assert [(cost, currency) for cost, currency, _ in unowned] == [
        (Decimal("2.5"), "USD"), (Decimal(5), "USD"), (Decimal(6), "USD"), (Decimal(7), "EUR"),
    ]  # fmt: skip
    reasons = {cost: reason for cost, _, reason in unowned}
    assert reasons[Decimal(6)] == "The bill names no resource."


def test_every_cost_of_the_days_is_there_once(joined: Estate) -> None:
    """A join that drops or doubles a row moves money between teams unseen."""
    assert joined.query(
        "select billing_currency, sum(effective_cost) from fct_resource_matches group by 1"
        " order by 1"
    ) == [("EUR", Decimal(7)), ("USD", Decimal("22.5"))]


def test_without_a_repository_nothing_is_undeclared(tmp_path: Path) -> None:
    """Everything would be: an estate that names no repository would be told it has no order."""
    result = build(tmp_path, [], list(MEASURED))
    assert result.exit_code == 0, result.output
    estate = Estate(tmp_path)
    assert estate.query("select count(*) from fct_undeclared_resources") == [(0,)]
    assert estate.query("select count(*) from fct_unseen_declarations") == [(0,)]
    assert estate.query("select count(*) from fct_workload_matches") == [(len(MEASURED),)]


def test_without_measurements_no_workload_is_missing(tmp_path: Path) -> None:
    """A telemetry source that is down must not turn every manifest into waste."""
    result = build(tmp_path, DECLARED, [])
    assert result.exit_code == 0, result.output
    rows = Estate(tmp_path).query("select resource from fct_unseen_declarations")
    assert all(resource.startswith("aws_") for (resource,) in rows)
