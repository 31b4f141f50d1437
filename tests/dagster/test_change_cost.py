"""`finops diff` on a small estate: priced by its publication, judged, and written on a forge."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest
from typer.testing import CliRunner

from finops_dagster.cli.main import app
from finops_dagster.defs.estate import Estate
from finops_dagster.engines.optimisation import MEASURED
from finops_dagster.settings import load
from tests.builders import git

AS_OF = date(2026, 5, 14)
KNOWN = datetime(2026, 5, 14, 12, tzinfo=UTC)
HOSTILE = "<img src=x> @ada | `x` #1"
_TEXT = (
    "source", "provider_name", "billing_account_id", "sub_account_id", "sub_account_name",
    "service_category", "service_name", "region_id", "resource_id", "resource_name",
    "resource_type", "resource", "namespace", "cluster", "team", "environment", "business_unit",
    "cost_center", "tag_set_id", "charge_category", "charge_class", "sku_id", "sku_meter",
    "consumed_unit", "commitment_discount_status", "billing_currency", "pricing_currency",
)  # fmt: skip

_SAID = ("cpu_cores", "memory_working_set_bytes", "replicas", "cpu_request_cores")


def manifest(cpu: str, replicas: int, labels: str = "team: a, environment: prod") -> str:
    return f"""apiVersion: apps/v1
kind: Deployment
metadata: {{name: web, namespace: shop, labels: {{{labels}, cost-center: c1}}}}
spec:
  replicas: {replicas}
  template:
    spec:
      containers:
      - name: server
        resources: {{requests: {{cpu: "{cpu}", memory: 4Gi}}}}
"""


def charges(connection: duckdb.DuckDBPyConnection) -> None:
    """Two weeks of 3 replicas of 2 cores at 0.04 and 4 GiB at 0.005 an hour."""
    known = {
        "source": "'aws'", "provider_name": "'AWS'", "billing_account_id": "'1'",
        "service_category": "'Compute'", "service_name": "'EKS'", "region_id": "'eu'",
        "resource_id": "'pod'", "resource": "'Deployment/shop/web'", "team": "'a'",
        "environment": "'prod'", "charge_category": "'Usage'", "sku_id": "meter",
        "sku_meter": "meter", "consumed_unit": "meter", "billing_currency": "'USD'",
    }  # fmt: skip
    columns = ", ".join(f"{known.get(name, 'null')}::varchar as {name}" for name in _TEXT)
    connection.execute(
        f"""
        create table fct_costs_daily as
        select
            date '2026-05-01' as billing_period,
            (date '2026-05-01' + n::int)::date as charge_date, {columns},
            (price * quantity)::decimal(38, 9) as effective_cost,
            (price * quantity)::decimal(38, 9) as list_cost,
            (price * quantity)::decimal(38, 9) as contracted_cost,
            quantity::decimal(38, 9) as consumed_quantity
        from range(14) as days (n)
        cross join (values ('vCPU-Hours', 144, 0.04), ('GiB-Hours', 288, 0.005))
            as meters (meter, quantity, price)
        """
    )


def measured(connection: duckdb.DuckDBPyConnection) -> None:
    """Three replicas in every hour of the two weeks, whatever is declared."""
    others = sorted({*MEASURED} - {*_SAID})
    nulls = ", ".join(f"null::double as {name}" for name in others)
    connection.execute(
        f"""
        create table fct_workload_measurements as
        select
            {nulls},
            (date '2026-05-14')::date as day,
            timestamptz '2026-05-01 00:00:00+00' + to_hours(n::int) as time,
            3600::double as interval_seconds, 'Deployment/shop/web' as resource,
            'c' as cluster, 'Deployment' as kind, 'server' as container,
            1.0::double as cpu_cores, 2e9::double as memory_working_set_bytes,
            3::double as replicas, 6.0::double as cpu_request_cores
        from range(336) as hours (n)
        """
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A clone with a branch `change`: 1 core less, and one replica more than declared."""
    clone = tmp_path / "clone"
    clone.mkdir()
    git(clone, "init", "-q", "-b", "main")
    (clone / "web.yaml").write_text(manifest("2", 2))
    git(clone, "add", "-A")
    git(clone, "commit", "-q", "-m", "start")
    git(clone, "checkout", "-q", "-b", "change")
    (clone / "web.yaml").write_text(manifest("1", 4))
    git(clone, "commit", "-q", "-a", "-m", "change")
    (tmp_path / "bills").mkdir()
    (tmp_path / "finops.yaml").write_text(
        f"estate: small\nas_of: {AS_OF}\nstart: 2026-01-01\n"
        "billing: [{name: aws, path: bills}]\n"
        "desired_state: {repository: clone, branch: main}\n"
    )
    estate = Estate(load(tmp_path / "finops.yaml"))
    file = tmp_path / "small.duckdb"
    with duckdb.connect(str(file)) as connection:
        connection.execute("set TimeZone = 'UTC'")
        charges(connection)
        measured(connection)
    store = estate.publications
    store.publish(
        [
            *store.export(file, "fct_costs_daily", "billing_period", [date(2026, 5, 1)], KNOWN, {}),
            *store.export(file, "fct_workload_measurements", "day", [AS_OF], KNOWN, {}),
        ],
        KNOWN,
    )
    return tmp_path


def diff(folder: Path, *arguments: str) -> Any:
    given = ["diff", *arguments, "--config", str(folder / "finops.yaml")]
    return CliRunner().invoke(app, given)


def test_a_change_is_priced_at_measured_use_and_net_rates(folder: Path) -> None:
    """Harm: declared replicas are taken for those that run, and the price for a list's.

    3 replicas run: 3 cores less at 0.04: -87.60; then one more of 1 core and 4 GiB: +43.80.
    """
    told = diff(folder, "main..change", "--json")
    assert told.exit_code == 0, told.output
    answer = json.loads(told.stdout)
    assert answer["schema"] == "finops.diff/1"
    costs = {one["field"].rsplit(".", 1)[-1]: one["cost_per_month"] for one in answer["items"]}
    assert {field: f"{float(cost['mid']):.2f}" for field, cost in costs.items()} == {
        "cpu": "-87.60",
        "replicas": "43.80",
    }
    (total,) = answer["cost_per_month"]
    assert (total["currency"], f"{float(total['mid']):.2f}") == ("USD", "-43.80")
    assert (answer["unknown"], answer["decision"]) == (0, "allow")
    assert answer["carbon_kg_per_month"] is None
    assert {one["verdict"] for one in answer["items"]} == {"allow"}


def test_what_breaks_policy_stops_and_is_named(folder: Path) -> None:
    """Harm: a change that policy denies passes, as its size did not change."""
    (folder / "clone" / "web.yaml").write_text(manifest("2", 2, f"team: a, note: '{HOSTILE}'"))
    told = diff(folder, "main..", "--repo", str(folder / "clone"), "--json")
    assert told.exit_code == 1, told.output
    answer = json.loads(told.stdout)
    assert answer["items"] == []
    (broken,) = answer["violations_added"]
    assert (broken["resource"], broken["rule_id"]) == ("Deployment/shop/web", "labels.required")
    assert diff(folder, "main..", "--fail-on", "never").exit_code == 0
    mended = json.loads(diff(folder, "change..main", "--json").stdout)
    assert (mended["violations_added"], mended["violations_mended"]) == ([], [])


def test_three_dots_begin_where_the_branch_left(folder: Path) -> None:
    """Harm: what others merged meanwhile is told as taken back by this change."""
    clone = folder / "clone"
    git(clone, "checkout", "-q", "main")
    (clone / "other.yaml").write_text(manifest("1", 1).replace("name: web", "name: other"))
    git(clone, "add", "-A")
    git(clone, "commit", "-q", "-m", "meanwhile")
    two = json.loads(diff(folder, "main..change", "--json").stdout)["items"]
    three = json.loads(diff(folder, "main...change", "--json").stdout)["items"]
    assert {one["change"] for one in two} == {"changed", "removed"}
    assert {one["change"] for one in three} == {"changed"}


@pytest.mark.parametrize(("span", "said"), [("main", "BASE..HEAD"), ("main..none", "none")])
def test_what_names_no_two_commits_says_what_to_do(folder: Path, span: str, said: str) -> None:
    """Harm: a typo is compared with something else, or ends in a traceback."""
    told = diff(folder, span, "--json")
    assert told.exit_code == 2
    (fault,) = json.loads(told.stdout)["errors"]
    assert said in fault["expected"]
    assert fault["hint"]


def test_the_comment_is_one_and_inert(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Harm: a field named by a stranger mentions people or draws markup on the pull request."""
    written: list[tuple[int, str, str]] = []

    class Forge:
        def comment(self, number: int, topic: str, body: str) -> None:
            written.append((number, topic, body))

    monkeypatch.setattr(Estate, "forge", lambda _: Forge())
    text = manifest("1", 4).replace("requests: {", f"requests: {{'{HOSTILE}': 1, ")
    (folder / "clone" / "web.yaml").write_text(text)
    told = diff(folder, "main..", "--comment", "7")
    assert told.exit_code == 0, told.output
    ((number, topic, body),) = written
    assert (number, topic) == (7, "cost")
    assert "`-87.60 USD (" in body
    rows = [line for line in body.splitlines() if line.startswith("| ")]
    assert all(line.count("|") == 7 for line in rows), "a bar of theirs would end a cell"
    inside_code = body.split("``")
    assert any("<img src=x> @ada" in part for part in inside_code[1::2])
    assert not any("@ada" in part for part in inside_code[::2])
